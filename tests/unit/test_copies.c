/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of copies: from when they can be had, what is shared and for how long, and what a next daemon takes over. */
#include "dataplane/copies.h"

#include "dataplane/complaint.h"
#include "dataplane/ofbridge.h"
#include "dataplane/table.h"
#include "tests/unit/cache_lab.h"
#include "tests/unit/suite.h"

#include <errno.h>

static struct lab lab;
static struct copies *copies;

static void look_again(void)
{
	copies = sets_copies(lab.sets);
}

static void open_lab(void)
{
	lab_open(&lab, 64, 6);
	dp_memory_end_grace_at_once(lab.dp, false);
	look_again();
}

static void close_lab(void)
{
	lab_close(&lab);
}

/* ---- lists ---- */

/* What a rule with these actions answers to what comes in by p1. */
static const struct xlate *answer_of(const char *text)
{
	struct flow_names names = pipeline_of_names(pipeline_bridge(lab.pl, 1));
	struct instructions rest = {.goes_on = false};
	struct flow_mod mod = {.priority = 9, .out_port = OF_PORT_ANY, .out_group = GROUP_ANY};
	struct sw_key key = lab_key(1, 1, 2);
	struct complaint complaint = {""};
	struct action list[40];
	struct actions actions, none = {0};

	ck_assert_msg(!actions_parse(text, &names, list, 40, &actions, &complaint), "'%s': %s", text, complaint.text);
	mod.instructions = instructions_create(&rest, &actions, &none);
	ck_assert_int_eq(ofbridge_flow_mod(ofbridges_get(lab.bridges, 1), &mod), OF_OK);
	free(mod.instructions);
	translate(lab.pl, &key, NULL, &lab.answer);
	ck_assert_msg(lab.answer.copies, "'%s': %s", text, lab.answer.in_daemon);
	return &lab.answer;
}

static uint32_t get(const char *text)
{
	return copies_get(copies, answer_of(text));
}

static void let_grace_pass(void)
{
	cache_settle(lab.cache, lab.now_ns);
	lab_let_grace_pass(&lab);
}

/* As get(), of ports that are followed by then. */
static uint32_t get_at_last(const char *text)
{
	uint32_t id = get(text);

	if (id == SW_MAX_COPIES) {
		let_grace_pass();
		id = get(text);
	}
	ck_assert_uint_lt(id, SW_MAX_COPIES);
	return id;
}

static const char *format(uint32_t id)
{
	static char text[1000];

	program_format(
		lab.pl, lab.sets, &(struct sw_step){.op = SW_OP_COPIES, .arg = (uint16_t)id}, 1, text, sizeof(text));
	return text;
}

/* ---- when ---- */

START_TEST(a_list_can_be_had_when_a_grace_period_has_passed_since_its_ports_are_followed)
{
	ck_assert_uint_eq(get("output:2,pop_vlan,output:3"), SW_MAX_COPIES);
	ck_assert(copies_want_grace(copies) && !dp_memory_is_followed(lab.dp, 2));
	ck_assert_uint_eq(get("output:2,pop_vlan,output:3"), SW_MAX_COPIES);
	copies_grace_began(copies);
	ck_assert(!copies_want_grace(copies));
	ck_assert_uint_eq(get("output:2,pop_vlan,output:4"), SW_MAX_COPIES); /* 4 came too late for this one */
	ck_assert(copies_want_grace(copies));
	ck_assert(copies_grace_ended(copies));
	ck_assert(dp_memory_is_followed(lab.dp, 2) && dp_memory_is_followed(lab.dp, 3));
	ck_assert(!dp_memory_is_followed(lab.dp, 4));
	ck_assert_uint_lt(get("output:2,pop_vlan,output:3"), SW_MAX_COPIES);
	ck_assert_uint_eq(get("output:2,pop_vlan,output:4"), SW_MAX_COPIES);
	ck_assert(!copies_grace_ended(copies));
	copies_grace_began(copies);
	ck_assert(copies_grace_ended(copies));
	ck_assert_uint_lt(get("output:2,pop_vlan,output:4"), SW_MAX_COPIES);
	ck_assert(!copies_want_grace(copies));
}
END_TEST

