/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * lookup.h - from a frame's key to the flow that matches it.
 *
 * What: sw_lookup() tries the exact-match hint of the CPU, then each mask in use that the sieve lets through
 * (bpf/sieve.h), and returns a live slot whose masked key equals the frame's under the slot's mask. The same code runs
 * in the XDP program over maps and in the daemon over plain arrays, where the in-memory datapath and the oracle tests
 * use it.
 *
 * The includer says where the memory is, by defining, before or after it includes this file, the functions sw_mem_*()
 * declared below. Those that return a pointer may return a null pointer, which is a miss, or what it says there;
 * sw_mem_sift() and sw_mem_lookup_mask() are sw_sift() and sw_lookup_mask_slot(), behind a function call where the
 * verifier wants one. `mem` is handed through.
 *
 * Why hints at all: from a few masks on a hint saves asking the sieve. What is found at home (sw_lookup_short) needs
 * none. With flows that never come again it costs a cache line to look for a hint, and another to leave one, so that
 * hints are judged by their use (sw_hints_judge).
 *
 * Invariants
 * L1 What is returned was live (even gen) when it was looked at, and its key, which then cannot change (A1, A2), equals
 *    the frame's under its mask. The caller may act on it until it leaves the RCU section, or the daemon's turn.
 * L2 A hint is acted on only if gen and key agree; a wrong one costs a lookup, no more.
 *
 * Safe error: a null return. Unsafe error: none of a racing writer's intermediate states may pass for a match, which is
 * why every racing word is loaded once (sw_read) and compared after it.
 */
#ifndef SW_LOOKUP_H
#define SW_LOOKUP_H

#include "abi.h"
#include "hash.h"
#include "sieve.h"

#define sw_read(x)         (*(const volatile __typeof__(x) *)&(x))
#define sw_write(x, value) (*(volatile __typeof__(x) *)&(x) = (value))

static inline const struct sw_bucket *sw_mem_bucket(const void *mem, __u32 index);
static inline const struct sw_flow *sw_mem_flow(const void *mem, __u32 slot);
static inline __u64 *sw_mem_hint(const void *mem, __u32 cpu, __u32 index); /* null: there is none */
static inline __u32 sw_mem_lookup_mask(
	const void *mem, const struct sw_config *config, const struct sw_key *key, __u32 depth, __u32 mask_id);

static inline const void *sw_mem_sieve(const void *mem, __u32 table); /* null: it lets every mask through */
static inline __u64 sw_mem_sieve_word(const void *mem, const void *table, __u32 offset);
static inline __u64 sw_mem_sift(
	const void *mem, const struct sw_config *config, const struct sw_key *key, __u32 depth, __u32 first);
static inline struct sw_row *sw_mem_row(const void *mem, __u32 cpu);  /* null: no hints */
static inline __u32 *sw_mem_guess(const void *mem, __u32 in_ifindex); /* null: no guess */

struct sw_hit {
	const struct sw_flow *flow;
	__u32 slot;
	__u32 by_hint;  /* 1: an exact-match hint led to it; left alone by a megaflow lookup */
	__u32 n_probes; /* masks that sw_lookup() tried, found or not; left alone where it tried none */
	__u32 n_looks;  /* of them those that it looked for a flow under */
};

#define SW_LOOKUP_INLINE static inline __attribute__((always_inline))

SW_LOOKUP_INLINE int sw_key_matches(
	const struct sw_key *key, const struct sw_mask *mask, const struct sw_key *masked, __u32 n_words)
{
	__u64 differing = 0;
	__u32 i;

#pragma GCC unroll 9
	for (i = 0; i < SW_L2_WORDS; i++)
		differing |= (key->w[i] & mask->bits.w[i]) ^ masked->w[i];
	if (n_words <= SW_L2_WORDS)
		return !differing;
#pragma GCC unroll 9
	for (i = SW_L2_WORDS; i < SW_KEY_WORDS; i++)
		differing |= (key->w[i] & mask->bits.w[i]) ^ masked->w[i];
	return !differing;
}

