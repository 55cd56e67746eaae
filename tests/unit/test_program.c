/* SPDX-License-Identifier: BSD-2-Clause */
/* Action programs: what they are, and, on a seeded random stream, what they make of a frame. TEST_SEED=n repeats one.
 */
#include "dataplane/action.h"

#include "tests/unit/cache_lab.h"
#include "tests/unit/seeded.h"
#include "tests/unit/suite.h"

#include <errno.h>

static struct lab lab;
static struct xlate answer;
static struct program program;

static void open_lab(void)
{
	lab_open(&lab, 64, 6);
}

/* All ports that were asked for. */
static void follow(void)
{
	copies_grace_began(sets_copies(lab.sets));
	copies_grace_ended(sets_copies(lab.sets));
}

static void follow_all(void)
{
	for (uint16_t id = 1; id <= 6; id++)
		copies_follow(sets_copies(lab.sets), id);
	follow();
}

static void close_lab(void)
{
	lab_close(&lab);
}

static struct vlan_config access_vlan(uint16_t vid)
{
	return (struct vlan_config){.mode = VLAN_ACCESS, .vid = vid};
}

static struct vlan_config trunk_vlan(uint16_t native, bool native_tagged)
{
	struct vlan_config vlan = {.mode = VLAN_TRUNK, .vid = native, .native_tagged = native_tagged};

	memset(vlan.allowed, 0xff, sizeof(vlan.allowed));
	return vlan;
}

static void port_has(uint16_t id, struct vlan_config vlan)
{
	lab_port_vlan(&lab, id, &vlan);
}

static struct sw_key tagged_key(uint16_t tci)
{
	struct sw_key key = lab_key(1, 1, 2);

	key.f.vlan_tci_be = tci ? htons(tci | SW_VLAN_PRESENT) : 0;
	return key;
}

static void begin_answer(uint16_t vid)
{
	answer = (struct xlate){.bridge = 1, .in_port = 1, .vid = vid, .cacheable = true};
	answer.mask.f.in_ifindex = UINT32_MAX;
	answer.mask.f.vlan_tci_be = htons(SW_VLAN_PRESENT | SW_VLAN_VID);
}

static void add_output(uint16_t port, enum xlate_tag tag)
{
	answer.outputs[answer.n_outputs++] = (struct xlate_output){.port = port, .tag = tag};
}

/* Compiles and returns the text. */
static const char *compiled_for(struct sw_key key)
{
	static char text[200];

	program_compile(lab.sets, lab.pl, &key, &answer, &program);
	program_format(lab.pl, lab.sets, program.steps, program.n_steps, text, sizeof(text));
	program_release(lab.sets, &program);
	return text;
}

static const char *compiled(uint16_t tci)
{
	return compiled_for(tagged_key(tci));
}

/* ---- one output ---- */

static const struct {
	uint16_t tci;
	enum xlate_tag tag;
	uint16_t vid;
	const char *steps;
} singles[] = {
	{0, XLATE_AS_IS, 10, "output:p2"},
	{0, XLATE_UNTAGGED, 10, "output:p2"},
	{0, XLATE_TAGGED, 10, "push_vlan:10,output:p2"},
	{10, XLATE_AS_IS, 10, "output:p2"},
	{10, XLATE_UNTAGGED, 10, "pop_vlan,output:p2"},
	{10, XLATE_TAGGED, 10, "output:p2"},
	{0xe00a, XLATE_TAGGED, 10, "output:p2"},
	{0xe000, XLATE_TAGGED, 10, "set_vlan:10,output:p2"},
	{20, XLATE_TAGGED, 10, "set_vlan:10,output:p2"},
};

START_TEST(one_output_is_rewritten_and_redirected)
{
	begin_answer(singles[_i].vid);
	add_output(2, singles[_i].tag);
	ck_assert_str_eq(compiled(singles[_i].tci), singles[_i].steps);
}
END_TEST

START_TEST(no_output_is_a_drop_with_its_reason)
{
	begin_answer(0);
	answer.drop = SW_DROP_SAME_PORT;
	ck_assert_str_eq(compiled(0), "drop:same_port");
}
END_TEST

