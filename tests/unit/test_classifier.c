/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The classifier against a list of rules that is tried from its start to its end (L1), and its promise about the bits
 * that it looked at (L2).
 *
 * Masks are such as controllers send, among some that nobody would; values come from small pools and from these with a
 * bit turned over, so that rules overlap, tie, shadow each other and part at every bit.
 */
#include "dataplane/classifier.h"

#include "tests/unit/classifier_lab.h"
#include "tests/unit/suite.h"

#include <arpa/inet.h>
#include <errno.h>

#define N_STEPS   4000
#define N_GROWN   400 /* rules at which removals prevail */
#define N_LOOKUPS 4   /* a step */
#define N_FLIPS   8   /* a lookup */

static void change(struct world *world)
{
	struct twin_rule *rule;

	/* Mostly grow for a time, then mostly shrink. */
	if (world->n && seeded_below(&world->random, N_GROWN) < world->n) {
		world_remove(world, seeded_below(&world->random, world->n));
		return;
	}
	rule = random_rule(world);
	if (twin_find(world, rule)) {
		ck_assert_msg(cls_insert(world->cls, rule->cls, &rule->match, rule->priority) == -EEXIST, "seed %#lx",
			world->random.seed);
		free(rule->cls);
		free(rule);
		return;
	}
	ck_assert_msg(!cls_find_exactly(world->cls, &rule->match, rule->priority), "seed %#lx", world->random.seed);
	ck_assert_msg(
		!cls_insert(world->cls, rule->cls, &rule->match, rule->priority), "seed %#lx", world->random.seed);
	ck_assert_msg(cls_find_exactly(world->cls, &rule->match, rule->priority) == rule->cls, "seed %#lx",
		world->random.seed);
	world->rules[world->n++] = rule;
}

START_TEST(the_answer_is_that_of_trying_every_rule)
{
	struct world world;
	uint32_t n_hits = 0;

	world_open(&world);
	for (int step = 0; step < N_STEPS; step++) {
		change(&world);
		ck_assert_uint_eq(cls_count(world.cls), world.n);
		for (int i = 0; i < N_LOOKUPS; i++) {
			struct flow flow = interesting_flow(&world), wc = {0};
			struct cls_rule *expected = cls_of(twin_lookup(&world, &flow));

			n_hits += !!expected;
			ck_assert_msg(cls_lookup(world.cls, &flow, NULL) == expected, "seed %#lx, step %d",
				world.random.seed, step);
			ck_assert_msg(cls_lookup(world.cls, &flow, &wc) == expected, "seed %#lx, step %d",
				world.random.seed, step);
		}
	}
	ck_assert_msg(n_hits > N_STEPS / 10, "seed %#lx: %u hits", world.random.seed, n_hits);
	world_close(&world);
}
END_TEST

/* The flow with bits outside `wc` changed: at random, or towards a rule, which is what would find a bit too few. */
static struct flow flip(struct world *world, const struct flow *flow, const struct flow *wc)
{
	struct flow other = *flow, aim;

	aim = interesting_flow(world);
	for (int w = 0; w < FLOW_WORDS; w++) {
		uint64_t bits = seeded_below(&world->random, 2) ? seeded_next(&world->random) : aim.w[w] ^ flow->w[w];

		other.w[w] ^= bits & ~wc->w[w];
	}
	return other;
}

/*
 * L2 to the last flow: one that agrees in `wc` can have another answer only by not matching the rule found, or by
 * matching one that beats it and does not differ from the flow in any bit of `wc`.
 */
static void check_looked_at(struct world *world, const struct flow *flow, const struct flow *wc, int step)
{
	const struct twin_rule *answer = twin_lookup(world, flow);

	for (int w = 0; answer && w < FLOW_WORDS; w++)
		ck_assert_msg(!(answer->match.mask.w[w] & ~wc->w[w]), "seed %#lx, step %d: word %d of the answer",
			world->random.seed, step, w);
	for (uint32_t i = 0; i < world->n; i++) {
		const struct twin_rule *rule = world->rules[i];
		uint64_t differ = 0;

		if (answer && (rule->priority < answer->priority || rule == answer))
			continue;
		if (answer && rule->priority == answer->priority && rule->serial > answer->serial)
			continue;
		for (int w = 0; w < FLOW_WORDS; w++)
			differ |= (rule->match.key.w[w] ^ flow->w[w]) & rule->match.mask.w[w] & wc->w[w];
		ck_assert_msg(differ, "seed %#lx, step %d: nothing looked at says that rule %u does not match",
			world->random.seed, step, i);
	}
}

