/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When a trace says that kernel and pipeline agree: a table of frames, of what a program did with each, and of whether
 * that is what the pipeline asks for. The program is a double that says what the row tells it to.
 */
#include "dataplane/dp_memory.h"
#include "dataplane/program.h"
#include "dataplane/sets.h"
#include "dataplane/trace.h"

#include "tests/unit/pipeline_lab.h"

#include <stdlib.h>

#define SLOT      7
#define UNTAGGED  (-1)
#define TAG       4
#define MAX_PORTS 4

/* ---- what the program says it did ---- */

struct deed {
	bool miss;
	bool is_cached; /* all the same */
	enum { OUT, BROADCAST, UP, DROP, PASS } what;
	uint16_t port;     /* OUT */
	enum sw_drop drop; /* DROP */
	uint8_t dst;       /* last byte of the destination afterwards; 0: as it came */
	int tci;           /* of the frame afterwards, with PCP; 0: as it came */
	int growth;        /* that is wrong, bytes */
};

#define OUT_OF(port_)                                                                                                  \
	{                                                                                                              \
		.what = OUT, .port = port_                                                                             \
	}
#define OUT_OF_AS(port_, tci_)                                                                                         \
	{                                                                                                              \
		.what = OUT, .port = port_, .tci = tci_                                                                \
	}
#define UPWARDS                                                                                                        \
	{                                                                                                              \
		.what = UP                                                                                             \
	}
#define TO_SET                                                                                                         \
	{                                                                                                              \
		.what = BROADCAST                                                                                      \
	}
#define DROPPED(reason)                                                                                                \
	{                                                                                                              \
		.what = DROP, .drop = SW_DROP_##reason                                                                 \
	}

static struct deed deed;

/* Puts a frame of these addresses and EtherType together; its size. */
static uint32_t put_frame(uint8_t *to, const uint8_t *macs, int tci, const uint8_t *type, uint32_t payload)
{
	uint32_t n = 12;

	memcpy(to, macs, 12);
	if (tci != UNTAGGED) {
		memcpy(to + n, (uint8_t[]){0x81, 0x00, (uint8_t)(tci >> 8), (uint8_t)tci}, TAG);
		n += TAG;
	}
	memcpy(to + n, type, 2);
	memset(to + n + 2, 0x55, payload);
	return n + 2 + payload;
}

static int say_deed(struct datapath *dp, uint32_t ifindex, const void *frame, uint32_t size, struct dp_probe *ret)
{
	static const char *const verdicts[] = {"redirect", "redirect", "redirect", "drop", "pass"};
	const uint8_t *bytes = frame;
	uint32_t tag = bytes[12] == 0x81 && bytes[13] == 0 ? TAG : 0;

	*ret = (struct dp_probe){
		.verdict = verdicts[deed.what],
		.cached = !deed.miss,
		.slot = SLOT,
		.drop = deed.drop,
		.out_port = deed.port,
		.went_up = deed.what == UP,
		.size = size,
	};
	if (deed.tci)
		ret->size = put_frame(ret->frame, frame, deed.tci, bytes + 12 + tag, size - tag - 14);
	else
		memcpy(ret->frame, frame, size < sizeof(ret->frame) ? size : sizeof(ret->frame));
	if (deed.dst)
		ret->frame[5] = deed.dst;
	ret->size += (uint32_t)deed.growth;
	return 0;
}

/* ---- a switch ---- */

struct box {
	struct bench bench;
	struct datapath *dp;
	struct datapath_ops ops;
	struct sets *sets;
};

static void open_box(struct box *box)
{
	memset(box, 0, sizeof(*box));
	open_bench(&box->bench);
	box->dp = dp_memory_create(64, &(struct dp_events){0});
	box->sets = sets_create(box->dp);
	ck_assert(box->dp && box->sets);
	box->ops = *box->dp->ops;
	box->ops.probe = say_deed;
	box->dp->ops = &box->ops;
	ck_assert_uint_eq(add_bridge(&box->bench, "br0"), 1);
	pipeline_bridge_set_learning(box->bench.pl, 1, true);
}

static void close_box(struct box *box)
{
	sets_destroy(box->sets);
	box->dp->ops->destroy(box->dp, true);
	close_bench(&box->bench);
}

