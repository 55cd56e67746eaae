/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/mirrors.h"

#include "dataplane/complaint.h"
#include "dataplane/counters.h"
#include "dataplane/datapath.h"
#include "dataplane/pipeline.h"
#include "dataplane/sets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAIRS_MAX 128 /* of all mirrors: sets are for floods in the first place */

struct mirror {
	bool used;
	struct mirror_config config;
	uint16_t to; /* port id */
};

struct mirrors {
	struct datapath *dp;
	struct pipeline *pl;
	struct sets *sets;
	struct sw_mirror *memory;
	struct sw_mirror_stats *stats;
	uint32_t n_rows;
	uint64_t random;
	struct mirror all[SW_MAX_MIRRORS];
	uint32_t n_pairs;
	/* Sets that nothing names any more: the first n_waiting since before a grace period that has begun. */
	uint16_t going[PAIRS_MAX * 2];
	uint32_t n_going, n_waiting;
	bool waits;
};

struct mirrors *mirrors_create(struct datapath *dp, struct pipeline *pl, struct sets *sets)
{
	struct mirrors *mirrors = calloc(1, sizeof(*mirrors));

	if (!mirrors)
		return NULL;
	mirrors->dp = dp;
	mirrors->pl = pl;
	mirrors->sets = sets;
	mirrors->memory = dp->memory.mirrors;
	mirrors->stats = dp->memory.mirror_stats;
	mirrors->n_rows = dp->memory.config->n_rows;
	mirrors->random = dp->memory.config->seed | 1;
	for (uint32_t id = 0; id < SW_MAX_MIRRORS; id++) {
		struct sw_mirror *mirror = &mirrors->memory[id];

		mirror->name[SW_NAME_SIZE - 1] = '\0';
		/* Their sets are held for a while by whoever adopts flows (sets_hold_all()). */
		memset(mirror->pair, 0, sizeof(mirror->pair));
		if (!id || !mirror->name[0] || !mirror->sample || mirror->port >= SW_MAX_PORTS)
			memset(mirror, 0, sizeof(*mirror));
	}
	return mirrors;
}

void mirrors_destroy(struct mirrors *mirrors)
{
	free(mirrors);
}

/* ---- pairs ---- */

static void store_pair(struct sw_mirror *mirror, uint16_t port, uint16_t pair)
{
	__atomic_store_n(&mirror->pair[port], pair, __ATOMIC_RELEASE);
}

static void drop_pair(struct mirrors *mirrors, uint16_t id, uint16_t port)
{
	struct sw_mirror *mirror = &mirrors->memory[id];
	uint16_t pair = mirror->pair[port];

	if (!pair)
		return;
	store_pair(mirror, port, 0);
	mirrors->going[mirrors->n_going++] = pair - 1;
	mirrors->n_pairs--;
}

static void drop_pairs(struct mirrors *mirrors, uint16_t id)
{
	for (uint16_t port = 1; port < SW_MAX_PORTS; port++)
		drop_pair(mirrors, id, port);
}

/* Both take redirected frames, and what leaves by the other keeps its tag. */
static bool may_pair(const struct mirrors *mirrors, uint16_t id, uint16_t port_id)
{
	const struct port *to = pipeline_port(mirrors->pl, mirrors->all[id].to);
	const struct port *port = pipeline_port(mirrors->pl, port_id);

	return to && port && to->fast && port->fast && port != to && port->bridge == to->bridge;
}

static void make_pair(struct mirrors *mirrors, uint16_t id, uint16_t port)
{
	struct port_set members = {0};
	uint32_t set;

	if (!port || port >= SW_MAX_PORTS || mirrors->memory[id].pair[port] || !may_pair(mirrors, id, port) ||
		mirrors->n_pairs + mirrors->n_going >= PAIRS_MAX)
		return;
	port_set_add(&members, port);
	port_set_add(&members, mirrors->all[id].to);
	set = sets_get(mirrors->sets, &members);
	if (set == SW_MAX_SETS)
		return;
	store_pair(&mirrors->memory[id], port, (uint16_t)(set + 1));
	mirrors->n_pairs++;
}

void mirrors_check(struct mirrors *mirrors)
{
	for (uint16_t id = 1; id < SW_MAX_MIRRORS; id++) {
		for (uint16_t port = 1; mirrors->all[id].used && port < SW_MAX_PORTS; port++) {
			if (mirrors->memory[id].pair[port] && !may_pair(mirrors, id, port))
				drop_pair(mirrors, id, port);
		}
	}
}

bool mirrors_want_grace(const struct mirrors *mirrors)
{
	return mirrors->n_going && !mirrors->waits;
}

void mirrors_grace_began(struct mirrors *mirrors)
{
	mirrors->waits = true;
	mirrors->n_waiting = mirrors->n_going;
}

