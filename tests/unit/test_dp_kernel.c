/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel backend on veths in a namespace of its own; see kernel_lab.h. */
#include "kernel_lab.h"

#include "dataplane/facts.h"
#include "dataplane/log.h"

#include <bpf/bpf.h>
#include <check.h>
#include <errno.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MTU       1500
#define FRAME_MAX (MTU + 18)

static struct lab lab;

static void two_ports(void)
{
	lab_enter(&lab);
	lab_wire(&lab, 0, MTU, 1);
	lab_wire(&lab, 1, MTU, 1);
	lab_open(&lab);
	lab_port(&lab, 0, FRAME_MAX, 1);
	lab_port(&lab, 1, FRAME_MAX, 1);
}

START_TEST(a_miss_goes_up_and_is_sent_out_of_another_port)
{
	uint8_t sent[200], got[2000];
	struct dp_frame frame;

	two_ports();
	lab_send(&lab, 0, sent, lab_frame(sent, 0, 1, 7, sizeof(sent)));
	ck_assert(lab_rx(&lab, &frame));
	ck_assert_uint_eq(frame.in_port, 1);
	ck_assert_uint_eq(frame.reason, SW_UPCALL_MISS);
	ck_assert_uint_eq(frame.size, sizeof(sent));
	ck_assert_mem_eq(frame.data, sent, sizeof(sent));
	ck_assert_uint_ge(frame.headroom, 64);
	ck_assert_int_eq(lab.dp->ops->tx(lab.dp, 2, &frame), 0);
	ck_assert_uint_eq(lab_receive(&lab, 1, got, sizeof(got), 50), 0); /* nothing before flush() */
	lab.dp->ops->flush(lab.dp);
	ck_assert_uint_eq(lab_receive(&lab, 1, got, sizeof(got), 1000), sizeof(sent));
	ck_assert_mem_eq(got, sent, sizeof(sent));
	lab_close(&lab, true);
}
END_TEST

START_TEST(an_installed_flow_redirects_without_the_daemon)
{
	uint8_t frame[100];
	struct dp_frame up;

	two_ports();
	lab_flow(&lab, 0, SW_OP_OUTPUT, 2);
	for (int i = 0; i < 100; i++)
		lab_send(&lab, 0, frame, lab_frame(frame, 0, 1, i, sizeof(frame)));
	ck_assert_uint_eq(lab_count(&lab, 1, 200), 100);
	lab_run(&lab, 5);
	ck_assert_uint_eq(lab.dp->ops->rx(lab.dp, &up, 1), 0);
	lab_close(&lab, true);
}
END_TEST

START_TEST(an_upcall_asked_for_by_a_flow_names_its_slot)
{
	struct dp_frame up;
	uint8_t frame[100];
	uint32_t slot;

	two_ports();
	lab_flow(&lab, 1, SW_OP_DROP, SW_DROP_RULE);
	slot = lab_flow(&lab, 0, SW_OP_UPCALL, SW_UPCALL_ACTION);
	lab_send(&lab, 0, frame, lab_frame(frame, 0, 1, 1, sizeof(frame)));
	ck_assert(lab_rx(&lab, &up));
	ck_assert_uint_eq(up.reason, SW_UPCALL_ACTION);
	ck_assert_uint_eq(up.slot, slot);
	lab.dp->ops->release(lab.dp, &up);
	lab_close(&lab, true);
}
END_TEST

/* Every frame of a burst that a fill ring can hold comes up, in order, and goes down again, in order. */
START_TEST(a_burst_keeps_its_order_up_and_down)
{
	uint8_t frame[100], got[2000];
	struct dp_frame up;

	two_ports();
	for (uint32_t i = 0; i < 400; i++)
		lab_send(&lab, 0, frame, lab_frame(frame, 0, 1, i, sizeof(frame)));
	for (uint32_t i = 0; i < 400; i++) {
		ck_assert_msg(lab_rx(&lab, &up), "frame %u", i);
		ck_assert_uint_eq(lab_number(up.data), i);
		ck_assert_int_eq(lab.dp->ops->tx(lab.dp, 2, &up), 0);
	}
	lab.dp->ops->flush(lab.dp);
	for (uint32_t i = 0; i < 400; i++) {
		ck_assert_uint_eq(lab_receive(&lab, 1, got, sizeof(got), 500), sizeof(frame));
		ck_assert_uint_eq(lab_number(got), i);
	}
	lab_close(&lab, true);
}
END_TEST

