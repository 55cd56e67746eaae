/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The FDB against a plain list (F2, F3, limits, ageing), over storage that is checked after each step (F1), and
 * handed to a second table to see what survives a daemon.
 */
#include "dataplane/complaint.h"
#include "dataplane/fdb.h"

#include "tests/unit/seeded.h"

#include <check.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#define S         1000000000ULL
#define N_STORAGE 64
#define N_STEPS   20000
#define N_BRIDGES 3
#define N_MANY    65536

/* ---- counting what `changed` says ---- */

struct news {
	uint32_t n;
	struct fdb_key last;
	const struct fdb *fdb;
	const struct sw_fdb_entry *seen; /* what a lookup said when it was told */
};

static void changed(void *ctx, const struct fdb_key *key)
{
	struct news *news = ctx;

	news->n++;
	news->last = *key;
	news->seen = news->fdb ? fdb_lookup(news->fdb, key) : NULL;
}

static struct fdb_key key_of(uint16_t bridge, uint16_t vid, uint8_t last)
{
	return (struct fdb_key){bridge, vid, {0x02, 0, 0, 0, 0, last}};
}

struct bench {
	struct sw_fdb_entry storage[N_STORAGE];
	struct news news;
	struct fdb *fdb;
};

static void open_bench(struct bench *bench)
{
	memset(bench, 0, sizeof(*bench));
	bench->fdb = fdb_create(bench->storage, N_STORAGE, &(struct fdb_events){&bench->news, changed});
	bench->news.fdb = bench->fdb;
}

static uint16_t port_of(const struct fdb *fdb, const struct fdb_key *key)
{
	const struct sw_fdb_entry *entry = fdb_lookup(fdb, key);

	return entry ? entry->port : 0;
}

/* ---- sentences ---- */

START_TEST(an_address_is_known_by_bridge_and_vlan)
{
	struct fdb_key key = key_of(1, 10, 1), other_vlan = key_of(1, 11, 1), other_bridge = key_of(2, 10, 1);
	struct bench bench;

	open_bench(&bench);
	ck_assert_int_eq(fdb_learn(bench.fdb, &key, 5, S), FDB_NEW);
	ck_assert_uint_eq(port_of(bench.fdb, &key), 5);
	ck_assert_uint_eq(port_of(bench.fdb, &other_vlan), 0);
	ck_assert_uint_eq(port_of(bench.fdb, &other_bridge), 0);
	ck_assert_uint_eq(fdb_count(bench.fdb, 1), 1);
	ck_assert_uint_eq(fdb_count(bench.fdb, 2), 0);
	ck_assert_uint_eq(fdb_count(bench.fdb, 0), 1);
	fdb_destroy(bench.fdb);
}
END_TEST

START_TEST(a_move_is_told_and_a_refresh_is_not)
{
	struct fdb_key key = key_of(1, 10, 1);
	struct bench bench;

	open_bench(&bench);
	fdb_learn(bench.fdb, &key, 5, 1 * S);
	ck_assert_uint_eq(bench.news.n, 1);
	ck_assert_ptr_eq(bench.news.seen, fdb_lookup(bench.fdb, &key)); /* F2: after the change */
	ck_assert_int_eq(fdb_learn(bench.fdb, &key, 5, 2 * S), FDB_REFRESHED);
	ck_assert_uint_eq(bench.news.n, 1);
	ck_assert_uint_eq(fdb_lookup(bench.fdb, &key)->used_ns, 2 * S);
	ck_assert_uint_eq(fdb_lookup(bench.fdb, &key)->learned_ns, 1 * S);
	ck_assert_int_eq(fdb_learn(bench.fdb, &key, 6, 3 * S), FDB_MOVED);
	ck_assert_uint_eq(bench.news.n, 2);
	ck_assert_mem_eq(&bench.news.last, &key, sizeof(key));
	ck_assert_uint_eq(port_of(bench.fdb, &key), 6);
	ck_assert_uint_eq(fdb_lookup(bench.fdb, &key)->learned_ns, 3 * S);
	ck_assert_uint_eq(fdb_count(bench.fdb, 1), 1);
	fdb_destroy(bench.fdb);
}
END_TEST

