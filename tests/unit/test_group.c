/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Groups: what a group-mod may do, which bucket a flow takes, and what is live; chains against a twin that follows them
 * anew each time.
 */
#include "dataplane/group.h"

#include "tests/unit/seeded.h"

#include <check.h>
#include <string.h>

#define N_HASHES 100000
#define N_IDS    12 /* of the oracle */
#define N_STEPS  20000
#define N_PORTS  4
#define NOW_NS   5

enum { ADD, MODIFY, DELETE };

static struct groups *groups;
static bool port_up[N_PORTS + 1];
static uint32_t n_changing, last_changing, changing_n_buckets;
static enum of_err check_says;

static void on_changing(void *ctx, struct group *group)
{
	n_changing++;
	last_changing = group->id;
	changing_n_buckets = group->n_buckets;
}

static enum of_err on_check(void *ctx, const struct actions *actions)
{
	return check_says;
}

static bool on_port_is_live(void *ctx, uint32_t of_port)
{
	return of_port <= N_PORTS && port_up[of_port];
}

static void setup(void)
{
	struct groups_events events = {.changing = on_changing, .check = on_check, .port_is_live = on_port_is_live};

	groups = groups_create(&events);
	ck_assert_ptr_nonnull(groups);
	memset(port_up, 1, sizeof(port_up));
	n_changing = 0;
	check_says = OF_OK;
}

static void teardown(void)
{
	groups_destroy(groups);
}

static struct action output(uint32_t port)
{
	return (struct action){.type = ACTION_OUTPUT, .arg = port};
}

static struct action to_group(uint32_t id)
{
	return (struct action){.type = ACTION_GROUP, .arg = id};
}

/* One action, borrowed. */
static struct bucket bucket_of(const struct action *action, uint16_t weight)
{
	return (struct bucket){.weight = weight,
		.watch_port = OF_PORT_ANY,
		.watch_group = GROUP_ANY,
		.actions = {action ? 1 : 0, action}};
}

static enum of_err mod(uint16_t command, uint32_t id, uint8_t type, const struct bucket *buckets, uint32_t n)
{
	struct group_mod asked = {.command = command, .type = type, .id = id, .n_buckets = n, .buckets = buckets};

	return groups_mod(groups, &asked, NOW_NS);
}

/* Of type ALL, a bucket to each of the groups named, 0 ends; none: one bucket to port 1. */
static enum of_err chain(uint16_t command, uint32_t id, uint32_t to, uint32_t to2)
{
	struct action actions[] = {to ? to_group(to) : output(1), to_group(to2)};
	struct bucket buckets[] = {bucket_of(&actions[0], 0), bucket_of(&actions[1], 0)};

	return mod(command, id, GROUP_TYPE_ALL, buckets, to2 ? 2 : 1);
}

