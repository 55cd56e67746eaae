/* SPDX-License-Identifier: BSD-2-Clause */
#include "crafted.h"

#include <string.h>

#define MAGIC 0x73776672 /* "swfr" */

/* Directly behind the EtherType; in host order, because both ends are on one machine. */
struct label {
	uint32_t magic;
	uint32_t run;
	uint64_t number;
	uint32_t n_pattern; /* bytes behind the label */
};

#define LABEL_SIZE 20

_Static_assert(CRAFTED_MIN == 14 + LABEL_SIZE, "the shortest frame holds a label");

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static uint16_t get16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

static uint8_t pattern(uint64_t number, size_t i)
{
	return (number * 0x9e3779b97f4a7c15ULL >> 32) + i * 167 + (i >> 8);
}

static size_t size_of(const struct crafted_form *form, uint64_t number)
{
	return form->size_min + number % (form->size_max - form->size_min + 1);
}

static void write_source(const struct crafted_form *form, uint64_t number, uint8_t *at)
{
	uint32_t low;

	memcpy(at, form->src, 6);
	low = (uint32_t)get16(at + 2) << 16 | get16(at + 4);
	low += number % form->n_sources;
	put16(at + 2, low >> 16);
	put16(at + 4, low);
}

size_t crafted_make(const struct crafted_form *form, uint64_t number, uint8_t *buffer)
{
	size_t size = size_of(form, number), head = 14 + 4 * form->n_tags;
	struct label label = {.magic = MAGIC, .run = form->run, .number = number};
	uint8_t *at = buffer + 12;

	memset(buffer, 0, size > head ? size : head);
	memcpy(buffer, form->dst, 6);
	write_source(form, number, buffer + 6);
	for (unsigned i = 0; i < form->n_tags; i++, at += 4) {
		put16(at, form->tags[i] >> 16);
		put16(at + 2, form->tags[i]);
	}
	put16(at, form->eth_type);
	at += 2;
	if (size < head + LABEL_SIZE)
		return size;
	label.n_pattern = size - head - LABEL_SIZE;
	memcpy(at, &label, LABEL_SIZE);
	for (size_t i = 0; i < label.n_pattern; i++)
		at[LABEL_SIZE + i] = pattern(number, i);
	return size;
}

static int is_tag(uint16_t eth_type)
{
	return eth_type == 0x8100 || eth_type == 0x88a8;
}

enum crafted_verdict crafted_judge(
	const struct crafted_form *form, const uint8_t *frame, size_t size, struct crafted_arrival *ret_arrival)
{
	struct crafted_arrival arrival = {0};
	const uint8_t *at = frame + 12, *end = frame + size;
	uint8_t source[6];
	struct label label;

	while (at + 4 <= end && is_tag(get16(at)) && arrival.n_tags < CRAFTED_MAX_TAGS) {
		arrival.tags[arrival.n_tags++] = (uint32_t)get16(at) << 16 | get16(at + 2);
		at += 4;
	}
	if (at + 2 + LABEL_SIZE > end)
		return CRAFTED_FOREIGN;
	memcpy(&label, at + 2, LABEL_SIZE);
	if (label.magic != MAGIC || label.run != form->run)
		return CRAFTED_FOREIGN;
	arrival.number = label.number;
	*ret_arrival = arrival;

	/* A driver may pad a short frame; nobody may cut one. */
	if (get16(at) != form->eth_type || label.n_pattern > (size_t)(end - at) - 2 - LABEL_SIZE)
		return CRAFTED_CORRUPTED;
	if (end - at - 2 - LABEL_SIZE > label.n_pattern && size > 64)
		return CRAFTED_CORRUPTED;
	write_source(form, label.number, source);
	if (memcmp(frame, form->dst, 6) || memcmp(frame + 6, source, 6))
		return CRAFTED_CORRUPTED;
	for (size_t i = 0; i < label.n_pattern; i++)
		if (at[2 + LABEL_SIZE + i] != pattern(label.number, i))
			return CRAFTED_CORRUPTED;
	return CRAFTED_GOOD;
}
