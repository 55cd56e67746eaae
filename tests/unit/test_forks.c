/* SPDX-License-Identifier: BSD-2-Clause */
/* Groups as forks of flows: where frames go when a link does, what the program cannot do, and what outlives a daemon.
 */
#include "tests/unit/forks_lab.h"
#include "tests/unit/suite.h"

/* ---- the bridge ---- */

static uint16_t meter_slot(void)
{
	add_meter();
	return meters_find(ofbridge_meters(bridge), 1)->slot;
}

/* To ports 2 and 3, as the frame came. */
static uint16_t copies_list(void)
{
	struct xlate answer = {.n_outputs = 2, .outputs = {{.port = 2}, {.port = 3}}};
	uint32_t id;

	answer.outputs[0].tag = answer.outputs[1].tag = XLATE_AS_IS;
	copies_get(sets_copies(lab.sets), &answer); /* asks for the ports to be followed */
	lab_settle(&lab);
	lab_let_grace_pass(&lab);
	id = copies_get(sets_copies(lab.sets), &answer);
	ck_assert_uint_ne(id, SW_MAX_COPIES);
	return (uint16_t)id;
}

/* Group 1: output 2 while port 2 is up, else 3. */
static void failover(void)
{
	group(0, 1, GROUP_TYPE_FF, BUCKETS({"output:2", 2, 0}, {"output:3", 3, 0}));
	rule("group:1");
	lab_settle(&lab);
}

/* ---- where frames go ---- */

START_TEST(all_flows_behind_a_group_go_elsewhere_before_any_is_asked)
{
	uint64_t asked;

	open_lab();
	failover();
	warm_up();
	expect_all(SW_OP_OUTPUT, 2);
	asked = cache_totals(lab.cache)->asked;
	link_is(2, false);
	cache_fail_over(lab.cache);
	expect_all(SW_OP_OUTPUT, 3);
	ck_assert_uint_eq(cache_totals(lab.cache)->asked, asked);
	lab_settle(&lab);
	expect_all(SW_OP_OUTPUT, 3);
	close_lab();
}
END_TEST

/* What the branches say does not hang on the ports that they watch. */
START_TEST(a_port_that_goes_and_comes_replaces_no_flow)
{
	uint64_t replaced;

	open_lab();
	failover();
	warm_up();
	replaced = cache_totals(lab.cache)->replaced;
	for (int i = 0; i < 3; i++) {
		link_is(2, i & 1);
		lab_settle(&lab);
		expect_all(SW_OP_OUTPUT, i & 1 ? 2 : 3);
	}
	ck_assert_uint_eq(cache_totals(lab.cache)->replaced, replaced);
	close_lab();
}
END_TEST

/* It may have changed while it was away, and its flows have not been asked. */
START_TEST(a_port_that_comes_back_is_used_when_its_flows_have_been_asked)
{
	open_lab();
	failover();
	link_is(2, false);
	lab_settle(&lab);
	warm_up();
	link_is(2, true);
	cache_fail_over(lab.cache);
	expect_all(SW_OP_OUTPUT, 3);
	lab_settle(&lab);
	expect_all(SW_OP_OUTPUT, 2);
	close_lab();
}
END_TEST

START_TEST(where_no_bucket_is_live_frames_are_dropped_for_that)
{
	open_lab();
	failover();
	warm_up();
	link_is(2, false);
	link_is(3, false);
	cache_fail_over(lab.cache);
	expect_all(SW_OP_DROP, SW_DROP_NO_BUCKET);
	lab_settle(&lab);
	expect_all(SW_OP_DROP, SW_DROP_NO_BUCKET);
	link_is(3, true);
	lab_settle(&lab);
	expect_all(SW_OP_OUTPUT, 3);
	close_lab();
}
END_TEST

/* Both may happen in one turn of the loop. */
START_TEST(frames_go_to_what_has_come_to_life_where_all_else_has_died)
{
	open_lab();
	failover();
	link_is(3, false);
	lab_settle(&lab);
	warm_up();
	link_is(3, true);
	link_is(2, false);
	cache_fail_over(lab.cache);
	expect_all(SW_OP_OUTPUT, 3);
	close_lab();
}
END_TEST

