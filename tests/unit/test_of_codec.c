/* SPDX-License-Identifier: BSD-2-Clause */
#include "ofp/codec.h"

#include "ofp/of_spec.h"
#include "ofp/oxm.h"

#include "tests/unit/hex.h"
#include "tests/unit/seeded.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_RANDOM  20000
#define N_HOSTILE 100000
#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))
#define TEXT_SIZE 1000

/* The lists of this codec, under one roof: each is read and then written, so that what is the same for all is said
 * once. */
enum kind { ACTIONS, INSTRUCTIONS, BUCKETS, BANDS, N_KINDS };

/* Reads a list of the kind; on success writes it to `out` and prints it into `text`. */
static enum of_err transcribe(enum kind kind, const uint8_t *bytes, size_t size, struct wire_out *out, char *text)
{
	struct wire_in in = wire_in(bytes, size);
	struct arena arena = {0};
	struct actions actions;
	struct instructions *instructions;
	const struct bucket *buckets;
	const struct meter_band *bands;
	uint32_t n;
	size_t length = 0;
	enum of_err error = OF_OK;

	text[0] = '\0';
	switch (kind) {
	case ACTIONS:
		error = codec_get_actions(&in, &arena, &actions);
		if (error)
			break;
		codec_put_actions(out, &actions);
		actions_format(&actions, NULL, text, TEXT_SIZE);
		break;
	case INSTRUCTIONS:
		error = codec_get_instructions(&in, &arena, &instructions);
		if (error)
			break;
		codec_put_instructions(out, instructions);
		instructions_format(instructions, NULL, text, TEXT_SIZE);
		break;
	case BUCKETS:
		error = codec_get_buckets(&in, &arena, &n, &buckets);
		for (uint32_t i = 0; !error && i < n; i++) {
			length += (size_t)snprintf(text + length, TEXT_SIZE - length, "%s%u/%x/%x ", i ? "; " : "",
				buckets[i].weight, buckets[i].watch_port, buckets[i].watch_group);
			length += actions_format(&buckets[i].actions, NULL, text + length, TEXT_SIZE - length);
			if (length > TEXT_SIZE - 50)
				break;
		}
		if (!error)
			codec_put_buckets(out, n, buckets);
		break;
	case BANDS:
		error = codec_get_bands(&in, &arena, &n, &bands);
		for (uint32_t i = 0; !error && i < n; i++)
			length += (size_t)snprintf(text + length, TEXT_SIZE - length, "%s%u:%u/%u/%u", i ? "; " : "",
				bands[i].type, bands[i].rate, bands[i].burst, bands[i].prec_level);
		if (!error)
			codec_put_bands(out, n, bands);
		break;
	default:
		break;
	}
	ck_assert(error || wire_in_ended(&in));
	arena_free(&arena);
	return error;
}

#define OUTPUT_1  "0000 0010 00000001 ffe5 000000000000 "
#define DEC_TTL   "0018 0008 00000000 "
#define BUCKET(n) n " 0000 ffffffff ffffffff 00000000 "
#define DROP_BAND "0001 0010 00000400 00000010 00000000 "
#define REMARK    "0002 0010 00000800 00000000 01000000 "
#define METER_7   "0006 0008 00000007 "
#define METADATA  "0002 0018 00000000 00000000000000f0 00000000000000ff "

