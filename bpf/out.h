/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * out.h - a frame's way out by one port.
 *
 *	out_send(ctx, port_id, size)	VERDICT_SENT, or an answer that is none
 *	out_refusal(answer)		why it was none
 *	out_is_there(port_id)		whether the port has a device
 */
#ifndef SW_OUT_H
#define SW_OUT_H

#ifdef SW_HOOK_TC
#include "out_tc.h"
#else
#include "out_xdp.h"
#endif

/* The frame was counted as sent, and is not. */
static __attribute__((noinline)) int out_not_sent(__u32 cpu, __u32 size, __u32 port_id, enum sw_drop reason)
{
	struct sw_port_stats *stats = port_stats_get(cpu, port_id % SW_MAX_PORTS);

	if (stats) {
		stats->tx_frames--;
		stats->tx_bytes -= size;
	}
	drop_count(cpu, port_id, reason, 1);
	return VERDICT_DROP;
}

/*
 * Counts first: where the kernel guards returns, the CPU cannot run ahead of the one from the redirect, and what comes
 * behind it is time spent.
 */
SW_INLINE int out_counted(hook_ctx *ctx, struct sw_port_stats *stats, __u32 cpu, __u32 size, __u32 port_id)
{
	int answer;

	if (stats) {
		stats->tx_frames++;
		stats->tx_bytes += size;
	}
	answer = out_send(ctx, port_id, size);
	return sw_likely(answer == VERDICT_SENT) ? answer : out_not_sent(cpu, size, port_id, out_refusal(answer));
}

#endif
