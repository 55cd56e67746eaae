/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cache, a point at a time: what is put is found, and what changes is brought up to date. Slots are in
 * test_cache_slots.c, adoption in test_cache_adopt.c, the random streams in test_cache_oracle.c.
 */
#include "tests/unit/cache_ports_lab.h"
#include "tests/unit/suite.h"

static void port_is_access(uint16_t id, uint16_t vid)
{
	lab_port_vlan(&lab, id, &(struct vlan_config){.mode = VLAN_ACCESS, .vid = vid});
}

/* The flow that this key hits is still the one that it hit then. */
static bool is_same(const struct sw_key *key, const struct dp_memory_hit *then, uint32_t gen)
{
	struct dp_memory_hit now = lab_hit(&lab, key);

	return now.slot == then->slot && now.flow->gen == gen;
}

/* ---- putting and finding ---- */

START_TEST(a_flow_that_was_put_is_hit_with_its_steps)
{
	struct sw_key key = lab_key(1, 1, 2);
	struct dp_memory_hit hit;

	send_two_to(2);
	ck_assert(!lab_lookup(&lab, &key, &hit) && !cache_has(lab.cache, &key));
	ck_assert_int_eq(lab_miss(&lab, &key), 0);
	ck_assert(cache_has(lab.cache, &key));
	hit = lab_hit(&lab, &key);
	ck_assert_uint_eq(hit.flow->n_steps, 1);
	ck_assert_uint_eq(hit.flow->steps[0].op, SW_OP_OUTPUT);
	ck_assert_uint_eq(hit.flow->steps[0].arg, 2);
	ck_assert_uint_eq(hit.flow->in_port, 1);
	key.f.in_ifindex = IFINDEX_OF + 3;
	ck_assert(!lab_lookup(&lab, &key, &hit) && !cache_has(lab.cache, &key));
	key = lab_key(1, 1, 2);
	cache_flush(lab.cache);
	ck_assert(!cache_has(lab.cache, &key));
}
END_TEST

START_TEST(one_flow_serves_all_addresses_of_a_port_and_a_vlan)
{
	struct sw_key key = lab_key(1, 1, 2), other = lab_key(1, 3, 0xff), tagged = lab_key(1, 1, 2);
	struct dp_memory_hit hit;

	for (uint16_t id = 1; id <= 4; id++)
		port_is_access(id, 10);
	lab_miss(&lab, &key);
	hit = lab_hit(&lab, &key);
	ck_assert_uint_eq(hit.flow->n_steps, 2);
	ck_assert(hit.flow->steps[0].op == SW_OP_NORMAL && hit.flow->steps[0].arg == 10);
	ck_assert_uint_eq(hit.flow->steps[1].op, SW_OP_BROADCAST);
	ck_assert(hit.flow->in_port == 1 && hit.flow->bridge == 1);
	ck_assert(hit.flow->flags & SW_FLOW_LEARN);
	ck_assert(!(hit.flow->flags & SW_FLOW_RESERVED));
	ck_assert_uint_eq(lab_hit(&lab, &other).slot, hit.slot);
	ck_assert_int_eq(lab_miss(&lab, &other), -EEXIST);
	tagged.f.vlan_tci_be = htons(SW_VLAN_PRESENT | 20);
	ck_assert(!lab_lookup(&lab, &tagged, &hit)); /* is not admitted: an answer of its own */
}
END_TEST

START_TEST(a_second_put_of_one_masked_key_is_refused)
{
	struct sw_key key = lab_numbered_key(7);

	ck_assert_int_eq(lab_put_numbered(&lab, 7), 0);
	key.f.eth_src[3] = 99; /* not in the mask */
	ck_assert_int_eq(cache_put(lab.cache, &key, lab_answer(1, &lab_l2_mask, 3), lab.now_ns), -EEXIST);
	ck_assert_uint_eq(cache_count(lab.cache), 1);
}
END_TEST

START_TEST(an_answer_that_is_not_cacheable_or_names_no_port_is_refused)
{
	struct sw_key key = lab_numbered_key(7);
	struct xlate *answer = lab_answer(1, &lab_l2_mask, 2);

	answer->cacheable = false;
	ck_assert_int_eq(cache_put(lab.cache, &key, answer, lab.now_ns), -EINVAL);
	ck_assert_int_eq(cache_put(lab.cache, &key, lab_answer(0, &lab_l2_mask, 2), lab.now_ns), -EINVAL);
	answer = lab_answer(1, &lab_l2_mask, 2);
	answer->mask.f.in_ifindex = 0xff;
	ck_assert_int_eq(cache_put(lab.cache, &key, answer, lab.now_ns), -EINVAL);
}
END_TEST

