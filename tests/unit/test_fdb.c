/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The FDB in sentences: the table (F2, F3, limits, ageing), what the program sees of it and when (F4, F5), and what the
 * program's marks do. test_fdb_oracle.c compares the same with a plain list; who else looks at the cells while they are
 * written, or after, is in test_fdb_shared.c.
 */
#include "dataplane/complaint.h"
#include "dataplane/fdb.h"

#include "tests/unit/fdb_lab.h"
#include "tests/unit/seeded.h"

#include <check.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#define S       1000000000ULL
#define LIMIT   64
#define CROWDED 100 /* a bucket that is aimed at; the next one is, too */

/* ---- counting what `changed` says ---- */

struct bench {
	struct fdb_storage storage;
	struct fdb *fdb;
	struct seeded random;
	uint32_t n_news;
	struct fdb_key last_news;
	const struct fdb_entry *seen; /* what a lookup said when it was told */
	struct fdb_out out;
};

static void changed(void *ctx, const struct fdb_key *key)
{
	struct bench *bench = ctx;

	bench->n_news++;
	bench->last_news = *key;
	bench->seen = fdb_lookup(bench->fdb, key);
}

static struct fdb_out out(void *ctx, const struct fdb_entry *entry)
{
	return ((const struct bench *)ctx)->out;
}

static void start(struct bench *bench, uint32_t limit)
{
	bench->fdb = fdb_create(&bench->storage, limit, &(struct fdb_events){bench, changed, out});
}

static void open_bench(struct bench *bench)
{
	*bench = (struct bench){.random = seeded_start()};
	bench->storage = lab_storage(seeded_next(&bench->random));
	start(bench, LIMIT);
}

static void close_bench(struct bench *bench)
{
	fdb_destroy(bench->fdb);
	lab_storage_free(&bench->storage);
}

static void restart(struct bench *bench, uint32_t limit)
{
	fdb_destroy(bench->fdb);
	start(bench, limit);
}

static struct fdb_key key_of(uint16_t bridge, uint16_t vid, uint8_t last)
{
	return (struct fdb_key){bridge, vid, {0x02, 0, 0, 0, 0, last}};
}

static uint16_t port_of(const struct fdb *fdb, const struct fdb_key *key)
{
	const struct fdb_entry *entry = fdb_lookup(fdb, key);

	return entry ? entry->port : 0;
}

/* The port that the program finds, or 0. */
static uint16_t program_port(const struct bench *bench, const struct fdb_key *key)
{
	union sw_fdb_place place = {0};

	lab_find(&bench->storage, key, &place);
	return place.port;
}

/* ---- the table ---- */

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
	fdb_settle(bench.fdb);
	ck_assert_uint_eq(program_port(&bench, &key), 5);
	ck_assert_uint_eq(program_port(&bench, &other_vlan), 0);
	ck_assert_uint_eq(program_port(&bench, &other_bridge), 0);
	close_bench(&bench);
}
END_TEST

START_TEST(a_move_is_told_and_a_refresh_is_not)
{
	struct fdb_key key = key_of(1, 10, 1);
	struct bench bench;

	open_bench(&bench);
	fdb_learn(bench.fdb, &key, 5, 1 * S);
	ck_assert_uint_eq(bench.n_news, 1);
	ck_assert_ptr_eq(bench.seen, fdb_lookup(bench.fdb, &key)); /* F2: after the change */
	ck_assert_int_eq(fdb_learn(bench.fdb, &key, 5, 2 * S), FDB_REFRESHED);
	ck_assert_uint_eq(bench.n_news, 1);
	ck_assert_uint_eq(fdb_lookup(bench.fdb, &key)->used_ns, 2 * S);
	ck_assert_uint_eq(fdb_lookup(bench.fdb, &key)->learned_ns, 1 * S);
	ck_assert_int_eq(fdb_learn(bench.fdb, &key, 6, 3 * S), FDB_MOVED);
	ck_assert_uint_eq(bench.n_news, 2);
	ck_assert_mem_eq(&bench.last_news, &key, sizeof(key));
	ck_assert_uint_eq(port_of(bench.fdb, &key), 6);
	ck_assert_uint_eq(fdb_lookup(bench.fdb, &key)->learned_ns, 3 * S);
	ck_assert_uint_eq(fdb_count(bench.fdb, 1), 1);
	fdb_remove(bench.fdb, &key);
	ck_assert_uint_eq(bench.n_news, 3);
	ck_assert_ptr_null(bench.seen);
	close_bench(&bench);
}
END_TEST

