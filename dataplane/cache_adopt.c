/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taking over the maps that a daemon left which may have died at any instruction, while the program runs on them.
 *
 * First every live slot is judged by itself, then the buckets are walked and lose each cell that does not name a sound
 * flow in its right place, then the flows that no cell names are buried. What a death in the middle leaves is one of:
 * a live slot that no cell names (just published, or its cell just cleared or given to its successor), an n_overflow
 * too high by one, an order that lists a mask twice or one without flows, a deep mask's depth just raised. None of it
 * can have been a wrong answer, and repairing it takes nothing from a sound flow.
 */
#include "dataplane/cache_parts.h"

#include "bpf/hash.h"
#include "dataplane/copies.h"
#include "dataplane/datapath.h"
#include "dataplane/epoch.h"
#include "dataplane/flow.h"
#include "dataplane/forks.h"
#include "dataplane/log.h"
#include "dataplane/meter_slots.h"
#include "dataplane/rewrites.h"
#include "dataplane/sets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct adoption {
	struct cache *cache;
	bool forks[SW_MAX_FORKS]; /* that are sound */
	bool *indexed;            /* by slot: a cell names it */
	uint32_t n_flows[SW_MAX_MASKS];
	uint16_t owner[SW_MAX_MASKS]; /* the port whose flows they are, if those of one are more than half */
	uint32_t lead[SW_MAX_MASKS];  /* of that port so far, over all others */
	uint32_t n_dropped;
};

/* ---- a slot by itself ---- */

static bool is_sane_mask(const struct sw_config *config, uint16_t id)
{
	const struct sw_mask *mask = &config->masks[id];

	if (mask->n_words != mask_n_words(&mask->bits) || mask->bits.f.in_ifindex != UINT32_MAX)
		return false;
	if (mask->n_words > SW_L2_WORDS && config->depth < SW_KEY_WORDS)
		return false;
	for (uint16_t i = 0; i < id; i++) { /* the first of equals is the one that counts */
		if (config->masks[i].n_words == mask->n_words && key_equal(&config->masks[i].bits, &mask->bits))
			return false;
	}
	return true;
}

static bool is_sane_last_step(const struct cache *cache, const struct sw_step *step)
{
	switch (step->op) {
	case SW_OP_OUTPUT:
		return step->arg && step->arg < SW_MAX_PORTS;
	case SW_OP_BROADCAST:
		return sets_exist(cache->sets, step->arg);
	case SW_OP_UPCALL:
	case SW_OP_DROP:
		return true;
	default:
		return false;
	}
}

static bool are_sane_rewritten(const struct cache *cache, const struct sw_flow *flow)
{
	uint8_t first = program_first(flow->steps);
	const struct sw_step *last = &flow->steps[first + 1];

	return flow->n_steps == first + 2 && rewrites_exist(sets_rewrites(cache->sets), flow->steps[first].arg) &&
	       (last->op == SW_OP_OUTPUT || last->op == SW_OP_BROADCAST) && is_sane_last_step(cache, last);
}

/* Somebody, and no mirror beyond all. */
static bool is_sane_telling(uint16_t arg)
{
	uint16_t known = SW_TELL_CONTROLLER | SW_TELL_OUT | SW_TELL_ALL | (SW_MAX_MIRRORS - 1);

	return !(arg & ~known) && arg & (SW_TELL_CONTROLLER | (SW_MAX_MIRRORS - 1));
}

static bool are_sane_steps(const struct cache *cache, const struct sw_flow *flow)
{
	uint8_t first = program_first(flow->steps);
	const struct sw_step *step = &flow->steps[first];

	if (flow->n_steps <= first || flow->n_steps > SW_MAX_STEPS)
		return false;
	if (flow->steps[0].op == SW_OP_METER && !meter_slots_exist(sets_meter_slots(cache->sets), flow->steps[0].arg))
		return false;
	if (first && flow->steps[first - 1].op == SW_OP_TELL && !is_sane_telling(flow->steps[first - 1].arg))
		return false;
	if (flow->floods && (step->op != SW_OP_NORMAL || !is_sane_telling(flow->floods)))
		return false;
	if (step->op == SW_OP_NORMAL && step->arg > 4094)
		return false;
	if (step->op == SW_OP_REWRITE)
		return are_sane_rewritten(cache, flow);
	if (step->op == SW_OP_COPIES)
		return flow->n_steps == first + 1 && copies_exist(sets_copies(cache->sets), step->arg);
	for (uint8_t i = first + (step->op == SW_OP_NORMAL); i < flow->n_steps - 1; i++) {
		uint8_t op = flow->steps[i].op;

		if (op != SW_OP_VLAN_PUSH && op != SW_OP_VLAN_POP && op != SW_OP_VLAN_SET)
			return false;
	}
	return is_sane_last_step(cache, &flow->steps[flow->n_steps - 1]);
}

