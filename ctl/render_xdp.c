/* SPDX-License-Identifier: BSD-2-Clause */
/* `show xdp` as text: a table for each kind of thing. */
#include "ctl/render_parts.h"

#include "ctl/render.h"
#include "ctl/table.h"

#include <stdio.h>

#define MEBI 1048576.0

static void facts(struct json_object *array, FILE *out)
{
	render_table(array, "FACT VALUE", "name value", NULL, out);
}

static void programs(struct json_object *array, FILE *out)
{
	struct table *table = table_create("PROGRAM >ID TAG >VERIFIED >BYTES >RUNS >NS/RUN");

	for (size_t i = 0; i < length(array); i++) {
		struct json_object *program = json_object_array_get_idx(array, i);
		unsigned long long runs = render_number(program, "runs");

		table_cell(table, "%s", render_text(program, "name"));
		table_cell(table, "%llu", render_number(program, "id"));
		table_cell(table, "%s", render_text(program, "tag"));
		table_cell(table, "%llu", render_number(program, "verified_instructions"));
		table_cell(table, "%llu", render_number(program, "machine_bytes"));
		if (runs)
			table_cell(table, "%llu", runs);
		else
			table_cell(table, "-");
		if (runs)
			table_cell(table, "%.1f", (double)render_number(program, "run_ns") / (double)runs);
		else
			table_cell(table, "-");
	}
	table_print(table, NULL, out);
}

static void maps(struct json_object *array, FILE *out)
{
	render_table(array, "MAP >ID >ENTRIES >BYTES", "name #id #entries #bytes", NULL, out);
}

static void links(struct json_object *array, FILE *out)
{
	render_table(array, "DEVICE >IFINDEX >LINK >PROGRAM MODE >QUEUES >SOCKETS >NO-ROOM >RING-FULL >FILL-EMPTY",
		"device #ifindex #id #program mode #queues #sockets #xsk_rx_dropped #xsk_rx_ring_full "
		"#xsk_fill_ring_empty",
		"No port has a program.", out);
}

static void stage(const char *name, unsigned long long n, unsigned long long of, FILE *out)
{
	fprintf(out, "%-13s%llu", name, n);
	if (of)
		fprintf(out, " (%.3f %%)", 100.0 * (double)n / (double)of);
	fprintf(out, "\n");
}

static void lookups(struct json_object *lookups, FILE *out)
{
	unsigned long long frames = render_number(lookups, "frames"), searches = render_number(lookups, "searches");

	stage("lookups", frames, 0, out);
	stage("home", render_number(lookups, "home"), frames, out);
	stage("exact match", render_number(lookups, "exact_match"), frames, out);
	stage("megaflow", render_number(lookups, "megaflow"), frames, out);
	stage("miss", render_number(lookups, "miss"), frames, out);
	fprintf(out, "%-13s%llu in %llu searches", "probes", render_number(lookups, "probes"), searches);
	if (searches)
		fprintf(out, ", %.2f each, %.2f of them with a look",
			(double)render_number(lookups, "probes") / (double)searches,
			(double)render_number(lookups, "looks") / (double)searches);
	fprintf(out, "\n");
}

static void occupancy(struct json_object *used, FILE *out)
{
	static const struct {
		const char *name, *used, *limit;
	} rows[] = {{"flows", "flows", "flow_limit"}, {"masks", "masks", "mask_limit"},
		{"addresses", "addresses", "address_limit"}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		fprintf(out, "%-13s%llu of %llu\n", rows[i].name, render_number(used, rows[i].used),
			render_number(used, rows[i].limit));
}

static void cache(struct json_object *did, FILE *out)
{
	fprintf(out,
		"%-13s%llu put, %llu refused, %llu evicted, %llu expired; %llu under others' masks, %llu lacking\n",
		"cache", render_number(did, "put"), render_number(did, "refused"), render_number(did, "evicted"),
		render_number(did, "expired"), render_number(did, "narrow"), render_number(did, "lacking"));
}

static void memory(struct json_object *memory, FILE *out)
{
	const char *limited_by = render_text(memory, "limited_by");
	unsigned long long total = render_number(memory, "total");

	fprintf(out, "%-13s%llu bytes (%.1f MiB): maps %llu, frames %llu, tables %llu\n", "memory", total,
		(double)total / MEBI, render_number(memory, "maps"), render_number(memory, "frames"),
		render_number(memory, "tables"));
	if (*limited_by)
		fprintf(out, "%-13s%llu bytes when the daemon started (%s)\n", "available",
			render_number(memory, "available_at_start"), limited_by);
}

void render_xdp(struct json_object *result, FILE *out)
{
	facts(member(result, "facts"), out);
	fprintf(out, "\n");
	programs(member(result, "programs"), out);
	fprintf(out, "\n");
	maps(member(result, "maps"), out);
	fprintf(out, "\n");
	links(member(result, "links"), out);
	fprintf(out, "\n");
	lookups(member(result, "lookups"), out);
	occupancy(member(result, "occupancy"), out);
	cache(member(result, "cache"), out);
	memory(member(result, "memory"), out);
}
