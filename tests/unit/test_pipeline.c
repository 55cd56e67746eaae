/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * translate(): a table of scenes, a sentence each; then T1, T2 and T3 on random topologies, rules, FDBs and frames.
 */
#include "dataplane/action.h"
#include "dataplane/classifier.h"
#include "dataplane/complaint.h"
#include "dataplane/pipeline.h"

#include "tests/unit/seeded.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define S         1000000000ULL
#define N_STORAGE 64
#define N_WORLDS  60
#define N_FRAMES  300 /* a world */
#define N_FLIPS   6   /* a frame */

/* ---- a switch: a pipeline and its FDB ---- */

struct bench {
	struct sw_fdb_entry storage[N_STORAGE];
	struct fdb *fdb;
	struct pipeline *pl;
};

/* Whether a dependency of this answer has changed since it was last asked for. */
static const struct xlate *watched;
static bool watched_changed;

static void fdb_changed(void *ctx, const struct fdb_key *key)
{
	for (uint32_t i = 0; watched && i < watched->n_deps; i++)
		watched_changed |= watched->deps[i] == fdb_dep(key);
}

static void open_bench(struct bench *bench)
{
	memset(bench, 0, sizeof(*bench));
	watched = NULL;
	bench->fdb = fdb_create(bench->storage, N_STORAGE, &(struct fdb_events){NULL, fdb_changed});
	bench->pl = pipeline_create(bench->fdb);
}

static void close_bench(struct bench *bench)
{
	pipeline_destroy(bench->pl);
	fdb_destroy(bench->fdb);
}

static uint16_t add_bridge(struct bench *bench, const char *name)
{
	struct complaint complaint = {""};
	uint16_t id = 0;

	ck_assert_msg(!pipeline_bridge_add(bench->pl, name, 0, &id, &complaint), "%s", complaint.text);
	return id;
}

/* The port's device has the ifindex 100 + id. `vlan` is the text behind `vlan`; a '-' in front says: link down. */
static uint16_t add_port(struct bench *bench, uint16_t bridge, const char *name, const char *vlan)
{
	struct complaint complaint = {""};
	struct vlan_config config;
	const char *words[8];
	char copy[64], *save = NULL;
	size_t n_words = 0;
	bool up = vlan[0] != '-';
	uint16_t id = 0;

	ck_assert_msg(!pipeline_port_add(bench->pl, bridge, name, 0, &id, &complaint), "%s", complaint.text);
	snprintf(copy, sizeof(copy), "%s", vlan + !up);
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		words[n_words++] = word;
	ck_assert_msg(!vlan_parse(words, n_words, &config, &complaint), "%s", complaint.text);
	pipeline_port_set_vlan(bench->pl, id, &config);
	pipeline_port_set_state(
		bench->pl, id, &(struct port_state){.ifindex = 100u + id, .up = up, .fast = true, .max_frame = 1518});
	return id;
}

static struct fdb_key address(uint16_t bridge, uint16_t vid, uint8_t last)
{
	return (struct fdb_key){bridge, vid, {0x02, 0, 0, 0, 0, last}};
}

/* "0b/10@2 0c/0@3!": the last byte of an address, its VLAN, its port's id, '!' if static; into bridge 1. */
static void add_addresses(struct bench *bench, const char *text)
{
	unsigned last, vid, port;
	int n;

	while (sscanf(text, " %x/%u@%u%n", &last, &vid, &port, &n) == 3) {
		struct fdb_key key = address(1, (uint16_t)vid, (uint8_t)last);

		text += n;
		if (*text == '!') {
			ck_assert_int_eq(fdb_add_static(bench->fdb, &key, (uint16_t)port, S, NULL), 0);
			text++;
		} else {
			ck_assert_int_eq(fdb_learn(bench->fdb, &key, (uint16_t)port, S), FDB_NEW);
		}
	}
	ck_assert_str_eq(text, "");
}

static struct sw_key key_of(const struct bench *bench, const char *text)
{
	struct flow_names names = pipeline_names(bench->pl);
	struct complaint complaint = {""};
	struct flow_match match;

