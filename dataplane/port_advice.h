/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port_advice.h - what could be better about a port's device, found when it is taken and shown with the port.
 *
 * What concerns its queues is found before the program takes some of them; an address of this host is looked for again
 * whenever it is shown, for addresses come and go without news.
 */
#ifndef DATAPLANE_PORT_ADVICE_H
#define DATAPLANE_PORT_ADVICE_H

#include "dataplane/preflight.h"

struct port_advice {
	char driver[PREFLIGHT_ADVICE_SIZE];
	bool had_address;
};

/* And logs it. `wish` NULL: a program of the switch is on the device already. */
void port_advice_find(struct port_advice *advice, const struct netdev_info *info, const struct preflight_wish *wish,
	const char *port);
/* "": nothing, as of a port whose device is away (ifindex 0). */
void port_advice_text(const struct port_advice *advice, uint32_t ifindex, char *ret, size_t size);

#endif
