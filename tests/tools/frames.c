/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frames.c - sends test frames from one device and says what came of them at others, in one process.
 *
 *     frames --from NETNS:DEVICE --to NETNS:DEVICE [--to …] [--count N] [--rate PER-SECOND] [--size N[-M]]
 *            [--dst MAC] [--src MAC] [--sources N] [--tag [TPID:]TCI]… [--type N] [--linger MS] [--hex BYTES]
 *
 * Prints one JSON object: `sent`, and for each --to `received`, `lost`, `duplicated`, `reordered`, `corrupted`,
 * `foreign` (frames of others), `overruns` (the observer's own fault) and `tags`: how many came with which tags,
 * outermost first, as "10" or "88a8:100,10" or "" for none. --hex sends these very bytes, and `received` counts
 * frames that are the same byte for byte.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <json-c/json.h>
#include "crafted.h"
#include "inlet.h"

#define MAX_TO 16

struct observer {
	const char *place;
	int fd;
	uint64_t received, duplicated, reordered, corrupted, foreign, overruns;
	uint64_t next; /* one more than the highest number so far */
	uint8_t *seen; /* a bit for each number */
	json_object *tags;
};

struct plan {
	struct crafted_form form;
	const char *from;
	uint64_t count, rate;
	unsigned linger_ms;
	uint8_t raw[CRAFTED_MAX];
	size_t raw_size;
	struct observer to[MAX_TO];
	unsigned n_to;
};

static volatile sig_atomic_t stopped;

static void stop(int signal_number)
{
	stopped = 1;
}

static void die(const char *what, const char *why)
{
	fprintf(stderr, "frames: %s: %s\n", what, why);
	exit(2);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static void count_tags(struct observer *to, const struct crafted_arrival *arrival)
{
	char name[CRAFTED_MAX_TAGS * 16] = "";
	json_object *count;

	for (unsigned i = 0; i < arrival->n_tags; i++) {
		if (i)
			strcat(name, ",");
		if (arrival->tags[i] >> 16 != 0x8100)
			sprintf(name + strlen(name), "%04x:", arrival->tags[i] >> 16);
		sprintf(name + strlen(name), "%u", arrival->tags[i] & 0xffff);
	}
	if (json_object_object_get_ex(to->tags, name, &count))
		json_object_int_inc(count, 1);
	else
		json_object_object_add(to->tags, name, json_object_new_int64(1));
}

static void note(const struct plan *plan, struct observer *to, const uint8_t *frame, size_t size)
{
	struct crafted_arrival arrival;
	enum crafted_verdict verdict;

	if (plan->raw_size) {
		bool same = size == plan->raw_size && !memcmp(frame, plan->raw, size);

		*(same ? &to->received : &to->foreign) += 1;
		return;
	}
	verdict = crafted_judge(&plan->form, frame, size, &arrival);
	if (verdict == CRAFTED_FOREIGN || arrival.number >= plan->count) {
		to->foreign++;
		return;
	}
	if (verdict == CRAFTED_CORRUPTED)
		to->corrupted++;
	count_tags(to, &arrival);
	if (to->seen[arrival.number / 8] & 1 << arrival.number % 8) {
		to->duplicated++;
		return;
	}
	to->seen[arrival.number / 8] |= 1 << arrival.number % 8;
	to->received++;
	if (arrival.number < to->next)
		to->reordered++;
	else
		to->next = arrival.number + 1;
}

static void drain(struct plan *plan)
{
	static uint8_t frame[CRAFTED_MAX + 4];
	ssize_t size;

	for (unsigned i = 0; i < plan->n_to; i++)
		while ((size = inlet_receive(plan->to[i].fd, frame, sizeof(frame))) > 0)
			note(plan, &plan->to[i], frame, size);
}

static uint64_t send_all(struct plan *plan, int fd)
{
	static uint8_t buffer[CRAFTED_MAX];
	uint64_t begin_ns = now_ns(), number = 0, due;

	while (number < plan->count && !stopped) {
		due = plan->rate ? (now_ns() - begin_ns) * plan->rate / 1000000000 + 1 : number + 64;
		for (; number < due && number < plan->count; number++) {
			size_t size = plan->raw_size ? plan->raw_size : crafted_make(&plan->form, number, buffer);
			int err = inlet_send(fd, plan->raw_size ? plan->raw : buffer, size);

			if (err)
				die(plan->from, strerror(-err));
		}
		drain(plan);
		if (plan->rate)
			usleep(500);
	}
	return number;
}

static void wait_for_late_ones(struct plan *plan)
{
	uint64_t end_ns = now_ns() + plan->linger_ms * 1000000ULL;
	struct pollfd polls[MAX_TO];

	for (unsigned i = 0; i < plan->n_to; i++)
		polls[i] = (struct pollfd){.fd = plan->to[i].fd, .events = POLLIN};
	while (now_ns() < end_ns) {
		poll(polls, plan->n_to, 10);
		drain(plan);
	}
}

static void report(struct plan *plan, uint64_t sent)
{
	json_object *root = json_object_new_object(), *list = json_object_new_array();

	json_object_object_add(root, "sent", json_object_new_uint64(sent));
	json_object_object_add(root, "to", list);
	for (unsigned i = 0; i < plan->n_to; i++) {
		struct observer *to = &plan->to[i];
		json_object *o = json_object_new_object();
		const struct {
			const char *name;
			uint64_t value;
		} row[] = {{"received", to->received}, {"lost", sent > to->received ? sent - to->received : 0},
			{"duplicated", to->duplicated}, {"reordered", to->reordered}, {"corrupted", to->corrupted},
			{"foreign", to->foreign}, {"overruns", inlet_overruns(to->fd)}};

		json_object_object_add(o, "place", json_object_new_string(to->place));
		for (unsigned n = 0; n < sizeof(row) / sizeof(*row); n++)
			json_object_object_add(o, row[n].name, json_object_new_uint64(row[n].value));
		json_object_object_add(o, "tags", to->tags);
		json_object_array_add(list, o);
	}
	puts(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN));
	json_object_put(root);
}

static uint64_t number_of(const char *text)
{
	char *end;
	uint64_t value = strtoull(text, &end, 0);

	if (end == text || *end)
		die(text, "expected a number");
	return value;
}

static void mac_of(const char *text, uint8_t *mac)
{
	if (sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", mac, mac + 1, mac + 2, mac + 3, mac + 4, mac + 5) != 6)
		die(text, "expected a MAC address");
}

static void sizes_of(char *text, struct crafted_form *form)
{
	char *dash = strchr(text, '-');

	if (dash)
		*dash = 0;
	form->size_min = number_of(text);
	form->size_max = dash ? number_of(dash + 1) : form->size_min;
	if (form->size_min > form->size_max || form->size_max > CRAFTED_MAX)
		die(text, "expected a size, or two with a dash, up to 65536");
}

static void add_tag(char *text, struct crafted_form *form)
{
	char *colon = strchr(text, ':');
	uint32_t tpid = colon ? strtoul(text, NULL, 16) : 0x8100;

	if (form->n_tags == CRAFTED_MAX_TAGS)
		die(text, "that is a tag too many");
	form->tags[form->n_tags++] = tpid << 16 | (number_of(colon ? colon + 1 : text) & 0xffff);
}

static void raw_of(const char *text, struct plan *plan)
{
	for (; text[0] && text[1] && plan->raw_size < CRAFTED_MAX; text += 2)
		if (sscanf(text, "%2hhx", &plan->raw[plan->raw_size++]) != 1)
			die(text, "expected bytes in hex");
	if (!plan->raw_size)
		die("--hex", "expected bytes in hex");
}

static const struct option options[] = {
	{"from", 1, 0, 'f'},
	{"to", 1, 0, 't'},
	{"count", 1, 0, 'c'},
	{"rate", 1, 0, 'r'},
	{"size", 1, 0, 's'},
	{"dst", 1, 0, 'd'},
	{"src", 1, 0, 'S'},
	{"sources", 1, 0, 'n'},
	{"tag", 1, 0, 'T'},
	{"type", 1, 0, 'e'},
	{"linger", 1, 0, 'l'},
	{"hex", 1, 0, 'x'},
	{0},
};

static void parse(int argc, char **argv, struct plan *plan)
{
	int letter;

	while ((letter = getopt_long(argc, argv, "", options, NULL)) >= 0)
		switch (letter) {
		case 'f':
			plan->from = optarg;
			break;
		case 't':
			if (plan->n_to == MAX_TO)
				die(optarg, "that is a --to too many");
			plan->to[plan->n_to++].place = optarg;
			break;
		case 'c':
			plan->count = number_of(optarg);
			break;
		case 'r':
			plan->rate = number_of(optarg);
			break;
		case 's':
			sizes_of(optarg, &plan->form);
			break;
		case 'd':
			mac_of(optarg, plan->form.dst);
			break;
		case 'S':
			mac_of(optarg, plan->form.src);
			break;
		case 'n':
			plan->form.n_sources = number_of(optarg);
			break;
		case 'T':
			add_tag(optarg, &plan->form);
			break;
		case 'e':
			plan->form.eth_type = number_of(optarg);
			break;
		case 'l':
			plan->linger_ms = number_of(optarg);
			break;
		case 'x':
			raw_of(optarg, plan);
			break;
		default:
			exit(2);
		}
	if (!plan->from || !plan->n_to || optind != argc || !plan->form.n_sources)
		die("usage", "frames --from NETNS:DEVICE --to NETNS:DEVICE …; the head of tests/tools/frames.c has the "
			     "rest");
	if (!plan->raw_size && plan->form.size_min < 14 + 4 * plan->form.n_tags)
		die("--size", "a frame has at least its header and tags; --hex sends anything");
}

int main(int argc, char **argv)
{
	static struct plan plan = {.form = {.dst = {2, 0, 0, 0, 0, 2},
					   .src = {2, 0, 0, 0, 0, 1},
					   .n_sources = 1,
					   .eth_type = 0x88b5,
					   .size_min = 64,
					   .size_max = 64},
		.count = 1,
		.linger_ms = 300};
	uint64_t sent;
	int from;

	parse(argc, argv, &plan);
	plan.form.run = getpid();
	signal(SIGTERM, stop);
	signal(SIGINT, stop);
	for (unsigned i = 0; i < plan.n_to; i++) {
		struct observer *to = &plan.to[i];

		to->fd = inlet_open(to->place);
		if (to->fd < 0)
			die(to->place, strerror(-to->fd));
		to->seen = calloc(1, plan.count / 8 + 1);
		to->tags = json_object_new_object();
		if (!to->seen || !to->tags)
			die(to->place, "no memory");
	}
	from = inlet_open(plan.from);
	if (from < 0)
		die(plan.from, strerror(-from));
	sent = send_all(&plan, from);
	wait_for_late_ones(&plan);
	report(&plan, sent);
	return 0;
}
