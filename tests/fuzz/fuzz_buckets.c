/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_buckets.c - the buckets of a group.
 *
 * Sources: ofp/wire.c ofp/arena.c ofp/oxm.c ofp/codec_actions.c ofp/codec_instructions.c ofp/codec_lists.c
 * Sources: dataplane/flow.c dataplane/action.c dataplane/complaint.c
 */
#include "ofp/codec.h"

#include "tests/fuzz/fuzz.h"

static int transcribe(struct wire_in *in, struct wire_out *out)
{
	struct arena arena = {0};
	const struct bucket *buckets;
	uint32_t n;
	int is_good = !codec_get_buckets(in, &arena, &n, &buckets);

	if (is_good) {
		fuzz_require(wire_in_ended(in) && n <= GROUP_BUCKETS_LIMIT);
		codec_put_buckets(out, n, buckets);
	}
	arena_free(&arena);
	return is_good;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	fuzz_twice(transcribe, bytes, size);
	return 0;
}
