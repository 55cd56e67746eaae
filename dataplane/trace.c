/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/trace.h"

#include "dataplane/complaint.h"
#include "dataplane/normal.h"
#include "dataplane/program.h"
#include "dataplane/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *drop_word(enum sw_drop reason)
{
	static const char *const words[] = {
#define X(name, word, text) [SW_DROP_##name] = word,
		SW_DROPS(X)
#undef X
	};

	return reason < SW_N_DROPS ? words[reason] : "unknown";
}

static const char *port_name(const struct pipeline *pl, uint16_t id)
{
	const struct port *port = pipeline_port(pl, id);

	return port ? port->name : "?";
}

static void put_output(struct text *text, const struct trace_parts *parts, const struct xlate *answer, uint32_t i)
{
	static const char *const forms[] = {
		[XLATE_AS_IS] = "", [XLATE_UNTAGGED] = " untagged", [XLATE_TAGGED] = " tagged"};
	const struct xlate_output *out = &answer->outputs[i];

	text_put(text, "%s%s%s", i ? ", " : "", port_name(parts->pl, out->port), forms[out->tag]);
	if (out->tag == XLATE_TAGGED)
		text_put(text, " %u", answer->vid);
}

static void describe_answer(const struct trace_parts *parts, const struct xlate *answer, struct trace_result *ret)
{
	struct text text;

	text = text_begin(ret->answer, sizeof(ret->answer));
	if (!answer->n_outputs) {
		text_put(&text, "drop: %s", drop_word(answer->drop));
	} else {
		text_put(&text, "%s to ", answer->flood ? "flood" : "forward");
		for (uint32_t i = 0; i < answer->n_outputs; i++)
			put_output(&text, parts, answer, i);
	}
	if (answer->learn.wanted)
		text_put(&text, "; learn its source on %s", port_name(parts->pl, answer->learn.port));
	if (!answer->cacheable)
		text_put(&text, "; not cached: %s", answer->uncacheable ? answer->uncacheable : "its answer is not");
}

static bool same_steps(const struct program *program, const struct sw_flow *flow)
{
	return program->n_steps == flow->n_steps &&
	       memcmp(program->steps, flow->steps, program->n_steps * sizeof(flow->steps[0])) == 0;
}

/* What is to be learned goes up, and a move always. */
static bool goes_up(const struct sw_flow *flow, const struct xlate *carried_out)
{
	const struct xlate_learn *learn = &carried_out->learn;

	return flow->steps[0].op == SW_OP_NORMAL && (learn->moved || (learn->wanted && flow->flags & SW_FLOW_LEARN));
}

/* What the verdict of the program must be: it goes out, up, or nowhere. */
static const char *verdict_of(const struct sw_flow *flow, const struct xlate *carried_out)
{
	return carried_out->n_outputs || goes_up(flow, carried_out) ? "redirect" : "drop";
}

static void judge_hit(const struct trace_parts *parts, const struct program *program, const struct xlate *carried_out,
	struct trace_result *ret)
{
	const struct dp_probe *probe = &ret->probe;
	const struct sw_flow *flow = &parts->dp->memory.flows[probe->slot];
	struct text text;
	char steps[400];

	text = text_begin(ret->kernel, sizeof(ret->kernel));
	program_format(parts->pl, parts->sets, flow->steps, flow->n_steps, steps, sizeof(steps));
	text_put(&text, "flow %u answers: %s; verdict %s%s, %u bytes", probe->slot, steps, probe->verdict,
		goes_up(flow, carried_out) ? " to the daemon, which is to learn its source" : "", probe->size);
	ret->agree = same_steps(program, flow) && strcmp(probe->verdict, verdict_of(flow, carried_out)) == 0;
}

static void judge_miss(struct trace_result *ret)
{
	struct text text;

	text = text_begin(ret->kernel, sizeof(ret->kernel));
	if (ret->probe.drop != SW_DROP_NONE)
		text_put(&text, "not in the cache; verdict %s (%s)", ret->probe.verdict, drop_word(ret->probe.drop));
	else
		text_put(&text, "not in the cache; verdict %s: it goes up to the daemon", ret->probe.verdict);
	ret->agree = true;
}

/* `program` is what the answer compiles to, `carried_out` what it is for this frame. */
static void ask_kernel(const struct trace_parts *parts, const struct program *program, const struct xlate *carried_out,
	uint32_t ifindex, const void *frame, uint32_t size, struct trace_result *ret)
{
	int error;

	error = parts->dp->ops->probe(parts->dp, ifindex, frame, size, &ret->probe);
	if (error) {
		snprintf(ret->kernel, sizeof(ret->kernel), "the program could not be asked: %s", strerror(-error));
		return;
	}
	ret->probed = true;
	if (ret->probe.cached)
		judge_hit(parts, program, carried_out, ret);
	else
		judge_miss(ret);
}

int trace_run(const struct trace_parts *parts, const struct sw_key *key, const void *frame, uint32_t size,
	const struct trace_sink *sink, struct trace_result *ret, struct complaint *c)
{
	struct flow_names names = pipeline_names(parts->pl);
	struct xlate *answer = malloc(sizeof(*answer));
	struct program program;
	struct sw_key all;

	if (!answer)
		return complain(c, -ENOMEM, "out of memory");
	memset(ret, 0, sizeof(*ret));
	memset(&all, 0xff, sizeof(all));
	translate(parts->pl, key, sink, answer);
	program_compile(parts->sets, parts->pl, key, answer, &program);
	normal_carry_out(parts->pl, key, sink, answer);
	describe_answer(parts, answer, ret);
	flow_format(key, &all, &names, ret->key, sizeof(ret->key));
	flow_format(key, &answer->mask, &names, ret->megaflow, sizeof(ret->megaflow));
	if (frame)
		ask_kernel(parts, &program, answer, key->f.in_ifindex, frame, size, ret);
	else
		snprintf(ret->kernel, sizeof(ret->kernel), "not asked: a key is no frame");
	program_release(parts->sets, &program);
	free(answer);
	return 0;
}
