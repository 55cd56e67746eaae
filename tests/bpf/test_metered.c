/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The METER step of the shipped program: what ends, what goes on, what is counted where; bands against a table of
 * levels, remarks against rewrite_remark(), rates against the clock, on one CPU and on all. TEST_SEED=n repeats the run
 * of a failed test, which names it.
 */
#include "trial.h"

#include "bpf/meter.h"
#include "dataplane/action.h"
#include "dataplane/rewrite.h"
#include "dataplane/rewrites.h"
#include "tests/unit/rewrite_lab.h"
#include "tests/unit/seeded.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000ULL
#define N_FRAMES 30000
#define N_STREAM 20000
#define N_DEEP   31
#define SLOW     4000000000ULL
#define SET      3
#define OPEN     5 /* meters: lets everything go on, ... */
#define SHUT     6 /* ... nothing, ... */
#define REMARKS  7 /* ... remarks everything */
#define RATED    8

static struct fixture f;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* Four seconds a frame: in the time of a few frames nothing is filled in. It has `left` of N_DEEP. */
static struct sw_meter_band still_band(uint64_t left, bool drops, uint8_t levels)
{
	return (struct sw_meter_band){.full_at = now_ns() + (N_DEEP - left) * SLOW - SLOW / 2,
		.depth = N_DEEP * SLOW,
		.fill = 1,
		.price = SLOW,
		.drops = drops,
		.levels = levels};
}

static struct sw_meter still_meter(uint8_t n_bands, uint8_t flags)
{
	return (struct sw_meter){.id = 1, .n_bands = n_bands, .flags = flags};
}

static void put_meters(void)
{
	f.meters[OPEN] = still_meter(1, SW_METER_FRAMES);
	f.meters[OPEN].bands[0] = still_band(N_DEEP, true, 0);
	f.meters[SHUT] = still_meter(1, SW_METER_FRAMES);
	f.meters[SHUT].bands[0] = still_band(0, true, 0);
	f.meters[SHUT].bands[0].full_at += 1000 * NS_PER_S; /* and stays empty */
	f.meters[REMARKS] = f.meters[SHUT];
	f.meters[REMARKS].flags |= SW_METER_REMARKS;
	f.meters[REMARKS].bands[0].drops = 0;
	f.meters[REMARKS].bands[0].levels = 1;
}

static struct sw_flow_stats sum_rows(const struct sw_flow_stats *stats, size_t stride, size_t at)
{
	struct sw_flow_stats sum = {0};

	for (uint32_t row = 0; row < f.n_rows; row++) {
		sum.packets += stats[row * stride + at].packets;
		sum.bytes += stats[row * stride + at].bytes;
	}
	return sum;
}

static struct sw_flow_stats band_stats(uint32_t meter, uint32_t band)
{
	return sum_rows(f.band_stats, (size_t)SW_MAX_METERS * SW_METER_BANDS, meter * SW_METER_BANDS + band);
}

static struct sw_flow_stats passed(uint32_t slot)
{
	return fixture_flow_stats(&f, slot);
}

static struct sw_flow_stats came(uint32_t slot)
{
	struct sw_flow_stats went = passed(slot);

	return (struct sw_flow_stats){went.packets + f.stopped[slot].packets, went.bytes + f.stopped[slot].bytes};
}

/* ---- the steps ---- */

