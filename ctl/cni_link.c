/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/cni_link.h"

#include "ctl/cni_plan.h"
#include "dataplane/complaint.h"
#include "dataplane/ethtool.h"
#include "dataplane/netdev.h"
#include "dataplane/netlink.h"
#include "dataplane/netns.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static enum cni_code refused(struct cni_error *error, const struct cni_request *request, const char *details)
{
	return cni_fail(error, CNI_DEVICE, details, "no veth pair for %s of container %s can be made",
		request->env.ifname, request->env.container_id);
}

static enum cni_code open_route(int netns_fd, struct netlink **ret, struct cni_error *error)
{
	int err = netlink_open(NETLINK_ROUTE, netns_fd, ret);

	return err ? cni_fail(error, CNI_DEVICE, strerror(-err), "no netlink socket in the container's namespace")
		   : CNI_OK;
}

/* ---- the container's end, seen from inside ---- */

struct inside {
	uint32_t ifindex, peer_ifindex, mtu;
	bool up;
	uint8_t mac[6];
};

static int inside_came(void *ctx, const struct nl_message *message)
{
	const struct ifinfomsg *header = message->header;
	struct inside *inside = ctx;
	struct nl_attrs attrs;
	const void *mac;
	size_t size;

	nl_attrs(message, &attrs);
	inside->ifindex = (uint32_t)header->ifi_index;
	inside->up = header->ifi_flags & IFF_UP;
	inside->peer_ifindex = nl_u32(&attrs, IFLA_LINK, 0);
	inside->mtu = nl_u32(&attrs, IFLA_MTU, 0);
	mac = nl_data(&attrs, IFLA_ADDRESS, &size);
	if (mac && size == sizeof(inside->mac))
		memcpy(inside->mac, mac, size);
	return 0;
}

static int look_inside(struct netlink *route, const char *name, struct inside *ret)
{
	struct ifinfomsg header = {.ifi_family = AF_UNSPEC};
	struct nl_request request;

	*ret = (struct inside){0};
	nl_begin(&request, RTM_GETLINK, 0, &header, sizeof(header));
	nl_put_text(&request, IFLA_IFNAME, name);
	nl_put_u32(&request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	return netlink_call(route, &request, sizeof(header), inside_came, ret);
}

/* ---- making ---- */

/* Tags first: once GRO is on frames flow. */
static enum cni_code prepare_inside(const char *name, int netns_fd, struct cni_error *error)
{
	int fd, err = netns_socket(netns_fd, AF_INET, SOCK_DGRAM, 0, &fd);

	if (!err) {
		err = ethtool_set_feature(fd, name, ETHTOOL_TX_VLAN, false);
		if (!err)
			err = ethtool_set_feature(fd, name, ETHTOOL_GRO, true);
		close(fd);
	}
	return err ? cni_fail(error, CNI_DEVICE, strerror(-err), "the offloads of %s cannot be set", name) : CNI_OK;
}

static enum cni_code look(
	const struct cni_request *request, int netns_fd, struct cni_link *link, struct cni_error *error)
{
	struct netdev_info host;
	struct inside inside;
	struct netlink *route;
	enum cni_code code;
	int err = netdev_query(request->port, &host);

	if (err)
		return refused(error, request, strerror(-err));
	code = open_route(netns_fd, &route, error);
	if (code)
		return code;
	if (look_inside(route, request->env.ifname, &inside))
		code = refused(error, request, netlink_reason(route));
	netlink_close(route);
	link->inside_ifindex = inside.ifindex;
	memcpy(link->host_mac, host.mac, sizeof(host.mac));
	memcpy(link->inside_mac, inside.mac, sizeof(inside.mac));
	return code;
}

enum cni_code cni_link_make(
	const struct cni_request *request, int netns_fd, struct cni_link *ret, struct cni_error *error)
{
	struct cni_link link = {0};
	struct cni_error unheard;
	enum cni_code code;
	struct complaint c;

	if (netdev_create_veth_in(request->port, request->env.ifname, netns_fd, request->has_mac ? request->mac : NULL,
		    request->mtu, &c))
		return refused(error, request, c.text);
	code = look(request, netns_fd, &link, error);
	if (!code)
		code = prepare_inside(request->env.ifname, netns_fd, error);
	if (code)
		cni_link_remove(request->port, &unheard);
	else
		*ret = link;
	return code;
}

enum cni_code cni_link_remove(const char *port, struct cni_error *error)
{
	struct netdev_info info;
	struct complaint c;
	int err = netdev_query(port, &info);

	if (err == -ENODEV || (!err && info.kind != NETDEV_VETH))
		return CNI_OK;
	if (err)
		return cni_fail(error, CNI_DEVICE, strerror(-err), "%s cannot be looked at", port);
	err = netdev_delete(info.ifindex, &c);
	if (err && err != -ENODEV) /* its namespace may be on its way out, and the pair with it */
		return cni_fail(error, CNI_DEVICE, c.text, "%s cannot be removed", port);
	return CNI_OK;
}

/* ---- addresses and routes ---- */

static size_t size_of(const struct cni_prefix *prefix)
{
	return prefix->family == AF_INET ? 4 : 16;
}

/* Whoever gave the address sees to it that no other has it: IPv6 is not to ask around for a second before it is used.
 */
static int add_address(struct netlink *route, uint32_t ifindex, const struct cni_prefix *address)
{
	struct ifaddrmsg header = {.ifa_family = (uint8_t)address->family,
		.ifa_prefixlen = address->length,
		.ifa_flags = address->family == AF_INET6 ? IFA_F_NODAD : 0,
		.ifa_index = ifindex};
	struct nl_request request;

	nl_begin(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header));
	nl_put(&request, IFA_LOCAL, address->bytes, size_of(address));
	nl_put(&request, IFA_ADDRESS, address->bytes, size_of(address));
	return netlink_call(route, &request, sizeof(header), NULL, NULL);
}

