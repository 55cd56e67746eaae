/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/action_set.h"

static bool is_same_kind(const struct action *a, const struct action *b)
{
	return a->type == b->type && (a->type != ACTION_SET_FIELD || a->field == b->field);
}

void action_set_write(struct action_set *set, const struct action *action)
{
	for (uint32_t i = 0; i < set->n; i++) {
		if (is_same_kind(set->list[i], action)) {
			set->list[i] = action;
			return;
		}
	}
	if (set->n < ACTION_SET_MAX)
		set->list[set->n++] = action;
}

const struct action *action_set_has(const struct action_set *set, enum action_type type)
{
	for (uint32_t i = 0; i < set->n; i++) {
		if (set->list[i]->type == type)
			return set->list[i];
	}
	return NULL;
}
