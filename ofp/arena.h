/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arena.h - where a decoded message lives until its handler is done with it.
 *
 * What: memory that is handed out piece by piece and taken back all at once. A decoder allocates actions, buckets and
 * instructions here; whoever called the decoder resets the arena after the handler, and frees nothing else, also where
 * decoding failed half-way.
 *
 * Bound: a message has 64 KiB, and everything that is decoded from it at most ARENA_LIMIT; beyond that an allocation
 * fails as if memory had run out. A reset keeps the first block, so that a message of ordinary size costs no malloc().
 *
 * Ownership: what is handed out is the arena's, and is gone at arena_reset(). One arena serves a whole thread.
 */
#ifndef OFP_ARENA_H
#define OFP_ARENA_H

#include <stddef.h>

#define ARENA_LIMIT (4u << 20) /* bytes */

struct arena_block;

/* Begins as {0}. */
struct arena {
	struct arena_block *first, *last;
	size_t total; /* bytes handed out since the last reset */
};

/* Zeroed and aligned for anything; `size` may be 0. NULL: out of memory, or beyond the limit. */
void *arena_alloc(struct arena *arena, size_t size);
/* A copy of `size` bytes. */
void *arena_copy(struct arena *arena, const void *bytes, size_t size);
void arena_reset(struct arena *arena);
void arena_free(struct arena *arena);

#endif
