/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What CPUs take of a meter's buckets in advance (bpf/meter.h), with the daemon beside them: against an exact bucket
 * that has all of the burst, and against the arithmetic of seconds. Time is injected.
 */
#include "tests/unit/meter_lab.h"
#include "tests/unit/seeded.h"
#include "tests/unit/suite.h"

#define N_STEPS 200000
#define RUSH    3000 /* frames at once */

static struct sw_credit *credit_of(uint32_t id, uint32_t cpu)
{
	return &dp_row(&dp->memory, cpu)->credits[meters_find(meters, id)->slot];
}

/* As a CPU runs it, or, behind the last of them, as the daemon does. */
static uint32_t run_on(uint32_t id, uint32_t cpu, uint32_t size, uint64_t now_ns)
{
	struct sw_meter *meter = meter_slots_at(slots, meters_find(meters, id)->slot);
	struct sw_credit *credit = credit_of(id, cpu);

	if (cpu == DP_MEMORY_CPUS)
		return sw_meter_run(meter, size, now_ns);
	return sw_credit_spend(credit, size) ? SW_METER_BANDS : sw_meter_run_on(meter, credit, size, now_ns);
}

/* Short ones for the most part, of which a credit is worth many; now and then one that is more than any credit. */
static uint32_t random_size(struct seeded *random)
{
	return seeded_below(random, 50) ? 60 + seeded_below(random, 1U << (1 + seeded_below(random, 11)))
					: 60 + seeded_below(random, 65476);
}

/*
 * V1: whatever CPU a frame comes to, and however long one has slept on its credit, an exact bucket with all of the
 * burst would have let it through. So no span of time sees more than the burst and what was filled in.
 */
static uint32_t check_credit(struct seeded *random, bool is_kbps, uint64_t *now_ns)
{
	uint32_t rate = 1 + seeded_below(random, is_kbps ? 40000000 : 10000000), n_credited = 0;
	uint32_t burst = 1 + seeded_below(random, 1U << (is_kbps ? 14 : 12)), cpu = 0, rush = 0;
	uint64_t unit = is_kbps ? 1000 : 1, bits = is_kbps ? 60 * 8 : 1;
	struct exact_band twin = {.depth = (billionths)burst * unit * NS_PER_S, .rate = rate * unit};
	struct meter_band band = {BAND_DROP, 0, rate, burst};
	struct meter_mod asked = {.command = ADD,
		.flags = (is_kbps ? METER_KBPS : METER_PKTPS) | METER_BURST,
		.id = 1,
		.n_bands = 1,
		.bands = &band};

	mod(DELETE, 1, 0, NULL, 0);
	ck_assert_int_eq(meters_mod(meters, &asked, *now_ns), OF_OK);
	ck_assert_uint_le(set_aside(1, 0), burst * unit / 32);
	twin.level = twin.depth;
	for (uint32_t step = 0; step < N_STEPS / 20; step++) {
		uint64_t gap_ns = rush ? 0 : seeded_below(random, 1 + 4 * bits * NS_PER_S / (rate * unit));
		uint32_t size = random_size(random);

		if (!rush && !seeded_below(random, 2000))
			rush = RUSH + DP_MEMORY_CPUS;
		if (rush > RUSH) { /* each has all the credit there is when it begins, and the bucket is full */
			cpu = rush - RUSH - 1;
			gap_ns = 2 * NS_PER_S + burst * unit * NS_PER_S / (rate * unit);
		} else if (rush == RUSH) {
			gap_ns = burst * unit * NS_PER_S / (rate * unit);
		}
		if (!seeded_below(random, 100) && rush <= RUSH)
			cpu = seeded_below(random, DP_MEMORY_CPUS + 1);
		rush -= rush > 0;
		*now_ns += gap_ns;
		meter_slots_sweep(slots, *now_ns);
		exact_fill(&twin, gap_ns);
		n_credited += cpu < DP_MEMORY_CPUS && credit_of(1, cpu)->left > SW_CREDIT_LANES;
		if (run_on(1, cpu, size, *now_ns) == SW_METER_BANDS)
			ck_assert_msg(exact_take(&twin, (is_kbps ? size * 8 : 1) * (billionths)NS_PER_S),
				"seed %lu step %u: %u kb or frames a second, burst %u", random->seed, step, rate,
				burst);
	}
	return n_credited;
}

