/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/preflight.h"

#include "dataplane/complaint.h"
#include "tests/unit/sandbox.h"

#define VETH_FEATURES (NETDEV_XDP_BASIC | NETDEV_XDP_REDIRECT | NETDEV_XDP_RX_SG)

/* ---- the table, on made-up devices ---- */

static void good_veth(struct netdev_info *info)
{
	static const struct netdev_info good = {
		.ifindex = 7,
		.name = "p1",
		.kind = NETDEV_VETH,
		.kind_name = "veth",
		.ethernet = true,
		.mtu = 1500,
		.rx_queues = 1,
		.tx_queues = 1,
		.xdp_features_known = true,
		.xdp_features = VETH_FEATURES,
		.peer = {.ifindex = 2, .nsid = 0, .name = "eth0", .reachable = true, .mtu = 1500, .tx_queues = 1},
	};

	*info = good;
}

static void good_nic(struct netdev_info *info)
{
	good_veth(info);
	info->kind = NETDEV_OTHER;
	info->kind_name[0] = '\0';
	memset(&info->peer, 0, sizeof(info->peer));
	info->peer.nsid = -1;
}

static void loopback(struct netdev_info *i)
{
	i->kind = NETDEV_LOOPBACK;
	i->ethernet = false;
}

static void tun(struct netdev_info *i)
{
	i->kind = NETDEV_TUN;
	i->ethernet = false;
}

static void infiniband(struct netdev_info *i)
{
	i->ethernet = false;
	strcpy(i->kind_name, "ipoib");
}

static void vlan(struct netdev_info *i)
{
	i->kind = NETDEV_VLAN;
	strcpy(i->lower, "eth7");
}

static void vlan_of_a_parent_elsewhere(struct netdev_info *i)
{
	i->kind = NETDEV_VLAN;
}

static void bridge(struct netdev_info *i)
{
	i->kind = NETDEV_BRIDGE;
}

static void member(struct netdev_info *i)
{
	strcpy(i->master, "docker0");
}

static void uplink(struct netdev_info *i)
{
	i->default_route = true;
}

static void owned(struct netdev_info *i)
{
	i->xdp_prog_id = 4711;
}

static void own_mtu_too_big(struct netdev_info *i)
{
	i->mtu = 2000000;
}

static void peer_mtu_too_big(struct netdev_info *i)
{
	i->peer.mtu = 2000000;
}

static void peer_mtu_too_big_but_unnamed(struct netdev_info *i)
{
	i->peer.mtu = 2000000;
	i->peer.name[0] = '\0';
}

static void jumbo_veth(struct netdev_info *i)
{
	i->mtu = i->peer.mtu = 65535;
}

static void jumbo_nic(struct netdev_info *i)
{
	good_nic(i);
	i->mtu = 9000;
}

static void jumbo_nic_without_frags(struct netdev_info *i)
{
	jumbo_nic(i);
	i->mtu = 65000; /* beyond one page of any size that Linux has but the greatest */
	i->xdp_features &= ~(uint64_t)NETDEV_XDP_RX_SG;
}

static void jumbo_nic_without_native(struct netdev_info *i)
{
	jumbo_nic_without_frags(i);
	i->xdp_features = 0;
}

static void jumbo_nic_of_an_old_kernel(struct netdev_info *i)
{
	jumbo_nic_without_frags(i);
	i->xdp_features_known = false;
	i->xdp_features = 0;
}

static void jumbo_tap(struct netdev_info *i)
{
	good_nic(i);
	i->kind = NETDEV_TAP;
	i->mtu = 65000;
	i->xdp_features = NETDEV_XDP_BASIC | NETDEV_XDP_REDIRECT | NETDEV_XDP_XMIT;
}

static void too_few_queues(struct netdev_info *i)
{
	i->rx_queues = 2;
	i->peer.tx_queues = 4;
}

static void too_few_queues_of_a_stranger(struct netdev_info *i)
{
	too_few_queues(i);
	i->peer.reachable = false;
}

static void no_native(struct netdev_info *i)
{
	i->xdp_features = 0;
}

static void hardware(struct netdev_info *i)
{
	i->xdp_features |= NETDEV_XDP_OFFLOAD;
}

static void hidden_tags(struct netdev_info *i)
{
	good_nic(i);
	i->rx_vlan_offload = true;
}

