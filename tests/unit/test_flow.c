/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/complaint.h"
#include "dataplane/flow.h"

#include "tests/unit/seeded.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define N_ROUND_TRIPS 20000
#define N_HOSTILE     200000

static const char *name_of(const void *ctx, uint32_t number)
{
	return number == 7 ? "p1" : number == 8 ? "9" : NULL;
}

static uint32_t number_of(const void *ctx, const char *name)
{
	return !strcmp(name, "p1") ? 7 : !strcmp(name, "9") ? 8 : 0;
}

static const struct flow_names names = {.name_of = name_of, .number_of = number_of};

/* A row for each field: text of one match that uses it, and its bits, in words of 16 hex digits as they lie in memory.
 */
static const struct {
	enum field_id field;
	const char *text;
	const char *key, *mask; /* hex of the key's bytes from `at` on */
	size_t at;
} golden[] = {
	{FIELD_IN_PORT, "in_port=p1", "07000000", "ffffffff", 0},
	{FIELD_METADATA, "metadata=0x123456789abcdef0", "123456789abcdef0", "ffffffffffffffff", 112},
	{FIELD_TUNNEL_ID, "tunnel_id=0x500/0xffffffffffffff00", "0000000000000500", "ffffffffffffff00", 120},
	{FIELD_VLAN_VID, "vlan_vid=10", "100a", "1fff", 6},
	{FIELD_VLAN_PCP, "vlan_pcp=5", "a000", "e000", 6},
	{FIELD_ETH_SRC, "eth_src=02:00:00:00:00:01", "020000000001", "ffffffffffff", 16},
	{FIELD_ETH_DST, "eth_dst=02:00:00:00:00:02", "020000000002", "ffffffffffff", 8},
	{FIELD_ETH_TYPE, "eth_type=0x88cc", "88cc", "ffff", 4},
	{FIELD_ARP_OP, "eth_type=0x0806,arp_op=258", "0102", "ffff", 28},
	{FIELD_IP_PROTO, "ip_proto=6", "06", "ff", 24},
	{FIELD_IP_DSCP, "ip_dscp=46", "b8", "fc", 25},
	{FIELD_IP_ECN, "ip_ecn=3", "03", "03", 25},
	{FIELD_IP_TTL, "ip_ttl=64", "40", "ff", 26},
	{FIELD_IP_FRAG, "ip_frag=later", "03", "03", 27},
	{FIELD_IPV4_SRC, "eth_type=0x0800,ip_src=10.1.2.3", "0a010203", "ffffffff", 32},
	{FIELD_ARP_SPA, "eth_type=0x0806,arp_spa=10.1.0.0/16", "0a010000", "ffff0000", 32},
	{FIELD_IPV6_SRC, "eth_type=0x86dd,ipv6_src=2001:db8::/32", "20010db8000000000000000000000000",
		"ffffffff000000000000000000000000", 32},
	{FIELD_L3_SRC, "l3_src=::", "00000000000000000000000000000000", "ffffffffffffffffffffffffffffffff", 32},
	{FIELD_IPV4_DST, "eth_type=0x0800,ip_dst=10.0.0.1/255.0.0.255", "0a000001", "ff0000ff", 48},
	{FIELD_ARP_TPA, "eth_type=0x0806,arp_tpa=10.1.2.3", "0a010203", "ffffffff", 48},
	{FIELD_IPV6_DST, "eth_type=0x86dd,ipv6_dst=fe80::1", "fe800000000000000000000000000001",
		"ffffffffffffffffffffffffffffffff", 48},
	{FIELD_L3_DST, "l3_dst=::1/::1", "00000000000000000000000000000001", "00000000000000000000000000000001", 48},
	{FIELD_IPV6_FLABEL, "ipv6_label=0x000abcde", "000abcde", "000fffff", 68},
	{FIELD_IPV6_EXTHDR, "ipv6_exthdr=0x0144", "0144", "01ff", 86},
	{FIELD_TCP_SRC, "eth_type=0x0800,ip_proto=6,tcp_src=443", "01bb", "ffff", 28},
	{FIELD_UDP_SRC, "eth_type=0x86dd,ip_proto=17,udp_src=53", "0035", "ffff", 28},
	{FIELD_SCTP_SRC, "eth_type=0x0800,ip_proto=132,sctp_src=1", "0001", "ffff", 28},
	{FIELD_ICMP_TYPE, "eth_type=0x0800,ip_proto=1,icmp_type=8", "0008", "ffff", 28},
	{FIELD_ICMPV6_TYPE, "eth_type=0x86dd,ip_proto=58,icmpv6_type=135", "0087", "ffff", 28},
	{FIELD_L4_SRC, "l4_src=0", "0000", "ffff", 28},
	{FIELD_TCP_DST, "eth_type=0x0800,ip_proto=6,tcp_dst=0x400/0xfc00", "0400", "fc00", 30},
	{FIELD_UDP_DST, "eth_type=0x0800,ip_proto=17,udp_dst=65535", "ffff", "ffff", 30},
	{FIELD_SCTP_DST, "eth_type=0x86dd,ip_proto=132,sctp_dst=2", "0002", "ffff", 30},
	{FIELD_ICMP_CODE, "eth_type=0x0800,ip_proto=1,icmp_code=255", "00ff", "ffff", 30},
	{FIELD_ICMPV6_CODE, "eth_type=0x86dd,ip_proto=58,icmpv6_code=0", "0000", "ffff", 30},
	{FIELD_L4_DST, "l4_dst=80", "0050", "ffff", 30},
	{FIELD_TCP_FLAGS, "tcp_flags=0x2/0x12", "0002", "0012", 64},
	{FIELD_ARP_SHA, "eth_type=0x0806,arp_sha=02:00:00:00:00:03", "020000000003", "ffffffffffff", 80},
	{FIELD_ND_SLL, "eth_type=0x86dd,ip_proto=58,nd_sll=02:00:00:00:00:03", "020000000003", "ffffffffffff", 80},
	{FIELD_HW_SRC, "hw_src=02:00:00:00:00:03", "020000000003", "ffffffffffff", 80},
	{FIELD_ARP_THA, "eth_type=0x0806,arp_tha=02:00:00:00:00:03/ff:ff:00:00:00:ff", "020000000003", "ffff000000ff",
		88},
	{FIELD_ND_TLL, "eth_type=0x86dd,ip_proto=58,nd_tll=02:00:00:00:00:03", "020000000003", "ffffffffffff", 88},
	{FIELD_HW_DST, "hw_dst=02:00:00:00:00:03", "020000000003", "ffffffffffff", 88},
	{FIELD_ND_TARGET, "nd_target=fe80::1", "fe800000000000000000000000000001", "ffffffffffffffffffffffffffffffff",
		96},
	{FIELD_MPLS_LABEL, "mpls_label=1000", "003e8000", "fffff000", 72},
	{FIELD_MPLS_TC, "mpls_tc=5", "00000a00", "00000e00", 72},
	{FIELD_MPLS_BOS, "mpls_bos=1", "00000100", "00000100", 72},
	{FIELD_PBB_ISID, "pbb_isid=70000", "00011170", "00ffffff", 76},
};