START_TEST(a_static_entry_stays_where_it_is)
{
	struct fdb_key key = key_of(1, 10, 1);
	struct bench bench;

	open_bench(&bench);
	ck_assert_int_eq(fdb_add_static(bench.fdb, &key, 5, S, NULL), 0);
	ck_assert_uint_eq(bench.news.n, 1);
	ck_assert_int_eq(fdb_learn(bench.fdb, &key, 6, 2 * S), FDB_IS_STATIC);
	ck_assert_int_eq(fdb_learn(bench.fdb, &key, 5, 2 * S), FDB_IS_STATIC);
	ck_assert_uint_eq(port_of(bench.fdb, &key), 5);
	ck_assert_uint_eq(fdb_age(bench.fdb, 1000000 * S), UINT64_MAX);
	ck_assert_uint_eq(port_of(bench.fdb, &key), 5);
	ck_assert_uint_eq(fdb_flush(bench.fdb, 0, 0, -1, false), 0);
	ck_assert_uint_eq(bench.news.n, 1);
	ck_assert_int_eq(fdb_add_static(bench.fdb, &key, 5, 3 * S, NULL), 0); /* says nothing new */
	ck_assert_uint_eq(bench.news.n, 1);
	ck_assert_int_eq(fdb_add_static(bench.fdb, &key, 7, 3 * S, NULL), 0);
	ck_assert_uint_eq(bench.news.n, 2);
	ck_assert_uint_eq(port_of(bench.fdb, &key), 7);
	ck_assert_uint_eq(fdb_flush(bench.fdb, 0, 0, -1, true), 1);
	ck_assert_uint_eq(port_of(bench.fdb, &key), 0);
	fdb_destroy(bench.fdb);
}
END_TEST

START_TEST(a_learned_entry_becomes_static_and_ages_no_more)
{
	struct fdb_key key = key_of(1, 10, 1);
	struct bench bench;

	open_bench(&bench);
	fdb_learn(bench.fdb, &key, 5, S);
	ck_assert_int_eq(fdb_add_static(bench.fdb, &key, 5, 2 * S, NULL), 0);
	ck_assert_uint_eq(bench.news.n, 2); /* its sender is no longer learned from: an answer changed */
	ck_assert_uint_eq(fdb_age(bench.fdb, 1000 * S), UINT64_MAX);
	ck_assert_uint_eq(port_of(bench.fdb, &key), 5);
	ck_assert_uint_eq(fdb_count(bench.fdb, 1), 1);
	ck_assert_int_eq(fdb_remove(bench.fdb, &key), 0);
	ck_assert_int_eq(fdb_remove(bench.fdb, &key), -ENOENT);
	ck_assert_uint_eq(bench.news.n, 3);
	fdb_destroy(bench.fdb);
}
END_TEST

START_TEST(an_entry_ages_when_its_time_has_come_and_not_before)
{
	struct fdb_key a = key_of(1, 10, 1), b = key_of(1, 10, 2);
	struct bench bench;

	open_bench(&bench);
	ck_assert_uint_eq(fdb_age(bench.fdb, 0), UINT64_MAX);
	fdb_set_ageing(bench.fdb, 1, 10);
	fdb_learn(bench.fdb, &a, 5, 1 * S);
	fdb_learn(bench.fdb, &b, 5, 2 * S);
	ck_assert_uint_eq(fdb_age(bench.fdb, 3 * S), 11 * S);
	fdb_learn(bench.fdb, &a, 5, 5 * S); /* now b is the oldest */
	ck_assert_uint_eq(fdb_age(bench.fdb, 11 * S), 12 * S);
	ck_assert_uint_eq(fdb_age(bench.fdb, 12 * S - 1), 12 * S);
	ck_assert_uint_eq(fdb_count(bench.fdb, 1), 2);
	ck_assert_uint_eq(fdb_age(bench.fdb, 12 * S), 15 * S);
	ck_assert_uint_eq(port_of(bench.fdb, &b), 0);
	ck_assert_uint_eq(bench.news.n, 3);
	ck_assert_mem_eq(&bench.news.last, &b, sizeof(b));
	fdb_set_ageing(bench.fdb, 1, 0);
	ck_assert_uint_eq(fdb_age(bench.fdb, 1000 * S), UINT64_MAX);
	ck_assert_uint_eq(port_of(bench.fdb, &a), 5);
	fdb_set_ageing(bench.fdb, 1, 1);
	ck_assert_uint_eq(fdb_age(bench.fdb, 1000 * S), UINT64_MAX);
	ck_assert_uint_eq(port_of(bench.fdb, &a), 0);
	fdb_destroy(bench.fdb);
}
END_TEST

