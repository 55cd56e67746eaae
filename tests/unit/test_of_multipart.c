/* SPDX-License-Identifier: BSD-2-Clause */
/* Multipart replies: in pieces, in segments, while things change; table features. */
#include "ofp/multipart.h"
#include "tests/unit/of_lab.h"
#include "tests/unit/seeded.h"

#define N_RULES       100000
#define FLOW_MOD_SIZE 72
#define FLOW_ENTRY    72 /* bytes of a flow-stats entry of such a rule */
#define ALL_FLOWS                                                                                                      \
	"04 12 0038 00000009 0001 0000 00000000 ff000000 ffffffff ffffffff 00000000 0000000000000000 "                 \
	"0000000000000000 0001 0004 00000000"
#define SUM_OF_FLOWS                                                                                                   \
	"04 12 0038 0000000a 0002 0000 00000000 ff000000 ffffffff ffffffff 00000000 0000000000000000 "                 \
	"0000000000000000 0001 0004 00000000"
#define PARTS_HELD 16 /* of 65,512 bytes, within MULTIPART_PARTS_MAX */
#define BARRIER    "04 14 0008 0000000b"

static uint32_t be32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint16_t be16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

/* The rule number `id`, of cookie `id`: table 0, its own ip_dst. */
static void change_rule(struct lab *lab, struct session *session, uint32_t id, enum flow_mod_command command)
{
	static uint8_t bytes[FLOW_MOD_SIZE];
	char hex[400];

	snprintf(hex, sizeof(hex),
		"04 0e 0048 00000001 00000000%08x 0000000000000000 00 %02x 0000 0000 0001 ffffffff ffffffff ffffffff "
		"0000 "
		"0000 0001 0012 80000a02 0800 80001804 %08x 000000000000",
		id, command, id);
	ck_assert_uint_eq(lab_bytes(hex, bytes), FLOW_MOD_SIZE);
	lab_say_bytes(lab, session, bytes, FLOW_MOD_SIZE);
}

static void add_rules(struct lab *lab, struct session *session, uint32_t n)
{
	for (uint32_t id = 0; id < n; id++)
		change_rule(lab, session, id, FLOW_ADD);
	ck_assert_uint_eq(lab_drain(lab, session), 0);
	ck_assert_uint_eq(tables_count(ofbridge_tables(lab->bridge)), n);
}

/* Counts the entries of the flow-stats segment that was taken last into `seen`. Returns whether more are to come. */
static bool see(const struct lab *lab, uint8_t *seen, uint32_t n)
{
	const uint8_t *at = lab->bytes + 16, *end = lab->bytes + lab->size;

	ck_assert_uint_eq(lab->bytes[1], OFPT_MULTIPART_REPLY);
	ck_assert_uint_eq(be16(lab->bytes + 8), OFPMP_FLOW);
	for (; at < end; at += FLOW_ENTRY) {
		uint32_t id = be32(at + 28);

		ck_assert_uint_eq(be16(at), FLOW_ENTRY);
		ck_assert_uint_lt(id, n);
		ck_assert_uint_eq(be32(at + 48 + 14), id);
		seen[id]++;
	}
	ck_assert_ptr_eq(at, end);
	return be16(lab->bytes + 10) & OFPMPF_REPLY_MORE;
}

START_TEST(a_long_reply_is_segmented_and_whole)
{
	static uint8_t seen[10000];
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);
	unsigned n_segments = 1;

	add_rules(lab, session, 10000);
	lab_say(lab, session, ALL_FLOWS);
	lab_hear(lab, session);
	while (see(lab, seen, 10000)) {
		n_segments++;
		lab_hear(lab, session);
	}
	for (int i = 0; i < 10000; i++)
		ck_assert_uint_eq(seen[i], 1);
	ck_assert_uint_ge(n_segments, 10000 * FLOW_ENTRY / 65535 + 1);
	ck_assert_uint_eq(fake_ofbridge_asked(lab->bridge)->n_rule_refreshes, 10000);
	lab_expect_alive(lab, session, "a long reply");
	lab_close(lab);
}
END_TEST

