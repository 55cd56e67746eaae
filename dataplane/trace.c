/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/trace.h"

#include "bpf/extract.h"
#include "dataplane/complaint.h"
#include "dataplane/layers.h"
#include "dataplane/meter_slots.h"
#include "dataplane/normal.h"
#include "dataplane/program.h"
#include "dataplane/rewrite.h"
#include "dataplane/rewrites.h"
#include "dataplane/sets.h"
#include "dataplane/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ETH_SIZE   14
#define TAG_SIZE   4
#define IPV6_SIZE  40
#define HEADROOM   SW_MAX_PUSHED
#define TAILROOM   64
#define DEEPEST    32   /* bytes of a transport's header that a rewrite looks at */
#define ONE_BUFFER 3072 /* bytes that every driver, and BPF_PROG_TEST_RUN, puts into one buffer */

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

static void put_op(struct text *text, const struct trace_parts *parts, const struct xop *op)
{
	struct actions one = {.n = 1, .list = op->action};
	char word[80];

	switch ((enum xop_type)op->type) {
	case XOP_COUNT:
	case XOP_SAVE:
	case XOP_RESTORE:
	case XOP_FORK:
		return;
	case XOP_MIRROR:
		text_put(text, ", a copy to mirror %s", pipeline_mirror_name(parts->pl, (uint16_t)op->mirror));
		break;
	case XOP_OUTPUT:
		text_put(text, ", output to %s", port_name(parts->pl, op->port));
		break;
	case XOP_NORMAL:
		text_put(text, ", NORMAL");
		break;
	case XOP_CONTROLLER:
		text_put(text, ", to the controller");
		break;
	case XOP_TABLE:
		text_put(text, ", through the tables");
		break;
	case XOP_REWRITE:
		actions_format(&one, NULL, word, sizeof(word));
		text_put(text, ", %s", word);
		break;
	case XOP_METER:
		text_put(text, ", meter %u", op->meter);
		break;
	}
}

/* What only the daemon can do, or the program copy by copy. */
static void describe_ops(const struct trace_parts *parts, const struct xlate *answer, struct trace_result *ret)
{
	struct text text = text_begin(ret->answer, sizeof(ret->answer));

	if (answer->in_daemon)
		text_put(&text, "by the daemon (%s)", answer->in_daemon);
	else
		text_put(&text, "each copy in its own way");
	for (uint32_t i = 0; i < answer->n_ops; i++)
		put_op(&text, parts, &answer->ops[i]);
	if (answer->needs_frame)
		text_put(&text, ", and what the frame itself decides");
	else if (answer->drop != SW_DROP_NONE)
		text_put(&text, "; dropped for %s if nothing of this takes it", drop_word(answer->drop));
}

static void put_rewrites(struct text *text, const struct xlate *answer)
{
	char word[80];

	for (uint32_t i = 0; i < answer->n_rewrites; i++) {
		struct actions one = {.n = 1, .list = answer->rewrites[i]};

		actions_format(&one, NULL, word, sizeof(word));
		text_put(text, "%s, ", word);
	}
}

static void describe_answer(const struct trace_parts *parts, const struct xlate *answer, struct trace_result *ret)
{
	struct text text;

	if (answer->in_daemon || answer->copies) {
		describe_ops(parts, answer, ret);
		return;
	}
	text = text_begin(ret->answer, sizeof(ret->answer));
	if (answer->meter)
		text_put(&text, "meter %u, ", meter_slots_at(sets_meter_slots(parts->sets), answer->meter)->id);
	for (uint64_t left = answer->mirrors; left; left &= left - 1)
		text_put(&text, "a copy to mirror %s, ", pipeline_mirror_name(parts->pl, mirrors_first(left)));
	if (answer->tells)
		text_put(&text, "tell the controller, ");
	if (!answer->n_outputs) {
		text_put(&text, "drop: %s", drop_word(answer->drop));
	} else {
		put_rewrites(&text, answer);
		text_put(&text, "%s to ", answer->flood ? "flood" : "forward");
		for (uint32_t i = 0; i < answer->n_outputs; i++)
			put_output(&text, parts, answer, i);
	}
	for (uint64_t left = xlate_mirrors_leaving(parts->pl, answer); left; left &= left - 1)
		text_put(&text, ", a copy as it leaves to mirror %s",
			pipeline_mirror_name(parts->pl, mirrors_first(left)));
	if (answer->learn.wanted)
		text_put(&text, "; learn its source on %s", port_name(parts->pl, answer->learn.port));
	if (!answer->cacheable)
		text_put(&text, "; not cached: %s", answer->uncacheable ? answer->uncacheable : "its answer is not");
}

