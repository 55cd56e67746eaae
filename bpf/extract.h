/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * extract.h - the packet parser: from the bytes of a frame to its key. There is no other.
 *
 * What: sw_extract() fills a struct sw_key and says where the headers lie. It is compiled into the XDP program and
 * into the daemon, so it is written in what the BPF verifier can follow: no allocation, no unbounded loop, every load
 * behind a comparison with the end of the data, no context and no helper.
 *
 * Why one file: two parsers that disagree on one frame in a million are a hole through which that frame meets the
 * actions of another (design K1).
 *
 * Invariants
 * K1 The key is a function of in_ifindex, depth, the frame's length, and its first SW_PARSE_MAX bytes: nothing else.
 * K2 A layer that is not whole or contradicts itself (an IHL below 5, a total length beyond the frame, a header
 *    beyond SW_PARSE_MAX) leaves its own fields and those of the layers above at zero. Of an IP header it is no
 *    contradiction to have no length, where the frame is longer than that could say.
 *
 * Frames in several buffers: what is in the first buffer may be less than the headers need, and a parser that took
 * that for the end of the frame would break K1. So sw_extract_part() is told the frame's length apart from the bytes
 * at hand, and its caller must bring at least sw_parse_size(length) of them. The program copies them to a scratch
 * buffer when the first buffer is shorter than that.
 *
 * Choices
 * - One 802.1Q tag (0x8100) is taken apart. 0x88a8, and a second 0x8100, are the EtherType and end the parse.
 * - A frame that ends inside its Ethernet header or inside its 802.1Q tag has no l3 (struct sw_headers): a runt.
 * - ARP is read for Ethernet and IPv4 only. Its opcode lies in l4_src, which is as wide; ip_proto of ARP is zero.
 * - IPv6: at most SW_IPV6_EXTENSIONS headers of hop-by-hop, routing, destination, AH and fragment. ip_proto is the
 *   header at which the walk ended, also when it ended early. What a later fragment carries is named by its fragment
 *   header and not looked into. An atomic fragment (offset 0, no more) is not a fragment.
 * - Ports are read only if the whole fixed header lies within the datagram (TCP 20, UDP 8, SCTP 12, ICMP 8 bytes), so
 *   that padding after a short datagram is never taken for ports.
 */
#ifndef SW_EXTRACT_H
#define SW_EXTRACT_H

#include "abi.h"
#include "hash.h"

#define SW_PARSE_MAX       256 /* bytes of a frame that the parser looks at */
#define SW_IPV6_EXTENSIONS 8

#define SW_INLINE static inline __attribute__((always_inline))

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define sw_swap16(x) __builtin_bswap16(x)
#define sw_swap32(x) __builtin_bswap32(x)
#define SW_MAC_BITS  0x0000ffffffffffffULL
#else
#define sw_swap16(x) (x)
#define sw_swap32(x) (x)
#define SW_MAC_BITS  0xffffffffffff0000ULL
#endif

/* Wire structs: BPF loads are checked by the verifier and may be unaligned; elsewhere the compiler must be told. */
#ifdef __bpf__
#define SW_WIRE
#else
#define SW_WIRE __attribute__((packed, may_alias))
#endif

struct sw_wire_u64 {
	__u64 value;
} SW_WIRE;

struct sw_wire_u32 {
	__u32 value;
} SW_WIRE;

struct sw_wire_u16 {
	__u16 value;
} SW_WIRE;

struct sw_wire_eth {
	__u8 dst[6];
	__u8 src[6];
	__be16 type_be;
} SW_WIRE;

struct sw_wire_vlan {
	__be16 tci_be;
	__be16 type_be;
} SW_WIRE;

struct sw_wire_arp {
	__be16 htype_be;
	__be16 ptype_be;
	__u8 hlen;
	__u8 plen;
	__be16 op_be;
	__u8 sha[6];
	__u8 spa[4];
	__u8 tha[6];
	__u8 tpa[4];
} SW_WIRE;

