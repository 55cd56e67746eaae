/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program that runs beside the daemon (A1, A2).
 *
 * Flow n has n in its key, its steps send it to port 2 or 3, with n in a step before that, and if it is odd in a NORMAL
 * before that one; the reader looks flows up without a pause and checks that what it found belongs together. It has a
 * quiescent state after each lookup. This is a game of chance: with the stores in the wrong order nine runs in ten
 * found a torn flow.
 *
 * TEST_SEED=n in the environment repeats what the daemon does.
 */
#include "tests/unit/cache_lab.h"
#include "tests/unit/seeded.h"
#include "tests/unit/suite.h"

#include <pthread.h>
#include <unistd.h>

#define N_RACED 512

static struct seeded dice;

static uint32_t below(uint32_t n)
{
	return seeded_below(&dice, n);
}

static struct lab lab;

static uint64_t n_quiescent;
static bool stop_racing;
static uint32_t hot; /* the flow that is being put: where the reader looks most */
static uint32_t n_torn, n_raced_hits;

static struct sw_key raced_key(uint32_t n)
{
	struct sw_key key = lab_key(1, 0, 0);

	memcpy(key.f.eth_dst + 2, &n, sizeof(n));
	return key;
}

static bool is_torn(const struct sw_flow *flow, const struct sw_key *key, uint32_t n)
{
	const struct sw_step *step = flow->steps;

	if (memcmp(flow->key.f.eth_dst, key->f.eth_dst, 6) || flow->in_port != 1 || flow->bridge != 1 + n % 2 ||
		flow->n_steps != 2 + n % 2)
		return true;
	if (n % 2 && (step->op != SW_OP_NORMAL || step->arg != n))
		return true;
	step += n % 2;
	return step[0].op != SW_OP_VLAN_PUSH || step[0].arg != n || step[1].op != SW_OP_OUTPUT;
}

static void *race(void *arg)
{
	uint64_t state = 1;

	while (!__atomic_load_n(&stop_racing, __ATOMIC_RELAXED)) {
		uint32_t n = (state = state * 6364136223846793005ULL + 1) >> 33 & (N_RACED - 1);
		struct dp_memory_hit hit;
		struct sw_key key;

		if (n % 8)
			n = __atomic_load_n(&hot, __ATOMIC_RELAXED);
		key = raced_key(n);
		if (dp_memory_lookup(lab.dp, 1, &key, FRAME_SIZE, &hit)) {
			struct sw_flow flow = *hit.flow;

			n_raced_hits++;
			n_torn += is_torn(&flow, &key, n);
		}
		__atomic_add_fetch(&n_quiescent, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

/* The grace period of the reader: two lookups were completed since. */
static void wait_for_reader(void)
{
	uint64_t then = __atomic_load_n(&n_quiescent, __ATOMIC_SEQ_CST);

	while (__atomic_load_n(&n_quiescent, __ATOMIC_SEQ_CST) < then + 2)
		usleep(1);
}

static void put_raced(uint32_t n)
{
	struct sw_key key = raced_key(n);

	__atomic_store_n(&hot, n, __ATOMIC_RELAXED);
	memset(&lab.answer.mask, 0, sizeof(lab.answer.mask));
	lab.answer.cacheable = true;
	lab.answer.in_port = 1;
	lab.answer.bridge = 1 + n % 2;
	lab.answer.normal = n % 2;
	lab.answer.vid = n;
	lab.answer.mask.f.in_ifindex = UINT32_MAX;
	lab.answer.mask.f.vlan_tci_be = UINT16_MAX;
	memset(lab.answer.mask.f.eth_dst, 255, 6);
	if (n % 3 == 0)
		memset(lab.answer.mask.f.eth_src, 255, 1 + n % 5);
	lab.answer.n_outputs = 1;
	lab.answer.outputs[0] = (struct xlate_output){.port = 2 + below(2), .tag = XLATE_TAGGED};
	cache_put(lab.cache, &key, &lab.answer, lab.now_ns);
}

START_TEST(a_program_that_runs_beside_the_daemon_never_sees_half_a_flow)
{
	pthread_t reader;

	lab_open(&lab, 64, N_LAB_PORTS);
	lab_add_bridge(&lab);
	ck_assert_int_eq(pthread_create(&reader, NULL, race, NULL), 0);
	for (int round = 0; round < 12000; round++) {
		for (int i = 0; i < 24; i++)
			put_raced(below(N_RACED));
		if (below(4) == 0)
			cache_flush(lab.cache);
		cache_sweep(lab.cache, lab.now_ns += 4 * SECOND);
		if (below(3) == 0) {
			wait_for_reader();
			dp_memory_end_grace(lab.dp);
		}
	}
	__atomic_store_n(&stop_racing, true, __ATOMIC_RELAXED);
	pthread_join(reader, NULL);
	printf("%u hits beside the daemon\n", n_raced_hits);
	ck_assert_uint_eq(n_torn, 0);
	ck_assert_uint_gt(n_raced_hits, 1000);
	lab_let_grace_pass(&lab);
	cache_sweep(lab.cache, lab.now_ns);
	ck_assert_uint_eq(cache_totals(lab.cache)->packets, n_raced_hits);
	lab_close(&lab);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("cache_race");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 100);
	tcase_add_test(t, a_program_that_runs_beside_the_daemon_never_sees_half_a_flow);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	dice = seeded_start_aloud();
	return run_suite(suite());
}
