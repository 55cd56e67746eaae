/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/craft.h"
#include "ctl/daemon.h"
#include "ctl/grammar.h"
#include "ctl/json.h"
#include "ctl/reply.h"
#include "ctl/words.h"
#include "bpf/extract.h"
#include "dataplane/complaint.h"
#include "dataplane/vswitch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ETH_SIZE  14
#define MAX_FRAME (WORDS_LINE_SIZE / 2)
#define HOW       "in_port=PORT and the frame's bytes in hex, or a key as in_port=PORT,eth_dst=MAC,…"

#define NO_DEVICE "the device of that port is not there: port show says why"

/* What is to be traced: a key, and the frame that it was taken from or that was crafted for it. */
struct subject {
	struct sw_key key;
	uint32_t size; /* 0: no frame */
	bool crafted;
	uint8_t frame[MAX_FRAME];
};

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static int fault(struct grammar_problem *problem, const struct request *request, unsigned index, const char *text)
{
	const struct grammar_value at = {.index = index};

	return grammar_fault(problem, request, &at, HOW, "%s", text);
}

/* The bytes of the words from `first` on; colons between them are skipped. */
static int read_hex(
	const struct request *request, unsigned first, struct subject *subject, struct grammar_problem *problem)
{
	uint32_t n = 0;

	for (unsigned i = first; i < request->words->n; i++) {
		for (const char *p = request->words->word[i]; *p; p += 2) {
			while (*p == ':')
				p++;
			if (!*p)
				break;
			if (digit(p[0]) < 0 || digit(p[1]) < 0)
				return fault(problem, request, i, "a frame is written in pairs of hex digits");
			if (n == MAX_FRAME)
				return fault(problem, request, i, "the frame is too long");
			subject->frame[n++] = (uint8_t)(digit(p[0]) << 4 | digit(p[1]));
		}
	}
	subject->size = n;
	return 0;
}

/* A port of the bridge by its name, or by its OpenFlow number where none is named so. */
struct ports {
	const struct pipeline *pl;
	const struct bridge *bridge; /* NULL: there is none of that name, which is told later */
};

static const struct port *find_port(const struct ports *ports, const char *word)
{
	const struct port *port = pipeline_port_by_name(ports->pl, word);

	if (port || !ports->bridge || !*word || word[strspn(word, "0123456789")])
		return port;
	return pipeline_port_by_number(ports->pl, ports->bridge->id, (uint32_t)strtoul(word, NULL, 10));
}

static uint32_t ifindex_of(const void *ctx, const char *word)
{
	const struct port *port = find_port(ctx, word);

	return port ? port->ifindex : 0;
}

static struct ports ports_of(const struct daemon *d, const struct request *request)
{
	const struct pipeline *pl = vswitch_pipeline(d->vs);

	return (struct ports){pl, pipeline_bridge_by_name(pl, request->args[0].text)};
}

static int read_frame(
	struct daemon *d, const struct request *request, struct subject *subject, struct grammar_problem *problem)
{
	const char *name = request->words->word[request->rest] + strlen("in_port=");
	const struct ports ports = ports_of(d, request);
	const struct port *port = find_port(&ports, name);
	struct sw_headers headers;
	int err;

	if (!port || !port->ifindex)
		return fault(problem, request, request->rest, port ? NO_DEVICE : "there is no such port");
	err = read_hex(request, request->rest + 1, subject, problem);
	if (err)
		return err;
	if (subject->size < ETH_SIZE)
		return fault(problem, request, request->words->n, "a frame has 14 bytes at least");
	sw_extract(
		subject->frame, subject->frame + subject->size, port->ifindex, SW_KEY_WORDS, &subject->key, &headers);
	return 0;
}

/* in_port names a port of which there is no more than that. */
static bool lacks_device(const struct ports *ports, const char *key)
{
	const char *at = strstr(key, "in_port=");
	const struct port *port;
	char name[SW_NAME_SIZE];

	if (!at || (at != key && at[-1] != ','))
		return false;
	at += strlen("in_port=");
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(at, ","), at);
	port = find_port(ports, name);
	return port && !port->ifindex;
}

static int read_key(
	struct daemon *d, const struct request *request, struct subject *subject, struct grammar_problem *problem)
{
	const struct ports ports = ports_of(d, request);
	const struct flow_names names = {.ctx = &ports, .number_of = ifindex_of};
	struct flow_match match;
	struct complaint c;

