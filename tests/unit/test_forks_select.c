/* SPDX-License-Identifier: BSD-2-Clause */
/* Select groups: each conversation on one way, by daemon and program alike. */
#include "tests/unit/forks_lab.h"
#include "tests/unit/suite.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- select ---- */

#define N_HOSTS 200

/* Group 1: outputs 2 to 5 by these weights, each while its port is up. */
static void spread(const uint16_t weights[4])
{
	struct action lists[4][16];
	struct bucket buckets[4];
	struct group_mod mod = {.type = GROUP_TYPE_SELECT, .id = 1, .n_buckets = 4, .buckets = buckets};
	char text[16];

	for (uint32_t i = 0; i < 4; i++) {
		snprintf(text, sizeof(text), "output:%u", i + 2);
		buckets[i] = (struct bucket){.weight = weights[i],
			.watch_port = i + 2,
			.watch_group = GROUP_ANY,
			.actions = read_actions(text, lists[i])};
	}
	ck_assert_int_eq(ofbridge_group_mod(bridge, &mod), OF_OK);
	rule("group:1");
	lab_settle(&lab);
}

/* The port to which the program sends what is for this host; 0: it drops it for want of a bucket. */
static uint32_t way_of(uint8_t host)
{
	struct dp_memory_hit hit = arrive(host);

	ck_assert_ptr_nonnull(hit.flow);
	ck_assert_int_eq(hit.flow->steps[0].op, SW_OP_FORK);
	if (hit.program->steps[0].op == SW_OP_OUTPUT)
		return hit.program->steps[0].arg;
	expect_step(&hit, SW_OP_DROP, SW_DROP_NO_BUCKET);
	return 0;
}

START_TEST(a_select_group_needs_one_flow_for_all_connections)
{
	static const uint16_t weights[] = {1, 1, 1, 0};
	uint32_t hits[N_PORTS + 1] = {0};

	open_lab();
	spread(weights);
	arrive(0);
	for (int host = 0; host < N_HOSTS; host++)
		hits[way_of((uint8_t)host)]++;
	ck_assert_uint_eq(cache_count(lab.cache), 1);
	ck_assert_uint_eq(lab.dp->memory.config->depth, SW_KEY_WORDS); /* for the hash, not for its mask */
	for (int i = 0; i < 20; i++)
		cache_sweep(lab.cache, lab.now_ns += SECOND);
	ck_assert_uint_eq(lab.dp->memory.config->depth, SW_KEY_WORDS);
	for (uint32_t port = 2; port <= 4; port++)
		ck_assert_uint_gt(hits[port], N_HOSTS / 5);
	ck_assert_uint_eq(hits[0] + hits[1] + hits[5], 0);
	ck_assert_uint_eq(counted(1)->tally.packets, N_HOSTS + 1);
	dp_memory_forget_sent(lab.dp);
	for (uint32_t i = 1; i < 4; i++) /* the first frame was sent by the daemon, to one of them */
		ck_assert_uint_le(counted(1)->buckets[i].tally.packets - hits[i + 2], 1);
	close_lab();
}
END_TEST

/* The first frame of a connection by the daemon, or a controller's, and the rest by the program. */
START_TEST(daemon_and_program_send_a_connection_the_same_way)
{
	static const uint16_t weights[] = {1, 2, 3, 4};
	struct action list[16];

	open_lab();
	spread(weights);
	for (int host = 0; host < N_HOSTS; host++) {
		struct actions out = read_actions("group:1", list);
		uint32_t by_daemon, by_controller;
		uint8_t frame[SIZE];

		cache_flush(lab.cache);
		lab_let_grace_pass(&lab);
		ck_assert_ptr_null(arrive((uint8_t)host).flow);
		ck_assert_uint_eq(dp_memory_n_sent(lab.dp), 1);
		by_daemon = dp_memory_sent(lab.dp, 0).port;
		dp_memory_forget_sent(lab.dp);
		make_frame((uint8_t)host, 64, frame);
		ck_assert_int_eq(ofbridge_packet_out(bridge, 1, &out, frame, SIZE), OF_OK);
		lab.dp->ops->flush(lab.dp);
		by_controller = dp_memory_sent(lab.dp, 0).port;
		dp_memory_forget_sent(lab.dp);
		ck_assert_uint_eq(way_of((uint8_t)host), by_daemon);
		ck_assert_uint_eq(by_controller, by_daemon);
	}
	close_lab();
}
END_TEST

