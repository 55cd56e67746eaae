/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * abi.h - everything that the XDP program and the daemon both know.
 *
 * What: the key, the masks, the flow slots and their index, the action program, the port records, the counters and
 * the drop reasons, with the map that holds each. Both sides include this file and nothing is mirrored by hand.
 *
 * Why its own hash table: a flow table in a BPF hash map costs 36 ns a lookup and a system call an update, and hands
 * the value of one key to a reader of another when an element is recycled. Here the flows are slots of an mmap-able
 * array, found through buckets of one cache line each, written by the daemon with plain stores (docs/decisions/0001).
 *
 * Invariants
 * A1 A live flow slot (even `gen`) is immutable but for going dead.
 * A2 A slot or a mask that went dead is rewritten only after an RCU grace period.
 * A3 A bucket cell is one aligned 64-bit word; it is stored after the slot that it names is complete (release order).
 * A4 Every flow matches in_ifindex exactly, so that a slot knows the port it belongs to.
 * A5 There is a row of counters for each possible CPU and one more, the last, that only the daemon writes.
 *
 * Safe error: a cell, a hint or a slot that is absent, which is a needless miss. Unsafe error: a live slot whose key,
 * mask or steps are not those of one translation.
 *
 * Byte order: fields named _be are in network order, MAC and IP addresses are in wire order, all else is host order.
 */
#ifndef SW_ABI_H
#define SW_ABI_H

#include <linux/types.h>

/* Raised when any layout or meaning below changes. A daemon throws away pinned maps of another version. */
#define SW_ABI_VERSION 10

#define SW_MAX_PORTS     1024  /* port ids 1 .. 1023; 0 is "no port" */
#define SW_MAX_BRIDGES   64    /* bridge ids 1 .. 63; 0 is "no bridge" */
#define SW_MAX_MASKS     64    /* mask ids 0 .. 63 */
#define SW_MAX_STEPS     4     /* steps of one action program; what needs more goes up (SW_OP_UPCALL) */
#define SW_MAX_SETS      512   /* flood sets, ids 0 .. 511 */
#define SW_MAX_REWRITES  4096  /* rewrites, ids 0 .. 4095 */
#define SW_MAX_EDITS     16    /* of one rewrite; what needs more goes up */
#define SW_MAX_PUSHED    128   /* bytes by which its pushes may lengthen a frame, and its pops shorten it */
#define SW_MAX_METERS    4096  /* meters, slots 1 .. 4095; 0 is "no meter" */
#define SW_METER_BANDS   4     /* of one meter; what needs more goes up */
#define SW_MAX_FORKS     512   /* forks, ids 0 .. 511 */
#define SW_MAX_BRANCHES  16    /* of one fork; a power of two */
#define SW_FORK_SLOTS    4096  /* of a select group's table; a power of two */
#define SW_MAX_COPIES    1024  /* lists of copies, ids 0 .. 1023 */
#define SW_COPY_ROOM     24    /* bytes by which a copy may grow; what would grow more goes up */
#define SW_MAX_MIRRORS   64    /* mirrors, ids 1 .. 63; 0 is "no mirror"; a power of two */
#define SW_MAX_XSKS      4096  /* slots of the XSKMAP, handed out in runs of one a queue */
#define SW_MAX_SPREAD    64    /* CPUs over which one port is spread; a power of two */
#define SW_MAX_FDB       65536 /* FDB entries, all bridges together */
#define SW_NAME_SIZE     16    /* a device's or bridge's name with its NUL, as IFNAMSIZ */
#define SW_BUCKET_CELLS  7
#define SW_DEFAULT_FLOWS 262144 /* flow slots; a power of two */
#define SW_EMC_SIZE      131072 /* exact-match hints a CPU; a power of two */
#define SW_SIEVE_BITS    16     /* of each of the two tables of map `sieves`, for each flow slot; a power of two */
#define SW_SIEVE_LEAST   15     /* the binary logarithm of the bits of a table in use, at least */
#define SW_NOTE_BITS     14
#define SW_NOTES         (1 << SW_NOTE_BITS) /* a CPU */
#define SW_DEEP_BITS     13
#define SW_DEEP_NOTES    (1 << SW_DEEP_BITS) /* a CPU, of whole keys */

/*
 * The key of a frame: flat, fixed width, zero where the frame has no such field. Words 0-2 are layer 2, the rest is
 * filled only while some installed mask looks at it or a select group is in use (sw_config.depth).
 */
struct sw_key_fields {
	__u32 in_ifindex;   /* device that the frame came in by */
	__be16 eth_type_be; /* of the payload: behind one 802.1Q tag; 0x88a8 is left as the type; 0 for an 802.3 length
			     */
	__be16 vlan_tci_be; /* outermost 802.1Q tag, its CFI bit set to say "there is one"; 0: untagged */

	__u8 eth_dst[6];
	__u16 zero1;

	__u8 eth_src[6];
	__u16 zero2;

	__u8 ip_proto; /* IPv4 protocol, IPv6 next header after extension headers */
	__u8 ip_tos;   /* DSCP and ECN */
	__u8 ip_ttl;
	__u8 ip_frag;     /* SW_FRAG_* */
	__be16 l4_src_be; /* TCP, UDP, SCTP; ICMP: the type; ARP: the opcode */
	__be16 l4_dst_be; /* TCP, UDP, SCTP; ICMP: the code */

	__u8 ip_src[16]; /* IPv6; IPv4 and ARP's sender in the first four bytes */
	__u8 ip_dst[16]; /* IPv6; IPv4 and ARP's target in the first four bytes */

	__be16 tcp_flags_be; /* low 12 bits */
	__u16 zero3;
	__be32 ipv6_flabel_be; /* low 20 bits */
};

#define SW_KEY_WORDS 9
#define SW_L2_WORDS  3

struct sw_key {
	union {
		struct sw_key_fields f;
		__u64 w[SW_KEY_WORDS];
	};
};

