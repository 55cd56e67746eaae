/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flow_extract.c - a flow out of a frame's bytes: the program's parser (bpf/extract.h) for the words that its key has,
 * and behind it what the daemon alone reads.
 *
 * The program's parser is called and not copied. An 802.1ad tag, which it leaves as the type, is stepped over here, and
 * its network and transport layers are then told where to begin. Every other byte is read by bytes_at(), which knows
 * the end.
 *
 * Choices, where the specification is quiet
 * - A frame that ends inside its tag of either kind is a runt.
 * - An extension header counts if it lies in the datagram whole, and if it is one of the first SW_IPV6_EXTENSIONS. What
 *   stands behind ESP, behind "no next header" and in a later fragment is not looked at.
 * - Of several link-layer address options of neighbour discovery the first counts. One that is not 8 bytes long is for
 *   another kind of link (RFC 2464 §6) and is none.
 */
#include "dataplane/flow.h"

#include "bpf/extract.h"

#include <arpa/inet.h>
#include <string.h>

#define ETH_MPLS           0x8847
#define ETH_MPLS_MULTICAST 0x8848
#define ETH_PBB            0x88e7

#define IP_ESP     50
#define IP_NO_NEXT 59

#define ND_SOLICITATION   135
#define ND_ADVERTISEMENT  136
#define ND_TARGET_OFFSET  8
#define ND_OPTIONS_OFFSET 24
#define ND_OPTION_SOURCE  1
#define ND_OPTION_TARGET  2

/* OF 1.3.5 §7.2.3.8 */
enum ofp_ieh {
	IEH_NONEXT = 1,
	IEH_ESP = 2,
	IEH_AUTH = 4,
	IEH_DEST = 8,
	IEH_FRAG = 16,
	IEH_ROUTER = 32,
	IEH_HOP = 64,
	IEH_UNREP = 128,
	IEH_UNSEQ = 256,
};

struct bytes {
	const uint8_t *data;
	size_t size;
};

/* The n bytes at offset, or NULL if they are not all there. */
static const uint8_t *bytes_at(const struct bytes *bytes, size_t offset, size_t n)
{
	return offset <= bytes->size && n <= bytes->size - offset ? bytes->data + offset : NULL;
}

static uint16_t load16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

/* Steps over an 802.1ad tag that stands outermost and reads on behind it. false: it is not whole. */
static bool look_through_service_tag(const struct bytes *frame, struct flow *flow, struct sw_headers *headers)
{
	const uint8_t *tag = bytes_at(frame, headers->l3, sizeof(struct sw_wire_vlan));
	const void *end = frame->data + frame->size;
	uint16_t type;

	if (!tag)
		return false;
	type = load16(tag + 2);
	headers->l3 += sizeof(struct sw_wire_vlan);
	headers->eth_type_be = htons(type < SW_ETH_TYPE_MIN ? 0 : type);
	flow->x.f.vlan_tci_be = htons(load16(tag) | SW_VLAN_PRESENT);
	flow->x.f.eth_type_be = headers->eth_type_be;
	sw_extract_network(frame->data, end, (__u32)frame->size, &flow->fast, headers);
	sw_extract_transport(frame->data, end, &flow->fast, headers);
	return true;
}

static void extract_arp(const struct bytes *frame, uint32_t l3, struct flow *flow)
{
	const struct sw_wire_arp *arp = sw_arp_at(frame->data, frame->data + frame->size, l3);

	if (!arp)
		return;
	memcpy(flow->x.hw_src, arp->sha, 6);
	memcpy(flow->x.hw_dst, arp->tha, 6);
}

static void extract_mpls(const struct bytes *frame, uint32_t l3, struct flow *flow)
{
	const uint8_t *entry = bytes_at(frame, l3, 4);

	if (entry)
		memcpy(&flow->x.mpls_lse_be, entry, 3); /* the fourth is the TTL, which no field has */
}

/* The I-TAG of IEEE 802.1ah: a byte of flags, the I-SID, and the customer's addresses. */
static void extract_pbb(const struct bytes *frame, uint32_t l3, struct flow *flow)
{
	const uint8_t *tag = bytes_at(frame, l3, 4);

	if (tag)
		memcpy((uint8_t *)&flow->x.pbb_isid_be + 1, tag + 1, 3);
}

/* ---- IPv6 extension headers ---- */

/* Bit of an extension header; 0: it is none. `place` is where RFC 2460 §4.1 recommends to have it. */
static uint16_t ieh_of(uint8_t ip_proto, int *ret_place)
{
	static const struct {
		uint8_t ip_proto;
		uint16_t bit;
	} order[] = {
		{SW_IP_HOPOPTS, IEH_HOP},
		{SW_IP_DSTOPTS, IEH_DEST}, /* of these two one is before a routing header, one the last */
		{SW_IP_ROUTING, IEH_ROUTER},
		{SW_IP_FRAGMENT, IEH_FRAG},
		{SW_IP_AH, IEH_AUTH},
		{IP_ESP, IEH_ESP},
	};

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (order[i].ip_proto == ip_proto) {
			*ret_place = (int)i;
			return order[i].bit;
		}
	}
	return 0;
}

/* Bytes of an extension header other than ESP, whose own length field says so. */
static size_t ext_size(uint8_t ip_proto, const uint8_t *ext)
{
	if (ip_proto == SW_IP_FRAGMENT)
		return 8;
	return ip_proto == SW_IP_AH ? (ext[1] + 2u) * 4 : (ext[1] + 1u) * 8;
}

