/* SPDX-License-Identifier: BSD-2-Clause */
/* What the shipped program does with a frame: the steps of its flow, the misses, lengths and limits. */
#include "trial.h"

#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>

#define SET   3
#define FORK  7
#define METER 8
#define TAKEN 1 /* of the fork's branches */

static struct fixture f;

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

#define DROPS(reason, who) XDP_DROP, SW_DROP_##reason, who

static const struct program_case cases[] = {
	{"an_output_leaves_the_frame_alone", 10, 10, 64, {STEP(OUTPUT, TRIAL_OUT)}, 1, XDP_REDIRECT, 0, 0, 0, 0},
	{"an_untagged_output_too", UNTAGGED, UNTAGGED, 1514, {STEP(OUTPUT, TRIAL_OUT)}, 1, XDP_REDIRECT, 0, 0, 0, 0},
	{"push_puts_a_tag_in_front", UNTAGGED, 0x600a, 60, {STEP(VLAN_PUSH, 0x600a), STEP(OUTPUT, TRIAL_OUT)}, 2,
		XDP_REDIRECT, 0, 0, 0, 0},
	{"pop_takes_it_off", 0x600a, UNTAGGED, 64, {STEP(VLAN_POP, 0), STEP(OUTPUT, TRIAL_OUT)}, 2, XDP_REDIRECT, 0, 0,
		0, 0},
	{"set_keeps_the_priority", 0xf00a, 0xf014, 64, {STEP(VLAN_SET, 0x14), STEP(OUTPUT, TRIAL_OUT)}, 2, XDP_REDIRECT,
		0, 0, 0, 0},
	{"rewrites_run_in_order", 10, 21, 64,
		{STEP(VLAN_POP, 0), STEP(VLAN_PUSH, 20), STEP(VLAN_SET, 21), STEP(OUTPUT, TRIAL_OUT)}, 4, XDP_REDIRECT,
		0, 0, 0, 0},
	{"pop_of_an_untagged_frame_is_a_bad_program", UNTAGGED, 0, 64, {STEP(VLAN_POP, 0), STEP(OUTPUT, TRIAL_OUT)}, 2,
		DROPS(BAD_PROGRAM, TRIAL_IN), 0, 0},
	{"set_of_an_untagged_frame_is_a_bad_program", UNTAGGED, 0, 64, {STEP(VLAN_SET, 1), STEP(OUTPUT, TRIAL_OUT)}, 2,
		DROPS(BAD_PROGRAM, TRIAL_IN), 0, 0},
	{"no_terminal_step_is_a_bad_program", 10, 0, 64, {STEP(VLAN_POP, 0)}, 1, DROPS(BAD_PROGRAM, TRIAL_IN), 0, 0},
	{"no_step_is_a_bad_program", 10, 0, 64, {{0}}, 0, DROPS(BAD_PROGRAM, TRIAL_IN), 0, 0},
	{"an_unknown_op_is_a_bad_program", 10, 0, 64, {{.op = 99}}, 1, DROPS(BAD_PROGRAM, TRIAL_IN), 0, 0},
	{"a_terminal_step_is_not_a_rewrite", 10, 0, 64,
		{STEP(VLAN_POP, 0), STEP(OUTPUT, TRIAL_OUT), STEP(OUTPUT, TRIAL_OUT)}, 3, DROPS(BAD_PROGRAM, TRIAL_IN),
		0, 0},
	{"a_drop_names_its_reason", 10, 0, 64, {STEP(DROP, SW_DROP_RULE)}, 1, DROPS(RULE, TRIAL_IN), 0, 0},
	{"a_reserved_address_too", 10, 0, 64, {STEP(DROP, SW_DROP_RESERVED_MAC)}, 1, DROPS(RESERVED_MAC, TRIAL_IN), 0,
		0},
	{"a_port_without_device_is_down", 10, 0, 64, {STEP(OUTPUT, 77)}, 1, DROPS(PORT_DOWN, 77), 0, 0},
	{"a_port_beyond_all_is_down", 10, 0, 64, {STEP(OUTPUT, 5000)}, 1, DROPS(PORT_DOWN, 5000 % SW_MAX_PORTS), 0, 0},
	{"an_upcall_without_a_daemon_is_a_drop", 10, 0, 64, {STEP(UPCALL, SW_UPCALL_ACTION)}, 1,
		DROPS(NO_DAEMON, TRIAL_IN), 0, 0},
	{"an_upcall_carries_its_reason", 10, 10, 64, {STEP(UPCALL, SW_UPCALL_ACTION)}, 1, XDP_REDIRECT, 0, 0, 1,
		SW_UPCALL_ACTION},
	{"an_upcall_takes_the_frame_as_it_came", 10, 10, 64, {STEP(VLAN_POP, 0), STEP(UPCALL, SW_UPCALL_ACTION)}, 2,
		XDP_REDIRECT, 0, 0, 1, SW_UPCALL_ACTION},
	{"a_broadcast_is_a_redirect", 10, 10, 64, {STEP(BROADCAST, SET)}, 1, XDP_REDIRECT, 0, 0, 0, 0},
	{"a_broadcast_may_be_tagged_first", UNTAGGED, 10, 64, {STEP(VLAN_PUSH, 10), STEP(BROADCAST, SET)}, 2,
		XDP_REDIRECT, 0, 0, 0, 0},
	{"a_broadcast_to_nobody_has_no_output", 10, 0, 64, {STEP(BROADCAST, 9)}, 1, DROPS(NO_OUTPUT, TRIAL_IN), 0, 0},
	{"a_broadcast_to_no_set_is_a_bad_program", 10, 0, 64, {STEP(BROADCAST, 8)}, 1, DROPS(BAD_PROGRAM, TRIAL_IN), 0,
		0},
	{"a_broadcast_to_a_set_beyond_all_is_a_bad_program", 10, 0, 64, {STEP(BROADCAST, 4000)}, 1,
		DROPS(BAD_PROGRAM, TRIAL_IN), 0, 0},
	{"a_broadcast_that_fits_just_so_goes_out", 10, 10, 1518, {STEP(BROADCAST, SET)}, 1, XDP_REDIRECT, 0, 0, 0, 0},
	{"a_broadcast_over_a_members_mtu_goes_up", 10, 10, 1519, {STEP(BROADCAST, SET)}, 1, XDP_REDIRECT, 0, 0, 1,
		SW_UPCALL_OVER_MTU},
	{"what_a_tag_would_make_too_long_goes_up_without_it", UNTAGGED, UNTAGGED, 1515,
		{STEP(VLAN_PUSH, 10), STEP(BROADCAST, SET)}, 2, XDP_REDIRECT, 0, 0, 1, SW_UPCALL_OVER_MTU},
	{"what_a_pop_makes_short_enough_goes_out", 10, UNTAGGED, 1522, {STEP(VLAN_POP, 0), STEP(BROADCAST, SET)}, 2,
		XDP_REDIRECT, 0, 0, 0, 0},
	{"a_broadcast_in_two_buffers_goes_up", 10, 10, 8000, {STEP(BROADCAST, SET)}, 1, XDP_REDIRECT, 0, 0, 1,
		SW_UPCALL_FRAGS},
	{"an_output_in_two_buffers_goes_out", 10, UNTAGGED, 8000, {STEP(VLAN_POP, 0), STEP(OUTPUT, TRIAL_OUT)}, 2,
		XDP_REDIRECT, 0, 0, 0, 0},
	{"what_no_upcall_can_carry_is_too_big", 10, 0, 9000, {STEP(BROADCAST, SET)}, 1, DROPS(UPCALL_TOO_BIG, TRIAL_IN),
		1, 0},
	{"a_frame_over_its_own_mtu_is_gso", 10, 0, 9100, {STEP(OUTPUT, TRIAL_OUT)}, 1, DROPS(GSO, TRIAL_IN), 0, 0},
};

