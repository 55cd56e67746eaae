/* SPDX-License-Identifier: BSD-2-Clause */
/* Compiles an answer with branches (xlate.n_branches): each by itself, and a fork of them. */
#include "dataplane/program_parts.h"

#include "bpf/hash.h"
#include "dataplane/forks.h"
#include "dataplane/group.h"
#include "dataplane/pipeline.h"
#include "dataplane/sets.h"

#include <string.h>

static void copy_answer(struct xlate *to, const struct xlate *from)
{
	memcpy(to, from, offsetof(struct xlate, outputs));
	memcpy(to->ops, from->ops, from->n_ops * sizeof(from->ops[0]));
}

static bool goes_up(const struct program *program)
{
	return program->steps[program->n_steps - 1].op == SW_OP_UPCALL;
}

/* Of what goes up behind a fork the flow has counted the frame. Its checksum is the flow's business. */
static void compile_branch(struct sets *sets, const struct pipeline *pl, const struct sw_key *key,
	const struct xlate *xlate, uint32_t branch, struct program *ret)
{
	struct xlate *answer = forks_scratch(sets_forks(sets));

	copy_answer(answer, xlate);
	take_branch(pl, key, branch, answer);
	program_compile(sets, pl, key, answer, ret);
	ret->flags &= ~SW_FLOW_CSUM;
	if (goes_up(ret))
		ret->steps[ret->n_steps - 1].arg = SW_UPCALL_BRANCH;
}

static void release_all(struct sets *sets, const struct program *branches, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		program_release(sets, &branches[i]);
}

static uint64_t hash_path(const struct xlate *xlate, uint64_t hash)
{
	uint32_t from, to;

	branch_span(xlate, xlate->n_branches - 1, &to, &to);
	branch_span(xlate, 0, &from, &(uint32_t){0});
	for (uint32_t i = from; i < to; i++) {
		const struct xop *op = &xlate->ops[i];

		if (op->type == XOP_COUNT)
			hash = sw_hash_step(hash, (uint64_t)op->group_id << 32 | op->port);
		else if (op->type == XOP_SAVE)
			hash = sw_hash_step(hash, UINT64_MAX);
	}
	return hash;
}

void program_fork(struct sets *sets, const struct pipeline *pl, const struct sw_key *key, const struct xlate *xlate,
	struct program *ret)
{
	const struct group *group = xlate->ops[xlate->fork].group;
	struct program branches[SW_MAX_BRANCHES];
	struct fork_wish wish = {
		.bridge = xlate->bridge,
		.group = group,
		.live = group_live_buckets(pipeline_bridge(pl, xlate->bridge)->groups, group),
		.path = hash_path(xlate, 0),
		.n = xlate->n_branches,
		.branches = branches,
	};
	uint32_t n_up = 0;

	for (uint32_t i = 0; i < wish.n; i++) {
		compile_branch(sets, pl, key, xlate, i, &branches[i]);
		n_up += i + 1 < wish.n && goes_up(&branches[i]);
		ret->lacks |= branches[i].lacks;
	}
	if (n_up + 1 < wish.n) {
		ret->fork = forks_get(sets_forks(sets), &wish);
		ret->lacks |= ret->fork == SW_MAX_FORKS;
	}
	if (ret->fork == SW_MAX_FORKS)
		release_all(sets, branches, wish.n);
}
