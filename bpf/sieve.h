/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * sieve.h - which masks may have a flow for a key, eight at a time.
 *
 * What: a table of bits. The place of a flow's bit is the hash of its masked key; so of a key, under each mask, one bit
 * says whether a flow may be there. Only where it is set the flow is looked for (bpf/lookup.h).
 *
 * Why: with n masks, of a lookup's n/2 probes all but one find nothing, and each of these hashed, went to a bucket and
 * compared tags, one after the other, for each waits for what it loads and branches on it. Here nothing branches on the
 * key, so that the CPU has several masks under way at once, and what is loaded fits in its first caches. Bits instead
 * of tags or slots: a table of 16 bits a flow is 1/16 full, which turns away as many as a byte's tag would at 1/16 of
 * the memory, and memory is what a probe waits for.
 *
 * The hash is a sum of products of the words, (key & mask) * factor: the products do not wait for each other, words
 * that are zero add nothing and can be left out, and with random factors it is as good as any that an attacker does
 * not know. Its upper bits are used; the lower ones depend on too little. A frame that is not IPv6 has five words that
 * are not zero when its key is folded, and the device is in every mask (A4), so that its product is the same for all.
 *
 * There are two tables, and the daemon writes one anew while the program uses the other (dataplane/cache_sieve.h).
 *
 * Invariant
 * V1 The bit of every live flow is set, in the table that config->sieve names, before the flow goes live and until it
 *    is dead.
 *
 * Safe error: a bit that is set for nobody, which costs a look. Unsafe error: one that is not set for a live flow. No
 * frame goes where it should not for that, but each of the flow's goes up.
 */
#ifndef SW_SIEVE_H
#define SW_SIEVE_H

#include "abi.h"
#include "hash.h"

/* Number i of the factors, of a seed: odd, and as random as the seed is secret (splitmix64). */
static inline __u64 sw_sieve_factor(__u64 seed, __u32 i)
{
	__u64 z = seed + (i + 1) * 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return (z ^ z >> 31) | 1;
}

/* Bytes of a table for so many flow slots. */
static inline __u32 sw_sieve_bytes(__u32 n_flows)
{
	__u32 least = 1 << (SW_SIEVE_LEAST - 3), bytes = n_flows * (SW_SIEVE_BITS / 8);

	return bytes < least ? least : bytes;
}

/* config->sieve for a table of 2^bits bits. */
static inline __u32 sw_sieve_in_use(__u32 table, __u32 bits)
{
	return table | (64 - bits) << 8;
}

static inline __u32 sw_sieve_shift(__u32 in_use)
{
	return in_use >> 8 & 63;
}

#endif
