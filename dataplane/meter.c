/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/meter.h"

#include "bpf/meter.h"
#include "dataplane/id_map.h"
#include "dataplane/meter_slots.h"

#include <stdlib.h>
#include <string.h>

#define MILLION         1000000U
#define BILLION         1000000000U
#define BITS_PER_KB     1000
#define DEPTH_DIVISOR   10  /* where no burst was given: a tenth of a second */
#define FRAME_KB        525 /* but no less than 64 KiB, rounded up */
#define FRAMES_AT_LEAST 10  /* or so many frames */

#define FLAGS_KNOWN (METER_KBPS | METER_PKTPS | METER_BURST | METER_STATS)

/* One block of memory, with what its pointers point to; but the tally, to which others are linked, has its own. */
struct entry {
	struct meter meter; /* what is handed out */
	struct meter_band *asked;
	struct meter_band_stats *stats; /* what the bands of its slot had counted when it took it over; else its own */
	struct sw_meter_band *own;      /* where it has no slot */
	uint64_t ran_ns;                /* of its own ones, last */
	uint8_t *order;                 /* bands in order of falling rate, the first of equals first */
	bool waits;                     /* it has no slot because there was none */
};

struct meters {
	struct meter_slots *slots;
	uint16_t bridge;
	struct id_map map; /* to struct entry */
	uint32_t n_waiting;
};

struct meters *meters_create(struct meter_slots *slots, uint16_t bridge)
{
	struct meters *meters = calloc(1, sizeof(*meters));

	if (!meters)
		return NULL;
	meters->slots = slots;
	meters->bridge = bridge;
	return meters;
}

static void entry_free(struct entry *entry)
{
	free(entry->meter.in);
	free(entry);
}

static void free_all(struct meters *meters)
{
	for (uint32_t i = 0; i < meters->map.n; i++)
		entry_free(meters->map.values[i]);
	id_map_free(&meters->map);
}

void meters_destroy(struct meters *meters)
{
	if (!meters)
		return;
	free_all(meters);
	free(meters);
}

static struct entry *find(const struct meters *meters, uint32_t id)
{
	return id_map_find(&meters->map, id);
}

/* ---- what a controller asks for ---- */

static enum of_err check_band(const struct meter_band *band)
{
	if (band->type != BAND_DROP && band->type != BAND_DSCP_REMARK)
		return OF_ERR_METER_MOD_BAD_BAND;
	if (!band->rate)
		return OF_ERR_METER_MOD_BAD_RATE;
	return OF_OK;
}

static enum of_err check(const struct meter_mod *mod)
{
	bool is_kbps = mod->flags & METER_KBPS, is_pktps = mod->flags & METER_PKTPS;

	if ((!mod->id || mod->id > METER_MAX) && mod->id != METER_SLOWPATH && mod->id != METER_CONTROLLER)
		return OF_ERR_METER_MOD_INVALID_METER;
	if (is_kbps == is_pktps || mod->flags & ~FLAGS_KNOWN)
		return OF_ERR_METER_MOD_BAD_FLAGS;
	if (mod->n_bands > METER_BANDS_LIMIT)
		return OF_ERR_METER_MOD_OUT_OF_BANDS;
	for (uint32_t i = 0; i < mod->n_bands; i++) {
		enum of_err err = check_band(&mod->bands[i]);

		if (err)
			return err;
	}
	return OF_OK;
}

static uint64_t max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint32_t greatest_divisor(uint32_t a, uint32_t b)
{
	return b ? greatest_divisor(b, a % b) : a;
}

/*
 * The unit is the largest of which both a nanosecond's fill and a bit, or a frame, are whole numbers. The deepest
 * bucket that can be asked for, 2^32 kb or frames, is then still less than 2^62 of them.
 */
static struct sw_meter_band bucket_of(const struct meter_band *band, uint16_t flags)
{
	bool is_kbps = flags & METER_KBPS, has_burst = flags & METER_BURST && band->burst;
	uint32_t ones = is_kbps ? MILLION : BILLION, divisor = greatest_divisor(band->rate, ones);
	uint64_t depth =
		has_burst ? band->burst : max(band->rate / DEPTH_DIVISOR, is_kbps ? FRAME_KB : FRAMES_AT_LEAST);

	return (struct sw_meter_band){
		.depth = depth * (is_kbps ? BITS_PER_KB : 1) * (ones / divisor),
		.fill = band->rate / divisor,
		.price = ones / divisor,
		.drops = band->type == BAND_DROP,
		.levels = band->type == BAND_DROP ? 0 : band->prec_level,
	};
}

static void sort(struct entry *entry)
{
	for (uint32_t i = 0; i < entry->meter.n_bands; i++) {
		uint32_t at = i;

		for (; at && entry->asked[entry->order[at - 1]].rate < entry->asked[i].rate; at--)
			entry->order[at] = entry->order[at - 1];
		entry->order[at] = i;
	}
}

