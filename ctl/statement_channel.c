/* SPDX-License-Identifier: BSD-2-Clause */
/* `controller add` and `openflow listen`, read and printed. */
#include "ctl/statement.h"

#include "ctl/grammar.h"
#include "ctl/words.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_tls(const char *address)
{
	return !strncmp(address, "tls:", 4);
}

static int out_of_memory(struct grammar_problem *problem, const struct request *request)
{
	grammar_fault(problem, request, NULL, "", "out of memory");
	return -ENOMEM;
}

int statement_files(const struct request *request, const struct grammar_value *address, struct grammar_problem *problem)
{
	static const char *const words[] = {"cert", "key", "ca", "crl"};

	for (int i = 0; i < 4; i++) {
		const struct grammar_value *value = request_option(request, words[i]);

		if (value && !is_tls(address->text))
			return grammar_fault(problem, request, address, "tls:HOST:PORT",
				"%s is of TLS, and %s is bare TCP", words[i], address->text);
		if (!value && i < 3 && is_tls(address->text))
			return grammar_fault(problem, request, NULL, "cert FILE key FILE ca FILE",
				"TLS needs a certificate, its key and a CA: %s FILE", words[i]);
	}
	return 0;
}

static int read_path(
	const struct request *request, const char *word, const char *dir, char **ret, struct grammar_problem *problem)
{
	const struct grammar_value *value = request_option(request, word);
	char path[PATH_MAX];
	int n;

	if (!value)
		return 0;
	if (value->text[0] != '/' && !dir)
		return grammar_fault(problem, request, value, "an absolute path", "the daemon takes absolute paths");
	if (value->text[0] == '/')
		n = snprintf(path, sizeof(path), "%s", value->text);
	else
		n = snprintf(path, sizeof(path), "%s/%s", dir, value->text);
	if (n >= (int)sizeof(path))
		return grammar_fault(problem, request, value, "a shorter path", "the path is too long");
	*ret = strdup(path);
	return *ret ? 0 : out_of_memory(problem, request);
}

static void read_number(const struct request *request, const char *word, uint32_t *ret)
{
	const struct grammar_value *value = request_option(request, word);

	if (value)
		*ret = (uint32_t)value->number;
}

/* A burst that was not named follows the rate. */
static uint32_t burst_of(uint32_t rate)
{
	return rate / 4 > 64 ? rate / 4 : 64;
}

static void read_numbers(const struct request *request, struct channel_config *config)
{
	read_number(request, "rate-limit", &config->rate_limit);
	config->burst = burst_of(config->rate_limit);
	read_number(request, "burst", &config->burst);
	read_number(request, "max-backoff", &config->max_backoff_s);
	read_number(request, "inactivity-probe", &config->probe_s);
	read_number(request, "auxiliary", &config->auxiliary);
}

int statement_channel(
	const struct request *request, const char *dir, struct channel_config *ret, struct grammar_problem *problem)
{
	bool controller = request->id == CMD_CONTROLLER_ADD;
	struct channel_config config = channel_config_default(controller ? CHANNEL_CONTROLLER : CHANNEL_LISTENER);
	int err = statement_files(request, &request->args[1], problem);

	if (err)
		return err;
	config.address = strdup(request->args[1].text);
	err = config.address ? 0 : out_of_memory(problem, request);
	if (!err)
		err = read_path(request, "cert", dir, &config.cert, problem);
	if (!err)
		err = read_path(request, "key", dir, &config.key, problem);
	if (!err)
		err = read_path(request, "ca", dir, &config.ca, problem);
	if (!err)
		err = read_path(request, "crl", dir, &config.crl, problem);
	if (err) {
		channel_config_free(&config);
		return err;
	}
	if (controller)
		read_numbers(request, &config);
	*ret = config;
	return 0;
}

/* ---- the way back ---- */

struct printer {
	char *text;
	size_t size, used;
};

static void print(struct printer *p, const char *before, const char *word)
{
	size_t left = p->used < p->size ? p->size - p->used : 0;

	p->used += (size_t)snprintf(left ? p->text + p->used : NULL, left, "%s", before);
	left = p->used < p->size ? p->size - p->used : 0;
	p->used += words_quote(word, left ? p->text + p->used : NULL, left);
}

static void print_number(struct printer *p, const char *before, uint32_t number)
{
	char word[16];

	snprintf(word, sizeof(word), "%u", number);
	print(p, before, word);
}

size_t statement_print_channel(const char *bridge, const struct channel_config *config, char *text, size_t size)
{
	struct printer p = {.text = text, .size = size};
	bool controller = config->kind == CHANNEL_CONTROLLER;

	print(&p, controller ? "controller add " : "openflow listen ", bridge);
	print(&p, " ", config->address);
	if (controller && config->rate_limit != CHANNEL_DEFAULT_RATE_LIMIT)
		print_number(&p, " rate-limit ", config->rate_limit);
	if (controller && config->burst != burst_of(config->rate_limit))
		print_number(&p, " burst ", config->burst);
	if (controller && config->max_backoff_s != CHANNEL_DEFAULT_MAX_BACKOFF)
		print_number(&p, " max-backoff ", config->max_backoff_s);
	if (controller && config->probe_s != CHANNEL_DEFAULT_PROBE)
		print_number(&p, " inactivity-probe ", config->probe_s);
	if (controller && config->auxiliary)
		print_number(&p, " auxiliary ", config->auxiliary);
	if (config->cert)
		print(&p, " cert ", config->cert);
	if (config->key)
		print(&p, " key ", config->key);
	if (config->ca)
		print(&p, " ca ", config->ca);
	if (config->crl)
		print(&p, " crl ", config->crl);
	return p.used;
}
