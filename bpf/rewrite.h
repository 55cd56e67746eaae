/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * rewrite.h - the edits of a flow's REWRITE step, carried out on the bytes of a frame, checksums and all.
 *
 * What: what dataplane/rewrite.c makes of a frame, byte for byte, for the edits of enum sw_edit_op. That file is the
 * reference, tests/bpf/test_rewrite_xdp.c compares.
 *
 * What the program cannot finish goes up as it came in. First the frame is looked at (rewrite_look). Then the edits run
 * one after the other; each looks for its own header, because one flow's frames need not be of one kind. Where labels
 * come and go, or types and protocols change, a look beforehand would have to play all edits through; there the frame's
 * front is kept, and put back where an edit finds that the frame is none for it (rewrite_undo).
 *
 * The frame lies in one buffer.
 *
 * Why functions: a global function is verified once, and not for each of the sixteen edits that may call it. What they
 * hand to each other is in the CPU's scratch.
 */
#ifndef SW_REWRITE_H
#define SW_REWRITE_H

#include "rewrite_ip.h"
#include "rewrite_l4.h"
#include "rewrite_parts.h"
#include "rewrite_tags.h"

/* ---- looking before ---- */

/* Moves l3 behind all tags that are counted; how many there are. */
SW_INLINE __u32 rewrite_count_tags(const void *data, const void *data_end, struct sw_layers *layers)
{
	const struct sw_wire_vlan *tag;
	__u32 i;

	for (i = 0; i <= SW_REWRITE_TAGS; i++) {
		if (!rewrite_is_tag(layers->eth_type_be))
			break;
		tag = sw_at(data, data_end, layers->l3, sizeof(*tag));
		if (!tag)
			break;
		layers->l3 += sizeof(*tag);
		layers->eth_type_be = tag->type_be;
	}
	return i;
}

/* Whether the header that says so of an IPv6 fragment is in sight behind one more tag, too. */
SW_INLINE int rewrite_stays_later(hook_ctx *ctx, const struct sw_layers *layers)
{
	struct sw_scratch *s = scratch_get();

	if (!s)
		return 0;
	s->layers = *layers;
	return rewrite_ipv6_proto_at(ctx) <= (int)(SW_PARSE_MAX - REWRITE_TAG_SIZE - sizeof(struct sw_wire_ipv6_ext));
}

/*
 * Whether some of the rewrite is not for this frame; 0: it can be carried out. What a pop will bring to the light is
 * looked at already; of a short frame even the padding that it will get. Where edits move more than VLAN tags only the
 * way itself will show it (SW_LOOK_UNDO).
 */
__attribute__((noinline)) int rewrite_look(hook_ctx *ctx, const struct sw_rewrite *rewrite)
{
	const void *data = frame_data(ctx), *data_end = frame_end(ctx);
	const struct sw_wire_eth *eth = sw_at(data, data_end, 0, sizeof(*eth));
	__u32 size = frame_bytes(ctx), n_tags;
	struct sw_layers layers = {};

	if (rewrite && rewrite->looks & SW_LOOK_UNDO)
		return 0;
	if (!rewrite || !eth)
		return 1;
	layers.l3 = sizeof(*eth);
	layers.eth_type_be = eth->type_be;
	n_tags = rewrite_count_tags(data, data_end, &layers) + frame_hides_tag(ctx);
	if (n_tags > SW_REWRITE_TAGS)
		return 1;
	if (layers.eth_type_be != sw_swap16(SW_ETH_IPV4) && layers.eth_type_be != sw_swap16(SW_ETH_IPV6))
		return 0;
	rewrite_find_ip(data, data_end, size, &layers);
	if (!layers.version)
		return size < REWRITE_LEAST_SIZE + SW_MAX_PUSHED;
	if (rewrite->looks & SW_LOOK_TTL &&
		rewrite_ttl(data, data_end, &layers) < rewrite->ttl_least[n_tags & SW_REWRITE_TAGS])
		return 1;
	if (!(rewrite->looks & SW_LOOK_L4))
		return 0;
	if (layers.is_later)
		return layers.version == 6 && !rewrite_stays_later(ctx, &layers);
	if (!layers.l4 || layers.l4 > SW_PARSE_MAX - REWRITE_REACH)
		return 1;
	return rewrite->looks & SW_LOOK_DST && layers.version == 6 &&
	       layers.l4 != layers.l3 + sizeof(struct sw_wire_ipv6);
}

/* ---- all of them ---- */

SW_INLINE int rewrite_edit(hook_ctx *ctx, const struct sw_edit *edit)
{
	__u32 op = edit->op;

	if (op <= SW_EDIT_LAST_LINK)
		return rewrite_link(ctx, edit);
	if (op <= SW_EDIT_LAST_SHIM)
		return rewrite_shim(ctx, edit);
	return op <= SW_EDIT_LAST_IP ? rewrite_network(ctx, edit) : rewrite_transport(ctx, edit);
}

/* Ends a rewrite that an edit has cut short. */
SW_INLINE int rewrite_end(hook_ctx *ctx, const struct sw_rewrite *rewrite, int reason)
{
	if (rewrite->looks & SW_LOOK_UNDO)
		return rewrite_undo(ctx);
	return reason == REWRITE_UNFIT ? SW_DROP_BAD_PROGRAM : reason; /* the look should have found it */
}

/*
 * Carries out the rewrite, whatever the frame is. SW_DROP_NONE, or REWRITE_UNFIT: the frame is as it came and for the
 * daemon, or why it cannot go on.
 */
SW_INLINE int rewrite_run(hook_ctx *ctx, const struct sw_rewrite *rewrite)
{
	struct sw_scratch *s = scratch_get();
	int reason;
	__u32 i;

	if (!s)
		return SW_DROP_BAD_PROGRAM;
	s->layers.l3 = 0;
	s->layers.moved = 0;
	if (rewrite->looks & SW_LOOK_UNDO && rewrite_keep(ctx))
		return SW_DROP_BAD_PROGRAM;
#pragma clang loop unroll(disable)
	for (i = 0; i < SW_MAX_EDITS && i < rewrite->n_edits; i++) {
		if (!s->layers.l3)
			rewrite_find(ctx);
		reason = rewrite_edit(ctx, &rewrite->edits[i]);
		if (reason)
			return rewrite_end(ctx, rewrite, reason);
	}
	return SW_DROP_NONE;
}

#endif
