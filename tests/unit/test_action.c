/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/action.h"
#include "dataplane/complaint.h"

#include "tests/unit/seeded.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_ROUND_TRIPS 50000
#define N_HOSTILE     200000
#define LIST_SIZE     16

static const char *name_of(const void *ctx, uint32_t number)
{
	return number == 7 ? "p1" : number == 8 ? "9" : NULL;
}

static uint32_t number_of(const void *ctx, const char *name)
{
	return !strcmp(name, "p1") ? 7 : !strcmp(name, "9") ? 8 : 0;
}

static const struct flow_names names = {.name_of = name_of, .number_of = number_of};

#define VALUE(...)                                                                                                     \
	{                                                                                                              \
		__VA_ARGS__                                                                                            \
	}

/* A row for each action and each kind of argument. */
static const struct {
	const char *text;
	struct action action;
} golden[] = {
	{"output:p1", {.type = ACTION_OUTPUT, .arg = 7}},
	{"output:5", {.type = ACTION_OUTPUT, .arg = 5}},
	{"output:4294967040", {.type = ACTION_OUTPUT, .arg = OF_PORT_MAX}},
	{"IN_PORT", {.type = ACTION_OUTPUT, .arg = OF_PORT_IN_PORT}},
	{"TABLE", {.type = ACTION_OUTPUT, .arg = OF_PORT_TABLE}},
	{"NORMAL", {.type = ACTION_OUTPUT, .arg = OF_PORT_NORMAL}},
	{"FLOOD", {.type = ACTION_OUTPUT, .arg = OF_PORT_FLOOD}},
	{"ALL", {.type = ACTION_OUTPUT, .arg = OF_PORT_ALL}},
	{"CONTROLLER:65535", {.type = ACTION_OUTPUT, .arg = OF_PORT_CONTROLLER, .max_len = ACTION_MAX_LEN_ALL}},
	{"CONTROLLER:0", {.type = ACTION_OUTPUT, .arg = OF_PORT_CONTROLLER}},
	{"LOCAL", {.type = ACTION_OUTPUT, .arg = OF_PORT_LOCAL}},
	{"copy_ttl_out", {.type = ACTION_COPY_TTL_OUT}},
	{"copy_ttl_in", {.type = ACTION_COPY_TTL_IN}},
	{"set_mpls_ttl:64", {.type = ACTION_SET_MPLS_TTL, .arg = 64}},
	{"dec_mpls_ttl", {.type = ACTION_DEC_MPLS_TTL}},
	{"push_vlan:0x8100", {.type = ACTION_PUSH_VLAN, .arg = 0x8100}},
	{"push_vlan:0x88a8", {.type = ACTION_PUSH_VLAN, .arg = 0x88a8}},
	{"pop_vlan", {.type = ACTION_POP_VLAN}},
	{"push_mpls:0x8848", {.type = ACTION_PUSH_MPLS, .arg = 0x8848}},
	{"pop_mpls:0x0800", {.type = ACTION_POP_MPLS, .arg = 0x0800}},
	{"set_queue:4294967295", {.type = ACTION_SET_QUEUE, .arg = 0xffffffff}},
	{"group:4294967040", {.type = ACTION_GROUP, .arg = 0xffffff00}},
	{"set_nw_ttl:255", {.type = ACTION_SET_NW_TTL, .arg = 255}},
	{"dec_ttl", {.type = ACTION_DEC_NW_TTL}},
	{"push_pbb:0x88e7", {.type = ACTION_PUSH_PBB, .arg = 0x88e7}},
	{"pop_pbb", {.type = ACTION_POP_PBB}},
	{"set_field:10->vlan_vid", {.type = ACTION_SET_FIELD, .field = FIELD_VLAN_VID, .value = VALUE(0x10, 0x0a)}},
	{"set_field:46->ip_dscp", {.type = ACTION_SET_FIELD, .field = FIELD_IP_DSCP, .value = VALUE(46)}},
	{"set_field:8->icmp_type", {.type = ACTION_SET_FIELD, .field = FIELD_ICMP_TYPE, .value = VALUE(8)}},
	{"set_field:0x0800->eth_type", {.type = ACTION_SET_FIELD, .field = FIELD_ETH_TYPE, .value = VALUE(8, 0)}},
	{"set_field:02:00:00:00:00:01->eth_dst",
		{.type = ACTION_SET_FIELD, .field = FIELD_ETH_DST, .value = VALUE(2, 0, 0, 0, 0, 1)}},
	{"set_field:10.1.2.3->ip_src",
		{.type = ACTION_SET_FIELD, .field = FIELD_IPV4_SRC, .value = VALUE(10, 1, 2, 3)}},
	{"set_field:fe80::1->nd_target", {.type = ACTION_SET_FIELD,
						 .field = FIELD_ND_TARGET,
						 .value = VALUE(0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)}},
	{"set_field:0x123456789abcdef0->tunnel_id",
		{.type = ACTION_SET_FIELD,
			.field = FIELD_TUNNEL_ID,
			.value = VALUE(0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0)}},
	{"set_field:1000->mpls_label",
		{.type = ACTION_SET_FIELD, .field = FIELD_MPLS_LABEL, .value = VALUE(0, 0, 3, 0xe8)}},
	{"set_field:70000->pbb_isid",
		{.type = ACTION_SET_FIELD, .field = FIELD_PBB_ISID, .value = VALUE(1, 0x11, 0x70)}},
};

