/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * tell.h - the TELL step: a copy of the frame for others, while the frame itself goes its way.
 *
 * What: for controllers. A rule that sends frames to ports and to the controller has its frames forwarded here. The
 * daemon gets a copy of each through a ring buffer, as it came, asks translate() what controllers are to hear of it,
 * and does what stands before that in the rules to the copy.
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
 * And for mirrors. Of what comes in by a port, or in a VLAN: as it came, what a meter or a rule drops among it. Where
 * the frame leaves by one port and unchanged, the kernel clones it: it is broadcast to a set of that port and the
 * mirror's. Else the daemon gets the copy, and sends it; so too where the meter will remark the frame, for that is done
 * when all else is, to the bytes that the clones would be made of.
 *
 * Of what leaves by a port (SW_TELL_OUT): as it leaves, so the copy is made when all is done to the frame, and where it
 * leaves by that port alone the kernel clones it, rewritten or not. Where it leaves by several, or there is more than
 * one mirror for it, the daemon gets it as it came, and works out who gets what (SW_TELL_ALL).
 *
 * Safe error: a copy that is lost, and counted. Unsafe: a frame that waits for, or is lost with, its copy.
 */
#ifndef SW_TELL_H
#define SW_TELL_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "copies.h"
#include "frame.h"
#include "maps.h"
#include "metered.h"
#include "out.h"
#include "upcall.h"

/* Into a record with so much room, a constant and a power of two. 0: done. */
SW_INLINE int tell_in(hook_ctx *ctx, const struct frame *frame, __u32 mirror, __u32 out_port, const __u32 room)
{
	struct sw_told *told = bpf_ringbuf_reserve(&tolds, sizeof(*told) + room, 0);

	if (!told)
		return -1;
	told->size = frame->size;
	told->in_port = frame->in_port;
	told->levels = frame->levels;
	told->mirror = mirror;
	told->out_port = out_port;
	told->gso_size = frame_gso_size(ctx);
	told->gso_type = frame_gso_type(ctx);
	if (frame_copy(ctx, told->bytes, bounded_size(frame->size, room))) {
		bpf_ringbuf_discard(told, 0);
		return -1;
	}
	bpf_ringbuf_submit(told, 0);
	return 0;
}

enum tell_fate { TELL_DONE, TELL_LIMITED, TELL_FULL };

/* Hands the daemon a copy of the frame in the CPU's scratch. Global: verified once, not on each way that leads here. */
__attribute__((noinline)) int tell(hook_ctx *ctx, __u32 mirror, __u32 out_port)
{
	const struct sw_port *port = port_get(ctx->ingress_ifindex);
	struct sw_scratch *s = scratch_get();

	if (!port || !s || !upcall_allowed(port, 1))
		return TELL_LIMITED;
#define X(room)                                                                                                        \
	if (s->frame.size <= room)                                                                                     \
		return tell_in(ctx, &s->frame, mirror, out_port, room) ? TELL_FULL : TELL_DONE;
	SW_TELL_ROOMS(X)
#undef X
	return TELL_FULL;
}

SW_INLINE void tell_controller(hook_ctx *ctx, const struct frame *frame)
{
	__u32 index = frame->cpu * SW_MAX_PORTS + frame->in_port % SW_MAX_PORTS;
	struct sw_tell_stats *stats = bpf_map_lookup_elem(&tell_stats, &index);
	int fate = tell(ctx, 0, 0);

	if (!stats)
		return;
	stats->told += fate == TELL_DONE;
	stats->limited += fate == TELL_LIMITED;
	stats->full += fate == TELL_FULL;
}

enum tell_when {
	TELL_BEFORE,  /* nothing has been done to the frame yet */
	TELL_ENDED,   /* nor will it: its meter has ended it */
	TELL_LEAVING, /* all has */
};

/*
 * The copy is asked of the kernel, with the frame, where that leaves by one port as it is and the daemon has made a set
 * of both ports; else the daemon gets it, who makes that set and sends the copy. A port whose device has vanished is in
 * no set any more: its frame is lost by its own way, where that has a name.
 */