START_TEST(what_cannot_be_is_refused_with_its_error)
{
	struct action out = output(1), loop = to_group(2), unknown = to_group(77);
	struct bucket plain = bucket_of(&out, 0), heavy = bucket_of(&out, 1), into_itself = bucket_of(&loop, 0);
	struct bucket astray = bucket_of(&unknown, 0), watching = plain, watching_itself = plain,
		      watching_nobody = plain;
	struct bucket watching_port_0 = plain, two[] = {plain, plain};

	watching.watch_port = 1;
	watching_port_0.watch_port = 0;
	watching_itself.watch_group = 2;
	watching_nobody.watch_group = 77;
	ck_assert_int_eq(mod(ADD, 1, GROUP_TYPE_ALL, two, 2), OF_OK);
	ck_assert_int_eq(mod(ADD, 1, GROUP_TYPE_ALL, two, 2), OF_ERR_GROUP_MOD_GROUP_EXISTS);
	ck_assert_int_eq(mod(MODIFY, 2, GROUP_TYPE_ALL, two, 2), OF_ERR_GROUP_MOD_UNKNOWN_GROUP);
	ck_assert_int_eq(mod(3, 2, GROUP_TYPE_ALL, two, 2), OF_ERR_GROUP_MOD_BAD_COMMAND);
	ck_assert_int_eq(mod(ADD, 2, 4, two, 2), OF_ERR_GROUP_MOD_BAD_TYPE);
	ck_assert_int_eq(mod(ADD, GROUP_MAX + 1, GROUP_TYPE_ALL, two, 2), OF_ERR_GROUP_MOD_INVALID_GROUP);
	ck_assert_int_eq(mod(MODIFY, GROUP_ALL, GROUP_TYPE_ALL, two, 2), OF_ERR_GROUP_MOD_INVALID_GROUP);
	ck_assert_int_eq(mod(DELETE, GROUP_ANY, GROUP_TYPE_ALL, NULL, 0), OF_ERR_GROUP_MOD_INVALID_GROUP);
	ck_assert_int_eq(mod(ADD, 2, GROUP_TYPE_INDIRECT, two, 2), OF_ERR_GROUP_MOD_INVALID_GROUP);
	ck_assert_int_eq(mod(ADD, 2, GROUP_TYPE_INDIRECT, NULL, 0), OF_ERR_GROUP_MOD_INVALID_GROUP);
	ck_assert_int_eq(mod(ADD, 2, GROUP_TYPE_ALL, &heavy, 1), OF_ERR_GROUP_MOD_INVALID_GROUP);
	ck_assert_int_eq(mod(ADD, 2, GROUP_TYPE_ALL, &into_itself, 1), OF_ERR_GROUP_MOD_LOOP);
	ck_assert_int_eq(mod(ADD, 2, GROUP_TYPE_ALL, &astray, 1), OF_ERR_BAD_ACTION_BAD_OUT_GROUP);
	ck_assert_int_eq(mod(ADD, 2, GROUP_TYPE_FF, &plain, 1), OF_ERR_GROUP_MOD_BAD_WATCH);
	ck_assert_int_eq(mod(ADD, 2, GROUP_TYPE_FF, &watching_port_0, 1), OF_ERR_GROUP_MOD_BAD_WATCH);
	ck_assert_int_eq(mod(ADD, 2, GROUP_TYPE_FF, &watching_itself, 1), OF_ERR_GROUP_MOD_LOOP);
	ck_assert_int_eq(mod(ADD, 2, GROUP_TYPE_FF, &watching_nobody, 1), OF_ERR_GROUP_MOD_BAD_WATCH);
	ck_assert_int_eq(mod(DELETE, 2, 0, NULL, 0), OF_OK);
	check_says = OF_ERR_BAD_ACTION_BAD_OUT_PORT;
	ck_assert_int_eq(mod(ADD, 2, GROUP_TYPE_FF, &watching, 1), OF_ERR_BAD_ACTION_BAD_OUT_PORT);
	check_says = OF_OK;
	ck_assert_uint_eq(groups_count(groups), 1);
	ck_assert_uint_eq(n_changing, 0);
	ck_assert_int_eq(mod(ADD, 2, GROUP_TYPE_FF, &watching, 1), OF_OK);
	ck_assert_int_eq(mod(ADD, 0, GROUP_TYPE_ALL, NULL, 0), OF_OK);
	ck_assert_int_eq(mod(ADD, GROUP_MAX, GROUP_TYPE_SELECT, &heavy, 1), OF_OK);
}
END_TEST

START_TEST(buckets_and_groups_are_limited)
{
	static struct bucket many[GROUP_BUCKETS_LIMIT + 1];

	for (uint32_t i = 0; i <= GROUP_BUCKETS_LIMIT; i++)
		many[i] = bucket_of(NULL, 0);
	ck_assert_int_eq(mod(ADD, 1, GROUP_TYPE_ALL, many, GROUP_BUCKETS_LIMIT + 1), OF_ERR_GROUP_MOD_OUT_OF_BUCKETS);
	ck_assert_int_eq(mod(ADD, 1, GROUP_TYPE_ALL, many, GROUP_BUCKETS_LIMIT), OF_OK);
	for (uint32_t i = 1; i < GROUPS_LIMIT; i++)
		ck_assert_int_eq(mod(ADD, GROUP_MAX - i, GROUP_TYPE_ALL, NULL, 0), OF_OK);
	ck_assert_int_eq(mod(ADD, 7, GROUP_TYPE_ALL, NULL, 0), OF_ERR_GROUP_MOD_OUT_OF_GROUPS);
}
END_TEST