/* Rules come, go and are modified all the while; those that nobody touched are told once, no rule is told twice. */
START_TEST(a_dump_of_many_rules_outlives_their_changes)
{
	static uint8_t seen[2 * N_RULES], touched[2 * N_RULES];
	struct seeded random = seeded_start();
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab), *other = lab_join(lab);
	bool more = true;

	add_rules(lab, session, N_RULES);
	lab_say(lab, session, ALL_FLOWS);
	while (more) {
		size_t made = session_report(session).output_size;

		session_turn(session, lab->now_ns);
		made = session_report(session).output_size - made;
		ck_assert_msg(made <= SESSION_PIECE + 65536, "%zu bytes in a turn", made);
		for (int i = 0; i < 200; i++) {
			uint32_t id = seeded_below(&random, 2 * N_RULES);

			touched[id] = 1;
			change_rule(lab, other, id, seeded_below(&random, 2) ? FLOW_ADD : FLOW_DELETE_STRICT);
		}
		while (more && lab_peek(lab, session)[0])
			more = see(lab, seen, 2 * N_RULES);
	}
	for (uint32_t id = 0; id < 2 * N_RULES; id++) {
		ck_assert_msg(touched[id] || seen[id] == (id < N_RULES), "seed %llu: rule %u is told %u times",
			(unsigned long long)random.seed, id, seen[id]);
	}
	lab_close(lab);
}
END_TEST

START_TEST(a_dump_that_nobody_reads_costs_one_piece)
{
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);

	add_rules(lab, session, 20000);
	lab_say(lab, session, ALL_FLOWS);
	for (int i = 0; i < 100; i++)
		session_turn(session, lab->now_ns);
	ck_assert_uint_le(session_report(session).output_size, 2 * SESSION_PIECE + 65536);
	ck_assert_uint_eq(session_wants(session) & SESSION_WANTS_TURN, 0);
	/* And other things are answered all the while, and later. */
	ck_assert_uint_ne(session_wants(session) & SESSION_WANTS_INPUT, 0);
	lab_say(lab, session, "04 02 0008 00000077");
	do
		ck_assert_str_ne(lab_hear(lab, session), "");
	while (strcmp(lab->text, "0403000800000077"));
	lab_close(lab);
}
END_TEST

START_TEST(a_barrier_waits_for_the_replies_before_it)
{
	static uint8_t bytes[16];
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);
	size_t size = lab_bytes(BARRIER "04 02 0008 0000000c", bytes), taken;
	uint32_t n = 0;

	add_rules(lab, session, 20000);
	lab_say(lab, session, ALL_FLOWS);
	taken = session_receive(session, bytes, size, lab->now_ns);
	ck_assert_uint_eq(taken, 0);
	ck_assert_uint_eq(session_wants(session) & SESSION_WANTS_INPUT, 0);
	while (!taken) {
		while (lab_hear(lab, session)[0])
			n += (uint32_t)(lab->size - 16) / FLOW_ENTRY;
		taken = session_receive(session, bytes, size, lab->now_ns);
	}
	ck_assert_uint_eq(n, 20000);
	ck_assert_uint_eq(taken, 16);
	ck_assert_str_eq(lab_hear(lab, session), "041500080000000b");
	ck_assert_str_eq(lab_hear(lab, session), "040300080000000c");
	lab_close(lab);
}
END_TEST

START_TEST(only_so_many_dumps_run_at_once)
{
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);
	unsigned n_overflown = 0, n_ended = 0;

	add_rules(lab, session, 20000);
	for (int i = 0; i < SESSION_DUMPS_MAX + 2; i++)
		lab_say(lab, session, ALL_FLOWS);
	while (lab_hear(lab, session)[0]) {
		n_overflown += !strncmp(lab->text, "0401", 4) && !strncmp(lab->text + 16, "0001000d", 8);
		n_ended += !strncmp(lab->text, "0413", 4) && !(be16(lab->bytes + 10) & OFPMPF_REPLY_MORE);
	}
	ck_assert_uint_eq(n_overflown, 2);
	ck_assert_uint_eq(n_ended, SESSION_DUMPS_MAX);
	lab_close(lab);
}
END_TEST

START_TEST(a_session_may_end_in_the_middle_of_a_dump)
{
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab), *other = lab_join(lab);

	add_rules(lab, session, 20000);
	lab_say(lab, session, ALL_FLOWS);
	lab_say(lab, session, SUM_OF_FLOWS);
	session_peer_closed(session, NULL);
	session_turn(session, lab->now_ns);
	session_free(session);
	for (uint32_t id = 0; id < 20000; id++)
		change_rule(lab, other, id, FLOW_DELETE_STRICT);
	lab_expect_alive(lab, other, "the end of another session");
	lab_close(lab);
}
END_TEST

