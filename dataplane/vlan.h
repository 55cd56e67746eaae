/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vlan.h - which VLAN a frame belongs to on the port it came in by, and how it leaves another.
 *
 * Modes
 *   open    (a port's first state) every VLAN, tagged as it came; untagged frames belong to VLAN 0
 *   access  one VLAN, untagged. A tagged frame is refused, but for a priority tag (VID 0), which is taken off
 *   trunk   the allowed VLANs, tagged; the native one, if any, as `native_tagged` says: tagged or untagged at egress,
 *           and where untagged frames go to at ingress. Without a native VLAN untagged frames are refused
 *
 * Only 802.1Q (0x8100) tags count: an 802.1ad frame is one without a tag, and passes with its S-tag untouched.
 */
#ifndef DATAPLANE_VLAN_H
#define DATAPLANE_VLAN_H

#include "bpf/abi.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct complaint;

enum vlan_mode { VLAN_OPEN, VLAN_ACCESS, VLAN_TRUNK };

#define VLAN_IDS 4095 /* 0 .. 4094 */

struct vlan_config {
	enum vlan_mode mode;
	uint16_t vid;         /* access: its VLAN; trunk: the native VLAN, 0: none */
	bool native_tagged;   /* trunk: the native VLAN leaves with a tag */
	uint64_t allowed[64]; /* trunk: a bit for each VID; the native VLAN's is set too */
};

/* How a frame of some VLAN leaves a port. */
enum vlan_form { VLAN_NOT_A_MEMBER, VLAN_UNTAGGED, VLAN_TAGGED };

/*
 * Puts the VLAN of a frame with `tci` (host order, SW_VLAN_PRESENT bit as in the key) into *ret_vid and returns
 * SW_DROP_NONE, or the reason for its refusal. Looks at the VID and at whether there is a tag, and nothing else.
 */
enum sw_drop vlan_admit(const struct vlan_config *vlan, uint16_t tci, uint16_t *ret_vid);

enum vlan_form vlan_leave(const struct vlan_config *vlan, uint16_t vid);

/* The VLAN that this port sends without a tag; 0: none (an open port's VLAN 0 needs no rewriting). */
uint16_t vlan_untagged(const struct vlan_config *vlan);

/* Text as in the grammar: "open", "access 10", "trunk 10,20-29 native 1", "trunk all native 5 tagged". */
size_t vlan_format(const struct vlan_config *vlan, char *text, size_t size);

/* Reads the words behind `vlan` in `port set`. -EINVAL: the complaint names the word at fault; `ret` is untouched. */
int vlan_parse(const char *const *words, size_t n_words, struct vlan_config *ret, struct complaint *complaint);

#endif
