/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* gen.bpf.c - the generator: makes each frame of BPF_PROG_TEST_RUN one of the plan's flow and sends it out. */
#include <stdbool.h>
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

/* Numbers of a flow's ends. */
struct ends {
	__u32 src, dst, flow;
};

static __always_inline __u16 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

static __always_inline void write_macs(struct bench_eth *eth, __u16 dst_head, __u32 dst, __u16 src_head, __u32 src)
{
	eth->dst[0] = bpf_htons(dst_head);
	eth->dst[1] = bpf_htons(plan.station);
	eth->dst[2] = bpf_htons(dst);
	eth->src[0] = bpf_htons(src_head);
	eth->src[1] = bpf_htons(plan.station);
	eth->src[2] = bpf_htons(src);
}

/*
 * The sums are over the 16-bit words as they lie in memory: the one's complement sum does not care for byte order.
 * Gives the sum of the addresses.
 */
static __always_inline __u32 write_ipv4(struct bench_ipv4 *ip, __u8 proto, const struct ends *ends)
{
	const __u16 version_tos = bpf_htons(0x4500), size = bpf_htons(BENCH_PACKET_SIZE);
	const __u16 ttl_proto = bpf_htons(64 << 8 | proto);
	const __u16 src_net = bpf_htons(10 << 8 | BENCH_SRC_NET), dst_net = bpf_htons(10 << 8 | BENCH_DST_NET);
	__u16 src_host = bpf_htons(ends->src), dst_host = bpf_htons(ends->dst);
	__u32 addresses = (__u32)src_net + dst_net + src_host + dst_host;

	*(__u16 *)&ip->version_ihl = version_tos;
	ip->size = size;
	ip->id = 0;
	ip->frag = 0;
	*(__u16 *)&ip->ttl = ttl_proto;
	ip->csum = ~fold(addresses + version_tos + size + ttl_proto);
	ip->src[0] = src_net;
	ip->src[1] = src_host;
	ip->dst[0] = dst_net;
	ip->dst[1] = dst_host;
	return addresses;
}

/* The payload is zeros. */
static __always_inline void write_udp(struct bench_udp *udp, __u16 l4_size, __u32 addresses, __u32 flow)
{
	const __u16 size = bpf_htons(l4_size), dst = bpf_htons(BENCH_DST_PORT);
	__u16 src = bpf_htons(BENCH_SRC_PORT(flow)), sum;

	udp->src = src;
	udp->dst = dst;
	udp->size = size;
	sum = ~fold(addresses + bpf_htons(IPPROTO_UDP) + size * 2 + src + dst);
	udp->csum = sum ? sum : 0xffff;
}

static __always_inline void write_udp4(struct bench_udp4 *p, const struct ends *ends)
{
	write_udp(&p->udp, BENCH_L4_SIZE, write_ipv4(&p->ip, IPPROTO_UDP, ends), ends->flow);
	p->payload[0] = 0;
}

static __always_inline void write_tcp4(struct bench_tcp4 *p, const struct ends *ends)
{
	const __u16 dst = bpf_htons(BENCH_DST_PORT), flags = bpf_htons(0x5010), window = bpf_htons(0xffff);
	__u16 src = bpf_htons(BENCH_SRC_PORT(ends->flow));
	__u16 seq[2] = {bpf_htons(ends->flow >> 16), bpf_htons(ends->flow)};
	__u32 addresses = write_ipv4(&p->ip, IPPROTO_TCP, ends);

	p->tcp.src = src;
	p->tcp.dst = dst;
	p->tcp.seq[0] = seq[0];
	p->tcp.seq[1] = seq[1];
	p->tcp.ack[0] = p->tcp.ack[1] = 0;
	p->tcp.flags = flags;
	p->tcp.window = window;
	p->tcp.urgent = 0;
	p->tcp.csum = ~fold(addresses + bpf_htons(IPPROTO_TCP) + bpf_htons(BENCH_L4_SIZE) + src + dst + seq[0] +
			    seq[1] + flags + window);
}