#define N_CASES (sizeof(cases) / sizeof(*cases))

static void check_counters(
	const struct program_case *c, const struct packet *in, const struct outcome *o, uint32_t slot)
{
	struct sw_port_stats rx = fixture_port_stats(&f, TRIAL_IN), tx = fixture_port_stats(&f, TRIAL_OUT);
	struct sw_flow_stats flow = fixture_flow_stats(&f, slot);
	int sent = c->verdict == XDP_REDIRECT && c->steps[c->n_steps - 1].op == SW_OP_OUTPUT;

	ck_assert_uint_eq(rx.rx_frames, 1);
	ck_assert_uint_eq(rx.rx_bytes, in->size);
	ck_assert_uint_eq(rx.misses, 0);
	ck_assert_uint_eq(rx.upcalls, c->reason != 0);
	ck_assert_uint_eq(flow.packets, 1);
	ck_assert_uint_eq(flow.bytes, in->size);
	ck_assert_uint_eq(tx.tx_frames, sent);
	ck_assert_uint_eq(tx.tx_bytes, sent ? o->out.size : 0);
	ck_assert_uint_eq(fixture_all_drops(&f), c->drop ? 1 : 0);
	if (c->drop)
		ck_assert_uint_eq(fixture_drops(&f, c->culprit, c->drop), 1);
}

