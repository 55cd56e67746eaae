/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * hook.h - the place in the kernel at which the fast path is built to run.
 *
 * What: the stages are written once and compiled twice, as an XDP program (switch.bpf.c) and for a device's tc ingress
 * (switch_tc.bpf.c). What differs between the two lies behind this seam: the type of what a frame is handed over in
 * (hook_ctx), the verdicts, how its bytes are reached, and in pairs of files what is done to it:
 *
 *	hook_xdp.h, hook_tc.h		its bytes and its length
 *	vlan_xdp.h, vlan_tc.h		its outermost tag
 *	csum_xdp.h, csum_tc.h		its transport's checksum
 *	rewrite_xdp.h, rewrite_tc.h	room for tags and labels
 *	copies_xdp.h, copies_tc.h	copies of it
 *	out_xdp.h, out_tc.h		its way out by a port
 *	upcall_xdp.h, upcall_tc.h	its way up to the daemon
 *
 * Why two: XDP sees a frame before the kernel has made anything of it, which is the fastest there is for what comes
 * from a wire or another XDP program. What a container's or guest's own sockets send is an skb already, of up to 64 KiB
 * that are parted only where a wire begins, with its checksum left to whoever needs it: handing it on whole is several
 * times faster than any program on the parts.
 *
 * Rule: a stage asks the seam; nothing but these files names struct xdp_md or struct __sk_buff, or knows which of them
 * it works on. What is not of both hooks (marks, egress programs, spreading over CPUs, the tracepoints) is included by
 * the XDP side alone.
 *
 * Verdicts, which are the hook's own numbers: VERDICT_DROP ends the frame and has been counted, VERDICT_SENT hands it
 * on as a redirect has asked for, VERDICT_TAKEN ends it because all that was to leave has left as copies.
 */
#ifndef SW_HOOK_H
#define SW_HOOK_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "extract.h"

#ifdef SW_HOOK_TC
typedef struct __sk_buff hook_ctx;
#else
typedef struct xdp_md hook_ctx;
#endif

/* Since Linux 6.2: the kernel's own struct behind the context. */
extern void *bpf_cast_to_kern_ctx(void *) __ksym __weak;

SW_INLINE void *frame_data(const hook_ctx *ctx)
{
	return (void *)(long)ctx->data;
}

SW_INLINE void *frame_end(const hook_ctx *ctx)
{
	return (void *)(long)ctx->data_end;
}

SW_INLINE __u32 frame_first_size(const hook_ctx *ctx)
{
	return ctx->data_end - ctx->data;
}

#ifdef SW_HOOK_TC
#include "hook_tc.h"
#else
#include "hook_xdp.h"
#endif

#endif
