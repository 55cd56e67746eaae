/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * vlan.h - puts an 802.1Q tag in front, takes it off, rewrites its VID.
 *
 *	vlan_tag(ctx)		VID of the outermost tag; 0: none, or none of 802.1Q
 *	vlan_push(ctx, tci)
 *	vlan_pop(ctx)
 *	vlan_set(ctx, vid)	keeps PCP and CFI
 *
 * The last three return SW_DROP_NONE, or why the frame cannot go on. Packet pointers are void after a call. Only the
 * outermost tag is looked at, as in the key.
 */
#ifndef SW_VLAN_H
#define SW_VLAN_H

#define TAG_SIZE 4

#ifdef SW_HOOK_TC
#include "vlan_tc.h"
#else
#include "vlan_xdp.h"
#endif

#endif
