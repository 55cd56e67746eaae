/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What leaves by several ports, each copy rewritten in its own way, on real devices: each copy is what rewrite_apply()
 * makes of the frame in the daemon, byte for byte, or the whole frame goes up as it came. TEST_SEED=n repeats the run
 * of a failed test, which names it.
 */
#include "live_lab.h"

#include "burst.h"
#include "burst.skel.h"
#include "dataplane/action.h"
#include "dataplane/rewrite.h"
#include "dataplane/rewrites.h"
#include "tests/unit/rewrite_lab.h"
#include "tests/unit/seeded.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>

#define COPIES     9
#define N_FRAMES   4000
#define BURST      48 /* of one NAPI poll, and of one run of the generator, whose frames are new then */
#define HEADROOM   256
#define TAILROOM   64
#define MOST_TAGS  3
#define LEAST_SIZE 84 /* what a socket sent may have no room behind it for what a pop leaves short (bpf/rewrite.h) */

#define SET_FIELD(name, ...)                                                                                           \
	{                                                                                                              \
		.type = ACTION_SET_FIELD, .field = FIELD_##name, .value = { __VA_ARGS__ }                              \
	}
#define ACTION(name, value)                                                                                            \
	{                                                                                                              \
		.type = ACTION_##name, .arg = (value)                                                                  \
	}

/* What is done to the copy of each port; is_output: there is one. */
struct plan_of_port {
	bool is_output;
	uint32_t n;
	struct action actions[SW_MAX_EDITS];
};

static struct plan_of_port ports[N_PORTS + 1];
static struct rewrites *rewrites;

/* ---- the program ---- */

static void write_members(void)
{
	uint32_t ids[N_PORTS], ifindexes[N_PORTS], n = 0;

	for (uint32_t port = 1; port <= N_PORTS; port++) {
		if (!ports[port].is_output)
			continue;
		ids[n] = port;
		ifindexes[n++] = p_ifindex[port];
	}
	fixture_set_members(&f, SET, ids, ifindexes, n, 1518);
	f.set_info[SET].needs_marks = 1;
	f.copies[COPIES].n_copies = (uint16_t)n;
}

/* The list of this plan. */
static void write_list(void)
{
	struct sw_copies *list = &f.copies[COPIES];

	*list = (struct sw_copies){.set = SET};
	for (uint32_t port = 1; port <= N_PORTS; port++) {
		const struct action *actions[SW_MAX_EDITS];
		uint32_t id;

		for (uint32_t i = 0; i < ports[port].n; i++)
			actions[i] = &ports[port].actions[i];
		if (!ports[port].is_output || !ports[port].n)
			continue;
		id = rewrites_get(rewrites, actions, ports[port].n);
		ck_assert_uint_lt(id, SW_MAX_REWRITES);
		list->rewrite[port] = (uint16_t)(id + 1);
		rewrites_join(rewrites, id, &list->all);
		rewrites_drop(rewrites, id);
	}
	write_members();
}

static uint32_t put_copies(const struct packet *p)
{
	return put(p, 0, &(struct sw_step){.op = SW_OP_COPIES, .arg = COPIES}, 1);
}

/* As the daemon does before it sends copies there. */
static void follow(uint32_t port_id, uint32_t flags)
{
	struct bpf_devmap_val way = {.ifindex = p_ifindex[port_id]};
	struct sw_port record;

	way.bpf_prog.fd = bpf_program__fd(f.skel->progs.sw_egress_one);
	ck_assert_int_eq(bpf_map_lookup_elem(bpf_map__fd(f.skel->maps.ports), &p_ifindex[port_id], &record), 0);
	record.flags |= flags;
	fixture_set_port(&f, p_ifindex[port_id], &record);
	ck_assert_int_eq(bpf_map_update_elem(bpf_map__fd(f.skel->maps.tx_ports), &port_id, &way, BPF_ANY), 0);
}

static void begin(int generic)
{
	setup(generic);
	f.config->seed = 0x0123456789abcdef;
	for (uint32_t port = 1; port <= N_PORTS; port++)
		follow(port, SW_PORT_FOLLOWED);
	rewrites_destroy(rewrites);
	rewrites = rewrites_create(f.rewrites, 1);
	ck_assert_ptr_nonnull(rewrites);
	memset(ports, 0, sizeof(ports));
}

