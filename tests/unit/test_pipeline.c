/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * translate() and normal_carry_out(): a table of scenes, a sentence each; then rules, actions, traces, bridges, ports.
 */
#include "dataplane/action.h"
#include "dataplane/complaint.h"
#include "dataplane/normal.h"
#include "dataplane/pipeline.h"

#include "tests/unit/pipeline_lab.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- scenes ---- */

#define FORWARD_RESERVED "+" /* in front of the addresses: the bridge's setting */

static const struct scene {
	const char *sentence;
	const char *ports[5]; /* p1 .. p5 of bridge 1 */
	const char *addresses;
	const char *frame;
	const char *answer;
} scenes[] = {
	/* Learning and forwarding. */
	{"an unknown address goes to all others and its sender is learned", {"open", "open", "open"}, "",
		IN("p1") A TO_B, "flood p2 p3; learn 0a/0"},
	{"a known address goes to its port alone", {"open", "open", "open"}, "0b/0@2", IN("p1") A TO_B,
		"p2; learn 0a/0"},
	{"a sender that is known there is not learned again", {"open", "open", "open"}, "0a/0@1 0b/0@2",
		IN("p1") A TO_B, "p2; known 0a/0"},
	{"a sender that turns up on another port is to be moved", {"open", "open", "open"}, "0a/0@3 0b/0@2",
		IN("p1") A TO_B, "p2; learn 0a/0"},
	{"a sender with a static entry is not learned, wherever it is", {"open", "open", "open"}, "0a/0@3! 0b/0@2",
		IN("p1") A TO_B, "p2"},
	{"a static entry is forwarded to like a learned one", {"open", "open", "open"}, "0b/0@3!", IN("p1") A TO_B,
		"p3; learn 0a/0"},
	{"a broadcast goes to all others", {"open", "open", "open"}, "", IN("p2") A TO_ALL, "flood p1 p3; learn 0a/0"},
	{"a multicast goes to all others", {"open", "open", "open"}, "", IN("p3") A MULTICAST,
		"flood p1 p2; learn 0a/0"},
	{"a group address is not looked up", {"open", "open", "open"}, "01/0@2", IN("p1") A MULTICAST,
		"flood p2 p3; learn 0a/0"},
	{"a frame does not go back to where it came from", {"open", "open"}, "0b/0@1", IN("p1") A TO_B,
		"drop same_port; learn 0a/0"},
	{"a frame to its own sender is dropped once that is known", {"open", "open"}, "0a/0@1", IN("p1") A TO_A,
		"drop same_port; known 0a/0"},
	{"a lonely port's flood has nowhere to go", {"open"}, "", IN("p1") A TO_B, "drop no_output; learn 0a/0"},
	{"a port that is down is not flooded to", {"open", "-open", "open"}, "", IN("p1") A TO_B,
		"flood p3; learn 0a/0"},
	{"with all others down a flood has nowhere to go", {"open", "-open"}, "", IN("p1") A TO_B,
		"drop no_output; learn 0a/0"},
	{"a known port that is down drops", {"open", "-open", "open"}, "0b/0@2", IN("p1") A TO_B,
		"drop port_down; learn 0a/0"},
	{"an address on a port that is gone drops", {"open", "open"}, "0b/0@77", IN("p1") A TO_B,
		"drop port_down; learn 0a/0"},
	{"a port that is down does not learn", {"-open", "open"}, "0b/0@2", IN("p1") A TO_B, "p2"},

	/* Sources and reserved addresses. */
	{"a group address is no sender", {"open", "open"}, "", IN("p1") "eth_src=03:00:00:00:00:0a" TO_B,
		"drop bad_source"},
	{"zero is no sender", {"open", "open"}, "", IN("p1") "eth_src=00:00:00:00:00:00" TO_B, "drop bad_source"},
	{"spanning tree's address stays here", {"open", "open"}, "", IN("p1") A ",eth_dst=01:80:c2:00:00:00",
		"drop reserved_mac"},
	{"the last reserved address stays here", {"open", "open"}, "", IN("p1") A ",eth_dst=01:80:c2:00:00:0f",
		"drop reserved_mac"},
	{"the address after the reserved ones is a multicast", {"open", "open"}, "",
		IN("p1") A ",eth_dst=01:80:c2:00:00:10", "flood p2; learn 0a/0"},
	{"an address that looks reserved is not", {"open", "open"}, "", IN("p1") A ",eth_dst=01:80:c2:00:01:00",
		"flood p2; learn 0a/0"},
	{"a bridge forwards reserved addresses when asked to", {"open", "open"}, FORWARD_RESERVED,
		IN("p1") A ",eth_dst=01:80:c2:00:00:0e", "flood p2; learn 0a/0"},

	{"a group address that sends to a reserved one is no sender first", {"open", "open"}, "",
		IN("p1") "eth_src=03:00:00:00:00:0a,eth_dst=01:80:c2:00:00:00", "drop bad_source"},
	{"a reserved address does not refresh its sender", {"open", "open"}, "0a/0@1",
		IN("p1") A ",eth_dst=01:80:c2:00:00:00", "drop reserved_mac"},
	{"a VLAN is refused before its sender is looked at", {"access 10", "access 10"}, "",
		IN("p1") "eth_src=03:00:00:00:00:0a" TO_B ",vlan_vid=10", "drop vlan_denied"},
	{"a VLAN is refused before a reserved address is", {"access 10", "access 10"}, "",
		IN("p1") A ",eth_dst=01:80:c2:00:00:00,vlan_vid=10", "drop vlan_denied"},

	/* Access ports. */
	{"an access port's frame stays in its VLAN", {"access 10", "access 10", "access 20", "access 10"}, "",
		IN("p1") A TO_B, "flood p2 p4; learn 0a/10"},
	{"an access port refuses a tag", {"access 10", "access 10"}, "", IN("p1") A TO_B ",vlan_vid=10",
		"drop vlan_denied"},
	{"a priority tag on an access port is as good as none, and is taken off", {"access 10", "access 10"}, "",
		IN("p1") A TO_B ",vlan_vid=0", "flood p2/untag; learn 0a/10"},
	{"an address is known in its VLAN only", {"access 10", "access 10", "access 10"}, "0b/20@2", IN("p1") A TO_B,
		"flood p2 p3; learn 0a/10"},
	{"VLANs learn the same address apart", {"access 10", "access 10", "access 20", "access 20"}, "0b/10@2 0b/20@4",
		IN("p3") A TO_B, "p4; learn 0a/20"},
	{"a VLAN with no other member has nowhere to flood to", {"access 10", "access 20"}, "", IN("p1") A TO_B,
		"drop no_output; learn 0a/10"},
	{"a known port that left the VLAN drops", {"access 10", "access 20", "access 10"}, "0b/10@2", IN("p1") A TO_B,
		"drop no_output; learn 0a/10"},

	/* Trunks. */
	{"from an access port to a trunk a tag is put on", {"access 10", "trunk 10,20"}, "0b/10@2", IN("p1") A TO_B,
		"p2/tag; learn 0a/10"},
	{"from a trunk to an access port the tag is taken off", {"access 10", "trunk 10,20"}, "0b/10@1",
		IN("p2") A TO_B ",vlan_vid=10", "p1/untag; learn 0a/10"},
	{"from trunk to trunk the tag stays", {"trunk 10,20", "trunk 10"}, "0b/10@2", IN("p1") A TO_B ",vlan_vid=10",
		"p2; learn 0a/10"},
	{"a trunk refuses a VLAN that is not allowed", {"trunk 10,20", "trunk all"}, "", IN("p1") A TO_B ",vlan_vid=30",
		"drop vlan_denied"},
	{"a trunk without native VLAN refuses untagged frames", {"trunk 10,20", "trunk all"}, "", IN("p1") A TO_B,
		"drop vlan_denied"},
	{"a trunk's untagged frames are its native VLAN's", {"trunk 10,20,30 native 1", "access 1", "trunk 1,10"}, "",
		IN("p1") A TO_B, "flood p2 p3/tag; learn 0a/1"},
	{"a trunk takes its native VLAN tagged too", {"trunk 10 native 1", "access 1", "trunk 1,10"}, "",
		IN("p1") A TO_B ",vlan_vid=1", "flood p2/untag p3; learn 0a/1"},
	{"a native VLAN leaves untagged", {"trunk 10,20", "trunk 10 native 10"}, "0b/10@2",
		IN("p1") A TO_B ",vlan_vid=10", "p2/untag; learn 0a/10"},
	{"a native VLAN leaves tagged where it says so", {"access 10", "trunk 20 native 10 tagged"}, "0b/10@2",
		IN("p1") A TO_B, "p2/tag; learn 0a/10"},
	{"from native to native nothing is rewritten", {"trunk all native 10", "trunk all native 10"}, "0b/10@2",
		IN("p1") A TO_B, "p2; learn 0a/10"},
	{"from native to another native the tag is put on", {"trunk all native 10", "trunk all native 20"}, "0b/10@2",
		IN("p1") A TO_B, "p2/tag; learn 0a/10"},
	{"a priority tag on a trunk gets the native VLAN's VID", {"trunk all native 10", "trunk all"}, "0b/10@2",
		IN("p1") A TO_B ",vlan_vid=0", "p2/tag; learn 0a/10"},
	{"a flood of a VLAN leaves each member in its own form",
		{"access 10", "trunk 10,20", "access 20", "trunk 20", "trunk 20 native 10"}, "", IN("p1") A TO_ALL,
		"flood p2/tag p5; learn 0a/10"},
	{"the reserved VID is nobody's", {"trunk all", "open"}, "", IN("p2") A TO_B ",vlan_vid=4095",
		"drop vlan_denied"},

	/* Open ports beside others. */
	{"an open port passes tags as they are", {"open", "open"}, "", IN("p1") A TO_B ",vlan_vid=10",
		"flood p2; learn 0a/10"},
	{"an open port's untagged frames reach open ports only", {"open", "open", "access 10", "trunk all native 1"},
		"", IN("p1") A TO_B, "flood p2; learn 0a/0"},
	{"a priority tag between open ports stays as it came", {"open", "open"}, "0b/0@2",
		IN("p1") A TO_B ",vlan_vid=0", "p2; learn 0a/0"},
	{"an access port's frame leaves an open port tagged", {"access 10", "open"}, "0b/10@2", IN("p1") A TO_B,
		"p2/tag; learn 0a/10"},
	{"an open port's tagged frame leaves an access port untagged", {"access 10", "open"}, "0b/10@1",
		IN("p2") A TO_B ",vlan_vid=10", "p1/untag; learn 0a/10"},
	{"an 802.1ad frame is one without a tag", {"access 10", "access 10"}, "0b/10@2",
		IN("p1") A TO_B ",eth_type=0x88a8", "p2; learn 0a/10"},
	{"the kind of payload does not matter", {"open", "open"}, "0b/0@2", IN("p1") A TO_B ",eth_type=0x0000",
		"p2; learn 0a/0"},
};