static int add_route(struct netlink *route, uint32_t ifindex, const struct cni_route *wanted)
{
	bool direct = !wanted->gateway.family;
	struct rtmsg header = {.rtm_family = (uint8_t)wanted->to.family,
		.rtm_dst_len = wanted->to.length,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_BOOT,
		.rtm_scope = direct && wanted->to.family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
		.rtm_type = RTN_UNICAST};
	struct nl_request request;

	/* Behind those that there are: a container of several networks has as many default routes. */
	nl_begin(&request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND, &header, sizeof(header));
	if (wanted->to.length)
		nl_put(&request, RTA_DST, wanted->to.bytes, size_of(&wanted->to));
	if (!direct)
		nl_put(&request, RTA_GATEWAY, wanted->gateway.bytes, size_of(&wanted->gateway));
	nl_put_u32(&request, RTA_OIF, ifindex);
	return netlink_call(route, &request, sizeof(header), NULL, NULL);
}

enum cni_code cni_link_configure(
	const struct cni_link *link, int netns_fd, const struct cni_plan *plan, struct cni_error *error)
{
	struct netlink *route;
	enum cni_code code = open_route(netns_fd, &route, error);
	char text[64];

	if (code)
		return code;
	for (unsigned i = 0; !code && i < plan->n_ips; i++) {
		cni_prefix_format(&plan->ips[i].address, text, sizeof(text));
		if (add_address(route, link->inside_ifindex, &plan->ips[i].address))
			code = cni_fail(
				error, CNI_DEVICE, netlink_reason(route), "the address %s cannot be added", text);
	}
	for (unsigned i = 0; !code && i < plan->n_routes; i++) {
		cni_prefix_format(&plan->routes[i].to, text, sizeof(text));
		if (add_route(route, link->inside_ifindex, &plan->routes[i]))
			code = cni_fail(
				error, CNI_DEVICE, netlink_reason(route), "the route to %s cannot be added", text);
	}
	netlink_close(route);
	return code;
}

/* ---- verifying ---- */

/* What of a plan is still to be found in a dump. */
struct search {
	const struct cni_plan *plan;
	uint32_t ifindex;
	bool ip_found[CNI_MAX_IPS], route_found[CNI_MAX_ROUTES];
};

