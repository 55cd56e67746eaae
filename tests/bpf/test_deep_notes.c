/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the shipped program notes of whole keys, and of layer 2: random flows and streams of frames that differ in few
 * bits, each frame carried out the long way and as the program likes it: rewritten, retagged, forked, metered.
 * TEST_SEED=n repeats the run of a failed test, which names it.
 */
#include "trial.h"

#include "bpf/recall.h"
#include "dataplane/action.h"
#include "dataplane/rewrites.h"
#include "tests/unit/seeded.h"

#include <arpa/inet.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define N_FLOWS  6000
#define N_STREAM 6
#define N_KINDS  8
#define REAL     1 /* masks: the flow's, and one that no flow has */
#define IDLE     2
#define BRIDGE   3
#define FORK     9
#define METER    4
#define GONE     9 /* a port that has no device */
#define BRANCHES 4
#define N_EDITS  5

static struct fixture f;

/* ---- frames ---- */

static void random_plain(struct seeded *random, struct packet *ret)
{
	struct packet_spec spec = {
		.tci = seeded_below(random, 3) ? UNTAGGED : (int)seeded_below(random, 0x10000),
		.ip_version = 4,
		.ip_proto = seeded_below(random, 2) ? 6 : 17,
		.size = 60 + seeded_below(random, 200),
		.csum = seeded_below(random, 8)   ? CSUM_FINISHED
			: seeded_below(random, 2) ? CSUM_UNFINISHED
						  : CSUM_NONE,
	};

	packet_make(ret, &spec, &random->state);
	for (size_t i = 8; i < 24; i++) { /* TTL, protocol, addresses, ports; not the checksum */
		if (i == 9 || i == 10 || i == 11 || seeded_below(random, 4))
			continue;
		ret->bytes[ret->l3 + i] = (uint8_t)seeded_next(random);
	}
	if (!seeded_below(random, 4))
		ret->bytes[ret->l3 + 1] = (uint8_t)seeded_next(random);
	if (!seeded_below(random, 4))
		ret->bytes[ret->l3 + 6] ^= 0x40;
	if (spec.ip_proto == 6)
		ret->bytes[ret->l4 + 13] = (uint8_t)seeded_next(random);
	packet_set_csum(ret, spec.csum);
}

/* The same frame, or one that differs from it in some bit, the padding or the length. */
static void random_follower(struct seeded *random, const struct packet *first, struct packet *ret)
{
	size_t at;

	*ret = *first;
	switch (seeded_below(random, 6)) {
	case 0:
		at = seeded_below(random, first->size < 60 ? (uint32_t)first->size : 60);
		ret->bytes[at] ^= (uint8_t)(1 << seeded_below(random, 8));
		break;
	case 1: /* flags of TCP, checksums, the payload */
		at = first->l4 + 12 + seeded_below(random, (uint32_t)(first->size - first->l4 - 12));
		ret->bytes[at] = (uint8_t)seeded_next(random);
		break;
	case 2:
		ret->size += seeded_below(random, 40);
		break;
	case 3:
		ret->size -= seeded_below(random, 20);
		break;
	case 4:
		packet_set_csum(ret, seeded_below(random, 2) ? CSUM_NONE : CSUM_UNFINISHED);
		break;
	default:
		break;
	}
}

/* ---- flows ---- */

static const uint8_t patched[] = {
	FIELD_ETH_DST, FIELD_ETH_SRC, FIELD_IPV4_SRC, FIELD_IPV4_DST, FIELD_IP_DSCP, FIELD_IP_ECN};
static const uint8_t transport[2][2] = {{FIELD_TCP_SRC, FIELD_TCP_DST}, {FIELD_UDP_SRC, FIELD_UDP_DST}};

static struct action random_action(struct seeded *random)
{
	struct action action = {.type = ACTION_SET_FIELD};
	uint32_t kind = seeded_below(random, 12);

	for (size_t i = 0; i < 6; i++)
		action.value[i] = (uint8_t)(seeded_below(random, 8) ? seeded_next(random) : 0);
	if (kind < 6)
		action.field = patched[kind];
	else if (kind < 9)
		action.field = transport[seeded_below(random, 8) == 0][seeded_below(random, 2)];
	else if (kind == 9)
		action = (struct action){.type = ACTION_SET_NW_TTL, .arg = (uint16_t)seeded_below(random, 256)};
	else if (kind == 10)
		action = (struct action){.type = ACTION_DEC_NW_TTL};
	else
		action = (struct action){
			.type = seeded_below(random, 2) ? ACTION_PUSH_VLAN : ACTION_POP_VLAN, .arg = 0x8100};
	return action;
}

