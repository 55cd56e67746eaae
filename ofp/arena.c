/* SPDX-License-Identifier: BSD-2-Clause */
#include "ofp/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE 16384 /* bytes of an ordinary block; a larger piece has one of its own */
#define ALIGNMENT  alignof(max_align_t)

struct arena_block {
	struct arena_block *next;
	size_t size, used; /* of `bytes` */
	alignas(max_align_t) unsigned char bytes[];
};

static struct arena_block *add_block(struct arena *arena, size_t size)
{
	struct arena_block *block;

	if (size < BLOCK_SIZE)
		size = BLOCK_SIZE;
	block = malloc(sizeof(*block) + size);
	if (!block)
		return NULL;
	*block = (struct arena_block){.size = size};
	if (arena->last)
		arena->last->next = block;
	else
		arena->first = block;
	arena->last = block;
	return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	struct arena_block *block = arena->last;
	void *piece;

	if (size > ARENA_LIMIT - arena->total)
		return NULL;
	/* A piece of nothing still has an address of its own. */
	size = size ? (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT : ALIGNMENT;
	if (size > ARENA_LIMIT - arena->total)
		return NULL;
	if (!block || size > block->size - block->used)
		block = add_block(arena, size);
	if (!block)
		return NULL;
	piece = block->bytes + block->used;
	block->used += size;
	arena->total += size;
	return memset(piece, 0, size);
}

void *arena_copy(struct arena *arena, const void *bytes, size_t size)
{
	void *copy = arena_alloc(arena, size);

	if (copy && size)
		memcpy(copy, bytes, size);
	return copy;
}

static void free_blocks(struct arena_block *block)
{
	struct arena_block *next;

	for (; block; block = next) {
		next = block->next;
		free(block);
	}
}

void arena_reset(struct arena *arena)
{
	struct arena_block *first = arena->first;

	arena->total = 0;
	if (!first)
		return;
	free_blocks(first->next);
	first->next = NULL;
	first->used = 0;
	arena->last = first;
}

void arena_free(struct arena *arena)
{
	free_blocks(arena->first);
	*arena = (struct arena){0};
}
