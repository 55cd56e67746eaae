/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/port_device.h"

#include "dataplane/complaint.h"
#include "dataplane/netdev.h"
#include "dataplane/vswitch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define INTERNAL_PREFIX     "sw-"
#define INTERNAL_NAME_LIMIT (SW_NAME_SIZE - sizeof(INTERNAL_PREFIX))

int port_device_name(const struct port_config *config, char ret[SW_NAME_SIZE], struct complaint *c)
{
	if (config->type != PORT_INTERNAL) {
		memcpy(ret, config->name, SW_NAME_SIZE);
		return 0;
	}
	if (strlen(config->name) > INTERNAL_NAME_LIMIT)
		return complain(c, -ENAMETOOLONG, "an internal port's name has at most %zu bytes, and %s has %zu",
			INTERNAL_NAME_LIMIT, config->name, strlen(config->name));
	snprintf(ret, SW_NAME_SIZE, INTERNAL_PREFIX "%.*s", (int)INTERNAL_NAME_LIMIT, config->name);
	return 0;
}

int port_device_check(const struct port_config *config, const struct netdev_info *info, struct complaint *c)
{
	bool tap = config->type == PORT_TAP;

	if (tap && info->kind == NETDEV_TAP && config->queues > 1 && !info->multi_queue_tap)
		return complain(c, -EEXIST,
			"%s is there already and has one queue, not %u: delete it, and add the port again", info->name,
			config->queues);
	if (config->type == PORT_EXISTING || info->kind == (tap ? NETDEV_TAP : NETDEV_VETH))
		return 0;
	return complain(c, -EEXIST, "%s is there already and is no %s: delete it, or add the port without a type",
		info->name, tap ? "tap" : "veth");
}

static int create_internal(const struct port_config *config, const char *device, struct complaint *c)
{
	struct netdev_info info;

	if (netdev_query(config->name, &info) == 0)
		return complain(c, -EEXIST, "there is a device named %s already: choose another name for the port",
			config->name);
	return netdev_create_veth(device, config->name, NULL, c);
}

int port_device_create(const struct port_config *config, const char *device, struct complaint *c)
{
	switch (config->type) {
	case PORT_TAP:
		return netdev_create_tap(device, config->queues, c);
	case PORT_VETH:
		return netdev_create_veth(device, config->peer, config->netns[0] ? config->netns : NULL, c);
	case PORT_INTERNAL:
		return create_internal(config, device, c);
	case PORT_EXISTING:
		break;
	}
	return complain(c, -ENODEV, "there is no device %s yet", device);
}
