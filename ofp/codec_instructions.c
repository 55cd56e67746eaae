/* SPDX-License-Identifier: BSD-2-Clause */
#include "ofp/codec.h"

#include "ofp/of_spec.h"

#include <string.h>

#define HEADER_SIZE      4 /* type and length */
#define INSTRUCTION_SIZE 8 /* of the smallest; all are multiples of it */
#define PADDING_SIZE     4 /* between the header and what is aligned to 8 bytes */

/* The instructions of a rule while they are being read. */
struct reading {
	struct actions apply, write;
	unsigned seen;            /* 1 << OFPIT_* */
	struct instructions rest; /* but for the actions */
};

/* Bytes on the wire; 0: unknown, or HEADER_SIZE + PADDING_SIZE and the actions. */
static const uint8_t sizes[] = {
	[OFPIT_GOTO_TABLE] = 8,
	[OFPIT_WRITE_METADATA] = 24,
	[OFPIT_CLEAR_ACTIONS] = 8,
	[OFPIT_METER] = 8,
};
_Static_assert(sizeof(sizes) == OFPIT_METER + 1, "an instruction has no size");

static enum of_err get_goto(struct wire_in *body, struct instructions *rest)
{
	rest->goes_on = true;
	rest->goto_table = wire_get_u8(body);
	return rest->goto_table <= OFPTT_MAX ? OF_OK : OF_ERR_BAD_INSTRUCTION_BAD_TABLE_ID;
}

static enum of_err get_metadata(struct wire_in *body, struct instructions *rest)
{
	uint64_t metadata;

	wire_skip(body, PADDING_SIZE);
	metadata = wire_get_u64(body);
	rest->writes_metadata = true;
	rest->metadata_mask = wire_get_u64(body);
	rest->metadata = metadata & rest->metadata_mask;
	return OF_OK;
}

static enum of_err get_meter(struct wire_in *body, struct instructions *rest)
{
	rest->meter = wire_get_u32(body);
	return rest->meter && rest->meter <= METER_MAX ? OF_OK : OF_ERR_METER_MOD_INVALID_METER;
}

static enum of_err get_body(uint16_t type, struct wire_in *body, struct arena *arena, struct reading *r)
{
	switch (type) {
	case OFPIT_GOTO_TABLE:
		return get_goto(body, &r->rest);
	case OFPIT_WRITE_METADATA:
		return get_metadata(body, &r->rest);
	case OFPIT_CLEAR_ACTIONS:
		r->rest.clear_actions = true;
		return OF_OK;
	case OFPIT_METER:
		return get_meter(body, &r->rest);
	case OFPIT_APPLY_ACTIONS:
		wire_skip(body, PADDING_SIZE);
		return codec_get_actions(body, arena, &r->apply);
	case OFPIT_WRITE_ACTIONS:
		wire_skip(body, PADDING_SIZE);
		return codec_get_actions(body, arena, &r->write);
	}
	return OF_ERR_BAD_INSTRUCTION_UNKNOWN_INST;
}

static enum of_err get_instruction(struct wire_in *in, struct arena *arena, struct reading *r)
{
	uint16_t type = wire_get_u16(in), length = wire_get_u16(in);
	struct wire_in body;

	if (in->failed || length < INSTRUCTION_SIZE || length % INSTRUCTION_SIZE)
		return OF_ERR_BAD_INSTRUCTION_BAD_LEN;
	body = wire_get_sub(in, length - HEADER_SIZE);
	if (in->failed)
		return OF_ERR_BAD_INSTRUCTION_BAD_LEN;
	if (type == OFPIT_EXPERIMENTER)
		return OF_ERR_BAD_INSTRUCTION_BAD_EXPERIMENTER;
	if (!type || type > OFPIT_METER)
		return OF_ERR_BAD_INSTRUCTION_UNKNOWN_INST;
	if (sizes[type] && length != sizes[type])
		return OF_ERR_BAD_INSTRUCTION_BAD_LEN;
	if (r->seen & 1u << type)
		return OF_ERR_BAD_INSTRUCTION_DUP_INST;
	r->seen |= 1u << type;
	return get_body(type, &body, arena, r);
}

enum of_err codec_get_instructions(struct wire_in *in, struct arena *arena, struct instructions **ret)
{
	struct reading reading = {0};
	struct instructions *instructions;
	size_t n_apply, n_write;

	while (in->left) {
		enum of_err error = get_instruction(in, arena, &reading);

		if (error)
			return error;
	}
	if (in->failed)
		return OF_ERR_BAD_INSTRUCTION_BAD_LEN;
	n_apply = reading.apply.n;
	n_write = reading.write.n;
	instructions = arena_alloc(arena, sizeof(*instructions) + (n_apply + n_write) * sizeof(struct action));
	if (!instructions)
		return OF_ERR_BAD_ACTION_TOO_MANY;
	*instructions = reading.rest;
	instructions->n_apply = (uint16_t)n_apply;
	instructions->n_write = (uint16_t)n_write;
	if (n_apply)
		memcpy(instructions->actions, reading.apply.list, n_apply * sizeof(struct action));
	if (n_write)
		memcpy(instructions->actions + n_apply, reading.write.list, n_write * sizeof(struct action));
	*ret = instructions;
	return OF_OK;
}

/* ---- writing ---- */

static void put_header(struct wire_out *out, uint16_t type)
{
	wire_put_u16(out, type);
	wire_put_u16(out, sizes[type]);
}

static void put_actions(struct wire_out *out, uint16_t type, const struct actions *actions)
{
	size_t start = out->size;

	if (!actions->n)
		return;
	put_header(out, type);
	wire_put_zeros(out, PADDING_SIZE);
	codec_put_actions(out, actions);
	wire_set_u16(out, start + 2, (uint16_t)(out->size - start));
}

void codec_put_instructions(struct wire_out *out, const struct instructions *instructions)
{
	const struct instructions *i = instructions;
	struct actions apply, write;

	if (!i)
		return;
	apply = (struct actions){i->n_apply, i->actions};
	write = (struct actions){i->n_write, i->actions + i->n_apply};
	if (i->meter) {
		put_header(out, OFPIT_METER);
		wire_put_u32(out, i->meter);
	}
	put_actions(out, OFPIT_APPLY_ACTIONS, &apply);
	if (i->clear_actions) {
		put_header(out, OFPIT_CLEAR_ACTIONS);
		wire_put_zeros(out, PADDING_SIZE);
	}
	put_actions(out, OFPIT_WRITE_ACTIONS, &write);
	if (i->writes_metadata) {
		put_header(out, OFPIT_WRITE_METADATA);
		wire_put_zeros(out, PADDING_SIZE);
		wire_put_u64(out, i->metadata);
		wire_put_u64(out, i->metadata_mask);
	}
	if (i->goes_on) {
		put_header(out, OFPIT_GOTO_TABLE);
		wire_put_u8(out, i->goto_table);
		wire_put_zeros(out, 3);
	}
}
