/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/netdev.h"

#include "dataplane/complaint.h"
#include "dataplane/netns.h"
#include "tests/unit/sandbox.h"

static struct netdev_info look(const char *name)
{
	struct netdev_info info;
	int error = netdev_query(name, &info);

	ck_assert_msg(!error, "%s: %s", name, strerror(-error));
	return info;
}

#define ck_says(c, words) ck_assert_msg(strstr((c).text, words), "said: %s", (c).text)

/* ---- queries ---- */

START_TEST(absent_device_is_enodev)
{
	struct netdev_info info = {.ifindex = 77};

	ck_assert_int_eq(netdev_query("nosuch", &info), -ENODEV);
	ck_assert_int_eq(netdev_query("", &info), -ENODEV);
	ck_assert_int_eq(netdev_query("a-name-that-is-far-too-long", &info), -ENODEV);
	ck_assert_int_eq(netdev_query_ifindex(0, &info), -ENODEV);
	ck_assert_int_eq(netdev_query_ifindex(4711, &info), -ENODEV);
	ck_assert_uint_eq(info.ifindex, 77);
}
END_TEST

START_TEST(kinds_are_told_apart)
{
	run("ip link add br9 type bridge; ip link add p1 type veth peer name c1; ip link set p1 master br9;"
	    "ip tuntap add tn0 mode tun; ip tuntap add tp0 mode tap");
	ck_assert_int_eq(look("lo").kind, NETDEV_LOOPBACK);
	ck_assert_int_eq(look("br9").kind, NETDEV_BRIDGE);
	ck_assert_int_eq(look("p1").kind, NETDEV_VETH);
	ck_assert_int_eq(look("tn0").kind, NETDEV_TUN);
	ck_assert_int_eq(look("tp0").kind, NETDEV_TAP);
	ck_assert_str_eq(look("p1").master, "br9");
	ck_assert_str_eq(look("c1").master, "");
	ck_assert_str_eq(look("p1").kind_name, "veth");
	ck_assert(look("p1").ethernet && look("tp0").ethernet && !look("lo").ethernet && !look("tn0").ethernet);
}
END_TEST

START_TEST(query_by_ifindex_is_the_query_by_name)
{
	struct netdev_info by_name, by_ifindex;

	run("ip link add p1 type veth peer name c1");
	by_name = look("p1");
	ck_assert_int_eq(netdev_query_ifindex(by_name.ifindex, &by_ifindex), 0);
	ck_assert_mem_eq(&by_name, &by_ifindex, sizeof(by_name));
	ck_assert_uint_eq(by_name.ifindex, if_nametoindex("p1"));
}
END_TEST

START_TEST(both_ends_of_a_veth_here_see_each_other)
{
	struct netdev_info p, c;

	run("ip link add p1 numrxqueues 4 type veth peer name c1; ip link set c1 mtu 9000; ethtool -K p1 gro on;"
	    "ethtool -L p1 rx 3");
	p = look("p1");
	c = look("c1");
	ck_assert_int_eq(p.peer.nsid, -1);
	ck_assert_uint_eq(p.peer.ifindex, c.ifindex);
	ck_assert_uint_eq(c.peer.ifindex, p.ifindex);
	ck_assert_str_eq(p.peer.name, "c1");
	ck_assert(p.peer.reachable && c.peer.reachable);
	ck_assert(!p.peer.gro && c.peer.gro);
	ck_assert_uint_eq(p.peer.mtu, 9000);
	ck_assert_uint_eq(p.rx_queues, 3);
}
END_TEST

START_TEST(peer_in_another_namespace_is_looked_at_there)
{
	struct netdev_info p;

	run("ip link add p1 type veth peer name c1 netns %s numtxqueues 2", named);
	run("nsenter --net=/run/netns/%s ip link set c1 mtu 4000", named);
	p = look("p1");
	ck_assert_int_ge(p.peer.nsid, 0);
	ck_assert(p.peer.reachable);
	ck_assert_str_eq(p.peer.name, "c1");
	ck_assert_uint_eq(p.peer.mtu, 4000);
	ck_assert(!p.peer.gro && p.peer.tx_vlan_offload);
	ck_assert_uint_eq(p.peer.tx_queues, 1);
	run("nsenter --net=/run/netns/%s ethtool -L c1 tx 2", named);
	ck_assert_uint_eq(look("p1").peer.tx_queues, 2);
}
END_TEST

