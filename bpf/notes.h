/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * notes.h - the program's side of recall.h: frames that are recalled, and what is noted for the next.
 *
 * A frame is recalled whole or not at all: until it is known that all of it can be done (the meter has credit, the
 * rewrite fits) nothing has been counted or changed, and the frame is looked up.
 */
#ifndef SW_NOTES_H
#define SW_NOTES_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "act.h"
#include "csum.h"
#include "frame.h"
#include "maps.h"
#include "out.h"
#include "patch.h"
#include "recall.h"

/* What is known of a frame. */
struct recalled {
	__u64 verdict;
	const struct sw_extras *extras; /* valid if the verdict says SW_RECALL_MORE */
};

/* ---- extras ---- */

SW_INLINE const struct sw_patch *extras_patch(__u32 rewrite)
{
	__u32 id = rewrite - 1;
	const struct sw_rewrite *element = bpf_map_lookup_elem(&rewrites, &id);

	return element ? &element->patch : 0;
}

/* Whether the rewrite's patch is all there is to do for this frame, which is of the kind that patches are for. */
SW_INLINE int extras_fit(hook_ctx *ctx, __u32 rewrite, __u32 l3)
{
	const struct sw_wire_ipv4 *ip = sw_at(frame_data(ctx), frame_end(ctx), l3, PATCH_REACH);
	const struct sw_patch *patch = extras_patch(rewrite);

	return ip && frame_first_size(ctx) >= SW_RECALL_LEAST && patch && patch_fits(patch, ip);
}

/* Of a frame that it fits. */
SW_INLINE void extras_rewrite(hook_ctx *ctx, __u32 rewrite, __u32 l3)
{
	const struct sw_patch *patch = extras_patch(rewrite);
	void *data = frame_data(ctx);

	if (patch && data + SW_RECALL_LEAST <= frame_end(ctx))
		patch_apply(ctx, data, l3, patch);
}

/* A function, for the way that has no room for it. */
static __attribute__((noinline)) int extras_rewrite_apart(hook_ctx *ctx, __u32 rewrite, __u32 is_tagged)
{
	if (is_tagged)
		extras_rewrite(ctx, rewrite, 18);
	else
		extras_rewrite(ctx, rewrite, 14);
	return 0;
}

SW_INLINE void extras_count_branch(__u32 cpu, __u32 branch, __u32 size)
{
	__u32 index = cpu * SW_MAX_FORKS * SW_MAX_BRANCHES + branch - 1;
	struct sw_flow_stats *stats = bpf_map_lookup_elem(&fork_stats, &index);

	if (stats) {
		stats->packets++;
		stats->bytes += size;
	}
}

/* The frame's new length; 0: it has been dropped, and counted. */
SW_INLINE __u32 extras_retag(
	hook_ctx *ctx, __u32 cpu, __u32 in_port, const struct sw_extras *extras, __u32 tci, __u32 size)
{
	enum sw_drop reason = __builtin_constant_p(tci) ? act_retag_here(ctx, tci, extras->out, extras->vid)
							: act_retag(ctx, tci, extras->out, extras->vid);

	if (!reason)
		return size + act_tag_growth(tci, extras->out);
	drop_count(cpu, in_port, reason, 1);
	return 0;
}

/* ---- recalling ---- */

SW_INLINE int recall_is_plain(const void *ip, const void *end, enum sw_recall_csum csum)
{
	if (sw_likely(csum == SW_RECALL_CSUM_IPV4))
		return csum_is_plain_ipv4(ip);
	return ip + sizeof(struct sw_wire_ipv6) <= end && csum_is_plain_ipv6(ip, end);
}

