/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/sets.h"

#include "bpf/hash.h"
#include "dataplane/copies.h"
#include "dataplane/datapath.h"
#include "dataplane/forks.h"
#include "dataplane/log.h"
#include "dataplane/meter_slots.h"
#include "dataplane/pool.h"
#include "dataplane/rewrites.h"

#include <stdlib.h>
#include <string.h>

#define NONE      SW_MAX_SETS
#define SET_WORDS (SW_MAX_PORTS / 64)

struct sets {
	struct datapath *dp;
	struct rewrites *rewrites;
	struct meter_slots *meter_slots;
	struct copies *copies;
	struct forks *forks;
	struct sw_registry_set *records;
	struct pool *pool;
	uint16_t scratch[SW_MAX_PORTS];
	bool asked, closing; /* a set was not ready: since the last grace period began, or before it */
};

/* ---- for the pool ---- */

static uint64_t hash_of(const struct sets *sets, const __u64 *members)
{
	uint64_t hash = sets->dp->memory.config->seed;

	for (int i = 0; i < SET_WORDS; i++)
		hash = sw_hash_step(hash, members[i]);
	return hash;
}

static uint64_t hash_element(const void *owner, uint32_t set)
{
	const struct sets *sets = owner;

	return hash_of(sets, sets->records[set].member);
}

/* But for the number of members, of which it makes sure itself. */
static bool holds(const void *owner, uint32_t set, const void *wanted)
{
	const struct sw_registry_set *record = &((const struct sets *)owner)->records[set];

	return !memcmp(record->member, wanted, sizeof(record->member));
}

static bool exists(const void *owner, uint32_t set)
{
	return ((const struct sets *)owner)->records[set].n_members;
}

static void forget(void *owner, uint32_t set)
{
	struct sets *sets = owner;

	__atomic_store_n(&sets->records[set].n_members, 0, __ATOMIC_RELEASE);
	sets->dp->ops->set_remove(sets->dp, set);
}

static uint32_t count(const __u64 *members)
{
	uint32_t n = 0;

	for (int i = 0; i < SET_WORDS; i++)
		n += __builtin_popcountll(members[i]);
	return n;
}

/* Not a record that a crash left half written, or that somebody else wrote. */
static bool is_sane(const void *owner, uint32_t set)
{
	const struct sets *sets = owner;
	const struct sw_registry_set *record = &sets->records[set];

	return count(record->member) == record->n_members && !(record->member[0] & 1) &&
	       pool_find(sets->pool, hash_of(sets, record->member), record->member) == NONE;
}

/* ---- life ---- */

struct sets *sets_create(struct datapath *dp)
{
	static const struct pool_calls calls = {hash_element, holds, exists, forget};
	struct sets *sets = calloc(1, sizeof(*sets));
	uint64_t seed = dp->memory.config->seed;

	if (!sets)
		return NULL;
	sets->dp = dp;
	sets->records = dp->memory.registry->set;
	sets->pool = pool_create(&calls, sets, SW_MAX_SETS);
	sets->rewrites = rewrites_create(dp->memory.rewrites, seed);
	sets->meter_slots = meter_slots_create(&dp->memory);
	sets->forks = forks_create(dp, sets);
	if (sets->pool && sets->rewrites && sets->meter_slots && sets->forks) {
		pool_adopt(sets->pool, is_sane);
		sets->copies = copies_create(dp, sets);
	}
	if (sets->copies)
		return sets;
	sets_destroy(sets);
	return NULL;
}

void sets_destroy(struct sets *sets)
{
	if (!sets)
		return;
	copies_destroy(sets->copies);
	rewrites_destroy(sets->rewrites);
	meter_slots_destroy(sets->meter_slots);
	forks_destroy(sets->forks);
	pool_destroy(sets->pool);
	free(sets);
}

struct rewrites *sets_rewrites(const struct sets *sets)
{
	return sets->rewrites;
}

struct meter_slots *sets_meter_slots(const struct sets *sets)
{
	return sets->meter_slots;
}

struct copies *sets_copies(const struct sets *sets)
{
	return sets->copies;
}

struct forks *sets_forks(const struct sets *sets)
{
	return sets->forks;
}

/* ---- sets ---- */

