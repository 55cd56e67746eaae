/* SPDX-License-Identifier: BSD-2-Clause */
#include "ofp/oxm.h"

#include "tests/unit/hex.h"
#include "tests/unit/seeded.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_MATCHES 20000
#define N_HOSTILE 100000
#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))

#define TYPE_IP4   "80000a02 0800 "
#define TYPE_IP6   "80000a02 86dd "
#define TYPE_ARP   "80000a02 0806 "
#define TYPE_MPLS  "80000a02 8847 "
#define TYPE_PBB   "80000a02 88e7 "
#define PROTO(hex) "80001401 " hex " "
#define TCP_FLAGS  "ffff5406 4f4e4600 "

/* The TLVs `hex` in a match with header and padding, in a block of its exact size. */
static uint8_t *match_of(const char *hex, size_t *ret_size)
{
	size_t size;
	uint8_t *tlvs = hex_bytes(hex, &size), *bytes, *exact;

	*ret_size = size + 4 + WIRE_PADDING(size + 4);
	bytes = calloc(1, *ret_size);
	bytes[1] = 1;
	bytes[2] = (uint8_t)((size + 4) >> 8);
	bytes[3] = (uint8_t)(size + 4);
	memcpy(bytes + 4, tlvs, size);
	exact = exact_copy(bytes, *ret_size);
	free(bytes);
	free(tlvs);
	return exact;
}

