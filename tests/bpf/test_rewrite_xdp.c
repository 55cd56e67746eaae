/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the shipped program makes of a frame by a REWRITE step is what rewrite_apply() makes of it in the daemon, byte
 * for byte; or the frame goes up as it came. TEST_SEED=n repeats the run of a failed test, which names it.
 */
#include "trial.h"

#include "bpf/extract.h"
#include "dataplane/action.h"
#include "dataplane/rewrite.h"
#include "dataplane/rewrites.h"
#include "tests/unit/rewrite_golden.h"
#include "tests/unit/rewrite_lab.h"
#include "tests/unit/seeded.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define N_FRAMES  60000
#define N_GOLDENS (int)(sizeof(goldens) / sizeof(goldens[0]))
#define HEADROOM  256
#define TAILROOM  64
#define SET       3
#define TAGS_MAX  5

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

	if (!rewrite_is_fast(&golden->action))
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

START_TEST(most_golden_actions_are_fast)
{
	ck_assert_int_gt(n_fast_goldens, 30);
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
	uint32_t member_ids[] = {4}, member_ifindexes[] = {TRIAL_LO}, slot;
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

/* ---- oracle ---- */

static struct action random_action(struct seeded *random)
{
	static const uint8_t others[] = {ACTION_PUSH_VLAN, ACTION_POP_VLAN, ACTION_SET_NW_TTL, ACTION_DEC_NW_TTL};
	struct action action = {.type = ACTION_SET_FIELD};

	if (!seeded_below(random, 3)) {
		action.type = others[seeded_below(random, 4)];
		action.arg = action.type == ACTION_PUSH_VLAN ? 0x8100
			     : seeded_below(random, 4)       ? seeded_below(random, 256)
							     : seeded_below(random, 3);
		return action;
	}
	do {
		action.field = (uint8_t)seeded_below(random, N_FIELDS);
	} while (!rewrite_is_fast(&action));
	for (uint32_t i = 0; i < field_row(action.field)->oxm_size; i++)
		action.value[i] = (uint8_t)(seeded_below(random, 8) ? seeded_next(random) : 0);
	return action;
}

static uint32_t random_tags(struct seeded *random, struct packet *p)
{
	uint32_t n = seeded_below(random, 3) ? 0 : seeded_below(random, TAGS_MAX);

	for (uint32_t i = 0; i < n; i++) {
		uint8_t tag[4] = {0x81, 0x00, (uint8_t)seeded_next(random), (uint8_t)seeded_next(random)};

		if (!seeded_below(random, 3))
			tag[0] = 0x88, tag[1] = 0xa8;
		memmove(p->bytes + 16, p->bytes + 12, p->size - 12);
		memcpy(p->bytes + 12, tag, 4);
		p->size += 4;
	}
	return n;
}

/* A short TTL now and then, with the checksum as wrong as it was. */
static void random_ttl(struct seeded *random, struct lab *lab)
{
	if (lab->ip && !seeded_below(random, 3))
		lab->bytes[lab->ip + (lab->version == 4 ? 8 : 7)] = (uint8_t)seeded_below(random, 6);
}

struct draw {
	struct lab lab;
	struct packet in;
	uint32_t n_tags, n_actions;
	struct action actions[SW_MAX_EDITS];
};

static void draw(struct seeded *random, struct draw *ret)
{
	ret->lab = lab_frame(random);
	random_ttl(random, &ret->lab);
	memcpy(ret->in.bytes, ret->lab.bytes, ret->lab.size);
	ret->in.size = ret->lab.size;
	ret->n_tags = random_tags(random, &ret->in);
	if (ret->in.bytes[12 + 4 * ret->n_tags] == 0x81 || ret->in.bytes[12 + 4 * ret->n_tags] == 0x88)
		ret->n_tags += ret->in.bytes[13 + 4 * ret->n_tags] == 0 || ret->in.bytes[13 + 4 * ret->n_tags] == 0xa8;
	ret->n_actions = 1 + seeded_below(random, 5);
	if (!seeded_below(random, 10))
		ret->n_actions = SW_MAX_EDITS;
	for (uint32_t i = 0; i < ret->n_actions; i++)
		ret->actions[i] = random_action(random);
}

/* The daemon may be asked although it would do the same: only for what the program does not look through. */
static bool may_go_up(const struct draw *draw)
{
	const struct lab *lab = &draw->lab;

	return f.rewrites[7].looks &&
	       (draw->n_tags > SW_REWRITE_TAGS || (lab->version == 6 && (lab->later || lab->l4 != lab->ip + 40)));
}

START_TEST(random_rewrites_of_random_frames_are_the_daemons)
{
	uint32_t n_done = 0, n_ended = 0, n_asked = 0;
	struct seeded random = seeded_start();
	static struct reference reference;
	static struct draw d;
	struct outcome o;
	int fd;

	trial_setup(&f);
	fd = trial_daemon_arrives(&f);
	install_output(&(struct action){.type = ACTION_POP_VLAN}, 1);
	for (int i = 0; i < N_FRAMES; i++) {
		const struct action *list[SW_MAX_EDITS];
		bool is_up;

		draw(&random, &d);
		for (uint32_t k = 0; k < d.n_actions; k++)
			list[k] = &d.actions[k];
		ck_assert(rewrite_compile(list, d.n_actions, &f.rewrites[7]));
		apply(&d.in, d.actions, d.n_actions, &reference);
		o = trial_run(&f, &d.in);
		ck_assert_msg(o.verdict == XDP_REDIRECT, "seed %lu, frame %d: verdict %d", random.seed, i, o.verdict);
		is_up = o.meta_size > 0;
		if (is_up) {
			check_went_up(&o, &d.in, SW_UPCALL_REWRITE);
			ck_assert_msg(reference.result == REWRITE_BAD_TTL || may_go_up(&d),
				"seed %lu, frame %d went up for nothing", random.seed, i);
			n_ended += reference.result == REWRITE_BAD_TTL;
			n_asked += reference.result == REWRITE_DONE;
			continue;
		}
		ck_assert_msg(
			reference.result == REWRITE_DONE, "seed %lu, frame %d: its TTL has ended", random.seed, i);
		ck_assert_msg(
			o.out.size == reference.frame.size && !memcmp(o.out.bytes, reference.frame.data, o.out.size),
			"seed %lu, frame %d of %zu bytes is another", random.seed, i, d.in.size);
		n_done++;
	}
	close(fd);
	printf("%u rewritten alike, %u ended by their TTL, %u left to the daemon\n", n_done, n_ended, n_asked);
	ck_assert(n_done > N_FRAMES / 2 && n_ended > N_FRAMES / 100 && n_asked < N_FRAMES / 6);
	ck_assert_uint_eq(fixture_all_drops(&f), 0);
}
END_TEST

/* Headers that are cut, that contradict themselves, or that lead astray: the program believes what the daemon does. */
START_TEST(random_rewrites_of_spoiled_frames_are_the_daemons)
{
	uint32_t n_done = 0, n_up = 0;
	struct seeded random = seeded_start();
	static struct reference reference;
	struct action actions[SW_MAX_EDITS];
	const struct action *list[SW_MAX_EDITS];
	struct sw_headers headers;
	struct sw_key key;
	struct outcome o;
	struct packet in;
	int fd;

	trial_setup(&f);
	fd = trial_daemon_arrives(&f);
	install_output(&(struct action){.type = ACTION_POP_VLAN}, 1);
	for (int i = 0; i < N_FRAMES; i++) {
		uint32_t n = 1 + seeded_below(&random, 5);
		uint64_t seed = seeded_next(&random);

		do {
			packet_scramble(&in, &seed);
			sw_extract(in.bytes, in.bytes + in.size, TRIAL_LO, SW_KEY_WORDS, &key, &headers);
		} while (!headers.l3 || in.size > 1500);
		for (uint32_t k = 0; k < n; k++) {
			actions[k] = random_action(&random);
			list[k] = &actions[k];
		}
		ck_assert(rewrite_compile(list, n, &f.rewrites[7]));
		apply(&in, actions, n, &reference);
		o = trial_run(&f, &in);
		ck_assert_msg(o.verdict == XDP_REDIRECT, "seed %lu, frame %d of %zu bytes: verdict %d", random.seed, i,
			in.size, o.verdict);
		if (o.meta_size) {
			check_went_up(&o, &in, SW_UPCALL_REWRITE);
			n_up++;
			continue;
		}
		ck_assert_msg(
			reference.result == REWRITE_DONE, "seed %lu, frame %d: its TTL has ended", random.seed, i);
		ck_assert_msg(
			o.out.size == reference.frame.size && !memcmp(o.out.bytes, reference.frame.data, o.out.size),
			"seed %lu, frame %d of %zu bytes is another", random.seed, i, in.size);
		n_done++;
	}
	close(fd);
	printf("%u spoiled ones rewritten alike, %u left to the daemon\n", n_done, n_up);
	ck_assert(n_done > N_FRAMES / 3 && n_up > N_FRAMES / 100);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("rewrite_xdp");
	TCase *tcase = tcase_create("rewrite_xdp");

	tcase_set_timeout(tcase, 200);
	tcase_add_loop_test(tcase, it_makes_of_a_frame_what_other_libraries_make_of_it, 0, N_GOLDENS);
	tcase_add_test(tcase, most_golden_actions_are_fast);
	tcase_add_loop_test(tcase, a_ttl_that_ends_goes_up_as_it_came_and_is_counted_by_the_flow, 0, 2 * N_TTL_CASES);
	tcase_add_loop_test(tcase, a_program_that_rewrites_does_what_its_steps_say, 0, TRIAL_N_WAYS * N_STEP_CASES);
	tcase_add_loop_test(tcase, an_unfinished_checksum_is_finished_before_it_is_mended, 0, 2);
	tcase_add_loop_test(tcase, a_udp_checksum_that_becomes_zero_is_sent_as_all_ones, 0, 2);
	tcase_add_test(tcase, pushes_without_end_run_out_of_headroom);
	tcase_add_loop_test(tcase, a_tag_is_pushed_on_a_header_without_payload, 0, 2 * 4);
	tcase_add_test(tcase, random_rewrites_of_random_frames_are_the_daemons);
	tcase_add_test(tcase, random_rewrites_of_spoiled_frames_are_the_daemons);
	suite_add_tcase(s, tcase);
	return s;
}

int main(void)
{
	return trial_main(&f, suite());
}
