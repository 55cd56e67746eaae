/* SPDX-License-Identifier: BSD-2-Clause */
/* The cache, a point at a time. The random streams are in test_cache_oracle.c. */
#include "tests/unit/cache_lab.h"

#include "bpf/hash.h"
#include "dataplane/cache_parts.h"

#include <errno.h>

static struct lab lab;

static void open_lab(void)
{
	lab_open(&lab, 1024, 4);
}

static void close_lab(void)
{
	lab_check_maps(&lab);
	lab_close(&lab);
}

/* An answer that no pipeline gave, for what the pipeline does not do (yet). */
static struct xlate *answer_of(uint16_t in_port, const struct sw_key *mask, uint16_t out_port)
{
	static struct xlate answer;

	answer = (struct xlate){.mask = *mask, .bridge = 1, .in_port = in_port, .cacheable = true};
	answer.mask.f.in_ifindex = UINT32_MAX;
	answer.outputs[0].port = out_port;
	answer.n_outputs = 1;
	return &answer;
}

static const struct sw_key l2_mask = {.f = {.eth_dst = {255, 255, 255, 255, 255, 255}}};

static struct sw_key numbered_key(uint32_t n)
{
	struct sw_key key = lab_key(1, 0, 0);

	memcpy(key.f.eth_dst + 2, &n, sizeof(n));
	return key;
}

static int put_numbered(uint32_t n)
{
	struct sw_key key = numbered_key(n);

	return cache_put(lab.cache, &key, answer_of(1, &l2_mask, 2), lab.now_ns);
}

static bool hit_numbered(uint32_t n)
{
	struct sw_key key = numbered_key(n);
	struct dp_memory_hit hit;

	return lab_lookup(&lab, &key, &hit);
}

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

/* A frame of address 2 was seen behind port 2. */
static void learn_two(uint16_t port)
{
	struct sw_key key = lab_key(port, 2, 9);

	translate(lab.pl, &key, NULL, &lab.answer);
	ck_assert(lab.answer.learn.wanted);
	fdb_learn(lab.fdb, &lab.answer.learn.key, port, lab.now_ns);
}

/* ---- putting and finding ---- */

START_TEST(a_flow_that_was_put_is_hit_with_its_steps)
{
	struct sw_key key = lab_key(1, 1, 2);
	struct dp_memory_hit hit;

	learn_two(2);
	ck_assert(!lab_lookup(&lab, &key, &hit));
	ck_assert_int_eq(lab_miss(&lab, &key), 0);
	ck_assert(lab_lookup(&lab, &key, &hit));
	ck_assert_uint_eq(hit.flow->n_steps, 1);
	ck_assert_uint_eq(hit.flow->steps[0].op, SW_OP_OUTPUT);
	ck_assert_uint_eq(hit.flow->steps[0].arg, 2);
	ck_assert_uint_eq(hit.flow->in_port, 1);
	key.f.in_ifindex = IFINDEX_OF + 3;
	ck_assert(!lab_lookup(&lab, &key, &hit));
}
END_TEST

START_TEST(a_second_put_of_one_masked_key_is_refused)
{
	struct sw_key key = numbered_key(7);

	ck_assert_int_eq(put_numbered(7), 0);
	key.f.eth_src[3] = 99; /* not in the mask */
	ck_assert_int_eq(cache_put(lab.cache, &key, answer_of(1, &l2_mask, 3), lab.now_ns), -EEXIST);
	ck_assert_uint_eq(cache_count(lab.cache), 1);
}
END_TEST

START_TEST(an_answer_that_is_not_cacheable_or_names_no_port_is_refused)
{
	struct sw_key key = numbered_key(7);
	struct xlate *answer = answer_of(1, &l2_mask, 2);

	answer->cacheable = false;
	ck_assert_int_eq(cache_put(lab.cache, &key, answer, lab.now_ns), -EINVAL);
	ck_assert_int_eq(cache_put(lab.cache, &key, answer_of(0, &l2_mask, 2), lab.now_ns), -EINVAL);
	answer = answer_of(1, &l2_mask, 2);
	answer->mask.f.in_ifindex = 0xff;
	ck_assert_int_eq(cache_put(lab.cache, &key, answer, lab.now_ns), -EINVAL);
}
END_TEST

START_TEST(a_crowded_bucket_overflows_into_the_alternate_one_and_back)
{
	lab_close(&lab);
	lab_open(&lab, 256, 4);
	for (uint32_t n = 0; n < 256; n++)
		put_numbered(n);
	lab_check_maps(&lab);
	for (uint32_t b = 0, n = 0; b < lab.dp->memory.config->n_buckets; b++) {
		n += lab.dp->memory.buckets[b].n_overflow;
		if (b == lab.dp->memory.config->n_buckets - 1)
			ck_assert_uint_gt(n, 0);
	}
	for (uint32_t n = 0, hits = 0; n < 256; n++) {
		hits += hit_numbered(n);
		if (n == 255)
			ck_assert_uint_eq(hits, cache_count(lab.cache));
	}
	cache_flush(lab.cache);
	lab_check_maps(&lab);
	for (uint32_t n = 0; n < 256; n++)
		ck_assert(!hit_numbered(n));
}
END_TEST

