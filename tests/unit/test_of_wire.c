/* SPDX-License-Identifier: BSD-2-Clause */
#include "ofp/arena.h"
#include "ofp/wire.h"

#include "tests/unit/hex.h"
#include "tests/unit/seeded.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_STREAMS 2000
#define N_STEPS   40

START_TEST(numbers_are_read_in_network_order)
{
	size_t size;
	uint8_t *bytes = hex_bytes("01 0203 04050607 08090a0b0c0d0e0f 1011 12", &size);
	struct wire_in in = wire_in(bytes, size);
	uint8_t two[2];

	ck_assert_uint_eq(wire_get_u8(&in), 0x01);
	ck_assert_uint_eq(wire_get_u16(&in), 0x0203);
	ck_assert_uint_eq(wire_get_u32(&in), 0x04050607);
	ck_assert_uint_eq(wire_get_u64(&in), 0x08090a0b0c0d0e0f);
	wire_get_bytes(&in, two, 2);
	ck_assert_mem_eq(two, bytes + 15, 2);
	ck_assert(!wire_in_ended(&in));
	wire_skip(&in, 1);
	ck_assert(wire_in_ended(&in));
	free(bytes);
}
END_TEST

START_TEST(a_reader_that_lacked_a_byte_gives_zeros_from_then_on)
{
	size_t size;
	uint8_t *bytes = hex_bytes("ffffffff", &size), eight[8];
	struct wire_in in = wire_in(bytes, size);

	ck_assert_uint_eq(wire_get_u8(&in), 0xff);
	ck_assert_uint_eq(wire_get_u32(&in), 0);
	ck_assert(in.failed);
	ck_assert_uint_eq(wire_get_u8(&in), 0);
	ck_assert_uint_eq(wire_get_u16(&in), 0);
	ck_assert_uint_eq(wire_peek_u16(&in, 0), 0);
	ck_assert_ptr_null(wire_get_view(&in, 1));
	memset(eight, 0x55, sizeof(eight));
	wire_get_bytes(&in, eight, sizeof(eight));
	for (int i = 0; i < 8; i++)
		ck_assert_uint_eq(eight[i], 0);
	ck_assert(!wire_in_ended(&in));
	free(bytes);
}
END_TEST

START_TEST(a_sub_reader_does_not_leave_its_part)
{
	size_t size;
	uint8_t *bytes = hex_bytes("aabb ccdd eeff", &size);
	struct wire_in in = wire_in(bytes, size), sub = wire_get_sub(&in, 3);

	ck_assert_uint_eq(wire_get_u16(&sub), 0xaabb);
	ck_assert_uint_eq(wire_get_u16(&sub), 0);
	ck_assert(sub.failed);
	ck_assert(!in.failed);
	ck_assert_uint_eq(wire_get_u8(&in), 0xdd);
	sub = wire_get_sub(&in, 3);
	ck_assert(sub.failed && in.failed);
	free(bytes);
}
END_TEST

START_TEST(a_reader_of_nothing_is_at_its_end)
{
	struct wire_in in = wire_in(NULL, 0), sub;

	wire_skip(&in, 0);
	sub = wire_get_sub(&in, 0);
	ck_assert(wire_in_ended(&in));
	ck_assert(wire_in_ended(&sub));
	ck_assert_uint_eq(wire_get_u8(&in), 0);
	ck_assert(in.failed);
}
END_TEST

START_TEST(peeking_takes_nothing_and_fails_nothing)
{
	size_t size;
	uint8_t *bytes = hex_bytes("010203", &size);
	struct wire_in in = wire_in(bytes, size);

	ck_assert_uint_eq(wire_peek_u16(&in, 0), 0x0102);
	ck_assert_uint_eq(wire_peek_u16(&in, 1), 0x0203);
	ck_assert_uint_eq(wire_peek_u16(&in, 2), 0);
	ck_assert_uint_eq(wire_peek_u16(&in, SIZE_MAX), 0);
	ck_assert(!in.failed);
	ck_assert_uint_eq(in.left, 3);
	free(bytes);
}
END_TEST

/* Reads at an index into all bytes, and looks at each index. */
struct twin {
	const uint8_t *bytes;
	size_t at, end;
	bool failed;
};

static uint64_t twin_get(struct twin *twin, size_t size)
{
	uint64_t value = 0;

	if (twin->failed || twin->at + size > twin->end) {
		twin->failed = true;
		return 0;
	}
	while (size--)
		value = value * 256 + twin->bytes[twin->at++];
	return value;
}

