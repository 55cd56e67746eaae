// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * switch.bpf.c - the fast path.
 *
 * sw_ingress runs on every frame that comes in by a port. Where rules look at layer 2 alone, nearly all are like one
 * before them, and go where that went (recall.h). Of the others most are known, unicast and in one buffer, and go the
 * short way: layer 2 of the key, the flow at its home, the FDB, out. What the short way is not made for it leaves as it
 * found it, uncounted (but for the mark of an address in use), and the long way begins anew: intake, extract, lookup,
 * and then either the hit (count, finish the checksum, run the flow's program) or the miss (up to the daemon). So the
 * long way can do everything and the short one keeps what it knows in registers. sw_egress and sw_egress_one take tags
 * off copies of floods, and rewrite copies that differ (egress.h). The programs in lost.h name what the kernel drops
 * afterwards.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "abi.h"
#include "extract.h"
#include "lookup.h"
#include "recall.h"
#include "maps.h"
#include "frame.h"
#include "csum.h"
#include "vlan.h"
#include "upcall.h"
#include "act.h"
#include "egress.h"
#include "fork.h"
#include "lost.h"

/* A stage's answer: a verdict (enum xdp_action) is final, NEXT goes on. */
#define NEXT (-1)

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
	int found;

	if (!cfg || !s)
		return 0;
	found = sw_lookup(0, cfg, &s->key, depth, cpu, &hit);
	if (hit.n_probes)
		walk_count(cpu, hit.n_probes, found);
	return found ? (hit.slot + 1) | hit.by_hint << 31 : 0;
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
		stats->misses++;
	}
	return port;
}

SW_INLINE int drop_runt(struct xdp_md *ctx, struct frame *frame)
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
	return upcall_miss(ctx, frame, port);
}

/* A frame longer than its sender's MTU was put together by segmentation offload; nobody can take it. */
SW_INLINE int stage_long(struct xdp_md *ctx, const struct frame *frame)
{
	struct sw_port *port;

	if (frame->size <= LONG_FRAME)
		return NEXT;
	port = port_get(ctx->ingress_ifindex);
	if (port && frame->size > port->max_rx_frame)
		return frame_drop(frame, frame->in_port, SW_DROP_GSO);
	return NEXT;
}

SW_INLINE void count_hit(__u32 cpu, __u32 in_port, __u32 size, const struct sw_hit *hit)
{
	struct sw_row *row = row_get(cpu);
	struct sw_port_stats *port;
	struct sw_flow_stats *flow;

	if (!row)
		return;
	flow = row_flow_at(row, hit->slot * sizeof(*flow));
	flow->packets++;
	flow->bytes += size;
	port = row_port_at(row, in_port * sizeof(*port));
	port->rx_frames++;
	port->rx_bytes += size;
	if (sw_likely(!hit->by_hint))
		port->mega_hits++;
}

static __attribute__((noinline)) void finish_csum(struct xdp_md *ctx, __u32 cpu, __u32 in_port, __u32 size)
{
	struct sw_port_stats *stats;

	if (!csum_check(ctx, size))
		return;
	stats = port_stats_get(cpu, in_port);
	if (stats)
		stats->csum_done++;
}

