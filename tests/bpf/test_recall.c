/* SPDX-License-Identifier: BSD-2-Clause */
/* What the shipped program notes of a frame and recalls of the next; see bpf/recall.h. */
#include "trial.h"

#include <stdio.h>
#include <string.h>
#include <bpf/bpf.h>
#include "bpf/recall.h"

#define BRIDGE 3
#define A      0x02000000000aULL
#define B      0x02000000000bULL

static struct fixture f;

/* ---- the lab: one flow for all frames of a VLAN, and two hosts ---- */

static struct sw_fdb_cell *host(uint64_t mac, uint16_t port, uint8_t out)
{
	return fixture_put_address(
		&f, &(struct fixture_address){.mac = mac, .vid = 1, .bridge = BRIDGE, .port = port, .out = out});
}

/* Flows that begin with NORMAL in VLAN 1, for frames with this tag or none. */
static uint32_t put_normal(int tci, uint8_t flags)
{
	static const struct sw_step steps[] = {STEP(NORMAL, 1), STEP(DROP, SW_DROP_NO_OUTPUT)};
	struct sw_key bits = {.w = {0}};
	struct packet p;
	uint32_t slot;

	bits.f.in_ifindex = UINT32_MAX;
	bits.f.vlan_tci_be = UINT16_MAX;
	fixture_set_mask(&f, 0, &bits);
	packet_plain(&p, tci, 100);
	slot = trial_put(&f, &p, flags, steps, 2);
	fixture_set_bridge(&f, slot, BRIDGE);
	return fixture_send_home(&f, slot, false);
}

static void setup(void)
{
	trial_setup(&f);
	fixture_begin_epoch(&f);
}

static struct packet frame_of(int tci, uint64_t dst, uint64_t src)
{
	struct packet p;

	packet_plain(&p, tci, 100);
	packet_set_macs(&p, dst, src);
	return p;
}

/* Whether the frame, which leaves as it came, was recalled. */
static bool is_recalled(const struct packet *p)
{
	uint32_t before = fixture_recalled(&f);
	struct outcome o = trial_run(&f, p);

	ck_assert_int_eq(o.verdict, XDP_REDIRECT);
	ck_assert_uint_eq(o.meta_size, 0);
	trial_check_same(&o.out, p);
	return fixture_recalled(&f) != before;
}

static void check_counts(uint32_t slot, uint64_t n, uint64_t bytes)
{
	struct sw_port_stats in = fixture_port_stats(&f, TRIAL_IN), out = fixture_port_stats(&f, TRIAL_OUT);
	struct sw_flow_stats flow = fixture_flow_stats(&f, slot);

	ck_assert_uint_eq(flow.packets, n);
	ck_assert_uint_eq(flow.bytes, bytes);
	ck_assert_uint_eq(in.rx_frames, n);
	ck_assert_uint_eq(in.rx_bytes, bytes);
	ck_assert_uint_eq(out.tx_frames, n);
	ck_assert_uint_eq(out.tx_bytes, bytes);
}

/* ---- tests ---- */

static const int tags[] = {UNTAGGED, 0, 1, 0x6001, 0xf001};

START_TEST(the_second_frame_is_recalled_and_counted_like_the_first)
{
	struct packet p = frame_of(tags[_i], B, A);
	uint32_t slot;

	setup();
	slot = put_normal(tags[_i], SW_FLOW_LEARN);
	host(A, TRIAL_IN, SW_FDB_OUT_AS_IS);
	host(B, TRIAL_OUT, SW_FDB_OUT_AS_IS);
	ck_assert(!is_recalled(&p));
	ck_assert(is_recalled(&p));
	p.size = 300; /* the same headers */
	ck_assert(is_recalled(&p));
	check_counts(slot, 3, 500);
	ck_assert_uint_eq(fixture_exact_hits(&f, TRIAL_IN), 2);
}
END_TEST