START_TEST(readers_read_what_a_stupid_twin_reads)
{
	struct seeded random = seeded_start();

	for (int i = 0; i < N_STREAMS; i++) {
		size_t size = seeded_below(&random, 100);
		uint8_t *bytes = malloc(size);
		struct wire_in in = wire_in(bytes, size);
		struct twin twin = {bytes, 0, size, false};

		for (size_t k = 0; k < size; k++)
			bytes[k] = (uint8_t)seeded_next(&random);
		for (int k = 0; k < N_STEPS; k++) {
			bool is_same;
			size_t part = seeded_below(&random, 12);
			uint64_t mine = 0;

			switch (seeded_below(&random, 6)) {
			case 0:
				mine = wire_get_u8(&in);
				part = 1;
				break;
			case 1:
				mine = wire_get_u16(&in);
				part = 2;
				break;
			case 2:
				mine = wire_get_u32(&in);
				part = 4;
				break;
			case 3:
				mine = wire_get_u64(&in);
				part = 8;
				break;
			case 4: /* goes down into a part, and stays there */
				in = wire_get_sub(&in, part);
				twin.failed = twin.failed || twin.at + part > twin.end;
				twin.end = twin.at + part;
				part = 0;
				break;
			case 5:
				part = part > 8 ? 8 : part;
				for (size_t n = 0; n < part; n++)
					mine = mine << 8 | (n < in.left && part <= in.left ? in.at[n] : 0);
				wire_skip(&in, part);
				break;
			}
			is_same = twin_get(&twin, part) == mine && twin.failed == in.failed;
			if (is_same)
				continue;
			ck_abort_msg("differs at step %d of stream %d (TEST_SEED=%llu)", k, i,
				(unsigned long long)random.seed);
		}
		free(bytes);
	}
}
END_TEST

static void expect(const struct wire_out *out, const char *hex)
{
	char *text = hex_text(out->bytes, out->size);

	ck_assert(!out->failed);
	ck_assert_str_eq(text, hex);
	free(text);
}

START_TEST(numbers_are_written_in_network_order)
{
	struct wire_out out = {0};

	wire_put_u8(&out, 0x01);
	wire_put_u16(&out, 0x0203);
	wire_put_u32(&out, 0x04050607);
	wire_put_u64(&out, 0x08090a0b0c0d0e0f);
	wire_put_bytes(&out, "\x10\x11", 2);
	wire_put_zeros(&out, 1);
	expect(&out, "0102030405060708090a0b0c0d0e0f101100");
	wire_set_u16(&out, 1, 0xaabb);
	expect(&out, "01aabb0405060708090a0b0c0d0e0f101100");
	wire_cut(&out, 3);
	expect(&out, "01aabb");
	wire_cut(&out, 30);
	wire_set_u16(&out, 2, 0xcccc);
	expect(&out, "01aabb");
	wire_out_free(&out);
}
END_TEST

START_TEST(padding_counts_from_where_the_structure_began)
{
	struct wire_out out = {0};
	size_t start;

	wire_put_padding(&out, 0);
	ck_assert_uint_eq(out.size, 0);
	wire_put_u8(&out, 1);
	start = out.size;
	wire_put_u16(&out, 0x0203);
	wire_put_padding(&out, start);
	expect(&out, "010203000000000000");
	wire_put_padding(&out, start);
	ck_assert_uint_eq(out.size, 9);
	wire_out_free(&out);
}
END_TEST

START_TEST(text_is_cut_ended_and_ascii)
{
	struct wire_out out = {0};

	wire_put_text(&out, "p\303\2661\n", 8);
	expect(&out, "703f3f313f000000");
	wire_out_reset(&out);
	wire_put_text(&out, "abcdefgh", 4);
	expect(&out, "61626300");
	wire_out_reset(&out);
	wire_put_text(&out, "a", 0);
	ck_assert_uint_eq(out.size, 0);
	wire_out_free(&out);
}
END_TEST

/* libcheck's asserts are slow: loops over bytes gather, and assert once. */
static bool holds_only(const unsigned char *bytes, size_t size, int value)
{
	while (size && bytes[size - 1] == value)
		size--;
	return !size;
}

START_TEST(a_writer_grows_by_pieces_of_any_size)
{
	struct seeded random = seeded_start();

	for (int i = 0; i < 200; i++) {
		struct wire_out out = {0};
		uint8_t piece[40], all[4096];
		size_t size = 0, n;

		while (size + sizeof(piece) < sizeof(all)) {
			/* by single bytes too, so that every size is met at which it is just full */
			n = i % 2 ? seeded_below(&random, sizeof(piece)) : 1;
			for (size_t k = 0; k < n; k++)
				all[size + k] = piece[k] = (uint8_t)seeded_next(&random);
			wire_put_bytes(&out, piece, n);
			size += n;
			if (out.size > out.capacity)
				break;
		}
		ck_assert_uint_eq(out.size, size);
		ck_assert_uint_le(out.size, out.capacity);
		ck_assert_mem_eq(out.bytes, all, size);
		wire_out_free(&out);
	}
}
END_TEST

START_TEST(a_writer_grows_as_long_as_there_is_memory)
{
	struct wire_out out = {0};
	struct wire_in in;
	uint32_t n_same = 0;

	for (uint32_t i = 0; i < 300000; i++)
		wire_put_u32(&out, i);
	ck_assert(!out.failed);
	ck_assert_uint_eq(out.size, 1200000);
	in = wire_in(out.bytes, out.size);
	while (n_same < 300000 && wire_get_u32(&in) == n_same)
		n_same++;
	ck_assert_uint_eq(n_same, 300000);
	ck_assert(wire_in_ended(&in));
	wire_out_free(&out);
}
END_TEST

