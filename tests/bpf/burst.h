/* SPDX-License-Identifier: BSD-2-Clause */
/* burst.h - what burst.bpf.c is to send. */
#ifndef BURST_H
#define BURST_H

#include "bpf/abi.h"

struct burst_plan {
	__u32 ifindex;
	__u32 n;         /* frames so far */
	__u8 address[2]; /* last byte of the destination */
	__u16 has_mark;
	struct sw_mark mark;
};

#endif
