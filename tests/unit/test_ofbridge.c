/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bridge under OpenFlow, over the in-memory datapath: what becomes of frames, what a controller hears, and that every
 * frame is counted once, by the cache or by the daemon (S1).
 */
#include "bpf/extract.h"
#include "dataplane/complaint.h"
#include "dataplane/counters.h"
#include "dataplane/execute.h"
#include "dataplane/meter_slots.h"
#include "dataplane/ofbridge.h"
#include "dataplane/program.h"
#include "dataplane/upcall.h"

#include "tests/unit/cache_lab.h"
#include "tests/unit/seeded.h"

#include "dataplane/table.h"

#include <endian.h>

#define PORT_1 1
#define SIZE   64

static struct lab lab;
static struct upcall *up;
static struct ofbridge *bridge;

/* What the controller heard last, and how often. */
static struct {
	uint32_t n_packet_ins, n_removed, n_ports;
	uint64_t digest; /* of all packet-ins */
	struct packet_in in;
	uint8_t frame[2048];
	uint64_t removed_packets, removed_bytes, removed_cookie;
	uint8_t removed_end;
	enum port_change change;
	struct of_port_desc desc;
	char changes[100]; /* "-2 +3 ": of ports, in order */
	bool deaf;
} heard;

static void digest(const void *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		heard.digest = (heard.digest ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3ULL;
}

static bool packet_in(void *ctx, const struct packet_in *in)
{
	if (heard.deaf)
		return false;
	digest(&in->reason, sizeof(in->reason));
	digest(&in->table_id, sizeof(in->table_id));
	digest(&in->max_len, sizeof(in->max_len));
	digest(&in->cookie, sizeof(in->cookie));
	digest(&in->flow, sizeof(in->flow));
	digest(in->frame, in->size);
	heard.n_packet_ins++;
	heard.in = *in;
	memcpy(heard.frame, in->frame, in->size < sizeof(heard.frame) ? in->size : sizeof(heard.frame));
	return true;
}

static void flow_removed(void *ctx, const struct rule *rule)
{
	heard.n_removed++;
	heard.removed_packets = rule->tally.packets;
	heard.removed_bytes = rule->tally.bytes;
	heard.removed_cookie = rule->cookie;
	heard.removed_end = rule->end;
}

static void port_changed(void *ctx, enum port_change change, const struct of_port_desc *desc)
{
	const char sign[] = {[PORT_CHANGE_ADD] = '+', [PORT_CHANGE_DELETE] = '-', [PORT_CHANGE_MODIFY] = '!'};
	size_t used = strlen(heard.changes);

	heard.n_ports++;
	heard.change = change;
	heard.desc = *desc;
	snprintf(heard.changes + used, sizeof(heard.changes) - used, "%c%u ", sign[change], desc->number);
}

static void open_lab(void)
{
	const struct ofbridge_events events = {NULL, packet_in, flow_removed, port_changed};

	memset(&heard, 0, sizeof(heard));
	lab_open(&lab, 4096, 4);
	dp_memory_end_grace_at_once(lab.dp, false);
	up = upcall_create(lab.dp, lab.pl, lab.fdb, lab.cache, ofbridges_executor(lab.bridges));
	ck_assert_ptr_nonnull(up);
	bridge = ofbridges_get(lab.bridges, 1);
	ofbridge_listen(bridge, &events);
	tables_flush(ofbridge_tables(bridge), RULE_DELETE);
	lab_settle(&lab);
	memset(&heard, 0, sizeof(heard));
}

static void close_lab(void)
{
	upcall_destroy(up);
	lab_close(&lab);
}

/* ---- rules in words ---- */

static struct actions read_actions(const char *text, struct action list[16])
{
	struct flow_names names = pipeline_of_names(pipeline_bridge(lab.pl, 1));
	struct complaint complaint = {""};
	struct actions actions;

	ck_assert_msg(!actions_parse(text, &names, list, 16, &actions, &complaint), "'%s': %s", text, complaint.text);
	return actions;
}

struct words {
	const char *match, *apply, *write; /* NULL: any, none */
	uint16_t priority, idle_s, hard_s, flags;
	uint8_t table, go_to; /* go_to 0: no further */
	uint32_t meter;
	uint64_t metadata, metadata_mask, cookie;
	uint8_t command;
	enum of_err expected;
};

static void flow_mod(const struct words *words)
{
	struct flow_names names = pipeline_of_names(pipeline_bridge(lab.pl, 1));
	struct action apply_list[16], write_list[16];
	struct actions apply = read_actions(words->apply ? words->apply : "drop", apply_list),
		       write = read_actions(words->write ? words->write : "drop", write_list);
	struct instructions rest = {
		.goes_on = words->go_to,
		.goto_table = words->go_to,
		.meter = words->meter,
		.writes_metadata = words->metadata_mask,
		.metadata = words->metadata,
		.metadata_mask = words->metadata_mask,
	};
	struct flow_mod mod = {
		.command = words->command,
		.table_id = words->table,
		.priority = words->priority,
		.idle_s = words->idle_s,
		.hard_s = words->hard_s,
		.flags = words->flags,
		.cookie = words->cookie,
		.out_port = OF_PORT_ANY,
		.out_group = GROUP_ANY,
	};
	struct complaint complaint = {""};

	if (words->match)
		ck_assert_msg(!flow_parse(words->match, &names, &mod.match, &complaint), "%s", complaint.text);
	mod.instructions = instructions_create(&rest, &apply, &write);
	ck_assert_int_eq(ofbridge_flow_mod(bridge, &mod), words->expected);
	free(mod.instructions);
}

#define FLOW(...) flow_mod(&(struct words){__VA_ARGS__})

static void group_mod(uint8_t command, uint32_t id, uint8_t type, const char *first, const char *second)
{
	struct action lists[2][16];
	struct bucket buckets[2] = {{.watch_port = OF_PORT_ANY, .watch_group = GROUP_ANY},
		{.watch_port = OF_PORT_ANY, .watch_group = GROUP_ANY}};
	struct group_mod mod = {.command = command, .type = type, .id = id, .buckets = buckets};

	if (first)
		buckets[mod.n_buckets++].actions = read_actions(first, lists[0]);
	if (second)
		buckets[mod.n_buckets++].actions = read_actions(second, lists[1]);
	for (uint32_t i = 0; type == GROUP_TYPE_FF && i < mod.n_buckets; i++)
		buckets[i].watch_port = buckets[i].actions.list[0].arg;
	for (int i = 0; type == GROUP_TYPE_SELECT && i < 2; i++)
		buckets[i].weight = 1;
	ck_assert_int_eq(ofbridge_group_mod(bridge, &mod), OF_OK);
}

/* A fast failover of two buckets: the first is live if the group `watched` is, the second by its port. */
static void watch_group(uint32_t id, uint32_t watched, const char *first, const char *second)
{
	struct action lists[2][16];
	struct bucket buckets[2] = {{.watch_port = OF_PORT_ANY, .watch_group = watched},
		{.watch_port = OF_PORT_ANY, .watch_group = GROUP_ANY}};
	const struct group_mod mod = {.type = GROUP_TYPE_FF, .id = id, .n_buckets = 2, .buckets = buckets};

	buckets[0].actions = read_actions(first, lists[0]);
	buckets[1].actions = read_actions(second, lists[1]);
	buckets[1].watch_port = buckets[1].actions.list[0].arg;
	ck_assert_int_eq(ofbridge_group_mod(bridge, &mod), OF_OK);
}

/* ---- frames ---- */

/* UDP over IPv4 of SIZE bytes, from host to host. */
static void make_frame(uint8_t src, uint8_t dst, uint8_t frame[SIZE])
{
	static const uint8_t ip[] = {0x08, 0x00, 0x45, 0, 0, SIZE - 14, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0,
		2, 0x10, 0, 0x20, 0, 0, SIZE - 34, 0, 0};

	memset(frame, 0, SIZE);
	memcpy(frame, (uint8_t[6]){2, 0, 0, 0, 0, dst}, 6);
	memcpy(frame + 6, (uint8_t[6]){2, 0, 0, 0, 0, src}, 6);
	memcpy(frame + 12, ip, sizeof(ip));
}

static void run_up(void)
{
	upcall_run(up, lab.now_ns);
	lab_settle(&lab);
}

/* What the meter of the flow that was hit last said. */
static bool last_passed;

/* A frame comes in by the port: hits the cache and is counted there, or goes up. True: it hit. */
static bool arrive(uint16_t port, const uint8_t frame[SIZE])
{
	struct dp_memory_hit hit;
	struct sw_headers headers;
	struct sw_key key;

	sw_extract(frame, frame + SIZE, IFINDEX_OF + port, SW_KEY_WORDS, &key, &headers);
	if (!dp_memory_lookup(lab.dp, 0, &key, SIZE, &hit)) {
		dp_memory_inject(lab.dp, port, frame, SIZE, SW_UPCALL_MISS);
		run_up();
		return false;
	}
	if (hit.flow->steps[0].op == SW_OP_METER)
		last_passed = dp_memory_meter(lab.dp, 0, &hit, SIZE, lab.now_ns);
	if (hit.program->steps[0].op == SW_OP_TELL) {
		dp_memory_tell(lab.dp, port, frame, SIZE, 0);
		run_up();
	}
	if (hit.flow->steps[0].op == SW_OP_UPCALL) {
		dp_memory_inject(lab.dp, port, frame, SIZE, SW_UPCALL_ACTION);
		run_up();
	}
	return true;
}

/* The frame hits a flow that sends it out of that port. */
static void cache_expect_output(uint16_t port, const uint8_t frame[SIZE], uint32_t out)
{
	struct dp_memory_hit hit;
	struct sw_headers headers;
	struct sw_key key;

	sw_extract(frame, frame + SIZE, IFINDEX_OF + port, SW_KEY_WORDS, &key, &headers);
	ck_assert(dp_memory_lookup(lab.dp, 0, &key, SIZE, &hit));
	ck_assert_int_eq(hit.program->steps[0].op, SW_OP_OUTPUT);
	ck_assert_uint_eq(hit.program->steps[0].arg, out);
}

/* The frame hits a flow that rewrites, and is counted there. */
static void hit_rewritten(uint16_t port, const uint8_t frame[SIZE])
{
	struct dp_memory_hit hit;
	struct sw_headers headers;
	struct sw_key key;

	sw_extract(frame, frame + SIZE, IFINDEX_OF + port, SW_KEY_WORDS, &key, &headers);
	ck_assert(dp_memory_lookup(lab.dp, 0, &key, SIZE, &hit));
	ck_assert_int_eq(hit.flow->steps[0].op, SW_OP_REWRITE);
}

/* `reason`: why the program sends it up nevertheless. */
static void arrive_rewritten(uint16_t port, const uint8_t frame[SIZE], enum sw_upcall reason)
{
	hit_rewritten(port, frame);
	if (reason != SW_UPCALL_NONE) {
		dp_memory_inject(lab.dp, port, frame, SIZE, reason);
		run_up();
	}
}

/* "2 3": the ports that got something since the last call, in order. */
static const char *sent(void)
{
	static char text[4096];
	size_t n = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < dp_memory_n_sent(lab.dp); i++)
		n += (size_t)sprintf(text + n, "%s%u", i ? " " : "", dp_memory_sent(lab.dp, i).port);
	dp_memory_forget_sent(lab.dp);
	return text;
}

static const struct rule *first_rule(uint8_t table)
{
	struct rule *rule = tables_table(ofbridge_tables(bridge), table)->first;

	ck_assert_ptr_nonnull(rule);
	ofbridge_refresh_rule(bridge, rule);
	return rule;
}

