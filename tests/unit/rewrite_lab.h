/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rewrite_lab.h - random frames of every kind, of which it is known where their headers are because they were put
 * there, and a twin that sums all their bytes anew.
 */
#ifndef TESTS_REWRITE_LAB_H
#define TESTS_REWRITE_LAB_H

#include "tests/unit/seeded.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define LAB_MAX 2048

enum sum_state {
	SUM_NONE, /* the frame has no such checksum, or a UDP checksum of zero */
	SUM_RIGHT,
	SUM_WRONG,
};

struct lab {
	uint8_t bytes[LAB_MAX];
	uint32_t size;
	uint32_t tail;     /* bytes behind the frame that a next fragment would bring */
	uint32_t ip;       /* offset of an IP header; 0: none */
	uint8_t version;   /* of it */
	bool behind_label; /* it is */
	bool later;        /* a later fragment */
	bool fragment;     /* any */
	bool deep;         /* more headers than the parser of flows looks at */
	uint32_t proto_at; /* of the byte that names the transport */
	uint32_t dst_at;   /* of the destination that the transport's checksum means */
	uint32_t l4, l4_size;
	uint8_t l4_proto; /* what the transport header is, whatever the frame says by now */
};

/* ---- the twin: it takes sums from the first byte to the last ---- */

static inline uint32_t twin_sum(const uint8_t *bytes, uint32_t size, uint32_t sum)
{
	for (uint32_t i = 0; i < size; i++)
		sum += i % 2 ? bytes[i] : bytes[i] * 256u;
	return sum;
}

static inline uint16_t twin_fold(uint32_t sum)
{
	return (uint16_t)(sum % 65535 ? sum % 65535 : sum ? 65535 : 0);
}

static inline uint32_t twin_crc32c(const uint8_t *bytes, uint32_t size)
{
	uint32_t crc = 0xffffffff;

	for (uint32_t i = 0; i < size; i++) {
		crc ^= i >= 8 && i < 12 ? 0 : bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
	}
	return ~crc;
}

static inline uint32_t lab_checksum_at(const struct lab *lab)
{
	switch (lab->l4_proto) {
	case 6:
		return lab->l4 + 16;
	case 17:
		return lab->l4 + 6;
	case 1:
	case 58:
		return lab->l4 + 2;
	case 132:
		return lab->l4 + 8;
	default:
		return 0;
	}
}

static inline uint16_t twin_transport(const struct lab *lab)
{
	uint32_t size = lab->l4_size + lab->tail, sum = 0, address = lab->version == 4 ? 4 : 16;

	if (lab->l4_proto != 1) {
		sum = size + lab->bytes[lab->proto_at];
		sum = twin_sum(lab->bytes + lab->ip + (lab->version == 4 ? 12 : 8), address, sum);
		sum = twin_sum(lab->bytes + lab->dst_at, address, sum);
	}
	return twin_fold(twin_sum(lab->bytes + lab->l4, size, sum));
}

static inline enum sum_state lab_ip_sum(const struct lab *lab)
{
	const uint8_t *ip = lab->bytes + lab->ip;

	if (!lab->ip || lab->version != 4)
		return SUM_NONE;
	return twin_fold(twin_sum(ip, (ip[0] & 15) * 4, 0)) == 0xffff ? SUM_RIGHT : SUM_WRONG;
}

static inline enum sum_state lab_transport_sum(const struct lab *lab)
{
	uint32_t at = lab_checksum_at(lab), crc;

	if (!lab->ip || lab->later || !at)
		return SUM_NONE;
	if (lab->l4_proto == 132) {
		crc = twin_crc32c(lab->bytes + lab->l4, lab->l4_size + lab->tail);
		for (int i = 0; i < 4; i++) {
			if (lab->bytes[at + i] != (uint8_t)(crc >> 8 * i))
				return SUM_WRONG;
		}
		return SUM_RIGHT;
	}
	if (lab->l4_proto == 17 && !lab->bytes[at] && !lab->bytes[at + 1])
		return SUM_NONE;
	return twin_transport(lab) == 0xffff ? SUM_RIGHT : SUM_WRONG;
}

/* ---- building ---- */

static inline void lab_put(struct lab *lab, const void *bytes, uint32_t size)
{
	memcpy(lab->bytes + lab->size, bytes, size);
	lab->size += size;
}

static inline void lab_put16(struct lab *lab, uint16_t value)
{
	lab_put(lab, (uint8_t[]){(uint8_t)(value >> 8), (uint8_t)value}, 2);
}

