/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dp_kernel.h - what the files of the kernel backend know of each other. Nobody else includes it.
 *
 *	dp_kernel.c		life, the operations
 *	dp_kernel_pins.c	the bpffs directory: making it, adopting what is pinned in it, forgetting it
 *	dp_kernel_attach.c	the links by which the program sits on devices
 *	dp_kernel_tc.c		the same at the tc hook
 *	dp_kernel_ports.c	the maps that name the ports
 *	dp_kernel_cpus.c	the CPUs that ports are spread over
 *	dp_kernel_sets.c	the flood sets
 *	dp_kernel_told.c	copies of frames that were sent on, by the ring
 *	dp_kernel_rivals.c	another switchd on a device
 *	dp_kernel_ups.c		frames from the tc hook, by the ring
 *	dp_kernel_probe.c	the program's verdict on one frame
 *	dp_kernel_size.c	what it takes of the host's memory
 *	dp_kernel_facts.c	what there is to tell of it
 *	dp_kernel_libbpf.c	what libbpf has to say
 *
 * Invariants
 * R1 A daemon that dies or is stopped leaves links, programs and maps pinned; one that starts replaces what it must by
 *    one atomic step each, and detaches nothing that is asked for again.
 * R2 Links are pinned under the ifindex of their device, so that they are found again even where the port ids were
 *    thrown away with maps of another ABI version.
 */
#ifndef DATAPLANE_DP_KERNEL_H
#define DATAPLANE_DP_KERNEL_H

#include "dataplane/budget.h"
#include "dataplane/datapath.h"

#include <pthread.h>

struct bpf_map;
struct bpf_object;
struct bpf_program;
struct ring_buffer;
struct complaint;
struct grace;
struct reactor_watch;
struct segment;
struct switch_bpf;
struct xsks;

#define DPK_DIR_SIZE   256
#define DPK_PATH_SIZE  320
#define DPK_CAUSE_SIZE 256

/* Pins of what sits on a device, by its ifindex (R2). */
#define DPK_LINK_PREFIX   "link-"
#define DPK_FILTER_PREFIX "filter-"

/* A port as its maps have it. ifindex 0: none. */
struct dpk_port {
	struct dp_port port;
	uint32_t xsk_base;
	bool open;   /* its sockets are ours, of this life */
	int link_fd; /* -1: none */
	uint32_t link_ifindex;
	enum dp_hook link_hook; /* that the link is of */
	bool has_filter;        /* in place of a link, at the tc hook */
	enum dp_mode mode;
};

/* A flood set: its map, an element of map `sets`. */
struct dpk_set {
	int fd; /* -1: none yet */
	uint32_t capacity;
	int state; /* dp_kernel_sets.c */
};

/* Bytes that the limits come to. */
struct dpk_size {
	uint64_t maps, frames, tables;
};

struct dpk {
	struct datapath dp;
	struct switch_bpf *skel;
	char dir[DPK_DIR_SIZE];
	const struct reactor *reactor;
	struct dp_events events;
	struct xsks *xsks;
	struct grace *grace;
	int grace_map_fd, grace_inner_fd;
	struct reactor_timer *orphan_timer;       /* armed while there are links that nobody asked for yet */
	int ingress_fd, egress_fd, egress_one_fd; /* the programs in use: pinned ones, or those just loaded */
	uint32_t ingress_id, egress_id, egress_one_id;
	int spread_fd, collector_fd, worker_fd; /* the last: -1 until it is needed */
	uint32_t spread_id, collector_id, worker_id;
	int tc_fd; /* -1 until it is needed */
	uint32_t tc_id;
	int lost_fds[4]; /* links of the tracepoint programs */
	struct dpk_port ports[SW_MAX_PORTS];
	enum dpk_followed { DPK_NOT_FOLLOWED, DPK_TO_BE_FOLLOWED, DPK_FOLLOWED } followed[SW_MAX_PORTS];
	struct ring_buffer *told;
	struct reactor_watch *told_watch;
	struct dpk_telling {
		uint32_t n_left;
		void (*each)(void *ctx, const struct dp_told *told);
		void *ctx;
	} telling;
	struct dpk_ups *ups; /* dp_kernel_ups.c */
	/* By port id, and for good: a port that comes back still has its collector (bpf/spread.h). */
	enum dpk_collecting { DPK_DIRECT, DPK_TURNING, DPK_COLLECTED } collecting[SW_MAX_PORTS];
	uint32_t collector[SW_MAX_PORTS]; /* CPU */
	bool cpus_stale;                  /* there may be queues that no port is spread to any more */
	struct switch_bpf *twin;          /* for probes */
	struct reactor_timer *twin_timer;
	struct sw_set_info *set_info;
	struct dpk_size size;
	struct budget budget; /* before anything was allocated */

