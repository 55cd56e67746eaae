/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/meter_slots.h"

#include "bpf/meter.h"
#include "dataplane/datapath.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_LIMIT (1ULL << 62)
#define SWEEP_NS    500000000ULL

#define CREDIT_SHARE        32   /* of a bucket; what all CPUs together may hold is not more */
#define CREDIT_LEAST        2115 /* bytes */
#define CREDIT_FRAMES       64   /* so many that it does not count any more what the first of them costs */
#define CREDIT_FRAMES_LEAST 8
#define LONGEST_FRAME       65535

_Static_assert(
	CREDIT_LEAST *(CREDIT_SHARE - 1) >= LONGEST_FRAME, "V1: no frame is larger than depth and less than burst");

struct meter_slots {
	const struct dp_memory *all;
	struct sw_meter *memory;
	struct sw_flow_stats *stats;
	uint32_t n_rows;
	uint64_t swept_ns; /* 0: never */
	uint32_t next;     /* where the search for a free one begins */
	uint32_t n_held;
	uint32_t n_users[SW_MAX_METERS];
	bool adopted[SW_MAX_METERS];  /* by meter_slots_hold_all() */
	bool orphaned[SW_MAX_METERS]; /* the meter was an earlier daemon's, and nobody has claimed it yet */
};

static bool is_sane(const struct sw_meter *meter)
{
	if (meter->n_bands > SW_METER_BANDS || meter->flags & ~(SW_METER_FRAMES | SW_METER_REMARKS))
		return false;
	for (uint32_t i = 0; i < meter->n_bands; i++) {
		const struct sw_meter_band *band = &meter->bands[i];

		if (!band->fill || !band->price || !band->depth || band->depth >= DEPTH_LIMIT || band->drops > 1 ||
			(!band->drops && !(meter->flags & SW_METER_REMARKS)) || band->credit > SW_CREDIT_MOST)
			return false;
	}
	return true;
}

static void set_id(struct sw_meter *meter, uint32_t id)
{
	__atomic_store_n(&meter->id, id, __ATOMIC_RELEASE);
}

struct meter_slots *meter_slots_create(const struct dp_memory *memory)
{
	struct meter_slots *slots = calloc(1, sizeof(*slots));

	if (!slots)
		return NULL;
	slots->all = memory;
	slots->memory = memory->meters;
	slots->stats = memory->band_stats;
	slots->n_rows = memory->config->n_rows;
	for (uint32_t slot = 0; slot < SW_MAX_METERS; slot++) {
		if (slots->memory[slot].id && (!slot || !is_sane(&slots->memory[slot])))
			set_id(&slots->memory[slot], 0);
		slots->orphaned[slot] = slots->memory[slot].id;
	}
	return slots;
}

void meter_slots_destroy(struct meter_slots *slots)
{
	free(slots);
}

/* ---- who has which ---- */

static struct sw_flow_stats *row_of(const struct meter_slots *slots, uint32_t row, uint16_t slot, uint32_t band)
{
	return &slots->stats[((size_t)row * SW_MAX_METERS + slot) * SW_METER_BANDS + band];
}

/* 0: all are held. */
static uint16_t find_free(struct meter_slots *slots)
{
	for (uint32_t i = 0; i < SW_MAX_METERS; i++) {
		uint16_t slot = (slots->next + i) % SW_MAX_METERS;

		if (!slot || slots->n_users[slot])
			continue;
		slots->next = slot + 1U;
		return slot;
	}
	return 0;
}

static bool is_same_band(const struct sw_meter_band *a, const struct sw_meter_band *b)
{
	return a->depth == b->depth && a->fill == b->fill && a->price == b->price && a->drops == b->drops &&
	       a->levels == b->levels && a->credit == b->credit;
}

static bool is_same(const struct sw_meter *a, const struct sw_meter *b)
{
	bool same = a->id == b->id && a->bridge == b->bridge && a->n_bands == b->n_bands && a->flags == b->flags;

	for (uint32_t i = 0; same && i < a->n_bands; i++)
		same = is_same_band(&a->bands[i], &b->bands[i]);
	return same;
}

/* The slot in which an earlier daemon had this meter, if flows still run on it; 0: there is none. */
static uint16_t claim(struct meter_slots *slots, const struct sw_meter *meter)
{
	for (uint16_t slot = 1; slot < SW_MAX_METERS; slot++) {
		if (!slots->orphaned[slot] || !slots->n_users[slot] || !is_same(&slots->memory[slot], meter))
			continue;
		slots->orphaned[slot] = false;
		slots->n_users[slot]++; /* which flows hold */
		return slot;
	}
	return 0;
}

/* What a CPU may take of the band in advance, in bytes or frames. */
static uint32_t credit_of(const struct sw_meter_band *band, uint32_t flags, uint32_t n_cpus)
{
	bool is_frames = flags & SW_METER_FRAMES;
	uint64_t deep = band->depth / sw_meter_unit(band, flags), credit = deep / (CREDIT_SHARE * n_cpus);
	uint64_t most = is_frames ? CREDIT_FRAMES : SW_CREDIT_MOST;

	if (credit < (is_frames ? CREDIT_FRAMES_LEAST : CREDIT_LEAST))
		return 0; /* the burst that was asked for is worth more */
	return credit < most ? credit : most;
}

