/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/table_parts.h"

#include "dataplane/group.h"
#include "dataplane/meter.h"

#include <errno.h>
#include <stdlib.h>

#define FLAGS_KNOWN                                                                                                    \
	(RULE_SEND_FLOW_REM | RULE_CHECK_OVERLAP | RULE_RESET_COUNTS | RULE_NO_PKT_COUNTS | RULE_NO_BYT_COUNTS)

struct tables *tables_create(struct groups *groups, struct meters *meters, const struct tables_events *events)
{
	struct tables *tables = calloc(1, sizeof(*tables));

	if (!tables)
		return NULL;
	tables->groups = groups;
	tables->meters = meters;
	tables->events = *events;
	for (uint32_t i = 0; i < TABLES_MAX; i++) {
		tables->tables[i].id = (uint8_t)i;
		tables->tables[i].max_rules = RULES_MAX;
	}
	return tables;
}

static void let_go(struct tables *tables, struct table *table)
{
	struct rule *next;

	cls_destroy(table->cls);
	for (struct rule *rule = table->first; rule; rule = next) {
		next = rule->next;
		rule_free(tables, rule);
	}
}

void tables_destroy(struct tables *tables)
{
	if (!tables)
		return;
	for (uint32_t i = 0; i < TABLES_MAX; i++) {
		if (tables->tables[i].cls)
			let_go(tables, &tables->tables[i]);
	}
	match_shapes_free(&tables->shapes);
	naming_free(&tables->naming);
	free(tables->deadlines);
	free(tables);
}

struct table *tables_table(struct tables *tables, uint8_t id)
{
	return &tables->tables[id];
}

uint32_t tables_count(const struct tables *tables)
{
	return tables->n_rules;
}

static void tell(const struct tables *tables, void (*what)(void *ctx, struct rule *rule), struct rule *rule)
{
	if (what)
		what(tables->events.ctx, rule);
}

/* ---- rules come and go ---- */

static struct instructions *copy(const struct instructions *instructions)
{
	struct actions apply = instructions_applied(instructions), write = instructions_written(instructions);

	return instructions_create(instructions, &apply, &write);
}

/* NULL: out of memory. It is in no table yet. */
static struct rule *rule_create(struct tables *tables, const struct flow_mod *mod, uint64_t now_ns)
{
	struct rule *rule = calloc(1, offsetof(struct rule, cls) + cls_rule_size(&mod->match.mask));

	if (!rule)
		return NULL;
	rule->instructions = copy(mod->instructions);
	rule->shape = match_shape_get(&tables->shapes, &mod->match.mask, mod->fields, mod->n_fields);
	rule->tally.parent = &tables->tables[mod->table_id].matched;
	rule->cookie = mod->cookie;
	rule->created_ns = now_ns;
	rule->idle_s = mod->idle_s;
	rule->hard_s = mod->hard_s;
	rule->flags = mod->flags;
	rule->table_id = mod->table_id;
	if (!rule->instructions || !rule->shape) {
		rule_free(tables, rule);
		return NULL;
	}
	return rule;
}

static void link_in(struct table *table, struct rule *rule)
{
	rule->prev = table->last;
	if (table->last)
		table->last->next = rule;
	else
		table->first = rule;
	table->last = rule;
	table->n_rules++;
}

static void unlink_from(struct table *table, struct rule *rule)
{
	if (rule->prev)
		rule->prev->next = rule->next;
	else
		table->first = rule->next;
	if (rule->next)
		rule->next->prev = rule->prev;
	else
		table->last = rule->prev;
	table->n_rules--;
}

void table_remove_rule(struct tables *tables, struct rule *rule, enum rule_end end)
{
	struct table *table = &tables->tables[rule->table_id];

	cls_remove(table->cls, &rule->cls);
	cursors_rule_removing(tables, rule);
	unlink_from(table, rule);
	tables->n_rules--;
	deadline_clear(tables, rule);
	instructions_let_go(tables, rule);
	rule->prev = rule->next = NULL;
	rule->end = (uint8_t)end;
	if (tables->events.removing)
		tables->events.removing(tables->events.ctx, rule);
	else
		rule_free(tables, rule);
}

/* Frames that cached flows have counted by now belong to what goes. */
static void reset_counts(struct tables *tables, struct rule *rule)
{
	tell(tables, tables->events.refresh, rule);
	rule->tally.packets = rule->tally.bytes = 0;
}

/* What was there before is in `fresh` then, to be freed. */
static void swap_instructions(struct tables *tables, struct rule *rule, struct instructions **fresh)
{
	struct instructions *old = rule->instructions;

	instructions_let_go(tables, rule);
	rule->instructions = *fresh;
	instructions_hold(tables, rule);
	*fresh = old;
}