/* ---- sums and counters ---- */

static void count(struct lab *lab, uint8_t table_id, uint64_t packets, uint64_t bytes)
{
	for (struct rule *rule = tables_table(ofbridge_tables(lab->bridge), table_id)->first; rule; rule = rule->next)
		tally_add(&rule->tally, packets, bytes, lab->now_ns);
}

START_TEST(an_aggregate_is_the_sum_of_all_rules)
{
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);

	add_rules(lab, session, 20000);
	count(lab, 0, 3, 1000);
	lab_say(lab, session, SUM_OF_FLOWS);
	while (!lab_hear(lab, session)[0])
		ck_assert_uint_ne(session_wants(session) & SESSION_WANTS_TURN, 0);
	ck_assert_str_eq(lab->text, "041300280000000a0002000000000000"
				    "000000000000ea60"
				    "0000000001312d00"
				    "00004e2000000000");
	ck_assert_uint_eq(fake_ofbridge_asked(lab->bridge)->n_refreshes, 1);
	lab_close(lab);
}
END_TEST

START_TEST(a_request_that_costs_milliseconds_ends_the_turn)
{
	static uint8_t bytes[128];
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);
	size_t size = lab_bytes(SUM_OF_FLOWS SUM_OF_FLOWS, bytes);

	session_turn(session, lab->now_ns);
	ck_assert_uint_eq(session_receive(session, bytes, size, lab->now_ns), size / 2);
	ck_assert_uint_ne(session_wants(session) & SESSION_WANTS_TURN, 0);
	session_turn(session, lab->now_ns);
	ck_assert_uint_eq(session_receive(session, bytes + size / 2, size / 2, lab->now_ns), size / 2);
	lab_close(lab);
}
END_TEST

START_TEST(what_is_not_counted_is_all_ones)
{
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);

	lab_say(lab, session,
		"04 0e 0038 00000001 0000000000000000 0000000000000000 00 00 0000 0000 0000 ffffffff ffffffff ffffffff "
		"0018 "
		"0000 0001 0004 00000000");
	count(lab, 0, 3, 1000);
	lab_say(lab, session, ALL_FLOWS);
	lab_hear(lab, session);
	ck_assert_msg(!strncmp(lab->text + 2 * (16 + 32), "ffffffffffffffffffffffffffffffff", 32), "%s", lab->text);
	lab_ask(lab, session, SUM_OF_FLOWS);
	ck_assert_msg(!strncmp(lab->text + 2 * 16, "00000000000000000000000000000000", 32), "%s", lab->text);
	lab_close(lab);
}
END_TEST

START_TEST(table_stats_count_lookups_and_matches)
{
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);
	struct table *table = tables_table(ofbridge_tables(lab->bridge), 254);

	tally_add(&table->matched, 5, 500, lab->now_ns);
	tally_add(&table->missed, 2, 200, lab->now_ns);
	lab_ask(lab, session, "04 12 0010 00000009 0003 0000 00000000");
	ck_assert_uint_eq(lab->size, 16 + 255 * 24);
	ck_assert_str_eq(lab->text + 2 * (16 + 254 * 24), "fe0000000000000000000000000000070000000000000005");
	lab_close(lab);
}
END_TEST

/* ---- groups ---- */

/* 250 buckets of one output: 8,016 bytes a group. */
static void add_group(struct lab *lab, struct session *session, uint32_t id)
{
	static uint8_t bytes[16 + 250 * 32];
	char hex[100];

	snprintf(hex, sizeof(hex), "04 0f %04x 00000001 0000 00 00 %08x", (unsigned)sizeof(bytes), id);
	ck_assert_uint_eq(lab_bytes(hex, bytes), 16);
	for (unsigned i = 0; i < 250; i++)
		lab_bytes("0020 0000 ffffffff ffffffff 00000000 0000 0010 00000001 0000 000000000000",
			bytes + 16 + i * 32);
	lab_say_bytes(lab, session, bytes, sizeof(bytes));
}

