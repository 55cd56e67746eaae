/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * datapath.h - the seam between the switch's brain and whatever carries its frames.
 *
 * What: a few operations, with two bodies. The kernel backend (dp_kernel.c) loads, pins and attaches the XDP program,
 * lends its mmap-ed maps as plain memory and moves the slow path's frames through AF_XDP (xsk.c). The in-memory backend
 * (dp_memory.c) runs the same lookup code over malloc-ed memory, so that everything above is tested without privilege.
 *
 * Frames of the slow path are lent: rx() hands out a frame, and the caller gives each back exactly once, by tx(),
 * tx_copy() leaves it with the caller, or release(). Nothing is sent before flush(): one system call a port and batch.
 *
 * Concurrency: one thread. grace() starts an RCU grace period that ends elsewhere; its end comes in by the reactor.
 */
#ifndef DATAPLANE_DATAPATH_H
#define DATAPLANE_DATAPATH_H

#include "bpf/abi.h"
#include "dataplane/cpu_list.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct complaint;
struct datapath;
struct facts;
struct reactor;

/* The maps that both sides write by plain loads and stores. Sizes are in config. Valid while the datapath lives. */
struct dp_memory {
	struct sw_config *config;
	struct sw_flow *flows;
	struct sw_bucket *buckets;
	uint64_t *sieves; /* two tables of sw_sieve_bytes() */
	uint8_t *rows;    /* config->n_rows of dp_row_size() bytes; the last is the daemon's own */
	__u64 *drops;
	struct sw_lookup_stats *lookup_stats;
	struct sw_registry *registry;
	struct sw_fdb_bucket *fdb;
	struct sw_fdb_times *fdb_times;
	struct sw_rewrite *rewrites;
	struct sw_meter *meters;
	struct sw_flow_stats *band_stats, *stopped;
	struct sw_fork *forks;
	struct sw_fork_slots *fork_slots;
	struct sw_flow_stats *fork_stats;
	struct sw_copies *copies;
	struct sw_tell_stats *tell_stats;
	struct sw_mirror *mirrors;
	struct sw_mirror_stats *mirror_stats;
};

/* Bytes of a row: struct sw_row and the counters of so many flows. */
static inline size_t dp_row_size(uint32_t n_flows)
{
	return sizeof(struct sw_row) + n_flows * sizeof(struct sw_flow_stats);
}

static inline struct sw_row *dp_row(const struct dp_memory *memory, uint32_t row)
{
	return (struct sw_row *)(memory->rows + row * dp_row_size(memory->config->n_flows));
}

static inline struct sw_port_stats *dp_port_stats(const struct dp_memory *memory, uint32_t row, uint16_t port)
{
	return &dp_row(memory, row)->ports[port];
}

static inline struct sw_flow_stats *dp_flow_stats(const struct dp_memory *memory, uint32_t row, uint32_t slot)
{
	return (struct sw_flow_stats *)(dp_row(memory, row) + 1) + slot;
}

/* Where in the kernel the program sits on a port's device (bpf/hook.h). */
enum dp_hook { DP_HOOK_XDP, DP_HOOK_TC };

enum dp_mode { DP_MODE_NATIVE, DP_MODE_GENERIC, DP_MODE_OFFLOAD };

/* By what frames leave by a port: there is no device; nothing looks at them; an egress program does (ops->follow). */
enum dp_way { DP_WAY_NONE, DP_WAY_PLAIN, DP_WAY_FOLLOWED };

/* What a port is to the datapath. */
struct dp_port {
	uint16_t id;
	uint32_t ifindex;
	uint32_t n_queues; /* receive queues of the device */
	enum dp_hook hook;
	bool is_veth;
	bool peer_apart; /* a veth whose other end is in another network namespace, and wants what it is given as skbs
			  */
	bool csum;
	uint32_t max_frame;    /* bytes: the longest that can be sent out there */
	uint32_t max_rx_frame; /* bytes: what is longer on its way in is not one frame but several (GSO) */
	uint16_t untagged_vid; /* 0: none */
	uint64_t miss_rate, miss_burst;
	struct cpu_list cpus; /* over which its frames are spread; empty: each is handled where it comes in */
};

