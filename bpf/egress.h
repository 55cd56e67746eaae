/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * egress.h - what is done to each copy of a broadcast before its port's driver gets it.
 *
 * What: a flood's copy loses its tag where that is its port's untagged VLAN; a copy of a COPIES step is rewritten as
 * its port's is to be (each.h), and counted as sent, or as lost by a name. Floods were counted before (copies.h).
 *
 * Which frames come here: see mark.h. A port that floods are to lose their tag for, or that some COPIES step sends to
 * (SW_PORT_FOLLOWED), has a program on both of its ways, sw_egress where a set leads to it and sw_egress_one from
 * tx_ports; the others have none, for all that leaves by the port pays for it. A bulk is all run by the program of its
 * first frame's way, so either program does what a mark says, and what has no mark is unicast.
 *
 * In generic mode there are no bulks, each frame is seen by its element's program alone. A clone keeps the bytes of its
 * mark there, but not that they are one: sw_egress looks where it must be, and finds it, for nothing but sw_egress
 * takes marks away. Were clones' bytes not copied before we write to them, the second would find its mark spoilt and be
 * dropped by name; Linux 6.1 and 6.18 copy them.
 *
 * What is dropped here the kernel reports as not taken by the driver, at the tracepoint where lost.h counts: that
 * follows on the same CPU before any other bulk, so a number is enough to tell it (egress_forgiven).
 */
#ifndef SW_EGRESS_H
#define SW_EGRESS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "frame.h"
#include "maps.h"
#include "mark.h"
#include "rewrite.h"
#include "vlan.h"

#define EGRESS_BULK 16 /* DEV_MAP_BULK_SIZE: more are not lost at once */

/* How many of the bulk that the kernel reports are dropped and counted already. */
SW_INLINE int egress_forgiven(void)
{
	struct sw_scratch *s = scratch_get();
	int n = s ? s->n_copies_lost : 0;

	if (n)
		s->n_copies_lost = 0;
	return n;
}

SW_INLINE int egress_drop(__u32 cpu, __u32 port_id, __u32 is_skb, enum sw_drop reason)
{
	struct sw_scratch *s = scratch_get();

	drop_count(cpu, port_id, reason, 1);
	if (s && !is_skb && s->n_copies_lost < EGRESS_BULK)
		s->n_copies_lost++;
	return XDP_DROP;
}

/* Rewrites the copy as its port's is to be; SW_DROP_NONE, or why it cannot leave. */
SW_INLINE enum sw_drop egress_rewrite(struct xdp_md *ctx, __u32 id, __u32 port_id)
{
	const struct sw_copies *list = bpf_map_lookup_elem(&copies, &id);
	const struct sw_rewrite *rewrite;
	__u32 rewrite_id;

	if (!list)
		return SW_DROP_BAD_PROGRAM;
	rewrite_id = list->rewrite[port_id & (SW_MAX_PORTS - 1)];
	if (!rewrite_id)
		return SW_DROP_NONE;
	rewrite_id--;
	rewrite = bpf_map_lookup_elem(&rewrites, &rewrite_id);
	if (!rewrite || !rewrite->n_edits)
		return SW_DROP_BAD_PROGRAM;
	return rewrite_run(ctx, rewrite);
}

SW_INLINE void egress_untag(struct xdp_md *ctx, const struct sw_port *port)
{
	if (port->untagged_vid && vlan_tag(ctx) == port->untagged_vid)
		vlan_pop(ctx);
}

/* Of a copy with what it was told. */
SW_INLINE int egress_copy(struct xdp_md *ctx, int told, __u32 is_skb)
{
	__u32 cpu = bpf_get_smp_processor_id(), is_flood = told == SW_MARK_FLOOD;
	const struct sw_port *port = port_get(ctx->egress_ifindex);
	struct sw_port_stats *stats;
	int reason;

	if (!port)
		return is_flood ? XDP_PASS : egress_drop(cpu, 0, is_skb, SW_DROP_PORT_DOWN);
	if (is_flood) {
		egress_untag(ctx, port);
		return XDP_PASS;
	}
	reason = told < 0 ? SW_DROP_COPY : egress_rewrite(ctx, told, port->id);
	if (reason)
		return egress_drop(cpu, port->id, is_skb, reason);
	stats = port_stats_get(cpu, port->id & (SW_MAX_PORTS - 1));
	if (stats) {
		stats->tx_frames++;
		stats->tx_bytes += frame_size(ctx);
	}
	return XDP_PASS;
}

/* Whether what came in by this device is an skb. */
SW_INLINE int egress_is_skb(const struct xdp_md *ctx)
{
	const struct sw_port *from = port_get(ctx->ingress_ifindex);

	return from && from->flags & SW_PORT_GENERIC;
}

/* Without a mark, in the program of a set: unicast, unless its mark only does not show. */
SW_INLINE int egress_unmarked(struct xdp_md *ctx)
{
	if (!egress_is_skb(ctx))
		return XDP_PASS;
	bpf_xdp_adjust_meta(ctx, -(int)sizeof(struct sw_mark));
	return egress_copy(ctx, mark_read(ctx), 1);
}

#endif
