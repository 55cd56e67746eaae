/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * hash.h - the hash of key words, the same in the program and in the daemon.
 *
 * Under masks of layer 2 a chain, one multiplication a word of about five cycles each, and no table; seeded
 * (sw_config.seed) so that who sends frames cannot choose the bucket they fall into. Under deeper masks a sum of
 * products with secret factors, whose terms do not wait for each other, and which the sieve has computed already when
 * it lets a mask through (bpf/sieve.h). Neither is a cryptographic promise.
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

/* The hash of a key under a mask whose bits lie in its first n_words words: of port and VLAN alone, or of layer 2. */
static inline __attribute__((always_inline)) __u64 sw_hash_link(
	__u64 seed, const struct sw_key *key, const struct sw_key *bits, __u32 n_words)
{
	__u64 h = sw_hash_first(seed, key->w[0] & bits->w[0]);

	if (n_words <= 1)
		return h;
	return sw_hash_step(sw_hash_step(h, key->w[1] & bits->w[1]), key->w[2] & bits->w[2]);
}

/* ---- the sum of products ---- */

/* The first and the last four bytes of a word, as numbers. */
static inline __attribute__((always_inline)) __u64 sw_fold_first(__u64 word)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return (__u32)word;
#else
	return word >> 32;
#endif
}

static inline __attribute__((always_inline)) __u64 sw_fold_last(__u64 word)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return word >> 32;
#else
	return (__u32)word;
#endif
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define SW_FOLD_GAP 48
#else
#define SW_FOLD_GAP 0
#endif

/*
 * EtherType, TCI and TCP flags; both MAC addresses, each with half of the flow label in the sixteen bits that it
 * leaves; protocol and ports; the first four bytes of both IP addresses. The rest of these.
 */
static inline __attribute__((always_inline)) struct sw_folded sw_fold(const struct sw_key *key)
{
	__u64 label = sw_fold_last(key->w[8]);

	return (struct sw_folded){
		.w = {sw_fold_last(key->w[0]) | sw_fold_first(key->w[8]) << 32,
			key->w[1] | (label & 0xffff) << SW_FOLD_GAP, key->w[2] | label >> 16 << SW_FOLD_GAP, key->w[3],
			sw_fold_first(key->w[4]) | sw_fold_first(key->w[6]) << 32,
			sw_fold_last(key->w[4]) | sw_fold_last(key->w[6]) << 32, key->w[5], key->w[7]}};
}

/* What the device adds to a sum: no folded mask has it, for all have it (A4). */
static inline __attribute__((always_inline)) __u64 sw_sum_device(
	const struct sw_config *config, const struct sw_key *key)
{
	return sw_fold_first(key->w[0]) * config->factors[SW_FOLDED_WORDS];
}

/* One more product, of a word that few sums have: its factor is not worth a place among what a loop keeps at hand. */
static inline __attribute__((always_inline)) __u64 sw_sum_rare(
	const struct sw_config *config, const struct sw_folded *key, const struct sw_folded *mask, __u32 i)
{
	return (key->w[i] & mask->w[i]) * *(const volatile __u64 *)&config->factors[i];
}

#define SW_WORDS_MACS (1 << 1 | 1 << 2)
#define SW_WORDS_L4   (1 << 3)
#define SW_WORDS_ALL  (SW_WORDS_MACS | SW_WORDS_L4)

/*
 * The sum of a key's words under a mask, but for its device. `words` has a bit for each folded word in which masks have
 * any, and 0 for `is_wide` says that the key has nothing beyond the fifth.
 */
static inline __attribute__((always_inline)) __u64 sw_sum(const struct sw_config *config, const struct sw_folded *key,
	const struct sw_folded *mask, __u32 words, __u32 is_wide)
{
	__u64 sum = (key->w[0] & mask->w[0]) * config->factors[0] + (key->w[4] & mask->w[4]) * config->factors[4];

	if (words & SW_WORDS_L4)
		sum += (key->w[3] & mask->w[3]) * config->factors[3];
	if (words & SW_WORDS_MACS)
		sum += sw_sum_rare(config, key, mask, 1) + sw_sum_rare(config, key, mask, 2);
	if (sw_unlikely(is_wide))
		sum += sw_sum_rare(config, key, mask, 5) + sw_sum_rare(config, key, mask, 6) +
		       sw_sum_rare(config, key, mask, 7);
	return sum;
}

/* Mixes a sum, whose upper bits alone depend on all words. */
static inline __attribute__((always_inline)) __u64 sw_hash_of_sum(__u64 sum)
{
	return sw_hash_step(sum, sum >> 32);
}

/* The folded words in which a mask has bits, as sw_config.words. */
static inline __u32 sw_sum_words(const struct sw_folded *mask)
{
	__u32 words = 0, i;

	for (i = 0; i < SW_FOLDED_WORDS; i++)
		words |= (__u32) !!mask->w[i] << i;
	return words;
}

/* The hash of a key, masked or not, under a mask: flows are placed by it. */
static inline __attribute__((always_inline)) __u64 sw_hash_masked(
	const struct sw_config *config, const struct sw_key *key, __u32 mask_id)
{
	const struct sw_mask *mask = &config->masks[mask_id % SW_MAX_MASKS];
	struct sw_folded folded;

	if (mask->n_words <= SW_L2_WORDS)
		return sw_hash_link(config->seed, key, &mask->bits, mask->n_words);
	folded = sw_fold(key);
	return sw_hash_of_sum(sw_sum(config, &folded, &config->folded[mask_id % SW_MAX_MASKS], SW_WORDS_ALL, 1) +
			      sw_sum_device(config, key));
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
