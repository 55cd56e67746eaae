/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/exposition.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct exposition {
	FILE *out;
	char *text;
	size_t size;
	const char *family;
};

struct exposition *exposition_create(void)
{
	struct exposition *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->out = open_memstream(&e->text, &e->size);
	if (!e->out) {
		free(e);
		return NULL;
	}
	return e;
}

char *exposition_finish(struct exposition *e, size_t *ret_size)
{
	int failed = ferror(e->out);
	char *text;

	failed |= fclose(e->out);
	text = e->text;
	if (failed) {
		free(text);
		text = NULL;
	} else {
		*ret_size = e->size;
	}
	free(e);
	return text;
}

void exposition_family(struct exposition *e, const char *name, enum exposition_type type, const char *help)
{
	e->family = name;
	fprintf(e->out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name,
		type == EXPOSITION_COUNTER ? "counter" : "gauge");
}

static void print_value(FILE *out, const char *value)
{
	for (; *value; value++) {
		if (*value == '\n')
			fputs("\\n", out);
		else if (*value == '\\' || *value == '"')
			fprintf(out, "\\%c", *value);
		else
			fputc(*value, out);
	}
}

void exposition_sample(struct exposition *e, uint64_t value, ...)
{
	const char *name, *before = "{";
	va_list labels;

	fputs(e->family, e->out);
	va_start(labels, value);
	while ((name = va_arg(labels, const char *))) {
		fprintf(e->out, "%s%s=\"", before, name);
		print_value(e->out, va_arg(labels, const char *));
		fputc('"', e->out);
		before = ",";
	}
	va_end(labels);
	fprintf(e->out, "%s %llu\n", *before == ',' ? "}" : "", (unsigned long long)value);
}