#define SW_VLAN_PRESENT 0x1000 /* in vlan_tci, host order: the CFI bit, as OpenFlow's OFPVID_PRESENT */
#define SW_VLAN_VID     0x0fff
#define SW_FRAG_ANY     1 /* ip_frag: any part of a fragmented datagram */
#define SW_FRAG_LATER   2 /* ip_frag: not the first part; no layer-4 header here */

/* A mask in the mask table. Bits beyond n_words are zero. Reuse of an id obeys A2. */
struct sw_mask {
	struct sw_key bits;
	__u32 n_words; /* words that hold any bit; 1 .. SW_KEY_WORDS */
	__u32 n_flows; /* live flows; the daemon's business */
};

/*
 * A mask or a key, folded: without its device, and its other bits in another order, such that of a frame that is not
 * IPv6 all but the first five words are zero. See bpf/sieve.h.
 */
#define SW_FOLDED_WORDS 8

struct sw_folded {
	__u64 w[SW_FOLDED_WORDS];
};

/*
 * In the one element of map `core`. The program reads it on every frame; the daemon writes single aligned words.
 * `order` lists the mask ids to try, most hit first; the program tries the first `n_order` of it, and a reader that
 * sees it change under its feet may miss (C1) but never misjudges, because it compares with the mask that it tried.
 */
struct sw_config {
	__u32 abi_version;
	__u32 n_rows;           /* counter rows: possible CPUs + 1 (A5) */
	__u32 n_flows;          /* slots in `flows`; a power of two */
	__u32 n_buckets;        /* of `buckets`; a power of two */
	__u32 depth;            /* key words to extract and hash: SW_L2_WORDS or SW_KEY_WORDS */
	__u32 n_order;          /* masks in use */
	__u32 upcall_max;       /* longest frame, in bytes, that can go up to the daemon in one buffer */
	__u32 upcall_max_frags; /* and in several; 0: none can */
	__u32 netns_inum;       /* inode of the network namespace whose devices are our ports */
	__u32 epoch;            /* in which what is noted holds (bpf/recall.h); 0: nothing is noted */
	__u32 n_generic;        /* ports in generic mode, where one copy that fails ends a broadcast (bpf/copies.h) */
	__u32 is_trial;         /* 1: of a program that is only asked, and whose broadcasts send nothing to count */
	__u32 workers_id;       /* of map `workers`, as the kernel counts maps */
	__u32 collectors_id;    /* of map `collectors` */
	__u64 seed;             /* of sw_hash: random, so that nobody outside can aim at a bucket */
	__u32 sieve; /* sw_sieve_in_use(): which of the two tables is in use, and its size; 0: all masks are looked
			under */
	__u32 words; /* folded ones in which some mask in use has bits, at least: a bit each */
	__u64 factors[SW_FOLDED_WORDS + 1]; /* of the sieve's hash: odd, random */
	__u8 order[SW_MAX_MASKS];
	struct sw_mask masks[SW_MAX_MASKS];
	struct sw_folded folded[SW_MAX_MASKS]; /* the same masks once more */
};

/* A step of an action program. Terminal ops end it; a program without one is a bad program (SW_DROP_BAD_PROGRAM). */
enum sw_op {
	SW_OP_NONE,
	SW_OP_OUTPUT,    /* terminal; arg: port id */
	SW_OP_BROADCAST, /* terminal; arg: set id; the ingress port is left out by the kernel */
	SW_OP_VLAN_PUSH, /* arg: TCI, host order; puts an 802.1Q tag in front */
	SW_OP_VLAN_POP,  /* takes the outermost 802.1Q tag off */
	SW_OP_VLAN_SET,  /* arg: VID; keeps the PCP of the tag that is there */
	SW_OP_UPCALL,    /* terminal; arg: enum sw_upcall */
	SW_OP_DROP,      /* terminal; arg: enum sw_drop */
	SW_OP_NORMAL,  /* first only; arg: VID. Looks the frame's addresses up in the FDB (bpf/normal.h): a destination
			  that it knows ends the program there; what is for everybody goes on to the steps behind */
	SW_OP_REWRITE, /* first of two; arg: index into `rewrites`. Behind it stands OUTPUT or BROADCAST */
	SW_OP_METER,   /* in front of all others; arg: slot of `meters`, which may end the frame or remark it */
	SW_OP_FORK,    /* alone; arg: index into `forks`, of which one branch is the program for this frame */
	SW_OP_COPIES,  /* alone but for a METER or TELL, and terminal; arg: index into `copies` */
	SW_OP_TELL, /* in front of all others but a METER: others get a copy (bpf/tell.h). arg: SW_TELL_CONTROLLER, the
		       id of a mirror with SW_TELL_OUT, SW_TELL_ALL or neither, or both */
};

struct sw_step {
	__u8 op; /* enum sw_op */
	__u8 zero;
	__u16 arg;
};

/* sw_flow.flags */
#define SW_FLOW_CSUM       1 /* frames of this port may carry unfinished checksums; see csum.h */
#define SW_FLOW_ONE_BUFFER 2 /* the driver of the output takes frames in one buffer only: others go up */
#define SW_FLOW_LEARN      4 /* NORMAL: a source that the FDB does not have goes up, to be learned; else it is let be */
#define SW_FLOW_RESERVED   8 /* NORMAL: the bridge forwards 01:80:C2:00:00:0x too */

/*
 * A slot of map `flows` (mmap-able): a pair of cache lines. All that a layer-2 flow needs to be found and carried out
 * lies in the first. MEASURED with 100,000 flows: 256 bytes a slot (20 steps) cost 60 ns a frame more than 128, in TLB
 * misses.
 */
struct sw_flow {
	__u32 gen;  /* even: live (A1). odd: dead. Raised by one at birth and at death, never back to a used value */
	__u16 mask; /* id of its mask */
	__u8 n_steps;
	__u8 flags;    /* SW_FLOW_* */
	__u16 in_port; /* id of the port whose ifindex the key holds; for counters, and for NORMAL */
	__u16 bridge;  /* id of its bridge; for NORMAL */
	__u16 floods;  /* for NORMAL: who gets a copy of what goes on to the steps behind it, as SW_OP_TELL says */
	__u16 zero1;
	__u64 domain; /* for NORMAL: sw_fdb_hash_domain() of its VID and bridge */
	struct sw_step steps[SW_MAX_STEPS];
	struct sw_key key; /* masked */
	__u64 cookie;      /* the daemon's own */
	__u64 zero2;
};

