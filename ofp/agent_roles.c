/* SPDX-License-Identifier: BSD-2-Clause */
#include "ofp/session_parts.h"

#define BIT(reason) (1u << (reason))

void roles_begin(struct session *session)
{
	session->role = ROLE_EQUAL;
	session->miss_send_len = OFP_DEFAULT_MISS_SEND_LEN;
	session->async = (struct async_masks){
		.packet_in = {BIT(OFPR_NO_MATCH) | BIT(OFPR_ACTION), 0},
		.port_status = {BIT(OFPPR_N_REASONS) - 1, BIT(OFPPR_N_REASONS) - 1},
		.flow_removed = {BIT(OFPRR_METER_DELETE) - 1, 0},
	};
}

/* A generation id is behind another if it is less by wrapping arithmetic (OF 1.3.5 §6.3.6). */
static bool is_stale(const struct agent *agent, uint64_t generation_id)
{
	return agent->has_generation && (int64_t)(generation_id - agent->generation_id) < 0;
}

/* The new one's word takes the role from the old one, who is not told (G1). */
static void demote_master(struct agent *agent)
{
	for (struct session *session = agent->first; session; session = session->next) {
		if (session->main == session && session->role == ROLE_MASTER)
			session->role = ROLE_SLAVE;
	}
}

enum of_err roles_request(struct session *session, uint32_t role, uint64_t generation_id)
{
	struct agent *agent = session->agent;

	if (role > ROLE_SLAVE)
		return OF_ERR_ROLE_REQUEST_BAD_ROLE;
	if (role == ROLE_NOCHANGE)
		return OF_OK;
	if (role != ROLE_EQUAL) {
		if (is_stale(agent, generation_id))
			return OF_ERR_ROLE_REQUEST_STALE;
		agent->has_generation = true;
		agent->generation_id = generation_id;
	}
	if (role == ROLE_MASTER)
		demote_master(agent);
	session->main->role = (enum session_role)role;
	return OF_OK;
}

/* ---- who hears of what ---- */

static bool hears(const struct session *session, const uint32_t masks[2], uint8_t reason)
{
	return session->state == SESSION_OPEN && masks[session->main->role == ROLE_SLAVE] >> reason & 1;
}

bool session_hears_packet_in(const struct session *session, uint8_t reason)
{
	return hears(session, session->main->async.packet_in, reason);
}

bool session_hears_flow_removed(const struct session *session, uint8_t reason)
{
	return hears(session, session->main->async.flow_removed, reason);
}

bool session_hears_port_status(const struct session *session, uint8_t reason)
{
	return hears(session, session->main->async.port_status, reason);
}
