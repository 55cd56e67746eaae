/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pump.c - measures one switch port: a server of a few commands on stdin, a JSON object a line on stdout.
 *
 *     pump CPU SENDER-NETNS SENDER-DEVICE RECEIVER-NETNS RECEIVER-DEVICE IN-PORT OUT-PORT
 *
 * It runs in the namespace of the switch, whose ports are the peers of the two devices. The table of commands below
 * says what it can do; what to do when is the business of bench.py.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <net/if.h>
#include <sys/resource.h>
#include <json-c/json.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "bare.skel.h"
#include "server.h"
#include "slot.h"
#include "stopwatch.h"
#include "traffic.h"

static struct pump {
	struct traffic *traffic;
	struct bare_bpf *bare, *twin; /* the yardstick, and itself once more: their difference is the bench's error */
	const char *port;
	struct slot slot;
	int put_fd;
} pump = {.slot = {.own_fd = -1, .link_fd = -1}, .put_fd = -1};

/* A stride of about 0.618 of n, and without a divisor in common with it. */
static uint32_t scattering_stride(uint32_t n)
{
	uint32_t stride = n * 0.6180339887;

	for (; stride > 1; stride--) {
		uint32_t a = n, b = stride;

		while (b) {
			uint32_t rest = a % b;

			a = b;
			b = rest;
		}
		if (a == 1)
			return stride;
	}
	return n > 1;
}

static uint32_t n_destinations(const struct bench_plan *plan)
{
	return plan->vary & BENCH_VARY_MAC ? ((plan->n_flows - 1) >> plan->src_bits) + 1 : 1;
}

/* flows N mac|tuple|both */
static int cmd_flows(char **word, json_object *reply)
{
	struct bench_plan plan = {.n_flows = strtoul(word[0], NULL, 10)};
	static const char *const names[] = {
		[BENCH_VARY_MAC] = "mac", [BENCH_VARY_TUPLE] = "tuple", [BENCH_VARY_BOTH] = "both"};

	for (uint32_t vary = BENCH_VARY_MAC; vary <= BENCH_VARY_BOTH; vary++)
		if (!strcmp(word[1], names[vary]))
			plan.vary = vary;
	if (!plan.n_flows || plan.n_flows > 1 << 24 || !plan.vary)
		return -EINVAL;
	plan.src_bits = bench_src_bits(plan.n_flows);
	plan.stride = plan.n_flows > 1;
	*traffic_plan(pump.traffic) = plan;
	server_say(reply, "sources", plan.vary & BENCH_VARY_MAC ? 1ULL << plan.src_bits : 1);
	server_say(reply, "destinations", n_destinations(&plan));
	return 0;
}

/* learn PER-SECOND: every destination sends one frame from the receiver's device */
static int cmd_learn(char **word, json_object *reply)
{
	struct bench_plan *plan = traffic_plan(pump.traffic), saved = *plan;
	int err;

	plan->n_flows = n_destinations(&saved);
	plan->stride = plan->n_flows > 1;
	plan->next = 0;
	plan->learn = 1;
	plan->out = 1;
	err = traffic_send_slowly(pump.traffic, plan->n_flows, strtoul(word[0], NULL, 10));
	server_say(reply, "sent", plan->n_flows);
	traffic_settled(pump.traffic);
	*plan = saved;
	return err;
}

/* pass PER-SECOND: every flow once, in order */
static int cmd_pass(char **word, json_object *reply)
{
	struct bench_plan *plan = traffic_plan(pump.traffic);
	uint64_t before = traffic_settled(pump.traffic);
	int err;

	plan->next = 0;
	plan->stride = plan->n_flows > 1;
	err = traffic_send_slowly(pump.traffic, plan->n_flows, strtoul(word[0], NULL, 10));
	server_say(reply, "sent", plan->n_flows);
	server_say(reply, "received", traffic_settled(pump.traffic) - before);
	return err;
}