#define N_GOLDEN (int)(sizeof(golden) / sizeof(golden[0]))

static void check_bytes(const char *text, const void *bytes, const char *hex)
{
	char got[64] = "";

	for (size_t i = 0; i < strlen(hex) / 2; i++)
		sprintf(got + 2 * i, "%02x", ((const uint8_t *)bytes)[i]);
	ck_assert_msg(!strcmp(got, hex), "%s: bytes are %s, expected %s", text, got, hex);
}

static struct flow_match parse(const char *text)
{
	struct flow_match match;
	struct complaint complaint = {""};

	ck_assert_msg(!flow_parse(text, &names, &match, &complaint), "%s: %s", text, complaint.text);
	return match;
}

START_TEST(each_field_is_read_into_its_bits_and_printed_again)
{
	struct flow_match match = parse(golden[_i].text);
	char text[512];

	check_bytes(golden[_i].text, (const uint8_t *)&match.key + golden[_i].at, golden[_i].key);
	check_bytes(golden[_i].text, (const uint8_t *)&match.mask + golden[_i].at, golden[_i].mask);
	flow_format(&match.key, &match.mask, &names, text, sizeof(text));
	ck_assert_str_eq(text, golden[_i].text);
}
END_TEST

START_TEST(the_table_above_has_every_field)
{
	bool seen[N_FIELDS] = {false};

	for (int i = 0; i < N_GOLDEN; i++) {
		seen[golden[i].field] = true;
		ck_assert(golden[i].at >= field_row(golden[i].field)->offset);
		ck_assert_msg(strstr(golden[i].text, field_name(golden[i].field)), "%s", golden[i].text);
	}
	seen[FIELD_IN_PHY_PORT] = true; /* the same bits as in_port, printed as that */
	for (int i = 0; i < N_FIELDS; i++)
		ck_assert_msg(seen[i], "field %s has no row", field_name(i));
}
END_TEST