START_TEST(a_crowded_bucket_overflows_into_the_alternate_one_and_back)
{
	lab_close(&lab);
	lab_open(&lab, 256, 4);
	for (uint32_t n = 0; n < 256; n++)
		lab_put_numbered(&lab, n);
	lab_check_maps(&lab);
	for (uint32_t b = 0, n = 0; b < lab.dp->memory.config->n_buckets; b++) {
		n += lab.dp->memory.buckets[b].n_overflow;
		if (b == lab.dp->memory.config->n_buckets - 1)
			ck_assert_uint_gt(n, 0);
	}
	for (uint32_t n = 0, hits = 0; n < 256; n++) {
		hits += lab_hit_numbered(&lab, n);
		if (n == 255)
			ck_assert_uint_eq(hits, cache_count(lab.cache));
	}
	cache_flush(lab.cache);
	lab_check_maps(&lab);
	for (uint32_t n = 0; n < 256; n++)
		ck_assert(!lab_hit_numbered(&lab, n));
}
END_TEST

/* A trunk has thousands: they must not come together in a few buckets. */
START_TEST(the_vlans_of_a_port_are_spread)
{
	const struct sw_key mask = {.f = {.in_ifindex = UINT32_MAX, .vlan_tci_be = htons(0x1fff)}};
	static uint8_t n_flows[65536];
	uint32_t n_used = 0, most = 0;

	for (uint32_t seed = 1; seed < 20; seed++) {
		memset(n_flows, 0, sizeof(n_flows));
		n_used = most = 0;
		for (uint16_t vid = 1; vid < 4095; vid++) {
			struct sw_key key = {.f = {.in_ifindex = 7, .vlan_tci_be = htons(SW_VLAN_PRESENT | vid)}};
			uint64_t hash = sw_hash_link(seed * 0x9e3779b97f4a7c15ULL, &key, &mask, 1);
			uint8_t *n = &n_flows[sw_hash_primary(hash, 65536)];

			n_used += !*n;
			most = ++*n > most ? *n : most;
		}
		ck_assert_msg(
			n_used > 2500 && most <= SW_BUCKET_CELLS, "seed %u: %u buckets, %u in one", seed, n_used, most);
	}
}
END_TEST

START_TEST(when_both_buckets_are_full_the_flow_there_that_is_idle_longest_makes_way)
{
	const uint32_t n_flows = 4096 / 16 * 15; /* that a port may have; the other one has the rest */
	uint32_t n_there, n_refused = 0, n_hits = 0;

	lab_close(&lab);
	lab_open(&lab, 4096, 4);
	for (uint32_t n = 0; n < n_flows; n++)
		lab_put_numbered(&lab, n);
	for (uint32_t n = 0; n < 256; n++)
		n_refused += lab_put_of(&lab, 2, n) == -ENOSPC;
	ck_assert_uint_gt(n_refused, 0); /* all are new */
	n_there = cache_count(lab.cache);
	lab.now_ns += 3 * SECOND;
	for (uint32_t n = 0; n < n_flows / 2; n++)
		lab_hit_numbered(&lab, n);
	for (uint32_t n = 0; n < 256; n++)
		lab_put_of(&lab, 2, n);
	ck_assert_uint_gt(cache_totals(lab.cache)->evicted, 0);
	ck_assert_uint_eq(cache_count(lab.cache), n_there);
	for (uint32_t n = 0; n < n_flows / 2; n++)
		n_hits += lab_hit_numbered(&lab, n);
	ck_assert_uint_gt(n_hits, n_flows / 2 - 50); /* those in use were left alone */
}
END_TEST

/* ---- settling ---- */

START_TEST(a_changed_answer_gives_a_flow_another_slot_at_the_next_settle)
{
	struct sw_key key = lab_key(1, 1, 2);
	struct dp_memory_hit before, after;

	send_two_to(2);
	lab_miss(&lab, &key);
	before = lab_hit(&lab, &key);
	send_two_to(3);
	ck_assert_uint_eq(lab_hit(&lab, &key).slot, before.slot);
	cache_settle(lab.cache, lab.now_ns);
	after = lab_hit(&lab, &key);
	ck_assert_uint_ne(after.slot, before.slot);
	ck_assert_uint_eq(after.flow->steps[0].arg, 3);
	ck_assert_uint_eq(before.flow->gen & 1, 1);
	ck_assert_uint_eq(before.flow->steps[0].arg, 2); /* who still reads it reads what it was */
	ck_assert_uint_eq(cache_totals(lab.cache)->replaced, 1);
}
END_TEST

