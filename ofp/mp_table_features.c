/* SPDX-License-Identifier: BSD-2-Clause */
#include "ofp/mp_parts.h"

#include "ofp/codec.h"
#include "ofp/oxm.h"

#include <string.h>

/*
 * Table features (OF 1.3.5 §7.3.5.5). Every table can do everything that this switch can, so the properties of all are
 * alike but for the tables that they may go on to; they are written from action.def and field.def. A request may give
 * tables names and limits. The properties that it lists are checked, that there is nothing in them which a table cannot
 * do, and a table can do all the rest besides: the answer says so. Tables that a request does not name stay as they
 * are. A property for table-miss (_MISS) is that of the other rules, and is not told apart (§7.3.5.5.2).
 */

#define FEATURES_SIZE 64 /* of a table, before its properties */
#define TABLE_COST    32 /* of telling of a table, in the measure of looking at a rule */
#define ALL_METADATA  UINT64_MAX

static bool chosen(const struct dump *dump, unsigned id)
{
	return dump->chosen[id / 64] >> id % 64 & 1;
}

static void choose(struct dump *dump, unsigned id)
{
	dump->chosen[id / 64] |= 1ull << id % 64;
}

/* ---- reading ---- */

/* Everything that stands in a list is one of ours. A type that is longer, an experimenter's, is none. */
static enum of_err check_instructions(struct wire_in list)
{
	while (list.left) {
		uint16_t type = wire_get_u16(&list);

		if (wire_get_u16(&list) != 4 || list.failed)
			return OF_ERR_TABLE_FEATURES_BAD_LEN;
		if (type < OFPIT_GOTO_TABLE || type > OFPIT_METER)
			return OF_ERR_TABLE_FEATURES_BAD_ARGUMENT;
	}
	return OF_OK;
}

static enum of_err check_actions(struct wire_in list)
{
	while (list.left) {
		uint16_t type = wire_get_u16(&list);

		if (wire_get_u16(&list) != 4 || list.failed)
			return OF_ERR_TABLE_FEATURES_BAD_LEN;
		if (codec_action_of(type) == N_ACTIONS)
			return OF_ERR_TABLE_FEATURES_BAD_ARGUMENT;
	}
	return OF_OK;
}

/* A rule goes on only to a table behind its own. */
static enum of_err check_tables(struct wire_in list, uint8_t table_id)
{
	while (list.left) {
		uint8_t next = wire_get_u8(&list);

		if (next <= table_id || next >= TABLES_MAX)
			return OF_ERR_TABLE_FEATURES_BAD_ARGUMENT;
	}
	return OF_OK;
}

static enum of_err check_fields(struct wire_in list, bool to_be_set)
{
	while (list.left) {
		enum field_id field;
		bool has_mask;
		enum of_err error = oxm_get_id(&list, &field, &has_mask);

		if (error == OF_ERR_BAD_MATCH_BAD_LEN)
			return OF_ERR_TABLE_FEATURES_BAD_LEN;
		if (error || (has_mask && !field_row(field)->maskable) || (to_be_set && !field_row(field)->settable))
			return OF_ERR_TABLE_FEATURES_BAD_ARGUMENT;
	}
	return OF_OK;
}

static enum of_err check_property(uint16_t type, struct wire_in list, uint8_t table_id)
{
	switch (type) {
	case OFPTFPT_INSTRUCTIONS:
	case OFPTFPT_INSTRUCTIONS_MISS:
		return check_instructions(list);
	case OFPTFPT_NEXT_TABLES:
	case OFPTFPT_NEXT_TABLES_MISS:
		return check_tables(list, table_id);
	case OFPTFPT_WRITE_ACTIONS:
	case OFPTFPT_WRITE_ACTIONS_MISS:
	case OFPTFPT_APPLY_ACTIONS:
	case OFPTFPT_APPLY_ACTIONS_MISS:
		return check_actions(list);
	case OFPTFPT_MATCH:
	case OFPTFPT_WILDCARDS:
		return check_fields(list, false);
	case OFPTFPT_WRITE_SETFIELD:
	case OFPTFPT_WRITE_SETFIELD_MISS:
	case OFPTFPT_APPLY_SETFIELD:
	case OFPTFPT_APPLY_SETFIELD_MISS:
		return check_fields(list, true);
	}
	return OF_ERR_TABLE_FEATURES_BAD_TYPE;
}

