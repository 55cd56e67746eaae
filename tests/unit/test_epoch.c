/* SPDX-License-Identifier: BSD-2-Clause */
/* What ends an epoch, and what does not; see dataplane/epoch.h. */
#include "cache_lab.h"
#include "dataplane/epoch.h"
#include "suite.h"

#define N_PORTS 4

static struct lab lab;

static uint32_t epoch(void)
{
	return lab.dp->memory.config->epoch;
}

/* Whether it ended since the last time. */
static bool has_ended(void)
{
	static uint32_t known;
	bool has = epoch() != known;

	known = epoch();
	return has;
}

static void open_lab(void)
{
	lab_open(&lab, 64, N_PORTS);
	lab_settle(&lab);
	has_ended();
}

static void close_lab(void)
{
	lab_close(&lab);
}

static struct fdb_key address(uint8_t last)
{
	return (struct fdb_key){1, 0, {0x02, 0, 0, 0, 0, last}};
}

/* Where the program would see it, and what it says there. */
static struct sw_fdb_cell *cell_of(const struct fdb_key *key)
{
	uint64_t word = 0;

	memcpy(&word, key->mac, sizeof(key->mac));
	for (uint32_t i = 0; i < SW_FDB_BUCKETS * SW_FDB_CELLS; i++) {
		struct sw_fdb_cell *cell = &lab.dp->memory.fdb[i / SW_FDB_CELLS].cell[i % SW_FDB_CELLS];

		if (cell->key == sw_fdb_key(word, key->vid))
			return cell;
	}
	return NULL;
}

START_TEST(what_is_added_ends_none)
{
	struct sw_key key = lab_key(1, 1, 2);
	struct fdb_key a = address(1);

	ck_assert_int_eq(lab_miss(&lab, &key), 0);
	fdb_learn(lab.fdb, &a, 1, lab.now_ns);
	fdb_settle(lab.fdb);
	ck_assert_ptr_nonnull(cell_of(&a));
	cache_sweep(lab.cache, lab.now_ns);
	ck_assert(!has_ended());
}
END_TEST

START_TEST(a_flow_that_is_taken_out_ends_it)
{
	ck_assert_int_eq(lab_put_numbered(&lab, 1), 0);
	ck_assert(!has_ended());
	cache_flush(lab.cache);
	ck_assert(has_ended());
}
END_TEST

/* In the same turn as the change, and before anybody is told that it is settled. */
START_TEST(a_flow_whose_answer_changes_ends_it)
{
	static const struct vlan_config other = {.mode = VLAN_ACCESS, .vid = 7};
	struct sw_key key = lab_key(1, 1, 2);
	struct dp_memory_hit before = {0}, after;

	ck_assert_int_eq(lab_miss(&lab, &key), 0);
	ck_assert(lab_lookup(&lab, &key, &before));
	ck_assert(!has_ended());
	lab_port_vlan(&lab, 1, &other);
	lab_settle(&lab);
	ck_assert(has_ended());
	ck_assert(!lab_lookup(&lab, &key, &after) || after.slot != before.slot);
}
END_TEST

START_TEST(deeper_parsing_ends_it)
{
	struct sw_key mask = lab_l2_mask, key = lab_numbered_key(1);

	mask.f.ip_proto = 255;
	ck_assert_int_eq(cache_put(lab.cache, &key, lab_answer(1, &mask, 2), lab.now_ns), -EAGAIN);
	ck_assert_uint_eq(lab.dp->memory.config->depth, SW_KEY_WORDS);
	ck_assert(has_ended());
}
END_TEST

START_TEST(an_address_that_moves_or_goes_ends_it)
{
	struct fdb_key a = address(1);

	fdb_learn(lab.fdb, &a, 1, lab.now_ns);
	fdb_settle(lab.fdb);
	ck_assert(!has_ended());
	fdb_learn(lab.fdb, &a, 1, lab.now_ns + SECOND);
	fdb_settle(lab.fdb);
	ck_assert(!has_ended()); /* where it was */
	fdb_learn(lab.fdb, &a, 2, lab.now_ns + 2 * SECOND);
	fdb_settle(lab.fdb);
	ck_assert(has_ended());
	fdb_remove(lab.fdb, &a);
	fdb_settle(lab.fdb);
	ck_assert(has_ended());
}
END_TEST

