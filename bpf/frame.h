/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * frame.h - what the stages ask of a frame, and the few things that depend on how it came in.
 *
 * Stages take a struct frame (maps.h) and go to the packet through the functions here, so that a hook other than XDP
 * needs another frame.h and another entry, and nothing else.
 *
 * A frame may lie in several buffers; only the first is between frame_data() and frame_end().
 */
#ifndef SW_FRAME_H
#define SW_FRAME_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "abi.h"
#include "extract.h"
#include "maps.h"

/* A stage's answer: a verdict (enum xdp_action) is final, NEXT goes on. */
#define NEXT (-1)

/* No frame longer than this needs a look at its port's MTU: a full one of the common 1500, tagged. */
#define LONG_FRAME 1518

struct xdp_buff {
	__u32 flags;
} __attribute__((preserve_access_index));

enum xdp_buff_flags { XDP_FLAGS_HAS_FRAGS = 1 }; /* include/net/xdp.h; the same since frags came, in Linux 5.18 */

extern void *bpf_cast_to_kern_ctx(void *) __ksym __weak;

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

/*
 * Whether it lies in several buffers. From Linux 6.2 on the program can see that; before, it takes a helper, whose call
 * costs 6 ns where the kernel guards returns.
 */
SW_INLINE int frame_is_split(struct xdp_md *ctx)
{
	const struct xdp_buff *xdp;

	if (bpf_cast_to_kern_ctx) {
		xdp = bpf_cast_to_kern_ctx(ctx);
		return xdp->flags & XDP_FLAGS_HAS_FRAGS;
	}
	return bpf_xdp_get_buff_len(ctx) > frame_first_size(ctx);
}

/* Bytes in all buffers. */
SW_INLINE __u32 frame_size(struct xdp_md *ctx)
{
	return frame_is_split(ctx) ? bpf_xdp_get_buff_len(ctx) : frame_first_size(ctx);
}

/* Also where a driver has no room for any. */
SW_INLINE int frame_has_metadata(const struct xdp_md *ctx)
{
	return (void *)(long)ctx->data_meta < frame_data(ctx);
}

/* What a sender has put in front of a frame is not passed on, nor read by whoever looks for ours there. */
SW_INLINE void frame_strip(struct xdp_md *ctx)
{
	__u32 size = ctx->data - ctx->data_meta;

	bpf_xdp_adjust_meta(ctx, size);
}

SW_INLINE int frame_drop(const struct frame *frame, __u32 culprit, enum sw_drop reason)
{
	drop_count(frame->cpu, culprit, reason, 1);
	return XDP_DROP;
}

#endif