struct sw_wire_ipv4 {
	__u8 version_ihl;
	__u8 tos;
	__be16 total_size_be;
	__be16 id_be;
	__be16 frag_be;
	__u8 ttl;
	__u8 proto;
	__be16 csum_be;
	__be32 src_be;
	__be32 dst_be;
} SW_WIRE;

struct sw_wire_ipv6 {
	__be32 first_be; /* version, traffic class, flow label */
	__be16 payload_size_be;
	__u8 next;
	__u8 hop_limit;
	__be32 src_be[4];
	__be32 dst_be[4];
} SW_WIRE;

struct sw_wire_ipv6_ext {
	__u8 next;
	__u8 size; /* hop-by-hop, routing, destination: (size + 1) * 8 bytes; AH: (size + 2) * 4; fragment: reserved */
	__be16 frag_be;
	__be32 id_be;
} SW_WIRE;

struct sw_wire_ports { /* TCP, UDP and SCTP begin alike; bytes 12 and 13 of TCP hold the flags */
	__be16 src_be;
	__be16 dst_be;
	__be32 words_be[2];
	__be16 tcp_flags_be;
} SW_WIRE;

struct sw_wire_icmp {
	__u8 type;
	__u8 code;
	__be16 csum_be;
	__be32 rest_be;
} SW_WIRE;

#define SW_ETH_VLAN     0x8100
#define SW_ETH_IPV4     0x0800
#define SW_ETH_ARP      0x0806
#define SW_ETH_IPV6     0x86dd
#define SW_ETH_SVLAN    0x88a8
#define SW_ETH_TYPE_MIN 0x0600 /* below: the length of an 802.3 frame */

#define SW_IP_HOPOPTS  0
#define SW_IP_ICMP     1
#define SW_IP_TCP      6
#define SW_IP_UDP      17
#define SW_IP_ROUTING  43
#define SW_IP_FRAGMENT 44
#define SW_IP_AH       51
#define SW_IP_ICMPV6   58
#define SW_IP_DSTOPTS  60
#define SW_IP_SCTP     132

struct sw_headers {
	__u32 l3;           /* offset of what the link layer carries; 0: no whole link header, a runt */
	__u32 l4;           /* offset of the layer-4 header; 0: none that can be read, or not parsed so deep */
	__u32 l4_size;      /* bytes from l4 to the end of the datagram */
	__be16 eth_type_be; /* as in the key */
	__u8 ip_proto;      /* valid if l4 is */
	__u8 ip_frag;       /* SW_FRAG_*; valid if l4 is */
};

/* Bytes that the parser must have at hand for a frame of frame_size. */
SW_INLINE __u32 sw_parse_size(__u32 frame_size)
{
	return frame_size < SW_PARSE_MAX ? frame_size : SW_PARSE_MAX;
}

SW_INLINE __u64 sw_load64(const void *p)
{
	return ((const struct sw_wire_u64 *)p)->value;
}

SW_INLINE __u32 sw_load32(const void *p)
{
	return ((const struct sw_wire_u32 *)p)->value;
}

SW_INLINE __u16 sw_load16(const void *p)
{
	return ((const struct sw_wire_u16 *)p)->value;
}

/* The first EtherType of a frame that has one. */
SW_INLINE __be16 sw_type_be(const void *data)
{
	return ((const volatile struct sw_wire_eth *)data)->type_be;
}

/* The size bytes at offset, or a null pointer if they are not all there or beyond SW_PARSE_MAX. */
SW_INLINE const void *sw_at(const void *data, const void *data_end, __u32 offset, __u32 size)
{
	const __u8 *p = data;

	if (offset > SW_PARSE_MAX - size)
		return 0;
	if (!__builtin_constant_p(offset)) { /* Linux 6.1 forgets the comparison if the compiler made it on a copy */
		__asm__("" : "+r"(offset));
		offset &= SW_PARSE_MAX - 1;
	}
	p += offset;
	if ((const void *)(p + size) > data_end)
		return 0;
	__asm__("" : "+r"(p)); /* else clang compares once more in the caller, which the verifier cannot connect */
	return p;
}

