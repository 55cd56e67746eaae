/* SPDX-License-Identifier: BSD-2-Clause */
/* The switch as a whole: features, configuration, tables, ports, queues. */
#include "ofp/session_parts.h"

#include <string.h>

/* OF 1.3.5 §7.3.1 */
enum of_err handle_features_request(struct session *session, struct message *message)
{
	struct wire_out *out = session_begin(session, OFPT_FEATURES_REPLY, message->xid);

	wire_put_u64(out, ofbridge_datapath_id(session->agent->bridge));
	wire_put_u32(out, OF_BUFFERS);
	wire_put_u8(out, TABLES_MAX);
	wire_put_u8(out, session->auxiliary_id);
	wire_put_zeros(out, 2);
	wire_put_u32(out, OFPC_FLOW_STATS | OFPC_TABLE_STATS | OFPC_PORT_STATS | OFPC_GROUP_STATS);
	wire_put_zeros(out, 4);
	session_end(session);
	return OF_OK;
}

/* §7.3.2 */
enum of_err handle_get_config(struct session *session, struct message *message)
{
	struct wire_out *out = session_begin(session, OFPT_GET_CONFIG_REPLY, message->xid);

	wire_put_u16(out, OFPC_FRAG_NORMAL);
	wire_put_u16(out, session->main->miss_send_len);
	session_end(session);
	return OF_OK;
}

enum of_err handle_set_config(struct session *session, struct message *message)
{
	uint16_t flags = wire_get_u16(&message->body);
	uint16_t miss_send_len = wire_get_u16(&message->body);

	if (flags != OFPC_FRAG_NORMAL)
		return OF_ERR_SWITCH_CONFIG_BAD_FLAGS;
	if (miss_send_len > OFPCML_MAX && miss_send_len != OFPCML_NO_BUFFER)
		return OF_ERR_SWITCH_CONFIG_BAD_LEN;
	session->main->miss_send_len = miss_send_len;
	return OF_OK;
}

/* §7.3.3 */
enum of_err handle_table_mod(struct session *session, struct message *message)
{
	uint8_t table_id = wire_get_u8(&message->body);
	uint32_t config;

	wire_skip(&message->body, 3);
	config = wire_get_u32(&message->body);
	if (config & ~(uint32_t)OFPTC_DEPRECATED_MASK)
		return OF_ERR_TABLE_MOD_BAD_CONFIG;
	return ofbridge_table_mod(session->agent->bridge, table_id, config);
}

/* §7.3.4.3 */
enum of_err handle_port_mod(struct session *session, struct message *message)
{
	uint8_t mac[OFP_ETH_ALEN];
	uint32_t number = wire_get_u32(&message->body);
	uint32_t config, mask, advertise;

	wire_skip(&message->body, 4);
	wire_get_bytes(&message->body, mac, sizeof(mac));
	wire_skip(&message->body, 2);
	config = wire_get_u32(&message->body);
	mask = wire_get_u32(&message->body);
	advertise = wire_get_u32(&message->body);
	if (!ofbridge_port(session->agent->bridge, number, NULL, NULL))
		return OF_ERR_PORT_MOD_BAD_PORT;
	if ((config | mask) & ~OFPPC_ALL)
		return OF_ERR_PORT_MOD_BAD_CONFIG;
	/* What a device advertises is its driver's; all zero asks for no change. */
	if (advertise)
		return OF_ERR_PORT_MOD_BAD_ADVERTISE;
	return ofbridge_port_mod(session->agent->bridge, number, mac, config & mask, mask);
}

/* §7.3.6: a port has no queues. */
enum of_err handle_queue_get_config(struct session *session, struct message *message)
{
	uint32_t number = wire_get_u32(&message->body);
	struct wire_out *out;

	if (number != OF_PORT_ANY && !ofbridge_port(session->agent->bridge, number, NULL, NULL))
		return OF_ERR_QUEUE_OP_BAD_PORT;
	out = session_begin(session, OFPT_QUEUE_GET_CONFIG_REPLY, message->xid);
	wire_put_u32(out, number);
	wire_put_zeros(out, 4);
	session_end(session);
	return OF_OK;
}