/* One bit of what the short way may look at. */
START_TEST(another_header_is_not_recalled)
{
	struct packet p = frame_of(tags[_i], B, A), other;
	size_t n_bytes = tags[_i] == UNTAGGED ? 14 : 18;

	setup();
	put_normal(tags[_i], SW_FLOW_LEARN);
	host(A, TRIAL_IN, SW_FDB_OUT_AS_IS);
	host(B, TRIAL_OUT, SW_FDB_OUT_AS_IS);
	for (size_t bit = 0; bit < n_bytes * 8; bit++) {
		uint32_t before;

		ck_assert(!is_recalled(&p) || is_recalled(&p));
		other = p;
		other.bytes[bit / 8] ^= 1 << bit % 8;
		before = fixture_recalled(&f);
		trial_run(&f, &other);
		ck_assert_msg(fixture_recalled(&f) == before, "with another bit %zu it was recalled", bit);
		fixture_begin_epoch(&f);
	}
}
END_TEST

/* Of frames whose notes would stand at the same place, by the source (0) or by the destination (1). */
START_TEST(another_frame_at_the_same_place_is_not_recalled)
{
	struct packet p = frame_of(UNTAGGED, B, A), other;
	struct sw_recall_key key = sw_recall_key(p.bytes, TRIAL_LO, 1, 0), fit;
	uint64_t n = 0;

	setup();
	put_normal(UNTAGGED, SW_FLOW_LEARN);
	host(A, TRIAL_IN, SW_FDB_OUT_AS_IS);
	host(B, TRIAL_OUT, SW_FDB_OUT_AS_IS);
	do {
		n++;
		other = _i ? frame_of(UNTAGGED, B + (n << 8), A) : frame_of(UNTAGGED, B, A + (n << 8));
		fit = sw_recall_key(other.bytes, TRIAL_LO, 1, 0);
	} while (sw_recall_index(&fit) != sw_recall_index(&key));
	host(B + (n << 8), TRIAL_OUT, SW_FDB_OUT_AS_IS);
	host(A + (n << 8), TRIAL_IN, SW_FDB_OUT_AS_IS);
	ck_assert(!is_recalled(&p));
	ck_assert(is_recalled(&p));
	ck_assert(!is_recalled(&other));
	for (int i = 0; i < 3; i++) /* there is a place for both */
		ck_assert(is_recalled(&p) && is_recalled(&other));
}
END_TEST

START_TEST(a_note_holds_in_its_epoch)
{
	struct packet p = frame_of(UNTAGGED, B, A);
	struct sw_fdb_cell *cell;

	setup();
	put_normal(UNTAGGED, SW_FLOW_LEARN);
	cell = host(A, TRIAL_IN, SW_FDB_OUT_AS_IS);
	host(B, TRIAL_OUT, SW_FDB_OUT_AS_IS);
	ck_assert(!is_recalled(&p));
	ck_assert(cell->place.used);
	cell->place.used = 0;
	ck_assert(is_recalled(&p));
	ck_assert(!cell->place.used);
	fixture_begin_epoch(&f);
	ck_assert(!is_recalled(&p));
	ck_assert(cell->place.used);
	ck_assert(is_recalled(&p));
	f.config->epoch = 0;
	ck_assert(!is_recalled(&p));
	ck_assert(!is_recalled(&p));
}
END_TEST

/* A note of layer 2 is none of a whole key, and the other way round: each is made for itself. */
START_TEST(notes_of_one_depth_are_not_those_of_the_other)
{
	struct packet p = frame_of(UNTAGGED, B, A);

	setup();
	put_normal(UNTAGGED, SW_FLOW_LEARN);
	host(A, TRIAL_IN, SW_FDB_OUT_AS_IS);
	host(B, TRIAL_OUT, SW_FDB_OUT_AS_IS);
	for (int i = 0; i < 2; i++) {
		f.config->depth = i ? SW_KEY_WORDS : SW_L2_WORDS;
		ck_assert(!is_recalled(&p));
		ck_assert(is_recalled(&p));
	}
}
END_TEST

