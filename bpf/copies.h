/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * copies.h - a frame for every member of a set, and the account of its copies.
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
 *
 * Invariant: a frame leaves as its step says, whichever frames leave by the same device at the same time.
 *
 * Safe error: a frame goes up that could have been copied here. Unsafe error: a tag that stays on a copy.
 */
#ifndef SW_COPIES_H
#define SW_COPIES_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "frame.h"
#include "kernel.h"
#include "maps.h"
#include "vlan.h"

/* Hash buckets walked at once: the smallest set that the daemon makes has so many, and as many members. */
#define COPY_BUCKETS 16
/* Of a walk, a bucket or an element each: 16 and 16, or one bucket with SW_MAX_PORTS ids over 16, and one more. */
#define COPY_STEPS 66

#define COPY_UP       1 /* IFF_UP, include/uapi/linux/if.h */
#define COPY_NDO_XMIT 4 /* NETDEV_XDP_ACT_NDO_XMIT, include/uapi/linux/netdev.h */
#define COPY_TAG_ROOM 4 /* that the kernel grants above the MTU (xdp_ok_fwd_dev) */

/* Where the set is, and the frame with the account of its copies. */
struct walk {
	struct hlist_head *heads;
	struct sw_scratch *scratch;
};

/* A member, as the kernel sees it. */
struct copy_target {
	__u32 id, has_program;
	__u32 flags, mtu, header, features;
	struct net_device *dev;
};

SW_INLINE struct hlist_node *copy_first(struct hlist_head *head)
{
	if (!bpf_rdonly_cast)
		return BPF_CORE_READ(head, first);
	head = bpf_rdonly_cast(head, bpf_core_type_id_kernel(struct hlist_head));
	return head->first;
}

/* Reads an element of the set, and its device; the one behind it. */
SW_INLINE struct hlist_node *copy_read(struct hlist_node *at, struct copy_target *ret)
{
	struct bpf_dtab_netdev *element = (void *)at - bpf_core_field_offset(struct bpf_dtab_netdev, index_hlist);
	struct net_device *dev;

	element = bpf_rdonly_cast(element, bpf_core_type_id_kernel(struct bpf_dtab_netdev));
	dev = element->dev;
	ret->id = element->idx;
	ret->has_program = element->xdp_prog != 0;
	ret->dev = dev;
	ret->flags = dev->flags;
	ret->mtu = dev->mtu;
	ret->header = dev->hard_header_len;
	ret->features = bpf_core_field_exists(dev->xdp_features) ? dev->xdp_features : COPY_NDO_XMIT;
	return element->index_hlist.next;
}

/* The same before Linux 6.2, and before there were features. */
SW_INLINE struct hlist_node *copy_probe(struct hlist_node *at, struct copy_target *ret)
{
	struct bpf_dtab_netdev *element = (void *)at - bpf_core_field_offset(struct bpf_dtab_netdev, index_hlist);
	struct net_device *dev = BPF_CORE_READ(element, dev);

	ret->id = BPF_CORE_READ(element, idx);
	ret->has_program = BPF_CORE_READ(element, xdp_prog) != 0;
	ret->dev = dev;
	ret->flags = BPF_CORE_READ(dev, flags);
	ret->mtu = BPF_CORE_READ(dev, mtu);
	ret->header = BPF_CORE_READ(dev, hard_header_len);
	ret->features = COPY_NDO_XMIT;
	return BPF_CORE_READ(element, index_hlist.next);
}

/*
 * As is_valid_dst() asks. In generic mode a driver need not take redirected frames, and one member that cannot take its
 * copy ends the broadcast: those behind it get none (dev_map_redirect_multi()). Without branches, of which the verifier
 * follows each in each turn of the loop.
 */
SW_INLINE __u32 copy_is_hindered(const struct sw_scratch *s, const struct copy_target *target)
{
	__u32 is_up = target->flags & COPY_UP;
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
	else if (!(target->flags & COPY_UP))
		reason = SW_DROP_PORT_DOWN;
	else if (!(target->features & COPY_NDO_XMIT) && !s->account.is_generic)
		reason = SW_DROP_XMIT;
	drop_count(s->frame.cpu, target->id, reason, 1);
	s->account.n_lost++;
	s->account.is_broken = s->account.is_generic;
}

SW_INLINE __u32 copy_ifindex(struct net_device *dev)
{
	if (!bpf_rdonly_cast)
		return BPF_CORE_READ(dev, ifindex);
	dev = bpf_rdonly_cast(dev, bpf_core_type_id_kernel(struct net_device));
	return dev->ifindex;
}

