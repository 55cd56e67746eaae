/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * poll_reactor.h - a reactor for tests: real descriptors, asked by poll() when the test says so, and a clock that only
 * the test moves.
 */
#ifndef POLL_REACTOR_H
#define POLL_REACTOR_H

#include "dataplane/reactor.h"

#include <check.h>
#include <poll.h>
#include <stdlib.h>

#define POLL_REACTOR_MAX 1024

struct reactor_io {
	int fd;
	bool read, write;
	void (*ready)(void *arg);
	void *arg;
};

struct reactor_timer {
	bool armed;
	uint64_t due_ns;
	void (*fire)(void *arg);
	void *arg;
};

static struct reactor_io *pr_ios[POLL_REACTOR_MAX];
static struct reactor_timer *pr_timers[POLL_REACTOR_MAX];
static uint64_t pr_now_ns = 1000000000000ULL;

static struct reactor_io *pr_io(void *ctx, int fd, void (*ready)(void *arg), void *arg)
{
	for (int i = 0; i < POLL_REACTOR_MAX; i++) {
		if (pr_ios[i])
			continue;
		pr_ios[i] = calloc(1, sizeof(*pr_ios[i]));
		*pr_ios[i] = (struct reactor_io){.fd = fd, .ready = ready, .arg = arg};
		return pr_ios[i];
	}
	ck_abort_msg("too many descriptors for this reactor");
	return NULL;
}

static void pr_io_want(void *ctx, struct reactor_io *io, bool read, bool write)
{
	io->read = read;
	io->write = write;
}

static void pr_io_free(void *ctx, struct reactor_io *io)
{
	for (int i = 0; io && i < POLL_REACTOR_MAX; i++) {
		if (pr_ios[i] == io)
			pr_ios[i] = NULL;
	}
	free(io);
}

static struct reactor_watch *pr_watch(void *ctx, int fd, void (*ready)(void *arg), void *arg)
{
	struct reactor_io *io = pr_io(ctx, fd, ready, arg);

	io->read = true;
	return (struct reactor_watch *)io;
}

static void pr_unwatch(void *ctx, struct reactor_watch *watch)
{
	pr_io_free(ctx, (struct reactor_io *)watch);
}

static struct reactor_timer *pr_timer(void *ctx, void (*fire)(void *arg), void *arg)
{
	for (int i = 0; i < POLL_REACTOR_MAX; i++) {
		if (pr_timers[i])
			continue;
		pr_timers[i] = calloc(1, sizeof(*pr_timers[i]));
		*pr_timers[i] = (struct reactor_timer){.fire = fire, .arg = arg};
		return pr_timers[i];
	}
	ck_abort_msg("too many timers for this reactor");
	return NULL;
}

static void pr_arm(void *ctx, struct reactor_timer *timer, uint64_t after_ms)
{
	timer->armed = true;
	timer->due_ns = pr_now_ns + after_ms * 1000000;
}

static void pr_disarm(void *ctx, struct reactor_timer *timer)
{
	timer->armed = false;
}

static void pr_timer_free(void *ctx, struct reactor_timer *timer)
{
	for (int i = 0; timer && i < POLL_REACTOR_MAX; i++) {
		if (pr_timers[i] == timer)
			pr_timers[i] = NULL;
	}
	free(timer);
}

static uint64_t pr_now(void *ctx)
{
	return pr_now_ns;
}

static const struct reactor poll_reactor = {.watch = pr_watch,
	.unwatch = pr_unwatch,
	.io = pr_io,
	.io_want = pr_io_want,
	.io_free = pr_io_free,
	.timer = pr_timer,
	.arm = pr_arm,
	.disarm = pr_disarm,
	.timer_free = pr_timer_free,
	.now_ns = pr_now};

/* Calls what is ready and due, once each. A callback may free others. Returns how many were called. */
static inline unsigned poll_reactor_turn(void)
{
	struct reactor_io *io;
	unsigned n = 0;

	for (int i = 0; i < POLL_REACTOR_MAX; i++) {
		struct pollfd p;

		io = pr_ios[i];
		if (!io || (!io->read && !io->write))
			continue;
		p = (struct pollfd){
			.fd = io->fd, .events = (short)((io->read ? POLLIN : 0) | (io->write ? POLLOUT : 0))};
		if (poll(&p, 1, 0) == 1) {
			io->ready(io->arg);
			n++;
		}
	}
	for (int i = 0; i < POLL_REACTOR_MAX; i++) {
		if (!pr_timers[i] || !pr_timers[i]->armed || pr_timers[i]->due_ns > pr_now_ns)
			continue;
		pr_timers[i]->armed = false;
		pr_timers[i]->fire(pr_timers[i]->arg);
		n++;
	}
	return n;
}

static inline unsigned poll_reactor_armed(void)
{
	unsigned n = 0;

	for (int i = 0; i < POLL_REACTOR_MAX; i++)
		n += pr_timers[i] && pr_timers[i]->armed;
	return n;
}

/* Nothing is left of what was made. */
static inline bool poll_reactor_empty(void)
{
	for (int i = 0; i < POLL_REACTOR_MAX; i++) {
		if (pr_ios[i] || pr_timers[i])
			return false;
	}
	return true;
}

#endif