START_TEST(looking_at_all_fields_looks_at_the_whole_flow)
{
	struct flow all = {0}, expected;

	for (int i = 0; i < N_FIELDS; i++)
		flow_look(&all, i);
	memset(&expected, 0xff, sizeof(expected));
	expected.x.f.zero1 = expected.x.f.zero2 = expected.x.f.zero3 = expected.x.zero = 0;
	expected.x.f.ip_frag = SW_FRAG_ANY | SW_FRAG_LATER;
	expected.x.f.tcp_flags_be = htons(0x0fff);
	expected.x.f.ipv6_flabel_be = htonl(0x000fffff);
	expected.x.ipv6_exthdr_be = htons(0x01ff);
	expected.x.mpls_lse_be = htonl(0xffffff00);
	expected.x.pbb_isid_be = htonl(0x00ffffff);
	ck_assert_mem_eq(&all, &expected, sizeof(all));
}
END_TEST

START_TEST(fields_that_have_a_name_in_any_frame_cover_the_flow)
{
	struct flow all = {0}, named = {0};

	for (int i = 0; i < N_FIELDS; i++) {
		flow_look(&all, i);
		if (!field_row(i)->prerequisite)
			flow_look(&named, i);
	}
	ck_assert_mem_eq(&named, &all, sizeof(all));
}
END_TEST

START_TEST(a_look_at_the_programs_key_is_the_look_at_the_flow)
{
	for (int i = 0; i < N_FIELDS; i++) {
		const struct field_row *row = field_row(i);
		struct sw_key key = {0};
		struct flow wide, flow = {0};

		if (row->offset + row->size > (int)sizeof(key))
			continue;
		key_look(&key, i);
		flow_look(&flow, i);
		wide = flow_of_key(&key);
		ck_assert_msg(flow_equal(&wide, &flow), "%s", row->name);
	}
}
END_TEST

START_TEST(a_key_of_the_programs_is_printed_as_the_flow_that_it_is)
{
	struct flow_match match = parse("in_port=p1,eth_type=0x0800,ip_proto=6,tcp_dst=80");
	char text[256];

	ck_assert_uint_eq(key_format(&match.key.fast, &match.mask.fast, &names, text, sizeof(text)), strlen(text));
	ck_assert_str_eq(text, "in_port=p1,eth_type=0x0800,ip_proto=6,tcp_dst=80");
}
END_TEST

START_TEST(looking_at_a_vid_looks_at_its_presence_and_not_at_its_priority)
{
	struct flow mask = {0};

	flow_look(&mask, FIELD_VLAN_VID);
	ck_assert_uint_eq(ntohs(mask.x.f.vlan_tci_be), SW_VLAN_PRESENT | SW_VLAN_VID);
}
END_TEST

/* ---- OXM values ---- */

/* A row for each kind of place: a value as it is in a TLV, and how it is spelt. */
static const struct {
	const char *term, *value; /* hex */
	enum field_id field;
} oxm_golden[] = {
	{"in_port=0x01020304", "01020304", FIELD_IN_PORT},
	{"in_phy_port=0x01020304", "01020304", FIELD_IN_PHY_PORT},
	{"metadata=0x123456789abcdef0", "123456789abcdef0", FIELD_METADATA},
	{"vlan_vid=10", "100a", FIELD_VLAN_VID},
	{"vlan_vid=none", "0000", FIELD_VLAN_VID},
	{"vlan_pcp=5", "05", FIELD_VLAN_PCP},
	{"eth_src=02:00:00:00:00:01", "020000000001", FIELD_ETH_SRC},
	{"eth_type=0x88cc", "88cc", FIELD_ETH_TYPE},
	{"ip_dscp=46", "2e", FIELD_IP_DSCP},
	{"ip_ecn=3", "03", FIELD_IP_ECN},
	{"eth_type=0x0800,ip_src=10.1.2.3", "0a010203", FIELD_IPV4_SRC},
	{"eth_type=0x86dd,ipv6_dst=fe80::1", "fe800000000000000000000000000001", FIELD_IPV6_DST},
	{"ipv6_label=0xabcde", "000abcde", FIELD_IPV6_FLABEL},
	{"eth_type=0x0800,ip_proto=1,icmp_type=8", "08", FIELD_ICMP_TYPE},
	{"eth_type=0x86dd,ip_proto=58,icmpv6_code=255", "ff", FIELD_ICMPV6_CODE},
	{"eth_type=0x0806,arp_op=258", "0102", FIELD_ARP_OP},
	{"ipv6_exthdr=0x144", "0144", FIELD_IPV6_EXTHDR},
	{"mpls_label=1000", "000003e8", FIELD_MPLS_LABEL},
	{"mpls_tc=5", "05", FIELD_MPLS_TC},
	{"mpls_bos=1", "01", FIELD_MPLS_BOS},
	{"pbb_isid=70000", "011170", FIELD_PBB_ISID},
};

