/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ofbridge_lab.h - a bridge under OpenFlow, over the in-memory datapath, with four ports: rules in words, frames, and
 * what was heard and sent.
 *
 * One bridge a program: its parts are named here, so that a test says what happens and not to what.
 */
#ifndef TESTS_OFBRIDGE_LAB_H
#define TESTS_OFBRIDGE_LAB_H

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

static inline void digest(const void *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		heard.digest = (heard.digest ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3ULL;
}

static inline bool packet_in(void *ctx, const struct packet_in *in)
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

static inline void flow_removed(void *ctx, const struct rule *rule)
{
	heard.n_removed++;
	heard.removed_packets = rule->tally.packets;
	heard.removed_bytes = rule->tally.bytes;
	heard.removed_cookie = rule->cookie;
	heard.removed_end = rule->end;
}

static inline void port_changed(void *ctx, enum port_change change, const struct of_port_desc *desc)
{
	const char sign[] = {[PORT_CHANGE_ADD] = '+', [PORT_CHANGE_DELETE] = '-', [PORT_CHANGE_MODIFY] = '!'};
	size_t used = strlen(heard.changes);

	heard.n_ports++;
	heard.change = change;
	heard.desc = *desc;
	snprintf(heard.changes + used, sizeof(heard.changes) - used, "%c%u ", sign[change], desc->number);
}

static inline void open_lab(void)
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

static inline void close_lab(void)
{
	upcall_destroy(up);
	lab_close(&lab);
}

/* ---- rules in words ---- */

static inline struct actions read_actions(const char *text, struct action list[16])
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

static inline void flow_mod(const struct words *words)
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

static inline void group_mod(uint8_t command, uint32_t id, uint8_t type, const char *first, const char *second)
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
static inline void watch_group(uint32_t id, uint32_t watched, const char *first, const char *second)
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
static inline void make_frame(uint8_t src, uint8_t dst, uint8_t frame[SIZE])
{
	static const uint8_t ip[] = {0x08, 0x00, 0x45, 0, 0, SIZE - 14, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0,
		2, 0x10, 0, 0x20, 0, 0, SIZE - 34, 0, 0};

	memset(frame, 0, SIZE);
	memcpy(frame, (uint8_t[6]){2, 0, 0, 0, 0, dst}, 6);
	memcpy(frame + 6, (uint8_t[6]){2, 0, 0, 0, 0, src}, 6);
	memcpy(frame + 12, ip, sizeof(ip));
}

static inline void run_up(void)
{
	upcall_run(up, lab.now_ns);
	lab_settle(&lab);
}

/* What the meter of the flow that was hit last said. */
static bool last_passed;

/* A frame comes in by the port: hits the cache and is counted there, or goes up. True: it hit. */
static inline bool arrive(uint16_t port, const uint8_t frame[SIZE])
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
static inline void cache_expect_output(uint16_t port, const uint8_t frame[SIZE], uint32_t out)
{
	struct dp_memory_hit hit;
	struct sw_headers headers;
	struct sw_key key;

	sw_extract(frame, frame + SIZE, IFINDEX_OF + port, SW_KEY_WORDS, &key, &headers);
	ck_assert(dp_memory_lookup(lab.dp, 0, &key, SIZE, &hit));
	ck_assert_int_eq(hit.program->steps[0].op, SW_OP_OUTPUT);
	ck_assert_uint_eq(hit.program->steps[0].arg, out);
}

static inline const char *sent(void)
{
	return lab_sent(&lab);
}

static inline const struct rule *first_rule(uint8_t table)
{
	struct rule *rule = tables_table(ofbridge_tables(bridge), table)->first;

	ck_assert_ptr_nonnull(rule);
	ofbridge_refresh_rule(bridge, rule);
	return rule;
}

static inline uint64_t drops_of(enum sw_drop reason)
{
	uint64_t sum = 0;

	for (uint16_t port = 0; port <= 4; port++)
		sum += counters_read_drop(&lab.dp->memory, port, reason);
	return sum;
}

/* What the program does with it. */
static inline const char *steps_of_the_flow(const uint8_t frame[SIZE])
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

/* ---- a restart ---- */

/* The daemon died and its successor has the ports, and no rules but a bridge's first. */
static inline void restart(void)
{
	upcall_destroy(up);
	strcpy(lab.dp->memory.registry->bridge[1].name, "br1");
	lab_restart(&lab);
	up = upcall_create(lab.dp, lab.pl, lab.fdb, lab.cache, ofbridges_executor(lab.bridges));
	bridge = ofbridges_get(lab.bridges, 1);
	tables_flush(ofbridge_tables(bridge), RULE_DELETE);
	lab_settle(&lab);
}

#endif
