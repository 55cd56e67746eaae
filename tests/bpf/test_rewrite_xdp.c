/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the shipped program makes of a frame by a REWRITE step is what rewrite_apply() makes of it in the daemon, byte
 * for byte; or the frame goes up as it came. TEST_SEED=n repeats the run of a failed test, which names it.
 */
#include "trial.h"

#include "bpf/extract.h"
#include "dataplane/action.h"
#include "dataplane/layers.h"
#include "dataplane/rewrite.h"
#include "dataplane/rewrites.h"
#include "tests/unit/rewrite_golden.h"
#include "tests/unit/rewrite_lab.h"
#include "tests/unit/seeded.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define N_FRAMES   60000
#define N_GOLDENS  (int)(sizeof(goldens) / sizeof(goldens[0]))
#define HEADROOM   256
#define TAILROOM   64
#define SET        3
#define TAGS_MAX   5
#define ONE_BUFFER 3500 /* bytes that are certain to lie in one buffer */

static struct fixture f;

/* ---- the reference ---- */

struct reference {
	uint8_t bytes[HEADROOM + PACKET_MAX + TAILROOM];
	struct frame frame;
	enum rewrite result;
};

static void apply(const struct packet *in, const struct action *actions, uint32_t n, struct reference *ret)
{
	ret->frame = (struct frame){ret->bytes + HEADROOM, (uint32_t)in->size, HEADROOM, TAILROOM};
	memcpy(ret->frame.data, in->bytes, in->size);
	ret->result = REWRITE_DONE;
	for (uint32_t i = 0; i < n && ret->result == REWRITE_DONE; i++)
		ret->result = rewrite_apply(&ret->frame, &actions[i]);
}

/* ---- the program ---- */

/* One flow for all frames, whatever they are, with these actions; its slot. */
static uint32_t install(const struct action *actions, uint32_t n, struct sw_step last)
{
	const struct action *list[SW_MAX_EDITS];
	const struct sw_step steps[] = {STEP(REWRITE, 7), last};
	struct sw_key bits = {0}, key = {0};

	for (uint32_t i = 0; i < n; i++)
		list[i] = &actions[i];
	ck_assert(rewrite_compile(list, n, &f.rewrites[7]));
	f.config->n_order = 0;
	bits.f.in_ifindex = UINT32_MAX;
	fixture_set_mask(&f, 0, &bits);
	key.f.in_ifindex = TRIAL_LO;
	return fixture_put(&f, &key, 0, TRIAL_IN, 0, steps, 2);
}

static uint32_t install_output(const struct action *actions, uint32_t n)
{
	return install(actions, n, (struct sw_step)STEP(OUTPUT, TRIAL_OUT));
}

/* Counted by the flow, with its reason, as it came. */
static void check_went_up(const struct outcome *o, const struct packet *in, enum sw_upcall reason)
{
	ck_assert_int_eq(o->verdict, XDP_REDIRECT);
	trial_check_meta(o, reason, 0);
	ck_assert_uint_eq(o->out.size, o->meta_size + in->size);
	ck_assert_mem_eq(o->out.bytes + o->meta_size, in->bytes, in->size);
}

/* ---- golden ---- */

