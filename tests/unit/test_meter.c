/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Meters, those that are the daemon's alone and those in slots that the program runs too: against token buckets of
 * floating numbers and of 128-bit ones, and against the arithmetic of whole minutes and hours.
 */
#include "tests/unit/meter_lab.h"
#include "tests/unit/seeded.h"

#include <check.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

#define N_STEPS 200000
#define N_BANDS 3

static uint64_t band_packets(uint32_t id)
{
	return meters_band_stats(meters, meters_find(meters, id), 0).packets;
}

/* How many of the frames pass that come every `gap_ns`, for so long. */
static uint64_t offer(uint32_t id, uint32_t size, uint64_t gap_ns, uint64_t seconds)
{
	uint64_t passed = 0;
	uint8_t levels;

	for (uint64_t t = 0; t < seconds * NS_PER_S; t += gap_ns)
		passed += meters_run(meters, id, size, START_NS + t, &levels) == METER_PASS;
	return passed;
}

START_TEST(small_frames_pass_a_frame_limit_exactly_for_a_minute)
{
	add_drop(1, METER_PKTPS | METER_BURST, 1000, 7);
	add_drop(2, METER_PKTPS | METER_BURST, 999, 3);
	ck_assert_near(offer(1, 64, 313131, 60), 60 * 1000 + 7, 1);
	ck_assert_near(offer(2, 64, 99991, 60), 60 * 999 + 3, 1);
}
END_TEST

START_TEST(frames_of_any_size_pass_a_bit_limit_exactly_for_a_minute)
{
	const uint32_t sizes[] = {60, 64, 1500, 1514, 9018};

	for (uint32_t i = 0; i < 5; i++) {
		add_drop(1 + i, METER_KBPS | METER_BURST, 3333, 100);
		ck_assert_near(offer(1 + i, sizes[i], 97003, 60), (60 * 3333000 + 100000) / (sizes[i] * 8), 1);
	}
}
END_TEST

START_TEST(nothing_drifts_in_an_hour)
{
	add_drop(1, METER_PKTPS | METER_BURST, 73, 10);
	ck_assert_near(offer(1, 64, 9999883, 3600), 3600ULL * 73 + 10, 1);
	add_drop(2, METER_KBPS | METER_BURST, 79, 1000);
	ck_assert_near(offer(2, 61, 5199617, 3600), (3600ULL * 79000 + 1000000) / (61 * 8), 1);
}
END_TEST

START_TEST(a_rate_below_the_limit_loses_nothing)
{
	add_drop(1, METER_PKTPS | METER_BURST, 1000, 1);
	ck_assert_uint_eq(offer(1, 64, NS_PER_S / 1000, 10), 10000);
	ck_assert_uint_eq(band_packets(1), 0);
}
END_TEST

START_TEST(without_a_burst_a_bucket_is_a_tenth_of_a_second_deep)
{
	add_drop(1, METER_KBPS, 100000, 0);
	add_drop(2, METER_PKTPS, 10000, 0);
	add_drop(3, METER_KBPS, 10, 0);
	add_drop(4, METER_PKTPS, 3, 0);
	add_drop(5, METER_KBPS | METER_BURST, 10, 0);
	add_drop(6, METER_KBPS, 10, 1);
	for (uint32_t id = 1; id <= 6; id++) {
		const uint32_t want[] = {0, 1000, 1000, 52, 10, 52, 52};
		uint32_t passed = 0, cost = id == 2 || id == 4 ? 1 : 1250 * 8;
		uint8_t levels;

		for (uint32_t i = 0; i < 3000; i++)
			passed += meters_run(meters, id, 1250, START_NS, &levels) == METER_PASS;
		ck_assert_uint_eq(passed, want[id] - (set_aside(id, 0) + cost - 1) / cost);
		ck_assert_uint_ge(passed, want[id] - want[id] / 31);
	}
}
END_TEST

