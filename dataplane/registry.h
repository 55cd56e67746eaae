/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * registry.h - the names that ids had, kept in a pinned map for the daemon's next life.
 *
 * Cached flows, FDB entries and counters speak of ports and bridges by id, controllers of ports by OpenFlow number. A
 * restarted daemon asks here which id and number a name had, so that what is pinned still means the same. A record's
 * first name byte is written last and cleared first.
 */
#ifndef DATAPLANE_REGISTRY_H
#define DATAPLANE_REGISTRY_H

#include "bpf/abi.h"

#include <stdint.h>

/* The id recorded for `name`; 0: none. */
uint16_t registry_bridge_id(const struct sw_registry *registry, const char *name);
uint16_t registry_port_id(const struct sw_registry *registry, const char *name);

/* The greatest OpenFlow number that is recorded for a port of the bridge; 0: none is. */
uint32_t registry_last_of_port(const struct sw_registry *registry, uint16_t bridge);

void registry_put_bridge(struct sw_registry *registry, uint16_t id, const char *name);
void registry_put_port(struct sw_registry *registry, uint16_t id, const struct sw_registry_port *port);
void registry_clear_bridge(struct sw_registry *registry, uint16_t id);
void registry_clear_port(struct sw_registry *registry, uint16_t id);

#endif