/* The case's steps are those of a flow, or, with `forked`, of the branch that its fork leads to. */
static uint32_t put_case(const struct program_case *c, const struct packet *in, bool forked)
{
	struct sw_step drop = STEP(DROP, SW_DROP_RULE), step = STEP(FORK, FORK);
	struct sw_fork *fork = &f.forks[FORK];

	if (!forked)
		return trial_put(&f, in, 0, c->steps, c->n_steps);
	*fork = (struct sw_fork){.kind = SW_FORK_FAILOVER, .n_branches = 3, .live = TAKEN};
	for (int i = 0; i < 3; i++)
		fork->branch[i] = (struct sw_flow){.n_steps = 1, .steps = {drop}};
	fork->branch[TAKEN].n_steps = (uint8_t)c->n_steps;
	memcpy(fork->branch[TAKEN].steps, c->steps, sizeof(c->steps));
	return trial_put(&f, in, 0, &step, 1);
}

static void check_branches(const struct packet *in)
{
	for (uint32_t branch = 0; branch < SW_MAX_BRANCHES; branch++) {
		struct sw_flow_stats stats = fixture_branch_stats(&f, FORK, branch);

		ck_assert_uint_eq(stats.packets, branch == TAKEN);
		ck_assert_uint_eq(stats.bytes, branch == TAKEN ? in->size : 0);
	}
}

static void run_case(const struct program_case *c, int way, bool forked)
{
	uint32_t member_ids[] = {4}, member_ifindexes[] = {trial_taker}, slot;
	struct packet in, out;
	struct sw_port port = trial_port();
	struct outcome o;
	int fd = -1;

	trial_setup(&f);
	port.n_queues = 1;
	fixture_set_port(&f, TRIAL_LO, &port);
	fixture_set_members(&f, SET, member_ids, member_ifindexes, 1, 1518);
	f.set_info[8] = (struct sw_set_info){.min_frame = 1518, .n_members = 2};
	f.config->upcall_max_frags = 8500;
	if (c->daemon)
		fd = trial_daemon_arrives(&f);
	packet_plain(&in, c->tci_in, c->size);
	slot = trial_lead(&f, (enum trial_way)way, &in, put_case(c, &in, forked));
	o = trial_run(&f, &in);
	ck_assert_msg(o.verdict == c->verdict, "%s, way %d: verdict %d", c->name, way, o.verdict);
	check_counters(c, &in, &o, slot);
	if (forked && c->drop != SW_DROP_GSO)
		check_branches(&in);
	if (c->reason) {
		trial_check_meta(&o, c->reason, slot);
		memmove(o.out.bytes, o.out.bytes + o.meta_size, o.out.size - o.meta_size);
		o.out.size -= o.meta_size;
	}
	if (c->verdict == XDP_REDIRECT) {
		out = in;
		packet_retag(&out, c->tci_out);
		trial_check_same(&o.out, &out);
	}
	if (fd >= 0)
		close(fd);
}

/* All others have gone, which the kernel takes out of the set at once, and the daemon a while later, or never. */
START_TEST(a_broadcast_to_nobody_but_who_sent_it_has_no_output)
{
	const struct sw_step steps[] = {STEP(VLAN_PUSH, 10), STEP(BROADCAST, SET)};
	uint32_t ids[] = {TRIAL_IN, 4}, ifindexes[] = {TRIAL_LO, trial_taker};
	struct packet in;

	trial_setup(&f);
	fixture_set_members(&f, SET, ids, ifindexes, 1 + _i, 1518);
	f.set_info[SET].n_members = 2;
	packet_plain(&in, UNTAGGED, 64);
	trial_put(&f, &in, 0, steps, 2);
	ck_assert_int_eq(trial_run(&f, &in).verdict, _i ? XDP_REDIRECT : XDP_DROP);
	ck_assert_uint_eq(fixture_drops(&f, TRIAL_IN, SW_DROP_NO_OUTPUT), !_i);
	ck_assert_uint_eq(fixture_all_drops(&f), !_i);
}
END_TEST