/* More than the UMEM holds, a batch at a time: no frame may be lost in the books (X1). */
START_TEST(frames_are_not_used_up)
{
	struct dp_frame up;
	uint8_t frame[100];

	two_ports();
	for (uint32_t i = 0; i < 12000; i++) {
		lab_send(&lab, 0, frame, lab_frame(frame, 0, 1, i, sizeof(frame)));
		if (i % 50)
			continue;
		for (int n = 0; n < (i ? 50 : 1); n++) {
			ck_assert_msg(lab_rx(&lab, &up), "frame %u", i);
			if (n % 3 == 0)
				lab.dp->ops->tx_copy(lab.dp, 2, up.data, up.size);
			if (n % 2)
				ck_assert_int_eq(lab.dp->ops->tx(lab.dp, 2, &up), 0);
			else
				lab.dp->ops->release(lab.dp, &up);
		}
		lab.dp->ops->flush(lab.dp);
	}
	lab_close(&lab, true);
}
END_TEST

static void wire_jumbo(int mtu)
{
	lab_enter(&lab);
	lab_wire(&lab, 0, mtu, 1);
	lab_wire(&lab, 1, mtu, 1);
	lab_open(&lab);
	lab_port(&lab, 0, mtu + 18, 1);
	lab_port(&lab, 1, mtu + 18, 1);
}

static void up_and_down(uint32_t size)
{
	static uint8_t sent[70000], got[70000];
	struct dp_frame up;

	lab_send(&lab, 0, sent, lab_frame(sent, 0, 1, size, size));
	ck_assert_msg(lab_rx(&lab, &up), "%u bytes", size);
	ck_assert_uint_eq(up.size, size);
	ck_assert_mem_eq(up.data, sent, size);
	ck_assert_int_eq(lab.dp->ops->tx_copy(lab.dp, 2, up.data, up.size), 0);
	ck_assert_int_eq(lab.dp->ops->tx(lab.dp, 2, &up), 0);
	lab.dp->ops->flush(lab.dp);
	for (int i = 0; i < 2; i++) {
		ck_assert_msg(lab_receive(&lab, 1, got, sizeof(got), 1000) == size, "%u bytes, %d", size, i);
		ck_assert_mem_eq(got, sent, size);
	}
}

/* Without it a frame that one buffer cannot hold is dropped, and the drop has a name. */
static void only_short_frames(void)
{
	static uint8_t sent[9014];
	struct dp_frame up;

	up_and_down(3840);
	lab_send(&lab, 0, sent, lab_frame(sent, 0, 1, 1, sizeof(sent)));
	ck_assert(!lab_rx(&lab, &up));
	ck_assert_uint_eq(lab_drops(&lab, 1, SW_DROP_UPCALL_TOO_BIG), 1);
	ck_assert_int_eq(lab.dp->ops->tx_copy(lab.dp, 2, sent, sizeof(sent)), -EMSGSIZE);
	lab_close(&lab, true);
}

START_TEST(jumbo_frames_go_up_and_down_whole)
{
	wire_jumbo(9000);
	if (!lab_has_multi_buffer()) {
		only_short_frames();
		return;
	}
	for (uint32_t size = 3820; size < 3870; size++)
		up_and_down(size);
	for (uint32_t size = 4080; size < 4110; size++)
		up_and_down(size);
	for (uint32_t size = 7660; size < 7700; size++)
		up_and_down(size);
	up_and_down(9014);
	lab_close(&lab, true);
}
END_TEST

START_TEST(the_longest_frames_go_up_and_down_whole)
{
	wire_jumbo(65000);
	if (!lab_has_multi_buffer()) {
		only_short_frames();
		return;
	}
	up_and_down(40000);
	up_and_down(65014);
	lab_close(&lab, true);
}
END_TEST

START_TEST(a_peer_without_napi_is_reached_by_tx)
{
	uint8_t frame[100];

	two_ports();
	lab_sh("ethtool -K hkb1 gro off 2>/dev/null");
	lab_flow(&lab, 0, SW_OP_OUTPUT, 2);
	lab_frame(frame, 0, 1, 1, sizeof(frame));
	lab_send(&lab, 0, frame, sizeof(frame));
	ck_assert_uint_eq(lab_count(&lab, 1, 100), 0); /* by redirect it is not */
	ck_assert_int_eq(lab.dp->ops->tx_copy(lab.dp, 2, frame, sizeof(frame)), 0);
	lab.dp->ops->flush(lab.dp);
	ck_assert_uint_eq(lab_count(&lab, 1, 200), 1);
	lab_close(&lab, true);
}
END_TEST

START_TEST(tx_says_why_it_cannot)
{
	struct dp_port port;
	struct complaint c;
	uint8_t frame[100];

	two_ports();
	lab_frame(frame, 0, 1, 1, sizeof(frame));
	ck_assert_int_eq(lab.dp->ops->tx_copy(lab.dp, 9, frame, sizeof(frame)), -ENODEV);
	ck_assert_int_eq(lab.dp->ops->tx_copy(lab.dp, 2, frame, 0), -EMSGSIZE);
	lab_sh("ip link set hkb0 down");
	ck_assert_int_eq(lab.dp->ops->tx_copy(lab.dp, 2, frame, sizeof(frame)), 0);
	lab.dp->ops->flush(lab.dp);
	ck_assert_int_eq(lab.dp->ops->tx_copy(lab.dp, 2, frame, sizeof(frame)), -ENETDOWN);
	lab_sh("ip link set hkb0 up");
	ck_assert_int_eq(lab.dp->ops->tx_copy(lab.dp, 2, frame, sizeof(frame)), 0);
	lab.dp->ops->flush(lab.dp);
	ck_assert_uint_ge(lab_count(&lab, 1, 200), 1);
	port = lab_port_record(&lab, 1, FRAME_MAX, 1);
	port.ifindex = 99999;
	ck_assert_int_eq(lab.dp->ops->port_put(lab.dp, &port, &c), -ENODEV);
	lab_close(&lab, true);
}
END_TEST

