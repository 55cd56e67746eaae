/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port_hook.h - at which hook of the kernel a port's program is to sit (bpf/hook.h).
 *
 * Where nobody says, what comes in by the port decides. A container's veth and a guest's tap bring what sockets have
 * sent: skbs, which tc hands on whole, with the work that their senders left to hardware still undone. A wire brings
 * single frames, for which XDP is the faster place; and some things are asked of a port that only XDP has.
 *
 * Safe error: XDP, where every frame that is on a wire can be forwarded.
 */
#ifndef DATAPLANE_PORT_HOOK_H
#define DATAPLANE_PORT_HOOK_H

#include "dataplane/datapath.h"

#include <stddef.h>

struct complaint;
struct netdev_info;
struct port_config;

/* -EINVAL with a complaint: what the port is asked for needs the XDP hook, and it is asked for tc. */
int port_hook_check(const struct port_config *config, struct complaint *c);

/* `why` gets the reason, for people. */
enum dp_hook port_hook_choose(
	const struct port_config *config, const struct netdev_info *info, char *why, size_t why_size);

const char *port_hook_name(enum dp_hook hook);

/* Whether frames may be given to the far end of this veth directly, as if they had come through it (SW_OUT_PEER). */
bool port_hook_passes(const struct netdev_info *info);

#endif
