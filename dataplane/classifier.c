/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/classifier.h"

#include "bpf/hash.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BUCKETS 4 /* a power of two, as all numbers of buckets are */

/*
 * How many rules a subtable has of each priority, and which is the highest: bit maps of two levels, so that taking the
 * highest out finds the next one without a search. A page is made for the first of its 256 priorities and kept.
 */
struct priority_page {
	uint64_t in_use[4];
	uint32_t n_rules[256];
};

struct priorities {
	uint64_t in_use[4]; /* pages that hold any */
	struct priority_page *page[256];
};

/* All rules of one mask. */
struct subtable {
	struct sw_key mask;
	uint64_t hash;         /* of the mask */
	struct subtable *next; /* in the index by mask */
	uint16_t max_priority; /* of the rules in it; a subtable without rules does not exist */
	uint32_t n_rules, n_buckets;
	/* By masked key. A chain holds all rules of its bucket, whatever their keys, best first: see beats(). */
	struct cls_rule **buckets;
	struct priorities priorities;
};

struct classifier {
	uint32_t n_rules;
	uint64_t serials; /* given out; older rules have smaller ones */
	/* By max_priority, highest first. */
	struct subtable **order;
	uint32_t n_subtables, order_size;
	struct subtable **index; /* by mask */
	uint32_t n_index;
};

/* ---- priorities ---- */

static void set_bit(uint64_t map[4], uint32_t bit, bool on)
{
	if (on)
		map[bit / 64] |= 1ULL << bit % 64;
	else
		map[bit / 64] &= ~(1ULL << bit % 64);
}

/* -1: none. */
static int highest_bit(const uint64_t map[4])
{
	for (int word = 3; word >= 0; word--) {
		if (map[word])
			return word * 64 + 63 - __builtin_clzll(map[word]);
	}
	return -1;
}

static int count_priority(struct priorities *priorities, uint16_t priority)
{
	struct priority_page **page = &priorities->page[priority >> 8];

	if (!*page) {
		*page = calloc(1, sizeof(**page));
		if (!*page)
			return -ENOMEM;
	}
	(*page)->n_rules[priority & 0xff]++;
	set_bit((*page)->in_use, priority & 0xff, true);
	set_bit(priorities->in_use, priority >> 8, true);
	return 0;
}

static void uncount_priority(struct priorities *priorities, uint16_t priority)
{
	struct priority_page *page = priorities->page[priority >> 8];

	assert(page && page->n_rules[priority & 0xff]);
	if (--page->n_rules[priority & 0xff])
		return;
	set_bit(page->in_use, priority & 0xff, false);
	if (highest_bit(page->in_use) < 0)
		set_bit(priorities->in_use, priority >> 8, false);
}

/* There must be any. */
static uint16_t highest_priority(const struct priorities *priorities)
{
	int page = highest_bit(priorities->in_use);

	assert(page >= 0);
	return (uint16_t)(page << 8 | highest_bit(priorities->page[page]->in_use));
}

/* ---- subtables ---- */

static uint64_t hash_of(const struct sw_key *key, const struct sw_key *mask)
{
	uint64_t hash = 0;

	for (int i = 0; i < SW_KEY_WORDS; i++) {
		if (mask->w[i])
			hash = sw_hash_step(hash, key->w[i] & mask->w[i]);
	}
	return hash;
}

static bool matches(const struct cls_rule *rule, const struct sw_key *key)
{
	uint64_t differ = 0;

	for (int i = 0; i < SW_KEY_WORDS; i++)
		differ |= (key->w[i] & rule->match.mask.w[i]) ^ rule->match.key.w[i];
	return !differ;
}

static bool beats(const struct cls_rule *a, const struct cls_rule *b)
{
	return a->priority != b->priority ? a->priority > b->priority : a->serial < b->serial;
}

static struct cls_rule **bucket_of(const struct subtable *subtable, const struct sw_key *key)
{
	return &subtable->buckets[hash_of(key, &subtable->mask) & (subtable->n_buckets - 1)];
}

static struct subtable *find_subtable(const struct classifier *cls, const struct sw_key *mask)
{
	struct subtable *subtable;
	uint64_t hash = hash_of(mask, mask);

	if (!cls->n_index)
		return NULL;
	for (subtable = cls->index[hash & (cls->n_index - 1)]; subtable; subtable = subtable->next) {
		if (subtable->hash == hash && flow_equal(&subtable->mask, mask))
			return subtable;
	}
	return NULL;
}