static void write_rewrite(struct seeded *random, uint32_t id)
{
	uint32_t n = 1 + seeded_below(random, N_EDITS);
	const struct action *list[N_EDITS];
	struct action actions[N_EDITS];

	for (uint32_t i = 0; i < n; i++) {
		actions[i] = random_action(random);
		if (actions[i].field == FIELD_IP_DSCP)
			actions[i].value[0] &= 0x3f;
		if (actions[i].field == FIELD_IP_ECN)
			actions[i].value[0] &= 3;
		list[i] = &actions[i];
	}
	ck_assert(rewrite_compile(list, n, &f.rewrites[id]));
}

struct steps {
	struct sw_step list[SW_MAX_STEPS];
	unsigned int n;
};

/* What stands behind a key, or in a branch. */
static struct steps random_tail(struct seeded *random, uint32_t rewrite, int tci)
{
	const struct sw_step out = STEP(OUTPUT, seeded_below(random, 8) ? TRIAL_OUT : GONE),
			     edit = STEP(REWRITE, (uint16_t)rewrite), drop = STEP(DROP, SW_DROP_RULE),
			     pop = STEP(VLAN_POP, 0), push = STEP(VLAN_PUSH, 77), set = STEP(VLAN_SET, 78);

	switch (seeded_below(random, 5)) {
	case 0:
		return (struct steps){{out}, 1};
	case 1:
		return tci == UNTAGGED ? (struct steps){{push, out}, 2} : (struct steps){{pop, out}, 2};
	case 2:
		return tci == UNTAGGED ? (struct steps){{drop}, 1} : (struct steps){{set, out}, 2};
	default:
		write_rewrite(random, rewrite);
		return (struct steps){{edit, out}, 2};
	}
}

static struct steps random_fork(struct seeded *random, int tci, bool is_select)
{
	const struct sw_step fork = STEP(FORK, FORK);
	struct sw_fork *to = &f.forks[FORK];

	*to = (struct sw_fork){.kind = is_select ? SW_FORK_SELECT : SW_FORK_FAILOVER,
		.n_branches = BRANCHES,
		.group = 5,
		.live = seeded_below(random, BRANCHES)};
	for (uint32_t i = 0; i < BRANCHES; i++) {
		struct steps tail = random_tail(random, 10 + i, tci);

		to->branch[i] = (struct sw_flow){.n_steps = (uint8_t)tail.n};
		memcpy(to->branch[i].steps, tail.list, sizeof(tail.list));
	}
	for (uint32_t i = 0; i < SW_FORK_SLOTS; i++)
		f.fork_slots[FORK].branch[i] = (uint8_t)seeded_below(random, BRANCHES);
	return (struct steps){{fork}, 1};
}

static struct steps random_normal(struct seeded *random, const struct packet *p)
{
	static const uint8_t outs[] = {SW_FDB_OUT_AS_IS, SW_FDB_OUT_UNTAGGED, SW_FDB_OUT_TAGGED, SW_FDB_OUT_DROP};
	const struct sw_step normal = STEP(NORMAL, 1), drop = STEP(DROP, SW_DROP_NO_OUTPUT);
	struct fixture_address host = {.vid = 1, .bridge = BRIDGE, .port = TRIAL_IN, .out = SW_FDB_OUT_AS_IS};

	for (int i = 0; i < 6; i++)
		host.mac = host.mac << 8 | p->bytes[6 + i];
	fixture_put_address(&f, &host);
	host.port = seeded_below(random, 8) ? TRIAL_OUT : GONE;
	host.out = outs[seeded_below(random, 4)];
	for (int i = 0; i < 6; i++)
		host.mac = host.mac << 8 | p->bytes[i];
	host.mac &= 0xffffffffffff;
	fixture_put_address(&f, &host);
	return (struct steps){{normal, drop}, 2};
}

/* Lets all go on, now on credit and now not; or nothing for two seconds, and drops it or remarks it. */
static struct sw_meter random_meter(struct seeded *random)
{
	struct sw_meter meter = {.id = 1, .n_bands = 1, .flags = SW_METER_FRAMES | SW_METER_REMARKS};
	struct sw_meter_band *band = &meter.bands[0];

