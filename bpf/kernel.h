/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* kernel.h - what we need of the kernel's own structs, relocated at load (CO-RE). */
#ifndef SW_KERNEL_H
#define SW_KERNEL_H

#include <linux/types.h>
#include <bpf/bpf_core_read.h>

struct bpf_prog;

struct ns_common {
	unsigned int inum;
} __attribute__((preserve_access_index));

struct net {
	struct ns_common ns;
} __attribute__((preserve_access_index));

typedef struct {
	struct net *net;
} __attribute__((preserve_access_index)) possible_net_t;

struct bpf_xdp_entity {
	struct bpf_prog *prog;
} __attribute__((preserve_access_index));

struct net_device {
	int ifindex;
	unsigned long state;
	unsigned int flags;
	unsigned int mtu;
	unsigned short hard_header_len;
	__u32 xdp_features; /* since Linux 6.3 */
	possible_net_t nd_net;
	const unsigned char *dev_addr;
	struct bpf_xdp_entity xdp_state[3]; /* by enum bpf_xdp_mode */
} __attribute__((preserve_access_index));

/* Any six bytes that are read through bpf_rdonly_cast(). */
struct ethhdr {
	unsigned char h_dest[6];
} __attribute__((preserve_access_index));

struct hlist_node {
	struct hlist_node *next;
} __attribute__((preserve_access_index));

struct hlist_head {
	struct hlist_node *first;
} __attribute__((preserve_access_index));

/* An element of a device map, and the map. */
struct bpf_dtab_netdev {
	struct hlist_node index_hlist;
	struct net_device *dev;
	struct bpf_prog *xdp_prog;
	unsigned int idx; /* its key */
} __attribute__((preserve_access_index));

struct bpf_dtab {
	struct bpf_dtab_netdev **netdev_map; /* of a DEVMAP */
	struct hlist_head *dev_index_head;   /* of a DEVMAP_HASH */
	__u32 n_buckets;
} __attribute__((preserve_access_index));

/* Since Linux 6.2: reads through what it returns cost a load each, and read 0 where nothing is. */
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym __weak;

#endif
