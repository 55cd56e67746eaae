/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * maps.h - the program's maps, and the counters in them.
 *
 * Sizes written here as 1 are set by the loader before it loads (bpf_map__set_max_entries), because they depend on the
 * number of CPUs and on the configuration:
 *	flows		n_flows			rows		n_rows
 *	buckets		n_buckets		emc		possible CPUs * SW_EMC_SIZE
 *	sieves		2, of sw_sieve_bytes(n_flows)
 *	drops		n_rows * SW_MAX_PORTS * SW_DROP_SLOTS	tell_stats	n_rows * SW_MAX_PORTS
 *	mirror_stats	n_rows * SW_MAX_MIRRORS
 *	stopped		n_flows			band_stats	n_rows * SW_MAX_METERS * SW_METER_BANDS
 *	fork_stats	n_rows * SW_MAX_FORKS * SW_MAX_BRANCHES	lookup_stats	n_rows
 *	workers		possible CPUs		collectors	possible CPUs
 * Every element is reached through bpf_map_lookup_elem, which the kernel inlines for arrays and which checks the index,
 * so no number of elements is trusted. What has a fixed size and is asked of every frame is a global variable instead,
 * which takes neither the call's instructions nor the check. A counter that is out of reach is not counted and the
 * frame goes on.
 *
 * Counters are plain additions: a row belongs to one CPU, and the program runs there with bottom halves disabled, also
 * where a thread of a CPUMAP runs it. Only `stopped` has no rows.
 */
#ifndef SW_MAPS_H
#define SW_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "abi.h"
#include "extract.h"
#include "fdb.h"
#include "lookup.h"

/* In map .bss, which is mmap-able as the others are. */
struct sw_core core;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sw_flow);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sw_bucket);
} buckets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u64));
} sieves SEC(".maps");

/* For offsets of words of a table of it, likewise by the loader (see flow_stats_mask). */
const volatile __u32 sieve_mask = 0;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} emc SEC(".maps");

/* The value's size is sizeof(struct sw_row) and n_flows struct sw_flow_stats behind it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32)); /* row */
	__uint(value_size, sizeof(struct sw_row) + sizeof(struct sw_flow_stats));
} rows SEC(".maps");

/*
 * (n_flows - 1) * sizeof(struct sw_flow_stats), by the loader: a constant to the verifier, which so sees that a slot's
 * counters lie in the row.
 */
const volatile __u32 flow_stats_mask = 0;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} drops SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sw_lookup_stats);
} lookup_stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SW_MAX_PORTS);
	__type(key, __u32); /* ifindex */
	__type(value, struct sw_port);
} ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SW_MAX_PORTS);
	__type(key, __u32); /* port id */
	__type(value, struct sw_miss_bucket);
} miss_buckets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SW_MAX_SETS);
	__type(key, __u32); /* set id */
	__type(value, struct sw_set_info);
} set_info SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SW_MAX_REWRITES);
	__type(key, __u32); /* rewrite id */
	__type(value, struct sw_rewrite);
} rewrites SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SW_MAX_METERS);
	__type(key, __u32); /* meter slot */
	__type(value, struct sw_meter);
} meters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sw_flow_stats);
} band_stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sw_flow_stats);
} stopped SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SW_MAX_FORKS);
	__type(key, __u32); /* fork id */
	__type(value, struct sw_fork);
} forks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SW_MAX_FORKS);
	__type(key, __u32); /* fork id */
	__type(value, struct sw_fork_slots);
} fork_slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sw_flow_stats);
} fork_stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SW_MAX_COPIES);
	__type(key, __u32); /* copies id */
	__type(value, struct sw_copies);
} copies SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, SW_TELL_RING);
} tolds SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, SW_UP_RING);
} ups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32) * SW_MAX_PORTS);
} ups_held SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sw_tell_stats);
} tell_stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SW_MAX_MIRRORS);
	__type(key, __u32); /* mirror id */
	__type(value, struct sw_mirror);
} mirrors SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sw_mirror_stats);
} mirror_stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sw_registry);
} registry SEC(".maps");

/* The program never reads it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SW_FDB_BUCKETS *SW_FDB_CELLS);
	__type(key, __u32);
	__type(value, struct sw_fdb_times);
} fdb_times SEC(".maps");

/*
 * One frame to one port. Values are struct bpf_devmap_val, without a program but where the port is followed: those
 * carry sw_egress_one (bpf/egress.h says why).
 */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, SW_MAX_PORTS);
	__type(key, __u32); /* port id */
	__type(value, struct bpf_devmap_val);
} tx_ports SEC(".maps");

/*
 * The members of a set. Values of ports that are followed carry sw_egress. The kernel walks every hash bucket on each
 * broadcast, so the daemon makes each set's map as small as its membership.
 */
