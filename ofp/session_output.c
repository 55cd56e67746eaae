/* SPDX-License-Identifier: BSD-2-Clause */
#include "ofp/session_parts.h"

#include "dataplane/log.h"

#include <string.h>

#define KEPT_CAPACITY  262144              /* bytes of memory that an empty output keeps */
#define PACKET_IN_ROOM (2 * SESSION_PIECE) /* packet-ins move into an output in which no more waits */
#define NS_PER_S       1000000000ull

struct wire_out *session_begin(struct session *session, enum ofp_type type, uint32_t xid)
{
	session->message_start = message_begin(&session->out, type, xid);
	return &session->out;
}

void session_end(struct session *session)
{
	if (message_end(&session->out, session->message_start))
		session->counts.n_sent++;
	else if (session->out.failed)
		session_step(session, SESSION_LOST, "out of memory");
	else
		log_limited(LOG_LEVEL_ERROR, "openflow: %s: a message came out longer than 64 KiB and was not sent",
			session->from);
}

void session_answer(struct session *session, enum ofp_type type, uint32_t xid)
{
	session_begin(session, type, xid);
	session_end(session);
}

/*
 * OF 1.3.5 §7.5.4 wants 64 bytes of the message at fault. It gets nearly all there are: who reads them decodes them,
 * and finds a message that was cut short malformed.
 */
#define ERROR_DATA_MAX 1024
_Static_assert(ERROR_DATA_MAX >= OFP_ERROR_DATA_MIN, "too little of a message at fault");

void session_error(struct session *session, const struct message *message, enum of_err error, const char *text)
{
	const struct of_error_row *row = of_error_row(error);
	size_t size = message->size < ERROR_DATA_MAX ? message->size : ERROR_DATA_MAX;
	struct wire_out *out = session_begin(session, OFPT_ERROR, message->xid);

	wire_put_u16(out, row->type);
	wire_put_u16(out, row->code);
	if (text)
		wire_put_bytes(out, text, strlen(text));
	else
		wire_put_bytes(out, message->bytes, size);
	session_end(session);
	session->counts.n_errors++;
	log_limited(
		LOG_LEVEL_INFO, "openflow: %s: %s refused: %s", session->from, message_name(message->type), row->text);
}

size_t session_waiting(const struct session *session)
{
	return session->out.size - session->out_sent;
}

bool session_is_full(const struct session *session)
{
	return session_waiting(session) > session->limits.replies_max;
}

const uint8_t *session_output(struct session *session, size_t *ret_size)
{
	bool speaks = session->state != SESSION_OVER && session_waiting(session);

	*ret_size = speaks ? session_waiting(session) : 0;
	return speaks ? session->out.bytes + session->out_sent : NULL;
}

/* Moves what is left to the front once that is the smaller part. */
static void compact(struct wire_out *out, size_t *gone)
{
	size_t left = out->size - *gone;

	if (!left) {
		if (out->capacity > KEPT_CAPACITY)
			wire_out_free(out);
		wire_out_reset(out);
		*gone = 0;
	} else if (*gone > left) {
		memmove(out->bytes, out->bytes + *gone, left);
		wire_cut(out, left);
		*gone = 0;
	}
}

void session_sent(struct session *session, size_t size, uint64_t now_ns)
{
	bool stopped = session_is_full(session) || session->settling;

	session->now_ns = now_ns;
	if (size > session_waiting(session))
		size = session_waiting(session);
	session->out_sent += size;
	/* While we do not listen, that the peer reads is its sign of life (O5). */
	if (size && stopped) {
		session->heard_ns = now_ns;
		session->probed_ns = 0;
	}
	compact(&session->out, &session->out_sent);
	if (!session_waiting(session))
		session_step(session, SESSION_DRAINED, NULL);
}

/* ---- events ---- */

/*
 * A token bucket that knows only when the next token would be due at the limited rate: with a burst of n, up to n - 1
 * intervals may have been taken in advance.
 */
static bool within_rate(struct session *session)
{
	const struct session_limits *limits = &session->limits;
	uint64_t interval_ns;

	if (!limits->packet_in_rate)
		return true;
	interval_ns = NS_PER_S / limits->packet_in_rate;
	if (session->packet_in_due_ns < session->now_ns)
		session->packet_in_due_ns = session->now_ns;
	if (limits->packet_in_burst &&
		session->packet_in_due_ns - session->now_ns > (limits->packet_in_burst - 1) * interval_ns)
		return false;
	session->packet_in_due_ns += interval_ns;
	return true;
}

bool session_admits_packet_in(struct session *session)
{
	if (session->n_packet_ins >= session->limits.packet_ins_max) {
		session->counts.n_packet_ins_overflown++;
		return false;
	}
	if (!within_rate(session)) {
		session->counts.n_packet_ins_limited++;
		return false;
	}
	return true;
}

bool session_queue_packet_in(struct session *session, const uint8_t *message, size_t size)
{
	struct wire_out *queue = &session->packet_ins;

	if (queue->size - session->packet_ins_taken + size > session->limits.packet_in_bytes) {
		session->counts.n_packet_ins_overflown++;
		return false;
	}
	wire_put_bytes(queue, message, size);
	if (queue->failed) {
		session_step(session, SESSION_LOST, "out of memory");
		return false;
	}
	session->n_packet_ins++;
	session->counts.n_packet_ins++;
	return true;
}

/* O3 */
static uint32_t events_max(const struct session *session)
{
	const struct session_limits *limits = &session->limits;
	uint32_t part;

	if (!session->accepted)
		return limits->events_max;
	part = SESSION_STRANGERS_EVENTS / session->agent->n_accepted;
	if (part < limits->replies_max)
		part = limits->replies_max;
	return part < limits->events_max ? part : limits->events_max;
}

void session_queue_event(struct session *session, const uint8_t *message, size_t size)
{
	if (session_waiting(session) + size > events_max(session)) {
		session->counts.n_events_dropped++;
		return;
	}
	wire_put_bytes(&session->out, message, size);
	if (session->out.failed)
		session_step(session, SESSION_LOST, "out of memory");
	else
		session->counts.n_sent++;
}

void session_move_packet_ins(struct session *session)
{
	struct wire_out *queue = &session->packet_ins;

	while (session->n_packet_ins && session_waiting(session) < PACKET_IN_ROOM && !session->out.failed) {
		const uint8_t *message = queue->bytes + session->packet_ins_taken;
		uint16_t size = message_size(message);

		wire_put_bytes(&session->out, message, size);
		session->packet_ins_taken += size;
		session->n_packet_ins--;
		session->counts.n_sent++;
	}
	if (session->out.failed)
		session_step(session, SESSION_LOST, "out of memory");
	compact(queue, &session->packet_ins_taken);
}

bool session_has_room_for_packet_ins(const struct session *session)
{
	return session->n_packet_ins && session_waiting(session) < PACKET_IN_ROOM;
}

void session_free_output(struct session *session)
{
	wire_out_free(&session->out);
	wire_out_free(&session->packet_ins);
}
