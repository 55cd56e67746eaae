/* SPDX-License-Identifier: BSD-2-Clause */
/* Mirrors: what is refused, which flows say so, who sends which copy, and how long pairs are held. */
#include "dataplane/mirrors.h"

#include "bpf/extract.h"
#include "dataplane/complaint.h"
#include "dataplane/counters.h"
#include "dataplane/upcall.h"
#include "tests/unit/cache_lab.h"
#include "tests/unit/suite.h"

#define SIZE  64
#define FROM  1
#define TO    4
#define OTHER 2

static struct lab lab;
static struct upcall *up;

static void setup(void)
{
	lab_open(&lab, 4096, 5);
	up = upcall_create(lab.dp, lab.pl, lab.fdb, lab.cache, ofbridges_executor(lab.bridges));
	ck_assert_ptr_nonnull(up);
}

static void teardown(void)
{
	upcall_destroy(up);
	lab_close(&lab);
}

static struct mirror_config config(const char *name, uint16_t from, uint16_t to)
{
	struct mirror_config c = {.bridge = "br1", .from.n = 1, .sample = 1};

	snprintf(c.name, sizeof(c.name), "%s", name);
	snprintf(c.from.name[0], sizeof(c.from.name[0]), "p%u", from);
	snprintf(c.to, sizeof(c.to), "p%u", to);
	return c;
}

static int add(const char *name, uint16_t from, uint16_t to, struct complaint *c)
{
	const struct mirror_config wanted = config(name, from, to);

	return mirrors_add(lab.mirrors, &wanted, c);
}

static void mirror(void)
{
	struct complaint c;

	ck_assert_msg(!add("m", FROM, TO, &c), "%s", c.text);
	cache_settle(lab.cache, lab.now_ns);
}

static void make_frame(uint8_t src, uint8_t dst, uint8_t frame[SIZE])
{
	memset(frame, 0, SIZE);
	memcpy(frame, (uint8_t[6]){2, 0, 0, 0, 0, dst}, 6);
	memcpy(frame + 6, (uint8_t[6]){2, 0, 0, 0, 0, src}, 6);
	frame[12] = 0x08;
}

/* The steps of the flow that it hits, or "" after it came up and was handled. */
static const char *arrive(uint16_t port, const uint8_t frame[SIZE])
{
	static char text[300];
	struct dp_memory_hit hit;
	struct sw_headers headers;
	struct sw_key key;

	text[0] = '\0';
	sw_extract(frame, frame + SIZE, IFINDEX_OF + port, SW_KEY_WORDS, &key, &headers);
	if (dp_memory_lookup(lab.dp, 0, &key, SIZE, &hit)) {
		program_format(lab.pl, lab.sets, hit.flow->steps, hit.flow->n_steps, text, sizeof(text));
		return text;
	}
	dp_memory_inject(lab.dp, port, frame, SIZE, SW_UPCALL_MISS);
	upcall_run(up, lab.now_ns);
	return text;
}

static const char *sent(void)
{
	return lab_sent(&lab);
}

START_TEST(what_would_copy_copies_is_refused)
{
	struct vlan_config access = {.mode = VLAN_ACCESS, .vid = 7};
	struct complaint c;

	ck_assert_int_eq(add("m", FROM, FROM, &c), -EINVAL);
	ck_assert_int_eq(add("m", FROM, 9, &c), -ENOENT);
	ck_assert_int_eq(add("m", 9, TO, &c), -ENOENT);
	lab_port_vlan(&lab, 3, &access);
	ck_assert_int_eq(add("m", FROM, 3, &c), -EINVAL);
	ck_assert_int_eq(add("m", FROM, TO, &c), 0);
	ck_assert_int_eq(add("m", OTHER, TO, &c), -EEXIST);
	ck_assert_int_eq(add("n", FROM, 5, &c), -EEXIST);
	ck_assert_int_eq(add("n", TO, 5, &c), -EBUSY);
	ck_assert_int_eq(add("n", OTHER, FROM, &c), -EBUSY);
	ck_assert_int_eq(add("n", OTHER, TO, &c), 0); /* two may send to one port */
	ck_assert_ptr_nonnull(mirrors_of_port(lab.mirrors, "p1"));
	ck_assert_ptr_nonnull(mirrors_of_port(lab.mirrors, "p4"));
	ck_assert_ptr_null(mirrors_of_port(lab.mirrors, "p5"));
	ck_assert_int_eq(mirrors_remove(lab.mirrors, "br1", "x", &c), -ENOENT);
	ck_assert_int_eq(mirrors_remove(lab.mirrors, "br1", "m", &c), 0);
	ck_assert_int_eq(add("m", FROM, 5, &c), 0);
}
END_TEST