/* A frame of the slow path. */
struct dp_frame {
	uint8_t *data;     /* headroom in front, see `headroom` */
	uint32_t size;     /* bytes */
	uint32_t headroom; /* bytes in front of data that may be used */
	uint16_t in_port;  /* id of the port whose socket it came by */
	uint8_t reason;    /* enum sw_upcall; SW_UPCALL_MISS where the driver has no room for metadata */
	uint32_t slot;     /* of SW_UPCALL_ACTION */
	bool is_part;      /* of a frame that came up as one, and not its first part: that went up */
	uint64_t handle;   /* the backend's */
};

/* A copy of a frame that the program has sent on its way. */
struct dp_told {
	const uint8_t *data; /* until the call that hands it out returns */
	uint32_t size;       /* bytes */
	uint16_t in_port;    /* id of the port that it came in by, which may have gone meanwhile */
	uint8_t levels;      /* by so many its meter raised its drop precedence, which this copy does not show */
	uint8_t mirror;      /* id of the mirror that it is for; 0: for controllers; or SW_TOLD_MIRRORS */
	uint16_t out_port;   /* as in struct sw_told */
};

/* The verdict of the program on one frame, by BPF_PROG_TEST_RUN; for `trace`. */
struct dp_probe {
	const char *verdict; /* "redirect", "drop", "pass", "tx", "aborted" */
	uint32_t size;       /* bytes of the frame after the program */
	uint8_t frame[2048];
	bool cached; /* a flow slot answered; `slot` says which */
	uint32_t slot;
	enum sw_drop drop; /* when it was a drop */
	uint16_t out_port; /* id of the one port that it was sent out of; 0: of none, or of those of a broadcast */
	bool copied;       /* it was broadcast to be rewritten as list `copies` says */
	uint32_t copies;
	bool went_up; /* it was sent up to the daemon */
};

struct dp_events {
	void *ctx;
	/* Frames may be waiting, or copies: call rx() until it returns 0, and told(). */
	void (*frames_waiting)(void *ctx);
	/* Every program run that began before the last grace() has ended. */
	void (*grace_ended)(void *ctx);
};

struct datapath_ops {
	/* forget: unpin and detach everything; else forwarding goes on by what is pinned. */
	void (*destroy)(struct datapath *dp, bool forget);

	/* Makes the device known (ports map, tx map, sockets) or updates what is known. -errno with a complaint. */
	int (*port_put)(struct datapath *dp, const struct dp_port *port, struct complaint *c);
	/* Detaches and forgets; the device may be gone already. Idempotent. */
	void (*port_remove)(struct datapath *dp, uint16_t id);
	/* Whether our program sits on the device already, left there by an earlier daemon or an earlier call. */
	bool (*owns)(struct datapath *dp, uint32_t ifindex);
	/*
	 * Attaches the program to the port's device at its hook, or adopts and updates the pinned attachment; one at
	 * the other hook goes when this one is there. Of the XDP hook's modes native is tried first unless `want` says
	 * otherwise; *ret_mode is what it became, and `why` says why in words when it is not native.
	 */
	int (*attach)(struct datapath *dp, uint16_t id, const enum dp_mode *want, enum dp_mode *ret_mode, char *why,
		size_t why_size, struct complaint *c);

