/* SPDX-License-Identifier: BSD-2-Clause */
/* Flow tables: what a flow-mod says and refuses, what a rule costs. */
#include "tests/unit/table_lab.h"
#include "tests/unit/suite.h"

/* ---- what the tables tell ---- */

static uint32_t n_told(enum told told)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < world.n_log; i++)
		n += world.log[i].told == told;
	return n;
}

/* ---- flow-mods from text ---- */

/* Its instructions live until eight more have been made. */
static struct flow_mod asked(uint8_t command, uint8_t table_id, const char *match, uint16_t priority, uint32_t port)
{
	static struct instructions *last[8];
	static uint32_t n;
	struct instructions **instructions = &last[n++ % 8];
	struct instructions none = {0};
	struct action output = {.type = ACTION_OUTPUT, .arg = port};
	struct actions apply = {port ? 1 : 0, &output}, write = {0};
	struct flow_mod mod = {.command = command,
		.table_id = table_id,
		.priority = priority,
		.out_port = OF_PORT_ANY,
		.out_group = GROUP_ANY};

	free(*instructions);
	*instructions = instructions_create(&none, &apply, &write);
	mod.instructions = *instructions;
	ck_assert_int_eq(*match ? flow_parse(match, NULL, &mod.match, NULL) : 0, 0);
	return mod;
}

static struct rule *add_rule(uint8_t table_id, const char *match, uint16_t priority, uint32_t port)
{
	struct flow_mod mod = asked(FLOW_ADD, table_id, match, priority, port);

	ck_assert_int_eq(send(&mod), OF_OK);
	return world.log[world.n_log - 1].rule;
}

#define TCP_80 "eth_type=0x0800,ip_proto=6,tcp_dst=80"

START_TEST(adding_over_an_identical_rule_takes_its_place_and_keeps_its_counters)
{
	struct rule *rule = add_rule(0, TCP_80, 5, 1);
	struct flow_mod mod = asked(FLOW_ADD, 0, TCP_80, 5, 2);

	tally_add(&rule->tally, 7, 700, world.now_ns);
	world.now_ns += NS_PER_S;
	mod.cookie = 42;
	mod.hard_s = 3;
	mod.flags = RULE_SEND_FLOW_REM;
	ck_assert_int_eq(send(&mod), OF_OK);
	ck_assert_uint_eq(tables_count(world.tables), 1);
	ck_assert_uint_eq(n_told(TOLD_MODIFIED), 1);
	ck_assert_uint_eq(n_told(TOLD_REMOVED), 0);
	ck_assert_uint_eq(rule->cookie, 42);
	ck_assert_uint_eq(rule->flags, RULE_SEND_FLOW_REM);
	ck_assert_uint_eq(rule->created_ns, world.now_ns);
	ck_assert(rule_outputs_to(rule, 2) && !rule_outputs_to(rule, 1));
	ck_assert_uint_eq(rule->tally.packets, 7);
	mod.flags = RULE_RESET_COUNTS;
	ck_assert_int_eq(send(&mod), OF_OK);
	ck_assert_uint_eq(rule->tally.packets, 0);
	ck_assert_uint_eq(rule->tally.bytes, 0);
}
END_TEST

START_TEST(modify_changes_instructions_alone)
{
	struct flow_mod mod = asked(FLOW_ADD, 0, TCP_80, 5, 1);
	struct rule *rule;

	mod.cookie = 1;
	mod.idle_s = 10;
	mod.flags = RULE_SEND_FLOW_REM;
	ck_assert_int_eq(send(&mod), OF_OK);
	rule = world.log[0].rule;
	tally_add(&rule->tally, 7, 700, world.now_ns);
	mod = asked(FLOW_MODIFY, 0, "eth_type=0x0800", 9, 2);
	mod.cookie = 2;
	mod.idle_s = mod.hard_s = 1;
	world.now_ns += NS_PER_S;
	ck_assert_int_eq(send(&mod), OF_OK);
	ck_assert(rule_outputs_to(rule, 2));
	ck_assert_uint_eq(rule->cookie, 1);
	ck_assert_uint_eq(rule->idle_s, 10);
	ck_assert_uint_eq(rule->hard_s, 0);
	ck_assert_uint_eq(rule->flags, RULE_SEND_FLOW_REM);
	ck_assert_uint_eq(rule->created_ns, world.now_ns - NS_PER_S);
	ck_assert_uint_eq(rule->tally.packets, 7);
}
END_TEST