static enum of_err check_properties(struct wire_in *in, uint8_t table_id)
{
	while (in->left) {
		uint16_t type = wire_get_u16(in);
		uint16_t size = wire_get_u16(in);
		struct wire_in list;
		enum of_err error;

		if (size < 4)
			return OF_ERR_TABLE_FEATURES_BAD_LEN;
		list = wire_get_sub(in, size - 4u);
		wire_skip(in, WIRE_PADDING(size));
		if (in->failed)
			return OF_ERR_TABLE_FEATURES_BAD_LEN;
		error = check_property(type, list, table_id);
		if (error)
			return error;
	}
	return OF_OK;
}

/* What a request says of a table, for which there is room among ours. */
struct wish {
	uint8_t table_id;
	char name[OFP_MAX_TABLE_NAME];
	uint32_t max_rules;
};

static enum of_err get_wish(struct dump *dump, struct wire_in *body, struct wish *ret)
{
	uint16_t size = wire_get_u16(body);
	struct wire_in in;
	uint32_t config;

	if (size < FEATURES_SIZE)
		return OF_ERR_TABLE_FEATURES_BAD_LEN;
	in = wire_get_sub(body, size - 2u);
	ret->table_id = wire_get_u8(&in);
	wire_skip(&in, 5);
	wire_get_bytes(&in, ret->name, sizeof(ret->name));
	wire_skip(&in, 16); /* metadata: any bit may be matched and written */
	config = wire_get_u32(&in);
	ret->max_rules = wire_get_u32(&in);
	if (body->failed || in.failed)
		return OF_ERR_TABLE_FEATURES_BAD_LEN;
	if (ret->table_id >= TABLES_MAX)
		return OF_ERR_TABLE_FEATURES_BAD_TABLE;
	if (config & ~(uint32_t)OFPTC_DEPRECATED_MASK || !memchr(ret->name, '\0', sizeof(ret->name)) ||
		ret->max_rules > RULES_MAX ||
		ret->max_rules < tables_table(ofbridge_tables(dump_bridge(dump)), ret->table_id)->n_rules)
		return OF_ERR_TABLE_FEATURES_BAD_ARGUMENT;
	return check_properties(&in, ret->table_id);
}

static enum of_err check_all(struct dump *dump, struct wire_in body)
{
	while (body.left) {
		struct wish wish;
		enum of_err error = get_wish(dump, &body, &wish);

		if (error)
			return error;
		if (chosen(dump, wish.table_id))
			return OF_ERR_TABLE_FEATURES_BAD_TABLE;
		choose(dump, wish.table_id);
	}
	return OF_OK;
}

static void carry_out(struct dump *dump, struct wire_in body)
{
	struct wish wish;

	while (body.left && !get_wish(dump, &body, &wish)) {
		struct table *table = tables_table(ofbridge_tables(dump_bridge(dump)), wish.table_id);

		memcpy(table->name, wish.name, sizeof(table->name));
		table->max_rules = wish.max_rules;
	}
}

_Static_assert(TABLE_NAME_SIZE == OFP_MAX_TABLE_NAME, "a table's name does not fit");

enum of_err mp_table_features_begin(struct dump *dump, struct wire_in *body)
{
	enum of_err error;

	if (!body->left) {
		memset(dump->chosen, 0xff, sizeof(dump->chosen));
		return OF_OK;
	}
	if (dump->session->main->role == ROLE_SLAVE)
		return OF_ERR_BAD_REQUEST_IS_SLAVE;
	error = check_all(dump, *body);
	if (!error)
		carry_out(dump, *body);
	return error;
}

