/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * metered.h - the METER step: a frame before the bands of a meter, in the program.
 *
 * Every band is asked and filled by every frame; of those that it exceeds the one of the highest rate applies, which
 * the daemon has put first. The frame is counted for that band, and then dropped, or its DSCP gets a higher drop
 * precedence. A flow counts what goes on where every flow counts its frames, so that whoever stands behind the meter
 * counts what came through, and what does not in `stopped`: both only rise, and together they are what came. So where a
 * frame is counted is open until the meter has run, and a frame that ends or goes up before that is stopped, too.
 *
 * Most frames pass on credit (bpf/meter.h). For one that does not the clock is read (bpf_ktime_get_boot_ns): the coarse
 * one, which is cheaper, stands still for milliseconds, in which a bucket of a small burst would starve and one that is
 * full would give too much.
 */
#ifndef SW_METERED_H
#define SW_METERED_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "frame.h"
#include "maps.h"
#include "meter.h"
#include "rewrite.h"

SW_INLINE struct sw_credit *metered_credit(struct sw_row *row, __u32 slot)
{
	struct sw_credit *credit = &row->credits[slot & (SW_MAX_METERS - 1)];

	sw_once(credit);
	return credit;
}

/*
 * 1: the meter lets the frame go on as it is, and its bands have had what they are to get: it is counted for its flow
 * in the CPU's row, and that is all. 0: nothing was done, see metered_run().
 */
SW_INLINE int metered_by_credit(struct sw_row *row, __u32 slot, __u32 size)
{
	return sw_credit_spend(metered_credit(row, slot), size);
}

/* The band that applies, or SW_METER_BANDS: none does. -1: there is no such meter. */
SW_INLINE int metered_band(struct sw_row *row, __u32 slot, __u32 size)
{
	struct sw_meter *meter = bpf_map_lookup_elem(&meters, &slot);

	if (!meter || !meter->id)
		return -1;
	return (int)sw_meter_run_on(meter, metered_credit(row, slot), size, bpf_ktime_get_boot_ns());
}

/* Assured forwarding, RFC 2597 §6: bits cccdd0, class 1 to 4, drop precedence 1 to 3; two bits of ECN behind. */
SW_INLINE int metered_is_assured(__u32 tos)
{
	return tos >> 5 >= 1 && tos >> 5 <= 4 && tos & 0x18 && !(tos & 4);
}

SW_INLINE __u32 metered_tos(__u32 tos, __u32 levels)
{
	__u32 precedence = tos >> 3 & 3;

	precedence = levels < 3 - precedence ? precedence + levels : 3;
	return (tos & ~0x18U) | precedence << 3;
}

/* As rewrite_remark() of dataplane/rewrite.h; the frame lies in one buffer. */
__attribute__((noinline)) int metered_raise(hook_ctx *ctx, __u32 levels)
{
	struct sw_layers *layers;
	struct sw_wire_ipv6 *ip6;
	__u32 tos;

	if (frame_gather(ctx, SW_PARSE_MAX) || !rewrite_find(ctx))
		return 0;
	layers = rewrite_layers();
	if (!layers || !layers->version)
		return 0;
	ip6 = rewrite_at(ctx, layers->l3, 2);
	if (!ip6)
		return 0;
	tos = layers->version == 4 ? ((__u8 *)ip6)[1] : (sw_swap16(*(__u16 *)ip6) >> 4 & 0xff);
	if (metered_is_assured(tos))
		rewrite_tos(ctx, layers, 0xfc, metered_tos(tos, levels));
	return 0;
}

/*
 * Does what the meter asked for. Before the first edit of a REWRITE, which may set another DSCP, and before a tag comes
 * or goes, behind which the IP header is in sight or not, and before copies are made; else when all is done: a redirect
 * that is asked for leaves the bytes alone.
 */
SW_INLINE void metered_remark(hook_ctx *ctx, struct frame *frame)
{
	if (frame->levels)
		metered_raise(ctx, frame->levels);
	frame->levels = 0;
}

/* Whether the meter may have to write into a frame that it cannot reach the headers of. */
SW_INLINE int metered_hinders(hook_ctx *ctx, const struct frame *frame)
{
	__u32 slot = frame->meter;
	struct sw_meter *meter = bpf_map_lookup_elem(&meters, &slot);

	return meter && meter->flags & SW_METER_REMARKS && frame_is_split(ctx);
}

SW_INLINE void metered_count(struct sw_flow_stats *stats, __u32 size)
{
	if (stats) {
		stats->packets++;
		stats->bytes += size;
	}
}

/* Counts the frame for the band; not 0: it ends there. */
SW_INLINE int metered_apply(struct frame *frame, __u32 band)
{
	__u32 slot = frame->meter, index = (frame->cpu * SW_MAX_METERS + slot) * SW_METER_BANDS + band;
	struct sw_meter *meter = bpf_map_lookup_elem(&meters, &slot);
	const struct sw_meter_band *applies;

	if (!meter)
		return 0;
	applies = &meter->bands[band & (SW_METER_BANDS - 1)];
	metered_count(bpf_map_lookup_elem(&band_stats, &index), frame->size);
	if (applies->drops)
		return 1;
	frame->levels = applies->levels;
	return 0;
}

/* Asks the meter's buckets; not 0: the frame ends there, and is counted as dropped. */
SW_INLINE int metered_ask(struct frame *frame, struct sw_row *row)
{
	int band = metered_band(row, frame->meter, frame->size);

	if (band >= 0 && (band >= SW_METER_BANDS || !metered_apply(frame, band)))
		return 0;
	frame_drop(frame, frame->in_port, band < 0 ? SW_DROP_BAD_PROGRAM : SW_DROP_METER);
	return 1;
}

/* A global function is verified once, not on each way that leads here. */
__attribute__((noinline)) int metered_run(struct frame *frame)
{
	struct sw_row *row;

	if (!frame)
		return 1;
	row = row_get(frame->cpu);
	if (!row)
		return 1;
	if (!metered_by_credit(row, frame->meter, frame->size)) {
		if (metered_ask(frame, row))
			return 1;
		row = row_get(frame->cpu); /* anew: to keep it would take more of the stack */
		if (!row)
			return 1;
	}
	metered_count(row_flow_at(row, frame->slot * sizeof(struct sw_flow_stats)), frame->size);
	frame->uncounted = 0;
	return 0;
}

/* Runs the meter in front of the frame's program, if there is one; not 0: the frame ends there, and is counted. */
SW_INLINE int metered_away(struct frame *frame)
{
	return frame->meter && metered_run(frame);
}

/* What became of the frame is settled: if its flow has not counted it by now, its meter has not let it go on. */
SW_INLINE void metered_settle(const struct frame *frame)
{
	__u32 slot = frame->slot;
	struct sw_flow_stats *stats;

	if (!frame->uncounted)
		return;
	stats = bpf_map_lookup_elem(&stopped, &slot);
	if (!stats)
		return;
	__sync_fetch_and_add(&stats->packets, 1);
	__sync_fetch_and_add(&stats->bytes, frame->size);
}

#endif
