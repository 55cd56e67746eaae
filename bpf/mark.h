/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * mark.h - what a broadcast's copies are told on the way in, and the egress programs read on the way out.
 *
 * What: metadata in front of the frame (struct sw_mark), which the kernel clones with it. Each copy has its own, and
 * the egress program takes it away.
 *
 * Why floods are marked, too: the kernel sends to a device in bulks, and runs for all frames of a bulk the program of
 * the first one's map element (bq->xdp_prog; since Linux 5.14). So either egress program sees unicast and copies, and
 * only marks tell which is which.
 *
 * A sender's own metadata is nobody's instruction: it does not know the magic. But members without a program send
 * copies with their marks on, and a veth hands metadata to whoever reads its other end: another port of ours, perhaps,
 * by which the frame may come in again. So what comes in loses its metadata first of all (frame_strip()).
 */
#ifndef SW_MARK_H
#define SW_MARK_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "frame.h"
#include "maps.h"

#define MARK_NONE (-1)

SW_INLINE __u32 mark_magic(void)
{
	return SW_MARK_MAGIC(config_get()->seed);
}

/* Takes a mark away, whosever it is: a switch behind the port marks copies, too. 0: none is there. */
SW_INLINE int mark_clear(struct xdp_md *ctx)
{
	struct sw_mark *mark = (void *)(long)ctx->data_meta;

	if ((void *)(mark + 1) > frame_data(ctx) || mark->name != SW_MARK_NAME)
		return 0;
	return bpf_xdp_adjust_meta(ctx, sizeof(*mark));
}

/* 0: done. A driver without room for metadata cannot. Global: verified once, not on each way that leads here. */
__attribute__((noinline)) int mark_put(struct xdp_md *ctx, __u32 told)
{
	__u32 senders = ctx->data - ctx->data_meta;
	struct sw_mark *mark;

	if (senders && bpf_xdp_adjust_meta(ctx, senders)) /* would be in the way */
		return -1;
	if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(*mark)))
		return -1;
	mark = (void *)(long)ctx->data_meta;
	if ((void *)(mark + 1) > frame_data(ctx))
		return -1;
	mark->magic = mark_magic();
	mark->copies = told;
	mark->name = SW_MARK_NAME;
	return 0;
}

/* What the copy was told, which it is not any more: an id, SW_MARK_FLOOD, or MARK_NONE: nothing. */
SW_INLINE int mark_read(struct xdp_md *ctx)
{
	struct sw_mark *mark = (void *)(long)ctx->data_meta;
	__u32 told;

	if ((void *)(mark + 1) > frame_data(ctx) || mark->magic != mark_magic())
		return MARK_NONE;
	told = mark->copies;
	mark->magic = 0;
	return bpf_xdp_adjust_meta(ctx, sizeof(*mark)) ? MARK_NONE : (int)told;
}

#endif
