/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/vswitch.h"

#include "bpf/extract.h"
#include "dataplane/cache.h"
#include "dataplane/complaint.h"
#include "dataplane/log.h"
#include "dataplane/meter_slots.h"
#include "dataplane/mirrors.h"
#include "dataplane/normal.h"
#include "dataplane/ofbridges.h"
#include "dataplane/port_manager.h"
#include "dataplane/program.h"
#include "dataplane/reactor.h"
#include "dataplane/registry.h"
#include "dataplane/sets.h"
#include "dataplane/trace.h"
#include "dataplane/upcall.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SWEEP_MS    1000
#define SLICE_MS    2 /* between the slices of one sweep, so that misses get their turn */
#define AGE_MIN_MS  1000
#define MS_A_SECOND 1000
#define NS_A_MS     1000000ULL

struct vswitch {
	const struct reactor *reactor;
	struct datapath *dp;
	struct fdb *fdb;
	uint64_t fdb_version; /* of the pipeline, that the program's view of the FDB was written by */
	struct pipeline *pl;
	struct sets *sets;
	struct cache *cache;
	struct mirrors *mirrors;
	uint64_t mirrors_version; /* of the pipeline, for which they were looked at */
	struct ofbridges *bridges;
	struct upcall *upcall;
	struct port_manager *ports;
	struct reactor_timer *sweep;
	struct reactor_timer *age;
	struct reactor_timer *more;    /* frames were left for the next turn */
	struct reactor_timer *reclaim; /* more of what a grace period freed */
	struct reactor_timer *expire;  /* rules with timeouts */
	uint64_t expire_ns;            /* for when it is armed; 0: it is not */
	bool fdb_waits;                /* for a grace period that it asked for */
	bool sweep_armed;
	bool age_stale; /* an address was learned, or ageing was set: the next may be due sooner than `age` fires */
	bool fdb_news;  /* who has how many addresses is no more as it was */
	bool share_due; /* ports that had their share may go on: once a sweep, for it has all flows asked */
	bool restored;  /* every bridge and port that a restart brings back is there */
};

uint64_t vswitch_now_ns(const struct vswitch *vs)
{
	return vs->reactor->now_ns(vs->reactor->ctx);
}

static void arm(const struct vswitch *vs, struct reactor_timer *timer, uint64_t after_ms)
{
	vs->reactor->arm(vs->reactor->ctx, timer, after_ms);
}

/* ---- timers: armed only while they have something to do ---- */

static void arm_age(struct vswitch *vs)
{
	uint64_t now = vswitch_now_ns(vs);
	uint64_t next = fdb_age(vs->fdb, now);
	uint64_t after_ms = next > now ? (next - now) / NS_A_MS + 1 : AGE_MIN_MS;

	vs->age_stale = false;
	if (next == UINT64_MAX)
		vs->reactor->disarm(vs->reactor->ctx, vs->age);
	else
		arm(vs, vs->age, after_ms > AGE_MIN_MS ? after_ms : AGE_MIN_MS);
}

static void arm_what_is_due(struct vswitch *vs)
{
	if (!vs->sweep_armed && cache_count(vs->cache)) {
		vs->sweep_armed = true;
		arm(vs, vs->sweep, SWEEP_MS);
	}
	if (vs->age_stale)
		arm_age(vs);
}

static void sweep_due(void *arg)
{
	struct vswitch *vs = arg;

	meter_slots_sweep(sets_meter_slots(vs->sets), vswitch_now_ns(vs));
	vs->sweep_armed = !cache_sweep(vs->cache, vswitch_now_ns(vs));
	if (vs->sweep_armed)
		arm(vs, vs->sweep, SLICE_MS);
	else
		fdb_harvest(vs->fdb, vswitch_now_ns(vs));
	vs->share_due |= !vs->sweep_armed;
	arm_what_is_due(vs);
}

static void age_due(void *arg)
{
	struct vswitch *vs = arg;

	fdb_harvest(vs->fdb, vswitch_now_ns(vs)); /* addresses in use are refreshed before any is found too old */
	arm_age(vs);
}

/* The turn ends with vswitch_settle(), which takes out what is due. */
static void rules_due(void *arg)
{
	struct vswitch *vs = arg;

	vs->expire_ns = 0;
}

