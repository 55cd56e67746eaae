/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* upcall_xdp.h - a frame's way up through its port's AF_XDP socket, with metadata in front; see upcall.h. */
#ifndef SW_UPCALL_XDP_H
#define SW_UPCALL_XDP_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "frame.h"
#include "maps.h"
#include "mark.h"

SW_INLINE __u32 upcall_limit(hook_ctx *ctx, const struct sw_config *cfg)
{
	return frame_is_split(ctx) ? cfg->upcall_max_frags : cfg->upcall_max;
}

/*
 * Not every driver has room for metadata; 0: the daemon has to do without. The frame may bear a mark,
 * for a broadcast that came to nothing, or of a switch behind the port.
 */
SW_INLINE int upcall_describe(hook_ctx *ctx, const struct frame *frame, enum sw_upcall reason)
{
	struct sw_meta *meta;

	if (mark_clear(ctx) || bpf_xdp_adjust_meta(ctx, -(int)sizeof(*meta)))
		return 0;
	meta = (void *)(long)ctx->data_meta;
	if ((void *)(meta + 1) > frame_data(ctx))
		return 0;
	meta->magic = SW_META_MAGIC;
	meta->reason = reason;
	meta->in_port = frame->in_port;
	meta->slot = reason == SW_UPCALL_ACTION ? frame->slot : 0;
	return 1;
}

SW_INLINE void upcall_take_back(struct sw_flow_stats *stats, __u32 size)
{
	if (!stats)
		return;
	stats->packets--;
	stats->bytes -= size;
}

/*
 * The daemon counts what it takes for a miss, and so it takes a frame beside which nothing else is said: here the
 * flow's count of it is undone, and that of the branch which it took behind a fork. One of SW_UPCALL_ACTION the daemon
 * counts in any case. A harvest in between finds one too many, and the next one less than none, which is their sum's
 * business (modulo 2^64).
 */
SW_INLINE void upcall_uncount(struct frame *frame, enum sw_upcall reason)
{
	struct sw_row *row = row_get(frame->cpu);
	struct sw_flow_stats *flow;
	__u32 index;

	if (!row || reason == SW_UPCALL_MISS || reason == SW_UPCALL_ACTION)
		return;
	flow = row_flow_at(row, frame->slot * sizeof(*flow));
	if (!frame->uncounted)
		upcall_take_back(flow, frame->size);
	frame->uncounted = 0;
	index = frame->branch - 1;
	if (frame->branch)
		upcall_take_back(bpf_map_lookup_elem(&fork_stats, &index), frame->size);
}

/* bpf/spread.h says why. 0: it has no queue. */
SW_INLINE int upcall_collect(const struct sw_port *port)
{
	struct sw_scratch *s = scratch_get();

	if (!s)
		return 0;
	s->queued_port = port->id;
	return bpf_redirect_map(&collectors, port->collector, VERDICT_DROP) == VERDICT_SENT;
}

SW_INLINE int upcall_send(hook_ctx *ctx, struct frame *frame, const struct sw_port *port, enum sw_upcall reason)
{
	struct sw_port_stats *stats = port_stats_get(frame->cpu, port->id);
	__u32 n_queues = port->n_queues, queue;
	int is_described;

	if (!n_queues || port->flags & SW_PORT_TURNING)
		return frame_drop(frame, port->id, SW_DROP_NO_DAEMON);
	queue = ctx->rx_queue_index < n_queues ? ctx->rx_queue_index : ctx->rx_queue_index % n_queues;
	is_described = upcall_describe(ctx, frame, reason);
	if (bpf_redirect_map(&xsks, port->xsk_base + queue, VERDICT_DROP) != VERDICT_SENT)
		return frame_drop(frame, port->id, SW_DROP_NO_DAEMON);
	if (port->flags & SW_PORT_COLLECT && !upcall_collect(port))
		return frame_drop(frame, port->id, SW_DROP_NO_DAEMON);
	if (stats)
		stats->upcalls++;
	if (!is_described)
		upcall_uncount(frame, reason);
	return VERDICT_SENT;
}

#endif
