/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/preflight.h"

#include "dataplane/complaint.h"

#include <errno.h>
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

static int native_driver(const struct netdev_info *info, const struct preflight_wish *wish, struct complaint *c)
{
	if (wish->mode != PORT_MODE_NATIVE || !info->xdp_features_known || (info->xdp_features & NETDEV_XDP_BASIC))
		return 0;
	return complain(c, -EOPNOTSUPP, "the driver of %s%s%s has no native XDP: ask for mode generic or auto",
		info->name, info->kind_name[0] ? ", " : "", info->kind_name);
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
static int driver_mtu(const struct netdev_info *info, const struct preflight_wish *wish, struct complaint *c)
{
	uint32_t limit = one_page();

	if (!goes_native(wish) || info->kind == NETDEV_VETH || info->kind == NETDEV_TAP)
		return 0;
	if (!(info->xdp_features & NETDEV_XDP_BASIC) || (info->xdp_features & NETDEV_XDP_RX_SG) || info->mtu <= limit)
		return 0;
	return complain(c, -ERANGE,
		"the MTU of %s is %u, and its driver runs XDP only on frames of one page: run `ip link set %s mtu %u`, "
		"or ask "
		"for mode generic",
		info->name, info->mtu, info->name, limit);
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
	native_driver, offload_driver, driver_mtu, visible_tags, /* what its driver can do */
};

int preflight(const struct netdev_info *info, const struct preflight_wish *wish, struct complaint *c)
{
	int error = 0;

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]) && !error; i++)
		error = checks[i](info, wish, c);
	return error;
}