START_TEST(a_static_entry_stays_where_it_is)
{
	struct fdb_key key = key_of(1, 10, 1);
	struct bench bench;

	open_bench(&bench);
	ck_assert_int_eq(fdb_add_static(bench.fdb, &key, 5, S, NULL), 0);
	ck_assert_uint_eq(bench.n_news, 1);
	ck_assert_int_eq(fdb_learn(bench.fdb, &key, 6, 2 * S), FDB_IS_STATIC);
	ck_assert_int_eq(fdb_learn(bench.fdb, &key, 5, 2 * S), FDB_IS_STATIC);
	ck_assert_uint_eq(port_of(bench.fdb, &key), 5);
	ck_assert_uint_eq(fdb_age(bench.fdb, 1000000 * S), UINT64_MAX);
	ck_assert_uint_eq(port_of(bench.fdb, &key), 5);
	ck_assert_uint_eq(fdb_flush(bench.fdb, 0, 0, -1, false), 0);
	ck_assert_uint_eq(bench.n_news, 1);
	ck_assert_int_eq(fdb_add_static(bench.fdb, &key, 5, 3 * S, NULL), 0); /* says nothing new */
	ck_assert_uint_eq(bench.n_news, 1);
	ck_assert_int_eq(fdb_add_static(bench.fdb, &key, 7, 3 * S, NULL), 0);
	ck_assert_uint_eq(bench.n_news, 2);
	ck_assert_uint_eq(port_of(bench.fdb, &key), 7);
	ck_assert_uint_eq(fdb_flush(bench.fdb, 0, 0, -1, true), 1);
	ck_assert_uint_eq(port_of(bench.fdb, &key), 0);
	close_bench(&bench);
}
END_TEST

START_TEST(a_learned_entry_becomes_static_and_ages_no_more)
{
	struct fdb_key key = key_of(1, 10, 1);
	struct bench bench;

	open_bench(&bench);
	fdb_learn(bench.fdb, &key, 5, S);
	ck_assert_int_eq(fdb_add_static(bench.fdb, &key, 5, 2 * S, NULL), 0);
	ck_assert_uint_eq(bench.n_news, 2); /* its sender is no longer learned from: an answer changed */
	ck_assert_uint_eq(fdb_age(bench.fdb, 1000 * S), UINT64_MAX);
	ck_assert_uint_eq(port_of(bench.fdb, &key), 5);
	ck_assert_uint_eq(fdb_count(bench.fdb, 1), 1);
	ck_assert_int_eq(fdb_remove(bench.fdb, &key), 0);
	ck_assert_int_eq(fdb_remove(bench.fdb, &key), -ENOENT);
	ck_assert_uint_eq(bench.n_news, 3);
	close_bench(&bench);
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
	ck_assert_uint_eq(bench.n_news, 3);
	ck_assert_mem_eq(&bench.last_news, &b, sizeof(b));
	fdb_set_ageing(bench.fdb, 1, 0);
	ck_assert_uint_eq(fdb_age(bench.fdb, 1000 * S), UINT64_MAX);
	ck_assert_uint_eq(port_of(bench.fdb, &a), 5);
	fdb_set_ageing(bench.fdb, 1, 1);
	ck_assert_uint_eq(fdb_age(bench.fdb, 1000 * S), UINT64_MAX);
	ck_assert_uint_eq(port_of(bench.fdb, &a), 0);
	close_bench(&bench);
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
	close_bench(&bench);
}
END_TEST

static bool is_behind_five(void *ctx, const struct fdb_entry *entry)
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
	bench.n_news = 0;
	fdb_prune(bench.fdb, is_behind_five, NULL);
	ck_assert_ptr_nonnull(fdb_lookup(bench.fdb, &wanted));
	ck_assert_ptr_null(fdb_lookup(bench.fdb, &other));
	ck_assert_ptr_nonnull(fdb_lookup(bench.fdb, &fixed));
	ck_assert_uint_eq(bench.n_news, 1);
	close_bench(&bench);
}
END_TEST

/* ---- limits ---- */

