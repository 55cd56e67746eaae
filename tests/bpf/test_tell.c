/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The TELL step of the shipped program: of which frames the daemon gets a copy, what the copy is, and that a frame goes
 * its way when its copy is lost.
 */
#include "trial.h"

#include "dataplane/action.h"
#include "dataplane/rewrites.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SET      3
#define OPEN     5 /* meters: lets everything go on, ... */
#define SHUT     6 /* ... nothing, ... */
#define REMARKS  7 /* ... raises the drop precedence of everything by 2 */
#define COPIES   9
#define NS_PER_S 1000000000ULL
#define SLOW     (4 * NS_PER_S)
#define LOCALITY 0x020000000003 /* an address behind the port that the frame comes in by */
#define LISTENED 0x020000000004 /* one behind a port of which MIRROR has all that leaves, ... */
#define SEVERAL  0x020000000005 /* ... and others too */
#define ELSEWISE 0x020000000006 /* ... and one where another listens */
#define MIRROR   7

static struct fixture f;
static struct ring_buffer *ring;

/* What the ring had. */
static struct {
	unsigned int n;
	struct sw_told last;
	uint8_t bytes[SW_TELL_MAX];
} told;

static int take(void *ctx, void *record, size_t size)
{
	const struct sw_told *copy = record;

	ck_assert_uint_ge(size, sizeof(*copy) + copy->size);
	told.n++;
	memcpy(&told.last, copy, sizeof(*copy));
	memcpy(told.bytes, copy->bytes, copy->size);
	return 0;
}

static void listen_to_ring(void)
{
	told.n = 0;
	ring_buffer__consume(ring);
	told.n = 0;
}

static struct sw_tell_stats tell_stats(void)
{
	struct sw_tell_stats sum = {0};

	for (uint32_t row = 0; row < f.n_rows; row++) {
		sum.told += f.tell_stats[row * SW_MAX_PORTS + TRIAL_IN].told;
		sum.limited += f.tell_stats[row * SW_MAX_PORTS + TRIAL_IN].limited;
		sum.full += f.tell_stats[row * SW_MAX_PORTS + TRIAL_IN].full;
	}
	return sum;
}

static uint64_t in_a_while(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return ((uint64_t)now.tv_sec + 1000) * NS_PER_S;
}

/* Four seconds a frame. */
static struct sw_meter meter(uint64_t full_at, uint8_t drops)
{
	return (struct sw_meter){.id = 1,
		.n_bands = 1,
		.flags = SW_METER_FRAMES | (drops ? 0 : SW_METER_REMARKS),
		.bands = {{.full_at = full_at,
			.depth = 31 * SLOW,
			.fill = 1,
			.price = SLOW,
			.drops = drops,
			.levels = 2}}};
}

/* Rewrite 1 sets an address, 2 decrements the TTL. */
static void put_rewrites(void)
{
	const struct action set = {.type = ACTION_SET_FIELD, .field = FIELD_ETH_DST, .value = {2, 0, 0, 0, 0, 9}};
	const struct action dec = {.type = ACTION_DEC_NW_TTL}, *sets[] = {&set}, *decs[] = {&dec};

	ck_assert(rewrite_compile(sets, 1, &f.rewrites[1]));
	ck_assert(rewrite_compile(decs, 1, &f.rewrites[2]));
}

static const struct fixture_address addresses[] = {
	{.mac = 0x020000000001, .bridge = 1, .port = TRIAL_OUT, .out = SW_FDB_OUT_AS_IS},
	{.mac = 0x020000000002, .bridge = 1, .port = TRIAL_IN, .out = SW_FDB_OUT_AS_IS},
	{.mac = LOCALITY, .bridge = 1, .port = TRIAL_IN, .out = SW_FDB_OUT_AS_IS},
	{.mac = LISTENED,
		.bridge = 1,
		.port = TRIAL_OUT,
		.out = SW_FDB_OUT_MIRRORED,
		.drop = SW_FDB_OUT_AS_IS,
		.mirror = MIRROR},
	{.mac = SEVERAL,
		.bridge = 1,
		.port = TRIAL_OUT,
		.out = SW_FDB_OUT_MIRRORED,
		.drop = SW_FDB_OUT_AS_IS,
		.mirror = MIRROR | SW_FDB_MIRRORS},
	{.mac = ELSEWISE,
		.bridge = 1,
		.port = TRIAL_OUT,
		.out = SW_FDB_OUT_MIRRORED,
		.drop = SW_FDB_OUT_AS_IS,
		.mirror = MIRROR + 1},
};

