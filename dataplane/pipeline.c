/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/pipeline.h"

#include "dataplane/complaint.h"
#include "dataplane/check.h"
#include "dataplane/group.h"
#include "dataplane/meter.h"
#include "dataplane/ofbridge.h"
#include "dataplane/table.h"
#include "dataplane/xlate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define IFINDEX_BUCKETS 2048 /* a power of two; ifindexes are dense, so there is hardly a chain */
#define NUMBER_BUCKETS  2048

/* What the tables and groups of a bridge call with. */
struct bridge_ctx {
	struct pipeline *pl;
	uint16_t bridge;
};

struct pipeline {
	const struct fdb *fdb;
	uint64_t version;
	struct pipeline_events events;
	bool has_events;
	struct meter_slots *meter_slots;
	uint8_t *scratch;
	struct bridge_ctx bridge_ctx[SW_MAX_BRIDGES];
	struct bridge *bridges[SW_MAX_BRIDGES]; /* by id */
	struct port *ports[SW_MAX_PORTS];       /* by id */
	uint16_t max_port;                      /* no id above it is in use */
	/* Ports by ifindex: chains of port ids, 0 ends one. */
	uint16_t by_ifindex[IFINDEX_BUCKETS];
	uint16_t next_by_ifindex[SW_MAX_PORTS];
	/* The same by bridge and OpenFlow number. */
	uint16_t by_number[NUMBER_BUCKETS];
	uint16_t next_by_number[SW_MAX_PORTS];
	char mirror_names[SW_MAX_MIRRORS][SW_NAME_SIZE]; /* by id */
	struct vlan_set mirror_vlans[SW_MAX_MIRRORS];
	uint64_t mirrors_by_vlan; /* of which those are all that they take */
};

struct pipeline *pipeline_create(const struct fdb *fdb)
{
	struct pipeline *pl = calloc(1, sizeof(*pl));

	if (!pl)
		return NULL;
	pl->fdb = fdb;
	pl->scratch = malloc(XLATE_HEADROOM + XLATE_FRAME + XLATE_TAILROOM);
	if (!pl->scratch) {
		free(pl);
		return NULL;
	}
	for (uint16_t id = 0; id < SW_MAX_BRIDGES; id++)
		pl->bridge_ctx[id] = (struct bridge_ctx){pl, id};
	return pl;
}

static void free_bridge(struct bridge *bridge)
{
	if (!bridge)
		return;
	if (bridge->tables)
		tables_destroy(bridge->tables);
	if (bridge->groups)
		groups_destroy(bridge->groups);
	if (bridge->meters)
		meters_destroy(bridge->meters);
	free(bridge);
}

void pipeline_destroy(struct pipeline *pl)
{
	if (!pl)
		return;
	for (int id = 0; id < SW_MAX_PORTS; id++)
		free(pl->ports[id]);
	for (int id = 0; id < SW_MAX_BRIDGES; id++)
		free_bridge(pl->bridges[id]);
	free(pl->scratch);
	free(pl);
}

void pipeline_set_meter_slots(struct pipeline *pl, struct meter_slots *slots)
{
	pl->meter_slots = slots;
}

void pipeline_set_events(struct pipeline *pl, const struct pipeline_events *events)
{
	pl->has_events = events;
	if (events)
		pl->events = *events;
}

uint8_t *xlate_scratch(const struct pipeline *pl)
{
	return pl->scratch;
}

struct translation xlate_begin(
	const struct pipeline *pl, const struct sw_key *key, const struct trace_sink *trace, struct xlate *answer)
{
	struct translation t = {.pl = pl, .fdb = pl->fdb, .key = key, .trace = trace, .answer = answer};

	t.in = pipeline_port_by_ifindex(pl, key->f.in_ifindex);
	t.bridge = t.in ? pipeline_bridge(pl, t.in->bridge) : NULL;
	return t;
}

/* ---- finding ---- */

const struct bridge *pipeline_bridge(const struct pipeline *pl, uint16_t id)
{
	return id < SW_MAX_BRIDGES ? pl->bridges[id] : NULL;
}

const struct port *pipeline_port(const struct pipeline *pl, uint16_t id)
{
	return id < SW_MAX_PORTS ? pl->ports[id] : NULL;
}

const struct bridge *pipeline_next_bridge(const struct pipeline *pl, uint16_t id)
{
	while (++id < SW_MAX_BRIDGES) {
		if (pl->bridges[id])
			return pl->bridges[id];
	}
	return NULL;
}