	*band = (struct sw_meter_band){
		.depth = 1ULL << 60, .fill = 1, .price = 1, .drops = 1, .credit = (uint16_t)seeded_below(random, 4)};
	if (seeded_below(random, 2))
		return meter;
	band->price = 1U << 31;
	band->depth = 4ULL << 31;
	band->full_at = 1ULL << 62;
	band->drops = (uint8_t)seeded_below(random, 2);
	band->levels = (uint8_t)(1 + seeded_below(random, 3));
	return meter;
}

static struct steps metered(struct seeded *random, struct steps behind)
{
	const struct sw_step meter = STEP(METER, METER);
	struct steps steps = {{meter}, behind.n + 1};

	f.meters[METER] = random_meter(random);
	for (uint32_t row = 0; row < f.n_rows; row++)
		fixture_row(&f, row)->credits[METER] = (struct sw_credit){0};
	memcpy(steps.list + 1, behind.list, behind.n * sizeof(behind.list[0]));
	return steps;
}

static struct steps random_steps(struct seeded *random, const struct packet *p)
{
	switch (seeded_below(random, N_KINDS)) {
	case 0:
		return random_normal(random, p);
	case 1:
		return random_fork(random, packet_tci(p), false);
	case 2:
		return random_fork(random, packet_tci(p), true);
	case 3:
		return metered(random, random_tail(random, 7, packet_tci(p)));
	default:
		return random_tail(random, 7, packet_tci(p));
	}
}

/* Some fields whole, some in part; whether there is a tag, for the steps rest on it. */
static struct sw_key random_mask(struct seeded *random)
{
	struct sw_key bits;

	for (int i = 0; i < SW_KEY_WORDS; i++)
		bits.w[i] = seeded_below(random, 3) ? 0 : seeded_below(random, 2) ? ~0ULL : seeded_next(random);
	bits.f.in_ifindex = UINT32_MAX;
	bits.f.vlan_tci_be |= htons(SW_VLAN_PRESENT);
	bits.f.zero1 = bits.f.zero2 = bits.f.zero3 = 0;
	return bits;
}

/* Its slot. */
static uint32_t put_flow(struct seeded *random, const struct packet *p)
{
	const struct sw_key idle = {.f = {.in_ifindex = UINT32_MAX, .ip_ttl = 1}}, bits = random_mask(random);
	struct sw_key key = trial_key(p);
	struct steps steps;
	uint8_t flags = SW_FLOW_LEARN | (seeded_below(random, 4) ? SW_FLOW_CSUM : 0);
	uint32_t slot;

	trial_setup(&f);
	f.config->n_order = 0;
	fixture_set_mask(&f, REAL, &bits);
	fixture_set_mask(&f, IDLE, &idle);
	f.config->depth = SW_KEY_WORDS;
	if (f.config->masks[REAL].n_words <= SW_L2_WORDS && seeded_below(random, 2))
		f.config->depth = SW_L2_WORDS;
	steps = random_steps(random, p);
	slot = fixture_put(&f, &key, REAL, TRIAL_IN, flags, steps.list, steps.n);
	if (steps.list[0].op == SW_OP_NORMAL)
		fixture_set_bridge(&f, slot, BRIDGE);
	return seeded_below(random, 2) ? fixture_send_home(&f, slot, false) : slot;
}

/* ---- the oracle ---- */

struct sight {
	struct trial_sight seen;
	struct sw_port_stats gone;
	struct sw_flow_stats stopped, branches[BRANCHES];
};

static void see(const struct packet *p, uint32_t slot, struct sight *ret)
{
	memset(ret, 0, sizeof(*ret));
	trial_see(&f, p, slot, &ret->seen);
	ret->gone = fixture_port_stats(&f, GONE);
	ret->stopped = f.stopped[slot];
	for (uint32_t i = 0; i < BRANCHES; i++)
		ret->branches[i] = fixture_branch_stats(&f, FORK, i);
}

/* The short way does not know TELL. With a DROP alone it is left out, which goes the long way in any case. */
static void put_tell(struct sw_flow *program)
{
	uint32_t at = program->steps[0].op == SW_OP_METER, n = program->n_steps - at;

	if (program->steps[at].op == SW_OP_DROP)
		return;
	memmove(&program->steps[at + 1], &program->steps[at], n * sizeof(program->steps[0]));
	program->steps[at] = (struct sw_step)STEP(TELL, SW_TELL_CONTROLLER);
	program->n_steps++;
}

