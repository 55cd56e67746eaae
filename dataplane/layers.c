/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/layers.h"

#include "bpf/extract.h"

#define ETH_SIZE   14
#define IPV4_SIZE  20
#define IPV6_SIZE  40
#define EXT_SIZE   8 /* the least of an extension header */
#define IPV4_LATER 0x1fff
#define IPV6_LATER 0xfff8

bool layers_find(const struct frame *frame, struct layers *ret)
{
	struct layers layers = {.type_at = LAYERS_ADDRESSES, .l3 = ETH_SIZE};

	if (frame->size < ETH_SIZE)
		return false;
	layers.eth_type = load_be16(frame->data + LAYERS_ADDRESSES);
	if (layers.eth_type == SW_ETH_VLAN || layers.eth_type == SW_ETH_SVLAN) {
		if (frame->size < ETH_SIZE + FRAME_TAG_SIZE)
			return false;
		layers.is_tagged = true;
		layers.type_at += FRAME_TAG_SIZE;
		layers.l3 += FRAME_TAG_SIZE;
		layers.eth_type = load_be16(frame->data + layers.type_at);
	}
	if (layers.eth_type == SW_ETH_IPV4)
		ip_find(frame, layers.l3, 4, &layers.ip);
	else if (layers.eth_type == SW_ETH_IPV6)
		ip_find(frame, layers.l3, 6, &layers.ip);
	*ret = layers;
	return true;
}

static void find_ipv4(const struct frame *frame, struct ip_layer *ip)
{
	const uint8_t *header = frame->data + ip->at;
	uint32_t header_size, size;

	if (frame->size - ip->at < IPV4_SIZE || header[0] >> 4 != 4)
		return;
	header_size = (header[0] & 15) * 4;
	size = load_be16(header + 2);
	if (header_size < IPV4_SIZE || size < header_size || size > frame->size - ip->at)
		return;
	ip->version = 4;
	ip->proto_at = ip->at + 9;
	if (load_be16(header + 6) & IPV4_LATER)
		return;
	ip->names_l4 = true;
	ip->l4 = ip->at + header_size;
	ip->l4_size = size - header_size;
	ip->l4_proto = header[9];
}

static uint32_t extension_size(uint8_t ip_proto, uint8_t size)
{
	if (ip_proto == SW_IP_FRAGMENT)
		return EXT_SIZE;
	return ip_proto == SW_IP_AH ? (size + 2) * 4 : (size + 1) * 8;
}

/*
 * To the layer-4 header of a datagram that ends at `end`, over any number of extension headers; each has eight bytes at
 * least. The flow's ip_proto stays where sw_extract_ipv6_exts() gives up (L1).
 */
static void walk_extensions(const struct frame *frame, uint32_t end, struct ip_layer *ip)
{
	uint32_t named_at = ip->at + 6, offset = ip->at + IPV6_SIZE;
	bool is_seen = true;

	ip->proto_at = named_at;
	for (int n = 0; sw_is_ipv6_ext(frame->data[named_at]); n++) {
		const uint8_t *ext = frame->data + offset;
		uint8_t type = frame->data[named_at];

		if (offset > end || end - offset < EXT_SIZE)
			return;
		is_seen = is_seen && n < SW_IPV6_EXTENSIONS && offset + EXT_SIZE <= SW_PARSE_MAX;
		named_at = offset;
		if (is_seen)
			ip->proto_at = named_at;
		if (type == SW_IP_FRAGMENT && load_be16(ext + 2) & IPV6_LATER)
			return;
		if (type == SW_IP_ROUTING && ext[3])
			ip->goes_on = true;
		offset += extension_size(type, ext[1]);
	}
	if (offset > end)
		return;
	ip->names_l4 = ip->proto_at == named_at;
	ip->l4 = offset;
	ip->l4_size = end - offset;
	ip->l4_proto = frame->data[named_at];
}

static void find_ipv6(const struct frame *frame, struct ip_layer *ip)
{
	const uint8_t *header = frame->data + ip->at;
	uint32_t size;

	if (frame->size - ip->at < IPV6_SIZE || header[0] >> 4 != 6)
		return;
	size = load_be16(header + 4);
	if (size > frame->size - ip->at - IPV6_SIZE)
		return;
	ip->version = 6;
	walk_extensions(frame, ip->at + IPV6_SIZE + size, ip);
}

void ip_find(const struct frame *frame, uint32_t at, uint8_t version, struct ip_layer *ret)
{
	*ret = (struct ip_layer){.at = at};
	if (at > frame->size)
		return;
	if (version == 4)
		find_ipv4(frame, ret);
	else if (version == 6)
		find_ipv6(frame, ret);
}

bool layers_has_label(const struct frame *frame, const struct layers *layers)
{
	return (layers->eth_type == LAYERS_MPLS || layers->eth_type == LAYERS_MPLS_MCAST) &&
	       frame->size - layers->l3 >= LAYERS_LABEL_SIZE;
}

bool layers_has_itag(const struct frame *frame, const struct layers *layers)
{
	return layers->eth_type == LAYERS_PBB && frame->size - layers->l3 >= LAYERS_ITAG_SIZE;
}