START_TEST(the_rates_of_the_conformance_patterns_come_out_within_two_percent)
{
	/* 175 frames of 1500 bytes a second into 1 Mb/s, 200 into 100, for half a minute. */
	add_drop(1, METER_KBPS, 1000, 0);
	add_drop(2, METER_PKTPS, 100, 0);
	ck_assert_near(offer(1, 1500, NS_PER_S / 175, 30) * 1500 * 8 / 30, 1000000, 20000);
	ck_assert_near(offer(2, 1500, NS_PER_S / 200, 30) / 30, 100, 2);
}
END_TEST

START_TEST(a_burst_smaller_than_a_frame_slows_it_down_and_does_not_bar_it)
{
	add_drop(1, METER_KBPS | METER_BURST, 1000, 1);
	/* What a full bucket is offered while it waits for the next frame is lost: less than a gap of 0.1 ms in 12 ms.
	 */
	ck_assert_near(offer(1, 1500, 100003, 60), 60 * 1000000 / 12000, 45);
}
END_TEST

START_TEST(time_that_goes_back_fills_nothing)
{
	uint8_t levels;

	add_drop(1, METER_PKTPS | METER_BURST, 1, 1);
	ck_assert_int_eq(meters_run(meters, 1, 64, START_NS, &levels), METER_PASS);
	ck_assert_int_eq(meters_run(meters, 1, 64, START_NS - NS_PER_S, &levels), METER_DROP);
	ck_assert_int_eq(meters_run(meters, 1, 64, START_NS + NS_PER_S - 1, &levels), METER_DROP);
	ck_assert_int_eq(meters_run(meters, 1, 64, START_NS + NS_PER_S, &levels), METER_PASS);
}
END_TEST

START_TEST(of_the_bands_exceeded_the_fastest_is_applied_and_counted)
{
	struct meter_band bands[] = {
		{BAND_DROP, 0, 200, 2}, {BAND_DSCP_REMARK, 2, 100, 1}, {BAND_DSCP_REMARK, 1, 10, 1}};
	const struct meter *meter;
	uint8_t levels = 0;

	ck_assert_int_eq(mod(ADD, 9, METER_PKTPS | METER_BURST | METER_STATS, bands, 3), OF_OK);
	ck_assert_int_eq(meters_run(meters, 9, 100, START_NS, &levels), METER_PASS);
	ck_assert_int_eq(meters_run(meters, 9, 101, START_NS, &levels), METER_REMARK);
	ck_assert_uint_eq(levels, 2);
	ck_assert_int_eq(meters_run(meters, 9, 102, START_NS, &levels), METER_DROP);
	/* After a hundredth of a second the second band has room again, and the first. */
	ck_assert_int_eq(meters_run(meters, 9, 103, START_NS + NS_PER_S / 100, &levels), METER_REMARK);
	ck_assert_uint_eq(levels, 1);
	meter = meters_find(meters, 9);
	ck_assert_uint_eq(meters_band_stats(meters, meter, 0).bytes, 102);
	ck_assert_uint_eq(meters_band_stats(meters, meter, 1).bytes, 101);
	ck_assert_uint_eq(meters_band_stats(meters, meter, 2).bytes, 103);
	ck_assert_uint_eq(meters_band_stats(meters, meter, 2).packets, 1);
}
END_TEST

START_TEST(an_unknown_meter_passes_and_one_without_bands)
{
	uint8_t levels;

	ck_assert_int_eq(meters_run(meters, 5, 64, START_NS, &levels), METER_PASS);
	ck_assert_int_eq(mod(ADD, 5, METER_KBPS, NULL, 0), OF_OK);
	ck_assert_int_eq(meters_run(meters, 5, 64, START_NS, &levels), METER_PASS);
}
END_TEST