START_TEST(groups_that_overflow_a_segment_go_on_in_the_next)
{
	static const char *const requests[] = {
		"04 12 0010 00000009 0007 0000 00000000", "04 12 0018 00000009 0006 0000 00000000 fffffffc 00000000"};
	static const size_t sizes[] = {8 + 250 * 32, 40 + 250 * 16};
	static const size_t id_offsets[] = {4, 4};
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);
	uint32_t next = 1;
	bool more = true;

	for (uint32_t id = 1; id <= 100; id++)
		add_group(lab, session, id);
	lab_say(lab, session, requests[_i]);
	while (more) {
		ck_assert_str_ne(lab_hear(lab, session), "");
		more = be16(lab->bytes + 10) & OFPMPF_REPLY_MORE;
		for (size_t at = 16; at < lab->size; at += sizes[_i]) {
			ck_assert_uint_eq(be16(lab->bytes + at), sizes[_i]);
			ck_assert_uint_eq(be32(lab->bytes + at + id_offsets[_i]), next++);
		}
	}
	ck_assert_uint_eq(next, 101);
	lab_close(lab);
}
END_TEST

/* A group of 256 buckets in a group-mod of 65,520 bytes, or with an action more. */
static void add_vast_group(struct lab *lab, struct session *session, bool more)
{
	static uint8_t bytes[65528];
	size_t size = more ? 65528 : 65520, at = 16;
	char hex[160];

	snprintf(hex, sizeof(hex), "04 0f %04x 00000001 0000 00 00 00000007", (unsigned)size);
	lab_bytes(hex, bytes);
	for (int i = 0; i < 256; i++) {
		unsigned n = i < 255 ? 15 : 13;
		bool longer = more && i == 255;

		snprintf(hex, sizeof(hex), "%04x 0000 ffffffff ffffffff 00000000", 16 + 16 * n + (longer ? 8 : 0));
		at += lab_bytes(hex, bytes + at);
		while (n--)
			at += lab_bytes("0000 0010 00000001 0000 000000000000", bytes + at);
		if (longer)
			at += lab_bytes("0018 0008 00000000", bytes + at);
	}
	ck_assert_uint_eq(at, size);
	lab_say_bytes(lab, session, bytes, size);
}

START_TEST(every_group_that_is_taken_can_be_told)
{
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);

	add_vast_group(lab, session, true);
	/* GROUP_MOD_FAILED OUT_OF_BUCKETS */
	ck_assert_int_eq(strncmp(lab_hear(lab, session) + 16, "00060004", 8), 0);
	add_vast_group(lab, session, false);
	lab_say(lab, session, "04 12 0010 00000009 0007 0000 00000000");
	ck_assert_int_eq(strncmp(lab_hear(lab, session), "0413", 4), 0);
	ck_assert_uint_eq(lab->size, 16 + 8 + 65504);
	ck_assert_uint_eq(be16(lab->bytes + 10) & OFPMPF_REPLY_MORE, 0);
	lab_close(lab);
}
END_TEST

/* ---- table features ---- */

#define FEATURES_READ "04 12 0010 00000009 000c 0000 00000000"

/* Reads the properties of one entry: each padded to 8 bytes, together as long as the entry says. */
static unsigned check_entry(const uint8_t *entry, uint16_t size)
{
	unsigned types = 0;
	size_t at = 64;

	while (at < size) {
		uint16_t type = be16(entry + at), length = be16(entry + at + 2);

		ck_assert_uint_ge(length, 4);
		ck_assert_uint_le(type, 15);
		types |= 1u << type;
		at += (length + 7u) / 8 * 8;
	}
	ck_assert_uint_eq(at, size);
	return types;
}

START_TEST(every_table_has_features)
{
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);
	unsigned next = 0;
	bool more = true;

	lab_say(lab, session, FEATURES_READ);
	while (more) {
		ck_assert_str_ne(lab_hear(lab, session), "");
		more = be16(lab->bytes + 10) & OFPMPF_REPLY_MORE;
		for (size_t at = 16; at < lab->size; at += be16(lab->bytes + at)) {
			ck_assert_uint_eq(lab->bytes[at + 2], next++);
			/* instructions, next tables, actions (2), match, wildcards, settable fields (2) */
			ck_assert_uint_eq(check_entry(lab->bytes + at, be16(lab->bytes + at)), 0x5555);
		}
	}
	ck_assert_uint_eq(next, 255);
	lab_close(lab);
}
END_TEST

