/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fdb_lab.h - plain memory for an FDB, the program's eyes on it, and addresses that fall where a test wants them.
 */
#ifndef TESTS_FDB_LAB_H
#define TESTS_FDB_LAB_H

#include "bpf/extract.h"
#include "bpf/fdb.h"
#include "dataplane/fdb.h"

#include "tests/unit/seeded.h"

#include <stdlib.h>
#include <string.h>

#define LAB_CELLS (SW_FDB_BUCKETS * SW_FDB_CELLS)
#define LAB_ANY   UINT32_MAX /* any bucket */

static inline const struct sw_fdb_bucket *sw_mem_fdb(const void *mem, __u32 index)
{
	return (const struct sw_fdb_bucket *)mem + index;
}

static inline struct fdb_storage lab_storage(uint64_t seed)
{
	static uint32_t epoch = 1;

	return (struct fdb_storage){
		.buckets = calloc(SW_FDB_BUCKETS, sizeof(struct sw_fdb_bucket)),
		.times = calloc(LAB_CELLS, sizeof(struct sw_fdb_times)),
		.seed = seed,
		.epoch = &epoch,
	};
}

static inline void lab_storage_free(const struct fdb_storage *storage)
{
	free(storage->buckets);
	free(storage->times);
}

static inline struct sw_fdb_cell *lab_cell(const struct fdb_storage *storage, uint32_t i)
{
	return &storage->buckets[i / SW_FDB_CELLS].cell[i % SW_FDB_CELLS];
}

static inline uint32_t lab_index(const struct fdb_storage *storage, const struct sw_fdb_cell *cell)
{
	return (uint32_t)(cell - storage->buckets[0].cell);
}

/* What the program makes of a source address. */
static inline uint64_t lab_word(const struct fdb_key *key)
{
	struct sw_key frame = {.w = {0}};

	memcpy(frame.f.eth_src, key->mac, sizeof(key->mac));
	return sw_fdb_key(frame.w[2] & SW_MAC_BITS, key->vid);
}

static inline uint64_t lab_hash(uint64_t seed, const struct fdb_key *key)
{
	return sw_fdb_hash(seed, lab_word(key) & SW_MAC_BITS, key->vid, key->bridge);
}

/* What the program finds; `ret` is left alone if nothing. */
static inline struct sw_fdb_cell *lab_find(
	const struct fdb_storage *storage, const struct fdb_key *key, union sw_fdb_place *ret)
{
	union sw_fdb_place place;
	const struct sw_fdb_cell *cell =
		sw_fdb_find(storage->buckets, lab_hash(storage->seed, key), lab_word(key), key->bridge, &place);

	if (!cell)
		return NULL;
	if (ret)
		*ret = place;
	return lab_cell(storage, lab_index(storage, cell));
}

static inline struct fdb_key lab_key(uint64_t word, uint16_t bridge)
{
	struct fdb_key key = {.bridge = bridge, .vid = (uint16_t)(word >> SW_FDB_VID_SHIFT)};

	memcpy(key.mac, &word, sizeof(key.mac));
	return key;
}

static inline bool lab_is_plausible(const struct fdb_key *key, uint16_t port)
{
	static const uint8_t zero[6];

	return key->bridge && key->bridge < SW_MAX_BRIDGES && key->vid < 4095 && !(key->mac[0] & 1) &&
	       memcmp(key->mac, zero, sizeof(zero)) && port && port < SW_MAX_PORTS;
}

/* An address with these two buckets: the hash is undone, until one comes out that is an address and a VLAN. */
static inline struct fdb_key lab_aim(
	struct seeded *random, uint64_t seed, uint16_t bridge, uint32_t primary, uint32_t alternate)
{
	uint64_t inverse = SW_HASH_MULTIPLIER, hash, word;
	struct fdb_key key;

	for (int i = 0; i < 6; i++) /* Newton: each time twice the bits */
		inverse *= 2 - SW_HASH_MULTIPLIER * inverse;
	for (;;) {
		do {
			hash = (uint64_t)primary << 49 | seeded_next(random) >> 15;
		} while (alternate != LAB_ANY && sw_fdb_alternate(hash) != alternate);
		for (uint32_t vid = 0; vid < 4095; vid++) {
			word = (hash - sw_fdb_hash_domain(seed, vid, bridge)) * inverse;
			word = (word ^ word >> 32) * inverse ^ seed;
			if (word & ~SW_MAC_BITS)
				continue;
			key = lab_key(sw_fdb_key(word, vid), bridge);
			if (lab_is_plausible(&key, 1))
				return key;
		}
	}
}

/* F4: whether each entry has its cell, and no other cell has a key or a place. */
struct lab_comparison {
	const struct fdb_storage *storage;
	uint32_t n_wrong;
};

static inline void lab_compare_entry(void *ctx, const struct fdb_entry *entry)
{
	struct lab_comparison *comparison = ctx;
	union sw_fdb_place place;

	comparison->n_wrong += !lab_find(comparison->storage, &entry->key, &place) || place.port != entry->port ||
			       !(place.flags & SW_FDB_STATIC) != !(entry->flags & FDB_STATIC);
}

static inline bool lab_agrees(const struct fdb *fdb, const struct fdb_storage *storage)
{
	struct lab_comparison comparison = {storage, 0};
	uint32_t n_keys = 0;

	for (uint32_t i = 0; i < LAB_CELLS; i++) {
		const struct sw_fdb_cell *cell = lab_cell(storage, i);

		n_keys += cell->key != 0;
		comparison.n_wrong += !cell->key && cell->place.port;
	}
	fdb_each(fdb, 0, lab_compare_entry, &comparison);
	return !comparison.n_wrong && n_keys == fdb_count(fdb, 0);
}

#endif