void mirrors_grace_ended(struct mirrors *mirrors)
{
	if (!mirrors->waits)
		return;
	for (uint32_t i = 0; i < mirrors->n_waiting; i++)
		sets_drop(mirrors->sets, mirrors->going[i]);
	mirrors->n_going -= mirrors->n_waiting;
	memmove(mirrors->going, mirrors->going + mirrors->n_waiting, mirrors->n_going * sizeof(mirrors->going[0]));
	mirrors->waits = false;
}

/* ---- which there are ---- */

static bool is_listed(const struct mirror_ports *list, const char *port)
{
	for (uint32_t i = 0; i < list->n; i++) {
		if (!strcmp(list->name[i], port))
			return true;
	}
	return false;
}

bool mirror_names(const struct mirror_config *config, const char *port)
{
	return is_listed(&config->from, port) || is_listed(&config->out_of, port);
}

const struct mirror_config *mirrors_next(const struct mirrors *mirrors, uint16_t id, uint16_t *ret_id)
{
	while (++id < SW_MAX_MIRRORS) {
		if (!mirrors->all[id].used)
			continue;
		*ret_id = id;
		return &mirrors->all[id].config;
	}
	return NULL;
}

static const struct mirror_config *mirror_that_names(const struct mirrors *mirrors, const char *port)
{
	const struct mirror_config *config;

	for (uint16_t id = 0; (config = mirrors_next(mirrors, id, &id));) {
		if (mirror_names(config, port))
			return config;
	}
	return NULL;
}

static const struct mirror_config *mirror_to(const struct mirrors *mirrors, const char *port)
{
	const struct mirror_config *config;

	for (uint16_t id = 0; (config = mirrors_next(mirrors, id, &id));) {
		if (!strcmp(config->to, port))
			return config;
	}
	return NULL;
}

const struct mirror_config *mirrors_of_port(const struct mirrors *mirrors, const char *port)
{
	const struct mirror_config *to = mirror_to(mirrors, port);

	return to ? to : mirror_that_names(mirrors, port);
}

static uint16_t find(const struct mirrors *mirrors, const char *bridge, const char *name)
{
	const struct mirror_config *config;

	for (uint16_t id = 0; (config = mirrors_next(mirrors, id, &id));) {
		if (!strcmp(config->bridge, bridge) && !strcmp(config->name, name))
			return id;
	}
	return 0;
}

/* Tells the pipeline of a port who listens to it, and whether copies leave by it. */
static void apply_to_port(struct mirrors *mirrors, const struct port *port)
{
	const struct mirror_config *config;
	uint64_t in = 0, out = 0;

	for (uint16_t id = 0; (config = mirrors_next(mirrors, id, &id));) {
		in |= (uint64_t)is_listed(&config->from, port->name) << id;
		out |= (uint64_t)is_listed(&config->out_of, port->name) << id;
	}
	pipeline_port_set_mirrors(mirrors->pl, port->id, in, out, mirror_to(mirrors, port->name) != NULL);
}

/* And of a bridge who listens to all of its ports, those that it gets later among them, and who to what leaves. */
static void apply_to_bridge(struct mirrors *mirrors, const struct bridge *bridge)
{
	const struct mirror_config *config;
	uint64_t in = 0, out = 0;

	for (uint16_t id = 0; (config = mirrors_next(mirrors, id, &id));) {
		if (strcmp(config->bridge, bridge->name) != 0)
			continue;
		in |= (uint64_t)(!config->from.n && !config->out_of.n) << id;
		out |= (uint64_t)(config->out_of.n != 0) << id;
	}
	pipeline_bridge_set_mirrors(mirrors->pl, bridge->id, in, out);
}

static void apply(struct mirrors *mirrors)
{
	const struct bridge *bridge;
	const struct port *port;

	for (uint16_t id = 0; (port = pipeline_next_port(mirrors->pl, id)); id = port->id)
		apply_to_port(mirrors, port);
	for (uint16_t id = 0; (bridge = pipeline_next_bridge(mirrors->pl, id)); id = bridge->id)
		apply_to_bridge(mirrors, bridge);
}

static bool share_a_vlan(const struct mirror_config *a, const struct mirror_config *b)
{
	return vlan_set_is_empty(&a->vlans) || vlan_set_is_empty(&b->vlans) || vlan_sets_meet(&a->vlans, &b->vlans);
}

