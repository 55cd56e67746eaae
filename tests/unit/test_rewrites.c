/* SPDX-License-Identifier: BSD-2-Clause */
/* Rewrites: what is shared and for how long, and which answers the program carries out with one. */
#include "dataplane/rewrites.h"

#include "dataplane/complaint.h"
#include "dataplane/group.h"
#include "dataplane/ofbridge.h"
#include "dataplane/table.h"
#include "tests/unit/cache_lab.h"
#include "tests/unit/suite.h"

#include <errno.h>

static struct lab lab;
static struct rewrites *rewrites;
static struct sw_rewrite *memory;

static void open_lab(void)
{
	lab_open(&lab, 64, 6);
	rewrites = sets_rewrites(lab.sets);
	memory = lab.dp->memory.rewrites;
	dp_memory_end_grace_at_once(lab.dp, false);
}

static void close_lab(void)
{
	lab_close(&lab);
}

/* ---- the actions ---- */

static struct actions read_actions(const char *text, struct action list[SW_MAX_EDITS + 1])
{
	struct flow_names names = pipeline_of_names(pipeline_bridge(lab.pl, 1));
	struct complaint complaint = {""};
	struct actions actions;

	ck_assert_msg(!actions_parse(text, &names, list, SW_MAX_EDITS + 1, &actions, &complaint), "'%s': %s", text,
		complaint.text);
	return actions;
}

/* Pointers to what the text says; how many. */
static uint32_t point_at(const char *text, const struct action *pointers[SW_MAX_EDITS + 1])
{
	static struct action list[SW_MAX_EDITS + 1];
	struct actions actions = read_actions(text, list);

	for (uint32_t i = 0; i < actions.n; i++)
		pointers[i] = &list[i];
	return actions.n;
}

static uint32_t get(const char *text);

static bool is_fast(const char *text)
{
	const struct action *pointers[SW_MAX_EDITS + 1];
	uint32_t n = point_at(text, pointers);

	return rewrite_is_fast(pointers, n);
}

/* The program does it at one stroke. */
static bool has_patch(const char *text)
{
	uint32_t id = get(text);

	ck_assert_uint_ne(id, SW_MAX_REWRITES);
	return memory[id].patch.does;
}

static uint32_t get(const char *text)
{
	const struct action *pointers[SW_MAX_EDITS + 1];
	uint32_t n = point_at(text, pointers);

	return rewrites_get(rewrites, pointers, n);
}

/* The text of a number that is as good as any other. */
static uint32_t get_numbered(uint32_t n)
{
	char text[64];

	snprintf(text, sizeof(text), "set_field:02:00:00:%02x:%02x:%02x->eth_dst", n >> 16, n >> 8 & 255, n & 255);
	return get(text);
}

static const char *format(uint32_t id)
{
	static char text[1200];

	rewrites_format(rewrites, id, text, sizeof(text));
	return text;
}

static const char *const fast[] = {
	"set_field:02:00:00:00:00:01->eth_dst",
	"set_field:02:00:00:00:00:01->eth_src",
	"push_vlan:0x8100",
	"pop_vlan",
	"set_field:7->vlan_vid",
	"set_field:5->vlan_pcp",
	"dec_ttl",
	"set_nw_ttl:9",
	"set_field:10->ip_dscp",
	"set_field:1->ip_ecn",
	"set_field:192.0.2.1->ip_src",
	"set_field:192.0.2.1->ip_dst",
	"set_field:2001:db8::1->ipv6_src",
	"set_field:2001:db8::1->ipv6_dst",
	"set_field:80->tcp_src",
	"set_field:80->tcp_dst",
	"set_field:80->udp_src",
	"set_field:80->udp_dst",
	"set_field:8->icmp_type",
	"set_field:1->icmp_code",
	"set_field:128->icmpv6_type",
	"set_field:1->icmpv6_code",
	"set_field:2->arp_op",
	"set_field:192.0.2.1->arp_spa",
	"set_field:192.0.2.1->arp_tpa",
	"set_field:02:00:00:00:00:01->arp_sha",
	"set_field:02:00:00:00:00:01->arp_tha",
	"push_vlan:0x88a8",
	"push_mpls:0x8847",
	"push_mpls:0x8848",
	"pop_mpls:0x0800",
	"push_pbb:0x88e7",
	"pop_pbb",
	"dec_mpls_ttl",
	"set_mpls_ttl:3",
	"copy_ttl_in",
	"copy_ttl_out",
	"set_field:17->mpls_label",
	"set_field:5->mpls_tc",
	"set_field:1->mpls_bos",
	"set_field:70000->pbb_isid",
	"set_field:80->sctp_src",
	"set_field:80->sctp_dst",
	"set_field:6->ip_proto",
	"set_field:0x0800->eth_type",
	"set_field:2001:db8::1->nd_target",
	"set_field:02:00:00:00:00:01->nd_sll",
	"set_field:02:00:00:00:00:01->nd_tll",
	"set_field:0x00000005->ipv6_label",
};

