/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/model.h"

#include "ctl/grammar.h"
#include "ctl/model_parts.h"
#include "ctl/words.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* ---- elements ---- */

void model_init(struct model *model)
{
	memset(model, 0, sizeof(*model));
}

static void free_listener(struct model_listener *listener)
{
	free(listener->address);
	free(listener->cert);
	free(listener->key);
	free(listener->ca);
	free(listener->trouble);
}

void model_free(struct model *model)
{
	for (unsigned i = 0; i < model->n_bridges; i++)
		free(model->bridges[i].trouble);
	for (unsigned i = 0; i < model->n_ports; i++)
		free(model->ports[i].trouble);
	for (unsigned i = 0; i < model->n_macs; i++)
		free(model->macs[i].trouble);
	for (unsigned i = 0; i < model->n_mirrors; i++)
		free(model->mirrors[i].trouble);
	for (unsigned i = 0; i < model->n_listeners; i++)
		free_listener(&model->listeners[i]);
	for (unsigned i = 0; i < model->n_channels; i++)
		model_free_channel(&model->channels[i]);
	free(model->bridges);
	free(model->ports);
	free(model->macs);
	free(model->mirrors);
	free(model->listeners);
	free(model->channels);
	model_init(model);
}

struct model_bridge *model_bridge(const struct model *model, const char *name)
{
	for (unsigned i = 0; i < model->n_bridges; i++) {
		if (!strcmp(model->bridges[i].name, name))
			return &model->bridges[i];
	}
	return NULL;
}

struct model_port *model_port(const struct model *model, const char *name)
{
	for (unsigned i = 0; i < model->n_ports; i++) {
		if (!strcmp(model->ports[i].config.name, name))
			return &model->ports[i];
	}
	return NULL;
}

struct model_mac *model_mac(const struct model *model, const struct static_mac *mac)
{
	for (unsigned i = 0; i < model->n_macs; i++) {
		const struct static_mac *has = &model->macs[i].mac;

		if (has->vid == mac->vid && !memcmp(has->mac, mac->mac, 6) && !strcmp(has->bridge, mac->bridge))
			return &model->macs[i];
	}
	return NULL;
}

struct model_listener *model_listener(const struct model *model, enum listener_kind kind, const char *address)
{
	for (unsigned i = 0; i < model->n_listeners; i++) {
		if (model->listeners[i].kind == kind && !strcmp(model->listeners[i].address, address))
			return &model->listeners[i];
	}
	return NULL;
}

struct model_bridge *model_put_bridge(struct model *model, const char *name)
{
	struct model_bridge *bridge = model_bridge(model, name);

	if (bridge)
		return bridge;
	bridge = model_grow((void **)&model->bridges, &model->n_bridges, sizeof(*bridge));
	if (!bridge)
		return NULL;
	snprintf(bridge->name, sizeof(bridge->name), "%s", name);
	bridge->settings.ageing_s = FDB_DEFAULT_AGEING_S;
	bridge->settings.fdb_limit = FDB_DEFAULT_LIMIT;
	bridge->fail = FAIL_WISH_STANDALONE;
	return bridge;
}

struct model_port *model_put_port(struct model *model, const struct port_config *config)
{
	struct model_port *port = model_port(model, config->name);

	if (!port)
		port = model_grow((void **)&model->ports, &model->n_ports, sizeof(*port));
	if (port)
		port->config = *config;
	return port;
}

struct model_mac *model_put_mac(struct model *model, const struct static_mac *mac)
{
	struct model_mac *element = model_mac(model, mac);

	if (!element)
		element = model_grow((void **)&model->macs, &model->n_macs, sizeof(*element));
	if (element)
		element->mac = *mac;
	return element;
}

/* NULL: none. */
static bool copy(const char *from, char **ret)
{
	*ret = from ? strdup(from) : NULL;
	return *ret || !from;
}

struct model_listener *model_put_listener(struct model *model, enum listener_kind kind, const char *address,
	const char *cert, const char *key, const char *ca)
{
	struct model_listener fresh = {.kind = kind};
	struct model_listener *listener = model_listener(model, kind, address);

	if (!copy(address, &fresh.address) || !copy(cert, &fresh.cert) || !copy(key, &fresh.key) ||
		!copy(ca, &fresh.ca)) {
		free_listener(&fresh);
		return NULL;
	}
	if (listener)
		free_listener(listener);
	else
		listener = model_grow((void **)&model->listeners, &model->n_listeners, sizeof(*listener));
	if (!listener) {
		free_listener(&fresh);
		return NULL;
	}
	*listener = fresh;
	return listener;
}

