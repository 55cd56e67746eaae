/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fdb.h - which port a MAC address lives behind, for each bridge and VLAN.
 *
 * What: the daemon's table, and its projection into the maps in which the program's NORMAL step looks addresses up
 * (bpf/fdb.h). The kernel backend lends pinned maps, so that the table survives the daemon; tests lend plain memory. An
 * entry has the index of its cell.
 *
 * Why the program sees a change only after fdb_settle(): a frame that taught an address is still in the daemon's hands,
 * and those behind it must not overtake it (upcall.h). So changes are collected, and written once the batch that
 * they came with is on its way.
 *
 * Invariants
 * F1 A cell holds a key only while its place is that of one entry. A daemon that dies anywhere leaves cells that the
 *    next one can believe.
 * F2 Every change that could alter a lookup's answer calls `changed` once, after the change, with the address. A
 *    refresh is no change.
 * F3 A static entry is never learned over, moved, aged or evicted.
 * F4 After fdb_settle() the cells say what the table says: each entry has its cell, and no other cell has a key.
 * F5 The cell of an entry that was removed is cleared by the next fdb_settle(), and given to another key only when a
 *    grace period that began after that has ended (A6 of abi.h). An address that is back sooner gets its cell again, so
 *    that none ever has two.
 * F6 No port's addresses keep another's out: where there is no room the port with most learned addresses loses the one
 *    that it has not used for longest, if who asks has fewer yet when he has got it. So a port that floods the table
 *    with invented addresses ends with what the others leave it, and never with less than any of them has.
 *
 * Limits: each bridge has one (fdb_set_limit). But for F6 a full table learns nothing more, and forgets nothing for it:
 * an attacker who invents addresses then floods only his own. Static entries count, but only a full storage refuses
 * one, and they are nobody's share. A port's entries are taken to be all of one bridge, as they are but for moments.
 * Storage is full at fdb_create()'s limit, and for an address both of whose buckets are full (cells that wait for a
 * grace period count). MEASURED with random addresses: none of 48,000, two of 65,536.
 *
 * Ageing costs nothing while nothing ages: the learned entries of a bridge are in a list by when they were last used,
 * and fdb_age() looks at the list's old end. The program only marks an address as used; fdb_harvest() gives the mark
 * its time, so the caller harvests before it shows. What is to age is looked at for a mark first.
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

#define FDB_STATIC 1

struct fdb_entry {
	struct fdb_key key;
	uint16_t port;  /* id */
	uint16_t flags; /* FDB_STATIC */
	uint64_t used_ns, learned_ns;
};

/* How a frame for an address leaves by its port. */
struct fdb_out {
	uint8_t out;    /* enum sw_fdb_out */
	uint8_t drop;   /* enum sw_drop, of SW_FDB_OUT_DROP; of SW_FDB_OUT_MIRRORED enum sw_fdb_out, how it leaves */
	uint8_t flags;  /* SW_FDB_ONE_BUFFER or 0 */
	uint8_t mirror; /* as sw_fdb_place.mirror */
};

struct fdb_events {
	void *ctx;
	void (*changed)(void *ctx, const struct fdb_key *key);
	/* Asked while an entry is written to its cell; must not change the table. NULL: SW_FDB_OUT_UPCALL, for all. */
	struct fdb_out (*out)(void *ctx, const struct fdb_entry *entry);
};

/* Where the program looks: SW_FDB_BUCKETS buckets and a struct sw_fdb_times for each of their cells. */
struct fdb_storage {
	struct sw_fdb_bucket *buckets;
	struct sw_fdb_times *times;
	uint64_t seed;   /* sw_config.seed */
	uint32_t *epoch; /* sw_config.epoch, which ends with what the table takes away or alters */
};

#define FDB_DEFAULT_AGEING_S 300
#define FDB_DEFAULT_LIMIT    16384

