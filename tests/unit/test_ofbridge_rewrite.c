/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames that a bridge under OpenFlow rewrites, or whose TTL ends: by whom, how they are counted, and what later tables
 * see. */
#include "tests/unit/ofbridge_lab.h"
#include "tests/unit/suite.h"

/* The frame hits a flow that rewrites, and is counted there. */
static void hit_rewritten(uint16_t port, const uint8_t frame[SIZE])
{
	struct dp_memory_hit hit;
	struct sw_headers headers;
	struct sw_key key;

	sw_extract(frame, frame + SIZE, IFINDEX_OF + port, SW_KEY_WORDS, &key, &headers);
	ck_assert(dp_memory_lookup(lab.dp, 0, &key, SIZE, &hit));
	ck_assert_int_eq(hit.flow->steps[0].op, SW_OP_REWRITE);
}

/* `reason`: why the program sends it up nevertheless. */
static void arrive_rewritten(uint16_t port, const uint8_t frame[SIZE], enum sw_upcall reason)
{
	hit_rewritten(port, frame);
	if (reason != SW_UPCALL_NONE) {
		dp_memory_inject(lab.dp, port, frame, SIZE, reason);
		run_up();
	}
}

START_TEST(a_ttl_that_runs_out_is_the_controllers_business)
{
	static const uint8_t mac[6] = {0};
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	frame[22] = 1;
	FLOW(.apply = "dec_ttl,output:2");
	arrive(PORT_1, frame);
	ck_assert_int_eq(heard.in.reason, PACKET_IN_INVALID_TTL);
	ck_assert_str_eq(sent(), "");
	frame[22] = 2;
	arrive_rewritten(PORT_1, frame, SW_UPCALL_NONE);
	ck_assert_uint_eq(heard.n_packet_ins, 1);
	frame[22] = 1;
	arrive_rewritten(PORT_1, frame, SW_UPCALL_REWRITE);
	ck_assert_uint_eq(heard.n_packet_ins, 2);
	ck_assert_str_eq(sent(), "");
	ck_assert_uint_eq(first_rule(0)->tally.packets, 3);
	heard.deaf = true;
	arrive_rewritten(PORT_1, frame, SW_UPCALL_REWRITE);
	ck_assert_uint_eq(drops_of(SW_DROP_TTL), 1); /* it is not for want of a controller that it ended */
	ck_assert_uint_eq(drops_of(SW_DROP_NO_CONTROLLER), 0);
	heard.deaf = false;
	ck_assert_int_eq(
		ofbridge_port_mod(bridge, 1, mac, OF_PORT_CONFIG_NO_PACKET_IN, OF_PORT_CONFIG_NO_PACKET_IN), OF_OK);
	arrive_rewritten(PORT_1, frame, SW_UPCALL_REWRITE);
	ck_assert_uint_eq(heard.n_packet_ins, 2);
	ck_assert_uint_eq(drops_of(SW_DROP_TTL), 2);
}
END_TEST

/* The flow has counted it for both tables, and it came to one. */
START_TEST(what_a_ttl_that_ends_does_not_come_to_does_not_count_it)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	FLOW(.apply = "dec_ttl", .go_to = 1);
	group_mod(0, 1, GROUP_TYPE_ALL, "dec_ttl,output:2", "dec_ttl,output:3");
	FLOW(.table = 1, .apply = "group:1");
	lab_settle(&lab);
	ck_assert(!arrive(PORT_1, frame));
	ck_assert_str_eq(sent(), "2 3");
	for (uint8_t ttl = 1; ttl <= 4; ttl++) {
		frame[22] = ttl;
		arrive_rewritten(PORT_1, frame, ttl < 3 ? SW_UPCALL_REWRITE : SW_UPCALL_NONE);
	}
	ck_assert_str_eq(sent(), "");
	ck_assert_uint_eq(heard.n_packet_ins, 3); /* one in table 0, and one in each bucket */
	ck_assert_uint_eq(first_rule(0)->tally.packets, 5);
	ck_assert_uint_eq(first_rule(1)->tally.packets, 4);
	ck_assert_uint_eq(first_rule(1)->tally.bytes, 4 * SIZE);
}
END_TEST

