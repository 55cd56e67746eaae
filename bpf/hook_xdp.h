/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * hook_xdp.h - a frame at the XDP hook.
 *
 * It lies as it was on the wire, tags and all, in one buffer or several; only the first is between frame_data() and
 * frame_end(). Nothing is known of its checksum.
 */
#ifndef SW_HOOK_XDP_H
#define SW_HOOK_XDP_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "extract.h"

/* No frame longer than this needs a look at its port's MTU: a full one of the common 1500, tagged. */
#define LONG_FRAME 1518

#define VERDICT_DROP  XDP_DROP
#define VERDICT_SENT  XDP_REDIRECT
#define VERDICT_TAKEN XDP_DROP

/* The kernel knows whether a checksum is finished, and goes on knowing. */
#define HOOK_KEEPS_CSUM 0
/* What copies are told goes with them (mark.h), to programs that look at them on their way out. */
#define HOOK_HAS_MARKS 1

struct xdp_buff {
	__u32 flags;
} __attribute__((preserve_access_index));

enum xdp_buff_flags { XDP_FLAGS_HAS_FRAGS = 1 }; /* include/net/xdp.h; the same since frags came, in Linux 5.18 */

/*
 * Whether it lies in several buffers. From Linux 6.2 on the program can see that; before, it takes a helper, whose call
 * costs 6 ns where the kernel guards returns.
 */
SW_INLINE int frame_is_split(hook_ctx *ctx)
{
	const struct xdp_buff *xdp;

	if (bpf_cast_to_kern_ctx) {
		xdp = bpf_cast_to_kern_ctx(ctx);
		return xdp->flags & XDP_FLAGS_HAS_FRAGS;
	}
	return bpf_xdp_get_buff_len(ctx) > frame_first_size(ctx);
}

/* Bytes in all buffers. */
SW_INLINE __u32 frame_size(hook_ctx *ctx)
{
	return frame_is_split(ctx) ? bpf_xdp_get_buff_len(ctx) : frame_first_size(ctx);
}

/* The same of one that is not split. `data` and `end` are frame_data() and frame_end(), at hand already. */
SW_INLINE __u32 frame_length(const hook_ctx *ctx, const void *data, const void *end)
{
	return end - data;
}

SW_INLINE __u32 frame_whole_size(const hook_ctx *ctx)
{
	return frame_first_size(ctx);
}

/* Whether its port's MTU has to be looked at before it goes anywhere (LONG_FRAME). */
SW_INLINE int frame_is_long(__u32 size)
{
	return size > LONG_FRAME;
}

/* 0: done. The first `size` bytes, which are there. */
SW_INLINE long frame_copy(hook_ctx *ctx, void *to, __u32 size)
{
	return bpf_xdp_load_bytes(ctx, 0, to, size);
}

/* Those that are its bytes, of one that is not split. */
SW_INLINE __u32 frame_bytes(const hook_ctx *ctx)
{
	return frame_first_size(ctx);
}

SW_INLINE int frame_is_gso(const hook_ctx *ctx)
{
	return 0;
}

SW_INLINE __u32 frame_gso_size(const hook_ctx *ctx)
{
	return 0;
}

SW_INLINE __u32 frame_gso_type(hook_ctx *ctx)
{
	return 0;
}

/* Brings what the headers may need within reach of frame_data(), where that costs little; 0: done. */
SW_INLINE long frame_gather(hook_ctx *ctx, __u32 size)
{
	return 0;
}

/* Whether its outermost tag is not among its bytes. */
SW_INLINE int frame_hides_tag(const hook_ctx *ctx)
{
	return 0;
}

/* What a sender has put in front of a frame is not passed on, nor read by whoever looks for ours there. */
SW_INLINE void frame_strip(hook_ctx *ctx)
{
	__u32 size = ctx->data - ctx->data_meta;

	if (sw_unlikely((void *)(long)ctx->data_meta < frame_data(ctx))) /* also where a driver has no room for any */
		bpf_xdp_adjust_meta(ctx, size);
}

#endif
