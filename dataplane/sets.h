/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sets.h - sets of ports that a broadcast goes to, each known by a small number.
 *
 * What: equal sets share an id, and ids are counted (pool.h). A set lives in two places that a daemon's death leaves
 * alone: its members in the registry, its devices in the datapath, which is written first, so that the registry never
 * names a set that is not there.
 *
 * Why sets outlive their users: writing a new one costs the kernel backend several system calls and an RCU grace
 * period, and the flood of a VLAN comes and goes with every ARP request. So a set that nobody uses stays, and is
 * followed when its ports change, until another one needs its id: then the one longest idle makes way.
 *
 * Invariants
 * B1 A set's id is given away only when nobody holds it. Whoever let a program run on it drops it after the grace
 *    period that ends that program's last run (A2 of bpf/abi.h), so no grace period is waited for here.
 * B2 Two ids never have the same members.
 * Safe error: no set (the frames take the slow path). Unsafe error: a set with a port too many.
 *
 * Ownership: borrows the datapath. No allocation after sets_create(). One thread.
 */
#ifndef DATAPLANE_SETS_H
#define DATAPLANE_SETS_H

#include "bpf/abi.h"

#include <stdbool.h>
#include <stdint.h>

struct copies;
struct datapath;
struct meter_slots;
struct forks;
struct rewrites;
struct sets;

/* A bit map by port id. */
struct port_set {
	__u64 bits[SW_MAX_PORTS / 64];
};

static inline void port_set_add(struct port_set *set, uint16_t port)
{
	set->bits[port / 64] |= 1ULL << port % 64;
}

static inline bool port_set_has(const struct port_set *set, uint16_t port)
{
	return set->bits[port / 64] >> port % 64 & 1;
}

/* Takes over the sets in the registry, none of them held; records that contradict themselves go. NULL: ENOMEM. */
struct sets *sets_create(struct datapath *dp);
/* The sets stay where they are, for the next daemon. Accepts NULL. */
void sets_destroy(struct sets *sets);
/* The rewrites and copies of the same datapath, which a program shares with others as it does its set. Borrowed. */
struct rewrites *sets_rewrites(const struct sets *sets);
/* And its meters. */
struct meter_slots *sets_meter_slots(const struct sets *sets);
/* The same of its forks. */
struct forks *sets_forks(const struct sets *sets);
struct copies *sets_copies(const struct sets *sets);

/* Finds or makes the set of these members (at least one), and holds it. Its id, or SW_MAX_SETS: none could be had. */
uint32_t sets_get(struct sets *sets, const struct port_set *members);
/*
 * The same for a flow, which nobody is to wait for: SW_MAX_SETS also where the daemon would have to. Then a grace
 * period is wanted, and when it has ended, which sets_grace_ended() is told and says, it is worth asking again.
 */
uint32_t sets_get_now(struct sets *sets, const struct port_set *members);
bool sets_want_grace(const struct sets *sets);
void sets_grace_began(struct sets *sets);
bool sets_grace_ended(struct sets *sets);
/* One more user of a set. -ENOENT: no such set. */
int sets_hold(struct sets *sets, uint32_t set);
/* One user less; see B1 for when. */
void sets_drop(struct sets *sets, uint32_t set);
/*
 * One more user for each set, rewrite, list of copies and meter that there is, and one less for those: for the time in
 * which a program run may still look at what an earlier daemon gave up.
 */
void sets_hold_all(struct sets *sets);
void sets_drop_all(struct sets *sets);

/*
 * A port's device changed, or what the datapath knows of it: writes it again in every set that it is in. The datapath
 * leaves out members that have no device.
 */
void sets_port_changed(struct sets *sets, uint16_t port);
/* So may many have: each set is written once, not once for each of its members. */
void sets_ports_changed(struct sets *sets);

bool sets_exist(const struct sets *sets, uint32_t set);
/* false also when there is no such set. */
bool sets_contain(const struct sets *sets, uint32_t set, uint16_t port);
uint32_t sets_users(const struct sets *sets, uint32_t set);

#endif