static size_t from_hex(const char *text, uint8_t *ret_bytes)
{
	size_t n = 0;

	for (; *text; text += 2) {
		char digits[3] = {text[0], text[1], 0};

		ret_bytes[n++] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return n;
}

static int n_fast_goldens;

/* Its segments left make another address the one that the checksum means, which the program does not look for. */
static bool is_for_daemon(const struct golden *golden)
{
	return !strcmp(golden->name, "set_field_ipv6_dst_that_is_only_the_next_hop");
}

START_TEST(it_makes_of_a_frame_what_other_libraries_make_of_it)
{
	const struct golden *golden = &goldens[_i];
	struct packet in, wanted;
	struct outcome o;
	int fd;

	if (!rewrite_is_fast(&(const struct action *){&golden->action}, 1))
		return;
	n_fast_goldens++;
	trial_setup(&f);
	fd = trial_daemon_arrives(&f);
	in.size = from_hex(golden->before, in.bytes);
	wanted.size = from_hex(golden->after, wanted.bytes);
	install_output(&golden->action, 1);
	o = trial_run(&f, &in);
	close(fd);
	if (is_for_daemon(golden)) {
		check_went_up(&o, &in, SW_UPCALL_REWRITE);
		return;
	}
	ck_assert_msg(o.verdict == XDP_REDIRECT && o.out.size == wanted.size &&
			      !memcmp(o.out.bytes, wanted.bytes, wanted.size),
		"%s", golden->name);
}
END_TEST

/* All but set-fields of tunnel_id and ipv6_exthdr, output, group and set_queue, which change no byte. */
START_TEST(all_golden_actions_that_rewrite_are_fast)
{
	ck_assert_int_eq(n_fast_goldens, N_GOLDENS - 5);
}
END_TEST

/* ---- TTLs ---- */

#define SET_TTL(value)                                                                                                 \
	{                                                                                                              \
		.type = ACTION_SET_NW_TTL, .arg = (value)                                                              \
	}
#define DEC_TTL                                                                                                        \
	{                                                                                                              \
		.type = ACTION_DEC_NW_TTL                                                                              \
	}
#define PUSH                                                                                                           \
	{                                                                                                              \
		.type = ACTION_PUSH_VLAN, .arg = 0x8100                                                                \
	}
#define POP                                                                                                            \
	{                                                                                                              \
		.type = ACTION_POP_VLAN                                                                                \
	}

/* least: the smallest TTL with which the frame goes out; 256: none is enough. */
static const struct ttl_case {
	const char *name;
	int n_tags;
	uint32_t n;
	struct action actions[4];
	int least;
} ttl_cases[] = {
	{"a_decrement_wants_two", 0, 1, {DEC_TTL}, 2},
	{"behind_a_tag_too", 1, 1, {DEC_TTL}, 2},
	{"behind_two_tags_it_is_out_of_sight", 2, 1, {DEC_TTL}, 0},
	{"three_decrements_want_four", 0, 3, {DEC_TTL, DEC_TTL, DEC_TTL}, 4},
	{"a_pop_brings_it_to_the_light", 2, 2, {POP, DEC_TTL}, 2},
	{"a_push_takes_it_away", 1, 2, {PUSH, DEC_TTL}, 0},
	{"and_a_pop_brings_it_back", 1, 3, {PUSH, POP, DEC_TTL}, 2},
	{"a_pop_of_nothing_changes_nothing", 0, 3, {POP, PUSH, DEC_TTL}, 2},
	{"one_that_was_set_is_enough", 0, 2, {SET_TTL(2), DEC_TTL}, 0},
	{"or_never", 0, 2, {SET_TTL(1), DEC_TTL}, 256},
	{"what_is_set_afterwards_comes_too_late", 0, 2, {DEC_TTL, SET_TTL(9)}, 2},
	{"a_set_that_is_out_of_sight_sets_nothing", 2, 3, {SET_TTL(9), POP, DEC_TTL}, 2},
	{"behind_three_tags_still", 3, 3, {POP, POP, DEC_TTL}, 2},
	{"to_set_it_is_always_possible", 0, 1, {SET_TTL(0)}, 0},
};

#define N_TTL_CASES (int)(sizeof(ttl_cases) / sizeof(ttl_cases[0]))

static void make_tagged(struct packet *p, int n_tags, int ip_version, uint8_t ttl)
{
	struct packet_spec spec = {.tci = UNTAGGED, .ip_version = ip_version, .ip_proto = 6, .size = 100};
	uint64_t seed = 1;

	spec.csum = CSUM_FINISHED;
	packet_make(p, &spec, &seed);
	p->bytes[p->l3 + (ip_version == 4 ? 8 : 7)] = ttl;
	for (int i = 0; i < n_tags; i++) {
		memmove(p->bytes + 16, p->bytes + 12, p->size - 12);
		memcpy(p->bytes + 12, (uint8_t[]){0x81, 0, 0, 5}, 4);
		p->size += 4;
	}
}

START_TEST(a_ttl_that_ends_goes_up_as_it_came_and_is_counted_by_the_flow)
{
	const struct ttl_case *c = &ttl_cases[_i / 2];
	static struct reference reference;
	struct sw_flow_stats stats;
	struct outcome o;
	struct packet in;
	uint32_t slot;
	int fd;

	trial_setup(&f);
	fd = trial_daemon_arrives(&f);
	slot = install_output(c->actions, c->n);
	for (int ttl = 0; ttl < 256; ttl++) {
		make_tagged(&in, c->n_tags, _i % 2 ? 6 : 4, (uint8_t)ttl);
		apply(&in, c->actions, c->n, &reference);
		o = trial_run(&f, &in);
		ck_assert_msg((reference.result == REWRITE_BAD_TTL) == (ttl < c->least), "%s: %d", c->name, ttl);
		if (ttl < c->least) {
			check_went_up(&o, &in, SW_UPCALL_REWRITE);
			continue;
		}
		ck_assert_msg(
			o.out.size == reference.frame.size && !memcmp(o.out.bytes, reference.frame.data, o.out.size),
			"%s: %d", c->name, ttl);
	}
	close(fd);
	stats = fixture_flow_stats(&f, slot);
	ck_assert_uint_eq(stats.packets, 256);
	ck_assert_uint_eq(stats.bytes, 256 * in.size);
	ck_assert_uint_eq(fixture_port_stats(&f, TRIAL_OUT).tx_frames, 256 - c->least);
	ck_assert_uint_eq(fixture_port_stats(&f, TRIAL_IN).upcalls, c->least);
}
END_TEST

/* ---- the steps ---- */

struct step_case {
	const char *name;
	int tci_in, tci_out;
	size_t size;
	struct sw_step steps[SW_MAX_STEPS];
	unsigned int n_steps;
	int verdict;
	enum sw_drop drop;
	uint32_t reason; /* of the upcall */
};

/* Rewrite 1 pushes, 2 pops, 3 is a push and a pop, 4 has an edit that there is not, 5 is empty. */
static const struct step_case step_cases[] = {
	{"a_rewrite_and_an_output", UNTAGGED, 0, 100, {STEP(REWRITE, 1), STEP(OUTPUT, TRIAL_OUT)}, 2, XDP_REDIRECT, 0,
		0},
	{"a_push_copies_the_tag", 0x600a, 0x600a, 100, {STEP(REWRITE, 3), STEP(OUTPUT, TRIAL_OUT)}, 2, XDP_REDIRECT, 0,
		0},
	{"a_pop_of_no_tag_is_nothing", UNTAGGED, UNTAGGED, 100, {STEP(REWRITE, 2), STEP(OUTPUT, TRIAL_OUT)}, 2,
		XDP_REDIRECT, 0, 0},
	{"a_rewrite_and_a_broadcast", 10, UNTAGGED, 100, {STEP(REWRITE, 2), STEP(BROADCAST, SET)}, 2, XDP_REDIRECT, 0,
		0},
	{"a_broadcast_that_fits_just_so", UNTAGGED, 0, 1514, {STEP(REWRITE, 1), STEP(BROADCAST, SET)}, 2, XDP_REDIRECT,
		0, 0},
	{"what_a_push_would_make_too_long_goes_up", UNTAGGED, UNTAGGED, 1515, {STEP(REWRITE, 1), STEP(BROADCAST, SET)},
		2, XDP_REDIRECT, 0, SW_UPCALL_OVER_MTU},
	{"several_buffers_go_up", UNTAGGED, UNTAGGED, 8000, {STEP(REWRITE, 1), STEP(OUTPUT, TRIAL_OUT)}, 2,
		XDP_REDIRECT, 0, SW_UPCALL_FRAGS},
	{"from_a_broadcast_too", UNTAGGED, UNTAGGED, 8000, {STEP(REWRITE, 1), STEP(BROADCAST, SET)}, 2, XDP_REDIRECT, 0,
		SW_UPCALL_FRAGS},
	{"a_broadcast_to_nobody", 10, 0, 100, {STEP(REWRITE, 2), STEP(BROADCAST, 9)}, 2, XDP_DROP, SW_DROP_NO_OUTPUT,
		0},
	{"a_broadcast_to_no_set", 10, 0, 100, {STEP(REWRITE, 2), STEP(BROADCAST, 4000)}, 2, XDP_DROP,
		SW_DROP_BAD_PROGRAM, 0},
	{"a_rewrite_alone", 10, 0, 100, {STEP(REWRITE, 2)}, 1, XDP_DROP, SW_DROP_BAD_PROGRAM, 0},
	{"a_rewrite_before_a_drop", 10, 0, 100, {STEP(REWRITE, 2), STEP(DROP, SW_DROP_RULE)}, 2, XDP_DROP,
		SW_DROP_BAD_PROGRAM, 0},
	{"a_rewrite_before_two_steps", 10, 0, 100, {STEP(REWRITE, 2), STEP(VLAN_PUSH, 3), STEP(OUTPUT, TRIAL_OUT)}, 3,
		XDP_DROP, SW_DROP_BAD_PROGRAM, 0},
	{"a_rewrite_that_is_not_first", 10, 0, 100, {STEP(VLAN_POP, 0), STEP(REWRITE, 1), STEP(OUTPUT, TRIAL_OUT)}, 3,
		XDP_DROP, SW_DROP_BAD_PROGRAM, 0},
	{"an_unknown_edit", 10, 0, 100, {STEP(REWRITE, 4), STEP(OUTPUT, TRIAL_OUT)}, 2, XDP_DROP, SW_DROP_BAD_PROGRAM,
		0},
	{"an_empty_rewrite", 10, 0, 100, {STEP(REWRITE, 5), STEP(OUTPUT, TRIAL_OUT)}, 2, XDP_DROP, SW_DROP_BAD_PROGRAM,
		0},
	{"a_rewrite_beyond_all", 10, 0, 100, {STEP(REWRITE, 5000), STEP(OUTPUT, TRIAL_OUT)}, 2, XDP_DROP,
		SW_DROP_BAD_PROGRAM, 0},
};

#define N_STEP_CASES (int)(sizeof(step_cases) / sizeof(step_cases[0]))

static void write_some(void)
{
	const struct action push = PUSH, pop = POP, *pushes[] = {&push}, *pops[] = {&pop}, *both[] = {&push, &pop};

	ck_assert(rewrite_compile(pushes, 1, &f.rewrites[1]));
	ck_assert(rewrite_compile(pops, 1, &f.rewrites[2]));
	ck_assert(rewrite_compile(both, 2, &f.rewrites[3]));
	f.rewrites[4] = (struct sw_rewrite){.n_edits = 1, .edits = {{.op = SW_N_EDIT_OPS}}};
}

START_TEST(a_program_that_rewrites_does_what_its_steps_say)
{
	const struct step_case *c = &step_cases[_i / TRIAL_N_WAYS];
	uint32_t member_ids[] = {4}, member_ifindexes[] = {trial_taker}, slot;
	struct packet in, out;
	struct outcome o;
	int fd;

	trial_setup(&f);
	fixture_set_members(&f, SET, member_ids, member_ifindexes, 1, 1518);
	write_some();
	fd = trial_daemon_arrives(&f);
	packet_plain(&in, c->tci_in, c->size);
	slot = trial_lead(&f, _i % TRIAL_N_WAYS, &in, trial_put(&f, &in, 0, c->steps, c->n_steps));
	o = trial_run(&f, &in);
	close(fd);
	ck_assert_msg(o.verdict == c->verdict, "%s, way %d: verdict %d", c->name, _i % TRIAL_N_WAYS, o.verdict);
	ck_assert_uint_eq(fixture_flow_stats(&f, slot).packets, 1);
	ck_assert_uint_eq(fixture_all_drops(&f), c->drop != SW_DROP_NONE);
	if (c->drop) {
		ck_assert_msg(fixture_drops(&f, TRIAL_IN, c->drop) == 1, "%s: another reason", c->name);
		return;
	}
	if (c->reason) {
		check_went_up(&o, &in, c->reason);
		return;
	}
	out = in;
	packet_retag(&out, c->tci_out);
	trial_check_same(&o.out, &out);
	if (c->steps[1].op == SW_OP_OUTPUT)
		ck_assert_uint_eq(fixture_port_stats(&f, TRIAL_OUT).tx_bytes, out.size);
}
END_TEST

START_TEST(an_unfinished_checksum_is_finished_before_it_is_mended)
{
	const struct action actions[] = {
		{.type = ACTION_SET_FIELD, .field = FIELD_IPV4_DST, .value = {192, 0, 2, 77}},
		{.type = ACTION_SET_FIELD, .field = FIELD_UDP_DST, .value = {0x30, 0x39}},
		{.type = ACTION_SET_FIELD, .field = FIELD_TCP_SRC, .value = {0x30, 0x39}},
	};
	struct packet_spec spec = {.tci = UNTAGGED, .ip_version = 4, .ip_proto = _i ? 17 : 6, .size = 777};
	static struct reference reference;
	struct packet in, finished;
	uint64_t seed = 5;
	struct outcome o;

	trial_setup(&f);
	f.flows[install_output(actions, 3)].flags = SW_FLOW_CSUM;
	spec.csum = CSUM_UNFINISHED;
	packet_make(&in, &spec, &seed);
	finished = in;
	packet_set_csum(&finished, CSUM_FINISHED);
	apply(&finished, actions, 3, &reference);
	o = trial_run(&f, &in);
	ck_assert_int_eq(o.verdict, XDP_REDIRECT);
	ck_assert_uint_eq(o.out.size, reference.frame.size);
	ck_assert_mem_eq(o.out.bytes, reference.frame.data, o.out.size);
	ck_assert_uint_eq(fixture_port_stats(&f, TRIAL_IN).csum_done, 1);
}
END_TEST

/* RFC 768: zero would say that there is none. Some value of the port makes it come out as that. */
START_TEST(a_udp_checksum_that_becomes_zero_is_sent_as_all_ones)
{
	struct packet_spec spec = {.tci = UNTAGGED, .ip_version = _i ? 6 : 4, .ip_proto = 17, .size = 100};
	struct action action = {.type = ACTION_SET_FIELD, .field = FIELD_UDP_SRC};
	static struct reference reference;
	const uint8_t *csum = NULL;
	uint64_t seed = 9;
	struct outcome o;
	struct packet in;

	trial_setup(&f);
	spec.csum = CSUM_FINISHED;
	packet_make(&in, &spec, &seed);
	for (uint32_t port = 0; !csum && port < 65536; port++) {
		action.value[0] = (uint8_t)(port >> 8);
		action.value[1] = (uint8_t)port;
		apply(&in, &action, 1, &reference);
		csum = reference.frame.data + in.l4 + 6;
		csum = csum[0] == 0xff && csum[1] == 0xff ? csum : NULL;
	}
	ck_assert_ptr_nonnull(csum);
	install_output(&action, 1);
	o = trial_run(&f, &in);
	ck_assert_uint_eq(o.out.size, reference.frame.size);
	ck_assert_mem_eq(o.out.bytes, reference.frame.data, o.out.size);
}
END_TEST

/* Its CRC is over all of the packet, of which the program reads no more than it must. */
START_TEST(an_sctp_port_is_mended_in_packets_of_any_length)
{
	static const uint8_t header[] = {
		2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 132};
	const struct action action = {
		.type = ACTION_SET_FIELD, .field = _i ? FIELD_SCTP_DST : FIELD_SCTP_SRC, .value = {0x30, 0x39}};
	struct seeded random = seeded_start();
	static struct reference reference;
	struct packet in = {.size = 0};
	struct outcome o;

	trial_setup(&f);
	install_output(&action, 1);
	for (size_t i = 0; i < sizeof(in.bytes); i++)
		in.bytes[i] = i < sizeof(header) ? header[i] : (uint8_t)seeded_next(&random);
	for (in.size = 14 + 20; in.size < ONE_BUFFER; in.size += in.size < 400 ? 1 : 61) {
		store_be16(in.bytes + 16, (uint16_t)(in.size - 14));
		apply(&in, &action, 1, &reference);
		o = trial_run(&f, &in);
		ck_assert_int_eq(o.verdict, XDP_REDIRECT);
		ck_assert_uint_eq(o.out.size, in.size);
		ck_assert_mem_eq(o.out.bytes, reference.frame.data, in.size);
		ck_assert(in.size < 14 + 20 + 12 || memcmp(o.out.bytes + 34 + 8, in.bytes + 34 + 8, 4) != 0);
	}
}
END_TEST

START_TEST(pushes_without_end_run_out_of_headroom)
{
	const struct action push = PUSH;
	struct outcome o;
	struct packet in;

	trial_setup(&f);
	install_output(&push, 1);
	packet_plain(&in, UNTAGGED, 64);
	ck_assert_int_eq(trial_run_split(&f, &in, 0, 100, &o), 0); /* the frame of one run is that of the next */
	ck_assert_int_eq(o.verdict, XDP_DROP);
	ck_assert_uint_gt(fixture_drops(&f, TRIAL_IN, SW_DROP_NO_HEADROOM), 0);
}
END_TEST

/* By a rewrite, and by a step. */
START_TEST(a_tag_is_pushed_on_a_header_without_payload)
{
	static const struct sw_step steps[][2] = {
		{STEP(REWRITE, 1), STEP(OUTPUT, TRIAL_OUT)}, {STEP(VLAN_PUSH, 0), STEP(OUTPUT, TRIAL_OUT)}};
	struct packet in, out;
	struct outcome o;

	trial_setup(&f);
	write_some();
	packet_plain(&in, UNTAGGED, 64);
	in.size = 14 + _i / 2;
	trial_put(&f, &in, 0, steps[_i % 2], 2);
	o = trial_run(&f, &in);
	ck_assert_int_eq(o.verdict, XDP_REDIRECT);
	out = in;
	packet_retag(&out, 0);
	trial_check_same(&o.out, &out);
}
END_TEST

/* The daemon has more of it. */
START_TEST(pushes_that_can_be_undone_go_up_without_headroom)
{
	const struct action push = {.type = ACTION_PUSH_PBB, .arg = 0x88e7}, pushes[] = {push, push, push};
	struct outcome o;
	struct packet in;
	int fd;

	trial_setup(&f);
	fd = trial_daemon_arrives(&f);
	install_output(pushes, 3);
	packet_plain(&in, UNTAGGED, 64);
	ck_assert_int_eq(trial_run_split(&f, &in, 0, 100, &o), 0); /* the frame of one run is that of the next */
	close(fd);
	ck_assert_int_eq(o.verdict, XDP_REDIRECT);
	ck_assert_uint_eq(fixture_all_drops(&f), 0);
	ck_assert_uint_gt(fixture_port_stats(&f, TRIAL_IN).upcalls, 80);
}
END_TEST

/* The header that says that it is one is in sight before the tag is pushed, and behind it may be no more. */
START_TEST(a_later_fragment_that_a_tag_puts_out_of_sight_goes_up)
{
	static const uint8_t header[] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x86, 0xdd, 0x60, 0, 0, 0, 1, 0, 60, 64};
	const struct action actions[] = {
		PUSH, {.type = ACTION_SET_FIELD, .field = FIELD_IPV6_SRC, .value = {0xfd, 1, 2, 3}}};
	const uint32_t units = _i ? 24 : 23; /* of options before it: it is at 246, or at 238 */
	static struct reference reference;
	struct packet in = {.size = 54 + 256};
	struct outcome o;
	int fd;

	trial_setup(&f);
	fd = trial_daemon_arrives(&f);
	install_output(actions, 2);
	memcpy(in.bytes, header, sizeof(header));
	memcpy(in.bytes + 54, (uint8_t[]){SW_IP_FRAGMENT, (uint8_t)(units - 1)}, 2);
	memcpy(in.bytes + 54 + 8 * units, (uint8_t[]){6, 0, 1, 0x28}, 4);
	apply(&in, actions, 2, &reference);
	o = trial_run(&f, &in);
	close(fd);
	if (_i) {
		check_went_up(&o, &in, SW_UPCALL_REWRITE);
		return;
	}
	ck_assert_uint_eq(o.out.size, reference.frame.size);
	ck_assert_mem_eq(o.out.bytes, reference.frame.data, o.out.size);
}
END_TEST