static uint64_t drops_of(enum sw_drop reason)
{
	uint64_t sum = 0;

	for (uint16_t port = 0; port <= 4; port++)
		sum += counters_read_drop(&lab.dp->memory, port, reason);
	return sum;
}

/* What the program does with it. */
static const char *steps_of_the_flow(const uint8_t frame[SIZE])
{
	static char text[200];
	struct dp_memory_hit hit;
	struct sw_headers headers;
	struct sw_key key;

	sw_extract(frame, frame + SIZE, IFINDEX_OF + PORT_1, SW_KEY_WORDS, &key, &headers);
	ck_assert(dp_memory_lookup(lab.dp, 1, &key, SIZE, &hit));
	*dp_flow_stats(&lab.dp->memory, 1, hit.slot) = (struct sw_flow_stats){0};
	program_format(lab.pl, lab.sets, hit.flow->steps, hit.flow->n_steps, text, sizeof(text));
	return text;
}

/* ---- counting ---- */

/* The first comes up and is counted by the daemon, the others by the cache. */
START_TEST(a_rule_counts_each_frame_once_wherever_it_went)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	FLOW(.match = "eth_type=0x0800", .apply = "output:2", .priority = 5);
	lab_settle(&lab);
	for (int i = 0; i < 10; i++)
		arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "2");
	ck_assert_uint_eq(first_rule(0)->tally.packets, 10);
	ck_assert_uint_eq(first_rule(0)->tally.bytes, 10 * SIZE);
	ck_assert_uint_eq(tables_table(ofbridge_tables(bridge), 0)->matched.packets, 10);
	ck_assert_uint_eq(tables_table(ofbridge_tables(bridge), 0)->missed.packets, 0);
}
END_TEST

START_TEST(what_only_the_daemon_can_do_is_counted_by_it_alone)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	FLOW(.match = "eth_type=0x0800",
		.apply = "pop_pbb,pop_pbb,pop_pbb,pop_pbb,pop_pbb,pop_pbb,pop_pbb,pop_pbb,output:2");
	lab_settle(&lab);
	for (int i = 0; i < 10; i++)
		ck_assert(arrive(PORT_1, frame) == (i > 0));
	ck_assert_str_eq(sent(), "2 2 2 2 2 2 2 2 2 2");
	ck_assert_uint_eq(first_rule(0)->tally.packets, 10);
}
END_TEST

/* What is done to a frame that nobody gets need not be done. */
START_TEST(what_is_rewritten_and_then_dropped_is_dropped_in_the_program)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	FLOW(.match = "eth_type=0x0800", .apply = "set_field:5->ip_dscp", .go_to = 1, .table = 0);
	lab_settle(&lab);
	arrive(PORT_1, frame);
	ck_assert(arrive(PORT_1, frame));
	ck_assert_str_eq(steps_of_the_flow(frame), "drop:table_miss");
	ofbridge_refresh(bridge);
	ck_assert_uint_eq(tables_table(ofbridge_tables(bridge), 1)->missed.packets, 2);
}
END_TEST

START_TEST(a_table_without_a_rule_for_it_counts_the_frame_as_missed)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	for (int i = 0; i < 5; i++)
		arrive(PORT_1, frame);
	ofbridge_refresh(bridge);
	ck_assert_uint_eq(tables_table(ofbridge_tables(bridge), 0)->missed.packets, 5);
	ck_assert_uint_eq(drops_of(SW_DROP_TABLE_MISS), 1); /* the others were the program's */
	ck_assert_str_eq(sent(), "");
}
END_TEST

/* What a program run that began before counts late is in it too. */
START_TEST(a_removed_rule_is_told_of_with_its_final_count)
{
	uint8_t frame[SIZE];
	struct dp_memory_hit hit;
	struct sw_headers headers;
	struct sw_key key;

	make_frame(1, 2, frame);
	FLOW(.match = "eth_type=0x0800", .apply = "output:2", .flags = RULE_SEND_FLOW_REM, .cookie = 77);
	lab_settle(&lab);
	for (int i = 0; i < 10; i++)
		arrive(PORT_1, frame);
	sw_extract(frame, frame + SIZE, IFINDEX_OF + PORT_1, SW_KEY_WORDS, &key, &headers);
	ck_assert(dp_memory_lookup(lab.dp, 0, &key, SIZE, &hit));
	FLOW(.command = FLOW_DELETE);
	lab_settle(&lab);
	ck_assert(!dp_memory_lookup(lab.dp, 0, &key, SIZE, &hit)); /* C3: a barrier could be answered now */
	ck_assert_uint_eq(heard.n_removed, 0);
	dp_flow_stats(&lab.dp->memory, 0, hit.slot)->packets++; /* late, by a run that has found the slot before */
	dp_flow_stats(&lab.dp->memory, 0, hit.slot)->bytes += SIZE;
	while (dp_memory_end_grace(lab.dp))
		;
	ck_assert_uint_eq(heard.n_removed, 1);
	ck_assert_uint_eq(heard.removed_packets, 12);
	ck_assert_uint_eq(heard.removed_bytes, 12 * SIZE);
	ck_assert_uint_eq(heard.removed_cookie, 77);
	ck_assert_int_eq(heard.removed_end, RULE_DELETE);
}
END_TEST

static void add_packets(void *ctx, const struct cache_view *view)
{
	*(uint64_t *)ctx += view->packets;
}

/* Who reads a rule's count in the meantime takes nothing from that of the flow. */
START_TEST(a_flow_shows_what_its_last_slot_counted_late)
{
	uint8_t frame[SIZE];
	struct dp_memory_hit hit;
	struct sw_headers headers;
	struct sw_key key;
	uint64_t shown = 0;

	make_frame(1, 2, frame);
	FLOW(.apply = "output:2");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	sw_extract(frame, frame + SIZE, IFINDEX_OF + PORT_1, SW_KEY_WORDS, &key, &headers);
	ck_assert(dp_memory_lookup(lab.dp, 0, &key, SIZE, &hit));
	FLOW(.apply = "output:3");
	lab_settle(&lab);
	dp_flow_stats(&lab.dp->memory, 0, hit.slot)->packets++; /* by a run that has found the slot before */
	ck_assert_uint_eq(first_rule(0)->tally.packets, 3);
	lab_let_grace_pass(&lab);
	cache_each(lab.cache, lab.now_ns, add_packets, &shown);
	ck_assert_uint_eq(shown, 2);
	ck_assert_uint_eq(first_rule(0)->tally.packets, 3);
}
END_TEST

START_TEST(a_rule_that_no_flow_counts_for_is_told_of_at_once)
{
	FLOW(.apply = "output:2", .flags = RULE_SEND_FLOW_REM);
	FLOW(.command = FLOW_DELETE);
	lab_settle(&lab);
	ck_assert_uint_eq(heard.n_removed, 1);
	ck_assert_uint_eq(heard.removed_packets, 0);
}
END_TEST

START_TEST(a_rule_that_did_not_ask_is_not_told_of)
{
	FLOW(.apply = "output:2");
	FLOW(.command = FLOW_DELETE);
	lab_settle(&lab);
	ck_assert_uint_eq(heard.n_removed, 0);
}
END_TEST

/* Its idle time is that of the flows that count for it. */
START_TEST(a_rule_whose_flows_are_used_is_not_idle)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	FLOW(.apply = "output:2", .idle_s = 5, .flags = RULE_SEND_FLOW_REM);
	for (int second = 0; second < 10; second++) {
		arrive(PORT_1, frame);
		lab.now_ns += 1000000000ULL;
		lab_settle(&lab);
	}
	ck_assert_uint_eq(tables_count(ofbridge_tables(bridge)), 1);
	for (int second = 0; second < 7; second++) {
		lab.now_ns += 1000000000ULL;
		lab_settle(&lab);
	}
	while (dp_memory_end_grace(lab.dp))
		;
	ck_assert_uint_eq(tables_count(ofbridge_tables(bridge)), 0);
	ck_assert_uint_eq(heard.n_removed, 1);
	ck_assert_int_eq(heard.removed_end, RULE_IDLE_TIMEOUT);
	ck_assert_uint_eq(heard.removed_packets, 10);
}
END_TEST

/* ---- what a change leaves alone ---- */

START_TEST(only_flows_that_a_new_rule_concerns_are_asked)
{
	uint8_t frame[SIZE];
	uint64_t asked;

	FLOW(.match = "eth_dst=02:00:00:00:00:02", .apply = "output:2", .priority = 5);
	FLOW(.match = "eth_dst=02:00:00:00:00:03", .apply = "output:3", .priority = 5);
	lab_settle(&lab);
	for (uint8_t host = 2; host <= 3; host++) {
		make_frame(1, host, frame);
		arrive(PORT_1, frame);
		ck_assert(arrive(PORT_1, frame));
	}
	asked = cache_totals(lab.cache)->asked;
	FLOW(.match = "eth_dst=02:00:00:00:00:09", .apply = "output:4", .priority = 5);
	lab_settle(&lab);
	ck_assert_uint_eq(cache_totals(lab.cache)->asked, asked);
	FLOW(.match = "eth_dst=02:00:00:00:00:03", .apply = "output:4", .priority = 7);
	lab_settle(&lab);
	ck_assert_uint_eq(cache_totals(lab.cache)->asked, asked + 1);
	ck_assert_uint_eq(cache_count(lab.cache), 2);
	sent();
	make_frame(1, 3, frame);
	ck_assert(arrive(PORT_1, frame));
	FLOW(.command = FLOW_DELETE_STRICT, .match = "eth_dst=02:00:00:00:00:03", .priority = 7);
	lab_settle(&lab);
	ck_assert_uint_eq(cache_totals(lab.cache)->asked, asked + 2);
}
END_TEST

/* Among many, a flow is found by the key that it must have. */
START_TEST(a_new_rule_finds_the_flow_that_it_concerns_among_many)
{
	uint8_t frame[SIZE];
	uint64_t asked;

	for (int host = 0; host < 200; host++) {
		char match[64];

		sprintf(match, "eth_dst=02:00:00:00:00:%02x", host);
		FLOW(.match = match, .apply = "output:2", .priority = 5);
	}
	lab_settle(&lab);
	for (uint8_t host = 0; host < 200; host++) {
		make_frame(1, host, frame);
		arrive(PORT_1, frame);
		arrive(3, frame);
	}
	ck_assert_uint_eq(cache_count(lab.cache), 400);
	asked = cache_totals(lab.cache)->asked;
	FLOW(.match = "eth_dst=02:00:00:00:00:07,eth_src=02:00:00:00:00:01", .apply = "output:4", .priority = 7);
	lab_settle(&lab);
	ck_assert_uint_eq(cache_totals(lab.cache)->asked, asked + 2);
	FLOW(.match = "eth_dst=02:00:00:00:00:07", .apply = "output:4", .priority = 9);
	lab_settle(&lab);
	sent();
	make_frame(1, 7, frame);
	arrive(PORT_1, frame);
	arrive(3, frame);
	cache_flush(lab.cache);
	sent();
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "4");
	FLOW(.match = "in_port=3", .apply = "output:1", .priority = 11); /* of all that came in there */
	asked = cache_totals(lab.cache)->asked;
	lab_settle(&lab);
	ck_assert_uint_eq(cache_totals(lab.cache)->asked, asked + cache_count(lab.cache));
}
END_TEST

/* ---- a restart ---- */

/* The daemon died and its successor has the ports, and no rules but a bridge's first. */
static void restart(void)
{
	upcall_destroy(up);
	strcpy(lab.dp->memory.registry->bridge[1].name, "br1");
	lab_restart(&lab);
	up = upcall_create(lab.dp, lab.pl, lab.fdb, lab.cache, ofbridges_executor(lab.bridges));
	bridge = ofbridges_get(lab.bridges, 1);
	tables_flush(ofbridge_tables(bridge), RULE_DELETE);
	lab_settle(&lab);
}