/* What the cache has for the frame: what its answer compiles to, but for `flags_off`. */
static void put_flow(struct box *box, const struct sw_key *key, uint8_t flags_off)
{
	static struct xlate answer;
	struct sw_flow *flow = &box->dp->memory.flows[SLOT];
	struct program program;
	struct sw_key masked;

	translate(box->bench.pl, key, NULL, &answer);
	masked = key_masked(key, &answer.mask);
	program_compile(box->sets, box->bench.pl, &masked, &answer, &program);
	flow->n_steps = program.n_steps;
	flow->flags = program.flags ^ flags_off;
	memcpy(flow->steps, program.steps, sizeof(flow->steps)); /* the set, if there is one, stays held */
}

static int tci_of_key(const struct sw_key *key)
{
	uint16_t tci = ntohs(key->f.vlan_tci_be);

	return tci & SW_VLAN_PRESENT ? tci & ~SW_VLAN_PRESENT : UNTAGGED;
}

/* ---- the table ---- */

struct row {
	const char *sentence;
	const char *ports[MAX_PORTS + 1]; /* p1, p2 ..: `vlan` */
	const char *addresses;
	const char *rule; /* actions of a rule for all that comes in by p1; NULL: none */
	const char *frame;
	struct deed deed;
	bool agree;
	const char *text;  /* part of the kernel's; NULL: not looked at */
	uint32_t payload;  /* bytes; 0: 46 */
	uint8_t flags_off; /* that the flow has wrong */
	bool full;         /* the FDB takes no further address */
	bool ipv4;         /* says its EtherType, and there is no such header */
	const char *begin; /* of the payload, 8 bytes; NULL: as the rest of it */
};

#define OPEN                                                                                                           \
	{                                                                                                              \
		"open", "open", "open"                                                                                 \
	}
#define TRUNKS                                                                                                         \
	{                                                                                                              \
		"trunk 10,20", "trunk 10,20", "access 10"                                                              \
	}
#define KNOWN    "0a/0@1 0b/0@2 "
#define IN_10    "0a/10@1 0b/10@2 0c/10@3 "
#define TO_C     ",eth_dst=02:00:00:00:00:0c"
#define V10      ",vlan_vid=10"
#define TO_IPV6  "push_mpls:0x8847,pop_mpls:0x86dd,set_field:2001:db8::1->ipv6_dst,"
#define REWRITES "set_field:02:00:00:00:00:77->eth_dst,"
#define PCP5     ",vlan_pcp=5"

