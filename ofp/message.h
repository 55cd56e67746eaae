/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * message.h - the messages of OpenFlow 1.3: what they are called, how long they may be, who may send them, who handles
 * them (message.def).
 *
 * A message is checked against its row before its handler sees it: version, type, length, the sender's role. A handler
 * decodes the whole body first, acts then, and answers by way of session_parts.h. What it returns is sent as an error
 * with the message's first bytes; it has then changed nothing.
 *
 * Ownership: a struct message borrows the bytes that came in, for the call.
 */
#ifndef OFP_MESSAGE_H
#define OFP_MESSAGE_H

#include "dataplane/of_error.h"
#include "ofp/of_spec.h"
#include "ofp/wire.h"

struct message;
struct session;

typedef enum of_err message_handler(struct session *session, struct message *message);

struct message_row {
	const char *name;
	uint16_t least, greatest; /* bytes */
	bool comes_in;            /* a controller may send it */
	bool changes;             /* and a SLAVE may not */
	message_handler *handle;  /* NULL: it does not come in */
};

struct message {
	const struct message_row *row; /* NULL: a type that there is not */
	const uint8_t *bytes;          /* header and all */
	uint16_t size;
	uint8_t version, type;
	uint32_t xid;
	struct wire_in body; /* behind the header */
};

/* NULL: no such type. */
const struct message_row *message_row(uint8_t type);
/* "type 77" where there is none, in a static buffer. */
const char *message_name(uint8_t type);

/* The size that the header at `bytes` tells; below OFP_HEADER_SIZE it is nonsense. */
uint16_t message_size(const uint8_t bytes[OFP_HEADER_SIZE]);
/* Of `size` bytes, all there, at least a header. */
struct message message_of(const uint8_t *bytes, uint16_t size);
/* OF_OK, or how it is refused: by its version, type or length. */
enum of_err message_check(const struct message *message);

/*
 * Begins a message at the end of `out` and ends it, its length filled in. Between the two the body is written. The end
 * cuts a message off again that has become longer than OFP_MESSAGE_MAX, and returns false.
 */
size_t message_begin(struct wire_out *out, enum ofp_type type, uint32_t xid);
bool message_end(struct wire_out *out, size_t start);

message_handler handle_hello, handle_error, handle_echo_request, handle_echo_reply, handle_experimenter;
message_handler handle_features_request, handle_get_config, handle_set_config, handle_barrier;
message_handler handle_packet_out, handle_flow_mod, handle_group_mod, handle_meter_mod, handle_port_mod;
message_handler handle_table_mod, handle_multipart, handle_queue_get_config;
message_handler handle_role_request, handle_get_async, handle_set_async;

#endif
