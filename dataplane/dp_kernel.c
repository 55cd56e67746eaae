/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/dp_kernel.h"

#include "dataplane/complaint.h"
#include "dataplane/counters.h"
#include "dataplane/epoch.h"
#include "dataplane/grace.h"
#include "dataplane/log.h"
#include "dataplane/reactor.h"
#include "dataplane/xsk.h"
#include "switch.skel.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#define DEFAULT_FRAMES 16384

/* ---- memory ---- */

static bool map_memory(struct dpk *k)
{
	struct dp_memory *m = &k->dp.memory;

	m->config = &k->skel->bss->core.config;
	m->flows = dpk_map_memory(k->skel->maps.flows);
	m->buckets = dpk_map_memory(k->skel->maps.buckets);
	m->sieves = dpk_map_memory(k->skel->maps.sieves);
	m->rows = dpk_map_memory(k->skel->maps.rows);
	m->drops = dpk_map_memory(k->skel->maps.drops);
	m->lookup_stats = dpk_map_memory(k->skel->maps.lookup_stats);
	m->registry = dpk_map_memory(k->skel->maps.registry);
	m->fdb = k->skel->bss->core.fdb;
	m->fdb_times = dpk_map_memory(k->skel->maps.fdb_times);
	m->rewrites = dpk_map_memory(k->skel->maps.rewrites);
	m->copies = dpk_map_memory(k->skel->maps.copies);
	m->tell_stats = dpk_map_memory(k->skel->maps.tell_stats);
	m->mirrors = dpk_map_memory(k->skel->maps.mirrors);
	m->mirror_stats = dpk_map_memory(k->skel->maps.mirror_stats);
	m->meters = dpk_map_memory(k->skel->maps.meters);
	m->band_stats = dpk_map_memory(k->skel->maps.band_stats);
	m->stopped = dpk_map_memory(k->skel->maps.stopped);
	m->forks = dpk_map_memory(k->skel->maps.forks);
	m->fork_slots = dpk_map_memory(k->skel->maps.fork_slots);
	m->fork_stats = dpk_map_memory(k->skel->maps.fork_stats);
	return m->flows && m->buckets && m->sieves && m->rows && m->drops && m->lookup_stats && m->registry &&
	       m->fdb_times && m->rewrites && m->copies && m->meters && m->band_stats && m->stopped && m->forks &&
	       m->fork_slots && m->fork_stats && m->tell_stats && m->mirrors && m->mirror_stats;
}

static void unmap_memory(struct dpk *k)
{
	struct dp_memory *m = &k->dp.memory;

	dpk_unmap(k->skel->maps.flows, m->flows);
	dpk_unmap(k->skel->maps.buckets, m->buckets);
	dpk_unmap(k->skel->maps.sieves, m->sieves);
	dpk_unmap(k->skel->maps.rows, m->rows);
	dpk_unmap(k->skel->maps.drops, m->drops);
	dpk_unmap(k->skel->maps.lookup_stats, m->lookup_stats);
	dpk_unmap(k->skel->maps.registry, m->registry);
	dpk_unmap(k->skel->maps.fdb_times, m->fdb_times);
	dpk_unmap(k->skel->maps.rewrites, m->rewrites);
	dpk_unmap(k->skel->maps.meters, m->meters);
	dpk_unmap(k->skel->maps.band_stats, m->band_stats);
	dpk_unmap(k->skel->maps.stopped, m->stopped);
	dpk_unmap(k->skel->maps.forks, m->forks);
	dpk_unmap(k->skel->maps.fork_slots, m->fork_slots);
	dpk_unmap(k->skel->maps.fork_stats, m->fork_stats);
	dpk_unmap(k->skel->maps.copies, m->copies);
	dpk_unmap(k->skel->maps.tell_stats, m->tell_stats);
	dpk_unmap(k->skel->maps.mirrors, m->mirrors);
	dpk_unmap(k->skel->maps.mirror_stats, m->mirror_stats);
}

