/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/daemon.h"
#include "ctl/grammar.h"
#include "ctl/json.h"
#include "ctl/reconcile.h"
#include "ctl/reply.h"
#include "ctl/statement.h"
#include "dataplane/complaint.h"

#include <string.h>

void port_add_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	const char *bridge = request->args[0].text, *name = request->args[1].text;
	const struct port_config *has = vswitch_port_config(d->vs, name);
	struct grammar_problem problem;
	struct port_config config;
	struct complaint c;

	if (statement_port(request, &config, &problem)) {
		reply_misuse(reply, &problem);
		return;
	}
	if (!pipeline_bridge_by_name(vswitch_pipeline(d->vs), bridge)) {
		reply_refuse(reply, "there is no bridge %s; make it: bridge add %s", bridge, bridge);
		return;
	}
	if (has) {
		reply_refuse(reply, "port %s is on bridge %s already", name, has->bridge);
		return;
	}
	if (vswitch_port_add(d->vs, &config, &c)) {
		reply_refuse(reply, "%s", c.text);
		return;
	}
	reconcile_made_port(d->rec, name);
	reply_result(reply, NULL);
}

/* The port that the command names, or NULL after the reply was ended. */
static const struct port_config *find(struct daemon *d, const struct request *request, struct reply *reply)
{
	const char *bridge = request->args[0].text, *name = request->args[1].text;
	const struct port_config *config = vswitch_port_config(d->vs, name);

	if (!pipeline_bridge_by_name(vswitch_pipeline(d->vs), bridge))
		reply_refuse(reply, "there is no bridge %s", bridge);
	else if (!config)
		reply_refuse(reply, "bridge %s has no port %s", bridge, name);
	else if (strcmp(config->bridge, bridge) != 0)
		reply_refuse(reply, "port %s is on bridge %s, not on %s", name, config->bridge, bridge);
	else
		return config;
	return NULL;
}

void port_del_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	const char *name = request->args[1].text;
	struct complaint c;

	if (!vswitch_port_config(d->vs, name) && reconcile_gone_port(d->rec, name)) {
		reply_result(reply, NULL);
		return;
	}
	if (!find(d, request, reply))
		return;
	if (vswitch_port_remove(d->vs, name, &c)) {
		reply_refuse(reply, "%s", c.text);
		return;
	}
	reconcile_gone_port(d->rec, name);
	reply_result(reply, NULL);
}

void port_set_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	const struct port_config *config = find(d, request, reply);
	struct grammar_problem problem;
	struct port_config changed;
	struct complaint c;
	unsigned which;

	if (!config)
		return;
	changed = *config;
	changed.patient = false; /* as the configuration file was that it came from */
	if (statement_port_changes(request, &changed, &which, &problem)) {
		reply_misuse(reply, &problem);
		return;
	}
	if (vswitch_port_set(d->vs, &changed, which, &c)) {
		reply_refuse(reply, "%s", c.text);
		return;
	}
	reconcile_made_port(d->rec, changed.name);
	reply_result(reply, NULL);
}

static void describe_config(const struct port_config *config, struct json_object *ret)
{
	char vlan[STATEMENT_SIZE], cpus[CPU_LIST_SIZE];

	cpu_list_format(&config->cpus, cpus, sizeof(cpus));
	vlan_format(&config->vlan, vlan, sizeof(vlan));
	json_add_text(ret, "type", statement_type(config->type));
	if (config->type == PORT_VETH) {
		json_add_text(ret, "peer", config->peer);
		json_add_text(ret, "netns", config->netns);
	}
	if (config->type == PORT_TAP)
		json_add_number(ret, "queues_wanted", config->queues);
	json_add_text(ret, "vlan", vlan);
	json_add_text(ret, "mode_wanted", statement_mode(config->mode));
	json_add_text(ret, "hook_wanted", statement_hook(config->hook));
	json_add_text(ret, "cpus_wanted", cpus);
	json_add_number(ret, "of_port", config->of_port);
	json_add_number(ret, "upcall_limit", config->upcall_rate);
	json_add_number(ret, "upcall_burst", config->upcall_burst);
	json_add_bool(ret, "force", config->force);
}