/* A frame that hit a flow: what was to become of it, and what the program says. */
struct hit {
	const struct pipeline *pl;
	const struct sw_meter *meter;    /* of the answer; NULL: it has none */
	const struct program *whole;     /* that the flow is to have */
	const struct program *program;   /* the same, or of a fork that of the branch which frames take now */
	const struct xlate *carried_out; /* the answer for this frame */
	const uint8_t *frame;            /* as it came */
	uint32_t size;
	struct frame rewritten; /* of an answer that rewrites: as it is to leave */
	enum rewrite rewrite;
	bool is_obscure; /* on the way there were headers that the program does not look through */
	uint8_t *room;   /* for that */
	const struct dp_probe *probe;
};

/* How the program is to part with a frame. */
enum way { WAY_DROP, WAY_OUT, WAY_BROADCAST, WAY_COPIES, WAY_UP };

static bool is_normal(const struct hit *hit)
{
	return hit->program->steps[program_first(hit->program->steps)].op == SW_OP_NORMAL;
}

/* What is to be learned goes up, and a move always. */
static bool is_learned(const struct hit *hit)
{
	const struct xlate_learn *learn = &hit->carried_out->learn;

	return is_normal(hit) && (learn->moved || (learn->wanted && hit->program->flags & SW_FLOW_LEARN));
}

/* What stands behind a NORMAL is for frames that are for everybody. */
static enum way way_of(const struct hit *hit)
{
	const struct xlate *answer = hit->carried_out;
	enum sw_op last = hit->program->steps[hit->program->n_steps - 1].op;

	if (is_learned(hit))
		return WAY_UP;
	if (is_normal(hit) && !answer->n_outputs)
		return answer->tells ? WAY_UP : WAY_DROP;
	if (is_normal(hit) && !answer->flood)
		return pipeline_port(hit->pl, answer->outputs[0].port)->fast ? WAY_OUT : WAY_UP;
	if (last == SW_OP_UPCALL)
		return WAY_UP;
	if (!answer->n_outputs)
		return WAY_DROP;
	if (last == SW_OP_COPIES)
		return WAY_COPIES;
	return last == SW_OP_BROADCAST ? WAY_BROADCAST : WAY_OUT;
}

/* The longest frame, one tag among it, that every member of the broadcast's set can take. */
static uint32_t broadcast_limit(const struct hit *hit)
{
	const struct xlate *answer = hit->carried_out;
	uint32_t limit = ONE_BUFFER;

	for (uint32_t i = 0; i <= answer->n_outputs; i++) {
		uint16_t id = i < answer->n_outputs ? answer->outputs[i].port : answer->in_port;
		uint32_t max_frame = pipeline_port(hit->pl, id)->max_frame;

		if (max_frame < limit)
			limit = max_frame;
	}
	return limit;
}

/* By how much the rewrites may lengthen it. */
static uint32_t growth_of(const struct hit *hit)
{
	const struct xlate *answer = hit->carried_out;
	struct sw_rewrite rewrite;

	return rewrite_compile(answer->rewrites, answer->n_rewrites, &rewrite) ? rewrite.growth : 0;
}

/* Headers that the program may leave to the daemon, although it would do the same (bpf/rewrite.h). */
static bool is_left_to_daemon(const struct hit *hit)
{
	struct frame frame = {.data = (uint8_t *)hit->frame, .size = hit->size};
	struct layers layers;

	if (!hit->carried_out->n_rewrites)
		return false;
	if (hit->rewrite == REWRITE_BAD_TTL || hit->size > ONE_BUFFER || !layers_find(&frame, &layers))
		return true;
	if (rewrite_may_undo(hit->carried_out->rewrites, hit->carried_out->n_rewrites))
		return hit->is_obscure;
	if (layers.eth_type == SW_ETH_VLAN || layers.eth_type == SW_ETH_SVLAN)
		return true;
	if (layers.eth_type == SW_ETH_IPV4)
		return !layers.ip.version;
	return layers.eth_type == SW_ETH_IPV6 && layers.ip.l4 != layers.l3 + IPV6_SIZE;
}

