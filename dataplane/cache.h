/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache.h - what is in the maps: the megaflows, from the daemon's side.
 *
 * What: puts answers of translate() into flow slots and buckets, takes them out when the answer changes or nobody asks
 * any more, and keeps their counters. It is the only writer of flows, buckets, masks and depth.
 *
 * Life of an entry: free -> written -> published (gen even, then the cell) -> cell removed, gen odd -> limbo -> grace
 * period -> counters harvested a last time (S1) -> free. A changed answer is a new slot under the same key: published
 * before the old one is removed, so that no frame misses in between, and the old counters are carried over: in the
 * daemon's own row of flow_stats, so that a flow's count is always the sum of its slot's rows.
 *
 * Which slot: its home or the one beside it (sw_hash_home), where the program finds it at once, if either is vacant;
 * else any. From the moment that its gen is even a flow at home is hit, before a cell names it; M2 and the counters,
 * which begin at zero in every vacant slot, allow for that.
 *
 * Why a masked key is asked: by T2 of pipeline.h an answer holds for every key that agrees in the bits consulted, so
 * the masked key, whose other bits are zero, may speak for all that the entry matches. If the answer comes back under
 * another mask the entry goes, for it may now be too wide; but where the table of masks is full an entry may be put
 * under one that looks at more than the answer did (cache_masks.h), and stays as long as that is so. What the FDB says
 * is no part of an answer (xlate.normal).
 *
 * Invariants: C1, C2, S1 of the design; A1-A4 of bpf/abi.h; and
 * M1 cache_settle() leaves every live entry equal to translate() of its key: all are asked again where
 *    pipeline_version() moved, else those that cache_touch() and cache_touch_overlap() named.
 *    One sort may lag behind, which costs no more than speed: an entry whose frames go up because a rule looks at more
 *    than the key holds does not hear of it when that rule goes. It is asked when one of its frames has come up
 *    (cache_doubt()).
 * M2 An entry is put only if its answer was asked after the last settle began.
 * M3 A slot, a mask, a set, a rewrite or a fork that a program run may still look at is not written again (A2): all of
 * them are held by the slot until its grace period has ended. Safe error: an entry less. Unsafe error: an entry too
 * wide or too old.
 *
 * Counting: an entry is linked to the tallies on its answer's path (cache_links.h), and what is harvested from its slot
 * is credited to them. Not so where its program is "up" alone: then the daemon counts the frames as it carries them
 * out.
 *
 * What stands behind a fork (forks.h) is counted by its branch and credited to the tallies on that; the tallies before
 * it and behind it are the flow's.
 *
 * Limits: SW_MAX_MASKS masks, n_flows slots, four links a slot on average. When one was refused for lack of either, the
 * next sweep makes room: a mask, or an eighth of the slots, those idle longest and then those hit least since the last
 * sweep. Until then the frames take the slow path. The last sixteenth of the slots is for ports that have less than as
 * much, so that nobody is kept out by one that floods the table. When the two buckets of a hash are full, the
 * one idle longest of the flows there makes way at once, if it has been idle for a while. An entry whose frames go up
 * because no set or rewrite could be had is asked again after each sweep that finds it used.
 *
 * Time: CLOCK_BOOTTIME, the caller's. Sweeping is the caller's too, and only while cache_count() is not 0.
 *
 * Adoption: the maps of an adopted datapath are read while the program runs on them, and nothing read is trusted: what
 * a crash left half done is undone. The entries that stand are asked again by the first cache_settle(), which the
 * caller keeps back until every port is there; slots, masks, sets and rewrites that the last daemon gave up in its last
 * moment wait for a grace period too.
 *
 * A bridge that a controller steered has no rules at first in a new daemon. Its adopted entries are held: left as they
 * are, answering as the last daemon's rules did, until cache_let_go() says that its rules are back (R1). That is the
 * one case in which M1 does not hold, and it ends by itself after a while (ofbridges.h). What a port-mod has forbidden
 * a port is no matter of rules: a held entry that comes in by such a port, or goes out by one, is asked like any other.
 * Not so where a link is down: such a port neither gives nor takes frames anyway, and may be back before the rules are.
 *
 * Cost: about 48 bytes of memory a slot beside the maps, all had at creation.
 */
#ifndef DATAPLANE_CACHE_H
#define DATAPLANE_CACHE_H

#include "bpf/abi.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cache;
struct datapath;
struct flow_match;
struct pipeline;
struct sets;
struct tally;
struct xlate;

#define CACHE_IDLE_MS 10000 /* an entry that no frame hit for so long goes */

/*
 * Borrows everything. When the datapath was adopted, its live slots are taken over; see above for when they are asked.
 * NULL: ENOMEM.
 */
