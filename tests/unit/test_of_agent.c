/* SPDX-License-Identifier: BSD-2-Clause */
/* A bridge's controllers: roles, who hears of what, buffers, fail mode. */
#include "tests/unit/of_lab.h"
#include "tests/unit/seeded.h"

#define NO_CHANGE(xid)   "04 18 0018 0000000" xid " 00000000 00000000 0000000000000000"
#define MASTER(xid, gen) "04 18 0018 0000000" xid " 00000002 00000000 00000000000000" gen
#define SLAVE(xid, gen)  "04 18 0018 0000000" xid " 00000003 00000000 00000000000000" gen
#define EQUAL(xid)       "04 18 0018 0000000" xid " 00000001 00000000 0000000000000000"
#define IS_SLAVE         "0001000a"
#define FIRST_RULE       "04 0e 0038 00000001 0000000000000000 0000000000000000 00 00 0000 0000 0000 "
#define DELETE_ALL                                                                                                     \
	"04 0e 0038 00000009 0000000000000000 0000000000000000 ff 03 0000 0000 0000 ffffffff ffffffff ffffffff 0000 "  \
	"0000 0001 0004 00000000"

static const struct {
	const char *name, *message;
	bool changes;
} messages[] = {
	{"echo", "04 02 0008 00000001", false},
	{"features", "04 05 0008 00000001", false},
	{"get-config", "04 07 0008 00000001", false},
	{"desc", "04 12 0010 00000001 0000 0000 00000000", false},
	{"table-features, read", "04 12 0010 00000001 000c 0000 00000000", false},
	{"barrier", "04 14 0008 00000001", false},
	{"get-async", "04 1a 0008 00000001", false},
	{"packet-out",
		"04 0d 0036 00000001 ffffffff 00000001 0010 000000000000 0000 0010 00000002 0000 000000000000 "
		"0200000000020200000000010800",
		true},
	{"flow-mod", FIRST_RULE "ffffffff ffffffff ffffffff 0000 0000 0001 0004 00000000", true},
	{"group-mod", "04 0f 0010 00000001 0000 00 00 00000007", true},
	{"port-mod", "04 10 0028 00000001 00000001 00000000 020000000001 0000 00000001 00000001 00000000 00000000",
		true},
	{"table-mod", "04 11 0010 00000001 03 000000 00000000", true},
	{"meter-mod", "04 1d 0010 00000001 0000 0001 00000005", true},
	{"table-features, set",
		"04 12 0050 00000001 000c 0000 00000000 0040 03 00 00000000 61620000 00000000 00000000 00000000 "
		"00000000 "
		"00000000 00000000 00000000 ffffffffffffffff ffffffffffffffff 00000000 00000064",
		true},
};

START_TEST(a_slave_reads_and_changes_nothing)
{
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);
	struct table *table = tables_table(ofbridge_tables(lab->bridge), 3);
	bool refused;

	lab_ask(lab, session, SLAVE("1", "01"));
	lab_say(lab, session, messages[_i].message);
	lab_hear(lab, session);
	refused = !strncmp(lab->text, "0401", 4) && !strncmp(lab->text + 16, IS_SLAVE, 8);
	ck_assert_msg(refused == messages[_i].changes, "%s: %.100s", messages[_i].name, lab->text);
	ck_assert_uint_eq(tables_count(ofbridge_tables(lab->bridge)), 0);
	ck_assert_uint_eq(groups_count(ofbridge_groups(lab->bridge)), 0);
	ck_assert_uint_eq(meters_count(ofbridge_meters(lab->bridge)), 0);
	ck_assert_uint_eq(fake_ofbridge_asked(lab->bridge)->n_packet_outs, 0);
	ck_assert_uint_eq(fake_ofbridge_asked(lab->bridge)->n_port_mods, 0);
	ck_assert_str_eq(table->name, "");
	lab_close(lab);
}
END_TEST

START_TEST(the_others_may_do_everything)
{
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);

	if (_i % 2)
		lab_ask(lab, session, MASTER("1", "01"));
	lab_say(lab, session, messages[_i / 2].message);
	lab_hear(lab, session);
	ck_assert_msg(strncmp(lab->text, "0401", 4) || strncmp(lab->text + 16, IS_SLAVE, 8), "%s: %.100s",
		messages[_i / 2].name, lab->text);
	lab_close(lab);
}
END_TEST