const struct port *pipeline_next_port(const struct pipeline *pl, uint16_t id)
{
	while (++id <= pl->max_port) {
		if (pl->ports[id])
			return pl->ports[id];
	}
	return NULL;
}

const struct bridge *pipeline_bridge_by_name(const struct pipeline *pl, const char *name)
{
	const struct bridge *bridge = NULL;

	while ((bridge = pipeline_next_bridge(pl, bridge ? bridge->id : 0))) {
		if (!strcmp(bridge->name, name))
			return bridge;
	}
	return NULL;
}

const struct port *pipeline_port_by_name(const struct pipeline *pl, const char *name)
{
	const struct port *port = NULL;

	while ((port = pipeline_next_port(pl, port ? port->id : 0))) {
		if (!strcmp(port->name, name))
			return port;
	}
	return NULL;
}

const struct port *pipeline_port_by_ifindex(const struct pipeline *pl, uint32_t ifindex)
{
	uint16_t id = pl->by_ifindex[ifindex % IFINDEX_BUCKETS];

	while (id && pl->ports[id]->ifindex != ifindex)
		id = pl->next_by_ifindex[id];
	return id ? pl->ports[id] : NULL;
}

/* Ports without a device, ifindex 0, are in no chain. */
static void set_ifindex(struct pipeline *pl, struct port *port, uint32_t ifindex)
{
	uint16_t *at;

	if (port->ifindex) {
		at = &pl->by_ifindex[port->ifindex % IFINDEX_BUCKETS];
		while (*at != port->id)
			at = &pl->next_by_ifindex[*at];
		*at = pl->next_by_ifindex[port->id];
	}
	port->ifindex = ifindex;
	if (ifindex) {
		at = &pl->by_ifindex[ifindex % IFINDEX_BUCKETS];
		pl->next_by_ifindex[port->id] = *at;
		*at = port->id;
	}
}

static uint16_t *number_bucket(struct pipeline *pl, uint16_t bridge, uint32_t of_port)
{
	return &pl->by_number[(of_port + bridge * 31u) % NUMBER_BUCKETS];
}

const struct port *pipeline_port_by_number(const struct pipeline *pl, uint16_t bridge, uint32_t of_port)
{
	uint16_t id = *number_bucket((struct pipeline *)pl, bridge, of_port);

	while (id && (pl->ports[id]->of_port != of_port || pl->ports[id]->bridge != bridge))
		id = pl->next_by_number[id];
	return id ? pl->ports[id] : NULL;
}

/* Gives the port a number; 0: takes it. */
static void set_number(struct pipeline *pl, struct port *port, uint32_t of_port)
{
	uint16_t *at;

	if (port->of_port) {
		for (at = number_bucket(pl, port->bridge, port->of_port); *at != port->id;
			at = &pl->next_by_number[*at])
			;
		*at = pl->next_by_number[port->id];
	}
	port->of_port = of_port;
	if (of_port) {
		at = number_bucket(pl, port->bridge, of_port);
		pl->next_by_number[port->id] = *at;
		*at = port->id;
	}
}

/* The next above all that the bridge has given out; where the last one is taken, the lowest that is free. */
static uint32_t choose_number(struct pipeline *pl, struct bridge *bridge)
{
	uint32_t of_port = 1;

	if (bridge->last_of_port < OF_PORT_MAX - 1)
		return ++bridge->last_of_port;
	while (pipeline_port_by_number(pl, bridge->id, of_port))
		of_port++;
	return of_port;
}

/* ---- names and ids ---- */

static int check_name(const char *kind, const char *name, struct complaint *c)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	size_t n = strspn(name, letters);

	if (!n || name[n] || n >= SW_NAME_SIZE)
		return complain(c, -EINVAL, "%s '%.64s': expected a name of 1 to %d characters of A-Z a-z 0-9 _ . -",
			kind, name, SW_NAME_SIZE - 1);
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return complain(c, -EINVAL, "%s '%s': no device can have this name", kind, name);
	return 0;
}

static bool bridge_exists(const struct pipeline *pl, uint16_t id)
{
	return pl->bridges[id];
}

static bool port_exists(const struct pipeline *pl, uint16_t id)
{
	return pl->ports[id];
}

