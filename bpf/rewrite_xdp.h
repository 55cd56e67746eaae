/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * rewrite_xdp.h - what makes a frame longer or shorter as it lies there: room for tags, VLAN tags themselves, and the
 * way back.
 */
#ifndef SW_REWRITE_XDP_H
#define SW_REWRITE_XDP_H

#include "rewrite_parts.h"

/* ---- room ---- */

/* The frame's first bytes, of which a tag is valid where there is one. */
struct rewrite_front {
	__u32 macs[3];
	__u32 tag;
} SW_WIRE;

/* Makes room behind the addresses. */
SW_INLINE int rewrite_open(hook_ctx *ctx, struct sw_layers *layers, int size)
{
	const __u32 *from;
	__u32 *to;

	if (bpf_xdp_adjust_head(ctx, -size))
		return SW_DROP_NO_HEADROOM;
	layers->moved += size;
	layers->l3 = 0;
	to = frame_data(ctx);
	from = frame_data(ctx) + size;
	if ((void *)(from + 3) > frame_end(ctx))
		return SW_DROP_BAD_PROGRAM;
	to[0] = from[0];
	to[1] = from[1];
	to[2] = from[2];
	return SW_DROP_NONE;
}

/* The kernel clears the bytes by which a frame grows at its end. Where there is no room it stays as short as it is. */
SW_INLINE void rewrite_pad(hook_ctx *ctx)
{
	__u32 size = frame_first_size(ctx);

	if (size < REWRITE_LEAST_SIZE)
		bpf_xdp_adjust_tail(ctx, REWRITE_LEAST_SIZE - size);
}

/* Takes out so many bytes behind `front`, which is what the frame begins with then: with the tag or without. */
SW_INLINE int rewrite_close(
	hook_ctx *ctx, struct sw_layers *layers, int size, const struct rewrite_front *front, int has_tag)
{
	__u32 *to, *tag;

	if (bpf_xdp_adjust_head(ctx, size))
		return SW_DROP_BAD_PROGRAM;
	layers->moved -= size;
	layers->l3 = 0;
	to = frame_data(ctx);
	if ((void *)(to + 3) > frame_end(ctx))
		return SW_DROP_BAD_PROGRAM;
	to[0] = front->macs[0];
	to[1] = front->macs[1];
	to[2] = front->macs[2];
	if (!has_tag)
		return SW_DROP_NONE;
	tag = rewrite_at(ctx, REWRITE_ADDRESSES, sizeof(*tag));
	if (!tag)
		return SW_DROP_BAD_PROGRAM;
	*tag = front->tag;
	return SW_DROP_NONE;
}

/* ---- VLAN ---- */

struct rewrite_tagged {
	__u32 macs[3];
	__be16 type_be;
	__be16 tci_be;
};

/* Of the outer tag; 0: there is none. */
SW_INLINE __u32 rewrite_tci_of(hook_ctx *ctx, const struct sw_layers *layers)
{
	const struct rewrite_tagged *tagged = layers->is_tagged ? rewrite_at(ctx, 0, sizeof(*tagged)) : 0;

	return tagged ? sw_swap16(tagged->tci_be) : 0;
}

SW_INLINE int rewrite_push_vlan(hook_ctx *ctx, struct sw_layers *layers, __u32 type)
{
	__u32 tci = rewrite_tci_of(ctx, layers) & REWRITE_TAG_KEPT;
	int reason = rewrite_open(ctx, layers, REWRITE_TAG_SIZE);
	struct rewrite_tagged *tagged;

	if (reason)
		return reason;
	tagged = rewrite_at(ctx, 0, sizeof(*tagged));
	if (!tagged)
		return SW_DROP_BAD_PROGRAM;
	tagged->type_be = sw_swap16((__u16)type);
	tagged->tci_be = sw_swap16((__u16)tci);
	return SW_DROP_NONE;
}

SW_INLINE int rewrite_pop_vlan(hook_ctx *ctx, struct sw_layers *layers)
{
	const __u32 *macs = rewrite_at(ctx, 0, REWRITE_ADDRESSES);
	struct rewrite_front front = {};
	int reason;

	if (!macs || !layers->is_tagged)
		return SW_DROP_NONE;
	front.macs[0] = macs[0];
	front.macs[1] = macs[1];
	front.macs[2] = macs[2];
	reason = rewrite_close(ctx, layers, REWRITE_TAG_SIZE, &front, 0);
	rewrite_pad(ctx);
	return reason;
}

SW_INLINE void rewrite_tci(hook_ctx *ctx, const struct sw_layers *layers, __u32 mask, __u32 bits)
{
	struct rewrite_tagged *tagged = rewrite_at(ctx, 0, sizeof(*tagged));

	if (tagged && layers->is_tagged)
		tagged->tci_be = (tagged->tci_be & sw_swap16((__u16)~mask)) | sw_swap16((__u16)(bits & mask));
}

/* ---- and back ---- */

/*
 * Keeps what edits may change of the frame: they reach SW_PARSE_MAX bytes of it as it is by then, which pops may have
 * shortened.
 */
__attribute__((noinline)) int rewrite_keep(hook_ctx *ctx)
{
	__u32 size = frame_first_size(ctx), limit = SW_PARSE_MAX + SW_MAX_PUSHED;
	struct sw_scratch *s = scratch_get();

	if (!s || !size)
		return SW_DROP_BAD_PROGRAM;
	s->came_size = size;
	size = size < limit ? size : limit;
	return frame_copy(ctx, s->bytes, bounded_size(size, SW_SCRATCH_CHUNK)) ? SW_DROP_BAD_PROGRAM : SW_DROP_NONE;
}

/* Gives the frame back as it was kept; REWRITE_UNFIT, or why it cannot go up either. */
__attribute__((noinline)) int rewrite_undo(hook_ctx *ctx)
{
	struct sw_scratch *s = scratch_get();
	__u32 size, limit = SW_PARSE_MAX + SW_MAX_PUSHED;

	if (!s)
		return SW_DROP_BAD_PROGRAM;
	size = s->came_size;
	if (s->layers.moved && bpf_xdp_adjust_head(ctx, s->layers.moved))
		return SW_DROP_BAD_PROGRAM;
	if (frame_first_size(ctx) != size && bpf_xdp_adjust_tail(ctx, size - frame_first_size(ctx)))
		return SW_DROP_BAD_PROGRAM;
	size = size < limit ? size : limit;
	return bpf_xdp_store_bytes(ctx, 0, s->bytes, bounded_size(size, SW_SCRATCH_CHUNK)) ? SW_DROP_BAD_PROGRAM
											   : REWRITE_UNFIT;
}

#endif