START_TEST(what_cannot_be_is_refused_with_its_error)
{
	static const struct {
		uint16_t command, flags;
		uint32_t id;
		struct meter_band band;
		enum of_err err;
	} rows[] = {
		{ADD, METER_KBPS, 1, {BAND_DROP, 0, 1, 0}, OF_ERR_METER_MOD_METER_EXISTS},
		{MODIFY, METER_KBPS, 2, {BAND_DROP, 0, 1, 0}, OF_ERR_METER_MOD_UNKNOWN_METER},
		{3, METER_KBPS, 1, {BAND_DROP, 0, 1, 0}, OF_ERR_METER_MOD_BAD_COMMAND},
		{ADD, 0, 2, {BAND_DROP, 0, 1, 0}, OF_ERR_METER_MOD_BAD_FLAGS},
		{ADD, METER_KBPS | METER_PKTPS, 2, {BAND_DROP, 0, 1, 0}, OF_ERR_METER_MOD_BAD_FLAGS},
		{ADD, METER_KBPS | 16, 2, {BAND_DROP, 0, 1, 0}, OF_ERR_METER_MOD_BAD_FLAGS},
		{ADD, METER_KBPS, 2, {BAND_DROP, 0, 0, 0}, OF_ERR_METER_MOD_BAD_RATE},
		{ADD, METER_KBPS, 2, {3, 0, 1, 0}, OF_ERR_METER_MOD_BAD_BAND},
		{ADD, METER_KBPS, 2, {0, 0, 1, 0}, OF_ERR_METER_MOD_BAD_BAND},
		{ADD, METER_KBPS, 0, {BAND_DROP, 0, 1, 0}, OF_ERR_METER_MOD_INVALID_METER},
		{ADD, METER_KBPS, METER_MAX + 1, {BAND_DROP, 0, 1, 0}, OF_ERR_METER_MOD_INVALID_METER},
		{MODIFY, METER_KBPS, METER_ALL, {BAND_DROP, 0, 1, 0}, OF_ERR_METER_MOD_INVALID_METER},
		{DELETE, 0, 7, {0}, OF_OK},
		{ADD, METER_KBPS, METER_MAX, {BAND_DROP, 0, 1, 0}, OF_OK},
		{ADD, METER_KBPS, METER_CONTROLLER, {BAND_DROP, 0, 1, 0}, OF_OK},
		{ADD, METER_PKTPS, METER_SLOWPATH, {BAND_DSCP_REMARK, 1, UINT32_MAX, UINT32_MAX}, OF_OK},
	};
	struct meter_band many[METER_BANDS_LIMIT + 1];

	add_drop(1, METER_KBPS, 1, 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_msg(
			mod(rows[i].command, rows[i].id, rows[i].flags, &rows[i].band, 1) == rows[i].err, "row %zu", i);
	for (uint32_t i = 0; i <= METER_BANDS_LIMIT; i++)
		many[i] = (struct meter_band){BAND_DROP, 0, 1 + i, 0};
	ck_assert_int_eq(mod(ADD, 3, METER_KBPS, many, METER_BANDS_LIMIT + 1), OF_ERR_METER_MOD_OUT_OF_BANDS);
	ck_assert_int_eq(mod(ADD, 3, METER_KBPS, many, METER_BANDS_LIMIT), OF_OK);
	ck_assert_uint_eq(meters_count(meters), 5);
}
END_TEST

START_TEST(there_are_as_many_meters_as_the_limit_says_and_a_walk_sees_them_in_order)
{
	const struct meter *meter;
	uint32_t id = 0, n = 0;

	/* Odd multipliers permute: every number comes once, in no order. */
	for (uint32_t i = 0; i < METERS_LIMIT; i++)
		add_drop(1 + (uint16_t)(i * 40503), METER_KBPS, 1, 0);
	ck_assert_int_eq(mod(ADD, METERS_LIMIT + 1, METER_KBPS, NULL, 0), OF_ERR_METER_MOD_OUT_OF_METERS);
	for (; (meter = meters_next(meters, id)); n++) {
		ck_assert_uint_eq(meter->id, id + 1);
		id = meter->id;
	}
	ck_assert_uint_eq(n, METERS_LIMIT);
	ck_assert_int_eq(mod(DELETE, 17, 0, NULL, 0), OF_OK);
	ck_assert_uint_eq(meters_next(meters, 16)->id, 18);
	ck_assert_int_eq(mod(DELETE, METER_ALL, 0, NULL, 0), OF_OK);
	ck_assert_uint_eq(meters_count(meters), 0);
	ck_assert_ptr_null(meters_next(meters, 0));
}
END_TEST

START_TEST(a_modified_meter_keeps_its_counters_and_begins_its_bands_anew)
{
	struct meter_band slow = {BAND_DROP, 0, 1, 1}, fast = {BAND_DROP, 0, 2, 2};
	const struct meter *meter;
	uint8_t levels;

	ck_assert_int_eq(mod(ADD, 1, METER_PKTPS | METER_BURST, &slow, 1), OF_OK);
	meters_hold(meters, 1, 1);
	meters_hold(meters, 1, 1);
	meters_hold(meters, 2, 1);
	for (int i = 0; i < 3; i++)
		meters_run(meters, 1, 64, START_NS, &levels);
	tally_add(meters_find(meters, 1)->in, 3, 192, START_NS);
	ck_assert_uint_eq(band_packets(1), 2);
	ck_assert_int_eq(mod(MODIFY, 1, METER_PKTPS | METER_BURST, &fast, 1), OF_OK);
	meters_hold(meters, 1, -1);
	meter = meters_find(meters, 1);
	ck_assert_uint_eq(meter->in->packets, 3);
	ck_assert_uint_eq(band_packets(1), 0);
	ck_assert_uint_eq(meter->bands[0].rate, 2);
	ck_assert_uint_eq(meter->n_rules, 1);
	ck_assert_uint_eq(meter->created_ns, START_NS);
	ck_assert_uint_eq(offer(1, 64, NS_PER_S, 1), 1);
}
END_TEST

/* ---- the twin ---- */

struct twin_band {
	long double level, depth, rate;
};

/* Which band, N_BANDS for none; -1: too near to call, and what the product says is taken. */
static int twin_run(struct twin_band *twin, long double passed_s, long double amount, bool *exceeds)
{
	int near = 0, worst = N_BANDS;

	for (int i = 0; i < N_BANDS; i++) {
		twin[i].level = fminl(twin[i].depth, twin[i].level + twin[i].rate * passed_s);
		exceeds[i] = twin[i].level < amount && twin[i].level < twin[i].depth;
		near |= fabsl(twin[i].level - amount) < 1e-4L;
		if (exceeds[i] && (worst == N_BANDS || twin[i].rate > twin[worst].rate))
			worst = i;
	}
	return near ? -1 : worst;
}

static void run_oracle(struct seeded *random, bool is_kbps)
{
	struct meter_band bands[N_BANDS];
	struct twin_band twin[N_BANDS];
	uint64_t now_ns = START_NS;
	uint32_t n_called = 0;

	for (uint32_t i = 0; i < N_BANDS; i++) {
		long double unit = is_kbps ? 1000 : 1;

		bands[i] = (struct meter_band){BAND_DSCP_REMARK, (uint8_t)i, 1 + seeded_below(random, 20000) * 3 + i,
			100 + seeded_below(random, 200)};
		twin[i] = (struct twin_band){bands[i].burst * unit, bands[i].burst * unit, bands[i].rate * unit};
	}
	mod(DELETE, 1, 0, NULL, 0);
	ck_assert_int_eq(mod(ADD, 1, (is_kbps ? METER_KBPS : METER_PKTPS) | METER_BURST, bands, N_BANDS), OF_OK);
	for (uint32_t step = 0; step < N_STEPS; step++) {
		uint64_t gap_ns = seeded_below(random, 1U << (4 + seeded_below(random, 18)));
		uint32_t size = 60 + seeded_below(random, 1460);
		long double amount = is_kbps ? size * 8 : 1;
		bool exceeds[N_BANDS];
		uint8_t levels = N_BANDS;
		int want;

		now_ns += gap_ns;
		want = twin_run(twin, gap_ns / 1e9L, amount, exceeds);
		meters_run(meters, 1, size, now_ns, &levels);
		if (want < 0)
			return;
		n_called++;
		ck_assert_msg(levels == want, "seed %lu step %u: band %u, not %d", random->seed, step, levels, want);
		for (int i = 0; i < N_BANDS; i++)
			twin[i].level -= exceeds[i] ? 0 : amount;
	}
	ck_assert_uint_eq(n_called, N_STEPS);
}

START_TEST(meters_decide_as_floating_buckets_do)
{
	struct seeded random = seeded_start();

	for (int i = 0; i < 6; i++)
		run_oracle(&random, i % 2);
}
END_TEST

/* ---- the exact twin ---- */

/* Rates from one to four billion, so that some divide by powers of ten and some by nothing. */
static uint32_t random_rate(struct seeded *random)
{
	uint32_t rate = 1 + seeded_below(random, 1U << (1 + seeded_below(random, 30)));

	return seeded_below(random, 2) || rate > 4000 ? rate : rate * 1000000;
}

/* About as long as a frame takes at that rate, so that some pass; now and then long enough for any word to come round.
 */
static uint64_t random_gap(struct seeded *random, uint64_t a_frame_ns)
{
	if (!seeded_below(random, 2000))
		return seeded_below(random, 1000000) * 1000000ULL;
	return seeded_below(random, (uint32_t)(a_frame_ns < 1U << 30 ? a_frame_ns * 2 + 2 : 1U << 31));
}

static uint64_t run_exactly(struct seeded *random, bool is_kbps, uint64_t now_ns)
{
	struct meter_mod asked = {.command = ADD, .flags = (is_kbps ? METER_KBPS : METER_PKTPS) | METER_BURST, .id = 1};
	uint32_t n = 1 + seeded_below(random, 4), rate = random_rate(random);
	struct exact_band twin[4];
	struct meter_band bands[4];
	uint64_t a_frame_ns;
	uint32_t n_passed = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint64_t unit = is_kbps ? 1000 : 1;

		bands[i] = (struct meter_band){BAND_DSCP_REMARK, (uint8_t)i,
			rate > 100 ? rate - seeded_below(random, rate / 2) : rate,
			1 + seeded_below(random, 1U << seeded_below(random, 31))};
		twin[i] = (struct exact_band){.depth = (billionths)bands[i].burst * unit * NS_PER_S,
			.level = twin[i].depth,
			.rate = bands[i].rate * unit};
	}
	a_frame_ns = (is_kbps ? 8 * 1000 * 1000000ULL : NS_PER_S) / rate;
	mod(DELETE, 1, 0, NULL, 0);
	asked.n_bands = n;
	asked.bands = bands;
	ck_assert_int_eq(meters_mod(meters, &asked, now_ns), OF_OK);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t place = 0;

		for (uint32_t k = 0; k < n; k++)
			place += bands[k].rate > bands[i].rate || (bands[k].rate == bands[i].rate && k < i);
		twin[i].depth -= (billionths)set_aside(1, place) * NS_PER_S;
		twin[i].level = twin[i].depth;
	}
	for (uint32_t step = 0; step < N_STEPS / 20; step++) {
		uint64_t gap_ns = random_gap(random, a_frame_ns);
		uint32_t size = 60 + seeded_below(random, 1460), want = n;
		uint8_t levels = n;

		now_ns += gap_ns;
		if (slots)
			meter_slots_sweep(slots, now_ns);
		for (uint32_t i = 0; i < n; i++) {
			exact_fill(&twin[i], gap_ns);
			if (!exact_take(&twin[i], (is_kbps ? size * 8 : 1) * (billionths)NS_PER_S) &&
				(want == n || bands[i].rate > bands[want].rate))
				want = i;
		}
		meters_run(meters, 1, size, now_ns, &levels);
		ck_assert_msg(levels == want, "seed %lu step %u: band %u, not %u", random->seed, step, levels, want);
		n_passed += want == n;
	}
	ck_assert_uint_gt(n_passed, 0);
	return now_ns;
}