/* Metadata of a sender's is neither passed on nor taken for ours, which stands just before what goes up. */
START_TEST(what_a_sender_put_in_front_of_a_frame_stays_behind)
{
	const struct sw_meta forged = {.magic = SW_META_MAGIC, .reason = SW_UPCALL_FRAGS};
	struct xdp_md ctx = {.ingress_ifindex = TRIAL_LO, .data = sizeof(forged)}, ctx_out = {0};
	bool is_known = _i & 1, is_recalled = _i & 2;
	struct packet in, framed;
	struct outcome o;
	int fd;

	trial_setup(&f);
	fd = trial_daemon_arrives(&f);
	packet_plain(&in, 10, 64);
	if (is_known)
		trial_lead(&f, TRIAL_HOME, &in, trial_put_output(&f, &in, 0));
	fixture_begin_epoch(&f);
	if (is_recalled)
		trial_run(&f, &in);
	memcpy(framed.bytes, &forged, sizeof(forged));
	memcpy(framed.bytes + sizeof(forged), in.bytes, in.size);
	framed.size = ctx.data_end = sizeof(forged) + in.size;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = framed.bytes, .data_size_in = framed.size,
		.data_out = o.out.bytes, .data_size_out = sizeof(o.out.bytes), .ctx_in = &ctx,
		.ctx_size_in = sizeof(ctx), .ctx_out = &ctx_out, .ctx_size_out = sizeof(ctx_out), .repeat = 1);
	ck_assert_int_eq(bpf_prog_test_run_opts(bpf_program__fd(f.skel->progs.sw_ingress), &opts), 0);
	close(fd);
	o.out.size = opts.data_size_out;
	o.meta_size = ctx_out.data;
	ck_assert_int_eq(opts.retval, XDP_REDIRECT);
	ck_assert_uint_eq(fixture_recalled(&f), is_known && is_recalled);
	if (is_known)
		trial_check_same(&o.out, &in);
	else
		trial_check_meta(&o, SW_UPCALL_MISS, 0);
}
END_TEST

START_TEST(a_program_does_what_its_steps_say)
{
	run_case(&cases[_i / TRIAL_N_WAYS], _i % TRIAL_N_WAYS, false);
}
END_TEST

START_TEST(a_branch_does_what_its_steps_say)
{
	run_case(&cases[_i / TRIAL_N_WAYS], _i % TRIAL_N_WAYS, true);
}
END_TEST

START_TEST(one_word_leads_all_flows_elsewhere)
{
	const struct program_case out = {.steps = {STEP(OUTPUT, TRIAL_OUT)}, .n_steps = 1};
	struct packet in;

	trial_setup(&f);
	packet_plain(&in, 10, 64);
	put_case(&out, &in, true);
	ck_assert_int_eq(trial_run(&f, &in).verdict, XDP_REDIRECT);
	f.forks[FORK].live = 0;
	ck_assert_int_eq(trial_run(&f, &in).verdict, XDP_DROP);
	f.forks[FORK].live = TAKEN;
	ck_assert_int_eq(trial_run(&f, &in).verdict, XDP_REDIRECT);
	ck_assert_uint_eq(fixture_branch_stats(&f, FORK, TAKEN).packets, 2);
	ck_assert_uint_eq(fixture_branch_stats(&f, FORK, 0).packets, 1);
}
END_TEST

