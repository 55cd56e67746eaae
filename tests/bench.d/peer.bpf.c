/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* peer.bpf.c - the ceiling of socket traffic: hands every frame to the other end of a veth, and looks at nothing. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

const volatile __u32 to; /* the near end of it */

SEC("tc")
int peer(struct __sk_buff *skb)
{
	return bpf_redirect_peer(to, 0);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
