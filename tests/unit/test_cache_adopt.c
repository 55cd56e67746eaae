/* SPDX-License-Identifier: BSD-2-Clause */
/* What the cache makes of the maps that a daemon before it left, in whatever state. */
#include "tests/unit/cache_lab.h"
#include "tests/unit/suite.h"

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

/* ---- what is sound ---- */

START_TEST(a_restarted_daemon_goes_on_with_the_flows_and_their_counts)
{
	struct sw_key key = lab_key(1, 1, 2), flood = lab_key(1, 1, 0xff);
	struct port_state slow = lab.states[2];
	struct dp_memory_hit hit, there;
	uint32_t set;

	lab_look_at_addresses(&lab, true);
	lab_miss(&lab, &key);
	lab_miss(&lab, &flood);
	hit = lab_hit(&lab, &key);
	set = lab_hit(&lab, &flood).flow->steps[1].arg;
	lab_restart(&lab);
	ck_assert_uint_eq(cache_count(lab.cache), 2);
	ck_assert_uint_eq(lab_hit(&lab, &key).slot, hit.slot);
	lab_settle(&lab);
	ck_assert_uint_eq(cache_count(lab.cache), 2);
	ck_assert_uint_eq(cache_totals(lab.cache)->asked, 2);
	ck_assert(lab_lookup(&lab, &flood, &there));
	ck_assert_uint_eq(lab_hit(&lab, &key).slot, hit.slot);
	ck_assert_uint_eq(sets_users(lab.sets, set), 3); /* its own two, and until the grace period */
	lab_let_grace_pass(&lab);
	ck_assert_uint_eq(sets_users(lab.sets, set), 2);
	cache_sweep(lab.cache, lab.now_ns += SECOND);
	ck_assert_uint_eq(cache_totals(lab.cache)->packets, 3);
	slow.fast = false;
	lab_port_is(&lab, 2, &slow);
	cache_settle(lab.cache, lab.now_ns);
	ck_assert_uint_eq(lab_hit(&lab, &key).flow->steps[1].op, SW_OP_UPCALL);
}
END_TEST

/* Ports 1 to 3 are in VLAN 10, 4 and 5, a trunk, in 20, 6 is alone in 30, 7 and 8, which takes no redirect, in 40. */
static void set_vlans(void)
{
	static const uint16_t vids[] = {0, 10, 10, 10, 20, 20, 30, 40, 40};
	struct port_state slow;

	lab_close(&lab);
	lab_open(&lab, 1024, 8);
	for (uint16_t id = 1; id <= 8; id++) {
		struct vlan_config access = {.mode = VLAN_ACCESS, .vid = vids[id]};
		struct vlan_config trunk = {.mode = VLAN_TRUNK, .allowed = {1 << vids[5]}};

		lab_port_vlan(&lab, id, id == 5 ? &trunk : &access);
	}
	slow = lab.states[8];
	slow.fast = false;
	lab_port_is(&lab, 8, &slow);
}

static const struct {
	uint16_t port, tci;
	const char *steps;
} survivors[] = {
	{1, 0, "normal:10,broadcast:p1+p2+p3"},
	{4, 0, "normal:20,push_vlan:20,output:p5"},
	{6, 0, "normal:30,drop:no_output"},
	{7, 0, "normal:40,upcall:normal"},
	{1, 99, "drop:vlan_denied"},
};

START_TEST(a_flow_keeps_its_slot_over_a_restart_and_the_first_settle)
{
	struct sw_key key = lab_key(survivors[_i].port, 1, 2);
	struct dp_memory_hit hit;
	char steps[100];
	uint32_t gen;

	set_vlans();
	if (survivors[_i].tci)
		key.f.vlan_tci_be = htons(SW_VLAN_PRESENT | survivors[_i].tci);
	ck_assert_int_eq(lab_miss(&lab, &key), 0);
	hit = lab_hit(&lab, &key);
	gen = hit.flow->gen;
	program_format(lab.pl, lab.sets, hit.flow->steps, hit.flow->n_steps, steps, sizeof(steps));
	ck_assert_str_eq(steps, survivors[_i].steps);
	lab_restart(&lab);
	ck_assert_uint_eq(lab_hit(&lab, &key).slot, hit.slot);
	ck_assert_uint_eq(hit.flow->gen, gen);
	lab_settle(&lab);
	ck_assert_uint_eq(cache_totals(lab.cache)->asked, 1);
	ck_assert_uint_eq(lab_hit(&lab, &key).slot, hit.slot);
	ck_assert_uint_eq(hit.flow->gen, gen);
}
END_TEST