/*
 * Where a flow is, in the order in which the program looks:
 * - home: the slot that the hash of its masked key names, or that slot's neighbour (sw_hash_home), if either was vacant
 *   when the flow was put. Then to find it takes one cache line, which is what it also takes to carry it out. Only for
 *   flows of layer 2 under the mask that is hit most.
 * - anywhere, and a cell of a bucket names its slot. Every flow has a cell, those that are at home too.
 */

/*
 * A bucket of map `buckets` (mmap-able): one cache line. A cell is tag << 32 | slot + 1, or 0 when empty. A flow
 * lives in the primary bucket of its hash, or, when that is full, in the alternate one; then the primary's
 * `n_overflow` counts it, and only then does a reader look at the alternate.
 */
struct sw_bucket {
	__u64 cell[SW_BUCKET_CELLS];
	__u64 n_overflow;
};

/*
 * An exact-match hint, an element of map `emc` at row CPU: gen << 32 | slot. It is only a guess at which slot will
 * match: the program believes it when the slot's gen is the same and its masked key equals the frame's.
 */

#define SW_HINT_LEAST  8     /* masks: with so few the sieve is as quick as a hint for a key beyond layer 2 */
#define SW_HINT_MISSES 512   /* searches between two judgements whether hints are of use */
#define SW_HINT_PAUSE  16384 /* searches without a look for a hint after it was found that they are not */

/*
 * In a row, by flow slot. Of a flow whose program begins with METER what that let go on; the rest of it is in map
 * `stopped`.
 */
struct sw_flow_stats {
	__u64 packets;
	__u64 bytes; /* frame lengths at ingress, without FCS */
};

/*
 * A fork of map `forks` (mmap-able): the programs between which a group chooses, frame by frame. Each is a flow's that
 * no key leads to: of a branch its steps are read, its flags, and its ports. The last branch is for when no bucket is
 * live. Written while no flow names it, `kind` last; from then on only `live` changes, which is one aligned word, and
 * the bytes of its table in map `fork_slots`.
 *
 * Map `fork_stats` (mmap-able) has what took each branch: struct sw_flow_stats at
 * (row * SW_MAX_FORKS + fork id) * SW_MAX_BRANCHES + branch.
 */
enum sw_fork_kind {
	SW_FORK_NONE,     /* there is no such fork */
	SW_FORK_FAILOVER, /* every frame takes branch `live` */
	SW_FORK_SELECT,   /* a frame takes the branch that the table has for its hash (bpf/select.h) */
};

struct sw_fork {
	__u8 kind; /* enum sw_fork_kind */
	__u8 n_branches;
	__u16 bridge; /* id; with the group's it tells a daemon that adopts it whose it was */
	__u32 group;  /* OpenFlow's number */
	__u32 live;
	__u32 zero1;
	__u64 path; /* the daemon's own: a hash of what its branches count for */
	__u64 zero2[13];
	struct sw_flow branch[SW_MAX_BRANCHES];
};

struct sw_fork_slots {
	__u8 branch[SW_FORK_SLOTS];
};

/* In a row, by port id. One cache line. */
struct sw_port_stats {
	__u64 rx_frames; /* frames taken in; the daemon's row: those more that one was parted into (struct sw_up) */
	__u64 rx_bytes;  /* likewise: by how much that is longer, their headers */
	__u64 tx_frames; /* frames handed to this port's driver; the daemon's row: those sent through its XSK */
	__u64 tx_bytes;
	__u64 mega_hits; /* of frames taken in: found by a megaflow lookup */
	__u64 misses;    /* of frames taken in: no flow matched; all others were recalled, or found by a hint */
	__u64 upcalls;   /* program rows: frames that its socket took; the daemon's row: frames that it received */
	__u64 csum_done; /* unfinished checksums completed */
};

/* What became of a frame; see bpf/recall.h. Half a cache line: 1,000 of them fit in a CPU's first cache. */
struct sw_note {
	__u64 head, tail; /* of the frame: its first 14 bytes, or 18 with a tag */
	__u64 origin;     /* epoch << 32 | ifindex; 0: there is nothing here */
	__u64 verdict;    /* sw_recall_verdict() */
};

/* What is to be done before such a frame leaves, where it is anything at all (SW_RECALL_MORE). */
struct sw_extras {
	__u16 rewrite; /* its id + 1; 0: none. It has a patch */
	__u16 meter;   /* slot; 0: none */
	__u16 branch;  /* fork id * SW_MAX_BRANCHES + branch + 1, to be counted; 0: none */
	__u16 vid;     /* of `out` */
	__u8 out;      /* enum sw_fdb_out: the tag that it is to get, or lose; 0: it keeps what it has */
	__u8 zero;
};

/*
 * The same of a frame of which more than layer 2 was looked at: whole TCP or UDP over IPv4 without options. A cache
 * line.
 */
struct sw_deep_note {
	struct sw_note link;
	__u64 addrs;                    /* source and destination */
	__u64 rest;                     /* ports, TTL, protocol, version and header size, TOS */
	__be16 flags_be, flags_mask_be; /* TCP's, as far as the flow looked at them */
	struct sw_extras extras;
	__u16 least_size; /* of the datagram: its headers */
};

/*
 * What a CPU may let through a meter without asking its buckets (bpf/meter.h); in a row, by meter slot. A lane of 16
 * bits for each band. All zero: nothing, and the CPU has not asked yet.
 */
#define SW_CREDIT_LANES 0x8000800080008000ULL
#define SW_CREDIT_MOST  0x7fff /* of a lane, and the longest frame that is let through so */

struct sw_credit {
	__u64 left;    /* SW_CREDIT_LANES, and in each lane how many bytes, or frames */
	__u64 a_byte;  /* how much of `left` a byte of a frame takes ... */
	__u64 a_frame; /* ... and a frame */
	__u64 zero;
};

