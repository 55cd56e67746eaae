/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* device.h - what the kernel knows of a device that was found in a device map. */
#ifndef SW_DEVICE_H
#define SW_DEVICE_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "extract.h"
#include "kernel.h"

#define DEVICE_UP         1 /* IFF_UP, include/uapi/linux/if.h */
#define DEVICE_TAG_ROOM   4
#define DEVICE_XDP_NATIVE 1 /* XDP_MODE_DRV of enum bpf_xdp_mode, include/linux/netdevice.h */
#define DEVICE_NO_CARRIER 4 /* 1 << __LINK_STATE_NOCARRIER, include/linux/netdevice.h */

SW_INLINE __u32 device_ifindex(struct net_device *dev)
{
	if (!bpf_rdonly_cast)
		return BPF_CORE_READ(dev, ifindex);
	dev = bpf_rdonly_cast(dev, bpf_core_type_id_kernel(struct net_device));
	return dev->ifindex;
}

/* Its administrator has set it up, and it has a link. */
SW_INLINE int device_is_up(struct net_device *dev)
{
	if (!bpf_rdonly_cast)
		return BPF_CORE_READ(dev, flags) & DEVICE_UP && !(BPF_CORE_READ(dev, state) & DEVICE_NO_CARRIER);
	dev = bpf_rdonly_cast(dev, bpf_core_type_id_kernel(struct net_device));
	return dev->flags & DEVICE_UP && !(dev->state & DEVICE_NO_CARRIER);
}

/* Bytes of the longest frame that it takes: a tag more than its MTU (is_skb_forwardable()). */
SW_INLINE __u32 device_room(struct net_device *dev)
{
	if (!bpf_rdonly_cast)
		return BPF_CORE_READ(dev, mtu) + BPF_CORE_READ(dev, hard_header_len) + DEVICE_TAG_ROOM;
	dev = bpf_rdonly_cast(dev, bpf_core_type_id_kernel(struct net_device));
	return dev->mtu + dev->hard_header_len + DEVICE_TAG_ROOM;
}

SW_INLINE struct net *device_net(struct net_device *dev)
{
	if (!bpf_rdonly_cast)
		return BPF_CORE_READ(dev, nd_net.net);
	dev = bpf_rdonly_cast(dev, bpf_core_type_id_kernel(struct net_device));
	return dev->nd_net.net;
}

/*
 * The other end of a veth; null: there is none any more. A driver's own struct stands behind a device's, from the next
 * multiple of 32 bytes on (netdev_priv()), and veth's begins with the other end.
 */
SW_INLINE struct net_device *device_peer(struct net_device *dev)
{
	struct hlist_head *own = (void *)dev + ((bpf_core_type_size(struct net_device) + 31) & ~31UL);

	if (!bpf_rdonly_cast)
		return (void *)BPF_CORE_READ(own, first);
	own = bpf_rdonly_cast(own, bpf_core_type_id_kernel(struct hlist_head));
	return (void *)own->first;
}

/* At the driver's XDP hook; the generic one sees frames however they come. */
SW_INLINE int device_has_program(struct net_device *dev)
{
	if (!bpf_rdonly_cast)
		return BPF_CORE_READ(dev, xdp_state[DEVICE_XDP_NATIVE].prog) != 0;
	dev = bpf_rdonly_cast(dev, bpf_core_type_id_kernel(struct net_device));
	return dev->xdp_state[DEVICE_XDP_NATIVE].prog != 0;
}

/* Whether this is the device's own address. */
SW_INLINE int device_has_address(struct net_device *dev, const struct sw_wire_eth *eth)
{
	__u32 is[2] = {}, wanted[2] = {};
	const __u32 *address;

	__builtin_memcpy(wanted, eth->dst, sizeof(eth->dst));
	if (!bpf_rdonly_cast) {
		bpf_probe_read_kernel(is, sizeof(eth->dst), BPF_CORE_READ(dev, dev_addr));
	} else {
		dev = bpf_rdonly_cast(dev, bpf_core_type_id_kernel(struct net_device));
		address = bpf_rdonly_cast(dev->dev_addr, bpf_core_type_id_kernel(struct ethhdr));
		is[0] = address[0];
		is[1] = *(const __u16 *)(address + 1);
	}
	return is[0] == wanted[0] && is[1] == wanted[1];
}

/* The device at `index` of a DEVMAP, which is below its size; null: none is there. */
SW_INLINE struct net_device *device_in(const struct bpf_dtab *map, __u32 index)
{
	struct bpf_dtab_netdev *element;
	struct hlist_head *slot = (void *)map->netdev_map;

	slot += index; /* any pointer to a struct of one pointer: what is there is no list */
	if (!bpf_rdonly_cast) {
		element = (void *)BPF_CORE_READ(slot, first);
		return element ? BPF_CORE_READ(element, dev) : 0;
	}
	slot = bpf_rdonly_cast(slot, bpf_core_type_id_kernel(struct hlist_head));
	element = (void *)slot->first;
	if (!element)
		return 0;
	element = bpf_rdonly_cast(element, bpf_core_type_id_kernel(struct bpf_dtab_netdev));
	return element->dev;
}

#endif
