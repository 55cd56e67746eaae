/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the daemon takes from a frame. The words that the program's key has are checked against the program's parser,
 * which has a twin of its own (test_extract.c); the others against one here.
 */
#include "bpf/extract.h"
#include "dataplane/flow.h"

#include "tests/unit/seeded.h"

#include <arpa/inet.h>
#include <check.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OF_PORT   0xfffffffe
#define FRAME_MAX 800
#define N_RANDOM  100000
#define N_CUT     300

struct sample {
	uint8_t bytes[FRAME_MAX];
	size_t size;
};

static void add(struct sample *s, const void *bytes, size_t n)
{
	if (s->size + n > FRAME_MAX)
		abort(); /* and no ck_assert(), which costs a system call even when it holds */
	memcpy(s->bytes + s->size, bytes, n);
	s->size += n;
}

static void add16(struct sample *s, unsigned value)
{
	add(s, (uint8_t[]){(uint8_t)(value >> 8), (uint8_t)value}, 2);
}

static void add_hex(struct sample *s, const char *hex)
{
	for (; *hex; hex += 2) {
		unsigned byte;

		ck_assert_int_eq(sscanf(hex, "%2x", &byte), 1);
		add(s, &(uint8_t){(uint8_t)byte}, 1);
	}
}

/* The frame lies in a block of exactly its size, so that a sanitizer sees a read beyond. */
static bool extract(const struct sample *s, struct flow *ret)
{
	uint8_t *exact = malloc(s->size);
	bool whole;

	memset(ret, 0x5a, sizeof(*ret));
	memcpy(exact, s->bytes, s->size);
	whole = flow_extract(exact, s->size, OF_PORT, ret);
	free(exact);
	return whole;
}

/* ---- golden frames ---- */

#define TCP_80                                                                                                         \
	"c0000050"                                                                                                     \
	"00000001"                                                                                                     \
	"00000002"                                                                                                     \
	"5010ffff"                                                                                                     \
	"00000000" /* from port 49152 */
#define MACS "020000000002020000000001"
#define IPV4 "4500001c000000004011000a0a0000010a000002" /* 28 bytes of UDP */
#define UDP  "0035004300080000"
#define ND(size, type)                                                                                                 \
	"60000000" size "3aff"                                                                                         \
	"fe800000000000000000000000000001ff020000000000000000000000000001" type "000000000000"                         \
	"fe800000000000000000000000000009"