#define EIGHT_PUSHES                                                                                                   \
	"push_pbb:0x88e7,push_pbb:0x88e7,push_pbb:0x88e7,push_pbb:0x88e7,push_pbb:0x88e7,push_pbb:0x88e7,"             \
	"push_pbb:0x88e7,push_vlan:0x8100"

static const char *const slow[] = {
	"output:2",
	"group:1",
	"dec_ttl,output:2",
	/* 17 edits, and such that a frame would grow, or shrink, by more than SW_MAX_PUSHED */
	"dec_ttl,dec_ttl,dec_ttl,dec_ttl,dec_ttl,dec_ttl,dec_ttl,dec_ttl,dec_ttl,dec_ttl,dec_ttl,dec_ttl,dec_ttl,"
	"dec_ttl,dec_ttl,dec_ttl,dec_ttl",
	EIGHT_PUSHES,
	"pop_pbb,pop_pbb,pop_pbb,pop_pbb,pop_pbb,pop_pbb,pop_pbb,pop_pbb",
};

START_TEST(an_action_that_the_program_can_do_comes_back_as_it_was)
{
	ck_assert(is_fast(fast[_i]));
	ck_assert_str_eq(format(get(fast[_i])), fast[_i]);
}
END_TEST

START_TEST(other_lists_are_the_daemons)
{
	ck_assert(!is_fast(slow[_i]));
}
END_TEST

static const char *const patched[] = {
	"set_field:02:00:00:00:00:01->eth_src,set_field:02:00:00:00:00:02->eth_dst,dec_ttl",
	"set_field:10.1.2.3->ip_src,set_field:80->tcp_src",
	"set_field:10.1.2.3->ip_dst,set_field:80->udp_dst,set_field:46->ip_dscp,set_field:1->ip_ecn",
	"set_nw_ttl:2,dec_ttl,set_nw_ttl:7",
};

/* What may end otherwise than edit by edit, or is not for every frame of the kind, or moves headers. */
static const char *const unpatched[] = {
	"set_field:0.0.0.0->ip_src",
	"set_field:0->tcp_dst",
	"set_field:80->tcp_src,set_field:80->udp_src",
	"set_field:80->sctp_src",
	"set_nw_ttl:1,dec_ttl",
	"dec_ttl,push_vlan:0x8100",
	"set_field:6->ip_proto",
};

START_TEST(what_is_always_at_the_same_place_is_done_at_one_stroke)
{
	ck_assert(has_patch(patched[_i]));
}
END_TEST

START_TEST(the_rest_is_done_edit_by_edit)
{
	ck_assert(!has_patch(unpatched[_i]));
}
END_TEST

START_TEST(only_so_many_edits_fit)
{
	char text[200] = "dec_ttl";

	ck_assert_uint_eq(rewrites_get(rewrites, NULL, 0), SW_MAX_REWRITES);
	for (int i = 1; i < SW_MAX_EDITS; i++)
		strcat(text, ",dec_ttl");
	ck_assert_uint_ne(get(text), SW_MAX_REWRITES);
	ck_assert_str_eq(format(get(text)), text);
	strcat(text, ",dec_ttl");
	ck_assert_uint_eq(get(text), SW_MAX_REWRITES);
}
END_TEST

