/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ethtool.h - what only the SIOCETHTOOL ioctl says and does: offloads, queue counts, the driver's name.
 *
 * `fd` is any socket of the device's network namespace. Features are asked for by the kernel's names, whose bit numbers
 * are looked up once: they are the same for every device of one kernel.
 */
#ifndef DATAPLANE_ETHTOOL_H
#define DATAPLANE_ETHTOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ethtool_feature { /* the rows of a table in ethtool.c */
	ETHTOOL_GRO,
	ETHTOOL_TX_VLAN,
	ETHTOOL_RX_VLAN,
	ETHTOOL_LRO,
	ETHTOOL_GRO_HW,
	ETHTOOL_N_FEATURES
};

struct ethtool_features {
	bool on[ETHTOOL_N_FEATURES];
	bool fixed[ETHTOOL_N_FEATURES]; /* cannot be changed */
};

/* 0 or -errno: -ENODEV, -EOPNOTSUPP. */
int ethtool_get_features(int fd, const char *name, struct ethtool_features *ret);
/* -EPERM-like errors from the kernel; -EOPNOTSUPP when the device did not follow. */
int ethtool_set_feature(int fd, const char *name, enum ethtool_feature feature, bool on);
/* The word that ethtool -K uses for it. */
const char *ethtool_feature_word(enum ethtool_feature feature);

/* Queues in use now, and how many there can be. A combined one receives and sends. */
struct ethtool_queues {
	uint32_t rx, tx, combined;
	uint32_t max_rx, max_tx, max_combined;
};
/* -EOPNOTSUPP: the driver does not say. */
int ethtool_get_channels(int fd, const char *name, struct ethtool_queues *ret);

/* The driver's name. -EOPNOTSUPP. */
int ethtool_get_driver(int fd, const char *name, char ret[32]);

struct ethtool_link {
	uint32_t mbps;                 /* 0: not known, as without a cable */
	bool full_duplex, half_duplex; /* neither: not known */
	bool autoneg, copper, fiber;
};
/* -EOPNOTSUPP: it has no such thing. */
int ethtool_get_link(int fd, const char *name, struct ethtool_link *ret);

#endif
