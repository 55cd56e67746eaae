/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * frame.h - the benchmark's frames: 64 bytes of Ethernet and of UDP or TCP over IPv4, or UDP over IPv6, with checksums
 * that are right; four bytes more with a VLAN tag.
 *
 * The generator writes every header byte of every frame, because the kernel hands it frames that the switch under test
 * has had its hands on. Shared by the BPF programs and by the programs that drive them.
 */
#ifndef BENCH_FRAME_H
#define BENCH_FRAME_H

#include <linux/types.h>

#define BENCH_FRAME_SIZE 64
#define BENCH_TAG_SIZE   4

/* MAC addresses are 02:53:gg:gg:hh:ll (sources) and 02:52:gg:gg:hh:ll (destinations), gg the station, hh:ll a number.
 */
#define BENCH_SRC_MAC_HEAD 0x0253
#define BENCH_DST_MAC_HEAD 0x0252

/* 10.1.hh.ll and 10.2.hh.ll, fd00:1::hhll and fd00:2::hhll; sources have ports by flow, all destinations have this. */
#define BENCH_SRC_NET        1
#define BENCH_DST_NET        2
#define BENCH_DST_PORT       9
#define BENCH_SRC_PORT(flow) (1024 + ((flow)&0x3fff))

/* What the rules of `nat` make of source number: 198.18.hh.ll and a port, by the number of the translation. */
#define BENCH_NAT_NET          (198 << 8 | 18)
#define BENCH_NAT_PORT(number) (20000 + ((number)&0x7fff))

struct bench_eth {
	__be16 dst[3];
	__be16 src[3];
	__be16 type;
} __attribute__((packed, aligned(2)));

struct bench_tag {
	__be16 tci;
	__be16 type;
} __attribute__((packed, aligned(2)));

struct bench_ipv4 {
	__u8 version_ihl;
	__u8 tos;
	__be16 size;
	__be16 id;
	__be16 frag;
	__u8 ttl;
	__u8 proto;
	__be16 csum;
	__be16 src[2];
	__be16 dst[2];
} __attribute__((packed, aligned(2)));

struct bench_ipv6 {
	__be16 version[2];
	__be16 payload_size;
	__u8 next;
	__u8 hop_limit;
	__be16 src[8];
	__be16 dst[8];
} __attribute__((packed, aligned(2)));

struct bench_udp {
	__be16 src;
	__be16 dst;
	__be16 size;
	__be16 csum;
} __attribute__((packed, aligned(2)));

struct bench_tcp {
	__be16 src;
	__be16 dst;
	__be16 seq[2]; /* the number of the flow */
	__be16 ack[2];
	__be16 flags;
	__be16 window;
	__be16 csum;
	__be16 urgent;
} __attribute__((packed, aligned(2)));

#define BENCH_L4_SIZE  (BENCH_FRAME_SIZE - 14 - 20) /* UDP or TCP, and zeros */
#define BENCH_L4_SIZE6 (BENCH_FRAME_SIZE - 14 - 40)

struct bench_udp4 {
	struct bench_ipv4 ip;
	struct bench_udp udp;
	__u8 payload[BENCH_L4_SIZE - 8];
} __attribute__((packed, aligned(2)));

struct bench_tcp4 {
	struct bench_ipv4 ip;
	struct bench_tcp tcp;
	__u8 payload[BENCH_L4_SIZE - 20];
} __attribute__((packed, aligned(2)));

struct bench_udp6 {
	struct bench_ipv6 ip;
	struct bench_udp udp;
	__u8 payload[BENCH_L4_SIZE6 - 8];
} __attribute__((packed, aligned(2)));

#define BENCH_PACKET_SIZE 50

_Static_assert(sizeof(struct bench_eth) + BENCH_PACKET_SIZE == BENCH_FRAME_SIZE, "a minimum frame, room for its FCS");
_Static_assert(sizeof(struct bench_udp4) == BENCH_PACKET_SIZE, "UDP over IPv4 fills the frame");
_Static_assert(sizeof(struct bench_tcp4) == BENCH_PACKET_SIZE, "TCP over IPv4 fills the frame");
_Static_assert(sizeof(struct bench_udp6) == BENCH_PACKET_SIZE, "UDP over IPv6 fills the frame");

/* What a frame carries; rules are made for it too (orders.h). */
enum bench_packet { BENCH_UDP4, BENCH_TCP4, BENCH_UDP6, BENCH_N_PACKETS };
#define BENCH_PACKET_NAMES                                                                                             \
	{                                                                                                              \
		"udp4", "tcp4", "udp6"                                                                                 \
	}

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
	__u32 vary;    /* enum bench_vary */
	__u32 packet;  /* enum bench_packet */
	__u32 n_masks; /* other than 0: addresses by bench_masked_flow(); a power of two up to BENCH_MAX_MASKS */
	__u32 station;
	__u32 tci;       /* of the tag of frames from the sender; 0: none */
	__u32 learn_tci; /* and of those from the receiver */
	__u32 learn;     /* send destination number `next` as a source, so that the switch learns where it lives */
	__u32 out;       /* element of the generator's devmap: 0 the sender's device, 1 the receiver's */

	/* One frame in so many ns from due_ns on (CLOCK_MONOTONIC); 0: as fast as it goes. */
	__u64 gap_ns;
	__u64 due_ns;
	__u64 first_ns, last_ns; /* when the first and the last of these were made */
};

/* What frames are to look like when they arrive. */
struct bench_wish {
	__u32 packet;         /* enum bench_packet */
	__u32 tci;            /* of the tag; 0: none */
	__u32 n_translations; /* of `nat`: flow number % this is the number of its translation; 0: not rewritten */
	__u32 sums;           /* look at the checksums too, which takes time */
};

/* What the sink tells apart. */
enum bench_arrival {
	BENCH_AS_WISHED, /* the generator's frame, for a receiver, as it should be */
	BENCH_UNLIKE,    /* the same, but it is not */
	BENCH_OTHER,
	BENCH_N_ARRIVALS,
};

/* Half of what tells so many flows apart is the source's, rounded down. */
static inline __u32 bench_src_bits(__u32 n_flows)
{
	__u32 bits = 0;

	while (1ULL << (2 * bits + 2) <= n_flows)
		bits++;
	return bits;
}

/*
 * Flows for which a switch needs n_masks different masks, with rules for the nested prefixes 10.2.0.0/17 to /32, and
 * 10.1.0.0/17 to /20: the first bit that is set in the host's part of the destination says how many bits must be
 * looked at to see which prefixes it is not in, and so does the source's. Classes come in no order; the source's other
 * bits and its port, which no rule looks at, make every one of BENCH_MASKED_FLOWS flows another.
 */
#define BENCH_DST_CLASSES  16
#define BENCH_SRC_CLASSES  4
#define BENCH_MAX_MASKS    (BENCH_DST_CLASSES * BENCH_SRC_CLASSES)
#define BENCH_MASKED_FLOWS (1 << 26)

static inline void bench_masked_flow(__u32 flow, __u32 n_masks, __u32 *ret_src, __u32 *ret_dst)
{
	__u32 hash = flow * 0x9e3779b1, class;

	hash = (hash ^ hash >> 15) * 0x85ebca77;
	class = hash >> 26 & (n_masks - 1);
	*ret_dst = 0x8000 >> (class % BENCH_DST_CLASSES);
	*ret_src = 0x8000 >> (class / BENCH_DST_CLASSES % BENCH_SRC_CLASSES) | (flow >> 14 & 0xfff);
}

#endif
