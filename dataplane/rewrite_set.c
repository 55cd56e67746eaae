/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/rewrite_parts.h"

#include "bpf/extract.h"
#include "dataplane/flow.h"

#include <string.h>

#define ARP_SIZE       28
#define ND_SIZE        24 /* of a solicitation or advertisement, without its options */
#define ND_TARGET_AT   8
#define ND_OPTION_UNIT 8
#define MAC_SIZE       6

enum nd_type {
	ND_SOLICIT = 135,
	ND_ADVERT = 136,
};

/* Fields that are whole bytes at a fixed place in a header. */
static const struct place {
	uint8_t version;  /* of IP; 0: either */
	uint8_t ip_proto; /* 0: ARP */
	uint8_t header;   /* bytes that must be there */
	uint8_t offset, size;
} places[N_FIELDS] = {
	[FIELD_ARP_OP] = {0, 0, ARP_SIZE, 6, 2},
	[FIELD_ARP_SHA] = {0, 0, ARP_SIZE, 8, 6},
	[FIELD_ARP_SPA] = {0, 0, ARP_SIZE, 14, 4},
	[FIELD_ARP_THA] = {0, 0, ARP_SIZE, 18, 6},
	[FIELD_ARP_TPA] = {0, 0, ARP_SIZE, 24, 4},
	[FIELD_TCP_SRC] = {0, SW_IP_TCP, 20, 0, 2},
	[FIELD_TCP_DST] = {0, SW_IP_TCP, 20, 2, 2},
	[FIELD_UDP_SRC] = {0, SW_IP_UDP, 8, 0, 2},
	[FIELD_UDP_DST] = {0, SW_IP_UDP, 8, 2, 2},
	[FIELD_SCTP_SRC] = {0, SW_IP_SCTP, 12, 0, 2},
	[FIELD_SCTP_DST] = {0, SW_IP_SCTP, 12, 2, 2},
	[FIELD_ICMP_TYPE] = {4, SW_IP_ICMP, 8, 0, 1},
	[FIELD_ICMP_CODE] = {4, SW_IP_ICMP, 8, 1, 1},
	[FIELD_ICMPV6_TYPE] = {6, SW_IP_ICMPV6, 8, 0, 1},
	[FIELD_ICMPV6_CODE] = {6, SW_IP_ICMPV6, 8, 1, 1},
};

/* ---- the link layer ---- */

static void set_vlan(struct frame *frame, const struct layers *layers, uint16_t mask, uint16_t bits)
{
	uint8_t *tci = frame->data + LAYERS_ADDRESSES + 2;

	if (layers->is_tagged)
		store_be16(tci, (uint16_t)((load_be16(tci) & ~mask) | (bits & mask)));
}

static void set_label_entry(struct frame *frame, const struct layers *layers, uint32_t mask, uint32_t bits)
{
	uint8_t *entry = frame->data + layers->l3;

	if (layers_has_label(frame, layers))
		store_be32(entry, (load_be32(entry) & ~mask) | (bits & mask));
}

/* Returns false if the field is of a higher layer. */
static bool set_link_field(struct frame *frame, const struct layers *layers, uint8_t field, const uint8_t *value)
{
	switch (field) {
	case FIELD_ETH_DST:
		memcpy(frame->data, value, MAC_SIZE);
		return true;
	case FIELD_ETH_SRC:
		memcpy(frame->data + MAC_SIZE, value, MAC_SIZE);
		return true;
	case FIELD_ETH_TYPE:
		memcpy(frame->data + layers->type_at, value, 2);
		return true;
	case FIELD_VLAN_VID: /* the value's OFPVID_PRESENT is no bit of the tag */
		set_vlan(frame, layers, 0x0fff, load_be16(value));
		return true;
	case FIELD_VLAN_PCP:
		set_vlan(frame, layers, 0xe000, (uint16_t)(value[0] << 13));
		return true;
	case FIELD_MPLS_LABEL:
		set_label_entry(frame, layers, 0xfffff000, load_be32(value) << 12);
		return true;
	case FIELD_MPLS_TC:
		set_label_entry(frame, layers, 0x00000e00, (uint32_t)value[0] << 9);
		return true;
	case FIELD_MPLS_BOS:
		set_label_entry(frame, layers, 0x00000100, (uint32_t)value[0] << 8);
		return true;
	case FIELD_PBB_ISID:
		if (layers_has_itag(frame, layers))
			memcpy(frame->data + layers->l3 + 1, value, 3);
		return true;
	default:
		return false;
	}
}

/* ---- IP ---- */