/* What has been seen of a chain of extension headers. */
struct chain {
	uint16_t bits;  /* IEH_* */
	uint16_t known; /* IEH_* of all headers so far: a hop-by-hop header that is not the first has no bit */
	int n_dest;
	int place; /* of the last header */
};

static void chain_add(struct chain *chain, uint16_t bit, int place)
{
	const int last_place = 6;

	if (bit == IEH_DEST && (chain->n_dest++ || chain->place > place))
		place = last_place;
	if (bit == IEH_DEST ? chain->n_dest > 2 : chain->known & bit)
		chain->bits |= IEH_UNREP;
	if (place < chain->place)
		chain->bits |= IEH_UNSEQ;
	if (bit != IEH_HOP || !chain->known)
		chain->bits |= bit;
	chain->known |= bit;
	chain->place = place;
}

/* `datagram` ends where its length field says. The headers begin at `offset`, with one of kind `ip_proto`. */
static uint16_t read_ext_headers(const struct bytes *datagram, size_t offset, uint8_t ip_proto)
{
	struct chain chain = {0};

	for (int i = 0; i < SW_IPV6_EXTENSIONS; i++) {
		int place = 0;
		uint16_t bit = ieh_of(ip_proto, &place);
		const uint8_t *ext = bytes_at(datagram, offset, 8);

		if (!bit || !ext)
			break;
		if (bit == IEH_ESP) {
			chain_add(&chain, bit, place);
			break;
		}
		if (!bytes_at(datagram, offset, ext_size(ip_proto, ext)))
			break;
		chain_add(&chain, bit, place);
		if (bit == IEH_FRAG && load16(ext + 2) & 0xfff8)
			return chain.bits; /* the next header is in the first fragment */
		offset += ext_size(ip_proto, ext);
		ip_proto = ext[0];
	}
	return ip_proto == IP_NO_NEXT ? chain.bits | IEH_NONEXT : chain.bits;
}

static void extract_ipv6(const struct bytes *frame, uint32_t l3, struct flow *flow)
{
	const uint8_t *ip = bytes_at(frame, l3, sizeof(struct sw_wire_ipv6));
	struct bytes datagram = *frame;

	if (!ip || ip[0] >> 4 != 6)
		return;
	datagram.size = l3 + sizeof(struct sw_wire_ipv6) + load16(ip + 4);
	if (datagram.size > frame->size)
		return;
	flow->x.ipv6_exthdr_be = htons(read_ext_headers(&datagram, l3 + sizeof(struct sw_wire_ipv6), ip[6]));
}

/* ---- neighbour discovery, RFC 4861 §4.3, §4.4, §4.6 ---- */

/* The link-layer address in the first option of that type, or NULL. */
static const uint8_t *nd_option(const struct bytes *message, uint8_t type)
{
	size_t at = ND_OPTIONS_OFFSET;
	const uint8_t *option;

	while ((option = bytes_at(message, at, 8)) && option[1]) {
		if (option[0] == type && option[1] == 1)
			return option + 2;
		at += option[1] * 8u;
	}
	return NULL;
}

static void extract_nd(const struct bytes *frame, const struct sw_headers *headers, struct flow *flow)
{
	struct bytes message = {frame->data + headers->l4, headers->l4_size};
	uint16_t type = ntohs(flow->x.f.l4_src_be);
	bool solicits = type == ND_SOLICITATION;
	const uint8_t *target, *address;

	if (!solicits && type != ND_ADVERTISEMENT)
		return;
	target = bytes_at(&message, ND_TARGET_OFFSET, 16);
	if (!target)
		return;
	memcpy(flow->x.nd_target, target, 16);
	address = nd_option(&message, solicits ? ND_OPTION_SOURCE : ND_OPTION_TARGET);
	if (address)
		memcpy(solicits ? flow->x.hw_src : flow->x.hw_dst, address, 6);
}

bool flow_extract(const void *data, size_t size, uint32_t of_port, struct flow *ret)
{
	struct bytes frame = {data, size};
	struct sw_headers headers;
	struct flow flow = {0};
	bool whole;

	sw_extract(data, frame.data + size, of_port, SW_KEY_WORDS, &flow.fast, &headers);
	whole = headers.l3;
	if (headers.eth_type_be == htons(SW_ETH_SVLAN) && !flow.x.f.vlan_tci_be)
		whole = look_through_service_tag(&frame, &flow, &headers);
	if (!whole) {
		*ret = (struct flow){.x.f.in_ifindex = of_port};
		return false;
	}
	switch (ntohs(headers.eth_type_be)) {
	case SW_ETH_ARP:
		extract_arp(&frame, headers.l3, &flow);
		break;
	case SW_ETH_IPV6:
		extract_ipv6(&frame, headers.l3, &flow);
		if (headers.l4 && headers.ip_proto == SW_IP_ICMPV6)
			extract_nd(&frame, &headers, &flow);
		break;
	case ETH_MPLS:
	case ETH_MPLS_MULTICAST:
		extract_mpls(&frame, headers.l3, &flow);
		break;
	case ETH_PBB:
		extract_pbb(&frame, headers.l3, &flow);
		break;
	}
	*ret = flow;
	return true;
}
