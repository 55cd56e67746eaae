/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The FDB against a plain list, on a random stream that learns, forgets, settles, marks, waits and restarts. Half of
 * the addresses fight for the cells of two buckets.
 *
 * At each settle: that the program's cells were left alone since the last one, that they then say what the list says
 * (F4), and that no cell got a key before its grace period was over (F5).
 */
#include "dataplane/complaint.h"
#include "dataplane/fdb.h"

#include "tests/unit/fdb_lab.h"
#include "tests/unit/seeded.h"

#include <check.h>
#include <errno.h>
#include <string.h>

#define S         1000000000ULL
#define N_STEPS   30000
#define N_BRIDGES 3
#define N_PORTS   4   /* of each bridge */
#define N_POOL    64  /* addresses in play */
#define LIMIT     40  /* entries, all bridges together */
#define CROWDED   100 /* the first of the two buckets */

struct twin_entry {
	bool is_there, is_static;
	uint16_t port;
};

struct twin_times {
	uint64_t used_ns, learned_ns;
};

static struct world {
	struct seeded random;
	struct fdb_storage storage;
	struct fdb *fdb;
	struct fdb_key pool[N_POOL];
	/* The list now, and as the program knows it. The rest is as in storage: of what is in either of the two. */
	struct twin_entry now[N_POOL], settled[N_POOL];
	struct twin_times times[N_POOL];
	bool marked[N_POOL];
	uint32_t limit[N_BRIDGES + 1];
	uint64_t ageing_ns[N_BRIDGES + 1];
	uint64_t now_ns;
	uint8_t drop; /* the answer of `out` has it, so that it can change */
	uint32_t n_news, n_told;
	/* The cells at the last settle, and which grace period each has to wait for since it was cleared. */
	struct sw_fdb_bucket shadow[SW_FDB_BUCKETS];
	uint32_t waits_for[LAB_CELLS];
	uint64_t rested[LAB_CELLS]; /* the key that a cell had when it was cleared last */
	uint32_t n_began, n_ended, n_unasked;
	/* What the stream has come by. */
	uint32_t n_crowded, n_harvested, n_reused, n_revived, n_yielded, n_kept;
} world;

/* Not ck_assert_msg(), which makes a system call even when all is well, and there are millions of these. */
#define expect(what)                                                                                                   \
	do {                                                                                                           \
		if (!(what))                                                                                           \
			ck_abort_msg("seed %#lx: %s", world.random.seed, #what);                                       \
	} while (0)

/* ---- the list ---- */

static uint32_t twin_count(uint16_t bridge)
{
	uint32_t n = 0;

	for (int i = 0; i < N_POOL; i++)
		n += world.now[i].is_there && (!bridge || world.pool[i].bridge == bridge);
	return n;
}

static void twin_put(int i, uint16_t port, bool is_static)
{
	world.n_revived += !world.now[i].is_there && world.settled[i].is_there;
	world.now[i] = (struct twin_entry){true, is_static, port};
	world.times[i] = (struct twin_times){world.now_ns, world.now_ns};
	world.n_news++;
}

static void twin_remove(int i)
{
	world.now[i].is_there = false;
	world.n_news++;
}

static void twin_refresh(int i)
{
	if (world.now_ns > world.times[i].used_ns)
		world.times[i].used_ns = world.now_ns;
}

static bool twin_has_room(uint16_t bridge)
{
	return twin_count(0) < LIMIT && twin_count(bridge) < world.limit[bridge];
}

static uint64_t aged_at(int i)
{
	uint64_t ageing_ns = world.ageing_ns[world.pool[i].bridge];

	return world.now[i].is_there && !world.now[i].is_static && ageing_ns ? world.times[i].used_ns + ageing_ns
									     : UINT64_MAX;
}

/* ---- which cells an address could have ---- */

static void homes_of(int i, uint32_t ret[2])
{
	uint64_t hash = lab_hash(world.storage.seed, &world.pool[i]);

	ret[0] = sw_fdb_primary(hash);
	ret[1] = sw_fdb_alternate(hash);
}

static bool is_resting(uint32_t cell)
{
	return world.waits_for[cell] > world.n_ended;
}

static uint32_t n_blocked_in(uint32_t bucket)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < SW_FDB_CELLS; i++)
		n += world.shadow[bucket].cell[i].key || is_resting(bucket * SW_FDB_CELLS + i);
	return n;
}