START_TEST(a_walk_sees_groups_in_order_from_zero)
{
	const uint32_t ids[] = {GROUP_MAX, 7, 0, 5};
	const uint32_t want[] = {0, 5, 7, GROUP_MAX};
	struct group *group;
	uint32_t id = GROUP_ANY, n = 0;

	for (uint32_t i = 0; i < 4; i++)
		ck_assert_int_eq(mod(ADD, ids[i], GROUP_TYPE_ALL, NULL, 0), OF_OK);
	for (; (group = groups_next(groups, id)); n++) {
		id = group->id;
		ck_assert_uint_eq(id, want[n]);
	}
	ck_assert_uint_eq(n, 4);
}
END_TEST

START_TEST(what_others_name_cannot_go_and_is_counted)
{
	ck_assert_int_eq(chain(ADD, 1, 0, 0), OF_OK);
	ck_assert_int_eq(chain(ADD, 2, 1, 1), OF_OK);
	groups_hold(groups, 1, 1);
	ck_assert_uint_eq(groups_find(groups, 1)->n_refs, 2);
	ck_assert_int_eq(mod(DELETE, 1, 0, NULL, 0), OF_ERR_GROUP_MOD_CHAINED_GROUP);
	ck_assert_int_eq(chain(MODIFY, 2, 0, 0), OF_OK);
	ck_assert_uint_eq(groups_find(groups, 1)->n_refs, 1);
	ck_assert_int_eq(mod(DELETE, 1, 0, NULL, 0), OF_OK);
	groups_hold(groups, 1, -1);
	ck_assert_int_eq(chain(ADD, 3, 2, 0), OF_OK);
	n_changing = 0;
	ck_assert_int_eq(mod(DELETE, GROUP_ALL, 0, NULL, 0), OF_OK);
	ck_assert_uint_eq(n_changing, 2);
	ck_assert_uint_eq(groups_count(groups), 0);
}
END_TEST

START_TEST(a_modified_group_keeps_its_counters_and_its_buckets_begin_anew)
{
	struct action out = output(1);
	struct bucket buckets[] = {bucket_of(&out, 0), bucket_of(&out, 0)};
	struct group *group;

	ck_assert_int_eq(mod(ADD, 1, GROUP_TYPE_ALL, buckets, 1), OF_OK);
	group = groups_find(groups, 1);
	ck_assert_uint_eq(group->created_ns, NOW_NS);
	tally_add(&group->tally, 3, 300, NOW_NS);
	tally_add(&group->buckets[0].tally, 3, 300, NOW_NS);
	buckets[0].tally.packets = 99;
	ck_assert_int_eq(mod(MODIFY, 1, GROUP_TYPE_SELECT, buckets, 2), OF_OK);
	ck_assert_uint_eq(n_changing, 1);
	ck_assert_uint_eq(last_changing, 1);
	ck_assert_uint_eq(changing_n_buckets, 1);
	ck_assert_ptr_eq(groups_find(groups, 1), group);
	ck_assert_uint_eq(group->n_buckets, 2);
	ck_assert_uint_eq(group->type, GROUP_TYPE_SELECT);
	ck_assert_uint_eq(group->tally.packets, 3);
	ck_assert_uint_eq(group->buckets[0].tally.packets, 0);
	ck_assert_ptr_ne(group->buckets[0].actions.list, &out);
	ck_assert_uint_eq(group->buckets[1].actions.list[0].arg, 1);
}
END_TEST

