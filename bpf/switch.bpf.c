// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * switch.bpf.c - the fast path at the XDP hook.
 *
 * sw_ingress runs on every frame that comes in by a port (fast_path.h), sw_worker and sw_collector where a port is
 * spread over CPUs (spread.h). sw_egress and sw_egress_one take tags off copies of floods, and rewrite copies that
 * differ (egress.h). The programs in lost.h name what the kernel drops afterwards.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "egress.h"
#include "fast_path.h"
#include "lost.h"
#include "spread.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("xdp.frags")
int sw_ingress(hook_ctx *ctx)
{
	return fast_path(ctx);
}

/*
 * The same for frames of ports that are spread over CPUs, on the CPU that sw_spread (spread.h) chose. "?": it takes as
 * long to verify as sw_ingress, and is loaded only when there is such a port.
 */
SEC("?xdp.frags/cpumap")
int sw_worker(hook_ctx *ctx)
{
	return fast_path(ctx);
}

/* On the way of copies, before a port's driver gets what leaves; see egress.h. */
SEC("xdp.frags/devmap")
int sw_egress(hook_ctx *ctx)
{
	int told = mark_read(ctx);

	return told == MARK_NONE ? egress_unmarked(ctx) : egress_copy(ctx, told, 0);
}

/* On the way of unicast, where copies come by only if they follow a unicast frame of the same poll. */
SEC("xdp.frags/devmap")
int sw_egress_one(hook_ctx *ctx)
{
	int told = mark_read(ctx);

	return told == MARK_NONE ? XDP_PASS : egress_copy(ctx, told, 0);
}