/* What no daemon writes. */
START_TEST(a_fork_that_leads_nowhere_is_a_bad_program)
{
	const struct program_case out = {.steps = {STEP(OUTPUT, TRIAL_OUT)}, .n_steps = 1};
	static const uint32_t lives[] = {3, SW_MAX_BRANCHES, SW_MAX_BRANCHES + TAKEN, UINT32_MAX};
	struct sw_step beyond = STEP(FORK, SW_MAX_FORKS), nested = STEP(FORK, FORK);
	struct packet in;

	trial_setup(&f);
	packet_plain(&in, 10, 64);
	put_case(&out, &in, true);
	for (size_t i = 0; i < sizeof(lives) / sizeof(*lives); i++) {
		f.forks[FORK].live = lives[i];
		ck_assert_int_eq(trial_run(&f, &in).verdict, XDP_DROP);
		ck_assert_uint_eq(fixture_drops(&f, TRIAL_IN, SW_DROP_BAD_PROGRAM), i + 1);
	}
	f.forks[FORK].live = TAKEN;
	f.forks[FORK].branch[TAKEN].steps[0] = nested;
	ck_assert_int_eq(trial_run(&f, &in).verdict, XDP_DROP);
	trial_setup(&f);
	trial_put(&f, &in, 0, &beyond, 1);
	ck_assert_int_eq(trial_run(&f, &in).verdict, XDP_DROP);
	ck_assert_uint_eq(fixture_drops(&f, TRIAL_IN, SW_DROP_BAD_PROGRAM), 1);
}
END_TEST

START_TEST(several_buffers_go_up_where_the_output_takes_one)
{
	struct sw_step steps[] = {STEP(VLAN_POP, 0), STEP(OUTPUT, TRIAL_OUT)};
	struct packet in, out;
	struct outcome o;
	uint32_t slot;
	int fd;

	trial_setup(&f);
	fd = trial_daemon_arrives(&f);
	packet_plain(&in, 10, 8000);
	slot = trial_put(&f, &in, SW_FLOW_ONE_BUFFER, steps, 2);
	o = trial_run(&f, &in);
	ck_assert_int_eq(o.verdict, XDP_REDIRECT);
	trial_check_meta(&o, SW_UPCALL_FRAGS, slot);
	ck_assert_mem_eq(o.out.bytes + o.meta_size, in.bytes, in.size); /* as it came */
	ck_assert_uint_eq(fixture_port_stats(&f, TRIAL_OUT).tx_frames, 0);
	packet_plain(&in, 10, 2000);
	o = trial_run(&f, &in);
	out = in;
	packet_retag(&out, UNTAGGED);
	trial_check_same(&o.out, &out);
	ck_assert_uint_eq(fixture_port_stats(&f, TRIAL_OUT).tx_frames, 1);
	close(fd);
}
END_TEST

/* As before Linux 6.6, where the kernel would refuse the frame and tell nobody. */
START_TEST(several_buffers_are_too_big_where_no_upcall_carries_them)
{
	struct packet in;
	int fd;

	trial_setup(&f);
	f.config->upcall_max_frags = 0;
	fd = trial_daemon_arrives(&f);
	packet_plain(&in, 10, 8000);
	ck_assert_int_eq(trial_run(&f, &in).verdict, XDP_DROP);
	ck_assert_uint_eq(fixture_drops(&f, TRIAL_IN, SW_DROP_UPCALL_TOO_BIG), 1);
	packet_plain(&in, 10, 1514);
	ck_assert_int_eq(trial_run(&f, &in).verdict, XDP_REDIRECT);
	ck_assert_uint_eq(fixture_all_drops(&f), 1);
	close(fd);
}
END_TEST

/* ---- misses ---- */

START_TEST(a_miss_without_a_daemon_is_a_named_drop)
{
	struct packet in;

	trial_setup(&f);
	packet_plain(&in, UNTAGGED, 64);
	ck_assert_int_eq(trial_run(&f, &in).verdict, XDP_DROP);
	ck_assert_uint_eq(fixture_drops(&f, TRIAL_IN, SW_DROP_NO_DAEMON), 1);
	ck_assert_uint_eq(fixture_all_drops(&f), 1);
	ck_assert_uint_eq(fixture_port_stats(&f, TRIAL_IN).rx_frames, 1);
	ck_assert_uint_eq(fixture_port_stats(&f, TRIAL_IN).rx_bytes, 64);
	ck_assert_uint_eq(fixture_port_stats(&f, TRIAL_IN).misses, 1);
}
END_TEST

START_TEST(a_miss_goes_up_with_metadata)
{
	struct outcome o;
	struct packet in;
	int fd;

	trial_setup(&f);
	fd = trial_daemon_arrives(&f);
	packet_plain(&in, UNTAGGED, 64);
	o = trial_run(&f, &in);
	close(fd);
	ck_assert_int_eq(o.verdict, XDP_REDIRECT);
	trial_check_meta(&o, SW_UPCALL_MISS, 0);
	ck_assert_mem_eq(o.out.bytes + o.meta_size, in.bytes, in.size);
	ck_assert_uint_eq(fixture_port_stats(&f, TRIAL_IN).upcalls, 1);
}
END_TEST

