/* SPDX-License-Identifier: BSD-2-Clause */
/* cpu_list.h - a set of CPUs, as people write it: "0,2-3", as taskset -c takes it; "none" for the empty one. */
#ifndef DATAPLANE_CPU_LIST_H
#define DATAPLANE_CPU_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CPU_LIST_MAX  1024 /* CPUs 0 .. 1023 */
#define CPU_LIST_SIZE 400  /* bytes of the longest text that cpu_list_format() writes for SW_MAX_SPREAD CPUs */

struct complaint;

struct cpu_list {
	uint64_t bits[CPU_LIST_MAX / 64];
};

/*
 * "none", or numbers and ranges (2-3, and 0-7:2 for every second), at most `limit` CPUs in all. -EINVAL, `ret` as it
 * was: the complaint says what the text does that it should not, and begins with a verb.
 */
int cpu_list_parse(const char *text, unsigned limit, struct cpu_list *ret, struct complaint *c);
/* As snprintf(). What it writes reads back as the same list. */
size_t cpu_list_format(const struct cpu_list *list, char *text, size_t size);

/* The lowest CPU of the list that is not below `from`; -1: none. */
int cpu_list_next(const struct cpu_list *list, unsigned from);
unsigned cpu_list_count(const struct cpu_list *list);
bool cpu_list_same(const struct cpu_list *a, const struct cpu_list *b);
/* Keeps of `list` what is in `with`, too; `ret_lost` (which may be NULL) gets the rest. */
void cpu_list_narrow(struct cpu_list *list, const struct cpu_list *with, struct cpu_list *ret_lost);
void cpu_list_add(struct cpu_list *list, unsigned cpu);

/* The CPUs that are in use on this machine. -errno. */
int cpu_list_online(struct cpu_list *ret);

static inline bool cpu_list_is_empty(const struct cpu_list *list)
{
	return cpu_list_next(list, 0) < 0;
}

#endif