/* rush N PER-SECOND: each of the first N flows once, in order and evenly, by a switch that may not know them */
static int cmd_rush(char **word, json_object *reply)
{
	struct bench_plan *plan = traffic_plan(pump.traffic);
	uint32_t n_frames = strtoul(word[0], NULL, 10), per_second = strtoul(word[1], NULL, 10);
	uint64_t before = traffic_settled(pump.traffic);
	struct stopwatch begin, span;
	int err;

	if (!n_frames || n_frames > plan->n_flows || !per_second)
		return -EINVAL;
	plan->next = 0;
	plan->stride = plan->n_flows > 1;
	begin = stopwatch_read();
	err = traffic_send_evenly(pump.traffic, n_frames, per_second);
	span = stopwatch_since(&begin);
	server_say(reply, "sent", n_frames);
	server_say(reply, "sending_ns", plan->last_ns - plan->first_ns);
	server_say(reply, "held_up_ns", stopwatch_held_up_ns(&span));
	server_say(reply, "received", traffic_settled(pump.traffic) - before);
	return err;
}

static int program_fd(const char *name)
{
	if (!strcmp(name, "own"))
		return pump.slot.own_fd;
	if (!strcmp(name, "bare"))
		return bpf_program__fd(pump.bare->progs.bare);
	if (!strcmp(name, "twin"))
		return bpf_program__fd(pump.twin->progs.bare);
	return -EINVAL;
}

/* attach: looks up who has the port now */
static int cmd_attach(char **word, json_object *reply)
{
	int err;

	slot_close(&pump.slot);
	err = slot_open(pump.port, &pump.slot);
	pump.put_fd = pump.slot.own_fd;
	json_object_object_add(reply, "program", json_object_new_boolean(pump.slot.own_fd >= 0));
	json_object_object_add(reply, "link", json_object_new_boolean(pump.slot.link_fd >= 0));
	return err;
}

/* detach: gives the port back as it was */
static int cmd_detach(char **word, json_object *reply)
{
	slot_close(&pump.slot);
	return 0;
}

/* put own|bare|twin: the program that the port runs from now on */
static int cmd_put(char **word, json_object *reply)
{
	int fd = program_fd(word[0]), err;

	if (fd == -EINVAL)
		return fd;
	err = fd == pump.put_fd ? 0 : slot_put(&pump.slot, fd);
	if (!err)
		pump.put_fd = fd;
	return err;
}

/* One frame in so many goes ahead of a round, untimed: the program before had the CPU's caches to itself. */
#define LEAD_IN 8

/* round FRAMES: as fast as it goes */
static int cmd_round(char **word, json_object *reply)
{
	uint32_t n_frames = strtoul(word[0], NULL, 10);
	struct bench_plan *plan = traffic_plan(pump.traffic);
	uint64_t before, in_time;
	struct stopwatch begin, span;
	int err;

	plan->stride = scattering_stride(plan->n_flows);
	err = traffic_send(pump.traffic, n_frames / LEAD_IN);
	if (err)
		return err;
	before = traffic_settled(pump.traffic);
	begin = stopwatch_read();
	err = traffic_send(pump.traffic, n_frames);
	span = stopwatch_since(&begin);
	in_time = traffic_received(pump.traffic) - before;
	if (!err && !slot_holds(&pump.slot, pump.put_fd))
		err = -EBUSY;
	server_say(reply, "sent", n_frames);
	server_say(reply, "in_time", in_time);
	server_say(reply, "received", traffic_settled(pump.traffic) - before);
	server_say(reply, "wall_ns", span.wall_ns);
	server_say(reply, "work_ns", stopwatch_work_ns(&span));
	server_say(reply, "held_up_ns", stopwatch_held_up_ns(&span));
	server_say(reply, "busy_ns", span.busy_ns);
	server_say(reply, "steal_ns", span.steal_ns);
	return err;
}

/* cost own|bare|twin FLOW REPEAT: the program alone, on the frame of one flow */
static int cmd_cost(char **word, json_object *reply)
{
	struct bench_plan *plan = traffic_plan(pump.traffic);
	struct bench_frame frame;
	struct xdp_md ctx = {.data_end = sizeof(frame), .ingress_ifindex = if_nametoindex(pump.port)};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = &frame, .data_size_in = sizeof(frame), .ctx_in = &ctx,
		.ctx_size_in = sizeof(ctx), .repeat = strtoul(word[2], NULL, 10));
	struct stopwatch begin, span;
	int fd = program_fd(word[0]), err;

	if (fd < 0)
		return -EINVAL;
	plan->next = strtoul(word[1], NULL, 10) % plan->n_flows;
	err = traffic_preview(pump.traffic, &frame);
	if (err)
		return err;
	begin = stopwatch_read();
	err = bpf_prog_test_run_opts(fd, &opts);
	span = stopwatch_since(&begin);
	server_say(reply, "verdict", opts.retval);
	server_say(reply, "kernel_ns", opts.duration);
	server_say(reply, "wall_ns", span.wall_ns);
	server_say(reply, "work_ns", stopwatch_work_ns(&span));
	server_say(reply, "held_up_ns", stopwatch_held_up_ns(&span));
	return err;
}

