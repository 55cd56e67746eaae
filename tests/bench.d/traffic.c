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

struct traffic {
	struct gen_bpf *gen;
	struct sink_bpf *sink;
	struct bpf_link *links[2];
	int n_cpus;
};

/* In the device's namespace: the sink takes what arrives there, and the generator learns to send from there. */
static int occupy(struct traffic *t, const struct place *place, uint32_t index)
{
	uint32_t ifindex;
	int err = place_enter(place, &ifindex);

	if (err)
		return err;
	t->links[index] = bpf_program__attach_xdp(t->sink->progs.sink, ifindex);
	if (!t->links[index])
		return -errno;
	return bpf_map__update_elem(t->gen->maps.out, &index, sizeof(index), &ifindex, sizeof(ifindex), BPF_ANY);
}

static int occupy_both(struct traffic *t, const struct place *sender, const struct place *receiver)
{
	int home = place_home(), err;

	if (home < 0)
		return home;
	err = occupy(t, sender, 0);
	if (!err)
		err = occupy(t, receiver, 1);
	place_leave(home);
	return err;
}

int traffic_open(const struct place *sender, const struct place *receiver, struct traffic **ret_traffic)
{
	struct traffic *t = calloc(1, sizeof(*t));
	int err = -ENOMEM;

	if (!t)
		return err;
	t->n_cpus = libbpf_num_possible_cpus();
	t->gen = gen_bpf__open_and_load();
	t->sink = sink_bpf__open_and_load();
	if (!t->gen || !t->sink)
		err = -errno;
	else
		err = occupy_both(t, sender, receiver);
	if (err) {
		traffic_close(t);
		return err;
	}
	*ret_traffic = t;
	return 0;
}

void traffic_close(struct traffic *t)
{
	bpf_link__destroy(t->links[0]);
	bpf_link__destroy(t->links[1]);
	gen_bpf__destroy(t->gen);
	sink_bpf__destroy(t->sink);
	free(t);
}

struct bench_plan *traffic_plan(struct traffic *t)
{
	return &t->gen->bss->plan;
}

static int send_in_batches(struct traffic *t, uint32_t n_frames, uint32_t batch_size)
{
	struct bench_frame frame = {0};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = &frame, .data_size_in = sizeof(frame), .repeat = n_frames,
		.flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = batch_size);

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

uint64_t traffic_received(struct traffic *t)
{
	uint64_t values[t->n_cpus], total = 0;
	uint32_t key = 0;

	if (bpf_map__lookup_elem(t->sink->maps.counts, &key, sizeof(key), values, sizeof(values), 0))
		return 0;
	for (int cpu = 0; cpu < t->n_cpus; cpu++)
		total += values[cpu];
	return total;
}

uint64_t traffic_settled(struct traffic *t)
{
	uint64_t before = traffic_received(t), after;

	for (int step = 0, quiet = 0; step < SETTLE_MAX_STEPS && quiet < 5; step++) {
		sleep_ns(SETTLE_STEP_NS);
		after = traffic_received(t);
		quiet = after == before ? quiet + 1 : 0;
		before = after;
	}
	return before;
}

int traffic_preview(struct traffic *t, struct bench_frame *ret_frame)
{
	struct bench_frame frame = {0}, out = {0};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = &frame, .data_size_in = sizeof(frame), .data_out = &out,
		.data_size_out = sizeof(out), .repeat = 1);
	int err = bpf_prog_test_run_opts(bpf_program__fd(t->gen->progs.gen), &opts);

	if (!err)
		*ret_frame = out;
	return err;
}
