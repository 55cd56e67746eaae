/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache_links.h - which cached flows count for which rules, buckets, groups and tables, and the other way round.
 *
 * What: an edge for each tally on the path of a slot's answer. From the slot one finds whom to credit with what it
 * counted; from the tally, which slots rest on it and must be asked again when it changes, and which must be harvested
 * before its count is read. Both directions are lists in one pool of edges, had at creation.
 *
 * Why not a search through the slots: a change of one rule among a million would look at every flow there is.
 *
 * What stands behind a meter counts only what that let go on: such an edge is credited with another number.
 *
 * Invariants
 * E1 An edge is in exactly two lists, its slot's and its tally's, or in the free list.
 * E2 A slot's edges stand until its last harvest, so that what is counted late is credited too (S1).
 */
#ifndef DATAPLANE_CACHE_LINKS_H
#define DATAPLANE_CACHE_LINKS_H

#include "dataplane/tally.h"

#include <stdbool.h>
#include <stddef.h>

struct link {
	struct tally *tally;
	uint32_t slot : 31;
	uint32_t behind : 1;   /* a meter that the slot's program runs */
	uint32_t next_of_slot; /* index; 0: the end. Also the next free one */
	uint32_t prev_of_tally, next_of_tally;
};

struct links {
	struct link *pool; /* from 1 */
	uint32_t *first;   /* by slot */
	uint32_t n_pool, n_used, free;
};

/* `n_more`: numbers behind those of slots that count as slots do (cache_forks.c). -ENOMEM. */
int links_init(struct links *links, uint32_t n_slots, uint32_t n_more);
void links_fini(struct links *links);
/* Bytes for each slot. */
size_t links_bytes_a_slot(void);

/* Whether n more can be had. */
bool links_have_room(const struct links *links, uint32_t n);
/* There must be room. */
void links_add(struct links *links, uint32_t slot, struct tally *tally, bool behind);
/* All edges of the slot go. */
void links_drop_slot(struct links *links, uint32_t slot);
/* All edges of the tally go; its slots keep their others. */
void links_drop_tally(struct links *links, struct tally *tally);
/* Credits everybody whom the slot counts for, of those in front of its meter, or behind it. */
void links_credit(
	const struct links *links, uint32_t slot, bool behind, uint64_t packets, uint64_t bytes, uint64_t now_ns);

#endif