/* ---- oracle ---- */

/* A frame, and what is to be done to it. */
struct draw {
	struct lab lab;
	struct packet in;
	uint32_t n_actions;
	struct action actions[SW_MAX_EDITS];
};

static const uint16_t types[] = {0x0800, 0x86dd, 0x0806, 0x8847, 0x8848, 0x8100, 0x88a8, 0x88e7, 0x88b5, 60};

static uint16_t random_type(struct seeded *random)
{
	return types[seeded_below(random, sizeof(types) / sizeof(types[0]))];
}

static bool is_rewrite(const struct action *action)
{
	return rewrite_is_fast(&action, 1);
}

/* Neighbour messages are few, and what is in them is rarely asked for. */
static uint8_t random_field(struct seeded *random, const struct lab *lab)
{
	static const uint8_t fields[] = {FIELD_ND_TARGET, FIELD_ND_SLL, FIELD_ND_TLL, FIELD_ICMPV6_TYPE};

	if (lab->l4_proto == SW_IP_ICMPV6 && seeded_below(random, 2))
		return fields[seeded_below(random, sizeof(fields))];
	return (uint8_t)seeded_below(random, N_FIELDS);
}

static struct action random_set_field(struct seeded *random, const struct lab *lab)
{
	static const uint8_t protos[] = {0, 1, 6, 17, 43, 44, 51, 58, 60, 132};
	struct action action = {.type = ACTION_SET_FIELD};

