/* SPDX-License-Identifier: BSD-2-Clause */
/* What keeps a session going: hello, echo, error, experimenter, barrier. */
#include "ofp/session_parts.h"

#include "dataplane/log.h"

#include <stdio.h>

#define HELLO_ELEMENT_HEADER 4

/* Whether the element's bitmaps have the bit of our version. */
static bool has_our_bit(struct wire_in bitmaps)
{
	return wire_get_u32(&bitmaps) >> OFP_VERSION & 1;
}

/*
 * OF 1.3.5 §6.3.1, §7.5.1: where the peer sends a bitmap, a version that both bitmaps have; else the smaller of the two
 * versions. We speak one. Elements that are not known are passed over, and so is what is too short to be one.
 */
static bool speaks_our_version(const struct message *message)
{
	struct wire_in in = message->body;

	while (in.left >= HELLO_ELEMENT_HEADER) {
		uint16_t type = wire_get_u16(&in);
		uint16_t size = wire_get_u16(&in);
		struct wire_in element;

		if (size < HELLO_ELEMENT_HEADER || size - (size_t)HELLO_ELEMENT_HEADER > in.left)
			break;
		element = wire_get_sub(&in, size - (size_t)HELLO_ELEMENT_HEADER);
		if (type == OFPHET_VERSIONBITMAP && element.left >= 4)
			return has_our_bit(element);
		if (in.left >= (size_t)WIRE_PADDING(size))
			wire_skip(&in, WIRE_PADDING(size));
	}
	return message->version >= OFP_VERSION;
}

enum of_err handle_hello(struct session *session, struct message *message)
{
	char text[SESSION_TEXT_SIZE];

	if (session->state != SESSION_HELLO)
		return OF_OK;
	if (speaks_our_version(message)) {
		session_step(session, SESSION_AGREED, NULL);
		return OF_OK;
	}
	snprintf(text, sizeof(text), "OpenFlow 1.3 (0x04) only, and the hello offered up to 0x%02x without it",
		message->version);
	session_error(session, message, OF_ERR_HELLO_INCOMPATIBLE, text);
	session_step(session, SESSION_REFUSED, "speaks no OpenFlow 1.3");
	return OF_OK;
}

enum of_err handle_error(struct session *session, struct message *message)
{
	uint16_t type = wire_get_u16(&message->body);
	uint16_t code = wire_get_u16(&message->body);

	log_limited(LOG_LEVEL_INFO, "openflow: %s: the controller reports error type %u code %u", session->from, type,
		code);
	return OF_OK;
}

enum of_err handle_echo_request(struct session *session, struct message *message)
{
	struct wire_out *out = session_begin(session, OFPT_ECHO_REPLY, message->xid);

	wire_put_bytes(out, message->body.at, message->body.left);
	session_end(session);
	return OF_OK;
}

/* That it came is all there is to it. */
enum of_err handle_echo_reply(struct session *session, struct message *message)
{
	return OF_OK;
}

enum of_err handle_experimenter(struct session *session, struct message *message)
{
	return OF_ERR_BAD_REQUEST_BAD_EXPERIMENTER;
}

/* Everything before it is done, and answered: session.c has seen to that (O1). */
enum of_err handle_barrier(struct session *session, struct message *message)
{
	ofbridge_barrier(session->agent->bridge);
	session_answer(session, OFPT_BARRIER_REPLY, message->xid);
	return OF_OK;
}
