/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port_manager_parts.h - what port_manager.c (ports and their devices) and port_manager_told.c (what is told of them,
 * and what a restart finds of others) know of each other. Nobody else includes it.
 */
#ifndef DATAPLANE_PORT_MANAGER_PARTS_H
#define DATAPLANE_PORT_MANAGER_PARTS_H

#include "dataplane/datapath.h"
#include "dataplane/port_advice.h"
#include "dataplane/port_manager.h"

/* A port that is wanted. */
struct managed {
	struct port_config config;
	uint16_t id;
	enum port_phase phase;
	char reason[400];
	char path[160];
	char cpus_why[400];
	enum dp_hook hook; /* that it has, or had last */
	char hook_why[160];
	bool fell_back; /* from the tc hook, which was chosen for it */
	struct port_advice advice;
	bool half_duplex;
	char device[SW_NAME_SIZE];
	uint32_t ifindex;     /* that its program is attached to; 0: none */
	uint32_t had_ifindex; /* that a daemon before this one left attached; 0: none */
	enum dp_mode mode;
	bool mode_known;       /* the program is attached, and `mode` is its */
	bool created;          /* P5 */
	uint32_t loan;         /* P5: what was changed of its device (loan.h), ... */
	uint32_t loan_ifindex; /* ... which was this one */
	struct dp_port known;  /* what the datapath was told last */
	uint32_t mtu;
	uint64_t repairs_since_ns;
	uint32_t n_repairs;
};

struct port_manager {
	struct port_manager_parts parts;
	struct netdev_monitor *monitor;
	struct reactor_timer *retry;
	struct managed *ports[SW_MAX_PORTS]; /* by id */
	bool restored; /* until then the sets of an earlier daemon stand: they know ports that are not here yet */
};

/* NULL: there is none of that name. */
struct managed *port_manager_find(const struct port_manager *pm, const char *name);

static inline struct datapath *dp_of(const struct port_manager *pm)
{
	return pm->parts.dp;
}

#endif