START_TEST(flows_of_a_steered_bridge_go_on_until_its_rules_are_back)
{
	uint8_t frame[SIZE], other[SIZE];

	make_frame(1, 2, frame);
	make_frame(1, 3, other);
	FLOW(.match = "eth_dst=02:00:00:00:00:02", .apply = "output:2", .priority = 5);
	FLOW(.match = "eth_dst=02:00:00:00:00:03", .apply = "output:3", .priority = 5);
	arrive(PORT_1, frame);
	arrive(PORT_1, other);
	ck_assert_uint_eq(cache_count(lab.cache), 2);
	restart();
	ck_assert_uint_eq(cache_count(lab.cache), 2);
	ck_assert(arrive(PORT_1, frame) && arrive(PORT_1, other));
	ofbridge_barrier(bridge); /* of a controller that has not given any rules yet */
	lab_settle(&lab);
	ck_assert_uint_eq(cache_count(lab.cache), 2);
	FLOW(.match = "eth_dst=02:00:00:00:00:02", .apply = "output:2", .priority = 5);
	lab_settle(&lab);
	ck_assert(arrive(PORT_1, other));
	ofbridge_barrier(bridge);
	lab_settle(&lab);
	ck_assert(!arrive(PORT_1, other));
	arrive(PORT_1, frame);
	ck_assert(arrive(PORT_1, frame));
	ck_assert_uint_eq(first_rule(0)->tally.packets, 2);
}
END_TEST

/* A held flow that is in use moves home when there is room, and is held there. */
START_TEST(a_held_flow_that_moves_is_asked_with_the_others)
{
	uint8_t frame[SIZE];
	uint64_t asked;

	FLOW(.apply = "output:2");
	FLOW(.match = "eth_dst=02:00:00:00:00:ff,eth_src=02:00:00:00:00:ff", .apply = "output:2", .priority = 5);
	lab_settle(&lab);
	for (uint8_t host = 1; host <= 200; host++) {
		make_frame(host, host, frame);
		arrive(PORT_1, frame);
		arrive(2, frame);
	}
	ck_assert_uint_gt(cache_count(lab.cache), 300);
	restart();
	for (int second = 0; second < 15; second++) {
		lab.now_ns += SECOND;
		for (uint8_t host = 1; host <= 200; host += 4) {
			make_frame(host, host, frame);
			arrive(PORT_1, frame);
		}
		cache_sweep(lab.cache, lab.now_ns);
		lab_let_grace_pass(&lab);
		lab_settle(&lab);
	}
	asked = cache_totals(lab.cache)->asked;
	ck_assert_uint_lt(cache_count(lab.cache), 60);
	FLOW(.apply = "output:3");
	ofbridge_barrier(bridge);
	lab_settle(&lab);
	ck_assert_uint_gt(cache_totals(lab.cache)->asked, asked);
	for (uint8_t host = 1; host <= 200; host += 4) {
		make_frame(host, host, frame);
		arrive(PORT_1, frame);
		arrive(PORT_1, frame);
		cache_expect_output(PORT_1, frame, 3);
	}
}
END_TEST

/* What was for the one must not go to the other, who has its id. */
START_TEST(held_flows_do_not_outlive_a_port)
{
	const struct port_state state = {.ifindex = 999, .up = true, .fast = true, .sg = true, .max_frame = 1518};
	uint8_t frame[SIZE];
	uint16_t given;

	make_frame(1, 2, frame);
	FLOW(.apply = "output:2");
	arrive(PORT_1, frame);
	restart();
	ck_assert(arrive(PORT_1, frame));
	lab.dp->ops->port_remove(lab.dp, 2);
	pipeline_port_remove(lab.pl, 2);
	ck_assert_int_eq(pipeline_port_add(lab.pl, 1, "stranger", 0, &given, NULL), 0);
	ck_assert_uint_eq(given, 2);
	lab_port_is(&lab, 2, &state);
	lab_settle(&lab);
	ck_assert(!arrive(PORT_1, frame));
	ck_assert_str_eq(sent(), "");
}
END_TEST

/* Controllers come back with port-mods before their rules: these hold at once, and for nobody else. */
START_TEST(held_flows_obey_a_port_mod)
{
	static const uint8_t mac[6] = {0};
	uint8_t to_2[SIZE], to_3[SIZE], to_all[SIZE];

	make_frame(1, 2, to_2);
	make_frame(1, 3, to_3);
	make_frame(1, 4, to_all);
	FLOW(.match = "eth_dst=02:00:00:00:00:02", .apply = "output:2", .priority = 5);
	FLOW(.match = "eth_dst=02:00:00:00:00:03", .apply = "output:3", .priority = 5);
	FLOW(.match = "eth_dst=02:00:00:00:00:04", .apply = "ALL", .priority = 5);
	arrive(PORT_1, to_2);
	arrive(PORT_1, to_3);
	arrive(PORT_1, to_all);
	arrive(4, to_3);
	sent();
	restart();
	ck_assert(arrive(PORT_1, to_2) && arrive(PORT_1, to_3) && arrive(PORT_1, to_all) && arrive(4, to_3));
	ck_assert_int_eq(ofbridge_port_mod(bridge, 2, mac, OF_PORT_CONFIG_DOWN, OF_PORT_CONFIG_DOWN), OF_OK);
	lab_settle(&lab);
	ck_assert(!arrive(PORT_1, to_2));
	ck_assert(!arrive(PORT_1, to_all));
	ck_assert_str_eq(sent(), "");
	cache_expect_output(PORT_1, to_3, 3);
	ck_assert_int_eq(ofbridge_port_mod(bridge, 1, mac, OF_PORT_CONFIG_NO_RECV, OF_PORT_CONFIG_NO_RECV), OF_OK);
	lab_settle(&lab);
	ck_assert(!arrive(PORT_1, to_3));
	cache_expect_output(4, to_3, 3);
	ck_assert_int_eq(ofbridge_port_mod(bridge, 3, mac, OF_PORT_CONFIG_NO_FWD, OF_PORT_CONFIG_NO_FWD), OF_OK);
	lab_settle(&lab);
	ck_assert(!arrive(4, to_3));
	ck_assert_str_eq(sent(), "");
}
END_TEST

/* It gives and takes nothing anyway, and may be back before the rules are. */
START_TEST(held_flows_outlive_a_link_that_flaps)
{
	struct port_state down = lab.states[2], was = down;
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	FLOW(.apply = "output:2");
	arrive(PORT_1, frame);
	restart();
	down.up = false;
	lab_port_is(&lab, 2, &down);
	lab_settle(&lab);
	lab_port_is(&lab, 2, &was);
	lab_settle(&lab);
	cache_expect_output(PORT_1, frame, 2);
}
END_TEST

START_TEST(flows_of_a_steered_bridge_do_not_wait_for_ever)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	FLOW(.apply = "output:2");
	arrive(PORT_1, frame);
	restart();
	lab.now_ns += 29000000000ULL;
	lab_settle(&lab);
	ck_assert(arrive(PORT_1, frame));
	lab.now_ns += 1000000000ULL;
	lab_settle(&lab);
	ck_assert_uint_eq(cache_count(lab.cache), 0);
}
END_TEST

START_TEST(flows_of_a_bridge_that_nobody_steered_are_asked_at_once)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	ofbridge_set_standalone(bridge, true);
	lab_settle(&lab);
	arrive(PORT_1, frame);
	ck_assert_uint_eq(cache_count(lab.cache), 1);
	restart();
	ck_assert(!arrive(PORT_1, frame));
}
END_TEST

/* To NORMAL a frame with an 802.1ad tag is an untagged one, to a rule it has a VLAN. */
static void expect_service_tag_is_found(uint8_t n_others)
{
	static const uint8_t tag[] = {0x88, 0xa8, 0, 2};
	uint8_t frame[SIZE], other[SIZE];
	char match[64];

	make_frame(1, 9, frame);
	memmove(frame + 16, frame + 12, SIZE - 16);
	memcpy(frame + 12, tag, sizeof(tag));
	FLOW(.apply = "NORMAL");
	for (uint8_t host = 10; host < 10 + n_others; host++) {
		sprintf(match, "eth_dst=02:00:00:00:00:%02x", host);
		FLOW(.match = match, .apply = "output:2", .priority = 9);
	}
	lab_settle(&lab);
	arrive(PORT_1, frame);
	for (uint8_t host = 10; host < 10 + n_others; host++) {
		make_frame(1, host, other);
		arrive(PORT_1, other);
	}
	sent();
	ck_assert(arrive(PORT_1, frame));
	ck_assert_str_eq(sent(), "");
	FLOW(.match = "eth_dst=02:00:00:00:00:09,vlan_vid=2", .priority = 5);
	lab_settle(&lab);
	ck_assert(!arrive(PORT_1, frame));
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "");
}

START_TEST(a_new_rule_finds_frames_with_a_service_tag_among_those_without_a_tag)
{
	expect_service_tag_is_found(0);
}
END_TEST

START_TEST(a_new_rule_finds_frames_with_a_service_tag_by_their_key)
{
	expect_service_tag_is_found(60);
	ck_assert_uint_gt(cache_count(lab.cache), 50);
}
END_TEST

/* To tell ARP frames by their sender takes the frame; without the rule that wants it the fast path does. */
START_TEST(flows_come_back_to_the_fast_path_when_the_rule_that_kept_them_off_it_goes)
{
	static const uint8_t arp[] = {8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1};
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	memcpy(frame + 12, arp, sizeof(arp));
	FLOW(.apply = "output:2");
	FLOW(.match = "eth_type=0x0806,arp_sha=02:00:00:00:00:09", .apply = "output:3", .priority = 5);
	lab_settle(&lab);
	arrive(PORT_1, frame);
	ck_assert(arrive(PORT_1, frame));
	ck_assert_str_eq(sent(), "2 2"); /* both by the daemon */
	FLOW(.command = FLOW_DELETE_STRICT, .match = "eth_type=0x0806,arp_sha=02:00:00:00:00:09", .priority = 5);
	lab_settle(&lab);
	for (int i = 0; i < 4; i++)
		arrive(PORT_1, frame);
	cache_expect_output(PORT_1, frame, 2);
	ck_assert_uint_eq(first_rule(0)->tally.packets, 7);
}
END_TEST

/* ---- the daemon's part ---- */

START_TEST(the_controller_gets_the_frame_with_where_it_came_from)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	FLOW(.go_to = 1, .metadata = 5, .metadata_mask = 0xff);
	FLOW(.table = 1, .apply = "CONTROLLER:100", .cookie = 9, .priority = 1, .match = "eth_type=0x0800");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	ck_assert_uint_eq(heard.n_packet_ins, 1);
	ck_assert_uint_eq(heard.in.table_id, 1);
	ck_assert_int_eq(heard.in.reason, PACKET_IN_ACTION);
	ck_assert_uint_eq(heard.in.cookie, 9);
	ck_assert_uint_eq(heard.in.max_len, 100);
	ck_assert_uint_eq(heard.in.flow.x.f.in_ifindex, PORT_1);
	ck_assert_uint_eq(be64toh(heard.in.flow.x.metadata_be), 5);
	ck_assert_uint_eq(heard.in.size, SIZE);
	ck_assert_mem_eq(heard.frame, frame, SIZE);
	ck_assert_uint_eq(drops_of(SW_DROP_NO_CONTROLLER), 0);
	heard.deaf = true;
	arrive(PORT_1, frame);
	ck_assert_uint_eq(drops_of(SW_DROP_NO_CONTROLLER), 1);
}
END_TEST

