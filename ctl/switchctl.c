/* SPDX-License-Identifier: BSD-2-Clause */
/* switchctl: the words of its command line become a line of the grammar, the daemon's reply becomes text. */
#include "ctl/switchctl.h"

#include "ctl/client.h"
#include "ctl/grammar.h"
#include "ctl/json.h"
#include "ctl/render.h"
#include "ctl/words.h"
#include "dataplane/complaint.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_RUN_DIR "/run/switchd"
#define DEFAULT_PKI     "/etc/switchd/pki"
#define STOP_WAIT_MS    10000
#define STOP_LOOK_MS    20

struct options {
	struct client_target target;
	bool json, help, version, complete;
	unsigned n_words;
	const char *words[WORDS_MAX];
};

/* ---- the command line ---- */

static void usage(FILE *out)
{
	fprintf(out,
		"usage: switchctl [--run-dir DIR | --connect tls:HOST:PORT [--cert F] [--key F] [--ca F]] [--json] "
		"COMMAND\n"
		"  --run-dir DIR   of the daemon (" DEFAULT_RUN_DIR ")\n"
		"  --connect …     over TLS, with certificate, key and CA (" DEFAULT_PKI
		"/client.crt, client.key, ca.crt)\n"
		"  --json          the result as JSON\n"
		"exit codes: 0 done, 1 refused, 2 not understood, 3 no daemon; `switchctl help` lists the commands\n");
}

/* --name VALUE or --name=VALUE. 1: taken; 0: another option; -EINVAL: the value is missing. */
static int take_value(int argc, char **argv, int *i, const char *name, const char **ret)
{
	size_t n = strlen(name);

	if (strncmp(argv[*i], name, n) != 0 || (argv[*i][n] && argv[*i][n] != '='))
		return 0;
	if (argv[*i][n] == '=') {
		*ret = argv[*i] + n + 1;
		return 1;
	}
	if (*i + 1 == argc) {
		fprintf(stderr, "switchctl: %s needs a value\n", name);
		return -EINVAL;
	}
	*ret = argv[++*i];
	return 1;
}

static int take_option(int argc, char **argv, int *i, struct options *options)
{
	const struct {
		const char *name;
		const char **value;
	} with_value[] = {{"--run-dir", &options->target.run_dir}, {"--connect", &options->target.connect},
		{"--cert", &options->target.cert}, {"--key", &options->target.key}, {"--ca", &options->target.ca}};
	const struct {
		const char *name;
		bool *flag;
	} flags[] = {{"--json", &options->json}, {"--help", &options->help}, {"-h", &options->help},
		{"--version", &options->version}};
	int taken;

	for (size_t k = 0; k < sizeof(with_value) / sizeof(with_value[0]); k++) {
		taken = take_value(argc, argv, i, with_value[k].name, with_value[k].value);
		if (taken)
			return taken;
	}
	for (size_t k = 0; k < sizeof(flags) / sizeof(flags[0]); k++) {
		if (!strcmp(argv[*i], flags[k].name)) {
			*flags[k].flag = true;
			return 1;
		}
	}
	return 0;
}

/*
 * Options may stand anywhere; an option of the command itself (--flush) that stands in front of it is moved behind.
 * Behind `--complete` nothing is an option: those are words that somebody is still typing.
 */
static int read_options(int argc, char **argv, struct options *ret)
{
	const char *early[WORDS_MAX];
	unsigned n_early = 0;
	int taken;

	*ret = (struct options){.target = {.run_dir = DEFAULT_RUN_DIR,
					.cert = DEFAULT_PKI "/client.crt",
					.key = DEFAULT_PKI "/client.key",
					.ca = DEFAULT_PKI "/ca.crt"}};
	for (int i = 1; i < argc; i++) {
		if (ret->n_words + n_early == WORDS_MAX) {
			fprintf(stderr, "switchctl: more than %d words\n", WORDS_MAX);
			return -EINVAL;
		}
		if (!ret->complete && !ret->n_words && !strcmp(argv[i], "--complete")) {
			ret->complete = true;
			continue;
		}
		taken = ret->complete ? 0 : take_option(argc, argv, &i, ret);
		if (taken < 0)
			return taken;
		if (taken)
			continue;
		if (!ret->complete && !ret->n_words && argv[i][0] == '-')
			early[n_early++] = argv[i];
		else
			ret->words[ret->n_words++] = argv[i];
	}
	for (unsigned i = 0; i < n_early; i++)
		ret->words[ret->n_words++] = early[i];
	return 0;
}

/* ---- the line ---- */

