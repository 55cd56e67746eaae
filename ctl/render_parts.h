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

/* ---- render_xdp.c ---- */

void render_xdp(struct json_object *result, FILE *out);

#endif
