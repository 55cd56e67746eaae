/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * each.h - several outputs of which each gets the frame rewritten in its own way.
 *
 * What: the kernel clones a frame that is broadcast after the program has ended. So the program only tells the clones
 * what they are for: it marks the frame (mark.h) and broadcasts it as it came. The egress program, which runs for each
 * clone before its port's driver gets it, finds the edits for its port, and carries them out (rewrite.h).
 *
 * Nothing is begun that cannot be finished for every copy: a frame in several buffers, one that would be too long for
 * a port, whose TTL ends for one copy, whose headers are out of reach for one, or that has no room in front for a mark,
 * goes up whole and as it came.
 *
 * A copy is with the egress program before the section of the kernel in which the ingress program ran has ended: bulks
 * are flushed at the end of the NAPI poll (xdp_do_flush()), generic mode knows no bulks. So the grace period that ends
 * the last ingress run on an element of `copies` or `rewrites` ends the last egress run too.
 */
#ifndef SW_EACH_H
#define SW_EACH_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "copies.h"
#include "frame.h"
#include "maps.h"
#include "mark.h"
#include "metered.h"
#include "rewrite.h"
#include "tell.h"
#include "upcall.h"

/* What would keep some copy from being finished; SW_UPCALL_NONE: nothing. */
SW_INLINE enum sw_upcall each_hindrance(
	hook_ctx *ctx, const struct frame *frame, const struct sw_copies *list, const struct sw_set_info *set)
{
	if (frame_is_split(ctx))
		return SW_UPCALL_FRAGS;
	if (frame->size + list->all.growth > set->min_frame)
		return SW_UPCALL_OVER_MTU;
	return list->all.looks && rewrite_look(ctx, &list->all) ? SW_UPCALL_REWRITE : SW_UPCALL_NONE;
}

/* A program of COPIES, behind METER and TELL or not. */
static __attribute__((noinline)) int each_send(hook_ctx *ctx, struct frame *frame, const struct sw_flow *flow)
{
	const struct sw_set_info *set;
	const struct sw_copies *list;
	__u32 id, set_id, reason, first;
	void *members;

	if (!flow)
		return VERDICT_DROP;
	first = tell_first(frame);
	id = flow->steps[first].arg;
	list = bpf_map_lookup_elem(&copies, &id);
	if (!list || !list->n_copies || flow->n_steps != first + 1)
		return frame_drop(frame, frame->in_port, SW_DROP_BAD_PROGRAM);
	set_id = list->set;
	set = bpf_map_lookup_elem(&set_info, &set_id);
	if (set && !set->n_members)
		return tell_ends(ctx, frame, 0) ? VERDICT_DROP : frame_drop(frame, frame->in_port, SW_DROP_NO_OUTPUT);
	members = bpf_map_lookup_elem(&sets, &set_id);
	if (!set || !members)
		return frame_drop(frame, frame->in_port, SW_DROP_BAD_PROGRAM);
	reason = each_hindrance(ctx, frame, list, set);
	if (!reason && mark_put(ctx, id))
		reason = SW_UPCALL_REWRITE;
	if (reason)
		return upcall(ctx, frame, reason);
	if (tell_ends(ctx, frame, 0))
		return VERDICT_DROP;
	return copies_send(ctx, frame, set_id, members, COPIES_DIFFER);
}

#endif
