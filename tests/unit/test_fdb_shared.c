/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The FDB's cells as others meet them: a next daemon, which believes what is sound and nothing else (F1), whatever
 * instruction the last one died at and whatever bytes it finds; and a reader on another CPU (F5, A6).
 */
#include "dataplane/fdb.h"

#include "tests/unit/fdb_lab.h"
#include "tests/unit/seeded.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SEED    0x243f6a8885a308d3ULL /* any will do whose product spreads a few addresses */
#define S       1000000000ULL
#define CROWDED 100 /* a bucket that is aimed at; the next one is, too */

static uint32_t primary_of(const struct fdb_storage *storage, const struct fdb_key *key)
{
	return sw_fdb_primary(lab_hash(storage->seed, key));
}

static struct fdb_key key_of(uint16_t bridge, uint16_t vid, uint8_t last)
{
	return (struct fdb_key){bridge, vid, {0x02, 0, 0, 0, 0, last}};
}

/* As a daemon before us left it. Returns the index of the cell. */
static uint32_t write_cell(
	const struct fdb_storage *storage, uint32_t cell, const struct fdb_key *key, uint16_t port, uint64_t used_ns)
{
	*lab_cell(storage, cell) = (struct sw_fdb_cell){
		.key = lab_word(key),
		.place = {.port = port, .bridge = (uint8_t)key->bridge, .out = SW_FDB_OUT_AS_IS},
	};
	storage->times[cell] = (struct sw_fdb_times){used_ns, S};
	return cell;
}

static uint32_t write_home(
	const struct fdb_storage *storage, const struct fdb_key *key, uint16_t port, uint64_t used_ns)
{
	uint32_t cell = primary_of(storage, key) * SW_FDB_CELLS;

	while (lab_cell(storage, cell)->key) /* no test has that many */
		cell++;
	return write_cell(storage, cell, key, port, used_ns);
}

static uint16_t port_of(const struct fdb *fdb, const struct fdb_key *key)
{
	const struct fdb_entry *entry = fdb_lookup(fdb, key);

	return entry ? entry->port : 0;
}

static bool is_clear(const struct fdb_storage *storage, uint32_t cell)
{
	return !lab_cell(storage, cell)->key && !lab_cell(storage, cell)->place.word;
}

/* ---- adoption ---- */

static void count_news(void *ctx, const struct fdb_key *key)
{
	++*(uint32_t *)ctx;
}

START_TEST(what_is_in_storage_is_adopted_with_its_times)
{
	struct fdb_storage storage = lab_storage(SEED);
	struct fdb_key young = key_of(1, 10, 1), old = key_of(1, 10, 2), fixed = key_of(2, 4094, 1);
	uint32_t n_news = 0;
	struct fdb *fdb;

	write_home(&storage, &young, 5, 50 * S);
	write_home(&storage, &old, 6, 10 * S);
	lab_cell(&storage, write_home(&storage, &fixed, 7, 20 * S))->place.flags = SW_FDB_STATIC;
	fdb = fdb_create(&storage, SW_MAX_FDB, &(struct fdb_events){&n_news, count_news, NULL});
	ck_assert_uint_eq(fdb_count(fdb, 0), 3);
	ck_assert_uint_eq(port_of(fdb, &young), 5);
	ck_assert_uint_eq(fdb_lookup(fdb, &young)->used_ns, 50 * S);
	ck_assert_uint_eq(fdb_lookup(fdb, &young)->learned_ns, S);
	ck_assert_uint_eq(fdb_lookup(fdb, &young)->flags, 0);
	ck_assert_uint_eq(fdb_lookup(fdb, &fixed)->flags, FDB_STATIC);
	ck_assert_uint_eq(n_news, 0);
	ck_assert(!fdb_wants_grace(fdb));
	ck_assert(lab_agrees(fdb, &storage));
	ck_assert_uint_eq(fdb_age(fdb, 310 * S), 350 * S); /* the order of use was found again */
	ck_assert_uint_eq(port_of(fdb, &old), 0);
	ck_assert_uint_eq(port_of(fdb, &young), 5);
	fdb_destroy(fdb);
	lab_storage_free(&storage);
}
END_TEST

