/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire.h - bytes of a protocol, read and written: a bounded reader and a growing writer.
 *
 * What: every byte that a controller sends is read through a struct wire_in, every byte that it gets is written through
 * a struct wire_out. Numbers are in network order there and in host order here.
 *
 * Why a failure that sticks: "read straight, check once". A reader that has been asked for more than it holds gives
 * zeros from then on and says so in `failed`; a writer that could not grow swallows what follows. So a decoder is a
 * list of fields with one check at its end. The alternative, a check at each field, is where bounds checks get
 * forgotten; the other alternative, a struct laid over the bytes, has alignment and length to trust.
 *
 * Invariants
 * E1 A reader never looks outside the bytes that it was given; a sub-reader never outside its part of those.
 * E2 A reader that failed has nothing left and stays so. What was read from it is not to be acted upon.
 * E3 A sub-reader that was asked for more than there is has failed, and so has the reader that it came from. What is
 *    wrong inside a whole sub-reader fails only that.
 * E4 A writer that failed holds bytes that must not be sent.
 *
 * Safe error: a message refused that could have been understood. Unsafe: a field read that was not there.
 *
 * Ownership: a reader borrows its bytes; so do pointers that it hands out. A writer owns its buffer until
 * wire_out_free() or wire_out_take().
 */
#ifndef OFP_WIRE_H
#define OFP_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire_in {
	const uint8_t *at; /* next byte */
	size_t left;       /* bytes from there on */
	bool failed;       /* sticky: more was asked for than there was (E2) */
};

struct wire_out {
	uint8_t *bytes;
	size_t size, capacity;
	bool failed; /* sticky: out of memory (E4) */
};

/* Bytes that are missing to make `size` a multiple of 8, to which all of OpenFlow's structures are padded. */
#define WIRE_PADDING(size) ((8 - (size) % 8) % 8)

static inline struct wire_in wire_in(const void *bytes, size_t size)
{
	return (struct wire_in){.at = bytes, .left = size};
}

/* Each takes its bytes off the front; zero, or zeros, where they are not all there. */
uint8_t wire_get_u8(struct wire_in *in);
uint16_t wire_get_u16(struct wire_in *in);
uint32_t wire_get_u32(struct wire_in *in);
uint64_t wire_get_u64(struct wire_in *in);
void wire_get_bytes(struct wire_in *in, void *ret, size_t size);
void wire_skip(struct wire_in *in, size_t size);
/* Borrowed from what the reader borrows; NULL where they are not all there. */
const uint8_t *wire_get_view(struct wire_in *in, size_t size);
/* The next `size` bytes as a reader of their own, and steps over them (E3). */
struct wire_in wire_get_sub(struct wire_in *in, size_t size);
/* Looks at a number without taking it; zero where it is not all there, which is no failure. */
uint16_t wire_peek_u16(const struct wire_in *in, size_t offset);

/* All was there that was asked for, and nothing is left over. */
static inline bool wire_in_ended(const struct wire_in *in)
{
	return !in->failed && !in->left;
}

/* A writer begins as {0}. */
void wire_put_u8(struct wire_out *out, uint8_t value);
void wire_put_u16(struct wire_out *out, uint16_t value);
void wire_put_u32(struct wire_out *out, uint32_t value);
void wire_put_u64(struct wire_out *out, uint64_t value);
void wire_put_bytes(struct wire_out *out, const void *bytes, size_t size);
void wire_put_zeros(struct wire_out *out, size_t size);
/* `text` in a field of `size` bytes, cut short so that it ends with a NUL; what no ASCII printer prints becomes '?'. */
void wire_put_text(struct wire_out *out, const char *text, size_t size);
/* Zeros until what was written since `start` is a multiple of 8 bytes. */
void wire_put_padding(struct wire_out *out, size_t start);
/* Replaces a number that was written at `offset`, as lengths are that become known later. */
void wire_set_u16(struct wire_out *out, size_t offset, uint16_t value);
/* Forgets what was written after `size` bytes, as when the last of several things did not fit into a segment. */
void wire_cut(struct wire_out *out, size_t size);

/* Empties it and forgets a failure, keeping the memory. */
void wire_out_reset(struct wire_out *out);
void wire_out_free(struct wire_out *out);
/* The bytes, which are the caller's to free(), and empties the writer; NULL: it had failed or is empty. */
uint8_t *wire_out_take(struct wire_out *out, size_t *ret_size);

#endif
