/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Devices made, removed and set. Each is made by one request to the kernel, so that a crash leaves none half made: a
 * veth pair with its peer in place and both ends up by one message; a tap goes with its descriptor until it is
 * persistent.
 */
#include "dataplane/netdev_reader.h"

#include "dataplane/complaint.h"
#include "dataplane/ethtool.h"
#include "dataplane/netlink.h"
#include "dataplane/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef IFF_TUN_EXCL
#define IFF_TUN_EXCL 0x8000
#endif

/* ---- names ---- */

static int valid_name(const char *name, struct complaint *c)
{
	if (!name[0] || strlen(name) >= SW_NAME_SIZE || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
		strpbrk(name, "/: \t\n\v\f\r%"))
		return complain(c, -EINVAL, "%.40s is no name for a device: 1 to %d bytes without /, :, %% and blanks",
			name, SW_NAME_SIZE - 1);
	return 0;
}

static int kind_came(void *ctx, const struct nl_message *message)
{
	struct nl_attrs attrs, linkinfo;
	const char *kind;

	nl_attrs(message, &attrs);
	nl_nested(&attrs, IFLA_LINKINFO, &linkinfo);
	kind = nl_text(&linkinfo, IFLA_INFO_KIND);
	snprintf(ctx, SW_NAME_SIZE, "%s", kind[0] ? kind : "device");
	return 0;
}

/* The name must be nobody's: else -EEXIST, with what has it in `ret_kind`. */
static int ask_for_name(
	struct netlink *route, const char *name, char ret_kind[static SW_NAME_SIZE], struct complaint *c)
{
	struct ifinfomsg header = {.ifi_family = AF_UNSPEC};
	struct nl_request request;
	int error;

	nl_begin(&request, RTM_GETLINK, 0, &header, sizeof(header));
	nl_put_text(&request, IFLA_IFNAME, name);
	nl_put_u32(&request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	error = netlink_call(route, &request, sizeof(header), kind_came, ret_kind);
	if (error == -ENODEV)
		return 0;
	return error ? complain(c, error, "%s: %s", name, netlink_reason(route)) : -EEXIST;
}

/* Nobody is told to remove a device of this namespace: it may be the one by which they are here. */
static int free_name(struct netlink *route, const char *name, struct complaint *c)
{
	char kind[SW_NAME_SIZE] = "device";
	int error = ask_for_name(route, name, kind, c);

	if (error == -EEXIST)
		complain(c, error, "there is a %s named %s already: choose another name", kind, name);
	return error;
}

/* ---- tap ---- */

static int open_tap(int fd, const char *name, uint32_t queues)
{
	struct ifreq ifr = {.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL)};

	if (queues > 1)
		ifr.ifr_flags |= IFF_MULTI_QUEUE;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	return ioctl(fd, TUNSETIFF, &ifr) ? -errno : 0;
}

static int raise_by_name(struct netlink *route, const char *name)
{
	struct ifinfomsg header = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	struct nl_request request;

	nl_begin(&request, RTM_NEWLINK, 0, &header, sizeof(header));
	nl_put_text(&request, IFLA_IFNAME, name);
	return netlink_call(route, &request, sizeof(header), NULL, NULL);
}

static void remove_by_name(struct netlink *route, const char *name)
{
	struct ifinfomsg header = {.ifi_family = AF_UNSPEC};
	struct nl_request request;

	nl_begin(&request, RTM_DELLINK, 0, &header, sizeof(header));
	nl_put_text(&request, IFLA_IFNAME, name);
	netlink_call(route, &request, sizeof(header), NULL, NULL);
}

static int make_tap(struct netlink *route, const char *name, uint32_t queues, struct complaint *c)
{
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC), error;

	if (fd < 0)
		return complain(c, -errno, "/dev/net/tun: %s (is the kernel's tun module there?)", strerror(errno));
	error = open_tap(fd, name, queues);
	if (!error)
		error = raise_by_name(route, name);
	/* One without an owner anybody may open who may open /dev/net/tun, and that is everybody where udev runs. */
	if (!error && ioctl(fd, TUNSETOWNER, 0))
		error = -errno;
	/* Last, so that the device is whole or goes with the descriptor. */
	if (!error && ioctl(fd, TUNSETPERSIST, 1))
		error = -errno;
	close(fd);
	if (error)
		return complain(c, error, "tap %s cannot be made: %s", name, strerror(-error));
	return 0;
}