/* ---- events from below ---- */

static void frames_waiting(void *ctx)
{
	struct vswitch *vs = ctx;

	if (!vs->restored) /* an answer now would be one without the ports that are still to come */
		return;
	meter_slots_sweep(sets_meter_slots(vs->sets), vswitch_now_ns(vs));
	if (upcall_run(vs->upcall, vswitch_now_ns(vs)))
		arm(vs, vs->more, 0);
	arm_what_is_due(vs);
}

/* Beside the cache, which asks for its own: an end is told only when the last that was asked for is over. */
static void await_fdb_grace(struct vswitch *vs)
{
	if (vs->fdb_waits || !fdb_wants_grace(vs->fdb))
		return;
	vs->fdb_waits = true;
	fdb_grace_began(vs->fdb);
	vs->dp->ops->grace(vs->dp);
}

/* Likewise. */
static void await_mirrors_grace(struct vswitch *vs)
{
	if (!mirrors_want_grace(vs->mirrors))
		return;
	mirrors_grace_began(vs->mirrors);
	vs->dp->ops->grace(vs->dp);
}

static void settle_mirrors(struct vswitch *vs)
{
	if (vs->mirrors_version != pipeline_version(vs->pl))
		mirrors_check(vs->mirrors);
	vs->mirrors_version = pipeline_version(vs->pl);
	await_mirrors_grace(vs);
}

static void reclaim_due(void *arg)
{
	struct vswitch *vs = arg;

	if (!cache_reclaim(vs->cache, vswitch_now_ns(vs)))
		arm(vs, vs->reclaim, 0);
	ofbridges_settled(vs->bridges);
}

static void grace_ended(void *ctx)
{
	struct vswitch *vs = ctx;

	if (!cache_grace_ended(vs->cache, vswitch_now_ns(vs)))
		arm(vs, vs->reclaim, 0);
	ofbridges_settled(vs->bridges);
	vs->fdb_waits = false;
	fdb_grace_ended(vs->fdb);
	await_fdb_grace(vs);
	mirrors_grace_ended(vs->mirrors);
	await_mirrors_grace(vs);
}

static void fdb_changed(void *ctx, const struct fdb_key *key)
{
	struct vswitch *vs = ctx;

	vs->age_stale = true;
	vs->fdb_news = true;
}

static struct fdb_out fdb_out(void *ctx, const struct fdb_entry *entry)
{
	const struct vswitch *vs = ctx;

	return normal_out(vs->pl, entry);
}

/* What groups decide is brought into the maps at once, the rest when the turn is over. */
static void unsettled(void *ctx)
{
	struct vswitch *vs = ctx;

	if (vs->restored)
		cache_fail_over(vs->cache);
	arm(vs, vs->more, 0); /* a turn of the loop ends with vswitch_settle() */
}

/* ---- life ---- */

static int create_timers(struct vswitch *vs)
{
	const struct reactor *r = vs->reactor;

	vs->sweep = r->timer(r->ctx, sweep_due, vs);
	vs->age = r->timer(r->ctx, age_due, vs);
	vs->more = r->timer(r->ctx, frames_waiting, vs);
	vs->reclaim = r->timer(r->ctx, reclaim_due, vs);
	vs->expire = r->timer(r->ctx, rules_due, vs);
	return vs->sweep && vs->age && vs->more && vs->reclaim && vs->expire ? 0 : -ENOMEM;
}

static void destroy_timers(struct vswitch *vs)
{
	const struct reactor *r = vs->reactor;

	r->timer_free(r->ctx, vs->sweep);
	r->timer_free(r->ctx, vs->age);
	r->timer_free(r->ctx, vs->more);
	r->timer_free(r->ctx, vs->reclaim);
	r->timer_free(r->ctx, vs->expire);
}

static uint64_t now_of(void *ctx)
{
	return vswitch_now_ns(ctx);
}

static struct ofbridges *create_bridges(struct vswitch *vs)
{
	const struct ofbridge_parts parts = {
		.dp = vs->dp,
		.pl = vs->pl,
		.fdb = vs->fdb,
		.cache = vs->cache,
		.mirrors = vs->mirrors,
		.ctx = vs,
		.now_ns = now_of,
	};

	return ofbridges_create(&parts);
}