static const struct step_case {
	const char *name;
	struct sw_step steps[SW_MAX_STEPS];
	unsigned int n_steps;
	size_t size;
	enum trial_fate fate;
	uint32_t why; /* it ends or goes up */
	bool passes, applies;
} step_cases[] = {
	{"an_open_meter_and_an_output", {STEP(METER, OPEN), STEP(OUTPUT, TRIAL_OUT)}, 2, 60, GOES, 0, 1, 0},
	{"one_that_is_shut", {STEP(METER, SHUT), STEP(OUTPUT, TRIAL_OUT)}, 2, 60, ENDS, SW_DROP_METER, 0, 1},
	{"one_that_remarks", {STEP(METER, REMARKS), STEP(OUTPUT, TRIAL_OUT)}, 2, 60, GOES, 0, 1, 1},
	{"a_drop_behind_it", {STEP(METER, OPEN), STEP(DROP, SW_DROP_RULE)}, 2, 60, ENDS, SW_DROP_RULE, 1, 0},
	{"a_drop_that_it_comes_before", {STEP(METER, SHUT), STEP(DROP, SW_DROP_RULE)}, 2, 60, ENDS, SW_DROP_METER, 0,
		1},
	{"a_push_behind_it", {STEP(METER, OPEN), STEP(VLAN_PUSH, 9), STEP(OUTPUT, TRIAL_OUT)}, 3, 60, GOES, 0, 1, 0},
	{"a_broadcast", {STEP(METER, OPEN), STEP(BROADCAST, SET)}, 2, 60, GOES, 0, 1, 0},
	{"a_broadcast_that_it_ends", {STEP(METER, SHUT), STEP(BROADCAST, SET)}, 2, 60, ENDS, SW_DROP_METER, 0, 1},
	{"a_broadcast_to_nobody", {STEP(METER, OPEN), STEP(BROADCAST, 9)}, 2, 60, ENDS, SW_DROP_NO_OUTPUT, 1, 0},
	{"a_broadcast_that_is_too_long", {STEP(METER, SHUT), STEP(BROADCAST, SET)}, 2, 1600, GOES_UP,
		SW_UPCALL_OVER_MTU, 0, 0},
	{"a_rewrite", {STEP(METER, OPEN), STEP(REWRITE, 1), STEP(OUTPUT, TRIAL_OUT)}, 3, 60, GOES, 0, 1, 0},
	{"a_rewrite_that_it_ends", {STEP(METER, SHUT), STEP(REWRITE, 1), STEP(OUTPUT, TRIAL_OUT)}, 3, 60, ENDS,
		SW_DROP_METER, 0, 1},
	{"a_rewrite_and_a_broadcast", {STEP(METER, OPEN), STEP(REWRITE, 1), STEP(BROADCAST, SET)}, 3, 60, GOES, 0, 1,
		0},
	{"a_rewrite_to_nobody", {STEP(METER, SHUT), STEP(REWRITE, 1), STEP(BROADCAST, 9)}, 3, 60, ENDS, SW_DROP_METER,
		0, 1},
	{"a_ttl_that_ends", {STEP(METER, SHUT), STEP(REWRITE, 2), STEP(OUTPUT, TRIAL_OUT)}, 3, 60, GOES_UP,
		SW_UPCALL_REWRITE, 0, 0},
	{"a_ttl_that_turns_out_to_end", {STEP(METER, OPEN), STEP(REWRITE, 3), STEP(OUTPUT, TRIAL_OUT)}, 3, 60, GOES_UP,
		SW_UPCALL_REWRITE, 0, 0},
	{"a_rewrite_that_might_have", {STEP(METER, OPEN), STEP(REWRITE, 4), STEP(OUTPUT, TRIAL_OUT)}, 3, 60, GOES, 0, 1,
		0},
	{"a_rewrite_that_might_have_and_that_it_ends", {STEP(METER, SHUT), STEP(REWRITE, 4), STEP(OUTPUT, TRIAL_OUT)},
		3, 60, ENDS, SW_DROP_METER, 0, 1},
	{"normal_to_a_known_address", {STEP(METER, OPEN), STEP(NORMAL, 0), STEP(BROADCAST, SET)}, 3, 60, GOES, 0, 1, 0},
	{"normal_that_it_ends", {STEP(METER, SHUT), STEP(NORMAL, 0), STEP(BROADCAST, SET)}, 3, 60, ENDS, SW_DROP_METER,
		0, 1},
	{"several_buffers", {STEP(METER, OPEN), STEP(OUTPUT, TRIAL_OUT)}, 2, 8000, GOES, 0, 1, 0},
	{"several_buffers_that_may_be_remarked", {STEP(METER, REMARKS), STEP(OUTPUT, TRIAL_OUT)}, 2, 8000, GOES_UP,
		SW_UPCALL_FRAGS, 0, 0},
	{"no_step_behind_it", {STEP(METER, OPEN)}, 1, 60, ENDS, SW_DROP_BAD_PROGRAM, 0, 0},
	{"a_meter_that_is_not_there", {STEP(METER, 9), STEP(OUTPUT, TRIAL_OUT)}, 2, 60, ENDS, SW_DROP_BAD_PROGRAM, 0,
		0},
	{"a_meter_beyond_all", {STEP(METER, 9999), STEP(OUTPUT, TRIAL_OUT)}, 2, 60, ENDS, SW_DROP_BAD_PROGRAM, 0, 0},
	{"a_second_meter", {STEP(METER, OPEN), STEP(METER, OPEN), STEP(OUTPUT, TRIAL_OUT)}, 3, 60, ENDS,
		SW_DROP_BAD_PROGRAM, 1, 0},
};

