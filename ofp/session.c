/* SPDX-License-Identifier: BSD-2-Clause */
#include "ofp/session_parts.h"

#include "dataplane/log.h"

#include <stdio.h>
#include <stdlib.h>

#define NS_PER_MS     1000000ull
#define LAST_WORDS_MS 10000 /* for a hello, or to say what is queued, where nothing is probed */

struct session_limits session_default_limits(void)
{
	return (struct session_limits){
		.probe_ms = 15000,
		.packet_in_rate = 10000,
		.packet_in_burst = 2500,
		.packet_ins_max = 512,
		.packet_in_bytes = 1 << 20,
		.replies_max = 1 << 20,
		.events_max = 16 << 20,
		.turn_messages = 1024,
		.turn_bytes = 256 << 10,
	};
}

/* ---- beginning and end ---- */

/* OF 1.3.5 §7.5.1: the versions as a bitmap, of which ours has one. */
static void say_hello(struct session *session)
{
	struct wire_out *out = session_begin(session, OFPT_HELLO, 0);

	wire_put_u16(out, OFPHET_VERSIONBITMAP);
	wire_put_u16(out, 8);
	wire_put_u32(out, 1u << OFP_VERSION);
	session_end(session);
}

struct session *session_create(struct agent *agent, const struct session_options *options, uint64_t now_ns)
{
	struct session *session = calloc(1, sizeof(*session));

	if (!session)
		return NULL;
	session->agent = agent;
	session->main = options->main ? options->main->main : session;
	session->auxiliary_id = options->main ? options->auxiliary_id : 0;
	session->accepted = options->accepted;
	session->limits = options->limits;
	session->time_left_ns = SESSION_TURN_NS;
	session->now_ns = session->since_ns = session->heard_ns = now_ns;
	snprintf(session->from, sizeof(session->from), "%s", options->from);
	roles_begin(session);
	dumps_renew(session);
	if (agent_join(agent, session)) {
		free(session);
		return NULL;
	}
	say_hello(session);
	return session;
}

static void set_busy(struct session *session, bool busy)
{
	if (busy != session->busy)
		session->agent->n_busy += busy ? 1 : UINT32_MAX;
	session->busy = busy;
}

void session_free(struct session *session)
{
	if (!session)
		return;
	session_step(session, SESSION_LOST, "closed here");
	dumps_end(session);
	set_busy(session, false);
	agent_leave(session->agent, session);
	session_free_output(session);
	free(session);
}

/* ---- states ---- */

static void close_with(struct session *session, enum session_state state, const char *why)
{
	bool was_open = session->state == SESSION_OPEN;

	if (!session->why[0])
		snprintf(session->why, sizeof(session->why), "%s", why);
	session->state = state;
	session->heard_ns = session->now_ns;
	session->probed_ns = 0;
	if (was_open)
		agent_session_closed(session->agent, session);
}

static void open_up(struct session *session)
{
	session->state = SESSION_OPEN;
	session->opened_ns = session->now_ns;
	agent_session_opened(session->agent, session);
}

/* The only place where the state changes. */
void session_step(struct session *session, enum session_event event, const char *why)
{
	switch (session->state) {
	case SESSION_HELLO:
	case SESSION_OPEN:
		if (event == SESSION_AGREED && session->state == SESSION_HELLO)
			open_up(session);
		else if (event == SESSION_REFUSED)
			close_with(session, SESSION_CLOSING, why);
		else if (event == SESSION_LOST)
			close_with(session, SESSION_OVER, why);
		break;
	case SESSION_CLOSING:
		if (event == SESSION_LOST || event == SESSION_DRAINED)
			close_with(session, SESSION_OVER, why);
		break;
	case SESSION_OVER:
		break;
	}
}

void session_peer_closed(struct session *session, const char *why)
{
	session_step(session, SESSION_LOST, why ? why : "closed");
}

/* ---- what comes in ---- */

static bool listens(const struct session *session)
{
	return session->state <= SESSION_OPEN && !session->settling && !session_is_full(session);
}

static bool has_quota(const struct session *session)
{
	return session->turn_messages < session->limits.turn_messages &&
	       session->turn_bytes < session->limits.turn_bytes && session->time_left_ns > 0 &&
	       session->agent->turn_ns < SESSION_TURN_NS;
}

/* Takes what has passed since `since_ns` off its share and the agent's turn (O4). Returns the time. */
static uint64_t charge(struct session *session, uint64_t since_ns)
{
	uint64_t now_ns = ofbridge_now_ns(session->agent->bridge);
	uint64_t cost_ns = now_ns > since_ns ? now_ns - since_ns : 0;

	session->time_left_ns -= (int64_t)cost_ns;
	session->agent->turn_ns += cost_ns;
	return now_ns;
}

/* A new share. What was left of the old one is lost, what was taken in advance is paid back. */
static void renew_quotas(struct session *session)
{
	struct agent *agent = session->agent;
	int64_t share_ns;

	set_busy(session, session->more && listens(session));
	share_ns = SESSION_TURN_NS / (agent->n_busy ? agent->n_busy : 1);
	if (session->time_left_ns < 0)
		share_ns += session->time_left_ns;
	session->time_left_ns = share_ns;
	session->turn_messages = session->turn_bytes = 0;
	agent->turn_ns = 0;
}

void session_rest(struct session *session)
{
	session->turn_messages = session->limits.turn_messages;
}

/* Before hellos have been exchanged nothing else may come (OF 1.3.5 §6.3.1). */
static enum of_err meet(struct session *session, struct message *message)
{
	if (message->type == OFPT_HELLO)
		return message->size < message->row->least ? OF_ERR_BAD_REQUEST_BAD_LEN
							   : handle_hello(session, message);
	if (message->type == OFPT_ERROR) {
		handle_error(session, message);
		session_step(session, SESSION_LOST, "the peer refuses our hello");
		return OF_OK;
	}
	session_error(session, message, OF_ERR_HELLO_INCOMPATIBLE, "a hello has to come first");
	session_step(session, SESSION_REFUSED, "did not begin with a hello");
	return OF_OK;
}