/* The registry's version last: without it nobody adopts what is only half there. */
static int init_config(struct dpk *k)
{
	struct sw_config *config = k->dp.memory.config;

	if (getrandom(&config->seed, sizeof(config->seed), 0) != sizeof(config->seed))
		return -errno;
	config->abi_version = SW_ABI_VERSION;
	config->n_rows = libbpf_num_possible_cpus() + 1;
	config->n_flows = bpf_map__max_entries(k->skel->maps.flows);
	config->n_buckets = bpf_map__max_entries(k->skel->maps.buckets);
	config->depth = SW_L2_WORDS;
	config->epoch = epoch_first();
	k->dp.memory.flows[0].gen = 1; /* dead: a hint that was never written names slot 0 at generation 0 */
	config->netns_inum = dpk_netns_inum();
	__atomic_store_n(&k->dp.memory.registry->abi_version, SW_ABI_VERSION, __ATOMIC_RELEASE);
	return 0;
}

/* ---- operations ---- */

static void grace(struct datapath *dp)
{
	struct dpk *k = dpk_of(dp);

	k->grace_wanted = true;
	grace_begin(k->grace);
}

/* The map is our own: only the waiting counts. */
static void sit_out_grace(struct dpk *k)
{
	uint32_t zero = 0, fd = k->grace_inner_fd;

	if (bpf_map_update_elem(k->grace_map_fd, &zero, &fd, BPF_ANY))
		log_error("waiting for a grace period failed: %s", strerror(errno));
}

/* On the grace thread. */
static void wait_for_grace(void *ctx)
{
	struct dpk *k = ctx;

	dpk_sets_stock(k);
	sit_out_grace(k);
}

static void grace_over(void *ctx)
{
	struct dpk *k = ctx;

	dpk_cpus_settle(k);
	if (!k->grace_wanted)
		return;
	k->grace_wanted = false;
	k->events.grace_ended(k->events.ctx);
}

/* Of both ways up each has half of the batch at least: frames at one hook keep none at the other from being heard. */
static uint32_t rx(struct datapath *dp, struct dp_frame *frames, uint32_t n)
{
	struct dpk *k = dpk_of(dp);
	uint32_t got = dpk_ups_rx(k, frames, n / 2);

	got += xsks_rx(k->xsks, frames + got, n - got);
	return got + dpk_ups_rx(k, frames + got, n - got);
}

static int tx(struct datapath *dp, uint16_t port, struct dp_frame *frame)
{
	return xsks_tx(dpk_of(dp)->xsks, port, frame);
}

static int tx_copy(struct datapath *dp, uint16_t port, const void *data, uint32_t size)
{
	return xsks_tx_copy(dpk_of(dp)->xsks, port, data, size);
}

static void release(struct datapath *dp, struct dp_frame *frame)
{
	xsks_release(dpk_of(dp)->xsks, frame);
}

static void flush(struct datapath *dp)
{
	xsks_flush(dpk_of(dp)->xsks);
}

/* ---- life ---- */

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

/* Closes what is ours; what is pinned stays, and goes on forwarding (R1). */
static void destroy_parts(struct dpk *k)
{
	grace_destroy(k->grace);
	xsks_destroy(k->xsks);
	dpk_probe_close(k);
	dpk_told_close(k);
	dpk_ups_close(k);
	if (k->orphan_timer)
		k->reactor->timer_free(k->reactor->ctx, k->orphan_timer);
	for (int id = 0; id < SW_MAX_PORTS; id++)
		close_fd(k->ports[id].link_fd);
	for (int i = 0; i < 4; i++)
		close_fd(k->lost_fds[i]);
	close_fd(k->grace_map_fd);
	close_fd(k->grace_inner_fd);
	close_fd(k->ingress_fd);
	close_fd(k->egress_fd);
	close_fd(k->egress_one_fd);
	close_fd(k->spread_fd);
	close_fd(k->collector_fd);
	close_fd(k->worker_fd);
	close_fd(k->tc_fd);
	if (k->skel) {
		dpk_sets_close(k);
		unmap_memory(k);
		switch_bpf__destroy(k->skel);
	}
	free(k);
}