bool model_drop_mac(struct model *model, const struct static_mac *mac)
{
	struct model_mac *element = model_mac(model, mac);

	if (!element)
		return false;
	free(element->trouble);
	model_shrink(model->macs, &model->n_macs, sizeof(*element), (unsigned)(element - model->macs));
	return true;
}

void model_drop_on_port(struct model *model, const char *name, const char *but_of)
{
	for (unsigned i = model->n_macs; i-- > 0;) {
		const struct static_mac *mac = &model->macs[i].mac;

		if (!strcmp(mac->port, name) && (!but_of || strcmp(mac->bridge, but_of) != 0))
			model_drop_mac(model, mac);
	}
	model_drop_mirrors_with(model, name, but_of);
}

bool model_drop_port(struct model *model, const char *name)
{
	struct model_port *port = model_port(model, name);

	if (!port)
		return false;
	free(port->trouble);
	model_shrink(model->ports, &model->n_ports, sizeof(*port), (unsigned)(port - model->ports));
	return true;
}

void model_drop_on_bridge(struct model *model, const char *name)
{
	for (unsigned i = model->n_ports; i-- > 0;) {
		if (!strcmp(model->ports[i].config.bridge, name))
			model_drop_port(model, model->ports[i].config.name);
	}
	for (unsigned i = model->n_macs; i-- > 0;) {
		if (!strcmp(model->macs[i].mac.bridge, name))
			model_drop_mac(model, &model->macs[i].mac);
	}
	model_drop_mirrors_of(model, name);
	model_drop_channels_of(model, name);
}

bool model_drop_bridge(struct model *model, const char *name)
{
	struct model_bridge *bridge = model_bridge(model, name);

	if (!bridge)
		return false;
	free(bridge->trouble);
	model_shrink(model->bridges, &model->n_bridges, sizeof(*bridge), (unsigned)(bridge - model->bridges));
	return true;
}

bool model_drop_listener(struct model *model, enum listener_kind kind, const char *address)
{
	struct model_listener *listener = model_listener(model, kind, address);

	if (!listener)
		return false;
	free_listener(listener);
	model_shrink(model->listeners, &model->n_listeners, sizeof(*listener), (unsigned)(listener - model->listeners));
	return true;
}

int model_copy_trouble(char **to, const char *from)
{
	free(*to);
	*to = from ? strdup(from) : NULL;
	return from && !*to ? -ENOMEM : 0;
}

static int merge_listeners(struct model *model, const struct model *from)
{
	for (unsigned i = 0; i < from->n_listeners; i++) {
		const struct model_listener *l = &from->listeners[i];
		struct model_listener *to = model_put_listener(model, l->kind, l->address, l->cert, l->key, l->ca);

		if (!to || model_copy_trouble(&to->trouble, l->trouble))
			return -ENOMEM;
	}
	return 0;
}

int model_merge(struct model *model, const struct model *from)
{
	for (unsigned i = 0; i < from->n_bridges; i++) {
		struct model_bridge *to = model_put_bridge(model, from->bridges[i].name);

		if (!to || model_copy_trouble(&to->trouble, from->bridges[i].trouble))
			return -ENOMEM;
		to->settings = from->bridges[i].settings;
		to->fail = from->bridges[i].fail;
	}
	for (unsigned i = 0; i < from->n_ports; i++) {
		struct model_port *to = model_put_port(model, &from->ports[i].config);

		if (!to || model_copy_trouble(&to->trouble, from->ports[i].trouble))
			return -ENOMEM;
	}
	for (unsigned i = 0; i < from->n_macs; i++) {
		struct model_mac *to = model_put_mac(model, &from->macs[i].mac);

		if (!to || model_copy_trouble(&to->trouble, from->macs[i].trouble))
			return -ENOMEM;
	}
	if (model_merge_mirrors(model, from) || model_merge_channels(model, from))
		return -ENOMEM;
	return merge_listeners(model, from);
}

/* ---- statements ---- */

static int out_of_memory(struct grammar_problem *problem, const struct request *request)
{
	grammar_fault(problem, request, NULL, "", "out of memory");
	return -ENOMEM;
}

static int find_bridge(
	struct model *model, const struct request *request, struct model_bridge **ret, struct grammar_problem *problem)
{
	*ret = model_bridge(model, request->args[0].text);
	if (*ret)
		return 0;
	return grammar_fault(problem, request, &request->args[0], "a bridge that was added above",
		"there is no bridge %s", request->args[0].text);
}

static int find_port(struct model *model, const struct request *request, const struct grammar_value *name,
	struct model_port **ret, struct grammar_problem *problem)
{
	*ret = model_port(model, name->text);
	if (*ret && !strcmp((*ret)->config.bridge, request->args[0].text))
		return 0;
	return grammar_fault(problem, request, name, "a port that was added above", "bridge %s has no port %s",
		request->args[0].text, name->text);
}

