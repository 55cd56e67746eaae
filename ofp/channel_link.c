/* SPDX-License-Identifier: BSD-2-Clause */
/* One connection: from connecting by the handshake to the session that it carries. */
#include "ofp/channel_parts.h"

#include "dataplane/log.h"
#include "dataplane/reactor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void ready(void *arg);
static void deadline_passed(void *arg);
static void resume(void *arg);
static void want(struct link *link);

/* ---- beginning and end ---- */

struct link *link_create(struct channel *channel, int fd, enum link_state state, struct tls_context *tls,
	const char *host, const char *peer)
{
	const struct reactor *r = channel->reactor;
	struct link *link = calloc(1, sizeof(*link));

	if (!link)
		return NULL;
	*link = (struct link){.channel = channel, .state = state, .fd = -1, .since_ns = channel_now(channel)};
	snprintf(link->peer, sizeof(link->peer), "%s", peer);
	link->tls = tls ? tls_create(tls, fd, host) : NULL;
	link->io = r->io(r->ctx, fd, ready, link);
	link->deadline = r->timer(r->ctx, deadline_passed, link);
	link->again = r->timer(r->ctx, resume, link);
	if ((tls && !link->tls) || !link->io || !link->deadline || !link->again) {
		link_free(link);
		return NULL;
	}
	link->fd = fd;
	link->in_step = tls ? TLS_WANT_READ : TLS_DONE;
	r->arm(r->ctx, link->deadline, CHANNEL_HANDSHAKE_MS);
	/* What was accepted bare is up at once, and that is for the loop to find out. */
	if (state != LINK_CONNECTING && !tls)
		r->arm(r->ctx, link->again, 0);
	want(link);
	return link;
}

void link_free(struct link *link)
{
	const struct reactor *r;

	if (!link)
		return;
	r = link->channel->reactor;
	if (link->session)
		session_free(link->session);
	r->io_free(r->ctx, link->io);
	r->timer_free(r->ctx, link->deadline);
	r->timer_free(r->ctx, link->again);
	tls_free(link->tls);
	if (link->fd >= 0)
		close(link->fd);
	free(link->in);
	free(link);
}

/* True once, when the hellos have met. */
static bool note_opening(struct link *link)
{
	if (link->opened || !link->session || !session_report(link->session).opened_ns)
		return false;
	link->opened = true;
	return true;
}

void link_end(struct link *link, const char *why)
{
	if (link->state == LINK_OVER)
		return;
	snprintf(link->why, sizeof(link->why), "%s", why);
	note_opening(link);
	if (link->target && link->target->link == link)
		target_main_ending(link->target);
	if (link->session) {
		session_peer_closed(link->session, link->why);
		session_free(link->session);
	}
	link->session = NULL;
	link->state = LINK_OVER;
	want(link);
	/* The flush that frees it comes at the end of a turn, and this may be the last for long. */
	link->channel->reactor->arm(link->channel->reactor->ctx, link->again, 0);
}

bool link_young(const struct link *link)
{
	return link->state != LINK_OVER && !link->opened &&
	       (!link->session || !session_report(link->session).opened_ns);
}

bool link_quiet(const struct link *link)
{
	return link->state != LINK_UP || !(session_wants(link->session) & SESSION_WANTS_OUTPUT);
}

static void deadline_passed(void *arg)
{
	struct link *link = arg;

	if (link->state == LINK_CONNECTING)
		link_end(link, "no answer in time");
	else if (link->state == LINK_HANDSHAKE)
		link_end(link, "no TLS handshake in time");
	else if (link->state == LINK_UP)
		session_expired(link->session, channel_now(link->channel));
	link->deadline_ns = 0;
}

/* ---- what it waits for ---- */

static void want_for_session(struct link *link, bool *ret_read, bool *ret_write)
{
	unsigned wants = session_wants(link->session);
	bool reading = (wants & SESSION_WANTS_INPUT) && !link->more;
	bool writing = wants & SESSION_WANTS_OUTPUT;

	*ret_read = (reading && link->in_step == TLS_WANT_READ) || (writing && link->out_step == TLS_WANT_READ);
	*ret_write = (reading && link->in_step == TLS_WANT_WRITE) || (writing && link->out_step == TLS_WANT_WRITE);
}

