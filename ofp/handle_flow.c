/* SPDX-License-Identifier: BSD-2-Clause */
/* Flow-mods and packet-outs: what may name a buffer. */
#include "ofp/session_parts.h"

#include "ofp/codec.h"
#include "ofp/oxm.h"

#define FRAME_MIN 14 /* an Ethernet header */

/* Of a flow-mod that leaves no room for what a flow-stats entry says besides (mp_flow.c). */
#define FLOW_MOD_MAX (OFP_MESSAGE_MAX - 32)

/* The frame of a buffer, copied to where no packet-in that follows can overwrite it. */
static enum of_err find_buffer(
	struct session *session, uint32_t id, uint32_t *ret_in_port, const uint8_t **ret_frame, uint32_t *ret_size)
{
	struct agent *agent = session->agent;
	const uint8_t *frame = NULL;
	uint32_t in_port = 0, size = 0;
	enum of_err error = buffers_find(agent->buffers, id, &in_port, &frame, &size);

	if (error)
		return error;
	frame = arena_copy(&agent->arena, frame, size);
	if (!frame)
		return OF_ERR_BAD_REQUEST_BUFFER_UNKNOWN;
	*ret_in_port = in_port;
	*ret_frame = frame;
	*ret_size = size;
	return OF_OK;
}

/* ---- flow-mod (OF 1.3.5 §7.3.4.1) ---- */

static bool takes_instructions(const struct flow_mod *mod)
{
	return mod->command <= FLOW_MODIFY_STRICT;
}

static enum of_err decode(struct message *message, struct arena *arena, struct flow_mod *ret)
{
	struct wire_in *in = &message->body;
	enum of_err error;

	ret->cookie = wire_get_u64(in);
	ret->cookie_mask = wire_get_u64(in);
	ret->table_id = wire_get_u8(in);
	ret->command = wire_get_u8(in);
	ret->idle_s = wire_get_u16(in);
	ret->hard_s = wire_get_u16(in);
	ret->priority = wire_get_u16(in);
	ret->buffer_id = wire_get_u32(in);
	ret->out_port = wire_get_u32(in);
	ret->out_group = wire_get_u32(in);
	ret->flags = wire_get_u16(in);
	wire_skip(in, 2);
	ret->instructions = NULL;
	if (ret->command >= OFPFC_N_COMMANDS)
		return OF_ERR_FLOW_MOD_BAD_COMMAND;
	if (ret->flags & ~OFPFF_ALL)
		return OF_ERR_FLOW_MOD_BAD_FLAGS;
	error = oxm_get_match(in, &ret->match, &ret->n_fields, ret->fields);
	if (!error && takes_instructions(ret))
		error = codec_get_instructions(in, arena, &ret->instructions);
	return error;
}

/* OF 1.3.5 §7.3.4.1: the buffered frame goes through all tables, with the new rule in them. */
static void run_buffered(struct session *session, uint32_t in_port, const uint8_t *frame, uint32_t size)
{
	static const struct action through_tables = {.type = ACTION_OUTPUT, .arg = OF_PORT_TABLE};
	const struct actions actions = {.n = 1, .list = &through_tables};

	/* Its port may be gone by now: then so is the frame. */
	ofbridge_packet_out(session->agent->bridge, in_port, &actions, frame, size);
}

enum of_err handle_flow_mod(struct session *session, struct message *message)
{
	struct agent *agent = session->agent;
	struct flow_mod mod;
	const uint8_t *frame = NULL;
	uint32_t in_port = 0, size = 0;
	enum of_err error = message->size > FLOW_MOD_MAX ? OF_ERR_BAD_ACTION_TOO_MANY : OF_OK;
	bool buffered;

	session->counts.n_flow_mods++;
	if (!error)
		error = decode(message, &agent->arena, &mod);
	if (error)
		return error;
	buffered = mod.buffer_id != OFP_NO_BUFFER && takes_instructions(&mod);
	if (buffered)
		error = find_buffer(session, mod.buffer_id, &in_port, &frame, &size);
	if (!error)
		error = ofbridge_flow_mod(agent->bridge, &mod);
	if (error || !buffered)
		return error;
	buffers_take(agent->buffers, mod.buffer_id);
	run_buffered(session, in_port, frame, size);
	return OF_OK;
}

/* ---- packet-out (§7.3.7) ---- */

enum of_err handle_packet_out(struct session *session, struct message *message)
{
	struct agent *agent = session->agent;
	struct wire_in *in = &message->body, list;
	uint32_t buffer_id = wire_get_u32(in);
	uint32_t in_port = wire_get_u32(in);
	uint16_t actions_size = wire_get_u16(in);
	struct actions actions;
	const uint8_t *frame;
	uint32_t size, came_by;
	enum of_err error;

	wire_skip(in, 6);
	list = wire_get_sub(in, actions_size);
	if (in->failed)
		return OF_ERR_BAD_REQUEST_BAD_LEN;
	error = codec_get_actions(&list, &agent->arena, &actions);
	if (error)
		return error;
	frame = in->at;
	size = (uint32_t)in->left;
	if (buffer_id != OFP_NO_BUFFER)
		error = find_buffer(session, buffer_id, &came_by, &frame, &size);
	if (!error && size < FRAME_MIN)
		error = OF_ERR_BAD_REQUEST_BAD_PACKET;
	if (!error)
		error = ofbridge_packet_out(agent->bridge, in_port, &actions, frame, size);
	if (!error && buffer_id != OFP_NO_BUFFER)
		buffers_take(agent->buffers, buffer_id);
	return error;
}
