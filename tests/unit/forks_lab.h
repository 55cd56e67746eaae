/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * forks_lab.h - a bridge with a group, five ports, and frames of many hosts.
 *
 * Groups that choose, as the maps have them: one fork for all flows behind a group, and one word, or a table, that
 * leads them all; what was sent where is counted for the buckets, to the frame.
 */
#ifndef TESTS_FORKS_LAB_H
#define TESTS_FORKS_LAB_H

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

static inline void hear_nothing(void *ctx, const struct rule *rule)
{
}

static inline bool take_nothing(void *ctx, const struct packet_in *in)
{
	return false;
}

static inline void see_nothing(void *ctx, enum port_change change, const struct of_port_desc *desc)
{
}

static inline void steer(void)
{
	const struct ofbridge_events events = {NULL, take_nothing, hear_nothing, see_nothing};

	up = upcall_create(lab.dp, lab.pl, lab.fdb, lab.cache, ofbridges_executor(lab.bridges));
	ck_assert_ptr_nonnull(up);
	bridge = ofbridges_get(lab.bridges, 1);
	tables_flush(ofbridge_tables(bridge), RULE_DELETE);
	ofbridge_listen(bridge, &events);
}

static inline void open_lab(void)
{
	lab_open(&lab, 1024, N_PORTS);
	steer();
	lab_settle(&lab);
}

static inline void close_lab(void)
{
	lab_check_maps(&lab);
	upcall_destroy(up);
	lab_close(&lab);
}

static inline struct actions read_actions(const char *text, struct action list[16])
{
	struct flow_names names = pipeline_of_names(pipeline_bridge(lab.pl, 1));
	struct actions actions;
	struct complaint complaint = {""};

	ck_assert_msg(!actions_parse(text, &names, list, 16, &actions, &complaint), "%s", complaint.text);
	return actions;
}

/* The rule of the table for all frames. */
static inline void add_rule(uint8_t table_id, const struct instructions *instructions, const char *applied)
{
	struct action list[16];
	struct actions apply = read_actions(applied, list);
	struct flow_mod mod = {
		.command = FLOW_ADD, .table_id = table_id, .out_port = OF_PORT_ANY, .out_group = GROUP_ANY};

	mod.instructions = instructions_create(instructions, &apply, &(struct actions){0});
	ck_assert_int_eq(ofbridge_flow_mod(bridge, &mod), OF_OK);
	free(mod.instructions);
}

static inline void rule(const char *applied)
{
	add_rule(0, &(struct instructions){0}, applied);
}

/* Meter 1, of a rate that nobody exceeds. */
static inline void add_meter(void)
{
	const struct meter_band band = {.type = BAND_DROP, .rate = 1000000, .burst = 1000000};
	const struct meter_mod mod = {
		.command = METER_ADD, .flags = METER_PKTPS | METER_BURST, .id = 1, .n_bands = 1, .bands = &band};

	ck_assert_int_eq(ofbridge_meter_mod(bridge, &mod), OF_OK);
}

struct wish {
	const char *actions;
	uint32_t port, group; /* that it watches; 0: none */
};

static inline void group(uint16_t command, uint32_t id, enum group_type type, uint32_t n, const struct wish *wishes)
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

static inline void link_is(uint16_t port, bool up_now)
{
	struct port_state state = lab.states[port];

	state.up = up_now;
	lab_port_is(&lab, port, &state);
}

/* Brings what was counted into the tallies. */
static inline const struct group *counted(uint32_t id)
{
	struct group *found = groups_find(ofbridge_groups(bridge), id);

	ofbridge_refresh_group(bridge, found);
	return found;
}

/* ---- frames ---- */

/* UDP over IPv4 by port 1, to a host of that number. */
static inline void make_frame(uint8_t host, uint8_t ttl, uint8_t frame[SIZE])
{
	static const uint8_t ip[] = {0x08, 0x00, 0x45, 0, 0, SIZE - 14, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0,
		2, 0x10, 0, 0x20, 0, 0, SIZE - 34, 0, 0};

	memset(frame, 0, SIZE);
	memcpy(frame, (uint8_t[6]){2, 0, 0, 0, 0, host}, 6);
	memcpy(frame + 6, (uint8_t[6]){2, 0, 0, 0, 0, 200}, 6);
	memcpy(frame + 12, ip, sizeof(ip));
	frame[22] = ttl;
}

static inline void go_up(const uint8_t frame[SIZE], enum sw_upcall reason)
{
	dp_memory_inject(lab.dp, 1, frame, SIZE, reason);
	upcall_run(up, lab.now_ns);
	lab_settle(&lab);
}

/* What the flow to this host does with its frame, which is counted; `flow` NULL: a miss. */
static inline struct dp_memory_hit arrive(uint8_t host)
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
static inline void warm_up(void)
{
	lab_look_at_addresses(&lab, true);
	for (uint8_t host = 0; host < N_FLOWS; host++)
		arrive(host);
	lab_settle(&lab);
	for (uint8_t host = 0; host < N_FLOWS; host++)
		ck_assert_ptr_nonnull(arrive(host).flow);
	dp_memory_forget_sent(lab.dp);
}

static inline void expect_step(const struct dp_memory_hit *hit, enum sw_op op, uint32_t arg)
{
	const struct sw_step *last;

	ck_assert_ptr_nonnull(hit->flow);
	last = &hit->program->steps[hit->program->n_steps - 1];
	ck_assert_int_eq(last->op, op);
	ck_assert_uint_eq(last->arg, arg);
}

static inline void expect_all(enum sw_op op, uint32_t arg)
{
	for (uint8_t host = 0; host < N_FLOWS; host++) {
		struct dp_memory_hit hit = arrive(host);

		ck_assert_int_eq(hit.flow->steps[0].op, SW_OP_FORK);
		expect_step(&hit, op, arg);
	}
}

#endif