/*
 * Going up is as good: the frame may lie in several buffers or be too long for a member. From a port that is down
 * nothing is learned, which only the daemon knows.
 */
static bool may_go_up(const struct hit *hit)
{
	const struct xlate *answer = hit->carried_out;

	if (is_normal(hit) && !pipeline_port(hit->pl, answer->in_port)->up)
		return true;
	if (is_left_to_daemon(hit) || (hit->meter && hit->size > ONE_BUFFER))
		return true;
	switch (way_of(hit)) {
	case WAY_DROP:
		return false;
	case WAY_OUT:
		return hit->size > ONE_BUFFER && !pipeline_port(hit->pl, answer->outputs[0].port)->sg;
	case WAY_BROADCAST:
		return hit->size + TAG_SIZE + growth_of(hit) > broadcast_limit(hit);
	case WAY_COPIES: /* for what any of them needs */
	case WAY_UP:
		return true;
	}
	return false;
}

/* Addresses, the tag that it is to have, and EtherType. */
struct head {
	uint8_t bytes[ETH_SIZE + TAG_SIZE];
	uint32_t size;
};

static bool is_tagged(const uint8_t *frame, uint32_t size)
{
	return size >= ETH_SIZE + TAG_SIZE && frame[12] == 0x81 && frame[13] == 0x00;
}

static struct head head_of(const struct hit *hit, const struct xlate_output *output)
{
	bool was = is_tagged(hit->frame, hit->size),
	     is = output->tag == XLATE_AS_IS ? was : output->tag == XLATE_TAGGED;
	uint16_t tci = was ? (uint16_t)(hit->frame[14] << 8 | hit->frame[15]) : 0;
	struct head head = {.size = is ? ETH_SIZE + TAG_SIZE : ETH_SIZE};

	if (output->tag == XLATE_TAGGED)
		tci = (uint16_t)((tci & ~SW_VLAN_VID) | hit->carried_out->vid);
	memcpy(head.bytes, hit->frame, 12);
	if (is)
		memcpy(head.bytes + 12, (const uint8_t[]){0x81, 0x00, (uint8_t)(tci >> 8), (uint8_t)tci}, TAG_SIZE);
	memcpy(head.bytes + head.size - 2, hit->frame + (was ? 16 : 12), 2);
	return head;
}

/* IPv6 extension headers, what lies deep, and messages whose options may. */
static bool is_obscure(const struct frame *frame)
{
	struct layers layers;
	uint32_t end;

	if (!layers_find(frame, &layers) || !layers.ip.version)
		return false;
	end = layers.ip.l4 + (layers.ip.l4_proto == SW_IP_ICMPV6 ? layers.ip.l4_size : DEEPEST);
	return end > SW_PARSE_MAX || (layers.ip.version == 6 && layers.ip.l4 != layers.l3 + IPV6_SIZE);
}

/* The frame as the answer's rewrites make it, if its meter raises its drop precedence by so much before. */
static void rewrite(struct hit *hit, uint8_t levels)
{
	const struct xlate *answer = hit->carried_out;

	hit->rewritten = (struct frame){hit->room + HEADROOM, hit->size, HEADROOM, TAILROOM};
	hit->rewrite = REWRITE_DONE;
	memcpy(hit->rewritten.data, hit->frame, hit->size);
	rewrite_remark(&hit->rewritten, levels);
	for (uint32_t i = 0; i < answer->n_rewrites && hit->rewrite == REWRITE_DONE; i++) {
		hit->is_obscure |= is_obscure(&hit->rewritten);
		hit->rewrite = rewrite_apply(&hit->rewritten, answer->rewrites[i]);
	}
}

/* Byte for byte, but for the checksum that may have been finished on the way. */
static bool is_rewritten(const struct hit *hit)
{
	const struct frame *wanted = &hit->rewritten;
	uint32_t n = wanted->size < sizeof(hit->probe->frame) ? wanted->size : sizeof(hit->probe->frame), at = n;
	struct layers layers;

	if (hit->rewrite != REWRITE_DONE || hit->probe->size != wanted->size)
		return false;
	if (hit->program->flags & SW_FLOW_CSUM && layers_find(wanted, &layers) && layers.ip.version && layers.ip.l4)
		at = layers.ip.l4 + (layers.ip.l4_proto == SW_IP_TCP ? 16 : 6);
	if (at + 2 > n)
		return !memcmp(hit->probe->frame, wanted->data, n);
	return !memcmp(hit->probe->frame, wanted->data, at) &&
	       !memcmp(hit->probe->frame + at + 2, wanted->data + at + 2, n - at - 2);
}

