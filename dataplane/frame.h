/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frame.h - a frame in memory whose 802.1Q tag can be taken off and put on.
 *
 * The bytes are the caller's, with `headroom` usable bytes in front of `data`; a tag moves the MAC addresses, not the
 * payload. IEEE 802.1Q-2018 §9.6 for the tag's layout.
 */
#ifndef DATAPLANE_FRAME_H
#define DATAPLANE_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#define FRAME_TAG_SIZE 4

struct frame {
	uint8_t *data;
	uint32_t size;     /* bytes; at least an Ethernet header */
	uint32_t headroom; /* bytes */
	uint32_t tailroom; /* bytes */
};

bool frame_is_tagged(const struct frame *frame);
void frame_pop_tag(struct frame *frame);
/* false: no headroom. */
bool frame_push_tag(struct frame *frame, uint16_t tci);
/* Keeps the priority bits. */
void frame_set_vid(struct frame *frame, uint16_t vid);

#endif
