/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * rewrite.h - the edits of a flow's REWRITE step, carried out on the bytes of a frame, checksums and all.
 *
 * What: what dataplane/rewrite.c makes of a frame, byte for byte, for the edits of enum sw_edit_op. That file is the
 * reference, tests/bpf/test_rewrite_xdp.c compares.
 *
 * First the frame is looked at (rewrite_look): what the program cannot finish it does not begin, so that what goes up
 * is the frame that came in. Then the edits run one after the other. Each looks for its own header, because one flow's
 * frames need not be of one kind.
 *
 * Checksums are mended by what was changed under them (RFC 1624), so that one that was wrong stays wrong. Sums are of
 * words as they lie in memory, which one's complement does not mind; folding keeps 0 for a sum of nothing but zeros and
 * gives 0xffff for any other that is congruent to it, as dataplane/checksum.c does.
 *
 * The frame lies in one buffer. Headers are found within its first SW_PARSE_MAX bytes.
 *
 * Why functions: a global function is verified once, and not for each of the sixteen edits that may call it. What they
 * hand to each other is in the CPU's scratch.
 */
#ifndef SW_REWRITE_H
#define SW_REWRITE_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "csum.h"
#include "extract.h"
#include "frame.h"
#include "maps.h"
#include "vlan.h"

#define REWRITE_LEAST_SIZE 60     /* of a frame that a tag was taken off, IEEE 802.3 §3.2.8 */
#define REWRITE_TAG_KEPT   0xefff /* of an outer tag's TCI by a push: all but CFI */
#define REWRITE_REACH      32     /* bytes behind l4 within which the checksum ends, after a push too */

/* ---- sums ---- */

/* By how much a sum grows whose words have `after` in place of `before`, sums of words themselves. */
SW_INLINE __u32 rewrite_growth(__u64 before, __u64 after)
{
	return csum_fold(after + (csum_fold(before) ^ 0xffff));
}

SW_INLINE void rewrite_mend(__u16 *csum, __u32 growth)
{
	*csum = ~csum_fold((__u64)(*csum ^ 0xffff) + growth);
}

/* ---- where the headers are ---- */

SW_INLINE int rewrite_is_tag(__be16 type_be)
{
	return type_be == sw_swap16(SW_ETH_VLAN) || type_be == sw_swap16(SW_ETH_SVLAN);
}

SW_INLINE void *rewrite_at(struct xdp_md *ctx, __u32 offset, __u32 size)
{
	return (void *)sw_at(frame_data(ctx), frame_end(ctx), offset, size);
}

/* Whether a whole IPv6 header stands there whose datagram ends within the frame. */
SW_INLINE int rewrite_is_ipv6(const void *data, const void *data_end, __u32 frame_size, __u32 l3)
{
	const struct sw_wire_ipv6 *ip = sw_at(data, data_end, l3, sizeof(*ip));

	return ip && sw_swap32(ip->first_be) >> 28 == 6 &&
	       l3 + sizeof(*ip) + sw_swap16(ip->payload_size_be) <= frame_size;
}

/* From layers->l3 and layers->eth_type_be on. */
SW_INLINE void rewrite_find_ip(const void *data, const void *data_end, __u32 frame_size, struct sw_layers *layers)
{
	struct sw_headers headers = {.l3 = layers->l3, .eth_type_be = layers->eth_type_be};

	sw_extract_network(data, data_end, frame_size, 0, &headers);
	layers->l4 = headers.l4;
	layers->l4_size = headers.l4_size;
	layers->ip_proto = headers.ip_proto;
	layers->is_later = !!(headers.ip_frag & SW_FRAG_LATER);
	layers->version = 0;
	if (headers.eth_type_be == sw_swap16(SW_ETH_IPV4) && (headers.l4 || layers->is_later))
		layers->version = 4;
	else if (headers.eth_type_be == sw_swap16(SW_ETH_IPV6) &&
		 rewrite_is_ipv6(data, data_end, frame_size, layers->l3))
		layers->version = 6;
}

/* Finds the headers of the frame as it is by now, behind one tag at most; l3 0: its link header is not whole. */
__attribute__((noinline)) int rewrite_find(struct xdp_md *ctx)
{
	const void *data = frame_data(ctx), *data_end = frame_end(ctx);
	const struct sw_wire_eth *eth = sw_at(data, data_end, 0, sizeof(*eth));
	struct sw_scratch *s = scratch_get();
	const struct sw_wire_vlan *tag;
	struct sw_layers *layers;

	if (!s)
		return 0;
	layers = &s->layers;
	layers->l3 = 0;
	if (!eth)
		return 0;
	layers->eth_type_be = eth->type_be;
	layers->is_tagged = rewrite_is_tag(eth->type_be);
	if (layers->is_tagged) {
		tag = sw_at(data, data_end, sizeof(*eth), sizeof(*tag));
		if (!tag)
			return 0;
		layers->eth_type_be = tag->type_be;
	}
	layers->l3 = sizeof(*eth) + (layers->is_tagged ? sizeof(*tag) : 0);
	rewrite_find_ip(data, data_end, frame_first_size(ctx), layers);
	return 1;
}