/* Outside of the group a port that is down gets nothing, also where a bucket of it names the port. */
START_TEST(a_bucket_that_watches_another_port_follows_its_own)
{
	open_lab();
	group(0, 1, GROUP_TYPE_FF, BUCKETS({"output:2", 4, 0}, {"output:3", 3, 0}));
	rule("group:1");
	lab_settle(&lab);
	warm_up();
	expect_all(SW_OP_OUTPUT, 2);
	link_is(2, false);
	lab_settle(&lab);
	expect_all(SW_OP_DROP, SW_DROP_PORT_DOWN);
	link_is(4, false);
	lab_settle(&lab);
	expect_all(SW_OP_OUTPUT, 3);
	close_lab();
}
END_TEST

START_TEST(what_stands_around_the_group_is_done_on_every_branch)
{
	struct dp_memory_hit hit;

	open_lab();
	group(0, 1, GROUP_TYPE_FF,
		BUCKETS({"output:2", 2, 0}, {"set_field:02:00:00:00:00:66->eth_src,output:3", 3, 0}));
	rule("set_field:02:00:00:00:00:77->eth_dst,group:1,output:4");
	lab_settle(&lab);
	warm_up();
	hit = arrive(1);
	ck_assert_int_eq(hit.program->steps[0].op, SW_OP_REWRITE);
	ck_assert_int_eq(hit.program->steps[1].op, SW_OP_BROADCAST);
	ck_assert(dp_memory_set_has(lab.dp, hit.program->steps[1].arg, 2));
	ck_assert(dp_memory_set_has(lab.dp, hit.program->steps[1].arg, 4));
	link_is(2, false);
	link_is(3, false);
	lab_settle(&lab);
	hit = arrive(1);
	ck_assert_int_eq(hit.program->steps[0].op, SW_OP_REWRITE);
	expect_step(&hit, SW_OP_OUTPUT, 4);
	close_lab();
}
END_TEST

/* ---- what the program cannot do ---- */

/* Each copy rewritten in its own way; the daemon does it, and the other bucket does not suffer for it. */
START_TEST(a_branch_of_which_only_the_daemon_is_capable_goes_up_alone)
{
	uint8_t frame[SIZE];

	open_lab();
	group(0, 1, GROUP_TYPE_FF,
		BUCKETS({"push_mpls:0x8847,output:2,pop_mpls:0x0800,output:4", 2, 0}, {"output:3", 3, 0}));
	rule("group:1");
	lab_settle(&lab);
	warm_up();
	expect_all(SW_OP_UPCALL, SW_UPCALL_BRANCH);
	make_frame(1, 64, frame);
	go_up(frame, SW_UPCALL_BRANCH); /* one of those that expect_all() sent */
	ck_assert_uint_eq(dp_memory_n_sent(lab.dp), 2);
	ck_assert_uint_eq(counted(1)->buckets[0].tally.packets, 3 * N_FLOWS);
	ck_assert_uint_eq(counted(1)->tally.packets, 3 * N_FLOWS);
	link_is(2, false);
	cache_fail_over(lab.cache);
	expect_all(SW_OP_OUTPUT, 3);
	close_lab();
}
END_TEST

START_TEST(a_ttl_that_ends_behind_a_fork_takes_back_what_it_does_not_come_to)
{
	uint8_t frame[SIZE];

	open_lab();
	group(0, 2, GROUP_TYPE_INDIRECT, BUCKETS({"output:2", 0, 0}));
	group(0, 1, GROUP_TYPE_FF, BUCKETS({"dec_ttl,group:2", 2, 0}, {"output:3", 3, 0}));
	rule("group:1");
	lab_settle(&lab);
	arrive(1);
	ck_assert_ptr_nonnull(arrive(1).flow);
	ck_assert_ptr_nonnull(arrive(1).flow);
	make_frame(1, 1, frame);
	go_up(frame, SW_UPCALL_REWRITE); /* the third of them */
	ck_assert_uint_eq(counted(1)->buckets[0].tally.packets, 3);
	ck_assert_uint_eq(counted(2)->tally.packets, 2);
	ck_assert_uint_eq(counted(2)->buckets[0].tally.packets, 2);
	close_lab();
}
END_TEST

