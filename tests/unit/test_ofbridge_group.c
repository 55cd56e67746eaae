/* SPDX-License-Identifier: BSD-2-Clause */
/* Groups of a bridge under OpenFlow: where frames go, when a group changes or what it watches does. */
#include "tests/unit/ofbridge_lab.h"
#include "tests/unit/suite.h"

START_TEST(a_bucket_changes_its_own_copy)
{
	uint8_t frame[SIZE];
	struct dp_memory_sent first, second;

	make_frame(1, 2, frame);
	group_mod(0, 1, GROUP_TYPE_ALL, "set_field:02:00:00:00:00:77->eth_dst,output:2", "output:3");
	FLOW(.apply = "group:1,output:4");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	ck_assert_uint_eq(dp_memory_n_sent(lab.dp), 3);
	first = dp_memory_sent(lab.dp, 0);
	second = dp_memory_sent(lab.dp, 1);
	ck_assert(first.port == 2 && first.data[5] == 0x77);
	ck_assert(second.port == 3 && !memcmp(second.data, frame, SIZE));
	ck_assert_uint_eq(groups_find(ofbridge_groups(bridge), 1)->tally.packets, 1);
	ck_assert_uint_eq(groups_find(ofbridge_groups(bridge), 1)->buckets[1].tally.packets, 1);
	ck_assert_str_eq(sent(), "2 3 4");
}
END_TEST

START_TEST(a_group_that_changes_takes_its_flows_along)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	group_mod(0, 1, GROUP_TYPE_INDIRECT, "output:2", NULL);
	FLOW(.apply = "group:1");
	arrive(PORT_1, frame);
	ck_assert(arrive(PORT_1, frame));
	ck_assert_uint_eq(cache_count(lab.cache), 1);
	group_mod(1, 1, GROUP_TYPE_INDIRECT, "output:3", NULL);
	ck_assert_uint_eq(groups_find(ofbridge_groups(bridge), 1)->tally.packets, 2);
	lab_settle(&lab);
	sent();
	arrive(PORT_1, frame);
	cache_flush(lab.cache);
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "3");
	group_mod(2, 1, GROUP_TYPE_INDIRECT, NULL, NULL);
	lab_settle(&lab);
	ck_assert_uint_eq(tables_count(ofbridge_tables(bridge)), 0);
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "");
}
END_TEST

START_TEST(a_failover_follows_the_link)
{
	struct port_state down = lab.states[2];
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	group_mod(0, 1, GROUP_TYPE_FF, "output:2", "output:3");
	FLOW(.apply = "group:1");
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "2");
	down.up = false;
	lab_port_is(&lab, 2, &down);
	lab_settle(&lab);
	cache_flush(lab.cache);
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "3");
}
END_TEST

/* A group that another watches is on nobody's way, and still says where frames go. */
START_TEST(a_failover_follows_the_group_that_it_watches)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	group_mod(0, 1, GROUP_TYPE_FF, "output:2", NULL);
	watch_group(2, 1, "output:3", "output:4");
	FLOW(.apply = "group:2");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "3");
	ck_assert(arrive(PORT_1, frame));
	group_mod(1, 1, GROUP_TYPE_FF, "output:77", NULL); /* a port that is not there is not live */
	lab_settle(&lab);
	if (arrive(PORT_1, frame))
		cache_expect_output(PORT_1, frame, 4);
	else
		ck_assert_str_eq(sent(), "4");
}
END_TEST

/* Every drop has a name (D1). */
START_TEST(a_frame_that_a_group_leaves_nowhere_to_go_is_dropped_for_its_rule)
{
	uint8_t frame[SIZE];
	struct dp_memory_hit hit;
	struct sw_headers headers;
	struct sw_key key;

	make_frame(1, 2, frame);
	group_mod(0, 1, GROUP_TYPE_INDIRECT, "drop", NULL);
	group_mod(0, 2, GROUP_TYPE_ALL, NULL, NULL);
	for (int group = 1; group <= 2; group++) {
		FLOW(.write = group == 1 ? "group:1" : "group:2");
		lab_settle(&lab);
		cache_flush(lab.cache);
		arrive(PORT_1, frame);
		ck_assert_uint_eq(drops_of(SW_DROP_NONE), 0);
		ck_assert_uint_eq(drops_of(SW_DROP_RULE), group);
		sw_extract(frame, frame + SIZE, IFINDEX_OF + PORT_1, SW_KEY_WORDS, &key, &headers);
		ck_assert(dp_memory_lookup(lab.dp, 0, &key, SIZE, &hit));
		ck_assert_int_eq(hit.flow->steps[0].op, SW_OP_DROP);
		ck_assert_uint_eq(hit.flow->steps[0].arg, SW_DROP_RULE);
	}
}
END_TEST

/* Until the maps are settled the program goes by the group as it was, and what it counts is the group's. */
START_TEST(a_group_that_changes_loses_no_frame)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	group_mod(0, 1, GROUP_TYPE_INDIRECT, "output:2", NULL);
	FLOW(.apply = "group:1");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	ck_assert(arrive(PORT_1, frame));
	group_mod(1, 1, GROUP_TYPE_INDIRECT, "output:3", NULL);
	ck_assert(arrive(PORT_1, frame)); /* in the same turn of the loop */
	lab_settle(&lab);
	lab_let_grace_pass(&lab);
	ofbridge_refresh_group(bridge, groups_find(ofbridge_groups(bridge), 1));
	ck_assert_uint_eq(first_rule(0)->tally.packets, 3);
	ck_assert_uint_eq(groups_find(ofbridge_groups(bridge), 1)->tally.packets, 3);
}
END_TEST

START_TEST(a_bucket_sets_the_tunnel_of_its_own_copy)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	group_mod(0, 1, GROUP_TYPE_ALL, "set_field:7->tunnel_id,CONTROLLER", "CONTROLLER");
	FLOW(.apply = "group:1");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	ck_assert_uint_eq(heard.n_packet_ins, 2);
	ck_assert_uint_eq(be64toh(heard.in.flow.x.tunnel_id_be), 0);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("all");
	Suite *suite = suite_create("ofbridge_group");

	tcase_add_checked_fixture(t, open_lab, close_lab);
	tcase_add_test(t, a_bucket_changes_its_own_copy);
	tcase_add_test(t, a_group_that_changes_takes_its_flows_along);
	tcase_add_test(t, a_failover_follows_the_link);
	tcase_add_test(t, a_failover_follows_the_group_that_it_watches);
	tcase_add_test(t, a_frame_that_a_group_leaves_nowhere_to_go_is_dropped_for_its_rule);
	tcase_add_test(t, a_group_that_changes_loses_no_frame);
	tcase_add_test(t, a_bucket_sets_the_tunnel_of_its_own_copy);
	suite_add_tcase(suite, t);
	return run_suite(suite);
}
