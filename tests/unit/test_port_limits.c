/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/port_limits.h"

#include "dataplane/netdev.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define XMIT    (NETDEV_XDP_BASIC | NETDEV_XDP_XMIT)
#define XMIT_SG (XMIT | NETDEV_XDP_XMIT_SG)

/* ---- MTUs ---- */

static const struct {
	enum netdev_kind kind;
	uint32_t mtu, peer_mtu;
	uint32_t max_frame, max_rx_frame;
} sizes[] = {
	{NETDEV_VETH, 1500, 1500, 1518, 1518}, {NETDEV_VETH, 9000, 1500, 1518, 9018}, /* ours was changed first */
	{NETDEV_VETH, 1500, 9000, 1518, 9018},                                        /* the container's was */
	{NETDEV_VETH, 9000, 9000, 9018, 9018}, {NETDEV_VETH, 9000, 0, 9018, 9018}, /* a peer that nobody can look at */
	{NETDEV_TAP, 1500, 0, 1518, 1518}, {NETDEV_OTHER, 9000, 1500, 9018, 9018}, /* no veth has no peer */
};

START_TEST(smaller_mtu_limits_what_is_sent_and_larger_what_comes)
{
	struct netdev_info info = {.kind = sizes[_i].kind, .mtu = sizes[_i].mtu, .peer.mtu = sizes[_i].peer_mtu};
	struct port_limits limits;

	port_limits_of(&info, DP_MODE_NATIVE, &limits);
	ck_assert_uint_eq(limits.max_frame, sizes[_i].max_frame);
	ck_assert_uint_eq(limits.mtu, sizes[_i].max_frame - 18);
	ck_assert_uint_eq(limits.max_rx_frame, sizes[_i].max_rx_frame);
}
END_TEST

/* ---- ways ---- */

static const struct {
	const char *sentence;
	struct netdev_info info;
	enum dp_mode mode;
	bool fast, sg;
	const char *path;
} ways[] = {
	{"a veth with NAPI behind it takes all",
		{.kind = NETDEV_VETH, .mtu = 9000, .takes_redirects = 1, .xdp_features = XMIT_SG}, DP_MODE_NATIVE, true,
		true, "redirect"},
	{"a veth without takes none", {.kind = NETDEV_VETH, .name = "p1", .mtu = 1500}, DP_MODE_NATIVE, false, false,
		"slow path: the peer of p1 has no NAPI (GRO is off there)"},
	{"a tap takes frames in one buffer",
		{.kind = NETDEV_TAP, .mtu = 1500, .takes_redirects = 1, .xdp_features = XMIT}, DP_MODE_NATIVE, true,
		false, "redirect"},
	{"and says so where longer ones may come",
		{.kind = NETDEV_TAP, .mtu = 9000, .takes_redirects = 1, .xdp_features = XMIT}, DP_MODE_NATIVE, true,
		false,
		"redirect; slow path for frames in several buffers (above about 3500 bytes), which its driver does not "
		"take"},
	{"an old kernel does not say, and the table does not know the driver",
		{.kind = NETDEV_OTHER, .mtu = 1500, .takes_redirects = -1}, DP_MODE_NATIVE, true, false, "redirect"},
	{"the table knows that it takes some",
		{.kind = NETDEV_OTHER, .driver = "ice", .mtu = 1500, .takes_redirects = -1}, DP_MODE_NATIVE, true,
		false, "redirect"},
	{"or none", {.kind = NETDEV_OTHER, .name = "e0", .driver = "mlx4_en", .mtu = 1500, .takes_redirects = -1},
		DP_MODE_NATIVE, false, false, "slow path: the driver of e0 takes no redirected frames"},
	{"and the kernel knows better",
		{.kind = NETDEV_OTHER, .driver = "mlx4_en", .mtu = 1500, .takes_redirects = 1, .xdp_features = XMIT},
		DP_MODE_NATIVE, true, false, "redirect"},
	{"a driver that takes none", {.kind = NETDEV_OTHER, .name = "e0", .mtu = 1500}, DP_MODE_NATIVE, false, false,
		"slow path: the driver of e0 takes no redirected frames"},
	{"before 6.3 GRO of the peer says it",
		{.kind = NETDEV_VETH, .mtu = 1500, .takes_redirects = -1, .peer = {.reachable = true, .gro = true}},
		DP_MODE_NATIVE, true, false, "redirect"},
	{"before 6.3 an unreachable peer is taken for one without",
		{.kind = NETDEV_VETH, .name = "p1", .mtu = 1500, .takes_redirects = -1, .peer = {.gro = true}},
		DP_MODE_NATIVE, false, false, "slow path: the peer of p1 has no NAPI (GRO is off there)"},
	{"before 6.3 native mode says it of others", {.kind = NETDEV_TAP, .mtu = 1500, .takes_redirects = -1},
		DP_MODE_NATIVE, true, false, "redirect"},
	{"and generic mode says the contrary", {.kind = NETDEV_OTHER, .name = "e0", .mtu = 1500, .takes_redirects = -1},
		DP_MODE_GENERIC, false, false, "slow path: the driver of e0 takes no redirected frames"},
};

START_TEST(way_out_is_what_the_kernel_tells_of_the_driver)
{
	struct port_limits limits;

	port_limits_of(&ways[_i].info, ways[_i].mode, &limits);
	ck_assert_msg(limits.fast == ways[_i].fast && limits.sg == ways[_i].sg, "%s", ways[_i].sentence);
	ck_assert_msg(strcmp(limits.path, ways[_i].path) == 0, "%s: %s", ways[_i].sentence, limits.path);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("port_limits");
	TCase *t = tcase_create("limits");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(
		t, smaller_mtu_limits_what_is_sent_and_larger_what_comes, 0, sizeof(sizes) / sizeof(*sizes));
	tcase_add_loop_test(t, way_out_is_what_the_kernel_tells_of_the_driver, 0, sizeof(ways) / sizeof(*ways));
	suite_add_tcase(s, t);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