START_TEST(meters_decide_as_exact_buckets_do_whatever_rate_and_silence)
{
	struct seeded random = seeded_start();
	uint64_t now_ns = START_NS;

	for (int i = 0; i < 100; i++)
		now_ns = run_exactly(&random, i % 2, now_ns);
}
END_TEST

/* ---- slots ---- */

START_TEST(a_meter_with_more_bands_than_a_slot_has_is_the_daemons_alone)
{
	struct meter_band bands[SW_METER_BANDS + 1];

	for (uint32_t i = 0; i <= SW_METER_BANDS; i++)
		bands[i] = (struct meter_band){BAND_DROP, 0, 1 + i, 1};
	ck_assert_int_eq(mod(ADD, 1, METER_PKTPS | METER_BURST, bands, SW_METER_BANDS), OF_OK);
	ck_assert_int_eq(mod(ADD, 2, METER_PKTPS | METER_BURST, bands, SW_METER_BANDS + 1), OF_OK);
	ck_assert_uint_ne(meters_find(meters, 1)->slot, 0);
	ck_assert_uint_eq(meters_find(meters, 2)->slot, 0);
	ck_assert_uint_eq(offer(1, 64, NS_PER_S / 100, 10), offer(2, 64, NS_PER_S / 100, 10));
}
END_TEST

