/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* vlan_xdp.h - tags where they are among the frame's bytes; see vlan.h. */
#ifndef SW_VLAN_XDP_H
#define SW_VLAN_XDP_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "frame.h"

struct tagged_frame {
	__u32 macs[3];
	__be16 tpid_be; /* untagged: the EtherType */
	__be16 tci_be;  /* untagged: the payload's first bytes */
};

/* The frame's first bytes, or null if it is not an 802.1Q frame or its first buffer is shorter than that. */
SW_INLINE struct tagged_frame *vlan_frame(const hook_ctx *ctx)
{
	struct tagged_frame *tagged = frame_data(ctx);

	if ((void *)(tagged + 1) > frame_end(ctx) || tagged->tpid_be != sw_swap16(SW_ETH_VLAN))
		return 0;
	return tagged;
}

SW_INLINE __u32 vlan_tag(const hook_ctx *ctx)
{
	const struct tagged_frame *tagged = vlan_frame(ctx);

	return tagged ? sw_swap16(tagged->tci_be) & SW_VLAN_VID : 0;
}

SW_INLINE enum sw_drop vlan_push(hook_ctx *ctx, __u32 tci)
{
	struct tagged_frame *to, *from;

	if (bpf_xdp_adjust_head(ctx, -TAG_SIZE))
		return SW_DROP_NO_HEADROOM;
	to = frame_data(ctx);
	from = frame_data(ctx) + TAG_SIZE;
	if ((void *)(to + 1) > frame_end(ctx)) /* as far as the addresses of `from`: there may be no payload */
		return SW_DROP_BAD_PROGRAM;
	to->macs[0] = from->macs[0];
	to->macs[1] = from->macs[1];
	to->macs[2] = from->macs[2];
	to->tpid_be = sw_swap16(SW_ETH_VLAN);
	to->tci_be = sw_swap16(tci);
	return SW_DROP_NONE;
}

SW_INLINE enum sw_drop vlan_pop(hook_ctx *ctx)
{
	struct tagged_frame *from = vlan_frame(ctx), *to = (void *)from + TAG_SIZE;
	__u32 macs[3];

	if (!from)
		return SW_DROP_BAD_PROGRAM;
	macs[0] = from->macs[0];
	macs[1] = from->macs[1];
	macs[2] = from->macs[2];
	to->macs[0] = macs[0];
	to->macs[1] = macs[1];
	to->macs[2] = macs[2];
	return bpf_xdp_adjust_head(ctx, TAG_SIZE) ? SW_DROP_BAD_PROGRAM : SW_DROP_NONE;
}

SW_INLINE enum sw_drop vlan_set(hook_ctx *ctx, __u32 vid)
{
	struct tagged_frame *tagged = vlan_frame(ctx);

	if (!tagged)
		return SW_DROP_BAD_PROGRAM;
	tagged->tci_be = (tagged->tci_be & sw_swap16(0xf000)) | sw_swap16(vid & SW_VLAN_VID);
	return SW_DROP_NONE;
}

#endif