#define N_SCENES (int)(sizeof(scenes) / sizeof(scenes[0]))

static void set_scene(const struct scene *scene, struct bench *bench)
{
	open_bench(bench);
	ck_assert_uint_eq(add_bridge(bench, "br0"), 1);
	add_ports(bench, 1, scene->ports, 5);
	pipeline_bridge_set(bench->pl, 1, 300, 100, *scene->addresses == *FORWARD_RESERVED);
	add_addresses(bench, scene->addresses + strspn(scene->addresses, FORWARD_RESERVED));
	/* Another bridge with the same addresses: nothing of it may show. */
	ck_assert_uint_eq(add_bridge(bench, "br1"), 2);
	add_port(bench, 2, "q1", "open");
	fdb_learn(bench->fdb, &(struct fdb_key){2, 0, {2, 0, 0, 0, 0, 0x0b}}, 1, S);
}

START_TEST(a_bridge_does_what_the_sentence_says)
{
	const struct scene *scene = &scenes[_i];
	struct bench bench;
	struct xlate answer;
	struct sw_key key;

	set_scene(scene, &bench);
	key = key_of(&bench, scene->frame);
	ask(&bench, &key, &answer);
	ck_assert_msg(!strcmp(in_words(&bench, &answer), scene->answer), "%s: got '%s', expected '%s'", scene->sentence,
		in_words(&bench, &answer), scene->answer);
	ck_assert_uint_eq(answer.bridge, 1);
	ck_assert(answer.cacheable);
	close_bench(&bench);
}
END_TEST

