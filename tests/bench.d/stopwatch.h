/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stopwatch.h - what a stretch of work took: time, this thread's share of its CPU, and the whole machine's work.
 *
 * The time that a round took has three parts. The CPU worked for it: in this thread, softirqs in its context included,
 * or in ksoftirqd. Other tasks held the CPU, while the thread was ready to run: that says nothing of the switch. The
 * thread slept: BPF_PROG_TEST_RUN does so when it begins and ends, for a grace period, whatever it is to run.
 */
#ifndef BENCH_STOPWATCH_H
#define BENCH_STOPWATCH_H

#include <stdint.h>

struct stopwatch {
	uint64_t wall_ns;
	uint64_t thread_ns;
	uint64_t waiting_ns; /* ready to run, while something else ran */
	uint64_t ksoftirqd_ns;
	uint64_t busy_ns;  /* of all CPUs, in ticks of 10 ms */
	uint64_t steal_ns; /* taken by the hypervisor, all CPUs, in ticks of 10 ms */
};

/* The calling thread stays on this CPU from now on. 0 or -errno. */
int stopwatch_pin(int cpu);

/* CLOCK_MONOTONIC. */
uint64_t stopwatch_now_ns(void);

/* For how long thread `tid`, or the calling one for 0, has been ready to run so far while something else ran. */
uint64_t stopwatch_waited_ns(int tid);

/* The clocks of now. */
struct stopwatch stopwatch_read(void);

/* What went by since then. */
struct stopwatch stopwatch_since(const struct stopwatch *begin);

/* The CPU's work for the thread. */
uint64_t stopwatch_work_ns(const struct stopwatch *span);

/* The time that other tasks took from it. */
uint64_t stopwatch_held_up_ns(const struct stopwatch *span);

#endif
