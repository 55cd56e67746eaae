/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * copies_xdp.h - copies that the kernel clones of what the program broadcasts, and the account of them.
 *
 * The kernel clones a broadcast frame for each member, and passes over a member that is down, takes no redirected
 * frames (any more), or has too small an MTU: no error, no tracepoint (dev_map_enqueue_multi(), is_valid_dst()). And
 * the program of a member's element does not run on each copy: what the kernel holds back for a device, up to 16 frames
 * within one NAPI poll, it runs the program on that the first of them came with (bq_enqueue(), Linux 5.14 to 6.18 at
 * least). So a copy behind a unicast frame is given the program of the unicast way, or none.
 *
 * Therefore copies are counted here, when they are asked for: this walks the very elements that the kernel walks a
 * moment later and asks of each what the kernel will ask. What will be passed over is counted as lost, at its port,
 * under the reason that it is (D1); the others as transmitted, and the tracepoints (lost.h) correct that where a driver
 * refuses.
 *
 * And whoever needs a tag taken off, or copies rewritten (each.h), has a program on both of its ways, that of copies
 * and that of unicast (egress.h): either finds out which of the two a frame is, for a copy bears a mark in front of it
 * (mark.h). Members that take what comes need no program.
 *
 * Copies that are rewritten at egress are counted there: what they will be long is not known before, and all of them
 * come by there. Here only what will be passed over is counted.
 */
#ifndef SW_COPIES_XDP_H
#define SW_COPIES_XDP_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "frame.h"
#include "maps.h"
#include "mark.h"

/*
 * As is_valid_dst() asks. In generic mode a driver need not take redirected frames, and one member that cannot take its
 * copy ends the broadcast: those behind it get none (dev_map_redirect_multi()). Without branches, of which the verifier
 * follows each in each turn of the loop.
 */
SW_INLINE __u32 copy_is_hindered(const struct sw_scratch *s, const struct copy_target *target)
{
	__u32 is_up = target->flags & DEVICE_UP;
	__u32 takes = (target->features / COPY_NDO_XMIT & 1) | s->account.is_generic;
	__u64 room = (__u64)target->mtu + target->header + COPY_TAG_ROOM;

	return !(is_up & takes & !s->account.is_broken & ((room - s->frame.size) >> 63 ^ 1));
}

/* Counts it for what it is lost to. */
SW_INLINE void copy_lost(struct sw_scratch *s, const struct copy_target *target)
{
	enum sw_drop reason = SW_DROP_OVER_MTU;

	if (s->account.is_broken)
		reason = SW_DROP_REDIRECT;
	else if (!(target->flags & DEVICE_UP))
		reason = SW_DROP_PORT_DOWN;
	else if (!(target->features & COPY_NDO_XMIT) && !s->account.is_generic)
		reason = SW_DROP_XMIT;
	drop_count(s->frame.cpu, target->id, reason, 1);
	s->account.n_lost++;
	s->account.is_broken = s->account.is_generic;
}

/* By how much a copy that has this VLAN's tag is shorter when the port's program has had it. */
SW_INLINE int copy_loses(__u32 ifindex, __u32 vid)
{
	const struct sw_port *port = port_get(ifindex);

	return port && port->untagged_vid == vid ? TAG_SIZE : 0;
}

SW_INLINE void copy_each(struct walk *walk, struct sw_scratch *s, struct sw_row *row, const struct copy_target *target)
{
	struct sw_port_stats *stats;
	__u32 size = s->frame.size;

	if (sw_unlikely(copy_is_hindered(s, target))) {
		copy_lost(s, target);
		return;
	}
	s->n_copies++;
	if (s->account.differ)
		return;
	if (target->has_program && s->account.vid)
		size -= copy_loses(device_ifindex(target->dev), s->account.vid);
	stats = row_port_at(row, target->id % SW_MAX_PORTS * sizeof(*stats));
	stats->tx_frames++;
	stats->tx_bytes += size;
}

SW_INLINE enum sw_upcall copies_hindrance(hook_ctx *ctx, __u32 size, const struct sw_set_info *set, int growth)
{
	if (frame_is_split(ctx))
		return SW_UPCALL_FRAGS; /* xdpf_clone() copies the first buffer only, and the redirect refuses */
	if (size + growth > set->min_frame)
		return SW_UPCALL_OVER_MTU; /* dev_map_enqueue_multi() passes over a device whose MTU is too small */
	if (set->needs_marks && mark_put(ctx, SW_MARK_FLOOD))
		return SW_UPCALL_REWRITE;
	return SW_UPCALL_NONE;
}

SW_INLINE int came_generic(const hook_ctx *ctx)
{
	const struct sw_port *port = sw_read(core.config.n_generic) ? port_get(ctx->ingress_ifindex) : 0;

	return port && port->flags & SW_PORT_GENERIC;
}

/*
 * Counts the copies of the frame in the CPU's scratch for every member of the set but the one that it came in by. 0:
 * there is no such member, for devices that vanish leave the set by themselves: nobody loses a copy, and so the frame
 * itself is lost. A global function is verified once, not for each way that leads here; Linux 6.1 would give up else.
 */
__attribute__((noinline)) int copies_count(hook_ctx *ctx, __u32 set_id, __u32 differ)
{
	const struct bpf_dtab *set = bpf_map_lookup_elem(&sets, &set_id);
	struct sw_scratch *s = scratch_get();
	struct walk walk = {};
	__u32 n;

	if (!set || !s)
		return 0;
	s->n_copies = 0;
	s->account = (struct sw_account){.differ = differ, .vid = vlan_tag(ctx)};
	s->account.is_generic = came_generic(ctx);
	walk.heads = set->dev_index_head;
	if (core.config.is_trial)
		return 1;
	copies_walk_all(set->n_buckets, s, &walk);
	n = s->n_copies + s->account.n_lost;
	if (s->account.is_broken)
		s->n_copies = 0;
	return n;
}

/*
 * Whether the kernel can make the copy: it clones no frame in several buffers, and passes over a port whose MTU is too
 * small. Where a tag might be taken off on the way out, as floods' are, nothing is risked.
 */
SW_INLINE int copies_may_pair(hook_ctx *ctx, const struct frame *frame, __u32 set_id)
{
	const struct sw_set_info *set = bpf_map_lookup_elem(&set_info, &set_id);

	if (!set || set->n_members != 2 || frame_is_split(ctx) || frame->size > set->min_frame)
		return 0;
	if (!set->needs_marks)
		return 1;
	return !vlan_tag(ctx) && !mark_put(ctx, SW_MARK_FLOOD);
}

SW_INLINE int copies_send(hook_ctx *ctx, const struct frame *frame, __u32 set_id, void *members, enum copies_kind kind)
{
	__u64 flags = kind == COPIES_DIFFER ? BPF_F_BROADCAST : BPF_F_BROADCAST | BPF_F_EXCLUDE_INGRESS;

	if (!copies_count(ctx, set_id, kind == COPIES_DIFFER))
		return frame_drop(frame, frame->in_port, SW_DROP_NO_OUTPUT);
	if (bpf_redirect_map(members, 0, flags) != VERDICT_SENT)
		return frame_drop(frame, frame->in_port, SW_DROP_REDIRECT);
	return VERDICT_SENT;
}

#endif