#define N_STEP_CASES (int)(sizeof(step_cases) / sizeof(step_cases[0]))

/*
 * Rewrite 1 sets an address, 2 decrements the TTL. 3 does so behind a label that it puts on and takes off, so that only
 * on the way it shows that the TTL ends (SW_LOOK_UNDO); 4 sets it before.
 */
static void put_rewrites(void)
{
	const struct action set = {.type = ACTION_SET_FIELD, .field = FIELD_ETH_DST, .value = {2, 0, 0, 0, 0, 9}};
	const struct action push = {.type = ACTION_PUSH_MPLS, .arg = 0x8847};
	const struct action pop = {.type = ACTION_POP_MPLS, .arg = 0x0800};
	const struct action ttl = {.type = ACTION_SET_NW_TTL, .arg = 9};
	const struct action dec = {.type = ACTION_DEC_NW_TTL}, *sets[] = {&set}, *decs[] = {&dec};
	const struct action *late[] = {&ttl, &push, &pop, &dec};

	ck_assert(rewrite_compile(sets, 1, &f.rewrites[1]));
	ck_assert(rewrite_compile(decs, 1, &f.rewrites[2]));
	ck_assert(rewrite_compile(late + 1, 3, &f.rewrites[3]));
	ck_assert(rewrite_compile(late, 4, &f.rewrites[4]));
}

static const struct fixture_address there = {
	.mac = 0x020000000001, .bridge = 1, .port = TRIAL_OUT, .out = SW_FDB_OUT_AS_IS};

/* A frame of assured forwarding, class 1, lowest drop precedence, with a TTL of 1. */
static void make_frame(struct packet *p, size_t size)
{
	packet_plain(p, UNTAGGED, size);
	packet_set_macs(p, there.mac, 0x020000000002);
	p->bytes[15] = 10 << 2;
	p->bytes[22] = 1;
}

START_TEST(a_program_with_a_meter_does_what_its_steps_say)
{
	const struct step_case *c = &step_cases[_i / TRIAL_N_WAYS];
	uint32_t member_ids[] = {4}, member_ifindexes[] = {trial_taker}, slot;
	struct outcome o;
	struct packet in;
	int way = _i % TRIAL_N_WAYS, fd;

	trial_setup(&f);
	put_meters();
	put_rewrites();
	fixture_set_members(&f, SET, member_ids, member_ifindexes, 1, 1518);
	fixture_put_address(&f, &there);
	fd = trial_daemon_arrives(&f);
	make_frame(&in, c->size);
	slot = trial_put(&f, &in, 0, c->steps, c->n_steps);
	fixture_set_bridge(&f, slot, 1);
	slot = trial_lead(&f, way, &in, slot);
	o = trial_run(&f, &in);
	close(fd);
	ck_assert_uint_eq(came(slot).packets, 1);
	ck_assert_uint_eq(came(slot).bytes, in.size);
	ck_assert_msg(passed(slot).packets == c->passes && passed(slot).bytes == c->passes * in.size, "%s", c->name);
	trial_check_fate(&f, &o, c->fate, c->why, c->name);
	ck_assert_msg(band_stats(c->steps[0].arg % SW_MAX_METERS, 0).packets == c->applies, "%s: band", c->name);
}
END_TEST

START_TEST(an_unfinished_checksum_is_finished_before_a_meter_too)
{
	struct packet_spec spec = {
		.tci = _i & 1 ? 9 : UNTAGGED, .ip_version = _i & 2 ? 4 : 6, .ip_proto = 17, .size = 90};
	const struct sw_step steps[] = {STEP(METER, OPEN), STEP(OUTPUT, TRIAL_OUT)};
	struct packet in, finished;
	uint64_t seed = 5;
	struct outcome o;
	int way = _i / 4;

	trial_setup(&f);
	put_meters();
	spec.csum = CSUM_UNFINISHED;
	packet_make(&in, &spec, &seed);
	finished = in;
	packet_set_csum(&finished, CSUM_FINISHED);
	trial_lead(&f, way, &in, trial_put(&f, &in, SW_FLOW_CSUM, steps, 2));
	for (int i = 0; i < 2; i++) {
		o = trial_run(&f, i ? &finished : &in);
		ck_assert_int_eq(o.verdict, XDP_REDIRECT);
		trial_check_same(&o.out, &finished);
	}
	ck_assert_uint_eq(fixture_port_stats(&f, TRIAL_IN).csum_done, 1);
}
END_TEST

