/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * program_parts.h - the compiler's own, shared by program.c and program_fork.c. See program.h.
 */
#ifndef DATAPLANE_PROGRAM_PARTS_H
#define DATAPLANE_PROGRAM_PARTS_H

#include "dataplane/program.h"

/*
 * The fork that an answer with branches is, held, in ret->fork; SW_MAX_FORKS: the program cannot do any bucket, or
 * there is none to be had (ret->lacks). That is set too if a branch goes up for want of something.
 */
void program_fork(struct sets *sets, const struct pipeline *pl, const struct sw_key *key, const struct xlate *xlate,
	struct program *ret);

#endif
