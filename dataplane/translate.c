/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/pipeline.h"

#include "bpf/select.h"
#include "dataplane/action_set.h"
#include "dataplane/group.h"
#include "dataplane/meter.h"
#include "dataplane/normal.h"
#include "dataplane/ofbridge.h"
#include "dataplane/retrace.h"
#include "dataplane/rewrite.h"
#include "dataplane/rewrites.h"
#include "dataplane/table.h"
#include "dataplane/xlate.h"

#include <arpa/inet.h>
#include <endian.h>

#define GROUP_DEPTH_MAX GROUP_CHAIN_LIMIT

/* A translation as it walks. */
struct walk {
	struct translation t;
	struct view view;
	uint64_t cookie; /* of the rule at hand */
	uint8_t table_id;
	uint8_t reason;              /* enum packet_in_reason of an output to the controller */
	bool over;                   /* nothing more is to be done with the frame */
	int depth;                   /* of groups */
	const struct port *watched;  /* by the branch at hand: while that is taken the port is up; NULL */
	uint32_t n_floods, n_parted; /* n_parted: operations by which it leaves the tables */
	struct action_set set;       /* the rules' own actions, which outlive the answer */
};

static void run_actions(struct walk *w, const struct actions *actions);

/* ---- operations ---- */

static struct xop *add_op(struct walk *w, enum xop_type type)
{
	struct xlate *answer = w->t.answer;
	struct xop *op;

	if (answer->n_ops == XLATE_MAX_OPS) {
		xlate_drop(&w->t, SW_DROP_TOO_COMPLEX);
		w->over = true;
		return NULL;
	}
	op = &answer->ops[answer->n_ops++];
	*op = (struct xop){.type = type, .table_id = w->table_id, .cookie = w->cookie};
	w->n_parted += type == XOP_OUTPUT || type == XOP_NORMAL || type == XOP_CONTROLLER || type == XOP_TABLE;
	return op;
}

static void count_for(struct walk *w, struct tally *tally)
{
	struct xop *op = add_op(w, XOP_COUNT);

	if (op)
		op->tally = tally;
}

static void only_by_daemon(struct walk *w, const char *why)
{
	if (!w->t.answer->in_daemon)
		w->t.answer->in_daemon = why;
}

/* The key says no more: the rest is for who has the frame. */
static void stop_for_frame(struct walk *w)
{
	xlate_tell(&w->t, 1, "what comes now depends on bytes that the key does not hold: only the frame can tell");
	only_by_daemon(w, "it depends on bytes beyond the fast path's key");
	w->t.answer->needs_frame = true;
	w->over = true;
}

/* False: some of it only the frame can tell. */
static bool look(struct walk *w, const struct flow *bits)
{
	if (!view_look(&w->view, bits, &w->t.answer->mask))
		return true;
	stop_for_frame(w);
	return false;
}

/* ---- outputs ---- */

static bool is_up(const struct walk *w, const struct port *port)
{
	return port->up || port == w->watched;
}

static void output_to_port(struct walk *w, const struct port *port, bool back)
{
	struct xop *op;

	if (!port || port->bridge != w->t.bridge->id || !is_up(w, port)) {
		xlate_tell(&w->t, 1, "output to %s, which is down: not sent there",
			port ? port->name : "a port that is not there");
		xlate_drop(&w->t, SW_DROP_PORT_DOWN);
	} else if (port == w->t.in && !back) {
		xlate_tell(&w->t, 1, "output to %s, which it came in by: not sent there", port->name);
		xlate_drop(&w->t, SW_DROP_SAME_PORT); /* OF 1.3.5 §7.2.5: only OFPP_IN_PORT goes back */
	} else if (port->is_mirrors) {
		xlate_tell(&w->t, 1, "output to %s, which is a mirror's: not sent there", port->name);
		xlate_drop(&w->t, SW_DROP_MIRROR_PORT);
	} else if (port->of_config & OF_PORT_CONFIG_NO_FWD) {
		xlate_tell(&w->t, 1, "output to %s, which is not to forward: not sent there", port->name);
		xlate_drop(&w->t, SW_DROP_PORT_CONFIG);
	} else {
		xlate_tell(&w->t, 1, "output to %s", port->name);
		xlate_tell_mirrors(&w->t, 2, port);
		op = add_op(w, XOP_OUTPUT);
		if (op)
			op->port = port->id;
	}
}