START_TEST(what_is_not_cacheable_goes_up)
{
	begin_answer(0);
	add_output(2, XLATE_AS_IS);
	answer.cacheable = false;
	ck_assert_str_eq(compiled(0), "upcall:action");
}
END_TEST

START_TEST(an_output_that_takes_no_redirect_sends_all_of_it_up)
{
	struct port_state slow = lab.states[3];

	slow.fast = false;
	lab_port_is(&lab, 3, &slow);
	begin_answer(0);
	add_output(2, XLATE_AS_IS);
	ck_assert_str_eq(compiled(0), "output:p2");
	add_output(3, XLATE_AS_IS);
	ck_assert_str_eq(compiled(0), "upcall:action");
}
END_TEST

START_TEST(a_rewrite_that_rests_on_a_tag_nobody_looked_at_goes_up)
{
	begin_answer(10);
	add_output(2, XLATE_TAGGED);
	answer.mask.f.vlan_tci_be = 0;
	ck_assert_str_eq(compiled(0), "upcall:action");
	answer.mask.f.vlan_tci_be = htons(SW_VLAN_PRESENT);
	ck_assert_str_eq(compiled(0), "push_vlan:10,output:p2");
	ck_assert_str_eq(compiled(0x1000), "upcall:action");
	answer.outputs[0].tag = XLATE_UNTAGGED;
	ck_assert_str_eq(compiled(0x1000), "pop_vlan,output:p2");
}
END_TEST

START_TEST(flags_say_whether_the_in_port_leaves_checksums_unfinished)
{
	struct port_state guest = lab.states[1];

	begin_answer(0);
	add_output(2, XLATE_AS_IS);
	compiled(0);
	ck_assert_uint_eq(program.flags, 0);
	guest.csum = true;
	lab_port_is(&lab, 1, &guest);
	compiled(0);
	ck_assert_uint_eq(program.flags, SW_FLOW_CSUM);
}
END_TEST

START_TEST(flags_say_whether_the_one_output_takes_several_buffers)
{
	struct port_state tap = lab.states[2];

	tap.sg = false;
	lab_port_is(&lab, 2, &tap);
	begin_answer(0);
	add_output(2, XLATE_AS_IS);
	ck_assert_str_eq(compiled(0), "output:p2");
	ck_assert_uint_eq(program.flags, SW_FLOW_ONE_BUFFER);
	add_output(3, XLATE_AS_IS); /* of a broadcast they go up anyway */
	compiled(0);
	ck_assert_uint_eq(program.flags, 0);
}
END_TEST

/* ---- several ---- */

START_TEST(a_flood_of_one_form_is_broadcast_as_it_came)
{
	begin_answer(0);
	answer.flood = true;
	add_output(2, XLATE_AS_IS);
	add_output(3, XLATE_AS_IS);
	ck_assert_str_eq(compiled(0), "broadcast:p1+p2+p3");
	ck_assert_str_eq(compiled(7), "broadcast:p1+p2+p3");
}
END_TEST

START_TEST(the_ports_of_a_vlan_share_one_set)
{
	uint32_t set;

	begin_answer(0);
	answer.flood = true;
	add_output(2, XLATE_AS_IS);
	add_output(3, XLATE_AS_IS);
	compiled(0);
	set = program.set;
	begin_answer(0);
	answer.flood = true;
	answer.in_port = 2;
	add_output(1, XLATE_AS_IS);
	add_output(3, XLATE_AS_IS);
	compiled(0);
	ck_assert_uint_eq(program.set, set);
	answer.flood = false;
	ck_assert_str_eq(compiled(0), "broadcast:p1+p3");
	ck_assert_uint_ne(program.set, set);
}
END_TEST

START_TEST(mixed_forms_are_broadcast_with_a_tag_that_the_egress_program_takes_off)
{
	follow_all();
	port_has(2, access_vlan(10));
	port_has(3, trunk_vlan(0, false));
	begin_answer(10);
	add_output(2, XLATE_UNTAGGED);
	add_output(3, XLATE_TAGGED);
	ck_assert_str_eq(compiled(0), "push_vlan:10,broadcast:p2+p3");
	ck_assert_str_eq(compiled(10), "broadcast:p2+p3");
	ck_assert_str_eq(compiled(0xe000), "set_vlan:10,broadcast:p2+p3");
}
END_TEST