/* Whether the address can have found no cell: as far as one can tell that does not know where the unsettled ones are.
 */
static bool may_be_crowded_out(int which)
{
	uint32_t own[2], other[2];
	uint32_t n_cells, n_blocked;

	homes_of(which, own);
	n_cells = own[0] == own[1] ? SW_FDB_CELLS : 2 * SW_FDB_CELLS;
	n_blocked = n_blocked_in(own[0]) + (own[0] == own[1] ? 0 : n_blocked_in(own[1]));
	for (int i = 0; i < N_POOL; i++) {
		homes_of(i, other);
		n_blocked += world.now[i].is_there && !world.settled[i].is_there &&
			     (other[0] == own[0] || other[0] == own[1] || other[1] == own[0] || other[1] == own[1]);
	}
	return n_blocked >= n_cells;
}

/* ---- steps ---- */

/* The learned entries of a port, by now. */
static uint32_t twin_share(uint16_t port)
{
	uint32_t n = 0;

	for (int i = 0; i < N_POOL; i++)
		n += world.now[i].is_there && !world.now[i].is_static && world.now[i].port == port;
	return n;
}

/* F6: the port whose entry would make way, the first of equals, or 0. */
static uint16_t twin_fullest(uint16_t bridge)
{
	bool is_bridge_full = twin_count(bridge) >= world.limit[bridge];
	uint16_t best = 0;

	for (uint16_t port = 1; port <= N_BRIDGES * N_PORTS; port++) {
		if (is_bridge_full && (port - 1) / N_PORTS + 1 != bridge)
			continue;
		if (twin_share(port) > (best ? twin_share(best) : 0))
			best = port;
	}
	return best;
}

static bool twin_would_yield(uint16_t bridge, uint16_t port)
{
	uint16_t other = twin_fullest(bridge);

	return other && twin_share(port) + 1 < twin_share(other);
}

/* The entry of that port which is not there any more: it must be one that was not used after any that still is. */
static void twin_yield(uint16_t port)
{
	uint64_t oldest_ns = UINT64_MAX;
	int gone = -1;

	for (int i = 0; i < N_POOL; i++) {
		if (!world.now[i].is_there || world.now[i].is_static || world.now[i].port != port)
			continue;
		if (world.times[i].used_ns < oldest_ns)
			oldest_ns = world.times[i].used_ns;
		if (fdb_lookup(world.fdb, &world.pool[i]))
			continue;
		expect(gone < 0);
		gone = i;
	}
	expect(gone >= 0 && world.times[gone].used_ns == oldest_ns);
	twin_remove(gone);
	world.n_yielded++;
}

static enum fdb_learned learn_expected(int i, uint16_t port)
{
	const struct twin_entry *entry = &world.now[i];
	uint16_t bridge = world.pool[i].bridge;

	if (!entry->is_there)
		return twin_has_room(bridge) || twin_would_yield(bridge, port) ? FDB_NEW : FDB_FULL;
	if (entry->is_static)
		return FDB_IS_STATIC;
	return entry->port == port ? FDB_REFRESHED : FDB_MOVED;
}

static void learn(int i, uint16_t port)
{
	enum fdb_learned expected = learn_expected(i, port);
	enum fdb_learned learned = fdb_learn(world.fdb, &world.pool[i], port, world.now_ns);

	if (learned == FDB_FULL && expected == FDB_NEW) {
		expect(may_be_crowded_out(i));
		world.n_crowded++;
		return;
	}
	expect(learned == expected);
	world.n_kept += learned == FDB_FULL;
	if (learned == FDB_NEW && !twin_has_room(world.pool[i].bridge))
		twin_yield(twin_fullest(world.pool[i].bridge));
	if (learned == FDB_NEW || learned == FDB_MOVED)
		twin_put(i, port, false);
	else if (learned != FDB_FULL && world.now[i].port == port)
		twin_refresh(i);
}