/* ---- add ---- */

/* The rule takes on what `fresh`, of the same match and priority, was to be, and leaves it its own, to be freed. */
static void replace(struct tables *tables, struct rule *rule, struct rule *fresh)
{
	const struct match_shape *shape = rule->shape;

	if (fresh->flags & RULE_RESET_COUNTS)
		reset_counts(tables, rule);
	swap_instructions(tables, rule, &fresh->instructions);
	rule->shape = fresh->shape;
	fresh->shape = shape;
	rule->cookie = fresh->cookie;
	rule->created_ns = fresh->created_ns;
	rule->idle_s = fresh->idle_s;
	rule->hard_s = fresh->hard_s;
	rule->flags = fresh->flags;
	deadline_set(tables, rule);
	tell(tables, tables->events.modified, rule);
}

static void insert(struct tables *tables, struct table *table, struct rule *rule)
{
	link_in(table, rule);
	tables->n_rules++;
	cursors_rule_added(tables, rule);
	instructions_hold(tables, rule);
	deadline_set(tables, rule);
	tell(tables, tables->events.added, rule);
}

static struct rule *find_exactly(const struct table *table, const struct flow_mod *mod)
{
	return table->cls ? rule_of(cls_find_exactly(table->cls, &mod->match, mod->priority)) : NULL;
}

static bool has_room(const struct tables *tables, const struct table *table)
{
	return table->n_rules < table->max_rules && tables->n_rules < RULES_MAX;
}

static enum of_err add(struct tables *tables, struct table *table, const struct flow_mod *mod, uint64_t now_ns)
{
	struct rule *rule;
	int err;

	if (!table->cls)
		table->cls = cls_create();
	if (!table->cls || !deadlines_reserve(tables))
		return OF_ERR_FLOW_MOD_TABLE_FULL;
	if (mod->flags & RULE_CHECK_OVERLAP && cls_find_overlap(table->cls, &mod->match, mod->priority))
		return OF_ERR_FLOW_MOD_OVERLAP;
	if (!has_room(tables, table) && !find_exactly(table, mod))
		return OF_ERR_FLOW_MOD_TABLE_FULL;
	rule = rule_create(tables, mod, now_ns);
	if (!rule)
		return OF_ERR_FLOW_MOD_TABLE_FULL;
	err = cls_insert(table->cls, &rule->cls, &mod->match, mod->priority);
	if (!err) {
		insert(tables, table, rule);
		return OF_OK;
	}
	if (err == -EEXIST)
		replace(tables, find_exactly(table, mod), rule);
	rule_free(tables, rule);
	return err == -EEXIST ? OF_OK : OF_ERR_FLOW_MOD_TABLE_FULL;
}

/* ---- modify and delete ---- */

/* What a command does to each of the rules that it names. */
struct command {
	struct tables *tables;
	const struct flow_mod *mod;
	void (*apply)(struct command *command, struct rule *rule);
	uint32_t n;                  /* rules so far */
	struct instructions **fresh; /* of a modify: a copy for each */
};

static bool is_delete(const struct flow_mod *mod)
{
	return mod->command == FLOW_DELETE || mod->command == FLOW_DELETE_STRICT;
}

static void apply_if_named(void *ctx, struct cls_rule *cls)
{
	struct command *command = ctx;
	const struct flow_mod *mod = command->mod;
	struct rule *rule = rule_of(cls);

	if ((rule->cookie ^ mod->cookie) & mod->cookie_mask)
		return;
	if (is_delete(mod) && !(rule_outputs_to(rule, mod->out_port) && rule_names_group(rule, mod->out_group)))
		return;
	command->apply(command, rule);
	command->n++;
}

static void run(struct command *command, struct table *table)
{
	const struct flow_mod *mod = command->mod;
	struct rule *rule;

	command->n = 0;
	if (!table->cls)
		return;
	if (mod->command == FLOW_MODIFY || mod->command == FLOW_DELETE) {
		cls_each_within(table->cls, &mod->match, apply_if_named, command);
		return;
	}
	rule = find_exactly(table, mod);
	if (rule)
		apply_if_named(command, &rule->cls);
}

static void only_count(struct command *command, struct rule *rule)
{
}

static void modify_rule(struct command *command, struct rule *rule)
{
	struct tables *tables = command->tables;

	if (command->mod->flags & RULE_RESET_COUNTS)
		reset_counts(tables, rule);
	swap_instructions(tables, rule, &command->fresh[command->n]);
	tell(tables, tables->events.modified, rule);
}

static void free_all(struct instructions **list, uint32_t n)
{
	while (n)
		free(list[--n]);
	free(list);
}