static void want(struct link *link)
{
	const struct reactor *r = link->channel->reactor;
	bool reading = false, writing = false;

	if (link->state == LINK_CONNECTING) {
		writing = true;
	} else if (link->state == LINK_HANDSHAKE) {
		reading = link->in_step == TLS_WANT_READ;
		writing = link->in_step == TLS_WANT_WRITE;
	} else if (link->state == LINK_UP) {
		want_for_session(link, &reading, &writing);
	}
	r->io_want(r->ctx, link->io, reading, writing);
}

/* ---- the stream ---- */

static enum tls_step stream_read(struct link *link, void *data, size_t size, size_t *ret_n)
{
	ssize_t n;

	if (link->tls)
		return tls_read(link->tls, data, size, ret_n);
	n = read(link->fd, data, size);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? TLS_WANT_READ : TLS_FAILED;
	*ret_n = (size_t)n;
	return n ? TLS_DONE : TLS_CLOSED;
}

static enum tls_step stream_write(struct link *link, const void *data, size_t size, size_t *ret_n)
{
	ssize_t n;

	if (link->tls)
		return tls_write(link->tls, data, size, ret_n);
	n = send(link->fd, data, size, MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? TLS_WANT_WRITE : TLS_FAILED;
	*ret_n = (size_t)n;
	return TLS_DONE;
}

static void stream_failed(struct link *link, enum tls_step step)
{
	if (step == TLS_CLOSED)
		link_end(link, "the other side closed the connection");
	else if (link->tls)
		link_end(link, tls_error(link->tls));
	else
		link_end(link, strerror(errno));
}

/* ---- getting up ---- */

static struct session_limits link_limits(const struct link *link)
{
	struct session_limits limits = session_default_limits();

	if (link->target) {
		limits.packet_in_rate = link->target->config.rate_limit;
		limits.packet_in_burst = link->target->config.burst;
		limits.probe_ms = link->target->config.probe_s * 1000;
	}
	return limits;
}

void link_renew_limits(struct link *link)
{
	const struct session_limits limits = link_limits(link);

	if (link->session)
		session_set_limits(link->session, &limits);
}

static uint32_t n_accepted(const struct channel *channel)
{
	uint32_t n = 0;

	for (const struct link *link = channel->links; link; link = link->next)
		n += link->state == LINK_UP && !link->target;
	return n;
}

/* H3: one more session of a listener; the oldest that has not said hello makes way for it. */
static bool accepted_room(struct link *link)
{
	if (n_accepted(link->channel) < CHANNEL_ACCEPTED_MAX)
		return true;
	for (struct link *other = link->channel->links; other; other = other->next) {
		if (other->state != LINK_UP || other->target || !link_young(other))
			continue;
		link_end(other, "made way for another");
		return true;
	}
	return false;
}

static void stream_is_up(struct link *link)
{
	const struct reactor *r = link->channel->reactor;
	struct session_options options = {.from = link->peer,
		.accepted = !link->target,
		.auxiliary_id = link->auxiliary_id,
		.limits = link_limits(link)};

	if (link->auxiliary_id)
		options.main = link->target->link->session;
	link->in = malloc(CHANNEL_IN_SIZE);
	if (link->in && (link->target || accepted_room(link)))
		link->session = session_create(link->channel->agent, &options, channel_now(link->channel));
	if (!link->session) {
		link_end(link, "too many connections");
		return;
	}
	r->disarm(r->ctx, link->deadline);
	link->state = LINK_UP;
	link->since_ns = channel_now(link->channel);
	link->in_step = TLS_WANT_READ;
	/* Bytes may be there already, in OpenSSL too, where epoll sees nothing of them. */
	link->more = true;
}

static void shake(struct link *link)
{
	size_t used;

	link->in_step = tls_handshake(link->tls);
	if (link->in_step == TLS_FAILED) {
		stream_failed(link, TLS_FAILED);
		return;
	}
	if (link->in_step != TLS_DONE) {
		want(link);
		return;
	}
	if (!link->target) {
		used = strlen(link->peer);
		snprintf(link->peer + used, sizeof(link->peer) - used, " %s", tls_peer(link->tls));
	}
	stream_is_up(link);
}

static void connected(struct link *link)
{
	int err = 0;
	socklen_t size = sizeof(err);

	getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &err, &size);
	if (err) {
		link_end(link, strerror(err));
	} else if (link->tls) {
		link->state = LINK_HANDSHAKE;
		link->in_step = TLS_WANT_READ;
		shake(link);
	} else {
		stream_is_up(link);
	}
}