/* The same where the daemon alone can do what the branch says. */
START_TEST(a_ttl_that_ends_in_the_daemon_takes_back_too)
{
	uint8_t frame[SIZE];

	open_lab();
	group(0, 2, GROUP_TYPE_INDIRECT, BUCKETS({"output:2", 0, 0}));
	group(0, 1, GROUP_TYPE_FF, BUCKETS({"output:4,dec_ttl,group:2", 2, 0}, {"output:3", 3, 0}));
	rule("group:1");
	lab_settle(&lab);
	arrive(1);
	expect_step(&(struct dp_memory_hit[]){arrive(1)}[0], SW_OP_UPCALL, SW_UPCALL_BRANCH);
	make_frame(1, 1, frame);
	go_up(frame, SW_UPCALL_BRANCH); /* the second of them */
	ck_assert_uint_eq(counted(1)->buckets[0].tally.packets, 2);
	ck_assert_uint_eq(counted(2)->tally.packets, 1);
	close_lab();
}
END_TEST

START_TEST(a_group_behind_a_bucket_that_leaves_it_to_NORMAL_goes_up)
{
	open_lab();
	group(0, 2, GROUP_TYPE_INDIRECT, BUCKETS({"NORMAL", 0, 0}));
	group(0, 1, GROUP_TYPE_FF, BUCKETS({"group:2", 2, 0}, {"output:3", 3, 0}));
	rule("group:1");
	lab_settle(&lab);
	arrive(1);
	expect_step(&(struct dp_memory_hit[]){arrive(1)}[0], SW_OP_UPCALL, SW_UPCALL_BRANCH);
	group(1, 1, GROUP_TYPE_FF, BUCKETS({"NORMAL", 2, 0}, {"output:3", 3, 0}));
	lab_settle(&lab);
	arrive(1);
	ck_assert_int_eq(arrive(1).flow->steps[0].op, SW_OP_NORMAL);
	close_lab();
}
END_TEST

START_TEST(groups_of_too_many_buckets_are_decided_when_flows_are_asked)
{
	struct wish wishes[SW_MAX_BRANCHES];

	open_lab();
	for (int i = 0; i < SW_MAX_BRANCHES; i++)
		wishes[i] = (struct wish){i ? "output:3" : "output:2", i ? 3 : 2, 0};
	group(0, 1, GROUP_TYPE_FF, SW_MAX_BRANCHES, wishes);
	rule("group:1");
	lab_settle(&lab);
	arrive(1);
	ck_assert_int_eq(arrive(1).flow->steps[0].op, SW_OP_OUTPUT);
	group(1, 1, GROUP_TYPE_FF, SW_MAX_BRANCHES - 1, wishes);
	lab_settle(&lab);
	ck_assert_int_eq(arrive(1).flow->steps[0].op, SW_OP_FORK);
	link_is(2, false);
	cache_fail_over(lab.cache);
	expect_step(&(struct dp_memory_hit[]){arrive(1)}[0], SW_OP_OUTPUT, 3);
	close_lab();
}
END_TEST

/* Then none is: the flows that do without are asked when there are too many, and again when there are not. */
START_TEST(more_groups_than_the_program_has_room_for_are_decided_when_flows_are_asked)
{
	open_lab();
	failover();
	arrive(1);
	for (uint32_t id = 2; id <= GROUP_FORKS_LIMIT; id++)
		group(0, id, GROUP_TYPE_FF, BUCKETS({"output:2", 2, 0}, {"output:3", 3, 0}));
	lab_settle(&lab);
	ck_assert_int_eq(arrive(1).flow->steps[0].op, SW_OP_FORK);
	group(0, 1000, GROUP_TYPE_SELECT, BUCKETS({"output:2", 2, 0}, {"output:3", 3, 0}));
	lab_settle(&lab);
	ck_assert_int_eq(arrive(1).flow->steps[0].op, SW_OP_OUTPUT);
	group(1, 1000, GROUP_TYPE_INDIRECT, BUCKETS({"output:2", 0, 0}));
	lab_settle(&lab);
	ck_assert_int_eq(arrive(1).flow->steps[0].op, SW_OP_FORK);
	group(1, 1000, GROUP_TYPE_FF, BUCKETS({"output:2", 2, 0}));
	lab_settle(&lab);
	ck_assert_int_eq(arrive(1).flow->steps[0].op, SW_OP_OUTPUT);
	group(2, 2, GROUP_TYPE_FF, 0, NULL);
	lab_settle(&lab);
	ck_assert_int_eq(arrive(1).flow->steps[0].op, SW_OP_FORK);
	ck_assert_uint_eq(counted(1)->buckets[0].tally.packets, 6);
	close_lab();
}
END_TEST

/* ---- what branches hold ---- */

