/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/preflight.h"

#include "dataplane/complaint.h"
#include "dataplane/driver.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * Linux drivers/net/veth.c, veth_xdp_set(): the peer's frames must fit in one page with the headroom and the end of an
 * skb, or, for a program that takes fragments, in that and MAX_SKB_FRAGS pages (17 unless built otherwise). With pages
 * of 4 KiB: 3,506 and 73,138; the latter is beyond any veth's MTU, and stands here for programs and pages of other
 * sizes.
 */
#define XDP_HEADROOM    256
#define SKB_END         320 /* SKB_DATA_ALIGN(sizeof(struct skb_shared_info)) */
#define ETHERNET_HEADER 14
#define MAX_SKB_FRAGS   17

/* Objects by filling in the complaint and returning -errno. */
typedef int check(const struct netdev_info *info, const struct preflight_wish *wish, struct complaint *c);

static int no_loopback(const struct netdev_info *info, const struct preflight_wish *wish, struct complaint *c)
{
	if (info->kind != NETDEV_LOOPBACK)
		return 0;
	return complain(c, -EINVAL,
		"%s is the loopback device: no frame of anybody else passes it. To plug in this host use `port add "
		"BRIDGE "
		"NAME type internal`",
		info->name);
}

static int no_tun(const struct netdev_info *info, const struct preflight_wish *wish, struct complaint *c)
{
	if (info->kind != NETDEV_TUN)
		return 0;
	return complain(c, -EINVAL,
		"%s is a tun device, whose packets have no Ethernet header: make it a tap (`ip tuntap add %s mode "
		"tap`)",
		info->name, info->name);
}

static int ethernet(const struct netdev_info *info, const struct preflight_wish *wish, struct complaint *c)
{
	if (info->ethernet)
		return 0;
	return complain(c, -EINVAL, "%s%s%s is no Ethernet device: a switch has no use for its frames", info->name,
		info->kind_name[0] ? ", of kind " : "", info->kind_name);
}

static int no_vlan_device(const struct netdev_info *info, const struct preflight_wish *wish, struct complaint *c)
{
	const char *parent = info->lower[0] ? info->lower : "its parent";

	if (info->kind != NETDEV_VLAN)
		return 0;
	return complain(c, -EINVAL,
		"%s is a VLAN sub-interface of %s: add %s instead, and choose VLANs by `port set BRIDGE %s vlan …`",
		info->name, parent, parent, parent);
}

static int no_bridge(const struct netdev_info *info, const struct preflight_wish *wish, struct complaint *c)
{
	if (info->kind != NETDEV_BRIDGE)
		return 0;
	return complain(c, -EINVAL,
		"%s is a Linux bridge: add the devices behind it one by one, each after `ip link set DEVICE nomaster`, "
		"or "
		"connect it by a veth pair",
		info->name);
}

static int no_master(const struct netdev_info *info, const struct preflight_wish *wish, struct complaint *c)
{
	if (!info->master[0])
		return 0;
	return complain(c, -EBUSY,
		"%s belongs to %s (a bridge, a bond or another master), which takes its frames: run `ip link set %s "
		"nomaster`, or add %s itself if it is a bond",
		info->name, info->master, info->name, info->master);
}

static int no_default_route(const struct netdev_info *info, const struct preflight_wish *wish, struct complaint *c)
{
	if (!info->default_route || wish->force)
		return 0;
	return complain(c, -EBUSY,
		"a default route leaves by %s: as a port it would no longer carry this host's own traffic, perhaps "
		"your "
		"session. Move the address and the route to an internal port, or say `force`",
		info->name);
}

static int no_other_program(const struct netdev_info *info, const struct preflight_wish *wish, struct complaint *c)
{
	if (!info->xdp_prog_id || wish->hook == DP_HOOK_TC)
		return 0;
	return complain(c, -EBUSY,
		"%s is owned by another XDP program, id %u (`bpftool prog show id %u`): stop what attached it, or "
		"detach "
		"it by `ip link set dev %s xdp off`",
		info->name, info->xdp_prog_id, info->xdp_prog_id, info->name);
}

