/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/fake_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct session {
	struct session *next;
	bool accepted;
	const struct session *main;
	enum session_state state;
	uint64_t since_ns, opened_ns;
	uint32_t quota;
	uint8_t *out;
	size_t out_size, out_room;
	char from[400];
	char why[200];
};

struct agent {
	struct ofbridge *bridge;
	uint32_t n_controllers;
	enum fail_mode mode;
};

struct fake_sessions fake_sessions;
static struct session *sessions;

struct agent *fake_agent(void)
{
	return agent_create(NULL, NULL, 0);
}

/* ---- sessions ---- */

struct session_limits session_default_limits(void)
{
	return (struct session_limits){.probe_ms = 15000, .packet_in_rate = 10000};
}

struct session *session_create(struct agent *agent, const struct session_options *options, uint64_t now_ns)
{
	struct session *s = fake_sessions.n_alive < AGENT_SESSIONS_MAX ? calloc(1, sizeof(*s)) : NULL;

	if (!s)
		return NULL;
	s->since_ns = now_ns;
	s->accepted = options->accepted;
	s->main = options->main;
	fake_sessions.n_auxiliary += s->main != NULL;
	s->quota = fake_sessions.turn_bytes;
	snprintf(s->from, sizeof(s->from), "%s", options->from);
	snprintf(fake_sessions.from, sizeof(fake_sessions.from), "%s", options->from);
	fake_sessions.options = *options;
	fake_sessions.n_created++;
	fake_sessions.n_alive++;
	s->next = sessions;
	sessions = s;
	return s;
}

void session_free(struct session *s)
{
	struct session **at = &sessions;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	for (const struct session *other = sessions; other; other = other->next)
		fake_sessions.n_orphans += other->main == s;
	fake_sessions.n_auxiliary -= s->main != NULL;
	fake_sessions.n_alive--;
	free(s->out);
	free(s);
}

static void say(struct session *s, const void *bytes, size_t size)
{
	if (s->out_size + size > s->out_room) {
		s->out_room = (s->out_size + size) * 2;
		s->out = realloc(s->out, s->out_room);
	}
	memcpy(s->out + s->out_size, bytes, size);
	s->out_size += size;
	if (s->out_size > fake_sessions.most_waiting)
		fake_sessions.most_waiting = s->out_size;
}

static bool may_take(const struct session *s)
{
	return s->out_size <= FAKE_OUTPUT_MAX && (!fake_sessions.turn_bytes || s->quota >= FAKE_MESSAGE);
}

size_t session_receive(struct session *s, const void *bytes, size_t size, uint64_t now_ns)
{
	const uint8_t *message = bytes;
	size_t taken = 0;

	if (s->state >= SESSION_CLOSING)
		return size;
	while (size - taken >= FAKE_MESSAGE && may_take(s)) {
		s->quota -= FAKE_MESSAGE;
		if (s->state == SESSION_HELLO) {
			s->state = SESSION_OPEN;
			s->opened_ns = now_ns;
		}
		if (message[taken] == 'E') {
			say(s, "bye", 3);
			s->state = SESSION_CLOSING;
			snprintf(s->why, sizeof(s->why), "said goodbye");
			return size;
		}
		say(s, message + taken, FAKE_MESSAGE);
		taken += FAKE_MESSAGE;
	}
	fake_sessions.n_taken += taken;
	return taken;
}

void session_peer_closed(struct session *s, const char *why)
{
	s->state = SESSION_OVER;
	s->out_size = 0;
	snprintf(fake_sessions.why, sizeof(fake_sessions.why), "%s", why);
}

void session_turn(struct session *s, uint64_t now_ns)
{
	s->quota = fake_sessions.turn_bytes;
}

const uint8_t *session_output(struct session *s, size_t *ret_size)
{
	*ret_size = s->out_size;
	return s->out_size ? s->out : NULL;
}

void session_sent(struct session *s, size_t size, uint64_t now_ns)
{
	s->out_size -= size;
	memmove(s->out, s->out + size, s->out_size);
	if (s->state == SESSION_CLOSING && !s->out_size)
		s->state = SESSION_OVER;
}

unsigned session_wants(const struct session *s)
{
	return (s->state < SESSION_CLOSING && may_take(s) ? SESSION_WANTS_INPUT : 0) |
	       (s->out_size ? SESSION_WANTS_OUTPUT : 0) | (s->state == SESSION_OVER ? SESSION_WANTS_END : 0);
}

uint64_t session_deadline(const struct session *s)
{
	return fake_sessions.deadline_ns;
}

void session_expired(struct session *s, uint64_t now_ns)
{
	fake_sessions.n_expired++;
	snprintf(s->why, sizeof(s->why), "silent");
	s->state = SESSION_OVER;
}

void session_set_limits(struct session *s, const struct session_limits *limits)
{
	fake_sessions.options.limits = *limits;
}

struct session_report session_report(const struct session *s)
{
	return (struct session_report){.from = s->from,
		.why = s->why,
		.state = s->state,
		.role = ROLE_EQUAL,
		.accepted = s->accepted,
		.since_ns = s->since_ns,
		.opened_ns = s->opened_ns,
		.n_packet_ins = 7,
		.n_packet_ins_limited = 2,
		.n_packet_ins_overflown = 1,
		.output_size = s->out_size};
}

enum session_state session_state(const struct session *s)
{
	return s->state;
}

const char *session_why(const struct session *s)
{
	return s->why;
}

/* ---- the agent ---- */

struct agent *agent_create(struct ofbridge *bridge, const struct agent_identity *identity, uint64_t now_ns)
{
	struct agent *agent = calloc(1, sizeof(*agent));

	agent->bridge = bridge;
	return agent;
}

void agent_free(struct agent *agent)
{
	free(agent);
}

void agent_set_fail_mode(struct agent *agent, enum fail_mode mode, uint64_t now_ns)
{
	agent->mode = fake_sessions.fail_mode = mode;
}

void agent_set_controllers(struct agent *agent, uint32_t n, uint64_t now_ns)
{
	agent->n_controllers = fake_sessions.n_controllers = n;
}

uint64_t agent_deadline(const struct agent *agent)
{
	return fake_sessions.agent_deadline_ns;
}

void agent_expired(struct agent *agent, uint64_t now_ns)
{
	fake_sessions.n_agent_expired++;
	fake_sessions.agent_deadline_ns = 0;
}

struct ofbridge *agent_bridge(const struct agent *agent)
{
	return agent->bridge;
}

struct agent_report agent_report(const struct agent *agent)
{
	return (struct agent_report){.fail_mode = agent->mode, .n_controllers = agent->n_controllers};
}

const struct session *agent_next_session(const struct agent *agent, const struct session *after)
{
	return after ? after->next : sessions;
}