static void learn(uint8_t mac, uint16_t port)
{
	fdb_learn(lab.fdb, &(struct fdb_key){.bridge = 1, .mac = {2, 0, 0, 0, 0, mac}}, port, lab.now_ns);
}

static void fdb_learns(void)
{
	learn(5, 3);
}

static void fdb_moves_both_ends(void)
{
	learn(1, 3);
	learn(2, 4);
}

static void fdb_forgets_all(void)
{
	fdb_flush(lab.fdb, 1, 0, -1, true);
}

static void fdb_gets_a_static_entry(void)
{
	const struct fdb_key key = {.bridge = 1, .mac = {2, 0, 0, 0, 0, 2}};

	ck_assert_int_eq(fdb_add_static(lab.fdb, &key, 3, lab.now_ns, NULL), 0);
}

static void fdb_ages(void)
{
	lab.now_ns += 2 * FDB_DEFAULT_AGEING_S * SECOND;
	fdb_age(lab.fdb, lab.now_ns);
}

static void (*const fdb_changes[])(void) = {
	fdb_learns, fdb_moves_both_ends, fdb_forgets_all, fdb_gets_a_static_entry, fdb_ages};
#define N_FDB_CHANGES (sizeof(fdb_changes) / sizeof(fdb_changes[0]))

/* Once for flows of ports, once for flows of pairs of addresses. */
START_TEST(a_change_of_the_fdb_leaves_every_flow_alone)
{
	struct sw_key key = lab_key(1, 1, 2), back = lab_key(2, 2, 1);
	struct dp_memory_hit there, here;
	uint64_t asked;
	uint32_t there_gen, here_gen, n_changes;

	lab_look_at_addresses(&lab, (size_t)_i >= N_FDB_CHANGES);
	lab_miss(&lab, &key);
	lab_miss(&lab, &back);
	there = lab_hit(&lab, &key);
	there_gen = there.flow->gen;
	here = lab_hit(&lab, &back);
	here_gen = here.flow->gen;
	asked = cache_totals(lab.cache)->asked;
	n_changes = lab.n_fdb_changes;
	fdb_changes[(size_t)_i % N_FDB_CHANGES]();
	ck_assert_uint_gt(lab.n_fdb_changes, n_changes);
	lab_settle(&lab);
	ck_assert(is_same(&key, &there, there_gen));
	ck_assert(is_same(&back, &here, here_gen));
	ck_assert_uint_eq(cache_totals(lab.cache)->asked, asked);
	ck_assert_uint_eq(cache_count(lab.cache), 2);
}
END_TEST

START_TEST(a_bridge_that_begins_or_ceases_to_learn_replaces_its_flows_and_no_others)
{
	struct sw_key key = lab_key(1, 1, 2), elsewhere = lab_key(4, 1, 2);
	struct dp_memory_hit before, other;
	uint32_t gen;

	lab_add_bridge(&lab);
	lab_move_port(&lab, 4, 2);
	lab_miss(&lab, &key);
	lab_miss(&lab, &elsewhere);
	before = lab_hit(&lab, &key);
	other = lab_hit(&lab, &elsewhere);
	gen = other.flow->gen;
	pipeline_bridge_set_learning(lab.pl, 1, false);
	cache_settle(lab.cache, lab.now_ns);
	ck_assert_uint_ne(lab_hit(&lab, &key).slot, before.slot);
	ck_assert(!(lab_hit(&lab, &key).flow->flags & SW_FLOW_LEARN));
	ck_assert(before.flow->flags & SW_FLOW_LEARN); /* who still reads it reads what it was */
	pipeline_bridge_set_learning(lab.pl, 1, true);
	cache_settle(lab.cache, lab.now_ns);
	ck_assert(lab_hit(&lab, &key).flow->flags & SW_FLOW_LEARN);
	ck_assert(is_same(&elsewhere, &other, gen));
	ck_assert_uint_eq(cache_totals(lab.cache)->replaced, 2);
}
END_TEST

