/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * grace.h - waits for RCU grace periods without holding up the daemon.
 *
 * What: a small thread that sits in a system call which returns after a grace period, and an eventfd that brings its
 * end back to the daemon's thread. Why a thread: the wait takes 10 to 200 ms, and there is no way to be told of its
 * end.
 *
 * Invariant: `ended` comes once the period that began after the last grace_begin() is over. A grace_begin() while one
 * is under way asks for another behind it, and only the last end is told.
 *
 * Concurrency: grace_begin() and `ended` are on the caller's thread, `wait` is on the thread of its own.
 */
#ifndef DATAPLANE_GRACE_H
#define DATAPLANE_GRACE_H

struct grace;
struct reactor;

struct grace_calls {
	void *ctx;
	/* Returns when a grace period that began after the call did is over. On the grace thread. */
	void (*wait)(void *ctx);
	/* On the caller's thread. */
	void (*ended)(void *ctx);
};

/* -errno. Until grace_destroy(), `reactor` and what `calls` points to stay. */
int grace_create(const struct reactor *reactor, const struct grace_calls *calls, struct grace **ret);
/* Waits for a period under way. Accepts NULL. `ended` is not called any more. */
void grace_destroy(struct grace *grace);

void grace_begin(struct grace *grace);

#endif