/* ---- sharing ---- */

START_TEST(equal_lists_share_an_id_and_others_do_not)
{
	uint32_t id = get("dec_ttl,pop_vlan");

	ck_assert_uint_eq(get("dec_ttl,pop_vlan"), id);
	ck_assert_uint_eq(rewrites_users(rewrites, id), 2);
	ck_assert_uint_ne(get("pop_vlan,dec_ttl"), id);
	ck_assert_uint_ne(get("dec_ttl"), id);
	ck_assert_uint_ne(get("set_nw_ttl:1"), get("set_nw_ttl:2"));
	ck_assert_uint_ne(get("set_field:80->tcp_src"), get("set_field:80->udp_src"));
	ck_assert_int_eq(rewrites_hold(rewrites, id), 0);
	ck_assert_uint_eq(rewrites_users(rewrites, id), 3);
	ck_assert_int_eq(rewrites_hold(rewrites, 4000), -ENOENT);
	ck_assert_int_eq(rewrites_hold(rewrites, SW_MAX_REWRITES), -ENOENT);
}
END_TEST

START_TEST(what_nobody_holds_stays_until_its_id_is_needed)
{
	uint32_t first = get_numbered(0), second;

	for (uint32_t n = 1; n < SW_MAX_REWRITES; n++)
		must(get_numbered(n) != SW_MAX_REWRITES);
	ck_assert_uint_eq(get_numbered(SW_MAX_REWRITES), SW_MAX_REWRITES); /* all are held */
	second = get_numbered(1);
	rewrites_drop(rewrites, second);
	rewrites_drop(rewrites, second);
	rewrites_drop(rewrites, first);
	ck_assert_uint_eq(get_numbered(0), first); /* it was still there */
	rewrites_drop(rewrites, first);
	ck_assert_uint_eq(get_numbered(SW_MAX_REWRITES), second); /* idle longest */
	ck_assert_str_eq(format(second), "set_field:02:00:00:00:10:00->eth_dst");
	ck_assert_uint_eq(get_numbered(SW_MAX_REWRITES + 1), first);
	ck_assert_uint_eq(get_numbered(1), SW_MAX_REWRITES);
}
END_TEST

/* ---- a daemon's next life ---- */

START_TEST(a_next_daemon_finds_what_is_there)
{
	uint32_t id = get("dec_ttl"), other = get("pop_vlan");

	lab_restart(&lab);
	rewrites = sets_rewrites(lab.sets);
	ck_assert_str_eq(format(id), "dec_ttl");
	ck_assert_uint_eq(get("pop_vlan"), other);
	ck_assert_uint_eq(rewrites_users(rewrites, id), 1); /* until a grace period has ended */
	lab_settle(&lab);
	lab_let_grace_pass(&lab);
	ck_assert_uint_eq(rewrites_users(rewrites, id), 0);
	ck_assert_uint_eq(rewrites_users(rewrites, other), 1);
}
END_TEST

static void no_such_edit(struct sw_rewrite *rewrite)
{
	rewrite->edits[0].op = SW_N_EDIT_OPS;
}

static void too_many(struct sw_rewrite *rewrite)
{
	rewrite->n_edits = SW_MAX_EDITS + 1;
}

static void a_look_too_few(struct sw_rewrite *rewrite)
{
	rewrite->looks = 0;
}

static void a_ttl_too_low(struct sw_rewrite *rewrite)
{
	rewrite->ttl_least[0] = 1;
}

static void no_growth(struct sw_rewrite *rewrite)
{
	rewrite->growth = 0;
}

static void rest_of_another(struct sw_rewrite *rewrite)
{
	rewrite->edits[9].value[3] = 1;
}

static void (*const damages[])(struct sw_rewrite *rewrite) = {
	no_such_edit, too_many, a_look_too_few, a_ttl_too_low, no_growth, rest_of_another};

