/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port_device.h - the device that a port sits on: its name, making it, and whether one that is there will do.
 *
 * It has the port's name, but for an internal port: this host has the end of that name, and the port the other.
 * Errors are -errno with a complaint.
 */
#ifndef DATAPLANE_PORT_DEVICE_H
#define DATAPLANE_PORT_DEVICE_H

#include "bpf/abi.h"

struct complaint;
struct netdev_info;
struct port_config;

int port_device_name(const struct port_config *config, char ret[SW_NAME_SIZE], struct complaint *c);
/* Of the types that the switch makes; -ENODEV: it is none. */
int port_device_create(const struct port_config *config, const char *device, struct complaint *c);
/* A device of that name which somebody else made is taken for what the switch would have made only if it is that. */
int port_device_check(const struct port_config *config, const struct netdev_info *info, struct complaint *c);

#endif
