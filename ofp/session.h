/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session.h - one connection of one controller, without the connection: bytes in, bytes out, deadlines out.
 *
 * What: frames the stream into messages, settles on OpenFlow 1.3, hands each message to its handler (message.def),
 * queues replies, errors and events, keeps the peer alive with echo requests, and says when it is over. It does no I/O
 * and looks at no clock; whoever holds the socket (channel.c) drives it:
 *
 *     session_create()                     when the stream is up (after the TLS handshake)
 *     session_receive(bytes)               while session_wants() has SESSION_WANTS_INPUT; what was not taken is offered
 *                                          again, with more behind it, in a later turn
 *     session_turn()                       once a turn of the loop, after the maps were settled
 *     session_output(), session_sent()     after session_turn(), and until the socket takes no more
 *     session_deadline(), session_expired()
 *     session_peer_closed()                the stream has ended or failed
 *     session_free()                       at any time, but not from within one of these calls
 *
 * Why no I/O: every message, every truncation of it, every stall and time-out is then a table in a unit test, and TCP,
 * TLS and a fuzzer drive the same machine.
 *
 * Invariants
 * O1 Bytes of output are to be had only from session_output(), which the loop's turn calls after the maps were settled:
 *    so no reply is heard before the maps reflect every message that was read before it (C3). A barrier request needs
 *    nothing more than its place in the order, but that it waits for the multipart replies before it.
 * O2 A message is taken whole or not at all, and in order. One that is refused changes nothing.
 * O3 Memory is bounded whatever the peer does or fails to do: a message has at most 65,535 bytes; while more than
 *    `replies_max` bytes of output wait, no message is taken, which stops the socket; packet-ins have a queue of their
 *    own and are dropped, counted, when it is full; other events are dropped, counted, beyond `events_max`, of which
 *    many that came by a listener have only a part, since anybody may come; the reply to a multipart request is made
 *    piece by piece, as the output drains.
 * O4 Time is bounded: in a turn of the loop a session takes at most `turn_messages` messages of together about
 *    `turn_bytes` bytes, and makes about SESSION_PIECE bytes of multipart replies. All sessions of an agent act on
 *    messages for SESSION_TURN_NS together, shared evenly among those that have work. One message may take longer, as
 *    a delete that looks at a million rules: the rest of the turn is then nobody's, and its session owes it to turns
 *    to come.
 * O5 The peer is dead when it was silent for `probe_ms` and then for as long again after an echo request; while input
 *    is stopped by O3, when it takes none of the output for as long.
 *
 * Safe error: an error reply, a packet-in dropped and counted, a session closed. Unsafe: a message that is half done.
 *
 * Auxiliary connections (OF 1.3.5 §6.3.5): one that the switch makes besides the main one of a controller has a number,
 * told in its features reply. It shares role, asynchronous configuration and miss_send_len of its main session; any
 * message may come by it, packet-ins of one flow keep to one of them, other events go by the main one. When the main
 * session goes, its holder frees the auxiliary ones first.
 *
 * Ownership: the channel owns the session. The agent knows it from session_create() to session_free() and outlives it.
 * Threads: the loop's only. Times are CLOCK_BOOTTIME, the caller's, and never run backwards.
 */
#ifndef OFP_SESSION_H
#define OFP_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct agent;
struct session;

#define SESSION_MESSAGE_MAX 65535   /* whoever feeds a session holds back at least so much of what it has not taken */
#define SESSION_PIECE       131072  /* of multipart replies in a turn */
#define SESSION_TURN_NS     5000000 /* of an agent's sessions together */
/* Bytes of output with events, of an agent's accepted sessions together: each may have its part, or `replies_max`. */
#define SESSION_STRANGERS_EVENTS (32u << 20)
#define SESSION_DUMPS_MAX        8 /* multipart replies in the making; MULTIPART_BUFFER_OVERFLOW beyond */

enum session_state {
	SESSION_HELLO,   /* our hello is queued, the peer's not yet here */
	SESSION_OPEN,    /* speaks OpenFlow 1.3 */
	SESSION_CLOSING, /* says what is queued, takes nothing more */
	SESSION_OVER,    /* nothing is left to be done but session_free(); session_why() tells why */
};

/* Controllers' roles, OFPCR_ROLE_*. */
enum session_role { ROLE_NOCHANGE, ROLE_EQUAL, ROLE_MASTER, ROLE_SLAVE };

