/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/forks.h"

#include "bpf/hash.h"
#include "dataplane/datapath.h"
#include "dataplane/epoch.h"
#include "dataplane/group.h"
#include "dataplane/pipeline.h"
#include "dataplane/program.h"
#include "dataplane/sets.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define N_HEADS 512
#define NONE    SW_MAX_FORKS
#define UNKNOWN UINT32_MAX /* of `live`: where it leads has not been written yet */

struct state {
	uint32_t n_users;
	uint32_t live;
	uint16_t next; /* of the same hash */
	bool retired;
	bool adopted; /* by forks_hold_all() */
};

struct forks {
	struct sw_fork *memory;
	struct sw_fork_slots *slots;
	struct sets *sets;
	uint64_t seed;
	uint32_t *epoch; /* borrowed, see epoch.h */
	uint32_t n_idle;
	uint16_t heads[N_HEADS];
	struct state states[SW_MAX_FORKS];
	struct sw_fork wanted; /* reused: it is large */
	struct xlate scratch;
};

struct forks *forks_create(struct datapath *dp, struct sets *sets)
{
	struct forks *forks = calloc(1, sizeof(*forks));

	if (!forks)
		return NULL;
	forks->memory = dp->memory.forks;
	forks->slots = dp->memory.fork_slots;
	forks->sets = sets;
	forks->seed = dp->memory.config->seed;
	forks->epoch = &dp->memory.config->epoch;
	for (int i = 0; i < N_HEADS; i++)
		forks->heads[i] = NONE;
	return forks;
}

void forks_destroy(struct forks *forks)
{
	free(forks);
}

/* ---- finding ---- */

static uint64_t hash_steps(uint64_t hash, const struct sw_flow *branch)
{
	uint64_t words[SW_MAX_STEPS / 2];

	memcpy(words, branch->steps, sizeof(words));
	hash = sw_hash_step(hash, branch->n_steps | (uint64_t)branch->flags << 8);
	for (int i = 0; i < SW_MAX_STEPS / 2; i++)
		hash = sw_hash_step(hash, words[i]);
	return hash;
}

static uint16_t *head_of(struct forks *forks, const struct sw_fork *fork)
{
	uint64_t hash = sw_hash_step(sw_hash_step(forks->seed, (uint64_t)fork->bridge << 32 | fork->group), fork->path);

	for (int i = 0; i < fork->n_branches && i < SW_MAX_BRANCHES; i++)
		hash = hash_steps(hash, &fork->branch[i]);
	return &forks->heads[hash % N_HEADS];
}

static void chain(struct forks *forks, uint32_t id)
{
	uint16_t *head = head_of(forks, &forks->memory[id]);

	forks->states[id].next = *head;
	*head = (uint16_t)id;
}

static void unchain(struct forks *forks, uint32_t id)
{
	uint16_t *link = head_of(forks, &forks->memory[id]);

	while (*link != id)
		link = &forks->states[*link].next;
	*link = forks->states[id].next;
}

static bool is_alike(const struct sw_fork *a, const struct sw_fork *b)
{
	return a->kind == b->kind && a->bridge == b->bridge && a->group == b->group && a->path == b->path &&
	       a->n_branches == b->n_branches &&
	       memcmp(a->branch, b->branch, a->n_branches * sizeof(a->branch[0])) == 0;
}

static uint32_t find(struct forks *forks, const struct sw_fork *fork)
{
	uint32_t id = *head_of(forks, fork);

	while (id != NONE && !is_alike(&forks->memory[id], fork))
		id = forks->states[id].next;
	return id;
}

bool forks_exist(const struct forks *forks, uint32_t id)
{
	return id < SW_MAX_FORKS && forks->memory[id].kind != SW_FORK_NONE;
}

/* ---- what branches hold ---- */

static void release_branches(struct forks *forks, const struct sw_fork *fork)
{
	for (int i = 0; i < fork->n_branches; i++) {
		struct program program = program_held_by(&fork->branch[i]);

		program_release(forks->sets, &program);
	}
}

/* ---- making ---- */

static void write_branch(struct sw_flow *to, const struct program *from)
{
	*to = (struct sw_flow){.n_steps = from->n_steps, .flags = from->flags};
	memcpy(to->steps, from->steps, from->n_steps * sizeof(to->steps[0]));
}

static void write_wanted(struct forks *forks, const struct fork_wish *wish)
{
	struct sw_fork *fork = &forks->wanted;

	fork->kind = wish->group->type == GROUP_TYPE_FF ? SW_FORK_FAILOVER : SW_FORK_SELECT;
	fork->n_branches = (uint8_t)wish->n;
	fork->bridge = wish->bridge;
	fork->group = wish->group->id;
	fork->path = wish->path;
	for (uint32_t i = 0; i < wish->n; i++)
		write_branch(&fork->branch[i], &wish->branches[i]);
}

static uint32_t vacant(const struct forks *forks)
{
	uint32_t id = 0;

	while (id < SW_MAX_FORKS && forks_exist(forks, id))
		id++;
	return id;
}

