/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/retrace.h"

struct retrace retrace_begin(const struct xlate *answer)
{
	return (struct retrace){.answer = answer};
}

static void save(struct retrace *r)
{
	r->n_done[r->depth + 1] = r->n_done[r->depth];
	r->depth++;
	r->ttl[r->depth] = false;
}

static void restore(struct retrace *r)
{
	r->loose |= r->ttl[r->depth];
	r->depth--;
}

static void rewrite(struct retrace *r, const struct action *action)
{
	uint32_t *n = &r->n_done[r->depth];

	r->too_many |= *n == XLATE_MAX_REWRITES;
	if (r->too_many)
		return;
	r->done[(*n)++] = action;
	r->ttl[r->depth] |= action->type == ACTION_DEC_NW_TTL || action->type == ACTION_DEC_MPLS_TTL;
}

/* What was decremented around this copy, before it, was for it too. */
static void output(struct retrace *r)
{
	r->n = r->n_done[r->depth];
	for (int i = 0; i <= r->depth; i++)
		r->ttl[i] = false;
}

const struct xop *retrace_next(struct retrace *r)
{
	while (!r->too_many && r->at < r->answer->n_ops) {
		const struct xop *op = &r->answer->ops[r->at++];

		switch ((enum xop_type)op->type) {
		case XOP_SAVE:
			save(r);
			break;
		case XOP_RESTORE:
			restore(r);
			break;
		case XOP_REWRITE:
			rewrite(r, op->action);
			break;
		case XOP_OUTPUT:
			output(r);
			return op;
		default:
			break;
		}
	}
	r->loose |= r->ttl[0];
	return NULL;
}