#define N_GOLDEN (int)(sizeof(golden) / sizeof(golden[0]))

static struct actions parse(const char *text, struct action *list)
{
	struct complaint complaint = {""};
	struct actions actions;

	ck_assert_msg(
		!actions_parse(text, &names, list, LIST_SIZE, &actions, &complaint), "%s: %s", text, complaint.text);
	return actions;
}

START_TEST(each_action_is_read_and_printed_again)
{
	struct action list[LIST_SIZE];
	struct actions actions = parse(golden[_i].text, list);
	char text[256];

	ck_assert_uint_eq(actions.n, 1);
	ck_assert_ptr_eq(actions.list, list);
	ck_assert_mem_eq(&list[0], &golden[_i].action, sizeof(list[0]));
	ck_assert_uint_eq(actions_format(&actions, &names, text, sizeof(text)), strlen(golden[_i].text));
	ck_assert_str_eq(text, golden[_i].text);
}
END_TEST

START_TEST(the_table_above_has_every_action)
{
	bool seen[N_ACTIONS] = {false};

	for (int i = 0; i < N_GOLDEN; i++)
		seen[golden[i].action.type] = true;
	for (int i = 0; i < N_ACTIONS; i++)
		ck_assert_msg(seen[i], "%s", action_row(i)->word);
}
END_TEST

START_TEST(an_action_set_has_a_place_for_each_action)
{
	/* OF 1.3.5 §5.10, first to last. */
	static const struct {
		enum action_type type;
		int place;
	} places[] = {
		{ACTION_COPY_TTL_IN, 1},
		{ACTION_POP_VLAN, 2},
		{ACTION_POP_MPLS, 2},
		{ACTION_POP_PBB, 2},
		{ACTION_PUSH_MPLS, 3},
		{ACTION_PUSH_PBB, 4},
		{ACTION_PUSH_VLAN, 5},
		{ACTION_COPY_TTL_OUT, 6},
		{ACTION_DEC_NW_TTL, 7},
		{ACTION_DEC_MPLS_TTL, 7},
		{ACTION_SET_FIELD, 8},
		{ACTION_SET_QUEUE, 9},
		{ACTION_GROUP, 10},
		{ACTION_OUTPUT, 11},
	};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		ck_assert_int_eq(action_row(places[i].type)->place, places[i].place);
}
END_TEST

/* Text that prints differently from how it was written. */
static const struct {
	const char *text, *printed;
} spellings[] = {
	{"drop", "drop"},
	{"normal", "NORMAL"},
	{"output:LOCAL", "LOCAL"},
	{"output:7", "output:p1"},
	{"output:9", "output:9"}, /* the port of that name, number 8 */
	{"output:09", "output:0x9"},
	{"controller", "CONTROLLER:65535"},
	{"CONTROLLER:128", "CONTROLLER:128"},
	{"push_vlan:33024", "push_vlan:0x8100"},
	{"set_mpls_ttl(9)", "set_mpls_ttl:9"},
	{"set_field:0x0a->vlan_vid", "set_field:10->vlan_vid"},
	{"set_field:::1->ipv6_src,dec_ttl,group:7", "set_field:::1->ipv6_src,dec_ttl,group:7"},
	{"output:p1,output:p1,NORMAL", "output:p1,output:p1,NORMAL"},
};

