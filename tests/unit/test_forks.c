/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Groups that choose, as the maps have them: one fork for all flows behind a group, and one word, or a table, that
 * leads them all; what was sent where is counted for the buckets, to the frame.
 */
#include "bpf/extract.h"
#include "dataplane/copies.h"
#include "dataplane/complaint.h"
#include "dataplane/execute.h"
#include "dataplane/forks.h"
#include "dataplane/meter.h"
#include "dataplane/ofbridge.h"
#include "dataplane/program.h"
#include "dataplane/sets.h"
#include "dataplane/upcall.h"

#include "tests/unit/cache_lab.h"

#define SIZE    64
#define N_PORTS 5
#define N_FLOWS 100

static struct lab lab;
static struct upcall *up;
static struct ofbridge *bridge;

/* ---- the bridge ---- */

static void hear_nothing(void *ctx, const struct rule *rule)
{
}

static bool take_nothing(void *ctx, const struct packet_in *in)
{
	return false;
}

static void see_nothing(void *ctx, enum port_change change, const struct of_port_desc *desc)
{
}

static void steer(void)
{
	const struct ofbridge_events events = {NULL, take_nothing, hear_nothing, see_nothing};

	up = upcall_create(lab.dp, lab.pl, lab.fdb, lab.cache, ofbridges_executor(lab.bridges));
	ck_assert_ptr_nonnull(up);
	bridge = ofbridges_get(lab.bridges, 1);
	tables_flush(ofbridge_tables(bridge), RULE_DELETE);
	ofbridge_listen(bridge, &events);
}

static void open_lab(void)
{
	lab_open(&lab, 1024, N_PORTS);
	steer();
	lab_settle(&lab);
}

static void close_lab(void)
{
	lab_check_maps(&lab);
	upcall_destroy(up);
	lab_close(&lab);
}

static struct actions read_actions(const char *text, struct action list[16])
{
	struct flow_names names = pipeline_of_names(pipeline_bridge(lab.pl, 1));
	struct actions actions;
	struct complaint complaint = {""};

	ck_assert_msg(!actions_parse(text, &names, list, 16, &actions, &complaint), "%s", complaint.text);
	return actions;
}

/* The rule of the table for all frames. */
static void add_rule(uint8_t table_id, const struct instructions *instructions, const char *applied)
{
	struct action list[16];
	struct actions apply = read_actions(applied, list);
	struct flow_mod mod = {
		.command = FLOW_ADD, .table_id = table_id, .out_port = OF_PORT_ANY, .out_group = GROUP_ANY};

	mod.instructions = instructions_create(instructions, &apply, &(struct actions){0});
	ck_assert_int_eq(ofbridge_flow_mod(bridge, &mod), OF_OK);
	free(mod.instructions);
}

static void rule(const char *applied)
{
	add_rule(0, &(struct instructions){0}, applied);
}

/* Meter 1, of a rate that nobody exceeds. */
static void add_meter(void)
{
	const struct meter_band band = {.type = BAND_DROP, .rate = 1000000, .burst = 1000000};
	const struct meter_mod mod = {
		.command = METER_ADD, .flags = METER_PKTPS | METER_BURST, .id = 1, .n_bands = 1, .bands = &band};

	ck_assert_int_eq(ofbridge_meter_mod(bridge, &mod), OF_OK);
}

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

struct wish {
	const char *actions;
	uint32_t port, group; /* that it watches; 0: none */
};

static void group(uint16_t command, uint32_t id, enum group_type type, uint32_t n, const struct wish *wishes)
{
	struct action lists[GROUP_BUCKETS_LIMIT][16];
	struct bucket buckets[GROUP_BUCKETS_LIMIT];
	struct group_mod mod = {
		.command = command, .type = (uint8_t)type, .id = id, .n_buckets = n, .buckets = buckets};

	for (uint32_t i = 0; i < n; i++) {
		buckets[i] = (struct bucket){
			.watch_port = wishes[i].port ? wishes[i].port : OF_PORT_ANY,
			.watch_group = wishes[i].group ? wishes[i].group : GROUP_ANY,
			.actions = read_actions(wishes[i].actions, lists[i]),
		};
	}
	ck_assert_int_eq(ofbridge_group_mod(bridge, &mod), OF_OK);
}