/* It hit its flow before the rules changed, and is carried out under those that there are now. */
START_TEST(a_ttl_that_ends_takes_nothing_back_from_rules_that_have_not_counted_it)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	FLOW(.apply = "dec_ttl,output:2");
	lab_settle(&lab);
	ck_assert(!arrive(PORT_1, frame));
	frame[22] = 1;
	hit_rewritten(PORT_1, frame);
	dp_memory_inject(lab.dp, PORT_1, frame, SIZE, SW_UPCALL_REWRITE);
	FLOW(.apply = "dec_ttl", .go_to = 1);
	FLOW(.table = 1, .apply = "output:3");
	lab_settle(&lab);
	run_up();
	ck_assert_uint_eq(heard.n_packet_ins, 1);
	ck_assert_uint_eq(first_rule(1)->tally.packets, 0);
	ck_assert_uint_eq(first_rule(1)->tally.bytes, 0);
	ck_assert_uint_eq(tables_table(ofbridge_tables(bridge), 1)->matched.packets, 0);
}
END_TEST

/* One that came before is counted, and shorter. The long one's count is at the flow still. */
START_TEST(a_ttl_that_ends_takes_its_own_bytes_back_from_no_other_frame)
{
	uint8_t frame[2 * SIZE] = {0};
	struct dp_memory_hit hit;
	struct sw_headers headers;
	struct sw_key key;

	make_frame(1, 2, frame);
	FLOW(.apply = "dec_ttl", .go_to = 1);
	FLOW(.table = 1, .apply = "output:2");
	lab_settle(&lab);
	ck_assert(!arrive(PORT_1, frame));
	frame[22] = 1;
	sw_extract(frame, frame + sizeof(frame), IFINDEX_OF + PORT_1, SW_KEY_WORDS, &key, &headers);
	ck_assert(dp_memory_lookup(lab.dp, 0, &key, sizeof(frame), &hit));
	dp_memory_inject(lab.dp, PORT_1, frame, sizeof(frame), SW_UPCALL_REWRITE);
	run_up();
	ck_assert_uint_eq(heard.n_packet_ins, 1);
	ck_assert_uint_eq(first_rule(0)->tally.bytes, 3 * SIZE);
	ck_assert_uint_eq(first_rule(1)->tally.packets, 1);
	ck_assert_uint_eq(first_rule(1)->tally.bytes, SIZE);
}
END_TEST

/* Whether the program or the daemon rewrites it: its length is the one that it came with. */
START_TEST(a_frame_counts_with_the_bytes_with_which_it_came)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	FLOW(.apply = "push_vlan:0x8100", .go_to = 1);
	FLOW(.table = 1, .apply = "output:2");
	lab_settle(&lab);
	ck_assert(!arrive(PORT_1, frame));
	ck_assert_uint_eq(dp_memory_sent(lab.dp, 0).size, SIZE + 4);
	arrive_rewritten(PORT_1, frame, SW_UPCALL_NONE);
	ck_assert_uint_eq(first_rule(0)->tally.bytes, 2 * SIZE);
	ck_assert_uint_eq(first_rule(1)->tally.bytes, 2 * SIZE);
}
END_TEST

/* What comes up although a flow rewrites it is rewritten by the daemon, and was counted by the flow. */
START_TEST(a_frame_that_the_program_leaves_to_the_daemon_is_rewritten_and_counted_once)
{
	static const enum sw_upcall reasons[] = {SW_UPCALL_FRAGS, SW_UPCALL_OVER_MTU, SW_UPCALL_REWRITE};
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	FLOW(.apply = "set_field:02:00:00:00:00:77->eth_dst,output:2,output:3");
	ck_assert(!arrive(PORT_1, frame));
	ck_assert_str_eq(sent(), "2 3");
	for (int i = 0; i < 3; i++) {
		arrive_rewritten(PORT_1, frame, reasons[i]);
		ck_assert_uint_eq(dp_memory_n_sent(lab.dp), 2);
		ck_assert_uint_eq(dp_memory_sent(lab.dp, 0).data[5], 0x77);
		ck_assert_str_eq(sent(), "2 3");
	}
	ck_assert_uint_eq(first_rule(0)->tally.packets, 4);
	ck_assert_uint_eq(first_rule(0)->tally.bytes, 4 * SIZE);
}
END_TEST

