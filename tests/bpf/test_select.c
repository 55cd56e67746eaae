/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The branch of a select group's fork that the shipped program takes for a frame is that which the table has for the
 * hash that the daemon finds. TEST_SEED=n repeats a run.
 */
#include "trial.h"

#include "bpf/select.h"
#include "tests/unit/rewrite_lab.h"
#include "tests/unit/seeded.h"

#include <stdio.h>
#include <string.h>

#define N_FRAMES 20000
#define FORK     9
#define GROUP    77
#define BRANCHES 5
#define TAKEN    3

static struct fixture f;

/* One flow for all frames of the port, in front of the fork; `deep`: the program parses for another mask, too. */
static void put_fork(bool deep)
{
	const struct sw_key mask = {.f.in_ifindex = UINT32_MAX},
			    deeper = {.f = {.in_ifindex = UINT32_MAX, .ip_tos = 1}};
	const struct sw_key key = {.f.in_ifindex = TRIAL_LO};
	const struct sw_step step = STEP(FORK, FORK), out = STEP(OUTPUT, TRIAL_OUT), drop = STEP(DROP, SW_DROP_RULE);

	trial_setup(&f);
	f.config->n_order = 0;
	fixture_set_mask(&f, 1, &mask);
	if (deep)
		fixture_set_mask(&f, 2, &deeper);
	f.forks[FORK] = (struct sw_fork){.kind = SW_FORK_SELECT, .n_branches = BRANCHES, .group = GROUP};
	for (int i = 0; i < BRANCHES; i++)
		f.forks[FORK].branch[i] = (struct sw_flow){.n_steps = 1, .steps = {i == TAKEN ? out : drop}};
	fixture_put(&f, &key, 1, TRIAL_IN, 0, &step, 1);
}

static uint32_t slot_of(const struct packet *p)
{
	struct sw_headers headers;
	struct sw_key key;

	sw_extract(p->bytes, p->bytes + p->size, TRIAL_LO, SW_KEY_WORDS, &key, &headers);
	return sw_select_slot(sw_select_hash(&key, GROUP));
}

START_TEST(the_program_takes_the_branch_that_the_daemon_would)
{
	struct seeded random = seeded_start();
	uint8_t *table = f.fork_slots[FORK].branch;
	bool seen[SW_FORK_SLOTS] = {false};
	uint32_t n_seen = 0;

	put_fork(_i);
	memset(table, 0, SW_FORK_SLOTS);
	for (int i = 0; i < N_FRAMES; i++) {
		struct lab lab = lab_frame(&random);
		struct packet in = {.size = lab.size};
		uint32_t slot;

		memcpy(in.bytes, lab.bytes, lab.size);
		slot = slot_of(&in);
		table[slot] = TAKEN;
		ck_assert_msg(trial_run(&f, &in).verdict == XDP_REDIRECT, "seed %lu, frame %d: not of slot %u",
			random.seed, i, slot);
		table[slot] = 0;
		n_seen += !seen[slot];
		seen[slot] = true;
	}
	ck_assert_uint_eq(fixture_branch_stats(&f, FORK, TAKEN).packets, N_FRAMES);
	ck_assert_uint_eq(fixture_branch_stats(&f, FORK, 0).packets, 0);
	printf("%u slots of %u\n", n_seen, SW_FORK_SLOTS);
	ck_assert_uint_gt(n_seen, SW_FORK_SLOTS * 9 / 10);
}
END_TEST

START_TEST(a_slot_beyond_the_branches_is_a_bad_program)
{
	struct packet in;

	put_fork(_i);
	memset(f.fork_slots[FORK].branch, BRANCHES, SW_FORK_SLOTS);
	packet_plain(&in, 10, 64);
	ck_assert_int_eq(trial_run(&f, &in).verdict, XDP_DROP);
	memset(f.fork_slots[FORK].branch, 0xff, SW_FORK_SLOTS);
	ck_assert_int_eq(trial_run(&f, &in).verdict, XDP_DROP);
	ck_assert_uint_eq(fixture_drops(&f, TRIAL_IN, SW_DROP_BAD_PROGRAM), 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("select");
	TCase *tcase = tcase_create("select");

	tcase_set_timeout(tcase, 100);
	tcase_add_loop_test(tcase, the_program_takes_the_branch_that_the_daemon_would, 0, 2);
	tcase_add_loop_test(tcase, a_slot_beyond_the_branches_is_a_bad_program, 0, 2);
	suite_add_tcase(s, tcase);
	return trial_main(&f, s);
}
