/* SPDX-License-Identifier: BSD-2-Clause */
/* times.h - many measured times, told by their percentiles. */
#ifndef BENCH_TIMES_H
#define BENCH_TIMES_H

#include <stdint.h>
#include <json-c/json.h>

/* Says how many there are, and their p50, p90, p99 and the longest, in nanoseconds. Sorts them. */
void times_say(json_object *reply, const char *key, uint64_t *times, uint32_t n);

#endif
