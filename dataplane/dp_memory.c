/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/dp_memory.h"

#include "bpf/lookup.h"
#include "bpf/meter.h"
#include "bpf/select.h"
#include "dataplane/facts.h"
#include "dataplane/sets.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define N_ROWS    (DP_MEMORY_CPUS + 1)
#define HEADROOM  256
#define MAX_FRAME 16384
#define SEED      0x0123456789abcdefULL

/* A frame on its way up or down. The handle of a dp_frame is its address. */
struct frame_buffer {
	struct frame_buffer *next;
	bool lent;
	uint16_t port;
	uint8_t reason, levels, mirror;
	uint16_t out_port;
	uint32_t size;
	uint8_t *data; /* somewhere in bytes[] */
	uint8_t bytes[];
};

struct frame_queue {
	struct frame_buffer *first, **last;
	uint32_t n;
};

struct dp_mem {
	struct datapath dp;
	struct dp_events events;
	size_t size; /* of the mapping that begins here */
	__u64 *hints;

	bool grace_running, grace_at_once;
	bool spreads_skbs;
	uint32_t n_graces;

	struct frame_queue waiting, told, unflushed, sent;
	uint32_t n_lent;

	struct dp_port ports[SW_MAX_PORTS]; /* id 0: none */
	bool attached[SW_MAX_PORTS];
	struct port_set sets[SW_MAX_SETS];
	uint32_t n_set_puts;
	struct port_set followed;
	int set_put_error;
	uint32_t n_sets_ready;
};

static struct dp_mem *of(const struct datapath *dp)
{
	return (struct dp_mem *)dp;
}

/* ---- the program's view of the memory ---- */

static inline const struct sw_bucket *sw_mem_bucket(const void *mem, __u32 index)
{
	const struct dp_memory *memory = &((const struct dp_mem *)mem)->dp.memory;

	return index < memory->config->n_buckets ? &memory->buckets[index] : NULL;
}

static inline const struct sw_flow *sw_mem_flow(const void *mem, __u32 slot)
{
	const struct dp_memory *memory = &((const struct dp_mem *)mem)->dp.memory;

	return slot < memory->config->n_flows ? &memory->flows[slot] : NULL;
}

static inline __u64 *sw_mem_hint(const void *mem, __u32 cpu, __u32 index)
{
	return &((const struct dp_mem *)mem)->hints[cpu * SW_EMC_SIZE + index];
}

static inline const void *sw_mem_sieve(const void *mem, __u32 table)
{
	const struct dp_memory *memory = &((const struct dp_mem *)mem)->dp.memory;

	return memory->sieves + (size_t)table * (sw_sieve_bytes(memory->config->n_flows) / sizeof(uint64_t));
}

static inline __u64 sw_mem_sieve_word(const void *mem, const void *table, __u32 offset)
{
	return sw_read(((const uint64_t *)table)[offset / sizeof(uint64_t)]);
}

static inline __u64 sw_mem_sift(
	const void *mem, const struct sw_config *config, const struct sw_key *key, __u32 depth, __u32 first)
{
	return sw_sift(mem, config, key, depth, first);
}

static inline struct sw_row *sw_mem_row(const void *mem, __u32 cpu)
{
	return dp_row(&((const struct dp_mem *)mem)->dp.memory, cpu);
}

/* There is none: two CPUs of a test are two threads, and what they write is apart. */
static inline __u32 *sw_mem_guess(const void *mem, __u32 in_ifindex)
{
	return NULL;
}

static inline __u32 sw_mem_lookup_mask(
	const void *mem, const struct sw_config *config, const struct sw_key *key, __u32 depth, __u32 mask_id)
{
	return sw_lookup_mask_slot(mem, config, key, depth, mask_id);
}

static void count_in(struct sw_flow_stats *stats, uint32_t size)
{
	__atomic_store_n(&stats->packets, stats->packets + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&stats->bytes, stats->bytes + size, __ATOMIC_RELAXED);
}