/* ---- floods ---- */

static void ports(int n)
{
	lab_enter(&lab);
	for (int i = 0; i < n; i++)
		lab_wire(&lab, i, MTU, 1);
	lab_open(&lab);
	for (int i = 0; i < n; i++)
		lab_port(&lab, i, FRAME_MAX, 1);
}

static void flood_reaches(int n, unsigned reached)
{
	static uint32_t number;
	uint8_t frame[100];

	lab_send(&lab, 0, frame, lab_frame(frame, 0, -1, ++number, sizeof(frame)));
	for (int i = 0; i < n; i++)
		ck_assert_msg(lab_count(&lab, i, 30) == (reached >> i & 1), "guest %d, of %x", i, reached);
}

START_TEST(a_set_follows_its_members)
{
	static const uint16_t ids[] = {1, 2, 3, 4};

	ports(4);
	ck_assert_int_eq(lab.dp->ops->set_put(lab.dp, 3, ids, 3), 0);
	lab_flow(&lab, 0, SW_OP_BROADCAST, 3);
	flood_reaches(4, 0x6);
	ck_assert_int_eq(lab.dp->ops->set_put(lab.dp, 3, ids, 4), 0);
	flood_reaches(4, 0xe);
	ck_assert_int_eq(lab.dp->ops->set_put(lab.dp, 3, ids + 2, 2), 0);
	flood_reaches(4, 0xc);
	lab.dp->ops->port_remove(lab.dp, 4);
	ck_assert_int_eq(lab.dp->ops->set_put(lab.dp, 3, ids, 4), 0); /* 4 has no device now */
	flood_reaches(4, 0x6);
	lab.dp->ops->set_remove(lab.dp, 3);
	flood_reaches(4, 0);
	ck_assert_uint_eq(lab_drops(&lab, 1, SW_DROP_NO_OUTPUT), 1);
	lab_close(&lab, true);
}
END_TEST

START_TEST(a_set_grows_and_shrinks)
{
	uint16_t ids[LAB_PORTS];

	ports(LAB_PORTS);
	for (int i = 0; i < LAB_PORTS; i++)
		ids[i] = i + 1;
	ck_assert_int_eq(lab.dp->ops->set_put(lab.dp, 0, ids, 2), 0);
	lab_flow(&lab, 0, SW_OP_BROADCAST, 0);
	flood_reaches(LAB_PORTS, 0x2);
	ck_assert_int_eq(lab.dp->ops->set_put(lab.dp, 0, ids, LAB_PORTS), 0);
	flood_reaches(LAB_PORTS, 0xfffffe);
	ck_assert_int_eq(lab.dp->ops->set_put(lab.dp, 0, ids, 3), 0);
	flood_reaches(LAB_PORTS, 0x6);
	lab_close(&lab, true);
}
END_TEST

static double seconds(void)
{
	return (double)lab.reactor.now_ns(NULL) / 1e9;
}

/* Else each new flood would hold up the daemon for a grace period. */
START_TEST(a_new_set_comes_from_stock)
{
	static const uint16_t ids[] = {1, 2};
	double before;

	two_ports();
	for (int i = 0; i < 40; i++) {
		lab_run(&lab, 20);
		ck_assert_int_eq(lab.dp->ops->set_put(lab.dp, i, ids, 2), 0);
		lab_run(&lab, i % 8 ? 0 : 400);
	}
	before = seconds();
	ck_assert_int_eq(lab.dp->ops->set_put(lab.dp, 40, ids, 2), 0);
	ck_assert_msg(seconds() - before < 0.004, "%.1f ms", (seconds() - before) * 1000);
	lab_close(&lab, true);
}
END_TEST

START_TEST(grace_ends_once_for_what_was_asked)
{
	two_ports();
	lab_run(&lab, 500);
	ck_assert_uint_eq(lab.n_graces, 0); /* the stock of sets is nobody's grace period */
	lab.dp->ops->grace(lab.dp);
	ck_assert_uint_eq(lab.n_graces, 0);
	lab_run(&lab, 700);
	ck_assert_uint_eq(lab.n_graces, 1);
	lab.dp->ops->grace(lab.dp);
	lab.dp->ops->grace(lab.dp);
	lab_run(&lab, 1000);
	ck_assert_uint_ge(lab.n_graces, 2);
	ck_assert_uint_le(lab.n_graces, 3);
	lab_close(&lab, true);
}
END_TEST

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

