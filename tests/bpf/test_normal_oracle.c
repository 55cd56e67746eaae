/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The NORMAL step of the shipped program on random frames and addresses, against two others: bpf/normal.h as compiled
 * here, on the same memory, and a twin that knows only a list.
 */
#include "normal_lab.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "bpf/extract.h"
#include "bpf/normal.h"

static struct fixture f;

static inline const struct sw_fdb_bucket *sw_mem_fdb(const void *mem, __u32 index)
{
	return (const struct sw_fdb_bucket *)mem + index;
}

#define N_FRAMES  20000
#define A_ROUND   200
#define MAX_HOSTS 60
#define N_MET     6
#define SPLIT     5000 /* what is longer than this no driver's buffer holds */

static const uint64_t macs[] = {
	A, B, C, 0x02000000000dULL, 0x0a0000000000ULL, GROUP, BROADCAST, ZERO, STP, LAST, LAST + 1, 0x0180c2000100ULL};
#define N_HOST_MACS 5 /* the first ones, which can live somewhere */

static const uint16_t vids[] = {0, 1, VID, 4094};
static const uint8_t bridges[] = {1, 2, SW_MAX_BRIDGES - 1};
static const uint8_t outs[] = {SW_FDB_OUT_UPCALL, SW_FDB_OUT_DROP, SW_FDB_OUT_MIRRORED, SW_FDB_OUT_AS_IS,
	SW_FDB_OUT_UNTAGGED, SW_FDB_OUT_TAGGED};
static const uint16_t ports[] = {TRIAL_IN, TRIAL_OUT, FLOOD, DEAD};
static const int tags[] = {UNTAGGED, 0, 1, VID, 4094};

static const struct {
	struct sw_step steps[SW_MAX_STEPS - 1];
	unsigned int n;
	bool for_tagged, for_untagged;
} floods[] = {
	{{STEP(BROADCAST, SET)}, 1, true, true},
	{{STEP(BROADCAST, LONELY)}, 1, true, true},
	{{STEP(OUTPUT, FLOOD)}, 1, true, true},
	{{STEP(OUTPUT, DEAD)}, 1, true, true},
	{{STEP(DROP, SW_DROP_NO_OUTPUT)}, 1, true, true},
	{{STEP(UPCALL, SW_UPCALL_ACTION)}, 1, true, true},
	{{STEP(VLAN_PUSH, 0x3005), STEP(BROADCAST, SET)}, 2, false, true},
	{{STEP(VLAN_PUSH, 0x3005), STEP(OUTPUT, FLOOD)}, 2, false, true},
	{{STEP(VLAN_SET, 77), STEP(BROADCAST, SET)}, 2, true, false},
	{{STEP(VLAN_POP, 0), STEP(BROADCAST, SET)}, 2, true, false},
	{{STEP(VLAN_POP, 0), STEP(OUTPUT, FLOOD)}, 2, true, false},
	{{STEP(VLAN_POP, 0), STEP(UPCALL, SW_UPCALL_ACTION)}, 2, true, false},
};

/* A frame and the flow that it meets. */
struct meeting {
	struct packet in;
	size_t first_size;
	uint64_t dst, src;
	int tci;
	bool is_split;
	uint32_t slot;
	const struct sw_flow *flow;
};

struct stream {
	uint64_t seed, first_seed;
	struct fixture_address hosts[MAX_HOSTS];
	struct sw_fdb_cell *cells[MAX_HOSTS];
	unsigned int n_hosts;
	struct sw_fdb_cell *others[MAX_HOSTS]; /* which nobody may find */
	unsigned int n_others;
	uint32_t slots[sizeof(tags) / sizeof(*tags)];
	struct meeting met[N_MET]; /* the last ones */
	unsigned int n_met, n_recalled;
	unsigned int n_sent, n_flooded, n_up[SW_UPCALL_NORMAL + 1], n_dropped[SW_N_DROPS];
};

