/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pump.c - measures one switch port: a server of a few commands on stdin, a JSON object a line on stdout.
 *
 *     pump CPU SENDER-NETNS SENDER-DEVICE IN-PORT RECEIVER-NETNS RECEIVER-DEVICE:OUT-PORT…
 *
 * It runs in the namespace of the switch, whose ports are the peers of the devices. The table of commands below says
 * what it can do; what to do when is the business of measure.py and of the benches.
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
#include "server.h"
#include "slot.h"
#include "stopwatch.h"
#include "traffic.h"
#include "yardstick.h"

static struct pump {
	struct traffic *traffic;
	struct yardstick yardstick;
	struct bench_wish wish;
	const char *port;
	int n_receivers;
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

/* flows N mac|tuple|both: an end to what was said of frames, masks and wishes before */
static int cmd_flows(char **word, json_object *reply)
{
	struct bench_plan plan = {
		.n_flows = strtoul(word[0], NULL, 10), .station = traffic_plan(pump.traffic)->station};
	static const char *const names[] = {
		[BENCH_VARY_MAC] = "mac", [BENCH_VARY_TUPLE] = "tuple", [BENCH_VARY_BOTH] = "both"};
	int vary = server_find(word[1], names, 4);

	if (!plan.n_flows || plan.n_flows > 1 << 24 || vary < 0)
		return -EINVAL;
	plan.vary = vary;
	plan.src_bits = bench_src_bits(plan.n_flows);
	plan.stride = plan.n_flows > 1;
	*traffic_plan(pump.traffic) = plan;
	pump.wish = (struct bench_wish){0};
	traffic_wish(pump.traffic, &pump.wish);
	server_say(reply, "sources", plan.vary & BENCH_VARY_MAC ? 1ULL << plan.src_bits : 1);
	server_say(reply, "destinations", n_destinations(&plan));
	return 0;
}

/* station NUMBER: whose MAC addresses are others than those of other pumps */
static int cmd_station(char **word, json_object *reply)
{
	traffic_plan(pump.traffic)->station = strtoul(word[0], NULL, 10) & 0xffff;
	return 0;
}

/* masks N: flows that need so many masks, none of which comes twice; see frame.h */
static int cmd_masks(char **word, json_object *reply)
{
	uint32_t n = strtoul(word[0], NULL, 10), station = traffic_plan(pump.traffic)->station;

	if (!n || n > BENCH_MAX_MASKS || n & (n - 1))
		return -EINVAL;
	*traffic_plan(pump.traffic) = (struct bench_plan){
		.n_flows = BENCH_MASKED_FLOWS, .stride = 1, .vary = BENCH_VARY_TUPLE, .n_masks = n, .station = station};
	pump.wish = (struct bench_wish){0};
	traffic_wish(pump.traffic, &pump.wish);
	return 0;
}

/* packet udp4|tcp4|udp6 SENDER-TCI RECEIVER-TCI TRANSLATIONS: what frames are, with which tags (0: none) they come from
 * either side, and how many translations they are to have undergone (0: none) */
static int cmd_packet(char **word, json_object *reply)
{
	static const char *const names[] = BENCH_PACKET_NAMES;
	struct bench_plan *plan = traffic_plan(pump.traffic);
	int packet = server_find(word[0], names, BENCH_N_PACKETS);

	if (packet < 0)
		return packet;
	plan->packet = packet;
	plan->tci = strtoul(word[1], NULL, 0);
	plan->learn_tci = strtoul(word[2], NULL, 0);
	pump.wish = (struct bench_wish){
		.packet = packet, .tci = plan->learn_tci, .n_translations = strtoul(word[3], NULL, 10)};
	traffic_wish(pump.traffic, &pump.wish);
	return 0;
}

/* bare one|some|all: what the bare program and its twin do from now on */
static int cmd_bare(char **word, json_object *reply)
{
	static const char *const names[] = {"one", "some", "all"};
	int kind = server_find(word[0], names, YARDSTICK_N_KINDS);

	if (kind < 0)
		return kind;
	pump.yardstick.kind = kind;
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

static void say_received(json_object *reply, const struct traffic_count *before)
{
	const struct traffic_count after = traffic_settled(pump.traffic), span = traffic_between(before, &after);
	json_object *each = json_object_new_array();

	for (int i = 0; i < pump.n_receivers; i++)
		json_object_array_add(each, json_object_new_uint64(span.by_receiver[i]));
	server_say(reply, "received", span.right + span.unlike);
	server_say(reply, "unlike", span.unlike);
	json_object_object_add(reply, "received_each", each);
}

/* pass PER-SECOND: every flow once, in order; that checksums are right is looked at too */
static int cmd_pass(char **word, json_object *reply)
{
	struct bench_plan *plan = traffic_plan(pump.traffic);
	const struct traffic_count before = traffic_settled(pump.traffic);
	struct bench_wish thorough = pump.wish;
	int err;

	thorough.sums = 1;
	traffic_wish(pump.traffic, &thorough);
	plan->next = 0;
	plan->stride = plan->n_flows > 1;
	err = traffic_send_slowly(pump.traffic, plan->n_flows, strtoul(word[0], NULL, 10));
	server_say(reply, "sent", plan->n_flows);
	say_received(reply, &before);
	traffic_wish(pump.traffic, &pump.wish);
	return err;
}

/* rush N PER-SECOND: each of the first N flows once, in order and evenly, by a switch that may not know them */
static int cmd_rush(char **word, json_object *reply)
{
	struct bench_plan *plan = traffic_plan(pump.traffic);
	uint32_t n_frames = strtoul(word[0], NULL, 10), per_second = strtoul(word[1], NULL, 10);
	const struct traffic_count before = traffic_settled(pump.traffic);
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
	say_received(reply, &before);
	return err;
}

/* storm N PER-SECOND: evenly, flows that follow on those of the last storm; what becomes of them is nobody's wish */
static int cmd_storm(char **word, json_object *reply)
{
	struct bench_plan *plan = traffic_plan(pump.traffic);
	uint32_t n_frames = strtoul(word[0], NULL, 10), per_second = strtoul(word[1], NULL, 10);
	int err;

	if (!n_frames || !per_second)
		return -EINVAL;
	plan->stride = 1;
	err = traffic_send_evenly(pump.traffic, n_frames, per_second);
	server_say(reply, "sent", n_frames);
	server_say(reply, "sending_ns", plan->last_ns - plan->first_ns);
	return err;
}

static int program_fd(const char *name)
{
	return !strcmp(name, "own") ? pump.slot.own_fd : yardstick_fd(&pump.yardstick, name);
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
	struct traffic_count before, in_time;
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
	in_time = traffic_received(pump.traffic);
	in_time = traffic_between(&before, &in_time);
	if (!err && !slot_holds(&pump.slot, pump.put_fd))
		err = -EBUSY;
	server_say(reply, "sent", n_frames);
	server_say(reply, "in_time", in_time.right + in_time.unlike);
	say_received(reply, &before);
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
	uint8_t frame[BENCH_FRAME_SIZE + BENCH_TAG_SIZE];
	struct xdp_md ctx = {.ingress_ifindex = if_nametoindex(pump.port)};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .ctx_in = &ctx, .ctx_size_in = sizeof(ctx),
		.repeat = strtoul(word[2], NULL, 10));
	struct stopwatch begin, span;
	int fd = program_fd(word[0]), err;

	if (fd < 0)
		return -EINVAL;
	plan->next = strtoul(word[1], NULL, 10) % plan->n_flows;
	err = traffic_preview(pump.traffic, frame, &ctx.data_end);
	if (err)
		return err;
	opts.data_size_in = ctx.data_end;
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

/* frame FLOW: the frame of one flow, in hex */
static int cmd_frame(char **word, json_object *reply)
{
	struct bench_plan *plan = traffic_plan(pump.traffic);
	uint8_t frame[BENCH_FRAME_SIZE + BENCH_TAG_SIZE];
	char hex[2 * sizeof(frame) + 1];
	uint32_t size;
	int err;

	plan->next = strtoul(word[0], NULL, 10) % plan->n_flows;
	err = traffic_preview(pump.traffic, frame, &size);
	if (err)
		return err;
	for (uint32_t i = 0; i < size; i++)
		sprintf(hex + 2 * i, "%02x", frame[i]);
	json_object_object_add(reply, "hex", json_object_new_string(hex));
	return 0;
}

static const struct server_command commands[] = {
	{"flows", 2, cmd_flows},
	{"masks", 1, cmd_masks},
	{"packet", 4, cmd_packet},
	{"station", 1, cmd_station},
	{"bare", 1, cmd_bare},
	{"frame", 1, cmd_frame},
	{"learn", 1, cmd_learn},
	{"pass", 1, cmd_pass},
	{"rush", 2, cmd_rush},
	{"storm", 2, cmd_storm},
	{"attach", 0, cmd_attach},
	{"put", 1, cmd_put},
	{"round", 1, cmd_round},
	{"cost", 3, cmd_cost},
	{"detach", 0, cmd_detach},
};

/* The places of the arguments DEVICE:PORT, which are cut in two. 0 or -EINVAL. */
static int read_receivers(char *netns, char **argument, int n, struct place *ret_places, uint32_t *ret_ports)
{
	for (int i = 0; i < n; i++) {
		char *colon = strchr(argument[i], ':');

		if (!colon)
			return -EINVAL;
		*colon = 0;
		ret_places[i] = (struct place){netns, argument[i]};
		ret_ports[i] = if_nametoindex(colon + 1);
		if (!ret_ports[i])
			return -EINVAL;
	}
	pump.n_receivers = n;
	return 0;
}

static int run(const struct place *sender, const struct place *receivers, const uint32_t *ports)
{
	int err = yardstick_open(ports, pump.n_receivers, &pump.yardstick);

	if (err)
		return err;
	err = traffic_open(sender, receivers, pump.n_receivers, &pump.traffic);
	if (!err) {
		server_run(commands, sizeof(commands) / sizeof(*commands));
		slot_close(&pump.slot);
		traffic_close(pump.traffic);
	}
	yardstick_close(&pump.yardstick);
	return err;
}

#define FIRST_RECEIVER 6 /* argument */

int main(int argc, char **argv)
{
	struct place receivers[TRAFFIC_MAX_RECEIVERS];
	uint32_t ports[TRAFFIC_MAX_RECEIVERS];
	const int n_receivers = argc - FIRST_RECEIVER;
	int err;

	if (n_receivers < 1 || n_receivers > TRAFFIC_MAX_RECEIVERS ||
		read_receivers(argv[5], argv + FIRST_RECEIVER, n_receivers, receivers, ports)) {
		fputs("usage: pump CPU SENDER-NETNS SENDER-DEVICE IN-PORT RECEIVER-NETNS RECEIVER-DEVICE:OUT-PORT...\n",
			stderr);
		return 2;
	}
	pump.port = argv[4];
	err = stopwatch_pin(atoi(argv[1]));
	if (!err) {
		/* Others' work on this CPU is noise; without the right to ask, noise it is. */
		setpriority(PRIO_PROCESS, 0, -20);
		err = run(&(struct place){argv[2], argv[3]}, receivers, ports);
	}
	if (err)
		fprintf(stderr, "pump: %s\n", strerror(-err));
	return err != 0;
}
