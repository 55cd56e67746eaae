/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/cache.h"

#include "dataplane/cache_parts.h"
#include "dataplane/datapath.h"
#include "dataplane/epoch.h"
#include "dataplane/forks.h"

#define NS_A_MS     1000000ULL
#define SWEEP_SLICE 32768 /* live entries: at most 2.5 ms */
#define GOING_COST  8     /* of one that is removed, in entries that stay */

/* ---- counters ---- */

static struct sw_flow_stats *row_of(const struct cache *cache, uint32_t row, uint32_t slot)
{
	return dp_flow_stats(cache->memory, row, slot);
}

/* Of a dead slot too: it says so until it is written again. */
static bool is_metered(const struct cache *cache, uint32_t slot)
{
	return cache->flows[slot].steps[0].op == SW_OP_METER;
}

/* Of a metered entry what its meter let go on. */
static uint64_t sum_row_packets(const struct cache *cache, uint32_t slot)
{
	uint64_t sum = 0;

	for (uint32_t row = 0; row < cache->config->n_rows; row++)
		sum += __atomic_load_n(&row_of(cache, row, slot)->packets, __ATOMIC_RELAXED);
	return sum;
}

static uint64_t sum_row_bytes(const struct cache *cache, uint32_t slot)
{
	uint64_t sum = 0;

	for (uint32_t row = 0; row < cache->config->n_rows; row++)
		sum += __atomic_load_n(&row_of(cache, row, slot)->bytes, __ATOMIC_RELAXED);
	return sum;
}

/* What came. Both terms only rise, so whatever is read in between, a later sum is not less. */
static uint64_t sum_packets(const struct cache *cache, uint32_t slot)
{
	uint64_t sum = sum_row_packets(cache, slot);

	return is_metered(cache, slot) ? sum + __atomic_load_n(&cache->stopped[slot].packets, __ATOMIC_RELAXED) : sum;
}

static uint64_t sum_bytes(const struct cache *cache, uint32_t slot)
{
	uint64_t sum = sum_row_bytes(cache, slot);

	return is_metered(cache, slot) ? sum + __atomic_load_n(&cache->stopped[slot].bytes, __ATOMIC_RELAXED) : sum;
}

/* Returns how many are new. */
static uint64_t take_bytes(struct cache *cache, uint32_t slot)
{
	uint64_t bytes = sum_bytes(cache, slot), n = bytes - cache->entries[slot].seen_bytes;

	cache->totals.bytes += n;
	cache->entries[slot].seen_bytes = bytes;
	return n;
}

static struct sw_flow_stats *own_row(const struct cache *cache, uint32_t slot)
{
	return row_of(cache, cache->config->n_rows - 1, slot);
}

/* For the sake of who looks at the entry: nobody is credited with it, behind its meter either. */
static void own_row_add(struct cache *cache, uint32_t slot, uint64_t packets, uint64_t bytes)
{
	struct sw_flow_stats *own = own_row(cache, slot);

	__atomic_store_n(&own->packets, own->packets + packets, __ATOMIC_RELAXED);
	__atomic_store_n(&own->bytes, own->bytes + bytes, __ATOMIC_RELAXED);
	cache->entries[slot].seen_packets += packets;
	cache->entries[slot].seen_bytes += bytes;
	cache->seen_passed[slot].packets += packets;
	cache->seen_passed[slot].bytes += bytes;
}

/*
 * The live entry that stands for this dead one now, or INDEX_NONE. An heir dies after its ancestor and limbo is left in
 * order of death, so that no slot of the line has been used again yet.
 */
static uint32_t heir_of(const struct cache *cache, uint32_t slot)
{
	uint32_t heir = cache->entries[slot].heir;

	while (heir != INDEX_NONE && cache->entries[heir].state != ENTRY_LIVE)
		heir = cache->entries[heir].heir;
	return heir;
}

/* To the tallies of the slot, and of one in limbo to the entry that has taken its place. */
static void credit(struct cache *cache, uint32_t slot, uint64_t packets, uint64_t bytes, uint64_t now_ns)
{
	uint32_t heir;

	if (!packets && !bytes)
		return;
	if (cache->entries[slot].credits)
		links_credit(&cache->links, slot, false, packets, bytes, now_ns);
	if (cache->entries[slot].state != ENTRY_LIMBO)
		return;
	heir = heir_of(cache, slot);
	if (heir != INDEX_NONE)
		own_row_add(cache, heir, packets, bytes);
}

/* What the slot's meter has let go on is credited to whoever stands behind that. */
static void harvest_passed(struct cache *cache, uint32_t slot, uint64_t now_ns)
{
	struct sw_flow_stats *seen = &cache->seen_passed[slot], fresh;
	struct sw_flow_stats sum = {sum_row_packets(cache, slot), sum_row_bytes(cache, slot)};

	fresh = (struct sw_flow_stats){sum.packets - seen->packets, sum.bytes - seen->bytes};
	*seen = sum;
	if (fresh.packets || fresh.bytes)
		links_credit(&cache->links, slot, true, fresh.packets, fresh.bytes, now_ns);
}

