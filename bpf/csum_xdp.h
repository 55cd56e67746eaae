/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * csum_xdp.h - finishes the TCP and UDP checksums that a guest left to hardware which is not there.
 *
 * What: a guest or container with checksum offload sends TCP and UDP with only the folded, not inverted sum of the
 * pseudo header in the checksum field (CHECKSUM_PARTIAL), and a mark beside the frame that says so. XDP does not see
 * the mark and a redirect loses it, so the receiver drops every such frame. Here they are recognised and finished.
 *
 * How: the field is compared with the pseudo-header sum, which costs a few nanoseconds and lets 65,535 of 65,536
 * finished frames pass. Where they are equal the segment is summed over all its buffers: if its checksum is right as it
 * stands the frame was finished and stays as it is, to the bit; else it was not, and is finished now.
 *
 * Invariants
 * S2 A frame whose checksum is right leaves with the bytes it came with.
 * S3 Finishing twice is finishing once, so that a stage may call this without knowing whether another one has.
 *
 * Safe error: to leave a frame alone; its receiver drops it. Unsafe error: to give a right checksum to a frame that was
 * damaged on the way. It takes a damaged frame whose field happens to equal its pseudo-header sum, on a port that is
 * flagged as a guest's (SW_PORT_CSUM): 1 in 65,536 of frames damaged inside one host.
 *
 * Not touched: fragments (the kernel never leaves those unfinished), UDP without a checksum, UDP-Lite, SCTP's CRC,
 * checksums inside tunnels. Behind up to two more VLAN tags, which the key does not look through, it is done.
 */
#ifndef SW_CSUM_XDP_H
#define SW_CSUM_XDP_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "extract.h"
#include "frame.h"
#include "maps.h"

#define CSUM_MAX_TAGS   2
#define CSUM_MAX_CHUNKS (65536 / SW_SCRATCH_CHUNK)

/* The folded sum of the pseudo header, of host words as they lie in memory. */
SW_INLINE __u32 csum_pseudo(const void *data, const void *data_end, const struct sw_headers *headers)
{
	__u64 sum = (__u64)sw_swap32(headers->l4_size) + sw_swap32(headers->ip_proto);
	const struct sw_wire_ipv4 *ip4;
	const struct sw_wire_ipv6 *ip6;

	if (headers->eth_type_be == sw_swap16(SW_ETH_IPV4)) {
		ip4 = sw_at(data, data_end, headers->l3, sizeof(*ip4));
		return ip4 ? csum_fold(sum + ip4->src_be + ip4->dst_be) : 0;
	}
	ip6 = sw_at(data, data_end, headers->l3, sizeof(*ip6));
	if (!ip6)
		return 0;
	sum += (__u64)ip6->src_be[0] + ip6->src_be[1] + ip6->src_be[2] + ip6->src_be[3];
	sum += (__u64)ip6->dst_be[0] + ip6->dst_be[1] + ip6->dst_be[2] + ip6->dst_be[3];
	return csum_fold(sum);
}

/* Moves l3 behind the tags that the key does not look through. */
SW_INLINE void csum_skip_tags(const void *data, const void *data_end, struct sw_headers *headers)
{
	const struct sw_wire_vlan *tag;
	__u32 i;

	for (i = 0; i < CSUM_MAX_TAGS; i++) {
		if (headers->eth_type_be != sw_swap16(SW_ETH_VLAN) && headers->eth_type_be != sw_swap16(SW_ETH_SVLAN))
			return;
		tag = sw_at(data, data_end, headers->l3, sizeof(*tag));
		if (!tag)
			return;
		headers->l3 += sizeof(*tag);
		headers->eth_type_be = tag->type_be;
	}
}

/*
 * Whether the checksum may be unfinished: then the headers, with l4, and the pseudo-header sum. The bytes at hand are
 * as for sw_extract_part.
 */
