/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * channel_parts.h - what the files of a channel know of each other: links (channel_link.c), the targets that make them
 * (channel_target.c), and the listeners that accept them (channel.c).
 *
 * A link is a connection: a socket, maybe TLS over it, and the session that it carries once both are up.
 *
 * L1 A link that is over is taken out of the channel and freed by channel_flush() alone; until then it only waits.
 */
#ifndef OFP_CHANNEL_PARTS_H
#define OFP_CHANNEL_PARTS_H

#include "ofp/address.h"
#include "ofp/channel.h"
#include "ofp/session.h"
#include "ofp/tls.h"

struct addrinfo;
struct credentials;
struct ears;
struct resolver_query;

enum link_state {
	LINK_CONNECTING,
	LINK_HANDSHAKE,
	LINK_UP, /* carries a session */
	LINK_OVER,
};

struct link {
	struct channel *channel;
	struct link *next;         /* in the order in which they came */
	struct target *target;     /* that made it; NULL: accepted */
	uint8_t auxiliary_id;      /* of a target's auxiliary one; 0: it is the main one, or accepted */
	struct listener *listener; /* that accepted it; NULL: a target's, or the listener was closed */
	enum link_state state;
	int fd;
	struct tls *tls; /* NULL: bare TCP */
	struct reactor_io *io;
	struct reactor_timer *deadline; /* of connecting and the handshake, then the session's */
	struct reactor_timer *again;    /* input is at hand, or the session has work, though no socket stirs */
	uint64_t deadline_ns;           /* of the session, for which the timer is armed; 0: it is not */
	struct session *session;
	bool opened;                     /* the hellos met */
	enum tls_step in_step, out_step; /* what reading and writing wait for; DONE: nothing */
	bool more;                       /* reading was stopped before the socket was empty */
	uint8_t *in;
	size_t in_size;
	uint64_t since_ns;
	char peer[ADDRESS_SIZE + 100];
	char why[TLS_ERROR_SIZE]; /* it is over */
};

struct target {
	struct channel *channel;
	struct target *next;
	struct channel_config config;
	struct address address;
	struct credentials *credentials; /* NULL: bare TCP */
	struct link *link;               /* the main one; NULL: none at the moment */
	struct link *auxiliary[CHANNEL_AUXILIARY_MAX];
	struct resolver_query *query;
	struct addrinfo *list, *untried; /* addresses of its name */
	struct reactor_timer *retry;
	uint32_t backoff_ms;
	uint64_t since_ns; /* in the state that it is in, when there is no link */
	char error[TLS_ERROR_SIZE];
};

struct listener {
	struct channel *channel;
	struct listener *next;
	struct channel_config config;
	struct credentials *credentials; /* NULL: bare TCP */
	struct ears *ears;
	uint32_t n_links;
	uint64_t since_ns;
	char error[TLS_ERROR_SIZE]; /* of the last connection that came to nothing */
};

struct channel {
	const struct reactor *reactor;
	struct agent *agent;
	char bridge[16];
	struct target *targets;
	struct listener *listeners;
	struct link *links;
	struct reactor_timer *agent_timer;
};

uint64_t channel_now(const struct channel *channel);
/* Milliseconds from now until `at_ns`, rounded up. */
uint64_t channel_ms_until(const struct channel *channel, uint64_t at_ns);

/* Of a socket that connects, or has been accepted. `host` is for TLS: what a server must be called; NULL for clients
 * that came. NULL: out of memory; the descriptor is then still the caller's. */
struct link *link_create(struct channel *channel, int fd, enum link_state state, struct tls_context *tls,
	const char *host, const char *peer);
void link_free(struct link *link);
/* Its turn has ended: writes, and sets what it waits for. False: it is over, and to be freed. */
bool link_flush(struct link *link);
bool link_quiet(const struct link *link);
/* Those of its target, which have changed. */
void link_renew_limits(struct link *link);
/* Says no more, and is freed by the next flush. */
void link_end(struct link *link, const char *why);
/* Neither shaken hands nor said hello. */
bool link_young(const struct link *link);

/* -EINVAL: a file cannot be used. */
int target_create(
	struct channel *channel, const struct channel_config *config, struct target **ret, struct complaint *c);
void target_free(struct target *target);
/* The numbers of a configuration that makes the same connections. False, and nothing is done: it makes others. */
bool target_adapt(struct target *target, const struct channel_config *config);
/* Its main link speaks OpenFlow: the auxiliary ones may come. */
void target_opened(struct target *target);
/* Its main link is about to end: the auxiliary ones end first (session.h). */
void target_main_ending(struct target *target);
/* Its link is over and about to be freed. */
void target_link_ended(struct target *target, const struct link *link);
enum channel_state target_state(const struct target *target, uint64_t *ret_since_ns);

/* NULL for a tcp: address; else as credentials_create(). */
int channel_credentials(const struct channel *channel, const struct channel_config *config, bool server,
	struct credentials **ret, struct complaint *c);
void channel_adopt(struct channel *channel, struct link *link);

#endif
