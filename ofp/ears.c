/* SPDX-License-Identifier: BSD-2-Clause */
#include "ofp/ears.h"

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

#define EARS_BACKLOG 64

struct ear {
	struct ears *ears;
	int fd;
	struct reactor_io *io;
};

struct ears {
	const struct reactor *reactor;
	ears_knock *knock;
	void *ctx;
	struct reactor_timer *pause;
	unsigned n;
	struct ear ear[EARS_MAX];
};

static void pause_ended(void *arg);
static void someone_knocks(void *arg);

void ears_prepare_socket(int fd)
{
	int one = 1, idle_s = 60, interval_s = 20, n = 3, unsent = EARS_UNSENT_MAX;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &n, sizeof(n));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
}

/* ---- opening and closing ---- */

static struct ears *create(const struct reactor *reactor, ears_knock *knock, void *ctx)
{
	struct ears *ears = calloc(1, sizeof(*ears));

	if (!ears)
		return NULL;
	*ears = (struct ears){.reactor = reactor, .knock = knock, .ctx = ctx};
	ears->pause = reactor->timer(reactor->ctx, pause_ended, ears);
	if (ears->pause)
		return ears;
	free(ears);
	return NULL;
}

/* Takes `fd`, which is bound, in any case. */
static int add(struct ears *ears, int fd, struct complaint *c)
{
	struct ear *ear = &ears->ear[ears->n];

	*ear = (struct ear){.ears = ears, .fd = fd};
	ear->io = ears->reactor->io(ears->reactor->ctx, fd, someone_knocks, ear);
	if (!ear->io) {
		close(fd);
		return complain(c, -ENOMEM, "out of memory");
	}
	ears->n++;
	ears->reactor->io_want(ears->reactor->ctx, ear->io, true, false);
	return 0;
}

static int bind_tcp(const struct addrinfo *info, int *ret_fd)
{
	int fd = socket(info->ai_family, info->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, info->ai_protocol);
	int one = 1, err;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (info->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, info->ai_addr, info->ai_addrlen) || listen(fd, EARS_BACKLOG)) {
		err = -errno;
		close(fd);
		return err;
	}
	*ret_fd = fd;
	return 0;
}

static int add_all(struct ears *ears, const struct address *address, struct complaint *c)
{
	struct addrinfo *list;
	int fd = -1, err = address_resolve(address, 1, &list, c);

	if (err)
		return err;
	for (const struct addrinfo *info = list; info && ears->n < EARS_MAX; info = info->ai_next) {
		err = bind_tcp(info, &fd);
		err = err ? complain(c, err, "cannot listen at %s port %s: %s", address->host, address->port,
				    strerror(-err))
			  : add(ears, fd, c);
	}
	freeaddrinfo(list);
	return ears->n ? 0 : err;
}

int ears_open(const struct reactor *reactor, const struct address *address, ears_knock *knock, void *ctx,
	struct ears **ret, struct complaint *c)
{
	struct ears *ears = create(reactor, knock, ctx);
	int err = ears ? add_all(ears, address, c) : complain(c, -ENOMEM, "out of memory");

	if (err)
		ears_close(ears);
	else
		*ret = ears;
	return err;
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
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, EARS_BACKLOG))
		err = -errno;
	umask(mask);
	if (err) {
		close(fd);
		return complain(c, err, "cannot listen at %s: %s", path, strerror(-err));
	}
	*ret_fd = fd;
	return 0;
}

int ears_open_unix(const struct reactor *reactor, const char *path, ears_knock *knock, void *ctx, struct ears **ret,
	struct complaint *c)
{
	struct ears *ears = create(reactor, knock, ctx);
	int fd = -1, err = ears ? bind_unix(path, &fd, c) : complain(c, -ENOMEM, "out of memory");

	if (!err)
		err = add(ears, fd, c);
	if (err)
		ears_close(ears);
	else
		*ret = ears;
	return err;
}

void ears_close(struct ears *ears)
{
	if (!ears)
		return;
	for (unsigned i = 0; i < ears->n; i++) {
		ears->reactor->io_free(ears->reactor->ctx, ears->ear[i].io);
		close(ears->ear[i].fd);
	}
	ears->reactor->timer_free(ears->reactor->ctx, ears->pause);
	free(ears);
}

/* ---- who comes ---- */

static void name_peer(const struct sockaddr_storage *from, socklen_t from_size, char *name, size_t size)
{
	char host[64], port[8];

	if (getnameinfo((const struct sockaddr *)from, from_size, host, sizeof(host), port, sizeof(port),
		    NI_NUMERICHOST | NI_NUMERICSERV))
		snprintf(name, size, "unknown");
	else
		snprintf(name, size, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

static void want_all(struct ears *ears, bool readable)
{
	for (unsigned i = 0; i < ears->n; i++)
		ears->reactor->io_want(ears->reactor->ctx, ears->ear[i].io, readable, false);
}

static void pause_ended(void *arg)
{
	want_all(arg, true);
}

static void take_a_break(struct ears *ears, int err)
{
	log_limited(LOG_LEVEL_WARN, "cannot accept connections: %s; trying again in a second", strerror(err));
	want_all(ears, false);
	ears->reactor->arm(ears->reactor->ctx, ears->pause, EARS_PAUSE_MS);
}

static void let_in(struct ears *ears, int fd, const struct sockaddr_storage *from, socklen_t from_size)
{
	char peer[100] = "";

	if (from->ss_family != AF_UNIX) {
		ears_prepare_socket(fd);
		name_peer(from, from_size, peer, sizeof(peer));
	}
	ears->knock(ears->ctx, fd, peer);
}

static void someone_knocks(void *arg)
{
	const struct ear *ear = arg;
	struct sockaddr_storage from;
	socklen_t size;
	int fd;

	for (int i = 0; i < EARS_ACCEPTS_A_TURN; i++) {
		size = sizeof(from);
		fd = accept4(ear->fd, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			let_in(ear->ears, fd, &from, size);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			take_a_break(ear->ears, errno);
		return;
	}
}
