/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/cache_masks.h"

#include "bpf/hash.h"
#include "dataplane/epoch.h"
#include "dataplane/flow.h"

#include <errno.h>
#include <string.h>

#define SHALLOW_SWEEPS 10 /* so long must nobody have looked deep before the depth is lowered */

static bool has(uint64_t ids, uint32_t id)
{
	return ids >> id & 1;
}

uint32_t mask_n_words(const struct sw_key *bits)
{
	uint32_t n = SW_KEY_WORDS;

	while (n && !bits->w[n - 1])
		n--;
	return n;
}

bool mask_covers(const struct sw_key *mask, const struct sw_key *bits)
{
	uint64_t left = 0;

	for (int w = 0; w < SW_KEY_WORDS; w++)
		left |= bits->w[w] & ~mask->w[w];
	return !left;
}

void masks_init(struct masks *masks, struct sw_config *config, bool adopted)
{
	memset(masks, 0, sizeof(*masks));
	masks->config = config;
	masks->leaving = SW_MAX_MASKS;
	if (adopted) {
		for (uint32_t id = 0; id < SW_MAX_MASKS; id++)
			config->folded[id] = sw_fold(&config->masks[id].bits); /* as they should be already */
		return;
	}
	config->n_order = config->words = 0;
	config->depth = SW_L2_WORDS;
	memset(config->masks, 0, sizeof(config->masks));
}

/* Before a mask comes into the order that has bits in a word in which no other had any, and after it has left. */
static void tell_words(struct masks *masks)
{
	uint32_t words = 0;

	for (uint64_t left = masks->live; left; left &= left - 1)
		words |= sw_sum_words(&masks->config->folded[__builtin_ctzll(left)]);
	__atomic_store_n(&masks->config->words, words, __ATOMIC_RELEASE);
}

/* Every mask of `ids` exactly once, those that the order has already in the place that they have. */
static void rebuild_order(struct sw_config *config, uint64_t ids)
{
	uint32_t n_had = config->n_order < SW_MAX_MASKS ? config->n_order : SW_MAX_MASKS, n = 0;
	uint64_t left = ids;
	uint8_t order[SW_MAX_MASKS];

	for (uint32_t i = 0; i < n_had; i++) {
		uint8_t id = config->order[i];

		if (id >= SW_MAX_MASKS || !has(left, id))
			continue;
		order[n++] = id;
		left &= ~(1ULL << id);
	}
	for (uint32_t id = 0; id < SW_MAX_MASKS; id++) {
		if (has(left, id))
			order[n++] = id;
	}
	for (uint32_t i = 0; i < n; i++)
		__atomic_store_n(&config->order[i], order[i], __ATOMIC_RELAXED);
	__atomic_store_n(&config->n_order, n, __ATOMIC_RELEASE);
}

void masks_adopt(struct masks *masks, const uint32_t n_flows[SW_MAX_MASKS], const uint16_t owner[SW_MAX_MASKS])
{
	struct sw_config *config = masks->config;

	for (uint32_t id = 0; id < SW_MAX_MASKS; id++) {
		config->masks[id].n_flows = n_flows[id];
		masks->owner[id] = owner[id];
		if (n_flows[id])
			masks->live |= 1ULL << id;
	}
	masks->limbo = ~masks->live;
	/* The last daemon may have died between raising it and the end of the grace period. */
	masks->depth = DEPTH_RAISED;
	tell_words(masks);
	rebuild_order(config, masks->live);
}

static bool is_deep(uint32_t n_words)
{
	return n_words > SW_L2_WORDS;
}

void masks_deepen(struct masks *masks)
{
	masks->n_shallow_sweeps = 0;
	if (is_deep(masks->config->depth))
		return;
	__atomic_store_n(&masks->config->depth, SW_KEY_WORDS, __ATOMIC_RELEASE);
	epoch_end(&masks->config->epoch);
	masks->depth = DEPTH_RAISED;
}

/* Whether a flow that looks at so many words may be published. Else the depth is on its way. */
static bool is_parsed(struct masks *masks, uint32_t n_words)
{
	if (!is_deep(n_words))
		return true;
	masks_deepen(masks);
	return masks->depth == DEPTH_SETTLED;
}

