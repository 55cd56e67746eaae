/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port_limits.h - what a device lets its port send and receive, and by which way.
 *
 * What limits what, of a veth pair: a frame for the far end is refused if it is too long for our end
 * (xdp_ok_fwd_dev()) or for the far one (veth_xdp_xmit(), or the kernel's own forwarding behind an XSK): the smaller
 * MTU counts. On its way in a frame that is too long for our end was dropped before us, unless it is GSO; and nobody
 * sends more than its own MTU as one frame. So by one MTU alone, the larger, can a GSO frame be told without ever
 * taking a good one for it while one end after the other is being changed; a GSO frame in between meets the MTU of the
 * port that it should leave by.
 *
 * Safe error: a limit for sending that is too small, which is a named drop, and one for receiving that is too large.
 */
#ifndef DATAPLANE_PORT_LIMITS_H
#define DATAPLANE_PORT_LIMITS_H

#include "dataplane/datapath.h"

struct netdev_info;

struct port_limits {
	uint32_t mtu;          /* the one that limits what is sent */
	uint32_t max_frame;    /* bytes that can be sent, Ethernet header and one tag among them */
	uint32_t max_rx_frame; /* bytes of one frame that comes in; more is GSO */
	bool fast;             /* its driver takes redirected frames */
	bool sg;               /* and such that lie in several buffers */
	char path[160];        /* how frames leave, for people: "redirect", or "slow path: …why…" */
};

/* `mode`: in which the program runs there; kernels before 6.3 do not tell more than that, but driver.h may. */
void port_limits_of(const struct netdev_info *info, enum dp_mode mode, struct port_limits *ret);

#endif