/* What a search without stages and tries looks at: the masks of all rules that are not below the answer. */
static struct flow plain_look(const struct world *world, const struct twin_rule *answer)
{
	struct flow bits = {0};

	for (uint32_t i = 0; i < world->n; i++) {
		for (int w = 0; w < FLOW_WORDS && (!answer || world->rules[i]->priority >= answer->priority); w++)
			bits.w[w] |= world->rules[i]->match.mask.w[w];
	}
	return bits;
}

/* L2, and that it was worth it: never more is looked at than without stages and tries, and often less. */
START_TEST(bits_that_were_not_looked_at_change_nothing)
{
	struct world world;
	uint64_t n_flipped = 0, n_spared = 0;

	world_open(&world);
	for (int step = 0; step < N_STEPS; step++) {
		struct flow flow, wc = {0}, plain;
		struct cls_rule *answer;

		change(&world);
		flow = interesting_flow(&world);
		answer = cls_lookup(world.cls, &flow, &wc);
		check_looked_at(&world, &flow, &wc, step);
		plain = plain_look(&world, twin_lookup(&world, &flow));
		for (int w = 0; w < FLOW_WORDS; w++) {
			ck_assert_msg(!(wc.w[w] & ~plain.w[w]), "seed %#lx, step %d", world.random.seed, step);
			n_spared += wc.w[w] != plain.w[w];
		}
		for (int i = 0; i < N_FLIPS; i++) {
			struct flow other = flip(&world, &flow, &wc), again = {0};

			cls_lookup(world.cls, &other, &again);
			ck_assert_msg(flow_equal(&again, &wc), "seed %#lx, step %d: L3", world.random.seed, step);
			for (int w = 0; w < FLOW_WORDS; w++)
				n_flipped += (uint64_t)__builtin_popcountll(other.w[w] ^ flow.w[w]);
			ck_assert_msg(cls_of(twin_lookup(&world, &other)) == answer, "seed %#lx, step %d",
				world.random.seed, step);
		}
	}
	ck_assert_msg(n_flipped > 100 * N_STEPS, "seed %#lx: only %lu bits flipped", world.random.seed, n_flipped);
	ck_assert_msg(
		n_spared > N_STEPS / 10, "seed %#lx: only %lu words were spared any bits", world.random.seed, n_spared);
	world_close(&world);
}
END_TEST

START_TEST(each_single_bit_that_was_not_looked_at_changes_nothing)
{
	struct world world;

	world_open(&world);
	for (int step = 0; step < N_STEPS; step++) {
		struct flow flow, wc = {0};
		struct cls_rule *answer;

		change(&world);
		if (step % 16)
			continue;
		flow = interesting_flow(&world);
		answer = cls_lookup(world.cls, &flow, &wc);
		for (uint32_t bit = 0; bit < FLOW_WORDS * 64; bit++) {
			struct flow other = flow;

			if (wc.w[bit / 64] >> bit % 64 & 1)
				continue;
			other.w[bit / 64] ^= 1ULL << bit % 64;
			ck_assert_msg(cls_lookup(world.cls, &other, NULL) == answer, "seed %#lx, step %d, bit %u",
				world.random.seed, step, bit);
			ck_assert_msg(bit % 8 || cls_of(twin_lookup(&world, &other)) == answer,
				"seed %#lx, step %d, bit %u", world.random.seed, step, bit);
		}
	}
	world_close(&world);
}
END_TEST

START_TEST(a_rule_tells_the_match_that_it_was_inserted_with)
{
	struct world world;

	world_open(&world);
	for (int step = 0; step < N_GROWN; step++)
		change(&world);
	for (uint32_t i = 0; i < world.n; i++) {
		const struct twin_rule *rule = world.rules[i];
		const uint64_t *word = rule->cls->words;
		struct flow_match match;

		memset(&match, 0xff, sizeof(match));
		cls_match(rule->cls, &match);
		ck_assert_mem_eq(&match, &rule->match, sizeof(match));
		ck_assert_mem_eq(cls_mask(rule->cls), &rule->match.mask, sizeof(match.mask));
		ck_assert_uint_eq(rule->cls->priority, rule->priority);
		/* Whoever has the mask can read a rule that is out: the words stand in the flow's order, and stay. */
		cls_remove(world.cls, rule->cls);
		for (int w = 0; w < FLOW_WORDS; w++)
			ck_assert(!rule->match.mask.w[w] || *word++ == rule->match.key.w[w]);
		ck_assert_int_eq(cls_insert(world.cls, rule->cls, &rule->match, rule->priority), 0);
	}
	world_close(&world);
}
END_TEST