SW_INLINE int csum_is_suspect(
	const void *data, const void *data_end, __u32 frame_size, struct sw_headers *headers, __u32 *ret_pseudo)
{
	const __u16 *field;
	__u32 offset, pseudo;

	if (!headers->l4) {
		csum_skip_tags(data, data_end, headers);
		sw_extract_network(data, data_end, frame_size, 0, headers);
	}
	offset = csum_field(headers->ip_proto);
	if (!headers->l4 || !offset || headers->ip_frag || headers->l4_size < offset + 2)
		return 0;
	field = sw_at(data, data_end, headers->l4 + offset, sizeof(*field));
	if (!field)
		return 0;
	pseudo = csum_pseudo(data, data_end, headers);
	*ret_pseudo = pseudo;
	return pseudo && *field == pseudo;
}

/* Adds chunk_size bytes at offset to *sum; -1 if they cannot be read. */
SW_INLINE int csum_chunk(hook_ctx *ctx, struct sw_scratch *s, __u32 offset, __u32 chunk_size, __s64 *sum)
{
	if (bpf_xdp_load_bytes(ctx, offset, s->bytes, chunk_size))
		return -1;
	__builtin_memset(s->bytes + chunk_size, 0, 4);
	*sum = bpf_csum_diff(0, 0, (void *)s->bytes, (chunk_size + 3) & ~3U, *sum);
	return *sum < 0 ? -1 : 0;
}

/* The sum of `size` bytes from offset on; -1 if they cannot be read. Whole chunks first: the verifier walks each. */
SW_INLINE __s64 csum_segment(hook_ctx *ctx, __u32 offset, __u32 size)
{
	__u32 n_chunks = size / SW_SCRATCH_CHUNK, rest = size % SW_SCRATCH_CHUNK, i;
	struct sw_scratch *s = scratch_get();
	__s64 sum = 0;

	if (!s || n_chunks > CSUM_MAX_CHUNKS)
		return -1;
	for (i = 0; i < CSUM_MAX_CHUNKS && i < n_chunks; i++) {
		if (csum_chunk(ctx, s, offset, SW_SCRATCH_CHUNK, &sum))
			return -1;
		offset += SW_SCRATCH_CHUNK;
	}
	if (rest && csum_chunk(ctx, s, offset, bounded_size(rest, SW_SCRATCH_CHUNK), &sum))
		return -1;
	return sum;
}

/* Finishes the segment at l4 if it is unfinished; 1 if it did. A global function, so that it is verified once. */
__attribute__((noinline)) int csum_finish(hook_ctx *ctx, __u32 l4, __u32 l4_size, __u32 ip_proto, __u32 pseudo)
{
	__s64 sum = csum_segment(ctx, l4, l4_size);
	__u16 value;

	if (sum < 0 || csum_fold(sum + pseudo) == 0xffff)
		return 0;
	value = ~csum_fold(sum);
	if (!value && ip_proto == SW_IP_UDP)
		value = 0xffff;
	return !bpf_xdp_store_bytes(ctx, l4 + csum_field(ip_proto), &value, sizeof(value));
}

/* As csum_is_suspect, on a copy of the first bytes. */
SW_INLINE int csum_is_suspect_far(hook_ctx *ctx, __u32 frame_size, struct sw_headers *headers, __u32 *ret_pseudo)
{
	struct sw_scratch *s = scratch_get();
	__u32 size = sw_parse_size(frame_size);

	if (!s || !size || frame_copy(ctx, s->bytes, bounded_size(size, SW_PARSE_MAX)))
		return 0;
	sw_extract_part(s->bytes, s->bytes + size, frame_size, 0, SW_L2_WORDS, &s->key, headers);
	return headers->l3 && csum_is_suspect(s->bytes, s->bytes + size, frame_size, headers, ret_pseudo);
}

/*
 * Finishes the checksum of a frame of this port, as it came in, if need be, and counts that it did. A global function:
 * the parser in it need not be verified for each call. Packet pointers are void after, and so is the key in the
 * scratch, for which there is no room on the stack.
 */
