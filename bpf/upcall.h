/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * upcall.h - a frame's way up to the daemon, and what becomes of it where there is none.
 *
 * A frame goes up as it came in, but for its checksum, which is finished. Misses pass a token bucket of their port, so
 * that one port's storm of new flows or addresses does not starve the others; frames that an installed flow sends up do
 * not, because for a port that can only be reached through its XSK they are the traffic. Copies of frames that go on
 * (tell.h) pass it, too, and leave half of what it holds to the misses.
 *
 *	upcall_limit(ctx, cfg)			bytes of the longest frame like this one that can go up
 *	upcall_send(ctx, frame, port, reason)	takes it up; the verdict
 */
#ifndef SW_UPCALL_H
#define SW_UPCALL_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "csum.h"
#include "frame.h"
#include "maps.h"

#define NS_PER_S        1000000000ULL
#define UPCALL_NEXT     (-1)
#define UPCALL_RATE_MAX 10000000ULL /* keeps the products below within 64 bits */

/*
 * Takes an upcall out of the port's bucket, half of which is not for copies; 0 if it is empty. CPUs race for it and may
 * both take the last one, or lose a refill: a limit that is off by a few is as good.
 */
SW_INLINE int upcall_allowed(const struct sw_port *port, int is_copy)
{
	__u64 now = bpf_ktime_get_coarse_ns(), rate = port->miss_rate, burst = port->miss_burst;
	struct sw_miss_bucket *bucket;
	__u32 id = port->id;
	__u64 tokens, elapsed;

	if (!rate)
		return 1;
	bucket = bpf_map_lookup_elem(&miss_buckets, &id);
	if (!bucket)
		return 0;
	if (rate > UPCALL_RATE_MAX)
		rate = UPCALL_RATE_MAX;
	if (burst > UPCALL_RATE_MAX)
		burst = UPCALL_RATE_MAX;
	elapsed = now - sw_read(bucket->last_ns);
	if (elapsed > NS_PER_S)
		elapsed = NS_PER_S;
	tokens = sw_read(bucket->tokens) + elapsed * rate;
	if (tokens > burst * NS_PER_S)
		tokens = burst * NS_PER_S;
	sw_write(bucket->last_ns, now);
	if (tokens < NS_PER_S * (is_copy ? 1 + burst / 2 : 1)) {
		sw_write(bucket->tokens, tokens);
		return 0;
	}
	sw_write(bucket->tokens, tokens - NS_PER_S);
	return 1;
}

#ifdef SW_HOOK_TC
#include "upcall_tc.h"
#else
#include "upcall_xdp.h"
#endif

/* A verdict, or UPCALL_NEXT: the frame may go up. */
SW_INLINE int upcall_admit(hook_ctx *ctx, const struct frame *frame, const struct sw_port *port, enum sw_upcall reason)
{
	const struct sw_config *cfg = config_get();

	if (!cfg)
		return VERDICT_DROP;
	if (frame->size > upcall_limit(ctx, cfg))
		return frame_drop(frame, port->id, SW_DROP_UPCALL_TOO_BIG);
	if ((reason == SW_UPCALL_MISS || reason == SW_UPCALL_LEARN) && !upcall_allowed(port, 0))
		return frame_drop(frame, port->id, SW_DROP_MISS_LIMIT);
	return UPCALL_NEXT;
}

/* The frame's device is looked up anew: one that matched a flow has not needed its record yet. */
static __attribute__((noinline)) int upcall(hook_ctx *ctx, struct frame *frame, enum sw_upcall reason)
{
	const struct sw_port *port = port_get(ctx->ingress_ifindex);
	int verdict;

	if (!port)
		return frame_drop(frame, 0, SW_DROP_NO_PORT);
	verdict = upcall_admit(ctx, frame, port, reason);
	return verdict == UPCALL_NEXT ? upcall_send(ctx, frame, port, reason) : verdict;
}

/* Of a frame that no flow matched. Where one did, its checksum is finished by now, if its port leaves any unfinished.
 */
SW_INLINE int upcall_miss(hook_ctx *ctx, struct frame *frame, const struct sw_port *port)
{
	int verdict = upcall_admit(ctx, frame, port, SW_UPCALL_MISS);

	if (verdict != UPCALL_NEXT)
		return verdict;
	if (!HOOK_KEEPS_CSUM && port->flags & SW_PORT_CSUM)
		csum_check(ctx, frame->size, port->id);
	return upcall_send(ctx, frame, port, SW_UPCALL_MISS);
}

#endif