static uint64_t n_told(void)
{
	const struct sw_tell_stats *stats = &f.tell_stats[sched_getcpu() * SW_MAX_PORTS + TRIAL_IN];

	return stats->told + stats->limited + stats->full;
}

/* No note, no guess, the flow under the last mask that is tried, and a program that is run step by step. */
static void see_the_long_way(const struct packet *p, uint32_t slot, struct sight *ret)
{
	uint32_t epoch = f.config->epoch;
	struct sw_flow flow = f.flows[slot];
	static struct sw_fork fork;

	fork = f.forks[FORK];
	if (flow.steps[0].op != SW_OP_FORK)
		put_tell(&f.flows[slot]);
	for (uint32_t i = 0; i < BRANCHES; i++)
		put_tell(&f.forks[FORK].branch[i]);
	f.config->epoch = 0;
	f.config->order[0] = IDLE;
	f.config->order[1] = REAL;
	for (int i = 0; i < SW_GUESSES; i++)
		f.skel->bss->core.guess[i].slot = UINT32_MAX;
	see(p, slot, ret);
	f.config->order[0] = REAL;
	f.config->order[1] = IDLE;
	f.config->epoch = epoch;
	f.flows[slot] = flow;
	f.forks[FORK] = fork;
}

static void check_alike(const struct sight *a, const struct sight *b, uint64_t seed)
{
	trial_check_alike(&a->seen, &b->seen, seed);
	ck_assert_msg(!memcmp(&a->gone, &b->gone, sizeof(a->gone)) &&
			      !memcmp(&a->stopped, &b->stopped, sizeof(a->stopped)) &&
			      !memcmp(a->branches, b->branches, sizeof(a->branches)),
		"TEST_SEED=%lu: other counts", seed);
}

START_TEST(what_is_recalled_is_as_if_it_had_been_looked_up_the_long_way)
{
	struct seeded random = seeded_start();
	uint32_t n_recalled = 0, n_patched = 0, n_long = 0;

	for (int i = 0; i < N_FLOWS; i++) {
		static struct sight the_long_way, another;
		struct packet p, q;
		uint32_t slot;

		random_plain(&random, &p);
		slot = put_flow(&random, &p);
		fixture_begin_epoch(&f);
		n_patched += f.flows[slot].steps[0].op == SW_OP_REWRITE && f.rewrites[7].patch.does;
		for (int j = 0; j < N_STREAM; j++) {
			random_follower(&random, &p, &q);
			see_the_long_way(&q, slot, &the_long_way);
			n_long += n_told();
			see(&q, slot, &another);
			n_recalled += fixture_recalled(&f);
			check_alike(&the_long_way, &another, random.seed);
		}
	}
	printf("%u of %u recalled, %u flows of %u with a patch; %u step by step\n", n_recalled, N_STREAM * N_FLOWS,
		n_patched, N_FLOWS, n_long);
	ck_assert_uint_gt(n_long, N_STREAM * N_FLOWS / 2);
	ck_assert_uint_gt(n_recalled, N_FLOWS);
	ck_assert_uint_gt(n_patched, N_FLOWS / 20);
}
END_TEST

/* ---- what a note must say ---- */

static struct packet tcp_frame(void)
{
	struct packet_spec spec = {.tci = UNTAGGED, .ip_version = 4, .ip_proto = 6, .size = 100, .csum = CSUM_FINISHED};
	uint64_t seed = 1;
	struct packet p;

	packet_make(&p, &spec, &seed);
	return p;
}

static uint32_t put_output(const struct packet *p, const struct sw_key *bits)
{
	const struct sw_step out = STEP(OUTPUT, TRIAL_OUT);
	struct sw_key key = trial_key(p);
	uint32_t slot;

	trial_setup(&f);
	f.config->n_order = 0;
	fixture_set_mask(&f, REAL, bits);
	f.config->depth = SW_KEY_WORDS;
	slot = fixture_put(&f, &key, REAL, TRIAL_IN, 0, &out, 1);
	fixture_begin_epoch(&f);
	return fixture_send_home(&f, slot, false);
}

static bool is_recalled(const struct packet *p)
{
	uint32_t before = fixture_recalled(&f);

	trial_run(&f, p);
	return fixture_recalled(&f) != before;
}