static __attribute__((noinline)) int long_way(struct xdp_md *ctx)
{
	const struct sw_config *cfg = config_get();
	struct sw_scratch *s = scratch_get();
	const struct sw_flow *program;
	struct sw_hit hit = {};
	struct frame *frame;
	__u32 depth, found;
	int verdict;

	if (!cfg || !s)
		return XDP_DROP;
	frame = &s->frame;
	*frame = (struct frame){.cpu = bpf_get_smp_processor_id(), .size = frame_size(ctx)};
	depth = sw_read(cfg->depth);
	if (extract_to_scratch(ctx, frame->size, depth) || !s->headers.l3)
		return drop_runt(ctx, frame);
	frame->dst = s->key.w[1];
	frame->src = s->key.w[2];
	frame->tci = sw_swap16(sw_key_tci_be(s->key.w[0]));
	found = lookup_scratch(depth, frame->cpu);
	if (!found)
		return miss(ctx, frame);
	frame->slot = hit.slot = (found & 0x7fffffff) - 1;
	hit.by_hint = found >> 31;
	hit.flow = sw_mem_flow(0, hit.slot);
	if (!hit.flow)
		return XDP_DROP;
	frame->in_port = hit.flow->in_port;
	count_hit(frame->cpu, frame->in_port, frame->size, &hit);
	verdict = stage_long(ctx, frame);
	if (verdict != NEXT)
		return verdict;
	if (hit.flow->flags & SW_FLOW_CSUM)
		finish_csum(ctx, frame->cpu, frame->in_port, frame->size);
	program = hit.flow->steps[0].op == SW_OP_FORK ? fork_take(ctx, frame, hit.flow, depth) : hit.flow;
	if (!program)
		return frame_drop(frame, frame->in_port, SW_DROP_BAD_PROGRAM);
	verdict = act(ctx, cfg, frame, program);
	metered_remark(ctx, frame);
	return verdict;
}

/* Where a flow that the short way takes sends this frame; 0: it is not one of those. */
SW_INLINE int short_output(
	const struct sw_config *cfg, const struct sw_key *key, const struct sw_flow *flow, union sw_fdb_place *ret)
{
	struct sw_normal_answer answer;

	if (sw_likely(flow->steps[0].op == SW_OP_NORMAL)) {
		if (act_ask_fdb(cfg, flow, 0, key->w[1], key->w[2], &answer) != SW_NORMAL_FORWARD)
			return 0;
		*ret = answer.to;
		return 1;
	}
	ret->port = flow->steps[0].arg;
	ret->out = SW_FDB_OUT_AS_IS;
	return flow->steps[0].op == SW_OP_OUTPUT && flow->n_steps == 1;
}

/* The frame has the tag with which it is to leave. */
SW_INLINE int short_fits(const struct sw_key *key, const struct sw_flow *flow, __u32 out)
{
	return act_tag_fits(sw_swap16(sw_key_tci_be(key->w[0])), out, flow->steps[0].arg);
}

/* Gives it that tag; *size follows. */
SW_INLINE enum sw_drop short_retag(
	struct xdp_md *ctx, const struct sw_key *key, const struct sw_flow *flow, __u32 out, __u32 *size)
{
	__u32 vid = flow->steps[0].arg, tci = sw_swap16(sw_key_tci_be(key->w[0]));

	*size += act_tag_growth(tci, out);
	return act_retag(ctx, tci, out, vid);
}

SW_INLINE int short_is_metered(const struct sw_flow *flow)
{
	return flow->steps[0].op == SW_OP_METER && flow->steps[1].op == SW_OP_OUTPUT && flow->n_steps == 2;
}

/* A frame without a tag whose checksum needs no second glance. */
SW_INLINE int short_is_plain(struct xdp_md *ctx)
{
	const struct sw_wire_eth *eth = sw_at(frame_data(ctx), frame_end(ctx), 0, sizeof(*eth));

	return eth && csum_is_plain(ctx, eth->type_be, sizeof(*eth));
}

/* A meter and an output, which no hint led to: a short way of their own, beside the other's. */
static __attribute__((noinline)) int short_metered(struct xdp_md *ctx, __u32 slot, __u32 size)
{
	const struct sw_flow *flow = sw_mem_flow(0, slot);
	struct sw_scratch *s = scratch_get();
	struct sw_hit hit = {.slot = slot};
	struct frame *frame;

	if (!flow || !s)
		return XDP_DROP;
	frame = &s->frame;
	*frame = (struct frame){.cpu = bpf_get_smp_processor_id(),
		.size = size,
		.slot = slot,
		.in_port = flow->in_port,
		.meter = flow->steps[0].arg};
	count_hit(frame->cpu, frame->in_port, size, &hit);
	if (flow->flags & SW_FLOW_CSUM && !short_is_plain(ctx))
		finish_csum(ctx, frame->cpu, frame->in_port, size);
	if (metered_away(frame))
		return XDP_DROP;
	metered_remark(ctx, frame);
	return act_output(frame->cpu, size, flow->steps[1].arg);
}