static inline void lab_random(struct lab *lab, struct seeded *random, uint32_t size)
{
	while (size--)
		lab->bytes[lab->size++] = (uint8_t)seeded_next(random);
}

static inline void lab_set16(struct lab *lab, uint32_t at, uint16_t value)
{
	lab->bytes[at] = (uint8_t)(value >> 8);
	lab->bytes[at + 1] = (uint8_t)value;
}

static inline void lab_sum(struct lab *lab)
{
	uint32_t at = lab_checksum_at(lab), crc;

	if (lab->version == 4) {
		lab_set16(lab, lab->ip + 10, 0);
		lab_set16(lab, lab->ip + 10,
			(uint16_t)~twin_fold(twin_sum(lab->bytes + lab->ip, (lab->bytes[lab->ip] & 15) * 4, 0)));
	}
	if (lab->later || !at)
		return;
	if (lab->l4_proto == 132) {
		crc = twin_crc32c(lab->bytes + lab->l4, lab->l4_size + lab->tail);
		for (int i = 0; i < 4; i++)
			lab->bytes[at + i] = (uint8_t)(crc >> 8 * i);
		return;
	}
	lab_set16(lab, at, 0);
	lab_set16(lab, at, (uint16_t)~twin_transport(lab));
	if (lab->l4_proto == 17 && !lab->bytes[at] && !lab->bytes[at + 1])
		lab_set16(lab, at, 0xffff);
}

static inline void lab_damage(struct lab *lab, struct seeded *random)
{
	uint32_t at = lab_checksum_at(lab);

	if (lab->version == 4 && !seeded_below(random, 4))
		lab->bytes[lab->ip + 10] ^= (uint8_t)(1 + seeded_below(random, 255));
	if (lab->later || !at)
		return;
	if (!seeded_below(random, 4))
		lab->bytes[at] ^= (uint8_t)(1 + seeded_below(random, 255));
	if (lab->l4_proto == 17 && !seeded_below(random, 4))
		lab_set16(lab, at, 0);
}

static inline void lab_neighbour(struct lab *lab, struct seeded *random)
{
	uint8_t type = (uint8_t)(135 + seeded_below(random, 2));

	lab_put(lab, (uint8_t[]){type, 0}, 2);
	lab_random(lab, random, 22);
	for (uint32_t n = seeded_below(random, 4); n--;) {
		static const uint8_t kinds[] = {1, 2, 5, 14};
		uint8_t units = (uint8_t)(seeded_below(random, 4) ? 1 : 2);

		lab_put(lab, (uint8_t[]){kinds[seeded_below(random, 4)], units}, 2);
		lab_random(lab, random, units * 8u - 2);
	}
}

/* The transport and its payload; up to `tail` bytes of it are behind the frame. */
static inline void lab_transport(struct lab *lab, struct seeded *random, bool cut)
{
	static const uint8_t headers[] = {[6] = 20, [17] = 8, [1] = 8, [58] = 8, [132] = 12};
	uint32_t header = lab->l4_proto == 47 ? 4 : headers[lab->l4_proto], payload = seeded_below(random, 60);

	lab->l4 = lab->size;
	if (lab->l4_proto == 58 && seeded_below(random, 2)) {
		lab_neighbour(lab, random);
	} else {
		lab_random(lab, random, header);
		if (lab->l4_proto == 58)
			lab->bytes[lab->l4] = 128; /* an echo: a neighbour message would be too short */
	}
	lab_random(lab, random, payload);
	if (cut)
		lab->tail = seeded_below(random, payload + 1);
	lab->size -= lab->tail;
	lab->l4_size = lab->size - lab->l4;
}

static inline void lab_ipv4(struct lab *lab, struct seeded *random)
{
	static const uint8_t protos[] = {6, 17, 1, 132, 47};
	uint8_t options = (uint8_t)(seeded_below(random, 3) ? 0 : 4 * seeded_below(random, 11));
	uint16_t fragment = seeded_below(random, 5) ? 0x4000 : seeded_below(random, 2) ? 0x2000 : 0x0123;

	lab->ip = lab->size;
	lab->version = 4;
	lab->fragment = fragment != 0x4000;
	lab->later = fragment == 0x0123;
	lab->l4_proto = protos[seeded_below(random, 5)];
	lab->proto_at = lab->ip + 9;
	lab->dst_at = lab->ip + 16;
	lab_random(lab, random, 20u + options);
	lab->bytes[lab->ip] = (uint8_t)(0x45 + options / 4);
	lab_set16(lab, lab->ip + 6, fragment);
	lab->bytes[lab->proto_at] = lab->l4_proto;
	lab_transport(lab, random, fragment == 0x2000);
	lab_set16(lab, lab->ip + 2, (uint16_t)(lab->size - lab->ip));
}

