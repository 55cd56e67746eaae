/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/grammar.h"
#include "ctl/switchctl.h"
#include "ctl/words.h"

#include <stdio.h>
#include <string.h>

/* The row's words begin with the first `n` of those asked for. */
static bool asked_for(const struct grammar_command *row, const struct words *words, unsigned first, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (i >= 2 || !row->words[i] || strcmp(row->words[i], words->word[first + i]) != 0)
			return false;
	}
	return true;
}

/* How many of the words some command begins with. */
static unsigned n_known(const struct words *words, unsigned first)
{
	for (unsigned n = words->n - first; n; n--) {
		for (int id = 0; id < N_COMMANDS; id++) {
			if (asked_for(&grammar_commands[id], words, first, n))
				return n;
		}
	}
	return 0;
}

static void complain_of_word(const struct words *words, unsigned first)
{
	const char *const *word = &words->word[first];
	unsigned n = n_known(words, first);
	char known[80] = "";

	if (!n) {
		fprintf(stderr, "switchctl: no command begins with \"%s\"; `switchctl help` lists all\n", word[0]);
		return;
	}
	snprintf(known, sizeof(known), n == 1 ? "%s" : "%s %s", word[0], word[n - 1]);
	fprintf(stderr, "switchctl: after \"%s\" there is no \"%s\"; see `switchctl help %s`\n", known, word[n], known);
}

int help_run(const struct words *words, unsigned first)
{
	char syntax[512];
	unsigned shown = 0;

	for (int id = 0; id < N_COMMANDS; id++) {
		if (!asked_for(&grammar_commands[id], words, first, words->n - first))
			continue;
		grammar_syntax((enum command_id)id, syntax, sizeof(syntax));
		printf("%s\n    %s\n", syntax, grammar_commands[id].help);
		shown++;
	}
	if (shown)
		return EXIT_OK;
	complain_of_word(words, first);
	return EXIT_USAGE;
}