static const struct {
	const char *hex, *text;
	bool reordered; /* its fields do not stand in field.def's order, or have a mask that says nothing */
} goldens[] = {
	{"", "any", false},
	{"80000004 00000001", "in_port=1", false},
	{"80000004 fffffffe 80000204 fffffffe", "in_port=4294967294", true},
	{"80000408 0000000000000005", "metadata=0x5", false},
	{"80000510 00000000000000f0 00000000000000f0", "metadata=0xf0/0xf0", false},
	{"80000606 020000000001", "eth_dst=02:00:00:00:00:01", false},
	{"8000070c 020000000000 020000000000", "eth_dst=02:00:00:00:00:00/02:00:00:00:00:00", false},
	{"80000806 020000000002", "eth_src=02:00:00:00:00:02", false},
	{"80000a02 88cc", "eth_type=0x88cc", false},
	{"80000c02 0000", "vlan_vid=none", false},
	{"80000c02 1064", "vlan_vid=100", false},
	{"80000d04 1000 1000", "vlan_vid=0x1000/0x1000", false},
	{"80000d04 0060 00f0", "vlan_vid=0x60/0xf0", false},
	{"80000c02 1064 80000e01 07", "vlan_vid=100,vlan_pcp=7", false},
	{TYPE_IP4 "80001001 3f", "eth_type=0x0800,ip_dscp=63", false},
	{TYPE_IP6 "80001201 03", "eth_type=0x86dd,ip_ecn=3", false},
	{TYPE_IP4 PROTO("fd"), "eth_type=0x0800,ip_proto=253", false},
	{TYPE_IP4 "80001604 0a000001", "eth_type=0x0800,ip_src=10.0.0.1", false},
	{TYPE_IP4 "80001908 0a000000 ff000000", "eth_type=0x0800,ip_dst=10.0.0.0/8", false},
	{TYPE_IP4 PROTO("06") "80001a02 0016", "eth_type=0x0800,ip_proto=6,tcp_src=22", false},
	{TYPE_IP6 PROTO("06") "80001c02 0016", "eth_type=0x86dd,ip_proto=6,tcp_dst=22", false},
	{TYPE_IP4 PROTO("11") "80001e02 0035", "eth_type=0x0800,ip_proto=17,udp_src=53", false},
	{TYPE_IP4 PROTO("11") "80002002 0035", "eth_type=0x0800,ip_proto=17,udp_dst=53", false},
	{TYPE_IP4 PROTO("84") "80002202 0100", "eth_type=0x0800,ip_proto=132,sctp_src=256", false},
	{TYPE_IP4 PROTO("84") "80002402 0100", "eth_type=0x0800,ip_proto=132,sctp_dst=256", false},
	{TYPE_IP4 PROTO("01") "80002601 08", "eth_type=0x0800,ip_proto=1,icmp_type=8", false},
	{TYPE_IP4 PROTO("01") "80002801 00", "eth_type=0x0800,ip_proto=1,icmp_code=0", false},
	{TYPE_ARP "80002a02 0002", "eth_type=0x0806,arp_op=2", false},
	{TYPE_ARP "80002c04 0a000001", "eth_type=0x0806,arp_spa=10.0.0.1", false},
	{TYPE_ARP "80002e04 0a000001", "eth_type=0x0806,arp_tpa=10.0.0.1", false},
	{TYPE_ARP "80003006 020000000001", "eth_type=0x0806,arp_sha=02:00:00:00:00:01", false},
	{TYPE_ARP "80003206 020000000001", "eth_type=0x0806,arp_tha=02:00:00:00:00:01", false},
	{TYPE_IP6 "80003410 20010db8000000000000000000000001", "eth_type=0x86dd,ipv6_src=2001:db8::1", false},
	{TYPE_IP6 "80003720 20010db8000000000000000000000000 ffffffff000000000000000000000000",
		"eth_type=0x86dd,ipv6_dst=2001:db8::/32", false},
	{TYPE_IP6 "80003804 000fffff", "eth_type=0x86dd,ipv6_label=0x000fffff", false},
	{TYPE_IP6 "80003908 00000060 000ffff0", "eth_type=0x86dd,ipv6_label=0x60/0xffff0", false},
	{TYPE_IP6 PROTO("3a") "80003a01 87", "eth_type=0x86dd,ip_proto=58,icmpv6_type=135", false},
	{TYPE_IP6 PROTO("3a") "80003c01 01", "eth_type=0x86dd,ip_proto=58,icmpv6_code=1", false},
	{TYPE_IP6 PROTO("3a") "80003a01 88 80003e10 fe800000000000000000000000000001",
		"eth_type=0x86dd,ip_proto=58,icmpv6_type=136,nd_target=fe80::1", false},
	{TYPE_IP6 PROTO("3a") "80003a01 87 80004006 020000000001",
		"eth_type=0x86dd,ip_proto=58,icmpv6_type=135,nd_sll=02:00:00:00:00:01", false},
	{TYPE_IP6 PROTO("3a") "80003a01 88 80004206 020000000001",
		"eth_type=0x86dd,ip_proto=58,icmpv6_type=136,nd_tll=02:00:00:00:00:01", false},
	{TYPE_MPLS "80004404 000fffff", "eth_type=0x8847,mpls_label=1048575", false},
	{TYPE_MPLS "80004601 07", "eth_type=0x8847,mpls_tc=7", false},
	{TYPE_MPLS "80004801 01", "eth_type=0x8847,mpls_bos=1", false},
	{TYPE_PBB "80004a03 ffffff", "eth_type=0x88e7,pbb_isid=16777215", false},
	{TYPE_PBB "80004b06 000060 0000f0", "eth_type=0x88e7,pbb_isid=0x60/0xf0", false},
	{"80004c08 0000000000003039", "tunnel_id=0x3039", false},
	{TYPE_IP6 "80004f04 0040 01f0", "eth_type=0x86dd,ipv6_exthdr=0x40/0x1f0", false},
	{TYPE_IP4 PROTO("06") TCP_FLAGS "0002", "eth_type=0x0800,ip_proto=6,tcp_flags=0x0002", false},
	{TYPE_IP4 PROTO("06") "ffff5508 4f4e4600 0002 0012", "eth_type=0x0800,ip_proto=6,tcp_flags=0x2/0x12", false},
	{TYPE_IP4 "80000004 00000002", "in_port=2,eth_type=0x0800", true},
	{"80000b04 0800 ffff", "eth_type=0x0800", true},
	{"8000070c 000000000000 000000000000", "any", true},
	{"80000d04 1064 1fff 80000f02 03 07", "vlan_vid=100,vlan_pcp=3", true},
};

