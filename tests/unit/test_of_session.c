/* SPDX-License-Identifier: BSD-2-Clause */
/* A session: hellos, quotas, bounds, deadlines. */
#include "ofp/session_parts.h"
#include "tests/unit/of_lab.h"

#define ECHO_1008 1008 /* bytes of an echo request with 1,000 bytes */

static struct session *join_limited(struct lab *lab, const struct session_limits *limits)
{
	const struct session_options options = {.from = "tcp:test", .limits = *limits};
	struct session *session = lab_join_with(lab, &options);

	lab_say(lab, session, LAB_HELLO);
	lab_drain(lab, session);
	return session;
}

static struct session *join_silent(struct lab *lab)
{
	const struct session_options options = {.from = "tcp:test", .limits = session_default_limits()};

	return lab_join_with(lab, &options);
}

/* Fills `bytes` with echo requests of `size` bytes; returns all their bytes. */
static size_t echoes(uint8_t *bytes, unsigned n, size_t size)
{
	memset(bytes, 0, n * size);
	for (unsigned i = 0; i < n; i++) {
		uint8_t *at = bytes + i * size;

		at[0] = OFP_VERSION;
		at[1] = OFPT_ECHO_REQUEST;
		at[2] = (uint8_t)(size >> 8);
		at[3] = (uint8_t)size;
		at[6] = (uint8_t)(i >> 8);
		at[7] = (uint8_t)i;
	}
	return n * size;
}

static unsigned send_packet_ins(struct lab *lab, unsigned n)
{
	unsigned taken = 0;

	for (unsigned i = 0; i < n; i++)
		taken += fake_ofbridge_packet_in(lab->bridge, PACKET_IN_ACTION, ACTION_MAX_LEN_ALL, 1, 60);
	return taken;
}

/* ---- hello ---- */

static const struct {
	const char *hello;
	bool agreed;
} hellos[] = {
	{LAB_HELLO, true},
	{"04 00 0008 00000001", true},
	{"05 00 0008 00000001", true},
	{"06 00 0010 00000001 0001 0008 00000072", true},
	{"01 00 0010 00000001 0001 0008 00000012", true},
	{"01 00 0008 00000001", false},
	{"03 00 0008 00000001", false},
	{"06 00 0010 00000001 0001 0008 00000062", false},
	/* What is not known is passed over, what is cut short does not count. */
	{"06 00 0018 00000001 0007 0006 ffff 0000 0001 0008 00000010", true},
	{"06 00 0018 00000001 0007 0006 ffff 0000 0001 0008 00000020", false},
	{"04 00 000c 00000001 0001 0008", true},
	{"01 00 000c 00000001 0001 0008", false},
	{"04 00 000c 00000001 0001 0003", true},
	{"06 00 000e 00000001 0001 0008 0000", true},
};

START_TEST(hellos_agree_on_version_4_or_on_nothing)
{
	struct lab *lab = lab_open();
	struct session *session = join_silent(lab);

	ck_assert_str_eq(lab_hear(lab, session), "04000010000000000001000800000010");
	lab_say(lab, session, hellos[_i].hello);
	if (hellos[_i].agreed) {
		ck_assert_int_eq(session_state(session), SESSION_OPEN);
		lab_expect_alive(lab, session, hellos[_i].hello);
	} else {
		ck_assert_int_eq(session_state(session), SESSION_CLOSING);
		ck_assert(!strncmp(lab_hear(lab, session) + 16, "00000000", 8));
		ck_assert_int_eq(session_state(session), SESSION_OVER);
		ck_assert_uint_eq(session_wants(session), SESSION_WANTS_END);
	}
	lab_close(lab);
}
END_TEST

START_TEST(a_refusal_says_why_in_words)
{
	struct lab *lab = lab_open();
	struct session *session = join_silent(lab);

	lab_drain(lab, session);
	lab_say(lab, session, "01 00 0008 00000001");
	lab_hear(lab, session);
	ck_assert_msg(strstr((char *)lab->bytes + 12, "OpenFlow 1.3"), "%s", lab->text);
	ck_assert_str_eq(session_why(session), "speaks no OpenFlow 1.3");
	lab_close(lab);
}
END_TEST