START_TEST(a_tagged_frame_keeps_its_tag_until_egress_even_if_nobody_wants_it)
{
	follow_all();
	port_has(2, access_vlan(10));
	port_has(3, access_vlan(10));
	begin_answer(10);
	add_output(2, XLATE_UNTAGGED);
	add_output(3, XLATE_UNTAGGED);
	ck_assert_str_eq(compiled(10), "broadcast:p2+p3");
	ck_assert_str_eq(compiled(0), "broadcast:p2+p3");
}
END_TEST

/* Those of one VLAN among themselves need no program that looks at what leaves, and get none. */
START_TEST(who_has_a_tag_taken_off_is_followed_first)
{
	struct copies *copies = sets_copies(lab.sets);

	port_has(2, access_vlan(10));
	port_has(3, access_vlan(10));
	port_has(4, trunk_vlan(0, false));
	begin_answer(10);
	add_output(2, XLATE_UNTAGGED);
	ck_assert_str_eq(compiled(10), "pop_vlan,output:p2");
	add_output(3, XLATE_UNTAGGED);
	ck_assert_str_eq(compiled(0), "broadcast:p2+p3");
	ck_assert(!copies_want_grace(copies));
	add_output(4, XLATE_TAGGED);
	ck_assert_str_eq(compiled(0), "upcall:action");
	ck_assert(program.lacks);
	ck_assert(copies_want_grace(copies));
	follow();
	ck_assert_str_eq(compiled(0), "push_vlan:10,broadcast:p2+p3+p4");
	ck_assert(!program.lacks);
	ck_assert(dp_memory_is_followed(lab.dp, 2) && dp_memory_is_followed(lab.dp, 3));
	ck_assert(!dp_memory_is_followed(lab.dp, 4));
}
END_TEST

START_TEST(forms_that_the_egress_program_cannot_tell_apart_go_up)
{
	port_has(2, access_vlan(10));
	port_has(3, access_vlan(10));
	begin_answer(10);
	add_output(2, XLATE_UNTAGGED);
	add_output(3, XLATE_TAGGED);
	ck_assert_str_eq(compiled(0), "upcall:action");
}
END_TEST

START_TEST(without_a_set_the_frames_go_up)
{
	dp_memory_fail_set_put(lab.dp, -ENOMEM);
	begin_answer(0);
	add_output(2, XLATE_AS_IS);
	add_output(3, XLATE_AS_IS);
	ck_assert_str_eq(compiled(0), "upcall:action");
	ck_assert_uint_eq(program.set, SW_MAX_SETS);
	dp_memory_fail_set_put(lab.dp, 0);
	ck_assert_str_eq(compiled(0), "broadcast:p2+p3");
}
END_TEST

/* ---- NORMAL: the step that asks the FDB, and behind it the flood ---- */