/* ---- writing ---- */

static size_t begin_property(struct wire_out *out, enum ofp_table_feature_prop_type type)
{
	size_t start = out->size;

	wire_put_u16(out, (uint16_t)type);
	wire_put_u16(out, 0);
	return start;
}

static void end_property(struct wire_out *out, size_t start)
{
	wire_set_u16(out, start + 2, (uint16_t)(out->size - start));
	wire_put_padding(out, start);
}

static void put_instructions(struct wire_out *out)
{
	size_t start = begin_property(out, OFPTFPT_INSTRUCTIONS);

	for (uint16_t type = OFPIT_GOTO_TABLE; type <= OFPIT_METER; type++) {
		wire_put_u16(out, type);
		wire_put_u16(out, 4);
	}
	end_property(out, start);
}

static void put_next_tables(struct wire_out *out, unsigned table_id)
{
	size_t start = begin_property(out, OFPTFPT_NEXT_TABLES);

	for (unsigned next = table_id + 1; next < TABLES_MAX; next++)
		wire_put_u8(out, (uint8_t)next);
	end_property(out, start);
}

static void put_actions(struct wire_out *out, enum ofp_table_feature_prop_type type)
{
	size_t start = begin_property(out, type);

	for (unsigned i = 0; i < N_ACTIONS; i++) {
		wire_put_u16(out, action_row((enum action_type)i)->of_type);
		wire_put_u16(out, 4);
	}
	end_property(out, start);
}

/* Every field that can be matched. Where that may be with a mask the id says so; of wildcards none needs to. */
static void put_fields(struct wire_out *out, enum ofp_table_feature_prop_type type)
{
	size_t start = begin_property(out, type);

	for (unsigned i = 0; i < N_FIELDS; i++) {
		const struct field_row *row = field_row((enum field_id)i);

		if (row->oxm >= 0)
			oxm_put_id(out, (enum field_id)i, row->maskable && type == OFPTFPT_MATCH);
	}
	end_property(out, start);
}

static void put_settable_fields(struct wire_out *out, enum ofp_table_feature_prop_type type)
{
	size_t start = begin_property(out, type);

	for (unsigned i = 0; i < N_FIELDS; i++) {
		if (field_row((enum field_id)i)->settable)
			oxm_put_id(out, (enum field_id)i, false);
	}
	end_property(out, start);
}

static void put_table(struct wire_out *out, const struct table *table)
{
	size_t start = out->size;

	wire_put_u16(out, 0);
	wire_put_u8(out, table->id);
	wire_put_zeros(out, 5);
	wire_put_text(out, table->name, OFP_MAX_TABLE_NAME);
	wire_put_u64(out, ALL_METADATA);
	wire_put_u64(out, ALL_METADATA);
	wire_put_u32(out, table->config);
	wire_put_u32(out, table->max_rules);
	put_instructions(out);
	put_next_tables(out, table->id);
	put_actions(out, OFPTFPT_WRITE_ACTIONS);
	put_actions(out, OFPTFPT_APPLY_ACTIONS);
	put_fields(out, OFPTFPT_MATCH);
	put_fields(out, OFPTFPT_WILDCARDS);
	put_settable_fields(out, OFPTFPT_WRITE_SETFIELD);
	put_settable_fields(out, OFPTFPT_APPLY_SETFIELD);
	wire_set_u16(out, start, (uint16_t)(out->size - start));
}

enum dump_step mp_table_features_next(struct dump *dump, struct wire_out *out, uint32_t *budget)
{
	while (dump->at < TABLES_MAX && !chosen(dump, dump->at))
		dump->at++;
	if (dump->at >= TABLES_MAX)
		return DUMP_DONE;
	spend(budget, TABLE_COST);
	put_table(out, tables_table(ofbridge_tables(dump_bridge(dump)), (uint8_t)dump->at++));
	return DUMP_PUT;
}
