/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * seeded.h - random streams for oracle tests, another one in each run, and again the same one with TEST_SEED=NUMBER.
 *
 * A failed test says which seed it had: every ck_assert_msg() of such a test prints random->seed.
 */
#ifndef TESTS_SEEDED_H
#define TESTS_SEEDED_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

struct seeded {
	uint64_t seed;
	uint64_t state;
};

static inline struct seeded seeded_start(void)
{
	const char *text = getenv("TEST_SEED");
	uint64_t seed = 1;

	if (text)
		seed = strtoull(text, NULL, 0);
	else if (getrandom(&seed, sizeof(seed), 0) < 0)
		abort();
	return (struct seeded){seed, seed};
}

/* The same of a whole program, whose tests run in processes of their own: it says its seed before any of them does. */
static inline struct seeded seeded_start_aloud(void)
{
	struct seeded random = seeded_start();

	printf("TEST_SEED=%llu\n", (unsigned long long)random.seed);
	fflush(stdout);
	return random;
}

/* splitmix64 */
static inline uint64_t seeded_next(struct seeded *random)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

/* 0 .. n - 1 */
static inline uint32_t seeded_below(struct seeded *random, uint32_t n)
{
	return (uint32_t)((seeded_next(random) >> 32) * n >> 32);
}

#endif