/* OFPP_ALL, and OFPP_FLOOD, which here is the same: no port is kept out of it by a spanning tree. */
static void output_to_all(struct walk *w)
{
	const struct port *port = NULL;
	bool any = false;

	while (!w->over && (port = pipeline_next_port(w->t.pl, port ? port->id : 0))) {
		if (port->bridge != w->t.bridge->id || port == w->t.in || !is_up(w, port) || port->is_mirrors ||
			port->of_config & OF_PORT_CONFIG_NO_FWD)
			continue;
		output_to_port(w, port, false);
		any = true;
	}
	w->n_floods++;
	if (!any)
		xlate_drop(&w->t, SW_DROP_NO_OUTPUT);
}

static void output_to_controller(struct walk *w, uint16_t max_len)
{
	struct xop *op;

	if (w->t.in && w->t.in->of_config & OF_PORT_CONFIG_NO_PACKET_IN) {
		xlate_tell(&w->t, 1, "output to the controller, which port %s is not to do", w->t.in->name);
		xlate_drop(&w->t, SW_DROP_PORT_CONFIG);
		return;
	}
	xlate_tell(&w->t, 1, "output to the controller, up to %u bytes", max_len);
	op = add_op(w, XOP_CONTROLLER);
	if (!op)
		return;
	op->reason = w->reason;
	op->max_len = max_len;
	op->metadata = view_metadata(&w->view);
	op->tunnel_id = view_tunnel_id(&w->view);
}

static void output_to_tables(struct walk *w)
{
	struct xop *op = add_op(w, XOP_TABLE);

	if (op)
		op->tunnel_id = view_tunnel_id(&w->view);
}

static void output(struct walk *w, const struct action *action)
{
	switch (action->arg) {
	case OF_PORT_IN_PORT:
		output_to_port(w, w->t.in, true);
		break;
	case OF_PORT_TABLE:
		output_to_tables(w);
		break;
	case OF_PORT_NORMAL:
		add_op(w, XOP_NORMAL);
		break;
	case OF_PORT_FLOOD:
	case OF_PORT_ALL:
		output_to_all(w);
		break;
	case OF_PORT_CONTROLLER:
		output_to_controller(w, action->max_len);
		break;
	default:
		output_to_port(w, pipeline_port_by_number(w->t.pl, w->t.bridge->id, action->arg), false);
	}
}

/* ---- groups ---- */

/* By the frame as it came, so that those that the program sends by a fork go the same way. */
static struct bucket *selected_bucket(const struct walk *w, struct group *group)
{
	return group_select(w->t.bridge->groups, group, sw_select_hash(w->t.key, group->id));
}

static struct bucket *select_bucket(struct walk *w, struct group *group)
{
	struct sw_key bits;

	sw_select_bits(w->t.key, &bits);
	for (int i = 0; i < SW_KEY_WORDS; i++)
		w->t.answer->mask.w[i] |= bits.w[i];
	return selected_bucket(w, group);
}

static void count_for_group(struct walk *w, struct group *group, struct bucket *bucket)
{
	struct xop *op = add_op(w, XOP_COUNT);

	if (!op)
		return;
	op->tally = bucket ? &bucket->tally : &group->tally;
	op->group_id = group->id;
	op->port = bucket ? (uint16_t)(bucket - group->buckets + 1) : 0;
}

/* A bucket has a copy of its own, tunnel and all. What it does to that no table sees (OF 1.3.5 §5.6.1). */
static void run_bucket(struct walk *w, struct group *group, struct bucket *bucket)
{
	const __be64 tunnel_id_be = w->view.flow.x.tunnel_id_be;

	if (!add_op(w, XOP_SAVE))
		return;
	count_for_group(w, group, bucket);
	w->depth++;
	run_actions(w, &bucket->actions);
	w->depth--;
	w->view.flow.x.tunnel_id_be = tunnel_id_be;
	add_op(w, XOP_RESTORE);
}