	ck_assert_msg(!flow_parse(text, &names, &match, &complaint), "'%s': %s", text, complaint.text);
	return match.key;
}

static const char *drop_word(enum sw_drop drop)
{
#define X(name, word, text) [SW_DROP_##name] = word,
	static const char *const words[] = {SW_DROPS(X)};
#undef X
	return words[drop];
}

/* The answer in a line: "flood p2 p3/tag; learn 0a/10", "p2; known 0a/10", "drop same_port". */
static const char *in_words(const struct bench *bench, const struct xlate *answer)
{
	static const char *const tags[] = {"", "/untag", "/tag"};
	static char text[512];
	size_t n = 0;

	if (answer->n_outputs == 0)
		n += (size_t)sprintf(text + n, "drop %s", drop_word(answer->drop));
	if (answer->flood)
		n += (size_t)sprintf(text + n, "flood ");
	for (uint32_t i = 0; i < answer->n_outputs; i++)
		n += (size_t)sprintf(text + n, "%s%s%s", i ? " " : "",
			pipeline_port(bench->pl, answer->outputs[i].port)->name, tags[answer->outputs[i].tag]);
	if (answer->learn.port)
		n += (size_t)sprintf(text + n, "; %s %02x/%u", answer->learn.wanted ? "learn" : "known",
			answer->learn.key.mac[5], answer->learn.key.vid);
	return text;
}

/* ---- scenes ---- */

#define A         "eth_src=02:00:00:00:00:0a"
#define TO_B      ",eth_dst=02:00:00:00:00:0b"
#define TO_A      ",eth_dst=02:00:00:00:00:0a"
#define TO_ALL    ",eth_dst=ff:ff:ff:ff:ff:ff"
#define MULTICAST ",eth_dst=33:33:00:00:00:01"
#define IN(port)  "in_port=" port ","

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
	for (int i = 0; i < 5 && scene->ports[i]; i++) {
		const char name[] = {'p', (char)('1' + i), '\0'};

		ck_assert_uint_eq(add_port(bench, 1, name, scene->ports[i]), i + 1);
	}
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
	translate(bench.pl, &key, NULL, &answer);
	ck_assert_msg(!strcmp(in_words(&bench, &answer), scene->answer), "%s: got '%s', expected '%s'", scene->sentence,
		in_words(&bench, &answer), scene->answer);
	ck_assert_uint_eq(answer.bridge, 1);
	ck_assert(answer.cacheable);
	close_bench(&bench);
}
END_TEST

/* Masks cost each frame a lookup: one is enough for all that NORMAL does. */
START_TEST(all_answers_of_normal_consult_the_same_bits)
{
	struct sw_key expected = {0};

	flow_look(&expected, FIELD_IN_PORT);
	flow_look(&expected, FIELD_VLAN_VID);
	flow_look(&expected, FIELD_ETH_SRC);
	flow_look(&expected, FIELD_ETH_DST);
	for (int i = 0; i < N_SCENES; i++) {
		struct bench bench;
		struct xlate answer;
		struct sw_key key;

		set_scene(&scenes[i], &bench);
		key = key_of(&bench, scenes[i].frame);
		translate(bench.pl, &key, NULL, &answer);
		ck_assert_msg(flow_equal(&answer.mask, &expected), "%s", scenes[i].sentence);
		close_bench(&bench);
	}
}
END_TEST

static void check_deps(const struct bench *bench, const char *frame, const uint64_t *deps, uint32_t n)
{
	struct sw_key key = key_of(bench, frame);
	struct xlate answer;

	translate(bench->pl, &key, NULL, &answer);
	ck_assert_msg(answer.n_deps == n, "%s: %u", frame, answer.n_deps);
	ck_assert(!memcmp(answer.deps, deps, n * sizeof(*deps)));
}

