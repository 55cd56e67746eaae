/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/complaint.h"

#include <stdarg.h>
#include <stdio.h>

int complain(struct complaint *c, int error, const char *format, ...)
{
	va_list args;

	if (!c)
		return error;
	va_start(args, format);
	vsnprintf(c->text, sizeof(c->text), format, args);
	va_end(args);
	return error;
}
