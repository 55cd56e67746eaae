/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/dp_kernel.h"

#include "dataplane/log.h"

#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>

#define KERNEL_SAID "Kernel error message: "

static char last[DPK_CAUSE_SIZE];
static char kernel_said[DPK_CAUSE_SIZE];

static void keep(char *where, const char *line)
{
	snprintf(where, DPK_CAUSE_SIZE, "%.*s", (int)strcspn(line, "\n"), line);
}

/* A verifier's log comes as one text of many lines; each is a line of ours. */
static void log_lines(const char *text)
{
	while (*text) {
		size_t size = strcspn(text, "\n");

		if (size)
			log_debug("%.*s", (int)size, text);
		text += size + (text[size] == '\n');
	}
}

static int heard(enum libbpf_print_level level, const char *format, va_list args)
{
	static char text[65536];
	const char *said;

	if (level == LIBBPF_DEBUG)
		return 0;
	vsnprintf(text, sizeof(text), format, args);
	log_lines(text);
	said = strstr(text, KERNEL_SAID);
	if (said)
		keep(kernel_said, said + strlen(KERNEL_SAID));
	else if (level == LIBBPF_WARN)
		keep(last, strncmp(text, "libbpf: ", 8) == 0 ? text + 8 : text);
	return 0;
}

void dpk_listen(void)
{
	libbpf_set_print(heard);
	dpk_hush();
}

void dpk_hush(void)
{
	last[0] = kernel_said[0] = '\0';
}

const char *dpk_heard(void)
{
	return last;
}

const char *dpk_heard_from_kernel(void)
{
	return kernel_said;
}
