/* SPDX-License-Identifier: BSD-2-Clause */
#include "ofp/message.h"

#include <stdio.h>

#define FROM_CONTROLLER true
#define FROM_EITHER     true
#define FROM_SWITCH     false
#define SLAVE_READS     false
#define SLAVE_CHANGES   true

static const struct message_row rows[] = {
#define MESSAGE(id, name, number, from, least, greatest, slave, handler)                                               \
	[number] = {name, least, greatest, FROM_##from, SLAVE_##slave, handler},
#include "ofp/message.def"
#undef MESSAGE
};

_Static_assert(sizeof(rows) / sizeof(rows[0]) == OFPT_N_TYPES, "a message has no row");

const struct message_row *message_row(uint8_t type)
{
	return type < OFPT_N_TYPES ? &rows[type] : NULL;
}

const char *message_name(uint8_t type)
{
	static char unknown[16];

	if (type < OFPT_N_TYPES)
		return rows[type].name;
	snprintf(unknown, sizeof(unknown), "type %u", type);
	return unknown;
}

uint16_t message_size(const uint8_t bytes[OFP_HEADER_SIZE])
{
	struct wire_in in = wire_in(bytes, OFP_HEADER_SIZE);

	return wire_peek_u16(&in, 2);
}

struct message message_of(const uint8_t *bytes, uint16_t size)
{
	struct message message = {.bytes = bytes, .size = size, .body = wire_in(bytes, size)};

	message.version = wire_get_u8(&message.body);
	message.type = wire_get_u8(&message.body);
	wire_skip(&message.body, 2);
	message.xid = wire_get_u32(&message.body);
	message.row = message_row(message.type);
	return message;
}

enum of_err message_check(const struct message *message)
{
	if (message->version != OFP_VERSION && message->type != OFPT_HELLO)
		return OF_ERR_BAD_REQUEST_BAD_VERSION;
	if (!message->row || !message->row->comes_in)
		return OF_ERR_BAD_REQUEST_BAD_TYPE;
	if (message->size < message->row->least || message->size > message->row->greatest)
		return OF_ERR_BAD_REQUEST_BAD_LEN;
	return OF_OK;
}

size_t message_begin(struct wire_out *out, enum ofp_type type, uint32_t xid)
{
	size_t start = out->size;

	wire_put_u8(out, OFP_VERSION);
	wire_put_u8(out, type);
	wire_put_u16(out, 0);
	wire_put_u32(out, xid);
	return start;
}

bool message_end(struct wire_out *out, size_t start)
{
	if (out->failed)
		return false;
	if (out->size - start > OFP_MESSAGE_MAX) {
		wire_cut(out, start);
		return false;
	}
	wire_set_u16(out, start + 2, (uint16_t)(out->size - start));
	return true;
}
