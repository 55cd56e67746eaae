/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * rewrite_ip.h - edits of IP headers, with IPv4's checksum and the transport's, which sums a part of them too.
 */
#ifndef SW_REWRITE_IP_H
#define SW_REWRITE_IP_H

#include "rewrite_l4.h"
#include "rewrite_parts.h"

/* ---- TTL and traffic class ---- */

/* What becomes of this TTL; -1: the frame ends. */
SW_INLINE int rewrite_next_ttl(const struct sw_edit *edit, __u32 ttl)
{
	if (edit->op == SW_EDIT_SET_TTL)
		return edit->arg & 0xff;
	return ttl > 1 ? (int)ttl - 1 : -1;
}

SW_INLINE int rewrite_ipv4_ttl(hook_ctx *ctx, const struct sw_layers *layers, const struct sw_edit *edit)
{
	struct sw_wire_ipv4 *ip = rewrite_at(ctx, layers->l3, sizeof(*ip));
	int ttl;

	if (!ip)
		return SW_DROP_NONE;
	ttl = rewrite_next_ttl(edit, ip->ttl);
	if (ttl < 0)
		return REWRITE_UNFIT;
	rewrite_mend_ipv4(ip, rewrite_byte((__u16 *)&ip->ttl, 0, ttl));
	return SW_DROP_NONE;
}

SW_INLINE int rewrite_ipv6_ttl(hook_ctx *ctx, const struct sw_layers *layers, const struct sw_edit *edit)
{
	struct sw_wire_ipv6 *ip = rewrite_at(ctx, layers->l3, sizeof(*ip));
	int ttl;

	if (!ip)
		return SW_DROP_NONE;
	ttl = rewrite_next_ttl(edit, ip->hop_limit);
	if (ttl < 0)
		return REWRITE_UNFIT;
	ip->hop_limit = ttl;
	return SW_DROP_NONE;
}

SW_INLINE int rewrite_set_ttl(hook_ctx *ctx, const struct sw_layers *layers, const struct sw_edit *edit)
{
	if (layers->version == 4)
		return rewrite_ipv4_ttl(ctx, layers, edit);
	return layers->version == 6 ? rewrite_ipv6_ttl(ctx, layers, edit) : SW_DROP_NONE;
}

SW_INLINE void rewrite_tos(hook_ctx *ctx, const struct sw_layers *layers, __u32 mask, __u32 bits)
{
	struct sw_wire_ipv4 *ip4;
	struct sw_wire_ipv6 *ip6;

	if (layers->version == 4) {
		ip4 = rewrite_at(ctx, layers->l3, sizeof(*ip4));
		if (ip4)
			rewrite_mend_ipv4(
				ip4, rewrite_byte((__u16 *)&ip4->version_ihl, 1, (ip4->tos & ~mask) | (bits & mask)));
	} else if (layers->version == 6) {
		ip6 = rewrite_at(ctx, layers->l3, sizeof(*ip6));
		if (ip6)
			ip6->first_be = (ip6->first_be & sw_swap32(~(mask << 20))) | sw_swap32((bits & mask) << 20);
	}
}

/* ---- addresses ---- */

SW_INLINE void rewrite_ipv4(hook_ctx *ctx, const struct sw_layers *layers, const struct sw_edit *edit)
{
	struct sw_wire_ipv4 *ip = layers->version == 4 ? rewrite_at(ctx, layers->l3, sizeof(*ip)) : 0;
	const __u16 *value = (const void *)edit->value;
	__u16 *words;
	__u32 growth;

	if (!ip)
		return;
	words = (__u16 *)(edit->arg == 12 ? &ip->src_be : &ip->dst_be);
	growth = rewrite_growth((__u64)words[0] + words[1], (__u64)value[0] + value[1]);
	words[0] = value[0];
	words[1] = value[1];
	rewrite_mend_ipv4(ip, growth);
	if (layers->ip_proto != SW_IP_ICMP)
		rewrite_mend_l4(ctx, growth | REWRITE_OF_PSEUDO);
}

/* A routing header, which may be among others, holds the destination that the transport's checksum means. */
SW_INLINE int rewrite_may_be_next_hop(const struct sw_layers *layers, const struct sw_edit *edit)
{
	return edit->arg != 8 && layers->l4 && layers->l4 != layers->l3 + sizeof(struct sw_wire_ipv6);
}

SW_INLINE int rewrite_ipv6(hook_ctx *ctx, const struct sw_layers *layers, const struct sw_edit *edit)
{
	struct sw_wire_ipv6 *ip = layers->version == 6 ? rewrite_at(ctx, layers->l3, sizeof(*ip)) : 0;
	const __u32 *value = (const void *)edit->value;
	__u64 before, after;
	__be32 *words;

	if (!ip)
		return SW_DROP_NONE;
	if (rewrite_is_deep(layers) || rewrite_may_be_next_hop(layers, edit))
		return REWRITE_UNFIT;
	words = edit->arg == 8 ? ip->src_be : ip->dst_be;
	before = (__u64)words[0] + words[1] + words[2] + words[3];
	after = (__u64)value[0] + value[1] + value[2] + value[3];
	words[0] = value[0];
	words[1] = value[1];
	words[2] = value[2];
	words[3] = value[3];
	if (layers->ip_proto != SW_IP_ICMP)
		rewrite_mend_l4(ctx, rewrite_growth(before, after) | REWRITE_OF_PSEUDO);
	return SW_DROP_NONE;
}