#define BUCKETS(...)                                                                                                   \
	sizeof((const struct wish[]){__VA_ARGS__}) / sizeof(struct wish), (const struct wish[])                        \
	{                                                                                                              \
		__VA_ARGS__                                                                                            \
	}

/* Group 1: output 2 while port 2 is up, else 3. */
static void failover(void)
{
	group(0, 1, GROUP_TYPE_FF, BUCKETS({"output:2", 2, 0}, {"output:3", 3, 0}));
	rule("group:1");
	lab_settle(&lab);
}

static void link_is(uint16_t port, bool up_now)
{
	struct port_state state = lab.states[port];

	state.up = up_now;
	lab_port_is(&lab, port, &state);
}

/* Brings what was counted into the tallies. */
static const struct group *counted(uint32_t id)
{
	struct group *found = groups_find(ofbridge_groups(bridge), id);

	ofbridge_refresh_group(bridge, found);
	return found;
}

/* ---- frames ---- */

/* UDP over IPv4 by port 1, to a host of that number. */
static void make_frame(uint8_t host, uint8_t ttl, uint8_t frame[SIZE])
{
	static const uint8_t ip[] = {0x08, 0x00, 0x45, 0, 0, SIZE - 14, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0,
		2, 0x10, 0, 0x20, 0, 0, SIZE - 34, 0, 0};

	memset(frame, 0, SIZE);
	memcpy(frame, (uint8_t[6]){2, 0, 0, 0, 0, host}, 6);
	memcpy(frame + 6, (uint8_t[6]){2, 0, 0, 0, 0, 200}, 6);
	memcpy(frame + 12, ip, sizeof(ip));
	frame[22] = ttl;
}

static void go_up(const uint8_t frame[SIZE], enum sw_upcall reason)
{
	dp_memory_inject(lab.dp, 1, frame, SIZE, reason);
	upcall_run(up, lab.now_ns);
	lab_settle(&lab);
}

/* What the flow to this host does with its frame, which is counted; `flow` NULL: a miss. */
static struct dp_memory_hit arrive(uint8_t host)
{
	struct dp_memory_hit hit = {0};
	struct sw_headers headers;
	struct sw_key key;
	uint8_t frame[SIZE];

	make_frame(host, 64, frame);
	sw_extract(frame, frame + SIZE, IFINDEX_OF + 1, SW_KEY_WORDS, &key, &headers);
	if (!dp_memory_lookup(lab.dp, 0, &key, SIZE, &hit))
		go_up(frame, SW_UPCALL_MISS);
	return hit;
}

/* One flow for each host: a rule in front that looks at addresses, and matches none of these. */
static void warm_up(void)
{
	lab_look_at_addresses(&lab, true);
	for (uint8_t host = 0; host < N_FLOWS; host++)
		arrive(host);
	lab_settle(&lab);
	for (uint8_t host = 0; host < N_FLOWS; host++)
		ck_assert_ptr_nonnull(arrive(host).flow);
	dp_memory_forget_sent(lab.dp);
}

static void expect_step(const struct dp_memory_hit *hit, enum sw_op op, uint32_t arg)
{
	const struct sw_step *last;

	ck_assert_ptr_nonnull(hit->flow);
	last = &hit->program->steps[hit->program->n_steps - 1];
	ck_assert_int_eq(last->op, op);
	ck_assert_uint_eq(last->arg, arg);
}