START_TEST(what_cannot_be_ours_is_cleared_and_its_cell_rests)
{
	struct fdb_storage storage = lab_storage(SEED);
	struct fdb_key group = {1, 10, {3, 0, 0, 0, 0, 9}}, nobody = {1, 10, {0}}, vid = key_of(1, 4095, 3);
	struct fdb_key keys[10];
	uint32_t cells[10], n = 0;
	struct fdb *fdb;

	for (uint8_t i = 0; i < 10; i++)
		keys[i] = key_of(1, 10, 100 + i);
	lab_cell(&storage, cells[n++] = write_home(&storage, &keys[0], 5, S))->place.word = 0; /* half written */
	lab_cell(&storage, cells[n++] = write_home(&storage, &keys[1], 5, S))->key = 0;
	lab_cell(&storage, cells[n++] = write_home(&storage, &keys[2], 5, S))->place.bridge = 0;
	lab_cell(&storage, cells[n++] = write_home(&storage, &keys[3], 5, S))->place.bridge = SW_MAX_BRIDGES;
	cells[n++] = write_home(&storage, &keys[4], SW_MAX_PORTS, S);
	cells[n++] = write_home(&storage, &vid, 5, S);
	cells[n++] = write_home(&storage, &group, 5, S);
	cells[n++] = write_home(&storage, &nobody, 5, S);
	cells[n++] = write_cell(&storage, (primary_of(&storage, &keys[5]) ^ 1) * SW_FDB_CELLS, &keys[5], 5, S);
	lab_cell(&storage, cells[n++] = 7)->place.used = 1; /* a late mark, and nothing else */
	fdb = fdb_create(&storage, SW_MAX_FDB, NULL);
	ck_assert_uint_eq(fdb_count(fdb, 0), 0);
	for (uint32_t i = 0; i < n; i++)
		ck_assert_msg(is_clear(&storage, cells[i]), "%u", i);
	ck_assert(fdb_wants_grace(fdb));
	fdb_destroy(fdb);
	lab_storage_free(&storage);
}
END_TEST

START_TEST(a_cell_cleared_at_adoption_gets_a_key_only_after_a_grace_period)
{
	struct seeded random = seeded_start();
	struct fdb_storage storage = lab_storage(seeded_next(&random));
	struct fdb_key key = lab_aim(&random, storage.seed, 1, CROWDED, CROWDED + 1);
	struct fdb *fdb;

	for (uint32_t i = 0; i < 2 * SW_FDB_CELLS; i++)
		lab_cell(&storage, CROWDED * SW_FDB_CELLS + i)->key = 1;
	fdb = fdb_create(&storage, SW_MAX_FDB, NULL);
	ck_assert_int_eq(fdb_learn(fdb, &key, 5, S), FDB_FULL);
	fdb_grace_ended(fdb); /* of none that began */
	ck_assert_int_eq(fdb_learn(fdb, &key, 5, S), FDB_FULL);
	fdb_grace_began(fdb);
	fdb_grace_ended(fdb);
	ck_assert_int_eq(fdb_learn(fdb, &key, 5, S), FDB_NEW);
	fdb_destroy(fdb);
	lab_storage_free(&storage);
}
END_TEST

START_TEST(of_two_cells_for_one_address_the_last_used_is_adopted)
{
	struct fdb_storage storage = lab_storage(SEED);
	struct fdb_key key = key_of(1, 10, 1);
	uint32_t cell = write_home(&storage, &key, 5, 10 * S);
	struct fdb *fdb;

	write_cell(&storage, cell + 1, &key, 6, 30 * S);
	write_cell(&storage, sw_fdb_alternate(lab_hash(storage.seed, &key)) * SW_FDB_CELLS + 2, &key, 7, 20 * S);
	fdb = fdb_create(&storage, SW_MAX_FDB, NULL);
	ck_assert_uint_eq(port_of(fdb, &key), 6);
	ck_assert(lab_agrees(fdb, &storage));
	fdb_destroy(fdb);
	lab_storage_free(&storage);
}
END_TEST