struct sw_set {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(max_entries, 16);
	__uint(key_size, sizeof(__u32));                   /* port id */
	__uint(value_size, sizeof(struct bpf_devmap_val)); /* no __type: of an inner map clang 14 may only name it */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, SW_MAX_SETS);
	__type(key, __u32); /* set id */
	__array(values, struct sw_set);
} sets SEC(".maps");

/* tx_ports once more, as an element: for programs that may not name it (bpf/out_tc.h). */
struct sw_tx {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, SW_MAX_PORTS);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct bpf_devmap_val));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct sw_tx);
} outs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, SW_MAX_XSKS);
	__type(key, __u32);
	__type(value, __u32);
} xsks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SW_MAX_PORTS);
	__type(key, __u32); /* ifindex */
	__type(value, struct sw_spread);
} spreads SEC(".maps");

/* Queues of frames, each with a thread of the kernel that runs sw_worker on them, or sw_collector. */
struct {
	__uint(type, BPF_MAP_TYPE_CPUMAP);
	__uint(max_entries, 1);
	__type(key, __u32); /* CPU */
	__type(value, struct bpf_cpumap_val);
} workers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_CPUMAP);
	__uint(max_entries, 1);
	__type(key, __u32); /* CPU */
	__type(value, struct bpf_cpumap_val);
} collectors SEC(".maps");

#define SW_SCRATCH_CHUNK 512 /* what bpf_csum_diff takes at once */

/* A frame on the long way. */
struct frame {
	__u32 size; /* all buffers; follows what the rewrites do */
	__u32 cpu;
	__u32 in_port;  /* id; 0 until known */
	__u32 slot;     /* of the flow that matched, for an upcall that its steps ask for */
	__u64 dst, src; /* words 1 and 2 of its key; known once a flow matched */
	__u32 tci;      /* host order, as vlan_tci_be in the key; likewise */
	__u16 meter;    /* slot of the meter that it is still to pass; 0: none */
	__u8 levels;    /* by so many its drop precedence is still to be raised */
	__u8 uncounted; /* its flow has not counted it yet: where depends on its meter */
	__u32 branch;   /* of `fork_stats` the element that counted it, plus 1; 0: none */
	__u32 tells;    /* who else is to get a copy, as SW_OP_TELL says; 0: nobody */
	__u32 pair;     /* set by which it leaves, and a mirror's copy of it, plus 1; 0: it leaves by itself */
#define FRAME_PAIR_LATER 0xffffffff /* of the frame as it leaves: not known before */
};

/* Where the headers of a frame lie that is being rewritten; see bpf/rewrite.h. */
struct sw_layers {
	__u32 l3; /* offset behind the EtherType; 0: not looked for yet */
	__u32 l4; /* offset; 0: none */
	__u32 l4_size;
	__u32 version; /* of the IP header, which is whole: 4, 6, or 0 */
	__u32 ip_proto;
	__be16 eth_type_be; /* behind one tag, as it stands there */
	__u8 is_tagged;
	__u8 is_later; /* fragment: it has no layer-4 header */
	__s32 moved;   /* bytes by which the frame begins earlier than when it came */
};

/* What bpf/copies.h must know of a frame that is broadcast, to count its copies; how many are to arrive: `n_copies`. */
struct sw_account {
	__u32 vid;    /* of its tag; 0: none */
	__u32 n_lost; /* will not be made */
	__u32 differ; /* they are rewritten, and counted, at egress; and may go back where it came from */
	__u32 is_generic, is_broken; /* it came in generic mode; and met a member that does not take it */
	__u32 n_at_once;             /* hash buckets of the set that are walked */
	__u32 bucket, n_left;        /* the one that is next; how many are left */
	__u32 tci, is_bare;          /* at tc: what its tag is, and that it is taken off for the moment */
};

/*
 * Where a CPU puts what does not fit on the stack; and what the verifier had better not follow: of a variable on the
 * stack it knows the value and walks a loop anew for each that there can be, of one in a map it knows nothing.
 */
struct sw_scratch {
	struct frame frame;
	struct sw_account account;
	__u8 bytes[SW_SCRATCH_CHUNK + 8];
	struct sw_key key;
	struct sw_headers headers;
	struct sw_layers layers;
	__u32 came_size;     /* of the frame whose front is in `bytes`, see SW_LOOK_UNDO */
	__u32 n_copies;      /* of the broadcast asked for last, if all are to arrive (bpf/copies.h) */
	__u32 n_copies_lost; /* of the bulk at hand, by egress.h */
	__u32 queued_port;   /* id of the one whose frame was put into a queue of `workers` or `collectors` last */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sw_scratch);
} scratch SEC(".maps");

SW_INLINE const struct sw_bucket *sw_mem_bucket(const void *mem, __u32 index)
{
	return bpf_map_lookup_elem(&buckets, &index);
}

SW_INLINE const struct sw_flow *sw_mem_flow(const void *mem, __u32 slot)
{
	return bpf_map_lookup_elem(&flows, &slot);
}

SW_INLINE __u64 *sw_mem_hint(const void *mem, __u32 cpu, __u32 index)
{
	index += cpu * SW_EMC_SIZE;
	return bpf_map_lookup_elem(&emc, &index);
}