/* Which band of its meter applies depends on what came before. */
static bool is_rewritten_as_asked(struct hit *hit)
{
	bool is = is_rewritten(hit);

	for (uint32_t i = 0; !is && hit->meter && i < hit->meter->n_bands; i++) {
		rewrite(hit, hit->meter->bands[i].levels);
		is = is_rewritten(hit);
	}
	return is;
}

/* Of what stands behind the head a checksum may have been finished: only its length is looked at. */
static bool leaves_as_asked(const struct hit *hit)
{
	const struct xlate_output *output = &hit->carried_out->outputs[0];
	uint32_t was = is_tagged(hit->frame, hit->size) ? ETH_SIZE + TAG_SIZE : ETH_SIZE;
	struct head head;

	if (hit->probe->out_port != output->port || hit->size < ETH_SIZE)
		return false;
	head = head_of(hit, output);
	return hit->probe->size == hit->size - was + head.size && !memcmp(hit->probe->frame, head.bytes, head.size);
}

static bool verdict_is(const struct dp_probe *probe, const char *verdict)
{
	return strcmp(probe->verdict, verdict) == 0;
}

static bool goes_as_asked(struct hit *hit)
{
	const struct dp_probe *probe = hit->probe;

	if (hit->meter && probe->drop == SW_DROP_METER)
		return verdict_is(probe, "drop") && !probe->out_port;

	if (probe->went_up)
		return verdict_is(probe, "redirect") && !probe->out_port && may_go_up(hit);
	switch (way_of(hit)) {
	case WAY_DROP:
		return verdict_is(probe, "drop") && !probe->out_port && probe->drop == hit->carried_out->drop;
	case WAY_OUT:
		if (hit->carried_out->n_rewrites)
			return verdict_is(probe, "redirect") && probe->out_port == hit->carried_out->outputs[0].port &&
			       is_rewritten_as_asked(hit);
		return verdict_is(probe, "redirect") && leaves_as_asked(hit);
	case WAY_BROADCAST:
		if (hit->carried_out->n_rewrites && !is_rewritten_as_asked(hit))
			return false;
		return verdict_is(probe, "redirect") && !probe->out_port;
	case WAY_COPIES:
		return verdict_is(probe, "redirect") && !probe->out_port && probe->copied &&
		       probe->copies == hit->program->copies && probe->size == hit->size;
	case WAY_UP:
		return false;
	}
	return false;
}

/* "redirect to p2, 64 bytes", "redirect to the daemon, which is to learn its source", "drop (same_port)" */
static void put_verdict(struct text *text, const struct hit *hit)
{
	const struct dp_probe *probe = hit->probe;

	text_put(text, "%s", probe->verdict);
	if (probe->drop != SW_DROP_NONE)
		text_put(text, " (%s)", drop_word(probe->drop));
	else if (probe->went_up)
		text_put(text, " to the daemon%s", is_learned(hit) ? ", which is to learn its source" : "");
	else if (probe->out_port)
		text_put(text, " to %s, %u bytes", port_name(hit->pl, probe->out_port), probe->size);
	else if (probe->copied)
		text_put(text, " to all that its copies name, each to be rewritten");
	else if (verdict_is(probe, "redirect"))
		text_put(text, " to all that its broadcast names, %u bytes", probe->size);
}

static void judge_hit(const struct trace_parts *parts, struct hit *hit, struct trace_result *ret)
{
	const struct sw_flow *flow = &parts->dp->memory.flows[hit->probe->slot];
	struct text text;
	char steps[400];

	text = text_begin(ret->kernel, sizeof(ret->kernel));
	program_format(parts->pl, parts->sets, flow->steps, flow->n_steps, steps, sizeof(steps));
	text_put(&text, "flow found: %s; verdict ", steps);
	put_verdict(&text, hit);
	ret->agree = program_is_of(hit->whole, flow) && goes_as_asked(hit);
}