/* Word 0 of a key, put together in a register: a load that follows three narrower stores would wait for them. */
SW_INLINE __u64 sw_key_word0(__u32 in_ifindex, __be16 eth_type_be, __be16 vlan_tci_be)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return in_ifindex | (__u64)eth_type_be << 32 | (__u64)vlan_tci_be << 48;
#else
	return (__u64)in_ifindex << 32 | (__u64)eth_type_be << 16 | vlan_tci_be;
#endif
}

/* vlan_tci_be out of word 0. */
SW_INLINE __be16 sw_key_tci_be(__u64 word0)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return word0 >> 48;
#else
	return word0;
#endif
}

/* 1 if a is less than b, 0 else, by arithmetic: behind a branch the verifier would go on with two cases. */
SW_INLINE __u32 sw_is_less(__u32 a, __u32 b)
{
	__u32 less = (a - b) >> 31;

	__asm__("" : "+r"(less));
	return less;
}

SW_INLINE void sw_extract_link(
	const void *data, const void *data_end, __u32 in_ifindex, struct sw_key *key, struct sw_headers *ret)
{
	const struct sw_wire_eth *eth = sw_at(data, data_end, 0, sizeof(*eth));
	const struct sw_wire_vlan *tag;
	__be16 type_be = 0, tci_be = 0;
	__u32 l3 = 0;

	if (eth) {
		key->w[1] = sw_load64(eth) & SW_MAC_BITS;
		key->w[2] = sw_load64(eth->src) & SW_MAC_BITS;
		type_be = eth->type_be;
		l3 = sizeof(*eth);
		if (sw_unlikely(type_be == sw_swap16(SW_ETH_VLAN))) {
			l3 = 0;
			tag = sw_at(data, data_end, sizeof(*eth), sizeof(*tag));
			if (tag) {
				tci_be = tag->tci_be | sw_swap16(SW_VLAN_PRESENT);
				type_be = tag->type_be;
				l3 = sizeof(*eth) + sizeof(*tag);
			}
		}
		type_be &= sw_is_less(sw_swap16(type_be), SW_ETH_TYPE_MIN) - 1;
	}
	key->w[0] = sw_key_word0(in_ifindex, type_be, tci_be);
	ret->eth_type_be = type_be;
	ret->l3 = l3;
}

/* ARP for Ethernet and IPv4 at l3, or a null pointer. */
SW_INLINE const struct sw_wire_arp *sw_arp_at(const void *data, const void *data_end, __u32 l3)
{
	const struct sw_wire_arp *arp = sw_at(data, data_end, l3, sizeof(*arp));

	if (!arp || arp->htype_be != sw_swap16(1) || arp->ptype_be != sw_swap16(SW_ETH_IPV4) || arp->hlen != 6 ||
		arp->plen != 4)
		return 0;
	return arp;
}

SW_INLINE void sw_extract_arp(const void *data, const void *data_end, struct sw_key *key, struct sw_headers *ret)
{
	const struct sw_wire_arp *arp = sw_arp_at(data, data_end, ret->l3);

	if (!arp)
		return;
	key->f.l4_src_be = arp->op_be;
	__builtin_memcpy(key->f.ip_src, arp->spa, 4);
	__builtin_memcpy(key->f.ip_dst, arp->tpa, 4);
}

/* 1 if a is b, 0 else, by arithmetic: a branch would double the paths that the verifier walks, eight times over. */
SW_INLINE __u32 sw_same(__u32 a, __u32 b)
{
	__u64 same = ((__u64)(a ^ b) - 1) >> 63;

	__asm__("" : "+r"(same));
	return same;
}

/*
 * A datagram's length as its IP header says it. One that is longer than the field can say has a zero there, and is as
 * long as the frame: so the kernel sends what is to be parted later (BIG TCP), and so it must be read, or a sender who
 * has his kernel make such frames would pass by every rule that looks at ports.
 */
