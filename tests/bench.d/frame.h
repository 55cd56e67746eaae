/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * frame.h - the benchmark's frame: 64 bytes of Ethernet, IPv4 and UDP, with both checksums right.
 *
 * The generator writes every header byte of every frame, because the kernel hands it frames that the switch under test
 * has had its hands on. Shared by the BPF programs and by pump.
 */
#ifndef BENCH_FRAME_H
#define BENCH_FRAME_H

#include <linux/types.h>

#define BENCH_FRAME_SIZE   64
#define BENCH_PAYLOAD_SIZE 22

/* MAC addresses are 02:53:00:00:hh:ll (sources) and 02:52:00:00:hh:ll (destinations), by number. */
#define BENCH_SRC_MAC_HEAD 0x0253
#define BENCH_DST_MAC_HEAD 0x0252

struct bench_frame {
	__be16 eth_dst[3];
	__be16 eth_src[3];
	__be16 eth_type;

	__u8 ip_version_ihl;
	__u8 ip_tos;
	__be16 ip_size;
	__be16 ip_id;
	__be16 ip_frag;
	__u8 ip_ttl;
	__u8 ip_proto;
	__be16 ip_csum;
	__be16 ip_src[2];
	__be16 ip_dst[2];

	__be16 udp_src;
	__be16 udp_dst;
	__be16 udp_size;
	__be16 udp_csum;

	__u8 payload[BENCH_PAYLOAD_SIZE];
} __attribute__((packed, aligned(2)));

_Static_assert(sizeof(struct bench_frame) == BENCH_FRAME_SIZE, "a minimum frame with room for its FCS");

/* What tells one flow from the next. */
enum bench_vary {
	BENCH_VARY_MAC = 1,   /* pairs of MAC addresses */
	BENCH_VARY_TUPLE = 2, /* addresses and ports of IP */
	BENCH_VARY_BOTH = 3,
};

/*
 * Which flow the next frame belongs to: number `next` of 0 .. n_flows - 1. The source's number is the low src_bits of
 * it, the destination's the rest. A stride without a common divisor with n_flows visits all flows in another order
 * than the one they were learnt in, so that no table is read in the order in which it was filled.
 */
struct bench_plan {
	__u32 n_flows;
	__u32 stride;
	__u32 next;
	__u32 src_bits;
	__u32 vary;  /* enum bench_vary */
	__u32 learn; /* send destination number `next` as a source, so that the switch learns where it lives */
	__u32 out;   /* element of the generator's devmap: 0 the sender's device, 1 the receiver's */

	/* One frame in so many ns from due_ns on (CLOCK_MONOTONIC); 0: as fast as it goes. */
	__u64 gap_ns;
	__u64 due_ns;
	__u64 first_ns, last_ns; /* when the first and the last of these were made */
};

/* Half of what tells so many flows apart is the source's, rounded down. */
static inline __u32 bench_src_bits(__u32 n_flows)
{
	__u32 bits = 0;

	while (1ULL << (2 * bits + 2) <= n_flows)
		bits++;
	return bits;
}

#endif
