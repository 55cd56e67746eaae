/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tc_twin.h - the program for the tc hook on the maps of a fixture, which so has both.
 *
 * BPF_PROG_TEST_RUN cannot put a tag beside an skb's bytes, nor leave its checksum unfinished: frames with a tag are
 * not for it, and the rest tests/ns/17-tc does.
 */
#ifndef TC_TWIN_H
#define TC_TWIN_H

#include <stdint.h>
#include "fixture.h"
#include "packet.h"
#include "switch_tc.skel.h"

struct ring_buffer;

struct tc_twin {
	struct switch_tc_bpf *skel;
	struct ring_buffer *ring;
	struct sw_up up; /* the last frame that went up, and how many did since the last run began */
	struct packet raised;
	uint32_t n_up;
};

/* 0 or -errno. The fixture stays open as long as this. */
int tc_twin_open(struct tc_twin *twin, const struct fixture *f);
void tc_twin_close(struct tc_twin *twin);

/* The verdict; what left is in *ret_out, what went up in the twin. gso_size: 0, or of a frame that stands for several.
 */
int tc_twin_run(struct tc_twin *twin, const struct packet *in, uint32_t gso_size, struct packet *ret_out);

#endif