/* F6 of fdb.h */
START_TEST(of_a_bridge_that_does_not_learn_a_port_that_is_behind_does)
{
	struct sw_key key = lab_key(1, 1, 2), other = lab_key(2, 2, 1);

	lab_miss(&lab, &key);
	lab_miss(&lab, &other);
	pipeline_bridge_set_learning(lab.pl, 1, false);
	pipeline_port_set_behind(lab.pl, 2, true);
	cache_settle(lab.cache, lab.now_ns);
	ck_assert(!(lab_hit(&lab, &key).flow->flags & SW_FLOW_LEARN));
	ck_assert(lab_hit(&lab, &other).flow->flags & SW_FLOW_LEARN);
	ck_assert_uint_eq(cache_totals(lab.cache)->replaced, 1);
	pipeline_port_set_behind(lab.pl, 2, false);
	cache_settle(lab.cache, lab.now_ns);
	ck_assert(!(lab_hit(&lab, &other).flow->flags & SW_FLOW_LEARN));
}
END_TEST

START_TEST(a_bridge_that_learns_as_before_asks_no_flow)
{
	struct sw_key key = lab_key(1, 1, 2);
	uint64_t asked;

	lab_miss(&lab, &key);
	asked = cache_totals(lab.cache)->asked;
	pipeline_bridge_set_learning(lab.pl, 1, true);
	cache_settle(lab.cache, lab.now_ns);
	ck_assert_uint_eq(cache_totals(lab.cache)->asked, asked);
}
END_TEST

START_TEST(a_bridge_that_forwards_reserved_addresses_tells_its_flows)
{
	struct sw_key key = lab_key(1, 1, 2);

	lab_miss(&lab, &key);
	pipeline_bridge_set(lab.pl, 1, FDB_DEFAULT_AGEING_S, FDB_DEFAULT_LIMIT, true);
	cache_settle(lab.cache, lab.now_ns);
	ck_assert(lab_hit(&lab, &key).flow->flags & SW_FLOW_RESERVED);
	ck_assert_uint_eq(cache_totals(lab.cache)->replaced, 1);
}
END_TEST

START_TEST(a_change_of_a_port_replaces_the_flows_that_flood_to_it_and_no_others)
{
	struct sw_key key = lab_key(1, 1, 2), elsewhere = lab_key(3, 3, 4);
	struct port_state slow = lab.states[2];
	struct dp_memory_hit before, after, other;
	uint64_t asked;
	uint32_t gen;

	for (uint16_t id = 1; id <= 4; id++)
		port_is_access(id, id <= 2 ? 10 : 20);
	lab_miss(&lab, &key);
	lab_miss(&lab, &elsewhere);
	before = lab_hit(&lab, &key);
	other = lab_hit(&lab, &elsewhere);
	gen = other.flow->gen;
	asked = cache_totals(lab.cache)->asked;
	slow.fast = false;
	lab_port_is(&lab, 2, &slow);
	cache_settle(lab.cache, lab.now_ns);
	after = lab_hit(&lab, &key);
	ck_assert_uint_ne(after.slot, before.slot);
	ck_assert_uint_eq(after.flow->n_steps, 2);
	ck_assert(after.flow->steps[0].op == SW_OP_NORMAL && after.flow->steps[0].arg == 10);
	ck_assert(after.flow->steps[1].op == SW_OP_UPCALL && after.flow->steps[1].arg == SW_UPCALL_NORMAL);
	ck_assert(is_same(&elsewhere, &other, gen));
	ck_assert_uint_ge(cache_totals(lab.cache)->asked, asked + 2); /* it was asked, and stayed */
	asked = cache_totals(lab.cache)->asked;
	cache_settle(lab.cache, lab.now_ns);
	ck_assert_uint_eq(cache_totals(lab.cache)->asked, asked);
}
END_TEST

START_TEST(an_answer_under_another_mask_takes_the_flow_out)
{
	struct sw_key key = lab_key(1, 1, 2);
	struct dp_memory_hit hit;

	lab_miss(&lab, &key);
	ck_assert(lab_lookup(&lab, &key, &hit));
	lab_look_at_addresses(&lab, true); /* the flow is too wide now, though its steps are the same */
	cache_settle(lab.cache, lab.now_ns);
	ck_assert(!lab_lookup(&lab, &key, &hit));
	ck_assert_uint_eq(cache_totals(lab.cache)->withdrawn, 1);
}
END_TEST

static const struct action both[] = {{.type = ACTION_OUTPUT, .arg = OF_PORT_NORMAL}, {.type = ACTION_OUTPUT, .arg = 2}};

