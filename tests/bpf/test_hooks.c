/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two builds of the fast path, on the same maps, make the same of the same frame: verdict, bytes, what goes up and
 * why, and every counter. TEST_SEED=n repeats the run of a failed test, which names it.
 *
 * What is theirs each: at tc no frame bears its tag among its bytes, and rewrites that move labels are the daemon's.
 */
#include "trial.h"

#include "bpf/extract.h"
#include "dataplane/action.h"
#include "dataplane/rewrites.h"
#include "tc_twin.h"
#include "tests/unit/rewrite_lab.h"
#include "tests/unit/seeded.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <linux/pkt_cls.h>

#define N_PROGRAMS 1600
#define N_FRAMES   6 /* of a program */
#define REWRITE    7
#define NOWHERE    5 /* a port that has no device */

static struct fixture f;
static struct tc_twin twin;

enum kind { TO_PORT, TO_NOWHERE, NO_TAG_TO_SET, ENDED, RAISED, LEARNED, REWRITTEN, UNKNOWN, N_KINDS };

/* ---- what came of a frame, at either hook ---- */

enum way { SENT, LOST, WENT_UP };

struct seen {
	enum way way;
	struct packet out;
	uint32_t reason, slot; /* of an upcall */
	struct sw_port_stats in, to;
	struct sw_flow_stats flow;
	uint64_t drops[SW_N_DROPS];
};

static void read_counters(uint32_t slot, struct seen *ret)
{
	ret->in = fixture_port_stats(&f, TRIAL_IN);
	ret->in.mega_hits = 0; /* by which of its ways */
	ret->to = fixture_port_stats(&f, TRIAL_OUT);
	ret->flow = fixture_flow_stats(&f, slot);
	for (int reason = 0; reason < SW_N_DROPS; reason++)
		ret->drops[reason] = fixture_drops(&f, TRIAL_IN, (enum sw_drop)reason) +
				     fixture_drops(&f, NOWHERE, (enum sw_drop)reason);
}

static void see_xdp(const struct packet *p, uint32_t slot, struct seen *ret)
{
	struct outcome o;
	struct sw_meta meta;

	fixture_forget_counters(&f);
	o = trial_run(&f, p);
	memset(ret, 0, sizeof(*ret));
	ret->way = o.verdict == XDP_DROP ? LOST : o.meta_size ? WENT_UP : SENT;
	if (ret->way == WENT_UP) {
		meta = trial_meta(&o);
		ret->reason = meta.reason;
		ret->slot = meta.slot;
	}
	if (ret->way != LOST) {
		ret->out.size = o.out.size - o.meta_size;
		memcpy(ret->out.bytes, o.out.bytes + o.meta_size, ret->out.size);
	}
	read_counters(slot, ret);
}

static void see_tc(const struct packet *p, uint32_t slot, struct seen *ret)
{
	static struct packet out;
	int verdict;

	fixture_forget_counters(&f);
	memset(ret, 0, sizeof(*ret));
	verdict = tc_twin_run(&twin, p, 0, &out);
	ret->way = verdict == TC_ACT_REDIRECT ? SENT : twin.n_up ? WENT_UP : LOST;
	ck_assert_msg(verdict == TC_ACT_REDIRECT || verdict == TC_ACT_SHOT, "verdict %d", verdict);
	ck_assert_uint_le(twin.n_up, 1);
	ck_assert(verdict != TC_ACT_REDIRECT || !twin.n_up);
	if (ret->way == WENT_UP) {
		ck_assert_uint_eq(twin.up.in_port, TRIAL_IN);
		ck_assert_uint_eq(twin.up.gso_size, 0);
		ret->reason = twin.up.reason;
		ret->slot = twin.up.slot;
		ret->out = twin.raised;
	} else if (ret->way == SENT) {
		ret->out = out;
	}
	read_counters(slot, ret);
}