static bool same(const void *data, size_t size, const struct cni_prefix *prefix)
{
	return data && size == size_of(prefix) && !memcmp(data, prefix->bytes, size);
}

static int address_came(void *ctx, const struct nl_message *message)
{
	const struct ifaddrmsg *header = message->header;
	struct search *search = ctx;
	struct nl_attrs attrs;
	const void *data;
	size_t size = 0;

	if (message->type != RTM_NEWADDR || header->ifa_index != search->ifindex)
		return 0;
	nl_attrs(message, &attrs);
	data = nl_data(&attrs, nl_has(&attrs, IFA_LOCAL) ? IFA_LOCAL : IFA_ADDRESS, &size);
	for (unsigned i = 0; i < search->plan->n_ips; i++) {
		const struct cni_prefix *wanted = &search->plan->ips[i].address;

		if (wanted->family == header->ifa_family && wanted->length == header->ifa_prefixlen &&
			same(data, size, wanted))
			search->ip_found[i] = true;
	}
	return 0;
}

/* The kernel drops what stands behind the length of a prefix, so only the bits in front of it count. */
static bool leads_to(const struct nl_attrs *attrs, const struct rtmsg *header, const struct cni_prefix *to)
{
	const uint8_t *data;
	size_t size = 0, whole = to->length / 8;
	uint8_t mask = (uint8_t)(0xff00 >> to->length % 8);

	if (header->rtm_family != to->family || header->rtm_dst_len != to->length)
		return false;
	data = nl_data(attrs, RTA_DST, &size);
	if (!to->length)
		return true;
	return data && size == size_of(to) && !memcmp(data, to->bytes, whole) &&
	       (!mask || !((data[whole] ^ to->bytes[whole]) & mask));
}

/* A way of a route: out of which interface, by which gateway (NULL: none). */
static void way_came(struct search *search, const struct nl_attrs *attrs, const struct rtmsg *header, uint32_t ifindex,
	const void *gateway, size_t size)
{
	if (ifindex != search->ifindex)
		return;
	for (unsigned i = 0; i < search->plan->n_routes; i++) {
		const struct cni_route *wanted = &search->plan->routes[i];

		if (leads_to(attrs, header, &wanted->to) &&
			(wanted->gateway.family ? same(gateway, size, &wanted->gateway) : !gateway))
			search->route_found[i] = true;
	}
}

/* IPv6 makes one route of several to the same prefix. */
static void ways_came(struct search *search, const struct nl_attrs *attrs, const struct rtmsg *header)
{
	size_t left = 0, step;
	const uint8_t *at = nl_data(attrs, RTA_MULTIPATH, &left);
	struct rtnexthop hop;
	struct rtattr attr;

	for (; at && left >= sizeof(hop); at += step, left -= step) {
		const uint8_t *gateway = NULL;

		memcpy(&hop, at, sizeof(hop));
		if (hop.rtnh_len < sizeof(hop) || hop.rtnh_len > left)
			return;
		for (size_t in = sizeof(hop); in + sizeof(attr) <= hop.rtnh_len; in += RTA_ALIGN(attr.rta_len)) {
			memcpy(&attr, at + in, sizeof(attr));
			if (attr.rta_len < sizeof(attr) || in + attr.rta_len > hop.rtnh_len)
				return;
			if (attr.rta_type == RTA_GATEWAY && attr.rta_len == sizeof(attr) + 16)
				gateway = at + in + sizeof(attr);
		}
		way_came(search, attrs, header, (uint32_t)hop.rtnh_ifindex, gateway, 16);
		step = RTNH_ALIGN(hop.rtnh_len);
		if (step > left)
			return;
	}
}

static int route_came(void *ctx, const struct nl_message *message)
{
	const struct rtmsg *header = message->header;
	struct search *search = ctx;
	struct nl_attrs attrs;
	const void *gateway;
	size_t size = 0;

	nl_attrs(message, &attrs);
	if (message->type != RTM_NEWROUTE || header->rtm_type != RTN_UNICAST ||
		nl_u32(&attrs, RTA_TABLE, header->rtm_table) != RT_TABLE_MAIN)
		return 0;
	gateway = nl_data(&attrs, RTA_GATEWAY, &size);
	way_came(search, &attrs, header, nl_u32(&attrs, RTA_OIF, 0), gateway, size);
	ways_came(search, &attrs, header);
	return 0;
}

