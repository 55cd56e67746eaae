/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_match.c - matches, and the headers and settings of match fields.
 *
 * Sources: ofp/wire.c ofp/arena.c ofp/oxm.c ofp/codec_actions.c ofp/codec_instructions.c ofp/codec_lists.c
 * Sources: dataplane/flow.c dataplane/action.c dataplane/complaint.c
 */
#include "ofp/oxm.h"

#include "tests/fuzz/fuzz.h"

static int transcribe_match(struct wire_in *in, struct wire_out *out)
{
	struct flow_match match;
	uint16_t fields[MATCH_SHAPE_MAX];
	uint32_t n_fields;

	if (oxm_get_match(in, &match, &n_fields, fields))
		return 0;
	fuzz_require(n_fields <= MATCH_SHAPE_MAX);
	for (int w = 0; w < FLOW_WORDS; w++)
		fuzz_require(!(match.key.w[w] & ~match.mask.w[w]));
	oxm_put_match(out, &match, n_fields, fields);
	return 1;
}

/* In field.def's order, whatever the order was. */
static int transcribe_sorted(struct wire_in *in, struct wire_out *out)
{
	struct flow_match match;

	if (oxm_get_match(in, &match, NULL, NULL))
		return 0;
	oxm_put_match(out, &match, 0, NULL);
	return 1;
}

static int transcribe_id(struct wire_in *in, struct wire_out *out)
{
	enum field_id field;
	bool has_mask;

	if (oxm_get_id(in, &field, &has_mask))
		return 0;
	oxm_put_id(out, field, has_mask);
	return 1;
}

static int transcribe_setting(struct wire_in *in, struct wire_out *out)
{
	enum field_id field;
	uint8_t value[OXM_VALUE_MAX];

	if (oxm_get_setting(in, &field, value))
		return 0;
	oxm_put_setting(out, field, value);
	return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	fuzz_twice(transcribe_match, bytes, size);
	fuzz_twice(transcribe_sorted, bytes, size);
	fuzz_twice(transcribe_id, bytes, size);
	fuzz_twice(transcribe_setting, bytes, size);
	return 0;
}