/* Of the ports that a row does not name nobody is in its VLANs. */
static const struct {
	const char *sentence;
	const char *ports[4]; /* p1 .. p4; '~' in front: takes no redirected frame, '=': none in several buffers */
	uint16_t in_port, tci;
	const char *steps;
	bool full, forwards_reserved; /* the bridge's FDB, the bridge */
	uint8_t flags;
} normals[] = {
	{"frames for all in VLAN 0 leave as they came", {"open", "open", "open"}, 1, 0, "normal,broadcast:p1+p2+p3",
		false, false, SW_FLOW_LEARN},
	{"a priority tag too", {"open", "open", "open"}, 1, SW_VLAN_PRESENT, "normal,broadcast:p1+p2+p3", false, false,
		SW_FLOW_LEARN},
	{"one other port is enough for a flood", {"open", "open"}, 1, 0, "normal,output:p2", false, false,
		SW_FLOW_LEARN},
	{"without another port there is none, but there may be one that is not flooded to", {"open"}, 1, 0,
		"normal,drop:no_output", false, false, SW_FLOW_LEARN},
	{"the VLAN is said where there is one", {"access 10", "access 10", "access 10"}, 3, 0,
		"normal:10,broadcast:p1+p2+p3", false, false, SW_FLOW_LEARN},
	{"the tag of a flood is put on behind the question", {"access 10", "trunk 10"}, 1, 0,
		"normal:10,push_vlan:10,output:p2", false, false, SW_FLOW_LEARN},
	{"the tag of a flood is taken off behind the question", {"access 10", "trunk 10"}, 2, 10,
		"normal:10,pop_vlan,output:p1", false, false, SW_FLOW_LEARN},
	{"a priority tag is rewritten behind the question", {"trunk 10 native 10 tagged", "trunk 10"}, 1,
		SW_VLAN_PRESENT, "normal:10,set_vlan:10,output:p2", false, false, SW_FLOW_LEARN},
	{"where only some want a tag, the egress program takes it off again", {"access 10", "trunk 10", "access 10"}, 1,
		0, "normal:10,push_vlan:10,broadcast:p1+p2+p3", false, false, SW_FLOW_LEARN},
	{"the native VLAN is a VLAN like others", {"trunk 10 native 10", "trunk 10 native 10"}, 1, 0,
		"normal:10,output:p2", false, false, SW_FLOW_LEARN},
	{"a tag that the port refuses is nothing to ask about", {"access 10", "access 10"}, 1, 10, "drop:vlan_denied",
		false, false, 0},
	{"a flood that a driver does not take goes up, and known addresses do not",
		{"access 10", "access 10", "~access 10"}, 1, 0, "normal:10,upcall:normal", false, false, SW_FLOW_LEARN},
	{"so does a flood to the port of such a driver alone", {"open", "~open"}, 1, 0, "normal,upcall:normal", false,
		false, SW_FLOW_LEARN},
	{"a driver that takes no redirected frame may still send some", {"~open", "open"}, 1, 0, "normal,output:p2",
		false, false, SW_FLOW_LEARN},
	{"a full FDB learns nothing more", {"open", "open"}, 1, 0, "normal,output:p2", true, false, 0},
	{"nor does one whose bridge has one port", {"open"}, 1, 0, "normal,drop:no_output", true, false, 0},
	{"a bridge that forwards reserved addresses says so", {"open", "open"}, 1, 0, "normal,output:p2", false, true,
		SW_FLOW_LEARN | SW_FLOW_RESERVED},
	{"so does one whose FDB is full", {"open", "open"}, 1, 0, "normal,output:p2", true, true, SW_FLOW_RESERVED},
	{"one buffer alone is a matter of the flood", {"open", "=open"}, 1, 0, "normal,output:p2", false, false,
		SW_FLOW_LEARN | SW_FLOW_ONE_BUFFER},
};

static void set_port(uint16_t id, const char *text)
{
	const char *words[8];
	char copy[64], *save = NULL;
	size_t n_words = 0, n_flaws = strspn(text, "~=");
	struct port_state state = lab.states[id];
	struct vlan_config vlan;

	state.fast = !memchr(text, '~', n_flaws);
	state.sg = !memchr(text, '=', n_flaws);
	lab_port_is(&lab, id, &state);
	snprintf(copy, sizeof(copy), "%s", text + n_flaws);
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		words[n_words++] = word;
	ck_assert_int_eq(vlan_parse(words, n_words, &vlan, NULL), 0);
	port_has(id, vlan);
}

/* Translates and compiles as the cache does, for a masked key; returns the text. */
static const char *translated(uint16_t in_port, uint16_t tci)
{
	struct sw_key key = tagged_key(tci);

	key.f.in_ifindex = IFINDEX_OF + in_port;
	translate(lab.pl, &key, NULL, &answer);
	ck_assert(answer.cacheable);
	return compiled_for(key_masked(&key, &answer.mask));
}

