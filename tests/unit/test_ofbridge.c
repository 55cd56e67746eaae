/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bridge under OpenFlow: what becomes of frames, what a controller hears and says, and that every frame is counted
 * once, by the cache or by the daemon (S1).
 */
#include "tests/unit/ofbridge_lab.h"
#include "dataplane/cable.h"
#include "tests/unit/suite.h"

/* ---- counting ---- */

/* The first comes up and is counted by the daemon, the others by the cache. */
START_TEST(a_rule_counts_each_frame_once_wherever_it_went)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	FLOW(.match = "eth_type=0x0800", .apply = "output:2", .priority = 5);
	lab_settle(&lab);
	for (int i = 0; i < 10; i++)
		arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "2");
	ck_assert_uint_eq(first_rule(0)->tally.packets, 10);
	ck_assert_uint_eq(first_rule(0)->tally.bytes, 10 * SIZE);
	ck_assert_uint_eq(tables_table(ofbridge_tables(bridge), 0)->matched.packets, 10);
	ck_assert_uint_eq(tables_table(ofbridge_tables(bridge), 0)->missed.packets, 0);
}
END_TEST

START_TEST(what_only_the_daemon_can_do_is_counted_by_it_alone)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	FLOW(.match = "eth_type=0x0800",
		.apply = "pop_pbb,pop_pbb,pop_pbb,pop_pbb,pop_pbb,pop_pbb,pop_pbb,pop_pbb,output:2");
	lab_settle(&lab);
	for (int i = 0; i < 10; i++)
		ck_assert(arrive(PORT_1, frame) == (i > 0));
	ck_assert_str_eq(sent(), "2 2 2 2 2 2 2 2 2 2");
	ck_assert_uint_eq(first_rule(0)->tally.packets, 10);
}
END_TEST

/* What is done to a frame that nobody gets need not be done. */
START_TEST(what_is_rewritten_and_then_dropped_is_dropped_in_the_program)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	FLOW(.match = "eth_type=0x0800", .apply = "set_field:5->ip_dscp", .go_to = 1, .table = 0);
	lab_settle(&lab);
	arrive(PORT_1, frame);
	ck_assert(arrive(PORT_1, frame));
	ck_assert_str_eq(steps_of_the_flow(frame), "drop:table_miss");
	ofbridge_refresh(bridge);
	ck_assert_uint_eq(tables_table(ofbridge_tables(bridge), 1)->missed.packets, 2);
}
END_TEST

START_TEST(a_table_without_a_rule_for_it_counts_the_frame_as_missed)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	for (int i = 0; i < 5; i++)
		arrive(PORT_1, frame);
	ofbridge_refresh(bridge);
	ck_assert_uint_eq(tables_table(ofbridge_tables(bridge), 0)->missed.packets, 5);
	ck_assert_uint_eq(drops_of(SW_DROP_TABLE_MISS), 1); /* the others were the program's */
	ck_assert_str_eq(sent(), "");
}
END_TEST

/* What a program run that began before counts late is in it too. */
START_TEST(a_removed_rule_is_told_of_with_its_final_count)
{
	uint8_t frame[SIZE];
	struct dp_memory_hit hit;
	struct sw_headers headers;
	struct sw_key key;

	make_frame(1, 2, frame);
	FLOW(.match = "eth_type=0x0800", .apply = "output:2", .flags = RULE_SEND_FLOW_REM, .cookie = 77);
	lab_settle(&lab);
	for (int i = 0; i < 10; i++)
		arrive(PORT_1, frame);
	sw_extract(frame, frame + SIZE, IFINDEX_OF + PORT_1, SW_KEY_WORDS, &key, &headers);
	ck_assert(dp_memory_lookup(lab.dp, 0, &key, SIZE, &hit));
	FLOW(.command = FLOW_DELETE);
	lab_settle(&lab);
	ck_assert(!dp_memory_lookup(lab.dp, 0, &key, SIZE, &hit)); /* C3: a barrier could be answered now */
	ck_assert_uint_eq(heard.n_removed, 0);
	dp_flow_stats(&lab.dp->memory, 0, hit.slot)->packets++; /* late, by a run that has found the slot before */
	dp_flow_stats(&lab.dp->memory, 0, hit.slot)->bytes += SIZE;
	while (dp_memory_end_grace(lab.dp))
		;
	ck_assert_uint_eq(heard.n_removed, 1);
	ck_assert_uint_eq(heard.removed_packets, 12);
	ck_assert_uint_eq(heard.removed_bytes, 12 * SIZE);
	ck_assert_uint_eq(heard.removed_cookie, 77);
	ck_assert_int_eq(heard.removed_end, RULE_DELETE);
}
END_TEST