/* Once for frames with a tag and once for those without, so that offsets are constants. 1: it is known. */
SW_INLINE int recall_link(
	hook_ctx *ctx, struct sw_row *row, const void *data, const void *end, int is_tagged, struct recalled *ret)
{
	const struct sw_recall_key key =
		sw_recall_key(data, ctx->ingress_ifindex, sw_read(core.config.epoch), is_tagged);
	__u32 index = sw_recall_index(&key);
	const struct sw_note *note = &row->notes[index];

	sw_once(note);
	if (sw_unlikely(!sw_recall_fits(note, &key))) {
		index = sw_recall_beside(index);
		note = &row->notes[index];
		sw_once(note);
		if (!sw_recall_fits(note, &key))
			return 0;
	}
	ret->verdict = note->verdict;
	ret->extras = &row->extras[index];
	return !sw_recall_csum(ret->verdict) ||
	       sw_likely(recall_is_plain(data + (is_tagged ? 18 : 14), end, sw_recall_csum(ret->verdict)));
}

SW_INLINE int recall_deep_fits(const struct sw_deep_note *note, const struct sw_deep_key *key, const void *ip)
{
	return sw_deep_fits(note, key) && (sw_load16(ip + 32) & note->flags_mask_be) == note->flags_be;
}

/* The same where rules look deeper. */
SW_INLINE int recall_deep(
	hook_ctx *ctx, struct sw_row *row, const void *data, const void *end, int is_tagged, struct recalled *ret)
{
	const struct sw_deep_key key = sw_deep_key(data, ctx->ingress_ifindex, sw_read(core.config.epoch), is_tagged);
	const struct sw_wire_ipv4 *ip = data + (is_tagged ? 18 : 14);
	__u32 index = sw_deep_index(&key), total_size;
	const struct sw_deep_note *note = &row->deep[index];

	sw_once(note);
	if (sw_unlikely(!recall_deep_fits(note, &key, ip))) {
		note = &row->deep[sw_recall_beside(index)];
		sw_once(note);
		if (!recall_deep_fits(note, &key, ip))
			return 0;
	}
	total_size = sw_swap16(ip->total_size_be);
	if (sw_unlikely(ip->frag_be & sw_swap16(0x3fff) || total_size < note->least_size ||
			total_size > frame_length(ctx, data, end) - (is_tagged ? 18 : 14)))
		return 0;
	ret->verdict = note->link.verdict;
	ret->extras = &note->extras;
	return !sw_recall_csum(ret->verdict) || sw_likely(csum_is_plain_ipv4(ip));
}

SW_INLINE void recall_count_in(struct sw_row *row, __u64 verdict, __u32 size)
{
	struct sw_flow_stats *flow = row_flow_at(row, verdict);
	struct sw_port_stats *port;

	flow->packets++;
	flow->bytes += size;
	row->n_known++;
	port = row_port_at(row, verdict >> 48);
	port->rx_frames++;
	port->rx_bytes += size;
}

SW_INLINE int recall_output(hook_ctx *ctx, __u32 cpu, struct sw_row *row, __u64 verdict, __u32 size)
{
	return out_counted(ctx, row_port_at(row, verdict >> 32), cpu, size, sw_recall_out_port(verdict));
}

/* With extras. What a note of a whole key says to be rewritten fits, for it did then. NEXT: the meter is to be asked.
 */
SW_INLINE int recall_more(
	hook_ctx *ctx, struct sw_row *row, const struct recalled *recalled, int is_tagged, int is_deep)
{
	__u32 cpu = bpf_get_smp_processor_id(), size = frame_whole_size(ctx);
	const struct sw_extras *extras = recalled->extras;

	if (extras->meter && sw_unlikely(!metered_by_credit(row, extras->meter, size))) {
		row->n_others--; /* it speaks not against notes that a meter is exceeded: recall_epoch() will add one */
		return NEXT;
	}
	recall_count_in(row, recalled->verdict, size);
	if (is_deep && extras->rewrite)
		extras_rewrite(ctx, extras->rewrite, is_tagged ? 18 : 14);
	if (extras->branch)
		extras_count_branch(cpu, extras->branch, size);
	if (extras->out) {
		size = extras_retag(
			ctx, cpu, sw_recall_in_port(recalled->verdict), extras, is_tagged ? SW_VLAN_PRESENT : 0, size);
		if (!size)
			return VERDICT_DROP;
	}
	return recall_output(ctx, cpu, row, recalled->verdict, size);
}