/* Each branch rewrites the frame and broadcasts it, and tells a controller if `tells`. */
static void failover_with_more(bool tells)
{
	if (tells)
		group(0, 1, GROUP_TYPE_FF, BUCKETS({"CONTROLLER,output:2", 2, 0}, {"CONTROLLER,output:3", 3, 0}));
	else
		group(0, 1, GROUP_TYPE_FF, BUCKETS({"output:2", 2, 0}, {"output:3", 3, 0}));
	rule("set_field:02:00:00:00:00:66->eth_src,group:1,output:4");
	lab_settle(&lab);
}

/* The rules go, and what their flows held with them. */
static void end_all_flows(void)
{
	tables_flush(ofbridge_tables(bridge), RULE_DELETE);
	lab_settle(&lab);
	lab_let_grace_pass(&lab);
}

/* By those of the buckets, and the one for when none is live. */
static void expect_branches_held(bool tells)
{
	const struct sw_flow *flow = arrive(1).flow;
	const struct sw_fork *fork;

	ck_assert_ptr_nonnull(flow);
	ck_assert_int_eq(flow->steps[0].op, SW_OP_FORK);
	fork = &lab.dp->memory.forks[flow->steps[0].arg];
	ck_assert_uint_eq(fork->n_branches, 3);
	for (int i = 0; i < 2; i++) {
		const struct sw_step *steps = fork->branch[i].steps;
		uint8_t first = program_first(steps);

		ck_assert_uint_eq(first, tells);
		ck_assert_int_eq(steps[first].op, SW_OP_REWRITE);
		ck_assert_uint_eq(rewrites_users(sets_rewrites(lab.sets), steps[first].arg), 3);
		ck_assert_int_eq(steps[first + 1].op, SW_OP_BROADCAST);
		ck_assert_uint_eq(sets_users(lab.sets, steps[first + 1].arg), 1);
	}
}

/* No branch has one: neither when a flow finds its fork made, nor when that goes. */
START_TEST(a_fork_gives_back_no_list_of_copies)
{
	uint16_t list;

	open_lab();
	list = copies_list();
	failover();
	warm_up();
	ck_assert_uint_eq(copies_users(sets_copies(lab.sets), list), 1);
	end_all_flows();
	ck_assert_uint_eq(copies_users(sets_copies(lab.sets), list), 1);
	copies_drop(sets_copies(lab.sets), list);
	lab_check_given_back(&lab);
	close_lab();
}
END_TEST

START_TEST(what_branches_hold_is_given_back_when_their_fork_goes)
{
	open_lab();
	failover_with_more(_i);
	warm_up();
	expect_branches_held(_i);
	end_all_flows();
	lab_check_given_back(&lab);
	close_lab();
}
END_TEST

/* ---- a restart ---- */

static void restart(void)
{
	upcall_destroy(up);
	lab_restart(&lab);
	steer();
}

/* Until the first grace period has ended all that there is is held anyway. */
START_TEST(an_adopted_fork_holds_what_its_branches_do)
{
	open_lab();
	failover_with_more(_i);
	warm_up();
	restart();
	lab.looks_at_addresses = false; /* with all other rules */
	lab_look_at_addresses(&lab, true);
	failover_with_more(_i);
	lab_let_grace_pass(&lab);
	expect_branches_held(_i);
	end_all_flows();
	lab_check_given_back(&lab);
	close_lab();
}
END_TEST

/* The same group once more is the same fork: no flow is replaced, and all is counted from there. */
START_TEST(a_fork_outlives_its_daemon)
{
	uint64_t replaced;

	open_lab();
	failover();
	warm_up();
	restart();
	expect_all(SW_OP_OUTPUT, 2);
	lab.looks_at_addresses = false; /* with all other rules */
	lab_look_at_addresses(&lab, true);
	failover();
	replaced = cache_totals(lab.cache)->replaced;
	ck_assert_uint_eq(replaced, 0);
	lab_let_grace_pass(&lab);
	expect_all(SW_OP_OUTPUT, 2);
	ck_assert_uint_eq(counted(1)->buckets[0].tally.packets, N_FLOWS);
	ck_assert_uint_eq(counted(1)->tally.packets, N_FLOWS);
	link_is(2, false);
	cache_fail_over(lab.cache);
	expect_all(SW_OP_OUTPUT, 3);
	close_lab();
}
END_TEST

