/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * normal.h - the NORMAL action: what an IEEE 802.1Q bridge does with a frame.
 *
 * What, in this order
 *   1. the VLAN that it belongs to on this port, or dropped (vlan_denied)
 *   2. a source that is a group address or zero: dropped, it is nobody's (bad_source)
 *   3. a destination 01:80:C2:00:00:00 to :0F: dropped, unless the bridge forwards them; nothing is learned from it
 *      (reserved_mac)
 *   4. learning: asked for where the FDB does not have the source on this port
 *   5. a group address goes to all other ports in the VLAN; so does an address that the FDB does not know
 *   6. a known one goes to its port: not back where it came from (same_port), not where the link is down (port_down),
 *      and not where the VLAN has no member (no_output): IEEE 802.1Q-2018 §8.6.4 filters at egress and does not flood
 *      instead. Who takes a port out of a VLAN flushes what was learned there, so that this does not last.
 *
 * Two halves. The first step and who is flooded depend on in_ifindex and the VLAN (VID and presence) alone: that is
 * what translate() answers and the cache keeps, one flow for each port and VLAN. The others depend on the addresses and
 * on what the FDB says of them at the moment: they are carried out frame by frame, in the program by the NORMAL step
 * (bpf/normal.h, N1), and here.
 *
 * Why not a flow for each pair of addresses: a hundred hosts make ten thousand pairs. Each of those was an upcall, a
 * slot and two cache misses, and each change of the FDB was a search for the flows that rested on it.
 *
 * PCP is never looked at.
 */
#ifndef DATAPLANE_NORMAL_H
#define DATAPLANE_NORMAL_H

#include "dataplane/fdb.h"

struct pipeline;
struct sw_key;
struct trace_sink;
struct translation;
struct xlate;

/* NORMAL as the only action: admits to the VLAN, and answers with the outputs of a flood and xlate.normal. */
void normal_forward(const struct translation *t);

/*
 * All of it at once, for a frame of this key that came in by that port (id), as if its bridge had no other rule: fills
 * *ret, with outputs or a drop. The port may be without a device. 0: by none, as what a controller sends: it is in the
 * VLAN of its tag, and nothing is learned. in_ifindex of the key is not looked at.
 */
void normal_answer(
	const struct pipeline *pl, uint16_t bridge, uint16_t in_port, const struct sw_key *key, struct xlate *ret);

/* Makes an answer of translate() one for this very frame, of the same key; does nothing where it is one already. */
void normal_carry_out(
	const struct pipeline *pl, const struct sw_key *key, const struct trace_sink *trace, struct xlate *answer);

/* How frames for an address leave by the port that it lives behind: what the program is to know (fdb_events.out). */
struct fdb_out normal_out(const struct pipeline *pl, const struct fdb_entry *entry);

#endif
