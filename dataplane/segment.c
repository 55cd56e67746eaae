/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/segment.h"

#include "bpf/extract.h"
#include "dataplane/checksum.h"
#include "dataplane/layers.h"

#include <errno.h>
#include <string.h>

#define MAX_TAGS     2 /* beyond the one that extract.h takes apart, as CSUM_MAX_TAGS */
#define GSO_BY_FRAGS 0xffff

#define IPV4_SIZE     20
#define IPV4_TOTAL    2
#define IPV4_IDENT    4
#define IPV4_FRAG     6
#define IPV4_DF       0x40 /* in the byte at IPV4_FRAG */
#define IPV4_CHECKSUM 10
#define IPV6_SIZE     40
#define IPV6_PAYLOAD  4
#define IPV6_NEXT     6

#define TCP_SIZE     20
#define TCP_SEQUENCE 4
#define TCP_OFFSET   12
#define TCP_FLAGS    13
#define TCP_CHECKSUM 16
#define TCP_FIN      0x01
#define TCP_PSH      0x08
#define TCP_CWR      0x80
#define UDP_SIZE     8
#define UDP_LENGTH   4
#define UDP_CHECKSUM 6

#define PROTO_IPIP 4
#define PROTO_IPV6 41
#define PROTO_GRE  47
#define PROTO_MPLS 137

/* ---- headers ---- */

/* The network layer behind all tags; false: a header or tag is not whole. */
static bool find_network(const uint8_t *frame, uint32_t size, struct sw_headers *ret)
{
	const uint8_t *end = frame + size;
	struct sw_key key;

	sw_extract_part(frame, end, size, 0, SW_L2_WORDS, &key, ret);
	for (int i = 0; i < MAX_TAGS && ret->l3; i++) {
		const struct sw_wire_vlan *tag = sw_at(frame, end, ret->l3, sizeof(*tag));

		if (ret->eth_type_be != sw_swap16(SW_ETH_VLAN) && ret->eth_type_be != sw_swap16(SW_ETH_SVLAN))
			break;
		if (!tag)
			return false;
		ret->l3 += sizeof(*tag);
		ret->eth_type_be = tag->type_be;
	}
	return ret->l3;
}

/* The IP version, if its fixed header is whole and speaks of all that is there; else the reason why not. */
static int check_ip(const uint8_t *frame, uint32_t size, const struct sw_headers *headers)
{
	const uint8_t *ip = frame + headers->l3;
	uint32_t rest = size - headers->l3;

	if (headers->eth_type_be == sw_swap16(SW_ETH_IPV4)) {
		if (rest < IPV4_SIZE)
			return -EBADMSG;
		return load_be16(ip + IPV4_TOTAL) == rest ? 4 : -EMSGSIZE;
	}
	if (headers->eth_type_be == sw_swap16(SW_ETH_IPV6)) {
		if (rest < IPV6_SIZE)
			return -EBADMSG;
		return load_be16(ip + IPV6_PAYLOAD) == rest - IPV6_SIZE ? 6 : -EMSGSIZE;
	}
	return -EPROTONOSUPPORT;
}

static uint32_t extension_size(uint8_t type, uint8_t size)
{
	if (type == SW_IP_FRAGMENT)
		return 8;
	return type == SW_IP_AH ? (size + 2) * 4 : (size + 1) * 8;
}

/* Whether an IPv6 extension header vouches for the datagram as it is, or holds an address that the checksum means. */
static bool is_bound(const uint8_t *frame, const struct sw_headers *headers)
{
	uint32_t at = headers->l3 + IPV6_SIZE;
	uint8_t type = frame[headers->l3 + IPV6_NEXT];

	while (at < headers->l4) { /* on the way to l4 the parser has seen that each is whole */
		if (type == SW_IP_AH || (type == SW_IP_ROUTING && frame[at + 3]))
			return true;
		uint32_t size = extension_size(type, frame[at + 1]);

		type = frame[at];
		at += size;
	}
	return false;
}