static void set_waits(struct meters *meters, struct entry *entry, bool waits)
{
	meters->n_waiting += waits;
	meters->n_waiting -= entry->waits;
	entry->waits = waits;
}

/*
 * A slot with its buckets as they are, or that of a meter of before the start that is the same, as that is. What its
 * bands have counted so far is counted on from.
 */
static void take_slot(struct meters *meters, struct entry *entry)
{
	struct sw_meter meter = {.id = entry->meter.id, .bridge = meters->bridge, .n_bands = entry->meter.n_bands};

	if (!meters->slots || entry->meter.n_bands > SW_METER_BANDS || entry->meter.id > METER_MAX)
		return;
	meter.flags = (entry->meter.flags & METER_PKTPS ? SW_METER_FRAMES : 0) |
		      (entry->meter.remarks ? SW_METER_REMARKS : 0);
	for (uint32_t i = 0; i < meter.n_bands; i++)
		meter.bands[i] = entry->own[entry->order[i]];
	entry->meter.slot = meter_slots_take(meters->slots, &meter);
	set_waits(meters, entry, !entry->meter.slot);
	for (uint32_t i = 0; entry->meter.slot && i < meter.n_bands; i++) {
		struct sw_flow_stats had = meter_slots_stats(meters->slots, entry->meter.slot, i);
		struct meter_band_stats *stats = &entry->stats[entry->order[i]];

		*stats = (struct meter_band_stats){had.packets - stats->packets, had.bytes - stats->bytes};
	}
}

/* Its counters are zero, its buckets full. */
static struct entry *entry_create(struct meters *meters, const struct meter_mod *mod, uint64_t now_ns)
{
	uint32_t n = mod->n_bands;
	struct entry *entry = calloc(1, sizeof(*entry) + n * (sizeof(*entry->own) + sizeof(*entry->stats) +
								     sizeof(*entry->asked) + sizeof(*entry->order)));

	if (!entry)
		return NULL;
	entry->own = (struct sw_meter_band *)&entry[1];
	entry->stats = (struct meter_band_stats *)&entry->own[n];
	entry->asked = (struct meter_band *)&entry->stats[n];
	entry->order = (uint8_t *)&entry->asked[n];
	entry->ran_ns = now_ns;
	entry->meter = (struct meter){
		.id = mod->id, .flags = mod->flags, .n_bands = n, .bands = entry->asked, .created_ns = now_ns};
	for (uint32_t i = 0; i < n; i++) {
		entry->asked[i] = mod->bands[i];
		entry->own[i] = bucket_of(&mod->bands[i], mod->flags);
		entry->own[i].full_at = now_ns * entry->own[i].fill;
		entry->meter.remarks |= mod->bands[i].type == BAND_DSCP_REMARK;
	}
	sort(entry);
	take_slot(meters, entry);
	return entry;
}

static void leave_slot(struct meters *meters, struct entry *entry)
{
	set_waits(meters, entry, false);
	if (entry->meter.slot)
		meter_slots_drop(meters->slots, entry->meter.slot);
}

static void discard(struct meters *meters, struct entry *entry)
{
	if (!entry)
		return;
	leave_slot(meters, entry);
	entry_free(entry);
}

static enum of_err add(struct meters *meters, const struct meter_mod *mod, uint64_t now_ns)
{
	enum of_err err = check(mod);
	struct entry *entry;

	if (err)
		return err;
	if (find(meters, mod->id))
		return OF_ERR_METER_MOD_METER_EXISTS;
	if (meters->map.n >= METERS_LIMIT)
		return OF_ERR_METER_MOD_OUT_OF_METERS;
	entry = entry_create(meters, mod, now_ns);
	if (entry)
		entry->meter.in = calloc(1, sizeof(*entry->meter.in));
	if (!entry || !entry->meter.in || id_map_insert(&meters->map, mod->id, entry) < 0) {
		discard(meters, entry);
		return OF_ERR_METER_MOD_OUT_OF_METERS;
	}
	return OF_OK;
}

static enum of_err modify(struct meters *meters, const struct meter_mod *mod, uint64_t now_ns)
{
	enum of_err err = check(mod);
	struct entry *old, *entry;

	if (err)
		return err;
	old = find(meters, mod->id);
	if (!old)
		return OF_ERR_METER_MOD_UNKNOWN_METER;
	entry = entry_create(meters, mod, now_ns);
	if (!entry)
		return OF_ERR_METER_MOD_OUT_OF_METERS;
	entry->meter.in = old->meter.in;
	old->meter.in = NULL;
	entry->meter.created_ns = old->meter.created_ns;
	entry->meter.n_rules = old->meter.n_rules;
	id_map_replace(&meters->map, mod->id, entry);
	discard(meters, old);
	return OF_OK;
}

