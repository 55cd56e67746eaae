/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * act.h - the action interpreter.
 *
 * A program is at most one NORMAL, then rewrites (VLAN_PUSH, VLAN_POP, VLAN_SET), then one terminal step, the last.
 * NORMAL either ends it, by what the FDB says of the frame's addresses, or lets it go on. The terminal step is looked
 * at before the rewrites: what ends in a drop or goes up is not rewritten, so that the daemon sees the frame that the
 * guest sent, and a broadcast that the kernel could not carry out whole is found before a byte is changed.
 *
 * Or it is a REWRITE and one output or broadcast (bpf/rewrite.h), or COPIES alone (bpf/each.h).
 *
 * In front of all that may stand a METER (bpf/metered.h), and a TELL (bpf/tell.h). They are run when nothing is left
 * that would send the frame up, and before a byte is changed or the frame dropped for another reason: what goes up has
 * not been metered, nor told of. A rewrite that only finds out on the way that a frame is none for it comes before its
 * meter (act_rewrite_all()).
 */
#ifndef SW_ACT_H
#define SW_ACT_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "copies.h"
#include "frame.h"
#include "maps.h"
#include "metered.h"
#include "normal.h"
#include "out.h"
#include "rewrite.h"
#include "tell.h"
#include "upcall.h"
#include "vlan.h"

#if HOOK_HAS_MARKS
#include "each.h"
#endif

#define ACT_METERED (-1) /* an answer beside SW_DROP_* and REWRITE_UNFIT: its meter has ended the frame */

SW_INLINE __u32 act_first(const struct frame *frame)
{
	return tell_first(frame);
}

/* By how much the rewrites, which are the steps from `first` to the last but one, lengthen the frame. */
SW_INLINE int act_growth(const struct sw_flow *flow, __u32 first)
{
	int growth = 0;
	__u32 i;

#pragma clang loop unroll(disable)
	for (i = first; i < SW_MAX_STEPS - 1 && i < flow->n_steps - 1U; i++) {
		if (flow->steps[i].op == SW_OP_VLAN_PUSH)
			growth += TAG_SIZE;
		else if (flow->steps[i].op == SW_OP_VLAN_POP)
			growth -= TAG_SIZE;
	}
	return growth;
}

SW_INLINE enum sw_drop act_rewrite_step(hook_ctx *ctx, struct frame *frame, __u32 op, __u32 arg)
{
	switch (op) {
	case SW_OP_VLAN_PUSH:
		frame->size += TAG_SIZE;
		return vlan_push(ctx, arg);
	case SW_OP_VLAN_POP:
		frame->size -= TAG_SIZE;
		return vlan_pop(ctx);
	case SW_OP_VLAN_SET:
		return vlan_set(ctx, arg);
	default:
		return SW_DROP_BAD_PROGRAM;
	}
}

static __attribute__((noinline)) enum sw_drop act_rewrite(
	hook_ctx *ctx, struct frame *frame, const struct sw_flow *flow, __u32 first)
{
	enum sw_drop reason;
	__u32 i;

	if (!flow)
		return SW_DROP_BAD_PROGRAM;
#pragma clang loop unroll(disable)
	for (i = first; i < SW_MAX_STEPS - 1 && i < flow->n_steps - 1U; i++) {
		reason = act_rewrite_step(ctx, frame, flow->steps[i].op, flow->steps[i].arg);
		if (reason)
			return reason;
	}
	return SW_DROP_NONE;
}

SW_INLINE int act_output(hook_ctx *ctx, __u32 cpu, __u32 size, __u32 port_id)
{
	return out_counted(ctx, port_stats_get(cpu, port_id % SW_MAX_PORTS), cpu, size, port_id);
}

/* With a mirror's copy. A function, so that the others do not make room for it. */
static __attribute__((noinline)) int act_pair(hook_ctx *ctx, struct frame *frame)
{
	__u32 set_id = frame->pair - 1;
	void *members = bpf_map_lookup_elem(&sets, &set_id);

	return members ? copies_send(ctx, frame, set_id, members, COPIES_AS_IS)
		       : frame_drop(frame, frame->in_port, SW_DROP_BAD_PROGRAM);
}

SW_INLINE int act_leave(hook_ctx *ctx, struct frame *frame, __u32 port_id)
{
	if (sw_unlikely(frame->pair == FRAME_PAIR_LATER)) {
		metered_remark(ctx, frame);
		tell_all(ctx, TELL_LEAVING, port_id);
	}
	return sw_unlikely(frame->pair) ? act_pair(ctx, frame) : act_output(ctx, frame->cpu, frame->size, port_id);
}