static int create_brain(struct vswitch *vs)
{
	const struct fdb_events events = {.ctx = vs, .changed = fdb_changed, .out = fdb_out};
	const struct dp_memory *memory = &vs->dp->memory;
	const struct fdb_storage storage = {
		memory->fdb, memory->fdb_times, memory->config->seed, &memory->config->epoch};

	vs->fdb = fdb_create(&storage, SW_MAX_FDB, &events);
	vs->pl = vs->fdb ? pipeline_create(vs->fdb) : NULL;
	vs->sets = vs->pl ? sets_create(vs->dp) : NULL;
	if (vs->sets)
		pipeline_set_meter_slots(vs->pl, sets_meter_slots(vs->sets));
	vs->cache = vs->sets ? cache_create(vs->dp, vs->pl, vs->sets) : NULL;
	vs->mirrors = vs->cache ? mirrors_create(vs->dp, vs->pl, vs->sets) : NULL;
	vs->bridges = vs->mirrors ? create_bridges(vs) : NULL;
	vs->upcall =
		vs->bridges ? upcall_create(vs->dp, vs->pl, vs->fdb, vs->cache, ofbridges_executor(vs->bridges)) : NULL;
	return vs->upcall ? 0 : -ENOMEM;
}

static void destroy_brain(struct vswitch *vs)
{
	if (vs->upcall)
		upcall_destroy(vs->upcall);
	ofbridges_destroy(vs->bridges);
	mirrors_destroy(vs->mirrors);
	if (vs->cache)
		cache_destroy(vs->cache);
	if (vs->sets)
		sets_destroy(vs->sets);
	if (vs->pl)
		pipeline_destroy(vs->pl);
	if (vs->fdb)
		fdb_destroy(vs->fdb);
}

static int create_ports(struct vswitch *vs, struct complaint *c)
{
	struct port_manager_parts parts = {
		.dp = vs->dp,
		.pl = vs->pl,
		.fdb = vs->fdb,
		.sets = vs->sets,
		.reactor = vs->reactor,
		.unsettled = unsettled,
		.ctx = vs,
	};

	return port_manager_create(&parts, &vs->ports, c);
}

int vswitch_create(
	const struct vswitch_options *options, const struct reactor *reactor, struct vswitch **ret, struct complaint *c)
{
	struct vswitch *vs = calloc(1, sizeof(*vs));
	struct dp_events events = {.ctx = vs, .frames_waiting = frames_waiting, .grace_ended = grace_ended};
	struct dp_kernel_options datapath = options->datapath;
	int error;

	if (!vs)
		return complain(c, -ENOMEM, "out of memory");
	vs->reactor = reactor;
	error = create_timers(vs);
	if (error) {
		complain(c, error, "out of memory");
		goto no_timers;
	}
	datapath.table_bytes = fdb_bytes();
	datapath.flow_bytes = cache_bytes_a_slot();
	error = dp_kernel_create(&datapath, reactor, &events, &vs->dp, c);
	if (error)
		goto no_timers;
	error = create_brain(vs);
	if (error) {
		complain(c, error, "out of memory");
		goto no_brain;
	}
	error = create_ports(vs, c);
	if (error)
		goto no_brain;
	*ret = vs;
	return 0;

no_brain:
	destroy_brain(vs);
	vs->dp->ops->destroy(vs->dp, false);
no_timers:
	destroy_timers(vs);
	free(vs);
	return error;
}

void vswitch_destroy(struct vswitch *vs, bool forget)
{
	port_manager_destroy(vs->ports, forget);
	destroy_brain(vs);
	vs->dp->ops->destroy(vs->dp, forget);
	destroy_timers(vs);
	free(vs);
}

bool vswitch_adopted(const struct vswitch *vs)
{
	return vs->dp->adopted;
}

bool vswitch_inherited(const struct vswitch *vs)
{
	return vs->dp->inherited;
}

static void restore_bridges(struct vswitch *vs)
{
	struct sw_registry *registry = vs->dp->memory.registry;

	for (uint16_t id = 1; id < SW_MAX_BRIDGES; id++) {
		if (registry->bridge[id].name[0] && !pipeline_bridge(vs->pl, id)) {
			fdb_flush(vs->fdb, id, 0, -1, true);
			registry_clear_bridge(registry, id);
		}
	}
}