START_TEST(the_cache_lets_the_grace_period_pass)
{
	struct sw_key key = lab_key(1, 1, 2);

	answer_of("output:2,dec_ttl,output:3");
	ck_assert_int_eq(lab_miss(&lab, &key), 0);
	ck_assert_int_eq(lab_hit(&lab, &key).flow->steps[0].op, SW_OP_UPCALL);
	let_grace_pass();
	cache_settle(lab.cache, lab.now_ns);
	ck_assert_int_eq(lab_hit(&lab, &key).flow->steps[0].op, SW_OP_COPIES);
}
END_TEST

/* ---- sharing ---- */

START_TEST(equal_lists_share_an_id_and_others_do_not)
{
	uint32_t id = get_at_last("output:2,pop_vlan,output:3");

	ck_assert_str_eq(format(id), "copies:[output:p2; pop_vlan,output:p3]");
	ck_assert_uint_eq(get("output:2,pop_vlan,output:3"), id);
	ck_assert_uint_eq(copies_users(copies, id), 2);
	ck_assert_uint_ne(get("output:3,pop_vlan,output:2"), id);
	ck_assert_uint_ne(get("output:2,dec_ttl,output:3"), id);
	ck_assert_int_eq(copies_hold(copies, id), 0);
	ck_assert_uint_eq(copies_users(copies, id), 3);
	ck_assert_int_eq(copies_hold(copies, 1000), -ENOENT);
	ck_assert_int_eq(copies_hold(copies, SW_MAX_COPIES), -ENOENT);
}
END_TEST

START_TEST(a_list_goes_with_its_last_user_and_with_it_what_it_held)
{
	uint32_t id = get_at_last("output:2,pop_vlan,output:3"), set = lab.dp->memory.copies[id].set;
	uint32_t rewrite = lab.dp->memory.copies[id].rewrite[3] - 1u;

	copies_hold(copies, id);
	ck_assert_uint_eq(sets_users(lab.sets, set), 1);
	ck_assert_uint_eq(rewrites_users(sets_rewrites(lab.sets), rewrite), 1);
	copies_drop(copies, id);
	ck_assert(copies_exist(copies, id));
	copies_drop(copies, id);
	ck_assert(!copies_exist(copies, id));
	ck_assert_uint_eq(sets_users(lab.sets, set), 0);
	ck_assert_uint_eq(rewrites_users(sets_rewrites(lab.sets), rewrite), 0);
}
END_TEST

START_TEST(what_must_be_known_of_a_frame_before_is_what_any_copy_needs)
{
	uint32_t id = get_at_last("push_vlan:0x8100,output:2,pop_vlan,dec_ttl,dec_ttl,output:3,IN_PORT");
	const struct sw_copies *list = &lab.dp->memory.copies[id];

	ck_assert_uint_eq(list->n_copies, 3);
	ck_assert_uint_eq(list->all.growth, 4);
	ck_assert_uint_eq(list->all.looks & SW_LOOK_TTL, SW_LOOK_TTL);
	ck_assert_uint_eq(list->all.ttl_least[0], 3);
	ck_assert_uint_eq(list->all.n_edits, 0);
	id = get_at_last("dec_ttl,output:3,dec_ttl,output:2");
	lab_restart(&lab); /* which works it out port by port */
	look_again();
	ck_assert(copies_exist(copies, id));
	ck_assert_uint_eq(lab.dp->memory.copies[id].all.ttl_least[0], 3);
}
END_TEST

START_TEST(when_all_are_held_there_is_no_other)
{
	char text[100];

	get_at_last("output:2,dec_ttl,output:3");
	for (int i = 1; i < SW_MAX_COPIES; i++) {
		snprintf(text, sizeof(text), "output:2,set_field:02:00:00:00:%02x:%02x->eth_dst,output:3", i >> 8,
			i & 255);
		must(get(text) != SW_MAX_COPIES);
	}
	ck_assert_uint_eq(get("output:2,pop_vlan,output:3"), SW_MAX_COPIES);
	copies_drop(copies, 17);
	ck_assert_uint_eq(get("output:2,pop_vlan,output:3"), 17);
}
END_TEST

/* ---- a daemon's next life ---- */

START_TEST(a_next_daemon_finds_what_is_there)
{
	uint32_t id = get_at_last("output:2,pop_vlan,output:3"), other = get("output:3,pop_vlan,output:2");
	const struct sw_copies *list = &lab.dp->memory.copies[id];

	lab_restart(&lab);
	look_again();
	ck_assert_str_eq(format(id), "copies:[output:p2; pop_vlan,output:p3]");
	ck_assert_uint_eq(copies_users(copies, id), 1);              /* until a grace period has ended */
	ck_assert_uint_eq(get("output:3,pop_vlan,output:2"), other); /* its ports are followed */
	lab_settle(&lab);
	lab_let_grace_pass(&lab);
	ck_assert(!copies_exist(copies, id));
	ck_assert_uint_eq(copies_users(copies, other), 1);
	ck_assert_uint_eq(rewrites_users(sets_rewrites(lab.sets), list->rewrite[3] - 1u), 1);
}
END_TEST

