/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/cache.h"

#include "bpf/hash.h"
#include "dataplane/cache_parts.h"
#include "dataplane/copies.h"
#include "dataplane/datapath.h"
#include "dataplane/epoch.h"
#include "dataplane/meter_slots.h"
#include "dataplane/forks.h"
#include "dataplane/program.h"
#include "dataplane/sets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define IFINDEX_BITS  UINT32_MAX
#define RECLAIM_SLICE 4096   /* slots: about a millisecond */
#define ETH_SVLAN     0x88a8 /* of whose frames OpenFlow sees another type, tag and layer 3 (flow.h) */

/* ---- life ---- */

static int allocate(struct cache *cache)
{
	cache->entries = calloc(cache->n_slots, sizeof(*cache->entries));
	cache->vacant = calloc(cache->n_slots, sizeof(*cache->vacant));
	cache->limbo = calloc(cache->n_slots, sizeof(*cache->limbo));
	cache->live = calloc((cache->n_slots + 63) / 64, sizeof(*cache->live));
	cache->dirty = calloc(cache->n_slots, sizeof(*cache->dirty));
	cache->seen_passed = calloc(cache->n_slots, sizeof(*cache->seen_passed));
	if (links_init(&cache->links, cache->n_slots, CACHE_BRANCHES) ||
		sieve_init(&cache->sieve, cache->memory, cache->dp->adopted))
		return -ENOMEM;
	return cache->entries && cache->live && cache->vacant && cache->limbo && cache->dirty && cache->seen_passed
		       ? 0
		       : -ENOMEM;
}

size_t cache_bytes_a_slot(void)
{
	const struct cache *c = NULL;

	return sizeof(*c->entries) + sizeof(*c->vacant) + sizeof(*c->limbo) + sizeof(*c->dirty) +
	       sizeof(*c->seen_passed) + sizeof(*c->live) / 64 + links_bytes_a_slot() + sieve_bytes_a_slot();
}

static void vacate(struct cache *cache, uint32_t slot)
{
	cache->entries[slot].state = ENTRY_VACANT;
	cache->entries[slot].vacant_at = cache->n_vacant;
	cache->vacant[cache->n_vacant++] = slot;
}

/* No slot is live, and the first to be used is slot 0. An even gen is the mark of a live one, so 0 will not do. */
static void begin_empty(struct cache *cache)
{
	for (uint32_t slot = 0; slot < cache->n_slots; slot++) {
		cache->flows[slot].gen |= 1;
		vacate(cache, cache->n_slots - 1 - slot);
	}
}

struct cache *cache_create(struct datapath *dp, const struct pipeline *pl, struct sets *sets)
{
	struct cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return NULL;
	cache->dp = dp;
	cache->config = dp->memory.config;
	cache->flows = dp->memory.flows;
	cache->memory = &dp->memory;
	cache->stopped = dp->memory.stopped;
	cache->pl = pl;
	cache->sets = sets;
	cache->forks = sets_forks(sets);
	cache->n_slots = cache->config->n_flows;
	cache->version = pipeline_version(pl);
	cache->index = (struct flow_index){dp->memory.buckets, cache->flows, cache->config->n_buckets};
	masks_init(&cache->masks, cache->config, dp->adopted);
	if (allocate(cache))
		goto failed;
	cache_forks_init(cache);
	if (!dp->adopted)
		begin_empty(cache);
	else if (cache_adopt(cache))
		goto failed;
	return cache;

failed:
	cache_destroy(cache);
	return NULL;
}

void cache_destroy(struct cache *cache)
{
	free(cache->entries);
	free(cache->live);
	free(cache->vacant);
	free(cache->limbo);
	free(cache->dirty);
	free(cache->seen_passed);
	links_fini(&cache->links);
	sieve_fini(&cache->sieve);
	free(cache);
}

/* ---- slots ---- */