static void free_subtable(struct subtable *subtable)
{
	for (int i = 0; i < 256; i++)
		free(subtable->priorities.page[i]);
	free(subtable->buckets);
	free(subtable);
}

/* Makes room for one more subtable in `order` and in the index. */
static int grow_classifier(struct classifier *cls)
{
	uint32_t size = cls->order_size ? cls->order_size * 2 : FIRST_BUCKETS;
	struct subtable **order, **index;

	if (cls->n_subtables < cls->order_size)
		return 0;
	order = reallocarray(cls->order, size, sizeof(struct subtable *));
	if (!order)
		return -ENOMEM;
	cls->order = order;
	index = calloc(size, sizeof(struct subtable *));
	if (!index)
		return -ENOMEM;
	for (uint32_t i = 0; i < cls->n_subtables; i++) {
		struct subtable **head = &index[order[i]->hash & (size - 1)];

		order[i]->next = *head;
		*head = order[i];
	}
	free(cls->index);
	cls->index = index;
	cls->n_index = cls->order_size = size;
	return 0;
}

/* The place in `order` behind all subtables of a higher maximum. */
static uint32_t place_of(const struct classifier *cls, uint16_t max_priority)
{
	uint32_t low = 0, high = cls->n_subtables;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (cls->order[middle]->max_priority > max_priority)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void put_in_order(struct classifier *cls, struct subtable *subtable)
{
	uint32_t at = place_of(cls, subtable->max_priority);

	memmove(&cls->order[at + 1], &cls->order[at], (cls->n_subtables - at) * sizeof(*cls->order));
	cls->order[at] = subtable;
	cls->n_subtables++;
}

static void take_out_of_order(struct classifier *cls, struct subtable *subtable)
{
	uint32_t at = place_of(cls, subtable->max_priority);

	while (cls->order[at] != subtable)
		at++;
	cls->n_subtables--;
	memmove(&cls->order[at], &cls->order[at + 1], (cls->n_subtables - at) * sizeof(*cls->order));
}

/* The subtable is not in any order yet: it has no rule. */
static struct subtable *add_subtable(struct classifier *cls, const struct sw_key *mask)
{
	struct subtable *subtable, **head;

	if (grow_classifier(cls))
		return NULL;
	subtable = calloc(1, sizeof(*subtable));
	if (!subtable)
		return NULL;
	subtable->buckets = calloc(FIRST_BUCKETS, sizeof(struct cls_rule *));
	if (!subtable->buckets) {
		free(subtable);
		return NULL;
	}
	subtable->n_buckets = FIRST_BUCKETS;
	subtable->mask = *mask;
	subtable->hash = hash_of(mask, mask);
	head = &cls->index[subtable->hash & (cls->n_index - 1)];
	subtable->next = *head;
	*head = subtable;
	return subtable;
}

/* It has no rule any more and is in no order. */
static void remove_subtable(struct classifier *cls, struct subtable *subtable)
{
	struct subtable **at = &cls->index[subtable->hash & (cls->n_index - 1)];

	while (*at != subtable)
		at = &(*at)->next;
	*at = subtable->next;
	free_subtable(subtable);
}

/*
 * Doubles the buckets. A bucket's chain falls into two, and appending keeps each of them in order. Without memory the
 * chains stay long, which is slow and no error.
 */
static void grow_subtable(struct subtable *subtable)
{
	uint32_t n = subtable->n_buckets;
	struct cls_rule **grown = calloc(n * 2, sizeof(struct cls_rule *));

	if (!grown)
		return;
	for (uint32_t i = 0; i < n; i++) {
		struct cls_rule **tail[2] = {&grown[i], &grown[i + n]};
		struct cls_rule *next;

		for (struct cls_rule *rule = subtable->buckets[i]; rule; rule = next) {
			int half = !!(hash_of(&rule->match.key, &subtable->mask) & n);

			next = rule->next;
			rule->next = NULL;
			*tail[half] = rule;
			tail[half] = &rule->next;
		}
	}
	free(subtable->buckets);
	subtable->buckets = grown;
	subtable->n_buckets = n * 2;
}

/* ---- the classifier ---- */

struct classifier *cls_create(void)
{
	return calloc(1, sizeof(struct classifier));
}

void cls_destroy(struct classifier *cls)
{
	if (!cls)
		return;
	for (uint32_t i = 0; i < cls->n_subtables; i++)
		free_subtable(cls->order[i]);
	free(cls->order);
	free(cls->index);
	free(cls);
}

/* A chain is walked to the rule's place: slow only where many rules differ in nothing but priority. */
int cls_insert(struct classifier *cls, struct cls_rule *rule)
{
	struct subtable *subtable = find_subtable(cls, &rule->match.mask);
	struct cls_rule **at;

	if (cls_find_exactly(cls, &rule->match, rule->priority))
		return -EEXIST;
	if (!subtable) {
		subtable = add_subtable(cls, &rule->match.mask);
		if (!subtable)
			return -ENOMEM;
	}
	if (count_priority(&subtable->priorities, rule->priority)) {
		if (!subtable->n_rules)
			remove_subtable(cls, subtable);
		return -ENOMEM;
	}
	if (subtable->n_rules >= subtable->n_buckets)
		grow_subtable(subtable);
	rule->serial = cls->serials++;
	for (at = bucket_of(subtable, &rule->match.key); *at && beats(*at, rule); at = &(*at)->next)
		;
	rule->next = *at;
	*at = rule;
	if (!subtable->n_rules || rule->priority > subtable->max_priority) {
		if (subtable->n_rules)
			take_out_of_order(cls, subtable);
		subtable->max_priority = rule->priority;
		put_in_order(cls, subtable);
	}
	subtable->n_rules++;
	cls->n_rules++;
	return 0;
}

void cls_remove(struct classifier *cls, struct cls_rule *rule)
{
	struct subtable *subtable = find_subtable(cls, &rule->match.mask);
	struct cls_rule **at;

	assert(subtable);
	for (at = bucket_of(subtable, &rule->match.key); *at != rule; at = &(*at)->next)
		assert(*at);
	*at = rule->next;
	rule->next = NULL;
	cls->n_rules--;
	subtable->n_rules--;
	uncount_priority(&subtable->priorities, rule->priority);
	if (!subtable->n_rules) {
		take_out_of_order(cls, subtable);
		remove_subtable(cls, subtable);
	} else if (highest_priority(&subtable->priorities) != subtable->max_priority) {
		take_out_of_order(cls, subtable);
		subtable->max_priority = highest_priority(&subtable->priorities);
		put_in_order(cls, subtable);
	}
}

struct cls_rule *cls_find_exactly(const struct classifier *cls, const struct flow_match *match, uint16_t priority)
{
	const struct subtable *subtable = find_subtable(cls, &match->mask);

	if (!subtable)
		return NULL;
	for (struct cls_rule *rule = *bucket_of(subtable, &match->key); rule && rule->priority >= priority;
		rule = rule->next) {
		if (rule->priority == priority && flow_equal(&rule->match.key, &match->key))
			return rule;
	}
	return NULL;
}

/* A subtable of the found rule's own priority is still tried: it may hold an older rule. */
struct cls_rule *cls_lookup(const struct classifier *cls, const struct sw_key *key, struct sw_key *wc)
{
	struct cls_rule *best = NULL;

	for (uint32_t i = 0; i < cls->n_subtables; i++) {
		const struct subtable *subtable = cls->order[i];
		struct cls_rule *rule;

		if (best && best->priority > subtable->max_priority)
			break;
		for (int w = 0; wc && w < SW_KEY_WORDS; w++)
			wc->w[w] |= subtable->mask.w[w];
		for (rule = *bucket_of(subtable, key); rule && !matches(rule, key); rule = rule->next)
			;
		if (rule && (!best || beats(rule, best)))
			best = rule;
	}
	return best;
}

uint32_t cls_count(const struct classifier *cls)
{
	return cls->n_rules;
}

void cls_each(const struct classifier *cls, void (*each)(void *ctx, struct cls_rule *rule), void *ctx)
{
	for (uint32_t i = 0; i < cls->n_subtables; i++) {
		for (uint32_t bucket = 0; bucket < cls->order[i]->n_buckets; bucket++) {
			struct cls_rule *next;

			for (struct cls_rule *rule = cls->order[i]->buckets[bucket]; rule; rule = next) {
				next = rule->next;
				each(ctx, rule);
			}
		}
	}
}
