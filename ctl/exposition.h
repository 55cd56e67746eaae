/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * exposition.h - Prometheus' text format, version 0.0.4, as it is written: a family's HELP and TYPE, then its samples,
 * all of them in one go.
 *
 * The format: https://prometheus.io/docs/instrumenting/exposition_formats/
 */
#ifndef CTL_EXPOSITION_H
#define CTL_EXPOSITION_H

#include <stddef.h>
#include <stdint.h>

struct exposition;

enum exposition_type { EXPOSITION_COUNTER, EXPOSITION_GAUGE };

/* NULL: out of memory. */
struct exposition *exposition_create(void);
/* The text, which the caller frees; NULL: memory ran out on the way. The exposition is gone either way. */
char *exposition_finish(struct exposition *e, size_t *ret_size);

/* Begins a family. A counter's name ends in _total. `name` and `help` are borrowed until the next. */
void exposition_family(struct exposition *e, const char *name, enum exposition_type type, const char *help);
/* A sample of the family: names and values of its labels in pairs, a NULL behind them. */
void exposition_sample(struct exposition *e, uint64_t value, ...) __attribute__((sentinel));

#endif