static void count_hit(struct dp_mem *m, uint32_t cpu, uint32_t size, const struct sw_hit *hit)
{
	struct dp_memory *memory = &m->dp.memory;
	struct sw_port_stats *port = dp_port_stats(memory, cpu, hit->flow->in_port);

	if (hit->flow->steps[0].op != SW_OP_METER) /* else dp_memory_meter() */
		count_in(dp_flow_stats(memory, cpu, hit->slot), size);
	port->rx_frames++;
	port->rx_bytes += size;
	port->mega_hits += !hit->by_hint;
}

/*
 * Notes are kept as the program keeps them (bpf/recall.h), by the words of the key that it takes from the frame: so
 * whoever forgets to end the epoch is found out here, too. Flows alone, whatever they do; not what the FDB says.
 */
static struct sw_note *note_of(struct dp_mem *m, uint32_t cpu, const struct sw_key *key)
{
	uint64_t mix = (key->w[0] ^ key->w[1] * 3 ^ key->w[2] * 5) * SW_HASH_MULTIPLIER;

	return &dp_row(&m->dp.memory, cpu)->notes[mix >> (64 - SW_NOTE_BITS)];
}

static struct sw_note note_for(uint32_t epoch, const struct sw_key *key, uint32_t slot)
{
	return (struct sw_note){
		.head = key->w[1],
		.tail = key->w[2],
		.origin = (uint64_t)epoch << 32 | slot,
		.verdict = key->w[0],
	};
}

static bool recall(struct dp_mem *m, uint32_t cpu, const struct sw_key *key, struct sw_hit *ret)
{
	const struct sw_note *note = note_of(m, cpu, key);
	uint32_t slot = (uint32_t)note->origin;
	const struct sw_note fit = note_for(sw_read(m->dp.memory.config->epoch), key, slot);

	if (memcmp(note, &fit, sizeof(fit)) != 0)
		return false;
	*ret = (struct sw_hit){.flow = sw_mem_flow(m, slot), .slot = slot, .by_hint = 1};
	return true;
}

static uint32_t branch_of(const struct dp_memory *memory, uint32_t id, const struct sw_key *key)
{
	const struct sw_fork *fork = &memory->forks[id];

	if (fork->kind != SW_FORK_SELECT)
		return fork->live;
	return memory->fork_slots[id].branch[sw_select_slot(sw_select_hash(key, fork->group))];
}

static const struct sw_flow *take_branch_of(
	struct dp_mem *m, uint32_t cpu, const struct sw_key *key, uint32_t size, const struct sw_flow *flow)
{
	const struct dp_memory *memory = &m->dp.memory;
	uint32_t id = flow->steps[0].arg, branch;
	struct sw_flow_stats *stats;

	if (flow->steps[0].op != SW_OP_FORK)
		return flow;
	branch = branch_of(memory, id, key);
	assert(flow->n_steps == 1 && memory->forks[id].kind && branch < memory->forks[id].n_branches);
	stats = &memory->fork_stats[(cpu * SW_MAX_FORKS + id) * SW_MAX_BRANCHES + branch];
	stats->packets++;
	stats->bytes += size;
	return &memory->forks[id].branch[branch];
}

bool dp_memory_lookup(
	struct datapath *dp, uint32_t cpu, const struct sw_key *key, uint32_t size, struct dp_memory_hit *ret)
{
	uint32_t epoch = sw_read(dp->memory.config->epoch), depth = sw_read(dp->memory.config->depth);
	struct sw_key parsed = *key;
	struct dp_mem *m = of(dp);
	struct sw_hit hit = {0};

