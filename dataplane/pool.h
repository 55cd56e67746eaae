/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pool.h - who uses the elements of a map that flows share: flood sets, rewrites, lists of copies.
 *
 * What: an element is known by a small number, its id. Equal ones share an id, which is found by a hash of what it
 * holds, and ids are counted. What an element holds, where it lies and whether it is there is its owner's; the pool
 * asks by callbacks.
 *
 * What nobody uses may stay, until another one needs its id: then the one longest idle makes way.
 *
 * Invariants
 * P1 An id is given away (pool_vacate) only while nobody holds it. Whoever let a program run on it drops it after the
 *    grace period that ends that program's last run (A2 of bpf/abi.h).
 * P2 Two ids never hold the same.
 *
 * Ownership: the elements are the owner's. No allocation after pool_create(). One thread.
 */
#ifndef DATAPLANE_POOL_H
#define DATAPLANE_POOL_H

#include <stdbool.h>
#include <stdint.h>

struct pool;

struct pool_calls {
	/* Of what the element holds. */
	uint64_t (*hash)(const void *owner, uint32_t id);
	/* It holds this. */
	bool (*holds)(const void *owner, uint32_t id, const void *wanted);
	/* There is such an element. */
	bool (*exists)(const void *owner, uint32_t id);
	/* From here on there is none. */
	void (*forget)(void *owner, uint32_t id);
};

/* For ids 0 .. n - 1, n at most 65535. `owner` is handed to the calls, and not before the next function. NULL: ENOMEM.
 */
struct pool *pool_create(const struct pool_calls *calls, void *owner, uint32_t n);
/* The elements stay. Accepts NULL. */
void pool_destroy(struct pool *pool);
/*
 * Takes in the elements that exist, none of them held. One that `is_sane` does not like, or that is there already, is
 * forgotten.
 */
void pool_adopt(struct pool *pool, bool (*is_sane)(const void *owner, uint32_t id));

/* The id of what holds this, whose hash that is; n: none does. */
uint32_t pool_find(const struct pool *pool, uint64_t hash, const void *wanted);
/* An id that is free, else that of the one idle longest, which is forgotten; n: all are held. */
uint32_t pool_vacate(struct pool *pool);
/* The element of a vacated id is complete, and exists. */
void pool_enter(struct pool *pool, uint32_t id);
/* Forgets an element that nobody holds. */
void pool_forget(struct pool *pool, uint32_t id);

/* One more user. -ENOENT: there is none of that id. */
int pool_hold(struct pool *pool, uint32_t id);
/* One user less; see P1 for when. True: it was the last. */
bool pool_drop(struct pool *pool, uint32_t id);
uint32_t pool_users(const struct pool *pool, uint32_t id);

/*
 * One more user for each that there is, and one less for those, after which `idle` is told of each that nobody holds
 * any more (NULL: nobody is): for the time in which a program run may still look at what an earlier daemon gave up.
 */
void pool_hold_all(struct pool *pool);
void pool_drop_all(struct pool *pool, void (*idle)(void *owner, uint32_t id));

#endif