START_TEST(bridges_age_by_their_own_time)
{
	struct fdb_key a = key_of(1, 0, 1), b = key_of(2, 0, 1);
	struct bench bench;

	open_bench(&bench);
	fdb_set_ageing(bench.fdb, 2, 20);
	fdb_learn(bench.fdb, &a, 5, S);
	fdb_learn(bench.fdb, &b, 6, S);
	ck_assert_uint_eq(fdb_age(bench.fdb, 21 * S), (FDB_DEFAULT_AGEING_S + 1) * S);
	ck_assert_uint_eq(port_of(bench.fdb, &a), 5);
	ck_assert_uint_eq(port_of(bench.fdb, &b), 0);
	fdb_destroy(bench.fdb);
}
END_TEST

START_TEST(a_full_bridge_learns_nothing_and_forgets_nothing)
{
	struct bench bench;

	open_bench(&bench);
	fdb_set_limit(bench.fdb, 1, 4);
	for (uint8_t i = 1; i <= 10; i++) {
		struct fdb_key key = key_of(1, 0, i);

		ck_assert_int_eq(fdb_learn(bench.fdb, &key, 5, i * S), i <= 4 ? FDB_NEW : FDB_FULL);
	}
	for (uint8_t i = 1; i <= 10; i++) {
		struct fdb_key key = key_of(1, 0, i);

		ck_assert_uint_eq(port_of(bench.fdb, &key), i <= 4 ? 5 : 0);
	}
	/* What is known still moves; other bridges still learn; a static entry is still taken. */
	ck_assert_int_eq(fdb_learn(bench.fdb, &(struct fdb_key){1, 0, {2, 0, 0, 0, 0, 1}}, 6, 20 * S), FDB_MOVED);
	ck_assert_int_eq(fdb_learn(bench.fdb, &(struct fdb_key){2, 0, {2, 0, 0, 0, 0, 1}}, 6, 20 * S), FDB_NEW);
	ck_assert_int_eq(fdb_add_static(bench.fdb, &(struct fdb_key){1, 0, {2, 0, 0, 0, 0, 99}}, 6, 20 * S, NULL), 0);
	fdb_destroy(bench.fdb);
}
END_TEST

static bool is_behind_five(void *ctx, const struct sw_fdb_entry *entry)
{
	return entry->port == 5;
}

START_TEST(pruning_removes_what_is_not_wanted_says_so_and_spares_statics)
{
	struct fdb_key wanted = key_of(1, 10, 1), other = key_of(1, 10, 2), fixed = key_of(1, 10, 3);
	struct bench bench;

	open_bench(&bench);
	fdb_learn(bench.fdb, &wanted, 5, S);
	fdb_learn(bench.fdb, &other, 6, S);
	fdb_add_static(bench.fdb, &fixed, 6, S, NULL);
	bench.news.n = 0;
	fdb_prune(bench.fdb, is_behind_five, NULL);
	ck_assert_ptr_nonnull(fdb_lookup(bench.fdb, &wanted));
	ck_assert_ptr_null(fdb_lookup(bench.fdb, &other));
	ck_assert_ptr_nonnull(fdb_lookup(bench.fdb, &fixed));
	ck_assert_uint_eq(bench.news.n, 1);
	fdb_destroy(bench.fdb);
}
END_TEST

