/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * tell.h - the TELL step: a copy of the frame for the daemon, while the frame itself goes its way.
 *
 * What: a rule that sends frames to ports and to the controller has its frames forwarded here. The daemon gets a copy
 * of each through a ring buffer, as it came, asks translate() what controllers are to hear of it, and does what stands
 * before that in the rules to the copy.
 *
 * Why the whole frame, and not a controller's max_len bytes of it: who is told a part may ask for the rest by a
 * buffer's number (OF 1.3.5 section 7.4.1), and what a rule rewrites before it tells lies behind any number of headers.
 *
 * When: after the last reason to send the frame up whole, in which case the daemon tells of it anyway, and behind its
 * meter; before its first byte is changed. So no frame is told of twice, and none that a meter has ended.
 *
 * What nobody gets but a controller goes up whole (a DROP behind a NORMAL): it has to be counted as a frame, and a copy
 * is none. Copies are not frames, and one that is lost is no drop (D1): tell_stats has them.
 *
 * Safe error: a copy that is lost, and counted. Unsafe: a frame that waits for, or is lost with, its copy.
 */
#ifndef SW_TELL_H
#define SW_TELL_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "frame.h"
#include "maps.h"
#include "metered.h"
#include "upcall.h"

/* Into a record with so much room, a constant and a power of two. 0: done. */
SW_INLINE int tell_in(struct xdp_md *ctx, const struct frame *frame, const __u32 room)
{
	struct sw_told *told = bpf_ringbuf_reserve(&tolds, sizeof(*told) + room, 0);

	if (!told)
		return -1;
	told->size = frame->size;
	told->in_port = frame->in_port;
	told->levels = frame->levels;
	told->zero = 0;
	if (bpf_xdp_load_bytes(ctx, 0, told->bytes, bounded_size(frame->size, room))) {
		bpf_ringbuf_discard(told, 0);
		return -1;
	}
	bpf_ringbuf_submit(told, 0);
	return 0;
}

SW_INLINE int tell_somewhere(struct xdp_md *ctx, const struct frame *frame)
{
#define X(room)                                                                                                        \
	if (frame->size <= room)                                                                                       \
		return tell_in(ctx, frame, room);
	SW_TELL_ROOMS(X)
#undef X
	return -1;
}

/* Of the frame in the CPU's scratch. Global: verified once, not on each way that leads here. */
__attribute__((noinline)) int tell(struct xdp_md *ctx)
{
	const struct sw_port *port = port_get(ctx->ingress_ifindex);
	struct sw_scratch *s = scratch_get();
	struct sw_tell_stats *stats;
	__u32 index;

	if (!port || !s || core.config.is_trial)
		return 0;
	index = s->frame.cpu * SW_MAX_PORTS + s->frame.in_port % SW_MAX_PORTS;
	stats = bpf_map_lookup_elem(&tell_stats, &index);
	if (!stats)
		return 0;
	if (!upcall_allowed(port, 1))
		stats->limited++;
	else if (tell_somewhere(ctx, &s->frame))
		stats->full++;
	else
		stats->told++;
	return 0;
}

/* The number of the first step behind METER and TELL. */
SW_INLINE __u32 tell_first(const struct frame *frame)
{
	return (frame->meter ? 1 : 0) + (frame->is_told ? 1 : 0);
}

/* What stands in front of all that is done to a frame: its meter, and telling. Not 0: it ends there, and is counted. */
SW_INLINE int tell_ends(struct xdp_md *ctx, struct frame *frame)
{
	if (metered_away(frame))
		return 1;
	if (frame->is_told)
		tell(ctx);
	return 0;
}

#endif
