/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/execute.h"

#include "bpf/extract.h"
#include "dataplane/counters.h"
#include "dataplane/datapath.h"
#include "dataplane/fdb.h"
#include "dataplane/group.h"
#include "dataplane/meter.h"
#include "dataplane/normal.h"
#include "dataplane/ofbridge.h"
#include "dataplane/rewrite.h"
#include "dataplane/tally.h"
#include "dataplane/xlate.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>

#define COPIES_MAX                                                                                                     \
	(GROUP_CHAIN_LIMIT + 4) /* groups within groups, the frame itself, its tags, and a packet-out's tables */
#define SIZE_MAX_GROWN (XLATE_FRAME + XLATE_HEADROOM) /* of a copy of a frame that pushes have made longer */
#define ROOM           (XLATE_HEADROOM + SIZE_MAX_GROWN + XLATE_TAILROOM)

struct executor {
	struct datapath *dp;
	const struct pipeline *pl;
	struct fdb *fdb;
	struct executor_events events;
	uint8_t *room[COPIES_MAX];
	struct xlate bridged; /* what NORMAL answers for a frame as it is by then */
	struct xlate answer;  /* of translate_frame() */
	struct xlate tabled;  /* of OFPP_TABLE */
};

/* One frame under way. */
struct run {
	struct executor *ex;
	const struct xlate *answer;
	struct frame copy[COPIES_MAX]; /* the last is the one at hand */
	int n;
	int first;     /* of the executor's rooms: those below are another run's */
	uint32_t size; /* with which it came, and counts */
	bool counted;  /* already, by a cached flow */
	bool sent;     /* or told to a controller: it is not lost */
	bool over;
	bool is_copy;     /* the frame itself is elsewhere: it is only to be told of, ... */
	bool is_mirrored; /* ... or to be copied for mirrors */
	uint64_t mirrors; /* that may still have a copy of what leaves: a bit for each id */
	bool told;        /* somebody was to be */
	uint8_t levels;   /* of such: that its meter has asked for */
	enum sw_drop why; /* nothing was sent, as far as it is known */
	uint64_t now_ns;
};

static void run_answer(struct executor *ex, int first, const struct xlate *answer, const struct subject *subject);

struct executor *executor_create(
	struct datapath *dp, const struct pipeline *pl, struct fdb *fdb, const struct executor_events *events)
{
	struct executor *ex = calloc(1, sizeof(*ex));

	if (!ex)
		return NULL;
	ex->dp = dp;
	ex->pl = pl;
	ex->fdb = fdb;
	ex->events = *events;
	for (int i = 0; i < COPIES_MAX; i++) {
		ex->room[i] = malloc(ROOM);
		if (!ex->room[i]) {
			executor_destroy(ex);
			return NULL;
		}
	}
	return ex;
}

void executor_destroy(struct executor *ex)
{
	if (!ex)
		return;
	for (int i = 0; i < COPIES_MAX; i++)
		free(ex->room[i]);
	free(ex);
}

static struct frame *at_hand(struct run *run)
{
	return &run->copy[run->n - 1];
}

static void lose(struct run *run, enum sw_drop why)
{
	if (run->why == SW_DROP_NONE)
		run->why = why;
}

static void drop(struct run *run, uint16_t port, enum sw_drop reason)
{
	counters_drop(&run->ex->dp->memory, port, reason);
	run->sent = true; /* this copy is accounted for */
}

/* ---- copies ---- */

/* One that is too long for its room, which no port could send, ends. */
static void copy_in(struct run *run, const uint8_t *data, uint32_t size)
{
	struct frame *frame = &run->copy[run->n];

	*frame = (struct frame){
		.data = run->ex->room[run->first + run->n] + XLATE_HEADROOM,
		.size = size < SIZE_MAX_GROWN ? size : SIZE_MAX_GROWN,
		.headroom = XLATE_HEADROOM,
		.tailroom = XLATE_TAILROOM,
	};
	memcpy(frame->data, data, frame->size);
	run->n++;
	if (frame->size == size)
		return;
	lose(run, SW_DROP_NO_HEADROOM);
	run->over = true;
}

static void save(struct run *run)
{
	const struct frame *frame = at_hand(run);

	if (run->first + run->n < COPIES_MAX)
		copy_in(run, frame->data, frame->size);
	else
		run->over = true; /* translate() nests no deeper */
}

/* ---- leaving ---- */

/* As it leaves by this port; each once. */
static void mirror_leaving(struct run *run, const struct port *port, const struct frame *frame)
{
	uint64_t left = port ? port->mirrors_out & run->mirrors : 0;

	for (run->mirrors &= ~left; left; left &= left - 1)
		run->ex->events.mirror(run->ex->events.ctx, mirrors_first(left), frame->data, frame->size);
}

