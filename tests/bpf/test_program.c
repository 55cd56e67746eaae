/* SPDX-License-Identifier: BSD-2-Clause */
/* The shipped program through BPF_PROG_TEST_RUN: frames in, verdict, frame out, and what was counted. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "bpf/extract.h"
#include "fixture.h"
#include "packet.h"
#include "extract_probe.skel.h"

#define LO       1 /* TEST_RUN's frames must come in by a device that exists */
#define IN_PORT  1
#define OUT_PORT 2
#define SET      3

static struct fixture f;

struct outcome {
	int verdict;
	struct packet out; /* metadata, if there is any, first */
	uint32_t meta_size;
};

/* Runs a frame of which the first buffer holds first_size bytes, 0: as many as the kernel likes. */
static int run_split(const struct packet *in, size_t first_size, uint32_t repeat, struct outcome *ret)
{
	struct xdp_md ctx = {.ingress_ifindex = LO, .data_end = first_size ? first_size : in->size}, ctx_out = {0};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->bytes, .data_size_in = in->size, .data_out = ret->out.bytes,
		.data_size_out = sizeof(ret->out.bytes), .ctx_in = &ctx, .ctx_size_in = sizeof(ctx),
		.ctx_out = &ctx_out, .ctx_size_out = sizeof(ctx_out), .repeat = repeat);
	int err = bpf_prog_test_run_opts(bpf_program__fd(f.skel->progs.sw_ingress), &opts);

	if (err)
		return err;
	ret->verdict = opts.retval;
	ret->out.size = opts.data_size_out;
	ret->meta_size = ctx_out.data;
	return 0;
}

static struct outcome run(const struct packet *in)
{
	struct outcome outcome;
	int err = run_split(in, 0, 1, &outcome);

	ck_assert_msg(!err, "BPF_PROG_TEST_RUN of %zu bytes: %s", in->size, strerror(-err));
	return outcome;
}

static void check_same(const struct packet *a, const struct packet *b)
{
	ck_assert_uint_eq(a->size, b->size);
	ck_assert_mem_eq(a->bytes, b->bytes, a->size);
}

/* ---- keys and flows ---- */

static struct sw_key l2_mask(void)
{
	struct sw_key bits = {0};

	bits.f.in_ifindex = UINT32_MAX;
	bits.f.vlan_tci_be = htons(SW_VLAN_PRESENT | SW_VLAN_VID);
	memset(bits.f.eth_dst, 0xff, 6);
	memset(bits.f.eth_src, 0xff, 6);
	return bits;
}

static struct sw_key key_of(const struct packet *p)
{
	struct sw_headers headers;
	struct sw_key key;

	sw_extract(p->bytes, p->bytes + p->size, LO, SW_KEY_WORDS, &key, &headers);
	return key;
}

static uint32_t put(const struct packet *p, uint8_t flags, const struct sw_step *steps, unsigned int n)
{
	struct sw_key key = key_of(p);

	return fixture_put(&f, &key, 0, IN_PORT, flags, steps, n);
}

static uint32_t put_output(const struct packet *p, uint8_t flags)
{
	struct sw_step step = {.op = SW_OP_OUTPUT, .arg = OUT_PORT};

	return put(p, flags, &step, 1);
}

static struct sw_port in_port(void)
{
	return (struct sw_port){.id = IN_PORT, .max_rx_frame = 9018};
}

static void setup(void)
{
	struct sw_key bits = l2_mask();
	struct sw_port port = in_port();

	fixture_reset(&f);
	fixture_set_mask(&f, 0, &bits);
	fixture_set_port(&f, LO, &port);
	fixture_set_output(&f, OUT_PORT, LO);
	f.config->upcall_max = 16384;
	f.config->upcall_max_frags = 16384;
}

static void make(struct packet *p, int tci, size_t size)
{
	struct packet_spec spec = {.tci = tci, .ip_version = 4, .ip_proto = 17, .size = size, .csum = CSUM_FINISHED};
	uint64_t seed = size;

	packet_make(p, &spec, &seed);
}

static void retag(struct packet *p, int from, int to)
{
	if (from == UNTAGGED && to != UNTAGGED) {
		memmove(p->bytes + 16, p->bytes + 12, p->size - 12);
		p->size += 4;
	} else if (from != UNTAGGED && to == UNTAGGED) {
		memmove(p->bytes + 12, p->bytes + 16, p->size - 16);
		p->size -= 4;
	}
	if (to != UNTAGGED) {
		p->bytes[12] = 0x81;
		p->bytes[13] = 0;
		p->bytes[14] = to >> 8;
		p->bytes[15] = to;
	}
}

/* An XSKMAP slot is "there is a daemon" as soon as it holds a socket; nobody reads this one. */
static int daemon_arrives(void)
{
	int fd = socket(AF_XDP, SOCK_RAW, 0);
	uint32_t slot = 0;

	ck_assert_msg(fd >= 0, "AF_XDP: %s", strerror(errno));
	ck_assert_int_eq(bpf_map_update_elem(bpf_map__fd(f.skel->maps.xsks), &slot, &fd, BPF_ANY), 0);
	return fd;
}

/* ---- the table ---- */

struct program_case {
	const char *name;
	int tci_in, tci_out; /* tci_out: of what leaves on a redirect */
	size_t size;
	struct sw_step steps[SW_MAX_STEPS];
	unsigned int n_steps;
	int verdict;
	enum sw_drop drop;
	uint32_t culprit;
	int daemon;      /* 1: one listens */
	uint32_t reason; /* 1: of the upcall in the metadata */
};

#define STEP(what, value)                                                                                              \
	{                                                                                                              \
		.op = SW_OP_##what, .arg = (value)                                                                     \
	}
#define DROPS(reason, who) XDP_DROP, SW_DROP_##reason, who