static void run_one_bucket(struct walk *w, struct group *group, struct bucket *bucket)
{
	if (w->over)
		return;
	if (bucket) {
		xlate_tell(&w->t, 1, "group %u: bucket %td", group->id, bucket - group->buckets);
		run_bucket(w, group, bucket);
		return;
	}
	xlate_tell(&w->t, 1, "group %u: no bucket is live", group->id);
	xlate_drop(&w->t, SW_DROP_NO_BUCKET);
}

/* ---- branches ---- */

/* Where a walk can be taken back to. */
struct mark {
	bool over;
	uint32_t n_floods, n_parted;
	uint32_t n_ops;
	enum sw_drop drop;
	const char *in_daemon;
};

static struct mark mark_of(const struct walk *w)
{
	const struct xlate *answer = w->t.answer;

	return (struct mark){w->over, w->n_floods, w->n_parted, answer->n_ops, answer->drop, answer->in_daemon};
}

/* All but the operations. */
static void go_back(struct walk *w, const struct mark *mark)
{
	struct xlate *answer = w->t.answer;

	w->over = mark->over;
	w->n_floods = mark->n_floods;
	w->n_parted = mark->n_parted;
	answer->drop = mark->drop;
	answer->in_daemon = mark->in_daemon;
}

static bool has(const struct xlate *answer, uint32_t from, enum xop_type type)
{
	for (uint32_t i = from; i < answer->n_ops; i++) {
		if (answer->ops[i].type == type)
			return true;
	}
	return false;
}

/*
 * NORMAL looks at what of the key its VLAN needs, and that is not known before the answer's form is.
 * Behind a meter, which the program runs, a branch would have to count what that lets go on.
 */
static bool may_fork(const struct walk *w, const struct group *group)
{
	return group_is_fork(group) && groups_may_fork(w->t.bridge->groups) &&
	       !group_outputs_to(group, OF_PORT_NORMAL) && !w->view.has_frame && !w->t.answer->n_branches &&
	       !has(w->t.answer, 0, XOP_NORMAL) && !has(w->t.answer, 0, XOP_METER);
}

/* Where a bucket watches a port and nothing else, that port is up whenever the bucket is taken. */
static const struct port *watched_port(const struct walk *w, const struct bucket *bucket)
{
	return bucket->watch_group == GROUP_ANY ? pipeline_port_by_number(w->t.pl, w->t.bridge->id, bucket->watch_port)
						: NULL;
}

/* What the bucket says of itself stands in its SAVE. */
static void run_branch(struct walk *w, struct group *group, struct bucket *bucket)
{
	struct xlate *answer = w->t.answer;
	const struct mark mark = mark_of(w);

	answer->drop = SW_DROP_NONE;
	answer->in_daemon = NULL;
	w->watched = watched_port(w, bucket);
	run_one_bucket(w, group, bucket);
	w->watched = NULL;
	if (w->over)
		return;
	if (has(answer, mark.n_ops, XOP_NORMAL))
		only_by_daemon(w, "a group behind a fast failover leaves it to NORMAL");
	answer->ops[mark.n_ops].drop = (uint8_t)answer->drop;
	answer->ops[mark.n_ops].in_daemon = answer->in_daemon;
	go_back(w, &mark);
}

static void open_fork(struct walk *w, struct group *group, const struct mark *mark)
{
	struct xop *fork = add_op(w, XOP_FORK);

	if (!fork)
		return;
	fork->group = group;
	fork->drop = (uint8_t)mark->drop;
	w->t.answer->n_branches = group->n_buckets + 1; /* from here on no other group is a fork */
	w->t.answer->fork = mark->n_ops;
}

