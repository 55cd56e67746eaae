/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * group_weigh.h - highest random weight: which of the buckets of a select group a flow takes.
 *
 * Every bucket draws a number in (0, 1) from the flow's hash and from what the bucket is; the one of the least
 * -log(draw) / weight wins, which it does with a chance of its weight out of the sum. What a bucket draws does not hang
 * on the others: one that goes leaves only its own flows homeless, one that comes takes from each only its share. A
 * bucket is known by its actions and by what it watches, not by its place, nor by its weight: OF 1.3.5 gives it no
 * number. Of equal ones the first, the second and so on are told apart.
 *
 * In whole numbers, so that a flow goes the same way on every machine.
 */
#ifndef DATAPLANE_GROUP_WEIGH_H
#define DATAPLANE_GROUP_WEIGH_H

#include <stdbool.h>
#include <stdint.h>

struct bucket;

struct weighed {
	uint64_t draw;   /* of 2^64 */
	uint32_t weight; /* not zero */
};

/* Who each bucket is. */
void group_seed(const struct bucket *buckets, uint32_t n, uint64_t *ret_seeds);
/* No bucket has a weight: a controller that leaves them out means equal shares. */
bool group_is_unweighted(const struct bucket *buckets, uint32_t n);

uint64_t group_draw(uint64_t hash, uint64_t seed);
bool group_outweighs(const struct weighed *a, const struct weighed *b);

#endif
