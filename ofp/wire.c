/* SPDX-License-Identifier: BSD-2-Clause */
#include "ofp/wire.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 256 /* bytes of a writer's first buffer */

/* Takes `size` bytes off the front; NULL, and the reader has failed, where they are not there (E1, E2). */
static const uint8_t *take(struct wire_in *in, size_t size)
{
	const uint8_t *at = in->at;

	if (in->failed || size > in->left) {
		in->failed = true;
		in->left = 0;
		return NULL;
	}
	/* A reader of nothing may have no bytes at all, and NULL + 0 is not C. */
	if (size)
		in->at += size;
	in->left -= size;
	return at;
}

static uint64_t get_number(struct wire_in *in, size_t size)
{
	const uint8_t *at = take(in, size);
	uint64_t value = 0;

	for (size_t i = 0; at && i < size; i++)
		value = value << 8 | at[i];
	return value;
}

uint8_t wire_get_u8(struct wire_in *in)
{
	return (uint8_t)get_number(in, 1);
}

uint16_t wire_get_u16(struct wire_in *in)
{
	return (uint16_t)get_number(in, 2);
}

uint32_t wire_get_u32(struct wire_in *in)
{
	return (uint32_t)get_number(in, 4);
}

uint64_t wire_get_u64(struct wire_in *in)
{
	return get_number(in, 8);
}

void wire_get_bytes(struct wire_in *in, void *ret, size_t size)
{
	const uint8_t *at = take(in, size);

	if (!size)
		return;
	if (at)
		memcpy(ret, at, size);
	else
		memset(ret, 0, size);
}

void wire_skip(struct wire_in *in, size_t size)
{
	take(in, size);
}

const uint8_t *wire_get_view(struct wire_in *in, size_t size)
{
	return take(in, size);
}

struct wire_in wire_get_sub(struct wire_in *in, size_t size)
{
	const uint8_t *at = take(in, size);

	/* Not `at`: a sub-reader of no bytes may be of a reader that has none. */
	if (in->failed)
		return (struct wire_in){.failed = true};
	return (struct wire_in){.at = at, .left = size};
}

uint16_t wire_peek_u16(const struct wire_in *in, size_t offset)
{
	if (in->failed || in->left < 2 || offset > in->left - 2)
		return 0;
	return (uint16_t)(in->at[offset] << 8 | in->at[offset + 1]);
}

/* Room for `size` bytes more, which are counted as written; NULL, and the writer has failed, where there is none. */
static uint8_t *grow(struct wire_out *out, size_t size)
{
	size_t capacity = out->capacity ? out->capacity : FIRST_CAPACITY;
	uint8_t *bytes, *at;

	if (out->failed)
		return NULL;
	if (size > SIZE_MAX / 4 - out->size) {
		out->failed = true;
		return NULL;
	}
	while (capacity < out->size + size)
		capacity *= 2;
	if (capacity != out->capacity) {
		bytes = realloc(out->bytes, capacity);
		if (!bytes) {
			out->failed = true;
			return NULL;
		}
		out->bytes = bytes;
		out->capacity = capacity;
	}
	at = out->bytes + out->size;
	out->size += size;
	return at;
}

static void put_number(struct wire_out *out, uint64_t value, size_t size)
{
	uint8_t *at = grow(out, size);

	for (size_t i = size; at && i-- > 0; value >>= 8)
		at[i] = (uint8_t)value;
}

void wire_put_u8(struct wire_out *out, uint8_t value)
{
	put_number(out, value, 1);
}

void wire_put_u16(struct wire_out *out, uint16_t value)
{
	put_number(out, value, 2);
}

void wire_put_u32(struct wire_out *out, uint32_t value)
{
	put_number(out, value, 4);
}

void wire_put_u64(struct wire_out *out, uint64_t value)
{
	put_number(out, value, 8);
}

void wire_put_bytes(struct wire_out *out, const void *bytes, size_t size)
{
	uint8_t *at = grow(out, size);

	if (at && size)
		memcpy(at, bytes, size);
}

void wire_put_zeros(struct wire_out *out, size_t size)
{
	uint8_t *at = grow(out, size);

	if (at)
		memset(at, 0, size);
}

void wire_put_text(struct wire_out *out, const char *text, size_t size)
{
	size_t n = strnlen(text, size ? size - 1 : 0);
	uint8_t *at = grow(out, size);

	if (!at)
		return;
	memset(at, 0, size);
	for (size_t i = 0; i < n; i++)
		at[i] = text[i] >= ' ' && text[i] <= '~' ? (uint8_t)text[i] : '?';
}

void wire_put_padding(struct wire_out *out, size_t start)
{
	if (!out->failed)
		wire_put_zeros(out, WIRE_PADDING(out->size - start));
}

void wire_set_u16(struct wire_out *out, size_t offset, uint16_t value)
{
	if (out->failed || out->size < 2 || offset > out->size - 2)
		return;
	out->bytes[offset] = (uint8_t)(value >> 8);
	out->bytes[offset + 1] = (uint8_t)value;
}

void wire_cut(struct wire_out *out, size_t size)
{
	if (size < out->size)
		out->size = size;
}

void wire_out_reset(struct wire_out *out)
{
	out->size = 0;
	out->failed = false;
}

void wire_out_free(struct wire_out *out)
{
	free(out->bytes);
	*out = (struct wire_out){0};
}

uint8_t *wire_out_take(struct wire_out *out, size_t *ret_size)
{
	uint8_t *bytes = out->bytes;

	if (out->failed || !out->size) {
		wire_out_free(out);
		return NULL;
	}
	*ret_size = out->size;
	*out = (struct wire_out){0};
	return bytes;
}
