/* SPDX-License-Identifier: BSD-2-Clause */
#include "ofp/oxm.h"

#include "ofp/of_spec.h"

#include <string.h>

#define EXPERIMENTER_SIZE 4 /* bytes of the id, which an experimenter's TLV counts to its payload */

/* A bit for each field, and a place in a shape for each that has an OXM number. */
_Static_assert(N_FIELDS <= 64, "the fields seen do not fit into a word");
#define FIELD(id, name, member, size, bits, form, prerequisite, oxm, ...) +((oxm) >= 0)
_Static_assert(0
#include "dataplane/field.def"
		       <= MATCH_SHAPE_MAX,
	"a match can have more fields than a shape holds");
#undef FIELD

struct header {
	enum field_id field;
	bool has_mask;
	bool is_bare; /* its length is 0 */
	int size;     /* bytes of value and mask, as its length has it */
};

/* A match while it is being read. */
struct reading {
	struct flow_match match;
	uint64_t seen; /* 1 << field */
	uint32_t n_fields;
	uint16_t fields[MATCH_SHAPE_MAX];
};

static bool is_all_ones(const uint8_t *bytes, size_t size)
{
	while (size && bytes[size - 1] == 0xff)
		size--;
	return !size;
}

/* The field's widest value. */
static void all_ones(const struct field_row *row, uint8_t *ret)
{
	unsigned spare = 8u * row->oxm_size - row->oxm_bits;

	memset(ret, 0xff, row->oxm_size);
	memset(ret, 0, spare / 8);
	ret[spare / 8] = (uint8_t)(0xff >> spare % 8);
}

/* No bit of it lies beyond the field's width. */
static bool fits(const struct field_row *row, const uint8_t *value)
{
	uint8_t width[OXM_VALUE_MAX];

	all_ones(row, width);
	for (int i = 0; i < row->oxm_size; i++) {
		if (value[i] & ~width[i])
			return false;
	}
	return true;
}

/*
 * The field of class and number. tcp_flags has the same number in ONF's extension and in the basic class of later
 * versions, but in this version none there.
 */
static enum field_id field_of(uint16_t oxm_class, uint32_t experimenter, uint8_t number)
{
	enum field_id field = field_of_oxm(number);

	if (oxm_class == OFPXMC_OPENFLOW_BASIC)
		return field == FIELD_TCP_FLAGS ? N_FIELDS : field;
	if (oxm_class == OFPXMC_EXPERIMENTER && experimenter == ONF_EXPERIMENTER && number == ONF_OXM_TCP_FLAGS)
		return FIELD_TCP_FLAGS;
	return N_FIELDS;
}

/* BAD_LEN: not all there; BAD_FIELD: not known. Whether the length is the field's is the caller's business. */
static enum of_err get_header(struct wire_in *in, struct header *ret)
{
	uint16_t oxm_class = wire_get_u16(in);
	uint8_t number = wire_get_u8(in);
	uint8_t length = wire_get_u8(in);
	uint32_t experimenter = oxm_class == OFPXMC_EXPERIMENTER ? wire_get_u32(in) : 0;

	if (in->failed)
		return OF_ERR_BAD_MATCH_BAD_LEN;
	ret->field = field_of(oxm_class, experimenter, number >> 1);
	ret->has_mask = number & 1;
	ret->is_bare = !length;
	ret->size = length - (oxm_class == OFPXMC_EXPERIMENTER ? EXPERIMENTER_SIZE : 0);
	return ret->field == N_FIELDS ? OF_ERR_BAD_MATCH_BAD_FIELD : OF_OK;
}

static void put_header(struct wire_out *out, enum field_id field, bool has_mask)
{
	const struct field_row *row = field_row(field);
	bool is_onf = field == FIELD_TCP_FLAGS;
	unsigned length = (unsigned)row->oxm_size << has_mask;

	wire_put_u16(out, is_onf ? OFPXMC_EXPERIMENTER : OFPXMC_OPENFLOW_BASIC);
	wire_put_u8(out, (uint8_t)((unsigned)row->oxm << 1 | has_mask));
	wire_put_u8(out, (uint8_t)(is_onf ? length + EXPERIMENTER_SIZE : length));
	if (is_onf)
		wire_put_u32(out, ONF_EXPERIMENTER);
}

static bool size_is_right(const struct header *header)
{
	return header->size == field_row(header->field)->oxm_size << header->has_mask;
}

static bool vlan_vid_is_possible(const uint8_t *value, const uint8_t *mask)
{
	unsigned vid = (unsigned)value[0] << 8 | value[1];
	unsigned looked_at = (unsigned)mask[0] << 8 | mask[1];

	/*
	 * OF 1.3.5 table 13: a VID that is asked for together with "no tag" is in no frame. One that is asked for
	 * without a look at the presence of the tag can be.
	 */
	return !vid || vid & OFPVID_PRESENT || !(looked_at & OFPVID_PRESENT);
}