/*
 * What one CPU writes, an element of map `rows` (mmap-able): found by one lookup a frame. Behind it, in the same
 * element, stand n_flows struct sw_flow_stats.
 */
struct sw_row {
	__u32 n_skip;     /* frames for which no note is looked for */
	__u32 n_known;    /* frames recalled since it was last judged whether notes are of use */
	__u32 n_others;   /* and not recalled */
	__u32 n_unhinted; /* the same three of hints (bpf/lookup.h) */
	__u32 n_hinted;
	__u32 n_walked;
	__u32 zero[10];
	struct sw_port_stats ports[SW_MAX_PORTS];
	struct sw_note notes[SW_NOTES];
	struct sw_deep_note deep[SW_DEEP_NOTES];
	struct sw_extras extras[SW_NOTES]; /* of `notes` */
	struct sw_credit credits[SW_MAX_METERS];
};

/*
 * An element of map `lookup_stats` (mmap-able), at row. What the long way's search cost: a frame that is recalled, or
 * found at home, by a guess or by a hint, is in its port's counters alone, and the short way pays nothing for these.
 */
struct sw_lookup_stats {
	__u64 walks;                                /* program rows: lookups that tried masks, one after the other */
	__u64 found;                                /* of those */
	__u64 probes;                               /* masks that they tried: up to the one with the flow */
	__u64 gone_frames, gone_megas, gone_misses; /* the daemon's row: of ports that are gone, rx_frames, mega_hits
						       and misses */
	__u64 looks;                                /* program rows: of the probes, those that the sieve let through */
	__u64 zero;
};

/* Every reason for which a frame ends here. Name, the word users see, and a sentence for `switchctl drops`. */
#define SW_DROPS(X)                                                                                                    \
	X(NONE, "none", "not dropped")                                                                                 \
	X(RUNT, "runt", "shorter than an Ethernet header")                                                             \
	X(NO_PORT, "no_port", "came in by a device that is not a port")                                                \
	X(MISS_LIMIT, "miss_limit", "a port sent new flows or addresses faster than its upcall limit")                 \
	X(NO_DAEMON, "no_daemon", "it needs the daemon, and none is listening")                                        \
	X(RESERVED_MAC, "reserved_mac", "for a reserved address 01:80:C2:00:00:0x, which a bridge does not forward")   \
	X(VLAN_DENIED, "vlan_denied", "its VLAN is not allowed on the port that it came in by")                        \
	X(SAME_PORT, "same_port", "its destination lives behind the port that it came in by")                          \
	X(NO_OUTPUT, "no_output", "no other port takes part in its VLAN")                                              \
	X(PORT_DOWN, "port_down", "the port that it should leave by has no device or no link")                         \
	X(OVER_MTU, "over_mtu", "longer than the MTU of a port that it should leave by")                               \
	X(GSO, "gso_frame", "longer than the MTU of the port it came in by: the sender's segmentation offload is on")  \
	X(NO_HEADROOM, "no_headroom", "no room in front of the frame for another tag")                                 \
	X(UPCALL_TOO_BIG, "upcall_too_big", "must take the slow path and is longer than that can carry")               \
	X(UPCALL_FULL, "upcall_full", "the slow path's ring was full")                                                 \
	X(XMIT, "xmit_failed", "the driver of the port that it should leave by did not take it")                       \
	X(REDIRECT, "redirect_failed", "the kernel refused the redirect")                                              \
	X(TX_FULL, "tx_full", "the slow path had no room to send it")                                                  \
	X(BAD_PROGRAM, "bad_program", "its flow's action program is not one that the fast path understands")           \
	X(BAD_SOURCE, "bad_source", "its source address is a group address or all zeros")                              \
	X(RULE, "rule", "a rule of the pipeline says so")                                                              \
	X(TABLE_MISS, "table_miss", "no rule of a table matches it, and the table has no table-miss rule")             \
	X(METER, "meter", "over the rate of a meter's drop band")                                                      \
	X(TTL, "ttl", "its TTL is 0, or would be if it were decremented")                                              \
	X(NO_BUCKET, "no_bucket", "no bucket of its group is live")                                                    \
	X(PORT_CONFIG, "port_config", "a controller has told the port not to receive, or not to forward")              \
	X(NO_CONTROLLER, "no_controller", "for the controller, and none takes it")                                     \
	X(TOO_COMPLEX, "too_complex", "its rules and groups ask for more operations than one frame may cost")          \
	X(COPY, "copy", "a copy on its way out had lost what says how it is to be rewritten")                          \
	X(MIRROR_PORT, "mirror_port", "its port is one that a mirror sends to, which takes part in nothing else")      \
	X(CPU_FULL, "cpu_full", "the queue of the CPU that its port is spread to was full")

enum sw_drop {
#define X(name, word, text) SW_DROP_##name,
	SW_DROPS(X)
#undef X
		SW_N_DROPS
};

#define SW_DROP_SLOTS 32 /* drop counters a port, so that adding a reason does not move the others */

/* Map `drops` (mmap-able): __u64 at (row * SW_MAX_PORTS + port id of the culprit or 0) * SW_DROP_SLOTS + reason. */

/*
 * Map `ports`: a hash by ifindex. The hit path never reads it (A4); the miss path and the egress program do.
 */
#define SW_PORT_CSUM     1  /* complete unfinished checksums of frames that come in here */
#define SW_PORT_GENERIC  2  /* the program runs in generic (skb) mode here */
#define SW_PORT_FOLLOWED 4  /* an egress program runs for all that leaves here; the daemon's business */
#define SW_PORT_COLLECT  8  /* what goes up is handed to its collector first, see bpf/spread.h */
#define SW_PORT_TURNING  16 /* nothing goes up, for a grace period: it is about to have a collector */