	do {
		action.field = random_field(random, lab);
	} while (!is_rewrite(&action));
	for (uint32_t i = 0; i < field_row(action.field)->oxm_size; i++)
		action.value[i] = (uint8_t)(seeded_below(random, 8) ? seeded_next(random) : 0);
	if (action.field == FIELD_IP_PROTO && seeded_below(random, 4))
		action.value[0] = protos[seeded_below(random, sizeof(protos))];
	if (action.field == FIELD_ETH_TYPE && seeded_below(random, 8))
		store_be16(action.value, random_type(random));
	if (action.field == FIELD_ICMPV6_TYPE && seeded_below(random, 2))
		action.value[0] = (uint8_t)(135 + seeded_below(random, 2));
	return action;
}

static struct action pop_to_ip(const struct lab *lab)
{
	return (struct action){.type = ACTION_POP_MPLS, .arg = lab->version == 4 ? 0x0800 : 0x86dd};
}

/* Pushes are of what they push, pops of what may well come to the light. */
static struct action random_action(struct seeded *random, const struct lab *lab)
{
	struct action action = {0};

	if (seeded_below(random, 2))
		return random_set_field(random, lab);
	do {
		action.type = (uint8_t)seeded_below(random, N_ACTIONS);
	} while (!is_rewrite(&action));
	if (action.type == ACTION_PUSH_VLAN)
		action.arg = seeded_below(random, 2) ? 0x8100 : 0x88a8;
	else if (action.type == ACTION_PUSH_MPLS)
		action.arg = seeded_below(random, 2) ? 0x8847 : 0x8848;
	else if (action.type == ACTION_PUSH_PBB)
		action.arg = 0x88e7;
	else if (action.type == ACTION_POP_MPLS && seeded_below(random, 2))
		action = pop_to_ip(lab);
	else if (action.type == ACTION_POP_MPLS)
		action.arg = random_type(random);
	else if (action.type == ACTION_SET_NW_TTL || action.type == ACTION_SET_MPLS_TTL)
		action.arg = seeded_below(random, 4) ? seeded_below(random, 256) : seeded_below(random, 3);
	return action;
}

