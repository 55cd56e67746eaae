/* SPDX-License-Identifier: BSD-2-Clause */
/* Completion: the grammar says what could stand there, the daemon says which names there are. */
#include "ctl/client.h"
#include "ctl/grammar.h"
#include "ctl/json.h"
#include "ctl/render.h"
#include "ctl/switchctl.h"
#include "ctl/value.h"
#include "ctl/words.h"
#include "dataplane/complaint.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

struct offer {
	struct client *client;
	const char *bridge; /* that the line names; NULL: none */
	const char *prefix;
};

static void offer_word(const struct offer *offer, const char *word, size_t size)
{
	size_t n = strlen(offer->prefix);

	if (size >= n && !memcmp(word, offer->prefix, n))
		printf("%.*s\n", (int)size, word);
}

/* Of a list with commas: as far as it goes, and one more, if that is not in it yet. */
static void offer_more(const struct offer *offer, const char *word)
{
	const char *comma = strrchr(offer->prefix, ',');
	size_t n = comma ? (size_t)(comma - offer->prefix) + 1 : 0;
	char list[1024];

	for (const char *at = offer->prefix; at < offer->prefix + n; at += strcspn(at, ",") + 1) {
		if (strcspn(at, ",") == strlen(word) && !strncmp(at, word, strlen(word)))
			return;
	}
	if ((size_t)snprintf(list, sizeof(list), "%.*s%s", (int)n, offer->prefix, word) < sizeof(list))
		offer_word(offer, list, strlen(list));
}

static void offer_one(const struct offer *offer, const char *word)
{
	offer_word(offer, word, strlen(word));
}

/* Every name of what `show` lists. */
static void offer_names(const struct offer *offer, const char *command, const char *list,
	void (*each)(const struct offer *offer, const char *name))
{
	struct json_object *reply, *result, *array;
	struct complaint c;

	if (!offer->client || client_ask(offer->client, command, NULL, NULL, &reply, &c))
		return;
	if (json_object_object_get_ex(reply, "result", &result) && json_object_object_get_ex(result, list, &array)) {
		for (size_t i = 0; i < json_object_array_length(array); i++)
			each(offer, render_text(json_object_array_get_idx(array, i), "name"));
	}
	json_object_put(reply);
}

/* Of the bridge that the line names, or of all. */
static void offer_on_bridge(const struct offer *offer, const char *command, const char *list,
	void (*each)(const struct offer *offer, const char *name))
{
	char line[100];

	snprintf(line, sizeof(line), "%s %s", command, offer->bridge ? offer->bridge : "");
	offer_names(offer, line, list, each);
}

/* Those of this machine. */
static void offer_cpus(const struct offer *offer)
{
	struct cpu_list online;
	char text[CPU_LIST_SIZE];

	if (cpu_list_online(&online))
		return;
	if (!strchr(offer->prefix, ',')) {
		offer_one(offer, "none");
		if (cpu_list_format(&online, text, sizeof(text)) < sizeof(text))
			offer_one(offer, text);
	}
	for (int cpu = cpu_list_next(&online, 0); cpu >= 0; cpu = cpu_list_next(&online, (unsigned)cpu + 1)) {
		snprintf(text, sizeof(text), "%d", cpu);
		offer_more(offer, text);
	}
}

/* The result of `port show`, to be put by json_object_put(), or NULL. */
static struct json_object *ask_for_ports(const struct offer *offer)
{
	struct json_object *reply;
	struct complaint c;

	if (!offer->client || client_ask(offer->client, "port show", NULL, NULL, &reply, &c))
		return NULL;
	return reply;
}

static bool is_taken(struct json_object *reply, const char *device)
{
	struct json_object *result, *ports;

	if (!reply || !json_object_object_get_ex(reply, "result", &result) ||
		!json_object_object_get_ex(result, "ports", &ports))
		return false;
	for (size_t i = 0; i < json_object_array_length(ports); i++) {
		if (!strcmp(render_text(json_object_array_get_idx(ports, i), "device"), device))
			return true;
	}
	return false;
}

/* The devices of this namespace that are no port's. */
static void offer_devices(const struct offer *offer)
{
	struct json_object *ports = ask_for_ports(offer);
	DIR *dir = opendir("/sys/class/net");
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] != '.' && !is_taken(ports, entry->d_name))
			offer_word(offer, entry->d_name, strlen(entry->d_name));
	}
	if (dir)
		closedir(dir);
	json_object_put(ports);
}

static void offer_entries(const struct offer *offer, const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] != '.')
			offer_word(offer, entry->d_name, strlen(entry->d_name));
	}
	if (dir)
		closedir(dir);
}

static void each(void *ctx, const char *word, size_t word_size, const struct grammar_arg *arg)
{
	const struct offer *offer = ctx;

	if (word) {
		offer_word(offer, word, word_size);
		return;
	}
	switch (arg->kind) {
	case ARG_BRIDGE:
		offer_names(offer, "bridge show", "bridges", offer_one);
		break;
	case ARG_PORT:
	case ARG_MIRROR:
		offer_on_bridge(offer, arg->kind == ARG_PORT ? "port show" : "mirror show",
			arg->kind == ARG_PORT ? "ports" : "mirrors", offer_one);
		if (!strncmp(arg->name, "BRIDGE-OR-", strlen("BRIDGE-OR-")))
			offer_names(offer, "bridge show", "bridges", offer_one);
		break;
	case ARG_PORTS:
		offer_on_bridge(offer, "port show", "ports", offer_more);
		break;
	case ARG_CPUS:
		offer_cpus(offer);
		break;
	case ARG_DEVICE:
		offer_devices(offer);
		break;
	case ARG_NETNS:
		offer_entries(offer, "/run/netns");
		break;
	case ARG_FILE:
		printf(!strcmp(arg->name, "DIR") ? "@dir\n" : "@file\n");
		break;
	case ARG_TARGET:
		offer_word(offer, "tcp:", 4);
		offer_word(offer, "tls:", 4);
		break;
	case ARG_ADDRESS:
		offer_word(offer, "tls:", 4);
		break;
	default:
		break;
	}
}

int complete_run(const char *const *given, unsigned n, struct client *client)
{
	static struct words words;
	struct offer offer = {.client = client, .prefix = n ? given[n - 1] : ""};

	for (unsigned i = 0; i + 1 < n; i++)
		words.word[words.n++] = given[i];
	if (words.n > 2 &&
		value_is_name(words.word[2])) /* a command's first argument is a bridge, where it has ports */
		offer.bridge = words.word[2];
	grammar_complete(&words, each, &offer);
	return EXIT_OK;
}