/* The id that is asked for, or with 0 the lowest free one, of those below n. */
static int choose_id(const struct pipeline *pl, bool (*exists)(const struct pipeline *pl, uint16_t id), uint32_t n,
	uint16_t wanted, const char *kind, uint16_t *ret, struct complaint *c)
{
	if (wanted >= n)
		return complain(c, -EINVAL, "%s id %u: expected 1 to %u", kind, wanted, n - 1);
	if (wanted && exists(pl, wanted))
		return complain(c, -EEXIST, "%s id %u is in use", kind, wanted);
	for (uint16_t id = 1; !wanted && id < n; id++) {
		if (!exists(pl, id))
			wanted = id;
	}
	if (!wanted)
		return complain(c, -ENOSPC, "there are %u %ss, which is as many as there can be", n - 1, kind);
	*ret = wanted;
	return 0;
}

/* ---- what the tables and groups of a bridge tell ---- */

static void rule_added(void *ctx, struct rule *rule)
{
	const struct bridge_ctx *at = ctx;

	if (at->pl->has_events)
		at->pl->events.rule_added(at->pl->events.ctx, at->bridge, rule);
	else
		at->pl->version++;
}

static void rule_modified(void *ctx, struct rule *rule)
{
	const struct bridge_ctx *at = ctx;

	if (at->pl->has_events)
		at->pl->events.rule_modified(at->pl->events.ctx, at->bridge, rule);
	else
		at->pl->version++;
}

static void rule_removed(void *ctx, struct rule *rule)
{
	const struct bridge_ctx *at = ctx;

	if (at->pl->has_events) {
		at->pl->events.rule_removed(at->pl->events.ctx, at->bridge, rule);
		return;
	}
	at->pl->version++;
	rule_free(at->pl->bridges[at->bridge]->tables, rule);
}

static void rule_refresh(void *ctx, struct rule *rule)
{
	const struct bridge_ctx *at = ctx;

	if (at->pl->has_events)
		at->pl->events.rule_refresh(at->pl->events.ctx, at->bridge, rule);
}

static void group_changing(void *ctx, struct group *group)
{
	const struct bridge_ctx *at = ctx;

	if (at->pl->has_events)
		at->pl->events.group_changing(at->pl->events.ctx, at->bridge, group);
	else
		at->pl->version++;
}

static void group_going(void *ctx, struct group *group)
{
	const struct bridge_ctx *at = ctx;

	if (at->pl->has_events)
		at->pl->events.group_going(at->pl->events.ctx, at->bridge, group);
}

static void liveness_changed(void *ctx)
{
	const struct bridge_ctx *at = ctx;

	at->pl->version++;
}

static enum of_err check_bucket(void *ctx, const struct actions *actions)
{
	const struct bridge_ctx *at = ctx;

	return actions_check(at->pl->bridges[at->bridge], actions, NULL, ACTIONS_OF_BUCKET);
}

static enum of_err check_rule(void *ctx, const struct flow_mod *mod)
{
	const struct bridge_ctx *at = ctx;

	return instructions_check(at->pl->bridges[at->bridge], mod);
}

static bool port_is_live(void *ctx, uint32_t of_port)
{
	const struct bridge_ctx *at = ctx;
	const struct port *port = pipeline_port_by_number(at->pl, at->bridge, of_port);

	return port && port->up;
}

/* ---- bridges and ports ---- */

static int create_parts(struct pipeline *pl, struct bridge *bridge)
{
	struct bridge_ctx *ctx = &pl->bridge_ctx[bridge->id];
	const struct groups_events groups = {
		ctx, group_changing, check_bucket, port_is_live, group_going, liveness_changed};
	const struct tables_events tables = {ctx, rule_added, rule_modified, rule_removed, check_rule, rule_refresh};

	bridge->meters = meters_create(pl->meter_slots, bridge->id);
	bridge->groups = groups_create(&groups);
	if (bridge->meters && bridge->groups)
		bridge->tables = tables_create(bridge->groups, bridge->meters, &tables);
	return bridge->tables ? 0 : -ENOMEM;
}