/* The first frame comes up whole, of the second a copy does; group 1 has two buckets, 2 one of two. */
static const struct telling {
	const char *actions, *steps;
	uint32_t n_told;
} tellings[] = {
	{"output:2,CONTROLLER", "controller,output:p2", 1},
	{"CONTROLLER:20,output:2", "controller,output:p2", 1},
	{"output:2,output:3,CONTROLLER", "controller,broadcast:p2+p3", 1},
	{"set_field:02:00:00:00:00:77->eth_dst,CONTROLLER,output:2",
		"controller,rewrite:[set_field:02:00:00:00:00:77->eth_dst],output:p2", 1},
	{"CONTROLLER,dec_ttl,CONTROLLER:9,output:2", "controller,rewrite:[dec_ttl],output:p2", 2},
	{"output:2,push_vlan:0x8100,set_field:7->vlan_vid,CONTROLLER", "controller,output:p2", 1},
	{"group:1,output:3", "controller,broadcast:p2+p3", 1},
	{"group:2,CONTROLLER", "failover:2[*controller,output:p2|controller,output:p3|upcall:branch]", 1},
	{"NORMAL,CONTROLLER:40", "controller,normal,broadcast:p1+p2+p3+p4", 1},
	{"CONTROLLER,output:1", "upcall:action", 1},
	{"CONTROLLER", "upcall:action", 1},
	{"output:2,dec_ttl,CONTROLLER", "upcall:action", 1},
	{"push_mpls:0x8847,dec_mpls_ttl,output:2,CONTROLLER", "upcall:action", 1},
};

START_TEST(of_a_copy_a_controller_hears_what_it_would_of_the_frame)
{
	const struct telling *t = &tellings[_i];
	uint8_t frame[SIZE];
	uint64_t whole;

	make_frame(1, 2, frame);
	group_mod(0, 1, GROUP_TYPE_ALL, "set_field:02:00:00:00:00:66->eth_dst,set_field:7->tunnel_id,CONTROLLER",
		"output:2");
	group_mod(0, 2, GROUP_TYPE_FF, "output:2", "output:3");
	FLOW(.go_to = 1, .metadata = 5, .metadata_mask = 0xff);
	FLOW(.table = 1, .apply = t->actions, .cookie = 9, .priority = 1);
	lab_settle(&lab);
	arrive(PORT_1, frame);
	ck_assert_uint_eq(heard.n_packet_ins, t->n_told);
	whole = heard.digest;
	ck_assert_str_eq(steps_of_the_flow(frame), t->steps);
	heard.digest = 0;
	dp_memory_forget_sent(lab.dp);
	arrive(PORT_1, frame);
	ck_assert_uint_eq(heard.n_packet_ins, 2 * t->n_told);
	ck_assert_msg(heard.digest == whole, "'%s'", t->actions);
	if (strncmp(t->steps, "upcall", 6) != 0)
		ck_assert_str_eq(sent(), "");
	ofbridge_refresh(bridge);
	ck_assert_uint_eq(first_rule(1)->tally.packets, 2);
	ck_assert_uint_eq(
		lab.dp->memory.tell_stats[(lab.dp->memory.config->n_rows - 1) * SW_MAX_PORTS + PORT_1].stale, 0);
}
END_TEST

START_TEST(a_frame_that_comes_up_nevertheless_is_told_of_by_itself)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	FLOW(.apply = "output:2,CONTROLLER");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "2");
	dp_memory_inject(lab.dp, PORT_1, frame, SIZE, SW_UPCALL_FRAGS);
	run_up();
	ck_assert_str_eq(sent(), "2");
	ck_assert_uint_eq(heard.n_packet_ins, 2);
}
END_TEST

/* Assured forwarding, class 1: 10 becomes 12. */
START_TEST(a_copy_shows_what_its_meter_did)
{
	const struct meter_band band = {.type = BAND_DSCP_REMARK, .rate = 1000, .burst = 1000, .prec_level = 1};
	const struct meter_mod mod = {
		.command = METER_ADD, .flags = METER_PKTPS | METER_BURST, .id = 1, .n_bands = 1, .bands = &band};
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	frame[15] = 10 << 2;
	ck_assert_int_eq(ofbridge_meter_mod(bridge, &mod), OF_OK);
	FLOW(.meter = 1, .apply = "output:2,CONTROLLER");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	ck_assert_uint_eq(heard.frame[15], 10 << 2);
	ck_assert_str_eq(steps_of_the_flow(frame), "meter:1,controller,output:p2");
	dp_memory_tell(lab.dp, PORT_1, frame, SIZE, 1);
	run_up();
	ck_assert_uint_eq(heard.n_packet_ins, 2);
	ck_assert_uint_eq(heard.frame[15], 12 << 2);
}
END_TEST

START_TEST(a_copy_of_which_no_rule_says_anything_any_more_is_counted)
{
	struct port_counters counters;
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	FLOW(.apply = "output:2,CONTROLLER");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	FLOW(.apply = "output:2");
	lab_settle(&lab);
	sent();
	dp_memory_tell(lab.dp, PORT_1, frame, SIZE, 0);
	run_up();
	ck_assert_uint_eq(heard.n_packet_ins, 1);
	ck_assert_str_eq(sent(), "");
	counters_read_port(&lab.dp->memory, PORT_1, &counters);
	ck_assert_uint_eq(counters.told, 1);
	ck_assert_uint_eq(counters.untold_stale, 1);
}
END_TEST

START_TEST(a_table_miss_rule_is_told_apart)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	FLOW(.apply = "CONTROLLER");
	arrive(PORT_1, frame);
	ck_assert_int_eq(heard.in.reason, PACKET_IN_NO_MATCH);
}
END_TEST

START_TEST(a_bucket_changes_its_own_copy)
{
	uint8_t frame[SIZE];
	struct dp_memory_sent first, second;

	make_frame(1, 2, frame);
	group_mod(0, 1, GROUP_TYPE_ALL, "set_field:02:00:00:00:00:77->eth_dst,output:2", "output:3");
	FLOW(.apply = "group:1,output:4");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	ck_assert_uint_eq(dp_memory_n_sent(lab.dp), 3);
	first = dp_memory_sent(lab.dp, 0);
	second = dp_memory_sent(lab.dp, 1);
	ck_assert(first.port == 2 && first.data[5] == 0x77);
	ck_assert(second.port == 3 && !memcmp(second.data, frame, SIZE));
	ck_assert_uint_eq(groups_find(ofbridge_groups(bridge), 1)->tally.packets, 1);
	ck_assert_uint_eq(groups_find(ofbridge_groups(bridge), 1)->buckets[1].tally.packets, 1);
	ck_assert_str_eq(sent(), "2 3 4");
}
END_TEST

START_TEST(a_group_that_changes_takes_its_flows_along)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	group_mod(0, 1, GROUP_TYPE_INDIRECT, "output:2", NULL);
	FLOW(.apply = "group:1");
	arrive(PORT_1, frame);
	ck_assert(arrive(PORT_1, frame));
	ck_assert_uint_eq(cache_count(lab.cache), 1);
	group_mod(1, 1, GROUP_TYPE_INDIRECT, "output:3", NULL);
	ck_assert_uint_eq(groups_find(ofbridge_groups(bridge), 1)->tally.packets, 2);
	lab_settle(&lab);
	sent();
	arrive(PORT_1, frame);
	cache_flush(lab.cache);
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "3");
	group_mod(2, 1, GROUP_TYPE_INDIRECT, NULL, NULL);
	lab_settle(&lab);
	ck_assert_uint_eq(tables_count(ofbridge_tables(bridge)), 0);
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "");
}
END_TEST

START_TEST(a_failover_follows_the_link)
{
	struct port_state down = lab.states[2];
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	group_mod(0, 1, GROUP_TYPE_FF, "output:2", "output:3");
	FLOW(.apply = "group:1");
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "2");
	down.up = false;
	lab_port_is(&lab, 2, &down);
	lab_settle(&lab);
	cache_flush(lab.cache);
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "3");
}
END_TEST

/* A group that another watches is on nobody's way, and still says where frames go. */
START_TEST(a_failover_follows_the_group_that_it_watches)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	group_mod(0, 1, GROUP_TYPE_FF, "output:2", NULL);
	watch_group(2, 1, "output:3", "output:4");
	FLOW(.apply = "group:2");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "3");
	ck_assert(arrive(PORT_1, frame));
	group_mod(1, 1, GROUP_TYPE_FF, "output:77", NULL); /* a port that is not there is not live */
	lab_settle(&lab);
	if (arrive(PORT_1, frame))
		cache_expect_output(PORT_1, frame, 4);
	else
		ck_assert_str_eq(sent(), "4");
}
END_TEST

/* Every drop has a name (D1). */
START_TEST(a_frame_that_a_group_leaves_nowhere_to_go_is_dropped_for_its_rule)
{
	uint8_t frame[SIZE];
	struct dp_memory_hit hit;
	struct sw_headers headers;
	struct sw_key key;

	make_frame(1, 2, frame);
	group_mod(0, 1, GROUP_TYPE_INDIRECT, "drop", NULL);
	group_mod(0, 2, GROUP_TYPE_ALL, NULL, NULL);
	for (int group = 1; group <= 2; group++) {
		FLOW(.write = group == 1 ? "group:1" : "group:2");
		lab_settle(&lab);
		cache_flush(lab.cache);
		arrive(PORT_1, frame);
		ck_assert_uint_eq(drops_of(SW_DROP_NONE), 0);
		ck_assert_uint_eq(drops_of(SW_DROP_RULE), group);
		sw_extract(frame, frame + SIZE, IFINDEX_OF + PORT_1, SW_KEY_WORDS, &key, &headers);
		ck_assert(dp_memory_lookup(lab.dp, 0, &key, SIZE, &hit));
		ck_assert_int_eq(hit.flow->steps[0].op, SW_OP_DROP);
		ck_assert_uint_eq(hit.flow->steps[0].arg, SW_DROP_RULE);
	}
}
END_TEST

/* Until the maps are settled the program goes by the group as it was, and what it counts is the group's. */
START_TEST(a_group_that_changes_loses_no_frame)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	group_mod(0, 1, GROUP_TYPE_INDIRECT, "output:2", NULL);
	FLOW(.apply = "group:1");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	ck_assert(arrive(PORT_1, frame));
	group_mod(1, 1, GROUP_TYPE_INDIRECT, "output:3", NULL);
	ck_assert(arrive(PORT_1, frame)); /* in the same turn of the loop */
	lab_settle(&lab);
	lab_let_grace_pass(&lab);
	ofbridge_refresh_group(bridge, groups_find(ofbridge_groups(bridge), 1));
	ck_assert_uint_eq(first_rule(0)->tally.packets, 3);
	ck_assert_uint_eq(groups_find(ofbridge_groups(bridge), 1)->tally.packets, 3);
}
END_TEST

START_TEST(a_bucket_sets_the_tunnel_of_its_own_copy)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	group_mod(0, 1, GROUP_TYPE_ALL, "set_field:7->tunnel_id,CONTROLLER", "CONTROLLER");
	FLOW(.apply = "group:1");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	ck_assert_uint_eq(heard.n_packet_ins, 2);
	ck_assert_uint_eq(be64toh(heard.in.flow.x.tunnel_id_be), 0);
}
END_TEST

static const struct meter *metered(uint32_t id)
{
	return meters_find(ofbridge_meters(bridge), id);
}

static uint64_t band_packets(void)
{
	return meters_band_stats(ofbridge_meters(bridge), metered(1), 0).packets;
}

static void meter_mod(uint16_t command, uint32_t id, uint32_t rate, uint32_t burst)
{
	const struct meter_band band = {.type = BAND_DROP, .rate = rate, .burst = burst};
	const struct meter_mod mod = {.command = command,
		.flags = METER_PKTPS | METER_BURST | METER_STATS,
		.id = id,
		.n_bands = 1,
		.bands = &band};

	ck_assert_int_eq(ofbridge_meter_mod(bridge, &mod), OF_OK);
}

