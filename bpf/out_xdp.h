/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* out_xdp.h - a frame's way out by a port, through the device map; see out.h. */
#ifndef SW_OUT_XDP_H
#define SW_OUT_XDP_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "frame.h"
#include "maps.h"

SW_INLINE int out_send(hook_ctx *ctx, __u32 port_id, __u32 size)
{
	return bpf_redirect_map(&tx_ports, port_id, VERDICT_DROP);
}

/* What the driver or its MTU refuses later the tracepoints tell (lost.h). */
SW_INLINE enum sw_drop out_refusal(int answer)
{
	return SW_DROP_PORT_DOWN;
}

SW_INLINE int out_is_there(__u32 port_id)
{
	return bpf_map_lookup_elem(&tx_ports, &port_id) != 0;
}

#endif
