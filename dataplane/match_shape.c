/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/match_shape.h"

#include "bpf/hash.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CHAINS 64

void match_shapes_free(struct match_shapes *shapes)
{
	for (uint32_t i = 0; i < shapes->n_chains; i++) {
		struct match_shape *next;

		for (struct match_shape *shape = shapes->chains[i]; shape; shape = next) {
			next = shape->next;
			free(shape);
		}
	}
	free(shapes->chains);
	*shapes = (struct match_shapes){0};
}

static uint32_t hash_of(const struct flow *mask, const uint16_t *fields, uint32_t n)
{
	uint64_t hash = n;

	for (int w = 0; w < FLOW_WORDS; w++)
		hash = sw_hash_step(hash, mask->w[w]);
	for (uint32_t i = 0; i < n; i++)
		hash = sw_hash_step(hash, fields[i]);
	return (uint32_t)(hash >> 32);
}

static struct match_shape **chain_of(const struct match_shapes *shapes, uint32_t hash)
{
	return &shapes->chains[hash & (shapes->n_chains - 1)];
}

static bool is_like(const struct match_shape *shape, const struct flow *mask, const uint16_t *fields, uint32_t n)
{
	return shape->n_fields == n && flow_equal(&shape->mask, mask) &&
	       !memcmp(shape->fields, fields, n * sizeof(*fields));
}

static struct match_shape *find(
	const struct match_shapes *shapes, uint32_t hash, const struct flow *mask, const uint16_t *fields, uint32_t n)
{
	struct match_shape *shape = shapes->n_chains ? *chain_of(shapes, hash) : NULL;

	while (shape && (shape->hash != hash || !is_like(shape, mask, fields, n)))
		shape = shape->next;
	return shape;
}

static void link_in(struct match_shapes *shapes, struct match_shape *shape)
{
	struct match_shape **chain = chain_of(shapes, shape->hash);

	shape->next = *chain;
	*chain = shape;
}

/* Up to one shape a chain. */
static bool make_room(struct match_shapes *shapes)
{
	struct match_shapes bigger = {
		.n = shapes->n, .n_chains = shapes->n_chains ? shapes->n_chains * 2 : FIRST_CHAINS};

	if (shapes->n < shapes->n_chains)
		return true;
	bigger.chains = calloc(bigger.n_chains, sizeof(*bigger.chains));
	if (!bigger.chains)
		return false;
	for (uint32_t i = 0; i < shapes->n_chains; i++) {
		struct match_shape *next;

		for (struct match_shape *shape = shapes->chains[i]; shape; shape = next) {
			next = shape->next;
			link_in(&bigger, shape);
		}
	}
	free(shapes->chains);
	*shapes = bigger;
	return true;
}

const struct match_shape *match_shape_get(
	struct match_shapes *shapes, const struct flow *mask, const uint16_t *fields, uint32_t n)
{
	uint32_t hash = hash_of(mask, fields, n);
	struct match_shape *shape = find(shapes, hash, mask, fields, n);

	if (!shape) {
		shape = make_room(shapes) ? malloc(sizeof(*shape) + n * sizeof(*fields)) : NULL;
		if (!shape)
			return NULL;
		*shape = (struct match_shape){.hash = hash, .mask = *mask, .n_fields = n};
		memcpy(shape->fields, fields, n * sizeof(*fields));
		link_in(shapes, shape);
		shapes->n++;
	}
	shape->n_refs++;
	return shape;
}

void match_shape_put(struct match_shapes *shapes, const struct match_shape *shape)
{
	struct match_shape **link;

	for (link = chain_of(shapes, shape->hash); *link != shape;)
		link = &(*link)->next;
	if (!--(*link)->n_refs) {
		struct match_shape *last = *link;

		*link = last->next;
		shapes->n--;
		free(last);
	}
}
