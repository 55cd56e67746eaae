/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache_parts.h - the cache's own, shared by cache.c (entries), cache_sweep.c (counters and age), cache_room.c (who has
 * to go), cache_adopt.c (what a daemon before this one left) and cache_forks.c (what a group chooses between). See
 * cache.h.
 *
 * An entry has the index of its slot. Slots are in exactly one of {vacant, live, limbo}.
 */
#ifndef DATAPLANE_CACHE_PARTS_H
#define DATAPLANE_CACHE_PARTS_H

#include "dataplane/cache.h"
#include "dataplane/cache_index.h"
#include "dataplane/cache_links.h"
#include "dataplane/cache_masks.h"
#include "dataplane/cache_sieve.h"
#include "dataplane/pipeline.h"
#include "dataplane/program.h"
#include "dataplane/sets.h"

enum entry_state {
	ENTRY_VACANT, /* its counters are zero and nobody looks at it */
	ENTRY_LIVE,
	ENTRY_LIMBO, /* dead, and a program run may still look at it and count on it */
};

struct entry {
	uint64_t seen_packets, seen_bytes; /* sums over the rows, and what was stopped, when last harvested */
	uint64_t used_ns;                  /* of the sweep that last found it used; 0: no sweep has seen it yet */
	union {
		uint32_t heir;      /* limbo: the entry that took its place, or INDEX_NONE */
		uint32_t vacant_at; /* vacant: where in `vacant` its slot stands */
	};
	uint32_t recent;  /* packets between the last two sweeps */
	uint16_t set;     /* that it holds, or SW_MAX_SETS */
	uint16_t rewrite; /* that it holds, or SW_MAX_REWRITES */
	uint16_t meter;   /* slot that it holds; 0: none */
	uint16_t fork;    /* that it holds, or SW_MAX_FORKS */
	uint16_t copies;  /* that it holds, or SW_MAX_COPIES */
	uint8_t state;
	bool active;     /* used since the last sweep, as a settle found */
	bool credits;    /* what its slot counts is its tallies' */
	const char *why; /* as cache_view.why */
	bool plain;      /* every table saw the frame as the program's key has it */
	bool dirty;      /* to be asked by the next settle */
	bool stuck;      /* its frames go up for bytes that the key does not hold (xlate.needs_frame) */
	bool lacks;      /* its frames go up for want of what program.lacks says */
	bool narrow;     /* its mask looks at more than its answer did, for want of masks */
	bool adopted;    /* and not asked yet */
	uint64_t tables; /* as xlate.tables */
};

/* What the cache knows of a fork: how far each branch has been harvested. */
struct fork_entry {
	bool linked; /* its branches are, with what is behind them; else it is new, or an earlier daemon's */
	bool dirty;  /* its flows are to be asked by the next settle */
	bool adopted;
	uint64_t seen_packets[SW_MAX_BRANCHES], seen_bytes[SW_MAX_BRANCHES];
};

#define CACHE_RANKS 128

/* What the round of sweeping that is under way gives up, now that it knows what there is. */
struct room {
	bool under_way;
	uint16_t mask;      /* all of its entries; SW_MAX_MASKS: none is to go */
	uint32_t n;         /* entries that are still to go beside these: those of the lowest ranks, ... */
	uint32_t rank;      /* ... of which this is the highest, ... */
	uint32_t n_of_rank; /* ... and of it so many */
	uint32_t next;      /* slots below have been looked at */
	uint64_t now_ns;    /* by which the ranks are */
};

struct cache {
	struct datapath *dp;
	struct sw_config *config;
	struct sw_flow *flows;
	const struct dp_memory *memory;
	struct sw_flow_stats *stopped;     /* what their meters did not let go on, by slot */
	struct sw_flow_stats *seen_passed; /* of metered entries: sums over the rows when last harvested */
	const struct pipeline *pl;
	struct sets *sets;
	struct forks *forks;

	struct masks masks;
	struct sieve sieve;
	struct flow_index index;
	struct links links;
	uint64_t held;        /* bridges, as a bit map by id: their adopted entries are not asked */
	struct port_set shut; /* ports that a port-mod keeps from sending, as a settle noted that left some held */
	bool any_shut;
	uint32_t *dirty; /* slots to be asked; those that died since among them */
	uint32_t n_dirty;
	bool forks_dirty; /* some of them */
	struct fork_entry fork_entries[SW_MAX_FORKS];
	struct entry *entries;
	uint32_t n_slots;
	uint64_t *live; /* bit map by slot */
	uint32_t n_live;
	uint32_t n_unplain;               /* of them */
	uint32_t n_live_of[SW_MAX_PORTS]; /* of them, by the port that they came in by */

	uint32_t *vacant; /* in no order */
	uint32_t n_vacant;
	uint32_t *limbo; /* a ring, in order of death */
	uint32_t limbo_head, n_limbo;
	uint32_t n_closing; /* of limbo: died before the running grace period began */
	bool grace_running;
	bool grace_over;         /* it has ended, and what it freed is being reclaimed */
	bool holds_adopted_sets; /* until the first grace period has ended: all that an unseen run may look at */

