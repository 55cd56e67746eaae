/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * rewrite_l4.h - edits of what IP carries, with the checksums over it, and of ARP.
 *
 * SCTP's checksum is a CRC over the whole packet, which is mended too, without reading the packet (crc32c.h).
 */
#ifndef SW_REWRITE_L4_H
#define SW_REWRITE_L4_H

#include "crc32c.h"
#include "rewrite_parts.h"

#define REWRITE_SCTP_CSUM 8
#define REWRITE_OF_PSEUDO 0x10000 /* beside a growth: the words are of the pseudo header */

#define REWRITE_ND_SOLICIT 135
#define REWRITE_ND_ADVERT  136
#define REWRITE_ND_SIZE    24 /* of a solicitation or advertisement, without its options */
#define REWRITE_ND_TARGET  8
#define REWRITE_ND_UNIT    8
#define REWRITE_ND_OPTIONS ((SW_PARSE_MAX - REWRITE_ND_SIZE) / REWRITE_ND_UNIT)

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define rewrite_le16(x) (x)
#else
#define rewrite_le16(x) __builtin_bswap16(x)
#endif

/* ---- Internet checksums ---- */

/* Mends the checksum of the transport, if it has one and it is whole. */
__attribute__((noinline)) int rewrite_mend_l4(hook_ctx *ctx, __u32 growth)
{
	struct sw_scratch *s = scratch_get();
	__u32 offset;

	if (!s || !s->layers.l4)
		return 0;
	offset = csum_field(s->layers.ip_proto);
	if (s->layers.ip_proto == (s->layers.version == 4 ? SW_IP_ICMP : SW_IP_ICMPV6))
		offset = 2;
	if (!offset || s->layers.l4_size < offset + 2)
		return 0;
	csum_mend(ctx, s->layers.l4 + offset, growth & 0xffff, s->layers.ip_proto == SW_IP_UDP,
		growth & REWRITE_OF_PSEUDO);
	return 0;
}

/* ---- SCTP's CRC32c ---- */

/*
 * Mends the CRC of an SCTP packet of which a word has changed, that begins n bytes before the packet's end:
 * `difference` is of its bytes, the first one lowest.
 */
__attribute__((noinline)) int rewrite_mend_crc(hook_ctx *ctx, __u32 difference, __u32 n)
{
	struct sw_scratch *s = scratch_get();
	__u16 *words;

	if (!s)
		return 0;
	difference = sw_crc32c_shift(difference, n);
	words = rewrite_at(ctx, s->layers.l4 + REWRITE_SCTP_CSUM, 4);
	if (!words || (HOOK_KEEPS_CSUM && !words[0] && !words[1])) /* it is to be computed yet */
		return 0;
	words[0] ^= rewrite_le16((__u16)difference);
	words[1] ^= rewrite_le16((__u16)(difference >> 16));
	return 0;
}

/* ---- ports, types and codes ---- */

SW_INLINE int rewrite_has_l4(const struct sw_layers *layers, __u32 ip_proto)
{
	return layers->version && layers->l4 && layers->ip_proto == ip_proto &&
	       layers->l4_size >= sw_l4_header_size(ip_proto) && (ip_proto != SW_IP_ICMP || layers->version == 4) &&
	       (ip_proto != SW_IP_ICMPV6 || layers->version == 6);
}

SW_INLINE int rewrite_l4(hook_ctx *ctx, const struct sw_layers *layers, const struct sw_edit *edit)
{
	__u16 *word, before;
	__u32 growth;

	if (rewrite_is_deep(layers))
		return REWRITE_UNFIT;
	if (!rewrite_has_l4(layers, edit->ip_proto))
		return SW_DROP_NONE;
	word = rewrite_at(ctx, layers->l4 + (edit->arg & 2), sizeof(*word));
	if (!word)
		return REWRITE_UNFIT;
	before = *word;
	if (edit->size == 1) {
		growth = edit->arg & 1 ? rewrite_byte(word, 1, edit->value[0]) : rewrite_byte(word, 0, edit->value[0]);
	} else {
		*word = *(const __u16 *)edit->value;
		growth = rewrite_growth(before, *word);
	}
	if (edit->ip_proto == SW_IP_SCTP)
		rewrite_mend_crc(ctx, rewrite_le16(before ^ *word), layers->l4_size - (edit->arg & 2));
	else
		rewrite_mend_l4(ctx, growth);
	return SW_DROP_NONE;
}

/* ---- neighbour discovery, RFC 4861 ---- */

/* The type of a whole neighbour message; 0: it is none. */
SW_INLINE __u32 rewrite_neighbour(hook_ctx *ctx, const struct sw_layers *layers)
{
	const __u8 *type = rewrite_at(ctx, layers->l4, 1);

	if (layers->version != 6 || !layers->l4 || layers->ip_proto != SW_IP_ICMPV6 ||
		layers->l4_size < REWRITE_ND_SIZE || !type)
		return 0;
	return *type == REWRITE_ND_SOLICIT || *type == REWRITE_ND_ADVERT ? *type : 0;
}