static const struct {
	const char *name, *hex;
	enum field_id look[5]; /* ends with the first field, IN_PORT */
	const char *text;
} golden[] = {
	{"service tag", MACS "88a8b00a0800" IPV4 UDP,
		{FIELD_VLAN_VID, FIELD_VLAN_PCP, FIELD_ETH_TYPE, FIELD_IPV4_SRC, FIELD_L4_SRC},
		"vlan_vid=10,vlan_pcp=5,eth_type=0x0800,ip_src=10.0.0.1,l4_src=53"},
	{"customer tag", MACS "8100b00a0800" IPV4 UDP,
		{FIELD_VLAN_VID, FIELD_VLAN_PCP, FIELD_ETH_TYPE, FIELD_IPV4_SRC, FIELD_L4_SRC},
		"vlan_vid=10,vlan_pcp=5,eth_type=0x0800,ip_src=10.0.0.1,l4_src=53"},
	{"customer tag behind a service tag", MACS "88a8200a8100300b0800" IPV4 UDP,
		{FIELD_VLAN_VID, FIELD_VLAN_PCP, FIELD_ETH_TYPE, FIELD_L3_SRC},
		"vlan_vid=10,vlan_pcp=1,eth_type=0x8100,l3_src=::"},
	{"service tag behind a customer tag", MACS "8100200a88a8300b0800" IPV4 UDP,
		{FIELD_VLAN_VID, FIELD_VLAN_PCP, FIELD_ETH_TYPE, FIELD_L3_SRC},
		"vlan_vid=10,vlan_pcp=1,eth_type=0x88a8,l3_src=::"},
	{"two service tags", MACS "88a8200a88a8300b0800" IPV4 UDP, {FIELD_VLAN_VID, FIELD_ETH_TYPE},
		"vlan_vid=10,eth_type=0x88a8"},
	{"length behind a service tag", MACS "88a8000a0026aaaa03", {FIELD_VLAN_VID, FIELD_ETH_TYPE},
		"vlan_vid=10,eth_type=0x0000"},
	{"MPLS", MACS "8847003e8b40ffffffff", {FIELD_ETH_TYPE, FIELD_MPLS_LABEL, FIELD_MPLS_TC, FIELD_MPLS_BOS},
		"eth_type=0x8847,mpls_label=1000,mpls_tc=5,mpls_bos=1"},
	{"MPLS multicast behind a tag", MACS "81000005884812345440ffffffff",
		{FIELD_ETH_TYPE, FIELD_MPLS_LABEL, FIELD_MPLS_TC, FIELD_MPLS_BOS},
		"eth_type=0x8848,mpls_label=74565,mpls_tc=2,mpls_bos=0"},
	{"PBB", MACS "88e7ff01117002000000000402000000000308", {FIELD_ETH_TYPE, FIELD_PBB_ISID},
		"eth_type=0x88e7,pbb_isid=70000"},
	{"PBB behind a service tag", MACS "88a8006488e7000111700200000000040200000000030800",
		{FIELD_VLAN_VID, FIELD_ETH_TYPE, FIELD_PBB_ISID}, "vlan_vid=100,eth_type=0x88e7,pbb_isid=70000"},
	{"ARP",
		MACS "0806000108000604010202000000000a0a000001020000000"
		     "00b0a000002",
		{FIELD_ETH_TYPE, FIELD_ARP_OP, FIELD_ARP_SHA, FIELD_ARP_THA, FIELD_ARP_TPA},
		"eth_type=0x0806,arp_tpa=10.0.0.2,arp_op=258,arp_sha=02:00:00:00:00:0a,arp_tha=02:00:00:00:00:0b"},
	{"ARP behind a service tag",
		MACS "88a800050806000108000604000102000000000a0a000001020000000"
		     "00b0a000002",
		{FIELD_ETH_TYPE, FIELD_ARP_OP, FIELD_ARP_SHA, FIELD_ARP_THA, FIELD_ARP_TPA},
		"eth_type=0x0806,arp_tpa=10.0.0.2,arp_op=1,arp_sha=02:00:00:00:00:0a,arp_tha=02:00:00:00:00:0b"},
	{"ARP of another kind of address",
		MACS "0806000608000604000102000000000a0a000001020000000"
		     "00b0a000002",
		{FIELD_ETH_TYPE, FIELD_ARP_OP, FIELD_ARP_SHA}, "eth_type=0x0806,arp_op=0,arp_sha=00:00:00:00:00:00"},
	{"solicitation, its address behind another option",
		MACS "86dd" ND("0028", "8700") "0e01010203040506"
					       "0101020000000003",
		{FIELD_L4_SRC, FIELD_HW_SRC, FIELD_HW_DST, FIELD_ND_TARGET},
		"l4_src=135,hw_src=02:00:00:00:00:03,hw_dst=00:00:00:00:00:00,nd_target=fe80::9"},
	{"advertisement", MACS "86dd" ND("0020", "8800") "0201020000000003",
		{FIELD_L4_SRC, FIELD_HW_SRC, FIELD_HW_DST, FIELD_ND_TARGET},
		"l4_src=136,hw_src=00:00:00:00:00:00,hw_dst=02:00:00:00:00:03,nd_target=fe80::9"},
	{"advertisement with a source's address", MACS "86dd" ND("0020", "8800") "0101020000000003",
		{FIELD_L4_SRC, FIELD_HW_SRC, FIELD_HW_DST, FIELD_ND_TARGET},
		"l4_src=136,hw_src=00:00:00:00:00:00,hw_dst=00:00:00:00:00:00,nd_target=fe80::9"},
	{"solicitation with two addresses, of which the first counts",
		MACS "86dd" ND("0028", "8700") "0101020000000003"
					       "0101020000000004",
		{FIELD_HW_SRC}, "hw_src=02:00:00:00:00:03"},
	{"option of size 0 ends the options",
		MACS "86dd" ND("0028", "8700") "0e00010203040506"
					       "0101020000000003",
		{FIELD_HW_SRC, FIELD_ND_TARGET}, "hw_src=00:00:00:00:00:00,nd_target=fe80::9"},
	{"option of 16 bytes is no Ethernet address",
		MACS "86dd" ND("0030", "8700") "0102020000000003"
					       "0000000000000000"
					       "0101020000000004",
		{FIELD_HW_SRC}, "hw_src=02:00:00:00:00:04"},
	{"option behind the end of the datagram", MACS "86dd" ND("0018", "8700") "0101020000000003",
		{FIELD_HW_SRC, FIELD_ND_TARGET}, "hw_src=00:00:00:00:00:00,nd_target=fe80::9"},
	{"target not whole", MACS "86dd" ND("0017", "8700"), {FIELD_L4_SRC, FIELD_ND_TARGET},
		"l4_src=135,nd_target=::"},
	{"router advertisement", MACS "86dd" ND("0020", "8600") "0101020000000003",
		{FIELD_L4_SRC, FIELD_HW_SRC, FIELD_ND_TARGET}, "l4_src=134,hw_src=00:00:00:00:00:00,nd_target=::"},
};

