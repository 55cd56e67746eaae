/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * facts.h - what a datapath tells people of itself, for `switchctl show xdp`.
 *
 * The teller calls a function for each thing that it has; what is behind a pointer is borrowed for that call.
 */
#ifndef DATAPLANE_FACTS_H
#define DATAPLANE_FACTS_H

#include <stdbool.h>
#include <stdint.h>

struct fact_program {
	const char *name;
	uint32_t id;
	char tag[17];           /* hex, as bpftool shows it */
	uint32_t verified;      /* instructions that the verifier looked at */
	uint32_t machine_bytes; /* compiled */
	uint64_t runs, run_ns;  /* 0 unless kernel.bpf_stats_enabled is set */
};

struct fact_map {
	const char *name;
	uint32_t id, n_entries;
	uint64_t bytes; /* that the kernel charges for it */
};

/* What the AF_XDP sockets of a port say: frames of those that the program sent up, but for the last two. */
struct fact_sockets {
	uint32_t n_bound;
	uint64_t rx_dropped;   /* no frame in the fill ring, or too long for one */
	uint64_t rx_ring_full; /* likewise lost */
	uint64_t fill_empty;   /* times that the fill ring was found empty */
	uint64_t tx_invalid;   /* descriptors that the kernel refused: 0, or this daemon has a bug */
};

struct fact_link {
	const char *device;
	uint32_t ifindex, id, program;
	const char *
		mode; /* "native", "generic", "offload"; at the tc hook "tc", or "tc filter" where there are no links */
	uint32_t n_queues;
	struct fact_sockets sockets;
};

struct fact_memory {
	uint64_t maps;   /* bytes, in the kernel */
	uint64_t frames; /* bytes of the slow path's frames */
	uint64_t tables; /* bytes of what the daemon keeps for itself, for the flows and addresses that there can be */
	uint64_t available; /* bytes that the host had left when the daemon started; UINT64_MAX: it does not say */
	const char *limited_by;
};

struct facts {
	void *ctx;
	void (*text)(void *ctx, const char *name, const char *value);
	void (*program)(void *ctx, const struct fact_program *program);
	void (*map)(void *ctx, const struct fact_map *map);
	void (*link)(void *ctx, const struct fact_link *link);
	void (*memory)(void *ctx, const struct fact_memory *memory);
};

#endif