START_TEST(a_modified_or_deleted_meter_gives_its_slot_back_when_no_flow_holds_it)
{
	struct meter_band band = {BAND_DROP, 0, 1, 1};
	uint16_t slot, other;

	add_drop(1, METER_PKTPS | METER_BURST, 1, 1);
	slot = meters_find(meters, 1)->slot;
	ck_assert_int_eq(meter_slots_hold(slots, slot), 0);
	ck_assert_int_eq(mod(MODIFY, 1, METER_PKTPS | METER_BURST, &band, 1), OF_OK);
	other = meters_find(meters, 1)->slot;
	ck_assert_uint_ne(other, slot);
	ck_assert(meter_slots_exist(slots, slot));
	meter_slots_drop(slots, slot);
	ck_assert(!meter_slots_exist(slots, slot));
	ck_assert_int_eq(mod(DELETE, METER_ALL, 0, NULL, 0), OF_OK);
	ck_assert(!meter_slots_exist(slots, other));
}
END_TEST

static void take_all_slots(void)
{
	for (uint32_t id = 1; id < SW_MAX_METERS; id++)
		add_drop(id, METER_PKTPS | METER_BURST, 1, 4);
}

START_TEST(a_meter_that_found_no_slot_gets_the_next_that_is_free_and_goes_on_there)
{
	uint64_t n_dropped;

	take_all_slots();
	add_drop(5000, METER_PKTPS | METER_BURST, 1, 4);
	ck_assert_uint_eq(meters_find(meters, 5000)->slot, 0);
	ck_assert_uint_eq(offer(5000, 64, NS_PER_S / 8, 1), 4);
	n_dropped = band_packets(5000);
	ck_assert_uint_gt(n_dropped, 0);
	ck_assert_ptr_null(meters_serve(meters, START_NS));
	ck_assert_int_eq(mod(DELETE, 17, 0, NULL, 0), OF_OK);
	ck_assert_ptr_eq(meters_serve(meters, START_NS), meters_find(meters, 5000));
	ck_assert_uint_ne(meters_find(meters, 5000)->slot, 0);
	ck_assert_uint_eq(band_packets(5000), n_dropped);
	ck_assert_uint_eq(offer(5000, 64, NS_PER_S / 8, 1), 0); /* its bucket is as empty as it was */
	ck_assert_uint_eq(band_packets(5000), 2 * n_dropped + 4);
	ck_assert_ptr_null(meters_serve(meters, START_NS));
}
END_TEST

