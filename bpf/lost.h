/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * lost.h - names the frames that the kernel drops after our program has returned (design D1).
 *
 * A redirect is only a wish. What becomes of it shows at tracepoints, and these programs sit on them: they are links in
 * the same object, pinned as the others are, and so go on counting while no daemon runs. They see every XDP redirect of
 * the machine and take those that came in by one of our ports, in our namespace.
 *
 *	xdp_redirect_err	the redirect was refused: device down, frame over its MTU, XSK ring full, ...
 *	xdp_devmap_xmit		the driver did not take all frames of a bulk
 *	xdp_exception		generic mode: the driver did not take the frame (act XDP_TX, which our program never
 *				returns)
 *	xdp_cpumap_enqueue	a CPU's queue did not take all frames of a bulk (bpf/spread.h)
 *
 * tx_frames was counted when the redirect was asked for and is corrected here; a length is not to be had, so tx_bytes
 * holds what was handed over. Of a broadcast that ran out of memory while it was cloned all copies count as lost, none
 * is taken off tx_frames: which of them were made cannot be told. A queue tells no device: the port is the one whose
 *frame was put into it last by this CPU. A bulk is of one NAPI poll, and so of one port, but where a worker's batch
 *sends up frames of several: then the one that came last is named for all.
 */
#ifndef SW_LOST_H
#define SW_LOST_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include <linux/errno.h>
#include "egress.h"
#include "kernel.h"
#include "maps.h"

/* The port that a device is, if it is one of ours. */
SW_INLINE struct sw_port *lost_port(const struct net_device *dev)
{
	const struct sw_config *cfg = config_get();

	if (!dev || !cfg || dev->nd_net.net->ns.inum != cfg->netns_inum)
		return 0;
	return port_get(dev->ifindex);
}

/* Of the broadcast that this CPU has just asked for. */
SW_INLINE __u32 lost_copies(void)
{
	struct sw_scratch *s = scratch_get();

	return s ? s->n_copies : 1;
}

SW_INLINE void lost_untransmit(__u32 cpu, __u32 port_id, __u32 n_frames)
{
	struct sw_port_stats *stats = port_stats_get(cpu, port_id % SW_MAX_PORTS);

	if (stats)
		stats->tx_frames -= n_frames;
}

/* Redirect to a port, by id, from tx_ports. */
SW_INLINE void lost_unicast(__u32 cpu, __u32 port_id, int err)
{
	enum sw_drop reason = SW_DROP_REDIRECT;

	if (err == -EMSGSIZE)
		reason = SW_DROP_OVER_MTU;
	else if (err == -ENETDOWN)
		reason = SW_DROP_PORT_DOWN;
	else if (err == -EOPNOTSUPP)
		reason = SW_DROP_XMIT; /* the device has no way to send XDP frames (now) */
	drop_count(cpu, port_id, reason, 1);
	lost_untransmit(cpu, port_id, 1);
}

/* What went up is then exactly what the sockets' rings took, and what of that no daemon came to read is known. */
SW_INLINE void lost_upcall(__u32 cpu, __u32 port_id, int err)
{
	struct sw_port_stats *stats = port_stats_get(cpu, port_id % SW_MAX_PORTS);
	enum sw_drop reason = SW_DROP_UPCALL_FULL;

	if (err == -ENXIO)
		reason = SW_DROP_NO_DAEMON; /* the socket is being closed */
	else if (err == -EINVAL)
		reason = SW_DROP_REDIRECT; /* a socket of another device or queue */
	drop_count(cpu, port_id, reason, 1);
	if (stats)
		stats->upcalls--;
}

/* A full queue that was given a single frame, in generic mode, has told of it already: see sw_lost_queue. */
SW_INLINE void lost_to_queue(__u32 cpu, __u32 port_id, int err, __u32 map_id)
{
	if (err == -ENOSPC)
		return;
	if (map_id == config_get()->collectors_id)
		lost_upcall(cpu, port_id, -EINVAL);
	else
		drop_count(cpu, port_id, SW_DROP_REDIRECT, 1);
}

SEC("tp_btf/xdp_redirect_err")
int BPF_PROG(sw_lost_redirect, const struct net_device *dev, const void *xdp, const void *target, int err, int map_type,
	__u32 map_id, __u32 index)
{
	struct sw_port *port = lost_port(dev);
	__u32 cpu = bpf_get_smp_processor_id();

	if (!port)
		return 0;
	if (map_type == BPF_MAP_TYPE_DEVMAP)
		lost_unicast(cpu, index, err);
	else if (map_type == BPF_MAP_TYPE_XSKMAP)
		lost_upcall(cpu, port->id, err);
	else if (map_type == BPF_MAP_TYPE_CPUMAP)
		lost_to_queue(cpu, port->id, err, map_id);
	else
		drop_count(cpu, port->id, SW_DROP_REDIRECT, lost_copies());
	return 0;
}

SEC("tp_btf/xdp_devmap_xmit")
int BPF_PROG(sw_lost_xmit, const struct net_device *from, const struct net_device *to, int sent, int n_drops, int err)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct sw_port *port;

	n_drops -= egress_forgiven();
	if (n_drops <= 0 || !lost_port(from))
		return 0;
	port = lost_port(to);
	drop_count(cpu, port ? port->id : 0, SW_DROP_XMIT, n_drops); /* 0: the port has just been removed */
	if (port)
		lost_untransmit(cpu, port->id, n_drops);
	return 0;
}

SEC("tp_btf/xdp_cpumap_enqueue")
int BPF_PROG(sw_lost_queue, int map_id, unsigned int queued, unsigned int n_drops, int to_cpu)
{
	const struct sw_config *cfg = config_get();
	__u32 cpu = bpf_get_smp_processor_id(), id = map_id;
	struct sw_scratch *s = scratch_get();
	struct sw_port_stats *stats;

	if (!n_drops || !cfg || !s || (id != cfg->workers_id && id != cfg->collectors_id))
		return 0;
	if (id == cfg->workers_id) {
		drop_count(cpu, s->queued_port, SW_DROP_CPU_FULL, n_drops);
		return 0;
	}
	drop_count(cpu, s->queued_port, SW_DROP_UPCALL_FULL, n_drops);
	stats = port_stats_get(cpu, s->queued_port % SW_MAX_PORTS);
	if (stats)
		stats->upcalls -= n_drops;
	return 0;
}

SEC("tp_btf/xdp_exception")
int BPF_PROG(sw_lost_generic, const struct net_device *dev, const void *xdp, __u32 verdict)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct sw_port *port;

	if (verdict != XDP_TX)
		return 0;
	port = lost_port(dev);
	if (!port)
		return 0;
	drop_count(cpu, port->id, SW_DROP_XMIT, 1);
	lost_untransmit(cpu, port->id, 1);
	return 0;
}

#endif
