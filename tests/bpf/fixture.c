/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "bpf/fdb.h"
#include "bpf/hash.h"
#include "bpf/sieve.h"

static void *map_memory(const struct bpf_map *map)
{
	size_t size = (size_t)((bpf_map__value_size(map) + 7) & ~7U) * bpf_map__max_entries(map);
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	return p == MAP_FAILED ? NULL : p;
}

static void unmap_memory(const struct bpf_map *map, void *p)
{
	if (p)
		munmap(p, (size_t)((bpf_map__value_size(map) + 7) & ~7U) * bpf_map__max_entries(map));
}

static void set_sizes(struct fixture *f)
{
	uint32_t n_cpus = libbpf_num_possible_cpus();

	f->n_rows = n_cpus + 1;
	bpf_map__set_max_entries(f->skel->maps.flows, f->n_flows);
	bpf_map__set_max_entries(f->skel->maps.buckets, f->n_buckets);
	bpf_map__set_value_size(f->skel->maps.sieves, sw_sieve_bytes(f->n_flows));
	f->skel->rodata->sieve_mask = sw_sieve_bytes(f->n_flows) - 8;
	bpf_map__set_max_entries(f->skel->maps.stopped, f->n_flows);
	bpf_map__set_max_entries(f->skel->maps.band_stats, f->n_rows * SW_MAX_METERS * SW_METER_BANDS);
	bpf_map__set_max_entries(f->skel->maps.rows, f->n_rows);
	f->row_size = sizeof(struct sw_row) + f->n_flows * sizeof(struct sw_flow_stats);
	bpf_map__set_value_size(f->skel->maps.rows, f->row_size);
	f->skel->rodata->flow_stats_mask = (f->n_flows - 1) * sizeof(struct sw_flow_stats);
	bpf_map__set_max_entries(f->skel->maps.emc, n_cpus * SW_EMC_SIZE);
	bpf_map__set_max_entries(f->skel->maps.fork_stats, f->n_rows * SW_MAX_FORKS * SW_MAX_BRANCHES);
	bpf_map__set_max_entries(f->skel->maps.drops, f->n_rows * SW_MAX_PORTS * SW_DROP_SLOTS);
	bpf_map__set_max_entries(f->skel->maps.lookup_stats, f->n_rows);
	bpf_map__set_max_entries(f->skel->maps.tell_stats, f->n_rows * SW_MAX_PORTS);
	bpf_map__set_max_entries(f->skel->maps.mirror_stats, f->n_rows * SW_MAX_MIRRORS);
}

int fixture_open(struct fixture *f, uint32_t n_flows, uint32_t n_buckets)
{
	int err;

	memset(f, 0, sizeof(*f));
	f->n_flows = n_flows;
	f->n_buckets = n_buckets;
	f->skel = switch_bpf__open();
	if (!f->skel)
		return -errno;
	set_sizes(f);
	err = switch_bpf__load(f->skel);
	if (err) {
		fixture_close(f);
		return err;
	}
	f->config = &f->skel->bss->core.config;
	f->flows = map_memory(f->skel->maps.flows);
	f->buckets = map_memory(f->skel->maps.buckets);
	f->sieves = map_memory(f->skel->maps.sieves);
	f->rows = map_memory(f->skel->maps.rows);
	f->miss_buckets = map_memory(f->skel->maps.miss_buckets);
	f->set_info = map_memory(f->skel->maps.set_info);
	f->drops = map_memory(f->skel->maps.drops);
	f->emc = map_memory(f->skel->maps.emc);
	f->fdb = f->skel->bss->core.fdb;
	f->rewrites = map_memory(f->skel->maps.rewrites);
	f->meters = map_memory(f->skel->maps.meters);
	f->band_stats = map_memory(f->skel->maps.band_stats);
	f->stopped = map_memory(f->skel->maps.stopped);
	f->forks = map_memory(f->skel->maps.forks);
	f->fork_slots = map_memory(f->skel->maps.fork_slots);
	f->fork_stats = map_memory(f->skel->maps.fork_stats);
	f->copies = map_memory(f->skel->maps.copies);
	f->tell_stats = map_memory(f->skel->maps.tell_stats);
	f->mirrors = map_memory(f->skel->maps.mirrors);
	f->mirror_stats = map_memory(f->skel->maps.mirror_stats);
	if (!f->flows || !f->buckets || !f->sieves || !f->rows || !f->miss_buckets || !f->set_info || !f->drops ||
		!f->emc || !f->rewrites || !f->meters || !f->band_stats || !f->stopped || !f->forks || !f->fork_slots ||
		!f->fork_stats || !f->copies || !f->tell_stats || !f->mirrors || !f->mirror_stats) {
		fixture_close(f);
		return -ENOMEM;
	}
	fixture_reset(f);
	return 0;
}