START_TEST(normal_asks_the_fdb_and_then_floods)
{
	follow_all();
	pipeline_bridge_set(lab.pl, 1, 300, 100, normals[_i].forwards_reserved);
	pipeline_bridge_set_learning(lab.pl, 1, !normals[_i].full);
	for (uint16_t id = 1; id <= 6; id++)
		set_port(id, id <= 4 && normals[_i].ports[id - 1] ? normals[_i].ports[id - 1] : "access 4000");
	ck_assert_msg(!strcmp(translated(normals[_i].in_port, normals[_i].tci), normals[_i].steps),
		"%s: got '%s', expected '%s'", normals[_i].sentence, translated(normals[_i].in_port, normals[_i].tci),
		normals[_i].steps);
	ck_assert_msg(program.flags == normals[_i].flags, "%s: flags %#x", normals[_i].sentence, program.flags);
}
END_TEST

START_TEST(normal_and_unfinished_checksums_go_together)
{
	struct port_state guest = lab.states[1];

	guest.csum = true;
	lab_port_is(&lab, 1, &guest);
	ck_assert_str_eq(translated(1, 0), "normal,broadcast:p1+p2+p3+p4+p5+p6");
	ck_assert_uint_eq(program.flags, SW_FLOW_LEARN | SW_FLOW_CSUM);
	ck_assert_str_eq(translated(2, 0), "normal,broadcast:p1+p2+p3+p4+p5+p6");
	ck_assert_uint_eq(program.flags, SW_FLOW_LEARN);
}
END_TEST

START_TEST(the_steps_of_normal_are_its_vlan_and_the_floods_set)
{
	follow_all();
	port_has(1, access_vlan(10));
	port_has(2, trunk_vlan(0, false));
	port_has(3, access_vlan(10));
	translated(1, 0);
	ck_assert_uint_eq(program.n_steps, 3);
	ck_assert(program.steps[0].op == SW_OP_NORMAL && program.steps[0].arg == 10);
	ck_assert(program.steps[1].op == SW_OP_VLAN_PUSH && program.steps[1].arg == 10);
	ck_assert(program.steps[2].op == SW_OP_BROADCAST && program.steps[2].arg == program.set);
	ck_assert_uint_ne(program.set, SW_MAX_SETS);
}
END_TEST

START_TEST(without_a_set_only_the_flood_of_normal_goes_up)
{
	dp_memory_fail_set_put(lab.dp, -ENOMEM);
	ck_assert_str_eq(translated(1, 0), "normal,upcall:normal");
	ck_assert_uint_eq(program.set, SW_MAX_SETS);
	dp_memory_fail_set_put(lab.dp, 0);
	ck_assert_str_eq(translated(1, 0), "normal,broadcast:p1+p2+p3+p4+p5+p6");
}
END_TEST

START_TEST(normal_beside_other_actions_is_all_carried_out_by_the_daemon)
{
	const struct action list[] = {
		{.type = ACTION_OUTPUT, .arg = OF_PORT_NORMAL}, {.type = ACTION_OUTPUT, .arg = 2}};
	const struct actions both = {2, list};
	struct sw_key key = tagged_key(0);

	ck_assert_int_eq(pipeline_rule_put(lab.pl, 1, &(struct flow_match){0}, 5, &both, NULL), 0);
	translate(lab.pl, &key, NULL, &answer);
	ck_assert_str_eq(compiled_for(key), "upcall:action");
	ck_assert_uint_eq(program.flags, 0);
}
END_TEST

/* ---- sets ---- */

START_TEST(an_idle_set_is_found_again_without_a_write)
{
	struct port_set members = {.bits = {0x0e}};
	uint32_t set = sets_get(lab.sets, &members), n = dp_memory_n_set_puts(lab.dp);

	sets_drop(lab.sets, set);
	ck_assert_uint_eq(sets_users(lab.sets, set), 0);
	ck_assert_uint_eq(sets_get(lab.sets, &members), set);
	ck_assert_uint_eq(dp_memory_n_set_puts(lab.dp), n);
}
END_TEST