static void hidden_tags_for_ever(struct netdev_info *i)
{
	hidden_tags(i);
	i->rx_vlan_fixed = true;
}

/* A NIC whose kernel, before 6.3, does not say what it can do. */
static void old_nic(struct netdev_info *i, const char *driver)
{
	good_nic(i);
	i->xdp_features_known = false;
	i->xdp_features = 0;
	strcpy(i->driver, driver);
}

static void jumbo_of_the_table(struct netdev_info *i)
{
	old_nic(i, "ice");
	i->mtu = 3047;
}

static void nearly_jumbo_of_the_table(struct netdev_info *i)
{
	old_nic(i, "ice");
	i->mtu = 3046;
}

static void jumbo_of_a_driver_without_a_limit(struct netdev_info *i)
{
	old_nic(i, "qede");
	i->mtu = 9000;
}

static void jumbo_of_the_table_but_the_kernel_knows(struct netdev_info *i)
{
	good_nic(i);
	strcpy(i->driver, "ice");
	i->mtu = 9000;
}

/* The kernel says that it takes one buffer, the table how long that is. */
static void short_buffers(struct netdev_info *i)
{
	jumbo_of_the_table_but_the_kernel_knows(i);
	i->xdp_features &= ~(uint64_t)NETDEV_XDP_RX_SG;
	strcpy(i->driver, "igc");
	i->mtu = 1501;
}

static void no_native_of_the_table(struct netdev_info *i)
{
	old_nic(i, "r8169");
}

static void no_redirects(struct netdev_info *i)
{
	good_nic(i);
	i->xdp_features = NETDEV_XDP_BASIC;
	strcpy(i->driver, "ixgbevf");
}

static void no_redirects_of_the_table(struct netdev_info *i)
{
	old_nic(i, "ixgbevf");
}

static void too_many_of_ena(struct netdev_info *i)
{
	good_nic(i);
	strcpy(i->driver, "ena");
	i->queues = (struct ethtool_queues){.combined = 5, .max_combined = 8};
}

static void half_of_ena(struct netdev_info *i)
{
	too_many_of_ena(i);
	i->queues.combined = 4;
}

static void uneven_of_gve(struct netdev_info *i)
{
	good_nic(i);
	strcpy(i->driver, "gve");
	i->queues = (struct ethtool_queues){.rx = 3, .tx = 2, .max_rx = 16, .max_tx = 16};
}

static void too_many_of_gve(struct netdev_info *i)
{
	uneven_of_gve(i);
	i->queues.rx = i->queues.tx = 16;
}

static void parted_of_bnxt(struct netdev_info *i)
{
	good_nic(i);
	strcpy(i->driver, "bnxt_en");
	i->queues = (struct ethtool_queues){.rx = 6, .tx = 4, .max_combined = 8};
}

static void combined_of_bnxt(struct netdev_info *i)
{
	parted_of_bnxt(i);
	i->queues = (struct ethtool_queues){.combined = 6, .max_combined = 8};
}

static void ixgbe(struct netdev_info *i)
{
	good_nic(i);
	strcpy(i->driver, "ixgbe");
}

#define FORCE true

