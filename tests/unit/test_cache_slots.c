/* SPDX-License-Identifier: BSD-2-Clause */
/* Slots of the cache: when they may be used again, what they count, and which give way. */
#include "tests/unit/cache_ports_lab.h"
#include "tests/unit/suite.h"

static struct cache_view first_view;

static void take_view(void *ctx, const struct cache_view *view)
{
	first_view = *view;
}

static const struct cache_view *only_view(void)
{
	ck_assert_uint_eq(cache_count(lab.cache), 1);
	cache_each(lab.cache, lab.now_ns, take_view, NULL);
	return &first_view;
}

/* A numbered flow that counts for so many. */
static int put_counted(uint32_t number, struct tally *tallies, uint32_t n)
{
	struct sw_key key = lab_numbered_key(number);
	struct xlate *answer = lab_answer(1, &lab_l2_mask, 2);

	for (; answer->n_ops < n; answer->n_ops++)
		answer->ops[answer->n_ops] = (struct xop){.type = XOP_COUNT, .tally = &tallies[answer->n_ops]};
	return cache_put(lab.cache, &key, answer, lab.now_ns);
}

/* ---- grace periods ---- */

START_TEST(a_dead_slot_is_not_used_again_before_its_grace_period_ends)
{
	lab_close(&lab);
	lab_open(&lab, 16, 4);
	for (uint32_t n = 0; n < 15; n++) /* the last one is kept for another port */
		ck_assert_int_eq(lab_put_numbered(&lab, n), 0);
	ck_assert_int_eq(lab_put_numbered(&lab, 15), -ENOSPC);
	ck_assert_int_eq(lab_put_of(&lab, 2, 15), 0);
	cache_flush(lab.cache);
	ck_assert_int_eq(lab_put_numbered(&lab, 0), -ENOSPC);
	ck_assert(dp_memory_end_grace(lab.dp));
	ck_assert_int_eq(lab_put_numbered(&lab, 0), 0);
}
END_TEST

START_TEST(a_flow_goes_home_where_there_is_room)
{
	uint32_t n_home = 0;

	for (uint32_t n = 0; n < 256; n++) {
		struct sw_key key = lab_numbered_key(n);
		struct dp_memory_hit hit;
		uint32_t home;

		if (lab_put_numbered(&lab, n))
			continue;
		ck_assert(lab_lookup(&lab, &key, &hit));
		home = sw_hash_home(cache_hash(lab.cache, hit.slot), lab.cache->n_slots);
		n_home += hit.slot == home || hit.slot == (home ^ 1);
	}
	ck_assert_uint_gt(n_home, 230); /* of a table that becomes a quarter full */
}
END_TEST

START_TEST(a_flow_that_had_to_live_elsewhere_comes_home_when_it_is_used)
{
	struct sw_key key = lab_key(1, 1, 2);
	struct dp_memory_hit hit;
	uint32_t home;

	lab_miss(&lab, &key);
	for (int i = 0; i < 3; i++) { /* home and the place beside it wait for the end of the grace period */
		pipeline_bridge_set_learning(lab.pl, 1, i % 2);
		cache_settle(lab.cache, lab.now_ns);
	}
	hit = lab_hit(&lab, &key);
	home = sw_hash_home(cache_hash(lab.cache, hit.slot), lab.cache->n_slots);
	ck_assert(hit.slot != home && hit.slot != (home ^ 1));
	lab_let_grace_pass(&lab);
	cache_sweep(lab.cache, lab.now_ns += SECOND);
	hit = lab_hit(&lab, &key);
	ck_assert(hit.slot == home || hit.slot == (home ^ 1));
	cache_sweep(lab.cache, lab.now_ns += SECOND);
	ck_assert_uint_eq(lab_hit(&lab, &key).slot, hit.slot);
	lab_check_maps(&lab);
}
END_TEST

START_TEST(what_dies_during_a_grace_period_waits_for_the_next)
{
	struct dp_memory_hit hit;
	struct sw_key key;
	uint32_t gen;

	ck_assert_int_eq(lab_put_numbered(&lab, 0), 0);
	cache_flush(lab.cache);
	ck_assert_int_eq(lab_put_numbered(&lab, 1), 0);
	key = lab_numbered_key(1);
	ck_assert(lab_lookup(&lab, &key, &hit));
	cache_flush(lab.cache);
	gen = hit.flow->gen;
	ck_assert(dp_memory_end_grace(lab.dp));         /* of the first */
	ck_assert_int_eq(lab_put_numbered(&lab, 1), 0); /* would be at home there */
	ck_assert_int_eq(lab_put_numbered(&lab, 2), 0);
	ck_assert_uint_eq(hit.flow->gen, gen);
	ck_assert(dp_memory_end_grace(lab.dp)); /* of the second */
	for (uint32_t n = 3; n < 8192 && hit.flow->gen == gen; n++)
		lab_put_numbered(&lab, n);
	ck_assert_uint_eq(hit.flow->gen, gen + 1);
	ck_assert(!dp_memory_end_grace(lab.dp));
}
END_TEST