	/* Writes set `set` as its members (port ids, with a device each). The set may be live: readers see old or new.
	 */
	int (*set_put)(struct datapath *dp, uint32_t set, const uint16_t *members, uint32_t n);
	/*
	 * Whether that would not wait for a grace period. Where it would for want of a map, one is there after a period
	 * that begins after the call.
	 */
	bool (*set_ready)(struct datapath *dp, uint32_t set, uint32_t n);
	/* The same where only member `port` is not as it was written, and for a price that does not grow with n. */
	int (*set_change)(struct datapath *dp, uint32_t set, const uint16_t *members, uint32_t n, uint16_t port);
	void (*set_remove)(struct datapath *dp, uint32_t set);
	/*
	 * Has an egress program run for all that leaves by the port, unicast too: for every frame of runs that begin
	 * after a grace period that begins after the call. When that has ended, followed() is to be called; until then
	 * what unicast and broadcasts count may be mixed up. For good: a port that comes back is followed again.
	 */
	int (*follow)(struct datapath *dp, uint16_t port);
	void (*followed)(struct datapath *dp, uint16_t port);
	enum dp_way (*way)(const struct datapath *dp, uint16_t port);

	void (*grace)(struct datapath *dp);

	/* Up to n frames; 0: none left. */
	uint32_t (*rx)(struct datapath *dp, struct dp_frame *frames, uint32_t n);
	/* Hands out up to n copies, in the order in which the frames came in; returns how many. */
	uint32_t (*told)(
		struct datapath *dp, uint32_t n, void (*each)(void *ctx, const struct dp_told *told), void *ctx);
	/* Sends and takes the frame, also when it fails (-ENOBUFS, -ENETDOWN, -EMSGSIZE, -ENODEV). */
	int (*tx)(struct datapath *dp, uint16_t port, struct dp_frame *frame);
	/* Sends a copy of `size` bytes. */
	int (*tx_copy)(struct datapath *dp, uint16_t port, const void *data, uint32_t size);
	void (*release)(struct datapath *dp, struct dp_frame *frame);
	void (*flush)(struct datapath *dp);

	/* -ENOTSUP where there is no program to ask. */
	int (*probe)(struct datapath *dp, uint32_t ifindex, const void *frame, uint32_t size, struct dp_probe *ret);

	/* Whether a port may be spread whose frames come as skbs: in generic mode, or of a tap in any. */
	bool (*spreads_skbs)(struct datapath *dp);

	/* Facts for `switchctl show xdp`. */
	void (*describe)(struct datapath *dp, const struct facts *facts);
};

/* The first member of each backend. */
struct datapath {
	const struct datapath_ops *ops;
	struct dp_memory memory;
	bool adopted;   /* found pinned state of this ABI version and took it over */
	bool inherited; /* found pinned state of this namespace, of whatever version: programs may sit on devices */
};

/* What became of a frame that tx() or tx_copy() refused with this error. */
static inline enum sw_drop dp_drop_of(int error)
{
	switch (error) {
	case -EMSGSIZE:
		return SW_DROP_OVER_MTU;
	case -ENETDOWN:
	case -ENODEV:
	case -ENXIO:
		return SW_DROP_PORT_DOWN;
	default:
		return SW_DROP_TX_FULL;
	}
}

struct dp_kernel_options {
	const char *bpffs_dir; /* where to pin; made if missing, a bpffs mounted at /sys/fs/bpf if there is none */
	uint32_t n_flows;      /* slots, a power of two; a pinned table keeps the size that it has */
	uint32_t n_frames;     /* of the UMEM, 4096 bytes each */
	uint64_t table_bytes;  /* that the owner allocates beside, for the limits that it has ... */
	uint64_t flow_bytes;   /* ... and for each flow slot; both only for the check against memory_limit */
	uint64_t memory_limit; /* bytes that all of it may take; 0: what the host has left */
};

/* dp_kernel.c */
int dp_kernel_create(const struct dp_kernel_options *options, const struct reactor *reactor,
	const struct dp_events *events, struct datapath **ret, struct complaint *c);

/* dp_memory.c: for tests. n_flows a power of two. NULL: out of memory. */
struct datapath *dp_memory_create(uint32_t n_flows, const struct dp_events *events);

#endif