static int check_proto(uint8_t ip_proto)
{
	switch (ip_proto) {
	case SW_IP_TCP:
	case SW_IP_UDP:
		return 0;
	case PROTO_IPIP:
	case PROTO_IPV6:
	case PROTO_GRE:
	case PROTO_MPLS:
		return -EPFNOSUPPORT;
	default:
		return -EPROTONOSUPPORT;
	}
}

static int check_tcp(struct segment *s, const struct sw_headers *headers)
{
	uint32_t header_size;

	if (headers->l4_size < TCP_SIZE)
		return -EBADMSG;
	header_size = (s->frame[s->l4 + TCP_OFFSET] >> 4) * 4;
	if (header_size < TCP_SIZE || header_size > headers->l4_size)
		return -EBADMSG;
	s->payload = s->l4 + header_size;
	s->has_checksum = true;
	return 0;
}

static int check_udp(struct segment *s, const struct sw_headers *headers)
{
	const uint8_t *udp = s->frame + s->l4;

	if (headers->l4_size < UDP_SIZE)
		return -EBADMSG;
	if (load_be16(udp + UDP_LENGTH) != headers->l4_size)
		return -EMSGSIZE;
	s->has_checksum = load_be16(udp + UDP_CHECKSUM);
	if (!s->has_checksum && s->gso.tunnel == SEGMENT_TUNNEL_UNKNOWN)
		return -EPFNOSUPPORT;
	s->has_checksum |= s->ip_version == 6; /* RFC 8200 §8.1 */
	s->payload = s->l4 + UDP_SIZE;
	return 0;
}

/* Everything but the sizes of the segments. */
static int find_headers(uint32_t size, struct segment *s)
{
	struct sw_headers headers;
	int version, error;

	if (!find_network(s->frame, size, &headers))
		return -EBADMSG;
	version = check_ip(s->frame, size, &headers);
	if (version < 0)
		return version;
	sw_extract_network(s->frame, s->frame + size, size, NULL, &headers);
	if (headers.ip_frag)
		return -EOPNOTSUPP;
	if (!headers.l4)
		return -EBADMSG;
	error = check_proto(headers.ip_proto);
	if (error)
		return error;
	if (version == 6 && is_bound(s->frame, &headers))
		return -EOPNOTSUPP;
	s->ip_version = (uint8_t)version;
	s->ip_proto = headers.ip_proto;
	s->l3 = headers.l3;
	s->l4 = headers.l4;
	return s->ip_proto == SW_IP_TCP ? check_tcp(s, &headers) : check_udp(s, &headers);
}

static bool is_absurd(const struct segment *s)
{
	if (s->n == 1)
		return false;
	return s->ip_proto == SW_IP_TCP ? s->gso.size < SEGMENT_TCP_MIN : s->n > SEGMENT_UDP_MAX;
}

int segment_begin(
	const uint8_t *frame, uint32_t size, const struct segment_gso *gso, uint32_t room, struct segment *ret)
{
	struct segment s = {.frame = frame, .gso = *gso};
	uint32_t largest;
	int error;

	if (!gso->size || gso->size == GSO_BY_FRAGS)
		return -EINVAL;
	if (gso->tunnel == SEGMENT_TUNNEL_INSIDE)
		return -EPFNOSUPPORT;
	error = find_headers(size, &s);
	if (error)
		return error;
	s.payload_size = size - s.payload;
	s.n = s.payload_size ? (s.payload_size - 1) / gso->size + 1 : 1;
	if (is_absurd(&s))
		return -EINVAL;
	largest = s.payload + (s.n > 1 ? gso->size : s.payload_size);
	if (largest > room)
		return -ENOBUFS;
	*ret = s;
	return 0;
}

/* ---- segments ---- */

static uint32_t add(uint32_t sum, uint16_t word)
{
	sum += word;
	return (sum & 0xffff) + (sum >> 16);
}

/* Of the addresses, the protocol and the size of what the IP header is followed by. */
static uint16_t pseudo_sum(const uint8_t *ip, uint8_t version, uint8_t ip_proto, uint32_t l4_size)
{
	uint16_t addresses = version == 4 ? checksum_sum(ip + 12, 8) : checksum_sum(ip + 8, 32);

	return (uint16_t)add(add(addresses, ip_proto), (uint16_t)l4_size);
}