/* False: there are more operations than fit, and nothing has been done. A trace tells of the bucket that is taken. */
static bool run_branches(struct walk *w, struct group *group)
{
	const struct bucket *taken =
		group->type == GROUP_TYPE_FF ? group_first_live(w->t.bridge->groups, group) : selected_bucket(w, group);
	const struct trace_sink *trace = w->t.trace;
	const struct mark mark = mark_of(w);

	open_fork(w, group, &mark);
	for (uint32_t i = 0; i < group->n_buckets && !w->over; i++) {
		w->t.trace = &group->buckets[i] == taken ? trace : NULL;
		run_branch(w, group, &group->buckets[i]);
	}
	w->t.trace = trace;
	if (w->over) {
		go_back(w, &mark);
		w->t.answer->n_ops = mark.n_ops;
		w->t.answer->n_branches = 0;
		return false;
	}
	if (!taken)
		xlate_tell(&w->t, 1, "group %u: no bucket is live", group->id);
	return true;
}

/* Of one of the types that choose. */
static void run_choice(struct walk *w, struct group *group)
{
	if (may_fork(w, group) && run_branches(w, group))
		return;
	run_one_bucket(w, group,
		group->type == GROUP_TYPE_FF ? group_first_live(w->t.bridge->groups, group) : select_bucket(w, group));
}

static void run_group(struct walk *w, uint32_t id)
{
	struct group *group = groups_find(w->t.bridge->groups, id);

	if (!group || w->depth == GROUP_DEPTH_MAX) {
		xlate_tell(&w->t, 1, "group %u: %s", id, group ? "too many groups in each other" : "there is none");
		xlate_drop(&w->t, group ? SW_DROP_TOO_COMPLEX : SW_DROP_NO_BUCKET);
		return;
	}
	count_for_group(w, group, NULL);
	switch ((enum group_type)group->type) {
	case GROUP_TYPE_ALL:
		for (uint32_t i = 0; i < group->n_buckets && !w->over; i++)
			run_one_bucket(w, group, &group->buckets[i]);
		break;
	case GROUP_TYPE_INDIRECT:
		run_one_bucket(w, group, group->n_buckets ? group->buckets : NULL);
		break;
	case GROUP_TYPE_SELECT:
	case GROUP_TYPE_FF:
		run_choice(w, group);
		break;
	}
}

/* ---- actions ---- */

static void rewrite(struct walk *w, const struct action *action)
{
	struct xop *op;

	if (action->type == ACTION_SET_FIELD && action->field == FIELD_TUNNEL_ID) {
		view_rewrite(&w->view, action, &w->t.answer->mask);
		return;
	}
	op = add_op(w, XOP_REWRITE);
	if (!op)
		return;
	op->action = action;
	op->reason = PACKET_IN_INVALID_TTL;
	op->metadata = view_metadata(&w->view);
	op->tunnel_id = view_tunnel_id(&w->view);
	if (w->depth) /* a bucket's copy, which no table sees */
		return;
	w->over |= !view_rewrite(&w->view, action, &w->t.answer->mask);
}

static void run_actions(struct walk *w, const struct actions *actions)
{
	for (uint32_t i = 0; i < actions->n && !w->over; i++) {
		const struct action *action = &actions->list[i];

		switch ((enum action_type)action->type) {
		case ACTION_OUTPUT:
			output(w, action);
			break;
		case ACTION_GROUP:
			run_group(w, action->arg);
			break;
		case ACTION_SET_QUEUE: /* no port has queues; a packet is sent as if it had none */
			break;
		default:
			rewrite(w, action);
		}
	}
}

/* ---- the action set ---- */

/* The rows of action.def say the order. */
static void run_action_set(struct walk *w)
{
	bool has_group = action_set_has(&w->set, ACTION_GROUP);

	if (!has_group && !action_set_has(&w->set, ACTION_OUTPUT)) /* OF 1.3.5 §5.10: dropped */
		return;
	for (uint8_t place = 1; place <= 11; place++) {
		for (uint32_t i = 0; i < w->set.n && !w->over; i++) {
			const struct action *action = w->set.list[i];
			struct actions one = {.n = 1, .list = action};

			if (action_row(action->type)->place != place || (has_group && action->type == ACTION_OUTPUT))
				continue;
			run_actions(w, &one);
		}
	}
}

