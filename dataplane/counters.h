/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * counters.h - the counters in the maps, summed over their rows, and the daemon's own row.
 *
 * The program counts in a row a CPU; the daemon counts what it does itself in the last row (A5 of bpf/abi.h), so that
 * nothing is lost when it dies. Reading takes no system call and stops nobody: a sum is of values a few ns apart.
 */
#ifndef DATAPLANE_COUNTERS_H
#define DATAPLANE_COUNTERS_H

#include "bpf/abi.h"

#include <stdint.h>

struct dp_memory;

struct port_counters {
	uint64_t rx_frames, rx_bytes, tx_frames, tx_bytes;
	uint64_t emc_hits, mega_hits, upcalls, csum_done;
	uint64_t told; /* copies for controllers of frames that were sent on (bpf/tell.h), and those that came to
			  nothing */
	uint64_t untold_limit, untold_full, untold_stale;
	uint64_t drops[SW_N_DROPS];
};

/* By what the frames that came in found their flow; these add up to `frames`. */
struct lookup_counters {
	uint64_t frames;
	uint64_t home;  /* at the flow's home, or by a guess: one cache line */
	uint64_t hints; /* exact-match cache: recalled (bpf/recall.h), or by a hint */
	uint64_t walks; /* masks tried one after the other, and found */
	uint64_t misses;
	uint64_t searches, probes; /* lookups that tried masks, found or not; masks that they tried */
	uint64_t looks; /* of the probes: a flow was looked for under the mask, for the sieve let it through */
};

struct switch_counters {
	uint64_t fast_path_frames; /* that the program forwarded or dropped by a cached flow */
	uint64_t slow_path_frames; /* that the daemon received */
	uint64_t drops[SW_N_DROPS];
	uint32_t n_flows, n_masks, n_fdb;
	uint64_t flow_limit;
};

/* The daemon dropped a frame, or one copy of it; `port` is the culprit's id, 0 for none. */
void counters_drop(const struct dp_memory *memory, uint16_t port, enum sw_drop reason);
/* The daemon received a frame that had come in by `port`. */
void counters_upcall(const struct dp_memory *memory, uint16_t port);
/* One frame of `size` bytes more than the program has counted came in by `port`. */
void counters_received(const struct dp_memory *memory, uint16_t port, uint32_t size);
/* A copy for controllers came up, of a frame of `port`, and no rule says so any more. */
void counters_stale(const struct dp_memory *memory, uint16_t port);
/* The daemon sent a frame of `size` bytes out of `port`. */
void counters_sent(const struct dp_memory *memory, uint16_t port, uint32_t size);
/* n frames that counters_sent() was told of were lost on their way, for `reason`. */
void counters_unsent(const struct dp_memory *memory, uint16_t port, enum sw_drop reason, uint32_t n);

void counters_read_port(const struct dp_memory *memory, uint16_t port, struct port_counters *ret);
/* Fills in frames and drops; the rest of `ret` is the caller's. */
void counters_read_switch(const struct dp_memory *memory, struct switch_counters *ret);
void counters_read_lookups(const struct dp_memory *memory, struct lookup_counters *ret);
uint64_t counters_read_drop(const struct dp_memory *memory, uint16_t port, enum sw_drop reason);

/*
 * A port goes, and its id may get a new owner: the switch's sums keep what it counted (under port 0), its own counters
 * start from zero. Nothing may be counting for it any more.
 */
void counters_retire_port(const struct dp_memory *memory, uint16_t port);

/*
 * After the death of an earlier daemon, once no socket of its can get a frame any more: what the program sent up and
 * nobody received died with it, and is counted so (SW_DROP_NO_DAEMON).
 */
void counters_bury(const struct dp_memory *memory);

#endif