/* What a table told of itself may be said back to it, with another name and limit. */
START_TEST(features_that_were_read_may_be_set)
{
	static uint8_t bytes[4096];
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);
	struct table *table = tables_table(ofbridge_tables(lab->bridge), 0);
	uint16_t size;

	lab_ask(lab, session, FEATURES_READ);
	size = be16(lab->bytes + 16);
	memcpy(bytes, lab->bytes, 16u + size);
	lab_drain(lab, session);
	bytes[1] = OFPT_MULTIPART_REQUEST;
	bytes[2] = (uint8_t)((size + 16) >> 8);
	bytes[3] = (uint8_t)(size + 16);
	bytes[11] = 0;
	memcpy(bytes + 16 + 8, "access", 7);
	lab_bytes("00000064", bytes + 16 + 60);
	lab_say_bytes(lab, session, bytes, size + 16u);
	lab_hear(lab, session);
	bytes[1] = OFPT_MULTIPART_REPLY;
	ck_assert_mem_eq(lab->bytes, bytes, size + 16u);
	ck_assert_str_eq(lab_hear(lab, session), "");
	ck_assert_str_eq(table->name, "access");
	ck_assert_uint_eq(table->max_rules, 100);
	lab_close(lab);
}
END_TEST

#define TABLE(id, rest)                                                                                                \
	id " 00 00000000 61620000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 ffffffffffffffff "    \
	   "ffffffffffffffff " rest
#define REQUEST(size, xid, flags) "04 12 " size " 0000000" xid " 000c " flags " 00000000 "

static const struct {
	const char *request, *error; /* "": none */
} settings[] = {
	{REQUEST("0050", "9", "0000") "0040" TABLE("03", "00000000 00000064"), ""},
	{REQUEST("0050", "9", "0000") "0040" TABLE("03", "00000003 00000064"), ""},
	{REQUEST("0050", "9", "0000") "0040" TABLE("03", "00000004 00000064"), "000d0004"},
	{REQUEST("0050", "9", "0000") "0040" TABLE("03", "00000000 ffffffff"), "000d0004"},
	{REQUEST("0050", "9", "0000") "0040" TABLE("ff", "00000000 00000064"), "000d0000"},
	{REQUEST("0050", "9", "0000") "0041" TABLE("03", "00000000 00000064"), "000d0003"},
	{REQUEST("0050", "9", "0000") "003f" TABLE("03", "00000000 00000064"), "000d0003"},
	{REQUEST("0050", "9", "0000") "0000" TABLE("03", "00000000 00000064"), "000d0003"},
	/* The same table twice. */
	{REQUEST("0090", "9", "0000") "0040" TABLE("03", "00000000 00000064") "0040" TABLE("03", "00000000 00000065"),
		"000d0000"},
	/* The second is refused, and so the first does not happen. */
	{REQUEST("0090", "9", "0000") "0040" TABLE("03", "00000000 00000064") "0040" TABLE("ff", "00000000 00000065"),
		"000d0000"},
	/* Properties: instructions, next tables, actions, fields, unknown ones, lengths. */
	{REQUEST("0058", "9", "0000") "0048" TABLE("03", "00000000 00000064") "0000 0008 0001 0004", ""},
	{REQUEST("0058", "9", "0000") "0048" TABLE("03", "00000000 00000064") "0000 0008 0007 0004", "000d0004"},
	{REQUEST("0058", "9", "0000") "0048" TABLE("03", "00000000 00000064") "0000 0008 0001 0008", "000d0003"},
	{REQUEST("0058", "9", "0000") "0048" TABLE("03", "00000000 00000064") "0002 0005 04 000000", ""},
	{REQUEST("0058", "9", "0000") "0048" TABLE("03", "00000000 00000064") "0002 0005 03 000000", "000d0004"},
	{REQUEST("0058", "9", "0000") "0048" TABLE("03", "00000000 00000064") "0002 0005 ff 000000", "000d0004"},
	{REQUEST("0058", "9", "0000") "0048" TABLE("03", "00000000 00000064") "0006 0008 0000 0004", ""},
	{REQUEST("0058", "9", "0000") "0048" TABLE("03", "00000000 00000064") "0006 0008 0001 0004", "000d0004"},
	{REQUEST("0058", "9", "0000") "0048" TABLE("03", "00000000 00000064") "0008 0008 80000004", ""},
	{REQUEST("0058", "9", "0000") "0048" TABLE("03", "00000000 00000064") "0008 0008 8000fe04", "000d0004"},
	{REQUEST("0058", "9", "0000") "0048" TABLE("03", "00000000 00000064") "0008 0008 80000108", "000d0004"},
	{REQUEST("0058", "9", "0000") "0048" TABLE("03", "00000000 00000064") "0008 0008 80000003", "000d0003"},
	{REQUEST("0058", "9", "0000") "0048" TABLE("03", "00000000 00000064") "000c 0008 80000606", ""},
	{REQUEST("0058", "9", "0000") "0048" TABLE("03", "00000000 00000064") "000c 0008 80000004", "000d0004"},
	{REQUEST("0058", "9", "0000") "0048" TABLE("03", "00000000 00000064") "0009 0008 80000004", "000d0002"},
	{REQUEST("0058", "9", "0000") "0048" TABLE("03", "00000000 00000064") "fffe 0008 00000000", "000d0002"},
	{REQUEST("0058", "9", "0000") "0048" TABLE("03", "00000000 00000064") "0000 0003 00000000", "000d0003"},
	{REQUEST("0058", "9", "0000") "0048" TABLE("03", "00000000 00000064") "0000 000c 0001 0004", "000d0003"},
};