/* Whatever the frame asked about before it would have taken in advance. */
START_TEST(a_probe_finds_meters_as_they_are_and_takes_nothing)
{
	const uint64_t slow = 4000000000; /* four seconds a frame: nothing is filled in while this runs */
	struct timespec now;
	struct sw_meter *meter;
	struct sw_flow *flow;
	struct dp_probe probe;
	uint8_t frame[100];
	uint32_t slot;

	two_ports();
	slot = lab_flow(&lab, 0, SW_OP_METER, 7);
	flow = &lab.dp->memory.flows[slot];
	flow->steps[1] = (struct sw_step){.op = SW_OP_OUTPUT, .arg = 2};
	flow->n_steps = 2;
	meter = &lab.dp->memory.meters[7];
	*meter = (struct sw_meter){.id = 1, .n_bands = 1, .flags = SW_METER_FRAMES};
	meter->bands[0] =
		(struct sw_meter_band){.depth = 1000 * slow, .fill = 1, .price = slow, .drops = 1, .credit = 64};
	lab_frame(frame, 0, 1, 1, sizeof(frame));
	ck_assert_int_eq(lab.dp->ops->probe(lab.dp, lab.ifindex[0], frame, sizeof(frame), &probe), 0);
	ck_assert_str_eq(probe.verdict, "redirect");
	ck_assert_uint_eq(probe.out_port, 2);
	ck_assert_uint_eq(meter->bands[0].full_at, 0);
	clock_gettime(CLOCK_BOOTTIME, &now);
	meter->bands[0].full_at = (uint64_t)now.tv_sec * 1000000000 + 1000 * slow;
	ck_assert_int_eq(lab.dp->ops->probe(lab.dp, lab.ifindex[0], frame, sizeof(frame), &probe), 0);
	ck_assert_str_eq(probe.verdict, "drop");
	ck_assert_int_eq(probe.drop, SW_DROP_METER);
	ck_assert(probe.cached);
	ck_assert_uint_eq(probe.slot, slot);
	meter->bands[0].full_at = 0;
	ck_assert_int_eq(lab.dp->ops->probe(lab.dp, lab.ifindex[0], frame, sizeof(frame), &probe), 0);
	ck_assert_str_eq(probe.verdict, "redirect");
	ck_assert(probe.cached);
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

/* ---- devices come and go ---- */

START_TEST(a_port_whose_device_vanished_is_removed_and_comes_back)
{
	struct dp_frame up;
	uint8_t frame[100];

	two_ports();
	lab_sh("ip link del hka0");
	lab_run(&lab, 20);
	lab.dp->ops->port_remove(lab.dp, 1);
	lab.dp->ops->port_remove(lab.dp, 1);
	lab_wire(&lab, 0, MTU, 1);
	lab_port(&lab, 0, FRAME_MAX, 1);
	lab_send(&lab, 0, frame, lab_frame(frame, 0, 1, 1, sizeof(frame)));
	ck_assert(lab_rx(&lab, &up));
	ck_assert_uint_eq(up.in_port, 1);
	lab.dp->ops->release(lab.dp, &up);
	lab_send(&lab, 1, frame, lab_frame(frame, 1, 0, 2, sizeof(frame)));
	ck_assert(lab_rx(&lab, &up));
	lab.dp->ops->release(lab.dp, &up);
	lab_close(&lab, true);
}
END_TEST

/* A queue whose socket was just closed is free a little later: nobody has to wait for it. */
START_TEST(a_port_removed_and_put_at_once_gets_its_misses_again)
{
	struct dp_frame up;
	uint8_t frame[100];

	two_ports();
	for (int i = 0; i < 3; i++) {
		lab.dp->ops->port_remove(lab.dp, 1);
		lab_port(&lab, 0, FRAME_MAX, 1);
		lab_run(&lab, 500);
		lab_send(&lab, 0, frame, lab_frame(frame, 0, 1, i, sizeof(frame)));
		ck_assert_msg(lab_rx(&lab, &up), "turn %d", i);
		ck_assert_uint_eq(lab_number(up.data), i);
		lab.dp->ops->release(lab.dp, &up);
	}
	lab_close(&lab, true);
}
END_TEST

START_TEST(every_queue_has_its_socket)
{
	struct dp_frame up;
	uint8_t frame[100];
	unsigned n = 0;

	lab_enter(&lab);
	lab_wire(&lab, 0, MTU, 4);
	lab_wire(&lab, 1, MTU, 1);
	lab_open(&lab);
	lab_port(&lab, 0, FRAME_MAX, 4);
	lab_port(&lab, 1, FRAME_MAX, 1);
	for (uint32_t i = 0; i < 200; i++)
		lab_send(&lab, 0, frame, lab_frame(frame, 0, 1, i, sizeof(frame)));
	while (lab_rx(&lab, &up)) {
		ck_assert_uint_eq(up.in_port, 1);
		lab.dp->ops->release(lab.dp, &up);
		n++;
	}
	ck_assert_uint_eq(n + lab_drops(&lab, 1, SW_DROP_UPCALL_FULL), 200); /* D1: the rest has a name */
	ck_assert_uint_ge(n, 128);
	lab_close(&lab, true);
}
END_TEST

/* ---- spreading ---- */

static void spread_over(const char *cpus)
{
	struct dp_port port = lab_port_record(&lab, 0, FRAME_MAX, 1);
	struct complaint c = {""};

	ck_assert_int_eq(cpu_list_parse(cpus, SW_MAX_SPREAD, &port.cpus, &c), 0);
	ck_assert_msg(lab.dp->ops->port_put(lab.dp, &port, &c) == 0, "%s", c.text);
}

static void send_miss(uint32_t number)
{
	uint8_t frame[100];

	lab_send(&lab, 0, frame, lab_frame(frame, 0, 1, number, sizeof(frame)));
}

static void expect_up(uint32_t number)
{
	struct dp_frame up;

	send_miss(number);
	ck_assert_msg(lab_rx(&lab, &up), "number %u", number);
	ck_assert_uint_eq(lab_number(up.data), number);
	ck_assert_uint_eq(up.in_port, 1);
	lab.dp->ops->release(lab.dp, &up);
}

/* It does not go up, and that is named. What else a guest's kernel has to say may be lost beside it. */
static void expect_lost(uint32_t number)
{
	uint64_t before = lab_drops(&lab, 1, SW_DROP_NO_DAEMON);
	struct dp_frame up;

	send_miss(number);
	for (int i = 0; i < 100 && lab_drops(&lab, 1, SW_DROP_NO_DAEMON) == before; i++)
		usleep(10000);
	ck_assert_uint_gt(lab_drops(&lab, 1, SW_DROP_NO_DAEMON), before);
	ck_assert_uint_eq(lab.dp->ops->rx(lab.dp, &up, 1), 0);
}

static void take_collector_away(void)
{
	int fd = bpf_obj_get(LAB_BPFFS "/collectors");
	uint32_t cpu = 0;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bpf_map_delete_elem(fd, &cpu), 0);
	close(fd);
}

