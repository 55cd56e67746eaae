/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * frame.h - a frame on its way through the stages, and the few things that depend on how it came in.
 *
 * Stages take a struct frame and go to the packet through the functions here, so that a hook other than XDP needs
 * another frame.h and another entry, and nothing else.
 *
 * A frame may lie in several buffers; only the first is between frame_data() and frame_end().
 */
#ifndef SW_FRAME_H
#define SW_FRAME_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "abi.h"
#include "extract.h"
#include "maps.h"

struct frame {
	__u32 size; /* all buffers; follows what the rewrites do */
	__u32 cpu;
	__u32 in_port; /* id; 0 until known */
	__u32 slot;    /* of the flow that matched, for an upcall that its steps ask for */
};

SW_INLINE void *frame_data(const struct xdp_md *ctx)
{
	return (void *)(long)ctx->data;
}

SW_INLINE void *frame_end(const struct xdp_md *ctx)
{
	return (void *)(long)ctx->data_end;
}

SW_INLINE __u32 frame_first_size(const struct xdp_md *ctx)
{
	return ctx->data_end - ctx->data;
}

SW_INLINE int frame_is_split(const struct xdp_md *ctx, const struct frame *frame)
{
	return frame->size > frame_first_size(ctx);
}

SW_INLINE int frame_drop(const struct frame *frame, __u32 culprit, enum sw_drop reason)
{
	drop_count(frame->cpu, culprit, reason, 1);
	return XDP_DROP;
}

#endif
