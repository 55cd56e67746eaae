/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * hook_tc.h - a frame at a device's tc ingress: an skb.
 *
 * Its outermost tag is never among its bytes: the kernel has put it beside them before we are asked, whoever sent it
 * (__netif_receive_skb_core()). Stages that speak of a frame's bytes as on the wire have them by frame_copy(), which
 * puts the tag back, and all lengths count it; who works on the bytes in place finds them without.
 *
 * It may stand for many frames (GSO): then it is as long as they together, headers counted once. It is counted as one,
 * as the kernel's own bridge and Open vSwitch do.
 *
 * Only the linear part is between frame_data() and frame_end(), which headers that our own kernel has written always
 * are in; those of others are brought there (frame_gather()).
 */
#ifndef SW_HOOK_TC_H
#define SW_HOOK_TC_H

#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "abi.h"
#include "extract.h"

/* Of tc's verdicts a link (tcx) knows three, and takes any other for "ask the next one": the host would get the frame.
 */
#define VERDICT_DROP  TC_ACT_SHOT
#define VERDICT_SENT  TC_ACT_REDIRECT
#define VERDICT_TAKEN TC_ACT_SHOT

#define HOOK_KEEPS_CSUM 1
#define HOOK_HAS_MARKS  0

#define TAG_HIDDEN_AT   12 /* where it belongs */
#define TAG_HIDDEN_SIZE 4

struct sk_buff {
	unsigned char *head;
	unsigned int end;
} __attribute__((preserve_access_index));

struct skb_shared_info {
	unsigned int gso_type;
} __attribute__((preserve_access_index));

SW_INLINE int frame_hides_tag(const hook_ctx *ctx)
{
	return ctx->vlan_present;
}

/* Nothing that is done to an skb needs it in one piece. */
SW_INLINE int frame_is_split(hook_ctx *ctx)
{
	return 0;
}

SW_INLINE __u32 frame_whole_size(const hook_ctx *ctx)
{
	return ctx->len + (frame_hides_tag(ctx) ? TAG_HIDDEN_SIZE : 0);
}

SW_INLINE __u32 frame_size(hook_ctx *ctx)
{
	return frame_whole_size(ctx);
}

/* Of one that hides no tag. */
SW_INLINE __u32 frame_length(const hook_ctx *ctx, const void *data, const void *end)
{
	return ctx->len;
}

/* What a port can take is asked of each frame when it leaves (out_tc.h). */
SW_INLINE int frame_is_long(__u32 size)
{
	return 0;
}

/* Those that are its bytes: without a tag that it hides. */
SW_INLINE __u32 frame_bytes(const hook_ctx *ctx)
{
	return ctx->len;
}

SW_INLINE int frame_is_gso(const hook_ctx *ctx)
{
	return ctx->gso_size != 0;
}

SW_INLINE __u32 frame_gso_size(const hook_ctx *ctx)
{
	return ctx->gso_size;
}

/* SKB_GSO_*, include/linux/skbuff.h; 0: not known (before Linux 6.2), or none. */
SW_INLINE __u32 frame_gso_type(hook_ctx *ctx)
{
	const struct skb_shared_info *shared;
	const struct sk_buff *skb;

	if (!bpf_cast_to_kern_ctx || !frame_is_gso(ctx))
		return 0;
	skb = bpf_cast_to_kern_ctx(ctx);
	shared = (void *)(skb->head + skb->end);
	return BPF_CORE_READ(shared, gso_type);
}

/* Behind the addresses, with the tag between. */
SW_INLINE long frame_copy_tagged(hook_ctx *ctx, void *to, __u32 size)
{
	__be16 *tag = to + TAG_HIDDEN_AT;

	if (size <= TAG_HIDDEN_AT + TAG_HIDDEN_SIZE || bpf_skb_load_bytes(ctx, 0, to, TAG_HIDDEN_AT))
		return -1;
	tag[0] = ctx->vlan_proto;
	tag[1] = sw_swap16((__u16)ctx->vlan_tci);
	return bpf_skb_load_bytes(
		ctx, TAG_HIDDEN_AT, to + TAG_HIDDEN_AT + TAG_HIDDEN_SIZE, size - TAG_HIDDEN_AT - TAG_HIDDEN_SIZE);
}

SW_INLINE long frame_copy(hook_ctx *ctx, void *to, __u32 size)
{
	if (sw_unlikely(frame_hides_tag(ctx)))
		return frame_copy_tagged(ctx, to, size);
	return bpf_skb_load_bytes(ctx, 0, to, size);
}

SW_INLINE long frame_gather(hook_ctx *ctx, __u32 size)
{
	if (size > ctx->len)
		size = ctx->len;
	return frame_first_size(ctx) < size ? bpf_skb_pull_data(ctx, size) : 0;
}

SW_INLINE void frame_strip(hook_ctx *ctx)
{
}

#endif