/* ---- commands about many rules ---- */

/* A match that some rules lie within: a rule's, with less of its mask; or that of a mask alone. */
static struct flow_match wide_match(struct world *world)
{
	struct flow_match match = random_match(world);

	if (world->n && seeded_below(&world->random, 8))
		match = world->rules[seeded_below(&world->random, world->n)]->match;
	for (int w = 0; w < FLOW_WORDS; w++) {
		if (!seeded_below(&world->random, 3))
			match.mask.w[w] = 0;
		else if (!seeded_below(&world->random, 8))
			match.mask.w[w] &= seeded_next(&world->random);
	}
	if (!seeded_below(&world->random, 4) && world->n)
		match = world->rules[seeded_below(&world->random, world->n)]->match;
	match.key = flow_masked(&match.key, &match.mask);
	return match;
}

static bool is_within(const struct flow_match *narrow, const struct flow_match *wide)
{
	for (int w = 0; w < FLOW_WORDS; w++) {
		if (wide->mask.w[w] & ~narrow->mask.w[w] || (narrow->key.w[w] & wide->mask.w[w]) != wide->key.w[w])
			return false;
	}
	return true;
}

struct visit {
	struct world *world;
	uint32_t remove; /* of eight */
	uint32_t n_seen;
};

static void visit_rule(void *ctx, struct cls_rule *rule)
{
	struct visit *visit = ctx;
	struct world *world = visit->world;
	uint32_t i;

	for (i = 0; i < world->n && world->rules[i]->cls != rule; i++)
		;
	ck_assert_msg(i < world->n, "seed %#lx: a rule that is not in", world->random.seed);
	ck_assert_msg(world->rules[i]->expected, "seed %#lx: unexpected, or seen twice", world->random.seed);
	world->rules[i]->expected = false;
	visit->n_seen++;
	if (seeded_below(&world->random, 8) < visit->remove)
		world_remove(world, i);
}

START_TEST(each_within_visits_what_lies_within_and_lets_it_be_removed)
{
	struct world world;
	uint32_t n_seen = 0;

	world_open(&world);
	for (int step = 0; step < N_STEPS; step++) {
		struct flow_match match;
		struct visit visit = {&world, seeded_below(&world.random, 4) ? 0 : seeded_below(&world.random, 9), 0};
		uint32_t n_expected = 0;

		change(&world);
		match = wide_match(&world);
		for (uint32_t i = 0; i < world.n; i++) {
			world.rules[i]->expected = is_within(&world.rules[i]->match, &match);
			n_expected += world.rules[i]->expected;
		}
		cls_each_within(world.cls, &match, visit_rule, &visit);
		ck_assert_msg(visit.n_seen == n_expected, "seed %#lx, step %d: %u seen, not %u", world.random.seed,
			step, visit.n_seen, n_expected);
		ck_assert_uint_eq(cls_count(world.cls), world.n);
		n_seen += n_expected;
	}
	ck_assert_msg(n_seen > N_STEPS, "seed %#lx: only %u seen", world.random.seed, n_seen);
	world_close(&world);
}
END_TEST

static bool overlap(const struct flow_match *a, const struct flow_match *b)
{
	for (int w = 0; w < FLOW_WORDS; w++) {
		if ((a->key.w[w] ^ b->key.w[w]) & a->mask.w[w] & b->mask.w[w])
			return false;
	}
	return true;
}

