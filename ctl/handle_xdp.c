/* SPDX-License-Identifier: BSD-2-Clause */
/* `show xdp`: the fast path as it is in the kernel. Each kind of thing is an array, or an object, of the reply. */
#include "ctl/daemon.h"
#include "ctl/json.h"
#include "ctl/reply.h"
#include "dataplane/cache.h"
#include "dataplane/counters.h"
#include "dataplane/facts.h"
#include "dataplane/vswitch.h"

struct listing {
	struct json_object *facts, *programs, *maps, *links, *memory;
};

static void add_text(void *ctx, const char *name, const char *value)
{
	const struct listing *listing = ctx;
	struct json_object *fact = json_append_object(listing->facts);

	json_add_text(fact, "name", name);
	json_add_text(fact, "value", value);
}

static void add_program(void *ctx, const struct fact_program *program)
{
	const struct listing *listing = ctx;
	struct json_object *entry = json_append_object(listing->programs);

	json_add_text(entry, "name", program->name);
	json_add_number(entry, "id", program->id);
	json_add_text(entry, "tag", program->tag);
	json_add_number(entry, "verified_instructions", program->verified);
	json_add_number(entry, "machine_bytes", program->machine_bytes);
	if (!program->runs)
		return;
	json_add_number(entry, "runs", program->runs);
	json_add_number(entry, "run_ns", program->run_ns);
}

static void add_map(void *ctx, const struct fact_map *map)
{
	const struct listing *listing = ctx;
	struct json_object *entry = json_append_object(listing->maps);

	json_add_text(entry, "name", map->name);
	json_add_number(entry, "id", map->id);
	json_add_number(entry, "entries", map->n_entries);
	json_add_number(entry, "bytes", map->bytes);
}

static void add_link(void *ctx, const struct fact_link *link)
{
	const struct listing *listing = ctx;
	struct json_object *entry = json_append_object(listing->links);

	json_add_text(entry, "device", link->device);
	json_add_number(entry, "ifindex", link->ifindex);
	json_add_number(entry, "id", link->id);
	json_add_number(entry, "program", link->program);
	json_add_text(entry, "mode", link->mode);
	json_add_number(entry, "queues", link->n_queues);
	json_add_number(entry, "sockets", link->sockets.n_bound);
	json_add_number(entry, "xsk_rx_dropped", link->sockets.rx_dropped);
	json_add_number(entry, "xsk_rx_ring_full", link->sockets.rx_ring_full);
	json_add_number(entry, "xsk_fill_ring_empty", link->sockets.fill_empty);
	json_add_number(entry, "xsk_tx_invalid", link->sockets.tx_invalid);
}

static void add_memory(void *ctx, const struct fact_memory *memory)
{
	const struct listing *listing = ctx;

	json_add_number(listing->memory, "maps", memory->maps);
	json_add_number(listing->memory, "frames", memory->frames);
	json_add_number(listing->memory, "tables", memory->tables);
	json_add_number(listing->memory, "total", memory->maps + memory->frames + memory->tables);
	if (memory->available == UINT64_MAX)
		return;
	json_add_number(listing->memory, "available_at_start", memory->available);
	json_add_text(listing->memory, "limited_by", memory->limited_by);
}

static void add_lookups(const struct daemon *d, struct json_object *ret)
{
	struct lookup_counters lookups;

	vswitch_lookups(d->vs, &lookups);
	json_add_number(ret, "frames", lookups.frames);
	json_add_number(ret, "home", lookups.home);
	json_add_number(ret, "exact_match", lookups.hints);
	json_add_number(ret, "megaflow", lookups.walks);
	json_add_number(ret, "miss", lookups.misses);
	json_add_number(ret, "searches", lookups.searches);
	json_add_number(ret, "probes", lookups.probes);
	json_add_number(ret, "looks", lookups.looks);
}

static void add_occupancy(const struct daemon *d, struct json_object *ret)
{
	struct switch_counters counters;

	vswitch_counters(d->vs, &counters);
	json_add_number(ret, "flows", counters.n_flows);
	json_add_number(ret, "flow_limit", counters.flow_limit);
	json_add_number(ret, "masks", counters.n_masks);
	json_add_number(ret, "mask_limit", SW_MAX_MASKS);
	json_add_number(ret, "addresses", counters.n_fdb);
	json_add_number(ret, "address_limit", SW_MAX_FDB);
}

static void add_cache(const struct daemon *d, struct json_object *ret)
{
	const struct cache_totals *totals = vswitch_cache_totals(d->vs);

	json_add_number(ret, "put", totals->put);
	json_add_number(ret, "refused", totals->refused);
	json_add_number(ret, "evicted", totals->evicted);
	json_add_number(ret, "expired", totals->expired);
	json_add_number(ret, "narrow", totals->narrow);
	json_add_number(ret, "lacking", totals->lacking);
}

void show_xdp_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	struct json_object *result = json_object_new_object();
	struct listing listing;
	const struct facts facts = {
		.ctx = &listing,
		.text = add_text,
		.program = add_program,
		.map = add_map,
		.link = add_link,
		.memory = add_memory,
	};

	json_add_text(result, "bpffs", d->paths.bpffs);
	listing.facts = json_add_array(result, "facts");
	listing.programs = json_add_array(result, "programs");
	listing.maps = json_add_array(result, "maps");
	listing.links = json_add_array(result, "links");
	listing.memory = json_add_object(result, "memory");
	vswitch_describe(d->vs, &facts);
	add_lookups(d, json_add_object(result, "lookups"));
	add_occupancy(d, json_add_object(result, "occupancy"));
	add_cache(d, json_add_object(result, "cache"));
	reply_result(reply, result);
}