static int add_bridge(struct model *model, const struct request *request, struct grammar_problem *problem)
{
	const char *name = request->args[0].text;

	if (model_bridge(model, name))
		return grammar_fault(
			problem, request, &request->args[0], "another name", "bridge %s is there already", name);
	return model_put_bridge(model, name) ? 0 : out_of_memory(problem, request);
}

static int set_bridge(struct model *model, const struct request *request, struct grammar_problem *problem)
{
	struct bridge_settings settings;
	struct model_bridge *bridge;
	enum fail_wish fail;
	int err = find_bridge(model, request, &bridge, problem);

	if (err)
		return err;
	statement_bridge(request, &settings, &fail);
	if (settings.which & BRIDGE_SET_AGEING)
		bridge->settings.ageing_s = settings.ageing_s;
	if (settings.which & BRIDGE_SET_FDB_LIMIT)
		bridge->settings.fdb_limit = settings.fdb_limit;
	if (settings.which & BRIDGE_SET_FORWARD_RESERVED)
		bridge->settings.forward_reserved = settings.forward_reserved;
	if (settings.which & BRIDGE_SET_DATAPATH_ID)
		bridge->settings.datapath_id = settings.datapath_id;
	if (fail != FAIL_WISH_NONE)
		bridge->fail = fail;
	return 0;
}

static int check_number(const struct model *model, const struct request *request, const struct port_config *config,
	struct grammar_problem *problem)
{
	for (unsigned i = 0; config->of_port && i < model->n_ports; i++) {
		const struct port_config *other = &model->ports[i].config;

		if (other->of_port == config->of_port && !strcmp(other->bridge, config->bridge) &&
			strcmp(other->name, config->name))
			return grammar_fault(problem, request, request_option(request, "of-port"), "another number",
				"port %s has the number %u already", other->name, other->of_port);
	}
	return 0;
}

static int add_port(struct model *model, const struct request *request, struct grammar_problem *problem)
{
	struct model_bridge *bridge;
	struct model_port *has = model_port(model, request->args[1].text);
	struct port_config config;
	int err = find_bridge(model, request, &bridge, problem);

	if (!err && has)
		err = grammar_fault(problem, request, &request->args[1], "another name",
			"port %s is on bridge %s already", has->config.name, has->config.bridge);
	if (!err)
		err = statement_port(request, &config, problem);
	if (!err)
		err = check_number(model, request, &config, problem);
	if (!err && !model_put_port(model, &config))
		err = out_of_memory(problem, request);
	return err;
}

static int set_port(struct model *model, const struct request *request, struct grammar_problem *problem)
{
	struct model_port *port;
	struct port_config changed;
	unsigned which;
	int err = find_port(model, request, &request->args[1], &port, problem);

	if (err)
		return err;
	changed = port->config;
	err = statement_port_changes(request, &changed, &which, problem);
	if (!err)
		err = check_number(model, request, &changed, problem);
	if (!err)
		port->config = changed;
	return err;
}

static int add_mac(struct model *model, const struct request *request, struct grammar_problem *problem)
{
	struct static_mac mac;
	struct model_port *port;
	int err = find_port(model, request, &request->args[2], &port, problem);

	if (err)
		return err;
	statement_mac(request, &mac);
	if (model_mac(model, &mac))
		return grammar_fault(problem, request, &request->args[1], "another address",
			"the address %s is there already", request->args[1].text);
	return model_put_mac(model, &mac) ? 0 : out_of_memory(problem, request);
}

static int add_listener(
	struct model *model, const struct request *request, const char *dir, struct grammar_problem *problem)
{
	static const char *const options[3] = {"cert", "key", "ca"};
	enum listener_kind kind = request->id == CMD_METRICS_LISTEN ? LISTENER_METRICS : LISTENER_CONTROL;
	const struct grammar_value *address = &request->args[0];
	char path[3][PATH_MAX];
	const char *file[3] = {NULL};

	if (statement_files(request, address, problem))
		return -EINVAL;
	if (model_listener(model, kind, address->text))
		return grammar_fault(
			problem, request, address, "another address", "the address %s is there already", address->text);
	for (int i = 0; i < 3; i++) {
		const struct grammar_value *value = request_option(request, options[i]);
		int n;

		if (!value)
			continue;
		n = value->text[0] == '/' ? snprintf(path[i], PATH_MAX, "%s", value->text)
					  : snprintf(path[i], PATH_MAX, "%s/%s", dir, value->text);
		if (n >= PATH_MAX)
			return grammar_fault(problem, request, value, "a shorter path", "the path is too long");
		file[i] = path[i];
	}
	if (!model_put_listener(model, kind, address->text, file[0], file[1], file[2]))
		return out_of_memory(problem, request);
	return 0;
}

