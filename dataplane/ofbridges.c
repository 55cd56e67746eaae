/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/ofbridges.h"

#include "dataplane/cache.h"
#include "dataplane/check.h"
#include "dataplane/counters.h"
#include "dataplane/datapath.h"
#include "dataplane/execute.h"
#include "dataplane/fdb.h"
#include "dataplane/meter.h"
#include "dataplane/mirrors.h"
#include "dataplane/ofbridge.h"
#include "dataplane/pipeline.h"

#include <stdlib.h>
#include <string.h>

#define ETH_SIZE     14
#define NS_A_S       1000000000ULL
#define HELD_MAX_NS  (30 * NS_A_S) /* no controller has given rules */
#define HELD_MORE_NS (5 * NS_A_S)  /* one has begun to, and asks for no barrier */

enum { OFPGC_DELETE = 2 };

struct ofbridge {
	struct ofbridges *all;
	uint16_t id;
	struct ofbridge_events events;
	bool listened;
	struct rule *dying;     /* by their `next`: out of their tables, and flows may still count for them */
	uint64_t held_until_ns; /* its adopted flows are left alone until then; 0: they are not */
	bool is_given_rules;    /* since the start */
};

/* What was told of a port. */
struct told {
	uint16_t bridge; /* 0: nothing */
	uint64_t since_ns;
	struct of_port_desc desc;
};

struct ofbridges {
	struct ofbridge_parts parts;
	struct executor *executor;
	struct ofbridge bridges[SW_MAX_BRIDGES];
	uint64_t told_version;
	struct told told[SW_MAX_PORTS];
};

static const struct bridge *bridge_of(const struct ofbridge *b)
{
	return pipeline_bridge(b->all->parts.pl, b->id);
}

static uint64_t now_of(const struct ofbridges *all)
{
	return all->parts.now_ns(all->parts.ctx);
}

/* ---- what the pipeline tells ---- */

static void rule_added(void *ctx, uint16_t bridge, struct rule *rule)
{
	struct ofbridges *all = ctx;
	struct flow_match match;

	if (!cache_count(all->parts.cache))
		return;
	rule_match(rule, &match);
	cache_touch_overlap(all->parts.cache, bridge, rule->table_id, &match);
}

static void rule_modified(void *ctx, uint16_t bridge, struct rule *rule)
{
	struct ofbridges *all = ctx;

	cache_touch(all->parts.cache, &rule->tally);
}

static void rule_removed(void *ctx, uint16_t bridge, struct rule *rule)
{
	struct ofbridges *all = ctx;
	struct ofbridge *b = &all->bridges[bridge];

	cache_touch(all->parts.cache, &rule->tally);
	rule->next = b->dying;
	b->dying = rule;
}

static void rule_refresh(void *ctx, uint16_t bridge, struct rule *rule)
{
	struct ofbridges *all = ctx;

	cache_refresh(all->parts.cache, &rule->tally, now_of(all));
}

/* Until they have been asked again its flows go on counting for the group itself, which stays. */
static void group_changing(void *ctx, uint16_t bridge, struct group *group)
{
	struct ofbridges *all = ctx;

	cache_touch(all->parts.cache, &group->tally);
	for (uint32_t i = 0; i < group->n_buckets; i++)
		cache_unlink(all->parts.cache, &group->buckets[i].tally, now_of(all));
}

static void group_going(void *ctx, uint16_t bridge, struct group *group)
{
	struct ofbridges *all = ctx;

	cache_unlink(all->parts.cache, &group->tally, now_of(all));
}

/* Final: no flow counts for it any more. */
static void bury(struct ofbridge *b, struct rule *rule)
{
	if (rule->flags & RULE_SEND_FLOW_REM && b->listened)
		b->events.flow_removed(b->events.ctx, rule);
	rule_free(bridge_of(b)->tables, rule);
}

