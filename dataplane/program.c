/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/program_parts.h"

#include "bpf/hash.h"
#include "dataplane/meter_slots.h"
#include "dataplane/copies.h"
#include "dataplane/forks.h"
#include "dataplane/pipeline.h"
#include "dataplane/rewrites.h"
#include "dataplane/sets.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* 0 is an id like any other, but for a meter. */
static const struct program nothing = {
	.set = SW_MAX_SETS,
	.rewrite = SW_MAX_REWRITES,
	.copies = SW_MAX_COPIES,
	.fork = SW_MAX_FORKS,
};

/* What is known of the tag of every frame that the answer holds for. */
struct tag {
	bool known;     /* whether there is one */
	bool vid_known; /* and which VLAN it says */
	bool present;
	uint16_t vid;
};

static struct tag tag_of(const struct sw_key *key, const struct sw_key *mask)
{
	uint16_t tci = ntohs(key->f.vlan_tci_be), looked_at = ntohs(mask->f.vlan_tci_be);
	struct tag tag = {
		.known = looked_at & SW_VLAN_PRESENT,
		.present = tci & SW_VLAN_PRESENT,
		.vid = tci & SW_VLAN_VID,
	};

	/* Where there is no tag the VID bits are zero, looked at or not. */
	tag.vid_known = tag.known && (!tag.present || (looked_at & SW_VLAN_VID) == SW_VLAN_VID);
	return tag;
}

static void add(struct program *program, enum sw_op op, uint32_t arg)
{
	program->steps[program->n_steps++] = (struct sw_step){.op = op, .arg = arg};
}

uint8_t program_first(const struct sw_step *steps)
{
	uint8_t first = steps[0].op == SW_OP_METER;

	return first + (steps[first].op == SW_OP_TELL);
}

/* A NORMAL at the front stays, and what is before it. */
static void go_up(struct program *program)
{
	uint8_t first = program_first(program->steps);
	bool is_normal = program->n_steps > first && program->steps[first].op == SW_OP_NORMAL;

	program->n_steps = is_normal ? first + 1 : 0;
	program->floods = 0;
	memset(&program->steps[program->n_steps], 0, (SW_MAX_STEPS - program->n_steps) * sizeof(program->steps[0]));
	add(program, SW_OP_UPCALL, is_normal ? SW_UPCALL_NORMAL : SW_UPCALL_ACTION);
}

/* Every output's driver takes what the fast path redirects to it. */
static bool is_fast(const struct pipeline *pl, const struct xlate *xlate)
{
	for (uint32_t i = 0; i < xlate->n_outputs; i++) {
		const struct port *port = pipeline_port(pl, xlate->outputs[i].port);

		if (!port || !port->fast)
			return false;
	}
	return true;
}

/* Makes the frame one of VLAN `vid` with a tag. */
static void put_tag(struct program *program, const struct tag *tag, uint16_t vid)
{
	if (!tag->present)
		add(program, SW_OP_VLAN_PUSH, vid);
	else if (tag->vid != vid)
		add(program, SW_OP_VLAN_SET, vid);
}

static void compile_one(
	const struct pipeline *pl, const struct tag *tag, const struct xlate *xlate, struct program *ret)
{
	const struct xlate_output *output = &xlate->outputs[0];

	if (output->tag != XLATE_AS_IS && !(output->tag == XLATE_TAGGED ? tag->vid_known : tag->known)) {
		go_up(ret);
		return;
	}
	if (output->tag == XLATE_UNTAGGED && tag->present)
		add(ret, SW_OP_VLAN_POP, 0);
	else if (output->tag == XLATE_TAGGED)
		put_tag(ret, tag, xlate->vid);
	add(ret, SW_OP_OUTPUT, output->port);
	if (!pipeline_port(pl, output->port)->sg)
		ret->flags |= SW_FLOW_ONE_BUFFER;
}

/* The form in which a frame is handed to the broadcast. */
struct carrier {
	bool tagged;
	uint16_t vid;
};