SW_INLINE void rewrite_ipv6_label(hook_ctx *ctx, const struct sw_layers *layers, const struct sw_edit *edit)
{
	struct sw_wire_ipv6 *ip = layers->version == 6 ? rewrite_at(ctx, layers->l3, sizeof(*ip)) : 0;

	if (ip)
		ip->first_be =
			(ip->first_be & sw_swap32(0xfff00000)) | (*(const __be32 *)edit->value & sw_swap32(0x000fffff));
}

/* ---- the protocol ---- */

/* Offset of the byte from which a flow's ip_proto is read, as far as sw_extract_ipv6_exts() goes. */
__attribute__((noinline)) int rewrite_ipv6_proto_at(hook_ctx *ctx)
{
	struct sw_layers *layers = rewrite_layers();
	const struct sw_wire_ipv6_ext *ext;
	const struct sw_wire_ipv6 *ip;
	__u32 at, offset, end, type, i;

	if (!layers)
		return 0;
	ip = rewrite_at(ctx, layers->l3, sizeof(*ip));
	if (!ip)
		return 0;
	at = layers->l3 + 6;
	offset = layers->l3 + sizeof(*ip);
	end = offset + sw_swap16(ip->payload_size_be);
	type = ip->next;
#pragma clang loop unroll(disable)
	for (i = 0; i < SW_IPV6_EXTENSIONS && sw_is_ipv6_ext(type); i++) {
		ext = rewrite_at(ctx, offset, sizeof(*ext));
		if (!ext || offset + sizeof(*ext) > end)
			break;
		at = offset;
		if (type == SW_IP_FRAGMENT && ext->frag_be & sw_swap16(0xfff8))
			break;
		offset += type == SW_IP_FRAGMENT ? 8 : type == SW_IP_AH ? (ext->size + 2) * 4 : (ext->size + 1) * 8;
		type = ext->next;
	}
	return at;
}

/* The transport header stays what it was, and so does the place of its checksum, which covers the new number. */
SW_INLINE int rewrite_ipv4_proto(hook_ctx *ctx, struct sw_layers *layers, __u8 value)
{
	struct sw_wire_ipv4 *ip = rewrite_at(ctx, layers->l3, sizeof(*ip));
	__u32 growth;

	if (!ip)
		return SW_DROP_NONE;
	growth = rewrite_byte((__u16 *)&ip->ttl, 1, value);
	rewrite_mend_ipv4(ip, growth);
	if (layers->l4 && layers->ip_proto != SW_IP_ICMP)
		rewrite_mend_l4(ctx, growth | REWRITE_OF_PSEUDO);
	return SW_DROP_NONE;
}

SW_INLINE int rewrite_ipv6_proto(hook_ctx *ctx, struct sw_layers *layers, __u8 value)
{
	__u8 *proto, before;

	if (rewrite_is_deep(layers))
		return REWRITE_UNFIT;
	proto = rewrite_at(ctx, rewrite_ipv6_proto_at(ctx), 1);
	if (!proto)
		return REWRITE_UNFIT;
	before = *proto;
	*proto = value;
	if (layers->l4 && layers->ip_proto != SW_IP_ICMP)
		rewrite_mend_l4(
			ctx, rewrite_growth(sw_swap16((__u16)before), sw_swap16((__u16)value)) | REWRITE_OF_PSEUDO);
	return SW_DROP_NONE;
}

SW_INLINE int rewrite_proto(hook_ctx *ctx, struct sw_layers *layers, __u8 value)
{
	int answer = SW_DROP_NONE;

	if (layers->version == 4)
		answer = rewrite_ipv4_proto(ctx, layers, value);
	else if (layers->version == 6)
		answer = rewrite_ipv6_proto(ctx, layers, value);
	layers->l3 = 0; /* what follows is another header now */
	return answer;
}

/* ---- all of them ---- */

__attribute__((noinline)) int rewrite_network(hook_ctx *ctx, const struct sw_edit *edit)
{
	struct sw_layers *layers = rewrite_layers();

	if (!layers || !edit)
		return SW_DROP_NONE;
	switch (edit->op) {
	case SW_EDIT_SET_TTL:
	case SW_EDIT_DEC_TTL:
		return rewrite_set_ttl(ctx, layers, edit);
	case SW_EDIT_IP_DSCP:
		rewrite_tos(ctx, layers, 0xfc, edit->value[0] << 2);
		return SW_DROP_NONE;
	case SW_EDIT_IP_ECN:
		rewrite_tos(ctx, layers, 0x03, edit->value[0]);
		return SW_DROP_NONE;
	case SW_EDIT_IP_PROTO:
		return rewrite_proto(ctx, layers, edit->value[0]);
	case SW_EDIT_IPV4:
		rewrite_ipv4(ctx, layers, edit);
		return SW_DROP_NONE;
	case SW_EDIT_IPV6:
		return rewrite_ipv6(ctx, layers, edit);
	case SW_EDIT_IPV6_LABEL:
		rewrite_ipv6_label(ctx, layers, edit);
		return SW_DROP_NONE;
	default:
		return SW_DROP_BAD_PROGRAM;
	}
}

#endif