START_TEST(what_contradicts_itself_goes)
{
	uint32_t id = get("push_vlan:0x8100,dec_ttl");

	damages[_i](&memory[id]);
	lab_restart(&lab);
	rewrites = sets_rewrites(lab.sets);
	ck_assert(!rewrites_exist(rewrites, id));
}
END_TEST

START_TEST(of_two_that_are_the_same_one_goes)
{
	uint32_t id = get("push_vlan:0x8100,dec_ttl");

	memory[id + 1] = memory[id];
	lab_restart(&lab);
	rewrites = sets_rewrites(lab.sets);
	ck_assert(rewrites_exist(rewrites, id) && !rewrites_exist(rewrites, id + 1));
}
END_TEST

/* ---- which answers are carried out with one ---- */

/* A rule for all that comes in by p1, in this table. */
static void put_rule(uint8_t table, const char *apply, const char *write, uint8_t go_to)
{
	struct action apply_list[SW_MAX_EDITS + 1], write_list[SW_MAX_EDITS + 1];
	struct actions applied = read_actions(apply, apply_list), written = read_actions(write, write_list);
	struct instructions rest = {.goes_on = go_to, .goto_table = go_to};
	struct flow_mod mod = {.table_id = table, .priority = 9, .out_port = OF_PORT_ANY, .out_group = GROUP_ANY};

	mod.instructions = instructions_create(&rest, &applied, &written);
	ck_assert_int_eq(ofbridge_flow_mod(ofbridges_get(lab.bridges, 1), &mod), OF_OK);
	free(mod.instructions);
}

static void put_group(uint32_t id, uint8_t type, const char *first, const char *second)
{
	struct action lists[2][SW_MAX_EDITS + 1];
	struct bucket buckets[2] = {{.watch_port = OF_PORT_ANY, .watch_group = GROUP_ANY},
		{.watch_port = OF_PORT_ANY, .watch_group = GROUP_ANY}};
	struct group_mod mod = {.type = type, .id = id, .buckets = buckets};

	buckets[mod.n_buckets++].actions = read_actions(first, lists[0]);
	if (second)
		buckets[mod.n_buckets++].actions = read_actions(second, lists[1]);
	ck_assert_int_eq(ofbridge_group_mod(ofbridges_get(lab.bridges, 1), &mod), OF_OK);
}

/* What waits for its ports to be followed waits no more. */
static void follow(void)
{
	cache_settle(lab.cache, lab.now_ns);
	lab_let_grace_pass(&lab);
	cache_settle(lab.cache, lab.now_ns);
}

static const char *installed(void)
{
	static char text[1500];
	struct sw_key key = lab_key(1, 1, 2);
	struct dp_memory_hit hit;

	key.f.vlan_tci_be = htons(SW_VLAN_PRESENT | 5);
	ck_assert_int_eq(lab_miss(&lab, &key), 0);
	follow();
	hit = lab_hit(&lab, &key);
	program_format(lab.pl, lab.sets, hit.flow->steps, hit.flow->n_steps, text, sizeof(text));
	return text;
}

