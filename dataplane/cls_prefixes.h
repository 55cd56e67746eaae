/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cls_prefixes.h - a classifier's tries: which fields have one, whose prefixes are in it, and what a lookup asks.
 *
 * A subtable has a length for each field: how many of the field's first bits its mask looks at without a gap (what a
 * mask that is no prefix looks at behind a gap is left to the hash), and of addresses only beside an exact eth_type.
 * Its rules' prefixes of that length are then in the field's trie, in that of IPv4 or of IPv6 by the type that they
 * name; of another type they are in none. So a flow of IPv4 that no prefix of that length in IPv4's trie matches, is
 * matched by no rule of the subtable. Length 0: nothing is known of the subtable.
 *
 * The ports' tries are by no type: their bits are asked for only where the stages before have left rules over.
 */
#ifndef DATAPLANE_CLS_PREFIXES_H
#define DATAPLANE_CLS_PREFIXES_H

#include "dataplane/cls_trie.h"
#include "dataplane/flow.h"

enum cls_prefix_field { CLS_IP_SRC, CLS_IP_DST, CLS_L4_SRC, CLS_L4_DST, CLS_PREFIX_FIELDS };

/* All zero: empty. */
struct cls_prefixes {
	struct cls_trie_pool pool;
	struct cls_trie ipv4[2], ipv6[2], ports[2]; /* source, destination */
};

/* What one lookup has asked so far; all zero but for `flow`: nothing. */
struct cls_prefix_lookup {
	const struct cls_prefixes *prefixes;
	const struct flow *flow;
	bool asked[CLS_PREFIX_FIELDS];
	bool has_trie[CLS_PREFIX_FIELDS];
	struct cls_trie_found found[CLS_PREFIX_FIELDS];
};

void cls_prefix_lengths(const struct flow *mask, uint8_t ret_lengths[CLS_PREFIX_FIELDS]);

/* Makes room for one more rule. -ENOMEM. */
int cls_prefixes_reserve(struct cls_prefixes *prefixes);
void cls_prefixes_free(struct cls_prefixes *prefixes);
void cls_prefixes_add(struct cls_prefixes *prefixes, const uint8_t lengths[CLS_PREFIX_FIELDS], const struct flow *key);
void cls_prefixes_remove(
	struct cls_prefixes *prefixes, const uint8_t lengths[CLS_PREFIX_FIELDS], const struct flow *key);

/* Asks the field's trie, unless this lookup has. */
void cls_prefix_ask(struct cls_prefix_lookup *lookup, enum cls_prefix_field field);

/* Whether what was asked so far tells that no rule of a subtable with this length of the field matches. */
static inline bool cls_prefix_absent(
	const struct cls_prefix_lookup *lookup, enum cls_prefix_field field, uint32_t length)
{
	return length && lookup->has_trie[field] && !cls_trie_has_length(&lookup->found[field], length);
}

/* The bits of the field that tell that, eth_type aside: no more than `length`. */
static inline uint32_t cls_prefix_n_looked(
	const struct cls_prefix_lookup *lookup, enum cls_prefix_field field, uint32_t length)
{
	return lookup->found[field].n_looked < length ? lookup->found[field].n_looked : length;
}

/* Sets the first n bits of the field. */
void cls_prefix_look(struct flow *wc, enum cls_prefix_field field, uint32_t n_bits);

#endif