START_TEST(modify_that_matches_nothing_adds_nothing)
{
	struct flow_mod mod = asked(FLOW_MODIFY, 0, TCP_80, 5, 1);

	ck_assert_int_eq(send(&mod), OF_OK);
	mod.command = FLOW_MODIFY_STRICT;
	ck_assert_int_eq(send(&mod), OF_OK);
	ck_assert_uint_eq(tables_count(world.tables), 0);
}
END_TEST

START_TEST(delete_strict_ignores_other_priorities_and_narrower_matches)
{
	struct flow_mod mod = asked(FLOW_DELETE_STRICT, TABLE_ALL, "eth_type=0x0800", 5, 0);

	add_rule(0, "eth_type=0x0800", 4, 1);
	add_rule(0, TCP_80, 5, 1);
	ck_assert_int_eq(send(&mod), OF_OK);
	ck_assert_uint_eq(tables_count(world.tables), 2);
	mod.command = FLOW_DELETE;
	ck_assert_int_eq(send(&mod), OF_OK);
	ck_assert_uint_eq(tables_count(world.tables), 0);
	ck_assert_uint_eq(world.log[3].rule->end, RULE_DELETE);
}
END_TEST

START_TEST(an_overlap_is_refused_where_it_is_asked_for_also_with_an_identical_rule)
{
	struct flow_mod mod = asked(FLOW_ADD, 0, "ip_dst=10.0.0.1,eth_type=0x0800", 5, 1);

	add_rule(0, "ip_src=10.0.0.2,eth_type=0x0800", 5, 1);
	mod.flags = RULE_CHECK_OVERLAP;
	ck_assert_int_eq(send(&mod), OF_ERR_FLOW_MOD_OVERLAP);
	mod.priority = 6;
	ck_assert_int_eq(send(&mod), OF_OK);
	ck_assert_int_eq(send(&mod), OF_ERR_FLOW_MOD_OVERLAP);
	mod.priority = 5;
	mod.flags = 0;
	ck_assert_int_eq(send(&mod), OF_OK);
}
END_TEST

START_TEST(what_cannot_be_is_refused_with_its_error)
{
	struct flow_mod mod = asked(FLOW_ADD, 3, "", 5, 1);

	mod.instructions->goes_on = true;
	mod.instructions->goto_table = 3;
	ck_assert_int_eq(send(&mod), OF_ERR_BAD_INSTRUCTION_BAD_TABLE_ID);
	mod.instructions->goto_table = 255;
	ck_assert_int_eq(send(&mod), OF_ERR_BAD_INSTRUCTION_BAD_TABLE_ID);
	mod.instructions->goto_table = 4;
	mod.command = FLOW_DELETE_STRICT + 1;
	ck_assert_int_eq(send(&mod), OF_ERR_FLOW_MOD_BAD_COMMAND);
	mod.command = FLOW_MODIFY;
	mod.table_id = TABLE_ALL;
	ck_assert_int_eq(send(&mod), OF_ERR_FLOW_MOD_BAD_TABLE_ID);
	mod.command = FLOW_ADD;
	mod.table_id = 3;
	mod.flags = 32;
	ck_assert_int_eq(send(&mod), OF_ERR_FLOW_MOD_BAD_FLAGS);
	mod.flags = 0;
	world.check_says = OF_ERR_BAD_ACTION_BAD_OUT_PORT;
	ck_assert_int_eq(send(&mod), OF_ERR_BAD_ACTION_BAD_OUT_PORT);
	world.check_says = OF_OK;
	tables_table(world.tables, 3)->max_rules = 0;
	ck_assert_int_eq(send(&mod), OF_ERR_FLOW_MOD_TABLE_FULL);
	ck_assert_uint_eq(tables_count(world.tables), 0);
	ck_assert_uint_eq(world.n_log, 0);
}
END_TEST