struct sw_port {
	__u32 id;
	__u32 flags;        /* SW_PORT_* */
	__u32 xsk_base;     /* XSKMAP slot of queue 0 */
	__u32 n_queues;     /* queues with an XSK; frames of queues beyond go to queue (index % n_queues) of the map */
	__u32 max_frame;    /* bytes that it can be given: the MTU that limits this + Ethernet header + one tag */
	__u32 max_rx_frame; /* bytes that one frame from here can have, by the MTU of whoever sends it */
	__u16 untagged_vid; /* VLAN that leaves this port without a tag; 0: none */
	__u16 zero;
	__u32 collector;  /* CPU, of SW_PORT_COLLECT */
	__u64 miss_rate;  /* upcalls a second; 0: no limit */
	__u64 miss_burst; /* upcalls at once */
};

/* Map `spreads`: a hash by ifindex; over which CPUs the frames of a port are spread that come in by it (bpf/spread.h).
 */
struct sw_spread {
	__u32 port; /* id */
	__u32 n_cpus;
	__u16 cpu[SW_MAX_SPREAD];
};

/* Map `miss_buckets`: by port id, the upcall limiter's state; written by the program alone, approximately. */
struct sw_miss_bucket {
	__u64 tokens;  /* in nano-upcalls: 10^9 is one */
	__u64 last_ns; /* CLOCK_MONOTONIC, coarse */
};

/* Map `set_info`: by set id; what the program must know before it broadcasts. */
struct sw_set_info {
	__u32 min_frame; /* smallest max_frame among the members, bytes */
	__u32 n_members;
	__u32 needs_marks; /* some member has a program, which tells copies from unicast by their marks */
	__u32 zero;
};

/*
 * What a flow's REWRITE step does to a frame, an element of map `rewrites` (mmap-able). Written while no flow names it;
 * n_edits last, and 0 says that it is free. Flows whose rewrites are the same share one.
 *
 * An edit that does not apply to a frame (no such header) leaves it as it is (W3 of dataplane/rewrite.h): the program
 * looks at each frame itself, and no edit rests on what the flow's mask looked at.
 */
enum sw_edit_op {
	SW_EDIT_NONE,
	SW_EDIT_ETH,       /* arg: offset of the address */
	SW_EDIT_PUSH_VLAN, /* a tag, with VID and PCP of the outer one; arg: its EtherType */
	SW_EDIT_POP_VLAN,  /* the outer tag, 802.1ad's too */
	SW_EDIT_VLAN_VID,  /* value: in network order, with the CFI bit or without */
	SW_EDIT_VLAN_PCP,
	SW_EDIT_LAST_LINK = SW_EDIT_VLAN_PCP,

	SW_EDIT_ETH_TYPE,     /* behind a tag, if there is one */
	SW_EDIT_PUSH_MPLS,    /* arg: the EtherType */
	SW_EDIT_POP_MPLS,     /* likewise, of what is behind the label */
	SW_EDIT_MPLS,         /* part of the outer label stack entry; arg: its lowest bit */
	SW_EDIT_SET_MPLS_TTL, /* arg: the TTL */
	SW_EDIT_DEC_MPLS_TTL,
	SW_EDIT_COPY_TTL_OUT,
	SW_EDIT_COPY_TTL_IN,
	SW_EDIT_PUSH_PBB, /* arg: the EtherType */
	SW_EDIT_POP_PBB,
	SW_EDIT_PBB_ISID,
	SW_EDIT_LAST_SHIM = SW_EDIT_PBB_ISID,

	SW_EDIT_SET_TTL, /* arg: the TTL */
	SW_EDIT_DEC_TTL,
	SW_EDIT_IP_DSCP,
	SW_EDIT_IP_ECN,
	SW_EDIT_IP_PROTO,
	SW_EDIT_IPV4, /* an address; arg: its offset in the header */
	SW_EDIT_IPV6, /* likewise */
	SW_EDIT_IPV6_LABEL,
	SW_EDIT_LAST_IP = SW_EDIT_IPV6_LABEL,

	SW_EDIT_L4,  /* arg: offset in the header of ip_proto; one byte of ICMP, or two */
	SW_EDIT_ARP, /* arg: offset in the packet; 2, 4 or 6 bytes */
	SW_EDIT_ND_TARGET,
	SW_EDIT_ND_OPTION, /* a link-layer address; arg: the option's type */
	SW_N_EDIT_OPS,
};

struct sw_edit {
	__u8 op;   /* enum sw_edit_op */
	__u8 size; /* bytes of `value` */
	__u8 ip_proto;
	__u8 zero1;
	__u16 arg;
	__u16 zero2;
	__u8 value[16]; /* as an action has it */
};

/* sw_rewrite.looks: what must be known of a frame before its first byte is changed; a frame that fails goes up. */
#define SW_LOOK_TTL 1 /* that its TTL is ttl_least at least */
#define SW_LOOK_L4  2 /* where its layer-4 checksum is: within reach, or that there is none */
#define SW_LOOK_DST 4 /* that no IPv6 extension header may hold the destination which that checksum means */
/*
 * What shows only on the way, because edits before have moved headers: the frame's front is kept, and put back where an
 * edit finds that the frame is none for it. Stands alone.
 */
#define SW_LOOK_UNDO 8

#define SW_REWRITE_TAGS 3 /* behind more tags than this nothing is known */

/* sw_patch.does */
#define SW_PATCH_MADE   1 /* there is one */
#define SW_PATCH_IP_SUM 2 /* it alters what IPv4's checksum sums */
#define SW_PATCH_L4_SUM 4 /* and what that of TCP and UDP does */
#define SW_PATCH_MACS   8 /* it alters Ethernet addresses */

/*
 * The same edits at one stroke, for the frames that most rewrites are made for: whole TCP or UDP over IPv4 without
 * options, behind one 802.1Q tag or none. Of each field stays what is in `keep`, and gets what is in `set`; all as it
 * lies in the frame. No address or port is set to zero, so that a checksum comes out as edit by edit, to the bit.
 */
struct sw_patch {
	__u8 does;                /* SW_PATCH_*; 0: the edits cannot be put so */
	__u8 ip_proto;            /* that it is for; 0: for either */
	__u16 ttl_least;          /* that the frame must have */
	__u16 tos_keep, tos_set;  /* the word with the version */
	__u16 ttl_keep, ttl_plus; /* the word with the protocol; the TTL's part of the sum is modulo 256 */
	__u32 ports_keep, ports_set;
	__u32 src_keep, src_set; /* the last four bytes of the Ethernet addresses */
	__u32 zero;
	__u64 macs_keep, macs_set; /* the others */
	__u64 addrs_keep, addrs_set;
};

