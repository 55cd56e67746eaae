/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table_lab.h - tables, groups and meters, rules for them, and a log of what the tables tell.
 */
#ifndef TESTS_TABLE_LAB_H
#define TESTS_TABLE_LAB_H

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

static inline void log_entry(enum told told, struct rule *rule)
{
	ck_assert_uint_lt(world.n_log, N_LOG);
	world.log[world.n_log++] = (struct entry){told, rule};
}

static inline void on_added(void *ctx, struct rule *rule)
{
	log_entry(TOLD_ADDED, rule);
}

static inline void on_modified(void *ctx, struct rule *rule)
{
	log_entry(TOLD_MODIFIED, rule);
}

static inline void on_removing(void *ctx, struct rule *rule)
{
	log_entry(TOLD_REMOVED, rule);
}

static inline enum of_err on_check(void *ctx, const struct flow_mod *mod)
{
	return world.check_says;
}

static inline void on_refresh(void *ctx, struct rule *rule)
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

static inline void clear_log(void)
{
	for (uint32_t i = 0; i < world.n_log; i++) {
		if (world.log[i].told == TOLD_REMOVED)
			rule_free(world.tables, world.log[i].rule);
	}
	world.n_log = world.n_want = 0;
}

static inline void start(bool is_told)
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

static inline void setup(void)
{
	start(true);
}

static inline void teardown(void)
{
	clear_log();
	tables_destroy(world.tables);
	groups_destroy(world.groups);
	meters_destroy(world.meters);
}

/* ---- flow-mods from text ---- */

static inline enum of_err send(const struct flow_mod *mod)
{
	return tables_flow_mod(world.tables, mod, world.now_ns);
}

/* ---- comparing ---- */

static inline void setup_quiet(void)
{
	start(false);
}

#endif
