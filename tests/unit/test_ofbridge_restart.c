/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flows that outlive the daemon, and the rules that they came from, until a controller has said them again; and which
 * flows a new rule concerns.
 */
#include "tests/unit/ofbridge_lab.h"
#include "tests/unit/suite.h"

/* ---- a restart ---- */

START_TEST(flows_of_a_steered_bridge_go_on_until_its_rules_are_back)
{
	uint8_t frame[SIZE], other[SIZE];

	make_frame(1, 2, frame);
	make_frame(1, 3, other);
	FLOW(.match = "eth_dst=02:00:00:00:00:02", .apply = "output:2", .priority = 5);
	FLOW(.match = "eth_dst=02:00:00:00:00:03", .apply = "output:3", .priority = 5);
	arrive(PORT_1, frame);
	arrive(PORT_1, other);
	ck_assert_uint_eq(cache_count(lab.cache), 2);
	restart();
	ck_assert_uint_eq(cache_count(lab.cache), 2);
	ck_assert(arrive(PORT_1, frame) && arrive(PORT_1, other));
	ofbridge_barrier(bridge); /* of a controller that has not given any rules yet */
	lab_settle(&lab);
	ck_assert_uint_eq(cache_count(lab.cache), 2);
	FLOW(.match = "eth_dst=02:00:00:00:00:02", .apply = "output:2", .priority = 5);
	lab_settle(&lab);
	ck_assert(arrive(PORT_1, other));
	ofbridge_barrier(bridge);
	lab_settle(&lab);
	ck_assert(!arrive(PORT_1, other));
	arrive(PORT_1, frame);
	ck_assert(arrive(PORT_1, frame));
	ck_assert_uint_eq(first_rule(0)->tally.packets, 2);
}
END_TEST

/* A held flow that is in use moves home when there is room, and is held there. */
START_TEST(a_held_flow_that_moves_is_asked_with_the_others)
{
	uint8_t frame[SIZE];
	uint64_t asked;

	FLOW(.apply = "output:2");
	FLOW(.match = "eth_dst=02:00:00:00:00:ff,eth_src=02:00:00:00:00:ff", .apply = "output:2", .priority = 5);
	lab_settle(&lab);
	for (uint8_t host = 1; host <= 200; host++) {
		make_frame(host, host, frame);
		arrive(PORT_1, frame);
		arrive(2, frame);
	}
	ck_assert_uint_gt(cache_count(lab.cache), 300);
	restart();
	for (int second = 0; second < 15; second++) {
		lab.now_ns += SECOND;
		for (uint8_t host = 1; host <= 200; host += 4) {
			make_frame(host, host, frame);
			arrive(PORT_1, frame);
		}
		cache_sweep(lab.cache, lab.now_ns);
		lab_let_grace_pass(&lab);
		lab_settle(&lab);
	}
	asked = cache_totals(lab.cache)->asked;
	ck_assert_uint_lt(cache_count(lab.cache), 60);
	FLOW(.apply = "output:3");
	ofbridge_barrier(bridge);
	lab_settle(&lab);
	ck_assert_uint_gt(cache_totals(lab.cache)->asked, asked);
	for (uint8_t host = 1; host <= 200; host += 4) {
		make_frame(host, host, frame);
		arrive(PORT_1, frame);
		arrive(PORT_1, frame);
		cache_expect_output(PORT_1, frame, 3);
	}
}
END_TEST

/* What was for the one must not go to the other, who has its id. */
START_TEST(held_flows_do_not_outlive_a_port)
{
	const struct port_state state = {.ifindex = 999, .up = true, .fast = true, .sg = true, .max_frame = 1518};
	uint8_t frame[SIZE];
	uint16_t given;

	make_frame(1, 2, frame);
	FLOW(.apply = "output:2");
	arrive(PORT_1, frame);
	restart();
	ck_assert(arrive(PORT_1, frame));
	lab.dp->ops->port_remove(lab.dp, 2);
	pipeline_port_remove(lab.pl, 2);
	ck_assert_int_eq(pipeline_port_add(lab.pl, 1, "stranger", 0, &given, NULL), 0);
	ck_assert_uint_eq(given, 2);
	lab_port_is(&lab, 2, &state);
	lab_settle(&lab);
	ck_assert(!arrive(PORT_1, frame));
	ck_assert_str_eq(sent(), "");
}
END_TEST