/*
 * Takes over what is sound in `storage`, which outlives the table, and clears the rest; of more than `limit`
 * (SW_MAX_FDB, or less) what was used last. The first settle asks `out` for all of it. A cell that is empty is taken to
 * be free: if a daemon before us wrote to this storage, a grace period has gone by since it died. NULL: out of memory.
 */
struct fdb *fdb_create(const struct fdb_storage *storage, uint32_t limit, const struct fdb_events *events);
void fdb_destroy(struct fdb *fdb);
/* Bytes that it takes beside its storage, whatever the limit. */
size_t fdb_bytes(void);

/* The entry for `key`, or NULL. Borrowed until the next call that is not a lookup. Pure. */
const struct fdb_entry *fdb_lookup(const struct fdb *fdb, const struct fdb_key *key);

enum fdb_learned { FDB_REFRESHED, FDB_NEW, FDB_MOVED, FDB_IS_STATIC, FDB_FULL };

/*
 * A frame from `key` came in by `port`. Group and all-zero addresses are the caller's to keep out. Where it is new and
 * there is no room, another port's entry may have gone for it (F6).
 */
enum fdb_learned fdb_learn(struct fdb *fdb, const struct fdb_key *key, uint16_t port, uint64_t now_ns);

/* Adds or replaces a static entry. -ENOSPC: the storage is full, for this address or for any. */
int fdb_add_static(
	struct fdb *fdb, const struct fdb_key *key, uint16_t port, uint64_t now_ns, struct complaint *complaint);

/* -ENOENT: no such entry. */
int fdb_remove(struct fdb *fdb, const struct fdb_key *key);

/* Removes the entries that fit: bridge 0, port 0 and vid -1 mean any. Returns how many. */
uint32_t fdb_flush(struct fdb *fdb, uint16_t bridge, uint16_t port, int vid, bool statics_too);

/* Removes the learned entries that `keep` does not want, which must not change the table. */
void fdb_prune(struct fdb *fdb, bool (*keep)(void *ctx, const struct fdb_entry *entry), void *ctx);

void fdb_set_ageing(struct fdb *fdb, uint16_t bridge, uint32_t seconds); /* 0: never */
void fdb_set_limit(struct fdb *fdb, uint16_t bridge, uint32_t n);

/*
 * Removes what has aged. Returns when the next entry could, in now_ns' time, or UINT64_MAX for never. Learning and
 * fdb_set_ageing() can bring that forward; asking again is cheap.
 */
uint64_t fdb_age(struct fdb *fdb, uint64_t now_ns);

/* The next settle writes every cell again: what `out` would answer may have changed for any. */
void fdb_republish(struct fdb *fdb);
/* Brings the program's cells up to date with every change so far (F4). Cheap when nothing changed. */
void fdb_settle(struct fdb *fdb);

/*
 * Whether cleared cells wait for a grace period that was not asked for yet. The caller who asks says so by `began`, and
 * asks for the next only when that has ended: who asked all the time would never be told of an end (grace.h).
 */
bool fdb_wants_grace(const struct fdb *fdb);
void fdb_grace_began(struct fdb *fdb);
void fdb_grace_ended(struct fdb *fdb); /* the last that began, and so all; harmless when none did */

/* Refreshes, as used now, every address that the program marked since the last call. */
void fdb_harvest(struct fdb *fdb, uint64_t now_ns);

/* Whether the bridge can learn one more address, of whatever port. */
bool fdb_has_room(const struct fdb *fdb, uint16_t bridge);
/*
 * Where it has none: how many learned addresses the port has that would make way (F6), and how many this port has. A
 * port learns while it would still have fewer.
 */
uint32_t fdb_most(const struct fdb *fdb, uint16_t bridge);
uint32_t fdb_count_of_port(const struct fdb *fdb, uint16_t port);
uint32_t fdb_count(const struct fdb *fdb, uint16_t bridge); /* 0: all */

/* Walks the entries of a bridge (0: all), in no order. `each` must not change the table. */
void fdb_each(const struct fdb *fdb, uint16_t bridge, void (*each)(void *ctx, const struct fdb_entry *e), void *ctx);

#endif
