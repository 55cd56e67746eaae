/* SPDX-License-Identifier: BSD-2-Clause */
/* render.h - the daemon's JSON results as text for people. A member that a newer or older daemon lacks reads as empty.
 */
#ifndef CTL_RENDER_H
#define CTL_RENDER_H

#include "ctl/grammar.h"

#include <stdio.h>

struct json_object;

/* Prints the result of a command; of one that only did something, nothing. */
void render_result(enum command_id id, struct json_object *result, FILE *out);

/* Two results of `stats`, some time apart. */
void render_rates(struct json_object *before, struct json_object *after, FILE *out);
/* Two results of `cache show`: the busiest of the time between them, at most `n`. */
void render_top_flows(struct json_object *before, struct json_object *after, double seconds, unsigned n, FILE *out);

/* Seconds between two results of `stats`. */
double render_interval(struct json_object *before, struct json_object *after);

/* Members of an object; "" and 0 when they are not there. */
const char *render_text(struct json_object *object, const char *name);
unsigned long long render_number(struct json_object *object, const char *name);

#endif