static const struct row rows[] = {
	{"the right port", OPEN, KNOWN, NULL, IN("p1") A TO_B, OUT_OF(2), .agree = true,
		.text = "verdict redirect to p2, 60 bytes"},
	{"another port", OPEN, KNOWN, NULL, IN("p1") A TO_B, OUT_OF(3), .agree = false,
		.text = "verdict redirect to p3, 60 bytes"},
	{"a broadcast in place of a port", OPEN, KNOWN, NULL, IN("p1") A TO_B, TO_SET, .agree = false},
	{"up in place of a port", OPEN, KNOWN, NULL, IN("p1") A TO_B, UPWARDS, .agree = false,
		.text = "verdict redirect to the daemon"},
	{"a drop in place of a port", OPEN, KNOWN, NULL, IN("p1") A TO_B, DROPPED(PORT_DOWN), .agree = false,
		.text = "verdict drop (port_down)"},
	{"to the kernel in place of a port", OPEN, KNOWN, NULL, IN("p1") A TO_B, {.what = PASS}, .agree = false,
		.text = "verdict pass"},
	{"a tag that nobody asked for", OPEN, KNOWN, NULL, IN("p1") A TO_B, OUT_OF_AS(2, 10), .agree = false},
	{"the right port, and a byte lost", OPEN, KNOWN, NULL, IN("p1") A TO_B, {.what = OUT, .port = 2, .growth = -1},
		.agree = false},
	{"other flags in the flow", OPEN, KNOWN, NULL, IN("p1") A TO_B, OUT_OF(2), .agree = false,
		.flags_off = SW_FLOW_LEARN},

	{"trunk to trunk, the tag stays", TRUNKS, IN_10, NULL, IN("p1") A TO_B V10 PCP5, OUT_OF(2), .agree = true,
		.text = "redirect to p2, 64 bytes"},
	{"trunk to trunk, the tag is lost", TRUNKS, IN_10, NULL, IN("p1") A TO_B V10, OUT_OF_AS(2, UNTAGGED),
		.agree = false},
	{"trunk to trunk, another VLAN", TRUNKS, IN_10, NULL, IN("p1") A TO_B V10, OUT_OF_AS(2, 20), .agree = false},
	{"trunk to trunk, the priority is lost", TRUNKS, IN_10, NULL, IN("p1") A TO_B V10 PCP5, OUT_OF_AS(2, 10),
		.agree = false},
	{"trunk to access, the tag goes", TRUNKS, IN_10, NULL, IN("p1") A TO_C V10, OUT_OF_AS(3, UNTAGGED),
		.agree = true, .text = "redirect to p3, 60 bytes"},
	{"trunk to access, the tag stays", TRUNKS, IN_10, NULL, IN("p1") A TO_C V10, OUT_OF(3), .agree = false},
	{"access to trunk, a tag comes", TRUNKS, IN_10, NULL, IN("p3") "eth_src=02:00:00:00:00:0c" TO_A,
		OUT_OF_AS(1, 10), .agree = true, .text = "redirect to p1, 64 bytes"},
	{"access to trunk, none comes", TRUNKS, IN_10, NULL, IN("p3") "eth_src=02:00:00:00:00:0c" TO_A, OUT_OF(1),
		.agree = false},
	{"access to trunk, another comes", TRUNKS, IN_10, NULL, IN("p3") "eth_src=02:00:00:00:00:0c" TO_A,
		OUT_OF_AS(1, 20), .agree = false},
	{"a priority tag gets its VLAN", {"access 10", "trunk 10"}, "0a/10@1 0b/10@2", NULL,
		IN("p1") A TO_B ",vlan_vid=0" PCP5, OUT_OF_AS(2, 5 << 13 | 10), .agree = true},
	{"a priority tag gets its VLAN, and loses its priority", {"access 10", "trunk 10"}, "0a/10@1 0b/10@2", NULL,
		IN("p1") A TO_B ",vlan_vid=0" PCP5, OUT_OF_AS(2, 10), .agree = false},

	{"a new source goes up", OPEN, "0b/0@2", NULL, IN("p1") A TO_B, UPWARDS, .agree = true,
		.text = "verdict redirect to the daemon, which is to learn its source"},
	{"a new source does not", OPEN, "0b/0@2", NULL, IN("p1") A TO_B, OUT_OF(2), .agree = false},
	{"a new source of a full table does not", OPEN, "0b/0@2", NULL, IN("p1") A TO_B, OUT_OF(2), .agree = true,
		.full = true},
	{"a new source of a full table goes up", OPEN, "0b/0@2", NULL, IN("p1") A TO_B, UPWARDS, .agree = false,
		.full = true},
	{"a source that moved goes up", OPEN, "0a/0@3 0b/0@2", NULL, IN("p1") A TO_B, UPWARDS, .agree = true,
		.text = "learn its source", .full = true},
	{"a source that moved does not", OPEN, "0a/0@3 0b/0@2", NULL, IN("p1") A TO_B, OUT_OF(2), .agree = false},
	{"a port that is down sends up", {"-open", "open"}, "0b/0@2", NULL, IN("p1") A TO_B, UPWARDS, .agree = true},

	{"a flood", OPEN, KNOWN, NULL, IN("p1") A TO_ALL, TO_SET, .agree = true,
		.text = "verdict redirect to all that its broadcast names"},
	{"one port of a flood", OPEN, KNOWN, NULL, IN("p1") A TO_ALL, OUT_OF(2), .agree = false},
	{"a flood goes up", OPEN, KNOWN, NULL, IN("p1") A TO_ALL, UPWARDS, .agree = false},
	{"a flood that is too long for a port goes up", OPEN, KNOWN, NULL, IN("p1") A TO_ALL, UPWARDS, .agree = true,
		.payload = 1505},
	{"a flood to a port that is slow goes up", {"open", "open", "~open"}, KNOWN, NULL, IN("p1") A TO_ALL, UPWARDS,
		.agree = true},
	{"a flood to a port that is slow does not", {"open", "open", "~open"}, KNOWN, NULL, IN("p1") A TO_ALL, TO_SET,
		.agree = false},
	{"a flood to one port", {"open", "open"}, KNOWN, NULL, IN("p1") A TO_ALL, OUT_OF(2), .agree = true},
	{"a flood to one port, broadcast", {"open", "open"}, KNOWN, NULL, IN("p1") A TO_ALL, TO_SET, .agree = false},
	{"a flood to nobody is dropped", {"open"}, "0a/0@1", NULL, IN("p1") A TO_ALL, DROPPED(NO_OUTPUT),
		.agree = true},

	{"a port that is slow: up", {"open", "~open", "open"}, KNOWN, NULL, IN("p1") A TO_B, UPWARDS, .agree = true},
	{"a port that is slow: out", {"open", "~open", "open"}, KNOWN, NULL, IN("p1") A TO_B, OUT_OF(2),
		.agree = false},
	{"a fast port beside a slow one: out", {"open", "open", "~open"}, KNOWN, NULL, IN("p1") A TO_B, OUT_OF(2),
		.agree = true},
	{"a fast port beside a slow one: up", {"open", "open", "~open"}, KNOWN, NULL, IN("p1") A TO_B, UPWARDS,
		.agree = false},
	{"a small frame for a port of one buffer: up", {"open", "=open"}, KNOWN, NULL, IN("p1") A TO_B, UPWARDS,
		.agree = false},
	{"a big frame for a port of one buffer: up", {"open", "=open"}, KNOWN, NULL, IN("p1") A TO_B, UPWARDS,
		.agree = true, .payload = 4000},
	{"a big frame for a port of many: up", OPEN, KNOWN, NULL, IN("p1") A TO_B, UPWARDS, .agree = false,
		.payload = 4000},

	{"back where it came from", OPEN, "0a/0@1 0b/0@1", NULL, IN("p1") A TO_B, DROPPED(SAME_PORT), .agree = true,
		.text = "verdict drop (same_port)"},
	{"dropped for another reason", OPEN, "0a/0@1 0b/0@1", NULL, IN("p1") A TO_B, DROPPED(PORT_DOWN), .agree = false,
		.text = "verdict drop (port_down)"},
	{"out in place of a drop", OPEN, "0a/0@1 0b/0@1", NULL, IN("p1") A TO_B, OUT_OF(1), .agree = false},
	{"up in place of a drop", OPEN, "0a/0@1 0b/0@1", NULL, IN("p1") A TO_B, UPWARDS, .agree = false},
	{"dropped for no reason", OPEN, "0a/0@1 0b/0@1", NULL, IN("p1") A TO_B, {.what = DROP}, .agree = false},
	{"dropped, and out", OPEN, "0a/0@1 0b/0@1", NULL, IN("p1") A TO_B,
		{.what = DROP, .drop = SW_DROP_SAME_PORT, .port = 1}, .agree = false},
	{"up, and out", OPEN, "0b/0@2", NULL, IN("p1") A TO_B, {.what = UP, .port = 2}, .agree = false},

	{"a rule's port", OPEN, KNOWN, "output:p3", IN("p1") A TO_B, OUT_OF(3), .agree = true},
	{"not a rule's port", OPEN, KNOWN, "output:p3", IN("p1") A TO_B, OUT_OF(2), .agree = false},
	{"a rule's drop", OPEN, KNOWN, "drop", IN("p1") A TO_B, DROPPED(RULE), .agree = true},
	{"a rule that the daemon does", OPEN, KNOWN, "NORMAL,output:p3", IN("p1") A TO_B, UPWARDS, .agree = true},
	{"a rule that the daemon does, done", OPEN, KNOWN, "NORMAL,output:p3", IN("p1") A TO_B, OUT_OF(2),
		.agree = false},

	{"a rule's rewrite", OPEN, KNOWN, REWRITES "output:p3", IN("p1") A TO_B, {.what = OUT, .port = 3, .dst = 0x77},
		.agree = true, .text = "rewrite:[set_field:02:00:00:00:00:77->eth_dst],output:p3"},
	{"a rewrite undone", OPEN, KNOWN, REWRITES "output:p3", IN("p1") A TO_B, OUT_OF(3), .agree = false},
	{"another rewrite", OPEN, KNOWN, REWRITES "output:p3", IN("p1") A TO_B, {.what = OUT, .port = 3, .dst = 0x78},
		.agree = false},
	{"a rewrite to another port", OPEN, KNOWN, REWRITES "output:p3", IN("p1") A TO_B,
		{.what = OUT, .port = 2, .dst = 0x77}, .agree = false},
	{"a rewrite that loses a byte", OPEN, KNOWN, REWRITES "output:p3", IN("p1") A TO_B,
		{.what = OUT, .port = 3, .dst = 0x77, .growth = -1}, .agree = false},
	{"a rewrite goes up", OPEN, KNOWN, REWRITES "output:p3", IN("p1") A TO_B, UPWARDS, .agree = false},
	{"a rewrite of many buffers goes up", OPEN, KNOWN, REWRITES "output:p3", IN("p1") A TO_B, UPWARDS,
		.agree = true, .payload = 4000},
	{"a rewrite of IP where the header is none goes up", OPEN, KNOWN, "dec_ttl,output:p3", IN("p1") A TO_B, UPWARDS,
		.agree = true, .ipv4 = true},
	{"a rewrite of IP in something else goes up", OPEN, KNOWN, "dec_ttl,output:p3", IN("p1") A TO_B, UPWARDS,
		.agree = false},
	{"a rewrite for several", OPEN, KNOWN, REWRITES "output:p2,output:p3", IN("p1") A TO_B,
		{.what = BROADCAST, .dst = 0x77}, .agree = true},
	{"a rewrite for several, undone", OPEN, KNOWN, REWRITES "output:p2,output:p3", IN("p1") A TO_B, TO_SET,
		.agree = false},
	{"a tag that a rule pushes", OPEN, KNOWN, "push_vlan:0x8100,output:p2", IN("p1") A TO_B, OUT_OF_AS(2, 0),
		.agree = false},
	{"a label whose TTL ends goes up", OPEN, KNOWN, "push_mpls:0x8847,dec_mpls_ttl,output:p3", IN("p1") A TO_B,
		UPWARDS, .agree = true},
	{"a label whose TTL does not end goes up", OPEN, KNOWN,
		"push_mpls:0x8847,set_mpls_ttl:2,dec_mpls_ttl,output:p3", IN("p1") A TO_B, UPWARDS, .agree = false},
	{"what a label has hidden has extension headers", OPEN, KNOWN, TO_IPV6 "output:p3", IN("p1") A TO_B, UPWARDS,
		.agree = true, .begin = "\x60\0\0\0\0\6\x3c\x40"},
	{"what a label has hidden has none", OPEN, KNOWN, TO_IPV6 "output:p3", IN("p1") A TO_B, UPWARDS, .agree = false,
		.begin = "\x60\0\0\0\0\6\x3b\x40"},
	{"a rewrite that the daemon does", OPEN, KNOWN,
		"pop_pbb,pop_pbb,pop_pbb,pop_pbb,pop_pbb,pop_pbb,pop_pbb,pop_pbb,output:p2", IN("p1") A TO_B, UPWARDS,
		.agree = true},

	{"a miss goes up", OPEN, KNOWN, NULL, IN("p1") A TO_B, {.miss = true, .what = UP}, .agree = true,
		.text = "it goes up"},
	{"a miss is dropped", OPEN, KNOWN, NULL, IN("p1") A TO_B,
		{.miss = true, .what = DROP, .drop = SW_DROP_MISS_LIMIT}, .agree = true,
		.text = "verdict drop (miss_limit)"},
	{"a miss of what is cached", OPEN, KNOWN, NULL, IN("p1") A TO_B, {.miss = true, .is_cached = true, .what = UP},
		.agree = false, .text = "does not find the flow that is cached"},
	{"a miss goes out", OPEN, KNOWN, NULL, IN("p1") A TO_B, {.miss = true, .what = OUT, .port = 2}, .agree = false},
};