START_TEST(who_waits_for_a_slot_may_go_and_who_wants_none_does_not_wait)
{
	struct meter_band bands[SW_METER_BANDS + 1];

	for (uint32_t i = 0; i <= SW_METER_BANDS; i++)
		bands[i] = (struct meter_band){BAND_DROP, 0, 1 + i, 1};
	take_all_slots();
	for (uint32_t id = 5000; id < 5003; id++)
		add_drop(id, METER_PKTPS | METER_BURST, 1, 4);
	ck_assert_int_eq(mod(DELETE, 5000, 0, NULL, 0), OF_OK);
	ck_assert_int_eq(mod(MODIFY, 5001, METER_PKTPS | METER_BURST, bands, SW_METER_BANDS + 1), OF_OK);
	ck_assert_int_eq(mod(DELETE, 1, 0, NULL, 0), OF_OK);
	ck_assert_ptr_eq(meters_serve(meters, START_NS), meters_find(meters, 5002));
	ck_assert_int_eq(mod(DELETE, 2, 0, NULL, 0), OF_OK);
	ck_assert_ptr_null(meters_serve(meters, START_NS));
	add_drop(5003, METER_PKTPS | METER_BURST, 1, 4);
	ck_assert_uint_ne(meters_find(meters, 5003)->slot, 0);
	add_drop(5004, METER_PKTPS | METER_BURST, 1, 4);
	ck_assert_int_eq(mod(DELETE, METER_ALL, 0, NULL, 0), OF_OK);
	ck_assert_ptr_null(meters_serve(meters, START_NS));
}
END_TEST

