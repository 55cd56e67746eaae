/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/upcall.h"

#include "bpf/extract.h"
#include "dataplane/cache.h"
#include "dataplane/counters.h"
#include "dataplane/datapath.h"
#include "dataplane/execute.h"
#include "dataplane/fdb.h"
#include "dataplane/frame.h"
#include "dataplane/normal.h"
#include "dataplane/pipeline.h"

#include <errno.h>
#include <stdlib.h>

#define BATCH 64
#define BATCHES_A_TURN                                                                                                 \
	4 /* a millisecond's work: whose socket has only just got a frame is seen when the turn is over */
#define COPIES_A_TURN 256

struct upcall {
	struct datapath *dp;
	const struct pipeline *pl;
	struct fdb *fdb;
	struct cache *cache;
	struct executor *executor;
	struct dp_frame frames[BATCH];
	struct sw_key keys[BATCH]; /* of the second pass */
	uint32_t n_keys;
	struct xlate answer; /* reused: it is large */
	uint64_t now_ns;     /* of the turn */
};

struct upcall *upcall_create(
	struct datapath *dp, const struct pipeline *pl, struct fdb *fdb, struct cache *cache, struct executor *executor)
{
	struct upcall *up = calloc(1, sizeof(*up));

	if (!up)
		return NULL;
	up->dp = dp;
	up->pl = pl;
	up->fdb = fdb;
	up->cache = cache;
	up->executor = executor;
	return up;
}

void upcall_destroy(struct upcall *up)
{
	free(up);
}

/* Learns, or refreshes, what the frame says of its sender. */
static void learn(struct upcall *up, uint64_t now_ns)
{
	const struct xlate_learn *what = &up->answer.learn;

	if (what->port)
		fdb_learn(up->fdb, &what->key, what->port, now_ns);
}

static void drop(struct upcall *up, uint16_t port, enum sw_drop reason)
{
	counters_drop(&up->dp->memory, port, reason);
}

/* SW_DROP_NONE: it may be sent out of `port`. */
static enum sw_drop check_output(const struct port *port, uint32_t size)
{
	if (!port || !port->ifindex || !port->up)
		return SW_DROP_PORT_DOWN;
	return size > port->max_frame ? SW_DROP_OVER_MTU : SW_DROP_NONE;
}

/* Sends one copy, in its `form` or not at all when that could not be; `last` gives the frame itself away. */
static void output(struct upcall *up, struct dp_frame *frame, enum sw_drop form, uint16_t port, bool last)
{
	enum sw_drop why = form != SW_DROP_NONE ? form : check_output(pipeline_port(up->pl, port), frame->size);
	uint32_t size = frame->size;
	int error;

	if (why != SW_DROP_NONE) {
		drop(up, port, why);
		if (last)
			up->dp->ops->release(up->dp, frame);
		return;
	}
	if (last)
		error = up->dp->ops->tx(up->dp, port, frame);
	else
		error = up->dp->ops->tx_copy(up->dp, port, frame->data, frame->size);
	if (error)
		drop(up, port, dp_drop_of(error));
	else
		counters_sent(&up->dp->memory, port, size);
}

/* Brings the frame into the form of `tag`; SW_DROP_NONE, or why it cannot be. */
static enum sw_drop retag(struct dp_frame *lent, enum xlate_tag tag, uint16_t vid)
{
	struct frame frame = {.data = lent->data, .size = lent->size, .headroom = lent->headroom};
	bool done = true;

	if (tag == XLATE_UNTAGGED && frame_is_tagged(&frame))
		frame_pop_tag(&frame);
	else if (tag == XLATE_TAGGED && frame_is_tagged(&frame))
		frame_set_vid(&frame, vid);
	else if (tag == XLATE_TAGGED)
		done = frame_push_tag(&frame, vid);
	lent->data = frame.data;
	lent->size = frame.size;
	lent->headroom = frame.headroom;
	return done ? SW_DROP_NONE : SW_DROP_NO_HEADROOM;
}

/* The outputs of one form; `n_left` counts down over all forms, so that the last copy is the frame itself. */
static void send_form(struct upcall *up, struct dp_frame *frame, enum xlate_tag tag, uint32_t *n_left)
{
	const struct xlate *answer = &up->answer;
	enum sw_drop form = SW_DROP_NONE;
	bool formed = false;

	for (uint32_t i = 0; i < answer->n_outputs; i++) {
		if (answer->outputs[i].tag != tag)
			continue;
		if (!formed)
			form = retag(frame, tag, answer->vid);
		formed = true;
		(*n_left)--;
		output(up, frame, form, answer->outputs[i].port, *n_left == 0);
	}
}

/* Untagging comes last: what was taken off is not kept. */
static void send(struct upcall *up, struct dp_frame *frame)
{
	uint32_t n_left = up->answer.n_outputs;

	if (!n_left) {
		drop(up, up->answer.in_port ? up->answer.in_port : frame->in_port, up->answer.drop);
		up->dp->ops->release(up->dp, frame);
		return;
	}
	send_form(up, frame, XLATE_AS_IS, &n_left);
	send_form(up, frame, XLATE_TAGGED, &n_left);
	send_form(up, frame, XLATE_UNTAGGED, &n_left);
}

