/* SPDX-License-Identifier: BSD-2-Clause */
#include "bpf/crc32c.h"
#include "dataplane/action.h"
#include "dataplane/layers.h"
#include "dataplane/rewrite.h"

#include "tests/unit/rewrite_golden.h"
#include "tests/unit/rewrite_lab.h"
#include "tests/unit/seeded.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define N_FRAMES   40000
#define N_HOSTILE  100000
#define ROOM       64 /* on either side of a frame */
#define LEAST_SIZE 60
#define N_GOLDENS  (int)(sizeof(goldens) / sizeof(goldens[0]))

/* A frame with room around it that reads 0xa5 where nobody has been. */
struct held {
	uint8_t bytes[ROOM + LAB_MAX + ROOM];
	struct frame frame;
};

static void hold(struct held *held, const uint8_t *bytes, uint32_t size)
{
	memset(held->bytes, 0xa5, sizeof(held->bytes));
	memcpy(held->bytes + ROOM, bytes, size);
	held->frame = (struct frame){held->bytes + ROOM, size, ROOM, ROOM};
}

static uint32_t from_hex(const char *text, uint8_t *ret_bytes)
{
	uint32_t n = 0;

	for (; *text; text += 2) {
		char digits[3] = {text[0], text[1], 0};

		ret_bytes[n++] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return n;
}

static void to_hex(const uint8_t *bytes, uint32_t size, char *text)
{
	static const char digits[] = "0123456789abcdef";

	for (uint32_t i = 0; i < size; i++) {
		*text++ = digits[bytes[i] >> 4];
		*text++ = digits[bytes[i] & 15];
	}
	*text = '\0';
}

static struct action action_of(uint8_t type, uint32_t arg)
{
	return (struct action){.type = type, .arg = arg};
}

static struct action set_field(uint8_t field, const uint8_t *value)
{
	struct action action = {.type = ACTION_SET_FIELD, .field = field};

	memcpy(action.value, value, field_row(field)->oxm_size);
	return action;
}

/* ---- golden ---- */

START_TEST(each_action_makes_of_a_frame_what_other_libraries_make_of_it)
{
	const struct golden *golden = &goldens[_i];
	uint8_t before[LAB_MAX];
	char after[2 * LAB_MAX + 1];
	struct held held;

	hold(&held, before, from_hex(golden->before, before));
	ck_assert_msg(rewrite_apply(&held.frame, &golden->action) == REWRITE_DONE, "%s", golden->name);
	to_hex(held.frame.data, held.frame.size, after);
	ck_assert_msg(!strcmp(after, golden->after), "%s:\n%s\nwanted:\n%s", golden->name, after, golden->after);
}
END_TEST

static const struct golden *golden_named(const char *name)
{
	for (int i = 0; i < N_GOLDENS; i++) {
		if (!strcmp(goldens[i].name, name))
			return &goldens[i];
	}
	ck_abort_msg("there is no golden %s", name);
	return NULL;
}

/* The frame that stands before the action of that golden. */
static void hold_golden(struct held *held, const char *name)
{
	uint8_t before[LAB_MAX];
	uint32_t size = from_hex(golden_named(name)->before, before);

	hold(held, before, size);
}

/* ---- TTLs ---- */

static const struct {
	const char *golden;
	uint8_t set, decrement;
} ttls[] = {
	{"dec_ttl_of_ipv4", ACTION_SET_NW_TTL, ACTION_DEC_NW_TTL},
	{"dec_ttl_of_ipv6", ACTION_SET_NW_TTL, ACTION_DEC_NW_TTL},
	{"dec_mpls_ttl", ACTION_SET_MPLS_TTL, ACTION_DEC_MPLS_TTL},
};

START_TEST(a_ttl_that_would_become_zero_is_bad_and_stays)
{
	for (uint32_t ttl = 0; ttl < 256; ttl++) {
		struct action set = action_of(ttls[_i].set, ttl), decrement = action_of(ttls[_i].decrement, 0);
		struct held held, again;

		hold_golden(&held, ttls[_i].golden);
		ck_assert_int_eq(rewrite_apply(&held.frame, &set), REWRITE_DONE);
		again = held;
		ck_assert_int_eq(rewrite_apply(&held.frame, &decrement), ttl < 2 ? REWRITE_BAD_TTL : REWRITE_DONE);
		if (ttl < 2) {
			ck_assert_mem_eq(held.bytes, again.bytes, sizeof(held.bytes));
			continue;
		}
		set.arg = ttl - 1;
		again.frame.data = again.bytes + ROOM;
		ck_assert_int_eq(rewrite_apply(&again.frame, &set), REWRITE_DONE);
		ck_assert_mem_eq(held.bytes, again.bytes, sizeof(held.bytes));
	}
}
END_TEST

/* ---- room ---- */

static const struct {
	struct action push;
	uint32_t size;
} pushes[] = {
	{{.type = ACTION_PUSH_VLAN, .arg = 0x8100}, 4},
	{{.type = ACTION_PUSH_MPLS, .arg = 0x8847}, 4},
	{{.type = ACTION_PUSH_PBB, .arg = 0x88e7}, 18},
};

START_TEST(a_push_without_headroom_leaves_the_frame_as_it_is)
{
	struct held held, before;

	hold_golden(&held, "push_vlan");
	held.frame.headroom = pushes[_i].size - 1;
	before = held;
	ck_assert_int_eq(rewrite_apply(&held.frame, &pushes[_i].push), REWRITE_NO_ROOM);
	ck_assert_mem_eq(held.bytes, before.bytes, sizeof(held.bytes));
	ck_assert_uint_eq(held.frame.size, before.frame.size);

	held.frame.headroom = pushes[_i].size;
	ck_assert_int_eq(rewrite_apply(&held.frame, &pushes[_i].push), REWRITE_DONE);
	ck_assert_uint_eq(held.frame.headroom, 0);
	ck_assert_uint_eq(held.frame.tailroom, ROOM);
	ck_assert_uint_eq(held.frame.size, before.frame.size + pushes[_i].size);
}
END_TEST

START_TEST(padding_takes_the_room_behind_else_the_room_in_front_else_none)
{
	static const struct {
		uint32_t headroom, tailroom, size;
	} rooms[] = {{0, 4, 60}, {0, 3, 60}, {0, 0, 60}, {9, 0, 60}};
	const struct golden *golden = golden_named("pop_vlan_pads_to_60_bytes");
	uint8_t wanted[LAB_MAX];
	struct held held;

	from_hex(golden->after, wanted);
	for (int i = 0; i < 4; i++) {
		hold_golden(&held, golden->name);
		ck_assert_uint_eq(held.frame.size, 60);
		held.frame.headroom = rooms[i].headroom;
		held.frame.tailroom = rooms[i].tailroom;
		ck_assert_int_eq(rewrite_apply(&held.frame, &golden->action), REWRITE_DONE);
		ck_assert_uint_eq(held.frame.size, rooms[i].size);
		ck_assert_mem_eq(held.frame.data, wanted, 60);
		ck_assert_uint_eq(held.frame.headroom + held.frame.tailroom, rooms[i].headroom + rooms[i].tailroom);
	}
	hold_golden(&held, golden->name);
	held.frame.size = 46; /* as a virtual device may have it: 14 bytes of padding are not there */
	held.frame.headroom = held.frame.tailroom = 0;
	ck_assert_int_eq(rewrite_apply(&held.frame, &golden->action), REWRITE_DONE);
	ck_assert_uint_eq(held.frame.size, 42);
	ck_assert_uint_eq(held.frame.headroom, 4);
	ck_assert_uint_eq(held.frame.tailroom, 0);
}
END_TEST

/* ---- remark ---- */

static const struct {
	uint8_t before, levels, after;
} remarks[] = {
	{18, 1, 20}, /* what the conformance tool expects */
	{10, 0, 10},
	{10, 1, 12},
	{10, 2, 14},
	{10, 3, 14},
	{12, 1, 14},
	{12, 255, 14},
	{14, 1, 14},
	{20, 1, 22},
	{22, 1, 22},
	{26, 2, 30},
	{34, 1, 36},
	{38, 1, 38},
	/* no assured forwarding: best effort, class selectors, expedited forwarding, odd ones */
	{0, 1, 0},
	{8, 1, 8},
	{16, 2, 16},
	{46, 1, 46},
	{48, 1, 48},
	{42, 1, 42},
	{2, 1, 2},
	{11, 1, 11},
};

START_TEST(a_remark_raises_the_drop_precedence_within_its_class)
{
	static const char *const frames[] = {"set_field_ip_dscp_of_ipv4", "set_field_ip_dscp_of_ipv6"};

	for (int i = 0; i < 2; i++) {
		struct action before = set_field(FIELD_IP_DSCP, &remarks[_i].before);
		struct action after = set_field(FIELD_IP_DSCP, &remarks[_i].after);
		struct held held, wanted;

		hold_golden(&held, frames[i]);
		hold_golden(&wanted, frames[i]);
		rewrite_apply(&held.frame, &before);
		rewrite_apply(&wanted.frame, &after);
		rewrite_remark(&held.frame, remarks[_i].levels);
		ck_assert_msg(!memcmp(held.bytes, wanted.bytes, sizeof(held.bytes)), "%s: DSCP %u by %u", frames[i],
			remarks[_i].before, remarks[_i].levels);
	}
}
END_TEST

START_TEST(a_remark_leaves_what_is_not_ip)
{
	static const char *const frames[] = {
		"set_field_arp_op", "set_field_mpls_label", "push_pbb_copies_the_outer_i_sid"};
	struct held held, before;

	hold_golden(&held, frames[_i]);
	before = held;
	rewrite_remark(&held.frame, 1);
	ck_assert_mem_eq(held.bytes, before.bytes, sizeof(held.bytes));
}
END_TEST

/* ---- oracle ---- */

static uint8_t random_field(struct seeded *random)
{
	uint8_t field;

	do {
		field = (uint8_t)seeded_below(random, N_FIELDS);
	} while (!field_row(field)->settable);
	return field;
}

static bool is_among(uint32_t value, const uint16_t *list, int n)
{
	while (n-- > 0) {
		if (list[n] == value)
			return true;
	}
	return false;
}

/* Within the field's bits; no value that makes of the frame one with other headers in front of the field. */
static void random_value(struct seeded *random, uint8_t field, uint8_t *value)
{
	static const uint16_t tags[] = {0x8100, 0x88a8}, extensions[] = {0, 43, 44, 51, 60};
	const struct field_row *row = field_row(field);

	do {
		for (int i = 0; i < row->oxm_size; i++)
			value[i] = (uint8_t)seeded_next(random);
		if (row->oxm_bits % 8)
			value[0] &= (uint8_t)((1 << row->oxm_bits % 8) - 1);
		if (field == FIELD_VLAN_VID)
			value[0] |= 0x10;
		if (row->oxm_size == 4 && row->oxm_bits == 20)
			value[0] = 0, value[1] &= 0x0f;
	} while ((field == FIELD_ETH_TYPE && (is_among(value[0] * 256u + value[1], tags, 2) || value[0] < 6)) ||
		 (field == FIELD_IP_PROTO && is_among(value[0], extensions, 5)));
}

/* Whether a rule for frames of this flow could name the field. */
static bool may_name(const struct flow *flow, uint8_t field)
{
	struct flow_match match = {.key = *flow};

	memset(&match.mask, 0xff, sizeof(match.mask));
	if (field == FIELD_VLAN_VID)
		field = FIELD_VLAN_PCP; /* which needs a tag */
	return field_prerequisite_met(field, &match);
}

/* Rather often one that a rule for the frame could name. */
static uint8_t fitting_field(struct seeded *random, const uint8_t *frame, uint32_t size)
{
	uint8_t field = random_field(random);
	struct flow flow;

	flow_extract(frame, size, 1, &flow);
	for (uint32_t n = seeded_below(random, 2) ? 8 : 0; n && !may_name(&flow, field); n--)
		field = random_field(random);
	return field;
}

static bool is_l4(uint8_t field)
{
	switch (field) {
	case FIELD_TCP_SRC:
	case FIELD_TCP_DST:
	case FIELD_UDP_SRC:
	case FIELD_UDP_DST:
	case FIELD_SCTP_SRC:
	case FIELD_SCTP_DST:
	case FIELD_ICMP_TYPE:
	case FIELD_ICMP_CODE:
	case FIELD_ICMPV6_TYPE:
	case FIELD_ICMPV6_CODE:
	case FIELD_ND_TARGET:
	case FIELD_ND_SLL:
	case FIELD_ND_TLL:
		return true;
	default:
		return false;
	}
}

static bool is_zero(const uint8_t *bytes, uint32_t size)
{
	while (size--) {
		if (bytes[size])
			return false;
	}
	return true;
}

/* The flow as it must be afterwards. */
static struct flow twin_set(const struct lab *lab, const struct flow *flow, uint8_t field, const uint8_t *value)
{
	struct flow after = *flow;
	uint8_t before[16];

	if (!may_name(flow, field) || field == FIELD_TUNNEL_ID || field == FIELD_IPV6_EXTHDR)
		return after;
	if (is_l4(field) && lab->later)
		return after;
	field_read(field, flow, before);
	if ((field == FIELD_ND_SLL || field == FIELD_ND_TLL) && is_zero(before, 6))
		return after; /* there is no such option */
	field_write(field, &after, value);
	return after;
}

/* Fields on which hangs what the bytes behind them mean. */
static bool turns_the_frame(uint8_t field)
{
	return field == FIELD_ETH_TYPE || field == FIELD_IP_PROTO || field == FIELD_ICMPV6_TYPE;
}

static void check_flow(const struct lab *lab, const struct flow *before, const struct flow *after,
	const struct action *action, uint64_t seed)
{
	uint8_t wanted[16], got[16];
	struct flow twin = twin_set(lab, before, action->field, action->value);
	bool same;

	if (turns_the_frame(action->field)) {
		field_read(action->field, &twin, wanted);
		field_read(action->field, after, got);
		same = !memcmp(wanted, got, field_row(action->field)->oxm_size);
	} else {
		same = flow_equal(&twin, after);
	}
	if (!same) {
		char texts[2][1024];
		struct flow all;

		memset(&all, 0xff, sizeof(all));
		flow_format(&twin, &all, NULL, texts[0], sizeof(texts[0]));
		flow_format(after, &all, NULL, texts[1], sizeof(texts[1]));
		ck_abort_msg("seed %#lx: set %s: wanted\n%s\ngot\n%s", (unsigned long)seed, field_name(action->field),
			texts[0], texts[1]);
	}
}

/* SCTP's sum over a packet of which a part is elsewhere cannot be mended. */
static bool is_lost(const struct lab *lab, uint8_t field)
{
	return lab->fragment && lab->l4_proto == 132 && (field == FIELD_SCTP_SRC || field == FIELD_SCTP_DST);
}

START_TEST(a_field_that_is_set_is_what_changes_and_checksums_stay_as_right_as_they_were)
{
	struct seeded random = seeded_start();

	for (int i = 0; i < N_FRAMES; i++) {
		struct lab lab = lab_frame(&random);
		enum sum_state ip = lab_ip_sum(&lab), transport = lab_transport_sum(&lab);
		uint8_t field = fitting_field(&random, lab.bytes, lab.size), value[16] = {0};
		struct flow before, after;
		struct action action;
		struct frame frame = {lab.bytes, lab.size, 0, 0};

		random_value(&random, field, value);
		action = set_field(field, value);
		flow_extract(lab.bytes, lab.size, 1, &before);
		ck_assert_int_eq(rewrite_apply(&frame, &action), REWRITE_DONE);
		ck_assert_uint_eq(frame.size, lab.size);
		flow_extract(lab.bytes, lab.size, 1, &after);
		if (!lab.deep || (field != FIELD_IP_PROTO && !is_l4(field)))
			check_flow(&lab, &before, &after, &action, random.seed);
		ck_assert_msg(lab_ip_sum(&lab) == ip, "seed %#lx: IPv4 checksum after %s", (unsigned long)random.seed,
			field_name(field));
		ck_assert_msg(lab_transport_sum(&lab) == transport || is_lost(&lab, field),
			"seed %#lx: checksum of protocol %u after %s", (unsigned long)random.seed, lab.l4_proto,
			field_name(field));
	}
}
END_TEST

/* The sums meet both forms of zero on the way. */
START_TEST(no_address_and_no_port_of_all_makes_a_checksum_wrong_or_a_udp_checksum_zero)
{
	static const uint8_t fields[] = {FIELD_UDP_SRC, FIELD_UDP_DST, FIELD_IPV4_SRC, FIELD_IPV4_DST};
	struct lab lab = {.ip = 14, .version = 4, .proto_at = 23, .dst_at = 30, .l4 = 34, .l4_proto = 17};
	struct frame frame = {lab.bytes, 0, 0, 0};

	lab.size = from_hex(golden_named("set_field_udp_src_over_ipv4")->before, lab.bytes);
	lab.l4_size = lab.size - lab.l4;
	frame.size = lab.size;
	for (uint32_t value = 0; value < 0x10000; value++) {
		uint8_t bytes[4] = {(uint8_t)(value >> 8), (uint8_t)value, 0xff, 0xff};
		struct action action = set_field(fields[_i], bytes);

		rewrite_apply(&frame, &action);
		ck_assert_int_eq(lab_ip_sum(&lab), SUM_RIGHT);
		ck_assert_int_eq(lab_transport_sum(&lab), SUM_RIGHT);
	}
}
END_TEST

/* 0 and 0xffff are the same number in a one's complement sum, so a checksum may come back as the other. */
static bool is_same_frame(const struct lab *a, const struct lab *b)
{
	for (uint32_t i = 0; i < a->size; i++) {
		uint32_t word = i & ~1u, at = lab_checksum_at(a);
		bool is_sum = a->ip && ((a->version == 4 && word == a->ip + 10) || (at && word == at));

		if (a->bytes[i] != b->bytes[i] &&
			!(is_sum && a->bytes[word] == a->bytes[word + 1] && (uint8_t)(a->bytes[word] + 1) < 2))
			return false;
	}
	return true;
}

/* The program's, against one bit after the other. */
START_TEST(a_crc_is_moved_over_any_number_of_zero_bytes)
{
	struct seeded random = seeded_start();
	const uint32_t begun = (uint32_t)seeded_next(&random);
	uint32_t crc = begun;

	for (uint32_t n = 0; n < 65536; n++) {
		ck_assert_msg(sw_crc32c_shift(begun, n) == crc, "seed %lu, %u bytes", random.seed, n);
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
	}
}
END_TEST

START_TEST(a_field_set_and_set_back_leaves_the_same_bytes)
{
	struct seeded random = seeded_start();

	for (int i = 0; i < N_FRAMES; i++) {
		struct lab lab = lab_frame(&random), back = lab;
		struct frame frame = {back.bytes, back.size, 0, 0};
		uint8_t field = fitting_field(&random, lab.bytes, lab.size), value[16] = {0};
		struct action there, and_back;
		struct flow flow;

		random_value(&random, field, value);
		flow_extract(lab.bytes, lab.size, 1, &flow);
		there = set_field(field, value);
		field_read(field, &flow, value);
		and_back = set_field(field, value);
		/* After ip_proto the checksum is looked for in another place; what the flow does not see is not known.
		 */
		if (field == FIELD_IP_PROTO || !may_name(&flow, field) || lab.deep)
			continue;
		rewrite_apply(&frame, &there);
		rewrite_apply(&frame, &and_back);
		ck_assert_msg(
			is_same_frame(&lab, &back), "seed %#lx: %s", (unsigned long)random.seed, field_name(field));
	}
}
END_TEST

/* A stupid twin of the TTL actions: the byte that changes and what it becomes. */
static void check_ttl(
	const struct lab *before, const struct lab *after, const struct action *action, enum rewrite result)
{
	uint32_t at = before->ip + (before->version == 4 ? 8 : 7);
	uint8_t ttl = before->bytes[at];

	if (action->type == ACTION_SET_NW_TTL) {
		ck_assert_uint_eq(after->bytes[at], action->arg);
	} else if (action->type == ACTION_DEC_NW_TTL) {
		ck_assert_int_eq(result, ttl < 2 ? REWRITE_BAD_TTL : REWRITE_DONE);
		ck_assert_uint_eq(after->bytes[at], ttl < 2 ? ttl : ttl - 1);
	}
}

START_TEST(the_other_actions_leave_checksums_as_right_as_they_were)
{
	static const uint8_t types[] = {ACTION_COPY_TTL_OUT, ACTION_COPY_TTL_IN, ACTION_SET_MPLS_TTL,
		ACTION_DEC_MPLS_TTL, ACTION_SET_NW_TTL, ACTION_DEC_NW_TTL, ACTION_OUTPUT, ACTION_GROUP,
		ACTION_SET_QUEUE};
	struct seeded random = seeded_start();

	for (int i = 0; i < N_FRAMES; i++) {
		struct lab lab = lab_frame(&random), before = lab;
		enum sum_state ip = lab_ip_sum(&lab), transport = lab_transport_sum(&lab);
		struct frame frame = {lab.bytes, lab.size, 0, 0};
		struct action action = action_of(types[seeded_below(&random, 9)], seeded_below(&random, 256));
		enum rewrite result = rewrite_apply(&frame, &action);

		ck_assert_msg(lab_ip_sum(&lab) == ip && lab_transport_sum(&lab) == transport, "seed %#lx: action %u",
			(unsigned long)random.seed, action.type);
		if (lab.ip && !lab.behind_label)
			check_ttl(&before, &lab, &action, result);
		rewrite_remark(&frame, (uint8_t)seeded_below(&random, 4));
		ck_assert_msg(lab_ip_sum(&lab) == ip && lab_transport_sum(&lab) == transport, "seed %#lx: remark",
			(unsigned long)random.seed);
	}
}
END_TEST

/* ---- push and pop ---- */

/* What undoes a push onto this frame. */
static struct action undo(const struct frame *frame, uint8_t push)
{
	if (push == ACTION_PUSH_VLAN)
		return action_of(ACTION_POP_VLAN, 0);
	if (push == ACTION_PUSH_MPLS)
		return action_of(ACTION_POP_MPLS, load_be16(frame->data + LAYERS_ADDRESSES));
	return action_of(ACTION_POP_PBB, 0);
}

START_TEST(a_pop_undoes_a_push)
{
	static const uint16_t types[] = {0x8100, 0x88a8, 0x8847, 0x8848, 0x88e7};
	static const uint8_t kinds[] = {
		ACTION_PUSH_VLAN, ACTION_PUSH_VLAN, ACTION_PUSH_MPLS, ACTION_PUSH_MPLS, ACTION_PUSH_PBB};
	struct seeded random = seeded_start();

	for (int i = 0; i < N_FRAMES; i++) {
		struct lab lab = lab_frame(&random);
		uint32_t which = seeded_below(&random, 5), grown = which == 4 ? 18 : 4, n_undo = 0;
		struct action push = action_of(kinds[which], types[which]), pops[3];
		struct held held;

		hold(&held, lab.bytes, lab.size);
		for (uint32_t n = 1 + seeded_below(&random, 3); n--;) {
			pops[n_undo++] = undo(&held.frame, push.type);
			ck_assert_int_eq(rewrite_apply(&held.frame, &push), REWRITE_DONE);
		}
		ck_assert_uint_eq(held.frame.size, lab.size + grown * n_undo);
		ck_assert_uint_eq(held.frame.headroom, ROOM - grown * n_undo);
		while (n_undo)
			ck_assert_int_eq(rewrite_apply(&held.frame, &pops[--n_undo]), REWRITE_DONE);
		ck_assert_uint_eq(held.frame.size, lab.size < LEAST_SIZE ? LEAST_SIZE : lab.size);
		ck_assert_msg(!memcmp(held.frame.data, lab.bytes, lab.size), "seed %#lx: %#x",
			(unsigned long)random.seed, types[which]);
		ck_assert(is_zero(held.frame.data + lab.size, held.frame.size - lab.size));
		ck_assert_uint_eq(held.frame.headroom + held.frame.size + held.frame.tailroom, ROOM + lab.size + ROOM);
	}
}
END_TEST

/* ---- hostile frames ---- */

/* A datagram that ends in or before its transport header; the frame ends there too, or goes on. */
static void shorten(struct lab *lab, struct seeded *random)
{
	uint32_t end = lab->l4 + seeded_below(random, 30);

	if (!lab->ip || end > lab->size)
		return;
	if (lab->version == 4)
		lab_set16(lab, lab->ip + 2, (uint16_t)(end - lab->ip));
	else
		lab_set16(lab, lab->ip + 4, (uint16_t)(end - lab->ip - 40));
	if (seeded_below(random, 2))
		lab->size = end;
}

/* A frame with some bytes of it turned and its end cut off, or no frame at all. */
static void make_hostile(struct lab *lab, struct seeded *random)
{
	static const uint8_t protos[] = {1, 6, 17, 58, 132};

	if (!seeded_below(random, 4))
		shorten(lab, random);
	if (lab->ip && !seeded_below(random, 4))
		lab->bytes[lab->proto_at] = protos[seeded_below(random, 5)];
	for (uint32_t n = seeded_below(random, 5); n--;)
		lab->bytes[seeded_below(random, lab->size < 80 ? lab->size : 80)] =
			(uint8_t)(seeded_below(random, 2) ? seeded_next(random) : seeded_below(random, 64));
	if (seeded_below(random, 2))
		lab->size = seeded_below(random, lab->size + 1);
	if (lab->size > 256)
		lab->size = 256;
	if (!seeded_below(random, 8)) {
		lab->size = 0;
		lab_random(lab, random, seeded_below(random, 100));
	}
}

static struct action random_action(struct seeded *random, const struct frame *frame)
{
	static const uint16_t types[] = {0x8100, 0x88a8, 0x8847, 0x8848, 0x88e7, 0x0800, 0x86dd, 0x0806};
	struct action action = {
		.type = (uint8_t)seeded_below(random, N_ACTIONS), .arg = types[seeded_below(random, 8)]};
	uint8_t value[16] = {0}, field;

	if (seeded_below(random, 2))
		return action;
	field = fitting_field(random, frame->data, frame->size);
	random_value(random, field, value);
	return set_field(field, value);
}

START_TEST(nothing_outside_of_a_hostile_frame_and_its_room_is_touched)
{
	struct seeded random = seeded_start();

	for (int i = 0; i < N_HOSTILE; i++) {
		struct lab lab = lab_frame(&random);
		uint32_t head = seeded_below(&random, 40), tail = seeded_below(&random, 70), whole;
		struct frame frame;
		uint8_t *memory;

		make_hostile(&lab, &random);
		whole = head + lab.size + tail;
		memory = malloc(whole ? whole : 1);
		memcpy(memory + head, lab.bytes, lab.size);
		frame = (struct frame){memory + head, lab.size, head, tail};
		for (int n = 0; n < 4; n++) {
			struct action action = random_action(&random, &frame);

			if (rewrite_apply(&frame, &action) == REWRITE_NO_ROOM)
				ck_assert_uint_lt(frame.headroom, 18);
			rewrite_remark(&frame, (uint8_t)seeded_below(&random, 4));
			ck_assert_ptr_eq(frame.data - frame.headroom, memory);
			ck_assert_uint_eq(frame.headroom + frame.size + frame.tailroom, whole);
		}
		free(memory);
	}
}
END_TEST

/* L1: what a flow sees is found, and what was changed is what the flow sees. */
START_TEST(of_a_hostile_frame_the_field_that_rules_see_is_set_or_no_byte)
{
	struct seeded random = seeded_start();

	for (int i = 0; i < N_HOSTILE; i++) {
		struct lab lab = lab_frame(&random), before;
		uint8_t field, value[16] = {0}, seen[16], got[16];
		struct frame frame = {lab.bytes, 0, 0, 0};
		struct flow flow, after;
		struct action action;
		bool is_there;

		make_hostile(&lab, &random);
		field = fitting_field(&random, lab.bytes, lab.size);
		before = lab;
		frame.size = lab.size;
		random_value(&random, field, value);
		action = set_field(field, value);
		is_there = flow_extract(lab.bytes, lab.size, 1, &flow) && may_name(&flow, field);
		field_read(field, &flow, seen);
		rewrite_apply(&frame, &action);
		if (field == FIELD_IPV6_EXTHDR || field == FIELD_TUNNEL_ID || (lab.deep && is_l4(field)) ||
			(!memcmp(before.bytes, lab.bytes, lab.size) &&
				!(is_there && !is_zero(seen, field_row(field)->oxm_size))))
			continue;
		flow_extract(lab.bytes, lab.size, 1, &after);
		field_read(field, &after, got);
		ck_assert_msg(!memcmp(got, value, field_row(field)->oxm_size), "seed %#lx: %s",
			(unsigned long)random.seed, field_name(field));
		ck_assert_msg(is_there || field == FIELD_ETH_TYPE, "seed %#lx: %s is not there",
			(unsigned long)random.seed, field_name(field));
	}
}
END_TEST

#define LOOP(name, table) tcase_add_loop_test(tcase, name, 0, (int)(sizeof(table) / sizeof(table[0])))

int main(void)
{
	TCase *tcase = tcase_create("rewrite");
	Suite *suite = suite_create("rewrite");
	SRunner *runner;
	int n_failed;

	tcase_set_timeout(tcase, 100);
	LOOP(each_action_makes_of_a_frame_what_other_libraries_make_of_it, goldens);
	LOOP(a_ttl_that_would_become_zero_is_bad_and_stays, ttls);
	LOOP(a_push_without_headroom_leaves_the_frame_as_it_is, pushes);
	tcase_add_test(tcase, padding_takes_the_room_behind_else_the_room_in_front_else_none);
	LOOP(a_remark_raises_the_drop_precedence_within_its_class, remarks);
	tcase_add_loop_test(tcase, a_remark_leaves_what_is_not_ip, 0, 3);
	tcase_add_test(tcase, a_field_that_is_set_is_what_changes_and_checksums_stay_as_right_as_they_were);
	tcase_add_loop_test(tcase, no_address_and_no_port_of_all_makes_a_checksum_wrong_or_a_udp_checksum_zero, 0, 4);
	tcase_add_test(tcase, a_crc_is_moved_over_any_number_of_zero_bytes);
	tcase_add_test(tcase, a_field_set_and_set_back_leaves_the_same_bytes);
	tcase_add_test(tcase, the_other_actions_leave_checksums_as_right_as_they_were);
	tcase_add_test(tcase, a_pop_undoes_a_push);
	tcase_add_test(tcase, nothing_outside_of_a_hostile_frame_and_its_room_is_touched);
	tcase_add_test(tcase, of_a_hostile_frame_the_field_that_rules_see_is_set_or_no_byte);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? 1 : 0;
}
