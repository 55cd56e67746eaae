/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session_parts.h - what the files of a session, its handlers and its agent share. Nobody else includes it.
 *
 * Who does what: session.c takes bytes apart, runs the states and the deadlines. session_output.c holds what is to be
 * sent. handle_*.c act on messages. multipart.c makes multipart replies piece by piece, mp_*.c fill them. agent.c,
 * agent_roles.c and packet_in.c are the agent.
 *
 * A reply is written between session_begin() and session_end(), straight into the output. Nothing else may be queued
 * between the two.
 */
#ifndef OFP_SESSION_PARTS_H
#define OFP_SESSION_PARTS_H

#include "dataplane/ofbridge.h"
#include "ofp/agent_parts.h"
#include "ofp/message.h"
#include "ofp/multipart.h"
#include "ofp/session.h"

#define SESSION_TEXT_SIZE 160

/* A bit each reason, as in OFPT_SET_ASYNC: [0] while MASTER or EQUAL, [1] while SLAVE (OF 1.3.5 §7.3.10). */
struct async_masks {
	uint32_t packet_in[2], port_status[2], flow_removed[2];
};

struct session {
	struct agent *agent;
	struct session *prev, *next; /* the agent's */
	struct session *main;        /* whose settings count; itself, but for an auxiliary one */
	uint8_t auxiliary_id;
	bool accepted;
	enum session_state state;
	uint32_t connection; /* while it is open: which one of those of its main session it is, from 0 */
	struct session_limits limits;
	uint64_t now_ns; /* of the call that runs */
	uint64_t since_ns, opened_ns;

	/* Of a main session, for it and its auxiliary ones. */
	enum session_role role;
	struct async_masks async;
	uint16_t miss_send_len;
	uint32_t n_connections; /* that are open */

	struct wire_out out; /* messages; the first `out_sent` bytes have left */
	size_t out_sent;
	size_t message_start;       /* of the message between session_begin() and session_end() */
	struct wire_out packet_ins; /* messages that wait; the first `packet_ins_taken` bytes are in `out` */
	size_t packet_ins_taken;
	uint32_t n_packet_ins;
	uint64_t packet_in_due_ns; /* when the next would be due at the limited rate (GCRA) */

	uint32_t turn_messages, turn_bytes; /* taken in this turn */
	int64_t time_left_ns;               /* of its share of the turns; below zero it is owed */
	bool busy;                          /* stopped by a quota in the turn before: it counts in the agent's n_busy */
	bool more;                          /* whole messages were offered and not taken */
	bool settling;                      /* a barrier waits for the multipart replies before it */
	struct dumps dumps;

	uint64_t heard_ns;  /* last sign of life */
	uint64_t probed_ns; /* an echo request has left since; 0: none */

	struct session_report counts;
	char from[SESSION_TEXT_SIZE];
	char why[SESSION_TEXT_SIZE];
};

/* ---- session.c ---- */

enum session_event {
	SESSION_AGREED,  /* on a version */
	SESSION_REFUSED, /* the peer hears why, and then it ends */
	SESSION_LOST,    /* there is nobody to hear anything */
	SESSION_DRAINED, /* all that was queued has left */
};
void session_step(struct session *session, enum session_event event, const char *why);
/* What a request costs that takes milliseconds: this turn's quota of messages. */
void session_rest(struct session *session);

/* ---- session_output.c ---- */

/* A message from the switch of this type; what is written to the result until session_end() is its body. */
struct wire_out *session_begin(struct session *session, enum ofp_type type, uint32_t xid);
void session_end(struct session *session);
/* An answer without a body. */
void session_answer(struct session *session, enum ofp_type type, uint32_t xid);
/* With the first bytes of the message at fault, or `text` instead of them. */
void session_error(struct session *session, const struct message *message, enum of_err error, const char *text);

/* Bytes that have not left. */
size_t session_waiting(const struct session *session);
/* More output is not to be made in this turn. */
bool session_is_full(const struct session *session);

/* Whether a packet-in may be queued now; if not it is counted as dropped. */
bool session_admits_packet_in(struct session *session);
/* A whole message; false: beyond the bounds of its queue it is dropped and counted. */
bool session_queue_packet_in(struct session *session, const uint8_t *message, size_t size);
/* An event other than a packet-in; dropped and counted beyond the bounds. */
void session_queue_event(struct session *session, const uint8_t *message, size_t size);
void session_move_packet_ins(struct session *session);
bool session_has_room_for_packet_ins(const struct session *session);
void session_free_output(struct session *session);

#endif
