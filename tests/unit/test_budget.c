/* SPDX-License-Identifier: BSD-2-Clause */
/* What is left of memory, by files of this test's own below a directory that stands for /. */
#include "dataplane/budget.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEGA (UINT64_C(1024) * 1024)

static char root[] = "/tmp/budget.XXXXXX";

static void make_parents(char *path)
{
	for (char *slash = strchr(path + strlen(root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0700);
		*slash = '/';
	}
}

static void put(const char *name, const char *text)
{
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s%s", root, name);
	make_parents(path);
	file = fopen(path, "we");
	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

static void setup(void)
{
	strcpy(root + strlen(root) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
}

static void teardown(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", root);
	ck_assert_int_eq(system(command), 0);
}

static void check_left(uint64_t bytes, const char *by)
{
	struct budget budget;

	budget_read(root, &budget);
	ck_assert_uint_eq(budget.available, bytes);
	ck_assert_str_eq(budget.limited_by, by);
}

START_TEST(what_nothing_is_known_of_sets_no_limit)
{
	check_left(UINT64_MAX, "");
}
END_TEST

START_TEST(the_kernel_says_what_is_available)
{
	put("/proc/meminfo", "MemTotal:  4096 kB\nMemFree: 1 kB\nMemAvailable:    2048 kB\n");
	check_left(2 * MEGA, "MemAvailable");
}
END_TEST

START_TEST(a_cgroup_leaves_its_limit_less_what_it_cannot_give_back)
{
	put("/proc/self/cgroup", "0::/a/b\n");
	put("/sys/fs/cgroup/a/b/memory.max", "10485760\n");
	put("/sys/fs/cgroup/a/b/memory.current", "6291456\n");
	put("/sys/fs/cgroup/a/b/memory.stat", "anon 1\ninactive_file 2097152\nactive_file 7\n");
	check_left(6 * MEGA, "/sys/fs/cgroup/a/b/memory.max");
}
END_TEST

START_TEST(the_narrowest_of_all_counts)
{
	put("/proc/meminfo", "MemAvailable: 8192 kB\n");
	put("/proc/self/cgroup", "0::/a/b\n");
	put("/sys/fs/cgroup/a/b/memory.max", "max\n");
	put("/sys/fs/cgroup/a/memory.max", "3145728\n");
	put("/sys/fs/cgroup/a/memory.current", "1048576\n");
	check_left(2 * MEGA, "/sys/fs/cgroup/a/memory.max");
	put("/proc/meminfo", "MemAvailable: 1024 kB\n");
	check_left(MEGA, "MemAvailable");
}
END_TEST

START_TEST(a_cgroup_of_version_1_is_asked_in_its_words)
{
	put("/proc/self/cgroup", "12:cpu,cpuacct:/x\n4:memory:/a\n1:name=systemd:/y\n");
	put("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "4194304\n");
	put("/sys/fs/cgroup/memory/a/memory.usage_in_bytes", "2097152\n");
	put("/sys/fs/cgroup/memory/a/memory.stat", "inactive_file 5\ntotal_inactive_file 1048576\n");
	check_left(3 * MEGA, "/sys/fs/cgroup/memory/a/memory.limit_in_bytes");
}
END_TEST

START_TEST(a_namespace_of_its_own_shows_the_limit_at_the_root)
{
	put("/proc/self/cgroup", "0::/\n");
	put("/sys/fs/cgroup/memory.max", "2097152\n");
	put("/sys/fs/cgroup/memory.current", "1048576\n");
	check_left(MEGA, "/sys/fs/cgroup/memory.max");
}
END_TEST

START_TEST(a_cgroup_over_its_limit_leaves_nothing)
{
	put("/proc/self/cgroup", "0::/a\n");
	put("/sys/fs/cgroup/a/memory.max", "1048576\n");
	put("/sys/fs/cgroup/a/memory.current", "2097152\n");
	check_left(0, "/sys/fs/cgroup/a/memory.max");
}
END_TEST

START_TEST(lines_that_are_none_are_passed_over)
{
	put("/proc/self/cgroup", "\n::\nx\n0::relative\n0:memory\n:memory:/a\n");
	put("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "1048576\n");
	check_left(MEGA, "/sys/fs/cgroup/memory/a/memory.limit_in_bytes");
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("budget");
	TCase *tcase = tcase_create("budget");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, what_nothing_is_known_of_sets_no_limit);
	tcase_add_test(tcase, the_kernel_says_what_is_available);
	tcase_add_test(tcase, a_cgroup_leaves_its_limit_less_what_it_cannot_give_back);
	tcase_add_test(tcase, the_narrowest_of_all_counts);
	tcase_add_test(tcase, a_cgroup_of_version_1_is_asked_in_its_words);
	tcase_add_test(tcase, a_namespace_of_its_own_shows_the_limit_at_the_root);
	tcase_add_test(tcase, a_cgroup_over_its_limit_leaves_nothing);
	tcase_add_test(tcase, lines_that_are_none_are_passed_over);
	suite_add_tcase(s, tcase);
	return s;
}

int main(void)
{
	return run_suite(suite());
}
