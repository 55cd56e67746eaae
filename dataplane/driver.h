/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * driver.h - what is known of network drivers and XDP; the rows and their sources are in driver.def.
 *
 * Why a table, as the kernel knows: it says it after the fact (a bpf_link hides the reason, and many drivers tell it to
 * the kernel log alone), of queues and buffers it says nothing before, and what a driver can do at all only from Linux
 * 6.3 on. Where the kernel tells, it is believed, and the table is silent.
 *
 * Safe error: not to know. A fact that was not found in the driver's source is no row's.
 */
#ifndef DATAPLANE_DRIVER_H
#define DATAPLANE_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct netdev_info;

/* What a driver asks of queues before it runs a program, or to send redirected frames well. */
enum driver_queues {
	DRIVER_QUEUES_UNKNOWN,
	DRIVER_QUEUES_NONE,   /* nothing */
	DRIVER_QUEUES_SHARED, /* nothing: what there is is shared */
	DRIVER_CPUS_128,      /* the host may have 128 CPUs at most */
	DRIVER_HALF,          /* half of the queues that there can be must be free, receiving ones as many as sending */
	DRIVER_COMBINED,      /* every queue must be both a receiving and a sending one */
	DRIVER_SPARE_A_CPU,   /* one spare for each CPU, or CPUs wait for one another */
	DRIVER_FREE_HALF_CPUS, /* free ones in its hardware, for half of the CPUs at least; ethtool does not show them
				*/
	DRIVER_ONE_A_RX,       /* makes one more for each that receives */
	DRIVER_TWO_A_CPU,      /* two that send for each CPU */
	DRIVER_PEER,           /* those that the other end sends by */
	DRIVER_N_QUEUES
};

struct driver {
	const char *name;         /* as `ethtool -i` gives it */
	uint32_t in_6_1, in_6_12; /* NETDEV_XDP_* of Linux 6.1 and 6.12 */
	uint32_t mtu;             /* the greatest that fits into one buffer, with pages of 4 KiB; 0: not known */
	enum driver_queues queues;
	const char *note; /* "": nothing else */
};

const struct driver *driver_find(const char *name); /* NULL: not in the table */
const struct driver *driver_at(size_t i);           /* NULL: no more */
/* What it asks, for people. */
const char *driver_queues_text(enum driver_queues queues);

/* NETDEV_XDP_* of the device: the kernel's word, else (before 6.3) the table's of 6.1. false: nobody knows. */
bool driver_features(const struct netdev_info *info, uint64_t *ret);
/* Adds what else is known of the driver to why it refused: many tell that to nobody but the kernel's log. */
void driver_explain(const char *name, char *reason, size_t size);
/* The greatest MTU in one buffer; 0: not known. */
uint32_t driver_mtu(const struct netdev_info *info);

#endif
