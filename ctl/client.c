/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/client.h"

#include "ofp/address.h"
#include "ctl/json.h"
#include "ofp/tls.h"
#include "dataplane/complaint.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECT_MS  10000
#define MAX_REPLY   (256U << 20)
#define SOCKET_NAME "switchd.sock"

struct client {
	int fd;
	struct tls_context *context;
	struct tls *tls; /* NULL: a UNIX socket */
	char *in;
	size_t in_size, in_room, in_taken; /* bytes of `in` that a reply has used up */
};

/* ---- connecting ---- */

static int connect_unix(const char *run_dir, struct client *client, struct complaint *c)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int n = snprintf(address.sun_path, sizeof(address.sun_path), "%s/" SOCKET_NAME, run_dir);

	if (n >= (int)sizeof(address.sun_path))
		return complain(c, -EINVAL, "--run-dir %s: too long for a UNIX socket", run_dir);
	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client->fd < 0)
		return complain(c, -errno, "cannot make a socket: %s", strerror(errno));
	if (!connect(client->fd, (struct sockaddr *)&address, sizeof(address)))
		return 0;
	if (errno == EACCES || errno == EPERM)
		return complain(c, -errno, "%s: %s; only root may speak to it", address.sun_path, strerror(errno));
	return complain(c, -errno, "no daemon answers at %s (%s); is switchd running with --run-dir %s?",
		address.sun_path, strerror(errno), run_dir);
}

/* connect() with an end to its patience. */
static int connect_one(const struct addrinfo *info, int *ret_fd)
{
	int fd = socket(info->ai_family, info->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, info->ai_protocol);
	struct pollfd wait = {.fd = fd, .events = POLLOUT};
	socklen_t size = sizeof(errno);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, info->ai_addr, info->ai_addrlen)) {
		if (errno != EINPROGRESS)
			err = errno;
		else if (poll(&wait, 1, CONNECT_MS) != 1)
			err = ETIMEDOUT;
		else
			getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &size);
	}
	if (err) {
		close(fd);
		return -err;
	}
	fcntl(fd, F_SETFL, 0);
	*ret_fd = fd;
	return 0;
}

static int connect_tcp(const char *text, const struct address *address, struct client *client, struct complaint *c)
{
	struct addrinfo *list = NULL;
	int err = address_resolve(address, 0, &list, c);

	if (err)
		return err;
	err = -EHOSTUNREACH;
	for (struct addrinfo *info = list; info && err; info = info->ai_next)
		err = connect_one(info, &client->fd);
	freeaddrinfo(list);
	return err ? complain(c, err, "no daemon answers at %s: %s", text, strerror(-err)) : 0;
}

