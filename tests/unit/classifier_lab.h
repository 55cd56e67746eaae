/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * classifier_lab.h - a classifier, the stupid list that knows what it should say, and rules and flows for both.
 */
#ifndef TESTS_CLASSIFIER_LAB_H
#define TESTS_CLASSIFIER_LAB_H

#include "dataplane/classifier.h"

#include "tests/unit/seeded.h"

#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#define N_MASKS 32
#define N_TWIN  1200 /* room */

struct twin_rule {
	struct flow_match match;
	uint64_t serial;
	struct cls_rule *cls;
	uint16_t priority;
	bool expected;
};

/* The twin: rules in order of insertion. */
struct world {
	struct seeded random;
	struct flow masks[N_MASKS];
	struct flow all_bits; /* of all masks */
	bool has_any;         /* one of the masks looks at nothing: hardly a lookup misses */
	struct classifier *cls;
	struct twin_rule *rules[N_TWIN];
	uint32_t n;
	uint64_t serials;
};

static inline struct cls_rule *cls_of(const struct twin_rule *rule)
{
	return rule ? rule->cls : NULL;
}

static inline struct twin_rule *twin_lookup(const struct world *world, const struct flow *flow)
{
	struct twin_rule *best = NULL;

	for (uint32_t i = 0; i < world->n; i++) {
		struct twin_rule *rule = world->rules[i];
		int w = 0;

		while (w < FLOW_WORDS && (flow->w[w] & rule->match.mask.w[w]) == rule->match.key.w[w])
			w++;
		if (w == FLOW_WORDS && (!best || rule->priority > best->priority))
			best = rule;
	}
	return best;
}

static inline struct twin_rule *twin_find(const struct world *world, const struct twin_rule *like)
{
	for (uint32_t i = 0; i < world->n; i++) {
		if (world->rules[i]->priority == like->priority &&
			!memcmp(&world->rules[i]->match, &like->match, sizeof(like->match)))
			return world->rules[i];
	}
	return NULL;
}

/* ---- masks ---- */

static inline void look_at_prefix(uint8_t *bytes, uint32_t n_bits)
{
	for (uint32_t i = 0; i < n_bits; i++)
		bytes[i / 8] |= (uint8_t)(0x80 >> i % 8);
}

/* 0 in a third of all cases; seldom no prefix at all. */
static inline void look_at_address(struct seeded *random, uint8_t bytes[16], uint32_t max)
{
	static const uint8_t lengths[] = {1, 7, 8, 12, 16, 20, 23, 24, 28, 31, 32, 33, 48, 63, 64, 65, 96, 127, 128};
	uint32_t length = lengths[seeded_below(random, sizeof(lengths))];

	if (!seeded_below(random, 3))
		return;
	look_at_prefix(bytes, length < max ? length : max);
	if (!seeded_below(random, 8))
		bytes[seeded_below(random, max / 8)] ^= (uint8_t)seeded_next(random);
}

static inline __be16 port_mask(struct seeded *random)
{
	switch (seeded_below(random, 8)) {
	case 0:
		return htons((uint16_t)(0xffff0000U >> seeded_below(random, 17)));
	case 1:
		return (__be16)seeded_next(random);
	case 2:
	case 3:
		return 0;
	default:
		return 0xffff;
	}
}

static inline void look_at_layer_2(struct seeded *random, struct flow *mask)
{
	static const uint16_t vlans[] = {0, 0, 0x1fff, 0x1000, 0xffff, 0x1f00};

	if (!seeded_below(random, 4))
		mask->x.f.in_ifindex = ~0U;
	if (!seeded_below(random, 4))
		mask->x.metadata_be = seeded_below(random, 2) ? ~0ULL : seeded_next(random);
	if (!seeded_below(random, 8))
		mask->x.tunnel_id_be = ~0ULL;
	mask->x.f.vlan_tci_be = htons(vlans[seeded_below(random, 6)]);
	if (!seeded_below(random, 4))
		memset(mask->x.f.eth_dst, 0xff, 6);
	else if (!seeded_below(random, 8))
		mask->x.f.eth_dst[0] = 1;
	if (!seeded_below(random, 4))
		memset(mask->x.f.eth_src, 0xff, 6);
}