SW_INLINE __u32 tell_mirror(hook_ctx *ctx, const struct frame *frame, __u32 id, __u32 out_port, __u32 is_all)
{
	__u32 index = frame->cpu * SW_MAX_MIRRORS + id, pair;
	struct sw_mirror *mirror = bpf_map_lookup_elem(&mirrors, &id);
	struct sw_mirror_stats *stats = bpf_map_lookup_elem(&mirror_stats, &index);
	int fate;

	if (out_port == frame->in_port) /* a broadcast does not go back */
		out_port = 0;
	if (!mirror || !stats)
		return 0;
	if (!is_all && (!mirror->port || (mirror->sample > 1 && bpf_get_prandom_u32() % mirror->sample)))
		return 0;
	pair = sw_read(mirror->pair[out_port & (SW_MAX_PORTS - 1)]);
	if (!is_all && out_port && pair && !frame->levels && out_is_there(out_port) &&
		copies_may_pair(ctx, frame, pair - 1)) {
		stats->sent++;
		return pair;
	}
	fate = tell(ctx, is_all ? SW_TOLD_MIRRORS : id, out_port);
	stats->handed += fate == TELL_DONE;
	stats->limited += fate == TELL_LIMITED;
	stats->full += fate == TELL_FULL;
	return 0;
}

/* Beside those whom `tells` names, whom `more` names, which is not for controllers. */
SW_INLINE __u32 tell_with(__u32 tells, __u32 more)
{
	__u32 id = tells & (SW_MAX_MIRRORS - 1);

	if (!id)
		return tells | more;
	if (tells & SW_TELL_ALL || (more & (SW_TELL_ALL | (SW_MAX_MIRRORS - 1))) == id)
		return tells; /* who has what came has had its copy */
	return tells | SW_TELL_ALL;
}

/* As sw_fdb_place.mirror says. */
SW_INLINE __u32 tell_out(__u32 mirror)
{
	return (mirror & (SW_MAX_MIRRORS - 1)) | (mirror & SW_FDB_MIRRORS ? SW_TELL_ALL : SW_TELL_OUT);
}

/*
 * Sees to all who are to get a copy of the frame in the scratch, which goes on as it is by this port, or else. Who gets
 * one of it as it leaves waits for that (act_leave()).
 */
__attribute__((noinline)) int tell_all(hook_ctx *ctx, __u32 when, __u32 out_port)
{
	struct sw_scratch *s = scratch_get();
	__u32 id, is_all;

	if (!s || core.config.is_trial)
		return 0;
	if (when == TELL_BEFORE && s->frame.tells & SW_TELL_CONTROLLER)
		tell_controller(ctx, &s->frame);
	id = s->frame.tells & (SW_MAX_MIRRORS - 1);
	is_all = s->frame.tells & SW_TELL_ALL;
	if (!id)
		return 0;
	if (s->frame.tells & SW_TELL_OUT && when != TELL_LEAVING) {
		s->frame.pair = when == TELL_BEFORE ? FRAME_PAIR_LATER : 0;
		return 0;
	}
	if (is_all)
		out_port = when == TELL_ENDED ? SW_TOLD_ENDED : 0;
	s->frame.pair = tell_mirror(ctx, &s->frame, id, out_port, is_all);
	return 0;
}

/* The number of the first step behind METER and TELL. */
SW_INLINE __u32 tell_first(const struct frame *frame)
{
	return (frame->meter ? 1 : 0) + (frame->tells ? 1 : 0);
}

/*
 * What stands in front of all that is done to a frame: its meter, and telling. out_port: the one port by which it then
 * leaves as it came, or 0. Not 0: it ends there, and is counted.
 */
SW_INLINE int tell_ends(hook_ctx *ctx, struct frame *frame, __u32 out_port)
{
	int is_over = metered_away(frame);

	if (frame->tells)
		tell_all(ctx, is_over ? TELL_ENDED : TELL_BEFORE, is_over ? 0 : out_port);
	return is_over;
}

#endif
