/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/daemon.h"
#include "ctl/grammar.h"
#include "ctl/json.h"
#include "ctl/openflow.h"
#include "ctl/reconcile.h"
#include "ctl/reply.h"
#include "ctl/statement.h"
#include "dataplane/complaint.h"

void bridge_add_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	const char *name = request->args[0].text;
	struct complaint c;

	if (pipeline_bridge_by_name(vswitch_pipeline(d->vs), name)) {
		reply_refuse(reply, "bridge %s is there already", name);
		return;
	}
	if (openflow_bridge_add(d->of, name, &c)) {
		reply_refuse(reply, "%s", c.text);
		return;
	}
	reconcile_made_bridge(d->rec, name);
	reply_result(reply, NULL);
}

void bridge_del_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	const char *name = request->args[0].text;
	bool there = pipeline_bridge_by_name(vswitch_pipeline(d->vs), name);
	struct complaint c;

	if (there && openflow_bridge_remove(d->of, name, &c)) {
		reply_refuse(reply, "%s", c.text);
		return;
	}
	if (!reconcile_gone_bridge(d->rec, name) && !there)
		reply_refuse(reply, "there is no bridge %s", name);
	else
		reply_result(reply, NULL);
}

void bridge_set_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	const char *name = request->args[0].text;
	struct bridge_settings settings;
	enum fail_wish fail;
	struct complaint c;

	if (!pipeline_bridge_by_name(vswitch_pipeline(d->vs), name)) {
		reply_refuse(reply, "there is no bridge %s", name);
		return;
	}
	statement_bridge(request, &settings, &fail);
	if (openflow_bridge_set(d->of, name, &settings, fail, &c)) {
		reply_refuse(reply, "%s", c.text);
		return;
	}
	reply_result(reply, NULL);
}

static void describe(const struct daemon *d, const struct bridge *bridge, struct json_object *ret)
{
	const struct pipeline *pl = vswitch_pipeline(d->vs);
	const struct port *port;
	struct json_object *ports;

	json_add_text(ret, "name", bridge->name);
	json_add_number(ret, "ageing_s", bridge->ageing_s);
	json_add_number(ret, "mac_limit", bridge->fdb_limit);
	json_add_bool(ret, "forward_reserved", bridge->forward_reserved);
	json_add_number(ret, "addresses", fdb_count(vswitch_fdb(d->vs), bridge->id));
	ports = json_add_array(ret, "ports");
	for (uint16_t id = 0; (port = pipeline_next_port(pl, id)); id = port->id) {
		if (port->bridge == bridge->id)
			json_object_array_add(ports, json_object_new_string(port->name));
	}
}

void bridge_show_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	const struct pipeline *pl = vswitch_pipeline(d->vs);
	const struct grammar_value *name = &request->args[0];
	struct json_object *result, *bridges;
	const struct bridge *bridge;

	if (name->given && !pipeline_bridge_by_name(pl, name->text)) {
		reply_refuse(reply, "there is no bridge %s", name->text);
		return;
	}
	result = json_object_new_object();
	bridges = json_add_array(result, "bridges");
	for (uint16_t id = 0; (bridge = pipeline_next_bridge(pl, id)); id = bridge->id) {
		if (!name->given || bridge == pipeline_bridge_by_name(pl, name->text))
			describe(d, bridge, json_append_object(bridges));
	}
	reply_result(reply, result);
}