START_TEST(the_first_settle_asks_adopted_flows_though_nothing_has_changed_since)
{
	struct sw_key key = lab_key(1, 1, 2);
	struct dp_memory_hit hit;

	lab_miss(&lab, &key);
	lab_die(&lab);
	lab_restore_ports(&lab);
	pipeline_bridge_set_learning(lab.pl, 1, false);
	lab_cache(&lab);
	ck_assert(lab_hit(&lab, &key).flow->flags & SW_FLOW_LEARN);
	cache_settle(lab.cache, lab.now_ns);
	ck_assert_uint_eq(cache_totals(lab.cache)->asked, 1);
	ck_assert(!lab_lookup(&lab, &key, &hit)); /* no slot is vacant yet for what it should be */
}
END_TEST

START_TEST(adopted_flows_of_a_port_that_is_not_there_go_at_the_first_settle)
{
	struct sw_key key = lab_key(1, 1, 2);

	lab_miss(&lab, &key);
	lab.states[1].ifindex = 1101;
	lab_restart(&lab);
	ck_assert_uint_eq(cache_count(lab.cache), 1);
	cache_settle(lab.cache, lab.now_ns);
	ck_assert_uint_eq(cache_count(lab.cache), 0);
}
END_TEST

START_TEST(adopted_flows_of_a_port_that_is_on_another_bridge_go_at_the_first_settle)
{
	struct sw_key key = lab_key(1, 1, 2);

	for (uint16_t id = 2; id <= 4; id++)
		lab_port_vlan(&lab, id, &(struct vlan_config){.mode = VLAN_ACCESS, .vid = 10});
	lab_miss(&lab, &key);
	lab_add_bridge(&lab);
	lab.bridge_of[1] = 2;
	lab_restart(&lab);
	ck_assert_uint_eq(cache_count(lab.cache), 1);
	cache_settle(lab.cache, lab.now_ns);
	ck_assert_uint_eq(cache_count(lab.cache), 0); /* though its steps would be the same: port 1 is alone again */
}
END_TEST

START_TEST(slots_that_the_last_daemon_gave_up_wait_for_a_grace_period)
{
	lab_close(&lab);
	lab_open(&lab, 16, 4);
	lab_put_numbered(&lab, 1);
	cache_flush(lab.cache);
	lab_restart(&lab);
	cache_settle(lab.cache, lab.now_ns);
	ck_assert_int_eq(lab_put_numbered(&lab, 1), -ENOSPC);
	lab_let_grace_pass(&lab);
	for (uint32_t n = 0; n < 15; n++)
		ck_assert_int_eq(lab_put_numbered(&lab, n), 0);
	ck_assert_int_eq(lab_put_of(&lab, 2, 15), 0); /* the last one is not for whoever has all others */
}
END_TEST

/* ---- what is not ---- */