SW_INLINE __u32 sw_ip_size(__be16 size_be, __u32 in_frame)
{
	__u32 size = sw_swap16(size_be);

#if defined(__bpf__) && !defined(SW_HOOK_TC)
	return size; /* at XDP there are none, and the verifier would follow every frame once more */
#else
	return size | (in_frame & -(sw_same(size, 0) & (0xffffULL - in_frame) >> 63));
#endif
}

SW_INLINE void sw_extract_ipv4(
	const void *data, const void *data_end, __u32 frame_size, struct sw_key *key, struct sw_headers *ret)
{
	const struct sw_wire_ipv4 *ip = sw_at(data, data_end, ret->l3, sizeof(*ip));
	__u32 header_size, total_size, frag;

	if (!ip || ip->version_ihl >> 4 != 4)
		return;
	header_size = (ip->version_ihl & 15) * 4;
	total_size = sw_ip_size(ip->total_size_be, frame_size - ret->l3);
	if (header_size < sizeof(*ip) || total_size < header_size || ret->l3 + total_size > frame_size)
		return;
	frag = sw_swap16(ip->frag_be) & 0x3fff;
	if (frag)
		ret->ip_frag = frag & 0x1fff ? SW_FRAG_ANY | SW_FRAG_LATER : SW_FRAG_ANY;
	ret->ip_proto = ip->proto;
	if (!(ret->ip_frag & SW_FRAG_LATER)) {
		ret->l4 = ret->l3 + header_size;
		ret->l4_size = total_size - header_size;
	}
	if (!key)
		return;
	key->f.ip_proto = ip->proto;
	key->f.ip_tos = ip->tos;
	key->f.ip_ttl = ip->ttl;
	key->f.ip_frag = ret->ip_frag;
	__builtin_memcpy(key->f.ip_src, &ip->src_be, 4);
	__builtin_memcpy(key->f.ip_dst, &ip->dst_be, 4);
}

#define SW_IPV6_EXT_BITS                                                                                               \
	(1ULL << SW_IP_HOPOPTS | 1ULL << SW_IP_ROUTING | 1ULL << SW_IP_FRAGMENT | 1ULL << SW_IP_AH |                   \
		1ULL << SW_IP_DSTOPTS)

SW_INLINE int sw_is_ipv6_ext(__u32 ip_proto)
{
	return ip_proto < 64 && SW_IPV6_EXT_BITS >> ip_proto & 1;
}

/* Walks from offset over the extension headers of a datagram that ends at `end`. */
SW_INLINE void sw_extract_ipv6_exts(
	const void *data, const void *data_end, __u32 offset, __u32 end, __u32 ip_proto, struct sw_headers *ret)
{
	const struct sw_wire_ipv6_ext *ext;
	__u32 i, frag, is_frag, is_ah, size;

	for (i = 0; i < SW_IPV6_EXTENSIONS && sw_is_ipv6_ext(ip_proto); i++) {
		ret->ip_proto = ip_proto;
		ext = sw_at(data, data_end, offset, sizeof(*ext));
		if (!ext || offset + sizeof(*ext) > end)
			return;
		is_frag = sw_same(ip_proto, SW_IP_FRAGMENT);
		is_ah = sw_same(ip_proto, SW_IP_AH);
		ip_proto = ext->next;
		frag = sw_swap16(ext->frag_be) & 0xfff9 & -is_frag;
		if (frag)
			ret->ip_frag = SW_FRAG_ANY;
		if (frag & 0xfff8) {
			ret->ip_frag = SW_FRAG_ANY | SW_FRAG_LATER;
			ret->ip_proto = ip_proto;
			return;
		}
		size = ext->size & (is_frag - 1); /* a fragment header's second byte is reserved */
		offset += (size + 1 + is_ah) << (3 - is_ah);
	}
	ret->ip_proto = ip_proto;
	if (sw_is_ipv6_ext(ip_proto) || offset > end)
		return;
	ret->l4 = offset;
	ret->l4_size = end - offset;
}