/* ---- bands ---- */

/* Up to four bands of so many frames each: who has none left is exceeded, and the first of those applies. */
START_TEST(bands_apply_as_a_table_of_levels_says)
{
	struct seeded random = seeded_start();
	uint64_t levels[SW_METER_BANDS], n_applied[SW_METER_BANDS] = {0};
	uint64_t in_bytes = 0, band_bytes = 0, passed_bytes = 0;
	const struct sw_step steps[] = {STEP(METER, RATED), STEP(OUTPUT, TRIAL_OUT)};
	struct packet in;
	uint32_t slot;

	trial_setup(&f);
	make_frame(&in, 60);
	slot = trial_put(&f, &in, 0, steps, 2);
	for (int i = 0; i < N_STREAM; i++) {
		struct sw_meter *meter = &f.meters[RATED];
		uint32_t want = SW_METER_BANDS;
		struct outcome o;

		if (i % 40 == 0) {
			*meter = still_meter(1 + seeded_below(&random, SW_METER_BANDS), SW_METER_FRAMES);
			for (uint32_t k = 0; k < meter->n_bands; k++) {
				levels[k] = seeded_below(&random, N_DEEP);
				meter->bands[k] = still_band(levels[k], seeded_below(&random, 2), 1);
			}
		}
		for (uint32_t k = 0; k < meter->n_bands; k++) {
			if (levels[k] > 0)
				levels[k]--;
			else if (want == SW_METER_BANDS)
				want = k;
		}
		packet_plain(&in, UNTAGGED, 60 + seeded_below(&random, 1400));
		packet_set_macs(&in, there.mac, 0x020000000002);
		in_bytes += in.size;
		o = trial_run(&f, &in);
		ck_assert_msg((o.verdict == XDP_DROP) == (want < SW_METER_BANDS && meter->bands[want].drops),
			"seed %lu, frame %d: verdict %d", random.seed, i, o.verdict);
		passed_bytes += o.verdict == XDP_DROP ? 0 : in.size;
		if (want == SW_METER_BANDS)
			continue;
		n_applied[want]++;
		band_bytes += in.size;
		ck_assert_msg(band_stats(RATED, want).packets == n_applied[want], "seed %lu, frame %d: band %u",
			random.seed, i, want);
	}
	for (uint32_t k = 0; k < SW_METER_BANDS; k++)
		band_bytes -= band_stats(RATED, k).bytes;
	ck_assert_uint_eq(band_bytes, 0);
	ck_assert_uint_eq(came(slot).bytes, in_bytes);
	ck_assert_uint_eq(passed(slot).bytes, passed_bytes);
}
END_TEST

/* The daemon takes out of the same word. */
START_TEST(program_and_daemon_share_one_bucket)
{
	const struct sw_step steps[] = {STEP(METER, RATED), STEP(OUTPUT, TRIAL_OUT)};
	struct sw_meter *meter = &f.meters[RATED];
	struct packet in;
	int n = 0;

	trial_setup(&f);
	make_frame(&in, 60);
	trial_put(&f, &in, 0, steps, 2);
	*meter = still_meter(1, SW_METER_FRAMES);
	meter->bands[0] = still_band(10, true, 0);
	for (int i = 0; i < 10; i++) {
		n += sw_meter_run(meter, 60, now_ns()) == SW_METER_BANDS;
		n += trial_run(&f, &in).verdict == XDP_REDIRECT;
	}
	ck_assert_int_eq(n, 10);
}
END_TEST