/* Masks cost each frame a lookup, and addresses in one cost a flow for each pair of them. */
START_TEST(all_answers_of_normal_consult_the_port_and_the_vlan_and_nothing_else)
{
	struct sw_key expected = {0};

	key_look(&expected, FIELD_IN_PORT);
	key_look(&expected, FIELD_VLAN_VID);
	for (int i = 0; i < N_SCENES; i++) {
		struct bench bench;
		struct xlate answer;
		struct sw_key key;

		set_scene(&scenes[i], &bench);
		key = key_of(&bench, scenes[i].frame);
		translate(bench.pl, &key, NULL, &answer);
		ck_assert_msg(key_equal(&answer.mask, &expected), "%s", scenes[i].sentence);
		normal_carry_out(bench.pl, &key, NULL, &answer);
		ck_assert_msg(key_equal(&answer.mask, &expected), "%s, carried out", scenes[i].sentence);
		close_bench(&bench);
	}
}
END_TEST

/* What translate() itself says, which is the same whatever the addresses are. */
static const struct scene questions[] = {
	{"an admitted frame is left to the FDB, and the outputs are a flood's", {"open", "open", "open"}, "",
		IN("p1") A TO_ALL, "normal flood p2 p3"},
	{"a destination that is known makes no difference", {"open", "open", "open"}, "0a/0@1 0b/0@2", IN("p1") A TO_B,
		"normal flood p2 p3"},
	{"neither does one that the frame came from", {"open", "open", "open"}, "0b/0@1", IN("p1") A TO_B,
		"normal flood p2 p3"},
	{"neither does a sender that is none", {"open", "open"}, "", IN("p1") "eth_src=00:00:00:00:00:00" TO_B,
		"normal flood p2"},
	{"neither does a reserved address", {"open", "open"}, "", IN("p1") A ",eth_dst=01:80:c2:00:00:00",
		"normal flood p2"},
	{"neither does an in port that is down", {"-open", "open"}, "", IN("p1") A TO_B, "normal flood p2"},
	{"each member of the VLAN has its own form",
		{"access 10", "trunk 10,20", "access 20", "trunk 20", "trunk 20 native 10"}, "", IN("p1") A TO_B,
		"normal flood p2/tag p5"},
	{"a flood to one port is a flood", {"access 10", "access 10", "access 20"}, "", IN("p1") A TO_B,
		"normal flood p2"},
	{"with nobody else in the VLAN a flood has nowhere to go, but an address may", {"access 10", "-access 10"},
		"0b/10@2", IN("p1") A TO_B, "normal drop no_output"},
	{"a VLAN that is refused is nothing to ask the FDB about", {"access 10", "access 10"}, "",
		IN("p1") A TO_B ",vlan_vid=10", "drop vlan_denied"},
};