#define N_GOLDEN (int)(sizeof(golden) / sizeof(golden[0]))

static struct flow golden_mask(int i)
{
	struct flow mask = {0};

	for (int f = 0; f < 5 && golden[i].look[f]; f++)
		flow_look(&mask, golden[i].look[f]);
	return mask;
}

START_TEST(a_frame_has_the_fields_that_it_shows)
{
	struct flow mask = golden_mask(_i), flow;
	struct sample s = {.size = 0};
	char text[512];

	add_hex(&s, golden[_i].hex);
	ck_assert(extract(&s, &flow));
	flow_format(&flow, &mask, NULL, text, sizeof(text));
	ck_assert_msg(
		!strcmp(text, golden[_i].text), "%s: '%s', expected '%s'", golden[_i].name, text, golden[_i].text);
	ck_assert_uint_eq(flow.x.f.in_ifindex, OF_PORT);
	ck_assert_uint_eq(flow.x.metadata_be, 0);
	ck_assert_uint_eq(flow.x.tunnel_id_be, 0);
}
END_TEST

/* MACs and the type are whole in all of these, and what is cut off can only make another field zero. */
START_TEST(a_frame_that_is_cut_has_a_field_whole_or_not_at_all)
{
	struct sample s = {.size = 0};
	struct flow whole, flow;

	add_hex(&s, golden[_i].hex);
	extract(&s, &whole);
	while (s.size-- > 18) {
		ck_assert(extract(&s, &flow));
		ck_assert_mem_eq(&flow, &whole, SW_L2_WORDS * 8);
		for (int f = 0; f < N_FIELDS; f++) {
			static const uint8_t zero[16];
			uint8_t value[16], value_whole[16];
			size_t n = field_row(f)->oxm_size;

			if (!n)
				continue;
			field_read(f, &flow, value);
			field_read(f, &whole, value_whole);
			ck_assert_msg(!memcmp(value, value_whole, n) || !memcmp(value, zero, n), "%s, %zu bytes: %s",
				golden[_i].name, s.size, field_name(f));
		}
	}
}
END_TEST

START_TEST(a_runt_has_nothing_but_its_port)
{
	static const char *const frames[] = {MACS "0800", MACS "8100000a0800", MACS "88a8000a0800"};
	struct flow flow, expected = {.x.f.in_ifindex = OF_PORT};

	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		struct sample s = {.size = 0};

		add_hex(&s, frames[i]);
		ck_assert(extract(&s, &flow));
		for (size_t size = s.size; size--;) {
			s.size = size;
			ck_assert_msg(!extract(&s, &flow), "%s, %zu bytes", frames[i], size);
			ck_assert_mem_eq(&flow, &expected, sizeof(flow));
		}
	}
	ck_assert(!flow_extract(NULL, 0, OF_PORT, &flow));
}
END_TEST

/* ---- BIG TCP ---- */