static void add_packets(void *ctx, const struct cache_view *view)
{
	*(uint64_t *)ctx += view->packets;
}

/* Who reads a rule's count in the meantime takes nothing from that of the flow. */
START_TEST(a_flow_shows_what_its_last_slot_counted_late)
{
	uint8_t frame[SIZE];
	struct dp_memory_hit hit;
	struct sw_headers headers;
	struct sw_key key;
	uint64_t shown = 0;

	make_frame(1, 2, frame);
	FLOW(.apply = "output:2");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	sw_extract(frame, frame + SIZE, IFINDEX_OF + PORT_1, SW_KEY_WORDS, &key, &headers);
	ck_assert(dp_memory_lookup(lab.dp, 0, &key, SIZE, &hit));
	FLOW(.apply = "output:3");
	lab_settle(&lab);
	dp_flow_stats(&lab.dp->memory, 0, hit.slot)->packets++; /* by a run that has found the slot before */
	ck_assert_uint_eq(first_rule(0)->tally.packets, 3);
	lab_let_grace_pass(&lab);
	cache_each(lab.cache, lab.now_ns, add_packets, &shown);
	ck_assert_uint_eq(shown, 2);
	ck_assert_uint_eq(first_rule(0)->tally.packets, 3);
}
END_TEST

START_TEST(a_rule_that_no_flow_counts_for_is_told_of_at_once)
{
	FLOW(.apply = "output:2", .flags = RULE_SEND_FLOW_REM);
	FLOW(.command = FLOW_DELETE);
	lab_settle(&lab);
	ck_assert_uint_eq(heard.n_removed, 1);
	ck_assert_uint_eq(heard.removed_packets, 0);
}
END_TEST

START_TEST(a_rule_that_did_not_ask_is_not_told_of)
{
	FLOW(.apply = "output:2");
	FLOW(.command = FLOW_DELETE);
	lab_settle(&lab);
	ck_assert_uint_eq(heard.n_removed, 0);
}
END_TEST

/* Its idle time is that of the flows that count for it. */
START_TEST(a_rule_whose_flows_are_used_is_not_idle)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	FLOW(.apply = "output:2", .idle_s = 5, .flags = RULE_SEND_FLOW_REM);
	for (int second = 0; second < 10; second++) {
		arrive(PORT_1, frame);
		lab.now_ns += 1000000000ULL;
		lab_settle(&lab);
	}
	ck_assert_uint_eq(tables_count(ofbridge_tables(bridge)), 1);
	for (int second = 0; second < 7; second++) {
		lab.now_ns += 1000000000ULL;
		lab_settle(&lab);
	}
	while (dp_memory_end_grace(lab.dp))
		;
	ck_assert_uint_eq(tables_count(ofbridge_tables(bridge)), 0);
	ck_assert_uint_eq(heard.n_removed, 1);
	ck_assert_int_eq(heard.removed_end, RULE_IDLE_TIMEOUT);
	ck_assert_uint_eq(heard.removed_packets, 10);
}
END_TEST

/* ---- what a change leaves alone ---- */

