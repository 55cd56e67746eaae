/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/cls_set.h"

#include "bpf/hash.h"

#include <assert.h>
#include <stdlib.h>

#define FIRST_SIZE_BITS 2
#define MOVE_STEPS      8 /* a call: enough to be done well before the next growth */

/* One more step spreads what differs in the high bits of the last word only. */
static uint32_t tag_of(uint64_t hash)
{
	return sw_hash_tag(sw_hash_step(hash, 0));
}

static uint32_t home_of(const struct cls_set_cells *in, uint32_t tag)
{
	return tag >> (32 - in->size_bits);
}

static uint32_t last_of(const struct cls_set_cells *in)
{
	return (1U << in->size_bits) - 1;
}

/* The tag's cell, or the vacant one where it would go. There is always a vacant one. */
static struct cls_set_cell *find(const struct cls_set_cells *in, uint32_t tag)
{
	uint32_t at = home_of(in, tag);

	while (in->cells[at].count && in->cells[at].tag != tag)
		at = (at + 1) & last_of(in);
	return &in->cells[at];
}

/* NULL: it is not in. */
static struct cls_set_cell *find_used(const struct cls_set_cells *in, uint32_t tag)
{
	struct cls_set_cell *cell = in->n_used ? find(in, tag) : NULL;

	return cell && cell->count ? cell : NULL;
}

/* Cells behind a vacated one that would not be found past it move up. */
static void vacate(struct cls_set_cells *in, uint32_t hole)
{
	uint32_t last = last_of(in);

	for (uint32_t at = (hole + 1) & last; in->cells[at].count; at = (at + 1) & last) {
		uint32_t home = home_of(in, in->cells[at].tag);

		if (((at - home) & last) < ((at - hole) & last))
			continue;
		in->cells[hole] = in->cells[at];
		hole = at;
	}
	in->cells[hole].count = 0;
	in->n_used--;
}

/* A cell that is moved lets others move up into its place: it is looked at again. A tag is in one of both only. */
static void move(struct cls_set *set, uint32_t n_steps)
{
	struct cls_set_cells *old = &set->old;

	for (; old->n_used && n_steps; n_steps--) {
		struct cls_set_cell *cell = &old->cells[set->next_old];

		if (!cell->count) {
			set->next_old = (set->next_old + 1) & last_of(old);
			continue;
		}
		*find(&set->now, cell->tag) = *cell;
		set->now.n_used++;
		vacate(old, set->next_old);
	}
	if (old->cells && !old->n_used) {
		free(old->cells);
		*old = (struct cls_set_cells){0};
	}
}

static bool resize(struct cls_set *set, uint32_t size_bits)
{
	struct cls_set_cell *cells;

	move(set, UINT32_MAX);
	cells = calloc(1UL << size_bits, sizeof(struct cls_set_cell));
	if (!cells)
		return false;
	set->old = set->now;
	set->next_old = 0;
	set->now = (struct cls_set_cells){.cells = cells, .size_bits = (uint8_t)size_bits};
	return true;
}

/* Makes room for one more. */
static bool grow(struct cls_set *set)
{
	if (!set->now.cells)
		return resize(set, FIRST_SIZE_BITS);
	return (set->now.n_used + set->old.n_used + 1) * 4ULL <= 3ULL << set->now.size_bits ||
	       resize(set, set->now.size_bits + 1U);
}

void cls_set_add(struct cls_set *set, uint64_t hash)
{
	struct cls_set_cell *cell;
	uint32_t tag = tag_of(hash);

	if (set->has_all)
		return;
	if (!grow(set)) {
		cls_set_free(set);
		set->has_all = true;
		return;
	}
	cell = find_used(&set->old, tag);
	if (!cell)
		cell = find(&set->now, tag);
	if (!cell->count)
		set->now.n_used++;
	cell->tag = tag;
	cell->count++;
	move(set, MOVE_STEPS);
}

/* Not while cells are moved: that the set is too large then is found at a later removal. */
static void shrink(struct cls_set *set)
{
	if (!set->old.cells && set->now.size_bits > FIRST_SIZE_BITS && set->now.n_used < 1U << (set->now.size_bits - 3))
		resize(set, set->now.size_bits - 1U);
}

void cls_set_remove(struct cls_set *set, uint64_t hash)
{
	struct cls_set_cells *in = &set->old;
	struct cls_set_cell *cell;
	uint32_t tag = tag_of(hash);

	if (set->has_all)
		return;
	cell = find_used(in, tag);
	if (!cell) {
		in = &set->now;
		cell = find_used(in, tag);
	}
	assert(cell);
	if (!--cell->count)
		vacate(in, (uint32_t)(cell - in->cells));
	move(set, MOVE_STEPS);
	shrink(set);
}

bool cls_set_has(const struct cls_set *set, uint64_t hash)
{
	uint32_t tag = tag_of(hash);

	return set->has_all || find_used(&set->now, tag) || find_used(&set->old, tag);
}

void cls_set_free(struct cls_set *set)
{
	free(set->now.cells);
	free(set->old.cells);
	*set = (struct cls_set){0};
}