SW_INLINE void sw_extract_ipv6(
	const void *data, const void *data_end, __u32 frame_size, struct sw_key *key, struct sw_headers *ret)
{
	const struct sw_wire_ipv6 *ip = sw_at(data, data_end, ret->l3, sizeof(*ip));
	__u32 first, end;

	if (!ip)
		return;
	first = sw_swap32(ip->first_be);
	end = ret->l3 + sizeof(*ip);
	end += sw_ip_size(ip->payload_size_be, frame_size - end);
	if (first >> 28 != 6 || end > frame_size)
		return;
	sw_extract_ipv6_exts(data, data_end, ret->l3 + sizeof(*ip), end, ip->next, ret);
	if (!key)
		return;
	key->f.ip_proto = ret->ip_proto;
	key->f.ip_frag = ret->ip_frag;
	key->f.ip_tos = first >> 20;
	key->f.ip_ttl = ip->hop_limit;
	key->f.ipv6_flabel_be = sw_swap32(first & 0xfffff);
	key->w[4] = sw_load64(&ip->src_be[0]);
	key->w[5] = sw_load64(&ip->src_be[2]);
	key->w[6] = sw_load64(&ip->dst_be[0]);
	key->w[7] = sw_load64(&ip->dst_be[2]);
}

/* The least size of a layer-4 header whose fields are in the key, 0 for a protocol that has none there. */
SW_INLINE __u32 sw_l4_header_size(__u32 ip_proto)
{
	switch (ip_proto) {
	case SW_IP_TCP:
		return 20;
	case SW_IP_SCTP:
		return 12;
	case SW_IP_UDP:
	case SW_IP_ICMP:
	case SW_IP_ICMPV6:
		return 8;
	default:
		return 0;
	}
}

SW_INLINE void sw_extract_transport(
	const void *data, const void *data_end, struct sw_key *key, const struct sw_headers *headers)
{
	__u32 size = sw_l4_header_size(headers->ip_proto);
	const struct sw_wire_ports *ports;
	const struct sw_wire_icmp *icmp;

	if (!headers->l4 || !size || headers->l4_size < size || headers->l4 + size > SW_PARSE_MAX)
		return;
	if (headers->ip_proto == SW_IP_ICMP || headers->ip_proto == SW_IP_ICMPV6) {
		icmp = sw_at(data, data_end, headers->l4, sizeof(*icmp));
		if (!icmp)
			return;
		key->f.l4_src_be = sw_swap16(icmp->type);
		key->f.l4_dst_be = sw_swap16(icmp->code);
		return;
	}
	ports = sw_at(data, data_end, headers->l4, 4);
	if (!ports)
		return;
	key->f.l4_src_be = ports->src_be;
	key->f.l4_dst_be = ports->dst_be;
	if (headers->ip_proto != SW_IP_TCP)
		return;
	ports = sw_at(data, data_end, headers->l4, 14);
	if (ports)
		key->f.tcp_flags_be = ports->tcp_flags_be & sw_swap16(0x0fff);
}

/* From ret->l3 and ret->eth_type_be on: the network layer into *ret and, if there is a key, into that. */
SW_INLINE void sw_extract_network(
	const void *data, const void *data_end, __u32 frame_size, struct sw_key *key, struct sw_headers *ret)
{
	if (ret->eth_type_be == sw_swap16(SW_ETH_IPV4))
		sw_extract_ipv4(data, data_end, frame_size, key, ret);
	else if (ret->eth_type_be == sw_swap16(SW_ETH_IPV6))
		sw_extract_ipv6(data, data_end, frame_size, key, ret);
	else if (ret->eth_type_be == sw_swap16(SW_ETH_ARP) && key)
		sw_extract_arp(data, data_end, key, ret);
}