/* Under another mask: NORMAL no longer looks at the VLAN before the frame is there. */
START_TEST(an_answer_that_only_the_daemon_can_carry_out_sends_the_flow_up)
{
	const struct actions actions = {.n = 2, .list = both};
	struct sw_key key = lab_key(1, 1, 2);
	struct dp_memory_hit hit;

	lab_miss(&lab, &key);
	ck_assert_int_eq(pipeline_rule_put(lab.pl, 1, &(struct flow_match){0}, 0, &actions, NULL), 0);
	cache_settle(lab.cache, lab.now_ns);
	ck_assert(!lab_lookup(&lab, &key, &hit));
	ck_assert_int_eq(lab_miss(&lab, &key), 0);
	ck_assert_uint_eq(cache_count(lab.cache), 1);
	ck_assert(lab_lookup(&lab, &key, &hit));
	ck_assert(hit.flow->n_steps == 1 && hit.flow->steps[0].op == SW_OP_UPCALL);
}
END_TEST

START_TEST(a_port_with_another_device_leaves_no_flow_of_the_old_one)
{
	struct sw_key key = lab_key(1, 1, 2);
	struct port_state state = lab.states[1];

	lab_miss(&lab, &key);
	state.ifindex = 1101;
	lab_port_is(&lab, 1, &state);
	cache_settle(lab.cache, lab.now_ns);
	ck_assert_uint_eq(cache_count(lab.cache), 0);
}
END_TEST

START_TEST(ports_that_change_devices_keep_no_flow_though_its_steps_would_be_the_same)
{
	struct sw_key key = lab_key(1, 1, 0xff);
	struct port_state one = lab.states[1], two = lab.states[2];
	struct dp_memory_hit hit;

	lab_miss(&lab, &key);
	one.ifindex = IFINDEX_OF + 2;
	two.ifindex = IFINDEX_OF + 1;
	lab_port_is(&lab, 1, &one);
	lab_port_is(&lab, 2, &two);
	cache_settle(lab.cache, lab.now_ns);
	ck_assert(!lab_lookup(&lab, &key, &hit)); /* it would count, and learn, for port 1 */
}
END_TEST

START_TEST(a_port_on_another_bridge_keeps_no_flow_though_its_steps_would_be_the_same)
{
	struct sw_key key = lab_key(1, 1, 0xff);
	struct dp_memory_hit hit;

	lab_add_bridge(&lab);
	port_is_access(1, 20); /* alone in its VLAN on either bridge */
	for (uint16_t id = 2; id <= 4; id++)
		port_is_access(id, 10);
	lab_miss(&lab, &key);
	ck_assert_uint_eq(lab_hit(&lab, &key).flow->steps[1].op, SW_OP_DROP);
	lab_move_port(&lab, 1, 2);
	cache_settle(lab.cache, lab.now_ns);
	ck_assert(!lab_lookup(&lab, &key, &hit)); /* it would look addresses up on bridge 1 */
	lab_miss(&lab, &key);
	ck_assert_uint_eq(lab_hit(&lab, &key).flow->steps[1].op, SW_OP_DROP);
	ck_assert_uint_eq(lab_hit(&lab, &key).flow->bridge, 2);
}
END_TEST

/* ---- masks ---- */

static int put_under_mask(uint32_t n)
{
	return lab_put_under_mask(&lab, n);
}

START_TEST(when_masks_run_out_the_one_hit_least_makes_way)
{
	for (uint32_t n = 0; n < SW_MAX_MASKS; n++)
		ck_assert_int_eq(put_under_mask(n), 0);
	ck_assert_int_eq(put_under_mask(SW_MAX_MASKS), -ENOSPC);
	cache_for_each_live(lab.cache, slot) dp_flow_stats(&lab.dp->memory, 0, slot)->packets +=
		lab.dp->memory.flows[slot].mask == 17 ? 1 : 5;
	cache_sweep(lab.cache, lab.now_ns += SECOND);
	ck_assert_uint_eq(cache_mask_count(lab.cache), SW_MAX_MASKS - 1);
	ck_assert_int_eq(put_under_mask(SW_MAX_MASKS), -ENOSPC); /* not before the grace period */
	lab_let_grace_pass(&lab);
	ck_assert_int_eq(put_under_mask(SW_MAX_MASKS), 0);
	ck_assert_int_eq(put_under_mask(17), -EEXIST); /* the new one looks at what it did, and the frame is the same */
	ck_assert_int_eq(put_under_mask(16), -EEXIST);
}
END_TEST