/* ---- tables ---- */

static void tell_rule(const struct walk *w, const struct rule *rule)
{
	struct flow_names names = pipeline_of_names(w->t.bridge);
	struct flow_match match;
	char what[300], does[300];

	if (!w->t.trace)
		return;
	rule_match(rule, &match);
	flow_format(&match.key, &match.mask, &names, what, sizeof(what));
	instructions_format(rule->instructions, &names, does, sizeof(does));
	xlate_tell(&w->t, 0, "table %u: rule priority %u, %s -> %s", rule->table_id, rule->cls.priority, what, does);
}

/* Whoever carries it out: tables behind it match the DSCP that the frame had (docs/openflow.md). */
static void run_meter(struct walk *w, uint32_t meter)
{
	const struct meter *there = meters_find(w->t.bridge->meters, meter);
	struct xop *op;

	if (!there)
		return;
	xlate_tell(&w->t, 1, "meter %u", meter);
	count_for(w, there->in);
	op = add_op(w, XOP_METER);
	if (op)
		op->meter = meter;
}

/* The table-miss rule, OF 1.3.5 §5.4: of priority 0, matching all. */
static bool is_table_miss(const struct rule *rule)
{
	const struct flow nothing = {0};

	return !rule->cls.priority && flow_equal(cls_mask(&rule->cls), &nothing);
}

/* Returns the table to go on with; TABLE_ALL: none. OF 1.3.5 §5.9 for the order. */
static uint8_t run_instructions(struct walk *w, const struct rule *rule)
{
	const struct instructions *inst = rule->instructions;
	struct actions applied = instructions_applied(inst), written = instructions_written(inst);

	w->cookie = rule->cookie;
	w->reason = is_table_miss(rule) ? PACKET_IN_NO_MATCH : PACKET_IN_ACTION;
	run_meter(w, inst->meter);
	run_actions(w, &applied);
	if (inst->clear_actions)
		w->set.n = 0;
	for (uint32_t i = 0; i < written.n; i++)
		action_set_write(&w->set, &written.list[i]);
	if (inst->writes_metadata)
		view_set_metadata(&w->view, inst->metadata, inst->metadata_mask);
	return inst->goes_on && !w->over ? inst->goto_table : TABLE_ALL;
}

/* NULL: no rule matches, or only the frame can tell. */
static struct rule *find_rule(struct walk *w, struct table *table)
{
	struct flow looked = {0};
	struct rule *rule = NULL;

	if (table->cls)
		rule = rule_of(cls_lookup(table->cls, &w->view.flow, w->view.has_frame ? NULL : &looked));
	w->t.answer->tables |= 1ULL << table->id % 64;
	w->t.answer->plain &= !w->view.rewritten;
	return look(w, &looked) ? rule : NULL;
}

static void run_tables(struct walk *w)
{
	uint8_t table_id = 0;

	while (table_id != TABLE_ALL && !w->over) {
		struct table *table = tables_table(w->t.bridge->tables, table_id);
		struct rule *rule = find_rule(w, table);

		w->table_id = table_id;
		if (w->over)
			return;
		if (!rule) { /* OF 1.3.5 §5.4: without a table-miss rule it is dropped */
			xlate_tell(&w->t, 0, "table %u: no rule matches: dropped", table_id);
			count_for(w, &table->missed);
			xlate_drop(&w->t, SW_DROP_TABLE_MISS);
			return;
		}
		tell_rule(w, rule);
		count_for(w, &rule->tally);
		table_id = run_instructions(w, rule);
	}
	if (!w->over) {
		w->reason = PACKET_IN_ACTION;
		run_action_set(w);
	}
	/* Nothing sent it anywhere, nor said why: a group without buckets, a bucket without actions. */
	if (!w->n_parted)
		xlate_drop(&w->t, SW_DROP_RULE);
}

/* ---- the answer's form ---- */

static bool is_listed(const struct xlate *answer, uint16_t port)
{
	for (uint32_t i = 0; i < answer->n_outputs; i++) {
		if (answer->outputs[i].port == port)
			return true;
	}
	return false;
}

