/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * bare.bpf.c - the ceiling: sends every frame out by the one device it knows, by four in turn, or by all that it knows,
 * and looks at nothing.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "bare.h"

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, BARE_MAX_DEVICES);
	__type(key, __u32);
	__type(value, __u32);
} out SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(max_entries, BARE_MAX_DEVICES);
	__type(key, __u32);
	__type(value, __u32);
} everybody SEC(".maps");

__u32 turn;

SEC("xdp.frags")
int bare(struct xdp_md *ctx)
{
	return bpf_redirect_map(&out, 0, XDP_DROP);
}

SEC("xdp.frags")
int bare_spread(struct xdp_md *ctx)
{
	return bpf_redirect_map(&out, turn++ % BARE_SPREAD, XDP_DROP);
}

SEC("xdp.frags")
int bare_all(struct xdp_md *ctx)
{
	return bpf_redirect_map(&everybody, 0, BPF_F_BROADCAST | BPF_F_EXCLUDE_INGRESS);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