START_TEST(when_both_buckets_are_full_the_flow_there_that_is_idle_longest_makes_way)
{
	uint32_t n_there, refused;

	lab_close(&lab);
	lab_open(&lab, 4096, 4);
	for (uint32_t n = 0; n < 4000; n++)
		put_numbered(n);
	refused = cache_totals(lab.cache)->refused;
	ck_assert_uint_gt(refused, 0); /* all are new */
	n_there = cache_count(lab.cache);
	lab.now_ns += 3 * SECOND;
	for (uint32_t n = 0; n < 2000; n++)
		hit_numbered(n);
	for (uint32_t n = 2000; n < 4000; n++)
		put_numbered(n);
	ck_assert_uint_gt(cache_totals(lab.cache)->evicted, 0);
	ck_assert_uint_eq(cache_count(lab.cache), n_there);
	for (uint32_t n = 0, hits = 0; n < 2000; n++) {
		hits += hit_numbered(n);
		if (n == 1999)
			ck_assert_uint_gt(hits, 1950); /* those in use were left alone */
	}
}
END_TEST

/* ---- settling ---- */

START_TEST(a_moved_address_gives_its_flows_another_slot_at_the_next_settle)
{
	struct sw_key key = lab_key(1, 1, 2);
	struct dp_memory_hit before, after;

	learn_two(2);
	lab_miss(&lab, &key);
	lab_lookup(&lab, &key, &before);
	learn_two(3);
	ck_assert(lab_lookup(&lab, &key, &after));
	ck_assert_uint_eq(after.slot, before.slot);
	cache_settle(lab.cache);
	ck_assert(lab_lookup(&lab, &key, &after));
	ck_assert_uint_ne(after.slot, before.slot);
	ck_assert_uint_eq(after.flow->steps[0].arg, 3);
	ck_assert_uint_eq(before.flow->gen & 1, 1);
	ck_assert_uint_eq(before.flow->steps[0].arg, 2); /* who still reads it reads what it was */
	ck_assert_uint_eq(cache_totals(lab.cache)->replaced, 1);
}
END_TEST

START_TEST(a_settle_asks_only_what_the_change_concerns)
{
	struct sw_key key = lab_key(1, 1, 2), other = lab_key(1, 1, 3);

	learn_two(2);
	lab_miss(&lab, &key);
	lab_miss(&lab, &other);
	cache_settle(lab.cache);
	learn_two(3);
	ck_assert_uint_eq(cache_count(lab.cache), 2);
	{
		uint64_t asked = cache_totals(lab.cache)->asked;

		cache_settle(lab.cache);
		ck_assert_uint_eq(cache_totals(lab.cache)->asked, asked + 1);
		cache_settle(lab.cache);
		ck_assert_uint_eq(cache_totals(lab.cache)->asked, asked + 1);
	}
}
END_TEST

START_TEST(an_answer_under_another_mask_takes_the_flow_out)
{
	struct sw_key key = lab_key(1, 1, 2);
	struct dp_memory_hit hit;

	learn_two(2);
	translate(lab.pl, &key, NULL, &lab.answer);
	fdb_learn(lab.fdb, &lab.answer.learn.key, 1, lab.now_ns);
	translate(lab.pl, &key, NULL, &lab.answer);
	memset(lab.answer.mask.f.eth_src, 0, 6); /* too wide */
	lab.answer.mask.f.eth_src[0] = 1;
	ck_assert_int_eq(cache_put(lab.cache, &key, &lab.answer, lab.now_ns), 0);
	ck_assert(lab_lookup(&lab, &key, &hit));
	learn_two(3);
	cache_settle(lab.cache);
	ck_assert(!lab_lookup(&lab, &key, &hit));
	ck_assert_uint_eq(cache_totals(lab.cache)->withdrawn, 1);
}
END_TEST

START_TEST(a_change_of_configuration_asks_every_flow)
{
	struct sw_key key = lab_key(1, 1, 2);
	struct port_state down = lab.states[2];
	struct dp_memory_hit hit;

	learn_two(2);
	lab_miss(&lab, &key);
	down.fast = false;
	lab_port_is(&lab, 2, &down);
	cache_settle(lab.cache);
	ck_assert(lab_lookup(&lab, &key, &hit));
	ck_assert_uint_eq(hit.flow->steps[0].op, SW_OP_UPCALL);
	ck_assert_uint_eq(hit.flow->steps[0].arg, SW_UPCALL_ACTION);
}
END_TEST