int mirrors_clash(const struct mirror_config *has, const struct mirror_config *wanted, struct complaint *c)
{
	const struct mirror_ports *const lists[] = {&wanted->from, &wanted->out_of}, *const theirs[] = {
											     &has->from, &has->out_of};

	if (mirror_names(has, wanted->to))
		return complain(c, -EBUSY, "port %s is mirrored by %s, so mirror %s cannot send copies to it",
			wanted->to, has->name, wanted->name);
	for (int out = 0; out < 2; out++) {
		for (uint32_t i = 0; i < lists[out]->n; i++) {
			const char *port = lists[out]->name[i];

			if (is_listed(theirs[out], port) && share_a_vlan(has, wanted))
				return complain(c, -EEXIST,
					"%sport %s is mirrored by %s already, and so not by %s: a port has one "
					"mirror%s",
					out ? "what leaves by " : "", port, has->name, wanted->name,
					out ? " for that" : "");
			if (!strcmp(has->to, port))
				return complain(c, -EBUSY,
					"port %s is where mirror %s sends, and %s: %s would mirror nothing", port,
					has->name, out ? "nothing else leaves by it" : "drops what comes in",
					wanted->name);
		}
	}
	return 0;
}

int mirrors_lack_port(const char *bridge, const char *port, const char *on, struct complaint *c)
{
	if (on)
		return complain(c, -ENOENT, "port %s is on bridge %s, and all ports of a mirror are on one: %s", port,
			on, bridge);
	if (!strcmp(port, "all"))
		return complain(
			c, -ENOENT, "bridge %s has no port all: a mirror names each of its ports, as p1,p2", bridge);
	return complain(
		c, -ENOENT, "bridge %s has no port %s: port show %s lists those that it has", bridge, port, bridge);
}

static int check_port(const struct mirrors *mirrors, const struct bridge *bridge, const char *name, struct complaint *c)
{
	const struct port *port = pipeline_port_by_name(mirrors->pl, name);

	if (port && port->bridge == bridge->id)
		return 0;
	return mirrors_lack_port(bridge->name, name, port ? pipeline_bridge(mirrors->pl, port->bridge)->name : NULL, c);
}

static int check_to(const struct mirrors *mirrors, const struct mirror_config *config, struct complaint *c)
{
	if (mirror_names(config, config->to))
		return complain(c, -EINVAL, "port %s cannot be mirrored to itself: its copies would be copied again",
			config->to);
	if (pipeline_port_by_name(mirrors->pl, config->to)->vlan.mode != VLAN_OPEN)
		return complain(c, -EINVAL,
			"port %s has VLANs, and copies leave as they came: port set %s %s vlan open first", config->to,
			config->bridge, config->to);
	return 0;
}

static int check(const struct mirrors *mirrors, const struct bridge *bridge, const struct mirror_config *config,
	struct complaint *c)
{
	const struct mirror_config *has;
	int error = check_port(mirrors, bridge, config->to, c);

	for (uint32_t i = 0; !error && i < config->from.n; i++)
		error = check_port(mirrors, bridge, config->from.name[i], c);
	for (uint32_t i = 0; !error && i < config->out_of.n; i++)
		error = check_port(mirrors, bridge, config->out_of.name[i], c);
	if (!error)
		error = check_to(mirrors, config, c);
	for (uint16_t id = 0; !error && (has = mirrors_next(mirrors, id, &id));)
		error = mirrors_clash(has, config, c);
	return error;
}

/* The one that it had with the daemon before this, or a free one; 0: there is none. */
static uint16_t choose_id(const struct mirrors *mirrors, uint16_t bridge, const char *name)
{
	uint16_t unclaimed = 0;

	for (uint16_t id = 1; id < SW_MAX_MIRRORS; id++) {
		const struct sw_mirror *mirror = &mirrors->memory[id];

		if (mirrors->all[id].used)
			continue;
		if (mirror->bridge == bridge && !strcmp(mirror->name, name))
			return id;
		if (!unclaimed && !mirror->name[0])
			unclaimed = id;
	}
	return unclaimed;
}

static void write_mirror(
	struct mirrors *mirrors, uint16_t id, const struct port *to, const struct mirror_config *config)
{
	struct sw_mirror *mirror = &mirrors->memory[id];

	if (strcmp(mirror->name, config->name) != 0 || mirror->bridge != to->bridge) {
		for (uint32_t row = 0; row < mirrors->n_rows; row++)
			mirrors->stats[row * SW_MAX_MIRRORS + id] = (struct sw_mirror_stats){0};
	}
	memcpy(mirror->name, config->name, sizeof(mirror->name));
	mirror->bridge = to->bridge;
	mirror->sample = config->sample;
	__atomic_store_n(&mirror->port, to->id, __ATOMIC_RELEASE);
	mirrors->all[id] = (struct mirror){.used = true, .config = *config, .to = to->id};
	pipeline_set_mirror(mirrors->pl, id, config->name, vlan_set_is_empty(&config->vlans) ? NULL : &config->vlans);
}

