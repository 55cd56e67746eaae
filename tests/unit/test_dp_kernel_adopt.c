/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kernel datapath leaves behind when its daemon dies, and what the next one makes of it (R1). */
#include "tests/unit/dp_kernel_lab.h"

/* ---- nothing lost by dying ---- */

static pid_t sender(int from, int to, uint32_t n, unsigned pause_us)
{
	pid_t pid = fork();
	uint8_t frame[100];

	if (pid)
		return pid;
	for (uint32_t i = 0; i < n; i++) {
		lab_send(&lab, from, frame, lab_frame(frame, from, to, i, sizeof(frame)));
		usleep(pause_us);
	}
	_exit(0);
}

static void end(pid_t pid, int signal_number)
{
	if (signal_number)
		kill(pid, signal_number);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

/* A daemon in a process of its own that sets up two ports and what else is asked, says so, and sits there. */
static pid_t daemon_with(void (*what)(void))
{
	int said[2];
	pid_t pid;
	char c;

	ck_assert_int_eq(pipe(said), 0);
	pid = fork();
	if (!pid) {
		lab_open(&lab);
		lab_port(&lab, 0, FRAME_MAX, 1);
		lab_port(&lab, 1, FRAME_MAX, 1);
		what();
		if (write(said[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	close(said[1]);
	ck_assert_int_eq(read(said[0], &c, 1), 1);
	close(said[0]);
	return pid;
}

static void put_flow(void)
{
	lab_flow(&lab, 0, SW_OP_OUTPUT, 2);
}

START_TEST(cached_flows_lose_no_frame_by_kill_9_and_adoption)
{
	pid_t daemon, source;
	struct dp_frame up;
	uint8_t frame[100];

	lab_enter(&lab);
	lab_wire(&lab, 0, MTU, 1);
	lab_wire(&lab, 1, MTU, 1);
	daemon = daemon_with(put_flow);
	source = sender(0, 1, 5000, 200);
	usleep(100000);
	end(daemon, SIGKILL);
	usleep(100000);
	lab_open(&lab);
	ck_assert(lab.dp->adopted);
	lab_port(&lab, 0, FRAME_MAX, 1);
	lab_port(&lab, 1, FRAME_MAX, 1);
	lab_close(&lab, false);
	lab_open(&lab);
	ck_assert(lab.dp->adopted);
	lab_port(&lab, 0, FRAME_MAX, 1);
	lab_port(&lab, 1, FRAME_MAX, 1);
	end(source, 0);
	ck_assert_uint_eq(lab_count(&lab, 1, 300), 5000);
	ck_assert_uint_eq(
		dp_flow_stats(&lab.dp->memory, 0, 0)->packets + dp_flow_stats(&lab.dp->memory, 1, 0)->packets, 5000);
	lab_run(&lab, 500); /* sockets of the one before may still have held the queues */
	lab_send(&lab, 1, frame, lab_frame(frame, 1, 0, 1, sizeof(frame)));
	ck_assert(lab_rx(&lab, &up));
	lab.dp->ops->release(lab.dp, &up);
	lab_close(&lab, true);
}
END_TEST

#define LEARNED_NS  1000000001ULL
#define USED_NS     2000000002ULL
#define N_ADDRESSES 3

/* Guests 0 and 1 behind their ports, learned and seen again, and a static address that nobody has. */
static void put_addresses(void)
{
	struct fdb_key here = lab_address(0), there = lab_address(1), nowhere = lab_address(9);
	struct fdb *fdb = lab_fdb(&lab);

	fdb_learn(fdb, &here, 1, LEARNED_NS);
	fdb_learn(fdb, &there, 2, LEARNED_NS);
	ck_assert_int_eq(fdb_add_static(fdb, &nowhere, 2, LEARNED_NS, NULL), 0);
	fdb_learn(fdb, &there, 2, USED_NS);
	fdb_settle(fdb);
	fdb_destroy(fdb);
	lab_normal(&lab, 0);
}

static void check_address(const struct fdb *fdb, int i, uint16_t port, uint16_t flags, uint64_t used_ns)
{
	struct fdb_key key = lab_address(i);
	const struct fdb_entry *entry = fdb_lookup(fdb, &key);

	ck_assert_msg(entry != NULL, "guest %d is forgotten", i);
	ck_assert_uint_eq(entry->port, port);
	ck_assert_uint_eq(entry->flags, flags);
	ck_assert_uint_eq(entry->learned_ns, LEARNED_NS);
	ck_assert_uint_eq(entry->used_ns, used_ns);
}

static void known_guests_talk(uint32_t n)
{
	uint8_t frame[100];

	for (uint32_t i = 0; i < n; i++)
		lab_send(&lab, 0, frame, lab_frame(frame, 0, 1, i, sizeof(frame)));
	ck_assert_uint_eq(lab_count(&lab, 1, 200), n);
}

START_TEST(addresses_outlive_a_daemon_that_is_killed)
{
	struct fdb *fdb;
	pid_t daemon;

	lab_enter(&lab);
	lab_wire(&lab, 0, MTU, 1);
	lab_wire(&lab, 1, MTU, 1);
	daemon = daemon_with(put_addresses);
	end(daemon, SIGKILL);
	known_guests_talk(10); /* R1: by what the FDB says */
	lab_open(&lab);
	ck_assert(lab.dp->adopted);
	fdb = lab_fdb(&lab);
	ck_assert_uint_eq(fdb_count(fdb, 0), N_ADDRESSES);
	check_address(fdb, 0, 1, 0, LEARNED_NS);
	check_address(fdb, 1, 2, 0, USED_NS);
	check_address(fdb, 9, 2, FDB_STATIC, LEARNED_NS);
	fdb_harvest(fdb, 3 * USED_NS); /* what was seen while nobody was there */
	check_address(fdb, 0, 1, 0, 3 * USED_NS);
	check_address(fdb, 1, 2, 0, USED_NS);
	known_guests_talk(10);
	fdb_settle(fdb);
	known_guests_talk(10);
	fdb_destroy(fdb);
	lab_close(&lab, true);
}
END_TEST

/* Of all cells and times; 0 where there is nothing but zeros. */
static uint64_t fdb_digest(void)
{
	const struct dp_memory *m = &lab.dp->memory;
	const uint64_t *cells = (const uint64_t *)m->fdb, *times = (const uint64_t *)m->fdb_times;
	uint64_t digest = 0;

	for (size_t i = 0; i < sizeof(*m->fdb) * SW_FDB_BUCKETS / sizeof(*cells); i++)
		digest = digest * 0x9e3779b97f4a7c15 + cells[i];
	for (size_t i = 0; i < sizeof(*m->fdb_times) * SW_FDB_BUCKETS * SW_FDB_CELLS / sizeof(*times); i++)
		digest = digest * 0x9e3779b97f4a7c15 + times[i];
	return digest;
}

START_TEST(a_restart_leaves_the_fdb_as_it_is)
{
	uint64_t before;

	two_ports();
	put_addresses();
	known_guests_talk(1); /* a mark */
	before = fdb_digest();
	lab_close(&lab, false);
	lab_open(&lab);
	ck_assert(lab.dp->adopted);
	ck_assert_uint_eq(fdb_digest(), before);
	lab_close(&lab, true);
}
END_TEST

START_TEST(a_probe_marks_no_address_as_used)
{
	struct dp_probe probe;
	uint8_t frame[100];
	uint64_t before;

	two_ports();
	put_addresses();
	before = fdb_digest();
	lab_frame(frame, 0, 1, 1, sizeof(frame));
	ck_assert_int_eq(lab.dp->ops->probe(lab.dp, lab.ifindex[0], frame, sizeof(frame), &probe), 0);
	ck_assert_str_eq(probe.verdict, "redirect");
	ck_assert_uint_eq(fdb_digest(), before);
	lab_close(&lab, true);
}
END_TEST

/* Half a table would be believed: without its times an address is as old as the machine. */
START_TEST(a_map_that_is_missing_takes_the_others_with_it)
{
	two_ports();
	put_addresses();
	lab_close(&lab, false);
	ck_assert_int_eq(unlink(LAB_BPFFS "/fdb_times"), 0);
	log_threshold(LOG_LEVEL_ERROR);
	lab_open(&lab);
	ck_assert(!lab.dp->adopted);
	ck_assert(lab.dp->inherited);
	ck_assert_uint_eq(fdb_digest(), 0);
	lab_close(&lab, true);
}
END_TEST

START_TEST(maps_of_another_abi_are_thrown_away_and_links_updated)
{
	unsigned before;
	uint8_t frame[100];
	struct dp_frame up;

	two_ports();
	put_addresses();
	before = lab_link_id(&lab, 0);
	ck_assert_uint_ne(before, 0);
	lab.dp->memory.registry->abi_version = SW_ABI_VERSION + 1;
	lab_close(&lab, false);
	lab_send(&lab, 0, frame, lab_frame(frame, 0, 1, 1, sizeof(frame)));
	ck_assert_uint_eq(lab_count(&lab, 1, 100), 1);
	log_threshold(LOG_LEVEL_ERROR);
	lab_open(&lab);
	ck_assert(!lab.dp->adopted);
	ck_assert(lab.dp->inherited);
	ck_assert(lab.dp->ops->owns(lab.dp, lab.ifindex[0]));
	ck_assert_uint_eq(lab.dp->memory.config->n_order, 0);
	ck_assert_uint_eq(fdb_digest(), 0);
	lab_port(&lab, 0, FRAME_MAX, 1);
	lab_port(&lab, 1, FRAME_MAX, 1);
	ck_assert_uint_eq(lab_link_id(&lab, 0), before);
	lab_run(&lab, 300);
	lab_send(&lab, 0, frame, lab_frame(frame, 0, 1, 2, sizeof(frame)));
	ck_assert(lab_rx(&lab, &up)); /* the new program, which knows no flows */
	lab.dp->ops->release(lab.dp, &up);
	lab_close(&lab, true);
}
END_TEST

START_TEST(forgetting_leaves_nothing_behind)
{
	struct stat st;

	two_ports();
	lab_close(&lab, true);
	ck_assert_int_ne(stat(LAB_BPFFS, &st), 0);
	ck_assert_int_ne(stat("/sys/fs/bpf/hk", &st), 0);
	lab_sh("! ip link show hka0 | grep -q xdp");
	lab_sh("! ip link show hkb0 | grep -q xdp");
	lab_open(&lab);
	ck_assert(!lab.dp->adopted);
	lab_close(&lab, true);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("dp_kernel_adopt");
	TCase *t = tcase_create("kernel");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, cached_flows_lose_no_frame_by_kill_9_and_adoption);
	tcase_add_test(t, addresses_outlive_a_daemon_that_is_killed);
	tcase_add_test(t, a_restart_leaves_the_fdb_as_it_is);
	tcase_add_test(t, a_probe_marks_no_address_as_used);
	tcase_add_test(t, a_map_that_is_missing_takes_the_others_with_it);
	tcase_add_test(t, maps_of_another_abi_are_thrown_away_and_links_updated);
	tcase_add_test(t, forgetting_leaves_nothing_behind);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return lab_main(suite());
}
