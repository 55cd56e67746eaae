/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xlate.h - one translation under way: what the parts of translate() hand to each other, and nobody else needs.
 */
#ifndef DATAPLANE_XLATE_H
#define DATAPLANE_XLATE_H

#include "dataplane/frame.h"
#include "dataplane/pipeline.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The question, and where its answer grows. */
struct translation {
	const struct pipeline *pl;
	const struct fdb *fdb;
	const struct bridge *bridge;
	const struct port *in;
	const struct sw_key *key;
	const struct trace_sink *trace; /* NULL: nobody listens */
	struct xlate *answer;
};

/* translate.c: which of the three forms the operations have, as those of a branch (branch.c). */
void xlate_choose_form(const struct translation *t);

/* pipeline.c. `in` and `bridge` are NULL for a device that is no port. */
struct translation xlate_begin(
	const struct pipeline *pl, const struct sw_key *key, const struct trace_sink *trace, struct xlate *answer);
/* Room for a copy of a frame that is being translated: one for each pipeline. */
#define XLATE_HEADROOM 256
#define XLATE_TAILROOM 64
#define XLATE_FRAME    (65536 + 64) /* as long as a frame may be that comes up */
uint8_t *xlate_scratch(const struct pipeline *pl);

/*
 * What is known of the frame as it is by now. Each bit of `flow` is one of three: as in the key that was asked for
 * (looking at it is looking at the key's), known (rewritten, or following from what was looked at already), or unknown
 * (only the frame says). Where the frame is there it is rewritten along, and nothing is unknown.
 */
struct view {
	struct flow flow;
	struct flow known, unknown; /* disjoint */
	struct flow claimed;        /* of those known: written to a header that is there only if it is shown to be */
	struct sw_key key;          /* as it was asked for */
	bool claims;                /* something is claimed, or was */
	bool rewritten;             /* it is not the frame that came in any more */
	uint16_t tpid;              /* of the outermost tag, if there is one */
	bool has_frame;
	struct frame frame;
	uint32_t of_port;
};

/* view.c. Of a key, or, with `frame`, of that. */
void view_of_key(struct view *view, const struct sw_key *key, uint32_t of_port);
/* The frame's bytes are the view's to change. */
void view_of_frame(struct view *view, const struct frame *frame, uint32_t of_port);
/* ORs those of `bits` that are the key's into *mask; true if some are unknown. */
bool view_look(const struct view *view, const struct flow *bits, struct sw_key *mask);
/*
 * Does to the view what the action does to the frame. What of the key decides it is ORed into *mask; where that is
 * unknown, so is what the action may change. False: a frame at hand has a TTL that ends it.
 */
bool view_rewrite(struct view *view, const struct action *action, struct sw_key *mask);
/* The pipeline's own fields. */
void view_set_metadata(struct view *view, uint64_t metadata, uint64_t mask);
uint64_t view_metadata(const struct view *view);
uint64_t view_tunnel_id(const struct view *view);

/* Whether the answer's meters are one that the program can run in front of all else: puts it there. NULL, or why not.
 */
const char *xlate_meter(const struct bridge *bridge, struct xlate *answer);
/* Whether its one meter may write into the frame. */
bool xlate_is_remarked(const struct bridge *bridge, const struct xlate *answer);

/* Tells a line of reasoning; costs nothing while nobody listens. */
static inline void __attribute__((format(printf, 3, 4)))
xlate_tell(const struct translation *t, int depth, const char *format, ...)
{
	char line[512];
	va_list args;

	if (!t->trace)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	t->trace->line(t->trace->ctx, depth, line);
}

/*
 * translate_mirrors.c. Puts into the answer who is to have copies: of those that listen to what comes in, `in`, and of
 * those that listen to what leaves.
 */
void xlate_choose_mirrors(const struct translation *t, uint64_t in);
/* Tells who gets a copy of what leaves by the port. */
void xlate_tell_mirrors(const struct translation *t, int depth, const struct port *port);

/* Why nothing goes out, if in the end nothing does: the first reason that was given. */
static inline void xlate_drop(const struct translation *t, enum sw_drop drop)
{
	if (t->answer->drop == SW_DROP_NONE)
		t->answer->drop = drop;
}

/* Adds an output in its place by port id. A port that is there already keeps the form that it has. */
static inline void xlate_output(const struct translation *t, uint16_t port, enum xlate_tag tag)
{
	struct xlate_output *outputs = t->answer->outputs;
	uint32_t at = t->answer->n_outputs;

	while (at && outputs[at - 1].port > port)
		at--;
	if (at && outputs[at - 1].port == port)
		return;
	memmove(&outputs[at + 1], &outputs[at], (t->answer->n_outputs - at) * sizeof(*outputs));
	outputs[at] = (struct xlate_output){.port = port, .tag = (uint8_t)tag};
	t->answer->n_outputs++;
}

#endif