/* All copies are made before the first rule is touched: a refused command changes nothing. */
static enum of_err modify(struct tables *tables, struct table *table, const struct flow_mod *mod)
{
	struct command command = {.tables = tables, .mod = mod, .apply = only_count};
	uint32_t n, n_copies = 0;

	run(&command, table);
	n = command.n;
	if (!n)
		return OF_OK;
	command.fresh = malloc(n * sizeof(*command.fresh));
	if (!command.fresh)
		return OF_ERR_FLOW_MOD_UNKNOWN;
	while (n_copies < n && (command.fresh[n_copies] = copy(mod->instructions)))
		n_copies++;
	if (n_copies == n) {
		command.apply = modify_rule;
		run(&command, table);
	}
	free_all(command.fresh, n_copies);
	return n_copies == n ? OF_OK : OF_ERR_FLOW_MOD_UNKNOWN;
}

static void delete_rule(struct command *command, struct rule *rule)
{
	table_remove_rule(command->tables, rule, RULE_DELETE);
}

static void remove_named(struct tables *tables, const struct flow_mod *mod)
{
	struct command command = {.tables = tables, .mod = mod, .apply = delete_rule};

	for (uint32_t i = 0; i < TABLES_MAX; i++) {
		if (mod->table_id == TABLE_ALL || mod->table_id == i)
			run(&command, &tables->tables[i]);
	}
}

static enum of_err check(const struct tables *tables, const struct flow_mod *mod)
{
	const struct instructions *instructions = mod->instructions;

	if (mod->command > FLOW_DELETE_STRICT)
		return OF_ERR_FLOW_MOD_BAD_COMMAND;
	if (mod->flags & ~FLAGS_KNOWN)
		return OF_ERR_FLOW_MOD_BAD_FLAGS;
	if (is_delete(mod))
		return OF_OK;
	if (mod->table_id == TABLE_ALL)
		return OF_ERR_FLOW_MOD_BAD_TABLE_ID;
	/* OF 1.3.5 §5.1: a frame goes forward only, and there is no table 255. */
	if (instructions->goes_on &&
		(instructions->goto_table <= mod->table_id || instructions->goto_table == TABLE_ALL))
		return OF_ERR_BAD_INSTRUCTION_BAD_TABLE_ID;
	return tables->events.check ? tables->events.check(tables->events.ctx, mod) : OF_OK;
}

enum of_err tables_flow_mod(struct tables *tables, const struct flow_mod *mod, uint64_t now_ns)
{
	enum of_err err = check(tables, mod);

	if (err)
		return err;
	switch (mod->command) {
	case FLOW_ADD:
		return add(tables, &tables->tables[mod->table_id], mod, now_ns);
	case FLOW_MODIFY:
	case FLOW_MODIFY_STRICT:
		return modify(tables, &tables->tables[mod->table_id], mod);
	default:
		remove_named(tables, mod);
		return OF_OK;
	}
}

/* ---- whole sets of rules ---- */

static void remove_if(
	struct tables *tables, enum rule_end end, uint32_t id, bool (*is_named)(const struct rule *rule, uint32_t id))
{
	for (uint32_t i = 0; i < TABLES_MAX; i++) {
		struct rule *next;

		for (struct rule *rule = tables->tables[i].first; rule; rule = next) {
			next = rule->next;
			if (is_named(rule, id))
				table_remove_rule(tables, rule, end);
		}
	}
}

static bool is_any(const struct rule *rule, uint32_t id)
{
	return true;
}

void tables_flush(struct tables *tables, enum rule_end end)
{
	remove_if(tables, end, 0, is_any);
}

/* Each that is taken out names it no longer. */
static void remove_naming(struct tables *tables, enum rule_end end, uint64_t what)
{
	struct rule *rule;

	while ((rule = naming_any(&tables->naming, what)))
		table_remove_rule(tables, rule, end);
}

void tables_group_gone(struct tables *tables, uint32_t group)
{
	remove_naming(tables, RULE_GROUP_DELETE, naming_group(group));
	if (group == GROUP_ALL || tables->naming.is_incomplete)
		remove_if(tables, RULE_GROUP_DELETE, group, rule_names_group);
}

static bool goes_through(const struct rule *rule, uint32_t meter)
{
	return meter == METER_ALL ? rule->instructions->meter : rule->instructions->meter == meter;
}

void tables_meter_gone(struct tables *tables, uint32_t meter)
{
	remove_naming(tables, RULE_METER_DELETE, naming_meter(meter));
	if (meter == METER_ALL || tables->naming.is_incomplete)
		remove_if(tables, RULE_METER_DELETE, meter, goes_through);
}