static const struct {
	const char *sentence, *apply, *write, *second; /* of a second table; NULL: there is none */
	const char *steps;
	const char *why; /* the daemon does it; NULL: the program does */
} answers[] = {
	{"one output", "dec_ttl,output:2", "drop", NULL, "rewrite:[dec_ttl],output:p2", NULL},
	{"several outputs", "dec_ttl,output:2,output:3", "drop", NULL, "rewrite:[dec_ttl],broadcast:p2+p3", NULL},
	{"a flood, whose set is that of all ports", "dec_ttl,FLOOD", "drop", NULL,
		"rewrite:[dec_ttl],broadcast:p1+p2+p3+p4+p5+p6", NULL},
	{"back, and nowhere else", "dec_ttl,IN_PORT", "drop", NULL, "rewrite:[dec_ttl],output:p1", NULL},
	{"back, and elsewhere", "dec_ttl,IN_PORT,output:2", "drop", NULL,
		"copies:[dec_ttl,output:p1; dec_ttl,output:p2]", NULL},
	{"one port twice", "dec_ttl,output:2,output:2", "drop", NULL, "upcall:action",
		"it goes out of one port more than once"},
	{"back as it came, and elsewhere", "IN_PORT,output:2", "drop", NULL, "copies:[output:p1; output:p2]", NULL},
	{"rewritten in between", "output:2,set_field:7->vlan_vid,output:3", "drop", NULL,
		"copies:[output:p2; set_field:7->vlan_vid,output:p3]", NULL},
	{"each in its own way", "output:4,push_vlan:0x8100,set_field:7->vlan_vid,output:3,dec_ttl,output:2,IN_PORT",
		"drop", NULL,
		"copies:[push_vlan:0x8100,set_field:7->vlan_vid,dec_ttl,output:p1; "
		"push_vlan:0x8100,set_field:7->vlan_vid,dec_ttl,output:p2; "
		"push_vlan:0x8100,set_field:7->vlan_vid,output:p3; "
		"output:p4]",
		NULL},
	{"one port twice, in two ways", "output:2,dec_ttl,output:2", "drop", NULL, "upcall:action",
		"it goes out of one port more than once"},
	{"to grow beyond what there is room for",
		"output:3,push_vlan:0x8100,push_vlan:0x8100,push_vlan:0x8100,push_vlan:0x8100,push_vlan:0x8100,"
		"push_vlan:0x8100,push_vlan:0x8100,output:2",
		"drop", NULL, "upcall:action", NULL},
	{"in between by a service tag", "output:2,push_vlan:0x88a8,output:3", "drop", NULL,
		"copies:[output:p2; push_vlan:0x88a8,output:p3]", NULL},
	{"in between by what may fail on the way", "output:2,push_mpls:0x8847,dec_mpls_ttl,output:3", "drop", NULL,
		"upcall:action", NULL},
	{"a TTL behind the output, which the controller may hear of", "set_field:7->vlan_vid,output:2,dec_ttl", "drop",
		NULL, "upcall:action", "a TTL may end it behind its last output"},
	{"to the controller too", "dec_ttl,output:2,CONTROLLER", "drop", NULL, "controller,rewrite:[dec_ttl],output:p2",
		NULL},
	{"each in its own way, and to the controller", "output:2,CONTROLLER,push_vlan:0x8100,output:3", "drop", NULL,
		"controller,copies:[output:p2; push_vlan:0x8100,output:p3]", NULL},
	{"to the controller alone", "dec_ttl,CONTROLLER", "drop", NULL, "upcall:action",
		"it is rewritten, and goes nowhere"},
	{"to the controller, and a TTL that shows on the way", "push_mpls:0x8847,dec_mpls_ttl,output:2,CONTROLLER",
		"drop", NULL, "upcall:action",
		"it goes to the controller, and may turn out on the way to be none for the program"},
	{"to the controller behind a TTL", "output:2,dec_ttl,CONTROLLER", "drop", NULL, "upcall:action",
		"a TTL may end it behind its last output"},
	{"NORMAL", "dec_ttl,NORMAL", "drop", NULL, "upcall:action", "NORMAL is one of several actions"},
	{"a tag, a label and a backbone's header", "push_vlan:0x88a8,dec_ttl,push_mpls:0x8847,push_pbb:0x88e7,output:2",
		"drop", NULL, "rewrite:[push_vlan:0x88a8,dec_ttl,push_mpls:0x8847,push_pbb:0x88e7],output:p2", NULL},
	{"a field of what a pop lays bare", "push_mpls:0x8847,pop_mpls:0x0800,set_field:192.0.2.1->ip_dst,output:2",
		"drop", NULL, "rewrite:[push_mpls:0x8847,pop_mpls:0x0800,set_field:192.0.2.1->ip_dst],output:p2", NULL},
	{"made longer than the program can", EIGHT_PUSHES ",output:2", "drop", NULL, "upcall:action",
		"it would grow or shrink by more than the program can"},
	{"no output", "dec_ttl", "drop", NULL, "upcall:action", "it is rewritten, and goes nowhere"},
	{"an output that is not sent there", "dec_ttl,output:1", "drop", NULL, "upcall:action",
		"it is rewritten, and goes nowhere"},
	{"by an action set", "drop", "output:2,dec_ttl,pop_vlan", NULL, "rewrite:[pop_vlan,dec_ttl],output:p2", NULL},
	{"by two tables", "set_field:7->vlan_vid", "drop", "set_field:02:00:00:00:00:09->eth_src,output:2",
		"rewrite:[set_field:7->vlan_vid,set_field:02:00:00:00:00:09->eth_src],output:p2", NULL},
	{"by the first of two tables", "dec_ttl", "drop", "output:2", "rewrite:[dec_ttl],output:p2", NULL},
	{"by the action set that two tables wrote", "drop", "dec_ttl", "write output:2", "rewrite:[dec_ttl],output:p2",
		NULL},
	{"a bucket's own", "group:1", "drop", NULL, "rewrite:[set_field:7->vlan_vid,dec_ttl],output:p2", NULL},
	{"what was done before a bucket, and in it", "pop_vlan,group:1", "drop", NULL,
		"rewrite:[pop_vlan,set_field:7->vlan_vid,dec_ttl],output:p2", NULL},
	{"a TTL before a bucket", "dec_ttl,group:1", "drop", NULL,
		"rewrite:[dec_ttl,set_field:7->vlan_vid,dec_ttl],output:p2", NULL},
	{"two buckets that do the same", "group:2", "drop", NULL, "rewrite:[dec_ttl],broadcast:p2+p3", NULL},
	{"two buckets that do not", "group:3", "drop", NULL,
		"copies:[set_field:7->vlan_vid,output:p2; set_field:8->vlan_vid,output:p3]", NULL},
	{"a bucket, and then the frame as it was", "group:1,output:3", "drop", NULL,
		"copies:[set_field:7->vlan_vid,dec_ttl,output:p2; output:p3]", NULL},
	{"a bucket that changes nothing, and then the frame rewritten", "group:4,set_field:7->vlan_vid,output:3",
		"drop", NULL, "copies:[output:p2; set_field:7->vlan_vid,output:p3]", NULL},
	{"a bucket without output whose TTL may end", "group:5,output:3", "drop", NULL, "upcall:action",
		"a TTL may end it behind its last output"},
	{"rewritten alike, and the frame as it was", "group:6", "drop", NULL,
		"copies:[set_field:7->vlan_vid,output:p2; output:p3]", NULL},
	{"a bucket of groups", "group:7", "drop", NULL, "rewrite:[pop_vlan,set_field:7->vlan_vid,dec_ttl],output:p2",
		NULL},
};