	assert(cpu < DP_MEMORY_CPUS);
	for (uint32_t i = depth; i < SW_KEY_WORDS; i++)
		parsed.w[i] = 0;
	if (depth <= SW_L2_WORDS && recall(m, cpu, &parsed, &hit)) {
		count_hit(m, cpu, size, &hit);
		*ret = (struct dp_memory_hit){.flow = hit.flow,
			.program = take_branch_of(m, cpu, key, size, hit.flow),
			.slot = hit.slot,
			.by_hint = true};
		return true;
	}
	if (depth > SW_L2_WORDS || !sw_lookup_short(m, dp->memory.config, &parsed, cpu, &hit)) {
		if (!sw_lookup(m, dp->memory.config, &parsed, depth, cpu, &hit))
			return false;
	}
	if (depth <= SW_L2_WORDS)
		*note_of(m, cpu, &parsed) = note_for(epoch, &parsed, hit.slot);
	count_hit(m, cpu, size, &hit);
	*ret = (struct dp_memory_hit){.flow = hit.flow,
		.program = take_branch_of(m, cpu, key, size, hit.flow),
		.slot = hit.slot,
		.by_hint = hit.by_hint};
	return true;
}

bool dp_memory_meter(struct datapath *dp, uint32_t cpu, const struct dp_memory_hit *hit, uint32_t size, uint64_t now_ns)
{
	const struct dp_memory *memory = &dp->memory;
	uint32_t slot = hit->flow->steps[0].arg, band;
	struct sw_meter *meter = &memory->meters[slot];
	struct sw_credit *credit = &dp_row(memory, cpu)->credits[slot];
	bool drops;

	assert(hit->flow->steps[0].op == SW_OP_METER && meter->id);
	band = sw_credit_spend(credit, size) ? SW_METER_BANDS : sw_meter_run_on(meter, credit, size, now_ns);
	if (band < SW_METER_BANDS)
		count_in(&memory->band_stats[((size_t)cpu * SW_MAX_METERS + slot) * SW_METER_BANDS + band], size);
	drops = band < SW_METER_BANDS && meter->bands[band].drops;
	count_in(drops ? &memory->stopped[hit->slot] : dp_flow_stats(memory, cpu, hit->slot), size);
	return !drops;
}

void dp_memory_stop(struct datapath *dp, const struct dp_memory_hit *hit, uint32_t size)
{
	count_in(&dp->memory.stopped[hit->slot], size);
}

/* ---- frames ---- */

static void queue_init(struct frame_queue *queue)
{
	*queue = (struct frame_queue){.last = &queue->first};
}

static void queue_add(struct frame_queue *queue, struct frame_buffer *frame)
{
	frame->next = NULL;
	*queue->last = frame;
	queue->last = &frame->next;
	queue->n++;
}

static struct frame_buffer *queue_take(struct frame_queue *queue)
{
	struct frame_buffer *frame = queue->first;

	if (!frame)
		return NULL;
	queue->first = frame->next;
	queue->n--;
	if (!queue->first)
		queue->last = &queue->first;
	return frame;
}

static void queue_empty(struct frame_queue *queue)
{
	for (struct frame_buffer *frame = queue_take(queue); frame; frame = queue_take(queue))
		free(frame);
}

static struct frame_buffer *frame_new(uint16_t port, const void *data, uint32_t size)
{
	struct frame_buffer *frame;

	assert(size <= MAX_FRAME);
	frame = calloc(1, sizeof(*frame) + HEADROOM + size);
	assert(frame);
	frame->port = port;
	frame->size = size;
	frame->data = frame->bytes + HEADROOM;
	memcpy(frame->data, data, size);
	return frame;
}

void dp_memory_inject(struct datapath *dp, uint16_t port, const void *data, uint32_t size, enum sw_upcall reason)
{
	struct dp_mem *m = of(dp);
	struct frame_buffer *frame = frame_new(port, data, size);

	assert(port < SW_MAX_PORTS && m->ports[port].id);
	frame->reason = reason;
	queue_add(&m->waiting, frame);
	if (m->events.frames_waiting)
		m->events.frames_waiting(m->events.ctx);
}