/* ---- recalling, and what is looked up to be recalled ---- */

SW_INLINE int recall_is_plain(const void *ip, const void *end, enum sw_recall_csum csum)
{
	if (sw_likely(csum == SW_RECALL_CSUM_IPV4))
		return csum_is_plain_ipv4(ip);
	return ip + sizeof(struct sw_wire_ipv6) <= end && csum_is_plain_ipv6(ip, end);
}

/* Once for frames with a tag and once for those without, so that offsets are constants. */
SW_INLINE int recall(
	struct xdp_md *ctx, __u32 cpu, struct sw_row *row, const void *data, const void *end, int is_tagged)
{
	const struct sw_recall_key key =
		sw_recall_key(data, ctx->ingress_ifindex, sw_read(core.config.epoch), is_tagged);
	const struct sw_note *note = &row->notes[sw_recall_index(&key)];
	struct sw_port_stats *port;
	struct sw_flow_stats *flow;
	__u64 recalled, size;
	int verdict;

	sw_once(note);
	if (sw_unlikely(!sw_recall_fits(note, &key)))
		return NEXT;
	recalled = note->verdict;
	if (sw_recall_csum(recalled) &&
		sw_unlikely(!recall_is_plain(data + (is_tagged ? 18 : 14), end, sw_recall_csum(recalled))))
		return NEXT;
	size = end - data;
	flow = row_flow_at(row, recalled);
	flow->packets++;
	flow->bytes += size;
	row->n_known++;
	port = row_port_at(row, recalled >> 48);
	port->rx_frames++;
	port->rx_bytes += size;
	port = row_port_at(row, recalled >> 32);
	port->tx_frames++;
	port->tx_bytes += size;
	verdict = bpf_redirect_map(&tx_ports, sw_recall_out_port(recalled), XDP_DROP);
	return sw_likely(verdict == XDP_REDIRECT) ? verdict : act_not_sent(cpu, size, sw_recall_out_port(recalled));
}

/* NEXT: the frame is to be looked up; nothing was done. */
SW_INLINE int recall_way(struct xdp_md *ctx)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct sw_row *row = row_get(cpu);
	const void *data, *end;

	if (sw_unlikely(!row || row->n_skip))
		return NEXT;
	data = frame_data(ctx);
	end = frame_end(ctx);
	if (sw_unlikely(data + SW_RECALL_LEAST > end || data + LONG_FRAME < end || frame_is_split(ctx)))
		return NEXT;
	if (sw_unlikely(sw_type_be(data) == sw_swap16(SW_ETH_VLAN)))
		return recall(ctx, cpu, row, data, end, 1);
	return recall(ctx, cpu, row, data, end, 0);
}

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

static __attribute__((noinline)) int note_down(
	struct xdp_md *ctx, struct sw_row *row, __u32 epoch, __u64 recalled, __u32 is_tagged)
{
	const void *data = frame_data(ctx), *end = frame_end(ctx);
	struct sw_recall_key key;
	struct sw_note *note;

	if (!row || data + SW_RECALL_LEAST > end)
		return 0;
	key = is_tagged ? sw_recall_key(data, ctx->ingress_ifindex, epoch, 1)
			: sw_recall_key(data, ctx->ingress_ifindex, epoch, 0);
	note = &row->notes[sw_recall_index(&key)];
	sw_once(note);
	note->head = key.head;
	note->tail = key.tail;
	note->origin = key.origin;
	note->verdict = recalled;
	return 0;
}