/* As many masks as there are, all of one port; the next one is wanted, and a sweep later there is one for all. */
static void run_out_of_masks(void)
{
	for (uint32_t n = 0; n < SW_MAX_MASKS; n++)
		ck_assert_int_eq(put_under_mask(n), 0);
	ck_assert_int_eq(put_under_mask(SW_MAX_MASKS), -ENOSPC);
	cache_sweep(lab.cache, lab.now_ns += SECOND);
	lab_let_grace_pass(&lab);
	ck_assert_int_eq(put_under_mask(SW_MAX_MASKS), 0);
	ck_assert_uint_eq(cache_mask_count(lab.cache), SW_MAX_MASKS);
}

START_TEST(where_masks_have_run_out_a_flow_is_put_under_one_that_looks_at_more)
{
	const struct sw_key mask = {.f = {.eth_dst = {255}, .eth_src = {3}}};
	struct sw_key key = lab_key(1, 0, 0);
	struct dp_memory_hit hit;

	run_out_of_masks();
	memset(key.f.eth_dst, 0x44, 6);
	memset(key.f.eth_src, 0x55, 6);
	ck_assert_int_eq(cache_put(lab.cache, &key, lab_answer(1, &mask, 3), lab.now_ns), 0);
	ck_assert(lab_lookup(&lab, &key, &hit));
	ck_assert_uint_eq(hit.flow->steps[0].arg, 3);
	key.f.eth_src[1] ^= 1; /* which its answer did not look at */
	ck_assert(!lab_lookup(&lab, &key, &hit));
	ck_assert_int_eq(cache_put(lab.cache, &key, lab_answer(1, &mask, 3), lab.now_ns), 0);
	ck_assert(lab_lookup(&lab, &key, &hit));
}
END_TEST

START_TEST(the_port_that_had_most_masks_made_gives_one_up)
{
	const struct sw_key mask = {.f = {.vlan_tci_be = UINT16_MAX}};
	struct sw_key key = lab_key(2, 0, 0);
	struct dp_memory_hit hit;

	ck_assert_int_eq(cache_put(lab.cache, &key, lab_answer(2, &mask, 3), lab.now_ns), 0);
	for (uint32_t n = 0; n < SW_MAX_MASKS - 1; n++)
		ck_assert_int_eq(put_under_mask(n), 0);
	ck_assert_int_eq(put_under_mask(SW_MAX_MASKS), -ENOSPC);
	cache_for_each_live(lab.cache, slot)
	{
		if (lab.dp->memory.flows[slot].in_port == 1)
			dp_flow_stats(&lab.dp->memory, 0, slot)->packets += 5;
	}
	cache_sweep(lab.cache, lab.now_ns += SECOND);
	ck_assert_uint_eq(cache_mask_count(lab.cache), SW_MAX_MASKS - 1);
	ck_assert(lab_lookup(&lab, &key, &hit)); /* though nobody hit it */
}
END_TEST

/* Frames of the mask that is given up do not bring it back before its place is another's. */
START_TEST(a_mask_that_is_given_up_is_not_had_again)
{
	uint32_t n_refused = 0;

	for (uint32_t n = 0; n < SW_MAX_MASKS; n++)
		ck_assert_int_eq(put_under_mask(n), 0);
	ck_assert_int_eq(put_under_mask(SW_MAX_MASKS), -ENOSPC);
	cache_for_each_live(lab.cache, slot) dp_flow_stats(&lab.dp->memory, 0, slot)->packets +=
		lab.dp->memory.flows[slot].mask == 17 ? 1 : 5;
	cache_sweep(lab.cache, lab.now_ns += SECOND);
	for (uint32_t n = 0; n < SW_MAX_MASKS; n++)
		n_refused += put_under_mask(n) == -ENOSPC;
	ck_assert_uint_eq(n_refused, 1);
	lab_let_grace_pass(&lab);
	ck_assert_int_eq(put_under_mask(SW_MAX_MASKS), 0);
}
END_TEST

