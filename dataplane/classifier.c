/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/classifier.h"

#include "dataplane/cls_subtable.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SUBTABLES 4 /* a power of two, as all sizes of the index are */

/* The priority stands here too, so that what cannot beat the rule found is not even touched. */
struct ranked {
	struct cls_subtable *subtable;
	uint16_t max_priority;
};

struct classifier {
	uint32_t n_rules;
	uint64_t serials; /* given out (cls_serial()) */
	/* By maximum of priority, highest first. A subtable without rules is in neither. */
	struct ranked *order;
	uint32_t n_subtables, order_size;
	struct cls_subtable **index; /* by mask */
	uint32_t n_index;
	struct cls_prefixes prefixes;
};

size_t cls_rule_size(const struct flow *mask)
{
	size_t n_words = 0;

	for (int w = 0; w < FLOW_WORDS; w++)
		n_words += !!mask->w[w];
	return sizeof(struct cls_rule) + n_words * sizeof(uint64_t);
}

struct classifier *cls_create(void)
{
	return calloc(1, sizeof(struct classifier));
}

void cls_destroy(struct classifier *cls)
{
	if (!cls)
		return;
	for (uint32_t i = 0; i < cls->n_subtables; i++)
		subtable_destroy(cls->order[i].subtable);
	cls_prefixes_free(&cls->prefixes);
	free(cls->order);
	free(cls->index);
	free(cls);
}

static struct cls_subtable *find_subtable(const struct classifier *cls, const struct flow *mask)
{
	uint64_t hash = cls_mask_hash(mask);

	if (!cls->n_index)
		return NULL;
	for (struct cls_subtable *subtable = cls->index[hash & (cls->n_index - 1)]; subtable;
		subtable = subtable->next) {
		if (subtable->hash == hash && flow_equal(&subtable->mask, mask))
			return subtable;
	}
	return NULL;
}

static struct cls_subtable **index_head(const struct classifier *cls, const struct cls_subtable *subtable)
{
	return &cls->index[subtable->hash & (cls->n_index - 1)];
}

/* Makes room for one more subtable in `order` and in the index. */
static int grow_index(struct classifier *cls)
{
	uint32_t size = cls->order_size ? cls->order_size * 2 : FIRST_SUBTABLES;
	struct cls_subtable **index;
	struct ranked *order;

	if (cls->n_subtables < cls->order_size)
		return 0;
	order = reallocarray(cls->order, size, sizeof(*order));
	if (!order)
		return -ENOMEM;
	cls->order = order;
	index = calloc(size, sizeof(struct cls_subtable *));
	if (!index)
		return -ENOMEM;
	free(cls->index);
	cls->index = index;
	cls->n_index = cls->order_size = size;
	for (uint32_t i = 0; i < cls->n_subtables; i++) {
		struct cls_subtable **head = index_head(cls, order[i].subtable);

		order[i].subtable->next = *head;
		*head = order[i].subtable;
	}
	return 0;
}

