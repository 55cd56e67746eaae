/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * meter.h - the token buckets of a meter's bands: one arithmetic for the program and for the daemon.
 *
 * What: a bucket's whole state is one word, so that a compare-and-swap is all it takes to share it among CPUs and with
 * the daemon. The word says when the bucket will be full: not as a time, but as how much a source that fills `fill`
 * units every nanosecond since the clock's beginning will have given by then. What such a source has given at `now` is
 * now * fill, so the bucket lacks full_at - now * fill units, or nothing if that is not above zero. A frame that passes
 * makes it lack so much more.
 *
 * Why this form: a unit is chosen (dataplane/meter.c) such that a nanosecond fills a whole number of them and a bit, or
 * a frame, is a whole number of them too. So there is no division, nothing is ever rounded, and every rate is exact for
 * frames of any size. A level and a time in two words, as in a textbook, would need a lock, and CPUs that wait for each
 * other.
 *
 * Words are modulo 2^64, for a clock times a rate is longer than any word, and what counts is the difference: read as a
 * signed number it is right as long as the bucket was looked at within the last 2^63 units. For rates that divide by
 * large powers of ten that is years; for the oddest it is a quarter of an hour (10 Gb/s) or two seconds (4 Tb/s). The
 * daemon moves up the words of buckets at rest (meter_band_rest() of dataplane/meter_slots.h), every second while flows
 * are cached and before it runs any itself. With no daemon, a bucket of which nobody asked for so long may be found
 * with more missing than it ever had room for: then it is taken to be empty, once, and is full again after burst /
 * rate.
 *
 * Credit: to read the clock and to swap a word that all CPUs share takes longer than all else that a frame needs. So a
 * CPU that has to ask takes more than its frame's share, if there is more (`credit`), and lets the next ones through on
 * that alone. What all CPUs can hold so is taken off `depth` beforehand (dataplane/meter_slots.h), and buckets too
 * small for that give no credit. A bucket that has not enough for a credit is asked frame by frame: so what is above
 * the rate is dropped as if there were no credits, and every unit that is filled in comes to somebody. Credit has no
 * date. A CPU that gets no frames keeps what it has, once.
 *
 * Invariants
 * V1 What passes a band in any span of time t is at most burst + t * fill, and one frame if that is larger than burst:
 *    `depth` and the credits of all CPUs are no more than burst, and where there are credits no frame exceeds `depth`.
 * V2 The decision depends on nothing but the words, the CPU's credit, the frame's size and the time: the daemon's,
 *    which has no credit, and the program's are the same.
 * V3 All bands of a meter are asked, and filled, by every frame, each by its own credit or its own bucket.
 * Safe error: a frame that passes and was let go by nobody. There is one: CPUs that meet over a word try
 * SW_METER_TRIES times, and a frame that came to nothing by then counts as one that exceeds the band. Each failure
 * means that another frame was decided meanwhile, so all of them do come through, in turns of some 10 ns.
 *
 * Time: CLOCK_BOOTTIME on both sides. One CPU's clock may be behind another's, or the daemon's read a while ago: that
 * reads as less filled in.
 */
#ifndef SW_METER_H
#define SW_METER_H

#include "abi.h"
#include "extract.h"
#include "hash.h"

#define SW_METER_TRIES 32

/* In the program a global function, which the verifier walks once, not for each band and all that is known by then. */
#ifdef __bpf__
#define SW_METER_FUNCTION __attribute__((noinline))
#else
#define SW_METER_FUNCTION SW_INLINE
#endif

SW_INLINE __u64 sw_meter_read(const struct sw_meter_band *band)
{
	return *(const volatile __u64 *)&band->full_at;
}

/*
 * What the bucket lacks when so much has been filled in; more than sw_meter_bound(): nobody has looked at it for too
 * long.
 */
SW_INLINE __u64 sw_meter_lack(__u64 full_at, __u64 filled)
{
	__u64 lack = full_at - filled;

	return (__s64)lack > 0 ? lack : 0;
}

/* No bucket lacks more: its depth, or the largest frame, as seen by a clock that is half a second behind. */
SW_INLINE __u64 sw_meter_bound(const struct sw_meter_band *band)
{
	return band->depth + ((__u64)band->fill << 29) + ((__u64)band->price << 20);
}

/*
 * Takes `amount` units out of the band's bucket, and `more` if it has that too. How much was taken: 0 if there is no
 * room for `amount`. A full bucket lets a frame of any size through and owes what it did not have.
 */
