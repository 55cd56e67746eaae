/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/group_weigh.h"

#include "dataplane/group.h"

#include <string.h>

#define LOG_BITS 32 /* of a logarithm, behind the point */

/* The finalizer of splitmix64: every bit of the result hangs on every bit of the argument. */
static uint64_t mix(uint64_t z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static uint64_t stir(uint64_t hash, uint64_t word)
{
	return mix(hash ^ mix(word + 0x9e3779b97f4a7c15ULL)) + 0x9e3779b97f4a7c15ULL;
}

static uint64_t stir_action(uint64_t hash, const struct action *action)
{
	uint64_t value[2];

	memcpy(value, action->value, sizeof(value));
	hash = stir(hash, (uint64_t)action->type << 32 | action->arg);
	if (action->type != ACTION_SET_FIELD)
		return hash;
	return stir(stir(stir(hash, action->field), value[0]), value[1]);
}

static uint64_t seed_of(const struct bucket *bucket)
{
	uint64_t seed = stir(bucket->watch_port, bucket->watch_group);

	for (uint32_t i = 0; i < bucket->actions.n; i++)
		seed = stir_action(seed, &bucket->actions.list[i]);
	return seed;
}

void group_seed(const struct bucket *buckets, uint32_t n, uint64_t *ret_seeds)
{
	for (uint32_t i = 0; i < n; i++) {
		uint64_t seed = seed_of(&buckets[i]);

		/* An equal one that has taken the seed has moved it on for those behind. */
		for (uint32_t before = 0; before < i; before++) {
			if (ret_seeds[before] == seed)
				seed = mix(seed + 1);
		}
		ret_seeds[i] = seed;
	}
}

bool group_is_unweighted(const struct bucket *buckets, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (buckets[i].weight)
			return false;
	}
	return true;
}

uint64_t group_draw(uint64_t hash, uint64_t seed)
{
	return mix(seed ^ mix(hash + 0x9e3779b97f4a7c15ULL));
}

/*
 * -log2 of draw / 2^64, the draw 1 at least: the bits before the point by counting, each one behind it by squaring. A
 * square of at least 2 means that the logarithm had that bit.
 */
static uint64_t minus_log2(uint64_t draw)
{
	int zeros = __builtin_clzll(draw | 1);
	uint64_t x = (draw | 1) << zeros; /* in [1, 2), 63 bits behind the point */
	uint64_t log = 0;

	for (int i = 0; i < LOG_BITS; i++) {
		unsigned __int128 square = (unsigned __int128)x * x;
		bool is_above = square >> 127;

		log = log << 1 | is_above;
		x = (uint64_t)(square >> (is_above ? 64 : 63));
	}
	return ((uint64_t)(zeros + 1) << LOG_BITS) - log;
}

bool group_outweighs(const struct weighed *a, const struct weighed *b)
{
	/* The logarithm is not needed where it would say the same. */
	if (a->weight == b->weight || (a->draw > b->draw) == (a->weight > b->weight))
		return a->draw > b->draw;
	return minus_log2(a->draw) * b->weight < minus_log2(b->draw) * a->weight;
}