START_TEST(a_flow_gets_its_own_mask_when_there_are_masks_again)
{
	struct sw_key mask = {.f = {.eth_dst = {255}, .vlan_tci_be = UINT16_MAX}}, key = lab_key(1, 4, 5);

	ck_assert_int_eq(cache_put(lab.cache, &key, lab_answer(1, &mask, 2), lab.now_ns), 0);
	for (uint32_t n = 0; n < SW_MAX_MASKS - 1; n++)
		ck_assert_int_eq(put_under_mask(n), 0);
	key = lab_key(2, 4, 5);
	lab_miss(&lab, &key);
	ck_assert(lab_hit(&lab, &key).flow->key.f.eth_dst[0]); /* which NORMAL does not look at */
	cache_sweep(lab.cache, lab.now_ns += SECOND);
	cache_mark(lab.cache, lab_hit(&lab, &key).slot);
	cache_settle(lab.cache, lab.now_ns);
	lab_hit(&lab, &key);                               /* it may stay as long as there is no other */
	cache_sweep(lab.cache, lab.now_ns += 11 * SECOND); /* those of nobody go */
	lab_let_grace_pass(&lab);
	lab_hit(&lab, &key);
	cache_sweep(lab.cache, lab.now_ns += SECOND);
	cache_settle(lab.cache, lab.now_ns);
	lab_miss(&lab, &key);
	ck_assert(!lab_hit(&lab, &key).flow->key.f.eth_dst[0]);
	ck_assert_uint_eq(cache_count(lab.cache), 1);
}
END_TEST

START_TEST(masks_are_tried_in_order_of_their_hits)
{
	const struct sw_config *config = lab.dp->memory.config;

	for (uint32_t n = 0; n < 5; n++)
		put_under_mask(n);
	cache_for_each_live(lab.cache, slot) dp_flow_stats(&lab.dp->memory, 0, slot)->packets +=
		lab.dp->memory.flows[slot].mask * 100;
	cache_sweep(lab.cache, lab.now_ns += SECOND);
	for (uint32_t i = 0; i < 5; i++)
		ck_assert_uint_eq(config->order[i], 4 - i);
}
END_TEST

START_TEST(a_deep_mask_waits_until_every_run_parses_that_deep)
{
	struct sw_key mask = lab_l2_mask, key = lab_numbered_key(1);
	struct dp_memory_hit hit;

	mask.f.ip_proto = 255;
	key.f.ip_proto = 0;
	ck_assert_uint_eq(lab.dp->memory.config->depth, SW_L2_WORDS);
	ck_assert_int_eq(cache_put(lab.cache, &key, lab_answer(1, &mask, 2), lab.now_ns), -EAGAIN);
	ck_assert_uint_eq(lab.dp->memory.config->depth, SW_KEY_WORDS);
	ck_assert_int_eq(cache_put(lab.cache, &key, lab_answer(1, &mask, 2), lab.now_ns), -EAGAIN);
	ck_assert(dp_memory_end_grace(lab.dp));
	ck_assert_int_eq(cache_put(lab.cache, &key, lab_answer(1, &mask, 2), lab.now_ns), 0);
	ck_assert(lab_lookup(&lab, &key, &hit));
	key.f.ip_proto = 6;
	ck_assert(!lab_lookup(&lab, &key, &hit));
}
END_TEST

START_TEST(raising_the_depth_during_a_grace_period_waits_for_the_next)
{
	struct sw_key mask = lab_l2_mask, key = lab_numbered_key(1);

	mask.f.ip_proto = 255;
	lab_put_numbered(&lab, 2);
	cache_flush(lab.cache); /* a grace period runs */
	ck_assert_int_eq(cache_put(lab.cache, &key, lab_answer(1, &mask, 2), lab.now_ns), -EAGAIN);
	ck_assert(dp_memory_end_grace(lab.dp));
	ck_assert_int_eq(cache_put(lab.cache, &key, lab_answer(1, &mask, 2), lab.now_ns), -EAGAIN);
	ck_assert(dp_memory_end_grace(lab.dp));
	ck_assert_int_eq(cache_put(lab.cache, &key, lab_answer(1, &mask, 2), lab.now_ns), 0);
}
END_TEST

START_TEST(the_depth_is_lowered_when_nobody_looked_deep_for_a_while)
{
	struct sw_key mask = lab_l2_mask, key = lab_numbered_key(1);

	mask.f.ip_proto = 255;
	cache_put(lab.cache, &key, lab_answer(1, &mask, 2), lab.now_ns);
	dp_memory_end_grace(lab.dp);
	ck_assert_int_eq(cache_put(lab.cache, &key, lab_answer(1, &mask, 2), lab.now_ns), 0);
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
	ck_assert_uint_eq(hit.flow->steps[1].op, SW_OP_BROADCAST);
	set = hit.flow->steps[1].arg;
	ck_assert_uint_eq(sets_users(lab.sets, set), 1);
	for (uint16_t id = 1; id <= 4; id++)
		ck_assert(dp_memory_set_has(lab.dp, set, id));
	cache_flush(lab.cache);
	ck_assert_uint_eq(sets_users(lab.sets, set), 1);
	lab_let_grace_pass(&lab);
	ck_assert_uint_eq(sets_users(lab.sets, set), 0);
}
END_TEST