/* The one's complement sum: it tells whether the generator's checksums are right */
static uint16_t sum(const void *bytes, size_t size, uint32_t begin)
{
	const uint16_t *words = bytes;

	for (size_t i = 0; i < size / 2; i++)
		begin += words[i];
	while (begin >> 16)
		begin = (begin & 0xffff) + (begin >> 16);
	return begin;
}

/* frame FLOW: the frame of one flow, in hex, and whether its checksums are right */
static int cmd_frame(char **word, json_object *reply)
{
	struct bench_plan *plan = traffic_plan(pump.traffic);
	char hex[2 * BENCH_FRAME_SIZE + 1];
	struct bench_frame f;
	int err;

	plan->next = strtoul(word[0], NULL, 10) % plan->n_flows;
	err = traffic_preview(pump.traffic, &f);
	if (err)
		return err;
	for (int i = 0; i < BENCH_FRAME_SIZE; i++)
		sprintf(hex + 2 * i, "%02x", ((uint8_t *)&f)[i]);
	json_object_object_add(reply, "hex", json_object_new_string(hex));
	json_object_object_add(reply, "ip_ok", json_object_new_boolean(sum(&f.ip_version_ihl, 20, 0) == 0xffff));
	json_object_object_add(reply, "udp_ok",
		json_object_new_boolean(
			sum(f.ip_src, 8 + 8 + BENCH_PAYLOAD_SIZE, (f.ip_proto << 8) + f.udp_size) == 0xffff));
	return 0;
}

static const struct server_command commands[] = {
	{"flows", 2, cmd_flows},
	{"frame", 1, cmd_frame},
	{"learn", 1, cmd_learn},
	{"pass", 1, cmd_pass},
	{"rush", 2, cmd_rush},
	{"attach", 0, cmd_attach},
	{"put", 1, cmd_put},
	{"round", 1, cmd_round},
	{"cost", 3, cmd_cost},
	{"detach", 0, cmd_detach},
};

static struct bare_bpf *load_bare(const char *out_port)
{
	struct bare_bpf *bare = bare_bpf__open_and_load();
	__u32 key = 0, ifindex = if_nametoindex(out_port);

	if (bare && bpf_map__update_elem(bare->maps.out, &key, sizeof(key), &ifindex, sizeof(ifindex), BPF_ANY)) {
		bare_bpf__destroy(bare);
		return NULL;
	}
	return bare;
}

int main(int argc, char **argv)
{
	int err;

	if (argc != 8) {
		fputs("usage: pump CPU SENDER-NETNS SENDER-DEVICE RECEIVER-NETNS RECEIVER-DEVICE IN-PORT OUT-PORT\n",
			stderr);
		return 2;
	}
	pump.port = argv[6];
	err = stopwatch_pin(atoi(argv[1]));
	if (err)
		goto out;
	setpriority(
		PRIO_PROCESS, 0, -20); /* others' work on this CPU is noise; without the right to ask, noise it is */
	err = -EIO;
	pump.bare = load_bare(argv[7]);
	if (!pump.bare)
		goto out;
	pump.twin = load_bare(argv[7]);
	if (!pump.twin)
		goto out_bare;
	err = traffic_open(&(struct place){argv[2], argv[3]}, &(struct place){argv[4], argv[5]}, &pump.traffic);
	if (err)
		goto out_twin;
	server_run(commands, sizeof(commands) / sizeof(*commands));
	slot_close(&pump.slot);
	traffic_close(pump.traffic);
out_twin:
	bare_bpf__destroy(pump.twin);
out_bare:
	bare_bpf__destroy(pump.bare);
out:
	if (err)
		fprintf(stderr, "pump: %s\n", strerror(-err));
	return err != 0;
}