static uint64_t up_to(struct stream *s, uint64_t n)
{
	return packet_random(&s->seed) % n;
}

#define ONE_OF(s, array) (array)[up_to(s, sizeof(array) / sizeof(*(array)))]

static const struct fixture_address *find(const struct stream *s, uint64_t mac, uint16_t vid, uint8_t bridge)
{
	unsigned int i;

	for (i = 0; i < s->n_hosts; i++) {
		if (s->hosts[i].mac == mac && s->hosts[i].vid == vid && s->hosts[i].bridge == bridge)
			return &s->hosts[i];
	}
	return NULL;
}

/* The same address on another bridge, in a bucket of ours, where a lookup for that bridge does not come. */
static void put_decoy(struct stream *s, const struct fixture_address *host)
{
	struct fixture_address decoy = *host;
	struct sw_fdb_bucket *bucket = fixture_fdb_bucket(&f, host, up_to(s, 2));
	struct sw_fdb_cell *cell = &bucket->cell[up_to(s, SW_FDB_CELLS)];

	decoy.bridge = ONE_OF(s, bridges);
	decoy.port = ONE_OF(s, ports);
	if (!cell->key && s->n_others < MAX_HOSTS && decoy.bridge != host->bridge &&
		bucket != fixture_fdb_bucket(&f, &decoy, false) && bucket != fixture_fdb_bucket(&f, &decoy, true)) {
		fixture_write_address(cell, &decoy);
		s->others[s->n_others++] = cell;
	}
}

static void random_hosts(struct stream *s)
{
	unsigned int n = up_to(s, MAX_HOSTS + 1);

	s->n_hosts = s->n_others = 0;
	while (n--) {
		struct fixture_address host = {
			.mac = macs[up_to(s, N_HOST_MACS)],
			.vid = ONE_OF(s, vids),
			.bridge = ONE_OF(s, bridges),
			.port = ONE_OF(s, ports),
			.flags = up_to(s, 4),
			.out = ONE_OF(s, outs),
		};
		struct sw_fdb_cell *cell;

		if (host.out == SW_FDB_OUT_DROP)
			host.drop = up_to(s, 2) ? SW_DROP_PORT_DOWN : SW_DROP_NO_OUTPUT;
		else if (host.out == SW_FDB_OUT_MIRRORED) /* by one that is gone */
			host.drop = SW_FDB_OUT_AS_IS + up_to(s, 3);
		cell = &fixture_fdb_bucket(&f, &host, up_to(s, 2))->cell[up_to(s, SW_FDB_CELLS)];
		if (cell->key || find(s, host.mac, host.vid, host.bridge))
			continue;
		fixture_write_address(cell, &host);
		if (up_to(s, 8) == 0 && s->n_others < MAX_HOSTS) {
			cell->place.word = 0; /* being cleared */
			s->others[s->n_others++] = cell;
			continue;
		}
		if (up_to(s, 2))
			put_decoy(s, &host);
		s->cells[s->n_hosts] = cell;
		s->hosts[s->n_hosts++] = host;
	}
}

/* One for each tag, each on a bridge of its own. */
static void random_flows(struct stream *s)
{
	static const uint8_t flags[] = {SW_FLOW_LEARN, SW_FLOW_RESERVED, SW_FLOW_ONE_BUFFER};
	struct packet p;
	unsigned int i, j, flood;

	for (i = 0; i < sizeof(tags) / sizeof(*tags); i++) {
		uint8_t of_flow = 0;

		for (j = 0; j < sizeof(flags); j++)
			of_flow |= up_to(s, 2) ? flags[j] : 0;
		do
			flood = up_to(s, sizeof(floods) / sizeof(*floods));
		while (!(tags[i] == UNTAGGED ? floods[flood].for_untagged : floods[flood].for_tagged));
		lab_make(&p, tags[i], B, A);
		s->slots[i] = lab_put(
			&f, &p, ONE_OF(s, bridges), ONE_OF(s, vids), of_flow, floods[flood].steps, floods[flood].n);
		if (up_to(s, 2)) /* where the program finds it at once, and what becomes of its frames is noted */
			s->slots[i] = fixture_send_home(&f, s->slots[i], up_to(s, 2));
	}
}