/* It hits a flow with a meter, and goes up before that is run. */
static void arrive_unmetered(uint16_t port, const uint8_t frame[SIZE])
{
	struct dp_memory_hit hit;
	struct sw_headers headers;
	struct sw_key key;

	sw_extract(frame, frame + SIZE, IFINDEX_OF + port, SW_KEY_WORDS, &key, &headers);
	ck_assert(dp_memory_lookup(lab.dp, 0, &key, SIZE, &hit));
	ck_assert_int_eq(hit.flow->steps[0].op, SW_OP_METER);
	dp_memory_stop(lab.dp, &hit, SIZE);
	dp_memory_inject(lab.dp, port, frame, SIZE, SW_UPCALL_FRAGS);
	run_up();
}

/* The first by the daemon, the others by the program, and all out of one bucket. */
START_TEST(a_meter_lets_through_what_its_rate_allows)
{
	uint8_t frame[SIZE];
	uint32_t n_passed = 0;

	make_frame(1, 2, frame);
	meter_mod(METER_ADD, 1, 10, 3);
	FLOW(.meter = 1, .go_to = 1);
	FLOW(.table = 1, .apply = "output:2");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "2");
	ck_assert_str_eq(steps_of_the_flow(frame), "meter:1,output:p2");
	for (int i = 0; i < 7; i++) {
		arrive(PORT_1, frame);
		n_passed += last_passed;
	}
	ck_assert_uint_eq(n_passed, 2);
	arrive_unmetered(PORT_1, frame);
	ck_assert_str_eq(sent(), "");
	ck_assert_uint_eq(drops_of(SW_DROP_METER), 1); /* the program's own are not simulated */
	lab.now_ns += SECOND / 10;
	arrive_unmetered(PORT_1, frame);
	ck_assert_str_eq(sent(), "2");
	arrive(PORT_1, frame);
	ck_assert(!last_passed);
	ck_assert_uint_eq(first_rule(0)->tally.packets, 11);
	ck_assert_uint_eq(first_rule(1)->tally.packets, 4); /* the others never came so far */
	ck_assert_uint_eq(first_rule(1)->tally.bytes, 4 * SIZE);
	ck_assert_uint_eq(metered(1)->in->packets, 11);
	ck_assert_uint_eq(band_packets(), 7);
}
END_TEST

START_TEST(a_modified_meter_holds_for_cached_flows_at_once_and_its_bucket_is_full)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	meter_mod(METER_ADD, 1, 1, 1);
	FLOW(.meter = 1, .apply = "output:2");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	arrive(PORT_1, frame);
	ck_assert(!last_passed);
	meter_mod(METER_MODIFY, 1, 1, 2);
	lab_settle(&lab);
	ck_assert_uint_eq(band_packets(), 0);
	for (int i = 0; i < 3; i++) {
		arrive(PORT_1, frame);
		ck_assert_int_eq(last_passed, i < 2);
	}
	ck_assert_uint_eq(band_packets(), 1);
	ofbridge_refresh(bridge);
	ck_assert_uint_eq(metered(1)->in->packets, 5);
}
END_TEST

START_TEST(with_a_meter_go_its_rules_its_flows_and_its_slot)
{
	struct meter_slots *slots = sets_meter_slots(lab.sets);
	uint8_t frame[SIZE];
	uint16_t slot;

	make_frame(1, 2, frame);
	meter_mod(METER_ADD, 1, 1, 1);
	FLOW(.meter = 1, .apply = "output:2");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	slot = metered(1)->slot;
	ck_assert_uint_eq(meter_slots_users(slots, slot), 2);
	lab_let_grace_pass(&lab);
	meter_mod(METER_DELETE, METER_ALL, 0, 0);
	lab_settle(&lab);
	ck_assert_str_eq(steps_of_the_flow(frame), "drop:table_miss");
	ck_assert(meter_slots_exist(slots, slot)); /* a run may be under way */
	lab_let_grace_pass(&lab);
	ck_assert(!meter_slots_exist(slots, slot));
}
END_TEST

static const char *why_not(const uint8_t frame[SIZE])
{
	static struct xlate answer;
	struct sw_headers headers;
	struct sw_key key;

	sw_extract(frame, frame + SIZE, IFINDEX_OF + PORT_1, SW_KEY_WORDS, &key, &headers);
	translate(lab.pl, &key, NULL, &answer);
	return answer.in_daemon ? answer.in_daemon : "";
}

START_TEST(what_stands_before_a_meter_must_be_all_one_to_it)
{
	static const struct {
		const char *apply, *why;
	} rows[] = {
		{"drop", ""},
		{"set_field:02:00:00:00:00:09->eth_dst", ""},
		{"dec_ttl", ""},
		{"output:3", "its meter stands behind what is done to the frame"},
		{"push_vlan:0x8100", "its meter stands behind what is done to the frame"},
		{"set_field:10->ip_dscp", "its meter stands behind what is done to the frame"},
	};
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	meter_mod(METER_ADD, 1, 1, 1);
	meter_mod(METER_ADD, 2, 1, 1);
	FLOW(.table = 1, .meter = 1, .apply = "set_field:02:00:00:00:00:07->eth_src,output:2", .go_to = 2);
	FLOW(.table = 2, .apply = "drop");
	for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		FLOW(.match = "eth_type=0x0800", .apply = rows[i].apply, .go_to = 1);
		ck_assert_str_eq(why_not(frame), rows[i].why);
	}
	FLOW(.match = "eth_type=0x0800", .meter = 2, .go_to = 1);
	ck_assert_str_eq(why_not(frame), "it goes through more than one meter");
}
END_TEST

/* A remark is not seen by later tables: what they say of the DSCP that the frame had holds (docs/openflow.md). */
START_TEST(a_table_behind_a_remark_sees_the_dscp_that_the_frame_had)
{
	const struct meter_band band = {.type = BAND_DSCP_REMARK, .prec_level = 1, .rate = 1, .burst = 1};
	const struct meter_mod mod = {.flags = METER_PKTPS | METER_BURST, .id = 1, .n_bands = 1, .bands = &band};
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	frame[15] = 10 << 2;
	ck_assert_int_eq(ofbridge_meter_mod(bridge, &mod), OF_OK);
	FLOW(.meter = 1, .go_to = 1);
	FLOW(.table = 1, .match = "eth_type=0x0800,ip_dscp=10", .apply = "output:2", .priority = 1);
	FLOW(.table = 1, .apply = "output:3");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	lab_let_grace_pass(&lab); /* only then does the program look as deep */
	lab.now_ns += SECOND;
	dp_memory_forget_sent(lab.dp);
	arrive(PORT_1, frame);
	arrive_unmetered(PORT_1, frame);
	ck_assert_uint_eq(dp_memory_n_sent(lab.dp), 2);
	ck_assert_uint_eq(dp_memory_sent(lab.dp, 0).data[15], 10 << 2);
	ck_assert_uint_eq(dp_memory_sent(lab.dp, 1).data[15], 12 << 2);
	ck_assert_str_eq(sent(), "2 2");
	ck_assert_str_eq(steps_of_the_flow(frame), "meter:1,output:p2");
}
END_TEST

START_TEST(normal_behind_a_meter_learns_and_floods_what_it_lets_through)
{
	uint8_t there[SIZE], back[SIZE];

	make_frame(1, 2, there);
	make_frame(2, 1, back);
	meter_mod(METER_ADD, 1, 1, 3);
	FLOW(.meter = 1, .apply = "output:NORMAL");
	lab_settle(&lab);
	arrive(PORT_1, there);
	ck_assert_str_eq(sent(), "2 3 4");
	arrive(2, back);
	ck_assert_str_eq(sent(), "1");
	ck_assert_str_eq(steps_of_the_flow(there), "meter:1,normal,broadcast:p1+p2+p3+p4");
	for (uint32_t i = 0; i < lab.dp->memory.config->n_flows; i++) {
		const struct sw_flow *flow = &lab.dp->memory.flows[i];

		ck_assert(flow->gen & 1 || flow->domain == sw_fdb_hash_domain(lab.dp->memory.config->seed, 0, 1));
	}
	arrive(PORT_1, there);
	ck_assert(last_passed);
	arrive_unmetered(PORT_1, there);
	ck_assert_str_eq(sent(), "");
}
END_TEST

/* Of the daemon that died: held flows run on, and the meter that its controller gives again is in their bucket. */
START_TEST(a_meter_that_comes_back_after_a_restart_goes_on_where_it_was)
{
	uint8_t frame[SIZE];
	uint16_t slot;

	make_frame(1, 2, frame);
	meter_mod(METER_ADD, 1, 1, 4);
	FLOW(.meter = 1, .apply = "output:2");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	arrive(PORT_1, frame);
	slot = metered(1)->slot;
	restart();
	lab_let_grace_pass(&lab);
	ck_assert(arrive(PORT_1, frame) && last_passed);
	meter_mod(METER_ADD, 1, 1, 4);
	ck_assert_uint_eq(metered(1)->slot, slot);
	FLOW(.meter = 1, .apply = "output:2");
	ofbridge_barrier(bridge);
	lab_settle(&lab);
	ck_assert(arrive(PORT_1, frame) && last_passed);
	ck_assert(arrive(PORT_1, frame) && !last_passed);
	ck_assert_uint_eq(first_rule(0)->tally.packets, 2);
	ck_assert_uint_eq(band_packets(), 1);
}
END_TEST

/* The flow counted it for what stands before the meter, and not for what stands behind. */
START_TEST(a_ttl_that_ends_before_a_meter_is_taken_back_up_to_that)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	meter_mod(METER_ADD, 1, 10, 10);
	FLOW(.apply = "dec_ttl", .go_to = 1);
	FLOW(.table = 1, .meter = 1, .go_to = 2);
	FLOW(.table = 2, .apply = "output:2");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	for (int i = 0; i < 3; i++)
		arrive(PORT_1, frame);
	frame[22] = 1;
	for (int i = 0; i < 2; i++)
		arrive_unmetered(PORT_1, frame);
	ck_assert_uint_eq(first_rule(0)->tally.packets, 6);
	ck_assert_uint_eq(first_rule(1)->tally.packets, 4);
	ck_assert_uint_eq(first_rule(2)->tally.packets, 4);
	ofbridge_refresh(bridge);
	ck_assert_uint_eq(metered(1)->in->packets, 4);
}
END_TEST

/* ---- a twin of all that counts around a meter ---- */

#define N_BEHIND 3

struct metered_twin {
	__int128 level, depth; /* in billionths of a frame */
	uint64_t rate, now_ns;
	uint64_t in, behind[N_BEHIND], dropped;
};

static bool twin_takes(struct metered_twin *twin)
{
	twin->level += (__int128)twin->rate * (lab.now_ns - twin->now_ns);
	twin->now_ns = lab.now_ns;
	if (twin->level > twin->depth)
		twin->level = twin->depth;
	if (twin->level < (__int128)SECOND && twin->level < twin->depth)
		return false;
	twin->level -= SECOND;
	return true;
}

static void twin_modify(struct metered_twin *twin, uint32_t rate, uint32_t burst)
{
	twin->rate = rate;
	twin->depth = twin->level = (__int128)burst * SECOND;
	twin->now_ns = lab.now_ns;
	twin->dropped = 0;
}