/* Assured forwarding, class 1, lowest drop precedence, with a TTL of 1. */
static void make_frame(struct packet *p, size_t size, uint64_t dst)
{
	packet_plain(p, UNTAGGED, size);
	packet_set_macs(p, dst, 0x020000000002);
	p->bytes[15] = 10 << 2;
	p->bytes[22] = 1;
	for (size_t i = 60; i < size; i++)
		p->bytes[i] = (uint8_t)(i * 7 ^ i >> 8);
}

static void setup(void)
{
	uint32_t member_ids[] = {4}, member_ifindexes[] = {trial_taker};

	trial_setup(&f);
	listen_to_ring();
	f.meters[OPEN] = meter(0, 1);
	f.meters[SHUT] = meter(in_a_while(), 1);
	f.meters[REMARKS] = meter(in_a_while(), 0);
	put_rewrites();
	fixture_set_members(&f, SET, member_ids, member_ifindexes, 1, 1518);
	f.copies[COPIES] = (struct sw_copies){.n_copies = 1, .set = SET};
	f.copies[COPIES].rewrite[4] = 2;
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		fixture_put_address(&f, &addresses[i]);
}

static const struct step_case {
	const char *name;
	struct sw_step steps[SW_MAX_STEPS];
	unsigned int n_steps;
	size_t size;
	enum trial_fate fate;
	uint32_t why; /* it ends or goes up */
	bool is_told;
	uint8_t levels;
	uint64_t dst; /* 0: one that is known */
} cases[] = {
	{"an output", {STEP(TELL, SW_TELL_CONTROLLER), STEP(OUTPUT, TRIAL_OUT)}, 2, 60, GOES, 0, true, 0, 0},
	{"a long frame", {STEP(TELL, SW_TELL_CONTROLLER), STEP(OUTPUT, TRIAL_OUT)}, 2, 1514, GOES, 0, true, 0, 0},
	{"one that fills its room", {STEP(TELL, SW_TELL_CONTROLLER), STEP(OUTPUT, TRIAL_OUT)}, 2, 256, GOES, 0, true, 0,
		0},
	{"and one byte more", {STEP(TELL, SW_TELL_CONTROLLER), STEP(OUTPUT, TRIAL_OUT)}, 2, 257, GOES, 0, true, 0, 0},
	{"several buffers", {STEP(TELL, SW_TELL_CONTROLLER), STEP(OUTPUT, TRIAL_OUT)}, 2, 8000, GOES, 0, true, 0, 0},
	{"a push behind it", {STEP(TELL, SW_TELL_CONTROLLER), STEP(VLAN_PUSH, 9), STEP(OUTPUT, TRIAL_OUT)}, 3, 60, GOES,
		0, true, 0, 0},
	{"a broadcast", {STEP(TELL, SW_TELL_CONTROLLER), STEP(BROADCAST, SET)}, 2, 60, GOES, 0, true, 0, 0},
	{"a broadcast of frames that are too long", {STEP(TELL, SW_TELL_CONTROLLER), STEP(BROADCAST, SET)}, 2, 1600,
		GOES_UP, SW_UPCALL_OVER_MTU, false, 0, 0},
	{"a rewrite", {STEP(TELL, SW_TELL_CONTROLLER), STEP(REWRITE, 1), STEP(OUTPUT, TRIAL_OUT)}, 3, 60, GOES, 0, true,
		0, 0},
	{"a ttl that ends", {STEP(TELL, SW_TELL_CONTROLLER), STEP(REWRITE, 2), STEP(OUTPUT, TRIAL_OUT)}, 3, 60, GOES_UP,
		SW_UPCALL_REWRITE, false, 0, 0},
	{"copies that differ", {STEP(TELL, SW_TELL_CONTROLLER), STEP(COPIES, COPIES)}, 2, 60, GOES, 0, true, 0, 0},
	{"copies of a frame in several buffers", {STEP(TELL, SW_TELL_CONTROLLER), STEP(COPIES, COPIES)}, 2, 8000,
		GOES_UP, SW_UPCALL_FRAGS, false, 0, 0},
	{"normal to a known address", {STEP(TELL, SW_TELL_CONTROLLER), STEP(NORMAL, 0), STEP(BROADCAST, SET)}, 3, 60,
		GOES, 0, true, 0, 0},
	{"normal for everybody", {STEP(TELL, SW_TELL_CONTROLLER), STEP(NORMAL, 0), STEP(BROADCAST, SET)}, 3, 60, GOES,
		0, true, 0, 0xffffffffffff},
	{"normal to where it came from", {STEP(TELL, SW_TELL_CONTROLLER), STEP(NORMAL, 0), STEP(BROADCAST, SET)}, 3, 60,
		GOES_UP, SW_UPCALL_NORMAL, false, 0, LOCALITY},
	{"normal for everybody, who are nobody",
		{STEP(TELL, SW_TELL_CONTROLLER), STEP(NORMAL, 0), STEP(DROP, SW_DROP_NO_OUTPUT)}, 3, 60, GOES_UP,
		SW_UPCALL_NORMAL, false, 0, 0xffffffffffff},
	{"an open meter", {STEP(METER, OPEN), STEP(TELL, SW_TELL_CONTROLLER), STEP(OUTPUT, TRIAL_OUT)}, 3, 60, GOES, 0,
		true, 0, 0},
	{"one that is shut", {STEP(METER, SHUT), STEP(TELL, SW_TELL_CONTROLLER), STEP(OUTPUT, TRIAL_OUT)}, 3, 60, ENDS,
		SW_DROP_METER, false, 0, 0},
	{"one that remarks", {STEP(METER, REMARKS), STEP(TELL, SW_TELL_CONTROLLER), STEP(OUTPUT, TRIAL_OUT)}, 3, 60,
		GOES, 0, true, 2, 0},
	{"one that remarks before a rewrite",
		{STEP(METER, REMARKS), STEP(TELL, SW_TELL_CONTROLLER), STEP(REWRITE, 1), STEP(OUTPUT, TRIAL_OUT)}, 4,
		60, GOES, 0, true, 2, 0},
	{"no step behind it", {STEP(TELL, SW_TELL_CONTROLLER)}, 1, 60, ENDS, SW_DROP_BAD_PROGRAM, false, 0, 0},
	{"a second one", {STEP(TELL, SW_TELL_CONTROLLER), STEP(TELL, SW_TELL_CONTROLLER), STEP(OUTPUT, TRIAL_OUT)}, 3,
		60, ENDS, SW_DROP_BAD_PROGRAM, true, 0, 0},
	{"nothing of the kind", {STEP(OUTPUT, TRIAL_OUT)}, 1, 60, GOES, 0, false, 0, 0},
};

