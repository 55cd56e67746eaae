/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/pipeline.h"

#include "dataplane/action.h"
#include "dataplane/classifier.h"
#include "dataplane/complaint.h"
#include "dataplane/normal.h"
#include "dataplane/xlate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define IFINDEX_BUCKETS 2048 /* a power of two; ifindexes are dense, so there is hardly a chain */

/* A rule of a table; the table's classifier links the first member. */
struct rule {
	struct cls_rule cls;
	struct actions actions;
};

struct pipeline {
	const struct fdb *fdb;
	uint64_t version;
	struct bridge *bridges[SW_MAX_BRIDGES]; /* by id */
	struct port *ports[SW_MAX_PORTS];       /* by id */
	uint16_t max_port;                      /* no id above it is in use */
	/* Ports by ifindex: chains of port ids, 0 ends one. */
	uint16_t by_ifindex[IFINDEX_BUCKETS];
	uint16_t next_by_ifindex[SW_MAX_PORTS];
};

struct pipeline *pipeline_create(const struct fdb *fdb)
{
	struct pipeline *pl = calloc(1, sizeof(*pl));

	if (pl)
		pl->fdb = fdb;
	return pl;
}

static void free_rule(void *ctx, struct cls_rule *rule)
{
	free((struct rule *)rule);
}

static void free_bridge(struct bridge *bridge)
{
	if (!bridge)
		return;
	if (bridge->table)
		cls_each(bridge->table, free_rule, NULL);
	cls_destroy(bridge->table);
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
	free(pl);
}

/* ---- translate ---- */

static void tell_rule(const struct translation *t, const struct rule *rule)
{
	struct flow_names names = pipeline_names(t->pl);
	struct action_names action_names = pipeline_action_names(t->pl);
	char match[256], actions[128];

	if (!t->trace)
		return;
	flow_format(&rule->cls.match.key, &rule->cls.match.mask, &names, match, sizeof(match));
	actions_format(&rule->actions, &action_names, actions, sizeof(actions));
	xlate_tell(t, 0, "table 0: rule priority %u, %s -> %s", rule->cls.priority, match, actions);
}

/* OUTPUT: the frame as it is, past VLANs and FDB. */
static void output_to(const struct translation *t, uint16_t id)
{
	const struct port *port = pipeline_port(t->pl, id);

	if (id == t->in->id) {
		xlate_tell(t, 1, "output to %s, which it came in by: not sent there", t->in->name);
		xlate_drop(t, SW_DROP_SAME_PORT); /* OF 1.3.5 §5.12: only OFPP_IN_PORT goes back */
	} else if (!port || port->bridge != t->bridge->id || !port->up) {
		xlate_tell(t, 1, "output to port %u, which is down or not on this bridge: not sent there", id);
		xlate_drop(t, SW_DROP_PORT_DOWN);
	} else {
		xlate_tell(t, 1, "output to %s, as it came", port->name);
		xlate_output(t, id, XLATE_AS_IS);
	}
}

static void run_actions(const struct translation *t, const struct actions *actions)
{
	if (!actions->n)
		xlate_drop(t, SW_DROP_RULE);
	for (uint32_t i = 0; i < actions->n; i++) {
		switch (actions->list[i].type) {
		case ACTION_NORMAL:
			if (actions->n == 1)
				normal_forward(t);
			else
				normal_at_once(t);
			break;
		case ACTION_OUTPUT:
			output_to(t, actions->list[i].port);
			break;
		}
	}
	if (t->answer->n_outputs)
		t->answer->drop = SW_DROP_NONE; /* what one action did not send another may have */
	if (actions->n > 1)
		t->answer->flood = false; /* another action may have added to the outputs */
}

static void answer_for_stranger(const struct translation *t)
{
	xlate_tell(t, 0, "device %u is not a port: dropped", t->key->f.in_ifindex);
	xlate_drop(t, SW_DROP_NO_PORT);
	t->answer->cacheable = false; /* A4: an entry belongs to a port */
	t->answer->uncacheable = "it came in by a device that is not a port";
}

struct translation xlate_begin(
	const struct pipeline *pl, const struct sw_key *key, const struct trace_sink *trace, struct xlate *answer)
{
	struct translation t = {.pl = pl, .fdb = pl->fdb, .key = key, .trace = trace, .answer = answer};

	t.in = pipeline_port_by_ifindex(pl, key->f.in_ifindex);
	t.bridge = t.in ? pipeline_bridge(pl, t.in->bridge) : NULL;
	return t;
}