#define ETH_MPLS   0x8847
#define ETH_PBB    0x88e7
#define N_UNSTATED 98

/* A frame of this type is given so many backbone headers, and one label more or none, and leaves. */
static void put_pushes(uint32_t id, uint16_t type, uint8_t n, uint8_t n_labels)
{
	const struct sw_step steps[] = {{.op = SW_OP_REWRITE, .arg = (uint16_t)id}, STEP(OUTPUT, TRIAL_OUT)};
	const struct sw_key key = {.f.in_ifindex = TRIAL_LO, .f.eth_type_be = htons(type)};
	struct sw_rewrite *rewrite = &f.rewrites[id];

	for (uint8_t i = 0; i < n; i++)
		rewrite->edits[i] = (struct sw_edit){.op = SW_EDIT_PUSH_PBB, .arg = ETH_PBB};
	rewrite->edits[n] = (struct sw_edit){.op = SW_EDIT_PUSH_MPLS, .arg = ETH_MPLS};
	rewrite->n_edits = n + n_labels;
	fixture_put(&f, &key, 0, TRIAL_IN, 0, steps, 2);
}

/*
 * The frame of one run is that of the next: the first two take all its headroom but 14 bytes, which is too little for
 * metadata. The daemon takes each of the others for a miss and counts it, unless the flow says that it does not count.
 */
START_TEST(what_goes_up_without_metadata_is_left_to_the_daemon_to_count)
{
	static const struct sw_step broadcast[] = {STEP(BROADCAST, SET)}, up[] = {STEP(UPCALL, SW_UPCALL_ACTION)},
				    forked[] = {STEP(FORK, FORK)},
				    metered[] = {STEP(METER, METER), STEP(BROADCAST, SET)},
				    *const steps[] = {broadcast, up, forked, metered};
	const struct sw_key bits = {.f.in_ifindex = UINT32_MAX, .f.eth_type_be = UINT16_MAX};
	const struct sw_key key = {.f.in_ifindex = TRIAL_LO, .f.eth_type_be = htons(ETH_MPLS)};
	uint32_t member_ids[] = {4}, member_ifindexes[] = {TRIAL_LO}, slot, n_counted;
	struct packet in;
	struct outcome o;
	int fd;

	trial_setup(&f);
	f.config->n_order = 0;
	fixture_set_mask(&f, 0, &bits);
	fixture_set_members(&f, SET, member_ids, member_ifindexes, 1, 100);
	packet_plain(&in, UNTAGGED, 200);
	put_pushes(1, 0x0800, 7, 0);
	put_pushes(2, ETH_PBB, 4, 1);
	f.forks[FORK] = (struct sw_fork){.kind = SW_FORK_FAILOVER, .n_branches = 2, .live = TAKEN};
	f.forks[FORK].branch[TAKEN] = (struct sw_flow){.n_steps = 1, .steps = {broadcast[0]}};
	f.meters[METER].id = 1;
	slot = fixture_put(&f, &key, 0, TRIAL_IN, 0, steps[_i], steps[_i] == metered ? 2 : 1);
	fd = trial_daemon_arrives(&f);
	ck_assert_int_eq(trial_run_split(&f, &in, 0, 2 + N_UNSTATED, &o), 0);
	close(fd);
	ck_assert_int_eq(o.verdict, XDP_REDIRECT);
	ck_assert_uint_eq(o.meta_size, 0);
	ck_assert_uint_eq(o.out.size, in.size + 7 * 18 + 4 * 18 + 4);
	n_counted = steps[_i] == up ? N_UNSTATED : 0;
	ck_assert_uint_eq(fixture_flow_stats(&f, slot).packets, n_counted);
	ck_assert_uint_eq(fixture_flow_stats(&f, slot).bytes, n_counted * o.out.size);
	ck_assert_uint_eq(f.stopped[slot].packets, 0);
	ck_assert_uint_eq(f.stopped[slot].bytes, 0);
	ck_assert_uint_eq(fixture_branch_stats(&f, FORK, TAKEN).packets, 0);
	ck_assert_uint_eq(fixture_port_stats(&f, TRIAL_IN).upcalls, N_UNSTATED);
}
END_TEST