START_TEST(a_mask_that_comes_back_during_its_grace_period_keeps_its_id)
{
	struct dp_memory_hit hit;
	struct sw_key key = lab_numbered_key(1);
	uint16_t mask;

	lab_put_numbered(&lab, 1);
	ck_assert(lab_lookup(&lab, &key, &hit));
	mask = hit.flow->mask;
	cache_flush(lab.cache);
	ck_assert_uint_eq(cache_mask_count(lab.cache), 0);
	ck_assert_int_eq(lab_put_numbered(&lab, 1), 0);
	ck_assert(lab_lookup(&lab, &key, &hit));
	ck_assert_uint_eq(hit.flow->mask, mask);
	lab_let_grace_pass(&lab);
	ck_assert(lab_lookup(&lab, &key, &hit));
}
END_TEST

/* ---- counters ---- */

START_TEST(a_replaced_flow_keeps_its_count)
{
	struct sw_key key = lab_key(1, 1, 2);
	struct dp_memory_hit hit;

	send_two_to(2);
	lab_miss(&lab, &key);
	for (int i = 0; i < 5; i++)
		lab_lookup(&lab, &key, &hit);
	send_two_to(3);
	cache_settle(lab.cache, lab.now_ns);
	for (int i = 0; i < 3; i++)
		lab_lookup(&lab, &key, &hit);
	ck_assert_uint_eq(only_view()->packets, 8);
	ck_assert_uint_eq(only_view()->bytes, 8 * FRAME_SIZE);
	lab_let_grace_pass(&lab);
	ck_assert_uint_eq(only_view()->packets, 8);
	cache_sweep(lab.cache, lab.now_ns);
	ck_assert_uint_eq(cache_totals(lab.cache)->packets, 8);
	ck_assert_uint_eq(cache_totals(lab.cache)->bytes, 8 * FRAME_SIZE);
}
END_TEST

/* A frame that found the slot before it died, and counts only now. */
static void count_late(uint32_t slot)
{
	dp_flow_stats(&lab.dp->memory, 0, slot)->packets++;
	dp_flow_stats(&lab.dp->memory, 0, slot)->bytes += FRAME_SIZE;
}

START_TEST(a_frame_counted_on_a_dead_slot_goes_to_the_heir_of_its_heir)
{
	struct sw_key key = lab_key(1, 1, 2);
	struct dp_memory_hit first, second;

	send_two_to(2);
	lab_miss(&lab, &key);
	lab_lookup(&lab, &key, &first);
	send_two_to(3);
	cache_settle(lab.cache, lab.now_ns);
	lab_lookup(&lab, &key, &second);
	send_two_to(4);
	cache_settle(lab.cache, lab.now_ns);
	count_late(first.slot);
	count_late(second.slot);
	lab_let_grace_pass(&lab);
	ck_assert_uint_eq(only_view()->packets, 4);
	ck_assert_uint_eq(only_view()->bytes, 4 * FRAME_SIZE);
	cache_sweep(lab.cache, lab.now_ns);
	ck_assert_uint_eq(cache_totals(lab.cache)->packets, 4);
}
END_TEST

START_TEST(a_reused_slot_begins_at_zero)
{
	struct sw_key key = lab_numbered_key(1);
	struct dp_memory_hit hit;

	lab_put_numbered(&lab, 1);
	lab_lookup(&lab, &key, &hit);
	cache_flush(lab.cache);
	count_late(hit.slot);
	lab_let_grace_pass(&lab);
	ck_assert_uint_eq(cache_totals(lab.cache)->packets, 2);
	lab_put_numbered(&lab, 1);
	ck_assert_uint_eq(only_view()->packets, 0);
	ck_assert_uint_eq(only_view()->slot, hit.slot); /* its home */
}
END_TEST

