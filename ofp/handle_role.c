/* SPDX-License-Identifier: BSD-2-Clause */
/* Roles and asynchronous configuration, as a controller asks for them. */
#include "ofp/session_parts.h"

/* OF 1.3.5 §7.3.9. The answer has the role that it now has, and the greatest generation id that was heard, or all ones.
 */
enum of_err handle_role_request(struct session *session, struct message *message)
{
	const struct agent *agent = session->agent;
	uint32_t role = wire_get_u32(&message->body);
	uint64_t generation_id;
	struct wire_out *out;
	enum of_err error;

	wire_skip(&message->body, 4);
	generation_id = wire_get_u64(&message->body);
	error = roles_request(session, role, generation_id);
	if (error)
		return error;
	out = session_begin(session, OFPT_ROLE_REPLY, message->xid);
	wire_put_u32(out, session->main->role);
	wire_put_zeros(out, 4);
	wire_put_u64(out, agent->has_generation ? agent->generation_id : UINT64_MAX);
	session_end(session);
	return OF_OK;
}

/* §7.3.10 */
enum of_err handle_get_async(struct session *session, struct message *message)
{
	const struct async_masks *async = &session->main->async;
	struct wire_out *out = session_begin(session, OFPT_GET_ASYNC_REPLY, message->xid);

	for (int i = 0; i < 2; i++)
		wire_put_u32(out, async->packet_in[i]);
	for (int i = 0; i < 2; i++)
		wire_put_u32(out, async->port_status[i]);
	for (int i = 0; i < 2; i++)
		wire_put_u32(out, async->flow_removed[i]);
	session_end(session);
	return OF_OK;
}

/* Bits that name no reason are kept and told, and mean nothing. */
enum of_err handle_set_async(struct session *session, struct message *message)
{
	struct async_masks *async = &session->main->async;

	for (int i = 0; i < 2; i++)
		async->packet_in[i] = wire_get_u32(&message->body);
	for (int i = 0; i < 2; i++)
		async->port_status[i] = wire_get_u32(&message->body);
	for (int i = 0; i < 2; i++)
		async->flow_removed[i] = wire_get_u32(&message->body);
	return OF_OK;
}
