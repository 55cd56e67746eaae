/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache_lab.h - a switch's brain around the in-memory datapath: pipeline, FDB, sets and cache, and time by hand.
 *
 * Port N has id N and ifindex 100 + N (1100 + N after its device was changed).
 */
#ifndef TESTS_CACHE_LAB_H
#define TESTS_CACHE_LAB_H

#include "bpf/hash.h"
#include "dataplane/cache.h"
#include "dataplane/cache_masks.h"
#include "dataplane/dp_memory.h"
#include "dataplane/fdb.h"
#include "dataplane/pipeline.h"
#include "dataplane/program.h"
#include "dataplane/sets.h"

#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND      1000000000ULL
#define START       (1000 * SECOND)
#define FRAME_SIZE  100
#define IFINDEX_OF  100
#define N_LAB_PORTS 8

/* An assertion for where there are millions of them: Check's own writes a mark for each. */
#define must(condition)                                                                                                \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			ck_abort_msg("%s", #condition);                                                                \
	} while (0)

struct lab {
	struct datapath *dp;
	struct fdb *fdb;
	struct pipeline *pl;
	struct sets *sets;
	struct cache *cache;
	uint64_t now_ns;
	struct port_state states[SW_MAX_PORTS];
	uint32_t n_ports;
	uint32_t n_used;
	struct fdb_key last_used;
	struct xlate answer;
};

/* ---- events ---- */

static inline void lab_grace_ended(void *ctx)
{
	struct lab *lab = ctx;

	cache_grace_ended(lab->cache);
}

static inline void lab_fdb_changed(void *ctx, const struct fdb_key *key)
{
	struct lab *lab = ctx;

	if (lab->cache)
		cache_fdb_changed(lab->cache, fdb_dep(key));
}

static inline void lab_used(void *ctx, const struct fdb_key *source, uint16_t port, uint64_t now_ns)
{
	struct lab *lab = ctx;

	lab->n_used++;
	lab->last_used = *source;
	fdb_learn(lab->fdb, source, port, now_ns);
}

/* ---- life ---- */

static inline void lab_port_put(struct lab *lab, uint16_t id)
{
	const struct port *port = pipeline_port(lab->pl, id);
	struct dp_port put = {
		.id = id,
		.ifindex = lab->states[id].ifindex,
		.n_queues = 1,
		.csum = lab->states[id].csum,
		.max_frame = lab->states[id].max_frame,
		.untagged_vid = vlan_untagged(&port->vlan),
	};

	if (put.ifindex)
		must(lab->dp->ops->port_put(lab->dp, &put, NULL) == 0);
	else
		lab->dp->ops->port_remove(lab->dp, id);
	sets_port_changed(lab->sets, id);
}

/* Tells pipeline and datapath what the port's device is now. */
static inline void lab_port_is(struct lab *lab, uint16_t id, const struct port_state *state)
{
	lab->states[id] = *state;
	pipeline_port_set_state(lab->pl, id, state);
	lab_port_put(lab, id);
}

static inline void lab_add_port(struct lab *lab, uint16_t bridge, uint16_t id)
{
	struct port_state state = {.ifindex = IFINDEX_OF + id, .up = true, .fast = true, .sg = true, .max_frame = 1518};
	char name[SW_NAME_SIZE];
	uint16_t given;

	snprintf(name, sizeof(name), "p%u", id);
	ck_assert_int_eq(pipeline_port_add(lab->pl, bridge, name, id, &given, NULL), 0);
	ck_assert_uint_eq(given, id);
	lab_port_is(lab, id, &state);
}

/* The daemon's memory, over the datapath that is there. */
static inline void lab_think(struct lab *lab)
{
	struct fdb_events fdb_events = {.ctx = lab, .changed = lab_fdb_changed};

	lab->cache = NULL;
	lab->fdb = fdb_create(lab->dp->memory.fdb, SW_MAX_FDB, &fdb_events);
	ck_assert_ptr_nonnull(lab->fdb);
	lab->pl = pipeline_create(lab->fdb);
	ck_assert_ptr_nonnull(lab->pl);
	lab->sets = sets_create(lab->dp);
	ck_assert_ptr_nonnull(lab->sets);
}

