/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What Prometheus hears. It is read from where `stats`, `drops`, `show xdp`, `mirror show`, `control show` and
 * `controller show` read, so that the two can never differ. Names and units:
 * https://prometheus.io/docs/practices/naming/
 */
#include "ctl/control.h"
#include "ctl/daemon.h"
#include "ctl/exposition.h"
#include "ctl/metrics.h"
#include "ctl/openflow.h"
#include "dataplane/cache.h"
#include "dataplane/counters.h"
#include "dataplane/vswitch.h"

#include <stddef.h>
#include <stdlib.h>

#define COUNTER EXPOSITION_COUNTER
#define GAUGE   EXPOSITION_GAUGE

/* ---- ports ---- */

struct told_port {
	const char *name, *bridge; /* borrowed from the pipeline */
	bool up;
	struct port_counters counters;
};

struct told_ports {
	unsigned n;
	struct told_port port[SW_MAX_PORTS];
};

static const struct port_family {
	const char *name, *help;
	size_t offset; /* in struct port_counters */
} port_families[] = {
	{"switchd_port_receive_frames_total", "Frames that came in by the port.",
		offsetof(struct port_counters, rx_frames)},
	{"switchd_port_receive_bytes_total", "Bytes that came in by the port.",
		offsetof(struct port_counters, rx_bytes)},
	{"switchd_port_transmit_frames_total", "Frames that left by the port.",
		offsetof(struct port_counters, tx_frames)},
	{"switchd_port_transmit_bytes_total", "Bytes that left by the port.", offsetof(struct port_counters, tx_bytes)},
	{"switchd_port_exact_match_hits_total", "Frames of the port that the exact-match cache knew.",
		offsetof(struct port_counters, emc_hits)},
	{"switchd_port_megaflow_hits_total", "Frames of the port that a megaflow knew.",
		offsetof(struct port_counters, mega_hits)},
	{"switchd_port_upcalls_total", "Frames of the port that went up to the daemon.",
		offsetof(struct port_counters, upcalls)},
	{"switchd_port_checksums_completed_total", "Unfinished checksums of the port's frames that were finished.",
		offsetof(struct port_counters, csum_done)},
};

static void read_ports(const struct vswitch *vs, struct told_ports *ret)
{
	const struct pipeline *pl = vswitch_pipeline(vs);
	const struct port *port;

	for (uint16_t id = 0; ret->n < SW_MAX_PORTS && (port = pipeline_next_port(pl, id)); id = port->id) {
		const struct bridge *bridge = pipeline_bridge(pl, port->bridge);
		struct told_port *told = &ret->port[ret->n++];
		struct port_status status = {0};

		vswitch_port_status(vs, port->name, &status);
		*told = (struct told_port){.name = port->name,
			.bridge = bridge ? bridge->name : "",
			.up = status.phase == PORT_UP,
			.counters = status.counters};
	}
}