START_TEST(a_port_with_another_device_leaves_no_flow_of_the_old_one)
{
	struct sw_key key = lab_key(1, 1, 2);
	struct port_state state = lab.states[1];

	learn_two(2);
	lab_miss(&lab, &key);
	state.ifindex = 1101;
	lab_port_is(&lab, 1, &state);
	cache_settle(lab.cache);
	ck_assert_uint_eq(cache_count(lab.cache), 0);
}
END_TEST

START_TEST(ports_that_change_devices_keep_no_flow_though_its_steps_would_be_the_same)
{
	struct sw_key key = lab_key(1, 1, 0xff);
	struct port_state one = lab.states[1], two = lab.states[2];
	struct dp_memory_hit hit;

	lab_miss(&lab, &key);
	fdb_add_static(lab.fdb, &lab.answer.learn.key, 1, lab.now_ns, NULL);
	one.ifindex = IFINDEX_OF + 2;
	two.ifindex = IFINDEX_OF + 1;
	lab_port_is(&lab, 1, &one);
	lab_port_is(&lab, 2, &two);
	cache_settle(lab.cache);
	ck_assert(!lab_lookup(&lab, &key, &hit)); /* it would count for port 1 */
}
END_TEST

START_TEST(a_flow_whose_source_was_seen_elsewhere_goes_so_that_its_next_frame_is_learned_from)
{
	struct sw_key here = lab_key(1, 1, 2), there = lab_key(3, 1, 2);
	struct dp_memory_hit hit;

	learn_two(2);
	lab_miss(&lab, &here);
	lab_miss(&lab, &there);
	ck_assert(lab_lookup(&lab, &there, &hit));
	ck_assert(!lab_lookup(&lab, &here, &hit));
}
END_TEST

/* ---- grace periods ---- */

START_TEST(a_dead_slot_is_not_used_again_before_its_grace_period_ends)
{
	lab_close(&lab);
	lab_open(&lab, 16, 4);
	for (uint32_t n = 0; n < 16; n++)
		ck_assert_int_eq(put_numbered(n), 0);
	cache_flush(lab.cache);
	ck_assert_int_eq(put_numbered(0), -ENOSPC);
	ck_assert(dp_memory_end_grace(lab.dp));
	ck_assert_int_eq(put_numbered(0), 0);
}
END_TEST

START_TEST(a_flow_goes_home_where_there_is_room)
{
	uint32_t n_home = 0;

	for (uint32_t n = 0; n < 256; n++) {
		struct sw_key key = numbered_key(n);
		struct dp_memory_hit hit;
		uint32_t home;

		if (put_numbered(n))
			continue;
		ck_assert(lab_lookup(&lab, &key, &hit));
		home = sw_hash_home(cache_hash(lab.cache, hit.slot), lab.cache->n_slots);
		n_home += hit.slot == home || hit.slot == (home ^ 1);
	}
	ck_assert_uint_gt(n_home, 230); /* of a table that becomes a quarter full */
}
END_TEST

START_TEST(what_dies_during_a_grace_period_waits_for_the_next)
{
	struct dp_memory_hit hit;
	struct sw_key key;
	uint32_t gen;

	ck_assert_int_eq(put_numbered(0), 0);
	cache_flush(lab.cache);
	ck_assert_int_eq(put_numbered(1), 0);
	key = numbered_key(1);
	ck_assert(lab_lookup(&lab, &key, &hit));
	cache_flush(lab.cache);
	gen = hit.flow->gen;
	ck_assert(dp_memory_end_grace(lab.dp)); /* of the first */
	ck_assert_int_eq(put_numbered(1), 0);   /* would be at home there */
	ck_assert_int_eq(put_numbered(2), 0);
	ck_assert_uint_eq(hit.flow->gen, gen);
	ck_assert(dp_memory_end_grace(lab.dp)); /* of the second */
	for (uint32_t n = 3; n < 8192 && hit.flow->gen == gen; n++)
		put_numbered(n);
	ck_assert_uint_eq(hit.flow->gen, gen + 1);
	ck_assert(!dp_memory_end_grace(lab.dp));
}
END_TEST

START_TEST(a_mask_that_comes_back_during_its_grace_period_keeps_its_id)
{
	struct dp_memory_hit hit;
	struct sw_key key = numbered_key(1);
	uint16_t mask;

	put_numbered(1);
	ck_assert(lab_lookup(&lab, &key, &hit));
	mask = hit.flow->mask;
	cache_flush(lab.cache);
	ck_assert_uint_eq(cache_mask_count(lab.cache), 0);
	ck_assert_int_eq(put_numbered(1), 0);
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

	learn_two(2);
	lab_miss(&lab, &key);
	for (int i = 0; i < 5; i++)
		lab_lookup(&lab, &key, &hit);
	learn_two(3);
	cache_settle(lab.cache);
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
	lab.dp->memory.flow_stats[slot].packets++;
	lab.dp->memory.flow_stats[slot].bytes += FRAME_SIZE;
}