START_TEST(what_outputs_get_is_the_programs_to_do)
{
	const char *steps;

	put_group(1, GROUP_TYPE_INDIRECT, "set_field:7->vlan_vid,dec_ttl,output:2", NULL);
	put_group(2, GROUP_TYPE_ALL, "dec_ttl,output:2", "dec_ttl,output:3");
	put_group(3, GROUP_TYPE_ALL, "set_field:7->vlan_vid,output:2", "set_field:8->vlan_vid,output:3");
	put_group(4, GROUP_TYPE_INDIRECT, "output:2", NULL);
	put_group(5, GROUP_TYPE_INDIRECT, "dec_ttl", NULL);
	put_group(6, GROUP_TYPE_ALL, "set_field:7->vlan_vid,output:2", "output:3");
	put_group(7, GROUP_TYPE_INDIRECT, "pop_vlan,group:1", NULL);
	if (answers[_i].second && !strncmp(answers[_i].second, "write ", 6))
		put_rule(1, "drop", answers[_i].second + 6, 0);
	else if (answers[_i].second)
		put_rule(1, answers[_i].second, "drop", 0);
	put_rule(0, answers[_i].apply, answers[_i].write, answers[_i].second ? 1 : 0);
	steps = installed();
	ck_assert_msg(!answers[_i].why == !lab.answer.in_daemon &&
			      (!answers[_i].why || !strcmp(answers[_i].why, lab.answer.in_daemon)),
		"%s: '%s'", answers[_i].sentence, lab.answer.in_daemon ? lab.answer.in_daemon : "the program");
	ck_assert_msg(!strcmp(steps, answers[_i].steps), "%s: got '%s', expected '%s'", answers[_i].sentence, steps,
		answers[_i].steps);
}
END_TEST

