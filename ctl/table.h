/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table.h - a table of text whose columns are as wide as what is in them.
 *
 * Headings are one string: "PORT <RX >FRAMES", columns separated by blanks, '>' in front of one that is aligned to the
 * right. Cells are made safe to print.
 */
#ifndef CTL_TABLE_H
#define CTL_TABLE_H

#include <stdio.h>

struct table;

/* NULL: out of memory. */
struct table *table_create(const char *headings);
/* Cells in order, row after row. */
void table_cell(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Prints and frees. With no rows it prints `empty` instead, if that is not NULL. */
void table_print(struct table *table, const char *empty, FILE *out);

#endif