START_TEST(a_full_storage_refuses_with_a_reason)
{
	struct complaint complaint = {""};
	struct bench bench;
	struct fdb_key key;

	open_bench(&bench);
	for (uint8_t i = 0; i < N_STORAGE; i++) {
		key = key_of(1, 0, i);
		ck_assert_int_eq(fdb_learn(bench.fdb, &key, 5, S), FDB_NEW);
	}
	key = key_of(2, 0, 200);
	ck_assert_int_eq(fdb_learn(bench.fdb, &key, 5, S), FDB_FULL);
	ck_assert_int_eq(fdb_add_static(bench.fdb, &key, 5, S, &complaint), -ENOSPC);
	ck_assert(strstr(complaint.text, "64"));
	ck_assert_uint_eq(bench.news.n, N_STORAGE);
	key = key_of(1, 0, 7);
	ck_assert_int_eq(fdb_remove(bench.fdb, &key), 0);
	key = key_of(2, 0, 200);
	ck_assert_int_eq(fdb_learn(bench.fdb, &key, 5, S), FDB_NEW);
	fdb_destroy(bench.fdb);
}
END_TEST

START_TEST(what_is_in_storage_is_adopted_and_rubbish_is_not)
{
	struct sw_fdb_entry storage[10], good = {.mac = {2, 0, 0, 0, 0, 1},
						 .vid = 10,
						 .bridge = 1,
						 .port = 5,
						 .flags = SW_FDB_VALID,
						 .used_ns = 50 * S,
						 .learned_ns = S};
	struct fdb_key key = key_of(1, 10, 1), older = key_of(1, 10, 2), fresh = key_of(1, 10, 3);
	struct news news = {0};
	struct fdb *fdb;

	for (int i = 0; i < 10; i++)
		storage[i] = good;
	storage[1].flags = 0; /* never finished */
	storage[2].bridge = 0;
	storage[3].bridge = SW_MAX_BRIDGES;
	storage[4].port = SW_MAX_PORTS;
	storage[5].vid = 4095;
	storage[6].mac[0] = 3;
	memset(storage[7].mac, 0, 6);
	storage[8].mac[5] = 2;
	storage[8].used_ns = 10 * S;
	/* storage[9] is a second one for the same key */
	fdb = fdb_create(storage, 10, &(struct fdb_events){&news, changed});
	ck_assert_uint_eq(fdb_count(fdb, 0), 2);
	ck_assert_uint_eq(port_of(fdb, &key), 5);
	ck_assert_uint_eq(fdb_lookup(fdb, &key)->learned_ns, S);
	ck_assert_uint_eq(news.n, 0);
	for (int i = 0; i < 10; i++)
		ck_assert_msg(!!(storage[i].flags & SW_FDB_VALID) == (i == 0 || i == 8), "%d", i);
	ck_assert_uint_eq(fdb_age(fdb, 310 * S), 350 * S); /* the order of use was found again */
	ck_assert_uint_eq(port_of(fdb, &older), 0);
	for (uint8_t i = 3; i < 12; i++) { /* all the room is usable */
		fresh.mac[5] = i;
		ck_assert_int_eq(fdb_learn(fdb, &fresh, 6, 311 * S), FDB_NEW);
	}
	fresh.mac[5] = 99;
	ck_assert_int_eq(fdb_learn(fdb, &fresh, 6, 311 * S), FDB_FULL);
	fdb_destroy(fdb);
}
END_TEST

START_TEST(an_adopted_time_to_come_does_not_keep_an_entry_for_ever)
{
	struct sw_fdb_entry storage[1] = {
		{.mac = {2}, .bridge = 1, .port = 1, .flags = SW_FDB_VALID, .used_ns = UINT64_MAX - 5}};
	struct fdb *fdb = fdb_create(storage, 1, NULL);

	ck_assert_uint_eq(fdb_age(fdb, 10 * S), (10 + FDB_DEFAULT_AGEING_S) * S);
	ck_assert_uint_eq(fdb_age(fdb, (10 + FDB_DEFAULT_AGEING_S) * S), UINT64_MAX);
	ck_assert_uint_eq(fdb_count(fdb, 0), 0);
	fdb_destroy(fdb);
}
END_TEST

