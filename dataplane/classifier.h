/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * classifier.h - the rule of highest priority that matches a flow, and every bit that had to be looked at to know it.
 *
 * What: tuple space search. Rules with the same mask share a subtable, a hash of masked flows; subtables are tried from
 * the highest priority that they hold downwards, and the search stops where no subtable left can beat what was found.
 * Why: insertion and removal are a hash operation, whatever the number of rules; tries and decision trees are not.
 *
 * Few bits: a megaflow is as wide as the bits that were not looked at. So a subtable is looked at in stages (what the
 * pipeline knows, then layer 2, 3, 4), and the search ends, and with it what is looked at, at the first stage at which
 * no rule of the subtable is left; and a trie for each of ip_src, ip_dst (IPv4's in the first four bytes, IPv6) and the
 * two ports tells how many bits of it decide that no prefix of a subtable matches, so that the subtable is passed over
 * for those bits alone.
 *
 * Invariants
 * L1 The answer is that of trying every rule in order of priority.
 * L2 Un-wildcarding: for every flow f2 that agrees with f in the bits added to `wc`, the answer is the same.
 * L3 What is added to `wc` is a function of the bits in it: f2 would have the same added. So an answer that is asked
 * again for a key of which only those bits are left has the mask that it had. Safe error: too many bits in `wc` (a
 * narrower megaflow). Unsafe error: too few (a security hole).
 *
 * Ties: of two matching rules of one priority the one inserted first wins (OF 1.3.5 §5.3 leaves it open).
 *
 * Cost: a rule holds the words of its flow that its mask looks at, no more: struct cls_rule is the last member of
 * whatever the owner allocates, with cls_rule_size() bytes. Masks are shared by the rules of a subtable.
 *
 * Ownership: rules are the caller's; a rule must not change while it is in.
 */
#ifndef DATAPLANE_CLASSIFIER_H
#define DATAPLANE_CLASSIFIER_H

#include "dataplane/flow.h"

struct classifier;
struct cls_subtable;

/* The classifier's own, but for reading the priority. */
struct cls_rule {
	const struct cls_subtable *subtable; /* NULL: not in */
	struct cls_rule *next;
	uint32_t serial;
	uint16_t priority;
	uint16_t serial_high;
	uint64_t words[]; /* the flow's words that the mask looks at, ascending; they stay after cls_remove() */
};

/* Bytes of a cls_rule for this mask, its words among them. */
size_t cls_rule_size(const struct flow *mask);

/* NULL: out of memory. */
struct classifier *cls_create(void);
/* Rules that are still in are let go, not freed. */
void cls_destroy(struct classifier *cls);

/* `rule` has room for this mask. -EEXIST: a rule of the same match and priority is in. -ENOMEM. */
int cls_insert(struct classifier *cls, struct cls_rule *rule, const struct flow_match *match, uint16_t priority);
void cls_remove(struct classifier *cls, struct cls_rule *rule);

/* The match of a rule that is in. */
void cls_match(const struct cls_rule *rule, struct flow_match *ret);
const struct flow *cls_mask(const struct cls_rule *rule);

/* NULL: none. */
struct cls_rule *cls_find_exactly(const struct classifier *cls, const struct flow_match *match, uint16_t priority);

/* NULL: no rule matches. ORs the bits it looked at into *wc (which may be NULL). Pure. */
struct cls_rule *cls_lookup(const struct classifier *cls, const struct flow *flow, struct flow *wc);

/* Whether one flow could match both (OFPFF_CHECK_OVERLAP, OF 1.3.5 §6.4): a rule of this priority that does; NULL. */
struct cls_rule *cls_find_overlap(const struct classifier *cls, const struct flow_match *match, uint16_t priority);

uint32_t cls_count(const struct classifier *cls);
/* In no order. `each` must not insert or remove; it may free the rule when cls_destroy() is the next call. */
void cls_each(const struct classifier *cls, void (*each)(void *ctx, struct cls_rule *rule), void *ctx);
/*
 * Those whose match is at least as narrow: they look at every bit of match->mask and have its value there (the rules
 * that a non-strict command names, OF 1.3.5 §6.4). Subtables whose masks do not fit are passed over, and where the mask
 * is a subtable's own it is a hash operation. `each` must not insert, and may remove and free only what it is given.
 */
void cls_each_within(const struct classifier *cls, const struct flow_match *match,
	void (*each)(void *ctx, struct cls_rule *rule), void *ctx);

#endif
