/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * act.h - the action interpreter.
 *
 * A program is rewrites (VLAN_PUSH, VLAN_POP, VLAN_SET) and then one terminal step, the last. The terminal step is
 * looked at first: what ends in a drop or goes up is not rewritten, so that the daemon sees the frame that the guest
 * sent, and a broadcast that the kernel could not carry out whole is found before a byte is changed.
 */
#ifndef SW_ACT_H
#define SW_ACT_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "frame.h"
#include "maps.h"
#include "upcall.h"
#include "vlan.h"

/* By how much the rewrites before the last step lengthen the frame. */
SW_INLINE int act_growth(const struct sw_flow *flow, __u32 n_rewrites)
{
	int growth = 0;
	__u32 i;

#pragma clang loop unroll(disable)
	for (i = 0; i < SW_MAX_STEPS - 1 && i < n_rewrites; i++) {
		if (flow->steps[i].op == SW_OP_VLAN_PUSH)
			growth += TAG_SIZE;
		else if (flow->steps[i].op == SW_OP_VLAN_POP)
			growth -= TAG_SIZE;
	}
	return growth;
}

SW_INLINE enum sw_drop act_rewrite_step(struct xdp_md *ctx, struct frame *frame, __u32 op, __u32 arg)
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
	struct xdp_md *ctx, struct frame *frame, const struct sw_flow *flow, __u32 n_rewrites)
{
	enum sw_drop reason;
	__u32 i;

	if (!flow)
		return SW_DROP_BAD_PROGRAM;
#pragma clang loop unroll(disable)
	for (i = 0; i < SW_MAX_STEPS - 1 && i < n_rewrites; i++) {
		reason = act_rewrite_step(ctx, frame, flow->steps[i].op, flow->steps[i].arg);
		if (reason)
			return reason;
	}
	return SW_DROP_NONE;
}

/*
 * The same number, as a guess that a comparison confirms. What follows then hangs on the comparison, which the CPU
 * predicts, and not on the load from the flow's slot, for which it would have to wait: the kernel's work on the frame
 * and the next frames' lookups go on while the slot is on its way. Frames come in runs to one port often enough.
 */
SW_INLINE __u32 act_guessed(__u32 cpu, __u32 port_id)
{
	struct sw_last_output *last = bpf_map_lookup_elem(&last_outputs, &cpu);
	__u32 port, guess;

	if (!last)
		return port_id;
	port = last->port;
	guess = port;
	__asm__ volatile("" : "+r"(guess)); /* else the compiler sees that it equals port_id, and takes that */
	if (port == port_id)
		return guess;
	last->port = port_id;
	return port_id;
}

SW_INLINE int act_output(const struct frame *frame, __u32 to_port)
{
	__u32 port_id = act_guessed(frame->cpu, to_port);
	struct sw_port_stats *stats = port_stats_get(frame->cpu, port_id % SW_MAX_PORTS);

	if (bpf_redirect_map(&tx_ports, port_id, XDP_DROP) != XDP_REDIRECT)
		return frame_drop(frame, port_id, SW_DROP_PORT_DOWN);
	if (stats) {
		stats->tx_frames++;
		stats->tx_bytes += frame->size;
	}
	return XDP_REDIRECT;
}

/* What would keep the kernel from giving every member of the set its copy; SW_UPCALL_NONE: nothing. */
SW_INLINE enum sw_upcall act_broadcast_hindrance(
	struct xdp_md *ctx, const struct frame *frame, const struct sw_set_info *set, int growth)
{
	if (frame_is_split(ctx, frame))
		return SW_UPCALL_FRAGS; /* xdpf_clone() copies the first buffer only, and the redirect refuses */
	if (frame->size + growth > set->min_frame)
		return SW_UPCALL_OVER_MTU; /* dev_map_enqueue_multi() passes over a device whose MTU is too small */
	return SW_UPCALL_NONE;
}

static __attribute__((noinline)) int act_broadcast(
	struct xdp_md *ctx, struct frame *frame, const struct sw_flow *flow, __u32 set_id)
{
	struct sw_set_info *set = bpf_map_lookup_elem(&set_info, &set_id);
	__u32 n_rewrites;
	void *members;
	int hindrance;

	if (!flow || !set)
		return frame_drop(frame, frame->in_port, SW_DROP_BAD_PROGRAM);
	if (!set->n_members)
		return frame_drop(frame, frame->in_port, SW_DROP_NO_OUTPUT);
	n_rewrites = flow->n_steps - 1;
	hindrance = act_broadcast_hindrance(ctx, frame, set, act_growth(flow, n_rewrites));
	if (hindrance)
		return upcall_hit(ctx, frame, hindrance);
	members = bpf_map_lookup_elem(&sets, &set_id);
	if (!members)
		return frame_drop(frame, frame->in_port, SW_DROP_BAD_PROGRAM);
	if (n_rewrites) {
		enum sw_drop reason = act_rewrite(ctx, frame, flow, n_rewrites);

		if (reason)
			return frame_drop(frame, frame->in_port, reason);
	}
	if (bpf_redirect_map(members, 0, BPF_F_BROADCAST | BPF_F_EXCLUDE_INGRESS) != XDP_REDIRECT)
		return frame_drop(frame, frame->in_port, SW_DROP_REDIRECT);
	return XDP_REDIRECT;
}

/* Runs the flow's program; the verdict. */
SW_INLINE int act(struct xdp_md *ctx, struct frame *frame, const struct sw_flow *flow)
{
	__u32 n_rewrites = flow->n_steps - 1;
	const struct sw_step *last;
	enum sw_drop reason;

	if (n_rewrites >= SW_MAX_STEPS)
		return frame_drop(frame, frame->in_port, SW_DROP_BAD_PROGRAM);
	last = &flow->steps[n_rewrites];
	switch (last->op) {
	case SW_OP_OUTPUT:
		if (flow->flags & SW_FLOW_ONE_BUFFER && frame_is_split(ctx, frame))
			return upcall_hit(ctx, frame, SW_UPCALL_FRAGS);
		if (n_rewrites) {
			reason = act_rewrite(ctx, frame, flow, n_rewrites);
			if (reason)
				return frame_drop(frame, frame->in_port, reason);
		}
		return act_output(frame, last->arg);
	case SW_OP_BROADCAST:
		return act_broadcast(ctx, frame, flow, last->arg);
	case SW_OP_UPCALL:
		return upcall_hit(ctx, frame, last->arg);
	case SW_OP_DROP:
		return frame_drop(frame, frame->in_port, last->arg);
	default:
		return frame_drop(frame, frame->in_port, SW_DROP_BAD_PROGRAM);
	}
}

#endif