START_TEST(a_full_bridge_learns_nothing_of_the_port_that_filled_it_and_forgets_nothing)
{
	struct fdb_key first = key_of(1, 0, 1), elsewhere = key_of(2, 0, 1), fixed = key_of(1, 0, 99);
	struct bench bench;

	open_bench(&bench);
	fdb_set_limit(bench.fdb, 1, 4);
	for (uint8_t i = 1; i <= 10; i++) {
		struct fdb_key key = key_of(1, 0, i);

		ck_assert_int_eq(fdb_has_room(bench.fdb, 1), i <= 4);
		ck_assert_int_eq(fdb_learn(bench.fdb, &key, 5, i * S), i <= 4 ? FDB_NEW : FDB_FULL);
	}
	for (uint8_t i = 1; i <= 10; i++) {
		struct fdb_key key = key_of(1, 0, i);

		ck_assert_uint_eq(port_of(bench.fdb, &key), i <= 4 ? 5 : 0);
	}
	/* What is known still moves; other bridges still learn; a static entry is still taken. */
	ck_assert(fdb_has_room(bench.fdb, 2));
	ck_assert_int_eq(fdb_learn(bench.fdb, &first, 6, 20 * S), FDB_MOVED);
	ck_assert_int_eq(fdb_learn(bench.fdb, &elsewhere, 6, 20 * S), FDB_NEW);
	ck_assert_int_eq(fdb_add_static(bench.fdb, &fixed, 6, 20 * S, NULL), 0);
	close_bench(&bench);
}
END_TEST

static enum fdb_learned learn_at(struct bench *bench, uint8_t last, uint16_t port, uint64_t now_ns)
{
	struct fdb_key key = key_of(1, 0, last);

	return fdb_learn(bench->fdb, &key, port, now_ns);
}

static bool knows(const struct bench *bench, uint8_t last)
{
	struct fdb_key key = key_of(1, 0, last);

	return port_of(bench->fdb, &key);
}

/* F6 */
START_TEST(where_there_is_no_room_the_port_with_most_addresses_yields_what_it_used_least)
{
	struct bench bench;

	open_bench(&bench);
	fdb_set_limit(bench.fdb, 1, 4);
	for (uint8_t i = 1; i <= 4; i++)
		ck_assert_int_eq(learn_at(&bench, i, 5, i * S), FDB_NEW);
	ck_assert_int_eq(learn_at(&bench, 1, 5, 5 * S), FDB_REFRESHED); /* now 2 is the one that goes first */
	fdb_settle(bench.fdb);
	ck_assert_uint_eq(fdb_most(bench.fdb, 1), 4);
	ck_assert_int_eq(learn_at(&bench, 11, 6, 6 * S), FDB_NEW);
	ck_assert(!knows(&bench, 2) && knows(&bench, 11));
	ck_assert_int_eq(bench.n_news, 6);
	ck_assert_int_eq(learn_at(&bench, 12, 6, 6 * S), FDB_NEW);
	ck_assert(!knows(&bench, 3));
	ck_assert_uint_eq(fdb_most(bench.fdb, 1), 2);
	ck_assert_uint_eq(fdb_count_of_port(bench.fdb, 5), 2);
	ck_assert_uint_eq(fdb_count_of_port(bench.fdb, 6), 2);
	ck_assert_int_eq(learn_at(&bench, 13, 6, 6 * S), FDB_FULL); /* it has as many */
	ck_assert_int_eq(learn_at(&bench, 6, 5, 6 * S), FDB_FULL);
	ck_assert_int_eq(learn_at(&bench, 21, 7, 6 * S), FDB_NEW);
	ck_assert_int_eq(learn_at(&bench, 22, 7, 6 * S), FDB_FULL); /* no sense in taking turns */
	ck_assert_uint_eq(fdb_count(bench.fdb, 1), 4);
	fdb_settle(bench.fdb);
	ck_assert(lab_agrees(bench.fdb, &bench.storage));
	close_bench(&bench);
}
END_TEST