START_TEST(only_flows_that_a_new_rule_concerns_are_asked)
{
	uint8_t frame[SIZE];
	uint64_t asked;

	FLOW(.match = "eth_dst=02:00:00:00:00:02", .apply = "output:2", .priority = 5);
	FLOW(.match = "eth_dst=02:00:00:00:00:03", .apply = "output:3", .priority = 5);
	lab_settle(&lab);
	for (uint8_t host = 2; host <= 3; host++) {
		make_frame(1, host, frame);
		arrive(PORT_1, frame);
		ck_assert(arrive(PORT_1, frame));
	}
	asked = cache_totals(lab.cache)->asked;
	FLOW(.match = "eth_dst=02:00:00:00:00:09", .apply = "output:4", .priority = 5);
	lab_settle(&lab);
	ck_assert_uint_eq(cache_totals(lab.cache)->asked, asked);
	FLOW(.match = "eth_dst=02:00:00:00:00:03", .apply = "output:4", .priority = 7);
	lab_settle(&lab);
	ck_assert_uint_eq(cache_totals(lab.cache)->asked, asked + 1);
	ck_assert_uint_eq(cache_count(lab.cache), 2);
	sent();
	make_frame(1, 3, frame);
	ck_assert(arrive(PORT_1, frame));
	FLOW(.command = FLOW_DELETE_STRICT, .match = "eth_dst=02:00:00:00:00:03", .priority = 7);
	lab_settle(&lab);
	ck_assert_uint_eq(cache_totals(lab.cache)->asked, asked + 2);
}
END_TEST

/* Among many, a flow is found by the key that it must have. */
START_TEST(a_new_rule_finds_the_flow_that_it_concerns_among_many)
{
	uint8_t frame[SIZE];
	uint64_t asked;

	for (int host = 0; host < 200; host++) {
		char match[64];

		sprintf(match, "eth_dst=02:00:00:00:00:%02x", host);
		FLOW(.match = match, .apply = "output:2", .priority = 5);
	}
	lab_settle(&lab);
	for (uint8_t host = 0; host < 200; host++) {
		make_frame(1, host, frame);
		arrive(PORT_1, frame);
		arrive(3, frame);
	}
	ck_assert_uint_eq(cache_count(lab.cache), 400);
	asked = cache_totals(lab.cache)->asked;
	FLOW(.match = "eth_dst=02:00:00:00:00:07,eth_src=02:00:00:00:00:01", .apply = "output:4", .priority = 7);
	lab_settle(&lab);
	ck_assert_uint_eq(cache_totals(lab.cache)->asked, asked + 2);
	FLOW(.match = "eth_dst=02:00:00:00:00:07", .apply = "output:4", .priority = 9);
	lab_settle(&lab);
	sent();
	make_frame(1, 7, frame);
	arrive(PORT_1, frame);
	arrive(3, frame);
	cache_flush(lab.cache);
	sent();
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "4");
	FLOW(.match = "in_port=3", .apply = "output:1", .priority = 11); /* of all that came in there */
	asked = cache_totals(lab.cache)->asked;
	lab_settle(&lab);
	ck_assert_uint_eq(cache_totals(lab.cache)->asked, asked + cache_count(lab.cache));
}
END_TEST

/* ---- the daemon's part ---- */

START_TEST(the_controller_gets_the_frame_with_where_it_came_from)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	FLOW(.go_to = 1, .metadata = 5, .metadata_mask = 0xff);
	FLOW(.table = 1, .apply = "CONTROLLER:100", .cookie = 9, .priority = 1, .match = "eth_type=0x0800");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	ck_assert_uint_eq(heard.n_packet_ins, 1);
	ck_assert_uint_eq(heard.in.table_id, 1);
	ck_assert_int_eq(heard.in.reason, PACKET_IN_ACTION);
	ck_assert_uint_eq(heard.in.cookie, 9);
	ck_assert_uint_eq(heard.in.max_len, 100);
	ck_assert_uint_eq(heard.in.flow.x.f.in_ifindex, PORT_1);
	ck_assert_uint_eq(be64toh(heard.in.flow.x.metadata_be), 5);
	ck_assert_uint_eq(heard.in.size, SIZE);
	ck_assert_mem_eq(heard.frame, frame, SIZE);
	ck_assert_uint_eq(drops_of(SW_DROP_NO_CONTROLLER), 0);
	heard.deaf = true;
	arrive(PORT_1, frame);
	ck_assert_uint_eq(drops_of(SW_DROP_NO_CONTROLLER), 1);
}
END_TEST