START_TEST(a_frame_counted_on_a_dead_slot_goes_to_the_heir_of_its_heir)
{
	struct sw_key key = lab_key(1, 1, 2);
	struct dp_memory_hit first, second;

	learn_two(2);
	lab_miss(&lab, &key);
	lab_lookup(&lab, &key, &first);
	learn_two(3);
	cache_settle(lab.cache);
	lab_lookup(&lab, &key, &second);
	learn_two(4);
	cache_settle(lab.cache);
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
	struct sw_key key = numbered_key(1);
	struct dp_memory_hit hit;

	put_numbered(1);
	lab_lookup(&lab, &key, &hit);
	cache_flush(lab.cache);
	count_late(hit.slot);
	lab_let_grace_pass(&lab);
	ck_assert_uint_eq(cache_totals(lab.cache)->packets, 2);
	put_numbered(1);
	ck_assert_uint_eq(only_view()->packets, 0);
	ck_assert_uint_eq(only_view()->slot, hit.slot); /* its home */
}
END_TEST

START_TEST(bytes_that_are_counted_after_their_packet_was_harvested_are_not_lost)
{
	struct sw_key key = numbered_key(1);
	struct dp_memory_hit hit;

	put_numbered(1);
	lab_lookup(&lab, &key, &hit);
	lab.dp->memory.flow_stats[hit.slot].packets++;
	cache_sweep(lab.cache, lab.now_ns);
	lab.dp->memory.flow_stats[hit.slot].bytes += FRAME_SIZE;
	cache_flush(lab.cache);
	lab_let_grace_pass(&lab);
	ck_assert_uint_eq(cache_totals(lab.cache)->packets, 2);
	ck_assert_uint_eq(cache_totals(lab.cache)->bytes, 2 * FRAME_SIZE);
}
END_TEST

/* ---- sweeping ---- */

START_TEST(an_idle_flow_expires_and_a_used_one_stays)
{
	put_numbered(1);
	put_numbered(2);
	for (int i = 0; i < 11; i++) {
		ck_assert_uint_eq(cache_count(lab.cache), 2);
		hit_numbered(1);
		lab.now_ns += SECOND;
		cache_sweep(lab.cache, lab.now_ns);
	}
	ck_assert_uint_eq(cache_count(lab.cache), 1);
	ck_assert(hit_numbered(1));
	ck_assert(!hit_numbered(2));
	ck_assert_uint_eq(cache_totals(lab.cache)->expired, 1);
}
END_TEST

START_TEST(a_used_flow_refreshes_its_source)
{
	struct sw_key key = lab_key(1, 1, 2);
	struct dp_memory_hit hit;

	lab_miss(&lab, &key);
	cache_sweep(lab.cache, lab.now_ns);
	ck_assert_uint_eq(lab.n_used, 0);
	lab_lookup(&lab, &key, &hit);
	cache_sweep(lab.cache, lab.now_ns += SECOND);
	ck_assert_uint_eq(lab.n_used, 1);
	ck_assert_uint_eq(lab.last_used.mac[5], 1);
	ck_assert_uint_eq(fdb_lookup(lab.fdb, &lab.last_used)->used_ns, lab.now_ns);
	cache_sweep(lab.cache, lab.now_ns += SECOND);
	ck_assert_uint_eq(lab.n_used, 1);
}
END_TEST

START_TEST(frames_from_before_a_move_do_not_move_the_address_back)
{
	struct sw_key here = lab_key(1, 1, 2), there = lab_key(3, 1, 2);
	struct fdb_key source;
	struct dp_memory_hit hit;

	lab_miss(&lab, &here);
	source = lab.answer.learn.key;
	ck_assert(lab_lookup(&lab, &here, &hit));
	lab_miss(&lab, &there); /* address 1 is behind port 3 now */
	ck_assert_uint_eq(fdb_lookup(lab.fdb, &source)->port, 3);
	cache_sweep(lab.cache, lab.now_ns += SECOND);
	ck_assert_uint_eq(fdb_lookup(lab.fdb, &source)->port, 3);
}
END_TEST

START_TEST(a_sweep_before_the_settle_does_not_move_an_address_back)
{
	struct sw_key here = lab_key(1, 1, 2), there = lab_key(3, 1, 2);
	struct fdb_key source;
	struct dp_memory_hit hit;

	lab_miss(&lab, &here);
	source = lab.answer.learn.key;
	ck_assert(lab_lookup(&lab, &here, &hit));
	translate(lab.pl, &there, NULL, &lab.answer);
	fdb_learn(lab.fdb, &lab.answer.learn.key, 3, lab.now_ns);
	cache_sweep(lab.cache, lab.now_ns += SECOND);
	ck_assert_uint_eq(fdb_lookup(lab.fdb, &source)->port, 3);
}
END_TEST

