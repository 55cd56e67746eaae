/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/table_parts.h"

#include "dataplane/group.h"
#include "dataplane/meter.h"

#include <stdlib.h>
#include <string.h>

#define ACTIONS_COMPARED 64 /* the actions before one in which the same group is sought */

void rule_free(struct tables *tables, struct rule *rule)
{
	if (rule->shape)
		match_shape_put(&tables->shapes, rule->shape);
	free(rule->instructions);
	free(rule);
}

/* ---- match ---- */

/* Also of a rule that is out of its table, when the classifier knows it no longer. */
void rule_match(const struct rule *rule, struct flow_match *ret)
{
	const uint64_t *word = rule->cls.words;

	ret->mask = rule->shape->mask;
	for (int w = 0; w < FLOW_WORDS; w++)
		ret->key.w[w] = ret->mask.w[w] ? *word++ : 0;
}

/* Whether the match looks at bits of the field that no field before it has accounted for. */
static bool is_new_in(enum field_id field, const struct flow_match *match, struct flow *covered)
{
	struct flow bits = {0};
	uint64_t fresh = 0;

	flow_look(&bits, field);
	for (int w = 0; w < FLOW_WORDS; w++) {
		fresh |= match->mask.w[w] & bits.w[w] & ~covered->w[w];
		bits.w[w] |= covered->w[w];
	}
	if (!fresh || field_row(field)->oxm < 0 || !field_prerequisite_met(field, match))
		return false;
	*covered = bits;
	return true;
}

static bool has_mask(enum field_id field, const struct flow *mask)
{
	struct flow all = {0};

	flow_look(&all, field);
	for (int w = 0; w < FLOW_WORDS; w++) {
		if (all.w[w] & ~mask->w[w])
			return true;
	}
	return false;
}

/* In field.def's order, of a match that no controller has sent. */
static uint32_t fields_of(const struct rule *rule, uint16_t ret[MATCH_SHAPE_MAX])
{
	struct flow_match match;
	struct flow covered = {0};
	uint32_t n = 0;

	rule_match(rule, &match);
	for (enum field_id field = 0; field < N_FIELDS && n < MATCH_SHAPE_MAX; field++) {
		if (is_new_in(field, &match, &covered))
			ret[n++] = (uint16_t)(field << 1 | has_mask(field, &match.mask));
	}
	return n;
}

uint32_t rule_fields(const struct rule *rule, uint16_t ret[MATCH_SHAPE_MAX])
{
	if (!rule->shape->n_fields)
		return fields_of(rule, ret);
	memcpy(ret, rule->shape->fields, rule->shape->n_fields * sizeof(*ret));
	return rule->shape->n_fields;
}

/* ---- instructions ---- */

static bool has_action(const struct instructions *instructions, enum action_type type, uint32_t arg, bool any)
{
	uint32_t n = (uint32_t)instructions->n_apply + instructions->n_write;

	for (uint32_t i = 0; i < n; i++) {
		const struct action *action = &instructions->actions[i];

		if (action->type == type && (any || action->arg == arg))
			return true;
	}
	return false;
}

bool rule_outputs_to(const struct rule *rule, uint32_t of_port)
{
	return of_port == OF_PORT_ANY || has_action(rule->instructions, ACTION_OUTPUT, of_port, false);
}

bool rule_names_group(const struct rule *rule, uint32_t group)
{
	return group == GROUP_ANY || has_action(rule->instructions, ACTION_GROUP, group, group == GROUP_ALL);
}

static bool is_named_before(const struct action *actions, uint32_t i)
{
	for (uint32_t back = 1; back <= i && back <= ACTIONS_COMPARED; back++) {
		if (actions[i - back].type == ACTION_GROUP && actions[i - back].arg == actions[i].arg)
			return true;
	}
	return false;
}

