/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A rewrite at one stroke (bpf/patch.h) makes of whole TCP and UDP over IPv4 what rewrite_apply() makes of it in the
 * daemon, edit by edit, to the bit. TEST_SEED=n repeats the run of a failed test, which names it.
 */
#include "trial.h"

#include "dataplane/action.h"
#include "dataplane/rewrite.h"
#include "dataplane/rewrites.h"
#include "tests/unit/seeded.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define N_FRAMES 60000
#define REWRITE  7

static struct fixture f;

/* A frame, and what is to be done to it. */
struct draw {
	struct packet in;
	uint32_t n_actions;
	struct action actions[SW_MAX_EDITS];
};

/* ---- frames ---- */

/* Bytes of which sums come out as all zeros or ones. */
static void random_extreme(struct seeded *random, uint8_t *bytes, size_t size)
{
	uint32_t kind = seeded_below(random, 4);

	for (size_t i = 0; i < size; i++)
		bytes[i] = kind == 0 ? 0 : kind == 1 ? 0xff : (uint8_t)seeded_next(random);
}

/* Whole TCP or UDP over IPv4, with sums that are right, wrong, none, or nothing but ones. */
static void draw_plain(struct seeded *random, struct packet *ret)
{
	struct packet_spec spec = {
		.tci = seeded_below(random, 3) ? UNTAGGED : (int)seeded_below(random, 0x10000),
		.ip_version = 4,
		.ip_proto = seeded_below(random, 2) ? 6 : 17,
		.size = 58 + seeded_below(random, 60),
		.csum = CSUM_FINISHED,
	};
	uint8_t *ip;

	packet_make(ret, &spec, &random->state);
	ip = ret->bytes + ret->l3;
	for (size_t at = 12; at < 24; at += 2)
		random_extreme(random, ip + at, 2);
	random_extreme(random, ip + 1, 1);
	ip[8] = (uint8_t)(seeded_below(random, 2) ? seeded_below(random, 6) : seeded_next(random));
	if (seeded_below(random, 2))
		random_extreme(random, ip + 10, 2);
	if (seeded_below(random, 2))
		random_extreme(random, ret->bytes + packet_csum_offset(ret), 2);
}

/* ---- rewrites ---- */

/* Sets a field to any value, to all zeros or ones, or to what the frame has there. */
static struct action random_patched(struct seeded *random, const struct packet *in)
{
	static const struct {
		uint8_t field, of_ip, at, size;
	} fields[] = {
		{FIELD_ETH_DST, 0, 0, 6},
		{FIELD_ETH_SRC, 0, 6, 6},
		{FIELD_IPV4_SRC, 1, 12, 4},
		{FIELD_IPV4_DST, 1, 16, 4},
		{FIELD_TCP_SRC, 1, 20, 2},
		{FIELD_TCP_DST, 1, 22, 2},
		{FIELD_UDP_SRC, 1, 20, 2},
		{FIELD_UDP_DST, 1, 22, 2},
		{FIELD_IP_DSCP, 0, 0, 1},
		{FIELD_IP_ECN, 0, 0, 1},
	};
	uint32_t kind = seeded_below(random, 12);
	struct action action = {.type = ACTION_SET_FIELD};

	if (kind == 10)
		return (struct action){.type = ACTION_SET_NW_TTL,
			.arg = (uint16_t)seeded_below(random, seeded_below(random, 2) ? 4 : 256)};
	if (kind == 11)
		return (struct action){.type = ACTION_DEC_NW_TTL};
	action.field = fields[kind].field;
	random_extreme(random, action.value, fields[kind].size);
	if (!seeded_below(random, 3))
		memcpy(action.value, in->bytes + (fields[kind].of_ip ? in->l3 : 0) + fields[kind].at,
			fields[kind].size);
	if (action.field == FIELD_IP_DSCP || action.field == FIELD_IP_ECN)
		action.value[0] &= action.field == FIELD_IP_DSCP ? 0x3f : 3;
	return action;
}

/* Edits that are of one protocol, mostly, for those of both have no patch. */
static void draw_patch(struct seeded *random, struct draw *ret)
{
	const struct action *list[SW_MAX_EDITS];

	ret->n_actions = 1 + seeded_below(random, seeded_below(random, 8) ? 4 : SW_MAX_EDITS);
	for (uint32_t i = 0; i < ret->n_actions; i++) {
		ret->actions[i] = random_patched(random, &ret->in);
		list[i] = &ret->actions[i];
	}
	ck_assert(rewrite_compile(list, ret->n_actions, &f.rewrites[REWRITE]));
}

/* ---- the test ---- */

/* One flow for all frames, where rules look beyond layer 2. */
static void install(void)
{
	const struct sw_step steps[] = {STEP(REWRITE, REWRITE), STEP(OUTPUT, TRIAL_OUT)};
	const struct sw_key bits = {.f = {.in_ifindex = UINT32_MAX}}, key = {.f = {.in_ifindex = TRIAL_LO}};

	trial_setup(&f);
	f.config->n_order = 0;
	fixture_set_mask(&f, 0, &bits);
	f.config->depth = SW_KEY_WORDS;
	fixture_put(&f, &key, 0, TRIAL_IN, 0, steps, 2);
}

/* 0: the frame went up as it came, for its TTL ends. */
static uint32_t compare(const struct draw *d, uint64_t seed)
{
	struct packet copy = d->in;
	struct frame frame = {.data = copy.bytes, .size = (uint32_t)copy.size};
	struct outcome o = trial_run(&f, &d->in);
	enum rewrite result = REWRITE_DONE;

	for (uint32_t i = 0; i < d->n_actions && result == REWRITE_DONE; i++)
		result = rewrite_apply(&frame, &d->actions[i]);
	ck_assert_int_eq(o.verdict, XDP_REDIRECT);
	ck_assert_msg((result == REWRITE_DONE) == !o.meta_size, "TEST_SEED=%lu: another TTL has ended", seed);
	if (result != REWRITE_DONE) {
		ck_assert_mem_eq(o.out.bytes + o.meta_size, d->in.bytes, d->in.size);
		return 0;
	}
	ck_assert_msg(o.out.size == frame.size && !memcmp(o.out.bytes, frame.data, frame.size),
		"TEST_SEED=%lu: another frame", seed);
	return 1;
}

START_TEST(what_is_done_at_one_stroke_is_what_the_edits_do)
{
	struct seeded random = seeded_start();
	uint32_t n_done = 0, n_patched = 0;
	static struct draw d;
	int fd;

	install();
	fd = trial_daemon_arrives(&f);
	for (int i = 0; i < N_FRAMES; i++) {
		draw_plain(&random, &d.in);
		draw_patch(&random, &d);
		n_patched += f.rewrites[REWRITE].patch.does != 0;
		n_done += compare(&d, random.seed);
	}
	close(fd);
	printf("%u rewritten alike, %u ended by their TTL; %u with a patch\n", n_done, N_FRAMES - n_done, n_patched);
	ck_assert_uint_gt(n_done, N_FRAMES / 2);
	ck_assert_uint_gt(N_FRAMES - n_done, N_FRAMES / 100);
	ck_assert_uint_gt(n_patched, N_FRAMES / 2);
	ck_assert_uint_eq(fixture_all_drops(&f), 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("patches");
	TCase *tcase = tcase_create("patches");

	tcase_set_timeout(tcase, 200);
	tcase_add_test(tcase, what_is_done_at_one_stroke_is_what_the_edits_do);
	suite_add_tcase(s, tcase);
	return s;
}

int main(void)
{
	return trial_main(&f, suite());
}
