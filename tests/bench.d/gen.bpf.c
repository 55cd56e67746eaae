/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* gen.bpf.c - the generator: makes each frame of BPF_PROG_TEST_RUN one of the plan's flow and sends it out. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "frame.h"

#define LOOKS_AT_CLOCK (1 << 20) /* some 20 ms */
#define MAX_LATE_NS    1000000

struct bench_plan plan;

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} out SEC(".maps");

static __always_inline __u16 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

static __always_inline void write_macs(struct bench_frame *f, __u16 dst_head, __u32 dst, __u16 src_head, __u32 src)
{
	f->eth_dst[0] = bpf_htons(dst_head);
	f->eth_dst[1] = 0;
	f->eth_dst[2] = bpf_htons(dst);
	f->eth_src[0] = bpf_htons(src_head);
	f->eth_src[1] = 0;
	f->eth_src[2] = bpf_htons(src);
	f->eth_type = bpf_htons(ETH_P_IP);
}

/* The sums are over the 16-bit words as they lie in memory: the one's complement sum does not care for byte order. */
static __always_inline void write_udp(struct bench_frame *f, __u32 dst, __u32 src, __u32 flow)
{
	const __u16 version_tos = bpf_htons(0x4500), size = bpf_htons(BENCH_FRAME_SIZE - ETH_HLEN);
	const __u16 ttl_proto = bpf_htons(64 << 8 | IPPROTO_UDP);
	const __u16 udp_size = bpf_htons(BENCH_FRAME_SIZE - ETH_HLEN - 20), udp_dst = bpf_htons(9);
	const __u16 src_net = bpf_htons(10 << 8 | 1), dst_net = bpf_htons(10 << 8 | 2);
	__u16 src_host = bpf_htons(src), dst_host = bpf_htons(dst), udp_src = bpf_htons(1024 + (flow & 0x3fff));
	__u32 addresses = (__u32)src_net + dst_net + src_host + dst_host;
	__u16 sum;

	*(__u16 *)&f->ip_version_ihl = version_tos;
	f->ip_size = size;
	f->ip_id = 0;
	f->ip_frag = 0;
	*(__u16 *)&f->ip_ttl = ttl_proto;
	f->ip_csum = ~fold(addresses + version_tos + size + ttl_proto);
	f->ip_src[0] = src_net;
	f->ip_src[1] = src_host;
	f->ip_dst[0] = dst_net;
	f->ip_dst[1] = dst_host;

	f->udp_src = udp_src;
	f->udp_dst = udp_dst;
	f->udp_size = udp_size;
	sum = ~fold(addresses + bpf_htons(IPPROTO_UDP) + udp_size * 2 + udp_src + udp_dst); /* the payload is zeros */
	f->udp_csum = sum ? sum : 0xffff;
}

static long look_at_clock(__u32 index, void *ctx)
{
	return bpf_ktime_get_ns() >= plan.due_ns;
}

/* Frames are due one by one; those that were late because something else ran do not come in a burst. */
static __always_inline void wait_until_due(void)
{
	__u64 now = bpf_ktime_get_ns();

	if (now < plan.due_ns)
		bpf_loop(LOOKS_AT_CLOCK, look_at_clock, NULL, 0);
	else if (now - plan.due_ns > MAX_LATE_NS)
		plan.due_ns = now;
	plan.due_ns += plan.gap_ns;
	if (!plan.first_ns)
		plan.first_ns = now;
	plan.last_ns = now;
}

SEC("xdp")
int gen(struct xdp_md *ctx)
{
	struct bench_frame *f = (void *)(long)ctx->data;
	__u32 flow = plan.next, src, dst;

	if (plan.gap_ns)
		wait_until_due();

	if ((void *)(f + 1) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	plan.next = flow + plan.stride;
	if (plan.next >= plan.n_flows)
		plan.next -= plan.n_flows;

	if (plan.learn) {
		write_macs(f, BENCH_SRC_MAC_HEAD, 0, BENCH_DST_MAC_HEAD, flow);
		write_udp(f, 0, flow, flow);
		return bpf_redirect_map(&out, plan.out, XDP_DROP);
	}
	src = flow & ((1u << (plan.src_bits & 31)) - 1);
	dst = flow >> (plan.src_bits & 31);
	if (plan.vary & BENCH_VARY_MAC)
		write_macs(f, BENCH_DST_MAC_HEAD, dst, BENCH_SRC_MAC_HEAD, src);
	else
		write_macs(f, BENCH_DST_MAC_HEAD, 0, BENCH_SRC_MAC_HEAD, 0);
	if (plan.vary & BENCH_VARY_TUPLE)
		write_udp(f, dst, src, flow);
	else
		write_udp(f, 0, 0, 0);
	return bpf_redirect_map(&out, plan.out, XDP_DROP);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
