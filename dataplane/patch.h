/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * patch.h - a rewrite's edits, put together to one stroke where they can be.
 *
 * Which can: addresses of Ethernet and IPv4, ports of TCP or of UDP (not of both), the TTL, DSCP and ECN. For frames
 * that are whole TCP or UDP over IPv4 without options each of these changes a field that is always at the same place,
 * so that what comes of all edits is known beforehand but for the bits that they leave alone (bpf/patch.h). Other
 * frames, and other edits, are done edit by edit.
 *
 * An address or port of zeros is not put into a patch. One's complement has two zeros, and which one a checksum ends as
 * depends on the order of the sums, but only if nothing is added that is not zero.
 */
#ifndef DATAPLANE_PATCH_H
#define DATAPLANE_PATCH_H

#include "bpf/abi.h"

/* From the edits, looks and ttl_least; one that does nothing, with `does` 0: they cannot be put together. */
struct sw_patch patch_of(const struct sw_rewrite *rewrite);

#endif
