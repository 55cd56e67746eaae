/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * fdb.h - finds an address in the FDB; the same code in the program and in the daemon.
 *
 * What: a key is the MAC address and the VLAN in one word; with its bridge it has two buckets in which its cell may be.
 * The includer says where the memory is, as for lookup.h:
 *	static inline const struct sw_fdb_bucket *sw_mem_fdb(const void *mem, __u32 index);
 *
 * Why two choices and no chain: of 48,000 random addresses hardly one finds both its buckets full,
 * of SW_MAX_FDB about two do (fdb.c); such a one is not learned. A lookup costs a cache line, and a second one if the
 * first has it not.
 *
 * Safe error: not to find an address (its frames go up or are flooded). Unsafe error: another's place; A6 of abi.h.
 */
#ifndef SW_FDB_H
#define SW_FDB_H

#include "abi.h"
#include "hash.h"

#define SW_FDB_INLINE static inline __attribute__((always_inline))

static inline const struct sw_fdb_bucket *sw_mem_fdb(const void *mem, __u32 index);

SW_FDB_INLINE __u32 sw_fdb_primary(__u64 hash)
{
	return hash / ((1ULL << 63) / (SW_FDB_BUCKETS / 2));
}

SW_FDB_INLINE __u32 sw_fdb_alternate(__u64 hash)
{
	return sw_fdb_primary((hash ^ hash >> 32) * SW_HASH_MULTIPLIER);
}

/* The cell of the key in this bucket and what it said when it was read, or a null pointer. */
SW_FDB_INLINE const struct sw_fdb_cell *sw_fdb_find_in(
	const void *mem, __u32 index, __u64 key, __u32 bridge, union sw_fdb_place *ret)
{
	const struct sw_fdb_bucket *bucket = sw_mem_fdb(mem, index);
	__u32 i;

	if (!bucket)
		return 0;
#pragma GCC unroll 4
	for (i = 0; i < SW_FDB_CELLS; i++) {
		if (sw_unlikely(*(const volatile __u64 *)&bucket->cell[i].key != key))
			continue;
		ret->word = *(const volatile __u64 *)&bucket->cell[i].place.word;
		if (sw_likely(ret->bridge == bridge)) /* which no empty place is */
			return &bucket->cell[i];
	}
	return 0;
}

/* By the key's hash. The key is not 0, as no MAC address in the FDB is. */
SW_FDB_INLINE const struct sw_fdb_cell *sw_fdb_find(
	const void *mem, __u64 hash, __u64 key, __u32 bridge, union sw_fdb_place *ret)
{
	const struct sw_fdb_cell *cell = sw_fdb_find_in(mem, sw_fdb_primary(hash), key, bridge, ret);

	return sw_likely(cell) ? cell : sw_fdb_find_in(mem, sw_fdb_alternate(hash), key, bridge, ret);
}

#endif