START_TEST(an_answer_depends_on_its_source_and_on_what_it_looked_up)
{
	struct fdb_key a = address(1, 10, 0x0a), b = address(1, 10, 0x0b);
	uint64_t deps[] = {fdb_dep(&a), fdb_dep(&b)};
	struct bench bench;

	open_bench(&bench);
	add_bridge(&bench, "br0");
	add_port(&bench, 1, "p1", "access 10");
	check_deps(&bench, IN("p1") A TO_B, deps, 2);
	check_deps(&bench, IN("p1") A TO_A, deps, 1);
	check_deps(&bench, IN("p1") A TO_ALL, deps, 1);
	check_deps(&bench, IN("p1") A TO_B ",vlan_vid=7", deps, 0);
	check_deps(&bench, IN("p1") A ",eth_dst=01:80:c2:00:00:00", deps, 0);
	close_bench(&bench);
}
END_TEST

START_TEST(dependencies_of_different_addresses_have_different_names)
{
	struct fdb_key key = address(1, 10, 1), bridge = address(2, 10, 1), vid = address(1, 11, 1),
		       mac = address(1, 10, 2);

	ck_assert_uint_ne(fdb_dep(&key), fdb_dep(&bridge));
	ck_assert_uint_ne(fdb_dep(&key), fdb_dep(&vid));
	ck_assert_uint_ne(fdb_dep(&key), fdb_dep(&mac));
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
	ck_assert(!answer.cacheable && answer.uncacheable);
	flow_look(&mask, FIELD_IN_PORT);
	ck_assert(flow_equal(&answer.mask, &mask));
	/* A port without device is not the one behind ifindex 0. */
	pipeline_port_set_state(bench.pl, 1, &(struct port_state){0});
	key.f.in_ifindex = 0;
	translate(bench.pl, &key, NULL, &answer);
	ck_assert_int_eq(answer.drop, SW_DROP_NO_PORT);
	close_bench(&bench);
}
END_TEST

/* ---- rules ---- */

static struct actions actions_of(const struct bench *bench, const char *text)
{
	struct action_names names = pipeline_action_names(bench->pl);
	struct complaint complaint = {""};
	struct actions actions;

	ck_assert_msg(!actions_parse(text, &names, &actions, &complaint), "'%s': %s", text, complaint.text);
	return actions;
}

static void put_rule(struct bench *bench, const char *match_text, uint16_t priority, const char *actions_text)
{
	struct flow_names names = pipeline_names(bench->pl);
	struct actions actions = actions_of(bench, actions_text);
	struct complaint complaint = {""};
	struct flow_match match;

	ck_assert_msg(!flow_parse(match_text, &names, &match, &complaint), "%s", complaint.text);
	ck_assert_msg(!pipeline_rule_put(bench->pl, 1, &match, priority, &actions, &complaint), "%s", complaint.text);
}

/* Bridge 1 with ports p1, p2, p3 in VLAN 10 and p4, which is down; the address ..:0b on p2. */
static void open_switch(struct bench *bench)
{
	open_bench(bench);
	add_bridge(bench, "br0");
	add_port(bench, 1, "p1", "access 10");
	add_port(bench, 1, "p2", "access 10");
	add_port(bench, 1, "p3", "access 10");
	add_port(bench, 1, "p4", "-access 10");
	add_addresses(bench, "0b/10@2");
}

static const struct {
	const char *actions, *answer;
} rule_scenes[] = {
	{"NORMAL", "p2; learn 0a/10"},
	{"drop", "drop rule"},
	{"output:p3", "p3"},
	{"output:p3,output:p2", "p2 p3"},
	{"output:p3,output:p3", "p3"},
	{"output:p1", "drop same_port"},
	{"output:p4", "drop port_down"},
	{"output:77", "drop port_down"},
	{"output:p1,output:p4,output:p3", "p3"},
	{"output:p4,output:p1", "drop port_down"},
	{"NORMAL,output:p3", "p2 p3; learn 0a/10"},
	{"output:p3,NORMAL", "p2 p3; learn 0a/10"},
	{"output:p2,NORMAL,NORMAL", "p2; learn 0a/10"},
};