/* Port 1 as it came, 2 with a tag and another address, 3 with a TTL less. */
static void plan_three(void)
{
	static const struct action push = ACTION(PUSH_VLAN, 0x8100), vid = SET_FIELD(VLAN_VID, 0x10, 0x07),
				   dst = SET_FIELD(ETH_DST, 2, 0, 0, 0, 0, 0x77), ttl = ACTION(DEC_NW_TTL, 0);

	ports[1] = (struct plan_of_port){.is_output = true};
	ports[2] = (struct plan_of_port){.is_output = true, .n = 3, .actions = {push, vid, dst}};
	ports[3] = (struct plan_of_port){.is_output = true, .n = 1, .actions = {ttl}};
	write_list();
}

/* ---- the reference ---- */

struct reference {
	uint8_t bytes[HEADROOM + PACKET_MAX + TAILROOM];
	struct frame frame;
	enum rewrite result;
};

static void apply(const struct packet *in, const struct plan_of_port *plan, struct reference *ret)
{
	ret->frame = (struct frame){ret->bytes + HEADROOM, (uint32_t)in->size, HEADROOM, TAILROOM};
	memcpy(ret->frame.data, in->bytes, in->size);
	ret->result = REWRITE_DONE;
	for (uint32_t i = 0; i < plan->n && ret->result == REWRITE_DONE; i++)
		ret->result = rewrite_apply(&ret->frame, &plan->actions[i]);
}

static struct packet wanted(const struct packet *in, uint32_t port)
{
	static struct reference reference;
	struct packet p;

	apply(in, &ports[port], &reference);
	ck_assert_int_eq(reference.result, REWRITE_DONE);
	p.size = reference.frame.size;
	memcpy(p.bytes, reference.frame.data, p.size);
	return p;
}

/* ---- one by one ---- */

START_TEST(each_copy_is_rewritten_in_its_own_way_and_counted)
{
	struct packet p, copy;
	uint32_t slot;

	begin(_i);
	plan_three();
	packet_plain(&p, UNTAGGED, 200);
	slot = put_copies(&p);
	put_frame(&p);
	for (int port = 1; port <= N_PORTS; port++) {
		copy = wanted(&p, port);
		check_arrives(port, &copy);
		ck_assert_uint_eq(fixture_port_stats(&f, port).tx_frames, 1);
		ck_assert_uint_eq(fixture_port_stats(&f, port).tx_bytes, copy.size);
	}
	ck_assert_uint_eq(fixture_flow_stats(&f, slot).packets, 1);
	ck_assert_uint_eq(fixture_all_drops(&f), 0);
}
END_TEST

START_TEST(a_copy_leaves_a_port_of_a_vlan_as_it_was_rewritten)
{
	struct packet p, copy;

	begin(_i);
	plan_three();
	ports[2].actions[1].value[1] = 10; /* which a flood would lose there */
	write_list();
	packet_plain(&p, UNTAGGED, 200);
	put_copies(&p);
	put_frame(&p);
	copy = wanted(&p, 2);
	ck_assert_int_eq(packet_tci(&copy), 10);
	check_arrives(2, &copy);
	ports[2].n = 0;
	write_list();
	packet_retag(&p, 10);
	put_copies(&p);
	put_frame(&p);
	check_arrives(2, &p);
}
END_TEST

/* Nobody listens: what goes up is counted for that. */
static void check_goes_up(const struct packet *p)
{
	put_frame(p);
	check_drop(1, SW_DROP_NO_DAEMON, 1);
	for (int port = 1; port <= N_PORTS; port++)
		check_silence(port);
}

START_TEST(a_ttl_that_ends_for_one_copy_sends_the_frame_up)
{
	struct packet p;

	begin(_i);
	plan_three();
	packet_plain(&p, UNTAGGED, 200);
	p.bytes[p.l3 + 8] = 1;
	put_copies(&p);
	check_goes_up(&p);
}
END_TEST

START_TEST(a_copy_that_would_be_too_long_sends_the_frame_up)
{
	struct packet p, copy;

	begin(_i);
	plan_three();
	packet_plain(&p, UNTAGGED, 1510);
	put_copies(&p);
	f.set_info[SET].min_frame = 1514;
	put_frame(&p);
	copy = wanted(&p, 2);
	check_arrives(2, &copy);
	check_arrives(1, &p);
	copy = wanted(&p, 3);
	check_arrives(3, &copy);
	f.set_info[SET].min_frame = 1513;
	check_goes_up(&p);
}
END_TEST