static const struct {
	const char *routes;
	bool p1, p2;
} route_cases[] = {
	{"ip route add 10.0.0.0/8 via 10.1.1.2", false, false},
	{"ip route add default via 10.1.1.2", true, false},
	{"ip route add 0.0.0.0/1 via 10.1.1.2", false, false},
	{"ip route add 0.0.0.0/8 via 10.1.1.2; ip route add default via 10.2.2.2", false, true},
	{"ip route add default nexthop via 10.1.1.2 nexthop via 10.2.2.2", true, true},
	{"ip route add default via 10.1.1.2 metric 5; ip route add default via 10.2.2.2 metric 9", true, true},
	{"ip route add default via 10.1.1.2 table 7", false, false},
	{"ip -6 route add default via fd01::2", true, false},
	{"ip -6 route add fd77::/16 via fd01::2", false, false},
	{"ip -6 route add default nexthop via fd01::2 nexthop via fd02::2", true, true},
	{"ip route add unreachable default", false, false},
};

START_TEST(default_routes_are_seen)
{
	run("sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0;"
	    "for i in 1 2; do ip link add p$i type veth peer name c$i; ip link set p$i up; ip link set c$i up;"
	    "ip addr add 10.$i.$i.1/24 dev p$i; ip addr add fd0$i::1/64 dev p$i nodad; done");
	ck_assert(!look("p1").default_route && !look("p2").default_route);
	run("%s", route_cases[_i].routes);
	ck_assert_msg(look("p1").default_route == route_cases[_i].p1, "p1: %s", route_cases[_i].routes);
	ck_assert_msg(look("p2").default_route == route_cases[_i].p2, "p2: %s", route_cases[_i].routes);
	ck_assert(!look("c1").default_route);
}
END_TEST

/* 60,000 IPv4 routes are not read, 10,000 IPv6 routes are cut short: and the default routes are found all the same. */
START_TEST(full_tables_do_not_hide_the_default_routes)
{
	FILE *batch = popen("ip -batch -", "w");
	uint64_t began;

	fprintf(batch, "link add p1 up type veth peer name c1\nlink set c1 up\naddr add 10.1.1.1/24 dev p1\n");
	fprintf(batch, "link add p2 up type veth peer name c2\nlink set c2 up\naddr add fd02::1/64 dev p2 nodad\n");
	for (int i = 0; i < 60000; i++)
		fprintf(batch, "route add 20.%d.%d.0/24 dev p1\n", i / 256, i % 256);
	for (int i = 0; i < 10000; i++)
		fprintf(batch, "route add fd77:%x::/32 dev p1\n", i);
	ck_assert_int_eq(pclose(batch), 0);
	ck_assert(!look("p1").default_route && !look("p2").default_route);
	run("ip route add default via 10.1.1.2; ip -6 route add default via fd02::2");
	began = now_us();
	ck_assert(look("p1").default_route);
	ck_assert(look("p2").default_route);
	printf("two queries beside 70,000 routes: %llu us\n", (unsigned long long)(now_us() - began));
}
END_TEST

/* ---- making, removing, setting ---- */

START_TEST(veth_is_made_whole)
{
	struct complaint c = {""};
	struct netdev_info p;

	ck_assert_msg(!netdev_create_veth("p1", "eth0", named, &c), "said: %s", c.text);
	p = look("p1");
	ck_assert(p.admin_up && p.carrier);
	ck_assert_str_eq(p.peer.name, "eth0");
	ck_assert_int_ge(p.peer.nsid, 0);
	run("nsenter --net=/run/netns/%s ip -br link show eth0 up | grep -q LOWER_UP", named);
	ck_assert_int_eq(netdev_delete(p.ifindex, &c), 0);
	run("! nsenter --net=/run/netns/%s ip link show eth0 2>/dev/null", named);
}
END_TEST