static bool wants_tag(const struct tag *tag, const struct xlate_output *output)
{
	return output->tag == XLATE_TAGGED || (output->tag == XLATE_AS_IS && tag->present);
}

/* A frame that came with a tag keeps it until egress, even if nobody wants it: another one may be behind it. */
static struct carrier choose_carrier(const struct tag *tag, const struct xlate *xlate)
{
	struct carrier carrier = {.tagged = tag->present, .vid = xlate->vid};

	for (uint32_t i = 0; i < xlate->n_outputs; i++) {
		if (xlate->outputs[i].tag == XLATE_TAGGED)
			carrier.tagged = true;
		else if (xlate->outputs[i].tag == XLATE_AS_IS && tag->present)
			carrier.vid = tag->vid;
	}
	return carrier;
}

/* Whether an egress program takes the carrier's tag off for this output. */
static bool egress_pops(const struct pipeline *pl, const struct carrier *carrier, const struct xlate_output *output)
{
	uint16_t untagged = vlan_untagged(&pipeline_port(pl, output->port)->vlan);

	return carrier->tagged && untagged && untagged == carrier->vid;
}

/* Whether the carrier becomes what this output is to be. */
static bool egress_does(const struct pipeline *pl, const struct tag *tag, const struct carrier *carrier,
	const struct xlate *xlate, const struct xlate_output *output)
{
	uint16_t untagged = vlan_untagged(&pipeline_port(pl, output->port)->vlan);
	bool pops = egress_pops(pl, carrier, output);

	if (!tag->vid_known && (output->tag != XLATE_AS_IS || untagged))
		return false;
	if (!wants_tag(tag, output))
		return !carrier->tagged || pops;
	return carrier->vid == (output->tag == XLATE_TAGGED ? xlate->vid : tag->vid) && !pops;
}

static bool all_egress_do(
	const struct pipeline *pl, const struct tag *tag, const struct carrier *carrier, const struct xlate *xlate)
{
	for (uint32_t i = 0; i < xlate->n_outputs; i++) {
		if (!egress_does(pl, tag, carrier, xlate, &xlate->outputs[i]))
			return false;
	}
	return true;
}

/* Whoever has a tag taken off has the program that does it. Asks for all of them at once. */
static bool all_are_followed(
	struct sets *sets, const struct pipeline *pl, const struct carrier *carrier, const struct xlate *xlate)
{
	bool followed = true;

	for (uint32_t i = 0; i < xlate->n_outputs; i++) {
		if (egress_pops(pl, carrier, &xlate->outputs[i]))
			followed &= copies_follow(sets_copies(sets), xlate->outputs[i].port);
	}
	return followed;
}

static uint32_t set_of(struct sets *sets, const struct xlate *xlate)
{
	struct port_set members = {0};

	for (uint32_t i = 0; i < xlate->n_outputs; i++)
		port_set_add(&members, xlate->outputs[i].port);
	if (xlate->flood)
		port_set_add(&members, xlate->in_port);
	return sets_get_now(sets, &members);
}

/* Not of a branch: a fork has no lists of copies, and such a bucket's frames go up. */
static void compile_copies(struct sets *sets, const struct xlate *xlate, struct program *ret)
{
	if (xlate->is_branch) {
		go_up(ret);
		return;
	}
	ret->copies = copies_get(sets_copies(sets), xlate);
	ret->lacks = ret->copies == SW_MAX_COPIES;
	if (ret->lacks)
		go_up(ret);
	else
		add(ret, SW_OP_COPIES, ret->copies);
}

static bool all_leave_as_they_came(const struct xlate *xlate)
{
	for (uint32_t i = 0; i < xlate->n_outputs; i++) {
		if (xlate->outputs[i].tag != XLATE_AS_IS)
			return false;
	}
	return !xlate->normal;
}

static void compile_many(struct sets *sets, const struct pipeline *pl, const struct tag *tag, const struct xlate *xlate,
	struct program *ret)
{
	struct carrier carrier = choose_carrier(tag, xlate);