/* Whether the slot that a bucket's cell names is live, of this mask, and matches. */
SW_LOOKUP_INLINE const struct sw_flow *sw_lookup_slot(
	const void *mem, const struct sw_key *key, const struct sw_mask *mask, __u32 mask_id, __u32 n_words, __u32 slot)
{
	const struct sw_flow *flow = sw_mem_flow(mem, slot);

	if (!flow || sw_read(flow->gen) & 1 || flow->mask != mask_id)
		return 0;
	return sw_key_matches(key, mask, &flow->key, n_words) ? flow : 0;
}

SW_LOOKUP_INLINE int sw_lookup_mask(const void *mem, const struct sw_config *config, const struct sw_key *key,
	__u32 depth, __u32 mask_id, struct sw_hit *ret)
{
	const struct sw_mask *mask = &config->masks[mask_id % SW_MAX_MASKS];
	__u32 n_words = sw_read(mask->n_words);
	__u64 hash = sw_hash_masked(config, key, mask_id);
	__u32 tag = sw_hash_tag(hash), index = sw_hash_primary(hash, config->n_buckets);
	const struct sw_bucket *bucket;
	const struct sw_flow *flow;
	__u32 turn, i;
	__u64 cell;

	if (n_words > depth)
		return 0;
	for (turn = 0; turn < 2; turn++) {
		bucket = sw_mem_bucket(mem, index);
		if (!bucket)
			return 0;
		for (i = 0; i < SW_BUCKET_CELLS; i++) {
			cell = sw_read(bucket->cell[i]);
			if (cell >> 32 != tag || !(__u32)cell)
				continue;
			flow = sw_lookup_slot(mem, key, mask, mask_id, n_words, (__u32)cell - 1);
			if (flow) {
				ret->flow = flow;
				ret->slot = (__u32)cell - 1;
				return 1;
			}
		}
		if (!sw_read(bucket->n_overflow))
			return 0;
		index = sw_hash_alternate(index, tag, config->n_buckets);
	}
	return 0;
}

/* The same for those who need a scalar: slot + 1, or 0. */
SW_LOOKUP_INLINE __u32 sw_lookup_mask_slot(
	const void *mem, const struct sw_config *config, const struct sw_key *key, __u32 depth, __u32 mask_id)
{
	struct sw_hit hit = {0};

	return sw_lookup_mask(mem, config, key, depth, mask_id, &hit) ? hit.slot + 1 : 0;
}

SW_LOOKUP_INLINE int sw_lookup_hint(const void *mem, const struct sw_config *config, const struct sw_key *key,
	__u32 depth, __u64 hint, struct sw_hit *ret)
{
	const struct sw_flow *flow = sw_mem_flow(mem, (__u32)hint);
	const struct sw_mask *mask;
	__u32 gen, n_words;

	if (!flow)
		return 0;
	gen = sw_read(flow->gen);
	if (gen != hint >> 32 || gen & 1)
		return 0;
	mask = &config->masks[flow->mask % SW_MAX_MASKS];
	n_words = sw_read(mask->n_words);
	if (n_words - 1 >= depth || !sw_key_matches(key, mask, &flow->key, n_words)) /* a mask of no words is none */
		return 0;
	ret->flow = flow;
	ret->slot = (__u32)hint;
	ret->by_hint = 1;
	return 1;
}

/* Where the hint for a key stands in its CPU's row: any spread will do, nobody is hurt by a collision. */
SW_LOOKUP_INLINE __u32 sw_hint_index(const struct sw_key *key, __u64 seed, __u32 depth)
{
	__u64 h = seed ^ key->w[0] * 0x9e3779b97f4a7c15ULL ^ key->w[1] * 0xc2b2ae3d27d4eb4fULL ^
		  key->w[2] * 0x165667b19e3779f9ULL;

	if (depth > SW_L2_WORDS)
		h ^= key->w[3] * 0xd6e8feb86659fd93ULL ^ key->w[4] * 0xa0761d6478bd642fULL ^
		     key->w[5] * 0xe7037ed1a0b428dbULL ^ key->w[6] * 0x8ebc6af09c88c6e3ULL ^
		     key->w[7] * 0x589965cc75374cc3ULL ^ key->w[8] * 0x1d8e4e27c47d124fULL;
	return (h ^ h >> 32) * SW_HASH_MULTIPLIER >> 32 & (SW_EMC_SIZE - 1);
}