START_TEST(a_large_table_is_swept_in_slices)
{
	uint32_t n_calls = 1, last = 100000;

	lab_close(&lab);
	lab_open(&lab, 131072, 4);
	for (uint32_t n = 0; n < last; n++)
		put_numbered(n);
	ck_assert_uint_gt(cache_count(lab.cache), 99500);
	while (!hit_numbered(last))
		last--;
	lab.now_ns += 11 * SECOND;
	for (; !cache_sweep(lab.cache, lab.now_ns); n_calls++)
		ck_assert_uint_gt(cache_count(lab.cache), 1);
	ck_assert_uint_eq(cache_count(lab.cache), 1);
	ck_assert_uint_ge(n_calls, 3);
	ck_assert(hit_numbered(last));
}
END_TEST

START_TEST(a_full_table_gives_up_what_is_idle_longest)
{
	uint32_t n_slots, n_hot = 0;

	lab_close(&lab);
	lab_open(&lab, 256, 4);
	n_slots = lab.dp->memory.config->n_flows;
	for (uint32_t n = 0; n < n_slots; n++)
		put_numbered(n);
	lab.now_ns += 2 * SECOND;
	for (uint32_t n = n_slots / 2; n < n_slots; n++)
		hit_numbered(n);
	cache_sweep(lab.cache, lab.now_ns);
	ck_assert_uint_eq(cache_totals(lab.cache)->evicted, 0);
	put_numbered(5000);
	ck_assert_uint_gt(cache_totals(lab.cache)->refused, 0);
	cache_sweep(lab.cache, lab.now_ns += SECOND);
	ck_assert_uint_eq(cache_totals(lab.cache)->evicted, n_slots / 8 + 1);
	for (uint32_t n = n_slots / 2; n < n_slots; n++)
		n_hot += hit_numbered(n);
	ck_assert_uint_ge(n_hot, n_slots / 2 - 8); /* but for what found no cell */
	lab_let_grace_pass(&lab);
	ck_assert_int_eq(put_numbered(5000), 0);
}
END_TEST

START_TEST(among_flows_in_use_the_least_hit_give_way)
{
	lab_close(&lab);
	lab_open(&lab, 64, 4);
	for (uint32_t n = 0; n < 64; n++)
		put_numbered(n);
	for (uint32_t n = 0; n < 64; n++) {
		for (uint32_t i = 0; i < (n < 32 ? 1 : 10); i++)
			hit_numbered(n);
	}
	put_numbered(5000);
	cache_sweep(lab.cache, lab.now_ns += SECOND);
	ck_assert_uint_ge(cache_totals(lab.cache)->evicted, 9);
	for (uint32_t n = 32; n < 64; n++) {
		if (n % 8 == 0)
			ck_assert(hit_numbered(n));
	}
}
END_TEST

/* ---- masks ---- */

/* A mask of its own for each n, and a key that has its bits set. */
static int put_under_mask(uint32_t n)
{
	struct sw_key mask = {.f = {.eth_dst = {255}}}, key = lab_key(1, 0, 0);

	mask.f.eth_src[n % 48 / 8] = 1 << n % 8;
	mask.f.eth_type_be = n / 48;
	memset(key.f.eth_src, 255, 6);
	key.f.eth_type_be = UINT16_MAX;
	return cache_put(lab.cache, &key, answer_of(1, &mask, 2), lab.now_ns);
}

START_TEST(when_masks_run_out_the_one_hit_least_makes_way)
{
	for (uint32_t n = 0; n < SW_MAX_MASKS; n++)
		ck_assert_int_eq(put_under_mask(n), 0);
	ck_assert_int_eq(put_under_mask(SW_MAX_MASKS), -ENOSPC);
	cache_for_each_live(lab.cache, slot) lab.dp->memory.flow_stats[slot].packets +=
		lab.dp->memory.flows[slot].mask == 17 ? 1 : 5;
	cache_sweep(lab.cache, lab.now_ns += SECOND);
	ck_assert_uint_eq(cache_mask_count(lab.cache), SW_MAX_MASKS - 1);
	ck_assert_int_eq(put_under_mask(SW_MAX_MASKS), -ENOSPC); /* not before the grace period */
	lab_let_grace_pass(&lab);
	ck_assert_int_eq(put_under_mask(SW_MAX_MASKS), 0);
	ck_assert_int_eq(put_under_mask(17), -ENOSPC);
	ck_assert_int_eq(put_under_mask(16), -EEXIST);
}
END_TEST

START_TEST(masks_are_tried_in_order_of_their_hits)
{
	const struct sw_config *config = lab.dp->memory.config;

	for (uint32_t n = 0; n < 5; n++)
		put_under_mask(n);
	cache_for_each_live(lab.cache, slot) lab.dp->memory.flow_stats[slot].packets +=
		lab.dp->memory.flows[slot].mask * 100;
	cache_sweep(lab.cache, lab.now_ns += SECOND);
	for (uint32_t i = 0; i < 5; i++)
		ck_assert_uint_eq(config->order[i], 4 - i);
}
END_TEST

