/* SPDX-License-Identifier: BSD-2-Clause */
#include "traffic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <linux/if_link.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "gen.skel.h"
#include "sink.skel.h"
#include "stopwatch.h"

/* The kernel runs this many frames before it lets softirqs go on; a veth's ring holds 256. */
#define BATCH_SIZE 64

/* When they are sent evenly. */
#define EVEN_BATCH_SIZE 16

/* Frames between two looks at the clock when sending slowly. */
#define SLICES_PER_SECOND 500

#define SETTLE_STEP_NS   2000000
#define SETTLE_MAX_STEPS 100

struct end {
	struct sink_bpf *sink;
	struct bpf_link *link;
};

struct traffic {
	struct gen_bpf *gen;
	struct end ends[1 + TRAFFIC_MAX_RECEIVERS]; /* the sender's is the first */
	int n_receivers;
	int n_cpus;
};

/* In the device's namespace: a sink takes what arrives there, and the generator learns to send from the first two. */
static int occupy(struct traffic *t, const struct place *place, uint32_t index)
{
	struct end *end = &t->ends[index];
	uint32_t ifindex;
	int err = place_enter(place, &ifindex);

	if (err)
		return err;
	end->sink = sink_bpf__open_and_load();
	if (!end->sink)
		return -errno;
	end->link = bpf_program__attach_xdp(end->sink->progs.sink, ifindex);
	if (!end->link)
		return -errno;
	if (index > 1)
		return 0;
	return bpf_map__update_elem(t->gen->maps.out, &index, sizeof(index), &ifindex, sizeof(ifindex), BPF_ANY);
}

static int occupy_all(struct traffic *t, const struct place *sender, const struct place *receivers)
{
	int home = place_home(), err;

	if (home < 0)
		return home;
	err = occupy(t, sender, 0);
	for (int i = 0; i < t->n_receivers && !err; i++)
		err = occupy(t, &receivers[i], i + 1);
	place_leave(home);
	return err;
}

int traffic_open(
	const struct place *sender, const struct place *receivers, int n_receivers, struct traffic **ret_traffic)
{
	struct traffic *t;
	int err;

	if (n_receivers < 1 || n_receivers > TRAFFIC_MAX_RECEIVERS)
		return -EINVAL;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->n_cpus = libbpf_num_possible_cpus();
	t->n_receivers = n_receivers;
	t->gen = gen_bpf__open_and_load();
	err = t->gen ? occupy_all(t, sender, receivers) : -errno;
	if (err) {
		traffic_close(t);
		return err;
	}
	*ret_traffic = t;
	return 0;
}

void traffic_close(struct traffic *t)
{
	for (int i = 0; i <= t->n_receivers; i++) {
		bpf_link__destroy(t->ends[i].link);
		sink_bpf__destroy(t->ends[i].sink);
	}
	gen_bpf__destroy(t->gen);
	free(t);
}

struct bench_plan *traffic_plan(struct traffic *t)
{
	return &t->gen->bss->plan;
}

void traffic_wish(struct traffic *t, const struct bench_wish *wish)
{
	for (int i = 0; i <= t->n_receivers; i++)
		t->ends[i].sink->bss->wish = *wish;
}

static uint32_t frame_size(const struct bench_plan *plan)
{
	return BENCH_FRAME_SIZE + ((plan->learn ? plan->learn_tci : plan->tci) ? BENCH_TAG_SIZE : 0);
}

static int send_in_batches(struct traffic *t, uint32_t n_frames, uint32_t batch_size)
{
	const uint8_t frame[BENCH_FRAME_SIZE + BENCH_TAG_SIZE] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = frame_size(traffic_plan(t)),
		.repeat = n_frames, .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = batch_size);

	if (!n_frames)
		return 0;
	return bpf_prog_test_run_opts(bpf_program__fd(t->gen->progs.gen), &opts);
}

int traffic_send(struct traffic *t, uint32_t n_frames)
{
	return send_in_batches(t, n_frames, BATCH_SIZE);
}