START_TEST(a_list_that_is_not_there_is_named)
{
	struct packet p;

	begin(_i);
	packet_plain(&p, UNTAGGED, 200);
	put_copies(&p);
	put_frame(&p);
	check_drop(1, SW_DROP_BAD_PROGRAM, 1);
}
END_TEST

/* One that is empty. The others leave; what the kernel says of it is not counted again. */
START_TEST(a_copy_whose_rewrite_is_not_there_is_named_once)
{
	struct packet p, copy;

	begin(_i);
	plan_three();
	f.copies[COPIES].rewrite[3] = 4000;
	packet_plain(&p, UNTAGGED, 200);
	put_copies(&p);
	for (int i = 0; i < 5; i++) {
		put_frame(&p);
		check_arrives(1, &p);
		copy = wanted(&p, 2);
		check_arrives(2, &copy);
	}
	check_silence(3);
	ck_assert_uint_eq(fixture_drops(&f, 3, SW_DROP_BAD_PROGRAM), 5);
	ck_assert_uint_eq(fixture_all_drops(&f), 5);
	ck_assert_uint_eq(fixture_port_stats(&f, 3).tx_frames, 0);
	ck_assert_uint_eq(fixture_port_stats(&f, 2).tx_frames, 5);
}
END_TEST

/* In native mode: a generic redirect learns nothing of it. Behind a copy that was dropped before, by another name. */
START_TEST(a_copy_that_the_driver_does_not_take_is_named)
{
	struct packet p;

	begin(0);
	plan_three();
	f.copies[COPIES].rewrite[3] = 4000;
	packet_plain(&p, UNTAGGED, 1300);
	put_copies(&p);
	put_five_while(&p, "ip link set q2 mtu 1200", "ip link set q2 mtu 1500", 10);
	ck_assert_uint_eq(fixture_drops(&f, 2, SW_DROP_XMIT), 5);
	ck_assert_uint_eq(fixture_drops(&f, 3, SW_DROP_BAD_PROGRAM), 5);
	ck_assert_uint_eq(fixture_port_stats(&f, 2).tx_frames, 0);
	ck_assert_uint_eq(fixture_port_stats(&f, 3).tx_frames, 0);
}
END_TEST

/* ---- many at once ---- */

/* Alternately to the two addresses, in native mode, where there are bulks. */
static void send_burst(const struct packet *p, uint8_t first, uint8_t second, const struct sw_mark *mark)
{
	struct burst *burst = burst__open_and_load();
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = p->bytes, .data_size_in = p->size, .repeat = BURST,
		.flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = BURST);

	ck_assert_ptr_nonnull(burst);
	burst->bss->plan.ifindex = q_ifindex[1];
	burst->bss->plan.address[0] = first;
	burst->bss->plan.address[1] = second;
	if (mark) {
		burst->bss->plan.has_mark = 1;
		burst->bss->plan.mark = *mark;
	}
	ck_assert_int_eq(bpf_prog_test_run_opts(bpf_program__fd(burst->progs.burst), &options), 0);
	burst__destroy(burst);
}

/* Takes the frames that arrive at the port, of which so many are this one. */
static uint32_t count_arrivals(int port, const struct packet *wanted, uint32_t n)
{
	struct packet p;
	uint32_t n_same = 0;

	for (uint32_t i = 0; i < n; i++) {
		ck_assert_msg(take_frame(port, &p, 2000), "%u of %u arrive at q%d", i, n, port);
		n_same += p.size == wanted->size && !memcmp(p.bytes, wanted->bytes, p.size);
	}
	check_silence(port);
	return n_same;
}

/* To be broadcast, that is with the tag of VLAN 10, which port 2 takes off. */
static void put_flood(const struct packet *p)
{
	const struct sw_step steps[] = {{.op = SW_OP_VLAN_PUSH, .arg = 10}, {.op = SW_OP_BROADCAST, .arg = SET}};

	put(p, 0, steps, 2);
}