START_TEST(veth_reaches_into_an_open_namespace)
{
	const uint8_t mac[6] = {2, 0, 0, 0, 0, 0x77};
	struct complaint c = {""};
	char path[100];
	int fd = -1;

	snprintf(path, sizeof(path), "/run/netns/%s", named);
	ck_assert_int_eq(netns_open_path("/dev/null", &fd), -EINVAL);
	ck_assert_int_eq(netns_open_path("/run/netns/no such", &fd), -ENOENT);
	ck_assert_int_eq(fd, -1);
	ck_assert_int_eq(netns_open_path(path, &fd), 0);
	ck_assert_msg(!netdev_create_veth_in("p1", "eth0", fd, mac, 1400, &c), "said: %s", c.text);
	ck_assert(look("p1").carrier);
	ck_assert_uint_eq(look("p1").mtu, 1400);
	run("nsenter --net=%s ip link show eth0 up | grep -q 'mtu 1400'", path);
	run("nsenter --net=%s ip link show eth0 | grep -q 02:00:00:00:00:77", path);
	run("nsenter --net=%s ip -6 addr show eth0 | grep -q 'fe80::ff:fe00:77/64'", path);
	ck_assert_int_eq(netdev_create_veth_in("p2", "eth0", fd, NULL, 0, &c), -EEXIST);
	ck_says(c, "a veth named eth0 in the other namespace already");
	ck_assert_int_eq(netdev_create_veth_in("p1", "eth1", fd, NULL, 0, &c), -EEXIST);
	ck_assert_int_eq(netdev_create_veth_in("p3", "a/b", fd, NULL, 0, &c), -EINVAL);
	run("ip link del p1");
	close(fd);
}
END_TEST

START_TEST(veth_without_a_namespace_stays_here)
{
	struct complaint c = {""};

	ck_assert_msg(!netdev_create_veth("p1", "c1", NULL, &c), "said: %s", c.text);
	ck_assert(look("p1").carrier && look("c1").carrier);
	ck_assert_int_eq(look("p1").peer.nsid, -1);
}
END_TEST

static const struct {
	const char *name, *peer, *netns; /* "+": the namespace that is there */
	int error;
	const char *said;
} refused_veths[] = {
	{"taken", "c9", NULL, -EEXIST, "there is a bridge named taken already: choose another name"},
	{"p9", "taken", NULL, -EEXIST,
		"there is a bridge named taken in the switch's own namespace already: choose another name for the "
		"peer, or say in which namespace it is to be (netns NAME)"},
	{"p9", "lo", "+", -EEXIST, "there is a device named lo in namespace swtest-"},
	{"p9", "lo", "+", -EEXIST, "already: choose another name, or remove it with `ip -n swtest-"},
	{"p9", "lo", "+", -EEXIST, " link del lo`"},
	{"p9", "c9", "swtest-not-there", -ENOENT, "ip netns add swtest-not-there"},
	{"p9", "p9", NULL, -EINVAL, "p9"},
	{"", "c9", NULL, -EINVAL, "no name for a device"},
	{"p/9", "c9", NULL, -EINVAL, "p/9"},
	{"p9", "c 9", NULL, -EINVAL, "c 9"},
	{"a-name-of-sixteen", "c9", NULL, -EINVAL, "a-name-of-sixteen"},
	{"p9", "a%d", NULL, -EINVAL, "a%d"},
};

START_TEST(refused_veth_leaves_nothing)
{
	const char *netns = refused_veths[_i].netns;
	struct netdev_info info;
	struct complaint c = {""};

	run("ip link add taken type bridge");
	if (netns && netns[0] == '+')
		netns = named;
	ck_assert_int_eq(
		netdev_create_veth(refused_veths[_i].name, refused_veths[_i].peer, netns, &c), refused_veths[_i].error);
	ck_says(c, refused_veths[_i].said);
	ck_assert_int_eq(netdev_query("p9", &info), -ENODEV);
	ck_assert_int_eq(netdev_query("c9", &info), -ENODEV);
}
END_TEST

