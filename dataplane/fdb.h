/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fdb.h - which port a MAC address lives behind, for each bridge and VLAN.
 *
 * What: a hash table over an array that somebody else owns: the kernel backend lends a pinned, mmap-able map, so that
 * the table survives the daemon; tests lend plain memory. The hash chains are the table's own and are rebuilt.
 *
 * Invariants
 * F1 An entry is valid in storage only while all its fields are: SW_FDB_VALID is stored last and cleared first.
 * F2 Every change that could alter a lookup's answer calls `changed` once, after the change, with the address: the
 *    cache revalidates what depended on it. A refresh is no change.
 * F3 A static entry is never learned over, moved, aged or evicted.
 *
 * Limits: each bridge has one (fdb_set_limit). A full table learns nothing more, and forgets nothing for it: an
 * attacker who invents addresses then floods only his own. Static entries count, but only a full storage refuses one.
 *
 * Ageing costs nothing while nothing ages: the learned entries of a bridge are in a list by when they were last used,
 * and fdb_age() looks at the list's old end.
 *
 * Time is the caller's: CLOCK_BOOTTIME nanoseconds.
 */
#ifndef DATAPLANE_FDB_H
#define DATAPLANE_FDB_H

#include "bpf/abi.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct complaint;
struct fdb;

struct fdb_key {
	uint16_t bridge;
	uint16_t vid;
	uint8_t mac[6];
};

struct fdb_events {
	void *ctx;
	void (*changed)(void *ctx, const struct fdb_key *key);
};

#define FDB_DEFAULT_AGEING_S 300
#define FDB_DEFAULT_LIMIT    16384

/* Takes over what is valid in `storage` (n entries, outlives the table). NULL: out of memory. */
struct fdb *fdb_create(struct sw_fdb_entry *storage, uint32_t n, const struct fdb_events *events);
void fdb_destroy(struct fdb *fdb);

/* The entry for `key`, or NULL. Borrowed until the next call that is not a lookup. Pure. */
const struct sw_fdb_entry *fdb_lookup(const struct fdb *fdb, const struct fdb_key *key);

enum fdb_learned { FDB_REFRESHED, FDB_NEW, FDB_MOVED, FDB_IS_STATIC, FDB_FULL };

/* A frame from `key` came in by `port`. Group and all-zero addresses are the caller's to keep out. */
enum fdb_learned fdb_learn(struct fdb *fdb, const struct fdb_key *key, uint16_t port, uint64_t now_ns);

/* Adds or replaces a static entry. -ENOSPC: the table is full. */
int fdb_add_static(
	struct fdb *fdb, const struct fdb_key *key, uint16_t port, uint64_t now_ns, struct complaint *complaint);

/* -ENOENT: no such entry. */
int fdb_remove(struct fdb *fdb, const struct fdb_key *key);

/* Removes the entries that fit: bridge 0, port 0 and vid -1 mean any. Returns how many. */
uint32_t fdb_flush(struct fdb *fdb, uint16_t bridge, uint16_t port, int vid, bool statics_too);

/* Removes the learned entries that `keep` does not want, which must not change the table. */
void fdb_prune(struct fdb *fdb, bool (*keep)(void *ctx, const struct sw_fdb_entry *entry), void *ctx);

void fdb_set_ageing(struct fdb *fdb, uint16_t bridge, uint32_t seconds); /* 0: never */
void fdb_set_limit(struct fdb *fdb, uint16_t bridge, uint32_t n);

/*
 * Removes what has aged. Returns when the next entry could, in now_ns' time, or UINT64_MAX for never. Learning and
 * fdb_set_ageing() can bring that forward; asking again is cheap.
 */
uint64_t fdb_age(struct fdb *fdb, uint64_t now_ns);

uint32_t fdb_count(const struct fdb *fdb, uint16_t bridge); /* 0: all */

/* Walks the valid entries of a bridge (0: all). `each` must not change the table. */
void fdb_each(const struct fdb *fdb, uint16_t bridge, void (*each)(void *ctx, const struct sw_fdb_entry *e), void *ctx);

#endif