/* What the operations are, but for counting. */
struct census {
	uint32_t n_outputs, n_normals, n_back, n_rewrites, n_told, n_twice, n_meters;
};

static struct census take_census(const struct walk *w)
{
	struct xlate *answer = w->t.answer;
	struct census census = {0};

	for (uint32_t i = 0; i < answer->n_ops; i++) {
		const struct xop *op = &answer->ops[i];

		switch ((enum xop_type)op->type) {
		case XOP_COUNT:
		case XOP_SAVE:
		case XOP_RESTORE:
		case XOP_MIRROR:
		case XOP_FORK:
			break;
		case XOP_OUTPUT:
			census.n_outputs++;
			census.n_back += op->port == answer->in_port;
			census.n_twice += is_listed(answer, op->port);
			xlate_output(&w->t, op->port, XLATE_AS_IS);
			break;
		case XOP_NORMAL:
			census.n_normals++;
			break;
		case XOP_REWRITE:
			census.n_rewrites++;
			break;
		case XOP_METER:
			census.n_meters++;
			break;
		case XOP_CONTROLLER:
			census.n_told++;
			break;
		case XOP_TABLE: /* of a packet-out, which nobody asks a form of */
			break;
		}
	}
	return census;
}

static void keep_counts_only(struct xlate *answer)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < answer->n_ops; i++) {
		if (answer->ops[i].type == XOP_COUNT)
			answer->ops[n++] = answer->ops[i];
	}
	answer->n_ops = n;
}

/* These are the answer's rewrites, in order. */
static bool is_done_alike(const struct retrace *r, const struct xlate *answer)
{
	if (r->n != answer->n_rewrites)
		return false;
	for (uint32_t i = 0; i < r->n; i++) {
		if (memcmp(r->done[i], answer->rewrites[i], sizeof(*r->done[i])) != 0)
			return false;
	}
	return true;
}

/*
 * What each output gets: all what the answer's rewrites make of the frame, or each its own. NULL, or why neither can
 * be done by the program.
 */
static const char *tell_copies(struct xlate *answer)
{
	struct retrace r = retrace_begin(answer);
	const struct xop *op = retrace_next(&r);

	if (!op)
		return r.too_many ? "it is rewritten more than 16 times" : "it is rewritten, and goes nowhere";
	answer->n_rewrites = r.n;
	memcpy(answer->rewrites, r.done, r.n * sizeof(r.done[0]));
	while ((op = retrace_next(&r)) != NULL)
		answer->copies |= !is_done_alike(&r, answer);
	if (answer->copies)
		answer->n_rewrites = 0;
	if (r.too_many)
		return "it is rewritten more than 16 times";
	return r.loose ? "a TTL may end it behind its last output" : NULL;
}

/* Whether a TTL may end the frame on its way, which the controller is to hear of. */
static bool may_run_out(const struct xlate *answer)
{
	for (uint32_t i = 0; i < answer->n_ops; i++) {
		if (answer->ops[i].type == XOP_REWRITE && (answer->ops[i].action->type == ACTION_DEC_NW_TTL ||
								  answer->ops[i].action->type == ACTION_DEC_MPLS_TTL))
			return true;
	}
	return false;
}

/* Of an answer with branches: what no branch could be without. */
static void choose_fork_form(struct walk *w)
{
	const struct xlate *answer = w->t.answer;
	uint32_t from, to;

	branch_span(answer, answer->n_branches - 1, &from, &to);
	for (uint32_t i = 0; i < answer->n_ops; i == answer->fork ? i = to : i++) {
		if (answer->ops[i].type == XOP_NORMAL)
			only_by_daemon(w, "NORMAL is one of several actions");
		else if (answer->ops[i].type == XOP_METER)
			only_by_daemon(w, "its meter stands behind what is done to the frame");
	}
}

