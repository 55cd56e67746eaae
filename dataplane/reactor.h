/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reactor.h - what the dataplane and the OpenFlow side ask of whoever runs the event loop.
 *
 * They know descriptors and deadlines, and no loop: the daemon lends them one (ctl/loop.c, libev), a test lends them a
 * table. Everything is called on one thread, and nothing polls: a timer that has nothing to do is not armed.
 */
#ifndef DATAPLANE_REACTOR_H
#define DATAPLANE_REACTOR_H

#include <stdbool.h>
#include <stdint.h>

struct reactor_watch;
struct reactor_io;
struct reactor_timer;

struct reactor {
	void *ctx;

	/* Calls `ready` whenever `fd` is readable (level-triggered). Returns NULL when out of memory. */
	struct reactor_watch *(*watch)(void *ctx, int fd, void (*ready)(void *arg), void *arg);
	/* Accepts NULL. The descriptor stays the caller's, and open until here. */
	void (*unwatch)(void *ctx, struct reactor_watch *watch);

	/*
	 * A descriptor whose interest changes; it starts with none. Freed before its descriptor is closed, maybe from
	 * within its own `ready`. Returns NULL when out of memory.
	 */
	struct reactor_io *(*io)(void *ctx, int fd, void (*ready)(void *arg), void *arg);
	void (*io_want)(void *ctx, struct reactor_io *io, bool read, bool write);
	/* Accepts NULL. */
	void (*io_free)(void *ctx, struct reactor_io *io);

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