static void random_actions(struct seeded *random, struct draw *draw)
{
	const struct action *list[SW_MAX_EDITS];

	do {
		draw->n_actions = seeded_below(random, 10) ? 1 + seeded_below(random, 5) : SW_MAX_EDITS;
		for (uint32_t i = 0; i < draw->n_actions; i++) {
			draw->actions[i] = random_action(random, &draw->lab);
			if (!i && draw->lab.behind_label && seeded_below(random, 2))
				draw->actions[i] = pop_to_ip(&draw->lab);
			list[i] = &draw->actions[i];
		}
	} while (!rewrite_compile(list, draw->n_actions, &f.rewrites[7]));
}

static void insert(struct packet *p, size_t offset, const uint8_t *bytes, size_t size)
{
	memmove(p->bytes + offset + size, p->bytes + offset, p->size - offset);
	memcpy(p->bytes + offset, bytes, size);
	p->size += size;
}

static void random_tags(struct seeded *random, struct packet *p)
{
	uint32_t n = seeded_below(random, 3) ? 0 : seeded_below(random, TAGS_MAX);

	while (n--) {
		uint8_t tag[4] = {0x81, 0x00, (uint8_t)seeded_next(random), (uint8_t)seeded_next(random)};

		if (!seeded_below(random, 3))
			tag[0] = 0x88, tag[1] = 0xa8;
		insert(p, 12, tag, 4);
	}
}