/* What is done to a frame that the program then finds to be the daemon's, who does it once more: what must not be. */
static const char *why_not_twice(const struct walk *w)
{
	const struct xlate *answer = w->t.answer;

	if (!rewrite_may_undo(answer->rewrites, answer->n_rewrites))
		return NULL;
	if (answer->tells)
		return "it goes to the controller, and may turn out on the way to be none for the program";
	if (answer->mirrors || answer->mirrors_out)
		return "it is mirrored, and may turn out on the way to be none for the program";
	return xlate_is_remarked(w->t.bridge, answer)
		       ? "its meter remarks, and it may turn out on the way to be none for the program"
		       : NULL;
}

/* Where the frame itself leaves by a port, a copy is enough for the controller. */
static void choose_telling(struct walk *w, const struct census *census)
{
	struct xlate *answer = w->t.answer;

	answer->tells = census->n_told && census->n_outputs + census->n_normals;
	if (census->n_told && !answer->tells)
		only_by_daemon(w, "it goes to the controller");
	only_by_daemon(w, why_not_twice(w));
}

/* One of the four forms of an answer; see pipeline.h. */
static void choose_form(struct walk *w)
{
	struct xlate *answer = w->t.answer;
	struct census census = take_census(w);
	const char *why = NULL;

	if (census.n_meters)
		only_by_daemon(w, xlate_meter(w->t.bridge, answer));
	if (census.n_normals && census.n_normals + census.n_outputs + census.n_rewrites > 1)
		only_by_daemon(w, "NORMAL is one of several actions");
	if (census.n_twice)
		only_by_daemon(w, "it goes out of one port more than once");
	if (!census.n_outputs && !census.n_normals && !census.n_told && !may_run_out(answer))
		census.n_rewrites = 0; /* of a frame that nobody gets */
	answer->copies = census.n_back && census.n_outputs > 1;
	if ((census.n_rewrites || answer->copies) && !answer->in_daemon)
		why = tell_copies(answer);
	if (why)
		only_by_daemon(w, why);
	if (answer->copies && answer->is_branch)
		only_by_daemon(w, "a bucket that is chosen frame by frame makes copies that differ");
	if (answer->n_rewrites && !rewrite_is_fast(answer->rewrites, answer->n_rewrites))
		only_by_daemon(w, "it would grow or shrink by more than the program can");
	if (!census.n_normals)
		answer->mirrors_out = xlate_mirrors_leaving(w->t.pl, answer);
	choose_telling(w, &census);
	if (answer->in_daemon) {
		answer->n_outputs = 0;
		answer->n_rewrites = 0;
		answer->copies = false;
		answer->tells = false;
		answer->meter = 0;
		return;
	}
	if (!xlate_has_ops(answer))
		keep_counts_only(answer);
	if (census.n_normals)
		normal_forward(&w->t);
	else if (census.n_outputs)
		answer->flood = w->n_floods == 1 && !w->t.answer->normal;
	if (answer->n_outputs)
		answer->drop = SW_DROP_NONE; /* what one action did not send another has */
}

/* ---- the question ---- */

static void answer_for_stranger(const struct translation *t)
{
	xlate_tell(t, 0, "device %u is not a port: dropped", t->key->f.in_ifindex);
	xlate_drop(t, SW_DROP_NO_PORT);
	t->answer->cacheable = false; /* A4: an entry belongs to a port */
	t->answer->uncacheable = "it came in by a device that is not a port";
}

static void begin(struct xlate *ret)
{
	memset(ret, 0, offsetof(struct xlate, outputs));
	ret->cacheable = true;
	ret->plain = true;
	key_look(&ret->mask, FIELD_IN_PORT);
}

/*
 * What comes in by a port that a controller has set down, or told not to receive, takes part in nothing (OF 1.3.5
 * §7.2.1). Its device stays up and goes on receiving.
 */
static bool is_received(struct walk *w)
{
	if (w->t.in && w->t.in->is_mirrors) {
		xlate_tell(&w->t, 0, "port %s is a mirror's, which nothing comes in by: dropped", w->t.in->name);
		xlate_drop(&w->t, SW_DROP_MIRROR_PORT);
		return false;
	}
	if (!w->t.in || !(w->t.in->of_config & (OF_PORT_CONFIG_NO_RECV | OF_PORT_CONFIG_DOWN)))
		return true;
	xlate_tell(&w->t, 0, "port %s is not to receive: dropped", w->t.in->name);
	xlate_drop(&w->t, SW_DROP_PORT_CONFIG);
	return false;
}

