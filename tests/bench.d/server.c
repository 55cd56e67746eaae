/* SPDX-License-Identifier: BSD-2-Clause */
#include "server.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int obey(const struct server_command *commands, size_t n_commands, char *line, json_object *reply)
{
	char *word[1 + SERVER_MAX_WORDS + 1] = {0};
	int n = 0;

	for (char *w = strtok(line, " \n"); w && n < 1 + SERVER_MAX_WORDS + 1; w = strtok(NULL, " \n"))
		word[n++] = w;
	for (size_t i = 0; i < n_commands; i++)
		if (n && !strcmp(word[0], commands[i].name))
			return n - 1 == commands[i].n_words ? commands[i].run(word + 1, reply) : -EINVAL;
	return -EOPNOTSUPP;
}

void server_run(const struct server_command *commands, size_t n)
{
	char line[1024];

	while (fgets(line, sizeof(line), stdin)) {
		json_object *reply = json_object_new_object();
		int err = obey(commands, n, line, reply);

		if (err)
			json_object_object_add(reply, "error", json_object_new_string(strerror(-err)));
		puts(json_object_to_json_string_ext(reply, JSON_C_TO_STRING_PLAIN));
		fflush(stdout);
		json_object_put(reply);
	}
}

void server_say(json_object *reply, const char *key, uint64_t value)
{
	json_object_object_add(reply, key, json_object_new_uint64(value));
}

int server_find(const char *word, const char *const *names, int n)
{
	for (int i = 0; i < n; i++)
		if (names[i] && !strcmp(word, names[i]))
			return i;
	return -EINVAL;
}