#define N_CASES (int)(sizeof(cases) / sizeof(cases[0]))

/* The frame as it came, whatever became of it. */
static void check_copy(const struct step_case *c, int way, const struct packet *in)
{
	ring_buffer__consume(ring);
	ck_assert_msg(
		told.n == c->is_told && tell_stats().told == c->is_told, "%s, way %d: %u copies", c->name, way, told.n);
	ck_assert_uint_eq(tell_stats().full + tell_stats().limited, 0);
	if (!c->is_told)
		return;
	ck_assert_uint_eq(told.last.size, in->size);
	ck_assert_uint_eq(told.last.in_port, TRIAL_IN);
	ck_assert_msg(told.last.levels == c->levels, "%s: %u levels", c->name, told.last.levels);
	ck_assert_mem_eq(told.bytes, in->bytes, in->size);
}

START_TEST(the_daemon_gets_a_copy_of_what_goes_on_and_of_nothing_else)
{
	const struct step_case *c = &cases[_i / TRIAL_N_WAYS];
	int way = _i % TRIAL_N_WAYS, fd;
	struct outcome o;
	struct packet in;
	uint32_t slot;

	setup();
	fd = trial_daemon_arrives(&f);
	make_frame(&in, c->size, c->dst ? c->dst : addresses[0].mac);
	slot = trial_put(&f, &in, 0, c->steps, c->n_steps);
	fixture_set_bridge(&f, slot, 1);
	trial_lead(&f, way, &in, slot);
	listen_to_ring();
	fixture_forget_counters(&f);
	o = trial_run(&f, &in);
	close(fd);
	trial_check_fate(&f, &o, c->fate, c->why, c->name);
	check_copy(c, way, &in);
}
END_TEST