/* Word 3 of a key, put together in a register. */
SW_INLINE __u64 sw_key_word3(const struct sw_wire_ipv4 *ip, const struct sw_wire_ports *ports)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return ip->proto | (__u64)ip->tos << 8 | (__u64)ip->ttl << 16 | (__u64)ports->src_be << 32 |
	       (__u64)ports->dst_be << 48;
#else
	return (__u64)ip->proto << 56 | (__u64)ip->tos << 48 | (__u64)ip->ttl << 40 | (__u64)ports->src_be << 16 |
	       ports->dst_be;
#endif
}

/* The least size of a datagram of TCP or UDP without IP options whose layer-4 header is whole. */
SW_INLINE __u32 sw_plain_size(__u32 ip_proto)
{
	return sizeof(struct sw_wire_ipv4) + (ip_proto == SW_IP_TCP ? 20 : 8);
}

/* Whether a header that is there begins whole TCP or UDP over IPv4 without options, no fragment, in so many bytes. */
SW_INLINE int sw_is_plain(const struct sw_wire_ipv4 *ip, __u32 room)
{
	__u32 total_size = sw_swap16(ip->total_size_be);

	if (sw_unlikely(ip->version_ihl != 0x45 || ip->frag_be & sw_swap16(0x3fff) || total_size > room))
		return 0;
	return (ip->proto == SW_IP_TCP || ip->proto == SW_IP_UDP) && total_size >= sw_plain_size(ip->proto);
}

/*
 * What most frames have behind layer 2: whole TCP or UDP over IPv4 without options, no fragment. Fills the words beyond
 * SW_L2_WORDS as sw_extract_network() and sw_extract_transport() do, or, with 0, leaves it to them.
 */
SW_INLINE int sw_extract_plain(
	const void *data, const void *data_end, __u32 frame_size, struct sw_key *key, const struct sw_headers *headers)
{
	const struct sw_wire_ipv4 *ip = sw_at(data, data_end, headers->l3, sizeof(*ip) + 14);
	const struct sw_wire_ports *ports = (const void *)(ip + 1);

	if (sw_unlikely(headers->eth_type_be != sw_swap16(SW_ETH_IPV4) || !ip))
		return 0;
	if (sw_unlikely(!sw_is_plain(ip, frame_size - headers->l3)))
		return 0;
	key->w[3] = sw_key_word3(ip, ports);
	key->w[4] = key->w[5] = key->w[6] = key->w[7] = key->w[8] = 0;
	__builtin_memcpy(key->f.ip_src, &ip->src_be, 4);
	__builtin_memcpy(key->f.ip_dst, &ip->dst_be, 4);
	if (ip->proto == SW_IP_TCP)
		key->f.tcp_flags_be = ports->tcp_flags_be & sw_swap16(0x0fff);
	return 1;
}

/*
 * Parses a frame of frame_size bytes of which those from data to data_end are at hand: sw_parse_size(frame_size) at
 * least. Fills the whole of *ret_key (words beyond depth with zero) and of *ret.
 */
SW_INLINE void sw_extract_part(const void *data, const void *data_end, __u32 frame_size, __u32 in_ifindex, __u32 depth,
	struct sw_key *ret_key, struct sw_headers *ret)
{
	*ret_key = (struct sw_key){0};
	*ret = (struct sw_headers){0};
	sw_extract_link(data, data_end, in_ifindex, ret_key, ret);
	if (depth <= SW_L2_WORDS || !ret->l3)
		return;
	sw_extract_network(data, data_end, frame_size, ret_key, ret);
	sw_extract_transport(data, data_end, ret_key, ret);
}

/* As sw_extract_part, for a frame that lies in one piece. Any length, 0 included. */
SW_INLINE void sw_extract(const void *data, const void *data_end, __u32 in_ifindex, __u32 depth, struct sw_key *ret_key,
	struct sw_headers *ret)
{
	__u32 frame_size = (const __u8 *)data_end - (const __u8 *)data;

	sw_extract_part(data, data_end, frame_size, in_ifindex, depth, ret_key, ret);
}

#endif