START_TEST(a_fork_that_contradicts_itself_is_not_adopted)
{
	struct sw_fork *fork;
	uint32_t id;

	open_lab();
	failover();
	warm_up();
	id = arrive(1).flow->steps[0].arg;
	fork = &lab.dp->memory.forks[id];
	switch (_i) {
	case 0:
		fork->live = fork->n_branches;
		break;
	case 1:
		fork->n_branches = SW_MAX_BRANCHES + 1;
		break;
	case 2:
		fork->kind = 77;
		break;
	case 3:
		fork->branch[1].steps[0] = (struct sw_step){.op = SW_OP_FORK, .arg = (uint16_t)id};
		break;
	case 4:
		fork->branch[1].steps[0] = (struct sw_step){.op = SW_OP_BROADCAST, .arg = 400};
		break;
	case 5:
		fork->branch[0].n_steps = 0;
		break;
	case 6: /* with no table of branches that there are */
		fork->kind = SW_FORK_SELECT;
		memset(&lab.dp->memory.fork_slots[id], fork->n_branches, SW_FORK_SLOTS);
		break;
	case 7: /* with a meter, which a branch has not */
		fork->branch[0].n_steps = 2;
		fork->branch[0].steps[1] = fork->branch[0].steps[0];
		fork->branch[0].steps[0] = (struct sw_step){.op = SW_OP_METER, .arg = meter_slot()};
		break;
	case 8: /* with a list of copies, which a branch has not either */
		fork->branch[0].n_steps = 1;
		fork->branch[0].steps[0] = (struct sw_step){.op = SW_OP_COPIES, .arg = copies_list()};
		break;
	}
	restart();
	ck_assert(!forks_exist(sets_forks(lab.sets), id));
	ck_assert_ptr_null(arrive(1).flow);
	lab_let_grace_pass(&lab);
	close_lab();
}
END_TEST

/* ---- in words ---- */

START_TEST(a_fork_says_where_it_leads)
{
	struct dp_memory_hit hit;
	char text[200];

	open_lab();
	failover();
	arrive(1);
	hit = arrive(1);
	program_format(lab.pl, lab.sets, hit.flow->steps, hit.flow->n_steps, text, sizeof(text));
	ck_assert_str_eq(text, "failover:1[*output:p2|output:p3|drop:no_bucket]");
	link_is(2, false);
	cache_fail_over(lab.cache);
	program_format(lab.pl, lab.sets, hit.flow->steps, hit.flow->n_steps, text, sizeof(text));
	ck_assert_str_eq(text, "failover:1[output:p2|*output:p3|drop:no_bucket]");
	close_lab();
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("all");
	Suite *suite = suite_create("forks");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, all_flows_behind_a_group_go_elsewhere_before_any_is_asked);
	tcase_add_test(t, a_port_that_goes_and_comes_replaces_no_flow);
	tcase_add_test(t, a_port_that_comes_back_is_used_when_its_flows_have_been_asked);
	tcase_add_test(t, where_no_bucket_is_live_frames_are_dropped_for_that);
	tcase_add_test(t, frames_go_to_what_has_come_to_life_where_all_else_has_died);
	tcase_add_test(t, a_bucket_that_watches_another_port_follows_its_own);
	tcase_add_test(t, what_stands_around_the_group_is_done_on_every_branch);
	tcase_add_test(t, a_branch_of_which_only_the_daemon_is_capable_goes_up_alone);
	tcase_add_test(t, a_ttl_that_ends_behind_a_fork_takes_back_what_it_does_not_come_to);
	tcase_add_test(t, a_ttl_that_ends_in_the_daemon_takes_back_too);
	tcase_add_test(t, a_group_behind_a_bucket_that_leaves_it_to_NORMAL_goes_up);
	tcase_add_test(t, groups_of_too_many_buckets_are_decided_when_flows_are_asked);
	tcase_add_test(t, more_groups_than_the_program_has_room_for_are_decided_when_flows_are_asked);
	tcase_add_test(t, a_fork_gives_back_no_list_of_copies);
	tcase_add_loop_test(t, what_branches_hold_is_given_back_when_their_fork_goes, 0, 2);
	tcase_add_loop_test(t, an_adopted_fork_holds_what_its_branches_do, 0, 2);
	tcase_add_test(t, a_fork_outlives_its_daemon);
	tcase_add_loop_test(t, a_fork_that_contradicts_itself_is_not_adopted, 0, 9);
	tcase_add_test(t, a_fork_says_where_it_leads);
	suite_add_tcase(suite, t);
	return run_suite(suite);
}
