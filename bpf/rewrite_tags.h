/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * rewrite_tags.h - edits of what stands in front of the network layer: addresses, EtherType, VLAN tags, labels, I-TAGs.
 *
 * What a push or pop moves is at the frame's front: whatever stands behind it stays where it is in memory. Afterwards
 * the layers must be looked for again, which l3 0 says.
 */
#ifndef SW_REWRITE_TAGS_H
#define SW_REWRITE_TAGS_H

#define REWRITE_ADDRESSES  12
#define REWRITE_ITAG_SIZE  18     /* EtherType, I-TAG and customer's addresses */
#define REWRITE_LEAST_SIZE 60     /* of a frame that a tag was taken off, IEEE 802.3 §3.2.8 */
#define REWRITE_TAG_KEPT   0xefff /* of an outer tag's TCI by a push: all but CFI */
#define REWRITE_PCP        0xe000
#define REWRITE_BOS        0x00000100
#define REWRITE_BOS_AT     2 /* byte of a label stack entry; its lowest bit */
#define REWRITE_LABEL_TTL  3 /* byte */

#define REWRITE_ETH_MPLS       0x8847
#define REWRITE_ETH_MPLS_MCAST 0x8848
#define REWRITE_ETH_PBB        0x88e7

#include "rewrite_parts.h"

#ifdef SW_HOOK_TC
#include "rewrite_tc.h"
#else
#include "rewrite_xdp.h"
#endif

/* ---- addresses and EtherType ---- */

SW_INLINE void rewrite_eth(hook_ctx *ctx, const struct sw_edit *edit)
{
	__u16 *to = rewrite_at(ctx, edit->arg ? 6 : 0, 6);
	const __u16 *value = (const void *)edit->value;

	if (!to)
		return;
	to[0] = value[0];
	to[1] = value[1];
	to[2] = value[2];
}

SW_INLINE void rewrite_eth_type(hook_ctx *ctx, struct sw_layers *layers, __be16 type_be)
{
	__be16 *type = rewrite_at(ctx, layers->l3 - sizeof(*type), sizeof(*type));

	layers->l3 = 0;
	if (type)
		*type = type_be;
}

/* ---- MPLS ---- */

/* The outer label stack entry, or null. */
SW_INLINE __u8 *rewrite_label(hook_ctx *ctx, const struct sw_layers *layers)
{
	if (layers->eth_type_be != sw_swap16(REWRITE_ETH_MPLS) &&
		layers->eth_type_be != sw_swap16(REWRITE_ETH_MPLS_MCAST))
		return 0;
	return rewrite_at(ctx, layers->l3, REWRITE_TAG_SIZE);
}

/* What a new label is: OF 1.3.5 §5.12.1, and dataplane/rewrite.h for what is not there. */
SW_INLINE __u32 rewrite_new_label(hook_ctx *ctx, const struct sw_layers *layers)
{
	const __be32 *outer = (const void *)rewrite_label(ctx, layers);
	__u32 entry = 0;

	if (outer)
		entry = sw_swap32(*outer) & ~REWRITE_BOS;
	else if (layers->version)
		entry = rewrite_ttl(frame_data(ctx), frame_end(ctx), layers);
	return layers->is_tagged || !outer ? entry | REWRITE_BOS : entry;
}

/* Puts so many bytes behind the addresses, which begin with a type and this word. */
SW_INLINE int rewrite_push_word(hook_ctx *ctx, struct sw_layers *layers, int size, __u32 type, __u32 word)
{
	int reason = rewrite_open(ctx, layers, size);
	__be16 *words;

	if (reason)
		return reason;
	words = rewrite_at(ctx, REWRITE_ADDRESSES, 6);
	if (!words)
		return SW_DROP_BAD_PROGRAM;
	words[0] = sw_swap16((__u16)type);
	words[1] = sw_swap16((__u16)(word >> 16));
	words[2] = sw_swap16((__u16)word);
	return SW_DROP_NONE;
}

/* Behind the addresses: the EtherType that stood there, maybe a tag's, gives way. */
SW_INLINE int rewrite_push_mpls(hook_ctx *ctx, struct sw_layers *layers, __u32 type)
{
	return rewrite_push_word(ctx, layers, REWRITE_TAG_SIZE, type, rewrite_new_label(ctx, layers));
}

/* What the frame begins with up to its type: the tag counts where there is one. Null pointer's 0: there is none. */
SW_INLINE int rewrite_read_front(hook_ctx *ctx, const struct sw_layers *layers, struct rewrite_front *ret)
{
	const __u32 *macs = rewrite_at(ctx, 0, REWRITE_ADDRESSES);
	const __u32 *tag = layers->is_tagged ? rewrite_at(ctx, REWRITE_ADDRESSES, sizeof(*tag)) : macs;

	if (!macs || !tag)
		return 0;
	ret->macs[0] = macs[0];
	ret->macs[1] = macs[1];
	ret->macs[2] = macs[2];
	ret->tag = *tag;
	return 1;
}