START_TEST(a_foreign_device_is_no_port)
{
	struct packet in;
	uint32_t lo = TRIAL_LO;

	trial_setup(&f);
	bpf_map_delete_elem(bpf_map__fd(f.skel->maps.ports), &lo);
	packet_plain(&in, UNTAGGED, 64);
	ck_assert_int_eq(trial_run(&f, &in).verdict, XDP_DROP);
	ck_assert_uint_eq(fixture_drops(&f, 0, SW_DROP_NO_PORT), 1);
	in.bytes[12] = 0x81;
	in.bytes[13] = 0;
	in.size = 16;
	trial_run(&f, &in);
	ck_assert_uint_eq(fixture_drops(&f, 0, SW_DROP_NO_PORT), 2);
}
END_TEST

START_TEST(a_storm_of_misses_is_limited)
{
	struct sw_port port = trial_port();
	struct packet in;
	int i;

	trial_setup(&f);
	port.miss_rate = 1;
	port.miss_burst = 3;
	fixture_set_port(&f, TRIAL_LO, &port);
	f.miss_buckets[TRIAL_IN].tokens = 3000000000ULL;
	packet_plain(&in, UNTAGGED, 64);
	for (i = 0; i < 10; i++)
		trial_run(&f, &in);
	ck_assert_uint_eq(fixture_drops(&f, TRIAL_IN, SW_DROP_NO_DAEMON), 3);
	ck_assert_uint_eq(fixture_drops(&f, TRIAL_IN, SW_DROP_MISS_LIMIT), 7);
}
END_TEST

START_TEST(the_limit_refills_with_time)
{
	struct sw_port port = trial_port();
	struct packet in;

	trial_setup(&f);
	port.miss_rate = 100;
	port.miss_burst = 5;
	fixture_set_port(&f, TRIAL_LO, &port);
	packet_plain(&in, UNTAGGED, 64);
	trial_run(&f, &in); /* the bucket's clock starts: more than a second since 0, so it is full */
	f.miss_buckets[TRIAL_IN].tokens = 0;
	usleep(100000);
	trial_run(&f, &in);
	ck_assert_uint_eq(fixture_drops(&f, TRIAL_IN, SW_DROP_MISS_LIMIT), 0);
	ck_assert_uint_le(f.miss_buckets[TRIAL_IN].tokens, 4000000000ULL);
}
END_TEST

START_TEST(upcalls_of_a_flow_are_not_limited)
{
	struct sw_step step = {.op = SW_OP_UPCALL, .arg = SW_UPCALL_ACTION};
	struct sw_port port = trial_port();
	struct packet in;
	int i;

	trial_setup(&f);
	port.miss_rate = port.miss_burst = 1;
	fixture_set_port(&f, TRIAL_LO, &port);
	packet_plain(&in, UNTAGGED, 64);
	trial_put(&f, &in, 0, &step, 1);
	for (i = 0; i < 5; i++)
		trial_run(&f, &in);
	ck_assert_uint_eq(fixture_drops(&f, TRIAL_IN, SW_DROP_NO_DAEMON), 5);
}
END_TEST

START_TEST(a_frame_that_ends_in_its_tag_is_a_runt)
{
	struct packet in;

	trial_setup(&f);
	packet_plain(&in, 5, 64);
	for (in.size = 14; in.size < 18; in.size++)
		ck_assert_int_eq(trial_run(&f, &in).verdict, XDP_DROP);
	ck_assert_uint_eq(fixture_drops(&f, TRIAL_IN, SW_DROP_RUNT), 4);
	ck_assert_uint_eq(fixture_all_drops(&f), 4);
	ck_assert_uint_eq(fixture_port_stats(&f, TRIAL_IN).rx_frames, 4);
	ck_assert_uint_eq(fixture_port_stats(&f, TRIAL_IN).misses, 4);
}
END_TEST

START_TEST(a_miss_over_its_senders_mtu_is_gso)
{
	struct sw_port port = trial_port();
	struct packet in;

	trial_setup(&f);
	port.max_rx_frame = 1518;
	fixture_set_port(&f, TRIAL_LO, &port);
	packet_plain(&in, UNTAGGED, 1519);
	trial_run(&f, &in);
	ck_assert_uint_eq(fixture_drops(&f, TRIAL_IN, SW_DROP_GSO), 1);
	packet_plain(&in, UNTAGGED, 1518);
	trial_run(&f, &in);
	ck_assert_uint_eq(fixture_drops(&f, TRIAL_IN, SW_DROP_GSO), 1);
}
END_TEST

