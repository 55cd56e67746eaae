/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table_parts.h - what table.c, table_expire.c, rule.c and match_shape.c have in common, and nobody else sees.
 */
#ifndef DATAPLANE_TABLE_PARTS_H
#define DATAPLANE_TABLE_PARTS_H

#include "dataplane/match_shape.h"
#include "dataplane/rule_naming.h"
#include "dataplane/table.h"

/* When a rule is to be looked at: never later than it is due, perhaps earlier, since frames put its idle timeout off.
 */
struct deadline {
	uint64_t at_ns;
	struct rule *rule;
};

struct tables {
	struct groups *groups;
	struct meters *meters;
	struct tables_events events;
	struct match_shapes shapes;
	struct rule_cursor *cursors;
	uint32_t n_rules;
	struct naming naming;
	/* A binary heap, the earliest at 1; rule->due is its place. There is room for every rule that has a place. */
	struct deadline *deadlines;
	uint32_t n_deadlines, size_deadlines;
	struct table tables[TABLES_MAX];
};

/* Takes a rule out of its table and gives it away (`removing`). */
void table_remove_rule(struct tables *tables, struct rule *rule, enum rule_end end);

/* Makes room for one deadline more than there are. False: out of memory. */
bool deadlines_reserve(struct tables *tables);
/* After the timeouts of a rule have been set; there is room. */
void deadline_set(struct tables *tables, struct rule *rule);
void deadline_clear(struct tables *tables, struct rule *rule);

/* A rule is in its table's list now, or will be out of it. */
void cursors_rule_added(struct tables *tables, struct rule *rule);
void cursors_rule_removing(struct tables *tables, struct rule *rule);

/* What the instructions of a rule in its table name is counted by it, once, and knows the rule; or no longer. */
void instructions_hold(struct tables *tables, struct rule *rule);
void instructions_let_go(struct tables *tables, struct rule *rule);

#endif