START_TEST(a_datagram_longer_than_its_header_can_say_is_as_long_as_its_frame)
{
	static const char *const frames[] = {
		MACS "0800"
		     "4500"
		     "0000"
		     "00004000"
		     "4006"
		     "0000"
		     "0a000001"
		     "0a000002" TCP_80,
		MACS "86dd"
		     "60000000"
		     "0000"
		     "0640"
		     "fd000000000000000000000000000001"
		     "fd000000000000000000000000000002" TCP_80,
	};
	static const uint32_t l3_to_l4[] = {20, 40};
	struct sample s = {.size = 0};
	struct sw_headers headers;
	struct sw_key key;

	add_hex(&s, frames[_i]);
	for (uint32_t size = 65600; size < 524288; size += 13107) {
		sw_extract_part(s.bytes, s.bytes + s.size, size, 1, SW_KEY_WORDS, &key, &headers);
		ck_assert_uint_eq(key.f.ip_proto, 6);
		ck_assert_uint_eq(ntohs(key.f.l4_dst_be), 80);
		ck_assert_uint_eq(headers.l4_size, size - 14 - l3_to_l4[_i]);
	}
	sw_extract_part(s.bytes, s.bytes + s.size, 14 + 65535, 1, SW_KEY_WORDS, &key, &headers);
	ck_assert_uint_eq(key.f.l4_dst_be, 0); /* the field could have said that */
}
END_TEST

/* ---- IPv6 extension headers ---- */

/* A letter for each: hop-by-hop, destination, routing, fragment, AH, ESP, none; L: a later fragment. */
static const char letters[] = "HDRFAENL";
static const uint8_t protos[] = {0, 60, 43, 44, 51, 50, 59, 44};

static uint8_t proto_of(char letter, uint8_t last)
{
	return letter ? protos[strchr(letters, letter) - letters] : last;
}

/* A datagram with these headers and a few bytes behind them. */
static void add_chain(struct sample *s, const char *chain, uint8_t last)
{
	size_t ip = s->size, size;

	add_hex(s, "600000000000004020010db800000000000000000000000120010db8000000000000000000000002");
	s->bytes[ip + 6] = proto_of(*chain, last);
	for (; *chain; chain++) {
		static const uint8_t zero[16];

		add(s, &(uint8_t){proto_of(chain[1], last)}, 1);
		add(s, &(uint8_t){*chain == 'A' || *chain == 'D'}, 1); /* AH of 12 bytes, destination of 16 */
		add16(s, *chain == 'L' ? 0x0108 : 0);
		add(s, zero, *chain == 'A' ? 8 : *chain == 'D' ? 12 : 4);
	}
	add_hex(s, "0035004300080000");
	size = s->size - ip - 40;
	s->bytes[ip + 4] = (uint8_t)(size >> 8);
	s->bytes[ip + 5] = (uint8_t)size;
}

/* OF 1.3.5 §7.2.3.8, with the order of RFC 2460 §4.1. */
static const struct {
	const char *chain;
	uint16_t bits;
} chains[] = {
	{"", 0}, {"N", 0x001}, {"E", 0x002}, {"A", 0x004}, {"D", 0x008}, {"F", 0x010}, {"R", 0x020}, {"H", 0x040},
	{"HA", 0x044}, {"HN", 0x041}, {"HDRFAE", 0x07e}, {"HDRFAD", 0x07c},
	{"EN", 0x002},  /* what is behind ESP cannot be read */
	{"ND", 0x001},  /* nothing is behind "no next header" */
	{"DD", 0x008},  /* two of these are usual */
	{"DDD", 0x088}, /* repeated */
	{"HH", 0x0c0},  /* repeated */
	{"RR", 0x0a0},  /* repeated */
	{"ARA", 0x1a4}, /* repeated and out of order */
	{"DH", 0x108},  /* hop-by-hop counts in the first place only */
	{"DHH", 0x188}, /* and yet it is repeated */
	{"AF", 0x114},  /* out of order */
	{"RDF", 0x138}, /* a destination header behind routing is the last */
	{"DRD", 0x028}, {"RD", 0x028}, {"DDR", 0x128},
	{"LE", 0x010},                       /* what a later fragment carries is not its next header */
	{"LN", 0x010}, {"RRRRRRRRE", 0x0a0}, /* the ninth is not looked at */
};

