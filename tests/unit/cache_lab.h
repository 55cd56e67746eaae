/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache_lab.h - a switch's brain around the in-memory datapath: pipeline, FDB, sets and cache, and time by hand.
 *
 * Port N has id N and ifindex 100 + N (1100 + N after its device was changed). Bridge N has id N and name "brN".
 *
 * A flow is one for each port and VLAN, unless lab_look_at_addresses() makes one of each pair of addresses.
 */
#ifndef TESTS_CACHE_LAB_H
#define TESTS_CACHE_LAB_H

#include "bpf/hash.h"
#include "bpf/sieve.h"
#include "dataplane/action.h"
#include "dataplane/cache.h"
#include "dataplane/cache_masks.h"
#include "dataplane/dp_memory.h"
#include "dataplane/fdb.h"
#include "dataplane/forks.h"
#include "dataplane/meter_slots.h"
#include "dataplane/mirrors.h"
#include "dataplane/normal.h"
#include "dataplane/ofbridges.h"
#include "dataplane/pipeline.h"
#include "dataplane/program.h"
#include "dataplane/copies.h"
#include "dataplane/rewrites.h"
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
	struct mirrors *mirrors;
	struct cache *cache;
	struct ofbridges *bridges;
	uint64_t now_ns;
	/* What a restart brings back. */
	struct port_state states[SW_MAX_PORTS];
	struct vlan_config vlans[SW_MAX_PORTS];
	uint16_t bridge_of[SW_MAX_PORTS];
	uint16_t n_ports, n_bridges;
	bool looks_at_addresses;

	uint32_t n_fdb_changes;
	uint32_t n_reclaims; /* slices in which what the last grace period freed was reclaimed */
	struct xlate answer;
};

/* ---- events ---- */

static inline void lab_grace_ended(void *ctx)
{
	struct lab *lab = ctx;

	lab->n_reclaims = 1;
	for (bool done = cache_grace_ended(lab->cache, lab->now_ns); !done; lab->n_reclaims++)
		done = cache_reclaim(lab->cache, lab->now_ns);
	ofbridges_settled(lab->bridges);
}

static inline void lab_fdb_changed(void *ctx, const struct fdb_key *key)
{
	struct lab *lab = ctx;

	lab->n_fdb_changes++;
}

/* ---- rules ---- */

static inline void lab_put_address_rule(struct lab *lab, uint16_t bridge, bool put)
{
	const struct actions drop = {.n = 0};
	struct flow_match match = {.key = {.x.f = {.eth_src = {2, 9, 9, 9, 9, 9}, .eth_dst = {2, 9, 9, 9, 9, 8}}}};

	flow_look(&match.mask, FIELD_ETH_SRC);
	flow_look(&match.mask, FIELD_ETH_DST);
	if (put)
		must(pipeline_rule_put(lab->pl, bridge, &match, UINT16_MAX, &drop, NULL) == 0);
	else
		must(pipeline_rule_remove(lab->pl, bridge, &match, UINT16_MAX, NULL) == 0);
}

/* A rule in front of all others, which no frame ever matches: to know that takes a look at both its addresses. */
static inline void lab_look_at_addresses(struct lab *lab, bool look)
{
	for (uint16_t id = 1; id <= lab->n_bridges; id++) {
		if (look != lab->looks_at_addresses)
			lab_put_address_rule(lab, id, look);
	}
	lab->looks_at_addresses = look;
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
	lab->bridge_of[id] = bridge;
	lab_port_is(lab, id, &state);
}

static inline void lab_port_vlan(struct lab *lab, uint16_t id, const struct vlan_config *vlan)
{
	lab->vlans[id] = *vlan;
	pipeline_port_set_vlan(lab->pl, id, vlan);
	lab_port_put(lab, id);
}

/* Adds the port with the device and the VLANs that it had. */
static inline void lab_restore_port(struct lab *lab, uint16_t bridge, uint16_t id)
{
	struct port_state state = lab->states[id];
	struct vlan_config vlan = lab->vlans[id];

	lab_add_port(lab, bridge, id);
	lab_port_is(lab, id, &state);
	lab_port_vlan(lab, id, &vlan);
}

static inline void lab_move_port(struct lab *lab, uint16_t id, uint16_t bridge)
{
	pipeline_port_remove(lab->pl, id);
	lab_restore_port(lab, bridge, id);
}