static void add_static(int i, uint16_t port)
{
	const struct twin_entry *entry = &world.now[i];
	bool is_full = !entry->is_there && twin_count(0) >= LIMIT;
	struct complaint complaint = {""};
	int error = fdb_add_static(world.fdb, &world.pool[i], port, world.now_ns, &complaint);

	if (error && !is_full) {
		expect(error == -ENOSPC && !entry->is_there && may_be_crowded_out(i));
		expect(strstr(complaint.text, "no place"));
		return;
	}
	expect(error == (is_full ? -ENOSPC : 0));
	expect(!is_full || strstr(complaint.text, "holds 40 addresses"));
	if (!error && !(entry->is_there && entry->is_static && entry->port == port))
		twin_put(i, port, true);
}

static void forget(int i)
{
	expect(fdb_remove(world.fdb, &world.pool[i]) == (world.now[i].is_there ? 0 : -ENOENT));
	if (world.now[i].is_there)
		twin_remove(i);
}

static void flush(uint16_t bridge, uint16_t port, int vid, bool statics_too)
{
	uint32_t n = 0;

	for (int i = 0; i < N_POOL; i++) {
		const struct twin_entry *entry = &world.now[i];

		if (!entry->is_there || (bridge && world.pool[i].bridge != bridge) || (port && entry->port != port) ||
			(vid >= 0 && world.pool[i].vid != vid) || (entry->is_static && !statics_too))
			continue;
		twin_remove(i);
		n++;
	}
	expect(fdb_flush(world.fdb, bridge, port, vid, statics_too) == n);
}

static void age(void)
{
	uint64_t next_ns = UINT64_MAX;

	world.now_ns += seeded_below(&world.random, 4) * S;
	for (int i = 0; i < N_POOL; i++) {
		if (aged_at(i) <= world.now_ns && world.marked[i] && world.now[i].is_there) {
			twin_refresh(i); /* it was used, and nobody has harvested yet */
			world.marked[i] = false;
		}
		if (aged_at(i) <= world.now_ns)
			twin_remove(i);
		else if (aged_at(i) < next_ns)
			next_ns = aged_at(i);
	}
	expect(fdb_age(world.fdb, world.now_ns) == next_ns);
}

static void change_settings(void)
{
	uint16_t bridge = (uint16_t)(1 + seeded_below(&world.random, N_BRIDGES));
	uint32_t seconds = seeded_below(&world.random, 40);

	world.limit[bridge] = 10 + seeded_below(&world.random, 30);
	world.ageing_ns[bridge] = seconds * S;
	fdb_set_limit(world.fdb, bridge, world.limit[bridge]);
	fdb_set_ageing(world.fdb, bridge, seconds);
}

/* As the program does: in the cell that it finds, whatever the table has come to think of it. */
static void mark(int i)
{
	struct sw_fdb_cell *cell = lab_find(&world.storage, &world.pool[i], NULL);

	expect(!cell == !world.settled[i].is_there);
	if (!cell)
		return;
	cell->place.used = 1;
	world.marked[i] = true;
}

/* And as one does that had found the cell before it was cleared. */
static void mark_late(void)
{
	uint32_t cell = CROWDED * SW_FDB_CELLS + seeded_below(&world.random, 2 * SW_FDB_CELLS);

	if (is_resting(cell) && !lab_cell(&world.storage, cell)->key)
		lab_cell(&world.storage, cell)->place.used = 1;
}

static void harvest(void)
{
	fdb_harvest(world.fdb, world.now_ns);
	for (int i = 0; i < N_POOL; i++) {
		if (!world.marked[i] || !world.now[i].is_there)
			continue;
		twin_refresh(i);
		world.marked[i] = false;
		world.n_harvested++;
	}
}

static void begin_grace(void)
{
	fdb_grace_began(world.fdb);
	world.n_began++;
	world.n_unasked = 0;
}

static void end_grace(void)
{
	fdb_grace_ended(world.fdb);
	world.n_ended = world.n_began;
}

