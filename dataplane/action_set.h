/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * action_set.h - a frame's action set (OF 1.3.5 §5.10), in no order.
 *
 * Ownership: borrows the actions.
 */
#ifndef DATAPLANE_ACTION_SET_H
#define DATAPLANE_ACTION_SET_H

#include "dataplane/action.h"

#define ACTION_SET_MAX 64 /* one of each kind, and a set-field for each field */

struct action_set {
	uint32_t n;
	const struct action *list[ACTION_SET_MAX];
};

/* One of each kind stays, the last one written. */
void action_set_write(struct action_set *set, const struct action *action);
const struct action *action_set_has(const struct action_set *set, enum action_type type); /* NULL: none */

#endif
