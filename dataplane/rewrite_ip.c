/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/rewrite_parts.h"

#include "bpf/extract.h"
#include "dataplane/checksum.h"

#include <string.h>

#define IPV4_CHECKSUM 10
#define SCTP_CHECKSUM 8
#define SCTP_SIZE     12

/* ---- sums ---- */

/* Where the transport's Internet checksum is in its header; 0: it has none, or it is not there whole. */
static uint32_t checksum_at(const struct ip_layer *ip)
{
	uint32_t at = 0;

	if (ip->l4_proto == SW_IP_TCP)
		at = 16;
	else if (ip->l4_proto == SW_IP_UDP)
		at = 6;
	else if (ip->l4_proto == (ip->version == 4 ? SW_IP_ICMP : SW_IP_ICMPV6))
		at = 2;
	return ip->l4 && ip->l4_size >= at + 2 ? at : 0;
}

/* A UDP checksum of zero says that there is none, so one that becomes zero is sent as 0xffff (RFC 768). */
static void mend_transport(struct frame *frame, const struct ip_layer *ip, uint16_t growth)
{
	uint32_t at = checksum_at(ip);
	uint8_t *checksum = frame->data + ip->l4 + at;
	bool is_udp = ip->l4_proto == SW_IP_UDP;

	if (!at || (is_udp && !load_be16(checksum)))
		return;
	checksum_mend(checksum, growth);
	if (is_udp && !load_be16(checksum))
		store_be16(checksum, 0xffff);
}

/* ICMP for IPv4 is the one whose checksum leaves the addresses out. */
static void mend_pseudo_header(struct frame *frame, const struct ip_layer *ip, uint16_t growth)
{
	if (ip->l4_proto != SW_IP_ICMP)
		mend_transport(frame, ip, growth);
}

/* The CRC runs over the whole packet, of which a fragment does not know the end: there it goes wrong, and is dropped.
 */
static void mend_sctp(
	struct frame *frame, const struct ip_layer *ip, uint32_t offset, const uint8_t *difference, uint32_t size)
{
	uint8_t *checksum = frame->data + ip->l4 + SCTP_CHECKSUM;
	uint32_t change = crc32c_difference(difference, size, ip->l4_size - offset - size);

	for (int i = 0; i < 4; i++)
		checksum[i] ^= (uint8_t)(change >> 8 * i);
}

/* Replaces bytes of the IP header, mends its checksum if it has one, and returns the growth. */
static uint16_t replace(
	struct frame *frame, const struct ip_layer *ip, uint32_t at, const uint8_t *value, uint32_t size)
{
	uint8_t *bytes = frame->data + at;
	uint16_t growth = checksum_growth(bytes, value, size, (at - ip->at) & 1);

	memcpy(bytes, value, size);
	if (ip->version == 4)
		checksum_mend(frame->data + ip->at + IPV4_CHECKSUM, growth);
	return growth;
}

/* ---- the IP header ---- */

static uint32_t ttl_at(const struct ip_layer *ip)
{
	return ip->at + (ip->version == 4 ? 8 : 7);
}

uint8_t ip_ttl(const struct frame *frame, const struct ip_layer *ip)
{
	return frame->data[ttl_at(ip)];
}

void ip_set_ttl(struct frame *frame, const struct ip_layer *ip, uint8_t ttl)
{
	replace(frame, ip, ttl_at(ip), &ttl, 1);
}

uint8_t ip_tos(const struct frame *frame, const struct ip_layer *ip)
{
	const uint8_t *header = frame->data + ip->at;

	return ip->version == 4 ? header[1] : (uint8_t)(load_be16(header) >> 4);
}

void ip_set_tos(struct frame *frame, const struct ip_layer *ip, uint8_t tos)
{
	uint8_t *header = frame->data + ip->at;

	if (ip->version == 4)
		replace(frame, ip, ip->at + 1, &tos, 1);
	else
		store_be16(header, (uint16_t)((load_be16(header) & 0xf00f) | tos << 4));
}

/*
 * The transport header stays what it was, and so does the place of its checksum, which covers the new number: the
 * conformance tool's patterns 10_IP_PROTO have it so.
 */
void ip_set_proto(struct frame *frame, const struct ip_layer *ip, uint8_t ip_proto)
{
	const uint8_t before = frame->data[ip->proto_at];

	replace(frame, ip, ip->proto_at, &ip_proto, 1);
	if (ip->names_l4)
		mend_pseudo_header(frame, ip, checksum_growth(&before, &ip_proto, 1, true));
}

void ip_set_src(struct frame *frame, const struct ip_layer *ip, const uint8_t *address)
{
	uint16_t growth = ip->version == 4 ? replace(frame, ip, ip->at + 12, address, 4)
					   : replace(frame, ip, ip->at + 8, address, 16);

	mend_pseudo_header(frame, ip, growth);
}

void ip_set_dst(struct frame *frame, const struct ip_layer *ip, const uint8_t *address)
{
	uint16_t growth = ip->version == 4 ? replace(frame, ip, ip->at + 16, address, 4)
					   : replace(frame, ip, ip->at + 24, address, 16);

	if (!ip->goes_on) /* RFC 8200 §8.1 */
		mend_pseudo_header(frame, ip, growth);
}

void ip_set_label(struct frame *frame, const struct ip_layer *ip, const uint8_t *label_be)
{
	uint8_t *first = frame->data + ip->at;

	store_be32(first, (load_be32(first) & 0xfff00000) | (load_be32(label_be) & 0x000fffff));
}

/* ---- the transport ---- */

void ip_set_l4(struct frame *frame, const struct ip_layer *ip, uint32_t offset, const uint8_t *value, uint32_t size)
{
	uint8_t *bytes = frame->data + ip->l4 + offset, difference[16];
	uint16_t growth = checksum_growth(bytes, value, size, offset & 1);

	for (uint32_t i = 0; i < size; i++) {
		difference[i] = bytes[i] ^ value[i];
		bytes[i] = value[i];
	}
	if (ip->l4_proto == SW_IP_SCTP && ip->l4_size >= SCTP_SIZE)
		mend_sctp(frame, ip, offset, difference, size);
	else
		mend_transport(frame, ip, growth);
}
