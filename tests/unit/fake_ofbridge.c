/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/fake_ofbridge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ofbridge {
	struct tables *tables;
	struct groups *groups;
	struct meters *meters;
	struct ofbridge_events events;
	bool listened;
	uint64_t now_ns;
	uint64_t flow_mod_ns; /* what a flow-mod takes */
	uint32_t n_ports;
	struct of_port_desc ports[FAKE_PORTS_MAX];
	enum of_err refusal;
	struct fake_asked asked;
};

/* Of packet-ins: bytes that count upwards. */
static uint8_t frame_of_test[FAKE_FRAME_MAX];

/* ---- what tables and groups ask ---- */

static void rule_added(void *ctx, struct rule *rule)
{
}

static void rule_removing(void *ctx, struct rule *rule)
{
	struct ofbridge *b = ctx;

	if (rule->flags & RULE_SEND_FLOW_REM && b->listened)
		b->events.flow_removed(b->events.ctx, rule);
	rule_free(b->tables, rule);
}

static enum of_err check_list(struct ofbridge *b, const struct actions *actions)
{
	for (uint32_t i = 0; i < actions->n; i++) {
		const struct action *action = &actions->list[i];

		if (action->type == ACTION_GROUP && !groups_find(b->groups, action->arg))
			return OF_ERR_BAD_ACTION_BAD_OUT_GROUP;
		if (action->type == ACTION_SET_QUEUE)
			return OF_ERR_BAD_ACTION_BAD_QUEUE;
	}
	return OF_OK;
}

static enum of_err check_rule(void *ctx, const struct flow_mod *mod)
{
	struct ofbridge *b = ctx;
	struct actions apply = instructions_applied(mod->instructions);
	struct actions write = instructions_written(mod->instructions);
	enum of_err error = check_list(b, &apply);

	if (!error)
		error = check_list(b, &write);
	if (!error && mod->instructions->meter && !meters_find(b->meters, mod->instructions->meter))
		error = OF_ERR_METER_MOD_UNKNOWN_METER;
	return error;
}

static void refresh_rule(void *ctx, struct rule *rule)
{
}

static void group_changing(void *ctx, struct group *group)
{
}

static enum of_err check_bucket(void *ctx, const struct actions *actions)
{
	return OF_OK;
}

static bool port_is_live(void *ctx, uint32_t of_port)
{
	return true;
}

/* ---- the test's side ---- */

struct ofbridge *fake_ofbridge_create(void)
{
	struct ofbridge *b = calloc(1, sizeof(*b));
	struct tables_events of_tables = {b, rule_added, rule_added, rule_removing, check_rule, refresh_rule};
	struct groups_events of_groups = {
		.ctx = b, .changing = group_changing, .check = check_bucket, .port_is_live = port_is_live};

	if (!b)
		abort();
	b->groups = groups_create(&of_groups);
	b->meters = meters_create(NULL, 1);
	b->tables = tables_create(b->groups, b->meters, &of_tables);
	b->now_ns = 1000000000ull;
	for (uint32_t i = 0; i < FAKE_FRAME_MAX && !frame_of_test[1]; i++)
		frame_of_test[FAKE_FRAME_MAX - 1 - i] = (uint8_t)(FAKE_FRAME_MAX - 1 - i);
	return b;
}

void fake_ofbridge_free(struct ofbridge *b)
{
	tables_destroy(b->tables);
	groups_destroy(b->groups);
	meters_destroy(b->meters);
	free(b);
}

void fake_ofbridge_port(struct ofbridge *b, uint32_t number, const char *name)
{
	struct of_port_desc *desc = &b->ports[b->n_ports++];

	*desc = (struct of_port_desc){
		.number = number,
		.mac = {2, 0, 0, 0, (uint8_t)(number >> 8), (uint8_t)number},
		.state = OF_PORT_STATE_LIVE,
		.features = 1 << 6,
		.curr_kbps = 10000000,
		.max_kbps = 10000000,
	};
	snprintf(desc->name, sizeof(desc->name), "%s", name);
}

void fake_ofbridge_slow(struct ofbridge *b, uint64_t flow_mod_ns)
{
	b->flow_mod_ns = flow_mod_ns;
}

void fake_ofbridge_set_now(struct ofbridge *b, uint64_t now_ns)
{
	b->now_ns = now_ns;
}

struct fake_asked *fake_ofbridge_asked(struct ofbridge *b)
{
	return &b->asked;
}

void fake_ofbridge_refuse(struct ofbridge *b, enum of_err error)
{
	b->refusal = error;
}

void fake_ofbridge_expire(struct ofbridge *b)
{
	tables_expire(b->tables, b->now_ns);
}

static bool packet_in(struct ofbridge *b, struct packet_in *in)
{
	in->cookie = 0x1122334455667788ull;
	in->table_id = 3;
	in->frame = frame_of_test;
	return b->listened && b->events.packet_in(b->events.ctx, in);
}

bool fake_ofbridge_packet_in(
	struct ofbridge *b, enum packet_in_reason reason, uint16_t max_len, uint32_t in_port, uint32_t size)
{
	struct packet_in in = {.reason = (uint8_t)reason, .max_len = max_len, .size = size};

	in.flow.x.f.in_ifindex = in_port;
	return packet_in(b, &in);
}

bool fake_ofbridge_packet_in_of(struct ofbridge *b, uint8_t flow, uint16_t max_len, uint32_t size)
{
	struct packet_in in = {.reason = PACKET_IN_ACTION, .max_len = max_len, .size = size};

	in.flow.x.f.in_ifindex = 1;
	in.flow.x.f.eth_src[5] = flow;
	return packet_in(b, &in);
}