int pipeline_bridge_add(struct pipeline *pl, const char *name, uint16_t id, uint16_t *ret_id, struct complaint *c)
{
	const struct action normal = {.type = ACTION_OUTPUT, .arg = OF_PORT_NORMAL};
	struct bridge *bridge;
	int error = check_name("bridge", name, c);

	if (!error && pipeline_bridge_by_name(pl, name))
		error = complain(c, -EEXIST, "bridge '%s' exists already", name);
	if (!error)
		error = choose_id(pl, bridge_exists, SW_MAX_BRIDGES, id, "bridge", &id, c);
	if (error)
		return error;
	bridge = calloc(1, sizeof(*bridge));
	if (!bridge)
		return complain(c, -ENOMEM, "out of memory");
	bridge->pl = pl;
	bridge->id = id;
	strcpy(bridge->name, name);
	bridge->ageing_s = FDB_DEFAULT_AGEING_S;
	bridge->fdb_limit = FDB_DEFAULT_LIMIT;
	bridge->learning = true;
	bridge->datapath_id = id;
	pl->bridges[id] = bridge;
	error = create_parts(pl, bridge);
	if (error)
		complain(c, error, "out of memory");
	else
		error = pipeline_rule_put(
			pl, id, &(struct flow_match){0}, 0, &(struct actions){.n = 1, .list = &normal}, c);
	if (error) {
		pl->bridges[id] = NULL;
		free_bridge(bridge);
		return error;
	}
	*ret_id = id;
	return 0;
}

int pipeline_bridge_remove(struct pipeline *pl, uint16_t id, struct complaint *c)
{
	struct bridge *bridge = (struct bridge *)pipeline_bridge(pl, id);

	if (!bridge)
		return complain(c, -ENOENT, "there is no bridge with id %u", id);
	if (bridge->n_ports)
		return complain(c, -EBUSY, "bridge '%s' still has %u ports", bridge->name, bridge->n_ports);
	if (pl->has_events)
		pl->events.bridge_going(pl->events.ctx, id);
	meters_mod(bridge->meters, &(struct meter_mod){.command = METER_DELETE, .id = METER_ALL}, 0);
	pl->bridges[id] = NULL;
	free_bridge(bridge);
	pl->version++;
	return 0;
}

int pipeline_port_add(
	struct pipeline *pl, uint16_t bridge_id, const char *name, uint16_t id, uint16_t *ret_id, struct complaint *c)
{
	const struct bridge *bridge = pipeline_bridge(pl, bridge_id);
	const struct port *other;
	struct port *port;
	int error;

	if (!bridge)
		return complain(c, -ENOENT, "there is no bridge with id %u", bridge_id);
	error = check_name("port", name, c);
	if (error)
		return error;
	other = pipeline_port_by_name(pl, name);
	if (other)
		return complain(
			c, -EEXIST, "port '%s' exists already, on bridge '%s'", name, pl->bridges[other->bridge]->name);
	error = choose_id(pl, port_exists, SW_MAX_PORTS, id, "port", &id, c);
	if (error)
		return error;
	port = calloc(1, sizeof(*port));
	if (!port)
		return complain(c, -ENOMEM, "out of memory");
	port->id = id;
	port->bridge = bridge_id;
	strcpy(port->name, name);
	port->vlan.mode = VLAN_OPEN;
	pl->ports[id] = port;
	set_number(pl, port, choose_number(pl, pl->bridges[bridge_id]));
	pl->bridges[bridge_id]->n_ports++;
	if (id > pl->max_port)
		pl->max_port = id;
	pl->version++;
	*ret_id = id;
	return 0;
}

void pipeline_port_remove(struct pipeline *pl, uint16_t id)
{
	struct port *port = (struct port *)pipeline_port(pl, id);

	if (!port)
		return;
	set_ifindex(pl, port, 0);
	if (!port->known && port->of_port == pl->bridges[port->bridge]->last_of_port)
		pl->bridges[port->bridge]->last_of_port--; /* of a port that was refused */
	set_number(pl, port, 0);
	pl->bridges[port->bridge]->n_ports--;
	pl->ports[id] = NULL;
	while (pl->max_port && !pl->ports[pl->max_port])
		pl->max_port--;
	free(port);
	pl->version++;
}

/* ---- changes ---- */

void pipeline_bridge_set(struct pipeline *pl, uint16_t id, uint32_t ageing_s, uint32_t fdb_limit, bool forward_reserved)
{
	struct bridge *bridge = pl->bridges[id];

	bridge->ageing_s = ageing_s;
	bridge->fdb_limit = fdb_limit;
	bridge->forward_reserved = forward_reserved;
	pl->version++;
}

void pipeline_bridge_set_learning(struct pipeline *pl, uint16_t id, bool learning)
{
	pl->version += pl->bridges[id]->learning != learning;
	pl->bridges[id]->learning = learning;
}

