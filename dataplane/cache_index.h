/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache_index.h - the buckets that lead from a masked key's hash to its flow slot, as their only writer sees them.
 *
 * A flow's cell is in the primary bucket of its hash or, when that is full, in the alternate one; nothing is ever moved
 * to make room, so that a reader that walks a bucket finds what was there when it began. A cell is stored after the
 * slot that it names was published, and cleared before that slot dies; the primary's n_overflow is raised before a cell
 * in the alternate can be seen and lowered after it is gone.
 */
#ifndef DATAPLANE_CACHE_INDEX_H
#define DATAPLANE_CACHE_INDEX_H

#include "bpf/abi.h"

#include <stdbool.h>
#include <stdint.h>

#define INDEX_NONE UINT32_MAX

struct flow_index {
	struct sw_bucket *buckets;
	const struct sw_flow *flows;
	uint32_t n_buckets; /* a power of two */
};

/* The slot of this mask and masked key, or INDEX_NONE. */
uint32_t index_find(const struct flow_index *ix, uint64_t hash, uint16_t mask, const struct sw_key *key);
bool index_has_room(const struct flow_index *ix, uint64_t hash);
/* The slots that stand where this hash may lie; how many. */
uint32_t index_rivals(const struct flow_index *ix, uint64_t hash, uint32_t ret[2 * SW_BUCKET_CELLS]);
/* There must be room. */
void index_insert(const struct flow_index *ix, uint64_t hash, uint32_t slot);
/* Lets the cell of `old`, which must be there, name `fresh` from now on. */
void index_replace(const struct flow_index *ix, uint64_t hash, uint32_t old, uint32_t fresh);
/* The slot must be there. */
void index_remove(const struct flow_index *ix, uint64_t hash, uint32_t slot);

#endif