static enum session_role role_of(const struct session *session)
{
	return session_report(session).role;
}

START_TEST(a_new_master_makes_the_old_one_a_slave)
{
	struct lab *lab = lab_open();
	struct session *first = lab_join(lab), *second = lab_join(lab), *third = lab_join(lab);

	ck_assert_int_eq(role_of(first), ROLE_EQUAL);
	ck_assert_str_eq(lab_ask(lab, first, MASTER("1", "05")), "041900180000000100000002000000000000000000000005");
	ck_assert_str_eq(lab_ask(lab, second, MASTER("2", "06")), "041900180000000200000002000000000000000000000006");
	ck_assert_int_eq(role_of(first), ROLE_SLAVE);
	ck_assert_int_eq(role_of(second), ROLE_MASTER);
	ck_assert_int_eq(role_of(third), ROLE_EQUAL);
	/* OF 1.3 tells it nothing. */
	ck_assert_str_eq(lab_hear(lab, first), "");
	ck_assert_str_eq(lab_ask(lab, first, NO_CHANGE("3")), "041900180000000300000003000000000000000000000006");
	lab_close(lab);
}
END_TEST

START_TEST(a_generation_id_that_is_behind_is_stale)
{
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);

	lab_ask(lab, session, MASTER("1", "80"));
	ck_assert(!strncmp(lab_ask(lab, session, SLAVE("2", "7f")) + 16, "000b0000", 8));
	ck_assert_int_eq(role_of(session), ROLE_MASTER);
	/* The same again is not behind; EQUAL has none. */
	ck_assert(!strncmp(lab_ask(lab, session, SLAVE("3", "80")), "0419", 4));
	ck_assert(!strncmp(lab_ask(lab, session, EQUAL("4")), "0419", 4));
	ck_assert_int_eq(role_of(session), ROLE_EQUAL);
	ck_assert_uint_eq(agent_report(lab->agent).generation_id, 0x80);
	lab_close(lab);
}
END_TEST

START_TEST(generation_ids_go_round)
{
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);

	lab_ask(lab, session, "04 18 0018 00000001 00000002 00000000 fffffffffffffff0");
	ck_assert(!strncmp(lab_ask(lab, session, SLAVE("2", "10")), "0419", 4));
	ck_assert_uint_eq(agent_report(lab->agent).generation_id, 0x10);
	ck_assert(!strncmp(
		lab_ask(lab, session, "04 18 0018 00000001 00000002 00000000 fffffffffffffff0") + 16, "000b0000", 8));
	lab_close(lab);
}
END_TEST

/* ---- who hears of what ---- */

static bool hears_packet_in(struct lab *lab, struct session *session, enum packet_in_reason reason)
{
	fake_ofbridge_packet_in(lab->bridge, reason, ACTION_MAX_LEN_ALL, 1, 60);
	return lab_drain(lab, session);
}

static bool hears_port(struct lab *lab, struct session *session, enum port_change change)
{
	fake_ofbridge_port_change(lab->bridge, change, 1);
	return lab_drain(lab, session);
}

START_TEST(at_first_a_slave_hears_of_ports_only)
{
	struct lab *lab = lab_open();
	struct session *equal = lab_join(lab), *slave = lab_join(lab);

	lab_ask(lab, slave, SLAVE("1", "01"));
	for (int reason = 0; reason < 3; reason++) {
		ck_assert_int_eq(hears_packet_in(lab, equal, (enum packet_in_reason)reason), reason != 2);
		ck_assert_int_eq(hears_packet_in(lab, slave, (enum packet_in_reason)reason), false);
		lab_drain(lab, equal);
		ck_assert(hears_port(lab, equal, (enum port_change)reason));
		lab_drain(lab, slave);
		ck_assert(hears_port(lab, slave, (enum port_change)reason));
		lab_drain(lab, equal);
	}
	lab_close(lab);
}
END_TEST

