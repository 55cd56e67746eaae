/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The devices that this host's default routes leave by, of the main table: what policy routing and VRFs keep in others
 * is not seen.
 *
 * A host may hold a million routes, and strict checking filters by table and type but not by prefix length. IPv4's
 * dump comes in order of address, so that the default routes are in its first messages and the rest is not read. IPv6
 * dumps its tree from the leaves to the root, the default routes last: after V6_LIMIT routes we ask instead which route
 * an address takes that nobody was ever given, which finds the preferred default route only.
 */
#include "dataplane/netdev_reader.h"

#include "dataplane/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define V6_LIMIT 4096

struct routes {
	uint32_t *ifindexes;
	size_t n, room;
	size_t n_seen;
	bool cut_short;
	int error;
};

static void add(struct routes *routes, uint32_t ifindex)
{
	uint32_t *grown;

	if (!ifindex)
		return;
	for (size_t i = 0; i < routes->n; i++) {
		if (routes->ifindexes[i] == ifindex)
			return;
	}
	if (routes->n == routes->room) {
		grown = realloc(routes->ifindexes, (routes->room + 16) * sizeof(*grown));
		if (!grown) {
			routes->error = -ENOMEM;
			return;
		}
		routes->ifindexes = grown;
		routes->room += 16;
	}
	routes->ifindexes[routes->n++] = ifindex;
}

static void add_next_hops(struct routes *routes, const uint8_t *data, size_t size)
{
	struct rtnexthop hop;
	size_t step;

	while (size >= sizeof(hop)) {
		memcpy(&hop, data, sizeof(hop));
		if (hop.rtnh_len < sizeof(hop) || hop.rtnh_len > size)
			return;
		add(routes, (uint32_t)hop.rtnh_ifindex);
		step = RTNH_ALIGN((size_t)hop.rtnh_len);
		if (step >= size)
			return;
		data += step;
		size -= step;
	}
}

static void take(struct routes *routes, const struct rtmsg *route, const struct nl_attrs *attrs)
{
	const void *hops;
	size_t size = 0;

	if (route->rtm_dst_len != 0 || route->rtm_type != RTN_UNICAST)
		return;
	add(routes, nl_u32(attrs, RTA_OIF, 0));
	hops = nl_data(attrs, RTA_MULTIPATH, &size);
	if (hops)
		add_next_hops(routes, hops, size);
}

static int route_came(void *ctx, const struct nl_message *message)
{
	const struct rtmsg *route = message->header;
	struct routes *routes = ctx;
	struct nl_attrs attrs;

	nl_attrs(message, &attrs);
	if (route->rtm_family == AF_INET && nl_u32(&attrs, RTA_DST, 0) != 0)
		return NL_STOP;
	if (route->rtm_family == AF_INET6 && ++routes->n_seen > V6_LIMIT) {
		routes->cut_short = true;
		return NL_STOP;
	}
	take(routes, route, &attrs);
	return routes->error;
}

/* Each dump has its own socket, which is closed with the rest of the dump unread. */
static int dump(struct routes *routes, uint8_t family)
{
	struct rtmsg header = {.rtm_family = family, .rtm_table = RT_TABLE_MAIN, .rtm_type = RTN_UNICAST};
	struct nl_request request;
	struct netlink *nl;
	int error = netlink_open(NETLINK_ROUTE, -1, &nl);

	if (error)
		return error;
	nl_begin(&request, RTM_GETROUTE, NLM_F_DUMP, &header, sizeof(header));
	error = netlink_call(nl, &request, sizeof(header), route_came, routes);
	netlink_close(nl);
	/* No such table, no IPv6: no routes. Disturbed: the defaults were there or will be news. */
	if (error == -ENOENT || error == -EAFNOSUPPORT || error == -EOPNOTSUPP || error == -EINTR)
		error = 0;
	return error;
}

static int match_came(void *ctx, const struct nl_message *message)
{
	struct routes *routes = ctx;
	struct nl_attrs attrs;

	nl_attrs(message, &attrs);
	take(routes, message->header, &attrs);
	return routes->error;
}

static int ask_v6(struct routes *routes)
{
	struct rtmsg header = {.rtm_family = AF_INET6, .rtm_dst_len = 128, .rtm_flags = RTM_F_FIB_MATCH};
	struct in6_addr nobody;
	struct nl_request request;
	struct netlink *nl;
	int error = netlink_open(NETLINK_ROUTE, -1, &nl);

	if (error)
		return error;
	inet_pton(AF_INET6, "4000::1", &nobody); /* IANA: reserved */
	nl_begin(&request, RTM_GETROUTE, 0, &header, sizeof(header));
	nl_put(&request, RTA_DST, &nobody, sizeof(nobody));
	error = netlink_call(nl, &request, sizeof(header), match_came, routes);
	netlink_close(nl);
	return error == -ENETUNREACH || error == -EHOSTUNREACH ? 0 : error;
}

int netdev_default_routes(uint32_t **ret, size_t *ret_n)
{
	struct routes routes = {.n = 0};
	int error = dump(&routes, AF_INET);

	if (!error)
		error = dump(&routes, AF_INET6);
	if (!error && routes.cut_short)
		error = ask_v6(&routes);
	if (error) {
		free(routes.ifindexes);
		return error;
	}
	*ret = routes.ifindexes;
	*ret_n = routes.n;
	return 0;
}