static void put_flow(struct packet *in, size_t size)
{
	const struct sw_step steps[] = {STEP(TELL, SW_TELL_CONTROLLER), STEP(OUTPUT, TRIAL_OUT)};

	setup();
	make_frame(in, size, addresses[0].mac);
	trial_put(&f, in, 0, steps, 2);
}

START_TEST(a_branch_tells_too)
{
	const struct sw_step fork = STEP(FORK, 1), steps[] = {STEP(TELL, SW_TELL_CONTROLLER), STEP(OUTPUT, TRIAL_OUT)};
	struct packet in;

	setup();
	make_frame(&in, 60, addresses[0].mac);
	f.forks[1] = (struct sw_fork){.kind = SW_FORK_FAILOVER, .n_branches = 2, .live = 1};
	f.forks[1].branch[0] = (struct sw_flow){.n_steps = 1, .in_port = TRIAL_IN, .steps = {STEP(OUTPUT, TRIAL_OUT)}};
	f.forks[1].branch[1] = (struct sw_flow){.n_steps = 2, .in_port = TRIAL_IN};
	memcpy(f.forks[1].branch[1].steps, steps, sizeof(steps));
	trial_put(&f, &in, 0, &fork, 1);
	ck_assert_int_eq(trial_run(&f, &in).verdict, XDP_REDIRECT);
	ring_buffer__consume(ring);
	ck_assert_uint_eq(told.n, 1);
	f.forks[1].live = 0;
	ck_assert_int_eq(trial_run(&f, &in).verdict, XDP_REDIRECT);
	ring_buffer__consume(ring);
	ck_assert_uint_eq(told.n, 1);
}
END_TEST

START_TEST(a_full_ring_stops_no_frame)
{
	const unsigned int room = SW_TELL_RING / (2048 + sizeof(struct sw_told) + 8); /* 8: the kernel's own */
	struct packet in;

	put_flow(&in, 1514);
	for (unsigned int i = 0; i < room + 100; i++)
		ck_assert_int_eq(trial_run(&f, &in).verdict, XDP_REDIRECT);
	ck_assert_uint_eq(tell_stats().told, room);
	ck_assert_uint_eq(tell_stats().full, 100);
	ck_assert_uint_eq(fixture_port_stats(&f, TRIAL_OUT).tx_frames, room + 100);
	ck_assert_uint_eq(fixture_all_drops(&f), 0);
	ring_buffer__consume(ring);
	ck_assert_uint_eq(told.n, room);
	trial_run(&f, &in);
	ring_buffer__consume(ring);
	ck_assert_uint_eq(told.n, room + 1);
}
END_TEST

START_TEST(a_limit_stops_copies_and_no_frame_and_leaves_half_to_misses)
{
	struct packet in, strange;
	struct sw_port port = trial_port();
	int fd, n;

	put_flow(&in, 60);
	port.miss_rate = 1;
	port.miss_burst = 20;
	fixture_set_port(&f, TRIAL_LO, &port);
	f.miss_buckets[TRIAL_IN].tokens = port.miss_burst * NS_PER_S;
	fd = trial_daemon_arrives(&f);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(trial_run(&f, &in).verdict, XDP_REDIRECT);
	ck_assert_uint_ge(tell_stats().told, 10);
	ck_assert_uint_le(tell_stats().told, 12); /* the clock goes on, too */
	ck_assert_uint_eq(tell_stats().limited, 100 - tell_stats().told);
	ck_assert_uint_eq(fixture_port_stats(&f, TRIAL_OUT).tx_frames, 100);
	ck_assert_uint_eq(fixture_all_drops(&f), 0);
	make_frame(&strange, 60, 0x020000000077);
	for (n = 0; n < 100 && trial_run(&f, &strange).verdict == XDP_REDIRECT;)
		n++;
	ck_assert_int_ge(n, 10);
	ck_assert_int_le(n, 12);
	close(fd);
}
END_TEST