/* A dump that a change disturbed is read again. */
static int search_all(struct netlink *route, struct search *search)
{
	struct ifaddrmsg addresses = {.ifa_family = AF_UNSPEC};
	struct rtmsg routes = {.rtm_family = AF_UNSPEC};
	struct nl_request request;
	int err;

	do {
		nl_begin(&request, RTM_GETADDR, NLM_F_DUMP, &addresses, sizeof(addresses));
		err = netlink_call(route, &request, sizeof(addresses), address_came, search);
	} while (err == -EINTR);
	if (err)
		return err;
	do {
		nl_begin(&request, RTM_GETROUTE, NLM_F_DUMP, &routes, sizeof(routes));
		err = netlink_call(route, &request, sizeof(routes), route_came, search);
	} while (err == -EINTR);
	return err;
}

static enum cni_code verify_plan(
	struct netlink *route, uint32_t ifindex, const struct cni_plan *plan, struct cni_error *error)
{
	struct search search = {.plan = plan, .ifindex = ifindex};
	char text[64];

	if (search_all(route, &search))
		return cni_fail(error, CNI_DEVICE, netlink_reason(route), "the container's addresses cannot be read");
	for (unsigned i = 0; i < plan->n_ips; i++) {
		cni_prefix_format(&plan->ips[i].address, text, sizeof(text));
		if (!search.ip_found[i])
			return cni_fail(error, CNI_DAMAGED, NULL, "the container has lost the address %s", text);
	}
	for (unsigned i = 0; i < plan->n_routes; i++) {
		cni_prefix_format(&plan->routes[i].to, text, sizeof(text));
		if (!search.route_found[i])
			return cni_fail(error, CNI_DAMAGED, NULL, "the container has lost the route to %s", text);
	}
	return CNI_OK;
}

static enum cni_code verify_pair(const struct cni_request *request, const struct netdev_info *host,
	const struct inside *inside, struct cni_error *error)
{
	const char *name = request->env.ifname;

	if (inside->peer_ifindex != host->ifindex || host->peer.ifindex != inside->ifindex)
		return cni_fail(error, CNI_DAMAGED, NULL, "%s in the container is not the other end of %s", name,
			request->port);
	if (!inside->up)
		return cni_fail(error, CNI_DAMAGED, NULL, "%s in the container is down", name);
	if (!host->admin_up)
		return cni_fail(error, CNI_DAMAGED, NULL, "%s, the host's end, is down", request->port);
	if (request->mtu && (inside->mtu != request->mtu || host->mtu != request->mtu))
		return cni_fail(error, CNI_DAMAGED, NULL, "%s has an MTU of %u, and %s one of %u, not of %u", name,
			inside->mtu, request->port, host->mtu, request->mtu);
	return CNI_OK;
}

enum cni_code cni_link_verify(const struct cni_request *request, int netns_fd, const struct cni_plan *plan,
	struct cni_link *ret, struct cni_error *error)
{
	struct netdev_info host;
	struct inside inside;
	struct netlink *route;
	enum cni_code code;

	if (netdev_query(request->port, &host))
		return cni_fail(error, CNI_DAMAGED, NULL, "%s, the host's end, is gone", request->port);
	code = open_route(netns_fd, &route, error);
	if (code)
		return code;
	if (look_inside(route, request->env.ifname, &inside))
		code = cni_fail(error, CNI_DAMAGED, NULL, "the container has no %s", request->env.ifname);
	if (!code)
		code = verify_pair(request, &host, &inside, error);
	if (!code)
		code = verify_plan(route, inside.ifindex, plan, error);
	netlink_close(route);
	ret->inside_ifindex = inside.ifindex;
	memcpy(ret->host_mac, host.mac, sizeof(host.mac));
	memcpy(ret->inside_mac, inside.mac, sizeof(inside.mac));
	return code;
}
