/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/port_limits.h"

#include "dataplane/driver.h"
#include "dataplane/netdev.h"

#include <stdio.h>
#include <string.h>

#define ETHERNET_OVERHEAD 18   /* header and one tag */
#define ONE_BUFFER        3500 /* bytes of a frame that fit into a page beside headroom and the end of an skb */

static void limit_by_mtus(const struct netdev_info *info, struct port_limits *ret)
{
	uint32_t peer = info->kind == NETDEV_VETH && info->peer.mtu ? info->peer.mtu : info->mtu;

	ret->mtu = peer < info->mtu ? peer : info->mtu;
	ret->max_frame = ret->mtu + ETHERNET_OVERHEAD;
	ret->max_rx_frame = (peer > info->mtu ? peer : info->mtu) + ETHERNET_OVERHEAD;
}

static bool is_known_not_to_send(const struct netdev_info *info)
{
	const struct driver *driver = driver_find(info->driver);

	return driver && !(driver->in_6_1 & NETDEV_XDP_XMIT);
}

/* Before Linux 6.3 the kernel does not tell, and redirects no frame in several buffers. */
static void limit_by_driver(const struct netdev_info *info, enum dp_mode mode, struct port_limits *ret)
{
	ret->fast = info->takes_redirects > 0;
	if (info->takes_redirects < 0)
		ret->fast = info->kind == NETDEV_VETH ? info->peer.reachable && info->peer.gro
						      : mode == DP_MODE_NATIVE && !is_known_not_to_send(info);
	ret->sg = ret->fast && (info->xdp_features & NETDEV_XDP_XMIT_SG);
}

static void describe(const struct netdev_info *info, struct port_limits *ret)
{
	if (ret->fast && (ret->sg || info->mtu <= ONE_BUFFER))
		snprintf(ret->path, sizeof(ret->path), "redirect");
	else if (ret->fast)
		snprintf(ret->path, sizeof(ret->path),
			"redirect; slow path for frames in several buffers (above about %u bytes), which its driver "
			"does not take",
			ONE_BUFFER);
	else if (info->kind == NETDEV_VETH)
		snprintf(ret->path, sizeof(ret->path), "slow path: the peer of %s has no NAPI (GRO is off there)",
			info->name);
	else
		snprintf(ret->path, sizeof(ret->path), "slow path: the driver of %s takes no redirected frames",
			info->name);
}

void port_limits_of(const struct netdev_info *info, enum dp_mode mode, struct port_limits *ret)
{
	memset(ret, 0, sizeof(*ret));
	limit_by_mtus(info, ret);
	limit_by_driver(info, mode, ret);
	describe(info, ret);
}