START_TEST(chains_are_bounded_in_length_from_whichever_end_they_grow)
{
	for (uint32_t i = 1; i <= GROUP_CHAIN_LIMIT; i++)
		ck_assert_int_eq(chain(ADD, i, i - 1, 0), OF_OK);
	ck_assert_int_eq(chain(ADD, 99, GROUP_CHAIN_LIMIT, 0), OF_ERR_GROUP_MOD_CHAINING_UNSUPPORTED);
	ck_assert_int_eq(chain(ADD, 99, GROUP_CHAIN_LIMIT - 1, 0), OF_OK);
	ck_assert_int_eq(chain(ADD, 200, 0, 0), OF_OK);
	ck_assert_int_eq(chain(MODIFY, 1, 200, 0), OF_ERR_GROUP_MOD_CHAINING_UNSUPPORTED);
	/* What was refused has left no trace. */
	ck_assert_int_eq(chain(ADD, 98, GROUP_CHAIN_LIMIT - 1, 0), OF_OK);
	/* Shorter in the middle: there is room above then, or below. */
	ck_assert_int_eq(chain(MODIFY, 10, 8, 0), OF_OK);
	ck_assert_int_eq(chain(ADD, 97, GROUP_CHAIN_LIMIT, 0), OF_OK);
	ck_assert_int_eq(mod(DELETE, 97, 0, NULL, 0), OF_OK);
	ck_assert_int_eq(chain(MODIFY, 1, 200, 0), OF_OK);
	ck_assert_int_eq(chain(MODIFY, 200, GROUP_CHAIN_LIMIT, 0), OF_ERR_GROUP_MOD_LOOP);
}
END_TEST

/* ---- select ---- */

#define N_SPREAD 5

static uint32_t takes(struct group *group, struct seeded *random, uint32_t *ret_port)
{
	struct bucket *bucket = group_select(groups, group, seeded_next(random));

	*ret_port = bucket ? bucket->actions.list[0].arg : 0;
	return *ret_port;
}

/* Buckets to ports 1 to n. */
static struct group *select_group(uint16_t command, const uint16_t *weights, uint32_t n, uint32_t without)
{
	struct action outs[N_SPREAD];
	struct bucket buckets[N_SPREAD];
	uint32_t n_buckets = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (i + 1 == without)
			continue;
		outs[n_buckets] = output(i + 1);
		buckets[n_buckets] = bucket_of(&outs[n_buckets], weights[i]);
		if (i < N_PORTS)
			buckets[n_buckets].watch_port = i + 1;
		n_buckets++;
	}
	ck_assert_int_eq(mod(command, 1, GROUP_TYPE_SELECT, buckets, n_buckets), OF_OK);
	return groups_find(groups, 1);
}

START_TEST(flows_spread_by_weight)
{
	static const uint16_t rows[][N_SPREAD] = {{1, 1, 1, 1, 1}, {0, 0, 0, 0, 0}, {1, 2, 3, 4, 5}, {0, 1, 0, 2, 0},
		{100, 1000, 1, 10, 65535}, {1, 2, 0, 0, 0}};

	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		struct seeded random = {row, row};
		struct group *group = select_group(row ? MODIFY : ADD, rows[row], N_SPREAD, 0);
		uint32_t hits[N_SPREAD + 1] = {0}, sum = 0, port;

		for (uint32_t i = 0; i < N_HASHES; i++)
			hits[takes(group, &random, &port)]++;
		for (uint32_t i = 0; i < N_SPREAD; i++)
			sum += rows[row][i];
		for (uint32_t i = 0; i < N_SPREAD; i++) {
			double want = sum ? (double)N_HASHES * rows[row][i] / sum : (double)N_HASHES / N_SPREAD;
			double off = hits[i + 1] - want;

			/* Four times the standard deviation of a count; a share of the slots has its own. */
			double variance = group_is_fork(group) ? want + want * N_HASHES / SW_FORK_SLOTS : want;

			ck_assert_msg(off * off <= 16 * variance, "row %zu port %u: %u, not %.0f", row, i + 1,
				hits[i + 1], want);
			ck_assert(want > 0 || !hits[i + 1]);
		}
	}
}
END_TEST

/* Whether hash after hash goes as before but where `lost` was the answer; how many have moved. */
static uint32_t moved(struct group *group, const uint8_t *before, uint32_t lost, uint32_t gained)
{
	struct seeded random = {42, 42};
	uint32_t n = 0, port;

	for (uint32_t i = 0; i < N_HASHES; i++) {
		takes(group, &random, &port);
		if (port == before[i])
			continue;
		n++;
		ck_assert_msg(before[i] == lost || port == gained, "%u went from %u to %u", i, before[i], port);
	}
	return n;
}

