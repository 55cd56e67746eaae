/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The classifier against a list of rules that is tried from its start to its end (L1), and its promise about the bits
 * that it looked at (L2).
 *
 * Masks and values come from small pools, so that rules overlap, tie and shadow each other all the time.
 */
#include "dataplane/classifier.h"

#include "tests/unit/seeded.h"

#include <check.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#define N_MASKS   24
#define N_TWIN    400
#define N_STEPS   4000
#define N_LOOKUPS 4 /* a step */
#define N_FLIPS   8 /* a lookup */
#define N_MANY    100000

/* The stupid twin: rules in order of insertion. */
struct twin {
	struct cls_rule *rules[N_TWIN];
	uint32_t n;
};

static struct cls_rule *twin_lookup(const struct twin *twin, const struct sw_key *key)
{
	struct cls_rule *best = NULL;

	for (uint32_t i = 0; i < twin->n; i++) {
		struct sw_key masked = flow_masked(key, &twin->rules[i]->match.mask);

		if (flow_equal(&masked, &twin->rules[i]->match.key) &&
			(!best || twin->rules[i]->priority > best->priority))
			best = twin->rules[i];
	}
	return best;
}

static struct cls_rule *twin_find(const struct twin *twin, const struct cls_rule *like)
{
	for (uint32_t i = 0; i < twin->n; i++) {
		if (twin->rules[i]->priority == like->priority &&
			!memcmp(&twin->rules[i]->match, &like->match, sizeof(like->match)))
			return twin->rules[i];
	}
	return NULL;
}

static void twin_remove(struct twin *twin, uint32_t i)
{
	twin->n--;
	memmove(&twin->rules[i], &twin->rules[i + 1], (twin->n - i) * sizeof(twin->rules[0]));
}

struct world {
	struct seeded random;
	struct sw_key masks[N_MASKS];
	struct classifier *cls;
	struct twin twin;
};

/* Keys have few distinct values a byte, so that rules match them. */
static struct sw_key random_key(struct seeded *random)
{
	struct sw_key key;

	for (int w = 0; w < SW_KEY_WORDS; w++)
		key.w[w] = seeded_next(random) & seeded_next(random) & 0x0101010101010101ULL;
	return key;
}

static struct cls_rule *random_rule(struct world *world)
{
	struct cls_rule *rule = calloc(1, sizeof(*rule));
	struct sw_key key = random_key(&world->random);
	static const uint16_t priorities[] = {0, 1, 2, 7, 255, 256, 257, 0x7fff, 0x8000, 65535};

	rule->match.mask = world->masks[seeded_below(&world->random, N_MASKS)];
	rule->match.key = flow_masked(&key, &rule->match.mask);
	rule->priority = priorities[seeded_below(&world->random, 10)];
	return rule;
}

static void world_open(struct world *world)
{
	world->random = seeded_start();
	world->cls = cls_create();
	world->twin.n = 0;
	memset(world->masks, 0, sizeof(world->masks));
	/* In one world of two there is a mask that matches everything: there, hardly a lookup misses. */
	for (int i = (int)seeded_below(&world->random, 2); i < N_MASKS; i++) {
		for (uint32_t n = 1 + seeded_below(&world->random, 5); n; n--)
			flow_look(&world->masks[i], seeded_below(&world->random, N_FIELDS));
		if (i % 3 == 0)
			world->masks[i].w[seeded_below(&world->random, SW_KEY_WORDS)] &= seeded_next(&world->random);
	}
}

static void world_close(struct world *world)
{
	cls_destroy(world->cls);
	for (uint32_t i = 0; i < world->twin.n; i++)
		free(world->twin.rules[i]);
}

static void change(struct world *world)
{
	struct cls_rule *rule;
	uint32_t i;

	/* Mostly grow for a time, then mostly shrink. */
	if (world->twin.n && seeded_below(&world->random, N_TWIN) < world->twin.n) {
		i = seeded_below(&world->random, world->twin.n);
		rule = world->twin.rules[i];
		cls_remove(world->cls, rule);
		twin_remove(&world->twin, i);
		free(rule);
		return;
	}
	rule = random_rule(world);
	if (twin_find(&world->twin, rule)) {
		ck_assert_msg(cls_insert(world->cls, rule) == -EEXIST, "seed %#lx", world->random.seed);
		free(rule);
		return;
	}
	ck_assert_msg(!cls_find_exactly(world->cls, &rule->match, rule->priority), "seed %#lx", world->random.seed);
	ck_assert_msg(!cls_insert(world->cls, rule), "seed %#lx", world->random.seed);
	ck_assert_msg(
		cls_find_exactly(world->cls, &rule->match, rule->priority) == rule, "seed %#lx", world->random.seed);
	world->twin.rules[world->twin.n++] = rule;
}

/* A key, often one that a rule was made for. */
static struct sw_key interesting_key(struct world *world)
{
	struct sw_key key = random_key(&world->random);

