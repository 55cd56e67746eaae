/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/grammar.h"

#include "ofp/address.h"
#include "ctl/value.h"
#include "ctl/words.h"
#include "dataplane/complaint.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_EXPECTED 64

/* Something that could stand at the word that the parser looks at: a word, or a value. */
struct item {
	const char *word;
	size_t size;
	const struct grammar_arg *arg;
};

struct parser {
	const struct words *words;
	unsigned at;
	struct request *request;
	const struct grammar_command *command;
	const char *option; /* whose value is read; NULL: none */
	struct grammar_problem *problem;
	unsigned n_expected;
	struct item expected[MAX_EXPECTED];
};

/* Words of what later issues bring. */
static const char *const not_yet[] = {
	"flow",
	"flows",
	"group",
	"groups",
	"meter",
	"meters",
	"table",
	"tables",
	"bond",
	"tunnel",
};

/* ---- what was expected ---- */

static void expect_word(struct parser *p, const char *word, size_t size)
{
	for (unsigned i = 0; i < p->n_expected; i++) {
		if (p->expected[i].word && p->expected[i].size == size && !memcmp(p->expected[i].word, word, size))
			return;
	}
	if (p->n_expected < MAX_EXPECTED)
		p->expected[p->n_expected++] = (struct item){.word = word, .size = size};
}

static void expect(struct parser *p, const struct grammar_arg *arg)
{
	const char *word = arg->choices;

	if (arg->kind == ARG_CHOICE) {
		for (size_t n; *word; word += n + (word[n] == '|')) {
			n = strcspn(word, "|");
			expect_word(p, word, n);
		}
	} else if (arg->kind == ARG_VLAN) {
		expect_word(p, "open", 4);
		expect_word(p, "access", 6);
		expect_word(p, "trunk", 5);
	} else if (p->n_expected < MAX_EXPECTED) {
		p->expected[p->n_expected++] = (struct item){.arg = arg};
	}
}

static void advance(struct parser *p)
{
	p->at++;
	p->n_expected = 0;
}

static const char *word_now(const struct parser *p)
{
	return p->at < p->words->n ? p->words->word[p->at] : NULL;
}

static void append(char *text, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void append(char *text, size_t size, const char *format, ...)
{
	size_t used = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + used, size - used, format, args);
	va_end(args);
}

static void describe_value(const struct grammar_arg *arg, char *text, size_t size)
{
	switch (arg->kind) {
	case ARG_NUMBER:
		append(text, size, "%s from %llu to %llu", arg->name, (unsigned long long)arg->min,
			(unsigned long long)arg->max);
		break;
	case ARG_BRIDGE:
	case ARG_PORT:
	case ARG_DEVICE:
	case ARG_MIRROR:
	case ARG_NAME:
		append(text, size, "%s (1 to 15 of A-Z a-z 0-9 _ . -)", arg->name);
		break;
	case ARG_MAC:
		append(text, size, "%s (as 02:00:00:00:00:01)", arg->name);
		break;
	case ARG_TARGET:
		append(text, size, "%s (tcp:HOST:PORT or tls:HOST:PORT)", arg->name);
		break;
	case ARG_CPUS:
		append(text, size, "%s (as 0,2-3, or none)", arg->name);
		break;
	case ARG_DPID:
		append(text, size, "%s (16 hex digits, or 0x and fewer)", arg->name);
		break;
	default:
		append(text, size, "%s", arg->name);
	}
}

static void describe_expected(const struct parser *p, char *text, size_t size)
{
	text[0] = '\0';
	for (unsigned i = 0; i < p->n_expected; i++) {
		if (i)
			append(text, size, ", ");
		if (p->expected[i].arg)
			describe_value(p->expected[i].arg, text, size);
		else
			append(text, size, "%.*s", (int)p->expected[i].size, p->expected[i].word);
	}
	if (!p->n_expected)
		append(text, size, "nothing more");
}