static void sleep_ns(long ns)
{
	struct timespec span = {.tv_nsec = ns};

	nanosleep(&span, NULL);
}

int traffic_send_slowly(struct traffic *t, uint32_t n_frames, uint32_t per_second)
{
	uint64_t begin_ns = stopwatch_now_ns(), due;
	uint32_t sent = 0;
	int err = 0;

	while (sent < n_frames && !err) {
		sleep_ns(1000000000 / SLICES_PER_SECOND);
		due = (stopwatch_now_ns() - begin_ns) * per_second / 1000000000;
		if (due > n_frames)
			due = n_frames;
		if (due > sent + per_second / 50) { /* we were held up: no burst to make up for it */
			begin_ns += (due - sent - per_second / 50) * 1000000000 / per_second;
			due = sent + per_second / 50;
		}
		if (due > sent) {
			err = traffic_send(t, due - sent);
			sent = due;
		}
	}
	return err;
}

int traffic_send_evenly(struct traffic *t, uint32_t n_frames, uint32_t per_second)
{
	struct bench_plan *plan = traffic_plan(t);
	int err;

	plan->gap_ns = 1000000000 / per_second;
	plan->due_ns = plan->first_ns = 0;
	err = send_in_batches(t, n_frames, EVEN_BATCH_SIZE);
	plan->gap_ns = 0;
	return err;
}

static uint64_t read_count(struct traffic *t, const struct end *end, uint32_t key)
{
	uint64_t values[t->n_cpus], total = 0;

	if (bpf_map__lookup_elem(end->sink->maps.counts, &key, sizeof(key), values, sizeof(values), 0))
		return 0;
	for (int cpu = 0; cpu < t->n_cpus; cpu++)
		total += values[cpu];
	return total;
}

/* A flood comes to the sender's device too, whose frames are not for a receiver: they do not count. */
struct traffic_count traffic_received(struct traffic *t)
{
	struct traffic_count count = {0};

	for (int i = 0; i < t->n_receivers; i++) {
		uint64_t right = read_count(t, &t->ends[i + 1], BENCH_AS_WISHED);
		uint64_t unlike = read_count(t, &t->ends[i + 1], BENCH_UNLIKE);

		count.right += right;
		count.unlike += unlike;
		count.by_receiver[i] = right + unlike;
	}
	return count;
}

struct traffic_count traffic_between(const struct traffic_count *before, const struct traffic_count *after)
{
	struct traffic_count span = {.right = after->right - before->right, .unlike = after->unlike - before->unlike};

	for (int i = 0; i < TRAFFIC_MAX_RECEIVERS; i++)
		span.by_receiver[i] = after->by_receiver[i] - before->by_receiver[i];
	return span;
}

struct traffic_count traffic_settled(struct traffic *t)
{
	struct traffic_count before = traffic_received(t), after;

	for (int step = 0, quiet = 0; step < SETTLE_MAX_STEPS && quiet < 5; step++) {
		sleep_ns(SETTLE_STEP_NS);
		after = traffic_received(t);
		quiet = memcmp(&after, &before, sizeof(after)) ? 0 : quiet + 1;
		before = after;
	}
	return before;
}

int traffic_preview(struct traffic *t, uint8_t ret_frame[BENCH_FRAME_SIZE + BENCH_TAG_SIZE], uint32_t *ret_size)
{
	const uint32_t size = frame_size(traffic_plan(t));
	uint8_t frame[BENCH_FRAME_SIZE + BENCH_TAG_SIZE] = {0}, out[BENCH_FRAME_SIZE + BENCH_TAG_SIZE];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = size, .data_out = out,
		.data_size_out = sizeof(out), .repeat = 1);
	int err = bpf_prog_test_run_opts(bpf_program__fd(t->gen->progs.gen), &opts);

	if (!err) {
		memcpy(ret_frame, out, size);
		*ret_size = size;
	}
	return err;
}