START_TEST(a_match_is_read_as_its_text_says_and_written_as_it_was_read)
{
	size_t size;
	uint8_t *bytes = match_of(goldens[_i].hex, &size);
	struct wire_in in = wire_in(bytes, size);
	struct wire_out out = {0};
	struct flow_match match, again;
	uint16_t fields[MATCH_SHAPE_MAX];
	uint32_t n_fields;
	char text[400], *mine, *theirs = hex_text(bytes, size);

	ck_assert_uint_eq(oxm_get_match(&in, &match, &n_fields, fields), OF_OK);
	ck_assert(wire_in_ended(&in));
	flow_format(&match.key, &match.mask, NULL, text, sizeof(text));
	ck_assert_str_eq(text, goldens[_i].text);
	oxm_put_match(&out, &match, n_fields, fields);
	mine = hex_text(out.bytes, out.size);
	ck_assert_str_eq(mine, theirs);
	free(mine);

	/* Without the order as it was sent the same match is written, in another one. */
	wire_out_reset(&out);
	oxm_put_match(&out, &match, 0, NULL);
	mine = hex_text(out.bytes, out.size);
	ck_assert(goldens[_i].reordered || !strcmp(mine, theirs));
	in = wire_in(out.bytes, out.size);
	ck_assert_uint_eq(oxm_get_match(&in, &again, NULL, NULL), OF_OK);
	ck_assert(flow_equal(&match.key, &again.key) && flow_equal(&match.mask, &again.mask));
	free(mine);
	free(theirs);
	free(bytes);
	wire_out_free(&out);
}
END_TEST

/* Cuts the bytes short, and then also the match's own length: an error, but where the cut is between two fields. */
START_TEST(every_truncation_of_a_match_is_refused)
{
	size_t size, whole;
	uint8_t *bytes = match_of(goldens[_i].hex, &size);
	bool ends[600] = {false};

	whole = (size_t)bytes[2] << 8 | bytes[3];
	for (size_t at = 4; at < whole; at += 4u + bytes[at + 3])
		ends[at] = true;
	for (size_t cut = 0; cut < size; cut++) {
		uint8_t *part = exact_copy(bytes, cut);
		struct wire_in in = wire_in(part, cut);
		struct flow_match match;

		ck_assert_uint_eq(oxm_get_match(&in, &match, NULL, NULL), OF_ERR_BAD_MATCH_BAD_LEN);
		free(part);
	}
	for (size_t cut = 0; cut < whole; cut++) {
		size_t padded = cut + WIRE_PADDING(cut);
		uint8_t *part = exact_copy(bytes, padded < 4 ? 4 : padded);
		struct wire_in in = wire_in(part, padded < 4 ? 4 : padded);
		struct flow_match match;

		part[2] = (uint8_t)(cut >> 8);
		part[3] = (uint8_t)cut;
		ck_assert_uint_eq(oxm_get_match(&in, &match, NULL, NULL), ends[cut] ? OF_OK : OF_ERR_BAD_MATCH_BAD_LEN);
		free(part);
	}
	free(bytes);
}
END_TEST