START_TEST(a_rule_does_what_its_actions_say)
{
	struct bench bench;
	struct xlate answer;
	struct sw_key key;

	open_switch(&bench);
	put_rule(&bench, "eth_type=0x0800", 10, rule_scenes[_i].actions);
	key = key_of(&bench, IN("p1") A TO_B ",eth_type=0x0800");
	translate(bench.pl, &key, NULL, &answer);
	ck_assert_msg(!strcmp(in_words(&bench, &answer), rule_scenes[_i].answer), "%s: got '%s', expected '%s'",
		rule_scenes[_i].actions, in_words(&bench, &answer), rule_scenes[_i].answer);
	ck_assert_uint_eq(answer.mask.f.eth_type_be, 0xffff);
	/* Other frames are told apart from it by eth_type, and are the last rule's. */
	key.f.eth_type_be = htons(0x0806);
	translate(bench.pl, &key, NULL, &answer);
	ck_assert_str_eq(in_words(&bench, &answer), "p2; learn 0a/10");
	ck_assert_uint_eq(answer.mask.f.eth_type_be, 0xffff);
	close_bench(&bench);
}
END_TEST

START_TEST(an_answer_that_other_actions_add_to_is_no_flood)
{
	struct bench bench;
	struct xlate answer;
	struct sw_key key;

	open_switch(&bench);
	key = key_of(&bench, IN("p1") A TO_ALL);
	translate(bench.pl, &key, NULL, &answer);
	ck_assert(answer.flood);
	add_port(&bench, 1, "p5", "access 20");
	put_rule(&bench, "any", 10, "NORMAL,output:p5");
	translate(bench.pl, &key, NULL, &answer);
	ck_assert_str_eq(in_words(&bench, &answer), "p2 p3 p5; learn 0a/10");
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
	translate(bench.pl, &key, NULL, &answer);
	ck_assert_str_eq(in_words(&bench, &answer), "drop rule");
	put_rule(&bench, "any", 0, "drop");
	put_rule(&bench, "any", 0, "output:p3"); /* takes its place */
	translate(bench.pl, &key, NULL, &answer);
	ck_assert_str_eq(in_words(&bench, &answer), "p3");
	close_bench(&bench);
}
END_TEST

static const char *const action_texts[] = {
	"NORMAL", "drop", "output:p1", "output:p1,NORMAL,output:p3", "output:999", "output:1,output:2"};

START_TEST(actions_are_printed_as_they_were_read)
{
	char text[128], expected[128];
	struct bench bench;
	struct actions actions, again;
	struct action_names names;

	open_switch(&bench);
	names = pipeline_action_names(bench.pl);
	actions = actions_of(&bench, action_texts[_i]);
	strcpy(expected, action_texts[_i]);
	if (!strcmp(expected, "output:1,output:2"))
		strcpy(expected, "output:p1,output:p2");
	ck_assert_uint_eq(actions_format(&actions, &names, text, sizeof(text)), strlen(expected));
	ck_assert_str_eq(text, expected);
	actions_format(&actions, NULL, text, sizeof(text));
	again = actions_of(&bench, text);
	ck_assert(actions_equal(&actions, &again));
	for (size_t i = 0; i < sizeof(action_texts) / sizeof(action_texts[0]); i++) {
		again = actions_of(&bench, action_texts[i]);
		ck_assert(actions_equal(&actions, &again) == ((int)i == _i));
	}
	close_bench(&bench);
}
END_TEST