/* To delete what is not there is no error, OF 1.3.5 §6.5. */
static void remove_named(struct meters *meters, uint32_t id)
{
	struct entry *entry = find(meters, id);

	if (id == METER_ALL) {
		for (uint32_t i = 0; i < meters->map.n; i++)
			leave_slot(meters, meters->map.values[i]);
		free_all(meters);
	} else if (entry) {
		id_map_remove(&meters->map, id);
		discard(meters, entry);
	}
}

enum of_err meters_mod(struct meters *meters, const struct meter_mod *mod, uint64_t now_ns)
{
	switch (mod->command) {
	case METER_ADD:
		return add(meters, mod, now_ns);
	case METER_MODIFY:
		return modify(meters, mod, now_ns);
	case METER_DELETE:
		remove_named(meters, mod->id);
		return OF_OK;
	default:
		return OF_ERR_METER_MOD_BAD_COMMAND;
	}
}

/* ---- what there is ---- */

const struct meter *meters_find(const struct meters *meters, uint32_t id)
{
	const struct entry *entry = find(meters, id);

	return entry ? &entry->meter : NULL;
}

const struct meter *meters_next(const struct meters *meters, uint32_t id)
{
	const struct entry *entry = id < METER_ALL ? id_map_at_or_above(&meters->map, id + 1) : NULL;

	return entry ? &entry->meter : NULL;
}

uint32_t meters_count(const struct meters *meters)
{
	return meters->map.n;
}

void meters_hold(struct meters *meters, uint32_t id, int change)
{
	struct entry *entry = find(meters, id);

	if (entry)
		entry->meter.n_rules += (uint32_t)change;
}

/* ---- frames ---- */

struct meter_band_stats meters_band_stats(const struct meters *meters, const struct meter *meter, uint32_t band)
{
	const struct entry *entry = find(meters, meter->id);
	struct meter_band_stats stats = entry->stats[band];

	for (uint32_t i = 0; meter->slot && i < meter->n_bands; i++) {
		struct sw_flow_stats sum;

		if (entry->order[i] != band)
			continue;
		sum = meter_slots_stats(meters->slots, meter->slot, i);
		stats = (struct meter_band_stats){sum.packets - stats.packets, sum.bytes - stats.bytes};
	}
	return stats;
}

/* Its own buckets are not swept: they are moved up before they are asked. */
static void wake(struct entry *entry, uint64_t now_ns)
{
	if (now_ns <= entry->ran_ns)
		return;
	for (uint32_t i = 0; i < entry->meter.n_bands; i++)
		meter_band_rest(&entry->own[i], entry->ran_ns, now_ns);
	entry->ran_ns = now_ns;
}

/* Of the bands that a frame of that size exceeds the one of the highest rate, by its place in that order; n: none. */
static uint32_t own_band_exceeded(struct entry *entry, uint32_t size, uint64_t now_ns)
{
	uint32_t flags = entry->meter.flags & METER_PKTPS ? SW_METER_FRAMES : 0, n = entry->meter.n_bands, worst = n;

	wake(entry, now_ns);
	for (uint32_t i = 0; i < n; i++) {
		struct sw_meter_band *band = &entry->own[entry->order[i]];

		if (!sw_meter_take(band, sw_meter_amount(band, flags, size), 0, entry->ran_ns) && worst == n)
			worst = i;
	}
	return worst;
}

const struct meter *meters_serve(struct meters *meters, uint64_t now_ns)
{
	uint32_t i = 0;
	struct entry *entry;

	if (!meters->n_waiting || !meter_slots_any_free(meters->slots))
		return NULL;
	while (!((struct entry *)meters->map.values[i])->waits)
		i++;
	entry = meters->map.values[i];
	wake(entry, now_ns);
	take_slot(meters, entry);
	return &entry->meter;
}

static uint32_t band_exceeded(struct meters *meters, struct entry *entry, uint32_t size, uint64_t now_ns)
{
	uint32_t band;

	if (!entry->meter.slot)
		return own_band_exceeded(entry, size, now_ns);
	band = sw_meter_run(meter_slots_at(meters->slots, entry->meter.slot), size, now_ns);
	return band == SW_METER_BANDS ? entry->meter.n_bands : band;
}

static void count(struct meters *meters, struct entry *entry, uint32_t at, uint32_t size)
{
	if (entry->meter.slot) {
		meter_slots_count(meters->slots, entry->meter.slot, at, size);
		return;
	}
	entry->stats[entry->order[at]].packets++;
	entry->stats[entry->order[at]].bytes += size;
}

enum meter_verdict meters_run(struct meters *meters, uint32_t id, uint32_t size, uint64_t now_ns, uint8_t *ret_levels)
{
	struct entry *entry = find(meters, id);
	const struct meter_band *band;
	uint32_t at;

	if (!entry)
		return METER_PASS;
	at = band_exceeded(meters, entry, size, now_ns);
	if (at == entry->meter.n_bands)
		return METER_PASS;
	count(meters, entry, at, size);
	band = &entry->asked[entry->order[at]];
	if (band->type == BAND_DROP)
		return METER_DROP;
	*ret_levels = band->prec_level;
	return METER_REMARK;
}
