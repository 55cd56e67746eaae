/* SPDX-License-Identifier: BSD-2-Clause */
#include "times.h"

#include <stdlib.h>
#include "server.h"

static int by_size(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

void times_say(json_object *reply, const char *key, uint64_t *times, uint32_t n)
{
	json_object *said = json_object_new_object();

	json_object_object_add(reply, key, said);
	server_say(said, "n", n);
	if (!n)
		return;
	qsort(times, n, sizeof(*times), by_size);
	server_say(said, "p50_ns", times[n / 2]);
	server_say(said, "p90_ns", times[n * 9ULL / 10]);
	server_say(said, "p99_ns", times[n * 99ULL / 100]);
	server_say(said, "max_ns", times[n - 1]);
}