static int add_channel(
	struct model *model, const struct request *request, const char *dir, struct grammar_problem *problem)
{
	struct model_bridge *bridge;
	struct channel_config config;
	int err = find_bridge(model, request, &bridge, problem);

	if (!err)
		err = statement_channel(request, dir, &config, problem);
	if (err)
		return err;
	if (model_channel(model, bridge->name, config.kind, config.address))
		err = grammar_fault(problem, request, &request->args[1], "another address",
			"the address %s is there already", config.address);
	else if (!model_put_channel(model, bridge->name, &config))
		err = out_of_memory(problem, request);
	channel_config_free(&config);
	return err;
}

int model_apply(struct model *model, const struct request *request, const char *dir, struct grammar_problem *problem)
{
	switch (request->id) {
	case CMD_BRIDGE_ADD:
		return add_bridge(model, request, problem);
	case CMD_BRIDGE_SET:
		return set_bridge(model, request, problem);
	case CMD_PORT_ADD:
		return add_port(model, request, problem);
	case CMD_PORT_SET:
		return set_port(model, request, problem);
	case CMD_FDB_ADD:
		return add_mac(model, request, problem);
	case CMD_MIRROR_ADD:
		return model_add_mirror(model, request, problem);
	case CMD_CONTROL_LISTEN:
	case CMD_METRICS_LISTEN:
		return add_listener(model, request, dir, problem);
	case CMD_CONTROLLER_ADD:
	case CMD_OPENFLOW_LISTEN:
		return add_channel(model, request, dir, problem);
	default:
		return grammar_fault(problem, request, &(struct grammar_value){.index = 0},
			"bridge add|set, port add|set, fdb add, mirror add, control listen, controller add, openflow "
			"listen, metrics listen",
			"this command has no place in a configuration file");
	}
}

/* ---- text ---- */

static void print_listener(const struct model_listener *listener, char *text, size_t size)
{
	const char *const part[] = {
		listener->address, "cert", listener->cert, "key", listener->key, "ca", listener->ca};
	size_t n = listener->cert ? sizeof(part) / sizeof(part[0]) : 1;
	size_t used =
		(size_t)snprintf(text, size, "%s listen", listener->kind == LISTENER_METRICS ? "metrics" : "control");

	for (size_t i = 0; i < n && used + 1 < size; i++) {
		used += (size_t)snprintf(text + used, size - used, " ");
		used += words_quote(part[i], text + used, used < size ? size - used : 0);
	}
}

void model_each_statement(
	const struct model *model, void (*each)(void *ctx, const char *statement, const char *trouble), void *ctx)
{
	static char text[STATEMENT_SIZE + 10 * PATH_MAX];

	for (unsigned i = 0; i < model->n_bridges; i++) {
		const struct model_bridge *bridge = &model->bridges[i];

		snprintf(text, sizeof(text), "bridge add %s", bridge->name);
		each(ctx, text, bridge->trouble);
		if (statement_print_bridge(bridge->name, &bridge->settings, bridge->fail, text, sizeof(text)))
			each(ctx, text, NULL);
	}
	for (unsigned i = 0; i < model->n_ports; i++) {
		statement_print_port(&model->ports[i].config, text, sizeof(text));
		each(ctx, text, model->ports[i].trouble);
	}
	for (unsigned i = 0; i < model->n_macs; i++) {
		statement_print_mac(&model->macs[i].mac, text, sizeof(text));
		each(ctx, text, model->macs[i].trouble);
	}
	for (unsigned i = 0; i < model->n_mirrors; i++) {
		statement_print_mirror(&model->mirrors[i].config, text, sizeof(text));
		each(ctx, text, model->mirrors[i].trouble);
	}
	for (unsigned i = 0; i < model->n_listeners; i++) {
		print_listener(&model->listeners[i], text, sizeof(text));
		each(ctx, text, model->listeners[i].trouble);
	}
	for (unsigned i = 0; i < model->n_channels; i++) {
		statement_print_channel(model->channels[i].bridge, &model->channels[i].config, text, sizeof(text));
		each(ctx, text, model->channels[i].trouble);
	}
}

static void print_statement(void *ctx, const char *statement, const char *trouble)
{
	FILE *out = ctx;
	char safe[800];

	if (trouble) {
		words_printable(trouble, strlen(trouble), safe, sizeof(safe));
		fprintf(out, "# failed: %s\n", safe);
	}
	fprintf(out, "%s\n", statement);
}

int model_print(const struct model *model, FILE *out)
{
	model_each_statement(model, print_statement, out);
	return ferror(out) ? -EIO : 0;
}