START_TEST(a_rewritten_frame_may_be_bridged)
{
	uint8_t frame[SIZE];

	FLOW(.apply = "NORMAL");
	make_frame(3, 1, frame);
	arrive(3, frame); /* now host 3 is behind port 3 */
	sent();
	make_frame(1, 9, frame);
	FLOW(.match = "eth_dst=02:00:00:00:00:09", .priority = 9,
		.apply = "set_field:02:00:00:00:00:03->eth_dst,NORMAL");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "3");
}
END_TEST

/* What a pop lays bare is not IP because the action says so: there is no DSCP to be set, or to match. */
START_TEST(a_field_that_is_not_there_is_not_there_for_later_tables)
{
	static const uint8_t labels[] = {0x88, 0x47, 0, 0, 0x10, 64, 0, 0, 0x21, 64};
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	memcpy(frame + 12, labels, sizeof(labels));
	FLOW(.apply = "pop_mpls:0x0800,set_field:5->ip_dscp", .match = "eth_type=0x8847", .go_to = 1);
	FLOW(.table = 1, .match = "eth_type=0x0800,ip_dscp=5", .apply = "output:2", .priority = 1);
	FLOW(.table = 1, .apply = "output:3");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "3");
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "3");
}
END_TEST

/* The key does not hold what stands behind a B-TAG: what a pop does there is known when a table asks, by the frame. */
START_TEST(what_the_key_does_not_tell_is_not_known_to_later_tables)
{
	static const uint8_t backbone[] = {
		2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xa8, 0, 5, 0x88, 0xe7, 0, 0, 0, 7};
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	memcpy(frame, backbone, sizeof(backbone));
	memcpy(frame + sizeof(backbone), (uint8_t[]){2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8}, 12);
	FLOW(.apply = "pop_pbb", .go_to = 1);
	FLOW(.table = 1, .match = "eth_dst=02:00:00:00:00:09", .apply = "output:2", .priority = 1);
	FLOW(.table = 1, .apply = "output:3");
	lab_settle(&lab);
	for (int i = 0; i < 4; i++) {
		frame[sizeof(backbone) + 5] = i % 2 ? 9 : 7;
		arrive(PORT_1, frame);
		ck_assert_str_eq(sent(), i % 2 ? "2" : "3");
	}
}
END_TEST

/* Where none asks, the program does it. */
START_TEST(what_the_key_does_not_tell_is_found_by_the_program)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	memcpy(frame + 12, (uint8_t[]){0x88, 0x47, 0, 1, 1, 64, 0x45, 0, 0, SIZE - 18}, 10);
	FLOW(.match = "eth_type=0x8847", .apply = "pop_mpls:0x0800,set_field:192.0.2.1->ip_dst,dec_ttl,output:2");
	lab_settle(&lab);
	ck_assert(!arrive(PORT_1, frame));
	ck_assert_str_eq(sent(), "2");
	ck_assert(arrive(PORT_1, frame));
	ck_assert_str_eq(sent(), "");
}
END_TEST

/*
 * Nothing is rewritten where the header is cut, and what a table behind it lets through for its new port would be let
 * through with the old one: RFC 1858's tiny fragment, whose ports are there and whose header is not.
 */