START_TEST(tap_waits_for_its_guest)
{
	struct complaint c = {""};
	struct netdev_info t;
	uint32_t ifindex;
	int fd;

	ck_assert_msg(!netdev_create_tap("t1", 1, &c), "said: %s", c.text);
	t = look("t1");
	ck_assert(t.kind == NETDEV_TAP && t.permanent_tap && t.admin_up && !t.carrier);
	ck_assert_uint_eq(t.rx_queues, 1);
	ck_assert(!t.multi_queue_tap);
	ifindex = t.ifindex;
	fd = open_like_qemu("t1", false);
	ck_assert_int_ge(fd, 0);
	ck_assert(look("t1").carrier);
	ck_assert_int_lt(open_like_qemu("t1", true), 0);
	close(fd);
	t = look("t1");
	ck_assert_uint_eq(t.ifindex, ifindex);
	ck_assert(!t.carrier);
	ck_assert_int_eq(netdev_create_tap("t1", 1, &c), -EEXIST);
	ck_says(c, "t1");
	ck_assert_int_eq(netdev_delete(ifindex, &c), 0);
	ck_assert_int_eq(netdev_query("t1", &t), -ENODEV);
}
END_TEST

/* Also where everybody may open /dev/net/tun, as udev has it: root opens it here, and somebody else goes on with that.
 */
START_TEST(tap_is_not_for_everybody)
{
	struct ifreq ifr = {.ifr_name = "t1", .ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)};
	struct complaint c = {""};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	ck_assert_int_eq(netdev_create_tap("t1", 1, &c), 0);
	ck_assert_int_eq(setresuid(65534, 65534, 65534), 0);
	ck_assert_int_eq(ioctl(fd, TUNSETIFF, &ifr), -1);
	ck_assert_int_eq(errno, EPERM);
}
END_TEST

START_TEST(tap_of_many_queues_counts_those_in_use)
{
	struct complaint c = {""};
	int fd[3];

	ck_assert_int_eq(netdev_create_tap("t1", 4, &c), 0);
	ck_assert_uint_eq(look("t1").rx_queues, 1);
	ck_assert(look("t1").multi_queue_tap);
	for (int i = 0; i < 3; i++) {
		fd[i] = open_like_qemu("t1", true);
		ck_assert_int_ge(fd[i], 0);
		ck_assert_uint_eq(look("t1").rx_queues, i + 1);
	}
	close(fd[1]);
	ck_assert_uint_eq(look("t1").rx_queues, 2);
}
END_TEST

START_TEST(settings_take_effect_and_refusals_speak)
{
	struct complaint c = {""};
	uint32_t ifindex;

	run("ip link add p1 type veth peer name c1");
	ifindex = look("p1").ifindex;
	ck_assert_int_eq(netdev_set_up(ifindex, &c), 0);
	ck_assert(look("p1").admin_up);
	ck_assert_int_eq(netdev_set_promiscuous(ifindex, true, &c), 0);
	ck_assert(look("p1").promiscuous && look("p1").admin_up);
	ck_assert_int_eq(netdev_set_promiscuous(ifindex, false, &c), 0);
	ck_assert(!look("p1").promiscuous);
	ck_assert_int_eq(netdev_set_mtu(ifindex, 9000, &c), 0);
	ck_assert_uint_eq(look("p1").mtu, 9000);
	ck_assert_int_lt(netdev_set_mtu(ifindex, 70000, &c), 0);
	ck_says(c, "p1");
	ck_says(c, "mtu greater than device maximum"); /* the kernel's own words */
	ck_assert_int_eq(netdev_set_offload("p1", NETDEV_OFFLOAD_RX_VLAN, false, &c), 0);
	ck_assert(!look("p1").rx_vlan_offload);
	ck_assert_int_eq(netdev_set_offload("p1", NETDEV_OFFLOAD_RX_VLAN, true, &c), 0);
	ck_assert(look("p1").rx_vlan_offload);
	ck_assert_int_eq(netdev_set_offload("lo", NETDEV_OFFLOAD_RX_VLAN, true, &c), -EOPNOTSUPP);
	ck_says(c, "lo");
	ck_assert_int_eq(netdev_set_up(4711, &c), -ENODEV);
	ck_says(c, "4711");
	ck_assert_int_eq(netdev_delete(4711, &c), -ENODEV);
	ck_assert_int_eq(netdev_delete(0, &c), -ENODEV);
	ck_assert_int_eq(netdev_set_offload("p1", NETDEV_OFFLOAD_LRO, true, &c), -EOPNOTSUPP);
	ck_says(c, "LRO");
}
END_TEST

