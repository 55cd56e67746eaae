/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/cache.h"

#include "bpf/hash.h"
#include "dataplane/cache_parts.h"
#include "dataplane/forks.h"
#include "dataplane/ofbridge.h"

#include <string.h>

/* Each live slot stands in the list once; one that was vacated and used again meanwhile is asked for nothing. */
void cache_mark(struct cache *cache, uint32_t slot)
{
	struct entry *entry = &cache->entries[slot];

	if (slot >= cache->n_slots) {
		cache_branch_touch(cache, slot);
		return;
	}
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

/*
 * A frame with an 802.1ad tag has a VLAN for a rule, and none in the program's key, where the type alone tells it from
 * an untagged one. NORMAL looks at the tag and not at the type: among the frames of a flow without a VLAN are such.
 */
static bool hides_service_tags(const struct sw_key *key, const struct sw_key *mask)
{
	return !mask->f.eth_type_be && mask->f.vlan_tci_be && !key->f.vlan_tci_be;
}

/* Whether one key could match both the entry and the rule, as far as the program's words say. The port is no part. */
static bool may_meet(const struct sw_key *key, const struct sw_key *mask, const struct flow_match *match)
{
	struct sw_key apart = {.f.in_ifindex = UINT32_MAX};

	if (hides_service_tags(key, mask))
		apart.f.vlan_tci_be = UINT16_MAX;
	for (int w = 0; w < FLOW_FAST_WORDS; w++) {
		uint64_t common = mask->w[w] & match->mask.w[w] & ~apart.w[w];

		if ((key->w[w] ^ match->key.w[w]) & common)
			return false;
	}
	return true;
}

/* What a table saw of a frame that was rewritten before is not what the key says: there the table alone tells. */
static bool may_concern(const struct cache *cache, uint32_t slot, uint8_t table_id, const struct flow_match *match)
{
	const struct entry *entry = &cache->entries[slot];
	const struct sw_flow *flow = &cache->flows[slot];

	if (!(entry->tables >> table_id % 64 & 1))
		return false;
	return !entry->plain || may_meet(&flow->key, &cache->config->masks[flow->mask].bits, match);
}

/* Whether the mask looks at nothing but the port that the rule's does not look at too. */
static bool is_within(const struct sw_key *bits, const struct flow_match *match)
{
	const struct sw_key port = {.f.in_ifindex = UINT32_MAX};

	for (int w = 0; w < FLOW_FAST_WORDS; w++) {
		if (bits->w[w] & ~match->mask.w[w] & ~port.w[w])
			return false;
	}
	return true;
}

static void mark_key(struct cache *cache, uint16_t bridge, uint16_t mask_id, struct sw_key key)
{
	const struct port *port = NULL;
	uint32_t slot;

	while ((port = pipeline_next_port(cache->pl, port ? port->id : 0))) {
		if (port->bridge != bridge || !port->ifindex)
			continue;
		key.f.in_ifindex = port->ifindex;
		slot = index_find(&cache->index, sw_hash_masked(cache->config, &key, mask_id), mask_id, &key);
		if (slot != INDEX_NONE)
			cache_mark(cache, slot);
	}
}

/*
 * Under a mask that is within the rule's, the rule can meet one entry for each port: that of its own key, and perhaps
 * that of frames whose tag the key does not show.
 */
static void mark_by_key(struct cache *cache, uint16_t bridge, uint16_t mask_id, const struct flow_match *match)
{
	const struct sw_mask *mask = &cache->config->masks[mask_id];
	struct sw_key key = key_masked(&match->key.fast, &mask->bits), hiding = key;

	mark_key(cache, bridge, mask_id, key);
	hiding.f.vlan_tci_be = 0;
	if (key.f.vlan_tci_be && hides_service_tags(&hiding, &mask->bits))
		mark_key(cache, bridge, mask_id, hiding);
}

#define PROBE_COST 8 /* of looking an entry up, in entries looked at one after the other */

void cache_touch_overlap(struct cache *cache, uint16_t bridge, uint8_t table_id, const struct flow_match *match)
{
	bool by_key = !cache->n_unplain && pipeline_bridge(cache->pl, bridge)->n_ports * PROBE_COST < cache->n_live;
	uint64_t left = cache->masks.live;

	for (uint16_t id = 0; by_key && id < SW_MAX_MASKS; id++) {
		if (!(left >> id & 1) || !is_within(&cache->config->masks[id].bits, match))
			continue;
		mark_by_key(cache, bridge, id, match);
		left &= ~(1ULL << id);
	}
	if (!left)
		return;
	cache_for_each_live(cache, slot)
	{
		if (left >> cache->flows[slot].mask & 1 && cache->flows[slot].bridge == bridge &&
			may_concern(cache, slot, table_id, match))
			cache_mark(cache, slot);
	}
}

void cache_hold(struct cache *cache, uint16_t bridge)
{
	cache->held |= 1ULL << bridge;
}

void cache_let_go(struct cache *cache, uint16_t bridge)
{
	cache->held &= ~(1ULL << bridge);
	cache_for_each_live(cache, slot)
	{
		if (cache->entries[slot].adopted && cache->flows[slot].bridge == bridge)
			cache_mark(cache, slot);
	}
}

void cache_note_shut(struct cache *cache)
{
	const struct port *port = NULL;

	memset(&cache->shut, 0, sizeof(cache->shut));
	cache->any_shut = false;
	while ((port = pipeline_next_port(cache->pl, port ? port->id : 0))) {
		if (!(port->of_config & (OF_PORT_CONFIG_DOWN | OF_PORT_CONFIG_NO_FWD)))
			continue;
		port_set_add(&cache->shut, port->id);
		cache->any_shut = true;
	}
}

static bool has_a_shut_port(const struct cache *cache, uint32_t set)
{
	for (uint16_t word = 0; word < SW_MAX_PORTS / 64; word++) {
		for (uint64_t left = cache->shut.bits[word]; left; left &= left - 1) {
			if (sets_contain(cache->sets, set, (uint16_t)(word * 64 + __builtin_ctzll(left))))
				return true;
		}
	}
	return false;
}

static bool branches_obey(const struct cache *cache, uint32_t fork);

/* NORMAL looks its one port up, and finds none that is shut: the FDB's cells are written anew when a port changes. */
static bool obeys(const struct cache *cache, const struct sw_step *step)
{
	switch (step->op) {
	case SW_OP_OUTPUT:
		return !port_set_has(&cache->shut, step->arg % SW_MAX_PORTS);
	case SW_OP_BROADCAST:
		return !has_a_shut_port(cache, step->arg);
	case SW_OP_FORK:
		return branches_obey(cache, step->arg);
	case SW_OP_NORMAL:
	case SW_OP_REWRITE:
	case SW_OP_VLAN_PUSH:
	case SW_OP_VLAN_POP:
	case SW_OP_VLAN_SET:
	case SW_OP_UPCALL:
	case SW_OP_DROP:
	case SW_OP_METER:
	case SW_OP_TELL:
		return true;
	default: /* whoever adds an operation may have it lead to ports */
		return !cache->any_shut;
	}
}

static bool branches_obey(const struct cache *cache, uint32_t fork)
{
	const struct sw_fork *see = forks_see(cache->forks, fork);

	for (uint8_t i = 0; forks_exist(cache->forks, fork) && i < see->n_branches; i++) {
		const struct sw_flow *branch = &see->branch[i];

		if (!obeys(cache, &branch->steps[branch->n_steps - 1]))
			return false;
	}
	return true;
}

bool cache_is_held(const struct cache *cache, uint32_t slot)
{
	const struct sw_flow *flow = &cache->flows[slot];
	const struct port *in;

	if (!cache->entries[slot].adopted || !(cache->held >> flow->bridge % SW_MAX_BRIDGES & 1))
		return false;
	in = pipeline_port(cache->pl, flow->in_port);
	if (!in || in->of_config & (OF_PORT_CONFIG_DOWN | OF_PORT_CONFIG_NO_RECV))
		return false;
	for (uint8_t i = 0; i < flow->n_steps; i++) {
		if (!obeys(cache, &flow->steps[i]))
			return false;
	}
	return true;
}

static bool is_hit_by(const struct cache *cache, uint32_t slot, const struct sw_key *key)
{
	const struct sw_flow *flow = &cache->flows[slot];
	struct sw_key masked;

	if (slot >= cache->n_slots || cache->entries[slot].state != ENTRY_LIVE)
		return false;
	masked = key_masked(key, &cache->config->masks[flow->mask].bits);
	return key_equal(&masked, &flow->key);
}

static void mark_stuck(struct cache *cache, uint32_t slot)
{
	if (cache->entries[slot].stuck)
		cache_mark(cache, slot);
}

/* The entry of this mask that matches the key, or INDEX_NONE. */
static uint32_t find_under(const struct cache *cache, uint16_t mask, const struct sw_key *key)
{
	struct sw_key masked = key_masked(key, &cache->config->masks[mask].bits);

	if (!(cache->masks.live >> mask & 1))
		return INDEX_NONE;
	return index_find(&cache->index, sw_hash_masked(cache->config, &masked, mask), mask, &masked);
}

void cache_doubt(struct cache *cache, const struct sw_key *key, uint32_t slot)
{
	if (is_hit_by(cache, slot, key)) {
		mark_stuck(cache, slot);
		return;
	}
	for (uint16_t id = 0; id < SW_MAX_MASKS; id++) {
		slot = find_under(cache, id, key);
		if (slot != INDEX_NONE)
			mark_stuck(cache, slot);
	}
}

bool cache_has(const struct cache *cache, const struct sw_key *key)
{
	for (uint16_t id = 0; id < SW_MAX_MASKS; id++) {
		if (find_under(cache, id, key) != INDEX_NONE)
			return true;
	}
	return false;
}

void cache_refresh(struct cache *cache, const struct tally *tally, uint64_t now_ns)
{
	for (uint32_t at = tally->links; at; at = cache->links.pool[at].next_of_tally) {
		uint32_t slot = cache->links.pool[at].slot;

		if (slot >= cache->n_slots)
			cache_branch_harvest(cache, slot, now_ns);
		else
			cache->entries[slot].active |= cache_harvest(cache, slot, now_ns) > 0;
	}
}

void cache_refresh_all(struct cache *cache, uint64_t now_ns)
{
	cache_for_each_live(cache, slot) cache->entries[slot].active |= cache_harvest(cache, slot, now_ns) > 0;
	for (uint32_t slot = cache->n_slots; slot < cache->n_slots + CACHE_BRANCHES; slot++)
		cache_branch_harvest(cache, slot, now_ns);
}

void cache_unlink(struct cache *cache, struct tally *tally, uint64_t now_ns)
{
	cache_refresh(cache, tally, now_ns);
	cache_touch(cache, tally);
	for (uint32_t at = tally->links; at; at = cache->links.pool[at].next_of_tally) {
		if (cache->links.pool[at].slot >= cache->n_slots)
			cache_branch_retire(cache, cache->links.pool[at].slot);
	}
	links_drop_tally(&cache->links, tally);
}