static uint32_t rx(struct datapath *dp, struct dp_frame *frames, uint32_t n)
{
	struct dp_mem *m = of(dp);
	uint32_t i;

	for (i = 0; i < n && m->waiting.n; i++) {
		struct frame_buffer *frame = queue_take(&m->waiting);

		frame->lent = true;
		m->n_lent++;
		frames[i] = (struct dp_frame){
			.data = frame->data,
			.size = frame->size,
			.headroom = HEADROOM,
			.in_port = frame->port,
			.reason = frame->reason,
			.handle = (uintptr_t)frame,
		};
	}
	return i;
}

void dp_memory_tell(struct datapath *dp, uint16_t port, const void *data, uint32_t size, uint8_t levels)
{
	struct dp_mem *m = of(dp);
	struct frame_buffer *frame = frame_new(port, data, size);

	assert(port < SW_MAX_PORTS && m->ports[port].id);
	frame->levels = levels;
	queue_add(&m->told, frame);
	dp->memory.tell_stats[port].told++;
	if (m->events.frames_waiting)
		m->events.frames_waiting(m->events.ctx);
}

void dp_memory_mirror(
	struct datapath *dp, uint16_t port, const void *data, uint32_t size, uint8_t mirror, uint16_t out_port)
{
	struct frame_buffer *frame = frame_new(port, data, size);

	frame->mirror = mirror;
	frame->out_port = out_port;
	queue_add(&of(dp)->told, frame);
}

static uint32_t told(struct datapath *dp, uint32_t n, void (*each)(void *ctx, const struct dp_told *told), void *ctx)
{
	struct dp_mem *m = of(dp);
	uint32_t i;

	for (i = 0; i < n && m->told.n; i++) {
		struct frame_buffer *frame = queue_take(&m->told);
		const struct dp_told copy = {.data = frame->data,
			.size = frame->size,
			.in_port = frame->port,
			.levels = frame->levels,
			.mirror = frame->mirror,
			.out_port = frame->out_port};

		each(ctx, &copy);
		free(frame);
	}
	return i;
}

/* The frame is the backend's again. */
static struct frame_buffer *take_back(struct dp_mem *m, struct dp_frame *lent)
{
	struct frame_buffer *frame = (struct frame_buffer *)(uintptr_t)lent->handle;

	assert(frame && frame->lent);
	frame->lent = false;
	m->n_lent--;
	lent->handle = 0;
	return frame;
}

static void release(struct datapath *dp, struct dp_frame *frame)
{
	free(take_back(of(dp), frame));
}

static int tx_error(const struct dp_mem *m, uint16_t port, uint32_t size)
{
	if (port >= SW_MAX_PORTS || !m->ports[port].id)
		return -ENODEV;
	return size > m->ports[port].max_frame ? -EMSGSIZE : 0;
}

static int tx(struct datapath *dp, uint16_t port, struct dp_frame *lent)
{
	struct dp_mem *m = of(dp);
	int error = tx_error(m, port, lent->size);
	struct frame_buffer *frame = take_back(m, lent);

	if (error) {
		free(frame);
		return error;
	}
	frame->port = port;
	frame->data = lent->data;
	frame->size = lent->size;
	queue_add(&m->unflushed, frame);
	return 0;
}

static int tx_copy(struct datapath *dp, uint16_t port, const void *data, uint32_t size)
{
	struct dp_mem *m = of(dp);
	int error = tx_error(m, port, size);

	if (!error)
		queue_add(&m->unflushed, frame_new(port, data, size));
	return error;
}

static void flush(struct datapath *dp)
{
	struct dp_mem *m = of(dp);

	while (m->unflushed.n)
		queue_add(&m->sent, queue_take(&m->unflushed));
}

uint32_t dp_memory_n_lent(const struct datapath *dp)
{
	return of(dp)->n_lent;
}

uint32_t dp_memory_n_sent(const struct datapath *dp)
{
	return of(dp)->sent.n;
}

struct dp_memory_sent dp_memory_sent(const struct datapath *dp, uint32_t i)
{
	const struct frame_buffer *frame = of(dp)->sent.first;

	for (; frame && i; i--)
		frame = frame->next;
	assert(frame);
	return (struct dp_memory_sent){.port = frame->port, .size = frame->size, .data = frame->data};
}

