/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * normal.h - the NORMAL action: what an IEEE 802.1Q bridge does with a frame.
 *
 * What, in this order
 *   1. a source that is a group address or zero: dropped, it is nobody's (bad_source)
 *   2. a destination 01:80:C2:00:00:00 to :0F: dropped, unless the bridge forwards them; not learned from
 * (reserved_mac)
 *   3. the VLAN that it belongs to on this port, or dropped and not learned from (vlan_denied)
 *   4. learning: asked for where the FDB does not have the source on this port
 *   5. a group address goes to all other ports in the VLAN; so does an address that the FDB does not know
 *   6. a known one goes to its port: not back where it came from (same_port), not where the link is down (port_down),
 *      and not where the VLAN has no member (no_output): IEEE 802.1Q-2018 §8.6.4 filters at egress and does not flood
 *      instead. Who takes a port out of a VLAN flushes what was learned there, so that this does not last.
 *
 * Why one mask: every answer consults in_ifindex, the VLAN (VID and presence), source and destination, also where less
 * would do, as for a reserved address. Each distinct mask costs each frame of the fast path a lookup; what a narrower
 * one would save, entries, is only saved for frames that are dropped. PCP is never looked at.
 *
 * Dependencies: the source, because of the learning, and the destination if it was looked up. Ports, their state and
 * VLANs, and forward_reserved are the pipeline's: its version tells.
 */
#ifndef DATAPLANE_NORMAL_H
#define DATAPLANE_NORMAL_H

struct translation;

/* Adds outputs, or a reason for the drop, and what is to be learned. */
void normal_forward(const struct translation *t);

#endif