/*
 * Notes that the frame, as it came in, goes to this port. Not that of a flow which does not learn: no cell of the FDB
 * need vouch for the source there, and one that is added could say that it lives elsewhere.
 */
SW_INLINE void short_note(struct xdp_md *ctx, __u32 cpu, __u32 epoch, const struct sw_headers *headers,
	const struct sw_hit *hit, __u32 out_port)
{
	int csum = recall_csum_of(headers->eth_type_be, hit->flow->flags);

	if (csum < 0 || (hit->flow->steps[0].op == SW_OP_NORMAL && !(hit->flow->flags & SW_FLOW_LEARN)))
		return;
	note_down(ctx, row_get(cpu), epoch, sw_recall_verdict(hit->flow->in_port, out_port, hit->slot, csum),
		headers->l3 > sizeof(struct sw_wire_eth));
}

/* A function, so that recalling does not make room for it. */
static __attribute__((noinline)) int short_way(struct xdp_md *ctx)
{
	const struct sw_config *cfg = config_get();
	__u32 cpu = bpf_get_smp_processor_id(), size = frame_first_size(ctx), epoch = recall_epoch(cpu);
	struct sw_headers headers = {};
	union sw_fdb_place to = {};
	struct sw_hit hit = {};
	struct sw_key key = {};
	enum sw_drop reason;

	if (sw_unlikely(!cfg || size > LONG_FRAME || frame_is_split(ctx)))
		return NEXT;
	sw_extract_link(frame_data(ctx), frame_end(ctx), ctx->ingress_ifindex, &key, &headers);
	if (sw_unlikely(!headers.l3))
		return NEXT;
	if (sw_unlikely(sw_read(cfg->depth) > SW_L2_WORDS)) {
		epoch = 0;
		if (!sw_extract_plain(frame_data(ctx), frame_end(ctx), size, &key, &headers) ||
			!sw_lookup_short_deep(0, cfg, &key, &guess_get(ctx->ingress_ifindex)->slot, &hit))
			return NEXT;
	} else if (!sw_lookup_short(0, cfg, &key, cpu, &hit)) {
		return NEXT;
	}
	if (!short_output(cfg, &key, hit.flow, &to))
		return !hit.by_hint && short_is_metered(hit.flow) ? short_metered(ctx, hit.slot, size) : NEXT;
	count_hit(cpu, hit.flow->in_port, size, &hit);
	if (hit.flow->flags & SW_FLOW_CSUM && !csum_is_plain(ctx, headers.eth_type_be, headers.l3))
		finish_csum(ctx, cpu, hit.flow->in_port, size);
	if (sw_unlikely(!short_fits(&key, hit.flow, to.out))) {
		reason = short_retag(ctx, &key, hit.flow, to.out, &size);
		if (reason) {
			drop_count(cpu, hit.flow->in_port, reason, 1);
			return XDP_DROP;
		}
	} else if (epoch) {
		short_note(ctx, cpu, epoch, &headers, &hit, to.port);
	}
	return act_output(cpu, size, to.port);
}

SEC("xdp.frags")
int sw_ingress(struct xdp_md *ctx)
{
	int verdict = recall_way(ctx);

	if (sw_likely(verdict != NEXT))
		return verdict;
	verdict = short_way(ctx);
	return verdict == NEXT ? long_way(ctx) : verdict;
}

/* On the way of copies, before a port's driver gets what leaves; see egress.h. */
SEC("xdp.frags/devmap")
int sw_egress(struct xdp_md *ctx)
{
	int told = mark_read(ctx);

	return told == MARK_NONE ? egress_unmarked(ctx) : egress_copy(ctx, told, 0);
}

/* On the way of unicast, where copies come by only if they follow a unicast frame of the same poll. */
SEC("xdp.frags/devmap")
int sw_egress_one(struct xdp_md *ctx)
{
	int told = mark_read(ctx);

	return told == MARK_NONE ? XDP_PASS : egress_copy(ctx, told, 0);
}