static void destroy(struct datapath *dp, bool forget)
{
	struct dpk *k = dpk_of(dp);

	if (forget) {
		for (uint16_t id = 1; id < SW_MAX_PORTS; id++)
			dpk_port_remove(dp, id);
		dpk_orphans_detach(k);
		dpk_pins_forget(k);
	}
	destroy_parts(k);
}

static const struct datapath_ops ops = {
	.destroy = destroy,
	.port_put = dpk_port_put,
	.port_remove = dpk_port_remove,
	.owns = dpk_owns,
	.attach = dpk_attach,
	.set_put = dpk_set_put,
	.set_ready = dpk_set_ready,
	.set_change = dpk_set_change,
	.set_remove = dpk_set_remove,
	.follow = dpk_follow,
	.followed = dpk_followed,
	.way = dpk_way,
	.grace = grace,
	.rx = rx,
	.told = dpk_told,
	.tx = tx,
	.tx_copy = tx_copy,
	.release = release,
	.flush = flush,
	.probe = dpk_probe,
	.spreads_skbs = dpk_spreads_skbs,
	.describe = dpk_describe,
};

static int load(struct dpk *k, const struct dp_kernel_options *options, struct complaint *c)
{
	int error;

	k->skel = switch_bpf__open();
	if (!k->skel)
		return complain(c, -errno, "the BPF object cannot be opened: %s", strerror(errno));
	error = dpk_pins_adopt(k, options->n_flows, c);
	if (error < 0)
		return error;
	k->dp.adopted = error;
	error = dpk_afford(k, options, c);
	if (error)
		return error;
	dpk_hush();
	error = switch_bpf__load(k->skel);
	if (error)
		return complain(
			c, error, "the kernel does not accept the BPF program: %s (%s)", strerror(-error), dpk_heard());
	if (!map_memory(k))
		return complain(c, -errno, "the maps cannot be mapped: %s", strerror(errno));
	return 0;
}

static int take_program(struct dpk *k, struct bpf_program *program, const char *name, int *ret_fd, uint32_t *ret_id,
	struct complaint *c)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);
	int fd = dpk_pins_program(k, program, name, c);

	if (fd < 0)
		return fd;
	*ret_fd = fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return complain(c, -errno, "the program cannot be read back: %s", strerror(errno));
	*ret_id = info.id;
	return 0;
}

static int take_programs(struct dpk *k, struct complaint *c)
{
	const struct switch_bpf *skel = k->skel;
	int error;

	error = take_program(k, skel->progs.sw_ingress, "prog-ingress", &k->ingress_fd, &k->ingress_id, c);
	if (!error)
		error = take_program(k, skel->progs.sw_egress, "prog-egress", &k->egress_fd, &k->egress_id, c);
	if (!error)
		error = take_program(
			k, skel->progs.sw_egress_one, "prog-egress-one", &k->egress_one_fd, &k->egress_one_id, c);
	if (!error)
		error = take_program(k, skel->progs.sw_spread, "prog-spread", &k->spread_fd, &k->spread_id, c);
	if (!error)
		error = take_program(
			k, skel->progs.sw_collector, "prog-collector", &k->collector_fd, &k->collector_id, c);
	return error;
}

static int start_grace(struct dpk *k, struct complaint *c)
{
	const struct grace_calls calls = {.ctx = k, .wait = wait_for_grace, .ended = grace_over};
	LIBBPF_OPTS(bpf_map_create_opts, options);
	int error;

	k->grace_inner_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "sw_grace_inner", 4, 4, 1, NULL);
	options.inner_map_fd = k->grace_inner_fd;
	if (k->grace_inner_fd >= 0)
		k->grace_map_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "sw_grace", 4, 4, 1, &options);
	if (k->grace_inner_fd < 0 || k->grace_map_fd < 0)
		return complain(c, -errno, "no map for grace periods: %s", strerror(errno));
	error = grace_create(k->reactor, &calls, &k->grace);
	return error ? complain(c, error, "no thread for grace periods: %s", strerror(-error)) : 0;
}