static void rest(uint32_t cell)
{
	world.waits_for[cell] = world.n_began + 1;
	world.n_unasked++;
}

/* ---- the program's cells ---- */

static uint64_t without_mark(union sw_fdb_place place)
{
	place.used = 0;
	return place.word;
}

static void check_left_alone(void)
{
	for (uint32_t i = 0; i < LAB_CELLS; i++) {
		const struct sw_fdb_cell *was = &world.shadow[i / SW_FDB_CELLS].cell[i % SW_FDB_CELLS];
		const struct sw_fdb_cell *is = lab_cell(&world.storage, i);

		expect(is->key == was->key && without_mark(is->place) == without_mark(was->place));
	}
}

/* F5 */
static void check_keys_changed_in_time(void)
{
	for (uint32_t i = 0; i < LAB_CELLS; i++) {
		uint64_t was = world.shadow[i / SW_FDB_CELLS].cell[i % SW_FDB_CELLS].key;
		uint64_t is = lab_cell(&world.storage, i)->key;

		if (is == was)
			continue;
		expect(!is || !was);
		expect(!is || !is_resting(i) || is == world.rested[i]);
		world.n_reused += is && world.waits_for[i];
		if (!is) {
			rest(i);
			world.rested[i] = was;
		}
	}
}

static struct fdb_out out(void *ctx, const struct fdb_entry *entry)
{
	return (struct fdb_out){
		.out = SW_FDB_OUT_DROP,
		.drop = (uint8_t)(world.drop ^ entry->port),
		.flags = entry->port & 1 ? SW_FDB_ONE_BUFFER : 0,
	};
}

/* F4 */
static void check_cells(void)
{
	expect(lab_agrees(world.fdb, &world.storage));
	for (int i = 0; i < N_POOL; i++) {
		const struct twin_entry *entry = &world.now[i];
		union sw_fdb_place place = {0}, wanted = {
							.port = entry->port,
							.bridge = (uint8_t)world.pool[i].bridge,
							.flags = (entry->is_static ? SW_FDB_STATIC : 0) |
								 (entry->port & 1 ? SW_FDB_ONE_BUFFER : 0),
							.out = SW_FDB_OUT_DROP,
							.drop = (uint8_t)(world.drop ^ entry->port),
							.used = world.marked[i],
						};

		expect(!lab_find(&world.storage, &world.pool[i], &place) == !entry->is_there);
		expect(!entry->is_there || place.word == wanted.word);
	}
}

static void settle(void)
{
	check_left_alone();
	fdb_settle(world.fdb);
	for (int i = 0; i < N_POOL; i++)
		world.marked[i] = world.marked[i] && world.now[i].is_there;
	memcpy(world.settled, world.now, sizeof(world.settled));
	check_keys_changed_in_time();
	check_cells();
	memcpy(world.shadow, world.storage.buckets, sizeof(world.shadow));
}

/* ---- starting ---- */

static void changed(void *ctx, const struct fdb_key *key)
{
	world.n_told++;
}

static void start(void)
{
	world.fdb = fdb_create(&world.storage, LIMIT, &(struct fdb_events){NULL, changed, out});
	for (uint16_t bridge = 1; bridge <= N_BRIDGES; bridge++) {
		fdb_set_limit(world.fdb, bridge, world.limit[bridge]);
		fdb_set_ageing(world.fdb, bridge, (uint32_t)(world.ageing_ns[bridge] / S));
	}
}

/* The next daemon knows what was settled, however long ago; whatever programs ran before it have ended. */
static void restart(void)
{
	fdb_destroy(world.fdb);
	memcpy(world.now, world.settled, sizeof(world.now));
	memset(world.waits_for, 0, sizeof(world.waits_for));
	world.n_unasked = 0;
	for (uint32_t i = 0; i < LAB_CELLS; i++) {
		if (!lab_cell(&world.storage, i)->key && lab_cell(&world.storage, i)->place.word)
			rest(i); /* a late mark, which the table takes away */
	}
	start();
}