static size_t random_size(struct stream *s)
{
	switch (up_to(s, 16)) {
	case 0:
		return SPLIT + up_to(s, 4000);
	case 1:
		return FIT - 6 + up_to(s, 12);
	case 2:
		return 1600 + up_to(s, 900);
	default:
		return 60 + up_to(s, 200);
	}
}

static void random_meeting(struct stream *s, bool can_split, struct meeting *ret)
{
	unsigned int tag = up_to(s, sizeof(tags) / sizeof(*tags));
	size_t size = random_size(s);

	ret->tci = tags[tag] == UNTAGGED ? UNTAGGED : tags[tag] | (int)up_to(s, 16) << 12;
	ret->dst = up_to(s, 3) ? macs[up_to(s, N_HOST_MACS)] : ONE_OF(s, macs);
	ret->src = up_to(s, 8) ? macs[up_to(s, N_HOST_MACS)] : ONE_OF(s, macs);
	ret->slot = s->slots[tag];
	ret->flow = &f.flows[ret->slot];
	ret->first_size = can_split && size < SPLIT && up_to(s, 8) == 0 ? 18 + up_to(s, size - 18) : 0;
	ret->is_split = ret->first_size || size >= SPLIT;
	packet_plain(&ret->in, ret->tci, size);
	packet_set_macs(&ret->in, ret->dst, ret->src);
}

static struct fate dropped(enum sw_drop drop, uint32_t culprit)
{
	return (struct fate){.what = DROPPED, .drop = drop, .port = culprit};
}

static struct fate up(enum sw_upcall reason)
{
	return (struct fate){.what = UP, .reason = reason};
}

static struct fate sent(uint32_t port, int tci)
{
	return port == DEAD ? dropped(SW_DROP_PORT_DOWN, DEAD) : (struct fate){.what = SENT, .port = port, .tci = tci};
}

static int rewritten(const struct meeting *m)
{
	const struct sw_step *step = &m->flow->steps[1];

	switch (step->op) {
	case SW_OP_VLAN_PUSH:
		return step->arg;
	case SW_OP_VLAN_POP:
		return UNTAGGED;
	case SW_OP_VLAN_SET:
		return (m->tci & 0xf000) | step->arg;
	default:
		return m->tci;
	}
}

static struct fate flooded(const struct meeting *m)
{
	const struct sw_step *last = &m->flow->steps[m->flow->n_steps - 1];
	int tci = rewritten(m), growth = 4 * (tci != UNTAGGED) - 4 * (m->tci != UNTAGGED);

	switch (last->op) {
	case SW_OP_DROP:
		return dropped(last->arg, TRIAL_IN);
	case SW_OP_UPCALL:
		return up(last->arg);
	case SW_OP_OUTPUT:
		if (m->flow->flags & SW_FLOW_ONE_BUFFER && m->is_split)
			return up(SW_UPCALL_FRAGS);
		return sent(last->arg, tci);
	default:
		if (last->arg == LONELY)
			return dropped(SW_DROP_NO_OUTPUT, TRIAL_IN);
		if (m->is_split)
			return up(SW_UPCALL_FRAGS);
		if (m->in.size + growth > FIT)
			return up(SW_UPCALL_OVER_MTU);
		return (struct fate){.what = FLOODED, .tci = tci};
	}
}

static struct fate forwarded(const struct meeting *m, uint32_t port, uint8_t flags, uint8_t out, uint16_t vid)
{
	if (out == SW_FDB_OUT_UPCALL)
		return up(SW_UPCALL_NORMAL);
	if (flags & SW_FDB_ONE_BUFFER && m->is_split)
		return up(SW_UPCALL_FRAGS);
	if (out == SW_FDB_OUT_AS_IS)
		return sent(port, m->tci);
	if (out == SW_FDB_OUT_UNTAGGED)
		return sent(port, UNTAGGED);
	return sent(port, m->tci == UNTAGGED ? vid : (m->tci & 0xf000) | vid);
}

