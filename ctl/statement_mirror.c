/* SPDX-License-Identifier: BSD-2-Clause */
/* `mirror add`: what it means, and the way back. */
#include "ctl/grammar.h"
#include "ctl/statement.h"
#include "dataplane/text.h"

#include <stdio.h>
#include <string.h>

static int add_port(const struct request *request, const struct grammar_value *value, const char *name, size_t size,
	struct mirror_ports *to, struct grammar_problem *problem)
{
	char *entry;

	if (to->n == MIRROR_MAX_PORTS)
		return grammar_fault(
			problem, request, value, "fewer ports", "a mirror takes %d ports", MIRROR_MAX_PORTS);
	if (!size || size >= SW_NAME_SIZE)
		return grammar_fault(problem, request, value, "PORT[,PORT]...",
			"\"%s\" is not a list of ports, as p1,p2", value->text);
	entry = to->name[to->n];
	memcpy(entry, name, size);
	for (unsigned i = 0; i < to->n; i++) {
		if (!strcmp(to->name[i], entry))
			return grammar_fault(problem, request, value, "each once", "port %s is named twice", entry);
	}
	to->n++;
	return 0;
}

/* Of an option that is there or not. */
static int read_ports(
	const struct request *request, const char *word, struct mirror_ports *ret, struct grammar_problem *problem)
{
	const struct grammar_value *value = request_option(request, word);
	const char *name = value ? value->text : NULL;
	int err = 0;

	while (name && !err) {
		size_t n = strcspn(name, ",");

		err = add_port(request, value, name, n, ret, problem);
		name = name[n] ? name + n + 1 : NULL;
	}
	return err;
}

static int read_vlans(const struct request *request, struct vlan_set *ret, struct grammar_problem *problem)
{
	const struct grammar_value *value = request_option(request, "vlan");

	if (!value || vlan_set_parse(value->text, ret))
		return 0;
	return grammar_fault(problem, request, value, "VLANs from 0 to 4094 in rising ranges",
		"\"%s\" is not a list of VLANs, as 10,20-29", value->text);
}

static int check(const struct request *request, const struct mirror_config *config, struct grammar_problem *problem)
{
	if (!config->from.n && !config->out_of.n && vlan_set_is_empty(&config->vlans))
		return grammar_fault(problem, request, NULL, "from, out-of, vlan",
			"a mirror listens to something: from PORT, out-of PORT, vlan VID, or some of these");
	if (mirror_names(config, config->to))
		return grammar_fault(problem, request, request_option(request, "to"), "another port",
			"port %s cannot be mirrored to itself: its copies would be copied again", config->to);
	return 0;
}

int statement_mirror(const struct request *request, struct mirror_config *ret, struct grammar_problem *problem)
{
	const struct grammar_value *sample = request_option(request, "sample");
	int err;

	*ret = (struct mirror_config){.sample = sample ? (uint32_t)sample->number : 1};
	snprintf(ret->bridge, sizeof(ret->bridge), "%s", request->args[0].text);
	snprintf(ret->name, sizeof(ret->name), "%s", request->args[1].text);
	snprintf(ret->to, sizeof(ret->to), "%s", request_option(request, "to")->text);
	err = read_ports(request, "from", &ret->from, problem);
	if (!err)
		err = read_ports(request, "out-of", &ret->out_of, problem);
	if (!err)
		err = read_vlans(request, &ret->vlans, problem);
	return err ? err : check(request, ret, problem);
}

size_t statement_print_mirror_ports(const struct mirror_ports *ports, char *text, size_t size)
{
	struct text out = text_begin(text, size);

	for (unsigned i = 0; i < ports->n; i++)
		text_put(&out, "%s%s", i ? "," : "", ports->name[i]);
	return out.length;
}

static void put_ports(struct text *text, const char *word, const struct mirror_ports *ports)
{
	char names[MIRROR_MAX_PORTS * SW_NAME_SIZE];

	if (!ports->n)
		return;
	statement_print_mirror_ports(ports, names, sizeof(names));
	text_put(text, " %s %s", word, names);
}

size_t statement_print_mirror(const struct mirror_config *config, char *text, size_t size)
{
	struct text out = text_begin(text, size);
	char vlans[VLAN_SET_TEXT];

	text_put(&out, "mirror add %s %s", config->bridge, config->name);
	put_ports(&out, "from", &config->from);
	put_ports(&out, "out-of", &config->out_of);
	if (vlan_set_format(&config->vlans, vlans, sizeof(vlans)))
		text_put(&out, " vlan %s", vlans);
	text_put(&out, " to %s", config->to);
	if (config->sample > 1)
		text_put(&out, " sample %u", config->sample);
	return out.length;
}