static void bury_all(struct ofbridge *b, bool whoever_counts)
{
	struct rule **at = &b->dying, *rule;

	while ((rule = *at)) {
		if (rule->tally.links && whoever_counts)
			cache_unlink(b->all->parts.cache, &rule->tally, now_of(b->all));
		if (rule->tally.links) {
			at = &rule->next;
			continue;
		}
		*at = rule->next;
		bury(b, rule);
	}
}

/* The flows of before the start are asked like others from now on. */
static void let_go(struct ofbridge *b)
{
	if (!b->held_until_ns)
		return;
	b->held_until_ns = 0;
	cache_let_go(b->all->parts.cache, b->id);
}

/* The meter's, or all meters', for METER_ALL. */
static void unlink_meters(struct ofbridges *all, const struct meters *meters, uint32_t id)
{
	const struct meter *meter = id == METER_ALL ? meters_next(meters, 0) : meters_find(meters, id);

	for (; meter; meter = id == METER_ALL ? meters_next(meters, meter->id) : NULL)
		cache_unlink(all->parts.cache, meter->in, now_of(all));
}

static void bridge_going(void *ctx, uint16_t id)
{
	struct ofbridges *all = ctx;
	struct ofbridge *b = &all->bridges[id];
	const struct bridge *bridge = bridge_of(b);
	struct group *group;
	uint32_t next = GROUP_ANY;

	tables_flush(bridge->tables, RULE_DELETE);
	bury_all(b, true);
	let_go(b);
	while ((group = groups_next(bridge->groups, next))) {
		next = group->id;
		group_changing(all, id, group);
		group_going(all, id, group);
	}
	unlink_meters(all, bridge->meters, METER_ALL);
	for (unsigned table = 0; table < TABLES_MAX; table++)
		cache_unlink(all->parts.cache, &tables_table(bridge->tables, (uint8_t)table)->missed, now_of(all));
	b->listened = false;
}

static uint64_t tell_time(void *ctx)
{
	return now_of(ctx);
}

/* ---- what the executor tells ---- */

static bool packet_in(void *ctx, uint16_t bridge, const struct packet_in *in)
{
	struct ofbridges *all = ctx;
	struct ofbridge *b = &all->bridges[bridge];

	return b->listened && b->events.packet_in(b->events.ctx, in);
}

static void mirror(void *ctx, uint16_t mirror, const void *frame, uint32_t size)
{
	const struct ofbridges *all = ctx;

	if (all->parts.mirrors)
		mirrors_send(all->parts.mirrors, mirror, frame, size);
}

/* Whether a mirror of this number may have a copy of what came in by one port and left by the other, if by any. */
static bool may_copy(const struct ofbridges *all, const struct dp_told *told)
{
	const struct port *in = pipeline_port(all->parts.pl, told->in_port);
	const struct port *out = told->out_port ? pipeline_port(all->parts.pl, told->out_port) : in;
	uint64_t mirrors = out ? out->mirrors_out : 0;

	if (in)
		mirrors |= in->mirrors_in | pipeline_bridge(all->parts.pl, in->bridge)->mirrors_in;
	return mirrors >> told->mirror & 1;
}

/* One that waited in the ring while its mirror went is not for another that has the number now. */
static void mirror_copy(void *ctx, const struct dp_told *told)
{
	const struct ofbridges *all = ctx;

	if (all->parts.mirrors && may_copy(all, told))
		mirrors_send_copy(all->parts.mirrors, told->mirror, told->out_port, told->data, told->size);
}

static void refresh(void *ctx, const struct tally *tally)
{
	struct ofbridges *all = ctx;

	cache_refresh(all->parts.cache, tally, now_of(all));
}

/* ---- life ---- */

static struct sw_registry_bridge *registry_of(const struct ofbridges *all, uint16_t bridge)
{
	return &all->parts.dp->memory.registry->bridge[bridge];
}

static void hold(struct ofbridge *b)
{
	b->held_until_ns = now_of(b->all) + HELD_MAX_NS;
	cache_hold(b->all->parts.cache, b->id);
}

