/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace.h - one frame's way, explained: what the pipeline would do, what the kernel's program does, and whether they
 * agree.
 *
 * The pipeline is asked by the same translate() as the miss path, with a sink for its reasoning. The program is asked
 * by BPF_PROG_TEST_RUN on the loaded program with the live maps: a hit runs the cached steps, a miss says so. They
 * agree when the cached steps and flags are those that the answer compiles to now (C2), and the frame goes where the
 * answer, carried out for this frame, asks for (N1): up, out of that port with that tag, to the members of a broadcast,
 * or nowhere for that reason. Of a miss there is nothing to compare (C1), as long as it goes up or nowhere, and the
 * cache has no flow for it either: else they disagree.
 */
#ifndef DATAPLANE_TRACE_H
#define DATAPLANE_TRACE_H

#include "dataplane/vswitch.h"

struct sets;

struct trace_parts {
	struct datapath *dp;
	const struct pipeline *pl;
	struct sets *sets;
	bool is_cached; /* by what the daemon has put into the maps */
};

/*
 * `key` must name a port with a device; `frame` may be NULL, then the program is not asked. 0, or -ENOMEM. A kernel
 * that cannot be asked is no error: ret->kernel says why.
 */
int trace_run(const struct trace_parts *parts, const struct sw_key *key, const void *frame, uint32_t size,
	const struct trace_sink *sink, struct trace_result *ret, struct complaint *c);

#endif