static const struct {
	enum kind kind;
	const char *hex, *text;
} goldens[] = {
	{ACTIONS, "", "drop"},
	{ACTIONS, OUTPUT_1, "output:1"},
	{ACTIONS, "0000 0010 fffffffd 0080 000000000000", "CONTROLLER:128"},
	{ACTIONS, "0000 0010 fffffffa 0000 000000000000", "NORMAL"},
	{ACTIONS, "0000 0010 fffffff9 0000 000000000000", "TABLE"},
	{ACTIONS, "0000 0010 ffffff00 0000 000000000000", "output:4294967040"},
	{ACTIONS, "000b 0008 00000000 000c 0008 00000000", "copy_ttl_out,copy_ttl_in"},
	{ACTIONS, "000f 0008 40000000 0010 0008 00000000", "set_mpls_ttl:64,dec_mpls_ttl"},
	{ACTIONS, "0011 0008 81000000 0012 0008 00000000", "push_vlan:0x8100,pop_vlan"},
	{ACTIONS, "0011 0008 88a80000", "push_vlan:0x88a8"},
	{ACTIONS, "0013 0008 88470000 0014 0008 08000000", "push_mpls:0x8847,pop_mpls:0x0800"},
	{ACTIONS, "0013 0008 88480000", "push_mpls:0x8848"},
	{ACTIONS, "0015 0008 0000000a 0016 0008 00000007", "set_queue:10,group:7"},
	{ACTIONS, "0017 0008 3f000000 " DEC_TTL, "set_nw_ttl:63,dec_ttl"},
	{ACTIONS, "001a 0008 88e70000 001b 0008 00000000", "push_pbb:0x88e7,pop_pbb"},
	{ACTIONS, "0019 0010 80001001 0a 00000000000000", "set_field:10->ip_dscp"},
	{ACTIONS, "0019 0010 80000c02 1064 000000000000", "set_field:100->vlan_vid"},
	{ACTIONS, "0019 0010 80000606 020000000001 0000", "set_field:02:00:00:00:00:01->eth_dst"},
	{ACTIONS, "0019 0010 80004c08 0000000000003039", "set_field:0x3039->tunnel_id"},
	{ACTIONS, "0019 0018 80003410 20010db8000000000000000000000001", "set_field:2001:db8::1->ipv6_src"},
	{ACTIONS, "0019 0010 80004a03 0000cb 0000000000", "set_field:203->pbb_isid"},
	{ACTIONS, OUTPUT_1 DEC_TTL OUTPUT_1, "output:1,dec_ttl,output:1"},
	{INSTRUCTIONS, "", "drop"},
	{INSTRUCTIONS, "0001 0008 05000000", "goto_table:5"},
	{INSTRUCTIONS, METADATA, "write_metadata:0xf0/0xff"},
	{INSTRUCTIONS, "0004 0018 00000000" OUTPUT_1, "output:1"},
	{INSTRUCTIONS, "0003 0018 00000000" OUTPUT_1, "write_actions(output:1)"},
	{INSTRUCTIONS, "0005 0008 00000000", "clear_actions"},
	{INSTRUCTIONS, METER_7, "meter:7"},
	{INSTRUCTIONS,
		METER_7 "0004 0010 00000000 " DEC_TTL "0005 0008 00000000 0003 0018 00000000 " OUTPUT_1 METADATA
			"0001 0008 fe000000",
		"meter:7,dec_ttl,clear_actions,write_actions(output:1),write_metadata:0xf0/0xff,goto_table:254"},
	{BUCKETS, "", ""},
	{BUCKETS, BUCKET("0010"), "0/ffffffff/ffffffff drop"},
	{BUCKETS, "0020 0003 00000002 00000009 00000000" OUTPUT_1, "3/2/9 output:1"},
	{BUCKETS, BUCKET("0018") DEC_TTL BUCKET("0020") OUTPUT_1,
		"0/ffffffff/ffffffff dec_ttl; 0/ffffffff/ffffffff output:1"},
	{BANDS, "", ""},
	{BANDS, DROP_BAND, "1:1024/16/0"},
	{BANDS, REMARK DROP_BAND, "2:2048/0/1; 1:1024/16/0"},
};

START_TEST(a_list_is_read_as_its_text_says_and_written_as_it_was_read)
{
	size_t size;
	uint8_t *bytes = hex_bytes(goldens[_i].hex, &size);
	struct wire_out out = {0};
	char text[TEXT_SIZE], *mine, *theirs = hex_text(bytes, size);
	enum of_err error = transcribe(goldens[_i].kind, bytes, size, &out, text);

	ck_assert_msg(!error, "'%s': %s", goldens[_i].hex, of_error_row(error)->text);
	ck_assert_str_eq(text, goldens[_i].text);
	mine = hex_text(out.bytes, out.size);
	ck_assert_str_eq(mine, theirs);
	free(mine);
	free(theirs);
	wire_out_free(&out);
	free(bytes);
}
END_TEST

/* Bytes at which a list of the kind may end: between two of its elements. */
static bool ends_at(enum kind kind, const uint8_t *bytes, size_t cut)
{
	size_t at = 0;

	while (at < cut)
		at += kind == BUCKETS ? (size_t)bytes[at] << 8 | bytes[at + 1]
				      : (size_t)bytes[at + 2] << 8 | bytes[at + 3];
	return at == cut;
}

START_TEST(every_truncation_of_a_list_is_refused)
{
	static const enum of_err bad_len[N_KINDS] = {OF_ERR_BAD_ACTION_BAD_LEN, OF_ERR_BAD_INSTRUCTION_BAD_LEN,
		OF_ERR_GROUP_MOD_BAD_BUCKET, OF_ERR_BAD_REQUEST_BAD_LEN};
	enum kind kind = goldens[_i].kind;
	size_t size;
	uint8_t *bytes = hex_bytes(goldens[_i].hex, &size);

	for (size_t cut = 0; cut < size; cut++) {
		uint8_t *part = exact_copy(bytes, cut);
		struct wire_out out = {0};
		char text[TEXT_SIZE];

		ck_assert_uint_eq(
			transcribe(kind, part, cut, &out, text), ends_at(kind, bytes, cut) ? OF_OK : bad_len[kind]);
		wire_out_free(&out);
		free(part);
	}
	free(bytes);
}
END_TEST