void pipeline_port_set_behind(struct pipeline *pl, uint16_t id, bool is_behind)
{
	pl->version += pl->ports[id]->is_behind != is_behind;
	pl->ports[id]->is_behind = is_behind;
}

void pipeline_port_set_vlan(struct pipeline *pl, uint16_t id, const struct vlan_config *vlan)
{
	pl->ports[id]->vlan = *vlan;
	pl->version++;
}

int pipeline_port_number(struct pipeline *pl, uint16_t id, uint32_t of_port, struct complaint *c)
{
	struct port *port = pl->ports[id];
	struct bridge *bridge = pl->bridges[port->bridge];
	const struct port *other;

	if (!of_port || of_port == port->of_port)
		return 0;
	if (of_port >= OF_PORT_MAX)
		return complain(c, -EINVAL, "of-port %u: expected 1 to %u", of_port, OF_PORT_MAX - 1);
	other = pipeline_port_by_number(pl, port->bridge, of_port);
	if (other)
		return complain(
			c, -EEXIST, "of-port %u of bridge '%s' is port '%s'", of_port, bridge->name, other->name);
	if (bridge->last_of_port == port->of_port && of_port < port->of_port)
		bridge->last_of_port--; /* it was given a moment ago and nobody has heard of it */
	set_number(pl, port, of_port);
	if (of_port > bridge->last_of_port)
		bridge->last_of_port = of_port;
	pl->version++;
	return 0;
}

void pipeline_port_swap_numbers(struct pipeline *pl, uint16_t id, uint16_t other)
{
	uint32_t number = pl->ports[id]->of_port, others = pl->ports[other]->of_port;

	set_number(pl, pl->ports[id], 0);
	set_number(pl, pl->ports[other], number);
	set_number(pl, pl->ports[id], others);
	pl->version++;
}

void pipeline_port_known(struct pipeline *pl, uint16_t id)
{
	pl->ports[id]->known = true;
}

void pipeline_port_set_config(struct pipeline *pl, uint16_t id, uint32_t of_config)
{
	struct port *port = pl->ports[id];

	pl->version += port->of_config != of_config;
	port->of_config = of_config;
	port->up = port->link && !(of_config & OF_PORT_CONFIG_DOWN);
}

void pipeline_port_set_mirrors(struct pipeline *pl, uint16_t id, uint64_t in, uint64_t out, bool is_mirrors)
{
	struct port *port = pl->ports[id];

	pl->version += port->mirrors_in != in || port->mirrors_out != out || port->is_mirrors != is_mirrors;
	port->mirrors_in = in;
	port->mirrors_out = out;
	port->is_mirrors = is_mirrors;
}

void pipeline_bridge_set_mirrors(struct pipeline *pl, uint16_t id, uint64_t in, uint64_t out)
{
	struct bridge *bridge = pl->bridges[id];

	pl->version += bridge->mirrors_in != in || bridge->mirrors_out != out;
	bridge->mirrors_in = in;
	bridge->mirrors_out = out;
}

void pipeline_set_mirror(struct pipeline *pl, uint16_t mirror, const char *name, const struct vlan_set *vlans)
{
	snprintf(pl->mirror_names[mirror], sizeof(pl->mirror_names[mirror]), "%s", name);
	pl->mirrors_by_vlan &= ~(1ULL << mirror);
	if (!vlans)
		return;
	pl->mirrors_by_vlan |= 1ULL << mirror;
	pl->mirror_vlans[mirror] = *vlans;
}

uint64_t pipeline_mirrors_by_vlan(const struct pipeline *pl, uint64_t mirrors)
{
	return mirrors & pl->mirrors_by_vlan;
}

uint64_t pipeline_mirrors_in_vlan(const struct pipeline *pl, uint64_t mirrors, int vid)
{
	uint64_t left = mirrors & pl->mirrors_by_vlan;

	for (; left; left &= left - 1) {
		uint8_t id = mirrors_first(left);

		if (vid < 0 || !vlan_set_has(&pl->mirror_vlans[id], (uint16_t)vid))
			mirrors &= ~(1ULL << id);
	}
	return mirrors;
}

const char *pipeline_mirror_name(const struct pipeline *pl, uint16_t mirror)
{
	return mirror < SW_MAX_MIRRORS && pl->mirror_names[mirror][0] ? pl->mirror_names[mirror] : "?";
}

void pipeline_bridge_set_datapath_id(struct pipeline *pl, uint16_t id, uint64_t datapath_id)
{
	pl->bridges[id]->datapath_id = datapath_id;
}

