/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vlan_set.h - some VLANs: 0, which is that of untagged frames on open ports, to 4094.
 *
 * Text: "0,10,20-29", in rising order when printed.
 */
#ifndef DATAPLANE_VLAN_SET_H
#define DATAPLANE_VLAN_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vlan_set {
	uint64_t bits[64];
};

static inline bool vlan_set_has(const struct vlan_set *set, uint16_t vid)
{
	return vid < 4096 && set->bits[vid / 64] >> vid % 64 & 1;
}

bool vlan_set_is_empty(const struct vlan_set *set);
bool vlan_sets_meet(const struct vlan_set *a, const struct vlan_set *b);
/* False: it is no such list, and *ret is untouched. */
bool vlan_set_parse(const char *text, struct vlan_set *ret);
/* As snprintf(). VLAN_SET_TEXT bytes hold any. */
#define VLAN_SET_TEXT 10240
size_t vlan_set_format(const struct vlan_set *set, char *text, size_t size);

#endif
