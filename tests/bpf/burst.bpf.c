/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * burst.bpf.c - sends frames out of a device by BPF_PROG_TEST_RUN, so that whoever receives them finds many at once in
 * one NAPI poll: to two addresses in turn, and with metadata, if that is wanted.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "burst.h"

struct burst_plan plan;

SEC("xdp")
int burst(struct xdp_md *ctx)
{
	__u8 *frame = (void *)(long)ctx->data;
	struct sw_mark *mark;

	if ((void *)(frame + 6) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	frame[5] = plan.address[plan.n++ & 1];
	if (plan.has_mark) {
		if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(*mark)))
			return XDP_DROP;
		mark = (void *)(long)ctx->data_meta;
		if ((void *)(mark + 1) > (void *)(long)ctx->data)
			return XDP_DROP;
		*mark = plan.mark;
	}
	return bpf_redirect(plan.ifindex, 0);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