static const struct {
	const char *hex;
	enum of_err error;
} refused[] = {
	{"80000004 00000001 80000004 00000001", OF_ERR_BAD_MATCH_DUP_FIELD},
	{"80000004 00000001 80000204 00000001 80000204 00000001", OF_ERR_BAD_MATCH_DUP_FIELD},
	{"80000d04 1000 1000 80000c02 1001", OF_ERR_BAD_MATCH_DUP_FIELD},
	/* classes and fields */
	{"00000002 0001", OF_ERR_BAD_MATCH_BAD_FIELD},
	{"00010004 00000001", OF_ERR_BAD_MATCH_BAD_FIELD},
	{"80010004 00000001", OF_ERR_BAD_MATCH_BAD_FIELD},
	{"80005002 0001", OF_ERR_BAD_MATCH_BAD_FIELD},
	{"8000fe02 0001", OF_ERR_BAD_MATCH_BAD_FIELD},
	{TYPE_IP4 PROTO("06") "80005402 0002", OF_ERR_BAD_MATCH_BAD_FIELD},
	{TYPE_IP4 PROTO("06") "ffff5406 00002320 0002", OF_ERR_BAD_MATCH_BAD_FIELD},
	{TYPE_IP4 PROTO("06") "ffff0008 4f4e4600 00000001", OF_ERR_BAD_MATCH_BAD_FIELD},
	/* lengths */
	{"80000002 0001", OF_ERR_BAD_MATCH_BAD_LEN},
	{"80000008 0000000000000001", OF_ERR_BAD_MATCH_BAD_LEN},
	{"80000706 020000000001", OF_ERR_BAD_MATCH_BAD_LEN},
	{"8000060c 020000000001 ffffffffffff", OF_ERR_BAD_MATCH_BAD_LEN},
	{"80000a00", OF_ERR_BAD_MATCH_BAD_LEN},
	{TYPE_IP4 PROTO("06") "ffff5403 4f4e4600", OF_ERR_BAD_MATCH_BAD_LEN},
	{TYPE_IP4 PROTO("06") "ffff5402 0002", OF_ERR_BAD_MATCH_BAD_LEN},
	{TYPE_IP4 PROTO("06") "ffff5508 4f4e4600 0002", OF_ERR_BAD_MATCH_BAD_LEN},
	{"800000", OF_ERR_BAD_MATCH_BAD_LEN},
	/* values beyond the width */
	{"80000c02 2001", OF_ERR_BAD_MATCH_BAD_VALUE},
	{"80000c02 1001 80000e01 08", OF_ERR_BAD_MATCH_BAD_VALUE},
	{TYPE_IP4 "80001001 40", OF_ERR_BAD_MATCH_BAD_VALUE},
	{TYPE_IP4 "80001201 04", OF_ERR_BAD_MATCH_BAD_VALUE},
	{TYPE_IP6 "80003804 00100000", OF_ERR_BAD_MATCH_BAD_VALUE},
	{TYPE_MPLS "80004404 00100000", OF_ERR_BAD_MATCH_BAD_VALUE},
	{TYPE_MPLS "80004601 08", OF_ERR_BAD_MATCH_BAD_VALUE},
	{TYPE_MPLS "80004801 02", OF_ERR_BAD_MATCH_BAD_VALUE},
	{TYPE_IP6 "80004e02 0200", OF_ERR_BAD_MATCH_BAD_VALUE},
	{TYPE_IP4 PROTO("06") TCP_FLAGS "1000", OF_ERR_BAD_MATCH_BAD_VALUE},
	/* values that no frame has */
	{"80000c02 0064", OF_ERR_BAD_MATCH_BAD_VALUE},
	{"80000d04 0064 1fff", OF_ERR_BAD_MATCH_BAD_VALUE},
	{"80000004 00000001 80000204 00000002", OF_ERR_BAD_MATCH_BAD_VALUE},
	/* masks */
	{"80000108 00000001 0000ffff", OF_ERR_BAD_MATCH_BAD_MASK},
	{"80000b04 0800 fff0", OF_ERR_BAD_MATCH_BAD_MASK},
	{"80000c02 1001 80000f02 02 03", OF_ERR_BAD_MATCH_BAD_MASK},
	{"80000d04 1001 3fff", OF_ERR_BAD_MATCH_BAD_MASK},
	{TYPE_IP4 PROTO("06") "80001b04 0000 ff00", OF_ERR_BAD_MATCH_BAD_MASK},
	{TYPE_IP6 "80003908 00000001 00100001", OF_ERR_BAD_MATCH_BAD_MASK},
	{TYPE_IP6 "80004f04 0001 0201", OF_ERR_BAD_MATCH_BAD_MASK},
	{"80000510 0000000000000001 0000000000000002", OF_ERR_BAD_MATCH_BAD_WILDCARDS},
	{TYPE_IP4 "80001908 0a000001 ff000000", OF_ERR_BAD_MATCH_BAD_WILDCARDS},
	/* prerequisites, which stand before what needs them */
	{"80000e01 03", OF_ERR_BAD_MATCH_BAD_PREREQ},
	{"80000c02 0000 80000e01 03", OF_ERR_BAD_MATCH_BAD_PREREQ},
	{"80000204 00000001", OF_ERR_BAD_MATCH_BAD_PREREQ},
	{PROTO("06"), OF_ERR_BAD_MATCH_BAD_PREREQ},
	{"80001604 0a000001 80000a02 0800", OF_ERR_BAD_MATCH_BAD_PREREQ},
	{TYPE_IP6 "80001604 0a000001", OF_ERR_BAD_MATCH_BAD_PREREQ},
	{TYPE_IP4 "80001a02 0016", OF_ERR_BAD_MATCH_BAD_PREREQ},
	{TYPE_IP4 PROTO("11") "80001a02 0016", OF_ERR_BAD_MATCH_BAD_PREREQ},
	{TYPE_IP6 PROTO("01") "80002601 08", OF_ERR_BAD_MATCH_BAD_PREREQ},
	{TYPE_IP6 PROTO("3a") "80003a01 88 80004006 020000000001", OF_ERR_BAD_MATCH_BAD_PREREQ},
	{TYPE_IP4 "80004601 07", OF_ERR_BAD_MATCH_BAD_PREREQ},
	{TYPE_IP4 TCP_FLAGS "0002", OF_ERR_BAD_MATCH_BAD_PREREQ},
};