START_TEST(an_overlap_is_found_if_there_is_one)
{
	struct world world;
	uint32_t n_found = 0, n_free = 0;

	world_open(&world);
	for (int step = 0; step < N_STEPS; step++) {
		struct flow_match match;
		struct cls_rule *found;
		uint16_t priority = random_priority(&world);
		bool is_in = false, expected = false;

		change(&world);
		match = seeded_below(&world.random, 2) ? wide_match(&world) : random_match(&world);
		found = cls_find_overlap(world.cls, &match, priority);
		for (uint32_t i = 0; i < world.n; i++) {
			if (world.rules[i]->priority != priority || !overlap(&world.rules[i]->match, &match))
				continue;
			expected = true;
			is_in |= world.rules[i]->cls == found;
		}
		ck_assert_msg(expected == !!found && is_in == expected, "seed %#lx, step %d", world.random.seed, step);
		n_found += expected;
		n_free += !expected;
	}
	ck_assert_msg(n_found > 100 && n_free > 10, "seed %#lx: %u, %u", world.random.seed, n_found, n_free);
	world_close(&world);
}
END_TEST

/*
 * A walk that removes all of a large subtable but a few, and one that removes all: buckets go only when it is over, and
 * those of one match that are left stay in order.
 */
START_TEST(a_walk_may_remove_nearly_all_of_a_large_subtable)
{
	struct world world;
	struct flow_match all = {0};
	struct flow mask = {0}, flow = {0};

	world_open(&world);
	mask.x.metadata_be = ~0ULL;
	for (uint32_t remove = 7; remove <= 8; remove++) {
		struct visit visit = {&world, remove, 0};

		for (flow.x.metadata_be = remove << 16; world.n + 3 <= N_TWIN; flow.x.metadata_be++) {
			for (uint16_t priority = 1; priority <= 3; priority++)
				world_insert(&world, &mask, &flow, priority);
		}
		for (uint32_t i = 0; i < world.n; i++)
			world.rules[i]->expected = true;
		cls_each_within(world.cls, &all, visit_rule, &visit);
		for (uint32_t i = 0; i < world.n; i++) {
			const struct twin_rule *rule = world.rules[i];

			ck_assert_ptr_eq(cls_find_exactly(world.cls, &rule->match, rule->priority), rule->cls);
			ck_assert_ptr_eq(cls_lookup(world.cls, &rule->match.key, NULL),
				cls_of(twin_lookup(&world, &rule->match.key)));
		}
	}
	ck_assert_uint_eq(cls_count(world.cls), 0);
	world_close(&world);
}
END_TEST

static void count_visit(void *ctx, struct cls_rule *rule)
{
	ck_assert_uint_eq(rule->priority & 0x8000, 0);
	rule->priority |= 0x8000; /* only to see it once; nothing is looked up after */
	++*(uint32_t *)ctx;
}

START_TEST(each_visits_every_rule_once)
{
	struct world world;
	uint32_t n = 0;

	world_open(&world);
	while (world.n < 200) {
		struct twin_rule *rule = random_rule(&world);

		rule->priority &= 0x7fff;
		if (cls_insert(world.cls, rule->cls, &rule->match, rule->priority)) {
			free(rule->cls);
			free(rule);
		} else {
			world.rules[world.n++] = rule;
		}
	}
	cls_each(world.cls, count_visit, &n);
	ck_assert_uint_eq(n, 200);
	world_close(&world);
}
END_TEST

/* ---- order ---- */

START_TEST(lookups_add_to_what_was_looked_at_before)
{
	struct classifier *cls = cls_create();
	struct flow flow = {0}, wc = {0};

	wc.x.f.ip_ttl = 0x0f;
	ck_assert_ptr_null(cls_lookup(cls, &flow, &wc));
	ck_assert_uint_eq(wc.x.f.ip_ttl, 0x0f);
	cls_destroy(cls);
}
END_TEST