static void check_metered(const struct metered_twin *twin, uint64_t seed)
{
	struct rule *rule = tables_table(ofbridge_tables(bridge), 1)->first;

	ofbridge_refresh(bridge);
	ck_assert_msg(
		first_rule(0)->tally.packets == twin->in && metered(1)->in->packets == twin->in, "seed %lu", seed);
	ck_assert_msg(band_packets() == twin->dropped, "seed %lu", seed);
	for (int i = 0; i < N_BEHIND; i++, rule = rule->next)
		ck_assert_msg(rule->tally.packets == twin->behind[i] && rule->tally.bytes == twin->behind[i] * SIZE,
			"seed %lu: rule %d counted %lu, %lu came so far", seed, i, rule->tally.packets,
			twin->behind[i]);
}

enum course { COMES_THROUGH, GOES_UP, IS_HARVESTED };

/* It may go up, or find a flow that is harvested before its meter is asked. */
static void metered_frame(struct metered_twin *twin, uint32_t to, enum course course)
{
	uint8_t frame[SIZE];
	struct dp_memory_hit hit;
	struct sw_headers headers;
	struct sw_key key;

	make_frame(1, 1 + to, frame);
	twin->in++;
	if (twin_takes(twin))
		twin->behind[to]++;
	else
		twin->dropped++;
	sw_extract(frame, frame + SIZE, IFINDEX_OF + PORT_1, SW_KEY_WORDS, &key, &headers);
	if (course == COMES_THROUGH || !dp_memory_lookup(lab.dp, 0, &key, SIZE, &hit)) {
		arrive(PORT_1, frame);
	} else if (course == IS_HARVESTED) {
		ofbridge_refresh(bridge);
		dp_memory_meter(lab.dp, 0, &hit, SIZE, lab.now_ns);
	} else {
		dp_memory_stop(lab.dp, &hit, SIZE);
		dp_memory_inject(lab.dp, PORT_1, frame, SIZE, SW_UPCALL_FRAGS);
		run_up();
	}
}

/* Flows come, go and are asked again; one slot is harvested while another counts; the meter changes under them. */
START_TEST(rules_behind_a_meter_count_exactly_what_it_let_through)
{
	struct seeded random = seeded_start();
	struct metered_twin twin = {0};

	meter_mod(METER_ADD, 1, 100, 5);
	twin_modify(&twin, 100, 5);
	FLOW(.meter = 1, .go_to = 1);
	FLOW(.table = 1, .match = "eth_dst=02:00:00:00:00:01", .apply = "output:2", .priority = 9);
	FLOW(.table = 1, .match = "eth_dst=02:00:00:00:00:02", .apply = "dec_ttl,output:3", .priority = 9);
	FLOW(.table = 1, .match = "eth_dst=02:00:00:00:00:03", .apply = "output:NORMAL", .priority = 9);
	lab_settle(&lab);
	for (int step = 0; step < 20000; step++) {
		switch (seeded_below(&random, 200)) {
		case 0:
			cache_flush(lab.cache);
			break;
		case 1:
			meter_mod(METER_MODIFY, 1, 50 + step % 100, 1 + step % 7);
			twin_modify(&twin, 50 + step % 100, 1 + step % 7);
			lab_settle(&lab);
			break;
		case 2:
			lab_let_grace_pass(&lab);
			break;
		case 3:
			FLOW(.match = "eth_dst=02:00:00:00:00:aa", .priority = 7, .apply = "drop",
				.command = step % 2 ? FLOW_ADD : FLOW_DELETE);
			lab_settle(&lab);
			break;
		case 4:
			lab.now_ns += SECOND;
			cache_sweep(lab.cache, lab.now_ns);
			break;
		case 5:
			check_metered(&twin, random.seed);
			break;
		case 6:
			metered_frame(&twin, seeded_below(&random, N_BEHIND), IS_HARVESTED);
			cache_flush(lab.cache);
			break;
		case 7:
		case 8:
		case 9:
			metered_frame(&twin, seeded_below(&random, N_BEHIND), GOES_UP);
			break;
		default:
			lab.now_ns += seeded_below(&random, SECOND / 60);
			metered_frame(&twin, seeded_below(&random, N_BEHIND), COMES_THROUGH);
		}
	}
	lab_let_grace_pass(&lab);
	check_metered(&twin, random.seed);
	ck_assert_uint_gt(twin.behind[0], 1000);
}
END_TEST

START_TEST(a_ttl_that_runs_out_is_the_controllers_business)
{
	static const uint8_t mac[6] = {0};
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	frame[22] = 1;
	FLOW(.apply = "dec_ttl,output:2");
	arrive(PORT_1, frame);
	ck_assert_int_eq(heard.in.reason, PACKET_IN_INVALID_TTL);
	ck_assert_str_eq(sent(), "");
	frame[22] = 2;
	arrive_rewritten(PORT_1, frame, SW_UPCALL_NONE);
	ck_assert_uint_eq(heard.n_packet_ins, 1);
	frame[22] = 1;
	arrive_rewritten(PORT_1, frame, SW_UPCALL_REWRITE);
	ck_assert_uint_eq(heard.n_packet_ins, 2);
	ck_assert_str_eq(sent(), "");
	ck_assert_uint_eq(first_rule(0)->tally.packets, 3);
	heard.deaf = true;
	arrive_rewritten(PORT_1, frame, SW_UPCALL_REWRITE);
	ck_assert_uint_eq(drops_of(SW_DROP_TTL), 1); /* it is not for want of a controller that it ended */
	ck_assert_uint_eq(drops_of(SW_DROP_NO_CONTROLLER), 0);
	heard.deaf = false;
	ck_assert_int_eq(
		ofbridge_port_mod(bridge, 1, mac, OF_PORT_CONFIG_NO_PACKET_IN, OF_PORT_CONFIG_NO_PACKET_IN), OF_OK);
	arrive_rewritten(PORT_1, frame, SW_UPCALL_REWRITE);
	ck_assert_uint_eq(heard.n_packet_ins, 2);
	ck_assert_uint_eq(drops_of(SW_DROP_TTL), 2);
}
END_TEST

/* The flow has counted it for both tables, and it came to one. */
START_TEST(what_a_ttl_that_ends_does_not_come_to_does_not_count_it)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	FLOW(.apply = "dec_ttl", .go_to = 1);
	group_mod(0, 1, GROUP_TYPE_ALL, "dec_ttl,output:2", "dec_ttl,output:3");
	FLOW(.table = 1, .apply = "group:1");
	lab_settle(&lab);
	ck_assert(!arrive(PORT_1, frame));
	ck_assert_str_eq(sent(), "2 3");
	for (uint8_t ttl = 1; ttl <= 4; ttl++) {
		frame[22] = ttl;
		arrive_rewritten(PORT_1, frame, ttl < 3 ? SW_UPCALL_REWRITE : SW_UPCALL_NONE);
	}
	ck_assert_str_eq(sent(), "");
	ck_assert_uint_eq(heard.n_packet_ins, 3); /* one in table 0, and one in each bucket */
	ck_assert_uint_eq(first_rule(0)->tally.packets, 5);
	ck_assert_uint_eq(first_rule(1)->tally.packets, 4);
	ck_assert_uint_eq(first_rule(1)->tally.bytes, 4 * SIZE);
}
END_TEST

/* It hit its flow before the rules changed, and is carried out under those that there are now. */
START_TEST(a_ttl_that_ends_takes_nothing_back_from_rules_that_have_not_counted_it)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	FLOW(.apply = "dec_ttl,output:2");
	lab_settle(&lab);
	ck_assert(!arrive(PORT_1, frame));
	frame[22] = 1;
	hit_rewritten(PORT_1, frame);
	dp_memory_inject(lab.dp, PORT_1, frame, SIZE, SW_UPCALL_REWRITE);
	FLOW(.apply = "dec_ttl", .go_to = 1);
	FLOW(.table = 1, .apply = "output:3");
	lab_settle(&lab);
	run_up();
	ck_assert_uint_eq(heard.n_packet_ins, 1);
	ck_assert_uint_eq(first_rule(1)->tally.packets, 0);
	ck_assert_uint_eq(first_rule(1)->tally.bytes, 0);
	ck_assert_uint_eq(tables_table(ofbridge_tables(bridge), 1)->matched.packets, 0);
}
END_TEST

/* One that came before is counted, and shorter. The long one's count is at the flow still. */
START_TEST(a_ttl_that_ends_takes_its_own_bytes_back_from_no_other_frame)
{
	uint8_t frame[2 * SIZE] = {0};
	struct dp_memory_hit hit;
	struct sw_headers headers;
	struct sw_key key;

	make_frame(1, 2, frame);
	FLOW(.apply = "dec_ttl", .go_to = 1);
	FLOW(.table = 1, .apply = "output:2");
	lab_settle(&lab);
	ck_assert(!arrive(PORT_1, frame));
	frame[22] = 1;
	sw_extract(frame, frame + sizeof(frame), IFINDEX_OF + PORT_1, SW_KEY_WORDS, &key, &headers);
	ck_assert(dp_memory_lookup(lab.dp, 0, &key, sizeof(frame), &hit));
	dp_memory_inject(lab.dp, PORT_1, frame, sizeof(frame), SW_UPCALL_REWRITE);
	run_up();
	ck_assert_uint_eq(heard.n_packet_ins, 1);
	ck_assert_uint_eq(first_rule(0)->tally.bytes, 3 * SIZE);
	ck_assert_uint_eq(first_rule(1)->tally.packets, 1);
	ck_assert_uint_eq(first_rule(1)->tally.bytes, SIZE);
}
END_TEST

/* Whether the program or the daemon rewrites it: its length is the one that it came with. */
START_TEST(a_frame_counts_with_the_bytes_with_which_it_came)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	FLOW(.apply = "push_vlan:0x8100", .go_to = 1);
	FLOW(.table = 1, .apply = "output:2");
	lab_settle(&lab);
	ck_assert(!arrive(PORT_1, frame));
	ck_assert_uint_eq(dp_memory_sent(lab.dp, 0).size, SIZE + 4);
	arrive_rewritten(PORT_1, frame, SW_UPCALL_NONE);
	ck_assert_uint_eq(first_rule(0)->tally.bytes, 2 * SIZE);
	ck_assert_uint_eq(first_rule(1)->tally.bytes, 2 * SIZE);
}
END_TEST

/* What comes up although a flow rewrites it is rewritten by the daemon, and was counted by the flow. */
START_TEST(a_frame_that_the_program_leaves_to_the_daemon_is_rewritten_and_counted_once)
{
	static const enum sw_upcall reasons[] = {SW_UPCALL_FRAGS, SW_UPCALL_OVER_MTU, SW_UPCALL_REWRITE};
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	FLOW(.apply = "set_field:02:00:00:00:00:77->eth_dst,output:2,output:3");
	ck_assert(!arrive(PORT_1, frame));
	ck_assert_str_eq(sent(), "2 3");
	for (int i = 0; i < 3; i++) {
		arrive_rewritten(PORT_1, frame, reasons[i]);
		ck_assert_uint_eq(dp_memory_n_sent(lab.dp), 2);
		ck_assert_uint_eq(dp_memory_sent(lab.dp, 0).data[5], 0x77);
		ck_assert_str_eq(sent(), "2 3");
	}
	ck_assert_uint_eq(first_rule(0)->tally.packets, 4);
	ck_assert_uint_eq(first_rule(0)->tally.bytes, 4 * SIZE);
}
END_TEST

START_TEST(a_rewritten_frame_may_be_bridged)
{
	uint8_t frame[SIZE];

	FLOW(.apply = "NORMAL");
	make_frame(3, 1, frame);
	arrive(3, frame); /* now host 3 is behind port 3 */
	sent();
	make_frame(1, 9, frame);
	FLOW(.match = "eth_dst=02:00:00:00:00:09", .priority = 9,
		.apply = "set_field:02:00:00:00:00:03->eth_dst,NORMAL");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "3");
}
END_TEST