START_TEST(rules_go_with_their_group_and_their_meter)
{
	struct flow_mod mod = asked(FLOW_ADD, 0, TCP_80, 5, 1);

	add_rule(0, TCP_80, 4, 1);
	mod.instructions->meter = 2;
	ck_assert_int_eq(send(&mod), OF_OK);
	mod = asked(FLOW_ADD, 7, TCP_80, 5, 1);
	mod.instructions->actions[0] = (struct action){.type = ACTION_GROUP, .arg = 1};
	ck_assert_int_eq(send(&mod), OF_OK);
	ck_assert_uint_eq(groups_find(world.groups, 1)->n_refs, 1);
	ck_assert_uint_eq(meters_find(world.meters, 2)->n_rules, 1);
	tables_group_gone(world.tables, 2);
	tables_meter_gone(world.tables, 1);
	ck_assert_uint_eq(tables_count(world.tables), 3);
	tables_group_gone(world.tables, GROUP_ALL);
	tables_meter_gone(world.tables, 2);
	ck_assert_uint_eq(tables_count(world.tables), 1);
	ck_assert_uint_eq(world.log[3].rule->end, RULE_GROUP_DELETE);
	ck_assert_uint_eq(world.log[4].rule->end, RULE_METER_DELETE);
	ck_assert_uint_eq(groups_find(world.groups, 1)->n_refs, 0);
	ck_assert_uint_eq(meters_find(world.meters, 2)->n_rules, 0);
	tables_flush(world.tables, RULE_DELETE);
	ck_assert_uint_eq(tables_count(world.tables), 0);
}
END_TEST

START_TEST(fields_are_echoed_as_sent_and_else_in_the_order_of_the_table)
{
	struct flow_mod mod = asked(FLOW_ADD, 0, "in_port=1,eth_type=0x0800,ip_dst=10.0.0.0/255.0.0.0", 5, 1);
	const uint16_t sent[] = {FIELD_IPV4_DST << 1 | 1, FIELD_IN_PORT << 1, FIELD_ETH_TYPE << 1};
	uint16_t fields[MATCH_SHAPE_MAX];
	struct flow_match match;
	struct rule *rule;

	rule = add_rule(0, "in_port=1,eth_type=0x0800,ip_dst=10.0.0.0/255.0.0.0", 5, 1);
	ck_assert_uint_eq(rule_fields(rule, fields), 3);
	ck_assert_uint_eq(fields[0], FIELD_IN_PORT << 1);
	ck_assert_uint_eq(fields[1], FIELD_ETH_TYPE << 1);
	ck_assert_uint_eq(fields[2], FIELD_IPV4_DST << 1 | 1);
	mod.n_fields = 3;
	memcpy(mod.fields, sent, sizeof(sent));
	ck_assert_int_eq(send(&mod), OF_OK);
	tables_flush(world.tables, RULE_DELETE);
	/* Out of its table, and the last of its mask: it knows its match. */
	ck_assert_uint_eq(rule_fields(rule, fields), 3);
	ck_assert(!memcmp(fields, sent, sizeof(sent)));
	rule_match(rule, &match);
	ck_assert(!memcmp(&match, &mod.match, sizeof(match)));
}
END_TEST

