/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flow tables: what a flow-mod says and refuses, what a rule costs; and everything together against a list of rules
 * that is gone through from its start to its end.
 *
 * In the oracle test masks, values, priorities, cookies, ports, groups and meters come from small pools, so that
 * commands meet each other's rules all the time. Frames are counted as the cache would: they pend until they are asked
 * for.
 */
#include "dataplane/group.h"
#include "dataplane/meter.h"
#include "dataplane/table_parts.h"

#include "tests/unit/seeded.h"

#include <check.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_PER_S  1000000000ULL
#define N_TABLES  3
#define N_TWIN    400
#define N_LOG     1000
#define N_STEPS   12000
#define N_CURSORS 3
#define N_POOL    2  /* groups, and meters */
#define FULL_AT   12 /* rules in the last table of the oracle */

/* ---- what the tables tell ---- */

enum told { TOLD_ADDED, TOLD_MODIFIED, TOLD_REMOVED };

struct entry {
	enum told told;
	struct rule *rule;
};

struct twin_rule {
	struct rule *rule;
	struct flow_mod mod; /* that made it; changed as it changes */
	uint8_t instructions[sizeof(struct instructions) + 4 * sizeof(struct action)];
	uint64_t serial, created_ns, used_ns;
	uint64_t packets, pending; /* all since they were reset; and those that the rule has not got yet */
};

struct twin_cursor {
	struct rule_cursor cursor;
	bool is_open;
	uint32_t table_id;
	uint64_t serial; /* of the last rule looked at */
};

struct world {
	struct groups *groups;
	struct meters *meters;
	struct tables *tables;
	enum of_err check_says;
	struct entry log[N_LOG];
	uint32_t n_log;

	struct seeded random;
	uint64_t now_ns, serial, harvested[N_TABLES];
	struct twin_rule twin[N_TWIN];
	uint32_t n_twin;
	struct entry want[N_LOG];
	uint32_t n_want;
	struct twin_cursor cursors[N_CURSORS];
};
static struct world world;

static void log_entry(enum told told, struct rule *rule)
{
	ck_assert_uint_lt(world.n_log, N_LOG);
	world.log[world.n_log++] = (struct entry){told, rule};
}

static void on_added(void *ctx, struct rule *rule)
{
	log_entry(TOLD_ADDED, rule);
}

static void on_modified(void *ctx, struct rule *rule)
{
	log_entry(TOLD_MODIFIED, rule);
}

static void on_removing(void *ctx, struct rule *rule)
{
	log_entry(TOLD_REMOVED, rule);
}

static enum of_err on_check(void *ctx, const struct flow_mod *mod)
{
	return world.check_says;
}

static void on_refresh(void *ctx, struct rule *rule)
{
	for (uint32_t i = 0; i < world.n_twin; i++) {
		struct twin_rule *twin = &world.twin[i];

		if (twin->rule != rule)
			continue;
		tally_add(&rule->tally, twin->pending, twin->pending * 100, twin->used_ns);
		world.harvested[rule->table_id] += twin->pending;
		twin->pending = 0;
	}
}

static void clear_log(void)
{
	for (uint32_t i = 0; i < world.n_log; i++) {
		if (world.log[i].told == TOLD_REMOVED)
			rule_free(world.tables, world.log[i].rule);
	}
	world.n_log = world.n_want = 0;
}

static uint32_t n_told(enum told told)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < world.n_log; i++)
		n += world.log[i].told == told;
	return n;
}

static void start(bool is_told)
{
	struct tables_events events = {.check = on_check,
		.added = on_added,
		.modified = on_modified,
		.removing = on_removing,
		.refresh = on_refresh};
	struct groups_events group_events = {0};

	memset(&world, 0, sizeof(world));
	if (!is_told)
		events = (struct tables_events){0};
	world.now_ns = 1000 * NS_PER_S;
	world.groups = groups_create(&group_events);
	world.meters = meters_create(NULL, 1);
	world.tables = tables_create(world.groups, world.meters, &events);
	ck_assert(world.groups && world.meters && world.tables);
	for (uint32_t id = 1; id <= N_POOL; id++) {
		struct group_mod group = {.id = id, .type = GROUP_TYPE_ALL};
		struct meter_mod meter = {.id = id, .flags = METER_KBPS};

		ck_assert_int_eq(groups_mod(world.groups, &group, 0), OF_OK);
		ck_assert_int_eq(meters_mod(world.meters, &meter, 0), OF_OK);
	}
}

