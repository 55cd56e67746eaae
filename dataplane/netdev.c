/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/netdev.h"

#include "dataplane/ethtool.h"
#include "dataplane/netdev_reader.h"
#include "dataplane/netlink.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define DUMP_TRIES 3

/* A device as one link message describes it; the rest of `info` takes more questions. */
struct link {
	struct netdev_info info;
	uint32_t master; /* ifindexes; 0: none */
	uint32_t lower;
};

struct links {
	struct link *links;
	size_t n, room;
};

int netdev_query(const char *name, struct netdev_info *ret)
{
	struct netdev_reader reader;
	int error = netdev_reader_open(&reader);

	if (error)
		return error;
	error = netdev_reader_query(&reader, name, 0, ret);
	netdev_reader_close(&reader);
	return error;
}

int netdev_query_ifindex(uint32_t ifindex, struct netdev_info *ret)
{
	struct netdev_reader reader;
	int error = netdev_reader_open(&reader);

	if (error)
		return error;
	error = netdev_reader_query(&reader, NULL, ifindex, ret);
	netdev_reader_close(&reader);
	return error;
}

/* ---- the reader ---- */

int netdev_reader_open(struct netdev_reader *reader)
{
	int error;

	memset(reader, 0, sizeof(*reader));
	reader->ioctl_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (reader->ioctl_fd < 0)
		return -errno;
	error = netlink_open(NETLINK_ROUTE, -1, &reader->route);
	if (error)
		goto close_ioctl;
	error = netdev_features_open(&reader->generic, &reader->family, NULL);
	if (error && error != -ENOENT)
		goto close_route;
	error = netdev_default_routes(&reader->default_routes, &reader->n_default_routes);
	if (error)
		goto close_generic;
	error = netdev_addresses(reader->route, &reader->addresses, &reader->n_addresses);
	if (error)
		goto free_routes;
	return 0;

free_routes:
	free(reader->default_routes);
close_generic:
	netlink_close(reader->generic);
close_route:
	netlink_close(reader->route);
close_ioctl:
	close(reader->ioctl_fd);
	return error;
}

void netdev_reader_close(struct netdev_reader *reader)
{
	free(reader->addresses);
	free(reader->default_routes);
	netlink_close(reader->generic);
	netlink_close(reader->route);
	close(reader->ioctl_fd);
}

/* ---- one link message ---- */

static const struct {
	const char *name; /* IFLA_INFO_KIND */
	enum netdev_kind kind;
} kinds[] = {
	{"veth", NETDEV_VETH},
	{"tun", NETDEV_TAP}, /* or tun: see read_tun() */
	{"vlan", NETDEV_VLAN},
	{"bridge", NETDEV_BRIDGE},
	{"bond", NETDEV_BOND},
	{"dummy", NETDEV_DUMMY},
};

static enum netdev_kind kind_of(const char *name, const struct ifinfomsg *header)
{
	if (header->ifi_flags & IFF_LOOPBACK)
		return NETDEV_LOOPBACK;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(name, kinds[i].name) == 0)
			return kinds[i].kind;
	}
	return NETDEV_OTHER;
}

/* A tap has room for 256 queues and uses those that somebody opened and enabled. */
static void read_tun(const struct nl_attrs *data, struct netdev_info *info)
{
	if (nl_u8(data, IFLA_TUN_TYPE, IFF_TAP) == IFF_TUN)
		info->kind = NETDEV_TUN;
	info->permanent_tap = nl_u8(data, IFLA_TUN_PERSIST, 0);
	info->rx_queues = 1;
	info->multi_queue_tap = nl_u8(data, IFLA_TUN_MULTI_QUEUE, 0);
	if (info->multi_queue_tap && nl_u32(data, IFLA_TUN_NUM_QUEUES, 1) > 1)
		info->rx_queues = nl_u32(data, IFLA_TUN_NUM_QUEUES, 1);
	info->tx_queues = info->rx_queues;
}