static void open_world(void)
{
	world.random = seeded_start();
	world.now_ns = 1000 * S;
	world.storage = lab_storage(seeded_next(&world.random));
	for (uint32_t i = 0; i < N_POOL; i++) {
		uint16_t bridge = (uint16_t)(1 + seeded_below(&world.random, N_BRIDGES));

		world.pool[i] = (struct fdb_key){bridge, i % 3, {2, 0, 0, 0, 0, (uint8_t)i}};
		if (i % 2)
			world.pool[i] = lab_aim(&world.random, world.storage.seed, bridge,
				CROWDED + seeded_below(&world.random, 2), CROWDED + seeded_below(&world.random, 2));
	}
	for (uint16_t bridge = 1; bridge <= N_BRIDGES; bridge++) {
		world.limit[bridge] = FDB_DEFAULT_LIMIT;
		world.ageing_ns[bridge] = FDB_DEFAULT_AGEING_S * S;
	}
	start();
}

static void step(void)
{
	int i = (int)seeded_below(&world.random, N_POOL);
	uint16_t port = (uint16_t)(1 + N_PORTS * (world.pool[i].bridge - 1) + seeded_below(&world.random, N_PORTS));
	uint32_t what = seeded_below(&world.random, 1000), how = seeded_below(&world.random, 16);

	if (what < 500)
		learn(i, port);
	else if (what < 530)
		add_static(i, port);
	else if (what < 630)
		forget(i);
	else if (what < 635)
		change_settings();
	else if (what < 645)
		flush(how & 1 ? world.pool[i].bridge : 0, how & 2 ? port : 0, how & 4 ? world.pool[i].vid : -1,
			how & 8);
	else if (what < 720)
		age();
	else if (what < 800)
		settle();
	else if (what < 850)
		mark(i);
	else if (what < 880)
		mark_late();
	else if (what < 910)
		harvest();
	else if (what < 950)
		begin_grace();
	else if (what < 985)
		end_grace();
	else if (what < 998) {
		world.drop ^= 8;
		fdb_republish(world.fdb);
		settle();
	} else {
		restart();
	}
}

/* ---- comparing ---- */

static void count_entry(void *ctx, const struct fdb_entry *entry)
{
	++*(uint32_t *)ctx;
}

static void compare(void)
{
	expect(world.n_told == world.n_news);
	expect(fdb_wants_grace(world.fdb) == (world.n_unasked > 0));
	for (int i = 0; i < N_POOL; i++) {
		const struct twin_entry *twin = &world.now[i];
		const struct fdb_entry *entry = fdb_lookup(world.fdb, &world.pool[i]);

		expect(!entry == !twin->is_there);
		expect(!entry || (entry->port == twin->port && !(entry->flags & FDB_STATIC) == !twin->is_static &&
					 !memcmp(&entry->key, &world.pool[i], sizeof(entry->key)) &&
					 entry->used_ns == world.times[i].used_ns &&
					 entry->learned_ns == world.times[i].learned_ns));
	}
	for (uint16_t bridge = 0; bridge <= N_BRIDGES; bridge++) {
		uint32_t n_walked = 0;

		expect(!bridge || fdb_has_room(world.fdb, bridge) == twin_has_room(bridge));
		expect(!bridge || fdb_most(world.fdb, bridge) == twin_share(twin_fullest(bridge)));
		fdb_each(world.fdb, bridge, count_entry, &n_walked);
		expect(fdb_count(world.fdb, bridge) == twin_count(bridge) && n_walked == twin_count(bridge));
	}
}

START_TEST(it_does_what_a_plain_list_does_and_the_program_sees_it_settled)
{
	open_world();
	for (int i = 0; i < N_STEPS; i++) {
		step();
		compare();
	}
	expect(world.n_crowded && world.n_harvested && world.n_reused && world.n_revived && world.n_yielded &&
		world.n_kept);
	fdb_destroy(world.fdb);
	lab_storage_free(&world.storage);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("fdb_oracle");
	Suite *suite = suite_create("fdb_oracle");
	SRunner *runner;
	int n_failed;

	tcase_set_timeout(tcase, 100);
	tcase_add_test(tcase, it_does_what_a_plain_list_does_and_the_program_sees_it_settled);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? 1 : 0;
}