struct sw_rewrite {
	__u8 n_edits;
	__u8 looks;        /* SW_LOOK_* */
	__u16 growth;      /* bytes by which it lengthens a frame at most */
	__u32 is_upheaval; /* it takes a frame as on the wire: labels come and go, or types and protocols change */
	__u16 ttl_least[SW_REWRITE_TAGS + 1]; /* by the number of a frame's tags; above 255: whatever it is, it ends */
	__u64 zero2[6];
	struct sw_patch patch; /* a cache line, and all that is asked for a frame that it fits */
	struct sw_edit edits[SW_MAX_EDITS];
};

/*
 * A meter of map `meters` (mmap-able), as program and daemon run it (bpf/meter.h). Written while no flow names it; `id`
 * last, and 0 says that it is free. From then on only the bands' `full_at` changes. One of one band is a cache line.
 */
#define SW_METER_FRAMES  1 /* its bands count frames; else bits */
#define SW_METER_REMARKS 2 /* some band of it remarks */

struct sw_meter_band {
	__u64 full_at; /* the state: what will have been filled in by when the bucket is full, in units, modulo 2^64 */
	__u64 depth;   /* of the bucket; units, below 2^62 */
	__u32 fill;    /* units a nanosecond */
	__u32 price;   /* units a bit or a frame */
	__u8 drops;    /* else it remarks: ... */
	__u8 levels;   /* ... raises the drop precedence by so much */
	__u16 credit;  /* bytes or frames that a CPU takes in advance; 0: none. `depth` is without what all may have */
	__u8 zero1[4];
};

struct sw_meter {
	__u32 id; /* OpenFlow's; it and the bridge tell a daemon that adopts it whose it was */
	__u8 n_bands;
	__u8 flags; /* SW_METER_* */
	__u16 bridge;
	__u64 zero2[3];
	struct sw_meter_band bands[SW_METER_BANDS]; /* in order of falling rate: the first that is exceeded applies */
	__u64 zero3[4];
};

/*
 * Frames for which a band applied: struct sw_flow_stats in map `band_stats` (mmap-able), at
 * (row * SW_MAX_METERS + slot) * SW_METER_BANDS + band. Map `stopped` (mmap-able) has, by flow slot, what of the flow's
 * frames its meter did not let go on, or did not get to see; all CPUs add to the same one (docs/decisions/0020).
 */

/*
 * What a flow's COPIES step does to a frame, an element of map `copies` (mmap-able): it is broadcast as it came, to all
 * members of a set, and the egress program, which runs for each copy, rewrites that as its port's is to be. Written
 * while no flow names it; n_copies last, and 0 says that it is free. The element holds its set and its rewrites.
 */
struct sw_copies {
	__u16 n_copies;
	__u16 set;
	__u32 zero;
	struct sw_rewrite all; /* what must be known of a frame before, for all copies together; it has no edits */
	__u16 rewrite[SW_MAX_PORTS]; /* by port id: its copy's, id + 1; 0: that one leaves as it came */
};

/* "swc1", and the configuration's seed, which no sender knows */
#define SW_MARK_MAGIC(seed) (0x73776331 ^ (__u32)(seed) ^ (__u32)((seed) >> 32))
#define SW_MARK_FLOOD       0xffff
#define SW_MARK_NAME        0x6373 /* "sc" */

/*
 * A mark: stands before each copy of a broadcast until the egress program takes it away (bpf/mark.h). It is as long
 * as metadata may be: what a copy grows by then finds the room that this took.
 */
struct sw_mark {
	__u32 magic;
	__u16 copies; /* id, or SW_MARK_FLOOD: its port's tag is all that there is to do */
	__u16 name;   /* SW_MARK_NAME, by which one knows another switch's */
	__u8 room[SW_COPY_ROOM];
};

/*
 * A copy of a frame that went on its way, as it came, for the daemon to tell controllers of or to send out of a
 * mirror's port: a record of ring `tolds`. It lies in the smallest of SW_TELL_ROOMS that holds it.
 */
#define SW_TELL_CONTROLLER 0x8000
#define SW_TELL_OUT        0x4000 /* the mirror's is the frame as it leaves by its one port, not as it came */
#define SW_TELL_ALL        0x2000 /* it may not be the only mirror: the daemon is to find out who gets what copies */

struct sw_told {
	__u32 size;     /* of the frame */
	__u16 in_port;  /* port id */
	__u8 levels;    /* by so many its meter raised its drop precedence */
	__u8 mirror;    /* id; 0: it is for controllers. SW_TOLD_MIRRORS: the frame as it came, of SW_TELL_ALL */
	__u16 out_port; /* of a mirror's: id of the one port by which the frame left as it is here; 0: of none. Of
			   SW_TOLD_MIRRORS: SW_TOLD_ENDED, its meter let it go no further, or 0 */
	__u16 gso_size; /* as in struct sw_up; 0 where it came by the XDP hook */
	__u32 gso_type;
	__u8 bytes[];
};

#define SW_TOLD_MIRRORS SW_MAX_MIRRORS
#define SW_TOLD_ENDED   0xffff

#define SW_TELL_ROOMS(X) X(256) X(2048) X(16384) X(65536)
#define SW_TELL_MAX      65536     /* the last of them; what is longer goes up whole */
#define SW_TELL_RING     (4 << 20) /* bytes of all records that the daemon has not read yet; a power of two */

/* What became of copies, an element of map `tell_stats` (mmap-able) at row * SW_MAX_PORTS + port id. */
struct sw_tell_stats {
	__u64 told;    /* program rows: handed to the daemon */
	__u64 limited; /* program rows: not made, over the port's upcall limit */
	__u64 full;    /* program rows: not made, the ring had no room */
	__u64 stale;   /* the daemon's row: made, and no rule says any more that somebody is to be told */
};

