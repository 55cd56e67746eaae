/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rewrite.h - carries out one action on the bytes of a frame, with its checksums right.
 *
 * What: all actions of OF 1.3.5 §7.2.4 that change a frame: set-field, push, pop, TTLs. Outputs, groups and queues are
 * not its business.
 *
 * Invariants
 * W1 A checksum that was right is right afterwards (IPv4, TCP, UDP, ICMP, ICMPv6, SCTP's CRC32c); one that was wrong
 *    stays wrong, and a UDP checksum of zero stays zero. Later fragments have no layer-4 header to mend. The CRC of an
 *    SCTP packet that is fragmented goes wrong with its ports: the rest of it is not at hand.
 * W2 Nothing outside [data - headroom, data + size + tailroom) is touched, whatever the frame's bytes say.
 * W3 An action that does not apply to the frame (no such header) leaves it as it is.
 *
 * Where the specification is quiet (../docs/openflow.md lists what was chosen): a frame that a pop makes shorter than
 * 60 bytes is padded to 60 with zeros; push_vlan copies VID and PCP from the outer tag; push_mpls takes TTL from the IP
 * header or the outer label, TC and label from the outer label, and TTL 0 for anything else; push_pbb copies both
 * addresses and, where there was one, the outer I-TAG, else an I-TAG of zeros.
 *
 * Pure, no allocation.
 */
#ifndef DATAPLANE_REWRITE_H
#define DATAPLANE_REWRITE_H

#include "dataplane/frame.h"

struct action;

enum rewrite {
	REWRITE_DONE,    /* or it does not apply (W3) */
	REWRITE_NO_ROOM, /* no headroom for a push; the frame is as it was */
	REWRITE_BAD_TTL, /* a decrement would make it 0, or it is 0: OFPR_INVALID_TTL, OF 1.3.5 §7.4.1 */
};

enum rewrite rewrite_apply(struct frame *frame, const struct action *action);
/* IPv4's or IPv6's DSCP, of a dscp-remark band: raises the drop precedence by `levels` (OF 1.3.5 §7.3.4.1). */
void rewrite_remark(struct frame *frame, uint8_t levels);

#endif