START_TEST(a_deep_mask_waits_until_every_run_parses_that_deep)
{
	struct sw_key mask = l2_mask, key = numbered_key(1);
	struct dp_memory_hit hit;

	mask.f.ip_proto = 255;
	key.f.ip_proto = 0;
	ck_assert_uint_eq(lab.dp->memory.config->depth, SW_L2_WORDS);
	ck_assert_int_eq(cache_put(lab.cache, &key, answer_of(1, &mask, 2), lab.now_ns), -EAGAIN);
	ck_assert_uint_eq(lab.dp->memory.config->depth, SW_KEY_WORDS);
	ck_assert_int_eq(cache_put(lab.cache, &key, answer_of(1, &mask, 2), lab.now_ns), -EAGAIN);
	ck_assert(dp_memory_end_grace(lab.dp));
	ck_assert_int_eq(cache_put(lab.cache, &key, answer_of(1, &mask, 2), lab.now_ns), 0);
	ck_assert(lab_lookup(&lab, &key, &hit));
	key.f.ip_proto = 6;
	ck_assert(!lab_lookup(&lab, &key, &hit));
}
END_TEST

START_TEST(raising_the_depth_during_a_grace_period_waits_for_the_next)
{
	struct sw_key mask = l2_mask, key = numbered_key(1);

	mask.f.ip_proto = 255;
	put_numbered(2);
	cache_flush(lab.cache); /* a grace period runs */
	ck_assert_int_eq(cache_put(lab.cache, &key, answer_of(1, &mask, 2), lab.now_ns), -EAGAIN);
	ck_assert(dp_memory_end_grace(lab.dp));
	ck_assert_int_eq(cache_put(lab.cache, &key, answer_of(1, &mask, 2), lab.now_ns), -EAGAIN);
	ck_assert(dp_memory_end_grace(lab.dp));
	ck_assert_int_eq(cache_put(lab.cache, &key, answer_of(1, &mask, 2), lab.now_ns), 0);
}
END_TEST

START_TEST(the_depth_is_lowered_when_nobody_looked_deep_for_a_while)
{
	struct sw_key mask = l2_mask, key = numbered_key(1);

	mask.f.ip_proto = 255;
	cache_put(lab.cache, &key, answer_of(1, &mask, 2), lab.now_ns);
	dp_memory_end_grace(lab.dp);
	ck_assert_int_eq(cache_put(lab.cache, &key, answer_of(1, &mask, 2), lab.now_ns), 0);
	cache_flush(lab.cache);
	for (int i = 0; i < 20; i++)
		cache_sweep(lab.cache, lab.now_ns += SECOND);
	ck_assert_uint_eq(lab.dp->memory.config->depth, SW_KEY_WORDS); /* in limbo still */
	lab_let_grace_pass(&lab);
	for (int i = 0; i < 20; i++)
		cache_sweep(lab.cache, lab.now_ns += SECOND);
	ck_assert_uint_eq(lab.dp->memory.config->depth, SW_L2_WORDS);
}
END_TEST

/* ---- sets ---- */

START_TEST(a_set_is_held_until_the_last_run_that_may_use_it)
{
	struct sw_key key = lab_key(1, 1, 0xff);
	struct dp_memory_hit hit;
	uint32_t set;

	lab_miss(&lab, &key);
	ck_assert(lab_lookup(&lab, &key, &hit));
	ck_assert_uint_eq(hit.flow->steps[0].op, SW_OP_BROADCAST);
	set = hit.flow->steps[0].arg;
	ck_assert_uint_eq(sets_users(lab.sets, set), 1);
	for (uint16_t id = 1; id <= 4; id++)
		ck_assert(dp_memory_set_has(lab.dp, set, id));
	cache_flush(lab.cache);
	ck_assert_uint_eq(sets_users(lab.sets, set), 1);
	lab_let_grace_pass(&lab);
	ck_assert_uint_eq(sets_users(lab.sets, set), 0);
}
END_TEST

/* ---- adoption ---- */

START_TEST(a_restarted_daemon_goes_on_with_the_flows_and_their_counts)
{
	struct sw_key key = lab_key(1, 1, 2), flood = lab_key(1, 1, 0xff);
	struct dp_memory_hit hit;

	learn_two(2);
	lab_miss(&lab, &key);
	lab_miss(&lab, &flood);
	lab_lookup(&lab, &key, &hit);
	lab_lookup(&lab, &flood, &hit);
	lab_restart(&lab);
	ck_assert_uint_eq(cache_count(lab.cache), 2);
	ck_assert(lab_lookup(&lab, &key, &hit));
	cache_settle(lab.cache);
	ck_assert_uint_eq(cache_count(lab.cache), 2);
	ck_assert_uint_eq(cache_totals(lab.cache)->asked, 2);
	ck_assert(lab_lookup(&lab, &key, &hit));
	ck_assert(lab_lookup(&lab, &flood, &hit));
	ck_assert_uint_eq(sets_users(lab.sets, hit.flow->steps[0].arg), 2); /* its own, and until the grace period */
	lab_let_grace_pass(&lab);
	ck_assert_uint_eq(sets_users(lab.sets, hit.flow->steps[0].arg), 1);
	cache_sweep(lab.cache, lab.now_ns += SECOND);
	ck_assert_uint_eq(cache_totals(lab.cache)->packets, 3);
	lab_miss(&lab, &(struct sw_key){.w = {0}});
	learn_two(3);
	cache_settle(lab.cache);
	ck_assert(lab_lookup(&lab, &key, &hit));
	ck_assert_uint_eq(hit.flow->steps[0].arg, 3);
}
END_TEST