void fake_ofbridge_port_change(struct ofbridge *b, enum port_change change, uint32_t number)
{
	struct of_port_desc desc;

	if (b->listened && ofbridge_port(b, number, &desc, NULL))
		b->events.port_changed(b->events.ctx, change, &desc);
}

/* ---- ofbridge.h ---- */

void ofbridge_listen(struct ofbridge *b, const struct ofbridge_events *events)
{
	b->listened = events;
	if (events)
		b->events = *events;
}

const char *ofbridge_name(const struct ofbridge *b)
{
	return "br0";
}

uint64_t ofbridge_datapath_id(const struct ofbridge *b)
{
	return FAKE_DPID;
}

enum of_err ofbridge_flow_mod(struct ofbridge *b, const struct flow_mod *mod)
{
	b->now_ns += b->flow_mod_ns;
	return tables_flow_mod(b->tables, mod, b->now_ns);
}

enum of_err ofbridge_group_mod(struct ofbridge *b, const struct group_mod *mod)
{
	if (mod->command == 2)
		tables_group_gone(b->tables, mod->id);
	return groups_mod(b->groups, mod, b->now_ns);
}

enum of_err ofbridge_meter_mod(struct ofbridge *b, const struct meter_mod *mod)
{
	if (mod->command == 2)
		tables_meter_gone(b->tables, mod->id);
	return meters_mod(b->meters, mod, b->now_ns);
}

enum of_err ofbridge_port_mod(
	struct ofbridge *b, uint32_t of_port, const uint8_t mac[6], uint32_t config, uint32_t mask)
{
	struct of_port_desc desc;

	if (!ofbridge_port(b, of_port, &desc, NULL))
		return OF_ERR_PORT_MOD_BAD_PORT;
	if (memcmp(desc.mac, mac, 6))
		return OF_ERR_PORT_MOD_BAD_HW_ADDR;
	b->asked.n_port_mods++;
	b->asked.port_config = config;
	b->asked.port_mask = mask;
	return OF_OK;
}

enum of_err ofbridge_table_mod(struct ofbridge *b, uint8_t table_id, uint32_t config)
{
	for (unsigned i = 0; i < TABLES_MAX; i++) {
		if (table_id == TABLE_ALL || table_id == i)
			tables_table(b->tables, (uint8_t)i)->config = config;
	}
	return OF_OK;
}

/* What goes to the controller comes back; the first time as if actions had rewritten it. */
static const uint8_t rewritten[FAKE_FRAME_MAX];

static void send_back(
	struct ofbridge *b, uint32_t in_port, const struct action *action, const uint8_t *frame, uint32_t size)
{
	struct packet_in in = {.reason = PACKET_IN_ACTION, .max_len = action->max_len, .frame = frame, .size = size};

	in.flow.x.f.in_ifindex = in_port;
	if (action->type == ACTION_OUTPUT && action->arg == OF_PORT_CONTROLLER)
		b->events.packet_in(b->events.ctx, &in);
}

enum of_err ofbridge_packet_out(
	struct ofbridge *b, uint32_t in_port, const struct actions *actions, const uint8_t *frame, uint32_t size)
{
	if (b->refusal)
		return b->refusal;
	b->asked.n_packet_outs++;
	b->asked.out_in_port = in_port;
	b->asked.out_n_actions = actions->n;
	if (actions->n)
		b->asked.out_action = actions->list[0];
	b->asked.out_size = size;
	memcpy(b->asked.out_frame, frame, size);
	for (uint32_t i = 0; i < actions->n && b->listened; i++)
		send_back(b, in_port, &actions->list[i], i ? frame : rewritten, size);
	return OF_OK;
}

enum of_err ofbridge_check_actions(
	struct ofbridge *b, const struct actions *actions, const struct flow_match *match, bool packet_out)
{
	return check_list(b, actions);
}

struct tables *ofbridge_tables(struct ofbridge *b)
{
	return b->tables;
}

struct groups *ofbridge_groups(struct ofbridge *b)
{
	return b->groups;
}

struct meters *ofbridge_meters(struct ofbridge *b)
{
	return b->meters;
}

void ofbridge_refresh(struct ofbridge *b)
{
	b->asked.n_refreshes++;
}

void ofbridge_refresh_rule(struct ofbridge *b, struct rule *rule)
{
	b->asked.n_rule_refreshes++;
}

void ofbridge_refresh_group(struct ofbridge *b, struct group *group)
{
}

static void tell(const struct of_port_desc *desc, struct of_port_desc *ret_desc, struct of_port_stats *ret_stats)
{
	if (ret_desc)
		*ret_desc = *desc;
	if (ret_stats)
		*ret_stats = (struct of_port_stats){1, 2, 3, 4, 5, 6, 7000000008ull};
}

bool ofbridge_next_port(
	const struct ofbridge *b, uint32_t number, struct of_port_desc *ret_desc, struct of_port_stats *ret_stats)
{
	for (uint32_t i = 0; i < b->n_ports; i++) {
		if (b->ports[i].number > number) {
			tell(&b->ports[i], ret_desc, ret_stats);
			return true;
		}
	}
	return false;
}

bool ofbridge_port(
	const struct ofbridge *b, uint32_t number, struct of_port_desc *ret_desc, struct of_port_stats *ret_stats)
{
	for (uint32_t i = 0; i < b->n_ports; i++) {
		if (b->ports[i].number == number) {
			tell(&b->ports[i], ret_desc, ret_stats);
			return true;
		}
	}
	return false;
}

void ofbridge_set_standalone(struct ofbridge *b, bool on)
{
	b->asked.n_standalone++;
	b->asked.standalone = on;
}

uint64_t ofbridge_now_ns(const struct ofbridge *b)
{
	return b->now_ns;
}

void ofbridge_barrier(struct ofbridge *b)
{
	(void)b;
}
