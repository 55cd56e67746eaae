/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sandbox.h - network namespaces for tests on devices of the kernel.
 *
 * Each test is a process of its own (libcheck forks) in a nameless namespace of its own (own_namespace()), which goes
 * with it, however it ends. A second namespace, `named`, stands for a container; the parent makes and removes it around
 * each group of tests. Without the privilege for that a test says skip(): exit code 77, or 1 where REQUIRE_BPF=1
 * forbids skips.
 */
#ifndef TESTS_UNIT_SANDBOX_H
#define TESTS_UNIT_SANDBOX_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char named[64]; /* below /run/netns */

static inline int skip(const char *reason)
{
	const char *require = getenv("REQUIRE_BPF");

	printf("SKIP: %s\n", reason);
	return require && strcmp(require, "1") == 0 ? 1 : 77;
}

/* Asked in a child, so that this process stays where it is. */
static inline bool can_make_namespaces(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(unshare(CLONE_NEWNET) ? 1 : 0);
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static inline void run(const char *format, ...) __attribute__((format(printf, 1, 2)));

static inline void run(const char *format, ...)
{
	char command[400];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	ck_assert_msg(system(command) == 0, "failed: %s", command);
}

static inline void make_named(void)
{
	snprintf(named, sizeof(named), "swtest-%d", (int)getpid());
	run("ip netns add %s", named);
}

/* With the one that a test may have made beside it. */
static inline void remove_named(void)
{
	run("ip netns del %s; ip netns del %s-moved 2>/dev/null; true", named, named);
}

static inline void own_namespace(void)
{
	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
}

static inline uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* As QEMU opens it: -netdev tap,ifname=NAME,script=no,downscript=no[,queues=N]. */
static inline int open_like_qemu(const char *name, bool multi)
{
	struct ifreq ifr = {.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (multi ? IFF_MULTI_QUEUE : 0))};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &ifr)) {
		close(fd);
		return -errno;
	}
	return fd;
}

/* Runs the groups, each test in its sandbox, and gives main() its exit code. */
static inline int run_in_sandbox(const char *name, TCase *const *groups, size_t n)
{
	Suite *s = suite_create(name);
	SRunner *runner = srunner_create(s);
	int failed;

	for (size_t i = 0; i < n; i++) {
		tcase_add_unchecked_fixture(groups[i], make_named, remove_named);
		tcase_add_checked_fixture(groups[i], own_namespace, NULL);
		tcase_set_timeout(groups[i], 60);
		suite_add_tcase(s, groups[i]);
	}
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