static bool leads_somewhere(const struct sw_fork *fork, const struct sw_fork_slots *slots)
{
	if (fork->kind == SW_FORK_FAILOVER)
		return fork->live < fork->n_branches;
	for (uint32_t i = 0; i < SW_FORK_SLOTS; i++) {
		if (slots->branch[i] >= fork->n_branches)
			return false;
	}
	return fork->kind == SW_FORK_SELECT;
}

static bool is_sane_fork(const struct cache *cache, uint32_t id)
{
	const struct sw_fork *fork = &cache->dp->memory.forks[id];

	if (fork->kind == SW_FORK_NONE || fork->n_branches < 2 || fork->n_branches > SW_MAX_BRANCHES ||
		!leads_somewhere(fork, &cache->dp->memory.fork_slots[id]))
		return false;
	for (uint8_t i = 0; i < fork->n_branches; i++) {
		const struct sw_step *steps = fork->branch[i].steps;
		uint8_t op = steps[program_first(steps)].op;

		if (op == SW_OP_NORMAL || steps[0].op == SW_OP_METER || op == SW_OP_COPIES ||
			!are_sane_steps(cache, &fork->branch[i]))
			return false;
	}
	return true;
}

static bool are_sound_steps(const struct adoption *a, const struct sw_flow *flow)
{
	const struct sw_step *first = &flow->steps[0];

	if (first->op == SW_OP_FORK)
		return flow->n_steps == 1 && first->arg < SW_MAX_FORKS && a->forks[first->arg];
	return are_sane_steps(a->cache, flow);
}

static bool is_sane(const struct adoption *a, const bool sane_masks[SW_MAX_MASKS], const struct sw_flow *flow)
{
	struct sw_key masked;

	if (flow->mask >= SW_MAX_MASKS || !sane_masks[flow->mask] || !flow->in_port || flow->in_port >= SW_MAX_PORTS ||
		!flow->bridge || flow->bridge >= SW_MAX_BRIDGES)
		return false;
	masked = key_masked(&flow->key, &a->cache->config->masks[flow->mask].bits);
	return key_equal(&masked, &flow->key) && are_sound_steps(a, flow) &&
	       flow->domain == program_domain(flow->steps, a->cache->config->seed, flow->bridge);
}

static void kill_flow(struct adoption *a, uint32_t slot)
{
	struct sw_flow *flow = &a->cache->flows[slot];

	__atomic_store_n(&flow->gen, flow->gen + 1, __ATOMIC_RELEASE);
	epoch_end(&a->cache->config->epoch);
	a->n_dropped++;
}

static bool is_live(const struct adoption *a, uint32_t slot)
{
	return !(a->cache->flows[slot].gen & 1);
}

/*
 * A slot that is dead already, or that no cell will name, dies for good only after its cell is gone; but a slot that is
 * not sane must not wait: a needless miss is better than what it says.
 */
static void judge_slots(struct adoption *a)
{
	bool sane_masks[SW_MAX_MASKS];

	for (uint16_t id = 0; id < SW_MAX_MASKS; id++)
		sane_masks[id] = is_sane_mask(a->cache->config, id);
	for (uint32_t slot = 0; slot < a->cache->n_slots; slot++) {
		if (is_live(a, slot) && !is_sane(a, sane_masks, &a->cache->flows[slot]))
			kill_flow(a, slot);
	}
}

/* ---- forks ---- */

static void judge_forks(struct adoption *a)
{
	for (uint32_t id = 0; id < SW_MAX_FORKS; id++)
		a->forks[id] = is_sane_fork(a->cache, id);
}

/* No flow is left that names one that is not. */
static void enter_forks(struct adoption *a)
{
	for (uint32_t id = 0; id < SW_MAX_FORKS; id++) {
		if (!a->forks[id])
			__atomic_store_n(&a->cache->dp->memory.forks[id].kind, SW_FORK_NONE, __ATOMIC_RELEASE);
	}
	cache_forks_adopt(a->cache, a->forks);
}

/* ---- the buckets ---- */

/* The primary bucket of the flow that a cell of bucket `here` names, or INDEX_NONE if the cell is not in order. */
static uint32_t judge_cell(const struct adoption *a, uint32_t here, __u64 cell)
{
	const struct cache *cache = a->cache;
	uint32_t slot = (uint32_t)cell - 1, tag = cell >> 32, primary;
	uint64_t hash;

	if (slot >= cache->n_slots || !is_live(a, slot) || a->indexed[slot])
		return INDEX_NONE;
	hash = cache_hash(cache, slot);
	primary = sw_hash_primary(hash, cache->index.n_buckets);
	if (sw_hash_tag(hash) != tag ||
		(here != primary && here != sw_hash_alternate(primary, tag, cache->index.n_buckets)))
		return INDEX_NONE;
	return primary;
}

static void walk_bucket(struct adoption *a, uint32_t here, uint32_t *n_overflow)
{
	struct sw_bucket *bucket = &a->cache->index.buckets[here];

	for (int i = 0; i < SW_BUCKET_CELLS; i++) {
		uint32_t primary;

		if (!bucket->cell[i])
			continue;
		primary = judge_cell(a, here, bucket->cell[i]);
		if (primary == INDEX_NONE) {
			__atomic_store_n(&bucket->cell[i], 0, __ATOMIC_RELEASE);
			continue;
		}
		a->indexed[(uint32_t)bucket->cell[i] - 1] = true;
		if (primary != here)
			n_overflow[primary]++;
	}
}

