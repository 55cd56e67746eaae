/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table.h - the flow tables of a bridge: its rules, and what a flow-mod does to them (OF 1.3.5 §5.2, §6.4).
 *
 * What: 255 tables of rules, each with a classifier. A flow-mod is checked whole before anything changes; what it
 * changes is told to the owner rule by rule, so that exactly the cached flows that it concerns are asked again.
 *
 * Life of a rule: added -> (modified) -> taken out of its table -> told by `removing`, upon which the owner harvests
 * what cached flows still count for it, now or after a grace period, and calls rule_free(). A rule that asked for it
 * (OFPFF_SEND_FLOW_REM) has its final counters then (S1).
 *
 * Changes in place: a rule that is added over one of the same match and priority (OF 1.3.5 §6.4) takes its place in the
 * same struct rule, and its turn in the order: instructions, cookie, timeouts, flags and age are new, counters are kept
 * but for RULE_RESET_COUNTS, and it is told as `modified`. A modify changes instructions alone.
 *
 * Order: a table's rules are also a list in order of insertion, which a cursor walks over many turns of the loop while
 * rules come and go (flow statistics of a million rules). A cursor never sees a rule twice; one that is added behind it
 * is seen, one that is removed before its turn is not.
 *
 * Memory: MEASURED 306 bytes a rule with five exact fields and one output, at a million rules.
 *
 * Ownership: tables own their rules until `removing`. Time is CLOCK_BOOTTIME, the caller's.
 */
#ifndef DATAPLANE_TABLE_H
#define DATAPLANE_TABLE_H

#include "dataplane/action.h"
#include "dataplane/classifier.h"
#include "dataplane/of_error.h"
#include "dataplane/tally.h"

#define TABLES_MAX      255 /* ids 0 to 254 */
#define TABLE_ALL       0xff
#define RULES_MAX       2000000 /* of a bridge, all tables together; OF_ERR_FLOW_MOD_TABLE_FULL beyond */
#define TABLE_NAME_SIZE 32

struct groups;
struct meters;
struct tables;

/* OFPFF_* */
enum {
	RULE_SEND_FLOW_REM = 1,
	RULE_CHECK_OVERLAP = 2,
	RULE_RESET_COUNTS = 4,
	RULE_NO_PKT_COUNTS = 8,
	RULE_NO_BYT_COUNTS = 16,
};

/* OFPRR_* */
enum rule_end { RULE_IDLE_TIMEOUT, RULE_HARD_TIMEOUT, RULE_DELETE, RULE_GROUP_DELETE, RULE_METER_DELETE };

struct match_shape;
#define MATCH_SHAPE_MAX 48

struct rule {
	struct tally tally;       /* its parent is its table's `matched` */
	struct rule *prev, *next; /* in its table, by insertion */
	uint64_t cookie;
	uint64_t created_ns;
	uint32_t due;            /* where it stands in the heap of those with timeouts; 0: it has none */
	uint16_t idle_s, hard_s; /* 0: none */
	uint16_t flags;          /* RULE_* */
	uint8_t table_id;
	uint8_t end; /* enum rule_end, when it was taken out */
	struct instructions *instructions;
	const struct match_shape *shape; /* mask, and fields as they were sent: match_shape.h */
	struct cls_rule cls;             /* the last: it has words behind it */
};

static inline struct rule *rule_of(const struct cls_rule *cls)
{
	return cls ? (struct rule *)((char *)cls - offsetof(struct rule, cls)) : NULL;
}

struct table {
	uint8_t id;
	char name[TABLE_NAME_SIZE]; /* by table features; "" at first */
	struct classifier *cls;     /* NULL: it never had a rule */
	struct rule *first, *last;  /* by insertion */
	uint32_t n_rules;
	uint32_t max_rules; /* by table features */
	uint32_t config;    /* of a table-mod; kept and told, OF 1.3.5 §7.3.3 gives it no meaning */
	struct tally matched;
	struct tally missed; /* no rule matched; lookups are the sum of both */
};

/* OFPFC_* */
enum flow_mod_command { FLOW_ADD, FLOW_MODIFY, FLOW_MODIFY_STRICT, FLOW_DELETE, FLOW_DELETE_STRICT };

