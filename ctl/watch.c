/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A live view in plain ANSI. On a terminal it draws over itself until q or ctrl-C; elsewhere it prints one frame after
 * another, one unless told.
 */
#include "ctl/client.h"
#include "ctl/grammar.h"
#include "ctl/json.h"
#include "ctl/render.h"
#include "ctl/switchctl.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define FLOWS_ASKED "cache show limit 200"

struct sample {
	struct json_object *stats, *flows;
};

static volatile sig_atomic_t interrupted;

static void interrupt(int signal_number)
{
	interrupted = 1;
}

/* ---- the terminal ---- */

static bool enter_screen(struct termios *saved)
{
	struct termios raw;
	struct sigaction action = {.sa_handler = interrupt};

	if (!isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, saved))
		return false;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	raw = *saved;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	printf("\033[?1049h\033[?25l");
	return true;
}

static void leave_screen(const struct termios *saved)
{
	printf("\033[?25h\033[?1049l");
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSANOW, saved);
}

static unsigned screen_rows(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || size.ws_row < 10 ? 24 : size.ws_row;
}

static unsigned screen_columns(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || size.ws_col < 20 ? 80 : size.ws_col;
}

/* True: it is time for the next frame. False: somebody wants to leave. */
static bool wait_for(unsigned seconds, bool screen)
{
	struct pollfd keyboard = {.fd = STDIN_FILENO, .events = POLLIN};
	struct timespec now, until;
	long left_ms;
	char key;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += seconds;
	while (!interrupted) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		left_ms = (until.tv_sec - now.tv_sec) * 1000 + (until.tv_nsec - now.tv_nsec) / 1000000;
		if (left_ms <= 0)
			return true;
		if (poll(&keyboard, screen ? 1 : 0, (int)left_ms) > 0 &&
			(read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q'))
			return false;
	}
	return false;
}

/* ---- frames ---- */

static bool take(struct client *client, struct sample *ret, int *ret_exit)
{
	ret->flows = NULL;
	ret->stats = switchctl_ask(client, "stats", ret_exit);
	if (ret->stats)
		ret->flows = switchctl_ask(client, FLOWS_ASKED, ret_exit);
	return ret->flows != NULL;
}

static void give_back(struct sample *sample)
{
	json_object_put(sample->stats);
	json_object_put(sample->flows);
	*sample = (struct sample){0};
}

static void draw(const struct sample *before, const struct sample *now, unsigned n_flows, FILE *out)
{
	char clock[32];
	time_t t = time(NULL);
	struct tm tm;

	strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&t, &tm));
	fprintf(out, "switchd  %s  %llu flows  %llu addresses\n\n", clock, render_number(now->stats, "flows"),
		render_number(now->stats, "addresses"));
	render_rates(before->stats, now->stats, out);
	fprintf(out, "\n");
	render_top_flows(before->flows, now->flows, render_interval(before->stats, now->stats), n_flows, out);
}

/* Lines are cut at the screen's edge, so that what does not fit does not push the rest away. */
static void put_on_screen(char *text)
{
	unsigned rows = screen_rows(), columns = screen_columns();
	char *saved, *line = text;

	printf("\033[H");
	for (unsigned row = 0; line && row + 1 < rows; row++) {
		saved = strchr(line, '\n');
		printf("%.*s\033[K\n", (int)(saved && saved - line < columns ? saved - line : columns), line);
		line = saved && saved[1] ? saved + 1 : NULL;
	}
	printf("\033[J\033[7m q quits \033[0m");
	fflush(stdout);
}

static void show(const struct sample *before, const struct sample *now, bool screen, bool json)
{
	char *text = NULL;
	size_t size;
	FILE *out;

	if (json) {
		printf("%s\n", json_object_to_json_string_ext(
				       now->stats, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
		fflush(stdout);
		return;
	}
	out = screen ? open_memstream(&text, &size) : stdout;
	if (!out)
		return;
	draw(before, now, screen ? screen_rows() : 20, out);
	if (!screen) {
		printf("\n");
		fflush(stdout);
		return;
	}
	fclose(out);
	put_on_screen(text);
	free(text);
}

int watch_run(struct client *client, const struct request *request, bool json)
{
	const struct grammar_value *count = request_option(request, "count");
	const struct grammar_value *interval = request_option(request, "interval");
	struct sample before = {0}, now = {0};
	struct termios saved;
	int exit_code = EXIT_OK;
	bool screen;
	uint64_t left;

	if (!take(client, &before, &exit_code)) {
		give_back(&before);
		return exit_code;
	}
	screen = !json && enter_screen(&saved);
	left = count ? count->number : screen ? UINT64_MAX : 1;
	while (left-- && wait_for(interval ? (unsigned)interval->number : 1, screen)) {
		if (!take(client, &now, &exit_code))
			break;
		show(&before, &now, screen, json);
		give_back(&before);
		before = now;
		now = (struct sample){0};
		if (ferror(stdout))
			break;
	}
	if (screen)
		leave_screen(&saved);
	give_back(&before);
	give_back(&now);
	return exit_code;
}