START_TEST(a_rule_without_timeouts_is_never_due_and_idle_ones_are_put_off)
{
	struct flow_mod mod = asked(FLOW_ADD, 0, TCP_80, 5, 1);
	uint64_t start_ns = world.now_ns;
	struct rule *rule;

	add_rule(0, TCP_80, 4, 1);
	ck_assert_uint_eq(tables_expire(world.tables, UINT64_MAX), 0);
	mod.idle_s = 10;
	mod.hard_s = 25;
	ck_assert_int_eq(send(&mod), OF_OK);
	rule = world.log[1].rule;
	ck_assert_uint_eq(tables_expire(world.tables, start_ns), start_ns + 10 * NS_PER_S);
	tally_add(&rule->tally, 1, 64, start_ns + 8 * NS_PER_S);
	ck_assert_uint_eq(tables_expire(world.tables, start_ns + 10 * NS_PER_S), start_ns + 18 * NS_PER_S);
	tally_add(&rule->tally, 1, 64, start_ns + 17 * NS_PER_S);
	ck_assert_uint_eq(tables_expire(world.tables, start_ns + 18 * NS_PER_S), start_ns + 25 * NS_PER_S);
	ck_assert_uint_eq(tables_expire(world.tables, start_ns + 25 * NS_PER_S - 1), start_ns + 25 * NS_PER_S);
	ck_assert_uint_eq(tables_expire(world.tables, start_ns + 25 * NS_PER_S), 0);
	ck_assert_uint_eq(n_told(TOLD_REMOVED), 1);
	ck_assert_uint_eq(rule->end, RULE_HARD_TIMEOUT);
}
END_TEST

/* ---- figures ---- */

/* Of this process: other tests run beside it. */
static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static size_t allocated(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd; /* nothing, under a sanitizer */
}

/* A five-tuple and one output, of one of `n_priorities`. */
static struct flow_mod numbered(uint32_t i, uint16_t n_priorities)
{
	static struct flow_mod mod;

	if (!mod.instructions) {
		mod = asked(FLOW_ADD, 0, "eth_type=0x0800,ip_src=10.0.0.1,ip_dst=10.0.0.2,ip_proto=6,tcp_dst=80", 0, 1);
		mod.n_fields = 5;
		mod.fields[1] = 1;
	}
	memcpy(&mod.match.key.x.f.ip_src, &i, sizeof(i));
	mod.priority = (uint16_t)(i % n_priorities);
	return mod;
}

START_TEST(a_hundred_thousand_rules_of_a_hundred_priorities_are_added_fast)
{
	double begin = seconds(), took;

	for (uint32_t i = 0; i < 100000; i++) {
		struct flow_mod mod = numbered(i, 100);

		ck_assert_int_eq(send(&mod), OF_OK);
	}
	took = seconds() - begin;
	ck_assert_uint_eq(tables_count(world.tables), 100000);
	printf("100,000 adds: %.0f ms\n", took * 1000);
	ck_assert(took < 5);
	begin = seconds();
	tables_flush(world.tables, RULE_DELETE);
	printf("100,000 removals: %.0f ms\n", (seconds() - begin) * 1000);
}
END_TEST

START_TEST(a_rule_of_five_fields_and_one_action_takes_less_than_400_bytes)
{
	size_t before = allocated();

	for (uint32_t i = 0; i < 1000000; i++) {
		struct flow_mod mod = numbered(i, 1);

		ck_assert_int_eq(send(&mod), OF_OK);
		if (i + 1 == 200000 || i + 1 == 1000000) {
			double each = (double)(allocated() - before) / (i + 1);

			printf("%u rules: %.0f bytes each\n", i + 1, each);
			ck_assert(each < 400);
		}
	}
}
END_TEST