START_TEST(static_entries_yield_to_nobody_and_are_nobodys_share)
{
	struct bench bench;

	open_bench(&bench);
	fdb_set_limit(bench.fdb, 1, 3);
	for (uint8_t i = 1; i <= 3; i++) {
		struct fdb_key key = key_of(1, 0, i);

		ck_assert_int_eq(fdb_add_static(bench.fdb, &key, 5, S, NULL), 0);
	}
	ck_assert_uint_eq(fdb_most(bench.fdb, 1), 0);
	ck_assert_int_eq(learn_at(&bench, 11, 6, S), FDB_FULL);
	fdb_set_limit(bench.fdb, 1, 5);
	ck_assert_int_eq(learn_at(&bench, 11, 6, S), FDB_NEW);
	ck_assert_int_eq(learn_at(&bench, 12, 6, S), FDB_NEW);
	ck_assert_int_eq(learn_at(&bench, 4, 5, S), FDB_NEW); /* 0 against 2 */
	ck_assert(!knows(&bench, 11));
	ck_assert_int_eq(learn_at(&bench, 5, 5, S), FDB_FULL); /* 1 against 1 */
	ck_assert_int_eq(learn_at(&bench, 12, 7, S), FDB_MOVED);
	fdb_set_limit(bench.fdb, 1, 6);
	ck_assert_int_eq(learn_at(&bench, 13, 6, S), FDB_NEW);
	fdb_set_limit(bench.fdb, 1, 2); /* there are more than that now, and it does not become worse */
	ck_assert_int_eq(learn_at(&bench, 5, 5, 2 * S), FDB_FULL);
	ck_assert_uint_eq(fdb_count(bench.fdb, 1), 6);
	for (uint8_t i = 1; i <= 3; i++)
		ck_assert(knows(&bench, i));
	close_bench(&bench);
}
END_TEST

START_TEST(a_bridge_that_fills_the_storage_yields_to_another)
{
	struct fdb_key elsewhere = key_of(2, 0, 1), more = key_of(2, 0, 2);
	struct bench bench;

	open_bench(&bench);
	fdb_set_limit(bench.fdb, 2, 1);
	for (uint8_t i = 0; i < LIMIT; i++)
		ck_assert_int_eq(learn_at(&bench, i, 5, (1 + i) * S), FDB_NEW);
	ck_assert_uint_eq(fdb_most(bench.fdb, 2), LIMIT);
	ck_assert_int_eq(fdb_learn(bench.fdb, &elsewhere, 6, LIMIT * S), FDB_NEW);
	ck_assert(!knows(&bench, 0));
	ck_assert_uint_eq(fdb_most(bench.fdb, 2), 1); /* its own limit is reached, and bridge 1 does not matter */
	ck_assert_int_eq(fdb_learn(bench.fdb, &more, 7, LIMIT * S), FDB_FULL);
	ck_assert_uint_eq(fdb_count(bench.fdb, 0), LIMIT);
	close_bench(&bench);
}
END_TEST

START_TEST(whose_addresses_they_are_is_known_after_a_restart)
{
	struct bench bench;

	open_bench(&bench);
	for (uint8_t i = 1; i <= 4; i++)
		ck_assert_int_eq(learn_at(&bench, i, i == 4 ? 6 : 5, i * S), FDB_NEW);
	fdb_settle(bench.fdb);
	restart(&bench, LIMIT);
	fdb_set_limit(bench.fdb, 1, 4);
	ck_assert_uint_eq(fdb_count_of_port(bench.fdb, 5), 3);
	ck_assert_uint_eq(fdb_count_of_port(bench.fdb, 6), 1);
	ck_assert_int_eq(learn_at(&bench, 11, 6, 9 * S), FDB_NEW);
	ck_assert(!knows(&bench, 1) && knows(&bench, 2) && knows(&bench, 3));
	close_bench(&bench);
}
END_TEST

START_TEST(a_full_storage_refuses_with_a_reason)
{
	struct complaint complaint = {""};
	struct bench bench;
	struct fdb_key key;

	open_bench(&bench);
	for (uint8_t i = 0; i < LIMIT; i++) {
		key = key_of(1, 0, i);
		ck_assert_int_eq(fdb_learn(bench.fdb, &key, 5, S), FDB_NEW);
	}
	ck_assert(!fdb_has_room(bench.fdb, 2));
	key = key_of(2, 0, 200);
	ck_assert_int_eq(fdb_learn(bench.fdb, &key, 5, S), FDB_FULL);
	ck_assert_int_eq(fdb_add_static(bench.fdb, &key, 5, S, &complaint), -ENOSPC);
	ck_assert(strstr(complaint.text, "holds 64 addresses"));
	ck_assert_uint_eq(bench.n_news, LIMIT);
	key = key_of(1, 0, 7);
	ck_assert_int_eq(fdb_remove(bench.fdb, &key), 0);
	ck_assert(fdb_has_room(bench.fdb, 2));
	key = key_of(2, 0, 200);
	ck_assert_int_eq(fdb_learn(bench.fdb, &key, 5, S), FDB_NEW);
	close_bench(&bench);
}
END_TEST

