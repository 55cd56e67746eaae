/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * traffic.h - frames from a sender's device to one or more receivers', made and counted in the kernel.
 *
 * The generator is an XDP program run by BPF_PROG_TEST_RUN on live frames, which redirects each into a veth; the sink
 * is an XDP program on all these devices, which counts, looks whether frames are as they should be, and drops. So a
 * frame costs no system call and no skb, and what is measured is the switch between the devices, not who feeds it.
 */
#ifndef BENCH_TRAFFIC_H
#define BENCH_TRAFFIC_H

#include <stdint.h>
#include "frame.h"
#include "place.h"

struct traffic;

#define TRAFFIC_MAX_RECEIVERS 8

/*
 * Attaches a sink to each device. The first receiver is who sends when the plan says "learn". 0 or -errno; the calling
 * thread is in its own namespace again.
 */
int traffic_open(
	const struct place *sender, const struct place *receivers, int n_receivers, struct traffic **ret_traffic);
void traffic_close(struct traffic *traffic);

/* Which flows the frames after this belong to. The plan is read and written by the generator as it goes. */
struct bench_plan *traffic_plan(struct traffic *traffic);

/* What frames are to look like when they arrive, from now on. */
void traffic_wish(struct traffic *traffic, const struct bench_wish *wish);

/* Sends n_frames from the plan's device, from the calling thread's CPU. 0 or -errno. */
int traffic_send(struct traffic *traffic, uint32_t n_frames);

/* Sends n_frames, `per_second` of them a second. 0 or -errno. */
int traffic_send_slowly(struct traffic *traffic, uint32_t n_frames, uint32_t per_second);

/*
 * The same, but evenly: the generator waits before each small batch until it is due, which takes the CPU all the while.
 * Fast rates come out as asked for, where slices would come in bursts. 0 or -errno.
 */
int traffic_send_evenly(struct traffic *traffic, uint32_t n_frames, uint32_t per_second);

/* Frames of the plan's flows, for a receiver, that receivers have counted so far. */
struct traffic_count {
	uint64_t right;                              /* as they were wished for */
	uint64_t unlike;                             /* others */
	uint64_t by_receiver[TRAFFIC_MAX_RECEIVERS]; /* both sorts */
};
struct traffic_count traffic_received(struct traffic *traffic);

/* Waits until no frame has come for a while, then as traffic_received(). */
struct traffic_count traffic_settled(struct traffic *traffic);

/* Those that came between the two. */
struct traffic_count traffic_between(const struct traffic_count *before, const struct traffic_count *after);

/* The frame that the plan has next, as the generator writes it, without sending it; room for a tag. 0 or -errno. */
int traffic_preview(struct traffic *traffic, uint8_t ret_frame[BENCH_FRAME_SIZE + BENCH_TAG_SIZE], uint32_t *ret_size);

#endif