/* Sets aside what the CPUs may hold (V1 of bpf/meter.h). A row is the daemon's. */
static void set_credit(struct sw_meter *meter, uint32_t n_cpus)
{
	for (uint32_t i = 0; i < meter->n_bands; i++) {
		struct sw_meter_band *band = &meter->bands[i];

		band->credit = credit_of(band, meter->flags, n_cpus);
		band->depth -= sw_meter_unit(band, meter->flags) * band->credit * n_cpus;
	}
}

/* Nobody runs on the slot, nor recalls that it did: what is held of the meter that it had is nobody's. */
static void forget(struct meter_slots *slots, uint16_t slot)
{
	for (uint32_t row = 0; row < slots->n_rows; row++) {
		memset(row_of(slots, row, slot, 0), 0, SW_METER_BANDS * sizeof(*slots->stats));
		dp_row(slots->all, row)->credits[slot] = (struct sw_credit){0};
	}
}

uint16_t meter_slots_take(struct meter_slots *slots, const struct sw_meter *asked)
{
	struct sw_meter meter = *asked, *to;
	uint16_t slot;

	set_credit(&meter, slots->n_rows - 1);
	slot = claim(slots, &meter);
	if (slot)
		return slot;
	slot = find_free(slots);
	to = &slots->memory[slot];
	if (!slot)
		return 0;
	forget(slots, slot);
	set_id(to, 0);
	memcpy(&to->n_bands, &meter.n_bands, sizeof(*to) - offsetof(struct sw_meter, n_bands));
	set_id(to, meter.id);
	slots->n_users[slot] = 1;
	slots->n_held++;
	slots->orphaned[slot] = false;
	return slot;
}

bool meter_slots_exist(const struct meter_slots *slots, uint16_t slot)
{
	return slot && slot < SW_MAX_METERS && slots->memory[slot].id;
}

int meter_slots_hold(struct meter_slots *slots, uint16_t slot)
{
	if (!meter_slots_exist(slots, slot))
		return -ENOENT;
	slots->n_held += !slots->n_users[slot]++;
	return 0;
}

void meter_slots_drop(struct meter_slots *slots, uint16_t slot)
{
	assert(slots->n_users[slot]); /* S1 */
	if (--slots->n_users[slot])
		return;
	slots->n_held--;
	set_id(&slots->memory[slot], 0);
	slots->orphaned[slot] = false;
}

void meter_slots_hold_all(struct meter_slots *slots)
{
	for (uint16_t slot = 0; slot < SW_MAX_METERS; slot++)
		slots->adopted[slot] = !meter_slots_hold(slots, slot);
}

void meter_slots_drop_all(struct meter_slots *slots)
{
	for (uint16_t slot = 0; slot < SW_MAX_METERS; slot++) {
		if (slots->adopted[slot])
			meter_slots_drop(slots, slot);
		slots->adopted[slot] = false;
	}
}

bool meter_slots_any_free(const struct meter_slots *slots)
{
	return slots->n_held < SW_MAX_METERS - 1;
}

uint32_t meter_slots_users(const struct meter_slots *slots, uint16_t slot)
{
	return slot < SW_MAX_METERS ? slots->n_users[slot] : 0;
}

struct sw_meter *meter_slots_at(const struct meter_slots *slots, uint16_t slot)
{
	return &slots->memory[slot];
}

/* ---- what was counted ---- */

struct sw_flow_stats meter_slots_stats(const struct meter_slots *slots, uint16_t slot, uint32_t band)
{
	struct sw_flow_stats sum = {0};

	for (uint32_t row = 0; row < slots->n_rows; row++) {
		const struct sw_flow_stats *stats = row_of(slots, row, slot, band);

		sum.packets += __atomic_load_n(&stats->packets, __ATOMIC_RELAXED);
		sum.bytes += __atomic_load_n(&stats->bytes, __ATOMIC_RELAXED);
	}
	return sum;
}

void meter_slots_count(struct meter_slots *slots, uint16_t slot, uint32_t band, uint32_t size)
{
	struct sw_flow_stats *own = row_of(slots, slots->n_rows - 1, slot, band);

	own->packets++;
	own->bytes += size;
}

/* ---- time ---- */

void meter_band_rest(struct sw_meter_band *band, uint64_t since_ns, uint64_t now_ns)
{
	uint64_t was = sw_meter_read(band), lack = sw_meter_lack(was, since_ns * band->fill);

	if (now_ns > since_ns && (unsigned __int128)(now_ns - since_ns) * band->fill >= lack)
		__sync_val_compare_and_swap(&band->full_at, was, now_ns * band->fill);
}

void meter_slots_sweep(struct meter_slots *slots, uint64_t now_ns)
{
	uint64_t since_ns = slots->swept_ns;

	if (since_ns && now_ns < since_ns + SWEEP_NS)
		return;
	slots->swept_ns = now_ns;
	for (uint32_t slot = 1; since_ns && slot < SW_MAX_METERS; slot++) {
		struct sw_meter *meter = &slots->memory[slot];

		for (uint32_t i = 0; slots->n_users[slot] && i < meter->n_bands; i++)
			meter_band_rest(&meter->bands[i], since_ns, now_ns);
	}
}
