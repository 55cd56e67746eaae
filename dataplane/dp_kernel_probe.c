/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program is run on the frame by BPF_PROG_TEST_RUN, in a second instance: the same object, verified again, with the
 * live flows, hints, ports and sets, a copy of configuration, addresses and meters, and with counters of its own. So
 * the users' counters, the marks of what was used and the upcall limits are not disturbed, what is counted there is
 * this one frame's, and the fast path pays nothing for it. Verifying it takes a third of a second, so it is kept for a
 * while.
 */
#include "dataplane/dp_kernel.h"

#include "dataplane/reactor.h"
#include "switch.skel.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdlib.h>
#include <string.h>

#define TWIN_KEPT_MS 30000

static const char *verdict_name(uint32_t verdict)
{
	static const char *const names[] = {
		[XDP_ABORTED] = "aborted",
		[XDP_DROP] = "drop",
		[XDP_PASS] = "pass",
		[XDP_TX] = "tx",
		[XDP_REDIRECT] = "redirect",
	};

	return verdict < sizeof(names) / sizeof(names[0]) ? names[verdict] : "unknown";
}

static bool is_own(const struct switch_bpf *twin, const struct bpf_map *map)
{
	return bpf_map__is_internal(map) || map == twin->maps.scratch || map == twin->maps.rows ||
	       map == twin->maps.drops || map == twin->maps.miss_buckets || map == twin->maps.meters ||
	       map == twin->maps.band_stats || map == twin->maps.stopped || map == twin->maps.fork_stats;
}

static int resize(struct bpf_map *map, const struct bpf_map *like)
{
	int error = bpf_map__set_max_entries(map, bpf_map__max_entries(like));

	if (error || bpf_map__is_internal(map))
		return error;
	return bpf_map__set_value_size(map, bpf_map__value_size(like));
}

static int share_maps(const struct dpk *k, struct switch_bpf *twin)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, twin->obj)
	{
		const struct bpf_map *live = bpf_object__find_map_by_name(k->skel->obj, bpf_map__name(map));
		int error;

		if (is_own(twin, map))
			error = resize(map, live);
		else
			error = bpf_map__reuse_fd(map, bpf_map__fd(live));
		if (error)
			return error;
	}
	return 0;
}

static int make_twin(struct dpk *k)
{
	struct switch_bpf *twin = switch_bpf__open();
	struct bpf_program *program;
	int error;

	if (!twin)
		return -errno;
	bpf_object__for_each_program(program, twin->obj)
		bpf_program__set_autoload(program, program == twin->progs.sw_ingress);
	*twin->rodata = *k->skel->rodata;
	error = share_maps(k, twin);
	if (!error)
		error = switch_bpf__load(twin);
	if (error) {
		switch_bpf__destroy(twin);
		return error;
	}
	k->twin = twin;
	return 0;
}

static void twin_expired(void *arg)
{
	struct dpk *k = arg;

	if (k->twin)
		switch_bpf__destroy(k->twin);
	k->twin = NULL;
}

void dpk_probe_close(struct dpk *k)
{
	twin_expired(k);
	if (k->twin_timer)
		k->reactor->timer_free(k->reactor->ctx, k->twin_timer);
}

/* There is a twin, for a while from now on. */
static int want_twin(struct dpk *k)
{
	int error = k->twin ? 0 : make_twin(k);

	if (!k->twin_timer)
		k->twin_timer = k->reactor->timer(k->reactor->ctx, twin_expired, k);
	if (!error && k->twin_timer)
		k->reactor->arm(k->reactor->ctx, k->twin_timer, TWIN_KEPT_MS);
	return error;
}

/* Which reason was counted, by whichever CPU it ran on; the count is taken back. */
static enum sw_drop find_drop(const struct switch_bpf *twin)
{
	uint64_t *drops = dpk_map_memory(twin->maps.drops);
	size_t n = bpf_map__max_entries(twin->maps.drops);
	enum sw_drop reason = SW_DROP_NONE;

	for (size_t i = 0; drops && i < n && !reason; i++) {
		if (drops[i])
			reason = i % SW_DROP_SLOTS;
		drops[i] = 0;
	}
	dpk_unmap(twin->maps.drops, drops);
	return reason;
}

/* Which port of this row was given the frame, or that the daemon was; the counts are taken back. */
static void find_way(struct sw_row *row, struct dp_probe *ret)
{
	for (uint16_t port = 0; port < SW_MAX_PORTS; port++) {
		struct sw_port_stats *stats = &row->ports[port];

		if (!stats->rx_frames && !stats->tx_frames && !stats->upcalls)
			continue;
		if (stats->tx_frames)
			ret->out_port = port;
		if (stats->upcalls)
			ret->went_up = true;
		*stats = (struct sw_port_stats){0};
	}
}