int netdev_create_tap(const char *name, uint32_t queues, struct complaint *c)
{
	struct netlink *route;
	int error = valid_name(name, c);

	if (error)
		return error;
	error = netlink_open(NETLINK_ROUTE, -1, &route);
	if (error)
		return complain(c, error, "no netlink socket: %s", strerror(-error));
	error = free_name(route, name, c);
	if (!error)
		error = make_tap(route, name, queues, c);
	netlink_close(route);
	return error;
}

/* ---- veth ---- */

struct pair {
	const char *name, *peer;
	const char *netns; /* the peer's, by name; NULL: it has none, or it is ours */
	int netns_fd;      /* -1: ours */
	const uint8_t *mac;
	uint32_t mtu;
};

static int free_peer_name(const char *peer, const char *netns, int netns_fd, struct complaint *c)
{
	struct netlink *route;
	char kind[SW_NAME_SIZE] = "device";
	int error = netlink_open(NETLINK_ROUTE, netns_fd, &route);

	if (error)
		return complain(c, error, "no netlink socket: %s", strerror(-error));
	error = ask_for_name(route, peer, kind, c);
	netlink_close(route);
	if (error == -EEXIST && netns)
		complain(c, error,
			"there is a %s named %s in namespace %s already: choose another name, or remove it with "
			"`ip -n %s link del %s`",
			kind, peer, netns, netns, peer);
	else if (error == -EEXIST && netns_fd >= 0)
		complain(c, error, "there is a %s named %s in the other namespace already: choose another name", kind,
			peer);
	else if (error == -EEXIST)
		complain(c, error,
			"there is a %s named %s in the switch's own namespace already: choose another name for the "
			"peer, or say in which namespace it is to be (netns NAME)",
			kind, peer);
	return error;
}

/*
 * The message makes the peer, and our end as *its* peer: the kernel opens only the first of the two at birth (the other
 * would have no peer yet: ENOTCONN), and the one in another namespace is the one that is harder to raise later.
 */
static int make_veth(struct netlink *route, const struct pair *pair, struct complaint *c)
{
	const char *name = pair->name, *peer = pair->peer;
	struct ifinfomsg header = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP}, down = {.ifi_family = AF_UNSPEC};
	void *linkinfo, *data, *ours;
	struct nl_request request;
	int error;

	nl_begin(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header));
	nl_put_text(&request, IFLA_IFNAME, peer);
	if (pair->netns_fd >= 0)
		nl_put_u32(&request, IFLA_NET_NS_FD, (uint32_t)pair->netns_fd);
	if (pair->mac)
		nl_put(&request, IFLA_ADDRESS, pair->mac, 6);
	if (pair->mtu)
		nl_put_u32(&request, IFLA_MTU, pair->mtu);
	linkinfo = nl_nest(&request, IFLA_LINKINFO, NULL, 0);
	nl_put_text(&request, IFLA_INFO_KIND, "veth");
	data = nl_nest(&request, IFLA_INFO_DATA, NULL, 0);
	ours = nl_nest(&request, VETH_INFO_PEER, &down, sizeof(down));
	nl_put_text(&request, IFLA_IFNAME, name);
	if (pair->mtu)
		nl_put_u32(&request, IFLA_MTU, pair->mtu);
	nl_nest_end(&request, ours);
	nl_nest_end(&request, data);
	nl_nest_end(&request, linkinfo);
	error = netlink_call(route, &request, sizeof(header), NULL, NULL);
	if (error)
		return complain(c, error, "the veth pair %s, %s cannot be made: %s", name, peer, netlink_reason(route));
	error = raise_by_name(route, name);
	if (error) {
		complain(c, error, "%s cannot be brought up: %s", name, netlink_reason(route));
		remove_by_name(route, name);
	}
	return error;
}

static int create_veth(const struct pair *pair, struct complaint *c)
{
	struct netlink *route;
	int error = netlink_open(NETLINK_ROUTE, -1, &route);

	if (error)
		return complain(c, error, "no netlink socket: %s", strerror(-error));
	error = free_name(route, pair->name, c);
	if (!error)
		error = free_peer_name(pair->peer, pair->netns, pair->netns_fd, c);
	if (!error)
		error = make_veth(route, pair, c);
	netlink_close(route);
	return error;
}

int netdev_create_veth(const char *name, const char *peer, const char *netns, struct complaint *c)
{
	struct pair pair = {.name = name, .peer = peer, .netns = netns, .netns_fd = -1};
	int error = valid_name(name, c);

	if (!error)
		error = valid_name(peer, c);
	if (!error && !netns && strcmp(name, peer) == 0)
		error = complain(
			c, -EINVAL, "both ends of the veth pair are named %s: choose another name for one", name);
	if (!error && netns)
		error = netns_open(netns, &pair.netns_fd, c);
	if (error)
		return error;
	error = create_veth(&pair, c);
	if (pair.netns_fd >= 0)
		close(pair.netns_fd);
	return error;
}