static void send_frame(struct run *run, uint16_t id, const struct frame *frame)
{
	const struct port *port = pipeline_port(run->ex->pl, id);
	int error = 0;

	mirror_leaving(run, port, frame);
	if (run->is_mirrored)
		return;

	if (!port || !port->ifindex || !port->up)
		error = -ENETDOWN;
	else if (frame->size > port->max_frame)
		error = -EMSGSIZE;
	else
		error = run->ex->dp->ops->tx_copy(run->ex->dp, id, frame->data, frame->size);
	if (error) {
		drop(run, id, dp_drop_of(error));
		return;
	}
	counters_sent(&run->ex->dp->memory, id, frame->size);
	run->sent = true;
}

/* A bridge's output: in the form of its tag. */
static void send_bridged(struct run *run, const struct xlate_output *output, uint16_t vid)
{
	struct frame *frame;
	bool done = true;

	save(run);
	if (run->over)
		return;
	frame = at_hand(run);
	if (output->tag == XLATE_UNTAGGED && frame_is_tagged(frame))
		frame_pop_tag(frame);
	else if (output->tag == XLATE_TAGGED && frame_is_tagged(frame))
		frame_set_vid(frame, vid);
	else if (output->tag == XLATE_TAGGED)
		done = frame_push_tag(frame, vid);
	if (done)
		send_frame(run, output->port, frame);
	else if (!run->is_mirrored)
		drop(run, output->port, SW_DROP_NO_HEADROOM);
	run->n--;
}

/* NORMAL, for the frame as it is by now. */
static void bridge_it(struct run *run)
{
	const struct frame *frame = at_hand(run);
	struct xlate *bridged = &run->ex->bridged;
	struct sw_headers headers;
	struct sw_key key;

	sw_extract(frame->data, frame->data + frame->size, 0, SW_L2_WORDS, &key, &headers);
	normal_answer(run->ex->pl, run->answer->bridge, run->answer->in_port, &key, bridged);
	if (bridged->learn.port && !run->is_mirrored)
		fdb_learn(run->ex->fdb, &bridged->learn.key, bridged->learn.port, run->now_ns);
	if (!bridged->n_outputs)
		lose(run, bridged->drop);
	for (uint32_t i = 0; i < bridged->n_outputs; i++)
		send_bridged(run, &bridged->outputs[i], bridged->vid);
}

static void tell_controller(struct run *run, const struct xop *op, uint16_t max_len)
{
	const struct port *in = pipeline_port(run->ex->pl, run->answer->in_port);
	const struct frame *frame = at_hand(run);
	struct packet_in message = {
		.reason = op->reason,
		.table_id = op->table_id,
		.max_len = max_len,
		.cookie = op->cookie,
		.frame = frame->data,
		.size = frame->size,
	};

	run->told = true;
	message.flow.x.f.in_ifindex = in ? in->of_port : OF_PORT_CONTROLLER;
	message.flow.x.metadata_be = htobe64(op->metadata);
	message.flow.x.tunnel_id_be = htobe64(op->tunnel_id);
	if (run->ex->events.packet_in(run->ex->events.ctx, run->answer->bridge, &message))
		run->sent = true;
	else
		lose(run, SW_DROP_NO_CONTROLLER);
}

static void ask_frame(struct executor *ex, const struct subject *subject, uint64_t tunnel_id,
	const struct actions *actions, struct xlate *ret)
{
	const struct frame_question question = {
		.in_port = subject->in_port,
		.bridge = subject->bridge,
		.frame = subject->frame,
		.size = subject->size,
		.tunnel_id = tunnel_id,
		.actions = actions,
	};

	translate_frame(ex->pl, &question, NULL, ret);
}

/* A packet-out to the tables: as if it had come in by its port, out of the tunnel that it has set. */
static void run_tables_for(struct run *run, const struct xop *op)
{
	const struct frame *frame = at_hand(run);
	const struct subject subject = {
		.bridge = run->answer->bridge,
		.in_port = run->answer->in_port,
		.frame = frame->data,
		.size = frame->size,
		.now_ns = run->now_ns,
	};

	if (run->answer == &run->ex->tabled || run->first + run->n == COPIES_MAX)
		return; /* no rule can ask for it */
	ask_frame(run->ex, &subject, op->tunnel_id, NULL, &run->ex->tabled);
	run_answer(run->ex, run->first + run->n, &run->ex->tabled, &subject);
	run->sent = true;
}

/* ---- operations ---- */