static void check_alike(const struct seen *xdp, const struct seen *tc, enum kind kind, uint64_t seed)
{
	ck_assert_msg(xdp->way == tc->way && xdp->reason == tc->reason && xdp->slot == tc->slot,
		"TEST_SEED=%lu: of kind %d: way %d for %u at XDP, %d for %u at tc", seed, kind, xdp->way, xdp->reason,
		tc->way, tc->reason);
	ck_assert_msg(xdp->out.size == tc->out.size && !memcmp(xdp->out.bytes, tc->out.bytes, xdp->out.size),
		"TEST_SEED=%lu: of kind %d: another frame", seed, kind);
	ck_assert_msg(!memcmp(&xdp->in, &tc->in, sizeof(tc->in)) && !memcmp(&xdp->to, &tc->to, sizeof(tc->to)) &&
			      !memcmp(&xdp->flow, &tc->flow, sizeof(tc->flow)),
		"TEST_SEED=%lu: of kind %d: other counts", seed, kind);
	for (int reason = 0; reason < SW_N_DROPS; reason++)
		ck_assert_msg(xdp->drops[reason] == tc->drops[reason],
			"TEST_SEED=%lu: of kind %d: drop %d: %lu and %lu", seed, kind, reason, xdp->drops[reason],
			tc->drops[reason]);
}

/* ---- frames ---- */

static bool is_tagged(const struct packet *p)
{
	uint16_t type = (uint16_t)(p->bytes[12] << 8 | p->bytes[13]);

	return type == SW_ETH_VLAN || type == SW_ETH_SVLAN;
}

/* BPF_PROG_TEST_RUN wants the IP header whole that the type speaks of. */
static bool is_refused(const struct packet *p)
{
	uint16_t type = (uint16_t)(p->bytes[12] << 8 | p->bytes[13]);

	return (type == SW_ETH_IPV4 && p->size < 34) || (type == SW_ETH_IPV6 && p->size < 54);
}

/* Of every kind that the parser and the edits know, whole, cut, or with bytes that are wrong. */
static void draw_frame(struct seeded *random, struct packet *ret)
{
	struct packet_spec spec = {.tci = UNTAGGED, .ip_version = 4, .csum = CSUM_FINISHED};
	struct lab lab;

	do {
		if (seeded_below(random, 2)) {
			spec.ip_proto = seeded_below(random, 2) ? SW_IP_TCP : SW_IP_UDP;
			spec.size = 54 + seeded_below(random, seeded_below(random, 4) ? 60 : 1460);
			packet_make(ret, &spec, &random->state);
		} else if (seeded_below(random, 4)) {
			lab = lab_frame(random);
			memcpy(ret->bytes, lab.bytes, lab.size);
			ret->size = lab.size;
		} else {
			packet_scramble(ret, &random->state);
		}
		if (!seeded_below(random, 8) && ret->size > 15)
			ret->size = 14 + seeded_below(random, (uint32_t)ret->size - 14);
	} while (ret->size < 14 || ret->size > 1514 || is_tagged(ret) || is_refused(ret));
}

/* ---- programs ---- */

static struct action random_action(struct seeded *random)
{
	struct action action = {.type = ACTION_SET_FIELD};

	switch (seeded_below(random, 12)) {
	case 0:
		return (struct action){.type = ACTION_DEC_NW_TTL};
	case 1:
		return (struct action){.type = ACTION_SET_NW_TTL, .arg = seeded_below(random, 256)};
	case 2:
		return (struct action){.type = ACTION_DEC_MPLS_TTL};
	case 3:
		return (struct action){.type = ACTION_POP_VLAN};
	case 4:
		return (struct action){.type = ACTION_COPY_TTL_IN};
	default:
		action.field = (uint8_t)seeded_below(random, N_FIELDS);
		for (size_t i = 0; i < sizeof(action.value); i++)
			action.value[i] = (uint8_t)seeded_next(random);
		return action;
	}
}

static void draw_rewrite(struct seeded *random)
{
	struct action actions[SW_MAX_EDITS];
	const struct action *list[SW_MAX_EDITS];
	uint32_t n;

	do {
		n = 1 + seeded_below(random, 4);
		for (uint32_t i = 0; i < n; i++) {
			actions[i] = random_action(random);
			list[i] = &actions[i];
		}
	} while (!rewrite_compile(list, n, &f.rewrites[REWRITE]));
}

/* The kernel's own rules for an skb: what would not be true of it any more, and what could not be taken back. */
static bool is_the_daemons(enum kind kind)
{
	return kind == REWRITTEN && (f.rewrites[REWRITE].is_upheaval || f.rewrites[REWRITE].looks & SW_LOOK_UNDO);
}