/* ---- input ---- */

/* What the session takes leaves the buffer. */
static void feed(struct link *link)
{
	size_t taken;

	if (!link->in_size)
		return;
	taken = session_receive(link->session, link->in, link->in_size, channel_now(link->channel));
	link->in_size -= taken;
	if (taken)
		memmove(link->in, link->in + taken, link->in_size);
}

/* H2 */
static void receive(struct link *link)
{
	size_t budget = CHANNEL_TURN_BYTES, room, n;

	link->more = false;
	feed(link);
	while (session_wants(link->session) & SESSION_WANTS_INPUT) {
		room = CHANNEL_IN_SIZE - link->in_size;
		if (!budget || !room)
			break;
		link->in_step = stream_read(link, link->in + link->in_size, room < budget ? room : budget, &n);
		if (link->in_step == TLS_CLOSED || link->in_step == TLS_FAILED) {
			stream_failed(link, link->in_step);
			return;
		}
		if (link->in_step != TLS_DONE)
			return;
		link->in_size += n;
		budget -= n;
		feed(link);
		/* A bare socket that gave less than it might is empty: asking again would cost a system call a turn. */
		if (!link->tls && n < room && budget) {
			link->in_step = TLS_WANT_READ;
			link->more = !(session_wants(link->session) & SESSION_WANTS_INPUT);
			return;
		}
	}
	link->in_step = TLS_WANT_READ;
	link->more = true;
}

static void resume(void *arg)
{
	struct link *link = arg;

	/* What was accepted bare. */
	if (link->state == LINK_HANDSHAKE && !link->tls)
		stream_is_up(link);
	if (link->state == LINK_UP && link->more)
		receive(link);
}

/* Writing happens in link_flush() alone (H1), which this turn's end calls. */
static void ready(void *arg)
{
	struct link *link = arg;

	if (link->state == LINK_CONNECTING)
		connected(link);
	else if (link->state == LINK_HANDSHAKE)
		shake(link);
	if (link->state == LINK_UP)
		receive(link);
}

/* ---- output ---- */

static void send_out(struct link *link)
{
	const uint8_t *data;
	size_t size, n;

	while ((data = session_output(link->session, &size)) && size) {
		link->out_step = stream_write(link, data, size, &n);
		if (link->out_step == TLS_FAILED || link->out_step == TLS_CLOSED) {
			stream_failed(link, link->out_step);
			return;
		}
		if (link->out_step != TLS_DONE)
			return;
		session_sent(link->session, n, channel_now(link->channel));
	}
}

static void arm_timers(struct link *link)
{
	const struct reactor *r = link->channel->reactor;
	uint64_t deadline_ns = session_deadline(link->session);
	unsigned wants = session_wants(link->session);

	if ((wants & SESSION_WANTS_TURN) || ((wants & SESSION_WANTS_INPUT) && link->more))
		r->arm(r->ctx, link->again, 0);
	if (deadline_ns == link->deadline_ns)
		return;
	link->deadline_ns = deadline_ns;
	if (deadline_ns)
		r->arm(r->ctx, link->deadline, channel_ms_until(link->channel, deadline_ns));
	else
		r->disarm(r->ctx, link->deadline);
}

bool link_flush(struct link *link)
{
	if (link->state == LINK_UP) {
		session_turn(link->session, channel_now(link->channel));
		if (note_opening(link) && link->target && !link->auxiliary_id)
			target_opened(link->target);
		send_out(link);
	}
	if (link->state == LINK_UP && (session_wants(link->session) & SESSION_WANTS_END))
		link_end(link, session_why(link->session));
	if (link->state == LINK_OVER)
		return false;
	if (link->state == LINK_UP)
		arm_timers(link);
	want(link);
	return true;
}
