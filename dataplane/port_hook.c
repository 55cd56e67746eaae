/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/port_hook.h"

#include "dataplane/complaint.h"
#include "dataplane/netdev.h"
#include "dataplane/vswitch.h"

#include <errno.h>
#include <stdio.h>

int port_hook_check(const struct port_config *config, struct complaint *c)
{
	if (config->hook != PORT_HOOK_TC)
		return 0;
	if (config->mode != PORT_MODE_AUTO)
		return complain(c, -EINVAL,
			"port %s: native, generic and offload are modes of the XDP hook: use hook xdp, or mode auto",
			config->name);
	if (!cpu_list_is_empty(&config->cpus))
		return complain(c, -EINVAL,
			"port %s: only at the XDP hook a port is spread over CPUs: use hook xdp, or cpus none",
			config->name);
	return 0;
}

enum dp_hook port_hook_choose(
	const struct port_config *config, const struct netdev_info *info, char *why, size_t why_size)
{
	enum dp_hook hook = DP_HOOK_XDP;
	const char *because;

	if (config->hook != PORT_HOOK_AUTO) {
		hook = config->hook == PORT_HOOK_TC ? DP_HOOK_TC : DP_HOOK_XDP;
		because = "asked for";
	} else if (config->mode != PORT_MODE_AUTO) {
		because = "the mode that was asked for is one of XDP";
	} else if (!cpu_list_is_empty(&config->cpus)) {
		because = "it is to be spread over CPUs";
	} else if (info->kind == NETDEV_VETH && info->peer.has_program) {
		because = "its peer runs an XDP program";
	} else if (info->kind == NETDEV_VETH) {
		hook = DP_HOOK_TC;
		because = "a veth: what comes in are skbs of sockets";
	} else if (info->kind == NETDEV_TAP) {
		hook = DP_HOOK_TC;
		because = "a tap: what comes in are skbs of a guest";
	} else {
		because = "what comes in are frames from a wire";
	}
	snprintf(why, why_size, "%s", because);
	return hook;
}

const char *port_hook_name(enum dp_hook hook)
{
	return hook == DP_HOOK_TC ? "tc" : "xdp";
}

bool port_hook_passes(const struct netdev_info *info)
{
	return info->kind == NETDEV_VETH && info->peer.nsid >= 0 && !info->peer.has_program;
}
