/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/control.h"

#include "ofp/address.h"
#include "ctl/connection.h"
#include "ctl/loop.h"
#include "ofp/tls.h"
#include "dataplane/complaint.h"
#include "dataplane/log.h"
#include "dataplane/reactor.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_FDS        4 /* addresses of one host name */
#define ACCEPTS_A_TURN 16
#define PAUSE_MS       1000

struct listener {
	struct control *control;
	struct listener *next;
	struct tls_context *tls; /* NULL: the UNIX socket */
	char address[CONTROL_ADDRESS_SIZE];
	char *cert, *key, *ca;
	unsigned n_fds;
	struct ear {
		struct listener *listener;
		int fd;
		struct reactor_io *io;
	} ears[MAX_FDS];
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
	struct reactor_timer *pause;
};

static void pause_ended(void *arg);
static void someone_knocks(void *arg);

struct control *control_create(struct loop *loop, const struct control_events *events)
{
	const struct reactor *reactor = loop_reactor(loop);
	struct control *control = calloc(1, sizeof(*control));

	if (!control)
		return NULL;
	control->loop = loop;
	control->events = *events;
	control->pause = reactor->timer(reactor->ctx, pause_ended, control);
	if (!control->pause) {
		free(control);
		return NULL;
	}
	return control;
}

static void listener_free(struct listener *listener)
{
	const struct reactor *reactor = loop_reactor(listener->control->loop);

	for (unsigned i = 0; i < listener->n_fds; i++) {
		reactor->io_free(reactor->ctx, listener->ears[i].io);
		close(listener->ears[i].fd);
	}
	if (!listener->tls)
		unlink(listener->address);
	tls_context_free(listener->tls);
	free(listener->cert);
	free(listener->key);
	free(listener->ca);
	free(listener);
}

void control_destroy(struct control *control)
{
	const struct reactor *reactor;
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
	reactor = loop_reactor(control->loop);
	reactor->timer_free(reactor->ctx, control->pause);
	free(control);
}

/* ---- listening ---- */

static int add_ear(struct listener *listener, int fd, struct complaint *c)
{
	const struct reactor *reactor = loop_reactor(listener->control->loop);
	struct ear *ear = &listener->ears[listener->n_fds];

	ear->listener = listener;
	ear->fd = fd;
	ear->io = reactor->io(reactor->ctx, fd, someone_knocks, ear);
	if (!ear->io)
		return complain(c, -ENOMEM, "out of memory");
	listener->n_fds++;
	reactor->io_want(reactor->ctx, ear->io, true, false);
	return 0;
}

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

static int bind_unix(const char *path, int *ret_fd, struct complaint *c)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, err = 0;
	mode_t mask;

	if (strlen(path) >= sizeof(address.sun_path))
		return complain(c, -ENAMETOOLONG,
			"%s is too long for a UNIX socket (%zu bytes); use a shorter --run-dir", path,
			sizeof(address.sun_path) - 1);
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return complain(c, -errno, "cannot make a socket: %s", strerror(errno));
	unlink(path);
	mask = umask(0177);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 64))
		err = -errno;
	umask(mask);
	if (err) {
		close(fd);
		return complain(c, err, "cannot listen at %s: %s", path, strerror(-err));
	}
	*ret_fd = fd;
	return 0;
}

int control_listen_unix(struct control *control, const char *path, struct complaint *c)
{
	struct listener *listener;
	int fd = -1, err;

	err = bind_unix(path, &fd, c);
	if (err)
		return err;
	listener = listener_create(control, path);
	if (!listener) {
		close(fd);
		return complain(c, -ENOMEM, "out of memory");
	}
	err = add_ear(listener, fd, c);
	if (err) {
		close(fd);
		listener_free(listener);
		return err;
	}
	adopt(control, listener);
	return 0;
}

static int bind_tcp(const struct addrinfo *info, const char *address, int *ret_fd, struct complaint *c)
{
	int fd = socket(info->ai_family, info->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, info->ai_protocol);
	int one = 1, err = 0;

	if (fd < 0)
		return complain(c, -errno, "cannot listen at %s: %s", address, strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (info->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, info->ai_addr, info->ai_addrlen) || listen(fd, 64))
		err = -errno;
	if (err) {
		close(fd);
		return complain(c, err, "cannot listen at %s: %s", address, strerror(-err));
	}
	*ret_fd = fd;
	return 0;
}