/* Static addresses of ports that the last daemon was taking away when it died. */
static void forget_strays(struct vswitch *vs)
{
	for (uint16_t id = 1; id < SW_MAX_PORTS; id++) {
		if (!pipeline_port(vs->pl, id))
			fdb_flush(vs->fdb, 0, id, -1, true);
	}
}

/* What a daemon that lives through a change flushes at once, this one finds: a link that went down, a VLAN left. */
static bool still_there(void *ctx, const struct fdb_entry *entry)
{
	const struct port *port = pipeline_port(ctx, entry->port);

	return port && port->bridge == entry->key.bridge && port->up &&
	       vlan_leave(&port->vlan, entry->key.vid) != VLAN_NOT_A_MEMBER;
}

void vswitch_restored(struct vswitch *vs)
{
	port_manager_restored(vs->ports);
	mirrors_restored(vs->mirrors);
	restore_bridges(vs);
	fdb_prune(vs->fdb, still_there, vs->pl);
	forget_strays(vs);
	vs->restored = true;
	vs->age_stale = true;
	arm(vs, vs->more, 0); /* for frames that came meanwhile */
	vswitch_settle(vs);
	if (vs->dp->adopted)
		log_info("adopted %u flows and %u addresses", cache_count(vs->cache), fdb_count(vs->fdb, 0));
}

/*
 * Whether there is room for one more address; once there was none, for a sixteenth: else each address that ages would
 * have all flows asked twice.
 */
static bool may_learn(const struct vswitch *vs, const struct bridge *bridge)
{
	if (bridge->learning)
		return fdb_has_room(vs->fdb, bridge->id);
	return fdb_count(vs->fdb, bridge->id) + bridge->fdb_limit / 16 < bridge->fdb_limit &&
	       fdb_count(vs->fdb, 0) + SW_MAX_FDB / 16 < SW_MAX_FDB;
}

/*
 * Which of a full bridge's ports learn nevertheless (F6). Who has got his share stops at once; but he goes on only once
 * a sweep, if others have more again: two ports that pass addresses to and fro could have all flows asked all the time.
 */
static void share_out(struct vswitch *vs, const struct bridge *bridge, bool may_go_on)
{
	const uint32_t most = fdb_most(vs->fdb, bridge->id);
	const struct port *port = NULL;

	while ((port = pipeline_next_port(vs->pl, port ? port->id : 0))) {
		if (port->bridge == bridge->id)
			pipeline_port_set_behind(vs->pl, port->id,
				fdb_count_of_port(vs->fdb, port->id) + 1 < most && (port->is_behind || may_go_on));
	}
}

static void settle_learning(struct vswitch *vs)
{
	const struct bridge *bridge = NULL;

	while ((bridge = pipeline_next_bridge(vs->pl, bridge ? bridge->id : 0))) {
		bool had_room = bridge->learning;

		pipeline_bridge_set_learning(vs->pl, bridge->id, may_learn(vs, bridge));
		if (!bridge->learning && (had_room || vs->fdb_news || vs->share_due))
			share_out(vs, bridge, had_room || vs->share_due);
	}
	vs->fdb_news = false;
	vs->share_due = false;
}

static void settle_fdb(struct vswitch *vs)
{
	settle_learning(vs);
	if (vs->fdb_version != pipeline_version(vs->pl))
		fdb_republish(vs->fdb);
	vs->fdb_version = pipeline_version(vs->pl);
	fdb_settle(vs->fdb);
	await_fdb_grace(vs);
}

/* Rules whose time has come go; the loop wakes up for the next. */
static void settle_rules(struct vswitch *vs)
{
	uint64_t due_ns = ofbridges_expire(vs->bridges), now_ns = vswitch_now_ns(vs);

	if (due_ns == vs->expire_ns)
		return;
	vs->expire_ns = due_ns;
	if (due_ns)
		arm(vs, vs->expire, due_ns > now_ns ? (due_ns - now_ns) / NS_A_MS + 1 : 0);
}

void vswitch_settle(struct vswitch *vs)
{
	if (!vs->restored)
		return;
	arm_what_is_due(vs); /* what ages now is settled now */
	settle_fdb(vs);
	settle_rules(vs);
	cache_settle(vs->cache, vswitch_now_ns(vs));
	settle_mirrors(vs);
	ofbridges_settled(vs->bridges);
	vs->dp->ops->flush(vs->dp); /* what packet-outs sent */
}

