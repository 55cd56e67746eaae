/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/ethtool.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define MAX_BLOCKS     8   /* of 32 features; kernels up to 6.18 have 2 */
#define MAX_LINK_WORDS 127 /* of 32 link modes: what the kernel can say */

static const struct {
	const char *kernel_name; /* net/ethtool/common.c, netdev_features_strings */
	const char *word;
} rows[ETHTOOL_N_FEATURES] = {
	[ETHTOOL_GRO] = {"rx-gro", "gro"},
	[ETHTOOL_TX_VLAN] = {"tx-vlan-hw-insert", "txvlan"},
	[ETHTOOL_RX_VLAN] = {"rx-vlan-hw-parse", "rxvlan"},
	[ETHTOOL_LRO] = {"rx-lro", "lro"},
	[ETHTOOL_GRO_HW] = {"rx-gro-hw", "rx-gro-hw"},
};

static struct {
	uint32_t n_features; /* of the kernel; 0: not asked yet */
	int32_t bit[ETHTOOL_N_FEATURES];
} known;

static int ask(int fd, const char *name, void *command)
{
	struct ifreq ifr = {.ifr_data = command};

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	return ioctl(fd, SIOCETHTOOL, &ifr) < 0 ? -errno : 0;
}

static int count_features(int fd, const char *name, uint32_t *ret)
{
	struct {
		struct ethtool_sset_info info;
		uint32_t count;
	} command = {.info = {.cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ULL << ETH_SS_FEATURES}};
	int error = ask(fd, name, &command);

	if (error)
		return error;
	if (!command.info.sset_mask || !command.count || command.count > MAX_BLOCKS * 32)
		return -EOPNOTSUPP;
	*ret = command.count;
	return 0;
}

static int32_t find_name(const struct ethtool_gstrings *strings, const char *wanted)
{
	for (uint32_t i = 0; i < strings->len; i++) {
		if (strncmp((const char *)strings->data + i * ETH_GSTRING_LEN, wanted, ETH_GSTRING_LEN) == 0)
			return (int32_t)i;
	}
	return -1;
}

static int learn_names(int fd, const char *name)
{
	struct ethtool_gstrings *strings;
	uint32_t count;
	int error;

	if (known.n_features)
		return 0;
	error = count_features(fd, name, &count);
	if (error)
		return error;
	strings = calloc(1, sizeof(*strings) + (size_t)count * ETH_GSTRING_LEN);
	if (!strings)
		return -ENOMEM;
	strings->cmd = ETHTOOL_GSTRINGS;
	strings->string_set = ETH_SS_FEATURES;
	strings->len = count;
	error = ask(fd, name, strings);
	if (!error) {
		for (int i = 0; i < ETHTOOL_N_FEATURES; i++)
			known.bit[i] = find_name(strings, rows[i].kernel_name);
		known.n_features = count;
	}
	free(strings);
	return error;
}

int ethtool_get_features(int fd, const char *name, struct ethtool_features *ret)
{
	struct {
		struct ethtool_gfeatures head;
		struct ethtool_get_features_block block[MAX_BLOCKS];
	} command = {.head = {.cmd = ETHTOOL_GFEATURES}};
	int error = learn_names(fd, name);

	if (error)
		return error;
	command.head.size = (known.n_features + 31) / 32;
	error = ask(fd, name, &command);
	if (error)
		return error;
	for (int i = 0; i < ETHTOOL_N_FEATURES; i++) {
		const struct ethtool_get_features_block *block;
		uint32_t mask;

		if (known.bit[i] < 0) {
			ret->on[i] = false;
			ret->fixed[i] = true;
			continue;
		}
		block = &command.head.features[known.bit[i] / 32];
		mask = 1U << (known.bit[i] % 32);
		ret->on[i] = block->active & mask;
		ret->fixed[i] = !(block->available & mask) || (block->never_changed & mask);
	}
	return 0;
}

int ethtool_set_feature(int fd, const char *name, enum ethtool_feature feature, bool on)
{
	struct {
		struct ethtool_sfeatures head;
		struct ethtool_set_features_block block[MAX_BLOCKS];
	} command = {.head = {.cmd = ETHTOOL_SFEATURES}};
	struct ethtool_features now;
	int error = learn_names(fd, name);
	uint32_t mask;

	if (error)
		return error;
	if (known.bit[feature] < 0)
		return -EOPNOTSUPP;
	mask = 1U << (known.bit[feature] % 32);
	command.head.size = (known.n_features + 31) / 32;
	command.head.features[known.bit[feature] / 32].valid = mask;
	command.head.features[known.bit[feature] / 32].requested = on ? mask : 0;
	error = ask(fd, name, &command);
	if (!error)
		error = ethtool_get_features(fd, name, &now);
	if (error)
		return error;
	return now.on[feature] == on ? 0 : -EOPNOTSUPP;
}

const char *ethtool_feature_word(enum ethtool_feature feature)
{
	return rows[feature].word;
}

int ethtool_get_channels(int fd, const char *name, struct ethtool_queues *ret)
{
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	int error = ask(fd, name, &channels);

	if (error)
		return error;
	ret->rx = channels.rx_count;
	ret->tx = channels.tx_count;
	ret->combined = channels.combined_count;
	ret->max_rx = channels.max_rx;
	ret->max_tx = channels.max_tx;
	ret->max_combined = channels.max_combined;
	return 0;
}

int ethtool_get_driver(int fd, const char *name, char ret[32])
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	int error = ask(fd, name, &info);

	if (error)
		return error;
	snprintf(ret, 32, "%.*s", (int)sizeof(info.driver) - 1, info.driver);
	return 0;
}

static void read_link(const struct ethtool_link_settings *said, struct ethtool_link *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->mbps = said->speed == (uint32_t)SPEED_UNKNOWN ? 0 : said->speed;
	ret->full_duplex = said->duplex == DUPLEX_FULL;
	ret->half_duplex = said->duplex == DUPLEX_HALF;
	ret->autoneg = said->autoneg == AUTONEG_ENABLE;
	ret->copper = said->port == PORT_TP || said->port == PORT_DA;
	ret->fiber = said->port == PORT_FIBRE;
}

/* The first answer says, as a negative number, how many words its lists have; the second has them. */
int ethtool_get_link(int fd, const char *name, struct ethtool_link *ret)
{
	struct {
		struct ethtool_link_settings settings;
		uint32_t lists[3 * MAX_LINK_WORDS];
	} command = {.settings = {.cmd = ETHTOOL_GLINKSETTINGS}};
	int error = ask(fd, name, &command);
	int words = -command.settings.link_mode_masks_nwords;

	if (error)
		return error;
	if (words <= 0 || words > MAX_LINK_WORDS)
		return -EOPNOTSUPP;
	memset(&command, 0, sizeof(command));
	command.settings.cmd = ETHTOOL_GLINKSETTINGS;
	command.settings.link_mode_masks_nwords = (int8_t)words;
	error = ask(fd, name, &command);
	if (!error)
		read_link(&command.settings, ret);
	return error;
}
