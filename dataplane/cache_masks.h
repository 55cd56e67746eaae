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
	uint32_t n_shallow_sweeps; /* in a row that found no deep mask */
	bool wanted;               /* one was refused since the last sweep */
	uint64_t hits[SW_MAX_MASKS];
};

/* Begins with an empty table; that of an adopted datapath is left for masks_adopt(). */
void masks_init(struct masks *masks, struct sw_config *config, bool adopted);
/*
 * Takes over what config holds, given the live flows of each mask in n_flows[]: repairs the order, counts anew. A mask
 * without flows is in limbo.
 */
void masks_adopt(struct masks *masks, const uint32_t n_flows[SW_MAX_MASKS]);

/*
 * The id of a mask of these bits; it is nobody's until masks_hold(). 0; -ENOSPC: the table is full; -EAGAIN: the depth
 * is being raised.
 */
int masks_get(struct masks *masks, const struct sw_key *bits, uint16_t *ret);
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
/* The live mask that was hit least of late; only if there is one. */
uint16_t masks_coldest(const struct masks *masks);

uint32_t masks_count(const struct masks *masks);
uint32_t mask_n_words(const struct sw_key *bits);

#endif