/* The peer's silence is not to hold us for ever in the handshake; in a reply it may think for long. */
static void set_patience(int fd, int seconds)
{
	struct timeval patience = {.tv_sec = seconds};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

static int shake_hands(struct client *client, const char *host, struct complaint *c)
{
	enum tls_step step;

	client->tls = tls_create(client->context, client->fd, host);
	if (!client->tls)
		return complain(c, -ENOMEM, "out of memory");
	set_patience(client->fd, CONNECT_MS / 1000);
	step = tls_handshake(client->tls);
	set_patience(client->fd, 0);
	if (step == TLS_FAILED)
		return complain(c, -EPROTO, "%s: TLS: %s", host, tls_error(client->tls));
	if (step != TLS_DONE)
		return complain(c, -ETIMEDOUT, "%s: no TLS handshake within %d s", host, CONNECT_MS / 1000);
	return 0;
}

static int connect_tls(const struct client_target *target, struct client *client, struct complaint *c)
{
	const struct tls_files files = {.cert = target->cert, .key = target->key, .ca = target->ca};
	struct address address;
	struct complaint why;
	int err;

	if (address_parse(target->connect, false, &address, &why))
		return complain(c, -EINVAL, "--connect %s: %s", target->connect, why.text);
	err = tls_context_create(&files, TLS_CLIENT, &client->context, c);
	if (!err)
		err = connect_tcp(target->connect, &address, client, c);
	if (!err)
		err = shake_hands(client, address.host, c);
	return err;
}

int client_open(const struct client_target *target, struct client **ret, struct complaint *c)
{
	struct client *client = calloc(1, sizeof(*client));
	int err;

	if (!client)
		return complain(c, -ENOMEM, "out of memory");
	client->fd = -1;
	err = target->connect ? connect_tls(target, client, c) : connect_unix(target->run_dir, client, c);
	if (err) {
		client_close(client);
		return err;
	}
	*ret = client;
	return 0;
}

void client_close(struct client *client)
{
	if (!client)
		return;
	tls_free(client->tls);
	tls_context_free(client->context);
	if (client->fd >= 0)
		close(client->fd);
	free(client->in);
	free(client);
}

/* ---- asking ---- */

static int lost(const struct client *client, struct complaint *c)
{
	if (client->tls && tls_error(client->tls)[0])
		return complain(c, -ECONNRESET, "the connection broke: %s", tls_error(client->tls));
	return complain(c, -ECONNRESET, "the daemon closed the connection");
}

static int send_some(struct client *client, const char *data, size_t size, size_t *ret_n)
{
	ssize_t n;

	if (client->tls)
		return tls_write(client->tls, data, size, ret_n) == TLS_DONE ? 0 : -ECONNRESET;
	n = send(client->fd, data, size, MSG_NOSIGNAL);
	if (n < 0)
		return errno == EINTR ? (*ret_n = 0, 0) : -errno;
	*ret_n = (size_t)n;
	return 0;
}

static int send_line(struct client *client, const char *line)
{
	size_t size = strlen(line) + 1, n;
	char *whole = malloc(size);
	int err = whole ? 0 : -ENOMEM;

	if (whole) {
		memcpy(whole, line, size - 1);
		whole[size - 1] = '\n';
	}
	for (size_t at = 0; !err && at < size; at += n)
		err = send_some(client, whole + at, size - at, &n);
	free(whole);
	return err;
}

static int receive_some(struct client *client)
{
	size_t room = client->in_room ? client->in_room : 65536, n = 0;
	char *grown;
	ssize_t got;

	if (client->in_size == client->in_room) {
		room = client->in_room ? room * 2 : room;
		grown = room > MAX_REPLY ? NULL : realloc(client->in, room);
		if (!grown)
			return -EMSGSIZE;
		client->in = grown;
		client->in_room = room;
	}
	room = client->in_room - client->in_size;
	if (client->tls) {
		if (tls_read(client->tls, client->in + client->in_size, room, &n) != TLS_DONE)
			return -ECONNRESET;
	} else {
		do
			got = read(client->fd, client->in + client->in_size, room);
		while (got < 0 && errno == EINTR);
		if (got <= 0)
			return -ECONNRESET;
		n = (size_t)got;
	}
	client->in_size += n;
	return 0;
}

/* The next line, NUL-terminated in the buffer, valid until the next call. */
static int read_line(struct client *client, char **ret)
{
	size_t seen = 0;
	char *end;
	int err;

	client->in_size -= client->in_taken;
	if (client->in_taken)
		memmove(client->in, client->in + client->in_taken, client->in_size);
	client->in_taken = 0;
	for (;;) {
		end = client->in_size > seen ? memchr(client->in + seen, '\n', client->in_size - seen) : NULL;
		if (end)
			break;
		seen = client->in_size;
		err = receive_some(client);
		if (err)
			return err;
	}
	*end = '\0';
	client->in_taken = (size_t)(end - client->in) + 1;
	*ret = client->in;
	return 0;
}

int client_ask(struct client *client, const char *line, void (*progress)(void *ctx, struct json_object *progress),
	void *ctx, struct json_object **ret, struct complaint *c)
{
	struct json_object *object, *step;
	char *text;
	int err = send_line(client, line);

	for (;;) {
		if (!err || err == -ECONNRESET || err == -EPIPE)
			err = read_line(client, &text); /* a refusal may have come before our line went out */
		if (err == -EMSGSIZE || err == -ENOMEM)
			return complain(c, err, "the reply is too long");
		if (err)
			return lost(client, c);
		object = json_tokener_parse(text);
		if (!object)
			return complain(c, -EPROTO, "the daemon's reply is not JSON");
		if (!json_object_object_get_ex(object, "progress", &step))
			break;
		if (progress)
			progress(ctx, step);
		json_object_put(object);
	}
	*ret = object;
	return 0;
}