static const struct program_case cases[] = {
	{"an_output_leaves_the_frame_alone", 10, 10, 64, {STEP(OUTPUT, OUT_PORT)}, 1, XDP_REDIRECT, 0, 0, 0, 0},
	{"an_untagged_output_too", UNTAGGED, UNTAGGED, 1514, {STEP(OUTPUT, OUT_PORT)}, 1, XDP_REDIRECT, 0, 0, 0, 0},
	{"push_puts_a_tag_in_front", UNTAGGED, 0x600a, 60, {STEP(VLAN_PUSH, 0x600a), STEP(OUTPUT, OUT_PORT)}, 2,
		XDP_REDIRECT, 0, 0, 0, 0},
	{"pop_takes_it_off", 0x600a, UNTAGGED, 64, {STEP(VLAN_POP, 0), STEP(OUTPUT, OUT_PORT)}, 2, XDP_REDIRECT, 0, 0,
		0, 0},
	{"set_keeps_the_priority", 0xf00a, 0xf014, 64, {STEP(VLAN_SET, 0x14), STEP(OUTPUT, OUT_PORT)}, 2, XDP_REDIRECT,
		0, 0, 0, 0},
	{"rewrites_run_in_order", 10, 21, 64,
		{STEP(VLAN_POP, 0), STEP(VLAN_PUSH, 20), STEP(VLAN_SET, 21), STEP(OUTPUT, OUT_PORT)}, 4, XDP_REDIRECT,
		0, 0, 0, 0},
	{"pop_of_an_untagged_frame_is_a_bad_program", UNTAGGED, 0, 64, {STEP(VLAN_POP, 0), STEP(OUTPUT, OUT_PORT)}, 2,
		DROPS(BAD_PROGRAM, IN_PORT), 0, 0},
	{"set_of_an_untagged_frame_is_a_bad_program", UNTAGGED, 0, 64, {STEP(VLAN_SET, 1), STEP(OUTPUT, OUT_PORT)}, 2,
		DROPS(BAD_PROGRAM, IN_PORT), 0, 0},
	{"no_terminal_step_is_a_bad_program", 10, 0, 64, {STEP(VLAN_POP, 0)}, 1, DROPS(BAD_PROGRAM, IN_PORT), 0, 0},
	{"no_step_is_a_bad_program", 10, 0, 64, {{0}}, 0, DROPS(BAD_PROGRAM, IN_PORT), 0, 0},
	{"an_unknown_op_is_a_bad_program", 10, 0, 64, {{.op = 99}}, 1, DROPS(BAD_PROGRAM, IN_PORT), 0, 0},
	{"a_terminal_step_is_not_a_rewrite", 10, 0, 64, {STEP(OUTPUT, OUT_PORT), STEP(OUTPUT, OUT_PORT)}, 2,
		DROPS(BAD_PROGRAM, IN_PORT), 0, 0},
	{"a_drop_names_its_reason", 10, 0, 64, {STEP(DROP, SW_DROP_RULE)}, 1, DROPS(RULE, IN_PORT), 0, 0},
	{"a_reserved_address_too", 10, 0, 64, {STEP(DROP, SW_DROP_RESERVED_MAC)}, 1, DROPS(RESERVED_MAC, IN_PORT), 0,
		0},
	{"a_port_without_device_is_down", 10, 0, 64, {STEP(OUTPUT, 77)}, 1, DROPS(PORT_DOWN, 77), 0, 0},
	{"a_port_beyond_all_is_down", 10, 0, 64, {STEP(OUTPUT, 5000)}, 1, DROPS(PORT_DOWN, 5000 % SW_MAX_PORTS), 0, 0},
	{"an_upcall_without_a_daemon_is_a_drop", 10, 0, 64, {STEP(UPCALL, SW_UPCALL_ACTION)}, 1,
		DROPS(NO_DAEMON, IN_PORT), 0, 0},
	{"an_upcall_carries_its_reason", 10, 10, 64, {STEP(UPCALL, SW_UPCALL_ACTION)}, 1, XDP_REDIRECT, 0, 0, 1,
		SW_UPCALL_ACTION},
	{"an_upcall_takes_the_frame_as_it_came", 10, 10, 64, {STEP(VLAN_POP, 0), STEP(UPCALL, SW_UPCALL_ACTION)}, 2,
		XDP_REDIRECT, 0, 0, 1, SW_UPCALL_ACTION},
	{"a_broadcast_is_a_redirect", 10, 10, 64, {STEP(BROADCAST, SET)}, 1, XDP_REDIRECT, 0, 0, 0, 0},
	{"a_broadcast_may_be_tagged_first", UNTAGGED, 10, 64, {STEP(VLAN_PUSH, 10), STEP(BROADCAST, SET)}, 2,
		XDP_REDIRECT, 0, 0, 0, 0},
	{"a_broadcast_to_nobody_has_no_output", 10, 0, 64, {STEP(BROADCAST, 9)}, 1, DROPS(NO_OUTPUT, IN_PORT), 0, 0},
	{"a_broadcast_to_no_set_is_a_bad_program", 10, 0, 64, {STEP(BROADCAST, 8)}, 1, DROPS(BAD_PROGRAM, IN_PORT), 0,
		0},
	{"a_broadcast_to_a_set_beyond_all_is_a_bad_program", 10, 0, 64, {STEP(BROADCAST, 4000)}, 1,
		DROPS(BAD_PROGRAM, IN_PORT), 0, 0},
	{"a_broadcast_that_fits_just_so_goes_out", 10, 10, 1518, {STEP(BROADCAST, SET)}, 1, XDP_REDIRECT, 0, 0, 0, 0},
	{"a_broadcast_over_a_members_mtu_goes_up", 10, 10, 1519, {STEP(BROADCAST, SET)}, 1, XDP_REDIRECT, 0, 0, 1,
		SW_UPCALL_OVER_MTU},
	{"what_a_tag_would_make_too_long_goes_up_without_it", UNTAGGED, UNTAGGED, 1515,
		{STEP(VLAN_PUSH, 10), STEP(BROADCAST, SET)}, 2, XDP_REDIRECT, 0, 0, 1, SW_UPCALL_OVER_MTU},
	{"what_a_pop_makes_short_enough_goes_out", 10, UNTAGGED, 1522, {STEP(VLAN_POP, 0), STEP(BROADCAST, SET)}, 2,
		XDP_REDIRECT, 0, 0, 0, 0},
	{"a_broadcast_in_two_buffers_goes_up", 10, 10, 8000, {STEP(BROADCAST, SET)}, 1, XDP_REDIRECT, 0, 0, 1,
		SW_UPCALL_FRAGS},
	{"an_output_in_two_buffers_goes_out", 10, UNTAGGED, 8000, {STEP(VLAN_POP, 0), STEP(OUTPUT, OUT_PORT)}, 2,
		XDP_REDIRECT, 0, 0, 0, 0},
	{"what_no_upcall_can_carry_is_too_big", 10, 0, 9000, {STEP(BROADCAST, SET)}, 1, DROPS(UPCALL_TOO_BIG, IN_PORT),
		1, 0},
	{"a_frame_over_its_own_mtu_is_gso", 10, 0, 9100, {STEP(OUTPUT, OUT_PORT)}, 1, DROPS(GSO, IN_PORT), 0, 0},
};

