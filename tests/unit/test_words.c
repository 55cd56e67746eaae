/* SPDX-License-Identifier: BSD-2-Clause */
/* words.h: golden splits, refusals with their column, and that quoting reads back. */
#include "ctl/words.h"

#include "dataplane/complaint.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct words words;

static const struct golden {
	const char *line;
	const char *joined; /* the words, each in brackets */
} goldens[] = {
	{"", ""},
	{"   \t ", ""},
	{"# all comment", ""},
	{"bridge add br0", "[bridge][add][br0]"},
	{"\tbridge  add\tbr0  ", "[bridge][add][br0]"},
	{"bridge add br0 # mine", "[bridge][add][br0]"},
	{"a#b c", "[a#b][c]"},
	{"\"#\" x", "[#][x]"},
	{"\"two words\"", "[two words]"},
	{"a\"b c\"d", "[ab cd]"},
	{"'it \"is\"'", "[it \"is\"]"},
	{"\"say \\\"yes\\\" \\\\\"", "[say \"yes\" \\]"},
	{"\"a\\b\"", "[a\\b]"},
	{"''", "[]"},
	{"\"\" \"\"", "[][]"},
	{"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\xa7", "[caf\xc3\xa9][\xe2\x82\xac][\xf0\x9f\x90\xa7]"},
};

static const struct refusal {
	const char *line;
	unsigned column;
	const char *says;
} refusals[] = {
	{"bridge \x1b[2J", 8, "0x1b"},
	{"\x7f", 1, "0x7f"},
	{"a\nb", 2, "0x0a"},
	{"ab \xff", 4, "0xff"},
	{"\xc3", 1, "0xc3"},
	{"\xc0\x80", 1, "0xc0"},         /* overlong NUL */
	{"\xe0\x80\x80", 1, "0xe0"},     /* overlong */
	{"\xed\xa0\x80", 1, "0xed"},     /* surrogate */
	{"\xf4\x90\x80\x80", 1, "0xf4"}, /* beyond Unicode */
	{"\xc2\x9b", 1, "0xc2"},         /* C1: CSI */
	{"x \xe2\x80\xae", 3, "0xe2"},   /* right-to-left override */
	{"a \"b", 3, "quote"},
	{"'", 1, "quote"},
	{"\"a\\\"", 1, "quote"},
};

static void join(char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < words.n; i++)
		used += (size_t)snprintf(text + used, size - used, "[%s]", words.word[i]);
}

START_TEST(a_line_splits_into_its_words)
{
	const struct golden *golden = &goldens[_i];
	struct complaint c;
	unsigned column;
	char text[200];

	ck_assert_int_eq(words_split(golden->line, strlen(golden->line), &words, &column, &c), 0);
	join(text, sizeof(text));
	ck_assert_str_eq(text, golden->joined);
}
END_TEST

START_TEST(a_line_that_is_no_text_is_refused_with_its_column)
{
	const struct refusal *refusal = &refusals[_i];
	struct complaint c;
	unsigned column;

	ck_assert_int_eq(words_split(refusal->line, strlen(refusal->line), &words, &column, &c), -EINVAL);
	ck_assert_uint_eq(column, refusal->column);
	ck_assert_msg(strstr(c.text, refusal->says), "%s", c.text);
}
END_TEST

START_TEST(a_nul_byte_is_refused)
{
	struct complaint c;
	unsigned column;

	ck_assert_int_eq(words_split("ab\0cd", 5, &words, &column, &c), -EINVAL);
	ck_assert_uint_eq(column, 3);
}
END_TEST

START_TEST(a_word_knows_its_column)
{
	struct complaint c;
	unsigned column;

	ck_assert_int_eq(words_split("  port add", 10, &words, &column, &c), 0);
	ck_assert_uint_eq(words.column[0], 3);
	ck_assert_uint_eq(words.column[1], 8);
}
END_TEST

START_TEST(the_longest_line_fits_and_one_byte_more_does_not)
{
	char *line = malloc(WORDS_LINE_SIZE + 1);
	struct complaint c;
	unsigned column;

	memset(line, 'x', WORDS_LINE_SIZE + 1);
	ck_assert_int_eq(words_split(line, WORDS_LINE_SIZE, &words, &column, &c), 0);
	ck_assert_uint_eq(strlen(words.word[0]), WORDS_LINE_SIZE);
	ck_assert_int_eq(words_split(line, WORDS_LINE_SIZE + 1, &words, &column, &c), -EINVAL);
	free(line);
}
END_TEST

START_TEST(one_word_more_than_there_is_room_for_is_refused)
{
	char line[2 * (WORDS_MAX + 1)];
	struct complaint c;
	unsigned column;

	for (size_t i = 0; i < sizeof(line); i++)
		line[i] = i % 2 ? ' ' : 'x';
	ck_assert_int_eq(words_split(line, sizeof(line) - 2, &words, &column, &c), 0);
	ck_assert_uint_eq(words.n, WORDS_MAX);
	ck_assert_int_eq(words_split(line, sizeof(line), &words, &column, &c), -EINVAL);
	ck_assert_uint_eq(column, 2 * WORDS_MAX + 1);
}
END_TEST

/* Whatever a word is, quoted it reads back as itself. */
START_TEST(quoting_reads_back)
{
	static const char alphabet[] = "ab \t\"'\\#/";
	unsigned seed = (unsigned)time(NULL);
	char word[12], quoted[64];
	struct complaint c;
	unsigned column;

	for (int round = 0; round < 20000; round++) {
		size_t n = (size_t)rand_r(&seed) % sizeof(word);

		for (size_t i = 0; i < n; i++)
			word[i] = alphabet[(size_t)rand_r(&seed) % (sizeof(alphabet) - 1)];
		word[n] = '\0';
		ck_assert_uint_lt(words_quote(word, quoted, sizeof(quoted)), sizeof(quoted));
		ck_assert_msg(!words_split(quoted, strlen(quoted), &words, &column, &c), "%s: %s", quoted, c.text);
		ck_assert_msg(words.n == 1 && !strcmp(words.word[0], word), "seed %u: %s", seed, quoted);
	}
}
END_TEST

START_TEST(printable_shows_what_is_no_text_as_hex)
{
	char text[64];

	words_printable("a\x1b[2J\xff\xc3\xa9", 8, text, sizeof(text));
	ck_assert_str_eq(text, "a\\x1b[2J\\xff\xc3\xa9");
	ck_assert_uint_eq(words_printable("abcdef", 6, text, 4), 6);
	ck_assert_str_eq(text, "abc");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("words");
	TCase *tcase = tcase_create("words");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, a_line_splits_into_its_words, 0, sizeof(goldens) / sizeof(goldens[0]));
	tcase_add_loop_test(
		tcase, a_line_that_is_no_text_is_refused_with_its_column, 0, sizeof(refusals) / sizeof(refusals[0]));
	tcase_add_test(tcase, a_nul_byte_is_refused);
	tcase_add_test(tcase, a_word_knows_its_column);
	tcase_add_test(tcase, the_longest_line_fits_and_one_byte_more_does_not);
	tcase_add_test(tcase, one_word_more_than_there_is_room_for_is_refused);
	tcase_add_test(tcase, quoting_reads_back);
	tcase_add_test(tcase, printable_shows_what_is_no_text_as_hex);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
