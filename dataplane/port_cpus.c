/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/port_cpus.h"

#include "dataplane/complaint.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void say_missing(const struct cpu_list *missing, const struct cpu_list *online, char *text, size_t size)
{
	char lacks[CPU_LIST_SIZE], has[CPU_LIST_SIZE];
	unsigned n = cpu_list_count(missing);

	cpu_list_format(missing, lacks, sizeof(lacks));
	cpu_list_format(online, has, sizeof(has));
	snprintf(text, size, "CPU%s %s %s not there: this machine has %s", n == 1 ? "" : "s", lacks,
		n == 1 ? "is" : "are", has);
}

int port_cpus_check(const struct cpu_list *wanted, struct complaint *c)
{
	struct cpu_list online, missing, left = *wanted;
	char text[2 * CPU_LIST_SIZE + 64];
	int error = cpu_list_online(&online);

	if (error)
		return complain(c, error, "the CPUs of this machine are not known: %s", strerror(-error));
	cpu_list_narrow(&left, &online, &missing);
	if (cpu_list_is_empty(&missing))
		return 0;
	say_missing(&missing, &online, text, sizeof(text));
	return complain(c, -EINVAL, "%s", text);
}

void port_cpus_choose(const struct cpu_list *wanted, bool can_spread, struct cpu_list *ret, char *why, size_t why_size)
{
	struct cpu_list online = {{0}}, missing;
	char text[2 * CPU_LIST_SIZE + 64];

	memset(ret, 0, sizeof(*ret));
	why[0] = '\0';
	if (cpu_list_is_empty(wanted))
		return;
	if (!can_spread) {
		snprintf(why, why_size,
			"not spread over CPUs: of a tap, and in generic mode, frames can be spread from Linux 6.15 on");
		return;
	}
	*ret = *wanted;
	cpu_list_online(&online);
	cpu_list_narrow(ret, &online, &missing);
	if (cpu_list_is_empty(&missing))
		return;
	say_missing(&missing, &online, text, sizeof(text));
	snprintf(why, why_size, "not spread as it should be: %s", text);
}