START_TEST(no_more_than_there_is_room_for)
{
	struct mirror_config c = config("m", FROM, TO);
	struct complaint complaint;
	int n = 0;

	c.from.n = 0;
	while (!mirrors_add(lab.mirrors, &c, &complaint))
		snprintf(c.name, sizeof(c.name), "m%d", n++);
	ck_assert_int_eq(n, SW_MAX_MIRRORS - 1);
	ck_assert_int_eq(mirrors_add(lab.mirrors, &c, &complaint), -ENOSPC);
}
END_TEST

START_TEST(a_frame_that_comes_up_is_copied_and_forwarded)
{
	uint8_t frame[SIZE];

	mirror();
	make_frame(1, 2, frame);
	ck_assert_str_eq(arrive(FROM, frame), "");
	ck_assert_str_eq(sent(), "4 2 3 5"); /* the copy, and a flood that passes over the mirror's port */
	ck_assert_str_eq(arrive(FROM, frame), "mirror:m,normal,broadcast:p1+p2+p3+p5");
	ck_assert_uint_eq(mirrors_counters(lab.mirrors, 1).copies, 1);
	make_frame(2, 1, frame);
	arrive(OTHER, frame);
	ck_assert_str_eq(sent(), "1"); /* and its source was learned */
}
END_TEST

START_TEST(what_is_dropped_is_copied_and_dropped)
{
	struct flow_match all = {0};
	struct actions none = {.n = 0};
	uint8_t frame[SIZE];

	mirror();
	ck_assert_int_eq(pipeline_rule_put(lab.pl, 1, &all, 9, &none, NULL), 0);
	cache_settle(lab.cache, lab.now_ns);
	make_frame(1, 2, frame);
	arrive(FROM, frame);
	ck_assert_str_eq(sent(), "4");
	ck_assert_uint_eq(counters_read_drop(&lab.dp->memory, FROM, SW_DROP_RULE), 1);
	ck_assert_str_eq(arrive(FROM, frame), "mirror:m,drop:rule");
}
END_TEST

/* A rewrite that turns out on the way to be none for a frame sends it up, whose copy is made there: one is enough. */
START_TEST(what_may_go_up_behind_its_copy_is_the_daemons)
{
	const struct action push = {.type = ACTION_PUSH_MPLS, .arg = 0x8847}, dec = {.type = ACTION_DEC_MPLS_TTL},
			    out = {.type = ACTION_OUTPUT, .arg = OTHER};
	const struct action lists[2][3] = {{push, out}, {push, dec, out}};
	const struct actions actions = {.n = 2 + (uint32_t)_i, .list = lists[_i]};
	struct flow_match all = {0};
	uint8_t frame[SIZE];

	mirror();
	ck_assert_int_eq(pipeline_rule_put(lab.pl, 1, &all, 9, &actions, NULL), 0);
	cache_settle(lab.cache, lab.now_ns);
	make_frame(1, 2, frame);
	arrive(FROM, frame);
	ck_assert_str_eq(arrive(FROM, frame), _i ? "upcall:action" : "mirror:m,rewrite:[push_mpls:0x8847],output:p2");
}
END_TEST

START_TEST(what_comes_in_by_its_port_goes_nowhere)
{
	uint8_t frame[SIZE];

	mirror();
	make_frame(1, 2, frame);
	arrive(TO, frame);
	ck_assert_str_eq(sent(), "");
	ck_assert_uint_eq(counters_read_drop(&lab.dp->memory, TO, SW_DROP_MIRROR_PORT), 1);
	ck_assert_str_eq(arrive(TO, frame), "drop:mirror_port");
}
END_TEST

START_TEST(flows_follow_a_mirror_that_comes_and_goes)
{
	struct complaint c;
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	arrive(FROM, frame);
	ck_assert_str_eq(arrive(FROM, frame), "normal,broadcast:p1+p2+p3+p4+p5");
	mirror();
	ck_assert_str_eq(arrive(FROM, frame), "mirror:m,normal,broadcast:p1+p2+p3+p5");
	ck_assert_int_eq(mirrors_remove(lab.mirrors, "br1", "m", &c), 0);
	cache_settle(lab.cache, lab.now_ns);
	ck_assert_str_eq(arrive(FROM, frame), "normal,broadcast:p1+p2+p3+p4+p5");
}
END_TEST

