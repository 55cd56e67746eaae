/* SPDX-License-Identifier: BSD-2-Clause */
#include "packet.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static void put16(uint8_t *p, unsigned int v)
{
	p[0] = v >> 8;
	p[1] = v;
}

static unsigned int get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

uint64_t packet_random(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

uint64_t packet_seed(void)
{
	const char *text = getenv("TEST_SEED");

	return text ? strtoull(text, NULL, 0) : (uint64_t)time(NULL) * 1000003;
}

uint16_t packet_add(uint16_t a, uint16_t b)
{
	uint32_t sum = (uint32_t)a + b;

	return (sum & 0xffff) + (sum >> 16);
}

static uint16_t sum_bytes(uint16_t sum, const uint8_t *p, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++)
		sum = packet_add(sum, i & 1 ? p[i] : p[i] << 8);
	return sum;
}

static int is_ipv4(const struct packet *p)
{
	return p->bytes[p->l3] >> 4 == 4;
}

static int ip_proto(const struct packet *p)
{
	const uint8_t *ip = p->bytes + p->l3;

	if (is_ipv4(p))
		return ip[9];
	return p->l4 == p->l3 + 40 ? ip[6] : p->bytes[p->l3 + 40 + (p->l4 - p->l3 - 40) - 8];
}

size_t packet_csum_offset(const struct packet *p)
{
	return p->l4 + (ip_proto(p) == 6 ? 16 : 6);
}

uint16_t packet_csum_field(const struct packet *p)
{
	return get16(p->bytes + packet_csum_offset(p));
}

uint16_t packet_pseudo_sum(const struct packet *p)
{
	const uint8_t *ip = p->bytes + p->l3;
	uint16_t sum = packet_add(ip_proto(p), p->size - p->l4);

	return is_ipv4(p) ? sum_bytes(sum, ip + 12, 8) : sum_bytes(sum, ip + 8, 32);
}

uint16_t packet_segment_sum(const struct packet *p)
{
	struct packet copy = *p;

	put16(copy.bytes + packet_csum_offset(p), 0);
	return sum_bytes(0, copy.bytes + p->l4, p->size - p->l4);
}

void packet_set_csum(struct packet *p, enum packet_csum csum)
{
	uint16_t value = 0;

	if (csum == CSUM_UNFINISHED)
		value = packet_pseudo_sum(p);
	if (csum == CSUM_FINISHED) {
		value = ~packet_add(packet_pseudo_sum(p), packet_segment_sum(p));
		if (!value && ip_proto(p) == 17)
			value = 0xffff;
	}
	put16(p->bytes + packet_csum_offset(p), value);
}

static void make_ipv4(struct packet *p, const struct packet_spec *spec)
{
	uint8_t *ip = p->bytes + p->l3;
	size_t header_size = 20 + 4 * spec->exts;

	ip[0] = 0x40 | header_size / 4;
	ip[1] = 0;
	put16(ip + 2, p->size - p->l3);
	put16(ip + 4, 1);
	put16(ip + 6, 0x4000);
	ip[8] = 64;
	ip[9] = spec->ip_proto;
	put16(ip + 10, 0);
	p->l4 = p->l3 + header_size;
	put16(ip + 10, ~sum_bytes(0, ip, header_size) & 0xffff);
}

static void make_ipv6(struct packet *p, const struct packet_spec *spec)
{
	uint8_t *ip = p->bytes + p->l3;
	int i;

	ip[0] = 0x60;
	ip[1] = ip[2] = ip[3] = 0;
	put16(ip + 4, p->size - p->l3 - 40);
	ip[6] = spec->exts ? 60 : spec->ip_proto;
	ip[7] = 64;
	for (i = 0; i < spec->exts; i++) {
		ip[40 + 8 * i] = i + 1 < spec->exts ? 60 : spec->ip_proto;
		ip[40 + 8 * i + 1] = 0;
	}
	p->l4 = p->l3 + 40 + 8 * spec->exts;
}