/*
 * A mirror: a copy of some frames leaves by `port` too, of each or of one in `sample`. Of which, flows and the FDB say.
 * An element of map `mirrors` (mmap-able); port 0: there is no such mirror.
 */
struct sw_mirror {
	char name[SW_NAME_SIZE]; /* by which a restarted daemon knows it */
	__u16 port;              /* id */
	__u16 bridge;            /* id */
	__u32 sample;
	__u64 zero;
	__u16 pair[SW_MAX_PORTS]; /* by port id: the set of that port and the mirror's, id + 1; 0: there is none */
};

/* What became of a mirror's copies, an element of map `mirror_stats` (mmap-able) at row * SW_MAX_MIRRORS + id. */
struct sw_mirror_stats {
	__u64 sent;   /* program rows: asked of the kernel; the daemon's row: sent by it */
	__u64 handed; /* program rows: handed to the daemon, to be sent; with SW_TELL_ALL the first mirror's number says
		       */
	__u64 limited; /* program rows: not made, over the port's upcall limit */
	__u64 full;    /* program rows: not made, the ring had no room; the daemon's row: its port did not take it */
};

enum sw_upcall {
	SW_UPCALL_NONE,
	SW_UPCALL_MISS,   /* no entry in the cache */
	SW_UPCALL_ACTION, /* its flow's program is this alone: only the daemon can do it, and counts it for the rules */
	SW_UPCALL_FRAGS,  /* it lies in several buffers, which the kernel cannot clone, or the driver not take */
	SW_UPCALL_OVER_MTU, /* one of a broadcast's members cannot take it */
	SW_UPCALL_LEARN,    /* a source that the FDB does not have on this port, or has elsewhere */
	SW_UPCALL_NORMAL,   /* a flow's NORMAL step leads to an output that only the daemon can do */
	SW_UPCALL_REWRITE,  /* a flow's rewrite is not for this very frame: its TTL ends there, its headers lie too
			       deep, or its copies cannot be told what is to become of them */
	SW_UPCALL_BRANCH,   /* only the daemon can do what the branch of a fork says that it took */
};

/*
 * A frame that goes up from the tc hook: a record of ring `ups`. It lies in the smallest of SW_TELL_ROOMS that holds
 * it, as it was on the wire, or stands for frames that are to be parted. Its checksum may not be finished.
 */
struct sw_up {
	__u32 size;    /* of the frame */
	__u16 in_port; /* port id */
	__u8 reason;   /* enum sw_upcall */
	__u8 zero;
	__u32 slot;     /* of SW_UPCALL_ACTION: the flow slot; else 0 */
	__u16 gso_size; /* bytes of payload of each that it stands for; 0: of one */
	__u16 zero2;
	__u32 gso_type; /* SKB_GSO_*, include/linux/skbuff.h; 0: not known */
	__u32 ifindex;  /* of the device that it came in by: the port's id may be another's by now */
	__u8 bytes[];
};

#define SW_UP_MAX  65536     /* bytes of the longest */
#define SW_UP_RING (8 << 20) /* bytes of all records that the daemon has not read yet; a power of two */
/*
 * Of these one port's frames may take up this much, so that its storm leaves the others room. What they do is in map
 * `ups_held` (mmap-able), a __u32 by port id: the program adds, the daemon takes off.
 */
#define SW_UP_SHARE (SW_UP_RING / 8)

#define SW_META_MAGIC 0x73776d31 /* "swm1" */

/*
 * Stands just before a frame that went up, where the driver has room for metadata. Else the 16 bytes there are what
 * the daemon left: it clears the magic before it lends a buffer, so a frame without metadata reads as a plain miss.
 */
struct sw_meta {
	__u32 magic;
	__u32 reason;  /* enum sw_upcall */
	__u32 in_port; /* port id */
	__u32 slot;    /* of SW_UPCALL_ACTION: the flow slot; else 0 */
};

/*
 * Map `registry` (mmap-able, one element): what a restarted daemon needs to give everything its old name. The program
 * never reads it. A record is valid when its name is not empty; the name's first byte is written last.
 */
struct sw_registry_bridge {
	char name[SW_NAME_SIZE];
	__u32 steered; /* a controller has given it rules, which the next daemon will not have at first */
	__u32 zero;
};

#define SW_REG_CREATED     1  /* the daemon made this device and removes it with the port */
#define SW_REG_PROMISCUOUS 2  /* it found the device otherwise, and gives it back so: made promiscuous, */
#define SW_REG_RX_VLAN     4  /* rx-vlan offload switched off, */
#define SW_REG_LRO         8  /* LRO, */
#define SW_REG_GRO_HW      16 /* and hardware GRO */
#define SW_REG_LOAN        (SW_REG_PROMISCUOUS | SW_REG_RX_VLAN | SW_REG_LRO | SW_REG_GRO_HW)

struct sw_registry_port {
	char name[SW_NAME_SIZE];
	__u32 bridge; /* id */
	__u32 ifindex;
	__u32 flags;   /* SW_REG_* */
	__u32 of_port; /* its OpenFlow number on its bridge; 0: it had none */
};

struct sw_registry_set {
	__u32 n_members; /* 0: free */
	__u32 zero;
	__u64 member[SW_MAX_PORTS / 64]; /* bit map by port id */
};

struct sw_registry {
	__u32 abi_version;
	__u32 zero;
	struct sw_registry_bridge bridge[SW_MAX_BRIDGES];
	struct sw_registry_port port[SW_MAX_PORTS];
	struct sw_registry_set set[SW_MAX_SETS];
};

/*
 * The FDB: which port an address lives behind, for the program's NORMAL step. Map `fdb` (mmap-able) is buckets of one
 * cache line, map `fdb_times` (mmap-able) has what only the daemon asks, at the index of the cell: bucket *
 * SW_FDB_CELLS + cell. An address has a cell in one of two buckets (bpf/fdb.h). The daemon writes, but for `used`.
 *
 * A6 A cell's place is one aligned word. The cell is given to another key only after the key was zero, and the place
 * empty, for a grace period: who has found the key reads the place of that key or an empty one.
 */
