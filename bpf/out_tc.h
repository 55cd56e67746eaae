/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * out_tc.h - an skb's way out by a port; see out.h.
 *
 * A redirect at tc is a wish as at XDP, but one that fails leaves no trace: the kernel frees the skb and tells nobody.
 * So what it will ask is asked here before, of the devices themselves: whether the device is there, up, and has a link,
 * which for a veth says that its other end is up, too; and whether the frame is not too long for it, or that end.
 *
 * What is lost behind that is not named, for nobody tells: it is counted as sent here, and as dropped by the device
 * alone (TX dropped of `ip -s link`). Of copies a driver's answer is seen, where no queueing discipline is in between.
 *
 *	a tap's ring is full, for its reader does not keep up
 *	a veth's receiver is, where the frame went by the backlog (net.core.netdev_max_backlog), not directly
 *	a queueing discipline of the device drops it (`tc -s qdisc`)
 *	a guest's GSO frame whose headers do not hold what they promise is not parted
 *
 * Devices are looked up where the XDP side has them, in tx_ports, from which the kernel takes one away when it goes.
 * tc programs may not name a device map, but may look into one that is an element of another map (`outs`).
 *
 * A veth whose other end lies in another network namespace, as a container's does, is left out of the way: the skb is
 * given to that end as if it had just come through (bpf_redirect_peer()), without a queue in between. Of whom that may
 * be done the daemon says (SW_OUT_PEER). What it cannot vouch for is asked of each frame:
 *
 *	whether the other end is still in another namespace	the kernel drops what is for one in ours
 *	whether it still has no XDP program			that would not see the frame
 *	whether the frame is for the other end's own address	it arrives as one that is (PACKET_HOST), as nobody looks
 *								a second time: a router behind it would send on what is
 *								for somebody else, and answer what is for all
 */
#ifndef SW_OUT_TC_H
#define SW_OUT_TC_H

#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <bpf/bpf_helpers.h>
#include "device.h"
#include "frame.h"
#include "maps.h"

SW_INLINE struct net_device *out_device(__u32 port_id)
{
	__u32 zero = 0;
	const struct bpf_dtab *all = bpf_map_lookup_elem(&outs, &zero);

	return all ? device_in(all, port_id & (SW_MAX_PORTS - 1)) : 0;
}

SW_INLINE __u32 out_flags(__u32 port_id)
{
	return sw_read(core.outs[port_id & (SW_MAX_PORTS - 1)].flags);
}

/* Of a veth the other end has its own limit. */
SW_INLINE __u32 out_room(struct net_device *device, __u32 flags)
{
	struct net_device *peer = flags & SW_OUT_VETH ? device_peer(device) : 0;
	__u32 room = device_room(device), peer_room = peer ? device_room(peer) : room;

	return peer_room < room ? peer_room : room;
}

/* Whether each of the frames that it stands for is short enough. */
SW_INLINE int out_fits(hook_ctx *ctx, __u32 ifindex)
{
	__u32 mtu = 0;

	return frame_is_gso(ctx) && !bpf_check_mtu(ctx, ifindex, &mtu, 0, BPF_MTU_CHK_SEGS);
}

/* Whether it may be given to this veth's other end directly. */
SW_INLINE int out_passes(hook_ctx *ctx, struct net_device *device)
{
	const struct sw_wire_eth *eth = sw_at(frame_data(ctx), frame_end(ctx), 0, sizeof(*eth));
	struct net_device *peer = device_peer(device);

	return eth && peer && device_net(peer) != device_net(device) && !device_has_program(peer) &&
	       device_has_address(peer, eth);
}

/* It is marked as the other end's own: before Linux 6.14 the kernel leaves it what it was for ours. */
static __attribute__((noinline)) int out_pass(hook_ctx *ctx, __u32 ifindex)
{
	if (ctx->pkt_type != PACKET_HOST)
		bpf_skb_change_type(ctx, PACKET_HOST);
	return bpf_redirect_peer(ifindex, 0);
}

SW_INLINE int out_send(hook_ctx *ctx, __u32 port_id, __u32 size)
{
	struct net_device *device = out_device(port_id);
	__u32 flags = out_flags(port_id), ifindex;

	if (!device || !device_is_up(device))
		return -SW_DROP_PORT_DOWN;
	ifindex = device_ifindex(device);
	if (size > out_room(device, flags) && !out_fits(ctx, ifindex))
		return -SW_DROP_OVER_MTU;
	if (flags & SW_OUT_PEER && out_passes(ctx, device))
		return out_pass(ctx, ifindex);
	return bpf_redirect(ifindex, 0);
}

SW_INLINE enum sw_drop out_refusal(int answer)
{
	return answer < 0 ? -answer : SW_DROP_REDIRECT;
}

SW_INLINE int out_is_there(__u32 port_id)
{
	return out_device(port_id) != 0;
}

#endif