struct ofbridges *ofbridges_create(const struct ofbridge_parts *parts)
{
	struct ofbridges *all = calloc(1, sizeof(*all));
	const struct executor_events executor = {
		.ctx = all, .packet_in = packet_in, .mirror = mirror, .mirror_copy = mirror_copy, .refresh = refresh};
	const struct pipeline_events events = {
		.ctx = all,
		.rule_added = rule_added,
		.rule_modified = rule_modified,
		.rule_removed = rule_removed,
		.group_changing = group_changing,
		.group_going = group_going,
		.rule_refresh = rule_refresh,
		.bridge_going = bridge_going,
		.now_ns = tell_time,
	};

	if (!all)
		return NULL;
	all->parts = *parts;
	for (uint16_t id = 0; id < SW_MAX_BRIDGES; id++)
		all->bridges[id] = (struct ofbridge){.all = all, .id = id};
	all->executor = executor_create(parts->dp, parts->pl, parts->fdb, &executor);
	if (!all->executor) {
		free(all);
		return NULL;
	}
	pipeline_set_events(parts->pl, &events);
	for (uint16_t id = 1; parts->dp->adopted && id < SW_MAX_BRIDGES; id++) {
		if (registry_of(all, id)->name[0] && registry_of(all, id)->steered)
			hold(&all->bridges[id]);
	}
	return all;
}

void ofbridges_destroy(struct ofbridges *all)
{
	if (!all)
		return;
	for (uint16_t id = 0; id < SW_MAX_BRIDGES; id++) {
		all->bridges[id].listened = false;
		if (all->bridges[id].dying)
			bury_all(&all->bridges[id], true);
	}
	pipeline_set_events(all->parts.pl, NULL);
	executor_destroy(all->executor);
	free(all);
}

struct executor *ofbridges_executor(struct ofbridges *all)
{
	return all->executor;
}

struct ofbridge *ofbridges_get(struct ofbridges *all, uint16_t bridge)
{
	return &all->bridges[bridge];
}

/* ---- ports ---- */

static uint64_t sum_drops(const struct port_counters *counters, bool tx)
{
	uint64_t sum = 0;

	for (unsigned reason = 1; reason < SW_N_DROPS; reason++) {
		bool is_tx = reason == SW_DROP_PORT_DOWN || reason == SW_DROP_OVER_MTU || reason == SW_DROP_XMIT ||
			     reason == SW_DROP_TX_FULL || reason == SW_DROP_REDIRECT;

		if (is_tx == tx)
			sum += counters->drops[reason];
	}
	return sum;
}

static struct of_port_desc describe(const struct port *port)
{
	struct of_port_desc desc = {.number = port->of_port, .config = port->of_config};

	memcpy(desc.mac, port->mac, sizeof(desc.mac));
	memcpy(desc.name, port->name, sizeof(desc.name));
	desc.features = port->features;
	desc.curr_kbps = port->mbps <= UINT32_MAX / 1000 ? port->mbps * 1000 : UINT32_MAX;
	desc.state = port->up ? OF_PORT_STATE_LIVE : OF_PORT_STATE_LINK_DOWN;
	return desc;
}

static void tell_port(struct ofbridges *all, uint16_t bridge, enum port_change change, const struct of_port_desc *desc)
{
	struct ofbridge *b = &all->bridges[bridge];

	if (b->listened)
		b->events.port_changed(b->events.ctx, change, desc);
}

static void tell_if_gone(struct ofbridges *all, uint16_t id)
{
	const struct port *port = pipeline_port(all->parts.pl, id);
	struct told *told = &all->told[id];

	if (!told->bridge || (port && port->bridge == told->bridge && port->of_port == told->desc.number))
		return;
	tell_port(all, told->bridge, PORT_CHANGE_DELETE, &told->desc);
	told->bridge = 0;
}

static void tell_if_news(struct ofbridges *all, uint16_t id)
{
	const struct port *port = pipeline_port(all->parts.pl, id);
	struct told *told = &all->told[id];
	struct of_port_desc desc;

	if (!port)
		return;
	desc = describe(port);
	if (told->bridge && !memcmp(&told->desc, &desc, sizeof(desc)))
		return;
	tell_port(all, port->bridge, told->bridge ? PORT_CHANGE_MODIFY : PORT_CHANGE_ADD, &desc);
	pipeline_port_known(all->parts.pl, id);
	*told = (struct told){port->bridge, told->bridge ? told->since_ns : now_of(all), desc};
}

