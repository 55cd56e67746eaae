/* SPDX-License-Identifier: BSD-2-Clause */
#include "ofp/mp_parts.h"

#include "ofp/codec.h"

static enum of_err begin(struct dump *dump, struct wire_in *body)
{
	uint32_t id = wire_get_u32(body);

	if (id == METER_ALL)
		return OF_OK;
	dump->one = true;
	dump->at = id;
	return meters_find(ofbridge_meters(dump_bridge(dump)), id) ? OF_OK : OF_ERR_METER_MOD_UNKNOWN_METER;
}

/* The next meter to be told of; NULL: there is none. */
static const struct meter *next_meter(struct dump *dump, uint32_t *budget)
{
	const struct meters *meters = ofbridge_meters(dump_bridge(dump));
	const struct meter *meter = dump->one ? meters_find(meters, dump->at) : meters_next(meters, dump->at);

	spend(budget, 1);
	if (meter)
		dump->at = meter->id;
	return meter;
}

/* ---- meter (OF 1.3.5 §7.3.5.12) ---- */

enum of_err mp_meter_begin(struct dump *dump, struct wire_in *body)
{
	enum of_err error = begin(dump, body);

	if (!error)
		dump_refresh(dump);
	return error;
}

enum dump_step mp_meter_next(struct dump *dump, struct wire_out *out, uint32_t *budget)
{
	const struct meter *meter = next_meter(dump, budget);
	size_t start = out->size;

	if (!meter)
		return DUMP_DONE;
	wire_put_u32(out, meter->id);
	wire_put_u16(out, 0);
	wire_put_zeros(out, 6);
	wire_put_u32(out, meter->n_rules);
	wire_put_u64(out, meter->in->packets);
	wire_put_u64(out, meter->in->bytes);
	put_duration(out, dump->session->now_ns, meter->created_ns);
	for (uint32_t i = 0; i < meter->n_bands; i++) {
		struct meter_band_stats stats = meters_band_stats(ofbridge_meters(dump_bridge(dump)), meter, i);

		wire_put_u64(out, stats.packets);
		wire_put_u64(out, stats.bytes);
	}
	wire_set_u16(out, start + 4, (uint16_t)(out->size - start));
	return dump->one ? DUMP_LAST : DUMP_PUT;
}

/* ---- meter-config (§7.3.5.13) ---- */

enum of_err mp_meter_config_begin(struct dump *dump, struct wire_in *body)
{
	return begin(dump, body);
}

enum dump_step mp_meter_config_next(struct dump *dump, struct wire_out *out, uint32_t *budget)
{
	const struct meter *meter = next_meter(dump, budget);
	size_t start = out->size;

	if (!meter)
		return DUMP_DONE;
	wire_put_u16(out, 0);
	wire_put_u16(out, meter->flags);
	wire_put_u32(out, meter->id);
	codec_put_bands(out, meter->n_bands, meter->bands);
	wire_set_u16(out, start, (uint16_t)(out->size - start));
	return dump->one ? DUMP_LAST : DUMP_PUT;
}

/* ---- meter-features (§7.3.5.14) ---- */

enum of_err mp_meter_features_begin(struct dump *dump, struct wire_in *body)
{
	return OF_OK;
}

enum dump_step mp_meter_features_next(struct dump *dump, struct wire_out *out, uint32_t *budget)
{
	spend(budget, 1);
	wire_put_u32(out, METERS_LIMIT);
	wire_put_u32(out, 1u << OFPMBT_DROP | 1u << OFPMBT_DSCP_REMARK);
	wire_put_u32(out, OFPMF_ALL);
	wire_put_u8(out, METER_BANDS_LIMIT);
	wire_put_u8(out, 0); /* colours: frames have none here */
	wire_put_zeros(out, 2);
	return DUMP_LAST;
}
