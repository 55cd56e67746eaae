/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The other end of a veth: looked at, and made able to take what the switch redirects to it.
 *
 * Its name, MTU and queues come by netlink from here, which knows its namespace by number (IFLA_TARGET_NETNSID); its
 * offloads only by an ioctl on a socket made inside.
 */
#include "dataplane/netdev_reader.h"

#include "dataplane/complaint.h"
#include "dataplane/ethtool.h"
#include "dataplane/log.h"
#include "dataplane/netlink.h"
#include "dataplane/netns.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int link_came(void *ctx, const struct nl_message *message)
{
	struct netdev_peer *peer = ctx;
	struct nl_attrs attrs;

	nl_attrs(message, &attrs);
	snprintf(peer->name, sizeof(peer->name), "%s", nl_text(&attrs, IFLA_IFNAME));
	peer->mtu = nl_u32(&attrs, IFLA_MTU, 0);
	peer->has_program = netdev_program_of(&attrs) != 0;
	return 0;
}

static int read_link(struct netlink *route, struct netdev_peer *peer)
{
	struct ifinfomsg header = {.ifi_index = (int)peer->ifindex};
	struct nl_request request;

	if (!peer->ifindex)
		return -ENODEV;
	nl_begin(&request, RTM_GETLINK, 0, &header, sizeof(header));
	if (peer->nsid >= 0)
		nl_put_u32(&request, IFLA_TARGET_NETNSID, (uint32_t)peer->nsid);
	nl_put_u32(&request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	return netlink_call(route, &request, sizeof(header), link_came, peer);
}

/* A socket for ioctls where the peer lives; the caller closes it soon. */
static int enter(const struct netdev_peer *peer, int *ret_fd)
{
	int netns_fd = -1, error;

	if (peer->nsid >= 0) {
		error = netns_find(peer->nsid, &netns_fd);
		if (error)
			return error;
	}
	error = netns_socket(netns_fd, AF_INET, SOCK_DGRAM, 0, ret_fd);
	if (netns_fd >= 0)
		close(netns_fd);
	return error;
}

void netdev_peer_read(const struct netdev_reader *reader, struct netdev_info *info)
{
	struct netdev_peer *peer = &info->peer;
	struct ethtool_features features;
	struct ethtool_queues queues;
	int fd;

	if (read_link(reader->route, peer) || enter(peer, &fd))
		return;
	if (ethtool_get_features(fd, peer->name, &features) == 0 &&
		ethtool_get_channels(fd, peer->name, &queues) == 0) {
		peer->reachable = true;
		peer->tx_queues = queues.tx + queues.combined;
		peer->gro = features.on[ETHTOOL_GRO];
		peer->tx_vlan_offload = features.on[ETHTOOL_TX_VLAN];
	}
	close(fd);
}

static int set(int fd, const struct netdev_info *veth, const struct netdev_peer *peer, enum ethtool_feature feature,
	bool on, struct complaint *c)
{
	const char *word = ethtool_feature_word(feature);
	int error = ethtool_set_feature(fd, peer->name, feature, on);

	if (error)
		return complain(c, error, "%s of %s, the peer of %s, cannot be switched %s: %s", word, peer->name,
			veth->name, on ? "on" : "off", strerror(-error));
	log_info("%s: switched %s %s on its peer %s", veth->name, word, on ? "on" : "off", peer->name);
	return 0;
}

/* Tags first: once GRO is on frames flow. */
static int prepare(int fd, const struct netdev_info *veth, const struct netdev_peer *peer, struct complaint *c)
{
	struct ethtool_features now;
	int error = ethtool_get_features(fd, peer->name, &now);

	if (error)
		return complain(c, error, "the offloads of %s, the peer of %s, cannot be read: %s", peer->name,
			veth->name, strerror(-error));
	if (now.on[ETHTOOL_TX_VLAN])
		error = set(fd, veth, peer, ETHTOOL_TX_VLAN, false, c);
	if (!error && !now.on[ETHTOOL_GRO])
		error = set(fd, veth, peer, ETHTOOL_GRO, true, c);
	return error;
}

int netdev_prepare_peer(const struct netdev_info *veth, struct complaint *c)
{
	struct netdev_peer peer = {.ifindex = veth->peer.ifindex, .nsid = veth->peer.nsid};
	struct netlink *route;
	int fd, error;

	if (veth->kind != NETDEV_VETH || !peer.ifindex)
		return complain(c, -EINVAL, "%s has no peer that could be prepared", veth->name);
	error = netlink_open(NETLINK_ROUTE, -1, &route);
	if (error)
		return complain(c, error, "no netlink socket: %s", strerror(-error));
	error = read_link(route, &peer);
	netlink_close(route);
	if (error)
		return complain(c, error, "the peer of %s cannot be looked at: %s", veth->name, strerror(-error));
	error = enter(&peer, &fd);
	if (error)
		return complain(c, error,
			"the namespace of %s, the peer of %s, was not found (no process in it, no name below "
			"/run/netns): run `ethtool -K %s gro on txvlan off` there",
			peer.name, veth->name, peer.name);
	error = prepare(fd, veth, &peer, c);
	close(fd);
	return error;
}
