/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * spread.h - one port's frames, on several CPUs.
 *
 * What: a port that is to be spread has sw_spread attached instead of sw_ingress. That chooses a CPU of the port's list
 * by a hash of the frame's conversation (select.h) and puts the frame into that CPU's queue in map `workers`, a CPUMAP.
 *A thread of the kernel, bound to the CPU, takes it from there and runs sw_worker on it, which is sw_ingress in all but
 * its name. Other ports have sw_ingress as before and pay nothing.
 *
 *	NAPI of the port:  sw_spread --hash--> queue of CPU 2 --thread, sw_worker--> DEVMAP, sets, ...
 *	                             \-------> queue of CPU 3 --thread, sw_worker--> ...
 *	                                                          up: queue of the collector --sw_collector--> XSKMAP
 *
 * Why not more queues with threads of their own (threaded NAPI): docs/decisions/0018.
 *
 * Why what goes up takes one more queue: two CPUs may not write into one AF_XDP socket at once. A driver's NAPI has a
 * queue and its socket to itself, so the kernel takes no lock there (xsk_rcv()); and to a socket of another queue than
 *the frame's it gives nothing, while all frames out of a CPUMAP are of queue 0 (to Linux 6.18). So the frames of a port
 *go up by one thread only, that of its collector. A port that was spread once keeps its collector, also with another
 *list of CPUs or none: what is still on its way there must not meet what goes up directly.
 *
 * Invariants
 * M1 Frames of one conversation are handled by one CPU in the order in which they came, as long as the list stays.
 * M2 Into a socket writes one CPU at a time.
 *
 * What the program may rely on in such a thread is what it relies on in NAPI: bottom halves are off while it runs
 * (cpu_map_bpf_prog_run() holds rcu_read_lock_bh()), so nothing comes between on that CPU (N2 of recall.h), and what it
 * redirects is flushed before they are on again. ctx->ingress_ifindex is the device that the frame came in by, metadata
 * is still in front of it.
 */
#ifndef SW_SPREAD_H
#define SW_SPREAD_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "extract.h"
#include "frame.h"
#include "maps.h"
#include "select.h"

__attribute__((noinline)) int extract_to_scratch(struct xdp_md *ctx, __u32 frame_size, __u32 depth);

/* Of a frame that is not plain TCP or UDP, or whose headers lie in several buffers. */
static __attribute__((noinline)) __u64 spread_hash_any(struct xdp_md *ctx)
{
	struct sw_scratch *s = scratch_get();

	if (!s || extract_to_scratch(ctx, frame_size(ctx), SW_KEY_WORDS))
		return 0;
	return sw_select_hash(&s->key, config_get()->seed);
}

/* Seeded: nobody outside can send all that he sends to one CPU, and a select group behind chooses by another one. */
SW_INLINE __u64 spread_hash(struct xdp_md *ctx)
{
	const void *data = frame_data(ctx), *end = frame_end(ctx);
	__u32 size = frame_first_size(ctx);
	struct sw_headers headers = {};
	struct sw_key key = {};

	__asm__("" : "+r"(size)); /* else clang adds to the pointers that it is the difference of */
	sw_extract_link(data, end, ctx->ingress_ifindex, &key, &headers);
	if (sw_unlikely(!headers.l3 || !sw_extract_plain(data, end, size, &key, &headers)))
		return spread_hash_any(ctx);
	return sw_select_hash(&key, config_get()->seed);
}

SW_INLINE int spread_drop(__u32 port_id, enum sw_drop reason)
{
	drop_count(bpf_get_smp_processor_id(), port_id, reason, 1);
	return XDP_DROP;
}

SEC("xdp.frags")
int sw_spread(struct xdp_md *ctx)
{
	__u32 in_ifindex = ctx->ingress_ifindex;
	const struct sw_spread *spread = bpf_map_lookup_elem(&spreads, &in_ifindex);
	struct sw_scratch *s = scratch_get();
	__u32 choice;

	if (!spread || !s)
		return spread_drop(0, SW_DROP_NO_PORT);
	choice = (spread_hash(ctx) >> 32) * spread->n_cpus >> 32;
	s->queued_port = spread->port;
	if (bpf_redirect_map(&workers, spread->cpu[choice & (SW_MAX_SPREAD - 1)], XDP_DROP) != XDP_REDIRECT)
		return spread_drop(spread->port, SW_DROP_CPU_FULL);
	return XDP_REDIRECT;
}

/* What goes up of ports that are, or were, spread. It was counted as an upcall when it was put into this queue. */
SEC("xdp.frags/cpumap")
int sw_collector(struct xdp_md *ctx)
{
	const struct sw_port *port = port_get(ctx->ingress_ifindex);
	struct sw_port_stats *stats;
	__u32 queue = 0;

	if (!port)
		return spread_drop(0, SW_DROP_NO_PORT);
	if (port->n_queues)
		queue = ctx->rx_queue_index % port->n_queues;
	if (bpf_redirect_map(&xsks, port->xsk_base + queue, XDP_DROP) == XDP_REDIRECT)
		return XDP_REDIRECT;
	stats = port_stats_get(bpf_get_smp_processor_id(), port->id % SW_MAX_PORTS);
	if (stats)
		stats->upcalls--;
	return spread_drop(port->id, SW_DROP_NO_DAEMON);
}

#endif
