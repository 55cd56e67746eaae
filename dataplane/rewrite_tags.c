/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/rewrite_parts.h"

#include <string.h>

#define LEAST_SIZE 60 /* of an Ethernet frame without its FCS, IEEE 802.3 §3.2.8 */
#define VID_BITS   0x0fff
#define PCP_BITS   0xe000
#define LABEL_BITS 0xfffffe00 /* label and TC */
#define LABEL_BOS  0x00000100

/* Makes room behind the first `offset` bytes; NULL: there is none. */
static uint8_t *insert(struct frame *frame, uint32_t offset, uint32_t size)
{
	if (frame->headroom < size)
		return NULL;
	memmove(frame->data - size, frame->data, offset);
	frame->data -= size;
	frame->size += size;
	frame->headroom -= size;
	return frame->data + offset;
}

/* Without enough room behind it the frame moves to the front, where the pop has just left some. */
static void pad(struct frame *frame)
{
	uint32_t missing = frame->size < LEAST_SIZE ? LEAST_SIZE - frame->size : 0;

	if (frame->tailroom < missing) {
		uint32_t shift = missing - frame->tailroom;

		if (frame->headroom < shift)
			return;
		memmove(frame->data - shift, frame->data, frame->size);
		frame->data -= shift;
		frame->headroom -= shift;
		frame->tailroom += shift;
	}
	memset(frame->data + frame->size, 0, missing);
	frame->size += missing;
	frame->tailroom -= missing;
}

static void take_out(struct frame *frame, uint32_t offset, uint32_t size)
{
	memmove(frame->data + size, frame->data, offset);
	frame->data += size;
	frame->size -= size;
	frame->headroom += size;
}

/* ---- VLAN ---- */

static uint16_t tci_of(const struct frame *frame, const struct layers *layers)
{
	return layers->is_tagged ? load_be16(frame->data + LAYERS_ADDRESSES + 2) : 0;
}

enum rewrite rewrite_push_vlan(struct frame *frame, const struct layers *layers, uint16_t tpid)
{
	uint16_t tci = tci_of(frame, layers) & (VID_BITS | PCP_BITS);
	uint8_t *tag = insert(frame, LAYERS_ADDRESSES, FRAME_TAG_SIZE);

	if (!tag)
		return REWRITE_NO_ROOM;
	store_be16(tag, tpid);
	store_be16(tag + 2, tci);
	return REWRITE_DONE;
}

void rewrite_pop_vlan(struct frame *frame, const struct layers *layers)
{
	if (!layers->is_tagged)
		return;
	take_out(frame, LAYERS_ADDRESSES, FRAME_TAG_SIZE);
	pad(frame);
}

/* ---- MPLS ---- */

/*
 * OF 1.3.5 §5.12: the new label is the outermost tag, in front of VLAN tags too. The first EtherType, which may be a
 * tag's, gives way; who pops the label says what it was.
 */
enum rewrite rewrite_push_mpls(struct frame *frame, const struct layers *layers, uint16_t eth_type)
{
	uint32_t entry = 0;
	uint8_t *label;

	if (layers_has_label(frame, layers))
		entry = load_be32(frame->data + layers->l3) & ~LABEL_BOS;
	else if (layers->ip.version)
		entry = ip_ttl(frame, &layers->ip);
	if (layers->is_tagged || !layers_has_label(frame, layers))
		entry |= LABEL_BOS;
	label = insert(frame, LAYERS_ADDRESSES + 2, LAYERS_LABEL_SIZE);
	if (!label)
		return REWRITE_NO_ROOM;
	store_be16(frame->data + LAYERS_ADDRESSES, eth_type);
	store_be32(label, entry);
	return REWRITE_DONE;
}

void rewrite_pop_mpls(struct frame *frame, const struct layers *layers, uint16_t eth_type)
{
	if (!layers_has_label(frame, layers))
		return;
	take_out(frame, layers->l3, LAYERS_LABEL_SIZE);
	store_be16(frame->data + layers->type_at, eth_type);
	pad(frame);
}

/* ---- PBB ---- */

/* OF 1.3.5 §5.12.1: a new I-TAG has the I-SID of the outer one, and the PCP of the outer VLAN tag. */
static uint32_t new_itag(const struct frame *frame, const struct layers *layers)
{
	uint32_t itag = layers_has_itag(frame, layers) ? load_be32(frame->data + layers->l3) : 0;

	if (layers->is_tagged)
		itag = (itag & 0x1fffffff) | (uint32_t)(tci_of(frame, layers) & PCP_BITS) << 16;
	return itag;
}

/* The whole frame is the customer's, VLAN tags and all. */
enum rewrite rewrite_push_pbb(struct frame *frame, const struct layers *layers, uint16_t eth_type)
{
	uint32_t itag = new_itag(frame, layers);
	uint8_t *header = insert(frame, 0, LAYERS_ITAG_WHOLE);

	if (!header)
		return REWRITE_NO_ROOM;
	memcpy(header, header + LAYERS_ITAG_WHOLE, LAYERS_ADDRESSES);
	store_be16(header + LAYERS_ADDRESSES, eth_type);
	store_be32(header + LAYERS_ADDRESSES + 2, itag);
	return REWRITE_DONE;
}

/* The customer's addresses become the frame's; a B-TAG stays where it is, behind them. */
void rewrite_pop_pbb(struct frame *frame, const struct layers *layers)
{
	uint8_t addresses[LAYERS_ADDRESSES];

	if (!layers_has_itag(frame, layers) || frame->size - layers->l3 < LAYERS_ITAG_WHOLE)
		return;
	memcpy(addresses, frame->data + layers->l3 + LAYERS_ITAG_SIZE, LAYERS_ADDRESSES);
	take_out(frame, layers->type_at, LAYERS_ITAG_WHOLE);
	memcpy(frame->data, addresses, LAYERS_ADDRESSES);
	pad(frame);
}
