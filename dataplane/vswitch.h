/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vswitch.h - the switch as its owner sees it: everything the control socket, the configuration file and, later, the
 * OpenFlow side may ask.
 *
 * What: puts the parts together (pipeline, FDB, cache, datapath, devices) and keeps the order of things: what was
 * asked is brought into the maps by vswitch_settle() before an answer to it leaves (C3).
 *
 * Intent and state: a port is wanted from the moment it was asked for, whether or not its device exists; the port
 * manager (port_manager.c) brings it up when the device comes and takes it down when it goes.
 *
 * Errors: 0 or -errno, with a complaint that names the thing at fault and what to do. A refused call changes nothing.
 * One thread.
 */
#ifndef DATAPLANE_VSWITCH_H
#define DATAPLANE_VSWITCH_H

#include "dataplane/counters.h"
#include "dataplane/datapath.h"
#include "dataplane/fdb.h"
#include "dataplane/mirrors.h"
#include "dataplane/pipeline.h"
#include "dataplane/vlan.h"

struct cache_totals;
struct cache_view;
struct facts;
struct ofbridge;
struct vswitch;

struct vswitch_options {
	struct dp_kernel_options datapath;
};

int vswitch_create(const struct vswitch_options *options, const struct reactor *reactor, struct vswitch **ret,
	struct complaint *c);
/* forget: also unpin, detach and delete the devices that the switch made; else forwarding goes on. */
void vswitch_destroy(struct vswitch *vs, bool forget);

/* Brings the maps up to date with every change so far. Call once per loop turn, before replies are flushed (C3). */
void vswitch_settle(struct vswitch *vs);

/*
 * After a start: whether pinned state of an earlier daemon was found. Bridges and ports that are added again under
 * their old names get their old ids; once all are there, vswitch_restored() lets the rest go and asks the cached flows
 * anew. It must be called on a fresh start too. Until then vswitch_settle() does nothing.
 */
bool vswitch_adopted(const struct vswitch *vs);
/* Also true where what is pinned could not be read: its ports are still attached, to be asked for again. */
bool vswitch_inherited(const struct vswitch *vs);
void vswitch_restored(struct vswitch *vs);

const struct pipeline *vswitch_pipeline(const struct vswitch *vs);
const struct fdb *vswitch_fdb(const struct vswitch *vs);
/* The bridge as OpenFlow sees it; it lives as long as the bridge. NULL: there is none of that name. */
struct ofbridge *vswitch_ofbridge(struct vswitch *vs, const char *bridge);

/* ---- configuration ---- */

int vswitch_bridge_add(struct vswitch *vs, const char *name, struct complaint *c);
/* Takes its ports with it. */
int vswitch_bridge_remove(struct vswitch *vs, const char *name, struct complaint *c);

/* Options of `bridge set`: a mask of what to change. */
enum { BRIDGE_SET_AGEING = 1, BRIDGE_SET_FDB_LIMIT = 2, BRIDGE_SET_FORWARD_RESERVED = 4, BRIDGE_SET_DATAPATH_ID = 8 };
struct bridge_settings {
	unsigned which;
	uint32_t ageing_s;
	uint32_t fdb_limit;
	bool forward_reserved;
	uint64_t datapath_id;
};
int vswitch_bridge_set(
	struct vswitch *vs, const char *name, const struct bridge_settings *settings, struct complaint *c);

enum port_type {
	PORT_EXISTING, /* takes a device that is or will be there */
	PORT_TAP,
	PORT_VETH,     /* name is our end; peer, in netns, is the container's */
	PORT_INTERNAL, /* name is the host's own device; the switch holds the other end of a veth pair */
};

enum port_mode_wish { PORT_MODE_AUTO, PORT_MODE_NATIVE, PORT_MODE_GENERIC, PORT_MODE_OFFLOAD };

/* At which hook the program is to sit (port_hook.h). */
enum port_hook_wish { PORT_HOOK_AUTO, PORT_HOOK_XDP, PORT_HOOK_TC };

#define NETNS_NAME_SIZE           64
#define PORT_DEFAULT_UPCALL_RATE  100000
#define PORT_DEFAULT_UPCALL_BURST 10000
#define PORT_MAX_QUEUES           256 /* MAX_TAP_QUEUES of the kernel */

struct port_config {
	char name[SW_NAME_SIZE];
	char bridge[SW_NAME_SIZE];
	enum port_type type;
	char peer[SW_NAME_SIZE];     /* PORT_VETH */
	char netns[NETNS_NAME_SIZE]; /* PORT_VETH; "": the peer stays in this namespace */
	uint32_t queues;             /* PORT_TAP: how many its guest may open, 1 to PORT_MAX_QUEUES */
	bool patient;                /* a refusal is a state to wait in (a configuration file), not an error */
	bool force;                  /* take it although a default route leaves by it */
	enum port_mode_wish mode;
	enum port_hook_wish hook;
	struct vlan_config vlan;
	uint64_t upcall_rate, upcall_burst; /* new flows a second, and at once; 0: no limit */
	uint32_t of_port;     /* its OpenFlow number; 0: the next free, filled in when the port is there */
	struct cpu_list cpus; /* over which its frames are spread; empty: they are handled where they come in */
};

/* Fills in the defaults: existing device, open VLANs, auto mode, default limits. */
void port_config_init(struct port_config *config, const char *bridge, const char *name);