void dp_memory_forget_sent(struct datapath *dp)
{
	queue_empty(&of(dp)->sent);
}

/* ---- ports and sets ---- */

static int port_put(struct datapath *dp, const struct dp_port *port, struct complaint *c)
{
	assert(port->id && port->id < SW_MAX_PORTS && port->ifindex);
	of(dp)->ports[port->id] = *port;
	return 0;
}

static void port_remove(struct datapath *dp, uint16_t id)
{
	struct dp_mem *m = of(dp);

	m->ports[id] = (struct dp_port){0};
	m->attached[id] = false;
	for (uint32_t set = 0; set < SW_MAX_SETS; set++)
		m->sets[set].bits[id / 64] &= ~(1ULL << id % 64); /* the kernel forgets a device that goes */
}

static bool owns(struct datapath *dp, uint32_t ifindex)
{
	const struct dp_mem *m = of(dp);

	for (uint16_t id = 1; id < SW_MAX_PORTS; id++) {
		if (m->attached[id] && m->ports[id].ifindex == ifindex)
			return true;
	}
	return false;
}

static int attach(struct datapath *dp, uint16_t id, const enum dp_mode *want, enum dp_mode *ret_mode, char *why,
	size_t why_size, struct complaint *c)
{
	struct dp_mem *m = of(dp);

	assert(id < SW_MAX_PORTS && m->ports[id].id);
	m->attached[id] = true;
	*ret_mode = want ? *want : DP_MODE_NATIVE;
	if (why_size)
		why[0] = '\0';
	return 0;
}

static int set_put(struct datapath *dp, uint32_t set, const uint16_t *members, uint32_t n)
{
	struct dp_mem *m = of(dp);
	struct port_set written = {0};

	assert(set < SW_MAX_SETS && n);
	m->n_set_puts++;
	if (m->set_put_error)
		return m->set_put_error;
	for (uint32_t i = 0; i < n; i++) {
		assert(members[i] && members[i] < SW_MAX_PORTS && (!i || members[i] > members[i - 1]));
		if (m->ports[members[i]].id)
			port_set_add(&written, members[i]);
	}
	m->sets[set] = written;
	return 0;
}

static bool set_ready(struct datapath *dp, uint32_t set, uint32_t n)
{
	return set < of(dp)->n_sets_ready;
}

static int set_change(struct datapath *dp, uint32_t set, const uint16_t *members, uint32_t n, uint16_t port)
{
	struct dp_mem *m = of(dp);

	assert(set < SW_MAX_SETS && n && port < SW_MAX_PORTS);
	if (m->set_put_error)
		return m->set_put_error;
	m->sets[set].bits[port / 64] &= ~(1ULL << port % 64);
	if (m->ports[port].id)
		port_set_add(&m->sets[set], port);
	return 0;
}

static void set_remove(struct datapath *dp, uint32_t set)
{
	assert(set < SW_MAX_SETS);
	of(dp)->sets[set] = (struct port_set){0};
}

const struct dp_port *dp_memory_port(const struct datapath *dp, uint16_t id)
{
	const struct dp_port *port = &of(dp)->ports[id];

	return port->id ? port : NULL;
}

bool dp_memory_is_attached(const struct datapath *dp, uint16_t id)
{
	return of(dp)->attached[id];
}

bool dp_memory_set_has(const struct datapath *dp, uint32_t set, uint16_t port)
{
	return set < SW_MAX_SETS && port < SW_MAX_PORTS && port_set_has(&of(dp)->sets[set], port);
}

static int follow(struct datapath *dp, uint16_t port)
{
	return 0;
}

static void followed(struct datapath *dp, uint16_t port)
{
	port_set_add(&of(dp)->followed, port);
}

static enum dp_way way(const struct datapath *dp, uint16_t port)
{
	if (!of((struct datapath *)dp)->ports[port].id)
		return DP_WAY_NONE;
	return dp_memory_is_followed(dp, port) ? DP_WAY_FOLLOWED : DP_WAY_PLAIN;
}