START_TEST(what_was_set_is_heard_and_nothing_else)
{
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);

	/* As EQUAL: INVALID_TTL and port additions; as SLAVE: NO_MATCH and port deletions. */
	lab_say(lab, session, "04 1c 0020 00000001 00000004 00000001 00000001 00000002 00000000 00000004");
	for (int slave = 0; slave < 2; slave++) {
		if (slave)
			lab_ask(lab, session, SLAVE("1", "01"));
		ck_assert_int_eq(hears_packet_in(lab, session, PACKET_IN_NO_MATCH), slave);
		ck_assert_int_eq(hears_packet_in(lab, session, PACKET_IN_ACTION), false);
		ck_assert_int_eq(hears_packet_in(lab, session, PACKET_IN_INVALID_TTL), !slave);
		ck_assert_int_eq(hears_port(lab, session, PORT_CHANGE_ADD), !slave);
		ck_assert_int_eq(hears_port(lab, session, PORT_CHANGE_DELETE), slave);
		ck_assert_int_eq(hears_port(lab, session, PORT_CHANGE_MODIFY), false);
	}
	lab_close(lab);
}
END_TEST

#define RULE_WITH(flags, idle, hard)                                                                                   \
	"04 0e 0038 00000001 0000000000000000 0000000000000000 00 00 " idle " " hard                                   \
	" 0000 ffffffff ffffffff ffffffff " flags " 0000 0001 0004 00000000"

START_TEST(a_rule_that_ends_is_told_of_by_reason)
{
	static const struct {
		const char *idle, *hard, *reason;
		uint64_t after_ns;
	} ends[] = {{"0002", "0000", "00", 2 * LAB_S}, {"0000", "0002", "01", 2 * LAB_S}, {"0000", "0000", "02", 0}};

	for (size_t i = 0; i < 3; i++) {
		for (unsigned mask = 0; mask < 8; mask++) {
			struct lab *lab = lab_open();
			struct session *session = lab_join(lab);
			char hex[300];

			snprintf(hex, sizeof(hex), "04 1c 0020 00000001 %016x %016x %08x 00000000", 0, 0, mask);
			lab_say(lab, session, hex);
			snprintf(hex, sizeof(hex), RULE_WITH("0001", "%s", "%s"), ends[i].idle, ends[i].hard);
			lab_say(lab, session, hex);
			lab_advance(lab, ends[i].after_ns);
			fake_ofbridge_expire(lab->bridge);
			lab_say(lab, session, DELETE_ALL);
			lab_hear(lab, session);
			if (mask >> i & 1)
				ck_assert_msg(!strncmp(lab->text + 16 + 20, ends[i].reason, 2), "%s", lab->text);
			else
				ck_assert_str_eq(lab->text, "");
			lab_close(lab);
		}
	}
}
END_TEST

START_TEST(a_packet_in_that_nobody_wants_is_counted)
{
	struct lab *lab = lab_open();

	ck_assert(!fake_ofbridge_packet_in(lab->bridge, PACKET_IN_ACTION, ACTION_MAX_LEN_ALL, 1, 60));
	ck_assert_uint_eq(agent_report(lab->agent).n_unheard, 1);
	lab_join(lab);
	ck_assert(fake_ofbridge_packet_in(lab->bridge, PACKET_IN_ACTION, ACTION_MAX_LEN_ALL, 1, 60));
	ck_assert_uint_eq(agent_report(lab->agent).n_unheard, 1);
	lab_close(lab);
}
END_TEST

START_TEST(a_session_before_its_hello_hears_nothing)
{
	struct lab *lab = lab_open();
	const struct session_options options = {.from = "tcp:test", .limits = session_default_limits()};
	struct session *session = lab_join_with(lab, &options);

	lab_drain(lab, session);
	ck_assert(!hears_packet_in(lab, session, PACKET_IN_ACTION));
	ck_assert(!hears_port(lab, session, PORT_CHANGE_ADD));
	lab_close(lab);
}
END_TEST

/* ---- auxiliary connections ---- */

static struct session *join_auxiliary(struct lab *lab, struct session *main, uint8_t id)
{
	const struct session_options options = {
		.from = "tcp:test/1", .main = main, .auxiliary_id = id, .limits = session_default_limits()};
	struct session *session = lab_join_with(lab, &options);

	lab_say(lab, session, LAB_HELLO);
	lab_drain(lab, session);
	return session;
}

