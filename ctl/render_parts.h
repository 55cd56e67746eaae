/* SPDX-License-Identifier: BSD-2-Clause */
/* render_parts.h - what the files that render replies share. Nobody else includes it. */
#ifndef CTL_RENDER_PARTS_H
#define CTL_RENDER_PARTS_H

#include "ctl/json.h"

#include <stdio.h>

/* Of an array; 0 for anything else, NULL too. */
static inline size_t length(struct json_object *array)
{
	return array && json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

/* NULL: there is none of that name. */
static inline struct json_object *member(struct json_object *object, const char *name)
{
	struct json_object *found;

	return json_object_object_get_ex(object, name, &found) ? found : NULL;
}

/* ---- render.c ---- */

/*
 * A table with a row for each object of the array. A column is one of its members, by name: text as it is, `?` text or
 * a dash, `#` a number, `~` seconds.
 */
void render_table(struct json_object *array, const char *headings, const char *columns, const char *empty, FILE *out);

/* ---- render_xdp.c ---- */

void render_xdp(struct json_object *result, FILE *out);

#endif
