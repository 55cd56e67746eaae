/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * recall.h - what became of the last frame with these headers.
 *
 * What: an exact-match cache in front of the flows and the FDB. Where rules look at layer 2 alone, a frame's device and
 * its first 14 bytes, or 18 with a tag, decide what becomes of it. A CPU notes them as they lie in the frame, with the
 * verdict that the lookups came to; the next frame with the same ones takes it from there, and is not parsed.
 *
 * Where rules look beyond layer 2 there are notes of another kind, of whole TCP and UDP over IPv4 without options: they
 * have also what of the IP header decides, the ports, and of TCP's flags what the flow looks at (struct sw_deep_note).
 * That it is such a frame, length and all, is looked at each time.
 *
 * Noted are frames in one buffer that leave by one port, as they came or with extras: another tag, a rewrite at one
 * stroke (patch.h), the branch of a group to be counted. All else is looked up. Where notes are of little use, as with
 * more flows in turn than there is room for, none are looked for, for a while (recall_judge).
 *
 * How a note is kept from outliving what it rests on: it carries the epoch (sw_config.epoch) that was read before the
 * flow and the addresses were looked up, and holds in that epoch only. Whoever takes away or alters a flow or an
 * address, or where a group leads, or has the program parse deeper, ends the epoch afterwards (dataplane/epoch.h). What
 * is only added changes nothing that was noted: flows agree where they overlap (C2), and a note rests on addresses that
 * were found. A slot is given to another flow only after a grace period, so that who recalls a slot counts for the flow
 * that was meant.
 *
 * The depth alone is read before the epoch. A note of layer 2 that comes of an old depth in a new epoch is not looked
 * at while frames are parsed whole, and is right when they no longer are: it rests on a flow of layer 2, which answers
 * for all that it matches as long as it lives. Behind a select group, where more of the frame decides, there are none.
 *
 * Price: an address that frames were recalled from is not marked as used. So the epoch ends when the daemon has
 * collected the marks, too, and the next frame of each address marks it again.
 *
 * Invariants
 * N1 A note that is acted on was made for these headers and this device, at this hook, in this epoch.
 * N2 A note is read and written by one CPU, where no other frame comes between: the program runs in a softirq, or with
 *    softirqs off.
 * N3 The epoch is loaded before what a note rests on, and stored after it. Loads and stores stay in their order on x86;
 *    elsewhere the daemon leaves the epoch 0, in which nothing is noted.
 *
 * Safe error: to look up what could have been recalled. Unsafe error: a note that outlives the end of its epoch, for it
 * is a stale hit (C2).
 */
#ifndef SW_RECALL_H
#define SW_RECALL_H

#include "abi.h"
#include "extract.h"

#define SW_RECALL_LEAST 56 /* bytes: to the end of TCP's checksum behind a tag. No frame on a wire is shorter. */

#define SW_RECALL_MISSES 512   /* between two judgements */
#define SW_RECALL_PAUSE  16384 /* frames for which no note is looked for when they were of no use */

/* What to do about an unfinished checksum, in a verdict: notes are of one EtherType, so it is known beforehand. */
enum sw_recall_csum {
	SW_RECALL_CSUM_NONE,
	SW_RECALL_CSUM_IPV4,
	SW_RECALL_CSUM_IPV6,
	SW_RECALL_CSUMS,
};

#define SW_RECALL_MORE 4 /* in a verdict: there are extras */

/* In a note's origin: made at the tc hook, where nothing was to be done about a checksum (HOOK_KEEPS_CSUM). */
#ifdef SW_HOOK_TC
#define SW_RECALL_HOOK (1U << 30)
#else
#define SW_RECALL_HOOK 0
#endif

struct sw_recall_key {
	__u64 head, tail, origin;
};

/*
 * Of a frame that has SW_RECALL_LEAST bytes. The tail is the source and the type; of a frame with a tag, whose type is
 * known, what is not in the head of the source, the TCI, and the type behind it. The origin tells the two apart.
 */
