/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/registry.h"

#include <string.h>

static void publish_name(char *slot, const char *name)
{
	char first = name[0];

	__atomic_store_n(slot, '\0', __ATOMIC_RELEASE);
	memset(slot + 1, 0, SW_NAME_SIZE - 1);
	for (int i = 1; i < SW_NAME_SIZE - 1 && name[i - 1] && name[i]; i++)
		slot[i] = name[i];
	__atomic_store_n(slot, first, __ATOMIC_RELEASE);
}

static void withdraw_name(char *slot)
{
	__atomic_store_n(slot, '\0', __ATOMIC_RELEASE);
}

uint16_t registry_bridge_id(const struct sw_registry *registry, const char *name)
{
	for (uint16_t id = 1; id < SW_MAX_BRIDGES; id++) {
		if (name[0] && strncmp(registry->bridge[id].name, name, SW_NAME_SIZE) == 0)
			return id;
	}
	return 0;
}

uint16_t registry_port_id(const struct sw_registry *registry, const char *name)
{
	for (uint16_t id = 1; id < SW_MAX_PORTS; id++) {
		if (name[0] && strncmp(registry->port[id].name, name, SW_NAME_SIZE) == 0)
			return id;
	}
	return 0;
}

uint32_t registry_last_of_port(const struct sw_registry *registry, uint16_t bridge)
{
	uint32_t last = 0;

	for (uint16_t id = 1; id < SW_MAX_PORTS; id++) {
		const struct sw_registry_port *port = &registry->port[id];

		if (port->name[0] && port->bridge == bridge && port->of_port > last)
			last = port->of_port;
	}
	return last;
}

void registry_put_bridge(struct sw_registry *registry, uint16_t id, const char *name)
{
	if (strcmp(registry->bridge[id].name, name))
		registry->bridge[id].steered = 0;
	publish_name(registry->bridge[id].name, name);
}

void registry_put_port(struct sw_registry *registry, uint16_t id, const struct sw_registry_port *port)
{
	struct sw_registry_port *slot = &registry->port[id];

	withdraw_name(slot->name);
	slot->bridge = port->bridge;
	slot->ifindex = port->ifindex;
	slot->flags = port->flags;
	slot->of_port = port->of_port;
	publish_name(slot->name, port->name);
}

void registry_clear_bridge(struct sw_registry *registry, uint16_t id)
{
	withdraw_name(registry->bridge[id].name);
}

void registry_clear_port(struct sw_registry *registry, uint16_t id)
{
	withdraw_name(registry->port[id].name);
}