static const struct {
	const char *text, *word;
} bad_actions[] = {
	{"", "''"},
	{"normal", "'normal'"},
	{"NORMAL,", "''"},
	{"NORMAL:1", "NORMAL alone"},
	{"output", "output:PORT"},
	{"output:", "''"},
	{"output:p9", "'p9'"},
	{"output:0", "'0'"},
	{"output:1024", "'1024'"},
	{"output:99999999", "'99999999'"},
	{"output:1x", "'1x'"},
	{"drop,output:p1", "'drop'"},
	{"output:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "longer"},
	{"NORMAL,NORMAL,NORMAL,NORMAL,NORMAL,NORMAL,NORMAL,NORMAL,NORMAL,NORMAL,NORMAL,NORMAL,NORMAL,NORMAL,NORMAL,"
	 "NORMAL,NORMAL,NORMAL,NORMAL,NORMAL,NORMAL,NORMAL,NORMAL,NORMAL,NORMAL,NORMAL,NORMAL,NORMAL,NORMAL,NORMAL,"
	 "NORMAL,NORMAL,NORMAL",
		"more than 32"},
};

START_TEST(bad_actions_are_refused_by_name)
{
	struct complaint complaint = {""};
	struct action_names names;
	struct actions actions = {.n = 5};
	struct bench bench;

	open_switch(&bench);
	names = pipeline_action_names(bench.pl);
	ck_assert_msg(actions_parse(bad_actions[_i].text, &names, &actions, &complaint) == -EINVAL, "took '%s'",
		bad_actions[_i].text);
	ck_assert_msg(strstr(complaint.text, bad_actions[_i].word), "'%s': the complaint '%s' lacks '%s'",
		bad_actions[_i].text, complaint.text, bad_actions[_i].word);
	ck_assert_uint_eq(actions.n, 5);
	close_bench(&bench);
}
END_TEST

static bool same_outputs(const struct xlate *a, const struct xlate *b)
{
	for (uint32_t i = 0; i < a->n_outputs && i < b->n_outputs; i++) {
		if (a->outputs[i].port != b->outputs[i].port || a->outputs[i].tag != b->outputs[i].tag)
			return false;
	}
	return a->n_outputs == b->n_outputs;
}

static bool same_learn(const struct xlate_learn *a, const struct xlate_learn *b)
{
	return a->wanted == b->wanted && a->port == b->port && !memcmp(&a->key, &b->key, sizeof(a->key));
}

static bool same(const struct xlate *a, const struct xlate *b)
{
	return flow_equal(&a->mask, &b->mask) && a->bridge == b->bridge && a->in_port == b->in_port &&
	       a->vid == b->vid && a->flood == b->flood && a->cacheable == b->cacheable && a->drop == b->drop &&
	       same_learn(&a->learn, &b->learn) && a->n_deps == b->n_deps &&
	       !memcmp(a->deps, b->deps, a->n_deps * sizeof(a->deps[0])) && same_outputs(a, b);
}

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
	{IN("p1") A TO_B ",eth_type=0x1234",
		"came in by port p1 of bridge br0\n"
		"table 0: rule priority 7, in_port=p1,eth_type=0x1234 -> output:p4,output:p3\n"
		"  output to port 4, which is down or not on this bridge: not sent there\n"
		"  output to p3, as it came\n"},
	{"in_port=4711," A TO_B, "device 4711 is not a port: dropped\n"},
};

START_TEST(the_trace_tells_the_reasoning_and_changes_nothing)
{
	struct xlate answer, untraced;
	char lines[2048] = "";
	struct bench bench;
	struct sw_key key;

	open_switch(&bench);
	put_rule(&bench, "in_port=p1,eth_type=0x1234", 7, "output:p4,output:p3");
	key = key_of(&bench, traces[_i].frame);
	translate(bench.pl, &key, &(struct trace_sink){lines, add_line}, &answer);
	ck_assert_str_eq(lines, traces[_i].lines);
	translate(bench.pl, &key, NULL, &untraced);
	ck_assert(same(&answer, &untraced));
	close_bench(&bench);
}
END_TEST

/* ---- random worlds ---- */

struct world {
	struct seeded random;
	struct bench bench;
	uint16_t n_ports;
};

static const uint16_t vids[] = {10, 20, 30};

static uint32_t below(struct world *world, uint32_t n)
{
	return seeded_below(&world->random, n);
}

static void random_vlan(struct world *world, char text[64])
{
	static const char *const texts[] = {"open", "access 10", "access 20", "trunk 10,20", "trunk all",
		"trunk 10,20 native 10", "trunk all native 20", "trunk 20,30 native 10 tagged", "trunk 30"};

	sprintf(text, "%s%s", below(world, 6) ? "" : "-", texts[below(world, 9)]);
}