static uint64_t now_of(const struct pipeline *pl)
{
	return pl->has_events ? pl->events.now_ns(pl->events.ctx) : 0;
}

static int complain_of(struct complaint *c, enum of_err error)
{
	return complain(c, -EINVAL, "%s", of_error_row(error)->text);
}

int pipeline_rule_put(struct pipeline *pl, uint16_t bridge_id, const struct flow_match *match, uint16_t priority,
	const struct actions *actions, struct complaint *c)
{
	const struct bridge *bridge = pipeline_bridge(pl, bridge_id);
	struct instructions *instructions;
	struct flow_mod mod = {
		.command = FLOW_ADD,
		.priority = priority,
		.match = *match,
		.out_port = OF_PORT_ANY,
		.out_group = GROUP_ANY,
	};
	enum of_err error;

	if (!bridge)
		return complain(c, -ENOENT, "there is no bridge with id %u", bridge_id);
	instructions = instructions_create(&(struct instructions){0}, actions, &(struct actions){0});
	if (!instructions)
		return complain(c, -ENOMEM, "out of memory");
	mod.instructions = instructions;
	error = tables_flow_mod(bridge->tables, &mod, now_of(pl));
	free(instructions);
	return error ? complain_of(c, error) : 0;
}

int pipeline_rule_remove(
	struct pipeline *pl, uint16_t bridge_id, const struct flow_match *match, uint16_t priority, struct complaint *c)
{
	const struct bridge *bridge = pipeline_bridge(pl, bridge_id);
	const struct flow_mod mod = {
		.command = FLOW_DELETE_STRICT,
		.priority = priority,
		.match = *match,
		.out_port = OF_PORT_ANY,
		.out_group = GROUP_ANY,
	};
	uint32_t n = bridge ? tables_count(bridge->tables) : 0;
	enum of_err error = bridge ? tables_flow_mod(bridge->tables, &mod, now_of(pl)) : OF_OK;

	if (error)
		return complain_of(c, error);
	return bridge && tables_count(bridge->tables) < n ? 0 : complain(c, -ENOENT, "there is no such rule");
}

void pipeline_port_set_state(struct pipeline *pl, uint16_t id, const struct port_state *state)
{
	struct port *port = pl->ports[id];

	if (port->ifindex == state->ifindex && port->link == state->up && port->fast == state->fast &&
		port->sg == state->sg && port->csum == state->csum && port->max_frame == state->max_frame &&
		port->features == state->features && port->mbps == state->mbps &&
		!memcmp(port->mac, state->mac, sizeof(port->mac)))
		return;
	set_ifindex(pl, port, state->ifindex);
	port->link = state->up;
	port->up = state->up && !(port->of_config & OF_PORT_CONFIG_DOWN);
	port->fast = state->fast;
	port->sg = state->sg;
	port->csum = state->csum;
	port->max_frame = state->max_frame;
	port->features = state->features;
	port->mbps = state->mbps;
	memcpy(port->mac, state->mac, sizeof(port->mac));
	pl->version++;
}

uint64_t pipeline_version(const struct pipeline *pl)
{
	return pl->version;
}

/* ---- names ---- */

static const char *name_of_ifindex(const void *ctx, uint32_t ifindex)
{
	const struct port *port = pipeline_port_by_ifindex(ctx, ifindex);

	return port ? port->name : NULL;
}

static uint32_t ifindex_of_name(const void *ctx, const char *name)
{
	const struct port *port = pipeline_port_by_name(ctx, name);

	return port ? port->ifindex : 0;
}

struct flow_names pipeline_names(const struct pipeline *pl)
{
	return (struct flow_names){.ctx = pl, .name_of = name_of_ifindex, .number_of = ifindex_of_name};
}

static const char *name_of_number(const void *ctx, uint32_t number)
{
	const struct bridge *bridge = ctx;
	const struct port *port = pipeline_port_by_number(bridge->pl, bridge->id, number);

	return port ? port->name : NULL;
}

static uint32_t number_of_name(const void *ctx, const char *name)
{
	const struct bridge *bridge = ctx;
	const struct port *port = pipeline_port_by_name(bridge->pl, name);

	return port && port->bridge == bridge->id ? port->of_port : 0;
}

struct flow_names pipeline_of_names(const struct bridge *bridge)
{
	return (struct flow_names){.ctx = bridge, .name_of = name_of_number, .number_of = number_of_name};
}