START_TEST(a_header_that_is_cut_has_no_new_port_for_later_tables)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	frame[23] = 6;
	FLOW(.match = "eth_type=0x0800,ip_proto=6", .apply = "set_field:80->tcp_dst", .go_to = 1);
	FLOW(.table = 1, .match = "eth_type=0x0800,ip_proto=6,tcp_dst=80", .apply = "output:2", .priority = 1);
	FLOW(.table = 1, .apply = "output:3");
	lab_settle(&lab);
	arrive(PORT_1, frame); /* the program looks at ports from now on */
	dp_memory_end_grace(lab.dp);
	ck_assert_str_eq(sent(), "2");
	for (int i = 0; i < 6; i++) {
		bool is_cut = i % 2;

		frame[17] = is_cut ? 28 : SIZE - 14;
		frame[20] = is_cut ? 0x20 : 0;
		arrive(PORT_1, frame);
		ck_assert_str_eq(sent(), is_cut ? "3" : i ? "" : "2"); /* those by the program are not seen here */
	}
}
END_TEST

/* That a header of UDP is whole says nothing of the TCP that is made of it. */
START_TEST(a_header_of_another_protocol_is_not_shown_by_its_ports)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	frame[17] = 39;
	FLOW(.match = "eth_type=0x0800,ip_proto=17", .apply = "set_field:6->ip_proto", .go_to = 1);
	FLOW(.table = 1, .match = "eth_type=0x0800,ip_proto=6", .apply = "set_field:80->tcp_dst", .go_to = 2);
	FLOW(.table = 2, .match = "eth_type=0x0800,ip_proto=6,tcp_dst=80", .apply = "output:2", .priority = 1);
	FLOW(.table = 2, .apply = "output:3");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "3");
	frame[17] = 40;
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "2");
}
END_TEST

/* Likewise of IP, and of ARP for other networks. */
START_TEST(a_header_that_contradicts_itself_has_no_new_address_for_later_tables)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	FLOW(.match = "eth_type=0x0800", .apply = "set_field:192.0.2.1->ip_dst", .go_to = 1);
	FLOW(.match = "eth_type=0x0806", .apply = "set_field:192.0.2.1->arp_tpa", .go_to = 1);
	FLOW(.table = 1, .match = "eth_type=0x0800,ip_dst=192.0.2.1", .apply = "output:2", .priority = 1);
	FLOW(.table = 1, .match = "eth_type=0x0806,arp_tpa=192.0.2.1", .apply = "output:2", .priority = 1);
	FLOW(.table = 1, .apply = "output:3");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "2");
	frame[14] = 0x55;
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "3");
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "3");
	memcpy(frame + 12, (uint8_t[]){0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1}, 10);
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "2");
	frame[15] = 6;
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "3");
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("all");
	Suite *suite = suite_create("ofbridge_rewrite");

	tcase_add_checked_fixture(t, open_lab, close_lab);
	tcase_add_test(t, a_ttl_that_runs_out_is_the_controllers_business);
	tcase_add_test(t, what_a_ttl_that_ends_does_not_come_to_does_not_count_it);
	tcase_add_test(t, a_ttl_that_ends_takes_nothing_back_from_rules_that_have_not_counted_it);
	tcase_add_test(t, a_ttl_that_ends_takes_its_own_bytes_back_from_no_other_frame);
	tcase_add_test(t, a_frame_counts_with_the_bytes_with_which_it_came);
	tcase_add_test(t, a_frame_that_the_program_leaves_to_the_daemon_is_rewritten_and_counted_once);
	tcase_add_test(t, a_rewritten_frame_may_be_bridged);
	tcase_add_test(t, a_field_that_is_not_there_is_not_there_for_later_tables);
	tcase_add_test(t, what_the_key_does_not_tell_is_not_known_to_later_tables);
	tcase_add_test(t, what_the_key_does_not_tell_is_found_by_the_program);
	tcase_add_test(t, a_header_that_is_cut_has_no_new_port_for_later_tables);
	tcase_add_test(t, a_header_of_another_protocol_is_not_shown_by_its_ports);
	tcase_add_test(t, a_header_that_contradicts_itself_has_no_new_address_for_later_tables);
	suite_add_tcase(suite, t);
	return run_suite(suite);
}
