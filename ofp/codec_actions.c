/* SPDX-License-Identifier: BSD-2-Clause */
#include "ofp/codec.h"

#include "ofp/of_spec.h"
#include "ofp/oxm.h"

#include <assert.h>

#define HEADER_SIZE 4 /* type and length */
#define ACTION_SIZE 8 /* of the smallest; all are multiples of it */

/* What stands behind an action's header. */
enum layout {
	LAYOUT_NONE,   /* nothing but padding */
	LAYOUT_U8,     /* a number and padding */
	LAYOUT_U16,    /* a number and padding */
	LAYOUT_U32,    /* a number */
	LAYOUT_OUTPUT, /* port, max_len and padding */
	LAYOUT_FIELD,  /* an OXM TLV and padding */
};

static const uint8_t layouts[N_ACTIONS] = {
	[ACTION_OUTPUT] = LAYOUT_OUTPUT,
	[ACTION_COPY_TTL_OUT] = LAYOUT_NONE,
	[ACTION_COPY_TTL_IN] = LAYOUT_NONE,
	[ACTION_SET_MPLS_TTL] = LAYOUT_U8,
	[ACTION_DEC_MPLS_TTL] = LAYOUT_NONE,
	[ACTION_PUSH_VLAN] = LAYOUT_U16,
	[ACTION_POP_VLAN] = LAYOUT_NONE,
	[ACTION_PUSH_MPLS] = LAYOUT_U16,
	[ACTION_POP_MPLS] = LAYOUT_U16,
	[ACTION_SET_QUEUE] = LAYOUT_U32,
	[ACTION_GROUP] = LAYOUT_U32,
	[ACTION_SET_NW_TTL] = LAYOUT_U8,
	[ACTION_DEC_NW_TTL] = LAYOUT_NONE,
	[ACTION_SET_FIELD] = LAYOUT_FIELD,
	[ACTION_PUSH_PBB] = LAYOUT_U16,
	[ACTION_POP_PBB] = LAYOUT_NONE,
};

enum action_type codec_action_of(uint16_t of_type)
{
	enum action_type type = 0;

	while (type < N_ACTIONS && action_row(type)->of_type != of_type)
		type++;
	return type;
}

static enum of_err get_argument(struct wire_in *body, struct action *action)
{
	enum field_id field;
	enum of_err error;

	switch ((enum layout)layouts[action->type]) {
	case LAYOUT_NONE:
		return OF_OK;
	case LAYOUT_U8:
		action->arg = wire_get_u8(body);
		return OF_OK;
	case LAYOUT_U16:
		action->arg = wire_get_u16(body);
		return OF_OK;
	case LAYOUT_U32:
		action->arg = wire_get_u32(body);
		return OF_OK;
	case LAYOUT_OUTPUT:
		action->arg = wire_get_u32(body);
		action->max_len = wire_get_u16(body);
		return OF_OK;
	case LAYOUT_FIELD:
		error = oxm_get_setting(body, &field, action->value);
		if (error)
			return error;
		action->field = field;
		/* Nothing but padding behind it, and no more of that than makes the length a multiple of 8. */
		return body->left < ACTION_SIZE ? OF_OK : OF_ERR_BAD_ACTION_BAD_SET_LEN;
	}
	return OF_ERR_BAD_ACTION_BAD_TYPE;
}

static enum of_err check_port(uint32_t of_port)
{
	bool is_plain = of_port && of_port <= OF_PORT_MAX;
	bool is_reserved = of_port >= OF_PORT_IN_PORT && of_port != OF_PORT_ANY;

	return is_plain || is_reserved ? OF_OK : OF_ERR_BAD_ACTION_BAD_OUT_PORT;
}

static enum of_err check_argument(const struct action *action)
{
	uint32_t arg = action->arg;
	bool is_good = true;

	switch ((enum action_type)action->type) {
	case ACTION_OUTPUT:
		return check_port(arg);
	case ACTION_GROUP:
		return arg <= GROUP_MAX ? OF_OK : OF_ERR_BAD_ACTION_BAD_OUT_GROUP;
	case ACTION_PUSH_VLAN:
		is_good = arg == 0x8100 || arg == 0x88a8;
		break;
	case ACTION_PUSH_MPLS:
		is_good = arg == 0x8847 || arg == 0x8848;
		break;
	case ACTION_PUSH_PBB:
		is_good = arg == 0x88e7;
		break;
	default:
		break;
	}
	return is_good ? OF_OK : OF_ERR_BAD_ACTION_BAD_ARGUMENT;
}

static enum of_err get_action(struct wire_in *in, struct action *ret)
{
	uint16_t of_type = wire_get_u16(in), length = wire_get_u16(in);
	enum action_type type = codec_action_of(of_type);
	struct wire_in body;
	enum of_err error;

	if (in->failed || length < ACTION_SIZE || length % ACTION_SIZE)
		return OF_ERR_BAD_ACTION_BAD_LEN;
	body = wire_get_sub(in, length - HEADER_SIZE);
	if (in->failed)
		return OF_ERR_BAD_ACTION_BAD_LEN;
	if (of_type == OFPAT_EXPERIMENTER)
		return OF_ERR_BAD_ACTION_BAD_EXPERIMENTER;
	if (type == N_ACTIONS)
		return OF_ERR_BAD_ACTION_BAD_TYPE;
	if (action_row(type)->of_size && length != action_row(type)->of_size)
		return OF_ERR_BAD_ACTION_BAD_LEN;
	*ret = (struct action){.type = (uint8_t)type};
	error = get_argument(&body, ret);
	if (error)
		return error;
	return body.failed ? OF_ERR_BAD_ACTION_BAD_LEN : check_argument(ret);
}

enum of_err codec_get_actions(struct wire_in *in, struct arena *arena, struct actions *ret)
{
	struct action list[CODEC_ACTIONS_MAX];
	const struct action *copy;
	uint32_t n = 0;

	while (in->left) {
		enum of_err error;

		if (n == CODEC_ACTIONS_MAX)
			return OF_ERR_BAD_ACTION_TOO_MANY;
		error = get_action(in, &list[n++]);
		if (error)
			return error;
	}
	if (in->failed)
		return OF_ERR_BAD_ACTION_BAD_LEN;
	copy = arena_copy(arena, list, n * sizeof(*list));
	if (!copy)
		return OF_ERR_BAD_ACTION_TOO_MANY;
	*ret = (struct actions){n, copy};
	return OF_OK;
}

static void put_argument(struct wire_out *out, const struct action *action)
{
	switch ((enum layout)layouts[action->type]) {
	case LAYOUT_NONE:
		break;
	case LAYOUT_U8:
		wire_put_u8(out, (uint8_t)action->arg);
		break;
	case LAYOUT_U16:
		wire_put_u16(out, (uint16_t)action->arg);
		break;
	case LAYOUT_U32:
		wire_put_u32(out, action->arg);
		break;
	case LAYOUT_OUTPUT:
		wire_put_u32(out, action->arg);
		wire_put_u16(out, action->max_len);
		break;
	case LAYOUT_FIELD:
		oxm_put_setting(out, action->field, action->value);
		break;
	}
}

void codec_put_actions(struct wire_out *out, const struct actions *actions)
{
	for (uint32_t i = 0; i < actions->n; i++) {
		const struct action *action = &actions->list[i];
		size_t start = out->size;

		assert(action->type < N_ACTIONS);
		wire_put_u16(out, action_row(action->type)->of_type);
		wire_put_u16(out, 0);
		put_argument(out, action);
		wire_put_padding(out, start);
		wire_set_u16(out, start + 2, (uint16_t)(out->size - start));
	}
}
