/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/loan.h"

#include "bpf/abi.h"
#include "dataplane/complaint.h"
#include "dataplane/log.h"
#include "dataplane/netdev.h"

#include <stdbool.h>
#include <stddef.h>

static bool is_filtering(const struct netdev_info *info)
{
	return !info->promiscuous;
}

static int set_filtering(const struct netdev_info *info, bool on, struct complaint *c)
{
	return netdev_set_promiscuous(info->ifindex, !on, c);
}

static bool is_taking_tags(const struct netdev_info *info)
{
	return info->rx_vlan_offload && !info->rx_vlan_fixed;
}

static int set_taking_tags(const struct netdev_info *info, bool on, struct complaint *c)
{
	return netdev_set_offload(info->name, NETDEV_OFFLOAD_RX_VLAN, on, c);
}

static bool is_merging(const struct netdev_info *info)
{
	return info->lro && !info->lro_fixed;
}

static int set_merging(const struct netdev_info *info, bool on, struct complaint *c)
{
	return netdev_set_offload(info->name, NETDEV_OFFLOAD_LRO, on, c);
}

static bool is_merging_by_gro(const struct netdev_info *info)
{
	return info->gro_hw && !info->gro_hw_fixed;
}

static int set_merging_by_gro(const struct netdev_info *info, bool on, struct complaint *c)
{
	return netdev_set_offload(info->name, NETDEV_OFFLOAD_GRO_HW, on, c);
}

/* What a port must not have, and how it is switched. */
static const struct {
	uint32_t change;
	bool (*is_on)(const struct netdev_info *info);
	int (*set)(const struct netdev_info *info, bool on, struct complaint *c);
} rows[] = {
	{SW_REG_LRO, is_merging, set_merging},
	{SW_REG_GRO_HW, is_merging_by_gro, set_merging_by_gro},
	{SW_REG_RX_VLAN, is_taking_tags, set_taking_tags},
	{SW_REG_PROMISCUOUS, is_filtering, set_filtering},
};

uint32_t loan_changes(const struct netdev_info *info)
{
	uint32_t changes = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].is_on(info))
			changes |= rows[i].change;
	}
	return changes;
}

static void set(const struct netdev_info *info, uint32_t changes, bool on, const char *port)
{
	struct complaint c = {""};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if ((changes & rows[i].change) && rows[i].set(info, on, &c))
			log_warn("port %s: %s", port, c.text);
	}
}

void loan_take(const struct netdev_info *info, uint32_t changes, const char *port)
{
	set(info, changes, false, port);
}

/* What its owner has given back already is not given back twice. */
void loan_return(uint32_t ifindex, uint32_t changes, const char *port)
{
	struct netdev_info info;

	if (changes && netdev_query_ifindex(ifindex, &info) == 0)
		set(&info, changes & ~loan_changes(&info), true, port);
}
