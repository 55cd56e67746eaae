/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * server.h - a program that obeys commands, a line each on stdin, and answers each with a JSON object on a line of
 * stdout.
 *
 * The answer has what the command said; or, where it failed, "error" too. The state that commands work on is the
 * program's own, for there is one of it.
 */
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include <stddef.h>
#include <stdint.h>
#include <json-c/json.h>

struct server_command {
	const char *name;
	int n_words; /* behind the name, at most SERVER_MAX_WORDS */
	/* 0 or -errno, and what there is to say. */
	int (*run)(char **word, json_object *reply);
};

#define SERVER_MAX_WORDS 6

/* Until stdin ends. */
void server_run(const struct server_command *commands, size_t n);

void server_say(json_object *reply, const char *key, uint64_t value);

/* Which of n names the word is (some may be NULL), or -EINVAL. */
int server_find(const char *word, const char *const *names, int n);

#endif
