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

#define COPY_CHAIN    64 /* elements of a hash bucket at most: SW_MAX_PORTS ids over 16 buckets or more */
#define COPY_UP       1  /* IFF_UP, include/uapi/linux/if.h */
#define COPY_NDO_XMIT 4  /* NETDEV_XDP_ACT_NDO_XMIT, include/uapi/linux/netdev.h */
#define COPY_TAG_ROOM 4  /* that the kernel grants above the MTU (xdp_ok_fwd_dev) */

/* The copies of one frame. */
struct account {
	struct hlist_head *heads;
	__u32 cpu, size, in_port;
	__u32 vid;    /* of its tag; 0: none */
	__u32 n;      /* asked for */
	__u32 differ; /* they are rewritten, and counted, at egress; and may go back where it came from */
	__u32 is_generic, is_broken; /* the frame came in generic mode; and met a member that does not take it */
};

/* A member, as the kernel sees it. */
struct copy_target {
	__u32 id, has_program;
	__u32 ifindex, flags, mtu, header, features;
};

/* Reads an element of the set, and its device; the one behind it. */
SW_INLINE struct hlist_node *copy_read(struct hlist_node *at, struct copy_target *ret)
{
	struct bpf_dtab_netdev *element = (void *)at - bpf_core_field_offset(struct bpf_dtab_netdev, index_hlist);
	struct net_device *dev;

	element = bpf_rdonly_cast(element, bpf_core_type_id_kernel(struct bpf_dtab_netdev));
	dev = element->dev;
	ret->id = element->idx;
	ret->has_program = element->xdp_prog != 0;
	ret->ifindex = dev->ifindex;
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
	ret->ifindex = BPF_CORE_READ(dev, ifindex);
	ret->flags = BPF_CORE_READ(dev, flags);
	ret->mtu = BPF_CORE_READ(dev, mtu);
	ret->header = BPF_CORE_READ(dev, hard_header_len);
	ret->features = COPY_NDO_XMIT;
	return BPF_CORE_READ(element, index_hlist.next);
}

/*
 * As is_valid_dst() asks. In generic mode a driver need not take redirected frames, and one member that cannot take its
 * copy ends the broadcast: those behind it get none (dev_map_redirect_multi()).
 */
SW_INLINE enum sw_drop copy_hindrance(const struct account *account, const struct copy_target *target)
{
	if (account->is_broken)
		return SW_DROP_REDIRECT;
	if (!(target->flags & COPY_UP))
		return SW_DROP_PORT_DOWN;
	if (!(target->features & COPY_NDO_XMIT) && !account->is_generic)
		return SW_DROP_XMIT;
	return account->size > target->mtu + target->header + COPY_TAG_ROOM ? SW_DROP_OVER_MTU : SW_DROP_NONE;
}

SW_INLINE void copy_count(struct account *account, const struct copy_target *target)
{
	struct sw_port_stats *stats = port_stats_get(account->cpu, target->id % SW_MAX_PORTS);
	enum sw_drop reason = copy_hindrance(account, target);
	__u32 size = account->size;
	struct sw_port *port;

	if (reason) {
		drop_count(account->cpu, target->id, reason, 1);
		account->is_broken = account->is_generic;
		return;
	}
	account->n++;
	if (account->differ)
		return;
	if (target->has_program && account->vid) {
		port = port_get(target->ifindex);
		size -= port && port->untagged_vid == account->vid ? TAG_SIZE : 0;
	}
	if (!stats)
		return;
	stats->tx_frames++;
	stats->tx_bytes += size;
}

/* A hash bucket of the set. */
static long copies_walk(__u32 bucket, struct account *account)
{
	struct hlist_head *head = account->heads + bucket;
	struct copy_target target = {};
	struct hlist_node *at;
	__u32 i;

	if (bpf_rdonly_cast) {
		head = bpf_rdonly_cast(head, bpf_core_type_id_kernel(struct hlist_head));
		at = head->first;
	} else {
		at = BPF_CORE_READ(head, first);
	}
#pragma clang loop unroll(disable)
	for (i = 0; i < COPY_CHAIN && at; i++) {
		at = bpf_rdonly_cast ? copy_read(at, &target) : copy_probe(at, &target);
		if (account->differ || target.id != account->in_port)
			copy_count(account, &target);
	}
	return 0;
}

SW_INLINE int came_generic(const struct xdp_md *ctx)
{
	const struct sw_port *port = sw_read(core.config.n_generic) ? port_get(ctx->ingress_ifindex) : 0;

	return port && port->flags & SW_PORT_GENERIC;
}

/*
 * Counts the copies of the frame in the CPU's scratch for every member of the set but the one that it came in by. A
 * global function is verified once, not for each way that leads here; Linux 6.1 would give up else.
 */
__attribute__((noinline)) int copies_count(struct xdp_md *ctx, __u32 set_id, __u32 differ)
{
	const struct tagged_frame *tagged = vlan_frame(ctx);
	const struct bpf_dtab *set = bpf_map_lookup_elem(&sets, &set_id);
	struct sw_scratch *s = scratch_get();
	struct account account = {};

	if (!set || !s)
		return 0;
	account.heads = set->dev_index_head;
	account.cpu = s->frame.cpu;
	account.size = s->frame.size;
	account.in_port = s->frame.in_port;
	account.differ = differ;
	account.vid = tagged ? sw_swap16(tagged->tci_be) & SW_VLAN_VID : 0;
	account.is_generic = came_generic(ctx);
	if (!core.config.is_trial)
		bpf_loop(set->n_buckets, copies_walk, &account, 0);
	s->n_copies = account.is_broken ? 0 : account.n;
	return 0;
}

/* Redirects the frame, which is the one in the scratch, to all of those; where they differ, back as well. */
SW_INLINE int copies_send(struct xdp_md *ctx, const struct frame *frame, __u32 set_id, void *members, __u32 differ)
{
	__u64 flags = differ ? BPF_F_BROADCAST : BPF_F_BROADCAST | BPF_F_EXCLUDE_INGRESS;

	copies_count(ctx, set_id, differ);
	if (bpf_redirect_map(members, 0, flags) != XDP_REDIRECT)
		return frame_drop(frame, frame->in_port, SW_DROP_REDIRECT);
	return XDP_REDIRECT;
}

#endif