START_TEST(features_are_checked_before_they_are_set)
{
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);
	struct table *table = tables_table(ofbridge_tables(lab->bridge), 3);
	bool refused;

	lab_say(lab, session, settings[_i].request);
	lab_hear(lab, session);
	refused = !strncmp(lab->text, "0401", 4);
	if (settings[_i].error[0]) {
		ck_assert_msg(refused && !strncmp(lab->text + 16, settings[_i].error, 8), "%d: %.120s", _i, lab->text);
		ck_assert_str_eq(table->name, "");
	} else {
		ck_assert_msg(!refused && lab->bytes[18] == 3, "%d: %.120s", _i, lab->text);
		ck_assert_str_eq(table->name, "ab");
		ck_assert_uint_eq(table->max_rules, 100);
	}
	ck_assert_str_eq(lab_hear(lab, session), "");
	lab_close(lab);
}
END_TEST

START_TEST(a_limit_below_what_is_there_is_refused)
{
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);

	add_rules(lab, session, 101);
	lab_ask(lab, session, REQUEST("0050", "9", "0000") "0040" TABLE("00", "00000000 00000064"));
	ck_assert(!strncmp(lab->text + 16, "000d0004", 8));
	lab_close(lab);
}
END_TEST

START_TEST(a_request_in_parts_is_put_together)
{
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);
	struct table *table = tables_table(ofbridge_tables(lab->bridge), 3);

	/* Cut in the middle of a table; another request comes between. */
	ck_assert_str_eq(lab_ask(lab, session, REQUEST("0018", "9", "0001") "0040 03 00 00000000"), "");
	ck_assert_str_eq(lab_ask(lab, session, "04 02 0008 00000009"), "0403000800000009");
	ck_assert_str_eq(table->name, "");
	lab_ask(lab, session,
		REQUEST("0048", "9", "0000") "61620000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 "
					     "ffffffffffffffff ffffffffffffffff 00000000 00000064");
	ck_assert_msg(!strncmp(lab->text, "0413", 4), "%s", lab->text);
	ck_assert_str_eq(table->name, "ab");
	ck_assert_str_eq(lab_hear(lab, session), "");
	lab_close(lab);
}
END_TEST

START_TEST(two_requests_in_parts_at_once_are_one_too_many)
{
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);
	struct table *third = tables_table(ofbridge_tables(lab->bridge), 3);
	struct table *fourth = tables_table(ofbridge_tables(lab->bridge), 4);
	const char *overflow = "0001000d";

	lab_ask(lab, session, REQUEST("0050", "7", "0001") "0040" TABLE("03", "00000000 00000064"));
	lab_ask(lab, session, REQUEST("0050", "8", "0001") "0040" TABLE("04", "00000000 00000064"));
	ck_assert(!strncmp(lab->text + 16, overflow, 8));
	/* Its last part is not taken for the whole. */
	lab_ask(lab, session, REQUEST("0050", "8", "0000") "0040" TABLE("04", "00000000 00000064"));
	ck_assert(!strncmp(lab->text + 16, overflow, 8));
	ck_assert_str_eq(fourth->name, "");
	/* The first goes on, and then it may be said again. */
	lab_ask(lab, session, REQUEST("0010", "7", "0000"));
	ck_assert(!strncmp(lab->text, "0413", 4));
	ck_assert_str_eq(third->name, "ab");
	lab_ask(lab, session, REQUEST("0050", "8", "0000") "0040" TABLE("04", "00000000 00000064"));
	ck_assert_str_eq(fourth->name, "ab");
	lab_close(lab);
}
END_TEST

