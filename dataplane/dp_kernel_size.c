/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the switch takes of the host's memory: reckoned before the maps are made, and refused where it is too much.
 *
 * Only what the limits fix is counted. Rules, groups, and what a thousand ports' floods need beyond the sets in stock
 * come on top as they are made.
 */
#include "dataplane/dp_kernel.h"

#include "dataplane/complaint.h"
#include "dataplane/log.h"
#include "dataplane/xsk.h"
#include "switch.skel.h"

#include <bpf/libbpf.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define HASH_OVERHEAD  64 /* bytes of an element of a hash map beside key and value */
#define POINTER        8
#define PER_CPU_OFFSET 8
#define LEAST_FLOWS    1024

static uint64_t rounded(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

/* Bytes that the kernel takes for a map of this shape. */
static uint64_t map_cost(const struct bpf_map *map)
{
	uint64_t n = bpf_map__max_entries(map), value = rounded(bpf_map__value_size(map), 8);

	switch (bpf_map__type(map)) {
	case BPF_MAP_TYPE_ARRAY:
		return rounded(n * value, sysconf(_SC_PAGESIZE));
	case BPF_MAP_TYPE_RINGBUF:
		return n;
	case BPF_MAP_TYPE_PERCPU_ARRAY:
		return n * (value * libbpf_num_possible_cpus() + PER_CPU_OFFSET);
	case BPF_MAP_TYPE_HASH:
		return n * (HASH_OVERHEAD + rounded(bpf_map__key_size(map), 8) + value);
	default:
		return n * POINTER;
	}
}

static uint64_t maps_cost(const struct dpk *k)
{
	const struct bpf_map *map;
	uint64_t sum = 0;

	bpf_object__for_each_map(map, k->skel->obj) sum += map_cost(map);
	return sum;
}

/* What must still be allocated: maps that were taken over are there. */
static uint64_t needed(const struct dpk *k)
{
	return k->size.maps * !k->dp.adopted + k->size.frames + k->size.tables;
}

static void reckon(struct dpk *k, const struct dp_kernel_options *options, uint32_t n_flows)
{
	k->size.maps = maps_cost(k);
	k->size.frames = xsks_bytes(options->n_frames);
	k->size.tables = options->table_bytes + options->flow_bytes * n_flows;
}

/* The largest flow cache that fits, below n_flows; 0: none does. */
static uint32_t largest_that_fits(struct dpk *k, const struct dp_kernel_options *options, uint32_t n_flows)
{
	while ((n_flows /= 2) >= LEAST_FLOWS) {
		dpk_pins_size(k, n_flows);
		reckon(k, options, n_flows);
		if (needed(k) <= k->budget.available)
			return n_flows;
	}
	return 0;
}

static void ask_budget(struct dpk *k, const struct dp_kernel_options *options)
{
	if (!options->memory_limit) {
		budget_read("", &k->budget);
		return;
	}
	k->budget.available = options->memory_limit;
	snprintf(k->budget.limited_by, sizeof(k->budget.limited_by), "--memory");
}

static int refuse(struct dpk *k, const struct dp_kernel_options *options, uint32_t n_flows, struct complaint *c)
{
	uint64_t wanted = needed(k);
	uint32_t fits = k->dp.adopted ? 0 : largest_that_fits(k, options, n_flows);

	if (fits)
		return complain(c, -ENOMEM,
			"a cache of %u flows and what goes with it take %" PRIu64 " bytes of memory, and %" PRIu64
			" are left (%s): start with --flows %u, which takes %" PRIu64,
			n_flows, wanted, k->budget.available, k->budget.limited_by, fits, needed(k));
	return complain(c, -ENOMEM,
		"a cache of %u flows and what goes with it take %" PRIu64 " bytes of memory, and %" PRIu64
		" are left (%s): %s",
		n_flows, wanted, k->budget.available, k->budget.limited_by,
		k->dp.adopted ? "free some, or raise the limit: its maps are there already"
			      : "that is not enough for the smallest switch");
}

int dpk_afford(struct dpk *k, const struct dp_kernel_options *options, struct complaint *c)
{
	uint32_t n_flows = bpf_map__max_entries(k->skel->maps.flows);

	ask_budget(k, options);
	reckon(k, options, n_flows);
	if (needed(k) > k->budget.available)
		return refuse(k, options, n_flows, c);
	log_info("memory: %" PRIu64 " bytes for %u flows, %u ports and %u addresses: maps %" PRIu64
		 "%s, frames %" PRIu64 ", the daemon's tables %" PRIu64,
		k->size.maps + k->size.frames + k->size.tables, n_flows, SW_MAX_PORTS - 1, SW_MAX_FDB, k->size.maps,
		k->dp.adopted ? " (there already)" : "", k->size.frames, k->size.tables);
	if (k->budget.available != UINT64_MAX)
		log_info("memory: %" PRIu64 " bytes were left (%s)", k->budget.available, k->budget.limited_by);
	return 0;
}
