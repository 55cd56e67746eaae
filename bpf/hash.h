/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * hash.h - the hash of key words, the same in the program and in the daemon.
 *
 * One multiplication a word, of layer 2 in a chain: about five cycles each, and no table. It is seeded (sw_config.seed)
 * so that who sends frames cannot choose the bucket they fall into; it is not a cryptographic promise.
 */
#ifndef SW_HASH_H
#define SW_HASH_H

#include "abi.h"

/* Where the compiler is to lay the code of the common case in one line: it has no profile to learn that from. */
#define sw_likely(x)   __builtin_expect(!!(x), 1)
#define sw_unlikely(x) __builtin_expect(!!(x), 0)

#define SW_HASH_MULTIPLIER 0x9fb21c651e98df25ULL

static inline __attribute__((always_inline)) __u64 sw_hash_step(__u64 h, __u64 word)
{
	h = (h ^ word) * SW_HASH_MULTIPLIER;
	return h ^ (h >> 32);
}

/*
 * The first word, with the VLAN at its low end: what stands in the high bits of a factor stays in the high bits of the
 * product, and all VLANs of a port would share two buckets.
 */
static inline __attribute__((always_inline)) __u64 sw_hash_first(__u64 seed, __u64 word0)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	word0 = __builtin_bswap64(word0);
#endif
	return sw_hash_step(seed, word0);
}

/*
 * What a word beyond layer 2 contributes: six of them are multiplied side by side instead of one after the other. Each
 * has a number of its own, and the seed is in it before the product, so that no difference of two keys is sure to
 * vanish.
 */
static inline __attribute__((always_inline)) __u64 sw_hash_deep(__u64 seed, __u32 i, __u64 word)
{
	__u64 product = (word ^ (seed + i * 0xd1b54a32d192ed03ULL)) * (SW_HASH_MULTIPLIER + i * 0x2545f4914f6cdd1eULL);

	return product ^ product >> 29;
}

/*
 * The hash of a key under a mask whose bits lie in its first n_words words: of port and VLAN alone, of layer 2, or of
 * all words. Three widths and no loop.
 */
static inline __attribute__((always_inline)) __u64 sw_hash_masked(
	__u64 seed, const struct sw_key *key, const struct sw_key *bits, __u32 n_words)
{
	__u64 h = seed, deep = 0;
	__u32 i;

	h = sw_hash_first(h, key->w[0] & bits->w[0]);
	if (n_words <= 1)
		return h;
#pragma GCC unroll 9
	for (i = 1; i < SW_L2_WORDS; i++)
		h = sw_hash_step(h, key->w[i] & bits->w[i]);
	if (n_words <= SW_L2_WORDS)
		return h;
#pragma GCC unroll 9
	for (i = SW_L2_WORDS; i < SW_KEY_WORDS; i++)
		deep += sw_hash_deep(seed, i, key->w[i] & bits->w[i]);
	return sw_hash_step(h, deep);
}

/* The low half of a hash chooses the bucket, the high half is the tag in its cell (see sw_bucket). */
static inline __attribute__((always_inline)) __u32 sw_hash_primary(__u64 h, __u32 n_buckets)
{
	return (__u32)h & (n_buckets - 1);
}

static inline __attribute__((always_inline)) __u32 sw_hash_tag(__u64 h)
{
	return (__u32)(h >> 32);
}

/*
 * The first of the two slots at which a flow is at home; the other is this ^ 1, its neighbour in the same page. The top
 * bits: the last step's folding leaves them as they are, so that the compiler leaves it out.
 */
static inline __attribute__((always_inline)) __u32 sw_hash_home(__u64 h, __u32 n_flows)
{
	return (__u32)(h >> 40) & (n_flows - 1);
}

/* Depends on primary and tag alone and is its own inverse. */
static inline __attribute__((always_inline)) __u32 sw_hash_alternate(__u32 bucket, __u32 tag, __u32 n_buckets)
{
	return (bucket ^ (tag * 0x5bd1e995U) ^ 1) & (n_buckets - 1);
}

/* ---- addresses of the FDB ---- */

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define SW_FDB_VID_SHIFT 48
#else
#define SW_FDB_VID_SHIFT 0
#endif

/* The MAC address as in a word of a struct sw_key, and the VID in the sixteen bits that it leaves. */
static inline __attribute__((always_inline)) __u64 sw_fdb_key(__u64 mac_word, __u32 vid)
{
	return mac_word | (__u64)vid << SW_FDB_VID_SHIFT;
}

/*
 * The hash of an address in the FDB is a sum: what the address contributes need not wait for what VLAN and bridge do,
 * which stands in the flow (sw_flow.domain). Its top bits are used. The second product is for addresses in sequence, as
 * machines have them: with one, some seeds bring thousands of them together.
 */
static inline __attribute__((always_inline)) __u64 sw_fdb_hash_mac(__u64 seed, __u64 mac_word)
{
	return sw_hash_step(seed, mac_word) * SW_HASH_MULTIPLIER;
}

static inline __attribute__((always_inline)) __u64 sw_fdb_hash_domain(__u64 seed, __u32 vid, __u32 bridge)
{
	return sw_hash_step(seed, (__u64)vid << 16 | bridge) * SW_HASH_MULTIPLIER;
}

/* The two together. */
static inline __attribute__((always_inline)) __u64 sw_fdb_hash(__u64 seed, __u64 mac_word, __u32 vid, __u32 bridge)
{
	return sw_fdb_hash_mac(seed, mac_word) + sw_fdb_hash_domain(seed, vid, bridge);
}

#endif