uint32_t cache_live_from(const struct cache *cache, uint32_t slot)
{
	uint32_t n_words = (cache->n_slots + 63) / 64, i = slot / 64;
	uint64_t word;

	if (slot >= cache->n_slots)
		return cache->n_slots;
	for (word = cache->live[i] & ~0ULL << slot % 64; !word; word = cache->live[i]) {
		if (++i == n_words)
			return cache->n_slots;
	}
	return i * 64 + __builtin_ctzll(word);
}

void cache_live_add(struct cache *cache, uint32_t slot)
{
	cache->live[slot / 64] |= 1ULL << slot % 64;
	cache->n_live++;
	cache->n_live_of[cache->flows[slot].in_port % SW_MAX_PORTS]++;
}

static void live_remove(struct cache *cache, uint32_t slot)
{
	cache->live[slot / 64] &= ~(1ULL << slot % 64);
	cache->n_live--;
	cache->n_live_of[cache->flows[slot].in_port % SW_MAX_PORTS]--;
}

static uint32_t take_vacant(struct cache *cache, uint32_t slot)
{
	uint32_t at = cache->entries[slot].vacant_at, last = cache->vacant[--cache->n_vacant];

	cache->vacant[at] = last;
	cache->entries[last].vacant_at = at;
	return slot;
}

/* A slot for a flow of this hash: its home if that is vacant, else any. There must be one. */
static uint32_t choose_slot(struct cache *cache, uint64_t hash)
{
	uint32_t home = sw_hash_home(hash, cache->n_slots), neighbour = home ^ 1;

	if (cache->entries[home].state == ENTRY_VACANT)
		return take_vacant(cache, home);
	if (neighbour < cache->n_slots && cache->entries[neighbour].state == ENTRY_VACANT)
		return take_vacant(cache, neighbour);
	return take_vacant(cache, cache->vacant[cache->n_vacant - 1]);
}

/* ---- entries ---- */

uint64_t cache_hash(const struct cache *cache, uint32_t slot)
{
	return sw_hash_masked(cache->config, &cache->flows[slot].key, cache->flows[slot].mask);
}

/* What a slot is to hold. */
struct flow_body {
	uint16_t mask, in_port, bridge;
	const struct sw_key *key; /* masked */
	const struct program *program;
	uint64_t put_ns;
};

/* Writes a vacant slot and makes it live; no cell names it yet. */
static void publish(struct cache *cache, uint32_t slot, const struct flow_body *body)
{
	struct sw_flow *flow = &cache->flows[slot];

	if (sieve_is_crowded(&cache->sieve, cache->n_live))
		sieve_renew(&cache->sieve, cache->live, cache->n_slots, cache->n_live);
	sieve_add(&cache->sieve, slot, body->mask, body->key);
	flow->mask = body->mask;
	flow->n_steps = body->program->n_steps;
	flow->flags = body->program->flags;
	flow->floods = body->program->floods;
	flow->in_port = body->in_port;
	flow->bridge = body->bridge;
	flow->domain = program_domain(body->program->steps, cache->config->seed, body->bridge);
	flow->key = *body->key;
	memcpy(flow->steps, body->program->steps, body->program->n_steps * sizeof(flow->steps[0]));
	flow->cookie = body->put_ns;
	__atomic_store_n(&flow->gen, flow->gen + 1, __ATOMIC_RELEASE);
}

static void set_plain(struct cache *cache, uint32_t slot, bool plain)
{
	struct entry *entry = &cache->entries[slot];

	cache->n_unplain += entry->plain;
	cache->n_unplain -= plain;
	entry->plain = plain;
}

static const char *why_up(const struct entry *entry, const struct sw_flow *flow, const struct xlate *answer)
{
	if (answer->in_daemon)
		return answer->in_daemon;
	if (flow->steps[flow->n_steps - 1].op != SW_OP_UPCALL)
		return NULL;
	if (entry->lacks)
		return "there are no more sets of ports, rewrites, lists of copies or forks to be had, or not yet";
	return "a port takes frames from the daemon only, or the kernel cannot give each port its own tag";
}

