/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * execute.h - carries out an answer of translate() on a frame, in the daemon.
 *
 * What: the list of operations of pipeline.h, in order: rewrite, meter, copy, send, learn, tell the controller, count.
 * It is how frames leave that the fast path cannot do, and how a packet-out does. Answers that are a list of outputs
 * alone are upcall.c's, which sends the frame itself where it can.
 *
 * Counting: XOP_COUNT adds to its tally when the frame has come so far, and nothing else does: cached flows whose
 * program is "up" count nothing (cache.h). A flow that rewrites counts its frames for all that stands on the path;
 * where one of them comes up because its TTL ends, what it did not come to is taken back. Bytes are those with which a
 * frame came, whatever it is by then: the flow counts them so.
 *
 * A copy of a frame that the program has sent on its way goes through the same list, which does to it what a controller
 * is to see, tells of it, and does nothing else: no output, no count, no meter.
 *
 * Invariants: U2 of upcall.h; a frame from which nothing was sent and nothing told adds one to exactly one drop reason.
 *
 * Ownership: borrows everything; the frame is copied before it is changed. No allocation after executor_create().
 */
#ifndef DATAPLANE_EXECUTE_H
#define DATAPLANE_EXECUTE_H

#include <stdbool.h>
#include <stdint.h>

struct actions;
struct datapath;
struct dp_told;
struct executor;
struct fdb;
struct packet_in;
struct pipeline;
struct tally;
struct xlate;

struct executor_events {
	void *ctx;
	/* False: nobody takes it. */
	bool (*packet_in)(void *ctx, uint16_t bridge, const struct packet_in *in);
	/* A copy of a frame for a mirror, as it came or as it leaves, whose turn it may be. */
	void (*mirror)(void *ctx, uint16_t mirror, const void *frame, uint32_t size);
	/* One that the program has handed over (struct dp_told). */
	void (*mirror_copy)(void *ctx, const struct dp_told *told);
	/* What cached flows have counted is to be harvested into the tally. */
	void (*refresh)(void *ctx, const struct tally *tally);
};

/* NULL: out of memory. */
struct executor *executor_create(
	struct datapath *dp, const struct pipeline *pl, struct fdb *fdb, const struct executor_events *events);
void executor_destroy(struct executor *ex);

/* The bytes, and what is known of them. */
struct subject {
	uint16_t bridge;  /* id */
	uint16_t in_port; /* id; 0: the controller's */
	const uint8_t *frame;
	uint32_t size;
	bool counted; /* a cached flow has counted it already */
	uint64_t now_ns;
};

/* Carries out `answer`, which has operations (xlate_has_ops()); where the key did not say enough translate_frame() is
 * asked. */
void execute(struct executor *ex, const struct xlate *answer, const struct subject *subject);

/*
 * Tells controllers of a copy, of a frame whose drop precedence its meter has raised by `levels`. False: the answer has
 * nothing for them.
 */
bool execute_told(struct executor *ex, const struct xlate *answer, const struct subject *subject, uint8_t levels);

/* The same for mirrors. has_ended: its meter let it go no further, so nothing of it has left. */
void execute_mirrored(
	struct executor *ex, const struct xlate *answer, const struct subject *subject, uint8_t levels, bool has_ended);

void execute_mirror_copy(struct executor *ex, const struct dp_told *told);

/* A packet-out, counted or not as its tables say. */
void execute_packet_out(struct executor *ex, const struct actions *actions, const struct subject *subject);

/* Counts the frame for everything on the path of an answer of the other form. */
void execute_counts(const struct xlate *answer, uint32_t size, uint64_t now_ns);

#endif