static void check_meta(const struct outcome *o, uint32_t reason, uint32_t slot)
{
	struct sw_meta meta;

	ck_assert_uint_eq(o->meta_size, sizeof(meta));
	memcpy(&meta, o->out.bytes, sizeof(meta));
	ck_assert_uint_eq(meta.magic, SW_META_MAGIC);
	ck_assert_uint_eq(meta.reason, reason);
	ck_assert_uint_eq(meta.in_port, IN_PORT);
	ck_assert_uint_eq(meta.slot, reason == SW_UPCALL_ACTION ? slot : 0);
}

static void check_counters(
	const struct program_case *c, const struct packet *in, const struct outcome *o, uint32_t slot)
{
	struct sw_port_stats rx = fixture_port_stats(&f, IN_PORT), tx = fixture_port_stats(&f, OUT_PORT);
	struct sw_flow_stats flow = fixture_flow_stats(&f, slot);
	int sent = c->verdict == XDP_REDIRECT && c->steps[c->n_steps - 1].op == SW_OP_OUTPUT;

	ck_assert_uint_eq(rx.rx_frames, 1);
	ck_assert_uint_eq(rx.rx_bytes, in->size);
	ck_assert_uint_eq(rx.mega_hits, 1);
	ck_assert_uint_eq(rx.upcalls, c->reason != 0);
	ck_assert_uint_eq(flow.packets, 1);
	ck_assert_uint_eq(flow.bytes, in->size);
	ck_assert_uint_eq(tx.tx_frames, sent);
	ck_assert_uint_eq(tx.tx_bytes, sent ? o->out.size : 0);
	ck_assert_uint_eq(fixture_all_drops(&f), c->drop ? 1 : 0);
	if (c->drop)
		ck_assert_uint_eq(fixture_drops(&f, c->culprit, c->drop), 1);
}

START_TEST(a_program_does_what_its_steps_say)
{
	const struct program_case *c = &cases[_i];
	uint32_t member_ids[] = {4}, member_ifindexes[] = {LO}, slot;
	struct packet in, out;
	struct sw_port port = in_port();
	struct outcome o;
	int fd = -1;

	setup();
	port.n_queues = 1;
	fixture_set_port(&f, LO, &port);
	fixture_set_members(&f, SET, member_ids, member_ifindexes, 1, 1518);
	f.set_info[8] = (struct sw_set_info){.min_frame = 1518, .n_members = 2};
	f.config->upcall_max_frags = 8500;
	if (c->daemon)
		fd = daemon_arrives();
	make(&in, c->tci_in, c->size);
	slot = put(&in, 0, c->steps, c->n_steps);
	o = run(&in);
	ck_assert_msg(o.verdict == c->verdict, "%s: verdict %d", c->name, o.verdict);
	check_counters(c, &in, &o, slot);
	if (c->reason) {
		check_meta(&o, c->reason, slot);
		memmove(o.out.bytes, o.out.bytes + o.meta_size, o.out.size - o.meta_size);
		o.out.size -= o.meta_size;
	}
	if (c->verdict == XDP_REDIRECT) {
		out = in;
		retag(&out, c->tci_in, c->tci_out);
		check_same(&o.out, &out);
	}
	if (fd >= 0)
		close(fd);
}
END_TEST

START_TEST(several_buffers_go_up_where_the_output_takes_one)
{
	struct sw_step steps[] = {STEP(VLAN_POP, 0), STEP(OUTPUT, OUT_PORT)};
	struct sw_port port = in_port();
	struct packet in, out;
	struct outcome o;
	uint32_t slot;
	int fd;

	setup();
	port.n_queues = 1;
	fixture_set_port(&f, LO, &port);
	fd = daemon_arrives();
	make(&in, 10, 8000);
	slot = put(&in, SW_FLOW_ONE_BUFFER, steps, 2);
	o = run(&in);
	ck_assert_int_eq(o.verdict, XDP_REDIRECT);
	check_meta(&o, SW_UPCALL_FRAGS, slot);
	ck_assert_mem_eq(o.out.bytes + o.meta_size, in.bytes, in.size); /* as it came */
	ck_assert_uint_eq(fixture_port_stats(&f, OUT_PORT).tx_frames, 0);
	make(&in, 10, 2000);
	o = run(&in);
	out = in;
	retag(&out, 10, UNTAGGED);
	check_same(&o.out, &out);
	ck_assert_uint_eq(fixture_port_stats(&f, OUT_PORT).tx_frames, 1);
	close(fd);
}
END_TEST

/* As before Linux 6.6, where the kernel would refuse the frame and tell nobody. */
START_TEST(several_buffers_are_too_big_where_no_upcall_carries_them)
{
	struct sw_port port = in_port();
	struct packet in;
	int fd;

	setup();
	port.n_queues = 1;
	fixture_set_port(&f, LO, &port);
	f.config->upcall_max_frags = 0;
	fd = daemon_arrives();
	make(&in, 10, 8000);
	ck_assert_int_eq(run(&in).verdict, XDP_DROP);
	ck_assert_uint_eq(fixture_drops(&f, IN_PORT, SW_DROP_UPCALL_TOO_BIG), 1);
	make(&in, 10, 1514);
	ck_assert_int_eq(run(&in).verdict, XDP_REDIRECT);
	ck_assert_uint_eq(fixture_all_drops(&f), 1);
	close(fd);
}
END_TEST

/* ---- misses ---- */

START_TEST(a_miss_without_a_daemon_is_a_named_drop)
{
	struct packet in;

	setup();
	make(&in, UNTAGGED, 64);
	ck_assert_int_eq(run(&in).verdict, XDP_DROP);
	ck_assert_uint_eq(fixture_drops(&f, IN_PORT, SW_DROP_NO_DAEMON), 1);
	ck_assert_uint_eq(fixture_all_drops(&f), 1);
	ck_assert_uint_eq(fixture_port_stats(&f, IN_PORT).rx_frames, 1);
	ck_assert_uint_eq(fixture_port_stats(&f, IN_PORT).rx_bytes, 64);
}
END_TEST