int mirrors_add(struct mirrors *mirrors, const struct mirror_config *config, struct complaint *c)
{
	const struct bridge *bridge = pipeline_bridge_by_name(mirrors->pl, config->bridge);
	uint16_t id;
	int error;

	if (!bridge)
		return complain(c, -ENOENT, "there is no bridge %s", config->bridge);
	if (find(mirrors, config->bridge, config->name))
		return complain(c, -EEXIST, "bridge %s has a mirror %s already", config->bridge, config->name);
	error = check(mirrors, bridge, config, c);
	if (error)
		return error;
	id = choose_id(mirrors, bridge->id, config->name);
	if (!id)
		return complain(c, -ENOSPC, "there are %u mirrors already", SW_MAX_MIRRORS - 1);
	write_mirror(mirrors, id, pipeline_port_by_name(mirrors->pl, config->to), config);
	apply(mirrors);
	return 0;
}

/* Flows that name it go on until they are asked again, and mirror nothing. */
static void remove_id(struct mirrors *mirrors, uint16_t id)
{
	struct sw_mirror *mirror = &mirrors->memory[id];

	__atomic_store_n(&mirror->port, 0, __ATOMIC_RELEASE);
	drop_pairs(mirrors, id);
	memset(mirror->name, 0, sizeof(mirror->name));
	mirrors->all[id].used = false;
	pipeline_set_mirror(mirrors->pl, id, "", NULL);
}

int mirrors_remove(struct mirrors *mirrors, const char *bridge, const char *name, struct complaint *c)
{
	uint16_t id = find(mirrors, bridge, name);

	if (!pipeline_bridge_by_name(mirrors->pl, bridge))
		return complain(c, -ENOENT, "there is no bridge %s", bridge);
	if (!id)
		return complain(c, -ENOENT, "bridge %s has no mirror %s: mirror show %s lists those that it has",
			bridge, name, bridge);
	remove_id(mirrors, id);
	apply(mirrors);
	return 0;
}

void mirrors_remove_bridge(struct mirrors *mirrors, const char *bridge)
{
	for (uint16_t id = 1; id < SW_MAX_MIRRORS; id++) {
		if (mirrors->all[id].used && !strcmp(mirrors->all[id].config.bridge, bridge))
			remove_id(mirrors, id);
	}
	apply(mirrors);
}

void mirrors_restored(struct mirrors *mirrors)
{
	for (uint16_t id = 1; id < SW_MAX_MIRRORS; id++) {
		if (!mirrors->all[id].used)
			memset(&mirrors->memory[id], 0, sizeof(mirrors->memory[id]));
	}
}

struct mirror_counters mirrors_counters(const struct mirrors *mirrors, uint16_t id)
{
	struct mirror_counters sum = {0};

	for (uint32_t row = 0; row < mirrors->n_rows; row++) {
		const struct sw_mirror_stats *stats = &mirrors->stats[row * SW_MAX_MIRRORS + id];

		sum.copies += __atomic_load_n(&stats->sent, __ATOMIC_RELAXED);
		sum.over_limit += __atomic_load_n(&stats->limited, __ATOMIC_RELAXED);
		sum.ring_full += __atomic_load_n(&stats->full, __ATOMIC_RELAXED);
	}
	return sum;
}

/* ---- copies ---- */

/* One that its port does not take is a drop there, as of a flood. */
static void send(struct mirrors *mirrors, uint16_t id, const void *data, uint32_t size)
{
	const struct port *to = pipeline_port(mirrors->pl, mirrors->all[id].to);
	int error = -ENETDOWN;

	if (!to)
		return;
	mirrors->stats[(mirrors->n_rows - 1) * SW_MAX_MIRRORS + id].sent++;
	if (to->ifindex && to->up)
		error = size > to->max_frame ? -EMSGSIZE : mirrors->dp->ops->tx_copy(mirrors->dp, to->id, data, size);
	if (error)
		counters_drop(&mirrors->dp->memory, to->id, dp_drop_of(error));
	else
		counters_sent(&mirrors->dp->memory, to->id, size);
}

/* xorshift64 */
static uint64_t draw(struct mirrors *mirrors)
{
	mirrors->random ^= mirrors->random << 13;
	mirrors->random ^= mirrors->random >> 7;
	mirrors->random ^= mirrors->random << 17;
	return mirrors->random;
}

void mirrors_send(struct mirrors *mirrors, uint16_t id, const void *data, uint32_t size)
{
	uint32_t sample = mirrors->all[id].config.sample;

	if (mirrors->all[id].used && (sample < 2 || !(draw(mirrors) % sample)))
		send(mirrors, id, data, size);
}

void mirrors_send_copy(struct mirrors *mirrors, uint16_t id, uint16_t out_port, const void *data, uint32_t size)
{
	if (!mirrors->all[id].used)
		return;
	send(mirrors, id, data, size);
	make_pair(mirrors, id, out_port);
}