START_TEST(tags_without_end_run_out_of_headroom)
{
	struct sw_step steps[] = {{.op = SW_OP_VLAN_PUSH, .arg = 5}, {.op = SW_OP_OUTPUT, .arg = TRIAL_OUT}};
	struct sw_key bits = {0}, key = {0};
	struct outcome o;
	struct packet in;

	trial_setup(&f);
	bits.f.in_ifindex = UINT32_MAX;
	f.config->n_order = 0;
	fixture_set_mask(&f, 0, &bits);
	key.f.in_ifindex = TRIAL_LO;
	fixture_put(&f, &key, 0, TRIAL_IN, 0, steps, 2);
	packet_plain(&in, UNTAGGED, 64);
	ck_assert_int_eq(trial_run_split(&f, &in, 0, 100, &o), 0); /* the frame of one run is that of the next */
	ck_assert_int_eq(o.verdict, XDP_DROP);
	ck_assert_uint_gt(fixture_drops(&f, TRIAL_IN, SW_DROP_NO_HEADROOM), 0);
	ck_assert_uint_eq(
		fixture_drops(&f, TRIAL_IN, SW_DROP_NO_HEADROOM) + fixture_port_stats(&f, TRIAL_OUT).tx_frames, 100);
}
END_TEST

/* ---- lengths ---- */

START_TEST(every_length_from_14_to_2000_passes)
{
	struct packet whole, in;
	struct outcome o;
	size_t size;

	trial_setup(&f);
	packet_plain(&whole, UNTAGGED, 2000);
	trial_put_output(&f, &whole, SW_FLOW_CSUM);
	for (size = 14; size <= 2000; size++) {
		in = whole;
		in.size = size;
		o = trial_run(&f, &in);
		ck_assert_int_eq(o.verdict, XDP_REDIRECT);
		trial_check_same(&o.out, &in);
	}
	ck_assert_uint_eq(fixture_all_drops(&f), 0);
	ck_assert_uint_eq(fixture_port_stats(&f, TRIAL_OUT).tx_frames, 1987);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("program");
	TCase *tcase = tcase_create("program");

	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, what_a_sender_put_in_front_of_a_frame_stays_behind, 0, 4);
	tcase_add_loop_test(tcase, a_broadcast_to_nobody_but_who_sent_it_has_no_output, 0, 2);
	tcase_add_loop_test(tcase, a_program_does_what_its_steps_say, 0, TRIAL_N_WAYS * N_CASES);
	tcase_add_loop_test(tcase, a_branch_does_what_its_steps_say, 0, TRIAL_N_WAYS * N_CASES);
	tcase_add_test(tcase, one_word_leads_all_flows_elsewhere);
	tcase_add_test(tcase, a_fork_that_leads_nowhere_is_a_bad_program);
	tcase_add_test(tcase, several_buffers_go_up_where_the_output_takes_one);
	tcase_add_test(tcase, several_buffers_are_too_big_where_no_upcall_carries_them);
	tcase_add_test(tcase, a_miss_without_a_daemon_is_a_named_drop);
	tcase_add_test(tcase, a_miss_goes_up_with_metadata);
	tcase_add_loop_test(tcase, what_goes_up_without_metadata_is_left_to_the_daemon_to_count, 0, 4);
	tcase_add_test(tcase, a_foreign_device_is_no_port);
	tcase_add_test(tcase, a_storm_of_misses_is_limited);
	tcase_add_test(tcase, the_limit_refills_with_time);
	tcase_add_test(tcase, upcalls_of_a_flow_are_not_limited);
	tcase_add_test(tcase, a_frame_that_ends_in_its_tag_is_a_runt);
	tcase_add_test(tcase, a_miss_over_its_senders_mtu_is_gso);
	tcase_add_test(tcase, tags_without_end_run_out_of_headroom);
	tcase_add_test(tcase, every_length_from_14_to_2000_passes);
	suite_add_tcase(s, tcase);
	return s;
}

int main(void)
{
	return trial_main(&f, suite());
}
