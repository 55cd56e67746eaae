/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_bands.c - the bands of a meter.
 *
 * Sources: ofp/wire.c ofp/arena.c ofp/oxm.c ofp/codec_actions.c ofp/codec_instructions.c ofp/codec_lists.c
 * Sources: dataplane/flow.c dataplane/action.c dataplane/complaint.c
 */
#include "ofp/codec.h"

#include "tests/fuzz/fuzz.h"

static int transcribe(struct wire_in *in, struct wire_out *out)
{
	struct arena arena = {0};
	const struct meter_band *bands;
	uint32_t n;
	int is_good = !codec_get_bands(in, &arena, &n, &bands);

	if (is_good) {
		fuzz_require(wire_in_ended(in) && n <= METER_BANDS_LIMIT);
		codec_put_bands(out, n, bands);
	}
	arena_free(&arena);
	return is_good;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	fuzz_twice(transcribe, bytes, size);
	return 0;
}