static void read_kind(const struct ifinfomsg *header, const struct nl_attrs *attrs, struct link *link)
{
	struct netdev_info *info = &link->info;
	struct nl_attrs linkinfo, data;

	nl_nested(attrs, IFLA_LINKINFO, &linkinfo);
	nl_nested(&linkinfo, IFLA_INFO_DATA, &data);
	snprintf(info->kind_name, sizeof(info->kind_name), "%s", nl_text(&linkinfo, IFLA_INFO_KIND));
	info->kind = kind_of(info->kind_name, header);
	info->peer.nsid = -1;
	if (info->kind == NETDEV_TAP)
		read_tun(&data, info);
	if (info->kind == NETDEV_VLAN && !nl_has(attrs, IFLA_LINK_NETNSID))
		link->lower = nl_u32(attrs, IFLA_LINK, 0);
	if (info->kind == NETDEV_VETH) {
		info->peer.ifindex = nl_u32(attrs, IFLA_LINK, 0);
		info->peer.nsid = (int32_t)nl_u32(attrs, IFLA_LINK_NETNSID, (uint32_t)-1);
	}
}

uint32_t netdev_program_of(const struct nl_attrs *link)
{
	struct nl_attrs xdp;
	uint32_t id;

	nl_nested(link, IFLA_XDP, &xdp);
	id = nl_u32(&xdp, IFLA_XDP_PROG_ID, 0);
	for (uint16_t mode = IFLA_XDP_DRV_PROG_ID; mode <= IFLA_XDP_HW_PROG_ID && !id; mode++)
		id = nl_u32(&xdp, mode, 0); /* several are attached */
	return id;
}

static void read_link(const struct nl_message *message, struct link *link)
{
	const struct ifinfomsg *header = message->header;
	struct netdev_info *info = &link->info;
	struct nl_attrs attrs;
	const void *mac;
	size_t size = 0;

	nl_attrs(message, &attrs);
	memset(link, 0, sizeof(*link));
	info->ifindex = (uint32_t)header->ifi_index;
	snprintf(info->name, sizeof(info->name), "%s", nl_text(&attrs, IFLA_IFNAME));
	info->ethernet = header->ifi_type == ARPHRD_ETHER;
	info->admin_up = header->ifi_flags & IFF_UP;
	info->carrier = header->ifi_flags & IFF_LOWER_UP;
	info->promiscuous = header->ifi_flags & IFF_PROMISC;
	info->mtu = nl_u32(&attrs, IFLA_MTU, 0);
	info->rx_queues = nl_u32(&attrs, IFLA_NUM_RX_QUEUES, 1);
	info->tx_queues = nl_u32(&attrs, IFLA_NUM_TX_QUEUES, 1);
	link->master = nl_u32(&attrs, IFLA_MASTER, 0);
	mac = nl_data(&attrs, IFLA_ADDRESS, &size);
	if (mac && size == sizeof(info->mac))
		memcpy(info->mac, mac, size);
	info->xdp_prog_id = netdev_program_of(&attrs);
	read_kind(header, &attrs, link);
}

/* ---- what a link message does not say ---- */

static void name_of(const struct netdev_reader *reader, uint32_t ifindex, char *ret)
{
	struct ifreq ifr = {.ifr_ifindex = (int)ifindex};

	if (ifindex && ioctl(reader->ioctl_fd, SIOCGIFNAME, &ifr) == 0)
		snprintf(ret, SW_NAME_SIZE, "%.*s", SW_NAME_SIZE - 1, ifr.ifr_name);
}

static bool carries_default_route(const struct netdev_reader *reader, uint32_t ifindex)
{
	for (size_t i = 0; i < reader->n_default_routes; i++) {
		if (reader->default_routes[i] == ifindex)
			return true;
	}
	return false;
}

/* A tap that nobody has opened says 0, and has one. */
static void read_queues(const struct netdev_reader *reader, struct netdev_info *info)
{
	uint32_t rx, tx;

	if (ethtool_get_channels(reader->ioctl_fd, info->name, &info->queues))
		return;
	rx = info->queues.rx + info->queues.combined;
	tx = info->queues.tx + info->queues.combined;
	info->rx_queues = rx ? rx : 1;
	info->tx_queues = tx ? tx : 1;
}

