/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dp_memory.h - the in-memory datapath (dp_memory_create() of datapath.h), as a test sees it.
 *
 * What: every operation of the seam over plain memory, with two make-believe CPUs. dp_memory_lookup() is the
 * program's own lookup (bpf/lookup.h), counting as the program does. What is sent is kept for the test to read; what
 * the test injects comes out of rx(). A grace period ends when the test says so, or at once.
 *
 * It is strict where the kernel is: a frame given back twice, a set written with a member twice or a port that was
 * never put ends the test by assert().
 */
#ifndef DATAPLANE_DP_MEMORY_H
#define DATAPLANE_DP_MEMORY_H

#include "dataplane/datapath.h"

#define DP_MEMORY_CPUS 2

struct dp_memory_hit {
	const struct sw_flow *flow;
	const struct sw_flow *program; /* the flow, or of its fork the branch that the frame took */
	uint32_t slot;
	bool by_hint; /* the exact-match hint led to it */
};

/*
 * A frame of `size` bytes with this key, of which the program parses config->depth words, arrives on a CPU: true and
 * what it hit, counted, or false: a miss.
 */
bool dp_memory_lookup(
	struct datapath *dp, uint32_t cpu, const struct sw_key *key, uint32_t size, struct dp_memory_hit *ret);

/*
 * The meter at the front of the flow that was hit, as the program runs it; false: the frame ends there. Either way its
 * flow has counted it then, and not before.
 */
bool dp_memory_meter(
	struct datapath *dp, uint32_t cpu, const struct dp_memory_hit *hit, uint32_t size, uint64_t now_ns);
/* It goes up before that meter is run; its flow has counted it then. */
void dp_memory_stop(struct datapath *dp, const struct dp_memory_hit *hit, uint32_t size);

/* Grace periods end inside grace() from now on; or, the initial state, by dp_memory_end_grace(). */
void dp_memory_end_grace_at_once(struct datapath *dp, bool at_once);
/* Ends the running grace period, telling dp_events. false: none is running. */
bool dp_memory_end_grace(struct datapath *dp);

/* Grace periods begun so far. */
uint32_t dp_memory_n_graces(const struct datapath *dp);

/* A frame comes up, by a port that was put; tells dp_events.frames_waiting. */
void dp_memory_inject(struct datapath *dp, uint16_t port, const void *data, uint32_t size, enum sw_upcall reason);
/* The program has sent on a frame that a TELL stands before: told() hands out a copy; tells frames_waiting. */
void dp_memory_tell(struct datapath *dp, uint16_t port, const void *data, uint32_t size, uint8_t levels);
/* The same of a frame that a mirror has a copy of, and that left by out_port, or 0. */
void dp_memory_mirror(
	struct datapath *dp, uint16_t port, const void *data, uint32_t size, uint8_t mirror, uint16_t out_port);
/* Frames handed out by rx() and not given back. */
uint32_t dp_memory_n_lent(const struct datapath *dp);

struct dp_memory_sent {
	uint16_t port;
	uint32_t size;
	const uint8_t *data;
};
/* What was sent and flushed, in order, since the last dp_memory_forget_sent(). */
uint32_t dp_memory_n_sent(const struct datapath *dp);
struct dp_memory_sent dp_memory_sent(const struct datapath *dp, uint32_t i);
void dp_memory_forget_sent(struct datapath *dp);

/* What was put and not removed; NULL: nothing. */
const struct dp_port *dp_memory_port(const struct datapath *dp, uint16_t id);
bool dp_memory_is_attached(const struct datapath *dp, uint16_t id);
/* Whether a broadcast to the set would reach the port: it is a member, and was put when the set was last written. */
bool dp_memory_set_has(const struct datapath *dp, uint32_t set, uint16_t port);
/* How often set_put() was called. */
uint32_t dp_memory_n_set_puts(const struct datapath *dp);
/* followed() was called for it. */
bool dp_memory_is_followed(const struct datapath *dp, uint16_t port);

/* It can from now on, or not, as at first: see datapath_ops.spreads_skbs. */
void dp_memory_spread_skbs(struct datapath *dp, bool can);

/* set_put() answers so from now on; 0: as it should. */
void dp_memory_fail_set_put(struct datapath *dp, int error);
/* set_ready() says yes to ids below n; at first to all. */
void dp_memory_stock_sets(struct datapath *dp, uint32_t n);

/*
 * As if the daemon had died (it may have: all of this is memory that a fork shares, but for frames) and its successor
 * had adopted what was pinned: the maps, ports and sets stay, what was lent or on its way is gone.
 */
void dp_memory_restart(struct datapath *dp, const struct dp_events *events);

#endif
