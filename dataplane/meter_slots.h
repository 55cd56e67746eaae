/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * meter_slots.h - the meters of map `meters`, which the program runs, and what it counted for their bands.
 *
 * What: hands out slots, counts who holds them, sums their bands' counters, and says what a CPU may take of a band in
 * advance (`credit` of bpf/abi.h): no CPU gets a part of a small bucket, and all together at most a 32nd of a large
 * one, for by so much a burst may fall short while other CPUs hold what they do not use. A meter (meter.h) holds its
 * slot, and so does every flow whose program names it, as flows hold rewrites (rewrites.h).
 *
 * Invariants
 * S1 A slot is written while nobody holds it, its id last; it is given away only then. Whoever let a program run on it
 *    drops it after the grace period that ends that program's last run (A2 of bpf/abi.h).
 * S2 A slot is never written twice for two meters: a modified meter takes another, so that its buckets begin full and
 *    its bands' counters at zero while flows of before still run on the old one.
 * Safe error: no slot (the frames take the slow path). Unsafe error: one that is another meter's.
 *
 * Ownership: borrows the memory. No allocation after meter_slots_create(). One thread; the words of the buckets are
 * shared with the program.
 */
#ifndef DATAPLANE_METER_SLOTS_H
#define DATAPLANE_METER_SLOTS_H

#include "bpf/abi.h"

#include <stdbool.h>
#include <stdint.h>

struct dp_memory;
struct meter_slots;

/* Takes over what is in memory, none of it held; what contradicts itself goes. NULL: ENOMEM. */
struct meter_slots *meter_slots_create(const struct dp_memory *memory);
/* What is held stays where it is, for the next daemon. Accepts NULL. */
void meter_slots_destroy(struct meter_slots *slots);

/*
 * Writes the meter, whose bands' depths are the bursts that were asked for, into a slot, with counters of zero, and
 * holds it; 0: none could be had. Where flows still run on the same meter (bridge, id, all that was asked for) of the
 * daemon before this one, it is theirs, level, counters and all.
 */
uint16_t meter_slots_take(struct meter_slots *slots, const struct sw_meter *meter);
/* One more user. -ENOENT: there is none of that number. */
int meter_slots_hold(struct meter_slots *slots, uint16_t slot);
/* One user less; see S1 for when. The last one frees it. */
void meter_slots_drop(struct meter_slots *slots, uint16_t slot);
/* As rewrites_hold_all(). */
void meter_slots_hold_all(struct meter_slots *slots);
void meter_slots_drop_all(struct meter_slots *slots);

bool meter_slots_exist(const struct meter_slots *slots, uint16_t slot);
/* One could be taken. */
bool meter_slots_any_free(const struct meter_slots *slots);
uint32_t meter_slots_users(const struct meter_slots *slots, uint16_t slot);
/* To run, and to read; there is one. */
struct sw_meter *meter_slots_at(const struct meter_slots *slots, uint16_t slot);

/* For how many frames the band has applied, the program's and the daemon's. */
struct sw_flow_stats meter_slots_stats(const struct meter_slots *slots, uint16_t slot, uint32_t band);
/* The daemon has run it on a frame, and this band applied. */
void meter_slots_count(struct meter_slots *slots, uint16_t slot, uint32_t band, uint32_t size);

/*
 * Keeps the words of buckets at rest within reach of the clock (bpf/meter.h). Due every second while flows hold slots,
 * and before the daemon runs a meter; what comes sooner costs nothing.
 */
void meter_slots_sweep(struct meter_slots *slots, uint64_t now_ns);
/* Of one band: it was within reach at `since_ns`. */
void meter_band_rest(struct sw_meter_band *band, uint64_t since_ns, uint64_t now_ns);

#endif