START_TEST(a_miss_goes_up_with_metadata)
{
	struct sw_port port = in_port();
	struct outcome o;
	struct packet in;
	int fd;

	setup();
	port.n_queues = 1;
	fixture_set_port(&f, LO, &port);
	fd = daemon_arrives();
	make(&in, UNTAGGED, 64);
	o = run(&in);
	close(fd);
	ck_assert_int_eq(o.verdict, XDP_REDIRECT);
	check_meta(&o, SW_UPCALL_MISS, 0);
	ck_assert_mem_eq(o.out.bytes + o.meta_size, in.bytes, in.size);
	ck_assert_uint_eq(fixture_port_stats(&f, IN_PORT).upcalls, 1);
}
END_TEST

START_TEST(a_foreign_device_is_no_port)
{
	struct packet in;
	uint32_t lo = LO;

	setup();
	bpf_map_delete_elem(bpf_map__fd(f.skel->maps.ports), &lo);
	make(&in, UNTAGGED, 64);
	ck_assert_int_eq(run(&in).verdict, XDP_DROP);
	ck_assert_uint_eq(fixture_drops(&f, 0, SW_DROP_NO_PORT), 1);
	in.bytes[12] = 0x81;
	in.bytes[13] = 0;
	in.size = 16;
	run(&in);
	ck_assert_uint_eq(fixture_drops(&f, 0, SW_DROP_NO_PORT), 2);
}
END_TEST

START_TEST(a_storm_of_misses_is_limited)
{
	struct sw_port port = in_port();
	struct packet in;
	int i;

	setup();
	port.miss_rate = 1;
	port.miss_burst = 3;
	fixture_set_port(&f, LO, &port);
	f.miss_buckets[IN_PORT].tokens = 3000000000ULL;
	make(&in, UNTAGGED, 64);
	for (i = 0; i < 10; i++)
		run(&in);
	ck_assert_uint_eq(fixture_drops(&f, IN_PORT, SW_DROP_NO_DAEMON), 3);
	ck_assert_uint_eq(fixture_drops(&f, IN_PORT, SW_DROP_MISS_LIMIT), 7);
}
END_TEST

START_TEST(the_limit_refills_with_time)
{
	struct sw_port port = in_port();
	struct packet in;

	setup();
	port.miss_rate = 100;
	port.miss_burst = 5;
	fixture_set_port(&f, LO, &port);
	make(&in, UNTAGGED, 64);
	run(&in); /* the bucket's clock starts: more than a second since 0, so it is full */
	f.miss_buckets[IN_PORT].tokens = 0;
	usleep(100000);
	run(&in);
	ck_assert_uint_eq(fixture_drops(&f, IN_PORT, SW_DROP_MISS_LIMIT), 0);
	ck_assert_uint_le(f.miss_buckets[IN_PORT].tokens, 4000000000ULL);
}
END_TEST

START_TEST(upcalls_of_a_flow_are_not_limited)
{
	struct sw_step step = {.op = SW_OP_UPCALL, .arg = SW_UPCALL_ACTION};
	struct sw_port port = in_port();
	struct packet in;
	int i;

	setup();
	port.miss_rate = port.miss_burst = 1;
	fixture_set_port(&f, LO, &port);
	make(&in, UNTAGGED, 64);
	put(&in, 0, &step, 1);
	for (i = 0; i < 5; i++)
		run(&in);
	ck_assert_uint_eq(fixture_drops(&f, IN_PORT, SW_DROP_NO_DAEMON), 5);
}
END_TEST

START_TEST(a_frame_that_ends_in_its_tag_is_a_runt)
{
	struct packet in;

	setup();
	make(&in, 5, 64);
	for (in.size = 14; in.size < 18; in.size++)
		ck_assert_int_eq(run(&in).verdict, XDP_DROP);
	ck_assert_uint_eq(fixture_drops(&f, IN_PORT, SW_DROP_RUNT), 4);
	ck_assert_uint_eq(fixture_all_drops(&f), 4);
	ck_assert_uint_eq(fixture_port_stats(&f, IN_PORT).rx_frames, 4);
}
END_TEST

START_TEST(a_miss_over_its_senders_mtu_is_gso)
{
	struct sw_port port = in_port();
	struct packet in;

	setup();
	port.max_rx_frame = 1518;
	fixture_set_port(&f, LO, &port);
	make(&in, UNTAGGED, 1519);
	run(&in);
	ck_assert_uint_eq(fixture_drops(&f, IN_PORT, SW_DROP_GSO), 1);
	make(&in, UNTAGGED, 1518);
	run(&in);
	ck_assert_uint_eq(fixture_drops(&f, IN_PORT, SW_DROP_GSO), 1);
}
END_TEST

START_TEST(tags_without_end_run_out_of_headroom)
{
	struct sw_step steps[] = {{.op = SW_OP_VLAN_PUSH, .arg = 5}, {.op = SW_OP_OUTPUT, .arg = OUT_PORT}};
	struct sw_key bits = {0}, key = {0};
	struct outcome o;
	struct packet in;

	setup();
	bits.f.in_ifindex = UINT32_MAX;
	f.config->n_order = 0;
	fixture_set_mask(&f, 0, &bits);
	key.f.in_ifindex = LO;
	fixture_put(&f, &key, 0, IN_PORT, 0, steps, 2);
	make(&in, UNTAGGED, 64);
	ck_assert_int_eq(run_split(&in, 0, 100, &o), 0); /* the frame of one run is that of the next */
	ck_assert_int_eq(o.verdict, XDP_DROP);
	ck_assert_uint_gt(fixture_drops(&f, IN_PORT, SW_DROP_NO_HEADROOM), 0);
	ck_assert_uint_eq(
		fixture_drops(&f, IN_PORT, SW_DROP_NO_HEADROOM) + fixture_port_stats(&f, OUT_PORT).tx_frames, 100);
}
END_TEST

/* ---- lookup ---- */

START_TEST(a_flow_at_home_needs_neither_bucket_nor_hint)
{
	struct packet in;

	for (int neighbour = 0; neighbour < 2; neighbour++) {
		uint32_t slot;

		setup();
		make(&in, UNTAGGED, 64);
		slot = fixture_send_home(&f, put_output(&in, 0), neighbour);
		ck_assert_int_eq(run(&in).verdict, XDP_REDIRECT);
		ck_assert_int_eq(run(&in).verdict, XDP_REDIRECT);
		ck_assert_uint_eq(fixture_port_stats(&f, IN_PORT).mega_hits, 2);
		ck_assert_uint_eq(fixture_port_stats(&f, IN_PORT).emc_hits, 0);
		ck_assert_uint_eq(fixture_flow_stats(&f, slot).packets, 2);
	}
}
END_TEST

