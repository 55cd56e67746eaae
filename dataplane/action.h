/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * action.h - what a rule does with a frame: a list of actions, run in order.
 *
 * The text is ovs-ofctl's: "NORMAL", "output:p1,output:p2", "drop". An empty list is a drop, and "drop" is how an
 * empty list is spelt: there is no action of that name that could stand beside others.
 */
#ifndef DATAPLANE_ACTION_H
#define DATAPLANE_ACTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct complaint;

enum action_type {
	ACTION_NORMAL, /* what a learning, VLAN-aware bridge does; see normal.h */
	ACTION_OUTPUT, /* out by `port`, as it is; not when it came in by it (OF 1.3.5 §5.12) */
};

struct action {
	enum action_type type;
	uint16_t port; /* id, of ACTION_OUTPUT */
};

#define ACTIONS_MAX 32

struct actions {
	uint32_t n;
	struct action list[ACTIONS_MAX];
};

/* How a port's id is spelt: its name. format prints the number where there is none, parse complains. */
struct action_names {
	const void *ctx;
	const char *(*name_of)(const void *ctx, uint16_t port); /* NULL: unknown */
	uint16_t (*port_of)(const void *ctx, const char *name); /* 0: unknown */
};

bool actions_equal(const struct actions *a, const struct actions *b);

/* `names` may be NULL. Cut short with a NUL where it does not fit; returns the length that it would have had. */
size_t actions_format(const struct actions *actions, const struct action_names *names, char *text, size_t size);

/* Reads what actions_format() prints. -EINVAL: the complaint names the word at fault; `ret` is untouched. */
int actions_parse(const char *text, const struct action_names *names, struct actions *ret, struct complaint *complaint);

#endif