void packet_make(struct packet *p, const struct packet_spec *spec, uint64_t *seed)
{
	static const uint8_t macs[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
	size_t i, at = 12;

	p->size = spec->size;
	for (i = 0; i < p->size; i++)
		p->bytes[i] = packet_random(seed);
	memcpy(p->bytes, macs, 12);
	if (spec->outer_tpid) {
		put16(p->bytes + at, spec->outer_tpid);
		put16(p->bytes + at + 2, 7);
		at += 4;
	}
	if (spec->tci != UNTAGGED) {
		put16(p->bytes + at, 0x8100);
		put16(p->bytes + at + 2, spec->tci);
		at += 4;
	}
	put16(p->bytes + at, spec->ip_version == 4 ? 0x0800 : 0x86dd);
	p->l3 = at + 2;
	if (spec->ip_version == 4)
		make_ipv4(p, spec);
	else
		make_ipv6(p, spec);
	if (spec->ip_proto == 17)
		put16(p->bytes + p->l4 + 4, p->size - p->l4);
	if (spec->ip_proto == 6 || spec->ip_proto == 17)
		packet_set_csum(p, spec->csum);
}

void packet_plain(struct packet *p, int tci, size_t size)
{
	struct packet_spec spec = {.tci = tci, .ip_version = 4, .ip_proto = 17, .size = size, .csum = CSUM_FINISHED};
	uint64_t seed = size;

	packet_make(p, &spec, &seed);
}

int packet_tci(const struct packet *p)
{
	return get16(p->bytes + 12) == 0x8100 ? (int)get16(p->bytes + 14) : UNTAGGED;
}

/* Moves all that follows the addresses by so many bytes. */
static void shift(struct packet *p, int by)
{
	size_t from = by < 0 ? 12 - by : 12;

	memmove(p->bytes + from + by, p->bytes + from, p->size - from);
	p->size += by;
	p->l3 += by;
	p->l4 += by;
}

void packet_retag(struct packet *p, int tci)
{
	int was = packet_tci(p);

	if (was == UNTAGGED && tci != UNTAGGED)
		shift(p, 4);
	if (was != UNTAGGED && tci == UNTAGGED)
		shift(p, -4);
	if (tci != UNTAGGED) {
		put16(p->bytes + 12, 0x8100);
		put16(p->bytes + 14, tci);
	}
}

void packet_set_macs(struct packet *p, uint64_t dst, uint64_t src)
{
	int i;

	for (i = 0; i < 6; i++) {
		p->bytes[i] = dst >> (40 - 8 * i);
		p->bytes[6 + i] = src >> (40 - 8 * i);
	}
}

static int pick(uint64_t *seed, const int *of, size_t n)
{
	return of[packet_random(seed) % n];
}

void packet_scramble(struct packet *p, uint64_t *seed)
{
	static const int protos[] = {0, 1, 6, 17, 41, 43, 44, 50, 51, 58, 59, 60, 132, 136, 255};
	static const int types[] = {0x0800, 0x0806, 0x8100, 0x86dd, 0x88a8, 0x0600, 0x05ff, 0x0000, 0x8847};
	struct packet_spec spec = {
		.tci = packet_random(seed) % 3 ? UNTAGGED : (int)(packet_random(seed) & 0xffff),
		.ip_version = packet_random(seed) & 1 ? 4 : 6,
		.ip_proto = pick(seed, protos, sizeof(protos) / sizeof(*protos)),
		.size = 160 + packet_random(seed) % 400,
		.exts = packet_random(seed) % 4 ? 0 : packet_random(seed) % 10,
	};
	uint64_t n = packet_random(seed) % 5;

	packet_make(p, &spec, seed);
	if (packet_random(seed) % 8 == 0)
		put16(p->bytes + p->l3 - 2, pick(seed, types, sizeof(types) / sizeof(*types)));
	if (packet_random(seed) % 8 == 0) {
		static const uint8_t arp[] = {0, 1, 8, 0, 6, 4, 0};

		put16(p->bytes + p->l3 - 2, 0x0806);
		memcpy(p->bytes + p->l3, arp, sizeof(arp));
	}
	if (packet_random(seed) % 4 == 0)
		put16(p->bytes + p->l3 + 6, packet_random(seed) & 0x3fff);
	if (spec.ip_version == 6) {
		size_t i;

		for (i = 0; i < 12 && packet_random(seed) % 2; i++) {
			uint8_t *ext = p->bytes + p->l3 + 40 + 8 * i;

			if (!i)
				p->bytes[p->l3 + 6] = pick(seed, protos, sizeof(protos) / sizeof(*protos));
			ext[0] = pick(seed, protos, sizeof(protos) / sizeof(*protos));
			ext[1] = packet_random(seed) % 4 ? 0 : packet_random(seed) % 12;
			put16(ext + 2, packet_random(seed) % 2 ? 0 : packet_random(seed) & 0xffff);
		}
	}
	while (n--)
		p->bytes[12 + packet_random(seed) % 80] = packet_random(seed);
	if (packet_random(seed) % 2)
		p->size = 14 + packet_random(seed) % (p->size - 13);
}