SW_INLINE int recall_one(hook_ctx *ctx, struct sw_row *row, int is_tagged, int is_deep)
{
	const void *data = frame_data(ctx), *end = frame_end(ctx);
	struct recalled recalled;
	int is_known;

	if (sw_unlikely(data + SW_RECALL_LEAST > end || frame_is_long(frame_length(ctx, data, end))))
		return NEXT;
	is_known = is_deep ? recall_deep(ctx, row, data, end, is_tagged, &recalled)
			   : recall_link(ctx, row, data, end, is_tagged, &recalled);
	if (sw_unlikely(!is_known))
		return NEXT;
	if (sw_unlikely(recalled.verdict & SW_RECALL_MORE))
		return recall_more(ctx, row, &recalled, is_tagged, is_deep);
	recall_count_in(row, recalled.verdict, frame_length(ctx, data, end));
	return recall_output(ctx, bpf_get_smp_processor_id(), row, recalled.verdict, frame_length(ctx, data, end));
}

/*
 * NEXT: the frame is to be looked up; nothing was done. For each depth, and for tags, the code is there a second time:
 * what is live in one need not be kept in the other, and offsets are constants.
 */
SW_INLINE int recall_way(hook_ctx *ctx)
{
	struct sw_row *row = row_get(bpf_get_smp_processor_id());
	const void *data;
	int is_tagged;

	if (sw_unlikely(!row || row->n_skip || frame_is_split(ctx)))
		return NEXT;
	data = frame_data(ctx);
	if (sw_unlikely(data + SW_RECALL_LEAST > frame_end(ctx)))
		return NEXT;
	is_tagged = sw_type_be(data) == sw_swap16(SW_ETH_VLAN);
	if (sw_unlikely(sw_read(core.config.depth) > SW_L2_WORDS))
		return sw_unlikely(is_tagged) ? recall_one(ctx, row, 1, 1) : recall_one(ctx, row, 0, 1);
	return sw_unlikely(is_tagged) ? recall_one(ctx, row, 1, 0) : recall_one(ctx, row, 0, 0);
}

/* ---- noting ---- */

/* Whether notes are of use: when most frames since the last judgement were recalled. */
static __attribute__((noinline)) int recall_judge(struct sw_row *row)
{
	if (!row)
		return 0;
	if (row->n_known < row->n_others)
		row->n_skip = SW_RECALL_PAUSE;
	row->n_known = 0;
	row->n_others = 0;
	return 0;
}

/* Of a frame that could not be recalled: the epoch in which it may be noted, or 0. */
SW_INLINE __u32 recall_epoch(__u32 cpu)
{
	struct sw_row *row = row_get(cpu);

	if (!row)
		return 0;
	if (row->n_skip) {
		row->n_skip--;
		return 0;
	}
	if (++row->n_others >= SW_RECALL_MISSES)
		recall_judge(row);
	return sw_read(core.config.epoch);
}

/* What a note must know of the checksum; -1: a frame of this type cannot be judged at a glance, and is not noted. */
SW_INLINE int recall_csum_of(__be16 eth_type_be, __u32 flags)
{
	if (!(flags & SW_FLOW_CSUM))
		return SW_RECALL_CSUM_NONE;
	if (eth_type_be == sw_swap16(SW_ETH_IPV4))
		return SW_RECALL_CSUM_IPV4;
	if (eth_type_be == sw_swap16(SW_ETH_IPV6))
		return SW_RECALL_CSUM_IPV6;
	return eth_type_be == sw_swap16(SW_ETH_VLAN) || eth_type_be == sw_swap16(SW_ETH_SVLAN) ? -1
											       : SW_RECALL_CSUM_NONE;
}