static void random_mac(struct world *world, uint8_t mac[6])
{
	static const uint8_t odd_ones[][6] = {{0}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {0x01, 0x80, 0xc2, 0, 0, 0},
		{0x01, 0x80, 0xc2, 0, 0, 0x0f}, {0x01, 0x80, 0xc2, 0, 0, 0x10}, {0x33, 0x33, 0, 0, 0, 1}};
	struct fdb_key plain = address(1, 0, (uint8_t)(1 + below(world, 6)));

	memcpy(mac, below(world, 5) ? plain.mac : odd_ones[below(world, 6)], 6);
}

static struct sw_key random_frame(struct world *world)
{
	static const uint16_t tcis[] = {0, SW_VLAN_PRESENT, SW_VLAN_PRESENT | 10, SW_VLAN_PRESENT | 20,
		SW_VLAN_PRESENT | 30, SW_VLAN_PRESENT | 4095};
	uint16_t tci = tcis[below(world, 6)];
	struct sw_key key;

	for (int w = 0; w < SW_KEY_WORDS; w++)
		key.w[w] = seeded_next(&world->random);
	key.f.zero1 = key.f.zero2 = key.f.zero3 = 0;
	key.f.in_ifindex = 100 + below(world, world->n_ports + 2);
	key.f.eth_type_be = htons(below(world, 2) ? 0x0800 : 0x86dd);
	key.f.ip_proto = below(world, 2) ? 6 : 17;
	key.f.vlan_tci_be = htons(tci ? (uint16_t)(tci | below(world, 8) << 13) : 0);
	random_mac(world, key.f.eth_src);
	random_mac(world, key.f.eth_dst);
	return key;
}

static void random_address(struct world *world)
{
	uint16_t vid = below(world, 4) ? vids[below(world, 3)] : 0;
	struct fdb_key key = address((uint16_t)(1 + below(world, 2)), vid, (uint8_t)(1 + below(world, 6)));
	uint16_t port = (uint16_t)(1 + below(world, world->n_ports + 1));

	switch (below(world, 4)) {
	case 0:
		fdb_remove(world->bench.fdb, &key);
		break;
	case 1:
		fdb_add_static(world->bench.fdb, &key, port, S, NULL);
		break;
	default:
		fdb_learn(world->bench.fdb, &key, port, S);
	}
}

static void random_rule(struct world *world)
{
	static const char *const texts[] = {"NORMAL", "drop", "output:1", "output:2,output:3", "NORMAL,output:4"};
	struct actions actions = actions_of(&world->bench, texts[below(world, 5)]);
	struct sw_key frame = random_frame(world);
	struct flow_match match = {0};

	for (uint32_t n = below(world, 3); n; n--)
		flow_look(&match.mask, below(world, 2) ? below(world, N_FIELDS) : FIELD_ETH_TYPE);
	match.key = flow_masked(&frame, &match.mask);
	pipeline_rule_put(world->bench.pl, 1, &match, (uint16_t)(1 + below(world, 5)), &actions, NULL);
}

static void open_world(struct world *world)
{
	world->random = seeded_start();
	open_bench(&world->bench);
	add_bridge(&world->bench, "br0");
	add_bridge(&world->bench, "br1");
	world->n_ports = (uint16_t)(4 + below(world, 6));
	for (uint16_t i = 1; i <= world->n_ports; i++) {
		char name[16], vlan[64];

		sprintf(name, "p%u", i);
		random_vlan(world, vlan);
		add_port(&world->bench, below(world, 5) ? 1 : 2, name, vlan);
	}
	pipeline_bridge_set(world->bench.pl, 1, 300, 100, below(world, 2));
	for (int i = 0; i < 20; i++)
		random_address(world);
	for (uint32_t n = below(world, 2) * below(world, 6); n; n--)
		random_rule(world);
}

/* What stands in the frame's tag when it leaves: the TCI's presence and VID. */
static uint16_t tag_after(const struct xlate *answer, const struct xlate_output *output, const struct sw_key *key)
{
	switch (output->tag) {
	case XLATE_UNTAGGED:
		return 0;
	case XLATE_TAGGED:
		return SW_VLAN_PRESENT | answer->vid;
	}
	return ntohs(key->f.vlan_tci_be) & (SW_VLAN_PRESENT | SW_VLAN_VID);
}