START_TEST(what_is_at_home_must_be_alive_of_the_mask_and_of_the_key)
{
	struct packet in, other;
	uint32_t slot;

	setup();
	make(&in, UNTAGGED, 64);
	make(&other, 5, 64);
	slot = fixture_send_home(&f, put_output(&in, 0), false);
	f.flows[slot].mask = 1;
	ck_assert_int_eq(run(&in).verdict, XDP_DROP);
	f.flows[slot].mask = 0;
	f.flows[slot].key.f.eth_src[5] ^= 1;
	ck_assert_int_eq(run(&in).verdict, XDP_DROP);
	f.flows[slot].key.f.eth_src[5] ^= 1;
	f.flows[slot].gen++;
	ck_assert_int_eq(run(&in).verdict, XDP_DROP);
	f.flows[slot].gen++;
	ck_assert_int_eq(run(&in).verdict, XDP_REDIRECT);
	ck_assert_int_eq(run(&other).verdict, XDP_DROP);
}
END_TEST

START_TEST(slots_and_hints_of_zeros_match_nothing)
{
	struct packet in;

	setup();
	make(&in, UNTAGGED, 64);
	memset(f.config->masks, 0, sizeof(f.config->masks)); /* as before the daemon's first flow */
	f.config->n_order = 0;
	ck_assert_int_eq(run(&in).verdict, XDP_DROP);
	ck_assert_uint_eq(fixture_drops(&f, IN_PORT, SW_DROP_NO_DAEMON), 1); /* a miss, and no bad program */
}
END_TEST

static void add_mask(unsigned int id, uint16_t eth_type_bits)
{
	struct sw_key bits = l2_mask();

	bits.f.eth_type_be = htons(eth_type_bits);
	fixture_set_mask(&f, id, &bits);
}

START_TEST(a_megaflow_hit_leaves_a_hint)
{
	struct packet in;

	setup();
	add_mask(1, 0xffff);
	make(&in, UNTAGGED, 64);
	put_output(&in, 0);
	run(&in);
	ck_assert_uint_eq(fixture_port_stats(&f, IN_PORT).mega_hits, 1);
	run(&in);
	run(&in);
	ck_assert_uint_eq(fixture_port_stats(&f, IN_PORT).mega_hits, 1);
	ck_assert_uint_eq(fixture_port_stats(&f, IN_PORT).emc_hits, 2);
}
END_TEST

START_TEST(a_dead_slot_is_never_acted_on)
{
	struct packet in;
	uint32_t slot;
	int masks;

	for (masks = 1; masks <= 2; masks++) {
		setup();
		if (masks == 2)
			add_mask(1, 0xffff);
		make(&in, UNTAGGED, 64);
		slot = put_output(&in, 0);
		run(&in);
		run(&in);
		fixture_kill(&f, slot);
		ck_assert_int_eq(run(&in).verdict, XDP_DROP);
		ck_assert_uint_eq(fixture_drops(&f, IN_PORT, SW_DROP_NO_DAEMON), 1);
		ck_assert_uint_eq(fixture_flow_stats(&f, slot).packets, 2);
	}
}
END_TEST

START_TEST(a_hint_at_a_recycled_slot_is_not_believed)
{
	struct packet in, other;
	uint32_t slot;

	setup();
	add_mask(1, 0xffff);
	make(&in, UNTAGGED, 64);
	slot = put_output(&in, 0);
	run(&in);
	make(&other, 5, 64);
	f.flows[slot].key = key_of(&other);
	f.flows[slot].key.f.eth_type_be = 0;
	ck_assert_int_eq(run(&in).verdict, XDP_DROP); /* same gen, another key */
	f.flows[slot].key = key_of(&in);
	memset(&f.flows[slot].key.w[3], 0, 48);
	f.flows[slot].key.f.eth_type_be = 0;
	f.flows[slot].gen = 4;
	run(&in);
	ck_assert_uint_eq(fixture_port_stats(&f, IN_PORT).emc_hits, 0); /* another gen, same key: found by its mask */
	ck_assert_uint_eq(fixture_port_stats(&f, IN_PORT).mega_hits, 2);
}
END_TEST

START_TEST(a_full_bucket_overflows_into_its_alternate)
{
	struct sw_step step = {.op = SW_OP_OUTPUT, .arg = OUT_PORT};
	struct sw_key key;
	struct packet in;
	uint32_t i;

	setup();
	make(&in, UNTAGGED, 64);
	key = key_of(&in);
	fixture_put_alternate(&f, &key, 0, IN_PORT, 0, &step, 1);
	ck_assert_int_eq(run(&in).verdict, XDP_REDIRECT);
	for (i = 0; i < f.n_buckets; i++)
		f.buckets[i].n_overflow = 0;
	fixture_forget_hints(&f);
	ck_assert_int_eq(run(&in).verdict, XDP_DROP); /* a reader looks there only if told to */
}
END_TEST

START_TEST(a_tag_that_lies_is_found_out_by_the_key)
{
	struct packet in, other;
	uint32_t slot, i, j;

	setup();
	make(&in, UNTAGGED, 64);
	make(&other, 9, 64);
	slot = put_output(&in, 0);
	put_output(&other, 0);
	for (i = 0; i < f.n_buckets; i++) {
		if (f.buckets[i].cell[0] && (uint32_t)f.buckets[i].cell[0] == slot + 1) {
			for (j = 6; j > 0; j--)
				f.buckets[i].cell[j] = f.buckets[i].cell[j - 1];
			f.buckets[i].cell[0]++; /* the same tag, the other flow */
		}
	}
	ck_assert_int_eq(run(&in).verdict, XDP_REDIRECT);
	ck_assert_uint_eq(fixture_flow_stats(&f, slot).packets, 1);
}
END_TEST

/* Random flows under several masks against a walk over all of them. */
static int scan(const struct sw_key *key, uint32_t slot)
{
	const struct sw_flow *flow = &f.flows[slot];
	const struct sw_mask *mask = &f.config->masks[flow->mask];
	unsigned int i;

	for (i = 0; i < SW_KEY_WORDS; i++) {
		if ((key->w[i] & mask->bits.w[i]) != flow->key.w[i])
			return 0;
	}
	return !(flow->gen & 1);
}