/* Such a list is still in use where rules are not back yet, and the device may be before them. */
START_TEST(a_next_daemon_follows_a_port_whose_device_was_gone)
{
	uint32_t id = get_at_last("output:2,pop_vlan,output:3");

	lab.dp->ops->port_remove(lab.dp, 3);
	lab_die(&lab);
	look_again();
	ck_assert(copies_exist(copies, id));
	ck_assert(dp_memory_is_followed(lab.dp, 3) && dp_memory_is_followed(lab.dp, 2));
	ck_assert(!dp_memory_is_followed(lab.dp, 4));
	lab_cache(&lab);
}
END_TEST

/* Nor does a next daemon know of a flow of a set for whom it takes tags off. */
START_TEST(a_next_daemon_follows_a_member_whose_device_was_gone)
{
	struct port_set members = {0};
	uint32_t set;

	port_set_add(&members, 2);
	port_set_add(&members, 3);
	set = sets_get(lab.sets, &members);
	lab.dp->ops->port_remove(lab.dp, 3);
	lab_die(&lab);
	look_again();
	ck_assert(sets_exist(lab.sets, set));
	ck_assert(dp_memory_is_followed(lab.dp, 3) && !dp_memory_is_followed(lab.dp, 2));
	ck_assert(copies_follow(sets_copies(lab.sets), 3));
	ck_assert(!copies_want_grace(sets_copies(lab.sets)));
	lab_cache(&lab);
}
END_TEST

static void no_such_set(struct sw_copies *list)
{
	list->set = 77;
}

static void no_such_rewrite(struct sw_copies *list)
{
	list->rewrite[3] = 4001;
}

static void a_rewrite_of_no_member(struct sw_copies *list)
{
	list->rewrite[5] = list->rewrite[3];
}

static void a_copy_too_many(struct sw_copies *list)
{
	list->n_copies++;
}

static void a_look_too_few(struct sw_copies *list)
{
	list->all.looks = 0;
}

static void a_ttl_too_low(struct sw_copies *list)
{
	list->all.ttl_least[0] = 1;
}

static void (*const damages[])(struct sw_copies *list) = {
	no_such_set, no_such_rewrite, a_rewrite_of_no_member, a_copy_too_many, a_look_too_few, a_ttl_too_low};

START_TEST(what_contradicts_itself_goes)
{
	uint32_t id = get_at_last("output:2,dec_ttl,output:3");

	damages[_i](&lab.dp->memory.copies[id]);
	lab_restart(&lab);
	look_again();
	ck_assert(!copies_exist(copies, id));
}
END_TEST

START_TEST(of_two_that_are_the_same_one_goes)
{
	uint32_t id = get_at_last("output:2,dec_ttl,output:3");

	lab.dp->memory.copies[id + 1] = lab.dp->memory.copies[id];
	lab_restart(&lab);
	look_again();
	ck_assert(copies_exist(copies, id) && !copies_exist(copies, id + 1));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("copies");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, open_lab, close_lab);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_list_can_be_had_when_a_grace_period_has_passed_since_its_ports_are_followed);
	tcase_add_test(t, the_cache_lets_the_grace_period_pass);
	tcase_add_test(t, equal_lists_share_an_id_and_others_do_not);
	tcase_add_test(t, a_list_goes_with_its_last_user_and_with_it_what_it_held);
	tcase_add_test(t, what_must_be_known_of_a_frame_before_is_what_any_copy_needs);
	tcase_add_test(t, when_all_are_held_there_is_no_other);
	tcase_add_test(t, a_next_daemon_finds_what_is_there);
	tcase_add_test(t, a_next_daemon_follows_a_port_whose_device_was_gone);
	tcase_add_test(t, a_next_daemon_follows_a_member_whose_device_was_gone);
	tcase_add_loop_test(t, what_contradicts_itself_goes, 0, sizeof(damages) / sizeof(damages[0]));
	tcase_add_test(t, of_two_that_are_the_same_one_goes);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return run_suite(suite());
}
