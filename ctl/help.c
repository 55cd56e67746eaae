/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/grammar.h"
#include "ctl/switchctl.h"
#include "ctl/words.h"

#include <stdio.h>
#include <string.h>

/* The row's words begin with those asked for. */
static bool asked_for(const struct grammar_command *row, const struct words *words, unsigned first)
{
	for (unsigned i = 0; first + i < words->n; i++) {
		if (i >= 2 || !row->words[i] || strcmp(row->words[i], words->word[first + i]) != 0)
			return false;
	}
	return true;
}

int help_run(const struct words *words, unsigned first)
{
	char syntax[512];
	unsigned shown = 0;

	for (int id = 0; id < N_COMMANDS; id++) {
		if (!asked_for(&grammar_commands[id], words, first))
			continue;
		grammar_syntax((enum command_id)id, syntax, sizeof(syntax));
		printf("%s\n    %s\n", syntax, grammar_commands[id].help);
		shown++;
	}
	if (shown)
		return EXIT_OK;
	fprintf(stderr, "switchctl: no command begins with \"%s\"; `switchctl help` lists all\n", words->word[first]);
	return EXIT_USAGE;
}