static void name_word(struct grammar_problem *problem, const struct words *words, unsigned index)
{
	if (index >= words->n) {
		problem->column = 0;
		problem->word[0] = '\0';
		return;
	}
	problem->column = words->column[index];
	words_printable(words->word[index], strlen(words->word[index]), problem->word, sizeof(problem->word));
}

static unsigned smallest(unsigned a, unsigned b, unsigned c)
{
	unsigned least = a < b ? a : b;

	return least < c ? least : c;
}

/* Edits between two short words (Levenshtein); words over 31 bytes are far from everything. */
static unsigned distance(const char *a, const char *b, size_t b_size)
{
	unsigned row[32], diagonal, above;
	size_t a_size = strlen(a);

	if (a_size > 31 || b_size > 31)
		return 99;
	for (size_t j = 0; j <= b_size; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= a_size; i++) {
		diagonal = row[0];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_size; j++) {
			above = row[j];
			row[j] = smallest(row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[b_size];
}

/* Most letters are the same, or the first is: "tun" is near to "tap", "set" is far from "del". */
static bool is_near(const char *word, const struct item *item, unsigned d)
{
	return 2 * d <= item->size || (d < item->size && word[0] == item->word[0]);
}

static void suggest(const struct parser *p, const char *word)
{
	const struct item *nearest = NULL;
	unsigned least = 3, d;

	for (unsigned i = 0; i < p->n_expected; i++) {
		if (!p->expected[i].word)
			continue;
		d = distance(word, p->expected[i].word, p->expected[i].size);
		if (d < least && is_near(word, &p->expected[i], d)) {
			least = d;
			nearest = &p->expected[i];
		}
	}
	if (nearest)
		append(p->problem->text, sizeof(p->problem->text), "; did you mean \"%.*s\"?", (int)nearest->size,
			nearest->word);
}

#define ONE_WORD "; a list is one word: leave out the blank at the comma"

/* What the parser looks at is a piece of a list that blanks have torn up. */
static bool is_parted(const struct parser *p)
{
	const char *word = word_now(p), *before = p->at ? p->words->word[p->at - 1] : "";

	return word && (word[0] == ',' || (*before && before[strlen(before) - 1] == ',') ||
			       (*word && word[strlen(word) - 1] == ',' && p->at + 1 < p->words->n));
}

static void begin_text(struct parser *p)
{
	p->problem->text[0] = '\0';
	if (p->option)
		append(p->problem->text, sizeof(p->problem->text), "%s: ", p->option);
}

/* The word that the parser looks at cannot stand there. */
static int refuse(struct parser *p)
{
	struct grammar_problem *problem = p->problem;
	const char *word = word_now(p);

	name_word(problem, p->words, p->at);
	describe_expected(p, problem->expected, sizeof(problem->expected));
	begin_text(p);
	if (!word) {
		append(problem->text, sizeof(problem->text), "the line ends too soon");
		return -EINVAL;
	}
	append(problem->text, sizeof(problem->text), p->n_expected ? "unknown word \"%s\"" : "\"%s\" is one too many",
		problem->word);
	if (is_parted(p))
		append(problem->text, sizeof(problem->text), ONE_WORD);
	else
		suggest(p, word);
	return -EINVAL;
}

static int refuse_value(struct parser *p, const char *why)
{
	name_word(p->problem, p->words, p->at);
	describe_expected(p, p->problem->expected, sizeof(p->problem->expected));
	begin_text(p);
	append(p->problem->text, sizeof(p->problem->text), "\"%s\" %s%s", p->problem->word, why,
		is_parted(p) ? ONE_WORD : "");
	return -EINVAL;
}

/* ---- values ---- */

static int number(struct parser *p, const struct grammar_arg *arg, uint64_t *ret)
{
	uint64_t n;

	if (!value_number(word_now(p), &n))
		return refuse_value(p, "is not a number");
	if (n < arg->min || n > arg->max)
		return refuse_value(p, "is out of range");
	*ret = n;
	return 0;
}

static int one_word(struct parser *p, const struct grammar_arg *arg, struct grammar_value *value)
{
	const char *text = word_now(p);
	struct address address;
	struct complaint c;

	switch (arg->kind) {
	case ARG_BRIDGE:
	case ARG_PORT:
	case ARG_DEVICE:
	case ARG_MIRROR:
	case ARG_NAME:
		return value_is_name(text) ? 0 : refuse_value(p, "cannot be a name");
	case ARG_NETNS:
		return value_is_netns(text) ? 0 : refuse_value(p, "cannot be a network namespace's name");
	case ARG_MAC:
		return value_mac(text, value->mac) ? 0 : refuse_value(p, "is not a MAC address");
	case ARG_NUMBER:
		return number(p, arg, &value->number);
	case ARG_CHOICE:
		return value_choice(arg->choices, text, &value->number) ? 0 : refuse(p);
	case ARG_FILE:
		return *text && strlen(text) < 4096 ? 0 : refuse_value(p, "cannot be a path");
	case ARG_ADDRESS:
	case ARG_TARGET:
		if (address_parse(text, arg->kind == ARG_TARGET, &address, &c))
			return refuse_value(p, c.text);
		return 0;
	case ARG_CPUS:
		return cpu_list_parse(text, SW_MAX_SPREAD, &p->request->cpus, &c) ? refuse_value(p, c.text) : 0;
	case ARG_DPID:
		return value_dpid(text, &value->number) ? 0 : refuse_value(p, "is not a datapath id");
	default:
		return *text ? 0 : refuse_value(p, "is empty");
	}
}

static const struct grammar_arg vid_arg = {.kind = ARG_NUMBER, .name = "VID", .min = 1, .max = 4094};
static const struct grammar_arg list_arg = {.kind = ARG_TEXT, .name = "VID,VID-VID… or all"};

/* A VID that must follow. */
static int vid(struct parser *p)
{
	uint64_t ignored;

	advance(p);
	expect(p, &vid_arg);
	return word_now(p) ? number(p, &vid_arg, &ignored) : refuse(p);
}

static bool next_is(struct parser *p, const char *word)
{
	expect_word(p, word, strlen(word));
	return word_now(p) && !strcmp(word_now(p), word);
}

/* "trunk LIST [native VID [tagged]]"; stops at the first word that is not its own. */
static int vlan_trunk(struct parser *p)
{
	int err;

	advance(p);
	expect(p, &list_arg);
	if (!word_now(p))
		return refuse(p);
	if (strcmp(word_now(p), "all") != 0 && strspn(word_now(p), "0123456789,-") != strlen(word_now(p)))
		return refuse_value(p, "is not a list of VLANs");
	advance(p);
	if (!next_is(p, "native"))
		return 0;
	err = vid(p);
	if (err)
		return err;
	advance(p);
	if (next_is(p, "tagged"))
		advance(p);
	return 0;
}

static int vlan(struct parser *p, const struct grammar_arg *arg)
{
	unsigned first = p->at;
	const char *mode = word_now(p);
	struct complaint c = {0};
	int err = 0;

	if (!strcmp(mode, "access")) {
		err = vid(p);
		if (!err)
			advance(p);
	} else if (!strcmp(mode, "trunk")) {
		err = vlan_trunk(p);
	} else if (!strcmp(mode, "open")) {
		advance(p);
	} else {
		return refuse(p);
	}
	if (err)
		return err;
	err = vlan_parse(p->words->word + first, p->at - first, &p->request->vlan, &c);
	if (err) {
		/* Every word but the list was checked above. */
		p->at = first + 1;
		p->n_expected = 0;
		expect(p, &list_arg);
		refuse_value(p, "");
		begin_text(p);
		append(p->problem->text, sizeof(p->problem->text), "%s%s", c.text, is_parted(p) ? ONE_WORD : "");
	}
	return err;
}

/* Takes the value at hand. */
static int take(struct parser *p, const struct grammar_arg *arg, struct grammar_value *value)
{
	int err;

	p->n_expected = 0;
	expect(p, arg);
	if (!word_now(p))
		return refuse(p);
	value->given = true;
	value->index = p->at;
	value->text = word_now(p);
	if (arg->kind == ARG_VLAN)
		return vlan(p, arg);
	err = one_word(p, arg, value);
	if (!err)
		advance(p);
	return err;
}

/* ---- commands ---- */

static bool row_begins(const struct grammar_command *row, const struct words *words, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (!row->words[i] || strcmp(row->words[i], words->word[i]) != 0)
			return false;
	}
	return true;
}

static int refuse_command(struct parser *p)
{
	const char *word = word_now(p);
	int err = refuse(p);

	if (word && p->at == 1 && !strcmp(p->words->word[0], "mirror") && !strcmp(word, "set"))
		append(p->problem->text, sizeof(p->problem->text),
			"; a mirror is changed by mirror del and mirror add");
	for (size_t i = 0; word && p->at == 0 && i < sizeof(not_yet) / sizeof(not_yet[0]); i++) {
		if (strcmp(word, not_yet[i]) != 0)
			continue;
		p->problem->not_yet = true;
		snprintf(p->problem->text, sizeof(p->problem->text), "\"%s\" is not there yet", not_yet[i]);
	}
	return err;
}

/* Finds the row whose words begin the line. */
static int find_command(struct parser *p)
{
	for (unsigned depth = 0; depth < 2; depth++) {
		p->command = NULL;
		for (int id = 0; id < N_COMMANDS; id++) {
			const struct grammar_command *row = &grammar_commands[id];

			if (!row_begins(row, p->words, depth) || !row->words[depth])
				continue;
			expect_word(p, row->words[depth], strlen(row->words[depth]));
			if (word_now(p) && row_begins(row, p->words, depth + 1)) {
				p->command = row;
				p->request->id = (enum command_id)id;
			}
		}
		if (!p->command)
			return refuse_command(p);
		advance(p);
		if (!p->command->words[1])
			break;
	}
	return 0;
}

static const char *bare(const char *word)
{
	return strncmp(word, "--", 2) == 0 ? word + 2 : word;
}

static int find_option(const struct parser *p, const char *word)
{
	const struct grammar_option *options = p->command->options;

	for (int i = 0; i < GRAMMAR_MAX_OPTIONS && options[i].word; i++) {
		if (!strcmp(options[i].word, bare(word)))
			return i;
	}
	return -1;
}

static void expect_options(struct parser *p)
{
	const struct grammar_option *options = p->command->options;

	for (int i = 0; i < GRAMMAR_MAX_OPTIONS && options[i].word; i++) {
		if (!p->request->options[i].given)
			expect_word(p, options[i].word, strlen(options[i].word));
	}
}

static int arguments(struct parser *p)
{
	const struct grammar_arg *arg;
	int err;

	for (int i = 0; i < GRAMMAR_MAX_ARGS && p->command->args[i].kind; i++) {
		arg = &p->command->args[i];
		if (arg->optional && (!word_now(p) || find_option(p, word_now(p)) >= 0)) {
			expect(p, arg);
			return 0;
		}
		if (arg->kind == ARG_WORDS && word_now(p)) {
			p->request->rest = p->at;
			p->at = p->words->n;
			return 0;
		}
		err = take(p, arg, &p->request->args[i]);
		if (err)
			return err;
	}
	return 0;
}

/* What must be there by the end of the line. */
static int complete(struct parser *p)
{
	const struct grammar_option *options = p->command->options;
	bool any = false, missing = false;

	for (int i = 0; i < GRAMMAR_MAX_OPTIONS && options[i].word; i++) {
		any |= p->request->options[i].given;
		missing |= options[i].required && !p->request->options[i].given;
	}
	if (missing || ((p->command->flags & COMMAND_NEEDS_OPTION) && !any))
		return refuse(p);
	return 0;
}

static int options(struct parser *p)
{
	struct grammar_value *value;
	int i, err;

	for (;;) {
		expect_options(p);
		if (!word_now(p))
			return complete(p);
		i = find_option(p, word_now(p));
		if (i < 0)
			return refuse(p);
		value = &p->request->options[i];
		if (value->given)
			return refuse_value(p, "stands there twice");
		value->given = true;
		value->index = p->at;
		value->text = word_now(p);
		advance(p);
		if (!p->command->options[i].value.kind)
			continue;
		p->option = p->command->options[i].word;
		err = take(p, &p->command->options[i].value, value);
		if (err)
			return err;
		p->option = NULL;
	}
}

static int parse(struct parser *p)
{
	int err = find_command(p);

	if (!err)
		err = arguments(p);
	if (!err)
		err = options(p);
	return err;
}

int grammar_parse(const struct words *words, struct request *ret, struct grammar_problem *problem)
{
	struct parser p = {.words = words, .request = ret, .problem = problem};

	memset(ret, 0, sizeof(*ret));
	memset(problem, 0, sizeof(*problem));
	ret->words = words;
	ret->rest = words->n;
	return parse(&p);
}

const struct grammar_value *request_option(const struct request *request, const char *word)
{
	const struct grammar_option *options = grammar_commands[request->id].options;

	for (int i = 0; i < GRAMMAR_MAX_OPTIONS && options[i].word; i++) {
		if (!strcmp(options[i].word, word))
			return request->options[i].given ? &request->options[i] : NULL;
	}
	return NULL;
}

int grammar_fault(struct grammar_problem *problem, const struct request *request, const struct grammar_value *value,
	const char *expected, const char *format, ...)
{
	va_list args;

	memset(problem, 0, sizeof(*problem));
	name_word(problem, request->words, value ? value->index : request->words->n);
	snprintf(problem->expected, sizeof(problem->expected), "%s", expected);
	va_start(args, format);
	vsnprintf(problem->text, sizeof(problem->text), format, args);
	va_end(args);
	return -EINVAL;
}

void grammar_complete(const struct words *words,
	void (*each)(void *ctx, const char *word, size_t word_size, const struct grammar_arg *arg), void *ctx)
{
	struct grammar_problem problem = {0};
	struct request request = {.words = words};
	struct parser p = {.words = words, .request = &request, .problem = &problem};

	parse(&p);
	if (p.at < words->n)
		return;
	for (unsigned i = 0; i < p.n_expected; i++)
		each(ctx, p.expected[i].word, p.expected[i].size, p.expected[i].arg);
}

/* ---- help ---- */

static void spell_value(const struct grammar_arg *arg, char *text, size_t size)
{
	if (arg->kind == ARG_CHOICE)
		append(text, size, " %s", arg->choices);
	else if (arg->kind == ARG_VLAN)
		append(text, size, " open|access VID|trunk LIST [native VID [tagged]]");
	else if (arg->kind)
		append(text, size, arg->optional ? " [%s]" : " %s", arg->name);
}

size_t grammar_syntax(enum command_id id, char *text, size_t size)
{
	const struct grammar_command *row = &grammar_commands[id];
	char line[512] = "";

	append(line, sizeof(line), "%s", row->words[0]);
	if (row->words[1])
		append(line, sizeof(line), " %s", row->words[1]);
	for (int i = 0; i < GRAMMAR_MAX_ARGS; i++)
		spell_value(&row->args[i], line, sizeof(line));
	for (int i = 0; i < GRAMMAR_MAX_OPTIONS && row->options[i].word; i++) {
		append(line, sizeof(line), row->options[i].required ? " %s" : " [%s", row->options[i].word);
		spell_value(&row->options[i].value, line, sizeof(line));
		if (!row->options[i].required)
			append(line, sizeof(line), "]");
	}
	return (size_t)snprintf(text, size, "%s", line);
}