/* The first frame comes up whole, of the second a copy does; group 1 has two buckets, 2 one of two. */
static const struct telling {
	const char *actions, *steps;
	uint32_t n_told;
} tellings[] = {
	{"output:2,CONTROLLER", "controller,output:p2", 1},
	{"CONTROLLER:20,output:2", "controller,output:p2", 1},
	{"output:2,output:3,CONTROLLER", "controller,broadcast:p2+p3", 1},
	{"set_field:02:00:00:00:00:77->eth_dst,CONTROLLER,output:2",
		"controller,rewrite:[set_field:02:00:00:00:00:77->eth_dst],output:p2", 1},
	{"CONTROLLER,dec_ttl,CONTROLLER:9,output:2", "controller,rewrite:[dec_ttl],output:p2", 2},
	{"output:2,push_vlan:0x8100,set_field:7->vlan_vid,CONTROLLER", "controller,output:p2", 1},
	{"group:1,output:3", "controller,broadcast:p2+p3", 1},
	{"group:2,CONTROLLER", "failover:2[*controller,output:p2|controller,output:p3|upcall:branch]", 1},
	{"NORMAL,CONTROLLER:40", "controller,normal,broadcast:p1+p2+p3+p4", 1},
	{"CONTROLLER,output:1", "upcall:action", 1},
	{"CONTROLLER", "upcall:action", 1},
	{"output:2,dec_ttl,CONTROLLER", "upcall:action", 1},
	{"push_mpls:0x8847,dec_mpls_ttl,output:2,CONTROLLER", "upcall:action", 1},
};

START_TEST(of_a_copy_a_controller_hears_what_it_would_of_the_frame)
{
	const struct telling *t = &tellings[_i];
	uint8_t frame[SIZE];
	uint64_t whole;

	make_frame(1, 2, frame);
	group_mod(0, 1, GROUP_TYPE_ALL, "set_field:02:00:00:00:00:66->eth_dst,set_field:7->tunnel_id,CONTROLLER",
		"output:2");
	group_mod(0, 2, GROUP_TYPE_FF, "output:2", "output:3");
	FLOW(.go_to = 1, .metadata = 5, .metadata_mask = 0xff);
	FLOW(.table = 1, .apply = t->actions, .cookie = 9, .priority = 1);
	lab_settle(&lab);
	arrive(PORT_1, frame);
	ck_assert_uint_eq(heard.n_packet_ins, t->n_told);
	whole = heard.digest;
	ck_assert_str_eq(steps_of_the_flow(frame), t->steps);
	heard.digest = 0;
	dp_memory_forget_sent(lab.dp);
	arrive(PORT_1, frame);
	ck_assert_uint_eq(heard.n_packet_ins, 2 * t->n_told);
	ck_assert_msg(heard.digest == whole, "'%s'", t->actions);
	if (strncmp(t->steps, "upcall", 6) != 0)
		ck_assert_str_eq(sent(), "");
	ofbridge_refresh(bridge);
	ck_assert_uint_eq(first_rule(1)->tally.packets, 2);
	ck_assert_uint_eq(
		lab.dp->memory.tell_stats[(lab.dp->memory.config->n_rows - 1) * SW_MAX_PORTS + PORT_1].stale, 0);
}
END_TEST

START_TEST(a_frame_that_comes_up_nevertheless_is_told_of_by_itself)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	FLOW(.apply = "output:2,CONTROLLER");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "2");
	dp_memory_inject(lab.dp, PORT_1, frame, SIZE, SW_UPCALL_FRAGS);
	run_up();
	ck_assert_str_eq(sent(), "2");
	ck_assert_uint_eq(heard.n_packet_ins, 2);
}
END_TEST

/* Assured forwarding, class 1: 10 becomes 12. */
START_TEST(a_copy_shows_what_its_meter_did)
{
	const struct meter_band band = {.type = BAND_DSCP_REMARK, .rate = 1000, .burst = 1000, .prec_level = 1};
	const struct meter_mod mod = {
		.command = METER_ADD, .flags = METER_PKTPS | METER_BURST, .id = 1, .n_bands = 1, .bands = &band};
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	frame[15] = 10 << 2;
	ck_assert_int_eq(ofbridge_meter_mod(bridge, &mod), OF_OK);
	FLOW(.meter = 1, .apply = "output:2,CONTROLLER");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	ck_assert_uint_eq(heard.frame[15], 10 << 2);
	ck_assert_str_eq(steps_of_the_flow(frame), "meter:1,controller,output:p2");
	dp_memory_tell(lab.dp, PORT_1, frame, SIZE, 1);
	run_up();
	ck_assert_uint_eq(heard.n_packet_ins, 2);
	ck_assert_uint_eq(heard.frame[15], 12 << 2);
}
END_TEST

