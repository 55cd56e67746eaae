/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * copies.h - a frame for every member of a set.
 *
 * This walks the elements of the device map that is the set, as the kernel does where it broadcasts, and has the hook
 * do for each member what it must: at XDP the kernel makes the copies, and here they are counted (copies_xdp.h); at tc
 * they are made here (copies_tc.h).
 *
 *	copies_hindrance(ctx, size, set, growth)		what keeps all members from getting theirs, or
 *								SW_UPCALL_NONE
 *	copies_may_pair(ctx, frame, set_id)			whether a frame and a mirror's copy of it can be made so
 *	copies_send(ctx, frame, set_id, members, kind)		the verdict
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
#include "device.h"
#include "frame.h"
#include "kernel.h"
#include "maps.h"
#include "vlan.h"

/* Hash buckets walked at once: the smallest set that the daemon makes has so many, and as many members. */
#define COPY_BUCKETS 16
/* Of a walk, a bucket or an element each: 16 and 16, or one bucket with SW_MAX_PORTS ids over 16, and one more. */
#define COPY_STEPS 66

#define COPY_NDO_XMIT 4 /* NETDEV_XDP_ACT_NDO_XMIT, include/uapi/linux/netdev.h */
#define COPY_TAG_ROOM 4 /* that the kernel grants above the MTU (xdp_ok_fwd_dev) */

enum copies_kind {
	COPIES_FLOOD,  /* those lose their tag whose port says so; none goes back where the frame came from */
	COPIES_DIFFER, /* each is rewritten as its port's is to be, and one may go back */
	COPIES_AS_IS,  /* of a frame for one port, and a mirror's copy of it */
};

/* Where the set is. The account of the frame's copies is in the scratch. */
struct walk {
	hook_ctx *ctx;
	struct hlist_head *heads;
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

/* Does what is to be done for this member. */
SW_INLINE void copy_each(struct walk *walk, struct sw_scratch *s, struct sw_row *row, const struct copy_target *target);

/*
 * What is in `n_left` hash buckets of the set, from `bucket` on. One loop over buckets and elements: the verifier would
 * follow one within another through every pair of their turns.
 */
static __attribute__((noinline)) long copies_walk(__u32 bucket, struct walk *walk)
{
	struct sw_scratch *s = scratch_get();
	struct sw_row *row = s ? row_get(s->frame.cpu) : 0;
	struct copy_target target = {};
	struct hlist_node *at = 0;
	__u32 i;

	if (!s || !row)
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
			copy_each(walk, s, row, &target);
	}
	return 0;
}

/* A callback for each bucket costs more than what is in it (9 ns where the kernel guards returns): not for few. */
SW_INLINE void copies_walk_all(__u32 n_buckets, struct sw_scratch *s, struct walk *walk)
{
	if (sw_likely(n_buckets <= COPY_BUCKETS)) {
		s->account.n_at_once = n_buckets;
		copies_walk(0, walk);
	} else {
		s->account.n_at_once = 1;
		bpf_loop(n_buckets, copies_walk, walk, 0);
	}
}

#ifdef SW_HOOK_TC
#include "copies_tc.h"
#else
#include "copies_xdp.h"
#endif

#endif