START_TEST(extension_headers_are_told_with_their_order)
{
	struct sample s = {.size = 0};
	struct flow flow;

	add_hex(&s, MACS "86dd");
	add_chain(&s, chains[_i].chain, 17);
	ck_assert(extract(&s, &flow));
	ck_assert_msg(ntohs(flow.x.ipv6_exthdr_be) == chains[_i].bits, "'%s': %#x, expected %#x", chains[_i].chain,
		ntohs(flow.x.ipv6_exthdr_be), chains[_i].bits);
}
END_TEST

START_TEST(an_extension_header_that_is_not_whole_is_none)
{
	struct sample s = {.size = 0};
	struct flow flow;

	add_hex(&s, MACS "86dd");
	add_chain(&s, "HA", 17);
	s.bytes[14 + 40 + 8 + 1] = 3; /* the AH ends with the datagram */
	extract(&s, &flow);
	ck_assert_uint_eq(ntohs(flow.x.ipv6_exthdr_be), 0x44);
	s.bytes[14 + 40 + 8 + 1] = 4;
	extract(&s, &flow);
	ck_assert_uint_eq(ntohs(flow.x.ipv6_exthdr_be), 0x40);
	s.bytes[14 + 5] = 7;
	extract(&s, &flow);
	ck_assert_uint_eq(ntohs(flow.x.ipv6_exthdr_be), 0);
}
END_TEST

/* ---- a deliberately stupid twin ---- */

static unsigned be16_at(const struct sample *s, size_t at)
{
	return (unsigned)(s->bytes[at] << 8 | s->bytes[at + 1]);
}

static regex_t order;
static bool order_is_compiled;

/* Spells the chain in letters, as far as it may be read, and asks a regular expression whether it is in order. */
static uint16_t twin_chain(const struct sample *s, size_t at, size_t end, unsigned proto)
{
	char chain[16] = "", *has;
	uint16_t bits = 0;
	size_t n = 0;

	for (;;) {
		const uint8_t *p = memchr(protos, (int)proto, 6);
		size_t size;

		if (proto == 59)
			chain[n++] = 'N';
		if (!p || n == 8 || at + 8 > end)
			break;
		size = proto == 44 || proto == 50 ? 8
		       : proto == 51              ? 4u * s->bytes[at + 1] + 8
						  : 8u * s->bytes[at + 1] + 8;
		if (at + size > end)
			break;
		chain[n++] = letters[p - protos];
		if (proto == 50 || (proto == 44 && be16_at(s, at + 2) >= 8))
			break;
		proto = s->bytes[at];
		at += size;
	}
	for (int i = 0; i < 7; i++) {
		has = strchr(chain, letters[i]);
		if (has && (letters[i] != 'H' || has == chain))
			bits |= (uint16_t)(1 << (int[]){6, 3, 5, 4, 2, 1, 0}[i]);
		if (has && letters[i] == 'D')
			has = strchr(has + 1, 'D');
		if (has && strchr(has + 1, letters[i]))
			bits |= 0x80;
	}
	if (!order_is_compiled)
		ck_assert(!regcomp(&order, "^H*D?R*F*A*E*D*N?$", REG_EXTENDED | REG_NOSUB));
	order_is_compiled = true;
	if (regexec(&order, chain, 0, NULL, 0))
		bits |= 0x100;
	return bits;
}

static void twin_nd(const struct sample *s, size_t at, size_t end, struct flow *flow)
{
	unsigned type = s->bytes[at], wanted = type == 135 ? 1 : 2;
	size_t option;

	if ((type != 135 && type != 136) || at + 24 > end)
		return;
	memcpy(flow->x.nd_target, s->bytes + at + 8, 16);
	for (option = at + 24; option + 8 <= end && s->bytes[option + 1]; option += 8u * s->bytes[option + 1]) {
		if (s->bytes[option] == wanted && s->bytes[option + 1] == 1) {
			memcpy(type == 135 ? flow->x.hw_src : flow->x.hw_dst, s->bytes + option + 2, 6);
			return;
		}
	}
}

