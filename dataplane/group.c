/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/group.h"

#include "bpf/select.h"
#include "dataplane/group_weigh.h"
#include "dataplane/id_map.h"

#include <stdlib.h>
#include <string.h>

enum { GROUP_ADD, GROUP_MODIFY, GROUP_DELETE }; /* OFPGC_* */

/* What a group-mod brings, in one block of memory: buckets, then the rest. */
struct content {
	struct bucket *buckets; /* NULL: none */
	uint64_t *seeds;        /* one a bucket: who it is, for group_select() */
	struct node **targets;  /* the groups that its buckets name, each once */
	uint32_t n_targets;
	bool is_unweighted;
	bool is_slotted; /* see group_is_fork() */
};

struct node {
	struct group group; /* what is handed out: the first */
	struct content content;
	uint32_t n_naming; /* groups that have it among their targets */
	uint32_t height;   /* of the chains that begin here the longest, in groups; at most GROUP_CHAIN_LIMIT */
	uint32_t visit;    /* the last walk that came by, and what it found */
	bool found;
};

struct groups {
	struct groups_events events;
	struct id_map map; /* to struct node */
	uint32_t visit;    /* the number of the last walk */
	uint32_t n_forks;  /* of group_is_fork() */
};

struct groups *groups_create(const struct groups_events *events)
{
	struct groups *groups = calloc(1, sizeof(*groups));

	if (groups)
		groups->events = *events;
	return groups;
}

static void node_free(struct node *node)
{
	if (!node)
		return;
	free(node->content.buckets);
	free(node);
}

void groups_destroy(struct groups *groups)
{
	if (!groups)
		return;
	for (uint32_t i = 0; i < groups->map.n; i++)
		node_free(groups->map.values[i]);
	id_map_free(&groups->map);
	free(groups);
}

static struct node *find(const struct groups *groups, uint32_t id)
{
	return id_map_find(&groups->map, id);
}

/* ---- walks along the chains ---- */

/*
 * Two groups of two buckets each that name the next one make 2^n ways through n groups: a walk comes by each group
 * once. The marks are no part of what a group is, and so may be set in a const one.
 */
static uint32_t begin_walk(const struct groups *groups)
{
	struct groups *mutable = (struct groups *)groups;

	if (!++mutable->visit) {
		for (uint32_t i = 0; i < groups->map.n; i++)
			((struct node *)groups->map.values[i])->visit = 0;
		mutable->visit = 1;
	}
	return mutable->visit;
}

/* Whether it is new to this walk. */
static bool come_by(struct node *node, uint32_t visit)
{
	bool is_new = node->visit != visit;

	node->visit = visit;
	return is_new;
}

static bool reaches(struct node *from, const struct node *to, uint32_t visit)
{
	if (from == to)
		return true;
	if (!come_by(from, visit))
		return false;
	for (uint32_t i = 0; i < from->content.n_targets; i++) {
		if (reaches(from->content.targets[i], to, visit))
			return true;
	}
	return false;
}

static uint32_t height_over(const struct content *content)
{
	uint32_t height = 1;

	for (uint32_t i = 0; i < content->n_targets; i++) {
		if (content->targets[i]->height >= height)
			height = content->targets[i]->height + 1;
	}
	return height;
}

static uint32_t measure(struct node *node, uint32_t visit)
{
	if (!come_by(node, visit))
		return node->height;
	for (uint32_t i = 0; i < node->content.n_targets; i++)
		measure(node->content.targets[i], visit);
	node->height = height_over(&node->content);
	return node->height;
}

/* Of all groups anew: that of those that name a modified one has changed too. Returns the highest. */
static uint32_t measure_all(struct groups *groups)
{
	uint32_t visit = begin_walk(groups), highest = 0;

	for (uint32_t i = 0; i < groups->map.n; i++) {
		uint32_t height = measure(groups->map.values[i], visit);

		if (height > highest)
			highest = height;
	}
	return highest;
}

/* ---- what a group-mod brings ---- */

static enum of_err check_shape(const struct group_mod *mod)
{
	if (mod->id > GROUP_MAX)
		return OF_ERR_GROUP_MOD_INVALID_GROUP;
	if (mod->type > GROUP_TYPE_FF)
		return OF_ERR_GROUP_MOD_BAD_TYPE;
	if (mod->n_buckets > GROUP_BUCKETS_LIMIT)
		return OF_ERR_GROUP_MOD_OUT_OF_BUCKETS;
	if (mod->type == GROUP_TYPE_INDIRECT && mod->n_buckets != 1)
		return OF_ERR_GROUP_MOD_INVALID_GROUP;
	return OF_OK;
}