/* With another tag than it came with: put on, taken off, changed; at either depth. */
START_TEST(the_tag_that_it_leaves_with_is_noted)
{
	static const int ways[][2] = {{UNTAGGED, 1}, {1, UNTAGGED}, {0x6000, 0x6001}};
	int came = ways[_i / 2][0], leaves = ways[_i / 2][1];
	struct packet p = frame_of(came, B, A), wanted = frame_of(came, B, A);
	struct outcome o;

	setup();
	packet_retag(&wanted, leaves);
	put_normal(came, SW_FLOW_LEARN);
	f.config->depth = _i % 2 ? SW_KEY_WORDS : SW_L2_WORDS;
	host(A, TRIAL_IN, SW_FDB_OUT_AS_IS);
	host(B, TRIAL_OUT, leaves == UNTAGGED ? SW_FDB_OUT_UNTAGGED : SW_FDB_OUT_TAGGED);
	for (uint32_t i = 0; i < 3; i++) {
		o = trial_run(&f, &p);
		ck_assert_int_eq(o.verdict, XDP_REDIRECT);
		trial_check_same(&o.out, &wanted);
		ck_assert_uint_eq(fixture_recalled(&f), i);
	}
	ck_assert_uint_eq(fixture_port_stats(&f, TRIAL_IN).rx_bytes, 3 * p.size);
	ck_assert_uint_eq(fixture_port_stats(&f, TRIAL_OUT).tx_bytes, 3 * wanted.size);
}
END_TEST

/* Failover asks for no more of the key than its flow does, so at either depth. */
START_TEST(the_branch_of_a_group_is_counted_for_what_is_recalled)
{
	static const struct sw_step fork = STEP(FORK, 9), out = STEP(OUTPUT, TRIAL_OUT);
	struct packet p = frame_of(tags[_i / 2], B, A);
	struct sw_key bits = {.f = {.in_ifindex = UINT32_MAX}};
	uint32_t slot;

	setup();
	f.forks[9] = (struct sw_fork){.kind = SW_FORK_FAILOVER, .n_branches = 3, .group = 5, .live = 1};
	f.forks[9].branch[1] = (struct sw_flow){.n_steps = 1, .steps = {out}};
	fixture_set_mask(&f, 0, &bits);
	slot = fixture_send_home(&f, trial_put(&f, &p, 0, &fork, 1), false);
	f.config->depth = _i % 2 ? SW_KEY_WORDS : SW_L2_WORDS;
	for (uint32_t i = 0; i < 3; i++)
		ck_assert(is_recalled(&p) == !!i);
	check_counts(slot, 3, 300);
	ck_assert_uint_eq(fixture_branch_stats(&f, 9, 1).packets, 3);
	ck_assert_uint_eq(fixture_branch_stats(&f, 9, 1).bytes, 300);
}
END_TEST

/* An address that is learned could say that the source lives elsewhere. */
START_TEST(nothing_is_noted_of_a_flow_that_does_not_learn)
{
	struct packet p = frame_of(UNTAGGED, B, A);

	setup();
	put_normal(UNTAGGED, 0);
	host(B, TRIAL_OUT, SW_FDB_OUT_AS_IS);
	for (int i = 0; i < 3; i++)
		ck_assert(!is_recalled(&p));
}
END_TEST