static const struct {
	enum kind kind;
	const char *hex;
	enum of_err error;
} refused[] = {
	/* actions: lengths and types */
	{ACTIONS, "0000 0000 00000001 ffe5 000000000000", OF_ERR_BAD_ACTION_BAD_LEN},
	{ACTIONS, "0000 0004", OF_ERR_BAD_ACTION_BAD_LEN},
	{ACTIONS, "0000 0008 00000001", OF_ERR_BAD_ACTION_BAD_LEN},
	{ACTIONS, "0000 0018 00000001 ffe5 000000000000 0000000000000000", OF_ERR_BAD_ACTION_BAD_LEN},
	{ACTIONS, "0018 000c 00000000 00000000", OF_ERR_BAD_ACTION_BAD_LEN},
	{ACTIONS, "0018 0010 00000000 0000000000000000", OF_ERR_BAD_ACTION_BAD_LEN},
	{ACTIONS, DEC_TTL "0018 ffff 00000000", OF_ERR_BAD_ACTION_BAD_LEN},
	{ACTIONS, "0001 0008 00000000", OF_ERR_BAD_ACTION_BAD_TYPE},
	{ACTIONS, "001c 0008 00000000", OF_ERR_BAD_ACTION_BAD_TYPE},
	{ACTIONS, DEC_TTL "fffe 0008 00000000", OF_ERR_BAD_ACTION_BAD_TYPE},
	{ACTIONS, "ffff 0010 00002320 0000000000000000", OF_ERR_BAD_ACTION_BAD_EXPERIMENTER},
	/* ports, groups, EtherTypes */
	{ACTIONS, "0000 0010 00000000 0000 000000000000", OF_ERR_BAD_ACTION_BAD_OUT_PORT},
	{ACTIONS, "0000 0010 ffffffff 0000 000000000000", OF_ERR_BAD_ACTION_BAD_OUT_PORT},
	{ACTIONS, "0000 0010 ffffff01 0000 000000000000", OF_ERR_BAD_ACTION_BAD_OUT_PORT},
	{ACTIONS, "0000 0010 fffffff7 0000 000000000000", OF_ERR_BAD_ACTION_BAD_OUT_PORT},
	{ACTIONS, "0016 0008 fffffffc", OF_ERR_BAD_ACTION_BAD_OUT_GROUP},
	{ACTIONS, "0016 0008 ffffff01", OF_ERR_BAD_ACTION_BAD_OUT_GROUP},
	{ACTIONS, "0011 0008 08000000", OF_ERR_BAD_ACTION_BAD_ARGUMENT},
	{ACTIONS, "0013 0008 81000000", OF_ERR_BAD_ACTION_BAD_ARGUMENT},
	{ACTIONS, "001a 0008 88a80000", OF_ERR_BAD_ACTION_BAD_ARGUMENT},
	/* set-field */
	{ACTIONS, "0019 0008 80000000", OF_ERR_BAD_ACTION_BAD_SET_TYPE},
	{ACTIONS, "0019 0010 80000004 00000001 00000000", OF_ERR_BAD_ACTION_BAD_SET_TYPE},
	{ACTIONS, "0019 0010 80000408 0000000000000001", OF_ERR_BAD_ACTION_BAD_SET_TYPE},
	{ACTIONS, "0019 0010 80005002 0001 000000000000", OF_ERR_BAD_ACTION_BAD_SET_TYPE},
	{ACTIONS, "0019 0010 00000206 020000000001 0000", OF_ERR_BAD_ACTION_BAD_SET_TYPE},
	{ACTIONS, "0019 0018 8000070c 020000000001 ffffffffffff 00000000", OF_ERR_BAD_ACTION_BAD_SET_TYPE},
	{ACTIONS, "0019 0010 ffff5406 4f4e4600 0002 0000", OF_ERR_BAD_ACTION_BAD_SET_TYPE},
	{ACTIONS, "0019 0010 80000604 020000000001 0000", OF_ERR_BAD_ACTION_BAD_SET_LEN},
	{ACTIONS, "0019 0008 80000a02", OF_ERR_BAD_ACTION_BAD_SET_LEN},
	{ACTIONS, "0019 0010 80003410 20010db800000000", OF_ERR_BAD_ACTION_BAD_SET_LEN},
	{ACTIONS, "0019 0018 80000a02 0800 000000000000 0000000000000000", OF_ERR_BAD_ACTION_BAD_SET_LEN},
	{ACTIONS, "0019 0010 80001001 40 00000000000000", OF_ERR_BAD_ACTION_BAD_SET_ARGUMENT},
	{ACTIONS, "0019 0010 80000e01 08 00000000000000", OF_ERR_BAD_ACTION_BAD_SET_ARGUMENT},
	{ACTIONS, "0019 0010 80000c02 0064 000000000000", OF_ERR_BAD_ACTION_BAD_SET_ARGUMENT},
	{ACTIONS, "0019 0010 80000c02 0000 000000000000", OF_ERR_BAD_ACTION_BAD_SET_ARGUMENT},
	{ACTIONS, "0019 0010 80000c02 2064 000000000000", OF_ERR_BAD_ACTION_BAD_SET_ARGUMENT},
	/* instructions */
	{INSTRUCTIONS, "0000 0008 00000000", OF_ERR_BAD_INSTRUCTION_UNKNOWN_INST},
	{INSTRUCTIONS, "0007 0008 00000000", OF_ERR_BAD_INSTRUCTION_UNKNOWN_INST},
	{INSTRUCTIONS, "ffff 0008 00002320", OF_ERR_BAD_INSTRUCTION_BAD_EXPERIMENTER},
	{INSTRUCTIONS, METER_7 "0001 0008 01000000" METER_7, OF_ERR_BAD_INSTRUCTION_DUP_INST},
	{INSTRUCTIONS, "0005 0008 00000000 0005 0008 00000000", OF_ERR_BAD_INSTRUCTION_DUP_INST},
	{INSTRUCTIONS, "0004 0008 00000000 0004 0008 00000000", OF_ERR_BAD_INSTRUCTION_DUP_INST},
	{INSTRUCTIONS, "0001 0008 ff000000", OF_ERR_BAD_INSTRUCTION_BAD_TABLE_ID},
	{INSTRUCTIONS, "0001 0000 01000000", OF_ERR_BAD_INSTRUCTION_BAD_LEN},
	{INSTRUCTIONS, "0001 0010 01000000 0000000000000000", OF_ERR_BAD_INSTRUCTION_BAD_LEN},
	{INSTRUCTIONS, "0002 0010 00000000 0000000000000000", OF_ERR_BAD_INSTRUCTION_BAD_LEN},
	{INSTRUCTIONS, "0005 0010 00000000 0000000000000000", OF_ERR_BAD_INSTRUCTION_BAD_LEN},
	{INSTRUCTIONS, "0004 000c 00000000 00000000", OF_ERR_BAD_INSTRUCTION_BAD_LEN},
	{INSTRUCTIONS, "0004 0004", OF_ERR_BAD_INSTRUCTION_BAD_LEN},
	{INSTRUCTIONS, "0004 0010 00000000 0018 0010 00000000", OF_ERR_BAD_ACTION_BAD_LEN},
	{INSTRUCTIONS, "0003 0010 00000000 0063 0008 00000000", OF_ERR_BAD_ACTION_BAD_TYPE},
	{INSTRUCTIONS, "0006 0008 00000000", OF_ERR_METER_MOD_INVALID_METER},
	{INSTRUCTIONS, "0006 0008 ffff0001", OF_ERR_METER_MOD_INVALID_METER},
	/* buckets */
	{BUCKETS, BUCKET("0000"), OF_ERR_GROUP_MOD_BAD_BUCKET},
	{BUCKETS, BUCKET("0008"), OF_ERR_GROUP_MOD_BAD_BUCKET},
	{BUCKETS, BUCKET("0014") "00000000", OF_ERR_GROUP_MOD_BAD_BUCKET},
	{BUCKETS, BUCKET("0018"), OF_ERR_GROUP_MOD_BAD_BUCKET},
	{BUCKETS, BUCKET("0018") OUTPUT_1, OF_ERR_BAD_ACTION_BAD_LEN},
	{BUCKETS, BUCKET("0018") "0063 0008 00000000", OF_ERR_BAD_ACTION_BAD_TYPE},
	/* bands */
	{BANDS, "0001 0000 00000400 00000010 00000000", OF_ERR_BAD_REQUEST_BAD_LEN},
	{BANDS, "0001 000c 00000400 00000010", OF_ERR_BAD_REQUEST_BAD_LEN},
	{BANDS, "0001 0018 00000400 00000010 00000000 0000000000000000", OF_ERR_BAD_REQUEST_BAD_LEN},
	{BANDS, "0001 0020 00000400 00000010 00000000", OF_ERR_BAD_REQUEST_BAD_LEN},
	{BANDS, DROP_BAND "0003 0010 00000400 00000010 00000000", OF_ERR_METER_MOD_BAD_BAND},
	{BANDS, "ffff 0010 00000400 00000010 00002320", OF_ERR_METER_MOD_BAD_BAND},
	{BANDS, "ffff 0018 00000400 00000010 00002320 0000000000000000", OF_ERR_METER_MOD_BAD_BAND},
};