START_TEST(only_the_flows_of_what_goes_move_and_they_come_back)
{
	static const uint16_t weights[] = {3, 1, 2, 2, 1}, heavier[] = {3, 1, 4, 2, 1};
	static uint8_t before[N_HASHES];
	struct group *group = select_group(ADD, weights, N_SPREAD, 0);
	struct seeded random = {42, 42};
	uint32_t of_3 = 0, port;

	for (uint32_t i = 0; i < N_HASHES; i++) {
		before[i] = (uint8_t)takes(group, &random, &port);
		of_3 += port == 3;
	}
	port_up[3] = false;
	ck_assert_uint_eq(moved(group, before, 3, 0), of_3);
	port_up[3] = true;
	ck_assert_uint_eq(moved(group, before, 0, 0), 0);
	group = select_group(MODIFY, weights, N_SPREAD, 3);
	ck_assert_uint_eq(moved(group, before, 3, 0), of_3);
	group = select_group(MODIFY, weights, N_SPREAD, 0);
	ck_assert_uint_eq(moved(group, before, 0, 0), 0);
	group = select_group(MODIFY, heavier, N_SPREAD, 0);
	ck_assert_uint_lt(moved(group, before, 0, 3), N_HASHES / 6);
}
END_TEST

START_TEST(a_select_group_without_live_buckets_takes_none)
{
	static const uint16_t weights[] = {1, 1};
	struct group *group = select_group(ADD, weights, 2, 0);

	port_up[1] = port_up[2] = false;
	ck_assert_ptr_null(group_select(groups, group, 1));
	port_up[2] = true;
	ck_assert_uint_eq(group_select(groups, group, 1)->watch_port, 2);
}
END_TEST

START_TEST(equal_buckets_share)
{
	struct action out = output(1);
	struct bucket buckets[] = {bucket_of(&out, 1), bucket_of(&out, 1), bucket_of(&out, 1)};
	struct seeded random = {1, 1};
	uint32_t hits[3] = {0};
	struct group *group;

	ck_assert_int_eq(mod(ADD, 1, GROUP_TYPE_SELECT, buckets, 3), OF_OK);
	group = groups_find(groups, 1);
	for (uint32_t i = 0; i < N_HASHES; i++)
		hits[group_select(groups, group, seeded_next(&random)) - group->buckets]++;
	for (int i = 0; i < 3; i++)
		ck_assert_uint_gt(hits[i], N_HASHES / 3 - N_HASHES / 33);
}
END_TEST

/* ---- liveness ---- */

static struct bucket watching(const struct action *action, uint32_t port, uint32_t group)
{
	struct bucket bucket = bucket_of(action, 0);

	bucket.watch_port = port;
	bucket.watch_group = group;
	return bucket;
}

START_TEST(failover_takes_the_first_bucket_whose_port_or_group_is_live)
{
	struct action out = output(1);
	struct bucket low[] = {watching(&out, 1, GROUP_ANY), watching(&out, 2, GROUP_ANY)};
	struct bucket high[] = {watching(&out, OF_PORT_ANY, 1), watching(&out, 3, 1), watching(&out, 4, GROUP_ANY)};
	struct group *group;

	ck_assert_int_eq(mod(ADD, 1, GROUP_TYPE_FF, low, 2), OF_OK);
	ck_assert_int_eq(mod(ADD, 2, GROUP_TYPE_FF, high, 3), OF_OK);
	ck_assert_int_eq(mod(DELETE, 1, 0, NULL, 0), OF_ERR_GROUP_MOD_CHAINED_GROUP);
	group = groups_find(groups, 2);
	ck_assert_ptr_eq(group_first_live(groups, group), &group->buckets[0]);
	port_up[1] = false;
	ck_assert_ptr_eq(group_first_live(groups, group), &group->buckets[0]);
	port_up[2] = false;
	ck_assert_ptr_eq(group_first_live(groups, group), &group->buckets[1]);
	port_up[3] = false;
	ck_assert_ptr_eq(group_first_live(groups, group), &group->buckets[2]);
	port_up[4] = false;
	ck_assert_ptr_null(group_first_live(groups, group));
	port_up[2] = true;
	ck_assert(bucket_is_live(groups, &group->buckets[0]));
}
END_TEST

