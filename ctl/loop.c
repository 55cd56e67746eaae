/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/loop.h"

#include "dataplane/reactor.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>
#include <time.h>

#define N_SIGNALS 32

struct reactor_watch {
	ev_io io;
	void (*ready)(void *arg);
	void *arg;
};

struct reactor_timer {
	ev_timer timer;
	void (*fire)(void *arg);
	void *arg;
};

struct reactor_io {
	ev_io io;
	void (*ready)(void *arg);
	void *arg;
};

struct loop_signal {
	ev_signal signal;
	void (*came)(void *arg);
	void *arg;
};

struct loop {
	struct ev_loop *ev;
	struct reactor reactor;
	ev_prepare prepare;
	void (*turn)(void *arg);
	void *turn_arg;
	struct loop_signal *signals[N_SIGNALS];
};

/* ---- what is lent ---- */

static void watch_ready(struct ev_loop *ev, ev_io *io, int events)
{
	struct reactor_watch *watch = (struct reactor_watch *)io->data;

	watch->ready(watch->arg);
}

static struct reactor_watch *watch(void *ctx, int fd, void (*ready)(void *arg), void *arg)
{
	struct loop *loop = ctx;
	struct reactor_watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return NULL;
	watch->ready = ready;
	watch->arg = arg;
	watch->io.data = watch;
	ev_io_init(&watch->io, watch_ready, fd, EV_READ);
	ev_io_start(loop->ev, &watch->io);
	return watch;
}

static void unwatch(void *ctx, struct reactor_watch *watch)
{
	struct loop *loop = ctx;

	if (!watch)
		return;
	ev_io_stop(loop->ev, &watch->io);
	free(watch);
}

static void io_ready(struct ev_loop *ev, ev_io *io, int events)
{
	struct reactor_io *rio = (struct reactor_io *)io->data;

	rio->ready(rio->arg);
}

static struct reactor_io *io(void *ctx, int fd, void (*ready)(void *arg), void *arg)
{
	struct reactor_io *io = calloc(1, sizeof(*io));

	if (!io)
		return NULL;
	io->ready = ready;
	io->arg = arg;
	io->io.data = io;
	ev_io_init(&io->io, io_ready, fd, 0);
	return io;
}

static void io_want(void *ctx, struct reactor_io *io, bool read, bool write)
{
	struct loop *loop = ctx;
	int events = (read ? EV_READ : 0) | (write ? EV_WRITE : 0);

	if (ev_is_active(&io->io) ? (io->io.events & (EV_READ | EV_WRITE)) == events : !events)
		return;
	ev_io_stop(loop->ev, &io->io);
	if (!events)
		return;
	ev_io_set(&io->io, io->io.fd, events);
	ev_io_start(loop->ev, &io->io);
}

static void io_free(void *ctx, struct reactor_io *io)
{
	struct loop *loop = ctx;

	if (!io)
		return;
	ev_io_stop(loop->ev, &io->io);
	free(io);
}

static void timer_fired(struct ev_loop *ev, ev_timer *timer, int events)
{
	struct reactor_timer *t = (struct reactor_timer *)timer->data;

	t->fire(t->arg);
}

static struct reactor_timer *timer(void *ctx, void (*fire)(void *arg), void *arg)
{
	struct reactor_timer *timer = calloc(1, sizeof(*timer));

	if (!timer)
		return NULL;
	timer->fire = fire;
	timer->arg = arg;
	timer->timer.data = timer;
	ev_timer_init(&timer->timer, timer_fired, 0, 0);
	return timer;
}

static void disarm(void *ctx, struct reactor_timer *timer)
{
	struct loop *loop = ctx;

	ev_timer_stop(loop->ev, &timer->timer);
}

static void arm(void *ctx, struct reactor_timer *timer, uint64_t after_ms)
{
	struct loop *loop = ctx;

	disarm(ctx, timer);
	/* libev counts from the turn's start; a long turn must not make the deadline short. */
	ev_now_update(loop->ev);
	ev_timer_set(&timer->timer, (double)after_ms / 1000.0, 0);
	ev_timer_start(loop->ev, &timer->timer);
}

static void timer_free(void *ctx, struct reactor_timer *timer)
{
	if (!timer)
		return;
	disarm(ctx, timer);
	free(timer);
}

static uint64_t now_ns(void *ctx)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

/* ---- the loop ---- */

static void before_sleep(struct ev_loop *ev, ev_prepare *prepare, int events)
{
	struct loop *loop = (struct loop *)prepare->data;

	if (loop->turn)
		loop->turn(loop->turn_arg);
}

struct loop *loop_create(void)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return NULL;
	loop->ev = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
	if (!loop->ev) {
		free(loop);
		return NULL;
	}
	loop->reactor = (struct reactor){.ctx = loop,
		.watch = watch,
		.unwatch = unwatch,
		.io = io,
		.io_want = io_want,
		.io_free = io_free,
		.timer = timer,
		.arm = arm,
		.disarm = disarm,
		.timer_free = timer_free,
		.now_ns = now_ns};
	ev_prepare_init(&loop->prepare, before_sleep);
	loop->prepare.data = loop;
	return loop;
}

void loop_destroy(struct loop *loop)
{
	if (!loop)
		return;
	for (int i = 0; i < N_SIGNALS; i++)
		loop_on_signal(loop, i, NULL, NULL);
	ev_prepare_stop(loop->ev, &loop->prepare);
	ev_loop_destroy(loop->ev);
	free(loop);
}

const struct reactor *loop_reactor(struct loop *loop)
{
	return &loop->reactor;
}

static void signal_came(struct ev_loop *ev, ev_signal *signal, int events)
{
	struct loop_signal *s = (struct loop_signal *)signal->data;

	s->came(s->arg);
}

int loop_on_signal(struct loop *loop, int signal_number, void (*came)(void *arg), void *arg)
{
	struct loop_signal **slot;

	if (signal_number < 0 || signal_number >= N_SIGNALS)
		return -EINVAL;
	slot = &loop->signals[signal_number];
	if (*slot) {
		ev_signal_stop(loop->ev, &(*slot)->signal);
		free(*slot);
		*slot = NULL;
	}
	if (!came)
		return 0;
	*slot = calloc(1, sizeof(**slot));
	if (!*slot)
		return -ENOMEM;
	(*slot)->came = came;
	(*slot)->arg = arg;
	(*slot)->signal.data = *slot;
	ev_signal_init(&(*slot)->signal, signal_came, signal_number);
	ev_signal_start(loop->ev, &(*slot)->signal);
	return 0;
}

void loop_before_sleep(struct loop *loop, void (*turn)(void *arg), void *arg)
{
	loop->turn = turn;
	loop->turn_arg = arg;
	ev_prepare_start(loop->ev, &loop->prepare);
}

void loop_run(struct loop *loop)
{
	ev_run(loop->ev, 0);
}

void loop_stop(struct loop *loop)
{
	ev_break(loop->ev, EVBREAK_ALL);
}
