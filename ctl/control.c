/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/control.h"

#include "ctl/connection.h"
#include "ctl/loop.h"
#include "ofp/address.h"
#include "ofp/ears.h"
#include "ofp/tls.h"
#include "dataplane/complaint.h"
#include "dataplane/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct listener {
	struct control *control;
	struct listener *next;
	struct tls_context *tls; /* NULL: the UNIX socket */
	char address[CONTROL_ADDRESS_SIZE];
	char *cert, *key, *ca;
	struct ears *ears;
};

/* In the order they came. */
struct client {
	struct client *next;
	struct connection *connection;
	bool tls;
};

struct control {
	struct loop *loop;
	struct control_events events;
	struct listener *listeners;
	struct client *clients;
	unsigned n_unix, n_tls;
};

static void someone_knocks(void *ctx, int fd, const char *peer);

struct control *control_create(struct loop *loop, const struct control_events *events)
{
	struct control *control = calloc(1, sizeof(*control));

	if (!control)
		return NULL;
	control->loop = loop;
	control->events = *events;
	return control;
}

static void listener_free(struct listener *listener)
{
	if (!listener->tls && listener->ears)
		unlink(listener->address);
	ears_close(listener->ears);
	tls_context_free(listener->tls);
	free(listener->cert);
	free(listener->key);
	free(listener->ca);
	free(listener);
}

void control_destroy(struct control *control)
{
	struct listener *listener;
	struct client *client;

	if (!control)
		return;
	while ((client = control->clients)) {
		control->clients = client->next;
		connection_free(client->connection);
		free(client);
	}
	while ((listener = control->listeners)) {
		control->listeners = listener->next;
		listener_free(listener);
	}
	free(control);
}

/* ---- listening ---- */

static struct listener *listener_create(struct control *control, const char *address)
{
	struct listener *listener = calloc(1, sizeof(*listener));

	if (!listener)
		return NULL;
	listener->control = control;
	snprintf(listener->address, sizeof(listener->address), "%s", address);
	return listener;
}

static void adopt(struct control *control, struct listener *listener)
{
	struct listener **last = &control->listeners;

	while (*last)
		last = &(*last)->next;
	*last = listener;
}

int control_listen_unix(struct control *control, const char *path, struct complaint *c)
{
	struct listener *listener = listener_create(control, path);
	int err;

	if (!listener)
		return complain(c, -ENOMEM, "out of memory");
	err = ears_open_unix(loop_reactor(control->loop), path, someone_knocks, listener, &listener->ears, c);
	if (err)
		listener_free(listener);
	else
		adopt(control, listener);
	return err;
}

static int listen_tcp(struct listener *listener, struct complaint *c)
{
	struct address address;
	int err = address_parse(listener->address, false, &address, c);

	if (err)
		return err;
	return ears_open(loop_reactor(listener->control->loop), &address, someone_knocks, listener, &listener->ears, c);
}

static struct listener *find(const struct control *control, const char *address)
{
	for (struct listener *listener = control->listeners; listener; listener = listener->next) {
		if (listener->tls && !strcmp(listener->address, address))
			return listener;
	}
	return NULL;
}

static int check_room(const struct control *control, const char *address, struct complaint *c)
{
	unsigned n = 0;

	if (find(control, address))
		return complain(c, -EEXIST, "the switch listens at %s already", address);
	if (strlen(address) >= CONTROL_ADDRESS_SIZE)
		return complain(c, -EINVAL, "the address is too long");
	for (const struct listener *listener = control->listeners; listener; listener = listener->next)
		n++;
	if (n > CONTROL_MAX_LISTENERS)
		return complain(c, -ENOSPC, "the switch listens at %d addresses already", CONTROL_MAX_LISTENERS);
	return 0;
}

int control_listen_tls(struct control *control, const struct control_tls *config, struct complaint *c)
{
	const struct tls_files files = {.cert = config->cert, .key = config->key, .ca = config->ca};
	struct listener *listener;
	struct tls_context *tls;
	int err = check_room(control, config->address, c);

	if (!err)
		err = tls_context_create(&files, TLS_SERVER, &tls, c);
	if (err)
		return err;
	listener = listener_create(control, config->address);
	if (!listener) {
		tls_context_free(tls);
		return complain(c, -ENOMEM, "out of memory");
	}
	listener->tls = tls;
	listener->cert = strdup(config->cert);
	listener->key = strdup(config->key);
	listener->ca = strdup(config->ca);
	err = listener->cert && listener->key && listener->ca ? listen_tcp(listener, c)
							      : complain(c, -ENOMEM, "out of memory");
	if (err) {
		listener_free(listener);
		return err;
	}
	adopt(control, listener);
	log_info("control: listening at %s", listener->address);
	return 0;
}

