/* SPDX-License-Identifier: BSD-2-Clause */
/* packet.h - frames for tests, and a checksum computed the slow way, from RFC 1071's words. */
#ifndef PACKET_H
#define PACKET_H

#include <stddef.h>
#include <stdint.h>

#define PACKET_MAX 20000
#define UNTAGGED   (-1)

enum packet_csum {
	CSUM_NONE,       /* field 0 */
	CSUM_UNFINISHED, /* the folded pseudo-header sum, as CHECKSUM_PARTIAL leaves it */
	CSUM_FINISHED,
};

struct packet {
	uint8_t bytes[PACKET_MAX];
	size_t size;
	size_t l3, l4;
};

struct packet_spec {
	int tci;        /* host order, or UNTAGGED */
	int ip_version; /* 4 or 6 */
	int ip_proto;   /* 6, 17, ... */
	size_t size;    /* of the whole frame; what is over is payload */
	enum packet_csum csum;
	int outer_tpid; /* 0, or one more tag outside of all */
	int exts;       /* IPv6 destination option headers; IPv4: words of options */
};

/* A frame from 02::02 to 02::01 whose payload comes from *seed, which it advances. */
void packet_make(struct packet *p, const struct packet_spec *spec, uint64_t *seed);

/* The same as UDP over IPv4 with a right checksum. */
void packet_plain(struct packet *p, int tci, size_t size);
/* Puts a tag in front, rewrites it or takes it off, so that it is `tci` or UNTAGGED. */
void packet_retag(struct packet *p, int tci);
int packet_tci(const struct packet *p);
/* MAC addresses are numbers, as they are written: 0x02000000000a. */
void packet_set_macs(struct packet *p, uint64_t dst, uint64_t src);

/* Writes the checksum field anew. */
void packet_set_csum(struct packet *p, enum packet_csum csum);
uint16_t packet_csum_field(const struct packet *p);
/* Sums in host order, folded, not inverted: of the pseudo header, and of the segment with its field taken as zero. */
uint16_t packet_pseudo_sum(const struct packet *p);
uint16_t packet_segment_sum(const struct packet *p);
uint16_t packet_add(uint16_t a, uint16_t b);
size_t packet_csum_offset(const struct packet *p);

uint64_t packet_random(uint64_t *seed);
/* A seed for this run, from SEED in the environment if it is set; printed when a test fails. */
uint64_t packet_seed(void);

/* Random bytes that look enough like frames to lead a parser astray: mutated and cut headers of every kind. */
void packet_scramble(struct packet *p, uint64_t *seed);

#endif
