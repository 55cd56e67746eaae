/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * connection.h - one client of a control socket: lines in, replies out.
 *
 * What: a stream socket, bare or under TLS, that takes one request at a time. The next line is looked at when the reply
 * to the last one has left; until then nothing more is read, so a client that does not read stops only itself.
 *
 * Invariants
 * N1 Nothing is written but by connection_flush(), which the loop's turn calls after the maps were settled (C3).
 * N2 Bounds: a line has WORDS_LINE_SIZE bytes; a handshake has CONNECTION_HANDSHAKE_MS; a client that has not taken a
 *    byte of its reply for CONNECTION_STALL_MS is dropped. An open connection that is idle has no timer.
 *
 * Ownership: the connection owns its descriptor. It ends by itself or by connection_free(); either way `gone` is the
 * last that is heard of it in the first case, and is not called in the second.
 */
#ifndef CTL_CONNECTION_H
#define CTL_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>

struct connection;
struct loop;
struct reply;
struct tls_context;

#define CONNECTION_HANDSHAKE_MS 10000
#define CONNECTION_STALL_MS     60000

struct connection_events {
	void *ctx;
	void (*request)(void *ctx, const char *line, size_t size, struct reply *reply);
	void (*gone)(void *ctx, struct connection *connection);
};

/*
 * Takes over `fd`, non-blocking. `tls` NULL: a bare socket, open at once. `peer` names the client in the log.
 * NULL: out of memory; the descriptor is then still the caller's.
 */
struct connection *connection_create(
	struct loop *loop, int fd, struct tls_context *tls, const char *peer, const struct connection_events *events);
void connection_free(struct connection *connection);

/* Writes what is to be written. May end in `gone`. */
void connection_flush(struct connection *connection);

/* Still shaking hands. */
bool connection_young(const struct connection *connection);
/* Neither a reply on its way nor one being made. */
bool connection_quiet(const struct connection *connection);
/* "uid 0", or "127.0.0.1:4711 switchctl client". */
const char *connection_peer(const struct connection *connection);

#endif