/* The generic hook knows none of the limits below: it runs on skbs, wherever they come from. */
static bool goes_native(const struct preflight_wish *wish)
{
	return wish->hook == DP_HOOK_XDP && (wish->mode == PORT_MODE_AUTO || wish->mode == PORT_MODE_NATIVE);
}

/* As people know the driver: ", bnxt_en", ", of kind dummy". */
static const char *driver_name(const struct netdev_info *info)
{
	return info->driver[0] ? info->driver : info->kind_name;
}

static const char *driver_comma(const struct netdev_info *info)
{
	return driver_name(info)[0] ? ", " : "";
}

static int native_driver(const struct netdev_info *info, const struct preflight_wish *wish, struct complaint *c)
{
	uint64_t features;

	if (wish->mode != PORT_MODE_NATIVE || !driver_features(info, &features) || (features & NETDEV_XDP_BASIC))
		return 0;
	return complain(c, -EOPNOTSUPP, "the driver of %s%s%s has no native XDP: ask for mode generic or auto",
		info->name, driver_comma(info), driver_name(info));
}

/* It would run the program, and lose every frame that it redirects. */
static int redirecting_driver(const struct netdev_info *info, const struct preflight_wish *wish, struct complaint *c)
{
	uint64_t features;

	if (!goes_native(wish) || !driver_features(info, &features))
		return 0;
	if (!(features & NETDEV_XDP_BASIC) || (features & NETDEV_XDP_REDIRECT))
		return 0;
	return complain(c, -EOPNOTSUPP, "the driver of %s%s%s runs XDP, but redirects no frame: ask for mode generic",
		info->name, driver_comma(info), driver_name(info));
}

static int offload_driver(const struct netdev_info *info, const struct preflight_wish *wish, struct complaint *c)
{
	if (wish->mode != PORT_MODE_OFFLOAD || !info->xdp_features_known || (info->xdp_features & NETDEV_XDP_OFFLOAD))
		return 0;
	return complain(c, -EOPNOTSUPP, "%s cannot run XDP in hardware: ask for mode native or auto", info->name);
}

static uint32_t one_page(void)
{
	return (uint32_t)sysconf(_SC_PAGESIZE) - XDP_HEADROOM - SKB_END - ETHERNET_HEADER;
}

static int veth_mtu(const struct netdev_info *info, const struct preflight_wish *wish, struct complaint *c)
{
	uint32_t limit = one_page() + MAX_SKB_FRAGS * (uint32_t)sysconf(_SC_PAGESIZE);
	const char *peer = info->peer.name[0] ? info->peer.name : "PEER";

	if (info->kind != NETDEV_VETH || !goes_native(wish))
		return 0;
	if (info->mtu > limit)
		return complain(c, -ERANGE,
			"the MTU of %s is %u, and XDP on a veth allows %u: run `ip link set %s mtu %u`", info->name,
			info->mtu, limit, info->name, limit);
	if (info->peer.mtu > limit)
		return complain(c, -ERANGE,
			"the MTU of %s, the other end of %s, is %u, and XDP on a veth allows %u: run `ip link set %s "
			"mtu "
			"%u` in its namespace",
			peer, info->name, info->peer.mtu, limit, peer, limit);
	return 0;
}

/* A tap hands what is longer than a page to the generic hook by itself. */
static int buffer_mtu(const struct netdev_info *info, const struct preflight_wish *wish, struct complaint *c)
{
	uint32_t limit = driver_mtu(info);
	uint64_t features;

	if (!limit && info->xdp_features_known)
		limit = one_page();
	if (!goes_native(wish) || info->kind == NETDEV_VETH || info->kind == NETDEV_TAP)
		return 0;
	if (!limit || info->mtu <= limit || !driver_features(info, &features))
		return 0;
	if (!(features & NETDEV_XDP_BASIC) || (features & NETDEV_XDP_RX_SG))
		return 0;
	return complain(c, -ERANGE,
		"the MTU of %s is %u, and its driver%s%s runs XDP only on frames in one buffer, of %u at most: run `ip "
		"link set %s mtu %u`, or ask for mode generic",
		info->name, info->mtu, driver_comma(info), driver_name(info), limit, info->name, limit);
}