START_TEST(a_copy_of_which_no_rule_says_anything_any_more_is_counted)
{
	struct port_counters counters;
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	FLOW(.apply = "output:2,CONTROLLER");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	FLOW(.apply = "output:2");
	lab_settle(&lab);
	sent();
	dp_memory_tell(lab.dp, PORT_1, frame, SIZE, 0);
	run_up();
	ck_assert_uint_eq(heard.n_packet_ins, 1);
	ck_assert_str_eq(sent(), "");
	counters_read_port(&lab.dp->memory, PORT_1, &counters);
	ck_assert_uint_eq(counters.told, 1);
	ck_assert_uint_eq(counters.untold_stale, 1);
}
END_TEST

START_TEST(a_table_miss_rule_is_told_apart)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	FLOW(.apply = "CONTROLLER");
	arrive(PORT_1, frame);
	ck_assert_int_eq(heard.in.reason, PACKET_IN_NO_MATCH);
}
END_TEST

/* ---- packet-outs ---- */

static enum of_err packet_out(uint32_t in_port, const char *text, const uint8_t frame[SIZE])
{
	struct action list[16];
	struct actions actions = read_actions(text, list);
	enum of_err error = ofbridge_packet_out(bridge, in_port, &actions, frame, SIZE);

	lab.dp->ops->flush(lab.dp);
	return error;
}

START_TEST(a_packet_out_does_as_its_actions_say)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	ck_assert_int_eq(packet_out(OF_PORT_CONTROLLER, "output:2,output:3", frame), OF_OK);
	ck_assert_str_eq(sent(), "2 3");
	ck_assert_int_eq(packet_out(OF_PORT_CONTROLLER, "ALL", frame), OF_OK);
	ck_assert_str_eq(sent(), "1 2 3 4");
	ck_assert_int_eq(packet_out(2, "FLOOD", frame), OF_OK);
	ck_assert_str_eq(sent(), "1 3 4");
	ck_assert_int_eq(packet_out(2, "IN_PORT", frame), OF_OK);
	ck_assert_str_eq(sent(), "2");
	FLOW(.match = "in_port=2", .apply = "output:4");
	ck_assert_int_eq(packet_out(2, "TABLE", frame), OF_OK);
	ck_assert_str_eq(sent(), "4");
	ck_assert_uint_eq(first_rule(0)->tally.packets, 1);
	ck_assert_int_eq(packet_out(9, "output:2", frame), OF_ERR_BAD_REQUEST_BAD_PORT);
	ck_assert_int_eq(packet_out(OF_PORT_CONTROLLER, "group:5", frame), OF_ERR_BAD_ACTION_BAD_OUT_GROUP);
}
END_TEST

/* As a bridge would: where the address is, else to all; nothing is learned. */
START_TEST(a_packet_out_of_the_controller_may_be_bridged)
{
	uint8_t frame[SIZE], tagged[SIZE];

	FLOW(.apply = "NORMAL");
	make_frame(3, 1, frame);
	arrive(3, frame); /* now host 3 is behind port 3 */
	sent();
	make_frame(1, 9, frame);
	ck_assert_int_eq(packet_out(OF_PORT_CONTROLLER, "NORMAL", frame), OF_OK);
	ck_assert_str_eq(sent(), "1 2 3 4");
	ck_assert_uint_eq(fdb_count(lab.fdb, 1), 1);
	make_frame(1, 3, frame);
	ck_assert_int_eq(packet_out(OF_PORT_ANY, "NORMAL", frame), OF_OK);
	ck_assert_str_eq(sent(), "3");
	memcpy(tagged, frame, 12);
	memcpy(tagged + 12, (uint8_t[4]){0x81, 0x00, 0x00, 10}, 4);
	memcpy(tagged + 16, frame + 12, SIZE - 16);
	lab_port_vlan(&lab, 2, &(struct vlan_config){.mode = VLAN_ACCESS, .vid = 10});
	lab_port_vlan(&lab, 4, &(struct vlan_config){.mode = VLAN_ACCESS, .vid = 20});
	lab_settle(&lab);
	ck_assert_int_eq(packet_out(OF_PORT_CONTROLLER, "NORMAL", tagged), OF_OK);
	ck_assert_uint_eq(dp_memory_n_sent(lab.dp), 3);
	ck_assert_uint_eq(dp_memory_sent(lab.dp, 1).size, SIZE - 4); /* an access port's, without its tag */
	ck_assert_str_eq(sent(), "1 2 3");
	ck_assert_int_eq(packet_out(OF_PORT_CONTROLLER, "NORMAL", frame), OF_OK);
	ck_assert_str_eq(sent(), "3");
	ck_assert_uint_eq(drops_of(SW_DROP_NO_PORT), 0);
}
END_TEST