START_TEST(an_auxiliary_connection_has_its_number_and_its_masters_role)
{
	struct lab *lab = lab_open();
	struct session *main = lab_join(lab), *other = join_auxiliary(lab, main, 7);

	ck_assert_str_eq(lab_ask(lab, other, "04 05 0008 00000001"),
		"04060020000000010000123456789abc00000100ff0700000000000f00000000");
	ck_assert_str_eq(lab_ask(lab, main, "04 05 0008 00000001"),
		"04060020000000010000123456789abc00000100ff0000000000000f00000000");
	lab_ask(lab, other, SLAVE("1", "01"));
	ck_assert_int_eq(role_of(main), ROLE_SLAVE);
	ck_assert(!strncmp(lab_ask(lab, other, "04 0f 0010 00000001 0000 00 00 00000007") + 16, IS_SLAVE, 8));
	session_free(other);
	lab_close(lab);
}
END_TEST

START_TEST(packet_ins_of_a_flow_keep_to_one_connection_and_other_events_to_the_main_one)
{
	struct lab *lab = lab_open();
	struct session *main = lab_join(lab), *other = join_auxiliary(lab, main, 1);
	unsigned n_main = 0, n_other = 0;

	for (unsigned flow = 0; flow < 64; flow++) {
		unsigned by_main, by_other;

		for (int i = 0; i < 3; i++)
			fake_ofbridge_packet_in_of(lab->bridge, (uint8_t)flow, ACTION_MAX_LEN_ALL, 60);
		by_main = lab_drain(lab, main);
		by_other = lab_drain(lab, other);
		ck_assert_uint_eq(by_main + by_other, 3);
		ck_assert(!by_main || !by_other);
		n_main += by_main;
		n_other += by_other;
	}
	ck_assert_uint_gt(n_main, 40);
	ck_assert_uint_gt(n_other, 40);
	ck_assert(hears_port(lab, main, PORT_CHANGE_ADD));
	ck_assert_uint_eq(lab_drain(lab, other), 0);
	/* Without it everything comes by the main one. */
	session_free(other);
	for (unsigned flow = 0; flow < 64; flow++)
		fake_ofbridge_packet_in_of(lab->bridge, (uint8_t)flow, ACTION_MAX_LEN_ALL, 60);
	ck_assert_uint_eq(lab_drain(lab, main), 64);
	lab_close(lab);
}
END_TEST

START_TEST(each_controller_hears_a_packet_in_once_whichever_connections_it_has)
{
	struct seeded random = seeded_start();
	struct session *main[3], *other[3][3] = {{NULL}};
	struct lab *lab = lab_open();

	for (int c = 0; c < 3; c++)
		main[c] = lab_join(lab);
	for (int round = 0; round < 500; round++) {
		uint32_t c = seeded_below(&random, 3), id = seeded_below(&random, 3);

		if (other[c][id])
			session_free(other[c][id]);
		other[c][id] = other[c][id] ? NULL : join_auxiliary(lab, main[c], (uint8_t)(id + 1));
		fake_ofbridge_packet_in_of(lab->bridge, (uint8_t)seeded_below(&random, 256), ACTION_MAX_LEN_ALL, 60);
		for (c = 0; c < 3; c++) {
			unsigned n = lab_drain(lab, main[c]);

			for (id = 0; id < 3; id++)
				n += other[c][id] ? lab_drain(lab, other[c][id]) : 0;
			ck_assert_msg(n == 1, "controller %u got %u in round %d, seed %llu", c, n, round,
				(unsigned long long)random.seed);
		}
	}
	for (int i = 0; i < 9; i++)
		session_free(other[i / 3][i % 3]);
	lab_close(lab);
}
END_TEST

START_TEST(there_are_only_so_many_sessions)
{
	struct lab *lab = lab_open();
	const struct session_options options = {.from = "tcp:test", .limits = session_default_limits()};

	for (int i = 0; i < AGENT_SESSIONS_MAX; i++)
		lab_join(lab);
	ck_assert_ptr_null(session_create(lab->agent, &options, lab->now_ns));
	session_free((struct session *)agent_next_session(lab->agent, NULL));
	lab_join(lab);
	lab_close(lab);
}
END_TEST

/* ---- buffers ---- */

/* The buffer id that the packet-in taken last tells. */
static uint32_t buffer_id(const struct lab *lab)
{
	ck_assert(!strncmp(lab->text, "040a", 4));
	return (uint32_t)strtoul((char[9]){lab->text[16], lab->text[17], lab->text[18], lab->text[19], lab->text[20],
					 lab->text[21], lab->text[22], lab->text[23], '\0'},
		NULL, 16);
}