/* Linux drivers/net/veth.c, veth_xdp_set(): each queue that the peer sends by needs one here. */
static int veth_queues(const struct netdev_info *info, const struct preflight_wish *wish, struct complaint *c)
{
	if (info->kind != NETDEV_VETH || !goes_native(wish) || !info->peer.reachable)
		return 0;
	if (info->rx_queues >= info->peer.tx_queues)
		return 0;
	return complain(c, -ENOSPC,
		"%s receives by %u queues and its other end %s sends by %u, which XDP does not allow: run `ethtool -L "
		"%s "
		"rx %u`, or `ethtool -L %s tx %u` in the namespace of %s",
		info->name, info->rx_queues, info->peer.name, info->peer.tx_queues, info->name, info->peer.tx_queues,
		info->peer.name, info->rx_queues, info->peer.name);
}

static enum driver_queues queues_of(const struct netdev_info *info)
{
	const struct driver *driver = driver_find(info->driver);

	return driver ? driver->queues : DRIVER_QUEUES_UNKNOWN;
}

static uint32_t less(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Such a driver takes a queue more for each in use. */
static int half_of_the_queues(const struct netdev_info *info, const struct preflight_wish *wish, struct complaint *c)
{
	const struct ethtool_queues *q = &info->queues;
	uint32_t rx_tx = less(less(q->rx, q->tx), q->max_tx / 2);

	if (!goes_native(wish) || queues_of(info) != DRIVER_HALF)
		return 0;
	if (q->max_combined > 1 && 2 * q->combined > q->max_combined)
		return complain(c, -ENOSPC,
			"%s has %u queues of %u in use, and its driver, %s, runs XDP only with half of them: run "
			"`ethtool -L %s combined %u`, or ask for mode generic",
			info->name, q->combined, q->max_combined, info->driver, info->name, q->max_combined / 2);
	if (rx_tx && (q->rx != q->tx || 2 * q->tx > q->max_tx))
		return complain(c, -ENOSPC,
			"%s receives by %u queues and sends by %u of %u, and its driver, %s, runs XDP only with as "
			"many "
			"of both, and half of them at most: run `ethtool -L %s rx %u tx %u`, or ask for mode generic",
			info->name, q->rx, q->tx, q->max_tx, info->driver, info->name, rx_tx, rx_tx);
	return 0;
}

static int combined_queues(const struct netdev_info *info, const struct preflight_wish *wish, struct complaint *c)
{
	const struct ethtool_queues *q = &info->queues;

	if (!goes_native(wish) || queues_of(info) != DRIVER_COMBINED || !(q->rx || q->tx))
		return 0;
	return complain(c, -EOPNOTSUPP,
		"%s receives by %u queues and sends by %u others, and its driver, %s, runs XDP only on combined ones: "
		"run `ethtool -L %s rx 0 tx 0 combined %u`, or ask for mode generic",
		info->name, q->rx, q->tx, info->driver, info->name, q->rx ? q->rx : q->tx);
}

static int few_cpus(const struct netdev_info *info, const struct preflight_wish *wish, struct complaint *c)
{
	if (!goes_native(wish) || queues_of(info) != DRIVER_CPUS_128 || wish->n_cpus <= 128)
		return 0;
	return complain(c, -EOPNOTSUPP,
		"the driver of %s, %s, runs XDP on hosts of 128 CPUs at most, and this one may have %u: ask for mode "
		"generic",
		info->name, info->driver, wish->n_cpus);
}

static int visible_tags(const struct netdev_info *info, const struct preflight_wish *wish, struct complaint *c)
{
	if (!info->rx_vlan_offload || !info->rx_vlan_fixed || info->kind == NETDEV_VETH || wish->hook == DP_HOOK_TC)
		return 0;
	return complain(c, -EOPNOTSUPP,
		"the driver of %s takes VLAN tags off its frames (rx-vlan offload) and does not let that be switched "
		"off: a "
		"switch would not see the tags, so the device cannot be a port",
		info->name);
}

static check *const checks[] = {
	no_loopback, no_tun, ethernet, no_vlan_device, no_bridge, /* what it is */
	no_master, no_default_route, no_other_program,            /* whose it is */
	veth_mtu, veth_queues, /* before the driver is asked, which says no without the reason */
	native_driver, redirecting_driver, offload_driver, buffer_mtu, visible_tags, /* what its driver can do */
	half_of_the_queues, combined_queues, few_cpus,                               /* and with what queues */
};

int preflight(const struct netdev_info *info, const struct preflight_wish *wish, struct complaint *c)
{
	int error = 0;

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]) && !error; i++)
		error = checks[i](info, wish, c);
	return error;
}

