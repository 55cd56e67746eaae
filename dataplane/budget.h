/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * budget.h - how much memory the host has left for us.
 *
 * What: the least of what the kernel says is available (MemAvailable) and of what the memory cgroups leave that this
 * process is in, each of them up to the root, of both versions. Pages that a cgroup can give back at once (inactive
 * files) do not count as taken.
 *
 * Why ask at all: maps are allocated by the kernel when they are made, but the daemon's own tables and the slow path's
 * frames are touched as they are used. A switch that does not fit would start, and be killed under load.
 *
 * Safe error: too much; then the kernel refuses a map, or kills. Unsafe error: too little, which refuses a switch that
 * would have fitted. So what cannot be read sets no limit.
 */
#ifndef DATAPLANE_BUDGET_H
#define DATAPLANE_BUDGET_H

#include <stdint.h>

struct budget {
	uint64_t available;    /* bytes; UINT64_MAX: nothing sets a limit */
	char limited_by[4096]; /* "MemAvailable", or the file that says so; "" */
};

/* `root` stands in front of /proc and /sys: "", or a test's own directory. */
void budget_read(const char *root, struct budget *ret);

#endif