static const struct {
	uint16_t bridge;
	uint8_t n_steps;
	struct sw_step steps[SW_MAX_STEPS];
	bool is_sane;
} programs[] = {
	{1, 1, {{SW_OP_OUTPUT, 0, 2}}, true},
	{1, 2, {{SW_OP_NORMAL, 0, 10}, {SW_OP_OUTPUT, 0, 2}}, true},
	{1, 2, {{SW_OP_NORMAL, 0, 0}, {SW_OP_DROP, 0, SW_DROP_NO_OUTPUT}}, true},
	{1, 4, {{SW_OP_NORMAL, 0, 0}, {SW_OP_VLAN_POP, 0, 0}, {SW_OP_VLAN_PUSH, 0, 5}, {SW_OP_OUTPUT, 0, 2}}, true},
	{SW_MAX_BRIDGES - 1, 2, {{SW_OP_NORMAL, 0, 0}, {SW_OP_OUTPUT, 0, 2}}, true},
	{1, 2, {{SW_OP_TELL, 0, SW_TELL_CONTROLLER}, {SW_OP_OUTPUT, 0, 2}}, true},
	{1, 3, {{SW_OP_TELL, 0, SW_TELL_CONTROLLER | 5}, {SW_OP_NORMAL, 0, 0}, {SW_OP_OUTPUT, 0, 2}}, true},
	/* nobody is told, a mirror beyond all, told twice, and no step behind it */
	{1, 2, {{SW_OP_TELL, 0, 0}, {SW_OP_OUTPUT, 0, 2}}, false},
	{1, 2, {{SW_OP_TELL, 0, SW_MAX_MIRRORS}, {SW_OP_OUTPUT, 0, 2}}, false},
	{1, 2, {{SW_OP_TELL, 0, SW_TELL_OUT}, {SW_OP_OUTPUT, 0, 2}}, false},
	{1, 2, {{SW_OP_TELL, 0, SW_TELL_OUT | 3}, {SW_OP_OUTPUT, 0, 2}}, true},
	{1, 3, {{SW_OP_TELL, 0, 1}, {SW_OP_TELL, 0, 1}, {SW_OP_OUTPUT, 0, 2}}, false},
	{1, 1, {{SW_OP_TELL, 0, 1}}, false},
	/* no step behind it */
	{1, 1, {{SW_OP_NORMAL, 0, 0}}, false},
	{1, 1, {{SW_OP_NORMAL, 0, 0}, {SW_OP_OUTPUT, 0, 2}}, false},
	{1, 2, {{SW_OP_NORMAL, 0, 0}, {SW_OP_VLAN_POP, 0, 0}}, false},
	/* in no VLAN that there is */
	{1, 2, {{SW_OP_NORMAL, 0, 4095}, {SW_OP_OUTPUT, 0, 2}}, false},
	/* not the first, or not the only one */
	{1, 3, {{SW_OP_VLAN_POP, 0, 0}, {SW_OP_NORMAL, 0, 0}, {SW_OP_OUTPUT, 0, 2}}, false},
	{1, 2, {{SW_OP_VLAN_POP, 0, 0}, {SW_OP_NORMAL, 0, 0}}, false},
	{1, 2, {{SW_OP_OUTPUT, 0, 2}, {SW_OP_NORMAL, 0, 0}}, false},
	{1, 3, {{SW_OP_NORMAL, 0, 0}, {SW_OP_NORMAL, 0, 0}, {SW_OP_OUTPUT, 0, 2}}, false},
	{1, 2, {{SW_OP_NORMAL, 0, 0}, {SW_OP_NORMAL, 0, 0}}, false},
	/* what stands behind it is no program */
	{1, 3, {{SW_OP_NORMAL, 0, 0}, {SW_OP_OUTPUT, 0, 3}, {SW_OP_OUTPUT, 0, 2}}, false},
	{1, 2, {{SW_OP_NORMAL, 0, 0}, {SW_OP_BROADCAST, 0, 5}}, false},
	{1, 2, {{SW_OP_NORMAL, 0, 0}, {SW_OP_OUTPUT, 0, 0}}, false},
	{1, 5, {{SW_OP_NORMAL, 0, 0}, {SW_OP_VLAN_POP, 0, 0}, {SW_OP_VLAN_POP, 0, 0}, {SW_OP_VLAN_POP, 0, 0}}, false},
	/* of no bridge */
	{0, 2, {{SW_OP_NORMAL, 0, 0}, {SW_OP_OUTPUT, 0, 2}}, false},
	{0, 1, {{SW_OP_OUTPUT, 0, 2}}, false},
	{SW_MAX_BRIDGES, 2, {{SW_OP_NORMAL, 0, 0}, {SW_OP_OUTPUT, 0, 2}}, false},
};