START_TEST(a_driver_that_takes_no_redirect_is_the_daemons_and_an_egress_that_untags_makes_copies)
{
	struct port_state slow_port = lab.states[3];
	struct vlan_config access = {.mode = VLAN_ACCESS, .vid = 10};

	put_rule(0, "dec_ttl,output:2,output:3", "drop", 0);
	ck_assert_str_eq(installed(), "rewrite:[dec_ttl],broadcast:p2+p3");
	lab_port_vlan(&lab, 3, &access);
	cache_settle(lab.cache, lab.now_ns);
	ck_assert_int_eq(
		lab_hit(&lab, &(struct sw_key){.f.in_ifindex = IFINDEX_OF + 1}).flow->steps[0].op, SW_OP_UPCALL);
	follow();
	ck_assert_int_eq(
		lab_hit(&lab, &(struct sw_key){.f.in_ifindex = IFINDEX_OF + 1}).flow->steps[0].op, SW_OP_COPIES);
	lab_port_vlan(&lab, 3, &(struct vlan_config){.mode = VLAN_OPEN});
	slow_port.fast = false;
	cache_settle(lab.cache, lab.now_ns);
	ck_assert_int_eq(
		lab_hit(&lab, &(struct sw_key){.f.in_ifindex = IFINDEX_OF + 1}).flow->steps[0].op, SW_OP_REWRITE);
	lab_port_is(&lab, 3, &slow_port);
	cache_settle(lab.cache, lab.now_ns);
	ck_assert_int_eq(
		lab_hit(&lab, &(struct sw_key){.f.in_ifindex = IFINDEX_OF + 1}).flow->steps[0].op, SW_OP_UPCALL);
}
END_TEST

START_TEST(where_none_can_be_had_the_frames_go_up)
{
	for (uint32_t n = 0; n < SW_MAX_REWRITES; n++)
		get_numbered(n);
	put_rule(0, "dec_ttl,output:2", "drop", 0);
	ck_assert_str_eq(installed(), "upcall:action");
}
END_TEST

static void see_why(void *ctx, const struct cache_view *view)
{
	*(const char **)ctx = view->why;
}

/* The flow that lacks a rewrite is in use all the time, and no rule changes. */
START_TEST(where_one_can_be_had_again_the_flow_gets_it)
{
	struct sw_key key = {.f.in_ifindex = IFINDEX_OF + 1};
	uint32_t first = get_numbered(0);
	const char *why = NULL;

	for (uint32_t n = 1; n < SW_MAX_REWRITES; n++)
		get_numbered(n);
	put_rule(0, "dec_ttl,output:2", "drop", 0);
	ck_assert_str_eq(installed(), "upcall:action");
	cache_each(lab.cache, lab.now_ns, see_why, &why);
	ck_assert_str_eq(
		why, "there are no more sets of ports, rewrites, lists of copies or forks to be had, or not yet");
	rewrites_drop(rewrites, first);
	ck_assert_int_eq(lab_hit(&lab, &key).flow->steps[0].op, SW_OP_UPCALL);
	cache_sweep(lab.cache, lab.now_ns);
	lab_settle(&lab);
	ck_assert_int_eq(lab_hit(&lab, &key).flow->steps[0].op, SW_OP_REWRITE);
	cache_each(lab.cache, lab.now_ns, see_why, &why);
	ck_assert_ptr_null(why);
}
END_TEST

START_TEST(without_a_set_neither_is_held)
{
	dp_memory_fail_set_put(lab.dp, -ENOMEM);
	put_rule(0, "dec_ttl,output:2,output:3", "drop", 0);
	ck_assert_str_eq(installed(), "upcall:action");
	ck_assert_uint_eq(rewrites_users(rewrites, 0), 0);
}
END_TEST

