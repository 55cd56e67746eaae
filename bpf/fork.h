/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * fork.h - which branch of a fork a frame takes.
 *
 * The program counts the frame for the branch before it carries the branch out, so that what goes up from there has
 * been counted, for the bucket as for the flow.
 */
#ifndef SW_FORK_H
#define SW_FORK_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "frame.h"
#include "maps.h"

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

/* The program to go on with, in place of that of a flow whose only step is FORK; 0: it is none. */
static __attribute__((noinline)) const struct sw_flow *fork_take(struct frame *frame, const struct sw_flow *flow)
{
	const struct sw_fork *fork;
	__u32 id, branch;

	if (!frame || !flow)
		return 0;
	id = flow->steps[0].arg;
	fork = bpf_map_lookup_elem(&forks, &id);
	if (!fork || flow->n_steps != 1)
		return 0;
	branch = sw_read(fork->live);
	if (branch >= fork->n_branches || branch >= SW_MAX_BRANCHES)
		return 0;
	fork_count(frame, id, branch);
	return &fork->branch[branch];
}

#endif