/* Its device is gone for the moment; its number stands. */
START_TEST(a_packet_out_as_by_a_port_without_a_device_is_bridged_too)
{
	const struct port_state gone = {0};
	uint8_t frame[SIZE];

	make_frame(1, 9, frame);
	lab_port_is(&lab, 2, &gone);
	lab_settle(&lab);
	ck_assert_int_eq(packet_out(2, "NORMAL", frame), OF_OK);
	ck_assert_str_eq(sent(), "1 3 4");
	ck_assert_uint_eq(fdb_count(lab.fdb, 1), 0);
	FLOW(.apply = "NORMAL");
	ck_assert_int_eq(packet_out(2, "TABLE", frame), OF_OK);
	ck_assert_str_eq(sent(), "1 3 4");
}
END_TEST

START_TEST(a_packet_out_takes_its_tunnel_into_the_tables)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	FLOW(.match = "tunnel_id=7", .apply = "output:4", .priority = 1);
	ck_assert_int_eq(packet_out(2, "set_field:7->tunnel_id,TABLE", frame), OF_OK);
	ck_assert_str_eq(sent(), "4");
}
END_TEST

/* As long as the longest that comes up, which is longer than an IP datagram. */
START_TEST(the_longest_frame_keeps_its_end)
{
	struct action list[16];
	const struct actions actions = read_actions("push_vlan:0x8100,CONTROLLER", list);
	uint8_t *frame = calloc(1, 65600);

	frame[12] = 0x88;
	frame[13] = 0xb5;
	ck_assert_int_eq(ofbridge_packet_out(bridge, OF_PORT_CONTROLLER, &actions, frame, 65600), OF_OK);
	ck_assert_uint_eq(heard.in.size, 65604);
	free(frame);
}
END_TEST

/* ---- ports ---- */

START_TEST(a_port_that_changes_is_told_of)
{
	struct port_state down = lab.states[2];

	down.up = false;
	lab_port_is(&lab, 2, &down);
	lab_settle(&lab);
	ck_assert_uint_eq(heard.n_ports, 1);
	ck_assert_int_eq(heard.change, PORT_CHANGE_MODIFY);
	ck_assert_uint_eq(heard.desc.number, 2);
	ck_assert_uint_eq(heard.desc.state, OF_PORT_STATE_LINK_DOWN);
	down.features = OF_PORT_FEATURE_10GB_FD | OF_PORT_FEATURE_FIBER;
	down.mbps = 10000;
	lab_port_is(&lab, 2, &down);
	lab_settle(&lab);
	ck_assert_uint_eq(heard.n_ports, 2);
	ck_assert_uint_eq(heard.desc.features, OF_PORT_FEATURE_10GB_FD | OF_PORT_FEATURE_FIBER);
	ck_assert_uint_eq(heard.desc.curr_kbps, 10000000);
	down.mbps = 5000000;
	lab_port_is(&lab, 2, &down);
	lab_settle(&lab);
	ck_assert_uint_eq(heard.desc.curr_kbps, UINT32_MAX); /* more than can be said */
	pipeline_port_remove(lab.pl, 4);
	lab_settle(&lab);
	ck_assert_int_eq(heard.change, PORT_CHANGE_DELETE);
	ck_assert_uint_eq(heard.desc.number, 4);
}
END_TEST