int netdev_create_veth_in(
	const char *name, const char *peer, int netns_fd, const uint8_t *mac, uint32_t mtu, struct complaint *c)
{
	const struct pair pair = {.name = name, .peer = peer, .netns_fd = netns_fd, .mac = mac, .mtu = mtu};
	int error = valid_name(name, c);

	if (!error)
		error = valid_name(peer, c);
	return error ? error : create_veth(&pair, c);
}

/* ---- removing and setting ---- */

/* A request about one device, told by ifindex. `doing` reads "remove", "bring up". */
static int change(
	uint16_t type, const struct ifinfomsg *header, const uint32_t *mtu, const char *doing, struct complaint *c)
{
	char name[IFNAMSIZ] = "";
	struct nl_request request;
	struct netlink *route;
	int error = netlink_open(NETLINK_ROUTE, -1, &route);

	if (error)
		return complain(c, error, "no netlink socket: %s", strerror(-error));
	nl_begin(&request, type, 0, header, sizeof(*header));
	if (mtu)
		nl_put_u32(&request, IFLA_MTU, *mtu);
	error = netlink_call(route, &request, sizeof(*header), NULL, NULL);
	if (error) {
		struct ifreq ifr = {.ifr_ifindex = header->ifi_index};
		int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

		if (fd >= 0 && ioctl(fd, SIOCGIFNAME, &ifr) == 0)
			snprintf(name, sizeof(name), "%.*s", IFNAMSIZ - 1, ifr.ifr_name);
		if (fd >= 0)
			close(fd);
		complain(c, error, "cannot %s %s (ifindex %d): %s", doing, name[0] ? name : "a device that is gone",
			header->ifi_index, netlink_reason(route));
	}
	netlink_close(route);
	return error;
}

int netdev_delete(uint32_t ifindex, struct complaint *c)
{
	struct ifinfomsg header = {.ifi_index = (int)ifindex};

	if (!ifindex)
		return complain(c, -ENODEV, "no device was named");
	return change(RTM_DELLINK, &header, NULL, "remove", c);
}

static int set_flag(uint32_t ifindex, unsigned flag, bool on, const char *doing, struct complaint *c)
{
	struct ifinfomsg header = {.ifi_index = (int)ifindex, .ifi_flags = on ? flag : 0, .ifi_change = flag};

	if (!ifindex)
		return complain(c, -ENODEV, "no device was named");
	return change(RTM_NEWLINK, &header, NULL, doing, c);
}

int netdev_set_up(uint32_t ifindex, struct complaint *c)
{
	return set_flag(ifindex, IFF_UP, true, "bring up", c);
}

int netdev_set_promiscuous(uint32_t ifindex, bool on, struct complaint *c)
{
	return set_flag(ifindex, IFF_PROMISC, on, on ? "make promiscuous" : "end the promiscuity of", c);
}

int netdev_set_mtu(uint32_t ifindex, uint32_t mtu, struct complaint *c)
{
	struct ifinfomsg header = {.ifi_index = (int)ifindex};
	char doing[40];

	if (!ifindex)
		return complain(c, -ENODEV, "no device was named");
	snprintf(doing, sizeof(doing), "set an MTU of %u on", mtu);
	return change(RTM_NEWLINK, &header, &mtu, doing, c);
}

int netdev_set_offload(const char *name, enum netdev_offload offload, bool on, struct complaint *c)
{
	static const struct {
		enum ethtool_feature feature;
		const char *word;
	} rows[] = {
		[NETDEV_OFFLOAD_RX_VLAN] = {ETHTOOL_RX_VLAN, "rx-vlan offload"},
		[NETDEV_OFFLOAD_LRO] = {ETHTOOL_LRO, "LRO"},
		[NETDEV_OFFLOAD_GRO_HW] = {ETHTOOL_GRO_HW, "hardware GRO"},
	};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), error;

	if (fd < 0)
		return complain(c, -errno, "no socket: %s", strerror(errno));
	error = ethtool_set_feature(fd, name, rows[offload].feature, on);
	close(fd);
	if (error == -EOPNOTSUPP)
		return complain(c, error, "the driver of %s does not let %s be switched %s", name, rows[offload].word,
			on ? "on" : "off");
	if (error)
		return complain(c, error, "%s of %s: %s", rows[offload].word, name, strerror(-error));
	return 0;
}
