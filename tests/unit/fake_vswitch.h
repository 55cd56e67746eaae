/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_vswitch.h - a double of dataplane/vswitch.h for tests of the daemon's handlers.
 *
 * Bridges, ports and addresses are kept by the real pipeline and the real FDB; there are no devices, no maps and no
 * frames. What the daemon asks of the switch is written down, call by call, and a call can be told to fail.
 */
#ifndef FAKE_VSWITCH_H
#define FAKE_VSWITCH_H

#include "dataplane/vswitch.h"

struct vswitch *fake_vswitch_create(void);

/* The calls since the last fake_vswitch_forget(), a word each: "+br0 +br0/p1 ~br0/p1:1 -br0". */
const char *fake_vswitch_calls(const struct vswitch *vs);
void fake_vswitch_forget(struct vswitch *vs);

/* Additions of ports of this name fail from now on; NULL: none does. */
void fake_vswitch_refuse(struct vswitch *vs, const char *port);
/* As if pinned state had been found. */
void fake_vswitch_adopt(struct vswitch *vs);
/* Called at the next settle, and not again. */
void fake_vswitch_at_settle(struct vswitch *vs, void (*call)(void *ctx), void *ctx);
/* How many times it was settled. */
unsigned fake_vswitch_settled(const struct vswitch *vs);

#endif
