/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * extract_probe.bpf.c - shows the keys that the shipped program computes in the kernel: it is that program, and one
 * more.
 */
#include "bpf/switch.bpf.c"

struct probe_result {
	struct sw_key whole, shallow;
	struct sw_headers headers;
	__u32 failed;
	__u32 first_size;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct probe_result);
} probe_results SEC(".maps");

SEC("xdp.frags")
int extract_probe(struct xdp_md *ctx)
{
	__u32 zero = 0, size = bpf_xdp_get_buff_len(ctx);
	struct sw_scratch *s = scratch_get();
	struct probe_result *result = bpf_map_lookup_elem(&probe_results, &zero);

	if (!s || !result)
		return XDP_DROP;
	result->first_size = frame_first_size(ctx);
	result->failed = extract_to_scratch(ctx, size, SW_L2_WORDS);
	result->shallow = s->key;
	result->failed |= extract_to_scratch(ctx, size, SW_KEY_WORDS);
	result->whole = s->key;
	result->headers = s->headers;
	return XDP_PASS;
}