static void setup(void)
{
	start(true);
}

static void teardown(void)
{
	clear_log();
	tables_destroy(world.tables);
	groups_destroy(world.groups);
	meters_destroy(world.meters);
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

static enum of_err send(const struct flow_mod *mod)
{
	return tables_flow_mod(world.tables, mod, world.now_ns);
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

/* ---- the twin ---- */

static struct flow_match random_match(void)
{
	/* Words of the pipeline, of layer 2, of an address, of metadata. */
	static const int words[] = {0, 1, 4, 14};
	static const uint64_t masks[] = {0, 0, 1, 3};
	struct flow_match match = {0};

	for (int i = 0; i < 4; i++) {
		match.mask.w[words[i]] = masks[seeded_below(&world.random, 4)];
		match.key.w[words[i]] = seeded_next(&world.random) & match.mask.w[words[i]];
	}
	return match;
}

static struct action random_action(void)
{
	if (seeded_below(&world.random, 3))
		return (struct action){.type = ACTION_OUTPUT, .arg = 1 + seeded_below(&world.random, 3)};
	return (struct action){.type = ACTION_GROUP, .arg = 1 + seeded_below(&world.random, N_POOL)};
}

static void random_instructions(struct twin_rule *twin)
{
	struct instructions *instructions = (struct instructions *)twin->instructions;

	memset(twin->instructions, 0, sizeof(twin->instructions));
	instructions->n_apply = (uint16_t)seeded_below(&world.random, 3);
	instructions->n_write = (uint16_t)seeded_below(&world.random, 3);
	for (int i = 0; i < instructions->n_apply + instructions->n_write; i++)
		instructions->actions[i] = random_action();
	instructions->meter = seeded_below(&world.random, 3) ? 0 : 1 + seeded_below(&world.random, N_POOL);
	instructions->goes_on = !seeded_below(&world.random, 5);
	instructions->goto_table = (uint8_t)(1 + seeded_below(&world.random, N_TABLES));
	if (!instructions->goes_on)
		instructions->goto_table = 0;
}

static void random_mod(struct twin_rule *twin)
{
	struct flow_mod *mod = &twin->mod;
	uint32_t what = seeded_below(&world.random, 20);

	memset(twin, 0, sizeof(*twin));
	random_instructions(twin);
	mod->command = what < 12 ? FLOW_ADD : (uint8_t)(1 + seeded_below(&world.random, 4));
	mod->table_id = (uint8_t)seeded_below(&world.random, N_TABLES);
	if (!seeded_below(&world.random, 6))
		mod->table_id = TABLE_ALL;
	mod->cookie = seeded_below(&world.random, 4);
	mod->cookie_mask = seeded_below(&world.random, 4) & seeded_below(&world.random, 4);
	mod->idle_s = seeded_below(&world.random, 3) ? 0 : (uint16_t)(1 + seeded_below(&world.random, 30));
	mod->hard_s = seeded_below(&world.random, 3) ? 0 : (uint16_t)(1 + seeded_below(&world.random, 60));
	mod->priority = (uint16_t)seeded_below(&world.random, 3);
	mod->flags = (uint16_t)(seeded_below(&world.random, 32) & seeded_below(&world.random, 32));
	if (!seeded_below(&world.random, 100))
		mod->flags |= 32;
	mod->out_port = seeded_below(&world.random, 2) ? OF_PORT_ANY : 1 + seeded_below(&world.random, 3);
	mod->out_group = seeded_below(&world.random, 2) ? GROUP_ANY : 1 + seeded_below(&world.random, N_POOL);
	mod->match = random_match();
	mod->n_fields = seeded_below(&world.random, 3);
	for (uint32_t i = 0; i < mod->n_fields; i++)
		mod->fields[i] = (uint16_t)seeded_below(&world.random, 4);
	if (!seeded_below(&world.random, 50))
		mod->command = 5;
	mod->instructions = (struct instructions *)twin->instructions;
}

static const struct instructions *twin_instructions(const struct twin_rule *twin)
{
	return (const struct instructions *)twin->instructions;
}

static bool twin_has(const struct twin_rule *twin, enum action_type type, uint32_t arg)
{
	const struct instructions *instructions = twin_instructions(twin);

	for (int i = 0; i < instructions->n_apply + instructions->n_write; i++) {
		if (instructions->actions[i].type == type && instructions->actions[i].arg == arg)
			return true;
	}
	return false;
}

static bool twin_within(const struct flow_match *narrow, const struct flow_match *wide)
{
	for (int w = 0; w < FLOW_WORDS; w++) {
		if ((narrow->mask.w[w] & wide->mask.w[w]) != wide->mask.w[w] ||
			(narrow->key.w[w] & wide->mask.w[w]) != wide->key.w[w])
			return false;
	}
	return true;
}

static bool twin_overlaps(const struct flow_match *a, const struct flow_match *b)
{
	for (int w = 0; w < FLOW_WORDS; w++) {
		if ((a->key.w[w] ^ b->key.w[w]) & a->mask.w[w] & b->mask.w[w])
			return false;
	}
	return true;
}

static bool twin_passes(const struct twin_rule *twin, uint8_t table_id, uint64_t cookie, uint64_t cookie_mask,
	uint32_t port, uint32_t group)
{
	return (table_id == TABLE_ALL || twin->mod.table_id == table_id) &&
	       (twin->mod.cookie & cookie_mask) == (cookie & cookie_mask) &&
	       (port == OF_PORT_ANY || twin_has(twin, ACTION_OUTPUT, port)) &&
	       (group == GROUP_ANY || twin_has(twin, ACTION_GROUP, group));
}

static void want_entry(enum told told, struct rule *rule)
{
	world.want[world.n_want++] = (struct entry){told, rule};
}

static void twin_remove(uint32_t i, enum rule_end end)
{
	struct rule *rule = world.twin[i].rule;
	struct flow_match match;

	want_entry(TOLD_REMOVED, rule);
	ck_assert_msg(rule->end == end, "seed %lu: ended by %u, not %u", world.random.seed, rule->end, end);
	rule_match(rule, &match);
	ck_assert(!memcmp(&match, &world.twin[i].mod.match, sizeof(match)));
	world.n_twin--;
	memmove(&world.twin[i], &world.twin[i + 1], (world.n_twin - i) * sizeof(world.twin[0]));
}

static void twin_take(struct twin_rule *twin, const struct twin_rule *from)
{
	memcpy(twin->instructions, from->instructions, sizeof(twin->instructions));
	if (from->mod.flags & RULE_RESET_COUNTS)
		twin->packets = 0;
	want_entry(TOLD_MODIFIED, twin->rule);
}

static enum of_err twin_add(const struct twin_rule *made)
{
	struct twin_rule *same = NULL;
	uint32_t n_in_table = 0;
	bool overlaps = false;

	for (uint32_t i = 0; i < world.n_twin; i++) {
		struct twin_rule *twin = &world.twin[i];

		if (twin->mod.table_id != made->mod.table_id)
			continue;
		n_in_table++;
		if (twin->mod.priority != made->mod.priority)
			continue;
		overlaps |= twin_overlaps(&twin->mod.match, &made->mod.match);
		if (!memcmp(&twin->mod.match, &made->mod.match, sizeof(made->mod.match)))
			same = twin;
	}
	if (made->mod.flags & RULE_CHECK_OVERLAP && overlaps)
		return OF_ERR_FLOW_MOD_OVERLAP;
	if (same) {
		twin_take(same, made);
		same->mod = made->mod;
		same->created_ns = world.now_ns;
		return OF_OK;
	}
	if (made->mod.table_id == N_TABLES - 1 && n_in_table >= FULL_AT)
		return OF_ERR_FLOW_MOD_TABLE_FULL;
	ck_assert_uint_lt(world.n_twin, N_TWIN);
	same = &world.twin[world.n_twin++];
	*same = *made;
	same->rule = world.n_log ? world.log[0].rule : NULL;
	same->created_ns = world.now_ns;
	same->serial = ++world.serial;
	want_entry(TOLD_ADDED, same->rule);
	return OF_OK;
}

static void twin_change(const struct twin_rule *made)
{
	const struct flow_mod *mod = &made->mod;
	bool is_delete = mod->command >= FLOW_DELETE;
	bool is_strict = mod->command == FLOW_MODIFY_STRICT || mod->command == FLOW_DELETE_STRICT;

	for (uint32_t i = world.n_twin; i--;) {
		struct twin_rule *twin = &world.twin[i];

		if (!twin_passes(twin, mod->table_id, mod->cookie, mod->cookie_mask,
			    is_delete ? mod->out_port : OF_PORT_ANY, is_delete ? mod->out_group : GROUP_ANY))
			continue;
		if (is_strict ? twin->mod.priority != mod->priority ||
					memcmp(&twin->mod.match, &mod->match, sizeof(mod->match))
			      : !twin_within(&twin->mod.match, &mod->match))
			continue;
		if (is_delete)
			twin_remove(i, RULE_DELETE);
		else
			twin_take(twin, made);
	}
}

static enum of_err twin_mod(const struct twin_rule *made)
{
	const struct flow_mod *mod = &made->mod;
	bool is_delete = mod->command >= FLOW_DELETE;

	if (mod->command > FLOW_DELETE_STRICT)
		return OF_ERR_FLOW_MOD_BAD_COMMAND;
	if (mod->flags & 32)
		return OF_ERR_FLOW_MOD_BAD_FLAGS;
	if (!is_delete && mod->table_id == TABLE_ALL)
		return OF_ERR_FLOW_MOD_BAD_TABLE_ID;
	if (!is_delete && mod->instructions->goes_on && mod->instructions->goto_table <= mod->table_id)
		return OF_ERR_BAD_INSTRUCTION_BAD_TABLE_ID;
	if (mod->command == FLOW_ADD)
		return twin_add(made);
	twin_change(made);
	return OF_OK;
}

static uint64_t twin_due(const struct twin_rule *twin, enum rule_end *ret_end)
{
	uint64_t used_ns = twin->used_ns > twin->created_ns ? twin->used_ns : twin->created_ns;
	uint64_t hard_ns = twin->mod.hard_s ? twin->created_ns + twin->mod.hard_s * NS_PER_S : UINT64_MAX;
	uint64_t idle_ns = twin->mod.idle_s ? used_ns + twin->mod.idle_s * NS_PER_S : UINT64_MAX;

	*ret_end = idle_ns < hard_ns ? RULE_IDLE_TIMEOUT : RULE_HARD_TIMEOUT;
	return idle_ns < hard_ns ? idle_ns : hard_ns;
}

static void step_expire(uint32_t step)
{
	uint64_t next_ns = tables_expire(world.tables, world.now_ns), earliest_ns = UINT64_MAX;

	for (uint32_t i = world.n_twin; i--;) {
		enum rule_end end;
		uint64_t due_ns = twin_due(&world.twin[i], &end);

		if (due_ns <= world.now_ns)
			twin_remove(i, end);
		else if (due_ns < earliest_ns)
			earliest_ns = due_ns;
	}
	ck_assert_msg((next_ns == 0) == (earliest_ns == UINT64_MAX), "seed %lu step %u", world.random.seed, step);
	ck_assert_msg(!next_ns || (next_ns > world.now_ns && next_ns <= earliest_ns), "seed %lu step %u: next at %lu",
		world.random.seed, step, next_ns);
}

static void step_frames(void)
{
	struct twin_rule *twin;

	if (!world.n_twin)
		return;
	twin = &world.twin[seeded_below(&world.random, world.n_twin)];
	twin->pending += 3;
	twin->packets += 3;
	twin->used_ns = world.now_ns;
}

static void step_gone(void)
{
	uint32_t id = 1 + seeded_below(&world.random, N_POOL);
	bool is_group = seeded_below(&world.random, 2), is_all = !seeded_below(&world.random, 4);

	if (is_group)
		tables_group_gone(world.tables, is_all ? GROUP_ALL : id);
	else
		tables_meter_gone(world.tables, is_all ? METER_ALL : id);
	for (uint32_t i = world.n_twin; i--;) {
		const struct twin_rule *twin = &world.twin[i];
		uint32_t meter = twin_instructions(twin)->meter;

		if (is_group &&
			(twin_has(twin, ACTION_GROUP, id) ||
				(is_all && (twin_has(twin, ACTION_GROUP, 1) || twin_has(twin, ACTION_GROUP, 2)))))
			twin_remove(i, RULE_GROUP_DELETE);
		else if (!is_group && meter && (is_all || meter == id))
			twin_remove(i, RULE_METER_DELETE);
	}
}

/* ---- cursors ---- */

/* The first rule behind the place where the twin of the cursor stands; NULL: none. */
static struct twin_rule *twin_ahead(const struct twin_cursor *at)
{
	const struct rule_filter *filter = &at->cursor.filter;
	struct twin_rule *best = NULL;

	for (uint32_t i = 0; i < world.n_twin; i++) {
		struct twin_rule *twin = &world.twin[i];
		uint8_t id = twin->mod.table_id;

		if ((filter->table_id != TABLE_ALL && filter->table_id != id) || id < at->table_id ||
			(id == at->table_id && twin->serial <= at->serial))
			continue;
		if (!best || id < best->mod.table_id || (id == best->mod.table_id && twin->serial < best->serial))
			best = twin;
	}
	return best;
}

static struct rule *twin_next(struct twin_cursor *at, uint32_t *budget)
{
	const struct rule_filter *filter = &at->cursor.filter;
	struct twin_rule *twin;

	while (*budget && (twin = twin_ahead(at))) {
		at->table_id = twin->mod.table_id;
		at->serial = twin->serial;
		--*budget;
		if (twin_passes(twin, TABLE_ALL, filter->cookie, filter->cookie_mask, filter->out_port,
			    filter->out_group) &&
			twin_within(&twin->mod.match, &filter->match))
			return twin->rule;
	}
	return NULL;
}

static void open_cursor(struct twin_cursor *at)
{
	struct rule_filter filter = {.table_id = seeded_below(&world.random, 2) ? TABLE_ALL : 1,
		.out_port = seeded_below(&world.random, 4) ? OF_PORT_ANY : 1,
		.out_group = seeded_below(&world.random, 4) ? GROUP_ANY : 1,
		.cookie = seeded_below(&world.random, 4),
		.cookie_mask = seeded_below(&world.random, 2)};

	if (!seeded_below(&world.random, 3))
		filter.match = random_match();
	rule_cursor_begin(&at->cursor, world.tables, &filter);
	at->is_open = true;
	at->table_id = 0;
	at->serial = 0;
}

static void step_cursor(uint32_t step)
{
	struct twin_cursor *at = &world.cursors[seeded_below(&world.random, N_CURSORS)];
	uint32_t budget = seeded_below(&world.random, 6), want_budget = budget;
	struct rule *have, *want;

	if (!at->is_open) {
		open_cursor(at);
		return;
	}
	have = rule_cursor_next(&at->cursor, &budget);
	want = twin_next(at, &want_budget);
	ck_assert_msg(have == want && budget == want_budget, "seed %lu step %u: cursor at %p, not %p",
		world.random.seed, step, (void *)have, (void *)want);
	if ((!have && budget) || !seeded_below(&world.random, 100)) {
		rule_cursor_end(&at->cursor);
		at->is_open = false;
	}
}

/* ---- comparing ---- */

static void compare_logs(uint32_t step)
{
	ck_assert_msg(world.n_log == world.n_want, "seed %lu step %u: %u told, not %u", world.random.seed, step,
		world.n_log, world.n_want);
	for (uint32_t i = 0; i < world.n_want; i++) {
		uint32_t n = 0;

		for (uint32_t k = 0; k < world.n_log; k++)
			n += world.log[k].rule == world.want[i].rule && world.log[k].told == world.want[i].told;
		ck_assert_msg(n == 1, "seed %lu step %u: told %u times", world.random.seed, step, n);
	}
}

static void compare_rule(const struct rule *rule, const struct twin_rule *twin, uint32_t step)
{
	uint16_t fields[MATCH_SHAPE_MAX];
	struct flow_match match;

	rule_match(rule, &match);
	ck_assert_msg(rule == twin->rule && rule->cookie == twin->mod.cookie && rule->flags == twin->mod.flags &&
			      rule->idle_s == twin->mod.idle_s && rule->hard_s == twin->mod.hard_s &&
			      rule->created_ns == twin->created_ns && rule->cls.priority == twin->mod.priority &&
			      !memcmp(&match, &twin->mod.match, sizeof(match)) &&
			      instructions_equal(rule->instructions, twin_instructions(twin)),
		"seed %lu step %u: a rule differs", world.random.seed, step);
	ck_assert_msg(
		rule->tally.packets + twin->pending == twin->packets && rule->tally.bytes == rule->tally.packets * 100,
		"seed %lu step %u: %lu packets and %lu pending, not %lu", world.random.seed, step, rule->tally.packets,
		twin->pending, twin->packets);
	if (twin->mod.n_fields) {
		ck_assert_uint_eq(rule_fields(rule, fields), twin->mod.n_fields);
		ck_assert(!memcmp(fields, twin->mod.fields, twin->mod.n_fields * sizeof(fields[0])));
	}
}

static void compare_table(uint8_t id, uint32_t step)
{
	const struct table *table = tables_table(world.tables, id);
	const struct rule *rule = table->first;
	uint32_t n = 0;

	for (uint32_t i = 0; i < world.n_twin; i++) {
		if (world.twin[i].mod.table_id != id)
			continue;
		ck_assert_msg(rule, "seed %lu step %u: a rule is missing", world.random.seed, step);
		compare_rule(rule, &world.twin[i], step);
		rule = rule->next;
		n++;
	}
	ck_assert(!rule && table->n_rules == n && (!table->cls || cls_count(table->cls) == n));
	ck_assert_uint_eq(table->matched.packets, world.harvested[id]);
}

static void compare_refs(uint32_t step)
{
	for (uint32_t id = 1; id <= N_POOL; id++) {
		uint32_t n_group = 0, n_meter = 0;

		for (uint32_t i = 0; i < world.n_twin; i++) {
			n_group += twin_has(&world.twin[i], ACTION_GROUP, id);
			n_meter += twin_instructions(&world.twin[i])->meter == id;
		}
		ck_assert_msg(
			groups_find(world.groups, id)->n_refs == n_group, "seed %lu step %u", world.random.seed, step);
		ck_assert_msg(
			meters_find(world.meters, id)->n_rules == n_meter, "seed %lu step %u", world.random.seed, step);
	}
}

static void step_mod(uint32_t step)
{
	struct twin_rule made;
	enum of_err have, want;

	random_mod(&made);
	have = send(&made.mod);
	/* Frames that a reset has asked for are no longer pending, in the twin too. */
	want = twin_mod(&made);
	ck_assert_msg(have == want, "seed %lu step %u: %d, not %d", world.random.seed, step, have, want);
}

START_TEST(tables_do_as_a_list_does)
{
	world.random = seeded_start();
	tables_table(world.tables, N_TABLES - 1)->max_rules = FULL_AT;
	for (uint32_t step = 0; step < N_STEPS; step++) {
		uint32_t what = seeded_below(&world.random, 100);

		if (what < 45)
			step_mod(step);
		else if (what < 60)
			step_frames();
		else if (what < 70)
			step_expire(step);
		else if (what < 71)
			step_gone();
		else
			step_cursor(step);
		if (!seeded_below(&world.random, 4))
			world.now_ns += seeded_below(&world.random, 2000000000);
		compare_logs(step);
		clear_log();
		for (uint8_t id = 0; id < N_TABLES; id++)
			compare_table(id, step);
		compare_refs(step);
		ck_assert_uint_eq(tables_count(world.tables), world.n_twin);
	}
}
END_TEST

static void setup_quiet(void)
{
	start(false);
}

int main(void)
{
	TCase *tcase = tcase_create("rules"), *many = tcase_create("many rules");
	Suite *suite = suite_create("table");
	SRunner *runner;
	int n_failed;

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
	tcase_add_test(tcase, tables_do_as_a_list_does);
	suite_add_tcase(suite, tcase);
	tcase_set_timeout(many, 100);
	tcase_add_checked_fixture(many, setup_quiet, teardown);
	tcase_add_test(many, a_hundred_thousand_rules_of_a_hundred_priorities_are_added_fast);
	tcase_add_test(many, a_rule_of_five_fields_and_one_action_takes_less_than_400_bytes);
	tcase_add_test(many, the_rules_of_each_of_a_thousand_groups_are_found_without_going_through_all);
	tcase_add_test(many, where_the_index_has_no_memory_the_rules_are_gone_through);
	tcase_add_test(many, rules_that_are_due_all_at_once_go_in_bounded_steps);
	suite_add_tcase(suite, many);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? 1 : 0;
}
