/* SPDX-License-Identifier: BSD-2-Clause */
/* The parser in the daemon's world. tests/bpf/test_program.c runs the same frames through the program (K1). */
#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include "bpf/extract.h"
#include "tests/bpf/packet.h"

#define IFINDEX 7

/* ---- a deliberately stupid twin: one cursor, every rule of extract.h written out ---- */

struct twin {
	const uint8_t *p;
	size_t size, at;
};

static int has(const struct twin *t, size_t offset, size_t n)
{
	return offset + n <= t->size && offset + n <= SW_PARSE_MAX;
}

static unsigned int be16_at(const struct twin *t, size_t offset)
{
	return t->p[offset] << 8 | t->p[offset + 1];
}

static void twin_transport(const struct twin *t, struct sw_key *key, size_t at, size_t end, int proto)
{
	size_t left = end - at;

	if (proto == 1 || proto == 58) {
		if (left < 8 || !has(t, at, 8))
			return;
		key->f.l4_src_be = htons(t->p[at]);
		key->f.l4_dst_be = htons(t->p[at + 1]);
	}
	if ((proto == 6 && left >= 20 && has(t, at, 20)) || (proto == 17 && left >= 8 && has(t, at, 8)) ||
		(proto == 132 && left >= 12 && has(t, at, 12))) {
		key->f.l4_src_be = htons(be16_at(t, at));
		key->f.l4_dst_be = htons(be16_at(t, at + 2));
		if (proto == 6)
			key->f.tcp_flags_be = htons(be16_at(t, at + 12) & 0xfff);
	}
}

static void twin_ipv4(const struct twin *t, struct sw_key *key)
{
	size_t at = t->at, header_size, total;
	unsigned int frag;

	if (!has(t, at, 20) || t->p[at] >> 4 != 4)
		return;
	header_size = (t->p[at] & 15) * 4;
	total = be16_at(t, at + 2);
	if (header_size < 20 || total < header_size || at + total > t->size)
		return;
	frag = be16_at(t, at + 6);
	key->f.ip_tos = t->p[at + 1];
	key->f.ip_ttl = t->p[at + 8];
	key->f.ip_proto = t->p[at + 9];
	memcpy(key->f.ip_src, t->p + at + 12, 4);
	memcpy(key->f.ip_dst, t->p + at + 16, 4);
	if (frag & 0x1fff)
		key->f.ip_frag = 3;
	else if (frag & 0x2000)
		key->f.ip_frag = 1;
	if (key->f.ip_frag != 3)
		twin_transport(t, key, at + header_size, at + total, key->f.ip_proto);
}

static int twin_is_ext(int proto)
{
	return proto == 0 || proto == 43 || proto == 44 || proto == 51 || proto == 60;
}

static void twin_ipv6(const struct twin *t, struct sw_key *key)
{
	size_t at = t->at + 40, end;
	unsigned int frag;
	int proto, n;

	if (!has(t, t->at, 40) || t->p[t->at] >> 4 != 6)
		return;
	end = at + be16_at(t, t->at + 4);
	if (end > t->size)
		return;
	proto = t->p[t->at + 6];
	key->f.ip_tos = (t->p[t->at] & 15) << 4 | t->p[t->at + 1] >> 4;
	key->f.ip_ttl = t->p[t->at + 7];
	key->f.ipv6_flabel_be = htonl((uint32_t)(t->p[t->at + 1] & 15) << 16 | be16_at(t, t->at + 2));
	memcpy(key->f.ip_src, t->p + t->at + 8, 16);
	memcpy(key->f.ip_dst, t->p + t->at + 24, 16);
	for (n = 0; twin_is_ext(proto) && n < 8; n++) {
		key->f.ip_proto = proto;
		if (!has(t, at, 8) || at + 8 > end)
			return;
		frag = proto == 44 ? be16_at(t, at + 2) : 0;
		if (frag >> 3) {
			key->f.ip_frag = 3;
			key->f.ip_proto = t->p[at];
			return;
		}
		if (frag & 1)
			key->f.ip_frag = 1;
		if (proto == 44)
			proto = t->p[at], at += 8;
		else if (proto == 51)
			proto = t->p[at], at += (t->p[at + 1] + 2) * 4;
		else
			proto = t->p[at], at += (t->p[at + 1] + 1) * 8;
	}
	key->f.ip_proto = proto;
	if (!twin_is_ext(proto) && at <= end)
		twin_transport(t, key, at, end, proto);
}