/* Then the bucket is not asked, whichever way the frames take; the first frame behind the credit asks for another. */
START_TEST(frames_pass_on_the_credit_of_their_cpu)
{
	const struct sw_step steps[] = {STEP(METER, RATED), STEP(OUTPUT, TRIAL_OUT)};
	struct sw_meter_band *band = &f.meters[RATED].bands[0];
	uint32_t credit = 7, slot;
	struct packet in;
	cpu_set_t all, first;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	sched_getaffinity(0, sizeof(all), &all);
	sched_setaffinity(0, sizeof(first), &first);
	trial_setup(&f);
	make_frame(&in, 60);
	slot = trial_lead(&f, _i, &in, trial_put(&f, &in, 0, steps, 2));
	f.meters[RATED] = still_meter(1, SW_METER_FRAMES);
	*band = still_band(20, true, 0);
	band->credit = credit;
	for (uint32_t i = 0; i < 22; i++) {
		uint64_t was = band->full_at;

		/* Of 20 frames that there are, 8 are taken twice, then the bucket has not enough for a credit. */
		ck_assert_msg((trial_run(&f, &in).verdict == XDP_REDIRECT) == (i < 20), "frame %u", i);
		ck_assert_msg(band->full_at - was == (i == 0 || i == 8           ? 8 * SLOW
							     : i < 16 || i >= 20 ? 0
										 : SLOW),
			"frame %u", i);
		ck_assert_uint_eq(
			fixture_row(&f, 0)->credits[RATED].left - SW_CREDIT_LANES, i < 16 ? credit - i % 8 : 0);
	}
	sched_setaffinity(0, sizeof(all), &all);
	ck_assert_uint_eq(passed(slot).packets, 20);
	ck_assert_uint_eq(came(slot).packets, 22);
	ck_assert_uint_eq(f.stopped[slot].bytes, 2 * in.size);
	ck_assert_uint_eq(fixture_port_stats(&f, TRIAL_OUT).tx_frames, 20);
	ck_assert_uint_eq(fixture_port_stats(&f, TRIAL_IN).rx_frames, 22);
}
END_TEST

/* ---- remarks ---- */

START_TEST(remarks_are_the_daemons)
{
	const struct sw_step steps[] = {STEP(METER, REMARKS), STEP(OUTPUT, TRIAL_OUT)};
	struct sw_key bits = {.f.in_ifindex = UINT32_MAX}, key = {.f.in_ifindex = TRIAL_LO};
	struct seeded random = seeded_start();
	uint32_t n_changed = 0, n_fours = 0;

	trial_setup(&f);
	put_meters();
	f.config->n_order = 0;
	fixture_set_mask(&f, 0, &bits);
	fixture_put(&f, &key, 0, TRIAL_IN, 0, steps, 2);
	for (int i = 0; i < N_FRAMES; i++) {
		struct lab lab = lab_frame(&random);
		static uint8_t bytes[LAB_MAX];
		struct frame frame = {.data = bytes, .size = lab.size};
		struct packet in;
		struct outcome o;

		if (lab.ip && lab.version == 4)
			lab.bytes[lab.ip + 1] = seeded_below(&random, 4) ? (uint8_t)(seeded_below(&random, 24) << 3)
									 : (uint8_t)seeded_next(&random);
		else if (lab.ip)
			lab.bytes[lab.ip] = (uint8_t)(0x60 | seeded_below(&random, 16));
		f.meters[REMARKS].bands[0].levels = (uint8_t)seeded_below(&random, 5);
		memcpy(in.bytes, lab.bytes, lab.size);
		in.size = lab.size;
		memcpy(bytes, lab.bytes, lab.size);
		rewrite_remark(&frame, f.meters[REMARKS].bands[0].levels);
		o = trial_run(&f, &in);
		ck_assert_int_eq(o.verdict, XDP_REDIRECT);
		ck_assert_msg(o.out.size == lab.size && !memcmp(o.out.bytes, bytes, lab.size), "seed %lu, frame %d",
			random.seed, i);
		n_changed += memcmp(bytes, lab.bytes, lab.size) != 0;
		n_fours += lab.version == 4;
	}
	printf("%u of %d frames remarked, %u of IPv4\n", n_changed, N_FRAMES, n_fours);
	ck_assert_uint_gt(n_changed, N_FRAMES / 20);
}
END_TEST