struct line {
	char *text;
	size_t used, size;
	bool full;
};

static void add_word(struct line *line, const char *word)
{
	size_t n = words_quote(word, NULL, 0);

	if (line->full || line->used + n + 2 > line->size) {
		line->full = true;
		return;
	}
	if (line->used)
		line->text[line->used++] = ' ';
	line->used += words_quote(word, line->text + line->used, line->size - line->used);
}

static int join(const char *const *words, unsigned n, char *text, size_t size)
{
	struct line line = {.text = text, .size = size};

	text[0] = '\0';
	for (unsigned i = 0; i < n; i++)
		add_word(&line, words[i]);
	if (!line.full)
		return 0;
	fprintf(stderr, "switchctl: the command is longer than %d bytes\n", WORDS_LINE_SIZE);
	return -EINVAL;
}

/* The daemon has another working directory: paths become absolute here. */
static void make_absolute(
	const struct request *request, const struct grammar_value *value, enum arg_kind kind, const char **words)
{
	char cwd[PATH_MAX], *path;

	if (kind != ARG_FILE || !value->given || value->text[0] == '/' || !getcwd(cwd, sizeof(cwd)))
		return;
	if (asprintf(&path, "%s/%s", cwd, value->text) < 0)
		abort();
	words[value->index] = path;
}

static void make_paths_absolute(const struct request *request, const char **words)
{
	const struct grammar_command *row = &grammar_commands[request->id];

	for (int i = 0; i < GRAMMAR_MAX_ARGS; i++)
		make_absolute(request, &request->args[i], row->args[i].kind, words);
	for (int i = 0; i < GRAMMAR_MAX_OPTIONS && row->options[i].word; i++)
		make_absolute(request, &request->options[i], row->options[i].value.kind, words);
}

/* ---- errors ---- */

static void say(const char *text)
{
	char safe[2600];

	words_printable(text, strlen(text), safe, sizeof(safe));
	fprintf(stderr, "switchctl: %s\n", safe);
}

static void say_expected(const char *expected)
{
	char safe[2600];

	words_printable(expected, strlen(expected), safe, sizeof(safe));
	if (*safe)
		fprintf(stderr, "expected: %s\n", safe);
}

static void show_progress(void *ctx, struct json_object *progress)
{
	if (!isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\r\033[K%llu of %llu: %.60s", render_number(progress, "done"),
		render_number(progress, "total"), render_text(progress, "what"));
	if (render_number(progress, "done") == render_number(progress, "total"))
		fprintf(stderr, "\r\033[K");
}

struct json_object *switchctl_ask(struct client *client, const char *line, int *ret_exit)
{
	struct json_object *reply, *ok, *result = NULL;
	struct complaint c;

	if (client_ask(client, line, show_progress, NULL, &reply, &c)) {
		say(c.text);
		*ret_exit = EXIT_NO_DAEMON;
		return NULL;
	}
	if (json_object_object_get_ex(reply, "ok", &ok) && json_object_get_boolean(ok)) {
		if (!json_object_object_get_ex(reply, "result", &result))
			result = json_object_new_object();
		else
			json_object_get(result);
		json_object_put(reply);
		*ret_exit = EXIT_OK;
		return result;
	}
	say(render_text(reply, "error"));
	*ret_exit = !strcmp(render_text(reply, "kind"), "usage") ? EXIT_USAGE : EXIT_REFUSED;
	if (*ret_exit == EXIT_USAGE)
		say_expected(render_text(reply, "expected"));
	json_object_put(reply);
	return NULL;
}

static int misused(const struct grammar_problem *problem)
{
	say(problem->text);
	if (problem->not_yet)
		return EXIT_REFUSED;
	say_expected(problem->expected);
	return EXIT_USAGE;
}

/* ---- running ---- */

static int print_result(enum command_id id, struct json_object *result, bool json)
{
	if (json)
		printf("%s\n", json_object_to_json_string_ext(
				       result, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	else
		render_result(id, result, stdout);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "switchctl: cannot write the result: %s\n", strerror(errno));
		return EXIT_REFUSED;
	}
	return EXIT_OK;
}

/* Two samples a second apart. */
static int show_rates(struct client *client, struct json_object *before)
{
	struct json_object *after;
	int exit_code;

	sleep(1);
	after = switchctl_ask(client, "stats", &exit_code);
	if (!after)
		return exit_code;
	render_result(CMD_STATS, after, stdout);
	printf("\n");
	render_rates(before, after, stdout);
	json_object_put(after);
	return EXIT_OK;
}

static int ask_and_show(struct client *client, const char *line, const struct request *request, bool json)
{
	struct json_object *result;
	int exit_code;

	result = switchctl_ask(client, line, &exit_code);
	if (!result)
		return exit_code;
	if (request->id == CMD_STATS && !json && !request_option(request, "once"))
		exit_code = show_rates(client, result);
	else
		exit_code = print_result(request->id, result, json);
	json_object_put(result);
	return exit_code;
}

/* The local grammar did not understand the line; a daemon of another version may. */
static int ask_anyway(struct client *client, const char *line)
{
	struct json_object *result;
	int exit_code;

	result = switchctl_ask(client, line, &exit_code);
	if (result)
		exit_code = print_result(N_COMMANDS, result, true);
	json_object_put(result);
	return exit_code;
}

/* The daemon holds a lock on its pid file to its very end. True when that has come, within STOP_WAIT_MS. */
static bool has_ended(const char *run_dir)
{
	const struct timespec a_while = {.tv_nsec = STOP_LOOK_MS * 1000000L};
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s/switchd.pid", run_dir) >= (int)sizeof(path))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	for (int waited_ms = 0; waited_ms < STOP_WAIT_MS; waited_ms += STOP_LOOK_MS) {
		if (!flock(fd, LOCK_SH | LOCK_NB)) {
			close(fd);
			return true;
		}
		nanosleep(&a_while, NULL);
	}
	close(fd);
	return false;
}

