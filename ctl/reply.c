/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/reply.h"

#include "ctl/grammar.h"

#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reply {
	struct reply_sink sink;
};

struct reply *reply_create(const struct reply_sink *sink)
{
	struct reply *reply = malloc(sizeof(*reply));

	if (reply)
		reply->sink = *sink;
	return reply;
}

void reply_abandon(struct reply *reply)
{
	reply->sink = (struct reply_sink){0};
}

static void say(struct reply *reply, struct json_object *object)
{
	size_t size;
	const char *text = json_object_to_json_string_length(
		object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &size);

	if (reply->sink.line && text)
		reply->sink.line(reply->sink.ctx, text, size);
	json_object_put(object);
}

static void end(struct reply *reply, struct json_object *object)
{
	say(reply, object);
	if (reply->sink.ended)
		reply->sink.ended(reply->sink.ctx);
	free(reply);
}

static void add_text(struct json_object *object, const char *name, const char *text)
{
	json_object_object_add(object, name, json_object_new_string(text));
}

void reply_progress(struct reply *reply, unsigned done, unsigned total, const char *what)
{
	struct json_object *line = json_object_new_object(), *progress = json_object_new_object();

	json_object_object_add(progress, "done", json_object_new_uint64(done));
	json_object_object_add(progress, "total", json_object_new_uint64(total));
	add_text(progress, "what", what);
	json_object_object_add(line, "progress", progress);
	say(reply, line);
}

void reply_result(struct reply *reply, struct json_object *result)
{
	struct json_object *line = json_object_new_object();

	json_object_object_add(line, "ok", json_object_new_boolean(1));
	json_object_object_add(line, "result", result ? result : json_object_new_object());
	end(reply, line);
}

static struct json_object *failure(const char *kind, const char *error)
{
	struct json_object *line = json_object_new_object();

	json_object_object_add(line, "ok", json_object_new_boolean(0));
	add_text(line, "kind", kind);
	add_text(line, "error", error);
	return line;
}

void reply_refuse(struct reply *reply, const char *format, ...)
{
	char text[600];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	end(reply, failure("refused", text));
}

void reply_misuse(struct reply *reply, const struct grammar_problem *problem)
{
	struct json_object *line = failure(problem->not_yet ? "refused" : "usage", problem->text);

	add_text(line, "word", problem->word);
	json_object_object_add(line, "column", json_object_new_uint64(problem->column));
	add_text(line, "expected", problem->expected);
	end(reply, line);
}