/* Addresses that all want the same two buckets; the first eight get their cells. */
static void crowd(struct bench *bench, struct fdb_key *ret, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		ret[i] = lab_aim(&bench->random, bench->storage.seed, 1, CROWDED, CROWDED + 1);
		ck_assert_int_eq(fdb_learn(bench->fdb, &ret[i], 5, S), i < 8 ? FDB_NEW : FDB_FULL);
	}
}

START_TEST(two_full_buckets_refuse_an_address_with_a_reason_of_their_own)
{
	struct complaint complaint = {""};
	struct fdb_key keys[9];
	struct bench bench;

	open_bench(&bench);
	crowd(&bench, keys, 9);
	ck_assert(fdb_has_room(bench.fdb, 1));
	ck_assert_int_eq(fdb_add_static(bench.fdb, &keys[8], 5, S, &complaint), -ENOSPC);
	ck_assert(strstr(complaint.text, "no place for this address"));
	ck_assert_int_eq(fdb_add_static(bench.fdb, &keys[7], 6, S, &complaint), 0);
	ck_assert_uint_eq(fdb_count(bench.fdb, 0), 8);
	close_bench(&bench);
}
END_TEST

/* What fdb.h says of random addresses, with a margin that no run in a billion should need. */
START_TEST(nearly_every_address_finds_a_cell)
{
	uint32_t n_refused = 0;
	struct bench bench;

	open_bench(&bench);
	restart(&bench, SW_MAX_FDB);
	fdb_set_limit(bench.fdb, 1, SW_MAX_FDB);
	for (uint32_t i = 0; i < SW_MAX_FDB; i++) {
		struct fdb_key key = lab_key(seeded_next(&bench.random) & SW_MAC_BITS, 1);

		key.mac[0] &= 0xfe;
		n_refused += fdb_learn(bench.fdb, &key, 1, S) == FDB_FULL;
		ck_assert_msg(i > 48000 || n_refused < 4, "seed %#lx: %u", bench.random.seed, n_refused);
	}
	ck_assert_msg(n_refused < 25, "seed %#lx: %u", bench.random.seed, n_refused);
	fdb_settle(bench.fdb);
	ck_assert_msg(lab_agrees(bench.fdb, &bench.storage), "seed %#lx", bench.random.seed);
	close_bench(&bench);
}
END_TEST

/* As machines have them, on several bridges and VLANs. */
START_TEST(so_does_nearly_every_one_of_addresses_in_sequence)
{
	uint32_t n_refused = 0;
	struct bench bench;

	open_bench(&bench);
	restart(&bench, SW_MAX_FDB);
	for (uint16_t bridge = 1; bridge <= 4; bridge++)
		fdb_set_limit(bench.fdb, bridge, SW_MAX_FDB);
	for (uint32_t i = 0; i < 48000; i++) {
		struct fdb_key key = {(uint16_t)(1 + i % 4), (uint16_t)(i / 4 % 16),
			{2, 0, 0, 0, (uint8_t)(i >> 14), (uint8_t)(i >> 6)}};

		n_refused += fdb_learn(bench.fdb, &key, 1, S) == FDB_FULL;
	}
	ck_assert_msg(n_refused < 4, "seed %#lx: %u", bench.random.seed, n_refused);
	close_bench(&bench);
}
END_TEST

/* ---- what the program sees ---- */

START_TEST(the_program_sees_a_change_only_after_a_settle)
{
	struct fdb_key key = key_of(1, 10, 1);
	struct bench bench;

	open_bench(&bench);
	fdb_learn(bench.fdb, &key, 5, S);
	ck_assert_uint_eq(program_port(&bench, &key), 0);
	fdb_settle(bench.fdb);
	ck_assert_uint_eq(program_port(&bench, &key), 5);
	fdb_learn(bench.fdb, &key, 6, S);
	ck_assert_uint_eq(program_port(&bench, &key), 5);
	fdb_settle(bench.fdb);
	ck_assert_uint_eq(program_port(&bench, &key), 6);
	fdb_remove(bench.fdb, &key);
	ck_assert_uint_eq(program_port(&bench, &key), 6);
	fdb_settle(bench.fdb);
	ck_assert_uint_eq(program_port(&bench, &key), 0);
	ck_assert(lab_agrees(bench.fdb, &bench.storage));
	close_bench(&bench);
}
END_TEST