void fixture_close(struct fixture *f)
{
	if (!f->skel)
		return;
	unmap_memory(f->skel->maps.flows, f->flows);
	unmap_memory(f->skel->maps.buckets, f->buckets);
	unmap_memory(f->skel->maps.sieves, f->sieves);
	unmap_memory(f->skel->maps.rows, f->rows);
	unmap_memory(f->skel->maps.miss_buckets, f->miss_buckets);
	unmap_memory(f->skel->maps.set_info, f->set_info);
	unmap_memory(f->skel->maps.drops, f->drops);
	unmap_memory(f->skel->maps.emc, f->emc);
	unmap_memory(f->skel->maps.rewrites, f->rewrites);
	unmap_memory(f->skel->maps.meters, f->meters);
	unmap_memory(f->skel->maps.band_stats, f->band_stats);
	unmap_memory(f->skel->maps.stopped, f->stopped);
	unmap_memory(f->skel->maps.forks, f->forks);
	unmap_memory(f->skel->maps.fork_slots, f->fork_slots);
	unmap_memory(f->skel->maps.fork_stats, f->fork_stats);
	unmap_memory(f->skel->maps.copies, f->copies);
	unmap_memory(f->skel->maps.tell_stats, f->tell_stats);
	unmap_memory(f->skel->maps.mirrors, f->mirrors);
	unmap_memory(f->skel->maps.mirror_stats, f->mirror_stats);
	switch_bpf__destroy(f->skel);
	memset(f, 0, sizeof(*f));
}

static void forget_ports(struct fixture *f)
{
	int fd = bpf_map__fd(f->skel->maps.ports), tx_fd = bpf_map__fd(f->skel->maps.tx_ports);
	uint32_t ifindex, id;

	while (!bpf_map_get_next_key(fd, NULL, &ifindex))
		bpf_map_delete_elem(fd, &ifindex);
	for (id = 0; id < SW_MAX_PORTS; id++)
		bpf_map_delete_elem(tx_fd, &id);
}

struct sw_row *fixture_row(const struct fixture *f, uint32_t row)
{
	return (struct sw_row *)(f->rows + row * f->row_size);
}

void fixture_begin_epoch(struct fixture *f)
{
	f->config->epoch = ++f->n_epochs;
	for (uint32_t row = 0; row < f->n_rows; row++)
		fixture_row(f, row)->n_skip = fixture_row(f, row)->n_known = fixture_row(f, row)->n_others = 0;
}

uint32_t fixture_recalled(const struct fixture *f)
{
	uint32_t sum = 0;

	for (uint32_t row = 0; row < f->n_rows; row++)
		sum += fixture_row(f, row)->n_known;
	return sum;
}

void fixture_forget_hints(struct fixture *f)
{
	memset(f->emc, 0, sizeof(*f->emc) * (f->n_rows - 1) * SW_EMC_SIZE);
	memset(f->skel->bss->core.guess, 0, sizeof(f->skel->bss->core.guess));
	for (uint32_t row = 0; row < f->n_rows; row++)
		fixture_row(f, row)->n_unhinted = fixture_row(f, row)->n_hinted = fixture_row(f, row)->n_walked = 0;
}