START_TEST(of_more_than_the_limit_the_last_used_are_adopted)
{
	struct fdb_storage storage = lab_storage(SEED);
	struct fdb *fdb;

	for (uint8_t i = 0; i < 100; i++) {
		struct fdb_key key = key_of(1, 10, i);

		write_home(&storage, &key, 5, (i * 37 % 100 + 1) * S);
	}
	fdb = fdb_create(&storage, 30, NULL);
	ck_assert_uint_eq(fdb_count(fdb, 0), 30);
	for (uint8_t i = 0; i < 100; i++) {
		struct fdb_key key = key_of(1, 10, i);

		ck_assert_msg(!!fdb_lookup(fdb, &key) == (i * 37 % 100 >= 70), "%u", i);
	}
	ck_assert(lab_agrees(fdb, &storage));
	ck_assert(!fdb_has_room(fdb, 1));
	ck_assert_uint_eq(fdb_age(fdb, 380 * S), 381 * S);
	ck_assert_uint_eq(fdb_count(fdb, 0), 20);
	fdb_destroy(fdb);
	lab_storage_free(&storage);
}
END_TEST

START_TEST(an_adopted_time_to_come_does_not_keep_an_entry_for_ever)
{
	struct fdb_storage storage = lab_storage(SEED);
	struct fdb_key key = key_of(1, 10, 1);
	struct fdb *fdb;

	write_home(&storage, &key, 5, UINT64_MAX - 5);
	fdb = fdb_create(&storage, SW_MAX_FDB, NULL);
	ck_assert_uint_eq(fdb_age(fdb, 10 * S), (10 + FDB_DEFAULT_AGEING_S) * S);
	ck_assert_uint_eq(fdb_age(fdb, (10 + FDB_DEFAULT_AGEING_S) * S), UINT64_MAX);
	ck_assert_uint_eq(fdb_count(fdb, 0), 0);
	fdb_destroy(fdb);
	lab_storage_free(&storage);
}
END_TEST

/* ---- rubbish ---- */

static void randomize(struct seeded *random, void *bytes, size_t size)
{
	for (size_t at = 0; at + 8 <= size; at += 8)
		memcpy((char *)bytes + at, &(uint64_t){seeded_next(random)}, 8);
}

/* Mostly sound cells, some of them twice, with a random byte in every other one: of these a few are still plausible. */
static void litter(struct seeded *random, const struct fdb_storage *storage)
{
	for (uint32_t n = 0; n < 200; n++) {
		uint32_t cell = seeded_below(random, 10 * SW_FDB_CELLS);
		struct fdb_key key = lab_aim(random, storage->seed, (uint16_t)(1 + seeded_below(random, 63)),
			cell / SW_FDB_CELLS, n % 20 ? LAB_ANY : seeded_below(random, 10));

		write_cell(storage, cell, &key, (uint16_t)(1 + seeded_below(random, 1023)), seeded_next(random));
		if (!seeded_below(random, 4))
			*lab_cell(storage, cell ^ 1) = *lab_cell(storage, cell);
		if (seeded_below(random, 2))
			((uint8_t *)lab_cell(storage, cell))[seeded_below(random, sizeof(struct sw_fdb_cell))] =
				(uint8_t)seeded_next(random);
	}
}

static void check_entry(void *ctx, const struct fdb_entry *entry)
{
	*(bool *)ctx &= lab_is_plausible(&entry->key, entry->port) && !(entry->flags & ~FDB_STATIC);
}