START_TEST(only_the_connections_of_a_port_that_goes_move_and_they_come_back)
{
	static const uint16_t weights[] = {1, 2, 1, 1};
	uint8_t before[N_HOSTS];
	uint32_t n_moved = 0, epoch;

	open_lab();
	spread(weights);
	arrive(0);
	for (int host = 0; host < N_HOSTS; host++)
		before[host] = (uint8_t)way_of((uint8_t)host);
	epoch = lab.dp->memory.config->epoch;
	link_is(3, false);
	cache_fail_over(lab.cache);
	ck_assert_uint_ne(lab.dp->memory.config->epoch, epoch); /* the program may have noted where they went */
	for (int host = 0; host < N_HOSTS; host++) {
		uint32_t now = way_of((uint8_t)host);

		ck_assert(before[host] == 3 ? now && now != 3 : now == before[host]);
		n_moved += now != before[host];
	}
	ck_assert_uint_gt(n_moved, N_HOSTS / 5);
	lab_settle(&lab);
	link_is(3, true);
	lab_settle(&lab);
	for (int host = 0; host < N_HOSTS; host++)
		ck_assert_uint_eq(way_of((uint8_t)host), before[host]);
	for (uint16_t port = 2; port <= 5; port++)
		link_is(port, false);
	cache_fail_over(lab.cache);
	ck_assert_uint_eq(way_of(7), 0);
	link_is(4, true);
	lab_settle(&lab);
	ck_assert_uint_eq(way_of(7), 4);
	close_lab();
}
END_TEST

/* ---- in which order ---- */

static struct {
	const uint32_t *live; /* where the failover group leads */
	uint32_t was_live;    /* when a table was written first */
	void *page;
	size_t size;
} watch;

static void on_write(int signal)
{
	watch.was_live = __atomic_load_n(watch.live, __ATOMIC_RELAXED);
	mprotect(watch.page, watch.size, PROT_READ | PROT_WRITE);
}

/* A page of the tables of forks 0 and 1. */
static void watch_tables(const uint32_t *live)
{
	uintptr_t tables = (uintptr_t)lab.dp->memory.fork_slots;

	watch.size = (size_t)sysconf(_SC_PAGESIZE);
	watch.page = (void *)((tables + watch.size - 1) / watch.size * watch.size);
	watch.live = live;
	watch.was_live = UINT32_MAX;
	ck_assert_uint_le((uintptr_t)watch.page + watch.size, tables + 2 * sizeof(struct sw_fork_slots));
	signal(SIGSEGV, on_write);
	ck_assert_int_eq(mprotect(watch.page, watch.size, PROT_READ), 0);
}

/* Groups 1 and 2 select, 3 fails over; each has the frames to one host, and their forks are made in this order. */
static void three_groups(void)
{
	struct instructions none = {0};

	for (uint32_t id = 1; id <= 3; id++) {
		struct flow_mod mod = {
			.command = FLOW_ADD, .priority = 9, .out_port = OF_PORT_ANY, .out_group = GROUP_ANY};
		struct action list[16];
		struct actions apply;
		char text[16];

		group(0, id, id < 3 ? GROUP_TYPE_SELECT : GROUP_TYPE_FF,
			BUCKETS({"output:2", 2, 0}, {"output:3", 3, 0}));
		snprintf(text, sizeof(text), "group:%u", id);
		apply = read_actions(text, list);
		memset(mod.match.mask.fast.f.eth_dst, 0xff, 6);
		memcpy(mod.match.key.fast.f.eth_dst, (uint8_t[6]){2, 0, 0, 0, 0, (uint8_t)id}, 6);
		mod.instructions = instructions_create(&none, &apply, &(struct actions){0});
		ck_assert_int_eq(ofbridge_flow_mod(bridge, &mod), OF_OK);
		free(mod.instructions);
	}
	lab_settle(&lab);
	for (uint8_t host = 1; host <= 3; host++)
		arrive(host);
}

START_TEST(a_failover_does_not_wait_until_select_groups_are_spread)
{
	open_lab();
	three_groups();
	ck_assert(forks_is_select(sets_forks(lab.sets), 0) && forks_is_select(sets_forks(lab.sets), 1));
	ck_assert(forks_exist(sets_forks(lab.sets), 2) && !forks_is_select(sets_forks(lab.sets), 2));
	watch_tables(&lab.dp->memory.forks[2].live);
	link_is(2, false);
	cache_fail_over(lab.cache);
	signal(SIGSEGV, SIG_DFL);
	ck_assert_uint_eq(watch.was_live, 1);
	close_lab();
}
END_TEST

/* A share of less than one 64th is too small for the table. */
START_TEST(weights_that_are_too_uneven_take_a_flow_for_each_connection)
{
	static const uint16_t uneven[] = {1, 100, 1, 1};

	open_lab();
	spread(uneven);
	arrive(0);
	lab_let_grace_pass(&lab); /* from here on the program parses for it */
	for (uint8_t host = 0; host < 10; host++)
		arrive(host);
	for (uint8_t host = 0; host < 10; host++)
		ck_assert_int_eq(arrive(host).flow->steps[0].op, SW_OP_OUTPUT);
	ck_assert_uint_eq(cache_count(lab.cache), 10);
	close_lab();
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("all");
	Suite *suite = suite_create("forks_select");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_select_group_needs_one_flow_for_all_connections);
	tcase_add_test(t, daemon_and_program_send_a_connection_the_same_way);
	tcase_add_test(t, only_the_connections_of_a_port_that_goes_move_and_they_come_back);
	tcase_add_test(t, a_failover_does_not_wait_until_select_groups_are_spread);
	tcase_add_test(t, weights_that_are_too_uneven_take_a_flow_for_each_connection);
	suite_add_tcase(suite, t);
	return run_suite(suite);
}