static __attribute__((noinline)) int act_broadcast(
	hook_ctx *ctx, struct frame *frame, const struct sw_flow *flow, __u32 first)
{
	struct sw_set_info *set;
	void *members;
	int hindrance;
	__u32 set_id;

	if (!flow)
		return frame_drop(frame, frame->in_port, SW_DROP_BAD_PROGRAM);
	set_id = flow->steps[(flow->n_steps - 1U) % SW_MAX_STEPS].arg;
	set = bpf_map_lookup_elem(&set_info, &set_id);
	if (!set)
		return frame_drop(frame, frame->in_port, SW_DROP_BAD_PROGRAM);
	hindrance = set->n_members ? copies_hindrance(ctx, frame->size, set, act_growth(flow, first)) : SW_UPCALL_NONE;
	if (hindrance)
		return upcall(ctx, frame, hindrance);
	if (tell_ends(ctx, frame, 0))
		return VERDICT_DROP;
	if (!set->n_members)
		return frame_drop(frame, frame->in_port, SW_DROP_NO_OUTPUT);
	members = bpf_map_lookup_elem(&sets, &set_id);
	if (!members)
		return frame_drop(frame, frame->in_port, SW_DROP_BAD_PROGRAM);
	metered_remark(ctx, frame); /* at tc the copies leave at once */
	if (flow->n_steps - 1U > first) {
		enum sw_drop reason = act_rewrite(ctx, frame, flow, first);

		if (reason)
			return frame_drop(frame, frame->in_port, reason);
	}
	return copies_send(ctx, frame, set_id, members, COPIES_FLOOD);
}

/* The steps from `first` on; the verdict. */
SW_INLINE int act_steps(hook_ctx *ctx, struct frame *frame, const struct sw_flow *flow, __u32 first)
{
	__u32 last = flow->n_steps - 1;
	const struct sw_step *terminal;
	enum sw_drop reason;

	if (last >= SW_MAX_STEPS)
		return frame_drop(frame, frame->in_port, SW_DROP_BAD_PROGRAM);
	terminal = &flow->steps[last];
	switch (terminal->op) {
	case SW_OP_OUTPUT:
		if (flow->flags & SW_FLOW_ONE_BUFFER && frame_is_split(ctx))
			return upcall(ctx, frame, SW_UPCALL_FRAGS);
		if (tell_ends(ctx, frame, last > first ? 0 : terminal->arg))
			return VERDICT_DROP;
		if (last > first) {
			metered_remark(ctx, frame);
			reason = act_rewrite(ctx, frame, flow, first);
			if (reason)
				return frame_drop(frame, frame->in_port, reason);
		}
		return act_leave(ctx, frame, terminal->arg);
	case SW_OP_BROADCAST:
		return act_broadcast(ctx, frame, flow, first);
	case SW_OP_UPCALL:
		return upcall(ctx, frame, terminal->arg);
	case SW_OP_DROP:
		if (frame->tells & SW_TELL_CONTROLLER)
			return upcall(ctx, frame, SW_UPCALL_NORMAL);
		return tell_ends(ctx, frame, 0) ? VERDICT_DROP : frame_drop(frame, frame->in_port, terminal->arg);
	default:
		return frame_drop(frame, frame->in_port, SW_DROP_BAD_PROGRAM);
	}
}

/* What is left of a program behind its NORMAL. A function, so that unicast does not make room for it. */
static __attribute__((noinline)) int act_flood(
	hook_ctx *ctx, struct frame *frame, const struct sw_flow *flow, __u32 first)
{
	return flow ? act_steps(ctx, frame, flow, first) : VERDICT_DROP;
}

/* Takes the tag off, puts one in front or rewrites its VID, so that the frame leaves as `out` says. */
SW_INLINE enum sw_drop act_retag_here(hook_ctx *ctx, __u32 tci, __u32 out, __u32 vid)
{
	if (out == SW_FDB_OUT_UNTAGGED)
		return vlan_pop(ctx);
	return tci & SW_VLAN_PRESENT ? vlan_set(ctx, vid) : vlan_push(ctx, vid);
}

static __attribute__((noinline)) enum sw_drop act_retag(hook_ctx *ctx, __u32 tci, __u32 out, __u32 vid)
{
	return act_retag_here(ctx, tci, out, vid);
}

