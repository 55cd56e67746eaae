/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/frame.h"

#include <string.h>

#define ADDRESSES_SIZE 12
#define HEADER_SIZE    14
#define VID_MASK       0x0fff

static uint16_t read_be16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void write_be16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

bool frame_is_tagged(const struct frame *frame)
{
	return frame->size >= HEADER_SIZE + FRAME_TAG_SIZE && read_be16(frame->data + ADDRESSES_SIZE) == 0x8100;
}

void frame_pop_tag(struct frame *frame)
{
	memmove(frame->data + FRAME_TAG_SIZE, frame->data, ADDRESSES_SIZE);
	frame->data += FRAME_TAG_SIZE;
	frame->size -= FRAME_TAG_SIZE;
	frame->headroom += FRAME_TAG_SIZE;
}

bool frame_push_tag(struct frame *frame, uint16_t tci)
{
	if (frame->headroom < FRAME_TAG_SIZE)
		return false;
	memmove(frame->data - FRAME_TAG_SIZE, frame->data, ADDRESSES_SIZE);
	frame->data -= FRAME_TAG_SIZE;
	frame->size += FRAME_TAG_SIZE;
	frame->headroom -= FRAME_TAG_SIZE;
	write_be16(frame->data + ADDRESSES_SIZE, 0x8100);
	write_be16(frame->data + ADDRESSES_SIZE + 2, tci);
	return true;
}

void frame_set_vid(struct frame *frame, uint16_t vid)
{
	uint8_t *tci = frame->data + ADDRESSES_SIZE + 2;

	write_be16(tci, (uint16_t)((read_be16(tci) & ~VID_MASK) | vid));
}