START_TEST(a_cell_says_how_a_frame_leaves_and_says_it_anew_when_that_changes)
{
	struct fdb_key learned = key_of(1, 10, 1), fixed = key_of(2, 10, 1);
	struct bench bench;
	union sw_fdb_place place;

	open_bench(&bench);
	bench.out = (struct fdb_out){SW_FDB_OUT_DROP, SW_DROP_PORT_DOWN, SW_FDB_ONE_BUFFER, 0};
	fdb_learn(bench.fdb, &learned, 5, S);
	fdb_add_static(bench.fdb, &fixed, 6, S, NULL);
	fdb_settle(bench.fdb);
	ck_assert_ptr_nonnull(lab_find(&bench.storage, &learned, &place));
	ck_assert_uint_eq(place.port, 5);
	ck_assert_uint_eq(place.bridge, 1);
	ck_assert_uint_eq(place.out, SW_FDB_OUT_DROP);
	ck_assert_uint_eq(place.drop, SW_DROP_PORT_DOWN);
	ck_assert_uint_eq(place.flags, SW_FDB_ONE_BUFFER);
	lab_find(&bench.storage, &fixed, &place);
	ck_assert_uint_eq(place.flags, SW_FDB_ONE_BUFFER | SW_FDB_STATIC);
	bench.out = (struct fdb_out){SW_FDB_OUT_TAGGED, 0, 0, 0};
	fdb_settle(bench.fdb);
	lab_find(&bench.storage, &fixed, &place);
	ck_assert_uint_eq(place.out, SW_FDB_OUT_DROP);
	fdb_republish(bench.fdb);
	fdb_settle(bench.fdb);
	lab_find(&bench.storage, &fixed, &place);
	ck_assert_uint_eq(place.out, SW_FDB_OUT_TAGGED);
	ck_assert_uint_eq(place.flags, SW_FDB_STATIC);
	fdb_destroy(bench.fdb);
	bench.fdb = fdb_create(&bench.storage, LIMIT, NULL); /* who knows nothing of ports */
	fdb_settle(bench.fdb);
	lab_find(&bench.storage, &fixed, &place);
	ck_assert_uint_eq(place.out, SW_FDB_OUT_UPCALL);
	close_bench(&bench);
}
END_TEST

START_TEST(what_came_and_went_between_two_settles_leaves_no_trace)
{
	struct fdb_key keys[9];
	struct bench bench;

	open_bench(&bench);
	crowd(&bench, keys, 9);
	fdb_remove(bench.fdb, &keys[3]);
	ck_assert(!fdb_wants_grace(bench.fdb));
	ck_assert_int_eq(fdb_learn(bench.fdb, &keys[8], 6, S), FDB_NEW); /* its cell is free at once */
	fdb_settle(bench.fdb);
	ck_assert_uint_eq(program_port(&bench, &keys[3]), 0);
	ck_assert_uint_eq(program_port(&bench, &keys[8]), 6);
	ck_assert(!fdb_wants_grace(bench.fdb));
	ck_assert(lab_agrees(bench.fdb, &bench.storage));
	close_bench(&bench);
}
END_TEST

START_TEST(an_address_that_is_back_before_the_settle_keeps_its_cell)
{
	struct fdb_key keys[9];
	struct sw_fdb_cell *cell;
	struct bench bench;

	open_bench(&bench);
	crowd(&bench, keys, 9);
	fdb_settle(bench.fdb);
	cell = lab_find(&bench.storage, &keys[3], NULL);
	fdb_remove(bench.fdb, &keys[3]);
	ck_assert_int_eq(fdb_learn(bench.fdb, &keys[3], 6, 2 * S), FDB_NEW);
	fdb_settle(bench.fdb);
	ck_assert_ptr_eq(lab_find(&bench.storage, &keys[3], NULL), cell);
	ck_assert_uint_eq(program_port(&bench, &keys[3]), 6);
	ck_assert(!fdb_wants_grace(bench.fdb));
	close_bench(&bench);
}
END_TEST

