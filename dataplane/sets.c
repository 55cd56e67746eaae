/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/sets.h"

#include "bpf/hash.h"
#include "dataplane/datapath.h"
#include "dataplane/forks.h"
#include "dataplane/log.h"
#include "dataplane/meter_slots.h"
#include "dataplane/rewrites.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define N_HEADS   256
#define NONE      SW_MAX_SETS
#define SET_WORDS (SW_MAX_PORTS / 64)

struct state {
	uint32_t n_users;
	uint16_t next; /* of the same hash */
	uint64_t idle_since;
};

struct sets {
	struct datapath *dp;
	struct rewrites *rewrites;
	struct meter_slots *meter_slots;
	struct forks *forks;
	struct sw_registry_set *records;
	uint64_t clock; /* counts drops to zero: what is idle longest has the least idle_since */
	uint16_t heads[N_HEADS];
	struct state states[SW_MAX_SETS];
	uint16_t scratch[SW_MAX_PORTS];
};

static uint16_t *head_of(struct sets *sets, const __u64 *members)
{
	uint64_t hash = sets->dp->memory.config->seed;

	for (int i = 0; i < SET_WORDS; i++)
		hash = sw_hash_step(hash, members[i]);
	return &sets->heads[hash % N_HEADS];
}

static void chain(struct sets *sets, uint32_t set)
{
	uint16_t *head = head_of(sets, sets->records[set].member);

	sets->states[set].next = *head;
	*head = set;
}

static void unchain(struct sets *sets, uint32_t set)
{
	uint16_t *link = head_of(sets, sets->records[set].member);

	while (*link != set)
		link = &sets->states[*link].next;
	*link = sets->states[set].next;
}

static uint32_t find(struct sets *sets, const __u64 *members)
{
	uint32_t set = *head_of(sets, members);

	while (set != NONE && memcmp(sets->records[set].member, members, SET_WORDS * sizeof(*members)) != 0)
		set = sets->states[set].next;
	return set;
}

static uint32_t count(const __u64 *members)
{
	uint32_t n = 0;

	for (int i = 0; i < SET_WORDS; i++)
		n += __builtin_popcountll(members[i]);
	return n;
}

/* A record that a crash left half written, or that somebody else wrote. */
static bool is_sane(struct sets *sets, uint32_t set)
{
	const struct sw_registry_set *record = &sets->records[set];

	return count(record->member) == record->n_members && !(record->member[0] & 1) &&
	       find(sets, record->member) == NONE;
}

static void forget(struct sets *sets, uint32_t set)
{
	__atomic_store_n(&sets->records[set].n_members, 0, __ATOMIC_RELEASE);
	sets->dp->ops->set_remove(sets->dp, set);
}

static void adopt(struct sets *sets)
{
	for (uint32_t set = 0; set < SW_MAX_SETS; set++) {
		if (!sets->records[set].n_members)
			continue;
		if (is_sane(sets, set))
			chain(sets, set);
		else
			forget(sets, set);
	}
}

struct sets *sets_create(struct datapath *dp)
{
	struct sets *sets = calloc(1, sizeof(*sets));

	if (!sets)
		return NULL;
	sets->dp = dp;
	sets->rewrites = rewrites_create(dp->memory.rewrites, dp->memory.config->seed);
	sets->meter_slots = meter_slots_create(&dp->memory);
	sets->forks = forks_create(dp, sets);
	if (!sets->rewrites || !sets->meter_slots || !sets->forks) {
		sets_destroy(sets);
		return NULL;
	}
	sets->records = dp->memory.registry->set;
	for (int i = 0; i < N_HEADS; i++)
		sets->heads[i] = NONE;
	adopt(sets);
	return sets;
}

void sets_destroy(struct sets *sets)
{
	if (!sets)
		return;
	rewrites_destroy(sets->rewrites);
	meter_slots_destroy(sets->meter_slots);
	forks_destroy(sets->forks);
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

struct forks *sets_forks(const struct sets *sets)
{
	return sets->forks;
}

static int write_set(struct sets *sets, uint32_t set, const __u64 *members)
{
	uint32_t n = 0;
	int error;

	for (uint32_t port = 0; port < SW_MAX_PORTS; port++) {
		if (members[port / 64] >> port % 64 & 1)
			sets->scratch[n++] = port;
	}
	error = sets->dp->ops->set_put(sets->dp, set, sets->scratch, n);
	if (error)
		log_limited(LOG_LEVEL_WARN, "set %u of %u ports could not be written: %s", set, n, strerror(-error));
	return error;
}

/* An id that was never used, else the one that has been idle longest; NONE: all are held. */
static uint32_t vacate(struct sets *sets)
{
	uint32_t oldest = NONE;

	for (uint32_t set = 0; set < SW_MAX_SETS; set++) {
		const struct state *state = &sets->states[set];

		if (!sets->records[set].n_members)
			return set;
		if (!state->n_users && (oldest == NONE || state->idle_since < sets->states[oldest].idle_since))
			oldest = set;
	}
	if (oldest != NONE) {
		unchain(sets, oldest);
		forget(sets, oldest);
	}
	return oldest;
}

static uint32_t make(struct sets *sets, const struct port_set *members)
{
	uint32_t set = vacate(sets);

	if (set == NONE || write_set(sets, set, members->bits))
		return NONE;
	memcpy(sets->records[set].member, members->bits, sizeof(members->bits));
	__atomic_store_n(&sets->records[set].n_members, count(members->bits), __ATOMIC_RELEASE);
	chain(sets, set);
	return set;
}

uint32_t sets_get(struct sets *sets, const struct port_set *members)
{
	uint32_t set = find(sets, members->bits);

	if (set == NONE)
		set = make(sets, members);
	if (set != NONE)
		sets->states[set].n_users++;
	return set;
}

static bool exists(const struct sets *sets, uint32_t set)
{
	return set < SW_MAX_SETS && sets->records[set].n_members;
}

int sets_hold(struct sets *sets, uint32_t set)
{
	if (!exists(sets, set))
		return -ENOENT;
	sets->states[set].n_users++;
	return 0;
}

void sets_drop(struct sets *sets, uint32_t set)
{
	struct state *state = &sets->states[set];

	if (--state->n_users == 0)
		state->idle_since = ++sets->clock;
}

void sets_port_changed(struct sets *sets, uint16_t port)
{
	for (uint32_t set = 0; set < SW_MAX_SETS; set++) {
		if (sets_contain(sets, set, port))
			write_set(sets, set, sets->records[set].member);
	}
}

bool sets_contain(const struct sets *sets, uint32_t set, uint16_t port)
{
	return exists(sets, set) && port < SW_MAX_PORTS && sets->records[set].member[port / 64] >> port % 64 & 1;
}

uint32_t sets_users(const struct sets *sets, uint32_t set)
{
	return set < SW_MAX_SETS ? sets->states[set].n_users : 0;
}