/* By how much that lengthens the frame. */
SW_INLINE int act_tag_growth(__u32 tci, __u32 out)
{
	if (out == SW_FDB_OUT_UNTAGGED)
		return -TAG_SIZE;
	return tci & SW_VLAN_PRESENT ? 0 : TAG_SIZE;
}

/* The tag with which a frame came, in `tci` as in the key, is the one with which it is to leave. */
SW_INLINE int act_tag_fits(__u32 tci, __u32 out, __u32 vid)
{
	__u32 tag = tci & (SW_VLAN_PRESENT | SW_VLAN_VID);

	if (sw_likely(out == SW_FDB_OUT_AS_IS))
		return 1;
	return out == SW_FDB_OUT_UNTAGGED ? !(tag & SW_VLAN_PRESENT) : tag == (SW_VLAN_PRESENT | vid);
}

SW_INLINE int act_forward(hook_ctx *ctx, struct frame *frame, union sw_fdb_place to, __u32 vid)
{
	int fits = act_tag_fits(frame->tci, to.out, vid);
	enum sw_drop reason;

	if (to.flags & SW_FDB_ONE_BUFFER && frame_is_split(ctx))
		return upcall(ctx, frame, SW_UPCALL_FRAGS);
	if (tell_ends(ctx, frame, fits ? to.port : 0))
		return VERDICT_DROP;
	if (!fits) {
		metered_remark(ctx, frame);
		reason = act_retag(ctx, frame->tci, to.out, vid);
		if (reason)
			return frame_drop(frame, frame->in_port, reason);
		frame->size += act_tag_growth(frame->tci, to.out);
	}
	return act_leave(ctx, frame, to.port);
}

/* The flow's NORMAL, its step number `at`, for a frame with these words 1 and 2 of the key. */
SW_INLINE enum sw_normal act_ask_fdb(const struct sw_config *cfg, const struct sw_flow *flow, __u32 at, __u64 dst,
	__u64 src, struct sw_normal_answer *ret)
{
	const struct sw_normal_frame question = {
		.dst = dst,
		.src = src,
		.vid = flow->steps[at].arg,
		.bridge = flow->bridge,
		.in_port = flow->in_port,
		.flags = flow->flags,
		.seed = cfg->seed,
		.domain = flow->domain,
	};

	return sw_normal(0, &question, ret);
}

SW_INLINE int act_normal(hook_ctx *ctx, const struct sw_config *cfg, struct frame *frame, const struct sw_flow *flow)
{
	__u32 first = act_first(frame), vid = flow->steps[first].arg;
	struct sw_normal_answer answer;

	switch (act_ask_fdb(cfg, flow, first, frame->dst, frame->src, &answer)) {
	case SW_NORMAL_MIRRORED:
		answer.to.out = answer.to.form;
		frame->tells = tell_with(frame->tells, tell_out(answer.to.mirror));
		return act_forward(ctx, frame, answer.to, vid);
	case SW_NORMAL_FORWARD:
		return act_forward(ctx, frame, answer.to, vid);
	case SW_NORMAL_UPCALL:
		return upcall(ctx, frame, SW_UPCALL_NORMAL);
	case SW_NORMAL_LEARN:
		return upcall(ctx, frame, SW_UPCALL_LEARN);
	case SW_NORMAL_DROP:
		if (frame->tells & SW_TELL_CONTROLLER)
			return upcall(ctx, frame, SW_UPCALL_NORMAL);
		return tell_ends(ctx, frame, 0) ? VERDICT_DROP : frame_drop(frame, frame->in_port, answer.drop);
	default:
		if (sw_unlikely(flow->floods))
			frame->tells = tell_with(frame->tells, flow->floods);
		return act_flood(ctx, frame, flow, first + 1);
	}
}

/* What keeps a program that rewrites from being carried out on this frame; SW_UPCALL_NONE: nothing. */
SW_INLINE enum sw_upcall act_rewrite_hindrance(
	hook_ctx *ctx, const struct frame *frame, const struct sw_rewrite *rewrite, const struct sw_set_info *set)
{
	enum sw_upcall hindrance;

	if (frame_is_split(ctx))
		return SW_UPCALL_FRAGS;
	if (HOOK_KEEPS_CSUM && (rewrite->is_upheaval || rewrite->looks & SW_LOOK_UNDO)) /* rewrite_tc.h says why */
		return SW_UPCALL_REWRITE;
	hindrance = set ? copies_hindrance(ctx, frame->size, set, rewrite->growth) : SW_UPCALL_NONE;
	if (hindrance)
		return hindrance;
	return rewrite->looks && rewrite_look(ctx, rewrite) ? SW_UPCALL_REWRITE : SW_UPCALL_NONE;
}