/* ---- mirrors ---- */

#define PAIR 4

#define PAIR_LIMIT 1650 /* bytes */

static struct sw_mirror_stats mirror_stats(void)
{
	struct sw_mirror_stats sum = {0};

	for (uint32_t row = 0; row < f.n_rows; row++) {
		const struct sw_mirror_stats *stats = &f.mirror_stats[row * SW_MAX_MIRRORS + MIRROR];

		sum.sent += stats->sent;
		sum.handed += stats->handed;
		sum.limited += stats->limited;
		sum.full += stats->full;
	}
	return sum;
}

/* Of TRIAL_OUT and the mirror's port; nothing else has as much room. */
static void put_mirror(uint32_t sample, uint32_t limit)
{
	uint32_t ids[] = {TRIAL_OUT, 4}, ifindexes[] = {trial_taker, trial_taker};

	f.mirrors[MIRROR] = (struct sw_mirror){.port = 4, .sample = sample};
	f.mirrors[MIRROR].pair[TRIAL_OUT] = PAIR + 1;
	fixture_set_members(&f, PAIR, ids, ifindexes, 2, limit);
}

/* What becomes of the frame is what `cases` say of its like; the kernel is asked for the copy where it is one of two.
 */
static const struct mirror_case {
	const char *name;
	struct sw_step steps[SW_MAX_STEPS];
	unsigned int n_steps;
	size_t size;
	enum trial_fate fate;
	bool is_cloned, is_handed, is_told;
	uint64_t dst;
	uint16_t out_port;
	enum { AS_IT_CAME, AS_IT_LEAVES, FOR_ALL } what;
	uint16_t floods; /* of the flow */
} mirror_cases[] = {
	{"an output", {STEP(TELL, MIRROR), STEP(OUTPUT, TRIAL_OUT)}, 2, 60, GOES, true, false, false, 0, 0, AS_IT_CAME,
		0},
	{"an output to where there is no pair", {STEP(TELL, MIRROR), STEP(OUTPUT, 4)}, 2, 60, GOES, false, true, false,
		0, 4, AS_IT_CAME, 0},
	{"an output back", {STEP(TELL, MIRROR), STEP(OUTPUT, TRIAL_IN)}, 2, 60, GOES, false, true, false, 0, 0,
		AS_IT_CAME, 0},
	{"an output and the controller", {STEP(TELL, SW_TELL_CONTROLLER | MIRROR), STEP(OUTPUT, TRIAL_OUT)}, 2, 60,
		GOES, true, false, true, 0, 0, AS_IT_CAME, 0},
	{"several buffers", {STEP(TELL, MIRROR), STEP(OUTPUT, TRIAL_OUT)}, 2, 8000, GOES, false, true, false, 0,
		TRIAL_OUT, AS_IT_CAME, 0},
	{"longer than a port of the pair takes", {STEP(TELL, MIRROR), STEP(OUTPUT, TRIAL_OUT)}, 2, PAIR_LIMIT + 1, GOES,
		false, true, false, 0, TRIAL_OUT, AS_IT_CAME, 0},
	{"a push", {STEP(TELL, MIRROR), STEP(VLAN_PUSH, 9), STEP(OUTPUT, TRIAL_OUT)}, 3, 60, GOES, false, true, false,
		0, 0, AS_IT_CAME, 0},
	{"a rewrite", {STEP(TELL, MIRROR), STEP(REWRITE, 1), STEP(OUTPUT, TRIAL_OUT)}, 3, 60, GOES, false, true, false,
		0, 0, AS_IT_CAME, 0},
	{"a broadcast", {STEP(TELL, MIRROR), STEP(BROADCAST, SET)}, 2, 60, GOES, false, true, false, 0, 0, AS_IT_CAME,
		0},
	{"a drop", {STEP(TELL, MIRROR), STEP(DROP, SW_DROP_RULE)}, 2, 60, ENDS, false, true, false, 0, 0, AS_IT_CAME,
		0},
	{"a meter that is shut", {STEP(METER, SHUT), STEP(TELL, MIRROR), STEP(OUTPUT, TRIAL_OUT)}, 3, 60, ENDS, false,
		true, false, 0, 0, AS_IT_CAME, 0},
	{"a meter that is open", {STEP(METER, OPEN), STEP(TELL, MIRROR), STEP(OUTPUT, TRIAL_OUT)}, 3, 60, GOES, true,
		false, false, 0, 0, AS_IT_CAME, 0},
	{"one that remarks the frame, behind the copy",
		{STEP(METER, REMARKS), STEP(TELL, MIRROR), STEP(OUTPUT, TRIAL_OUT)}, 3, 60, GOES, false, true, false, 0,
		TRIAL_OUT, AS_IT_CAME, 0},
	{"normal to a known address", {STEP(TELL, MIRROR), STEP(NORMAL, 0), STEP(BROADCAST, SET)}, 3, 60, GOES, true,
		false, false, 0, 0, AS_IT_CAME, 0},
	{"normal to where it came from", {STEP(TELL, MIRROR), STEP(NORMAL, 0), STEP(BROADCAST, SET)}, 3, 60, ENDS,
		false, true, false, LOCALITY, 0, AS_IT_CAME, 0},
	{"out", {STEP(TELL, SW_TELL_OUT | MIRROR), STEP(OUTPUT, TRIAL_OUT)}, 2, 60, GOES, true, false, false, 0, 0,
		AS_IT_LEAVES, 0},
	{"out, to where there is no pair", {STEP(TELL, SW_TELL_OUT | MIRROR), STEP(OUTPUT, 4)}, 2, 60, GOES, false,
		true, false, 0, 4, AS_IT_LEAVES, 0},
	{"out, a push", {STEP(TELL, SW_TELL_OUT | MIRROR), STEP(VLAN_PUSH, 9), STEP(OUTPUT, TRIAL_OUT)}, 3, 60, GOES,
		true, false, false, 0, 0, AS_IT_LEAVES, 0},
	{"out, a push to where there is no pair",
		{STEP(TELL, SW_TELL_OUT | MIRROR), STEP(VLAN_PUSH, 9), STEP(OUTPUT, 4)}, 3, 60, GOES, false, true,
		false, 0, 4, AS_IT_LEAVES, 0},
	{"out, a rewrite", {STEP(TELL, SW_TELL_OUT | MIRROR), STEP(REWRITE, 1), STEP(OUTPUT, TRIAL_OUT)}, 3, 60, GOES,
		true, false, false, 0, 0, AS_IT_LEAVES, 0},
	{"out, back", {STEP(TELL, SW_TELL_OUT | MIRROR), STEP(OUTPUT, TRIAL_IN)}, 2, 60, GOES, false, true, false, 0, 0,
		AS_IT_LEAVES, 0},
	{"out, a meter that is shut", {STEP(METER, SHUT), STEP(TELL, SW_TELL_OUT | MIRROR), STEP(OUTPUT, TRIAL_OUT)}, 3,
		60, ENDS, false, false, false, 0, 0, AS_IT_LEAVES, 0},
	{"out, one that remarks", {STEP(METER, REMARKS), STEP(TELL, SW_TELL_OUT | MIRROR), STEP(OUTPUT, TRIAL_OUT)}, 3,
		60, GOES, true, false, false, 0, 0, AS_IT_LEAVES, 0},
	{"all, of an output", {STEP(TELL, SW_TELL_ALL | MIRROR), STEP(OUTPUT, TRIAL_OUT)}, 2, 60, GOES, false, true,
		false, 0, 0, FOR_ALL, 0},
	{"all, of what a meter ends", {STEP(METER, SHUT), STEP(TELL, SW_TELL_ALL | MIRROR), STEP(OUTPUT, TRIAL_OUT)}, 3,
		60, ENDS, false, true, false, 0, SW_TOLD_ENDED, FOR_ALL, 0},
	{"normal to a port that is listened to", {STEP(NORMAL, 0), STEP(BROADCAST, SET)}, 2, 60, GOES, true, false,
		false, LISTENED, 0, AS_IT_LEAVES, 0},
	{"and in by one of the same mirror", {STEP(TELL, MIRROR), STEP(NORMAL, 0), STEP(BROADCAST, SET)}, 3, 60, GOES,
		true, false, false, LISTENED, 0, AS_IT_CAME, 0},
	{"and in by one of another", {STEP(TELL, MIRROR), STEP(NORMAL, 0), STEP(DROP, SW_DROP_NO_OUTPUT)}, 3, 60, GOES,
		false, true, false, ELSEWISE, 0, FOR_ALL, 0},
	{"to one that several listen to", {STEP(NORMAL, 0), STEP(DROP, SW_DROP_NO_OUTPUT)}, 2, 60, GOES, false, true,
		false, SEVERAL, 0, FOR_ALL, 0},
	{"normal for everybody, whom nobody listens to", {STEP(NORMAL, 0), STEP(BROADCAST, SET)}, 2, 60, GOES, false,
		false, false, 0xffffffffffff, 0, AS_IT_CAME, 0},
	{"for everybody", {STEP(NORMAL, 0), STEP(BROADCAST, SET)}, 2, 60, GOES, false, true, false, 0xffffffffffff, 0,
		FOR_ALL, SW_TELL_ALL | MIRROR},
	{"for everybody, who are one", {STEP(NORMAL, 0), STEP(OUTPUT, TRIAL_OUT)}, 2, 60, GOES, true, false, false,
		0xffffffffffff, 0, AS_IT_LEAVES, SW_TELL_OUT | MIRROR},
	{"a mirror that is gone", {STEP(TELL, MIRROR + 1), STEP(OUTPUT, TRIAL_OUT)}, 2, 60, GOES, false, false, false,
		0, 0, AS_IT_CAME, 0},
};