#define SW_FDB_CELLS   4
#define SW_FDB_BUCKETS 32768 /* a power of two; twice the cells that SW_MAX_FDB needs, so that two choices suffice */

/* What becomes of a frame whose destination is this address, behind a port that it did not come in by. */
enum sw_fdb_out {
	SW_FDB_OUT_UPCALL,   /* only the daemon can send it there */
	SW_FDB_OUT_DROP,     /* for `drop` */
	SW_FDB_OUT_MIRRORED, /* it is sent as `form` says, and `mirror` has a copy */
	SW_FDB_OUT_AS_IS,    /* from here on it is sent; of VLAN 0: with the tag that it has, or none */
	SW_FDB_OUT_UNTAGGED,
	SW_FDB_OUT_TAGGED, /* with its VLAN */
};

#define SW_FDB_STATIC     1 /* its source may be seen on any port: nothing is learned from that */
#define SW_FDB_ONE_BUFFER 2 /* the driver of the port takes frames in one buffer only: others go up */

#define SW_FDB_MIRRORS SW_MAX_MIRRORS /* in sw_fdb_place.mirror */

union sw_fdb_place {
	__u64 word; /* 0: the cell is empty */
	struct {
		__u16 port;  /* id; never 0 in a cell that is not empty */
		__u8 bridge; /* id */
		__u8 flags;  /* SW_FDB_* */
		__u8 out;    /* enum sw_fdb_out */
		union {
			__u8 drop; /* enum sw_drop, of SW_FDB_OUT_DROP */
			__u8 form; /* enum sw_fdb_out from SW_FDB_OUT_AS_IS on, of SW_FDB_OUT_MIRRORED */
		};
		__u8 used;   /* the program stores 1 when the address was a source; the daemon clears it */
		__u8 mirror; /* id, of SW_FDB_OUT_MIRRORED; with SW_FDB_MIRRORS the first of several */
	};
};

struct sw_fdb_cell {
	__u64 key; /* sw_fdb_key(); 0: none */
	union sw_fdb_place place;
};

struct sw_fdb_bucket {
	struct sw_fdb_cell cell[SW_FDB_CELLS];
};

/*
 * The slot of the flow that a frame of this device hit last, where rules look beyond layer 2: few and wide flows are
 * the rule there, and a hash of the whole key costs more than to look at one of them. Written by the program alone;
 * only a guess. A cache line each, for two CPUs may write two of them.
 */
#define SW_GUESSES 256 /* by ifindex; a power of two */
struct sw_guess {
	__u32 slot;
	__u32 zero[15];
};

/* A port as what leaves by it from the tc hook must know it (bpf/out_tc.h), by port id. */
#define SW_OUT_PEER 1 /* a veth whose other end is in another network namespace, and may be given frames directly */
#define SW_OUT_VETH 2 /* a veth */

struct sw_out {
	__u32 flags; /* SW_OUT_* */
};

/* The one element of map `core` (mmap-able): what every frame asks for. Config first, for who reads its version. */
struct sw_core {
	struct sw_config config;
	struct sw_guess guess[SW_GUESSES];
	struct sw_fdb_bucket fdb[SW_FDB_BUCKETS];
	struct sw_out outs[SW_MAX_PORTS];
};

struct sw_fdb_times {
	__u64 used_ns;    /* CLOCK_BOOTTIME of when a frame from it was last known to have come */
	__u64 learned_ns; /* CLOCK_BOOTTIME of when it was learned here */
};

_Static_assert(sizeof(struct sw_key) == SW_KEY_WORDS * 8, "the key has padding");
_Static_assert(sizeof(struct sw_step) == 4, "a step is half a word");
_Static_assert(sizeof(struct sw_edit) == 24, "an edit is as large as an action");
_Static_assert(sizeof(struct sw_patch) == 64, "a patch is a cache line");
_Static_assert(sizeof(struct sw_rewrite) == 512, "a rewrite begins a cache line");
_Static_assert(__builtin_offsetof(struct sw_rewrite, patch) == 64, "a patch begins a cache line");
_Static_assert(sizeof(struct sw_row) % 64 == 0, "a row ends with a cache line");
_Static_assert(sizeof(struct sw_deep_note) == 64, "a deep note is a cache line");
_Static_assert(sizeof(struct sw_meter) == 192, "a meter is three cache lines");
_Static_assert(sizeof(struct sw_copies) == 8 + sizeof(struct sw_rewrite) + 2 * SW_MAX_PORTS, "copies have padding");
_Static_assert(sizeof(struct sw_mark) == 32, "the most that Linux 6.1 takes as metadata");
_Static_assert(sizeof(struct sw_flow) == 128, "a flow slot is a pair of cache lines");
_Static_assert(__builtin_offsetof(struct sw_flow, key.w[SW_L2_WORDS]) <= 64, "layer 2 and the steps: one cache line");
_Static_assert(sizeof(struct sw_fork) == (1 + SW_MAX_BRANCHES) * 128, "a fork's branches are pairs of cache lines");
_Static_assert(sizeof(struct sw_bucket) == 64, "a bucket is a cache line");
_Static_assert(sizeof(struct sw_port_stats) == 64, "port counters are a cache line");
_Static_assert(sizeof(struct sw_lookup_stats) == 64, "lookup counters are a cache line");
_Static_assert(sizeof(struct sw_up) == 24, "a frame that goes up begins behind three words");
_Static_assert(sizeof(struct sw_told) == 16, "a told frame begins behind two words");
_Static_assert(sizeof(struct sw_mirror) == 32 + 2 * SW_MAX_PORTS, "a mirror has padding");
_Static_assert(sizeof(struct sw_mirror_stats) == 32, "two to a cache line");
_Static_assert(sizeof(struct sw_tell_stats) == 32, "two to a cache line");
_Static_assert(sizeof(struct sw_meta) == 16, "metadata is a multiple of four, at most 32");
_Static_assert(sizeof(struct sw_fdb_bucket) == 64, "an FDB bucket is a cache line");
_Static_assert(SW_N_DROPS <= SW_DROP_SLOTS, "more drop reasons than counters");

#endif
