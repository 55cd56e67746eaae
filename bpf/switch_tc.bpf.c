// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * switch_tc.bpf.c - the fast path at a device's tc ingress (hook.h), on the maps of switch.bpf.c.
 */
#define SW_HOOK_TC
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "fast_path.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("tc")
int sw_ingress_tc(struct __sk_buff *ctx)
{
	return fast_path(ctx);
}