static void expect_all(enum sw_op op, uint32_t arg)
{
	for (uint8_t host = 0; host < N_FLOWS; host++) {
		struct dp_memory_hit hit = arrive(host);

		ck_assert_int_eq(hit.flow->steps[0].op, SW_OP_FORK);
		expect_step(&hit, op, arg);
	}
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

/* ---- select ---- */

#define N_HOSTS 200

/* Group 1: outputs 2 to 5 by these weights, each while its port is up. */
static void spread(const uint16_t weights[4])
{
	struct action lists[4][16];
	struct bucket buckets[4];
	struct group_mod mod = {.type = GROUP_TYPE_SELECT, .id = 1, .n_buckets = 4, .buckets = buckets};
	char text[16];

	for (uint32_t i = 0; i < 4; i++) {
		snprintf(text, sizeof(text), "output:%u", i + 2);
		buckets[i] = (struct bucket){.weight = weights[i],
			.watch_port = i + 2,
			.watch_group = GROUP_ANY,
			.actions = read_actions(text, lists[i])};
	}
	ck_assert_int_eq(ofbridge_group_mod(bridge, &mod), OF_OK);
	rule("group:1");
	lab_settle(&lab);
}

/* The port to which the program sends what is for this host; 0: it drops it for want of a bucket. */
static uint32_t way_of(uint8_t host)
{
	struct dp_memory_hit hit = arrive(host);

	ck_assert_ptr_nonnull(hit.flow);
	ck_assert_int_eq(hit.flow->steps[0].op, SW_OP_FORK);
	if (hit.program->steps[0].op == SW_OP_OUTPUT)
		return hit.program->steps[0].arg;
	expect_step(&hit, SW_OP_DROP, SW_DROP_NO_BUCKET);
	return 0;
}

START_TEST(a_select_group_needs_one_flow_for_all_connections)
{
	static const uint16_t weights[] = {1, 1, 1, 0};
	uint32_t hits[N_PORTS + 1] = {0};

	open_lab();
	spread(weights);
	arrive(0);
	for (int host = 0; host < N_HOSTS; host++)
		hits[way_of((uint8_t)host)]++;
	ck_assert_uint_eq(cache_count(lab.cache), 1);
	ck_assert_uint_eq(lab.dp->memory.config->depth, SW_KEY_WORDS); /* for the hash, not for its mask */
	for (int i = 0; i < 20; i++)
		cache_sweep(lab.cache, lab.now_ns += SECOND);
	ck_assert_uint_eq(lab.dp->memory.config->depth, SW_KEY_WORDS);
	for (uint32_t port = 2; port <= 4; port++)
		ck_assert_uint_gt(hits[port], N_HOSTS / 5);
	ck_assert_uint_eq(hits[0] + hits[1] + hits[5], 0);
	ck_assert_uint_eq(counted(1)->tally.packets, N_HOSTS + 1);
	dp_memory_forget_sent(lab.dp);
	for (uint32_t i = 1; i < 4; i++) /* the first frame was sent by the daemon, to one of them */
		ck_assert_uint_le(counted(1)->buckets[i].tally.packets - hits[i + 2], 1);
	close_lab();
}
END_TEST

/* The first frame of a connection by the daemon, or a controller's, and the rest by the program. */
START_TEST(daemon_and_program_send_a_connection_the_same_way)
{
	static const uint16_t weights[] = {1, 2, 3, 4};
	struct action list[16];

	open_lab();
	spread(weights);
	for (int host = 0; host < N_HOSTS; host++) {
		struct actions out = read_actions("group:1", list);
		uint32_t by_daemon, by_controller;
		uint8_t frame[SIZE];

		cache_flush(lab.cache);
		lab_let_grace_pass(&lab);
		ck_assert_ptr_null(arrive((uint8_t)host).flow);
		ck_assert_uint_eq(dp_memory_n_sent(lab.dp), 1);
		by_daemon = dp_memory_sent(lab.dp, 0).port;
		dp_memory_forget_sent(lab.dp);
		make_frame((uint8_t)host, 64, frame);
		ck_assert_int_eq(ofbridge_packet_out(bridge, 1, &out, frame, SIZE), OF_OK);
		lab.dp->ops->flush(lab.dp);
		by_controller = dp_memory_sent(lab.dp, 0).port;
		dp_memory_forget_sent(lab.dp);
		ck_assert_uint_eq(way_of((uint8_t)host), by_daemon);
		ck_assert_uint_eq(by_controller, by_daemon);
	}
	close_lab();
}
END_TEST

START_TEST(only_the_connections_of_a_port_that_goes_move_and_they_come_back)
{
	static const uint16_t weights[] = {1, 2, 1, 1};
	uint8_t before[N_HOSTS];
	uint32_t n_moved = 0, epoch;

	open_lab();
	spread(weights);
	arrive(0);
	for (int host = 0; host < N_HOSTS; host++)
		before[host] = (uint8_t)way_of((uint8_t)host);
	epoch = lab.dp->memory.config->epoch;
	link_is(3, false);
	cache_fail_over(lab.cache);
	ck_assert_uint_ne(lab.dp->memory.config->epoch, epoch); /* the program may have noted where they went */
	for (int host = 0; host < N_HOSTS; host++) {
		uint32_t now = way_of((uint8_t)host);

		ck_assert(before[host] == 3 ? now && now != 3 : now == before[host]);
		n_moved += now != before[host];
	}
	ck_assert_uint_gt(n_moved, N_HOSTS / 5);
	lab_settle(&lab);
	link_is(3, true);
	lab_settle(&lab);
	for (int host = 0; host < N_HOSTS; host++)
		ck_assert_uint_eq(way_of((uint8_t)host), before[host]);
	for (uint16_t port = 2; port <= 5; port++)
		link_is(port, false);
	cache_fail_over(lab.cache);
	ck_assert_uint_eq(way_of(7), 0);
	link_is(4, true);
	lab_settle(&lab);
	ck_assert_uint_eq(way_of(7), 4);
	close_lab();
}
END_TEST

/* A share of less than one 64th is too small for the table. */
START_TEST(weights_that_are_too_uneven_take_a_flow_for_each_connection)
{
	static const uint16_t uneven[] = {1, 100, 1, 1};

	open_lab();
	spread(uneven);
	arrive(0);
	lab_let_grace_pass(&lab); /* from here on the program parses for it */
	for (uint8_t host = 0; host < 10; host++)
		arrive(host);
	for (uint8_t host = 0; host < 10; host++)
		ck_assert_int_eq(arrive(host).flow->steps[0].op, SW_OP_OUTPUT);
	ck_assert_uint_eq(cache_count(lab.cache), 10);
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
	SRunner *runner;
	int n_failed;

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
	tcase_add_test(t, groups_behind_a_meter_are_decided_when_flows_are_asked);
	tcase_add_test(t, what_has_a_meter_behind_a_group_goes_up);
	tcase_add_test(t, more_groups_than_the_program_has_room_for_are_decided_when_flows_are_asked);
	tcase_add_test(t, each_bucket_counts_what_took_it);
	tcase_add_test(t, flows_of_equal_branches_count_each_for_its_own);
	tcase_add_test(t, a_group_that_changes_gives_its_flows_a_new_fork);
	tcase_add_test(t, flows_follow_a_group_behind_a_bucket);
	tcase_add_test(t, a_select_group_needs_one_flow_for_all_connections);
	tcase_add_test(t, daemon_and_program_send_a_connection_the_same_way);
	tcase_add_test(t, only_the_connections_of_a_port_that_goes_move_and_they_come_back);
	tcase_add_test(t, weights_that_are_too_uneven_take_a_flow_for_each_connection);
	tcase_add_test(t, a_fork_outlives_its_daemon);
	tcase_add_loop_test(t, a_fork_that_contradicts_itself_is_not_adopted, 0, 9);
	tcase_add_test(t, a_fork_says_where_it_leads);
	suite_add_tcase(suite, t);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? 1 : 0;
}