static void twin_extract(const uint8_t *p, size_t size, struct sw_key *key)
{
	struct twin t = {.p = p, .size = size, .at = 14};
	unsigned int type;

	memset(key, 0, sizeof(*key));
	key->f.in_ifindex = IFINDEX;
	if (size < 14)
		return;
	memcpy(key->f.eth_dst, p, 6);
	memcpy(key->f.eth_src, p + 6, 6);
	type = be16_at(&t, 12);
	if (type == 0x8100 && size >= 18) {
		key->f.vlan_tci_be = htons(be16_at(&t, 14) | 0x1000);
		type = be16_at(&t, 16);
		t.at = 18;
	} else if (type == 0x8100) {
		key->f.eth_type_be = htons(type);
		return;
	}
	key->f.eth_type_be = type < 0x600 ? 0 : htons(type);
	if (type == 0x0800)
		twin_ipv4(&t, key);
	if (type == 0x86dd)
		twin_ipv6(&t, key);
	if (type == 0x0806 && has(&t, t.at, 28) && !memcmp(p + t.at, "\0\1\10\0\6\4", 6)) {
		key->f.l4_src_be = htons(be16_at(&t, t.at + 6));
		memcpy(key->f.ip_src, p + t.at + 14, 4);
		memcpy(key->f.ip_dst, p + t.at + 24, 4);
	}
}

/* ---- tests ---- */

static void extract(const struct packet *p, uint32_t depth, struct sw_key *key, struct sw_headers *headers)
{
	sw_extract(p->bytes, p->bytes + p->size, IFINDEX, depth, key, headers);
}

static struct sw_key key_of(const struct packet_spec *spec, struct packet *p)
{
	struct sw_headers headers;
	struct sw_key key;
	uint64_t seed = 1;

	packet_make(p, spec, &seed);
	extract(p, SW_KEY_WORDS, &key, &headers);
	return key;
}

START_TEST(a_tag_is_taken_apart_and_marked_present)
{
	struct packet_spec spec = {.tci = 0x200a, .ip_version = 4, .ip_proto = 17, .size = 64};
	struct packet p;
	struct sw_key key = key_of(&spec, &p);

	ck_assert_uint_eq(ntohs(key.f.vlan_tci_be), 0x300a);
	ck_assert_uint_eq(ntohs(key.f.eth_type_be), 0x0800);
	ck_assert_uint_eq(key.f.in_ifindex, IFINDEX);
	ck_assert_mem_eq(key.f.eth_dst, "\2\0\0\0\0\1", 6);
	ck_assert_mem_eq(key.f.eth_src, "\2\0\0\0\0\2", 6);
	ck_assert_uint_eq(key.f.ip_proto, 17);
	ck_assert_mem_eq(&key.f.l4_src_be, p.bytes + 38, 4);
}
END_TEST

START_TEST(a_service_tag_is_the_ethertype)
{
	struct packet_spec spec = {.tci = 5, .ip_version = 4, .ip_proto = 17, .size = 80, .outer_tpid = 0x88a8};
	struct packet p;
	struct sw_key key = key_of(&spec, &p);

	ck_assert_uint_eq(ntohs(key.f.eth_type_be), 0x88a8);
	ck_assert_uint_eq(key.f.vlan_tci_be, 0);
	ck_assert_uint_eq(key.f.ip_proto, 0);
}
END_TEST

START_TEST(a_length_is_not_an_ethertype)
{
	struct packet_spec spec = {.tci = UNTAGGED, .ip_version = 4, .ip_proto = 17, .size = 64};
	struct sw_headers headers;
	struct packet p;
	struct sw_key key = key_of(&spec, &p);

	p.bytes[12] = 0x05;
	p.bytes[13] = 0xff;
	extract(&p, SW_KEY_WORDS, &key, &headers);
	ck_assert_uint_eq(key.f.eth_type_be, 0);
	ck_assert_uint_eq(headers.l3, 14);
}
END_TEST

START_TEST(a_frame_that_ends_in_its_tag_is_a_runt)
{
	struct packet_spec spec = {.tci = 5, .ip_version = 4, .ip_proto = 17, .size = 64};
	struct sw_headers headers;
	struct packet p;
	struct sw_key key = key_of(&spec, &p);

	for (p.size = 0; p.size < 18; p.size++) {
		extract(&p, SW_KEY_WORDS, &key, &headers);
		ck_assert_uint_eq(headers.l3, 0);
		ck_assert_uint_eq(key.f.vlan_tci_be, 0);
	}
	extract(&p, SW_KEY_WORDS, &key, &headers);
	ck_assert_uint_eq(headers.l3, 18);
}
END_TEST

START_TEST(padding_is_not_taken_for_ports)
{
	struct packet_spec spec = {.tci = UNTAGGED, .ip_version = 4, .ip_proto = 6, .size = 64};
	struct sw_headers headers;
	struct packet p;
	struct sw_key key = key_of(&spec, &p);

	ck_assert_uint_ne(key.f.l4_src_be, 0);
	p.bytes[14 + 3] = 20 + 19;
	extract(&p, SW_KEY_WORDS, &key, &headers);
	ck_assert_uint_eq(key.f.ip_proto, 6);
	ck_assert_uint_eq(key.f.l4_src_be, 0);
	ck_assert_uint_eq(headers.l4_size, 19);
}
END_TEST

