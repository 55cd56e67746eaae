/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/connection.h"

#include "ctl/loop.h"
#include "ctl/reply.h"
#include "ofp/tls.h"
#include "ctl/words.h"
#include "dataplane/log.h"
#include "dataplane/reactor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum state {
	HANDSHAKE,
	OPEN,    /* reads requests, or makes and sends the reply to one */
	CLOSING, /* sends what is left, reads nothing */
};

struct connection {
	struct loop *loop;
	struct connection_events events;
	int fd;
	struct tls *tls; /* NULL: a bare socket */
	struct reactor_io *io;
	struct reactor_timer *deadline; /* of the handshake, or of a client that does not read */
	struct reactor_timer *again;    /* more lines wait in `in` */
	enum state state;
	bool in_ended; /* the client will send no more */
	struct reply *reply;
	enum tls_step in_step, out_step; /* what reading and writing wait for */
	size_t in_size;
	size_t out_size, out_sent, out_room;
	char *out;
	char peer[200];
	char in[WORDS_LINE_SIZE + 2]; /* a line and its end */
};

/* ---- beginning and end ---- */

static void ready(void *arg);
static void deadline_passed(void *arg);
static void resume(void *arg);

struct connection *connection_create(
	struct loop *loop, int fd, struct tls_context *tls, const char *peer, const struct connection_events *events)
{
	const struct reactor *reactor = loop_reactor(loop);
	struct connection *conn = calloc(1, sizeof(*conn));

	if (!conn)
		return NULL;
	conn->loop = loop;
	conn->events = *events;
	conn->fd = -1;
	conn->state = tls ? HANDSHAKE : OPEN;
	conn->in_step = TLS_WANT_READ;
	conn->out_step = TLS_DONE;
	conn->tls = tls ? tls_create(tls, fd, NULL) : NULL;
	conn->io = reactor->io(reactor->ctx, fd, ready, conn);
	conn->deadline = reactor->timer(reactor->ctx, deadline_passed, conn);
	conn->again = reactor->timer(reactor->ctx, resume, conn);
	if ((tls && !conn->tls) || !conn->io || !conn->deadline || !conn->again) {
		connection_free(conn);
		return NULL;
	}
	conn->fd = fd;
	snprintf(conn->peer, sizeof(conn->peer), "%s", peer);
	reactor->io_want(reactor->ctx, conn->io, true, false);
	if (tls)
		reactor->arm(reactor->ctx, conn->deadline, CONNECTION_HANDSHAKE_MS);
	return conn;
}

void connection_free(struct connection *conn)
{
	const struct reactor *reactor;

	if (!conn)
		return;
	reactor = loop_reactor(conn->loop);
	if (conn->reply)
		reply_abandon(conn->reply);
	reactor->io_free(reactor->ctx, conn->io);
	reactor->timer_free(reactor->ctx, conn->deadline);
	reactor->timer_free(reactor->ctx, conn->again);
	tls_free(conn->tls);
	if (conn->fd >= 0)
		close(conn->fd);
	free(conn->out);
	free(conn);
}

static void finish(struct connection *conn)
{
	conn->events.gone(conn->events.ctx, conn);
	connection_free(conn);
}

static void deadline_passed(void *arg)
{
	struct connection *conn = arg;

	log_limited(LOG_LEVEL_INFO, "control: %s: %s", conn->peer,
		conn->state == HANDSHAKE ? "no handshake in time" : "does not read its reply");
	finish(conn);
}

static bool sending(const struct connection *conn)
{
	return conn->out_sent < conn->out_size;
}

static bool listening(const struct connection *conn)
{
	return conn->state == OPEN && !conn->in_ended && !conn->reply && !sending(conn);
}

/* Tells the loop what this connection waits for now. */
static void want(struct connection *conn)
{
	const struct reactor *reactor = loop_reactor(conn->loop);
	bool reading = conn->state == HANDSHAKE || listening(conn);

	reactor->io_want(reactor->ctx, conn->io,
		(reading && conn->in_step == TLS_WANT_READ) || (sending(conn) && conn->out_step == TLS_WANT_READ),
		(reading && conn->in_step == TLS_WANT_WRITE) || (sending(conn) && conn->out_step == TLS_WANT_WRITE));
}

