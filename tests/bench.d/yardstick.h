/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * yardstick.h - the program that a switch's is compared with, and itself once more: their difference is the bench's
 * own error.
 */
#ifndef BENCH_YARDSTICK_H
#define BENCH_YARDSTICK_H

#include <stdint.h>

/* What they do with a frame; see bare.bpf.c. */
enum yardstick_kind { YARDSTICK_ONE, YARDSTICK_SOME, YARDSTICK_ALL, YARDSTICK_N_KINDS };

struct bare_bpf;

struct yardstick {
	struct bare_bpf *bare, *twin;
	enum yardstick_kind kind;
};

/* Loads both, to send to these devices of the calling thread's namespace. 0 or -errno. */
int yardstick_open(const uint32_t *ifindexes, uint32_t n, struct yardstick *ret_yardstick);
void yardstick_close(struct yardstick *yardstick);

/* The program called "bare" or "twin" of its kind, or -EINVAL. It goes with the yardstick. */
int yardstick_fd(const struct yardstick *yardstick, const char *name);

#endif