/*
 * Rewrites, and counts the length that came of it; 0: the frame goes on. REWRITE_UNFIT: up. A rewrite that may still
 * turn out to be none for the frame comes before its meter, which is asked about the frame as it came.
 */
SW_INLINE int act_rewrite_all(hook_ctx *ctx, struct frame *frame, const struct sw_rewrite *rewrite)
{
	int reason = rewrite_run(ctx, rewrite);

	if (!reason && rewrite->looks & SW_LOOK_UNDO && metered_away(frame))
		return ACT_METERED;
	frame->size = frame_whole_size(ctx);
	return reason;
}

/* A program of REWRITE and one output or broadcast. */
static __attribute__((noinline)) int act_rewritten(hook_ctx *ctx, struct frame *frame, const struct sw_flow *flow)
{
	__u32 rewrite_id, target, is_output, first;
	struct sw_rewrite *rewrite;
	struct sw_set_info *set = 0;
	void *members = 0;
	int reason;

	if (!flow)
		return VERDICT_DROP;
	first = act_first(frame);
	rewrite_id = flow->steps[first].arg;
	target = flow->steps[first + 1].arg;
	is_output = flow->steps[first + 1].op == SW_OP_OUTPUT;
	rewrite = bpf_map_lookup_elem(&rewrites, &rewrite_id);
	if (!rewrite || !rewrite->n_edits || flow->n_steps != first + 2 ||
		(!is_output && flow->steps[first + 1].op != SW_OP_BROADCAST))
		return frame_drop(frame, frame->in_port, SW_DROP_BAD_PROGRAM);
	if (!is_output) {
		set = bpf_map_lookup_elem(&set_info, &target);
		if (set && !set->n_members)
			return tell_ends(ctx, frame, 0) ? VERDICT_DROP
							: frame_drop(frame, frame->in_port, SW_DROP_NO_OUTPUT);
		members = bpf_map_lookup_elem(&sets, &target);
		if (!set || !members)
			return frame_drop(frame, frame->in_port, SW_DROP_BAD_PROGRAM);
	}
	reason = act_rewrite_hindrance(ctx, frame, rewrite, set);
	if (reason)
		return upcall(ctx, frame, reason);
	if (!(rewrite->looks & SW_LOOK_UNDO) && tell_ends(ctx, frame, 0))
		return VERDICT_DROP;
	metered_remark(ctx, frame);
	reason = act_rewrite_all(ctx, frame, rewrite);
	if (reason == ACT_METERED)
		return VERDICT_DROP;
	if (reason == REWRITE_UNFIT)
		return upcall(ctx, frame, SW_UPCALL_REWRITE);
	if (reason)
		return frame_drop(frame, frame->in_port, reason);
	if (!members)
		return act_leave(ctx, frame, target);
	return copies_send(ctx, frame, target, members, COPIES_FLOOD);
}

/* Where copies cannot be told what is to become of them, the daemon makes them. */
SW_INLINE int act_copies(hook_ctx *ctx, struct frame *frame, const struct sw_flow *flow)
{
#if HOOK_HAS_MARKS
	return each_send(ctx, frame, flow);
#else
	return upcall(ctx, frame, SW_UPCALL_REWRITE);
#endif
}

/* Runs the flow's program; the verdict. */
SW_INLINE int act(hook_ctx *ctx, const struct sw_config *cfg, struct frame *frame, const struct sw_flow *flow)
{
	if (flow->steps[0].op == SW_OP_METER) {
		frame->meter = flow->steps[0].arg;
		if (metered_hinders(ctx, frame))
			return upcall(ctx, frame, SW_UPCALL_FRAGS);
	}
	if (flow->steps[act_first(frame)].op == SW_OP_TELL) {
		frame->tells = flow->steps[act_first(frame)].arg;
		if (frame->size > SW_TELL_MAX)
			return upcall(ctx, frame, SW_UPCALL_FRAGS);
	}
	if (flow->steps[act_first(frame)].op == SW_OP_NORMAL)
		return act_normal(ctx, cfg, frame, flow);
	if (flow->steps[act_first(frame)].op == SW_OP_REWRITE)
		return act_rewritten(ctx, frame, flow);
	if (flow->steps[act_first(frame)].op == SW_OP_COPIES)
		return act_copies(ctx, frame, flow);
	return act_steps(ctx, frame, flow, act_first(frame));
}

#endif