/* M2: nothing goes up between the last frame that did directly and the first that is collected. */
START_TEST(a_port_that_is_spread_has_its_misses_collected)
{
	struct dp_probe probe;
	uint8_t frame[100];

	two_ports();
	expect_up(1);
	spread_over("0");
	expect_lost(2); /* the grace period may be over, but nobody has heard of it */
	lab_run(&lab, 500);
	expect_up(3);
	ck_assert_int_eq(
		lab.dp->ops->probe(lab.dp, lab.ifindex[0], frame, lab_frame(frame, 0, 1, 9, sizeof(frame)), &probe), 0);
	ck_assert(probe.went_up);
	take_collector_away();
	expect_lost(4);
	lab_close(&lab, true);
}
END_TEST

/* Who knows what is still on its way there. */
START_TEST(a_port_that_was_spread_once_keeps_its_collector)
{
	two_ports();
	spread_over("0");
	lab_run(&lab, 500);
	spread_over("none");
	lab_run(&lab, 500);
	expect_up(1);
	lab_close(&lab, false);
	lab_open(&lab);
	ck_assert(lab.dp->adopted);
	lab_port(&lab, 0, FRAME_MAX, 1);
	lab_port(&lab, 1, FRAME_MAX, 1);
	lab_run(&lab, 500);
	expect_up(2);
	take_collector_away();
	expect_lost(3);
	lab_close(&lab, true);
}
END_TEST

/* Nobody writes into its sockets yet, so there is nothing to wait for. */
START_TEST(a_new_port_is_spread_at_once)
{
	struct dp_port port;
	struct sw_port record;
	struct complaint c = {""};
	int fd;

	two_ports();
	fd = bpf_obj_get(LAB_BPFFS "/ports");
	lab.dp->ops->port_remove(lab.dp, 1);
	port = lab_port_record(&lab, 0, FRAME_MAX, 1);
	cpu_list_add(&port.cpus, 0);
	ck_assert_msg(lab.dp->ops->port_put(lab.dp, &port, &c) == 0, "%s", c.text);
	ck_assert_int_eq(bpf_map_lookup_elem(fd, &port.ifindex, &record), 0);
	ck_assert_uint_eq(record.flags & (SW_PORT_COLLECT | SW_PORT_TURNING), SW_PORT_COLLECT);
	close(fd);
	lab_close(&lab, true);
}
END_TEST

/* ---- refusals ---- */