static void hold(struct tables *tables, struct rule *rule, bool on)
{
	const struct instructions *instructions = rule->instructions;
	void (*name)(struct naming *, uint64_t, struct rule *) = on ? naming_add : naming_remove;
	uint32_t n = (uint32_t)instructions->n_apply + instructions->n_write;

	for (uint32_t i = 0; i < n; i++) {
		const struct action *action = &instructions->actions[i];

		if (action->type != ACTION_GROUP || is_named_before(instructions->actions, i))
			continue;
		groups_hold(tables->groups, action->arg, on ? 1 : -1);
		name(&tables->naming, naming_group(action->arg), rule);
	}
	if (instructions->meter) {
		meters_hold(tables->meters, instructions->meter, on ? 1 : -1);
		name(&tables->naming, naming_meter(instructions->meter), rule);
	}
}

void instructions_hold(struct tables *tables, struct rule *rule)
{
	hold(tables, rule, true);
}

void instructions_let_go(struct tables *tables, struct rule *rule)
{
	hold(tables, rule, false);
}

/* ---- filters ---- */

static bool is_within(const struct rule *rule, const struct flow_match *match)
{
	const uint64_t *word = rule->cls.words;
	uint64_t differs = 0;

	for (int w = 0; w < FLOW_WORDS; w++) {
		uint64_t mask = rule->shape->mask.w[w], key = mask ? *word++ : 0;

		differs |= match->mask.w[w] & (~mask | (key ^ match->key.w[w]));
	}
	return !differs;
}

bool rule_passes(const struct rule *rule, const struct rule_filter *filter)
{
	return (filter->table_id == TABLE_ALL || rule->table_id == filter->table_id) &&
	       !((rule->cookie ^ filter->cookie) & filter->cookie_mask) && rule_outputs_to(rule, filter->out_port) &&
	       rule_names_group(rule, filter->out_group) && is_within(rule, &filter->match);
}

/* ---- cursors ---- */

/*
 * A cursor at NULL stands at the end of table `table_id`, and stays there until it is asked again: a rule that is added
 * to that table before then lies ahead of it.
 */
static void enter(struct rule_cursor *cursor, uint32_t table_id)
{
	cursor->table_id = (uint16_t)table_id;
	cursor->at = table_id < TABLES_MAX ? cursor->tables->tables[table_id].first : NULL;
}

void rule_cursor_begin(struct rule_cursor *cursor, struct tables *tables, const struct rule_filter *filter)
{
	*cursor = (struct rule_cursor){.tables = tables, .filter = *filter, .next = tables->cursors};
	if (cursor->next)
		cursor->next->prev = cursor;
	tables->cursors = cursor;
	enter(cursor, filter->table_id == TABLE_ALL ? 0 : filter->table_id);
}

void rule_cursor_end(struct rule_cursor *cursor)
{
	if (cursor->next)
		cursor->next->prev = cursor->prev;
	if (cursor->prev)
		cursor->prev->next = cursor->next;
	else
		cursor->tables->cursors = cursor->next;
}

/* To where there is a rule; false: there is none left. */
static bool move_on(struct rule_cursor *cursor)
{
	while (!cursor->at && cursor->table_id < TABLES_MAX)
		enter(cursor, cursor->filter.table_id == TABLE_ALL ? cursor->table_id + 1u : TABLES_MAX);
	return cursor->at;
}

struct rule *rule_cursor_next(struct rule_cursor *cursor, uint32_t *budget)
{
	while (*budget && move_on(cursor)) {
		struct rule *rule = cursor->at;

		cursor->at = rule->next;
		--*budget;
		if (rule_passes(rule, &cursor->filter))
			return rule;
	}
	return NULL;
}

void cursors_rule_added(struct tables *tables, struct rule *rule)
{
	for (struct rule_cursor *cursor = tables->cursors; cursor; cursor = cursor->next) {
		if (!cursor->at && cursor->table_id == rule->table_id)
			cursor->at = rule;
	}
}

void cursors_rule_removing(struct tables *tables, struct rule *rule)
{
	for (struct rule_cursor *cursor = tables->cursors; cursor; cursor = cursor->next) {
		if (cursor->at == rule)
			cursor->at = rule->next;
	}
}
