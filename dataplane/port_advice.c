/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/port_advice.h"

#include "dataplane/log.h"

#include <stdio.h>

void port_advice_find(
	struct port_advice *advice, const struct netdev_info *info, const struct preflight_wish *wish, const char *port)
{
	char address[PREFLIGHT_ADVICE_SIZE];

	advice->driver[0] = '\0';
	if (wish)
		preflight_advise(info, wish, advice->driver);
	preflight_address(info, address);
	advice->had_address = address[0];
	if (advice->driver[0])
		log_warn("port %s: %s", port, advice->driver);
	if (address[0])
		log_warn("port %s: %s", port, address);
}

void port_advice_text(const struct port_advice *advice, uint32_t ifindex, char *ret, size_t size)
{
	char address[PREFLIGHT_ADVICE_SIZE] = "";
	struct netdev_info info;

	ret[0] = '\0';
	if (!ifindex)
		return;
	if (advice->had_address && netdev_query_ifindex(ifindex, &info) == 0)
		preflight_address(&info, address);
	snprintf(ret, size, "%s%s%s", advice->driver, advice->driver[0] && address[0] ? ". " : "", address);
}
