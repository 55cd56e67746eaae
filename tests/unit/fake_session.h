/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_session.h - a double of ofp/session.h and ofp/agent.h for tests of what carries sessions.
 *
 * A session here sends back what it is sent. Its messages have FAKE_MESSAGE bytes; the first is its hello. A message
 * that begins with 'E' ends it, with "bye" as the last that it says.
 */
#ifndef FAKE_SESSION_H
#define FAKE_SESSION_H

#include "ofp/agent.h"

#define FAKE_MESSAGE    16
#define FAKE_OUTPUT_MAX 1048576 /* it takes no message while more waits */

struct ofbridge;

/* What the test sees of the sessions, and tells them. */
struct fake_sessions {
	unsigned n_created, n_alive;
	unsigned n_controllers; /* as agent_set_controllers() said last */
	unsigned n_auxiliary;   /* alive */
	unsigned n_orphans;     /* auxiliary ones that were there when their main one was freed */
	unsigned n_expired, n_agent_expired;
	uint64_t n_taken;               /* bytes, of all sessions */
	size_t most_waiting;            /* bytes of output, ever, of one */
	struct session_options options; /* of the last; `from` is not to be looked at */
	char from[400];                 /* of the last */
	char why[200];                  /* of the last that the stream took away */
	uint32_t turn_bytes;            /* quota; 0: none */
	uint64_t agent_deadline_ns;
	uint64_t deadline_ns; /* of every session */
	enum fail_mode fail_mode;
};
extern struct fake_sessions fake_sessions;

/* For a bridge that is not looked at. */
struct agent *fake_agent(void);

#endif