START_TEST(a_device_with_another_program_is_refused_by_name)
{
	struct dp_port port;
	struct complaint c = {""};
	enum dp_mode mode;
	char why[200];

	lab_enter(&lab);
	lab_wire(&lab, 0, MTU, 1);
	lab_open(&lab);
	lab_sh("bpftool net attach xdpdrv pinned " LAB_BPFFS "/prog-ingress dev hka0");
	port = lab_port_record(&lab, 0, FRAME_MAX, 1);
	ck_assert_int_eq(lab.dp->ops->port_put(lab.dp, &port, &c), 0);
	ck_assert_int_eq(lab.dp->ops->attach(lab.dp, 1, NULL, &mode, why, sizeof(why), &c), -EBUSY);
	ck_assert_msg(strstr(c.text, "hka0 is already owned by another XDP program (id ") != NULL, "%s", c.text);
	ck_assert_msg(strstr(c.text, "name sw_ingress") != NULL, "%s", c.text);
	lab.dp->ops->port_remove(lab.dp, 1);
	lab_close(&lab, true);
}
END_TEST

START_TEST(a_driver_without_xdp_gets_generic_mode_and_the_reason)
{
	struct dp_port port = {.id = 1, .n_queues = 1, .max_frame = FRAME_MAX, .max_rx_frame = FRAME_MAX};
	struct complaint c = {""};
	enum dp_mode mode = DP_MODE_NATIVE, native = DP_MODE_NATIVE;
	char why[200];

	lab_enter(&lab);
	port.ifindex = if_nametoindex("lo");
	lab_open(&lab);
	ck_assert_msg(lab.dp->ops->port_put(lab.dp, &port, &c) == 0, "%s", c.text);
	ck_assert_msg(lab.dp->ops->attach(lab.dp, 1, NULL, &mode, why, sizeof(why), &c) == 0, "%s", c.text);
	ck_assert_int_eq(mode, DP_MODE_GENERIC);
	ck_assert_msg(strstr(why, "nderlying driver does not support XDP in native mode") != NULL, "%s", why);
	lab.dp->ops->port_remove(lab.dp, 1);
	ck_assert_int_eq(lab.dp->ops->port_put(lab.dp, &port, &c), 0);
	ck_assert_int_ne(lab.dp->ops->attach(lab.dp, 1, &native, &mode, why, sizeof(why), &c), 0);
	ck_assert_msg(strstr(c.text, "lo refuses the program in native mode: ") != NULL, "%s", c.text);
	lab_close(&lab, true);
}
END_TEST

START_TEST(hardware_offload_is_refused_with_the_reason)
{
	enum dp_mode offload = DP_MODE_OFFLOAD, mode;
	struct complaint c = {""};
	struct dp_port port;
	char why[200];

	lab_enter(&lab);
	lab_wire(&lab, 0, MTU, 1);
	lab_open(&lab);
	port = lab_port_record(&lab, 0, FRAME_MAX, 1);
	ck_assert_int_eq(lab.dp->ops->port_put(lab.dp, &port, &c), 0);
	ck_assert_int_lt(lab.dp->ops->attach(lab.dp, 1, &offload, &mode, why, sizeof(why), &c), 0);
	ck_assert_msg(strstr(c.text, "hka0 cannot run the program in its hardware: ") != NULL, "%s", c.text);
	lab_close(&lab, true);
}
END_TEST

START_TEST(a_mode_that_is_asked_for_replaces_the_one_that_is)
{
	enum dp_mode generic = DP_MODE_GENERIC, native = DP_MODE_NATIVE, mode;
	struct complaint c = {""};
	struct dp_frame up;
	uint8_t frame[100];
	char why[200];

	two_ports();
	ck_assert_msg(lab.dp->ops->attach(lab.dp, 1, &generic, &mode, why, sizeof(why), &c) == 0, "%s", c.text);
	ck_assert_int_eq(mode, DP_MODE_GENERIC);
	lab_sh("ip link show hka0 | grep -q xdpgeneric");
	lab_send(&lab, 0, frame, lab_frame(frame, 0, 1, 5, sizeof(frame)));
	ck_assert(lab_rx(&lab, &up));
	ck_assert_uint_eq(lab_number(up.data), 5);
	lab.dp->ops->release(lab.dp, &up);
	ck_assert_msg(lab.dp->ops->attach(lab.dp, 1, &native, &mode, why, sizeof(why), &c) == 0, "%s", c.text);
	ck_assert_int_eq(mode, DP_MODE_NATIVE);
	lab_sh("ip link show hka0 | grep -q 'xdp '");
	lab_close(&lab, true);
}
END_TEST

START_TEST(a_directory_that_is_no_bpffs_is_refused)
{
	const struct dp_kernel_options options = {.bpffs_dir = "/tmp/hk-no-bpffs", .n_flows = 1024};
	struct complaint c = {""};

	lab_enter(&lab);
	ck_assert_int_eq(dp_kernel_create(&options, &lab.reactor, &lab.events, &lab.dp, &c), -EINVAL);
	ck_assert_msg(strstr(c.text, "/tmp/hk-no-bpffs is not on a bpffs") != NULL, "%s", c.text);
	rmdir("/tmp/hk-no-bpffs");
}
END_TEST