START_TEST(of_many_requests_in_parts_none_is_taken_by_half)
{
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);
	char hex[256];

	for (unsigned xid = 0; xid <= MULTIPART_REFUSED_MAX; xid++) {
		snprintf(hex, sizeof(hex), "04 12 0050 %08x 000c 0001 00000000 0040" TABLE("03", "00000000 00000064"),
			xid);
		lab_ask(lab, session, hex);
		ck_assert_int_eq(!strncmp(lab->text + 16, "0001000d", 8), xid > 0);
	}
	for (unsigned xid = 1; xid <= MULTIPART_REFUSED_MAX; xid++) {
		snprintf(hex, sizeof(hex), "04 12 0050 %08x 000c 0000 00000000 0040" TABLE("04", "00000000 00000064"),
			xid);
		ck_assert(!strncmp(lab_ask(lab, session, hex) + 16, "0001000d", 8));
	}
	ck_assert_str_eq(tables_table(ofbridge_tables(lab->bridge), 4)->name, "");
	/* All have ended: as many again may begin, and one more ends the session. */
	for (unsigned xid = 101; xid <= 101 + MULTIPART_REFUSED_MAX; xid++) {
		ck_assert_int_eq(session_state(session), SESSION_OPEN);
		snprintf(hex, sizeof(hex), "04 12 0050 %08x 000c 0001 00000000 0040" TABLE("03", "00000000 00000064"),
			xid);
		lab_ask(lab, session, hex);
	}
	ck_assert_int_ne(session_state(session), SESSION_OPEN);
	lab_close(lab);
}
END_TEST

START_TEST(a_request_in_parts_without_end_is_given_up)
{
	static uint8_t bytes[65528];
	struct lab *lab = lab_open();
	struct session *session = lab_join(lab);
	struct table *table = tables_table(ofbridge_tables(lab->bridge), 3);
	unsigned n_refused = 0;

	lab_bytes(REQUEST("fff8", "9", "0001"), bytes);
	for (int i = 0; i < 40; i++) {
		lab_say_bytes(lab, session, bytes, sizeof(bytes));
		n_refused += !!lab_hear(lab, session)[0];
	}
	ck_assert_uint_eq(n_refused, 40 - PARTS_HELD);
	lab_ask(lab, session, REQUEST("0050", "9", "0000") "0040" TABLE("03", "00000000 00000064"));
	ck_assert(!strncmp(lab->text + 16, "0001000d", 8));
	ck_assert_str_eq(table->name, "");
	lab_expect_alive(lab, session, "a request without end");
	lab_close(lab);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("of_multipart");
	TCase *tcase = tcase_create("multipart");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 100);
	tcase_add_test(tcase, a_long_reply_is_segmented_and_whole);
	tcase_add_test(tcase, a_dump_of_many_rules_outlives_their_changes);
	tcase_add_test(tcase, a_dump_that_nobody_reads_costs_one_piece);
	tcase_add_test(tcase, a_barrier_waits_for_the_replies_before_it);
	tcase_add_test(tcase, only_so_many_dumps_run_at_once);
	tcase_add_test(tcase, a_session_may_end_in_the_middle_of_a_dump);
	tcase_add_test(tcase, an_aggregate_is_the_sum_of_all_rules);
	tcase_add_test(tcase, a_request_that_costs_milliseconds_ends_the_turn);
	tcase_add_test(tcase, what_is_not_counted_is_all_ones);
	tcase_add_test(tcase, table_stats_count_lookups_and_matches);
	tcase_add_loop_test(tcase, groups_that_overflow_a_segment_go_on_in_the_next, 0, 2);
	tcase_add_test(tcase, every_group_that_is_taken_can_be_told);
	tcase_add_test(tcase, every_table_has_features);
	tcase_add_test(tcase, features_that_were_read_may_be_set);
	tcase_add_loop_test(
		tcase, features_are_checked_before_they_are_set, 0, (int)(sizeof(settings) / sizeof(settings[0])));
	tcase_add_test(tcase, a_limit_below_what_is_there_is_refused);
	tcase_add_test(tcase, a_request_in_parts_is_put_together);
	tcase_add_test(tcase, two_requests_in_parts_at_once_are_one_too_many);
	tcase_add_test(tcase, of_many_requests_in_parts_none_is_taken_by_half);
	tcase_add_test(tcase, a_request_in_parts_without_end_is_given_up);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