/* What went is told first: another may have its number by now. */
static void compare_ports(struct ofbridges *all)
{
	if (all->told_version == pipeline_version(all->parts.pl))
		return;
	all->told_version = pipeline_version(all->parts.pl);
	for (uint16_t id = 1; id < SW_MAX_PORTS; id++)
		tell_if_gone(all, id);
	for (uint16_t id = 1; id < SW_MAX_PORTS; id++)
		tell_if_news(all, id);
}

/* ---- time ---- */

/* Its id may be another's now, to whom the flows that are held would send what was for it. */
static bool has_lost_a_port(const struct ofbridge *b)
{
	for (uint16_t id = 1; id < SW_MAX_PORTS; id++) {
		const struct port *port = pipeline_port(b->all->parts.pl, id);
		const struct told *told = &b->all->told[id];

		if (told->bridge == b->id && (!port || port->bridge != b->id || strcmp(port->name, told->desc.name)))
			return true;
	}
	return false;
}

static uint64_t expire_hold(struct ofbridge *b)
{
	if (b->held_until_ns && (now_of(b->all) >= b->held_until_ns || has_lost_a_port(b)))
		let_go(b);
	return b->held_until_ns;
}

/* Meters that found no slot when they were made: the program runs them from now on. */
static void serve_meters(struct ofbridges *all, struct meters *meters)
{
	const struct meter *meter;

	while ((meter = meters_serve(meters, now_of(all))))
		cache_touch(all->parts.cache, meter->in);
}

uint64_t ofbridges_expire(struct ofbridges *all)
{
	const struct bridge *bridge = NULL;
	uint64_t next = 0, due;

	while ((bridge = pipeline_next_bridge(all->parts.pl, bridge ? bridge->id : 0))) {
		serve_meters(all, bridge->meters);
		due = tables_expire(bridge->tables, now_of(all));
		if (due && (!next || due < next))
			next = due;
		due = expire_hold(&all->bridges[bridge->id]);
		if (due && (!next || due < next))
			next = due;
	}
	return next;
}

void ofbridges_settled(struct ofbridges *all)
{
	for (uint16_t id = 1; id < SW_MAX_BRIDGES; id++) {
		if (all->bridges[id].dying)
			bury_all(&all->bridges[id], false);
	}
	compare_ports(all);
}

/* ---- for the agent ---- */

void ofbridge_listen(struct ofbridge *b, const struct ofbridge_events *events)
{
	b->listened = events;
	if (events)
		b->events = *events;
}

const char *ofbridge_name(const struct ofbridge *b)
{
	return bridge_of(b)->name;
}

uint64_t ofbridge_datapath_id(const struct ofbridge *b)
{
	return bridge_of(b)->datapath_id;
}

enum of_err ofbridge_flow_mod(struct ofbridge *b, const struct flow_mod *mod)
{
	enum of_err error = tables_flow_mod(bridge_of(b)->tables, mod, now_of(b->all));

	if (error || b->is_given_rules || mod->command != FLOW_ADD)
		return error;
	b->is_given_rules = true;
	registry_of(b->all, b->id)->steered = 1;
	if (b->held_until_ns && b->held_until_ns > now_of(b->all) + HELD_MORE_NS)
		b->held_until_ns = now_of(b->all) + HELD_MORE_NS;
	return OF_OK;
}

void ofbridge_barrier(struct ofbridge *b)
{
	if (b->is_given_rules)
		let_go(b);
}

/* The rules that name what was deleted go with it (OF 1.3.5 §6.7); nothing is translated in between. */
enum of_err ofbridge_group_mod(struct ofbridge *b, const struct group_mod *mod)
{
	const struct bridge *bridge = bridge_of(b);
	enum of_err error = groups_mod(bridge->groups, mod, now_of(b->all));