__attribute__((noinline)) int csum_check(hook_ctx *ctx, __u32 frame_size, __u32 in_port)
{
	__u32 size = sw_parse_size(frame_size), pseudo = 0;
	const void *data = frame_data(ctx), *data_end = frame_end(ctx);
	struct sw_scratch *s = scratch_get();
	struct sw_headers headers = {};
	struct sw_port_stats *stats;
	int suspect;

	if (!s)
		return 0;
	if (frame_first_size(ctx) >= size) {
		sw_extract_part(data, data_end, frame_size, 0, SW_L2_WORDS, &s->key, &headers);
		suspect = headers.l3 && csum_is_suspect(data, data_end, frame_size, &headers, &pseudo);
	} else {
		suspect = csum_is_suspect_far(ctx, frame_size, &headers, &pseudo);
	}
	if (!suspect || !csum_finish(ctx, headers.l4, headers.l4_size, headers.ip_proto, pseudo))
		return 0;
	stats = port_stats_get(bpf_get_smp_processor_id(), in_port);
	if (stats)
		stats->csum_done++;
	return 0;
}

/*
 * Whether a glance shows that there is nothing to do: TCP or UDP over IPv4 without options, not a fragment, whose field
 * is not the pseudo-header sum. Most frames are of this kind, and csum_check() is for the others. There are 38 bytes.
 */
SW_INLINE int csum_is_plain_ipv4(const struct sw_wire_ipv4 *ip)
{
	const __u16 *field = (const void *)(ip + 1) + 16;
	__u32 proto = ip->proto;
	__u64 sum;

	if (ip->version_ihl != 0x45 || ip->frag_be & sw_swap16(0x3fff))
		return 0;
	if (proto == SW_IP_UDP)
		field = (const void *)(ip + 1) + 6;
	else if (proto != SW_IP_TCP)
		return 0;
	/* Less the IP header, in one's complement: no number needs its bytes swapped. */
	sum = (__u64)ip->src_be + ip->dst_be + ip->total_size_be + (0xffff - sw_swap16((__u16)sizeof(*ip))) +
	      sw_swap16((__u16)proto);
	return *field != csum_fold_few(sum);
}

/* The same of IPv6 without extension headers, of which the fixed header is there. */
SW_INLINE int csum_is_plain_ipv6(const struct sw_wire_ipv6 *ip, const void *data_end)
{
	const __u16 *field = (const void *)(ip + 1) + 6;
	const struct sw_wire_u32 *word = (const void *)&ip->src_be;
	__u32 proto = ip->next, i;
	__u64 sum;

	if (proto == SW_IP_TCP)
		field = (const void *)(ip + 1) + 16;
	else if (proto != SW_IP_UDP)
		return 0;
	if ((const void *)(field + 1) > data_end)
		return 0;
	sum = (__u64)ip->payload_size_be + sw_swap16((__u16)proto);
#pragma GCC unroll 8
	for (i = 0; i < 8; i++)
		sum += word[i].value;
	return *field != csum_fold_few(sum);
}

/* A glance at a frame of this type, behind its Ethernet header and tag. */
SW_INLINE int csum_is_plain(const hook_ctx *ctx, __be16 eth_type_be, __u32 l3)
{
	const void *ip = frame_data(ctx) + l3;

	if (eth_type_be == sw_swap16(SW_ETH_IPV4))
		return ip + 38 <= frame_end(ctx) && csum_is_plain_ipv4(ip);
	if (eth_type_be == sw_swap16(SW_ETH_IPV6))
		return ip + sizeof(struct sw_wire_ipv6) <= frame_end(ctx) && csum_is_plain_ipv6(ip, frame_end(ctx));
	return 0;
}

/* As csum.h says. The field is looked for as rewrite_at() does. */
SW_INLINE void csum_mend(hook_ctx *ctx, __u32 at, __u32 growth, int is_udp, int is_pseudo)
{
	__u16 *csum = (void *)sw_at(frame_data(ctx), frame_end(ctx), at, sizeof(*csum));

	if (!csum || (is_udp && !*csum))
		return;
	*csum = ~csum_fold((__u64)(*csum ^ 0xffff) + growth);
	if (is_udp && !*csum)
		*csum = 0xffff;
}

#endif
