/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reactor.h - what the dataplane asks of whoever runs the event loop.
 *
 * The dataplane knows descriptors and deadlines, and no loop: the daemon lends it one (ctl/loop.c, libev), a test lends
 * it a table. Everything is called on one thread, and nothing polls: a timer that has nothing to do is not armed.
 */
#ifndef DATAPLANE_REACTOR_H
#define DATAPLANE_REACTOR_H

#include <stdint.h>

struct reactor_watch;
struct reactor_timer;

struct reactor {
	void *ctx;

	/* Calls `ready` whenever `fd` is readable (level-triggered). Returns NULL when out of memory. */
	struct reactor_watch *(*watch)(void *ctx, int fd, void (*ready)(void *arg), void *arg);
	/* Accepts NULL. The descriptor stays the caller's, and open until here. */
	void (*unwatch)(void *ctx, struct reactor_watch *watch);

	/* A timer, not yet armed. Returns NULL when out of memory. */
	struct reactor_timer *(*timer)(void *ctx, void (*fire)(void *arg), void *arg);
	/* Fires once, `after_ms` from now; arming again moves it. */
	void (*arm)(void *ctx, struct reactor_timer *timer, uint64_t after_ms);
	void (*disarm)(void *ctx, struct reactor_timer *timer);
	/* Accepts NULL. */
	void (*timer_free)(void *ctx, struct reactor_timer *timer);

	/* CLOCK_BOOTTIME in nanoseconds; one clock for the FDB, the cache and their tests. */
	uint64_t (*now_ns)(void *ctx);
};

#endif