/* ---- the twin ---- */

struct twin_entry {
	struct fdb_key key;
	uint16_t port;
	bool is_static;
	uint64_t used_ns, learned_ns;
};

struct world {
	struct seeded random;
	struct bench bench;
	struct twin_entry entries[N_STORAGE];
	uint32_t n;
	uint32_t limit[N_BRIDGES + 1];
	uint64_t ageing_ns[N_BRIDGES + 1];
	uint64_t now_ns;
	uint32_t n_news;
};

static struct twin_entry *twin_find(struct world *world, const struct fdb_key *key)
{
	for (uint32_t i = 0; i < world->n; i++) {
		if (!memcmp(&world->entries[i].key, key, sizeof(*key)))
			return &world->entries[i];
	}
	return NULL;
}

static uint32_t twin_count(const struct world *world, uint16_t bridge)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < world->n; i++)
		n += !bridge || world->entries[i].key.bridge == bridge;
	return n;
}

static void twin_put(struct world *world, const struct fdb_key *key, uint16_t port, bool is_static)
{
	struct twin_entry *entry = twin_find(world, key);

	if (!entry)
		entry = &world->entries[world->n++];
	*entry = (struct twin_entry){*key, port, is_static, world->now_ns, world->now_ns};
	world->n_news++;
}

static enum fdb_learned twin_learn(struct world *world, const struct fdb_key *key, uint16_t port)
{
	struct twin_entry *entry = twin_find(world, key);

	if (!entry && (world->n == N_STORAGE || twin_count(world, key->bridge) >= world->limit[key->bridge]))
		return FDB_FULL;
	if (entry && entry->port == port)
		entry->used_ns = world->now_ns;
	if (entry && entry->is_static)
		return FDB_IS_STATIC;
	if (entry && entry->port == port)
		return FDB_REFRESHED;
	twin_put(world, key, port, false);
	return entry ? FDB_MOVED : FDB_NEW;
}

static uint32_t twin_remove_if(
	struct world *world, bool (*goes)(const struct world *, const struct twin_entry *, int[3]), int args[3])
{
	uint32_t n = 0, kept = 0;

	for (uint32_t i = 0; i < world->n; i++) {
		if (goes(world, &world->entries[i], args))
			n++;
		else
			world->entries[kept++] = world->entries[i];
	}
	world->n = kept;
	world->n_news += n;
	return n;
}

static bool has_aged(const struct world *world, const struct twin_entry *entry, int args[3])
{
	uint64_t ageing_ns = world->ageing_ns[entry->key.bridge];

	return !entry->is_static && ageing_ns && world->now_ns >= entry->used_ns + ageing_ns;
}

static bool is_flushed(const struct world *world, const struct twin_entry *entry, int args[3])
{
	return (!args[0] || entry->key.bridge == args[0]) && (!args[1] || entry->port == args[1]) &&
	       (args[2] < 0 || entry->key.vid == args[2]) && !entry->is_static;
}

static uint64_t twin_next_ns(const struct world *world)
{
	uint64_t next_ns = UINT64_MAX;

	for (uint32_t i = 0; i < world->n; i++) {
		const struct twin_entry *entry = &world->entries[i];
		uint64_t ageing_ns = world->ageing_ns[entry->key.bridge];

		if (!entry->is_static && ageing_ns && entry->used_ns + ageing_ns < next_ns)
			next_ns = entry->used_ns + ageing_ns;
	}
	return next_ns;
}

static struct fdb_key random_key(struct seeded *random)
{
	return key_of((uint16_t)(1 + seeded_below(random, N_BRIDGES)), (uint16_t)seeded_below(random, 3),
		(uint8_t)seeded_below(random, 12));
}