#define N_OXM_GOLDEN (int)(sizeof(oxm_golden) / sizeof(oxm_golden[0]))

START_TEST(an_oxm_value_is_read_out_of_the_flow_as_on_the_wire)
{
	enum field_id field = oxm_golden[_i].field;
	struct flow_match match = parse(oxm_golden[_i].term);
	struct flow again = match.key;
	uint8_t value[16], ones[16];

	ck_assert_uint_eq(strlen(oxm_golden[_i].value), 2u * field_row(field)->oxm_size);
	field_read(field, &match.key, value);
	check_bytes(oxm_golden[_i].term, value, oxm_golden[_i].value);
	memset(ones, 0xff, sizeof(ones));
	field_write(field, &again, ones);
	field_write(field, &again, value);
	ck_assert_msg(flow_equal(&again, &match.key), "%s", oxm_golden[_i].term);
}
END_TEST

static void random_flow(struct seeded *random, struct flow *ret)
{
	for (int w = 0; w < FLOW_WORDS; w++)
		ret->w[w] = seeded_next(random);
}

/* A value with nothing set beyond its significant bits. */
static void random_value(struct seeded *random, const struct field_row *row, uint8_t *ret)
{
	for (int i = 0; i < row->oxm_size; i++)
		ret[i] = (uint8_t)seeded_next(random);
	for (int bit = 0; bit < row->oxm_size * 8 - row->oxm_bits; bit++)
		ret[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
}

START_TEST(an_oxm_value_that_is_written_is_read_and_touches_no_other_field)
{
	struct seeded random = seeded_start();
	int n = 0;

	for (int i = 0; i < N_ROUND_TRIPS; i++) {
		enum field_id field = (enum field_id)(i % N_FIELDS);
		const struct field_row *row = field_row(field);
		struct flow flow, before, look = {0};
		uint8_t value[16] = {0}, again[16], dirty[16];
		uint64_t strays = 0;

		if (row->oxm < 0)
			continue;
		n++;
		random_flow(&random, &flow);
		before = flow;
		random_value(&random, row, value);
		memcpy(dirty, value, sizeof(dirty));
		for (int bit = 0; bit < row->oxm_size * 8 - row->oxm_bits; bit++)
			dirty[bit / 8] |= (uint8_t)(seeded_next(&random) & 0x80 >> bit % 8);
		field_write(field, &flow, dirty); /* bits beyond the significant ones are let go */
		field_read(field, &flow, again);
		ck_assert_msg(!memcmp(value, again, row->oxm_size), "seed %#lx: %s", random.seed, row->name);
		flow_look(&look, field);
		for (int w = 0; w < FLOW_WORDS; w++)
			strays |= (flow.w[w] ^ before.w[w]) & ~look.w[w];
		ck_assert_msg(!strays, "seed %#lx: %s touches bits of another field", random.seed, row->name);
	}
	ck_assert_int_gt(n, 0);
}
END_TEST

START_TEST(a_mask_of_all_ones_is_a_look_at_the_field)
{
	uint8_t ones[16], again[16];

	memset(ones, 0xff, sizeof(ones));
	for (int i = 0; i < N_FIELDS; i++) {
		const struct field_row *row = field_row(i);
		/* Their value is a byte in a place of two, and they cannot be masked. */
		bool is_byte = i == FIELD_ICMP_TYPE || i == FIELD_ICMP_CODE || i == FIELD_ICMPV6_TYPE ||
			       i == FIELD_ICMPV6_CODE;
		struct flow look = {0}, written = {0};

		if (row->oxm < 0)
			continue;
		flow_look(&look, i);
		field_write(i, &written, ones);
		if (is_byte)
			ck_assert(!row->maskable);
		else
			ck_assert_msg(flow_equal(&look, &written), "%s", row->name);
		field_read(i, &look, again);
		for (int bit = 0; bit < row->oxm_size * 8; bit++)
			ck_assert_msg(
				!!(again[bit / 8] & 0x80 >> bit % 8) == (bit >= row->oxm_size * 8 - row->oxm_bits),
				"%s: bit %d of the mask", row->name, bit);
	}
}
END_TEST

START_TEST(a_field_is_found_by_its_oxm_number)
{
	static const uint8_t unknown[] = {40, 41, 43, 127};
	int n = 0;

	for (unsigned oxm = 0; oxm < 40; oxm++) {
		enum field_id field = field_of_oxm(oxm);

		ck_assert_msg(field < N_FIELDS, "OXM field %u is missing", oxm);
		ck_assert_int_eq(field_row(field)->oxm, (int)oxm);
		n++;
	}
	ck_assert_int_eq(field_of_oxm(42), FIELD_TCP_FLAGS);
	for (size_t i = 0; i < sizeof(unknown); i++)
		ck_assert_int_eq(field_of_oxm(unknown[i]), N_FIELDS);
	ck_assert_int_eq(field_of_oxm(UINT32_MAX), N_FIELDS); /* not the -1 of who has none */
	ck_assert_int_eq(n, 40);
}
END_TEST

static const struct {
	enum field_id field;
	const char *match;
	bool met;
} needed[] = {
	{FIELD_ETH_TYPE, "any", true},
	{FIELD_IN_PHY_PORT, "any", false},
	{FIELD_IN_PHY_PORT, "in_port=p1", true},
	{FIELD_IN_PHY_PORT, "in_port=0x1/0xff", false},
	{FIELD_VLAN_PCP, "any", false},
	{FIELD_VLAN_PCP, "vlan_vid=none", false},
	{FIELD_VLAN_PCP, "vlan_vid=5", true},
	{FIELD_VLAN_PCP, "vlan_vid=0x1000/0x1000", true},
	{FIELD_VLAN_PCP, "vlan_vid=0x5/0xfff", false},
	{FIELD_IP_DSCP, "any", false},
	{FIELD_IP_DSCP, "eth_type=0x0800", true},
	{FIELD_IP_PROTO, "eth_type=0x86dd", true},
	{FIELD_IP_ECN, "eth_type=0x0806", false},
	{FIELD_IPV4_SRC, "eth_type=0x86dd", false},
	{FIELD_IPV6_FLABEL, "eth_type=0x86dd", true},
	{FIELD_IPV6_EXTHDR, "eth_type=0x0800", false},
	{FIELD_ARP_SHA, "eth_type=0x0806", true},
	{FIELD_TCP_FLAGS, "eth_type=0x86dd,ip_proto=6", true},
	{FIELD_TCP_FLAGS, "eth_type=0x86dd,ip_proto=17", false},
	{FIELD_ICMPV6_TYPE, "eth_type=0x86dd,ip_proto=58", true},
	{FIELD_ND_TARGET, "eth_type=0x86dd,ip_proto=58", false},
	{FIELD_ND_TARGET, "eth_type=0x86dd,ip_proto=58,icmpv6_type=135", true},
	{FIELD_ND_TARGET, "eth_type=0x86dd,ip_proto=58,icmpv6_type=136", true},
	{FIELD_ND_TARGET, "eth_type=0x86dd,ip_proto=58,icmpv6_type=134", false},
	{FIELD_ND_TARGET, "eth_type=0x86dd,ip_proto=58,icmpv6_type=0x87/0xfff0", false},
	{FIELD_ND_TARGET, "eth_type=0x86dd,ip_proto=58,icmpv6_type=0x87/0xff", true},
	{FIELD_ND_TARGET, "eth_type=0x86dd,ip_proto=58,icmpv6_type=0x87/0x8f", false},
	{FIELD_ND_SLL, "eth_type=0x86dd,ip_proto=58,icmpv6_type=135", true},
	{FIELD_ND_SLL, "eth_type=0x86dd,ip_proto=58,icmpv6_type=136", false},
	{FIELD_ND_TLL, "eth_type=0x86dd,ip_proto=58,icmpv6_type=136", true},
	{FIELD_ND_TLL, "eth_type=0x86dd,ip_proto=58,icmpv6_type=135", false},
	{FIELD_MPLS_LABEL, "eth_type=0x8847", true},
	{FIELD_MPLS_BOS, "eth_type=0x8848", true},
	{FIELD_MPLS_TC, "eth_type=0x8849", false},
	{FIELD_PBB_ISID, "eth_type=0x88e7", true},
	{FIELD_PBB_ISID, "eth_type=0/0", false},
};

START_TEST(a_field_needs_its_prerequisite_in_the_match)
{
	struct flow_match match = parse(needed[_i].match);

	ck_assert_msg(field_prerequisite_met(needed[_i].field, &match) == needed[_i].met, "%s beside %s",
		field_name(needed[_i].field), needed[_i].match);
}
END_TEST

/* ---- spellings ---- */

/* Text that prints differently from how it was written. */
static const struct {
	const char *text, *printed;
} spellings[] = {
	{"any", "any"},
	{"vlan_vid=none", "vlan_vid=none"},
	{"vlan_vid=0", "vlan_vid=0"},
	{"vlan_vid=0x00a", "vlan_vid=10"},
	{"vlan_vid=0x1000/0x1000", "vlan_vid=0x1000/0x1000"},
	{"vlan_vid=0xa/0x1fff", "vlan_vid=0xa/0x1fff"}, /* no tag, and yet a VID: no frame is so, but it is a match */
	{"ip_frag=no", "ip_frag=no"},
	{"ip_frag=0x2/0x3", "ip_frag=0x2/0x3"},
	{"ip_frag=not_later", "ip_frag=not_later"},
	{"eth_type=2048,ip_src=10.1.2.3/8", "eth_type=0x0800,ip_src=10.0.0.0/8"},
	{"eth_type=0x0800,ip_src=10.1.2.3/255.255.0.0", "eth_type=0x0800,ip_src=10.1.0.0/16"},
	{"eth_type=0x0800,ip_src=10.1.2.3/0", "eth_type=0x0800"},
	{"eth_dst=03:00:00:00:00:00/01:00:00:00:00:00", "eth_dst=01:00:00:00:00:00/01:00:00:00:00:00"},
	{"tcp_dst=80,ip_proto=6,eth_type=0x0800,in_port=p1",
		"in_port=p1,eth_type=0x0800,ip_proto=6,tcp_dst=80"}, /* any order is good */
	{"in_port=5", "in_port=5"},
	{"dl_type=0x0800,nw_src=10.0.0.1,ipv4_dst=10.0.0.2", "eth_type=0x0800,ip_src=10.0.0.1,ip_dst=10.0.0.2"},
	{"in_port=9", "in_port=9"}, /* the port of that name, number 8 */
	{"in_port=09", "in_port=0x9"},
	{"in_phy_port=p1", "in_port=p1"},
	{"metadata=5/0xffffffffffffffff", "metadata=0x5"},
	{"metadata=0x8000000000000000", "metadata=0x8000000000000000"},
	{"eth_type=0x8847,mpls_label=0x10/0xfffff", "eth_type=0x8847,mpls_label=16"},
	{"eth_type=0x86dd,ip_proto=58,l4_src=135,hw_src=02:00:00:00:00:03",
		"eth_type=0x86dd,ip_proto=58,icmpv6_type=135,nd_sll=02:00:00:00:00:03"},
	{"in_port=0x10/0xf0", "in_port=0x10/0xf0"},
	{"ipv6_src=::ffff:1.2.3.4,eth_type=0x86dd", "eth_type=0x86dd,ipv6_src=::ffff:1.2.3.4"},
	{"eth_type=0x0806,l4_dst=0", "eth_type=0x0806,l4_dst=0"},
	{"eth_type=0x0800/0xff00,ip_proto=6,l4_dst=1", "eth_type=0x800/0xff00,ip_proto=6,l4_dst=1"},
};

START_TEST(a_spelling_is_printed_in_its_plain_form)
{
	struct flow_match match = parse(spellings[_i].text);
	char text[512];

	flow_format(&match.key, &match.mask, &names, text, sizeof(text));
	ck_assert_str_eq(text, spellings[_i].printed);
}
END_TEST

START_TEST(a_port_that_is_named_like_a_number_wins)
{
	ck_assert_uint_eq(parse("in_port=9").key.x.f.in_ifindex, 8);
}
END_TEST

/* Refused text, and a word that the complaint must hold. */
static const struct {
	const char *text, *word;
} refused[] = {
	{"", "''"},
	{",", "''"},
	{"any,", "'any'"},
	{"eth_src", "'eth_src'"},
	{"eth_scr=02:00:00:00:00:01", "'eth_scr'"},
	{"=1", "''"},
	{"eth_src=02:00:00:00:00", "02:00:00:00:00"},
	{"eth_src=02:00:00:00:00:01:02", "02:00:00:00:00:01:02"},
	{"eth_src=2:0:0:0:0:1", "2:0:0:0:0:1"},
	{"eth_src=02-00-00-00-00-01", "02-00-00-00-00-01"},
	{"eth_src=02:00:00:00:00:0g", "02:00:00:00:00:0g"},
	{"eth_src=02:00:00:00:00:01/40", "'40'"},
	{"eth_type=65536", "65535"},
	{"eth_type=", "''"},
	{"eth_type=0x", "'0x'"},
	{"eth_type=-1", "'-1'"},
	{"eth_type=1a", "'1a'"},
	{"eth_type=1 ", "'1 '"},
	{"eth_type=99999999999999999999", "99999999999999999999"},
	{"metadata=0x10000000000000000", "18446744073709551615"},
	{"metadata=18446744073709551616", "18446744073709551615"},
	{"mpls_label=1048576", "1048575"},
	{"pbb_isid=16777216", "16777215"},
	{"arp_sha=02:00:00:00:00:01", "needs eth_type=0x0806"},
	{"in_port=p1,in_phy_port=p1", "already"},
	{"vlan_vid=4096", "4095"},
	{"vlan_vid=nobody", "none"},
	{"vlan_vid=1/0x2000", "0x2000"},
	{"vlan_pcp=8", "7"},
	{"ip_dscp=64", "63"},
	{"ip_frag=maybe", "not_later"},
	{"in_port=p2", "'p2'"},
	{"eth_type=0x0800,ip_src=10.0.0.1/33", "'33'"},
	{"eth_type=0x0800,ip_src=10.0.0", "10.0.0"},
	{"eth_type=0x86dd,ipv6_src=10.0.0.1", "10.0.0.1"},
	{"eth_type=0x86dd,ipv6_src=::/129", "129"},
	{"eth_type=0x0800,ip_src=::1", "::1"},
	{"eth_type=0x0800,ip_src=10.0.0.1//", "'/'"},
	{"ip_src=10.0.0.1", "needs eth_type=0x0800"},
	{"eth_type=0x0806,ip_src=10.0.0.1", "needs eth_type=0x0800"},
	{"eth_type=0x0800/0xff00,ip_src=10.0.0.1", "needs eth_type=0x0800"},
	{"eth_type=0x0800,tcp_dst=80", "ip_proto=6"},
	{"eth_type=0x0800,ip_proto=17,tcp_dst=80", "ip_proto=6"},
	{"eth_type=0x0800,ip_proto=1,icmp_type=256", "255"},
	{"eth_type=1,eth_type=1", "already"},
	{"eth_type=0x0800,ip_src=1.1.1.1,l3_src=::", "already"},
	{"eth_src=02:00:00:00:00:01,,eth_type=1", "''"},
	{"ip_dst="
	 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		"longer"},
};

START_TEST(bad_text_is_refused_with_the_word_at_fault)
{
	struct flow_match match, before;
	struct complaint complaint = {""};

	memset(&match, 0x5a, sizeof(match));
	before = match;
	ck_assert_msg(
		flow_parse(refused[_i].text, &names, &match, &complaint) == -EINVAL, "took '%s'", refused[_i].text);
	ck_assert_msg(strstr(complaint.text, refused[_i].word), "'%s': the complaint '%s' lacks '%s'", refused[_i].text,
		complaint.text, refused[_i].word);
	ck_assert_mem_eq(&match, &before, sizeof(match));
	ck_assert_int_eq(flow_parse(refused[_i].text, NULL, &match, NULL), -EINVAL);
}
END_TEST

static struct flow_match random_match(struct seeded *random)
{
	static const uint16_t eth_types[] = {0x0800, 0x86dd, 0x0806, 0x88cc, 0x8847};
	static const uint8_t ip_protos[] = {1, 6, 17, 58, 132, 200};
	struct flow_match match = {0};

	random_flow(random, &match.key);
	for (int i = 0; i < N_FIELDS; i++) {
		struct flow look = {0};
		uint32_t how = seeded_below(random, 4);

		flow_look(&look, i);
		for (int w = 0; w < FLOW_WORDS; w++)
			match.mask.w[w] |= how == 0 ? look.w[w] : how == 1 ? look.w[w] & seeded_next(random) : 0;
	}
	match.key.x.f.eth_type_be = htons(eth_types[seeded_below(random, 5)]);
	match.key.x.f.ip_proto = ip_protos[seeded_below(random, 6)];
	if (seeded_below(random, 2))
		match.key.x.f.in_ifindex = 7 + seeded_below(random, 2);
	if (seeded_below(random, 2))
		memset(match.mask.x.f.ip_src + 4, 0, 12);
	match.key = flow_masked(&match.key, &match.mask);
	return match;
}

START_TEST(random_matches_survive_being_printed_and_read)
{
	struct seeded random = seeded_start();

	for (int i = 0; i < N_ROUND_TRIPS; i++) {
		struct flow_match match = random_match(&random), again;
		const struct flow_names *use = i % 2 ? &names : NULL;
		struct complaint complaint = {""};
		char text[1024];
		size_t length = flow_format(&match.key, &match.mask, use, text, sizeof(text));

		ck_assert_msg(length < sizeof(text), "seed %#lx: %zu bytes", random.seed, length);
		ck_assert_msg(!flow_parse(text, use, &again, &complaint), "seed %#lx: '%s': %s", random.seed, text,
			complaint.text);
		ck_assert_msg(
			!memcmp(&match, &again, sizeof(match)), "seed %#lx: '%s' reads differently", random.seed, text);
	}
}
END_TEST

START_TEST(text_that_does_not_fit_is_cut_and_its_length_told)
{
	struct flow_match match = parse("in_port=p1,vlan_vid=10,eth_src=02:00:00:00:00:01");
	char whole[256], cut[256];
	size_t length = flow_format(&match.key, &match.mask, &names, whole, sizeof(whole));

	ck_assert_uint_eq(length, strlen(whole));
	for (size_t size = 0; size <= length; size++) {
		memset(cut, 'x', sizeof(cut));
		ck_assert_uint_eq(flow_format(&match.key, &match.mask, &names, cut, size), length);
		ck_assert_int_eq(cut[size], 'x');
		if (size) {
			ck_assert_int_eq(cut[size - 1], '\0');
			ck_assert(!strncmp(cut, whole, size - 1));
		}
	}
}
END_TEST

/* Good text with random bytes written over it, cut off or doubled: nothing crashes, and what is taken reads back. */
START_TEST(hostile_text_is_read_or_refused)
{
	static const char spice[] = ",=/:.-0123456789abcdefxpnone\x01\xff \t%s";
	struct seeded random = seeded_start();
	int n_taken = 0;

	for (int i = 0; i < N_HOSTILE; i++) {
		struct flow_match match, again;
		struct complaint complaint;
		char text[512], printed[1024];
		size_t length = (size_t)snprintf(text, sizeof(text), "%s,%s",
			golden[seeded_below(&random, (uint32_t)N_GOLDEN)].text,
			golden[seeded_below(&random, (uint32_t)N_GOLDEN)].text);

		for (uint32_t n = seeded_below(&random, 4); n; n--)
			text[seeded_below(&random, (uint32_t)length)] = spice[seeded_below(&random, sizeof(spice))];
		if (!seeded_below(&random, 4))
			text[seeded_below(&random, (uint32_t)length)] = '\0';
		if (flow_parse(text, &names, &match, &complaint))
			continue;
		n_taken++;
		flow_format(&match.key, &match.mask, &names, printed, sizeof(printed));
		ck_assert_msg(!flow_parse(printed, &names, &again, &complaint), "seed %#lx: '%s' printed as '%s': %s",
			random.seed, text, printed, complaint.text);
		ck_assert_msg(!memcmp(&match, &again, sizeof(match)), "seed %#lx: '%s' printed as '%s'", random.seed,
			text, printed);
	}
	ck_assert_msg(n_taken > N_HOSTILE / 100, "seed %#lx: only %d texts were good", random.seed, n_taken);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("flow");
	Suite *suite = suite_create("flow");
	SRunner *runner;
	int n_failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, each_field_is_read_into_its_bits_and_printed_again, 0, N_GOLDEN);
	tcase_add_test(tcase, the_table_above_has_every_field);
	tcase_add_test(tcase, looking_at_all_fields_looks_at_the_whole_flow);
	tcase_add_test(tcase, fields_that_have_a_name_in_any_frame_cover_the_flow);
	tcase_add_test(tcase, a_look_at_the_programs_key_is_the_look_at_the_flow);
	tcase_add_test(tcase, a_key_of_the_programs_is_printed_as_the_flow_that_it_is);
	tcase_add_test(tcase, looking_at_a_vid_looks_at_its_presence_and_not_at_its_priority);
	tcase_add_loop_test(tcase, an_oxm_value_is_read_out_of_the_flow_as_on_the_wire, 0, N_OXM_GOLDEN);
	tcase_add_test(tcase, an_oxm_value_that_is_written_is_read_and_touches_no_other_field);
	tcase_add_test(tcase, a_mask_of_all_ones_is_a_look_at_the_field);
	tcase_add_test(tcase, a_field_is_found_by_its_oxm_number);
	tcase_add_loop_test(
		tcase, a_field_needs_its_prerequisite_in_the_match, 0, (int)(sizeof(needed) / sizeof(needed[0])));
	tcase_add_loop_test(
		tcase, a_spelling_is_printed_in_its_plain_form, 0, (int)(sizeof(spellings) / sizeof(spellings[0])));
	tcase_add_test(tcase, a_port_that_is_named_like_a_number_wins);
	tcase_add_loop_test(
		tcase, bad_text_is_refused_with_the_word_at_fault, 0, (int)(sizeof(refused) / sizeof(refused[0])));
	tcase_add_test(tcase, random_matches_survive_being_printed_and_read);
	tcase_add_test(tcase, text_that_does_not_fit_is_cut_and_its_length_told);
	tcase_add_test(tcase, hostile_text_is_read_or_refused);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? 1 : 0;
}