/* By what becomes of it: flooded, dropped; too long, too short. */
/* A flood to a single port: who is learned within the epoch is found. */
START_TEST(nothing_is_noted_of_a_destination_that_is_not_known)
{
	static const struct sw_step steps[] = {STEP(NORMAL, 1), STEP(OUTPUT, TRIAL_OUT)};
	struct packet p = frame_of(UNTAGGED, B, A);
	uint32_t slot;

	setup();
	slot = put_normal(UNTAGGED, SW_FLOW_LEARN);
	memcpy(f.flows[slot].steps, steps, sizeof(steps));
	host(A, TRIAL_IN, SW_FDB_OUT_AS_IS);
	for (int i = 0; i < 2; i++) {
		ck_assert(!is_recalled(&p));
		ck_assert_uint_eq(fixture_port_stats(&f, TRIAL_OUT).tx_frames, i + 1);
	}
	host(B, TRIAL_IN, SW_FDB_OUT_AS_IS);
	trial_run(&f, &p);
	ck_assert_uint_eq(fixture_drops(&f, TRIAL_IN, SW_DROP_SAME_PORT), 1);
}
END_TEST

START_TEST(other_frames_are_not_noted)
{
	struct packet p = frame_of(UNTAGGED, _i == 0 ? 0x02000000000cULL : B, A);

	setup();
	put_normal(UNTAGGED, SW_FLOW_LEARN);
	host(A, TRIAL_IN, SW_FDB_OUT_AS_IS);
	host(B, _i == 1 ? TRIAL_IN : TRIAL_OUT, SW_FDB_OUT_AS_IS);
	p.size = _i == 2 ? 1519 : _i == 3 ? SW_RECALL_LEAST - 1 : 100;
	for (int i = 0; i < 3; i++)
		trial_run(&f, &p);
	ck_assert_uint_eq(fixture_recalled(&f), 0);
	ck_assert_uint_eq(fixture_port_stats(&f, TRIAL_IN).rx_frames, 3);
}
END_TEST

START_TEST(a_port_that_has_gone_is_named)
{
	struct packet p = frame_of(UNTAGGED, B, A);
	uint32_t out = TRIAL_OUT;

	setup();
	put_normal(UNTAGGED, SW_FLOW_LEARN);
	host(A, TRIAL_IN, SW_FDB_OUT_AS_IS);
	host(B, TRIAL_OUT, SW_FDB_OUT_AS_IS);
	ck_assert(!is_recalled(&p));
	ck_assert(is_recalled(&p));
	bpf_map_delete_elem(bpf_map__fd(f.skel->maps.tx_ports), &out);
	ck_assert_int_eq(trial_run(&f, &p).verdict, XDP_DROP);
	ck_assert_uint_eq(fixture_drops(&f, TRIAL_OUT, SW_DROP_PORT_DOWN), 1);
	ck_assert_uint_eq(fixture_port_stats(&f, TRIAL_OUT).tx_frames, 2);
}
END_TEST

/* More flows in turn than there is room for; then one. */
START_TEST(notes_that_are_of_no_use_are_left_alone_for_a_while)
{
	struct packet p = frame_of(UNTAGGED, B, A);
	uint32_t n = 0;

	setup();
	put_normal(UNTAGGED, SW_FLOW_LEARN);
	host(B, TRIAL_OUT, SW_FDB_OUT_AS_IS);
	for (uint64_t i = 0; i < SW_RECALL_MISSES; i++) {
		struct packet other = frame_of(UNTAGGED, B, 0x0a0000000000ULL + i);

		host(0x0a0000000000ULL + i, TRIAL_IN, SW_FDB_OUT_AS_IS);
		ck_assert(!is_recalled(&other));
	}
	host(A, TRIAL_IN, SW_FDB_OUT_AS_IS);
	while (n < 2 * SW_RECALL_PAUSE && !is_recalled(&p))
		n++;
	ck_assert_uint_ge(n, SW_RECALL_PAUSE);
	ck_assert_uint_le(n, SW_RECALL_PAUSE + 2);
}
END_TEST

/* ---- an oracle: the same frame, looked up and recalled ---- */

#define N_ROUNDS 2000

