/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mp_parts.h - what the multipart replies have in common.
 */
#ifndef OFP_MP_PARTS_H
#define OFP_MP_PARTS_H

#include "ofp/session_parts.h"

#define NS_PER_S 1000000000ull
#define UNKNOWN  UINT64_MAX /* of a counter that is not kept (OF 1.3.5 §7.3.5) */

/* Counts a budget down by `cost`, to zero at most. */
static inline void spend(uint32_t *budget, uint32_t cost)
{
	*budget -= *budget < cost ? *budget : cost;
}

/* Seconds and nanoseconds since then. */
static inline void put_duration(struct wire_out *out, uint64_t now_ns, uint64_t since_ns)
{
	uint64_t duration_ns = now_ns > since_ns ? now_ns - since_ns : 0;

	wire_put_u32(out, (uint32_t)(duration_ns / NS_PER_S));
	wire_put_u32(out, (uint32_t)(duration_ns % NS_PER_S));
}

static inline struct ofbridge *dump_bridge(const struct dump *dump)
{
	return dump->session->agent->bridge;
}

#endif
