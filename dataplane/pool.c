/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/pool.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

struct state {
	uint32_t n_users;
	uint16_t next; /* of the same hash */
	bool adopted;  /* by pool_hold_all() */
	uint64_t idle_since;
};

struct pool {
	struct pool_calls calls;
	void *owner;
	uint32_t n, n_held;
	uint64_t clock; /* counts drops to zero: what is idle longest has the least idle_since */
	uint16_t *heads;
	struct state states[];
};

struct pool *pool_create(const struct pool_calls *calls, void *owner, uint32_t n)
{
	struct pool *pool = calloc(1, sizeof(*pool) + n * sizeof(pool->states[0]));

	if (!pool)
		return NULL;
	pool->calls = *calls;
	pool->owner = owner;
	pool->n = n;
	pool->heads = calloc(n, sizeof(*pool->heads));
	if (!pool->heads) {
		free(pool);
		return NULL;
	}
	for (uint32_t i = 0; i < n; i++)
		pool->heads[i] = (uint16_t)n;
	return pool;
}

void pool_destroy(struct pool *pool)
{
	if (pool)
		free(pool->heads);
	free(pool);
}

static bool exists(const struct pool *pool, uint32_t id)
{
	return id < pool->n && pool->calls.exists(pool->owner, id);
}

static uint16_t *head_of(const struct pool *pool, uint32_t id)
{
	return &pool->heads[pool->calls.hash(pool->owner, id) % pool->n];
}

void pool_enter(struct pool *pool, uint32_t id)
{
	uint16_t *head = head_of(pool, id);

	pool->states[id].next = *head;
	*head = (uint16_t)id;
}

void pool_forget(struct pool *pool, uint32_t id)
{
	uint16_t *link = head_of(pool, id);

	while (*link != id)
		link = &pool->states[*link].next;
	*link = pool->states[id].next;
	pool->calls.forget(pool->owner, id);
}

void pool_adopt(struct pool *pool, bool (*is_sane)(const void *owner, uint32_t id))
{
	for (uint32_t id = 0; id < pool->n; id++) {
		if (!exists(pool, id))
			continue;
		if (is_sane(pool->owner, id))
			pool_enter(pool, id);
		else
			pool->calls.forget(pool->owner, id);
	}
}

uint32_t pool_find(const struct pool *pool, uint64_t hash, const void *wanted)
{
	uint32_t id = pool->heads[hash % pool->n];

	while (id != pool->n && !pool->calls.holds(pool->owner, id, wanted))
		id = pool->states[id].next;
	return id;
}

uint32_t pool_vacate(struct pool *pool)
{
	uint32_t oldest = pool->n;

	if (pool->n_held == pool->n)
		return pool->n;
	for (uint32_t id = 0; id < pool->n; id++) {
		const struct state *state = &pool->states[id];

		if (state->n_users)
			continue;
		if (!exists(pool, id))
			return id;
		if (oldest == pool->n || state->idle_since < pool->states[oldest].idle_since)
			oldest = id;
	}
	pool_forget(pool, oldest);
	return oldest;
}

int pool_hold(struct pool *pool, uint32_t id)
{
	if (!exists(pool, id))
		return -ENOENT;
	pool->n_held += !pool->states[id].n_users++;
	return 0;
}

bool pool_drop(struct pool *pool, uint32_t id)
{
	struct state *state = &pool->states[id];

	assert(state->n_users); /* P1 */
	if (--state->n_users)
		return false;
	state->idle_since = ++pool->clock;
	pool->n_held--;
	return true;
}

uint32_t pool_users(const struct pool *pool, uint32_t id)
{
	return id < pool->n ? pool->states[id].n_users : 0;
}

void pool_hold_all(struct pool *pool)
{
	for (uint32_t id = 0; id < pool->n; id++)
		pool->states[id].adopted = !pool_hold(pool, id);
}

void pool_drop_all(struct pool *pool, void (*idle)(void *owner, uint32_t id))
{
	for (uint32_t id = 0; id < pool->n; id++) {
		bool adopted = pool->states[id].adopted;

		pool->states[id].adopted = false;
		if (adopted && pool_drop(pool, id) && idle)
			idle(pool->owner, id);
	}
}
