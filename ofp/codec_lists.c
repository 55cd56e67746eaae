/* SPDX-License-Identifier: BSD-2-Clause */
/* The lists of group-mods and meter-mods, buckets and bands, and the description of a port. */
#include "ofp/codec.h"

#include "ofp/of_spec.h"

#define BUCKET_SIZE 16 /* without its actions */
#define BAND_SIZE   16

static enum of_err get_bucket(struct wire_in *in, struct arena *arena, struct bucket *ret)
{
	uint16_t length = wire_get_u16(in);
	struct bucket bucket = {0};
	struct wire_in body;
	enum of_err error;

	if (in->failed || length < BUCKET_SIZE || length % 8)
		return OF_ERR_GROUP_MOD_BAD_BUCKET;
	body = wire_get_sub(in, length - sizeof(length));
	bucket.weight = wire_get_u16(&body);
	bucket.watch_port = wire_get_u32(&body);
	bucket.watch_group = wire_get_u32(&body);
	wire_skip(&body, 4);
	if (body.failed)
		return OF_ERR_GROUP_MOD_BAD_BUCKET;
	error = codec_get_actions(&body, arena, &bucket.actions);
	if (error)
		return error;
	*ret = bucket;
	return OF_OK;
}

enum of_err codec_get_buckets(
	struct wire_in *in, struct arena *arena, uint32_t *ret_n_buckets, const struct bucket **ret)
{
	struct bucket list[GROUP_BUCKETS_LIMIT];
	const struct bucket *copy;
	uint32_t n = 0;

	while (in->left) {
		enum of_err error;

		if (n == GROUP_BUCKETS_LIMIT)
			return OF_ERR_GROUP_MOD_OUT_OF_BUCKETS;
		error = get_bucket(in, arena, &list[n++]);
		if (error)
			return error;
	}
	if (in->failed)
		return OF_ERR_GROUP_MOD_BAD_BUCKET;
	copy = arena_copy(arena, list, n * sizeof(*list));
	if (!copy)
		return OF_ERR_GROUP_MOD_OUT_OF_BUCKETS;
	*ret_n_buckets = n;
	*ret = copy;
	return OF_OK;
}

void codec_put_buckets(struct wire_out *out, uint32_t n_buckets, const struct bucket *buckets)
{
	for (uint32_t i = 0; i < n_buckets; i++) {
		const struct bucket *bucket = &buckets[i];
		size_t start = out->size;

		wire_put_u16(out, 0);
		wire_put_u16(out, bucket->weight);
		wire_put_u32(out, bucket->watch_port);
		wire_put_u32(out, bucket->watch_group);
		wire_put_zeros(out, 4);
		codec_put_actions(out, &bucket->actions);
		wire_set_u16(out, start, (uint16_t)(out->size - start));
	}
}

static enum of_err get_band(struct wire_in *in, struct meter_band *ret)
{
	struct meter_band band = {0};
	uint16_t length;
	struct wire_in body;

	band.type = wire_get_u16(in);
	length = wire_get_u16(in);
	if (in->failed || length < BAND_SIZE)
		return OF_ERR_BAD_REQUEST_BAD_LEN;
	body = wire_get_sub(in, length - 4);
	if (in->failed)
		return OF_ERR_BAD_REQUEST_BAD_LEN;
	if (band.type != BAND_DROP && band.type != BAND_DSCP_REMARK)
		return OF_ERR_METER_MOD_BAD_BAND;
	if (length != BAND_SIZE)
		return OF_ERR_BAD_REQUEST_BAD_LEN;
	band.rate = wire_get_u32(&body);
	band.burst = wire_get_u32(&body);
	/* In the padding of a drop band, which is not looked at. */
	if (band.type == BAND_DSCP_REMARK)
		band.prec_level = wire_get_u8(&body);
	*ret = band;
	return OF_OK;
}

enum of_err codec_get_bands(
	struct wire_in *in, struct arena *arena, uint32_t *ret_n_bands, const struct meter_band **ret)
{
	struct meter_band list[METER_BANDS_LIMIT];
	const struct meter_band *copy;
	uint32_t n = 0;

	while (in->left) {
		enum of_err error;

		if (n == METER_BANDS_LIMIT)
			return OF_ERR_METER_MOD_OUT_OF_BANDS;
		error = get_band(in, &list[n++]);
		if (error)
			return error;
	}
	if (in->failed)
		return OF_ERR_BAD_REQUEST_BAD_LEN;
	copy = arena_copy(arena, list, n * sizeof(*list));
	if (!copy)
		return OF_ERR_METER_MOD_OUT_OF_BANDS;
	*ret_n_bands = n;
	*ret = copy;
	return OF_OK;
}

void codec_put_bands(struct wire_out *out, uint32_t n_bands, const struct meter_band *bands)
{
	for (uint32_t i = 0; i < n_bands; i++) {
		const struct meter_band *band = &bands[i];

		wire_put_u16(out, band->type);
		wire_put_u16(out, BAND_SIZE);
		wire_put_u32(out, band->rate);
		wire_put_u32(out, band->burst);
		wire_put_u8(out, band->type == BAND_DSCP_REMARK ? band->prec_level : 0);
		wire_put_zeros(out, 3);
	}
}

void codec_put_port(struct wire_out *out, const struct of_port_desc *desc)
{
	wire_put_u32(out, desc->number);
	wire_put_zeros(out, 4);
	wire_put_bytes(out, desc->mac, sizeof(desc->mac));
	wire_put_zeros(out, 2);
	wire_put_text(out, desc->name, OFP_PORT_NAME_SIZE);
	wire_put_u32(out, desc->config);
	wire_put_u32(out, desc->state);
	wire_put_u32(out, desc->features);
	/* What it advertises, could do, and what its peer advertises is not known. */
	wire_put_zeros(out, 12);
	wire_put_u32(out, desc->curr_kbps);
	wire_put_u32(out, desc->max_kbps);
}