/* Makes it a customer's, behind an I-TAG and now and then a B-TAG. */
static void random_backbone(struct seeded *random, struct packet *p)
{
	uint8_t header[22];
	size_t size = 12;

	for (size_t i = 0; i < sizeof(header); i++)
		header[i] = (uint8_t)seeded_next(random);
	if (seeded_below(random, 2)) {
		header[12] = 0x88, header[13] = 0xa8;
		size = 16;
	}
	header[size] = 0x88, header[size + 1] = 0xe7;
	insert(p, 0, header, size + 6);
}

/* A short TTL now and then, with the checksum as wrong as it was. */
static void random_ttl(struct seeded *random, struct lab *lab)
{
	if (lab->ip && !seeded_below(random, 3))
		lab->bytes[lab->ip + (lab->version == 4 ? 8 : 7)] = (uint8_t)seeded_below(random, 6);
}

static void draw(struct seeded *random, struct draw *ret)
{
	ret->lab = lab_frame(random);
	random_ttl(random, &ret->lab);
	memcpy(ret->in.bytes, ret->lab.bytes, ret->lab.size);
	ret->in.size = ret->lab.size;
	random_tags(random, &ret->in);
	if (!seeded_below(random, 6))
		random_backbone(random, &ret->in);
	if (!seeded_below(random, 8))
		ret->in.size = 14 + seeded_below(random, (uint32_t)ret->in.size - 14);
	random_actions(random, ret);
}