/* Every bit of the key is another frame's: of addresses, type, TOS, TTL, protocol, ports; and what makes it no whole
 * TCP. */
START_TEST(another_header_is_not_recalled)
{
	const struct sw_key bits = {.f = {.in_ifindex = UINT32_MAX, .ip_proto = 0xff}};
	static const uint8_t may_differ[] = {16, 17, 18, 19, 24, 25}; /* length, name, checksum of the IP header */
	const struct packet p = tcp_frame();

	put_output(&p, &bits);
	for (size_t bit = 0; bit < 38 * 8; bit++) {
		struct packet other = p;

		if (memchr(may_differ, (int)(bit / 8), sizeof(may_differ)) || (bit / 8 == 20 && bit % 8 >= 6))
			continue;
		trial_run(&f, &p);
		ck_assert(is_recalled(&p));
		other.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_msg(!is_recalled(&other), "with another bit %zu it was recalled", bit);
	}
}
END_TEST

/* By the destination, the source, an IP address, a port: bytes of the frame whose notes would stand at the same place.
 */
START_TEST(another_frame_at_the_same_place_is_not_recalled)
{
	static const uint8_t differs[] = {2, 8, 28, 34};
	const struct sw_key bits = {.f = {.in_ifindex = UINT32_MAX, .ip_proto = 0xff}};
	const struct packet p = tcp_frame();
	const struct sw_deep_key key = sw_deep_key(p.bytes, TRIAL_LO, 1, 0);
	struct packet other = p;
	struct sw_deep_key fit;
	uint32_t n = 0;

	put_output(&p, &bits);
	do {
		uint16_t value = (uint16_t)++n;

		ck_assert_uint_lt(n, 65536);
		memcpy(other.bytes + differs[_i], &value, sizeof(value));
		fit = sw_deep_key(other.bytes, TRIAL_LO, 1, 0);
	} while (sw_deep_index(&fit) != sw_deep_index(&key) || !memcmp(other.bytes, p.bytes, p.size));
	ck_assert(!is_recalled(&p));
	ck_assert(is_recalled(&p));
	ck_assert(!is_recalled(&other));
	for (int i = 0; i < 3; i++) /* there is a place for both */
		ck_assert(is_recalled(&p) && is_recalled(&other));
}
END_TEST

/* Of TCP's flags a note says what its flow looks at, so that those of one conversation share one. */
START_TEST(flags_of_tcp_count_where_the_flow_looks_at_them)
{
	struct sw_key bits = {.f = {.in_ifindex = UINT32_MAX, .ip_proto = 0xff}};
	const struct packet p = tcp_frame();
	struct packet syn = p, push = p;

	syn.bytes[p.l4 + 13] ^= 2;
	push.bytes[p.l4 + 13] ^= 8;
	put_output(&p, &bits);
	ck_assert(!is_recalled(&p));
	ck_assert(is_recalled(&syn) && is_recalled(&push));
	bits.f.tcp_flags_be = htons(2);
	put_output(&p, &bits);
	ck_assert(!is_recalled(&p));
	ck_assert(is_recalled(&push) && !is_recalled(&syn));
}
END_TEST

/* Longer and shorter payloads, as long as the datagram is whole and within the frame. */
START_TEST(a_datagram_is_whole)
{
	const struct sw_key bits = {.f = {.in_ifindex = UINT32_MAX, .ip_proto = 0xff}};
	const struct packet p = tcp_frame();
	struct packet other = p;

	put_output(&p, &bits);
	ck_assert(!is_recalled(&p));
	for (uint32_t size = 0; size < 200; size++) {
		other.bytes[p.l3 + 3] = (uint8_t)size;
		ck_assert_msg(is_recalled(&other) == (size >= 40 && size <= p.size - p.l3), "%u bytes", size);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("deep_notes");
	TCase *tcase = tcase_create("deep_notes");

	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, another_header_is_not_recalled);
	tcase_add_loop_test(tcase, another_frame_at_the_same_place_is_not_recalled, 0, 4);
	tcase_add_test(tcase, flags_of_tcp_count_where_the_flow_looks_at_them);
	tcase_add_test(tcase, a_datagram_is_whole);
	tcase_add_test(tcase, what_is_recalled_is_as_if_it_had_been_looked_up_the_long_way);
	suite_add_tcase(s, tcase);
	return s;
}

int main(void)
{
	trial_stay_here();
	return trial_main(&f, suite());
}