static uint32_t buffer_frame(struct lab *lab, struct session *session, uint32_t size)
{
	fake_ofbridge_packet_in(lab->bridge, PACKET_IN_ACTION, 20, 2, size);
	lab_hear(lab, session);
	return buffer_id(lab);
}

static const char *packet_out(struct lab *lab, struct session *session, uint32_t id)
{
	char hex[200];

	snprintf(hex, sizeof(hex),
		"04 0d 0028 00000009 %08x 00000001 0010 000000000000 0000 0010 00000002 0000 000000000000", id);
	return lab_ask(lab, session, hex);
}

static const char *flow_mod(struct lab *lab, struct session *session, uint32_t id, unsigned table)
{
	char hex[300];

	snprintf(hex, sizeof(hex),
		"04 0e 0038 00000009 0000000000000000 0000000000000000 %02x 00 0000 0000 0000 %08x ffffffff ffffffff "
		"0000 "
		"0000 0001 0004 00000000",
		table, id);
	return lab_ask(lab, session, hex);
}

START_TEST(a_frame_that_is_cut_is_kept_and_used_once)
{
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);
	struct fake_asked *asked = fake_ofbridge_asked(lab->bridge);
	uint32_t id = buffer_frame(lab, session, 100);

	ck_assert_uint_ne(id, OF_NO_BUFFER);
	ck_assert_uint_eq(lab->size, 42 + 20);
	ck_assert_uint_eq(agent_report(lab->agent).n_buffers, 1);
	ck_assert_str_eq(packet_out(lab, session, id), "");
	ck_assert_uint_eq(asked->n_packet_outs, 1);
	ck_assert_uint_eq(asked->out_size, 100);
	ck_assert_uint_eq(asked->out_frame[99], 99);
	ck_assert_uint_eq(agent_report(lab->agent).n_buffers, 0);
	ck_assert(!strncmp(packet_out(lab, session, id) + 16, "00010007", 8));
	ck_assert(!strncmp(packet_out(lab, session, id + 1) + 16, "00010008", 8));
	lab_close(lab);
}
END_TEST

START_TEST(a_frame_that_goes_whole_is_not_kept)
{
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);

	ck_assert_uint_eq(buffer_frame(lab, session, 20), OF_NO_BUFFER);
	fake_ofbridge_packet_in(lab->bridge, PACKET_IN_ACTION, ACTION_MAX_LEN_ALL, 1, 1000);
	lab_hear(lab, session);
	ck_assert_uint_eq(buffer_id(lab), OF_NO_BUFFER);
	ck_assert_uint_eq(lab->size, 42 + 1000);
	lab_close(lab);
}
END_TEST

START_TEST(a_flow_mod_sends_its_buffered_frame_through_the_tables)
{
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);
	struct fake_asked *asked = fake_ofbridge_asked(lab->bridge);
	uint32_t id = buffer_frame(lab, session, 100);

	ck_assert_str_eq(flow_mod(lab, session, id, 0), "");
	ck_assert_uint_eq(asked->n_packet_outs, 1);
	ck_assert_uint_eq(asked->out_in_port, 2);
	ck_assert_uint_eq(asked->out_action.arg, OF_PORT_TABLE);
	ck_assert_uint_eq(asked->out_size, 100);
	ck_assert(!strncmp(flow_mod(lab, session, id, 0) + 16, "00010007", 8));
	ck_assert(!strncmp(flow_mod(lab, session, 12345, 1) + 16, "00010008", 8));
	/* What is refused changes nothing. */
	ck_assert_uint_eq(tables_count(ofbridge_tables(lab->bridge)), 1);
	lab_close(lab);
}
END_TEST

START_TEST(what_is_refused_leaves_the_buffer_full)
{
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);
	uint32_t id = buffer_frame(lab, session, 100);

	fake_ofbridge_refuse(lab->bridge, OF_ERR_BAD_ACTION_BAD_OUT_PORT);
	ck_assert(!strncmp(packet_out(lab, session, id) + 16, "00020004", 8));
	ck_assert(!strncmp(flow_mod(lab, session, id, 0xff) + 16, "00050002", 8));
	fake_ofbridge_refuse(lab->bridge, OF_OK);
	ck_assert_str_eq(packet_out(lab, session, id), "");
	lab_close(lab);
}
END_TEST