void fixture_forget_buckets(struct fixture *f)
{
	memset(f->buckets, 0, sizeof(*f->buckets) * f->n_buckets);
}

void fixture_forget_counters(struct fixture *f)
{
	for (uint32_t row = 0; row < f->n_rows; row++) {
		memset(fixture_row(f, row)->ports, 0, sizeof(fixture_row(f, row)->ports));
		memset(fixture_row(f, row) + 1, 0, f->n_flows * sizeof(struct sw_flow_stats));
		fixture_row(f, row)->n_known = 0;
	}
	memset(f->stopped, 0, sizeof(*f->stopped) * f->n_flows);
	memset(f->band_stats, 0, sizeof(*f->band_stats) * f->n_rows * SW_MAX_METERS * SW_METER_BANDS);
	memset(f->drops, 0, sizeof(*f->drops) * f->n_rows * SW_MAX_PORTS * SW_DROP_SLOTS);
	memset(f->fork_stats, 0, sizeof(*f->fork_stats) * f->n_rows * SW_MAX_FORKS * SW_MAX_BRANCHES);
	memset(f->tell_stats, 0, sizeof(*f->tell_stats) * f->n_rows * SW_MAX_PORTS);
	memset(f->mirror_stats, 0, sizeof(*f->mirror_stats) * f->n_rows * SW_MAX_MIRRORS);
}

void fixture_reset(struct fixture *f)
{
	forget_ports(f);
	fixture_forget_buckets(f);
	memset(f->sieves, 0, 2 * sw_sieve_bytes(f->n_flows));
	memset(f->flows, 0, sizeof(*f->flows) * f->n_flows);
	memset(f->fdb, 0, sizeof(*f->fdb) * SW_FDB_BUCKETS);
	memset(f->rewrites, 0, sizeof(*f->rewrites) * SW_MAX_REWRITES);
	memset(f->meters, 0, sizeof(*f->meters) * SW_MAX_METERS);
	for (uint32_t row = 0; row < f->n_rows; row++)
		memset(fixture_row(f, row)->credits, 0, sizeof(fixture_row(f, row)->credits));
	memset(f->forks, 0, sizeof(*f->forks) * SW_MAX_FORKS);
	memset(f->copies, 0, sizeof(*f->copies) * SW_MAX_COPIES);
	memset(f->mirrors, 0, sizeof(*f->mirrors) * SW_MAX_MIRRORS);
	fixture_forget_hints(f);
	fixture_forget_counters(f);
	memset(f->miss_buckets, 0, sizeof(*f->miss_buckets) * SW_MAX_PORTS);
	memset(f->set_info, 0, sizeof(*f->set_info) * SW_MAX_SETS);
	memset(f->config, 0, sizeof(*f->config));
	f->next_slot = 0;
	f->config->abi_version = SW_ABI_VERSION;
	f->config->n_rows = f->n_rows;
	f->config->n_flows = f->n_flows;
	f->config->n_buckets = f->n_buckets;
	f->config->depth = SW_L2_WORDS;
	f->config->upcall_max = 4096;
	f->config->upcall_max_frags = 4096;
	f->config->seed = 0x243f6a8885a308d3;
	f->config->sieve = sw_sieve_in_use(0, SW_SIEVE_LEAST);
	for (uint32_t i = 0; i <= SW_FOLDED_WORDS; i++)
		f->config->factors[i] = sw_sieve_factor(f->config->seed, i);
}

void fixture_set_mask(struct fixture *f, unsigned int id, const struct sw_key *bits)
{
	struct sw_mask *mask = &f->config->masks[id];
	unsigned int i;

	mask->bits = *bits;
	f->config->folded[id] = sw_fold(bits);
	f->config->words |= sw_sum_words(&f->config->folded[id]);
	mask->n_words = 0;
	for (i = 0; i < SW_KEY_WORDS; i++) {
		if (bits->w[i])
			mask->n_words = i + 1;
	}
	f->config->order[f->config->n_order++] = id;
	if (mask->n_words > SW_L2_WORDS)
		f->config->depth = SW_KEY_WORDS;
}