/* Any frame that may be noted, its checksum finished or not, right or not. */
static void random_frame(uint64_t *seed, struct packet *ret)
{
	struct packet_spec spec = {
		.tci = packet_random(seed) % 2 ? UNTAGGED : (int)(packet_random(seed) % 3),
		.ip_version = packet_random(seed) % 2 ? 4 : 6,
		.ip_proto = packet_random(seed) % 2 ? 6 : 17,
		.size = 90 + packet_random(seed) % 200,
		.csum = packet_random(seed) % 2 ? CSUM_FINISHED : CSUM_UNFINISHED,
		.outer_tpid = packet_random(seed) % 8 ? 0 : 0x88a8,
		.exts = packet_random(seed) % 4 == 0,
	};

	packet_make(ret, &spec, seed);
	if (packet_random(seed) % 4 == 0)
		packet_scramble(ret, seed);
}

/* The same headers of layer 2 on another frame. */
static void random_follower(uint64_t *seed, const struct packet *first, struct packet *ret)
{
	size_t n = first->size < 18 ? first->size : 18;

	random_frame(seed, ret);
	if (ret->size < n)
		ret->size = n;
	memcpy(ret->bytes, first->bytes, n);
}

START_TEST(what_is_recalled_is_as_if_it_had_been_looked_up)
{
	uint64_t seed = packet_seed(), first_seed = seed;
	uint32_t n_recalled = 0;

	printf("recall: TEST_SEED=%llu\n", (unsigned long long)first_seed);
	for (int i = 0; i < N_ROUNDS; i++) {
		static struct trial_sight looked_up, again;
		struct packet p, q;
		uint32_t slot, epoch;

		random_frame(&seed, &p);
		setup();
		slot = trial_put_output(&f, &p, packet_random(&seed) % 4 ? SW_FLOW_CSUM : 0);
		slot = fixture_send_home(&f, slot, false);
		epoch = f.config->epoch;
		trial_run(&f, &p);
		for (int j = 0; j < 4; j++) {
			q = p;
			if (j)
				random_follower(&seed, &p, &q);
			f.config->epoch = 0;
			trial_see(&f, &q, slot, &looked_up);
			f.config->epoch = epoch;
			trial_see(&f, &q, slot, &again);
			n_recalled += fixture_recalled(&f);
			trial_check_alike(&looked_up, &again, first_seed);
		}
	}
	printf("%u of %u recalled\n", n_recalled, 4 * N_ROUNDS);
	ck_assert_uint_gt(n_recalled, N_ROUNDS);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("recall");
	TCase *tcase = tcase_create("recall");

	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(
		tcase, the_second_frame_is_recalled_and_counted_like_the_first, 0, sizeof(tags) / sizeof(*tags));
	tcase_add_loop_test(tcase, another_header_is_not_recalled, 0, sizeof(tags) / sizeof(*tags));
	tcase_add_loop_test(tcase, another_frame_at_the_same_place_is_not_recalled, 0, 2);
	tcase_add_test(tcase, a_note_holds_in_its_epoch);
	tcase_add_test(tcase, notes_of_one_depth_are_not_those_of_the_other);
	tcase_add_loop_test(tcase, the_tag_that_it_leaves_with_is_noted, 0, 6);
	tcase_add_loop_test(
		tcase, the_branch_of_a_group_is_counted_for_what_is_recalled, 0, 2 * sizeof(tags) / sizeof(*tags));
	tcase_add_test(tcase, nothing_is_noted_of_a_flow_that_does_not_learn);
	tcase_add_test(tcase, nothing_is_noted_of_a_destination_that_is_not_known);
	tcase_add_loop_test(tcase, other_frames_are_not_noted, 0, 4);
	tcase_add_test(tcase, a_port_that_has_gone_is_named);
	tcase_add_test(tcase, notes_that_are_of_no_use_are_left_alone_for_a_while);
	tcase_add_test(tcase, what_is_recalled_is_as_if_it_had_been_looked_up);
	suite_add_tcase(s, tcase);
	return s;
}

int main(void)
{
	trial_stay_here();
	return trial_main(&f, suite());
}
