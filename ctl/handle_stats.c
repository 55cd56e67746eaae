/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/daemon.h"
#include "ctl/json.h"
#include "ctl/reply.h"
#include "dataplane/vswitch.h"

static const struct reason {
	const char *word, *sentence;
} reasons[SW_N_DROPS] = {
#define X(name, word, text) [SW_DROP_##name] = {word, text},
	SW_DROPS(X)
#undef X
};

static uint64_t sum(const uint64_t drops[SW_N_DROPS])
{
	uint64_t n = 0;

	for (int reason = SW_DROP_NONE + 1; reason < SW_N_DROPS; reason++)
		n += drops[reason];
	return n;
}

/* What controllers were told of by copies (bpf/tell.h); no frame is among them. */
static void describe_told(const struct port_counters *counters, struct json_object *ret)
{
	struct json_object *told = json_add_object(ret, "told");

	json_add_number(told, "copies", counters->told);
	json_add_number(told, "over_limit", counters->untold_limit);
	json_add_number(told, "ring_full", counters->untold_full);
	json_add_number(told, "stale", counters->untold_stale);
}

static void describe_port(const struct daemon *d, const struct port *port, struct json_object *ret)
{
	const struct bridge *bridge = pipeline_bridge(vswitch_pipeline(d->vs), port->bridge);
	struct port_status status = {0};

	vswitch_port_status(d->vs, port->name, &status);
	json_add_text(ret, "name", port->name);
	json_add_text(ret, "bridge", bridge ? bridge->name : "");
	json_add_bool(ret, "up", status.phase == PORT_UP);
	json_add_number(ret, "rx_frames", status.counters.rx_frames);
	json_add_number(ret, "rx_bytes", status.counters.rx_bytes);
	json_add_number(ret, "tx_frames", status.counters.tx_frames);
	json_add_number(ret, "tx_bytes", status.counters.tx_bytes);
	json_add_number(ret, "emc_hits", status.counters.emc_hits);
	json_add_number(ret, "megaflow_hits", status.counters.mega_hits);
	json_add_number(ret, "upcalls", status.counters.upcalls);
	json_add_number(ret, "checksums_completed", status.counters.csum_done);
	json_add_number(ret, "dropped", sum(status.counters.drops));
	describe_told(&status.counters, ret);
}

void stats_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	const struct pipeline *pl = vswitch_pipeline(d->vs);
	struct json_object *result = json_object_new_object(), *ports, *dropped;
	struct switch_counters counters;
	const struct port *port;

	json_add_number(result, "time_ns", vswitch_now_ns(d->vs));
	ports = json_add_array(result, "ports");
	for (uint16_t id = 0; (port = pipeline_next_port(pl, id)); id = port->id)
		describe_port(d, port, json_append_object(ports));
	vswitch_counters(d->vs, &counters);
	json_add_number(result, "fast_path_frames", counters.fast_path_frames);
	json_add_number(result, "slow_path_frames", counters.slow_path_frames);
	dropped = json_add_object(result, "dropped");
	for (int reason = SW_DROP_NONE + 1; reason < SW_N_DROPS; reason++)
		json_add_number(dropped, reasons[reason].word, counters.drops[reason]);
	json_add_number(result, "flows", counters.n_flows);
	json_add_number(result, "flow_limit", counters.flow_limit);
	json_add_number(result, "masks", counters.n_masks);
	json_add_number(result, "addresses", counters.n_fdb);
	reply_result(reply, result);
}

struct listing {
	const struct pipeline *pl;
	struct json_object *drops;
	uint64_t total;
};

static void list_drop(void *ctx, uint16_t port_id, enum sw_drop reason, uint64_t n)
{
	struct listing *listing = ctx;
	const struct port *port = pipeline_port(listing->pl, port_id);
	struct json_object *entry;

	if (reason <= SW_DROP_NONE || reason >= SW_N_DROPS || !n)
		return;
	entry = json_append_object(listing->drops);
	json_add_text(entry, "port", port ? port->name : "");
	json_add_text(entry, "reason", reasons[reason].word);
	json_add_number(entry, "frames", n);
	json_add_text(entry, "meaning", reasons[reason].sentence);
	listing->total += n;
}

void drops_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	struct json_object *result = json_object_new_object();
	struct listing listing = {.pl = vswitch_pipeline(d->vs), .drops = json_add_array(result, "drops")};

	vswitch_each_drop(d->vs, list_drop, &listing);
	json_add_number(result, "total", listing.total);
	reply_result(reply, result);
}