static enum of_err check_bucket(const struct groups *groups, const struct group_mod *mod, const struct bucket *bucket)
{
	bool watches_port = bucket->watch_port != OF_PORT_ANY, watches_group = bucket->watch_group != GROUP_ANY;

	/* OF 1.3.5 §6.7: a group that has a weight and is no select group is an invalid one. */
	if (bucket->weight && mod->type != GROUP_TYPE_SELECT)
		return OF_ERR_GROUP_MOD_INVALID_GROUP;
	if (mod->type == GROUP_TYPE_FF && !watches_port && !watches_group)
		return OF_ERR_GROUP_MOD_BAD_WATCH;
	if (watches_port && bucket->watch_port != OF_PORT_LOCAL &&
		(!bucket->watch_port || bucket->watch_port > OF_PORT_MAX))
		return OF_ERR_GROUP_MOD_BAD_WATCH;
	if (watches_group && bucket->watch_group == mod->id)
		return OF_ERR_GROUP_MOD_LOOP;
	if (watches_group && !find(groups, bucket->watch_group))
		return OF_ERR_GROUP_MOD_BAD_WATCH;
	for (uint32_t i = 0; i < bucket->actions.n; i++) {
		const struct action *action = &bucket->actions.list[i];

		if (action->type != ACTION_GROUP)
			continue;
		if (action->arg == mod->id)
			return OF_ERR_GROUP_MOD_LOOP;
		if (!find(groups, action->arg))
			return OF_ERR_BAD_ACTION_BAD_OUT_GROUP;
	}
	return groups->events.check ? groups->events.check(groups->events.ctx, &bucket->actions) : OF_OK;
}

static enum of_err check_buckets(const struct groups *groups, const struct group_mod *mod)
{
	enum of_err err = OF_OK;

	for (uint32_t i = 0; !err && i < mod->n_buckets; i++)
		err = check_bucket(groups, mod, &mod->buckets[i]);
	return err;
}

static void copy_actions(const struct group_mod *mod, struct bucket *buckets, struct action *list)
{
	for (uint32_t i = 0; i < mod->n_buckets; i++) {
		const struct actions *asked = &mod->buckets[i].actions;

		buckets[i] = mod->buckets[i];
		buckets[i].tally = (struct tally){0};
		if (asked->n)
			memcpy(list, asked->list, asked->n * sizeof(*list));
		buckets[i].actions.list = list;
		list += asked->n;
	}
}

static void add_target(const struct groups *groups, struct content *content, uint32_t id, uint32_t visit)
{
	struct node *target = find(groups, id);

	if (target && come_by(target, visit))
		content->targets[content->n_targets++] = target;
}

static void find_targets(const struct groups *groups, struct content *content, uint32_t n_buckets)
{
	uint32_t visit = begin_walk(groups);

	for (uint32_t i = 0; i < n_buckets; i++) {
		const struct bucket *bucket = &content->buckets[i];

		add_target(groups, content, bucket->watch_group, visit);
		for (uint32_t n = 0; n < bucket->actions.n; n++) {
			if (bucket->actions.list[n].type == ACTION_GROUP)
				add_target(groups, content, bucket->actions.list[n].arg, visit);
		}
	}
}

/* Every bucket that is ever chosen has 64 slots and more to expect. */
static bool are_slots_enough(const struct content *content, uint32_t n)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += content->is_unweighted ? 1 : content->buckets[i].weight;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t weight = content->is_unweighted ? 1 : content->buckets[i].weight;

		if (weight && (uint64_t)weight * SW_FORK_SLOTS < 64ULL * sum)
			return false;
	}
	return n < SW_MAX_BRANCHES;
}