/* What a pop lays bare is not IP because the action says so: there is no DSCP to be set, or to match. */
START_TEST(a_field_that_is_not_there_is_not_there_for_later_tables)
{
	static const uint8_t labels[] = {0x88, 0x47, 0, 0, 0x10, 64, 0, 0, 0x21, 64};
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	memcpy(frame + 12, labels, sizeof(labels));
	FLOW(.apply = "pop_mpls:0x0800,set_field:5->ip_dscp", .match = "eth_type=0x8847", .go_to = 1);
	FLOW(.table = 1, .match = "eth_type=0x0800,ip_dscp=5", .apply = "output:2", .priority = 1);
	FLOW(.table = 1, .apply = "output:3");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "3");
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "3");
}
END_TEST

/* The key does not hold what stands behind a B-TAG: what a pop does there is known when a table asks, by the frame. */
START_TEST(what_the_key_does_not_tell_is_not_known_to_later_tables)
{
	static const uint8_t backbone[] = {
		2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xa8, 0, 5, 0x88, 0xe7, 0, 0, 0, 7};
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	memcpy(frame, backbone, sizeof(backbone));
	memcpy(frame + sizeof(backbone), (uint8_t[]){2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8}, 12);
	FLOW(.apply = "pop_pbb", .go_to = 1);
	FLOW(.table = 1, .match = "eth_dst=02:00:00:00:00:09", .apply = "output:2", .priority = 1);
	FLOW(.table = 1, .apply = "output:3");
	lab_settle(&lab);
	for (int i = 0; i < 4; i++) {
		frame[sizeof(backbone) + 5] = i % 2 ? 9 : 7;
		arrive(PORT_1, frame);
		ck_assert_str_eq(sent(), i % 2 ? "2" : "3");
	}
}
END_TEST

/* Where none asks, the program does it. */
START_TEST(what_the_key_does_not_tell_is_found_by_the_program)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	memcpy(frame + 12, (uint8_t[]){0x88, 0x47, 0, 1, 1, 64, 0x45, 0, 0, SIZE - 18}, 10);
	FLOW(.match = "eth_type=0x8847", .apply = "pop_mpls:0x0800,set_field:192.0.2.1->ip_dst,dec_ttl,output:2");
	lab_settle(&lab);
	ck_assert(!arrive(PORT_1, frame));
	ck_assert_str_eq(sent(), "2");
	ck_assert(arrive(PORT_1, frame));
	ck_assert_str_eq(sent(), "");
}
END_TEST

/*
 * Nothing is rewritten where the header is cut, and what a table behind it lets through for its new port would be let
 * through with the old one: RFC 1858's tiny fragment, whose ports are there and whose header is not.
 */
START_TEST(a_header_that_is_cut_has_no_new_port_for_later_tables)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	frame[23] = 6;
	FLOW(.match = "eth_type=0x0800,ip_proto=6", .apply = "set_field:80->tcp_dst", .go_to = 1);
	FLOW(.table = 1, .match = "eth_type=0x0800,ip_proto=6,tcp_dst=80", .apply = "output:2", .priority = 1);
	FLOW(.table = 1, .apply = "output:3");
	lab_settle(&lab);
	arrive(PORT_1, frame); /* the program looks at ports from now on */
	dp_memory_end_grace(lab.dp);
	ck_assert_str_eq(sent(), "2");
	for (int i = 0; i < 6; i++) {
		bool is_cut = i % 2;

		frame[17] = is_cut ? 28 : SIZE - 14;
		frame[20] = is_cut ? 0x20 : 0;
		arrive(PORT_1, frame);
		ck_assert_str_eq(sent(), is_cut ? "3" : i ? "" : "2"); /* those by the program are not seen here */
	}
}
END_TEST

/* That a header of UDP is whole says nothing of the TCP that is made of it. */
START_TEST(a_header_of_another_protocol_is_not_shown_by_its_ports)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	frame[17] = 39;
	FLOW(.match = "eth_type=0x0800,ip_proto=17", .apply = "set_field:6->ip_proto", .go_to = 1);
	FLOW(.table = 1, .match = "eth_type=0x0800,ip_proto=6", .apply = "set_field:80->tcp_dst", .go_to = 2);
	FLOW(.table = 2, .match = "eth_type=0x0800,ip_proto=6,tcp_dst=80", .apply = "output:2", .priority = 1);
	FLOW(.table = 2, .apply = "output:3");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "3");
	frame[17] = 40;
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "2");
}
END_TEST

/* Likewise of IP, and of ARP for other networks. */
START_TEST(a_header_that_contradicts_itself_has_no_new_address_for_later_tables)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	FLOW(.match = "eth_type=0x0800", .apply = "set_field:192.0.2.1->ip_dst", .go_to = 1);
	FLOW(.match = "eth_type=0x0806", .apply = "set_field:192.0.2.1->arp_tpa", .go_to = 1);
	FLOW(.table = 1, .match = "eth_type=0x0800,ip_dst=192.0.2.1", .apply = "output:2", .priority = 1);
	FLOW(.table = 1, .match = "eth_type=0x0806,arp_tpa=192.0.2.1", .apply = "output:2", .priority = 1);
	FLOW(.table = 1, .apply = "output:3");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "2");
	frame[14] = 0x55;
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "3");
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "3");
	memcpy(frame + 12, (uint8_t[]){0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1}, 10);
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "2");
	frame[15] = 6;
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "3");
}
END_TEST

/* ---- packet-outs ---- */

static enum of_err packet_out(uint32_t in_port, const char *text, const uint8_t frame[SIZE])
{
	struct action list[16];
	struct actions actions = read_actions(text, list);
	enum of_err error = ofbridge_packet_out(bridge, in_port, &actions, frame, SIZE);

	lab.dp->ops->flush(lab.dp);
	return error;
}

START_TEST(a_packet_out_does_as_its_actions_say)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	ck_assert_int_eq(packet_out(OF_PORT_CONTROLLER, "output:2,output:3", frame), OF_OK);
	ck_assert_str_eq(sent(), "2 3");
	ck_assert_int_eq(packet_out(OF_PORT_CONTROLLER, "ALL", frame), OF_OK);
	ck_assert_str_eq(sent(), "1 2 3 4");
	ck_assert_int_eq(packet_out(2, "FLOOD", frame), OF_OK);
	ck_assert_str_eq(sent(), "1 3 4");
	ck_assert_int_eq(packet_out(2, "IN_PORT", frame), OF_OK);
	ck_assert_str_eq(sent(), "2");
	FLOW(.match = "in_port=2", .apply = "output:4");
	ck_assert_int_eq(packet_out(2, "TABLE", frame), OF_OK);
	ck_assert_str_eq(sent(), "4");
	ck_assert_uint_eq(first_rule(0)->tally.packets, 1);
	ck_assert_int_eq(packet_out(9, "output:2", frame), OF_ERR_BAD_REQUEST_BAD_PORT);
	ck_assert_int_eq(packet_out(OF_PORT_CONTROLLER, "group:5", frame), OF_ERR_BAD_ACTION_BAD_OUT_GROUP);
}
END_TEST

/* As a bridge would: where the address is, else to all; nothing is learned. */
START_TEST(a_packet_out_of_the_controller_may_be_bridged)
{
	uint8_t frame[SIZE], tagged[SIZE];

	FLOW(.apply = "NORMAL");
	make_frame(3, 1, frame);
	arrive(3, frame); /* now host 3 is behind port 3 */
	sent();
	make_frame(1, 9, frame);
	ck_assert_int_eq(packet_out(OF_PORT_CONTROLLER, "NORMAL", frame), OF_OK);
	ck_assert_str_eq(sent(), "1 2 3 4");
	ck_assert_uint_eq(fdb_count(lab.fdb, 1), 1);
	make_frame(1, 3, frame);
	ck_assert_int_eq(packet_out(OF_PORT_ANY, "NORMAL", frame), OF_OK);
	ck_assert_str_eq(sent(), "3");
	memcpy(tagged, frame, 12);
	memcpy(tagged + 12, (uint8_t[4]){0x81, 0x00, 0x00, 10}, 4);
	memcpy(tagged + 16, frame + 12, SIZE - 16);
	lab_port_vlan(&lab, 2, &(struct vlan_config){.mode = VLAN_ACCESS, .vid = 10});
	lab_port_vlan(&lab, 4, &(struct vlan_config){.mode = VLAN_ACCESS, .vid = 20});
	lab_settle(&lab);
	ck_assert_int_eq(packet_out(OF_PORT_CONTROLLER, "NORMAL", tagged), OF_OK);
	ck_assert_uint_eq(dp_memory_n_sent(lab.dp), 3);
	ck_assert_uint_eq(dp_memory_sent(lab.dp, 1).size, SIZE - 4); /* an access port's, without its tag */
	ck_assert_str_eq(sent(), "1 2 3");
	ck_assert_int_eq(packet_out(OF_PORT_CONTROLLER, "NORMAL", frame), OF_OK);
	ck_assert_str_eq(sent(), "3");
	ck_assert_uint_eq(drops_of(SW_DROP_NO_PORT), 0);
}
END_TEST

/* Its device is gone for the moment; its number stands. */
START_TEST(a_packet_out_as_by_a_port_without_a_device_is_bridged_too)
{
	const struct port_state gone = {0};
	uint8_t frame[SIZE];

	make_frame(1, 9, frame);
	lab_port_is(&lab, 2, &gone);
	lab_settle(&lab);
	ck_assert_int_eq(packet_out(2, "NORMAL", frame), OF_OK);
	ck_assert_str_eq(sent(), "1 3 4");
	ck_assert_uint_eq(fdb_count(lab.fdb, 1), 0);
	FLOW(.apply = "NORMAL");
	ck_assert_int_eq(packet_out(2, "TABLE", frame), OF_OK);
	ck_assert_str_eq(sent(), "1 3 4");
}
END_TEST

START_TEST(a_packet_out_takes_its_tunnel_into_the_tables)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	FLOW(.match = "tunnel_id=7", .apply = "output:4", .priority = 1);
	ck_assert_int_eq(packet_out(2, "set_field:7->tunnel_id,TABLE", frame), OF_OK);
	ck_assert_str_eq(sent(), "4");
}
END_TEST

/* As long as the longest that comes up, which is longer than an IP datagram. */
START_TEST(the_longest_frame_keeps_its_end)
{
	struct action list[16];
	const struct actions actions = read_actions("push_vlan:0x8100,CONTROLLER", list);
	uint8_t *frame = calloc(1, 65600);

	frame[12] = 0x88;
	frame[13] = 0xb5;
	ck_assert_int_eq(ofbridge_packet_out(bridge, OF_PORT_CONTROLLER, &actions, frame, 65600), OF_OK);
	ck_assert_uint_eq(heard.in.size, 65604);
	free(frame);
}
END_TEST

/* ---- ports ---- */

START_TEST(a_port_that_changes_is_told_of)
{
	struct port_state down = lab.states[2];

	down.up = false;
	lab_port_is(&lab, 2, &down);
	lab_settle(&lab);
	ck_assert_uint_eq(heard.n_ports, 1);
	ck_assert_int_eq(heard.change, PORT_CHANGE_MODIFY);
	ck_assert_uint_eq(heard.desc.number, 2);
	ck_assert_uint_eq(heard.desc.state, OF_PORT_STATE_LINK_DOWN);
	pipeline_port_remove(lab.pl, 4);
	lab_settle(&lab);
	ck_assert_int_eq(heard.change, PORT_CHANGE_DELETE);
	ck_assert_uint_eq(heard.desc.number, 4);
}
END_TEST

/* A controller that goes by numbers would else take what is deleted for what was just added. */
START_TEST(of_ports_that_exchange_numbers_the_old_ones_are_told_of_first)
{
	pipeline_port_swap_numbers(lab.pl, 2, 3);
	ck_assert_uint_eq(pipeline_port_by_number(lab.pl, 1, 2)->id, 3);
	ck_assert_uint_eq(pipeline_port_by_number(lab.pl, 1, 3)->id, 2);
	lab_settle(&lab);
	ck_assert_str_eq(heard.changes, "-2 -3 +3 +2 ");
}
END_TEST

