/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reply.h - the answer to one request, a JSON object a line:
 *     {"progress": {"done": 3, "total": 100, "what": "port add br0 p3"}}      any number of times
 *     {"ok": true, "result": …}
 *     {"ok": false, "kind": "refused", "error": "…"}
 *     {"ok": false, "kind": "usage", "error": "…", "word": "…", "column": 5, "expected": "…"}
 *
 * Ownership: whoever is handed a reply ends it exactly once, now or in a later turn, with one of the three calls that
 * end; that frees it. If nobody listens any more, what is said is lost.
 */
#ifndef CTL_REPLY_H
#define CTL_REPLY_H

#include <stddef.h>

struct grammar_problem;
struct json_object;
struct reply;

struct reply_sink {
	void *ctx;
	void (*line)(void *ctx, const char *text, size_t size); /* its end not included */
	void (*ended)(void *ctx);
};

/* NULL: out of memory. */
struct reply *reply_create(const struct reply_sink *sink);
/* Nobody listens any more. */
void reply_abandon(struct reply *reply);

void reply_progress(struct reply *reply, unsigned done, unsigned total, const char *what);

/* These three end the reply. `result` is taken over; NULL: an empty object. */
void reply_result(struct reply *reply, struct json_object *result);
void reply_refuse(struct reply *reply, const char *format, ...) __attribute__((format(printf, 2, 3)));
void reply_misuse(struct reply *reply, const struct grammar_problem *problem);

#endif