/* F5 */
START_TEST(a_cell_rests_until_a_grace_period_that_began_after_its_clearing_has_ended)
{
	struct fdb_key keys[9];
	struct bench bench;

	open_bench(&bench);
	crowd(&bench, keys, 9);
	fdb_settle(bench.fdb);
	fdb_remove(bench.fdb, &keys[0]);
	ck_assert(!fdb_wants_grace(bench.fdb));
	ck_assert_int_eq(fdb_learn(bench.fdb, &keys[8], 6, S), FDB_FULL);
	fdb_grace_began(bench.fdb); /* too early: it is not cleared */
	fdb_settle(bench.fdb);
	ck_assert(fdb_wants_grace(bench.fdb));
	fdb_grace_ended(bench.fdb);
	ck_assert(fdb_wants_grace(bench.fdb));
	ck_assert_int_eq(fdb_learn(bench.fdb, &keys[8], 6, S), FDB_FULL);
	fdb_grace_began(bench.fdb);
	ck_assert(!fdb_wants_grace(bench.fdb));
	ck_assert_int_eq(fdb_learn(bench.fdb, &keys[8], 6, S), FDB_FULL);
	fdb_grace_ended(bench.fdb);
	ck_assert_int_eq(fdb_learn(bench.fdb, &keys[8], 6, S), FDB_NEW);
	fdb_settle(bench.fdb);
	ck_assert_uint_eq(program_port(&bench, &keys[8]), 6);
	close_bench(&bench);
}
END_TEST

/* ---- marks ---- */

START_TEST(a_mark_becomes_a_refresh_at_the_harvest_and_only_one)
{
	struct fdb_key marked = key_of(1, 0, 1), other = key_of(1, 0, 2);
	struct sw_fdb_cell *cell;
	struct bench bench;

	open_bench(&bench);
	fdb_learn(bench.fdb, &marked, 5, 1 * S);
	fdb_learn(bench.fdb, &other, 5, 2 * S);
	fdb_settle(bench.fdb);
	cell = lab_find(&bench.storage, &marked, NULL);
	cell->place.used = 1;
	fdb_harvest(bench.fdb, 50 * S);
	ck_assert_uint_eq(cell->place.used, 0);
	ck_assert_uint_eq(fdb_lookup(bench.fdb, &marked)->used_ns, 50 * S);
	ck_assert_uint_eq(fdb_lookup(bench.fdb, &marked)->learned_ns, 1 * S);
	ck_assert_uint_eq(fdb_lookup(bench.fdb, &other)->used_ns, 2 * S);
	ck_assert_uint_eq(fdb_age(bench.fdb, 60 * S), (FDB_DEFAULT_AGEING_S + 2) * S); /* now the other is the oldest */
	fdb_harvest(bench.fdb, 70 * S);
	ck_assert_uint_eq(fdb_lookup(bench.fdb, &marked)->used_ns, 50 * S);
	ck_assert_uint_eq(bench.n_news, 2);
	close_bench(&bench);
}
END_TEST

/* Perhaps no daemon ran: nobody may have harvested for longer than it takes to age. */
START_TEST(an_address_that_is_marked_does_not_age)
{
	struct fdb_key marked = key_of(1, 0, 1), other = key_of(1, 0, 2);
	struct bench bench;

	open_bench(&bench);
	fdb_learn(bench.fdb, &marked, 5, 1 * S);
	fdb_learn(bench.fdb, &other, 5, 1 * S);
	fdb_settle(bench.fdb);
	lab_find(&bench.storage, &marked, NULL)->place.used = 1;
	ck_assert_uint_eq(fdb_age(bench.fdb, 1000 * S), (1000 + FDB_DEFAULT_AGEING_S) * S);
	ck_assert_uint_eq(fdb_lookup(bench.fdb, &marked)->used_ns, 1000 * S);
	ck_assert_ptr_null(fdb_lookup(bench.fdb, &other));
	fdb_age(bench.fdb, (1000 + FDB_DEFAULT_AGEING_S) * S);
	ck_assert_ptr_null(fdb_lookup(bench.fdb, &marked));
	close_bench(&bench);
}
END_TEST