/* A controller that goes by numbers would else take what is deleted for what was just added. */
START_TEST(of_ports_that_exchange_numbers_the_old_ones_are_told_of_first)
{
	pipeline_port_swap_numbers(lab.pl, 2, 3);
	ck_assert_uint_eq(pipeline_port_by_number(lab.pl, 1, 2)->id, 3);
	ck_assert_uint_eq(pipeline_port_by_number(lab.pl, 1, 3)->id, 2);
	lab_settle(&lab);
	ck_assert_str_eq(heard.changes, "-2 -3 +3 +2 ");
}
END_TEST

START_TEST(a_port_does_as_a_port_mod_says)
{
	static const uint8_t mac[6] = {0};
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	FLOW(.apply = "ALL");
	ck_assert_int_eq(ofbridge_port_mod(bridge, 2, mac, OF_PORT_CONFIG_NO_FWD, OF_PORT_CONFIG_NO_FWD), OF_OK);
	lab_settle(&lab);
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "3 4");
	ck_assert_int_eq(ofbridge_port_mod(bridge, 1, mac, OF_PORT_CONFIG_NO_RECV, OF_PORT_CONFIG_NO_RECV), OF_OK);
	lab_settle(&lab);
	cache_flush(lab.cache);
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "");
	ck_assert_uint_eq(drops_of(SW_DROP_PORT_CONFIG), 1);
	ck_assert_int_eq(ofbridge_port_mod(bridge, 3, mac, OF_PORT_CONFIG_DOWN, OF_PORT_CONFIG_DOWN), OF_OK);
	lab_settle(&lab);
	arrive(4, frame);
	ck_assert_str_eq(sent(), "1");
	ck_assert_int_eq(ofbridge_port_mod(bridge, 77, mac, 0, 0), OF_ERR_PORT_MOD_BAD_PORT);
	ck_assert_int_eq(ofbridge_port_mod(bridge, 1, (uint8_t[6]){1}, 0, 0), OF_ERR_PORT_MOD_BAD_HW_ADDR);
	ck_assert_int_eq(ofbridge_port_mod(bridge, 1, mac, 2, 2), OF_ERR_PORT_MOD_BAD_CONFIG);
}
END_TEST

/* What a port that is down for OpenFlow receives is not OpenFlow's (OF 1.3.5 §7.2.1). */
START_TEST(a_port_that_was_set_down_takes_nothing_in)
{
	static const uint8_t mac[6] = {0};
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	FLOW(.apply = "ALL");
	ck_assert_int_eq(ofbridge_port_mod(bridge, 1, mac, OF_PORT_CONFIG_DOWN, OF_PORT_CONFIG_DOWN), OF_OK);
	lab_settle(&lab);
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "");
	ck_assert_uint_eq(drops_of(SW_DROP_PORT_CONFIG), 1);
	ck_assert_int_eq(ofbridge_port_mod(bridge, 1, mac, 0, OF_PORT_CONFIG_DOWN), OF_OK);
	lab_settle(&lab);
	cache_flush(lab.cache);
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "2 3 4");
}
END_TEST

/* Who moved behind another port meanwhile must not be looked for behind this one. */
START_TEST(a_port_that_was_set_down_forgets_who_is_behind_it)
{
	static const uint8_t mac[6] = {0};
	uint8_t frame[SIZE];

	FLOW(.apply = "NORMAL");
	make_frame(1, 2, frame);
	arrive(PORT_1, frame);
	make_frame(2, 1, frame);
	arrive(2, frame);
	ck_assert_uint_eq(fdb_count(lab.fdb, 0), 2);
	ck_assert_int_eq(ofbridge_port_mod(bridge, 2, mac, OF_PORT_CONFIG_NO_FWD, OF_PORT_CONFIG_NO_FWD), OF_OK);
	ck_assert_uint_eq(fdb_count(lab.fdb, 0), 2);
	ck_assert_int_eq(ofbridge_port_mod(bridge, 1, mac, OF_PORT_CONFIG_DOWN, OF_PORT_CONFIG_DOWN), OF_OK);
	ck_assert_uint_eq(fdb_count(lab.fdb, 0), 1);
	ck_assert_ptr_null(fdb_lookup(lab.fdb, &(struct fdb_key){1, 0, {2, 0, 0, 0, 0, 1}}));
}
END_TEST