/* Whether a flow of this mask, live or dead, has the frame's masked key: the daemon never puts a second one. */
static int is_taken(const struct sw_key *key, uint32_t mask)
{
	struct sw_key masked = *key;
	uint32_t slot;
	unsigned int i;

	for (i = 0; i < SW_KEY_WORDS; i++)
		masked.w[i] &= f.config->masks[mask].bits.w[i];
	for (slot = 0; slot < f.next_slot; slot++) {
		if (f.flows[slot].mask == mask && !memcmp(&f.flows[slot].key, &masked, sizeof(masked)))
			return 1;
	}
	return 0;
}

static void random_frame(struct packet *p, uint64_t *seed)
{
	struct packet_spec spec = {.tci = UNTAGGED, .ip_version = 4, .ip_proto = 17, .size = 64, .csum = CSUM_FINISHED};

	packet_make(p, &spec, seed);
	p->bytes[5] = packet_random(seed) % 8;
	p->bytes[11] = packet_random(seed) % 8;
	p->bytes[p->l3 + 15] = packet_random(seed) % 4; /* an address */
	memset(p->bytes + p->l3 + 12, 10, 3);
}

static void check_lookup(uint64_t *seed, uint64_t first)
{
	uint32_t slot, by_scan = 0, by_program = 0;
	struct packet p;
	struct sw_key key;
	int verdict;

	random_frame(&p, seed);
	key = key_of(&p);
	memset(f.flow_stats, 0, sizeof(*f.flow_stats) * f.n_rows * f.n_flows);
	verdict = run(&p).verdict;
	for (slot = 0; slot < f.next_slot; slot++) {
		if (scan(&key, slot))
			by_scan++;
		if (fixture_flow_stats(&f, slot).packets) {
			by_program++;
			ck_assert_msg(
				scan(&key, slot), "SEED=%llu: slot %u does not match", (unsigned long long)first, slot);
		}
	}
	ck_assert_msg(by_program == (by_scan > 0), "SEED=%llu: %u flows match", (unsigned long long)first, by_scan);
	ck_assert_int_eq(verdict, by_scan ? XDP_REDIRECT : XDP_DROP);
}

START_TEST(lookup_agrees_with_a_walk_over_all_flows)
{
	uint64_t seed = packet_seed(), first = seed;
	struct sw_key bits = {0}, key;
	struct packet p;
	int i, round;

	for (round = 0; round < 4; round++) {
		setup(); /* mask 0 */
		if (round > 0)
			add_mask(1, 0xffff);
		bits.f.in_ifindex = UINT32_MAX;
		memset(bits.f.eth_src, 0xff, 6);
		if (round > 1)
			fixture_set_mask(&f, 5, &bits);
		memset(bits.f.ip_src, 0xff, 4);
		if (round > 2)
			fixture_set_mask(&f, 6, &bits);
		for (i = 0; i < 60; i++) {
			struct sw_step step = {.op = SW_OP_OUTPUT, .arg = OUT_PORT};
			unsigned int mask = f.config->order[packet_random(&seed) % f.config->n_order];

			random_frame(&p, &seed);
			key = key_of(&p);
			if (is_taken(&key, mask))
				continue;
			fixture_put(&f, &key, mask, IN_PORT, 0, &step, 1);
			if (packet_random(&seed) % 8 == 0)
				fixture_kill(&f, f.next_slot - 1);
		}
		for (i = 0; i < 1000; i++)
			check_lookup(&seed, first);
	}
}
END_TEST

/* ---- lengths ---- */

START_TEST(every_length_from_14_to_2000_passes)
{
	struct packet whole, in;
	struct outcome o;
	size_t size;

	setup();
	make(&whole, UNTAGGED, 2000);
	put_output(&whole, SW_FLOW_CSUM);
	for (size = 14; size <= 2000; size++) {
		in = whole;
		in.size = size;
		o = run(&in);
		ck_assert_int_eq(o.verdict, XDP_REDIRECT);
		check_same(&o.out, &in);
	}
	ck_assert_uint_eq(fixture_all_drops(&f), 0);
	ck_assert_uint_eq(fixture_port_stats(&f, OUT_PORT).tx_frames, 1987);
}
END_TEST

/* ---- checksums ---- */

static const struct packet_spec csum_specs[] = {
	{.tci = UNTAGGED, .ip_version = 4, .ip_proto = 6},
	{.tci = UNTAGGED, .ip_version = 4, .ip_proto = 17},
	{.tci = UNTAGGED, .ip_version = 6, .ip_proto = 6},
	{.tci = UNTAGGED, .ip_version = 6, .ip_proto = 17},
	{.tci = 10, .ip_version = 4, .ip_proto = 6},
	{.tci = 10, .ip_version = 6, .ip_proto = 17},
	{.tci = 10, .ip_version = 4, .ip_proto = 6, .outer_tpid = 0x88a8},
	{.tci = 10, .ip_version = 6, .ip_proto = 6, .outer_tpid = 0x8100},
	{.tci = UNTAGGED, .ip_version = 4, .ip_proto = 17, .exts = 3},
	{.tci = UNTAGGED, .ip_version = 6, .ip_proto = 6, .exts = 2},
};

#define N_CSUM_SPECS (sizeof(csum_specs) / sizeof(*csum_specs))

static const size_t csum_sizes[] = {90, 91, 92, 93, 127, 128, 511, 512, 513, 565, 566, 567, 600, 601, 1078, 1079, 1500,
	1513, 1514, 3400, 3401, 3600, 4000, 4001, 5555, 8191, 8999, 9000};

#define N_CSUM_SIZES (sizeof(csum_sizes) / sizeof(*csum_sizes))

static void check_csum(const struct packet *in, enum packet_csum expected, size_t first_size)
{
	struct packet out = *in;
	struct outcome o;
	int err = run_split(in, first_size, 1, &o);

	ck_assert_int_eq(err, 0);
	ck_assert_int_eq(o.verdict, XDP_REDIRECT);
	if (in->bytes[packet_csum_offset(in)] || in->bytes[packet_csum_offset(in) + 1])
		packet_set_csum(&out, expected);
	check_same(&o.out, &out);
}

static void setup_csum(const struct packet *in)
{
	setup();
	put_output(in, SW_FLOW_CSUM);
}