	if (!all_egress_do(pl, tag, &carrier, xlate)) {
		if (all_leave_as_they_came(xlate))
			compile_copies(sets, xlate, ret);
		else
			go_up(ret);
		return;
	}
	if (all_are_followed(sets, pl, &carrier, xlate))
		ret->set = set_of(sets, xlate);
	if (ret->set == SW_MAX_SETS) {
		ret->lacks = true;
		go_up(ret);
		return;
	}
	if (carrier.tagged)
		put_tag(ret, tag, carrier.vid);
	add(ret, SW_OP_BROADCAST, ret->set);
}

/* The egress program takes no tag off any of them. */
static bool all_keep_tags(const struct pipeline *pl, const struct xlate *xlate)
{
	for (uint32_t i = 0; i < xlate->n_outputs; i++) {
		if (vlan_untagged(&pipeline_port(pl, xlate->outputs[i].port)->vlan))
			return false;
	}
	return true;
}

static void compile_rewrite(
	struct sets *sets, const struct pipeline *pl, const struct xlate *xlate, struct program *ret)
{
	bool is_one = xlate->n_outputs == 1;

	if (!is_one && !all_keep_tags(pl, xlate)) {
		compile_copies(sets, xlate, ret);
		return;
	}
	ret->rewrite = rewrites_get(sets_rewrites(sets), xlate->rewrites, xlate->n_rewrites);
	if (ret->rewrite != SW_MAX_REWRITES && !is_one)
		ret->set = set_of(sets, xlate);
	if (ret->rewrite == SW_MAX_REWRITES || (!is_one && ret->set == SW_MAX_SETS)) {
		if (ret->rewrite != SW_MAX_REWRITES)
			rewrites_drop(sets_rewrites(sets), ret->rewrite);
		ret->set = SW_MAX_SETS;
		ret->rewrite = SW_MAX_REWRITES;
		ret->lacks = true;
		go_up(ret);
		return;
	}
	add(ret, SW_OP_REWRITE, ret->rewrite);
	add(ret, is_one ? SW_OP_OUTPUT : SW_OP_BROADCAST, is_one ? xlate->outputs[0].port : ret->set);
}

static void compile_fork(struct sets *sets, const struct pipeline *pl, const struct sw_key *key,
	const struct xlate *xlate, struct program *ret)
{
	program_fork(sets, pl, key, xlate, ret);
	if (ret->fork == SW_MAX_FORKS)
		go_up(ret);
	else
		add(ret, SW_OP_FORK, ret->fork);
}

static void add_normal(struct program *program, const struct bridge *bridge, const struct port *in, uint16_t vid)
{
	add(program, SW_OP_NORMAL, vid);
	if (bridge->learning || (in && in->is_behind))
		program->flags |= SW_FLOW_LEARN;
	if (bridge->forward_reserved)
		program->flags |= SW_FLOW_RESERVED;
}

/* False: it was taken away. */
static bool add_meter(struct sets *sets, uint16_t slot, struct program *ret)
{
	if (meter_slots_hold(sets_meter_slots(sets), slot)) {
		ret->lacks = true;
		return false;
	}
	ret->meter = slot;
	add(ret, SW_OP_METER, slot);
	return true;
}

/* Behind METER, TELL and NORMAL there is room for one step, and none for a tag. */
static bool is_too_long(const struct program *program, const struct xlate *xlate)
{
	if (program->n_steps + 2 <= SW_MAX_STEPS)
		return false;
	for (uint32_t i = 0; i < xlate->n_outputs; i++) {
		if (xlate->outputs[i].tag != XLATE_AS_IS)
			return true;
	}
	return false;
}

/* A program that is up alone has no meter after all. */
static void drop_unused_meter(struct sets *sets, struct program *ret)
{
	if (!ret->meter || ret->steps[0].op == SW_OP_METER)
		return;
	meter_slots_drop(sets_meter_slots(sets), ret->meter);
	ret->meter = 0;
}