/* ---- asking the program ---- */

static uint64_t counters_sum(void)
{
	const struct dp_memory *memory = &lab.dp->memory;
	uint32_t n_rows = memory->config->n_rows;
	uint64_t sum = 0;

	for (uint32_t row = 0; row < n_rows; row++) {
		const uint64_t *stats = (const uint64_t *)dp_row(memory, row)->ports;

		for (size_t i = 0; i < SW_MAX_PORTS * sizeof(struct sw_port_stats) / sizeof(uint64_t); i++)
			sum += stats[i];
		for (uint32_t slot = 0; slot < LAB_N_FLOWS; slot++)
			sum += dp_flow_stats(memory, row, slot)->packets;
	}
	for (size_t i = 0; i < (size_t)n_rows * SW_MAX_PORTS * SW_DROP_SLOTS; i++)
		sum += memory->drops[i];
	return sum;
}

START_TEST(a_probe_tells_the_verdict_and_counts_nothing)
{
	struct dp_probe probe;
	uint8_t frame[100];
	uint64_t before;
	uint32_t slot;

	ports(3);
	lab_flow(&lab, 1, SW_OP_DROP, SW_DROP_VLAN_DENIED);
	slot = lab_flow(&lab, 0, SW_OP_OUTPUT, 2);
	lab_frame(frame, 0, 1, 1, sizeof(frame));
	before = counters_sum();
	ck_assert_int_eq(lab.dp->ops->probe(lab.dp, lab.ifindex[0], frame, sizeof(frame), &probe), 0);
	ck_assert_str_eq(probe.verdict, "redirect");
	ck_assert(probe.cached);
	ck_assert_uint_eq(probe.slot, slot);
	ck_assert_uint_eq(probe.size, sizeof(frame));
	ck_assert_mem_eq(probe.frame, frame, sizeof(frame));
	ck_assert_uint_eq(probe.out_port, 2);
	ck_assert(!probe.went_up);
	ck_assert_int_eq(lab.dp->ops->probe(lab.dp, lab.ifindex[1], frame, sizeof(frame), &probe), 0);
	ck_assert_str_eq(probe.verdict, "drop");
	ck_assert_int_eq(probe.drop, SW_DROP_VLAN_DENIED);
	ck_assert_uint_eq(probe.out_port, 0); /* what was counted is taken back */
	ck_assert(!probe.went_up);
	ck_assert_int_eq(lab.dp->ops->probe(lab.dp, lab.ifindex[2], frame, sizeof(frame), &probe), 0);
	ck_assert_str_eq(probe.verdict, "redirect");
	ck_assert(!probe.cached);
	ck_assert_uint_eq(probe.out_port, 0);
	ck_assert(probe.went_up);
	ck_assert_uint_eq(probe.size, sizeof(frame)); /* what the program told the daemon is no part of it */
	ck_assert_mem_eq(probe.frame, frame, sizeof(frame));
	ck_assert_uint_eq(counters_sum(), before);
	lab_close(&lab, true);
}
END_TEST

/* ---- facts ---- */

struct seen {
	unsigned texts, programs, maps, links, memory;
	uint64_t map_bytes, reckoned;
};

static unsigned which_of(const char *const *wanted, unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++) {
		if (strcmp(name, wanted[i]) == 0)
			return 1u << i;
	}
	return 0;
}

static void saw_text(void *ctx, const char *name, const char *value)
{
	static const char *const wanted[] = {"bpffs", "abi", "slow path frames", "slow path sockets"};

	((struct seen *)ctx)->texts |= which_of(wanted, 4, name);
	ck_assert_str_ne(value, "");
}

static void saw_program(void *ctx, const struct fact_program *program)
{
	static const char *const wanted[] = {"ingress", "egress", "lost-redirect", "lost-xmit", "lost-generic"};

	((struct seen *)ctx)->programs |= which_of(wanted, 5, program->name);
	ck_assert_uint_ne(program->id, 0);
	ck_assert_uint_eq(strlen(program->tag), 16);
}

static void saw_map(void *ctx, const struct fact_map *map)
{
	static const char *const wanted[] = {"core", "flows", "buckets", "rows", "drops", "lookup_stats"};
	struct seen *seen = ctx;

	seen->maps |= which_of(wanted, 6, map->name);
	seen->map_bytes += map->bytes;
	ck_assert_uint_ne(map->bytes, 0);
}

static void saw_link(void *ctx, const struct fact_link *link)
{
	static const char *const wanted[] = {"hka0", "hkb0"};

	((struct seen *)ctx)->links |= which_of(wanted, 2, link->device);
	ck_assert_str_eq(link->mode, "native");
	ck_assert_uint_eq(link->sockets.n_bound, link->n_queues);
}

