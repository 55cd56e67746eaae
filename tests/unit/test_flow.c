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

static const char *name_of(const void *ctx, uint32_t ifindex)
{
	return ifindex == 7 ? "p1" : ifindex == 8 ? "9" : NULL;
}

static uint32_t ifindex_of(const void *ctx, const char *name)
{
	return !strcmp(name, "p1") ? 7 : !strcmp(name, "9") ? 8 : 0;
}

static const struct flow_names names = {.name_of = name_of, .ifindex_of = ifindex_of};

/* A row for each field: text of one match that uses it, and its bits, in words of 16 hex digits as they lie in memory.
 */
static const struct {
	enum field_id field;
	const char *text;
	const char *key, *mask; /* hex of the key's bytes from `at` on */
	size_t at;
} golden[] = {
	{FIELD_IN_PORT, "in_port=p1", "07000000", "ffffffff", 0},
	{FIELD_VLAN_VID, "vlan_vid=10", "100a", "1fff", 6},
	{FIELD_VLAN_PCP, "vlan_pcp=5", "a000", "e000", 6},
	{FIELD_ETH_SRC, "eth_src=02:00:00:00:00:01", "020000000001", "ffffffffffff", 16},
	{FIELD_ETH_DST, "eth_dst=02:00:00:00:00:02", "020000000002", "ffffffffffff", 8},
	{FIELD_ETH_TYPE, "eth_type=0x88cc", "88cc", "ffff", 4},
	{FIELD_ARP_OP, "eth_type=0x0806,arp_op=2", "02", "ff", 24},
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
		ck_assert_msg(strstr(golden[i].text, field_name(golden[i].field)), "%s", golden[i].text);
	}
	for (int i = 0; i < N_FIELDS; i++)
		ck_assert_msg(seen[i], "field %s has no row", field_name(i));
}
END_TEST

START_TEST(looking_at_all_fields_looks_at_the_whole_key)
{
	struct sw_key all = {0}, expected;

	for (int i = 0; i < N_FIELDS; i++)
		flow_look(&all, i);
	memset(&expected, 0xff, sizeof(expected));
	expected.f.zero1 = expected.f.zero2 = expected.f.zero3 = 0;
	expected.f.ip_frag = SW_FRAG_ANY | SW_FRAG_LATER;
	expected.f.tcp_flags_be = htons(0x0fff);
	expected.f.ipv6_flabel_be = htonl(0x000fffff);
	ck_assert_mem_eq(&all, &expected, sizeof(all));
}
END_TEST

START_TEST(looking_at_a_vid_looks_at_its_presence_and_not_at_its_priority)
{
	struct sw_key mask = {0};

	flow_look(&mask, FIELD_VLAN_VID);
	ck_assert_uint_eq(ntohs(mask.f.vlan_tci_be), SW_VLAN_PRESENT | SW_VLAN_VID);
}
END_TEST

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
	{"in_port=9", "in_port=9"}, /* the port of that name, ifindex 8 */
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
	ck_assert_uint_eq(parse("in_port=9").key.f.in_ifindex, 8);
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
	static const uint16_t eth_types[] = {0x0800, 0x86dd, 0x0806, 0x88cc};
	static const uint8_t ip_protos[] = {1, 6, 17, 58, 132, 200};
	struct flow_match match = {0};

	for (int w = 0; w < SW_KEY_WORDS; w++)
		match.key.w[w] = seeded_next(random);
	for (int i = 0; i < N_FIELDS; i++) {
		struct sw_key look = {0};
		uint32_t how = seeded_below(random, 4);

		flow_look(&look, i);
		for (int w = 0; w < SW_KEY_WORDS; w++)
			match.mask.w[w] |= how == 0 ? look.w[w] : how == 1 ? look.w[w] & seeded_next(random) : 0;
	}
	match.key.f.eth_type_be = htons(eth_types[seeded_below(random, 4)]);
	match.key.f.ip_proto = ip_protos[seeded_below(random, 6)];
	if (seeded_below(random, 2))
		match.key.f.in_ifindex = 7 + seeded_below(random, 2);
	if (seeded_below(random, 2))
		memset(match.mask.f.ip_src + 4, 0, 12);
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
	tcase_add_test(tcase, looking_at_all_fields_looks_at_the_whole_key);
	tcase_add_test(tcase, looking_at_a_vid_looks_at_its_presence_and_not_at_its_priority);
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