/* ---- the stream ---- */

static enum tls_step stream_read(struct connection *conn, char *data, size_t size, size_t *ret_n)
{
	ssize_t n;

	if (conn->tls)
		return tls_read(conn->tls, data, size, ret_n);
	n = read(conn->fd, data, size);
	if (n > 0)
		*ret_n = (size_t)n;
	if (n > 0)
		return TLS_DONE;
	if (!n)
		return TLS_CLOSED;
	return errno == EAGAIN || errno == EINTR ? TLS_WANT_READ : TLS_FAILED;
}

static enum tls_step stream_write(struct connection *conn, const char *data, size_t size, size_t *ret_n)
{
	ssize_t n;

	if (conn->tls)
		return tls_write(conn->tls, data, size, ret_n);
	n = send(conn->fd, data, size, MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? TLS_WANT_WRITE : TLS_FAILED;
	*ret_n = (size_t)n;
	return TLS_DONE;
}

/* ---- requests ---- */

static bool reserve(struct connection *conn, size_t size)
{
	size_t room = conn->out_room ? conn->out_room : 4096;
	char *grown;

	while (room < conn->out_size + size)
		room *= 2;
	if (room == conn->out_room)
		return true;
	grown = realloc(conn->out, room);
	if (!grown)
		return false;
	conn->out = grown;
	conn->out_room = room;
	return true;
}

static void reply_line(void *ctx, const char *text, size_t size)
{
	struct connection *conn = ctx;

	if (!reserve(conn, size + 1)) {
		log_limited(LOG_LEVEL_ERROR, "control: %s: out of memory for a reply", conn->peer);
		conn->state = CLOSING;
		return;
	}
	memcpy(conn->out + conn->out_size, text, size);
	conn->out_size += size;
	conn->out[conn->out_size++] = '\n';
}

static void reply_ended(void *ctx)
{
	struct connection *conn = ctx;

	conn->reply = NULL;
}

static void hand_over(struct connection *conn, size_t size)
{
	const struct reply_sink sink = {.ctx = conn, .line = reply_line, .ended = reply_ended};
	struct reply *reply = reply_create(&sink);

	if (!reply) {
		conn->state = CLOSING;
		return;
	}
	conn->reply = reply;
	conn->events.request(conn->events.ctx, conn->in, size && conn->in[size - 1] == '\r' ? size - 1 : size, reply);
}

static void line_too_long(struct connection *conn)
{
	const struct reply_sink sink = {.ctx = conn, .line = reply_line, .ended = reply_ended};
	struct reply *reply = reply_create(&sink);

	log_limited(LOG_LEVEL_WARN, "control: %s: a line over %d bytes", conn->peer, WORDS_LINE_SIZE);
	if (reply)
		reply_refuse(reply, "a request has at most %d bytes", WORDS_LINE_SIZE);
	conn->state = CLOSING;
}

static bool line_waits(const struct connection *conn)
{
	return memchr(conn->in, '\n', conn->in_size) != NULL;
}

/* Takes the first line, if one is there and the last one is done with. */
static void next_request(struct connection *conn)
{
	char *end = memchr(conn->in, '\n', conn->in_size);
	size_t size;

	if (conn->state != OPEN || conn->reply || sending(conn))
		return;
	if (end) {
		size = (size_t)(end - conn->in);
		hand_over(conn, size);
		conn->in_size -= size + 1;
		memmove(conn->in, end + 1, conn->in_size);
	} else if (conn->in_size >= WORDS_LINE_SIZE + 1) {
		line_too_long(conn);
	} else if (conn->in_ended) {
		/* Half a line at the end of the stream may be half a command: it is not run. */
		conn->state = CLOSING;
	}
	want(conn);
}

static void receive(struct connection *conn)
{
	size_t n;

	while (!conn->in_ended && conn->in_size < sizeof(conn->in) && !line_waits(conn)) {
		conn->in_step = stream_read(conn, conn->in + conn->in_size, sizeof(conn->in) - conn->in_size, &n);
		if (conn->in_step == TLS_DONE) {
			conn->in_size += n;
			continue;
		}
		if (conn->in_step == TLS_CLOSED || conn->in_step == TLS_FAILED)
			conn->in_ended = true;
		break;
	}
	if (conn->in_step == TLS_DONE || conn->in_ended)
		conn->in_step = TLS_WANT_READ;
	next_request(conn);
}

static void resume(void *arg)
{
	struct connection *conn = arg;

	if (conn->state == OPEN && !conn->reply && !sending(conn))
		receive(conn);
}

static void shake(struct connection *conn)
{
	const struct reactor *reactor = loop_reactor(conn->loop);
	enum tls_step now = tls_handshake(conn->tls);
	size_t used;

	if (now == TLS_FAILED) {
		log_limited(LOG_LEVEL_WARN, "control: %s: handshake: %s", conn->peer, tls_error(conn->tls));
		finish(conn);
		return;
	}
	conn->in_step = now;
	if (now == TLS_DONE) {
		reactor->disarm(reactor->ctx, conn->deadline);
		used = strlen(conn->peer);
		snprintf(conn->peer + used, sizeof(conn->peer) - used, " %s", tls_peer(conn->tls));
		conn->state = OPEN;
		conn->in_step = TLS_WANT_READ;
		receive(conn);
		return;
	}
	want(conn);
}

/* Writing happens in connection_flush() alone (N1), which this turn's end calls. */
static void ready(void *arg)
{
	struct connection *conn = arg;

	if (conn->state == HANDSHAKE)
		shake(conn);
	else if (listening(conn))
		receive(conn);
}

/* ---- replies ---- */

static enum tls_step send_out(struct connection *conn)
{
	const struct reactor *reactor = loop_reactor(conn->loop);
	size_t n;