START_TEST(the_same_meter_of_the_next_daemon_goes_on_in_its_slot)
{
	uint16_t slot, held;

	add_drop(1, METER_PKTPS | METER_BURST, 1, 4);
	add_drop(2, METER_PKTPS | METER_BURST, 1, 4);
	ck_assert_uint_eq(offer(1, 64, NS_PER_S / 8, 1), 4);
	slot = meters_find(meters, 1)->slot;
	held = meters_find(meters, 2)->slot;
	meters_destroy(meters);
	meter_slots_destroy(slots);
	slots = meter_slots_create(&dp->memory);
	meters = meters_create(slots, 1);
	ck_assert_int_eq(meter_slots_hold(slots, slot), 0); /* as adopted flows do */
	ck_assert_int_eq(meter_slots_hold(slots, held), 0);
	add_drop(1, METER_PKTPS | METER_BURST, 1, 4);
	add_drop(2, METER_PKTPS | METER_BURST, 1, 5);
	ck_assert_uint_eq(meters_find(meters, 1)->slot, slot);
	ck_assert_uint_ne(meters_find(meters, 2)->slot, held);
	ck_assert_uint_eq(band_packets(1), 0);
	ck_assert_uint_eq(offer(1, 64, NS_PER_S / 8, 1), 0); /* its bucket is as empty as it was */
	ck_assert_uint_eq(band_packets(1), 8);
}
END_TEST

START_TEST(without_a_sweep_a_bucket_found_far_out_of_reach_is_empty_once)
{
	struct sw_meter *meter;
	uint8_t levels;
	uint64_t now_ns = START_NS + (1ULL << 63) / 999983 * 5 / 4; /* in the half of time that reads as ahead */

	add_drop(1, METER_KBPS | METER_BURST, 999983, 100);
	meter = meter_slots_at(slots, meters_find(meters, 1)->slot);
	ck_assert_uint_eq(meter->bands[0].fill, 999983);
	ck_assert_int_eq(meters_run(meters, 1, 64, now_ns, &levels), METER_DROP);
	ck_assert_int_eq(meters_run(meters, 1, 64, now_ns + 510, &levels), METER_DROP);
	ck_assert_int_eq(meters_run(meters, 1, 64, now_ns + 520, &levels), METER_PASS);
}
END_TEST

#define N_THREADS 4

static struct sw_meter raced;
static uint64_t raced_passed[N_THREADS];

/* Time as one clock that all move, so that every frame of all threads together is accounted for. */
static uint64_t raced_clock;