/* Nobody else's first frame is to wait for it. */
START_TEST(a_flow_whose_set_is_not_ready_goes_up_and_gets_it_when_it_is)
{
	struct sw_key key = lab_key(1, 1, 0xff);
	uint32_t n_puts;

	dp_memory_end_grace_at_once(lab.dp, false);
	dp_memory_stock_sets(lab.dp, 0);
	n_puts = dp_memory_n_set_puts(lab.dp);
	lab_miss(&lab, &key);
	ck_assert_int_eq(lab_hit(&lab, &key).flow->steps[1].op, SW_OP_UPCALL);
	lab_let_grace_pass(&lab);
	lab_settle(&lab); /* it is not ready yet, and asks for another period */
	ck_assert_int_eq(lab_hit(&lab, &key).flow->steps[1].op, SW_OP_UPCALL);
	ck_assert_uint_eq(dp_memory_n_set_puts(lab.dp), n_puts);
	dp_memory_stock_sets(lab.dp, SW_MAX_SETS);
	ck_assert(dp_memory_end_grace(lab.dp));
	lab_settle(&lab);
	ck_assert_int_eq(lab_hit(&lab, &key).flow->steps[1].op, SW_OP_BROADCAST);
	lab_let_grace_pass(&lab);
	lab_settle(&lab);
	ck_assert(!dp_memory_end_grace(lab.dp));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("cache");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, open_lab, close_lab);
	tcase_add_test(t, a_flow_that_was_put_is_hit_with_its_steps);
	tcase_add_test(t, one_flow_serves_all_addresses_of_a_port_and_a_vlan);
	tcase_add_test(t, a_second_put_of_one_masked_key_is_refused);
	tcase_add_test(t, an_answer_that_is_not_cacheable_or_names_no_port_is_refused);
	tcase_add_test(t, a_crowded_bucket_overflows_into_the_alternate_one_and_back);
	tcase_add_test(t, the_vlans_of_a_port_are_spread);
	tcase_add_test(t, when_both_buckets_are_full_the_flow_there_that_is_idle_longest_makes_way);
	tcase_add_test(t, a_changed_answer_gives_a_flow_another_slot_at_the_next_settle);
	tcase_add_loop_test(t, a_change_of_the_fdb_leaves_every_flow_alone, 0, 2 * N_FDB_CHANGES);
	tcase_add_test(t, a_bridge_that_begins_or_ceases_to_learn_replaces_its_flows_and_no_others);
	tcase_add_test(t, of_a_bridge_that_does_not_learn_a_port_that_is_behind_does);
	tcase_add_test(t, a_bridge_that_learns_as_before_asks_no_flow);
	tcase_add_test(t, a_bridge_that_forwards_reserved_addresses_tells_its_flows);
	tcase_add_test(t, a_change_of_a_port_replaces_the_flows_that_flood_to_it_and_no_others);
	tcase_add_test(t, an_answer_under_another_mask_takes_the_flow_out);
	tcase_add_test(t, an_answer_that_only_the_daemon_can_carry_out_sends_the_flow_up);
	tcase_add_test(t, a_port_with_another_device_leaves_no_flow_of_the_old_one);
	tcase_add_test(t, ports_that_change_devices_keep_no_flow_though_its_steps_would_be_the_same);
	tcase_add_test(t, a_port_on_another_bridge_keeps_no_flow_though_its_steps_would_be_the_same);
	tcase_add_test(t, when_masks_run_out_the_one_hit_least_makes_way);
	tcase_add_test(t, where_masks_have_run_out_a_flow_is_put_under_one_that_looks_at_more);
	tcase_add_test(t, the_port_that_had_most_masks_made_gives_one_up);
	tcase_add_test(t, a_mask_that_is_given_up_is_not_had_again);
	tcase_add_test(t, a_flow_gets_its_own_mask_when_there_are_masks_again);
	tcase_add_test(t, masks_are_tried_in_order_of_their_hits);
	tcase_add_test(t, a_deep_mask_waits_until_every_run_parses_that_deep);
	tcase_add_test(t, raising_the_depth_during_a_grace_period_waits_for_the_next);
	tcase_add_test(t, the_depth_is_lowered_when_nobody_looked_deep_for_a_while);
	tcase_add_test(t, a_set_is_held_until_the_last_run_that_may_use_it);
	tcase_add_test(t, a_flow_whose_set_is_not_ready_goes_up_and_gets_it_when_it_is);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return run_suite(suite());
}