/* By how much a copy that has this VLAN's tag is shorter when the port's program has had it. */
SW_INLINE int copy_loses(__u32 ifindex, __u32 vid)
{
	const struct sw_port *port = port_get(ifindex);

	return port && port->untagged_vid == vid ? TAG_SIZE : 0;
}

SW_INLINE void copy_count(struct sw_scratch *s, struct sw_row *row, const struct copy_target *target)
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
		size -= copy_loses(copy_ifindex(target->dev), s->account.vid);
	stats = row_port_at(row, target->id % SW_MAX_PORTS * sizeof(*stats));
	stats->tx_frames++;
	stats->tx_bytes += size;
}

/*
 * What is in `n_left` hash buckets of the set, from `bucket` on. One loop over buckets and elements: the verifier would
 * follow one within another through every pair of their turns.
 */
static __attribute__((noinline)) long copies_walk(__u32 bucket, struct walk *walk)
{
	struct sw_scratch *s = walk->scratch;
	struct sw_row *row = row_get(s->frame.cpu);
	struct copy_target target = {};
	struct hlist_node *at = 0;
	__u32 i;

	if (!row)
		return 0;
	s->account.bucket = bucket;
	s->account.n_left = s->account.n_at_once;
#pragma clang loop unroll(disable)
	for (i = 0; i < COPY_STEPS; i++) {
		if (!at) {
			if (!sw_read(s->account.n_left))
				break;
			at = copy_first(walk->heads + sw_read(s->account.bucket));
			s->account.bucket++;
			s->account.n_left--;
			continue;
		}
		at = bpf_rdonly_cast ? copy_read(at, &target) : copy_probe(at, &target);
		if (s->account.differ || target.id != s->frame.in_port)
			copy_count(s, row, &target);
	}
	return 0;
}

SW_INLINE int came_generic(const struct xdp_md *ctx)
{
	const struct sw_port *port = sw_read(core.config.n_generic) ? port_get(ctx->ingress_ifindex) : 0;

	return port && port->flags & SW_PORT_GENERIC;
}

/* A callback for each bucket costs more than what is in it (9 ns where the kernel guards returns): not for few. */
SW_INLINE void copies_walk_all(__u32 n_buckets, struct walk *walk)
{
	if (sw_likely(n_buckets <= COPY_BUCKETS)) {
		walk->scratch->account.n_at_once = n_buckets;
		copies_walk(0, walk);
	} else {
		walk->scratch->account.n_at_once = 1;
		bpf_loop(n_buckets, copies_walk, walk, 0);
	}
}

/*
 * Counts the copies of the frame in the CPU's scratch for every member of the set but the one that it came in by. 0:
 * there is no such member, for devices that vanish leave the set by themselves: nobody loses a copy, and so the frame
 * itself is lost. A global function is verified once, not for each way that leads here; Linux 6.1 would give up else.
 */
__attribute__((noinline)) int copies_count(struct xdp_md *ctx, __u32 set_id, __u32 differ)
{
	const struct tagged_frame *tagged = vlan_frame(ctx);
	const struct bpf_dtab *set = bpf_map_lookup_elem(&sets, &set_id);
	struct sw_scratch *s = scratch_get();
	struct walk walk = {};
	__u32 n;

	if (!set || !s)
		return 0;
	s->n_copies = 0;
	s->account = (struct sw_account){.differ = differ};
	if (tagged)
		s->account.vid = sw_swap16(tagged->tci_be) & SW_VLAN_VID;
	s->account.is_generic = came_generic(ctx);
	walk.heads = set->dev_index_head;
	walk.scratch = s;
	if (core.config.is_trial)
		return 1;
	copies_walk_all(set->n_buckets, &walk);
	n = s->n_copies + s->account.n_lost;
	if (s->account.is_broken)
		s->n_copies = 0;
	return n;
}

/* Redirects the frame, which is the one in the scratch, to all of those; where they differ, back as well. */
SW_INLINE int copies_send(struct xdp_md *ctx, const struct frame *frame, __u32 set_id, void *members, __u32 differ)
{
	__u64 flags = differ ? BPF_F_BROADCAST : BPF_F_BROADCAST | BPF_F_EXCLUDE_INGRESS;

	if (!copies_count(ctx, set_id, differ))
		return frame_drop(frame, frame->in_port, SW_DROP_NO_OUTPUT);
	if (bpf_redirect_map(members, 0, flags) != XDP_REDIRECT)
		return frame_drop(frame, frame->in_port, SW_DROP_REDIRECT);
	return XDP_REDIRECT;
}

#endif