void fixture_set_port(struct fixture *f, uint32_t ifindex, const struct sw_port *port)
{
	bpf_map_update_elem(bpf_map__fd(f->skel->maps.ports), &ifindex, port, BPF_ANY);
}

/* As the daemon does: only what has an untagged VLAN, or is followed, has a program, another one for each way. */
static struct bpf_devmap_val way_out(const struct fixture *f, uint32_t ifindex, const struct bpf_program *program)
{
	struct sw_port port = {0};

	bpf_map_lookup_elem(bpf_map__fd(f->skel->maps.ports), &ifindex, &port);
	return (struct bpf_devmap_val){.ifindex = ifindex,
		.bpf_prog.fd = port.untagged_vid || port.flags & SW_PORT_FOLLOWED ? bpf_program__fd(program) : -1};
}

void fixture_set_output(struct fixture *f, uint32_t port_id, uint32_t ifindex)
{
	struct bpf_devmap_val value = way_out(f, ifindex, f->skel->progs.sw_egress_one);

	if (bpf_map_update_elem(bpf_map__fd(f->skel->maps.tx_ports), &port_id, &value, BPF_ANY))
		fprintf(stderr, "tx_ports[%u] = device %u: %s\n", port_id, ifindex, strerror(errno));
}

void fixture_set_members(struct fixture *f, uint32_t set_id, const uint32_t *ids, const uint32_t *ifindexes,
	unsigned int n, uint32_t min_frame)
{
	struct bpf_devmap_val value;
	int fd = bpf_map_create(BPF_MAP_TYPE_DEVMAP_HASH, "set", sizeof(uint32_t), sizeof(value), n ? n : 1, NULL);
	unsigned int i;

	f->set_info[set_id].needs_marks = 0;
	for (i = 0; i < n; i++) {
		value = way_out(f, ifindexes[i], f->skel->progs.sw_egress);
		f->set_info[set_id].needs_marks |= value.bpf_prog.fd >= 0;
		if (bpf_map_update_elem(fd, &ids[i], &value, BPF_ANY))
			fprintf(stderr, "set %u, device %u: %s\n", set_id, ifindexes[i], strerror(errno));
	}
	if (bpf_map_update_elem(bpf_map__fd(f->skel->maps.sets), &set_id, &fd, BPF_ANY))
		fprintf(stderr, "set %u: %s\n", set_id, strerror(errno));
	close(fd);
	f->set_info[set_id].min_frame = min_frame;
	f->set_info[set_id].n_members = n;
}

void fixture_set_bridge(struct fixture *f, uint32_t slot, uint16_t bridge)
{
	struct sw_flow *flow = &f->flows[slot];
	uint32_t at = flow->steps[0].op == SW_OP_METER;

	at += flow->steps[at].op == SW_OP_TELL;
	flow->bridge = bridge;
	flow->domain = sw_fdb_hash_domain(f->config->seed, flow->steps[at].arg, bridge);
}

static void set_bit(struct fixture *f, const struct sw_key *key, unsigned int mask_id)
{
	const struct sw_folded folded = sw_fold(key);
	uint64_t sum = sw_sum(f->config, &folded, &f->config->folded[mask_id], SW_WORDS_ALL, 1) +
		       sw_sum_device(f->config, key);
	uint64_t place = sum >> sw_sieve_shift(f->config->sieve);

	f->sieves[place / 64] |= 1ULL << place % 64;
}

static bool has_free_cell(const struct sw_bucket *bucket)
{
	unsigned int i;

	for (i = 0; i < SW_BUCKET_CELLS && bucket->cell[i]; i++)
		;
	return i < SW_BUCKET_CELLS;
}

