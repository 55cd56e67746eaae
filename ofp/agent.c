/* SPDX-License-Identifier: BSD-2-Clause */
#include "ofp/session_parts.h"

#include "dataplane/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define NS_PER_MS        1000000ull
#define DEFAULT_PATIENCE (AGENT_PATIENCE_PROBES * 15000 * NS_PER_MS)

/* ---- beginning and end ---- */

static void set_text(char *text, size_t size, const char *given, const char *otherwise)
{
	snprintf(text, size, "%s", given ? given : otherwise);
}

static void introduce(struct agent *agent, const struct agent_identity *identity)
{
	static const struct agent_identity nobody;
	const struct agent_identity *is = identity ? identity : &nobody;

	set_text(agent->manufacturer, sizeof(agent->manufacturer), is->manufacturer, "switchd");
	set_text(agent->hardware, sizeof(agent->hardware), is->hardware, "XDP");
	set_text(agent->software, sizeof(agent->software), is->software, "switchd");
	set_text(agent->serial, sizeof(agent->serial), is->serial, "None");
	set_text(agent->datapath, sizeof(agent->datapath), is->datapath, ofbridge_name(agent->bridge));
}

struct agent *agent_create(struct ofbridge *bridge, const struct agent_identity *identity, uint64_t now_ns)
{
	struct agent *agent = calloc(1, sizeof(*agent));
	const struct ofbridge_events events = {
		.ctx = agent,
		.packet_in = agent_packet_in,
		.flow_removed = agent_flow_removed,
		.port_changed = agent_port_changed,
	};

	if (!agent)
		return NULL;
	agent->bridge = bridge;
	agent->buffers = buffers_create();
	if (!agent->buffers) {
		free(agent);
		return NULL;
	}
	agent->fail_mode = FAIL_SECURE;
	agent->alone_ns = now_ns;
	agent->patience_ns = DEFAULT_PATIENCE;
	introduce(agent, identity);
	ofbridge_listen(bridge, &events);
	return agent;
}

void agent_free(struct agent *agent)
{
	if (!agent)
		return;
	ofbridge_listen(agent->bridge, NULL);
	buffers_destroy(agent->buffers);
	arena_free(&agent->arena);
	wire_out_free(&agent->scratch);
	free(agent);
}

/* ---- sessions ---- */

int agent_join(struct agent *agent, struct session *session)
{
	if (agent->n_sessions >= AGENT_SESSIONS_MAX)
		return -ENOSPC;
	session->prev = agent->last;
	session->next = NULL;
	if (agent->last)
		agent->last->next = session;
	else
		agent->first = session;
	agent->last = session;
	agent->n_sessions++;
	agent->n_accepted += session->accepted;
	return 0;
}

void agent_leave(struct agent *agent, struct session *session)
{
	if (session->prev)
		session->prev->next = session->next;
	else
		agent->first = session->next;
	if (session->next)
		session->next->prev = session->prev;
	else
		agent->last = session->prev;
	agent->n_sessions--;
	agent->n_accepted -= session->accepted;
}

/* ---- fail mode ---- */

/* That of a controller to which we were told to connect. */
static bool runs_us(const struct session *session)
{
	return !session->accepted && session->main == session;
}

static bool is_alone(const struct agent *agent)
{
	for (const struct session *session = agent->first; session; session = session->next) {
		if (session->state == SESSION_OPEN && runs_us(session))
			return false;
	}
	return true;
}

/* Without controllers a bridge that forwards of itself is as it is without OpenFlow, and does not stand alone (G3). */
static void become(struct agent *agent, bool standalone)
{
	agent->standalone = standalone && agent->n_controllers;
	ofbridge_set_standalone(agent->bridge, standalone);
}

/* Keeps G3. The deadline is set only while there is something to wait for. */
static void decide(struct agent *agent, uint64_t now_ns)
{
	bool may = agent->fail_mode == FAIL_STANDALONE && is_alone(agent);
	uint64_t due_ns = agent->ever ? agent->alone_ns + agent->patience_ns : now_ns;
	bool on = may && (agent->standalone || now_ns >= due_ns);

	agent->deadline_ns = agent->n_controllers && may && !on ? due_ns : 0;
	if (!agent->n_controllers || on == agent->standalone)
		return;
	log_info("openflow: bridge %s: %s", ofbridge_name(agent->bridge),
		on ? "no controller, standalone until one connects" : "standalone no more");
	become(agent, on);
}

/* Secure means that nothing forwards but by a controller's word; without rules, a bridge that may forward does. */
void agent_set_fail_mode(struct agent *agent, enum fail_mode mode, uint64_t now_ns)
{
	if (mode == agent->fail_mode)
		return;
	agent->fail_mode = mode;
	if (mode == FAIL_SECURE)
		become(agent, false);
	else if (!agent->n_controllers && !tables_count(ofbridge_tables(agent->bridge)))
		become(agent, true);
	decide(agent, now_ns);
}

void agent_set_controllers(struct agent *agent, uint32_t n, uint64_t now_ns)
{
	bool lost_all = agent->n_controllers && !n;

	agent->n_controllers = n;
	if (!n)
		agent->ever = false;
	if (lost_all && agent->fail_mode == FAIL_STANDALONE && !agent->standalone)
		become(agent, true);
	agent->standalone &= n > 0;
	decide(agent, now_ns);
}

/* Packet-ins choose by number; there are many more of these than sessions that come and go. */
static void number_connections(struct agent *agent)
{
	for (struct session *session = agent->first; session; session = session->next)
		session->n_connections = 0;
	for (struct session *session = agent->first; session; session = session->next) {
		if (session->state == SESSION_OPEN)
			session->connection = session->main->n_connections++;
	}
}

void agent_session_opened(struct agent *agent, struct session *session)
{
	number_connections(agent);
	if (!runs_us(session))
		return;
	agent->ever = true;
	decide(agent, session->now_ns);
}

void agent_session_closed(struct agent *agent, struct session *session)
{
	uint64_t patience_ns = AGENT_PATIENCE_PROBES * session->limits.probe_ms * NS_PER_MS;

	number_connections(agent);
	if (!runs_us(session))
		return;
	agent->alone_ns = session->now_ns;
	agent->patience_ns = patience_ns ? patience_ns : DEFAULT_PATIENCE;
	decide(agent, session->now_ns);
}

uint64_t agent_deadline(const struct agent *agent)
{
	return agent->deadline_ns;
}

void agent_expired(struct agent *agent, uint64_t now_ns)
{
	if (agent->deadline_ns && now_ns >= agent->deadline_ns)
		decide(agent, now_ns);
}

/* ---- what there is to see ---- */

struct ofbridge *agent_bridge(const struct agent *agent)
{
	return agent->bridge;
}

struct agent_report agent_report(const struct agent *agent)
{
	struct agent_report report = {
		.fail_mode = agent->fail_mode,
		.standalone = agent->standalone,
		.n_controllers = agent->n_controllers,
		.n_sessions = agent->n_sessions,
		.has_generation = agent->has_generation,
		.generation_id = agent->generation_id,
		.n_buffers = buffers_count(agent->buffers),
		.n_unheard = agent->n_unheard,
	};

	for (const struct session *session = agent->first; session; session = session->next)
		report.n_open += session->state == SESSION_OPEN;
	return report;
}

const struct session *agent_next_session(const struct agent *agent, const struct session *after)
{
	return after ? after->next : agent->first;
}
