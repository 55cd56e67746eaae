/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check.h - whether a rule, a bucket or a packet-out may hold these actions, or what its controller must hear.
 *
 * What: ports, groups, meters and tables exist or can; actions fit the match (OF 1.3.5 §7.2.3.6: a field is set only
 * where the match, or an action before, makes it be there); orders that no frame could go through are refused.
 *
 * Pure. A port that is not there yet may be named: its number is as good as any other.
 */
#ifndef DATAPLANE_CHECK_H
#define DATAPLANE_CHECK_H

#include "dataplane/action.h"
#include "dataplane/of_error.h"

struct bridge;
struct flow_mod;

enum actions_holder { ACTIONS_OF_RULE, ACTIONS_OF_BUCKET, ACTIONS_OF_PACKET_OUT };

/* `match` NULL: nothing is known of the frame, and everything may be there. */
enum of_err actions_check(const struct bridge *bridge, const struct actions *actions, const struct flow_match *match,
	enum actions_holder holder);
enum of_err instructions_check(const struct bridge *bridge, const struct flow_mod *mod);

#endif
