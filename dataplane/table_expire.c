/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/table_parts.h"

#include <stdlib.h>

#define NS_PER_S   1000000000ULL
#define FIRST_SIZE 64
#define LOOKS_MAX  4096 /* a call: so many rules at once do not stop the loop */

/* ---- the heap ---- */

bool deadlines_reserve(struct tables *tables)
{
	uint32_t size = tables->size_deadlines ? tables->size_deadlines * 2 : FIRST_SIZE;
	struct deadline *deadlines;

	/* The place 0 stays empty. */
	if (tables->n_deadlines + 1 < tables->size_deadlines)
		return true;
	deadlines = realloc(tables->deadlines, size * sizeof(*deadlines));
	if (!deadlines)
		return false;
	tables->deadlines = deadlines;
	tables->size_deadlines = size;
	return true;
}

static void put_at(struct tables *tables, uint32_t i, struct deadline deadline)
{
	tables->deadlines[i] = deadline;
	deadline.rule->due = i;
}

/* The place `i` is free: finds the one for the deadline, upwards or downwards from there. */
static void settle_from(struct tables *tables, uint32_t i, struct deadline deadline)
{
	struct deadline *heap = tables->deadlines;

	for (; i > 1 && deadline.at_ns < heap[i / 2].at_ns; i /= 2)
		put_at(tables, i, heap[i / 2]);
	for (;;) {
		uint32_t child = 2 * i;

		if (child < tables->n_deadlines && heap[child + 1].at_ns < heap[child].at_ns)
			child++;
		if (child > tables->n_deadlines || deadline.at_ns <= heap[child].at_ns)
			break;
		put_at(tables, i, heap[child]);
		i = child;
	}
	put_at(tables, i, deadline);
}

void deadline_clear(struct tables *tables, struct rule *rule)
{
	uint32_t i = rule->due;
	struct deadline last;

	if (!i)
		return;
	rule->due = 0;
	last = tables->deadlines[tables->n_deadlines--];
	if (last.rule != rule)
		settle_from(tables, i, last);
}

/* ---- when ---- */

static uint64_t hard_ns(const struct rule *rule)
{
	return rule->hard_s ? rule->created_ns + rule->hard_s * NS_PER_S : UINT64_MAX;
}

static uint64_t idle_ns(const struct rule *rule)
{
	uint64_t used_ns = rule->tally.used_ns > rule->created_ns ? rule->tally.used_ns : rule->created_ns;

	return rule->idle_s ? used_ns + rule->idle_s * NS_PER_S : UINT64_MAX;
}

static uint64_t due_ns(const struct rule *rule)
{
	uint64_t hard = hard_ns(rule), idle = idle_ns(rule);

	return idle < hard ? idle : hard;
}

void deadline_set(struct tables *tables, struct rule *rule)
{
	struct deadline deadline = {due_ns(rule), rule};

	if (!rule->idle_s && !rule->hard_s)
		deadline_clear(tables, rule);
	else
		settle_from(tables, rule->due ? rule->due : ++tables->n_deadlines, deadline);
}

/* Its stored time has come. */
static void look_at(struct tables *tables, struct rule *rule, uint64_t now_ns)
{
	if (rule->idle_s && tables->events.refresh)
		tables->events.refresh(tables->events.ctx, rule);
	if (due_ns(rule) > now_ns)
		deadline_set(tables, rule);
	else
		table_remove_rule(tables, rule, idle_ns(rule) < hard_ns(rule) ? RULE_IDLE_TIMEOUT : RULE_HARD_TIMEOUT);
}

uint64_t tables_expire(struct tables *tables, uint64_t now_ns)
{
	for (uint32_t n = 0; n < LOOKS_MAX; n++) {
		if (!tables->n_deadlines || tables->deadlines[1].at_ns > now_ns)
			break;
		look_at(tables, tables->deadlines[1].rule, now_ns);
	}
	return tables->n_deadlines ? tables->deadlines[1].at_ns : 0;
}