	while (sending(conn)) {
		conn->out_step = stream_write(conn, conn->out + conn->out_sent, conn->out_size - conn->out_sent, &n);
		if (conn->out_step != TLS_DONE)
			return conn->out_step;
		conn->out_sent += n;
		reactor->arm(reactor->ctx, conn->deadline, CONNECTION_STALL_MS);
	}
	return TLS_DONE;
}

static void all_sent(struct connection *conn)
{
	const struct reactor *reactor = loop_reactor(conn->loop);

	reactor->disarm(reactor->ctx, conn->deadline);
	conn->out_size = conn->out_sent = 0;
	/* One huge reply must not hold its memory for as long as the client stays. */
	if (conn->out_room > 65536) {
		free(conn->out);
		conn->out = NULL;
		conn->out_room = 0;
	}
	/* A line may wait in `in`, or in OpenSSL, where epoll sees nothing of it. */
	if (conn->state == OPEN && !conn->reply && (conn->tls || conn->in_ended || line_waits(conn)))
		reactor->arm(reactor->ctx, conn->again, 0);
}

void connection_flush(struct connection *conn)
{
	const struct reactor *reactor = loop_reactor(conn->loop);

	if (conn->state == HANDSHAKE)
		return;
	if (sending(conn)) {
		if (!conn->out_sent && conn->out_step == TLS_DONE)
			reactor->arm(reactor->ctx, conn->deadline, CONNECTION_STALL_MS);
		if (send_out(conn) == TLS_FAILED) {
			finish(conn);
			return;
		}
		if (!sending(conn))
			all_sent(conn);
	}
	if (conn->state == CLOSING && !sending(conn) && !conn->reply) {
		finish(conn);
		return;
	}
	want(conn);
}

bool connection_young(const struct connection *conn)
{
	return conn->state == HANDSHAKE;
}

bool connection_quiet(const struct connection *conn)
{
	return !conn->reply && !sending(conn);
}

const char *connection_peer(const struct connection *conn)
{
	return conn->peer;
}