START_TEST(the_set_idle_longest_makes_way_and_a_held_one_never)
{
	uint32_t ids[SW_MAX_SETS];
	struct port_set members;

	for (uint32_t i = 0; i < SW_MAX_SETS; i++) {
		members = (struct port_set){.bits = {2, i + 1}};
		ids[i] = sets_get(lab.sets, &members);
		ck_assert_uint_ne(ids[i], SW_MAX_SETS);
	}
	members = (struct port_set){.bits = {4}};
	ck_assert_uint_eq(sets_get(lab.sets, &members), SW_MAX_SETS);
	sets_drop(lab.sets, ids[7]);
	sets_drop(lab.sets, ids[5]);
	ck_assert_uint_eq(sets_get(lab.sets, &members), ids[7]);
	ck_assert(sets_contain(lab.sets, ids[7], 2));
	ck_assert(!sets_contain(lab.sets, ids[7], 64));
	ck_assert(dp_memory_set_has(lab.dp, ids[7], 2));
	members = (struct port_set){.bits = {2, 6}};
	ck_assert_uint_eq(sets_get(lab.sets, &members), ids[5]);
}
END_TEST

START_TEST(sets_follow_the_devices_of_their_ports)
{
	struct port_set members = {.bits = {0x0e}};
	uint32_t set = sets_get(lab.sets, &members);
	struct port_state gone = lab.states[2], back = lab.states[2];

	gone.ifindex = 0;
	gone.up = false;
	lab_port_is(&lab, 2, &gone);
	ck_assert(!dp_memory_set_has(lab.dp, set, 2));
	ck_assert(dp_memory_set_has(lab.dp, set, 3));
	back.ifindex = 1102;
	lab_port_is(&lab, 2, &back);
	ck_assert(dp_memory_set_has(lab.dp, set, 2));
}
END_TEST

START_TEST(sets_in_the_registry_are_taken_over_and_torn_ones_are_not)
{
	struct sw_registry_set *records = lab.dp->memory.registry->set;
	struct port_set members = {.bits = {0x0e}};
	uint32_t set = sets_get(lab.sets, &members), n;

	records[100] = (struct sw_registry_set){.n_members = 3, .member = {0x06}};
	records[101] = records[set];
	n = dp_memory_n_set_puts(lab.dp);
	lab_restart(&lab);
	ck_assert_uint_eq(records[100].n_members, 0);
	ck_assert_uint_eq(records[101].n_members, 0);
	ck_assert_int_eq(sets_hold(lab.sets, 100), -ENOENT);
	n = dp_memory_n_set_puts(lab.dp);
	ck_assert_uint_eq(sets_get(lab.sets, &members), set);
	ck_assert_uint_eq(dp_memory_n_set_puts(lab.dp), n);
}
END_TEST

START_TEST(text_is_cut_short_and_says_how_long_it_would_be)
{
	struct sw_step steps[] = {{.op = SW_OP_VLAN_PUSH, .arg = 10}, {.op = SW_OP_OUTPUT, .arg = 2}};
	char text[8];

	ck_assert_uint_eq(program_format(lab.pl, lab.sets, steps, 2, text, sizeof(text)), 22);
	ck_assert_str_eq(text, "push_vl");
	ck_assert_uint_eq(program_format(lab.pl, lab.sets, steps, 2, NULL, 0), 22);
}
END_TEST

/* ---- what a program makes of frames, against what the answer says ---- */

static struct seeded dice;

static uint32_t below(uint32_t n)
{
	return seeded_below(&dice, n);
}

/* The 802.1Q tags of a frame, outermost first. */
struct tags {
	uint32_t n;
	uint16_t tci[4];
};

static void pop(struct tags *tags)
{
	must(tags->n > 0);
	memmove(&tags->tci[0], &tags->tci[1], --tags->n * sizeof(tags->tci[0]));
}

static void push(struct tags *tags, uint16_t tci)
{
	memmove(&tags->tci[1], &tags->tci[0], tags->n++ * sizeof(tags->tci[0]));
	tags->tci[0] = tci;
}

/* What the answer wants of the copy for one output. */
static struct tags wanted(struct tags tags, enum xlate_tag form)
{
	if (form == XLATE_UNTAGGED && tags.n)
		pop(&tags);
	else if (form == XLATE_TAGGED && tags.n)
		tags.tci[0] = (tags.tci[0] & 0xf000) | answer.vid;
	else if (form == XLATE_TAGGED)
		push(&tags, answer.vid);
	return tags;
}