	if (world->twin.n && seeded_below(&world->random, 2)) {
		const struct flow_match *match = &world->twin.rules[seeded_below(&world->random, world->twin.n)]->match;

		for (int w = 0; w < SW_KEY_WORDS; w++)
			key.w[w] = (key.w[w] & ~match->mask.w[w]) | match->key.w[w];
	}
	return key;
}

START_TEST(the_answer_is_that_of_trying_every_rule)
{
	struct world world;
	uint32_t n_hits = 0;

	world_open(&world);
	for (int step = 0; step < N_STEPS; step++) {
		change(&world);
		ck_assert_uint_eq(cls_count(world.cls), world.twin.n);
		for (int i = 0; i < N_LOOKUPS; i++) {
			struct sw_key key = interesting_key(&world);
			struct cls_rule *expected = twin_lookup(&world.twin, &key);

			n_hits += !!expected;
			ck_assert_msg(cls_lookup(world.cls, &key, NULL) == expected, "seed %#lx, step %d",
				world.random.seed, step);
		}
	}
	ck_assert_msg(n_hits > N_STEPS / 10, "seed %#lx: %u hits", world.random.seed, n_hits);
	world_close(&world);
}
END_TEST

/* The key with bits outside `wc` changed: at random, or towards a rule, which is what would find a bit too few. */
static struct sw_key flip(struct world *world, const struct sw_key *key, const struct sw_key *wc)
{
	struct sw_key other = *key, aim;

	aim = interesting_key(world);
	for (int w = 0; w < SW_KEY_WORDS; w++) {
		uint64_t bits = seeded_below(&world->random, 2) ? seeded_next(&world->random) : aim.w[w] ^ key->w[w];

		other.w[w] ^= bits & ~wc->w[w];
	}
	return other;
}

/* L2, and that it was worth it: somewhere bits were left out of `wc`, and flipping them was tried. */
START_TEST(bits_that_were_not_looked_at_change_nothing)
{
	struct world world;
	uint64_t n_flipped = 0;

	world_open(&world);
	for (int step = 0; step < N_STEPS; step++) {
		struct sw_key key, wc = {0};
		struct cls_rule *answer;

		change(&world);
		key = interesting_key(&world);
		answer = cls_lookup(world.cls, &key, &wc);
		for (int i = 0; i < N_FLIPS; i++) {
			struct sw_key other = flip(&world, &key, &wc);

			for (int w = 0; w < SW_KEY_WORDS; w++)
				n_flipped += (uint64_t)__builtin_popcountll(other.w[w] ^ key.w[w]);
			ck_assert_msg(twin_lookup(&world.twin, &other) == answer, "seed %#lx, step %d",
				world.random.seed, step);
		}
	}
	ck_assert_msg(n_flipped > 100 * N_STEPS, "seed %#lx: only %lu bits flipped", world.random.seed, n_flipped);
	world_close(&world);
}
END_TEST

START_TEST(lookups_add_to_what_was_looked_at_before)
{
	struct classifier *cls = cls_create();
	struct sw_key key = {0}, wc = {0};

	wc.f.ip_ttl = 0x0f;
	ck_assert_ptr_null(cls_lookup(cls, &key, &wc));
	ck_assert_uint_eq(wc.f.ip_ttl, 0x0f);
	cls_destroy(cls);
}
END_TEST

static void init_rule(struct cls_rule *rule, enum field_id field, uint16_t priority)
{
	memset(rule, 0, sizeof(*rule));
	flow_look(&rule->match.mask, field);
	rule->priority = priority;
}

START_TEST(subtables_below_what_was_found_are_not_looked_at)
{
	struct classifier *cls = cls_create();
	struct cls_rule high, low;
	struct sw_key key = {0}, wc = {0};

	init_rule(&high, FIELD_ETH_TYPE, 2);
	init_rule(&low, FIELD_ETH_SRC, 1);
	ck_assert_int_eq(cls_insert(cls, &low), 0);
	ck_assert_int_eq(cls_insert(cls, &high), 0);
	ck_assert_ptr_eq(cls_lookup(cls, &key, &wc), &high);
	ck_assert_mem_eq(&wc, &high.match.mask, sizeof(wc));
	/* With the high rule's maximum gone, its subtable comes after the other one. */
	cls_remove(cls, &high);
	init_rule(&high, FIELD_ETH_TYPE, 0);
	ck_assert_int_eq(cls_insert(cls, &high), 0);
	memset(&wc, 0, sizeof(wc));
	ck_assert_ptr_eq(cls_lookup(cls, &key, &wc), &low);
	ck_assert_mem_eq(&wc, &low.match.mask, sizeof(wc));
	cls_destroy(cls);
}
END_TEST

