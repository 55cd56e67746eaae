/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/check.h"

#include "dataplane/group.h"
#include "dataplane/meter.h"
#include "dataplane/pipeline.h"
#include "dataplane/table.h"

#include <arpa/inet.h>
#include <string.h>

/* What is known of the frame at this point of a list of actions, if anything is. */
struct knowledge {
	struct flow_match match;
	bool nothing; /* then every field may be there */
};

static void know(struct knowledge *k, enum field_id field, const uint8_t *value)
{
	flow_look(&k->match.mask, field);
	field_write(field, &k->match.key, value);
}

static void know_eth_type(struct knowledge *k, uint16_t eth_type)
{
	const uint8_t value[2] = {(uint8_t)(eth_type >> 8), (uint8_t)eth_type};

	know(k, FIELD_ETH_TYPE, value);
}

static enum of_err check_port(uint32_t of_port, enum actions_holder holder)
{
	switch (of_port) {
	case OF_PORT_IN_PORT:
	case OF_PORT_NORMAL:
	case OF_PORT_FLOOD:
	case OF_PORT_ALL:
	case OF_PORT_CONTROLLER:
		return OF_OK;
	case OF_PORT_TABLE: /* OF 1.3.5 §4.5: of a packet-out only */
		return holder == ACTIONS_OF_PACKET_OUT ? OF_OK : OF_ERR_BAD_ACTION_BAD_OUT_PORT;
	default: /* not LOCAL: a host that wants to be on the bridge has a port like others */
		return of_port && of_port < OF_PORT_MAX ? OF_OK : OF_ERR_BAD_ACTION_BAD_OUT_PORT;
	}
}

/* Set-field needs what a match on the field needs. A VLAN's priority needs a tag, and so does its VID. */
static enum of_err check_set_field(const struct action *action, struct knowledge *k)
{
	static const uint8_t present[2] = {0x10, 0x00};

	if (!k->nothing && !field_prerequisite_met(action->field, &k->match))
		return OF_ERR_BAD_ACTION_MATCH_INCONSISTENT;
	if (action->field == FIELD_VLAN_VID)
		know(k, FIELD_VLAN_VID, present);
	know(k, action->field, action->value);
	return OF_OK;
}

/* What a push or pop makes of what is known; where nothing is, nothing is refused from there on. */
static void learn_structure(const struct action *action, struct knowledge *k)
{
	static const uint8_t tagged[2] = {0x10, 0x00};

	switch ((enum action_type)action->type) {
	case ACTION_PUSH_VLAN:
		know(k, FIELD_VLAN_VID, tagged);
		break;
	case ACTION_PUSH_MPLS:
	case ACTION_PUSH_PBB:
	case ACTION_POP_MPLS:
		know_eth_type(k, (uint16_t)action->arg);
		break;
	case ACTION_POP_VLAN:
	case ACTION_POP_PBB:
		k->nothing = true;
		break;
	default:
		break;
	}
}

static enum of_err check_group(const struct bridge *bridge, uint32_t id)
{
	if (id > GROUP_MAX)
		return OF_ERR_BAD_ACTION_BAD_OUT_GROUP;
	return groups_find(bridge->groups, id) ? OF_OK : OF_ERR_BAD_ACTION_BAD_OUT_GROUP;
}

static enum of_err check_action(
	const struct bridge *bridge, const struct action *action, enum actions_holder holder, struct knowledge *k)
{
	switch ((enum action_type)action->type) {
	case ACTION_OUTPUT:
		return check_port(action->arg, holder);
	case ACTION_GROUP:
		return check_group(bridge, action->arg);
	case ACTION_SET_QUEUE: /* no port has queues; number 0 is what a frame has without the action */
		return action->arg ? OF_ERR_BAD_ACTION_BAD_QUEUE : OF_OK;
	case ACTION_SET_FIELD:
		return check_set_field(action, k);
	default:
		learn_structure(action, k);
		return OF_OK;
	}
}

static enum of_err check_list(
	const struct bridge *bridge, const struct actions *actions, enum actions_holder holder, struct knowledge *k)
{
	enum of_err error = OF_OK;

	for (uint32_t i = 0; i < actions->n && !error; i++)
		error = check_action(bridge, &actions->list[i], holder, k);
	return error;
}

enum of_err actions_check(const struct bridge *bridge, const struct actions *actions, const struct flow_match *match,
	enum actions_holder holder)
{
	struct knowledge k = {.nothing = !match};

	if (match)
		k.match = *match;
	return check_list(bridge, actions, holder, &k);
}

/* The applied actions shape the frame that the action set meets, if no table comes in between that says more. */
enum of_err instructions_check(const struct bridge *bridge, const struct flow_mod *mod)
{
	struct actions applied = instructions_applied(mod->instructions),
		       written = instructions_written(mod->instructions);
	struct knowledge k = {.match = mod->match}, set = {.nothing = true};
	enum of_err error;

	if (mod->instructions->meter && !meters_find(bridge->meters, mod->instructions->meter))
		return OF_ERR_METER_MOD_UNKNOWN_METER; /* OF 1.3.5 §6.4 */
	error = check_list(bridge, &applied, ACTIONS_OF_RULE, &k);
	return error ? error : check_list(bridge, &written, ACTIONS_OF_RULE, &set);
}