START_TEST(nothing_comes_before_a_hello)
{
	struct lab *lab = lab_open();
	struct session *session = join_silent(lab);

	lab_drain(lab, session);
	lab_say(lab, session, "04 05 0008 00000001");
	ck_assert_int_eq(session_state(session), SESSION_CLOSING);
	ck_assert(!strncmp(lab_hear(lab, session), "0401", 4));
	ck_assert_int_eq(session_state(session), SESSION_OVER);
	lab_close(lab);
}
END_TEST

START_TEST(a_peer_that_refuses_our_hello_is_not_answered)
{
	struct lab *lab = lab_open();
	struct session *session = join_silent(lab);

	lab_drain(lab, session);
	lab_say(lab, session, "01 01 000c 00000001 0000 0000");
	ck_assert_int_eq(session_state(session), SESSION_OVER);
	lab_close(lab);
}
END_TEST

START_TEST(a_message_shorter_than_its_header_ends_the_session)
{
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);

	lab_say(lab, session, "04 02 0007 00000001 04 02 0008 00000002");
	ck_assert_str_eq(lab_hear(lab, session), "0401001400000001000100060402000700000001");
	ck_assert_str_eq(lab_hear(lab, session), "");
	ck_assert_int_eq(session_state(session), SESSION_OVER);
	lab_close(lab);
}
END_TEST

START_TEST(an_error_is_never_answered)
{
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);

	ck_assert_str_eq(lab_ask(lab, session, "04 01 0008 00000001"), "");
	ck_assert_str_eq(lab_ask(lab, session, "01 01 000c 00000001 0001 0001"), "");
	lab_expect_alive(lab, session, "errors");
	lab_close(lab);
}
END_TEST

START_TEST(an_error_carries_a_kilobyte_of_the_message_at_most)
{
	static uint8_t bytes[2048];
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);

	bytes[0] = 4;
	bytes[1] = OFPT_N_TYPES;
	bytes[2] = sizeof(bytes) >> 8;
	bytes[1023] = 0xaa;
	lab_say_bytes(lab, session, bytes, sizeof(bytes));
	lab_hear(lab, session);
	ck_assert_uint_eq(lab->size, 12 + 1024);
	ck_assert_mem_eq(lab->bytes + 12, bytes, 1024);
	bytes[2] = 0;
	bytes[3] = 200;
	lab_say_bytes(lab, session, bytes, 200);
	lab_hear(lab, session);
	ck_assert_uint_eq(lab->size, 12 + 200);
	lab_close(lab);
}
END_TEST

/* ---- bounds ---- */

START_TEST(a_peer_that_does_not_read_is_not_listened_to)
{
	static uint8_t bytes[2048 * ECHO_1008];
	struct session_limits limits = session_default_limits();
	struct lab *lab = lab_open();
	struct session *session;
	size_t size = echoes(bytes, 2048, ECHO_1008), taken = 0, n, waiting;

	limits.replies_max = 100000;
	session = join_limited(lab, &limits);
	for (int turn = 0; turn < 20; turn++) {
		taken += session_receive(session, bytes + taken, size - taken, lab->now_ns);
		session_turn(session, lab->now_ns);
	}
	waiting = session_report(session).output_size;
	ck_assert_uint_gt(waiting, 100000);
	ck_assert_uint_le(waiting, 100000 + ECHO_1008);
	ck_assert_uint_eq(taken, waiting);
	ck_assert_uint_eq(session_wants(session) & (SESSION_WANTS_INPUT | SESSION_WANTS_TURN), 0);
	/* It reads a little, and is listened to again. */
	session_sent(session, 2 * ECHO_1008, lab->now_ns);
	ck_assert_uint_eq(session_wants(session), SESSION_WANTS_INPUT | SESSION_WANTS_OUTPUT | SESSION_WANTS_TURN);
	n = session_receive(session, bytes + taken, size - taken, lab->now_ns);
	ck_assert_uint_eq(n, 2 * ECHO_1008);
	lab_close(lab);
}
END_TEST

