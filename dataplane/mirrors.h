/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mirrors.h - mirrors: what comes in by some ports, or in some VLANs, leaves by another one too, as it came; and what
 * leaves by some ports, as it leaves.
 *
 * What: keeps map `mirrors`, tells the pipeline which port is mirrored to where, and sends the copies that are the
 * daemon's to send: of frames that came up, and those that the program hands over because the kernel could not make
 * them (bpf/tell.h). Of the latter it learns which ports frames leave by, and makes a set of that port and the
 * mirror's, so that the kernel makes the next ones.
 *
 * A mirror's port takes part in nothing else: what comes in by it is dropped, and nothing but copies leaves by it. So
 * no copy is mistaken for a frame, and none comes back.
 *
 * Invariants
 * I1 A set that a mirror names is held. It is given up after a grace period that began when it was named no more (B1 of
 *    sets.h).
 * I2 What comes in by a port in a VLAN is mirrored by one mirror at most that names the port, and what leaves by it
 * too; a port is never mirrored to itself, and a mirror's port is none that is mirrored. I3 A mirror has one copy of a
 * frame at most: where that comes in by a port that the mirror listens to, as it came. Safe error: a copy too few,
 * counted. Unsafe error: a frame too few.
 *
 * Ownership: borrows all that it is given. No allocation after mirrors_create(). One thread.
 */
#ifndef DATAPLANE_MIRRORS_H
#define DATAPLANE_MIRRORS_H

#include "bpf/abi.h"
#include "dataplane/vlan_set.h"

#include <stdbool.h>
#include <stdint.h>

struct complaint;
struct datapath;
struct mirrors;
struct pipeline;
struct sets;

#define MIRROR_MAX_PORTS  32 /* in a list of one mirror */
#define MIRROR_MAX_SAMPLE 1000000

struct mirror_ports {
	uint32_t n;
	char name[MIRROR_MAX_PORTS][SW_NAME_SIZE];
};

/*
 * What comes in by `from`, and what leaves by `out_of`; of those VLANs alone, if there are any. Without a port in
 * either: what comes in by any of the bridge.
 */
struct mirror_config {
	char bridge[SW_NAME_SIZE], name[SW_NAME_SIZE];
	struct mirror_ports from, out_of;
	struct vlan_set vlans; /* in which a frame is when it comes in; empty: all, and those in none */
	char to[SW_NAME_SIZE];
	uint32_t sample; /* of so many frames one is copied, at random; 1: each */
};

struct mirror_counters {
	uint64_t copies; /* sent, or asked of the kernel */
	uint64_t over_limit, ring_full;
};

/* NULL: out of memory. What an earlier daemon had goes on until mirrors_restored(). */
struct mirrors *mirrors_create(struct datapath *dp, struct pipeline *pl, struct sets *sets);
void mirrors_destroy(struct mirrors *mirrors);
/* All that are wanted have been added again: the others go. */
void mirrors_restored(struct mirrors *mirrors);

/* -EEXIST, -ENOENT, -EINVAL, -EBUSY, -ENOSPC with a complaint; then nothing has changed. */
int mirrors_add(struct mirrors *mirrors, const struct mirror_config *config, struct complaint *c);
int mirrors_remove(struct mirrors *mirrors, const char *bridge, const char *name, struct complaint *c);
/* Whether `wanted` can be beside `has`, which is another. -EEXIST, -EBUSY with a complaint that names both. */
int mirrors_clash(const struct mirror_config *has, const struct mirror_config *wanted, struct complaint *c);
/* Of a port that the bridge does not have; `on`: the bridge that has it, NULL: none has. -ENOENT. */
int mirrors_lack_port(const char *bridge, const char *port, const char *on, struct complaint *c);
/* Whether the mirror names the port as one to listen to. */
bool mirror_names(const struct mirror_config *config, const char *port);
void mirrors_remove_bridge(struct mirrors *mirrors, const char *bridge);
/* A mirror that names the port, in its sources or as its own; NULL: none. */
const struct mirror_config *mirrors_of_port(const struct mirrors *mirrors, const char *port);
/* The next with an id above `id`, for walking from 0; NULL at the end. */
const struct mirror_config *mirrors_next(const struct mirrors *mirrors, uint16_t id, uint16_t *ret_id);
struct mirror_counters mirrors_counters(const struct mirrors *mirrors, uint16_t id);

/* The daemon has a frame, as that mirror is to have it: it is sent, or it is not the one in `sample`. */
void mirrors_send(struct mirrors *mirrors, uint16_t id, const void *data, uint32_t size);
/* A copy that the program has handed over; out_port as in struct sw_told. */
void mirrors_send_copy(struct mirrors *mirrors, uint16_t id, uint16_t out_port, const void *data, uint32_t size);

/* The pipeline has changed: a port may have gone, or take no redirected frames any more. */
void mirrors_check(struct mirrors *mirrors);
/* Whether it waits for a grace period that nobody has begun; one began, and all that began have ended. */
bool mirrors_want_grace(const struct mirrors *mirrors);
void mirrors_grace_began(struct mirrors *mirrors);
void mirrors_grace_ended(struct mirrors *mirrors);

#endif