struct cache *cache_create(struct datapath *dp, const struct pipeline *pl, struct sets *sets);
/* Bytes that a cache takes for each slot of the flow table, beside the maps. */
size_t cache_bytes_a_slot(void);
/* Live entries stay in the maps. */
void cache_destroy(struct cache *cache);

/*
 * Installs an answer, which must be cacheable (-EINVAL). -EEXIST: an entry of this masked key is there; -ENOSPC: full;
 * -EAGAIN: the program does not parse deep enough for this mask yet. Nothing is lost then but speed.
 */
int cache_put(struct cache *cache, const struct sw_key *key, const struct xlate *xlate, uint64_t now_ns);

/* Brings the maps up to date with every change made so far (M1). Cheap when nothing changed. */
void cache_settle(struct cache *cache, uint64_t now_ns);

/*
 * A port has just gone down: no frame goes any more where a group would not send it now, as far as flows leave that to
 * it (forks.h). The rest is for cache_settle(), which takes longer the more flows there are.
 */
void cache_fail_over(struct cache *cache);

/* Adopted entries of the bridge are not asked until it is let go. */
void cache_hold(struct cache *cache, uint16_t bridge);
void cache_let_go(struct cache *cache, uint16_t bridge);

/* Answers that count for the tally rest on something that changed: the next settle asks them. */
void cache_touch(struct cache *cache, const struct tally *tally);
/*
 * A rule of this match is new in that table: the next settle asks what may meet it. Entries that saw no other table's
 * doing are told apart by their keys, others by the tables that they went through.
 */
void cache_touch_overlap(struct cache *cache, uint16_t bridge, uint8_t table_id, const struct flow_match *match);
/*
 * A frame of this key came up by an entry, by that in `slot` if that is known, and its answer needs no more than the
 * key: if the entry thinks that it does the next settle asks it.
 */
void cache_doubt(struct cache *cache, const struct sw_key *key, uint32_t slot);
/* The tally is about to go: what was counted for it is harvested into it, its entries are touched, and nothing is
 * linked to it any more. */
void cache_unlink(struct cache *cache, struct tally *tally, uint64_t now_ns);
/* Brings the tally up to date, or all. */
void cache_refresh(struct cache *cache, const struct tally *tally, uint64_t now_ns);
void cache_refresh_all(struct cache *cache, uint64_t now_ns);

/*
 * Harvests counters, expires idle entries, reorders masks by hits, makes room. A round is due once a
 * second or so; a large table is swept in slices of a few milliseconds: false: the round is not done, call again soon.
 */
bool cache_sweep(struct cache *cache, uint64_t now_ns);

/*
 * The end of a grace period: the limbo of before it is harvested and freed, in slices: false: the rest is for
 * cache_reclaim(), soon, until that says true.
 */
bool cache_grace_ended(struct cache *cache, uint64_t now_ns);
bool cache_reclaim(struct cache *cache, uint64_t now_ns);

/* Removes every entry. */
void cache_flush(struct cache *cache);
uint32_t cache_count(const struct cache *cache);
/* Whether there is an entry that matches this key: where the program does not find it something is wrong. */
bool cache_has(const struct cache *cache, const struct sw_key *key);
uint32_t cache_mask_count(const struct cache *cache);

/* What the cache did since it was created. */
struct cache_totals {
	uint64_t packets, bytes; /* counted by flows, dead ones too, as far as harvested (S1) */
	uint64_t put;            /* entries installed */
	uint64_t refused;        /* for lack of a slot, a mask, a cell or depth */
	uint64_t asked;          /* again by cache_settle() */
	uint64_t replaced;       /* of them: got other steps */
	uint64_t withdrawn;      /* of them: removed */
	uint64_t expired;        /* idle */
	uint64_t evicted;        /* to make room */
	uint64_t narrow;         /* of those installed: under a mask that looks at more than theirs would */
	uint64_t lacking;        /* of those installed: their frames go up for want of a set, a rewrite or the like */
};
const struct cache_totals *cache_totals(const struct cache *cache);

/* One megaflow, for people. Borrowed for the duration of the call. */
struct cache_view {
	uint32_t slot;
	const struct sw_key *key, *mask;
	const struct sw_step *steps;
	uint8_t n_steps;
	const char *why;         /* its frames go up; NULL: the program can do it */
	uint64_t packets, bytes; /* since it was put, over all its slots and daemons */
	uint64_t age_ns;
	uint64_t idle_ns; /* to the precision of a sweep */
};
void cache_each(
	struct cache *cache, uint64_t now_ns, void (*each)(void *ctx, const struct cache_view *view), void *ctx);

#endif