/* n_words is compared too: what a crash left half written in limbo is no match. */
static uint32_t find(const struct masks *masks, const struct sw_key *bits, uint32_t n_words)
{
	uint64_t left = masks->live | masks->limbo | masks->closing;

	for (; left; left &= left - 1) {
		uint32_t id = __builtin_ctzll(left);

		const struct sw_mask *mask = &masks->config->masks[id];

		if (mask->n_words == n_words && key_equal(&mask->bits, bits))
			return id;
	}
	return SW_MAX_MASKS;
}

static void add_bits(struct sw_key *to, const struct sw_key *bits)
{
	for (int w = 0; w < SW_KEY_WORDS; w++)
		to->w[w] |= bits->w[w];
}

/* These bits; and, for a mask that gathers, what could not be looked at of late, and what all masks look at. */
static struct sw_key bits_to_write(const struct masks *masks, const struct sw_key *bits)
{
	struct sw_key all = *bits;

	if (!masks->gathers)
		return all;
	add_bits(&all, &masks->wanted_bits);
	for (uint64_t left = masks->live; left; left &= left - 1)
		add_bits(&all, &masks->config->masks[__builtin_ctzll(left)].bits);
	return all;
}

static void end_gathering(struct masks *masks)
{
	masks->gathers = false;
	masks->wanted_bits = (struct sw_key){0};
}

static uint64_t used_ids(const struct masks *masks)
{
	return masks->live | masks->limbo | masks->closing;
}

static int write_free(struct masks *masks, const struct sw_key *bits, uint16_t in_port, uint32_t *ret_id)
{
	const struct sw_key all = bits_to_write(masks, bits);
	const uint32_t n_words = mask_n_words(&all), id = __builtin_ctzll(~used_ids(masks));

	if (!is_parsed(masks, n_words))
		return -EAGAIN;
	end_gathering(masks);
	masks->config->masks[id] = (struct sw_mask){.bits = all, .n_words = n_words};
	masks->config->folded[id] = sw_fold(&all);
	masks->owner[id] = in_port;
	masks->hits[id] = 0;
	*ret_id = id;
	return 0;
}

static uint32_t count_bits(const struct sw_key *bits)
{
	uint32_t n = 0;

	for (int w = 0; w < SW_KEY_WORDS; w++)
		n += __builtin_popcountll(bits->w[w]);
	return n;
}

/* The live mask that looks at all of these bits, and at the fewest beside them. */
static uint32_t find_covering(const struct masks *masks, const struct sw_key *bits)
{
	uint32_t best = SW_MAX_MASKS, least = UINT32_MAX;

	for (uint64_t left = masks->live; left; left &= left - 1) {
		uint32_t id = __builtin_ctzll(left), n;
		const struct sw_key *mask = &masks->config->masks[id].bits;

		if (id == masks->leaving || !mask_covers(mask, bits))
			continue;
		n = count_bits(mask);
		if (n < least) {
			best = id;
			least = n;
		}
	}
	return best;
}

int masks_get(struct masks *masks, const struct sw_key *bits, uint16_t in_port, uint16_t *ret)
{
	const uint32_t n_words = mask_n_words(bits);
	uint32_t id;
	int error = 0;

	if (!is_parsed(masks, n_words))
		return -EAGAIN;
	id = find(masks, bits, n_words);
	if (id == SW_MAX_MASKS && !masks_full(masks))
		error = write_free(masks, bits, in_port, &id);
	else if (id == SW_MAX_MASKS || id == masks->leaving)
		id = find_covering(masks, bits);
	if (error)
		return error;
	if (id == SW_MAX_MASKS) {
		masks->wanted = true;
		add_bits(&masks->wanted_bits, bits);
		return -ENOSPC;
	}
	*ret = id;
	return 0;
}

bool masks_full(const struct masks *masks)
{
	return !~used_ids(masks);
}

void masks_hold(struct masks *masks, uint16_t id)
{
	struct sw_config *config = masks->config;
	uint32_t n = config->n_order;

	if (config->masks[id].n_flows++)
		return;
	masks->limbo &= ~(1ULL << id);
	masks->closing &= ~(1ULL << id);
	masks->live |= 1ULL << id;
	tell_words(masks);
	__atomic_store_n(&config->order[n], id, __ATOMIC_RELAXED);
	__atomic_store_n(&config->n_order, n + 1, __ATOMIC_RELEASE);
}