START_TEST(translate_leaves_to_the_fdb_what_the_sentence_says)
{
	const struct scene *scene = &questions[_i];
	struct bench bench;
	struct xlate answer;
	struct sw_key key;

	set_scene(scene, &bench);
	key = key_of(&bench, scene->frame);
	translate(bench.pl, &key, NULL, &answer);
	ck_assert_msg(!strcmp(in_words(&bench, &answer), scene->answer), "%s: got '%s', expected '%s'", scene->sentence,
		in_words(&bench, &answer), scene->answer);
	ck_assert(answer.cacheable);
	close_bench(&bench);
}
END_TEST

START_TEST(what_is_carried_out_is_not_carried_out_again)
{
	for (int i = 0; i < N_SCENES; i++) {
		struct xlate once, twice;
		struct bench bench;
		struct sw_key key;

		set_scene(&scenes[i], &bench);
		key = key_of(&bench, scenes[i].frame);
		ask(&bench, &key, &once);
		ck_assert_msg(!once.normal, "%s", scenes[i].sentence);
		twice = once;
		fdb_flush(bench.fdb, 0, 0, -1, true); /* else it could be, and not show */
		normal_carry_out(bench.pl, &key, NULL, &twice);
		ck_assert_msg(same(&once, &twice), "%s", scenes[i].sentence);
		close_bench(&bench);
	}
}
END_TEST

START_TEST(a_stranger_is_dropped_and_not_cached)
{
	struct sw_key key = {.f.in_ifindex = 4711}, mask = {0};
	struct bench bench;
	struct xlate answer;

	open_bench(&bench);
	add_bridge(&bench, "br0");
	add_port(&bench, 1, "p1", "open");
	translate(bench.pl, &key, NULL, &answer);
	ck_assert_int_eq(answer.drop, SW_DROP_NO_PORT);
	ck_assert_uint_eq(answer.bridge, 0);
	ck_assert(!answer.cacheable && answer.uncacheable && !answer.normal);
	key_look(&mask, FIELD_IN_PORT);
	ck_assert(key_equal(&answer.mask, &mask));
	/* A port without device is not the one behind ifindex 0. */
	pipeline_port_set_state(bench.pl, 1, &(struct port_state){0});
	key.f.in_ifindex = 0;
	translate(bench.pl, &key, NULL, &answer);
	ck_assert_int_eq(answer.drop, SW_DROP_NO_PORT);
	close_bench(&bench);
}
END_TEST

/* ---- rules ---- */

/* Bridge 1 with ports p1, p2, p3 in VLAN 10 and p4, which is down; the address ..:0b on p2. */
static void open_switch(struct bench *bench)
{
	static const char *const ports[] = {"access 10", "access 10", "access 10", "-access 10"};

	open_bench(bench);
	add_bridge(bench, "br0");
	add_ports(bench, 1, ports, 4);
	add_addresses(bench, "0b/10@2");
}

static const struct {
	const char *actions, *answer;
	bool in_daemon; /* only the daemon can do it: the operations, in order */
} rule_scenes[] = {
	{"NORMAL", "p2; learn 0a/10", false},
	{"drop", "drop rule", false},
	{"output:p3", "p3", false},
	{"output:p3,output:p2", "p2 p3", false},
	{"output:p3,output:p3", "up p3 p3", true},
	{"output:p1", "drop same_port", false},
	{"output:p4", "drop port_down", false},
	{"output:77", "drop port_down", false},
	{"output:p1,output:p4,output:p3", "p3", false},
	{"output:p4,output:p1", "drop port_down", false},
	{"NORMAL,output:p3", "up NORMAL p3", true},
	{"output:p3,NORMAL", "up p3 NORMAL", true},
	{"output:p2,NORMAL,NORMAL", "up p2 NORMAL NORMAL", true},
	{"NORMAL,NORMAL", "up NORMAL NORMAL", true},
	{"NORMAL,output:p1", "p2; learn 0a/10", false},
};

