/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache_room.c - which entries are given up where there is no room, and when.
 *
 * At the end of a sweep those that have the lowest ranks go, slice by slice: to take 30,000 entries out at one stroke
 * costs 15 ms, for which a new flow of somebody else would wait. The sweep counts the ranks on its way.
 */
#include "dataplane/cache.h"

#include "dataplane/cache_parts.h"

#include <string.h>

#define NS_A_MS       1000000ULL
#define RIVAL_IDLE_NS (2000 * NS_A_MS)
#define RANK_ACTIVE   64 /* ranks from here on: hit since the last sweep, by the logarithm of how often */
#define RANK_IDLE_NS  (CACHE_IDLE_MS * NS_A_MS / (RANK_ACTIVE - 1))
#define LOOK_SLICE    32768 /* entries looked at in one go, ... */
#define EVICT_SLICE   4096  /* ... and given up: a millisecond or two */
#define RESERVE_SHARE 16    /* of the slots, is kept for ports that have no more than as much */

/* The lower, the sooner it is given up: first by how long it is idle, then by how little it was hit. */
static uint32_t rank_of(const struct entry *entry, uint64_t now_ns)
{
	uint64_t idle = now_ns > entry->used_ns ? (now_ns - entry->used_ns) / RANK_IDLE_NS : 0;

	if (entry->recent)
		return RANK_ACTIVE + 31 - __builtin_clz(entry->recent);
	return idle < RANK_ACTIVE ? RANK_ACTIVE - 1 - idle : 0;
}

static void evict(struct cache *cache, uint32_t slot)
{
	cache->totals.evicted++;
	cache_remove(cache, slot);
}

void cache_room_rank(struct cache *cache, uint32_t slot, uint64_t now_ns)
{
	cache->ranks[rank_of(&cache->entries[slot], now_ns)]++;
}

bool cache_has_slot_for(const struct cache *cache, uint16_t in_port)
{
	const uint32_t share = cache->n_slots / RESERVE_SHARE;

	return cache->n_vacant > share || (cache->n_vacant && cache->n_live_of[in_port % SW_MAX_PORTS] < share);
}

/* How many entries are to go, besides those in limbo, which are free when their grace period has ended. */
static uint32_t wanted(const struct cache *cache)
{
	uint32_t slots = cache->n_slots / RESERVE_SHARE + cache->n_slots / 8 + 1,
		 n_coming = cache->n_vacant + cache->n_limbo;
	uint32_t links = cache->n_live / 8 + 1, n = 0;

	if (cache->slots_wanted && n_coming < slots)
		n = slots - n_coming;
	if (cache->links_wanted && cache->n_limbo + n < links)
		n = links - cache->n_limbo;
	return n;
}

void cache_room_begin(struct cache *cache, uint64_t now_ns)
{
	struct room *room = &cache->room;
	uint32_t below = 0;

	*room = (struct room){.n = wanted(cache), .mask = SW_MAX_MASKS, .now_ns = now_ns};
	if (cache->masks.wanted && masks_count(&cache->masks) == SW_MAX_MASKS)
		room->mask = masks_give_up(&cache->masks);
	while (room->rank < CACHE_RANKS - 1 && below + cache->ranks[room->rank] < room->n)
		below += cache->ranks[room->rank++];
	room->n_of_rank = room->n - below;
	room->under_way = room->n || room->mask != SW_MAX_MASKS;
	memset(cache->ranks, 0, sizeof(cache->ranks));
	cache->slots_wanted = false;
	cache->links_wanted = false;
}

/* It has gone. */
static bool consider(struct cache *cache, uint32_t slot)
{
	struct room *room = &cache->room;
	uint32_t rank;

	if (room->mask != SW_MAX_MASKS && cache->flows[slot].mask == room->mask) {
		evict(cache, slot);
		return true;
	}
	if (!room->n)
		return false;
	rank = rank_of(&cache->entries[slot], room->now_ns);
	if (rank > room->rank || (rank == room->rank && !room->n_of_rank))
		return false;
	room->n_of_rank -= rank == room->rank;
	room->n--;
	evict(cache, slot);
	return true;
}

bool cache_room_make(struct cache *cache)
{
	struct room *room = &cache->room;
	uint32_t slot, n_gone = 0, n = 0;

	if (!room->under_way)
		return true;
	for (slot = cache_live_from(cache, room->next); slot < cache->n_slots; n++) {
		if (n_gone == EVICT_SLICE || n == LOOK_SLICE || (!room->n && room->mask == SW_MAX_MASKS))
			break;
		n_gone += consider(cache, slot);
		slot = cache_live_from(cache, slot + 1);
	}
	room->next = slot;
	room->under_way = slot < cache->n_slots && (room->n || room->mask != SW_MAX_MASKS);
	return !room->under_way;
}

bool cache_evict_rival(struct cache *cache, uint64_t hash, uint64_t now_ns)
{
	uint32_t rivals[2 * SW_BUCKET_CELLS], n = index_rivals(&cache->index, hash, rivals), oldest = INDEX_NONE;

	for (uint32_t i = 0; i < n; i++) {
		const struct entry *entry = &cache->entries[rivals[i]];

		if (entry->active || now_ns < entry->used_ns + RIVAL_IDLE_NS || cache_is_fresh(cache, rivals[i]))
			continue;
		if (oldest == INDEX_NONE || entry->used_ns < cache->entries[oldest].used_ns)
			oldest = rivals[i];
	}
	if (oldest == INDEX_NONE)
		return false;
	evict(cache, oldest);
	return true;
}
