/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * classifier.h - the rule of highest priority that matches a key, and every bit that had to be looked at to know it.
 *
 * What: tuple space search. Rules with the same mask share a subtable, a hash of masked keys; subtables are tried from
 * the highest priority that they hold downwards, and the search stops where no subtable left can beat what was found.
 * Why: insertion and removal are a hash operation, whatever the number of rules; tries and decision trees are not.
 *
 * Invariants
 * L1 The answer is that of trying every rule in order of priority.
 * L2 Un-wildcarding: for every key k2 that agrees with k in the bits added to `wc`, the answer is the same. A subtable
 *    that was probed, hit or miss, adds its mask.
 * Safe error: too many bits in `wc` (a narrower megaflow). Unsafe error: too few (a security hole).
 *
 * Ties: of two matching rules of one priority the one inserted first wins (OpenFlow 1.3.5 §5.3 leaves it open).
 * Ownership: rules are the caller's, linked in by their first member; a rule must not change while it is in.
 */
#ifndef DATAPLANE_CLASSIFIER_H
#define DATAPLANE_CLASSIFIER_H

#include "dataplane/flow.h"

struct classifier;

struct cls_rule {
	struct flow_match match;
	uint16_t priority;
	/* The classifier's own. */
	uint64_t serial;
	struct cls_rule *next;
};

/* NULL: out of memory. */
struct classifier *cls_create(void);
/* Rules that are still in are let go, not freed. */
void cls_destroy(struct classifier *cls);

/* -EEXIST: a rule of the same match and priority is in. -ENOMEM. */
int cls_insert(struct classifier *cls, struct cls_rule *rule);
void cls_remove(struct classifier *cls, struct cls_rule *rule);

/* NULL: none. */
struct cls_rule *cls_find_exactly(const struct classifier *cls, const struct flow_match *match, uint16_t priority);

/* NULL: no rule matches. ORs the bits it looked at into *wc (which may be NULL). Pure. */
struct cls_rule *cls_lookup(const struct classifier *cls, const struct sw_key *key, struct sw_key *wc);

uint32_t cls_count(const struct classifier *cls);
/* In no order. `each` must not insert or remove; it may free the rule when cls_destroy() is the next call. */
void cls_each(const struct classifier *cls, void (*each)(void *ctx, struct cls_rule *rule), void *ctx);

#endif