/* What value and mask of a field must keep to. A mask that is all ones comes back cut to the field's width. */
static enum of_err check(enum field_id field, const uint8_t *value, uint8_t *mask)
{
	const struct field_row *row = field_row(field);
	bool is_exact = is_all_ones(mask, row->oxm_size);

	if (is_exact)
		all_ones(row, mask);
	if (!row->maskable) {
		uint8_t width[OXM_VALUE_MAX];

		all_ones(row, width);
		if (memcmp(mask, width, row->oxm_size))
			return OF_ERR_BAD_MATCH_BAD_MASK;
	}
	if (!fits(row, mask))
		return OF_ERR_BAD_MATCH_BAD_MASK;
	if (!fits(row, value))
		return OF_ERR_BAD_MATCH_BAD_VALUE;
	for (int i = 0; i < row->oxm_size; i++) {
		if (value[i] & ~mask[i])
			return OF_ERR_BAD_MATCH_BAD_WILDCARDS;
	}
	if (field == FIELD_VLAN_VID && !vlan_vid_is_possible(value, mask))
		return OF_ERR_BAD_MATCH_BAD_VALUE;
	return OF_OK;
}

/* Adds the field to the match. */
static enum of_err add(struct reading *r, enum field_id field, const uint8_t *value, const uint8_t *mask)
{
	const struct field_row *row = field_row(field);
	uint8_t other[OXM_VALUE_MAX], width[OXM_VALUE_MAX];

	if (!field_prerequisite_met(field, &r->match))
		return OF_ERR_BAD_MATCH_BAD_PREREQ;
	if (field == FIELD_IN_PHY_PORT) {
		/* No port lies upon another here, so that both are always the same (OF 1.3.5 §7.2.3.7). */
		field_read(field, &r->match.key, other);
		return memcmp(other, value, row->oxm_size) ? OF_ERR_BAD_MATCH_BAD_VALUE : OF_OK;
	}
	field_write(field, &r->match.key, value);
	all_ones(row, width);
	/* All of the field can be more than its width: an ICMP type is a byte in a place of two. */
	if (memcmp(mask, width, row->oxm_size))
		field_write(field, &r->match.mask, mask);
	else
		flow_look(&r->match.mask, field);
	return OF_OK;
}

static enum of_err get_field(struct wire_in *in, struct reading *r)
{
	uint8_t value[OXM_VALUE_MAX] = {0}, mask[OXM_VALUE_MAX];
	struct header header;
	enum of_err error = get_header(in, &header);
	size_t size;

	if (error)
		return error;
	size = field_row(header.field)->oxm_size;
	if (!size_is_right(&header))
		return OF_ERR_BAD_MATCH_BAD_LEN;
	memset(mask, 0xff, sizeof(mask));
	wire_get_bytes(in, value, size);
	if (header.has_mask)
		wire_get_bytes(in, mask, size);
	if (in->failed)
		return OF_ERR_BAD_MATCH_BAD_LEN;
	if (r->seen >> header.field & 1)
		return OF_ERR_BAD_MATCH_DUP_FIELD;
	error = check(header.field, value, mask);
	if (error)
		return error;
	r->seen |= 1ULL << header.field;
	r->fields[r->n_fields++] = (uint16_t)(header.field << 1 | header.has_mask);
	return add(r, header.field, value, mask);
}

enum of_err oxm_get_match(
	struct wire_in *in, struct flow_match *ret, uint32_t *ret_n_fields, uint16_t ret_fields[MATCH_SHAPE_MAX])
{
	struct reading reading = {0};
	uint16_t type = wire_get_u16(in), length = wire_get_u16(in);
	struct wire_in body;

	if (in->failed)
		return OF_ERR_BAD_MATCH_BAD_LEN;
	if (type != OFPMT_OXM)
		return OF_ERR_BAD_MATCH_BAD_TYPE;
	if (length < OFP_MATCH_HEADER_SIZE)
		return OF_ERR_BAD_MATCH_BAD_LEN;
	body = wire_get_sub(in, length - OFP_MATCH_HEADER_SIZE);
	wire_skip(in, WIRE_PADDING(length));
	if (in->failed)
		return OF_ERR_BAD_MATCH_BAD_LEN;
	while (body.left) {
		enum of_err error = get_field(&body, &reading);

		if (error)
			return error;
	}
	*ret = reading.match;
	if (ret_n_fields) {
		*ret_n_fields = reading.n_fields;
		memcpy(ret_fields, reading.fields, reading.n_fields * sizeof(*ret_fields));
	}
	return OF_OK;
}

/* ---- writing ---- */

static bool is_looked_at(const uint8_t *mask, size_t size)
{
	while (size && !mask[size - 1])
		size--;
	return size;
}