START_TEST(unfinished_checksums_are_finished)
{
	struct packet_spec spec = csum_specs[_i];
	uint64_t seed = 42, i;
	struct packet in;

	for (i = 0; i < N_CSUM_SIZES; i++) {
		spec.size = csum_sizes[i];
		spec.csum = CSUM_UNFINISHED;
		packet_make(&in, &spec, &seed);
		setup_csum(&in);
		check_csum(&in, CSUM_FINISHED, 0);
		ck_assert_uint_eq(fixture_port_stats(&f, IN_PORT).csum_done, 1);
	}
}
END_TEST

START_TEST(finished_checksums_stay)
{
	struct packet_spec spec = csum_specs[_i];
	uint64_t seed = 43, i;
	struct packet in, out;
	struct outcome o;

	for (i = 0; i < N_CSUM_SIZES; i++) {
		spec.size = csum_sizes[i];
		spec.csum = CSUM_FINISHED;
		packet_make(&in, &spec, &seed);
		setup_csum(&in);
		o = run(&in);
		check_same(&o.out, &in);
		out = in;
		out.bytes[packet_csum_offset(&in)] ^= 0x55; /* a wrong one too: it is not ours to hide */
		o = run(&out);
		check_same(&o.out, &out);
		ck_assert_uint_eq(fixture_port_stats(&f, IN_PORT).csum_done, 0);
	}
}
END_TEST

/* Two payload bytes make the right checksum what an unfinished one looks like: 1 in 65,536 frames is so. */
START_TEST(a_right_checksum_that_looks_unfinished_stays)
{
	struct packet_spec spec = csum_specs[_i];
	uint64_t seed = 44, i;
	struct packet in;
	uint16_t pseudo, word, field;
	struct outcome o;
	size_t at;

	for (i = 0; i < N_CSUM_SIZES; i++) {
		spec.size = csum_sizes[i];
		spec.csum = CSUM_UNFINISHED;
		packet_make(&in, &spec, &seed);
		pseudo = packet_pseudo_sum(&in);
		at = in.l4 + 20;
		if (at + 2 > in.size)
			continue;
		memset(in.bytes + at, 0, 2);
		word = ~packet_add(packet_add(pseudo, pseudo), packet_segment_sum(&in));
		in.bytes[at] = word >> 8;
		in.bytes[at + 1] = word;
		field = packet_add(pseudo, packet_add(pseudo, packet_segment_sum(&in)));
		ck_assert_uint_eq(field, 0xffff);
		setup_csum(&in);
		o = run(&in);
		check_same(&o.out, &in);
		ck_assert_uint_eq(fixture_port_stats(&f, IN_PORT).csum_done, 0);
	}
}
END_TEST

START_TEST(udp_zero_is_sent_as_all_ones_and_none_stays_none)
{
	struct packet_spec spec = {.tci = UNTAGGED, .ip_version = 4 + 2 * _i, .ip_proto = 17, .size = 200};
	uint64_t seed = 45;
	struct packet in;
	struct outcome o;
	uint16_t word;

	spec.csum = CSUM_UNFINISHED;
	packet_make(&in, &spec, &seed);
	memset(in.bytes + in.l4 + 8, 0, 2);
	word = ~packet_add(packet_pseudo_sum(&in), packet_segment_sum(&in));
	in.bytes[in.l4 + 8] = word >> 8;
	in.bytes[in.l4 + 9] = word;
	setup_csum(&in);
	o = run(&in);
	ck_assert_mem_eq(o.out.bytes + in.l4 + 6, "\xff\xff", 2);
	packet_set_csum(&in, CSUM_NONE);
	o = run(&in);
	check_same(&o.out, &in);
}
END_TEST

START_TEST(fragments_other_protocols_and_unflagged_ports_are_left_alone)
{
	static const int protos[] = {1, 33, 58, 132, 136, 47};
	uint64_t seed = 46;
	struct packet in;
	struct outcome o;
	size_t i;

	for (i = 0; i < sizeof(protos) / sizeof(*protos); i++) {
		struct packet_spec spec = {.tci = UNTAGGED, .ip_version = 4, .ip_proto = 17, .size = 200};

		spec.csum = CSUM_UNFINISHED;
		packet_make(&in, &spec, &seed);
		in.bytes[in.l3 + 9] = protos[i];
		setup_csum(&in);
		o = run(&in);
		check_same(&o.out, &in);
		in.bytes[in.l3 + 9] = 17;
		in.bytes[in.l3 + 6] = 0x20;
		o = run(&in);
		check_same(&o.out, &in);
		in.bytes[in.l3 + 6] = 0;
		f.flows[0].flags = 0;
		o = run(&in);
		check_same(&o.out, &in);
	}
}
END_TEST

START_TEST(an_upcall_is_finished_by_its_ports_flag)
{
	struct packet_spec spec = {.tci = UNTAGGED, .ip_version = 6, .ip_proto = 6, .size = 301};
	struct sw_port port = in_port();
	struct packet in, out;
	uint64_t seed = 47;
	struct outcome o;
	int fd;

	spec.csum = CSUM_UNFINISHED;
	setup();
	port.n_queues = 1;
	port.flags = SW_PORT_CSUM;
	fixture_set_port(&f, LO, &port);
	fd = daemon_arrives();
	packet_make(&in, &spec, &seed);
	o = run(&in);
	close(fd);
	out = in;
	packet_set_csum(&out, CSUM_FINISHED);
	ck_assert_int_eq(o.verdict, XDP_REDIRECT);
	ck_assert_uint_eq(o.out.size - o.meta_size, out.size);
	ck_assert_mem_eq(o.out.bytes + o.meta_size, out.bytes, out.size);
	ck_assert_uint_eq(fixture_port_stats(&f, IN_PORT).csum_done, 1);
}
END_TEST

/* ---- headers out of reach: from Linux 6.18 TEST_RUN can make the first buffer as short as a driver may ---- */

START_TEST(headers_beyond_the_first_buffer_are_found)
{
	struct packet_spec spec = csum_specs[_i];
	uint64_t seed = 48;
	struct packet in;
	struct outcome o;
	size_t first;

	spec.size = 5000;
	spec.csum = CSUM_UNFINISHED;
	packet_make(&in, &spec, &seed);
	setup_csum(&in);
	if (run_split(&in, 64, 1, &o)) {
		printf("SKIP: BPF_PROG_TEST_RUN of this kernel does not split frames\n");
		return;
	}
	for (first = 14; first < 300; first += 13) {
		setup_csum(&in);
		check_csum(&in, CSUM_FINISHED, first);
		ck_assert_uint_eq(fixture_port_stats(&f, IN_PORT).csum_done, 1);
	}
}
END_TEST