/* The program hands over a copy of a frame that left by this port. */
static uint16_t pair_after_copy(uint16_t out_port)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	dp_memory_mirror(lab.dp, FROM, frame, SIZE, 1, out_port);
	upcall_run(up, lab.now_ns);
	ck_assert_str_eq(sent(), "4");
	return lab.dp->memory.mirrors[1].pair[out_port];
}

START_TEST(a_copy_that_is_handed_over_is_sent_and_makes_a_pair)
{
	uint16_t pair;

	mirror();
	ck_assert_uint_eq(pair_after_copy(0), 0);
	pair = pair_after_copy(OTHER);
	ck_assert_uint_ne(pair, 0);
	ck_assert(dp_memory_set_has(lab.dp, pair - 1, OTHER) && dp_memory_set_has(lab.dp, pair - 1, TO));
	ck_assert_uint_eq(sets_users(lab.sets, pair - 1), 1);
	ck_assert_uint_eq(pair_after_copy(OTHER), pair);
	ck_assert_uint_eq(sets_users(lab.sets, pair - 1), 1);
	ck_assert_uint_eq(mirrors_counters(lab.mirrors, 1).copies, 3);
}
END_TEST

/* The next one gets the number of one that went, and copies for that may still be in the ring. */
START_TEST(a_copy_for_a_mirror_that_is_gone_is_not_the_next_ones)
{
	struct complaint c;
	uint8_t frame[SIZE];

	mirror();
	make_frame(1, 2, frame);
	dp_memory_mirror(lab.dp, FROM, frame, SIZE, 1, OTHER);
	ck_assert_int_eq(mirrors_remove(lab.mirrors, "br1", "m", &c), 0);
	ck_assert_int_eq(add("n", OTHER, 5, &c), 0);
	upcall_run(up, lab.now_ns);
	ck_assert_str_eq(sent(), "");
	ck_assert_uint_eq(mirrors_counters(lab.mirrors, 1).copies, 0);
	dp_memory_mirror(lab.dp, OTHER, frame, SIZE, 1, FROM);
	upcall_run(up, lab.now_ns);
	ck_assert_str_eq(sent(), "5");
}
END_TEST

START_TEST(a_port_that_takes_no_redirected_frames_has_no_pair)
{
	struct port_state slow = lab.states[OTHER];
	uint16_t pair;

	mirror();
	pair = pair_after_copy(OTHER);
	slow.fast = false;
	lab_port_is(&lab, OTHER, &slow);
	mirrors_check(lab.mirrors);
	ck_assert_uint_eq(lab.dp->memory.mirrors[1].pair[OTHER], 0);
	ck_assert_uint_eq(sets_users(lab.sets, pair - 1), 1);
	ck_assert(mirrors_want_grace(lab.mirrors));
	ck_assert_uint_eq(pair_after_copy(OTHER), 0);
}
END_TEST

/* What went after the period had begun waits for the next one (I1). */
START_TEST(a_pair_is_held_until_a_grace_period_is_over)
{
	struct complaint c;
	uint16_t first, second;

	mirror();
	first = pair_after_copy(OTHER);
	second = pair_after_copy(3);
	pipeline_port_remove(lab.pl, OTHER);
	mirrors_check(lab.mirrors);
	ck_assert(mirrors_want_grace(lab.mirrors));
	mirrors_grace_began(lab.mirrors);
	ck_assert(!mirrors_want_grace(lab.mirrors));
	ck_assert_int_eq(mirrors_remove(lab.mirrors, "br1", "m", &c), 0);
	ck_assert_uint_eq(lab.dp->memory.mirrors[1].pair[3], 0);
	ck_assert_uint_eq(sets_users(lab.sets, first - 1), 1);
	mirrors_grace_ended(lab.mirrors);
	ck_assert_uint_eq(sets_users(lab.sets, first - 1), 0);
	ck_assert_uint_eq(sets_users(lab.sets, second - 1), 1);
	ck_assert(mirrors_want_grace(lab.mirrors));
	mirrors_grace_began(lab.mirrors);
	mirrors_grace_ended(lab.mirrors);
	ck_assert_uint_eq(sets_users(lab.sets, second - 1), 0);
	ck_assert(!mirrors_want_grace(lab.mirrors));
}
END_TEST

