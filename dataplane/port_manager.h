/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port_manager.h - ports as they are wanted, and the devices that come and go under them.
 *
 * What: keeps what was asked of each port, and on every piece of news about a device brings the port to where it can
 * be: waiting, refused, down or up.
 *
 *     WAITING --device comes--> preflight --refused--> REFUSED --news of the device--> preflight again
 *        ^                          |
 *        |                      prepared, attached
 *      device goes                  v
 *        +---------------------- DOWN <--link--> UP
 *
 * Why one place: a device vanishes, comes back with another ifindex, is renamed, moved away, taken down, has its MTU
 * or its peer's GRO changed, at any time, by anybody. Each is news, and the answer to any news is the same question:
 * given what the device is now, what should this port be?
 *
 * Invariants
 * P1 The pipeline knows a port as up only while its program is attached and its sockets are there.
 * P2 A port keeps its id, and with it its counters, while its device is away, and over a restart (registry).
 * P3 A port whose driver takes no redirected frame is never a target of the fast path (pipeline's `fast`).
 * P4 Addresses learned behind a port are flushed when its link goes down and when it is removed; by ofbridges.c when a
 *    port-mod sets it down.
 * P5 Devices that the switch made go with their port; others are given back as they were found (loan.h), but up. What
 *    was changed of them is noted in the registry, so that a restart between does not forget it.
 * P6 A device of a type that the switch makes is made again whenever it is gone, whoever made or deleted it.
 * P7 No two ports have, or wait for, the same device.
 * P8 A port keeps its OpenFlow number over a restart (registry), unless another has asked for that number by name.
 *
 * The peer of a veth is made to take redirects (NAPI by GRO) on every drift, but a few times a minute at the most: if
 * somebody else insists, the port goes on through the slow path.
 */
#ifndef DATAPLANE_PORT_MANAGER_H
#define DATAPLANE_PORT_MANAGER_H

#include "dataplane/vswitch.h"

struct port_manager;
struct sets;

struct port_manager_parts {
	struct datapath *dp;
	struct pipeline *pl;
	struct fdb *fdb;
	struct sets *sets;
	const struct reactor *reactor;
	/* Something changed that the maps must follow: vswitch_settle() is due this loop turn. */
	void (*unsettled)(void *ctx);
	void *ctx;
};

/* Starts listening for news of devices. Borrows the parts. */
int port_manager_create(const struct port_manager_parts *parts, struct port_manager **ret, struct complaint *c);
/* forget: removes the ports as port_manager_remove() does; else everything stays attached. */
void port_manager_destroy(struct port_manager *pm, bool forget);

int port_manager_add(struct port_manager *pm, const struct port_config *config, struct complaint *c);
int port_manager_remove(struct port_manager *pm, const char *name, struct complaint *c);
/*
 * A refused change leaves the port as it was; where it cannot even go back, it is REFUSED, with its old configuration.
 * A port without its device takes everything, but a refused one whose device is there is tried in the new mode.
 */
int port_manager_set(struct port_manager *pm, const struct port_config *config, unsigned which, struct complaint *c);

/* Every port that a restart brings back has been added: what the registry still has is nobody's, and goes. */
void port_manager_restored(struct port_manager *pm);

const struct port_config *port_manager_config(const struct port_manager *pm, const char *name); /* NULL: none */
int port_manager_status(const struct port_manager *pm, const char *name, struct port_status *ret);

#endif