/* The program counts packets first, so the bytes of its last frame may come with the next harvest. */
uint64_t cache_harvest(struct cache *cache, uint32_t slot, uint64_t now_ns)
{
	struct entry *entry = &cache->entries[slot];
	uint64_t packets, n;

	if (is_metered(cache, slot)) /* first, so that no more are seen to have come through than came */
		harvest_passed(cache, slot, now_ns);
	packets = sum_packets(cache, slot);
	n = packets - entry->seen_packets;
	if (!n)
		return 0;
	entry->seen_packets = packets;
	cache->totals.packets += n;
	cache->masks.hits[cache->flows[slot].mask % SW_MAX_MASKS] += n; /* an adopted dead slot may say anything */
	credit(cache, slot, n, take_bytes(cache, slot), now_ns);
	return n;
}

void cache_carry(struct cache *cache, uint32_t old, uint32_t fresh)
{
	const struct entry *from = &cache->entries[old];

	own_row_add(cache, fresh, from->seen_packets, from->seen_bytes);
	cache->entries[fresh].used_ns = from->used_ns;
	cache->entries[fresh].recent = from->recent;
	cache->entries[fresh].active = from->active;
}

void cache_harvest_last(struct cache *cache, uint32_t slot, uint64_t now_ns)
{
	cache_harvest(cache, slot, now_ns);
	credit(cache, slot, 0, take_bytes(cache, slot), now_ns);
	links_drop_slot(&cache->links, slot);
	for (uint32_t row = 0; row < cache->config->n_rows; row++)
		*row_of(cache, row, slot) = (struct sw_flow_stats){0};
	if (is_metered(cache, slot))
		cache->stopped[slot] = (struct sw_flow_stats){0};
	cache->seen_passed[slot] = (struct sw_flow_stats){0};
}

bool cache_is_fresh(const struct cache *cache, uint32_t slot)
{
	return sum_packets(cache, slot) != cache->entries[slot].seen_packets;
}

/* ---- sweeping ---- */

/* Returns its cost. */
static uint32_t sweep_one(struct cache *cache, uint32_t slot, uint64_t now_ns)
{
	struct entry *entry = &cache->entries[slot];
	uint64_t n = cache_harvest(cache, slot, now_ns);

	entry->recent = n < UINT32_MAX ? n : UINT32_MAX;
	if (n || entry->active || !entry->used_ns)
		entry->used_ns = now_ns;
	entry->active = false;
	if (now_ns > entry->used_ns && now_ns - entry->used_ns > CACHE_IDLE_MS * NS_A_MS) {
		cache->totals.expired++;
		cache_remove(cache, slot);
		return GOING_COST;
	}
	cache_room_rank(cache, slot, now_ns);
	if (!n)
		return 1;
	if (entry->lacks || (entry->narrow && !masks_full(&cache->masks))) /* what it lacks may be had by now */
		cache_mark(cache, slot);
	cache_go_home(cache, slot);
	return 1;
}

/* Returns whether every entry has been swept. */
static bool sweep_some(struct cache *cache, uint64_t now_ns)
{
	uint32_t slot = cache_live_from(cache, cache->swept), n = 0;

	while (slot < cache->n_slots && n < SWEEP_SLICE) {
		n += sweep_one(cache, slot, now_ns);
		slot = cache_live_from(cache, slot + 1);
	}
	cache->swept = slot < cache->n_slots ? slot : 0;
	return !cache->swept;
}

bool cache_sweep(struct cache *cache, uint64_t now_ns)
{
	bool done = cache->room.under_way;

	if (!done) {
		done = sweep_some(cache, now_ns);
		if (done)
			cache_room_begin(cache, now_ns);
	}
	done = done && cache_room_make(cache);
	if (done) {
		if (forks_any_select(cache->forks))
			masks_deepen(&cache->masks);
		masks_sweep(&cache->masks);
		if (sieve_is_oversized(&cache->sieve, cache->n_live))
			sieve_renew(&cache->sieve, cache->live, cache->n_slots, cache->n_live);
		epoch_renew(cache->memory);
	}
	cache_grace_begin(cache);
	return done;
}

/* ---- views ---- */

static void view_of(const struct cache *cache, uint32_t slot, uint64_t now_ns, struct cache_view *ret)
{
	const struct sw_flow *flow = &cache->flows[slot];
	const struct entry *entry = &cache->entries[slot];
	uint64_t used_ns = entry->used_ns ? entry->used_ns : flow->cookie;

	*ret = (struct cache_view){
		.slot = slot,
		.key = &flow->key,
		.mask = &cache->config->masks[flow->mask].bits,
		.steps = flow->steps,
		.n_steps = flow->n_steps,
		.why = entry->why,
		.packets = sum_packets(cache, slot),
		.bytes = sum_bytes(cache, slot),
		.age_ns = now_ns > flow->cookie ? now_ns - flow->cookie : 0,
		.idle_ns = now_ns > used_ns ? now_ns - used_ns : 0,
	};
	if (ret->packets != entry->seen_packets || entry->active)
		ret->idle_ns = 0;
}

void cache_each(struct cache *cache, uint64_t now_ns, void (*each)(void *ctx, const struct cache_view *view), void *ctx)
{
	struct cache_view view;

	cache_for_each_live(cache, slot)
	{
		view_of(cache, slot, now_ns, &view);
		each(ctx, &view);
	}
}