START_TEST(a_new_daemon_gives_a_mirror_its_number_and_counters_and_lets_others_go)
{
	struct complaint c;

	mirror();
	ck_assert_int_eq(add("n", OTHER, TO, &c), 0);
	pair_after_copy(OTHER);
	upcall_destroy(up);
	lab_restart(&lab);
	up = upcall_create(lab.dp, lab.pl, lab.fdb, lab.cache, ofbridges_executor(lab.bridges));
	ck_assert_uint_eq(lab.dp->memory.mirrors[1].pair[OTHER], 0);
	ck_assert_uint_eq(lab.dp->memory.mirrors[1].port, TO); /* copies go on */
	ck_assert_int_eq(add("n", OTHER, TO, &c), 0);
	ck_assert_str_eq(lab.dp->memory.mirrors[2].name, "n");
	mirrors_restored(lab.mirrors);
	ck_assert_uint_eq(lab.dp->memory.mirrors[1].port, 0);
	ck_assert_uint_eq(lab.dp->memory.mirrors[2].port, TO);
	ck_assert_int_eq(add("x", FROM, TO, &c), 0);
	ck_assert_uint_eq(mirrors_counters(lab.mirrors, 1).copies, 0);
}
END_TEST

START_TEST(of_a_sample_the_daemon_sends_so_many)
{
	struct mirror_config wanted = config("m", FROM, TO);
	struct complaint c;
	uint8_t frame[SIZE];
	uint64_t copies;

	wanted.sample = 10;
	ck_assert_int_eq(mirrors_add(lab.mirrors, &wanted, &c), 0);
	make_frame(1, 2, frame);
	for (int i = 0; i < 10000; i++)
		mirrors_send(lab.mirrors, 1, frame, SIZE);
	copies = mirrors_counters(lab.mirrors, 1).copies;
	ck_assert_uint_ge(copies, 850);
	ck_assert_uint_le(copies, 1150);
}
END_TEST

/* ---- of what leaves, and of VLANs ---- */

static void add_as(const char *name, const char *from, const char *out_of, const char *vlans, const char *to)
{
	struct mirror_config c = {.bridge = "br1", .sample = 1};
	struct complaint complaint;

	snprintf(c.name, sizeof(c.name), "%s", name);
	snprintf(c.to, sizeof(c.to), "%s", to);
	for (const char *p = from; *p; p += 2)
		snprintf(c.from.name[c.from.n++], SW_NAME_SIZE, "%.2s", p);
	for (const char *p = out_of; *p; p += 2)
		snprintf(c.out_of.name[c.out_of.n++], SW_NAME_SIZE, "%.2s", p);
	ck_assert(!*vlans || vlan_set_parse(vlans, &c.vlans));
	ck_assert_msg(!mirrors_add(lab.mirrors, &c, &complaint), "%s", complaint.text);
	cache_settle(lab.cache, lab.now_ns);
}

/* Of a frame from p1 to p2 that comes up, with the rule; "normal": none. */
static const struct copy_case {
	const char *from, *out_of, *rule, *sent, *steps;
} copy_cases[] = {
	{"", "p2", "", "4 2 3 5", "normal,broadcast:p1+p2+p3+p5"}, /* the copy stands where the port's does */
	{"", "p2p3", "", "4 2 3 5", "normal,broadcast:p1+p2+p3+p5"},
	{"p1", "p2p3", "", "4 2 3 5", "mirror:m,normal,broadcast:p1+p2+p3+p5"},
	{"", "p1", "", "2 3 5", "normal,broadcast:p1+p2+p3+p5"},
	{"", "p2", "2", "4 2", "mirror_out:m,output:p2"},
	{"", "p2", "3", "3", "output:p3"},
	{"p1", "p2", "2", "4 2", "mirror:m,output:p2"},
	{"", "p2p3", "2 3", "4 2 3", "mirrors,broadcast:p2+p3"},
	{"", "p2", "2 2", "4 2 2", "upcall:action"},
	{"", "p2", "drop", "", "drop:rule"},
};