/* Headers that the program does not look through, or not so deep. */
static bool is_obscure(const struct ip_layer *ip)
{
	if (!ip->version || (ip->version == 4 && !ip->l4))
		return false;
	return ip->l4 > SW_PARSE_MAX - 32 || (ip->version == 6 && ip->l4 != ip->at + 40) ||
	       (ip->l4_proto == SW_IP_ICMPV6 && ip->l4 + ip->l4_size > SW_PARSE_MAX);
}

/* The same of what is behind all tags, which is looked at before the first edit; a short frame's padding may finish it.
 */
static bool is_obscure_below_tags(const struct packet *in)
{
	const struct frame frame = {.data = (uint8_t *)in->bytes, .size = (uint32_t)in->size};
	uint32_t n_tags = 0, l3 = 14;
	struct ip_layer ip;
	uint16_t type;

	for (type = load_be16(in->bytes + 12); type == 0x8100 || type == 0x88a8; type = load_be16(in->bytes + l3 - 2)) {
		l3 += 4;
		if (++n_tags > SW_REWRITE_TAGS || l3 > in->size)
			return true;
	}
	if (type != 0x0800 && type != 0x86dd)
		return false;
	ip_find(&frame, l3, type == 0x0800 ? 4 : 6, &ip);
	return ip.version ? is_obscure(&ip) : in->size < 60 + SW_MAX_PUSHED;
}

/* Whether the program must know where the transport is. */
static bool rests_on_transport(const struct action *action)
{
	if (action->type != ACTION_SET_FIELD)
		return false;
	switch ((enum field_id)action->field) {
	case FIELD_ETH_DST:
	case FIELD_ETH_SRC:
	case FIELD_ETH_TYPE:
	case FIELD_VLAN_VID:
	case FIELD_VLAN_PCP:
	case FIELD_MPLS_LABEL:
	case FIELD_MPLS_TC:
	case FIELD_MPLS_BOS:
	case FIELD_PBB_ISID:
	case FIELD_IP_DSCP:
	case FIELD_IP_ECN:
	case FIELD_IPV6_FLABEL:
		return false;
	default:
		return true;
	}
}

/* The daemon may be asked although it would do the same: only for what the program does not look through. */
static bool may_go_up(const struct draw *draw)
{
	static struct reference reference;
	uint8_t looks = f.rewrites[7].looks;
	struct layers layers;

	if (!(looks & SW_LOOK_UNDO))
		return looks && is_obscure_below_tags(&draw->in);
	for (uint32_t n = 0; n < draw->n_actions; n++) {
		apply(&draw->in, draw->actions, n, &reference);
		if (rests_on_transport(&draw->actions[n]) && layers_find(&reference.frame, &layers) &&
			is_obscure(&layers.ip))
			return true;
	}
	return false;
}

struct tally {
	uint32_t n_done, n_ended, n_asked;
	uint32_t n_undone; /* of those that ended or asked, after edits */
};

static void compare(const struct seeded *random, int i, const struct draw *d, struct tally *tally)
{
	static struct reference reference;
	struct outcome o = trial_run(&f, &d->in);

	apply(&d->in, d->actions, d->n_actions, &reference);
	ck_assert_msg(o.verdict == XDP_REDIRECT, "seed %lu, frame %d: verdict %d", random->seed, i, o.verdict);
	if (o.meta_size > 0) {
		check_went_up(&o, &d->in, SW_UPCALL_REWRITE);
		ck_assert_msg(reference.result == REWRITE_BAD_TTL || may_go_up(d),
			"seed %lu, frame %d went up for nothing", random->seed, i);
		tally->n_ended += reference.result == REWRITE_BAD_TTL;
		tally->n_asked += reference.result == REWRITE_DONE;
		tally->n_undone += f.rewrites[7].looks & SW_LOOK_UNDO && d->n_actions > 1;
		return;
	}
	ck_assert_msg(reference.result == REWRITE_DONE, "seed %lu, frame %d: its TTL has ended", random->seed, i);
	ck_assert_msg(o.out.size == reference.frame.size && !memcmp(o.out.bytes, reference.frame.data, o.out.size),
		"seed %lu, frame %d of %zu bytes is another", random->seed, i, d->in.size);
	tally->n_done++;
}

