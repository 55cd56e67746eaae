/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/table.h"

#include "ctl/words.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MAX_COLUMNS 20

struct table {
	unsigned n_columns, n_cells, room;
	struct column {
		char heading[32];
		bool right;
		size_t width;
	} columns[MAX_COLUMNS];
	char **cells;
};

struct table *table_create(const char *headings)
{
	struct table *table = calloc(1, sizeof(*table));
	size_t n;

	for (const char *p = headings; table && *p; p += n + strspn(p + n, " ")) {
		struct column *column = &table->columns[table->n_columns++];

		column->right = *p == '>';
		p += column->right;
		n = strcspn(p, " ");
		snprintf(column->heading, sizeof(column->heading), "%.*s", (int)n, p);
		column->width = strlen(column->heading);
	}
	return table;
}

/* Characters, not bytes: the continuation bytes of UTF-8 take no room. */
static size_t width_of(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

void table_cell(struct table *table, const char *format, ...)
{
	char text[2048], safe[4096];
	struct column *column;
	char **grown;
	va_list args;

	if (!table)
		return;
	if (table->n_cells == table->room) {
		table->room = table->room ? table->room * 2 : 64;
		grown = realloc(table->cells, table->room * sizeof(*grown));
		if (!grown)
			abort();
		table->cells = grown;
	}
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	words_printable(text, strlen(text), safe, sizeof(safe));
	column = &table->columns[table->n_cells % table->n_columns];
	table->cells[table->n_cells] = strdup(safe);
	if (!table->cells[table->n_cells])
		abort();
	if (width_of(safe) > column->width)
		column->width = width_of(safe);
	table->n_cells++;
}

static void print_cell(const struct table *table, unsigned i, const char *text, FILE *out)
{
	const struct column *column = &table->columns[i];
	bool last = i + 1 == table->n_columns;
	int pad = (int)(column->width - width_of(text));

	if (column->right)
		fprintf(out, "%*s%s", pad, "", text);
	else
		fprintf(out, "%s%*s", text, last ? 0 : pad, "");
	fputs(last ? "\n" : "  ", out);
}

void table_print(struct table *table, const char *empty, FILE *out)
{
	if (!table)
		return;
	if (!table->n_cells && empty)
		fprintf(out, "%s\n", empty);
	for (unsigned i = 0; (table->n_cells || !empty) && i < table->n_columns; i++)
		print_cell(table, i, table->columns[i].heading, out);
	for (unsigned i = 0; i < table->n_cells; i++) {
		print_cell(table, i % table->n_columns, table->cells[i], out);
		free(table->cells[i]);
	}
	free(table->cells);
	free(table);
}