/* The operation after i that is the entry's own: those of branches are their fork's. */
static uint32_t next_op(const struct entry *entry, const struct xlate *answer, uint32_t i)
{
	uint32_t behind;

	if (entry->fork == SW_MAX_FORKS || i != answer->fork)
		return i + 1;
	branch_span(answer, answer->n_branches - 1, &behind, &behind);
	return behind;
}

/* Links the entry to what its answer rests on. There must be room. */
static void link_path(struct cache *cache, uint32_t slot, const struct xlate *answer, uint64_t now_ns)
{
	struct entry *entry = &cache->entries[slot];
	bool behind = false;

	for (uint32_t i = 0; i < answer->n_ops; i = next_op(entry, answer, i)) {
		behind |= answer->ops[i].type == XOP_METER;
		if (answer->ops[i].type == XOP_COUNT)
			links_add(&cache->links, slot, answer->ops[i].tally, behind);
	}
	if (entry->fork != SW_MAX_FORKS)
		cache_fork_link(cache, entry->fork, answer, now_ns);
	entry->credits = cache->flows[slot].steps[0].op != SW_OP_UPCALL;
	entry->why = why_up(entry, &cache->flows[slot], answer);
	set_plain(cache, slot, answer->plain && cache->flows[slot].key.f.eth_type_be != htons(ETH_SVLAN));
	entry->tables = answer->tables;
	entry->stuck = answer->needs_frame;
}

static bool has_links(struct cache *cache, uint32_t n)
{
	bool has = links_have_room(&cache->links, n);

	cache->links_wanted |= !has;
	return has;
}

static bool has_links_for(struct cache *cache, const struct xlate *answer)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < answer->n_ops; i++)
		n += answer->ops[i].type == XOP_COUNT;
	return has_links(cache, n);
}

struct program cache_held(const struct cache *cache, uint32_t slot)
{
	const struct entry *entry = &cache->entries[slot];

	return (struct program){.set = entry->set,
		.rewrite = entry->rewrite,
		.copies = entry->copies,
		.meter = entry->meter,
		.fork = entry->fork};
}

/* The daemon's side of a slot that was just published. */
static void enter(struct cache *cache, uint32_t slot, const struct program *program)
{
	cache->entries[slot] = (struct entry){.state = ENTRY_LIVE,
		.set = program->set,
		.rewrite = program->rewrite,
		.copies = program->copies,
		.lacks = program->lacks,
		.meter = program->meter,
		.fork = program->fork,
		.plain = true};
	masks_hold(&cache->masks, cache->flows[slot].mask);
	cache_live_add(cache, slot);
}

void cache_limbo_add(struct cache *cache, uint32_t slot)
{
	cache->entries[slot].state = ENTRY_LIMBO;
	cache->limbo[(cache->limbo_head + cache->n_limbo++) & (cache->n_slots - 1)] = slot;
}

/* A live slot that no cell names any more dies. */
static void bury(struct cache *cache, uint32_t slot, uint32_t heir)
{
	struct entry *entry = &cache->entries[slot];
	struct sw_flow *flow = &cache->flows[slot];

	__atomic_store_n(&flow->gen, flow->gen + 1, __ATOMIC_RELEASE);
	epoch_end(&cache->config->epoch);
	masks_drop(&cache->masks, flow->mask);
	entry->heir = heir;
	set_plain(cache, slot, true);
	live_remove(cache, slot);
	cache_limbo_add(cache, slot);
}

void cache_remove(struct cache *cache, uint32_t slot)
{
	index_remove(&cache->index, cache_hash(cache, slot), slot);
	bury(cache, slot, INDEX_NONE);
}