/* The layers that were found; null: there is nothing to rewrite. */
SW_INLINE struct sw_layers *rewrite_layers(void)
{
	struct sw_scratch *s = scratch_get();

	return s && s->layers.l3 ? &s->layers : 0;
}

/* ---- looking before ---- */

/* Moves l3 behind all tags that are counted; how many there are. */
SW_INLINE __u32 rewrite_count_tags(const void *data, const void *data_end, struct sw_layers *layers)
{
	const struct sw_wire_vlan *tag;
	__u32 i;

	for (i = 0; i <= SW_REWRITE_TAGS; i++) {
		if (!rewrite_is_tag(layers->eth_type_be))
			break;
		tag = sw_at(data, data_end, layers->l3, sizeof(*tag));
		if (!tag)
			break;
		layers->l3 += sizeof(*tag);
		layers->eth_type_be = tag->type_be;
	}
	return i;
}

SW_INLINE int rewrite_ttl(const void *data, const void *data_end, const struct sw_layers *layers)
{
	const __u8 *ttl = sw_at(data, data_end, layers->l3 + (layers->version == 4 ? 8 : 7), 1);

	return ttl ? *ttl : 0;
}

/*
 * Whether some of the rewrite is not for this frame; 0: it can be carried out. What a pop will bring to the light is
 * looked at already; of a short frame even the padding that it will get.
 */
__attribute__((noinline)) int rewrite_look(struct xdp_md *ctx, const struct sw_rewrite *rewrite)
{
	const void *data = frame_data(ctx), *data_end = frame_end(ctx);
	const struct sw_wire_eth *eth = sw_at(data, data_end, 0, sizeof(*eth));
	__u32 size = frame_first_size(ctx), n_tags;
	struct sw_layers layers = {};

	if (!rewrite || !eth)
		return 1;
	layers.l3 = sizeof(*eth);
	layers.eth_type_be = eth->type_be;
	n_tags = rewrite_count_tags(data, data_end, &layers);
	if (n_tags > SW_REWRITE_TAGS)
		return 1;
	if (layers.eth_type_be != sw_swap16(SW_ETH_IPV4) && layers.eth_type_be != sw_swap16(SW_ETH_IPV6))
		return 0;
	rewrite_find_ip(data, data_end, size, &layers);
	if (!layers.version)
		return size < REWRITE_LEAST_SIZE + SW_MAX_EDITS * TAG_SIZE;
	if (rewrite->looks & SW_LOOK_TTL &&
		rewrite_ttl(data, data_end, &layers) < rewrite->ttl_least[n_tags & SW_REWRITE_TAGS])
		return 1;
	if (!(rewrite->looks & SW_LOOK_L4) || layers.is_later)
		return 0;
	if (!layers.l4 || layers.l4 > SW_PARSE_MAX - REWRITE_REACH)
		return 1;
	return rewrite->looks & SW_LOOK_DST && layers.version == 6 &&
	       layers.l4 != layers.l3 + sizeof(struct sw_wire_ipv6);
}

/* ---- the link layer ---- */

SW_INLINE void rewrite_eth(struct xdp_md *ctx, const struct sw_edit *edit)
{
	__u16 *to = rewrite_at(ctx, edit->arg ? 6 : 0, 6);
	const __u16 *value = (const void *)edit->value;

	if (!to)
		return;
	to[0] = value[0];
	to[1] = value[1];
	to[2] = value[2];
}

SW_INLINE enum sw_drop rewrite_push(struct xdp_md *ctx, struct sw_layers *layers)
{
	struct tagged_frame *tagged = layers->is_tagged ? rewrite_at(ctx, 0, sizeof(*tagged)) : 0;
	__u32 tci = tagged ? sw_swap16(tagged->tci_be) & REWRITE_TAG_KEPT : 0;

	layers->l3 = 0;
	return vlan_push(ctx, tci);
}

