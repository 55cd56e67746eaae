/* SPDX-License-Identifier: BSD-2-Clause */
/* What a bridge tells, on its way to those who want to hear it. */
#include "ofp/session_parts.h"

#include "ofp/codec.h"
#include "ofp/oxm.h"

#define NS_PER_S 1000000000ull

/* ---- packet-in (OF 1.3.5 §7.4.1) ---- */

/*
 * A frame of one flow always goes by the same connection of a controller, so that its frames keep their order (§6.3.5):
 * of the sessions that share a main one and are open, the one that the flow's addresses point at.
 */
static uint32_t point_of(const struct flow *flow)
{
	const struct sw_key_fields *f = &flow->x.f;
	uint32_t point = f->in_ifindex;

	for (int i = 0; i < 6; i++)
		point = point * 31 + (f->eth_src[i] ^ f->eth_dst[i]);
	return point;
}

static bool is_pointed_at(const struct session *session, uint32_t point)
{
	return session->state == SESSION_OPEN && session->connection == point % session->main->n_connections;
}

/*
 * Bytes of the frame that a controller is to get. A frame for which no rule or an action asked has the action's limit;
 * a frame whose TTL ran out was asked for by nobody, and has the session's (§7.3.2).
 */
static uint32_t bytes_to_send(const struct session *session, const struct packet_in *in)
{
	uint16_t max_len = in->reason == PACKET_IN_INVALID_TTL ? session->main->miss_send_len : in->max_len;

	return max_len != OFPCML_NO_BUFFER && max_len < in->size ? max_len : in->size;
}

static void write_packet_in(struct wire_out *out, const struct packet_in *in, uint32_t buffer_id, uint32_t size)
{
	size_t start, room;

	wire_out_reset(out);
	start = message_begin(out, OFPT_PACKET_IN, 0);
	wire_put_u32(out, buffer_id);
	wire_put_u16(out, in->size < UINT16_MAX ? (uint16_t)in->size : UINT16_MAX);
	wire_put_u8(out, in->reason);
	wire_put_u8(out, in->table_id);
	wire_put_u64(out, in->cookie);
	oxm_put_packet_in(out, &in->flow);
	wire_put_zeros(out, 2);
	room = OFP_MESSAGE_MAX - out->size;
	wire_put_bytes(out, in->frame, size < room ? size : room);
	message_end(out, start);
}

/* To one controller; *buffer_id is that of the frame, once it has one. */
static bool send_packet_in(struct session *session, const struct packet_in *in, uint32_t *buffer_id)
{
	struct agent *agent = session->agent;
	uint32_t size = bytes_to_send(session, in);

	if (size < in->size && *buffer_id == OF_NO_BUFFER)
		*buffer_id = buffers_put(agent->buffers, in->flow.x.f.in_ifindex, in->frame, in->size);
	/* Without a buffer the whole has to go. */
	if (*buffer_id == OF_NO_BUFFER)
		size = in->size;
	write_packet_in(&agent->scratch, in, size < in->size ? *buffer_id : OF_NO_BUFFER, size);
	return !agent->scratch.failed && session_queue_packet_in(session, agent->scratch.bytes, agent->scratch.size);
}

bool agent_packet_in(void *ctx, const struct packet_in *in)
{
	struct agent *agent = ctx;
	uint32_t buffer_id = OF_NO_BUFFER, point = point_of(&in->flow);
	bool heard = false, taken = false;

	for (struct session *session = agent->first; session; session = session->next) {
		if (!is_pointed_at(session, point) || !session_hears_packet_in(session, in->reason))
			continue;
		heard = true;
		session->now_ns = ofbridge_now_ns(agent->bridge);
		if (session_admits_packet_in(session) && send_packet_in(session, in, &buffer_id))
			taken = true;
	}
	if (!heard)
		agent->n_unheard++;
	return taken;
}

/* ---- flow-removed (§7.4.2) ---- */

/* OF 1.3 has no reason of its own for a rule that went with its meter. */
static uint8_t told_reason(const struct rule *rule)
{
	return rule->end == RULE_METER_DELETE ? OFPRR_DELETE : rule->end;
}

static void write_flow_removed(struct wire_out *out, const struct rule *rule, uint64_t now_ns)
{
	uint64_t duration_ns = now_ns > rule->created_ns ? now_ns - rule->created_ns : 0;
	uint16_t fields[MATCH_SHAPE_MAX];
	struct flow_match match;
	uint32_t n_fields;
	size_t start;

	wire_out_reset(out);
	start = message_begin(out, OFPT_FLOW_REMOVED, 0);
	wire_put_u64(out, rule->cookie);
	wire_put_u16(out, rule->cls.priority);
	wire_put_u8(out, told_reason(rule));
	wire_put_u8(out, rule->table_id);
	wire_put_u32(out, (uint32_t)(duration_ns / NS_PER_S));
	wire_put_u32(out, (uint32_t)(duration_ns % NS_PER_S));
	wire_put_u16(out, rule->idle_s);
	wire_put_u16(out, rule->hard_s);
	wire_put_u64(out, rule->flags & RULE_NO_PKT_COUNTS ? UINT64_MAX : rule->tally.packets);
	wire_put_u64(out, rule->flags & RULE_NO_BYT_COUNTS ? UINT64_MAX : rule->tally.bytes);
	rule_match(rule, &match);
	n_fields = rule_fields(rule, fields);
	oxm_put_match(out, &match, n_fields, fields);
	message_end(out, start);
}

/* To a main session only; auxiliary ones carry packet-ins and answers. */
static bool is_main(const struct session *session)
{
	return session->main == session;
}

void agent_flow_removed(void *ctx, const struct rule *rule)
{
	struct agent *agent = ctx;
	bool written = false;

	for (struct session *session = agent->first; session; session = session->next) {
		if (!is_main(session) || !session_hears_flow_removed(session, told_reason(rule)))
			continue;
		if (!written)
			write_flow_removed(&agent->scratch, rule, ofbridge_now_ns(agent->bridge));
		written = true;
		if (!agent->scratch.failed)
			session_queue_event(session, agent->scratch.bytes, agent->scratch.size);
	}
}

/* ---- port-status (§7.4.3) ---- */

void agent_port_changed(void *ctx, enum port_change change, const struct of_port_desc *desc)
{
	struct agent *agent = ctx;
	struct wire_out *out = &agent->scratch;
	size_t start;

	wire_out_reset(out);
	start = message_begin(out, OFPT_PORT_STATUS, 0);
	wire_put_u8(out, (uint8_t)change);
	wire_put_zeros(out, 7);
	codec_put_port(out, desc);
	message_end(out, start);
	for (struct session *session = agent->first; session && !out->failed; session = session->next) {
		if (is_main(session) && session_hears_port_status(session, (uint8_t)change))
			session_queue_event(session, out->bytes, out->size);
	}
}
