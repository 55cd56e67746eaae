/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/action.h"

#include "bpf/abi.h"
#include "dataplane/complaint.h"
#include "dataplane/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WORD_SIZE 64

static const struct action_row {
	const char *word;
	bool has_port; /* word:PORT */
} rows[] = {
	[ACTION_NORMAL] = {"NORMAL", false},
	[ACTION_OUTPUT] = {"output", true},
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

bool actions_equal(const struct actions *a, const struct actions *b)
{
	if (a->n != b->n)
		return false;
	for (uint32_t i = 0; i < a->n; i++) {
		if (a->list[i].type != b->list[i].type)
			return false;
		if (rows[a->list[i].type].has_port && a->list[i].port != b->list[i].port)
			return false;
	}
	return true;
}

size_t actions_format(const struct actions *actions, const struct action_names *names, char *buffer, size_t size)
{
	struct text text = text_begin(buffer, size);

	if (!actions->n)
		text_put(&text, "drop");
	for (uint32_t i = 0; i < actions->n; i++) {
		const struct action *action = &actions->list[i];
		const struct action_row *row = &rows[action->type];
		const char *name = row->has_port && names ? names->name_of(names->ctx, action->port) : NULL;

		text_put(&text, "%s%s", i ? "," : "", row->word);
		if (name)
			text_put(&text, ":%s", name);
		else if (row->has_port)
			text_put(&text, ":%u", action->port);
	}
	return text.length;
}

/* A port by its name, or, where no port is named so, by its number. */
static int read_port(const char *word, const struct action_names *names, uint16_t *ret, struct complaint *complaint)
{
	uint16_t port = names ? names->port_of(names->ctx, word) : 0;
	size_t n_digits = strspn(word, "0123456789");
	unsigned long number;

	if (!port && n_digits && !word[n_digits] && n_digits < 6) {
		number = strtoul(word, NULL, 10);
		port = number < SW_MAX_PORTS ? (uint16_t)number : 0;
	}
	if (!port)
		return complain(complaint, -EINVAL, "output: there is no port '%s'", word);
	*ret = port;
	return 0;
}

/* One word of the list. Cuts it up. */
static int read_action(char *word, const struct action_names *names, struct action *ret, struct complaint *complaint)
{
	char *port = strchr(word, ':');

	if (port)
		*port++ = '\0';
	for (size_t i = 0; i < N_ROWS; i++) {
		if (strcmp(word, rows[i].word))
			continue;
		if (rows[i].has_port != !!port)
			return complain(complaint, -EINVAL, "'%s': expected %s%s", word, rows[i].word,
				rows[i].has_port ? ":PORT" : " alone");
		ret->type = (enum action_type)i;
		return port ? read_port(port, names, &ret->port, complaint) : 0;
	}
	return complain(complaint, -EINVAL, "'%s': expected NORMAL, output:PORT or drop", word);
}

int actions_parse(const char *text, const struct action_names *names, struct actions *ret, struct complaint *complaint)
{
	struct actions actions = {0};

	for (const char *at = text; strcmp(text, "drop"); at++) {
		size_t n = strcspn(at, ",");
		char word[WORD_SIZE];
		int error;

		if (n >= sizeof(word))
			return complain(complaint, -EINVAL, "'%.32s...': longer than any action", at);
		if (actions.n == ACTIONS_MAX)
			return complain(complaint, -EINVAL, "'%.*s': more than %d actions", (int)n, at, ACTIONS_MAX);
		memcpy(word, at, n);
		word[n] = '\0';
		error = read_action(word, names, &actions.list[actions.n++], complaint);
		if (error)
			return error;
		at += n;
		if (!*at)
			break;
	}
	*ret = actions;
	return 0;
}
