/* SPDX-License-Identifier: BSD-2-Clause */
#include "ofp/mp_parts.h"

#include "ofp/codec.h"
#include "ofp/oxm.h"

/* A request names rules in the same way, whether it asks for each or for their sum. */
static enum of_err begin(struct dump *dump, struct wire_in *body)
{
	struct rule_filter filter = {.table_id = wire_get_u8(body)};
	enum of_err error;

	wire_skip(body, 3);
	filter.out_port = wire_get_u32(body);
	filter.out_group = wire_get_u32(body);
	wire_skip(body, 4);
	filter.cookie = wire_get_u64(body);
	filter.cookie_mask = wire_get_u64(body);
	error = oxm_get_match(body, &filter.match, NULL, NULL);
	if (error)
		return error;
	if (!wire_in_ended(body))
		return OF_ERR_BAD_REQUEST_BAD_LEN;
	rule_cursor_begin(&dump->rules, ofbridge_tables(dump_bridge(dump)), &filter);
	dump->walks = true;
	return OF_OK;
}

static uint64_t told_packets(const struct rule *rule)
{
	return rule->flags & RULE_NO_PKT_COUNTS ? UNKNOWN : rule->tally.packets;
}

static uint64_t told_bytes(const struct rule *rule)
{
	return rule->flags & RULE_NO_BYT_COUNTS ? UNKNOWN : rule->tally.bytes;
}

/* ---- flow (OF 1.3.5 §7.3.5.2) ---- */

enum of_err mp_flow_begin(struct dump *dump, struct wire_in *body)
{
	return begin(dump, body);
}

static void put_rule(struct wire_out *out, const struct rule *rule, uint64_t now_ns)
{
	size_t start = out->size;
	uint16_t fields[MATCH_SHAPE_MAX];
	struct flow_match match;
	uint32_t n_fields;

	wire_put_u16(out, 0);
	wire_put_u8(out, rule->table_id);
	wire_put_u8(out, 0);
	put_duration(out, now_ns, rule->created_ns);
	wire_put_u16(out, rule->cls.priority);
	wire_put_u16(out, rule->idle_s);
	wire_put_u16(out, rule->hard_s);
	wire_put_u16(out, rule->flags);
	wire_put_zeros(out, 4);
	wire_put_u64(out, rule->cookie);
	wire_put_u64(out, told_packets(rule));
	wire_put_u64(out, told_bytes(rule));
	rule_match(rule, &match);
	n_fields = rule_fields(rule, fields);
	oxm_put_match(out, &match, n_fields, fields);
	codec_put_instructions(out, rule->instructions);
	wire_set_u16(out, start, (uint16_t)(out->size - start));
}

enum dump_step mp_flow_next(struct dump *dump, struct wire_out *out, uint32_t *budget)
{
	struct rule *rule = rule_cursor_next(&dump->rules, budget);

	if (!rule)
		return *budget ? DUMP_DONE : DUMP_LATER;
	ofbridge_refresh_rule(dump_bridge(dump), rule);
	put_rule(out, rule, dump->session->now_ns);
	return DUMP_PUT;
}

/* ---- aggregate (§7.3.5.3) ---- */

enum of_err mp_aggregate_begin(struct dump *dump, struct wire_in *body)
{
	enum of_err error = begin(dump, body);

	if (!error)
		dump_refresh(dump);
	return error;
}

enum dump_step mp_aggregate_next(struct dump *dump, struct wire_out *out, uint32_t *budget)
{
	struct rule *rule;

	while ((rule = rule_cursor_next(&dump->rules, budget))) {
		dump->packets += rule->flags & RULE_NO_PKT_COUNTS ? 0 : rule->tally.packets;
		dump->bytes += rule->flags & RULE_NO_BYT_COUNTS ? 0 : rule->tally.bytes;
		dump->flows++;
	}
	if (!*budget)
		return DUMP_LATER;
	wire_put_u64(out, dump->packets);
	wire_put_u64(out, dump->bytes);
	wire_put_u32(out, dump->flows);
	wire_put_zeros(out, 4);
	return DUMP_LAST;
}
