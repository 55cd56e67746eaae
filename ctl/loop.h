/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop.h - the daemon's event loop; the only place that knows libev.
 *
 * What: lends the dataplane its reactor (descriptors to read, deadlines), and gives the control sockets what they need
 * beside it: interest in writing, signals, and one call a turn just before the loop goes to sleep. There everything
 * that the turn changed is settled into the maps, and only then are replies flushed (C3).
 *
 * Nothing polls: with no watch ready and no timer armed the process sleeps in epoll_wait() without a timeout.
 *
 * Ownership: watches and timers belong to who asked for them, and are freed before the loop. One may be freed from
 * within its own callback. One thread.
 */
#ifndef CTL_LOOP_H
#define CTL_LOOP_H

#include <stdbool.h>

struct loop;
struct loop_io;
struct reactor;

/* NULL: out of memory, or of descriptors. Signals and libev's default loop are per process: one loop at a time. */
struct loop *loop_create(void);
void loop_destroy(struct loop *loop);

/* Valid while the loop lives. */
const struct reactor *loop_reactor(struct loop *loop);

/* A descriptor whose interest changes. It starts with none. NULL: out of memory. */
struct loop_io *loop_io_create(struct loop *loop, int fd, void (*ready)(void *arg), void *arg);
void loop_io_want(struct loop_io *io, bool read, bool write);
/* Accepts NULL. The descriptor stays the caller's, and open until here. */
void loop_io_free(struct loop_io *io);

/* At most one handler a signal; NULL takes it away. -EINVAL: not a signal. */
int loop_on_signal(struct loop *loop, int signal_number, void (*came)(void *arg), void *arg);

/* `turn` is called once each turn, before the loop sleeps. */
void loop_before_sleep(struct loop *loop, void (*turn)(void *arg), void *arg);

/* Returns after loop_stop(), when the turn that called it has ended. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

#endif