	if (!error && mod->command == OFPGC_DELETE)
		tables_group_gone(bridge->tables, mod->id);
	return error;
}

enum of_err ofbridge_meter_mod(struct ofbridge *b, const struct meter_mod *mod)
{
	const struct bridge *bridge = bridge_of(b);
	enum of_err error;

	if (mod->command == METER_DELETE) {
		tables_meter_gone(bridge->tables, mod->id);
		unlink_meters(b->all, bridge->meters, mod->id);
	}
	error = meters_mod(bridge->meters, mod, now_of(b->all));
	if (!error && mod->command == METER_MODIFY)
		cache_touch(b->all->parts.cache, meters_find(bridge->meters, mod->id)->in);
	return error;
}

enum of_err ofbridge_port_mod(
	struct ofbridge *b, uint32_t of_port, const uint8_t mac[6], uint32_t config, uint32_t mask)
{
	const uint32_t known =
		OF_PORT_CONFIG_DOWN | OF_PORT_CONFIG_NO_RECV | OF_PORT_CONFIG_NO_FWD | OF_PORT_CONFIG_NO_PACKET_IN;
	const struct port *port = pipeline_port_by_number(b->all->parts.pl, b->id, of_port);
	bool was_up = port && port->up;

	if (!port)
		return OF_ERR_PORT_MOD_BAD_PORT;
	if (memcmp(mac, port->mac, sizeof(port->mac)))
		return OF_ERR_PORT_MOD_BAD_HW_ADDR;
	if (mask & ~known || config & ~known)
		return OF_ERR_PORT_MOD_BAD_CONFIG;
	pipeline_port_set_config(b->all->parts.pl, port->id, (port->of_config & ~mask) | (config & mask));
	if (was_up && !port->up)
		fdb_flush(b->all->parts.fdb, 0, port->id, -1, false); /* P4 of port_manager.h */
	return OF_OK;
}

/* OF 1.3.5 §7.3.3: no bit of it is defined any more. */
enum of_err ofbridge_table_mod(struct ofbridge *b, uint8_t table_id, uint32_t config)
{
	if (config & ~3u)
		return OF_ERR_TABLE_MOD_BAD_CONFIG;
	for (unsigned id = 0; id < TABLES_MAX; id++) {
		if (table_id == TABLE_ALL || table_id == id)
			tables_table(bridge_of(b)->tables, (uint8_t)id)->config = config;
	}
	return OF_OK;
}

enum of_err ofbridge_packet_out(
	struct ofbridge *b, uint32_t in_port, const struct actions *actions, const uint8_t *frame, uint32_t size)
{
	const struct port *port = pipeline_port_by_number(b->all->parts.pl, b->id, in_port);
	const struct subject subject = {
		.bridge = b->id,
		.in_port = port ? port->id : 0,
		.frame = frame,
		.size = size,
		.now_ns = now_of(b->all),
	};
	enum of_err error;

	if (!port && in_port != OF_PORT_CONTROLLER && in_port != OF_PORT_ANY)
		return OF_ERR_BAD_REQUEST_BAD_PORT;
	if (size < ETH_SIZE)
		return OF_ERR_BAD_REQUEST_BAD_PACKET;
	error = ofbridge_check_actions(b, actions, NULL, true);
	if (!error)
		execute_packet_out(b->all->executor, actions, &subject);
	return error;
}

enum of_err ofbridge_check_actions(
	struct ofbridge *b, const struct actions *actions, const struct flow_match *match, bool packet_out)
{
	return actions_check(bridge_of(b), actions, match, packet_out ? ACTIONS_OF_PACKET_OUT : ACTIONS_OF_RULE);
}

struct tables *ofbridge_tables(struct ofbridge *b)
{
	return bridge_of(b)->tables;
}

struct groups *ofbridge_groups(struct ofbridge *b)
{
	return bridge_of(b)->groups;
}

struct meters *ofbridge_meters(struct ofbridge *b)
{
	return bridge_of(b)->meters;
}

void ofbridge_refresh(struct ofbridge *b)
{
	cache_refresh_all(b->all->parts.cache, now_of(b->all));
}

