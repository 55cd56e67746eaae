/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The "netdev" generic netlink family: what a driver can do with XDP, and news when that changes. The numbers are those
 * of include/uapi/linux/netdev.h, Linux 6.3 (Documentation/netlink/specs/netdev.yaml); Debian 12's headers lack it.
 */
#include "dataplane/netdev_reader.h"

#include "dataplane/netlink.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>

#define FAMILY_NAME   "netdev"
#define GROUP_NAME    "mgmt"
#define VERSION       1
#define CMD_DEV_GET   1 /* NETDEV_CMD_DEV_GET */
#define ATTR_IFINDEX  1 /* NETDEV_A_DEV_IFINDEX */
#define ATTR_FEATURES 3 /* NETDEV_A_DEV_XDP_FEATURES */

int netdev_features_open(struct netlink **ret, uint16_t *ret_family, uint32_t *ret_group)
{
	struct netlink *nl;
	int error = netlink_open(NETLINK_GENERIC, -1, &nl);

	if (error)
		return error;
	error = netlink_family(nl, FAMILY_NAME, GROUP_NAME, ret_family, ret_group);
	if (error) {
		netlink_close(nl);
		return error;
	}
	*ret = nl;
	return 0;
}

static int features_came(void *ctx, const struct nl_message *message)
{
	struct netdev_info *info = ctx;
	struct nl_attrs attrs;

	nl_attrs(message, &attrs);
	if (nl_u32(&attrs, ATTR_IFINDEX, 0) != info->ifindex || !nl_has(&attrs, ATTR_FEATURES))
		return 0;
	info->xdp_features_known = true;
	info->xdp_features = nl_u64(&attrs, ATTR_FEATURES, 0);
	return 0;
}

void netdev_features_read(const struct netdev_reader *reader, struct netdev_info *info)
{
	struct genlmsghdr header = {.cmd = CMD_DEV_GET, .version = VERSION};
	struct nl_request request;

	info->takes_redirects = -1;
	if (!reader->generic)
		return;
	nl_begin(&request, reader->family, 0, &header, sizeof(header));
	nl_put_u32(&request, ATTR_IFINDEX, info->ifindex);
	if (netlink_call(reader->generic, &request, sizeof(header), features_came, info) == 0 &&
		info->xdp_features_known)
		info->takes_redirects = (info->xdp_features & NETDEV_XDP_XMIT) != 0;
}