START_TEST(replies_come_in_order_and_whole_however_little_is_written)
{
	static uint8_t bytes[300 * 100];
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);
	size_t size = echoes(bytes, 300, 100), heard = 0, n;
	const uint8_t *output;

	lab_say_bytes(lab, session, bytes, size);
	while ((output = session_output(session, &n))) {
		n = n > 77 ? 77 : n;
		for (size_t i = 0; i < n; i++)
			ck_assert_uint_eq(output[i], (heard + i) % 100 == 1 ? OFPT_ECHO_REPLY : bytes[heard + i]);
		heard += n;
		session_sent(session, n, lab->now_ns);
	}
	ck_assert_uint_eq(heard, size);
	lab_close(lab);
}
END_TEST

/* However much has gone through it, and whether or not it was ever empty. */
START_TEST(an_output_that_is_read_keeps_little_memory)
{
	static uint8_t bytes[100 * ECHO_1008];
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);
	size_t size = echoes(bytes, 100, ECHO_1008);

	for (int i = 0; i < 200; i++) {
		lab_say_bytes(lab, session, bytes, size);
		session_turn(session, lab->now_ns);
		session_sent(session, i < 100 ? size : size - ECHO_1008, lab->now_ns);
	}
	for (int i = 0; i < 4; i++)
		lab_say_bytes(lab, session, bytes, size);
	ck_assert_uint_le(session->out.capacity, 16 * size);
	lab_drain(lab, session);
	ck_assert_uint_le(session->out.capacity, 262144);
	lab_close(lab);
}
END_TEST

START_TEST(a_turn_takes_so_many_messages_and_no_more)
{
	static uint8_t bytes[3000 * 8];
	struct session_limits limits = session_default_limits();
	struct lab *lab = lab_open();
	struct session *session;
	size_t size = echoes(bytes, 3000, 8), taken;

	limits.turn_messages = 100;
	session = join_limited(lab, &limits);
	session_turn(session, lab->now_ns);
	taken = session_receive(session, bytes, size, lab->now_ns);
	ck_assert_uint_eq(taken, 100 * 8);
	ck_assert_uint_eq(session_receive(session, bytes + taken, size - taken, lab->now_ns), 0);
	ck_assert_uint_eq(session_wants(session) & SESSION_WANTS_INPUT, 0);
	ck_assert_uint_ne(session_wants(session) & SESSION_WANTS_TURN, 0);
	session_turn(session, lab->now_ns);
	ck_assert_uint_ne(session_wants(session) & SESSION_WANTS_TURN, 0);
	ck_assert_uint_eq(session_receive(session, bytes + taken, 50 * 8, lab->now_ns), 50 * 8);
	ck_assert_uint_eq(session_wants(session) & SESSION_WANTS_TURN, 0);
	lab_close(lab);
}
END_TEST

START_TEST(a_turn_takes_about_so_many_bytes)
{
	static uint8_t bytes[100 * ECHO_1008];
	struct session_limits limits = session_default_limits();
	struct lab *lab = lab_open();
	struct session *session;
	size_t size = echoes(bytes, 100, ECHO_1008);

	limits.turn_bytes = 10000;
	session = join_limited(lab, &limits);
	session_turn(session, lab->now_ns);
	ck_assert_uint_eq(session_receive(session, bytes, size, lab->now_ns), 10 * ECHO_1008);
	lab_close(lab);
}
END_TEST

/* Fills `bytes` with flow-mods that delete nothing; returns all their bytes. */
static size_t flow_mods(uint8_t *bytes, unsigned n)
{
	static const char hex[] = "04 0e 0038 00000001 0000000000000000 0000000000000000 00 03 0000 0000 0000 ffffffff "
				  "ffffffff ffffffff 0000 0000 0001 0004 00000000";
	size_t size = lab_bytes(hex, bytes);

	for (unsigned i = 1; i < n; i++)
		memcpy(bytes + i * size, bytes, size);
	return n * size;
}