/* The rewrites; in front of them NORMAL may stand. */
static struct tags after_steps(struct tags tags)
{
	for (int i = answer.normal; i < program.n_steps - 1; i++) {
		switch (program.steps[i].op) {
		case SW_OP_VLAN_PUSH:
			push(&tags, program.steps[i].arg);
			break;
		case SW_OP_VLAN_POP:
			pop(&tags);
			break;
		case SW_OP_VLAN_SET:
			must(tags.n > 0);
			tags.tci[0] = (tags.tci[0] & 0xf000) | program.steps[i].arg;
			break;
		default:
			ck_abort_msg("step %d has op %u", i, program.steps[i].op);
		}
	}
	return tags;
}

static void egress(struct tags *tags, uint16_t port)
{
	uint16_t untagged = vlan_untagged(&pipeline_port(lab.pl, port)->vlan);

	if (dp_memory_is_followed(lab.dp, port) && tags->n && untagged && (tags->tci[0] & SW_VLAN_VID) == untagged)
		pop(tags);
}

static void check_copies(struct tags frame)
{
	const struct sw_step *last = &program.steps[program.n_steps - 1];

	for (uint32_t i = 0; i < answer.n_outputs; i++) {
		uint16_t port = answer.outputs[i].port;
		struct tags copy = after_steps(frame), want = wanted(frame, answer.outputs[i].tag);

		if (last->op == SW_OP_BROADCAST) {
			must(dp_memory_set_has(lab.dp, last->arg, port));
			egress(&copy, port);
		} else {
			must(last->op == SW_OP_OUTPUT);
			must(last->arg == port);
		}
		must(copy.n == want.n);
		must(memcmp(copy.tci, want.tci, copy.n * sizeof(copy.tci[0])) == 0);
	}
}

static const uint16_t some_vids[] = {0, 10, 20};

/* A frame of this key, with a random priority and maybe another tag behind. */
static struct tags frame_of(const struct sw_key *key, const struct sw_key *mask)
{
	uint16_t looked_at = ntohs(mask->f.vlan_tci_be), tci = ntohs(key->f.vlan_tci_be) & looked_at;
	struct tags frame = {0};

	if (!(looked_at & SW_VLAN_PRESENT))
		tci |= below(2) ? SW_VLAN_PRESENT : 0;
	if (!(tci & SW_VLAN_PRESENT))
		return frame;
	if (!(looked_at & SW_VLAN_VID))
		tci |= some_vids[below(3)];
	frame.tci[frame.n++] = (tci & SW_VLAN_VID) | below(8) << 13;
	if (below(2))
		frame.tci[frame.n++] = some_vids[below(3)] | below(8) << 13;
	return frame;
}

static struct vlan_config random_vlan(void)
{
	switch (below(4)) {
	case 0:
		return (struct vlan_config){.mode = VLAN_OPEN};
	case 1:
		return access_vlan(some_vids[1 + below(2)]);
	case 2:
		return trunk_vlan(0, false);
	default:
		return trunk_vlan(some_vids[1 + below(2)], below(2));
	}
}

static void random_ports(void)
{
	for (uint16_t id = 1; id <= 6; id++)
		port_has(id, random_vlan());
}

static void check_frames(const struct sw_key *key)
{
	uint32_t last = program.steps[program.n_steps - 1].op;

	if (last != SW_OP_UPCALL && last != SW_OP_COPIES && answer.n_outputs) {
		for (int i = 0; i < 8; i++)
			check_copies(frame_of(key, &answer.mask));
	}
	program_release(lab.sets, &program);
}

START_TEST(a_program_gives_every_output_the_form_that_the_answer_says)
{
	static const uint16_t looks[] = {0, SW_VLAN_PRESENT, SW_VLAN_PRESENT | SW_VLAN_VID, 0xffff};
	uint32_t n_fast = 0;

	for (int i = 0; i < 40000; i++) {
		struct sw_key key = tagged_key(below(2) ? 0 : SW_VLAN_PRESENT | some_vids[below(3)]);

		if (i % 32 == 0)
			random_ports();
		begin_answer(some_vids[below(3)]);
		answer.mask.f.vlan_tci_be = htons(looks[below(4)]);
		key.f.vlan_tci_be &= answer.mask.f.vlan_tci_be;
		answer.flood = below(2);
		for (uint16_t id = 2; id <= 6; id++) {
			if (below(2))
				add_output(id, below(4) ? (uint32_t)i / 8 % 3 : below(3));
		}
		program_compile(lab.sets, lab.pl, &key, &answer, &program);
		if (i % 1000 == 0)
			follow();
		n_fast += program.steps[program.n_steps - 1].op == SW_OP_BROADCAST;
		check_frames(&key);
	}
	must(n_fast > 4000);
}
END_TEST

