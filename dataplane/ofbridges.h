/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ofbridges.h - the OpenFlow faces of all bridges, from the switch's side: what stands between the tables, which
 * change, and the cache, which rests on them.
 *
 * What: hears of every rule and group that changes (pipeline_events), has the cached flows that rest on it asked again,
 * keeps a rule that was removed until the last flow that counted for it has been harvested, and then tells its
 * flow-removed (S1). Runs timeouts. Compares the ports with what was told last and tells port-status.
 *
 * After a restart: a bridge that a controller steered before keeps the cached flows of then, unasked, until its rules
 * are back: a barrier behind flow-mods says so, or a while after the first of them, or a longer one without any.
 *
 * Ownership: borrows everything. Rules that are dying are its own.
 */
#ifndef DATAPLANE_OFBRIDGES_H
#define DATAPLANE_OFBRIDGES_H

#include <stdint.h>

struct cache;
struct datapath;
struct executor;
struct fdb;
struct ofbridge;
struct ofbridges;
struct pipeline;

struct ofbridge_parts {
	struct datapath *dp;
	struct pipeline *pl;
	struct fdb *fdb;
	struct cache *cache;
	struct mirrors *mirrors; /* NULL: there are none */
	void *ctx;
	uint64_t (*now_ns)(void *ctx);
};

/* Becomes the pipeline's listener. NULL: out of memory. */
struct ofbridges *ofbridges_create(const struct ofbridge_parts *parts);
/* The pipeline goes afterwards, and hears no more. */
void ofbridges_destroy(struct ofbridges *all);

struct executor *ofbridges_executor(struct ofbridges *all);
/* There must be a bridge of this id. */
struct ofbridge *ofbridges_get(struct ofbridges *all, uint16_t bridge);

/* Before the maps are settled: takes out what has timed out, serves who waits for a meter's slot. Returns when that is
 * due next; 0: never. */
uint64_t ofbridges_expire(struct ofbridges *all);
/* After the maps were settled, and after each grace period: tells what is final by now. */
void ofbridges_settled(struct ofbridges *all);

#endif