START_TEST(a_bad_list_is_refused_by_its_fault)
{
	size_t size;
	uint8_t *bytes = hex_bytes(refused[_i].hex, &size);
	struct wire_out out = {0};
	char text[TEXT_SIZE];
	enum of_err error = transcribe(refused[_i].kind, bytes, size, &out, text);

	ck_assert_msg(error == refused[_i].error, "'%s': %s, expected %s", refused[_i].hex, of_error_row(error)->text,
		of_error_row(refused[_i].error)->text);
	wire_out_free(&out);
	free(bytes);
}
END_TEST

START_TEST(a_reader_that_failed_before_is_refused)
{
	struct wire_in in = {.failed = true};
	struct arena arena = {0};
	struct actions actions;
	struct instructions *instructions;
	const struct bucket *buckets;
	const struct meter_band *bands;
	uint32_t n;

	ck_assert_uint_eq(codec_get_actions(&in, &arena, &actions), OF_ERR_BAD_ACTION_BAD_LEN);
	ck_assert_uint_eq(codec_get_instructions(&in, &arena, &instructions), OF_ERR_BAD_INSTRUCTION_BAD_LEN);
	ck_assert_uint_eq(codec_get_buckets(&in, &arena, &n, &buckets), OF_ERR_GROUP_MOD_BAD_BUCKET);
	ck_assert_uint_eq(codec_get_bands(&in, &arena, &n, &bands), OF_ERR_BAD_REQUEST_BAD_LEN);
	arena_free(&arena);
}
END_TEST