/* ---- K1 ---- */

struct probe_result { /* as in extract_probe.bpf.c */
	struct sw_key whole, shallow;
	struct sw_headers headers;
	uint32_t failed;
	uint32_t first_size;
};

static int probe(struct extract_probe *skel, const struct packet *p, size_t first_size)
{
	struct xdp_md ctx = {.ingress_ifindex = LO, .data_end = first_size};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = p->bytes, .data_size_in = p->size, .ctx_in = &ctx,
		.ctx_size_in = sizeof(ctx));

	return bpf_prog_test_run_opts(bpf_program__fd(skel->progs.extract_probe), &opts);
}

static void check_probe(const struct packet *p, const struct probe_result *result, uint64_t first_seed)
{
	struct sw_headers headers;
	struct sw_key key;

	ck_assert_uint_eq(result->failed, 0);
	sw_extract(p->bytes, p->bytes + p->size, LO, SW_KEY_WORDS, &key, &headers);
	ck_assert_msg(!memcmp(&key, &result->whole, sizeof(key)), "SEED=%llu", (unsigned long long)first_seed);
	ck_assert_msg(
		!memcmp(&headers, &result->headers, sizeof(headers)), "SEED=%llu", (unsigned long long)first_seed);
	sw_extract(p->bytes, p->bytes + p->size, LO, SW_L2_WORDS, &key, &headers);
	ck_assert_msg(!memcmp(&key, &result->shallow, sizeof(key)), "SEED=%llu", (unsigned long long)first_seed);
}

START_TEST(kernel_and_daemon_give_the_same_key)
{
	uint64_t seed = packet_seed(), first = seed, i;
	struct extract_probe *skel = extract_probe__open_and_load();
	struct probe_result *result;
	int can_split = 1;
	struct packet p;

	ck_assert_ptr_nonnull(skel);
	result = mmap(NULL, sizeof(*result), PROT_READ, MAP_SHARED, bpf_map__fd(skel->maps.probe_results), 0);
	ck_assert_ptr_ne(result, MAP_FAILED);
	for (i = 0; i < 300000; i++) {
		packet_scramble(&p, &seed);
		ck_assert_int_eq(probe(skel, &p, p.size), 0);
		check_probe(&p, result, first);
		if (can_split && i % 8 == 0 && p.size > 15) {
			if (probe(skel, &p, 14 + packet_random(&seed) % (p.size - 14)))
				can_split = 0;
			else
				check_probe(&p, result, first);
		}
	}
	if (!can_split)
		printf("SKIP: BPF_PROG_TEST_RUN of this kernel does not split frames\n");
	munmap(result, sizeof(*result));
	extract_probe__destroy(skel);
}
END_TEST

static Suite *program_suite(void)
{
	Suite *suite = suite_create("program");
	TCase *tcase = tcase_create("program");

	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, a_program_does_what_its_steps_say, 0, sizeof(cases) / sizeof(*cases));
	tcase_add_test(tcase, several_buffers_go_up_where_the_output_takes_one);
	tcase_add_test(tcase, several_buffers_are_too_big_where_no_upcall_carries_them);
	tcase_add_test(tcase, a_miss_without_a_daemon_is_a_named_drop);
	tcase_add_test(tcase, a_miss_goes_up_with_metadata);
	tcase_add_test(tcase, a_foreign_device_is_no_port);
	tcase_add_test(tcase, a_storm_of_misses_is_limited);
	tcase_add_test(tcase, the_limit_refills_with_time);
	tcase_add_test(tcase, upcalls_of_a_flow_are_not_limited);
	tcase_add_test(tcase, a_frame_that_ends_in_its_tag_is_a_runt);
	tcase_add_test(tcase, a_miss_over_its_senders_mtu_is_gso);
	tcase_add_test(tcase, tags_without_end_run_out_of_headroom);
	tcase_add_test(tcase, a_flow_at_home_needs_neither_bucket_nor_hint);
	tcase_add_test(tcase, what_is_at_home_must_be_alive_of_the_mask_and_of_the_key);
	tcase_add_test(tcase, slots_and_hints_of_zeros_match_nothing);
	tcase_add_test(tcase, a_megaflow_hit_leaves_a_hint);
	tcase_add_test(tcase, a_dead_slot_is_never_acted_on);
	tcase_add_test(tcase, a_hint_at_a_recycled_slot_is_not_believed);
	tcase_add_test(tcase, a_full_bucket_overflows_into_its_alternate);
	tcase_add_test(tcase, a_tag_that_lies_is_found_out_by_the_key);
	tcase_add_test(tcase, lookup_agrees_with_a_walk_over_all_flows);
	tcase_add_test(tcase, every_length_from_14_to_2000_passes);
	tcase_add_loop_test(tcase, unfinished_checksums_are_finished, 0, N_CSUM_SPECS);
	tcase_add_loop_test(tcase, finished_checksums_stay, 0, N_CSUM_SPECS);
	tcase_add_loop_test(tcase, a_right_checksum_that_looks_unfinished_stays, 0, N_CSUM_SPECS);
	tcase_add_loop_test(tcase, udp_zero_is_sent_as_all_ones_and_none_stays_none, 0, 2);
	tcase_add_test(tcase, fragments_other_protocols_and_unflagged_ports_are_left_alone);
	tcase_add_test(tcase, an_upcall_is_finished_by_its_ports_flag);
	tcase_add_loop_test(tcase, headers_beyond_the_first_buffer_are_found, 0, N_CSUM_SPECS);
	tcase_add_test(tcase, kernel_and_daemon_give_the_same_key);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	int err = fixture_open(&f, 1024, 256), n_failed;
	SRunner *runner;

	if (err && geteuid()) {
		printf("SKIP: loading BPF programs is not permitted here\n");
		return getenv("REQUIRE_BPF") ? EXIT_FAILURE : 77;
	}
	if (err) {
		fprintf(stderr, "the program does not load: %s\n", strerror(-err));
		return EXIT_FAILURE;
	}
	runner = srunner_create(program_suite());
	srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_NORMAL);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	fixture_close(&f);
	return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