/* One flow for all that comes in, or none; its slot. */
static uint32_t install(enum kind kind, bool deep)
{
	static const struct {
		struct sw_step steps[2];
		unsigned int n;
		uint8_t flags;
	} programs[N_KINDS] = {
		[TO_PORT] = {{STEP(OUTPUT, TRIAL_OUT)}, 1, 0},
		[TO_NOWHERE] = {{STEP(OUTPUT, NOWHERE)}, 1, 0},
		[NO_TAG_TO_SET] = {{STEP(VLAN_SET, 9), STEP(OUTPUT, TRIAL_OUT)}, 2, 0},
		[ENDED] = {{STEP(DROP, SW_DROP_RULE)}, 1, 0},
		[RAISED] = {{STEP(UPCALL, SW_UPCALL_ACTION)}, 1, 0},
		[LEARNED] = {{STEP(NORMAL, 0), STEP(DROP, SW_DROP_NO_OUTPUT)}, 2, SW_FLOW_LEARN},
		[REWRITTEN] = {{STEP(REWRITE, REWRITE), STEP(OUTPUT, TRIAL_OUT)}, 2, 0},
	};
	const struct sw_key bits = {.f = {.in_ifindex = UINT32_MAX}}, key = {.f = {.in_ifindex = TRIAL_LO}};

	f.config->n_order = 0;
	fixture_set_output(&f, TRIAL_OUT, trial_taker);
	fixture_set_mask(&f, 0, &bits);
	f.config->depth = deep ? SW_KEY_WORDS : SW_L2_WORDS;
	if (kind == UNKNOWN)
		return 1;
	return fixture_put(&f, &key, 0, TRIAL_IN, programs[kind].flags, programs[kind].steps, programs[kind].n);
}

static uint64_t mac_of(const uint8_t *bytes)
{
	uint64_t mac = 0;

	for (int i = 0; i < 6; i++)
		mac = mac << 8 | bytes[i];
	return mac;
}

/* Mostly the FDB knows the source, and the destination, here or there. */
static void put_addresses(struct seeded *random, const struct packet *p, uint16_t bridge)
{
	const struct fixture_address src = {
		.mac = mac_of(p->bytes + 6), .bridge = (uint8_t)bridge, .port = TRIAL_IN, .out = SW_FDB_OUT_AS_IS};
	const struct fixture_address dst = {.mac = mac_of(p->bytes),
		.bridge = (uint8_t)bridge,
		.port = seeded_below(random, 4) ? TRIAL_OUT : TRIAL_IN,
		.out = SW_FDB_OUT_AS_IS};

	if (seeded_below(random, 8))
		fixture_put_address(&f, &src);
	if (seeded_below(random, 4))
		fixture_put_address(&f, &dst);
}

/* ---- the tests ---- */

static void compare(struct seeded *random, enum kind kind, uint32_t n_ways[3])
{
	static struct seen xdp, tc;
	struct packet p;
	uint32_t slot;
	int fd;

	trial_setup(&f);
	if (kind == REWRITTEN)
		draw_rewrite(random);
	slot = install(kind, seeded_below(random, 2));
	if (kind != UNKNOWN && seeded_below(random, 2))
		slot = fixture_send_home(&f, slot, false);
	fd = seeded_below(random, 4) ? trial_daemon_arrives(&f) : -1;
	if (seeded_below(random, 2))
		fixture_begin_epoch(&f);
	for (int i = 0; i < N_FRAMES; i++) {
		if (i % 3 == 0) /* the others are its like, and recalled */
			draw_frame(random, &p);
		if (kind == LEARNED && i % 3 == 0) {
			fixture_set_bridge(&f, slot, 1);
			put_addresses(random, &p, 1);
		}
		see_xdp(&p, slot, &xdp);
		see_tc(&p, slot, &tc);
		if (is_the_daemons(kind) && xdp.way == SENT) {
			ck_assert_msg(fd < 0 ? tc.way == LOST && tc.drops[SW_DROP_NO_DAEMON] == 1
					     : tc.way == WENT_UP && tc.reason == SW_UPCALL_REWRITE &&
						       tc.out.size == p.size && !memcmp(tc.out.bytes, p.bytes, p.size),
				"TEST_SEED=%lu: not the daemon's", random->seed);
			continue;
		}
		check_alike(&xdp, &tc, kind, random->seed);
		n_ways[tc.way]++;
	}
	if (fd >= 0)
		close(fd);
}