START_TEST(depth_three_leaves_the_rest_zero)
{
	struct packet_spec spec = {.tci = 9, .ip_version = 6, .ip_proto = 6, .size = 100};
	struct sw_headers headers;
	struct packet p;
	struct sw_key key = key_of(&spec, &p);
	unsigned int i;

	ck_assert_uint_ne(key.w[4], 0);
	extract(&p, SW_L2_WORDS, &key, &headers);
	for (i = SW_L2_WORDS; i < SW_KEY_WORDS; i++)
		ck_assert_uint_eq(key.w[i], 0);
	ck_assert_uint_ne(key.w[2], 0);
}
END_TEST

START_TEST(eight_extension_headers_are_read_and_nine_are_not)
{
	struct packet_spec spec = {.tci = UNTAGGED, .ip_version = 6, .ip_proto = 17, .size = 300, .exts = 8};
	struct packet p;
	struct sw_key key = key_of(&spec, &p);

	ck_assert_uint_eq(key.f.ip_proto, 17);
	ck_assert_mem_eq(&key.f.l4_src_be, p.bytes + p.l4, 4);
	spec.exts = 9;
	key = key_of(&spec, &p);
	ck_assert_uint_eq(key.f.ip_proto, 60);
	ck_assert_uint_eq(key.f.l4_src_be, 0);
}
END_TEST

/* Every byte string: exactly as many bytes as the frame has are allocated, so that a sanitizer sees a read beyond. */
START_TEST(agrees_with_the_twin_on_every_frame)
{
	uint64_t seed = packet_seed(), first = seed, i;
	struct sw_key key, expected;
	struct sw_headers headers;
	struct packet p;
	uint8_t *exact;

	for (i = 0; i < 300000; i++) {
		packet_scramble(&p, &seed);
		exact = malloc(p.size);
		memcpy(exact, p.bytes, p.size);
		sw_extract(exact, exact + p.size, IFINDEX, SW_KEY_WORDS, &key, &headers);
		twin_extract(exact, p.size, &expected);
		free(exact);
		ck_assert_msg(!memcmp(&key, &expected, sizeof(key)), "TEST_SEED=%llu, frame %llu",
			(unsigned long long)first, (unsigned long long)i);
	}
}
END_TEST

START_TEST(agrees_with_the_twin_at_every_length)
{
	uint64_t seed = packet_seed(), first = seed;
	struct sw_key key, expected;
	struct sw_headers headers;
	struct packet p;
	int round;

	for (round = 0; round < 500; round++) {
		packet_scramble(&p, &seed);
		for (p.size = 0; p.size <= 600; p.size++) {
			extract(&p, SW_KEY_WORDS, &key, &headers);
			twin_extract(p.bytes, p.size, &expected);
			ck_assert_msg(!memcmp(&key, &expected, sizeof(key)), "TEST_SEED=%llu, round %d, size %zu",
				(unsigned long long)first, round, p.size);
		}
	}
}
END_TEST

START_TEST(the_first_bytes_and_the_length_are_enough)
{
	uint64_t seed = packet_seed(), first = seed, i;
	struct sw_key key, partial;
	struct sw_headers headers;
	struct packet p;

	for (i = 0; i < 100000; i++) {
		packet_scramble(&p, &seed);
		extract(&p, SW_KEY_WORDS, &key, &headers);
		sw_extract_part(
			p.bytes, p.bytes + sw_parse_size(p.size), p.size, IFINDEX, SW_KEY_WORDS, &partial, &headers);
		ck_assert_msg(!memcmp(&key, &partial, sizeof(key)), "TEST_SEED=%llu, frame %llu",
			(unsigned long long)first, (unsigned long long)i);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("extract");
	TCase *tcase = tcase_create("extract");
	SRunner *runner;
	int n_failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, a_tag_is_taken_apart_and_marked_present);
	tcase_add_test(tcase, a_service_tag_is_the_ethertype);
	tcase_add_test(tcase, a_length_is_not_an_ethertype);
	tcase_add_test(tcase, a_frame_that_ends_in_its_tag_is_a_runt);
	tcase_add_test(tcase, padding_is_not_taken_for_ports);
	tcase_add_test(tcase, depth_three_leaves_the_rest_zero);
	tcase_add_test(tcase, eight_extension_headers_are_read_and_nine_are_not);
	tcase_add_test(tcase, agrees_with_the_twin_on_every_frame);
	tcase_add_test(tcase, agrees_with_the_twin_at_every_length);
	tcase_add_test(tcase, the_first_bytes_and_the_length_are_enough);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
