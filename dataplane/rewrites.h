/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rewrites.h - what the program's REWRITE steps do to frames, each known by a small number.
 *
 * What: a list of OpenFlow actions as the program carries it out (struct sw_rewrite of bpf/abi.h), in map `rewrites`.
 * Equal lists share an id, and ids are counted (pool.h). The map itself is the record of what there is, which a
 * daemon's death leaves alone.
 *
 * Which actions: all that rewrite. A list is for the daemon that is longer than SW_MAX_EDITS, or by which a frame could
 * grow or shrink by more than SW_MAX_PUSHED.
 *
 * Invariants
 * E1 A rewrite is written while nobody holds it, its n_edits last; it is given away only then. Whoever let a program
 *    run on it drops it after the grace period that ends that program's last run (A2 of bpf/abi.h).
 * E2 Two ids never have the same edits (P2 of pool.h).
 * E3 What the program makes of a frame is what rewrite_apply() makes of it, action by action; or the frame goes up as
 *    it came.
 * Safe error: no rewrite (the frames take the slow path). Unsafe error: one that other frames were promised.
 *
 * Ownership: borrows the memory. No allocation after rewrites_create(). One thread.
 */
#ifndef DATAPLANE_REWRITES_H
#define DATAPLANE_REWRITES_H

#include "bpf/abi.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct action;
struct rewrites;

/* Whether the program can carry these actions out. */
bool rewrite_is_fast(const struct action *const *actions, uint32_t n);
/* Whether it may begin with them and find that a frame is none for it (SW_LOOK_UNDO). */
bool rewrite_may_undo(const struct action *const *actions, uint32_t n);
/* What the program reads; false: it cannot, or n is 0. */
bool rewrite_compile(const struct action *const *actions, uint32_t n, struct sw_rewrite *ret);

/* Takes over what is in memory (SW_MAX_REWRITES of them), none of it held; what contradicts itself goes. NULL: ENOMEM.
 */
struct rewrites *rewrites_create(struct sw_rewrite *memory, uint64_t seed);
/* The rewrites stay where they are, for the next daemon. Accepts NULL. */
void rewrites_destroy(struct rewrites *rewrites);

/* Finds or makes it, and holds it. Its id, or SW_MAX_REWRITES: none could be had. */
uint32_t rewrites_get(struct rewrites *rewrites, const struct action *const *actions, uint32_t n);
/* One more user. -ENOENT: there is none of that id. */
int rewrites_hold(struct rewrites *rewrites, uint32_t id);
/* One user less; see E1 for when. */
void rewrites_drop(struct rewrites *rewrites, uint32_t id);
/*
 * One more user for each that there is, and one less for those: for the time in which a program run may still look at
 * what an earlier daemon gave up.
 */
void rewrites_hold_all(struct rewrites *rewrites);
void rewrites_drop_all(struct rewrites *rewrites);

bool rewrites_exist(const struct rewrites *rewrites, uint32_t id);
uint32_t rewrites_users(const struct rewrites *rewrites, uint32_t id);
/* Adds to `all` what must be known of a frame before this one: then it says it for both. */
void rewrites_join(const struct rewrites *rewrites, uint32_t id, struct sw_rewrite *all);
/* "set_field:02:00:00:00:00:01->eth_dst,dec_ttl"; sizes as in actions_format(). */
size_t rewrites_format(const struct rewrites *rewrites, uint32_t id, char *text, size_t size);

#endif
