/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * group.h - the groups of a bridge (OF 1.3.5 §5.6, §6.7).
 *
 * All four types, chained. Which buckets of a select group a flow takes is decided by a hash over weighted buckets, so
 * that a flow stays with its bucket while that is live, and few flows move when a bucket comes or goes (highest random
 * weight). A fast-failover group takes the first bucket that is live: a bucket is live if the port it watches is up, or
 * the group it watches has a live bucket; a bucket that watches nothing (only in the other types) is live.
 *
 * Invariant: the groups that buckets name or watch form no cycle (GROUP_MOD_LOOP), each of them exists, and no chain is
 * longer than GROUP_CHAIN_LIMIT (GROUP_MOD_CHAINING_UNSUPPORTED), so that walks along chains may be recursive.
 *
 * Weights: where no bucket of a select group has one, all are equal; else one of 0 is never chosen. A weight in a group
 * of another type is refused (OF 1.3.5 §6.7).
 *
 * Ownership: a group's buckets and actions are copies. Pointers handed out are borrowed until the next change.
 */
#ifndef DATAPLANE_GROUP_H
#define DATAPLANE_GROUP_H

#include "bpf/abi.h"
#include "dataplane/action.h"
#include "dataplane/of_error.h"
#include "dataplane/tally.h"

#define GROUP_MAX           0xffffff00u /* OFPG_MAX */
#define GROUP_ALL           0xfffffffcu
#define GROUP_ANY           0xffffffffu
#define GROUPS_LIMIT        65536
#define GROUP_BUCKETS_LIMIT 256
#define GROUP_CHAIN_LIMIT   64
#define GROUP_FORKS_LIMIT   (SW_MAX_FORKS / 2) /* flows that do different things around a group need a fork each */

enum group_type { GROUP_TYPE_ALL, GROUP_TYPE_SELECT, GROUP_TYPE_INDIRECT, GROUP_TYPE_FF }; /* OFPGT_* */

struct bucket {
	struct tally tally;
	uint16_t weight;
	uint32_t watch_port;  /* OF_PORT_ANY: none */
	uint32_t watch_group; /* GROUP_ANY: none */
	struct actions actions;
};

struct group {
	struct tally tally;
	uint32_t id;
	uint8_t type; /* enum group_type */
	uint32_t n_buckets;
	struct bucket *buckets;
	uint64_t created_ns;
	uint32_t n_refs; /* rules and groups that name it, each once (OF 1.3.5 §7.3.5.10) */
};

struct group_mod {
	uint16_t command; /* OFPGC_ADD 0, MODIFY 1, DELETE 2 */
	uint8_t type;
	uint32_t id;
	uint32_t n_buckets;
	const struct bucket *buckets; /* tallies are not looked at; borrowed */
};

struct groups;

struct groups_events {
	void *ctx;
	/* Before it changes or goes, and the tallies of its buckets with it: whoever is linked to them lets go. */
	void (*changing)(void *ctx, struct group *group);
	/* OF_OK if a bucket may hold these actions. */
	enum of_err (*check)(void *ctx, const struct actions *actions);
	bool (*port_is_live)(void *ctx, uint32_t of_port);
	/* Behind `changing`, before it goes: its own tally goes too. May be NULL. */
	void (*going)(void *ctx, struct group *group);
	/* A group that others watch has changed: another bucket of those may be the live one. Or groups_may_fork() has.
	 * May be NULL. */
	void (*liveness_changed)(void *ctx);
};

/* NULL: out of memory. */
struct groups *groups_create(const struct groups_events *events);
void groups_destroy(struct groups *groups);

/*
 * Deletes also GROUP_ALL, but not a group that others name (GROUP_MOD_CHAINED_GROUP). Upon OF_OK the caller removes the
 * rules that name what was deleted (OF 1.3.5 §6.7, tables_group_gone()). A modified group keeps its own counters, its
 * buckets' begin anew.
 */
enum of_err groups_mod(struct groups *groups, const struct group_mod *mod, uint64_t now_ns);

struct group *groups_find(const struct groups *groups, uint32_t id); /* NULL: none */
struct group *groups_next(const struct groups *groups, uint32_t id); /* of the next id; walk from GROUP_ANY */
uint32_t groups_count(const struct groups *groups);
void groups_hold(struct groups *groups, uint32_t id, int change);

bool bucket_is_live(const struct groups *groups, const struct bucket *bucket);
/* The bucket for a flow of this hash, live ones only; NULL: none is live. */
struct bucket *group_select(const struct groups *groups, struct group *group, uint64_t hash);
struct bucket *group_first_live(const struct groups *groups, struct group *group);
/*
 * Whether the group chooses so that the program can do it too: between few buckets, and, of a select group, by the slot
 * of a table of SW_FORK_SLOTS, since none of its weights is too small for that. group_select() of such a group looks at
 * the slot of the hash alone (bpf/select.h).
 */
bool group_is_fork(const struct group *group);
/* There are no more of these groups than the program has room for: else none of them is chosen from there. */
bool groups_may_fork(const struct groups *groups);
/* The table: for each slot the place of the bucket among those of `live` (bit i: bucket i), or n_buckets: none. With
 * `only_dead` those slots alone whose bucket is not live any more. */
void group_spread(const struct group *group, uint32_t live, bool only_dead, uint8_t slots[SW_FORK_SLOTS]);
/* Whether a bucket's own actions name this port. */
bool group_outputs_to(const struct group *group, uint32_t of_port);
/* Bit i: bucket i is live. Of the first 32. */
uint32_t group_live_buckets(const struct groups *groups, const struct group *group);

#endif
