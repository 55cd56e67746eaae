/* SPDX-License-Identifier: BSD-2-Clause */
#include "ofp/mp_parts.h"

#include "ofp/codec.h"

#define BUCKET_COST 4 /* of bringing its counters up to date, in the measure of looking at a rule */

static const struct groups *groups_of(const struct dump *dump)
{
	return ofbridge_groups(dump_bridge(dump));
}

/* The next group to be told of; NULL: there is none. Walks by id, so that groups may come and go. */
static struct group *next_group(struct dump *dump)
{
	struct group *group =
		dump->one ? groups_find(groups_of(dump), dump->at) : groups_next(groups_of(dump), dump->at);

	if (group)
		dump->at = group->id;
	return group;
}

/* ---- group (OF 1.3.5 §7.3.5.9) ---- */

/* A group that is not there has no entry, which is an empty list, as for a rule. */
enum of_err mp_group_begin(struct dump *dump, struct wire_in *body)
{
	uint32_t id = wire_get_u32(body);

	dump->one = id != GROUP_ALL && id != GROUP_ANY;
	dump->at = dump->one ? id : GROUP_ANY;
	return OF_OK;
}

static void put_stats(struct wire_out *out, const struct group *group, uint64_t now_ns)
{
	size_t start = out->size;

	wire_put_u16(out, 0);
	wire_put_zeros(out, 2);
	wire_put_u32(out, group->id);
	wire_put_u32(out, group->n_refs);
	wire_put_zeros(out, 4);
	wire_put_u64(out, group->tally.packets);
	wire_put_u64(out, group->tally.bytes);
	put_duration(out, now_ns, group->created_ns);
	for (uint32_t i = 0; i < group->n_buckets; i++) {
		wire_put_u64(out, group->buckets[i].tally.packets);
		wire_put_u64(out, group->buckets[i].tally.bytes);
	}
	wire_set_u16(out, start, (uint16_t)(out->size - start));
}

enum dump_step mp_group_next(struct dump *dump, struct wire_out *out, uint32_t *budget)
{
	struct group *group = next_group(dump);

	if (!group)
		return DUMP_DONE;
	spend(budget, 1 + BUCKET_COST * group->n_buckets);
	ofbridge_refresh_group(dump_bridge(dump), group);
	put_stats(out, group, dump->session->now_ns);
	return dump->one ? DUMP_LAST : DUMP_PUT;
}

/* ---- group-desc (§7.3.5.10) ---- */

enum of_err mp_group_desc_begin(struct dump *dump, struct wire_in *body)
{
	dump->at = GROUP_ANY;
	return OF_OK;
}

enum dump_step mp_group_desc_next(struct dump *dump, struct wire_out *out, uint32_t *budget)
{
	const struct group *group = next_group(dump);
	size_t start = out->size;

	if (!group)
		return DUMP_DONE;
	spend(budget, 1 + group->n_buckets);
	wire_put_u16(out, 0);
	wire_put_u8(out, group->type);
	wire_put_u8(out, 0);
	wire_put_u32(out, group->id);
	codec_put_buckets(out, group->n_buckets, group->buckets);
	wire_set_u16(out, start, (uint16_t)(out->size - start));
	return DUMP_PUT;
}

/* ---- group-features (§7.3.5.11) ---- */

enum of_err mp_group_features_begin(struct dump *dump, struct wire_in *body)
{
	return OF_OK;
}

enum dump_step mp_group_features_next(struct dump *dump, struct wire_out *out, uint32_t *budget)
{
	uint32_t actions = 0;

	for (unsigned i = 0; i < N_ACTIONS; i++)
		actions |= 1u << action_row((enum action_type)i)->of_type;
	spend(budget, 1);
	wire_put_u32(out, (1u << OFPGT_N_TYPES) - 1);
	wire_put_u32(out, OFPGFC_SELECT_WEIGHT | OFPGFC_SELECT_LIVENESS | OFPGFC_CHAINING | OFPGFC_CHAINING_CHECKS);
	for (int type = 0; type < OFPGT_N_TYPES; type++)
		wire_put_u32(out, GROUPS_LIMIT);
	for (int type = 0; type < OFPGT_N_TYPES; type++)
		wire_put_u32(out, actions);
	return DUMP_LAST;
}