/* A match that looks at some bits of the field only is written with its mask, whatever `has_mask` says. */
static void put_field(struct wire_out *out, const struct flow_match *match, enum field_id field, bool has_mask)
{
	const struct field_row *row = field_row(field);
	uint8_t value[OXM_VALUE_MAX], mask[OXM_VALUE_MAX], width[OXM_VALUE_MAX];

	field_read(field, &match->key, value);
	field_read(field, &match->mask, mask);
	all_ones(row, width);
	if (memcmp(mask, width, row->oxm_size))
		has_mask = true;
	put_header(out, field, has_mask);
	wire_put_bytes(out, value, row->oxm_size);
	if (has_mask)
		wire_put_bytes(out, mask, row->oxm_size);
}

/* Whether the match looks at bits that have this field's name in the frames that it is about. */
static bool has_field(const struct flow_match *match, enum field_id field)
{
	uint8_t mask[OXM_VALUE_MAX];

	/* in_port says it already */
	if (field == FIELD_IN_PHY_PORT || field_row(field)->oxm < 0)
		return false;
	field_read(field, &match->mask, mask);
	return is_looked_at(mask, field_row(field)->oxm_size) && field_prerequisite_met(field, match);
}

static size_t begin_match(struct wire_out *out)
{
	size_t start = out->size;

	wire_put_u16(out, OFPMT_OXM);
	wire_put_u16(out, 0);
	return start;
}

static void end_match(struct wire_out *out, size_t start)
{
	/* The length is without the padding, OF 1.3.5 §7.2.3.1. */
	wire_set_u16(out, start + 2, (uint16_t)(out->size - start));
	wire_put_padding(out, start);
}

void oxm_put_match(struct wire_out *out, const struct flow_match *match, uint32_t n_fields, const uint16_t *fields)
{
	size_t start = begin_match(out);

	for (uint32_t i = 0; fields && i < n_fields; i++)
		put_field(out, match, fields[i] >> 1, fields[i] & 1);
	for (int i = 0; !fields && i < N_FIELDS; i++) {
		if (has_field(match, i))
			put_field(out, match, i, false);
	}
	end_match(out, start);
}

void oxm_put_packet_in(struct wire_out *out, const struct flow *flow)
{
	static const enum field_id own[] = {FIELD_IN_PORT, FIELD_METADATA, FIELD_TUNNEL_ID};
	struct flow_match match = {.key = *flow};
	size_t start = begin_match(out);

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		uint8_t value[OXM_VALUE_MAX];

		flow_look(&match.mask, own[i]);
		field_read(own[i], flow, value);
		if (own[i] == FIELD_IN_PORT || is_looked_at(value, field_row(own[i])->oxm_size))
			put_field(out, &match, own[i], false);
	}
	end_match(out, start);
}

/* ---- headers and settings ---- */

void oxm_put_id(struct wire_out *out, enum field_id field, bool has_mask)
{
	put_header(out, field, has_mask);
}

enum of_err oxm_get_id(struct wire_in *in, enum field_id *ret_field, bool *ret_has_mask)
{
	struct header header;
	enum of_err error = get_header(in, &header);

	if (error)
		return error;
	/* os-ken's ids have no length, since nothing follows them. */
	if (!header.is_bare && !size_is_right(&header))
		return OF_ERR_BAD_MATCH_BAD_LEN;
	*ret_field = header.field;
	*ret_has_mask = header.has_mask;
	return OF_OK;
}

enum of_err oxm_get_setting(struct wire_in *in, enum field_id *ret_field, uint8_t ret_value[OXM_VALUE_MAX])
{
	uint8_t value[OXM_VALUE_MAX] = {0};
	struct header header;
	enum of_err error = get_header(in, &header);
	const struct field_row *row;

	if (error == OF_ERR_BAD_MATCH_BAD_LEN)
		return OF_ERR_BAD_ACTION_BAD_SET_LEN;
	if (error || header.has_mask || !field_row(header.field)->settable)
		return OF_ERR_BAD_ACTION_BAD_SET_TYPE;
	row = field_row(header.field);
	wire_get_bytes(in, value, row->oxm_size);
	if (in->failed || !size_is_right(&header))
		return OF_ERR_BAD_ACTION_BAD_SET_LEN;
	if (!fits(row, value))
		return OF_ERR_BAD_ACTION_BAD_SET_ARGUMENT;
	/* A tag goes by pop_vlan, not by a VID of none. */
	if (header.field == FIELD_VLAN_VID && !(value[0] & OFPVID_PRESENT >> 8))
		return OF_ERR_BAD_ACTION_BAD_SET_ARGUMENT;
	*ret_field = header.field;
	memcpy(ret_value, value, OXM_VALUE_MAX);
	return OF_OK;
}

void oxm_put_setting(struct wire_out *out, enum field_id field, const uint8_t *value)
{
	put_header(out, field, false);
	wire_put_bytes(out, value, field_row(field)->oxm_size);
}