/* The place in `order` behind all subtables of a higher maximum. */
static uint32_t place_of(const struct classifier *cls, uint16_t max_priority)
{
	uint32_t low = 0, high = cls->n_subtables;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (cls->order[middle].max_priority > max_priority)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void put_in_order(struct classifier *cls, struct cls_subtable *subtable)
{
	uint32_t at;

	subtable->max_priority = subtable_max_priority(subtable);
	at = place_of(cls, subtable->max_priority);
	memmove(&cls->order[at + 1], &cls->order[at], (cls->n_subtables - at) * sizeof(*cls->order));
	cls->order[at] = (struct ranked){subtable, subtable->max_priority};
	cls->n_subtables++;
}

static void take_out_of_order(struct classifier *cls, struct cls_subtable *subtable)
{
	uint32_t at = place_of(cls, subtable->max_priority);

	while (cls->order[at].subtable != subtable)
		at++;
	cls->n_subtables--;
	memmove(&cls->order[at], &cls->order[at + 1], (cls->n_subtables - at) * sizeof(*cls->order));
}

static void take_out_of_index(struct classifier *cls, struct cls_subtable *subtable)
{
	struct cls_subtable **at = index_head(cls, subtable);

	while (*at != subtable)
		at = &(*at)->next;
	*at = subtable->next;
}

/* A new subtable with its first rule. */
static int insert_first(struct classifier *cls, struct cls_rule *rule, const struct flow_match *match)
{
	struct cls_subtable *subtable, **head;

	if (grow_index(cls))
		return -ENOMEM;
	subtable = subtable_create(&match->mask);
	if (!subtable)
		return -ENOMEM;
	if (subtable_insert(subtable, rule, &match->key)) {
		subtable_destroy(subtable);
		return -ENOMEM;
	}
	head = index_head(cls, subtable);
	subtable->next = *head;
	*head = subtable;
	put_in_order(cls, subtable);
	return 0;
}

int cls_insert(struct classifier *cls, struct cls_rule *rule, const struct flow_match *match, uint16_t priority)
{
	struct cls_subtable *subtable = find_subtable(cls, &match->mask);
	int error;

	if (cls_prefixes_reserve(&cls->prefixes))
		return -ENOMEM;
	rule->priority = priority;
	rule->serial = (uint32_t)cls->serials;
	rule->serial_high = (uint16_t)(cls->serials >> 32);
	error = subtable ? subtable_insert(subtable, rule, &match->key) : insert_first(cls, rule, match);
	if (error)
		return error;
	if (subtable && priority > subtable->max_priority) {
		take_out_of_order(cls, subtable);
		put_in_order(cls, subtable);
	}
	cls_prefixes_add(&cls->prefixes, rule->subtable->prefix_length, &match->key);
	cls->serials++;
	cls->n_rules++;
	return 0;
}

void cls_remove(struct classifier *cls, struct cls_rule *rule)
{
	/* A rule's owner sees its subtable as const; it is the classifier's own. */
	struct cls_subtable *subtable = (struct cls_subtable *)rule->subtable;
	struct flow_match match;

	assert(subtable);
	cls_match(rule, &match);
	cls_prefixes_remove(&cls->prefixes, subtable->prefix_length, &match.key);
	subtable_remove(subtable, rule);
	cls->n_rules--;
	if (!subtable->n_rules) {
		take_out_of_order(cls, subtable);
		take_out_of_index(cls, subtable);
		if (!subtable->walked)
			subtable_destroy(subtable);
	} else if (subtable_max_priority(subtable) != subtable->max_priority) {
		take_out_of_order(cls, subtable);
		put_in_order(cls, subtable);
	}
}

void cls_match(const struct cls_rule *rule, struct flow_match *ret)
{
	const struct cls_subtable *subtable = rule->subtable;

	*ret = (struct flow_match){.mask = subtable->mask};
	for (uint32_t i = 0; i < subtable->n_words; i++)
		ret->key.w[subtable->word[i]] = rule->words[i];
}

const struct flow *cls_mask(const struct cls_rule *rule)
{
	return &rule->subtable->mask;
}

static struct cls_rule *chain_of(const struct cls_subtable *subtable, const struct flow *flow)
{
	return *subtable_chain(subtable, subtable_hash(subtable, flow, 0, subtable->n_steps, 0));
}

struct cls_rule *cls_find_exactly(const struct classifier *cls, const struct flow_match *match, uint16_t priority)
{
	const struct cls_subtable *subtable = find_subtable(cls, &match->mask);

	if (!subtable)
		return NULL;
	for (struct cls_rule *rule = chain_of(subtable, &match->key); rule && rule->priority >= priority;
		rule = rule->next) {
		if (rule->priority == priority && subtable_matches(subtable, rule, &match->key))
			return rule;
	}
	return NULL;
}

static struct cls_rule *probe(const struct cls_subtable *subtable, const struct flow *flow)
{
	struct cls_rule *rule;

	for (rule = chain_of(subtable, flow); rule && !subtable_matches(subtable, rule, flow); rule = rule->next)
		;
	return rule;
}

static void look_at_steps(const struct cls_subtable *subtable, uint32_t end, struct flow *wc)
{
	for (uint32_t step = 0; step < end; step++)
		wc->w[subtable->steps[step].word] |= subtable->steps[step].bits;
}

/* Whether the lookup knows already, of what it asked the tries for other subtables, that this one has no match. */
static bool is_ruled_out(const struct cls_subtable *subtable, const struct cls_prefix_lookup *lookup)
{
	for (int field = 0; field < CLS_PREFIX_FIELDS; field++) {
		if (cls_prefix_absent(lookup, field, subtable->prefix_length[field]))
			return true;
	}
	return false;
}

/*
 * Asks the tries of the stage's fields, the destination's first, until one rules the subtable out. What each of them
 * looked at is added, also of one that did not: by it another one was asked (L3).
 */
static bool stage_is_ruled_out(
	const struct cls_subtable *subtable, enum cls_stage stage, struct cls_prefix_lookup *lookup, struct flow *wc)
{
	int first = stage == CLS_LAYER_3 ? CLS_IP_SRC : CLS_L4_SRC;

	if (stage < CLS_LAYER_3)
		return false;
	for (int field = first + 1; field >= first; field--) {
		uint32_t length = subtable->prefix_length[field];

		if (!length)
			continue;
		cls_prefix_ask(lookup, field);
		if (!lookup->has_trie[field])
			continue;
		cls_prefix_look(wc, field, cls_prefix_n_looked(lookup, field, length));
		if (cls_prefix_absent(lookup, field, length))
			return true;
	}
	return false;
}

/*
 * Adds to `wc` the bits that tell that no rule of the subtable matches: those of the stages up to the first at which
 * none is left. A trie is asked only behind the stages before its own, so that a frame of another kind is not looked at
 * so deep, and so the type that the tries of addresses take for given has been looked at.
 */
static void look_at_miss(const struct cls_subtable *subtable, struct cls_prefix_lookup *lookup, struct flow *wc)
{
	uint64_t hash = 0;
	uint32_t step = 0;

	for (int stage = 0; stage < CLS_STAGES; stage++) {
		uint32_t end = subtable->stage_end[stage];

		if (end == step)
			continue;
		if (stage_is_ruled_out(subtable, stage, lookup, wc))
			break;
		hash = subtable_hash(subtable, lookup->flow, step, end, hash);
		step = end;
		if (subtable_has_set(subtable, stage) && !cls_set_has(&subtable->stage_set[stage], hash))
			break;
	}
	look_at_steps(subtable, step, wc);
}

/* A subtable of the found rule's own priority is still tried: it may hold an older rule. */
struct cls_rule *cls_lookup(const struct classifier *cls, const struct flow *flow, struct flow *wc)
{
	struct cls_prefix_lookup lookup = {.prefixes = &cls->prefixes, .flow = flow};
	struct cls_rule *best = NULL;

	for (uint32_t i = 0; i < cls->n_subtables; i++) {
		const struct cls_subtable *subtable = cls->order[i].subtable;
		struct cls_rule *rule = NULL;

		if (best && best->priority > cls->order[i].max_priority)
			break;
		if (!is_ruled_out(subtable, &lookup))
			rule = probe(subtable, flow);
		if (rule && wc)
			look_at_steps(subtable, subtable->n_steps, wc);
		else if (wc)
			look_at_miss(subtable, &lookup, wc);
		if (rule && (!best || cls_beats(rule, best)))
			best = rule;
	}
	return best;
}

/* Whether every bit of `some` is in `mask`. */
static bool covers(const struct flow *mask, const struct flow *some)
{
	for (int w = 0; w < FLOW_WORDS; w++) {
		if (some->w[w] & ~mask->w[w])
			return false;
	}
	return true;
}

/* Whether one flow could be both the rule's and the match's. */
static bool overlaps(const struct cls_subtable *subtable, const struct cls_rule *rule, const struct flow_match *match)
{
	for (uint32_t i = 0; i < subtable->n_words; i++) {
		uint32_t word = subtable->word[i];

		if ((rule->words[i] ^ match->key.w[word]) & subtable->mask.w[word] & match->mask.w[word])
			return false;
	}
	return true;
}

static struct cls_rule *find_in_chain(
	const struct cls_subtable *subtable, struct cls_rule *rule, const struct flow_match *match, uint16_t priority)
{
	for (; rule && rule->priority >= priority; rule = rule->next) {
		if (rule->priority == priority && overlaps(subtable, rule, match))
			return rule;
	}
	return NULL;
}

/* Where the match looks at all that the subtable's rules do, those that it overlaps with are in one chain. */
struct cls_rule *cls_find_overlap(const struct classifier *cls, const struct flow_match *match, uint16_t priority)
{
	for (uint32_t i = 0; i < cls->n_subtables && cls->order[i].max_priority >= priority; i++) {
		const struct cls_subtable *subtable = cls->order[i].subtable;
		struct cls_rule *rule = NULL;

		if (!subtable_has_priority(subtable, priority))
			continue;
		if (covers(&match->mask, &subtable->mask))
			rule = find_in_chain(subtable, chain_of(subtable, &match->key), match, priority);
		else
			for (uint32_t b = 0; b < subtable->n_buckets && !rule; b++)
				rule = find_in_chain(subtable, subtable->buckets[b], match, priority);
		if (rule)
			return rule;
	}
	return NULL;
}

uint32_t cls_count(const struct classifier *cls)
{
	return cls->n_rules;
}

void cls_each(const struct classifier *cls, void (*each)(void *ctx, struct cls_rule *rule), void *ctx)
{
	for (uint32_t i = 0; i < cls->n_subtables; i++) {
		const struct cls_subtable *subtable = cls->order[i].subtable;

		for (uint32_t bucket = 0; bucket < subtable->n_buckets; bucket++) {
			struct cls_rule *next;

			for (struct cls_rule *rule = subtable->buckets[bucket]; rule; rule = next) {
				next = rule->next;
				each(ctx, rule);
			}
		}
	}
}

/* Whether a rule of a subtable whose mask covers the match's has the match's value. */
static bool is_within(const struct cls_subtable *subtable, const struct cls_rule *rule, const struct flow_match *match)
{
	for (uint32_t i = 0; i < subtable->n_words; i++) {
		uint32_t word = subtable->word[i];

		if ((rule->words[i] & match->mask.w[word]) != match->key.w[word])
			return false;
	}
	return true;
}

static void each_in_chain(const struct cls_subtable *subtable, struct cls_rule *rule, const struct flow_match *match,
	void (*each)(void *ctx, struct cls_rule *rule), void *ctx)
{
	struct cls_rule *next;

	for (; rule; rule = next) {
		next = rule->next;
		if (is_within(subtable, rule, match))
			each(ctx, rule);
	}
}

/* While it is walked the subtable stays as it is, but for the rules that `each` takes out. */
static void each_in_subtable(struct cls_subtable *subtable, const struct flow_match *match,
	void (*each)(void *ctx, struct cls_rule *rule), void *ctx)
{
	subtable->walked = true;
	if (flow_equal(&subtable->mask, &match->mask))
		each_in_chain(subtable, chain_of(subtable, &match->key), match, each, ctx);
	else
		for (uint32_t bucket = 0; bucket < subtable->n_buckets && subtable->n_rules; bucket++)
			each_in_chain(subtable, subtable->buckets[bucket], match, each, ctx);
	subtable->walked = false;
	if (subtable->n_rules)
		subtable_settle(subtable);
	else
		subtable_destroy(subtable);
}

void cls_each_within(const struct classifier *cls, const struct flow_match *match,
	void (*each)(void *ctx, struct cls_rule *rule), void *ctx)
{
	/* The index, not the order: a removal moves subtables in the latter. */
	for (uint32_t i = 0; i < cls->n_index; i++) {
		struct cls_subtable *next;

		for (struct cls_subtable *subtable = cls->index[i]; subtable; subtable = next) {
			next = subtable->next;
			if (covers(&subtable->mask, &match->mask))
				each_in_subtable(subtable, match, each, ctx);
		}
	}
}