static uint32_t checksum_at(uint8_t ip_proto)
{
	return ip_proto == SW_IP_TCP ? TCP_CHECKSUM : UDP_CHECKSUM;
}

/* The checksum where all else has this sum. Of UDP a zero would say that there is none (RFC 768). */
static uint16_t finished(uint32_t sum, uint8_t ip_proto)
{
	uint16_t checksum = (uint16_t)~sum;

	return !checksum && ip_proto == SW_IP_UDP ? 0xffff : checksum;
}

static void write_ip(const struct segment *s, uint8_t *ip, uint32_t rest)
{
	bool same_ident = s->gso.fixed_id && ip[IPV4_FRAG] & IPV4_DF;

	if (s->ip_version == 6) {
		store_be16(ip + IPV6_PAYLOAD, (uint16_t)(rest - IPV6_SIZE));
		return;
	}
	store_be16(ip + IPV4_TOTAL, (uint16_t)rest);
	if (!same_ident)
		store_be16(ip + IPV4_IDENT, (uint16_t)(load_be16(ip + IPV4_IDENT) + s->n_taken));
	store_be16(ip + IPV4_CHECKSUM, 0);
	store_be16(ip + IPV4_CHECKSUM, (uint16_t)~checksum_sum(ip, (ip[0] & 15) * 4));
}

static void write_tcp(const struct segment *s, uint8_t *tcp)
{
	store_be32(tcp + TCP_SEQUENCE, load_be32(tcp + TCP_SEQUENCE) + s->n_taken * s->gso.size);
	if (s->n_taken + 1 < s->n)
		tcp[TCP_FLAGS] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	if (s->n_taken && !s->gso.keep_cwr)
		tcp[TCP_FLAGS] &= (uint8_t)~TCP_CWR;
}

static void write_checksum(const struct segment *s, uint8_t *buf, uint32_t l4_size)
{
	uint8_t *field = buf + s->l4 + checksum_at(s->ip_proto);
	uint16_t pseudo = pseudo_sum(buf + s->l3, s->ip_version, s->ip_proto, l4_size);

	store_be16(field, 0);
	store_be16(field, finished(add(checksum_sum(buf + s->l4, l4_size), pseudo), s->ip_proto));
}

uint32_t segment_next(struct segment *s, uint8_t *buf)
{
	uint32_t offset = s->n_taken * s->gso.size, part, size;

	if (s->n_taken == s->n)
		return 0;
	part = s->payload_size - offset;
	if (part > s->gso.size)
		part = s->gso.size;
	size = s->payload + part;
	memcpy(buf, s->frame, s->payload);
	memcpy(buf + s->payload, s->frame + s->payload + offset, part);
	write_ip(s, buf + s->l3, size - s->l3);
	if (s->ip_proto == SW_IP_TCP)
		write_tcp(s, buf + s->l4);
	else
		store_be16(buf + s->l4 + UDP_LENGTH, (uint16_t)(size - s->l4));
	if (s->has_checksum)
		write_checksum(s, buf, size - s->l4);
	s->n_taken++;
	return size;
}

/* ---- a frame that is left whole ---- */

bool segment_finish_checksum(uint8_t *frame, uint32_t size)
{
	struct sw_headers headers;
	uint16_t pseudo, sum;
	uint32_t field;

	if (!find_network(frame, size, &headers))
		return false;
	sw_extract_network(frame, frame + size, size, NULL, &headers);
	if (!headers.l4 || headers.ip_frag || (headers.ip_proto != SW_IP_TCP && headers.ip_proto != SW_IP_UDP))
		return false;
	field = checksum_at(headers.ip_proto);
	if (headers.l4_size < field + 2)
		return false;
	pseudo = pseudo_sum(frame + headers.l3, frame[headers.l3] >> 4, headers.ip_proto, headers.l4_size);
	if (load_be16(frame + headers.l4 + field) != pseudo)
		return false;
	sum = checksum_sum(frame + headers.l4, headers.l4_size);
	if (add(sum, pseudo) == 0xffff)
		return false;
	store_be16(frame + headers.l4 + field, finished(sum, headers.ip_proto));
	return true;
}