/* The kernel clears the bytes by which a frame grows at its end. Where there is no room it stays as short as it is. */
SW_INLINE enum sw_drop rewrite_pop(struct xdp_md *ctx, struct sw_layers *layers)
{
	struct tagged_frame *from = rewrite_at(ctx, 0, sizeof(*from)), *to = (void *)from + TAG_SIZE;
	__u32 macs[3], size;

	if (!from || !layers->is_tagged)
		return SW_DROP_NONE;
	macs[0] = from->macs[0];
	macs[1] = from->macs[1];
	macs[2] = from->macs[2];
	to->macs[0] = macs[0];
	to->macs[1] = macs[1];
	to->macs[2] = macs[2];
	layers->l3 = 0;
	if (bpf_xdp_adjust_head(ctx, TAG_SIZE))
		return SW_DROP_BAD_PROGRAM;
	size = frame_first_size(ctx);
	if (size < REWRITE_LEAST_SIZE)
		bpf_xdp_adjust_tail(ctx, REWRITE_LEAST_SIZE - size);
	return SW_DROP_NONE;
}

SW_INLINE void rewrite_tci(struct xdp_md *ctx, const struct sw_layers *layers, __u32 mask, __u32 bits)
{
	struct tagged_frame *tagged = rewrite_at(ctx, 0, sizeof(*tagged));

	if (tagged && layers->is_tagged)
		tagged->tci_be = (tagged->tci_be & sw_swap16((__u16)~mask)) | sw_swap16((__u16)(bits & mask));
}

/* ---- layer 4 ---- */

/* Mends the checksum of the transport, if it has one and it is whole. */
__attribute__((noinline)) int rewrite_mend_l4(struct xdp_md *ctx, __u32 growth)
{
	struct sw_scratch *s = scratch_get();
	__u32 offset, is_udp;
	__u16 *csum;

	if (!s || !s->layers.l4)
		return 0;
	offset = csum_field(s->layers.ip_proto);
	if (s->layers.ip_proto == (s->layers.version == 4 ? SW_IP_ICMP : SW_IP_ICMPV6))
		offset = 2;
	if (!offset || s->layers.l4_size < offset + 2)
		return 0;
	csum = rewrite_at(ctx, s->layers.l4 + offset, sizeof(*csum));
	is_udp = s->layers.ip_proto == SW_IP_UDP;
	if (!csum || (is_udp && !*csum))
		return 0;
	rewrite_mend(csum, growth);
	if (is_udp && !*csum)
		*csum = 0xffff;
	return 0;
}

/* The word in which a byte stands is what its checksum sums. */
SW_INLINE __u32 rewrite_byte(__u16 *word, __u32 is_second, __u8 value)
{
	__u16 before = *word;

	((__u8 *)word)[is_second] = value;
	return rewrite_growth(before, *word);
}

SW_INLINE void rewrite_l4(struct xdp_md *ctx, const struct sw_layers *layers, const struct sw_edit *edit)
{
	__u32 growth;
	__u16 *word;

	if (!layers->version || !layers->l4 || layers->ip_proto != edit->ip_proto ||
		layers->l4_size < sw_l4_header_size(edit->ip_proto) ||
		(edit->ip_proto == SW_IP_ICMP && layers->version != 4) ||
		(edit->ip_proto == SW_IP_ICMPV6 && layers->version != 6))
		return;
	word = rewrite_at(ctx, layers->l4 + (edit->arg & 2), sizeof(*word));
	if (!word)
		return;
	if (edit->size == 1) {
		growth = edit->arg & 1 ? rewrite_byte(word, 1, edit->value[0]) : rewrite_byte(word, 0, edit->value[0]);
	} else {
		growth = rewrite_growth(*word, *(const __u16 *)edit->value);
		*word = *(const __u16 *)edit->value;
	}
	rewrite_mend_l4(ctx, growth);
}

/* ---- IP ---- */

SW_INLINE void rewrite_mend_ipv4(struct sw_wire_ipv4 *ip, __u32 growth)
{
	rewrite_mend(&ip->csum_be, growth);
}

/* What becomes of this TTL; -1: the frame ends, of which rewrite_look() would have warned. */
SW_INLINE int rewrite_next_ttl(const struct sw_edit *edit, __u32 ttl)
{
	if (edit->op == SW_EDIT_SET_TTL)
		return edit->arg & 0xff;
	return ttl > 1 ? (int)ttl - 1 : -1;
}

SW_INLINE enum sw_drop rewrite_ipv4_ttl(struct xdp_md *ctx, const struct sw_layers *layers, const struct sw_edit *edit)
{
	struct sw_wire_ipv4 *ip = rewrite_at(ctx, layers->l3, sizeof(*ip));
	int ttl;

	if (!ip)
		return SW_DROP_NONE;
	ttl = rewrite_next_ttl(edit, ip->ttl);
	if (ttl < 0)
		return SW_DROP_TTL;
	rewrite_mend_ipv4(ip, rewrite_byte((__u16 *)&ip->ttl, 0, ttl));
	return SW_DROP_NONE;
}

