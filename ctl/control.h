/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control.h - the control sockets: who may speak to the daemon, and how many at once.
 *
 * What: a UNIX socket for the local root, and TLS sockets for whoever shows a certificate that their CA signed. Both
 * speak the grammar, a line a request (connection.h).
 *
 * Strangers: before its handshake is done a connection costs one slot for at most CONNECTION_HANDSHAKE_MS. When the
 * slots for TLS run out, the oldest that has not shown a certificate makes way for the next; those who have shown one,
 * and the UNIX socket, have nothing to fear from it. When the process has no descriptors left, accepting pauses.
 */
#ifndef CTL_CONTROL_H
#define CTL_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct complaint;
struct control;
struct loop;
struct reply;

#define CONTROL_MAX_UNIX      64 /* connections */
#define CONTROL_MAX_TLS       64
#define CONTROL_MAX_LISTENERS 16
#define CONTROL_ADDRESS_SIZE  300

struct control_events {
	void *ctx;
	/* One line. The reply is to be ended exactly once, now or later. */
	void (*request)(void *ctx, const char *line, size_t size, struct reply *reply);
};

/* NULL: out of memory. */
struct control *control_create(struct loop *loop, const struct control_events *events);
void control_destroy(struct control *control);

/* Listens at the path, mode 0600; what lies there is removed first, so hold the run directory's lock. */
int control_listen_unix(struct control *control, const char *path, struct complaint *c);

/* What `control listen` says; strings are copied. */
struct control_tls {
	const char *address; /* tls:HOST:PORT */
	const char *cert, *key, *ca;
};
/* -EEXIST: listening there already. -EINVAL, -EADDRINUSE …: the complaint names file or address. */
int control_listen_tls(struct control *control, const struct control_tls *config, struct complaint *c);
/* -ENOENT: not listening there. Open connections stay. */
int control_close(struct control *control, const char *address, struct complaint *c);
/* Reads certificates, keys and CAs again, for new connections; what cannot be read is logged and stays as it was. */
void control_renew(struct control *control);

/* Sends the replies. Once each turn, after the maps were settled. */
void control_flush(struct control *control);
/* Nobody waits for a reply. */
bool control_quiet(const struct control *control);

/* `expiry` of its certificate, in seconds since 1970. */
void control_each_listener(const struct control *control,
	void (*each)(void *ctx, const struct control_tls *config, int64_t expiry), void *ctx);
void control_each_connection(
	const struct control *control, void (*each)(void *ctx, const char *peer, bool young, bool tls), void *ctx);

#endif