static void saw_memory(void *ctx, const struct fact_memory *memory)
{
	struct seen *seen = ctx;

	seen->memory++;
	seen->reckoned = memory->maps;
	ck_assert_uint_gt(memory->frames, 0);
	ck_assert_uint_gt(memory->available, memory->maps);
}

static struct facts watching(struct seen *seen)
{
	return (struct facts){.ctx = seen,
		.text = saw_text,
		.program = saw_program,
		.map = saw_map,
		.link = saw_link,
		.memory = saw_memory};
}

START_TEST(facts_name_programs_maps_links_and_memory)
{
	struct seen seen = {0};
	struct facts facts = watching(&seen);

	two_ports();
	lab.dp->ops->describe(lab.dp, &facts);
	ck_assert_uint_eq(seen.texts, 0xf);
	ck_assert_uint_eq(seen.programs, 0x1f);
	ck_assert_uint_eq(seen.maps, 0x3f);
	ck_assert_uint_ne(seen.links, 0);
	ck_assert_uint_eq(seen.memory, 1);
	lab_close(&lab, true);
}
END_TEST

/* Within a hundredth: what differs is the kernel's own bookkeeping for each map. */
START_TEST(the_memory_that_is_reckoned_is_what_the_kernel_charges)
{
	struct seen seen = {0};
	struct facts facts = watching(&seen);

	two_ports();
	lab.dp->ops->describe(lab.dp, &facts);
	ck_assert_msg(seen.reckoned > seen.map_bytes / 100 * 99 && seen.reckoned < seen.map_bytes / 100 * 101,
		"reckoned %lu, charged %lu", seen.reckoned, seen.map_bytes);
	lab_close(&lab, true);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("dp_kernel");
	TCase *t = tcase_create("kernel");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_miss_goes_up_and_is_sent_out_of_another_port);
	tcase_add_test(t, an_installed_flow_redirects_without_the_daemon);
	tcase_add_test(t, an_upcall_asked_for_by_a_flow_names_its_slot);
	tcase_add_test(t, a_burst_keeps_its_order_up_and_down);
	tcase_add_test(t, frames_are_not_used_up);
	tcase_add_test(t, jumbo_frames_go_up_and_down_whole);
	tcase_add_test(t, the_longest_frames_go_up_and_down_whole);
	tcase_add_test(t, a_peer_without_napi_is_reached_by_tx);
	tcase_add_test(t, tx_says_why_it_cannot);
	tcase_add_test(t, a_set_follows_its_members);
	tcase_add_test(t, a_set_grows_and_shrinks);
	tcase_add_test(t, a_new_set_comes_from_stock);
	tcase_add_test(t, grace_ends_once_for_what_was_asked);
	tcase_add_test(t, cached_flows_lose_no_frame_by_kill_9_and_adoption);
	tcase_add_test(t, addresses_outlive_a_daemon_that_is_killed);
	tcase_add_test(t, a_restart_leaves_the_fdb_as_it_is);
	tcase_add_test(t, a_probe_marks_no_address_as_used);
	tcase_add_test(t, a_probe_finds_meters_as_they_are_and_takes_nothing);
	tcase_add_test(t, a_map_that_is_missing_takes_the_others_with_it);
	tcase_add_test(t, maps_of_another_abi_are_thrown_away_and_links_updated);
	tcase_add_test(t, forgetting_leaves_nothing_behind);
	tcase_add_test(t, a_port_whose_device_vanished_is_removed_and_comes_back);
	tcase_add_test(t, a_port_removed_and_put_at_once_gets_its_misses_again);
	tcase_add_test(t, every_queue_has_its_socket);
	tcase_add_test(t, a_port_that_is_spread_has_its_misses_collected);
	tcase_add_test(t, a_port_that_was_spread_once_keeps_its_collector);
	tcase_add_test(t, a_new_port_is_spread_at_once);
	tcase_add_test(t, a_device_with_another_program_is_refused_by_name);
	tcase_add_test(t, a_driver_without_xdp_gets_generic_mode_and_the_reason);
	tcase_add_test(t, hardware_offload_is_refused_with_the_reason);
	tcase_add_test(t, a_mode_that_is_asked_for_replaces_the_one_that_is);
	tcase_add_test(t, a_directory_that_is_no_bpffs_is_refused);
	tcase_add_test(t, a_probe_tells_the_verdict_and_counts_nothing);
	tcase_add_test(t, facts_name_programs_maps_links_and_memory);
	tcase_add_test(t, the_memory_that_is_reckoned_is_what_the_kernel_charges);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *runner;
	int n_failed;

	lab_need_privilege();
	if (getenv("LAB_DEBUG"))
		log_threshold(LOG_LEVEL_DEBUG);
	else
		log_threshold(LOG_LEVEL_WARN);
	runner = srunner_create(suite());
	srunner_run_all(runner, CK_NORMAL);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? 1 : 0;
}
