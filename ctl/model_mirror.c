/* SPDX-License-Identifier: BSD-2-Clause */
/* The mirrors of a model. */
#include "ctl/grammar.h"
#include "ctl/model_parts.h"
#include "dataplane/complaint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct model_mirror *model_mirror(const struct model *model, const char *bridge, const char *name)
{
	for (unsigned i = 0; i < model->n_mirrors; i++) {
		struct model_mirror *mirror = &model->mirrors[i];

		if (!strcmp(mirror->config.bridge, bridge) && !strcmp(mirror->config.name, name))
			return mirror;
	}
	return NULL;
}

struct model_mirror *model_put_mirror(struct model *model, const struct mirror_config *config)
{
	struct model_mirror *mirror = model_mirror(model, config->bridge, config->name);

	if (!mirror)
		mirror = model_grow((void **)&model->mirrors, &model->n_mirrors, sizeof(*mirror));
	if (mirror)
		mirror->config = *config;
	return mirror;
}

static void drop(struct model *model, unsigned index)
{
	free(model->mirrors[index].trouble);
	model_shrink(model->mirrors, &model->n_mirrors, sizeof(*model->mirrors), index);
}

bool model_drop_mirror(struct model *model, const char *bridge, const char *name)
{
	struct model_mirror *mirror = model_mirror(model, bridge, name);

	if (mirror)
		drop(model, (unsigned)(mirror - model->mirrors));
	return mirror;
}

void model_drop_mirrors_of(struct model *model, const char *bridge)
{
	for (unsigned i = model->n_mirrors; i-- > 0;) {
		if (!strcmp(model->mirrors[i].config.bridge, bridge))
			drop(model, i);
	}
}

static bool names(const struct mirror_config *config, const char *port)
{
	return mirror_names(config, port) || !strcmp(config->to, port);
}

void model_drop_mirrors_with(struct model *model, const char *port, const char *but_of)
{
	for (unsigned i = model->n_mirrors; i-- > 0;) {
		const struct mirror_config *config = &model->mirrors[i].config;

		if (names(config, port) && (!but_of || strcmp(config->bridge, but_of) != 0))
			drop(model, i);
	}
}

int model_merge_mirrors(struct model *model, const struct model *from)
{
	for (unsigned i = 0; i < from->n_mirrors; i++) {
		struct model_mirror *to = model_put_mirror(model, &from->mirrors[i].config);

		if (!to || model_copy_trouble(&to->trouble, from->mirrors[i].trouble))
			return -ENOMEM;
	}
	return 0;
}

static bool same_ports(const struct mirror_ports *a, const struct mirror_ports *b)
{
	if (a->n != b->n)
		return false;
	for (unsigned i = 0; i < a->n; i++) {
		if (strcmp(a->name[i], b->name[i]) != 0)
			return false;
	}
	return true;
}

bool model_same_mirror(const struct mirror_config *a, const struct mirror_config *b)
{
	return !strcmp(a->to, b->to) && a->sample == b->sample && same_ports(&a->from, &b->from) &&
	       same_ports(&a->out_of, &b->out_of) && !memcmp(&a->vlans, &b->vlans, sizeof(a->vlans));
}

static int find_port(const struct model *model, const struct request *request, const struct grammar_value *value,
	const char *name, struct grammar_problem *problem)
{
	const struct model_port *port = model_port(model, name);
	const char *bridge = request->args[0].text;
	struct complaint c;

	if (port && !strcmp(port->config.bridge, bridge))
		return 0;
	mirrors_lack_port(bridge, name, port ? port->config.bridge : NULL, &c);
	return grammar_fault(problem, request, value, "a port that was added above", "%s", c.text);
}

static int find_listed(const struct model *model, const struct request *request, const char *word,
	const struct mirror_ports *ports, struct grammar_problem *problem)
{
	int err = 0;

	for (unsigned i = 0; !err && i < ports->n; i++)
		err = find_port(model, request, request_option(request, word), ports->name[i], problem);
	return err;
}

static int find_ports(const struct model *model, const struct request *request, const struct mirror_config *config,
	struct grammar_problem *problem)
{
	int err = find_listed(model, request, "from", &config->from, problem);

	if (!err)
		err = find_listed(model, request, "out-of", &config->out_of, problem);
	return err ? err : find_port(model, request, request_option(request, "to"), config->to, problem);
}

/* Where two mirrors cannot be beside each other. */
static const struct grammar_value *word_at_fault(
	const struct request *request, const struct mirror_config *has, const struct mirror_config *wanted)
{
	struct mirror_config only_from = *wanted;
	struct complaint c;

	only_from.out_of.n = 0;
	if (mirror_names(has, wanted->to))
		return request_option(request, "to");
	return request_option(request, mirrors_clash(has, &only_from, &c) ? "from" : "out-of");
}

static int find_clash(const struct model *model, const struct request *request, const struct mirror_config *config,
	struct grammar_problem *problem)
{
	struct complaint c;

	for (unsigned i = 0; !model->resumed && i < model->n_mirrors; i++) {
		const struct mirror_config *has = &model->mirrors[i].config;

		if (mirrors_clash(has, config, &c))
			return grammar_fault(
				problem, request, word_at_fault(request, has, config), "another port", "%s", c.text);
	}
	return 0;
}

int model_add_mirror(struct model *model, const struct request *request, struct grammar_problem *problem)
{
	struct mirror_config config;
	int err = statement_mirror(request, &config, problem);

	if (!err && !model_bridge(model, config.bridge))
		err = grammar_fault(problem, request, &request->args[0], "a bridge that was added above",
			"there is no bridge %s", config.bridge);
	if (!err && model_mirror(model, config.bridge, config.name))
		err = grammar_fault(problem, request, &request->args[1], "another name",
			"bridge %s has a mirror %s already", config.bridge, config.name);
	if (!err)
		err = find_ports(model, request, &config, problem);
	if (!err)
		err = find_clash(model, request, &config, problem);
	if (!err && !model_put_mirror(model, &config)) {
		grammar_fault(problem, request, NULL, "", "out of memory");
		err = -ENOMEM;
	}
	return err;
}