/*
 * The kernel runs one program for all frames of a bulk: whichever comes first, unicast stays as it is, copies are
 * rewritten, floods lose their tags, and each is counted once. The generator sends in turn, so 0 and 1 differ in who
 * is first.
 */
static void begin_bulk(struct packet *one, struct packet *other)
{
	begin(0);
	plan_three();
	packet_plain(one, UNTAGGED, 200);
	*other = *one;
	packet_set_macs(one, 0x0200000000bb, 0x020000000002);
	packet_set_macs(other, 0x0200000000aa, 0x020000000002);
}

/* Of this one and the other in turn; `first`: this one comes first. */
static void send_bulk(const struct packet *one, bool first)
{
	send_burst(one, first ? 0xbb : 0xaa, first ? 0xaa : 0xbb, NULL);
}

START_TEST(copies_and_unicast_of_one_bulk_do_not_mix)
{
	struct packet unicast, p, copy;

	begin_bulk(&p, &unicast);
	put_copies(&p);
	put(&unicast, 0, &(struct sw_step){.op = SW_OP_OUTPUT, .arg = 2}, 1);
	send_bulk(&p, _i);
	copy = wanted(&p, 2);
	ck_assert_uint_eq(count_arrivals(2, &copy, BURST), BURST / 2);
	ck_assert_uint_eq(fixture_port_stats(&f, 2).tx_frames, BURST);
	ck_assert_uint_eq(fixture_port_stats(&f, 2).tx_bytes, BURST / 2 * (unicast.size + copy.size));
	copy = wanted(&p, 3);
	ck_assert_uint_eq(count_arrivals(3, &copy, BURST / 2), BURST / 2);
	ck_assert_uint_eq(count_arrivals(1, &p, BURST / 2), BURST / 2);
	ck_assert_uint_eq(fixture_all_drops(&f), 0);
}
END_TEST

START_TEST(floods_and_unicast_of_one_bulk_do_not_mix)
{
	struct packet unicast, p;

	begin_bulk(&p, &unicast);
	packet_retag(&unicast, 10);
	put_flood(&p);
	/* With the tag that a flood would lose. */
	packet_retag(&unicast, UNTAGGED);
	put(&unicast, 0, (const struct sw_step[]){{.op = SW_OP_VLAN_PUSH, .arg = 10}, {.op = SW_OP_OUTPUT, .arg = 2}},
		2);
	send_bulk(&p, _i);
	ck_assert_uint_eq(count_arrivals(2, &p, BURST), BURST / 2);
	ck_assert_uint_eq(fixture_port_stats(&f, 2).tx_frames, BURST);
	ck_assert_uint_eq(fixture_port_stats(&f, 2).tx_bytes, BURST / 2 * (204 + 200));
	ck_assert_uint_eq(count_arrivals(3, &p, BURST / 2), 0);
	ck_assert_uint_eq(fixture_port_stats(&f, 3).tx_bytes, BURST / 2 * 204);
	ck_assert_uint_eq(fixture_all_drops(&f), 0);
}
END_TEST

START_TEST(floods_and_copies_of_one_bulk_do_not_mix)
{
	struct packet flood, p, copy;

	begin_bulk(&p, &flood);
	put_copies(&p);
	put_flood(&flood);
	send_bulk(&p, _i);
	copy = wanted(&p, 2);
	ck_assert_uint_eq(count_arrivals(2, &copy, BURST), BURST / 2);
	ck_assert_uint_eq(fixture_port_stats(&f, 2).tx_bytes, BURST / 2 * (flood.size + copy.size));
	copy = wanted(&p, 3);
	ck_assert_uint_eq(count_arrivals(3, &copy, BURST), BURST / 2);
	ck_assert_uint_eq(fixture_port_stats(&f, 3).tx_bytes, BURST / 2 * (flood.size + 4 + copy.size));
	ck_assert_uint_eq(fixture_all_drops(&f), 0);
}
END_TEST