START_TEST(two_buckets_that_watch_one_live_group_are_both_live)
{
	struct action outs[] = {output(1), output(2)};
	struct bucket low = watching(&outs[0], 1, GROUP_ANY);
	struct bucket two[] = {watching(&outs[0], OF_PORT_ANY, 1), watching(&outs[1], OF_PORT_ANY, 1)};
	struct seeded random = {1, 1};
	uint32_t n_second = 0, port;

	ck_assert_int_eq(mod(ADD, 1, GROUP_TYPE_FF, &low, 1), OF_OK);
	ck_assert_int_eq(mod(ADD, 2, GROUP_TYPE_SELECT, two, 2), OF_OK);
	for (uint32_t i = 0; i < 1000; i++)
		n_second += takes(groups_find(groups, 2), &random, &port) == 2;
	ck_assert(n_second > 400 && n_second < 600);
}
END_TEST

START_TEST(two_ways_at_each_of_sixty_groups_are_no_work)
{
	struct action out = output(1);
	struct bucket last = watching(&out, 1, GROUP_ANY);

	port_up[1] = false;
	ck_assert_int_eq(mod(ADD, 1, GROUP_TYPE_FF, &last, 1), OF_OK);
	for (uint32_t id = 2; id <= 60; id++) {
		struct bucket two[] = {watching(&out, OF_PORT_ANY, id - 1), watching(&out, 1, id - 1)};

		ck_assert_int_eq(mod(ADD, id, GROUP_TYPE_FF, two, 2), OF_OK);
	}
	ck_assert_ptr_null(group_first_live(groups, groups_find(groups, 60)));
	ck_assert_int_eq(mod(MODIFY, 5, GROUP_TYPE_FF, &last, 1), OF_OK);
	port_up[1] = true;
	ck_assert_ptr_nonnull(group_first_live(groups, groups_find(groups, 60)));
}
END_TEST

/* ---- the twin ---- */

/* Two buckets each; ids 1 to N_IDS; 0: none. */
struct twin {
	bool there;
	uint32_t names[2], watches[2], port[2];
};
static struct twin twins[N_IDS + 1];

static bool twin_reaches(uint32_t from, uint32_t to)
{
	if (!from)
		return false;
	if (from == to)
		return true;
	for (int i = 0; i < 2; i++) {
		if (twin_reaches(twins[from].names[i], to) || twin_reaches(twins[from].watches[i], to))
			return true;
	}
	return false;
}

static bool twin_is_live(uint32_t id)
{
	for (int i = 0; i < 2; i++) {
		uint32_t port = twins[id].port[i], watched = twins[id].watches[i];

		if ((!port && !watched) || (port && port_up[port]) || (watched && twin_is_live(watched)))
			return true;
	}
	return false;
}

static bool twin_names(uint32_t id, uint32_t other)
{
	for (int i = 0; i < 2; i++) {
		if (twins[id].there && (twins[id].names[i] == other || twins[id].watches[i] == other))
			return true;
	}
	return false;
}

static uint32_t twin_refs(uint32_t id)
{
	uint32_t n = 0;

	for (uint32_t other = 1; other <= N_IDS; other++)
		n += twin_names(other, id);
	return n;
}

static enum of_err twin_mod(uint16_t command, uint32_t id, const struct twin *asked)
{
	if (command == DELETE) {
		if (twins[id].there && twin_refs(id))
			return OF_ERR_GROUP_MOD_CHAINED_GROUP;
		twins[id] = (struct twin){0};
		return OF_OK;
	}
	if (twins[id].there != (command == MODIFY))
		return command == ADD ? OF_ERR_GROUP_MOD_GROUP_EXISTS : OF_ERR_GROUP_MOD_UNKNOWN_GROUP;
	for (int i = 0; i < 2; i++) {
		uint32_t watched = asked->watches[i], named = asked->names[i];

		if (watched && watched != id && !twins[watched].there)
			return OF_ERR_GROUP_MOD_BAD_WATCH;
		if (watched == id || named == id)
			return OF_ERR_GROUP_MOD_LOOP;
		if (named && !twins[named].there)
			return OF_ERR_BAD_ACTION_BAD_OUT_GROUP;
	}
	for (int i = 0; i < 2; i++) {
		if (twin_reaches(asked->names[i], id) || twin_reaches(asked->watches[i], id))
			return OF_ERR_GROUP_MOD_LOOP;
	}
	twins[id] = *asked;
	return OF_OK;
}