START_TEST(the_first_settle_asks_adopted_flows_though_nothing_has_changed_since)
{
	struct dp_events events = {.ctx = &lab, .grace_ended = lab_grace_ended};
	struct sw_key key = lab_key(1, 1, 2);

	lab_miss(&lab, &key);
	lab_forget(&lab);
	dp_memory_restart(lab.dp, &events);
	lab_think(&lab);
	lab_bridge(&lab, "br0", 1);
	for (uint16_t id = 1; id <= lab.n_ports; id++)
		lab_add_port(&lab, 1, id);
	fdb_flush(lab.fdb, 0, 0, -1, true);
	lab_cache(&lab);
	cache_settle(lab.cache);
	ck_assert_uint_eq(cache_totals(lab.cache)->asked, 1);
	ck_assert_uint_eq(cache_count(lab.cache), 0); /* its source is to be learned again */
}
END_TEST

START_TEST(adopted_flows_of_a_port_that_is_not_there_go_at_the_first_settle)
{
	struct sw_key key = lab_key(1, 1, 2);

	learn_two(2);
	lab_miss(&lab, &key);
	lab.states[1].ifindex = 1101;
	lab_restart(&lab);
	ck_assert_uint_eq(cache_count(lab.cache), 1);
	cache_settle(lab.cache);
	ck_assert_uint_eq(cache_count(lab.cache), 0);
}
END_TEST

START_TEST(slots_that_the_last_daemon_gave_up_wait_for_a_grace_period)
{
	lab_close(&lab);
	lab_open(&lab, 16, 4);
	put_numbered(1);
	cache_flush(lab.cache);
	lab_restart(&lab);
	cache_settle(lab.cache);
	ck_assert_int_eq(put_numbered(1), -ENOSPC);
	lab_let_grace_pass(&lab);
	for (uint32_t n = 0; n < 16; n++)
		ck_assert_int_eq(put_numbered(n), 0);
}
END_TEST

/* Ways to leave the maps, each on a table of flows 0 .. 63 in slots 0 .. 63. */
static void spoil_cell_lost(struct dp_memory *m)
{
	for (uint32_t b = 0; b < m->config->n_buckets; b += 2)
		m->buckets[b].cell[0] = 0;
}

static void spoil_cells_of_dead_slots(struct dp_memory *m)
{
	for (uint32_t slot = 0; slot < 64; slot += 3)
		m->flows[slot].gen++;
}

static void spoil_overflow(struct dp_memory *m)
{
	for (uint32_t b = 0; b < m->config->n_buckets; b += 3)
		m->buckets[b].n_overflow += b % 5;
}

static void spoil_order(struct dp_memory *m)
{
	m->config->order[0] = 200;
	m->config->order[1] = 63;
	m->config->n_order = 99;
}

static void spoil_cells(struct dp_memory *m)
{
	for (uint32_t b = 0; b < m->config->n_buckets; b++)
		m->buckets[b].cell[b % SW_BUCKET_CELLS] ^= 0x1234567800000000ULL << b % 3 | b;
}

static void spoil_slots(struct dp_memory *m)
{
	m->flows[0].mask = 999;
	m->flows[1].n_steps = 0;
	m->flows[2].n_steps = 200;
	m->flows[3].steps[0].op = 77;
	m->flows[4].steps[0] = (struct sw_step){.op = SW_OP_BROADCAST, .arg = 5};
	m->flows[5].in_port = 5000;
	m->flows[6].key.f.ip_ttl = 3;
	m->flows[7].mask = 40;
	m->flows[8].steps[0].op = SW_OP_VLAN_POP;
	m->flows[9].key.f.in_ifindex++;
}

static void spoil_twins(struct dp_memory *m)
{
	for (uint32_t slot = 0; slot < 64; slot += 2)
		m->flows[slot].key = m->flows[slot + 1].key;
	for (uint32_t b = 0; b < m->config->n_buckets; b++) {
		uint32_t slot = (uint32_t)m->buckets[b].cell[0] - 1;

		if (m->buckets[b].cell[0] && slot < 63 && !m->buckets[b].cell[6])
			m->buckets[b].cell[6] = m->buckets[b].cell[0] + (slot % 2 ? -1 : 1);
	}
}