bool fixture_has_room(const struct fixture *f, const struct sw_key *key, unsigned int mask_id)
{
	uint64_t hash = sw_hash_masked(f->config, key, mask_id);
	uint32_t primary = sw_hash_primary(hash, f->n_buckets);
	uint32_t alternate = sw_hash_alternate(primary, sw_hash_tag(hash), f->n_buckets);

	return has_free_cell(&f->buckets[primary]) || has_free_cell(&f->buckets[alternate]);
}

static uint32_t publish(struct fixture *f, const struct sw_key *key, unsigned int mask_id, uint32_t in_port,
	uint8_t flags, const struct sw_step *steps, unsigned int n_steps, int alternate)
{
	const struct sw_mask *mask = &f->config->masks[mask_id];
	uint64_t hash = sw_hash_masked(f->config, key, mask_id);
	uint32_t primary = sw_hash_primary(hash, f->n_buckets), tag = sw_hash_tag(hash), index = primary;
	uint32_t slot = f->next_slot++;
	struct sw_flow *flow = &f->flows[slot];
	unsigned int i;

	if (slot >= f->n_flows)
		abort();
	set_bit(f, key, mask_id);
	flow->gen = 2;
	flow->mask = mask_id;
	flow->n_steps = n_steps;
	flow->flags = flags;
	flow->in_port = in_port;
	for (i = 0; i < SW_KEY_WORDS; i++)
		flow->key.w[i] = key->w[i] & mask->bits.w[i];
	memcpy(flow->steps, steps, sizeof(*steps) * n_steps);
	for (i = 0; !alternate && i < SW_BUCKET_CELLS && f->buckets[index].cell[i]; i++)
		;
	if (alternate || i == SW_BUCKET_CELLS) {
		f->buckets[primary].n_overflow++;
		index = sw_hash_alternate(primary, tag, f->n_buckets);
		for (i = 0; i < SW_BUCKET_CELLS && f->buckets[index].cell[i]; i++)
			;
	}
	if (i == SW_BUCKET_CELLS)
		abort();
	f->buckets[index].cell[i] = (uint64_t)tag << 32 | (slot + 1);
	return slot;
}

uint32_t fixture_put(struct fixture *f, const struct sw_key *key, unsigned int mask_id, uint32_t in_port, uint8_t flags,
	const struct sw_step *steps, unsigned int n_steps)
{
	return publish(f, key, mask_id, in_port, flags, steps, n_steps, 0);
}

uint32_t fixture_put_alternate(struct fixture *f, const struct sw_key *key, unsigned int mask_id, uint32_t in_port,
	uint8_t flags, const struct sw_step *steps, unsigned int n_steps)
{
	return publish(f, key, mask_id, in_port, flags, steps, n_steps, 1);
}

/* A flow at home has its cell as any other. */
uint32_t fixture_send_home(struct fixture *f, uint32_t slot, bool neighbour)
{
	uint64_t hash = sw_hash_masked(f->config, &f->flows[slot].key, f->flows[slot].mask);
	uint32_t home = sw_hash_home(hash, f->n_flows) ^ neighbour, i;

	f->flows[home] = f->flows[slot];
	if (home != slot)
		fixture_kill(f, slot);
	for (i = 0; i < f->n_buckets * SW_BUCKET_CELLS; i++) {
		__u64 *cell = &f->buckets[i / SW_BUCKET_CELLS].cell[i % SW_BUCKET_CELLS];

		if ((uint32_t)*cell == slot + 1)
			*cell += home - (uint64_t)slot;
	}
	return home;
}

void fixture_kill(struct fixture *f, uint32_t slot)
{
	f->flows[slot].gen |= 1;
}

static inline const struct sw_fdb_bucket *sw_mem_fdb(const void *mem, __u32 index)
{
	return (const struct sw_fdb_bucket *)mem + index;
}

/* Of the bytes as a frame has them. */
static uint64_t address_word(const struct fixture_address *address)
{
	uint8_t bytes[8] = {0};
	uint64_t word;
	int i;

	for (i = 0; i < 6; i++)
		bytes[i] = address->mac >> (40 - 8 * i);
	memcpy(&word, bytes, sizeof(word));
	return word;
}