/* Moves on with the old slot's links: what is still counted there is credited by them. */
static void copy_links(struct cache *cache, uint32_t from, uint32_t to)
{
	for (uint32_t at = cache->links.first[from]; at; at = cache->links.pool[at].next_of_slot)
		links_add(&cache->links, to, cache->links.pool[at].tally, cache->links.pool[at].behind);
	cache->entries[to].credits = cache->entries[from].credits;
	cache->entries[to].why = cache->entries[from].why;
	set_plain(cache, to, cache->entries[from].plain);
	cache->entries[to].tables = cache->entries[from].tables;
	cache->entries[to].stuck = cache->entries[from].stuck;
	cache->entries[to].lacks = cache->entries[from].lacks;
	cache->entries[to].adopted = cache->entries[from].adopted;
	if (cache->entries[from].dirty)
		cache_mark(cache, to);
}

static uint32_t count_links(const struct cache *cache, uint32_t slot)
{
	uint32_t n = 0;

	for (uint32_t at = cache->links.first[slot]; at; at = cache->links.pool[at].next_of_slot)
		n++;
	return n;
}

/*
 * Gives the entry another slot, with this program; takes over what `program` holds. `answer` NULL: it is the same one
 * as before. false: it had to go instead.
 */
static bool replace(
	struct cache *cache, uint32_t slot, const struct program *program, const struct xlate *answer, uint64_t now_ns)
{
	const struct sw_flow *flow = &cache->flows[slot];
	struct flow_body body = {flow->mask, flow->in_port, flow->bridge, &flow->key, program, flow->cookie};
	uint64_t hash = cache_hash(cache, slot);
	uint32_t fresh;

	if (!cache->n_vacant || !(answer ? has_links_for(cache, answer) : has_links(cache, count_links(cache, slot)))) {
		cache->slots_wanted = true;
		program_release(cache->sets, program);
		cache_remove(cache, slot);
		return false;
	}
	fresh = choose_slot(cache, hash);
	publish(cache, fresh, &body);
	enter(cache, fresh, program);
	cache->entries[fresh].narrow = cache->entries[slot].narrow;
	if (answer)
		link_path(cache, fresh, answer, now_ns);
	else
		copy_links(cache, slot, fresh);
	cache_carry(cache, slot, fresh);
	index_replace(&cache->index, hash, slot, fresh);
	bury(cache, slot, fresh);
	return true;
}

static bool is_vacant(const struct cache *cache, uint32_t slot)
{
	return slot < cache->n_slots && cache->entries[slot].state == ENTRY_VACANT;
}

void cache_go_home(struct cache *cache, uint32_t slot)
{
	const struct sw_flow *flow = &cache->flows[slot];
	uint32_t home = sw_hash_home(cache_hash(cache, slot), cache->n_slots);
	struct program same = cache_held(cache, slot);

	if (slot == home || slot == (home ^ 1) || (!is_vacant(cache, home) && !is_vacant(cache, home ^ 1)))
		return;
	if (!program_hold(cache->sets, &same))
		return;
	same.n_steps = flow->n_steps;
	same.flags = flow->flags;
	same.floods = flow->floods;
	memcpy(same.steps, flow->steps, sizeof(same.steps));
	replace(cache, slot, &same, NULL, 0);
}

static int refuse(struct cache *cache, int error)
{
	cache->totals.refused++;
	return error;
}

static int put_masked(
	struct cache *cache, const struct sw_key *key, uint16_t mask, const struct xlate *xlate, uint64_t now_ns)
{
	uint64_t hash = sw_hash_masked(cache->config, key, mask);
	struct program program;
	uint32_t slot;