/* Controllers come back with port-mods before their rules: these hold at once, and for nobody else. */
START_TEST(held_flows_obey_a_port_mod)
{
	static const uint8_t mac[6] = {0};
	uint8_t to_2[SIZE], to_3[SIZE], to_all[SIZE];

	make_frame(1, 2, to_2);
	make_frame(1, 3, to_3);
	make_frame(1, 4, to_all);
	FLOW(.match = "eth_dst=02:00:00:00:00:02", .apply = "output:2", .priority = 5);
	FLOW(.match = "eth_dst=02:00:00:00:00:03", .apply = "output:3", .priority = 5);
	FLOW(.match = "eth_dst=02:00:00:00:00:04", .apply = "ALL", .priority = 5);
	arrive(PORT_1, to_2);
	arrive(PORT_1, to_3);
	arrive(PORT_1, to_all);
	arrive(4, to_3);
	sent();
	restart();
	ck_assert(arrive(PORT_1, to_2) && arrive(PORT_1, to_3) && arrive(PORT_1, to_all) && arrive(4, to_3));
	ck_assert_int_eq(ofbridge_port_mod(bridge, 2, mac, OF_PORT_CONFIG_DOWN, OF_PORT_CONFIG_DOWN), OF_OK);
	lab_settle(&lab);
	ck_assert(!arrive(PORT_1, to_2));
	ck_assert(!arrive(PORT_1, to_all));
	ck_assert_str_eq(sent(), "");
	cache_expect_output(PORT_1, to_3, 3);
	ck_assert_int_eq(ofbridge_port_mod(bridge, 1, mac, OF_PORT_CONFIG_NO_RECV, OF_PORT_CONFIG_NO_RECV), OF_OK);
	lab_settle(&lab);
	ck_assert(!arrive(PORT_1, to_3));
	cache_expect_output(4, to_3, 3);
	ck_assert_int_eq(ofbridge_port_mod(bridge, 3, mac, OF_PORT_CONFIG_NO_FWD, OF_PORT_CONFIG_NO_FWD), OF_OK);
	lab_settle(&lab);
	ck_assert(!arrive(4, to_3));
	ck_assert_str_eq(sent(), "");
}
END_TEST

/* It gives and takes nothing anyway, and may be back before the rules are. */
START_TEST(held_flows_outlive_a_link_that_flaps)
{
	struct port_state down = lab.states[2], was = down;
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	FLOW(.apply = "output:2");
	arrive(PORT_1, frame);
	restart();
	down.up = false;
	lab_port_is(&lab, 2, &down);
	lab_settle(&lab);
	lab_port_is(&lab, 2, &was);
	lab_settle(&lab);
	cache_expect_output(PORT_1, frame, 2);
}
END_TEST

START_TEST(flows_of_a_steered_bridge_do_not_wait_for_ever)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	FLOW(.apply = "output:2");
	arrive(PORT_1, frame);
	restart();
	lab.now_ns += 29000000000ULL;
	lab_settle(&lab);
	ck_assert(arrive(PORT_1, frame));
	lab.now_ns += 1000000000ULL;
	lab_settle(&lab);
	ck_assert_uint_eq(cache_count(lab.cache), 0);
}
END_TEST

START_TEST(flows_of_a_bridge_that_nobody_steered_are_asked_at_once)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	ofbridge_set_standalone(bridge, true);
	lab_settle(&lab);
	arrive(PORT_1, frame);
	ck_assert_uint_eq(cache_count(lab.cache), 1);
	restart();
	ck_assert(!arrive(PORT_1, frame));
}
END_TEST

/* Else the next controller's would be told that they exist. */
START_TEST(with_the_rules_of_a_bridge_that_stands_alone_go_its_groups_and_meters)
{
	const struct meter_band band = {.type = BAND_DROP, .rate = 1, .burst = 1};
	const struct meter_mod meter = {
		.command = METER_ADD, .flags = METER_PKTPS | METER_BURST, .id = 1, .n_bands = 1, .bands = &band};
	struct meter_slots *slots = sets_meter_slots(lab.sets);
	const struct bridge *has = pipeline_bridge(lab.pl, 1);
	uint8_t frame[SIZE];
	uint16_t slot;

	make_frame(1, 2, frame);
	ck_assert_int_eq(ofbridge_meter_mod(bridge, &meter), OF_OK);
	slot = meters_find(has->meters, 1)->slot;
	group_mod(0, 2, GROUP_TYPE_INDIRECT, "output:2", NULL);
	group_mod(0, 1, GROUP_TYPE_ALL, "output:3", "group:2");
	FLOW(.meter = 1, .apply = "group:1");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	ck_assert_uint_eq(meter_slots_users(slots, slot), 2);
	ofbridge_set_standalone(bridge, true);
	lab_settle(&lab);
	ck_assert_uint_eq(groups_count(has->groups), 0);
	ck_assert_uint_eq(meters_count(has->meters), 0);
	ck_assert_uint_eq(tables_count(has->tables), 1);
	lab_let_grace_pass(&lab);
	ck_assert_uint_eq(meter_slots_users(slots, slot), 0);
}
END_TEST