/* Else an address that frames are recalled from would be found too old. */
START_TEST(collecting_marks_ends_it)
{
	struct fdb_key a = address(1);

	fdb_learn(lab.fdb, &a, 1, lab.now_ns);
	fdb_settle(lab.fdb);
	fdb_harvest(lab.fdb, lab.now_ns);
	ck_assert(!has_ended()); /* there was none */
	cell_of(&a)->place.used = 1;
	fdb_harvest(lab.fdb, lab.now_ns + SECOND);
	ck_assert(!cell_of(&a)->place.used);
	ck_assert(has_ended());
	cell_of(&a)->place.used = 1;
	fdb_age(lab.fdb, lab.now_ns + 400 * SECOND);
	ck_assert(!cell_of(&a)->place.used);
	ck_assert(has_ended());
}
END_TEST

/* A daemon that takes over drops what is unsound, of which something may be noted. */
START_TEST(a_flow_that_is_not_adopted_ends_it)
{
	struct dp_memory_hit hit;

	ck_assert_int_eq(lab_put_numbered(&lab, 1), 0);
	ck_assert(lab_hit_numbered(&lab, 1));
	hit.slot = 0;
	while (lab.dp->memory.flows[hit.slot].gen & 1)
		hit.slot++;
	lab_die(&lab);
	lab.dp->memory.flows[hit.slot].n_steps = SW_MAX_STEPS + 1;
	ck_assert(!has_ended());
	lab_cache(&lab);
	lab_restore_ports(&lab);
	ck_assert(lab.dp->memory.flows[hit.slot].gen & 1);
	ck_assert(has_ended());
}
END_TEST

START_TEST(before_its_number_comes_round_every_note_is_wiped)
{
	struct sw_note *note = &dp_row(&lab.dp->memory, 0)->notes[SW_NOTES - 1];
	struct sw_note *deep = &dp_row(&lab.dp->memory, 0)->deep[SW_DEEP_NOTES - 1].link;

	note->origin = deep->origin = (uint64_t)epoch_first() << 32 | 5;
	epoch_renew(&lab.dp->memory);
	ck_assert_uint_ne(note->origin, 0);
	ck_assert_uint_ne(deep->origin, 0);
	lab.dp->memory.config->epoch = 0xfffffff0;
	epoch_renew(&lab.dp->memory);
	ck_assert_uint_eq(epoch(), epoch_first());
	ck_assert_uint_eq(note->origin, 0);
	ck_assert_uint_eq(deep->origin, 0);
}
END_TEST

START_TEST(a_number_that_would_come_round_means_none)
{
	struct sw_note *note = &dp_row(&lab.dp->memory, 0)->notes[0];

	lab.dp->memory.config->epoch = UINT32_MAX;
	epoch_end(&lab.dp->memory.config->epoch);
	ck_assert_uint_eq(epoch(), 0);
	epoch_end(&lab.dp->memory.config->epoch);
	ck_assert_uint_eq(epoch(), 0);
	note->origin = 7;
	epoch_renew(&lab.dp->memory);
	ck_assert_uint_eq(epoch(), epoch_first());
	ck_assert_uint_eq(note->origin, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("epoch");
	TCase *tcase = tcase_create("epoch");

	tcase_add_checked_fixture(tcase, open_lab, close_lab);
	tcase_add_test(tcase, what_is_added_ends_none);
	tcase_add_test(tcase, a_flow_that_is_taken_out_ends_it);
	tcase_add_test(tcase, a_flow_whose_answer_changes_ends_it);
	tcase_add_test(tcase, deeper_parsing_ends_it);
	tcase_add_test(tcase, an_address_that_moves_or_goes_ends_it);
	tcase_add_test(tcase, collecting_marks_ends_it);
	tcase_add_test(tcase, a_flow_that_is_not_adopted_ends_it);
	tcase_add_test(tcase, before_its_number_comes_round_every_note_is_wiped);
	tcase_add_test(tcase, a_number_that_would_come_round_means_none);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
