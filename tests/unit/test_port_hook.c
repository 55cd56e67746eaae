/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/complaint.h"
#include "dataplane/netdev.h"
#include "dataplane/port_hook.h"
#include "dataplane/vswitch.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	enum port_hook_wish wish;
	enum port_mode_wish mode;
	bool has_cpus;
	enum netdev_kind kind;
	bool peer_has_program;
	enum dp_hook hook;
	const char *why; /* a part of it */
} choices[] = {
	{PORT_HOOK_AUTO, PORT_MODE_AUTO, false, NETDEV_VETH, false, DP_HOOK_TC, "veth"},
	{PORT_HOOK_AUTO, PORT_MODE_AUTO, false, NETDEV_TAP, false, DP_HOOK_TC, "tap"},
	{PORT_HOOK_AUTO, PORT_MODE_AUTO, false, NETDEV_OTHER, false, DP_HOOK_XDP, "wire"},
	{PORT_HOOK_AUTO, PORT_MODE_AUTO, false, NETDEV_VETH, true, DP_HOOK_XDP, "peer"},
	{PORT_HOOK_AUTO, PORT_MODE_NATIVE, false, NETDEV_VETH, false, DP_HOOK_XDP, "mode"},
	{PORT_HOOK_AUTO, PORT_MODE_GENERIC, false, NETDEV_TAP, false, DP_HOOK_XDP, "mode"},
	{PORT_HOOK_AUTO, PORT_MODE_AUTO, true, NETDEV_VETH, false, DP_HOOK_XDP, "CPUs"},
	{PORT_HOOK_XDP, PORT_MODE_AUTO, false, NETDEV_VETH, false, DP_HOOK_XDP, "asked for"},
	{PORT_HOOK_TC, PORT_MODE_AUTO, false, NETDEV_OTHER, false, DP_HOOK_TC, "asked for"},
	{PORT_HOOK_TC, PORT_MODE_AUTO, false, NETDEV_VETH, true, DP_HOOK_TC, "asked for"},
};

#define N_CHOICES ((int)(sizeof(choices) / sizeof(choices[0])))

static struct port_config config_of(int i)
{
	struct port_config config;

	port_config_init(&config, "br0", "p1");
	config.hook = choices[i].wish;
	config.mode = choices[i].mode;
	if (choices[i].has_cpus)
		ck_assert_int_eq(cpu_list_parse("0", 1, &config.cpus, NULL), 0);
	return config;
}

START_TEST(what_comes_in_decides_where_nobody_does)
{
	const struct port_config config = config_of(_i);
	const struct netdev_info info = {
		.kind = choices[_i].kind, .peer = {.nsid = 1, .has_program = choices[_i].peer_has_program}};
	struct complaint c = {""};
	char why[160];

	ck_assert_int_eq(port_hook_choose(&config, &info, why, sizeof(why)), choices[_i].hook);
	ck_assert_msg(strstr(why, choices[_i].why) != NULL, "%s", why);
	ck_assert_int_eq(port_hook_check(&config, &c), 0);
}
END_TEST

START_TEST(what_only_xdp_has_is_not_for_tc)
{
	struct complaint c = {""};
	struct port_config config;

	port_config_init(&config, "br0", "p1");
	config.hook = PORT_HOOK_TC;
	config.mode = PORT_MODE_GENERIC;
	ck_assert_int_eq(port_hook_check(&config, &c), -EINVAL);
	ck_assert(strstr(c.text, "p1") && strstr(c.text, "hook xdp"));
	config.mode = PORT_MODE_AUTO;
	ck_assert_int_eq(cpu_list_parse("0", 1, &config.cpus, NULL), 0);
	ck_assert_int_eq(port_hook_check(&config, &c), -EINVAL);
	ck_assert(strstr(c.text, "p1") && strstr(c.text, "cpus none"));
}
END_TEST

START_TEST(frames_are_given_to_far_ends_elsewhere_alone)
{
	struct netdev_info info = {.kind = NETDEV_VETH, .peer = {.nsid = 0}};

	ck_assert(port_hook_passes(&info));
	info.peer.nsid = -1; /* the kernel drops what is redirected to a peer in the same namespace */
	ck_assert(!port_hook_passes(&info));
	info.peer.nsid = 3;
	info.peer.has_program = true; /* which would not see them */
	ck_assert(!port_hook_passes(&info));
	info = (struct netdev_info){.kind = NETDEV_TAP, .peer = {.nsid = 3}};
	ck_assert(!port_hook_passes(&info));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("port_hook");
	TCase *t = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(t, what_comes_in_decides_where_nobody_does, 0, N_CHOICES);
	tcase_add_test(t, what_only_xdp_has_is_not_for_tc);
	tcase_add_test(t, frames_are_given_to_far_ends_elsewhere_alone);
	suite_add_tcase(s, t);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
