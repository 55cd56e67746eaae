/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/scrape.h"

#include "ctl/http.h"
#include "dataplane/log.h"
#include "dataplane/reactor.h"
#include "ofp/tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DRAINS_A_TURN 16

enum state {
	HANDSHAKE,
	ASKING,  /* its request is not whole */
	WAITING, /* for scrape_answer() */
	TELLING,
	LEAVING, /* all is sent; what it sends is thrown away */
};

struct scrape {
	const struct reactor *reactor;
	struct scrape_events events;
	int fd;
	struct tls *tls; /* NULL: a bare socket, or past its end */
	struct reactor_io *io;
	struct reactor_timer *deadline;
	enum state state;
	enum tls_step step; /* what is waited for */
	struct http_request request;
	char *out;
	size_t out_size, out_sent, in_size;
	char peer[100];
	char in[HTTP_HEAD_MAX];
};

static void ready(void *arg);
static void deadline_passed(void *arg);

struct scrape *scrape_create(const struct reactor *reactor, int fd, struct tls_context *tls, const char *peer,
	const struct scrape_events *events)
{
	struct scrape *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->reactor = reactor;
	s->events = *events;
	s->fd = -1;
	s->state = tls ? HANDSHAKE : ASKING;
	s->step = TLS_WANT_READ;
	s->tls = tls ? tls_create(tls, fd, NULL) : NULL;
	s->io = reactor->io(reactor->ctx, fd, ready, s);
	s->deadline = reactor->timer(reactor->ctx, deadline_passed, s);
	if ((tls && !s->tls) || !s->io || !s->deadline) {
		scrape_free(s);
		return NULL;
	}
	s->fd = fd;
	snprintf(s->peer, sizeof(s->peer), "%s", peer);
	reactor->io_want(reactor->ctx, s->io, true, false);
	reactor->arm(reactor->ctx, s->deadline, SCRAPE_MS);
	return s;
}

void scrape_free(struct scrape *s)
{
	const struct reactor *reactor;

	if (!s)
		return;
	reactor = s->reactor;
	reactor->io_free(reactor->ctx, s->io);
	reactor->timer_free(reactor->ctx, s->deadline);
	tls_free(s->tls);
	if (s->fd >= 0)
		close(s->fd);
	free(s->out);
	free(s);
}

static void finish(struct scrape *s)
{
	s->events.gone(s->events.ctx, s);
	scrape_free(s);
}

static void deadline_passed(void *arg)
{
	struct scrape *s = arg;

	if (s->state != LEAVING)
		log_limited(LOG_LEVEL_INFO, "metrics: %s: %s", s->peer,
			s->state == TELLING ? "does not read its answer" : "did not ask in time");
	finish(s);
}

/* ---- reading ---- */

static enum tls_step stream_read(struct scrape *s, char *data, size_t size, size_t *ret_n)
{
	ssize_t n;

	if (s->tls)
		return tls_read(s->tls, data, size, ret_n);
	n = read(s->fd, data, size);
	if (n > 0)
		*ret_n = (size_t)n;
	if (n > 0)
		return TLS_DONE;
	if (!n)
		return TLS_CLOSED;
	return errno == EAGAIN || errno == EINTR ? TLS_WANT_READ : TLS_FAILED;
}

static void wait_for(struct scrape *s, enum tls_step step)
{
	s->step = step;
	s->reactor->io_want(s->reactor->ctx, s->io, step == TLS_WANT_READ, step == TLS_WANT_WRITE);
}

static void tell(struct scrape *s, unsigned status, const char *body, size_t body_size)
{
	char head[HTTP_ANSWER_MAX];
	size_t size = http_answer(status, body_size, head);

	s->out = malloc(size + body_size);
	s->state = TELLING;
	if (!s->out)
		return;
	memcpy(s->out, head, size);
	if (!s->request.head) {
		memcpy(s->out + size, body, body_size);
		size += body_size;
	}
	s->out_size = size;
}