static inline void lab_bridge(struct lab *lab, uint16_t id)
{
	char name[SW_NAME_SIZE];
	uint16_t given;

	snprintf(name, sizeof(name), "br%u", id);
	ck_assert_int_eq(pipeline_bridge_add(lab->pl, name, id, &given, NULL), 0);
	ck_assert_uint_eq(given, id);
	fdb_set_limit(lab->fdb, id, FDB_DEFAULT_LIMIT);
	fdb_set_ageing(lab->fdb, id, FDB_DEFAULT_AGEING_S);
	if (lab->looks_at_addresses)
		lab_put_address_rule(lab, id, true);
}

static inline void lab_add_bridge(struct lab *lab)
{
	lab_bridge(lab, ++lab->n_bridges);
}

/* The daemon's memory, over the datapath that is there; no ports and no cache yet. */
static inline void lab_think(struct lab *lab)
{
	const struct fdb_events events = {.ctx = lab, .changed = lab_fdb_changed};
	const struct dp_memory *memory = &lab->dp->memory;
	const struct fdb_storage storage = {
		memory->fdb, memory->fdb_times, memory->config->seed, &memory->config->epoch};

	lab->cache = NULL;
	lab->fdb = fdb_create(&storage, SW_MAX_FDB, &events);
	ck_assert_ptr_nonnull(lab->fdb);
	lab->pl = pipeline_create(lab->fdb);
	ck_assert_ptr_nonnull(lab->pl);
	lab->sets = sets_create(lab->dp);
	ck_assert_ptr_nonnull(lab->sets);
	pipeline_set_meter_slots(lab->pl, sets_meter_slots(lab->sets));
	lab->mirrors = mirrors_create(lab->dp, lab->pl, lab->sets);
	ck_assert_ptr_nonnull(lab->mirrors);
	for (uint16_t id = 1; id <= lab->n_bridges; id++)
		lab_bridge(lab, id);
}

static inline uint64_t lab_now(void *ctx)
{
	const struct lab *lab = ctx;

	return lab->now_ns;
}

/* With what tells it of changes of the rules. */
static inline void lab_cache(struct lab *lab)
{
	struct ofbridge_parts parts = {.dp = lab->dp, .pl = lab->pl, .fdb = lab->fdb, .ctx = lab, .now_ns = lab_now};

	lab->cache = cache_create(lab->dp, lab->pl, lab->sets);
	ck_assert_ptr_nonnull(lab->cache);
	parts.cache = lab->cache;
	parts.mirrors = lab->mirrors;
	lab->bridges = ofbridges_create(&parts);
	ck_assert_ptr_nonnull(lab->bridges);
}

static inline void lab_open(struct lab *lab, uint32_t n_flows, uint16_t n_ports)
{
	struct dp_events events = {.ctx = lab, .grace_ended = lab_grace_ended};

	memset(lab, 0, sizeof(*lab));
	lab->now_ns = START;
	lab->n_ports = n_ports;
	lab->n_bridges = 1;
	lab->dp = dp_memory_create(n_flows, &events);
	ck_assert_ptr_nonnull(lab->dp);
	lab_think(lab);
	lab_cache(lab);
	for (uint16_t id = 1; id <= n_ports; id++)
		lab_add_port(lab, 1, id);
	cache_settle(lab->cache, lab->now_ns);
}

static inline void lab_forget(struct lab *lab)
{
	ofbridges_destroy(lab->bridges);
	cache_destroy(lab->cache);
	mirrors_destroy(lab->mirrors);
	sets_destroy(lab->sets);
	pipeline_destroy(lab->pl);
	fdb_destroy(lab->fdb);
}

static inline void lab_close(struct lab *lab)
{
	lab_forget(lab);
	lab->dp->ops->destroy(lab->dp, true);
}

/* The daemon died, and its successor finds the maps; it has no ports and no cache yet. */
static inline void lab_die(struct lab *lab)
{
	struct dp_events events = {.ctx = lab, .grace_ended = lab_grace_ended};

	lab_forget(lab);
	dp_memory_restart(lab->dp, &events);
	lab_think(lab);
}

static inline void lab_restore_ports(struct lab *lab)
{
	for (uint16_t id = 1; id <= lab->n_ports; id++)
		lab_restore_port(lab, lab->bridge_of[id], id);
}