struct flow_mod {
	uint64_t cookie, cookie_mask;
	uint8_t table_id; /* TABLE_ALL: of a delete */
	uint8_t command;  /* enum flow_mod_command */
	uint16_t idle_s, hard_s;
	uint16_t priority;
	uint16_t flags;     /* RULE_* */
	uint32_t buffer_id; /* not looked at here */
	uint32_t out_port;  /* OF_PORT_ANY: any */
	uint32_t out_group; /* GROUP_ANY: any */
	struct flow_match match;
	uint32_t n_fields; /* of the match, as sent: field << 1 | has_mask, in order */
	uint16_t fields[MATCH_SHAPE_MAX];
	struct instructions *instructions; /* borrowed; of an add or modify */
};

/* Any may be NULL; without `removing` a rule that is out is freed. */
struct tables_events {
	void *ctx;
	/* A rule is in, or has got other instructions: what is cached may be wrong. */
	void (*added)(void *ctx, struct rule *rule);
	void (*modified)(void *ctx, struct rule *rule);
	/* A rule is out, for rule->end. It is the callee's now. */
	void (*removing)(void *ctx, struct rule *rule);
	/* OF_OK if a rule of this table and match may hold these instructions: ports, groups, meters, prerequisites. */
	enum of_err (*check)(void *ctx, const struct flow_mod *mod);
	/* Counts of cached flows are harvested into the rule: before its idle time is judged, or they are reset. */
	void (*refresh)(void *ctx, struct rule *rule);
};

/* Borrows groups and meters, whose counts of references it keeps. NULL: out of memory. */
struct tables *tables_create(struct groups *groups, struct meters *meters, const struct tables_events *events);
/* Rules still there are freed without a word. */
void tables_destroy(struct tables *tables);

enum of_err tables_flow_mod(struct tables *tables, const struct flow_mod *mod, uint64_t now_ns);
/* Removes every rule, or those that name this group or meter, in whatever place. */
void tables_flush(struct tables *tables, enum rule_end end);
void tables_group_gone(struct tables *tables, uint32_t group); /* GROUP_ALL: any group */
void tables_meter_gone(struct tables *tables, uint32_t meter); /* METER_ALL: any meter */

/*
 * Takes out what is due, up to a few thousand rules a call. Returns when to call again, which is not later than
 * `now_ns` where there was more; 0: no rule has a timeout.
 */
uint64_t tables_expire(struct tables *tables, uint64_t now_ns);

/* Frees a rule that was given to `removing`. */
void rule_free(struct tables *tables, struct rule *rule);
void rule_match(const struct rule *rule, struct flow_match *ret);
/* field << 1 | has_mask, in the order to echo; returns how many. */
uint32_t rule_fields(const struct rule *rule, uint16_t ret[MATCH_SHAPE_MAX]);
bool rule_outputs_to(const struct rule *rule, uint32_t of_port); /* OF_PORT_ANY: yes */
bool rule_names_group(const struct rule *rule, uint32_t group);  /* GROUP_ANY: yes */

struct table *tables_table(struct tables *tables, uint8_t id); /* ids 0 to 254; never NULL */
uint32_t tables_count(const struct tables *tables);

/* Which rules a statistics request or a delete is about. */
struct rule_filter {
	uint8_t table_id; /* TABLE_ALL */
	uint32_t out_port, out_group;
	uint64_t cookie, cookie_mask;
	struct flow_match match; /* non-strict */
};
bool rule_passes(const struct rule *rule, const struct rule_filter *filter);

/* A walk over the rules that pass; it may be left lying for as long as it takes. */
struct rule_cursor {
	struct tables *tables;
	struct rule_filter filter;
	struct rule *at; /* next to be looked at in table `table_id` */
	uint16_t table_id;
	struct rule_cursor *prev, *next; /* all cursors: a rule that goes moves those that stand at it */
};
void rule_cursor_begin(struct rule_cursor *cursor, struct tables *tables, const struct rule_filter *filter);
/* Looks at up to `budget` rules, counting down: NULL with a budget left: the end; NULL with none: call again. */
struct rule *rule_cursor_next(struct rule_cursor *cursor, uint32_t *budget);
void rule_cursor_end(struct rule_cursor *cursor);

#endif