/* What is done to the frame behind the meter comes after its remark, on whichever way it takes. */
START_TEST(a_remark_comes_before_what_the_program_rewrites)
{
	const struct action rows[][2] = {
		{{.type = ACTION_SET_FIELD, .field = FIELD_IP_DSCP, .value = {34}},
			{.type = ACTION_SET_FIELD, .field = FIELD_ETH_DST, .value = {2, 0, 0, 0, 0, 9}}},
		{{.type = ACTION_PUSH_VLAN, .arg = 0x8100}, {.type = ACTION_PUSH_VLAN, .arg = 0x8100}},
		{{.type = ACTION_SET_NW_TTL, .arg = 9},
			{.type = ACTION_SET_FIELD, .field = FIELD_IPV4_DST, .value = {192, 0, 2, 1}}},
	};
	const struct action *list[] = {&rows[_i][0], &rows[_i][1]};
	const struct sw_step steps[] = {STEP(METER, REMARKS), STEP(REWRITE, 1), STEP(OUTPUT, TRIAL_OUT)};
	static uint8_t bytes[256];
	struct frame frame = {.data = bytes + 64, .headroom = 64, .tailroom = 64};
	struct packet in;
	struct outcome o;

	trial_setup(&f);
	put_meters();
	ck_assert(rewrite_compile(list, 2, &f.rewrites[1]));
	make_frame(&in, 100);
	trial_put(&f, &in, 0, steps, 3);
	memcpy(frame.data, in.bytes, in.size);
	frame.size = (uint32_t)in.size;
	rewrite_remark(&frame, 1);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(rewrite_apply(&frame, list[i]), REWRITE_DONE);
	o = trial_run(&f, &in);
	ck_assert_int_eq(o.verdict, XDP_REDIRECT);
	ck_assert_uint_eq(o.out.size, frame.size);
	ck_assert_mem_eq(o.out.bytes, frame.data, frame.size);
}
END_TEST

/* A tag that a frame gets or loses lays its IP header bare to a remark, or hides it from one: that comes before, too.
 */
START_TEST(a_remark_comes_before_a_tag_that_goes)
{
	const struct sw_step steps[][3] = {{STEP(METER, REMARKS), STEP(VLAN_POP, 0), STEP(OUTPUT, TRIAL_OUT)},
		{STEP(METER, REMARKS), STEP(VLAN_PUSH, 7), STEP(OUTPUT, TRIAL_OUT)},
		{STEP(METER, REMARKS), STEP(NORMAL, 7), STEP(BROADCAST, SET)}};
	struct packet_spec spec = {.tci = 5, .ip_version = 4, .ip_proto = 17, .size = 100};
	struct fixture_address untagged = there;
	bool is_hidden = _i != 1;
	uint64_t seed = 5;
	struct packet in;
	struct outcome o;
	uint32_t slot;

	trial_setup(&f);
	put_meters();
	untagged.vid = 7;
	untagged.out = SW_FDB_OUT_UNTAGGED;
	fixture_put_address(&f, &untagged);
	fixture_set_members(&f, SET, &(uint32_t){4}, &trial_taker, 1, 1518);
	spec.outer_tpid = is_hidden ? 0x8100 : 0;
	packet_make(&in, &spec, &seed);
	in.bytes[in.l3 + 1] = 10 << 2;
	packet_set_macs(&in, there.mac, 0x020000000002);
	slot = trial_put(&f, &in, 0, steps[_i], 3);
	fixture_set_bridge(&f, slot, 1);
	o = trial_run(&f, &in);
	ck_assert_int_eq(o.verdict, XDP_REDIRECT);
	ck_assert_uint_eq(o.out.size, is_hidden ? in.size - 4 : in.size + 4);
	ck_assert_uint_eq(o.out.bytes[is_hidden ? 19 : 23], is_hidden ? 10 << 2 : 12 << 2);
}
END_TEST

/* ---- rates ---- */

struct runner {
	pthread_t thread;
	const struct packet *in;
	int cpu;
	uint32_t n_frames;
	int error;
};

