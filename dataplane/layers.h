/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * layers.h - where the headers of a frame lie, for whoever writes into them.
 *
 * Why beside bpf/extract.h: that one reads a frame's first 256 bytes and a bounded number of headers, which is enough
 * to tell flows apart. Whoever changes an address must find the transport's checksum however far behind it lies, and
 * needs places where the parser needs values.
 *
 * Invariants
 * L1 A field that flow_extract() sees is found here at the very bytes that it is read from. What is not whole there, or
 *    contradicts itself, is not there here either.
 * L2 Whatever is said to be there lies within the frame.
 */
#ifndef DATAPLANE_LAYERS_H
#define DATAPLANE_LAYERS_H

#include "dataplane/frame.h"

#define LAYERS_ADDRESSES  12 /* bytes of the two MAC addresses */
#define LAYERS_LABEL_SIZE 4
#define LAYERS_ITAG_SIZE  4  /* priority, flags and I-SID, IEEE 802.1Q-2018 §9.7 */
#define LAYERS_ITAG_WHOLE 18 /* with the customer's addresses and EtherType */
#define LAYERS_MPLS       0x8847
#define LAYERS_MPLS_MCAST 0x8848
#define LAYERS_PBB        0x88e7

/* Offsets from the start of the frame. */
struct ip_layer {
	uint32_t at;
	uint8_t version; /* 4 or 6; 0: there is no whole header, and nothing else here is valid */

	uint32_t proto_at; /* byte from which a flow's ip_proto is read */
	bool names_l4;     /* it names the header at l4, not an extension header or a fragment's payload */
	bool goes_on;      /* a routing header holds the destination that the transport's checksum means */

	uint32_t l4;      /* 0: none, as in later fragments */
	uint32_t l4_size; /* to the end of the datagram */
	uint8_t l4_proto;
};

struct layers {
	bool is_tagged;    /* by an 802.1Q or 802.1ad tag at LAYERS_ADDRESSES */
	uint32_t type_at;  /* of the EtherType behind that tag */
	uint16_t eth_type; /* in host order, as it stands there, also if it is a length */
	uint32_t l3;       /* behind the EtherType */
	struct ip_layer ip;
};

/* false: a runt, whose Ethernet header or tag is not whole. */
bool layers_find(const struct frame *frame, struct layers *ret);
/* The IP header at that offset, if its first half byte names that version and it is whole. */
void ip_find(const struct frame *frame, uint32_t at, uint8_t version, struct ip_layer *ret);

/* Whether a whole label stack entry stands behind the EtherType. */
bool layers_has_label(const struct frame *frame, const struct layers *layers);
/* The same of an I-TAG's priority, flags and I-SID. */
bool layers_has_itag(const struct frame *frame, const struct layers *layers);

static inline uint16_t load_be16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t load_be32(const uint8_t *at)
{
	return (uint32_t)load_be16(at) << 16 | load_be16(at + 2);
}

static inline void store_be16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline void store_be32(uint8_t *at, uint32_t value)
{
	store_be16(at, (uint16_t)(value >> 16));
	store_be16(at + 2, (uint16_t)value);
}

#endif
