/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* bare.bpf.c - the ceiling: sends every frame out by the one device it knows, and looks at nothing. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} out SEC(".maps");

SEC("xdp.frags")
int bare(struct xdp_md *ctx)
{
	return bpf_redirect_map(&out, 0, XDP_DROP);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
