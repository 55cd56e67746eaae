/* SPDX-License-Identifier: BSD-2-Clause */
/* What the commands `controller` and `openflow` do and show. */
#include "ctl/daemon.h"
#include "ctl/grammar.h"
#include "ctl/json.h"
#include "ctl/openflow.h"
#include "ctl/reconcile.h"
#include "ctl/reply.h"
#include "ctl/statement.h"
#include "ctl/words.h"
#include "dataplane/complaint.h"
#include "dataplane/group.h"
#include "dataplane/meter.h"
#include "dataplane/ofbridge.h"
#include "dataplane/table.h"
#include "ofp/agent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- adding and removing ---- */

static void add(struct daemon *d, const struct request *request, struct reply *reply)
{
	const char *bridge = request->args[0].text;
	struct grammar_problem problem;
	struct channel_config config;
	struct complaint c;

	if (statement_channel(request, NULL, &config, &problem)) {
		reply_misuse(reply, &problem);
		return;
	}
	if (openflow_channel_add(d->of, bridge, &config, &c)) {
		reply_refuse(reply, "%s", c.text);
	} else {
		reconcile_made_channel(d->rec, bridge, config.kind, config.address);
		reply_result(reply, NULL);
	}
	channel_config_free(&config);
}

static void del(struct daemon *d, const struct request *request, enum channel_kind kind, struct reply *reply)
{
	const char *bridge = request->args[0].text, *address = request->args[1].text;
	bool had = reconcile_gone_channel(d->rec, bridge, kind, address);
	struct complaint c;

	if (openflow_channel_remove(d->of, bridge, kind, address, &c) && !had)
		reply_refuse(reply, "%s", c.text);
	else
		reply_result(reply, NULL);
}

void controller_add_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	add(d, request, reply);
}

void controller_del_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	del(d, request, CHANNEL_CONTROLLER, reply);
}

void openflow_listen_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	add(d, request, reply);
}

void openflow_close_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	del(d, request, CHANNEL_LISTENER, reply);
}

/* ---- showing ---- */

/* Texts that a peer chose, or that name it by its certificate. */
static void add_safe(struct json_object *object, const char *name, const char *text)
{
	char safe[1600];

	words_printable(text, strlen(text), safe, sizeof(safe));
	json_add_text(object, name, safe);
}

static uint64_t seconds_since(const struct daemon *d, uint64_t then_ns)
{
	uint64_t now_ns = vswitch_now_ns(d->vs);

	return then_ns && now_ns > then_ns ? (now_ns - then_ns) / 1000000000ULL : 0;
}

static const char *role_text(enum session_role role)
{
	static const char *const texts[] = {
		[ROLE_NOCHANGE] = "", [ROLE_EQUAL] = "equal", [ROLE_MASTER] = "master", [ROLE_SLAVE] = "slave"};

	return texts[role];
}

static void describe_session(const struct session_report *report, struct json_object *ret)
{
	json_add_text(ret, "role", role_text(report->role));
	json_add_number(ret, "messages_received", report->n_received);
	json_add_number(ret, "messages_sent", report->n_sent);
	json_add_number(ret, "flow_mods", report->n_flow_mods);
	json_add_number(ret, "errors_sent", report->n_errors);
	json_add_number(ret, "packet_ins_sent", report->n_packet_ins);
	json_add_number(ret, "packet_ins_dropped", report->n_packet_ins_limited + report->n_packet_ins_overflown);
	json_add_number(ret, "events_dropped", report->n_events_dropped);
	json_add_number(ret, "bytes_waiting", report->output_size);
}

struct listing {
	const struct daemon *d;
	struct json_object *array;
	enum channel_kind kind;
};

static void add_channel(void *ctx, const char *bridge, const struct channel_report *report)
{
	const struct listing *listing = ctx;
	struct session_report session = {0};
	struct json_object *entry;

	if (report->config->kind != listing->kind)
		return;
	entry = json_append_object(listing->array);
	json_add_text(entry, "bridge", bridge);
	json_add_text(entry, "address", report->config->address);
	json_add_text(entry, "state", channel_state_text(report->state));
	json_add_number(entry, "since_s", seconds_since(listing->d, report->since_ns));
	add_safe(entry, "last_error", report->error);
	json_add_expiry(entry, report->expiry);
	json_add_number(entry, "connections", report->n_connections);
	if (listing->kind == CHANNEL_LISTENER)
		return;
	if (report->session)
		session = session_report(report->session);
	describe_session(&session, entry);
}

/* True after the reply was ended. */
static bool unknown_bridge(struct daemon *d, const struct grammar_value *name, struct reply *reply)
{
	if (!name->given || pipeline_bridge_by_name(vswitch_pipeline(d->vs), name->text))
		return false;
	reply_refuse(reply, "there is no bridge %s", name->text);
	return true;
}

void controller_show_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	const struct grammar_value *name = &request->args[0];
	struct listing listing = {.d = d, .kind = CHANNEL_CONTROLLER};
	struct json_object *result;

	if (unknown_bridge(d, name, reply))
		return;
	result = json_object_new_object();
	listing.array = json_add_array(result, "controllers");
	openflow_each_channel(d->of, name->given ? name->text : NULL, add_channel, &listing);
	reply_result(reply, result);
}