/* Nothing but a flow sends a frame out of a port. */
static void judge_miss(const struct trace_parts *parts, struct trace_result *ret)
{
	const struct dp_probe *probe = &ret->probe;
	struct text text;

	text = text_begin(ret->kernel, sizeof(ret->kernel));
	text_put(&text, "%s; verdict %s",
		parts->is_cached ? "does not find the flow that is cached" : "no flow is cached", probe->verdict);
	if (probe->drop != SW_DROP_NONE)
		text_put(&text, " (%s)", drop_word(probe->drop));
	else if (probe->went_up)
		text_put(&text, ": it goes up to the daemon");
	ret->agree = !parts->is_cached && (probe->drop != SW_DROP_NONE || probe->went_up);
}

/* What an answer compiles to; `now`: the branch of it that frames take. */
struct programs {
	struct program whole, now;
};

/* `carried_out` is what the answer is for this frame. */
static void ask_kernel(const struct trace_parts *parts, const struct programs *programs,
	const struct xlate *carried_out, uint32_t ifindex, const void *frame, uint32_t size, struct trace_result *ret)
{
	const struct meter_slots *slots = sets_meter_slots(parts->sets);
	struct hit hit = {.pl = parts->pl,
		.meter = carried_out->meter ? meter_slots_at(slots, carried_out->meter) : NULL,
		.whole = &programs->whole,
		.program = &programs->now,
		.carried_out = carried_out,
		.frame = frame,
		.size = size,
		.room = malloc(HEADROOM + size + TAILROOM),
		.probe = &ret->probe};
	int error = -ENOMEM;

	if (hit.room)
		error = parts->dp->ops->probe(parts->dp, ifindex, frame, size, &ret->probe);
	if (error) {
		free(hit.room);
		snprintf(ret->kernel, sizeof(ret->kernel), "the program could not be asked: %s", strerror(-error));
		return;
	}
	ret->probed = true;
	rewrite(&hit, 0);
	if (ret->probe.cached)
		judge_hit(parts, &hit, ret);
	else
		judge_miss(parts, ret);
	free(hit.room);
}

/* Bits that are names of others, or that only an address without a family would have. */
static bool is_nobodys(enum field_id field)
{
	return field == FIELD_IN_PHY_PORT || field == FIELD_L3_SRC || field == FIELD_L3_DST || field == FIELD_L4_SRC ||
	       field == FIELD_L4_DST;
}

/* What a frame of this key has; the rest of the key is zero in all frames of its kind, and tells nobody anything. */
static struct sw_key fields_of(const struct sw_key *key)
{
	struct flow_match all = {.key = flow_of_key(key)};
	struct flow mask = {0};

	memset(&all.mask, 0xff, sizeof(all.mask));
	for (int id = 0; id < N_FIELDS; id++) {
		enum field_id field = (enum field_id)id;

		if (!is_nobodys(field) && field_prerequisite_met(field, &all))
			flow_look(&mask, field);
	}
	if (!key->f.eth_type_be)
		mask.x.f.eth_type_be = 0;
	return mask.fast;
}

int trace_run(const struct trace_parts *parts, const struct sw_key *key, const void *frame, uint32_t size,
	const struct trace_sink *sink, struct trace_result *ret, struct complaint *c)
{
	struct flow_names names = pipeline_names(parts->pl);
	struct xlate *answer = malloc(sizeof(*answer));
	struct sw_key all, fields = fields_of(key);
	struct programs programs;

	if (!answer)
		return complain(c, -ENOMEM, "out of memory");
	memset(ret, 0, sizeof(*ret));
	memset(&all, 0xff, sizeof(all));
	translate(parts->pl, key, sink, answer);
	program_compile(parts->sets, parts->pl, key, answer, &programs.whole);
	take_branch_now(parts->pl, key, answer);
	program_compile(parts->sets, parts->pl, key, answer, &programs.now);
	normal_carry_out(parts->pl, key, sink, answer);
	describe_answer(parts, answer, ret);
	key_format(key, &all, &names, ret->key, sizeof(ret->key));
	key_format(key, &fields, &names, ret->fields, sizeof(ret->fields));
	key_format(key, &answer->mask, &names, ret->megaflow, sizeof(ret->megaflow));
	if (frame)
		ask_kernel(parts, &programs, answer, key->f.in_ifindex, frame, size, ret);
	else
		snprintf(ret->kernel, sizeof(ret->kernel), "not asked: a key is no frame");
	program_release(parts->sets, &programs.now);
	program_release(parts->sets, &programs.whole);
	free(answer);
	return 0;
}