static void rewrite(struct run *run, const struct xop *op)
{
	const struct port *in = pipeline_port(run->ex->pl, run->answer->in_port);

	switch (rewrite_apply(at_hand(run), op->action)) {
	case REWRITE_DONE:
		break;
	case REWRITE_NO_ROOM:
		lose(run, SW_DROP_NO_HEADROOM);
		run->over = true;
		break;
	case REWRITE_BAD_TTL: /* OF 1.3.5 §5.12: the controller may hear of it, and the frame ends */
		lose(run, SW_DROP_TTL);
		if (!in || !(in->of_config & OF_PORT_CONFIG_NO_PACKET_IN))
			tell_controller(run, op, ACTION_MAX_LEN_ALL);
		run->over = true;
		break;
	}
}

static void meter(struct run *run, const struct xop *op)
{
	struct meters *meters = pipeline_bridge(run->ex->pl, run->answer->bridge)->meters;
	uint8_t levels = 0;

	run->counted = false; /* by the flow, what stands behind: it did not run the meter */
	switch (meters_run(meters, op->meter, at_hand(run)->size, run->now_ns, &levels)) {
	case METER_PASS:
		break;
	case METER_DROP:
		lose(run, SW_DROP_METER);
		run->over = true;
		break;
	case METER_REMARK:
		rewrite_remark(at_hand(run), levels);
		break;
	}
}

/* Behind a frame's end its counting ends too: it has come no further. */
static void run_op(struct run *run, const struct xop *op)
{
	switch ((enum xop_type)op->type) {
	case XOP_COUNT:
		if (!run->counted)
			tally_add(op->tally, 1, run->size, run->now_ns);
		break;
	case XOP_OUTPUT:
		send_frame(run, op->port, at_hand(run));
		break;
	case XOP_NORMAL:
		bridge_it(run);
		break;
	case XOP_CONTROLLER:
		tell_controller(run, op, op->max_len);
		break;
	case XOP_TABLE:
		run_tables_for(run, op);
		break;
	case XOP_REWRITE:
		rewrite(run, op);
		break;
	case XOP_METER:
		meter(run, op);
		break;
	case XOP_SAVE:
		save(run);
		break;
	case XOP_RESTORE:
		run->n--;
		break;
	case XOP_MIRROR:
		run->ex->events.mirror(run->ex->events.ctx, (uint16_t)op->mirror, at_hand(run)->data, run->size);
		break;
	case XOP_FORK: /* a branch has been taken before */
		break;
	}
}

/* The program has seen to the rest: it sends nothing on whose TTL ends. */
static void run_op_on_copy(struct run *run, const struct xop *op)
{
	switch ((enum xop_type)op->type) {
	case XOP_CONTROLLER:
	case XOP_SAVE:
	case XOP_RESTORE:
		run_op(run, op);
		break;
	case XOP_REWRITE:
		run->over = rewrite_apply(at_hand(run), op->action) != REWRITE_DONE;
		break;
	case XOP_METER:
		rewrite_remark(at_hand(run), run->levels);
		break;
	case XOP_COUNT:
	case XOP_OUTPUT:
	case XOP_NORMAL:
	case XOP_TABLE:
	case XOP_MIRROR:
	case XOP_FORK:
		break;
	}
}

/* The same of what mirrors are to get: of all that is done, what leaves. */
static void run_op_for_mirrors(struct run *run, const struct xop *op)
{
	switch ((enum xop_type)op->type) {
	case XOP_OUTPUT:
	case XOP_NORMAL:
	case XOP_MIRROR:
		run_op(run, op);
		break;
	case XOP_SAVE:
	case XOP_RESTORE:
	case XOP_REWRITE:
	case XOP_METER:
		run_op_on_copy(run, op);
		break;
	case XOP_COUNT:
	case XOP_CONTROLLER:
	case XOP_TABLE:
	case XOP_FORK:
		break;
	}
}

/* A bucket's copy ends alone: what stands behind its RESTORE goes on. */
static uint32_t skip_copy(const struct xlate *answer, uint32_t i)
{
	int depth = 1;

	while (++i < answer->n_ops) {
		depth += answer->ops[i].type == XOP_SAVE;
		depth -= answer->ops[i].type == XOP_RESTORE;
		if (!depth)
			return i - 1;
	}
	return i;
}

/*
 * A frame that hit its flow before the rules changed was not counted for these: no tally goes below zero. One that is
 * too small to have counted this frame may have its count at the flow still.
 */
static void uncount(const struct run *run, struct tally *tally)
{
	const struct executor_events *events = &run->ex->events;

	if (tally->bytes < run->size)
		events->refresh(events->ctx, tally);
	if (tally->packets)
		tally_add(tally, -1ULL, -(run->size < tally->bytes ? run->size : tally->bytes), run->now_ns);
}