static uint32_t list_members(struct sets *sets, const __u64 *members)
{
	uint32_t n = 0;

	for (uint32_t word = 0; word < SET_WORDS; word++) {
		for (uint64_t left = members[word]; left; left &= left - 1)
			sets->scratch[n++] = (uint16_t)(word * 64 + (uint32_t)__builtin_ctzll(left));
	}
	return n;
}

static int tell(uint32_t set, uint32_t n, int error)
{
	if (error)
		log_limited(LOG_LEVEL_WARN, "set %u of %u ports could not be written: %s", set, n, strerror(-error));
	return error;
}

static int write_set(struct sets *sets, uint32_t set, const __u64 *members)
{
	uint32_t n = list_members(sets, members);

	return tell(set, n, sets->dp->ops->set_put(sets->dp, set, sets->scratch, n));
}

static void change_set(struct sets *sets, uint32_t set, uint16_t port)
{
	uint32_t n = list_members(sets, sets->records[set].member);

	tell(set, n, sets->dp->ops->set_change(sets->dp, set, sets->scratch, n, port));
}

static uint32_t make(struct sets *sets, const struct port_set *members, bool may_wait)
{
	uint32_t set = pool_vacate(sets->pool);

	if (set != NONE && !may_wait && !sets->dp->ops->set_ready(sets->dp, set, count(members->bits))) {
		sets->asked = true;
		return NONE;
	}
	if (set == NONE || write_set(sets, set, members->bits))
		return NONE;
	memcpy(sets->records[set].member, members->bits, sizeof(members->bits));
	__atomic_store_n(&sets->records[set].n_members, count(members->bits), __ATOMIC_RELEASE);
	pool_enter(sets->pool, set);
	return set;
}

static uint32_t get(struct sets *sets, const struct port_set *members, bool may_wait)
{
	uint32_t set = pool_find(sets->pool, hash_of(sets, members->bits), members->bits);

	if (set == NONE)
		set = make(sets, members, may_wait);
	if (set != NONE)
		pool_hold(sets->pool, set);
	return set;
}

uint32_t sets_get(struct sets *sets, const struct port_set *members)
{
	return get(sets, members, true);
}

uint32_t sets_get_now(struct sets *sets, const struct port_set *members)
{
	return get(sets, members, false);
}

bool sets_want_grace(const struct sets *sets)
{
	return sets->asked;
}

void sets_grace_began(struct sets *sets)
{
	sets->closing = sets->asked;
	sets->asked = false;
}

bool sets_grace_ended(struct sets *sets)
{
	bool more = sets->closing;

	sets->closing = false;
	return more;
}

int sets_hold(struct sets *sets, uint32_t set)
{
	return pool_hold(sets->pool, set);
}

void sets_drop(struct sets *sets, uint32_t set)
{
	pool_drop(sets->pool, set);
}

void sets_hold_all(struct sets *sets)
{
	copies_hold_all(sets->copies);
	rewrites_hold_all(sets->rewrites);
	meter_slots_hold_all(sets->meter_slots);
	pool_hold_all(sets->pool);
}

void sets_drop_all(struct sets *sets)
{
	copies_drop_all(sets->copies);
	rewrites_drop_all(sets->rewrites);
	meter_slots_drop_all(sets->meter_slots);
	pool_drop_all(sets->pool, NULL);
}

void sets_port_changed(struct sets *sets, uint16_t port)
{
	for (uint32_t set = 0; set < SW_MAX_SETS; set++) {
		if (sets_contain(sets, set, port))
			change_set(sets, set, port);
	}
}

void sets_ports_changed(struct sets *sets)
{
	for (uint32_t set = 0; set < SW_MAX_SETS; set++) {
		if (sets_exist(sets, set))
			write_set(sets, set, sets->records[set].member);
	}
}

bool sets_exist(const struct sets *sets, uint32_t set)
{
	return set < SW_MAX_SETS && sets->records[set].n_members;
}

bool sets_contain(const struct sets *sets, uint32_t set, uint16_t port)
{
	return sets_exist(sets, set) && port < SW_MAX_PORTS && sets->records[set].member[port / 64] >> port % 64 & 1;
}

uint32_t sets_users(const struct sets *sets, uint32_t set)
{
	return pool_users(sets->pool, set);
}
