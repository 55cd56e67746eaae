/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * retrace.h - the operations of an answer, walked output by output: what is done to the frame before each.
 *
 * A group's bucket works on a copy of its own, so what was done to one output's frame need not be a part of what was
 * done to the next one's.
 */
#ifndef DATAPLANE_RETRACE_H
#define DATAPLANE_RETRACE_H

#include "dataplane/group.h"
#include "dataplane/pipeline.h"

struct retrace {
	const struct xlate *answer;
	uint32_t at; /* operation to come */
	int depth;
	bool too_many; /* rewrites before an output: more than XLATE_MAX_REWRITES */
	bool loose;    /* a TTL is decremented, which may end a frame, where no output of that frame comes behind */
	uint32_t n_done[GROUP_CHAIN_LIMIT + 2]; /* the last is of the copy at hand */
	bool ttl[GROUP_CHAIN_LIMIT + 2];        /* decremented since the last output */
	const struct action
		*done[XLATE_MAX_REWRITES]; /* what the output gets, n of them; borrowed as the answer's are */
	uint32_t n;
};

/* The answer stays as it is meanwhile. */
struct retrace retrace_begin(const struct xlate *answer);
/*
 * The next output, or NULL: there is none, or `too_many` is set. `loose` holds for the whole walk when it has ended.
 */
const struct xop *retrace_next(struct retrace *r);

#endif