/* With the magic of a switch whose seed is 0, or ours; with a mark's name or not; and as a flood's or as a copy's. */
START_TEST(a_senders_own_mark_is_nobodys_instruction)
{
	struct sw_mark forged = {.copies = _i & 1 ? COPIES : SW_MARK_FLOOD, .name = _i & 2 ? SW_MARK_NAME : 0};
	struct packet unicast, p, copy;

	begin(0);
	forged.magic = SW_MARK_MAGIC(_i & 4 ? f.config->seed : 0ULL);
	plan_three();
	packet_plain(&p, UNTAGGED, 200);
	unicast = p;
	packet_set_macs(&unicast, 0x0200000000aa, 0x020000000002);
	packet_set_macs(&p, 0x0200000000bb, 0x020000000002);
	put_copies(&p);
	put(&unicast, 0, &(struct sw_step){.op = SW_OP_OUTPUT, .arg = 2}, 1);
	send_burst(&p, 0xaa, 0xbb, &forged);
	copy = wanted(&p, 2);
	ck_assert_uint_eq(count_arrivals(2, &copy, BURST), BURST / 2);
	ck_assert_uint_eq(fixture_port_stats(&f, 2).tx_frames, BURST);
	copy = wanted(&p, 3);
	ck_assert_uint_eq(count_arrivals(3, &copy, BURST / 2), BURST / 2);
	ck_assert_uint_eq(fixture_all_drops(&f), 0);
}
END_TEST

/* ---- oracle ---- */

/* The program carries it out, and knows beforehand whether the frame is one for it. */
static bool is_for_copies(const struct action *actions, uint32_t n)
{
	const struct action *list[SW_MAX_EDITS];
	struct sw_rewrite rewrite;

	for (uint32_t i = 0; i < n; i++)
		list[i] = &actions[i];
	return !n || (rewrite_compile(list, n, &rewrite) && !(rewrite.looks & SW_LOOK_UNDO));
}

static struct action random_action(struct seeded *random)
{
	static const uint8_t others[] = {ACTION_PUSH_VLAN, ACTION_POP_VLAN, ACTION_SET_NW_TTL, ACTION_DEC_NW_TTL};
	struct action action = {.type = ACTION_SET_FIELD};

	if (!seeded_below(random, 3)) {
		action.type = others[seeded_below(random, 4)];
		action.arg = action.type == ACTION_PUSH_VLAN ? 0x8100 : seeded_below(random, 256);
		return action;
	}
	do {
		action.field = (uint8_t)seeded_below(random, N_FIELDS);
	} while (!is_for_copies(&action, 1));
	for (uint32_t i = 0; i < field_row(action.field)->oxm_size; i++)
		action.value[i] = (uint8_t)seeded_next(random);
	return action;
}

static void random_plan(struct seeded *random)
{
	memset(ports, 0, sizeof(ports));
	ports[1 + seeded_below(random, N_PORTS)].is_output = true;
	for (uint32_t port = 1; port <= N_PORTS; port++) {
		struct plan_of_port *plan = &ports[port];

		plan->is_output |= seeded_below(random, 4) > 0;
		plan->n = plan->is_output ? seeded_below(random, 6) : 0;
		for (uint32_t i = 0; i < plan->n; i++)
			plan->actions[i] = random_action(random);
		while (!is_for_copies(plan->actions, plan->n))
			plan->n--;
	}
}

static void random_frame(struct seeded *random, struct packet *ret, bool *ret_deep)
{
	struct lab lab;
	uint32_t n_tags = seeded_below(random, 3) ? 0 : seeded_below(random, MOST_TAGS + 1);

	do {
		lab = lab_frame(random);
	} while (lab.size > 1400 || lab.size < LEAST_SIZE);
	if (lab.ip && !seeded_below(random, 4))
		lab.bytes[lab.ip + (lab.version == 4 ? 8 : 7)] = (uint8_t)seeded_below(random, 6);
	memcpy(ret->bytes, lab.bytes, lab.size);
	ret->size = lab.size;
	for (uint32_t i = 0; i < n_tags; i++) {
		memmove(ret->bytes + 16, ret->bytes + 12, ret->size - 12);
		memcpy(ret->bytes + 12, (uint8_t[]){0x81, 0, (uint8_t)seeded_next(random), 7}, 4);
		ret->size += 4;
	}
	*ret_deep = n_tags >= SW_REWRITE_TAGS || (lab.version == 6 && (lab.later || lab.l4 != lab.ip + 40));
}

/* For one of them a TTL ends, or a checksum is too deep to be sure of. */
static bool must_go_up(const struct packet *in)
{
	static struct reference reference;
	bool ends = false;

	for (uint32_t port = 1; port <= N_PORTS; port++) {
		apply(in, &ports[port], &reference);
		ends |= ports[port].is_output && reference.result != REWRITE_DONE;
	}
	return ends;
}

