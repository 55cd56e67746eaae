/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/craft.h"

#include "bpf/extract.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>

#define PAYLOAD    26 /* bytes behind the headers, so that no frame is below Ethernet's 60 by much */
#define MIN_FRAME  60
#define L4_MAX     20
#define IPV4_LATER 1 /* fragment offset of a later fragment, in units of 8 bytes */

struct pen {
	uint8_t *frame;
	uint32_t at;
};

static void put(struct pen *pen, const void *bytes, uint32_t size)
{
	memcpy(pen->frame + pen->at, bytes, size);
	pen->at += size;
}

static void put_be16(struct pen *pen, uint16_t value_be)
{
	put(pen, &value_be, sizeof(value_be));
}

static uint32_t l4_size(const struct sw_key_fields *f)
{
	return f->ip_frag & SW_FRAG_LATER ? 0 : sw_l4_header_size(f->ip_proto);
}

static uint16_t checksum(const void *bytes, uint32_t size)
{
	const uint8_t *b = bytes;
	uint32_t sum = 0;

	for (uint32_t i = 0; i < size; i += 2)
		sum += (uint32_t)(b[i] << 8 | b[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static void ethernet(struct pen *pen, const struct sw_key_fields *f)
{
	put(pen, f->eth_dst, 6);
	put(pen, f->eth_src, 6);
	if (f->vlan_tci_be & htons(SW_VLAN_PRESENT)) {
		put_be16(pen, htons(0x8100));
		put_be16(pen, f->vlan_tci_be & (uint16_t)~htons(SW_VLAN_PRESENT));
	}
	/* A type of 0 is an 802.3 length. */
	put_be16(pen, f->eth_type_be ? f->eth_type_be : htons(PAYLOAD));
}

static void arp(struct pen *pen, const struct sw_key_fields *f)
{
	struct sw_wire_arp arp = {
		.htype_be = htons(1), .ptype_be = htons(0x0800), .hlen = 6, .plen = 4, .op_be = htons(f->ip_proto)};

	memcpy(arp.sha, f->eth_src, 6);
	memcpy(arp.spa, f->ip_src, 4);
	memcpy(arp.tpa, f->ip_dst, 4);
	put(pen, &arp, sizeof(arp));
}

static void ipv4(struct pen *pen, const struct sw_key_fields *f)
{
	struct sw_wire_ipv4 ip = {.version_ihl = 0x45,
		.tos = f->ip_tos,
		.total_size_be = htons((uint16_t)(sizeof(ip) + l4_size(f) + PAYLOAD)),
		.ttl = f->ip_ttl,
		.proto = f->ip_proto};

	if (f->ip_frag & SW_FRAG_LATER)
		ip.frag_be = htons(IPV4_LATER);
	else if (f->ip_frag)
		ip.frag_be = htons(0x2000); /* more fragments */
	memcpy(&ip.src_be, f->ip_src, 4);
	memcpy(&ip.dst_be, f->ip_dst, 4);
	ip.csum_be = checksum(&ip, sizeof(ip));
	put(pen, &ip, sizeof(ip));
}

static void ipv6(struct pen *pen, const struct sw_key_fields *f)
{
	struct sw_wire_ipv6 ip = {
		.first_be = htonl(6U << 28 | (uint32_t)f->ip_tos << 20 | (ntohl(f->ipv6_flabel_be) & 0xfffff)),
		.payload_size_be = htons((uint16_t)(l4_size(f) + PAYLOAD)),
		.next = f->ip_proto,
		.hop_limit = f->ip_ttl};

	memcpy(ip.src_be, f->ip_src, 16);
	memcpy(ip.dst_be, f->ip_dst, 16);
	put(pen, &ip, sizeof(ip));
}

/* Checksums stay zero: the fast path looks at them only where a sum may be unfinished. */
static void transport(struct pen *pen, const struct sw_key_fields *f)
{
	uint8_t header[L4_MAX] = {0};

	if (f->ip_proto == SW_IP_ICMP || f->ip_proto == SW_IP_ICMPV6) {
		header[0] = (uint8_t)ntohs(f->l4_src_be);
		header[1] = (uint8_t)ntohs(f->l4_dst_be);
	} else {
		memcpy(header, &f->l4_src_be, 2);
		memcpy(header + 2, &f->l4_dst_be, 2);
	}
	if (f->ip_proto == SW_IP_TCP) {
		memcpy(header + 12, &f->tcp_flags_be, 2);
		header[12] |= 0x50;
	}
	if (f->ip_proto == SW_IP_UDP) {
		header[4] = 0;
		header[5] = 8 + PAYLOAD;
	}
	put(pen, header, l4_size(f));
}

static bool has_key(const uint8_t *frame, uint32_t size, const struct sw_key *key)
{
	struct sw_headers headers;
	struct sw_key found;

	sw_extract(frame, frame + size, key->f.in_ifindex, SW_KEY_WORDS, &found, &headers);
	return !memcmp(&found, key, sizeof(found));
}

uint32_t craft_frame(const struct sw_key *key, uint8_t frame[CRAFT_SIZE])
{
	const struct sw_key_fields *f = &key->f;
	struct pen pen = {.frame = frame};
	uint32_t size;

	memset(frame, 0, CRAFT_SIZE);
	ethernet(&pen, f);
	if (f->eth_type_be == htons(SW_ETH_ARP))
		arp(&pen, f);
	else if (f->eth_type_be == htons(SW_ETH_IPV4))
		ipv4(&pen, f);
	else if (f->eth_type_be == htons(SW_ETH_IPV6))
		ipv6(&pen, f);
	if (f->eth_type_be == htons(SW_ETH_IPV4) || f->eth_type_be == htons(SW_ETH_IPV6))
		transport(&pen, f);
	size = pen.at + PAYLOAD < MIN_FRAME ? MIN_FRAME : pen.at + PAYLOAD;
	return has_key(frame, size, key) ? size : 0;
}