static enum of_err act(struct session *session, struct message *message)
{
	enum of_err error;

	if (session->state == SESSION_HELLO)
		return meet(session, message);
	error = message_check(message);
	if (error)
		return error;
	if (message->row->changes && session->main->role == ROLE_SLAVE)
		return OF_ERR_BAD_REQUEST_IS_SLAVE;
	return message->row->handle(session, message);
}

static void take(struct session *session, const uint8_t *bytes, uint16_t size)
{
	struct message message = message_of(bytes, size);
	enum of_err error;

	session->turn_messages++;
	session->turn_bytes += size;
	session->counts.n_received++;
	session->heard_ns = session->now_ns;
	session->probed_ns = 0;
	error = act(session, &message);
	/* An error is not answered with an error, or two peers might never stop. */
	if (error && message.type != OFPT_ERROR)
		session_error(session, &message, error, NULL);
	arena_reset(&session->agent->arena);
}

static void lose_framing(struct session *session, const uint8_t *bytes)
{
	struct message message = message_of(bytes, OFP_HEADER_SIZE);

	session_error(session, &message, OF_ERR_BAD_REQUEST_BAD_LEN, NULL);
	session_step(session, SESSION_REFUSED, "sent a message shorter than a header");
}

/* A barrier waits until the requests before it are answered in full (OF 1.3.5 §7.3.8). */
static bool has_to_settle(struct session *session, const uint8_t *bytes)
{
	struct message message;

	if (!dumps_any(session))
		return false;
	message = message_of(bytes, message_size(bytes));
	session->settling = message.type == OFPT_BARRIER_REQUEST && !message_check(&message);
	return session->settling;
}

size_t session_receive(struct session *session, const void *bytes, size_t size, uint64_t now_ns)
{
	const uint8_t *at = bytes;
	size_t left = size;
	uint64_t at_ns = ofbridge_now_ns(session->agent->bridge);

	session->now_ns = now_ns;
	session->more = false;
	while (session->state <= SESSION_OPEN && left >= OFP_HEADER_SIZE) {
		uint16_t n = message_size(at);

		if (n < OFP_HEADER_SIZE) {
			lose_framing(session, at);
			break;
		}
		if (left < n)
			break;
		if (!listens(session) || !has_quota(session) || has_to_settle(session, at)) {
			session->more = true;
			break;
		}
		take(session, at, n);
		at_ns = charge(session, at_ns);
		at += n;
		left -= n;
	}
	return session->state <= SESSION_OPEN ? size - left : size;
}

/* ---- turns ---- */

void session_turn(struct session *session, uint64_t now_ns)
{
	session->now_ns = now_ns;
	renew_quotas(session);
	if (session->state >= SESSION_CLOSING) {
		dumps_end(session);
		if (!session_waiting(session))
			session_step(session, SESSION_DRAINED, NULL);
		return;
	}
	dumps_renew(session);
	dumps_run(session);
	if (!dumps_any(session))
		session->settling = false;
	session_move_packet_ins(session);
}

unsigned session_wants(const struct session *session)
{
	unsigned wants = 0;

	if (session->state == SESSION_OVER)
		return SESSION_WANTS_END;
	if (session_waiting(session))
		wants |= SESSION_WANTS_OUTPUT;
	if (session->state == SESSION_CLOSING)
		return wants;
	if (listens(session) && has_quota(session))
		wants |= SESSION_WANTS_INPUT;
	if ((session->more && listens(session)) || !has_quota(session) || dumps_can_run(session) ||
		session_has_room_for_packet_ins(session))
		wants |= SESSION_WANTS_TURN;
	return wants;
}

/* ---- deadlines ---- */

uint64_t session_deadline(const struct session *session)
{
	uint64_t since_ns = session->probed_ns ? session->probed_ns : session->heard_ns;
	uint32_t probe_ms = session->limits.probe_ms;

	if (session->state == SESSION_OVER || (session->state == SESSION_OPEN && !probe_ms))
		return 0;
	return since_ns + (probe_ms ? probe_ms : LAST_WORDS_MS) * NS_PER_MS;
}

void session_expired(struct session *session, uint64_t now_ns)
{
	uint64_t deadline_ns = session_deadline(session);

	if (!deadline_ns || now_ns < deadline_ns)
		return;
	session->now_ns = now_ns;
	if (session->state == SESSION_HELLO)
		session_step(session, SESSION_LOST, "no hello came");
	else if (session->state == SESSION_CLOSING)
		session_step(session, SESSION_LOST, "does not read our last words");
	else if (session->probed_ns)
		session_step(session, SESSION_LOST, "no answer to an echo request");
	else {
		session_answer(session, OFPT_ECHO_REQUEST, 0);
		session->probed_ns = now_ns;
	}
}

/* ---- what there is to see ---- */

void session_set_limits(struct session *session, const struct session_limits *limits)
{
	session->limits = *limits;
}

struct session_report session_report(const struct session *session)
{
	struct session_report report = session->counts;

	report.from = session->from;
	report.why = session->why;
	report.state = session->state;
	report.role = session->main->role;
	report.accepted = session->accepted;
	report.auxiliary_id = session->auxiliary_id;
	report.since_ns = session->since_ns;
	report.opened_ns = session->opened_ns;
	report.output_size = session_waiting(session);
	return report;
}

enum session_state session_state(const struct session *session)
{
	return session->state;
}

const char *session_why(const struct session *session)
{
	return session->why;
}
