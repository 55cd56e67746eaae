/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * select.h - by what a select group spreads frames: all that tells one conversation from another.
 *
 * Addresses, type and VLAN; of IP the addresses, the protocol and the ports of TCP, UDP and SCTP; of ARP its addresses
 * (docs/openflow.md). Of the frame as it came, whatever rules have done to it before the group. Not of the port that it
 * came in by. All fragments of a datagram go one way, so their ports are left out.
 *
 * The program and the daemon have this one function, over the key that both take from a frame (K1 of bpf/extract.h).
 * So the frames that the daemon sends itself, and what a controller sends through the group, go where those that the
 * program sends go.
 */
#ifndef SW_SELECT_H
#define SW_SELECT_H

#include "abi.h"
#include "extract.h"
#include "hash.h"

/* The bits of the key that are looked at, in the words 0 to 7; those that decide which others are among them. */
SW_INLINE void sw_select_bits(const struct sw_key *key, struct sw_key *ret)
{
	__u16 eth_type_be = key->f.eth_type_be;

	*ret = (struct sw_key){};
	ret->f.eth_type_be = 0xffff;
	ret->f.vlan_tci_be = sw_swap16(SW_VLAN_PRESENT | SW_VLAN_VID);
	ret->w[1] = 0xffffffffffffULL;
	ret->w[2] = 0xffffffffffffULL;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	ret->w[1] <<= 16;
	ret->w[2] <<= 16;
#endif
	if (eth_type_be != sw_swap16(SW_ETH_IPV4) && eth_type_be != sw_swap16(SW_ETH_IPV6) &&
		eth_type_be != sw_swap16(SW_ETH_ARP))
		return;
	ret->w[4] = ret->w[5] = ret->w[6] = ret->w[7] = ~0ULL;
	if (eth_type_be == sw_swap16(SW_ETH_ARP))
		return;
	ret->f.ip_proto = 0xff;
	ret->f.ip_frag = SW_FRAG_ANY;
	if (key->f.ip_frag & SW_FRAG_ANY ||
		(key->f.ip_proto != SW_IP_TCP && key->f.ip_proto != SW_IP_UDP && key->f.ip_proto != SW_IP_SCTP))
		return;
	ret->f.l4_src_be = ret->f.l4_dst_be = 0xffff;
}

/* `group` is its number, so that groups behind each other do not all choose alike. */
SW_INLINE __u64 sw_select_hash(const struct sw_key *key, __u32 group)
{
	__u64 hash = group;
	struct sw_key bits;
	__u32 i;

	sw_select_bits(key, &bits);
#pragma GCC unroll 9
	for (i = 0; i < SW_KEY_WORDS - 1; i++)
		hash = sw_hash_step(hash, key->w[i] & bits.w[i]);
	return hash;
}

/* The slot of a fork's table; by the top bits, on which every bit of the key has an effect. */
SW_INLINE __u32 sw_select_slot(__u64 hash)
{
	return hash >> 52 & (SW_FORK_SLOTS - 1);
}

#endif