static void change_settings(struct world *world)
{
	uint16_t bridge = (uint16_t)(1 + seeded_below(&world->random, N_BRIDGES));
	uint32_t seconds = seeded_below(&world->random, 40);

	world->limit[bridge] = 10 + seeded_below(&world->random, 30);
	world->ageing_ns[bridge] = seconds * S;
	fdb_set_limit(world->bench.fdb, bridge, world->limit[bridge]);
	fdb_set_ageing(world->bench.fdb, bridge, seconds);
}

static void step(struct world *world)
{
	struct fdb *fdb = world->bench.fdb;
	struct fdb_key key = random_key(&world->random);
	uint16_t port = (uint16_t)(1 + seeded_below(&world->random, 4));
	struct twin_entry *entry = twin_find(world, &key);
	int args[3] = {key.bridge, port, key.vid};
	uint32_t what = seeded_below(&world->random, 100);

	if (what < 70) {
		ck_assert_msg(fdb_learn(fdb, &key, port, world->now_ns) == twin_learn(world, &key, port), "seed %#lx",
			world->random.seed);
	} else if (what < 75) {
		bool full = !entry && world->n == N_STORAGE;

		ck_assert_msg(fdb_add_static(fdb, &key, port, world->now_ns, NULL) == (full ? -ENOSPC : 0), "seed %#lx",
			world->random.seed);
		if (!full && !(entry && entry->is_static && entry->port == port))
			twin_put(world, &key, port, true);
	} else if (what < 85) {
		ck_assert_msg(fdb_remove(fdb, &key) == (entry ? 0 : -ENOENT), "seed %#lx", world->random.seed);
		if (entry) {
			*entry = world->entries[--world->n];
			world->n_news++;
		}
	} else if (what < 86) {
		change_settings(world);
	} else if (what < 88) {
		args[0] *= (int)seeded_below(&world->random, 2);
		args[1] *= (int)seeded_below(&world->random, 2);
		if (seeded_below(&world->random, 2))
			args[2] = -1;
		ck_assert_msg(fdb_flush(fdb, (uint16_t)args[0], (uint16_t)args[1], args[2], false) ==
				      twin_remove_if(world, is_flushed, args),
			"seed %#lx", world->random.seed);
	} else {
		world->now_ns += seeded_below(&world->random, 4) * S;
		twin_remove_if(world, has_aged, args);
		ck_assert_msg(fdb_age(fdb, world->now_ns) == twin_next_ns(world), "seed %#lx", world->random.seed);
	}
}

static void count_entry(void *ctx, const struct sw_fdb_entry *entry)
{
	ck_assert(entry->flags & SW_FDB_VALID);
	++*(uint32_t *)ctx;
}

/* Same entries, and storage that says the same as the table (F1). */
static void compare(struct world *world, const struct fdb *fdb)
{
	uint32_t n_valid = 0;

	for (uint32_t i = 0; i < world->n; i++) {
		const struct twin_entry *entry = &world->entries[i];
		const struct sw_fdb_entry *stored = fdb_lookup(fdb, &entry->key);

		ck_assert_msg(stored && stored->port == entry->port && stored->used_ns == entry->used_ns &&
				      stored->learned_ns == entry->learned_ns &&
				      stored->flags == (SW_FDB_VALID | (entry->is_static ? SW_FDB_STATIC : 0)),
			"seed %#lx", world->random.seed);
	}
	for (int i = 0; i < N_STORAGE; i++)
		n_valid += !!(world->bench.storage[i].flags & SW_FDB_VALID);
	ck_assert_msg(n_valid == world->n, "seed %#lx", world->random.seed);
	for (uint16_t bridge = 0; bridge <= N_BRIDGES; bridge++) {
		uint32_t n_walked = 0;

		fdb_each(fdb, bridge, count_entry, &n_walked);
		ck_assert_msg(
			fdb_count(fdb, bridge) == twin_count(world, bridge) && n_walked == twin_count(world, bridge),
			"seed %#lx", world->random.seed);
	}
}