START_TEST(bytes_that_are_counted_after_their_packet_was_harvested_are_not_lost)
{
	struct sw_key key = lab_numbered_key(1);
	struct dp_memory_hit hit;

	lab_put_numbered(&lab, 1);
	lab_lookup(&lab, &key, &hit);
	dp_flow_stats(&lab.dp->memory, 0, hit.slot)->packets++;
	cache_sweep(lab.cache, lab.now_ns);
	dp_flow_stats(&lab.dp->memory, 0, hit.slot)->bytes += FRAME_SIZE;
	cache_flush(lab.cache);
	lab_let_grace_pass(&lab);
	ck_assert_uint_eq(cache_totals(lab.cache)->packets, 2);
	ck_assert_uint_eq(cache_totals(lab.cache)->bytes, 2 * FRAME_SIZE);
}
END_TEST

/* ---- sweeping ---- */

START_TEST(an_idle_flow_expires_and_a_used_one_stays)
{
	lab_put_numbered(&lab, 1);
	lab_put_numbered(&lab, 2);
	for (int i = 0; i < 11; i++) {
		ck_assert_uint_eq(cache_count(lab.cache), 2);
		lab_hit_numbered(&lab, 1);
		lab.now_ns += SECOND;
		cache_sweep(lab.cache, lab.now_ns);
	}
	ck_assert_uint_eq(cache_count(lab.cache), 1);
	ck_assert(lab_hit_numbered(&lab, 1));
	ck_assert(!lab_hit_numbered(&lab, 2));
	ck_assert_uint_eq(cache_totals(lab.cache)->expired, 1);
}
END_TEST

START_TEST(a_large_table_is_swept_in_slices)
{
	uint32_t n_calls = 1, last = 100000;

	lab_close(&lab);
	lab_open(&lab, 131072, 4);
	for (uint32_t n = 0; n < last; n++)
		lab_put_numbered(&lab, n);
	ck_assert_uint_gt(cache_count(lab.cache), 99500);
	while (!lab_hit_numbered(&lab, last))
		last--;
	lab.now_ns += 11 * SECOND;
	for (; !cache_sweep(lab.cache, lab.now_ns); n_calls++)
		ck_assert_uint_gt(cache_count(lab.cache), 1);
	ck_assert_uint_eq(cache_count(lab.cache), 1);
	ck_assert_uint_ge(n_calls, 3);
	ck_assert(lab_hit_numbered(&lab, last));
}
END_TEST

/* Ranks are counted and entries given up in slices; with what was asked for meanwhile, no more than was meant goes. */
START_TEST(room_is_made_in_slices)
{
	uint32_t n_calls = 1, n = 0;

	lab_close(&lab);
	lab_open(&lab, 65536, 4);
	while (cache_totals(lab.cache)->refused < 1000)
		lab_put_numbered(&lab, n++);
	for (; !cache_sweep(lab.cache, lab.now_ns += SECOND / 1000); n_calls++)
		lab_put_numbered(&lab, n++);
	ck_assert_uint_ge(n_calls, 2 + 65536 / 8 / 4096 - 1); /* the sweep has two */
	ck_assert_uint_eq(cache_totals(lab.cache)->evicted, 65536 / 8 + 1);
	lab_let_grace_pass(&lab);
	ck_assert_uint_eq(lab.cache->n_limbo, 0);
	ck_assert_uint_ge(lab.n_reclaims, 2);
}
END_TEST

START_TEST(a_port_that_floods_the_table_leaves_slots_to_others)
{
	const uint32_t share = 1024 / 16;
	uint32_t n = 0, n_there = 0;

	lab_close(&lab);
	lab_open(&lab, 1024, 4);
	for (; cache_totals(lab.cache)->refused < 1000; n++)
		lab_put_numbered(&lab, n);
	ck_assert_uint_le(cache_count(lab.cache), 1024 - share);
	for (n = 0; n < 2000; n++)
		n_there += lab_put_of(&lab, 2, n) == 0;
	ck_assert_uint_eq(n_there, share);
	/* What is there makes room for all, and goes on doing so. */
	lab.now_ns += 3 * SECOND;
	cache_sweep(lab.cache, lab.now_ns);
	lab_let_grace_pass(&lab);
	ck_assert_uint_ge(cache_totals(lab.cache)->evicted, 1024 / 8);
	ck_assert_int_eq(lab_put_numbered(&lab, 5000), 0);
	ck_assert_int_eq(lab_put_of(&lab, 2, 5000), 0);
}
END_TEST

