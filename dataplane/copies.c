/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/copies.h"

#include "bpf/hash.h"
#include "dataplane/datapath.h"
#include "dataplane/pool.h"
#include "dataplane/retrace.h"
#include "dataplane/rewrites.h"
#include "dataplane/sets.h"

#include <stdlib.h>
#include <string.h>

#define NONE       SW_MAX_COPIES
#define PORT_WORDS (SW_MAX_PORTS * 2 / 8)

struct copies {
	struct sw_copies *memory;
	uint64_t seed;
	struct sets *sets;
	struct pool *pool;
	struct datapath *dp;
	uint8_t ports[SW_MAX_PORTS]; /* enum readiness */
	struct sw_copies draft;      /* that is being put together */
};

/* Whether a port can be sent copies. What waits does so for a grace period. */
enum readiness { UNKNOWN, ASKED, CLOSING, READY };

/* ---- for the pool ---- */

static uint64_t hash_of(const struct copies *copies, const struct sw_copies *list)
{
	uint64_t hash = sw_hash_step(copies->seed, list->set), word;

	for (size_t i = 0; i < PORT_WORDS; i++) {
		memcpy(&word, &list->rewrite[4 * i], sizeof(word));
		hash = sw_hash_step(hash, word);
	}
	return hash;
}

static uint64_t hash_element(const void *owner, uint32_t id)
{
	const struct copies *copies = owner;

	return hash_of(copies, &copies->memory[id]);
}

/* All else follows from these two. */
static bool holds(const void *owner, uint32_t id, const void *wanted)
{
	const struct sw_copies *list = &((const struct copies *)owner)->memory[id], *other = wanted;

	return list->set == other->set && !memcmp(list->rewrite, other->rewrite, sizeof(list->rewrite));
}

static bool exists(const void *owner, uint32_t id)
{
	return copies_exist(owner, id);
}

/* What it holds is another matter. */
static void forget(void *owner, uint32_t id)
{
	struct copies *copies = owner;

	__atomic_store_n(&copies->memory[id].n_copies, 0, __ATOMIC_RELEASE);
}

/* ---- what a list holds ---- */

static void release(struct copies *copies, const struct sw_copies *list)
{
	for (uint16_t port = 0; port < SW_MAX_PORTS; port++) {
		if (list->rewrite[port])
			rewrites_drop(sets_rewrites(copies->sets), list->rewrite[port] - 1);
	}
	if (list->set != SW_MAX_SETS)
		sets_drop(copies->sets, list->set);
}

/* Of a list whose set and rewrites there are. */
static void hold(struct copies *copies, const struct sw_copies *list)
{
	for (uint16_t port = 0; port < SW_MAX_PORTS; port++) {
		if (list->rewrite[port])
			rewrites_hold(sets_rewrites(copies->sets), list->rewrite[port] - 1);
	}
	sets_hold(copies->sets, list->set);
}

static void let_go(void *owner, uint32_t id)
{
	struct copies *copies = owner;

	pool_forget(copies->pool, id);
	release(copies, &copies->memory[id]);
}

/* ---- life ---- */

/* Every copy is one of its set's and is rewritten by what there is, and `all` is what follows from that. */
static bool is_sound(const struct copies *copies, const struct sw_copies *list)
{
	const struct rewrites *rewrites = sets_rewrites(copies->sets);
	struct sw_rewrite all = {0};
	uint32_t n = 0;

	for (uint16_t port = 0; port < SW_MAX_PORTS; port++) {
		bool is_member = sets_contain(copies->sets, list->set, port);

		n += is_member;
		if (!list->rewrite[port])
			continue;
		if (!is_member || !rewrites_exist(rewrites, list->rewrite[port] - 1))
			return false;
		rewrites_join(rewrites, list->rewrite[port] - 1, &all);
	}
	return n == list->n_copies && !memcmp(&all, &list->all, sizeof(all));
}

static bool is_sane(const void *owner, uint32_t id)
{
	const struct copies *copies = owner;
	const struct sw_copies *list = &copies->memory[id];

	return sets_exist(copies->sets, list->set) && is_sound(copies, list) &&
	       pool_find(copies->pool, hash_of(copies, list), list) == NONE;
}