/* Which flow was counted here; the count is taken back. */
static void find_slot(struct sw_flow_stats *stats, uint32_t n_flows, struct dp_probe *ret)
{
	for (uint32_t slot = 0; slot < n_flows && !ret->cached; slot++) {
		if (!stats[slot].packets)
			continue;
		ret->cached = true;
		ret->slot = slot;
		stats[slot] = (struct sw_flow_stats){0};
	}
}

/* What was counted, by whichever CPU it ran on. It keeps no credit: the next frame finds the meters as they are then.
 */
static void find_counts(const struct switch_bpf *twin, uint32_t n_flows, struct dp_probe *ret)
{
	struct sw_flow_stats *stopped = dpk_map_memory(twin->maps.stopped);
	uint8_t *rows = dpk_map_memory(twin->maps.rows);

	for (uint32_t i = 0; rows && i < bpf_map__max_entries(twin->maps.rows); i++) {
		struct sw_row *row = (struct sw_row *)(rows + i * dp_row_size(n_flows));

		find_way(row, ret);
		find_slot((struct sw_flow_stats *)(row + 1), n_flows, ret);
		memset(row->credits, 0, sizeof(row->credits));
	}
	if (stopped)
		find_slot(stopped, n_flows, ret);
	dpk_unmap(twin->maps.stopped, stopped);
	dpk_unmap(twin->maps.rows, rows);
}

/* Their states too: a frame that is asked about takes nothing from anybody. */
static bool copy_meters(const struct dpk *k, const struct switch_bpf *twin)
{
	struct sw_meter *meters = dpk_map_memory(twin->maps.meters);

	if (meters)
		memcpy(meters, k->dp.memory.meters, dpk_map_bytes(twin->maps.meters));
	dpk_unmap(twin->maps.meters, meters);
	return meters;
}

/* What stands before the frame is no part of it, but a mark is worth telling. */
static void take_metadata(const struct switch_bpf *twin, uint8_t *bytes, uint32_t meta_size, struct dp_probe *ret)
{
	struct sw_mark mark;

	memcpy(&mark, bytes, meta_size < sizeof(mark) ? meta_size : sizeof(mark));
	if (meta_size == sizeof(mark) && mark.magic == SW_MARK_MAGIC(twin->bss->core.config.seed)) {
		ret->copied = mark.copies != SW_MARK_FLOOD;
		ret->copies = mark.copies;
	}
	ret->size -= meta_size;
	memcpy(ret->frame, bytes + meta_size, ret->size < sizeof(ret->frame) ? ret->size : sizeof(ret->frame));
}

static int run(struct switch_bpf *twin, uint32_t ifindex, const void *frame, uint32_t size, struct dp_probe *ret)
{
	struct xdp_md ctx = {.data_end = size, .ingress_ifindex = ifindex}, ctx_out = {0};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = size, .ctx_in = &ctx,
		.ctx_size_in = sizeof(ctx), .ctx_out = &ctx_out, .ctx_size_out = sizeof(ctx_out));

	options.data_size_out = size + 256;
	options.data_out = malloc(options.data_size_out);
	if (!options.data_out)
		return -ENOMEM;
	if (bpf_prog_test_run_opts(bpf_program__fd(twin->progs.sw_ingress), &options)) {
		free(options.data_out);
		return -errno;
	}
	ret->verdict = verdict_name(options.retval);
	ret->size = options.data_size_out;
	take_metadata(twin, options.data_out, ctx_out.data, ret);
	free(options.data_out);
	return 0;
}

int dpk_probe(struct datapath *dp, uint32_t ifindex, const void *frame, uint32_t size, struct dp_probe *ret)
{
	struct dpk *k = dpk_of(dp);
	int error = want_twin(k);

	if (error)
		return error;
	if (!copy_meters(k, k->twin))
		return -ENOMEM;
	k->twin->bss->core = k->skel->bss->core;
	k->twin->bss->core.config.epoch = 0; /* it has notes of its own, which nobody wipes */
	k->twin->bss->core.config.is_trial = 1;
	memset(ret, 0, sizeof(*ret));
	error = run(k->twin, ifindex, frame, size, ret);
	if (error)
		return error;
	ret->drop = find_drop(k->twin);
	find_counts(k->twin, k->dp.memory.config->n_flows, ret);
	return 0;
}