void ofbridge_refresh_rule(struct ofbridge *b, struct rule *rule)
{
	cache_refresh(b->all->parts.cache, &rule->tally, now_of(b->all));
}

void ofbridge_refresh_group(struct ofbridge *b, struct group *group)
{
	cache_refresh(b->all->parts.cache, &group->tally, now_of(b->all));
	for (uint32_t i = 0; i < group->n_buckets; i++)
		cache_refresh(b->all->parts.cache, &group->buckets[i].tally, now_of(b->all));
}

static void tell_about(const struct ofbridge *b, const struct port *port, struct of_port_desc *ret_desc,
	struct of_port_stats *ret_stats)
{
	const struct told *told = &b->all->told[port->id];
	struct port_counters counters;

	if (ret_desc)
		*ret_desc = describe(port);
	if (!ret_stats)
		return;
	counters_read_port(&b->all->parts.dp->memory, port->id, &counters);
	*ret_stats = (struct of_port_stats){
		.rx_packets = counters.rx_frames,
		.tx_packets = counters.tx_frames,
		.rx_bytes = counters.rx_bytes,
		.tx_bytes = counters.tx_bytes,
		.rx_dropped = sum_drops(&counters, false),
		.tx_dropped = sum_drops(&counters, true),
		.duration_ns = told->bridge ? now_of(b->all) - told->since_ns : 0,
	};
}

bool ofbridge_port(
	const struct ofbridge *b, uint32_t number, struct of_port_desc *ret_desc, struct of_port_stats *ret_stats)
{
	const struct port *port = pipeline_port_by_number(b->all->parts.pl, b->id, number);

	if (port)
		tell_about(b, port, ret_desc, ret_stats);
	return port;
}

bool ofbridge_next_port(
	const struct ofbridge *b, uint32_t number, struct of_port_desc *ret_desc, struct of_port_stats *ret_stats)
{
	const struct port *port = NULL, *best = NULL;

	while ((port = pipeline_next_port(b->all->parts.pl, port ? port->id : 0))) {
		if (port->bridge == b->id && port->of_port > number && (!best || port->of_port < best->of_port))
			best = port;
	}
	if (best)
		tell_about(b, best, ret_desc, ret_stats);
	return best;
}

/* Whether the rule that a bridge has without a controller is there; a controller may have put another in its place. */
static bool forwards_as_bridge(const struct ofbridge *b)
{
	const struct table *table = tables_table(bridge_of(b)->tables, 0);
	const struct flow_match any = {0};
	const struct rule *rule = table->cls ? rule_of(cls_find_exactly(table->cls, &any, 0)) : NULL;
	struct actions applied;

	if (!rule || rule->cookie || rule->instructions->n_write || rule->instructions->goes_on)
		return false;
	applied = instructions_applied(rule->instructions);
	return applied.n == 1 && applied.list[0].type == ACTION_OUTPUT && applied.list[0].arg == OF_PORT_NORMAL;
}

void ofbridge_set_standalone(struct ofbridge *b, bool on)
{
	const struct action normal = {.type = ACTION_OUTPUT, .arg = OF_PORT_NORMAL};
	const struct actions actions = {.n = 1, .list = &normal};
	const struct flow_match any = {0};

	if (!on) {
		if (forwards_as_bridge(b))
			pipeline_rule_remove(b->all->parts.pl, b->id, &any, 0, NULL);
		return;
	}
	tables_flush(bridge_of(b)->tables, RULE_DELETE);
	ofbridge_group_mod(b, &(struct group_mod){.command = OFPGC_DELETE, .id = GROUP_ALL});
	ofbridge_meter_mod(b, &(struct meter_mod){.command = METER_DELETE, .id = METER_ALL});
	pipeline_rule_put(b->all->parts.pl, b->id, &any, 0, &actions, NULL);
	b->is_given_rules = false;
	registry_of(b->all, b->id)->steered = 0;
}

uint64_t ofbridge_now_ns(const struct ofbridge *b)
{
	return now_of(b->all);
}
