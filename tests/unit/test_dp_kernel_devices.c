/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel datapath and its devices: they come, go, are spread over CPUs and refuse; and what it says of itself. */
#include "tests/unit/dp_kernel_lab.h"

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
	Suite *s = suite_create("dp_kernel_devices");
	TCase *t = tcase_create("kernel");

	tcase_set_timeout(t, 60);
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
	tcase_add_test(t, a_probe_finds_meters_as_they_are_and_takes_nothing);
	tcase_add_test(t, facts_name_programs_maps_links_and_memory);
	tcase_add_test(t, the_memory_that_is_reckoned_is_what_the_kernel_charges);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return lab_main(suite());
}