static const struct {
	const char *name;
	void (*spoil)(struct netdev_info *info); /* of a good veth; NULL: nothing */
	struct preflight_wish wish;
	int error;
	const char *said[3]; /* the thing at fault, and what to do */
} cases[] = {
	{"good veth", NULL, {.mode = PORT_MODE_AUTO}, 0, {NULL}},
	{"good nic", good_nic, {.mode = PORT_MODE_NATIVE}, 0, {NULL}},
	{"loopback", loopback, {.mode = PORT_MODE_AUTO}, -EINVAL, {"p1", "type internal"}},
	{"loopback, forced", loopback, {.force = FORCE, .mode = PORT_MODE_GENERIC}, -EINVAL, {"loopback"}},
	{"tun", tun, {.mode = PORT_MODE_AUTO}, -EINVAL, {"p1", "mode tap"}},
	{"not Ethernet", infiniband, {.mode = PORT_MODE_AUTO}, -EINVAL, {"p1", "ipoib"}},
	{"VLAN sub-interface", vlan, {.mode = PORT_MODE_AUTO}, -EINVAL, {"p1", "add eth7 instead", "vlan"}},
	{"VLAN of a parent elsewhere", vlan_of_a_parent_elsewhere, {.mode = PORT_MODE_AUTO}, -EINVAL, {"its parent"}},
	{"bridge", bridge, {.mode = PORT_MODE_AUTO}, -EINVAL, {"p1", "nomaster"}},
	{"bridge member", member, {.mode = PORT_MODE_AUTO}, -EBUSY, {"docker0", "ip link set p1 nomaster"}},
	{"bridge member, forced", member, {.force = FORCE, .mode = PORT_MODE_GENERIC}, -EBUSY, {"docker0"}},
	{"default route", uplink, {.mode = PORT_MODE_AUTO}, -EBUSY, {"p1", "force", "internal port"}},
	{"default route, forced", uplink, {.force = FORCE, .mode = PORT_MODE_AUTO}, 0, {NULL}},
	{"another program", owned, {.mode = PORT_MODE_AUTO}, -EBUSY, {"4711", "ip link set dev p1 xdp off"}},
	{"another program, forced", owned, {.force = FORCE, .mode = PORT_MODE_AUTO}, -EBUSY, {"4711"}},
	{"own MTU", own_mtu_too_big, {.mode = PORT_MODE_AUTO}, -ERANGE, {"p1", "2000000", "ip link set p1 mtu"}},
	{"peer's MTU", peer_mtu_too_big, {.mode = PORT_MODE_NATIVE}, -ERANGE, {"eth0", "p1", "ip link set eth0 mtu"}},
	{"peer's MTU, no name", peer_mtu_too_big_but_unnamed, {.mode = PORT_MODE_AUTO}, -ERANGE, {"set PEER mtu"}},
	{"peer's MTU, generic", peer_mtu_too_big, {.mode = PORT_MODE_GENERIC}, 0, {NULL}},
	{"jumbo veth", jumbo_veth, {.mode = PORT_MODE_NATIVE}, 0, {NULL}},
	{"jumbo nic", jumbo_nic, {.mode = PORT_MODE_NATIVE}, 0, {NULL}},
	{"jumbo nic, one buffer", jumbo_nic_without_frags, {.mode = PORT_MODE_AUTO}, -ERANGE, {"p1", "mtu", "generic"}},
	{"jumbo nic, generic", jumbo_nic_without_frags, {.mode = PORT_MODE_GENERIC}, 0, {NULL}},
	{"jumbo nic, no native", jumbo_nic_without_native, {.mode = PORT_MODE_AUTO}, 0, {NULL}},
	{"jumbo nic, not known", jumbo_nic_of_an_old_kernel, {.mode = PORT_MODE_AUTO}, 0, {NULL}},
	{"jumbo tap", jumbo_tap, {.mode = PORT_MODE_NATIVE}, 0, {NULL}},
	{"queues", too_few_queues, {.mode = PORT_MODE_AUTO}, -ENOSPC, {"ethtool -L p1 rx 4", "ethtool -L eth0 tx 2"}},
	{"queues, generic", too_few_queues, {.mode = PORT_MODE_GENERIC}, 0, {NULL}},
	{"queues, not known", too_few_queues_of_a_stranger, {.mode = PORT_MODE_AUTO}, 0, {NULL}},
	{"no native", no_native, {.mode = PORT_MODE_NATIVE}, -EOPNOTSUPP, {"p1", "generic"}},
	{"no native, auto", no_native, {.mode = PORT_MODE_AUTO}, 0, {NULL}},
	{"no offload", NULL, {.mode = PORT_MODE_OFFLOAD}, -EOPNOTSUPP, {"p1", "hardware", "native"}},
	{"offload", hardware, {.mode = PORT_MODE_OFFLOAD}, 0, {NULL}},
	{"table: MTU", jumbo_of_the_table, {.mode = PORT_MODE_AUTO}, -ERANGE, {"p1", "ice", "ip link set p1 mtu 3046"}},
	{"table: MTU that fits", nearly_jumbo_of_the_table, {.mode = PORT_MODE_NATIVE}, 0, {NULL}},
	{"table: MTU, generic", jumbo_of_the_table, {.mode = PORT_MODE_GENERIC}, 0, {NULL}},
	{"table: MTU not known", jumbo_of_a_driver_without_a_limit, {.mode = PORT_MODE_NATIVE}, 0, {NULL}},
	{"kernel: several buffers", jumbo_of_the_table_but_the_kernel_knows, {.mode = PORT_MODE_NATIVE}, 0, {NULL}},
	{"kernel and table: MTU", short_buffers, {.mode = PORT_MODE_AUTO}, -ERANGE, {"igc", "ip link set p1 mtu 1500"}},
	{"table: no native", no_native_of_the_table, {.mode = PORT_MODE_NATIVE}, -EOPNOTSUPP, {"r8169", "generic"}},
	{"table: no native, auto", no_native_of_the_table, {.mode = PORT_MODE_AUTO}, 0, {NULL}},
	{"no redirects", no_redirects, {.mode = PORT_MODE_AUTO}, -EOPNOTSUPP,
		{"p1, ixgbevf", "redirects no", "generic"}},
	{"no redirects, generic", no_redirects, {.mode = PORT_MODE_GENERIC}, 0, {NULL}},
	{"table: no redirects", no_redirects_of_the_table, {.mode = PORT_MODE_NATIVE}, -EOPNOTSUPP,
		{"redirects no frame"}},
	{"queues in use", too_many_of_ena, {.mode = PORT_MODE_AUTO}, -ENOSPC,
		{"5 queues of 8", "ethtool -L p1 combined 4"}},
	{"half of them", half_of_ena, {.mode = PORT_MODE_AUTO}, 0, {NULL}},
	{"queues in use, generic", too_many_of_ena, {.mode = PORT_MODE_GENERIC}, 0, {NULL}},
	{"uneven queues", uneven_of_gve, {.mode = PORT_MODE_AUTO}, -ENOSPC, {"gve", "ethtool -L p1 rx 2 tx 2"}},
	{"too many of both", too_many_of_gve, {.mode = PORT_MODE_AUTO}, -ENOSPC, {"gve", "ethtool -L p1 rx 8 tx 8"}},
	{"parted queues", parted_of_bnxt, {.mode = PORT_MODE_AUTO}, -EOPNOTSUPP, {"bnxt_en", "rx 0 tx 0 combined 6"}},
	{"combined queues", combined_of_bnxt, {.mode = PORT_MODE_AUTO}, 0, {NULL}},
	{"128 CPUs", ixgbe, {.mode = PORT_MODE_AUTO, .n_cpus = 128}, 0, {NULL}},
	{"129 CPUs", ixgbe, {.mode = PORT_MODE_AUTO, .n_cpus = 129}, -EOPNOTSUPP, {"129", "ixgbe", "generic"}},
	{"tags hidden", hidden_tags, {.mode = PORT_MODE_AUTO}, 0, {NULL}},
	{"tags hidden for ever", hidden_tags_for_ever, {.mode = PORT_MODE_AUTO}, -EOPNOTSUPP, {"p1", "rx-vlan"}},
};