SW_INLINE int rewrite_pop_mpls(hook_ctx *ctx, struct sw_layers *layers, __u32 type)
{
	int has_tag = layers->is_tagged, reason;
	struct rewrite_front front = {};
	__be16 *type_be;

	if (!rewrite_label(ctx, layers) || !rewrite_read_front(ctx, layers, &front))
		return SW_DROP_NONE;
	reason = rewrite_close(ctx, layers, REWRITE_TAG_SIZE, &front, has_tag);
	if (reason)
		return reason;
	type_be = rewrite_at(ctx, REWRITE_ADDRESSES + (has_tag ? REWRITE_TAG_SIZE : 0), sizeof(*type_be));
	if (!type_be)
		return SW_DROP_BAD_PROGRAM;
	*type_be = sw_swap16((__u16)type);
	rewrite_pad(ctx);
	return SW_DROP_NONE;
}

/* `shift` tells which part of the entry it is: label, TC or bottom of stack. */
SW_INLINE void rewrite_mpls(hook_ctx *ctx, const struct sw_layers *layers, const struct sw_edit *edit)
{
	__be32 *entry = (void *)rewrite_label(ctx, layers);
	__u32 bits = edit->size == 4 ? sw_swap32(*(const __u32 *)edit->value) : edit->value[0];
	__u32 mask = edit->arg == 12 ? 0xfffff000 : edit->arg == 9 ? 0x00000e00 : REWRITE_BOS;

	bits <<= edit->arg & 31;
	if (entry)
		*entry = (*entry & sw_swap32(~mask)) | sw_swap32(bits & mask);
}

SW_INLINE int rewrite_mpls_ttl(hook_ctx *ctx, const struct sw_layers *layers, const struct sw_edit *edit)
{
	__u8 *entry = rewrite_label(ctx, layers);

	if (!entry)
		return SW_DROP_NONE;
	if (edit->op == SW_EDIT_SET_MPLS_TTL) {
		entry[REWRITE_LABEL_TTL] = edit->arg;
		return SW_DROP_NONE;
	}
	if (entry[REWRITE_LABEL_TTL] <= 1)
		return REWRITE_UNFIT;
	entry[REWRITE_LABEL_TTL]--;
	return SW_DROP_NONE;
}

/* ---- TTLs in and out ---- */

SW_INLINE void rewrite_copy_ttl_ipv4(hook_ctx *ctx, __u32 l3, __u8 *outer, int inwards)
{
	struct sw_wire_ipv4 *ip = rewrite_at(ctx, l3, sizeof(*ip));
	__u32 header_size, size;

	if (!ip)
		return;
	header_size = (ip->version_ihl & 15) * 4;
	size = sw_swap16(ip->total_size_be);
	if (header_size < sizeof(*ip) || size < header_size || l3 + size > frame_bytes(ctx))
		return;
	if (inwards)
		rewrite_mend_ipv4(ip, rewrite_byte((__u16 *)&ip->ttl, 0, *outer));
	else
		*outer = ip->ttl;
}

SW_INLINE void rewrite_copy_ttl_ipv6(hook_ctx *ctx, __u32 l3, __u8 *outer, int inwards)
{
	struct sw_wire_ipv6 *ip = rewrite_at(ctx, l3, sizeof(*ip));

	if (!ip || !rewrite_is_ipv6(frame_data(ctx), frame_end(ctx), frame_bytes(ctx), l3))
		return;
	if (inwards)
		ip->hop_limit = *outer;
	else
		*outer = ip->hop_limit;
}

/* Between the outer label and the next one, or below the bottom of the stack what looks like an IP header. */
SW_INLINE void rewrite_copy_ttl(hook_ctx *ctx, const struct sw_layers *layers, int inwards)
{
	__u8 *outer = rewrite_label(ctx, layers);
	__u32 next = layers->l3 + REWRITE_TAG_SIZE;
	__u8 *inner = rewrite_at(ctx, next, REWRITE_TAG_SIZE);

	if (!outer || !inner)
		return;
	if (!(outer[REWRITE_BOS_AT] & 1)) {
		if (inwards)
			inner[REWRITE_LABEL_TTL] = outer[REWRITE_LABEL_TTL];
		else
			outer[REWRITE_LABEL_TTL] = inner[REWRITE_LABEL_TTL];
	} else if (inner[0] >> 4 == 4) {
		rewrite_copy_ttl_ipv4(ctx, next, outer + REWRITE_LABEL_TTL, inwards);
	} else if (inner[0] >> 4 == 6) {
		rewrite_copy_ttl_ipv6(ctx, next, outer + REWRITE_LABEL_TTL, inwards);
	}
}

/* ---- PBB ---- */

/* Priority, flags and I-SID of the outer I-TAG, or null. */
SW_INLINE __u8 *rewrite_itag(hook_ctx *ctx, const struct sw_layers *layers)
{
	return layers->eth_type_be == sw_swap16(REWRITE_ETH_PBB) ? rewrite_at(ctx, layers->l3, 4) : 0;
}

