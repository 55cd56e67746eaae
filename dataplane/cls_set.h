/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cls_set.h - a counting set of hashes: which values the first stages of a subtable's rules have.
 *
 * Eight bytes a cell, open addressing, at most three quarters full. It keeps 32 bits of a hash and nothing of what was
 * hashed: two values may be taken for one, and then their counts are added up. So what is in the set is always said to
 * be in it, and what is not is hardly ever said to be: that costs a lookup a few bits more, the safe error.
 *
 * It grows and shrinks without a pause: additions and removals move a few cells each from the old cells to the new
 * ones, and until that is done a value is in either.
 *
 * Without memory the set becomes one that has everything, for good. So nothing here fails.
 */
#ifndef DATAPLANE_CLS_SET_H
#define DATAPLANE_CLS_SET_H

#include <stdbool.h>
#include <stdint.h>

struct cls_set_cell {
	uint32_t tag;
	uint32_t count; /* 0: vacant */
};

struct cls_set_cells {
	struct cls_set_cell *cells;
	uint32_t n_used;
	uint8_t size_bits; /* there are 1 << size_bits, if any */
};

/* All zero: empty. */
struct cls_set {
	struct cls_set_cells now;
	struct cls_set_cells old; /* on their way to `now` */
	uint32_t next_old;        /* no cell before this one is to be moved, until the last has been looked at */
	bool has_all;
};

void cls_set_add(struct cls_set *set, uint64_t hash);
/* It was added. */
void cls_set_remove(struct cls_set *set, uint64_t hash);
bool cls_set_has(const struct cls_set *set, uint64_t hash);
void cls_set_free(struct cls_set *set);

#endif
