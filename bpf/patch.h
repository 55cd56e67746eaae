/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * patch.h - a rewrite carried out at one stroke (struct sw_patch).
 *
 * What: byte for byte what rewrite_run() makes of a frame that is whole TCP or UDP over IPv4 without options, for the
 * edits that dataplane/patch.c puts together: addresses, ports, TTL, DSCP, ECN. There nothing needs to be looked for,
 * no edit can fail, and the two checksums are mended once, by all that has changed under them.
 *
 * Why: as a list of edits, address and port of one side cost 70 ns; NAT is nothing else.
 *
 * Sums: to add multiples of 0xffff changes nothing in one's complement, so each subtrahend is taken from one that is
 * larger than it. What is folded is not zero, then, and the result that of edit after edit.
 *
 * Where the kernel knows whether the transport's checksum is finished (csum_tc.h) it mends that one, when all else is
 * done: packet pointers are void then.
 */
#ifndef SW_PATCH_H
#define SW_PATCH_H

#include "csum.h"
#include "extract.h"

#define PATCH_REACH 38 /* bytes from the IP header on: as far as the checksum of TCP */

/* A multiple of 0xffff that no sum of two words of 32 bits exceeds, and one that no such word does. */
#define PATCH_TWICE 0x1fffffffeULL
#define PATCH_ONCE  0x0ffffffffULL

/* Whether it is all there is to do for this frame, which is of the kind that patches are for. */
SW_INLINE int patch_fits(const struct sw_patch *patch, const struct sw_wire_ipv4 *ip)
{
	return patch->does && ip->ttl >= patch->ttl_least && (!patch->ip_proto || patch->ip_proto == ip->proto);
}

SW_INLINE __u16 patch_mended(__u16 csum, __u64 growth)
{
	return ~csum_fold_few((csum ^ 0xffff) + growth);
}

/* Each protocol by itself: what both would share, the field's place and the protocol, is no constant then. */
SW_INLINE void patch_mend_l4(void *l4, __u32 ip_proto, __u64 growth)
{
	__u16 *csum = l4 + 16, mended;

	if (ip_proto != SW_IP_UDP) {
		*csum = patch_mended(*csum, growth);
		return;
	}
	csum = l4 + 6;
	if (!*csum)
		return;
	mended = patch_mended(*csum, growth);
	*csum = mended ? mended : 0xffff;
}

/* New addresses, and by how much the sums over them grow. */
SW_INLINE __u64 patch_addrs(struct sw_wire_u64 *addrs, const struct sw_patch *patch)
{
	__u64 was = addrs->value, is = (was & patch->addrs_keep) | patch->addrs_set;

	addrs->value = is;
	return (is >> 32) + (__u32)is + PATCH_TWICE - (was >> 32) - (__u32)was;
}

SW_INLINE __u64 patch_ports(struct sw_wire_u32 *l4, const struct sw_patch *patch)
{
	__u32 was = l4->value, is = (was & patch->ports_keep) | patch->ports_set;

	l4->value = is;
	return is + PATCH_ONCE - was;
}

/* TOS and TTL. */
SW_INLINE __u64 patch_words(__u16 *tos, __u16 *ttl, const struct sw_patch *patch)
{
	__u16 was_tos = *tos, is_tos = (was_tos & patch->tos_keep) | patch->tos_set;
	__u16 was_ttl = *ttl, is_ttl = (was_ttl & patch->ttl_keep) + patch->ttl_plus;

	*tos = is_tos;
	*ttl = is_ttl;
	return (__u64)is_tos + is_ttl + PATCH_TWICE - was_tos - was_ttl;
}

/* An unfinished checksum is of the addresses alone. */
SW_INLINE void patch_mend_apart(hook_ctx *ctx, __u32 l4, __u32 ip_proto, __u64 addrs, __u64 beside)
{
	__u32 is_udp = ip_proto == SW_IP_UDP, at = l4 + (is_udp ? 6 : 16);

	csum_mend(ctx, at, csum_fold(addrs), is_udp, 1);
	csum_mend(ctx, at, csum_fold(beside), is_udp, 0);
}

/* `eth` has 12 bytes, and `ip`, which is `l3` bytes behind it, PATCH_REACH. */
SW_INLINE void patch_apply(hook_ctx *ctx, void *eth, __u32 l3, const struct sw_patch *patch)
{
	struct sw_wire_ipv4 *ip = eth + l3;
	struct sw_wire_u64 *macs = eth;
	struct sw_wire_u32 *src = eth + 8;
	__u64 growth = 0, beside = 0;
	__u32 ip_proto = ip->proto;

	if (patch->does & SW_PATCH_MACS) {
		macs->value = (macs->value & patch->macs_keep) | patch->macs_set;
		src->value = (src->value & patch->src_keep) | patch->src_set;
	}
	if (patch->does & SW_PATCH_L4_SUM) {
		growth = patch_addrs((void *)&ip->src_be, patch);
		beside = patch_ports((void *)(ip + 1), patch);
		if (!HOOK_KEEPS_CSUM)
			patch_mend_l4(ip + 1, ip->proto, growth + beside);
	}
	if (patch->does & SW_PATCH_IP_SUM) {
		__u64 words = patch_words((void *)ip, (void *)&ip->ttl, patch);

		ip->csum_be = ~csum_fold_few((ip->csum_be ^ 0xffff) + growth + words);
	}
	if (HOOK_KEEPS_CSUM && patch->does & SW_PATCH_L4_SUM)
		patch_mend_apart(ctx, l3 + sizeof(*ip), ip_proto, growth, beside);
}

#endif