START_TEST(each_fault_is_named_with_what_to_do)
{
	struct complaint c = {""};
	struct netdev_info info;

	good_veth(&info);
	if (cases[_i].spoil)
		cases[_i].spoil(&info);
	ck_assert_msg(
		preflight(&info, &cases[_i].wish, &c) == cases[_i].error, "%s: said \"%s\"", cases[_i].name, c.text);
	for (int i = 0; i < 3 && cases[_i].said[i]; i++)
		ck_assert_msg(strstr(c.text, cases[_i].said[i]), "%s: said \"%s\"", cases[_i].name, c.text);
	ck_assert_msg(cases[_i].error || !c.text[0], "%s: passed, and said \"%s\"", cases[_i].name, c.text);
	ck_assert_int_lt(strlen(c.text), sizeof(c.text) - 1); /* nothing was cut off */
	ck_assert_int_eq(preflight(&info, &cases[_i].wish, NULL), cases[_i].error);
}
END_TEST

/* Names may be as long as they may be: no complaint is cut off. */
START_TEST(longest_names_fit_into_every_complaint)
{
	struct complaint c = {""};
	struct netdev_info info;

	good_veth(&info);
	memset(info.name, 'n', sizeof(info.name) - 1);
	memset(info.peer.name, 'p', sizeof(info.peer.name) - 1);
	if (cases[_i].spoil)
		cases[_i].spoil(&info);
	if (info.master[0])
		memset(info.master, 'm', sizeof(info.master) - 1);
	if (info.lower[0])
		memset(info.lower, 'l', sizeof(info.lower) - 1);
	memset(info.name, 'n', sizeof(info.name) - 1);
	ck_assert_int_eq(preflight(&info, &cases[_i].wish, &c), cases[_i].error);
	ck_assert_int_lt(strlen(c.text), sizeof(c.text) - 1);
}
END_TEST

