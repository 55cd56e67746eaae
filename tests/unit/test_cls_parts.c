/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the classifier is made of, each against a stupid twin: the trie against a list of prefixes, the counting set
 * against an array of counts.
 */
#include "dataplane/cls_set.h"
#include "dataplane/cls_trie.h"

#include "tests/unit/seeded.h"

#include <check.h>
#include <string.h>

#define N_STEPS    20000
#define N_PREFIXES 300
#define N_VALUES   5000

struct prefix {
	struct cls_trie_key key;
	uint32_t n_bits;
};

static uint32_t bit_of(const struct cls_trie_key *key, uint32_t at)
{
	return key->words[at / 32] >> (31 - at % 32) & 1;
}

/* How many of the first bits are the same. */
static uint32_t n_common(const struct cls_trie_key *a, const struct cls_trie_key *b, uint32_t max)
{
	uint32_t n = 0;

	while (n < max && bit_of(a, n) == bit_of(b, n))
		n++;
	return n;
}

/* One of few, with a bit turned over. */
static struct cls_trie_key random_key(struct seeded *random)
{
	struct cls_trie_key key = {{0x0a000000, 0, 0x80000001, 0}};

	for (uint32_t n = seeded_below(random, 4); n; n--) {
		uint32_t bit = seeded_below(random, seeded_below(random, 2) ? 12 : CLS_TRIE_BITS);

		key.words[bit / 32] ^= 1U << (31 - bit % 32);
	}
	return key;
}

static struct prefix random_prefix(struct seeded *random)
{
	struct prefix prefix = {random_key(random), 1 + seeded_below(random, CLS_TRIE_BITS)};

	if (seeded_below(random, 2))
		prefix.n_bits = 1 + seeded_below(random, 14);
	for (uint32_t bit = prefix.n_bits; bit < CLS_TRIE_BITS; bit++)
		prefix.key.words[bit / 32] &= ~(1U << (31 - bit % 32));
	return prefix;
}

/* The lengths that match, and the fewest bits that part the value from every prefix that does not. */
static struct cls_trie_found twin_find(const struct prefix *prefixes, uint32_t n, const struct cls_trie_key *key)
{
	struct cls_trie_found found = {0};

	for (uint32_t i = 0; i < n; i++) {
		uint32_t n_bits = prefixes[i].n_bits, same = n_common(&prefixes[i].key, key, n_bits);
		uint32_t n_needed = same < n_bits ? same + 1 : n_bits;

		if (same == n_bits)
			found.lengths[(n_bits - 1) / 64] |= 1ULL << (n_bits - 1) % 64;
		if (n_needed > found.n_looked)
			found.n_looked = n_needed;
	}
	return found;
}

START_TEST(the_trie_finds_what_trying_every_prefix_finds)
{
	struct seeded random = seeded_start();
	struct cls_trie_pool pool = {0};
	struct cls_trie trie = {0};
	struct prefix *prefixes = calloc(N_PREFIXES, sizeof(*prefixes));
	uint32_t n = 0, limit = N_PREFIXES;

	for (int step = 0; step < N_STEPS; step++) {
		struct cls_trie_key key = random_key(&random);
		struct cls_trie_found found, expected;

		if (step % 1000 == 0)
			limit = 1 + seeded_below(&random, N_PREFIXES);
		if (seeded_below(&random, limit) < n) {
			uint32_t i = seeded_below(&random, n);

			cls_trie_remove(&pool, &trie, &prefixes[i].key, prefixes[i].n_bits);
			prefixes[i] = prefixes[--n];
		} else {
			prefixes[n] = random_prefix(&random);
			ck_assert_int_eq(cls_trie_reserve(&pool, CLS_TRIE_ROOM), 0);
			cls_trie_add(&pool, &trie, &prefixes[n].key, prefixes[n].n_bits);
			n++;
		}
		expected = twin_find(prefixes, n, &key);
		cls_trie_find(&pool, &trie, &key, &found);
		ck_assert_msg(!memcmp(&found, &expected, sizeof(found)), "seed %#lx, step %d: %u bits, not %u",
			random.seed, step, found.n_looked, expected.n_looked);
	}
	/* Nothing is left of what was removed. */
	while (n--)
		cls_trie_remove(&pool, &trie, &prefixes[n].key, prefixes[n].n_bits);
	ck_assert_uint_eq(trie.root[0] | trie.root[1], 0);
	ck_assert_uint_eq(pool.n_chunks, 0);
	cls_trie_free(&pool);
	free(prefixes);
}
END_TEST