START_TEST(a_message_that_takes_long_ends_the_turn_and_is_owed_to_turns_to_come)
{
	static uint8_t bytes[100 * 56];
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab), *other = lab_join(lab);
	size_t size = flow_mods(bytes, 100);
	unsigned turns = 0;

	fake_ofbridge_slow(lab->bridge, 10 * SESSION_TURN_NS);
	session_turn(session, lab->now_ns);
	ck_assert_uint_eq(session_receive(session, bytes, size, lab->now_ns), 56);
	/* The rest of this turn is the others'. */
	ck_assert_uint_eq(session_receive(other, bytes, size, lab->now_ns), 0);
	do {
		ck_assert_uint_ne(session_wants(session) & SESSION_WANTS_TURN, 0);
		session_turn(session, lab->now_ns);
		turns++;
	} while (!session_receive(session, bytes, size, lab->now_ns));
	ck_assert_uint_eq(turns, 10);
	ck_assert_uint_eq(session_report(session).n_flow_mods, 2);
	lab_close(lab);
}
END_TEST

START_TEST(sessions_that_have_work_share_the_turn)
{
	static uint8_t bytes[100 * 56];
	struct lab *lab = lab_open();
	struct session *sessions[5];
	size_t size = flow_mods(bytes, 100);
	uint64_t all = 0;

	for (int i = 0; i < 5; i++)
		sessions[i] = lab_join(lab);
	for (unsigned turn = 0; turn < 600; turn++) {
		uint64_t before = all;

		/* A costly one now and then, and always the same order. */
		fake_ofbridge_slow(lab->bridge, turn % 7 ? SESSION_TURN_NS / 10 : 3 * SESSION_TURN_NS);
		for (int i = 0; i < 5; i++)
			all += session_receive(sessions[i], bytes, size, lab->now_ns) / 56;
		ck_assert_uint_le(all - before, 10);
		for (int i = 0; i < 5; i++) {
			session_turn(sessions[i], lab->now_ns);
			ck_assert_uint_ne(session_wants(sessions[i]) & SESSION_WANTS_TURN, 0);
		}
	}
	for (int i = 0; i < 5; i++) {
		ck_assert_uint_ge(session_report(sessions[i]).n_flow_mods, all / 12);
		ck_assert_uint_le(session_report(sessions[i]).n_flow_mods, all / 3);
	}
	lab_close(lab);
}
END_TEST

START_TEST(who_has_no_work_takes_no_share)
{
	static uint8_t bytes[100 * 56];
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);
	size_t size = flow_mods(bytes, 100);

	for (int i = 0; i < 20; i++)
		lab_join(lab);
	fake_ofbridge_slow(lab->bridge, SESSION_TURN_NS / 10);
	for (int turn = 0; turn < 5; turn++) {
		session_turn(session, lab->now_ns);
		ck_assert_uint_eq(session_receive(session, bytes, size, lab->now_ns), 10 * 56);
	}
	lab_close(lab);
}
END_TEST

START_TEST(an_idle_session_wants_nothing_but_input)
{
	static uint8_t bytes[100 * ECHO_1008];
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);

	ck_assert_uint_eq(session_wants(session), SESSION_WANTS_INPUT);
	lab_say_bytes(lab, session, bytes, echoes(bytes, 100, ECHO_1008));
	send_packet_ins(lab, 10);
	lab_drain(lab, session);
	ck_assert_uint_eq(session_wants(session), SESSION_WANTS_INPUT);
	lab_close(lab);
}
END_TEST

/* ---- packet-ins ---- */

START_TEST(packet_ins_keep_to_their_rate_and_burst)
{
	struct session_limits limits = session_default_limits();
	struct lab *lab = lab_open();
	struct session *session;

	limits.packet_in_rate = 100;
	limits.packet_in_burst = 20;
	session = join_limited(lab, &limits);
	ck_assert_uint_eq(send_packet_ins(lab, 50), 20);
	ck_assert_uint_eq(lab_drain(lab, session), 20);
	/* 10 ms give one more, and not more than a burst is saved up. */
	lab_advance(lab, 10 * LAB_MS);
	ck_assert_uint_eq(send_packet_ins(lab, 50), 1);
	lab_advance(lab, 55 * LAB_MS);
	ck_assert_uint_eq(send_packet_ins(lab, 50), 5);
	lab_advance(lab, 100 * LAB_S);
	ck_assert_uint_eq(send_packet_ins(lab, 50), 20);
	ck_assert_uint_eq(session_report(session).n_packet_ins, 46);
	ck_assert_uint_eq(session_report(session).n_packet_ins_limited, 200 - 46);
	lab_close(lab);
}
END_TEST

