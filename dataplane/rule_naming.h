/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rule_naming.h - which rules name a group or a meter.
 *
 * With a group go the rules that name it (OF 1.3.5 §6.7); to look for them among a million others would stop the loop
 * for tens of milliseconds a group. One hash has both: for each (what, rule) a node, for each `what` a head of the list
 * of its nodes. It grows by a bucket with a node (linear hashing), so that no insertion moves all of it.
 *
 * It is an aid: where memory fails it says that it is incomplete, and the rules are gone through.
 */
#ifndef DATAPLANE_RULE_NAMING_H
#define DATAPLANE_RULE_NAMING_H

#include <stdbool.h>
#include <stdint.h>

struct rule;
struct naming_node;

/* All zero: empty. */
struct naming {
	struct naming_node **buckets;
	uint32_t n, n_buckets;
	uint32_t half; /* the power of two with half < n_buckets <= 2 * half; there is room for 2 * half */
	bool is_incomplete;
};

static inline uint64_t naming_group(uint32_t id)
{
	return id;
}

static inline uint64_t naming_meter(uint32_t id)
{
	return 1ULL << 32 | id;
}

void naming_free(struct naming *naming);

/* A pair may be in several times, and is to be removed as often; one that is not in may be removed. */
void naming_add(struct naming *naming, uint64_t what, struct rule *rule);
void naming_remove(struct naming *naming, uint64_t what, struct rule *rule);

/* Any rule that names it; NULL: none. */
struct rule *naming_any(const struct naming *naming, uint64_t what);

#endif
