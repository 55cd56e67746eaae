/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/cache_sieve.h"

#include "bpf/sieve.h"
#include "dataplane/datapath.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROOM 16 /* bits for each flow before a table is too full */

static uint32_t bits_in_use(const struct sieve *sieve)
{
	return 64 - sw_sieve_shift(sieve->config->sieve);
}

static uint64_t *table_at(const struct sieve *sieve, uint32_t table)
{
	return sieve->tables + (size_t)table * (sw_sieve_bytes(sieve->config->n_flows) / sizeof(uint64_t));
}

static void name(struct sieve *sieve, uint32_t table, uint32_t bits)
{
	__atomic_store_n(&sieve->config->sieve, sw_sieve_in_use(table, bits), __ATOMIC_RELEASE);
}

int sieve_init(struct sieve *sieve, const struct dp_memory *memory, bool adopted)
{
	*sieve = (struct sieve){.config = memory->config, .tables = memory->sieves};
	sieve->hashes = calloc(memory->config->n_flows, sizeof(*sieve->hashes));
	if (!sieve->hashes)
		return -ENOMEM;
	sieve->max_bits = __builtin_ctz(sw_sieve_bytes(memory->config->n_flows)) + 3;
	if (adopted)
		return 0;
	for (uint32_t i = 0; i <= SW_FOLDED_WORDS; i++)
		memory->config->factors[i] = sw_sieve_factor(memory->config->seed, i);
	name(sieve, 0, SW_SIEVE_LEAST);
	return 0;
}

void sieve_fini(struct sieve *sieve)
{
	free(sieve->hashes);
}

size_t sieve_bytes_a_slot(void)
{
	const struct sieve *sieve = NULL;

	return sizeof(*sieve->hashes);
}

/* Tables have 2^32 bits at most. */
static void set_bit(uint64_t *table, uint32_t hash, uint32_t bits)
{
	uint32_t place = hash >> (32 - bits);

	__atomic_store_n(&table[place / 64], table[place / 64] | 1ULL << place % 64, __ATOMIC_RELAXED);
}

void sieve_note(struct sieve *sieve, uint32_t slot, uint16_t mask, const struct sw_key *key)
{
	const struct sw_config *config = sieve->config;
	const struct sw_folded folded = sw_fold(key);

	sieve->hashes[slot] =
		(sw_sum(config, &folded, &config->folded[mask], SW_WORDS_ALL, 1) + sw_sum_device(config, key)) >> 32;
}

void sieve_add(struct sieve *sieve, uint32_t slot, uint16_t mask, const struct sw_key *key)
{
	sieve_note(sieve, slot, mask, key);
	set_bit(table_at(sieve, sieve->config->sieve & 1), sieve->hashes[slot], bits_in_use(sieve));
	sieve->n_set++;
}

bool sieve_is_crowded(const struct sieve *sieve, uint32_t n_live)
{
	return sieve->n_set > (1U << bits_in_use(sieve)) / ROOM &&
	       (bits_in_use(sieve) < sieve->max_bits || sieve->n_set / 2 > n_live);
}

bool sieve_is_oversized(const struct sieve *sieve, uint32_t n_live)
{
	return bits_in_use(sieve) > SW_SIEVE_LEAST && n_live < (1U << bits_in_use(sieve)) / (8 * ROOM);
}

/* So that it takes as many again to crowd it. */
static uint32_t bits_for(const struct sieve *sieve, uint32_t n_live)
{
	uint32_t bits = SW_SIEVE_LEAST;

	while (bits < sieve->max_bits && n_live > (1U << bits) / (2 * ROOM))
		bits++;
	return bits;
}

void sieve_renew(struct sieve *sieve, const uint64_t *live, uint32_t n_slots, uint32_t n_live)
{
	uint32_t other = ~sieve->config->sieve & 1, bits = bits_for(sieve, n_live);
	uint64_t *table = table_at(sieve, other);

	memset(table, 0, (size_t)1 << (bits - 3));
	for (uint32_t i = 0; i < (n_slots + 63) / 64; i++) {
		for (uint64_t left = live[i]; left; left &= left - 1)
			set_bit(table, sieve->hashes[i * 64 + __builtin_ctzll(left)], bits);
	}
	sieve->n_set = n_live;
	name(sieve, other, bits);
}