/* What pipeline.h promises of every answer. */
static void check_form(struct world *world, const struct sw_key *key, const struct xlate *answer, bool only_normal)
{
	const struct pipeline *pl = world->bench.pl;
	uint16_t tci = ntohs(key->f.vlan_tci_be) & (SW_VLAN_PRESENT | SW_VLAN_VID);

	ck_assert_uint_eq(answer->mask.f.in_ifindex, UINT32_MAX);
	ck_assert_msg(!answer->n_outputs == (answer->drop != SW_DROP_NONE), "seed %#lx", world->random.seed);
	for (uint32_t i = 0; i < answer->n_outputs; i++) {
		const struct xlate_output *output = &answer->outputs[i];
		const struct port *port = pipeline_port(pl, output->port);
		uint16_t tag = tag_after(answer, output, key);

		ck_assert_msg(!i || output->port > answer->outputs[i - 1].port, "seed %#lx", world->random.seed);
		ck_assert_msg(port->id != answer->in_port && port->bridge == answer->bridge && port->up, "seed %#lx",
			world->random.seed);
		if (!only_normal)
			continue;
		/* A tag that is right already is not rewritten, and one that is rewritten is right then. */
		switch (answer->vid ? vlan_leave(&port->vlan, answer->vid) : VLAN_NOT_A_MEMBER) {
		case VLAN_TAGGED:
			ck_assert_msg(tag == (SW_VLAN_PRESENT | answer->vid), "seed %#lx", world->random.seed);
			break;
		case VLAN_UNTAGGED:
			ck_assert_msg(tag == 0, "seed %#lx", world->random.seed);
			break;
		case VLAN_NOT_A_MEMBER:
			ck_assert_msg(!answer->vid && port->vlan.mode == VLAN_OPEN, "seed %#lx", world->random.seed);
			break;
		}
		ck_assert_msg((output->tag == XLATE_AS_IS) == (tag == tci), "seed %#lx", world->random.seed);
	}
}

static void each_frame(void (*check)(struct world *world, const struct sw_key *key, const struct xlate *answer))
{
	for (int w = 0; w < N_WORLDS; w++) {
		struct world world;
		struct xlate answer;

		open_world(&world);
		for (int i = 0; i < N_FRAMES; i++) {
			struct sw_key key = random_frame(&world);

			translate(world.bench.pl, &key, NULL, &answer);
			check(&world, &key, &answer);
		}
		close_bench(&world.bench);
	}
}

static void check_pure(struct world *world, const struct sw_key *key, const struct xlate *answer)
{
	struct sw_fdb_entry before[N_STORAGE];
	uint64_t version = pipeline_version(world->bench.pl);
	struct xlate again;
	struct sw_key copy = *key;

	memcpy(before, world->bench.storage, sizeof(before));
	memset(&again, 0x5a, sizeof(again)); /* what was in it does not matter */
	translate(world->bench.pl, key, NULL, &again);
	ck_assert_msg(same(answer, &again), "seed %#lx", world->random.seed);
	ck_assert_msg(!memcmp(before, world->bench.storage, sizeof(before)), "seed %#lx", world->random.seed);
	ck_assert_msg(version == pipeline_version(world->bench.pl), "seed %#lx", world->random.seed);
	ck_assert(flow_equal(&copy, key));
	check_form(world, key, answer, cls_count(pipeline_bridge(world->bench.pl, 1)->table) == 1);
}

START_TEST(asking_twice_gives_the_same_answer_and_changes_nothing) /* T1 */
{
	each_frame(check_pure);
}
END_TEST

static void check_mask(struct world *world, const struct sw_key *key, const struct xlate *answer)
{
	for (int i = 0; i < N_FLIPS; i++) {
		struct sw_key other = *key, aim = random_frame(world);
		struct xlate flipped;

		for (int w = 0; w < SW_KEY_WORDS; w++) {
			uint64_t bits = below(world, 2) ? seeded_next(&world->random) : key->w[w] ^ aim.w[w];

			other.w[w] ^= bits & ~answer->mask.w[w];
		}
		translate(world->bench.pl, &other, NULL, &flipped);
		ck_assert_msg(same(answer, &flipped), "seed %#lx", world->random.seed);
	}
}