START_TEST(what_leaves_is_copied_once)
{
	const struct copy_case *c = &copy_cases[_i];
	struct action list[2] = {{.type = ACTION_OUTPUT}, {.type = ACTION_OUTPUT}};
	struct actions actions = {.list = list};
	struct flow_match all = {0};
	uint8_t frame[SIZE];

	add_as("m", c->from, c->out_of, "", "p4");
	for (const char *p = c->rule; *p >= '0' && *p <= '9'; p += p[1] ? 2 : 1)
		list[actions.n++].arg = (uint32_t)(*p - '0');
	if (*c->rule)
		ck_assert_int_eq(pipeline_rule_put(lab.pl, 1, &all, 9, &actions, NULL), 0);
	cache_settle(lab.cache, lab.now_ns);
	make_frame(1, 2, frame);
	ck_assert_str_eq(arrive(FROM, frame), "");
	ck_assert_str_eq(sent(), c->sent);
	ck_assert_str_eq(arrive(FROM, frame), c->steps);
	ck_assert_uint_eq(mirrors_counters(lab.mirrors, 1).copies, c->sent[0] == '4');
}
END_TEST

/* The program does not know who gets one of a frame that has gone its way. */
START_TEST(of_one_that_is_handed_over_for_all_the_daemon_finds_out)
{
	uint8_t frame[SIZE];

	add_as("m", "p1", "", "", "p4");
	add_as("n", "", "p2p3", "", "p5");
	make_frame(1, 2, frame);
	dp_memory_mirror(lab.dp, FROM, frame, SIZE, SW_TOLD_MIRRORS, 0);
	upcall_run(up, lab.now_ns);
	ck_assert_str_eq(sent(), "4 5");
	dp_memory_mirror(lab.dp, FROM, frame, SIZE, SW_TOLD_MIRRORS, SW_TOLD_ENDED);
	upcall_run(up, lab.now_ns);
	ck_assert_str_eq(sent(), "4"); /* of what its meter has ended nothing has left */
	ck_assert_uint_eq(counters_read_drop(&lab.dp->memory, FROM, SW_DROP_NO_OUTPUT), 0);
	ck_assert_uint_eq(fdb_count(lab.fdb, 1), 0); /* nor is anything learned from a copy */
}
END_TEST

START_TEST(a_vlan_is_a_condition)
{
	struct vlan_config access = {.mode = VLAN_ACCESS, .vid = 7};
	uint8_t frame[SIZE];

	add_as("m", "", "", "7", "p4");
	make_frame(1, 2, frame);
	arrive(FROM, frame);
	ck_assert_str_eq(sent(), "2 3 5");
	ck_assert_str_eq(arrive(FROM, frame), "normal,broadcast:p1+p2+p3+p5");
	lab_port_vlan(&lab, FROM, &access);
	cache_settle(lab.cache, lab.now_ns);
	lab_port_vlan(&lab, OTHER, &access);
	cache_settle(lab.cache, lab.now_ns);
	cache_flush(lab.cache);
	arrive(FROM, frame);
	ck_assert_int_eq(sent()[0], '4');
	ck_assert(!strncmp(arrive(FROM, frame), "mirror:m,normal:7,", strlen("mirror:m,normal:7,")));
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("all");
	Suite *suite = suite_create("mirrors");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, what_would_copy_copies_is_refused);
	tcase_add_test(t, no_more_than_there_is_room_for);
	tcase_add_test(t, a_frame_that_comes_up_is_copied_and_forwarded);
	tcase_add_test(t, what_is_dropped_is_copied_and_dropped);
	tcase_add_loop_test(t, what_may_go_up_behind_its_copy_is_the_daemons, 0, 2);
	tcase_add_test(t, what_comes_in_by_its_port_goes_nowhere);
	tcase_add_test(t, flows_follow_a_mirror_that_comes_and_goes);
	tcase_add_test(t, a_copy_that_is_handed_over_is_sent_and_makes_a_pair);
	tcase_add_test(t, a_copy_for_a_mirror_that_is_gone_is_not_the_next_ones);
	tcase_add_test(t, a_port_that_takes_no_redirected_frames_has_no_pair);
	tcase_add_test(t, a_pair_is_held_until_a_grace_period_is_over);
	tcase_add_test(t, a_new_daemon_gives_a_mirror_its_number_and_counters_and_lets_others_go);
	tcase_add_test(t, of_a_sample_the_daemon_sends_so_many);
	tcase_add_loop_test(t, what_leaves_is_copied_once, 0, sizeof(copy_cases) / sizeof(copy_cases[0]));
	tcase_add_test(t, of_one_that_is_handed_over_for_all_the_daemon_finds_out);
	tcase_add_test(t, a_vlan_is_a_condition);
	suite_add_tcase(suite, t);
	return run_suite(suite);
}
