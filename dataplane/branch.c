/* SPDX-License-Identifier: BSD-2-Clause */
/* Of an answer with branches (xlate.n_branches) that of one of them. */
#include "dataplane/pipeline.h"

#include "bpf/select.h"
#include "dataplane/group.h"
#include "dataplane/xlate.h"

/* Behind the copy that begins here. */
static uint32_t behind_copy(const struct xlate *xlate, uint32_t at)
{
	int depth = 0;

	do {
		depth += xlate->ops[at].type == XOP_SAVE;
		depth -= xlate->ops[at].type == XOP_RESTORE;
		at++;
	} while (depth && at < xlate->n_ops);
	return at;
}

void branch_span(const struct xlate *xlate, uint32_t branch, uint32_t *ret_from, uint32_t *ret_to)
{
	uint32_t at = xlate->fork + 1;

	for (uint32_t i = 0; i < branch; i++)
		at = behind_copy(xlate, at);
	*ret_from = at;
	*ret_to = branch + 1 < xlate->n_branches ? behind_copy(xlate, at) : at;
}

uint32_t branch_taken(const struct pipeline *pl, const struct sw_key *key, const struct xlate *xlate)
{
	const struct groups *groups = pipeline_bridge(pl, xlate->bridge)->groups;
	struct group *group = xlate->ops[xlate->fork].group;
	const struct bucket *bucket = group->type == GROUP_TYPE_FF
					      ? group_first_live(groups, group)
					      : group_select(groups, group, sw_select_hash(key, group->id));

	return bucket ? (uint32_t)(bucket - group->buckets) : group->n_buckets;
}

/* Why nothing goes out where nothing does: the first reason on its way. */
static enum sw_drop drop_on_branch(const struct xlate *xlate, uint32_t branch, uint32_t from)
{
	const bool is_none = branch + 1 == xlate->n_branches;

	if (xlate->ops[xlate->fork].drop != SW_DROP_NONE)
		return xlate->ops[xlate->fork].drop;
	if (is_none)
		return SW_DROP_NO_BUCKET;
	return xlate->ops[from].drop != SW_DROP_NONE ? xlate->ops[from].drop : xlate->drop;
}

static void move_ops(struct xlate *xlate, uint32_t to, uint32_t from, uint32_t n)
{
	memmove(&xlate->ops[to], &xlate->ops[from], n * sizeof(xlate->ops[0]));
}

static void keep_branch(struct xlate *xlate, uint32_t branch)
{
	uint32_t from, to, behind, n;

	branch_span(xlate, xlate->n_branches - 1, &behind, &behind);
	branch_span(xlate, branch, &from, &to);
	n = to - from;
	xlate->drop = drop_on_branch(xlate, branch, from);
	if (!xlate->in_daemon && n)
		xlate->in_daemon = xlate->ops[from].in_daemon;
	if (n) {
		xlate->ops[from].in_daemon = NULL;
		xlate->ops[from].drop = SW_DROP_NONE;
	}
	move_ops(xlate, xlate->fork, from, n);
	move_ops(xlate, xlate->fork + n, behind, xlate->n_ops - behind);
	xlate->n_ops -= behind - xlate->fork - n;
	xlate->n_branches = 0;
	xlate->is_branch = true;
}

void take_branch(const struct pipeline *pl, const struct sw_key *key, uint32_t branch, struct xlate *xlate)
{
	struct translation t = xlate_begin(pl, key, NULL, xlate);

	keep_branch(xlate, branch);
	xlate_choose_form(&t);
}

void take_branch_now(const struct pipeline *pl, const struct sw_key *key, struct xlate *xlate)
{
	if (xlate->n_branches)
		take_branch(pl, key, branch_taken(pl, key, xlate), xlate);
}
