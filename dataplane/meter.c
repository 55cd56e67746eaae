/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/meter.h"

#include "dataplane/id_map.h"

#include <stdlib.h>
#include <string.h>

#define BILLION         1000000000
#define BITS_PER_KB     1000
#define DEPTH_DIVISOR   10  /* where no burst was given: a tenth of a second */
#define FRAME_KB        525 /* but no less than 64 KiB, rounded up */
#define FRAMES_AT_LEAST 10  /* or so many frames */

#define FLAGS_KNOWN (METER_KBPS | METER_PKTPS | METER_BURST | METER_STATS)

enum { METER_ADD, METER_MODIFY, METER_DELETE }; /* OFPMC_* */

/*
 * Of a bit or of a frame: what a rate in whole ones a second fills in a nanosecond is then a whole number. 128 bits,
 * since a burst of 4 Gkb are 4 * 10^21 of them.
 */
typedef __int128 billionths;

struct bucket {
	billionths level; /* below zero: a frame larger than the bucket went through on credit */
	billionths depth;
	uint64_t rate; /* a nanosecond */
};

/* One block of memory, with what its pointers point to. */
struct entry {
	struct meter meter; /* what is handed out */
	uint64_t filled_ns;
	struct meter_band *asked;
	struct meter_band_stats *stats;
	struct bucket buckets[]; /* one a band, as the other two */
};

struct meters {
	struct id_map map; /* to struct entry */
};

struct meters *meters_create(void)
{
	return calloc(1, sizeof(struct meters));
}

static void remove_all(struct meters *meters)
{
	for (uint32_t i = 0; i < meters->map.n; i++)
		free(meters->map.values[i]);
	id_map_free(&meters->map);
}

void meters_destroy(struct meters *meters)
{
	if (!meters)
		return;
	remove_all(meters);
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

static void bucket_init(struct bucket *bucket, const struct meter_band *band, uint16_t flags)
{
	bool is_kbps = flags & METER_KBPS, has_burst = flags & METER_BURST && band->burst;
	uint64_t unit = is_kbps ? BITS_PER_KB : 1, at_least = is_kbps ? FRAME_KB : FRAMES_AT_LEAST;
	uint64_t depth = has_burst ? band->burst : max(band->rate / DEPTH_DIVISOR, at_least);

	bucket->rate = band->rate * unit;
	bucket->depth = (billionths)depth * unit * BILLION;
	bucket->level = bucket->depth;
}

/* Its counters are zero, its buckets full. */
static struct entry *entry_create(const struct meter_mod *mod, uint64_t now_ns)
{
	uint32_t n = mod->n_bands;
	struct entry *entry = calloc(
		1, sizeof(*entry) + n * (sizeof(*entry->buckets) + sizeof(*entry->stats) + sizeof(*entry->asked)));

	if (!entry)
		return NULL;
	entry->stats = (struct meter_band_stats *)&entry->buckets[n];
	entry->asked = (struct meter_band *)&entry->stats[n];
	entry->filled_ns = now_ns;
	for (uint32_t i = 0; i < n; i++) {
		entry->asked[i] = mod->bands[i];
		bucket_init(&entry->buckets[i], &mod->bands[i], mod->flags);
	}
	entry->meter = (struct meter){.id = mod->id,
		.flags = mod->flags,
		.n_bands = n,
		.bands = entry->asked,
		.band_stats = entry->stats,
		.created_ns = now_ns};
	return entry;
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
	entry = entry_create(mod, now_ns);
	if (!entry || id_map_insert(&meters->map, mod->id, entry) < 0) {
		free(entry);
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
	entry = entry_create(mod, now_ns);
	if (!entry)
		return OF_ERR_METER_MOD_OUT_OF_METERS;
	entry->meter.packets_in = old->meter.packets_in;
	entry->meter.bytes_in = old->meter.bytes_in;
	entry->meter.created_ns = old->meter.created_ns;
	entry->meter.n_rules = old->meter.n_rules;
	id_map_replace(&meters->map, mod->id, entry);
	free(old);
	return OF_OK;
}

/* To delete what is not there is no error, OF 1.3.5 §6.5. */
static void remove_named(struct meters *meters, uint32_t id)
{
	struct entry *entry = find(meters, id);

	if (id == METER_ALL) {
		remove_all(meters);
	} else if (entry) {
		id_map_remove(&meters->map, id);
		free(entry);
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

static void fill(struct entry *entry, uint64_t now_ns)
{
	uint64_t passed_ns = now_ns > entry->filled_ns ? now_ns - entry->filled_ns : 0;

	for (uint32_t i = 0; i < entry->meter.n_bands; i++) {
		struct bucket *bucket = &entry->buckets[i];

		bucket->level += (billionths)bucket->rate * passed_ns;
		if (bucket->level > bucket->depth)
			bucket->level = bucket->depth;
	}
	entry->filled_ns += passed_ns;
}

/* A full bucket lets any frame through: one that is deeper than a frame never has to. */
static bool take(struct bucket *bucket, billionths amount)
{
	if (bucket->level < amount && bucket->level < bucket->depth)
		return false;
	bucket->level -= amount;
	return true;
}

/* Of the bands that a frame of that size exceeds the one of the highest rate, the first of equals; n_bands: none. */
static uint32_t band_exceeded(struct entry *entry, uint32_t size)
{
	billionths amount = (billionths)(entry->meter.flags & METER_KBPS ? (uint64_t)size * 8 : 1) * BILLION;
	uint32_t n = entry->meter.n_bands, worst = n;

	for (uint32_t i = 0; i < n; i++) {
		if (take(&entry->buckets[i], amount))
			continue;
		if (worst == n || entry->asked[i].rate > entry->asked[worst].rate)
			worst = i;
	}
	return worst;
}

enum meter_verdict meters_run(struct meters *meters, uint32_t id, uint32_t size, uint64_t now_ns, uint8_t *ret_levels)
{
	struct entry *entry = find(meters, id);
	uint32_t band;

	if (!entry)
		return METER_PASS;
	entry->meter.packets_in++;
	entry->meter.bytes_in += size;
	fill(entry, now_ns);
	band = band_exceeded(entry, size);
	if (band == entry->meter.n_bands)
		return METER_PASS;
	entry->stats[band].packets++;
	entry->stats[band].bytes += size;
	if (entry->asked[band].type == BAND_DROP)
		return METER_DROP;
	*ret_levels = entry->asked[band].prec_level;
	return METER_REMARK;
}