static const struct {
	enum kind kind;
	const char *hex; /* of one */
	uint32_t max;
	enum of_err error;
} limits[] = {
	{ACTIONS, DEC_TTL, CODEC_ACTIONS_MAX, OF_ERR_BAD_ACTION_TOO_MANY},
	{BUCKETS, BUCKET("0010"), GROUP_BUCKETS_LIMIT, OF_ERR_GROUP_MOD_OUT_OF_BUCKETS},
	{BANDS, DROP_BAND, METER_BANDS_LIMIT, OF_ERR_METER_MOD_OUT_OF_BANDS},
};

START_TEST(a_list_is_as_long_as_its_limit_and_no_longer)
{
	size_t size;
	uint8_t *one = hex_bytes(limits[_i].hex, &size), *many = malloc(size * (limits[_i].max + 1));
	struct wire_out out = {0};
	char text[TEXT_SIZE];

	for (uint32_t i = 0; i <= limits[_i].max; i++)
		memcpy(many + i * size, one, size);
	ck_assert_uint_eq(transcribe(limits[_i].kind, many, size * limits[_i].max, &out, text), OF_OK);
	ck_assert_uint_eq(out.size, size * limits[_i].max);
	ck_assert_mem_eq(out.bytes, many, out.size);
	wire_out_reset(&out);
	ck_assert_uint_eq(transcribe(limits[_i].kind, many, size * (limits[_i].max + 1), &out, text), limits[_i].error);
	wire_out_free(&out);
	free(many);
	free(one);
}
END_TEST

START_TEST(instructions_are_written_in_the_order_of_their_execution)
{
	static const char mixed[] = "0001 0008 03000000" METADATA "0003 0010 00000000" DEC_TTL "0005 0008 00000000"
				    "0004 0018 00000000" OUTPUT_1 METER_7;
	static const char ordered[] =
		METER_7 "0004 0018 00000000" OUTPUT_1 "0005 0008 00000000 0003 0010 00000000" DEC_TTL METADATA
			"0001 0008 03000000";
	size_t size, size_ordered;
	uint8_t *bytes = hex_bytes(mixed, &size), *expected = hex_bytes(ordered, &size_ordered);
	struct wire_out out = {0};
	char text[TEXT_SIZE];

	ck_assert_uint_eq(transcribe(INSTRUCTIONS, bytes, size, &out, text), OF_OK);
	ck_assert_uint_eq(out.size, size_ordered);
	ck_assert_mem_eq(out.bytes, expected, size_ordered);
	codec_put_instructions(&out, NULL);
	ck_assert_uint_eq(out.size, size_ordered);
	wire_out_free(&out);
	free(bytes);
	free(expected);
}
END_TEST