SW_INLINE const void *sw_mem_sieve(const void *mem, __u32 table)
{
	return bpf_map_lookup_elem(&sieves, &table);
}

SW_INLINE __u64 sw_mem_sieve_word(const void *mem, const void *table, __u32 offset)
{
	return *(const volatile __u64 *)(table + (offset & sieve_mask));
}

SW_INLINE struct sw_guess *guess_get(__u32 in_ifindex)
{
	return &core.guess[in_ifindex & (SW_GUESSES - 1)];
}

/* Keeps the compiler from computing the address anew from its parts. */
#define sw_once(pointer) __asm__("" : "+r"(pointer))

SW_INLINE struct sw_row *row_get(__u32 cpu)
{
	return bpf_map_lookup_elem(&rows, &cpu);
}

SW_INLINE struct sw_row *sw_mem_row(const void *mem, __u32 cpu)
{
	return row_get(cpu);
}

SW_INLINE __u32 *sw_mem_guess(const void *mem, __u32 in_ifindex)
{
	return &guess_get(in_ifindex)->slot;
}

/* By offset in bytes, which is taken for one below 65,536. */
SW_INLINE struct sw_port_stats *row_port_at(struct sw_row *row, __u32 offset)
{
	struct sw_port_stats *stats = (void *)row->ports + (offset & 0xffff);

	sw_once(stats);
	return stats;
}

/* Likewise, for one of a slot. */
SW_INLINE struct sw_flow_stats *row_flow_at(struct sw_row *row, __u32 offset)
{
	struct sw_flow_stats *stats = (void *)(row + 1) + (offset & flow_stats_mask);

	sw_once(stats);
	return stats;
}

SW_INLINE const struct sw_fdb_bucket *sw_mem_fdb(const void *mem, __u32 index)
{
	return &core.fdb[index & (SW_FDB_BUCKETS - 1)];
}

SW_INLINE const struct sw_config *config_get(void)
{
	return &core.config;
}

/* A global function is verified once, not for each mask of the loop that calls it. */
__attribute__((noinline)) int lookup_mask(const struct sw_key *key, __u32 depth, __u32 mask_id)
{
	const struct sw_config *cfg = config_get();

	if (!key || !cfg)
		return 0;
	return sw_lookup_mask_slot(0, cfg, key, depth, mask_id);
}

SW_INLINE __u32 sw_mem_lookup_mask(
	const void *mem, const struct sw_config *cfg, const struct sw_key *key, __u32 depth, __u32 mask_id)
{
	return lookup_mask(key, depth, mask_id);
}

/* Likewise, and its stack is not below that of lookup_mask(). */
__attribute__((noinline)) __u64 sift(const struct sw_key *key, __u32 depth, __u32 first)
{
	const struct sw_config *cfg = config_get();

	return key && cfg ? sw_sift(0, cfg, key, depth, first) : 0;
}

SW_INLINE __u64 sw_mem_sift(
	const void *mem, const struct sw_config *cfg, const struct sw_key *key, __u32 depth, __u32 first)
{
	return sift(key, depth, first);
}

SW_INLINE struct sw_scratch *scratch_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&scratch, &zero);
}

/*
 * The same number, 1 .. limit (a power of two) already, in a form in which any verifier sees that it is: Linux 6.1 does
 * not carry what a comparison says of a register to a 32-bit copy of it, nor take 0 away where a number is not 0.
 */
SW_INLINE __u32 bounded_size(__u32 size, __u32 limit)
{
	__asm__("" : "+r"(size));
	return ((size - 1) & (limit - 1)) + 1;
}

SW_INLINE struct sw_port *port_get(__u32 ifindex)
{
	return bpf_map_lookup_elem(&ports, &ifindex);
}

SW_INLINE struct sw_port_stats *port_stats_get(__u32 cpu, __u32 port_id)
{
	struct sw_row *row = row_get(cpu);

	return row ? row_port_at(row, port_id * sizeof(struct sw_port_stats)) : 0;
}

/* Counts a search through masks. */
SW_INLINE void walk_count(__u32 cpu, const struct sw_hit *hit, int found)
{
	struct sw_lookup_stats *stats = bpf_map_lookup_elem(&lookup_stats, &cpu);

	if (!stats)
		return;
	stats->walks++;
	stats->found += found;
	stats->probes += hit->n_probes;
	stats->looks += hit->n_looks;
}

/* Counts a drop with its culprit: a port id, or 0. */
SW_INLINE void drop_count(__u32 cpu, __u32 port_id, __u32 reason, __u64 n_frames)
{
	__u32 index = (cpu * SW_MAX_PORTS + port_id % SW_MAX_PORTS) * SW_DROP_SLOTS + reason % SW_DROP_SLOTS;
	__u64 *count = bpf_map_lookup_elem(&drops, &index);

	if (count)
		*count += n_frames;
}

#endif
