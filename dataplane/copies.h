/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * copies.h - what the program's COPIES steps do to each output's copy of a frame, each list known by a small number.
 *
 * What: the outputs of an answer and what is done to the frame before each (struct sw_copies of bpf/abi.h), in map
 * `copies`. Equal lists share an id, and ids are counted (pool.h). A list holds its flood set and the rewrites of its
 * copies as long as it is there. It goes when its last user does: unlike a set it costs little to make anew, and would
 * keep rewrites from others.
 *
 * Invariants
 * O1 A list is written while nobody holds it, its n_copies last, and whoever let a program run on it drops it after
 *    the grace period that ends that program's last run. That ends the runs of sw_copy too, which may read the list
 *    and its rewrites later than the ingress program did (bpf/each.h).
 * O2 What a copy is rewritten into is what execute.c makes of that output; or the frame goes up as it came.
 * O3 A list is written only when all its ports are followed: from a grace period on, an egress program runs for all
 *    that leaves by them. Asking for a list asks for that; copies_grace_ended() says when it is worth asking again.
 * Safe error: no list (the frames take the slow path). Unsafe error: a copy that is not as its output was promised.
 *
 * Ownership: borrows the datapath and sets. No allocation after copies_create(). One thread.
 */
#ifndef DATAPLANE_COPIES_H
#define DATAPLANE_COPIES_H

#include "bpf/abi.h"

#include <stdbool.h>
#include <stdint.h>

struct copies;
struct datapath;
struct sets;
struct xlate;

/*
 * Takes over what is in the datapath's memory (SW_MAX_COPIES of them), none of it held; what contradicts itself, or the
 * sets and rewrites that there are, goes. NULL: ENOMEM.
 */
struct copies *copies_create(struct datapath *dp, struct sets *sets);
/* The lists stay where they are, for the next daemon. Accepts NULL. */
void copies_destroy(struct copies *copies);

/*
 * Finds or makes the list of an answer's outputs, which leave as its operations say (xlate.copies), or all as its
 * rewrites say, and holds it. Its id, or SW_MAX_COPIES: none could be had, or not yet (O3).
 */
uint32_t copies_get(struct copies *copies, const struct xlate *answer);
/* One more user. -ENOENT: there is none of that id. */
int copies_hold(struct copies *copies, uint32_t id);
/* One user less; see O1 for when. */
void copies_drop(struct copies *copies, uint32_t id);
/* As sets_hold_all() does for all three. */
void copies_hold_all(struct copies *copies);
void copies_drop_all(struct copies *copies);

/*
 * Whether an egress program runs for all that leaves by the port. If not, it is asked for, as for the ports of a list
 * (O3). Who has a tag taken off copies of floods needs it, too; nobody else has to pay for it.
 */
bool copies_follow(struct copies *copies, uint16_t port);
/* Some port waits for a grace period to begin. */
bool copies_want_grace(const struct copies *copies);
void copies_grace_began(struct copies *copies);
/* The period that began last is over. True: more ports can be sent copies now. */
bool copies_grace_ended(struct copies *copies);

bool copies_exist(const struct copies *copies, uint32_t id);
/* There is such a copy. *ret_rewrite: how it is rewritten, or SW_MAX_REWRITES: not at all. */
bool copies_have(const struct copies *copies, uint32_t id, uint16_t port, uint32_t *ret_rewrite);
uint32_t copies_users(const struct copies *copies, uint32_t id);

#endif