static inline void lab_extension(struct lab *lab, struct seeded *random, uint8_t kind, uint32_t units)
{
	uint32_t at = lab->size;

	lab->bytes[lab->proto_at] = kind;
	lab->proto_at = at;
	if (kind == 44) {
		uint16_t bits = lab->later ? 0x0128 : lab->fragment ? 1 : 0;

		lab_random(lab, random, 2);
		lab_put16(lab, bits);
		lab_random(lab, random, 4);
		return;
	}
	lab_random(lab, random, kind == 43 ? 24 : 8 * units);
	lab->bytes[at + 1] = (uint8_t)(kind == 51 ? 2 * units - 2 : kind == 43 ? 2 : units - 1);
	if (kind != 43)
		return;
	lab->bytes[at + 3] = (uint8_t)seeded_below(random, 2);
	if (lab->bytes[at + 3])
		lab->dst_at = at + 8;
}

static inline void lab_ipv6(struct lab *lab, struct seeded *random)
{
	static const uint8_t protos[] = {6, 17, 58, 132, 47}, kinds[] = {0, 60, 51};
	uint32_t n = seeded_below(random, 2) ? 0 : seeded_below(random, 4);

	lab->deep = !seeded_below(random, 10);
	lab->ip = lab->size;
	lab->version = 6;
	lab->proto_at = lab->ip + 6;
	lab->dst_at = lab->ip + 24;
	lab->fragment = !seeded_below(random, 5);
	lab->later = lab->fragment && seeded_below(random, 2);
	lab->l4_proto = protos[seeded_below(random, 5)];
	lab_random(lab, random, 40);
	lab->bytes[lab->ip] = (uint8_t)(0x60 | (lab->bytes[lab->ip] & 15));
	if (lab->deep)
		n = 5 + seeded_below(random, 8);
	while (n--)
		lab_extension(lab, random, kinds[seeded_below(random, 3)], 1 + seeded_below(random, lab->deep ? 6 : 2));
	if (!seeded_below(random, 4))
		lab_extension(lab, random, 43, 3);
	if (lab->fragment || !seeded_below(random, 8))
		lab_extension(lab, random, 44, 1);
	lab->bytes[lab->proto_at] = lab->l4_proto;
	lab_transport(lab, random, lab->fragment);
	lab_set16(lab, lab->ip + 4, (uint16_t)(lab->size - lab->ip - 40));
}

static inline void lab_ip(struct lab *lab, struct seeded *random, uint8_t version)
{
	if (version == 4)
		lab_ipv4(lab, random);
	else
		lab_ipv6(lab, random);
	lab_sum(lab);
	lab_damage(lab, random);
}

static inline void lab_mpls(struct lab *lab, struct seeded *random)
{
	for (uint32_t n = seeded_below(random, 3); n--;) {
		lab_random(lab, random, 4);
		lab->bytes[lab->size - 2] &= 0xfe;
	}
	lab_random(lab, random, 4);
	lab->bytes[lab->size - 2] |= 1;
	lab->behind_label = true;
	lab_ip(lab, random, seeded_below(random, 2) ? 4 : 6);
}

static inline struct lab lab_frame(struct seeded *random)
{
	static const uint16_t types[] = {0x0800, 0x0800, 0x86dd, 0x86dd, 0x0806, 0x8847, 0x8848, 0x88e7, 0x88b5};
	struct lab lab = {.size = 0};
	uint16_t type = types[seeded_below(random, 9)];

	lab_random(&lab, random, 12);
	if (!seeded_below(random, 3)) {
		lab_put16(&lab, seeded_below(random, 2) ? 0x8100 : 0x88a8);
		lab_random(&lab, random, 2);
	}
	lab_put16(&lab, type);
	switch (type) {
	case 0x0800:
	case 0x86dd:
		lab_ip(&lab, random, type == 0x0800 ? 4 : 6);
		break;
	case 0x0806:
		lab_put(&lab, (uint8_t[]){0, 1, 8, 0, 6, 4}, 6);
		lab_random(&lab, random, 22 + seeded_below(random, 30));
		break;
	case 0x8847:
	case 0x8848:
		lab_mpls(&lab, random);
		break;
	default:
		lab_random(&lab, random, 18 + seeded_below(random, 60));
		break;
	}
	return lab;
}

#endif
