/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agent.h - a bridge's OpenFlow face: the sessions of its controllers, and what they share.
 *
 * What: roles and generation ids, who hears of what (asynchronous messages by role and by each session's
 * configuration), the buffers of frames that wait for a controller's word, and what becomes of the bridge while no
 * controller is there.
 *
 * Roles (OF 1.3.5 §6.3.6): a session begins as EQUAL. One that becomes MASTER makes the MASTER that there was a SLAVE.
 * A request for MASTER or SLAVE carries a generation id; one that is behind the greatest that was heard is STALE. A
 * SLAVE reads only (BAD_REQUEST_IS_SLAVE), and by default hears of ports only.
 *
 * Asynchronous messages: every main session has two sets of masks, one for MASTER and EQUAL, one for SLAVE. At first a
 * MASTER or EQUAL hears every port-status and flow-removed, and packet-ins for NO_MATCH and ACTION, not for
 * INVALID_TTL; a SLAVE hears port-status.
 *
 * Fail mode, where no controller is configured (agent_set_controllers()): standalone, a bridge's first, is as without
 * OpenFlow, and a bridge becomes so again when it loses its last controller. Secure takes away the rule by which a
 * bridge forwards of its own accord, NORMAL for all, once, when it is set.
 *
 * Fail mode, where controllers are configured and none is connected: secure leaves the rules as they are, and with none
 * nothing forwards. Standalone does what a bridge does without a controller (ofbridge_set_standalone()), at once if
 * none was ever connected, else when none has been for AGENT_PATIENCE_PROBES times the probe time of the last one. When
 * one connects, its hello done, standalone ends. Sessions that a listener accepted do not count, neither way: who looks
 * at a switch by `ovs-ofctl` does not run it. So a bridge that only listens is as without controllers. Why not at the
 * first loss: a controller that restarts is back within seconds, and its rules are still good.
 *
 * Invariants
 * G1 At most one session is MASTER.
 * G2 The greatest generation id never goes back, but for a new agent.
 * G3 Standalone is on only if the mode says so, controllers are configured and none of them is open. With none
 *    configured the bridge is what it is without OpenFlow.
 *
 * Safe error: a packet-in that nobody hears, counted. Unsafe: a SLAVE that changes something.
 *
 * Ownership: borrows the bridge, whose one listener it is (ofbridge_listen()); the sessions belong to their channels
 * and are gone before agent_free().
 */
#ifndef OFP_AGENT_H
#define OFP_AGENT_H

#include "ofp/session.h"

struct agent;
struct ofbridge;

#define AGENT_SESSIONS_MAX    64
#define AGENT_PATIENCE_PROBES 3

enum fail_mode { FAIL_SECURE, FAIL_STANDALONE };

/* What a desc reply says of the switch (OF 1.3.5 §7.3.5.1). Strings are copied, and cut to what the reply holds. */
struct agent_identity {
	const char *manufacturer, *hardware, *software, *serial;
	const char *datapath; /* NULL: the bridge's name */
};

/* NULL: out of memory. No controllers, fail mode secure. `identity` may be NULL. */
struct agent *agent_create(struct ofbridge *bridge, const struct agent_identity *identity, uint64_t now_ns);
void agent_free(struct agent *agent);

void agent_set_fail_mode(struct agent *agent, enum fail_mode mode, uint64_t now_ns);
/* So many controllers are configured to be connected to (listeners are none). */
void agent_set_controllers(struct agent *agent, uint32_t n, uint64_t now_ns);
/* When agent_expired() wants to be called; 0: never. Ask after each turn. */
uint64_t agent_deadline(const struct agent *agent);
void agent_expired(struct agent *agent, uint64_t now_ns);

struct ofbridge *agent_bridge(const struct agent *agent);

/* For `openflow show`. */
struct agent_report {
	enum fail_mode fail_mode;
	bool standalone; /* and it is that now */
	uint32_t n_controllers;
	uint32_t n_sessions, n_open; /* all, listeners' among them */
	bool has_generation;
	uint64_t generation_id;
	uint32_t n_buffers;
	uint64_t n_unheard; /* packet-ins that no session wanted */
};
struct agent_report agent_report(const struct agent *agent);
/* The sessions in the order in which they came; NULL: no more. `after` NULL: the first. */
const struct session *agent_next_session(const struct agent *agent, const struct session *after);

#endif