/* False: out of memory. The checks have been passed. */
static bool content_create(const struct groups *groups, const struct group_mod *mod, struct content *ret)
{
	struct content content = {0};
	uint32_t n = mod->n_buckets, n_actions = 0, n_named = 0;
	struct action *actions;

	for (uint32_t i = 0; i < n; i++) {
		n_actions += mod->buckets[i].actions.n;
		n_named += mod->buckets[i].watch_group != GROUP_ANY;
		for (uint32_t a = 0; a < mod->buckets[i].actions.n; a++)
			n_named += mod->buckets[i].actions.list[a].type == ACTION_GROUP;
	}
	if (n) {
		content.buckets = malloc(n * (sizeof(*content.buckets) + sizeof(*content.seeds)) +
					 n_named * sizeof(*content.targets) + n_actions * sizeof(*actions));
		if (!content.buckets)
			return false;
		content.seeds = (uint64_t *)&content.buckets[n];
		content.targets = (struct node **)&content.seeds[n];
		actions = (struct action *)&content.targets[n_named];
		copy_actions(mod, content.buckets, actions);
		group_seed(content.buckets, n, content.seeds);
		find_targets(groups, &content, n);
		content.is_unweighted = group_is_unweighted(content.buckets, n);
		content.is_slotted = are_slots_enough(&content, n);
	}
	*ret = content;
	return true;
}

/* ---- adding, modifying, deleting ---- */

static void hold_targets(const struct content *content, int change)
{
	for (uint32_t i = 0; i < content->n_targets; i++) {
		content->targets[i]->n_naming += (uint32_t)change;
		content->targets[i]->group.n_refs += (uint32_t)change;
	}
}

static void tell_changing(const struct groups *groups, struct node *node)
{
	if (groups->events.changing)
		groups->events.changing(groups->events.ctx, &node->group);
}

static void tell_going(const struct groups *groups, struct node *node)
{
	tell_changing(groups, node);
	if (groups->events.going)
		groups->events.going(groups->events.ctx, &node->group);
}

static bool watches(const struct group *group, uint32_t id)
{
	for (uint32_t i = 0; i < group->n_buckets; i++) {
		if (group->buckets[i].watch_group == id)
			return true;
	}
	return false;
}

static bool is_watched(const struct groups *groups, const struct node *node)
{
	for (uint32_t i = 0; node->n_naming && i < groups->map.n; i++) {
		if (watches(groups->map.values[i], node->group.id))
			return true;
	}
	return false;
}

bool groups_may_fork(const struct groups *groups)
{
	return groups->n_forks <= GROUP_FORKS_LIMIT;
}

static void count_forks(struct groups *groups, uint32_t n)
{
	bool could = groups_may_fork(groups);

	groups->n_forks = n;
	if (could != groups_may_fork(groups) && groups->events.liveness_changed)
		groups->events.liveness_changed(groups->events.ctx);
}

static void take_on(struct node *node, const struct group_mod *mod, const struct content *content)
{
	node->content = *content;
	node->group.type = mod->type;
	node->group.n_buckets = mod->n_buckets;
	node->group.buckets = content->buckets;
}

static enum of_err add(struct groups *groups, const struct group_mod *mod, uint64_t now_ns)
{
	enum of_err err = check_shape(mod);
	struct node *node;
	struct content content;

	if (!err && find(groups, mod->id))
		err = OF_ERR_GROUP_MOD_GROUP_EXISTS;
	if (!err && groups->map.n >= GROUPS_LIMIT)
		err = OF_ERR_GROUP_MOD_OUT_OF_GROUPS;
	if (!err)
		err = check_buckets(groups, mod);
	if (err)
		return err;
	node = calloc(1, sizeof(*node));
	if (!node || !content_create(groups, mod, &content)) {
		free(node);
		return OF_ERR_GROUP_MOD_OUT_OF_GROUPS;
	}
	node->group.id = mod->id;
	node->group.created_ns = now_ns;
	node->height = height_over(&content);
	take_on(node, mod, &content);
	if (node->height > GROUP_CHAIN_LIMIT)
		err = OF_ERR_GROUP_MOD_CHAINING_UNSUPPORTED;
	else if (id_map_insert(&groups->map, mod->id, node) < 0)
		err = OF_ERR_GROUP_MOD_OUT_OF_GROUPS;
	if (err) {
		node_free(node);
		return err;
	}
	hold_targets(&content, 1);
	count_forks(groups, groups->n_forks + group_is_fork(&node->group));
	return OF_OK;
}

/* A group that none names closes no loop, and makes no chain longer but its own. */
static enum of_err check_chains(struct groups *groups, struct node *node, const struct content *content)
{
	struct content old = node->content;
	uint32_t visit, highest;