/*
 * Which of the two places a new note gets, of which the first may hold its predecessor: its own if that is free, else
 * the other; where both are taken, now this one and now that.
 */
SW_INLINE __u32 note_place(
	const struct sw_row *row, const struct sw_note *first, const struct sw_note *second, __u32 index, __u32 epoch)
{
	if (!sw_recall_holds(first, epoch))
		return index;
	return sw_recall_holds(second, epoch) && row->n_others & 1 ? index : sw_recall_beside(index);
}

SW_INLINE void note_key(struct sw_note *note, const struct sw_recall_key *key, __u64 verdict)
{
	note->head = key->head;
	note->tail = key->tail;
	note->origin = key->origin;
	note->verdict = verdict;
}

/* A global function, as note_deep() is: verified once, not for each way on which a frame can have been looked up. */
__attribute__((noinline)) int note_link(
	hook_ctx *ctx, __u32 epoch, __u64 verdict, __u32 is_tagged, const struct sw_extras *extras)
{
	struct sw_row *row = row_get(bpf_get_smp_processor_id());
	const void *data = frame_data(ctx), *end = frame_end(ctx);
	struct sw_recall_key key;
	struct sw_note *note;
	__u32 index;

	if (!row || !extras || data + SW_RECALL_LEAST > end)
		return 0;
	key = is_tagged ? sw_recall_key(data, ctx->ingress_ifindex, epoch, 1)
			: sw_recall_key(data, ctx->ingress_ifindex, epoch, 0);
	index = sw_recall_index(&key);
	note = &row->notes[sw_recall_beside(index)];
	if (sw_recall_fits(note, &key))
		index = sw_recall_beside(index);
	else if (!sw_recall_fits(&row->notes[index], &key))
		index = note_place(row, &row->notes[index], note, index, epoch);
	note = &row->notes[index];
	sw_once(note);
	note_key(note, &key, verdict);
	if (verdict & SW_RECALL_MORE)
		row->extras[index] = *extras;
	return 0;
}

/* What of TCP's flags the flow looks at. */
SW_INLINE __be16 note_flags_mask(__u64 verdict, __u32 ip_proto)
{
	const struct sw_flow *flow = sw_mem_flow(0, sw_recall_slot(verdict));

	if (ip_proto != SW_IP_TCP)
		return 0;
	return flow ? core.config.masks[flow->mask % SW_MAX_MASKS].bits.f.tcp_flags_be : sw_swap16(0x0fff);
}

__attribute__((noinline)) int note_deep(
	hook_ctx *ctx, __u32 epoch, __u64 verdict, __u32 is_tagged, const struct sw_extras *extras)
{
	struct sw_row *row = row_get(bpf_get_smp_processor_id());
	const void *data = frame_data(ctx), *end = frame_end(ctx);
	const struct sw_wire_ipv4 *ip;
	struct sw_deep_note *note;
	struct sw_deep_key key;
	__u32 index;

	if (!row || !extras || data + SW_RECALL_LEAST > end)
		return 0;
	key = is_tagged ? sw_deep_key(data, ctx->ingress_ifindex, epoch, 1)
			: sw_deep_key(data, ctx->ingress_ifindex, epoch, 0);
	ip = data + (is_tagged ? 18 : 14);
	index = sw_deep_index(&key);
	note = &row->deep[sw_recall_beside(index)];
	if (recall_deep_fits(note, &key, ip))
		index = sw_recall_beside(index);
	else if (!recall_deep_fits(&row->deep[index], &key, ip))
		index = note_place(row, &row->deep[index].link, &note->link, index, epoch);
	note = &row->deep[index];
	sw_once(note);
	note_key(&note->link, &key.link, verdict);
	note->addrs = key.addrs;
	note->rest = key.rest;
	note->extras = *extras;
	note->least_size = sw_plain_size(ip->proto);
	note->flags_mask_be = note_flags_mask(verdict, ip->proto);
	note->flags_be = sw_load16((void *)ip + 32) & note->flags_mask_be;
	return 0;
}

#endif
