/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cls_subtable.h - the rules of one mask: a hash of them, and how many there are of each priority.
 *
 * Buckets: linear hashing. The array of chains grows by a bucket with an insertion, whose rules come out of one other
 * bucket, and shrinks so with a removal: there is never a moment at which a million rules are moved. The array itself
 * is doubled by realloc(), which moves pages and no rules.
 *
 * Chains: a chain holds all rules of its bucket, whatever their keys, best first (cls_beats()), so that the first that
 * matches is the one. Rules that differ in nothing but priority share a chain: to find one costs a step for each.
 *
 * Stages: the mask's bits in the order in which a lookup takes them: what the pipeline knows, layer 2, 3, 4. The hash
 * of a rule goes over the steps in this order, so that a lookup has the hash of each stage on its way to the whole.
 */
#ifndef DATAPLANE_CLS_SUBTABLE_H
#define DATAPLANE_CLS_SUBTABLE_H

#include "dataplane/classifier.h"
#include "dataplane/cls_prefixes.h"
#include "dataplane/cls_set.h"

#include "bpf/hash.h"

enum cls_stage { CLS_PIPELINE, CLS_LAYER_2, CLS_LAYER_3, CLS_LAYER_4, CLS_STAGES };

/* Bits of one word that are of one stage. */
struct cls_step {
	uint64_t bits;
	uint8_t word; /* of the flow */
	uint8_t at;   /* in the rule's words */
};

/* Rules of one priority. */
struct cls_level {
	uint32_t n_rules;
	uint16_t priority;
};

struct cls_subtable {
	struct flow mask;
	uint64_t hash;             /* of the mask */
	struct cls_subtable *next; /* in the index by mask */
	bool walked;               /* it neither shrinks nor goes */
	uint16_t max_priority;     /* as the classifier has it in its order */
	uint32_t n_rules;

	struct cls_rule **buckets;
	uint32_t n_buckets;
	uint32_t half; /* the power of two with half < n_buckets <= half * 2; there is room for half * 2 */

	struct cls_level *levels; /* by priority, lowest first */
	uint32_t n_levels, levels_size;

	uint8_t n_words;
	uint8_t n_steps;
	uint8_t word[FLOW_WORDS];              /* words of the flow that the rules hold */
	uint8_t stage_end[CLS_STAGES];         /* the steps of a stage end before this one */
	struct cls_set stage_set[CLS_LAYER_4]; /* hashes of the steps before stage_end */
	uint8_t prefix_length[CLS_PREFIX_FIELDS];
	struct cls_step steps[];
};

/* In order of insertion: 48 bits, which last for decades. The upper ones stand in what would be padding. */
static inline uint64_t cls_serial(const struct cls_rule *rule)
{
	return (uint64_t)rule->serial_high << 32 | rule->serial;
}

static inline bool cls_beats(const struct cls_rule *a, const struct cls_rule *b)
{
	if (a->priority != b->priority)
		return a->priority > b->priority;
	return cls_serial(a) < cls_serial(b);
}

/* Of all words of a mask: where its subtable stands in the index. */
uint64_t cls_mask_hash(const struct flow *mask);

/* NULL: out of memory. */
struct cls_subtable *subtable_create(const struct flow *mask);
/* Its rules are let go. */
void subtable_destroy(struct cls_subtable *subtable);

/* There must be a rule. */
uint16_t subtable_max_priority(const struct cls_subtable *subtable);
bool subtable_has_priority(const struct cls_subtable *subtable, uint16_t priority);

/* The hash of the steps before `end`, of a flow; `hash` is that of those before `step`, 0 for none. */
static inline uint64_t subtable_hash(
	const struct cls_subtable *subtable, const struct flow *flow, uint32_t step, uint32_t end, uint64_t hash)
{
	for (; step < end; step++)
		hash = sw_hash_step(hash, flow->w[subtable->steps[step].word] & subtable->steps[step].bits);
	return hash;
}

/* Whether the stage has a set; it is no set of the stages without bits, and those behind which no bits come. */
static inline bool subtable_has_set(const struct cls_subtable *subtable, enum cls_stage stage)
{
	uint32_t end = subtable->stage_end[stage];

	return end < subtable->n_steps && end > (stage ? subtable->stage_end[stage - 1] : 0);
}

/* The chain of the rules with this hash of all steps. */
struct cls_rule **subtable_chain(const struct cls_subtable *subtable, uint64_t hash);
/* Whether the rule of this subtable matches. */
static inline bool subtable_matches(
	const struct cls_subtable *subtable, const struct cls_rule *rule, const struct flow *flow)
{
	for (uint32_t i = 0; i < subtable->n_words; i++) {
		uint32_t word = subtable->word[i];

		if ((flow->w[word] & subtable->mask.w[word]) != rule->words[i])
			return false;
	}
	return true;
}

/* The rule has its priority and serial and gets the words. -EEXIST, -ENOMEM: nothing has changed. */
int subtable_insert(struct cls_subtable *subtable, struct cls_rule *rule, const struct flow *key);
void subtable_remove(struct cls_subtable *subtable, struct cls_rule *rule);
/* Gives back buckets that are too many. */
void subtable_settle(struct cls_subtable *subtable);

#endif