/* The same storage under a new table, with the old one's settings. */
static void restart(struct world *world)
{
	fdb_destroy(world->bench.fdb);
	world->bench.fdb =
		fdb_create(world->bench.storage, N_STORAGE, &(struct fdb_events){&world->bench.news, changed});
	world->bench.news.fdb = world->bench.fdb;
	for (uint16_t bridge = 1; bridge <= N_BRIDGES; bridge++) {
		fdb_set_limit(world->bench.fdb, bridge, world->limit[bridge]);
		fdb_set_ageing(world->bench.fdb, bridge, (uint32_t)(world->ageing_ns[bridge] / S));
	}
}

START_TEST(it_does_what_a_plain_list_does)
{
	struct world world = {.random = seeded_start(), .now_ns = 1000 * S};

	open_bench(&world.bench);
	for (uint16_t bridge = 1; bridge <= N_BRIDGES; bridge++) {
		world.limit[bridge] = FDB_DEFAULT_LIMIT;
		world.ageing_ns[bridge] = FDB_DEFAULT_AGEING_S * S;
	}
	for (int i = 0; i < N_STEPS; i++) {
		step(&world);
		ck_assert_msg(world.bench.news.n == world.n_news, "seed %#lx, step %d: told %u changes, there were %u",
			world.random.seed, i, world.bench.news.n, world.n_news);
		compare(&world, world.bench.fdb);
		if (i % 1000 == 999)
			restart(&world);
	}
	fdb_destroy(world.bench.fdb);
}
END_TEST

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* With a walk of the table for each, half a million calls would take minutes. */
START_TEST(asking_a_full_table_to_age_costs_next_to_nothing)
{
	struct sw_fdb_entry *storage = calloc(N_MANY, sizeof(*storage));
	struct fdb *fdb = fdb_create(storage, N_MANY, NULL);
	double start;

	fdb_set_limit(fdb, 1, N_MANY);
	start = seconds();
	for (uint32_t round = 0; round < 8; round++) {
		for (uint32_t i = 0; i < N_MANY; i++) {
			struct fdb_key key = {1, 0, {2, 0, 0, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};

			fdb_learn(fdb, &key, 1, (round * N_MANY + i) * 1000ULL);
			fdb_age(fdb, (round * N_MANY + i) * 1000ULL);
		}
	}
	ck_assert_uint_eq(fdb_count(fdb, 1), N_MANY);
	ck_assert_msg(seconds() - start < 20, "took %.1f s", seconds() - start);
	ck_assert_uint_eq(fdb_age(fdb, 10000 * S), UINT64_MAX);
	ck_assert_uint_eq(fdb_count(fdb, 1), 0);
	fdb_destroy(fdb);
	free(storage);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("fdb");
	Suite *suite = suite_create("fdb");
	SRunner *runner;
	int n_failed;

	tcase_set_timeout(tcase, 100);
	tcase_add_test(tcase, an_address_is_known_by_bridge_and_vlan);
	tcase_add_test(tcase, a_move_is_told_and_a_refresh_is_not);
	tcase_add_test(tcase, a_static_entry_stays_where_it_is);
	tcase_add_test(tcase, a_learned_entry_becomes_static_and_ages_no_more);
	tcase_add_test(tcase, an_entry_ages_when_its_time_has_come_and_not_before);
	tcase_add_test(tcase, bridges_age_by_their_own_time);
	tcase_add_test(tcase, a_full_bridge_learns_nothing_and_forgets_nothing);
	tcase_add_test(tcase, a_full_storage_refuses_with_a_reason);
	tcase_add_test(tcase, pruning_removes_what_is_not_wanted_says_so_and_spares_statics);
	tcase_add_test(tcase, what_is_in_storage_is_adopted_and_rubbish_is_not);
	tcase_add_test(tcase, an_adopted_time_to_come_does_not_keep_an_entry_for_ever);
	tcase_add_test(tcase, it_does_what_a_plain_list_does);
	tcase_add_test(tcase, asking_a_full_table_to_age_costs_next_to_nothing);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? 1 : 0;
}