void translate(const struct pipeline *pl, const struct sw_key *key, const struct trace_sink *trace, struct xlate *ret)
{
	struct translation t = xlate_begin(pl, key, trace, ret);
	const struct rule *rule;

	memset(ret, 0, offsetof(struct xlate, outputs));
	ret->cacheable = true;
	flow_look(&ret->mask, FIELD_IN_PORT);
	if (!t.in) {
		answer_for_stranger(&t);
		return;
	}
	ret->in_port = t.in->id;
	ret->bridge = t.bridge->id;
	xlate_tell(&t, 0, "came in by port %s of bridge %s", t.in->name, t.bridge->name);
	rule = (const struct rule *)cls_lookup(t.bridge->table, key, &ret->mask);
	if (!rule) {
		xlate_tell(&t, 0, "table 0: no rule matches: dropped"); /* OF 1.3.5 §5.4 */
		xlate_drop(&t, SW_DROP_RULE);
		return;
	}
	tell_rule(&t, rule);
	run_actions(&t, &rule->actions);
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

/* ---- bridges and ports ---- */

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

int pipeline_bridge_add(struct pipeline *pl, const char *name, uint16_t id, uint16_t *ret_id, struct complaint *c)
{
	const struct actions normal = {.n = 1, .list = {{.type = ACTION_NORMAL}}};
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
	bridge->id = id;
	strcpy(bridge->name, name);
	bridge->ageing_s = FDB_DEFAULT_AGEING_S;
	bridge->fdb_limit = FDB_DEFAULT_LIMIT;
	bridge->learning = true;
	bridge->table = cls_create();
	pl->bridges[id] = bridge;
	error = bridge->table ? pipeline_rule_put(pl, id, &(struct flow_match){0}, 0, &normal, c)
			      : complain(c, -ENOMEM, "out of memory");
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

void pipeline_port_set_vlan(struct pipeline *pl, uint16_t id, const struct vlan_config *vlan)
{
	pl->ports[id]->vlan = *vlan;
	pl->version++;
}

int pipeline_rule_put(struct pipeline *pl, uint16_t bridge_id, const struct flow_match *match, uint16_t priority,
	const struct actions *actions, struct complaint *c)
{
	const struct bridge *bridge = pipeline_bridge(pl, bridge_id);
	struct rule *rule;

	if (!bridge)
		return complain(c, -ENOENT, "there is no bridge with id %u", bridge_id);
	rule = (struct rule *)cls_find_exactly(bridge->table, match, priority);
	if (!rule) {
		rule = calloc(1, sizeof(*rule));
		if (!rule)
			return complain(c, -ENOMEM, "out of memory");
		rule->cls.match = *match;
		rule->cls.priority = priority;
		if (cls_insert(bridge->table, &rule->cls)) {
			free(rule);
			return complain(c, -ENOMEM, "out of memory");
		}
	}
	rule->actions = *actions;
	pl->version++;
	return 0;
}

int pipeline_rule_remove(
	struct pipeline *pl, uint16_t bridge_id, const struct flow_match *match, uint16_t priority, struct complaint *c)
{
	const struct bridge *bridge = pipeline_bridge(pl, bridge_id);
	struct cls_rule *rule = bridge ? cls_find_exactly(bridge->table, match, priority) : NULL;

	if (!rule)
		return complain(c, -ENOENT, "there is no such rule");
	cls_remove(bridge->table, rule);
	free_rule(NULL, rule);
	pl->version++;
	return 0;
}

void pipeline_port_set_state(struct pipeline *pl, uint16_t id, const struct port_state *state)
{
	struct port *port = pl->ports[id];

	if (port->ifindex == state->ifindex && port->up == state->up && port->fast == state->fast &&
		port->sg == state->sg && port->csum == state->csum && port->max_frame == state->max_frame)
		return;
	set_ifindex(pl, port, state->ifindex);
	port->up = state->up;
	port->fast = state->fast;
	port->sg = state->sg;
	port->csum = state->csum;
	port->max_frame = state->max_frame;
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
	return (struct flow_names){.ctx = pl, .name_of = name_of_ifindex, .ifindex_of = ifindex_of_name};
}

static const char *name_of_id(const void *ctx, uint16_t id)
{
	const struct port *port = pipeline_port(ctx, id);

	return port ? port->name : NULL;
}

static uint16_t id_of_name(const void *ctx, const char *name)
{
	const struct port *port = pipeline_port_by_name(ctx, name);

	return port ? port->id : 0;
}

struct action_names pipeline_action_names(const struct pipeline *pl)
{
	return (struct action_names){.ctx = pl, .name_of = name_of_id, .port_of = id_of_name};
}