#define N_MIRROR_CASES (int)(sizeof(mirror_cases) / sizeof(mirror_cases[0]))

START_TEST(a_mirror_has_a_copy_of_all_that_is_its_own)
{
	const struct mirror_case *c = &mirror_cases[_i / TRIAL_N_WAYS];
	struct outcome o;
	struct packet in;
	uint32_t slot;

	setup();
	put_mirror(1, c->size > 4096 ? UINT16_MAX : PAIR_LIMIT);
	make_frame(&in, c->size, c->dst ? c->dst : addresses[0].mac);
	fixture_set_output(&f, 4, TRIAL_LO);
	fixture_set_output(&f, TRIAL_IN, TRIAL_LO);
	slot = trial_put(&f, &in, 0, c->steps, c->n_steps);
	fixture_set_bridge(&f, slot, 1);
	f.flows[slot].floods = c->floods;
	trial_lead(&f, _i % TRIAL_N_WAYS, &in, slot);
	listen_to_ring();
	fixture_forget_counters(&f);
	o = trial_run(&f, &in);
	ring_buffer__consume(ring);
	ck_assert_msg((o.verdict == XDP_DROP) == (c->fate == ENDS), "%s: verdict %d", c->name, o.verdict);
	ck_assert_msg(fixture_all_drops(&f) == (c->fate == ENDS), "%s: drops", c->name);
	ck_assert_msg(mirror_stats().sent == c->is_cloned, "%s: %llu cloned", c->name, mirror_stats().sent);
	ck_assert_msg(mirror_stats().handed == c->is_handed, "%s: %llu handed", c->name, mirror_stats().handed);
	ck_assert_uint_eq(tell_stats().told, c->is_told);
	ck_assert_uint_eq(told.n, c->is_handed + c->is_told);
	ck_assert_uint_eq(fixture_port_stats(&f, 4).tx_frames,
		c->is_cloned || (c->steps[c->n_steps - 1].op == SW_OP_BROADCAST && c->fate == GOES && !c->is_cloned) ||
			(c->steps[c->n_steps - 1].op == SW_OP_OUTPUT && c->steps[c->n_steps - 1].arg == 4));
	if (c->is_cloned)
		ck_assert_uint_eq(fixture_port_stats(&f, TRIAL_OUT).tx_frames, 1);
	if (!c->is_handed)
		return;
	ck_assert_uint_eq(told.last.mirror, c->what == FOR_ALL ? SW_TOLD_MIRRORS : MIRROR);
	ck_assert_msg(told.last.out_port == c->out_port, "%s: by port %u", c->name, told.last.out_port);
	if (c->what == AS_IT_LEAVES) {
		ck_assert_uint_eq(told.last.size, o.out.size);
		ck_assert_mem_eq(told.bytes, o.out.bytes, o.out.size);
	} else {
		ck_assert_mem_eq(told.bytes, in.bytes, in.size);
	}
}
END_TEST