static void set_up(struct box *box, const struct row *row)
{
	open_box(box);
	add_ports(&box->bench, 1, row->ports, MAX_PORTS);
	add_addresses(&box->bench, row->addresses);
	if (row->full)
		pipeline_bridge_set_learning(box->bench.pl, 1, false);
	if (row->rule)
		put_rule(&box->bench, "in_port=p1", 10, row->rule);
}

START_TEST(they_agree_or_not)
{
	const struct row *row = &rows[_i];
	static uint8_t frame[8192];
	struct trace_result *result = malloc(sizeof(*result));
	struct complaint complaint = {""};
	struct trace_parts parts;
	struct sw_key key;
	struct box box;
	uint8_t macs[12];
	uint16_t type_be;
	uint32_t size;

	set_up(&box, row);
	parts = (struct trace_parts){
		.dp = box.dp, .pl = box.bench.pl, .sets = box.sets, .is_cached = row->deed.is_cached};
	key = key_of(&box.bench, row->frame);
	put_flow(&box, &key, row->flags_off);
	deed = row->deed;
	memcpy(macs, key.f.eth_dst, 6);
	memcpy(macs + 6, key.f.eth_src, 6);
	type_be = htons(row->ipv4 ? 0x0800 : 0x88b5);
	size = put_frame(frame, macs, tci_of_key(&key), (uint8_t *)&type_be, row->payload ? row->payload : 46);
	if (row->begin)
		memcpy(frame + 14, row->begin, 8);
	ck_assert_int_eq(trace_run(&parts, &key, frame, size, NULL, result, &complaint), 0);
	ck_assert(result->probed);
	ck_assert_msg(result->agree == row->agree, "%s: %s, for '%s': '%s'", row->sentence,
		result->agree ? "they agree" : "they do not agree", result->answer, result->kernel);
	ck_assert_msg(!row->text || strstr(result->kernel, row->text), "%s: '%s'", row->sentence, result->kernel);
	close_box(&box);
	free(result);
}
END_TEST