/* ---- advice ---- */

static void good_virtio(struct netdev_info *i)
{
	good_nic(i);
	strcpy(i->driver, "virtio_net");
	i->queues = (struct ethtool_queues){.combined = 4, .max_combined = 8};
}

static void busy_virtio(struct netdev_info *i)
{
	good_virtio(i);
	i->queues.combined = 5;
}

static void small_virtio(struct netdev_info *i)
{
	good_virtio(i);
	i->queues = (struct ethtool_queues){.combined = 1, .max_combined = 1};
}

static void merging_for_ever(struct netdev_info *i)
{
	good_virtio(i);
	i->gro_hw = i->gro_hw_fixed = true;
}

static void merging(struct netdev_info *i)
{
	good_nic(i);
	i->lro = i->gro_hw = true;
}

static void lro_for_ever(struct netdev_info *i)
{
	merging(i);
	i->lro_fixed = true;
}

static const struct {
	const char *name;
	void (*spoil)(struct netdev_info *info);
	struct preflight_wish wish;
	const char *said[3]; /* none: nothing is said */
} advices[] = {
	{"good nic", good_nic, {.mode = PORT_MODE_AUTO, .n_cpus = 4}, {NULL}},
	{"virtio with spare queues", good_virtio, {.mode = PORT_MODE_AUTO, .n_cpus = 4}, {NULL}},
	{"virtio, CPUs not known", busy_virtio, {.mode = PORT_MODE_AUTO}, {NULL}},
	{"virtio without", busy_virtio, {.mode = PORT_MODE_AUTO, .n_cpus = 4}, {"4 CPUs", "ethtool -L p1 combined 4"}},
	{"virtio without, generic", busy_virtio, {.mode = PORT_MODE_GENERIC, .n_cpus = 4}, {NULL}},
	{"virtio with few", small_virtio, {.mode = PORT_MODE_AUTO, .n_cpus = 4}, {"1 queue", "give it 5", "QEMU"}},
	{"merging that can be ended", merging, {.mode = PORT_MODE_AUTO, .n_cpus = 4}, {NULL}},
	{"LRO", lro_for_ever, {.mode = PORT_MODE_GENERIC, .n_cpus = 4}, {"p1", "LRO"}},
	{"hardware GRO", merging_for_ever, {.mode = PORT_MODE_AUTO, .n_cpus = 4},
		{"virtio_net", "hardware GRO", "guest_tso4=off"}},
};

START_TEST(what_could_be_better_is_said_with_what_helps)
{
	char text[PREFLIGHT_ADVICE_SIZE];
	struct netdev_info info;

	advices[_i].spoil(&info);
	preflight_advise(&info, &advices[_i].wish, text);
	for (int i = 0; i < 3 && advices[_i].said[i]; i++)
		ck_assert_msg(strstr(text, advices[_i].said[i]), "%s: said \"%s\"", advices[_i].name, text);
	ck_assert_msg(advices[_i].said[0] || !text[0], "%s: said \"%s\"", advices[_i].name, text);
	ck_assert_uint_lt(strlen(text), sizeof(text) - 1);
}
END_TEST

START_TEST(an_address_of_the_host_is_named_with_the_way_to_move_it)
{
	char text[PREFLIGHT_ADVICE_SIZE];
	struct netdev_info info;

	good_nic(&info);
	preflight_address(&info, text);
	ck_assert_str_eq(text, "");
	strcpy(info.host_address, "192.0.2.1/24");
	preflight_address(&info, text);
	ck_assert_msg(strstr(text, "p1 has the address 192.0.2.1/24"), "said: %s", text);
	ck_assert_msg(strstr(text, "type internal"), "said: %s", text);
	ck_assert_msg(strstr(text, "ip addr del 192.0.2.1/24 dev p1"), "said: %s", text);
}
END_TEST

/* ---- on devices of the kernel ---- */