static void follow_at_once(struct copies *copies, uint16_t port)
{
	if (copies->ports[port] == READY || copies->dp->ops->follow(copies->dp, port))
		return;
	copies->dp->ops->followed(copies->dp, port);
	copies->ports[port] = READY;
}

/* Its ports were ready before it was written. */
static void adopt(struct copies *copies, const struct sw_copies *list)
{
	hold(copies, list);
	for (uint16_t port = 0; port < SW_MAX_PORTS; port++) {
		if (sets_contain(copies->sets, list->set, port))
			follow_at_once(copies, port);
	}
}

/* Some set has it, which a flow may lead to. */
static bool is_member(const struct copies *copies, uint16_t port)
{
	for (uint32_t set = 0; set < SW_MAX_SETS; set++) {
		if (sets_contain(copies->sets, set, port))
			return true;
	}
	return false;
}

/*
 * That a port is followed stands with its device, and not where that was gone when the last daemon died: flows and
 * lists may outlive that, and the device be back before they are translated anew. Nothing is on its way to such a port,
 * so it needs no grace period.
 */
static void adopt_ports(struct copies *copies)
{
	for (uint16_t port = 1; port < SW_MAX_PORTS; port++) {
		enum dp_way way = copies->dp->ops->way(copies->dp, port);

		if (way == DP_WAY_FOLLOWED)
			copies->ports[port] = READY;
		else if (way == DP_WAY_NONE && is_member(copies, port))
			follow_at_once(copies, port);
	}
}

struct copies *copies_create(struct datapath *dp, struct sets *sets)
{
	static const struct pool_calls calls = {hash_element, holds, exists, forget};
	struct copies *copies = calloc(1, sizeof(*copies));

	if (!copies)
		return NULL;
	copies->dp = dp;
	copies->memory = dp->memory.copies;
	copies->seed = dp->memory.config->seed;
	copies->sets = sets;
	copies->pool = pool_create(&calls, copies, SW_MAX_COPIES);
	if (!copies->pool) {
		free(copies);
		return NULL;
	}
	adopt_ports(copies);
	pool_adopt(copies->pool, is_sane);
	for (uint32_t id = 0; id < SW_MAX_COPIES; id++) {
		if (copies_exist(copies, id))
			adopt(copies, &copies->memory[id]);
	}
	return copies;
}

void copies_destroy(struct copies *copies)
{
	if (copies)
		pool_destroy(copies->pool);
	free(copies);
}

/* ---- lists ---- */

/*
 * False: that rewrite could not be had, or is longer than a copy may grow, or one whose frames show only on the way
 * that they are not for it: a copy cannot go up any more.
 */
static bool add_copy(struct copies *copies, uint16_t port, const struct action *const *actions, uint32_t n)
{
	struct rewrites *rewrites = sets_rewrites(copies->sets);
	struct sw_copies *draft = &copies->draft;
	uint32_t id;

	draft->n_copies++;
	if (!n)
		return true;
	id = rewrites_get(rewrites, actions, n);
	if (id == SW_MAX_REWRITES)
		return false;
	draft->rewrite[port] = (uint16_t)(id + 1);
	rewrites_join(rewrites, id, &draft->all);
	return draft->all.growth <= SW_COPY_ROOM && !(draft->all.looks & SW_LOOK_UNDO);
}

static bool add_each(struct copies *copies, const struct xlate *answer)
{
	struct retrace r = retrace_begin(answer);
	const struct xop *op;

	while ((op = retrace_next(&r)) != NULL) {
		if (!add_copy(copies, op->port, r.done, r.n))
			return false;
	}
	return !r.too_many;
}

static bool add_all(struct copies *copies, const struct xlate *answer)
{
	for (uint32_t i = 0; i < answer->n_outputs; i++) {
		if (!add_copy(copies, answer->outputs[i].port, answer->rewrites, answer->n_rewrites))
			return false;
	}
	return true;
}