/* An 802.1ad frame is to be read as the 802.1Q frame that it would be. */
static bool twin_extract(const struct sample *original, struct flow *flow)
{
	struct sample s = *original;
	struct sw_headers headers;
	unsigned type;
	size_t l3, end;

	if (s.size >= 14 && be16_at(&s, 12) == 0x88a8)
		memcpy(s.bytes + 12, "\x81\x00", 2);
	memset(flow, 0, sizeof(*flow));
	flow->x.f.in_ifindex = OF_PORT;
	if (s.size < 14 || (be16_at(&s, 12) == 0x8100 && s.size < 18))
		return false;
	sw_extract(s.bytes, s.bytes + s.size, OF_PORT, SW_KEY_WORDS, &flow->fast, &headers);
	l3 = be16_at(&s, 12) == 0x8100 ? 18 : 14;
	type = be16_at(&s, l3 - 2);
	if ((type == 0x8847 || type == 0x8848) && s.size >= l3 + 4)
		memcpy(&flow->x.mpls_lse_be, s.bytes + l3, 3);
	if (type == 0x88e7 && s.size >= l3 + 4)
		flow->x.pbb_isid_be = htonl((unsigned)s.bytes[l3 + 1] << 16 | be16_at(&s, l3 + 2));
	if (type == 0x0806 && s.size >= l3 + 28 && !memcmp(s.bytes + l3, "\0\1\10\0\6\4", 6)) {
		memcpy(flow->x.hw_src, s.bytes + l3 + 8, 6);
		memcpy(flow->x.hw_dst, s.bytes + l3 + 18, 6);
	}
	if (type != 0x86dd || s.size < l3 + 40 || s.bytes[l3] >> 4 != 6)
		return true;
	end = l3 + 40 + be16_at(&s, l3 + 4);
	if (end > s.size)
		return true;
	flow->x.ipv6_exthdr_be = htons(twin_chain(&s, l3 + 40, end, s.bytes[l3 + 6]));
	if (flow->x.f.ip_proto == 58 && flow->x.f.ip_frag != 3 && headers.l4)
		twin_nd(&s, headers.l4, end, flow);
	return true;
}

static void add_random(struct sample *s, struct seeded *random, size_t n)
{
	while (n--)
		add(s, &(uint8_t){(uint8_t)seeded_next(random)}, 1);
}

static void add_nd(struct sample *s, struct seeded *random)
{
	size_t ip = s->size, size;
	char chain[4] = "";

	for (uint32_t i = 0; i < seeded_below(random, 4); i++)
		chain[i] = letters[seeded_below(random, 5)];
	add_chain(s, chain, 58);
	s->size -= 8;
	add(s, &(uint8_t){(uint8_t)(134 + seeded_below(random, 4))}, 1);
	add_random(s, random, 23);
	for (uint32_t n = seeded_below(random, 5); n; n--) {
		uint32_t units = seeded_below(random, 8) ? 1 + seeded_below(random, 2) : 0;

		add(s, &(uint8_t){(uint8_t)seeded_below(random, 3)}, 1);
		add(s, &(uint8_t){(uint8_t)units}, 1);
		add_random(s, random, units ? units * 8 - 2 : 6);
	}
	size = s->size - ip - 40 - (seeded_below(random, 4) ? 0 : seeded_below(random, 20));
	s->bytes[ip + 4] = (uint8_t)(size >> 8);
	s->bytes[ip + 5] = (uint8_t)size;
}

static void add_random_chain(struct sample *s, struct seeded *random)
{
	char chain[12] = "";

	for (uint32_t i = 0, n = seeded_below(random, 11); i < n; i++)
		chain[i] = letters[seeded_below(random, seeded_below(random, 4) ? 5 : 8)];
	add_chain(s, chain, (uint8_t)(seeded_below(random, 2) ? 17 : seeded_below(random, 70)));
}