START_TEST(a_flow_is_adopted_if_its_program_is_plausible)
{
	struct sw_flow *flow = lab.dp->memory.flows;
	struct sw_key key = lab_numbered_key(1);

	lab_put_numbered(&lab, 1);
	flow += lab_hit(&lab, &key).slot;
	flow->bridge = programs[_i].bridge;
	flow->n_steps = programs[_i].n_steps;
	memcpy(flow->steps, programs[_i].steps, sizeof(flow->steps));
	flow->domain = program_domain(flow->steps, lab.dp->memory.config->seed, flow->bridge);
	lab_restart(&lab);
	lab_check_maps(&lab);
	ck_assert_uint_eq(cache_count(lab.cache), programs[_i].is_sane);
	ck_assert_int_eq(lab_hit_numbered(&lab, 1), programs[_i].is_sane);
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
	m->flows[10].steps[0].op = SW_OP_NORMAL;
	m->flows[11].bridge = 0;
	m->flows[12].bridge = UINT16_MAX;
	m->flows[13].domain++;
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

static void spoil_sieve(struct dp_memory *m)
{
	memset(m->sieves, 0, 2 * sw_sieve_bytes(m->config->n_flows));
	memset(m->config->folded, 0x5a, sizeof(m->config->folded));
	m->config->words = 0;
	m->config->sieve = 0xabcd;
}

static void (*const spoilers[])(struct dp_memory *m) = {spoil_sieve, spoil_cell_lost, spoil_cells_of_dead_slots,
	spoil_overflow, spoil_order, spoil_cells, spoil_slots, spoil_twins, spoil_masks, spoil_mask_itself};

START_TEST(whatever_stands_in_the_maps_adoption_makes_it_consistent)
{
	for (uint32_t n = 0; n < 64; n++)
		ck_assert_int_eq(lab_put_numbered(&lab, n), 0);
	spoilers[_i](&lab.dp->memory);
	lab_restart(&lab);
	lab_check_maps(&lab);
	for (uint32_t n = 0, hits = 0; n < 64; n++) {
		hits += lab_hit_numbered(&lab, n);
		if (n == 63)
			ck_assert_uint_eq(hits, cache_count(lab.cache));
	}
	cache_flush(lab.cache);
	lab_let_grace_pass(&lab);
	for (uint32_t n = 0; n < 64; n++)
		ck_assert_int_eq(lab_put_numbered(&lab, n), 0);
}
END_TEST

START_TEST(the_port_that_had_most_masks_made_gives_one_up_after_a_restart_too)
{
	const struct sw_key mask = {.f = {.vlan_tci_be = UINT16_MAX}};
	struct sw_key key = lab_key(2, 0, 0), shared = lab_key(1, 0, 0);
	struct dp_memory_hit hit;
	uint16_t others;

	for (uint16_t n = 0; n < 5; n++) { /* two of five under it are another's, and do not make it his */
		struct sw_key *of = n % 4 ? &key : &shared;

		of->f.vlan_tci_be = htons(SW_VLAN_PRESENT | n);
		ck_assert_int_eq(cache_put(lab.cache, of, lab_answer(n % 4 ? 2 : 1, &mask, 3), lab.now_ns), 0);
	}
	for (uint32_t n = 0; n < SW_MAX_MASKS - 1; n++)
		ck_assert_int_eq(lab_put_under_mask(&lab, n), 0);
	lab_restart(&lab);
	ck_assert_int_eq(lab_put_under_mask(&lab, SW_MAX_MASKS), -ENOSPC);
	others = lab_hit(&lab, &key).flow->mask;
	for (uint32_t slot = 0; slot < lab.dp->memory.config->n_flows; slot++)
		dp_flow_stats(&lab.dp->memory, 0, slot)->packets += lab.dp->memory.flows[slot].mask == others ? 0 : 5;
	cache_sweep(lab.cache, lab.now_ns += SECOND);
	ck_assert_uint_eq(cache_mask_count(lab.cache), SW_MAX_MASKS - 1);
	ck_assert(lab_lookup(&lab, &key, &hit)); /* though nobody hit it */
}
END_TEST

#define N(array) (int)(sizeof(array) / sizeof((array)[0]))

static Suite *suite(void)
{
	Suite *s = suite_create("cache_adopt");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, open_lab, close_lab);
	tcase_add_test(t, a_restarted_daemon_goes_on_with_the_flows_and_their_counts);
	tcase_add_loop_test(t, a_flow_keeps_its_slot_over_a_restart_and_the_first_settle, 0, N(survivors));
	tcase_add_test(t, the_first_settle_asks_adopted_flows_though_nothing_has_changed_since);
	tcase_add_test(t, adopted_flows_of_a_port_that_is_not_there_go_at_the_first_settle);
	tcase_add_test(t, adopted_flows_of_a_port_that_is_on_another_bridge_go_at_the_first_settle);
	tcase_add_test(t, slots_that_the_last_daemon_gave_up_wait_for_a_grace_period);
	tcase_add_loop_test(t, a_flow_is_adopted_if_its_program_is_plausible, 0, N(programs));
	tcase_add_loop_test(t, whatever_stands_in_the_maps_adoption_makes_it_consistent, 0, N(spoilers));
	tcase_add_test(t, the_port_that_had_most_masks_made_gives_one_up_after_a_restart_too);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return run_suite(suite());
}