bool dp_memory_is_followed(const struct datapath *dp, uint16_t port)
{
	return port_set_has(&of(dp)->followed, port);
}

uint32_t dp_memory_n_set_puts(const struct datapath *dp)
{
	return of(dp)->n_set_puts;
}

void dp_memory_fail_set_put(struct datapath *dp, int error)
{
	of(dp)->set_put_error = error;
}

void dp_memory_stock_sets(struct datapath *dp, uint32_t n)
{
	of(dp)->n_sets_ready = n;
}

/* ---- grace periods ---- */

static void grace(struct datapath *dp)
{
	struct dp_mem *m = of(dp);

	m->grace_running = true;
	m->n_graces++;
	if (m->grace_at_once)
		dp_memory_end_grace(dp);
}

void dp_memory_end_grace_at_once(struct datapath *dp, bool at_once)
{
	of(dp)->grace_at_once = at_once;
}

bool dp_memory_end_grace(struct datapath *dp)
{
	struct dp_mem *m = of(dp);

	if (!m->grace_running)
		return false;
	m->grace_running = false;
	if (m->events.grace_ended)
		m->events.grace_ended(m->events.ctx);
	return true;
}

uint32_t dp_memory_n_graces(const struct datapath *dp)
{
	return of(dp)->n_graces;
}

/* ---- the rest ---- */

static int probe(struct datapath *dp, uint32_t ifindex, const void *frame, uint32_t size, struct dp_probe *ret)
{
	return -ENOTSUP;
}

static bool spreads_skbs(struct datapath *dp)
{
	return of(dp)->spreads_skbs;
}

void dp_memory_spread_skbs(struct datapath *dp, bool can)
{
	of(dp)->spreads_skbs = can;
}

static void describe(struct datapath *dp, const struct facts *facts)
{
	facts->text(facts->ctx, "datapath", "memory");
}

static void drop_frames(struct dp_mem *m)
{
	queue_empty(&m->waiting);
	queue_empty(&m->told);
	queue_empty(&m->unflushed);
	queue_empty(&m->sent);
}

static void destroy(struct datapath *dp, bool forget)
{
	struct dp_mem *m = of(dp);

	drop_frames(m);
	munmap(m, m->size);
}

void dp_memory_restart(struct datapath *dp, const struct dp_events *events)
{
	struct dp_mem *m = of(dp);

	drop_frames(m);
	m->n_lent = 0;
	m->grace_running = false;
	m->events = events ? *events : (struct dp_events){0};
	for (uint16_t id = 1; id < SW_MAX_PORTS; id++) {
		if (!m->ports[id].id) /* the kernel's record of it goes with its device */
			m->followed.bits[id / 64] &= ~(1ULL << id % 64);
	}
	dp->adopted = dp->inherited = true;
}

static const struct datapath_ops ops = {
	.destroy = destroy,
	.port_put = port_put,
	.port_remove = port_remove,
	.owns = owns,
	.attach = attach,
	.set_put = set_put,
	.set_ready = set_ready,
	.set_change = set_change,
	.set_remove = set_remove,
	.follow = follow,
	.followed = followed,
	.way = way,
	.grace = grace,
	.rx = rx,
	.told = told,
	.tx = tx,
	.tx_copy = tx_copy,
	.release = release,
	.flush = flush,
	.probe = probe,
	.spreads_skbs = spreads_skbs,
	.describe = describe,
};

struct layout {
	uintptr_t base;
	size_t size; /* so far */
};

static void *lay(struct layout *layout, size_t size)
{
	void *at = (void *)(layout->base + layout->size);

	layout->size += (size + 63) & ~(size_t)63;
	return at;
}