START_TEST(a_spelling_is_printed_in_its_plain_form)
{
	struct action list[LIST_SIZE];
	struct actions actions = parse(spellings[_i].text, list);
	char text[256];

	actions_format(&actions, &names, text, sizeof(text));
	ck_assert_str_eq(text, spellings[_i].printed);
}
END_TEST

START_TEST(no_actions_are_a_drop)
{
	struct action list[LIST_SIZE];

	ck_assert_uint_eq(parse("drop", list).n, 0);
}
END_TEST

START_TEST(a_port_without_a_name_is_a_number)
{
	struct action action = {.type = ACTION_OUTPUT, .arg = 7};
	struct actions actions = {1, &action};
	char text[64];

	actions_format(&actions, NULL, text, sizeof(text));
	ck_assert_str_eq(text, "output:7");
}
END_TEST

/* Refused text, and a word that the complaint must hold. */
static const struct {
	const char *text, *word;
} refused[] = {
	{"", "''"},
	{",", "''"},
	{"NORMAL,", "''"},
	{"drop,NORMAL", "'drop'"},
	{"NORMAL,drop", "'drop'"},
	{"mirror:p1", "'mirror'"},
	{"output", "output:PORT"},
	{"output:", "''"},
	{"output:p2", "'p2'"},
	{"output:0", "'0'"},
	{"output:4294967041", "'4294967041'"},
	{"output:4294967295", "'4294967295'"},
	{"output:-1", "'-1'"},
	{"NORMAL:5", "expected NORMAL alone"},
	{"output:NORMAL:5", "'NORMAL:5'"},
	{"CONTROLLER:65536", "'65536'"},
	{"CONTROLLER:x", "'x'"},
	{"pop_vlan:1", "expected pop_vlan alone"},
	{"push_vlan", "push_vlan:ETHERTYPE"},
	{"push_vlan:0x9100", "0x8100 or 0x88a8"},
	{"push_mpls:0x0800", "0x8847 or 0x8848"},
	{"push_pbb:0x88a8", "expected 0x88e7"},
	{"pop_mpls:65536", "65535"},
	{"set_nw_ttl:256", "255"},
	{"group:4294967041", "4294967040"},
	{"set_queue:4294967296", "4294967295"},
	{"set_mpls_ttl(9", "'set_mpls_ttl(9'"},
	{"set_mpls_ttl()", "''"},
	{"set_field", "VALUE->FIELD"},
	{"set_field:10", "VALUE->FIELD"},
	{"set_field:10->", "no such field"},
	{"set_field:10->vlan_vib", "'vlan_vib'"},
	{"set_field:1->in_port", "cannot be set"},
	{"set_field:1->metadata", "cannot be set"},
	{"set_field:::->l3_src", "cannot be set"},
	{"set_field:64->ip_dscp", "63"},
	{"set_field:none->vlan_vid", "pop_vlan"},
	{"set_field:10/15->ip_dscp", "without a mask"},
	{"set_field:1.2.3->ip_src", "1.2.3"},
	{"set_field:256->icmp_code", "255"},
	{"NORMAL,NORMAL,NORMAL,NORMAL,NORMAL,NORMAL,NORMAL,NORMAL,NORMAL,NORMAL,NORMAL,NORMAL,NORMAL,NORMAL,NORMAL,"
	 "NORMAL,NORMAL",
		"more than 16 actions"},
	{"output:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		"longer"},
};

START_TEST(bad_text_is_refused_with_the_word_at_fault)
{
	struct action list[LIST_SIZE];
	struct actions actions = {77, NULL};
	struct complaint complaint = {""};

	ck_assert_msg(actions_parse(refused[_i].text, &names, list, LIST_SIZE, &actions, &complaint) == -EINVAL,
		"took '%s'", refused[_i].text);
	ck_assert_msg(strstr(complaint.text, refused[_i].word), "'%s': the complaint '%s' lacks '%s'", refused[_i].text,
		complaint.text, refused[_i].word);
	ck_assert_uint_eq(actions.n, 77);
	ck_assert_ptr_null(actions.list);
	ck_assert_int_eq(actions_parse(refused[_i].text, NULL, list, LIST_SIZE, &actions, NULL), -EINVAL);
}
END_TEST

static struct action random_action(struct seeded *random)
{
	struct action action = golden[seeded_below(random, (uint32_t)N_GOLDEN)].action;
	uint8_t value[16];

	if (action.type == ACTION_OUTPUT && action.arg <= OF_PORT_MAX)
		action.arg = 10 + seeded_below(random, 100); /* 9 is what port 8 is named */
	if (action.type == ACTION_OUTPUT && action.arg == OF_PORT_CONTROLLER)
		action.max_len = (uint16_t)seeded_next(random);
	if (action.type == ACTION_SET_QUEUE)
		action.arg = (uint32_t)seeded_next(random);
	if (action.type == ACTION_SET_FIELD) {
		struct flow flow = {0};

		do
			action.field = (uint8_t)seeded_below(random, N_FIELDS);
		while (!field_row(action.field)->settable);
		for (size_t i = 0; i < sizeof(value); i++)
			value[i] = (uint8_t)seeded_next(random);
		if (action.field == FIELD_VLAN_VID)
			value[0] |= 0x10;
		field_write(action.field, &flow, value);
		memset(action.value, 0, sizeof(action.value));
		field_read(action.field, &flow, action.value);
	}
	return action;
}

START_TEST(random_actions_survive_being_printed_and_read)
{
	struct seeded random = seeded_start();

	for (int i = 0; i < N_ROUND_TRIPS; i++) {
		const struct flow_names *use = i % 2 ? &names : NULL;
		struct action list[LIST_SIZE], again_list[LIST_SIZE];
		struct actions actions = {seeded_below(&random, LIST_SIZE + 1), list}, again;
		struct complaint complaint = {""};
		char text[LIST_SIZE * 100];

		for (uint32_t a = 0; a < actions.n; a++)
			list[a] = random_action(&random);
		ck_assert_uint_lt(actions_format(&actions, use, text, sizeof(text)), sizeof(text));
		ck_assert_msg(!actions_parse(text, use, again_list, LIST_SIZE, &again, &complaint),
			"seed %#lx: '%s': %s", random.seed, text, complaint.text);
		ck_assert_msg(again.n == actions.n && !memcmp(list, again_list, actions.n * sizeof(list[0])),
			"seed %#lx: '%s' reads differently", random.seed, text);
		ck_assert(actions_equal(&actions, &again));
	}
}
END_TEST

START_TEST(text_that_does_not_fit_is_cut_and_its_length_told)
{
	struct action list[LIST_SIZE];
	struct actions actions = parse("output:p1,set_field:10.1.2.3->ip_src,NORMAL", list);
	char whole[256], cut[256];
	size_t length = actions_format(&actions, &names, whole, sizeof(whole));

	ck_assert_uint_eq(length, strlen(whole));
	for (size_t size = 0; size <= length; size++) {
		memset(cut, 'x', sizeof(cut));
		ck_assert_uint_eq(actions_format(&actions, &names, cut, size), length);
		ck_assert_int_eq(cut[size], 'x');
		if (size)
			ck_assert(strlen(cut) == size - 1 && !strncmp(cut, whole, size - 1));
	}
}
END_TEST

START_TEST(hostile_text_is_read_or_refused)
{
	static const char spice[] = ",=/:.->()0123456789abcdefxpnone\x01\xff \t%s";
	struct seeded random = seeded_start();
	int n_taken = 0;

	for (int i = 0; i < N_HOSTILE; i++) {
		struct action list[LIST_SIZE], again_list[LIST_SIZE];
		struct actions actions, again;
		struct complaint complaint;
		char text[512], printed[1024];
		size_t length = (size_t)snprintf(text, sizeof(text), "%s,%s",
			golden[seeded_below(&random, (uint32_t)N_GOLDEN)].text,
			golden[seeded_below(&random, (uint32_t)N_GOLDEN)].text);

		for (uint32_t n = seeded_below(&random, 4); n; n--)
			text[seeded_below(&random, (uint32_t)length)] = spice[seeded_below(&random, sizeof(spice))];
		if (actions_parse(text, &names, list, LIST_SIZE, &actions, &complaint))
			continue;
		n_taken++;
		actions_format(&actions, &names, printed, sizeof(printed));
		ck_assert_msg(!actions_parse(printed, &names, again_list, LIST_SIZE, &again, &complaint),
			"seed %#lx: '%s' printed as '%s': %s", random.seed, text, printed, complaint.text);
		ck_assert_msg(
			actions_equal(&actions, &again), "seed %#lx: '%s' printed as '%s'", random.seed, text, printed);
	}
	ck_assert_msg(n_taken > N_HOSTILE / 100, "seed %#lx: only %d texts were good", random.seed, n_taken);
}
END_TEST

START_TEST(lists_differ_by_what_an_action_means)
{
	static const struct {
		const char *a, *b;
	} differ[] = {
		{"drop", "NORMAL"},
		{"NORMAL", "NORMAL,NORMAL"},
		{"output:1", "output:2"},
		{"CONTROLLER:1", "CONTROLLER:2"},
		{"pop_vlan", "pop_pbb"},
		{"group:1", "set_queue:1"},
		{"push_vlan:0x8100", "push_vlan:0x88a8"},
		{"set_field:1->ip_dscp", "set_field:2->ip_dscp"},
		{"set_field:1->ip_dscp", "set_field:1->ip_ecn"},
		{"set_field:fe80::1->nd_target", "set_field:fe80::2->nd_target"},
		{"output:1,output:2", "output:2,output:1"},
	};
	struct action list_a[LIST_SIZE], list_b[LIST_SIZE];

	for (size_t i = 0; i < sizeof(differ) / sizeof(differ[0]); i++) {
		struct actions a = parse(differ[i].a, list_a), b = parse(differ[i].b, list_b);

		ck_assert_msg(!actions_equal(&a, &b), "%s and %s", differ[i].a, differ[i].b);
		ck_assert(actions_equal(&a, &a));
	}
}
END_TEST

START_TEST(bytes_that_an_action_does_not_use_make_no_difference)
{
	struct action a[] = {{.type = ACTION_OUTPUT, .arg = 7, .max_len = 5}, {.type = ACTION_POP_VLAN, .arg = 3},
		{.type = ACTION_SET_FIELD, .field = FIELD_IP_ECN, .value = VALUE(1, 9), .arg = 4}};
	struct action b[] = {{.type = ACTION_OUTPUT, .arg = 7}, {.type = ACTION_POP_VLAN},
		{.type = ACTION_SET_FIELD, .field = FIELD_IP_ECN, .value = VALUE(1)}};
	struct actions list_a = {3, a}, list_b = {3, b};

	ck_assert(actions_equal(&list_a, &list_b));
}
END_TEST

/* ---- instructions ---- */

static struct instructions *make(const struct instructions *rest, const char *apply, const char *write)
{
	struct action apply_list[LIST_SIZE], write_list[LIST_SIZE];
	struct actions applied = parse(apply, apply_list), written = parse(write, write_list);
	struct instructions *instructions = instructions_create(rest, &applied, &written);

	ck_assert_ptr_nonnull(instructions);
	return instructions;
}

static const struct {
	struct instructions rest;
	const char *apply, *write, *text;
} shown[] = {
	{{0}, "drop", "drop", "drop"},
	{{0}, "NORMAL", "drop", "NORMAL"},
	{{.clear_actions = true}, "drop", "drop", "clear_actions"},
	{{0}, "drop", "output:p1,group:3", "write_actions(output:p1,group:3)"},
	{{.goes_on = true, .goto_table = 0}, "output:p1", "drop", "output:p1,goto_table:0"},
	{{.goto_table = 4}, "output:p1", "drop", "output:p1"},
	{{.writes_metadata = true, .metadata = 5, .metadata_mask = UINT64_MAX}, "drop", "drop", "write_metadata:0x5"},
	{{.writes_metadata = true, .metadata = 0xff05, .metadata_mask = 0xff}, "drop", "drop",
		"write_metadata:0x5/0xff"},
	{{.meter = 3,
		 .clear_actions = true,
		 .goes_on = true,
		 .goto_table = 254,
		 .writes_metadata = true,
		 .metadata = 0x10,
		 .metadata_mask = 0xf0},
		"pop_vlan,output:p1", "FLOOD",
		"meter:3,pop_vlan,output:p1,clear_actions,write_actions(FLOOD),write_metadata:0x10/"
		"0xf0,goto_table:254"},
};

#define N_SHOWN (int)(sizeof(shown) / sizeof(shown[0]))

START_TEST(instructions_are_shown_in_the_order_in_which_they_are_carried_out)
{
	struct instructions *instructions = make(&shown[_i].rest, shown[_i].apply, shown[_i].write);
	char text[256];

	ck_assert_uint_eq(instructions_format(instructions, &names, text, sizeof(text)), strlen(shown[_i].text));
	ck_assert_str_eq(text, shown[_i].text);
	free(instructions);
}
END_TEST

START_TEST(instructions_own_copies_of_their_actions)
{
	struct action list[LIST_SIZE];
	struct actions applied = parse("pop_vlan,output:p1", list), written = {1, list + 1}, got;
	struct instructions rest = {.meter = 9, .n_apply = 77, .n_write = 78}, *instructions;

	instructions = instructions_create(&rest, &applied, &written);
	memset(list, 0, sizeof(list));
	ck_assert_uint_eq(instructions->meter, 9);
	got = instructions_applied(instructions);
	ck_assert_uint_eq(got.n, 2);
	ck_assert_uint_eq(got.list[0].type, ACTION_POP_VLAN);
	ck_assert_uint_eq(got.list[1].arg, 7);
	got = instructions_written(instructions);
	ck_assert_uint_eq(got.n, 1);
	ck_assert_uint_eq(got.list[0].arg, 7);
	free(instructions);
}
END_TEST

START_TEST(instructions_are_equal_if_and_only_if_they_are_shown_alike)
{
	for (int a = 0; a < N_SHOWN; a++) {
		for (int b = 0; b < N_SHOWN; b++) {
			struct instructions *ia = make(&shown[a].rest, shown[a].apply, shown[a].write);
			struct instructions *ib = make(&shown[b].rest, shown[b].apply, shown[b].write);
			char text_a[256], text_b[256];

			instructions_format(ia, NULL, text_a, sizeof(text_a));
			instructions_format(ib, NULL, text_b, sizeof(text_b));
			ck_assert_msg(
				instructions_equal(ia, ib) == !strcmp(text_a, text_b), "'%s', '%s'", text_a, text_b);
			free(ia);
			free(ib);
		}
	}
}
END_TEST

START_TEST(each_instruction_makes_a_difference)
{
	static const struct instructions all = {.meter = 1,
		.clear_actions = true,
		.goes_on = true,
		.goto_table = 1,
		.writes_metadata = true,
		.metadata = 1,
		.metadata_mask = 3};
	struct instructions other[8];

	for (int i = 0; i < 8; i++)
		other[i] = all;
	other[0].meter = 2;
	other[1].clear_actions = false;
	other[2].goes_on = false;
	other[3].goto_table = 2;
	other[4].writes_metadata = false;
	other[5].metadata = 2;
	other[6].metadata_mask = 7;
	for (int i = 0; i < 8; i++) {
		struct instructions *a = make(&all, "output:p1", "output:5");
		struct instructions *b = make(&other[i], "output:p1", i < 7 ? "output:5" : "output:6");

		ck_assert_msg(!instructions_equal(a, b), "difference %d is not seen", i);
		ck_assert(instructions_equal(a, a));
		free(a);
		free(b);
	}
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("action");
	Suite *suite = suite_create("action");
	SRunner *runner;
	int n_failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, each_action_is_read_and_printed_again, 0, N_GOLDEN);
	tcase_add_test(tcase, the_table_above_has_every_action);
	tcase_add_test(tcase, an_action_set_has_a_place_for_each_action);
	tcase_add_loop_test(
		tcase, a_spelling_is_printed_in_its_plain_form, 0, (int)(sizeof(spellings) / sizeof(spellings[0])));
	tcase_add_test(tcase, no_actions_are_a_drop);
	tcase_add_test(tcase, a_port_without_a_name_is_a_number);
	tcase_add_loop_test(
		tcase, bad_text_is_refused_with_the_word_at_fault, 0, (int)(sizeof(refused) / sizeof(refused[0])));
	tcase_add_test(tcase, random_actions_survive_being_printed_and_read);
	tcase_add_test(tcase, text_that_does_not_fit_is_cut_and_its_length_told);
	tcase_add_test(tcase, hostile_text_is_read_or_refused);
	tcase_add_test(tcase, lists_differ_by_what_an_action_means);
	tcase_add_test(tcase, bytes_that_an_action_does_not_use_make_no_difference);
	tcase_add_loop_test(tcase, instructions_are_shown_in_the_order_in_which_they_are_carried_out, 0, N_SHOWN);
	tcase_add_test(tcase, instructions_own_copies_of_their_actions);
	tcase_add_test(tcase, instructions_are_equal_if_and_only_if_they_are_shown_alike);
	tcase_add_test(tcase, each_instruction_makes_a_difference);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? 1 : 0;
}