/* Its device has vanished from the pair, as from all maps of devices, and only the mirror's is left there. */
START_TEST(a_frame_whose_port_has_gone_is_named_and_mirrored)
{
	const struct sw_step steps[] = {STEP(TELL, MIRROR), STEP(OUTPUT, TRIAL_OUT)};
	uint32_t ids[] = {4}, gone = TRIAL_OUT;
	struct packet in;

	setup();
	put_mirror(1, PAIR_LIMIT);
	fixture_set_members(&f, PAIR, ids, &trial_taker, 1, PAIR_LIMIT);
	f.set_info[PAIR].n_members = 2;
	ck_assert_int_eq(bpf_map_delete_elem(bpf_map__fd(f.skel->maps.tx_ports), &gone), 0);
	make_frame(&in, 60, addresses[0].mac);
	trial_put(&f, &in, 0, steps, 2);
	ck_assert_int_eq(trial_run(&f, &in).verdict, XDP_DROP);
	ring_buffer__consume(ring);
	ck_assert_uint_eq(fixture_drops(&f, TRIAL_OUT, SW_DROP_PORT_DOWN), 1);
	ck_assert_uint_eq(fixture_all_drops(&f), 1);
	ck_assert_uint_eq(told.n, 1);
}
END_TEST

START_TEST(of_a_sample_one_in_so_many_frames_is_copied)
{
	const struct sw_step steps[] = {STEP(TELL, MIRROR), STEP(OUTPUT, TRIAL_OUT)};
	struct outcome o;
	struct packet in;

	setup();
	put_mirror(10, PAIR_LIMIT);
	make_frame(&in, 60, addresses[0].mac);
	trial_put(&f, &in, 0, steps, 2);
	ck_assert_int_eq(trial_run_split(&f, &in, 0, 100000, &o), 0);
	ck_assert_uint_eq(fixture_port_stats(&f, TRIAL_OUT).tx_frames, 100000);
	ck_assert_uint_ge(mirror_stats().sent, 9500); /* five deviations and more */
	ck_assert_uint_le(mirror_stats().sent, 10500);
	ck_assert_uint_eq(fixture_port_stats(&f, 4).tx_frames, mirror_stats().sent);
}
END_TEST