static uint64_t address_key(const struct fixture_address *address)
{
	return sw_fdb_key(address_word(address), address->vid);
}

struct sw_fdb_bucket *fixture_fdb_bucket(const struct fixture *f, const struct fixture_address *address, bool alternate)
{
	uint64_t hash = sw_fdb_hash(f->config->seed, address_word(address), address->vid, address->bridge);

	return &f->fdb[alternate ? sw_fdb_alternate(hash) : sw_fdb_primary(hash)];
}

void fixture_write_address(struct sw_fdb_cell *cell, const struct fixture_address *address)
{
	cell->place.port = address->port;
	cell->place.bridge = address->bridge;
	cell->place.flags = address->flags;
	cell->place.out = address->out;
	cell->place.drop = address->drop;
	cell->place.used = 0;
	cell->place.mirror = address->mirror;
	cell->key = address_key(address);
}

struct sw_fdb_cell *fixture_put_address(struct fixture *f, const struct fixture_address *address)
{
	unsigned int i;

	for (i = 0; i < 2 * SW_FDB_CELLS; i++) {
		struct sw_fdb_bucket *bucket = fixture_fdb_bucket(f, address, i >= SW_FDB_CELLS);
		struct sw_fdb_cell *cell = &bucket->cell[i % SW_FDB_CELLS];

		if (cell->key)
			continue;
		fixture_write_address(cell, address);
		return cell;
	}
	abort();
}

uint64_t fixture_exact_hits(const struct fixture *f, uint32_t port_id)
{
	struct sw_port_stats stats = fixture_port_stats(f, port_id);

	return stats.rx_frames - stats.misses - stats.mega_hits;
}

uint64_t fixture_drops(const struct fixture *f, uint32_t port_id, enum sw_drop reason)
{
	uint64_t sum = 0;
	uint32_t row;

	for (row = 0; row < f->n_rows; row++)
		sum += f->drops[(row * SW_MAX_PORTS + port_id) * SW_DROP_SLOTS + reason];
	return sum;
}

uint64_t fixture_all_drops(const struct fixture *f)
{
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < f->n_rows * SW_MAX_PORTS * SW_DROP_SLOTS; i++)
		sum += f->drops[i];
	return sum;
}

struct sw_port_stats fixture_port_stats(const struct fixture *f, uint32_t port_id)
{
	struct sw_port_stats sum = {0};
	uint32_t row;

	for (row = 0; row < f->n_rows; row++) {
		const struct sw_port_stats *s = &fixture_row(f, row)->ports[port_id];

		sum.rx_frames += s->rx_frames;
		sum.rx_bytes += s->rx_bytes;
		sum.tx_frames += s->tx_frames;
		sum.tx_bytes += s->tx_bytes;
		sum.mega_hits += s->mega_hits;
		sum.misses += s->misses;
		sum.upcalls += s->upcalls;
		sum.csum_done += s->csum_done;
	}
	return sum;
}

struct sw_flow_stats fixture_flow_stats(const struct fixture *f, uint32_t slot)
{
	struct sw_flow_stats sum = {0};
	uint32_t row;

	for (row = 0; row < f->n_rows; row++) {
		const struct sw_flow_stats *stats = (const struct sw_flow_stats *)(fixture_row(f, row) + 1) + slot;

		sum.packets += stats->packets;
		sum.bytes += stats->bytes;
	}
	return sum;
}

struct sw_flow_stats fixture_branch_stats(const struct fixture *f, uint32_t fork, uint32_t branch)
{
	struct sw_flow_stats sum = {0};
	uint32_t row;

	for (row = 0; row < f->n_rows; row++) {
		const struct sw_flow_stats *stats =
			&f->fork_stats[(row * SW_MAX_FORKS + fork) * SW_MAX_BRANCHES + branch];

		sum.packets += stats->packets;
		sum.bytes += stats->bytes;
	}
	return sum;
}
