/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flow.h - a frame as rules see it: fields, keys, matches, their text.
 *
 * What: a struct flow is everything that an OpenFlow rule can ask about a frame: first the words that the program's key
 * has too (bpf/abi.h), then those that only the daemon takes from the frame, then what the pipeline itself adds
 * (metadata, tunnel id). The fields are rows of field.def (name, place, width, OXM number, prerequisite, text form),
 * and printing, parsing, the OpenFlow codec and un-wildcarding all read the rows.
 *
 * Why two keys: the program compares nine words a frame, and each more costs every frame. What MPLS, PBB, neighbour
 * discovery and extension headers have is looked at by rules that hardly anybody has; a translation that consults such
 * a bit goes up to the daemon (FLOW_FAST_WORDS).
 *
 * Where the two differ: in the program's key the device is an ifindex and only an 802.1Q tag is looked through. In a
 * struct flow the port is an OpenFlow port number, and the outermost tag may be of either kind, 802.1Q or 802.1ad, as
 * OF 1.3.5 §7.2.3.7 has it. So for a frame whose type is 0x88a8 in the program's key nothing but addresses, type and
 * device is the same in both (flow_extract()).
 *
 * The text is ovs-ofctl's, which people know:
 *     in_port=p1,vlan_vid=10,eth_src=02:00:00:00:00:01,eth_dst=02:00:00:00:00:02/ff:ff:00:00:00:00,eth_type=0x0800
 */
#ifndef DATAPLANE_FLOW_H
#define DATAPLANE_FLOW_H

#include "bpf/abi.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct complaint;

enum field_id {
#define FIELD(id, ...) FIELD_##id,
#include "dataplane/field.def"
#undef FIELD
	N_FIELDS
};

/* Fields named _be are in network order, addresses in wire order. Zero where the frame has no such field. */
struct flow_fields {
	struct sw_key_fields f; /* in_ifindex holds the OpenFlow number of the port, host order */

	__be32 mpls_lse_be; /* outermost label stack entry, its TTL zero: label 20 bits, TC 3, bottom of stack 1 */
	__be32 pbb_isid_be; /* low 24 bits */

	uint8_t hw_src[6];     /* ARP's sender; ND's source link-layer address */
	__be16 ipv6_exthdr_be; /* low 9 bits: OFPIEH_* of OF 1.3.5 §7.2.3.8 */

	uint8_t hw_dst[6]; /* ARP's target; ND's target link-layer address */
	uint16_t zero;

	uint8_t nd_target[16];

	__be64 metadata_be;
	__be64 tunnel_id_be;
};

#define FLOW_WORDS      16
#define FLOW_FAST_WORDS SW_KEY_WORDS /* words that the program's key has */
#define FLOW_META_WORD  14           /* from here on: the pipeline's own, no part of the frame */

struct flow {
	union {
		struct flow_fields x;
		struct sw_key fast; /* the first words, as the program has them, but for the port */
		uint64_t w[FLOW_WORDS];
	};
};

_Static_assert(sizeof(struct flow) == FLOW_WORDS * 8, "a flow has padding");

/* A flow and the bits of it that count. Bits of `key` outside `mask` are zero. */
struct flow_match {
	struct flow key;
	struct flow mask;
};

/* How the port is spelt: by name. Either may fail: format then prints the number, parse complains. */
struct flow_names {
	const void *ctx;
	const char *(*name_of)(const void *ctx, uint32_t number); /* NULL: unknown */
	uint32_t (*number_of)(const void *ctx, const char *name); /* 0: unknown */
};

static inline struct sw_key key_masked(const struct sw_key *key, const struct sw_key *mask)
{
	struct sw_key masked;

	for (int i = 0; i < SW_KEY_WORDS; i++)
		masked.w[i] = key->w[i] & mask->w[i];
	return masked;
}

static inline bool key_equal(const struct sw_key *a, const struct sw_key *b)
{
	for (int i = 0; i < SW_KEY_WORDS; i++) {
		if (a->w[i] != b->w[i])
			return false;
	}
	return true;
}

static inline struct flow flow_masked(const struct flow *flow, const struct flow *mask)
{
	struct flow masked;

	for (int i = 0; i < FLOW_WORDS; i++)
		masked.w[i] = flow->w[i] & mask->w[i];
	return masked;
}

static inline bool flow_equal(const struct flow *a, const struct flow *b)
{
	for (int i = 0; i < FLOW_WORDS; i++) {
		if (a->w[i] != b->w[i])
			return false;
	}
	return true;
}

/* A program's key, widened; what the key does not have is zero. The port stays the ifindex that it is. */
struct flow flow_of_key(const struct sw_key *key);

/*
 * Takes a flow from a frame that came in by the port of that OpenFlow number. Any bytes, any size; a field that is not
 * there whole is zero. Metadata and tunnel id are zero. Returns false for a runt, whose flow is all zero but for the
 * port.
 */
bool flow_extract(const void *frame, size_t size, uint32_t of_port, struct flow *ret);

/* Sets every bit of the field in `mask`: "we looked at all of it". */
void flow_look(struct flow *mask, enum field_id field);
/* The same in a mask of the program's, for a field that lies in it. */
void key_look(struct sw_key *mask, enum field_id field);

/* What field.def says of a field. */
struct field_row {
	const char *name;
	uint32_t bits;        /* that are the field's, of a number of `size` bytes; ALL: every bit */
	uint8_t offset, size; /* bytes, in struct flow */
	uint8_t form;         /* how it is spelt (flow.c) */
	uint8_t prerequisite; /* flow.c */
	int8_t oxm;           /* OXM_OF_* number of OF 1.3.5 table 11; -1: none */
	uint8_t oxm_size;     /* bytes of its value in an OXM TLV */
	uint8_t oxm_bits;     /* significant bits of it */
	bool maskable, settable;
};
const struct field_row *field_row(enum field_id field);
const char *field_name(enum field_id field);
/* By OXM number of class OFPXMC_OPENFLOW_BASIC; N_FIELDS: there is none. */
enum field_id field_of_oxm(unsigned oxm_number);
/* Whether a match that looks at these bits of this key may look at the field (OF 1.3.5 §7.2.3.6). */
bool field_prerequisite_met(enum field_id field, const struct flow_match *match);

/*
 * The field's value as a number of oxm_size bytes in network order, out of a flow and into one (or into a mask, given
 * the bits). Writing replaces the field's bits. VLAN_VID's value has OFPVID_PRESENT (0x1000) where there is a tag.
 */
void field_read(enum field_id field, const struct flow *flow, uint8_t *ret_value);
void field_write(enum field_id field, struct flow *flow, const uint8_t *value);

/*
 * Prints the fields that `mask` looks at, separated by commas, into `text` of `size` bytes, cut short with a NUL where
 * it does not fit; "any" for a mask that looks at nothing. `names` may be NULL. Returns the length it would have had.
 */
size_t flow_format(
	const struct flow *flow, const struct flow *mask, const struct flow_names *names, char *text, size_t size);
/* The same for a key of the program's, whose port is an ifindex. */
size_t key_format(
	const struct sw_key *key, const struct sw_key *mask, const struct flow_names *names, char *text, size_t size);

/* Reads what flow_format() prints. -EINVAL: the complaint names the word at fault; `ret` is untouched. */
int flow_parse(const char *text, const struct flow_names *names, struct flow_match *ret, struct complaint *complaint);

#endif
