/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cls_trie.h - the prefixes of one field that any rule has, and how many bits of a value tell which of them it has.
 *
 * What: a binary trie whose nodes hold up to 32 bits each, so that a path without forks or ends is one node. A node
 * counts the rules whose prefix ends with it; one without rules has two children, or is part of a path longer than 32
 * bits.
 *
 * Invariant: every value that agrees with a looked-up one in the bits that were looked at has the same prefixes.
 *
 * Memory: sixteen bytes a node and no more nodes than twice the different prefixes of up to 32 bits. Nodes are numbers
 * into a pool that all tries of a classifier share.
 */
#ifndef DATAPLANE_CLS_TRIE_H
#define DATAPLANE_CLS_TRIE_H

#include <stdbool.h>
#include <stdint.h>

#define CLS_TRIE_BITS 128 /* the longest prefix */
#define CLS_TRIE_ROOM 5   /* nodes that an addition may take: one that splits another, and four of 32 bits */

struct cls_trie_node;

/* All zero: empty. */
struct cls_trie_pool {
	struct cls_trie_node **chunks;
	uint32_t n_chunks, chunks_size;
	uint32_t vacant; /* the first of a list */
	uint32_t n_vacant;
};

/* All zero: empty. Its root is a node without bits, of which only the children need be kept. */
struct cls_trie {
	uint32_t root[2];
};

/* A value's bits from the first on, in words of host order; zero behind them. */
struct cls_trie_key {
	uint32_t words[CLS_TRIE_BITS / 32 + 1];
};

/* What a lookup found. */
struct cls_trie_found {
	uint64_t lengths[CLS_TRIE_BITS / 64]; /* bit n - 1: a prefix of n bits matches */
	uint32_t n_looked;                    /* bits of the value that tell so */
};

/* Makes sure that `n` nodes can be taken. -ENOMEM. */
int cls_trie_reserve(struct cls_trie_pool *pool, uint32_t n);
void cls_trie_free(struct cls_trie_pool *pool);

/* n_bits: 1 to CLS_TRIE_BITS. CLS_TRIE_ROOM nodes are reserved. */
void cls_trie_add(struct cls_trie_pool *pool, struct cls_trie *trie, const struct cls_trie_key *key, uint32_t n_bits);
/* It was added. */
void cls_trie_remove(
	struct cls_trie_pool *pool, struct cls_trie *trie, const struct cls_trie_key *key, uint32_t n_bits);
void cls_trie_find(const struct cls_trie_pool *pool, const struct cls_trie *trie, const struct cls_trie_key *key,
	struct cls_trie_found *ret);

static inline bool cls_trie_has_length(const struct cls_trie_found *found, uint32_t n_bits)
{
	return found->lengths[(n_bits - 1) / 64] >> (n_bits - 1) % 64 & 1;
}

#endif