static void mirror_it(struct walk *w)
{
	uint64_t left;

	xlate_choose_mirrors(&w->t, w->t.in ? w->t.in->mirrors_in | w->t.bridge->mirrors_in : 0);
	for (left = w->t.answer->mirrors; left; left &= left - 1) {
		struct xop *op = add_op(w, XOP_MIRROR);

		if (!op)
			return;
		op->mirror = mirrors_first(left);
		xlate_tell(&w->t, 0, "a copy goes to mirror %s", pipeline_mirror_name(w->t.pl, (uint16_t)op->mirror));
	}
}

void translate(const struct pipeline *pl, const struct sw_key *key, const struct trace_sink *trace, struct xlate *ret)
{
	struct walk w;

	w.t = xlate_begin(pl, key, trace, ret);
	begin(ret);
	if (!w.t.in) {
		answer_for_stranger(&w.t);
		return;
	}
	w.cookie = UINT64_MAX;
	w.table_id = w.reason = 0;
	w.over = false;
	w.depth = 0;
	w.watched = NULL;
	w.n_floods = w.n_parted = w.set.n = 0;
	ret->in_port = w.t.in->id;
	ret->bridge = w.t.bridge->id;
	xlate_tell(&w.t, 0, "came in by port %s of bridge %s", w.t.in->name, w.t.bridge->name);
	if (!is_received(&w))
		return;
	view_of_key(&w.view, key, w.t.in->of_port);
	mirror_it(&w);
	run_tables(&w);
	if (ret->n_branches)
		choose_fork_form(&w);
	else
		choose_form(&w);
}

void xlate_choose_form(const struct translation *t)
{
	struct walk w;

	w.t = *t;
	w.n_floods = 0;
	choose_form(&w);
}

/* A copy of the frame with room around it, which is rewritten as the walk goes on. */
static struct frame copy_frame(const struct pipeline *pl, const struct frame_question *question)
{
	struct frame frame = {
		.data = xlate_scratch(pl) + XLATE_HEADROOM,
		.size = question->size < XLATE_FRAME ? question->size : XLATE_FRAME,
		.headroom = XLATE_HEADROOM,
		.tailroom = XLATE_TAILROOM,
	};

	memcpy(frame.data, question->frame, frame.size);
	return frame;
}

static void run_packet_out(struct walk *w, const struct actions *actions)
{
	if (!actions->n)
		xlate_drop(&w->t, SW_DROP_RULE);
	w->reason = PACKET_IN_ACTION;
	run_actions(w, actions);
}

void translate_frame(const struct pipeline *pl, const struct frame_question *question, const struct trace_sink *trace,
	struct xlate *ret)
{
	struct walk w = {.cookie = UINT64_MAX};
	struct frame frame = copy_frame(pl, question);
	struct sw_headers headers;
	struct sw_key key;

	begin(ret);
	sw_extract(question->frame, question->frame + question->size, 0, SW_KEY_WORDS, &key, &headers);
	w.t = xlate_begin(pl, &key, trace, ret);
	w.t.in = pipeline_port(pl, question->in_port);
	w.t.bridge = pipeline_bridge(pl, question->bridge);
	ret->in_port = question->in_port;
	ret->bridge = question->bridge;
	ret->in_daemon = "the frame itself was asked about";
	if (!question->actions && !is_received(&w))
		return;
	view_of_frame(&w.view, &frame, w.t.in ? w.t.in->of_port : OF_PORT_CONTROLLER);
	w.view.flow.x.tunnel_id_be = htobe64(question->tunnel_id);
	if (question->actions) {
		xlate_choose_mirrors(&w.t, 0);
		run_packet_out(&w, question->actions);
		return;
	}
	mirror_it(&w);
	run_tables(&w);
}
