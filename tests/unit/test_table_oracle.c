/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flow tables: everything together against a list of rules that is gone through from its start to its end.
 *
 * Masks, values, priorities, cookies, ports, groups and meters come from small pools, so that commands meet each
 * other's rules all the time. Frames are counted as the cache would: they pend until they are asked for.
 */
#include "tests/unit/table_lab.h"
#include "tests/unit/suite.h"

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

int main(void)
{
	TCase *tcase = tcase_create("rules");
	Suite *suite = suite_create("table_oracle");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, tables_do_as_a_list_does);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
