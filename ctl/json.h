/* SPDX-License-Identifier: BSD-2-Clause */
/* json.h - json-c with shorter words: one line a member. */
#ifndef CTL_JSON_H
#define CTL_JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

static inline void json_add_text(struct json_object *object, const char *name, const char *text)
{
	json_object_object_add(object, name, json_object_new_string(text));
}

static inline void json_add_number(struct json_object *object, const char *name, uint64_t number)
{
	json_object_object_add(object, name, json_object_new_uint64(number));
}

static inline void json_add_bool(struct json_object *object, const char *name, bool value)
{
	json_object_object_add(object, name, json_object_new_boolean(value));
}

/* When a certificate ends, in seconds since 1970, as "2027-01-31 12:00:00 UTC" and from now; 0: there is none. */
static inline void json_add_expiry(struct json_object *object, int64_t expiry)
{
	time_t at = (time_t)expiry;
	char text[40] = "";
	struct tm utc;

	if (expiry && gmtime_r(&at, &utc))
		strftime(text, sizeof(text), "%F %T UTC", &utc);
	json_add_text(object, "certificate_ends", text);
	if (expiry)
		json_object_object_add(
			object, "certificate_ends_in_s", json_object_new_int64(expiry - (int64_t)time(NULL)));
}

/* Adds an empty array, borrowed. */
static inline struct json_object *json_add_array(struct json_object *object, const char *name)
{
	struct json_object *array = json_object_new_array();

	json_object_object_add(object, name, array);
	return array;
}

/* Adds an empty object, borrowed. */
static inline struct json_object *json_add_object(struct json_object *object, const char *name)
{
	struct json_object *inner = json_object_new_object();

	json_object_object_add(object, name, inner);
	return inner;
}

/* Appends an empty object, borrowed. */
static inline struct json_object *json_append_object(struct json_object *array)
{
	struct json_object *inner = json_object_new_object();

	json_object_array_add(array, inner);
	return inner;
}

#endif
