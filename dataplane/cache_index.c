/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/cache_index.h"

#include "bpf/hash.h"
#include "dataplane/flow.h"

#include <assert.h>
#include <stddef.h>

/* The two buckets that a hash may lie in. */
struct place {
	struct sw_bucket *primary, *alternate;
	uint32_t tag;
};

static struct place place_of(const struct flow_index *ix, uint64_t hash)
{
	uint32_t tag = sw_hash_tag(hash), primary = sw_hash_primary(hash, ix->n_buckets);

	return (struct place){
		.primary = &ix->buckets[primary],
		.alternate = &ix->buckets[sw_hash_alternate(primary, tag, ix->n_buckets)],
		.tag = tag,
	};
}

static __u64 cell_value(uint32_t tag, uint32_t slot)
{
	return (__u64)tag << 32 | (slot + 1);
}

static uint32_t find_in(const struct flow_index *ix, const struct sw_bucket *bucket, uint32_t tag, uint16_t mask,
	const struct sw_key *key)
{
	for (int i = 0; i < SW_BUCKET_CELLS; i++) {
		uint32_t slot = (uint32_t)bucket->cell[i] - 1;

		if (bucket->cell[i] >> 32 == tag && slot != INDEX_NONE && ix->flows[slot].mask == mask &&
			key_equal(&ix->flows[slot].key, key))
			return slot;
	}
	return INDEX_NONE;
}

uint32_t index_find(const struct flow_index *ix, uint64_t hash, uint16_t mask, const struct sw_key *key)
{
	struct place place = place_of(ix, hash);
	uint32_t slot = find_in(ix, place.primary, place.tag, mask, key);

	if (slot == INDEX_NONE && place.primary->n_overflow)
		slot = find_in(ix, place.alternate, place.tag, mask, key);
	return slot;
}

static __u64 *cell_with(struct sw_bucket *bucket, __u64 value)
{
	for (int i = 0; i < SW_BUCKET_CELLS; i++) {
		if (bucket->cell[i] == value)
			return &bucket->cell[i];
	}
	return NULL;
}

bool index_has_room(const struct flow_index *ix, uint64_t hash)
{
	struct place place = place_of(ix, hash);

	return cell_with(place.primary, 0) || cell_with(place.alternate, 0);
}

static uint32_t slots_in(const struct sw_bucket *bucket, uint32_t *ret)
{
	uint32_t n = 0;

	for (int i = 0; i < SW_BUCKET_CELLS; i++) {
		if (bucket->cell[i])
			ret[n++] = (uint32_t)bucket->cell[i] - 1;
	}
	return n;
}

uint32_t index_rivals(const struct flow_index *ix, uint64_t hash, uint32_t ret[2 * SW_BUCKET_CELLS])
{
	struct place place = place_of(ix, hash);
	uint32_t n = slots_in(place.primary, ret);

	return place.alternate == place.primary ? n : n + slots_in(place.alternate, ret + n);
}

void index_insert(const struct flow_index *ix, uint64_t hash, uint32_t slot)
{
	struct place place = place_of(ix, hash);
	__u64 *cell = cell_with(place.primary, 0);

	if (!cell) {
		cell = cell_with(place.alternate, 0);
		assert(cell);
		__atomic_store_n(&place.primary->n_overflow, place.primary->n_overflow + 1, __ATOMIC_RELAXED);
	}
	__atomic_store_n(cell, cell_value(place.tag, slot), __ATOMIC_RELEASE);
}

void index_replace(const struct flow_index *ix, uint64_t hash, uint32_t old, uint32_t fresh)
{
	struct place place = place_of(ix, hash);
	__u64 *cell = cell_with(place.primary, cell_value(place.tag, old));

	if (!cell)
		cell = cell_with(place.alternate, cell_value(place.tag, old));
	assert(cell);
	__atomic_store_n(cell, cell_value(place.tag, fresh), __ATOMIC_RELEASE);
}

void index_remove(const struct flow_index *ix, uint64_t hash, uint32_t slot)
{
	struct place place = place_of(ix, hash);
	__u64 *cell = cell_with(place.primary, cell_value(place.tag, slot));

	if (cell) {
		__atomic_store_n(cell, 0, __ATOMIC_RELEASE);
		return;
	}
	cell = cell_with(place.alternate, cell_value(place.tag, slot));
	assert(cell);
	__atomic_store_n(cell, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&place.primary->n_overflow, place.primary->n_overflow - 1, __ATOMIC_RELEASE);
}