START_TEST(a_rule_does_what_its_actions_say)
{
	struct bench bench;
	struct xlate answer;
	struct sw_key key;

	open_switch(&bench);
	put_rule(&bench, "eth_type=0x0800", 10, rule_scenes[_i].actions);
	key = key_of(&bench, IN("p1") A TO_B ",eth_type=0x0800");
	ask(&bench, &key, &answer);
	ck_assert_msg(!strcmp(in_words(&bench, &answer), rule_scenes[_i].answer), "%s: got '%s', expected '%s'",
		rule_scenes[_i].actions, in_words(&bench, &answer), rule_scenes[_i].answer);
	ck_assert_uint_eq(answer.mask.f.eth_type_be, 0xffff);
	/* Other frames are told apart from it by eth_type, and are the last rule's. */
	key.f.eth_type_be = htons(0x0806);
	ask(&bench, &key, &answer);
	ck_assert_str_eq(in_words(&bench, &answer), "p2; learn 0a/10");
	ck_assert_uint_eq(answer.mask.f.eth_type_be, 0xffff);
	close_bench(&bench);
}
END_TEST

/* One flow of the cache cannot have the FDB's outputs and those of other actions. */
START_TEST(normal_beside_other_actions_is_for_the_daemon)
{
	struct xlate answer, carried_out;
	struct bench bench;
	struct sw_key key;

	open_switch(&bench);
	put_rule(&bench, "any", 10, rule_scenes[_i].actions);
	key = key_of(&bench, IN("p1") A TO_B);
	translate(bench.pl, &key, NULL, &answer);
	ck_assert(answer.cacheable && !answer.uncacheable && !answer.in_daemon == !rule_scenes[_i].in_daemon);
	ck_assert(answer.normal == !strncmp(rule_scenes[_i].answer, "p2; learn", 9));
	if (!answer.normal) {
		ck_assert_str_eq(in_words(&bench, &answer), rule_scenes[_i].answer);
		carried_out = answer;
		normal_carry_out(bench.pl, &key, NULL, &carried_out);
		ck_assert(same(&answer, &carried_out));
	}
	close_bench(&bench);
}
END_TEST

/* There is nothing beside the table's last rule that learns or floods. */
START_TEST(without_its_last_rule_a_bridge_does_nothing)
{
	struct bench bench;
	struct xlate answer;
	struct sw_key key;

	open_switch(&bench);
	key = key_of(&bench, IN("p1") A TO_B);
	ck_assert_int_eq(pipeline_rule_remove(bench.pl, 1, &(struct flow_match){0}, 0, NULL), 0);
	ck_assert_int_eq(pipeline_rule_remove(bench.pl, 1, &(struct flow_match){0}, 0, NULL), -ENOENT);
	ask(&bench, &key, &answer);
	ck_assert_str_eq(in_words(&bench, &answer), "drop table_miss");
	put_rule(&bench, "any", 0, "drop");
	put_rule(&bench, "any", 0, "output:p3"); /* takes its place */
	ask(&bench, &key, &answer);
	ck_assert_str_eq(in_words(&bench, &answer), "p3");
	close_bench(&bench);
}
END_TEST

/* ---- reasoning ---- */

static void add_line(void *ctx, int depth, const char *line)
{
	char *text = ctx;

	sprintf(text + strlen(text), "%*s%s\n", 2 * depth, "", line);
}

static const struct {
	const char *frame, *lines;
} traces[] = {
	{IN("p1") A TO_B, "came in by port p1 of bridge br0\n"
			  "table 0: rule priority 0, any -> NORMAL\n"
			  "  port p1 is access 10: an untagged frame belongs to VLAN 10\n"
			  "  source 02:00:00:00:00:0a is to be learned on p1 in VLAN 10\n"
			  "  the FDB has 02:00:00:00:00:0b in VLAN 10 on p2\n"
			  "    to p2, as it came\n"},
	{IN("p2") A TO_ALL, "came in by port p2 of bridge br0\n"
			    "table 0: rule priority 0, any -> NORMAL\n"
			    "  port p2 is access 10: an untagged frame belongs to VLAN 10\n"
			    "  source 02:00:00:00:00:0a is to be learned on p2 in VLAN 10\n"
			    "  destination ff:ff:ff:ff:ff:ff is a group address: to all others in VLAN 10\n"
			    "    to p1, as it came\n"
			    "    to p3, as it came\n"},
	{IN("p1") A TO_B ",vlan_vid=7", "came in by port p1 of bridge br0\n"
					"table 0: rule priority 0, any -> NORMAL\n"
					"  port p1 is access 10: a frame tagged 7 is not admitted\n"},
	{IN("p1") A ",eth_dst=01:80:c2:00:00:0e",
		"came in by port p1 of bridge br0\n"
		"table 0: rule priority 0, any -> NORMAL\n"
		"  port p1 is access 10: an untagged frame belongs to VLAN 10\n"
		"  destination 01:80:c2:00:00:0e is reserved, and bridge br0 does not forward those: dropped\n"},
	{IN("p1") A TO_B ",eth_type=0x1234",
		"came in by port p1 of bridge br0\n"
		"table 0: rule priority 7, in_port=p1,eth_type=0x1234 -> output:p4,output:p3\n"
		"  output to p4, which is down: not sent there\n"
		"  output to p3\n"},
	{IN("p3") A TO_B ",eth_type=0x1234",
		"came in by port p3 of bridge br0\n"
		"table 0: rule priority 7, in_port=p3,eth_type=0x1234 -> NORMAL,output:p1\n"
		"  output to p1\n"},
	{"in_port=4711," A TO_B, "device 4711 is not a port: dropped\n"},
};

