/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * program.h - an answer of translate(), compiled into the steps that the fast path runs.
 *
 * One output: rewrite the tag, redirect. Several that all go untagged as the frame came: broadcast. Else the frame is
 * made tagged, if it is not, and broadcast, and the egress program takes the tag off where the port's untagged VLAN is
 * the frame's. A tagged frame that is broadcast never has its tag taken off at ingress, because behind it may stand
 * another, and the egress program would take that for the switch's own.
 *
 * A broadcast leaves out the port that the frame came in by, so the set of a flood holds that port too, and one set
 * serves all the ports of a VLAN (sets.h).
 *
 * NORMAL comes first, and what is compiled behind it is its flood.
 *
 * An answer that rewrites (xlate.n_rewrites) is one REWRITE step, whose edits rewrites.h keeps, and an output or a
 * broadcast of what came of it. Which tag that has nobody knows, so no member of such a broadcast may be one whose tag
 * the egress program would take off.
 *
 * An answer of which not all outputs get the same (xlate.copies) is one COPIES step, whose list copies.h keeps. So are
 * the broadcasts that the egress program would spoil, of frames that leave as they came or rewritten alike: the one
 * that runs for copies knows nothing of VLANs.
 *
 * In front of all that may stand a METER, and a TELL where controllers are to hear of it (xlate.tells) or mirrors get
 * copies; a program that sends every frame up has neither, and leaves both to the daemon. Behind NORMAL it is the FDB
 * that says of what leaves by one port whether it is mirrored, and sw_flow.floods of what is for everybody.
 *
 * An answer with branches (xlate.n_branches) is one FORK step: each branch is compiled as if it were the answer, and
 * forks.h keeps them. A branch that the fast path cannot do goes up by itself.
 *
 * What the fast path cannot do goes up to the daemon: an answer that only the daemon can carry out, an output
 * whose driver takes no redirected frame, a bridge's forms that the egress program could not tell apart, no set left.
 * Where it is only frames in several buffers that a driver does not take (a tap's), a flag tells the program to send
 * those up.
 *
 * Invariant: what is compiled is the same for every key that the answer's mask matches (C2). Where the steps would
 * rest on a bit of the tag that the mask does not look at, the frames go up.
 */
#ifndef DATAPLANE_PROGRAM_H
#define DATAPLANE_PROGRAM_H

#include "bpf/abi.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pipeline;
struct sets;
struct xlate;

struct program {
	uint8_t n_steps;
	uint8_t flags;   /* SW_FLOW_* */
	uint16_t floods; /* as sw_flow.floods */
	struct sw_step steps[SW_MAX_STEPS];
	bool lacks;       /* a set, a rewrite, copies or a fork: none could be had, and frames go up until one can */
	uint32_t set;     /* that it holds, or SW_MAX_SETS */
	uint32_t rewrite; /* that it holds, or SW_MAX_REWRITES */
	uint32_t copies;  /* that it holds, or SW_MAX_COPIES */
	uint32_t fork;    /* that it holds, or SW_MAX_FORKS */
	uint16_t meter;   /* slot that it holds; 0: none */
};

/*
 * Compiles, and holds the set, the rewrite, the copies and the meter that it needs: hand it to program_release() or to
 * a cache entry. Never fails: it degrades to an upcall. Of `key` only the tag is looked at, and that may be masked.
 */
void program_compile(struct sets *sets, const struct pipeline *pl, const struct sw_key *key, const struct xlate *xlate,
	struct program *ret);
/* What a flow of these steps holds, or a branch of a fork, and nothing else of its program. The steps are sound. */
struct program program_held_by(const struct sw_flow *flow);
/* Holds once more what it holds; false: it could not. */
bool program_hold(struct sets *sets, const struct program *program);
/*
 * Only for a program that no flow was given, or whose flow nobody runs any more (P1 of pool.h, S1 of meter_slots.h, F1
 * of forks.h).
 */
void program_release(struct sets *sets, const struct program *program);

/* The number of its first step that is neither METER nor TELL: 0 to 2. Steps behind its last are zero. */
uint8_t program_first(const struct sw_step *steps);

/* What sw_flow.domain is to be for a flow of this bridge with these steps. */
uint64_t program_domain(const struct sw_step *steps, uint64_t seed, uint16_t bridge);

/* The flow runs these very steps with these flags. */
bool program_is_of(const struct program *program, const struct sw_flow *flow);

/*
 * "push_vlan:10,output:p2", "meter:7,output:p2", "controller,output:p2", "rewrite:[dec_ttl],output:p2",
 * "normal:10,broadcast:p1+p2+p3", "copies:[output:p1; dec_ttl,output:p2]", "drop:same_port", "upcall:action",
 * "failover:5[*output:p2|output:p3|drop:no_bucket]" of group 5, of which the first bucket is taken now, with port
 * names; sizes as in flow_format(). Behind "normal" stands what happens to frames that are for everybody; VLAN 0 is not
 * said.
 */
size_t program_format(const struct pipeline *pl, const struct sets *sets, const struct sw_step *steps, uint8_t n_steps,
	char *text, size_t size);

#endif