START_TEST(with_credit_no_more_passes_than_burst_and_rate_whatever_cpu_and_silence)
{
	struct seeded random = seeded_start();
	uint64_t now_ns = START_NS, n_credited = 0;

	for (int i = 0; i < 100; i++)
		n_credited += check_credit(&random, i % 2, &now_ns);
	ck_assert_uint_gt(n_credited, 10 * N_STEPS / 20);
}
END_TEST

/* V3: a meter of several bands answers as several of one band each, of which the first that a frame exceeds is told. */
START_TEST(bands_have_credit_each_by_itself)
{
	struct seeded random = seeded_start();
	uint32_t n_applied = 0, pace_ns = 1;
	uint64_t now_ns = START_NS;

	for (uint32_t step = 0; step < N_STEPS; step++) {
		uint16_t flags = (step / 20000 % 2 ? METER_KBPS : METER_PKTPS) | METER_BURST;
		uint32_t cpu = seeded_below(&random, DP_MEMORY_CPUS + 1), want = SW_METER_BANDS;
		uint32_t size = random_size(&random);

		if (step % 20000 == 0) {
			struct meter_band bands[SW_METER_BANDS];

			mod(DELETE, METER_ALL, 0, NULL, 0);
			for (uint32_t i = 0; i < SW_METER_BANDS; i++) {
				bands[i] = (struct meter_band){BAND_DROP, 0, 4000000 - i * 900000 + step,
					flags & METER_KBPS ? 300 << 2 * i : 100 << 3 * i};
				ck_assert_int_eq(mod(ADD, 2 + i, flags, &bands[i], 1), OF_OK);
			}
			ck_assert_int_eq(mod(ADD, 1, flags, bands, SW_METER_BANDS), OF_OK);
		}
		if (step % 200 == 0) /* now this band is exceeded, now that one */
			pace_ns = 1 + seeded_below(&random, 1U << seeded_below(&random, flags & METER_KBPS ? 16 : 12));
		now_ns += seeded_below(&random, pace_ns);
		meter_slots_sweep(slots, now_ns);
		for (uint32_t i = SW_METER_BANDS; i--;) {
			if (run_on(2 + i, cpu, size, now_ns) != SW_METER_BANDS)
				want = i;
		}
		ck_assert_msg(run_on(1, cpu, size, now_ns) == want, "seed %lu step %u", random.seed, step);
		n_applied += want != SW_METER_BANDS;
	}
	ck_assert(n_applied > N_STEPS / 100 && n_applied < N_STEPS - N_STEPS / 100);
}
END_TEST

/* 64-byte frames at twice the rate, on any CPU: to a thousandth what the rate is. */
START_TEST(on_credit_small_frames_come_through_at_the_rate_exactly)
{
	static const struct {
		uint16_t flags;
		uint32_t rate, a_second;
	} rows[] = {{METER_PKTPS, 1000000, 1000000}, {METER_KBPS, 512000, 1000000}, {METER_PKTPS, 999983, 999983}};
	struct seeded random = seeded_start();
	uint64_t gap_ns = NS_PER_S / rows[_i].a_second / 2, n = 0;

	add_drop(1, rows[_i].flags, rows[_i].rate, 0);
	ck_assert_uint_gt(set_aside(1, 0), 0);
	for (uint64_t t = 0; t < 5 * NS_PER_S; t += gap_ns) {
		bool passes = run_on(1, seeded_below(&random, DP_MEMORY_CPUS), 64, START_NS + t) == SW_METER_BANDS;

		n += passes && t >= NS_PER_S; /* the burst is gone by then */
	}
	ck_assert_near(n, 4 * rows[_i].a_second, 4 * rows[_i].a_second / 1000);
}
END_TEST

