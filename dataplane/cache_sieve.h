/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache_sieve.h - the sieve of masks (bpf/sieve.h), as its only writer sees it.
 *
 * A flow's bit is set before the flow is published, and stays set when the flow goes, for it may be another's too. So
 * bits are left that are nobody's, and a table that was right for few flows is full of many. When more than one in
 * sixteen have been set, the other table is written anew from the live flows, of the size that they need, and then
 * named as the one in use by one store. A program run that began before goes on with the old one, and may at worst not
 * find a flow that was put since (C1).
 *
 * Cost: four bytes a slot, so that to write a table anew the flows need not be hashed, nor read. With 262,144 flows
 * that takes about a millisecond, and between two times as many flows were put as are there.
 *
 * Invariant: V1 of bpf/sieve.h.
 */
#ifndef DATAPLANE_CACHE_SIEVE_H
#define DATAPLANE_CACHE_SIEVE_H

#include "bpf/abi.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dp_memory;

struct sieve {
	struct sw_config *config;
	uint64_t *tables;
	uint32_t *hashes; /* by slot: the upper half of its hash */
	uint32_t max_bits;
	uint32_t n_set; /* since the table was written */
};

/* -ENOMEM. Begins with an empty table; that of an adopted datapath stays until sieve_renew(). */
int sieve_init(struct sieve *sieve, const struct dp_memory *memory, bool adopted);
void sieve_fini(struct sieve *sieve);
size_t sieve_bytes_a_slot(void);

/* A flow of this mask and masked key is about to be published in this slot. */
void sieve_add(struct sieve *sieve, uint32_t slot, uint16_t mask, const struct sw_key *key);
/* The same of one that is live already, and that the next sieve_renew() enters. */
void sieve_note(struct sieve *sieve, uint32_t slot, uint16_t mask, const struct sw_key *key);

/* Whether a table for n_live flows should be written anew. */
bool sieve_is_crowded(const struct sieve *sieve, uint32_t n_live);
bool sieve_is_oversized(const struct sieve *sieve, uint32_t n_live);
/* Writes it, from the live slots, of which n_live are in the bit map. */
void sieve_renew(struct sieve *sieve, const uint64_t *live, uint32_t n_slots, uint32_t n_live);

#endif