static void discard(struct upcall *up, struct dp_frame *frame, enum sw_drop reason)
{
	drop(up, frame->in_port, reason);
	up->dp->ops->release(up->dp, frame);
}

/* A flow whose program is more than "up" has counted the frame. */
static bool is_counted(const struct dp_frame *frame)
{
	return frame->reason != SW_UPCALL_MISS && frame->reason != SW_UPCALL_ACTION;
}

/* What the program could not do. */
static void carry_out(struct upcall *up, struct dp_frame *frame, const struct port *port, uint64_t now_ns)
{
	const struct subject subject = {
		.bridge = port->bridge,
		.in_port = port->id,
		.frame = frame->data,
		.size = frame->size,
		.counted = is_counted(frame),
		.now_ns = now_ns,
	};

	execute(up->executor, &up->answer, &subject);
	up->dp->ops->release(up->dp, frame);
}

static void handle(struct upcall *up, struct dp_frame *frame, uint64_t now_ns)
{
	const struct port *port = pipeline_port(up->pl, frame->in_port);
	struct sw_key *key = &up->keys[up->n_keys];
	struct sw_headers headers;

	if (!port || !port->ifindex) {
		discard(up, frame, SW_DROP_NO_PORT);
		return;
	}
	sw_extract(frame->data, frame->data + frame->size, port->ifindex, SW_KEY_WORDS, key, &headers);
	if (!headers.l3) {
		discard(up, frame, SW_DROP_RUNT);
		return;
	}
	translate(up->pl, key, NULL, &up->answer);
	if (up->answer.cacheable)
		up->n_keys++;
	if (frame->reason == SW_UPCALL_ACTION && !up->answer.needs_frame)
		cache_doubt(up->cache, key, frame->slot);
	take_branch_now(up->pl, key, &up->answer);
	if (xlate_has_ops(&up->answer)) {
		carry_out(up, frame, port, now_ns);
		return;
	}
	if (!is_counted(frame))
		execute_counts(&up->answer, frame->size, now_ns);
	normal_carry_out(up->pl, key, NULL, &up->answer);
	learn(up, now_ns);
	send(up, frame);
}

/* Only when the batch has left: of a daemon that is killed, what it had in hand is to be among the lost. */
static void count_batch(struct upcall *up, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (!up->frames[i].is_part)
			counters_upcall(&up->dp->memory, up->frames[i].in_port);
	}
}

/* The second pass: the batch is on its way, its answers may be cached. */
static void install(struct upcall *up, uint64_t now_ns)
{
	if (!up->n_keys)
		return;
	cache_settle(up->cache, now_ns);
	for (uint32_t i = 0; i < up->n_keys; i++) {
		translate(up->pl, &up->keys[i], NULL, &up->answer);
		if (up->answer.cacheable)
			cache_put(up->cache, &up->keys[i], &up->answer, now_ns);
	}
	up->n_keys = 0;
}

static int run_frames(struct upcall *up, uint64_t now_ns)
{
	for (int batch = 0; batch < BATCHES_A_TURN; batch++) {
		uint32_t n = up->dp->ops->rx(up->dp, up->frames, BATCH);

		if (!n) {
			fdb_settle(up->fdb); /* not while frames wait that those from a new address would overtake */
			return 0;
		}
		for (uint32_t i = 0; i < n; i++)
			handle(up, &up->frames[i], now_ns);
		up->dp->ops->flush(up->dp);
		count_batch(up, n);
		install(up, now_ns);
	}
	return 1;
}

/* ---- copies ---- */

static void tell_of(void *ctx, const struct dp_told *told)
{
	struct upcall *up = ctx;
	const struct port *port = pipeline_port(up->pl, told->in_port);
	struct subject subject = {.frame = told->data, .size = told->size, .now_ns = up->now_ns};
	struct sw_headers headers;
	struct sw_key key;

	if (told->mirror && told->mirror != SW_TOLD_MIRRORS) {
		execute_mirror_copy(up->executor, told);
		return;
	}
	if (!port || !port->ifindex) {
		if (!told->mirror)
			counters_stale(&up->dp->memory, told->in_port);
		return;
	}
	subject.bridge = port->bridge;
	subject.in_port = port->id;
	sw_extract(told->data, told->data + told->size, port->ifindex, SW_KEY_WORDS, &key, &headers);
	translate(up->pl, &key, NULL, &up->answer);
	take_branch_now(up->pl, &key, &up->answer);
	if (told->mirror)
		execute_mirrored(up->executor, &up->answer, &subject, told->levels, told->out_port == SW_TOLD_ENDED);
	else if (!execute_told(up->executor, &up->answer, &subject, told->levels))
		counters_stale(&up->dp->memory, told->in_port);
}

int upcall_run(struct upcall *up, uint64_t now_ns)
{
	int is_more = run_frames(up, now_ns);

	up->now_ns = now_ns;
	is_more |= up->dp->ops->told(up->dp, COPIES_A_TURN, tell_of, up) == COPIES_A_TURN;
	up->dp->ops->flush(up->dp);
	return is_more;
}
