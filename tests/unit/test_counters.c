/* SPDX-License-Identifier: BSD-2-Clause */
/* Sums over rows that this test writes as the program on two CPUs would, and the daemon. */
#include "dataplane/counters.h"

#include "dataplane/datapath.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>

#define N_CPUS  2
#define N_FLOWS 8
#define PORT    5
#define OTHER   6

static struct dp_memory memory;

static void setup(void)
{
	uint32_t n_rows = N_CPUS + 1;

	memory.config = calloc(1, sizeof(*memory.config));
	memory.rows = calloc(n_rows, dp_row_size(N_FLOWS));
	memory.drops = calloc(n_rows * SW_MAX_PORTS * SW_DROP_SLOTS, sizeof(*memory.drops));
	memory.lookup_stats = calloc(n_rows, sizeof(*memory.lookup_stats));
	memory.tell_stats = calloc(n_rows * SW_MAX_PORTS, sizeof(*memory.tell_stats));
	ck_assert(memory.tell_stats && memory.config && memory.rows && memory.drops && memory.lookup_stats);
	memory.config->n_rows = n_rows;
	memory.config->n_flows = N_FLOWS;
}

static void teardown(void)
{
	free(memory.config);
	free(memory.rows);
	free(memory.drops);
	free(memory.lookup_stats);
	free(memory.tell_stats);
}

static struct sw_port_stats *stats(uint32_t row, uint16_t port)
{
	return dp_port_stats(&memory, row, port);
}

static __u64 *drops(uint32_t row, uint16_t port)
{
	return &memory.drops[(row * SW_MAX_PORTS + port) * SW_DROP_SLOTS];
}

/* On both CPUs and two ports: 100 frames, of which 10 missed, 70 were looked up, 30 of them by a walk, and 20 were not.
 */
static void write_lookups(void)
{
	*stats(0, PORT) = (struct sw_port_stats){.rx_frames = 60, .mega_hits = 41, .misses = 4};
	*stats(1, PORT) = (struct sw_port_stats){.rx_frames = 30, .mega_hits = 22, .misses = 3};
	*stats(1, OTHER) = (struct sw_port_stats){.rx_frames = 10, .mega_hits = 7, .misses = 3};
	memory.lookup_stats[0] = (struct sw_lookup_stats){.walks = 22, .found = 18, .probes = 50, .looks = 30};
	memory.lookup_stats[1] = (struct sw_lookup_stats){.walks = 18, .found = 12, .probes = 70, .looks = 31};
}

static void check_lookups(void)
{
	struct lookup_counters sums;

	counters_read_lookups(&memory, &sums);
	ck_assert_uint_eq(sums.frames, 100);
	ck_assert_uint_eq(sums.home, 40);
	ck_assert_uint_eq(sums.hints, 20);
	ck_assert_uint_eq(sums.walks, 30);
	ck_assert_uint_eq(sums.misses, 10);
	ck_assert_uint_eq(sums.searches, 40);
	ck_assert_uint_eq(sums.probes, 120);
	ck_assert_uint_eq(sums.looks, 61);
}

START_TEST(the_stages_of_lookup_add_up_to_the_frames)
{
	write_lookups();
	check_lookups();
}
END_TEST

START_TEST(a_port_that_goes_takes_no_lookups_with_it)
{
	write_lookups();
	counters_retire_port(&memory, PORT);
	ck_assert_uint_eq(stats(0, PORT)->rx_frames, 0);
	check_lookups();
	counters_retire_port(&memory, OTHER);
	check_lookups();
}
END_TEST

START_TEST(what_an_earlier_daemon_had_not_received_died_with_it)
{
	stats(0, PORT)->upcalls = 30;
	stats(1, PORT)->upcalls = 12;
	stats(N_CPUS, PORT)->upcalls = 40;
	stats(0, OTHER)->upcalls = stats(N_CPUS, OTHER)->upcalls = 7;
	counters_bury(&memory);
	ck_assert_uint_eq(counters_read_drop(&memory, PORT, SW_DROP_NO_DAEMON), 2);
	ck_assert_uint_eq(counters_read_drop(&memory, OTHER, SW_DROP_NO_DAEMON), 0);
	counters_bury(&memory);
	ck_assert_uint_eq(counters_read_drop(&memory, PORT, SW_DROP_NO_DAEMON), 2);
}
END_TEST

START_TEST(a_frame_that_went_up_and_died_there_is_one_frame)
{
	struct switch_counters sums = {0};

	*stats(0, PORT) = (struct sw_port_stats){.rx_frames = 100, .misses = 30, .upcalls = 20};
	drops(0, PORT)[SW_DROP_NO_DAEMON] = 4;
	drops(0, PORT)[SW_DROP_UPCALL_FULL] = 6;
	stats(N_CPUS, PORT)->upcalls = 17;
	counters_bury(&memory);
	counters_read_switch(&memory, &sums);
	ck_assert_uint_eq(sums.fast_path_frames, 70);
	ck_assert_uint_eq(sums.drops[SW_DROP_NO_DAEMON], 7);
	ck_assert_uint_eq(sums.drops[SW_DROP_UPCALL_FULL], 6);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("counters");
	TCase *tcase = tcase_create("counters");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, the_stages_of_lookup_add_up_to_the_frames);
	tcase_add_test(tcase, a_port_that_goes_takes_no_lookups_with_it);
	tcase_add_test(tcase, what_an_earlier_daemon_had_not_received_died_with_it);
	tcase_add_test(tcase, a_frame_that_went_up_and_died_there_is_one_frame);
	suite_add_tcase(s, tcase);
	return s;
}

int main(void)
{
	return run_suite(suite());
}