/* Of one trie: the nodes in use are no more than one for each prefix, and one for each fork. */
START_TEST(a_trie_of_short_prefixes_has_no_more_nodes_than_it_needs)
{
	struct seeded random = seeded_start();
	struct cls_trie_pool pool = {0};
	struct cls_trie trie = {0};
	struct prefix prefixes[N_PREFIXES];
	uint32_t n_nodes;

	for (int i = 0; i < N_PREFIXES; i++) {
		prefixes[i] = (struct prefix){{{(uint32_t)seeded_next(&random)}}, 32};
		ck_assert_int_eq(cls_trie_reserve(&pool, CLS_TRIE_ROOM), 0);
		cls_trie_add(&pool, &trie, &prefixes[i].key, 32);
	}
	for (int i = 2; i < N_PREFIXES; i++)
		cls_trie_remove(&pool, &trie, &prefixes[i].key, 32);
	n_nodes = pool.n_chunks * 256 - 1 - pool.n_vacant;
	ck_assert_msg(n_nodes <= 3, "seed %#lx: %u nodes", random.seed, n_nodes);
	cls_trie_free(&pool);
}
END_TEST

static uint64_t hash_of(uint32_t value)
{
	return value * 0x9e3779b97f4a7c15ULL;
}

/* What was added is said to be in without fail; what was not, hardly ever. */
START_TEST(the_set_has_what_was_added)
{
	struct seeded random = seeded_start();
	struct cls_set set = {0};
	uint32_t *counts = calloc(N_VALUES, sizeof(*counts));
	uint32_t n_false = 0;

	for (int step = 0; step < 10 * N_STEPS; step++) {
		uint32_t value = seeded_below(&random, N_VALUES), other = seeded_below(&random, N_VALUES);
		bool adds = seeded_below(&random, 8) < (step / N_STEPS % 2 ? 2 : 6);

		if (adds) {
			cls_set_add(&set, hash_of(value));
			counts[value]++;
		} else if (counts[value]) {
			cls_set_remove(&set, hash_of(value));
			counts[value]--;
		}
		ck_assert_msg(
			cls_set_has(&set, hash_of(value)) || !counts[value], "seed %#lx, step %d", random.seed, step);
		ck_assert_msg(
			cls_set_has(&set, hash_of(other)) || !counts[other], "seed %#lx, step %d", random.seed, step);
		n_false += cls_set_has(&set, hash_of(other)) && !counts[other];
	}
	ck_assert_msg(n_false < 100, "seed %#lx: %u that are not in", random.seed, n_false);
	for (uint32_t value = 0; value < N_VALUES; value++) {
		while (counts[value]--)
			cls_set_remove(&set, hash_of(value));
	}
	ck_assert_uint_eq(set.now.n_used + set.old.n_used, 0);
	ck_assert_uint_le(set.now.size_bits, 8);
	cls_set_free(&set);
	free(counts);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("cls_parts");
	Suite *suite = suite_create("cls_parts");
	SRunner *runner;
	int n_failed;

	tcase_set_timeout(tcase, 100);
	tcase_add_test(tcase, the_trie_finds_what_trying_every_prefix_finds);
	tcase_add_test(tcase, a_trie_of_short_prefixes_has_no_more_nodes_than_it_needs);
	tcase_add_test(tcase, the_set_has_what_was_added);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? 1 : 0;
}
