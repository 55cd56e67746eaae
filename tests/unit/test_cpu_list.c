/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/cpu_list.h"

#include "dataplane/complaint.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *text;
	const char *canonical; /* NULL: refused */
	unsigned n;
	const char *complaint;
} lists[] = {
	{"0", "0", 1, ""},
	{"none", "none", 0, ""},
	{"0,2-3", "0,2-3", 3, ""},
	{"3,2,0", "0,2-3", 3, ""},
	{"0,1", "0-1", 2, ""},
	{"0-7:2", "0,2,4,6", 4, ""},
	{"0-6:3,1", "0-1,3,6", 4, ""},
	{"5-5", "5", 1, ""},
	{"1,1,1-1", "1", 1, ""},
	{"63-64", "63-64", 2, ""},
	{"007", "7", 1, ""},
	{"1023", "1023", 1, ""},
	{"0-7", "0-7", 8, ""},
	{"0-8", NULL, 0, "has 9 CPUs, and at most 8 can be named"},
	{"1024", NULL, 0, "the last CPU that can be named, 1023"},
	{"0-1024", NULL, 0, "the last CPU that can be named, 1023"},
	{"4294967296", NULL, 0, "the last CPU that can be named, 1023"},
	{"18446744073709551617", NULL, 0, "the last CPU that can be named, 1023"},
	{"", NULL, 0, "not a list"},
	{",", NULL, 0, "not a list"},
	{"0,", NULL, 0, "not a list"},
	{",0", NULL, 0, "not a list"},
	{"0,,1", NULL, 0, "not a list"},
	{"-1", NULL, 0, "not a list"},
	{"+1", NULL, 0, "not a list"},
	{" 1", NULL, 0, "not a list"},
	{"1 ", NULL, 0, "not a list"},
	{"0x1", NULL, 0, "not a list"},
	{"all", NULL, 0, "not a list"},
	{"none,1", NULL, 0, "not a list"},
	{"1,none", NULL, 0, "not a list"},
	{"2-", NULL, 0, "does not end with a number"},
	{"2-x", NULL, 0, "does not end with a number"},
	{"3-2", NULL, 0, "has the range 3-2, which ends before it begins"},
	{"0-3:", NULL, 0, "step"},
	{"0-3:0", NULL, 0, "step"},
	{"0:2", NULL, 0, "not a list"},
	{"0-1-2", NULL, 0, "not a list"},
	{"0-3:1:1", NULL, 0, "not a list"},
};

START_TEST(lists_are_read_as_taskset_reads_them)
{
	struct cpu_list list = {{42}}, again;
	char text[CPU_LIST_SIZE];
	struct complaint c = {""};
	int error = cpu_list_parse(lists[_i].text, 8, &list, &c);

	if (!lists[_i].canonical) {
		ck_assert_int_eq(error, -EINVAL);
		ck_assert_msg(strstr(c.text, lists[_i].complaint), "%s: %s", lists[_i].text, c.text);
		ck_assert_uint_eq(list.bits[0], 42); /* as it was */
		return;
	}
	ck_assert_msg(error == 0, "%s: %s", lists[_i].text, c.text);
	ck_assert_uint_eq(cpu_list_format(&list, text, sizeof(text)), strlen(lists[_i].canonical));
	ck_assert_str_eq(text, lists[_i].canonical);
	ck_assert_uint_eq(cpu_list_count(&list), lists[_i].n);
	ck_assert_int_eq(cpu_list_is_empty(&list), lists[_i].n == 0);
	ck_assert_int_eq(cpu_list_parse(text, 8, &again, &c), 0);
	ck_assert(cpu_list_same(&list, &again));
}
END_TEST

/* Against a plain array of flags. */
START_TEST(what_is_written_reads_back)
{
	bool twin[CPU_LIST_MAX] = {false};
	struct cpu_list list = {{0}}, again;
	char text[CPU_LIST_SIZE];
	struct complaint c = {""};
	int cpu = -1;

	srand((unsigned)_i);
	for (int i = 0; i < 64; i++) {
		unsigned one = (unsigned)rand() % (_i % 2 ? CPU_LIST_MAX : 100);

		twin[one] = true;
		cpu_list_add(&list, one);
	}
	ck_assert_uint_lt(cpu_list_format(&list, text, sizeof(text)), sizeof(text));
	ck_assert_msg(cpu_list_parse(text, 64, &again, &c) == 0, "seed %d: %s", _i, c.text);
	ck_assert(cpu_list_same(&list, &again));
	for (int i = 0; i < CPU_LIST_MAX; i++) {
		if (!twin[i])
			continue;
		cpu = cpu_list_next(&again, (unsigned)cpu + 1);
		ck_assert_msg(cpu == i, "seed %d: %d, not %d", _i, cpu, i);
	}
	ck_assert_int_eq(
		cpu_list_next(&again, (unsigned)cpu + 1 < CPU_LIST_MAX ? (unsigned)cpu + 1 : CPU_LIST_MAX), -1);
}
END_TEST

START_TEST(a_text_that_is_too_long_for_its_buffer_is_cut)
{
	struct cpu_list list = {{0x5555}};
	char text[8];

	ck_assert_uint_eq(cpu_list_format(&list, text, sizeof(text)), strlen("0,2,4,6,8,10,12,14"));
	ck_assert_str_eq(text, "0,2,4,6");
}
END_TEST

START_TEST(narrowing_tells_what_it_took)
{
	struct cpu_list list = {{0}}, with = {{0}}, lost;
	char text[CPU_LIST_SIZE];

	cpu_list_parse("0,2,70-72", 8, &list, NULL);
	cpu_list_parse("1-2,71", 8, &with, NULL);
	cpu_list_narrow(&list, &with, &lost);
	cpu_list_format(&list, text, sizeof(text));
	ck_assert_str_eq(text, "2,71");
	cpu_list_format(&lost, text, sizeof(text));
	ck_assert_str_eq(text, "0,70,72");
}
END_TEST

START_TEST(the_machines_cpus_are_known)
{
	struct cpu_list online;

	ck_assert_int_eq(cpu_list_online(&online), 0);
	ck_assert_int_eq(cpu_list_count(&online), sysconf(_SC_NPROCESSORS_ONLN));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cpu_list");
	TCase *tc = tcase_create("cpu_list");
	SRunner *runner;
	int n_failed;

	tcase_add_loop_test(tc, lists_are_read_as_taskset_reads_them, 0, sizeof(lists) / sizeof(lists[0]));
	tcase_add_loop_test(tc, what_is_written_reads_back, 1, 21);
	tcase_add_test(tc, a_text_that_is_too_long_for_its_buffer_is_cut);
	tcase_add_test(tc, narrowing_tells_what_it_took);
	tcase_add_test(tc, the_machines_cpus_are_known);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed != 0;
}