/* A port whose device is not there yet is accepted and waits; see port_status. */
int vswitch_port_add(struct vswitch *vs, const struct port_config *config, struct complaint *c);
int vswitch_port_remove(struct vswitch *vs, const char *name, struct complaint *c);

/* Options of `port set`: a mask of what to change. */
enum {
	PORT_SET_VLAN = 1,
	PORT_SET_UPCALLS = 2,
	PORT_SET_MODE = 4,
	PORT_SET_NUMBER = 8,
	PORT_SWAP_NUMBER = 16,
	PORT_SET_CPUS = 32,
	PORT_SET_HOOK = 64,
};
/*
 * Takes from `config` (whose name names the port) what `which` says. PORT_SWAP_NUMBER, beside PORT_SET_NUMBER: if
 * another port of the bridge has the number it gets this one's for it; else that is refused. With config->patient a
 * port that cannot be spread over all its CPUs is spread over those that it can be, and port_status says why.
 */
int vswitch_port_set(struct vswitch *vs, const struct port_config *config, unsigned which, struct complaint *c);

/* What was asked of the port. NULL: no such port. Borrowed until the next change. */
const struct port_config *vswitch_port_config(const struct vswitch *vs, const char *name);

/* As mirrors_add() and mirrors_remove() (mirrors.h). A port that a mirror needs cannot be removed. */
int vswitch_mirror_add(struct vswitch *vs, const struct mirror_config *config, struct complaint *c);
int vswitch_mirror_remove(struct vswitch *vs, const char *bridge, const char *name, struct complaint *c);
void vswitch_each_mirror(const struct vswitch *vs,
	void (*each)(void *ctx, const struct mirror_config *config, const struct mirror_counters *counters), void *ctx);

/* ---- state ---- */

enum port_phase {
	PORT_WAITING, /* its device is not there */
	PORT_REFUSED, /* preflight or the kernel refuses it; `reason` says why, and it is tried again when that changes
		       */
	PORT_DOWN,    /* attached, link down */
	PORT_UP,
};

struct port_status {
	uint16_t id;
	enum port_phase phase;
	char reason[400];          /* why it waits, was refused, or is not in native mode; "" */
	char device[SW_NAME_SIZE]; /* where the program sits: the port's name but for internal ports */
	uint32_t ifindex;
	enum dp_mode mode;    /* when DOWN or UP */
	char path[160];       /* how frames leave: "redirect", or "slow path: …why…" */
	struct cpu_list cpus; /* over which its frames are spread */
	char cpus_why[400];   /* why not over all that were wanted; "" */
	char advice[1700];    /* what could be better, and what helps; "" */
	uint32_t mtu, n_queues;
	uint32_t mbps; /* 0: not known */
	bool half_duplex;
	struct port_counters counters;
	enum dp_hook hook;
	char hook_why[160]; /* why it is this one; "": it has no device */
};
int vswitch_port_status(const struct vswitch *vs, const char *name, struct port_status *ret);

void vswitch_counters(const struct vswitch *vs, struct switch_counters *ret);
/* What the flow cache did since the daemon started. */
const struct cache_totals *vswitch_cache_totals(const struct vswitch *vs);
void vswitch_lookups(const struct vswitch *vs, struct lookup_counters *ret);

/* Drops by port and reason; port id 0 is "no port". */
void vswitch_each_drop(
	const struct vswitch *vs, void (*each)(void *ctx, uint16_t port, enum sw_drop reason, uint64_t n), void *ctx);

int vswitch_fdb_add(struct vswitch *vs, const char *bridge, const char *port, uint16_t vid, const uint8_t mac[6],
	struct complaint *c);
/* Static or learned. -ENOENT: no such entry. */
int vswitch_fdb_remove(struct vswitch *vs, const char *bridge, uint16_t vid, const uint8_t mac[6], struct complaint *c);
/* vid -1, port NULL: any. */
int vswitch_fdb_flush(
	struct vswitch *vs, const char *bridge, const char *port, int vid, uint32_t *ret_n, struct complaint *c);

/* Brings the FDB's times of last use up to date. */
void vswitch_harvest(struct vswitch *vs);

void vswitch_each_flow(struct vswitch *vs, void (*each)(void *ctx, const struct cache_view *view), void *ctx);
void vswitch_cache_flush(struct vswitch *vs);
/* The action program of a flow in words. */
size_t vswitch_format_steps(const struct vswitch *vs, const struct cache_view *view, char *text, size_t size);

/*
 * What would happen to this frame (or, with frame NULL, to a frame of this key): the pipeline's reasoning to `sink`,
 * the answer in words, and, with a frame and a device, the verdict of the kernel's own program on it. Nothing is
 * learned or sent.
 */
struct trace_result {
	char answer[600]; /* the pipeline's, in words */
	char key[400];
	char fields[400];   /* of the key those that such a frame has */
	char megaflow[400]; /* the match it would be cached under */
	bool probed;
	struct dp_probe probe; /* when probed */
	char kernel[600];      /* its verdict in words, or why it was not asked */
	/* When probed: program and pipeline say the same, or, of a frame that is not cached (probe.cached), nothing was
	 * to be expected; see trace.h. */
	bool agree;
};
int vswitch_trace(struct vswitch *vs, const char *bridge, const struct sw_key *key, const void *frame, uint32_t size,
	const struct trace_sink *sink, struct trace_result *ret, struct complaint *c);

uint64_t vswitch_now_ns(const struct vswitch *vs);

/* Facts on the datapath: programs, maps, links, memory. */
void vswitch_describe(struct vswitch *vs, const struct facts *facts);

#endif