START_TEST(a_mark_outlives_a_move_but_is_not_inherited)
{
	struct fdb_key keys[9];
	struct sw_fdb_cell *cell;
	struct bench bench;

	open_bench(&bench);
	crowd(&bench, keys, 9);
	fdb_settle(bench.fdb);
	cell = lab_find(&bench.storage, &keys[0], NULL);
	cell->place.used = 1;
	fdb_learn(bench.fdb, &keys[0], 6, 2 * S);
	fdb_settle(bench.fdb);
	ck_assert_uint_eq(cell->place.used, 1);
	fdb_harvest(bench.fdb, 3 * S);
	ck_assert_uint_eq(fdb_lookup(bench.fdb, &keys[0])->used_ns, 3 * S);
	fdb_remove(bench.fdb, &keys[0]);
	fdb_settle(bench.fdb);
	cell->place.used = 1; /* by a program that found the cell before it was cleared */
	fdb_grace_began(bench.fdb);
	fdb_grace_ended(bench.fdb);
	fdb_learn(bench.fdb, &keys[8], 6, 4 * S);
	fdb_harvest(bench.fdb, 5 * S);
	fdb_settle(bench.fdb);
	ck_assert_ptr_eq(lab_find(&bench.storage, &keys[8], NULL), cell);
	fdb_harvest(bench.fdb, 6 * S);
	ck_assert_uint_eq(fdb_lookup(bench.fdb, &keys[8])->used_ns, 4 * S);
	close_bench(&bench);
}
END_TEST

/* ---- costs ---- */

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* With a walk of the table for each, half a million calls would take minutes. */
START_TEST(asking_a_full_table_to_age_costs_next_to_nothing)
{
	uint32_t n_there;
	struct bench bench;
	double start_s;

	open_bench(&bench);
	restart(&bench, SW_MAX_FDB);
	fdb_set_limit(bench.fdb, 1, SW_MAX_FDB);
	start_s = seconds();
	for (uint32_t round = 0; round < 8; round++) {
		for (uint32_t i = 0; i < SW_MAX_FDB; i++) {
			struct fdb_key key = {1, 0, {2, 0, 0, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};

			fdb_learn(bench.fdb, &key, 1, (round * SW_MAX_FDB + i) * 1000ULL);
			fdb_age(bench.fdb, (round * SW_MAX_FDB + i) * 1000ULL);
		}
	}
	n_there = fdb_count(bench.fdb, 1);
	ck_assert_msg(n_there > SW_MAX_FDB - 25, "seed %#lx: %u", bench.random.seed, n_there);
	ck_assert_msg(seconds() - start_s < 20, "took %.1f s", seconds() - start_s);
	ck_assert_uint_eq(fdb_age(bench.fdb, 10000 * S), UINT64_MAX);
	ck_assert_uint_eq(fdb_count(bench.fdb, 1), 0);
	close_bench(&bench);
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
	tcase_add_test(tcase, pruning_removes_what_is_not_wanted_says_so_and_spares_statics);
	tcase_add_test(tcase, a_full_bridge_learns_nothing_of_the_port_that_filled_it_and_forgets_nothing);
	tcase_add_test(tcase, where_there_is_no_room_the_port_with_most_addresses_yields_what_it_used_least);
	tcase_add_test(tcase, static_entries_yield_to_nobody_and_are_nobodys_share);
	tcase_add_test(tcase, a_bridge_that_fills_the_storage_yields_to_another);
	tcase_add_test(tcase, whose_addresses_they_are_is_known_after_a_restart);
	tcase_add_test(tcase, a_full_storage_refuses_with_a_reason);
	tcase_add_test(tcase, two_full_buckets_refuse_an_address_with_a_reason_of_their_own);
	tcase_add_test(tcase, nearly_every_address_finds_a_cell);
	tcase_add_test(tcase, so_does_nearly_every_one_of_addresses_in_sequence);
	tcase_add_test(tcase, the_program_sees_a_change_only_after_a_settle);
	tcase_add_test(tcase, a_cell_says_how_a_frame_leaves_and_says_it_anew_when_that_changes);
	tcase_add_test(tcase, what_came_and_went_between_two_settles_leaves_no_trace);
	tcase_add_test(tcase, an_address_that_is_back_before_the_settle_keeps_its_cell);
	tcase_add_test(tcase, a_cell_rests_until_a_grace_period_that_began_after_its_clearing_has_ended);
	tcase_add_test(tcase, a_mark_becomes_a_refresh_at_the_harvest_and_only_one);
	tcase_add_test(tcase, an_address_that_is_marked_does_not_age);
	tcase_add_test(tcase, a_mark_outlives_a_move_but_is_not_inherited);
	tcase_add_test(tcase, asking_a_full_table_to_age_costs_next_to_nothing);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? 1 : 0;
}