/* The program does not come to rewrite a frame that ends in its 802.1Q tag. */
static bool is_runt(const struct packet *p)
{
	return p->size < 18 && p->bytes[12] == 0x81 && p->bytes[13] == 0x00;
}

START_TEST(random_rewrites_of_random_frames_are_the_daemons)
{
	struct seeded random = seeded_start();
	struct tally tally = {0};
	static struct draw d;
	int fd;

	trial_setup(&f);
	fd = trial_daemon_arrives(&f);
	install_output(&(struct action){.type = ACTION_POP_VLAN}, 1);
	for (int i = 0; i < N_FRAMES; i++) {
		do {
			draw(&random, &d);
		} while (is_runt(&d.in));
		compare(&random, i, &d, &tally);
	}
	close(fd);
	printf("%u rewritten alike, %u ended by their TTL, %u left to the daemon; of those two %u after edits\n",
		tally.n_done, tally.n_ended, tally.n_asked, tally.n_undone);
	ck_assert(tally.n_done > N_FRAMES / 2 && tally.n_ended > N_FRAMES / 100 && tally.n_asked < N_FRAMES / 6);
	ck_assert(tally.n_undone > N_FRAMES / 100);
	ck_assert_uint_eq(fixture_all_drops(&f), 0);
}
END_TEST

/* Headers that are cut, that contradict themselves, or that lead astray: the program believes what the daemon does. */
START_TEST(random_rewrites_of_spoiled_frames_are_the_daemons)
{
	struct seeded random = seeded_start();
	struct sw_headers headers;
	struct tally tally = {0};
	static struct draw d;
	struct sw_key key;
	int fd;

	trial_setup(&f);
	fd = trial_daemon_arrives(&f);
	install_output(&(struct action){.type = ACTION_POP_VLAN}, 1);
	for (int i = 0; i < N_FRAMES; i++) {
		uint64_t seed = seeded_next(&random);

		do {
			packet_scramble(&d.in, &seed);
			sw_extract(d.in.bytes, d.in.bytes + d.in.size, TRIAL_LO, SW_KEY_WORDS, &key, &headers);
		} while (!headers.l3 || d.in.size > 1500);
		random_actions(&random, &d);
		compare(&random, i, &d, &tally);
	}
	close(fd);
	printf("%u spoiled ones rewritten alike, %u ended by their TTL, %u left to the daemon\n", tally.n_done,
		tally.n_ended, tally.n_asked);
	ck_assert(tally.n_done > N_FRAMES / 3 && tally.n_ended + tally.n_asked > N_FRAMES / 100);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("rewrite_xdp");
	TCase *tcase = tcase_create("rewrite_xdp");

	tcase_set_timeout(tcase, 200);
	tcase_add_loop_test(tcase, it_makes_of_a_frame_what_other_libraries_make_of_it, 0, N_GOLDENS);
	tcase_add_test(tcase, all_golden_actions_that_rewrite_are_fast);
	tcase_add_loop_test(tcase, a_ttl_that_ends_goes_up_as_it_came_and_is_counted_by_the_flow, 0, 2 * N_TTL_CASES);
	tcase_add_loop_test(tcase, a_program_that_rewrites_does_what_its_steps_say, 0, TRIAL_N_WAYS * N_STEP_CASES);
	tcase_add_loop_test(tcase, an_unfinished_checksum_is_finished_before_it_is_mended, 0, 2);
	tcase_add_loop_test(tcase, a_udp_checksum_that_becomes_zero_is_sent_as_all_ones, 0, 2);
	tcase_add_loop_test(tcase, an_sctp_port_is_mended_in_packets_of_any_length, 0, 2);
	tcase_add_test(tcase, pushes_without_end_run_out_of_headroom);
	tcase_add_loop_test(tcase, a_tag_is_pushed_on_a_header_without_payload, 0, 2 * 4);
	tcase_add_test(tcase, pushes_that_can_be_undone_go_up_without_headroom);
	tcase_add_loop_test(tcase, a_later_fragment_that_a_tag_puts_out_of_sight_goes_up, 0, 2);
	tcase_add_test(tcase, random_rewrites_of_random_frames_are_the_daemons);
	tcase_add_test(tcase, random_rewrites_of_spoiled_frames_are_the_daemons);
	suite_add_tcase(s, tcase);
	return s;
}

int main(void)
{
	return trial_main(&f, suite());
}