static int walk_buckets(struct adoption *a)
{
	uint32_t n_buckets = a->cache->index.n_buckets;
	uint32_t *n_overflow = calloc(n_buckets, sizeof(*n_overflow));

	if (!n_overflow)
		return -ENOMEM;
	for (uint32_t i = 0; i < n_buckets; i++)
		walk_bucket(a, i, n_overflow);
	for (uint32_t i = 0; i < n_buckets; i++) {
		if (a->cache->index.buckets[i].n_overflow != n_overflow[i])
			__atomic_store_n(&a->cache->index.buckets[i].n_overflow, n_overflow[i], __ATOMIC_RELEASE);
	}
	free(n_overflow);
	return 0;
}

/* Two flows of one masked key: one of them goes, whichever. */
static void judge_twins(struct adoption *a)
{
	for (uint32_t slot = 0; slot < a->cache->n_slots; slot++) {
		const struct sw_flow *flow = &a->cache->flows[slot];
		uint64_t hash;

		if (!is_live(a, slot))
			continue;
		hash = cache_hash(a->cache, slot);
		if (a->indexed[slot] && index_find(&a->cache->index, hash, flow->mask, &flow->key) == slot)
			continue;
		if (a->indexed[slot])
			index_remove(&a->cache->index, hash, slot);
		kill_flow(a, slot);
	}
}

/* ---- entries ---- */

static void hold_all_sets(struct cache *cache)
{
	forks_hold_all(cache->forks);
	sets_hold_all(cache->sets);
	cache->holds_adopted_sets = true;
}

/*
 * For which port a mask was written nobody knows any more. It is taken to be the one's that has most of its flows,
 * found as in any vote for a majority: who has made many masks has hardly any company under them.
 */
static void vote(struct adoption *a, uint16_t mask, uint16_t in_port)
{
	if (!a->lead[mask])
		a->owner[mask] = in_port;
	if (a->owner[mask] == in_port)
		a->lead[mask]++;
	else
		a->lead[mask]--;
}

/* Counts on from what the slot has: only what comes after belongs to our totals. */
static void enter(struct adoption *a, uint32_t slot)
{
	struct cache *cache = a->cache;
	const struct sw_flow *flow = &cache->flows[slot];
	struct entry *entry = &cache->entries[slot];
	const struct program held = program_held_by(flow);

	*entry = (struct entry){.state = ENTRY_LIVE,
		.set = held.set,
		.rewrite = held.rewrite,
		.copies = held.copies,
		.meter = held.meter,
		.fork = held.fork,
		.plain = true,
		.adopted = true};
	program_hold(cache->sets, &held);
	cache_harvest(cache, slot, 0);
	a->n_flows[flow->mask]++;
	vote(a, flow->mask, flow->in_port);
	sieve_note(&cache->sieve, slot, flow->mask, &flow->key);
	cache_live_add(cache, slot);
}

/* What is not live is nobody's, but a run that began under the last daemon may look at it until a grace period ends. */
static void enter_all(struct adoption *a)
{
	struct cache *cache = a->cache;

	for (uint32_t slot = cache->n_slots; slot--;) {
		cache->entries[slot].set = SW_MAX_SETS;
		cache->entries[slot].rewrite = SW_MAX_REWRITES;
		cache->entries[slot].copies = SW_MAX_COPIES;
		cache->entries[slot].fork = SW_MAX_FORKS;
		cache->entries[slot].heir = INDEX_NONE;
		if (!is_live(a, slot))
			cache_limbo_add(cache, slot);
	}
	for (uint32_t slot = 0; slot < cache->n_slots; slot++) {
		if (is_live(a, slot))
			enter(a, slot);
		else
			cache_harvest(cache, slot, 0);
	}
	memset(&cache->totals, 0, sizeof(cache->totals));
	memset(cache->masks.hits, 0, sizeof(cache->masks.hits));
}

int cache_adopt(struct cache *cache)
{
	struct adoption a = {.cache = cache};
	int error;

	a.indexed = calloc(cache->n_slots, sizeof(*a.indexed));
	if (!a.indexed)
		return -ENOMEM;
	judge_forks(&a);
	judge_slots(&a);
	enter_forks(&a);
	error = walk_buckets(&a);
	if (!error) {
		judge_twins(&a);
		hold_all_sets(cache);
		enter_all(&a);
		sieve_renew(&cache->sieve, cache->live, cache->n_slots, cache->n_live);
		masks_adopt(&cache->masks, a.n_flows, a.owner);
		cache->ask_all = true;
		if (a.n_dropped)
			log_info("dropped %u cached flows that a daemon before left unfinished", a.n_dropped);
	}
	free(a.indexed);
	return error;
}