static const struct {
	const char *key, *fields;
} shown[] = {
	{IN("p1") A TO_B, "in_port=p1,vlan_vid=none,eth_src=02:00:00:00:00:0a,eth_dst=02:00:00:00:00:0b"},
	{IN("p1") A TO_B V10 ",eth_type=0x0806,arp_spa=10.0.0.1",
		"in_port=p1,vlan_vid=10,vlan_pcp=0,eth_src=02:00:00:00:00:0a,eth_dst=02:00:00:00:00:0b,eth_type=0x0806,"
		"arp_spa=10.0.0.1,arp_tpa=0.0.0.0,arp_op=0"},
	{IN("p1") A TO_B ",eth_type=0x0800,ip_proto=17,ip_src=10.0.0.1,udp_dst=53",
		"in_port=p1,vlan_vid=none,eth_src=02:00:00:00:00:0a,eth_dst=02:00:00:00:00:0b,eth_type=0x0800,"
		"ip_proto=17,ip_dscp=0,ip_ecn=0,ip_ttl=0,ip_frag=no,ip_src=10.0.0.1,ip_dst=0.0.0.0,udp_src=0,udp_dst="
		"53"},
};

START_TEST(of_a_key_what_such_a_frame_has_is_shown)
{
	struct trace_result *result = malloc(sizeof(*result));
	struct complaint complaint = {""};
	struct trace_parts parts;
	struct sw_key key;
	struct box box;

	set_up(&box, &rows[0]);
	parts = (struct trace_parts){.dp = box.dp, .pl = box.bench.pl, .sets = box.sets};
	key = key_of(&box.bench, shown[_i].key);
	ck_assert_int_eq(trace_run(&parts, &key, NULL, 0, NULL, result, &complaint), 0);
	ck_assert_str_eq(result->fields, shown[_i].fields);
	ck_assert(strstr(result->key, "tcp_flags=") && !result->probed);
	close_box(&box);
	free(result);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("trace");
	Suite *suite = suite_create("trace");
	SRunner *runner;
	int n_failed;

	tcase_add_loop_test(tcase, they_agree_or_not, 0, (int)(sizeof(rows) / sizeof(rows[0])));
	tcase_add_loop_test(tcase, of_a_key_what_such_a_frame_has_is_shown, 0, (int)(sizeof(shown) / sizeof(shown[0])));
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? 1 : 0;
}