	if (!node->n_naming)
		return height_over(content) > GROUP_CHAIN_LIMIT ? OF_ERR_GROUP_MOD_CHAINING_UNSUPPORTED : OF_OK;
	visit = begin_walk(groups);
	for (uint32_t i = 0; i < content->n_targets; i++) {
		if (reaches(content->targets[i], node, visit))
			return OF_ERR_GROUP_MOD_LOOP;
	}
	node->content = *content;
	highest = measure_all(groups);
	node->content = old;
	measure_all(groups);
	return highest > GROUP_CHAIN_LIMIT ? OF_ERR_GROUP_MOD_CHAINING_UNSUPPORTED : OF_OK;
}

static enum of_err modify(struct groups *groups, const struct group_mod *mod)
{
	struct node *node = find(groups, mod->id);
	enum of_err err = check_shape(mod);
	struct content content, old;
	bool was_fork;

	if (!err && !node)
		err = OF_ERR_GROUP_MOD_UNKNOWN_GROUP;
	if (!err)
		err = check_buckets(groups, mod);
	if (err)
		return err;
	if (!content_create(groups, mod, &content))
		return OF_ERR_GROUP_MOD_OUT_OF_BUCKETS;
	err = check_chains(groups, node, &content);
	if (err) {
		free(content.buckets);
		return err;
	}
	tell_changing(groups, node);
	old = node->content;
	was_fork = group_is_fork(&node->group);
	take_on(node, mod, &content);
	count_forks(groups, groups->n_forks - was_fork + group_is_fork(&node->group));
	hold_targets(&content, 1);
	hold_targets(&old, -1);
	free(old.buckets);
	if (node->n_naming)
		measure_all(groups);
	else
		node->height = height_over(&node->content);
	if (groups->events.liveness_changed && is_watched(groups, node))
		groups->events.liveness_changed(groups->events.ctx);
	return OF_OK;
}

static void remove_all(struct groups *groups)
{
	for (uint32_t i = 0; i < groups->map.n; i++)
		tell_going(groups, groups->map.values[i]);
	for (uint32_t i = 0; i < groups->map.n; i++)
		node_free(groups->map.values[i]);
	id_map_free(&groups->map);
	count_forks(groups, 0);
}

/* To delete what is not there is no error, OF 1.3.5 §6.7. */
static enum of_err remove_named(struct groups *groups, uint32_t id)
{
	struct node *node = find(groups, id);

	if (id == GROUP_ALL) {
		remove_all(groups);
		return OF_OK;
	}
	if (id > GROUP_MAX)
		return OF_ERR_GROUP_MOD_INVALID_GROUP;
	if (!node)
		return OF_OK;
	if (node->n_naming)
		return OF_ERR_GROUP_MOD_CHAINED_GROUP;
	tell_going(groups, node);
	hold_targets(&node->content, -1);
	id_map_remove(&groups->map, id);
	count_forks(groups, groups->n_forks - group_is_fork(&node->group));
	node_free(node);
	return OF_OK;
}

enum of_err groups_mod(struct groups *groups, const struct group_mod *mod, uint64_t now_ns)
{
	switch (mod->command) {
	case GROUP_ADD:
		return add(groups, mod, now_ns);
	case GROUP_MODIFY:
		return modify(groups, mod);
	case GROUP_DELETE:
		return remove_named(groups, mod->id);
	default:
		return OF_ERR_GROUP_MOD_BAD_COMMAND;
	}
}

/* ---- what there is ---- */

struct group *groups_find(const struct groups *groups, uint32_t id)
{
	struct node *node = find(groups, id);

	return node ? &node->group : NULL;
}

struct group *groups_next(const struct groups *groups, uint32_t id)
{
	struct node *node = id_map_at_or_above(&groups->map, id == GROUP_ANY ? 0 : id + 1);

	return node ? &node->group : NULL;
}

uint32_t groups_count(const struct groups *groups)
{
	return groups->map.n;
}

void groups_hold(struct groups *groups, uint32_t id, int change)
{
	struct node *node = find(groups, id);

	if (node)
		node->group.n_refs += (uint32_t)change;
}

/* ---- which bucket ---- */

static bool has_live_bucket(const struct groups *groups, struct node *node, uint32_t visit);