int control_close(struct control *control, const char *address, struct complaint *c)
{
	struct listener *listener = find(control, address);
	struct listener **link = &control->listeners;

	if (!listener)
		return complain(c, -ENOENT, "the switch does not listen at %s", address);
	while (*link != listener)
		link = &(*link)->next;
	*link = listener->next;
	log_info("control: no longer listening at %s", address);
	listener_free(listener);
	return 0;
}

void control_renew(struct control *control)
{
	struct tls_context *fresh;
	struct complaint c;

	for (struct listener *listener = control->listeners; listener; listener = listener->next) {
		const struct tls_files files = {.cert = listener->cert, .key = listener->key, .ca = listener->ca};

		if (!listener->tls)
			continue;
		if (tls_context_create(&files, TLS_SERVER, &fresh, &c)) {
			log_error("control: %s goes on with its old certificate: %s", listener->address, c.text);
			continue;
		}
		tls_context_free(listener->tls);
		listener->tls = fresh;
	}
}

/* ---- connections ---- */

static void client_gone(void *ctx, struct connection *connection)
{
	struct control *control = ctx;

	for (struct client **link = &control->clients, *client; (client = *link); link = &client->next) {
		if (client->connection != connection)
			continue;
		*link = client->next;
		*(client->tls ? &control->n_tls : &control->n_unix) -= 1;
		free(client);
		return;
	}
}

static void request(void *ctx, const char *line, size_t size, struct reply *reply)
{
	struct control *control = ctx;

	control->events.request(control->events.ctx, line, size, reply);
}

/* Drops the oldest that has not shown who it is. */
static bool evict(struct control *control)
{
	for (struct client *client = control->clients; client; client = client->next) {
		struct connection *connection = client->connection;

		if (!connection_young(connection))
			continue;
		client_gone(control, connection);
		connection_free(connection);
		return true;
	}
	return false;
}

static bool room(struct control *control, bool tls)
{
	if (tls ? control->n_tls < CONTROL_MAX_TLS : control->n_unix < CONTROL_MAX_UNIX)
		return true;
	if (tls && evict(control))
		return true;
	log_limited(LOG_LEVEL_WARN, "control: too many connections");
	return false;
}

static bool root_knocks(int fd, char *name, size_t size)
{
	struct ucred cred;
	socklen_t cred_size = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &cred_size))
		return false;
	snprintf(name, size, "uid %u pid %d", (unsigned)cred.uid, (int)cred.pid);
	if (!cred.uid || cred.uid == geteuid())
		return true;
	log_limited(LOG_LEVEL_WARN, "control: %s refused: not root", name);
	return false;
}

static bool welcome(struct listener *listener, int fd, const char *peer)
{
	struct control *control = listener->control;
	const struct connection_events events = {.ctx = control, .request = request, .gone = client_gone};
	struct client *client = calloc(1, sizeof(*client)), **last = &control->clients;

	if (!client)
		return false;
	client->tls = listener->tls != NULL;
	client->connection = connection_create(control->loop, fd, listener->tls, peer, &events);
	if (!client->connection) {
		free(client);
		return false;
	}
	while (*last)
		last = &(*last)->next;
	*last = client;
	*(client->tls ? &control->n_tls : &control->n_unix) += 1;
	return true;
}

static void someone_knocks(void *ctx, int fd, const char *peer)
{
	struct listener *listener = ctx;
	char local[100];

	if (!listener->tls && !root_knocks(fd, local, sizeof(local))) {
		close(fd);
		return;
	}
	if (!room(listener->control, listener->tls != NULL) || !welcome(listener, fd, listener->tls ? peer : local))
		close(fd);
}

/* ---- the turn ---- */

void control_flush(struct control *control)
{
	for (struct client *client = control->clients, *next; client; client = next) {
		next = client->next;
		connection_flush(client->connection);
	}
}

bool control_quiet(const struct control *control)
{
	for (const struct client *client = control->clients; client; client = client->next) {
		if (!connection_quiet(client->connection))
			return false;
	}
	return true;
}

void control_each_listener(const struct control *control,
	void (*each)(void *ctx, const struct control_tls *config, int64_t expiry), void *ctx)
{
	for (const struct listener *listener = control->listeners; listener; listener = listener->next) {
		const struct control_tls config = {
			.address = listener->address, .cert = listener->cert, .key = listener->key, .ca = listener->ca};

		if (listener->tls)
			each(ctx, &config, tls_context_expiry(listener->tls));
	}
}

void control_each_connection(
	const struct control *control, void (*each)(void *ctx, const char *peer, bool young, bool tls), void *ctx)
{
	for (const struct client *client = control->clients; client; client = client->next)
		each(ctx, connection_peer(client->connection), connection_young(client->connection), client->tls);
}