static void describe_status(const struct port_status *status, struct json_object *ret)
{
	static const char *const phases[] = {
		[PORT_WAITING] = "waiting", [PORT_REFUSED] = "refused", [PORT_DOWN] = "down", [PORT_UP] = "up"};
	static const char *const modes[] = {
		[DP_MODE_NATIVE] = "native", [DP_MODE_GENERIC] = "generic", [DP_MODE_OFFLOAD] = "offload"};
	char cpus[CPU_LIST_SIZE];
	bool attached = status->phase == PORT_DOWN || status->phase == PORT_UP;

	json_add_number(ret, "id", status->id);
	json_add_text(ret, "state", phases[status->phase]);
	json_add_text(ret, "reason", status->reason);
	json_add_text(ret, "device", status->device);
	json_add_number(ret, "ifindex", status->ifindex);
	json_add_text(ret, "hook", attached ? status->hook == DP_HOOK_TC ? "tc" : "xdp" : "none");
	json_add_text(ret, "hook_why", status->hook_why);
	json_add_text(ret, "mode", !attached || status->hook == DP_HOOK_TC ? "none" : modes[status->mode]);
	json_add_text(ret, "path", status->path);
	cpu_list_format(&status->cpus, cpus, sizeof(cpus));
	json_add_text(ret, "cpus", cpus);
	json_add_text(ret, "cpus_why", status->cpus_why);
	json_add_text(ret, "advice", status->advice);
	json_add_number(ret, "speed_mbps", status->mbps);
	json_add_text(ret, "duplex", !status->mbps ? "unknown" : status->half_duplex ? "half" : "full");
	json_add_number(ret, "mtu", status->mtu);
	json_add_number(ret, "queues", status->n_queues);
	json_add_number(ret, "rx_frames", status->counters.rx_frames);
	json_add_number(ret, "rx_bytes", status->counters.rx_bytes);
	json_add_number(ret, "tx_frames", status->counters.tx_frames);
	json_add_number(ret, "tx_bytes", status->counters.tx_bytes);
	json_add_number(ret, "checksums_completed", status->counters.csum_done);
}

static void describe(const struct daemon *d, const struct port *port, struct json_object *ret)
{
	const struct port_config *config = vswitch_port_config(d->vs, port->name);
	const struct bridge *bridge = pipeline_bridge(vswitch_pipeline(d->vs), port->bridge);
	struct port_status status;

	json_add_text(ret, "name", port->name);
	json_add_text(ret, "bridge", bridge ? bridge->name : "");
	json_add_bool(ret, "is_mirrors", port->is_mirrors);
	if (!vswitch_port_status(d->vs, port->name, &status))
		describe_status(&status, ret);
	if (config)
		describe_config(config, ret);
}

/* Which ports are asked for: `port show`, `port show BRIDGE`, `port show PORT`, `port show BRIDGE PORT`. */
struct wish {
	const struct bridge *bridge;
	const struct port *port;
};

static bool understand(const struct pipeline *pl, const struct request *request, struct wish *ret, struct reply *reply)
{
	const struct grammar_value *first = &request->args[0], *second = &request->args[1];

	*ret = (struct wish){0};
	if (!first->given)
		return true;
	ret->bridge = pipeline_bridge_by_name(pl, first->text);
	if (!ret->bridge && !second->given)
		ret->port = pipeline_port_by_name(pl, first->text);
	if (!ret->bridge && !ret->port) {
		reply_refuse(reply, "there is no bridge%s %s", second->given ? "" : " and no port", first->text);
		return false;
	}
	if (!second->given)
		return true;
	ret->port = pipeline_port_by_name(pl, second->text);
	if (ret->port && ret->port->bridge == ret->bridge->id)
		return true;
	reply_refuse(reply, "bridge %s has no port %s", first->text, second->text);
	return false;
}

void port_show_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	const struct pipeline *pl = vswitch_pipeline(d->vs);
	struct json_object *result, *ports;
	const struct port *port;
	struct wish wish;

	if (!understand(pl, request, &wish, reply))
		return;
	result = json_object_new_object();
	ports = json_add_array(result, "ports");
	for (uint16_t id = 0; (port = pipeline_next_port(pl, id)); id = port->id) {
		if ((!wish.bridge || port->bridge == wish.bridge->id) && (!wish.port || port == wish.port))
			describe(d, port, json_append_object(ports));
	}
	reply_result(reply, result);
}
