/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/driver.h"

#include "dataplane/netdev.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PAGE_OF_THE_TABLE 4096

enum {
	N = NETDEV_XDP_BASIC | NETDEV_XDP_REDIRECT,
	P = NETDEV_XDP_BASIC,
	X = NETDEV_XDP_XMIT,
	R = NETDEV_XDP_RX_SG,
	T = NETDEV_XDP_XMIT_SG,
	Z = NETDEV_XDP_ZEROCOPY,
};

static const struct driver drivers[] = {
#define DRIVER(name, in_6_1, in_6_12, mtu, queues, note) {name, in_6_1, in_6_12, mtu, queues, note},
#include "dataplane/driver.def"
#undef DRIVER
};

const struct driver *driver_find(const char *name)
{
	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++) {
		if (strcmp(drivers[i].name, name) == 0)
			return &drivers[i];
	}
	return NULL;
}

const struct driver *driver_at(size_t i)
{
	return i < sizeof(drivers) / sizeof(drivers[0]) ? &drivers[i] : NULL;
}

const char *driver_queues_text(enum driver_queues queues)
{
	static const char *const texts[DRIVER_N_QUEUES] = {
		[DRIVER_QUEUES_UNKNOWN] = "not known",
		[DRIVER_QUEUES_NONE] = "nothing",
		[DRIVER_QUEUES_SHARED] = "nothing; where there are too few, CPUs share them",
		[DRIVER_CPUS_128] = "at most 128 CPUs",
		[DRIVER_HALF] = "at most half of the queues in use, as many receiving as sending",
		[DRIVER_COMBINED] = "combined channels",
		[DRIVER_SPARE_A_CPU] = "a spare pair for each CPU, or CPUs share them under a lock",
		[DRIVER_FREE_HALF_CPUS] = "free ones in hardware for half of the CPUs; with less than one each, a lock",
		[DRIVER_ONE_A_RX] = "makes one more for each that receives",
		[DRIVER_TWO_A_CPU] = "two that send for each CPU",
		[DRIVER_PEER] = "as many receiving as the other end sends by",
	};

	return texts[queues];
}

bool driver_features(const struct netdev_info *info, uint64_t *ret)
{
	const struct driver *driver = driver_find(info->driver);

	if (!info->xdp_features_known && !driver)
		return false;
	*ret = info->xdp_features_known ? info->xdp_features : driver->in_6_1;
	return true;
}

void driver_explain(const char *name, char *reason, size_t size)
{
	const struct driver *driver = driver_find(name);
	size_t used = strlen(reason);

	if (used && driver && driver->note[0])
		snprintf(reason + used, size - used, "; of %s is known: %s", name, driver->note);
}

uint32_t driver_mtu(const struct netdev_info *info)
{
	const struct driver *driver = driver_find(info->driver);

	return driver && sysconf(_SC_PAGESIZE) == PAGE_OF_THE_TABLE ? driver->mtu : 0;
}