/*
 * The slot, plus 1, at which a flow of this mask is at home and matches; 0: none does, or the mask is one of layer 2,
 * whose flows have another hash. `sum` is the key's under the mask, with the device.
 */
SW_LOOKUP_INLINE __u32 sw_lookup_at_home(const void *mem, const struct sw_config *config, const struct sw_key *key,
	__u32 depth, __u32 mask_id, __u64 sum)
{
	const struct sw_mask *mask = &config->masks[mask_id];
	__u32 n_words = sw_read(mask->n_words), slot = sw_hash_home(sw_hash_of_sum(sum), config->n_flows), turn;

	if (n_words <= SW_L2_WORDS || n_words > depth)
		return 0;
#pragma GCC unroll 1 /* apart, the two take more of the stack, and sift() is deep in it */
	for (turn = 0; turn < 2; turn++, slot ^= 1)
		if (sw_likely(sw_lookup_slot(mem, key, mask, mask_id, n_words, slot)))
			return slot + 1;
	return 0;
}

/*
 * The place in the order, from `first` on, of the next mask in use that may have a flow for the key, plus 1, and in the
 * upper half slot + 1 of that if it is at home; 0: no mask may. The one branch on what the sieve says is nearly always
 * the same, so that the CPU is well ahead of it.
 */
SW_LOOKUP_INLINE __u64 sw_sift(
	const void *mem, const struct sw_config *config, const struct sw_key *key, __u32 depth, __u32 first)
{
	const __u32 n_order = sw_read(config->n_order), in_use = sw_read(config->sieve), words = sw_read(config->words);
	const struct sw_folded folded = sw_fold(key);
	const __u32 is_wide = !!(folded.w[5] | folded.w[6] | folded.w[7]), shift = sw_sieve_shift(in_use);
	const __u64 device = sw_sum_device(config, key);
	const void *table = in_use ? sw_mem_sieve(mem, in_use & 1) : 0;
	__u64 sum, place;
	__u32 i, id;

	for (i = first; i < SW_MAX_MASKS && i < n_order; i++) {
		id = sw_read(config->order[i]) % SW_MAX_MASKS;
		sum = device + sw_sum(config, &folded, &config->folded[id], words, is_wide);
		place = sum >> shift;
		if (sw_likely(table && !(sw_mem_sieve_word(mem, table, place >> 6 << 3) >> (place & 63) & 1)))
			continue;
		return (__u64)sw_lookup_at_home(mem, config, key, depth, id, sum) << 32 | (i + 1);
	}
	return 0;
}

/*
 * Whether there is a flow for the key under a mask in use; fills n_probes and n_looks too. The sieve says which masks
 * are worth a look.
 */
SW_LOOKUP_INLINE int sw_walk(
	const void *mem, const struct sw_config *config, const struct sw_key *key, __u32 depth, struct sw_hit *ret)
{
	__u32 slot_1, turn;
	__u64 next;

	for (turn = 0; turn < SW_MAX_MASKS; turn++) {
		next = sw_mem_sift(mem, config, key, depth, ret->n_probes);
		if (!next)
			break;
		ret->n_probes = next;
		ret->n_looks++;
		slot_1 = next >> 32;
		if (!slot_1)
			slot_1 = sw_mem_lookup_mask(mem, config, key, depth,
				sw_read(config->order[(ret->n_probes - 1) % SW_MAX_MASKS]) % SW_MAX_MASKS);
		if (!slot_1)
			continue;
		ret->slot = slot_1 - 1;
		ret->flow = sw_mem_flow(mem, ret->slot);
		return !!ret->flow;
	}
	ret->n_probes = sw_read(config->n_order);
	return 0;
}