const struct pipeline *vswitch_pipeline(const struct vswitch *vs)
{
	return vs->pl;
}

const struct fdb *vswitch_fdb(const struct vswitch *vs)
{
	return vs->fdb;
}

struct ofbridge *vswitch_ofbridge(struct vswitch *vs, const char *bridge_name)
{
	const struct bridge *bridge = pipeline_bridge_by_name(vs->pl, bridge_name);

	return bridge ? ofbridges_get(vs->bridges, bridge->id) : NULL;
}

/* ---- configuration ---- */

static const struct bridge *find_bridge(const struct vswitch *vs, const char *name, struct complaint *c)
{
	const struct bridge *bridge = pipeline_bridge_by_name(vs->pl, name);

	if (!bridge)
		complain(c, -ENOENT, "there is no bridge %s", name);
	return bridge;
}

/* The lowest id that is nobody's, also not of a bridge that this restart has yet to bring back; 0: none is left. */
static uint16_t unclaimed_bridge(const struct vswitch *vs)
{
	for (uint16_t id = 1; id < SW_MAX_BRIDGES; id++) {
		if (!pipeline_bridge(vs->pl, id) && !vs->dp->memory.registry->bridge[id].name[0])
			return id;
	}
	return 0;
}

int vswitch_bridge_add(struct vswitch *vs, const char *name, struct complaint *c)
{
	struct sw_registry *registry = vs->dp->memory.registry;
	uint16_t had = registry_bridge_id(registry, name);
	uint16_t id;
	int error;

	if (had && pipeline_bridge(vs->pl, had))
		had = 0;
	error = pipeline_bridge_add(vs->pl, name, had ? had : unclaimed_bridge(vs), &id, c);
	if (error)
		return error;
	if (!had)
		fdb_flush(vs->fdb, id, 0, -1, true); /* if the id had to be taken from one that did not come back yet */
	registry_put_bridge(registry, id, name);
	fdb_set_ageing(vs->fdb, id, FDB_DEFAULT_AGEING_S);
	fdb_set_limit(vs->fdb, id, FDB_DEFAULT_LIMIT);
	return 0;
}

int vswitch_bridge_remove(struct vswitch *vs, const char *name, struct complaint *c)
{
	const struct bridge *bridge = find_bridge(vs, name, c);
	const struct port *port;
	uint16_t id, next = 0;

	if (!bridge)
		return -ENOENT;
	id = bridge->id;
	mirrors_remove_bridge(vs->mirrors, name);
	while ((port = pipeline_next_port(vs->pl, next))) {
		next = port->id;
		if (port->bridge == id)
			port_manager_remove(vs->ports, port->name, c);
	}
	fdb_flush(vs->fdb, id, 0, -1, true);
	registry_clear_bridge(vs->dp->memory.registry, id);
	return pipeline_bridge_remove(vs->pl, id, c);
}

int vswitch_bridge_set(
	struct vswitch *vs, const char *name, const struct bridge_settings *settings, struct complaint *c)
{
	const struct bridge *bridge = find_bridge(vs, name, c);
	uint32_t ageing_s, limit;

	if (!bridge)
		return -ENOENT;
	ageing_s = settings->which & BRIDGE_SET_AGEING ? settings->ageing_s : bridge->ageing_s;
	limit = settings->which & BRIDGE_SET_FDB_LIMIT ? settings->fdb_limit : bridge->fdb_limit;
	fdb_set_ageing(vs->fdb, bridge->id, ageing_s);
	fdb_set_limit(vs->fdb, bridge->id, limit);
	pipeline_bridge_set(vs->pl, bridge->id, ageing_s, limit,
		settings->which & BRIDGE_SET_FORWARD_RESERVED ? settings->forward_reserved : bridge->forward_reserved);
	if (settings->which & BRIDGE_SET_DATAPATH_ID)
		pipeline_bridge_set_datapath_id(vs->pl, bridge->id, settings->datapath_id);
	vs->age_stale = true;
	if (vs->restored) /* else other bridges have not been told yet how long theirs are kept */
		arm_what_is_due(vs);
	return 0;
}