	bool ask_all;     /* whatever the version */
	uint64_t version; /* of the pipeline, that every live entry was asked at */

	uint32_t swept;              /* by the round that is under way: slots below */
	uint32_t ranks[CACHE_RANKS]; /* how many of those are of which rank */
	struct room room;
	bool slots_wanted; /* one was refused since the last sweep */
	bool links_wanted; /* the same of links */
	struct cache_totals totals;
	struct xlate answer; /* reused: it is large */
};

/* The first live slot from this one on; n_slots: none. */
uint32_t cache_live_from(const struct cache *cache, uint32_t slot);
#define cache_for_each_live(cache, slot)                                                                               \
	for (uint32_t slot = cache_live_from(cache, 0); slot < (cache)->n_slots;                                       \
		slot = cache_live_from(cache, slot + 1))
/* An entry begins to be live, in every way but its state. */
void cache_live_add(struct cache *cache, uint32_t slot);

uint64_t cache_hash(const struct cache *cache, uint32_t slot);
/* Takes a live entry out of the maps; its slot is in limbo then. Call cache_grace_begin() when done. */
void cache_remove(struct cache *cache, uint32_t slot);
/*
 * Moves a live entry home if there is room: one that was replaced while its places there were taken. With a flow for
 * each port and VLAN a single one may carry all the traffic there is.
 */
void cache_go_home(struct cache *cache, uint32_t slot);
/* What an entry holds. */
struct program cache_held(const struct cache *cache, uint32_t slot);
/* Starts a grace period if something waits for one and none is running. */
void cache_grace_begin(struct cache *cache);
/* A slot that is dead in the maps begins its wait. */
void cache_limbo_add(struct cache *cache, uint32_t slot);

/* cache_sweep.c: takes in what was counted on the slot since the last time; the packets. */
uint64_t cache_harvest(struct cache *cache, uint32_t slot, uint64_t now_ns);
/*
 * The last harvest of a slot in limbo, which is over: the entry's heir, if there is one, gets it. Zeroes its rows,
 * drops its links.
 */
void cache_harvest_last(struct cache *cache, uint32_t slot, uint64_t now_ns);
/* Its slot has counted what was not harvested. */
bool cache_is_fresh(const struct cache *cache, uint32_t slot);
/* cache_touch.c: asks the entry at the next settle. */
void cache_mark(struct cache *cache, uint32_t slot);
/*
 * Whether an entry is to be left as it is, see cache.h. The ports that are shut are to be noted first, once a settle.
 */
bool cache_is_held(const struct cache *cache, uint32_t slot);
void cache_note_shut(struct cache *cache);
/*
 * cache_forks.c. Branches have links as slots have: branch b of fork f that of number n_slots + f * SW_MAX_BRANCHES +
 * b.
 */
#define CACHE_BRANCHES (SW_MAX_FORKS * SW_MAX_BRANCHES)
void cache_forks_init(struct cache *cache);
/* Those that an earlier daemon left and that hold nothing which is not there. `judged` is of branches by themselves. */
void cache_forks_adopt(struct cache *cache, const bool judged[SW_MAX_FORKS]);
/* Links the branches of an entry's fork, if they are not yet, with what they count for. There must be room. */
void cache_fork_link(struct cache *cache, uint32_t fork, const struct xlate *answer, uint64_t now_ns);
/* `slot` is that of a branch. */
void cache_branch_touch(struct cache *cache, uint32_t slot);
void cache_branch_harvest(struct cache *cache, uint32_t slot, uint64_t now_ns);
void cache_branch_retire(struct cache *cache, uint32_t slot);
/* Flows of forks that were touched are marked. */
void cache_forks_mark(struct cache *cache);
/* Those that nobody holds go. */
void cache_forks_reap(struct cache *cache, uint64_t now_ns);

/* Starts `fresh` with the count of `old`. */
void cache_carry(struct cache *cache, uint32_t old, uint32_t fresh);

/*
 * Whether a flow that comes in by this port may have a slot. The last of them are for ports that have few: who floods
 * the table does not keep others out of it. There is one.
 */
bool cache_has_slot_for(const struct cache *cache, uint16_t in_port);
/*
 * cache_room.c: the sweep notes each entry that it leaves; when it has seen all, it begins to make room, if some is
 * wanted, and goes on with that until it is done (true).
 */
void cache_room_rank(struct cache *cache, uint32_t slot, uint64_t now_ns);
void cache_room_begin(struct cache *cache, uint64_t now_ns);
bool cache_room_make(struct cache *cache);
/* Removes the entry idle longest of those that stand where this hash could; false: none has been idle for long. */
bool cache_evict_rival(struct cache *cache, uint64_t hash, uint64_t now_ns);

/* cache_adopt.c. -ENOMEM. */
int cache_adopt(struct cache *cache);

#endif
