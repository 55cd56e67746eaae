/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xsk.h - the slow path's way between the kernel and the daemon: AF_XDP sockets.
 *
 * What: a socket for each receive queue of each port, all on one UMEM, so that a frame that came in by one port leaves
 * by another without being copied here. Who owns which frame is in the book (umem.h, X1); this file moves the frames
 * through the rings. Reception is told by the reactor, a socket at a time: nothing is scanned and nothing polls.
 *
 * The anchor: sockets can join a UMEM only while the socket that registered it is bound, and the kernel unbinds a
 * socket when its device goes away. So the first socket is bound to the loopback device of a network namespace of its
 * own, which nobody sees and which ends with the daemon. It is in copy mode and all others inherit that: what comes
 * this way is the slow path, and zero copy would tie each frame to one driver.
 *
 * How frames are shared out: the k-th socket's fill ring is primed with n_frames/8k of them (2 to 512), which of 8192
 * adds up to less than what there is for 1233 sockets; a socket that is seen busy gets twice as much, up to 1024, while
 * there are some left, and gives them back as it calms down. So a few ports take bursts of 500 frames from a standing
 * start, a thousand ports take 2; a longer burst is lost from its start until the daemon wakes up, as `upcall_full`.
 * Of more sockets than that (queues, that is) some get none, and are fed as frames come back.
 *
 * Invariants
 * X3 Fill rings leave a 32nd of the frames to be sent with, however many sockets there are: who cannot be answered is
 *    lost, but nobody else.
 *
 * Long frames: since Linux 6.6 a frame may lie in several descriptors (XDP_USE_SG). Such a frame is put together in one
 * of a few large buffers on its way in, and cut up again on its way out. Before 6.6 xsks_max_frame() says 3840.
 *
 * Errors: a socket that cannot be bound because its queue is still taken (the kernel frees a closed socket's queue a
 * little later, and a killed daemon's sockets one after the other) is bound in the background; all else is refused.
 *
 * Concurrency: one thread.
 */
#ifndef DATAPLANE_XSK_H
#define DATAPLANE_XSK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct complaint;
struct dp_events;
struct dp_frame;
struct dp_memory;
struct fact_sockets;
struct reactor;
struct xsks;

struct xsks_options {
	uint32_t n_frames; /* of 4096 bytes */
	int xskmap_fd;     /* borrowed */
	const struct reactor *reactor;
	const struct dp_events *events; /* frames_waiting; borrowed */
	const struct dp_memory *memory; /* counters; borrowed */
};

/* -errno with a complaint. */
int xsks_create(const struct xsks_options *options, struct xsks **ret, struct complaint *c);
/* Hides an earlier daemon's sockets, which may not have ended yet, from the program; after a grace period none gets
 * more. */
void xsks_disown(struct xsks *xsks);
/* Closes all sockets. Accepts NULL. */
void xsks_destroy(struct xsks *xsks);

/* The longest frame, in bytes, that can come up and be sent. */
uint32_t xsks_max_frame(const struct xsks *xsks);
/* Whether it may come in several buffers. The kernel refuses to hand over such a frame otherwise, and tells nobody. */
bool xsks_take_frags(const struct xsks *xsks);

/*
 * A run of n_queues XSKMAP slots for a port that has none, at `prefer` if that is free. -ENOSPC: there is no such run.
 */
int xsks_reserve(struct xsks *xsks, uint16_t port, uint32_t n_queues, uint32_t prefer, uint32_t *ret_base);
/* Opens the port's sockets on the device, in its reserved run. The device must be up. -errno with a complaint. */
int xsks_open(struct xsks *xsks, uint16_t port, uint32_t ifindex, struct complaint *c);
/* Closes the port's sockets and frees its run. The device may be gone. Idempotent. */
void xsks_close(struct xsks *xsks, uint16_t port);
/* Sockets of the port that are bound. */
uint32_t xsks_bound(const struct xsks *xsks, uint16_t port);

/* Bytes that so many frames take, with the buffers for long ones. */
size_t xsks_bytes(uint32_t n_frames);
/* What the kernel counts at the port's sockets, since they were opened. */
void xsks_statistics(const struct xsks *xsks, uint16_t port, struct fact_sockets *ret);
/* Facts for people. */
void xsks_each_fact(const struct xsks *xsks, void (*fact)(void *ctx, const char *name, const char *value), void *ctx);

/* A frame to be lent that did not come by a socket: its bytes are copied. -ENOBUFS, -EMSGSIZE. */
int xsks_bring(struct xsks *xsks, const void *data, uint32_t size, struct dp_frame *ret);

/* As in struct datapath_ops. */
uint32_t xsks_rx(struct xsks *xsks, struct dp_frame *frames, uint32_t n);
int xsks_tx(struct xsks *xsks, uint16_t port, struct dp_frame *frame);
int xsks_tx_copy(struct xsks *xsks, uint16_t port, const void *data, uint32_t size);
void xsks_release(struct xsks *xsks, struct dp_frame *frame);
void xsks_flush(struct xsks *xsks);

#endif
