/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * upcall_tc.h - an skb's way up, as a copy through ring `ups`; see upcall.h.
 *
 * tc cannot redirect to an AF_XDP socket. A veth of our own whose other end can (as first thought of) would be a device
 * that somebody may touch, and parts what is GSO before it asks: here the daemon does (dataplane/segment.h), and what
 * goes up is one record. docs/decisions/0027 has the rest.
 *
 * Every port has a share of the ring (SW_UP_SHARE), as at XDP it has a socket of its own: one whose frames fill theirs
 * keeps no other from being heard.
 *
 * The ring outlives the daemon, but nobody reads it then. So the port's socket in map `xsks` is looked at, which the
 * kernel takes away with the process: without it no daemon listens.
 *
 * Safe error: a frame that is lost, and counted. Unsafe error: one that goes on, and up as well.
 */
#ifndef SW_UPCALL_TC_H
#define SW_UPCALL_TC_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "frame.h"
#include "maps.h"

SW_INLINE __u32 upcall_limit(hook_ctx *ctx, const struct sw_config *cfg)
{
	return SW_UP_MAX;
}

/* Into a record with so much room, a constant and a power of two. 0: done. */
SW_INLINE int upcall_put(hook_ctx *ctx, const struct frame *frame, enum sw_upcall reason, const __u32 room)
{
	struct sw_up *up = bpf_ringbuf_reserve(&ups, sizeof(*up) + room, 0);

	if (!up)
		return -1;
	up->size = frame->size;
	up->in_port = frame->in_port;
	up->reason = reason;
	up->zero = 0;
	up->slot = reason == SW_UPCALL_ACTION ? frame->slot : 0;
	up->gso_size = frame_gso_size(ctx);
	up->gso_type = frame_gso_type(ctx);
	up->zero2 = 0;
	up->ifindex = ctx->ingress_ifindex;
	if (frame_copy(ctx, up->bytes, bounded_size(frame->size, room))) {
		bpf_ringbuf_discard(up, 0);
		return -1;
	}
	bpf_ringbuf_submit(up, 0);
	return 0;
}

/* What the port has in the ring; null: there is no such port. */
SW_INLINE __u32 *upcall_held(__u32 port_id)
{
	__u32 zero = 0, *held = bpf_map_lookup_elem(&ups_held, &zero);

	return held ? held + (port_id & (SW_MAX_PORTS - 1)) : 0;
}

/* A function of its own: verified once, not on each way that leads here. The frame is the one in the scratch. */
__attribute__((noinline)) int upcall_copy(hook_ctx *ctx, __u32 reason)
{
	struct sw_scratch *s = scratch_get();

	if (!s)
		return -1;
#define X(room)                                                                                                        \
	if (s->frame.size <= room)                                                                                     \
		return upcall_put(ctx, &s->frame, reason, room);
	SW_TELL_ROOMS(X)
#undef X
	return -1;
}

SW_INLINE int upcall_send(hook_ctx *ctx, struct frame *frame, const struct sw_port *port, enum sw_upcall reason)
{
	struct sw_port_stats *stats = port_stats_get(frame->cpu, port->id);
	__u32 socket = port->xsk_base, size, *held;

	if (!port->n_queues || !bpf_map_lookup_elem(&xsks, &socket))
		return frame_drop(frame, port->id, SW_DROP_NO_DAEMON);
	held = upcall_held(port->id);
	if (!held || sw_read(*held) + frame->size > SW_UP_SHARE)
		return frame_drop(frame, port->id, SW_DROP_UPCALL_FULL);
	size = frame->size;
	__sync_fetch_and_add(held, size);
	if (upcall_copy(ctx, reason)) {
		__sync_fetch_and_add(held, -size);
		return frame_drop(frame, port->id, SW_DROP_UPCALL_FULL);
	}
	if (stats)
		stats->upcalls++;
	return VERDICT_TAKEN;
}

#endif