static __always_inline void write_ipv6_address(__be16 *address, __u16 net, __u32 host)
{
	address[0] = bpf_htons(0xfd00);
	address[1] = bpf_htons(net);
	address[2] = address[3] = address[4] = address[5] = address[6] = 0;
	address[7] = bpf_htons(host);
}

static __always_inline void write_udp6(struct bench_udp6 *p, const struct ends *ends)
{
	__u32 addresses = bpf_htons(0xfd00) * 2 + bpf_htons(BENCH_SRC_NET) + bpf_htons(BENCH_DST_NET) +
			  bpf_htons(ends->src) + bpf_htons(ends->dst);

	p->ip.version[0] = bpf_htons(0x6000);
	p->ip.version[1] = 0;
	p->ip.payload_size = bpf_htons(BENCH_L4_SIZE6);
	*(__u16 *)&p->ip.next = bpf_htons(IPPROTO_UDP << 8 | 64);
	write_ipv6_address(p->ip.src, BENCH_SRC_NET, ends->src);
	write_ipv6_address(p->ip.dst, BENCH_DST_NET, ends->dst);
	write_udp(&p->udp, BENCH_L4_SIZE6, addresses, ends->flow);
	*(__u16 *)p->payload = 0;
}

static __always_inline __be16 packet_type(void)
{
	return plan.packet == BENCH_UDP6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP);
}

static __always_inline void write_packet(void *packet, const struct ends *ends)
{
	switch (plan.packet) {
	case BENCH_TCP4:
		return write_tcp4(packet, ends);
	case BENCH_UDP6:
		return write_udp6(packet, ends);
	default:
		return write_udp4(packet, ends);
	}
}

/* What follows the MAC addresses. False: the frame is too short. */
static __always_inline bool write_rest(struct bench_eth *eth, void *end, __u32 tci, const struct ends *ends)
{
	struct bench_tag *tag = (void *)(eth + 1);

	if (!tci) {
		eth->type = packet_type();
		write_packet(eth + 1, ends);
		return true;
	}
	if ((void *)(tag + 1) + BENCH_PACKET_SIZE > end)
		return false;
	eth->type = bpf_htons(ETH_P_8021Q);
	tag->tci = bpf_htons(tci);
	tag->type = packet_type();
	write_packet(tag + 1, ends);
	return true;
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

static __always_inline struct ends ends_of(__u32 flow)
{
	struct ends ends = {.flow = flow};

	if (plan.n_masks) {
		bench_masked_flow(flow, plan.n_masks, &ends.src, &ends.dst);
	} else {
		ends.src = flow & ((1u << (plan.src_bits & 31)) - 1);
		ends.dst = flow >> (plan.src_bits & 31);
	}
	return ends;
}

SEC("xdp")
int gen(struct xdp_md *ctx)
{
	struct bench_eth *eth = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	__u32 flow = plan.next, tci = plan.tci;
	struct ends ends;

	if (plan.gap_ns)
		wait_until_due();

	if ((void *)(eth + 1) + BENCH_PACKET_SIZE > end)
		return XDP_DROP;
	plan.next = flow + plan.stride;
	if (plan.next >= plan.n_flows)
		plan.next -= plan.n_flows;

	if (plan.learn) {
		ends = (struct ends){.src = flow, .flow = flow};
		tci = plan.learn_tci;
		write_macs(eth, BENCH_SRC_MAC_HEAD, 0, BENCH_DST_MAC_HEAD, flow);
	} else {
		ends = ends_of(flow);
		if (plan.vary & BENCH_VARY_MAC)
			write_macs(eth, BENCH_DST_MAC_HEAD, ends.dst, BENCH_SRC_MAC_HEAD, ends.src);
		else
			write_macs(eth, BENCH_DST_MAC_HEAD, 0, BENCH_SRC_MAC_HEAD, 0);
		if (!(plan.vary & BENCH_VARY_TUPLE))
			ends = (struct ends){};
	}
	return write_rest(eth, end, tci, &ends) ? bpf_redirect_map(&out, plan.out, XDP_DROP) : XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