SW_INLINE enum sw_drop rewrite_ipv6_ttl(struct xdp_md *ctx, const struct sw_layers *layers, const struct sw_edit *edit)
{
	struct sw_wire_ipv6 *ip = rewrite_at(ctx, layers->l3, sizeof(*ip));
	int ttl;

	if (!ip)
		return SW_DROP_NONE;
	ttl = rewrite_next_ttl(edit, ip->hop_limit);
	if (ttl < 0)
		return SW_DROP_TTL;
	ip->hop_limit = ttl;
	return SW_DROP_NONE;
}

SW_INLINE enum sw_drop rewrite_set_ttl(struct xdp_md *ctx, const struct sw_layers *layers, const struct sw_edit *edit)
{
	if (layers->version == 4)
		return rewrite_ipv4_ttl(ctx, layers, edit);
	return layers->version == 6 ? rewrite_ipv6_ttl(ctx, layers, edit) : SW_DROP_NONE;
}

SW_INLINE void rewrite_tos(struct xdp_md *ctx, const struct sw_layers *layers, __u32 mask, __u32 bits)
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

SW_INLINE void rewrite_ipv4(struct xdp_md *ctx, const struct sw_layers *layers, const struct sw_edit *edit)
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
		rewrite_mend_l4(ctx, growth);
}

SW_INLINE void rewrite_ipv6(struct xdp_md *ctx, const struct sw_layers *layers, const struct sw_edit *edit)
{
	struct sw_wire_ipv6 *ip = layers->version == 6 ? rewrite_at(ctx, layers->l3, sizeof(*ip)) : 0;
	const __u32 *value = (const void *)edit->value;
	__u64 before, after;
	__be32 *words;

	if (!ip)
		return;
	words = edit->arg == 8 ? ip->src_be : ip->dst_be;
	before = (__u64)words[0] + words[1] + words[2] + words[3];
	after = (__u64)value[0] + value[1] + value[2] + value[3];
	words[0] = value[0];
	words[1] = value[1];
	words[2] = value[2];
	words[3] = value[3];
	if (layers->ip_proto != SW_IP_ICMP)
		rewrite_mend_l4(ctx, rewrite_growth(before, after));
}

/* ---- ARP ---- */

SW_INLINE void rewrite_arp(struct xdp_md *ctx, const struct sw_layers *layers, const struct sw_edit *edit)
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

/* Those of IP and what is behind it. */
__attribute__((noinline)) int rewrite_network(struct xdp_md *ctx, const struct sw_edit *edit)
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
	case SW_EDIT_IPV4:
		rewrite_ipv4(ctx, layers, edit);
		return SW_DROP_NONE;
	case SW_EDIT_IPV6:
		rewrite_ipv6(ctx, layers, edit);
		return SW_DROP_NONE;
	case SW_EDIT_L4:
		rewrite_l4(ctx, layers, edit);
		return SW_DROP_NONE;
	case SW_EDIT_ARP:
		rewrite_arp(ctx, layers, edit);
		return SW_DROP_NONE;
	default:
		return SW_DROP_BAD_PROGRAM;
	}
}

/* SW_DROP_NONE, or why the frame cannot go on. */
__attribute__((noinline)) int rewrite_edit(struct xdp_md *ctx, const struct sw_edit *edit)
{
	struct sw_layers *layers = rewrite_layers();

	if (!layers || !edit)
		return SW_DROP_NONE;
	switch (edit->op) {
	case SW_EDIT_ETH:
		rewrite_eth(ctx, edit);
		return SW_DROP_NONE;
	case SW_EDIT_PUSH_VLAN:
		return rewrite_push(ctx, layers);
	case SW_EDIT_POP_VLAN:
		return rewrite_pop(ctx, layers);
	case SW_EDIT_VLAN_VID:
		rewrite_tci(ctx, layers, SW_VLAN_VID, sw_swap16(*(const __u16 *)edit->value));
		return SW_DROP_NONE;
	case SW_EDIT_VLAN_PCP:
		rewrite_tci(ctx, layers, 0xe000, edit->value[0] << 13);
		return SW_DROP_NONE;
	default:
		return rewrite_network(ctx, edit);
	}
}

/* Carries out the rewrite, whatever the frame is; SW_DROP_NONE, or why it cannot go on. */
SW_INLINE enum sw_drop rewrite_run(struct xdp_md *ctx, const struct sw_rewrite *rewrite)
{
	struct sw_scratch *s = scratch_get();
	int reason;
	__u32 i;

	if (!s)
		return SW_DROP_BAD_PROGRAM;
	s->layers.l3 = 0;
#pragma clang loop unroll(disable)
	for (i = 0; i < SW_MAX_EDITS && i < rewrite->n_edits; i++) {
		if (!s->layers.l3) /* here, because the stack ends below rewrite_edit() */
			rewrite_find(ctx);
		reason = rewrite_edit(ctx, &rewrite->edits[i]);
		if (reason)
			return reason;
	}
	return SW_DROP_NONE;
}

#endif
