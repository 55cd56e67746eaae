/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/cls_trie.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define NODE_BITS    32
#define CHUNK_NODES  256
#define FIRST_CHUNKS 4

/* Number 0 is no node. */
struct cls_trie_node {
	uint32_t bits;         /* n_bits of them, from the highest on; zero behind */
	uint32_t child[2];     /* by the next bit, which is the first of the child's own */
	uint32_t n_rules : 26; /* whose prefix ends here: far more than there is memory for */
	uint32_t n_bits : 6;   /* 1 to NODE_BITS */
};

_Static_assert(sizeof(struct cls_trie_node) == 16, "a node has grown");

/* ---- the pool ---- */

static struct cls_trie_node *node_of(const struct cls_trie_pool *pool, uint32_t number)
{
	return &pool->chunks[number / CHUNK_NODES][number % CHUNK_NODES];
}

static void put_back(struct cls_trie_pool *pool, uint32_t number)
{
	node_of(pool, number)->child[0] = pool->vacant;
	pool->vacant = number;
	pool->n_vacant++;
}

static uint32_t take(struct cls_trie_pool *pool)
{
	uint32_t number = pool->vacant;
	struct cls_trie_node *node;

	assert(number);
	node = node_of(pool, number);
	pool->vacant = node->child[0];
	pool->n_vacant--;
	*node = (struct cls_trie_node){0};
	return number;
}

static int add_chunk(struct cls_trie_pool *pool)
{
	uint32_t size = pool->chunks_size ? pool->chunks_size * 2 : FIRST_CHUNKS;

	if (pool->n_chunks == pool->chunks_size) {
		struct cls_trie_node **chunks = reallocarray(pool->chunks, size, sizeof(struct cls_trie_node *));

		if (!chunks)
			return -ENOMEM;
		pool->chunks = chunks;
		pool->chunks_size = size;
	}
	pool->chunks[pool->n_chunks] = malloc(CHUNK_NODES * sizeof(struct cls_trie_node));
	if (!pool->chunks[pool->n_chunks])
		return -ENOMEM;
	pool->n_chunks++;
	for (uint32_t i = CHUNK_NODES; i-- > (pool->n_chunks == 1);)
		put_back(pool, (pool->n_chunks - 1) * CHUNK_NODES + i);
	return 0;
}

int cls_trie_reserve(struct cls_trie_pool *pool, uint32_t n)
{
	while (pool->n_vacant < n) {
		if (add_chunk(pool))
			return -ENOMEM;
	}
	return 0;
}

void cls_trie_free(struct cls_trie_pool *pool)
{
	for (uint32_t i = 0; i < pool->n_chunks; i++)
		free(pool->chunks[i]);
	free(pool->chunks);
	*pool = (struct cls_trie_pool){0};
}

/* ---- bits ---- */

/* The 32 bits from this one on; at < CLS_TRIE_BITS. */
static uint32_t bits_at(const struct cls_trie_key *key, uint32_t at)
{
	const uint32_t *word = &key->words[at / 32];

	return (uint32_t)(((uint64_t)word[0] << 32 | word[1]) << at % 32 >> 32);
}

static uint32_t bit_at(const struct cls_trie_key *key, uint32_t at)
{
	return key->words[at / 32] >> (31 - at % 32) & 1;
}

/* The first n bits; n is 1 to 32. */
static uint32_t first_bits(uint32_t bits, uint32_t n)
{
	return bits & ~0U << (32 - n);
}

