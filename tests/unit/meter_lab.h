/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * meter_lab.h - meters for a test, in slots of make-believe maps or the daemon's alone, and an exact bucket to hold
 * them against.
 */
#ifndef METER_LAB_H
#define METER_LAB_H

#include "bpf/meter.h"
#include "dataplane/dp_memory.h"
#include "dataplane/meter.h"
#include "dataplane/meter_slots.h"

#include <check.h>
#include <stdlib.h>

#define NS_PER_S 1000000000ULL
#define START_NS (77 * NS_PER_S + 1)

enum { ADD, MODIFY, DELETE };

static struct meters *meters;

/* NULL: its meters are the daemon's alone. */
static struct datapath *dp;
static struct meter_slots *slots;

static inline void setup(void)
{
	dp = NULL;
	slots = NULL;
	meters = meters_create(NULL, 1);
	ck_assert_ptr_nonnull(meters);
}

static inline void setup_shared(void)
{
	dp = dp_memory_create(64, &(struct dp_events){0});
	ck_assert_ptr_nonnull(dp);
	slots = meter_slots_create(&dp->memory);
	meters = meters_create(slots, 1);
	ck_assert(slots && meters);
}

static void teardown(void)
{
	meters_destroy(meters);
	meter_slots_destroy(slots);
	if (dp)
		dp->ops->destroy(dp, true);
}

static enum of_err mod(uint16_t command, uint32_t id, uint16_t flags, const struct meter_band *bands, uint32_t n)
{
	struct meter_mod asked = {.command = command, .flags = flags, .id = id, .n_bands = n, .bands = bands};

	return meters_mod(meters, &asked, START_NS);
}

static inline void add_drop(uint32_t id, uint16_t flags, uint32_t rate, uint32_t burst)
{
	struct meter_band band = {BAND_DROP, 0, rate, burst};

	ck_assert_int_eq(mod(ADD, id, flags, &band, 1), OF_OK);
}

/* What of the band's burst is set aside for the credits of the CPUs, in bits or frames. By its place in falling rate.
 */
static inline uint64_t set_aside(uint32_t id, uint32_t place)
{
	uint16_t slot = meters_find(meters, id)->slot;
	const struct sw_meter *meter = slot ? meter_slots_at(slots, slot) : NULL;

	return slot ? (uint64_t)DP_MEMORY_CPUS * meter->bands[place].credit * (meter->flags & SW_METER_FRAMES ? 1 : 8)
		    : 0;
}

#define ck_assert_near(have, want, by) ck_assert_int_le(llabs((long long)(have) - (long long)(want)), by)

/* ---- an exact bucket ---- */

typedef __int128 billionths; /* of a bit, or of a frame: what a nanosecond fills is a whole number of them */

struct exact_band {
	billionths level, depth;
	uint64_t rate;
};

static inline void exact_fill(struct exact_band *band, uint64_t passed_ns)
{
	band->level += (billionths)band->rate * passed_ns;
	if (band->level > band->depth)
		band->level = band->depth;
}

static inline bool exact_take(struct exact_band *band, billionths amount)
{
	if (band->level < amount && band->level < band->depth)
		return false;
	band->level -= amount;
	return true;
}

#endif