/* OF 1.3.5 §5.12.1: the I-SID of the outer one, and the PCP of the outer VLAN tag. */
SW_INLINE __u32 rewrite_new_itag(hook_ctx *ctx, const struct sw_layers *layers)
{
	const __be32 *outer = (const void *)rewrite_itag(ctx, layers);
	__u32 itag = outer ? sw_swap32(*outer) : 0;

	if (!layers->is_tagged)
		return itag;
	return (itag & 0x1fffffff) | (rewrite_tci_of(ctx, layers) & REWRITE_PCP) << 16;
}

SW_INLINE int rewrite_push_pbb(hook_ctx *ctx, struct sw_layers *layers, __u32 type)
{
	return rewrite_push_word(ctx, layers, REWRITE_ITAG_SIZE, type, rewrite_new_itag(ctx, layers));
}

/* The customer's addresses become the frame's; a B-TAG stays where it is, behind them. */
SW_INLINE int rewrite_pop_pbb(hook_ctx *ctx, struct sw_layers *layers)
{
	const __u32 *customer = rewrite_at(ctx, layers->l3 + 4, REWRITE_ADDRESSES);
	int has_tag = layers->is_tagged, reason;
	struct rewrite_front front = {};

	if (!rewrite_itag(ctx, layers) || !rewrite_at(ctx, layers->l3, REWRITE_ITAG_SIZE) || !customer ||
		!rewrite_read_front(ctx, layers, &front))
		return SW_DROP_NONE;
	front.macs[0] = customer[0];
	front.macs[1] = customer[1];
	front.macs[2] = customer[2];
	reason = rewrite_close(ctx, layers, REWRITE_ITAG_SIZE, &front, has_tag);
	rewrite_pad(ctx);
	return reason;
}

SW_INLINE void rewrite_isid(hook_ctx *ctx, const struct sw_layers *layers, const __u8 *value)
{
	__u8 *itag = rewrite_itag(ctx, layers);

	if (!itag)
		return;
	itag[1] = value[0];
	itag[2] = value[1];
	itag[3] = value[2];
}

/* ---- all of them ---- */

__attribute__((noinline)) int rewrite_link(hook_ctx *ctx, const struct sw_edit *edit)
{
	struct sw_layers *layers = rewrite_layers();

	if (!layers || !edit)
		return SW_DROP_NONE;
	switch (edit->op) {
	case SW_EDIT_ETH:
		rewrite_eth(ctx, edit);
		return SW_DROP_NONE;
	case SW_EDIT_PUSH_VLAN:
		return rewrite_push_vlan(ctx, layers, edit->arg);
	case SW_EDIT_POP_VLAN:
		return rewrite_pop_vlan(ctx, layers);
	case SW_EDIT_VLAN_VID:
		rewrite_tci(ctx, layers, SW_VLAN_VID, sw_swap16(*(const __u16 *)edit->value));
		return SW_DROP_NONE;
	case SW_EDIT_VLAN_PCP:
		rewrite_tci(ctx, layers, REWRITE_PCP, edit->value[0] << 13);
		return SW_DROP_NONE;
	default:
		return SW_DROP_BAD_PROGRAM;
	}
}

/* Of what stands between the link layer and the network's. */
__attribute__((noinline)) int rewrite_shim(hook_ctx *ctx, const struct sw_edit *edit)
{
	struct sw_layers *layers = rewrite_layers();

	if (!layers || !edit)
		return SW_DROP_NONE;
	switch (edit->op) {
	case SW_EDIT_ETH_TYPE:
		rewrite_eth_type(ctx, layers, *(const __be16 *)edit->value);
		return SW_DROP_NONE;
	case SW_EDIT_PUSH_MPLS:
		return rewrite_push_mpls(ctx, layers, edit->arg);
	case SW_EDIT_POP_MPLS:
		return rewrite_pop_mpls(ctx, layers, edit->arg);
	case SW_EDIT_MPLS:
		rewrite_mpls(ctx, layers, edit);
		return SW_DROP_NONE;
	case SW_EDIT_SET_MPLS_TTL:
	case SW_EDIT_DEC_MPLS_TTL:
		return rewrite_mpls_ttl(ctx, layers, edit);
	case SW_EDIT_COPY_TTL_OUT:
		rewrite_copy_ttl(ctx, layers, 0);
		return SW_DROP_NONE;
	case SW_EDIT_COPY_TTL_IN:
		rewrite_copy_ttl(ctx, layers, 1);
		return SW_DROP_NONE;
	case SW_EDIT_PUSH_PBB:
		return rewrite_push_pbb(ctx, layers, edit->arg);
	case SW_EDIT_POP_PBB:
		return rewrite_pop_pbb(ctx, layers);
	case SW_EDIT_PBB_ISID:
		rewrite_isid(ctx, layers, edit->value);
		return SW_DROP_NONE;
	default:
		return SW_DROP_BAD_PROGRAM;
	}
}

#endif