static int judge(const char *name, struct complaint *c)
{
	struct preflight_wish wish = {.force = false, .mode = PORT_MODE_AUTO};
	struct netdev_info info;

	ck_assert_int_eq(netdev_query(name, &info), 0);
	c->text[0] = '\0';
	return preflight(&info, &wish, c);
}

START_TEST(live_veth_passes_and_its_queues_are_counted)
{
	struct complaint c;

	run("ip link add p1 type veth peer name c1");
	ck_assert_msg(judge("p1", &c) == 0, "said: %s", c.text);
	run("ip link set p1 mtu 65535 && ip link set c1 mtu 65535");
	ck_assert_msg(judge("p1", &c) == 0, "said: %s", c.text);
	run("ip link add p2 numrxqueues 2 type veth peer name c2 numtxqueues 3 && ethtool -L c2 tx 3");
	ck_assert_int_eq(judge("p2", &c), -ENOSPC);
	ck_assert_msg(strstr(c.text, "ethtool -L c2 tx 2"), "said: %s", c.text);
	run("ethtool -L c2 tx 2"); /* what it said */
	ck_assert_msg(judge("p2", &c) == 0, "said: %s", c.text);
}
END_TEST

START_TEST(live_member_of_a_bridge_is_refused_until_released)
{
	struct complaint c;

	run("ip link add br9 type bridge && ip link add p1 type veth peer name c1 && ip link set p1 master br9");
	ck_assert_int_eq(judge("p1", &c), -EBUSY);
	ck_assert_msg(strstr(c.text, "br9"), "said: %s", c.text);
	ck_assert_int_eq(judge("br9", &c), -EINVAL);
	run("ip link set p1 nomaster");
	ck_assert_msg(judge("p1", &c) == 0, "said: %s", c.text);
}
END_TEST

START_TEST(live_device_of_a_default_route_is_refused)
{
	struct complaint c;

	run("ip link add p1 up type veth peer name c1 && ip link set c1 up && ip addr add 10.9.9.1/24 dev p1");
	ck_assert_msg(judge("p1", &c) == 0, "said: %s", c.text);
	run("ip route add default via 10.9.9.2");
	ck_assert_int_eq(judge("p1", &c), -EBUSY);
	ck_assert_msg(strstr(c.text, "default route"), "said: %s", c.text);
	ck_assert_int_eq(judge("c1", &c), 0);
}
END_TEST

START_TEST(live_loopback_and_tun_are_refused)
{
	struct complaint c;

	ck_assert_int_eq(judge("lo", &c), -EINVAL);
	run("ip tuntap add tn0 mode tun && ip tuntap add tp0 mode tap");
	ck_assert_int_eq(judge("tn0", &c), -EINVAL);
	ck_assert_msg(strstr(c.text, "tn0 is a tun device"), "said: %s", c.text);
	ck_assert_msg(judge("tp0", &c) == 0, "said: %s", c.text);
}
END_TEST

static TCase *live_cases(void)
{
	TCase *t = tcase_create("live");

	tcase_add_checked_fixture(t, own_namespace, NULL);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, live_veth_passes_and_its_queues_are_counted);
	tcase_add_test(t, live_member_of_a_bridge_is_refused_until_released);
	tcase_add_test(t, live_device_of_a_default_route_is_refused);
	tcase_add_test(t, live_loopback_and_tun_are_refused);
	return t;
}

static Suite *suite(bool live)
{
	Suite *s = suite_create("preflight");
	TCase *t = tcase_create("table");

	tcase_add_loop_test(t, each_fault_is_named_with_what_to_do, 0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_loop_test(t, what_could_be_better_is_said_with_what_helps, 0, sizeof(advices) / sizeof(advices[0]));
	tcase_add_test(t, an_address_of_the_host_is_named_with_the_way_to_move_it);
	tcase_add_loop_test(t, longest_names_fit_into_every_complaint, 0, sizeof(cases) / sizeof(cases[0]));
	suite_add_tcase(s, t);
	if (live)
		suite_add_tcase(s, live_cases());
	return s;
}

int main(void)
{
	bool live = can_make_namespaces();
	SRunner *runner = srunner_create(suite(live));
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	if (failed)
		return EXIT_FAILURE;
	return live ? EXIT_SUCCESS : skip("the checks on live devices need root; the table was checked");
}
