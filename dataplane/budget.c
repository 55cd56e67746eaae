/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/budget.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How a version of cgroups calls things. */
struct dialect {
	const char *mount, *limit, *usage, *reclaimable;
};

static const struct dialect v1 = {
	"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "};
static const struct dialect v2 = {"/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file "};

static void lower(struct budget *budget, uint64_t available, const char *limited_by)
{
	if (available >= budget->available)
		return;
	budget->available = available;
	snprintf(budget->limited_by, sizeof(budget->limited_by), "%s", limited_by);
}

/* The number behind `word` at the start of a line, or of the first line where `word` is "". */
static bool read_number(const char *path, const char *word, uint64_t *ret)
{
	FILE *file = fopen(path, "re");
	char line[256], *end;
	bool found = false;

	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file)) {
		if (strncmp(line, word, strlen(word)) != 0)
			continue;
		*ret = strtoull(line + strlen(word), &end, 10);
		found = end != line + strlen(word); /* "max" is no number, and no limit */
	}
	fclose(file);
	return found;
}

static void ask_kernel(const char *root, struct budget *budget)
{
	char path[PATH_MAX];
	uint64_t kilobytes;

	snprintf(path, sizeof(path), "%s/proc/meminfo", root);
	if (read_number(path, "MemAvailable:", &kilobytes))
		lower(budget, kilobytes * 1024, "MemAvailable");
}

static void ask_cgroup(const char *root, const struct dialect *as, const char *group, struct budget *budget)
{
	char path[PATH_MAX], told[PATH_MAX];
	uint64_t limit, usage, reclaimable;

	snprintf(path, sizeof(path), "%s%s%s/%s", root, as->mount, group, as->limit);
	snprintf(told, sizeof(told), "%s%s/%s", as->mount, group, as->limit);
	if (!read_number(path, "", &limit))
		return;
	snprintf(path, sizeof(path), "%s%s%s/%s", root, as->mount, group, as->usage);
	if (!read_number(path, "", &usage))
		usage = 0;
	snprintf(path, sizeof(path), "%s%s%s/memory.stat", root, as->mount, group);
	if (!read_number(path, as->reclaimable, &reclaimable) || reclaimable > usage)
		reclaimable = 0;
	usage -= reclaimable;
	lower(budget, limit > usage ? limit - usage : 0, told);
}

static void ask_cgroups(const char *root, const struct dialect *as, char *group, struct budget *budget)
{
	char *slash;

	while ((slash = strrchr(group, '/')) != NULL) {
		if (!slash[1]) { /* the root, as "/" */
			*slash = '\0';
			break;
		}
		ask_cgroup(root, as, group, budget);
		*slash = '\0';
	}
	ask_cgroup(root, as, "", budget);
}

/* "memory" among the controllers of a line of /proc/self/cgroup, which stand between its colons. */
static bool names_memory(const char *controllers)
{
	size_t n = strlen("memory");

	for (const char *at = controllers; at && *at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
		if (strncmp(at, "memory", n) == 0 && (at[n] == ',' || !at[n]))
			return true;
	}
	return false;
}

void budget_read(const char *root, struct budget *ret)
{
	char path[PATH_MAX], line[PATH_MAX], *controllers, *group;
	FILE *file;

	*ret = (struct budget){.available = UINT64_MAX};
	ask_kernel(root, ret);
	snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);
	file = fopen(path, "re");
	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		controllers = strchr(line, ':');
		group = controllers ? strchr(controllers + 1, ':') : NULL;
		if (!group || group[1] != '/')
			continue;
		*group++ = '\0';
		if (!controllers[1])
			ask_cgroups(root, &v2, group, ret);
		else if (names_memory(controllers + 1))
			ask_cgroups(root, &v1, group, ret);
	}
	fclose(file);
}
