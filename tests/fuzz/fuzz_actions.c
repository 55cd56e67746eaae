/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_actions.c - lists of actions.
 *
 * Sources: ofp/wire.c ofp/arena.c ofp/oxm.c ofp/codec_actions.c ofp/codec_instructions.c ofp/codec_lists.c
 * Sources: dataplane/flow.c dataplane/action.c dataplane/complaint.c
 */
#include "ofp/codec.h"

#include "tests/fuzz/fuzz.h"

static int transcribe(struct wire_in *in, struct wire_out *out)
{
	struct arena arena = {0};
	struct actions actions;
	int is_good = !codec_get_actions(in, &arena, &actions);
	char text[100];

	if (is_good) {
		fuzz_require(wire_in_ended(in) && actions.n <= CODEC_ACTIONS_MAX);
		codec_put_actions(out, &actions);
		actions_format(&actions, NULL, text, sizeof(text));
	}
	arena_free(&arena);
	return is_good;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	fuzz_twice(transcribe, bytes, size);
	return 0;
}