/* ---- advice ---- */

/* Says something, or leaves the text empty. */
typedef void advise(const struct netdev_info *info, const struct preflight_wish *wish, char *text, size_t size);

/* Linux drivers/net/virtio_net.c, virtnet_xdp_set(): "will operate in a slower locked tx mode". */
static void spare_queues(const struct netdev_info *info, const struct preflight_wish *wish, char *text, size_t size)
{
	const struct ethtool_queues *q = &info->queues;

	if (!goes_native(wish) || queues_of(info) != DRIVER_SPARE_A_CPU || !q->max_combined || !wish->n_cpus)
		return;
	if (q->combined + wish->n_cpus <= q->max_combined)
		return;
	if (q->max_combined > wish->n_cpus)
		snprintf(text, size,
			"%s has no spare queue for each of %u CPUs, so that they wait for one another when they send: "
			"`ethtool -L %s combined %u` before it becomes a port helps",
			info->name, wish->n_cpus, info->name, q->max_combined - wish->n_cpus);
	else
		snprintf(text, size,
			"%s has %u queues, so that CPUs wait for one another when they send: give it %u where it is "
			"made "
			"(QEMU: queues=, vectors=)",
			info->name, q->max_combined, wish->n_cpus + 1);
}

static void merged_frames(const struct netdev_info *info, const struct preflight_wish *wish, char *text, size_t size)
{
	bool lro = info->lro && info->lro_fixed, gro = info->gro_hw && info->gro_hw_fixed;
	const struct driver *driver = driver_find(info->driver);

	if (lro || gro)
		snprintf(text, size,
			"the driver of %s%s%s makes one frame of several (%s) and does not let that be switched off: "
			"TCP "
			"that comes in by it will crawl%s%s",
			info->name, driver_comma(info), driver_name(info), lro ? "LRO" : "hardware GRO",
			driver && driver->note[0] ? "; of this driver is known: " : "", driver ? driver->note : "");
}

static advise *const advisers[] = {spare_queues, merged_frames};

void preflight_advise(
	const struct netdev_info *info, const struct preflight_wish *wish, char ret[PREFLIGHT_ADVICE_SIZE])
{
	size_t used = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < sizeof(advisers) / sizeof(advisers[0]); i++) {
		char text[PREFLIGHT_ADVICE_SIZE] = "";

		advisers[i](info, wish, text, sizeof(text));
		if (text[0] && used < PREFLIGHT_ADVICE_SIZE)
			used += (size_t)snprintf(
				ret + used, PREFLIGHT_ADVICE_SIZE - used, "%s%s", used ? ". " : "", text);
	}
}

void preflight_address(const struct netdev_info *info, char ret[PREFLIGHT_ADVICE_SIZE])
{
	ret[0] = '\0';
	if (info->host_address[0])
		snprintf(ret, PREFLIGHT_ADVICE_SIZE,
			"%s has the address %s of this host, which is not reached by it while it is a port: move it to "
			"an "
			"internal port (`port add BRIDGE NAME type internal`, `ip addr del %s dev %s`, `ip addr add %s "
			"dev NAME`)",
			info->name, info->host_address, info->host_address, info->name, info->host_address);
}
