/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * fork.h - which branch of a fork a frame takes.
 *
 * The program counts the frame for the branch before it carries the branch out, so that what goes up from there has
 * been counted, for the bucket as for the flow. A select group asks for the whole key of the frame: while there is one
 * in use frames are parsed whole (masks_deepen() of dataplane/cache_masks.h), and a run that began before that parses
 * its frame once more.
 */
#ifndef SW_FORK_H
#define SW_FORK_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "frame.h"
#include "maps.h"
#include "select.h"

int extract_to_scratch(hook_ctx *ctx, __u32 frame_size, __u32 depth);

SW_INLINE void fork_count(struct frame *frame, __u32 fork_id, __u32 branch)
{
	__u32 index = (frame->cpu * SW_MAX_FORKS + fork_id) * SW_MAX_BRANCHES + branch;
	struct sw_flow_stats *stats = bpf_map_lookup_elem(&fork_stats, &index);

	if (!stats)
		return;
	stats->packets++;
	stats->bytes += frame->size;
	frame->branch = index + 1;
}

/* SW_MAX_BRANCHES: none. `depth` is that of the key in the scratch. */
static __attribute__((noinline)) __u32 fork_select(hook_ctx *ctx, __u32 frame_size, __u32 id, __u32 depth)
{
	const struct sw_fork *fork = bpf_map_lookup_elem(&forks, &id);
	const struct sw_fork_slots *slots = bpf_map_lookup_elem(&fork_slots, &id);
	struct sw_scratch *s = scratch_get();

	if (!fork || !slots || !s)
		return SW_MAX_BRANCHES;
	if (depth < SW_KEY_WORDS && extract_to_scratch(ctx, frame_size, SW_KEY_WORDS))
		return SW_MAX_BRANCHES;
	return sw_read(slots->branch[sw_select_slot(sw_select_hash(&s->key, fork->group))]);
}

/* The program to go on with, in place of that of a flow whose only step is FORK; 0: it is none. */
static __attribute__((noinline)) const struct sw_flow *fork_take(
	hook_ctx *ctx, struct frame *frame, const struct sw_flow *flow, __u32 depth)
{
	const struct sw_fork *fork;
	__u32 id, branch;

	if (!frame || !flow)
		return 0;
	id = flow->steps[0].arg;
	fork = bpf_map_lookup_elem(&forks, &id);
	if (!fork || flow->n_steps != 1)
		return 0;
	branch = fork->kind == SW_FORK_SELECT ? fork_select(ctx, frame->size, id, depth) : sw_read(fork->live);
	if (branch >= fork->n_branches || branch >= SW_MAX_BRANCHES)
		return 0;
	fork_count(frame, id, branch);
	return &fork->branch[branch];
}

#endif