/* Returns false if the field is not IP's. */
static bool set_ip_field(struct frame *frame, const struct ip_layer *ip, uint8_t field, const uint8_t *value)
{
	switch (field) {
	case FIELD_IP_PROTO:
		if (ip->version)
			ip_set_proto(frame, ip, value[0]);
		return true;
	case FIELD_IP_DSCP:
		if (ip->version)
			ip_set_tos(frame, ip, (uint8_t)((ip_tos(frame, ip) & 0x03) | value[0] << 2));
		return true;
	case FIELD_IP_ECN:
		if (ip->version)
			ip_set_tos(frame, ip, (ip_tos(frame, ip) & 0xfc) | (value[0] & 0x03));
		return true;
	case FIELD_IPV4_SRC:
	case FIELD_IPV6_SRC:
		if (ip->version == (field == FIELD_IPV4_SRC ? 4 : 6))
			ip_set_src(frame, ip, value);
		return true;
	case FIELD_IPV4_DST:
	case FIELD_IPV6_DST:
		if (ip->version == (field == FIELD_IPV4_DST ? 4 : 6))
			ip_set_dst(frame, ip, value);
		return true;
	case FIELD_IPV6_FLABEL:
		if (ip->version == 6)
			ip_set_label(frame, ip, value);
		return true;
	default:
		return false;
	}
}

/* ---- neighbour discovery, RFC 4861 ---- */

static bool is_neighbour(const struct frame *frame, const struct ip_layer *ip, enum nd_type type)
{
	return ip->version == 6 && ip->l4 && ip->l4_proto == SW_IP_ICMPV6 && ip->l4_size >= ND_SIZE &&
	       frame->data[ip->l4] == type;
}

static void set_nd_target(struct frame *frame, const struct ip_layer *ip, const uint8_t *value)
{
	if (is_neighbour(frame, ip, ND_SOLICIT) || is_neighbour(frame, ip, ND_ADVERT))
		ip_set_l4(frame, ip, ND_TARGET_AT, value, 16);
}

/* The link-layer address in the first option of that kind and of Ethernet's size; one of no length ends the walk. */
static void set_nd_option(
	struct frame *frame, const struct ip_layer *ip, enum nd_type type, uint8_t option, const uint8_t *value)
{
	uint32_t at = ND_SIZE;

	if (!is_neighbour(frame, ip, type))
		return;
	while (ip->l4_size - at >= ND_OPTION_UNIT) {
		const uint8_t *header = frame->data + ip->l4 + at;
		uint32_t size = header[1] * ND_OPTION_UNIT;

		if (!size || size > ip->l4_size - at)
			return;
		if (header[0] == option && header[1] == 1) {
			ip_set_l4(frame, ip, at + 2, value, MAC_SIZE);
			return;
		}
		at += size;
	}
}

/* ---- places in a header ---- */

static bool is_arp(const struct frame *frame, const struct layers *layers)
{
	static const uint8_t ethernet_ipv4[] = {0, 1, 0x08, 0x00, 6, 4};

	return layers->eth_type == SW_ETH_ARP && frame->size - layers->l3 >= ARP_SIZE &&
	       !memcmp(frame->data + layers->l3, ethernet_ipv4, sizeof(ethernet_ipv4));
}

static void set_place(struct frame *frame, const struct layers *layers, const struct place *place, const uint8_t *value)
{
	const struct ip_layer *ip = &layers->ip;

	if (!place->ip_proto) {
		if (is_arp(frame, layers))
			memcpy(frame->data + layers->l3 + place->offset, value, place->size);
		return;
	}
	if (ip->version && ip->l4 && ip->l4_proto == place->ip_proto && ip->l4_size >= place->header &&
		(!place->version || place->version == ip->version))
		ip_set_l4(frame, ip, place->offset, value, place->size);
}

/*
 * No byte of the frame is the tunnel id, and ipv6_exthdr tells which headers there are: to set it would mean to make
 * them up.
 */
void rewrite_set_field(struct frame *frame, const struct layers *layers, uint8_t field, const uint8_t *value)
{
	if (field >= N_FIELDS || set_link_field(frame, layers, field, value) ||
		set_ip_field(frame, &layers->ip, field, value))
		return;
	if (field == FIELD_ND_TARGET)
		set_nd_target(frame, &layers->ip, value);
	else if (field == FIELD_ND_SLL)
		set_nd_option(frame, &layers->ip, ND_SOLICIT, 1, value);
	else if (field == FIELD_ND_TLL)
		set_nd_option(frame, &layers->ip, ND_ADVERT, 2, value);
	else if (places[field].size)
		set_place(frame, layers, &places[field], value);
}