static uint32_t some_output(void)
{
	for (uint32_t port = 1; port <= N_PORTS; port++) {
		if (ports[port].is_output)
			return port;
	}
	return 0;
}

/* 1: the first of its copies is there; 0: it went up. */
static int wait_for(uint32_t port, uint64_t n_up, struct packet *ret)
{
	for (int i = 0; i < 2000; i++) {
		if (take_frame(port, ret, 0))
			return 1;
		if (fixture_drops(&f, 1, SW_DROP_NO_DAEMON) > n_up)
			return 0;
		usleep(1000);
	}
	ck_abort_msg("neither a copy nor the frame arrives");
}

START_TEST(random_copies_of_random_frames_are_the_daemons)
{
	struct sw_key bits = {0}, key = {0};
	struct seeded random = seeded_start();
	uint32_t n_done = 0, n_up = 0;
	struct packet in, got, copy;

	begin(_i);
	bits.f.in_ifindex = UINT32_MAX;
	f.config->n_order = 0;
	fixture_set_mask(&f, 0, &bits);
	key.f.in_ifindex = p_ifindex[1];
	fixture_put(&f, &key, 0, 1, 0, &(struct sw_step){.op = SW_OP_COPIES, .arg = COPIES}, 1);
	for (int i = 0; i < N_FRAMES; i++) {
		bool deep, must;
		uint32_t first;

		if (i % 16 == 0) {
			random_plan(&random);
			write_list();
		}
		random_frame(&random, &in, &deep);
		must = must_go_up(&in);
		first = some_output();
		put_frame(&in);
		if (!wait_for(first, n_up, &got)) {
			ck_assert_msg(must || (deep && f.copies[COPIES].all.looks),
				"seed %lu, frame %d went up for nothing", random.seed, i);
			n_up++;
			continue;
		}
		ck_assert_msg(!must, "seed %lu, frame %d: the TTL of one copy has ended", random.seed, i);
		for (uint32_t port = first; port <= N_PORTS; port++) {
			if (!ports[port].is_output)
				continue;
			copy = wanted(&in, port);
			ck_assert_msg((port == first || take_frame(port, &got, 2000)) && got.size == copy.size &&
					      !memcmp(got.bytes, copy.bytes, got.size),
				"seed %lu, frame %d of %zu bytes is another at q%u", random.seed, i, in.size, port);
		}
		n_done++;
	}
	for (int port = 1; port <= N_PORTS; port++)
		check_silence(port);
	printf("%u copied, %u left to the daemon\n", n_done, n_up);
	ck_assert(n_done > N_FRAMES / 2 && n_up > N_FRAMES / 100);
	ck_assert_uint_eq(fixture_all_drops(&f), n_up);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("copies_xdp");
	TCase *t = tcase_create("copies_xdp");

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, each_copy_is_rewritten_in_its_own_way_and_counted, 0, 2);
	tcase_add_loop_test(t, a_copy_leaves_a_port_of_a_vlan_as_it_was_rewritten, 0, 2);
	tcase_add_loop_test(t, a_ttl_that_ends_for_one_copy_sends_the_frame_up, 0, 2);
	tcase_add_loop_test(t, a_copy_that_would_be_too_long_sends_the_frame_up, 0, 2);
	tcase_add_loop_test(t, a_list_that_is_not_there_is_named, 0, 2);
	tcase_add_loop_test(t, a_copy_whose_rewrite_is_not_there_is_named_once, 0, 2);
	tcase_add_test(t, a_copy_that_the_driver_does_not_take_is_named);
	tcase_add_loop_test(t, copies_and_unicast_of_one_bulk_do_not_mix, 0, 2);
	tcase_add_loop_test(t, floods_and_unicast_of_one_bulk_do_not_mix, 0, 2);
	tcase_add_loop_test(t, floods_and_copies_of_one_bulk_do_not_mix, 0, 2);
	tcase_add_loop_test(t, a_senders_own_mark_is_nobodys_instruction, 0, 8);
	tcase_add_loop_test(t, random_copies_of_random_frames_are_the_daemons, 0, 2);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return live_main(suite());
}