static void add_connections(const struct daemon *d, const struct agent *agent, struct json_object *array)
{
	static const char *const states[] = {[SESSION_HELLO] = "hello",
		[SESSION_OPEN] = "open",
		[SESSION_CLOSING] = "closing",
		[SESSION_OVER] = "over"};
	const struct session *session = NULL;

	while ((session = agent_next_session(agent, session))) {
		const struct session_report report = session_report(session);
		struct json_object *entry = json_append_object(array);

		add_safe(entry, "peer", report.from);
		json_add_text(entry, "state", states[report.state]);
		json_add_bool(entry, "accepted", report.accepted);
		json_add_number(entry, "auxiliary", report.auxiliary_id);
		json_add_number(entry, "since_s", seconds_since(d, report.since_ns));
		describe_session(&report, entry);
	}
}

static int by_number(const void *a, const void *b)
{
	const struct port *x = *(const struct port *const *)a, *y = *(const struct port *const *)b;

	return x->of_port < y->of_port ? -1 : x->of_port > y->of_port;
}

/* The bits that a port-mod has set, in the words of `ovs-ofctl mod-port`. */
static void add_port_config(struct json_object *array, uint32_t config)
{
	static const struct {
		uint32_t bit;
		const char *word;
	} bits[] = {
		{OF_PORT_CONFIG_DOWN, "down"},
		{OF_PORT_CONFIG_NO_RECV, "no-receive"},
		{OF_PORT_CONFIG_NO_FWD, "no-forward"},
		{OF_PORT_CONFIG_NO_PACKET_IN, "no-packet-in"},
	};

	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		if (config & bits[i].bit)
			json_object_array_add(array, json_object_new_string(bits[i].word));
	}
}

static void add_ports(const struct pipeline *pl, const struct bridge *bridge, struct json_object *array)
{
	const struct port *ports[SW_MAX_PORTS], *port;
	size_t n = 0;

	for (uint16_t id = 0; (port = pipeline_next_port(pl, id)); id = port->id) {
		if (port->bridge == bridge->id)
			ports[n++] = port;
	}
	qsort(ports, n, sizeof(ports[0]), by_number);
	for (size_t i = 0; i < n; i++) {
		struct json_object *entry = json_append_object(array);

		json_add_number(entry, "number", ports[i]->of_port);
		json_add_text(entry, "name", ports[i]->name);
		json_add_text(entry, "state", ports[i]->up ? "up" : "down");
		add_port_config(json_add_array(entry, "config"), ports[i]->of_config);
	}
}

static void add_tables(const struct bridge *bridge, struct json_object *array)
{
	for (unsigned id = 0; id < TABLES_MAX; id++) {
		const struct table *table = tables_table(bridge->tables, (uint8_t)id);
		struct json_object *entry;

		if (!table->n_rules && !table->name[0])
			continue;
		entry = json_append_object(array);
		json_add_number(entry, "table", id);
		add_safe(entry, "name", table->name);
		json_add_number(entry, "rules", table->n_rules);
	}
}

static void describe_bridge(const struct daemon *d, const struct bridge *bridge, struct json_object *ret)
{
	const struct agent *agent = openflow_agent(d->of, bridge->name);
	struct listing listing = {.d = d, .kind = CHANNEL_LISTENER};
	struct agent_report report;
	char id[20];

	snprintf(id, sizeof(id), "%016llx", (unsigned long long)bridge->datapath_id);
	json_add_text(ret, "bridge", bridge->name);
	json_add_text(ret, "datapath_id", id);
	if (agent) {
		report = agent_report(agent);
		json_add_text(ret, "fail_mode", report.fail_mode == FAIL_SECURE ? "secure" : "standalone");
		json_add_bool(ret, "standalone_now", report.standalone);
		json_add_number(ret, "controllers", report.n_controllers);
		json_add_number(ret, "packet_ins_unheard", report.n_unheard);
	}
	listing.array = json_add_array(ret, "listeners");
	openflow_each_channel(d->of, bridge->name, add_channel, &listing);
	if (agent)
		add_connections(d, agent, json_add_array(ret, "connections"));
	add_ports(vswitch_pipeline(d->vs), bridge, json_add_array(ret, "ports"));
	add_tables(bridge, json_add_array(ret, "tables"));
	json_add_number(ret, "rules", tables_count(bridge->tables));
	json_add_number(ret, "groups", groups_count(bridge->groups));
	json_add_number(ret, "meters", meters_count(bridge->meters));
}

void openflow_show_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	const struct pipeline *pl = vswitch_pipeline(d->vs);
	const struct grammar_value *name = &request->args[0];
	struct json_object *result, *bridges;
	const struct bridge *bridge;

	if (unknown_bridge(d, name, reply))
		return;
	result = json_object_new_object();
	bridges = json_add_array(result, "bridges");
	for (uint16_t id = 0; (bridge = pipeline_next_bridge(pl, id)); id = bridge->id) {
		if (!name->given || !strcmp(bridge->name, name->text))
			describe_bridge(d, bridge, json_append_object(bridges));
	}
	reply_result(reply, result);
}