int vswitch_port_add(struct vswitch *vs, const struct port_config *config, struct complaint *c)
{
	vs->share_due = true; /* it has none yet */
	return port_manager_add(vs->ports, config, c);
}

int vswitch_port_remove(struct vswitch *vs, const char *name, struct complaint *c)
{
	const struct mirror_config *mirror = mirrors_of_port(vs->mirrors, name);

	if (mirror)
		return complain(c, -EBUSY, "mirror %s needs port %s: mirror del %s %s first", mirror->name, name,
			mirror->bridge, mirror->name);
	return port_manager_remove(vs->ports, name, c);
}

int vswitch_port_set(struct vswitch *vs, const struct port_config *config, unsigned which, struct complaint *c)
{
	const struct mirror_config *mirror = mirrors_of_port(vs->mirrors, config->name);

	if (mirror && !strcmp(mirror->to, config->name) && which & PORT_SET_VLAN && config->vlan.mode != VLAN_OPEN)
		return complain(c, -EBUSY,
			"mirror %s sends to port %s, and copies leave as they came, with any tag: mirror del %s %s "
			"first",
			mirror->name, config->name, mirror->bridge, mirror->name);
	return port_manager_set(vs->ports, config, which, c);
}

/* What was learned behind a mirror's port is nobody's address any more. */
int vswitch_mirror_add(struct vswitch *vs, const struct mirror_config *config, struct complaint *c)
{
	int error = mirrors_add(vs->mirrors, config, c);

	if (!error)
		fdb_flush(vs->fdb, 0, pipeline_port_by_name(vs->pl, config->to)->id, -1, false);
	return error;
}

int vswitch_mirror_remove(struct vswitch *vs, const char *bridge, const char *name, struct complaint *c)
{
	return mirrors_remove(vs->mirrors, bridge, name, c);
}

void vswitch_each_mirror(const struct vswitch *vs,
	void (*each)(void *ctx, const struct mirror_config *config, const struct mirror_counters *counters), void *ctx)
{
	const struct mirror_config *config;

	for (uint16_t id = 0; (config = mirrors_next(vs->mirrors, id, &id));) {
		const struct mirror_counters counters = mirrors_counters(vs->mirrors, id);

		each(ctx, config, &counters);
	}
}

const struct port_config *vswitch_port_config(const struct vswitch *vs, const char *name)
{
	return port_manager_config(vs->ports, name);
}

/* ---- state ---- */

int vswitch_port_status(const struct vswitch *vs, const char *name, struct port_status *ret)
{
	return port_manager_status(vs->ports, name, ret);
}

void vswitch_counters(const struct vswitch *vs, struct switch_counters *ret)
{
	memset(ret, 0, sizeof(*ret));
	counters_read_switch(&vs->dp->memory, ret);
	ret->n_flows = cache_count(vs->cache);
	ret->n_masks = cache_mask_count(vs->cache);
	ret->n_fdb = fdb_count(vs->fdb, 0);
	ret->flow_limit = vs->dp->memory.config->n_flows;
}

const struct cache_totals *vswitch_cache_totals(const struct vswitch *vs)
{
	return cache_totals(vs->cache);
}

void vswitch_lookups(const struct vswitch *vs, struct lookup_counters *ret)
{
	counters_read_lookups(&vs->dp->memory, ret);
}

void vswitch_each_drop(
	const struct vswitch *vs, void (*each)(void *ctx, uint16_t port, enum sw_drop reason, uint64_t n), void *ctx)
{
	for (uint16_t port = 0; port < SW_MAX_PORTS; port++) {
		for (unsigned reason = 0; reason < SW_N_DROPS; reason++) {
			uint64_t n = counters_read_drop(&vs->dp->memory, port, reason);

			if (n)
				each(ctx, port, reason, n);
		}
	}
}

static int find_bridge_port(
	const struct vswitch *vs, const char *bridge_name, const char *port_name, uint16_t *ret, struct complaint *c)
{
	const struct bridge *bridge = pipeline_bridge_by_name(vs->pl, bridge_name);
	const struct port *port = pipeline_port_by_name(vs->pl, port_name);

	if (!port || !bridge || port->bridge != bridge->id)
		return complain(c, -ENOENT, "bridge %s has no port %s", bridge_name, port_name);
	*ret = port->id;
	return 0;
}