START_TEST(a_trial_tells_nobody)
{
	struct packet in;

	put_flow(&in, 60);
	f.config->is_trial = 1;
	ck_assert_int_eq(trial_run(&f, &in).verdict, XDP_REDIRECT);
	f.config->is_trial = 0;
	ring_buffer__consume(ring);
	ck_assert_uint_eq(told.n + tell_stats().told, 0);
}
END_TEST

static void open_ring(void)
{
	ring = ring_buffer__new(bpf_map__fd(f.skel->maps.tolds), take, NULL, NULL);
	ck_assert_ptr_nonnull(ring);
}

static void close_ring(void)
{
	ring_buffer__free(ring);
}

int main(void)
{
	Suite *suite = suite_create("tell");
	TCase *t = tcase_create("tell");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, open_ring, close_ring);
	tcase_add_loop_test(t, the_daemon_gets_a_copy_of_what_goes_on_and_of_nothing_else, 0, N_CASES * TRIAL_N_WAYS);
	tcase_add_test(t, a_branch_tells_too);
	tcase_add_test(t, a_full_ring_stops_no_frame);
	tcase_add_test(t, a_limit_stops_copies_and_no_frame_and_leaves_half_to_misses);
	tcase_add_loop_test(t, a_mirror_has_a_copy_of_all_that_is_its_own, 0, N_MIRROR_CASES * TRIAL_N_WAYS);
	tcase_add_test(t, a_frame_whose_port_has_gone_is_named_and_mirrored);
	tcase_add_test(t, of_a_sample_one_in_so_many_frames_is_copied);
	tcase_add_test(t, a_trial_tells_nobody);
	suite_add_tcase(suite, t);
	return trial_main(&f, suite);
}