START_TEST(the_oldest_buffer_makes_way)
{
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);
	uint32_t ids[OF_BUFFERS + 1];

	for (int i = 0; i <= OF_BUFFERS; i++)
		ids[i] = buffer_frame(lab, session, 30 + (uint32_t)i);
	ck_assert_uint_eq(agent_report(lab->agent).n_buffers, OF_BUFFERS);
	ck_assert(!strncmp(packet_out(lab, session, ids[0]) + 16, "00010008", 8));
	for (int i = 1; i <= OF_BUFFERS; i++) {
		ck_assert_str_eq(packet_out(lab, session, ids[i]), "");
		ck_assert_uint_eq(fake_ofbridge_asked(lab->bridge)->out_size, 30 + (uint32_t)i);
	}
	lab_close(lab);
}
END_TEST

/* The packet-in that comes of a packet-out is kept in the very buffer that the packet-out took its frame from. */
START_TEST(a_buffered_frame_is_whole_while_its_actions_run)
{
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);
	uint32_t first = buffer_frame(lab, session, 40);
	char hex[200];

	for (int i = 1; i < OF_BUFFERS; i++)
		buffer_frame(lab, session, 2000);
	snprintf(hex, sizeof(hex),
		"04 0d 0038 00000009 %08x 00000001 0020 000000000000 0000 0010 fffffffd 0010 000000000000"
		"0000 0010 fffffffd 0010 000000000000",
		first);
	lab_ask(lab, session, hex);
	ck_assert_uint_eq(lab->size, 42 + 16);
	ck_assert_uint_eq(lab->bytes[42 + 15], 0);
	lab_hear(lab, session);
	ck_assert_uint_eq(lab->bytes[42 + 15], 15);
	lab_close(lab);
}
END_TEST

START_TEST(a_port_mod_sets_only_what_its_mask_names)
{
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);

	lab_say(lab, session,
		"04 10 0028 00000001 00000001 00000000 020000000001 0000 00000065 00000021 00000000 00000000");
	ck_assert_uint_eq(fake_ofbridge_asked(lab->bridge)->port_config, 0x21);
	ck_assert_uint_eq(fake_ofbridge_asked(lab->bridge)->port_mask, 0x21);
	lab_close(lab);
}
END_TEST

START_TEST(every_controller_gets_the_bytes_that_it_is_owed_and_the_same_buffer)
{
	struct lab *lab = lab_open();
	struct session *first = lab_join(lab), *second = lab_join(lab);
	uint32_t id;

	/* A frame that nobody asked for: each session's own miss_send_len. */
	lab_say(lab, first, "04 1c 0020 00000001 00000007 00000007 00000000 00000000 00000000 00000000");
	lab_say(lab, second, "04 1c 0020 00000001 00000007 00000007 00000000 00000000 00000000 00000000");
	lab_say(lab, second, "04 09 000c 00000001 0000 0010");
	fake_ofbridge_packet_in(lab->bridge, PACKET_IN_INVALID_TTL, ACTION_MAX_LEN_ALL, 1, 500);
	lab_hear(lab, first);
	ck_assert_uint_eq(lab->size, 42 + 128);
	id = buffer_id(lab);
	lab_hear(lab, second);
	ck_assert_uint_eq(lab->size, 42 + 16);
	ck_assert_uint_eq(buffer_id(lab), id);
	ck_assert_uint_eq(agent_report(lab->agent).n_buffers, 1);
	/* One that a rule or an action asked for has the action's limit. */
	fake_ofbridge_packet_in(lab->bridge, PACKET_IN_NO_MATCH, 30, 1, 500);
	lab_hear(lab, second);
	ck_assert_uint_eq(lab->size, 42 + 30);
	lab_close(lab);
}
END_TEST

START_TEST(a_frame_longer_than_a_message_is_cut)
{
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);

	fake_ofbridge_packet_in(lab->bridge, PACKET_IN_ACTION, ACTION_MAX_LEN_ALL, 1, 65535);
	lab_hear(lab, session);
	ck_assert_uint_eq(lab->size, 65535);
	lab_close(lab);
}
END_TEST

/* ---- fail mode ---- */

static struct session *join_as(struct lab *lab, bool accepted)
{
	const struct session_options options = {
		.from = "tcp:test", .accepted = accepted, .limits = session_default_limits()};
	struct session *session = lab_join_with(lab, &options);