/* By the hint of a key of layer 2. */
SW_LOOKUP_INLINE int sw_lookup_hinted(
	const void *mem, const struct sw_config *config, const struct sw_key *key, __u32 cpu, struct sw_hit *ret)
{
	struct sw_row *row = sw_mem_row(mem, cpu);
	__u64 *hint;

	if (!row || row->n_unhinted)
		return 0;
	hint = sw_mem_hint(mem, cpu, sw_hint_index(key, config->seed, SW_L2_WORDS));
	if (!hint || !sw_lookup_hint(mem, config, key, SW_L2_WORDS, sw_read(*hint), ret))
		return 0;
	row->n_hinted++;
	return 1;
}

/* Whether this slot, whatever its mask, is live and matches: any flow that does answers for the frame (C2). */
SW_LOOKUP_INLINE const struct sw_flow *sw_lookup_guess(
	const void *mem, const struct sw_config *config, const struct sw_key *key, __u32 slot)
{
	const struct sw_flow *flow = sw_mem_flow(mem, slot);
	const struct sw_mask *mask;
	__u32 n_words;

	if (sw_unlikely(!flow || sw_read(flow->gen) & 1))
		return 0;
	mask = &config->masks[flow->mask % SW_MAX_MASKS];
	n_words = sw_read(mask->n_words);
	if (sw_unlikely(!n_words)) /* a mask of no words is none */
		return 0;
	return sw_key_matches(key, mask, &flow->key, n_words) ? flow : 0;
}

/* Where hints are of no use, as with flows that do not come again, nobody looks for them or leaves any, for a while. */
SW_LOOKUP_INLINE void sw_hints_judge(struct sw_row *row)
{
	if (++row->n_walked < SW_HINT_MISSES)
		return;
	if (row->n_hinted < row->n_walked)
		row->n_unhinted = SW_HINT_PAUSE;
	row->n_hinted = 0;
	row->n_walked = 0;
}

/* The place of a key's hint, or null: there is to be none. */
SW_LOOKUP_INLINE __u64 *sw_hint_place(const void *mem, const struct sw_config *config, const struct sw_key *key,
	__u32 depth, __u32 cpu, struct sw_row *row)
{
	if (!row || (depth > SW_L2_WORDS && sw_read(config->n_order) <= SW_HINT_LEAST))
		return 0;
	if (row->n_unhinted) {
		row->n_unhinted--;
		return 0;
	}
	sw_hints_judge(row);
	return sw_mem_hint(mem, cpu, sw_hint_index(key, config->seed, depth));
}

/*
 * What is left to try when the short ways found nothing, by a key that was extracted `depth` words deep. 1 and *ret
 * filled if a flow matches; 0 else, and *ret undefined but for n_probes and n_looks. A mask deeper than the key is
 * passed over: the daemon has only just deepened the extraction.
 */
SW_LOOKUP_INLINE int sw_lookup_on(const void *mem, const struct sw_config *config, const struct sw_key *key,
	__u32 depth, __u32 cpu, struct sw_hit *ret)
{
	struct sw_row *row = sw_mem_row(mem, cpu);
	__u64 *hint = sw_hint_place(mem, config, key, depth, cpu, row);
	__u32 *guess;

	if (hint && depth > SW_L2_WORDS && sw_lookup_hint(mem, config, key, depth, sw_read(*hint), ret)) {
		row->n_hinted++;
		return 1;
	}
	ret->by_hint = 0;
	if (!sw_walk(mem, config, key, depth, ret))
		return 0;
	if (hint)
		sw_write(*hint, (__u64)ret->flow->gen << 32 | ret->slot);
	guess = sw_mem_guess(mem, key->f.in_ifindex);
	if (guess)
		sw_write(*guess, ret->slot);
	return 1;
}

/* The whole lookup; the same otherwise. */
SW_LOOKUP_INLINE int sw_lookup(const void *mem, const struct sw_config *config, const struct sw_key *key, __u32 depth,
	__u32 cpu, struct sw_hit *ret)
{
	__u32 *guess = sw_mem_guess(mem, key->f.in_ifindex);

	if (depth <= SW_L2_WORDS && sw_lookup_hinted(mem, config, key, cpu, ret))
		return 1;
	if (guess) {
		ret->slot = sw_read(*guess);
		ret->flow = sw_lookup_guess(mem, config, key, ret->slot);
		if (ret->flow)
			return 1;
	}
	return sw_lookup_on(mem, config, key, depth, cpu, ret);
}

