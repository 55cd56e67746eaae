/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/cls_subtable.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_HALF   1
#define FIRST_LEVELS 2

/* The flow's words and bits that a stage takes, in its order; what no row names is layer 3's. */
static struct flow stage_bits(enum cls_stage stage)
{
	struct flow bits = {0};

	switch (stage) {
	case CLS_PIPELINE:
		bits.x.f.in_ifindex = ~0U;
		for (int w = FLOW_META_WORD; w < FLOW_WORDS; w++)
			bits.w[w] = ~0ULL;
		break;
	case CLS_LAYER_2:
		for (int w = 0; w < SW_L2_WORDS; w++)
			bits.w[w] = ~0ULL;
		bits.x.f.in_ifindex = 0;
		break;
	case CLS_LAYER_4:
		bits.x.f.l4_src_be = 0xffff;
		bits.x.f.l4_dst_be = 0xffff;
		bits.x.f.tcp_flags_be = 0xffff;
		break;
	default:
		for (int w = SW_L2_WORDS; w < FLOW_META_WORD; w++)
			bits.w[w] = ~0ULL;
		bits.x.f.l4_src_be = 0;
		bits.x.f.l4_dst_be = 0;
		bits.x.f.tcp_flags_be = 0;
		break;
	}
	return bits;
}

uint64_t cls_mask_hash(const struct flow *mask)
{
	uint64_t hash = 0;

	for (int w = 0; w < FLOW_WORDS; w++)
		hash = sw_hash_step(hash, mask->w[w]);
	return sw_hash_step(hash, 0);
}

/* Returns how many steps the mask takes; `ret` may be NULL. */
static uint32_t plan(const struct flow *mask, struct cls_subtable *ret)
{
	uint32_t n = 0;

	for (int stage = 0; stage < CLS_STAGES; stage++) {
		struct flow bits = stage_bits(stage);
		uint32_t at = 0;

		for (int w = 0; w < FLOW_WORDS; w++) {
			uint64_t taken = mask->w[w] & bits.w[w];

			if (taken && ret)
				ret->steps[n] = (struct cls_step){taken, (uint8_t)w, (uint8_t)at};
			n += !!taken;
			at += !!mask->w[w];
		}
		if (ret)
			ret->stage_end[stage] = (uint8_t)n;
	}
	return n;
}

struct cls_subtable *subtable_create(const struct flow *mask)
{
	uint32_t n_steps = plan(mask, NULL);
	struct cls_subtable *subtable = calloc(1, sizeof(*subtable) + n_steps * sizeof(struct cls_step));

	if (!subtable)
		return NULL;
	subtable->buckets = calloc(FIRST_HALF * 2, sizeof(struct cls_rule *));
	if (!subtable->buckets) {
		free(subtable);
		return NULL;
	}
	subtable->half = FIRST_HALF;
	subtable->n_buckets = FIRST_HALF * 2;
	subtable->mask = *mask;
	subtable->hash = cls_mask_hash(mask);
	subtable->n_steps = (uint8_t)plan(mask, subtable);
	cls_prefix_lengths(mask, subtable->prefix_length);
	for (int w = 0; w < FLOW_WORDS; w++) {
		if (mask->w[w])
			subtable->word[subtable->n_words++] = (uint8_t)w;
	}
	return subtable;
}

void subtable_destroy(struct cls_subtable *subtable)
{
	for (int stage = 0; stage < CLS_LAYER_4; stage++)
		cls_set_free(&subtable->stage_set[stage]);
	free(subtable->levels);
	free(subtable->buckets);
	free(subtable);
}

