/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * upcall.h - a frame's way up to the daemon, and what becomes of it where there is none.
 *
 * A frame goes up as it came in, but for its checksum, which is finished. Misses pass a token bucket of their port, so
 * that one port's storm of new flows or addresses does not starve the others; frames that an installed flow sends up do
 * not, because for a port that can only be reached through its XSK they are the traffic. Copies of frames that go on
 * (tell.h) pass it, too, and leave half of what it holds to the misses.
 */
#ifndef SW_UPCALL_H
#define SW_UPCALL_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "csum.h"
#include "frame.h"
#include "maps.h"
#include "mark.h"

#define NS_PER_S        1000000000ULL
#define UPCALL_NEXT     (-1)
#define UPCALL_RATE_MAX 10000000ULL /* keeps the products below within 64 bits */

/*
 * Takes an upcall out of the port's bucket, half of which is not for copies; 0 if it is empty. CPUs race for it and may
 * both take the last one, or lose a refill: a limit that is off by a few is as good.
 */
SW_INLINE int upcall_allowed(const struct sw_port *port, int is_copy)
{
	__u64 now = bpf_ktime_get_coarse_ns(), rate = port->miss_rate, burst = port->miss_burst;
	struct sw_miss_bucket *bucket;
	__u32 id = port->id;
	__u64 tokens, elapsed;

	if (!rate)
		return 1;
	bucket = bpf_map_lookup_elem(&miss_buckets, &id);
	if (!bucket)
		return 0;
	if (rate > UPCALL_RATE_MAX)
		rate = UPCALL_RATE_MAX;
	if (burst > UPCALL_RATE_MAX)
		burst = UPCALL_RATE_MAX;
	elapsed = now - sw_read(bucket->last_ns);
	if (elapsed > NS_PER_S)
		elapsed = NS_PER_S;
	tokens = sw_read(bucket->tokens) + elapsed * rate;
	if (tokens > burst * NS_PER_S)
		tokens = burst * NS_PER_S;
	sw_write(bucket->last_ns, now);
	if (tokens < NS_PER_S * (is_copy ? 1 + burst / 2 : 1)) {
		sw_write(bucket->tokens, tokens);
		return 0;
	}
	sw_write(bucket->tokens, tokens - NS_PER_S);
	return 1;
}

/*
 * Not every driver has room for metadata; 0: the daemon has to do without. The frame may bear a mark,
 * for a broadcast that came to nothing, or of a switch behind the port.
 */
SW_INLINE int upcall_describe(struct xdp_md *ctx, const struct frame *frame, enum sw_upcall reason)
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
	return bpf_redirect_map(&collectors, port->collector, XDP_DROP) == XDP_REDIRECT;
}

SW_INLINE int upcall_redirect(
	struct xdp_md *ctx, struct frame *frame, const struct sw_port *port, enum sw_upcall reason)
{
	struct sw_port_stats *stats = port_stats_get(frame->cpu, port->id);
	__u32 n_queues = port->n_queues, queue;
	int is_described;

	if (!n_queues || port->flags & SW_PORT_TURNING)
		return frame_drop(frame, port->id, SW_DROP_NO_DAEMON);
	queue = ctx->rx_queue_index < n_queues ? ctx->rx_queue_index : ctx->rx_queue_index % n_queues;
	is_described = upcall_describe(ctx, frame, reason);
	if (bpf_redirect_map(&xsks, port->xsk_base + queue, XDP_DROP) != XDP_REDIRECT)
		return frame_drop(frame, port->id, SW_DROP_NO_DAEMON);
	if (port->flags & SW_PORT_COLLECT && !upcall_collect(port))
		return frame_drop(frame, port->id, SW_DROP_NO_DAEMON);
	if (stats)
		stats->upcalls++;
	if (!is_described)
		upcall_uncount(frame, reason);
	return XDP_REDIRECT;
}

/* A verdict, or UPCALL_NEXT: the frame may go up. */
SW_INLINE int upcall_admit(
	struct xdp_md *ctx, const struct frame *frame, const struct sw_port *port, enum sw_upcall reason)
{
	const struct sw_config *cfg = config_get();

	if (!cfg)
		return XDP_DROP;
	if (frame->size > (frame_is_split(ctx) ? cfg->upcall_max_frags : cfg->upcall_max))
		return frame_drop(frame, port->id, SW_DROP_UPCALL_TOO_BIG);
	if ((reason == SW_UPCALL_MISS || reason == SW_UPCALL_LEARN) && !upcall_allowed(port, 0))
		return frame_drop(frame, port->id, SW_DROP_MISS_LIMIT);
	return UPCALL_NEXT;
}

/* The frame's device is looked up anew: one that matched a flow has not needed its record yet. */
static __attribute__((noinline)) int upcall(struct xdp_md *ctx, struct frame *frame, enum sw_upcall reason)
{
	const struct sw_port *port = port_get(ctx->ingress_ifindex);
	int verdict;

	if (!port)
		return frame_drop(frame, 0, SW_DROP_NO_PORT);
	verdict = upcall_admit(ctx, frame, port, reason);
	return verdict == UPCALL_NEXT ? upcall_redirect(ctx, frame, port, reason) : verdict;
}

/* Of a frame that no flow matched. Where one did, its checksum is finished by now, if its port leaves any unfinished.
 */
SW_INLINE int upcall_miss(struct xdp_md *ctx, struct frame *frame, const struct sw_port *port)
{
	int verdict = upcall_admit(ctx, frame, port, SW_UPCALL_MISS);

	if (verdict != UPCALL_NEXT)
		return verdict;
	if (port->flags & SW_PORT_CSUM)
		csum_check(ctx, frame->size, port->id);
	return upcall_redirect(ctx, frame, port, SW_UPCALL_MISS);
}

#endif