	if (index_find(&cache->index, hash, mask, key) != INDEX_NONE)
		return -EEXIST;
	if (!cache_has_slot_for(cache, xlate->in_port) || !has_links_for(cache, xlate)) {
		cache->slots_wanted = true;
		return refuse(cache, -ENOSPC);
	}
	if (!index_has_room(&cache->index, hash) && !cache_evict_rival(cache, hash, now_ns))
		return refuse(cache, -ENOSPC);
	slot = choose_slot(cache, hash);
	program_compile(cache->sets, cache->pl, key, xlate, &program);
	if (forks_is_select(cache->forks, program.fork))
		masks_deepen(&cache->masks);
	publish(cache, slot, &(struct flow_body){mask, xlate->in_port, xlate->bridge, key, &program, now_ns});
	enter(cache, slot, &program);
	link_path(cache, slot, xlate, now_ns);
	cache->entries[slot].used_ns = now_ns;
	cache->entries[slot].narrow = !key_equal(&cache->config->masks[mask].bits, &xlate->mask);
	cache->totals.narrow += cache->entries[slot].narrow;
	cache->totals.lacking += program.lacks;
	index_insert(&cache->index, hash, slot);
	cache->totals.put++;
	return 0;
}

int cache_put(struct cache *cache, const struct sw_key *key, const struct xlate *xlate, uint64_t now_ns)
{
	struct sw_key masked;
	uint16_t mask;
	int error;

	if (!xlate->cacheable || !xlate->in_port || xlate->mask.f.in_ifindex != IFINDEX_BITS)
		return -EINVAL;
	error = masks_get(&cache->masks, &xlate->mask, xlate->in_port, &mask);
	if (error) {
		refuse(cache, error);
	} else {
		masked = key_masked(key, &cache->config->masks[mask].bits);
		error = put_masked(cache, &masked, mask, xlate, now_ns);
	}
	cache_grace_begin(cache);
	return error;
}

void cache_flush(struct cache *cache)
{
	cache_for_each_live(cache, slot) cache_remove(cache, slot);
	cache_grace_begin(cache);
}

/* ---- grace periods ---- */

static bool wants_grace(const struct cache *cache)
{
	return cache->n_limbo || cache->holds_adopted_sets || masks_want_grace(&cache->masks) ||
	       copies_want_grace(sets_copies(cache->sets)) || sets_want_grace(cache->sets);
}

void cache_grace_begin(struct cache *cache)
{
	if (cache->grace_running || !wants_grace(cache))
		return;
	cache->grace_running = true;
	cache->n_closing = cache->n_limbo;
	masks_grace_began(&cache->masks);
	copies_grace_began(sets_copies(cache->sets));
	sets_grace_began(cache->sets);
	cache->dp->ops->grace(cache->dp);
}

static void reclaim(struct cache *cache, uint64_t now_ns)
{
	uint32_t slot = cache->limbo[cache->limbo_head];
	const struct program held = cache_held(cache, slot);

	cache->limbo_head = (cache->limbo_head + 1) & (cache->n_slots - 1);
	cache->n_limbo--;
	cache_harvest_last(cache, slot, now_ns);
	program_release(cache->sets, &held);
	vacate(cache, slot);
}

static void drop_adopted_sets(struct cache *cache)
{
	if (!cache->holds_adopted_sets)
		return;
	cache->holds_adopted_sets = false;
	sets_drop_all(cache->sets);
	forks_drop_all(cache->forks);
}

static void mark_lacking(struct cache *cache)
{
	cache_for_each_live(cache, slot)
	{
		if (cache->entries[slot].lacks)
			cache_mark(cache, slot);
	}
}

bool cache_grace_ended(struct cache *cache, uint64_t now_ns)
{
	cache->grace_over = cache->grace_running;
	return cache_reclaim(cache, now_ns);
}

bool cache_reclaim(struct cache *cache, uint64_t now_ns)
{
	if (!cache->grace_over)
		return true;
	for (uint32_t n = 0; cache->n_closing && n < RECLAIM_SLICE; n++, cache->n_closing--)
		reclaim(cache, now_ns);
	if (cache->n_closing)
		return false;
	cache->grace_running = cache->grace_over = false;
	masks_grace_ended(&cache->masks);
	if (copies_grace_ended(sets_copies(cache->sets)) | sets_grace_ended(cache->sets))
		mark_lacking(cache);
	drop_adopted_sets(cache); /* held since before the first one began */
	cache_forks_reap(cache, now_ns);
	cache_grace_begin(cache);
	return true;
}