/* TELL's argument for these mirrors; `flag` is for where there is one. */
static uint16_t tell_mirrors(uint64_t mirrors, uint16_t flag)
{
	if (!mirrors)
		return 0;
	return mirrors_first(mirrors) | (mirrors & (mirrors - 1) ? SW_TELL_ALL : flag);
}

/* That of the answer; 0: nobody is told. *ret_floods: of what goes on behind its NORMAL. */
static uint16_t who_is_told(const struct pipeline *pl, const struct xlate *xlate, uint16_t *ret_floods)
{
	uint16_t controller = xlate->tells ? SW_TELL_CONTROLLER : 0;
	uint16_t flag = xlate->n_outputs == 1 ? SW_TELL_OUT : SW_TELL_ALL;
	uint64_t leaving = xlate_mirrors_leaving(pl, xlate);

	if (xlate->normal) {
		*ret_floods = tell_mirrors(leaving, flag);
		leaving = 0;
	}
	if (!xlate->mirrors)
		return controller | tell_mirrors(leaving, flag);
	return controller | tell_mirrors(xlate->mirrors, 0) | (leaving ? SW_TELL_ALL : 0);
}

void program_compile(struct sets *sets, const struct pipeline *pl, const struct sw_key *key, const struct xlate *xlate,
	struct program *ret)
{
	const struct port *in_port = pipeline_port(pl, xlate->in_port);
	struct tag tag = tag_of(key, &xlate->mask);
	bool is_metered = true;
	uint16_t tells;

	*ret = nothing;
	ret->flags = in_port && in_port->csum ? SW_FLOW_CSUM : 0;
	if (xlate->meter)
		is_metered = add_meter(sets, xlate->meter, ret);
	tells = who_is_told(pl, xlate, &ret->floods);
	if (is_metered && !xlate->n_branches && tells)
		add(ret, SW_OP_TELL, tells);
	if (xlate->normal && is_metered)
		add_normal(ret, pipeline_bridge(pl, xlate->bridge), in_port, xlate->vid);
	if (!is_metered || xlate->in_daemon || !xlate->cacheable || !is_fast(pl, xlate) || is_too_long(ret, xlate))
		go_up(ret);
	else if (xlate->n_branches)
		compile_fork(sets, pl, key, xlate, ret);
	else if (!xlate->n_outputs)
		add(ret, SW_OP_DROP, xlate->drop);
	else if (xlate->copies)
		compile_copies(sets, xlate, ret);
	else if (xlate->n_rewrites)
		compile_rewrite(sets, pl, xlate, ret);
	else if (xlate->n_outputs == 1)
		compile_one(pl, &tag, xlate, ret);
	else
		compile_many(sets, pl, &tag, xlate, ret);
	drop_unused_meter(sets, ret);
}

struct program program_held_by(const struct sw_flow *flow)
{
	const struct sw_step *first = &flow->steps[program_first(flow->steps)];
	const struct sw_step *last = &flow->steps[flow->n_steps - 1];
	struct program held = nothing;

	if (last->op == SW_OP_BROADCAST)
		held.set = last->arg;
	if (first->op == SW_OP_REWRITE)
		held.rewrite = first->arg;
	if (first->op == SW_OP_COPIES)
		held.copies = first->arg;
	if (first->op == SW_OP_FORK)
		held.fork = first->arg;
	if (flow->steps[0].op == SW_OP_METER)
		held.meter = flow->steps[0].arg;
	return held;
}

bool program_hold(struct sets *sets, const struct program *program)
{
	struct program held = nothing;

	if (program->set != SW_MAX_SETS && !sets_hold(sets, program->set))
		held.set = program->set;
	if (program->rewrite != SW_MAX_REWRITES && !rewrites_hold(sets_rewrites(sets), program->rewrite))
		held.rewrite = program->rewrite;
	if (program->copies != SW_MAX_COPIES && !copies_hold(sets_copies(sets), program->copies))
		held.copies = program->copies;
	if (program->meter && !meter_slots_hold(sets_meter_slots(sets), program->meter))
		held.meter = program->meter;
	if (program->fork != SW_MAX_FORKS && !forks_hold(sets_forks(sets), program->fork))
		held.fork = program->fork;
	if (held.set == program->set && held.rewrite == program->rewrite && held.copies == program->copies &&
		held.meter == program->meter && held.fork == program->fork)
		return true;
	program_release(sets, &held);
	return false;
}