static inline void look_at_rare(struct seeded *random, struct flow *mask)
{
	switch (seeded_below(random, 6)) {
	case 0:
		mask->x.mpls_lse_be = htonl(0xfffff000);
		break;
	case 1:
		mask->x.mpls_lse_be = htonl(0x00000f00);
		mask->x.pbb_isid_be = htonl(0x00ffffff);
		break;
	case 2:
		memset(mask->x.nd_target, 0xff, 16);
		memset(mask->x.hw_src, 0xff, 6);
		break;
	case 3:
		mask->x.ipv6_exthdr_be = htons(0x01ff);
		mask->x.f.ipv6_flabel_be = htonl(0x000fffff);
		break;
	case 4:
		memset(mask->x.hw_dst, 0xff, 6);
		break;
	default:
		mask->x.f.tcp_flags_be = htons(0x0fff & (uint16_t)seeded_next(random));
		break;
	}
}

static inline struct flow random_mask(struct seeded *random)
{
	struct flow mask = {0};
	uint32_t max = seeded_below(random, 3) ? 32 : 128;

	if (seeded_below(random, 2))
		look_at_layer_2(random, &mask);
	if (seeded_below(
		    random, 6)) /* else what is deeper is looked at without the type: nobody does, it must be right */
		mask.x.f.eth_type_be = 0xffff;
	if (seeded_below(random, 5)) {
		look_at_address(random, mask.x.f.ip_src, max);
		look_at_address(random, mask.x.f.ip_dst, max);
	}
	if (seeded_below(random, 2)) {
		mask.x.f.ip_proto = seeded_below(random, 8) ? 0xff : 0;
		mask.x.f.l4_src_be = port_mask(random);
		mask.x.f.l4_dst_be = port_mask(random);
	}
	if (!seeded_below(random, 4))
		mask.x.f.ip_tos = 0xfc;
	if (!seeded_below(random, 4))
		look_at_rare(random, &mask);
	if (!seeded_below(random, 8))
		mask.w[seeded_below(random, FLOW_WORDS)] &= seeded_next(random);
	return mask;
}

/* ---- values ---- */

/* Half of them are of the pool, the others differ from it in a bit. */
static inline void random_bytes(struct seeded *random, uint8_t *bytes, uint32_t size)
{
	memset(bytes, 0, size);
	bytes[0] = 10;
	bytes[size - 1] = (uint8_t)seeded_below(random, 2);
	if (seeded_below(random, 2))
		bytes[seeded_below(random, size < 16 ? size : 5)] ^= (uint8_t)(1 << seeded_below(random, 8));
}

static inline struct flow random_flow(struct seeded *random)
{
	static const uint16_t types[] = {0x0800, 0x0800, 0x86dd, 0x0806, 0x8847};
	static const uint8_t protos[] = {6, 6, 17, 58};
	struct flow flow = {0};

	/* Words of few distinct values a byte, then the fields that want more. */
	for (int w = 0; w < FLOW_WORDS; w++) {
		flow.w[w] = seeded_next(random) & seeded_next(random) & seeded_next(random) & seeded_next(random);
		flow.w[w] &= 0x0101010101010101ULL;
	}
	flow.x.f.eth_type_be = htons(types[seeded_below(random, 5)]);
	flow.x.f.ip_proto = protos[seeded_below(random, 4)];
	random_bytes(random, flow.x.f.ip_src, 16);
	random_bytes(random, flow.x.f.ip_dst, 16);
	random_bytes(random, (uint8_t *)&flow.x.f.l4_src_be, 2);
	random_bytes(random, (uint8_t *)&flow.x.f.l4_dst_be, 2);
	return flow;
}

static inline uint16_t random_priority(struct world *world)
{
	static const uint16_t priorities[] = {0, 1, 2, 7, 255, 256, 257, 0x7fff, 0x8000, 65535};

	return priorities[seeded_below(&world->random, 10)];
}

static inline struct flow_match random_match(struct world *world)
{
	struct flow_match match = {.mask = world->masks[seeded_below(&world->random, N_MASKS)]};
	struct flow flow = random_flow(&world->random);

	match.key = flow_masked(&flow, &match.mask);
	return match;
}

/* Not in yet. Of the very size that it needs, so that a sanitizer sees a word too many. */
static inline struct twin_rule *new_rule(struct world *world, const struct flow_match *match, uint16_t priority)
{
	struct twin_rule *rule = calloc(1, sizeof(*rule));

	*rule = (struct twin_rule){.match = *match, .serial = world->serials++, .priority = priority};
	rule->cls = malloc(cls_rule_size(&match->mask));
	memset(rule->cls, 0xa5, cls_rule_size(&match->mask));
	return rule;
}

