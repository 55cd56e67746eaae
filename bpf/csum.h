/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * csum.h - sums of headers, and what a hook has to do for checksums that are not finished.
 *
 *	csum_check(ctx, size, port)		finishes the frame's, if need be
 *	csum_is_plain(ctx, type, l3)		whether a glance shows that there is nothing to do, ...
 *	csum_is_plain_ipv4(ip)			... of IPv4, of which there are 38 bytes,
 *	csum_is_plain_ipv6(ip, end)		... and of IPv6
 *	csum_mend(ctx, at, growth, is_udp, is_pseudo)
 *						mends the checksum at that offset by how much the words under it have
 *						grown, which were the pseudo header's or not; UDP's 0 stays
 */
#ifndef SW_CSUM_H
#define SW_CSUM_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "extract.h"
#include "frame.h"
#include "maps.h"

SW_INLINE __u32 csum_fold(__u64 sum)
{
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	return sum;
}

/* Offset of the checksum in a header of this protocol; 0: it has none that is ours to finish. */
SW_INLINE __u32 csum_field(__u32 ip_proto)
{
	return ip_proto == SW_IP_TCP ? 16 : ip_proto == SW_IP_UDP ? 6 : 0;
}

/* A sum of few 32-bit words, folded at one stroke: the top digit is that of all four, with the carry of those below. */
SW_INLINE __u32 csum_fold_few(__u64 sum)
{
	return (sum * 0x0001000100010001ULL) >> 48;
}

#ifdef SW_HOOK_TC
#include "csum_tc.h"
#else
#include "csum_xdp.h"
#endif

#endif