struct session_limits {
	uint32_t probe_ms;        /* O5; 0: never probed, never dead */
	uint32_t packet_in_rate;  /* a second; 0: any number */
	uint32_t packet_in_burst; /* at once */
	uint32_t packet_ins_max;  /* waiting */
	uint32_t packet_in_bytes; /* waiting */
	uint32_t replies_max;     /* bytes */
	uint32_t events_max; /* bytes of output beyond which flow-removed and port-status are dropped; of those that
			      * listeners accepted less, where they are many (SESSION_STRANGERS_EVENTS) */
	uint32_t turn_messages;
	uint32_t turn_bytes;
};
/* 15 s; 10,000 a second in bursts of 2,500; 512 frames and 1 MiB; 1 MiB; 16 MiB; 1,024 messages and 256 KiB. */
struct session_limits session_default_limits(void);

struct session_options {
	const char *from;     /* the peer as a person calls it, "tls:198.51.100.1:6653"; copied */
	bool accepted;        /* by a listener: no controller that fail mode waits for (agent.h) */
	struct session *main; /* of an auxiliary connection; NULL: this is a main one */
	uint8_t auxiliary_id; /* 1 to 255, of an auxiliary one */
	struct session_limits limits;
};

/* NULL: out of memory, or too many (AGENT_SESSIONS_MAX). Its hello is queued. */
struct session *session_create(struct agent *agent, const struct session_options *options, uint64_t now_ns);
void session_free(struct session *session);

/*
 * Takes whole messages from the front of `bytes` and acts on them. Returns how many bytes it took, 0 to `size`; the
 * rest is an incomplete message, or has to wait (session_wants()). In SESSION_CLOSING and SESSION_OVER it takes, and
 * ignores, everything.
 */
size_t session_receive(struct session *session, const void *bytes, size_t size, uint64_t now_ns);
/* The end of the stream. Queued output is not wanted any more: the session is over. `why` is for the log; NULL:
 * "closed". */
void session_peer_closed(struct session *session, const char *why);

/* A new turn: quotas are renewed, multipart replies go on, packet-ins move into the output. */
void session_turn(struct session *session, uint64_t now_ns);

/* What is to be written next: borrowed until the next call but session_wants(). NULL, *ret_size 0: nothing. */
const uint8_t *session_output(struct session *session, size_t *ret_size);
/* So many of these bytes were written. */
void session_sent(struct session *session, size_t size, uint64_t now_ns);

enum {
	SESSION_WANTS_INPUT = 1,  /* session_receive() may take something: watch the socket, or offer what is left */
	SESSION_WANTS_OUTPUT = 2, /* session_output() has something: watch for room in the socket */
	SESSION_WANTS_TURN = 4,   /* there is work for another turn of the loop even if no socket stirs */
	SESSION_WANTS_END = 8,    /* SESSION_OVER: close, and session_free() */
};
/* A set of these. WANTS_INPUT comes back by session_turn() or session_sent(). */
unsigned session_wants(const struct session *session);

/* When session_expired() wants to be called; 0: never. It moves with every call: ask after each turn. */
uint64_t session_deadline(const struct session *session);
void session_expired(struct session *session, uint64_t now_ns);

/* Its settings change while it runs. */
void session_set_limits(struct session *session, const struct session_limits *limits);

/* For `controller show`. Strings are borrowed until the next call. */
struct session_report {
	const char *from;
	const char *why; /* it is over or closing; "" */
	enum session_state state;
	enum session_role role;
	bool accepted;
	uint8_t auxiliary_id;           /* 0: main */
	uint64_t since_ns;              /* created */
	uint64_t opened_ns;             /* the hellos met; 0: not yet */
	uint64_t n_received, n_sent;    /* messages */
	uint64_t n_flow_mods, n_errors; /* errors sent */
	uint64_t n_packet_ins;
	uint64_t n_packet_ins_limited;   /* dropped by the rate limit */
	uint64_t n_packet_ins_overflown; /* dropped, the queue was full */
	uint64_t n_events_dropped;       /* flow-removed and port-status */
	size_t output_size;              /* bytes waiting */
};
struct session_report session_report(const struct session *session);
enum session_state session_state(const struct session *session);
const char *session_why(const struct session *session);

#endif