void program_release(struct sets *sets, const struct program *program)
{
	if (program->set != SW_MAX_SETS)
		sets_drop(sets, program->set);
	if (program->rewrite != SW_MAX_REWRITES)
		rewrites_drop(sets_rewrites(sets), program->rewrite);
	if (program->meter)
		meter_slots_drop(sets_meter_slots(sets), program->meter);
	if (program->copies != SW_MAX_COPIES)
		copies_drop(sets_copies(sets), program->copies);
	if (program->fork != SW_MAX_FORKS)
		forks_drop(sets_forks(sets), program->fork);
}

uint64_t program_domain(const struct sw_step *steps, uint64_t seed, uint16_t bridge)
{
	const struct sw_step *first = &steps[program_first(steps)];

	return first->op == SW_OP_NORMAL ? sw_fdb_hash_domain(seed, first->arg, bridge) : 0;
}

bool program_is_of(const struct program *program, const struct sw_flow *flow)
{
	return program->n_steps == flow->n_steps && program->flags == flow->flags && program->floods == flow->floods &&
	       memcmp(program->steps, flow->steps, program->n_steps * sizeof(flow->steps[0])) == 0;
}

/* ---- text ---- */

struct text {
	char *at;
	size_t size;
	size_t length; /* that it would have with room enough */
};

static void put(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct text *text, const char *format, ...)
{
	size_t left = text->length < text->size ? text->size - text->length : 0;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(left ? text->at + text->length : NULL, left, format, args);
	va_end(args);
	if (n > 0)
		text->length += n;
}

static void put_port(struct text *text, const struct pipeline *pl, uint16_t id)
{
	const struct port *port = pipeline_port(pl, id);

	if (port)
		put(text, "%s", port->name);
	else
		put(text, "%u", id);
}

static void put_set(struct text *text, const struct pipeline *pl, const struct sets *sets, uint32_t set)
{
	const char *separator = "";

	for (uint16_t id = 1; id < SW_MAX_PORTS; id++) {
		if (!sets_contain(sets, set, id))
			continue;
		put(text, "%s", separator);
		put_port(text, pl, id);
		separator = "+";
	}
}

static const char *drop_word(uint32_t reason)
{
	static const char *const words[] = {
#define X(name, word, sentence) word,
		SW_DROPS(X)
#undef X
	};

	return reason < SW_N_DROPS ? words[reason] : "?";
}

static const char *upcall_word(uint32_t reason)
{
	static const char *const words[] = {
		"none", "miss", "action", "frags", "over_mtu", "learn", "normal", "rewrite", "branch"};

	return reason < sizeof(words) / sizeof(words[0]) ? words[reason] : "?";
}

/* Each with what is done to it: "dec_ttl,output:p2". */
static void put_copies(struct text *text, const struct pipeline *pl, const struct sets *sets, uint32_t id)
{
	const char *separator = "";
	char actions[1200];
	uint32_t rewrite;

	put(text, "copies:[");
	for (uint16_t port = 1; port < SW_MAX_PORTS; port++) {
		if (!copies_have(sets_copies(sets), id, port, &rewrite))
			continue;
		put(text, "%s", separator);
		separator = "; ";
		if (rewrite != SW_MAX_REWRITES) {
			rewrites_format(sets_rewrites(sets), rewrite, actions, sizeof(actions));
			put(text, "%s,", actions);
		}
		put(text, "output:");
		put_port(text, pl, port);
	}
	put(text, "]");
}

