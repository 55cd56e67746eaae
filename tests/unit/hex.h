/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hex.h - bytes as tests spell them: "0001 000c 80000a02" with blanks anywhere.
 *
 * What hex_bytes() gives is a block of exactly that size, so that a reader that looks behind it is seen by the address
 * sanitizer.
 */
#ifndef TESTS_HEX_H
#define TESTS_HEX_H

#include <assert.h>
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A copy in a block of exactly that size, which the caller frees. */
static inline uint8_t *exact_copy(const void *bytes, size_t size)
{
	uint8_t *copy = calloc(1, size);

	if (size)
		memcpy(copy, bytes, size);
	return copy;
}

/* The caller frees. */
static inline uint8_t *hex_bytes(const char *hex, size_t *ret_size)
{
	uint8_t *bytes = malloc(strlen(hex) / 2 + 1), *exact;
	size_t n_digits = 0;

	for (const char *at = hex; *at; at++) {
		int digit = isdigit((unsigned char)*at) ? *at - '0' : *at - 'a' + 10;

		if (*at == ' ')
			continue;
		assert(isxdigit((unsigned char)*at) && digit < 16);
		bytes[n_digits / 2] = (uint8_t)(n_digits % 2 ? bytes[n_digits / 2] << 4 | digit : digit);
		n_digits++;
	}
	assert(n_digits % 2 == 0);
	*ret_size = n_digits / 2;
	exact = exact_copy(bytes, *ret_size);
	free(bytes);
	return exact;
}

/* Without blanks; the caller frees. */
static inline char *hex_text(const void *bytes, size_t size)
{
	const uint8_t *at = bytes;
	char *text = calloc(1, 2 * size + 1);

	for (size_t i = 0; i < size; i++)
		sprintf(text + 2 * i, "%02x", at[i]);
	return text;
}

#endif
