/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop.h - the daemon's event loop; the only place that knows libev.
 *
 * What: lends the dataplane, the OpenFlow channels and the control sockets their reactor (descriptors, deadlines), and
 * gives the daemon what it needs beside it: signals, and one call a turn just before the loop goes to sleep. There
 * everything that the turn changed is settled into the maps, and only then are replies flushed (C3).
 *
 * Nothing polls: with no watch ready and no timer armed the process sleeps in epoll_wait() without a timeout.
 *
 * Ownership: watches and timers belong to who asked for them, and are freed before the loop. One may be freed from
 * within its own callback. One thread.
 */
#ifndef CTL_LOOP_H
#define CTL_LOOP_H

struct loop;
struct reactor;

/* NULL: out of memory, or of descriptors. Signals and libev's default loop are per process: one loop at a time. */
struct loop *loop_create(void);
void loop_destroy(struct loop *loop);

/* Valid while the loop lives. */
const struct reactor *loop_reactor(struct loop *loop);

/* At most one handler a signal; NULL takes it away. -EINVAL: not a signal. */
int loop_on_signal(struct loop *loop, int signal_number, void (*came)(void *arg), void *arg);

/* `turn` is called once each turn, before the loop sleeps. */
void loop_before_sleep(struct loop *loop, void (*turn)(void *arg), void *arg);

/* Returns after loop_stop(), when the turn that called it has ended. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

#endif
