/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/fake_vswitch.h"

#include "dataplane/cache.h"
#include "dataplane/complaint.h"
#include "dataplane/facts.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_FDB   1024
#define N_FLOWS 50

struct vswitch {
	struct sw_fdb_bucket buckets[SW_FDB_BUCKETS];
	struct sw_fdb_times times[SW_FDB_BUCKETS * SW_FDB_CELLS];
	struct fdb *fdb;
	struct pipeline *pl;
	struct port_config configs[SW_MAX_PORTS]; /* by port id */
	char calls[4096];
	char refused[SW_NAME_SIZE];
	bool adopted;
	unsigned settled;
	void (*at_settle)(void *ctx);
	void *at_settle_ctx;
};

static void changed(void *ctx, const struct fdb_key *key)
{
}

static void note(struct vswitch *vs, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void note(struct vswitch *vs, const char *format, ...)
{
	size_t used = strlen(vs->calls);
	va_list args;

	if (used && used + 1 < sizeof(vs->calls))
		vs->calls[used++] = ' ';
	va_start(args, format);
	vsnprintf(vs->calls + used, sizeof(vs->calls) - used, format, args);
	va_end(args);
}

struct vswitch *fake_vswitch_create(void)
{
	struct vswitch *vs = calloc(1, sizeof(*vs));
	const struct fdb_events events = {.ctx = vs, .changed = changed};
	const struct fdb_storage storage = {vs->buckets, vs->times, .seed = 1};

	vs->fdb = fdb_create(&storage, N_FDB, &events);
	vs->pl = pipeline_create(vs->fdb);
	return vs;
}

const char *fake_vswitch_calls(const struct vswitch *vs)
{
	return vs->calls;
}

void fake_vswitch_forget(struct vswitch *vs)
{
	vs->calls[0] = '\0';
}

void fake_vswitch_refuse(struct vswitch *vs, const char *port)
{
	snprintf(vs->refused, sizeof(vs->refused), "%s", port ? port : "");
}

void fake_vswitch_adopt(struct vswitch *vs)
{
	vs->adopted = true;
}

void fake_vswitch_at_settle(struct vswitch *vs, void (*call)(void *ctx), void *ctx)
{
	vs->at_settle = call;
	vs->at_settle_ctx = ctx;
}

unsigned fake_vswitch_settled(const struct vswitch *vs)
{
	return vs->settled;
}

/* ---- the double ---- */

int vswitch_create(
	const struct vswitch_options *options, const struct reactor *reactor, struct vswitch **ret, struct complaint *c)
{
	*ret = fake_vswitch_create();
	return 0;
}

void vswitch_destroy(struct vswitch *vs, bool forget)
{
	pipeline_destroy(vs->pl);
	fdb_destroy(vs->fdb);
	free(vs);
}

void vswitch_settle(struct vswitch *vs)
{
	void (*call)(void *ctx) = vs->at_settle;

	vs->settled++;
	vs->at_settle = NULL;
	if (call)
		call(vs->at_settle_ctx);
}

bool vswitch_adopted(const struct vswitch *vs)
{
	return vs->adopted;
}

bool vswitch_inherited(const struct vswitch *vs)
{
	return vs->adopted;
}

void vswitch_restored(struct vswitch *vs)
{
	note(vs, "restored");
}

const struct pipeline *vswitch_pipeline(const struct vswitch *vs)
{
	return vs->pl;
}

const struct fdb *vswitch_fdb(const struct vswitch *vs)
{
	return vs->fdb;
}

/* Nobody looks behind it: the agent is a double too (fake_session.c). */
struct ofbridge *vswitch_ofbridge(struct vswitch *vs, const char *bridge)
{
	return pipeline_bridge_by_name(vs->pl, bridge) ? (struct ofbridge *)vs : NULL;
}

int vswitch_bridge_add(struct vswitch *vs, const char *name, struct complaint *c)
{
	uint16_t id;

	note(vs, "+%s", name);
	return pipeline_bridge_add(vs->pl, name, 0, &id, c);
}

int vswitch_bridge_remove(struct vswitch *vs, const char *name, struct complaint *c)
{
	const struct bridge *bridge = pipeline_bridge_by_name(vs->pl, name);
	const struct port *port;

	note(vs, "-%s", name);
	if (!bridge)
		return complain(c, -ENOENT, "there is no bridge %s", name);
	for (uint16_t id = 0; (port = pipeline_next_port(vs->pl, id));) {
		id = port->id;
		if (port->bridge == bridge->id)
			pipeline_port_remove(vs->pl, id);
	}
	fdb_flush(vs->fdb, bridge->id, 0, -1, true);
	return pipeline_bridge_remove(vs->pl, bridge->id, c);
}

int vswitch_bridge_set(
	struct vswitch *vs, const char *name, const struct bridge_settings *settings, struct complaint *c)
{
	const struct bridge *bridge = pipeline_bridge_by_name(vs->pl, name);

	/* Its default is told with every new bridge. */
	if (settings->which != BRIDGE_SET_DATAPATH_ID)
		note(vs, "~%s:%u", name, settings->which);
	if (!bridge)
		return complain(c, -ENOENT, "there is no bridge %s", name);
	if (settings->which & BRIDGE_SET_DATAPATH_ID)
		pipeline_bridge_set_datapath_id(vs->pl, bridge->id, settings->datapath_id);
	pipeline_bridge_set(vs->pl, bridge->id,
		settings->which & BRIDGE_SET_AGEING ? settings->ageing_s : bridge->ageing_s,
		settings->which & BRIDGE_SET_FDB_LIMIT ? settings->fdb_limit : bridge->fdb_limit,
		settings->which & BRIDGE_SET_FORWARD_RESERVED ? settings->forward_reserved : bridge->forward_reserved);
	return 0;
}

void port_config_init(struct port_config *config, const char *bridge, const char *name)
{
	*config = (struct port_config){
		.queues = 1, .upcall_rate = PORT_DEFAULT_UPCALL_RATE, .upcall_burst = PORT_DEFAULT_UPCALL_BURST};
	snprintf(config->bridge, sizeof(config->bridge), "%s", bridge);
	snprintf(config->name, sizeof(config->name), "%s", name);
}

int vswitch_port_add(struct vswitch *vs, const struct port_config *config, struct complaint *c)
{
	const struct bridge *bridge = pipeline_bridge_by_name(vs->pl, config->bridge);
	uint16_t id;
	int err;

	note(vs, "+%s/%s", config->bridge, config->name);
	if (!strcmp(config->name, vs->refused))
		return complain(c, -EBUSY, "%s: the test refuses it", config->name);
	if (!bridge)
		return complain(c, -ENOENT, "there is no bridge %s", config->bridge);
	err = pipeline_port_add(vs->pl, bridge->id, config->name, 0, &id, c);
	if (err)
		return err;
	err = pipeline_port_number(vs->pl, id, config->of_port, c);
	if (err) {
		pipeline_port_remove(vs->pl, id);
		return err;
	}
	pipeline_port_known(vs->pl, id);
	pipeline_port_set_vlan(vs->pl, id, &config->vlan);
	pipeline_port_set_state(
		vs->pl, id, &(struct port_state){.ifindex = 1000U + id, .up = true, .fast = true, .max_frame = 1518});
	vs->configs[id] = *config;
	vs->configs[id].of_port = pipeline_port(vs->pl, id)->of_port;
	return 0;
}

int vswitch_port_remove(struct vswitch *vs, const char *name, struct complaint *c)
{
	const struct port *port = pipeline_port_by_name(vs->pl, name);

	note(vs, "-/%s", name);
	if (!port)
		return complain(c, -ENOENT, "there is no port %s", name);
	fdb_flush(vs->fdb, 0, port->id, -1, true);
	pipeline_port_remove(vs->pl, port->id);
	return 0;
}

static int set_number(struct vswitch *vs, const struct port *port, uint32_t of_port, bool swap, struct complaint *c)
{
	const struct port *has = pipeline_port_by_number(vs->pl, port->bridge, of_port);

	if (!swap || !has || has == port)
		return pipeline_port_number(vs->pl, port->id, of_port, c);
	pipeline_port_swap_numbers(vs->pl, port->id, has->id);
	vs->configs[has->id].of_port = has->of_port;
	return 0;
}

int vswitch_port_set(struct vswitch *vs, const struct port_config *config, unsigned which, struct complaint *c)
{
	const struct port *port = pipeline_port_by_name(vs->pl, config->name);

	note(vs, "~/%s:%u", config->name, which);
	if (!port)
		return complain(c, -ENOENT, "there is no port %s", config->name);
	if (which & PORT_SET_NUMBER && set_number(vs, port, config->of_port, which & PORT_SWAP_NUMBER, c))
		return -EEXIST;
	vs->configs[port->id] = *config;
	vs->configs[port->id].of_port = port->of_port;
	pipeline_port_set_vlan(vs->pl, port->id, &config->vlan);
	return 0;
}

const struct port_config *vswitch_port_config(const struct vswitch *vs, const char *name)
{
	const struct port *port = pipeline_port_by_name(vs->pl, name);

	return port ? &vs->configs[port->id] : NULL;
}

int vswitch_port_status(const struct vswitch *vs, const char *name, struct port_status *ret)
{
	const struct port *port = pipeline_port_by_name(vs->pl, name);

	if (!port)
		return -ENOENT;
	*ret = (struct port_status){.id = port->id,
		.phase = PORT_UP,
		.ifindex = port->ifindex,
		.mtu = 1500,
		.n_queues = 1,
		.path = "redirect",
		.counters = {.rx_frames = 1, .rx_bytes = UINT64_MAX, .tx_frames = 3, .tx_bytes = 4}};
	memcpy(ret->device, port->name, sizeof(ret->device));
	ret->counters.drops[SW_DROP_RUNT] = 5;
	return 0;
}

void vswitch_counters(const struct vswitch *vs, struct switch_counters *ret)
{
	*ret = (struct switch_counters){.fast_path_frames = 990, .slow_path_frames = 10, .n_flows = N_FLOWS};
	ret->drops[SW_DROP_RUNT] = 5;
}

void vswitch_each_drop(
	const struct vswitch *vs, void (*each)(void *ctx, uint16_t port, enum sw_drop reason, uint64_t n), void *ctx)
{
	each(ctx, 0, SW_DROP_RUNT, 5);
}

int vswitch_fdb_add(struct vswitch *vs, const char *bridge_name, const char *port_name, uint16_t vid,
	const uint8_t mac[6], struct complaint *c)
{
	const struct bridge *bridge = pipeline_bridge_by_name(vs->pl, bridge_name);
	const struct port *port = pipeline_port_by_name(vs->pl, port_name);
	struct fdb_key key = {.vid = vid};

	if (!bridge || !port)
		return complain(c, -ENOENT, "no such bridge or port");
	note(vs, "+%02x", mac[5]);
	key.bridge = bridge->id;
	memcpy(key.mac, mac, 6);
	return fdb_add_static(vs->fdb, &key, port->id, 1, c);
}

int vswitch_fdb_remove(
	struct vswitch *vs, const char *bridge_name, uint16_t vid, const uint8_t mac[6], struct complaint *c)
{
	const struct bridge *bridge = pipeline_bridge_by_name(vs->pl, bridge_name);
	struct fdb_key key = {.vid = vid};

	note(vs, "-%02x", mac[5]);
	key.bridge = bridge ? bridge->id : 0;
	memcpy(key.mac, mac, 6);
	if (!bridge || fdb_remove(vs->fdb, &key))
		return complain(c, -ENOENT, "there is no such address");
	return 0;
}

void vswitch_harvest(struct vswitch *vs)
{
}

int vswitch_fdb_flush(struct vswitch *vs, const char *bridge_name, const char *port_name, int vid, uint32_t *ret_n,
	struct complaint *c)
{
	const struct bridge *bridge = bridge_name ? pipeline_bridge_by_name(vs->pl, bridge_name) : NULL;
	const struct port *port = port_name ? pipeline_port_by_name(vs->pl, port_name) : NULL;

	*ret_n = fdb_flush(vs->fdb, bridge ? bridge->id : 0, port ? port->id : 0, vid, false);
	return 0;
}

/* Flow n has n packets. */
void vswitch_each_flow(struct vswitch *vs, void (*each)(void *ctx, const struct cache_view *view), void *ctx)
{
	struct sw_key key = {0}, mask = {0};
	struct sw_step step = {.op = SW_OP_DROP, .arg = SW_DROP_RULE};

	for (uint32_t i = 0; i < N_FLOWS; i++) {
		/* Not in order. */
		uint32_t n = (i * 37) % N_FLOWS;
		const struct cache_view view = {.slot = n,
			.key = &key,
			.mask = &mask,
			.steps = &step,
			.n_steps = 1,
			.packets = n,
			.bytes = 100 * n};

		each(ctx, &view);
	}
}

void vswitch_cache_flush(struct vswitch *vs)
{
	note(vs, "flush");
}

size_t vswitch_format_steps(const struct vswitch *vs, const struct cache_view *view, char *text, size_t size)
{
	return (size_t)snprintf(text, size, "drop:%u", view->steps[0].arg);
}

int vswitch_trace(struct vswitch *vs, const char *bridge, const struct sw_key *key, const void *frame, uint32_t size,
	const struct trace_sink *sink, struct trace_result *ret, struct complaint *c)
{
	sink->line(sink->ctx, 0, "asked");
	memset(ret, 0, sizeof(*ret));
	snprintf(ret->answer, sizeof(ret->answer), "%u bytes in ifindex %u", size, key->f.in_ifindex);
	return 0;
}

uint64_t vswitch_now_ns(const struct vswitch *vs)
{
	return 1000000000ULL;
}

void vswitch_describe(struct vswitch *vs, const struct facts *facts)
{
	facts->text(facts->ctx, "double", "yes");
	facts->memory(facts->ctx, &(struct fact_memory){.maps = 1, .frames = 2, .tables = 3, .available = UINT64_MAX});
}

const struct cache_totals *vswitch_cache_totals(const struct vswitch *vs)
{
	static const struct cache_totals totals = {.put = 6, .refused = 5, .evicted = 4, .expired = 3, .narrow = 2};

	return &totals;
}

void vswitch_lookups(const struct vswitch *vs, struct lookup_counters *ret)
{
	*ret = (struct lookup_counters){
		.frames = 10, .home = 5, .hints = 2, .walks = 2, .misses = 1, .searches = 3, .probes = 4, .looks = 3};
}

/* ---- mirrors: only one of ports that are not there is refused, and none is there ---- */

static bool has_port(const struct vswitch *vs, const char *bridge_name, const char *port_name)
{
	const struct bridge *bridge = pipeline_bridge_by_name(vs->pl, bridge_name);
	const struct port *port = pipeline_port_by_name(vs->pl, port_name);

	return bridge && port && port->bridge == bridge->id;
}

int vswitch_mirror_add(struct vswitch *vs, const struct mirror_config *config, struct complaint *c)
{
	if (!has_port(vs, config->bridge, config->from.name[0]) || !has_port(vs, config->bridge, config->to))
		return complain(c, -ENOENT, "no such port");
	return 0;
}

int vswitch_mirror_remove(struct vswitch *vs, const char *bridge, const char *name, struct complaint *c)
{
	return complain(c, -ENOENT, "bridge %s has no mirror %s", bridge, name);
}

void vswitch_each_mirror(const struct vswitch *vs,
	void (*each)(void *ctx, const struct mirror_config *config, const struct mirror_counters *counters), void *ctx)
{
}