static void *race(void *arg)
{
	uint64_t *passed = arg;

	for (uint32_t i = 0; i < 200000; i++) {
		uint64_t now_ns = __atomic_add_fetch(&raced_clock, 100, __ATOMIC_RELAXED);

		*passed += sw_meter_run(&raced, 60, now_ns) == SW_METER_BANDS;
	}
	return NULL;
}

START_TEST(threads_that_share_a_bucket_get_together_what_it_gives)
{
	pthread_t threads[N_THREADS];
	uint64_t sum = 0, offered = 200000ULL * N_THREADS, span_ns = offered * 100;

	add_drop(1, METER_PKTPS | METER_BURST, 9000011, 50);
	raced = *meter_slots_at(slots, meters_find(meters, 1)->slot);
	raced_clock = START_NS;
	memset(raced_passed, 0, sizeof(raced_passed));
	for (int i = 0; i < N_THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, race, &raced_passed[i]), 0);
	for (int i = 0; i < N_THREADS; i++) {
		pthread_join(threads[i], NULL);
		sum += raced_passed[i];
	}
	/* A thread that is held up with an old time asks for less than there is; never is more given. */
	ck_assert_uint_le(sum, span_ns * 9000011 / NS_PER_S + 50 + 1);
	ck_assert_uint_ge(sum, span_ns * 9000011 / NS_PER_S - span_ns * 9000011 / NS_PER_S / 10);
}
END_TEST

static void add_common(TCase *tcase)
{
	tcase_set_timeout(tcase, 100);
	tcase_add_test(tcase, small_frames_pass_a_frame_limit_exactly_for_a_minute);
	tcase_add_test(tcase, frames_of_any_size_pass_a_bit_limit_exactly_for_a_minute);
	tcase_add_test(tcase, nothing_drifts_in_an_hour);
	tcase_add_test(tcase, a_rate_below_the_limit_loses_nothing);
	tcase_add_test(tcase, without_a_burst_a_bucket_is_a_tenth_of_a_second_deep);
	tcase_add_test(tcase, the_rates_of_the_conformance_patterns_come_out_within_two_percent);
	tcase_add_test(tcase, a_burst_smaller_than_a_frame_slows_it_down_and_does_not_bar_it);
	tcase_add_test(tcase, time_that_goes_back_fills_nothing);
	tcase_add_test(tcase, of_the_bands_exceeded_the_fastest_is_applied_and_counted);
	tcase_add_test(tcase, an_unknown_meter_passes_and_one_without_bands);
	tcase_add_test(tcase, what_cannot_be_is_refused_with_its_error);
	tcase_add_test(tcase, there_are_as_many_meters_as_the_limit_says_and_a_walk_sees_them_in_order);
	tcase_add_test(tcase, a_modified_meter_keeps_its_counters_and_begins_its_bands_anew);
	tcase_add_test(tcase, meters_decide_as_floating_buckets_do);
	tcase_add_test(tcase, meters_decide_as_exact_buckets_do_whatever_rate_and_silence);
}

int main(void)
{
	Suite *suite = suite_create("meter");
	TCase *own = tcase_create("of the daemon alone"), *shared = tcase_create("in slots");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(own, setup, teardown);
	tcase_add_checked_fixture(shared, setup_shared, teardown);
	add_common(own);
	add_common(shared);
	tcase_add_test(shared, a_meter_with_more_bands_than_a_slot_has_is_the_daemons_alone);
	tcase_add_test(shared, a_modified_or_deleted_meter_gives_its_slot_back_when_no_flow_holds_it);
	tcase_add_test(shared, a_meter_that_found_no_slot_gets_the_next_that_is_free_and_goes_on_there);
	tcase_add_test(shared, who_waits_for_a_slot_may_go_and_who_wants_none_does_not_wait);
	tcase_add_test(shared, the_same_meter_of_the_next_daemon_goes_on_in_its_slot);
	tcase_add_test(shared, without_a_sweep_a_bucket_found_far_out_of_reach_is_empty_once);
	tcase_add_test(shared, threads_that_share_a_bucket_get_together_what_it_gives);
	suite_add_tcase(suite, own);
	suite_add_tcase(suite, shared);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
