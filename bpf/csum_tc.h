/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * csum_tc.h - an skb knows whether its checksum is finished, and whoever needs it finishes it; see csum.h. The daemon
 * does for what goes up.
 */
#ifndef SW_CSUM_TC_H
#define SW_CSUM_TC_H

#include "frame.h"

SW_INLINE int csum_check(hook_ctx *ctx, __u32 frame_size, __u32 in_port)
{
	return 0;
}

SW_INLINE int csum_is_plain(const hook_ctx *ctx, __be16 eth_type_be, __u32 l3)
{
	return 1;
}

SW_INLINE int csum_is_plain_ipv4(const struct sw_wire_ipv4 *ip)
{
	return 1;
}

SW_INLINE int csum_is_plain_ipv6(const struct sw_wire_ipv6 *ip, const void *data_end)
{
	return 1;
}

/* The kernel knows which of the sums is in the field: the segment's, or the pseudo header's alone. */
SW_INLINE void csum_mend(hook_ctx *ctx, __u32 at, __u32 growth, int is_udp, int is_pseudo)
{
	bpf_l4_csum_replace(
		ctx, at, 0, growth, (is_udp ? BPF_F_MARK_MANGLED_0 : 0) | (is_pseudo ? BPF_F_PSEUDO_HDR : 0));
}

#endif