/* To NORMAL a frame with an 802.1ad tag is an untagged one, to a rule it has a VLAN. */
static void expect_service_tag_is_found(uint8_t n_others)
{
	static const uint8_t tag[] = {0x88, 0xa8, 0, 2};
	uint8_t frame[SIZE], other[SIZE];
	char match[64];

	make_frame(1, 9, frame);
	memmove(frame + 16, frame + 12, SIZE - 16);
	memcpy(frame + 12, tag, sizeof(tag));
	FLOW(.apply = "NORMAL");
	for (uint8_t host = 10; host < 10 + n_others; host++) {
		sprintf(match, "eth_dst=02:00:00:00:00:%02x", host);
		FLOW(.match = match, .apply = "output:2", .priority = 9);
	}
	lab_settle(&lab);
	arrive(PORT_1, frame);
	for (uint8_t host = 10; host < 10 + n_others; host++) {
		make_frame(1, host, other);
		arrive(PORT_1, other);
	}
	sent();
	ck_assert(arrive(PORT_1, frame));
	ck_assert_str_eq(sent(), "");
	FLOW(.match = "eth_dst=02:00:00:00:00:09,vlan_vid=2", .priority = 5);
	lab_settle(&lab);
	ck_assert(!arrive(PORT_1, frame));
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "");
}

START_TEST(a_new_rule_finds_frames_with_a_service_tag_among_those_without_a_tag)
{
	expect_service_tag_is_found(0);
}
END_TEST

START_TEST(a_new_rule_finds_frames_with_a_service_tag_by_their_key)
{
	expect_service_tag_is_found(60);
	ck_assert_uint_gt(cache_count(lab.cache), 50);
}
END_TEST

/* To tell ARP frames by their sender takes the frame; without the rule that wants it the fast path does. */
START_TEST(flows_come_back_to_the_fast_path_when_the_rule_that_kept_them_off_it_goes)
{
	static const uint8_t arp[] = {8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1};
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	memcpy(frame + 12, arp, sizeof(arp));
	FLOW(.apply = "output:2");
	FLOW(.match = "eth_type=0x0806,arp_sha=02:00:00:00:00:09", .apply = "output:3", .priority = 5);
	lab_settle(&lab);
	arrive(PORT_1, frame);
	ck_assert(arrive(PORT_1, frame));
	ck_assert_str_eq(sent(), "2 2"); /* both by the daemon */
	FLOW(.command = FLOW_DELETE_STRICT, .match = "eth_type=0x0806,arp_sha=02:00:00:00:00:09", .priority = 5);
	lab_settle(&lab);
	for (int i = 0; i < 4; i++)
		arrive(PORT_1, frame);
	cache_expect_output(PORT_1, frame, 2);
	ck_assert_uint_eq(first_rule(0)->tally.packets, 7);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("all");
	Suite *suite = suite_create("ofbridge_restart");

	tcase_add_checked_fixture(t, open_lab, close_lab);
	tcase_add_test(t, flows_of_a_steered_bridge_go_on_until_its_rules_are_back);
	tcase_add_test(t, a_held_flow_that_moves_is_asked_with_the_others);
	tcase_add_test(t, held_flows_do_not_outlive_a_port);
	tcase_add_test(t, held_flows_obey_a_port_mod);
	tcase_add_test(t, held_flows_outlive_a_link_that_flaps);
	tcase_add_test(t, flows_of_a_steered_bridge_do_not_wait_for_ever);
	tcase_add_test(t, flows_of_a_bridge_that_nobody_steered_are_asked_at_once);
	tcase_add_test(t, with_the_rules_of_a_bridge_that_stands_alone_go_its_groups_and_meters);
	tcase_add_test(t, a_new_rule_finds_frames_with_a_service_tag_among_those_without_a_tag);
	tcase_add_test(t, a_new_rule_finds_frames_with_a_service_tag_by_their_key);
	tcase_add_test(t, flows_come_back_to_the_fast_path_when_the_rule_that_kept_them_off_it_goes);
	suite_add_tcase(suite, t);
	return run_suite(suite);
}
