/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * normal.h - the NORMAL step: what an 802.1Q bridge does with one frame of a flow, by what the FDB says now.
 *
 * What: a flow of a bridge port is cached once for each VLAN, not once for each pair of addresses, and its addresses
 * are looked up frame by frame. So a new pair of known hosts needs no upcall, a host that moves touches no flow, and a
 * hundred thousand pairs of addresses cost the memory of the hosts that they are made of. MEASURED (2 cores,
 * Linux 6.18; 100,000 pairs in random order, ratio to a bare redirect): a flow for each pair 0.47, two lookups in the
 * FDB 0.96.
 *
 * What the step rests on beside the FDB is in the flow: VID, bridge, port and SW_FLOW_LEARN, SW_FLOW_RESERVED are the
 * same for every frame that the flow matches. Admission to the VLAN is decided when the flow is put.
 *
 * N1 For every frame, FDB and flow the answer is that of normal_carry_out() (dataplane/normal.c), which tells a trace
 * its reasons, once fdb_settle() has been called (F4). Where the step answers LEARN the daemon decides. Safe error:
 * LEARN. Unsafe error: a frame to a port of another VLAN or bridge.
 */
#ifndef SW_NORMAL_H
#define SW_NORMAL_H

#include "extract.h"
#include "fdb.h"

enum sw_normal {
	SW_NORMAL_FLOOD,    /* to all others in the VLAN: the steps behind say how */
	SW_NORMAL_FORWARD,  /* as `to` says */
	SW_NORMAL_MIRRORED, /* likewise, and others get a copy */
	SW_NORMAL_UPCALL,   /* up: only the daemon can send it where `to` says */
	SW_NORMAL_LEARN,    /* up: the FDB does not have the source on this port */
	SW_NORMAL_DROP,     /* for `drop` */
};

struct sw_normal_frame {
	__u64 dst, src; /* words 1 and 2 of the key */
	__u32 vid;
	__u32 bridge;
	__u32 in_port;
	__u32 flags;  /* SW_FLOW_LEARN, SW_FLOW_RESERVED */
	__u64 seed;   /* sw_config.seed */
	__u64 domain; /* sw_fdb_hash_domain() of VID and bridge */
};

struct sw_normal_answer {
	union sw_fdb_place to;
	enum sw_drop drop;
};

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define SW_MAC_GROUP_BIT     0x0000000000000001ULL
#define SW_MAC_RESERVED_BITS 0x0000f0ffffffffffULL
#define SW_MAC_RESERVED      0x0000000000c28001ULL
#else
#define SW_MAC_GROUP_BIT     0x0100000000000000ULL
#define SW_MAC_RESERVED_BITS 0xfffffffffff00000ULL
#define SW_MAC_RESERVED      0x0180c20000000000ULL
#endif

/* IEEE 802.1Q-2018 table 8-1: 01:80:C2:00:00:00 to :0F, which a bridge does not relay unless told to. */
SW_INLINE int sw_normal_is_reserved(__u64 dst, __u32 flags)
{
	return (dst & SW_MAC_RESERVED_BITS) == SW_MAC_RESERVED && !(flags & SW_FLOW_RESERVED);
}

SW_INLINE enum sw_normal sw_normal_drop(struct sw_normal_answer *ret, enum sw_drop drop)
{
	ret->drop = drop;
	return SW_NORMAL_DROP;
}

/* The FDB does not have the source, or has it elsewhere: what else is to be known before that is told. */
SW_INLINE int sw_normal_hindrance(const struct sw_normal_frame *f, struct sw_normal_answer *ret)
{
	if (!f->src || f->src & SW_MAC_GROUP_BIT)
		return sw_normal_drop(ret, SW_DROP_BAD_SOURCE);
	if (sw_normal_is_reserved(f->dst, f->flags))
		return sw_normal_drop(ret, SW_DROP_RESERVED_MAC);
	return 0;
}

SW_INLINE const struct sw_fdb_cell *sw_normal_find(
	const void *mem, const struct sw_normal_frame *f, __u64 mac_word, union sw_fdb_place *ret)
{
	__u64 hash = sw_fdb_hash_mac(f->seed, mac_word) + f->domain;

	return sw_fdb_find(mem, hash, sw_fdb_key(mac_word, f->vid), f->bridge, ret);
}

/* Where the frame goes, its source being settled. */
SW_INLINE enum sw_normal sw_normal_destination(
	const void *mem, const struct sw_normal_frame *f, struct sw_normal_answer *ret)
{
	if (sw_unlikely(f->dst & SW_MAC_GROUP_BIT)) {
		if (sw_normal_is_reserved(f->dst, f->flags))
			return sw_normal_drop(ret, SW_DROP_RESERVED_MAC);
		return SW_NORMAL_FLOOD;
	}
	if (sw_unlikely(!f->dst) || !sw_normal_find(mem, f, f->dst, &ret->to))
		return SW_NORMAL_FLOOD;
	if (sw_unlikely(ret->to.port == f->in_port))
		return sw_normal_drop(ret, SW_DROP_SAME_PORT);
	if (sw_likely(ret->to.out >= SW_FDB_OUT_AS_IS))
		return SW_NORMAL_FORWARD;
	if (ret->to.out == SW_FDB_OUT_MIRRORED)
		return SW_NORMAL_MIRRORED;
	return ret->to.out == SW_FDB_OUT_UPCALL ? SW_NORMAL_UPCALL : sw_normal_drop(ret, ret->to.drop);
}

/* The step. `used` of the source's cell is set. */
SW_INLINE enum sw_normal sw_normal(const void *mem, const struct sw_normal_frame *f, struct sw_normal_answer *ret)
{
	const struct sw_fdb_cell *cell = 0;
	union sw_fdb_place from;

	if (sw_likely(f->src))
		cell = sw_normal_find(mem, f, f->src, &from);
	if (sw_likely(cell && (from.port == f->in_port || from.flags & SW_FDB_STATIC))) {
		if (sw_unlikely(!from.used))
			((struct sw_fdb_cell *)cell)->place.used = 1;
		return sw_normal_destination(mem, f, ret);
	}
	if (sw_normal_hindrance(f, ret))
		return SW_NORMAL_DROP;
	if (cell || f->flags & SW_FLOW_LEARN)
		return SW_NORMAL_LEARN;
	return sw_normal_destination(mem, f, ret);
}

#endif