SW_METER_FUNCTION __u64 sw_meter_take(struct sw_meter_band *band, __u64 amount, __u64 more, __u64 now_ns)
{
	__u64 filled, was, found, lack, taken;
	__u32 i;

	if (!band)
		return 0;
	filled = now_ns * band->fill;
	was = sw_meter_read(band);
	for (i = 0; i < SW_METER_TRIES; i++) {
		lack = sw_meter_lack(was, filled);
		if (sw_unlikely(lack > sw_meter_bound(band))) {
			__sync_val_compare_and_swap(&band->full_at, was, filled + band->depth);
			return 0;
		}
		taken = amount + more;
		if (lack + taken > band->depth)
			taken = amount;
		if (lack && lack + taken > band->depth)
			return 0;
		found = __sync_val_compare_and_swap(&band->full_at, was, filled + lack + taken);
		if (sw_likely(found == was))
			return taken;
		was = found;
	}
	return 0;
}

/* Units that a byte takes, FCS left out, or a frame. */
SW_INLINE __u64 sw_meter_unit(const struct sw_meter_band *band, __u32 flags)
{
	return (__u64)band->price * (flags & SW_METER_FRAMES ? 1 : 8);
}

/* Units that a frame of `size` bytes takes. */
SW_INLINE __u64 sw_meter_amount(const struct sw_meter_band *band, __u32 flags, __u32 size)
{
	return sw_meter_unit(band, flags) * (flags & SW_METER_FRAMES ? 1 : size);
}

/* A frame of `size` bytes: every band is asked, and filled. The first that it exceeds; SW_METER_BANDS: none. */
SW_INLINE __u32 sw_meter_run(struct sw_meter *meter, __u32 size, __u64 now_ns)
{
	__u32 i, applies = SW_METER_BANDS;

	for (i = 0; i < SW_METER_BANDS && i < meter->n_bands; i++) {
		struct sw_meter_band *band = &meter->bands[i];

		if (!sw_meter_take(band, sw_meter_amount(band, meter->flags, size), 0, now_ns) &&
			applies == SW_METER_BANDS)
			applies = i;
	}
	return applies;
}

/*
 * 1: every band of the meter lets the frame through on credit, which is less by it. 0: some band does not, and nothing
 * was taken. A lane that has not enough loses its highest bit.
 */
SW_INLINE int sw_credit_spend(struct sw_credit *credit, __u32 size)
{
	__u64 left = credit->left - size * credit->a_byte - credit->a_frame;

	if (sw_unlikely(size > SW_CREDIT_MOST || (left & SW_CREDIT_LANES) != SW_CREDIT_LANES))
		return 0;
	credit->left = left;
	return 1;
}

/*
 * One band, on a credit that has `cost` at hand or not: what is left of the credit, or -1: the frame exceeds the band,
 * and the credit is as it was.
 */
SW_INLINE int sw_credit_ask(struct sw_meter_band *band, __u64 unit, __u32 cost, __u32 left, __u64 now_ns)
{
	__u32 more = band->credit > left ? band->credit - left : 0;
	__u64 amount = unit * cost, taken;

	if (left >= cost)
		return left - cost;
	taken = sw_meter_take(band, amount, unit * more, now_ns);
	if (!taken)
		return -1;
	return taken == amount ? left : left + more;
}

/* As sw_meter_run(), on a CPU that has this credit, for a frame that sw_credit_spend() did not take. */
SW_INLINE __u32 sw_meter_run_on(struct sw_meter *meter, struct sw_credit *credit, __u32 size, __u64 now_ns)
{
	__u32 cost = meter->flags & SW_METER_FRAMES ? 1 : size, applies = SW_METER_BANDS, i;
	__u64 left = SW_CREDIT_LANES, ones = 0;

	for (i = 0; i < SW_METER_BANDS && i < meter->n_bands; i++) {
		struct sw_meter_band *band = &meter->bands[i];
		__u32 shift = i * 16, lane = credit->left >> shift & SW_CREDIT_MOST;
		int rest = sw_credit_ask(band, sw_meter_unit(band, meter->flags), cost, lane, now_ns);

		if (rest < 0 && applies == SW_METER_BANDS)
			applies = i;
		left |= (__u64)(rest < 0 ? lane : (__u32)rest & SW_CREDIT_MOST) << shift;
		ones |= 1ULL << shift;
	}
	credit->a_byte = meter->flags & SW_METER_FRAMES ? 0 : ones;
	credit->a_frame = meter->flags & SW_METER_FRAMES ? ones : 0;
	credit->left = left;
	return applies;
}

#endif
