/* SPDX-License-Identifier: BSD-2-Clause */
#include "stopwatch.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char ksoftirqd[64]; /* its schedstat; empty when it is not to be seen, as in a container */

static bool has_name(const char *pid, const char *name)
{
	char path[300], comm[32] = "";
	FILE *f;
	bool same;

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	same = fgets(comm, sizeof(comm), f) && !strcmp(strtok(comm, "\n"), name);
	fclose(f);
	return same;
}

static void find_ksoftirqd(int cpu)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	char name[32];

	if (!proc)
		return;
	snprintf(name, sizeof(name), "ksoftirqd/%d", cpu);
	while ((entry = readdir(proc)))
		if (atoi(entry->d_name) > 0 && has_name(entry->d_name, name)) {
			snprintf(ksoftirqd, sizeof(ksoftirqd), "/proc/%d/schedstat", atoi(entry->d_name));
			break;
		}
	closedir(proc);
}

int stopwatch_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		return -errno;
	find_ksoftirqd(cpu);
	return 0;
}

static uint64_t clock_ns(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

uint64_t stopwatch_now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* A schedstat is: time on the CPU, time ready to run, time slices. Reads number `index` of these. */
static uint64_t read_schedstat(const char *path, int index)
{
	unsigned long long ns[2] = {0};
	FILE *f = *path ? fopen(path, "re") : NULL;

	if (!f)
		return 0;
	if (fscanf(f, "%llu %llu", &ns[0], &ns[1]) != 2)
		ns[0] = ns[1] = 0;
	fclose(f);
	return ns[index];
}

uint64_t stopwatch_waited_ns(int tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/schedstat", tid);
	return read_schedstat(tid ? path : "/proc/thread-self/schedstat", 1);
}

/* proc(5): cpu user nice system idle iowait irq softirq steal; guest time is within user's. */
static void read_machine(struct stopwatch *now)
{
	unsigned long long v[8] = {0};
	uint64_t tick_ns = 1000000000 / sysconf(_SC_CLK_TCK);
	FILE *f = fopen("/proc/stat", "re");

	if (!f)
		return;
	if (fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6],
		    &v[7]) == 8) {
		now->busy_ns = (v[0] + v[1] + v[2] + v[5] + v[6]) * tick_ns;
		now->steal_ns = v[7] * tick_ns;
	}
	fclose(f);
}

/* The time is read last here and first there, so that no span contains the reading of files. */
struct stopwatch stopwatch_read(void)
{
	struct stopwatch now = {0};

	read_machine(&now);
	now.ksoftirqd_ns = read_schedstat(ksoftirqd, 0);
	now.waiting_ns = stopwatch_waited_ns(0);
	now.thread_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	now.wall_ns = stopwatch_now_ns();
	return now;
}

struct stopwatch stopwatch_since(const struct stopwatch *begin)
{
	struct stopwatch span = {
		.wall_ns = stopwatch_now_ns() - begin->wall_ns,
		.thread_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin->thread_ns,
		.waiting_ns = stopwatch_waited_ns(0) - begin->waiting_ns,
		.ksoftirqd_ns = read_schedstat(ksoftirqd, 0) - begin->ksoftirqd_ns,
	};
	struct stopwatch now = {0};

	read_machine(&now);
	span.busy_ns = now.busy_ns - begin->busy_ns;
	span.steal_ns = now.steal_ns - begin->steal_ns;
	return span;
}

uint64_t stopwatch_work_ns(const struct stopwatch *span)
{
	return span->thread_ns + span->ksoftirqd_ns;
}

uint64_t stopwatch_held_up_ns(const struct stopwatch *span)
{
	return span->waiting_ns > span->ksoftirqd_ns ? span->waiting_ns - span->ksoftirqd_ns : 0;
}
