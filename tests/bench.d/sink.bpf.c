/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * sink.bpf.c - the end of every frame: counts it, by whom it was for and whether it is as it should be, and drops it.
 *
 * It sits on the sender's device too, where floods end; and as an XDP program it gives both devices the NAPI without
 * which nothing could be redirected to their peers.
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "frame.h"

struct bench_wish wish;

/* By enum bench_arrival. Per CPU: the frames need not come on the sender's. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, BENCH_N_ARRIVALS);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

/* The one's complement sum of so many bytes and of `sum` is all ones. */
static __always_inline bool adds_up(const __u16 *words, __u32 size, __u32 sum)
{
#pragma clang loop unroll(full)
	for (__u32 i = 0; i < size / 2; i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return ((sum & 0xffff) + (sum >> 16)) == 0xffff;
}

static __always_inline bool sums_are_right(const void *packet)
{
	const struct bench_udp4 *v4 = packet;
	const struct bench_udp6 *v6 = packet;

	if (wish.packet == BENCH_UDP6)
		return adds_up(v6->ip.src, 32 + BENCH_L4_SIZE6, bpf_htons(IPPROTO_UDP) + bpf_htons(BENCH_L4_SIZE6));
	return adds_up((const __u16 *)&v4->ip, 20, 0) &&
	       adds_up(v4->ip.src, 8 + BENCH_L4_SIZE, bpf_htons(v4->ip.proto) + bpf_htons(BENCH_L4_SIZE));
}

static __always_inline bool is_translated(const struct bench_tcp4 *p)
{
	__u32 flow = bpf_ntohs(p->tcp.seq[0]) << 16 | bpf_ntohs(p->tcp.seq[1]), number = flow % wish.n_translations;

	return p->ip.src[0] == bpf_htons(BENCH_NAT_NET) && p->ip.src[1] == bpf_htons(number) &&
	       p->tcp.src == bpf_htons(BENCH_NAT_PORT(number));
}

/* The packet, where the tag is the one that was wished for; NULL: it is not. */
static __always_inline const void *behind_tag(const struct bench_eth *eth, const void *end)
{
	const struct bench_tag *tag = (const void *)(eth + 1);

	if (!wish.tci)
		return eth->type == bpf_htons(ETH_P_8021Q) ? NULL : eth + 1;
	if ((const void *)(tag + 1) + BENCH_PACKET_SIZE > end || eth->type != bpf_htons(ETH_P_8021Q))
		return NULL;
	return tag->tci == bpf_htons(wish.tci) ? tag + 1 : NULL;
}

static __always_inline enum bench_arrival arrival(const struct bench_eth *eth, const void *end)
{
	const void *packet;

	if ((const void *)(eth + 1) + BENCH_PACKET_SIZE > end || eth->dst[0] != bpf_htons(BENCH_DST_MAC_HEAD))
		return BENCH_OTHER;
	packet = behind_tag(eth, end);
	if (!packet || (wish.n_translations && !is_translated(packet)) || (wish.sums && !sums_are_right(packet)))
		return BENCH_UNLIKE;
	return BENCH_AS_WISHED;
}

SEC("xdp")
int sink(struct xdp_md *ctx)
{
	__u32 key = arrival((void *)(long)ctx->data, (void *)(long)ctx->data_end);
	__u64 *count = bpf_map_lookup_elem(&counts, &key);

	if (count)
		*count += 1;
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
