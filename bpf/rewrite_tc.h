/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * rewrite_tc.h - VLAN tags of an skb, which are not among its bytes (vlan_tc.h). So no edit of a rewrite that comes
 * here moves any, and what is beside the bytes has no padding.
 *
 * Two kinds of rewrites are the daemon's: those of which what the kernel knows of the skb would not be true any more
 * (is_upheaval), and those that only find out on the way that a frame is none for them (SW_LOOK_UNDO), for a tag that
 * was taken off beside the bytes could not be put back with them.
 */
#ifndef SW_REWRITE_TC_H
#define SW_REWRITE_TC_H

#include "rewrite_parts.h"
#include "vlan.h"

/* What the edits that move bytes would call. */
SW_INLINE int rewrite_open(hook_ctx *ctx, struct sw_layers *layers, int size)
{
	return SW_DROP_BAD_PROGRAM;
}

struct rewrite_front {
	__u32 macs[3];
	__u32 tag;
};

SW_INLINE int rewrite_close(
	hook_ctx *ctx, struct sw_layers *layers, int size, const struct rewrite_front *front, int has_tag)
{
	return SW_DROP_BAD_PROGRAM;
}

SW_INLINE void rewrite_pad(hook_ctx *ctx)
{
}

/* Of the outer tag; 0: there is none. */
SW_INLINE __u32 rewrite_tci_of(hook_ctx *ctx, const struct sw_layers *layers)
{
	return frame_hides_tag(ctx) ? ctx->vlan_tci : 0;
}

SW_INLINE int rewrite_push_vlan(hook_ctx *ctx, struct sw_layers *layers, __u32 type)
{
	__u32 tci = rewrite_tci_of(ctx, layers) & REWRITE_TAG_KEPT;

	layers->l3 = 0;
	return bpf_skb_vlan_push(ctx, sw_swap16((__u16)type), tci) ? SW_DROP_NO_HEADROOM : SW_DROP_NONE;
}

SW_INLINE int rewrite_pop_vlan(hook_ctx *ctx, struct sw_layers *layers)
{
	if (!frame_hides_tag(ctx))
		return SW_DROP_NONE;
	layers->l3 = 0;
	return bpf_skb_vlan_pop(ctx) ? SW_DROP_BAD_PROGRAM : SW_DROP_NONE;
}

SW_INLINE void rewrite_tci(hook_ctx *ctx, const struct sw_layers *layers, __u32 mask, __u32 bits)
{
	if (frame_hides_tag(ctx))
		vlan_put_tci(ctx, (ctx->vlan_tci & ~mask) | (bits & mask));
}

/* Of rewrites that may be undone, none of which comes here. */
__attribute__((noinline)) int rewrite_keep(hook_ctx *ctx)
{
	return SW_DROP_NONE;
}

__attribute__((noinline)) int rewrite_undo(hook_ctx *ctx)
{
	return SW_DROP_BAD_PROGRAM;
}

#endif