static void random_sample(struct seeded *random, struct sample *s)
{
	static const uint16_t types[] = {0x0800, 0x0806, 0x86dd, 0x8847, 0x8848, 0x88e7, 0x88a8, 0x8100, 0x05ff};
	uint32_t kind = seeded_below(random, 6);

	s->size = 0;
	add_random(s, random, 12);
	if (seeded_below(random, 2)) {
		add16(s, seeded_below(random, 2) ? 0x8100 : 0x88a8);
		add_random(s, random, 2);
	}
	if (kind == 0) {
		add_hex(s, "08060001080006040001");
		add_random(s, random, 20);
	} else if (kind == 1) {
		add16(s, 0x86dd);
		add_nd(s, random);
	} else if (kind == 2) {
		add16(s, 0x86dd);
		add_random_chain(s, random);
	} else if (kind == 3) {
		add_hex(s, "0800" IPV4 UDP);
	} else {
		add16(s, types[seeded_below(random, sizeof(types) / sizeof(types[0]))]);
		add_random(s, random, 40);
	}
	add_random(s, random, seeded_below(random, 30));
	for (uint32_t n = seeded_below(random, 2) ? seeded_below(random, 4) : 0; n; n--)
		s->bytes[12 + seeded_below(random, (uint32_t)s->size - 12)] = (uint8_t)seeded_next(random);
}

static void check_twin(const struct sample *s, uint64_t seed, int round)
{
	struct flow flow, expected;
	bool whole = extract(s, &flow);

	ck_assert_msg(twin_extract(s, &expected) == whole, "seed %#lx, frame %d, %zu bytes", seed, round, s->size);
	for (int w = 0; w < FLOW_WORDS && !flow_equal(&flow, &expected); w++)
		ck_assert_msg(flow.w[w] == expected.w[w], "seed %#lx, frame %d, %zu bytes: word %d is %#lx, not %#lx",
			seed, round, s->size, w, flow.w[w], expected.w[w]);
}

START_TEST(agrees_with_the_twin_on_random_frames)
{
	struct seeded random = seeded_start();
	struct sample s;
	int n_nd = 0, n_ext = 0;

	for (int i = 0; i < N_RANDOM; i++) {
		static const uint8_t zero[6];
		struct flow flow;

		random_sample(&random, &s);
		if (!seeded_below(&random, 4))
			s.size = seeded_below(&random, (uint32_t)s.size);
		check_twin(&s, random.seed, i);
		flow_extract(s.bytes, s.size, OF_PORT, &flow);
		n_ext += flow.x.ipv6_exthdr_be != 0;
		n_nd += flow.x.f.ip_proto == 58 && (memcmp(flow.x.hw_src, zero, 6) || memcmp(flow.x.hw_dst, zero, 6));
	}
	ck_assert_msg(n_nd > N_RANDOM / 200 && n_ext > N_RANDOM / 20, "seed %#lx: the frames are dull, %d and %d",
		random.seed, n_nd, n_ext);
}
END_TEST

START_TEST(agrees_with_the_twin_at_every_length)
{
	struct seeded random = seeded_start();
	struct sample s;

	for (int i = 0; i < N_CUT; i++) {
		random_sample(&random, &s);
		for (size_t size = s.size; size--;) {
			s.size = size;
			check_twin(&s, random.seed, i);
		}
	}
}
END_TEST

START_TEST(random_bytes_are_read_like_any_frame)
{
	struct seeded random = seeded_start();
	struct sample s;

	for (int i = 0; i < N_RANDOM / 10; i++) {
		s.size = 0;
		add_random(&s, &random, seeded_below(&random, 200));
		check_twin(&s, random.seed, i);
	}
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("flow_extract");
	Suite *suite = suite_create("flow_extract");
	SRunner *runner;
	int n_failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, a_frame_has_the_fields_that_it_shows, 0, N_GOLDEN);
	tcase_add_loop_test(tcase, a_frame_that_is_cut_has_a_field_whole_or_not_at_all, 0, N_GOLDEN);
	tcase_add_test(tcase, a_runt_has_nothing_but_its_port);
	tcase_add_loop_test(tcase, a_datagram_longer_than_its_header_can_say_is_as_long_as_its_frame, 0, 2);
	tcase_add_loop_test(
		tcase, extension_headers_are_told_with_their_order, 0, (int)(sizeof(chains) / sizeof(chains[0])));
	tcase_add_test(tcase, an_extension_header_that_is_not_whole_is_none);
	tcase_add_test(tcase, agrees_with_the_twin_on_random_frames);
	tcase_add_test(tcase, agrees_with_the_twin_at_every_length);
	tcase_add_test(tcase, random_bytes_are_read_like_any_frame);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? 1 : 0;
}