/* ---- as long as a program may run on it ---- */

START_TEST(a_flow_holds_its_rewrite_until_a_grace_period_after_its_end)
{
	uint32_t id;

	put_rule(0, "dec_ttl,output:2", "drop", 0);
	installed();
	id = lab_hit(&lab, &(struct sw_key){.f.in_ifindex = IFINDEX_OF + 1}).flow->steps[0].arg;
	ck_assert_uint_eq(rewrites_users(rewrites, id), 1);
	put_rule(0, "pop_vlan,output:2", "drop", 0);
	lab_settle(&lab);
	ck_assert_uint_eq(rewrites_users(rewrites, id), 1);
	lab_let_grace_pass(&lab);
	ck_assert_uint_eq(rewrites_users(rewrites, id), 0);
	installed();
	id = get("pop_vlan");
	ck_assert_uint_eq(rewrites_users(rewrites, id), 2);
	cache_flush(lab.cache);
	ck_assert_uint_eq(rewrites_users(rewrites, id), 2);
	lab_let_grace_pass(&lab);
	ck_assert_uint_eq(rewrites_users(rewrites, id), 1);
}
END_TEST

START_TEST(a_flow_is_adopted_with_its_rewrite_and_not_without)
{
	struct sw_key key = {.f.in_ifindex = IFINDEX_OF + 1};
	struct dp_memory_hit hit;
	uint32_t id;

	put_rule(0, "dec_ttl,output:2", "drop", 0);
	installed();
	id = lab_hit(&lab, &key).flow->steps[0].arg;
	lab_restart(&lab);
	rewrites = sets_rewrites(lab.sets);
	ck_assert_uint_eq(lab_hit(&lab, &key).flow->steps[0].arg, id);
	ck_assert_uint_eq(rewrites_users(rewrites, id), 2); /* and until the grace period ends */
	put_rule(0, "dec_ttl,output:2", "drop", 0);
	lab_settle(&lab);
	lab_let_grace_pass(&lab);
	ck_assert_uint_eq(rewrites_users(rewrites, id), 1);
	memory[id].edits[0].op = SW_N_EDIT_OPS;
	lab_restart(&lab);
	rewrites = sets_rewrites(lab.sets);
	ck_assert(!lab_lookup(&lab, &key, &hit));
}
END_TEST

#define N(array) (int)(sizeof(array) / sizeof((array)[0]))

static Suite *suite(void)
{
	Suite *s = suite_create("rewrites");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, open_lab, close_lab);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, an_action_that_the_program_can_do_comes_back_as_it_was, 0, N(fast));
	tcase_add_loop_test(t, other_lists_are_the_daemons, 0, N(slow));
	tcase_add_loop_test(t, what_is_always_at_the_same_place_is_done_at_one_stroke, 0, N(patched));
	tcase_add_loop_test(t, the_rest_is_done_edit_by_edit, 0, N(unpatched));
	tcase_add_test(t, only_so_many_edits_fit);
	tcase_add_test(t, equal_lists_share_an_id_and_others_do_not);
	tcase_add_test(t, what_nobody_holds_stays_until_its_id_is_needed);
	tcase_add_test(t, a_next_daemon_finds_what_is_there);
	tcase_add_loop_test(t, what_contradicts_itself_goes, 0, N(damages));
	tcase_add_test(t, of_two_that_are_the_same_one_goes);
	tcase_add_loop_test(t, what_outputs_get_is_the_programs_to_do, 0, N(answers));
	tcase_add_test(t, a_driver_that_takes_no_redirect_is_the_daemons_and_an_egress_that_untags_makes_copies);
	tcase_add_test(t, where_none_can_be_had_the_frames_go_up);
	tcase_add_test(t, where_one_can_be_had_again_the_flow_gets_it);
	tcase_add_test(t, without_a_set_neither_is_held);
	tcase_add_test(t, a_flow_holds_its_rewrite_until_a_grace_period_after_its_end);
	tcase_add_test(t, a_flow_is_adopted_with_its_rewrite_and_not_without);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return run_suite(suite());
}