static struct dp_memory lay_out(struct layout *layout, size_t n_flows, size_t n_buckets, __u64 **ret_hints)
{
	lay(layout, sizeof(struct dp_mem));
	*ret_hints = lay(layout, DP_MEMORY_CPUS * SW_EMC_SIZE * sizeof(__u64));
	return (struct dp_memory){
		.config = lay(layout, sizeof(struct sw_config)),
		.flows = lay(layout, n_flows * sizeof(struct sw_flow)),
		.buckets = lay(layout, n_buckets * sizeof(struct sw_bucket)),
		.sieves = lay(layout, 2 * sw_sieve_bytes(n_flows)),
		.rows = lay(layout, N_ROWS * dp_row_size(n_flows)),
		.drops = lay(layout, N_ROWS * SW_MAX_PORTS * SW_DROP_SLOTS * sizeof(__u64)),
		.lookup_stats = lay(layout, N_ROWS * sizeof(struct sw_lookup_stats)),
		.registry = lay(layout, sizeof(struct sw_registry)),
		.fdb = lay(layout, SW_FDB_BUCKETS * sizeof(struct sw_fdb_bucket)),
		.fdb_times = lay(layout, SW_FDB_BUCKETS * SW_FDB_CELLS * sizeof(struct sw_fdb_times)),
		.rewrites = lay(layout, SW_MAX_REWRITES * sizeof(struct sw_rewrite)),
		.meters = lay(layout, SW_MAX_METERS * sizeof(struct sw_meter)),
		.band_stats = lay(layout, N_ROWS * SW_MAX_METERS * SW_METER_BANDS * sizeof(struct sw_flow_stats)),
		.stopped = lay(layout, n_flows * sizeof(struct sw_flow_stats)),
		.forks = lay(layout, SW_MAX_FORKS * sizeof(struct sw_fork)),
		.fork_slots = lay(layout, SW_MAX_FORKS * sizeof(struct sw_fork_slots)),
		.fork_stats = lay(layout, N_ROWS * SW_MAX_FORKS * SW_MAX_BRANCHES * sizeof(struct sw_flow_stats)),
		.copies = lay(layout, SW_MAX_COPIES * sizeof(struct sw_copies)),
		.tell_stats = lay(layout, N_ROWS * SW_MAX_PORTS * sizeof(struct sw_tell_stats)),
		.mirrors = lay(layout, SW_MAX_MIRRORS * sizeof(struct sw_mirror)),
		.mirror_stats = lay(layout, N_ROWS * SW_MAX_MIRRORS * sizeof(struct sw_mirror_stats)),
	};
}

/* All of it in one piece that a fork shares, so that a test can kill one daemon and adopt with another. */
static struct dp_mem *allocate(uint32_t n_flows, uint32_t n_buckets)
{
	struct layout layout = {0};
	struct dp_mem *m;
	__u64 *hints;
	void *base;

	lay_out(&layout, n_flows, n_buckets, &hints);
	base = mmap(NULL, layout.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		return NULL;
	m = base;
	layout = (struct layout){.base = (uintptr_t)base};
	m->dp.memory = lay_out(&layout, n_flows, n_buckets, &m->hints);
	m->size = layout.size;
	return m;
}

struct datapath *dp_memory_create(uint32_t n_flows, const struct dp_events *events)
{
	uint32_t n_buckets = n_flows > 4 ? n_flows / 4 : 1; /* few, so that they overflow */
	struct dp_mem *m = allocate(n_flows, n_buckets);

	if (!m)
		return NULL;
	queue_init(&m->waiting);
	queue_init(&m->told);
	queue_init(&m->unflushed);
	queue_init(&m->sent);
	m->dp.ops = &ops;
	m->n_sets_ready = SW_MAX_SETS;
	if (events)
		m->events = *events;
	*m->dp.memory.config = (struct sw_config){
		.abi_version = SW_ABI_VERSION,
		.n_rows = N_ROWS,
		.n_flows = n_flows,
		.n_buckets = n_buckets,
		.depth = SW_L2_WORDS,
		.epoch = 1,
		.upcall_max = MAX_FRAME,
		.upcall_max_frags = MAX_FRAME,
		.seed = SEED,
	};
	m->dp.memory.registry->abi_version = SW_ABI_VERSION;
	return &m->dp;
}
