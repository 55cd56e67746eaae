/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agent_parts.h - what the agent's files share with a session's. Nobody else includes it (session_parts.h).
 */
#ifndef OFP_AGENT_PARTS_H
#define OFP_AGENT_PARTS_H

#include "dataplane/ofbridge.h"
#include "ofp/agent.h"
#include "ofp/arena.h"
#include "ofp/buffers.h"
#include "ofp/of_spec.h"
#include "ofp/wire.h"

struct agent {
	struct ofbridge *bridge;
	struct session *first, *last; /* in the order in which they came */
	uint32_t n_sessions, n_accepted;
	struct buffers *buffers;
	struct arena arena;      /* of the message that is being handled */
	struct wire_out scratch; /* an event on its way to several sessions */
	uint64_t turn_ns;        /* for how long sessions have acted on messages in this turn */
	uint32_t n_busy;         /* sessions that had more to be done than they got in the turn before */
	uint32_t n_dumping;      /* sessions that have multipart replies in the making */

	enum fail_mode fail_mode;
	bool standalone;
	bool ever; /* a controller was open since some are configured */
	uint32_t n_controllers;
	uint64_t alone_ns;    /* since when none is open */
	uint64_t patience_ns; /* for how long that is borne */
	uint64_t deadline_ns;

	bool has_generation;
	uint64_t generation_id;
	uint64_t n_unheard;

	char manufacturer[OFP_DESC_STR_SIZE], hardware[OFP_DESC_STR_SIZE], software[OFP_DESC_STR_SIZE];
	char serial[OFP_SERIAL_NUM_SIZE], datapath[OFP_DESC_STR_SIZE];
};

/* ---- agent.c ---- */

/* -ENOSPC: there are too many. */
int agent_join(struct agent *agent, struct session *session);
void agent_leave(struct agent *agent, struct session *session);
/* A session has become open, or is no longer. */
void agent_session_opened(struct agent *agent, struct session *session);
void agent_session_closed(struct agent *agent, struct session *session);

/* ---- agent_roles.c ---- */

/* Sets what a session begins with (agent.h). */
void roles_begin(struct session *session);
/* A request for a role, OFPCR_ROLE_*. */
enum of_err roles_request(struct session *session, uint32_t role, uint64_t generation_id);
bool session_hears_packet_in(const struct session *session, uint8_t reason);
bool session_hears_flow_removed(const struct session *session, uint8_t reason);
bool session_hears_port_status(const struct session *session, uint8_t reason);

/* ---- packet_in.c ---- */

/* What the bridge tells; `ctx` is the agent. A packet-in that no session queued is false. */
bool agent_packet_in(void *ctx, const struct packet_in *in);
void agent_flow_removed(void *ctx, const struct rule *rule);
void agent_port_changed(void *ctx, enum port_change change, const struct of_port_desc *desc);

#endif
