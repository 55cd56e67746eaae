/* SPDX-License-Identifier: BSD-2-Clause */
/* client.h - switchctl's end of a control socket: connects, sends a line, waits for the reply. Blocking. */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include <stddef.h>

struct client;
struct complaint;
struct json_object;

struct client_target {
	const char *run_dir;         /* its UNIX socket, unless … */
	const char *connect;         /* … tls:HOST:PORT is asked for */
	const char *cert, *key, *ca; /* of connect */
};

/* -EINVAL: the address, certificate, key or CA given cannot be used. Other errors: nobody there, or not the right one.
 */
int client_open(const struct client_target *target, struct client **ret, struct complaint *c);
/* Accepts NULL. */
void client_close(struct client *client);

/*
 * Sends a line (without its end) and returns the last object of its reply, which the caller puts. `progress` may be
 * NULL. -ECONNRESET or another error: the connection is of no more use.
 */
int client_ask(struct client *client, const char *line, void (*progress)(void *ctx, struct json_object *progress),
	void *ctx, struct json_object **ret, struct complaint *c);

#endif
