/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * frame.h - what the stages say of a frame.
 *
 * Stages take a struct frame (maps.h), and go to the packet through hook.h, so that they are the same at either hook.
 */
#ifndef SW_FRAME_H
#define SW_FRAME_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "abi.h"
#include "extract.h"
#include "hook.h"
#include "maps.h"

/* A stage's answer: a verdict (hook.h) is final, NEXT goes on. */
#define NEXT (-1)

SW_INLINE int frame_drop(const struct frame *frame, __u32 culprit, enum sw_drop reason)
{
	drop_count(frame->cpu, culprit, reason, 1);
	return VERDICT_DROP;
}

#endif
