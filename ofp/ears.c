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
#include <unistd.h>

struct ears {
	const struct reactor *reactor;
	ears_knock *knock;
	void *ctx;
	int fd;
	struct reactor_io *io;
	struct reactor_timer *pause;
};

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

static void name_peer(const struct sockaddr_storage *from, socklen_t from_size, char *name, size_t size)
{
	char host[64], port[8];

	if (getnameinfo((const struct sockaddr *)from, from_size, host, sizeof(host), port, sizeof(port),
		    NI_NUMERICHOST | NI_NUMERICSERV))
		snprintf(name, size, "unknown");
	else
		snprintf(name, size, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

static void pause_ended(void *arg)
{
	struct ears *ears = arg;

	ears->reactor->io_want(ears->reactor->ctx, ears->io, true, false);
}

static void take_a_break(struct ears *ears, int err)
{
	log_limited(LOG_LEVEL_WARN, "openflow: cannot accept: %s; trying again in a second", strerror(err));
	ears->reactor->io_want(ears->reactor->ctx, ears->io, false, false);
	ears->reactor->arm(ears->reactor->ctx, ears->pause, EARS_PAUSE_MS);
}

static void someone_knocks(void *arg)
{
	struct ears *ears = arg;
	struct sockaddr_storage from;
	socklen_t size;
	char peer[100];
	int fd;

	for (int i = 0; i < EARS_ACCEPTS_A_TURN; i++) {
		size = sizeof(from);
		fd = accept4(ears->fd, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			break;
		ears_prepare_socket(fd);
		name_peer(&from, size, peer, sizeof(peer));
		ears->knock(ears->ctx, fd, peer);
	}
	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM))
		take_a_break(ears, errno);
}

static int bind_to(const struct address *address, int *ret_fd, struct complaint *c)
{
	struct addrinfo *info;
	int one = 1, err, fd;

	if (!address_is_numeric(address))
		return complain(c, -EINVAL, "%s is no IP address to listen at", address->host);
	err = address_resolve(address, 1, &info, c);
	if (err)
		return err;
	fd = socket(info->ai_family, info->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, info->ai_protocol);
	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (info->ai_family == AF_INET6)
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	}
	if (fd < 0 || bind(fd, info->ai_addr, info->ai_addrlen) || listen(fd, 64))
		err = -errno;
	freeaddrinfo(info);
	if (!err) {
		*ret_fd = fd;
		return 0;
	}
	if (fd >= 0)
		close(fd);
	return complain(c, err, "cannot listen at %s port %s: %s", address->host, address->port, strerror(-err));
}

int ears_open(const struct reactor *reactor, const struct address *address, ears_knock *knock, void *ctx,
	struct ears **ret, struct complaint *c)
{
	struct ears *ears = calloc(1, sizeof(*ears));
	int err;

	if (!ears)
		return complain(c, -ENOMEM, "out of memory");
	*ears = (struct ears){.reactor = reactor, .knock = knock, .ctx = ctx, .fd = -1};
	err = bind_to(address, &ears->fd, c);
	if (err) {
		ears_close(ears);
		return err;
	}
	ears->io = reactor->io(reactor->ctx, ears->fd, someone_knocks, ears);
	ears->pause = reactor->timer(reactor->ctx, pause_ended, ears);
	if (!ears->io || !ears->pause) {
		ears_close(ears);
		return complain(c, -ENOMEM, "out of memory");
	}
	reactor->io_want(reactor->ctx, ears->io, true, false);
	*ret = ears;
	return 0;
}

void ears_close(struct ears *ears)
{
	if (!ears)
		return;
	ears->reactor->io_free(ears->reactor->ctx, ears->io);
	ears->reactor->timer_free(ears->reactor->ctx, ears->pause);
	if (ears->fd >= 0)
		close(ears->fd);
	free(ears);
}