START_TEST(instructions_that_do_nothing_are_left_out_and_metadata_is_cut_to_its_mask)
{
	size_t size;
	uint8_t *bytes = hex_bytes("0003 0008 00000000 0004 0008 00000000"
				   "0002 0018 00000000 00000000000000ff 00000000000000f0",
		&size);
	struct wire_out out = {0};
	char text[TEXT_SIZE], *hex;

	ck_assert_uint_eq(transcribe(INSTRUCTIONS, bytes, size, &out, text), OF_OK);
	hex = hex_text(out.bytes, out.size);
	ck_assert_str_eq(hex, "000200180000000000000000000000f000000000000000f0");
	free(hex);
	wire_out_free(&out);
	free(bytes);
}
END_TEST

START_TEST(a_port_is_described_in_64_bytes)
{
	struct of_port_desc desc = {.number = 3,
		.mac = {2, 0, 0, 0, 0, 1},
		.name = "veth-a",
		.config = OF_PORT_CONFIG_DOWN,
		.state = OF_PORT_STATE_LIVE,
		.features = OFPPF_10GB_FD,
		.curr_kbps = 10000000,
		.max_kbps = 10000000};
	struct wire_out out = {0};
	char *hex;

	codec_put_port(&out, &desc);
	hex = hex_text(out.bytes, out.size);
	ck_assert_str_eq(hex, "00000003"
			      "00000000"
			      "020000000001"
			      "0000"
			      "766574682d6100000000000000000000"
			      "00000001"
			      "00000004"
			      "00000040"
			      "00000000"
			      "00000000"
			      "00000000"
			      "00989680"
			      "00989680");
	free(hex);
	wire_out_free(&out);
}
END_TEST

START_TEST(every_action_of_the_table_has_its_number)
{
	for (int type = 0; type < N_ACTIONS; type++)
		ck_assert_uint_eq(codec_action_of(action_row(type)->of_type), type);
	ck_assert_uint_eq(codec_action_of(1), N_ACTIONS);
	ck_assert_uint_eq(codec_action_of(OFPAT_EXPERIMENTER), N_ACTIONS);
}
END_TEST

/* ---- random structs, made from the tables: written, read, and the same again ---- */

static enum field_id random_settable(struct seeded *random)
{
	enum field_id field;

	do
		field = seeded_below(random, N_FIELDS);
	while (field_row(field)->oxm < 0 || !field_row(field)->settable);
	return field;
}

static struct action random_action(struct seeded *random)
{
	static const uint16_t mpls[] = {0x8847, 0x8848}, vlan[] = {0x8100, 0x88a8};
	struct action action = {.type = (uint8_t)seeded_below(random, N_ACTIONS)};
	const struct field_row *row;
	unsigned spare;

	switch ((enum action_type)action.type) {
	case ACTION_OUTPUT:
		action.arg = seeded_below(random, 4) ? 1 + seeded_below(random, 1000)
						     : OF_PORT_IN_PORT + seeded_below(random, 7);
		action.max_len = (uint16_t)seeded_next(random);
		break;
	case ACTION_SET_MPLS_TTL:
	case ACTION_SET_NW_TTL:
		action.arg = seeded_below(random, 256);
		break;
	case ACTION_PUSH_VLAN:
		action.arg = vlan[seeded_below(random, 2)];
		break;
	case ACTION_PUSH_MPLS:
		action.arg = mpls[seeded_below(random, 2)];
		break;
	case ACTION_POP_MPLS:
		action.arg = seeded_below(random, 65536);
		break;
	case ACTION_PUSH_PBB:
		action.arg = 0x88e7;
		break;
	case ACTION_SET_QUEUE:
		action.arg = (uint32_t)seeded_next(random);
		break;
	case ACTION_GROUP:
		action.arg = seeded_below(random, GROUP_MAX);
		break;
	case ACTION_SET_FIELD:
		action.field = random_settable(random);
		row = field_row(action.field);
		spare = 8u * row->oxm_size - row->oxm_bits;
		for (unsigned i = spare / 8; i < row->oxm_size; i++)
			action.value[i] = (uint8_t)seeded_next(random);
		action.value[spare / 8] &= (uint8_t)(0xff >> spare % 8);
		if (action.field == FIELD_VLAN_VID)
			action.value[0] |= 0x10;
		break;
	default:
		break;
	}
	return action;
}

static uint32_t random_actions(struct seeded *random, struct action *list, uint32_t max)
{
	uint32_t n = seeded_below(random, max + 1);

	for (uint32_t i = 0; i < n; i++)
		list[i] = random_action(random);
	return n;
}

static bool same_actions(const struct actions *a, const struct actions *b)
{
	/* Not actions_equal(): that need not look at everything that is on the wire. */
	return a->n == b->n && (!a->n || !memcmp(a->list, b->list, a->n * sizeof(*a->list)));
}