static uint32_t lesser(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* How many of the first bits are the same, up to `max`. */
static uint32_t n_same(uint32_t a, uint32_t b, uint32_t max)
{
	return a == b ? max : lesser((uint32_t)__builtin_clz(a ^ b), max);
}

/* ---- the trie ---- */

/* A path of new nodes for the bits from `at` to `end`, the last one with a rule. */
static uint32_t new_path(struct cls_trie_pool *pool, const struct cls_trie_key *key, uint32_t at, uint32_t end)
{
	uint32_t first, *link = &first;
	struct cls_trie_node *node;

	for (;;) {
		*link = take(pool);
		node = node_of(pool, *link);
		node->n_bits = lesser(end - at, NODE_BITS) & 63;
		node->bits = first_bits(bits_at(key, at), node->n_bits);
		at += node->n_bits;
		if (at == end)
			break;
		link = &node->child[bit_at(key, at)];
	}
	node->n_rules = 1;
	return first;
}

/* A new node in front of the link's takes over its first n bits. */
static struct cls_trie_node *split(struct cls_trie_pool *pool, uint32_t *link, uint32_t n)
{
	struct cls_trie_node *lower = node_of(pool, *link), *upper;
	uint32_t number = take(pool);

	upper = node_of(pool, number);
	upper->bits = first_bits(lower->bits, n);
	upper->n_bits = n & 63;
	lower->bits <<= n;
	lower->n_bits = (lower->n_bits - n) & 63;
	upper->child[lower->bits >> 31] = *link;
	*link = number;
	return upper;
}

void cls_trie_add(struct cls_trie_pool *pool, struct cls_trie *trie, const struct cls_trie_key *key, uint32_t n_bits)
{
	uint32_t at = 0, *children = trie->root;

	for (;;) {
		uint32_t *link = &children[bit_at(key, at)];
		struct cls_trie_node *node;
		uint32_t same;

		if (!*link) {
			*link = new_path(pool, key, at, n_bits);
			return;
		}
		node = node_of(pool, *link);
		same = n_same(node->bits, bits_at(key, at), lesser(node->n_bits, n_bits - at));
		if (same < node->n_bits)
			node = split(pool, link, same);
		at += same;
		if (at == n_bits) {
			node->n_rules++;
			return;
		}
		children = node->child;
	}
}

/* A node that is not needed goes, or takes the only child's place. Returns whether the parent may not be needed now. */
static bool prune(struct cls_trie_pool *pool, uint32_t *link)
{
	struct cls_trie_node *node = node_of(pool, *link), *child;
	uint32_t number = node->child[0] ? node->child[0] : node->child[1];

	if (node->n_rules || (node->child[0] && node->child[1]))
		return false;
	if (!number) {
		put_back(pool, *link);
		*link = 0;
		return true;
	}
	child = node_of(pool, number);
	if (node->n_bits + child->n_bits <= NODE_BITS) {
		child->bits = node->bits | child->bits >> node->n_bits;
		child->n_bits = (node->n_bits + child->n_bits) & 63;
		put_back(pool, *link);
		*link = number;
	}
	return false;
}

void cls_trie_remove(struct cls_trie_pool *pool, struct cls_trie *trie, const struct cls_trie_key *key, uint32_t n_bits)
{
	uint32_t *links[CLS_TRIE_BITS], *children = trie->root;
	struct cls_trie_node *node;
	uint32_t n = 0, at = 0;

	do {
		links[n] = &children[bit_at(key, at)];
		assert(*links[n]);
		node = node_of(pool, *links[n++]);
		at += node->n_bits;
		children = node->child;
	} while (at < n_bits);
	assert(at == n_bits && node->n_rules);
	node->n_rules--;
	while (n-- && prune(pool, links[n]))
		;
	if (pool->n_vacant == pool->n_chunks * CHUNK_NODES - 1)
		cls_trie_free(pool);
}

void cls_trie_find(const struct cls_trie_pool *pool, const struct cls_trie *trie, const struct cls_trie_key *key,
	struct cls_trie_found *ret)
{
	const uint32_t *children = trie->root;
	uint32_t at = 0;

	*ret = (struct cls_trie_found){0};
	while (children[0] || children[1]) {
		uint32_t number = children[bit_at(key, at)];
		const struct cls_trie_node *node;
		uint32_t same;

		ret->n_looked = at + 1;
		if (!number)
			return;
		node = node_of(pool, number);
		same = n_same(node->bits, bits_at(key, at), node->n_bits);
		if (same < node->n_bits) {
			ret->n_looked = at + same + 1;
			return;
		}
		at += same;
		ret->n_looked = at;
		if (node->n_rules)
			ret->lengths[(at - 1) / 64] |= 1ULL << (at - 1) % 64;
		children = node->child;
	}
}
