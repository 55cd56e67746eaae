/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * fast_path.h - what becomes of a frame that comes in by a port; for either hook (hook.h).
 *
 * Nearly all are like one before them, and go where that went (recall.h, notes.h). Of the others most are known, in one
 * buffer, and for one port or as they came for several, and go the short way: the key, of layer 2 or of whole TCP and
 * UDP over IPv4, the flow at its home, a plan of what is to be done, out. What the short way is not made for it leaves
 * as it found it, uncounted (but for the mark of an address in use), and the long way begins anew: intake, extract,
 * lookup, and then either the hit (count, finish the checksum, run the flow's program) or the miss (up to the daemon).
 * So the long way can do everything and the short one keeps what it knows in registers.
 */
#ifndef SW_FAST_PATH_H
#define SW_FAST_PATH_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "abi.h"
#include "act.h"
#include "csum.h"
#include "extract.h"
#include "fork.h"
#include "frame.h"
#include "lookup.h"
#include "maps.h"
#include "notes.h"
#include "upcall.h"
#include "vlan.h"

/* Parses the frame into the CPU's scratch, wherever its headers lie. */
__attribute__((noinline)) int extract_to_scratch(hook_ctx *ctx, __u32 frame_size, __u32 depth)
{
	__u32 size = sw_parse_size(frame_size), in_ifindex = ctx->ingress_ifindex;
	const void *data = frame_data(ctx), *data_end = frame_end(ctx);
	struct sw_scratch *s = scratch_get();

	if (!s || !size)
		return -1;
	if (frame_first_size(ctx) >= size && !frame_hides_tag(ctx)) {
		sw_extract_part(data, data_end, frame_size, in_ifindex, depth, &s->key, &s->headers);
		return 0;
	}
	if (frame_copy(ctx, s->bytes, bounded_size(size, SW_PARSE_MAX)))
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
		walk_count(cpu, &hit, found);
	return found ? (hit.slot + 1) | hit.by_hint << 31 : 0;
}

/* A frame that no flow has seen yet: whose is it? Counts it as received. */
SW_INLINE struct sw_port *intake(hook_ctx *ctx, struct frame *frame)
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

SW_INLINE int drop_runt(hook_ctx *ctx, struct frame *frame)
{
	return intake(ctx, frame) ? frame_drop(frame, frame->in_port, SW_DROP_RUNT)
				  : frame_drop(frame, 0, SW_DROP_NO_PORT);
}

static __attribute__((noinline)) int miss(hook_ctx *ctx, struct frame *frame)
{
	struct sw_port *port = intake(ctx, frame);

	if (!port)
		return frame_drop(frame, 0, SW_DROP_NO_PORT);
	if (frame->size > port->max_rx_frame && !frame_is_gso(ctx))
		return frame_drop(frame, port->id, SW_DROP_GSO);
	return upcall_miss(ctx, frame, port);
}

/* A frame longer than its sender's MTU was put together by segmentation offload; nobody can take it. */
SW_INLINE int stage_long(hook_ctx *ctx, const struct frame *frame)
{
	struct sw_port *port;

	if (!frame_is_long(frame->size))
		return NEXT;
	port = port_get(ctx->ingress_ifindex);
	if (port && frame->size > port->max_rx_frame)
		return frame_drop(frame, frame->in_port, SW_DROP_GSO);
	return NEXT;
}

SW_INLINE void count_flow(struct sw_row *row, __u32 slot, __u32 size)
{
	struct sw_flow_stats *flow = row_flow_at(row, slot * sizeof(*flow));

	flow->packets++;
	flow->bytes += size;
}

SW_INLINE void count_in(struct sw_row *row, __u32 in_port, __u32 size, __u32 by_hint)
{
	struct sw_port_stats *port = row_port_at(row, in_port * sizeof(*port));

	port->rx_frames++;
	port->rx_bytes += size;
	if (sw_likely(!by_hint))
		port->mega_hits++;
}

SW_INLINE void count_hit(__u32 cpu, __u32 in_port, __u32 size, const struct sw_hit *hit)
{
	struct sw_row *row = row_get(cpu);

	if (!row)
		return;
	count_flow(row, hit->slot, size);
	count_in(row, in_port, size, hit->by_hint);
}

/* Of a flow with a meter: who counts what is not settled yet (bpf/metered.h). */
SW_INLINE void count_metered(struct frame *frame, __u32 by_hint)
{
	struct sw_row *row = row_get(frame->cpu);

	frame->uncounted = 1;
	if (row)
		count_in(row, frame->in_port, frame->size, by_hint);
}

SW_INLINE int run_flow(
	hook_ctx *ctx, const struct sw_config *cfg, struct frame *frame, const struct sw_flow *flow, __u32 depth)
{
	const struct sw_flow *program;
	int verdict;

	program = flow->steps[0].op == SW_OP_FORK ? fork_take(ctx, frame, flow, depth) : flow;
	if (!program)
		return frame_drop(frame, frame->in_port, SW_DROP_BAD_PROGRAM);
	if (!HOOK_KEEPS_CSUM && flow->flags & SW_FLOW_CSUM) /* which takes the key from the scratch */
		csum_check(ctx, frame->size, frame->in_port);
	verdict = act(ctx, cfg, frame, program);
	metered_remark(ctx, frame);
	return verdict;
}

static __attribute__((noinline)) int long_way(hook_ctx *ctx)
{
	const struct sw_config *cfg = config_get();
	struct sw_scratch *s = scratch_get();
	struct sw_hit hit = {};
	struct frame *frame;
	__u32 depth, found;
	int verdict;

	if (!cfg || !s || frame_gather(ctx, SW_PARSE_MAX))
		return VERDICT_DROP;
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
		return VERDICT_DROP;
	frame->in_port = hit.flow->in_port;
	if (hit.flow->steps[0].op == SW_OP_METER)
		count_metered(frame, hit.by_hint);
	else
		count_hit(frame->cpu, frame->in_port, frame->size, &hit);
	verdict = stage_long(ctx, frame);
	if (verdict == NEXT)
		verdict = run_flow(ctx, cfg, frame, hit.flow, depth);
	metered_settle(frame);
	return verdict;
}

/* ---- the short way ---- */

/* What the short way makes of a frame. */
struct plan {
	struct sw_extras extras;
	__u32 out_port;
	__u32 set;     /* id + 1, where it is for all members; 0: for one port */
	__u32 unnoted; /* it rests on what is not there, and may be added within an epoch */
};

/* How its tag is to change, if it is to be sent so. */
SW_INLINE void plan_tag(const struct sw_key *key, __u32 out, __u32 vid, struct plan *ret)
{
	if (sw_likely(act_tag_fits(sw_swap16(sw_key_tci_be(key->w[0])), out, vid)))
		return;
	ret->extras.out = out;
	ret->extras.vid = vid;
}

/* The step by which the frame leaves, if it is the last one: for a port, or for all members of a set. */
SW_INLINE int plan_leave(const struct sw_flow *flow, __u32 at, struct plan *ret)
{
	const struct sw_step *step = &flow->steps[at & (SW_MAX_STEPS - 1)];

	ret->out_port = step->arg;
	if (sw_unlikely(step->op == SW_OP_BROADCAST)) {
		ret->out_port = 0;
		ret->set = step->arg + 1;
	}
	return flow->n_steps == at + 1 && (step->op == SW_OP_OUTPUT || step->op == SW_OP_BROADCAST);
}

/* 0: not the short way's. */
SW_INLINE int plan_normal(
	const struct sw_config *cfg, const struct sw_key *key, const struct sw_flow *flow, __u32 at, struct plan *ret)
{
	struct sw_normal_answer answer;
	enum sw_normal way = act_ask_fdb(cfg, flow, at, key->w[1], key->w[2], &answer);

	if (sw_unlikely(way == SW_NORMAL_FLOOD)) {
		if (sw_unlikely(flow->floods))
			return 0;
		ret->unnoted = 1; /* the destination may be learned */
		return plan_leave(flow, at + 1, ret);
	}
	if (way != SW_NORMAL_FORWARD)
		return 0;
	ret->out_port = answer.to.port;
	plan_tag(key, answer.to.out, flow->steps[at].arg, ret);
	return 1;
}

/* Of two steps: rewriting, or a tag, and an output. */
SW_INLINE int plan_pair(const struct sw_key *key, const struct sw_step *first, struct plan *ret)
{
	__u32 has_tag = sw_swap16(sw_key_tci_be(key->w[0])) & SW_VLAN_PRESENT, op = first->op;

	ret->out_port = first[1].arg;
	if (op == SW_OP_REWRITE)
		ret->extras.rewrite = first->arg + 1;
	else if (op == SW_OP_VLAN_POP && has_tag)
		plan_tag(key, SW_FDB_OUT_UNTAGGED, 0, ret);
	else if ((op == SW_OP_VLAN_SET && has_tag) || (op == SW_OP_VLAN_PUSH && !has_tag && first->arg <= SW_VLAN_VID))
		plan_tag(key, SW_FDB_OUT_TAGGED, first->arg, ret);
	else
		return 0;
	return first[1].op == SW_OP_OUTPUT;
}

/* The steps of a flow or branch but a NORMAL, from `at` on. */
SW_INLINE int plan_steps(const struct sw_key *key, const struct sw_flow *flow, __u32 at, struct plan *ret)
{
	if (flow->n_steps == at + 2)
		return plan_pair(key, &flow->steps[at], ret);
	return plan_leave(flow, at, ret);
}

/* The branch that a fork has for this frame. Of a select group the whole key decides; without one, 0: none is known. */
static __attribute__((noinline)) const struct sw_flow *plan_branch(const struct sw_key *key, __u32 id, struct plan *ret)
{
	const struct sw_fork *fork = bpf_map_lookup_elem(&forks, &id);
	const struct sw_fork_slots *slots;
	__u32 branch;

	if (!fork || !ret)
		return 0;
	branch = sw_read(fork->live);
	if (fork->kind == SW_FORK_SELECT) {
		slots = bpf_map_lookup_elem(&fork_slots, &id);
		if (!slots || !key)
			return 0;
		branch = sw_read(slots->branch[sw_select_slot(sw_select_hash(key, fork->group))]);
	}
	if (branch >= fork->n_branches || branch >= SW_MAX_BRANCHES)
		return 0;
	ret->extras.branch = id * SW_MAX_BRANCHES + branch + 1;
	return &fork->branch[branch];
}

/* 0: not the short way's. */
SW_INLINE int plan_make(const struct sw_config *cfg, const struct sw_key *key, const struct sw_flow *flow,
	__u32 is_deep, struct plan *ret)
{
	__u32 at = 0;

	if (sw_likely(flow->steps[0].op == SW_OP_NORMAL))
		return plan_normal(cfg, key, flow, 0, ret);
	if (sw_unlikely(flow->steps[0].op == SW_OP_METER)) {
		ret->extras.meter = flow->steps[0].arg;
		at = 1;
	} else if (sw_unlikely(flow->steps[0].op == SW_OP_FORK)) {
		flow = plan_branch(is_deep ? key : 0, flow->steps[0].arg, ret);
		if (!flow)
			return 0;
	}
	return plan_steps(key, flow, at, ret);
}

/* Notes what is made of a frame that is still as it came in. */
SW_INLINE void plan_note(hook_ctx *ctx, __u32 epoch, const struct sw_headers *headers, const struct sw_hit *hit,
	__u32 is_deep, const struct plan *plan)
{
	const struct sw_flow *flow = hit->flow;
	int csum = HOOK_KEEPS_CSUM ? SW_RECALL_CSUM_NONE : recall_csum_of(headers->eth_type_be, flow->flags);
	__u32 is_tagged = headers->l3 > sizeof(struct sw_wire_eth);
	__u64 verdict;
	int has_extras;

	/*
	 * Not that of a flow which does not learn: no cell of the FDB need vouch for the source there, and one that is
	 * added could say that it lives elsewhere.
	 */
	if (csum < 0 || (flow->steps[0].op == SW_OP_NORMAL && !(flow->flags & SW_FLOW_LEARN)))
		return;
	has_extras = plan->extras.rewrite || plan->extras.meter || plan->extras.branch || plan->extras.out;
	verdict = sw_recall_verdict(flow->in_port, plan->out_port, hit->slot, csum | (has_extras ? SW_RECALL_MORE : 0));
	if (is_deep)
		note_deep(ctx, epoch, verdict, is_tagged, &plan->extras);
	else
		note_link(ctx, epoch, verdict, is_tagged, &plan->extras);
}

/*
 * For the key in the scratch, under one of several masks. What was found is counted and guessed at: so, where the short
 * way then gives up, the long way has it at once, and does not count it again.
 */
SW_INLINE int short_lookup_on(
	const struct sw_config *cfg, const struct sw_scratch *s, __u32 depth, __u32 cpu, struct sw_hit *ret)
{
	if (sw_read(cfg->n_order) < 2 || !sw_lookup_on(0, cfg, &s->key, depth, cpu, ret))
		return 0;
	if (ret->n_probes)
		walk_count(cpu, ret, 1);
	return 1;
}

/* Layer 2. The key is copied: were it the caller's that functions are given, it could not be kept in registers. */
SW_INLINE int short_lookup_link(const struct sw_config *cfg, const struct sw_key *key, __u32 cpu, struct sw_hit *ret)
{
	struct sw_scratch *s = scratch_get();

	if (sw_likely(sw_lookup_short(0, cfg, key, cpu, ret)))
		return 1;
	if (!s)
		return 0;
	s->key = *key;
	return short_lookup_on(cfg, s, SW_L2_WORDS, cpu, ret);
}

/* The meter of the frame in the scratch, whose credit does not let it through, is asked; 1: it ends there. */
static __attribute__((noinline)) int short_asked(hook_ctx *ctx, __u32 by_hint)
{
	struct sw_scratch *s = scratch_get();
	int ends;

	if (!s)
		return 1;
	count_metered(&s->frame, by_hint);
	ends = metered_away(&s->frame);
	if (!ends)
		metered_remark(ctx, &s->frame);
	metered_settle(&s->frame);
	return ends;
}

/* The same of a frame that is not there yet. It is counted in any case. */
SW_INLINE int short_ask(hook_ctx *ctx, __u32 cpu, __u32 size, const struct sw_hit *hit, __u32 meter)
{
	struct sw_scratch *s = scratch_get();

	if (!s)
		return 1;
	s->frame = (struct frame){
		.cpu = cpu, .size = size, .slot = hit->slot, .in_port = hit->flow->in_port, .meter = meter};
	return short_asked(ctx, hit->by_hint);
}

/* Counts a frame that was found, which its meter, if it has one, lets through on credit. */
SW_INLINE int short_counted(__u32 cpu, __u32 size, const struct sw_hit *hit, __u32 meter)
{
	struct sw_row *row = row_get(cpu);

	if (!row || (sw_unlikely(meter) && !metered_by_credit(row, meter, size)))
		return 0;
	count_flow(row, hit->slot, size);
	count_in(row, hit->flow->in_port, size, hit->by_hint);
	return 1;
}

/* Whether nothing keeps every member from getting its copy; the frame is marked then, if it must be. */
static __attribute__((noinline)) int short_may_flood(hook_ctx *ctx, __u32 set_id, __u32 size)
{
	const struct sw_set_info *set = bpf_map_lookup_elem(&set_info, &set_id);

	return set && set->n_members && copies_hindrance(ctx, size, set, 0) == SW_UPCALL_NONE;
}

SW_INLINE int short_flood(hook_ctx *ctx, __u32 set_id, __u32 in_port, __u32 size)
{
	void *members = bpf_map_lookup_elem(&sets, &set_id);
	struct sw_scratch *s = scratch_get();

	if (!s)
		return VERDICT_DROP;
	s->frame = (struct frame){.cpu = bpf_get_smp_processor_id(), .size = size, .in_port = in_port};
	return members ? copies_send(ctx, &s->frame, set_id, members, COPIES_FLOOD)
		       : frame_drop(&s->frame, in_port, SW_DROP_BAD_PROGRAM);
}

/* Carries out what was planned. The frame is as it came in. */
SW_INLINE int short_send(hook_ctx *ctx, __u32 epoch, const struct sw_key *key, const struct sw_headers *headers,
	const struct sw_hit *hit, __u32 is_deep, const struct plan *plan)
{
	__u32 cpu = bpf_get_smp_processor_id(), size = frame_whole_size(ctx);

	if (sw_unlikely(plan->set) && !short_may_flood(ctx, plan->set - 1, size))
		return NEXT;
	if (epoch && !plan->set && !plan->unnoted)
		plan_note(ctx, epoch, headers, hit, is_deep, plan);
	if (!HOOK_KEEPS_CSUM && hit->flow->flags & SW_FLOW_CSUM &&
		!csum_is_plain(ctx, headers->eth_type_be, headers->l3))
		csum_check(ctx, size, hit->flow->in_port);
	if (sw_unlikely(!short_counted(cpu, size, hit, plan->extras.meter)) &&
		short_ask(ctx, cpu, size, hit, plan->extras.meter))
		return VERDICT_DROP;
	if (sw_unlikely(plan->extras.branch))
		extras_count_branch(cpu, plan->extras.branch, size);
	if (sw_unlikely(plan->extras.rewrite))
		extras_rewrite_apart(ctx, plan->extras.rewrite, headers->l3 > sizeof(struct sw_wire_eth));
	if (sw_unlikely(plan->extras.out)) {
		size = extras_retag(
			ctx, cpu, hit->flow->in_port, &plan->extras, sw_swap16(sw_key_tci_be(key->w[0])), size);
		if (!size)
			return VERDICT_DROP;
	}
	if (sw_unlikely(plan->set))
		return short_flood(ctx, plan->set - 1, hit->flow->in_port, size);
	return act_output(ctx, cpu, size, plan->out_port);
}

/* Where rules look at layer 2 alone. A function, so that recalling does not make room for it. */
static __attribute__((noinline)) int short_link(hook_ctx *ctx)
{
	const struct sw_config *cfg = config_get();
	__u32 cpu = bpf_get_smp_processor_id(), epoch = recall_epoch(cpu);
	struct sw_headers headers = {};
	struct sw_hit hit = {};
	struct sw_key key = {};
	struct plan plan = {};

	if (sw_unlikely(!cfg || frame_is_long(frame_first_size(ctx)) || frame_is_split(ctx)))
		return NEXT;
	sw_extract_link(frame_data(ctx), frame_end(ctx), ctx->ingress_ifindex, &key, &headers);
	if (sw_unlikely(!headers.l3) || !short_lookup_link(cfg, &key, cpu, &hit) ||
		!plan_make(cfg, &key, hit.flow, 0, &plan) || plan.extras.rewrite)
		return NEXT;
	return short_send(ctx, epoch, &key, &headers, &hit, 0, &plan);
}

/*
 * The whole key, in the scratch. Where hints are of no use (lookup.h), frames are of another flow each time: then no
 * guess is right, and to look under the first mask by itself is to look there twice.
 */
SW_INLINE int short_lookup_deep(
	hook_ctx *ctx, const struct sw_config *cfg, const struct sw_scratch *s, __u32 cpu, struct sw_hit *ret)
{
	const struct sw_row *row = row_get(cpu);

	if (row && sw_likely(!row->n_unhinted) &&
		sw_likely(sw_lookup_short_deep(0, cfg, &s->key, &guess_get(ctx->ingress_ifindex)->slot, ret)))
		return 1;
	return short_lookup_on(cfg, s, SW_KEY_WORDS, cpu, ret);
}

/* Where they look beyond. The key is in the scratch: there is no room for it on the stack. */
static __attribute__((noinline)) int short_deep(hook_ctx *ctx)
{
	__u32 cpu = bpf_get_smp_processor_id(), epoch = recall_epoch(cpu), size = frame_whole_size(ctx);
	const struct sw_config *cfg = config_get();
	struct sw_scratch *s = scratch_get();
	struct sw_headers headers = {};
	struct sw_hit hit = {};
	struct plan plan = {};

	if (sw_unlikely(!cfg || !s || frame_is_long(size) || frame_is_split(ctx)))
		return NEXT;
	sw_extract_link(frame_data(ctx), frame_end(ctx), ctx->ingress_ifindex, &s->key, &headers);
	if (sw_unlikely(!headers.l3) || !sw_extract_plain(frame_data(ctx), frame_end(ctx), size, &s->key, &headers) ||
		!short_lookup_deep(ctx, cfg, s, cpu, &hit) || !plan_make(cfg, &s->key, hit.flow, 1, &plan))
		return NEXT;
	if (sw_unlikely(plan.extras.rewrite) && !extras_fit(ctx, plan.extras.rewrite, headers.l3))
		return NEXT;
	return short_send(ctx, epoch, &s->key, &headers, &hit, 1, &plan);
}

SW_INLINE int fast_path(hook_ctx *ctx)
{
	int verdict;

	frame_strip(ctx);
	if (sw_unlikely(frame_hides_tag(ctx)))
		return long_way(ctx);
	verdict = recall_way(ctx);
	if (sw_likely(verdict != NEXT))
		return verdict;
	verdict = sw_likely(sw_read(core.config.depth) <= SW_L2_WORDS) ? short_link(ctx) : short_deep(ctx);
	return verdict == NEXT ? long_way(ctx) : verdict;
}

#endif