	if (lacks_device(&ports, request->words->word[request->rest]))
		return fault(problem, request, request->rest, NO_DEVICE);
	if (flow_parse(request->words->word[request->rest], &names, &match, &c))
		return fault(problem, request, request->rest, c.text);
	if (!match.mask.x.f.in_ifindex)
		return fault(problem, request, request->rest, "a key needs in_port=PORT");
	for (int i = FLOW_FAST_WORDS; i < FLOW_WORDS; i++) {
		if (match.mask.w[i])
			return fault(problem, request, request->rest,
				"that field is in no key: give the bytes of a frame that has it");
	}
	subject->key = match.key.fast;
	subject->size = craft_frame(&subject->key, subject->frame);
	subject->crafted = subject->size != 0;
	return 0;
}

static int read_subject(
	struct daemon *d, const struct request *request, struct subject *subject, struct grammar_problem *problem)
{
	const char *first = request->words->word[request->rest];

	if (request->words->n - request->rest == 1)
		return read_key(d, request, subject, problem);
	if (strncmp(first, "in_port=", 8) != 0 || strchr(first, ','))
		return fault(problem, request, request->rest, "a frame needs to say where it comes in");
	return read_frame(d, request, subject, problem);
}

static void add_line(void *ctx, int depth, const char *text)
{
	struct json_object *line = json_append_object(ctx);

	json_add_number(line, "depth", depth > 0 ? (uint64_t)depth : 0);
	json_add_text(line, "text", text);
}

static void add_frame(struct json_object *result, const char *name, const uint8_t *frame, uint32_t size)
{
	char *hex = malloc(2 * (size_t)size + 1);

	if (!hex)
		return;
	for (uint32_t i = 0; i < size; i++)
		sprintf(hex + 2 * i, "%02x", frame[i]);
	hex[2 * size] = '\0';
	json_add_text(result, name, hex);
	free(hex);
}

static void add_probe(struct json_object *result, const struct trace_result *trace)
{
	struct json_object *kernel = json_add_object(result, "kernel");
	const struct dp_probe *probe = &trace->probe;

	json_add_text(kernel, "text", trace->kernel);
	json_add_bool(kernel, "asked", trace->probed);
	if (!trace->probed)
		return;
	json_add_text(kernel, "verdict", probe->verdict);
	json_add_bool(kernel, "cached", probe->cached);
	json_add_bool(kernel, "to_daemon", probe->went_up);
	if (probe->cached)
		json_add_number(kernel, "slot", probe->slot);
	add_frame(kernel, "frame", probe->frame,
		probe->size < sizeof(probe->frame) ? probe->size : (uint32_t)sizeof(probe->frame));
	if (probe->cached || !trace->agree)
		json_add_bool(result, "agree", trace->agree);
	else
		json_object_object_add(result, "agree", NULL); /* nobody knows yet */
}

static void trace(struct daemon *d, const char *bridge, const struct subject *subject, struct reply *reply)
{
	struct json_object *result = json_object_new_object();
	struct trace_sink sink = {.ctx = json_add_array(result, "reasoning"), .line = add_line};
	struct trace_result *trace = calloc(1, sizeof(*trace));
	struct complaint c = {"out of memory"};

	if (!trace || vswitch_trace(d->vs, bridge, &subject->key, subject->size ? subject->frame : NULL, subject->size,
			      &sink, trace, &c)) {
		reply_refuse(reply, "%s", c.text);
		json_object_put(result);
		free(trace);
		return;
	}
	json_add_text(result, "key", trace->key);
	json_add_text(result, "fields", trace->fields);
	json_add_text(result, "megaflow", trace->megaflow);
	json_add_text(result, "answer", trace->answer);
	json_add_bool(result, "crafted", subject->crafted);
	if (subject->size)
		add_frame(result, "frame", subject->frame, subject->size);
	add_probe(result, trace);
	free(trace);
	reply_result(reply, result);
}

void trace_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	struct subject *subject = calloc(1, sizeof(*subject));
	struct grammar_problem problem;

	if (!subject) {
		reply_refuse(reply, "out of memory");
		return;
	}
	if (read_subject(d, request, subject, &problem))
		reply_misuse(reply, &problem);
	else
		trace(d, request->args[0].text, subject, reply);
	free(subject);
}
