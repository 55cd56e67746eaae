/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which answers' meters the program can run. It runs one, before it does anything to the frame, and counts once what
 * that let go on. So in the order of the operations nothing may come before it that is seen outside, nor that makes the
 * frame another one for the meter: longer, or of another drop precedence. A mirror's copy is seen outside, and the
 * program makes it behind the meter all the same: of what that drops, too, and before it has remarked (bpf/tell.h).
 */
#include "dataplane/meter.h"
#include "dataplane/xlate.h"

/* The meter decides on the frame that came in as it would on the one so rewritten. */
static bool is_all_one_to_a_meter(const struct action *action)
{
	return action->type != ACTION_PUSH_VLAN && action->type != ACTION_POP_VLAN &&
	       (action->type != ACTION_SET_FIELD || action->field != FIELD_IP_DSCP);
}

static bool may_stand_before(const struct xop *op)
{
	return op->type == XOP_COUNT || op->type == XOP_MIRROR ||
	       (op->type == XOP_REWRITE && is_all_one_to_a_meter(op->action));
}

bool xlate_is_remarked(const struct bridge *bridge, const struct xlate *answer)
{
	for (uint32_t i = 0; i < answer->n_ops; i++) {
		if (answer->ops[i].type == XOP_METER)
			return meters_find(bridge->meters, answer->ops[i].meter)->remarks;
	}
	return false;
}

const char *xlate_meter(const struct bridge *bridge, struct xlate *answer)
{
	const struct meter *meter = NULL;
	bool in_front = true;

	for (uint32_t i = 0; i < answer->n_ops; i++) {
		const struct xop *op = &answer->ops[i];

		if (op->type != XOP_METER) {
			in_front &= may_stand_before(op);
			continue;
		}
		if (meter)
			return "it goes through more than one meter";
		if (!in_front)
			return "its meter stands behind what is done to the frame";
		meter = meters_find(bridge->meters, op->meter);
	}
	if (!meter->slot)
		return "its meter is one that only the daemon runs";
	answer->meter = meter->slot;
	return NULL;
}