/* What the frame does not come to any more, and a flow has counted it for already: operations from `from` to `to`. */
static void take_back(const struct run *run, uint32_t from, uint32_t to)
{
	const struct xlate *answer = run->answer;

	if (!run->counted || (!answer->n_rewrites && !answer->copies && !answer->is_branch))
		return;
	for (uint32_t i = from; i < to; i++) {
		if (answer->ops[i].type == XOP_METER)
			return; /* behind it the flow did not count the frame */
		if (answer->ops[i].type == XOP_COUNT)
			uncount(run, answer->ops[i].tally);
	}
}

static void run_ops(struct run *run)
{
	const struct xlate *answer = run->answer;
	uint32_t next;

	for (uint32_t i = 0; i < answer->n_ops; i++) {
		if (run->is_mirrored)
			run_op_for_mirrors(run, &answer->ops[i]);
		else if (run->is_copy)
			run_op_on_copy(run, &answer->ops[i]);
		else
			run_op(run, &answer->ops[i]);
		if (!run->over)
			continue;
		next = run->n == 1 ? answer->n_ops : skip_copy(answer, i) + 1;
		take_back(run, i + 1, next);
		run->over = false;
		i = next - 1;
	}
}

static void run_answer(struct executor *ex, int first, const struct xlate *answer, const struct subject *subject)
{
	struct run run = {
		.ex = ex,
		.first = first,
		.answer = answer,
		.size = subject->size,
		.counted = subject->counted,
		.mirrors = answer->mirrors_out,
		.why = SW_DROP_NONE,
		.now_ns = subject->now_ns,
	};

	copy_in(&run, subject->frame, subject->size);
	run_ops(&run);
	lose(&run, answer->drop != SW_DROP_NONE ? answer->drop : SW_DROP_RULE);
	if (!run.sent)
		counters_drop(&ex->dp->memory, answer->in_port, run.why);
}

void execute(struct executor *ex, const struct xlate *answer, const struct subject *subject)
{
	if (answer->needs_frame) {
		ask_frame(ex, subject, 0, NULL, &ex->answer);
		answer = &ex->answer;
	}
	run_answer(ex, 0, answer, subject);
}

bool execute_told(struct executor *ex, const struct xlate *answer, const struct subject *subject, uint8_t levels)
{
	struct run run = {
		.ex = ex,
		.size = subject->size,
		.is_copy = true,
		.levels = levels,
		.now_ns = subject->now_ns,
	};

	if (answer->needs_frame) {
		ask_frame(ex, subject, 0, NULL, &ex->answer);
		answer = &ex->answer;
	}
	run.answer = answer;
	copy_in(&run, subject->frame, subject->size);
	run_ops(&run);
	return run.told;
}

/* Without its answer's own operations behind them. */
static void mirror_as_it_came(struct executor *ex, const struct xlate *answer, const struct subject *subject)
{
	for (uint64_t left = answer->mirrors; left; left &= left - 1)
		ex->events.mirror(ex->events.ctx, mirrors_first(left), subject->frame, subject->size);
}

void execute_mirrored(
	struct executor *ex, const struct xlate *answer, const struct subject *subject, uint8_t levels, bool has_ended)
{
	struct run run = {
		.ex = ex,
		.size = subject->size,
		.is_mirrored = true,
		.levels = levels,
		.now_ns = subject->now_ns,
	};

	if (answer->needs_frame) {
		ask_frame(ex, subject, 0, NULL, &ex->answer);
		answer = &ex->answer;
	}
	if (has_ended || !xlate_has_ops(answer)) {
		mirror_as_it_came(ex, answer, subject);
		return;
	}
	run.answer = answer;
	run.mirrors = answer->mirrors_out;
	copy_in(&run, subject->frame, subject->size);
	run_ops(&run);
}

void execute_mirror_copy(struct executor *ex, const struct dp_told *told)
{
	ex->events.mirror_copy(ex->events.ctx, told);
}

void execute_packet_out(struct executor *ex, const struct actions *actions, const struct subject *subject)
{
	ask_frame(ex, subject, 0, actions, &ex->answer);
	run_answer(ex, 0, &ex->answer, subject);
}

void execute_counts(const struct xlate *answer, uint32_t size, uint64_t now_ns)
{
	for (uint32_t i = 0; i < answer->n_ops; i++) {
		if (answer->ops[i].type == XOP_COUNT)
			tally_add(answer->ops[i].tally, 1, size, now_ns);
	}
}
