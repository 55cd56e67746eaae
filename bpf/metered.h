/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * metered.h - the METER step: a frame before the bands of a meter, in the program.
 *
 * Every band is asked and filled by every frame; of those that it exceeds the one of the highest rate applies, which
 * the daemon has put first. The frame is counted for that band, and then dropped, or its DSCP gets a higher drop
 * precedence. What goes on is counted for its flow in `passed`, so that whoever stands behind the meter counts what
 * came through, by a number that only rises: frames less drops would fall when a frame is dropped that was read as
 * counted.
 *
 * The clock is read for every frame (bpf_ktime_get_boot_ns): the coarse one, which is cheaper, stands still for
 * milliseconds, in which a bucket of a small burst would starve and one that is full would give too much.
 */
#ifndef SW_METERED_H
#define SW_METERED_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "frame.h"
#include "maps.h"
#include "meter.h"
#include "rewrite.h"

/* The band that applies, or SW_METER_BANDS: none does. -1: there is no such meter. */
__attribute__((noinline)) int metered_band(__u32 slot, __u32 size)
{
	struct sw_meter *meter = bpf_map_lookup_elem(&meters, &slot);

	return meter && meter->id ? (int)sw_meter_run(meter, size, bpf_ktime_get_boot_ns()) : -1;
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
__attribute__((noinline)) int metered_raise(struct xdp_md *ctx, __u32 levels)
{
	struct sw_layers *layers;
	struct sw_wire_ipv6 *ip6;
	__u32 tos;

	if (!rewrite_find(ctx))
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
 * Does what the meter asked for. Before the first edit of a REWRITE, which may set another DSCP; else when all is done:
 * from there the stack has room for it, and a redirect that is asked for leaves the bytes alone.
 */
SW_INLINE void metered_remark(struct xdp_md *ctx, struct frame *frame)
{
	if (frame->levels)
		metered_raise(ctx, frame->levels);
	frame->levels = 0;
}

/* Whether the meter may have to write into a frame that it cannot reach the headers of. */
SW_INLINE int metered_hinders(struct xdp_md *ctx, const struct frame *frame)
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

static __attribute__((noinline)) int metered_run(struct frame *frame)
{
	const struct sw_config *cfg = config_get();
	__u32 index;
	int band;

	if (!frame || !cfg)
		return 1;
	band = metered_band(frame->meter, frame->size);
	if (band < 0) {
		frame_drop(frame, frame->in_port, SW_DROP_BAD_PROGRAM);
		return 1;
	}
	if (band < SW_METER_BANDS && metered_apply(frame, band)) {
		frame_drop(frame, frame->in_port, SW_DROP_METER);
		return 1;
	}
	index = frame->cpu * cfg->n_flows + frame->slot;
	metered_count(bpf_map_lookup_elem(&passed, &index), frame->size);
	return 0;
}

/* Runs the meter in front of the frame's program, if there is one; not 0: the frame ends there, and is counted. */
SW_INLINE int metered_away(struct frame *frame)
{
	return frame->meter && metered_run(frame);
}

#endif
