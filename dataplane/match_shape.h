/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * match_shape.h - what many matches have in common: their mask, and their OXM fields in the order in which they were
 * sent.
 *
 * A controller gets its matches back as it wrote them, and that of a rule which is out of its table, for the
 * flow-removed, when the classifier's mask may be gone. A million rules have a handful of shapes between them, so that
 * each is kept once, and counted.
 */
#ifndef DATAPLANE_MATCH_SHAPE_H
#define DATAPLANE_MATCH_SHAPE_H

#include "dataplane/flow.h"

struct match_shape {
	struct match_shape *next; /* in its chain */
	uint32_t hash;
	uint32_t n_refs;
	struct flow mask;
	uint32_t n_fields; /* 0: in field.def's order */
	uint16_t fields[]; /* field << 1 | has_mask */
};

/* All zero: empty. */
struct match_shapes {
	struct match_shape **chains;
	uint32_t n, n_chains; /* a power of two */
};

void match_shapes_free(struct match_shapes *shapes);

/* The one of this mask and these fields, counted once more. NULL: out of memory. */
const struct match_shape *match_shape_get(
	struct match_shapes *shapes, const struct flow *mask, const uint16_t *fields, uint32_t n);
void match_shape_put(struct match_shapes *shapes, const struct match_shape *shape);

#endif
