/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/cable.h"

#include "dataplane/ethtool.h"

#include <stddef.h>

static const struct {
	uint32_t mbps, full, half;
} rates[] = {
	{10, OF_PORT_FEATURE_10MB_FD, OF_PORT_FEATURE_10MB_HD},
	{100, OF_PORT_FEATURE_100MB_FD, OF_PORT_FEATURE_100MB_HD},
	{1000, OF_PORT_FEATURE_1GB_FD, OF_PORT_FEATURE_1GB_HD},
	{10000, OF_PORT_FEATURE_10GB_FD, OF_PORT_FEATURE_OTHER},
	{40000, OF_PORT_FEATURE_40GB_FD, OF_PORT_FEATURE_OTHER},
	{100000, OF_PORT_FEATURE_100GB_FD, OF_PORT_FEATURE_OTHER},
	{1000000, OF_PORT_FEATURE_1TB_FD, OF_PORT_FEATURE_OTHER},
};

/* Where the duplex is not known it is full, as it is of every device that does not say. */
static uint32_t rate_feature(const struct ethtool_link *link)
{
	if (!link->mbps)
		return 0;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		if (rates[i].mbps == link->mbps)
			return link->half_duplex ? rates[i].half : rates[i].full;
	}
	return OF_PORT_FEATURE_OTHER;
}

uint32_t cable_features(const struct ethtool_link *link)
{
	return rate_feature(link) | (link->copper ? OF_PORT_FEATURE_COPPER : 0) |
	       (link->fiber ? OF_PORT_FEATURE_FIBER : 0) | (link->autoneg ? OF_PORT_FEATURE_AUTONEG : 0);
}
