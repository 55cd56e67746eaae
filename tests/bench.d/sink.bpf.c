/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * sink.bpf.c - the end of every frame: counts it, by whom it was for, and drops it.
 *
 * It sits on the sender's device too, where floods end; and as an XDP program it gives both devices the NAPI without
 * which nothing could be redirected to their peers.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "frame.h"

/* 0: the generator's frames for a receiver; 1: anything else. Per CPU: the frames need not come on the sender's. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

SEC("xdp")
int sink(struct xdp_md *ctx)
{
	struct bench_frame *f = (void *)(long)ctx->data;
	__u32 key = 1;
	__u64 *count;

	if ((void *)(f + 1) <= (void *)(long)ctx->data_end && f->eth_dst[0] == bpf_htons(BENCH_DST_MAC_HEAD))
		key = 0;
	count = bpf_map_lookup_elem(&counts, &key);
	if (count)
		*count += 1;
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
