/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ears.h - listening sockets, and who knocks at them.
 *
 * When the process has no descriptors left, accepting pauses for EARS_PAUSE_MS: the sockets stay readable, and the loop
 * would spin on them.
 */
#ifndef OFP_EARS_H
#define OFP_EARS_H

#include "ofp/address.h"

struct complaint;
struct ears;
struct reactor;

#define EARS_MAX            4 /* addresses of one host name */
#define EARS_PAUSE_MS       1000
#define EARS_ACCEPTS_A_TURN 16
#define EARS_UNSENT_MAX     262144 /* bytes of a connection that wait in the kernel to be sent */

/* `fd`, non-blocking and prepared, is the callee's. `peer` is "ADDRESS:PORT"; "" at a UNIX socket. */
typedef void ears_knock(void *ctx, int fd, const char *peer);

/*
 * At every address of the host that can be had, EARS_MAX at most; one is enough. A host name is asked for here and now.
 * -EHOSTUNREACH, -EADDRINUSE …: the complaint names it.
 */
int ears_open(const struct reactor *reactor, const struct address *address, ears_knock *knock, void *ctx,
	struct ears **ret, struct complaint *c);
/* At the path, mode 0600; what lies there is removed first, and at the end nothing is. */
int ears_open_unix(const struct reactor *reactor, const char *path, ears_knock *knock, void *ctx, struct ears **ret,
	struct complaint *c);
/* Accepts NULL. Not from within `knock`. */
void ears_close(struct ears *ears);

/*
 * What sockets of connections over TCP have: no delay, a peer that vanished is noticed in two minutes, and what a peer
 * does not read waits here, where it is counted, and not in megabytes of the kernel's.
 */
void ears_prepare_socket(int fd);

#endif