static bool is_live(const struct groups *groups, const struct bucket *bucket, uint32_t visit)
{
	struct node *watched = find(groups, bucket->watch_group);

	if (bucket->watch_port == OF_PORT_ANY && bucket->watch_group == GROUP_ANY)
		return true;
	if (bucket->watch_port != OF_PORT_ANY && groups->events.port_is_live(groups->events.ctx, bucket->watch_port))
		return true;
	return watched && has_live_bucket(groups, watched, visit);
}

static bool has_live_bucket(const struct groups *groups, struct node *node, uint32_t visit)
{
	if (!come_by(node, visit))
		return node->found;
	node->found = false;
	for (uint32_t i = 0; i < node->group.n_buckets && !node->found; i++)
		node->found = is_live(groups, &node->group.buckets[i], visit);
	return node->found;
}

bool bucket_is_live(const struct groups *groups, const struct bucket *bucket)
{
	return is_live(groups, bucket, begin_walk(groups));
}

struct bucket *group_first_live(const struct groups *groups, struct group *group)
{
	uint32_t visit = begin_walk(groups);

	for (uint32_t i = 0; i < group->n_buckets; i++) {
		if (is_live(groups, &group->buckets[i], visit))
			return &group->buckets[i];
	}
	return NULL;
}

bool group_outputs_to(const struct group *group, uint32_t of_port)
{
	for (uint32_t i = 0; i < group->n_buckets; i++) {
		const struct actions *actions = &group->buckets[i].actions;

		for (uint32_t n = 0; n < actions->n; n++) {
			if (actions->list[n].type == ACTION_OUTPUT && actions->list[n].arg == of_port)
				return true;
		}
	}
	return false;
}

uint32_t group_live_buckets(const struct groups *groups, const struct group *group)
{
	uint32_t visit = begin_walk(groups), live = 0;

	for (uint32_t i = 0; i < group->n_buckets && i < 32; i++)
		live |= (uint32_t)is_live(groups, &group->buckets[i], visit) << i;
	return live;
}

static const struct content *content_of(const struct group *group)
{
	return &((const struct node *)group)->content;
}

bool group_is_fork(const struct group *group)
{
	if (group->type == GROUP_TYPE_FF)
		return group->n_buckets && group->n_buckets < SW_MAX_BRANCHES;
	return group->type == GROUP_TYPE_SELECT && group->n_buckets && content_of(group)->is_slotted;
}

/* The best for a flow of this hash so far, and what it weighs. */
struct choice {
	const struct bucket *best; /* NULL: none */
	struct weighed weighed;
};

/* Whether the bucket is better, if it is live, which takes more time to know. */
static bool outdoes(
	const struct group *group, const struct choice *choice, uint32_t i, uint64_t hash, struct weighed *ret)
{
	const struct content *content = content_of(group);

	*ret = (struct weighed){
		group_draw(hash, content->seeds[i]), content->is_unweighted ? 1 : group->buckets[i].weight};
	return ret->weight && (!choice->best || group_outweighs(ret, &choice->weighed));
}

struct bucket *group_select(const struct groups *groups, struct group *group, uint64_t hash)
{
	uint32_t visit = begin_walk(groups);
	struct choice choice = {NULL, {0, 0}};
	struct weighed weighed;

	if (group_is_fork(group))
		hash = sw_select_slot(hash);
	for (uint32_t i = 0; i < group->n_buckets; i++) {
		if (outdoes(group, &choice, i, hash, &weighed) && is_live(groups, &group->buckets[i], visit))
			choice = (struct choice){&group->buckets[i], weighed};
	}
	return (struct bucket *)choice.best;
}

static uint8_t choose(const struct group *group, uint32_t live, uint32_t slot)
{
	struct choice choice = {NULL, {0, 0}};
	struct weighed weighed;

	for (uint32_t left = live; left; left &= left - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(left);

		if (outdoes(group, &choice, i, slot, &weighed))
			choice = (struct choice){&group->buckets[i], weighed};
	}
	return (uint8_t)(choice.best ? choice.best - group->buckets : group->n_buckets);
}

void group_spread(const struct group *group, uint32_t live, bool only_dead, uint8_t slots[SW_FORK_SLOTS])
{
	for (uint32_t slot = 0; slot < SW_FORK_SLOTS; slot++) {
		if (only_dead && slots[slot] < group->n_buckets && live >> slots[slot] & 1)
			continue;
		__atomic_store_n(&slots[slot], choose(group, live, slot), __ATOMIC_RELAXED);
	}
}