/* ---- settling ---- */

static void withdraw(struct cache *cache, uint32_t slot)
{
	cache->totals.withdrawn++;
	cache_remove(cache, slot);
}

/*
 * Whether the answer's mask allows for that of the entry. One that is narrow for want of masks may be so, until its own
 * can be had.
 */
static bool may_keep_mask(const struct cache *cache, uint32_t slot)
{
	const struct sw_key *bits = &cache->config->masks[cache->flows[slot].mask].bits;

	if (!cache->entries[slot].narrow)
		return key_equal(&cache->answer.mask, bits);
	return mask_covers(bits, &cache->answer.mask) && masks_full(&cache->masks);
}

/* Whether an entry of the same key and mask can give the new answer. */
static bool may_stay(const struct cache *cache, uint32_t slot)
{
	const struct sw_flow *flow = &cache->flows[slot];
	const struct xlate *answer = &cache->answer;

	return answer->cacheable && answer->in_port == flow->in_port && answer->bridge == flow->bridge &&
	       may_keep_mask(cache, slot);
}

/* What was counted so far was counted under the old answer. */
static void ask(struct cache *cache, uint32_t slot, uint64_t now_ns)
{
	const struct sw_flow *flow = &cache->flows[slot];
	struct entry *entry = &cache->entries[slot];
	const struct xlate *answer = &cache->answer;
	struct program program;

	entry->dirty = false;
	if (cache_is_held(cache, slot))
		return;
	entry->adopted = false;
	entry->active |= cache_harvest(cache, slot, now_ns) > 0;
	cache->totals.asked++;
	translate(cache->pl, &flow->key, NULL, &cache->answer);
	if (!may_stay(cache, slot)) {
		withdraw(cache, slot);
		return;
	}
	program_compile(cache->sets, cache->pl, &flow->key, answer, &program);
	if (!program_is_of(&program, flow)) {
		cache->totals.replaced += replace(cache, slot, &program, answer, now_ns);
		return;
	}
	program_release(cache->sets, &program);
	entry->lacks = program.lacks;
	links_drop_slot(&cache->links, slot);
	if (has_links_for(cache, answer))
		link_path(cache, slot, answer, now_ns);
	else
		withdraw(cache, slot);
}

static void ask_dirty(struct cache *cache, uint64_t now_ns)
{
	for (uint32_t i = 0; i < cache->n_dirty; i++) {
		uint32_t slot = cache->dirty[i];

		if (cache->entries[slot].state == ENTRY_LIVE && cache->entries[slot].dirty)
			ask(cache, slot, now_ns);
	}
	cache->n_dirty = 0;
}

void cache_settle(struct cache *cache, uint64_t now_ns)
{
	if (cache->held)
		cache_note_shut(cache);
	if (cache->version != pipeline_version(cache->pl))
		cache_fail_over(cache);
	cache_forks_mark(cache);
	if (cache->ask_all || cache->version != pipeline_version(cache->pl)) {
		cache->ask_all = false;
		cache->version = pipeline_version(cache->pl);
		cache->n_dirty = 0;
		cache_for_each_live(cache, slot) /* replacements among them, once more */
			ask(cache, slot, now_ns);
	}
	ask_dirty(cache, now_ns);
	cache_forks_reap(cache, now_ns);
	cache_grace_begin(cache);
}

/* ---- views ---- */

uint32_t cache_count(const struct cache *cache)
{
	return cache->n_live;
}

uint32_t cache_mask_count(const struct cache *cache)
{
	return masks_count(&cache->masks);
}

const struct cache_totals *cache_totals(const struct cache *cache)
{
	return &cache->totals;
}