/* The frame at hand is told of once, by whichever of the two decides. */
START_TEST(the_trace_tells_the_reasoning_and_changes_nothing)
{
	struct xlate answer, untraced;
	char lines[2048] = "";
	struct trace_sink sink = {lines, add_line};
	struct bench bench;
	struct sw_key key;

	open_switch(&bench);
	put_rule(&bench, "in_port=p1,eth_type=0x1234", 7, "output:p4,output:p3");
	put_rule(&bench, "in_port=p3,eth_type=0x1234", 7, "NORMAL,output:p1");
	key = key_of(&bench, traces[_i].frame);
	translate(bench.pl, &key, &sink, &answer);
	normal_carry_out(bench.pl, &key, &sink, &answer);
	ck_assert_str_eq(lines, traces[_i].lines);
	ask(&bench, &key, &untraced);
	ck_assert(same(&answer, &untraced));
	close_bench(&bench);
}
END_TEST

/* ---- bridges and ports ---- */

START_TEST(ids_are_the_lowest_free_or_what_was_asked_for)
{
	struct complaint complaint = {""};
	struct bench bench;
	uint16_t id;

	open_bench(&bench);
	ck_assert_uint_eq(add_bridge(&bench, "br0"), 1);
	ck_assert_uint_eq(add_bridge(&bench, "br1"), 2);
	ck_assert_int_eq(pipeline_bridge_add(bench.pl, "br7", 7, &id, NULL), 0);
	ck_assert_uint_eq(id, 7);
	ck_assert_int_eq(pipeline_bridge_add(bench.pl, "br8", 7, &id, &complaint), -EEXIST);
	ck_assert(strstr(complaint.text, "7"));
	ck_assert_int_eq(pipeline_bridge_add(bench.pl, "br8", SW_MAX_BRIDGES, &id, NULL), -EINVAL);
	ck_assert_uint_eq(add_port(&bench, 7, "p1", "open"), 1);
	ck_assert_int_eq(pipeline_port_add(bench.pl, 1, "p5", 5, &id, NULL), 0);
	ck_assert_uint_eq(add_port(&bench, 1, "p2", "open"), 2);
	pipeline_port_remove(bench.pl, 1);
	pipeline_port_remove(bench.pl, 1); /* nothing to remove */
	ck_assert_uint_eq(add_port(&bench, 1, "p3", "open"), 1);
	ck_assert_int_eq(pipeline_bridge_remove(bench.pl, 7, NULL), 0);
	ck_assert_int_eq(pipeline_bridge_remove(bench.pl, 7, NULL), -ENOENT);
	ck_assert_int_eq(pipeline_bridge_remove(bench.pl, 1, &complaint), -EBUSY);
	ck_assert(strstr(complaint.text, "'br0'") && strstr(complaint.text, "3 ports"));
	ck_assert_uint_eq(pipeline_bridge(bench.pl, 1)->n_ports, 3);
	close_bench(&bench);
}
END_TEST

static const char *const bad_names[] = {
	"", ".", "..", "sixteen-letters-", "a b", "a/b", "a,b", "a=b", "b\xc3\xa4r", "%s", "a\n"};

START_TEST(bad_names_are_refused)
{
	struct complaint complaint = {""};
	struct bench bench;
	uint16_t id = 99;

	open_bench(&bench);
	add_bridge(&bench, "br0");
	ck_assert_int_eq(pipeline_bridge_add(bench.pl, bad_names[_i], 0, &id, &complaint), -EINVAL);
	ck_assert_msg(strstr(complaint.text, bad_names[_i]), "%s", complaint.text);
	ck_assert_int_eq(pipeline_port_add(bench.pl, 1, bad_names[_i], 0, &id, NULL), -EINVAL);
	ck_assert_uint_eq(id, 99);
	ck_assert_ptr_null(pipeline_next_port(bench.pl, 0));
	close_bench(&bench);
}
END_TEST