	lab_say(lab, session, LAB_HELLO);
	return session;
}

static void expect_standalone(struct lab *lab, bool on, uint32_t n_calls)
{
	if (agent_report(lab->agent).n_controllers)
		ck_assert_int_eq(agent_report(lab->agent).standalone, on);
	else
		ck_assert(!agent_report(lab->agent).standalone);
	ck_assert_int_eq(fake_ofbridge_asked(lab->bridge)->standalone, on);
	ck_assert_uint_eq(fake_ofbridge_asked(lab->bridge)->n_standalone, n_calls);
}

/* The double has no rules at first: a bridge that may forward of itself then does. */
START_TEST(without_controllers_a_bridge_without_rules_stands_alone)
{
	struct lab *lab = lab_open();

	agent_set_fail_mode(lab->agent, FAIL_STANDALONE, lab->now_ns);
	ck_assert_uint_eq(agent_deadline(lab->agent), 0);
	expect_standalone(lab, true, 1);
	join_as(lab, true);
	expect_standalone(lab, true, 1);
	agent_set_fail_mode(lab->agent, FAIL_SECURE, lab->now_ns);
	expect_standalone(lab, false, 2);
	lab_close(lab);
}
END_TEST

START_TEST(secure_never_stands_alone)
{
	struct lab *lab = lab_open();

	agent_set_controllers(lab->agent, 1, lab->now_ns);
	ck_assert_uint_eq(agent_deadline(lab->agent), 0);
	expect_standalone(lab, false, 0);
	lab_close(lab);
}
END_TEST

/* Whatever rules were given meanwhile. */
START_TEST(a_bridge_that_gets_a_controller_again_stands_alone_again)
{
	struct lab *lab = lab_open();

	agent_set_controllers(lab->agent, 1, lab->now_ns);
	agent_set_fail_mode(lab->agent, FAIL_STANDALONE, lab->now_ns);
	expect_standalone(lab, true, 1);
	agent_set_controllers(lab->agent, 0, lab->now_ns);
	expect_standalone(lab, true, 1);
	agent_set_controllers(lab->agent, 1, lab->now_ns);
	expect_standalone(lab, true, 2);
	lab_close(lab);
}
END_TEST

START_TEST(standalone_at_once_before_the_first_controller_and_late_after_the_last)
{
	struct lab *lab = lab_open();
	struct session *session;

	agent_set_fail_mode(lab->agent, FAIL_STANDALONE, lab->now_ns);
	agent_set_controllers(lab->agent, 1, lab->now_ns);
	expect_standalone(lab, true, 2);
	/* Who looks does not count. */
	join_as(lab, true);
	expect_standalone(lab, true, 2);
	session = join_as(lab, false);
	expect_standalone(lab, false, 3);
	ck_assert_uint_eq(agent_deadline(lab->agent), 0);
	session_peer_closed(session, NULL);
	session_free(session);
	ck_assert_uint_eq(agent_deadline(lab->agent), lab->now_ns + 45 * LAB_S);
	lab_advance(lab, 45 * LAB_S - 1);
	agent_expired(lab->agent, lab->now_ns);
	expect_standalone(lab, false, 3);
	lab_advance(lab, 1);
	agent_expired(lab->agent, lab->now_ns);
	expect_standalone(lab, true, 4);
	ck_assert_uint_eq(agent_deadline(lab->agent), 0);
	lab_close(lab);
}
END_TEST

START_TEST(a_controller_that_comes_back_in_time_finds_its_rules)
{
	struct lab *lab = lab_open();
	struct session *session;

	agent_set_controllers(lab->agent, 2, lab->now_ns);
	session = join_as(lab, false);
	agent_set_fail_mode(lab->agent, FAIL_STANDALONE, lab->now_ns);
	session_peer_closed(session, NULL);
	lab_advance(lab, 44 * LAB_S);
	agent_expired(lab->agent, lab->now_ns);
	join_as(lab, false);
	lab_advance(lab, 44 * LAB_S);
	agent_expired(lab->agent, lab->now_ns);
	expect_standalone(lab, false, 0);
	lab_close(lab);
}
END_TEST