START_TEST(a_bad_match_is_refused_by_its_fault)
{
	size_t size;
	uint8_t *bytes = match_of(refused[_i].hex, &size);
	struct wire_in in = wire_in(bytes, size);
	struct flow_match match;
	uint16_t fields[MATCH_SHAPE_MAX];
	uint32_t n_fields = 77;
	enum of_err error;

	memset(&match, 0x55, sizeof(match));
	error = oxm_get_match(&in, &match, &n_fields, fields);
	ck_assert_msg(error == refused[_i].error, "'%s': %s, expected %s", refused[_i].hex, of_error_row(error)->text,
		of_error_row(refused[_i].error)->text);
	ck_assert_uint_eq(n_fields, 77);
	ck_assert_uint_eq(match.key.x.f.ip_proto, 0x55);
	free(bytes);
}
END_TEST

START_TEST(a_match_of_another_type_or_of_a_length_below_its_header_is_refused)
{
	static const struct {
		const char *hex;
		enum of_err error;
	} rows[] = {
		{"0000 0058 00000000", OF_ERR_BAD_MATCH_BAD_TYPE},
		{"0002 0004 00000000", OF_ERR_BAD_MATCH_BAD_TYPE},
		{"0001 0003 00000000", OF_ERR_BAD_MATCH_BAD_LEN},
		{"0001 0000 00000000", OF_ERR_BAD_MATCH_BAD_LEN},
		{"0001 0005 00000000", OF_ERR_BAD_MATCH_BAD_LEN},
		{"0001 ffff 00000000", OF_ERR_BAD_MATCH_BAD_LEN},
		{"0001 0004 000000", OF_ERR_BAD_MATCH_BAD_LEN},
	};

	for (size_t i = 0; i < LENGTH(rows); i++) {
		size_t size;
		uint8_t *bytes = hex_bytes(rows[i].hex, &size);
		struct wire_in in = wire_in(bytes, size);
		struct flow_match match;

		ck_assert_uint_eq(oxm_get_match(&in, &match, NULL, NULL), rows[i].error);
		free(bytes);
	}
}
END_TEST

START_TEST(what_stands_behind_a_match_stays_to_be_read)
{
	size_t size;
	/* padding that is not zero is not looked at */
	uint8_t *bytes = hex_bytes("0001 000a 80000a02 0800 010203040506 aabb", &size);
	struct wire_in in = wire_in(bytes, size);
	struct flow_match match;

	ck_assert_uint_eq(oxm_get_match(&in, &match, NULL, NULL), OF_OK);
	ck_assert_uint_eq(wire_get_u16(&in), 0xaabb);
	ck_assert(wire_in_ended(&in));
	free(bytes);
}
END_TEST

/*
 * The twin: OF 1.3.5 table 12 once more, in the specification's terms, and TLVs put together byte by byte. A field's
 * prerequisite is a set of eth_type, ip_proto and ICMPv6 type; 0: any.
 */
