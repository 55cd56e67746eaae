/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * forks.h - the programs between which a group chooses, each list of them known by a small number.
 *
 * What: a fork is a program for each bucket of a fast-failover or select group, one for when none is live, and what
 * says which of them a frame takes: one word, or a table by the frame's hash. A flow behind such a group has one step,
 * which names the fork. So when a port goes down one word is written for each group, or the slots of the table that led
 * there, whatever the number of flows; and a select group needs no flow for each connection. Forks that are alike share
 * an id, and ids are counted, as those of flood sets are (sets.h). The map itself is the record of what there is, which
 * a daemon's death leaves alone.
 *
 * Whose fork: that of one group as it is now. When the group changes, or one behind a bucket of it, the fork is
 * retired: it serves its flows until they have been asked again, and no other gets it. The cache, which links the
 * branches with the tallies behind them (cache_forks.c), says when.
 *
 * Invariants
 * F1 A fork is written while nobody holds it, its kind last, and given away only then, by forks_forget(). From then on
 *    `live` or the table alone changes. Whoever let a program run on it drops it after the grace period that ends that
 * program's last run (A2 of bpf/abi.h). F2 A fork holds the sets and the rewrites of its branches. F3 Two ids that are
 * not retired never have the same group, path and branches. F4 What a branch says is right whenever it is taken,
 * whatever the state of the port that its bucket alone watches. Safe error: no fork (the frames take the slow path).
 * Unsafe error: frames in a branch that is not live for longer than it takes to hear of it.
 *
 * Ownership: borrows the datapath and the sets. No allocation after forks_create(). One thread.
 */
#ifndef DATAPLANE_FORKS_H
#define DATAPLANE_FORKS_H

#include "bpf/abi.h"

#include <stdbool.h>
#include <stdint.h>

struct datapath;
struct forks;
struct group;
struct program;
struct sets;
struct xlate;

/* What is in memory stays; see forks_adopt(). NULL: ENOMEM. */
struct forks *forks_create(struct datapath *dp, struct sets *sets);
/* The forks stay where they are, for the next daemon. Accepts NULL. */
void forks_destroy(struct forks *forks);

/* Takes over one that an earlier daemon left, with what its branches hold, itself not held. */
void forks_adopt(struct forks *forks, uint32_t id);
/*
 * One more user for each that there is, and one less for those: for the time in which a program run may still look at
 * what an earlier daemon gave up.
 */
void forks_hold_all(struct forks *forks);
void forks_drop_all(struct forks *forks);

struct fork_wish {
	uint16_t bridge;
	const struct group *group;
	uint32_t live; /* bit i: bucket i is live */
	uint64_t path; /* a hash of what stands behind the branches to be counted: forks of other paths are others */
	uint32_t n;    /* branches, the last for when no bucket is live */
	const struct program *branches;
};
/* Finds or makes it, and holds it; what the branches hold is the fork's then. SW_MAX_FORKS: none could be had. */
uint32_t forks_get(struct forks *forks, const struct fork_wish *wish);
/* One more user. -ENOENT: there is none of that id. */
int forks_hold(struct forks *forks, uint32_t id);
/* One user less; see F1 for when. It stays until forks_forget(). */
void forks_drop(struct forks *forks, uint32_t id);
/* Nobody holds it. */
void forks_forget(struct forks *forks, uint32_t id);
/* No other flow is to get it. */
void forks_retire(struct forks *forks, uint32_t id);
bool forks_is_retired(const struct forks *forks, uint32_t id);

/* Frames take the branches of these buckets alone, as the group, whose fork it is, has it. */
void forks_steer(struct forks *forks, uint32_t id, const struct group *group, uint32_t live);
uint32_t forks_live(const struct forks *forks, uint32_t id);

bool forks_exist(const struct forks *forks, uint32_t id);
/* It hashes a frame's whole key. */
bool forks_is_select(const struct forks *forks, uint32_t id);
bool forks_any_select(const struct forks *forks);
uint32_t forks_users(const struct forks *forks, uint32_t id);
uint32_t forks_count_idle(const struct forks *forks); /* that exist, and nobody holds */
const struct sw_fork *forks_see(const struct forks *forks, uint32_t id);
/* An answer for whoever compiles branches; it is large. */
struct xlate *forks_scratch(struct forks *forks);

#endif