START_TEST(fail_mode_and_controllers_may_change_at_any_time)
{
	struct lab *lab = lab_open();

	agent_set_controllers(lab->agent, 1, lab->now_ns);
	agent_set_fail_mode(lab->agent, FAIL_STANDALONE, lab->now_ns);
	expect_standalone(lab, true, 1);
	agent_set_fail_mode(lab->agent, FAIL_SECURE, lab->now_ns);
	expect_standalone(lab, false, 2);
	agent_set_fail_mode(lab->agent, FAIL_STANDALONE, lab->now_ns);
	expect_standalone(lab, true, 3);
	join_as(lab, false);
	expect_standalone(lab, false, 4);
	agent_set_controllers(lab->agent, 0, lab->now_ns); /* the last one goes, and the rules it made with it */
	expect_standalone(lab, true, 5);
	lab_close(lab);
}
END_TEST

/* Rules that look like a bridge's first one, or that there are none, may be a controller's wish. */
START_TEST(the_same_fail_mode_again_changes_nothing)
{
	struct lab *lab = lab_open();

	agent_set_fail_mode(lab->agent, FAIL_STANDALONE, lab->now_ns);
	expect_standalone(lab, true, 1);
	agent_set_fail_mode(lab->agent, FAIL_STANDALONE, lab->now_ns);
	expect_standalone(lab, true, 1);
	agent_set_fail_mode(lab->agent, FAIL_SECURE, lab->now_ns);
	expect_standalone(lab, false, 2);
	agent_set_fail_mode(lab->agent, FAIL_SECURE, lab->now_ns);
	expect_standalone(lab, false, 2);
	lab_close(lab);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("of_agent");
	TCase *tcase = tcase_create("agent");
	SRunner *runner;
	int n = (int)(sizeof(messages) / sizeof(messages[0]));
	int failed;

	tcase_set_timeout(tcase, 30);
	tcase_add_loop_test(tcase, a_slave_reads_and_changes_nothing, 0, n);
	tcase_add_loop_test(tcase, the_others_may_do_everything, 0, 2 * n);
	tcase_add_test(tcase, a_new_master_makes_the_old_one_a_slave);
	tcase_add_test(tcase, a_generation_id_that_is_behind_is_stale);
	tcase_add_test(tcase, generation_ids_go_round);
	tcase_add_test(tcase, at_first_a_slave_hears_of_ports_only);
	tcase_add_test(tcase, what_was_set_is_heard_and_nothing_else);
	tcase_add_test(tcase, a_rule_that_ends_is_told_of_by_reason);
	tcase_add_test(tcase, a_packet_in_that_nobody_wants_is_counted);
	tcase_add_test(tcase, a_session_before_its_hello_hears_nothing);
	tcase_add_test(tcase, an_auxiliary_connection_has_its_number_and_its_masters_role);
	tcase_add_test(tcase, packet_ins_of_a_flow_keep_to_one_connection_and_other_events_to_the_main_one);
	tcase_add_test(tcase, each_controller_hears_a_packet_in_once_whichever_connections_it_has);
	tcase_add_test(tcase, there_are_only_so_many_sessions);
	tcase_add_test(tcase, a_frame_that_is_cut_is_kept_and_used_once);
	tcase_add_test(tcase, a_frame_that_goes_whole_is_not_kept);
	tcase_add_test(tcase, a_flow_mod_sends_its_buffered_frame_through_the_tables);
	tcase_add_test(tcase, what_is_refused_leaves_the_buffer_full);
	tcase_add_test(tcase, the_oldest_buffer_makes_way);
	tcase_add_test(tcase, a_buffered_frame_is_whole_while_its_actions_run);
	tcase_add_test(tcase, a_port_mod_sets_only_what_its_mask_names);
	tcase_add_test(tcase, every_controller_gets_the_bytes_that_it_is_owed_and_the_same_buffer);
	tcase_add_test(tcase, a_frame_longer_than_a_message_is_cut);
	tcase_add_test(tcase, without_controllers_a_bridge_without_rules_stands_alone);
	tcase_add_test(tcase, secure_never_stands_alone);
	tcase_add_test(tcase, a_bridge_that_gets_a_controller_again_stands_alone_again);
	tcase_add_test(tcase, standalone_at_once_before_the_first_controller_and_late_after_the_last);
	tcase_add_test(tcase, a_controller_that_comes_back_in_time_finds_its_rules);
	tcase_add_test(tcase, fail_mode_and_controllers_may_change_at_any_time);
	tcase_add_test(tcase, the_same_fail_mode_again_changes_nothing);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