static const struct flow eth_type_mask = {.x.f.eth_type_be = 0xffff};
static const struct flow eth_src_mask = {.x.f.eth_src = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
static const struct flow zero_flow;

START_TEST(subtables_below_what_was_found_are_not_looked_at)
{
	struct world world;
	struct cls_rule *high, *low;
	struct flow wc = {0};

	world_open(&world);
	low = world_insert(&world, &eth_src_mask, &zero_flow, 1);
	high = world_insert(&world, &eth_type_mask, &zero_flow, 2);
	ck_assert_ptr_eq(cls_lookup(world.cls, &zero_flow, &wc), high);
	ck_assert_mem_eq(&wc, &eth_type_mask, sizeof(wc));
	/* With the high rule's maximum gone, its subtable comes after the other one. */
	world_remove(&world, 1);
	world_insert(&world, &eth_type_mask, &zero_flow, 0);
	wc = zero_flow;
	ck_assert_ptr_eq(cls_lookup(world.cls, &zero_flow, &wc), low);
	ck_assert_mem_eq(&wc, &eth_src_mask, sizeof(wc));
	world_close(&world);
}
END_TEST

START_TEST(removing_its_highest_rule_moves_a_subtable_back)
{
	struct world world;
	struct cls_rule *high, *middle;
	struct flow wc = {0};

	world_open(&world);
	high = world_insert(&world, &eth_type_mask, &zero_flow, 9);
	world_insert(&world, &eth_type_mask, &zero_flow, 1);
	middle = world_insert(&world, &eth_src_mask, &zero_flow, 5);
	ck_assert_ptr_eq(cls_lookup(world.cls, &zero_flow, NULL), high);
	world_remove(&world, 0);
	ck_assert_ptr_eq(cls_lookup(world.cls, &zero_flow, &wc), middle);
	ck_assert_mem_eq(&wc, &eth_src_mask, sizeof(wc));
	world_close(&world);
}
END_TEST

START_TEST(of_two_rules_of_one_priority_the_older_wins)
{
	struct world world;
	struct cls_rule *a, *b;

	world_open(&world);
	a = world_insert(&world, &eth_type_mask, &zero_flow, 5);
	b = world_insert(&world, &eth_src_mask, &zero_flow, 5);
	ck_assert_ptr_eq(cls_lookup(world.cls, &zero_flow, NULL), a);
	world_remove(&world, 0);
	ck_assert_ptr_eq(cls_lookup(world.cls, &zero_flow, NULL), b);
	world_insert(&world, &eth_type_mask, &zero_flow, 5);
	ck_assert_ptr_eq(cls_lookup(world.cls, &zero_flow, NULL), b);
	world_close(&world);
}
END_TEST

START_TEST(a_duplicate_is_refused_and_changes_nothing)
{
	struct world world;
	struct cls_rule *a, *b = calloc(1, cls_rule_size(&eth_type_mask));
	struct flow_match match = {.mask = eth_type_mask};

	world_open(&world);
	a = world_insert(&world, &eth_type_mask, &zero_flow, 5);
	ck_assert_int_eq(cls_insert(world.cls, b, &match, 5), -EEXIST);
	ck_assert_uint_eq(cls_count(world.cls), 1);
	ck_assert_ptr_eq(cls_find_exactly(world.cls, &match, 5), a);
	ck_assert_ptr_null(cls_find_exactly(world.cls, &match, 4));
	free(b);
	world_close(&world);
}
END_TEST

/* ---- width ---- */

static void assert_looked_at(const struct world *world, const struct flow *flow, const struct flow *expected)
{
	struct flow wc = {0};

	ck_assert_ptr_null(cls_lookup(world->cls, flow, &wc));
	ck_assert_mem_eq(&wc, expected, sizeof(wc));
}

START_TEST(of_a_thousand_prefixes_few_bits_tell_that_none_matches)
{
	struct world world;
	struct flow flow, mask = mask_of(24, 0), expected;

	world_open(&world);
	for (uint32_t i = 0; i < 1000; i++) {
		flow = tcp_flow(0, 0x0a000000 + (i << 8), 0, 0);
		world_insert(&world, &mask, &flow, (uint16_t)i);
	}
	/* 10.0.0.0 to 10.3.231.255 are somebody's. */
	flow = tcp_flow(1, 0xc0a80001, 2, 3);
	expected = mask_of(1, 0);
	assert_looked_at(&world, &flow, &expected);
	flow = tcp_flow(1, 0x0a800001, 2, 3);
	expected = mask_of(9, 0);
	assert_looked_at(&world, &flow, &expected);
	flow = tcp_flow(1, 0x0a03f001, 2, 3);
	expected = mask_of(20, 0);
	assert_looked_at(&world, &flow, &expected);
	world_close(&world);
}
END_TEST

/* Rules of /8 and /16 on the flow's path, and of /32 beside it: only the last subtable is passed over for few bits. */
START_TEST(a_subtable_of_longer_prefixes_is_passed_over_where_the_trie_ends)
{
	struct world world;
	struct flow flow = tcp_flow(0, 0x0a010203, 0, 0), mask, wc = {0}, expected = mask_of(16, 0);
	struct cls_rule *rule;

	world_open(&world);
	mask = mask_of(16, 0);
	rule = world_insert(&world, &mask, &flow, 1);
	mask = mask_of(32, 0);
	flow = tcp_flow(0, 0x0a020203, 0, 0);
	world_insert(&world, &mask, &flow, 9);
	flow = tcp_flow(0, 0x0a010203, 0, 0);
	ck_assert_ptr_eq(cls_lookup(world.cls, &flow, &wc), rule);
	ck_assert_mem_eq(&wc, &expected, sizeof(wc));
	/* Where it ends behind the prefix looked for, that prefix's own bits are enough. */
	mask = mask_of(20, 0);
	world_insert(&world, &mask, &flow, 8);
	flow = tcp_flow(0, 0x0a01f203, 0, 0);
	wc = zero_flow;
	expected = mask_of(17, 0);
	ck_assert_ptr_eq(cls_lookup(world.cls, &flow, &wc), rule);
	ck_assert_mem_eq(&wc, &expected, sizeof(wc));
	world_close(&world);
}
END_TEST

START_TEST(of_two_addresses_the_destination_is_asked_first)
{
	struct world world;
	struct flow mask = mask_of(32, 0), flow = tcp_flow(0x0a000001, 0x0a000001, 0, 0), expected = {0};

	world_open(&world);
	memset(mask.x.f.ip_src, 0xff, 4);
	world_insert(&world, &mask, &flow, 1);
	flow = tcp_flow(0x0a000002, 0x8a000001, 0, 0);
	expected = mask_of(1, 0);
	assert_looked_at(&world, &flow, &expected);
	flow = tcp_flow(0x8a000002, 0x0a000002, 0, 0);
	expected = mask_of(31, 0);
	assert_looked_at(&world, &flow, &expected);
	flow = tcp_flow(0x8a000002, 0x0a000001, 0, 0); /* it is there: its bits are why the source was asked */
	expected = mask_of(32, 0);
	expected.x.f.ip_src[0] = 0x80;
	assert_looked_at(&world, &flow, &expected);
	world_close(&world);
}
END_TEST

START_TEST(an_arp_frame_is_looked_at_no_deeper_than_its_type)
{
	struct world world;
	struct flow mask = mask_of(32, 16), flow = tcp_flow(1, 2, 3, 80), expected = mask_of(0, 0);

	world_open(&world);
	world_insert(&world, &mask, &flow, 1);
	mask = mask_of(0, 16);
	world_insert(&world, &mask, &flow, 2);
	mask = mask_of(8, 0);
	world_insert(&world, &mask, &flow, 3);
	flow.x.f.eth_type_be = htons(0x0806);
	assert_looked_at(&world, &flow, &expected);
	world_close(&world);
}
END_TEST

START_TEST(an_udp_frame_is_looked_at_no_deeper_than_its_protocol)
{
	struct world world;
	struct flow mask = mask_of(0, 16), flow = tcp_flow(1, 2, 3, 80), expected = mask_of(0, 0);

	world_open(&world);
	mask.x.f.tcp_flags_be = 0xffff;
	world_insert(&world, &mask, &flow, 1);
	flow.x.f.ip_proto = 17;
	expected.x.f.ip_proto = 0xff;
	assert_looked_at(&world, &flow, &expected);
	world_close(&world);
}
END_TEST

START_TEST(the_pipeline_is_asked_before_layer_2_and_that_before_layer_3)
{
	struct world world;
	struct flow mask = mask_of(32, 16), flow = tcp_flow(1, 2, 3, 80), expected = {0};

	world_open(&world);
	mask.x.metadata_be = ~0ULL;
	mask.x.f.in_ifindex = ~0U;
	memset(mask.x.f.eth_src, 0xff, 6);
	world_insert(&world, &mask, &flow, 1);
	flow.x.f.eth_src[3] = 1;
	expected.x.metadata_be = ~0ULL;
	expected.x.f.in_ifindex = ~0U;
	flow.x.metadata_be = 1;
	assert_looked_at(&world, &flow, &expected);
	flow.x.metadata_be = 0;
	expected.x.f.eth_type_be = 0xffff;
	memset(expected.x.f.eth_src, 0xff, 6);
	assert_looked_at(&world, &flow, &expected);
	world_close(&world);
}
END_TEST

START_TEST(few_bits_of_a_port_tell_that_no_rule_has_it)
{
	struct world world;
	struct flow mask = mask_of(0, 16), flow = tcp_flow(1, 2, 3, 80), expected = mask_of(0, 1);

	world_open(&world);
	world_insert(&world, &mask, &flow, 1);
	flow.x.f.l4_dst_be = htons(443);
	world_insert(&world, &mask, &flow, 2);
	flow.x.f.l4_dst_be = htons(0x8000);
	assert_looked_at(&world, &flow, &expected);
	flow.x.f.l4_dst_be = htons(81);
	expected = mask_of(0, 16);
	assert_looked_at(&world, &flow, &expected);
	world_close(&world);
}
END_TEST

/* The IPv6 rule has the bits of the IPv4 frame's address: in one trie it would make it look further. */
START_TEST(prefixes_of_ipv4_and_ipv6_are_kept_apart)
{
	struct world world;
	struct flow mask = mask_of(32, 0), flow = tcp_flow(0, 0x20010000, 0, 0), expected = mask_of(1, 0);

	world_open(&world);
	flow.x.f.eth_type_be = htons(0x86dd);
	world_insert(&world, &mask, &flow, 1);
	flow = tcp_flow(0, 0x8a000001, 0, 0);
	world_insert(&world, &mask, &flow, 1);
	flow = tcp_flow(0, 0x20010000, 0, 0);
	assert_looked_at(&world, &flow, &expected);
	world_close(&world);
}
END_TEST

START_TEST(what_was_removed_is_not_looked_for)
{
	struct world world;
	struct flow mask = mask_of(32, 0), flow = tcp_flow(0, 0x8a000001, 0, 0), expected = {0};

	world_open(&world);
	mask.x.metadata_be = ~0ULL;
	world_insert(&world, &mask, &flow, 1);
	flow = tcp_flow(0, 0x0a000001, 0, 0);
	world_insert(&world, &mask, &flow, 1);
	flow.x.metadata_be = 1;
	world_insert(&world, &mask, &flow, 1);
	world_remove(&world, 2);
	expected.x.metadata_be = ~0ULL;
	assert_looked_at(&world, &flow, &expected);
	world_remove(&world, 1);
	flow.x.metadata_be = 0;
	expected.x.f.eth_type_be = 0xffff;
	expected.x.f.ip_dst[0] = 0x80;
	assert_looked_at(&world, &flow, &expected);
	world_close(&world);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("classifier");
	Suite *suite = suite_create("classifier");

	tcase_set_timeout(tcase, 100);
	tcase_add_test(tcase, the_answer_is_that_of_trying_every_rule);
	tcase_add_test(tcase, bits_that_were_not_looked_at_change_nothing);
	tcase_add_test(tcase, each_single_bit_that_was_not_looked_at_changes_nothing);
	tcase_add_test(tcase, a_rule_tells_the_match_that_it_was_inserted_with);
	tcase_add_test(tcase, each_within_visits_what_lies_within_and_lets_it_be_removed);
	tcase_add_test(tcase, an_overlap_is_found_if_there_is_one);
	tcase_add_test(tcase, a_walk_may_remove_nearly_all_of_a_large_subtable);
	tcase_add_test(tcase, each_visits_every_rule_once);
	tcase_add_test(tcase, lookups_add_to_what_was_looked_at_before);
	tcase_add_test(tcase, subtables_below_what_was_found_are_not_looked_at);
	tcase_add_test(tcase, removing_its_highest_rule_moves_a_subtable_back);
	tcase_add_test(tcase, of_two_rules_of_one_priority_the_older_wins);
	tcase_add_test(tcase, a_duplicate_is_refused_and_changes_nothing);
	tcase_add_test(tcase, of_a_thousand_prefixes_few_bits_tell_that_none_matches);
	tcase_add_test(tcase, a_subtable_of_longer_prefixes_is_passed_over_where_the_trie_ends);
	tcase_add_test(tcase, of_two_addresses_the_destination_is_asked_first);
	tcase_add_test(tcase, an_arp_frame_is_looked_at_no_deeper_than_its_type);
	tcase_add_test(tcase, an_udp_frame_is_looked_at_no_deeper_than_its_protocol);
	tcase_add_test(tcase, the_pipeline_is_asked_before_layer_2_and_that_before_layer_3);
	tcase_add_test(tcase, few_bits_of_a_port_tell_that_no_rule_has_it);
	tcase_add_test(tcase, prefixes_of_ipv4_and_ipv6_are_kept_apart);
	tcase_add_test(tcase, what_was_removed_is_not_looked_for);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
