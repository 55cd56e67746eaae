/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * channel.h - the connections that carry a bridge's OpenFlow sessions: over TCP or TLS, made or accepted.
 *
 * What: keeps a connection to each configured controller (connects, and after a loss connects again, with a back-off of
 * 1 s that doubles up to the controller's max_backoff_s, a quarter more or less by chance, so that a thousand switches
 * do not come back at once), listens where it is told to, and drives a session (session.h) on every connection: bytes
 * in, bytes out, deadlines. It drives the agent's deadline too, and tells it how many controllers are configured.
 *
 * A controller may have auxiliary connections too (OF 1.3.5 §6.3.5): made to where the main one leads once that speaks
 * OpenFlow, made again when they are lost, ended before it.
 *
 * Names are resolved by a thread (resolver.h), addresses at once: no name server holds up the loop. Listening is at an
 * IP address, which needs none.
 *
 * TLS (tls.h): both sides show a certificate, 1.2 or 1.3. What we connect to must be named in its certificate as it is
 * named in the address. Certificates are read again when their files change, at the next connection, and by
 * channel_renew(); a connection that is open keeps its own (credentials.h).
 *
 * Invariants
 * H1 Nothing that a session says is written but by channel_flush(), which the loop's turn calls after the maps were
 *    settled (C3).
 * H2 Bounds: of one connection CHANNEL_TURN_BYTES are read in a turn of the loop, so that one that sends without end
 *    has only its share; a connection and its handshake have CHANNEL_HANDSHAKE_MS; what waits in memory has the bounds
 *    of the session, and one buffer of CHANNEL_IN_SIZE. A peer that does not read stops its own session (session.h O3).
 * H3 Strangers: a listener has CHANNEL_CONNECTIONS_MAX connections, the listeners of a bridge have
 *    CHANNEL_ACCEPTED_MAX sessions, so that those of the configured controllers always find room. When they run out,
 *    the oldest of those that have not said hello makes way. When the process has no descriptors left, accepting
 *    pauses.
 *
 * Ownership: borrows the reactor and the agent. One thread.
 */
#ifndef OFP_CHANNEL_H
#define OFP_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct agent;
struct channel;
struct complaint;
struct reactor;
struct session;

#define CHANNEL_HANDSHAKE_MS    10000
#define CHANNEL_TURN_BYTES      262144
#define CHANNEL_IN_SIZE         131072
#define CHANNEL_CONTROLLERS_MAX 16 /* connections to controllers of a bridge, auxiliary ones among them */
#define CHANNEL_LISTENERS_MAX   16 /* of a bridge */
#define CHANNEL_AUXILIARY_MAX   4  /* of a controller */
#define CHANNEL_CONNECTIONS_MAX 64 /* of a listener */
#define CHANNEL_ACCEPTED_MAX    48 /* sessions of a bridge's listeners together */

enum channel_kind { CHANNEL_CONTROLLER, CHANNEL_LISTENER };

/* What `controller add` and `openflow listen` say. */
struct channel_config {
	enum channel_kind kind;
	char *address;         /* tcp:HOST:PORT or tls:HOST:PORT */
	char *cert, *key, *ca; /* paths; of tls:, else NULL */
	char *crl;             /* of tls:; NULL: none */
	/* The rest is of a controller. */
	uint32_t rate_limit; /* packet-ins a second; 0: any number */
	uint32_t burst;      /* packet-ins at once */
	uint32_t max_backoff_s;
	uint32_t probe_s;   /* 0: never probed */
	uint32_t auxiliary; /* connections beside the main one */
};

#define CHANNEL_DEFAULT_RATE_LIMIT  10000
#define CHANNEL_DEFAULT_BURST       2500
#define CHANNEL_DEFAULT_MAX_BACKOFF 8
#define CHANNEL_DEFAULT_PROBE       15

/* No address and no files, the rest by default. */
struct channel_config channel_config_default(enum channel_kind kind);
/* Strings are copied. -ENOMEM. */
int channel_config_copy(const struct channel_config *from, struct channel_config *ret);
void channel_config_free(struct channel_config *config);
bool channel_config_same(const struct channel_config *a, const struct channel_config *b);

/* `bridge` names it in the log. NULL: out of memory. */
struct channel *channel_create(const struct reactor *reactor, struct agent *agent, const char *bridge);
/* Accepts NULL. Every connection is closed. */
void channel_free(struct channel *channel);

/*
 * Connects to a controller, for as long as it is configured, or listens. -EEXIST: is there already. -ENOSPC: too many.
 * -EINVAL, -EADDRINUSE …: the complaint names address or file. That nobody answers is no error.
 */
int channel_add(struct channel *channel, const struct channel_config *config, struct complaint *c);
/*
 * Another configuration for a controller that is there. Its numbers count at once; other files, or more or fewer
 * auxiliary connections, make a new connection. It is a controller all the time, so that fail mode sees a loss and no
 * removal (agent.h). -ENOENT, else as channel_add(), and then everything is as it was.
 */
int channel_set(struct channel *channel, const struct channel_config *config, struct complaint *c);
/* Ends the connection to a controller; those that a listener has accepted stay. -ENOENT. */
int channel_remove(struct channel *channel, enum channel_kind kind, const char *address, struct complaint *c);
/* Reads certificates, keys, CAs and lists of revoked ones again. What cannot be read is logged and stays as it was. */
void channel_renew(struct channel *channel);

/* Lets the sessions speak. Once each turn of the loop, after the maps were settled. */
void channel_flush(struct channel *channel);
/* No session has anything left to say that the socket would take. */
bool channel_quiet(const struct channel *channel);

enum channel_state {
	CHANNEL_BACKING_OFF, /* waits for the next attempt */
	CHANNEL_RESOLVING,
	CHANNEL_CONNECTING,
	CHANNEL_HANDSHAKE, /* of TLS */
	CHANNEL_HELLO,     /* the session has begun, the peer has not said hello */
	CHANNEL_OPEN,
	CHANNEL_LISTENING,
};

struct channel_report {
	const struct channel_config *config;
	enum channel_state state;
	uint64_t since_ns;             /* CLOCK_BOOTTIME */
	int64_t expiry;                /* of our certificate, in seconds since 1970; 0: there is none */
	const char *error;             /* why the last attempt or connection failed; "" */
	const struct session *session; /* of HELLO and OPEN; NULL */
	uint32_t n_connections;        /* of a listener; of a controller, auxiliary ones among them */
};
/* Controllers in the order in which they were added, then listeners. Strings are borrowed for the call. */
void channel_each(
	const struct channel *channel, void (*each)(void *ctx, const struct channel_report *report), void *ctx);

/* "backing off", "open" … */
const char *channel_state_text(enum channel_state state);

#endif