/* Nothing more is read until the answer has left; it is for the turn's end to write (M1). */
static void understood(struct scrape *s)
{
	unsigned status = s->request.status;

	wait_for(s, TLS_DONE);
	if (status == 200)
		s->state = WAITING;
	else
		tell(s, status, http_excuse(status), strlen(http_excuse(status)));
}

static void receive(struct scrape *s)
{
	enum tls_step step;
	size_t n;

	for (;;) {
		step = stream_read(s, s->in + s->in_size, sizeof(s->in) - s->in_size, &n);
		if (step == TLS_WANT_READ || step == TLS_WANT_WRITE) {
			wait_for(s, step);
			return;
		}
		if (step != TLS_DONE) {
			finish(s);
			return;
		}
		s->in_size += n;
		if (http_read(s->in, s->in_size, &s->request)) {
			understood(s);
			return;
		}
	}
}

static void shake(struct scrape *s)
{
	enum tls_step step = tls_handshake(s->tls);

	if (step == TLS_WANT_READ || step == TLS_WANT_WRITE) {
		wait_for(s, step);
		return;
	}
	if (step != TLS_DONE) {
		log_limited(LOG_LEVEL_INFO, "metrics: %s: %s", s->peer, tls_error(s->tls));
		finish(s);
		return;
	}
	s->state = ASKING;
	receive(s);
}

/* Of a peer that sends without end only so much a turn. */
static void drain(struct scrape *s)
{
	for (int i = 0; i < DRAINS_A_TURN; i++) {
		ssize_t n = read(s->fd, s->in, sizeof(s->in));

		if (n > 0)
			continue;
		if (!n || (errno != EAGAIN && errno != EINTR))
			finish(s);
		return;
	}
}

static void ready(void *arg)
{
	struct scrape *s = arg;

	if (s->state == HANDSHAKE)
		shake(s);
	else if (s->state == ASKING)
		receive(s);
	else if (s->state == LEAVING)
		drain(s);
}

/* ---- the answer ---- */

bool scrape_young(const struct scrape *s)
{
	return s->state == HANDSHAKE || s->state == ASKING;
}

bool scrape_waits(const struct scrape *s)
{
	return s->state == WAITING;
}

bool scrape_done(const struct scrape *s)
{
	return s->state == LEAVING;
}

void scrape_answer(struct scrape *s, const char *text, size_t size)
{
	if (text)
		tell(s, 200, text, size);
	else
		tell(s, 500, http_excuse(500), strlen(http_excuse(500)));
}

static enum tls_step stream_write(struct scrape *s, size_t *ret_n)
{
	const char *data = s->out + s->out_sent;
	size_t size = s->out_size - s->out_sent;
	ssize_t n;

	if (s->tls)
		return tls_write(s->tls, data, size, ret_n);
	n = send(s->fd, data, size, MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? TLS_WANT_WRITE : TLS_FAILED;
	*ret_n = (size_t)n;
	return TLS_DONE;
}

static void leave(struct scrape *s)
{
	free(s->out);
	s->out = NULL;
	tls_free(s->tls); /* says goodbye */
	s->tls = NULL;
	shutdown(s->fd, SHUT_WR);
	s->state = LEAVING;
	s->reactor->arm(s->reactor->ctx, s->deadline, SCRAPE_LINGER_MS);
	wait_for(s, TLS_WANT_READ);
}

void scrape_flush(struct scrape *s)
{
	enum tls_step step = TLS_DONE;
	size_t n;

	if (s->state != TELLING)
		return;
	while (s->out_sent < s->out_size && step == TLS_DONE) {
		step = stream_write(s, &n);
		if (step == TLS_DONE)
			s->out_sent += n;
	}
	if (step == TLS_WANT_READ || step == TLS_WANT_WRITE)
		wait_for(s, step);
	else if (step != TLS_DONE || !s->out)
		finish(s);
	else
		leave(s);
}
