/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sieve of masks (bpf/sieve.h): what is there is found under whatever mask, what is not is mostly turned away, and
 * the table follows the number of flows.
 *
 * TEST_SEED=n in the environment repeats a run.
 */
#include "cache_lab.h"
#include "seeded.h"
#include "suite.h"

#define N_SLOTS 65536
#define N_MASKS 48

static struct lab lab;
static struct seeded dice;
static struct sw_key masks[N_MASKS];

static uint32_t below(uint32_t n)
{
	return seeded_below(&dice, n);
}

static void open_lab(void)
{
	lab_open(&lab, N_SLOTS, N_LAB_PORTS);
	dp_memory_end_grace_at_once(lab.dp, true);
}

static void close_lab(void)
{
	lab_close(&lab);
}

/* Half of its words have bits: prefixes, whole fields, single bits. */
static struct sw_key random_mask(void)
{
	struct sw_key mask = {0};

	for (uint32_t i = 1; i < SW_KEY_WORDS; i++) {
		if (below(2))
			mask.w[i] = ~0ULL >> below(64) << below(64);
	}
	mask.f.eth_type_be = below(2) ? UINT16_MAX : 0;
	mask.f.zero1 = mask.f.zero2 = mask.f.zero3 = 0;
	mask.f.in_ifindex = UINT32_MAX;
	return mask;
}

/* Of IPv6, or with nothing where others have nothing. */
static struct sw_key random_key(void)
{
	struct sw_key key = lab_key(1 + below(2), 0, 0);
	uint32_t in_ifindex = key.f.in_ifindex;

	for (uint32_t i = 0; i < SW_KEY_WORDS; i++)
		key.w[i] = seeded_next(&dice);
	key.f.in_ifindex = in_ifindex;
	key.f.zero1 = key.f.zero2 = key.f.zero3 = 0;
	if (below(2)) {
		memset(key.f.ip_src + 4, 0, 12);
		memset(key.f.ip_dst + 4, 0, 12);
		key.f.ipv6_flabel_be = 0;
	}
	return key;
}

static int put(const struct sw_key *key, const struct sw_key *mask)
{
	uint16_t port = key->f.in_ifindex == lab_key(1, 0, 0).f.in_ifindex ? 1 : 2;

	return cache_put(lab.cache, key, lab_answer(port, mask, 3), lab.now_ns);
}

/* A deep mask is had when all parse that deep. */
static void deepen(void)
{
	struct sw_key mask = {.f = {.ip_proto = 255}}, key = lab_key(1, 0, 0);

	ck_assert_int_eq(put(&key, &mask), -EAGAIN);
	lab_let_grace_pass(&lab);
}

START_TEST(what_is_there_is_found_under_whatever_mask)
{
	static struct sw_key keys[2000];
	struct dp_memory_hit hit;

	deepen();
	for (uint32_t i = 0; i < N_MASKS; i++)
		masks[i] = random_mask();
	for (uint32_t i = 0; i < 2000; i++) {
		keys[i] = random_key();
		put(&keys[i], &masks[below(N_MASKS)]); /* or one that is there already */
	}
	ck_assert_uint_gt(cache_count(lab.cache), 1000);
	lab_check_maps(&lab);
	for (uint32_t i = 0; i < 2000; i++)
		ck_assert_msg(lab_lookup(&lab, &keys[i], &hit), "flow %u", i);
}
END_TEST

static uint32_t n_let_through(uint32_t n)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct sw_key key = lab_numbered_key(0x80000000U + i * 7919);

		sum += lab_sieve_lets_through(&lab, 0, &key);
	}
	return sum;
}

static uint32_t bits_in_use(void)
{
	return 64 - sw_sieve_shift(lab.dp->memory.config->sieve);
}

START_TEST(the_table_grows_with_the_flows_and_shrinks_with_them)
{
	uint32_t n = 0;

	ck_assert_uint_eq(bits_in_use(), SW_SIEVE_LEAST);
	for (uint32_t step = 64; step < N_SLOTS; step *= 2) {
		for (; n < step; n++)
			lab_put_numbered(&lab, n);
		lab_check_sieve(&lab);
		ck_assert_uint_lt(n_let_through(10000), 10000 / 12);
	}
	ck_assert_uint_gt(bits_in_use(), SW_SIEVE_LEAST + 2);
	cache_flush(lab.cache);
	lab_put_numbered(&lab, 1);
	cache_sweep(lab.cache, lab.now_ns += SECOND);
	ck_assert_uint_eq(bits_in_use(), SW_SIEVE_LEAST);
	ck_assert_uint_lt(n_let_through(10000), 10);
	ck_assert(lab_hit_numbered(&lab, 1));
	lab_check_sieve(&lab);
}
END_TEST

START_TEST(bits_of_flows_that_went_do_not_pile_up)
{
	for (uint32_t n = 0; n < 20 * 2048; n++) {
		ck_assert_int_eq(lab_put_numbered(&lab, n), 0);
		if (n % 512 == 511)
			cache_flush(lab.cache);
	}
	ck_assert_uint_eq(bits_in_use(), SW_SIEVE_LEAST);
	ck_assert_uint_lt(n_let_through(10000), 10000 / 12);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("cache_sieve");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 100);
	tcase_add_checked_fixture(t, open_lab, close_lab);
	tcase_add_test(t, what_is_there_is_found_under_whatever_mask);
	tcase_add_test(t, the_table_grows_with_the_flows_and_shrinks_with_them);
	tcase_add_test(t, bits_of_flows_that_went_do_not_pile_up);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	dice = seeded_start_aloud();
	return run_suite(suite());
}