static bool same_instructions(const struct instructions *a, const struct instructions *b)
{
	struct actions apply[2] = {instructions_applied(a), instructions_applied(b)};
	struct actions write[2] = {instructions_written(a), instructions_written(b)};

	return a->meter == b->meter && a->clear_actions == b->clear_actions && a->goes_on == b->goes_on &&
	       a->goto_table == b->goto_table && a->writes_metadata == b->writes_metadata &&
	       a->metadata == b->metadata && a->metadata_mask == b->metadata_mask &&
	       same_actions(&apply[0], &apply[1]) && same_actions(&write[0], &write[1]);
}

static bool same_band(const struct meter_band *a, const struct meter_band *b)
{
	return a->type == b->type && a->rate == b->rate && a->burst == b->burst && a->prec_level == b->prec_level;
}

/* On the wire, in a block of its exact size, which the caller frees. */
static struct wire_in rewind_exact(struct wire_out *out, uint8_t **ret_bytes)
{
	*ret_bytes = exact_copy(out->bytes, out->size);
	return wire_in(*ret_bytes, out->size);
}

START_TEST(random_actions_are_read_as_they_were_written)
{
	struct seeded random = seeded_start();
	struct arena arena = {0};
	struct wire_out out = {0};

	for (int i = 0; i < N_RANDOM; i++) {
		struct action list[12];
		struct actions mine = {random_actions(&random, list, LENGTH(list)), list}, theirs;
		uint8_t *bytes;
		struct wire_in in;

		wire_out_reset(&out);
		codec_put_actions(&out, &mine);
		in = rewind_exact(&out, &bytes);
		ck_assert_msg(!codec_get_actions(&in, &arena, &theirs) && same_actions(&mine, &theirs),
			"TEST_SEED=%llu", (unsigned long long)random.seed);
		arena_reset(&arena);
		free(bytes);
	}
	wire_out_free(&out);
	arena_free(&arena);
}
END_TEST

START_TEST(random_instructions_are_read_as_they_were_written)
{
	struct seeded random = seeded_start();
	struct arena arena = {0};
	struct wire_out out = {0};

	for (int i = 0; i < N_RANDOM; i++) {
		size_t max = sizeof(struct instructions) + 10 * sizeof(struct action);
		struct instructions *mine = calloc(1, max), *theirs;
		uint64_t bits = seeded_next(&random);
		uint8_t *bytes;
		struct wire_in in;

		mine->meter = bits & 1 ? 1 + seeded_below(&random, METER_MAX) : 0;
		mine->clear_actions = bits & 2;
		mine->goes_on = bits & 4;
		mine->goto_table = bits & 4 ? (uint8_t)seeded_below(&random, 255) : 0;
		mine->writes_metadata = bits & 8;
		mine->metadata_mask = bits & 8 ? seeded_next(&random) : 0;
		mine->metadata = mine->metadata_mask & seeded_next(&random);
		mine->n_apply = (uint16_t)random_actions(&random, mine->actions, 5);
		mine->n_write = (uint16_t)random_actions(&random, mine->actions + mine->n_apply, 5);
		wire_out_reset(&out);
		codec_put_instructions(&out, mine);
		in = rewind_exact(&out, &bytes);
		ck_assert_msg(!codec_get_instructions(&in, &arena, &theirs), "TEST_SEED=%llu",
			(unsigned long long)random.seed);
		ck_assert_msg(same_instructions(mine, theirs), "TEST_SEED=%llu", (unsigned long long)random.seed);
		ck_assert(instructions_equal(mine, theirs));
		arena_reset(&arena);
		free(bytes);
		free(mine);
	}
	wire_out_free(&out);
	arena_free(&arena);
}
END_TEST