/* The daemon died and its successor has adopted the maps; nothing is asked yet. */
static inline void lab_restart(struct lab *lab)
{
	lab_die(lab);
	lab_cache(lab);
	lab_restore_ports(lab);
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

/* As the switch does it, but that nobody looks addresses up here whom a grace period would have to wait for. */
static inline void lab_settle(struct lab *lab)
{
	fdb_settle(lab->fdb);
	if (fdb_wants_grace(lab->fdb)) {
		fdb_grace_began(lab->fdb);
		fdb_grace_ended(lab->fdb);
	}
	ofbridges_expire(lab->bridges);
	cache_settle(lab->cache, lab->now_ns);
	ofbridges_settled(lab->bridges);
}

/* What the slow path does with a frame that missed. */
static inline int lab_miss(struct lab *lab, const struct sw_key *key)
{
	translate(lab->pl, key, NULL, &lab->answer);
	normal_carry_out(lab->pl, key, NULL, &lab->answer);
	if (lab->answer.learn.port)
		fdb_learn(lab->fdb, &lab->answer.learn.key, lab->answer.learn.port, lab->now_ns);
	lab_settle(lab);
	translate(lab->pl, key, NULL, &lab->answer);
	return lab->answer.cacheable ? cache_put(lab->cache, key, &lab->answer, lab->now_ns) : 0;
}

static inline bool lab_lookup(struct lab *lab, const struct sw_key *key, struct dp_memory_hit *ret)
{
	return dp_memory_lookup(lab->dp, 0, key, FRAME_SIZE, ret);
}

static inline struct dp_memory_hit lab_hit(struct lab *lab, const struct sw_key *key)
{
	struct dp_memory_hit hit;

	ck_assert(lab_lookup(lab, key, &hit));
	return hit;
}

/* ---- numbered flows, under an answer that no pipeline gave: from port 1 to an address, which port 2 is said to have
 */

static const struct sw_key lab_l2_mask = {.f = {.eth_dst = {255, 255, 255, 255, 255, 255}}};

/* For what the pipeline does not do (yet). */
static inline struct xlate *lab_answer(uint16_t in_port, const struct sw_key *mask, uint16_t out_port)
{
	static struct xlate answer;

	answer = (struct xlate){.mask = *mask, .bridge = 1, .in_port = in_port, .cacheable = true};
	answer.mask.f.in_ifindex = UINT32_MAX;
	answer.outputs[0].port = out_port;
	answer.n_outputs = 1;
	return &answer;
}

static inline struct sw_key lab_numbered_key(uint32_t n)
{
	struct sw_key key = lab_key(1, 0, 0);

	memcpy(key.f.eth_dst + 2, &n, sizeof(n));
	return key;
}

static inline int lab_put_numbered(struct lab *lab, uint32_t n)
{
	struct sw_key key = lab_numbered_key(n);

	return cache_put(lab->cache, &key, lab_answer(1, &lab_l2_mask, 2), lab->now_ns);
}

/* The same flow, coming in by another port of the same bridge. */
static inline int lab_put_of(struct lab *lab, uint16_t in_port, uint32_t n)
{
	struct sw_key key = lab_numbered_key(n);

	key.f.in_ifindex = lab_key(in_port, 0, 0).f.in_ifindex;
	return cache_put(lab->cache, &key, lab_answer(in_port, &lab_l2_mask, 2), lab->now_ns);
}

static inline bool lab_hit_numbered(struct lab *lab, uint32_t n)
{
	struct sw_key key = lab_numbered_key(n);
	struct dp_memory_hit hit;

	return lab_lookup(lab, &key, &hit);
}

/* ---- grace periods ---- */

/* Ends grace periods until none is wanted. */
static inline void lab_let_grace_pass(struct lab *lab)
{
	while (dp_memory_end_grace(lab->dp))
		;
}

/* ---- what must always be so ---- */

static inline uint64_t lab_hash(const struct lab *lab, const struct sw_flow *flow)
{
	return sw_hash_masked(lab->dp->memory.config, &flow->key, flow->mask);
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

/* A flow of port 1 under a mask of its own for each n, with a key that has its bits set. */
static inline int lab_put_under_mask(struct lab *lab, uint32_t n)
{
	struct sw_key mask = {.f = {.eth_dst = {255}}}, key = lab_key(1, 0, 0);

	mask.f.eth_src[n % 48 / 8] = 1 << n % 8;
	mask.f.eth_type_be = n / 48;
	memset(key.f.eth_src, 255, 6);
	key.f.eth_type_be = UINT16_MAX;
	return cache_put(lab->cache, &key, lab_answer(1, &mask, 2), lab->now_ns);
}

static inline bool lab_sieve_lets_through(const struct lab *lab, uint16_t mask, const struct sw_key *key)
{
	const struct dp_memory *memory = &lab->dp->memory;
	const struct sw_config *config = memory->config;
	const struct sw_folded folded = sw_fold(key);
	uint64_t sum = sw_sum(config, &folded, &config->folded[mask], config->words, 1) + sw_sum_device(config, key);
	uint64_t place = sum >> sw_sieve_shift(config->sieve);

	return memory->sieves[(config->sieve & 1) * (sw_sieve_bytes(config->n_flows) / 8) + place / 64] >> place % 64 &
	       1;
}

/* V1 */
static inline void lab_check_sieve(const struct lab *lab)
{
	const struct dp_memory *memory = &lab->dp->memory;

	for (uint32_t slot = 0; slot < memory->config->n_flows; slot++) {
		const struct sw_flow *flow = &memory->flows[slot];

		must(flow->gen & 1 || lab_sieve_lets_through(lab, flow->mask, &flow->key));
	}
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
	lab_check_sieve(lab);
}

static inline void lab_check_steps(const struct lab *lab, const struct sw_flow *flow)
{
	const struct sw_step *last = &flow->steps[flow->n_steps - 1];
	uint8_t first = program_first(flow->steps);

	must(flow->n_steps > first && flow->n_steps <= SW_MAX_STEPS);
	if (flow->steps[0].op == SW_OP_METER)
		must(meter_slots_exist(sets_meter_slots(lab->sets), flow->steps[0].arg));
	if (flow->steps[first].op == SW_OP_REWRITE)
		must(flow->n_steps == first + 2 && rewrites_users(sets_rewrites(lab->sets), flow->steps[first].arg));
	for (uint8_t i = first + (flow->steps[first].op == SW_OP_REWRITE); i < flow->n_steps - 1; i++) {
		uint8_t op = flow->steps[i].op;

		must((op == SW_OP_NORMAL && i == first) || op == SW_OP_VLAN_PUSH || op == SW_OP_VLAN_POP ||
			op == SW_OP_VLAN_SET);
	}
	must(last->op == SW_OP_OUTPUT || last->op == SW_OP_BROADCAST || last->op == SW_OP_UPCALL ||
		last->op == SW_OP_DROP || (last->op == SW_OP_FORK && flow->n_steps == 1) ||
		(last->op == SW_OP_COPIES && flow->n_steps == first + 1));
	if (last->op == SW_OP_FORK)
		must(forks_users(sets_forks(lab->sets), last->arg));
	if (last->op == SW_OP_COPIES)
		must(copies_users(sets_copies(lab->sets), last->arg));
	if (last->op == SW_OP_BROADCAST)
		must(sets_users(lab->sets, last->arg));
}

static inline void lab_check_flow(const struct lab *lab, const struct sw_flow *flow)
{
	struct sw_key masked;

	must(flow->mask < SW_MAX_MASKS && flow->in_port && flow->in_port < SW_MAX_PORTS);
	must(flow->bridge && flow->bridge < SW_MAX_BRIDGES);
	masked = key_masked(&flow->key, &lab->dp->memory.config->masks[flow->mask].bits);
	must(key_equal(&masked, &flow->key));
	lab_check_steps(lab, flow);
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

/* No flow holds anything any more, and no grace period is under way: what was held was given back, and once. */
static inline void lab_check_given_back(const struct lab *lab)
{
	for (uint32_t id = 0; id < SW_MAX_SETS; id++)
		must(!sets_users(lab->sets, id));
	for (uint32_t id = 0; id < SW_MAX_REWRITES; id++)
		must(!rewrites_users(sets_rewrites(lab->sets), id));
	for (uint32_t id = 0; id < SW_MAX_COPIES; id++)
		must(!copies_users(sets_copies(lab->sets), id));
	for (uint32_t id = 0; id < SW_MAX_FORKS; id++)
		must(!forks_exist(sets_forks(lab->sets), id));
}

/* "2 3": the ports that got something since the last call, in order. */
static inline const char *lab_sent(const struct lab *lab)
{
	static char text[4096];
	size_t n = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < dp_memory_n_sent(lab->dp); i++)
		n += (size_t)sprintf(text + n, "%s%u", i ? " " : "", dp_memory_sent(lab->dp, i).port);
	dp_memory_forget_sent(lab->dp);
	return text;
}

#endif