/* Adopts, and then uses what it has. */
static void check_adoption(struct seeded *random, const struct fdb_storage *storage)
{
	struct fdb *fdb = fdb_create(storage, SW_MAX_FDB, NULL);
	bool is_plausible = true;

	fdb_each(fdb, 0, check_entry, &is_plausible);
	ck_assert_msg(is_plausible && lab_agrees(fdb, storage), "seed %#lx", random->seed);
	for (int i = 0; i < 500; i++) {
		struct fdb_key key = lab_aim(random, storage->seed, 1, seeded_below(random, 10), LAB_ANY);

		fdb_learn(fdb, &key, 5, i * S);
		fdb_harvest(fdb, i * S);
		fdb_age(fdb, i * S);
		if (i % 50 == 7) {
			fdb_settle(fdb);
			fdb_grace_began(fdb);
		}
		if (i % 50 == 27)
			fdb_grace_ended(fdb);
		if (i % 50 == 37)
			fdb_flush(fdb, 0, (uint16_t)seeded_below(random, 1023), -1, true);
	}
	fdb_settle(fdb);
	ck_assert_msg(lab_agrees(fdb, storage), "seed %#lx", random->seed);
	fdb_destroy(fdb);
}

START_TEST(of_rubbish_only_what_is_plausible_is_believed)
{
	struct seeded random = seeded_start();
	struct fdb_storage storage = lab_storage(seeded_next(&random));

	randomize(&random, storage.buckets, SW_FDB_BUCKETS * sizeof(*storage.buckets));
	randomize(&random, storage.times, LAB_CELLS * sizeof(*storage.times));
	check_adoption(&random, &storage);
	for (int i = 0; i < 20; i++) {
		litter(&random, &storage);
		check_adoption(&random, &storage);
	}
	lab_storage_free(&storage);
}
END_TEST

/* ---- a daemon that dies ---- */

#define N_MORTAL   3 /* its addresses; the port of each tells which one it is */
#define N_WATCHED  (2 * SW_FDB_CELLS)
#define OTHER_PORT 500 /* an address's other port is so much higher */

static bool is_of(union sw_fdb_place place, uint32_t which)
{
	return place.bridge == 1 && (place.port == 1 + which || place.port == 1 + which + OTHER_PORT);
}