	/* Shared with the grace thread. */
	pthread_mutex_t set_lock;
	pthread_cond_t set_settled;
	struct dpk_set sets[SW_MAX_SETS];
	uint32_t n_sets_used;  /* ids from here on were never used */
	uint32_t set_capacity; /* of spare sets */
	bool grace_wanted;     /* by the owner, not for the stock alone */
};

/* ---- dp_kernel_libbpf.c ---- */

/* Sends libbpf's words to our log, as debug lines, and keeps the last ones. */
void dpk_listen(void);
/* Forgets what was kept, so that dpk_heard() tells of what comes now. */
void dpk_hush(void);
/* The last complaint that libbpf made; "" for none. */
const char *dpk_heard(void);
/* What the driver said (extack) through libbpf; "" for nothing. */
const char *dpk_heard_from_kernel(void);

/* ---- dp_kernel_pins.c ---- */

/* Makes the directory, and mounts a bpffs if there is none. */
int dpk_pins_prepare(const char *dir, struct complaint *c);
/*
 * Between open and load: hands the pinned maps to the skeleton, if they are of this ABI and namespace; else unpins
 * them. Sets sizes. 1: adopted, 0: there is nothing to adopt, -errno with a complaint.
 */
int dpk_pins_adopt(struct dpk *k, uint32_t n_flows, struct complaint *c);
/* Between open and load: gives the maps the sizes that so many flows take. */
void dpk_pins_size(struct dpk *k, uint32_t n_flows);
/* After load, when nothing was adopted. */
int dpk_pins_put_maps(struct dpk *k, struct complaint *c);
/* Between open and load of another instance: gives it the live maps, all that are not constants. -errno. */
int dpk_pins_share(const struct dpk *k, struct bpf_object *instance);
/* The pinned program if it is the same as this one, by tag; else pins this one in its place. The descriptor, or -errno.
 */
int dpk_pins_program(struct dpk *k, struct bpf_program *program, const char *name, struct complaint *c);
/* Unpins everything and removes the directory. */
void dpk_pins_forget(struct dpk *k);
/* Pins it at the path in place of what is there, in one step (R1). -errno: that is there still. */
int dpk_pins_put(const struct dpk *k, int fd, const char *path);
int dpk_pins_path(const struct dpk *k, const char *name, char path[DPK_PATH_SIZE]);
/* Calls `each` with the number in each pin's name that is `prefix` and a number. */
void dpk_pins_each(struct dpk *k, const char *prefix, void (*each)(struct dpk *k, uint32_t number));
/* Memory of an mmap-able map; NULL: errno. */
void *dpk_map_memory(const struct bpf_map *map);
void dpk_unmap(const struct bpf_map *map, void *memory);
/* How a map is called to people and in the bpffs; NULL: it is libbpf's own. */
const char *dpk_map_name(const struct bpf_map *map);
size_t dpk_map_bytes(const struct bpf_map *map);
uint32_t dpk_netns_inum(void);

/* ---- dp_kernel_attach.c ---- */

bool dpk_owns(struct datapath *dp, uint32_t ifindex);
int dpk_attach(struct datapath *dp, uint16_t id, const enum dp_mode *want, enum dp_mode *ret_mode, char *why,
	size_t why_size, struct complaint *c);
/* Detaches the program from the port's device. */
void dpk_detach(struct dpk *k, struct dpk_port *p);
/* The tracepoint programs. */
int dpk_attach_lost(struct dpk *k, struct complaint *c);
/* Counts the links of an earlier daemon that no port has asked for, and lets them go in a while if that stays so. */
void dpk_orphans_watch(struct dpk *k);
void dpk_orphans_detach(struct dpk *k);
const char *dpk_mode_name(enum dp_mode mode);

/* ---- dp_kernel_ports.c ---- */

int dpk_port_put(struct datapath *dp, const struct dp_port *port, struct complaint *c);
void dpk_port_remove(struct datapath *dp, uint16_t id);
/* Writes the port's record again, after its mode changed. */
int dpk_port_write(struct dpk *k, const struct dpk_port *p);
/* Reads what an earlier daemon wrote. */
void dpk_ports_adopt(struct dpk *k);
/* Whether an egress program runs on what leaves there: to take a tag off, or to rewrite copies. */
static inline bool dpk_has_egress(const struct dpk *k, uint16_t id)
{
	return k->followed[id] != DPK_NOT_FOLLOWED;
}

int dpk_follow(struct datapath *dp, uint16_t id);
void dpk_followed(struct datapath *dp, uint16_t id);
enum dp_way dpk_way(const struct datapath *dp, uint16_t id);

/* ---- dp_kernel_tc.c ---- */

#define DPK_TCX_INGRESS 46 /* enum bpf_attach_type of Linux 6.6; not in Debian 12's headers */