SW_INLINE struct sw_recall_key sw_recall_key(const void *data, __u32 in_ifindex, __u32 epoch, int is_tagged)
{
	struct sw_recall_key key = {
		.head = sw_load64(data),
		.tail = is_tagged ? (__u64)sw_load32(data + 14) << 32 | sw_load32(data + 8) : sw_load64(data + 6),
		.origin = (__u64)epoch << 32 | (__u32)is_tagged << 31 | SW_RECALL_HOOK | in_ifindex,
	};

	return key;
}

/* A note stands at its index or beside it. Any spread will do, nobody is hurt by a collision. */
SW_INLINE __u32 sw_recall_index(const struct sw_recall_key *key)
{
	return (key->head * 0x9e3779b97f4a7c15ULL + key->tail * 0xc2b2ae3d27d4eb4fULL) >> (64 - SW_NOTE_BITS);
}

SW_INLINE int sw_recall_fits(const struct sw_note *note, const struct sw_recall_key *key)
{
	return note->head == key->head && note->tail == key->tail && note->origin == key->origin;
}

/*
 * Of a frame whose IP header, behind a tag or not, is known to be of IPv4 and to have 34 bytes and more with what is
 * behind it. The length of the datagram, the fragment's place and TCP's flags are not in it.
 */
struct sw_deep_key {
	struct sw_recall_key link;
	__u64 addrs, rest;
};

SW_INLINE struct sw_deep_key sw_deep_key(const void *data, __u32 in_ifindex, __u32 epoch, int is_tagged)
{
	const void *ip = data + (is_tagged ? 18 : 14);
	struct sw_deep_key key = {
		.link = sw_recall_key(data, in_ifindex, epoch, is_tagged),
		.addrs = sw_load64(ip + 12),
		.rest = sw_load32(ip + 20) | (__u64)sw_load16(ip + 8) << 32 | (__u64)sw_load16(ip) << 48,
	};

	return key;
}

SW_INLINE __u32 sw_deep_index(const struct sw_deep_key *key)
{
	return (key->link.head * 0x9e3779b97f4a7c15ULL + key->link.tail * 0xc2b2ae3d27d4eb4fULL +
		       key->addrs * 0xa0761d6478bd642fULL + key->rest * 0xe7037ed1a0b428dbULL) >>
	       (64 - SW_DEEP_BITS);
}

/* The other place of a note: in the same cache line, or the one that is fetched with it. */
SW_INLINE __u32 sw_recall_beside(__u32 index)
{
	return index ^ 1;
}

/* It holds in this epoch. */
SW_INLINE int sw_recall_holds(const struct sw_note *note, __u32 epoch)
{
	return note->origin >> 32 == epoch;
}

SW_INLINE int sw_deep_fits(const struct sw_deep_note *note, const struct sw_deep_key *key)
{
	return note->addrs == key->addrs && note->rest == key->rest && sw_recall_fits(&note->link, &key->link);
}

/* Offsets in bytes, as they are used: of the port that it came in by, of the one that it leaves by, of the flow. */
SW_INLINE __u64 sw_recall_verdict(__u32 in_port, __u32 out_port, __u32 slot, enum sw_recall_csum csum)
{
	return (__u64)(in_port * sizeof(struct sw_port_stats)) << 48 |
	       (__u64)(out_port * sizeof(struct sw_port_stats)) << 32 | slot * sizeof(struct sw_flow_stats) | csum;
}

SW_INLINE enum sw_recall_csum sw_recall_csum(__u64 verdict)
{
	return verdict & SW_RECALL_CSUMS;
}

SW_INLINE __u32 sw_recall_slot(__u64 verdict)
{
	return (__u32)verdict / sizeof(struct sw_flow_stats);
}

SW_INLINE __u32 sw_recall_in_port(__u64 verdict)
{
	return (verdict >> 48) / sizeof(struct sw_port_stats);
}

SW_INLINE __u32 sw_recall_out_port(__u64 verdict)
{
	return (verdict >> 32 & 0xffff) / sizeof(struct sw_port_stats);
}

#endif