START_TEST(a_rate_of_zero_is_no_limit)
{
	struct session_limits limits = session_default_limits();
	struct lab *lab = lab_open();
	struct session *session;

	limits.packet_in_rate = 0;
	session = join_limited(lab, &limits);
	ck_assert_uint_eq(send_packet_ins(lab, 512), 512);
	ck_assert_uint_eq(lab_drain(lab, session), 512);
	lab_close(lab);
}
END_TEST

START_TEST(packet_ins_that_nobody_reads_are_dropped_and_counted)
{
	struct session_limits limits = session_default_limits();
	struct lab *lab = lab_open();
	struct session *session;
	size_t size;

	limits.packet_ins_max = 40;
	session = join_limited(lab, &limits);
	ck_assert_uint_eq(send_packet_ins(lab, 100), 40);
	ck_assert_uint_eq(session_report(session).n_packet_ins_overflown, 60);
	/* They move into the output in a turn, and not before. */
	ck_assert_ptr_null(session_output(session, &size));
	ck_assert_uint_ne(session_wants(session) & SESSION_WANTS_TURN, 0);
	ck_assert_uint_eq(lab_drain(lab, session), 40);
	limits.packet_in_bytes = 1000;
	session_set_limits(session, &limits);
	ck_assert_uint_eq(send_packet_ins(lab, 100), 1000 / (42 + 60));
	lab_close(lab);
}
END_TEST

START_TEST(packet_ins_do_not_stop_replies)
{
	struct session_limits limits = session_default_limits();
	struct lab *lab = lab_open();
	struct session *session;

	limits.packet_in_rate = 0;
	session = join_limited(lab, &limits);
	send_packet_ins(lab, 512);
	lab_say(lab, session, "04 14 0008 00000001");
	/* A reply that was there before the turn comes before them. */
	ck_assert_str_eq(lab_hear(lab, session), "0415000800000001");
	ck_assert_uint_eq(lab_drain(lab, session), 512);
	lab_close(lab);
}
END_TEST

START_TEST(other_events_beyond_their_bound_are_dropped_and_counted)
{
	struct session_limits limits = session_default_limits();
	struct lab *lab = lab_open();
	struct session *session;

	limits.events_max = 800;
	session = join_limited(lab, &limits);
	for (int i = 0; i < 25; i++)
		fake_ofbridge_port_change(lab->bridge, PORT_CHANGE_MODIFY, 1);
	ck_assert_uint_eq(session_report(session).n_events_dropped, 15);
	ck_assert_uint_eq(lab_drain(lab, session), 10);
	lab_close(lab);
}
END_TEST

static unsigned events_for(struct lab *lab, unsigned n_others, bool accepted)
{
	struct session_options options = {.from = "tcp:test", .accepted = true, .limits = session_default_limits()};
	struct session *session = NULL;

	for (unsigned i = 0; i <= n_others; i++) {
		options.accepted = accepted || i < n_others;
		session = lab_join_with(lab, &options);
		lab_say(lab, session, LAB_HELLO);
	}
	for (int i = 0; i < 300000; i++)
		fake_ofbridge_port_change(lab->bridge, PORT_CHANGE_MODIFY, 1);
	return (unsigned)(session_report(session).output_size >> 20);
}

START_TEST(strangers_share_the_room_for_events_and_controllers_have_their_own)
{
	static const struct {
		unsigned n_others;
		bool accepted;
		unsigned mib;
	} cases[] = {{0, true, 16}, {0, false, 16}, {15, true, 1}, {15, false, 16}};
	struct lab *lab = lab_open();

	ck_assert_uint_eq(events_for(lab, cases[_i].n_others, cases[_i].accepted), cases[_i].mib);
	lab_close(lab);
}
END_TEST