START_TEST(every_flood_of_the_learning_switch_runs_in_the_fast_path)
{
	uint32_t n_broadcasts = 0;

	for (int i = 0; i < 20000; i++) {
		struct sw_key key = lab_key(1 + below(6), 1 + below(6), below(2) ? 0xff : 1 + below(6));

		if (i % 32 == 0)
			random_ports();
		if (below(2))
			key.f.vlan_tci_be = htons(SW_VLAN_PRESENT | some_vids[below(3)] | below(8) << 13);
		translate(lab.pl, &key, NULL, &answer);
		key = key_masked(&key, &answer.mask);
		program_compile(lab.sets, lab.pl, &key, &answer, &program);
		if (i % 64 == 0)
			follow();
		n_broadcasts += program.steps[program.n_steps - 1].op == SW_OP_BROADCAST;
		must((program.steps[0].op == SW_OP_NORMAL) == answer.normal);
		must(program.steps[program.n_steps - 1].op != SW_OP_UPCALL || program.lacks);
		must(!program.lacks || i < 1000);
		check_frames(&key);
	}
	must(n_broadcasts > 2000);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("program");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, open_lab, close_lab);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, one_output_is_rewritten_and_redirected, 0, sizeof(singles) / sizeof(singles[0]));
	tcase_add_test(t, no_output_is_a_drop_with_its_reason);
	tcase_add_test(t, what_is_not_cacheable_goes_up);
	tcase_add_test(t, an_output_that_takes_no_redirect_sends_all_of_it_up);
	tcase_add_test(t, a_rewrite_that_rests_on_a_tag_nobody_looked_at_goes_up);
	tcase_add_test(t, flags_say_whether_the_in_port_leaves_checksums_unfinished);
	tcase_add_test(t, flags_say_whether_the_one_output_takes_several_buffers);
	tcase_add_test(t, a_flood_of_one_form_is_broadcast_as_it_came);
	tcase_add_test(t, the_ports_of_a_vlan_share_one_set);
	tcase_add_test(t, mixed_forms_are_broadcast_with_a_tag_that_the_egress_program_takes_off);
	tcase_add_test(t, a_tagged_frame_keeps_its_tag_until_egress_even_if_nobody_wants_it);
	tcase_add_test(t, who_has_a_tag_taken_off_is_followed_first);
	tcase_add_test(t, forms_that_the_egress_program_cannot_tell_apart_go_up);
	tcase_add_test(t, without_a_set_the_frames_go_up);
	tcase_add_loop_test(t, normal_asks_the_fdb_and_then_floods, 0, sizeof(normals) / sizeof(normals[0]));
	tcase_add_test(t, normal_and_unfinished_checksums_go_together);
	tcase_add_test(t, the_steps_of_normal_are_its_vlan_and_the_floods_set);
	tcase_add_test(t, without_a_set_only_the_flood_of_normal_goes_up);
	tcase_add_test(t, normal_beside_other_actions_is_all_carried_out_by_the_daemon);
	tcase_add_test(t, an_idle_set_is_found_again_without_a_write);
	tcase_add_test(t, the_set_idle_longest_makes_way_and_a_held_one_never);
	tcase_add_test(t, sets_follow_the_devices_of_their_ports);
	tcase_add_test(t, sets_in_the_registry_are_taken_over_and_torn_ones_are_not);
	tcase_add_test(t, text_is_cut_short_and_says_how_long_it_would_be);
	tcase_add_test(t, a_program_gives_every_output_the_form_that_the_answer_says);
	tcase_add_test(t, every_flood_of_the_learning_switch_runs_in_the_fast_path);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	dice = seeded_start_aloud();
	return run_suite(suite());
}
