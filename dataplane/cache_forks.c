/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What stands behind forks (forks.h): who is credited with what a branch counted, which flows are asked again when that
 * changes, and where the forks lead.
 */
#include "dataplane/cache.h"

#include "dataplane/cache_parts.h"
#include "dataplane/datapath.h"
#include "dataplane/forks.h"
#include "dataplane/group.h"

/* ---- counters ---- */

static uint32_t slot_of(const struct cache *cache, uint32_t fork, uint32_t branch)
{
	return cache->n_slots + fork * SW_MAX_BRANCHES + branch;
}

static uint32_t fork_of(const struct cache *cache, uint32_t slot)
{
	return (slot - cache->n_slots) / SW_MAX_BRANCHES;
}

static struct sw_flow_stats sum(const struct cache *cache, uint32_t fork, uint32_t branch)
{
	struct sw_flow_stats sum = {0};

	for (uint32_t row = 0; row < cache->config->n_rows; row++) {
		const struct sw_flow_stats *stats =
			&cache->dp->memory.fork_stats[((size_t)row * SW_MAX_FORKS + fork) * SW_MAX_BRANCHES + branch];

		sum.packets += __atomic_load_n(&stats->packets, __ATOMIC_RELAXED);
		sum.bytes += __atomic_load_n(&stats->bytes, __ATOMIC_RELAXED);
	}
	return sum;
}

/* Counters are never set back: what a branch counts from now on is what its next fork counts. */
void cache_branch_harvest(struct cache *cache, uint32_t slot, uint64_t now_ns)
{
	uint32_t fork = fork_of(cache, slot), branch = (slot - cache->n_slots) % SW_MAX_BRANCHES;
	struct fork_entry *entry = &cache->fork_entries[fork];
	struct sw_flow_stats stats;

	if (!forks_exist(cache->forks, fork))
		return;
	stats = sum(cache, fork, branch);
	if (stats.packets == entry->seen_packets[branch] && stats.bytes == entry->seen_bytes[branch])
		return;
	links_credit(&cache->links, slot, false, stats.packets - entry->seen_packets[branch],
		stats.bytes - entry->seen_bytes[branch], now_ns);
	entry->seen_packets[branch] = stats.packets;
	entry->seen_bytes[branch] = stats.bytes;
}

static void harvest(struct cache *cache, uint32_t fork, uint64_t now_ns)
{
	for (uint32_t branch = 0; branch < SW_MAX_BRANCHES; branch++)
		cache_branch_harvest(cache, slot_of(cache, fork, branch), now_ns);
}

void cache_forks_init(struct cache *cache)
{
	for (uint32_t fork = 0; fork < SW_MAX_FORKS; fork++) {
		struct fork_entry *entry = &cache->fork_entries[fork];

		for (uint32_t branch = 0; branch < SW_MAX_BRANCHES; branch++) {
			struct sw_flow_stats stats = sum(cache, fork, branch);

			entry->seen_packets[branch] = stats.packets;
			entry->seen_bytes[branch] = stats.bytes;
		}
	}
}

void cache_forks_adopt(struct cache *cache, const bool judged[SW_MAX_FORKS])
{
	for (uint32_t fork = 0; fork < SW_MAX_FORKS; fork++) {
		if (judged[fork])
			forks_adopt(cache->forks, fork);
		cache->fork_entries[fork].adopted = judged[fork];
	}
}

/* ---- links ---- */

static void link_branch(struct cache *cache, uint32_t fork, uint32_t branch, const struct xlate *answer)
{
	uint32_t from, to;

	branch_span(answer, branch, &from, &to);
	for (uint32_t i = from; i < to; i++) {
		if (answer->ops[i].type == XOP_COUNT)
			links_add(&cache->links, slot_of(cache, fork, branch), answer->ops[i].tally, false);
	}
}

/* What an earlier daemon's has counted before it is linked is nobody's, as that of its flows. */
void cache_fork_link(struct cache *cache, uint32_t fork, const struct xlate *answer, uint64_t now_ns)
{
	struct fork_entry *entry = &cache->fork_entries[fork];

	if (entry->linked)
		return;
	if (entry->adopted)
		harvest(cache, fork, now_ns);
	entry->adopted = false;
	entry->linked = true;
	for (uint32_t branch = 0; branch < answer->n_branches; branch++)
		link_branch(cache, fork, branch, answer);
}

void cache_branch_touch(struct cache *cache, uint32_t slot)
{
	cache->fork_entries[fork_of(cache, slot)].dirty = true;
	cache->forks_dirty = true;
}

/* A tally behind it goes. */
void cache_branch_retire(struct cache *cache, uint32_t slot)
{
	forks_retire(cache->forks, fork_of(cache, slot));
}

/* One walk, however many forks were touched. */
void cache_forks_mark(struct cache *cache)
{
	if (!cache->forks_dirty)
		return;
	cache_for_each_live(cache, slot)
	{
		uint16_t fork = cache->entries[slot].fork;

		if (fork != SW_MAX_FORKS && cache->fork_entries[fork].dirty)
			cache_mark(cache, slot);
	}
	for (uint32_t fork = 0; fork < SW_MAX_FORKS; fork++)
		cache->fork_entries[fork].dirty = false;
	cache->forks_dirty = false;
}

/* ---- where they lead ---- */

/* The group whose fork it is; NULL: it is one that an earlier daemon had, or that has changed. */
static const struct group *group_of(const struct cache *cache, uint32_t fork, const struct bridge **ret_bridge)
{
	const struct sw_fork *see = forks_see(cache->forks, fork);

	if (!cache->fork_entries[fork].linked || forks_is_retired(cache->forks, fork))
		return NULL;
	*ret_bridge = pipeline_bridge(cache->pl, see->bridge);
	return *ret_bridge ? groups_find((*ret_bridge)->groups, see->group) : NULL;
}

/*
 * From what has died to what was live before as well, if there is any. What has come to life may have branches that are
 * not asked again yet: asking its flows leads the fork there (forks_get()).
 */
static void fail_over(struct cache *cache, uint32_t fork)
{
	const struct bridge *bridge;
	const struct group *group = group_of(cache, fork, &bridge);
	uint32_t was = forks_live(cache->forks, fork), is;

	if (!group)
		return;
	is = group_live_buckets(bridge->groups, group);
	if (was & ~is)
		forks_steer(cache->forks, fork, group, was & is ? was & is : is);
}

/* A failover is one store; to spread a select group over what is left may take a third of a millisecond. */
void cache_fail_over(struct cache *cache)
{
	for (int is_select = 0; is_select < 2; is_select++) {
		for (uint32_t fork = 0; fork < SW_MAX_FORKS; fork++) {
			if (forks_exist(cache->forks, fork) && forks_is_select(cache->forks, fork) == is_select)
				fail_over(cache, fork);
		}
	}
}

/* ---- the end ---- */

static void reap(struct cache *cache, uint32_t fork, uint64_t now_ns)
{
	struct fork_entry *entry = &cache->fork_entries[fork];

	harvest(cache, fork, now_ns);
	for (uint32_t branch = 0; branch < SW_MAX_BRANCHES; branch++)
		links_drop_slot(&cache->links, slot_of(cache, fork, branch));
	entry->linked = entry->adopted = entry->dirty = false;
	forks_forget(cache->forks, fork);
}

void cache_forks_reap(struct cache *cache, uint64_t now_ns)
{
	for (uint32_t fork = 0; forks_count_idle(cache->forks) && fork < SW_MAX_FORKS; fork++) {
		if (forks_exist(cache->forks, fork) && !forks_users(cache->forks, fork))
			reap(cache, fork, now_ns);
	}
}