/* Puts the program at the device's tc hook: by a link, which is *ret_link_fd, or by a filter, and that is -1. */
int dpk_tc_put(struct dpk *k, uint32_t ifindex, int *ret_link_fd, struct complaint *c);
/* Loads the program if that is not done yet. */
int dpk_tc_want(struct dpk *k, struct complaint *c);
/* Of the filter in the place of ours, whoever put it there; 0: there is none. */
uint32_t dpk_tc_filter_program(struct dpk *k, uint32_t ifindex);
bool dpk_tc_has_filter(const struct dpk *k, uint32_t ifindex);
/* Idempotent; the device may be gone. */
void dpk_tc_drop_filter(struct dpk *k, uint32_t ifindex);
void dpk_tc_each_filter(struct dpk *k, void (*each)(struct dpk *k, uint32_t ifindex));

/* ---- dp_kernel_rivals.c ---- */

/*
 * -EBUSY with a complaint: the device is not ours, and another switchd's program is on it where the kernel does not say
 * so itself when ours is attached at `hook`.
 */
int dpk_rivals_check(struct dpk *k, uint32_t ifindex, enum dp_hook hook, struct complaint *c);

/* ---- dp_kernel_ups.c ---- */

int dpk_ups_open(struct dpk *k, struct complaint *c);
/*
 * Of an earlier daemon nothing is handed out: what it did not read is counted as lost (counters_bury). After a grace
 * period, and before the first socket is open: nobody writes to the ring.
 */
void dpk_ups_bury(struct dpk *k);
void dpk_ups_close(struct dpk *k);
/* As datapath_ops.rx. */
uint32_t dpk_ups_rx(struct dpk *k, struct dp_frame *frames, uint32_t n);
/* As segment_begin(), with what the kernel says of the frame. */
int dpk_gso_part(const uint8_t *frame, uint32_t size, uint32_t gso_size, uint32_t gso_type, struct segment *ret);

/* ---- dp_kernel_cpus.c ---- */

/*
 * p->port.cpus has changed, or the port is new; was_here: it had its device before, and sockets that are written to.
 * Before its record is written.
 */
int dpk_cpus_put(struct dpk *k, struct dpk_port *p, bool was_here, struct complaint *c);
/* The program that is to sit on the port's device now. */
int dpk_cpus_program(const struct dpk *k, const struct dpk_port *p, uint32_t *ret_id);
/* Replaces the program where it is attached and another is to be. */
int dpk_cpus_switch(struct dpk *k, struct dpk_port *p, struct complaint *c);
/* The port goes. */
void dpk_cpus_remove(struct dpk *k, uint32_t ifindex);
/* Every grace period that was begun has ended. */
void dpk_cpus_settle(struct dpk *k);
/* What an earlier daemon left. */
void dpk_cpus_adopt(struct dpk *k);
void dpk_cpus_adopt_port(struct dpk *k, struct dpk_port *p, const struct sw_port *record);
/* -errno. */
int dpk_cpus_init(struct dpk *k);
bool dpk_spreads_skbs(struct datapath *dp);

/* ---- dp_kernel_sets.c ---- */

/* -errno. */
int dpk_sets_init(struct dpk *k);
/* Finds the sets of an earlier daemon. */
void dpk_sets_adopt(struct dpk *k);
void dpk_sets_close(struct dpk *k);
/*
 * A port's max_frame or untagged VLAN changed, or it is followed: so may what its sets can carry, and what runs on its
 * copies.
 */
void dpk_sets_changed(struct dpk *k, uint16_t port);
/* On the grace thread: keeps some empty sets in stock, because putting one into `sets` waits for RCU. */
void dpk_sets_stock(struct dpk *k);
int dpk_set_put(struct datapath *dp, uint32_t set, const uint16_t *members, uint32_t n);
bool dpk_set_ready(struct datapath *dp, uint32_t set, uint32_t n);
int dpk_set_change(struct datapath *dp, uint32_t set, const uint16_t *members, uint32_t n, uint16_t port);
void dpk_set_remove(struct datapath *dp, uint32_t set);

/* ---- dp_kernel_told.c ---- */

/* Of an earlier daemon nothing is told: what lies in the ring is counted as stale. */
int dpk_told_open(struct dpk *k, struct complaint *c);
void dpk_told_close(struct dpk *k);
uint32_t dpk_told(struct datapath *dp, uint32_t n, void (*each)(void *ctx, const struct dp_told *told), void *ctx);

/* ---- dp_kernel_probe.c ---- */

int dpk_probe(struct datapath *dp, uint32_t ifindex, const void *frame, uint32_t size, struct dp_probe *ret);
/* Gives up what probing needs. */
void dpk_probe_close(struct dpk *k);

/* ---- dp_kernel_size.c ---- */

/* Between adopting and load: reckons k->size and logs it. -ENOMEM with a complaint: the host has not that much left. */
int dpk_afford(struct dpk *k, const struct dp_kernel_options *options, struct complaint *c);

/* ---- dp_kernel_facts.c ---- */

void dpk_describe(struct datapath *dp, const struct facts *facts);

static inline struct dpk *dpk_of(struct datapath *dp)
{
	return (struct dpk *)dp;
}

#endif
