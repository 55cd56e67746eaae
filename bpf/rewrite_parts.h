/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * rewrite_parts.h - what the files rewrite*.h share: sums, and where the headers of the frame at hand lie.
 *
 * Checksums are mended by what was changed under them (RFC 1624), so that one that was wrong stays wrong. Sums are of
 * words as they lie in memory, which one's complement does not mind; folding keeps 0 for a sum of nothing but zeros and
 * gives 0xffff for any other that is congruent to it, as dataplane/checksum.c does.
 *
 * Headers are found within a frame's first SW_PARSE_MAX bytes.
 */
#ifndef SW_REWRITE_PARTS_H
#define SW_REWRITE_PARTS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "csum.h"
#include "extract.h"
#include "frame.h"
#include "maps.h"

#define REWRITE_UNFIT    SW_N_DROPS /* an edit's answer beside SW_DROP_*: the frame is for the daemon */
#define REWRITE_TAG_SIZE 4          /* of a VLAN tag, and of a label */
#define REWRITE_REACH    32         /* bytes behind l4 within which an edit's last byte is, after a push too */

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

/* The word in which a byte stands is what its checksum sums. */
SW_INLINE __u32 rewrite_byte(__u16 *word, __u32 is_second, __u8 value)
{
	__u16 before = *word;

	((__u8 *)word)[is_second] = value;
	return rewrite_growth(before, *word);
}

SW_INLINE void rewrite_mend_ipv4(struct sw_wire_ipv4 *ip, __u32 growth)
{
	rewrite_mend(&ip->csum_be, growth);
}

/* ---- where the headers are ---- */

SW_INLINE int rewrite_is_tag(__be16 type_be)
{
	return type_be == sw_swap16(SW_ETH_VLAN) || type_be == sw_swap16(SW_ETH_SVLAN);
}

SW_INLINE void *rewrite_at(hook_ctx *ctx, __u32 offset, __u32 size)
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

/* Type, tag and l3 of a frame with this header; 0: its tag is not whole. */
SW_INLINE int rewrite_find_link(
	hook_ctx *ctx, const struct sw_wire_eth *eth, const void *data_end, struct sw_layers *layers)
{
	const struct sw_wire_vlan *tag = (const void *)(eth + 1);

	layers->eth_type_be = eth->type_be;
	layers->is_tagged = frame_hides_tag(ctx) || rewrite_is_tag(eth->type_be);
	if (layers->is_tagged && !frame_hides_tag(ctx)) {
		if ((const void *)(tag + 1) > data_end)
			return 0;
		layers->eth_type_be = tag->type_be;
		layers->l3 = sizeof(*eth) + sizeof(*tag);
	} else {
		layers->l3 = sizeof(*eth);
	}
	return 1;
}

/* Finds the headers of the frame as it is by now, behind one tag at most; l3 0: its link header is not whole. */
__attribute__((noinline)) int rewrite_find(hook_ctx *ctx)
{
	const void *data = frame_data(ctx), *data_end = frame_end(ctx);
	const struct sw_wire_eth *eth = sw_at(data, data_end, 0, sizeof(*eth));
	struct sw_scratch *s = scratch_get();
	struct sw_layers *layers;

	if (!s)
		return 0;
	layers = &s->layers;
	layers->l3 = 0;
	if (!eth || !rewrite_find_link(ctx, eth, data_end, layers))
		return 0;
	rewrite_find_ip(data, data_end, frame_bytes(ctx), layers);
	return 1;
}

/* The layers that were found; null: there is nothing to rewrite. */
SW_INLINE struct sw_layers *rewrite_layers(void)
{
	struct sw_scratch *s = scratch_get();

	return s && s->layers.l3 ? &s->layers : 0;
}

/* Of an IP header that is there. */
SW_INLINE __u32 rewrite_ttl(const void *data, const void *data_end, const struct sw_layers *layers)
{
	const __u8 *ttl = sw_at(data, data_end, layers->l3 + (layers->version == 4 ? 8 : 7), 1);

	return ttl ? *ttl : 0;
}

/* Whether there may be a transport header which the program does not reach; what rests on it is the daemon's. */
SW_INLINE int rewrite_is_deep(const struct sw_layers *layers)
{
	return layers->version && !layers->is_later &&
	       (!layers->l4 || layers->l4 > SW_PARSE_MAX - REWRITE_REACH + REWRITE_TAG_SIZE);
}

#endif