/* ---- deadlines ---- */

START_TEST(a_silent_peer_is_probed_and_then_given_up)
{
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);

	ck_assert_uint_eq(session_deadline(session), lab->now_ns + 15 * LAB_S);
	lab_advance(lab, 15 * LAB_S - 1);
	session_expired(session, lab->now_ns);
	ck_assert_str_eq(lab_hear(lab, session), "");
	lab_advance(lab, 1);
	session_expired(session, lab->now_ns);
	ck_assert_str_eq(lab_hear(lab, session), "0402000800000000");
	ck_assert_uint_eq(session_deadline(session), lab->now_ns + 15 * LAB_S);
	lab_advance(lab, 15 * LAB_S - 1);
	session_expired(session, lab->now_ns);
	ck_assert_int_eq(session_state(session), SESSION_OPEN);
	lab_advance(lab, 1);
	session_expired(session, lab->now_ns);
	ck_assert_int_eq(session_state(session), SESSION_OVER);
	ck_assert_str_eq(session_why(session), "no answer to an echo request");
	lab_close(lab);
}
END_TEST

START_TEST(any_message_is_a_sign_of_life)
{
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);

	for (int i = 0; i < 5; i++) {
		lab_advance(lab, 15 * LAB_S);
		session_expired(session, lab->now_ns);
		ck_assert_str_eq(lab_hear(lab, session), "0402000800000000");
		lab_advance(lab, 14 * LAB_S);
		lab_say(lab, session, "04 03 0008 00000000");
		ck_assert_uint_eq(session_deadline(session), lab->now_ns + 15 * LAB_S);
	}
	ck_assert_int_eq(session_state(session), SESSION_OPEN);
	lab_close(lab);
}
END_TEST

START_TEST(that_we_write_is_no_sign_of_life)
{
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);

	lab_advance(lab, 15 * LAB_S);
	session_expired(session, lab->now_ns);
	lab_advance(lab, 14 * LAB_S);
	fake_ofbridge_port_change(lab->bridge, PORT_CHANGE_MODIFY, 1);
	ck_assert_uint_eq(lab_drain(lab, session), 2);
	lab_advance(lab, 1 * LAB_S);
	session_expired(session, lab->now_ns);
	ck_assert_int_eq(session_state(session), SESSION_OVER);
	lab_close(lab);
}
END_TEST

START_TEST(while_we_do_not_listen_reading_is_the_sign_of_life)
{
	static uint8_t bytes[300 * ECHO_1008];
	struct session_limits limits = session_default_limits();
	struct lab *lab = lab_open();
	struct session *session;

	limits.replies_max = 200000;
	session = join_limited(lab, &limits);
	session_receive(session, bytes, echoes(bytes, 300, ECHO_1008), lab->now_ns);
	session_turn(session, lab->now_ns);
	ck_assert_uint_eq(session_wants(session) & SESSION_WANTS_INPUT, 0);
	lab_advance(lab, 14 * LAB_S);
	session_sent(session, 100, lab->now_ns);
	ck_assert_uint_eq(session_deadline(session), lab->now_ns + 15 * LAB_S);
	lab_advance(lab, 15 * LAB_S);
	session_expired(session, lab->now_ns);
	lab_advance(lab, 15 * LAB_S);
	session_expired(session, lab->now_ns);
	ck_assert_int_eq(session_state(session), SESSION_OVER);
	lab_close(lab);
}
END_TEST

START_TEST(who_never_says_hello_is_given_up)
{
	struct lab *lab = lab_open();
	struct session *session = join_silent(lab);

	lab_advance(lab, 15 * LAB_S);
	session_expired(session, lab->now_ns);
	ck_assert_int_eq(session_state(session), SESSION_OVER);
	lab_close(lab);
}
END_TEST