static uint32_t make(struct forks *forks, const struct fork_wish *wish)
{
	const struct sw_fork *from = &forks->wanted;
	uint32_t id = vacant(forks);
	struct sw_fork *to;

	if (id == NONE)
		return NONE;
	to = &forks->memory[id];
	to->n_branches = from->n_branches;
	to->bridge = from->bridge;
	to->group = from->group;
	to->path = from->path;
	memcpy(to->branch, from->branch, from->n_branches * sizeof(to->branch[0]));
	forks->states[id] = (struct state){.live = UNKNOWN};
	forks->n_idle++;
	forks_steer(forks, id, wish->group, wish->live);
	__atomic_store_n(&to->kind, from->kind, __ATOMIC_RELEASE);
	chain(forks, id);
	return id;
}

uint32_t forks_get(struct forks *forks, const struct fork_wish *wish)
{
	uint32_t id;

	write_wanted(forks, wish);
	id = find(forks, &forks->wanted);
	if (id == NONE)
		id = make(forks, wish);
	else
		release_branches(forks, &forks->wanted);
	if (id == NONE)
		return NONE;
	forks_steer(forks, id, wish->group, wish->live);
	forks_hold(forks, id);
	return id;
}

static void lead_to(struct sw_fork *fork, uint32_t live)
{
	uint32_t none = fork->n_branches - 1U, buckets = live & ((1U << none) - 1);
	uint32_t branch = buckets ? (uint32_t)__builtin_ctz(buckets) : none;

	__atomic_store_n(&fork->live, branch, __ATOMIC_RELEASE);
}

void forks_steer(struct forks *forks, uint32_t id, const struct group *group, uint32_t live)
{
	uint32_t *was = &forks->states[id].live;

	if (*was == live)
		return;
	if (group->type == GROUP_TYPE_FF)
		lead_to(&forks->memory[id], live);
	else
		group_spread(group, live, *was != UNKNOWN && !(live & ~*was), forks->slots[id].branch);
	epoch_end(forks->epoch);
	*was = live;
}

uint32_t forks_live(const struct forks *forks, uint32_t id)
{
	return forks->states[id].live;
}

/* ---- users ---- */

int forks_hold(struct forks *forks, uint32_t id)
{
	if (!forks_exist(forks, id))
		return -ENOENT;
	forks->n_idle -= !forks->states[id].n_users++;
	return 0;
}

void forks_drop(struct forks *forks, uint32_t id)
{
	assert(forks->states[id].n_users); /* F1 */
	forks->n_idle += !--forks->states[id].n_users;
}

void forks_retire(struct forks *forks, uint32_t id)
{
	if (forks->states[id].retired)
		return;
	unchain(forks, id);
	forks->states[id].retired = true;
}

bool forks_is_retired(const struct forks *forks, uint32_t id)
{
	return forks->states[id].retired;
}

void forks_forget(struct forks *forks, uint32_t id)
{
	struct sw_fork *fork = &forks->memory[id];

	forks_retire(forks, id);
	__atomic_store_n(&fork->kind, SW_FORK_NONE, __ATOMIC_RELEASE);
	forks->n_idle--;
	release_branches(forks, fork);
}

/* ---- adoption ---- */

/* It may be the twin of one that the last daemon had retired. */
void forks_adopt(struct forks *forks, uint32_t id)
{
	const struct sw_fork *fork = &forks->memory[id];
	bool is_twin = find(forks, fork) != NONE;

	forks->states[id].live = UNKNOWN;
	for (int i = 0; i < fork->n_branches; i++) {
		struct program program = program_held_by(&fork->branch[i]);

		program_hold(forks->sets, &program);
	}
	forks->n_idle++;
	chain(forks, id);
	if (is_twin)
		forks_retire(forks, id);
}

void forks_hold_all(struct forks *forks)
{
	for (uint32_t id = 0; id < SW_MAX_FORKS; id++)
		forks->states[id].adopted = !forks_hold(forks, id);
}

void forks_drop_all(struct forks *forks)
{
	for (uint32_t id = 0; id < SW_MAX_FORKS; id++) {
		if (forks->states[id].adopted)
			forks_drop(forks, id);
		forks->states[id].adopted = false;
	}
}

/* ---- views ---- */

bool forks_is_select(const struct forks *forks, uint32_t id)
{
	return id < SW_MAX_FORKS && forks->memory[id].kind == SW_FORK_SELECT;
}

bool forks_any_select(const struct forks *forks)
{
	uint32_t id = 0;

	while (id < SW_MAX_FORKS && !forks_is_select(forks, id))
		id++;
	return id < SW_MAX_FORKS;
}

uint32_t forks_users(const struct forks *forks, uint32_t id)
{
	return id < SW_MAX_FORKS ? forks->states[id].n_users : 0;
}

uint32_t forks_count_idle(const struct forks *forks)
{
	return forks->n_idle;
}

const struct sw_fork *forks_see(const struct forks *forks, uint32_t id)
{
	return &forks->memory[id];
}

struct xlate *forks_scratch(struct forks *forks)
{
	return &forks->scratch;
}