START_TEST(random_buckets_and_bands_are_read_as_they_were_written)
{
	struct seeded random = seeded_start();
	struct arena arena = {0};
	struct wire_out out = {0};

	for (int i = 0; i < N_RANDOM / 4; i++) {
		struct action lists[5][4];
		struct bucket buckets[5] = {0};
		struct meter_band bands[METER_BANDS_LIMIT] = {0};
		const struct bucket *same_buckets;
		const struct meter_band *same_bands;
		uint32_t n = seeded_below(&random, 6), n_bands = seeded_below(&random, METER_BANDS_LIMIT + 1), n_same;
		uint8_t *bytes;
		struct wire_in in;

		for (uint32_t k = 0; k < n; k++) {
			buckets[k].weight = (uint16_t)seeded_next(&random);
			buckets[k].watch_port = (uint32_t)seeded_next(&random);
			buckets[k].watch_group = (uint32_t)seeded_next(&random);
			buckets[k].actions = (struct actions){random_actions(&random, lists[k], 4), lists[k]};
		}
		wire_out_reset(&out);
		codec_put_buckets(&out, n, buckets);
		in = rewind_exact(&out, &bytes);
		ck_assert(!codec_get_buckets(&in, &arena, &n_same, &same_buckets) && n_same == n);
		for (uint32_t k = 0; k < n; k++)
			ck_assert_msg(buckets[k].weight == same_buckets[k].weight &&
					      buckets[k].watch_port == same_buckets[k].watch_port &&
					      buckets[k].watch_group == same_buckets[k].watch_group &&
					      same_actions(&buckets[k].actions, &same_buckets[k].actions),
				"TEST_SEED=%llu", (unsigned long long)random.seed);
		free(bytes);
		for (uint32_t k = 0; k < n_bands; k++) {
			bands[k].type = seeded_below(&random, 2) ? BAND_DROP : BAND_DSCP_REMARK;
			bands[k].rate = (uint32_t)seeded_next(&random);
			bands[k].burst = (uint32_t)seeded_next(&random);
			if (bands[k].type == BAND_DSCP_REMARK)
				bands[k].prec_level = (uint8_t)seeded_next(&random);
		}
		wire_out_reset(&out);
		codec_put_bands(&out, n_bands, bands);
		in = rewind_exact(&out, &bytes);
		ck_assert(!codec_get_bands(&in, &arena, &n_same, &same_bands) && n_same == n_bands);
		for (uint32_t k = 0; k < n_bands; k++)
			ck_assert_msg(same_band(&bands[k], &same_bands[k]), "TEST_SEED=%llu",
				(unsigned long long)random.seed);
		free(bytes);
		arena_reset(&arena);
	}
	wire_out_free(&out);
	arena_free(&arena);
}
END_TEST

/* Bytes of a golden changed: it is refused, or read as something that is written and read as the same. */
START_TEST(a_list_with_changed_bytes_is_refused_or_means_what_it_says)
{
	struct seeded random = seeded_start();

	for (int i = 0; i < N_HOSTILE; i++) {
		uint32_t pick = seeded_below(&random, LENGTH(goldens));
		size_t size;
		uint8_t *bytes = hex_bytes(goldens[pick].hex, &size);
		struct wire_out once = {0}, twice = {0};
		char text[TEXT_SIZE], again[TEXT_SIZE];

		for (uint32_t n = 1 + seeded_below(&random, 3); size && n; n--)
			bytes[seeded_below(&random, (uint32_t)size)] = (uint8_t)seeded_next(&random);
		if (!transcribe(goldens[pick].kind, bytes, size, &once, text)) {
			ck_assert_uint_eq(transcribe(goldens[pick].kind, once.bytes, once.size, &twice, again), OF_OK);
			ck_assert_msg(!strcmp(text, again) && once.size == twice.size &&
					      (!once.size || !memcmp(once.bytes, twice.bytes, once.size)),
				"TEST_SEED=%llu: '%s' and '%s'", (unsigned long long)random.seed, text, again);
		}
		wire_out_free(&once);
		wire_out_free(&twice);
		free(bytes);
	}
}
END_TEST

#define LOOP(name, table) tcase_add_loop_test(tcase, name, 0, (int)LENGTH(table))

int main(void)
{
	TCase *tcase = tcase_create("codec");
	Suite *suite = suite_create("codec");
	SRunner *runner;
	int n_failed;

	tcase_set_timeout(tcase, 60);
	LOOP(a_list_is_read_as_its_text_says_and_written_as_it_was_read, goldens);
	LOOP(every_truncation_of_a_list_is_refused, goldens);
	LOOP(a_bad_list_is_refused_by_its_fault, refused);
	tcase_add_test(tcase, a_reader_that_failed_before_is_refused);
	LOOP(a_list_is_as_long_as_its_limit_and_no_longer, limits);
	tcase_add_test(tcase, instructions_are_written_in_the_order_of_their_execution);
	tcase_add_test(tcase, instructions_that_do_nothing_are_left_out_and_metadata_is_cut_to_its_mask);
	tcase_add_test(tcase, a_port_is_described_in_64_bytes);
	tcase_add_test(tcase, every_action_of_the_table_has_its_number);
	tcase_add_test(tcase, random_actions_are_read_as_they_were_written);
	tcase_add_test(tcase, random_instructions_are_read_as_they_were_written);
	tcase_add_test(tcase, random_buckets_and_bands_are_read_as_they_were_written);
	tcase_add_test(tcase, a_list_with_changed_bytes_is_refused_or_means_what_it_says);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? 1 : 0;
}