START_TEST(both_hooks_make_the_same_of_a_frame)
{
	struct seeded random = seeded_start();
	uint32_t n_ways[N_KINDS][3] = {{0}};

	for (int i = 0; i < N_PROGRAMS; i++)
		compare(&random, (enum kind)(i % N_KINDS), n_ways[i % N_KINDS]);
	for (int kind = 0; kind < N_KINDS; kind++)
		printf("kind %d: %u sent, %u lost, %u up\n", kind, n_ways[kind][SENT], n_ways[kind][LOST],
			n_ways[kind][WENT_UP]);
	ck_assert_uint_gt(n_ways[TO_PORT][SENT], 1000);
	ck_assert_uint_gt(n_ways[REWRITTEN][SENT], 300);
	ck_assert_uint_gt(n_ways[REWRITTEN][WENT_UP], 10);
	ck_assert_uint_gt(n_ways[LEARNED][SENT], 200);
	ck_assert_uint_gt(n_ways[LEARNED][LOST], 100);
	ck_assert_uint_gt(n_ways[UNKNOWN][WENT_UP], 500);
	ck_assert_uint_gt(n_ways[RAISED][WENT_UP], 500);
}
END_TEST

/* Else a port that moves to XDP would send on what is noted here, with checksums that nobody has finished. */
START_TEST(what_one_hook_noted_the_other_does_not_recall)
{
	struct packet p, out;
	uint32_t recalled;

	trial_setup(&f);
	fixture_send_home(&f, install(TO_PORT, false), false);
	fixture_begin_epoch(&f);
	packet_plain(&p, UNTAGGED, 100);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(tc_twin_run(&twin, &p, 0, &out), TC_ACT_REDIRECT);
	recalled = fixture_recalled(&f);
	ck_assert_uint_gt(recalled, 0);
	ck_assert_int_eq(trial_run(&f, &p).verdict, XDP_REDIRECT);
	ck_assert_uint_eq(fixture_recalled(&f), recalled);
	ck_assert_int_eq(trial_run(&f, &p).verdict, XDP_REDIRECT);
	ck_assert_uint_eq(fixture_recalled(&f), recalled + 1);
}
END_TEST

START_TEST(a_frame_that_is_too_long_for_the_device_ends_at_tc)
{
	struct packet p, out;

	trial_setup(&f);
	install(TO_PORT, false);
	packet_plain(&p, UNTAGGED, 1518);
	ck_assert_int_eq(tc_twin_run(&twin, &p, 0, &out), TC_ACT_REDIRECT);
	packet_plain(&p, UNTAGGED, 1519);
	ck_assert_int_eq(tc_twin_run(&twin, &p, 0, &out), TC_ACT_SHOT);
	ck_assert_uint_eq(fixture_drops(&f, TRIAL_OUT, SW_DROP_OVER_MTU), 1);
	ck_assert_uint_eq(fixture_port_stats(&f, TRIAL_OUT).tx_frames, 1);
}
END_TEST

static void open_twin(void)
{
	int error = tc_twin_open(&twin, &f);

	ck_assert_msg(!error, "the program for tc does not load: %s", strerror(-error));
	trial_stay_here();
}

static void close_twin(void)
{
	tc_twin_close(&twin);
}

static Suite *suite(void)
{
	Suite *s = suite_create("hooks");
	TCase *tcase = tcase_create("hooks");

	tcase_set_timeout(tcase, 200);
	tcase_add_unchecked_fixture(tcase, open_twin, close_twin);
	tcase_add_test(tcase, both_hooks_make_the_same_of_a_frame);
	tcase_add_test(tcase, what_one_hook_noted_the_other_does_not_recall);
	tcase_add_test(tcase, a_frame_that_is_too_long_for_the_device_ends_at_tc);
	suite_add_tcase(s, tcase);
	return s;
}

int main(void)
{
	return trial_main(&f, suite());
}