static void complete(const struct netdev_reader *reader, struct link *link)
{
	struct netdev_info *info = &link->info;
	struct ethtool_features features;

	name_of(reader, link->master, info->master);
	name_of(reader, link->lower, info->lower);
	if (ethtool_get_features(reader->ioctl_fd, info->name, &features) == 0) {
		info->rx_vlan_offload = features.on[ETHTOOL_RX_VLAN];
		info->rx_vlan_fixed = features.fixed[ETHTOOL_RX_VLAN];
		info->lro = features.on[ETHTOOL_LRO];
		info->lro_fixed = features.fixed[ETHTOOL_LRO];
		info->gro_hw = features.on[ETHTOOL_GRO_HW];
		info->gro_hw_fixed = features.fixed[ETHTOOL_GRO_HW];
	}
	ethtool_get_driver(reader->ioctl_fd, info->name, info->driver);
	ethtool_get_link(reader->ioctl_fd, info->name, &info->link);
	read_queues(reader, info);
	netdev_address_of(reader, info->ifindex, info->host_address, sizeof(info->host_address));
	info->default_route = carries_default_route(reader, info->ifindex);
	netdev_features_read(reader, info);
	if (info->kind == NETDEV_VETH)
		netdev_peer_read(reader, info);
}

/* ---- one, and all ---- */

static int link_came(void *ctx, const struct nl_message *message)
{
	read_link(message, ctx);
	return 0;
}

int netdev_reader_query(struct netdev_reader *reader, const char *name, uint32_t ifindex, struct netdev_info *ret)
{
	struct ifinfomsg header = {.ifi_index = (int)ifindex};
	struct nl_request request;
	struct link link;
	int error;

	if (name ? !name[0] || strlen(name) >= SW_NAME_SIZE : !ifindex)
		return -ENODEV;
	nl_begin(&request, RTM_GETLINK, 0, &header, sizeof(header));
	if (name)
		nl_put_text(&request, IFLA_IFNAME, name);
	nl_put_u32(&request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	memset(&link, 0, sizeof(link));
	error = netlink_call(reader->route, &request, sizeof(header), link_came, &link);
	if (error)
		return error;
	complete(reader, &link);
	*ret = link.info;
	return 0;
}

static int one_of_all_came(void *ctx, const struct nl_message *message)
{
	struct links *links = ctx;

	if (links->n == links->room) {
		size_t room = links->room ? 2 * links->room : 64;
		struct link *grown = realloc(links->links, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		links->links = grown;
		links->room = room;
	}
	read_link(message, &links->links[links->n++]);
	return 0;
}

static int dump(struct netdev_reader *reader, struct links *links)
{
	struct ifinfomsg header = {.ifi_family = AF_UNSPEC};
	struct nl_request request;
	int error = -EINTR;

	for (int i = 0; i < DUMP_TRIES && error == -EINTR; i++) {
		links->n = 0;
		nl_begin(&request, RTM_GETLINK, NLM_F_DUMP, &header, sizeof(header));
		nl_put_u32(&request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
		error = netlink_call(reader->route, &request, sizeof(header), one_of_all_came, links);
	}
	return error == -EINTR ? 0 : error; /* what disturbed it is news of its own */
}

int netdev_reader_all(struct netdev_reader *reader, struct netdev_info **ret, size_t *ret_n)
{
	struct links links = {.n = 0};
	struct netdev_info *infos = NULL;
	int error = dump(reader, &links);

	if (!error && links.n) {
		infos = calloc(links.n, sizeof(*infos));
		if (!infos)
			error = -ENOMEM;
	}
	if (error) {
		free(links.links);
		return error;
	}
	for (size_t i = 0; i < links.n; i++) {
		complete(reader, &links.links[i]);
		infos[i] = links.links[i].info;
	}
	free(links.links);
	*ret = infos;
	*ret_n = links.n;
	return 0;
}