START_TEST(without_probing_an_open_session_has_no_deadline)
{
	struct session_limits limits = session_default_limits();
	struct lab *lab = lab_open();
	struct session *session;

	limits.probe_ms = 0;
	session = join_limited(lab, &limits);
	ck_assert_uint_eq(session_deadline(session), 0);
	lab_advance(lab, 1000 * LAB_S);
	session_expired(session, lab->now_ns);
	ck_assert_int_eq(session_state(session), SESSION_OPEN);
	lab_close(lab);
}
END_TEST

START_TEST(last_words_are_not_waited_for_without_end)
{
	struct lab *lab = lab_open();
	struct session *session = join_silent(lab);

	lab_say(lab, session, "01 00 0008 00000001");
	ck_assert_int_eq(session_state(session), SESSION_CLOSING);
	lab_advance(lab, 15 * LAB_S);
	session_expired(session, lab->now_ns);
	ck_assert_int_eq(session_state(session), SESSION_OVER);
	lab_close(lab);
}
END_TEST

START_TEST(a_peer_that_is_gone_hears_nothing)
{
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);
	size_t size;

	lab_say(lab, session, "04 02 0008 00000001");
	session_peer_closed(session, "reset");
	ck_assert_int_eq(session_state(session), SESSION_OVER);
	ck_assert_ptr_null(session_output(session, &size));
	ck_assert_str_eq(session_why(session), "reset");
	ck_assert_uint_eq(session_receive(session, "\4\2\0\10\0\0\0\1", 8, lab->now_ns), 8);
	lab_close(lab);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("of_session");
	TCase *tcase = tcase_create("session");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 30);
	tcase_add_loop_test(
		tcase, hellos_agree_on_version_4_or_on_nothing, 0, (int)(sizeof(hellos) / sizeof(hellos[0])));
	tcase_add_test(tcase, a_refusal_says_why_in_words);
	tcase_add_test(tcase, nothing_comes_before_a_hello);
	tcase_add_test(tcase, a_peer_that_refuses_our_hello_is_not_answered);
	tcase_add_test(tcase, a_message_shorter_than_its_header_ends_the_session);
	tcase_add_test(tcase, an_error_is_never_answered);
	tcase_add_test(tcase, an_error_carries_a_kilobyte_of_the_message_at_most);
	tcase_add_test(tcase, a_peer_that_does_not_read_is_not_listened_to);
	tcase_add_test(tcase, replies_come_in_order_and_whole_however_little_is_written);
	tcase_add_test(tcase, an_output_that_is_read_keeps_little_memory);
	tcase_add_test(tcase, a_turn_takes_so_many_messages_and_no_more);
	tcase_add_test(tcase, a_turn_takes_about_so_many_bytes);
	tcase_add_test(tcase, a_message_that_takes_long_ends_the_turn_and_is_owed_to_turns_to_come);
	tcase_add_test(tcase, sessions_that_have_work_share_the_turn);
	tcase_add_test(tcase, who_has_no_work_takes_no_share);
	tcase_add_test(tcase, an_idle_session_wants_nothing_but_input);
	tcase_add_test(tcase, packet_ins_keep_to_their_rate_and_burst);
	tcase_add_test(tcase, a_rate_of_zero_is_no_limit);
	tcase_add_test(tcase, packet_ins_that_nobody_reads_are_dropped_and_counted);
	tcase_add_test(tcase, packet_ins_do_not_stop_replies);
	tcase_add_test(tcase, other_events_beyond_their_bound_are_dropped_and_counted);
	tcase_add_loop_test(tcase, strangers_share_the_room_for_events_and_controllers_have_their_own, 0, 4);
	tcase_add_test(tcase, a_silent_peer_is_probed_and_then_given_up);
	tcase_add_test(tcase, any_message_is_a_sign_of_life);
	tcase_add_test(tcase, that_we_write_is_no_sign_of_life);
	tcase_add_test(tcase, while_we_do_not_listen_reading_is_the_sign_of_life);
	tcase_add_test(tcase, who_never_says_hello_is_given_up);
	tcase_add_test(tcase, without_probing_an_open_session_has_no_deadline);
	tcase_add_test(tcase, last_words_are_not_waited_for_without_end);
	tcase_add_test(tcase, a_peer_that_is_gone_hears_nothing);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
