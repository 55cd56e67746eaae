/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/cpu_list.h"

#include "dataplane/complaint.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ONLINE "/sys/devices/system/cpu/online"

/* ---- text ---- */

/* Digits alone: no sign and no blank, which strtoul() would take. Past any CPU: CPU_LIST_MAX. */
static bool read_number(const char **at, unsigned *ret)
{
	const char *from = *at;
	unsigned n = 0;

	for (; **at >= '0' && **at <= '9'; (*at)++)
		n = n < CPU_LIST_MAX ? n * 10 + (unsigned)(**at - '0') : n;
	*ret = n < CPU_LIST_MAX ? n : CPU_LIST_MAX;
	return *at != from;
}

/* One part between commas: N, N-M or N-M:STEP. */
static int read_part(const char **at, struct cpu_list *list, struct complaint *c)
{
	unsigned first, last, step = 1;

	if (!read_number(at, &first))
		return complain(c, -EINVAL, "is not a list of CPUs, as 0,2-3, or none");
	last = first;
	if (**at == '-') {
		(*at)++;
		if (!read_number(at, &last))
			return complain(c, -EINVAL, "has a range that does not end with a number, as 2-3");
		if (**at == ':') {
			(*at)++;
			if (!read_number(at, &step) || !step)
				return complain(c, -EINVAL, "has a range without a step of 1 or more behind its colon");
		}
	}
	if (**at && **at != ',')
		return complain(c, -EINVAL, "is not a list of CPUs, as 0,2-3, or none");
	if (last < first)
		return complain(c, -EINVAL, "has the range %u-%u, which ends before it begins", first, last);
	if (last >= CPU_LIST_MAX)
		return complain(c, -EINVAL, "goes beyond the last CPU that can be named, %d", CPU_LIST_MAX - 1);
	for (unsigned cpu = first; cpu <= last; cpu += step)
		cpu_list_add(list, cpu);
	return 0;
}

int cpu_list_parse(const char *text, unsigned limit, struct cpu_list *ret, struct complaint *c)
{
	struct cpu_list list = {{0}};
	const char *at = text;
	int error = 0;

	if (strcmp(text, "none") == 0) {
		*ret = list;
		return 0;
	}
	do
		error = read_part(&at, &list, c);
	while (!error && *at++ == ',');
	if (error)
		return error;
	if (cpu_list_count(&list) > limit)
		return complain(c, -EINVAL, "has %u CPUs, and at most %u can be named", cpu_list_count(&list), limit);
	*ret = list;
	return 0;
}

/* The last CPU of the run that begins with `first`. */
static int run_end(const struct cpu_list *list, int first)
{
	while (cpu_list_next(list, (unsigned)first + 1) == first + 1)
		first++;
	return first;
}

size_t cpu_list_format(const struct cpu_list *list, char *text, size_t size)
{
	int first = cpu_list_next(list, 0), last;
	size_t used = 0;

	if (first < 0)
		return (size_t)snprintf(text, size, "none");
	for (; first >= 0; first = cpu_list_next(list, (unsigned)last + 1)) {
		last = run_end(list, first);
		used += (size_t)snprintf(text + (used < size ? used : size), used < size ? size - used : 0,
			first == last ? "%s%d" : "%s%d-%d", used ? "," : "", first, last);
	}
	return used;
}

/* ---- sets ---- */

int cpu_list_next(const struct cpu_list *list, unsigned from)
{
	for (unsigned word = from / 64; word < CPU_LIST_MAX / 64; word++) {
		uint64_t bits = list->bits[word] & (word == from / 64 ? ~0ULL << from % 64 : ~0ULL);

		if (bits)
			return (int)(word * 64) + __builtin_ctzll(bits);
	}
	return -1;
}

unsigned cpu_list_count(const struct cpu_list *list)
{
	unsigned n = 0;

	for (unsigned word = 0; word < CPU_LIST_MAX / 64; word++)
		n += (unsigned)__builtin_popcountll(list->bits[word]);
	return n;
}

bool cpu_list_same(const struct cpu_list *a, const struct cpu_list *b)
{
	return memcmp(a->bits, b->bits, sizeof(a->bits)) == 0;
}

void cpu_list_narrow(struct cpu_list *list, const struct cpu_list *with, struct cpu_list *ret_lost)
{
	for (unsigned word = 0; word < CPU_LIST_MAX / 64; word++) {
		if (ret_lost)
			ret_lost->bits[word] = list->bits[word] & ~with->bits[word];
		list->bits[word] &= with->bits[word];
	}
}

void cpu_list_add(struct cpu_list *list, unsigned cpu)
{
	list->bits[cpu / 64] |= 1ULL << cpu % 64;
}

int cpu_list_online(struct cpu_list *ret)
{
	FILE *file = fopen(ONLINE, "re");
	char line[4096];
	bool read;

	if (!file)
		return -errno;
	read = fgets(line, sizeof(line), file) != NULL;
	fclose(file);
	if (!read)
		return -EIO;
	line[strcspn(line, "\n")] = '\0';
	return cpu_list_parse(line, CPU_LIST_MAX, ret, NULL);
}
