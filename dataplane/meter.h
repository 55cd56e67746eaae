/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * meter.h - the meters of a bridge (OF 1.3.5 §5.7, §6.5, §7.3.4.5): token buckets with bands.
 *
 * A band has a bucket of `rate` a second and a depth of `burst`; a frame for which the bucket of a band has no room
 * exceeds that band. Of the bands exceeded, the one of the highest rate is applied. All bands are filled by every
 * frame. Rates are exact for frames of any size: a bucket counts bits (kbps: of the frame without FCS) or frames in
 * units of which a nanosecond fills a whole number (bpf/meter.h), and nothing is rounded away between two frames. A
 * full bucket lets a frame of any size through and owes what it did not have: a burst smaller than a frame slows frames
 * down to the rate and does not bar them.
 *
 * Where no burst was given (or one of 0) a bucket is as deep as a tenth of a second of its rate, and at least 64 KiB or
 * ten frames. A description echoes what was asked.
 *
 * Whose buckets: where there are slots (meter_slots.h), a meter of up to SW_METER_BANDS bands has its buckets and the
 * counters of its bands there, and the program runs it too: one bucket, whichever way a frame takes. The others are the
 * daemon's alone; of these, who lacks nothing but a slot waits for one.
 *
 * Counting: frames that came to the meter are its tally's (tally.h), which whoever runs it, or the cache, adds to; for
 * the bands meters_run() counts, or the program.
 *
 * Ownership: descriptions are copied; slots are borrowed. Time is the caller's, CLOCK_BOOTTIME.
 */
#ifndef DATAPLANE_METER_H
#define DATAPLANE_METER_H

#include "dataplane/of_error.h"
#include "dataplane/tally.h"

#include <stdbool.h>
#include <stddef.h>

#define METER_MAX         0xffff0000u /* OFPM_MAX */
#define METER_SLOWPATH    0xfffffffdu
#define METER_CONTROLLER  0xfffffffeu /* frames to the controller */
#define METER_ALL         0xffffffffu
#define METERS_LIMIT      65536
#define METER_BANDS_LIMIT 16

enum { METER_KBPS = 1, METER_PKTPS = 2, METER_BURST = 4, METER_STATS = 8 }; /* OFPMF_* */
enum { BAND_DROP = 1, BAND_DSCP_REMARK = 2 };                               /* OFPMBT_* */

struct meter_band {
	uint16_t type; /* BAND_* */
	uint8_t prec_level;
	uint32_t rate, burst; /* kb/s or frames/s; kb or frames */
};

enum meter_mod_command { METER_ADD, METER_MODIFY, METER_DELETE }; /* OFPMC_* */

struct meter_mod {
	uint16_t command; /* enum meter_mod_command */
	uint16_t flags;   /* METER_* */
	uint32_t id;
	uint32_t n_bands;
	const struct meter_band *bands; /* borrowed */
};

struct meters;
struct meter_slots;

struct meter_band_stats {
	uint64_t packets, bytes;
};

/* A meter, for reading. Borrowed until the next change. */
struct meter {
	uint32_t id;
	uint16_t flags;
	uint32_t n_bands;
	const struct meter_band *bands;
	struct tally *in; /* frames that came to it; stays where it is while the meter is changed */
	uint16_t slot;    /* of the program's; 0: it is the daemon's alone */
	bool remarks;     /* some band does */
	uint64_t created_ns;
	uint32_t n_rules; /* that go through it; kept by meters_hold() */
};

/* Those of a bridge of that id. `slots` NULL: none is to be the program's. NULL: out of memory. */
struct meters *meters_create(struct meter_slots *slots, uint16_t bridge);
/* Its slots stay, for cached flows that outlive the daemon: else delete METER_ALL first. */
void meters_destroy(struct meters *meters);

/*
 * Deletes also METER_ALL. A meter that is deleted takes its rules with it: the caller removes those first, by `id`
 * (OF 1.3.5 §6.5), and whatever is linked to its tally. A modified one keeps its counters; its bands' begin anew, and
 * cached flows that go through it are to be asked again.
 */
enum of_err meters_mod(struct meters *meters, const struct meter_mod *mod, uint64_t now_ns);

const struct meter *meters_find(const struct meters *meters, uint32_t id); /* NULL: none */
/* The next above `id`, for walking from 0; the virtual ones come last. NULL at the end. */
const struct meter *meters_next(const struct meters *meters, uint32_t id);
uint32_t meters_count(const struct meters *meters);
/* A rule goes through it, or no longer. */
void meters_hold(struct meters *meters, uint32_t id, int change);

/* For how many frames the band has applied. */
struct meter_band_stats meters_band_stats(const struct meters *meters, const struct meter *meter, uint32_t band);

/*
 * A slot is free that a meter waits for: the meter, which has got it, and goes on with its buckets and counters as they
 * were; cached flows that go through it are to be asked again. NULL: there is none.
 */
const struct meter *meters_serve(struct meters *meters, uint64_t now_ns);

enum meter_verdict { METER_PASS, METER_DROP, METER_REMARK };
/*
 * A frame of `size` bytes comes through; the tally is the caller's. *ret_levels is set for METER_REMARK. An unknown
 * meter passes.
 */
enum meter_verdict meters_run(struct meters *meters, uint32_t id, uint32_t size, uint64_t now_ns, uint8_t *ret_levels);

#endif