/* Often one that was met before. */
static void next_meeting(struct stream *s, bool can_split, struct meeting *ret)
{
	if (s->n_met && up_to(s, 4)) {
		*ret = s->met[up_to(s, s->n_met < N_MET ? s->n_met : N_MET)];
		return;
	}
	random_meeting(s, can_split, ret);
	s->met[s->n_met++ % N_MET] = *ret;
}

/* By what the list says, and which of it is used. */
static struct fate fate_by_list(
	const struct stream *s, const struct meeting *m, const struct fixture_address **ret_used)
{
	uint16_t vid = m->flow->steps[0].arg;
	const struct fixture_address *from = find(s, m->src, vid, m->flow->bridge);
	const struct fixture_address *to = find(s, m->dst, vid, m->flow->bridge);
	bool is_settled = from && (from->port == TRIAL_IN || from->flags & SW_FDB_STATIC);
	bool is_reserved = m->dst >> 4 == STP >> 4 && !(m->flow->flags & SW_FLOW_RESERVED);

	*ret_used = is_settled ? from : NULL;
	if (m->src >> 40 & 1 || !m->src)
		return dropped(SW_DROP_BAD_SOURCE, TRIAL_IN);
	if (is_reserved)
		return dropped(SW_DROP_RESERVED_MAC, TRIAL_IN);
	if (!is_settled && (from || m->flow->flags & SW_FLOW_LEARN))
		return up(SW_UPCALL_LEARN);
	if (!to)
		return flooded(m);
	if (to->port == TRIAL_IN)
		return dropped(SW_DROP_SAME_PORT, TRIAL_IN);
	if (to->out == SW_FDB_OUT_DROP)
		return dropped(to->drop, TRIAL_IN);
	return forwarded(m, to->port, to->flags, to->out == SW_FDB_OUT_MIRRORED ? to->drop : to->out, vid);
}

/* By bpf/normal.h as the daemon's compiler understands it, on the memory that the program sees. */
static struct fate fate_by_header(const struct meeting *m)
{
	struct sw_key key = trial_key(&m->in);
	const struct sw_normal_frame frame = {
		.dst = key.w[1],
		.src = key.w[2],
		.vid = m->flow->steps[0].arg,
		.bridge = m->flow->bridge,
		.in_port = m->flow->in_port,
		.flags = m->flow->flags,
		.seed = f.config->seed,
		.domain = m->flow->domain,
	};
	struct sw_normal_answer answer;

	switch (sw_normal(f.fdb, &frame, &answer)) {
	case SW_NORMAL_DROP:
		return dropped(answer.drop, TRIAL_IN);
	case SW_NORMAL_LEARN:
		return up(SW_UPCALL_LEARN);
	case SW_NORMAL_MIRRORED:
		answer.to.out = answer.to.form;
		return forwarded(m, answer.to.port, answer.to.flags, answer.to.out, frame.vid);
	case SW_NORMAL_UPCALL:
	case SW_NORMAL_FORWARD:
		return forwarded(m, answer.to.port, answer.to.flags, answer.to.out, frame.vid);
	case SW_NORMAL_FLOOD:
		break;
	}
	return flooded(m);
}

static void check_used(const char *name, const struct stream *s, const struct fixture_address *used)
{
	unsigned int i;

	for (i = 0; i < s->n_hosts; i++) {
		ck_assert_msg(s->cells[i]->place.used == (used == &s->hosts[i]), "%s: the mark of host %u", name, i);
		s->cells[i]->place.used = 0;
	}
	for (i = 0; i < s->n_others; i++)
		ck_assert_msg(!s->others[i]->place.used, "%s: a mark on what nobody may find", name);
}

