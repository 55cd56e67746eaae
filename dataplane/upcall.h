/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * upcall.h - the slow path: frames that the fast path had no answer for.
 *
 * What: takes a batch of frames from the datapath, asks translate() of each, learns, sends them on, and only then puts
 * the answers into the cache.
 *
 * Why two passes: once an entry is in, the flow's next frames no longer come up, and would overtake one that is still
 * here. So the whole batch is sent and flushed first. The same goes for what is learned: the program is told of
 * new addresses by fdb_settle() when no frame waits any more, or at the end of the turn. And the pipeline may have
 * changed since the last turn, so the second pass settles the cache and asks again (M2 of cache.h).
 *
 * Then the copies that the program has made for controllers, of frames that it has sent on itself (bpf/tell.h): the
 * same question, and only what it says to them is carried out. Behind the frames, because the first of a flow comes up
 * whole.
 *
 * Invariants
 * U1 Every frame of a batch is given back to the datapath exactly once (X1).
 * U2 A frame, or each copy of it, that is not sent adds one to exactly one reason (D1).
 * U3 A frame's copies are sent as translate() says, whatever reason it came up for: no output depends on the cache.
 *
 * Ownership: borrows everything it is given. No allocation after upcall_create().
 */
#ifndef DATAPLANE_UPCALL_H
#define DATAPLANE_UPCALL_H

#include <stdint.h>

struct cache;
struct datapath;
struct executor;
struct fdb;
struct pipeline;
struct upcall;

/* NULL: out of memory. */
struct upcall *upcall_create(struct datapath *dp, const struct pipeline *pl, struct fdb *fdb, struct cache *cache,
	struct executor *executor);
void upcall_destroy(struct upcall *up);

/* Handles what waits, up to a bound, so that nobody else on the loop starves; returns whether frames may be left. */
int upcall_run(struct upcall *up, uint64_t now_ns);

#endif