static bool add_set(struct copies *copies, const struct xlate *answer)
{
	struct port_set members = {0};

	for (uint32_t i = 0; i < answer->n_outputs; i++)
		port_set_add(&members, answer->outputs[i].port);
	copies->draft.set = (uint16_t)sets_get_now(copies->sets, &members);
	return copies->draft.set != SW_MAX_SETS;
}

/* ---- ports ---- */

bool copies_follow(struct copies *copies, uint16_t port)
{
	uint8_t *readiness = &copies->ports[port];

	if (*readiness == UNKNOWN && !copies->dp->ops->follow(copies->dp, port))
		*readiness = ASKED;
	return *readiness == READY;
}

/* Asks for all of them at once. */
static bool are_ready(struct copies *copies, const struct xlate *answer)
{
	bool ready = true;

	for (uint32_t i = 0; i < answer->n_outputs; i++)
		ready &= copies_follow(copies, answer->outputs[i].port);
	return ready;
}

bool copies_want_grace(const struct copies *copies)
{
	return memchr(copies->ports, ASKED, sizeof(copies->ports));
}

void copies_grace_began(struct copies *copies)
{
	for (uint16_t port = 0; port < SW_MAX_PORTS; port++) {
		if (copies->ports[port] == ASKED)
			copies->ports[port] = CLOSING;
	}
}

bool copies_grace_ended(struct copies *copies)
{
	bool more = false;

	for (uint16_t port = 0; port < SW_MAX_PORTS; port++) {
		if (copies->ports[port] != CLOSING)
			continue;
		copies->dp->ops->followed(copies->dp, port);
		copies->ports[port] = READY;
		more = true;
	}
	return more;
}

/* ---- getting ---- */

/* The draft, written; what it holds is the list's then. */
static uint32_t make(struct copies *copies)
{
	uint32_t id = pool_vacate(copies->pool);
	const size_t first = sizeof(copies->draft.n_copies);
	struct sw_copies *to;

	if (id == NONE)
		return NONE;
	to = &copies->memory[id];
	memcpy((uint8_t *)to + first, (const uint8_t *)&copies->draft + first, sizeof(*to) - first);
	__atomic_store_n(&to->n_copies, copies->draft.n_copies, __ATOMIC_RELEASE);
	pool_enter(copies->pool, id);
	return id;
}

uint32_t copies_get(struct copies *copies, const struct xlate *answer)
{
	struct sw_copies *draft = &copies->draft;
	uint32_t id = NONE;
	bool is_new = false;

	if (!are_ready(copies, answer))
		return NONE;
	*draft = (struct sw_copies){.set = SW_MAX_SETS};
	if ((answer->copies ? add_each(copies, answer) : add_all(copies, answer)) && add_set(copies, answer)) {
		id = pool_find(copies->pool, hash_of(copies, draft), draft);
		is_new = id == NONE;
	}
	if (is_new)
		id = make(copies);
	if (!is_new || id == NONE)
		release(copies, draft);
	if (id != NONE)
		pool_hold(copies->pool, id);
	return id;
}

int copies_hold(struct copies *copies, uint32_t id)
{
	return pool_hold(copies->pool, id);
}

void copies_drop(struct copies *copies, uint32_t id)
{
	if (pool_drop(copies->pool, id))
		let_go(copies, id);
}

void copies_hold_all(struct copies *copies)
{
	pool_hold_all(copies->pool);
}

void copies_drop_all(struct copies *copies)
{
	pool_drop_all(copies->pool, let_go);
}

bool copies_exist(const struct copies *copies, uint32_t id)
{
	return id < SW_MAX_COPIES && copies->memory[id].n_copies;
}

bool copies_have(const struct copies *copies, uint32_t id, uint16_t port, uint32_t *ret_rewrite)
{
	const struct sw_copies *list;

	if (!copies_exist(copies, id) || !sets_contain(copies->sets, copies->memory[id].set, port))
		return false;
	list = &copies->memory[id];
	*ret_rewrite = list->rewrite[port] ? list->rewrite[port] - 1U : SW_MAX_REWRITES;
	return true;
}

uint32_t copies_users(const struct copies *copies, uint32_t id)
{
	return pool_users(copies->pool, id);
}