START_TEST(a_writer_that_found_no_memory_swallows_the_rest)
{
	struct wire_out out = {0};
	size_t size = 0;

	wire_put_u32(&out, 1);
	wire_put_zeros(&out, SIZE_MAX / 2); /* no machine has that */
	ck_assert(out.failed);
	wire_put_u32(&out, 2);
	wire_put_bytes(&out, "", SIZE_MAX - 2); /* would wrap around */
	wire_set_u16(&out, 0, 5);
	wire_put_padding(&out, 0);
	ck_assert_uint_eq(out.size, 4);
	ck_assert_ptr_null(wire_out_take(&out, &size));
	wire_put_u32(&out, 3);
	expect(&out, "00000003");
	wire_put_bytes(&out, "", SIZE_MAX - 2);
	ck_assert(out.failed);
	wire_out_reset(&out);
	wire_put_u8(&out, 4);
	expect(&out, "04");
	wire_out_free(&out);
}
END_TEST

START_TEST(what_is_taken_is_no_longer_the_writers)
{
	struct wire_out out = {0};
	size_t size = 0;
	uint8_t *bytes;

	ck_assert_ptr_null(wire_out_take(&out, &size));
	wire_put_u16(&out, 0x0102);
	bytes = wire_out_take(&out, &size);
	ck_assert_uint_eq(size, 2);
	ck_assert_ptr_null(out.bytes);
	wire_put_u8(&out, 0xff);
	ck_assert_mem_eq(bytes, "\x01\x02", 2);
	free(bytes);
	wire_out_free(&out);
}
END_TEST

START_TEST(pieces_of_an_arena_are_zero_and_apart)
{
	struct arena arena = {0};
	struct seeded random = seeded_start();
	unsigned char *pieces[200];
	size_t sizes[200];

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 200; i++) {
			sizes[i] = seeded_below(&random, i % 50 ? 400 : 40000);
			pieces[i] = arena_alloc(&arena, sizes[i]);
			ck_assert_ptr_nonnull(pieces[i]);
			ck_assert_uint_eq((uintptr_t)pieces[i] % 16, 0);
			ck_assert(holds_only(pieces[i], sizes[i], 0));
			memset(pieces[i], i + 1, sizes[i]);
		}
		for (int i = 0; i < 200; i++)
			ck_assert(holds_only(pieces[i], sizes[i], i + 1));
		arena_reset(&arena);
		ck_assert_uint_eq(arena.total, 0);
	}
	arena_free(&arena);
}
END_TEST

START_TEST(an_arena_refuses_what_is_beyond_its_limit)
{
	struct arena arena = {0};
	void *first = arena_copy(&arena, "x", 2);

	ck_assert_str_eq(first, "x");
	ck_assert_ptr_null(arena_alloc(&arena, ARENA_LIMIT));
	ck_assert_ptr_null(arena_alloc(&arena, SIZE_MAX));
	for (size_t total = 0; total < 2 * ARENA_LIMIT; total += 1 << 16) {
		if (!arena_alloc(&arena, 1 << 16))
			break;
	}
	ck_assert_uint_le(arena.total, ARENA_LIMIT);
	ck_assert_ptr_null(arena_alloc(&arena, 1 << 16));
	arena_reset(&arena);
	ck_assert_ptr_eq(arena_alloc(&arena, 1), first); /* the first block is kept */
	arena_free(&arena);
	ck_assert_ptr_nonnull(arena_alloc(&arena, 0));
	arena_free(&arena);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("wire");
	Suite *suite = suite_create("wire");
	SRunner *runner;
	int n_failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, numbers_are_read_in_network_order);
	tcase_add_test(tcase, a_reader_that_lacked_a_byte_gives_zeros_from_then_on);
	tcase_add_test(tcase, a_sub_reader_does_not_leave_its_part);
	tcase_add_test(tcase, a_reader_of_nothing_is_at_its_end);
	tcase_add_test(tcase, peeking_takes_nothing_and_fails_nothing);
	tcase_add_test(tcase, readers_read_what_a_stupid_twin_reads);
	tcase_add_test(tcase, numbers_are_written_in_network_order);
	tcase_add_test(tcase, padding_counts_from_where_the_structure_began);
	tcase_add_test(tcase, text_is_cut_ended_and_ascii);
	tcase_add_test(tcase, a_writer_grows_by_pieces_of_any_size);
	tcase_add_test(tcase, a_writer_grows_as_long_as_there_is_memory);
	tcase_add_test(tcase, a_writer_that_found_no_memory_swallows_the_rest);
	tcase_add_test(tcase, what_is_taken_is_no_longer_the_writers);
	tcase_add_test(tcase, pieces_of_an_arena_are_zero_and_apart);
	tcase_add_test(tcase, an_arena_refuses_what_is_beyond_its_limit);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? 1 : 0;
}