START_TEST(rules_that_are_due_all_at_once_go_in_bounded_steps)
{
	struct flow_mod mod;
	uint32_t n_calls = 0, most = 0;
	uint64_t next;

	for (uint32_t i = 0; i < 50000; i++) {
		mod = numbered(i, 1);
		mod.hard_s = 1;
		ck_assert_int_eq(send(&mod), OF_OK);
	}
	ck_assert_uint_eq(tables_count(world.tables), 50000);
	do {
		uint32_t before = tables_count(world.tables), gone;

		next = tables_expire(world.tables, world.now_ns + NS_PER_S);
		gone = before - tables_count(world.tables);
		most = gone > most ? gone : most;
		n_calls++;
	} while (next);
	ck_assert_uint_eq(tables_count(world.tables), 0);
	ck_assert_uint_lt(most, 5000);
	ck_assert_uint_lt(n_calls, 20);
}
END_TEST

/* Rule i names group 1 + i % n_groups and meter 1 + i % 7. */
static void add_naming(uint32_t n, uint32_t n_groups)
{
	for (uint32_t i = 0; i < n; i++) {
		struct flow_mod mod = numbered(i, 1);

		mod.instructions->actions[0] = (struct action){.type = ACTION_GROUP, .arg = 1 + i % n_groups};
		mod.instructions->meter = 1 + i % 7;
		ck_assert_int_eq(send(&mod), OF_OK);
	}
}

START_TEST(the_rules_of_each_of_a_thousand_groups_are_found_without_going_through_all)
{
	double begin;

	add_naming(100000, 1000);
	begin = seconds();
	for (uint32_t id = 1; id <= 1000; id++) {
		uint32_t before = tables_count(world.tables);

		tables_group_gone(world.tables, id);
		ck_assert_uint_eq(before - tables_count(world.tables), 100);
	}
	printf("1,000 groups of 100 rules each gone: %.0f ms\n", (seconds() - begin) * 1000);
	ck_assert(!world.tables->naming.n);
	add_naming(7000, 1);
	tables_meter_gone(world.tables, 3);
	ck_assert_uint_eq(tables_count(world.tables), 6000);
}
END_TEST

START_TEST(where_the_index_has_no_memory_the_rules_are_gone_through)
{
	add_naming(700, 2);
	naming_free(&world.tables->naming);
	world.tables->naming.is_incomplete = true;
	add_naming(7, 2);
	tables_group_gone(world.tables, 2);
	ck_assert_uint_eq(tables_count(world.tables), 350);
	tables_meter_gone(world.tables, 1);
	ck_assert_uint_eq(tables_count(world.tables), 300);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("rules"), *many = tcase_create("many rules");
	Suite *suite = suite_create("table");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, adding_over_an_identical_rule_takes_its_place_and_keeps_its_counters);
	tcase_add_test(tcase, modify_changes_instructions_alone);
	tcase_add_test(tcase, modify_that_matches_nothing_adds_nothing);
	tcase_add_test(tcase, delete_strict_ignores_other_priorities_and_narrower_matches);
	tcase_add_test(tcase, an_overlap_is_refused_where_it_is_asked_for_also_with_an_identical_rule);
	tcase_add_test(tcase, what_cannot_be_is_refused_with_its_error);
	tcase_add_test(tcase, rules_go_with_their_group_and_their_meter);
	tcase_add_test(tcase, fields_are_echoed_as_sent_and_else_in_the_order_of_the_table);
	tcase_add_test(tcase, a_rule_without_timeouts_is_never_due_and_idle_ones_are_put_off);
	suite_add_tcase(suite, tcase);
	tcase_set_timeout(many, 100);
	tcase_add_checked_fixture(many, setup_quiet, teardown);
	tcase_add_test(many, a_hundred_thousand_rules_of_a_hundred_priorities_are_added_fast);
	tcase_add_test(many, a_rule_of_five_fields_and_one_action_takes_less_than_400_bytes);
	tcase_add_test(many, the_rules_of_each_of_a_thousand_groups_are_found_without_going_through_all);
	tcase_add_test(many, where_the_index_has_no_memory_the_rules_are_gone_through);
	tcase_add_test(many, rules_that_are_due_all_at_once_go_in_bounded_steps);
	suite_add_tcase(suite, many);
	return run_suite(suite);
}