static struct fdb_storage shared_storage(uint64_t seed)
{
	static uint32_t epoch = 1;
	size_t buckets_size = SW_FDB_BUCKETS * sizeof(struct sw_fdb_bucket);
	char *memory = mmap(NULL, buckets_size + LAB_CELLS * sizeof(struct sw_fdb_times), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(memory, MAP_FAILED);
	return (struct fdb_storage){(void *)memory, (void *)(memory + buckets_size), seed, &epoch};
}

/* One of every write that a settle makes, and a cell that gets another key. */
static void live_a_little(struct fdb *fdb, const struct fdb_key keys[N_MORTAL])
{
	fdb_learn(fdb, &keys[0], 1, S);
	fdb_learn(fdb, &keys[1], 2, S);
	fdb_settle(fdb);
	fdb_learn(fdb, &keys[0], 1 + OTHER_PORT, 2 * S);
	fdb_remove(fdb, &keys[1]);
	fdb_settle(fdb);
	fdb_grace_began(fdb);
	fdb_grace_ended(fdb);
	fdb_add_static(fdb, &keys[2], 3, 3 * S, NULL);
	fdb_remove(fdb, &keys[0]);
	fdb_learn(fdb, &keys[0], 1, 4 * S);
	fdb_settle(fdb);
}

/* F1: every key that is there stands with a place of its own. */
static void check_believable(const struct sw_fdb_cell cells[N_WATCHED], const struct fdb_key keys[N_MORTAL])
{
	for (uint32_t i = 0; i < N_WATCHED; i++) {
		uint32_t n = 0;

		while (n < N_MORTAL && cells[i].key != lab_word(&keys[n]))
			n++;
		ck_assert(!cells[i].key || (n < N_MORTAL && is_of(cells[i].place, n)));
	}
}

/* What the next daemon would make of it. The one that is stepped through has its storage to itself. */
static void check_heir(const struct fdb_storage *shared, const struct fdb_key keys[N_MORTAL])
{
	struct fdb_storage copy = lab_storage(shared->seed);
	struct fdb *fdb;

	memcpy(copy.buckets, shared->buckets, SW_FDB_BUCKETS * sizeof(*copy.buckets));
	memcpy(copy.times, shared->times, LAB_CELLS * sizeof(*copy.times));
	fdb = fdb_create(&copy, SW_MAX_FDB, NULL);
	for (uint32_t i = 0; i < N_MORTAL; i++) {
		const struct fdb_entry *entry = fdb_lookup(fdb, &keys[i]);

		ck_assert(!entry == !lab_find(shared, &keys[i], NULL));
		ck_assert(!entry || (entry->used_ns >= S && entry->used_ns <= 4 * S));
	}
	ck_assert(lab_agrees(fdb, &copy));
	fdb_destroy(fdb);
	lab_storage_free(&copy);
}

static pid_t start_mortal(const struct fdb_storage *storage, const struct fdb_key keys[N_MORTAL])
{
	pid_t pid = fork();
	struct fdb *fdb;

	if (pid)
		return pid;
	fdb = fdb_create(storage, SW_MAX_FDB, NULL);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		_exit(77);
	raise(SIGSTOP);
	live_a_little(fdb, keys);
	_exit(0);
}

START_TEST(whatever_instruction_a_daemon_dies_at_the_next_one_can_believe_the_cells)
{
	struct seeded random = seeded_start();
	struct fdb_storage storage = shared_storage(seeded_next(&random));
	const struct sw_fdb_cell *watched = lab_cell(&storage, CROWDED * SW_FDB_CELLS);
	struct sw_fdb_cell before[N_WATCHED] = {0};
	struct fdb_key keys[N_MORTAL];
	uint32_t n_states = 0;
	int status = 0;
	pid_t pid;

	for (uint32_t i = 0; i < N_MORTAL; i++)
		keys[i] = lab_aim(&random, storage.seed, 1, CROWDED, CROWDED + 1);
	pid = start_mortal(&storage, keys);
	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		if (memcmp(before, watched, sizeof(before))) {
			memcpy(before, watched, sizeof(before));
			check_believable(before, keys);
			check_heir(&storage, keys);
			n_states++;
		}
		ck_assert_int_eq(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
	}
	ck_assert(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		fprintf(stderr, "skipped: a process may not be traced here\n");
		return;
	}
	ck_assert_uint_ge(n_states, 10); /* three cells written, one cleared, two places changed */
}
END_TEST

/* ---- a reader on another CPU ---- */

#define N_RIVALS 24 /* addresses for eight cells */
#define READ_S   2

struct traffic {
	struct fdb_storage storage;
	struct fdb_key keys[N_RIVALS];
	uint64_t n_sections; /* that the reader has left */
	bool is_over;
	uint64_t n_found, n_gone, n_wrong;
};

/* As the program: finds the cell, marks it, and a little later still believes what it says. */
static void look_up(struct traffic *traffic, uint32_t rival)
{
	union sw_fdb_place place = {0};
	struct sw_fdb_cell *cell = lab_find(&traffic->storage, &traffic->keys[rival], &place);

	if (!cell)
		return;
	traffic->n_found++;
	traffic->n_wrong += !is_of(place, rival);
	for (volatile int i = 0; i < 100; i++)
		;
	if (!place.used)
		__atomic_store_n(&cell->place.used, 1, __ATOMIC_RELAXED);
	place.word = __atomic_load_n(&cell->place.word, __ATOMIC_RELAXED);
	traffic->n_gone += !place.port;
	traffic->n_wrong += place.port && !is_of(place, rival);
}

/* The count is a full barrier: what the next section reads, it reads after the writer could see that this one is over.
 */
static void *read_cells(void *ctx)
{
	struct traffic *traffic = ctx;
	uint32_t rival = 0;

	while (!__atomic_load_n(&traffic->is_over, __ATOMIC_RELAXED)) {
		look_up(traffic, rival++ % N_RIVALS);
		__atomic_fetch_add(&traffic->n_sections, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

struct writer {
	struct seeded random;
	struct fdb *fdb;
	struct traffic *traffic;
	bool is_waiting; /* for the end of a grace period: for the reader to have left more sections than `n_left` */
	uint64_t n_left;
};

static void turn_grace(struct writer *writer)
{
	uint64_t n_left;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	n_left = __atomic_load_n(&writer->traffic->n_sections, __ATOMIC_SEQ_CST);
	if (writer->is_waiting && n_left > writer->n_left) {
		fdb_grace_ended(writer->fdb);
		writer->is_waiting = false;
	}
	if (!writer->is_waiting && fdb_wants_grace(writer->fdb)) {
		fdb_grace_began(writer->fdb);
		writer->is_waiting = true;
		writer->n_left = n_left;
	}
}

static void write_once(struct writer *writer)
{
	uint32_t rival = seeded_below(&writer->random, N_RIVALS);
	uint16_t port = (uint16_t)(1 + rival + seeded_below(&writer->random, 2) * OTHER_PORT);
	const struct fdb_key *key = &writer->traffic->keys[rival];

	if (seeded_below(&writer->random, 2))
		fdb_learn(writer->fdb, key, port, S);
	else
		fdb_remove(writer->fdb, key);
	if (seeded_below(&writer->random, 2))
		fdb_settle(writer->fdb);
	if (!seeded_below(&writer->random, 16))
		fdb_harvest(writer->fdb, S);
	turn_grace(writer);
	if (!seeded_below(&writer->random, 16))
		sched_yield(); /* where both have one CPU, before every cell waits for the reader */
}

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

START_TEST(a_reader_never_takes_the_place_of_one_address_for_that_of_another)
{
	struct writer writer = {.random = seeded_start()};
	struct traffic traffic = {.storage = lab_storage(seeded_next(&writer.random))};
	double until_s = now_s() + READ_S;
	pthread_t reader;

	writer.traffic = &traffic;
	writer.fdb = fdb_create(&traffic.storage, SW_MAX_FDB, NULL);
	for (uint32_t i = 0; i < N_RIVALS; i++)
		traffic.keys[i] = lab_aim(&writer.random, traffic.storage.seed, 1, CROWDED, CROWDED + 1);
	ck_assert_int_eq(pthread_create(&reader, NULL, read_cells, &traffic), 0);
	while (now_s() < until_s) {
		for (int i = 0; i < 1000; i++)
			write_once(&writer);
	}
	__atomic_store_n(&traffic.is_over, true, __ATOMIC_RELAXED);
	pthread_join(reader, NULL);
	ck_assert_msg(!traffic.n_wrong, "seed %#lx: %lu of %lu", writer.random.seed, traffic.n_wrong, traffic.n_found);
	ck_assert_uint_gt(traffic.n_found, 1000);
	ck_assert_uint_gt(traffic.n_gone, 0);
	fdb_destroy(writer.fdb);
	lab_storage_free(&traffic.storage);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("fdb_shared");
	Suite *suite = suite_create("fdb_shared");
	SRunner *runner;
	int n_failed;

	tcase_set_timeout(tcase, 100);
	tcase_add_test(tcase, what_is_in_storage_is_adopted_with_its_times);
	tcase_add_test(tcase, what_cannot_be_ours_is_cleared_and_its_cell_rests);
	tcase_add_test(tcase, a_cell_cleared_at_adoption_gets_a_key_only_after_a_grace_period);
	tcase_add_test(tcase, of_two_cells_for_one_address_the_last_used_is_adopted);
	tcase_add_test(tcase, of_more_than_the_limit_the_last_used_are_adopted);
	tcase_add_test(tcase, an_adopted_time_to_come_does_not_keep_an_entry_for_ever);
	tcase_add_test(tcase, of_rubbish_only_what_is_plausible_is_believed);
	tcase_add_test(tcase, whatever_instruction_a_daemon_dies_at_the_next_one_can_believe_the_cells);
	tcase_add_test(tcase, a_reader_never_takes_the_place_of_one_address_for_that_of_another);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? 1 : 0;
}