/* The words of a key of layer 2 under a mask, in registers. */
struct sw_short_key {
	__u64 word0, word1, word2;
	__u32 n_words; /* of the mask; 1: the other two are zero */
};

/* Whether the flow at this slot is one of the mask and has these masked words. */
SW_LOOKUP_INLINE const struct sw_flow *sw_lookup_home(
	const void *mem, __u32 slot, __u32 mask_id, const struct sw_short_key *key)
{
	const struct sw_flow *flow = sw_mem_flow(mem, slot);

	if (sw_unlikely(!flow || sw_read(flow->gen) & 1 || flow->mask != mask_id || key->word0 != flow->key.w[0]))
		return 0;
	if (sw_unlikely(key->n_words > 1) && (key->word1 != flow->key.w[1] || key->word2 != flow->key.w[2]))
		return 0;
	return flow;
}

/*
 * The short way for a key of layer 2, which is nearly every frame of a switch: at home under the mask that is hit most,
 * or by the hint. 0 says nothing but "ask sw_lookup()". Words stay in registers, which is what makes it short.
 */
SW_LOOKUP_INLINE int sw_lookup_short(
	const void *mem, const struct sw_config *config, const struct sw_key *key, __u32 cpu, struct sw_hit *ret)
{
	__u32 mask_id = sw_read(config->order[0]) % SW_MAX_MASKS;
	const struct sw_mask *mask = &config->masks[mask_id];
	struct sw_short_key masked = {.word0 = key->w[0] & mask->bits.w[0], .n_words = sw_read(mask->n_words)};
	__u64 hash;

	if (sw_likely(masked.n_words - 1 < SW_L2_WORDS)) { /* a mask of no words is none */
		hash = sw_hash_first(config->seed, masked.word0);
		if (sw_unlikely(masked.n_words > 1)) {
			masked.word1 = key->w[1] & mask->bits.w[1];
			masked.word2 = key->w[2] & mask->bits.w[2];
			hash = sw_hash_step(sw_hash_step(hash, masked.word1), masked.word2);
		}
		ret->by_hint = 0;
		ret->slot = sw_hash_home(hash, config->n_flows);
		ret->flow = sw_lookup_home(mem, ret->slot, mask_id, &masked);
		if (sw_likely(ret->flow))
			return 1;
		ret->slot ^= 1;
		ret->flow = sw_lookup_home(mem, ret->slot, mask_id, &masked);
		if (ret->flow)
			return 1;
	}
	return sw_lookup_hinted(mem, config, key, cpu, ret);
}

/*
 * The short way for a whole key, where a rule looks beyond layer 2: the flow that was hit last, or, where there is only
 * one mask, at home. 0 says nothing but "ask sw_lookup_on()".
 */
SW_LOOKUP_INLINE int sw_lookup_short_deep(
	const void *mem, const struct sw_config *config, const struct sw_key *key, __u32 *guess, struct sw_hit *ret)
{
	__u32 mask_id = sw_read(config->order[0]) % SW_MAX_MASKS;
	const struct sw_mask *mask = &config->masks[mask_id];
	__u32 n_words = sw_read(mask->n_words);

	ret->by_hint = 0;
	ret->slot = sw_read(*guess);
	ret->flow = sw_lookup_guess(mem, config, key, ret->slot);
	if (sw_likely(ret->flow))
		return 1;
	if (sw_unlikely(!n_words || sw_read(config->n_order) > 1))
		return 0;
	ret->slot = sw_hash_home(sw_hash_masked(config, key, mask_id), config->n_flows);
	ret->flow = sw_lookup_slot(mem, key, mask, mask_id, n_words, ret->slot);
	if (sw_unlikely(!ret->flow)) {
		ret->slot ^= 1;
		ret->flow = sw_lookup_slot(mem, key, mask, mask_id, n_words, ret->slot);
	}
	if (ret->flow)
		sw_write(*guess, ret->slot);
	return !!ret->flow;
}

#endif
