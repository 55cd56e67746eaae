/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * buffers.h - frames that wait for a controller to say what becomes of them (OF 1.3.5 §6.1.2).
 *
 * A packet-in that carries only the front of a frame names a buffer that keeps the whole. A packet-out or a flow-mod
 * with that number takes it out, once. There are OF_BUFFERS of them, and a new frame takes the place of the oldest:
 * whoever comes too late hears BUFFER_UNKNOWN, whoever comes a second time BUFFER_EMPTY.
 *
 * Ids count upwards, so that an old one never names a new frame. Memory is that of the frames, kept for the next one.
 */
#ifndef OFP_BUFFERS_H
#define OFP_BUFFERS_H

#include "dataplane/of_error.h"

#include <stddef.h>
#include <stdint.h>

struct buffers;

/* NULL: out of memory. */
struct buffers *buffers_create(void);
void buffers_destroy(struct buffers *buffers);

/* Copies the frame. OF_NO_BUFFER: out of memory. */
uint32_t buffers_put(struct buffers *buffers, uint32_t in_port, const uint8_t *frame, uint32_t size);
/* Borrowed until the next buffers_put(). Outputs are untouched by an error. */
enum of_err buffers_find(const struct buffers *buffers, uint32_t id, uint32_t *ret_in_port, const uint8_t **ret_frame,
	uint32_t *ret_size);
/* It is used: there is nothing in it any more. Its bytes stay until the next buffers_put(). */
void buffers_take(struct buffers *buffers, uint32_t id);
uint32_t buffers_count(const struct buffers *buffers);

#endif
