/* SPDX-License-Identifier: BSD-2-Clause */
/* What is counted at a fork, and whose fork it is when its group changes. */
#include "tests/unit/forks_lab.h"
#include "tests/unit/suite.h"

/* ---- counting ---- */

/* A meter in front is the program's, and so are the flows; those that have one behind are not. */
START_TEST(groups_behind_a_meter_are_decided_when_flows_are_asked)
{
	struct dp_memory_hit hit;

	open_lab();
	add_meter();
	group(0, 1, GROUP_TYPE_FF, BUCKETS({"output:2", 2, 0}, {"output:3", 3, 0}));
	add_rule(0, &(struct instructions){.meter = 1}, "group:1");
	lab_settle(&lab);
	for (uint16_t port = 2; port <= 3; port++) {
		arrive(1);
		hit = arrive(1);
		ck_assert_int_eq(hit.flow->steps[0].op, SW_OP_METER);
		expect_step(&hit, SW_OP_OUTPUT, port);
		ck_assert(dp_memory_meter(lab.dp, 0, &hit, SIZE, lab.now_ns));
		link_is(2, false);
		lab_settle(&lab);
	}
	ck_assert_uint_eq(counted(1)->buckets[0].tally.packets, 2);
	ck_assert_uint_eq(counted(1)->buckets[1].tally.packets, 1);
	close_lab();
}
END_TEST

START_TEST(what_has_a_meter_behind_a_group_goes_up)
{
	struct dp_memory_hit hit;

	open_lab();
	add_meter();
	group(0, 1, GROUP_TYPE_FF, BUCKETS({"output:2", 2, 0}, {"output:3", 3, 0}));
	add_rule(0, &(struct instructions){.goes_on = true, .goto_table = 1}, "group:1");
	add_rule(1, &(struct instructions){.meter = 1}, "output:4");
	lab_settle(&lab);
	arrive(1);
	hit = arrive(1);
	expect_step(&hit, SW_OP_UPCALL, SW_UPCALL_ACTION);
	link_is(2, false);
	link_is(3, false);
	lab_settle(&lab);
	hit = arrive(1);
	expect_step(&hit, SW_OP_UPCALL, SW_UPCALL_ACTION);
	ck_assert_uint_eq(counted(1)->buckets[0].tally.packets, 1);
	close_lab();
}
END_TEST

START_TEST(each_bucket_counts_what_took_it)
{
	const struct group *now;

	open_lab();
	group(0, 2, GROUP_TYPE_INDIRECT, BUCKETS({"output:2", 0, 0}));
	group(0, 1, GROUP_TYPE_FF, BUCKETS({"group:2", 2, 0}, {"output:3", 3, 0}));
	rule("group:1");
	lab_settle(&lab);
	warm_up(); /* 2 each */
	link_is(2, false);
	cache_fail_over(lab.cache);
	expect_all(SW_OP_OUTPUT, 3);
	lab_settle(&lab);
	expect_all(SW_OP_OUTPUT, 3);
	link_is(3, false);
	lab_settle(&lab);
	expect_all(SW_OP_DROP, SW_DROP_NO_BUCKET);
	now = counted(1);
	ck_assert_uint_eq(now->tally.packets, 5 * N_FLOWS);
	ck_assert_uint_eq(now->tally.bytes, 5 * N_FLOWS * SIZE);
	ck_assert_uint_eq(now->buckets[0].tally.packets, 2 * N_FLOWS);
	ck_assert_uint_eq(now->buckets[1].tally.packets, 2 * N_FLOWS);
	ck_assert_uint_eq(now->buckets[1].tally.bytes, 2 * N_FLOWS * SIZE);
	ck_assert_uint_eq(counted(2)->buckets[0].tally.packets, 2 * N_FLOWS);
	close_lab();
}
END_TEST

/* Groups whose branches are the same steps are told apart by what they count for. */
START_TEST(flows_of_equal_branches_count_each_for_its_own)
{
	open_lab();
	for (uint32_t id = 1; id <= 2; id++)
		group(0, id, GROUP_TYPE_FF, BUCKETS({"output:2", 2, 0}, {"output:3", 3, 0}));
	rule("group:1");
	lab_settle(&lab);
	arrive(1);
	arrive(1);
	rule("group:2");
	lab_settle(&lab);
	arrive(1);
	arrive(1);
	arrive(1);
	ck_assert_uint_eq(counted(1)->buckets[0].tally.packets, 2);
	ck_assert_uint_eq(counted(2)->buckets[0].tally.packets, 3);
	close_lab();
}
END_TEST

/* Its buckets begin anew, and what lies behind them goes on. */
START_TEST(a_group_that_changes_gives_its_flows_a_new_fork)
{
	uint32_t fork;

	open_lab();
	group(0, 2, GROUP_TYPE_INDIRECT, BUCKETS({"output:2", 0, 0}));
	group(0, 1, GROUP_TYPE_FF, BUCKETS({"group:2", 2, 0}, {"output:3", 3, 0}));
	rule("group:1");
	lab_settle(&lab);
	warm_up();
	fork = arrive(1).flow->steps[0].arg;
	group(1, 1, GROUP_TYPE_FF, BUCKETS({"group:2", 2, 0}, {"output:3", 3, 0}));
	expect_all(SW_OP_OUTPUT, 2); /* in the same turn of the loop */
	lab_settle(&lab);
	ck_assert_uint_ne(arrive(1).flow->steps[0].arg, fork);
	expect_all(SW_OP_OUTPUT, 2);
	ck_assert(forks_exist(sets_forks(lab.sets), fork));
	lab_let_grace_pass(&lab);
	ck_assert(!forks_exist(sets_forks(lab.sets), fork));
	ck_assert_uint_eq(counted(1)->buckets[0].tally.packets, N_FLOWS + 1);
	ck_assert_uint_eq(counted(2)->tally.packets, 4 * N_FLOWS + 2);
	close_lab();
}
END_TEST

/* A group behind a bucket changes: all flows hear of it, though none is linked with it itself. */
START_TEST(flows_follow_a_group_behind_a_bucket)
{
	open_lab();
	group(0, 2, GROUP_TYPE_INDIRECT, BUCKETS({"output:2", 0, 0}));
	group(0, 1, GROUP_TYPE_FF, BUCKETS({"group:2", 2, 0}, {"output:3", 3, 0}));
	rule("group:1");
	lab_settle(&lab);
	warm_up();
	group(1, 2, GROUP_TYPE_INDIRECT, BUCKETS({"output:4", 0, 0}));
	lab_settle(&lab);
	expect_all(SW_OP_OUTPUT, 4);
	lab_let_grace_pass(&lab);
	ck_assert_uint_eq(counted(2)->buckets[0].tally.packets, N_FLOWS);
	ck_assert_uint_eq(counted(2)->tally.packets, 3 * N_FLOWS);
	close_lab();
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("all");
	Suite *suite = suite_create("forks_count");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, groups_behind_a_meter_are_decided_when_flows_are_asked);
	tcase_add_test(t, what_has_a_meter_behind_a_group_goes_up);
	tcase_add_test(t, each_bucket_counts_what_took_it);
	tcase_add_test(t, flows_of_equal_branches_count_each_for_its_own);
	tcase_add_test(t, a_group_that_changes_gives_its_flows_a_new_fork);
	tcase_add_test(t, flows_follow_a_group_behind_a_bucket);
	suite_add_tcase(suite, t);
	return run_suite(suite);
}
