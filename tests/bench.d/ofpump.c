/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ofpump.c - the controller of the benchmark: a server of a few commands on stdin, a JSON object a line on stdout.
 *
 *     ofpump CPU
 *
 * It stays on that CPU, which is not the one of the switch under test. Connections are numbered by who asks. The table
 * of commands below says what it can do; what to do when is the business of the bench.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <endian.h>
#include <json-c/json.h>
#include "orders.h"
#include "server.h"
#include "speaker.h"
#include "stopwatch.h"

#define MAX_SPEAKERS    4
#define WAIT_MS         120000
#define ECHO_TIMEOUT_MS 30000
#define ECHO_PAUSE_NS   500000
#define ATTEND_STEP_MS  500 /* well below the time between two echoes that are asked for */
#define BARRIER_XID     0x7fffffff

static struct speaker *speakers[MAX_SPEAKERS];

static void sleep_until(uint64_t ns)
{
	struct timespec at = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

static struct speaker **slot(const char *word)
{
	unsigned long i = strtoul(word, NULL, 10);

	return i < MAX_SPEAKERS ? &speakers[i] : NULL;
}

static struct speaker *speaker(const char *word)
{
	struct speaker **at = slot(word);

	return at ? *at : NULL;
}

static int cmd_connect(char **word, json_object *reply)
{
	struct speaker **at = slot(word[0]);
	const struct speaker_place place = {word[1], word[2], strcmp(word[3], "-") ? word[3] : NULL};

	if (!at)
		return -EINVAL;
	speaker_close(*at);
	*at = NULL;
	return speaker_open(&place, at);
}

static int cmd_close(char **word, json_object *reply)
{
	struct speaker **at = slot(word[0]);

	if (!at)
		return -EINVAL;
	speaker_close(*at);
	*at = NULL;
	return 0;
}

/* Sends what was prepared and a barrier, and times it from the first byte to the barrier's reply. */
static int send_and_settle(struct speaker *s, const uint8_t *bytes, size_t size, json_object *reply)
{
	uint8_t barrier[ORDER_MAX_SIZE];
	const size_t barrier_size = order_barrier(barrier, BARRIER_XID);
	uint64_t begin = stopwatch_now_ns();
	uint32_t n_errors = 0;
	int err = speaker_send(s, bytes, size);

	if (!err)
		err = speaker_send(s, barrier, barrier_size);
	if (!err)
		err = speaker_wait(s, BARRIER_XID, WAIT_MS, &n_errors);
	server_say(reply, "ns", stopwatch_now_ns() - begin);
	server_say(reply, "errors", n_errors);
	return err;
}

/* load SPEAKER RULES PRIORITIES: the rules of so many flows, with that many priorities in turn */
static int cmd_load(char **word, json_object *reply)
{
	struct speaker *s = speaker(word[0]);
	uint32_t n_rules = strtoul(word[1], NULL, 10), n_priorities = strtoul(word[2], NULL, 10);
	uint8_t *bytes;
	size_t size = 0;
	int err;

	if (!s || !n_rules || n_rules > 1 << 24 || !n_priorities)
		return -EINVAL;
	bytes = malloc((size_t)n_rules * ORDER_MAX_SIZE);
	if (!bytes)
		return -ENOMEM;
	for (uint32_t i = 0; i < n_rules; i++) {
		struct order_rule rule = order_rule_of_flow(i, n_rules, BENCH_UDP4);

		rule.priority += i % n_priorities;
		size += order_flow_mod(bytes + size, i + 1, &rule);
	}
	err = send_and_settle(s, bytes, size, reply);
	free(bytes);
	server_say(reply, "bytes", size);
	return err;
}

/* clear SPEAKER: no rule is left in any table */
static int cmd_clear(char **word, json_object *reply)
{
	struct speaker *s = speaker(word[0]);
	uint8_t order[ORDER_MAX_SIZE];

	return s ? send_and_settle(s, order, order_clear(order, 1), reply) : -EINVAL;
}

/* pipeline SPEAKER TABLES */
static int cmd_pipeline(char **word, json_object *reply)
{
	struct speaker *s = speaker(word[0]);
	unsigned long n_tables = strtoul(word[1], NULL, 10);
	uint8_t bytes[254 * ORDER_MAX_SIZE];
	size_t size = 0;

	if (!s || !n_tables || n_tables > 254)
		return -EINVAL;
	for (unsigned long table = 0; table < n_tables; table++)
		size += order_stage(bytes + size, table + 1, table, n_tables);
	return send_and_settle(s, bytes, size, reply);
}

/* What the rules of `steer` do. */
enum steering { STEER_OUTPUT, STEER_NAT, STEER_SELECT, STEER_METER, STEER_N };

static struct order_rule steering_rule(
	enum steering steering, enum bench_packet packet, uint32_t i, uint32_t n_rules, uint32_t n_translations)
{
	struct order_rule rule = order_rule_of_flow(i, n_rules ? n_rules : 1, packet);
	const uint32_t number = n_translations ? i % n_translations : 0;

	if (!n_rules)
		rule.scope = ORDER_PORT;
	if (steering == STEER_NAT) {
		rule.nat_src = (uint32_t)BENCH_NAT_NET << 16 | (number & 0xffff);
		rule.nat_l4_src = BENCH_NAT_PORT(number);
	}
	rule.group = steering == STEER_SELECT;
	rule.meter = steering == STEER_METER;
	return rule;
}

/*
 * steer SPEAKER output|nat|select|meter udp4|tcp4|udp6 RULES TRANSLATIONS: the rules of so many flows, each with one of
 * so many translations in turn; RULES 0: one for all that comes in by port 1
 */
static int cmd_steer(char **word, json_object *reply)
{
	static const char *const steerings[] = {"output", "nat", "select", "meter"}, *const packets[] =
											     BENCH_PACKET_NAMES;
	int steering = server_find(word[1], steerings, STEER_N),
	    packet = server_find(word[2], packets, BENCH_N_PACKETS);
	const uint32_t n_rules = strtoul(word[3], NULL, 10), n_translations = strtoul(word[4], NULL, 10);
	struct speaker *s = speaker(word[0]);
	struct order_rule rule;
	uint8_t *bytes;
	size_t size = 0;
	int err;

	if (!s || steering < 0 || packet < 0 || n_rules > 1 << 24 || (steering == STEER_NAT && !n_translations))
		return -EINVAL;
	bytes = malloc((n_rules + 2ULL) * ORDER_MAX_SIZE);
	if (!bytes)
		return -ENOMEM;
	if (steering == STEER_SELECT)
		size += order_select_group(bytes, 0, 2, 4);
	if (steering == STEER_METER)
		size += order_generous_meter(bytes, 0);
	for (uint32_t i = 0; i < n_rules || !i; i++) {
		rule = steering_rule(steering, packet, i, n_rules, n_translations);
		size += order_flow_mod(bytes + size, i + 1, &rule);
	}
	err = send_and_settle(s, bytes, size, reply);
	free(bytes);
	return err;
}

/* masks SPEAKER: the rules of frame.h that take masks */
static int cmd_masks(char **word, json_object *reply)
{
	uint8_t bytes[(BENCH_MAX_MASKS + 2) * ORDER_MAX_SIZE];
	struct speaker *s = speaker(word[0]);
	size_t size = 0, one;

	if (!s)
		return -EINVAL;
	for (uint32_t i = 0; (one = order_masks(bytes + size, i + 1, i)); i++)
		size += one;
	return send_and_settle(s, bytes, size, reply);
}

/* acl SPEAKER fields|exact: one of the access lists of orders.h */
static int cmd_acl(char **word, json_object *reply)
{
	static const char *const names[] = {[ORDER_ACL_FIELDS] = "fields", [ORDER_ACL_EXACT] = "exact"};
	uint8_t bytes[16 * ORDER_MAX_SIZE];
	struct speaker *s = speaker(word[0]);
	int acl = server_find(word[1], names, ORDER_N_ACLS);
	size_t size = 0, one;

	if (!s || acl < 0)
		return -EINVAL;
	for (uint32_t i = 0; (one = order_acl(bytes + size, i + 1, acl, i)); i++)
		size += one;
	return send_and_settle(s, bytes, size, reply);
}

/* attend SPEAKER MILLISECONDS: is there, says nothing, and answers echoes */
static int cmd_attend(char **word, json_object *reply)
{
	const uint64_t end = stopwatch_now_ns() + strtoul(word[1], NULL, 10) * 1000000;
	struct speaker *s = speaker(word[0]);
	const uint8_t *message;
	uint64_t n = 0;
	size_t size;
	int err = 0;

	if (!s)
		return -EINVAL;
	while (stopwatch_now_ns() < end && (!err || err == -ETIMEDOUT)) {
		err = speaker_receive(s, ATTEND_STEP_MS, &message, &size);
		n += !err;
	}
	server_say(reply, "messages", n);
	return err == -ETIMEDOUT ? 0 : err;
}

/*
 * Unrelated rules: of another network than the generator's, of the same form. Each second message deletes the one that
 * was added a while ago, so that their number stays.
 */
#define DRIP_ALIVE 200

static struct order_rule drip_rule(uint32_t number)
{
	uint32_t i = number / 2 - (number % 2 ? DRIP_ALIVE : 0);

	return (struct order_rule){
		.command = number % 2 ? ORDER_DELETE_STRICT : ORDER_ADD,
		.priority = 1000,
		.src = 192u << 24 | 168u << 16 | (i & 0xffff),
		.dst = 172u << 24 | 16u << 16 | (i * 7 & 0xffff),
		.l4_src = 2000,
		.l4_dst = 3000,
		.out_port = 1,
	};
}

/* drip SPEAKER PER-SECOND MILLISECONDS: flow-mods, one by one and evenly */
static int cmd_drip(char **word, json_object *reply)
{
	struct speaker *s = speaker(word[0]);
	uint64_t per_second = strtoul(word[1], NULL, 10), n, begin = stopwatch_now_ns();
	uint8_t order[ORDER_MAX_SIZE];
	int err = 0;

	if (!s || !per_second)
		return -EINVAL;
	n = strtoul(word[2], NULL, 10) * per_second / 1000;
	for (uint64_t i = 0; i < n && !err; i++) {
		const struct order_rule rule = drip_rule(i);

		sleep_until(begin + i * 1000000000 / per_second);
		err = speaker_send(s, order, order_flow_mod(order, i + 1, &rule));
	}
	if (!err)
		err = send_and_settle(s, order, 0, reply);
	server_say(reply, "sent", n);
	server_say(reply, "wall_ns", stopwatch_now_ns() - begin);
	return err;
}

/* Who asks a switch every half a millisecond how it is, while something else is asked of it. */
struct listener {
	struct speaker *speaker;
	atomic_bool stop;
	uint64_t longest_ns, n;
	int err;
};

static void *listen_to_it(void *arg)
{
	struct listener *l = arg;
	uint8_t echo[ORDER_MAX_SIZE];
	const struct sched_param first = {.sched_priority = 10};

	/* What is measured is the switch, not how soon this thread is let in beside the one that reads the dump. */
	pthread_setschedparam(pthread_self(), SCHED_FIFO, &first);
	for (uint32_t xid = 1; !l->stop && !l->err; xid++) {
		const uint64_t begin = stopwatch_now_ns();

		l->err = speaker_send(l->speaker, echo, order_echo(echo, xid));
		if (!l->err)
			l->err = speaker_wait(l->speaker, xid, ECHO_TIMEOUT_MS, NULL);
		if (!l->err && stopwatch_now_ns() - begin > l->longest_ns)
			l->longest_ns = stopwatch_now_ns() - begin;
		l->n++;
		sleep_until(stopwatch_now_ns() + ECHO_PAUSE_NS);
	}
	return NULL;
}

/* How many descriptions of flows a part of the dump has. */
static uint32_t count_flows(const uint8_t *message, size_t size)
{
	uint32_t n = 0;

	for (size_t at = 16, step; at + 2 <= size; at += step, n++) {
		step = message[at] << 8 | message[at + 1];
		if (step < 56)
			break;
	}
	return n;
}

static int read_dump(struct speaker *s, json_object *reply)
{
	uint64_t begin = stopwatch_now_ns(), n_flows = 0, n_messages = 0, bytes = 0;
	uint8_t order[ORDER_MAX_SIZE];
	const uint8_t *message;
	size_t size;
	bool more = true;
	int err = speaker_send(s, order, order_dump(order, 1));

	while (!err && more) {
		err = speaker_receive(s, WAIT_MS, &message, &size);
		if (err || message[1] != ORDER_MULTIPART_REPLY)
			continue;
		n_flows += count_flows(message, size);
		n_messages++;
		bytes += size;
		more = message[11] & 1; /* OFPMPF_REPLY_MORE */
	}
	server_say(reply, "ns", stopwatch_now_ns() - begin);
	server_say(reply, "flows", n_flows);
	server_say(reply, "messages", n_messages);
	server_say(reply, "bytes", bytes);
	return err;
}

static int attended(
	struct speaker *listening, json_object *reply, int (*work)(void *ctx, json_object *reply), void *ctx)
{
	struct listener l = {.speaker = listening};
	pthread_t thread;
	int err = -pthread_create(&thread, NULL, listen_to_it, &l);

	if (err)
		return err;
	err = work(ctx, reply);
	l.stop = true;
	pthread_join(thread, NULL);
	server_say(reply, "echoes", l.n);
	server_say(reply, "longest_echo_ns", l.longest_ns);
	return err ? err : l.err;
}

static int work_dump(void *ctx, json_object *reply)
{
	return read_dump(ctx, reply);
}

static int work_nothing(void *ctx, json_object *reply)
{
	sleep_until(stopwatch_now_ns() + *(uint64_t *)ctx);
	return 0;
}

/* dump SPEAKER LISTENER: every rule by the one, while the other asks for echoes */
static int cmd_dump(char **word, json_object *reply)
{
	struct speaker *s = speaker(word[0]), *listening = speaker(word[1]);

	return s && listening && s != listening ? attended(listening, reply, work_dump, s) : -EINVAL;
}

/* quiet LISTENER MILLISECONDS: echoes alone, for comparison */
static int cmd_quiet(char **word, json_object *reply)
{
	struct speaker *listening = speaker(word[0]);
	uint64_t ns = strtoul(word[1], NULL, 10) * 1000000;

	return listening ? attended(listening, reply, work_nothing, &ns) : -EINVAL;
}

static const struct server_command commands[] = {
	{"connect", 4, cmd_connect}, /* SPEAKER HOST PORT PKI-FOLDER|- */
	{"close", 1, cmd_close},
	{"load", 3, cmd_load},
	{"steer", 5, cmd_steer},
	{"masks", 1, cmd_masks},
	{"acl", 2, cmd_acl},
	{"attend", 2, cmd_attend},
	{"clear", 1, cmd_clear},
	{"pipeline", 2, cmd_pipeline},
	{"drip", 3, cmd_drip},
	{"dump", 2, cmd_dump},
	{"quiet", 2, cmd_quiet},
};

int main(int argc, char **argv)
{
	if (argc != 2 || stopwatch_pin(atoi(argv[1]))) {
		fputs("usage: ofpump CPU\n", stderr);
		return 2;
	}
	server_run(commands, sizeof(commands) / sizeof(*commands));
	for (int i = 0; i < MAX_SPEAKERS; i++)
		speaker_close(speakers[i]);
	return 0;
}