/* The place of the first level that is not below `priority`. */
static uint32_t level_place(const struct cls_subtable *subtable, uint16_t priority)
{
	uint32_t low = 0, high = subtable->n_levels;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (subtable->levels[middle].priority < priority)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint16_t subtable_max_priority(const struct cls_subtable *subtable)
{
	assert(subtable->n_levels);
	return subtable->levels[subtable->n_levels - 1].priority;
}

bool subtable_has_priority(const struct cls_subtable *subtable, uint16_t priority)
{
	uint32_t at = level_place(subtable, priority);

	return at < subtable->n_levels && subtable->levels[at].priority == priority;
}

/* Makes room for one more level. */
static int grow_levels(struct cls_subtable *subtable)
{
	uint32_t size = subtable->levels_size ? subtable->levels_size * 2 : FIRST_LEVELS;
	struct cls_level *levels;

	if (subtable->n_levels < subtable->levels_size)
		return 0;
	levels = reallocarray(subtable->levels, size, sizeof(*levels));
	if (!levels)
		return -ENOMEM;
	subtable->levels = levels;
	subtable->levels_size = size;
	return 0;
}

/* There is room (grow_levels()). */
static void count_priority(struct cls_subtable *subtable, uint16_t priority)
{
	uint32_t at = level_place(subtable, priority);
	struct cls_level *level = &subtable->levels[at];

	if (at == subtable->n_levels || level->priority != priority) {
		memmove(level + 1, level, (subtable->n_levels - at) * sizeof(*level));
		*level = (struct cls_level){0, priority};
		subtable->n_levels++;
	}
	level->n_rules++;
}

static void uncount_priority(struct cls_subtable *subtable, uint16_t priority)
{
	uint32_t at = level_place(subtable, priority);
	struct cls_level *level = &subtable->levels[at];

	assert(at < subtable->n_levels && level->priority == priority);
	if (--level->n_rules)
		return;
	subtable->n_levels--;
	memmove(level, level + 1, (subtable->n_levels - at) * sizeof(*level));
}

/* Of the steps up to `end`, continued as subtable_hash() is. */
static uint64_t rule_hash(
	const struct cls_subtable *subtable, const struct cls_rule *rule, uint32_t step, uint32_t end, uint64_t hash)
{
	for (; step < end; step++)
		hash = sw_hash_step(hash, rule->words[subtable->steps[step].at] & subtable->steps[step].bits);
	return hash;
}

static uint64_t whole_hash(const struct cls_subtable *subtable, const struct cls_rule *rule)
{
	return rule_hash(subtable, rule, 0, subtable->n_steps, 0);
}

/* Adds the rule to the stages' sets, or removes it from them. */
static void count_stages(
	struct cls_subtable *subtable, const struct cls_rule *rule, void (*count)(struct cls_set *set, uint64_t hash))
{
	uint64_t hash = 0;
	uint32_t step = 0;

	for (int stage = 0; stage < CLS_LAYER_4; stage++) {
		hash = rule_hash(subtable, rule, step, subtable->stage_end[stage], hash);
		step = subtable->stage_end[stage];
		if (subtable_has_set(subtable, stage))
			count(&subtable->stage_set[stage], hash);
	}
}

/*
 * One more step: the last one's word may hold what differs in its high bits only, as a port does, and its product alone
 * does not carry them down to the bits that choose the bucket.
 */
static uint32_t bucket_of(const struct cls_subtable *subtable, uint64_t hash)
{
	uint32_t spread = (uint32_t)sw_hash_step(hash, 0);
	uint32_t bucket = spread & (subtable->half * 2 - 1);

	return bucket < subtable->n_buckets ? bucket : spread & (subtable->half - 1);
}

struct cls_rule **subtable_chain(const struct cls_subtable *subtable, uint64_t hash)
{
	return &subtable->buckets[bucket_of(subtable, hash)];
}

/*
 * One bucket more, whose rules come out of the one that stands `half` below it; appending keeps both in order. Without
 * memory the chains stay long, which is slow and no error.
 */
static void add_bucket(struct cls_subtable *subtable)
{
	struct cls_rule *rule, *next, **tail[2];
	uint32_t from;

	if (subtable->n_buckets == subtable->half * 2) {
		struct cls_rule **grown =
			reallocarray(subtable->buckets, subtable->half, 4 * sizeof(struct cls_rule *));

		if (!grown)
			return;
		subtable->buckets = grown;
		subtable->half *= 2;
	}
	from = subtable->n_buckets - subtable->half;
	rule = subtable->buckets[from];
	subtable->buckets[subtable->n_buckets++] = NULL;
	tail[0] = &subtable->buckets[from];
	tail[1] = &subtable->buckets[subtable->n_buckets - 1];
	for (; rule; rule = next) {
		int moves = bucket_of(subtable, whole_hash(subtable, rule)) != from;

		next = rule->next;
		*tail[moves] = rule;
		tail[moves] = &rule->next;
	}
	*tail[0] = *tail[1] = NULL;
}

/* The last bucket goes back into the one that it came from. */
static void drop_bucket(struct cls_subtable *subtable)
{
	struct cls_rule *moved = subtable->buckets[--subtable->n_buckets];
	struct cls_rule **at = &subtable->buckets[subtable->n_buckets - subtable->half], *next;

	for (; moved; moved = next) {
		next = moved->next;
		while (*at && cls_beats(*at, moved))
			at = &(*at)->next;
		moved->next = *at;
		*at = moved;
	}
	if (subtable->n_buckets == subtable->half && subtable->half > FIRST_HALF) {
		struct cls_rule **shrunk;

		shrunk = reallocarray(subtable->buckets, subtable->half, sizeof(struct cls_rule *));
		if (shrunk)
			subtable->buckets = shrunk;
		subtable->half /= 2;
	}
}

static bool has_too_many_buckets(const struct cls_subtable *subtable)
{
	return !subtable->walked && subtable->n_buckets > FIRST_HALF * 2 && subtable->n_buckets / 4 > subtable->n_rules;
}

void subtable_settle(struct cls_subtable *subtable)
{
	while (has_too_many_buckets(subtable))
		drop_bucket(subtable);
}

int subtable_insert(struct cls_subtable *subtable, struct cls_rule *rule, const struct flow *key)
{
	struct cls_rule **at;
	uint64_t hash = subtable_hash(subtable, key, 0, subtable->n_steps, 0);

	for (at = subtable_chain(subtable, hash); *at && cls_beats(*at, rule); at = &(*at)->next) {
		if ((*at)->priority == rule->priority && subtable_matches(subtable, *at, key))
			return -EEXIST;
	}
	if (grow_levels(subtable))
		return -ENOMEM;
	rule->next = *at;
	*at = rule;
	rule->subtable = subtable;
	for (uint32_t i = 0; i < subtable->n_words; i++)
		rule->words[i] = key->w[subtable->word[i]];
	count_priority(subtable, rule->priority);
	count_stages(subtable, rule, cls_set_add);
	subtable->n_rules++;
	if (subtable->n_rules > subtable->n_buckets)
		add_bucket(subtable);
	return 0;
}

void subtable_remove(struct cls_subtable *subtable, struct cls_rule *rule)
{
	struct cls_rule **at;

	for (at = subtable_chain(subtable, whole_hash(subtable, rule)); *at != rule; at = &(*at)->next)
		assert(*at);
	*at = rule->next;
	rule->next = NULL;
	rule->subtable = NULL;
	uncount_priority(subtable, rule->priority);
	count_stages(subtable, rule, cls_set_remove);
	subtable->n_rules--;
	for (int i = 0; i < 2 && has_too_many_buckets(subtable); i++)
		drop_bucket(subtable);
}