static void put_rewrite(struct text *text, const struct sets *sets, uint32_t id)
{
	char actions[1200];

	rewrites_format(sets_rewrites(sets), id, actions, sizeof(actions));
	put(text, "rewrite:[%s]", actions);
}

static void put_steps(struct text *text, const struct pipeline *pl, const struct sets *sets,
	const struct sw_step *steps, uint8_t n_steps);

static void put_fork(struct text *text, const struct pipeline *pl, const struct sets *sets, uint32_t id)
{
	const struct sw_fork *fork = forks_exist(sets_forks(sets), id) ? forks_see(sets_forks(sets), id) : NULL;
	bool is_select = fork && fork->kind == SW_FORK_SELECT;

	put(text, "%s:%u[", is_select ? "select" : "failover", fork ? fork->group : 0);
	for (uint8_t i = 0; fork && i < fork->n_branches; i++) {
		put(text, "%s%s", i ? "|" : "", !is_select && i == fork->live ? "*" : "");
		put_steps(text, pl, sets, fork->branch[i].steps, fork->branch[i].n_steps);
	}
	put(text, "]");
}

static void put_tell(struct text *text, const struct pipeline *pl, uint16_t arg)
{
	uint16_t mirror = arg & (SW_MAX_MIRRORS - 1);

	put(text, "%s%s", arg & SW_TELL_CONTROLLER ? "controller" : "", arg & SW_TELL_CONTROLLER && mirror ? "," : "");
	if (arg & SW_TELL_ALL)
		put(text, "mirrors");
	else if (mirror)
		put(text, "%s:%s", arg & SW_TELL_OUT ? "mirror_out" : "mirror", pipeline_mirror_name(pl, mirror));
}

static void put_step(struct text *text, const struct pipeline *pl, const struct sets *sets, const struct sw_step *step)
{
	switch (step->op) {
	case SW_OP_OUTPUT:
		put(text, "output:");
		put_port(text, pl, step->arg);
		break;
	case SW_OP_BROADCAST:
		put(text, "broadcast:");
		put_set(text, pl, sets, step->arg);
		break;
	case SW_OP_VLAN_PUSH:
		put(text, "push_vlan:%u", step->arg & SW_VLAN_VID);
		break;
	case SW_OP_VLAN_POP:
		put(text, "pop_vlan");
		break;
	case SW_OP_VLAN_SET:
		put(text, "set_vlan:%u", step->arg);
		break;
	case SW_OP_NORMAL:
		put(text, step->arg ? "normal:%u" : "normal", step->arg);
		break;
	case SW_OP_REWRITE:
		put_rewrite(text, sets, step->arg);
		break;
	case SW_OP_METER:
		put(text, "meter:%u", meter_slots_at(sets_meter_slots(sets), step->arg)->id);
		break;
	case SW_OP_TELL:
		put_tell(text, pl, step->arg);
		break;
	case SW_OP_FORK:
		put_fork(text, pl, sets, step->arg);
		break;
	case SW_OP_COPIES:
		put_copies(text, pl, sets, step->arg);
		break;
	case SW_OP_UPCALL:
		put(text, "upcall:%s", upcall_word(step->arg));
		break;
	case SW_OP_DROP:
		put(text, "drop:%s", drop_word(step->arg));
		break;
	default:
		put(text, "op%u:%u", step->op, step->arg);
	}
}

static void put_steps(struct text *text, const struct pipeline *pl, const struct sets *sets,
	const struct sw_step *steps, uint8_t n_steps)
{
	for (uint8_t i = 0; i < n_steps; i++) {
		put(text, "%s", i ? "," : "");
		put_step(text, pl, sets, &steps[i]);
	}
}

size_t program_format(const struct pipeline *pl, const struct sets *sets, const struct sw_step *steps, uint8_t n_steps,
	char *text, size_t size)
{
	struct text out = {.at = text, .size = size};

	if (size)
		text[0] = '\0';
	put_steps(&out, pl, sets, steps, n_steps);
	return out.length;
}