static void *run(void *arg)
{
	struct runner *runner = arg;
	struct outcome *o = calloc(1, sizeof(*o));
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(runner->cpu, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	runner->error = o ? trial_run_split(&f, runner->in, 0, runner->n_frames, o) : -ENOMEM;
	free(o);
	return NULL;
}

#define N_RUNNERS_MAX 4

/*
 * 2,000 frames of 64 bytes a second, or 1.024 Mb, which is the same. The bucket begins empty, so that no burst hides a
 * rate that is wrong; half a second is the longest that all runners may be held up together.
 */
static void check_rate(uint32_t flags, uint32_t n_runners)
{
	const struct sw_step steps[] = {STEP(METER, RATED), STEP(OUTPUT, TRIAL_OUT)};
	struct runner runners[N_RUNNERS_MAX];
	struct sw_meter_band band;
	uint64_t began_ns, took_ns, most, n_passed;
	uint32_t slot;
	struct packet in;

	trial_setup(&f);
	make_frame(&in, 64);
	slot = trial_put(&f, &in, 0, steps, 2);
	f.meters[RATED] = still_meter(1, flags);
	began_ns = now_ns();
	band = (struct sw_meter_band){.depth = 1000 * (flags ? NS_PER_S : 512 * 1000 * NS_PER_S / 1000000),
		.fill = flags ? 2000 : 1024,
		.price = flags ? NS_PER_S : 1000000,
		.drops = 1};
	band.full_at = began_ns * band.fill + band.depth;
	f.meters[RATED].bands[0] = band;
	for (uint32_t i = 0; i < n_runners; i++) {
		runners[i] = (struct runner){
			.in = &in, .cpu = i % sysconf(_SC_NPROCESSORS_ONLN), .n_frames = 4000000 / n_runners};
		ck_assert_int_eq(pthread_create(&runners[i].thread, NULL, run, &runners[i]), 0);
	}
	for (uint32_t i = 0; i < n_runners; i++) {
		pthread_join(runners[i].thread, NULL);
		ck_assert_int_eq(runners[i].error, 0);
	}
	took_ns = now_ns() - began_ns;
	most = took_ns * 2000 / NS_PER_S + 1;
	n_passed = passed(slot).packets;
	printf("%u runners, %s: %lu of %lu in %lu ms\n", n_runners, flags ? "frames" : "bits", n_passed, most,
		took_ns / 1000000);
	ck_assert_uint_eq(n_passed + band_stats(RATED, 0).packets, came(slot).packets);
	ck_assert_uint_eq(fixture_drops(&f, TRIAL_IN, SW_DROP_METER), band_stats(RATED, 0).packets);
	ck_assert_uint_eq(fixture_port_stats(&f, TRIAL_OUT).tx_frames, n_passed);
	ck_assert_uint_le(n_passed, most);
	ck_assert_uint_ge(n_passed, most - most / 10 - 2); /* what comes while no runner has a CPU is lost */
}

/* The clock is read a moment before the bucket is asked, and a run may be held up: a little less passes, never more. */
START_TEST(small_frames_come_through_at_the_rate)
{
	check_rate(_i ? SW_METER_FRAMES : 0, 1);
}
END_TEST

START_TEST(cpus_that_share_a_meter_get_the_rate_together)
{
	check_rate(_i ? SW_METER_FRAMES : 0, N_RUNNERS_MAX);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("metered");
	TCase *tcase = tcase_create("metered");

	tcase_set_timeout(tcase, 200);
	tcase_add_loop_test(tcase, a_program_with_a_meter_does_what_its_steps_say, 0, TRIAL_N_WAYS * N_STEP_CASES);
	tcase_add_loop_test(tcase, an_unfinished_checksum_is_finished_before_a_meter_too, 0, 4 * TRIAL_N_WAYS);
	tcase_add_test(tcase, bands_apply_as_a_table_of_levels_says);
	tcase_add_test(tcase, program_and_daemon_share_one_bucket);
	tcase_add_loop_test(tcase, frames_pass_on_the_credit_of_their_cpu, 0, TRIAL_N_WAYS);
	tcase_add_test(tcase, remarks_are_the_daemons);
	tcase_add_loop_test(tcase, a_remark_comes_before_what_the_program_rewrites, 0, 3);
	tcase_add_loop_test(tcase, a_remark_comes_before_a_tag_that_goes, 0, 3);
	tcase_add_loop_test(tcase, small_frames_come_through_at_the_rate, 0, 2);
	tcase_add_loop_test(tcase, cpus_that_share_a_meter_get_the_rate_together, 0, 2);
	suite_add_tcase(s, tcase);
	return s;
}

int main(void)
{
	return trial_main(&f, suite());
}