START_TEST(bits_that_were_not_consulted_change_nothing) /* T2 */
{
	each_frame(check_mask);
}
END_TEST

static uint32_t n_stood, n_fell;

/* The FDB changes at random; as long as that names no dependency, the answer stands. */
static void check_dependencies(struct world *world, const struct sw_key *key, const struct xlate *answer)
{
	struct xlate later;

	watched = answer;
	watched_changed = false;
	for (int i = 0; i < 5; i++)
		random_address(world);
	if (!below(world, 10))
		fdb_flush(world->bench.fdb, 0, (uint16_t)(1 + below(world, world->n_ports)), -1, below(world, 2));
	translate(world->bench.pl, key, NULL, &later);
	ck_assert_msg(watched_changed || same(answer, &later), "seed %#lx", world->random.seed);
	n_stood += !watched_changed && answer->n_deps;
	n_fell += !same(answer, &later);
}

START_TEST(an_answer_stands_until_a_dependency_changes) /* T3, F2 */
{
	each_frame(check_dependencies);
	ck_assert_msg(n_stood > 100 && n_fell > 100, "%u answers stood, %u fell: nothing was tried", n_stood, n_fell);
}
END_TEST

/* After what was asked for is learned, the next frame wants nothing, and goes the same way. */
static void check_learning(struct world *world, const struct sw_key *key, const struct xlate *answer)
{
	struct xlate next;

	if (!answer->learn.port)
		return;
	ck_assert_msg(!memcmp(answer->learn.key.mac, key->f.eth_src, 6) && answer->learn.key.vid == answer->vid &&
			      answer->learn.key.bridge == answer->bridge && answer->learn.port == answer->in_port,
		"seed %#lx", world->random.seed);
	ck_assert_msg((fdb_learn(world->bench.fdb, &answer->learn.key, answer->learn.port, 2 * S) == FDB_REFRESHED) ==
			      !answer->learn.wanted,
		"seed %#lx", world->random.seed);
	translate(world->bench.pl, key, NULL, &next);
	ck_assert_msg(!next.learn.wanted && next.learn.port == answer->learn.port, "seed %#lx", world->random.seed);
	if (memcmp(key->f.eth_src, key->f.eth_dst, 6)) {
		next.learn.wanted = answer->learn.wanted;
		ck_assert_msg(same(answer, &next), "seed %#lx", world->random.seed);
	}
}

START_TEST(what_was_learned_is_not_wanted_again)
{
	each_frame(check_learning);
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

	tcase_set_timeout(tcase, 100);
	LOOP(a_bridge_does_what_the_sentence_says, scenes);
	tcase_add_test(tcase, all_answers_of_normal_consult_the_same_bits);
	tcase_add_test(tcase, an_answer_depends_on_its_source_and_on_what_it_looked_up);
	tcase_add_test(tcase, dependencies_of_different_addresses_have_different_names);
	tcase_add_test(tcase, a_stranger_is_dropped_and_not_cached);
	LOOP(a_rule_does_what_its_actions_say, rule_scenes);
	tcase_add_test(tcase, an_answer_that_other_actions_add_to_is_no_flood);
	tcase_add_test(tcase, without_its_last_rule_a_bridge_does_nothing);
	LOOP(actions_are_printed_as_they_were_read, action_texts);
	LOOP(bad_actions_are_refused_by_name, bad_actions);
	LOOP(the_trace_tells_the_reasoning_and_changes_nothing, traces);
	tcase_add_test(tcase, asking_twice_gives_the_same_answer_and_changes_nothing);
	tcase_add_test(tcase, bits_that_were_not_consulted_change_nothing);
	tcase_add_test(tcase, an_answer_stands_until_a_dependency_changes);
	tcase_add_test(tcase, what_was_learned_is_not_wanted_again);
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