static inline void lab_cache(struct lab *lab)
{
	struct cache_events events = {.ctx = lab, .used = lab_used};

	lab->cache = cache_create(lab->dp, lab->pl, lab->sets, &events);
	ck_assert_ptr_nonnull(lab->cache);
}

static inline void lab_bridge(struct lab *lab, const char *name, uint16_t id)
{
	uint16_t given;

	ck_assert_int_eq(pipeline_bridge_add(lab->pl, name, id, &given, NULL), 0);
	ck_assert_uint_eq(given, id);
	fdb_set_limit(lab->fdb, id, FDB_DEFAULT_LIMIT);
	fdb_set_ageing(lab->fdb, id, FDB_DEFAULT_AGEING_S);
}

static inline void lab_open(struct lab *lab, uint32_t n_flows, uint16_t n_ports)
{
	struct dp_events events = {.ctx = lab, .grace_ended = lab_grace_ended};

	memset(lab, 0, sizeof(*lab));
	lab->now_ns = START;
	lab->n_ports = n_ports;
	lab->dp = dp_memory_create(n_flows, &events);
	ck_assert_ptr_nonnull(lab->dp);
	lab_think(lab);
	lab_bridge(lab, "br0", 1);
	lab_cache(lab);
	for (uint16_t id = 1; id <= n_ports; id++)
		lab_add_port(lab, 1, id);
	cache_settle(lab->cache);
}

static inline void lab_forget(struct lab *lab)
{
	cache_destroy(lab->cache);
	sets_destroy(lab->sets);
	pipeline_destroy(lab->pl);
	fdb_destroy(lab->fdb);
}

static inline void lab_close(struct lab *lab)
{
	lab_forget(lab);
	lab->dp->ops->destroy(lab->dp, true);
}

/* The daemon died and its successor has adopted the maps; ports come back as they were, and nothing is asked yet. */
static inline void lab_restart(struct lab *lab)
{
	struct dp_events events = {.ctx = lab, .grace_ended = lab_grace_ended};

	lab_forget(lab);
	dp_memory_restart(lab->dp, &events);
	lab_think(lab);
	lab_bridge(lab, "br0", 1);
	lab_cache(lab);
	for (uint16_t id = 1; id <= lab->n_ports; id++) {
		struct port_state state = lab->states[id];

		lab_add_port(lab, 1, id);
		lab_port_is(lab, id, &state);
	}
}

/* ---- frames ---- */

static inline struct sw_key lab_key(uint16_t port, uint8_t src, uint8_t dst)
{
	struct sw_key key = {.f = {.in_ifindex = IFINDEX_OF + port, .eth_type_be = htons(0x0800)}};

	memcpy(key.f.eth_src, (uint8_t[6]){2, 0, 0, 0, 0, src}, 6);
	memcpy(key.f.eth_dst, (uint8_t[6]){2, 0, 0, 0, 0, dst}, 6);
	if (dst == 0xff)
		memset(key.f.eth_dst, 0xff, 6);
	return key;
}

/* What the slow path does with a frame that missed. */
static inline int lab_miss(struct lab *lab, const struct sw_key *key)
{
	translate(lab->pl, key, NULL, &lab->answer);
	if (lab->answer.learn.wanted)
		fdb_learn(lab->fdb, &lab->answer.learn.key, lab->answer.learn.port, lab->now_ns);
	cache_settle(lab->cache);
	translate(lab->pl, key, NULL, &lab->answer);
	return lab->answer.cacheable ? cache_put(lab->cache, key, &lab->answer, lab->now_ns) : 0;
}

static inline bool lab_lookup(struct lab *lab, const struct sw_key *key, struct dp_memory_hit *ret)
{
	return dp_memory_lookup(lab->dp, 0, key, FRAME_SIZE, ret);
}

/* Ends grace periods until none is wanted. */
static inline void lab_let_grace_pass(struct lab *lab)
{
	while (dp_memory_end_grace(lab->dp))
		;
}

/* ---- what must always be so ---- */

static inline uint64_t lab_hash(const struct lab *lab, const struct sw_flow *flow)
{
	const struct sw_config *config = lab->dp->memory.config;
	const struct sw_mask *mask = &config->masks[flow->mask];

	return sw_hash_masked(config->seed, &flow->key, &mask->bits, mask->n_words);
}