/* Every address of the host that can be had; at least one. */
static int listen_tcp(struct listener *listener, struct complaint *c)
{
	struct addrinfo *list, *info;
	struct address address;
	int fd = -1, err;

	err = address_parse(listener->address, false, &address, c);
	if (!err)
		err = address_resolve(&address, 1, &list, c);
	if (err)
		return err;
	for (info = list; info && listener->n_fds < MAX_FDS; info = info->ai_next) {
		err = bind_tcp(info, listener->address, &fd, c);
		if (err)
			continue;
		err = add_ear(listener, fd, c);
		if (err)
			close(fd);
	}
	freeaddrinfo(list);
	return listener->n_fds ? 0 : err;
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

static void name_peer(const struct sockaddr_storage *from, socklen_t from_size, char *name, size_t size)
{
	char host[64], port[8];

	if (getnameinfo((const struct sockaddr *)from, from_size, host, sizeof(host), port, sizeof(port),
		    NI_NUMERICHOST | NI_NUMERICSERV))
		snprintf(name, size, "unknown");
	else
		snprintf(name, size, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

/* A peer that vanished without a word is noticed in two minutes, so that it does not hold its slot. */
static void keep_alive(int fd)
{
	int one = 1, idle_s = 60, interval_s = 20, n = 3;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &n, sizeof(n));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
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

/* Stops accepting for a while: the listening sockets stay readable, and the loop would spin on them. */
static void take_a_break(struct control *control, int err)
{
	const struct reactor *reactor = loop_reactor(control->loop);

	log_limited(LOG_LEVEL_WARN, "control: cannot accept: %s; trying again in a second", strerror(err));
	for (struct listener *listener = control->listeners; listener; listener = listener->next) {
		for (unsigned i = 0; i < listener->n_fds; i++)
			reactor->io_want(reactor->ctx, listener->ears[i].io, false, false);
	}
	reactor->arm(reactor->ctx, control->pause, PAUSE_MS);
}

static void pause_ended(void *arg)
{
	struct control *control = arg;
	const struct reactor *reactor = loop_reactor(control->loop);

	for (struct listener *listener = control->listeners; listener; listener = listener->next) {
		for (unsigned i = 0; i < listener->n_fds; i++)
			reactor->io_want(reactor->ctx, listener->ears[i].io, true, false);
	}
}

static void greet(struct listener *listener, int fd, const struct sockaddr_storage *from, socklen_t from_size)
{
	bool tls = listener->tls != NULL;
	char peer[100];

	if (tls) {
		keep_alive(fd);
		name_peer(from, from_size, peer, sizeof(peer));
	} else if (!root_knocks(fd, peer, sizeof(peer))) {
		close(fd);
		return;
	}
	if (!room(listener->control, tls) || !welcome(listener, fd, peer))
		close(fd);
}

static void someone_knocks(void *arg)
{
	struct ear *ear = arg;
	struct sockaddr_storage from;
	socklen_t size;
	int fd;

	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		size = sizeof(from);
		fd = accept4(ear->fd, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			greet(ear->listener, fd, &from, size);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			take_a_break(ear->listener->control, errno);
		return;
	}
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

void control_each_listener(
	const struct control *control, void (*each)(void *ctx, const struct control_tls *config), void *ctx)
{
	for (const struct listener *listener = control->listeners; listener; listener = listener->next) {
		const struct control_tls config = {
			.address = listener->address, .cert = listener->cert, .key = listener->key, .ca = listener->ca};

		if (listener->tls)
			each(ctx, &config);
	}
}

void control_each_connection(
	const struct control *control, void (*each)(void *ctx, const char *peer, bool young, bool tls), void *ctx)
{
	for (const struct client *client = control->clients; client; client = client->next)
		each(ctx, connection_peer(client->connection), connection_young(client->connection), client->tls);
}
