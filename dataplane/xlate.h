/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xlate.h - one translation under way: what the parts of translate() hand to each other, and nobody else needs.
 */
#ifndef DATAPLANE_XLATE_H
#define DATAPLANE_XLATE_H

#include "dataplane/pipeline.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The question, and where its answer grows. */
struct translation {
	const struct pipeline *pl;
	const struct fdb *fdb;
	const struct bridge *bridge;
	const struct port *in;
	const struct sw_key *key;
	const struct trace_sink *trace; /* NULL: nobody listens */
	struct xlate *answer;
};

/* pipeline.c. `in` and `bridge` are NULL for a device that is no port. */
struct translation xlate_begin(
	const struct pipeline *pl, const struct sw_key *key, const struct trace_sink *trace, struct xlate *answer);

/* Tells a line of reasoning; costs nothing while nobody listens. */
static inline void __attribute__((format(printf, 3, 4)))
xlate_tell(const struct translation *t, int depth, const char *format, ...)
{
	char line[512];
	va_list args;

	if (!t->trace)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	t->trace->line(t->trace->ctx, depth, line);
}

/* Why nothing goes out, if in the end nothing does: the first reason that was given. */
static inline void xlate_drop(const struct translation *t, enum sw_drop drop)
{
	if (t->answer->drop == SW_DROP_NONE)
		t->answer->drop = drop;
}

/* Adds an output in its place by port id. A port that is there already keeps the form that it has. */
static inline void xlate_output(const struct translation *t, uint16_t port, enum xlate_tag tag)
{
	struct xlate_output *outputs = t->answer->outputs;
	uint32_t at = t->answer->n_outputs;

	while (at && outputs[at - 1].port > port)
		at--;
	if (at && outputs[at - 1].port == port)
		return;
	memmove(&outputs[at + 1], &outputs[at], (t->answer->n_outputs - at) * sizeof(*outputs));
	outputs[at] = (struct xlate_output){.port = port, .tag = (uint8_t)tag};
	t->answer->n_outputs++;
}

#endif
