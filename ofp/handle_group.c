/* SPDX-License-Identifier: BSD-2-Clause */
/* Group-mods and meter-mods. */
#include "ofp/session_parts.h"

#include "ofp/codec.h"

/* A group-desc entry says all that a group-mod says of a group, behind a header that is 8 bytes longer (mp_group.c). */
#define GROUP_MOD_MAX (OFP_MESSAGE_MAX - 8)

/* OF 1.3.5 §7.3.4.2. What a delete says of buckets is not looked at. */
enum of_err handle_group_mod(struct session *session, struct message *message)
{
	struct group_mod mod = {.command = wire_get_u16(&message->body)};
	enum of_err error = OF_OK;

	mod.type = wire_get_u8(&message->body);
	wire_skip(&message->body, 1);
	mod.id = wire_get_u32(&message->body);
	if (mod.command >= OFPGC_N_COMMANDS)
		return OF_ERR_GROUP_MOD_BAD_COMMAND;
	if (message->size > GROUP_MOD_MAX)
		return OF_ERR_GROUP_MOD_OUT_OF_BUCKETS;
	if (mod.command != OFPGC_DELETE)
		error = codec_get_buckets(&message->body, &session->agent->arena, &mod.n_buckets, &mod.buckets);
	return error ? error : ofbridge_group_mod(session->agent->bridge, &mod);
}

/* §7.3.4.5. What a delete says of bands is not looked at. */
enum of_err handle_meter_mod(struct session *session, struct message *message)
{
	struct meter_mod mod = {.command = wire_get_u16(&message->body)};
	enum of_err error = OF_OK;

	mod.flags = wire_get_u16(&message->body);
	mod.id = wire_get_u32(&message->body);
	if (mod.command >= OFPMC_N_COMMANDS)
		return OF_ERR_METER_MOD_BAD_COMMAND;
	if (mod.command != OFPMC_DELETE)
		error = codec_get_bands(&message->body, &session->agent->arena, &mod.n_bands, &mod.bands);
	return error ? error : ofbridge_meter_mod(session->agent->bridge, &mod);
}
