/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/cls_prefixes.h"

#include <arpa/inet.h>
#include <string.h>

#define ETH_TYPE_IPV4 0x0800
#define ETH_TYPE_IPV6 0x86dd

/* Where the field lies. */
static const struct {
	uint8_t offset, size; /* bytes */
} places[CLS_PREFIX_FIELDS] = {
	[CLS_IP_SRC] = {offsetof(struct flow_fields, f.ip_src), 16},
	[CLS_IP_DST] = {offsetof(struct flow_fields, f.ip_dst), 16},
	[CLS_L4_SRC] = {offsetof(struct flow_fields, f.l4_src_be), 2},
	[CLS_L4_DST] = {offsetof(struct flow_fields, f.l4_dst_be), 2},
};

static struct cls_trie_key key_of(const struct flow *flow, enum cls_prefix_field field)
{
	struct cls_trie_key key = {0};

	memcpy(key.words, (const uint8_t *)flow + places[field].offset, places[field].size);
	for (int i = 0; i < CLS_TRIE_BITS / 32; i++)
		key.words[i] = ntohl(key.words[i]);
	return key;
}

static uint8_t prefix_length(const struct flow *mask, enum cls_prefix_field field)
{
	struct cls_trie_key key = key_of(mask, field);
	uint32_t length = 0;

	while (length < CLS_TRIE_BITS && key.words[length / 32] >> (31 - length % 32) & 1)
		length++;
	return (uint8_t)length;
}

void cls_prefix_lengths(const struct flow *mask, uint8_t ret_lengths[CLS_PREFIX_FIELDS])
{
	for (int field = 0; field < CLS_PREFIX_FIELDS; field++)
		ret_lengths[field] = prefix_length(mask, field);
	if (mask->x.f.eth_type_be != 0xffff)
		ret_lengths[CLS_IP_SRC] = ret_lengths[CLS_IP_DST] = 0;
}

/* NULL: frames of that type have none. */
static struct cls_trie *trie_of(struct cls_prefixes *prefixes, enum cls_prefix_field field, const struct flow *flow)
{
	if (field == CLS_L4_SRC || field == CLS_L4_DST)
		return &prefixes->ports[field == CLS_L4_DST];
	if (flow->x.f.eth_type_be == htons(ETH_TYPE_IPV4))
		return &prefixes->ipv4[field == CLS_IP_DST];
	if (flow->x.f.eth_type_be == htons(ETH_TYPE_IPV6))
		return &prefixes->ipv6[field == CLS_IP_DST];
	return NULL;
}

int cls_prefixes_reserve(struct cls_prefixes *prefixes)
{
	return cls_trie_reserve(&prefixes->pool, CLS_PREFIX_FIELDS * CLS_TRIE_ROOM);
}

void cls_prefixes_free(struct cls_prefixes *prefixes)
{
	cls_trie_free(&prefixes->pool);
}

void cls_prefixes_add(struct cls_prefixes *prefixes, const uint8_t lengths[CLS_PREFIX_FIELDS], const struct flow *key)
{
	for (int field = 0; field < CLS_PREFIX_FIELDS; field++) {
		struct cls_trie *trie = lengths[field] ? trie_of(prefixes, field, key) : NULL;
		struct cls_trie_key bits;

		if (!trie)
			continue;
		bits = key_of(key, field);
		cls_trie_add(&prefixes->pool, trie, &bits, lengths[field]);
	}
}

void cls_prefixes_remove(
	struct cls_prefixes *prefixes, const uint8_t lengths[CLS_PREFIX_FIELDS], const struct flow *key)
{
	for (int field = 0; field < CLS_PREFIX_FIELDS; field++) {
		struct cls_trie *trie = lengths[field] ? trie_of(prefixes, field, key) : NULL;
		struct cls_trie_key bits;

		if (!trie)
			continue;
		bits = key_of(key, field);
		cls_trie_remove(&prefixes->pool, trie, &bits, lengths[field]);
	}
}

void cls_prefix_ask(struct cls_prefix_lookup *lookup, enum cls_prefix_field field)
{
	/* A lookup changes nothing; the adding and removing want the trie as it is. */
	const struct cls_trie *trie = trie_of((struct cls_prefixes *)lookup->prefixes, field, lookup->flow);
	struct cls_trie_key key;

	if (lookup->asked[field])
		return;
	lookup->asked[field] = true;
	lookup->has_trie[field] = trie;
	if (!trie)
		return;
	key = key_of(lookup->flow, field);
	cls_trie_find(&lookup->prefixes->pool, trie, &key, &lookup->found[field]);
}

void cls_prefix_look(struct flow *wc, enum cls_prefix_field field, uint32_t n_bits)
{
	uint8_t *bytes = (uint8_t *)wc + places[field].offset;

	for (uint32_t i = 0; i < n_bits; i++)
		bytes[i / 8] |= (uint8_t)(0x80 >> i % 8);
}