START_TEST(a_table_mod_that_is_refused_changes_nothing)
{
	ck_assert_int_eq(ofbridge_table_mod(bridge, TABLE_ALL, 2), OF_OK);
	ck_assert_int_eq(ofbridge_table_mod(bridge, 5, 4), OF_ERR_TABLE_MOD_BAD_CONFIG);
	ck_assert_uint_eq(tables_table(ofbridge_tables(bridge), 5)->config, 2);
}
END_TEST

/* Behind the last number that there is come those that are free. */
START_TEST(a_port_gets_a_number_that_is_a_ports)
{
	uint16_t given;

	ck_assert_int_eq(pipeline_port_number(lab.pl, 4, OF_PORT_MAX - 1, NULL), 0);
	for (uint16_t id = 5; id < 20; id++) {
		char name[8];

		sprintf(name, "q%u", id);
		ck_assert_int_eq(pipeline_port_add(lab.pl, 1, name, id, &given, NULL), 0);
		ck_assert_uint_lt(pipeline_port(lab.pl, id)->of_port, OF_PORT_MAX);
		ck_assert_ptr_eq(pipeline_port_by_number(lab.pl, 1, pipeline_port(lab.pl, id)->of_port),
			pipeline_port(lab.pl, id));
	}
	ck_assert_uint_eq(pipeline_port(lab.pl, 5)->of_port, 4);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("all");
	Suite *suite = suite_create("ofbridge");

	tcase_add_checked_fixture(t, open_lab, close_lab);
	tcase_add_test(t, a_rule_counts_each_frame_once_wherever_it_went);
	tcase_add_test(t, what_only_the_daemon_can_do_is_counted_by_it_alone);
	tcase_add_test(t, what_is_rewritten_and_then_dropped_is_dropped_in_the_program);
	tcase_add_test(t, a_table_without_a_rule_for_it_counts_the_frame_as_missed);
	tcase_add_test(t, a_removed_rule_is_told_of_with_its_final_count);
	tcase_add_test(t, a_flow_shows_what_its_last_slot_counted_late);
	tcase_add_test(t, a_rule_that_no_flow_counts_for_is_told_of_at_once);
	tcase_add_test(t, a_rule_that_did_not_ask_is_not_told_of);
	tcase_add_test(t, a_rule_whose_flows_are_used_is_not_idle);
	tcase_add_test(t, only_flows_that_a_new_rule_concerns_are_asked);
	tcase_add_test(t, a_new_rule_finds_the_flow_that_it_concerns_among_many);
	tcase_add_test(t, the_controller_gets_the_frame_with_where_it_came_from);
	tcase_add_loop_test(
		t, of_a_copy_a_controller_hears_what_it_would_of_the_frame, 0, sizeof(tellings) / sizeof(tellings[0]));
	tcase_add_test(t, a_frame_that_comes_up_nevertheless_is_told_of_by_itself);
	tcase_add_test(t, a_copy_shows_what_its_meter_did);
	tcase_add_test(t, a_copy_of_which_no_rule_says_anything_any_more_is_counted);
	tcase_add_test(t, a_table_miss_rule_is_told_apart);
	tcase_add_test(t, a_packet_out_does_as_its_actions_say);
	tcase_add_test(t, a_packet_out_of_the_controller_may_be_bridged);
	tcase_add_test(t, a_packet_out_as_by_a_port_without_a_device_is_bridged_too);
	tcase_add_test(t, a_packet_out_takes_its_tunnel_into_the_tables);
	tcase_add_test(t, the_longest_frame_keeps_its_end);
	tcase_add_test(t, a_port_that_changes_is_told_of);
	tcase_add_test(t, of_ports_that_exchange_numbers_the_old_ones_are_told_of_first);
	tcase_add_test(t, a_port_does_as_a_port_mod_says);
	tcase_add_test(t, a_port_that_was_set_down_takes_nothing_in);
	tcase_add_test(t, a_port_that_was_set_down_forgets_who_is_behind_it);
	tcase_add_test(t, a_table_mod_that_is_refused_changes_nothing);
	tcase_add_test(t, a_port_gets_a_number_that_is_a_ports);
	suite_add_tcase(suite, t);
	return run_suite(suite);
}
