/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache_masks.h - the table of masks: which bits the cached flows look at, in which order they are tried, and how deep
 * a frame must be parsed for them.
 *
 * Life of a mask: free -> written -> live, in `order`, with its first flow -> out of `order` with its last -> limbo ->
 * grace period -> free. One in limbo is unchanged, and comes back to life when it is wanted again.
 *
 * Depth. A program run that parsed to depth d sees zeros in the words beyond, so a flow of a deeper mask that matches
 * zeros there would take frames that are none of its own. Hence a deep mask is refused (-EAGAIN, the frames take the
 * slow path) until the grace period after the depth was raised has ended: then every run parses that deep. Lowering
 * needs no such care of its own: it is done only when no deep mask is live or in limbo, which means that a grace period
 * has passed since the last deep flow died, and a run that parsed deeper than anybody asks loses nothing. Exact-match
 * hints do not mind either way: their place depends on the depth, so after a change a hint is looked for where it is
 * not or one of another frame is found, and a hint is believed only if its flow is live and matches under its own mask.
 *
 * No more masks than there are. An access list of a few rules has thousands of them, and whoever may send to it can
 * have them all made. When the table is full a flow is put under a mask of others that looks at all that its own does,
 * and at more: it is narrower then than it need be, and as right (C2). If none does, the next sweep gives one up, and
 * its place goes to a mask that looks at whatever any of them does. It is the coldest of the port that has had most of
 * them made, so that others keep theirs. Rejected: refusing such flows, whose frames then take the slow path as long as
 * the table is full: so do those of a port that has done nothing, and had no mask in time.
 *
 * Order. Sorted by the hits of the last sweeps, with some inertia. A reader whose frame's mask is moved under its eyes
 * may miss (C1). A mask that goes is overwritten by the last one, whose own place is left as it was, so that a reader
 * that took n_order before finds it.
 */
#ifndef DATAPLANE_CACHE_MASKS_H
#define DATAPLANE_CACHE_MASKS_H

#include "bpf/abi.h"

#include <stdbool.h>
#include <stdint.h>

enum masks_depth {
	DEPTH_SETTLED, /* every program run parses to config->depth at least */
	DEPTH_RAISED,  /* no grace period has begun since it was raised */
	DEPTH_RISING,  /* one is running */
};

struct masks {
	struct sw_config *config;
	uint64_t live;    /* ids, as a bit map */
	uint64_t limbo;   /* died since the last grace period began */
	uint64_t closing; /* died before the running grace period began */
	enum masks_depth depth;
	uint32_t n_shallow_sweeps;    /* in a row that found no deep mask */
	bool wanted;                  /* one was refused since the last sweep */
	struct sw_key wanted_bits;    /* and what these look at, all together */
	bool gathers;                 /* the next mask that is written looks at what all of them do */
	uint16_t leaving;             /* is being given up, and is nobody's any more; SW_MAX_MASKS: none is */
	uint16_t owner[SW_MAX_MASKS]; /* the port for which it was written */
	uint64_t hits[SW_MAX_MASKS];
};

/* Begins with an empty table; that of an adopted datapath is left for masks_adopt(). */
void masks_init(struct masks *masks, struct sw_config *config, bool adopted);
/*
 * Takes over what config holds, given the live flows of each mask in n_flows[] and the port whose they are: repairs the
 * order, counts anew. A mask without flows is in limbo.
 */
void masks_adopt(struct masks *masks, const uint32_t n_flows[SW_MAX_MASKS], const uint16_t owner[SW_MAX_MASKS]);

/*
 * The id of a mask for a flow of this port that is to look at these bits: of just these, or, where the table is full,
 * of more. It is nobody's until masks_hold(). 0; -ENOSPC: the table is full; -EAGAIN: the depth is being raised.
 */
int masks_get(struct masks *masks, const struct sw_key *bits, uint16_t in_port, uint16_t *ret);
/* No mask can be written now. */
bool masks_full(const struct masks *masks);
void masks_hold(struct masks *masks, uint16_t id);
void masks_drop(struct masks *masks, uint16_t id);

/* Has frames parsed whole, for who looks at their keys without a mask; to be repeated every sweep. */
void masks_deepen(struct masks *masks);

/* Something here waits for a grace period. */
bool masks_want_grace(const struct masks *masks);
void masks_grace_began(struct masks *masks);
void masks_grace_ended(struct masks *masks);

/* Sorts the order by what was added to hits[] and lets old hits fade. */
void masks_sweep(struct masks *masks);
/*
 * Of the port that has most live masks the one that was hit least of late begins to leave: its flows are to be removed.
 * SW_MAX_MASKS: there is none.
 */
uint16_t masks_give_up(struct masks *masks);

uint32_t masks_count(const struct masks *masks);
uint32_t mask_n_words(const struct sw_key *bits);
/* Whether it looks at all of these. */
bool mask_covers(const struct sw_key *mask, const struct sw_key *bits);

#endif