static inline struct twin_rule *random_rule(struct world *world)
{
	struct flow_match match = random_match(world);

	return new_rule(world, &match, random_priority(world));
}

/* A flow, often one that a rule was made for. */
static inline struct flow interesting_flow(struct world *world)
{
	struct flow flow = random_flow(&world->random);

	if (world->n && seeded_below(&world->random, 2)) {
		const struct flow_match *match = &world->rules[seeded_below(&world->random, world->n)]->match;

		for (int w = 0; w < FLOW_WORDS; w++)
			flow.w[w] = (flow.w[w] & ~match->mask.w[w]) | match->key.w[w];
	}
	return flow;
}

/* Rules of two masks, of layer 2. */
static inline struct flow_match numbered_match(uint32_t i)
{
	struct flow_match match = {0};

	memset(i % 2 ? match.mask.x.f.eth_src : match.mask.x.f.eth_dst, 0xff, 6);
	memcpy(i % 2 ? match.key.x.f.eth_src : match.key.x.f.eth_dst, &i, sizeof(i));
	return match;
}

/* ---- the world ---- */

static inline void world_open(struct world *world)
{
	memset(world, 0, sizeof(*world));
	world->random = seeded_start();
	world->cls = cls_create();
	/* In one world of two there is a mask that matches everything: there, hardly a lookup misses. */
	world->has_any = seeded_below(&world->random, 2);
	for (int i = world->has_any; i < N_MASKS; i++)
		world->masks[i] = random_mask(&world->random);
	for (int i = 0; i < N_MASKS; i++) {
		for (int w = 0; w < FLOW_WORDS; w++)
			world->all_bits.w[w] |= world->masks[i].w[w];
	}
}

static inline void world_close(struct world *world)
{
	cls_destroy(world->cls);
	for (uint32_t i = 0; i < world->n; i++) {
		free(world->rules[i]->cls);
		free(world->rules[i]);
	}
}

static inline struct cls_rule *world_insert(
	struct world *world, const struct flow *mask, const struct flow *flow, uint16_t priority)
{
	struct flow_match match = {flow_masked(flow, mask), *mask};
	struct twin_rule *rule = new_rule(world, &match, priority);

	ck_assert_int_eq(cls_insert(world->cls, rule->cls, &match, priority), 0);
	world->rules[world->n++] = rule;
	return rule->cls;
}

static inline void world_remove(struct world *world, uint32_t i)
{
	cls_remove(world->cls, world->rules[i]->cls);
	free(world->rules[i]->cls);
	free(world->rules[i]);
	world->n--;
	memmove(&world->rules[i], &world->rules[i + 1], (world->n - i) * sizeof(world->rules[0]));
}

/* ---- flows and masks in words ---- */

static inline struct flow tcp_flow(uint32_t ip_src, uint32_t ip_dst, uint16_t tcp_src, uint16_t tcp_dst)
{
	struct flow flow = {0};
	uint32_t src_be = htonl(ip_src), dst_be = htonl(ip_dst);

	flow.x.f.eth_type_be = htons(0x0800);
	flow.x.f.ip_proto = 6;
	memcpy(flow.x.f.ip_src, &src_be, 4);
	memcpy(flow.x.f.ip_dst, &dst_be, 4);
	flow.x.f.l4_src_be = htons(tcp_src);
	flow.x.f.l4_dst_be = htons(tcp_dst);
	return flow;
}

/* eth_type, the first bits of ip_dst and of tcp_dst, and ip_proto if there is any of the latter. */
static inline struct flow mask_of(uint32_t ip_dst_bits, uint32_t tcp_dst_bits)
{
	struct flow mask = {0};
	uint32_t dst_be = htonl((uint32_t)(0xffffffff00000000ULL >> ip_dst_bits));

	mask.x.f.eth_type_be = 0xffff;
	mask.x.f.ip_proto = tcp_dst_bits ? 0xff : 0;
	memcpy(mask.x.f.ip_dst, &dst_be, 4);
	mask.x.f.l4_dst_be = htons((uint16_t)(0xffff0000U >> tcp_dst_bits));
	return mask;
}

#endif