static int start_sockets(struct dpk *k, uint32_t n_frames, struct complaint *c)
{
	const struct xsks_options options = {
		.n_frames = n_frames,
		.xskmap_fd = bpf_map__fd(k->skel->maps.xsks),
		.reactor = k->reactor,
		.events = &k->events,
		.memory = &k->dp.memory,
	};
	int error = xsks_create(&options, &k->xsks, c);

	if (error)
		return error;
	k->dp.memory.config->upcall_max = xsks_max_frame(k->xsks);
	k->dp.memory.config->upcall_max_frags = xsks_take_frags(k->xsks) ? xsks_max_frame(k->xsks) : 0;
	return 0;
}

static int build(struct dpk *k, const struct dp_kernel_options *options, struct complaint *c)
{
	int error = load(k, options, c);

	if (!error)
		error = dpk_sets_init(k) ? complain(c, -ENOMEM, "map set_info cannot be mapped") : 0;
	if (!error)
		error = start_sockets(k, options->n_frames, c);
	if (!error && !k->dp.adopted)
		error = init_config(k) ? complain(c, -EIO, "no random number for the hash") : dpk_pins_put_maps(k, c);
	if (!error)
		error = dpk_cpus_init(k) ? complain(c, -EIO, "the maps of CPUs cannot be read back") : 0;
	if (!error)
		error = take_programs(k, c);
	if (!error)
		error = dpk_told_open(k, c);
	if (!error)
		error = dpk_ups_open(k, c);
	if (!error)
		error = dpk_attach_lost(k, c);
	if (!error)
		error = start_grace(k, c);
	if (error)
		return error;
	if (k->dp.adopted) {
		xsks_disown(k->xsks);
		sit_out_grace(k); /* what the last daemon cleared in its last moment is free now (fdb_create) */
		dpk_ups_bury(k);
		counters_bury(&k->dp.memory);
		dpk_ports_adopt(k);
		dpk_cpus_adopt(k);
		dpk_sets_adopt(k);
	}
	dpk_orphans_watch(k);
	grace_begin(k->grace); /* stocks up on sets */
	return 0;
}

static struct dpk *blank(void)
{
	struct dpk *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->dp.ops = &ops;
	k->grace_map_fd = k->grace_inner_fd = k->ingress_fd = k->egress_fd = k->egress_one_fd = -1;
	k->spread_fd = k->collector_fd = k->worker_fd = k->tc_fd = -1;
	for (int id = 0; id < SW_MAX_PORTS; id++)
		k->ports[id].link_fd = -1;
	for (int i = 0; i < 4; i++)
		k->lost_fds[i] = -1;
	return k;
}

/* A port takes a descriptor for its link and one for each queue: with the usual 1024 a switch would have 500 ports. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		log_warn("the limit of open descriptors cannot be raised: %s", strerror(errno));
}

int dp_kernel_create(const struct dp_kernel_options *wishes, const struct reactor *reactor,
	const struct dp_events *events, struct datapath **ret, struct complaint *c)
{
	struct dp_kernel_options with_defaults = *wishes;
	const struct dp_kernel_options *options = &with_defaults;
	struct dpk *k;
	int error;

	if (!with_defaults.n_flows)
		with_defaults.n_flows = SW_DEFAULT_FLOWS;
	if (!with_defaults.n_frames)
		with_defaults.n_frames = DEFAULT_FRAMES;
	dpk_listen();
	raise_descriptor_limit();
	error = dpk_pins_prepare(options->bpffs_dir, c);
	if (error)
		return error;
	k = blank();
	if (!k)
		return complain(c, -ENOMEM, "out of memory");
	snprintf(k->dir, sizeof(k->dir), "%s", options->bpffs_dir);
	k->reactor = reactor;
	k->events = *events;
	error = build(k, options, c);
	if (error) {
		destroy_parts(k);
		rmdir(options->bpffs_dir); /* unless something is pinned there */
		return error;
	}
	log_info("datapath: %s %s", k->dp.adopted ? "took over what is pinned in" : "new, pinned in", k->dir);
	*ret = &k->dp;
	return 0;
}