START_TEST(names_are_unique_among_their_kind)
{
	struct complaint complaint = {""};
	struct bench bench;
	uint16_t id;

	open_bench(&bench);
	add_bridge(&bench, "fifteen-letters");
	add_bridge(&bench, "br1");
	add_port(&bench, 1, "br1", "open");
	ck_assert_int_eq(pipeline_bridge_add(bench.pl, "br1", 0, &id, &complaint), -EEXIST);
	ck_assert_int_eq(pipeline_port_add(bench.pl, 2, "br1", 0, &id, &complaint), -EEXIST);
	ck_assert(strstr(complaint.text, "'fifteen-letters'"));
	ck_assert_int_eq(pipeline_port_add(bench.pl, 3, "p1", 0, &id, NULL), -ENOENT);
	ck_assert_str_eq(pipeline_bridge_by_name(bench.pl, "fifteen-letters")->name, "fifteen-letters");
	ck_assert_uint_eq(pipeline_port_by_name(bench.pl, "br1")->bridge, 1);
	ck_assert_ptr_null(pipeline_port_by_name(bench.pl, "fifteen-letters"));
	close_bench(&bench);
}
END_TEST

START_TEST(ports_run_out_with_a_reason)
{
	struct complaint complaint = {""};
	struct bench bench;
	uint16_t id, n = 0;
	char name[16];

	open_bench(&bench);
	add_bridge(&bench, "br0");
	for (int i = 1; i < SW_MAX_PORTS; i++) {
		sprintf(name, "p%d", i);
		ck_assert_int_eq(pipeline_port_add(bench.pl, 1, name, 0, &id, NULL), 0);
		pipeline_port_set_state(
			bench.pl, id, &(struct port_state){.ifindex = 5000u + (uint32_t)i * 3, .up = true});
	}
	ck_assert_int_eq(pipeline_port_add(bench.pl, 1, "more", 0, &id, &complaint), -ENOSPC);
	ck_assert(strstr(complaint.text, "1023 ports"));
	for (const struct port *port = NULL; (port = pipeline_next_port(bench.pl, port ? port->id : 0));) {
		ck_assert_uint_eq(port->id, ++n);
		ck_assert_ptr_eq(pipeline_port_by_ifindex(bench.pl, 5000u + n * 3), port);
		ck_assert_ptr_null(pipeline_port_by_ifindex(bench.pl, 5001u + n * 3));
	}
	ck_assert_uint_eq(n, SW_MAX_PORTS - 1);
	/* The largest answer there is. */
	{
		static struct xlate answer;
		struct sw_key key = key_of(&bench, IN("p500") A TO_ALL);

		translate(bench.pl, &key, NULL, &answer);
		ck_assert_uint_eq(answer.n_outputs, SW_MAX_PORTS - 2);
	}
	close_bench(&bench);
}
END_TEST

START_TEST(a_port_keeps_its_id_while_its_device_changes)
{
	struct port_state state = {.ifindex = 500, .up = true};
	struct bench bench;

	open_bench(&bench);
	add_bridge(&bench, "br0");
	add_port(&bench, 1, "p1", "open");
	pipeline_port_set_state(bench.pl, 1, &state);
	ck_assert_ptr_null(pipeline_port_by_ifindex(bench.pl, 101));
	ck_assert_uint_eq(pipeline_port_by_ifindex(bench.pl, 500)->id, 1);
	state.ifindex = 0;
	pipeline_port_set_state(bench.pl, 1, &state);
	ck_assert_ptr_null(pipeline_port_by_ifindex(bench.pl, 500));
	ck_assert_ptr_null(pipeline_port_by_ifindex(bench.pl, 0));
	state.ifindex = 500 + 2048; /* shares a chain with the next one */
	pipeline_port_set_state(bench.pl, 1, &state);
	add_port(&bench, 1, "p2", "open");
	pipeline_port_set_state(bench.pl, 2, &(struct port_state){.ifindex = 500});
	ck_assert_uint_eq(pipeline_port_by_ifindex(bench.pl, 500 + 2048)->id, 1);
	ck_assert_uint_eq(pipeline_port_by_ifindex(bench.pl, 500)->id, 2);
	pipeline_port_remove(bench.pl, 1);
	ck_assert_ptr_null(pipeline_port_by_ifindex(bench.pl, 500 + 2048));
	ck_assert_uint_eq(pipeline_port_by_ifindex(bench.pl, 500)->id, 2);
	close_bench(&bench);
}
END_TEST