static inline void lab_check_cells(const struct lab *lab)
{
	const struct dp_memory *memory = &lab->dp->memory;
	uint32_t n_buckets = memory->config->n_buckets;
	uint8_t *n_cells = calloc(memory->config->n_flows, 1);
	uint32_t *n_overflow = calloc(n_buckets, sizeof(*n_overflow));

	for (uint32_t b = 0; b < n_buckets; b++) {
		for (int i = 0; i < SW_BUCKET_CELLS; i++) {
			uint32_t slot = (uint32_t)memory->buckets[b].cell[i] - 1, tag, primary;

			if (!memory->buckets[b].cell[i])
				continue;
			must(slot < memory->config->n_flows);
			tag = sw_hash_tag(lab_hash(lab, &memory->flows[slot]));
			primary = sw_hash_primary(lab_hash(lab, &memory->flows[slot]), n_buckets);
			must(memory->buckets[b].cell[i] >> 32 == tag);
			must(b == primary || b == sw_hash_alternate(primary, tag, n_buckets));
			n_overflow[primary] += b != primary;
			n_cells[slot]++;
		}
	}
	for (uint32_t b = 0; b < n_buckets; b++)
		must(memory->buckets[b].n_overflow == n_overflow[b]);
	for (uint32_t slot = 0; slot < memory->config->n_flows; slot++)
		must(n_cells[slot] == !(memory->flows[slot].gen & 1));
	free(n_cells);
	free(n_overflow);
}

static inline void lab_check_masks(const struct lab *lab)
{
	const struct sw_config *config = lab->dp->memory.config;
	uint32_t n_flows[SW_MAX_MASKS] = {0}, n_live = 0, n_masks = 0;
	uint64_t ordered = 0;

	for (uint32_t slot = 0; slot < config->n_flows; slot++) {
		const struct sw_flow *flow = &lab->dp->memory.flows[slot];

		if (flow->gen & 1)
			continue;
		n_flows[flow->mask]++;
		n_live++;
		must(config->masks[flow->mask].n_words <= config->depth);
	}
	must(n_live == cache_count(lab->cache));
	for (uint32_t i = 0; i < config->n_order; i++) {
		must(!(ordered >> config->order[i] & 1));
		ordered |= 1ULL << config->order[i];
	}
	for (uint32_t id = 0; id < SW_MAX_MASKS; id++) {
		must(config->masks[id].n_flows == n_flows[id]);
		must((ordered >> id & 1) == (n_flows[id] > 0));
		n_masks += n_flows[id] > 0;
		if (n_flows[id])
			must(config->masks[id].n_words == mask_n_words(&config->masks[id].bits));
	}
	must(n_masks == cache_mask_count(lab->cache));
}

static inline void lab_check_flow(const struct lab *lab, const struct sw_flow *flow)
{
	struct sw_key masked;
	uint8_t last;

	must(flow->mask < SW_MAX_MASKS && flow->in_port && flow->in_port < SW_MAX_PORTS);
	masked = flow_masked(&flow->key, &lab->dp->memory.config->masks[flow->mask].bits);
	must(flow_equal(&masked, &flow->key));
	must(flow->n_steps && flow->n_steps <= SW_MAX_STEPS);
	last = flow->steps[flow->n_steps - 1].op;
	must(last == SW_OP_OUTPUT || last == SW_OP_BROADCAST || last == SW_OP_UPCALL || last == SW_OP_DROP);
	if (last == SW_OP_BROADCAST)
		must(sets_users(lab->sets, flow->steps[flow->n_steps - 1].arg));
}

/* A1 to A4 of bpf/abi.h, as far as one look can tell. */
static inline void lab_check_maps(const struct lab *lab)
{
	for (uint32_t slot = 0; slot < lab->dp->memory.config->n_flows; slot++) {
		if (!(lab->dp->memory.flows[slot].gen & 1))
			lab_check_flow(lab, &lab->dp->memory.flows[slot]);
	}
	lab_check_cells(lab);
	lab_check_masks(lab);
}

#endif
