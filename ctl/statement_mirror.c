/* SPDX-License-Identifier: BSD-2-Clause */
/* `mirror add`: what it means, and the way back. */
#include "ctl/grammar.h"
#include "ctl/statement.h"

#include <stdio.h>
#include <string.h>

static int add_port(const struct request *request, const char *name, size_t size, struct mirror_config *to,
	struct grammar_problem *problem)
{
	const struct grammar_value *from = request_option(request, "from");
	char *entry;

	if (to->n_from == MIRROR_MAX_FROM)
		return grammar_fault(problem, request, from, "fewer ports", "a mirror takes %d ports", MIRROR_MAX_FROM);
	if (!size || size >= SW_NAME_SIZE)
		return grammar_fault(problem, request, from, "PORT[,PORT]...",
			"\"%s\" is not a list of ports, as p1,p2", from->text);
	entry = to->from[to->n_from];
	memcpy(entry, name, size);
	for (unsigned i = 0; i < to->n_from; i++) {
		if (!strcmp(to->from[i], entry))
			return grammar_fault(problem, request, from, "each once", "port %s is named twice", entry);
	}
	to->n_from++;
	return 0;
}

int statement_mirror(const struct request *request, struct mirror_config *ret, struct grammar_problem *problem)
{
	const struct grammar_value *from = request_option(request, "from"), *to = request_option(request, "to"),
				   *sample = request_option(request, "sample");
	size_t n;
	int err = 0;

	*ret = (struct mirror_config){.sample = sample ? (uint32_t)sample->number : 1};
	snprintf(ret->bridge, sizeof(ret->bridge), "%s", request->args[0].text);
	snprintf(ret->name, sizeof(ret->name), "%s", request->args[1].text);
	snprintf(ret->to, sizeof(ret->to), "%s", to->text);
	for (const char *name = from->text; !err; name += n + 1) {
		n = strcspn(name, ",");
		err = add_port(request, name, n, ret, problem);
		if (!name[n])
			break;
	}
	if (!err) {
		for (unsigned i = 0; i < ret->n_from; i++) {
			if (!strcmp(ret->from[i], ret->to))
				err = grammar_fault(problem, request, to, "another port",
					"port %s cannot be mirrored to itself: its copies would be copied again",
					ret->to);
		}
	}
	return err;
}

size_t statement_print_mirror_ports(const struct mirror_config *config, char *text, size_t size)
{
	size_t used = 0;

	for (unsigned i = 0; i < config->n_from; i++)
		used += (size_t)snprintf(
			text + used, used < size ? size - used : 0, "%s%s", i ? "," : "", config->from[i]);
	return used;
}

size_t statement_print_mirror(const struct mirror_config *config, char *text, size_t size)
{
	char ports[MIRROR_MAX_FROM * SW_NAME_SIZE], sample[32] = "";

	statement_print_mirror_ports(config, ports, sizeof(ports));
	if (config->sample > 1)
		snprintf(sample, sizeof(sample), " sample %u", config->sample);
	return (size_t)snprintf(text, size, "mirror add %s %s from %s to %s%s", config->bridge, config->name, ports,
		config->to, sample);
}