START_TEST(every_change_raises_the_version_and_no_other_call_does)
{
	struct port_state state = {.ifindex = 500, .up = true};
	struct vlan_config vlan = {.mode = VLAN_ACCESS, .vid = 3};
	struct flow_match match = {0};
	struct actions drop = {0};
	uint64_t version = 0;
	struct bench bench;
	uint16_t id;

#define RAISED(call)                                                                                                   \
	do {                                                                                                           \
		call;                                                                                                  \
		ck_assert_uint_gt(pipeline_version(bench.pl), version);                                                \
		version = pipeline_version(bench.pl);                                                                  \
	} while (0)
#define KEPT(call)                                                                                                     \
	do {                                                                                                           \
		call;                                                                                                  \
		ck_assert_uint_eq(pipeline_version(bench.pl), version);                                                \
	} while (0)

	open_bench(&bench);
	RAISED(pipeline_bridge_add(bench.pl, "br0", 0, &id, NULL));
	KEPT(pipeline_bridge_add(bench.pl, "br0", 0, &id, NULL));
	RAISED(pipeline_port_add(bench.pl, 1, "p1", 0, &id, NULL));
	KEPT(pipeline_port_add(bench.pl, 1, "p1", 0, &id, NULL));
	RAISED(pipeline_port_set_state(bench.pl, 1, &state));
	KEPT(pipeline_port_set_state(bench.pl, 1, &state));
	state.fast = true;
	RAISED(pipeline_port_set_state(bench.pl, 1, &state));
	state.sg = true;
	RAISED(pipeline_port_set_state(bench.pl, 1, &state));
	state.csum = true;
	RAISED(pipeline_port_set_state(bench.pl, 1, &state));
	state.max_frame = 1518;
	RAISED(pipeline_port_set_state(bench.pl, 1, &state));
	state.up = false;
	RAISED(pipeline_port_set_state(bench.pl, 1, &state));
	RAISED(pipeline_port_set_vlan(bench.pl, 1, &vlan));
	RAISED(pipeline_bridge_set(bench.pl, 1, 300, 100, true));
	KEPT(pipeline_bridge_set_learning(bench.pl, 1, true)); /* as it began */
	RAISED(pipeline_bridge_set_learning(bench.pl, 1, false));
	KEPT(pipeline_bridge_set_learning(bench.pl, 1, false));
	RAISED(pipeline_bridge_set_learning(bench.pl, 1, true));
	KEPT(pipeline_port_set_behind(bench.pl, 1, false)); /* as it began */
	RAISED(pipeline_port_set_behind(bench.pl, 1, true));
	KEPT(pipeline_port_set_behind(bench.pl, 1, true));
	RAISED(pipeline_port_set_behind(bench.pl, 1, false));
	RAISED(pipeline_rule_put(bench.pl, 1, &match, 3, &drop, NULL));
	RAISED(pipeline_rule_remove(bench.pl, 1, &match, 3, NULL));
	KEPT(pipeline_rule_remove(bench.pl, 1, &match, 3, NULL));
	KEPT(pipeline_bridge_remove(bench.pl, 1, NULL));
	RAISED(pipeline_port_remove(bench.pl, 1));
	KEPT(pipeline_port_remove(bench.pl, 1));
	RAISED(pipeline_bridge_remove(bench.pl, 1, NULL));
	close_bench(&bench);
}
END_TEST

#define LOOP(name, table) tcase_add_loop_test(tcase, name, 0, (int)(sizeof(table) / sizeof(table[0])))

int main(void)
{
	TCase *tcase = tcase_create("pipeline");
	Suite *suite = suite_create("pipeline");
	SRunner *runner;
	int n_failed;

	LOOP(a_bridge_does_what_the_sentence_says, scenes);
	tcase_add_test(tcase, all_answers_of_normal_consult_the_port_and_the_vlan_and_nothing_else);
	LOOP(translate_leaves_to_the_fdb_what_the_sentence_says, questions);
	tcase_add_test(tcase, what_is_carried_out_is_not_carried_out_again);
	tcase_add_test(tcase, a_stranger_is_dropped_and_not_cached);
	LOOP(a_rule_does_what_its_actions_say, rule_scenes);
	LOOP(normal_beside_other_actions_is_for_the_daemon, rule_scenes);
	tcase_add_test(tcase, without_its_last_rule_a_bridge_does_nothing);
	LOOP(the_trace_tells_the_reasoning_and_changes_nothing, traces);
	tcase_add_test(tcase, ids_are_the_lowest_free_or_what_was_asked_for);
	LOOP(bad_names_are_refused, bad_names);
	tcase_add_test(tcase, names_are_unique_among_their_kind);
	tcase_add_test(tcase, ports_run_out_with_a_reason);
	tcase_add_test(tcase, a_port_keeps_its_id_while_its_device_changes);
	tcase_add_test(tcase, every_change_raises_the_version_and_no_other_call_does);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? 1 : 0;
}