static const struct spec {
	int number, size, bits;
	bool maskable;
	int eth_type[2], ip_proto, icmp[2];
} spec[] = {
	{0, 4, 32, false, {0}, 0, {0}},
	{2, 8, 64, true, {0}, 0, {0}},
	{3, 6, 48, true, {0}, 0, {0}},
	{4, 6, 48, true, {0}, 0, {0}},
	{5, 2, 16, false, {0}, 0, {0}},
	{6, 2, 13, true, {0}, 0, {0}},
	{7, 1, 3, false, {0}, 0, {0}},
	{8, 1, 6, false, {0x800, 0x86dd}, 0, {0}},
	{9, 1, 2, false, {0x800, 0x86dd}, 0, {0}},
	{10, 1, 8, false, {0x800, 0x86dd}, 0, {0}},
	{11, 4, 32, true, {0x800}, 0, {0}},
	{12, 4, 32, true, {0x800}, 0, {0}},
	{13, 2, 16, false, {0x800, 0x86dd}, 6, {0}},
	{14, 2, 16, false, {0x800, 0x86dd}, 6, {0}},
	{15, 2, 16, false, {0x800, 0x86dd}, 17, {0}},
	{16, 2, 16, false, {0x800, 0x86dd}, 17, {0}},
	{17, 2, 16, false, {0x800, 0x86dd}, 132, {0}},
	{18, 2, 16, false, {0x800, 0x86dd}, 132, {0}},
	{19, 1, 8, false, {0x800}, 1, {0}},
	{20, 1, 8, false, {0x800}, 1, {0}},
	{21, 2, 16, false, {0x806}, 0, {0}},
	{22, 4, 32, true, {0x806}, 0, {0}},
	{23, 4, 32, true, {0x806}, 0, {0}},
	{24, 6, 48, true, {0x806}, 0, {0}},
	{25, 6, 48, true, {0x806}, 0, {0}},
	{26, 16, 128, true, {0x86dd}, 0, {0}},
	{27, 16, 128, true, {0x86dd}, 0, {0}},
	{28, 4, 20, true, {0x86dd}, 0, {0}},
	{29, 1, 8, false, {0x86dd}, 58, {0}},
	{30, 1, 8, false, {0x86dd}, 58, {0}},
	{31, 16, 128, false, {0x86dd}, 58, {135, 136}},
	{32, 6, 48, false, {0x86dd}, 58, {135}},
	{33, 6, 48, false, {0x86dd}, 58, {136}},
	{34, 4, 20, false, {0x8847, 0x8848}, 0, {0}},
	{35, 1, 3, false, {0x8847, 0x8848}, 0, {0}},
	{36, 1, 1, false, {0x8847, 0x8848}, 0, {0}},
	{37, 3, 24, true, {0x88e7}, 0, {0}},
	{38, 8, 64, true, {0}, 0, {0}},
	{39, 2, 9, true, {0x86dd}, 0, {0}},
	{42, 2, 12, true, {0x800, 0x86dd}, 6, {0}},
};

/* A random match as the twin sees it. */
struct made {
	uint8_t bytes[1024];
	size_t size;
	bool has[64];
	int eth_type, ip_proto, icmpv6_type; /* -1: not matched */
	bool has_tag;
};

static bool is_one_of(int value, const int any[2])
{
	return !any[0] || value == any[0] || (any[1] && value == any[1]);
}

static bool may_have(const struct made *made, const struct spec *field)
{
	if (made->has[field->number] || (field->number == 7 && !made->has_tag))
		return false;
	return is_one_of(made->eth_type, field->eth_type) && is_one_of(made->icmpv6_type, field->icmp) &&
	       (!field->ip_proto || made->ip_proto == field->ip_proto);
}

