/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/port_manager_parts.h"

#include "dataplane/complaint.h"
#include "dataplane/loan.h"
#include "dataplane/log.h"
#include "dataplane/netdev.h"
#include "dataplane/registry.h"
#include "dataplane/sets.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct managed *port_manager_find(const struct port_manager *pm, const char *name)
{
	const struct port *port = pipeline_port_by_name(pm->parts.pl, name);

	return port ? pm->ports[port->id] : NULL;
}

/* ---- what a restart finds of ports that are nobody's any more ---- */

/* A daemon that died while it made the device did not learn its number: then it goes by its name. */
static void delete_inherited(const struct sw_registry_port *entry)
{
	struct complaint c = {""};
	struct netdev_info info;
	char name[SW_NAME_SIZE];
	int error;

	snprintf(name, sizeof(name), "%.*s", SW_NAME_SIZE - 1, entry->name);
	error = entry->ifindex ? netdev_query_ifindex(entry->ifindex, &info) : netdev_query(name, &info);
	if (!error && netdev_delete(info.ifindex, &c))
		log_warn("%s", c.text);
}

static void disinherit(struct port_manager *pm, uint16_t id)
{
	struct sw_registry_port *entry = &dp_of(pm)->memory.registry->port[id];
	char name[SW_NAME_SIZE];

	snprintf(name, sizeof(name), "%.*s", SW_NAME_SIZE - 1, entry->name);
	log_info("port %s is no longer configured: removed", name);
	dp_of(pm)->ops->port_remove(dp_of(pm), id);
	if (entry->flags & SW_REG_CREATED)
		delete_inherited(entry);
	else
		loan_return(entry->ifindex, entry->flags & SW_REG_LOAN, name);
	registry_clear_port(dp_of(pm)->memory.registry, id);
	fdb_flush(pm->parts.fdb, 0, id, -1, true);
	counters_retire_port(&dp_of(pm)->memory, id);
}

void port_manager_restored(struct port_manager *pm)
{
	for (uint16_t id = 1; id < SW_MAX_PORTS; id++) {
		if (!pm->ports[id] && dp_of(pm)->memory.registry->port[id].name[0])
			disinherit(pm, id);
	}
	pm->restored = true;
	sets_ports_changed(pm->parts.sets);
}

/* ---- what there is to tell ---- */

const struct port_config *port_manager_config(const struct port_manager *pm, const char *name)
{
	const struct managed *m = port_manager_find(pm, name);

	return m ? &m->config : NULL;
}

int port_manager_status(const struct port_manager *pm, const char *name, struct port_status *ret)
{
	const struct managed *m = port_manager_find(pm, name);

	if (!m)
		return -ENOENT;
	memset(ret, 0, sizeof(*ret));
	ret->id = m->id;
	ret->phase = m->phase;
	memcpy(ret->reason, m->reason, sizeof(ret->reason));
	memcpy(ret->device, m->device, sizeof(ret->device));
	memcpy(ret->path, m->path, sizeof(ret->path));
	snprintf(ret->cpus_why, sizeof(ret->cpus_why), "%s", m->cpus_why);
	port_advice_text(&m->advice, m->ifindex, ret->advice, sizeof(ret->advice));
	ret->half_duplex = m->half_duplex;
	ret->mbps = pipeline_port(pm->parts.pl, m->id)->mbps;
	ret->cpus = m->known.cpus;
	ret->ifindex = m->ifindex;
	ret->mode = m->mode;
	ret->hook = m->hook;
	memcpy(ret->hook_why, m->hook_why, sizeof(ret->hook_why));
	ret->mtu = m->mtu;
	ret->n_queues = m->known.n_queues;
	counters_read_port(&dp_of(pm)->memory, m->id, &ret->counters);
	return 0;
}
