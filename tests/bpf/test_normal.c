/* SPDX-License-Identifier: BSD-2-Clause */
/* The NORMAL step of the shipped program, whose FDB is written by hand. */
#include "normal_lab.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct fixture f;

/* ---- the table ---- */

struct host {
	struct fixture_address address;
	bool is_marked; /* as used, after the frame */
};

struct normal_case {
	const char *name;
	uint64_t dst, src;
	int tci;
	struct host hosts[3];
	struct fate fate;
	struct sw_step flood[SW_MAX_STEPS - 1]; /* none: to the set */
	uint8_t flags;                          /* of the flow; none: SW_FLOW_LEARN */
	bool in_vlan_0;                         /* the flow and the hosts, not VLAN 10 */
	bool is_alone;                          /* no daemon listens */
	size_t size;                            /* of the frame; none: 64 */
};

#define FULL 0x80 /* instead of SW_FLOW_LEARN: no flag */

#define OUT_UPCALL   SW_FDB_OUT_UPCALL
#define OUT_AS_IS    SW_FDB_OUT_AS_IS
#define OUT_UNTAGGED SW_FDB_OUT_UNTAGGED
#define OUT_TAGGED   SW_FDB_OUT_TAGGED

#define CELL(mac_, vid_, bridge_, port_, flags_, out_, drop_, is_marked_)                                              \
	{                                                                                                              \
		.address = {.mac = (mac_),                                                                             \
			.vid = (vid_),                                                                                 \
			.bridge = (bridge_),                                                                           \
			.port = (port_),                                                                               \
			.flags = (flags_),                                                                             \
			.out = (out_),                                                                                 \
			.drop = SW_DROP_##drop_},                                                                      \
		.is_marked = (is_marked_),                                                                             \
	}
#define AT(mac_, port_, out_)           CELL(mac_, VID, BRIDGE, port_, 0, out_, NONE, false)
#define THERE(mac_, out_)               AT(mac_, TRIAL_OUT, out_)
#define ONE_BUFFER(mac_, out_)          CELL(mac_, VID, BRIDGE, TRIAL_OUT, SW_FDB_ONE_BUFFER, out_, NONE, false)
#define CUT_OFF(mac_, port_, drop_)     CELL(mac_, VID, BRIDGE, port_, 0, SW_FDB_OUT_DROP, drop_, false)
#define IN_VLAN(vid_, mac_, port_)      CELL(mac_, vid_, BRIDGE, port_, 0, OUT_TAGGED, NONE, false)
#define ON_BRIDGE(bridge_, mac_, port_) CELL(mac_, VID, bridge_, port_, 0, OUT_TAGGED, NONE, false)
/* The source of the frame. */
#define HERE(mac_)          CELL(mac_, VID, BRIDGE, TRIAL_IN, 0, OUT_UNTAGGED, NONE, true)
#define STATIC(mac_, port_) CELL(mac_, VID, BRIDGE, port_, SW_FDB_STATIC, OUT_UNTAGGED, NONE, true)
#define HOSTS(...)          .hosts = {__VA_ARGS__}

#define IS_SENT(port_, tci_)       .fate = {.what = SENT, .port = (port_), .tci = (tci_)}
#define IS_FLOODED(tci_)           .fate = {.what = FLOODED, .tci = (tci_)}
#define IS_UP(reason_)             .fate = {.what = UP, .reason = SW_UPCALL_##reason_}
#define IS_DROPPED(reason_, port_) .fate = {.what = DROPPED, .drop = SW_DROP_##reason_, .port = (port_)}
#define IS_DROPPED_HERE(reason_)   IS_DROPPED(reason_, TRIAL_IN)
#define BY(...)                    .flood = {__VA_ARGS__}

static const struct normal_case cases[] = {
	/* a destination that is known */
	{"tagged_as_it_came", B, A, VID, HOSTS(HERE(A), THERE(B, OUT_TAGGED)), IS_SENT(TRIAL_OUT, VID)},
	{"untagged_as_it_came", B, A, UNTAGGED, HOSTS(HERE(A), THERE(B, OUT_UNTAGGED)), IS_SENT(TRIAL_OUT, UNTAGGED)},
	{"as_it_came_with_its_priority", B, A, 0xf000 | VID, HOSTS(HERE(A), THERE(B, OUT_TAGGED)),
		IS_SENT(TRIAL_OUT, 0xf000 | VID)},
	{"tagged_on_its_way", B, A, UNTAGGED, HOSTS(HERE(A), THERE(B, OUT_TAGGED)), IS_SENT(TRIAL_OUT, VID)},
	{"untagged_on_its_way", B, A, 0x6000 | VID, HOSTS(HERE(A), THERE(B, OUT_UNTAGGED)),
		IS_SENT(TRIAL_OUT, UNTAGGED)},
	{"a_priority_tag_gets_the_vlan", B, A, 0, HOSTS(HERE(A), THERE(B, OUT_TAGGED)), IS_SENT(TRIAL_OUT, VID)},
	{"and_keeps_the_priority", B, A, 0xb000, HOSTS(HERE(A), THERE(B, OUT_TAGGED)),
		IS_SENT(TRIAL_OUT, 0xb000 | VID)},
	{"a_priority_tag_is_taken_off", B, A, 0xe000, HOSTS(HERE(A), THERE(B, OUT_UNTAGGED)),
		IS_SENT(TRIAL_OUT, UNTAGGED)},
	{"another_vlans_tag_is_rewritten", B, A, 0x700b, HOSTS(HERE(A), THERE(B, OUT_TAGGED)),
		IS_SENT(TRIAL_OUT, 0x7000 | VID)},
	{"vlan_0_untagged_as_it_came", B, A, UNTAGGED, HOSTS(HERE(A), THERE(B, OUT_AS_IS)),
		IS_SENT(TRIAL_OUT, UNTAGGED), .in_vlan_0 = true},
	{"vlan_0_priority_tagged_as_it_came", B, A, 0xa000, HOSTS(HERE(A), THERE(B, OUT_AS_IS)),
		IS_SENT(TRIAL_OUT, 0xa000), .in_vlan_0 = true},
	{"by_the_port_of_its_cell", B, A, VID, HOSTS(HERE(A), AT(B, FLOOD, OUT_TAGGED)), IS_SENT(FLOOD, VID)},
	{"a_static_destination_likewise", B, A, VID,
		HOSTS(HERE(A), CELL(B, VID, BRIDGE, TRIAL_OUT, SW_FDB_STATIC, OUT_TAGGED, NONE, false)),
		IS_SENT(TRIAL_OUT, VID)},
	{"a_full_frame", B, A, UNTAGGED, HOSTS(HERE(A), THERE(B, OUT_TAGGED)), IS_SENT(TRIAL_OUT, VID), .size = 1514},
	{"a_long_frame", B, A, UNTAGGED, HOSTS(HERE(A), THERE(B, OUT_TAGGED)), IS_SENT(TRIAL_OUT, VID), .size = 3000},
	{"back_where_it_came_from", B, A, VID, HOSTS(HERE(A), AT(B, TRIAL_IN, OUT_TAGGED)), IS_DROPPED_HERE(SAME_PORT)},
	{"to_itself", A, A, VID, HOSTS(HERE(A)), IS_DROPPED_HERE(SAME_PORT)},
	{"to_its_static_self_elsewhere", A, A, UNTAGGED, HOSTS(STATIC(A, TRIAL_OUT)), IS_SENT(TRIAL_OUT, UNTAGGED)},
	{"behind_a_port_that_is_down", B, A, VID, HOSTS(HERE(A), CUT_OFF(B, TRIAL_OUT, PORT_DOWN)),
		IS_DROPPED_HERE(PORT_DOWN)},
	{"behind_a_port_that_left_the_vlan", B, A, VID, HOSTS(HERE(A), CUT_OFF(B, TRIAL_OUT, NO_OUTPUT)),
		IS_DROPPED_HERE(NO_OUTPUT)},
	{"same_port_before_any_other_drop", B, A, VID, HOSTS(HERE(A), CUT_OFF(B, TRIAL_IN, PORT_DOWN)),
		IS_DROPPED_HERE(SAME_PORT)},
	{"behind_a_port_without_a_device", B, A, VID, HOSTS(HERE(A), AT(B, DEAD, OUT_TAGGED)),
		IS_DROPPED(PORT_DOWN, DEAD)},
	{"only_the_daemon_reaches_it", B, A, VID, HOSTS(HERE(A), THERE(B, OUT_UPCALL)), IS_UP(NORMAL)},
	{"and_gets_the_frame_as_it_came", B, A, 0xf00b, HOSTS(HERE(A), THERE(B, OUT_UPCALL)), IS_UP(NORMAL)},
	{"and_there_is_none", B, A, VID, HOSTS(HERE(A), THERE(B, OUT_UPCALL)), IS_DROPPED_HERE(NO_DAEMON),
		.is_alone = true},
	{"no_daemon_is_no_matter_to_a_known_one", B, A, VID, HOSTS(HERE(A), THERE(B, OUT_TAGGED)),
		IS_SENT(TRIAL_OUT, VID), .is_alone = true},
	{"the_steps_behind_are_not_run", B, A, VID, HOSTS(HERE(A), THERE(B, OUT_TAGGED)), IS_SENT(TRIAL_OUT, VID),
		BY(STEP(DROP, SW_DROP_RULE))},
	{"nor_what_they_say_of_buffers", B, A, VID, HOSTS(HERE(A), THERE(B, OUT_TAGGED)), IS_SENT(TRIAL_OUT, VID),
		.flags = SW_FLOW_ONE_BUFFER, .size = 8000},
	{"in_another_vlan_it_is_another", B, A, VID, HOSTS(HERE(A), IN_VLAN(VID + 1, B, TRIAL_OUT)), IS_FLOODED(VID)},
	{"on_another_bridge_too", B, A, VID, HOSTS(HERE(A), ON_BRIDGE(BRIDGE + 1, B, TRIAL_OUT)), IS_FLOODED(VID)},

	/* several buffers */
	{"in_several_buffers_to_who_takes_one", B, A, VID, HOSTS(HERE(A), ONE_BUFFER(B, OUT_UNTAGGED)), IS_UP(FRAGS),
		.size = 8000},
	{"in_one_buffer_to_who_takes_one", B, A, VID, HOSTS(HERE(A), ONE_BUFFER(B, OUT_UNTAGGED)),
		IS_SENT(TRIAL_OUT, UNTAGGED), .size = 2000},
	{"in_several_buffers_to_who_takes_several", B, A, VID, HOSTS(HERE(A), THERE(B, OUT_UNTAGGED)),
		IS_SENT(TRIAL_OUT, UNTAGGED), .size = 8000},
	{"in_several_buffers_and_tagged", B, A, UNTAGGED, HOSTS(HERE(A), THERE(B, OUT_TAGGED)), IS_SENT(TRIAL_OUT, VID),
		.size = 8000},

	/* its source */
	{"a_new_source_goes_up", B, A, VID, HOSTS(THERE(B, OUT_TAGGED)), IS_UP(LEARN)},
	{"as_it_came", B, A, UNTAGGED, HOSTS(THERE(B, OUT_TAGGED)), IS_UP(LEARN)},
	{"a_new_source_of_a_flood_too", BROADCAST, A, VID, HOSTS(THERE(B, OUT_TAGGED)), IS_UP(LEARN)},
	{"and_if_the_destination_is_where_it_came_from", B, A, VID, HOSTS(AT(B, TRIAL_IN, OUT_TAGGED)), IS_UP(LEARN)},
	{"and_if_the_destination_is_down", B, A, VID, HOSTS(CUT_OFF(B, TRIAL_OUT, PORT_DOWN)), IS_UP(LEARN)},
	{"a_new_source_without_a_daemon", B, A, VID, HOSTS(THERE(B, OUT_TAGGED)), IS_DROPPED_HERE(NO_DAEMON),
		.is_alone = true},
	{"where_nothing_more_is_learned_it_is_sent", B, A, VID, HOSTS(THERE(B, OUT_TAGGED)), IS_SENT(TRIAL_OUT, VID),
		.flags = FULL},
	{"where_nothing_more_is_learned_it_is_flooded", C, A, VID, HOSTS(THERE(B, OUT_TAGGED)), IS_FLOODED(VID),
		.flags = FULL},
	{"where_nothing_more_is_learned_same_port", B, A, VID, HOSTS(AT(B, TRIAL_IN, OUT_TAGGED)),
		IS_DROPPED_HERE(SAME_PORT), .flags = FULL},
	{"a_source_that_moved_goes_up", B, A, VID, HOSTS(AT(A, FLOOD, OUT_TAGGED), THERE(B, OUT_TAGGED)), IS_UP(LEARN)},
	{"also_where_nothing_more_is_learned", B, A, VID, HOSTS(AT(A, FLOOD, OUT_TAGGED), THERE(B, OUT_TAGGED)),
		IS_UP(LEARN), .flags = FULL},
	{"a_source_of_another_vlan_is_new", B, A, VID, HOSTS(IN_VLAN(VID + 1, A, TRIAL_IN), THERE(B, OUT_TAGGED)),
		IS_UP(LEARN)},
	{"a_source_of_another_bridge_is_new", B, A, VID,
		HOSTS(ON_BRIDGE(BRIDGE + 1, A, TRIAL_IN), THERE(B, OUT_TAGGED)), IS_UP(LEARN)},
	{"a_static_source_may_be_anywhere", B, A, VID, HOSTS(STATIC(A, FLOOD), THERE(B, OUT_TAGGED)),
		IS_SENT(TRIAL_OUT, VID)},
	{"a_static_source_at_its_port", B, A, VID, HOSTS(STATIC(A, TRIAL_IN), THERE(B, OUT_TAGGED)),
		IS_SENT(TRIAL_OUT, VID)},
	{"a_static_source_of_a_flood", GROUP, A, VID, HOSTS(STATIC(A, FLOOD)), IS_FLOODED(VID)},
	{"a_group_is_no_source", B, GROUP, VID, HOSTS(THERE(B, OUT_TAGGED)), IS_DROPPED_HERE(BAD_SOURCE)},
	{"broadcast_is_no_source", B, BROADCAST, VID, HOSTS(THERE(B, OUT_TAGGED)), IS_DROPPED_HERE(BAD_SOURCE)},
	{"zero_is_no_source", B, ZERO, VID, HOSTS(THERE(B, OUT_TAGGED)), IS_DROPPED_HERE(BAD_SOURCE)},
	{"zero_is_no_source_in_vlan_0", B, ZERO, UNTAGGED, HOSTS(THERE(B, OUT_AS_IS)), IS_DROPPED_HERE(BAD_SOURCE),
		.in_vlan_0 = true},
	{"a_group_is_none_where_nothing_more_is_learned", B, GROUP, VID, HOSTS(THERE(B, OUT_TAGGED)),
		IS_DROPPED_HERE(BAD_SOURCE), .flags = FULL},
	{"zero_is_none_where_nothing_more_is_learned", BROADCAST, ZERO, VID, IS_DROPPED_HERE(BAD_SOURCE),
		.flags = FULL},
	{"a_bad_source_before_a_reserved_destination", STP, GROUP, VID, IS_DROPPED_HERE(BAD_SOURCE)},
	{"a_bad_source_where_the_reserved_are_forwarded", STP, ZERO, VID, IS_DROPPED_HERE(BAD_SOURCE),
		.flags = SW_FLOW_LEARN | SW_FLOW_RESERVED},

	/* reserved destinations */
	{"the_first_reserved_address", STP, A, VID, HOSTS(HERE(A)), IS_DROPPED_HERE(RESERVED_MAC)},
	{"the_last_reserved_address", LAST, A, VID, HOSTS(HERE(A)), IS_DROPPED_HERE(RESERVED_MAC)},
	{"the_one_behind_is_a_group", LAST + 1, A, VID, HOSTS(HERE(A)), IS_FLOODED(VID)},
	{"the_one_before_is_a_group", 0x0180c1ffffffULL, A, VID, HOSTS(HERE(A)), IS_FLOODED(VID)},
	{"a_like_one_is_a_group", 0x0180c2000100ULL, A, VID, HOSTS(HERE(A)), IS_FLOODED(VID)},
	{"another_like_one_is_a_group", 0x0980c2000000ULL, A, VID, HOSTS(HERE(A)), IS_FLOODED(VID)},
	{"nothing_is_learned_of_a_reserved_one", STP, A, VID, IS_DROPPED_HERE(RESERVED_MAC)},
	{"nothing_is_learned_of_a_reserved_one_from_elsewhere", STP, A, VID, HOSTS(THERE(A, OUT_TAGGED)),
		IS_DROPPED_HERE(RESERVED_MAC)},
	{"a_reserved_one_where_nothing_more_is_learned", STP, A, VID, IS_DROPPED_HERE(RESERVED_MAC), .flags = FULL},
	{"a_bridge_that_forwards_them_floods_them", STP, A, VID, HOSTS(HERE(A)), IS_FLOODED(VID),
		.flags = SW_FLOW_LEARN | SW_FLOW_RESERVED},
	{"the_last_of_them_too", LAST, A, VID, HOSTS(HERE(A)), IS_FLOODED(VID),
		.flags = SW_FLOW_LEARN | SW_FLOW_RESERVED},
	{"and_learns_of_them", STP, A, VID, IS_UP(LEARN), .flags = SW_FLOW_LEARN | SW_FLOW_RESERVED},
	{"or_not_where_it_is_full", STP, A, VID, IS_FLOODED(VID), .flags = SW_FLOW_RESERVED},

	/* the flood */
	{"an_unknown_destination", C, A, VID, HOSTS(HERE(A), THERE(B, OUT_TAGGED)), IS_FLOODED(VID)},
	{"broadcast", BROADCAST, A, UNTAGGED, HOSTS(HERE(A)), IS_FLOODED(UNTAGGED)},
	{"a_group", GROUP, A, UNTAGGED, HOSTS(HERE(A)), IS_FLOODED(UNTAGGED)},
	{"zero_is_an_unknown_destination", ZERO, A, VID, HOSTS(HERE(A)), IS_FLOODED(VID)},
	{"zero_is_an_unknown_destination_in_vlan_0", ZERO, A, UNTAGGED, HOSTS(HERE(A)), IS_FLOODED(UNTAGGED),
		.in_vlan_0 = true},
	{"a_flood_is_tagged", C, A, UNTAGGED, HOSTS(HERE(A)), IS_FLOODED(0x2000 | VID),
		BY(STEP(VLAN_PUSH, 0x2000 | VID), STEP(BROADCAST, SET))},
	{"a_flood_gets_the_vlan_and_keeps_the_priority", C, A, 0x6000, HOSTS(HERE(A)), IS_FLOODED(0x6000 | VID),
		BY(STEP(VLAN_SET, VID), STEP(BROADCAST, SET))},
	{"a_flood_is_untagged", C, A, VID, HOSTS(HERE(A)), IS_FLOODED(UNTAGGED),
		BY(STEP(VLAN_POP, 0), STEP(BROADCAST, SET))},
	{"a_flood_to_one", C, A, VID, HOSTS(HERE(A)), IS_SENT(FLOOD, VID), BY(STEP(OUTPUT, FLOOD))},
	{"a_flood_to_one_untagged", C, A, VID, HOSTS(HERE(A)), IS_SENT(FLOOD, UNTAGGED),
		BY(STEP(VLAN_POP, 0), STEP(OUTPUT, FLOOD))},
	{"a_flood_to_one_with_two_rewrites", C, A, VID, HOSTS(HERE(A)), IS_SENT(FLOOD, 0x4015),
		BY(STEP(VLAN_POP, 0), STEP(VLAN_PUSH, 0x4015), STEP(OUTPUT, FLOOD))},
	{"a_flood_to_none", C, A, VID, HOSTS(HERE(A)), IS_DROPPED_HERE(NO_OUTPUT), BY(STEP(DROP, SW_DROP_NO_OUTPUT))},
	{"a_flood_to_a_set_of_none", C, A, VID, HOSTS(HERE(A)), IS_DROPPED_HERE(NO_OUTPUT),
		BY(STEP(BROADCAST, LONELY))},
	{"a_flood_by_the_daemon", C, A, VID, HOSTS(HERE(A)), IS_UP(ACTION), BY(STEP(UPCALL, SW_UPCALL_ACTION))},
	{"a_flood_by_the_daemon_is_not_rewritten", C, A, VID, HOSTS(HERE(A)), IS_UP(ACTION),
		BY(STEP(VLAN_POP, 0), STEP(UPCALL, SW_UPCALL_ACTION))},
	{"a_flood_that_fits_just_so", C, A, UNTAGGED, HOSTS(HERE(A)), IS_FLOODED(VID),
		BY(STEP(VLAN_PUSH, VID), STEP(BROADCAST, SET)), .size = FIT - 4},
	{"a_flood_that_its_tag_makes_too_long", C, A, UNTAGGED, HOSTS(HERE(A)), IS_UP(OVER_MTU),
		BY(STEP(VLAN_PUSH, VID), STEP(BROADCAST, SET)), .size = FIT - 3},
	{"a_flood_in_several_buffers", C, A, VID, HOSTS(HERE(A)), IS_UP(FRAGS), .size = 8000},
	{"a_flood_in_several_buffers_to_one_who_takes_one", C, A, VID, HOSTS(HERE(A)), IS_UP(FRAGS),
		BY(STEP(OUTPUT, FLOOD)), .flags = SW_FLOW_LEARN | SW_FLOW_ONE_BUFFER, .size = 8000},
	{"a_flood_in_several_buffers_to_one_who_takes_several", C, A, VID, HOSTS(HERE(A)), IS_SENT(FLOOD, VID),
		BY(STEP(OUTPUT, FLOOD)), .size = 8000},
	{"a_flood_by_normal_again_is_a_bad_program", C, A, VID, HOSTS(HERE(A)), IS_DROPPED_HERE(BAD_PROGRAM),
		BY(STEP(NORMAL, VID), STEP(BROADCAST, SET))},
	{"a_flood_without_an_end_is_a_bad_program", C, A, VID, HOSTS(HERE(A)), IS_DROPPED_HERE(BAD_PROGRAM),
		BY(STEP(VLAN_POP, 0))},
};

#define N_CASES (sizeof(cases) / sizeof(*cases))

static uint32_t put_case(const struct normal_case *c, const struct packet *in)
{
	static const struct sw_step to_the_set = STEP(BROADCAST, SET);
	unsigned int n = 0;
	uint8_t flags = c->flags ? c->flags & ~FULL : SW_FLOW_LEARN;

	while (n < SW_MAX_STEPS - 1 && c->flood[n].op)
		n++;
	return lab_put(&f, in, BRIDGE, c->in_vlan_0 ? 0 : VID, flags, n ? c->flood : &to_the_set, n ? n : 1);
}

static unsigned int put_hosts(const struct normal_case *c, struct sw_fdb_cell *ret[3])
{
	unsigned int n;

	for (n = 0; n < 3 && c->hosts[n].address.mac; n++) {
		struct fixture_address address = c->hosts[n].address;

		if (c->in_vlan_0)
			address.vid = 0;
		ret[n] = fixture_put_address(&f, &address);
	}
	return n;
}

START_TEST(a_frame_goes_where_the_fdb_says)
{
	const struct normal_case *c = &cases[_i / TRIAL_N_WAYS];
	struct sw_fdb_cell *cells[3];
	unsigned int n_cells, i;
	struct packet in;
	struct outcome o;
	char name[100];
	uint32_t slot;
	int fd = -1;

	lab_setup(&f);
	if (!c->is_alone)
		fd = trial_daemon_arrives(&f);
	packet_plain(&in, c->tci, c->size ? c->size : 64);
	packet_set_macs(&in, c->dst, c->src);
	n_cells = put_hosts(c, cells);
	slot = trial_lead(&f, _i % TRIAL_N_WAYS, &in, put_case(c, &in));
	for (i = 0; i < n_cells; i++)
		cells[i]->place.used = 0;
	snprintf(name, sizeof(name), "%s, way %d", c->name, _i % TRIAL_N_WAYS);
	o = trial_run(&f, &in);
	lab_check(&f, name, &c->fate, &in, &o, slot);
	for (i = 0; i < n_cells; i++)
		ck_assert_msg(cells[i]->place.used == c->hosts[i].is_marked, "%s: host %u %s marked", name, i,
			c->hosts[i].is_marked ? "is not" : "is");
	if (fd >= 0)
		close(fd);
}
END_TEST

/* ---- what a table cannot say ---- */

static const struct fixture_address a_here = {
	.mac = A, .vid = VID, .bridge = BRIDGE, .port = TRIAL_IN, .out = SW_FDB_OUT_TAGGED};
static const struct fixture_address b_there = {
	.mac = B, .vid = VID, .bridge = BRIDGE, .port = TRIAL_OUT, .out = SW_FDB_OUT_TAGGED};

/* The usual flow, for tagged frames. */
static uint32_t put_usual(uint8_t flags)
{
	static const struct sw_step flood = STEP(BROADCAST, SET);
	struct packet p;

	lab_make(&p, VID, B, A);
	return lab_put(&f, &p, BRIDGE, VID, flags, &flood, 1);
}

/* One more frame from A, whose fate this is. */
static void check_frame(const char *name, uint64_t dst, const struct fate *fate, uint32_t slot)
{
	struct outcome o;
	struct packet in;

	lab_make(&in, VID, dst, A);
	fixture_forget_counters(&f);
	o = trial_run(&f, &in);
	lab_check(&f, name, fate, &in, &o, slot);
}

static const struct fate is_sent = {.what = SENT, .port = TRIAL_OUT, .tci = VID};
static const struct fate is_flooded = {.what = FLOODED, .tci = VID};

/* Other addresses of whom this is the primary bucket, until it is full. */
static void fill(const struct sw_fdb_bucket *bucket)
{
	struct fixture_address stranger = {.mac = 0x0600000000ULL << 8, .vid = VID, .bridge = BRIDGE, .port = FLOOD};

	while (!bucket->cell[SW_FDB_CELLS - 1].key) {
		stranger.mac++;
		if (fixture_fdb_bucket(&f, &stranger, false) == bucket)
			fixture_put_address(&f, &stranger);
	}
}

START_TEST(an_address_is_found_in_either_bucket)
{
	struct sw_fdb_cell *cell;
	uint32_t slot;

	lab_setup(&f);
	slot = put_usual(SW_FLOW_LEARN);
	fill(fixture_fdb_bucket(&f, &a_here, false));
	fill(fixture_fdb_bucket(&f, &b_there, false));
	check_frame("neither is there", B, &(struct fate){.what = DROPPED, .drop = SW_DROP_NO_DAEMON, .port = TRIAL_IN},
		slot);
	cell = fixture_put_address(&f, &a_here);
	ck_assert_ptr_eq(cell, &fixture_fdb_bucket(&f, &a_here, true)->cell[0]);
	check_frame("the source is", B, &is_flooded, slot);
	ck_assert_uint_eq(cell->place.used, 1);
	cell = fixture_put_address(&f, &b_there);
	ck_assert_ptr_eq(cell, &fixture_fdb_bucket(&f, &b_there, true)->cell[0]);
	check_frame("both are", B, &is_sent, slot);
	ck_assert_uint_eq(cell->place.used, 0);
}
END_TEST

START_TEST(an_address_is_found_in_each_cell)
{
	uint32_t slot, bucket, i;

	lab_setup(&f);
	slot = put_usual(SW_FLOW_LEARN);
	fixture_put_address(&f, &a_here);
	for (bucket = 0; bucket < 2; bucket++) {
		for (i = 0; i < SW_FDB_CELLS; i++) {
			struct sw_fdb_cell *cell = &fixture_fdb_bucket(&f, &b_there, bucket)->cell[i];

			fixture_write_address(cell, &b_there);
			check_frame("a cell", B, &is_sent, slot);
			memset(cell, 0, sizeof(*cell));
			check_frame("no cell", B, &is_flooded, slot);
		}
	}
}
END_TEST

/* Two bridges that have the same address, in the same VLAN and, what is rare, in the same bucket. */
START_TEST(bridges_do_not_see_each_others_addresses)
{
	struct fixture_address ours = b_there, theirs = b_there;
	struct packet in;
	struct outcome o;
	uint32_t slot;

	lab_setup(&f);
	theirs.bridge = BRIDGE + 1;
	theirs.port = FLOOD;
	while (fixture_fdb_bucket(&f, &ours, false) != fixture_fdb_bucket(&f, &theirs, true))
		ours.mac = ++theirs.mac;
	fill(fixture_fdb_bucket(&f, &theirs, false));
	slot = put_usual(SW_FLOW_LEARN);
	fixture_put_address(&f, &a_here);
	ck_assert_ptr_eq(fixture_put_address(&f, &theirs), &fixture_fdb_bucket(&f, &ours, false)->cell[0]);
	check_frame("theirs", ours.mac, &is_flooded, slot);
	ck_assert_ptr_eq(fixture_put_address(&f, &ours), &fixture_fdb_bucket(&f, &ours, false)->cell[1]);
	check_frame("ours behind theirs", ours.mac, &is_sent, slot);
	lab_make(&in, VID, A, ours.mac); /* as a source it is not here for us, and theirs is not marked for it */
	fixture_forget_counters(&f);
	o = trial_run(&f, &in);
	ck_assert_int_eq(o.verdict, XDP_DROP);
	ck_assert_uint_eq(fixture_drops(&f, TRIAL_IN, SW_DROP_NO_DAEMON), 1);
	ck_assert_uint_eq(fixture_fdb_bucket(&f, &ours, false)->cell[0].place.used, 0);
	ck_assert_uint_eq(fixture_fdb_bucket(&f, &ours, false)->cell[1].place.used, 0);
}
END_TEST

/* As between the two stores with which the daemon clears a cell. */
START_TEST(a_key_without_a_place_is_nobodys)
{
	struct sw_fdb_cell *a, *b;
	uint32_t slot;

	lab_setup(&f);
	slot = put_usual(SW_FLOW_LEARN);
	a = fixture_put_address(&f, &a_here);
	b = fixture_put_address(&f, &b_there);
	b->place.word = 0;
	check_frame("the destination", B, &is_flooded, slot);
	a->place.word = 0;
	check_frame(
		"the source", B, &(struct fate){.what = DROPPED, .drop = SW_DROP_NO_DAEMON, .port = TRIAL_IN}, slot);
	ck_assert_uint_eq(a->place.word, 0);
	fixture_write_address(&fixture_fdb_bucket(&f, &b_there, true)->cell[3], &b_there);
	fixture_write_address(&fixture_fdb_bucket(&f, &a_here, true)->cell[3], &a_here);
	check_frame("their places are elsewhere", B, &is_sent, slot);
}
END_TEST

START_TEST(no_flow_knows_where_an_address_moves)
{
	struct fixture_address moved = b_there;
	struct sw_fdb_cell *cell;
	uint32_t slot;

	lab_setup(&f);
	slot = put_usual(SW_FLOW_LEARN);
	fixture_put_address(&f, &a_here);
	cell = fixture_put_address(&f, &b_there);
	check_frame("before", B, &is_sent, slot);
	moved.port = FLOOD;
	moved.out = SW_FDB_OUT_UNTAGGED;
	fixture_write_address(cell, &moved);
	check_frame("after", B, &(struct fate){.what = SENT, .port = FLOOD, .tci = UNTAGGED}, slot);
	memset(cell, 0, sizeof(*cell));
	check_frame("aged", B, &is_flooded, slot);
}
END_TEST

START_TEST(a_mark_that_was_taken_off_is_put_on_again)
{
	struct sw_fdb_cell *a, *b;
	uint32_t slot;
	int i;

	lab_setup(&f);
	slot = put_usual(SW_FLOW_LEARN);
	a = fixture_put_address(&f, &a_here);
	b = fixture_put_address(&f, &b_there);
	for (i = 0; i < 3; i++) {
		check_frame("unmarked", B, &is_sent, slot);
		ck_assert_uint_eq(a->place.used, 1);
		check_frame("marked", B, &is_sent, slot);
		ck_assert_uint_eq(a->place.used, 1);
		a->place.used = 0;
	}
	ck_assert_uint_eq(b->place.used, 0);
}
END_TEST

/* What an unknown source sends is a miss, and limited as misses are; what only the daemon can send is not. */
START_TEST(a_storm_of_new_sources_is_limited)
{
	struct sw_port port = trial_port();
	struct fixture_address far = b_there;
	struct packet in;
	int i;

	lab_setup(&f);
	port.miss_rate = 1;
	port.miss_burst = 3;
	fixture_set_port(&f, TRIAL_LO, &port);
	f.miss_buckets[TRIAL_IN].tokens = 3000000000ULL;
	put_usual(SW_FLOW_LEARN);
	far.out = SW_FDB_OUT_UPCALL;
	fixture_put_address(&f, &far);
	for (i = 0; i < 10; i++) {
		lab_make(&in, VID, B, C + i);
		trial_run(&f, &in);
	}
	ck_assert_uint_eq(fixture_drops(&f, TRIAL_IN, SW_DROP_NO_DAEMON), 3);
	ck_assert_uint_eq(fixture_drops(&f, TRIAL_IN, SW_DROP_MISS_LIMIT), 7);
	fixture_put_address(&f, &a_here);
	lab_make(&in, VID, B, A);
	for (i = 0; i < 5; i++)
		trial_run(&f, &in);
	ck_assert_uint_eq(fixture_drops(&f, TRIAL_IN, SW_DROP_NO_DAEMON), 8);
	ck_assert_uint_eq(fixture_drops(&f, TRIAL_IN, SW_DROP_MISS_LIMIT), 7);
}
END_TEST

START_TEST(an_unfinished_checksum_is_finished_on_the_way)
{
	struct packet_spec spec = {.tci = UNTAGGED, .ip_version = 4, .ip_proto = 6, .size = 300};
	struct fixture_address here = a_here, there = b_there;
	struct sw_step flood = STEP(BROADCAST, SET);
	struct packet in, out;
	struct outcome o;
	uint64_t seed = 5;
	uint32_t slot;

	spec.csum = CSUM_UNFINISHED;
	packet_make(&in, &spec, &seed);
	packet_set_macs(&in, _i & 1 ? C : B, A);
	lab_setup(&f);
	fixture_put_address(&f, &here);
	fixture_put_address(&f, &there);
	slot = lab_put(&f, &in, BRIDGE, VID, SW_FLOW_CSUM | SW_FLOW_LEARN, &flood, 1);
	trial_lead(&f, _i / 2, &in, slot);
	o = trial_run(&f, &in);
	out = in;
	packet_set_csum(&out, CSUM_FINISHED);
	packet_retag(&out, _i & 1 ? UNTAGGED : VID);
	ck_assert_int_eq(o.verdict, XDP_REDIRECT);
	trial_check_same(&o.out, &out);
	ck_assert_uint_eq(fixture_port_stats(&f, TRIAL_IN).csum_done, 1);
}
END_TEST

START_TEST(tag_and_addresses_are_read_beyond_a_short_first_buffer)
{
	struct fixture_address narrow = b_there;
	struct packet in;
	struct outcome o;
	uint32_t slot;
	size_t first;
	int fd;

	lab_setup(&f);
	slot = put_usual(SW_FLOW_LEARN);
	fixture_put_address(&f, &a_here);
	fixture_put_address(&f, &b_there);
	narrow.mac = C;
	narrow.flags = SW_FDB_ONE_BUFFER;
	fixture_put_address(&f, &narrow);
	fd = trial_daemon_arrives(&f);
	packet_plain(&in, VID, 200);
	packet_set_macs(&in, B, A);
	if (trial_run_split(&f, &in, 14, 1, &o)) {
		printf("SKIP: BPF_PROG_TEST_RUN of this kernel does not split frames\n");
		close(fd);
		return;
	}
	for (first = 14; first < 40; first++) {
		fixture_forget_counters(&f);
		packet_set_macs(&in, B, A);
		ck_assert_int_eq(trial_run_split(&f, &in, first, 1, &o), 0);
		lab_check(&f, "who takes several buffers", &is_sent, &in, &o, slot);
		fixture_forget_counters(&f);
		packet_set_macs(&in, C, A);
		ck_assert_int_eq(trial_run_split(&f, &in, first, 1, &o), 0);
		lab_check(&f, "who takes one", &(struct fate){.what = UP, .reason = SW_UPCALL_FRAGS}, &in, &o, slot);
	}
	close(fd);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("normal");
	TCase *tcase = tcase_create("normal");

	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, a_frame_goes_where_the_fdb_says, 0, TRIAL_N_WAYS * N_CASES);
	tcase_add_test(tcase, an_address_is_found_in_either_bucket);
	tcase_add_test(tcase, an_address_is_found_in_each_cell);
	tcase_add_test(tcase, bridges_do_not_see_each_others_addresses);
	tcase_add_test(tcase, a_key_without_a_place_is_nobodys);
	tcase_add_test(tcase, no_flow_knows_where_an_address_moves);
	tcase_add_test(tcase, a_mark_that_was_taken_off_is_put_on_again);
	tcase_add_test(tcase, a_storm_of_new_sources_is_limited);
	tcase_add_loop_test(tcase, an_unfinished_checksum_is_finished_on_the_way, 0, 2 * TRIAL_N_WAYS);
	tcase_add_test(tcase, tag_and_addresses_are_read_beyond_a_short_first_buffer);
	suite_add_tcase(s, tcase);
	return s;
}

int main(void)
{
	return trial_main(&f, suite());
}
