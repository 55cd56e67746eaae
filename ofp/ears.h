/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ears.h - a listening socket at an IP address, and who knocks at it.
 *
 * When the process has no descriptors left, accepting pauses for EARS_PAUSE_MS: the socket stays readable, and the loop
 * would spin on it.
 */
#ifndef OFP_EARS_H
#define OFP_EARS_H

#include "ofp/address.h"

struct complaint;
struct ears;
struct reactor;

#define EARS_PAUSE_MS       1000
#define EARS_ACCEPTS_A_TURN 16
#define EARS_UNSENT_MAX     262144 /* bytes of a connection that wait in the kernel to be sent */

/* `fd`, non-blocking and with keep-alive, is the callee's. `peer` is "ADDRESS:PORT". */
typedef void ears_knock(void *ctx, int fd, const char *peer);

/* -EINVAL: `address` is no IP address. -EADDRINUSE …: the complaint names it. */
int ears_open(const struct reactor *reactor, const struct address *address, ears_knock *knock, void *ctx,
	struct ears **ret, struct complaint *c);
/* Accepts NULL. Not from within `knock`. */
void ears_close(struct ears *ears);

/*
 * What sockets of OpenFlow connections have: no delay, a peer that vanished is noticed in two minutes, and what a peer
 * does not read waits here, where it is counted, and not in megabytes of the kernel's.
 */
void ears_prepare_socket(int fd);

#endif
