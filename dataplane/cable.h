/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cable.h - what a port is connected by, in OpenFlow's words.
 *
 * What is not known is not said: a rate that OpenFlow has no word for is "other", no rate is none.
 */
#ifndef DATAPLANE_CABLE_H
#define DATAPLANE_CABLE_H

#include <stdint.h>

struct ethtool_link;

/* OFPPF_*, OF 1.3.5 §7.2.1 */
enum {
	OF_PORT_FEATURE_10MB_HD = 1 << 0,
	OF_PORT_FEATURE_10MB_FD = 1 << 1,
	OF_PORT_FEATURE_100MB_HD = 1 << 2,
	OF_PORT_FEATURE_100MB_FD = 1 << 3,
	OF_PORT_FEATURE_1GB_HD = 1 << 4,
	OF_PORT_FEATURE_1GB_FD = 1 << 5,
	OF_PORT_FEATURE_10GB_FD = 1 << 6,
	OF_PORT_FEATURE_40GB_FD = 1 << 7,
	OF_PORT_FEATURE_100GB_FD = 1 << 8,
	OF_PORT_FEATURE_1TB_FD = 1 << 9,
	OF_PORT_FEATURE_OTHER = 1 << 10,
	OF_PORT_FEATURE_COPPER = 1 << 11,
	OF_PORT_FEATURE_FIBER = 1 << 12,
	OF_PORT_FEATURE_AUTONEG = 1 << 13
};

uint32_t cable_features(const struct ethtool_link *link);

#endif