static void spoil_masks(struct dp_memory *m)
{
	m->config->masks[0].n_flows = 12345;
	m->config->masks[1] = m->config->masks[0];
	m->config->depth = 4;
}

static void spoil_mask_itself(struct dp_memory *m)
{
	m->config->masks[0].n_words = 9;
}

static void (*const spoilers[])(struct dp_memory *m) = {spoil_cell_lost, spoil_cells_of_dead_slots, spoil_overflow,
	spoil_order, spoil_cells, spoil_slots, spoil_twins, spoil_masks, spoil_mask_itself};

START_TEST(whatever_stands_in_the_maps_adoption_makes_it_consistent)
{
	for (uint32_t n = 0; n < 64; n++)
		ck_assert_int_eq(put_numbered(n), 0);
	spoilers[_i](&lab.dp->memory);
	lab_restart(&lab);
	lab_check_maps(&lab);
	for (uint32_t n = 0, hits = 0; n < 64; n++) {
		hits += hit_numbered(n);
		if (n == 63)
			ck_assert_uint_eq(hits, cache_count(lab.cache));
	}
	cache_flush(lab.cache);
	lab_let_grace_pass(&lab);
	for (uint32_t n = 0; n < 64; n++)
		ck_assert_int_eq(put_numbered(n), 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("cache");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, open_lab, close_lab);
	tcase_add_test(t, a_flow_that_was_put_is_hit_with_its_steps);
	tcase_add_test(t, a_second_put_of_one_masked_key_is_refused);
	tcase_add_test(t, an_answer_that_is_not_cacheable_or_names_no_port_is_refused);
	tcase_add_test(t, a_crowded_bucket_overflows_into_the_alternate_one_and_back);
	tcase_add_test(t, when_both_buckets_are_full_the_flow_there_that_is_idle_longest_makes_way);
	tcase_add_test(t, a_moved_address_gives_its_flows_another_slot_at_the_next_settle);
	tcase_add_test(t, a_settle_asks_only_what_the_change_concerns);
	tcase_add_test(t, an_answer_under_another_mask_takes_the_flow_out);
	tcase_add_test(t, a_change_of_configuration_asks_every_flow);
	tcase_add_test(t, a_port_with_another_device_leaves_no_flow_of_the_old_one);
	tcase_add_test(t, ports_that_change_devices_keep_no_flow_though_its_steps_would_be_the_same);
	tcase_add_test(t, a_flow_whose_source_was_seen_elsewhere_goes_so_that_its_next_frame_is_learned_from);
	tcase_add_test(t, bytes_that_are_counted_after_their_packet_was_harvested_are_not_lost);
	tcase_add_test(t, a_sweep_before_the_settle_does_not_move_an_address_back);
	tcase_add_test(t, a_dead_slot_is_not_used_again_before_its_grace_period_ends);
	tcase_add_test(t, a_flow_goes_home_where_there_is_room);
	tcase_add_test(t, what_dies_during_a_grace_period_waits_for_the_next);
	tcase_add_test(t, a_mask_that_comes_back_during_its_grace_period_keeps_its_id);
	tcase_add_test(t, a_replaced_flow_keeps_its_count);
	tcase_add_test(t, a_frame_counted_on_a_dead_slot_goes_to_the_heir_of_its_heir);
	tcase_add_test(t, a_reused_slot_begins_at_zero);
	tcase_add_test(t, an_idle_flow_expires_and_a_used_one_stays);
	tcase_add_test(t, a_used_flow_refreshes_its_source);
	tcase_add_test(t, frames_from_before_a_move_do_not_move_the_address_back);
	tcase_add_test(t, a_large_table_is_swept_in_slices);
	tcase_add_test(t, a_full_table_gives_up_what_is_idle_longest);
	tcase_add_test(t, among_flows_in_use_the_least_hit_give_way);
	tcase_add_test(t, when_masks_run_out_the_one_hit_least_makes_way);
	tcase_add_test(t, masks_are_tried_in_order_of_their_hits);
	tcase_add_test(t, a_deep_mask_waits_until_every_run_parses_that_deep);
	tcase_add_test(t, raising_the_depth_during_a_grace_period_waits_for_the_next);
	tcase_add_test(t, the_depth_is_lowered_when_nobody_looked_deep_for_a_while);
	tcase_add_test(t, a_set_is_held_until_the_last_run_that_may_use_it);
	tcase_add_test(t, a_restarted_daemon_goes_on_with_the_flows_and_their_counts);
	tcase_add_test(t, the_first_settle_asks_adopted_flows_though_nothing_has_changed_since);
	tcase_add_test(t, adopted_flows_of_a_port_that_is_not_there_go_at_the_first_settle);
	tcase_add_test(t, slots_that_the_last_daemon_gave_up_wait_for_a_grace_period);
	tcase_add_loop_test(
		t, whatever_stands_in_the_maps_adoption_makes_it_consistent, 0, sizeof(spoilers) / sizeof(spoilers[0]));
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
