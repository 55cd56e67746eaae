/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * vlan_tc.h - tags that the kernel keeps beside the frame's bytes; see vlan.h.
 *
 * They are put there and taken away by its own helpers, which see to the protocol and the checksum that the skb is
 * said to have. Where there are two tags the inner one is among the bytes and changes places with the outer one.
 */
#ifndef SW_VLAN_TC_H
#define SW_VLAN_TC_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "frame.h"

SW_INLINE int vlan_is_there(const hook_ctx *ctx)
{
	return frame_hides_tag(ctx) && ctx->vlan_proto == sw_swap16(SW_ETH_VLAN);
}

SW_INLINE __u32 vlan_tag(const hook_ctx *ctx)
{
	return vlan_is_there(ctx) ? ctx->vlan_tci & SW_VLAN_VID : 0;
}

SW_INLINE enum sw_drop vlan_push(hook_ctx *ctx, __u32 tci)
{
	return bpf_skb_vlan_push(ctx, sw_swap16(SW_ETH_VLAN), tci) ? SW_DROP_NO_HEADROOM : SW_DROP_NONE;
}

SW_INLINE enum sw_drop vlan_pop(hook_ctx *ctx)
{
	return vlan_is_there(ctx) && !bpf_skb_vlan_pop(ctx) ? SW_DROP_NONE : SW_DROP_BAD_PROGRAM;
}

/* Gives the outermost tag, of whatever protocol, another TCI. */
SW_INLINE enum sw_drop vlan_put_tci(hook_ctx *ctx, __u32 tci)
{
	__be16 proto_be = ctx->vlan_proto;

	if (bpf_skb_vlan_pop(ctx))
		return SW_DROP_BAD_PROGRAM;
	return bpf_skb_vlan_push(ctx, proto_be, tci) ? SW_DROP_NO_HEADROOM : SW_DROP_NONE;
}

SW_INLINE enum sw_drop vlan_set(hook_ctx *ctx, __u32 vid)
{
	if (!vlan_is_there(ctx))
		return SW_DROP_BAD_PROGRAM;
	return vlan_put_tci(ctx, (ctx->vlan_tci & ~SW_VLAN_VID) | (vid & SW_VLAN_VID));
}

#endif