START_TEST(a_frame_that_exceeds_leaves_the_credit_to_smaller_ones)
{
	uint32_t n = 0;

	add_drop(1, METER_KBPS | METER_BURST, 1, 8000);
	ck_assert_uint_eq(run_on(1, 0, 1000, START_NS), SW_METER_BANDS);
	while (run_on(1, DP_MEMORY_CPUS, 1000, START_NS) == SW_METER_BANDS)
		n++;
	ck_assert_uint_eq(n, (1000000 - set_aside(1, 0) / 8 - 1000 - 1000000 / 64) / 1000);
	ck_assert_uint_eq(run_on(1, 1, 1000, START_NS), 0);
	for (uint32_t left = 1000000 / 64; left >= 1000; left -= 1000) {
		ck_assert_uint_eq(run_on(1, 0, left + 1, START_NS), 0);
		ck_assert_uint_eq(run_on(1, 0, 1000, START_NS), SW_METER_BANDS);
	}
	ck_assert_uint_eq(run_on(1, 0, 1000, START_NS), 0);
}
END_TEST

START_TEST(a_bucket_that_is_small_gives_no_credit_and_a_deep_one_a_bounded_one)
{
	static const struct {
		uint16_t flags;
		uint32_t burst, credit;
	} rows[] = {
		{METER_PKTPS, 8 * 32 * DP_MEMORY_CPUS - 1, 0},
		{METER_PKTPS, 8 * 32 * DP_MEMORY_CPUS, 8},
		{METER_PKTPS, 1000000, 64},
		{METER_KBPS, 1082, 0},
		{METER_KBPS, 1083, 2115},
		{METER_KBPS, UINT32_MAX, SW_CREDIT_MOST},
	};

	for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		add_drop(1 + i, rows[i].flags | METER_BURST, 1000, rows[i].burst);
		ck_assert_msg(
			meter_slots_at(slots, meters_find(meters, 1 + i)->slot)->bands[0].credit == rows[i].credit,
			"row %u", i);
	}
}
END_TEST

START_TEST(credit_of_a_meter_that_was_is_not_the_next_ones)
{
	struct meter_band band = {BAND_DROP, 0, 1, 1};
	uint16_t slot;

	add_drop(1, METER_PKTPS | METER_BURST, 1, 1000);
	slot = meters_find(meters, 1)->slot;
	ck_assert_uint_eq(run_on(1, 1, 60, START_NS), SW_METER_BANDS);
	ck_assert_uint_gt(credit_of(1, 1)->left, SW_CREDIT_LANES);
	for (uint32_t i = 1; i < SW_MAX_METERS - 1; i++) { /* until the slot's turn comes again */
		ck_assert_int_eq(mod(MODIFY, 1, METER_PKTPS | METER_BURST, &band, 1), OF_OK);
		ck_assert_uint_eq(run_on(1, 1, 60, START_NS), SW_METER_BANDS);
		ck_assert_uint_eq(run_on(1, 1, 60, START_NS), 0);
	}
	ck_assert_int_eq(mod(MODIFY, 1, METER_PKTPS | METER_BURST, &band, 1), OF_OK);
	ck_assert_uint_eq(meters_find(meters, 1)->slot, slot);
	ck_assert_uint_eq(run_on(1, 1, 60, START_NS), SW_METER_BANDS);
	ck_assert_uint_eq(run_on(1, 1, 60, START_NS), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("credit");
	TCase *tcase = tcase_create("in slots");
	tcase_add_checked_fixture(tcase, setup_shared, teardown);
	tcase_set_timeout(tcase, 100);
	tcase_add_test(tcase, with_credit_no_more_passes_than_burst_and_rate_whatever_cpu_and_silence);
	tcase_add_test(tcase, bands_have_credit_each_by_itself);
	tcase_add_loop_test(tcase, on_credit_small_frames_come_through_at_the_rate_exactly, 0, 3);
	tcase_add_test(tcase, a_frame_that_exceeds_leaves_the_credit_to_smaller_ones);
	tcase_add_test(tcase, a_bucket_that_is_small_gives_no_credit_and_a_deep_one_a_bounded_one);
	tcase_add_test(tcase, credit_of_a_meter_that_was_is_not_the_next_ones);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