void masks_drop(struct masks *masks, uint16_t id)
{
	struct sw_config *config = masks->config;
	uint32_t last = config->n_order - 1, i = 0;

	if (--config->masks[id].n_flows)
		return;
	masks->live &= ~(1ULL << id);
	masks->limbo |= 1ULL << id;
	while (config->order[i] != id)
		i++;
	__atomic_store_n(&config->order[i], config->order[last], __ATOMIC_RELAXED);
	__atomic_store_n(&config->n_order, last, __ATOMIC_RELEASE);
	tell_words(masks);
}

bool masks_want_grace(const struct masks *masks)
{
	return masks->limbo || masks->depth == DEPTH_RAISED;
}

void masks_grace_began(struct masks *masks)
{
	masks->closing |= masks->limbo;
	masks->limbo = 0;
	if (masks->depth == DEPTH_RAISED)
		masks->depth = DEPTH_RISING;
}

void masks_grace_ended(struct masks *masks)
{
	for (; masks->closing; masks->closing &= masks->closing - 1) {
		uint32_t id = __builtin_ctzll(masks->closing);

		masks->config->masks[id] = (struct sw_mask){0};
		if (id == masks->leaving)
			masks->leaving = SW_MAX_MASKS;
	}
	if (masks->depth == DEPTH_RISING)
		masks->depth = DEPTH_SETTLED;
}

/* `b` was hit so much more than `a`, which stands before it, that they should change places. */
static bool is_overtaken(const struct masks *masks, uint8_t a, uint8_t b)
{
	return masks->hits[b] > masks->hits[a] + masks->hits[a] / 4;
}

static void sort(struct masks *masks)
{
	__u8 *order = masks->config->order;

	for (uint32_t i = 1; i < masks->config->n_order; i++) {
		for (uint32_t j = i; j && is_overtaken(masks, order[j - 1], order[j]); j--) {
			uint8_t before = order[j - 1];

			__atomic_store_n(&order[j - 1], order[j], __ATOMIC_RELAXED);
			__atomic_store_n(&order[j], before, __ATOMIC_RELAXED);
		}
	}
}

static bool any_deep(const struct masks *masks)
{
	for (uint64_t left = masks->live | masks->limbo | masks->closing; left; left &= left - 1) {
		if (is_deep(masks->config->masks[__builtin_ctzll(left)].n_words))
			return true;
	}
	return false;
}

static void lower_depth(struct masks *masks)
{
	if (!is_deep(masks->config->depth) || any_deep(masks)) {
		masks->n_shallow_sweeps = 0;
		return;
	}
	if (++masks->n_shallow_sweeps < SHALLOW_SWEEPS)
		return;
	__atomic_store_n(&masks->config->depth, SW_L2_WORDS, __ATOMIC_RELEASE);
	masks->depth = DEPTH_SETTLED;
}

void masks_sweep(struct masks *masks)
{
	sort(masks);
	lower_depth(masks);
	for (uint32_t id = 0; id < SW_MAX_MASKS; id++)
		masks->hits[id] /= 2;
	if (!masks->wanted && !masks_full(masks))
		end_gathering(masks); /* nobody was there to write it, and nobody needs it any more */
	masks->wanted = false;
	if (has(masks->live, masks->leaving % SW_MAX_MASKS)) /* a flow of it was given another slot meanwhile */
		masks->leaving = SW_MAX_MASKS;
}

static uint32_t count_of(const struct masks *masks, uint16_t owner)
{
	uint32_t n = 0;

	for (uint64_t left = masks->live; left; left &= left - 1)
		n += masks->owner[__builtin_ctzll(left)] == owner;
	return n;
}

/* Whether `a` should go rather than `b`. */
static bool goes_before(const struct masks *masks, uint16_t a, uint16_t b)
{
	uint32_t n_a = count_of(masks, masks->owner[a]), n_b = count_of(masks, masks->owner[b]);

	return n_a != n_b ? n_a > n_b : masks->hits[a] < masks->hits[b];
}

uint16_t masks_give_up(struct masks *masks)
{
	uint16_t first = SW_MAX_MASKS;

	for (uint64_t left = masks->live; left; left &= left - 1) {
		uint16_t id = __builtin_ctzll(left);

		if (first == SW_MAX_MASKS || goes_before(masks, id, first))
			first = id;
	}
	if (first == SW_MAX_MASKS)
		return first;
	masks->leaving = first;
	masks->gathers = true;
	add_bits(&masks->wanted_bits, &masks->config->masks[first].bits); /* its flows will want a mask again */
	return first;
}

uint32_t masks_count(const struct masks *masks)
{
	return __builtin_popcountll(masks->live);
}