START_TEST(driver_cable_queues_and_address_are_told)
{
	struct netdev_info info;

	run("ip link add p1 numtxqueues 2 numrxqueues 2 type veth peer name c1 && ip link set p1 up && ip link set c1 "
	    "up");
	info = look("p1");
	ck_assert_str_eq(info.driver, "veth");
	ck_assert_uint_eq(info.link.mbps, 10000);
	ck_assert(info.link.full_duplex && !info.link.half_duplex);
	ck_assert_uint_eq(info.queues.max_rx, 2);
	ck_assert_uint_eq(info.queues.max_combined, 0);
	ck_assert_str_eq(info.host_address, ""); /* the link-local one is nobody's */
	run("ip addr add 2001:db8::1/64 dev p1 nodad");
	ck_assert_str_eq(look("p1").host_address, "2001:db8::1/64");
	run("ip addr add 192.0.2.1/24 dev p1");
	ck_assert_str_eq(look("p1").host_address, "192.0.2.1/24");
	ck_assert_str_eq(look("c1").host_address, "");
	ck_assert_str_eq(look("lo").driver, "");
	run("ip tuntap add tp0 mode tap && ethtool -s tp0 speed 100 duplex half");
	info = look("tp0");
	ck_assert_str_eq(info.driver, "tun");
	ck_assert_uint_eq(info.link.mbps, 100);
	ck_assert(info.link.half_duplex && !info.link.full_duplex);
}
END_TEST

START_TEST(prepared_peer_takes_redirects_and_shows_its_tags)
{
	struct complaint c = {""};
	struct netdev_info p;

	ck_assert_int_eq(netdev_create_veth("p1", "eth0", named, &c), 0);
	p = look("p1");
	ck_assert(!p.peer.gro && p.peer.tx_vlan_offload && p.takes_redirects != 1);
	ck_assert_msg(!netdev_prepare_peer(&p, &c), "said: %s", c.text);
	p = look("p1");
	ck_assert(p.peer.gro && !p.peer.tx_vlan_offload);
	if (p.xdp_features_known)
		ck_assert_int_eq(p.takes_redirects, 1);
	ck_assert_int_eq(netdev_prepare_peer(&p, &c), 0);
	p = look("lo");
	ck_assert_int_lt(netdev_prepare_peer(&p, &c), 0);
}
END_TEST

static TCase *queries(void)
{
	TCase *t = tcase_create("queries");

	tcase_add_test(t, absent_device_is_enodev);
	tcase_add_test(t, kinds_are_told_apart);
	tcase_add_test(t, query_by_ifindex_is_the_query_by_name);
	tcase_add_test(t, both_ends_of_a_veth_here_see_each_other);
	tcase_add_test(t, peer_in_another_namespace_is_looked_at_there);
	tcase_add_loop_test(t, default_routes_are_seen, 0, sizeof(route_cases) / sizeof(route_cases[0]));
	tcase_add_test(t, full_tables_do_not_hide_the_default_routes);
	return t;
}

static TCase *making(void)
{
	TCase *t = tcase_create("making");

	tcase_add_test(t, veth_is_made_whole);
	tcase_add_test(t, veth_reaches_into_an_open_namespace);
	tcase_add_test(t, veth_without_a_namespace_stays_here);
	tcase_add_loop_test(t, refused_veth_leaves_nothing, 0, sizeof(refused_veths) / sizeof(refused_veths[0]));
	tcase_add_test(t, tap_waits_for_its_guest);
	tcase_add_test(t, tap_is_not_for_everybody);
	tcase_add_test(t, tap_of_many_queues_counts_those_in_use);
	tcase_add_test(t, settings_take_effect_and_refusals_speak);
	tcase_add_test(t, prepared_peer_takes_redirects_and_shows_its_tags);
	tcase_add_test(t, driver_cable_queues_and_address_are_told);
	return t;
}

int main(void)
{
	TCase *groups[] = {queries(), making()};

	if (!can_make_namespaces())
		return skip("making devices and network namespaces needs root");
	return run_in_sandbox("netdev", groups, sizeof(groups) / sizeof(groups[0]));
}
