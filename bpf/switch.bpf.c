// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * switch.bpf.c - the fast path.
 *
 * sw_ingress runs on every frame that comes in by a port: intake, extract, lookup, and then either the hit (count,
 * finish the checksum, run the flow's program) or the miss (up to the daemon). sw_egress runs on each copy of a flood.
 * The programs in lost.h name what the kernel drops afterwards.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "abi.h"
#include "extract.h"
#include "lookup.h"
#include "maps.h"
#include "frame.h"
#include "csum.h"
#include "vlan.h"
#include "upcall.h"
#include "act.h"
#include "lost.h"

/* A stage's answer: a verdict (enum xdp_action) is final, NEXT goes on. */
#define NEXT (-1)

/* What the long way answers: slot + 1 of the flow, with LONG_BY_HINT; or LONG_VERDICT and a verdict. */
#define LONG_BY_HINT (1ULL << 32)
#define LONG_VERDICT (1ULL << 33)

/* No frame longer than this needs a look at its port's MTU: a full one of the common 1500, tagged. */
#define LONG_FRAME 1518

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Parses the frame into the CPU's scratch, wherever its headers lie. */
__attribute__((noinline)) int extract_to_scratch(struct xdp_md *ctx, __u32 frame_size, __u32 depth)
{
	__u32 size = sw_parse_size(frame_size), in_ifindex = ctx->ingress_ifindex;
	const void *data = frame_data(ctx), *data_end = frame_end(ctx);
	struct sw_scratch *s = scratch_get();

	if (!s || !size)
		return -1;
	if (frame_first_size(ctx) >= size) {
		sw_extract_part(data, data_end, frame_size, in_ifindex, depth, &s->key, &s->headers);
		return 0;
	}
	if (bpf_xdp_load_bytes(ctx, 0, s->bytes, bounded_size(size, SW_PARSE_MAX)))
		return -1;
	sw_extract_part(s->bytes, s->bytes + size, frame_size, in_ifindex, depth, &s->key, &s->headers);
	return 0;
}

/* slot + 1, with bit 31 if a hint led there; 0: no flow matches what is in the scratch. */
__attribute__((noinline)) int lookup_scratch(__u32 depth, __u32 cpu)
{
	const struct sw_config *cfg = config_get();
	struct sw_scratch *s = scratch_get();
	struct sw_hit hit = {};

	if (!cfg || !s || !sw_lookup(0, cfg, &s->key, depth, cpu, &hit))
		return 0;
	return (hit.slot + 1) | hit.by_hint << 31;
}

/* A frame that no flow has seen yet: whose is it? Counts it as received. */
SW_INLINE struct sw_port *intake(struct xdp_md *ctx, struct frame *frame)
{
	struct sw_port *port = port_get(ctx->ingress_ifindex);
	struct sw_port_stats *stats;

	if (!port)
		return 0;
	frame->in_port = port->id;
	stats = port_stats_get(frame->cpu, port->id % SW_MAX_PORTS);
	if (stats) {
		stats->rx_frames++;
		stats->rx_bytes += frame->size;
	}
	return port;
}

static __attribute__((noinline)) int drop_runt(struct xdp_md *ctx, struct frame *frame)
{
	return intake(ctx, frame) ? frame_drop(frame, frame->in_port, SW_DROP_RUNT)
				  : frame_drop(frame, 0, SW_DROP_NO_PORT);
}

static __attribute__((noinline)) int miss(struct xdp_md *ctx, struct frame *frame)
{
	struct sw_port *port = intake(ctx, frame);

	if (!port)
		return frame_drop(frame, 0, SW_DROP_NO_PORT);
	if (frame->size > port->max_rx_frame)
		return frame_drop(frame, port->id, SW_DROP_GSO);
	return upcall(ctx, frame, port, SW_UPCALL_MISS);
}

/* For what the short way does not take: deep keys, several masks, full buckets, headers out of reach, and misses. */
static __attribute__((noinline)) __u64 long_way(struct xdp_md *ctx, struct frame *frame, __u32 depth)
{
	struct sw_scratch *s = scratch_get();
	__u32 found;

	if (!s || extract_to_scratch(ctx, frame->size, depth) || !s->headers.l3)
		return LONG_VERDICT | drop_runt(ctx, frame);
	found = lookup_scratch(depth, frame->cpu);
	if (!found)
		return LONG_VERDICT | miss(ctx, frame);
	return (found & 0x7fffffff) | (found >> 31 ? LONG_BY_HINT : 0);
}

/* Layer 2 alone, in one piece, one probe. Says where layer 3 begins, 0 if it did not get so far. */
SW_INLINE int short_way(
	struct xdp_md *ctx, const struct sw_config *cfg, const struct frame *frame, struct sw_hit *ret, __u32 *ret_l3)
{
	struct sw_headers headers = {};
	struct sw_key key = {};

	sw_extract_link(frame_data(ctx), frame_end(ctx), ctx->ingress_ifindex, &key, &headers);
	*ret_l3 = headers.eth_type_be == sw_swap16(SW_ETH_IPV4) ? headers.l3 : 0;
	return headers.l3 && sw_lookup_short(0, cfg, &key, frame->cpu, ret);
}

SW_INLINE void count_hit(const struct sw_config *cfg, const struct frame *frame, const struct sw_hit *hit)
{
	struct sw_port_stats *port = port_stats_get(frame->cpu, frame->in_port);
	__u32 index = frame->cpu * cfg->n_flows + hit->slot;
	struct sw_flow_stats *flow = bpf_map_lookup_elem(&flow_stats, &index);

	if (flow) {
		flow->packets++;
		flow->bytes += frame->size;
	}
	if (!port)
		return;
	port->rx_frames++;
	port->rx_bytes += frame->size;
	if (hit->by_hint)
		port->emc_hits++;
	else
		port->mega_hits++;
}

/* A frame longer than its sender's MTU was put together by segmentation offload; nobody can take it. */
static __attribute__((noinline)) int stage_long(struct xdp_md *ctx, struct frame *frame)
{
	struct sw_port *port = port_get(ctx->ingress_ifindex);

	if (port && frame->size > port->max_rx_frame)
		return frame_drop(frame, frame->in_port, SW_DROP_GSO);
	return NEXT;
}

static __attribute__((noinline)) void stage_csum(struct xdp_md *ctx, const struct frame *frame)
{
	struct sw_port_stats *stats;

	if (!csum_check(ctx, frame->size))
		return;
	stats = port_stats_get(frame->cpu, frame->in_port);
	if (stats)
		stats->csum_done++;
}

SW_INLINE int hit_stages(
	struct xdp_md *ctx, const struct sw_config *cfg, struct frame *frame, const struct sw_hit *hit, __u32 ipv4_l3)
{
	int verdict;

	frame->slot = hit->slot;
	frame->in_port = hit->flow->in_port;
	count_hit(cfg, frame, hit);
	if (frame->size > LONG_FRAME) {
		verdict = stage_long(ctx, frame);
		if (verdict != NEXT)
			return verdict;
	}
	if (hit->flow->flags & SW_FLOW_CSUM && !(ipv4_l3 && csum_is_plain(ctx, ipv4_l3)))
		stage_csum(ctx, frame);
	return act(ctx, frame, hit->flow);
}

SW_INLINE int ingress(struct xdp_md *ctx)
{
	const struct sw_config *cfg = config_get();
	__u32 depth, ipv4_l3 = 0;
	struct sw_hit hit = {};
	struct frame frame = {};
	__u64 found;

	if (!cfg)
		return XDP_DROP;
	frame.cpu = bpf_get_smp_processor_id();
	frame.size = bpf_xdp_get_buff_len(ctx);
	depth = sw_read(cfg->depth);
	if (depth > SW_L2_WORDS || !short_way(ctx, cfg, &frame, &hit, &ipv4_l3)) {
		found = long_way(ctx, &frame, depth);
		if (found & LONG_VERDICT)
			return (__u32)found;
		hit.slot = (__u32)found - 1;
		hit.by_hint = !!(found & LONG_BY_HINT);
		hit.flow = sw_mem_flow(0, hit.slot);
		if (!hit.flow)
			return XDP_DROP;
	}
	return hit_stages(ctx, cfg, &frame, &hit, ipv4_l3);
}

SEC("xdp.frags")
int sw_ingress(struct xdp_md *ctx)
{
	return ingress(ctx);
}

/* Each copy of a flood, before its port's driver gets it. A verdict other than PASS would be one more drop to name. */
SEC("xdp.frags/devmap")
int sw_egress(struct xdp_md *ctx)
{
	struct sw_port *port = port_get(ctx->egress_ifindex);
	struct tagged_frame *tagged = vlan_frame(ctx);
	struct sw_port_stats *stats;

	if (!port)
		return XDP_PASS;
	if (tagged && port->untagged_vid && (sw_swap16(tagged->tci_be) & SW_VLAN_VID) == port->untagged_vid)
		vlan_pop(ctx);
	stats = port_stats_get(bpf_get_smp_processor_id(), port->id % SW_MAX_PORTS);
	if (stats) {
		stats->tx_frames++;
		stats->tx_bytes += bpf_xdp_get_buff_len(ctx);
	}
	return XDP_PASS;
}