START_TEST(a_port_does_as_a_port_mod_says)
{
	static const uint8_t mac[6] = {0};
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	FLOW(.apply = "ALL");
	ck_assert_int_eq(ofbridge_port_mod(bridge, 2, mac, OF_PORT_CONFIG_NO_FWD, OF_PORT_CONFIG_NO_FWD), OF_OK);
	lab_settle(&lab);
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "3 4");
	ck_assert_int_eq(ofbridge_port_mod(bridge, 1, mac, OF_PORT_CONFIG_NO_RECV, OF_PORT_CONFIG_NO_RECV), OF_OK);
	lab_settle(&lab);
	cache_flush(lab.cache);
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "");
	ck_assert_uint_eq(drops_of(SW_DROP_PORT_CONFIG), 1);
	ck_assert_int_eq(ofbridge_port_mod(bridge, 3, mac, OF_PORT_CONFIG_DOWN, OF_PORT_CONFIG_DOWN), OF_OK);
	lab_settle(&lab);
	arrive(4, frame);
	ck_assert_str_eq(sent(), "1");
	ck_assert_int_eq(ofbridge_port_mod(bridge, 77, mac, 0, 0), OF_ERR_PORT_MOD_BAD_PORT);
	ck_assert_int_eq(ofbridge_port_mod(bridge, 1, (uint8_t[6]){1}, 0, 0), OF_ERR_PORT_MOD_BAD_HW_ADDR);
	ck_assert_int_eq(ofbridge_port_mod(bridge, 1, mac, 2, 2), OF_ERR_PORT_MOD_BAD_CONFIG);
}
END_TEST

/* What a port that is down for OpenFlow receives is not OpenFlow's (OF 1.3.5 §7.2.1). */
START_TEST(a_port_that_was_set_down_takes_nothing_in)
{
	static const uint8_t mac[6] = {0};
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	FLOW(.apply = "ALL");
	ck_assert_int_eq(ofbridge_port_mod(bridge, 1, mac, OF_PORT_CONFIG_DOWN, OF_PORT_CONFIG_DOWN), OF_OK);
	lab_settle(&lab);
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "");
	ck_assert_uint_eq(drops_of(SW_DROP_PORT_CONFIG), 1);
	ck_assert_int_eq(ofbridge_port_mod(bridge, 1, mac, 0, OF_PORT_CONFIG_DOWN), OF_OK);
	lab_settle(&lab);
	cache_flush(lab.cache);
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "2 3 4");
}
END_TEST

/* Who moved behind another port meanwhile must not be looked for behind this one. */
START_TEST(a_port_that_was_set_down_forgets_who_is_behind_it)
{
	static const uint8_t mac[6] = {0};
	uint8_t frame[SIZE];

	FLOW(.apply = "NORMAL");
	make_frame(1, 2, frame);
	arrive(PORT_1, frame);
	make_frame(2, 1, frame);
	arrive(2, frame);
	ck_assert_uint_eq(fdb_count(lab.fdb, 0), 2);
	ck_assert_int_eq(ofbridge_port_mod(bridge, 2, mac, OF_PORT_CONFIG_NO_FWD, OF_PORT_CONFIG_NO_FWD), OF_OK);
	ck_assert_uint_eq(fdb_count(lab.fdb, 0), 2);
	ck_assert_int_eq(ofbridge_port_mod(bridge, 1, mac, OF_PORT_CONFIG_DOWN, OF_PORT_CONFIG_DOWN), OF_OK);
	ck_assert_uint_eq(fdb_count(lab.fdb, 0), 1);
	ck_assert_ptr_null(fdb_lookup(lab.fdb, &(struct fdb_key){1, 0, {2, 0, 0, 0, 0, 1}}));
}
END_TEST

START_TEST(a_table_mod_that_is_refused_changes_nothing)
{
	ck_assert_int_eq(ofbridge_table_mod(bridge, TABLE_ALL, 2), OF_OK);
	ck_assert_int_eq(ofbridge_table_mod(bridge, 5, 4), OF_ERR_TABLE_MOD_BAD_CONFIG);
	ck_assert_uint_eq(tables_table(ofbridge_tables(bridge), 5)->config, 2);
}
END_TEST

/* Behind the last number that there is come those that are free. */
START_TEST(a_port_gets_a_number_that_is_a_ports)
{
	uint16_t given;

	ck_assert_int_eq(pipeline_port_number(lab.pl, 4, OF_PORT_MAX - 1, NULL), 0);
	for (uint16_t id = 5; id < 20; id++) {
		char name[8];

		sprintf(name, "q%u", id);
		ck_assert_int_eq(pipeline_port_add(lab.pl, 1, name, id, &given, NULL), 0);
		ck_assert_uint_lt(pipeline_port(lab.pl, id)->of_port, OF_PORT_MAX);
		ck_assert_ptr_eq(pipeline_port_by_number(lab.pl, 1, pipeline_port(lab.pl, id)->of_port),
			pipeline_port(lab.pl, id));
	}
	ck_assert_uint_eq(pipeline_port(lab.pl, 5)->of_port, 4);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("all");
	Suite *suite = suite_create("ofbridge");
	SRunner *runner;
	int n_failed;

	tcase_add_checked_fixture(t, open_lab, close_lab);
	tcase_add_test(t, a_rule_counts_each_frame_once_wherever_it_went);
	tcase_add_test(t, what_only_the_daemon_can_do_is_counted_by_it_alone);
	tcase_add_test(t, what_is_rewritten_and_then_dropped_is_dropped_in_the_program);
	tcase_add_test(t, a_table_without_a_rule_for_it_counts_the_frame_as_missed);
	tcase_add_test(t, a_removed_rule_is_told_of_with_its_final_count);
	tcase_add_test(t, a_flow_shows_what_its_last_slot_counted_late);
	tcase_add_test(t, a_rule_that_no_flow_counts_for_is_told_of_at_once);
	tcase_add_test(t, a_rule_that_did_not_ask_is_not_told_of);
	tcase_add_test(t, a_rule_whose_flows_are_used_is_not_idle);
	tcase_add_test(t, only_flows_that_a_new_rule_concerns_are_asked);
	tcase_add_test(t, a_new_rule_finds_the_flow_that_it_concerns_among_many);
	tcase_add_test(t, flows_of_a_steered_bridge_go_on_until_its_rules_are_back);
	tcase_add_test(t, a_held_flow_that_moves_is_asked_with_the_others);
	tcase_add_test(t, held_flows_do_not_outlive_a_port);
	tcase_add_test(t, held_flows_obey_a_port_mod);
	tcase_add_test(t, held_flows_outlive_a_link_that_flaps);
	tcase_add_test(t, flows_of_a_steered_bridge_do_not_wait_for_ever);
	tcase_add_test(t, flows_of_a_bridge_that_nobody_steered_are_asked_at_once);
	tcase_add_test(t, a_new_rule_finds_frames_with_a_service_tag_among_those_without_a_tag);
	tcase_add_test(t, a_new_rule_finds_frames_with_a_service_tag_by_their_key);
	tcase_add_test(t, flows_come_back_to_the_fast_path_when_the_rule_that_kept_them_off_it_goes);
	tcase_add_test(t, the_controller_gets_the_frame_with_where_it_came_from);
	tcase_add_loop_test(
		t, of_a_copy_a_controller_hears_what_it_would_of_the_frame, 0, sizeof(tellings) / sizeof(tellings[0]));
	tcase_add_test(t, a_frame_that_comes_up_nevertheless_is_told_of_by_itself);
	tcase_add_test(t, a_copy_shows_what_its_meter_did);
	tcase_add_test(t, a_copy_of_which_no_rule_says_anything_any_more_is_counted);
	tcase_add_test(t, a_table_miss_rule_is_told_apart);
	tcase_add_test(t, a_bucket_changes_its_own_copy);
	tcase_add_test(t, a_group_that_changes_takes_its_flows_along);
	tcase_add_test(t, a_failover_follows_the_link);
	tcase_add_test(t, a_failover_follows_the_group_that_it_watches);
	tcase_add_test(t, a_frame_that_a_group_leaves_nowhere_to_go_is_dropped_for_its_rule);
	tcase_add_test(t, a_group_that_changes_loses_no_frame);
	tcase_add_test(t, a_bucket_sets_the_tunnel_of_its_own_copy);
	tcase_add_test(t, a_meter_lets_through_what_its_rate_allows);
	tcase_add_test(t, a_modified_meter_holds_for_cached_flows_at_once_and_its_bucket_is_full);
	tcase_add_test(t, with_a_meter_go_its_rules_its_flows_and_its_slot);
	tcase_add_test(t, what_stands_before_a_meter_must_be_all_one_to_it);
	tcase_add_test(t, a_table_behind_a_remark_sees_the_dscp_that_the_frame_had);
	tcase_add_test(t, normal_behind_a_meter_learns_and_floods_what_it_lets_through);
	tcase_add_test(t, a_meter_that_comes_back_after_a_restart_goes_on_where_it_was);
	tcase_add_test(t, a_ttl_that_ends_before_a_meter_is_taken_back_up_to_that);
	tcase_add_test(t, rules_behind_a_meter_count_exactly_what_it_let_through);
	tcase_add_test(t, a_ttl_that_runs_out_is_the_controllers_business);
	tcase_add_test(t, what_a_ttl_that_ends_does_not_come_to_does_not_count_it);
	tcase_add_test(t, a_ttl_that_ends_takes_nothing_back_from_rules_that_have_not_counted_it);
	tcase_add_test(t, a_ttl_that_ends_takes_its_own_bytes_back_from_no_other_frame);
	tcase_add_test(t, a_frame_counts_with_the_bytes_with_which_it_came);
	tcase_add_test(t, a_frame_that_the_program_leaves_to_the_daemon_is_rewritten_and_counted_once);
	tcase_add_test(t, a_rewritten_frame_may_be_bridged);
	tcase_add_test(t, a_field_that_is_not_there_is_not_there_for_later_tables);
	tcase_add_test(t, what_the_key_does_not_tell_is_not_known_to_later_tables);
	tcase_add_test(t, what_the_key_does_not_tell_is_found_by_the_program);
	tcase_add_test(t, a_header_that_is_cut_has_no_new_port_for_later_tables);
	tcase_add_test(t, a_header_of_another_protocol_is_not_shown_by_its_ports);
	tcase_add_test(t, a_header_that_contradicts_itself_has_no_new_address_for_later_tables);
	tcase_add_test(t, a_packet_out_does_as_its_actions_say);
	tcase_add_test(t, a_packet_out_of_the_controller_may_be_bridged);
	tcase_add_test(t, a_packet_out_as_by_a_port_without_a_device_is_bridged_too);
	tcase_add_test(t, a_packet_out_takes_its_tunnel_into_the_tables);
	tcase_add_test(t, the_longest_frame_keeps_its_end);
	tcase_add_test(t, a_port_that_changes_is_told_of);
	tcase_add_test(t, of_ports_that_exchange_numbers_the_old_ones_are_told_of_first);
	tcase_add_test(t, a_port_does_as_a_port_mod_says);
	tcase_add_test(t, a_port_that_was_set_down_takes_nothing_in);
	tcase_add_test(t, a_port_that_was_set_down_forgets_who_is_behind_it);
	tcase_add_test(t, a_table_mod_that_is_refused_changes_nothing);
	tcase_add_test(t, a_port_gets_a_number_that_is_a_ports);
	suite_add_tcase(suite, t);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? 1 : 0;
}