/* `daemon stop` is done when the daemon is gone, so that the next one can be started behind it. */
static int wait_for_end(const struct options *options)
{
	if (options->target.connect || has_ended(options->target.run_dir))
		return EXIT_OK;
	say("the daemon has not ended yet; its log may say why");
	return EXIT_REFUSED;
}

static int no_daemon(int err, const struct complaint *c)
{
	say(c->text);
	return err == -EINVAL ? EXIT_USAGE : EXIT_NO_DAEMON;
}

static int ask_daemon(struct options *options, const struct request *request, const struct grammar_problem *problem)
{
	static char line[WORDS_LINE_SIZE + 1];
	struct client *client = NULL;
	struct complaint c;
	int err, exit_code;

	if (!problem)
		make_paths_absolute(request, options->words);
	if (join(options->words, options->n_words, line, sizeof(line)))
		return EXIT_USAGE;
	err = client_open(&options->target, &client, &c);
	if (err)
		return problem ? misused(problem) : no_daemon(err, &c);
	if (problem)
		exit_code = ask_anyway(client, line);
	else if (request->id == CMD_WATCH)
		exit_code = watch_run(client, request, options->json);
	else
		exit_code = ask_and_show(client, line, request, options->json);
	client_close(client);
	if (!problem && request->id == CMD_DAEMON_STOP && exit_code == EXIT_OK)
		exit_code = wait_for_end(options);
	return exit_code;
}

static int run(struct options *options)
{
	static char line[WORDS_LINE_SIZE + 1];
	static struct words words;
	struct grammar_problem problem;
	struct request request;
	struct complaint c;
	unsigned column;

	if (join(options->words, options->n_words, line, sizeof(line)))
		return EXIT_USAGE;
	if (words_split(line, strlen(line), &words, &column, &c)) {
		say(c.text);
		return EXIT_USAGE;
	}
	if (grammar_parse(&words, &request, &problem))
		return ask_daemon(options, &request, &problem);
	if (request.id == CMD_VERSION && !options->json)
		printf("switchctl %s\n", SWITCHD_VERSION);
	if (request.id == CMD_HELP)
		return help_run(&words, request.rest);
	if (request.id == CMD_PKI_INIT)
		return pki_run(&request);
	return ask_daemon(options, &request, NULL);
}

static int complete(const struct options *options)
{
	struct client *client = NULL;
	struct complaint c;
	int exit_code;

	if (client_open(&options->target, &client, &c))
		client = NULL;
	exit_code = complete_run(options->words, options->n_words, client);
	client_close(client);
	return exit_code;
}

int main(int argc, char **argv)
{
	static struct options options;

	signal(SIGPIPE, SIG_IGN);
	if (read_options(argc, argv, &options))
		return EXIT_USAGE;
	if (options.complete)
		return complete(&options);
	if (options.version) {
		printf("switchctl %s\n", SWITCHD_VERSION);
		return EXIT_OK;
	}
	if (options.help) {
		usage(stdout);
		return EXIT_OK;
	}
	if (!options.n_words) {
		usage(stderr);
		return EXIT_USAGE;
	}
	return run(&options);
}
