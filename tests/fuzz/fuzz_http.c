/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_http.c - the head of a request for metrics.
 *
 * However the bytes come in, the verdict is the same: what was told of a part is told of the whole.
 *
 * Sources: ctl/http.c
 */
#include "ctl/http.h"

#include "tests/fuzz/fuzz.h"

/* In a block of its own size, so that reading beyond it is seen. */
static bool read_part(const uint8_t *bytes, size_t size, struct http_request *ret)
{
	char *copy = malloc(size);
	bool told;

	if (size)
		memcpy(copy, bytes, size);
	told = http_read(copy, size, ret);
	free(copy);
	return told;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct http_request whole = {0}, part;
	char text[HTTP_ANSWER_MAX];
	bool told = read_part(bytes, size, &whole);

	fuzz_require(told || size < HTTP_HEAD_MAX);
	for (size_t n = 0; n < size && n <= HTTP_HEAD_MAX; n += 1 + n / 16) {
		if (read_part(bytes, n, &part))
			fuzz_require(told && part.status == whole.status && part.head == whole.head);
	}
	if (told)
		fuzz_require(http_answer(whole.status, size, text) < HTTP_ANSWER_MAX && *http_excuse(400));
	return 0;
}