START_TEST(removing_its_highest_rule_moves_a_subtable_back)
{
	struct classifier *cls = cls_create();
	struct cls_rule high, low, middle;
	struct sw_key key = {0}, wc = {0};

	init_rule(&high, FIELD_ETH_TYPE, 9);
	init_rule(&low, FIELD_ETH_TYPE, 1);
	init_rule(&middle, FIELD_ETH_SRC, 5);
	ck_assert_int_eq(cls_insert(cls, &low), 0);
	ck_assert_int_eq(cls_insert(cls, &high), 0);
	ck_assert_int_eq(cls_insert(cls, &middle), 0);
	ck_assert_ptr_eq(cls_lookup(cls, &key, NULL), &high);
	cls_remove(cls, &high);
	ck_assert_ptr_eq(cls_lookup(cls, &key, &wc), &middle);
	ck_assert_mem_eq(&wc, &middle.match.mask, sizeof(wc));
	cls_destroy(cls);
}
END_TEST

START_TEST(of_two_rules_of_one_priority_the_older_wins)
{
	struct classifier *cls = cls_create();
	struct cls_rule a, b;
	struct sw_key key = {0};

	init_rule(&a, FIELD_ETH_TYPE, 5);
	init_rule(&b, FIELD_ETH_SRC, 5);
	ck_assert_int_eq(cls_insert(cls, &a), 0);
	ck_assert_int_eq(cls_insert(cls, &b), 0);
	ck_assert_ptr_eq(cls_lookup(cls, &key, NULL), &a);
	cls_remove(cls, &a);
	ck_assert_ptr_eq(cls_lookup(cls, &key, NULL), &b);
	ck_assert_int_eq(cls_insert(cls, &a), 0);
	ck_assert_ptr_eq(cls_lookup(cls, &key, NULL), &b);
	cls_destroy(cls);
}
END_TEST

START_TEST(a_duplicate_is_refused_and_changes_nothing)
{
	struct classifier *cls = cls_create();
	struct cls_rule a, b;

	init_rule(&a, FIELD_ETH_TYPE, 5);
	b = a;
	ck_assert_int_eq(cls_insert(cls, &a), 0);
	ck_assert_int_eq(cls_insert(cls, &b), -EEXIST);
	ck_assert_uint_eq(cls_count(cls), 1);
	ck_assert_ptr_eq(cls_find_exactly(cls, &a.match, 5), &a);
	ck_assert_ptr_null(cls_find_exactly(cls, &a.match, 4));
	cls_destroy(cls);
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
	while (world.twin.n < 200) {
		struct cls_rule *rule = random_rule(&world);

		rule->priority &= 0x7fff;
		if (cls_insert(world.cls, rule))
			free(rule);
		else
			world.twin.rules[world.twin.n++] = rule;
	}
	cls_each(world.cls, count_visit, &n);
	ck_assert_uint_eq(n, 200);
	world_close(&world);
}
END_TEST

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* The worst orders for a structure that searches for its new maximum: highest first, and highest last. */
START_TEST(a_hundred_thousand_rules_come_and_go_fast)
{
	struct cls_rule *rules = calloc(N_MANY, sizeof(*rules));
	struct classifier *cls = cls_create();
	double start = seconds();

	for (uint32_t i = 0; i < N_MANY; i++) {
		init_rule(&rules[i], i % 2 ? FIELD_ETH_SRC : FIELD_ETH_DST, (uint16_t)(i % 65536));
		memcpy(i % 2 ? rules[i].match.key.f.eth_src : rules[i].match.key.f.eth_dst, &i, sizeof(i));
		ck_assert_int_eq(cls_insert(cls, &rules[i]), 0);
	}
	ck_assert_uint_eq(cls_count(cls), N_MANY);
	for (uint32_t i = 0; i < N_MANY; i++)
		ck_assert_ptr_eq(cls_find_exactly(cls, &rules[i].match, rules[i].priority), &rules[i]);
	for (uint32_t i = N_MANY / 2; i < N_MANY; i++)
		cls_remove(cls, &rules[i]);
	for (uint32_t i = N_MANY / 2; i-- > 0;)
		cls_remove(cls, &rules[i]);
	ck_assert_uint_eq(cls_count(cls), 0);
	/* About 0.1 s; what is quadratic takes minutes. Room for valgrind and sanitizers. */
	ck_assert_msg(seconds() - start < 20, "took %.1f s", seconds() - start);
	cls_destroy(cls);
	free(rules);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("classifier");
	Suite *suite = suite_create("classifier");
	SRunner *runner;
	int n_failed;

	tcase_set_timeout(tcase, 100);
	tcase_add_test(tcase, the_answer_is_that_of_trying_every_rule);
	tcase_add_test(tcase, bits_that_were_not_looked_at_change_nothing);
	tcase_add_test(tcase, lookups_add_to_what_was_looked_at_before);
	tcase_add_test(tcase, subtables_below_what_was_found_are_not_looked_at);
	tcase_add_test(tcase, removing_its_highest_rule_moves_a_subtable_back);
	tcase_add_test(tcase, of_two_rules_of_one_priority_the_older_wins);
	tcase_add_test(tcase, a_duplicate_is_refused_and_changes_nothing);
	tcase_add_test(tcase, each_visits_every_rule_once);
	tcase_add_test(tcase, a_hundred_thousand_rules_come_and_go_fast);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? 1 : 0;
}
