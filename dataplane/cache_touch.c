/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/cache.h"

#include "dataplane/cache_parts.h"

/* Each live slot stands in the list once; one that was vacated and used again meanwhile is asked for nothing. */
void cache_mark(struct cache *cache, uint32_t slot)
{
	struct entry *entry = &cache->entries[slot];

	if (entry->state != ENTRY_LIVE || entry->dirty)
		return;
	if (cache->n_dirty == cache->n_slots) {
		cache->ask_all = true;
		return;
	}
	entry->dirty = true;
	cache->dirty[cache->n_dirty++] = slot;
}

void cache_touch(struct cache *cache, const struct tally *tally)
{
	for (uint32_t at = tally->links; at; at = cache->links.pool[at].next_of_tally)
		cache_mark(cache, cache->links.pool[at].slot);
}

/* Whether one key could match both the entry and the rule, as far as the program's words say. The port is no part. */
static bool may_meet(const struct sw_key *key, const struct sw_key *mask, const struct flow_match *match)
{
	const struct sw_key port = {.f.in_ifindex = UINT32_MAX};

	for (int w = 0; w < FLOW_FAST_WORDS; w++) {
		uint64_t common = mask->w[w] & match->mask.w[w] & ~port.w[w];

		if ((key->w[w] ^ match->key.w[w]) & common)
			return false;
	}
	return true;
}

/*
 * What a table saw of a frame with an 802.1ad tag, or that was rewritten before, is not what the key says: such entries
 * are told apart by the table alone.
 */
static bool may_concern(const struct cache *cache, uint32_t slot, uint8_t table_id, const struct flow_match *match)
{
	const struct entry *entry = &cache->entries[slot];
	const struct sw_flow *flow = &cache->flows[slot];

	if (!(entry->tables >> table_id % 64 & 1))
		return false;
	if (!entry->plain || flow->key.f.eth_type_be == __builtin_bswap16(0x88a8))
		return true;
	return may_meet(&flow->key, &cache->config->masks[flow->mask].bits, match);
}

void cache_touch_overlap(struct cache *cache, uint16_t bridge, uint8_t table_id, const struct flow_match *match)
{
	cache_for_each_live(cache, slot)
	{
		if (cache->flows[slot].bridge == bridge && may_concern(cache, slot, table_id, match))
			cache_mark(cache, slot);
	}
}

void cache_refresh(struct cache *cache, const struct tally *tally, uint64_t now_ns)
{
	for (uint32_t at = tally->links; at; at = cache->links.pool[at].next_of_tally) {
		uint32_t slot = cache->links.pool[at].slot;

		cache->entries[slot].active |= cache_harvest(cache, slot, now_ns) > 0;
	}
}

void cache_refresh_all(struct cache *cache, uint64_t now_ns)
{
	cache_for_each_live(cache, slot) cache->entries[slot].active |= cache_harvest(cache, slot, now_ns) > 0;
}

void cache_unlink(struct cache *cache, struct tally *tally, uint64_t now_ns)
{
	cache_refresh(cache, tally, now_ns);
	cache_touch(cache, tally);
	links_drop_tally(&cache->links, tally);
}