int vswitch_fdb_add(struct vswitch *vs, const char *bridge_name, const char *port_name, uint16_t vid,
	const uint8_t mac[6], struct complaint *c)
{
	const struct bridge *bridge = find_bridge(vs, bridge_name, c);
	struct fdb_key key = {.vid = vid};
	uint16_t port = 0;
	int error;

	if (!bridge)
		return -ENOENT;
	error = find_bridge_port(vs, bridge_name, port_name, &port, c);
	if (error)
		return error;
	if (mac[0] & 1)
		return complain(c, -EINVAL, "a group address has no entry: it is flooded in its VLAN");
	if (!(mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]))
		return complain(c, -EINVAL, "00:00:00:00:00:00 is nobody's address");
	key.bridge = bridge->id;
	memcpy(key.mac, mac, sizeof(key.mac));
	return fdb_add_static(vs->fdb, &key, port, vswitch_now_ns(vs), c);
}

int vswitch_fdb_remove(
	struct vswitch *vs, const char *bridge_name, uint16_t vid, const uint8_t mac[6], struct complaint *c)
{
	const struct bridge *bridge = find_bridge(vs, bridge_name, c);
	struct fdb_key key = {.vid = vid};

	if (!bridge)
		return -ENOENT;
	key.bridge = bridge->id;
	memcpy(key.mac, mac, sizeof(key.mac));
	return fdb_remove(vs->fdb, &key)
		       ? complain(c, -ENOENT, "bridge %s has no entry for that address in VLAN %u", bridge_name, vid)
		       : 0;
}

int vswitch_fdb_flush(struct vswitch *vs, const char *bridge_name, const char *port_name, int vid, uint32_t *ret_n,
	struct complaint *c)
{
	const struct bridge *bridge = bridge_name ? find_bridge(vs, bridge_name, c) : NULL;
	uint16_t port = 0;
	int error;

	if (bridge_name && !bridge)
		return -ENOENT;
	if (port_name && bridge_name) {
		error = find_bridge_port(vs, bridge_name, port_name, &port, c);
		if (error)
			return error;
	}
	*ret_n = fdb_flush(vs->fdb, bridge ? bridge->id : 0, port, vid, false);
	return 0;
}

void vswitch_harvest(struct vswitch *vs)
{
	fdb_harvest(vs->fdb, vswitch_now_ns(vs));
}

void vswitch_each_flow(struct vswitch *vs, void (*each)(void *ctx, const struct cache_view *view), void *ctx)
{
	cache_each(vs->cache, vswitch_now_ns(vs), each, ctx);
}

void vswitch_cache_flush(struct vswitch *vs)
{
	cache_flush(vs->cache);
}

size_t vswitch_format_steps(const struct vswitch *vs, const struct cache_view *view, char *text, size_t size)
{
	return program_format(vs->pl, vs->sets, view->steps, view->n_steps, text, size);
}

int vswitch_trace(struct vswitch *vs, const char *bridge_name, const struct sw_key *key, const void *frame,
	uint32_t size, const struct trace_sink *sink, struct trace_result *ret, struct complaint *c)
{
	struct trace_parts parts = {.dp = vs->dp, .pl = vs->pl, .sets = vs->sets};
	struct sw_headers headers;
	struct sw_key whole = *key;
	const struct bridge *bridge = find_bridge(vs, bridge_name, c);
	const struct port *port;

	if (!bridge)
		return -ENOENT;
	port = pipeline_port_by_ifindex(vs->pl, key->f.in_ifindex);
	if (!port || port->bridge != bridge->id)
		return complain(c, -EINVAL,
			"in_port: bridge %s has no port of that name or number whose device is there", bridge_name);
	if (frame)
		sw_extract(frame, (const uint8_t *)frame + size, key->f.in_ifindex, SW_KEY_WORDS, &whole, &headers);
	vswitch_settle(vs); /* what is asked is what the maps are to say after this turn */
	parts.is_cached = cache_has(vs->cache, &whole);
	return trace_run(&parts, key, frame, size, sink, ret, c);
}

void vswitch_describe(struct vswitch *vs, const struct facts *facts)
{
	vs->dp->ops->describe(vs->dp, facts);
}
