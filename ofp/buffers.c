/* SPDX-License-Identifier: BSD-2-Clause */
#include "ofp/buffers.h"

#include "dataplane/ofbridge.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct buffer {
	uint8_t *bytes;
	uint32_t id, in_port;
	uint32_t size, capacity;
	bool given; /* once: the id is one */
	bool full;
};

struct buffers {
	uint32_t next_id;
	uint32_t n_full;
	struct buffer list[OF_BUFFERS];
};

struct buffers *buffers_create(void)
{
	return calloc(1, sizeof(struct buffers));
}

void buffers_destroy(struct buffers *buffers)
{
	if (!buffers)
		return;
	for (uint32_t i = 0; i < OF_BUFFERS; i++)
		free(buffers->list[i].bytes);
	free(buffers);
}

static bool make_room(struct buffer *buffer, uint32_t size)
{
	uint8_t *bytes;

	if (size <= buffer->capacity)
		return true;
	bytes = realloc(buffer->bytes, size);
	if (!bytes)
		return false;
	buffer->bytes = bytes;
	buffer->capacity = size;
	return true;
}

uint32_t buffers_put(struct buffers *buffers, uint32_t in_port, const uint8_t *frame, uint32_t size)
{
	struct buffer *buffer = &buffers->list[buffers->next_id % OF_BUFFERS];

	if (!make_room(buffer, size))
		return OF_NO_BUFFER;
	if (!buffer->full)
		buffers->n_full++;
	if (size)
		memcpy(buffer->bytes, frame, size);
	buffer->id = buffers->next_id;
	buffer->in_port = in_port;
	buffer->size = size;
	buffer->given = buffer->full = true;
	/* Never OF_NO_BUFFER, and a multiple of OF_BUFFERS before it begins anew. */
	buffers->next_id = (buffers->next_id + 1) & 0x7fffffff;
	return buffer->id;
}

enum of_err buffers_find(const struct buffers *buffers, uint32_t id, uint32_t *ret_in_port, const uint8_t **ret_frame,
	uint32_t *ret_size)
{
	const struct buffer *buffer = &buffers->list[id % OF_BUFFERS];

	if (!buffer->given || buffer->id != id)
		return OF_ERR_BAD_REQUEST_BUFFER_UNKNOWN;
	if (!buffer->full)
		return OF_ERR_BAD_REQUEST_BUFFER_EMPTY;
	*ret_in_port = buffer->in_port;
	*ret_frame = buffer->bytes;
	*ret_size = buffer->size;
	return OF_OK;
}

void buffers_take(struct buffers *buffers, uint32_t id)
{
	struct buffer *buffer = &buffers->list[id % OF_BUFFERS];

	if (buffer->full && buffer->id == id) {
		buffer->full = false;
		buffers->n_full--;
	}
}

uint32_t buffers_count(const struct buffers *buffers)
{
	return buffers->n_full;
}