START_TEST(a_full_table_gives_up_what_is_idle_longest)
{
	uint32_t n_slots, n_hot = 0;

	lab_close(&lab);
	lab_open(&lab, 256, 4);
	n_slots = lab.dp->memory.config->n_flows / 16 * 15; /* what one port may have */
	for (uint32_t n = 0; n < n_slots; n++)
		lab_put_numbered(&lab, n);
	lab.now_ns += 2 * SECOND;
	for (uint32_t n = n_slots / 2; n < n_slots; n++)
		lab_hit_numbered(&lab, n);
	cache_sweep(lab.cache, lab.now_ns);
	ck_assert_uint_eq(cache_totals(lab.cache)->evicted, 0);
	lab_put_numbered(&lab, 5000);
	ck_assert_uint_gt(cache_totals(lab.cache)->refused, 0);
	cache_sweep(lab.cache, lab.now_ns += SECOND);
	ck_assert_uint_eq(cache_totals(lab.cache)->evicted, 256 / 8 + 1);
	for (uint32_t n = n_slots / 2; n < n_slots; n++)
		n_hot += lab_hit_numbered(&lab, n);
	ck_assert_uint_ge(n_hot, n_slots / 2 - 8); /* but for what found no cell */
	lab_let_grace_pass(&lab);
	ck_assert_int_eq(lab_put_numbered(&lab, 5000), 0);
}
END_TEST

/* Of a long pipeline a few flows take all the links that there are, with slots left over. */
START_TEST(flows_that_hold_all_links_give_way_too)
{
	const uint32_t n_paths = 16, n_links = lab.dp->memory.config->n_flows * 4;
	static struct tally tallies[16];
	uint32_t n = 0;

	memset(tallies, 0, sizeof(tallies));
	for (; n < n_links / n_paths; n++)
		ck_assert_int_eq(put_counted(n, tallies, n_paths), 0);
	ck_assert_int_eq(put_counted(n, tallies, n_paths), -ENOSPC);
	cache_sweep(lab.cache, lab.now_ns += SECOND);
	lab_let_grace_pass(&lab);
	ck_assert_uint_ge(cache_totals(lab.cache)->evicted, n / 8);
	ck_assert_uint_lt(cache_totals(lab.cache)->evicted, n / 4);
	ck_assert_int_eq(put_counted(n, tallies, n_paths), 0);
	cache_sweep(lab.cache, lab.now_ns += SECOND);
	ck_assert_uint_lt(cache_totals(lab.cache)->evicted, n / 4); /* once */
	for (uint32_t i = 0; i < n_paths; i++)
		cache_unlink(lab.cache, &tallies[i], lab.now_ns);
}
END_TEST

START_TEST(among_flows_in_use_the_least_hit_give_way)
{
	lab_close(&lab);
	lab_open(&lab, 64, 4);
	for (uint32_t n = 0; n < 64; n++)
		lab_put_numbered(&lab, n);
	for (uint32_t n = 0; n < 64; n++) {
		for (uint32_t i = 0; i < (n < 32 ? 1 : 10); i++)
			lab_hit_numbered(&lab, n);
	}
	lab_put_numbered(&lab, 5000);
	cache_sweep(lab.cache, lab.now_ns += SECOND);
	ck_assert_uint_ge(cache_totals(lab.cache)->evicted, 9);
	for (uint32_t n = 32; n < 64; n++) {
		if (n % 8 == 0)
			ck_assert(lab_hit_numbered(&lab, n));
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("cache_slots");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, open_lab, close_lab);
	tcase_add_test(t, bytes_that_are_counted_after_their_packet_was_harvested_are_not_lost);
	tcase_add_test(t, a_dead_slot_is_not_used_again_before_its_grace_period_ends);
	tcase_add_test(t, a_flow_goes_home_where_there_is_room);
	tcase_add_test(t, a_flow_that_had_to_live_elsewhere_comes_home_when_it_is_used);
	tcase_add_test(t, what_dies_during_a_grace_period_waits_for_the_next);
	tcase_add_test(t, a_mask_that_comes_back_during_its_grace_period_keeps_its_id);
	tcase_add_test(t, a_replaced_flow_keeps_its_count);
	tcase_add_test(t, a_frame_counted_on_a_dead_slot_goes_to_the_heir_of_its_heir);
	tcase_add_test(t, a_reused_slot_begins_at_zero);
	tcase_add_test(t, an_idle_flow_expires_and_a_used_one_stays);
	tcase_add_test(t, a_large_table_is_swept_in_slices);
	tcase_add_test(t, room_is_made_in_slices);
	tcase_add_test(t, a_port_that_floods_the_table_leaves_slots_to_others);
	tcase_add_test(t, a_full_table_gives_up_what_is_idle_longest);
	tcase_add_test(t, flows_that_hold_all_links_give_way_too);
	tcase_add_test(t, among_flows_in_use_the_least_hit_give_way);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return run_suite(suite());
}
