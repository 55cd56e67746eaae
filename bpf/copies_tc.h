/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * copies_tc.h - copies that the program makes itself, one redirected clone for each member; see copies.h.
 *
 * Each is counted when it is made, or under the reason for which it is not; so no member that is short of something
 * keeps the others from theirs. A flood's copies whose port's untagged VLAN is theirs leave without their tag: the tag
 * is taken off the skb and put on again between one clone and the next.
 */
#ifndef SW_COPIES_TC_H
#define SW_COPIES_TC_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "device.h"
#include "frame.h"
#include "maps.h"
#include "out.h"
#include "vlan.h"

SW_INLINE enum sw_upcall copies_hindrance(hook_ctx *ctx, __u32 size, const struct sw_set_info *set, int growth)
{
	return SW_UPCALL_NONE;
}

/* A set of a port and a mirror's. */
SW_INLINE int copies_may_pair(hook_ctx *ctx, const struct frame *frame, __u32 set_id)
{
	const struct sw_set_info *set = bpf_map_lookup_elem(&set_info, &set_id);

	return set && set->n_members == 2;
}

/* Brings the tag into the state in which the copy for this device is to leave. */
SW_INLINE enum sw_drop copy_retag(struct walk *walk, struct sw_account *account, __u32 ifindex)
{
	const struct sw_port *port = account->vid ? port_get(ifindex) : 0;
	__u32 is_bare = port && port->untagged_vid == account->vid;
	enum sw_drop reason;

	if (is_bare == account->is_bare)
		return SW_DROP_NONE;
	reason = is_bare ? vlan_pop(walk->ctx) : vlan_push(walk->ctx, account->tci);
	if (!reason)
		account->is_bare = is_bare;
	return reason;
}

SW_INLINE enum sw_drop copy_make(struct walk *walk, struct net_device *device, __u32 port_id, __u32 size)
{
	__u32 ifindex = device_ifindex(device);

	if (!device_is_up(device))
		return SW_DROP_PORT_DOWN;
	if (size > out_room(device, out_flags(port_id)) && !out_fits(walk->ctx, ifindex))
		return SW_DROP_OVER_MTU;
	return bpf_clone_redirect(walk->ctx, ifindex, 0) ? SW_DROP_XMIT : SW_DROP_NONE;
}

/* The port's counters are looked up anew: to keep the row would take more of the stack. */
SW_INLINE void copy_each(struct walk *walk, struct sw_scratch *s, struct sw_row *row, const struct copy_target *target)
{
	enum sw_drop reason = copy_retag(walk, &s->account, device_ifindex(target->dev));
	__u32 size = s->frame.size - (s->account.is_bare ? TAG_SIZE : 0);
	struct sw_port_stats *stats;

	s->n_copies++;
	if (!reason)
		reason = copy_make(walk, target->dev, target->id, size);
	if (reason) {
		drop_count(s->frame.cpu, target->id, reason, 1);
		return;
	}
	stats = port_stats_get(s->frame.cpu, target->id % SW_MAX_PORTS);
	if (stats) {
		stats->tx_frames++;
		stats->tx_bytes += size;
	}
}

/* Of the frame in the scratch; 0: the set has no member but the port that it came in by. */
__attribute__((noinline)) int copies_make(hook_ctx *ctx, __u32 set_id, __u32 kind)
{
	const struct bpf_dtab *set = bpf_map_lookup_elem(&sets, &set_id);
	struct sw_scratch *s = scratch_get();
	struct walk walk = {};

	if (!set || !s)
		return 0;
	s->n_copies = 0;
	s->account = (struct sw_account){.vid = kind == COPIES_FLOOD ? vlan_tag(ctx) : 0, .tci = ctx->vlan_tci};
	walk.ctx = ctx;
	walk.heads = set->dev_index_head;
	copies_walk_all(set->n_buckets, s, &walk);
	return s->n_copies;
}

SW_INLINE int copies_send(hook_ctx *ctx, const struct frame *frame, __u32 set_id, void *members, enum copies_kind kind)
{
	return copies_make(ctx, set_id, kind) ? VERDICT_TAKEN : frame_drop(frame, frame->in_port, SW_DROP_NO_OUTPUT);
}

#endif
