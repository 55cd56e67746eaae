/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz.h - what fuzz targets have in common.
 *
 * A target decodes bytes that nobody vouches for. Beside what the sanitizers see it holds the decoder to its word: what
 * was understood is written, read again, and must be written as the same bytes.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include "ofp/wire.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static inline void fuzz_require(int is_true)
{
	if (!is_true)
		abort();
}

/* Reads bytes, and if it understood them, writes what it understood; false: it refused them. */
typedef int fuzz_transcribe(struct wire_in *in, struct wire_out *out);

static inline void fuzz_twice(fuzz_transcribe *transcribe, const uint8_t *bytes, size_t size)
{
	struct wire_out once = {0}, twice = {0};
	struct wire_in in = wire_in(bytes, size);
	uint8_t *copy;

	if (transcribe(&in, &once)) {
		/* in a block of its own size, so that reading beyond it is seen */
		copy = malloc(once.size);
		if (once.size)
			memcpy(copy, once.bytes, once.size);
		in = wire_in(copy, once.size);
		fuzz_require(transcribe(&in, &twice));
		fuzz_require(once.size == twice.size);
		fuzz_require(!once.size || !memcmp(once.bytes, twice.bytes, once.size));
		free(copy);
	}
	wire_out_free(&once);
	wire_out_free(&twice);
}

#endif