static void make_field(struct made *made, const struct spec *field, struct seeded *random)
{
	static const int eth_types[] = {0x800, 0x86dd, 0x806, 0x8847, 0x8848, 0x88e7, 0x1234};
	static const int ip_protos[] = {6, 17, 132, 1, 58, 99};
	bool is_onf = field->number == 42, has_mask = field->maskable && seeded_below(random, 2);
	uint8_t *at = made->bytes + made->size, *value = at + (is_onf ? 8 : 4), *mask = value + field->size;
	int spare = 8 * field->size - field->bits;

	at[0] = is_onf ? 0xff : 0x80;
	at[1] = is_onf ? 0xff : 0;
	at[2] = (uint8_t)(field->number * 2 + has_mask);
	at[3] = (uint8_t)(field->size * (1 + has_mask) + (is_onf ? 4 : 0));
	if (is_onf)
		memcpy(at + 4, "ONF", 4);
	for (int i = 0; i < field->size; i++) {
		value[i] = (uint8_t)seeded_next(random);
		mask[i] = has_mask ? (uint8_t)seeded_next(random) : 0xff;
	}
	for (int bit = 0; bit < spare; bit++) {
		value[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
		mask[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	}
	if (field->number == 5) {
		made->eth_type = eth_types[seeded_below(random, LENGTH(eth_types))];
		value[0] = (uint8_t)(made->eth_type >> 8);
		value[1] = (uint8_t)made->eth_type;
	}
	if (field->number == 10)
		value[0] = (uint8_t)(made->ip_proto = ip_protos[seeded_below(random, LENGTH(ip_protos))]);
	if (field->number == 29)
		value[0] = (uint8_t)(made->icmpv6_type = 134 + (int)seeded_below(random, 3));
	if (field->number == 6) {
		value[0] |= 0x10;
		mask[0] |= 0x10;
		made->has_tag = true;
	}
	for (int i = 0; i < field->size; i++)
		value[i] &= mask[i];
	made->has[field->number] = true;
	made->size = (size_t)((has_mask ? mask : value) + field->size - made->bytes);
}

static struct made make_match(struct seeded *random)
{
	struct made made = {.eth_type = -1, .ip_proto = -1, .icmpv6_type = -1, .size = 4};
	size_t padded;

	for (uint32_t n = seeded_below(random, 120); n; n--) {
		const struct spec *field = &spec[seeded_below(random, LENGTH(spec))];

		if (may_have(&made, field))
			make_field(&made, field, random);
	}
	made.bytes[1] = 1;
	made.bytes[2] = (uint8_t)(made.size >> 8);
	made.bytes[3] = (uint8_t)made.size;
	padded = (made.size + 7) / 8 * 8;
	memset(made.bytes + made.size, 0, padded - made.size);
	made.size = padded;
	return made;
}

START_TEST(random_matches_are_written_as_they_were_read)
{
	struct seeded random = seeded_start();
	size_t seen[64] = {0};

	for (int i = 0; i < N_MATCHES; i++) {
		struct made made = make_match(&random);
		uint8_t *bytes = exact_copy(made.bytes, made.size);
		struct wire_in in = wire_in(bytes, made.size);
		struct wire_out out = {0};
		struct flow_match match, again;
		uint16_t fields[MATCH_SHAPE_MAX];
		uint32_t n_fields;
		enum of_err error = oxm_get_match(&in, &match, &n_fields, fields);

		ck_assert_msg(!error, "TEST_SEED=%llu: %s", (unsigned long long)random.seed, of_error_row(error)->text);
		again.key = flow_masked(&match.key, &match.mask);
		ck_assert(flow_equal(&again.key, &match.key));
		oxm_put_match(&out, &match, n_fields, fields);
		ck_assert_msg(out.size == made.size && !memcmp(out.bytes, bytes, made.size), "TEST_SEED=%llu",
			(unsigned long long)random.seed);
		wire_out_reset(&out);
		oxm_put_match(&out, &match, 0, NULL);
		in = wire_in(out.bytes, out.size);
		ck_assert_uint_eq(oxm_get_match(&in, &again, NULL, NULL), OF_OK);
		ck_assert_msg(flow_equal(&match.key, &again.key) && flow_equal(&match.mask, &again.mask),
			"TEST_SEED=%llu", (unsigned long long)random.seed);
		for (int k = 0; k < 64; k++)
			seen[k] += made.has[k];
		wire_out_free(&out);
		free(bytes);
	}
	for (size_t i = 0; i < LENGTH(spec); i++)
		ck_assert_msg(seen[spec[i].number] > 5, "field %d was never tried", spec[i].number);
}
END_TEST

/* A byte of a good match changed: it is refused, or read as something that is written as it was read. */
START_TEST(a_match_with_a_changed_byte_is_refused_or_means_what_it_says)
{
	struct seeded random = seeded_start();

	for (int i = 0; i < N_HOSTILE; i++) {
		struct made made = make_match(&random);
		size_t size = made.size - seeded_below(&random, 2) * seeded_below(&random, 8), at;
		uint8_t *bytes = exact_copy(made.bytes, size);
		struct wire_in in = wire_in(bytes, size);
		struct flow_match match, again;
		uint16_t fields[MATCH_SHAPE_MAX], fields_again[MATCH_SHAPE_MAX];
		uint32_t n_fields, n_again;
		struct wire_out out = {0};

		at = seeded_below(&random, (uint32_t)size);
		bytes[at] = (uint8_t)seeded_next(&random);
		if (!oxm_get_match(&in, &match, &n_fields, fields)) {
			oxm_put_match(&out, &match, n_fields, fields);
			in = wire_in(out.bytes, out.size);
			ck_assert_uint_eq(oxm_get_match(&in, &again, &n_again, fields_again), OF_OK);
			ck_assert_msg(n_again == n_fields && !memcmp(fields, fields_again, n_fields * 2) &&
					      flow_equal(&match.key, &again.key) &&
					      flow_equal(&match.mask, &again.mask),
				"TEST_SEED=%llu", (unsigned long long)random.seed);
		}
		wire_out_free(&out);
		free(bytes);
	}
}
END_TEST

START_TEST(a_packet_in_has_the_fields_that_the_pipeline_adds)
{
	struct flow flow = {0};
	struct wire_out out = {0};
	char *text;

	flow.x.f.in_ifindex = 7;
	flow.x.f.ip_proto = 6;
	oxm_put_packet_in(&out, &flow);
	text = hex_text(out.bytes, out.size);
	ck_assert_str_eq(text, "0001000c8000000400000007"
			       "00000000");
	free(text);
	wire_out_reset(&out);
	field_write(FIELD_METADATA, &flow, (const uint8_t *)"\0\0\0\0\0\0\0\x5");
	field_write(FIELD_TUNNEL_ID, &flow, (const uint8_t *)"\x1\0\0\0\0\0\0\0");
	oxm_put_packet_in(&out, &flow);
	text = hex_text(out.bytes, out.size);
	ck_assert_str_eq(text, "00010024800000040000000780000408000000000000000580004c0801000000000000"
			       "0000000000");
	free(text);
	wire_out_free(&out);
}
END_TEST

START_TEST(ids_are_read_with_and_without_their_length)
{
	static const struct {
		const char *hex;
		enum field_id field;
		bool has_mask, is_written_so;
	} rows[] = {
		{"80000004", FIELD_IN_PORT, false, true},
		{"8000070c", FIELD_ETH_DST, true, true},
		{"80000600", FIELD_ETH_DST, false, false},
		{"80000700", FIELD_ETH_DST, true, false},
		{"ffff5406 4f4e4600", FIELD_TCP_FLAGS, false, true},
		{"ffff5508 4f4e4600", FIELD_TCP_FLAGS, true, true},
		{"ffff5400 4f4e4600", FIELD_TCP_FLAGS, false, false},
	};

	for (size_t i = 0; i < LENGTH(rows); i++) {
		size_t size;
		uint8_t *bytes = hex_bytes(rows[i].hex, &size);
		struct wire_in in = wire_in(bytes, size);
		struct wire_out out = {0};
		enum field_id field;
		bool has_mask;

		ck_assert_uint_eq(oxm_get_id(&in, &field, &has_mask), OF_OK);
		ck_assert(wire_in_ended(&in));
		ck_assert_uint_eq(field, rows[i].field);
		ck_assert_uint_eq(has_mask, rows[i].has_mask);
		oxm_put_id(&out, field, has_mask);
		ck_assert_uint_eq(out.size, size);
		ck_assert_uint_eq(!memcmp(out.bytes, bytes, size), rows[i].is_written_so);
		wire_out_free(&out);
		for (size_t cut = 0; cut < size; cut++) {
			uint8_t *part = exact_copy(bytes, cut);

			in = wire_in(part, cut);
			ck_assert_uint_eq(oxm_get_id(&in, &field, &has_mask), OF_ERR_BAD_MATCH_BAD_LEN);
			free(part);
		}
		free(bytes);
	}
}
END_TEST

START_TEST(ids_of_no_field_are_refused)
{
	struct wire_in in = wire_in("\x80\0\x50\x02", 4);
	enum field_id field;
	bool has_mask;

	ck_assert_uint_eq(oxm_get_id(&in, &field, &has_mask), OF_ERR_BAD_MATCH_BAD_FIELD);
	in = wire_in("\x80\0\0\x02", 4);
	ck_assert_uint_eq(oxm_get_id(&in, &field, &has_mask), OF_ERR_BAD_MATCH_BAD_LEN);
}
END_TEST

#define LOOP(name, table) tcase_add_loop_test(tcase, name, 0, (int)LENGTH(table))

int main(void)
{
	TCase *tcase = tcase_create("oxm");
	Suite *suite = suite_create("oxm");
	SRunner *runner;
	int n_failed;

	tcase_set_timeout(tcase, 60);
	LOOP(a_match_is_read_as_its_text_says_and_written_as_it_was_read, goldens);
	LOOP(every_truncation_of_a_match_is_refused, goldens);
	LOOP(a_bad_match_is_refused_by_its_fault, refused);
	tcase_add_test(tcase, a_match_of_another_type_or_of_a_length_below_its_header_is_refused);
	tcase_add_test(tcase, what_stands_behind_a_match_stays_to_be_read);
	tcase_add_test(tcase, random_matches_are_written_as_they_were_read);
	tcase_add_test(tcase, a_match_with_a_changed_byte_is_refused_or_means_what_it_says);
	tcase_add_test(tcase, a_packet_in_has_the_fields_that_the_pipeline_adds);
	tcase_add_test(tcase, ids_are_read_with_and_without_their_length);
	tcase_add_test(tcase, ids_of_no_field_are_refused);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? 1 : 0;
}