static void tell_told(struct exposition *e, const struct told_port *port)
{
	const struct {
		const char *result;
		uint64_t n;
	} rows[] = {{"copied", port->counters.told}, {"over_limit", port->counters.untold_limit},
		{"ring_full", port->counters.untold_full}, {"stale", port->counters.untold_stale}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		exposition_sample(
			e, rows[i].n, "bridge", port->bridge, "port", port->name, "result", rows[i].result, NULL);
}

static void tell_ports(struct exposition *e, const struct told_ports *ports)
{
	exposition_family(e, "switchd_port_up", GAUGE, "Whether the port forwards.");
	for (unsigned i = 0; i < ports->n; i++)
		exposition_sample(
			e, ports->port[i].up, "bridge", ports->port[i].bridge, "port", ports->port[i].name, NULL);
	for (size_t f = 0; f < sizeof(port_families) / sizeof(port_families[0]); f++) {
		exposition_family(e, port_families[f].name, COUNTER, port_families[f].help);
		for (unsigned i = 0; i < ports->n; i++) {
			const struct told_port *port = &ports->port[i];
			const char *counters = (const char *)&port->counters;

			exposition_sample(e, *(const uint64_t *)(counters + port_families[f].offset), "bridge",
				port->bridge, "port", port->name, NULL);
		}
	}
	exposition_family(e, "switchd_port_controller_copies_total", COUNTER,
		"Copies for controllers of frames that were sent on, and what became of them.");
	for (unsigned i = 0; i < ports->n; i++)
		tell_told(e, &ports->port[i]);
}

/* ---- drops ---- */

static const char *const reasons[SW_N_DROPS] = {
#define X(name, word, text) [SW_DROP_##name] = word,
	SW_DROPS(X)
#undef X
};

struct telling {
	struct exposition *e;
	const struct pipeline *pl;
	const char *use; /* of a certificate */
};

static void tell_drop(void *ctx, uint16_t port_id, enum sw_drop reason, uint64_t n)
{
	const struct telling *telling = ctx;
	const struct port *port = pipeline_port(telling->pl, port_id);
	const struct bridge *bridge = port ? pipeline_bridge(telling->pl, port->bridge) : NULL;

	if (reason > SW_DROP_NONE && reason < SW_N_DROPS && n)
		exposition_sample(telling->e, n, "bridge", bridge ? bridge->name : "", "port", port ? port->name : "",
			"reason", reasons[reason], NULL);
}

static void tell_drops(struct exposition *e, const struct vswitch *vs, const struct switch_counters *counters)
{
	struct telling telling = {.e = e, .pl = vswitch_pipeline(vs)};

	exposition_family(e, "switchd_dropped_frames_total", COUNTER, "Dropped frames, of each reason.");
	for (int reason = SW_DROP_NONE + 1; reason < SW_N_DROPS; reason++)
		exposition_sample(e, counters->drops[reason], "reason", reasons[reason], NULL);
	exposition_family(e, "switchd_port_dropped_frames_total", COUNTER,
		"Dropped frames by the port that they came in by, or could not leave by; reasons that there were.");
	vswitch_each_drop(vs, tell_drop, &telling);
}

/* ---- the fast path ---- */

static void tell_one(
	struct exposition *e, const char *name, enum exposition_type type, const char *help, uint64_t value)
{
	exposition_family(e, name, type, help);
	exposition_sample(e, value, NULL);
}

static void tell_lookups(struct exposition *e, const struct vswitch *vs)
{
	struct lookup_counters lookups;

	vswitch_lookups(vs, &lookups);
	exposition_family(e, "switchd_lookups_total", COUNTER, "Frames by where the cache had their flow.");
	exposition_sample(e, lookups.home, "found", "home", NULL);
	exposition_sample(e, lookups.hints, "found", "exact_match", NULL);
	exposition_sample(e, lookups.walks, "found", "megaflow", NULL);
	exposition_sample(e, lookups.misses, "found", "miss", NULL);
}

static void tell_cache(struct exposition *e, const struct vswitch *vs)
{
	const struct cache_totals *totals = vswitch_cache_totals(vs);

	exposition_family(e, "switchd_cache_changes_total", COUNTER,
		"Megaflows that were put into the cache, found no room, made room, or were idle too long.");
	exposition_sample(e, totals->put, "change", "put", NULL);
	exposition_sample(e, totals->refused, "change", "refused", NULL);
	exposition_sample(e, totals->evicted, "change", "evicted", NULL);
	exposition_sample(e, totals->expired, "change", "expired", NULL);
}

static void tell_switch(struct exposition *e, const struct vswitch *vs, const struct switch_counters *counters)
{
	tell_one(e, "switchd_fast_path_frames_total", COUNTER, "Frames that the program dealt with by a cached flow.",
		counters->fast_path_frames);
	tell_one(e, "switchd_slow_path_frames_total", COUNTER, "Frames that the daemon received.",
		counters->slow_path_frames);
	tell_lookups(e, vs);
	tell_one(e, "switchd_cache_flows", GAUGE, "Megaflows in the cache.", counters->n_flows);
	tell_one(e, "switchd_cache_flows_limit", GAUGE, "Megaflows that there is room for.", counters->flow_limit);
	tell_one(e, "switchd_cache_masks", GAUGE, "Masks that megaflows are under.", counters->n_masks);
	tell_one(e, "switchd_cache_masks_limit", GAUGE, "Masks that there is room for.", SW_MAX_MASKS);
	tell_cache(e, vs);
	tell_one(e, "switchd_fdb_addresses", GAUGE, "Addresses that the bridges know.", counters->n_fdb);
	tell_one(e, "switchd_fdb_addresses_limit", GAUGE, "Addresses that there is room for.", SW_MAX_FDB);
}

static void tell_mirror(void *ctx, const struct mirror_config *config, const struct mirror_counters *counters)
{
	struct exposition *e = ctx;
	const struct {
		const char *result;
		uint64_t n;
	} rows[] = {
		{"copied", counters->copies}, {"over_limit", counters->over_limit}, {"ring_full", counters->ring_full}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		exposition_sample(
			e, rows[i].n, "bridge", config->bridge, "mirror", config->name, "result", rows[i].result, NULL);
}

/* ---- sessions and certificates ---- */

struct sockets {
	unsigned n_unix, n_tls;
};

static void count_connection(void *ctx, const char *peer, bool young, bool tls)
{
	struct sockets *sockets = ctx;

	*(tls ? &sockets->n_tls : &sockets->n_unix) += 1;
}

static void tell_control(struct exposition *e, const struct control *control)
{
	struct sockets sockets = {0};

	control_each_connection(control, count_connection, &sockets);
	exposition_family(e, "switchd_control_connections", GAUGE, "Connections to the control sockets.");
	exposition_sample(e, sockets.n_unix, "socket", "unix", NULL);
	exposition_sample(e, sockets.n_tls, "socket", "tls", NULL);
}

static void tell_connected(void *ctx, const char *bridge, const struct channel_report *report)
{
	if (report->config->kind == CHANNEL_CONTROLLER)
		exposition_sample(ctx, report->state == CHANNEL_OPEN, "bridge", bridge, "controller",
			report->config->address, NULL);
}

static void tell_listener(void *ctx, const char *bridge, const struct channel_report *report)
{
	if (report->config->kind == CHANNEL_LISTENER)
		exposition_sample(
			ctx, report->n_connections, "bridge", bridge, "address", report->config->address, NULL);
}

static void tell_channels(struct exposition *e, const struct openflow *of)
{
	exposition_family(e, "switchd_controller_connected", GAUGE, "Whether the controller and the bridge speak.");
	openflow_each_channel(of, NULL, tell_connected, e);
	exposition_family(e, "switchd_openflow_listener_connections", GAUGE,
		"Connections that a bridge's OpenFlow listener has accepted.");
	openflow_each_channel(of, NULL, tell_listener, e);
}

static void tell_expiry(struct exposition *e, const char *use, const char *bridge, const char *address, int64_t expiry)
{
	if (expiry > 0)
		exposition_sample(e, (uint64_t)expiry, "use", use, "bridge", bridge, "address", address, NULL);
}

static void tell_control_expiry(void *ctx, const struct control_tls *config, int64_t expiry)
{
	tell_expiry(ctx, "control", "", config->address, expiry);
}

static void tell_metrics_expiry(void *ctx, const struct metrics_config *config, int64_t expiry)
{
	tell_expiry(ctx, "metrics", "", config->address, expiry);
}

static void tell_channel_expiry(void *ctx, const char *bridge, const struct channel_report *report)
{
	tell_expiry(ctx, report->config->kind == CHANNEL_CONTROLLER ? "controller" : "openflow", bridge,
		report->config->address, report->expiry);
}

static void tell_certificates(struct exposition *e, const struct daemon *d)
{
	exposition_family(e, "switchd_certificate_expiry_timestamp_seconds", GAUGE,
		"When the switch's own certificate ends, in seconds since 1970.");
	control_each_listener(d->control, tell_control_expiry, e);
	metrics_each_listener(d->metrics, tell_metrics_expiry, e);
	openflow_each_channel(d->of, NULL, tell_channel_expiry, e);
}

/* ---- all ---- */

char *daemon_metrics(void *ctx, size_t *ret_size)
{
	const struct daemon *d = ctx;
	struct exposition *e = exposition_create();
	struct told_ports *ports = calloc(1, sizeof(*ports));
	struct switch_counters counters;

	if (!e || !ports)
		goto out_of_memory;
	read_ports(d->vs, ports);
	vswitch_counters(d->vs, &counters);
	exposition_family(e, "switchd_build_info", GAUGE, "The version that runs; its value is 1.");
	exposition_sample(e, 1, "version", SWITCHD_VERSION, NULL);
	tell_one(e, "switchd_uptime_seconds", GAUGE, "Since the daemon started.",
		(vswitch_now_ns(d->vs) - d->started_ns) / 1000000000ULL);
	tell_ports(e, ports);
	tell_drops(e, d->vs, &counters);
	tell_switch(e, d->vs, &counters);
	exposition_family(e, "switchd_mirror_copies_total", COUNTER, "Copies that a mirror made, or could not make.");
	vswitch_each_mirror(d->vs, tell_mirror, e);
	tell_control(e, d->control);
	tell_channels(e, d->of);
	tell_certificates(e, d);
	free(ports);
	return exposition_finish(e, ret_size);

out_of_memory:
	free(ports);
	if (e)
		free(exposition_finish(e, ret_size));
	return NULL;
}