static enum of_err product_mod(uint16_t command, uint32_t id, const struct twin *asked)
{
	struct action actions[2];
	struct bucket buckets[2];

	for (int i = 0; i < 2; i++) {
		actions[i] = asked->names[i] ? to_group(asked->names[i]) : output(1);
		buckets[i] = watching(&actions[i], asked->port[i] ? asked->port[i] : OF_PORT_ANY,
			asked->watches[i] ? asked->watches[i] : GROUP_ANY);
	}
	return mod(command, id, GROUP_TYPE_ALL, buckets, 2);
}

START_TEST(chains_and_liveness_are_those_of_following_them_anew)
{
	struct seeded random = seeded_start();

	memset(twins, 0, sizeof(twins));
	for (uint32_t step = 0; step < N_STEPS; step++) {
		uint16_t command = (uint16_t)(seeded_below(&random, 8) % 3);
		uint32_t id = 1 + seeded_below(&random, N_IDS);
		struct twin asked = {.there = true};
		enum of_err want, have;

		for (int i = 0; i < 2; i++) {
			asked.names[i] = seeded_below(&random, 2) ? seeded_below(&random, N_IDS + 1) : 0;
			asked.watches[i] = seeded_below(&random, 2) ? seeded_below(&random, N_IDS + 1) : 0;
			asked.port[i] = seeded_below(&random, N_PORTS + 1);
		}
		port_up[1 + seeded_below(&random, N_PORTS)] = !seeded_below(&random, 4);
		have = product_mod(command, id, &asked);
		want = twin_mod(command, id, &asked);
		ck_assert_msg(have == want, "seed %lu step %u: %d, not %d", random.seed, step, have, want);
		for (id = 1; id <= N_IDS; id++) {
			struct group *group = groups_find(groups, id);

			ck_assert_msg(!!group == twins[id].there, "seed %lu step %u: %u", random.seed, step, id);
			if (!group)
				continue;
			ck_assert_msg(group->n_refs == twin_refs(id), "seed %lu step %u: references of %u", random.seed,
				step, id);
			ck_assert_msg(!!group_first_live(groups, group) == twin_is_live(id),
				"seed %lu step %u: %u is live", random.seed, step, id);
		}
	}
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("group");
	Suite *suite = suite_create("group");
	SRunner *runner;
	int n_failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, what_cannot_be_is_refused_with_its_error);
	tcase_add_test(tcase, buckets_and_groups_are_limited);
	tcase_add_test(tcase, a_walk_sees_groups_in_order_from_zero);
	tcase_add_test(tcase, what_others_name_cannot_go_and_is_counted);
	tcase_add_test(tcase, a_modified_group_keeps_its_counters_and_its_buckets_begin_anew);
	tcase_add_test(tcase, chains_are_bounded_in_length_from_whichever_end_they_grow);
	tcase_add_test(tcase, flows_spread_by_weight);
	tcase_add_test(tcase, only_the_flows_of_what_goes_move_and_they_come_back);
	tcase_add_test(tcase, a_select_group_without_live_buckets_takes_none);
	tcase_add_test(tcase, equal_buckets_share);
	tcase_add_test(tcase, failover_takes_the_first_bucket_whose_port_or_group_is_live);
	tcase_add_test(tcase, two_buckets_that_watch_one_live_group_are_both_live);
	tcase_add_test(tcase, two_ways_at_each_of_sixty_groups_are_no_work);
	tcase_add_test(tcase, chains_and_liveness_are_those_of_following_them_anew);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? 1 : 0;
}