static void count(struct stream *s, const struct fate *fate)
{
	s->n_sent += fate->what == SENT;
	s->n_flooded += fate->what == FLOODED;
	s->n_up[fate->reason] += fate->what == UP;
	s->n_dropped[fate->drop] += fate->what == DROPPED;
}

static void check_meeting(struct stream *s, const struct meeting *m, unsigned int n)
{
	const struct fixture_address *used;
	struct fate by_list = fate_by_list(s, m, &used), by_header;
	struct outcome o;
	bool is_recalled;
	char name[100];

	snprintf(name, sizeof(name), "TEST_SEED=%llu, frame %u", (unsigned long long)s->first_seed, n);
	fixture_forget_counters(&f);
	ck_assert_int_eq(trial_run_split(&f, &m->in, m->first_size, 1, &o), 0);
	lab_check(&f, name, &by_list, &m->in, &o, m->slot);
	is_recalled = fixture_recalled(&f);
	ck_assert_msg(!is_recalled || by_list.what == SENT || by_list.drop == SW_DROP_PORT_DOWN, "%s: recalled", name);
	s->n_recalled += is_recalled;
	check_used(name, s, is_recalled ? NULL : used); /* a frame that is recalled marks nobody */
	count(s, &by_list);
	by_header = fate_by_header(m);
	lab_check(&f, name, &by_header, &m->in, &o, m->slot);
	check_used(name, s, used);
}

/* A stream that misses a fate tries nothing of it. */
static void check_variety(const struct stream *s)
{
	static const enum sw_drop drops[] = {
		SW_DROP_BAD_SOURCE, SW_DROP_RESERVED_MAC, SW_DROP_SAME_PORT, SW_DROP_PORT_DOWN, SW_DROP_NO_OUTPUT};
	unsigned int i;

	printf("%u recalled\n", s->n_recalled);
	ck_assert_uint_gt(s->n_recalled, 10);
	ck_assert_uint_gt(s->n_sent, 100);
	ck_assert_uint_gt(s->n_flooded, 100);
	for (i = SW_UPCALL_ACTION; i <= SW_UPCALL_NORMAL; i++) /* there is always a flow to hit */
		ck_assert_msg(s->n_up[i] > 5, "%u went up for reason %u", s->n_up[i], i);
	for (i = 0; i < sizeof(drops) / sizeof(*drops); i++)
		ck_assert_msg(
			s->n_dropped[drops[i]] > 50, "%u dropped for reason %u", s->n_dropped[drops[i]], drops[i]);
}

static bool can_split_frames(void)
{
	struct packet p;
	struct outcome o;

	packet_plain(&p, UNTAGGED, 200);
	return !trial_run_split(&f, &p, 64, 1, &o);
}

START_TEST(random_frames_go_where_a_list_and_the_header_say)
{
	struct stream s = {.seed = packet_seed()};
	struct packet nothing = {0};
	bool can_split;
	unsigned int n;
	int fd = -1;

	s.first_seed = s.seed;
	printf("normal: TEST_SEED=%llu\n", (unsigned long long)s.first_seed);
	lab_setup(&f);
	can_split = can_split_frames();
	for (n = 0; n < N_FRAMES; n++) {
		struct meeting m;

		if (n % A_ROUND == 0) {
			if (fd >= 0)
				close(fd);
			lab_setup(&f);
			fd = trial_daemon_arrives(&f);
			random_hosts(&s);
			random_flows(&s);
			fixture_begin_epoch(&f);
			s.n_met = 0;
			if (up_to(&s, 4) == 0)
				trial_lead(&f, TRIAL_DEEP, &nothing, 0);
		}
		next_meeting(&s, can_split, &m);
		check_meeting(&s, &m, n);
	}
	close(fd);
	check_variety(&s);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("normal_oracle");
	TCase *tcase = tcase_create("normal_oracle");

	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, random_frames_go_where_a_list_and_the_header_say);
	suite_add_tcase(s, tcase);
	return s;
}

int main(void)
{
	return trial_main(&f, suite());
}