SW_INLINE int rewrite_nd_target(hook_ctx *ctx, const struct sw_layers *layers, const struct sw_edit *edit)
{
	const __u32 *value = (const void *)edit->value;
	__u64 before, after;
	__u32 *words;

	if (rewrite_is_deep(layers))
		return REWRITE_UNFIT;
	if (!rewrite_neighbour(ctx, layers))
		return SW_DROP_NONE;
	words = rewrite_at(ctx, layers->l4 + REWRITE_ND_TARGET, 16);
	if (!words)
		return REWRITE_UNFIT;
	before = (__u64)words[0] + words[1] + words[2] + words[3];
	after = (__u64)value[0] + value[1] + value[2] + value[3];
	words[0] = value[0];
	words[1] = value[1];
	words[2] = value[2];
	words[3] = value[3];
	rewrite_mend_l4(ctx, rewrite_growth(before, after));
	return SW_DROP_NONE;
}

SW_INLINE int rewrite_nd_address(hook_ctx *ctx, __u32 at, const struct sw_edit *edit)
{
	const __u16 *value = (const void *)edit->value;
	__u16 *words = rewrite_at(ctx, at, 6);
	__u64 before;

	if (!words)
		return REWRITE_UNFIT;
	before = (__u64)words[0] + words[1] + words[2];
	words[0] = value[0];
	words[1] = value[1];
	words[2] = value[2];
	rewrite_mend_l4(ctx, rewrite_growth(before, (__u64)value[0] + value[1] + value[2]));
	return SW_DROP_NONE;
}

/* The link-layer address in the first option of that kind and of Ethernet's size; one of no length ends the walk. */
SW_INLINE int rewrite_nd_option(hook_ctx *ctx, const struct sw_layers *layers, const struct sw_edit *edit)
{
	__u32 wanted = edit->arg == 1 ? REWRITE_ND_SOLICIT : REWRITE_ND_ADVERT;
	__u32 at = layers->l4 + REWRITE_ND_SIZE, left = layers->l4_size - REWRITE_ND_SIZE, size, i;
	const __u8 *option;

	if (rewrite_is_deep(layers))
		return REWRITE_UNFIT;
	if (rewrite_neighbour(ctx, layers) != wanted)
		return SW_DROP_NONE;
#pragma clang loop unroll(disable)
	for (i = 0; i < REWRITE_ND_OPTIONS; i++) {
		if (left < REWRITE_ND_UNIT)
			return SW_DROP_NONE;
		option = rewrite_at(ctx, at, REWRITE_ND_UNIT);
		if (!option)
			return REWRITE_UNFIT;
		size = option[1] * REWRITE_ND_UNIT;
		if (!size || size > left)
			return SW_DROP_NONE;
		if (option[0] == edit->arg && option[1] == 1)
			return rewrite_nd_address(ctx, at + 2, edit);
		at += size;
		left -= size;
	}
	return REWRITE_UNFIT;
}

/* ---- ARP ---- */

SW_INLINE void rewrite_arp(hook_ctx *ctx, const struct sw_layers *layers, const struct sw_edit *edit)
{
	const __u16 *value = (const void *)edit->value;
	__u16 *words;

	if (layers->eth_type_be != sw_swap16(SW_ETH_ARP) || !sw_arp_at(frame_data(ctx), frame_end(ctx), layers->l3))
		return;
	words = rewrite_at(ctx, layers->l3 + (edit->arg & 31), 2);
	if (!words)
		return;
	words[0] = value[0];
	if (edit->size == 2)
		return;
	words = rewrite_at(ctx, layers->l3 + (edit->arg & 31) + 2, 2);
	if (!words)
		return;
	words[0] = value[1];
	if (edit->size == 4)
		return;
	words = rewrite_at(ctx, layers->l3 + (edit->arg & 31) + 4, 2);
	if (words)
		words[0] = value[2];
}

/* ---- all of them ---- */

__attribute__((noinline)) int rewrite_transport(hook_ctx *ctx, const struct sw_edit *edit)
{
	struct sw_layers *layers = rewrite_layers();

	if (!layers || !edit)
		return SW_DROP_NONE;
	switch (edit->op) {
	case SW_EDIT_L4:
		return rewrite_l4(ctx, layers, edit);
	case SW_EDIT_ARP:
		rewrite_arp(ctx, layers, edit);
		return SW_DROP_NONE;
	case SW_EDIT_ND_TARGET:
		return rewrite_nd_target(ctx, layers, edit);
	case SW_EDIT_ND_OPTION:
		return rewrite_nd_option(ctx, layers, edit);
	default:
		return SW_DROP_BAD_PROGRAM;
	}
}

#endif
