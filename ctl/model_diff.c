/* SPDX-License-Identifier: BSD-2-Clause */
/* The steps from one model to another. */
#include "ctl/model_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct plan {
	const struct model *from, *to;
	bool keep;
	struct model_step *steps;
	unsigned n;
	bool failed; /* out of memory */
};

static void plan_step(struct plan *plan, enum model_verb verb, unsigned index, unsigned which)
{
	struct model_step *step = model_grow((void **)&plan->steps, &plan->n, sizeof(*step));

	if (step)
		*step = (struct model_step){.verb = verb, .index = index, .which = which};
	else
		plan->failed = true;
}

/* Two that differ in more than `port set` can change are two ports. */
static bool same_port(const struct port_config *a, const struct port_config *b)
{
	return !strcmp(a->bridge, b->bridge) && a->type == b->type && !strcmp(a->peer, b->peer) &&
	       !strcmp(a->netns, b->netns) && a->queues == b->queues && a->force == b->force;
}

static unsigned port_changes(const struct port_config *a, const struct port_config *b)
{
	unsigned which = 0;

	if (a->vlan.mode != b->vlan.mode || a->vlan.vid != b->vlan.vid ||
		a->vlan.native_tagged != b->vlan.native_tagged ||
		memcmp(a->vlan.allowed, b->vlan.allowed, sizeof(a->vlan.allowed)) != 0)
		which |= PORT_SET_VLAN;
	if (a->upcall_rate != b->upcall_rate || a->upcall_burst != b->upcall_burst)
		which |= PORT_SET_UPCALLS;
	if (a->mode != b->mode)
		which |= PORT_SET_MODE;
	if (a->hook != b->hook)
		which |= PORT_SET_HOOK;
	if (!cpu_list_same(&a->cpus, &b->cpus))
		which |= PORT_SET_CPUS;
	if (b->of_port && a->of_port != b->of_port) /* a number that nobody wants is as it is */
		which |= PORT_SET_NUMBER;
	return which;
}

/* The port stays as it is or is changed where it stands. */
static bool port_stays(const struct plan *plan, const char *name)
{
	const struct model_port *has = model_port(plan->from, name), *wanted = model_port(plan->to, name);

	return has && (wanted ? same_port(&has->config, &wanted->config) : plan->keep);
}

static bool same_listener(const struct model_listener *a, const struct model_listener *b)
{
	if (!a->cert || !b->cert)
		return a->cert == b->cert;
	return !strcmp(a->cert, b->cert) && !strcmp(a->key, b->key) && !strcmp(a->ca, b->ca);
}

static const struct model_channel *same_place(const struct model *model, const struct model_channel *channel)
{
	return model_channel(model, channel->bridge, channel->config.kind, channel->config.address);
}

static unsigned count_controllers(const struct model *model, const char *bridge)
{
	unsigned n = 0;

	for (unsigned i = 0; i < model->n_channels; i++) {
		const struct model_channel *channel = &model->channels[i];

		if (channel->config.kind == CHANNEL_CONTROLLER && !strcmp(channel->bridge, bridge))
			n += 1 + channel->config.auxiliary;
	}
	return n;
}

/*
 * A controller that goes while its bridge gets another goes last: a bridge that had none in between would empty its
 * tables and forward of its own accord (agent.h). Only where there is no room for both it goes first.
 */
static bool goes_last(const struct plan *plan, const struct model_channel *channel)
{
	unsigned n = count_controllers(plan->to, channel->bridge);

	return channel->config.kind == CHANNEL_CONTROLLER && n &&
	       n + count_controllers(plan->from, channel->bridge) <= CHANNEL_CONTROLLERS_MAX;
}

/* Its ports stay, and it says the same of them. */
static bool mirror_stays(const struct plan *plan, const struct mirror_config *has)
{
	const struct model_mirror *wanted = model_mirror(plan->to, has->bridge, has->name);

	if (wanted ? !model_same_mirror(has, &wanted->config) : !plan->keep)
		return false;
	for (unsigned i = 0; i < has->from.n; i++) {
		if (!port_stays(plan, has->from.name[i]))
			return false;
	}
	for (unsigned i = 0; i < has->out_of.n; i++) {
		if (!port_stays(plan, has->out_of.name[i]))
			return false;
	}
	return port_stays(plan, has->to);
}

/* Of all, those that go last or those that do not. What goes with its bridge needs no step of its own. */
static void plan_channel_removals(struct plan *plan, bool last)
{
	for (unsigned i = 0; i < plan->from->n_channels; i++) {
		const struct model_channel *channel = &plan->from->channels[i], *wanted = same_place(plan->to, channel);
		bool changed = wanted && !channel_config_same(&wanted->config, &channel->config);

		if (wanted ? !last && changed && channel->config.kind == CHANNEL_LISTENER
			   : !plan->keep && model_bridge(plan->to, channel->bridge) && goes_last(plan, channel) == last)
			plan_step(plan, STEP_DEL_CHANNEL, i, 0);
	}
}

static void plan_removals(struct plan *plan)
{
	const struct model *from = plan->from, *to = plan->to;

	for (unsigned i = 0; i < from->n_listeners; i++) {
		const struct model_listener *wanted =
			model_listener(to, from->listeners[i].kind, from->listeners[i].address);

		if (wanted ? !same_listener(wanted, &from->listeners[i]) : !plan->keep)
			plan_step(plan, STEP_DEL_LISTENER, i, 0);
	}
	plan_channel_removals(plan, false);
	for (unsigned i = 0; i < from->n_mirrors; i++) {
		if (!mirror_stays(plan, &from->mirrors[i].config))
			plan_step(plan, STEP_DEL_MIRROR, i, 0);
	}
	for (unsigned i = 0; i < from->n_macs; i++) {
		if (!plan->keep && port_stays(plan, from->macs[i].mac.port) && !model_mac(to, &from->macs[i].mac))
			plan_step(plan, STEP_DEL_MAC, i, 0);
	}
	for (unsigned i = 0; i < from->n_ports; i++) {
		if (!port_stays(plan, from->ports[i].config.name))
			plan_step(plan, STEP_DEL_PORT, i, 0);
	}
	for (unsigned i = 0; i < from->n_bridges; i++) {
		if (!plan->keep && !model_bridge(to, from->bridges[i].name))
			plan_step(plan, STEP_DEL_BRIDGE, i, 0);
	}
}

static unsigned bridge_changes(const struct model_bridge *a, const struct model_bridge *b)
{
	unsigned which = 0;

	if (a->settings.ageing_s != b->settings.ageing_s)
		which |= BRIDGE_SET_AGEING;
	if (a->settings.fdb_limit != b->settings.fdb_limit)
		which |= BRIDGE_SET_FDB_LIMIT;
	if (a->settings.forward_reserved != b->settings.forward_reserved)
		which |= BRIDGE_SET_FORWARD_RESERVED;
	if (a->settings.datapath_id != b->settings.datapath_id)
		which |= BRIDGE_SET_DATAPATH_ID;
	if (a->fail != b->fail)
		which |= MODEL_SET_FAIL;
	return which;
}

static void plan_bridges(struct plan *plan)
{
	static const struct model_bridge fresh = {
		.settings = {.ageing_s = FDB_DEFAULT_AGEING_S, .fdb_limit = FDB_DEFAULT_LIMIT},
		.fail = FAIL_WISH_STANDALONE};
	const struct model *to = plan->to;

	for (unsigned i = 0; i < to->n_bridges; i++) {
		const struct model_bridge *has = model_bridge(plan->from, to->bridges[i].name);
		unsigned which = bridge_changes(has ? has : &fresh, &to->bridges[i]);

		if (!has)
			plan_step(plan, STEP_ADD_BRIDGE, i, 0);
		if (which)
			plan_step(plan, STEP_SET_BRIDGE, i, which);
	}
}

static const struct port_config *holder_of(const struct model *model, const char *bridge, uint32_t of_port)
{
	for (unsigned i = 0; i < model->n_ports; i++) {
		const struct port_config *port = &model->ports[i].config;

		if (port->of_port == of_port && !strcmp(port->bridge, bridge))
			return port;
	}
	return NULL;
}

/*
 * A number that another port has so far is had by an exchange, whatever the order in which the ports come: each step
 * puts its own port where it belongs for good, and the other one, if it is wanted elsewhere, has its step still to
 * come. A port that the configuration does not name keeps what it has.
 */
static unsigned may_swap(const struct plan *plan, const struct port_config *wanted)
{
	const struct port_config *holder = holder_of(plan->from, wanted->bridge, wanted->of_port);

	return holder && model_port(plan->to, holder->name) ? PORT_SWAP_NUMBER : 0;
}

/* Ports that change come first: a new one may want a number that one of them gives up. */
static void plan_ports(struct plan *plan)
{
	const struct model *to = plan->to;

	for (unsigned i = 0; i < to->n_ports; i++) {
		const struct port_config *wanted = &to->ports[i].config;
		unsigned which;

		if (!port_stays(plan, wanted->name))
			continue;
		which = port_changes(&model_port(plan->from, wanted->name)->config, wanted);
		if (which & PORT_SET_NUMBER)
			which |= may_swap(plan, wanted);
		if (which)
			plan_step(plan, STEP_SET_PORT, i, which);
	}
	for (unsigned i = 0; i < to->n_ports; i++) {
		if (!port_stays(plan, to->ports[i].config.name))
			plan_step(plan, STEP_ADD_PORT, i, 0);
	}
}

static void plan_channels(struct plan *plan)
{
	const struct model *to = plan->to;

	for (unsigned i = 0; i < to->n_channels; i++) {
		const struct model_channel *wanted = &to->channels[i], *has = same_place(plan->from, wanted);

		if (!has)
			plan_step(plan, STEP_ADD_CHANNEL, i, 0);
		else if (!channel_config_same(&has->config, &wanted->config))
			plan_step(plan, has->config.kind == CHANNEL_CONTROLLER ? STEP_SET_CHANNEL : STEP_ADD_CHANNEL, i,
				0);
	}
}

static void plan_rest(struct plan *plan)
{
	const struct model *to = plan->to;

	for (unsigned i = 0; i < to->n_macs; i++) {
		const struct model_mac *has = model_mac(plan->from, &to->macs[i].mac);

		if (!has || strcmp(has->mac.port, to->macs[i].mac.port) != 0 || !port_stays(plan, to->macs[i].mac.port))
			plan_step(plan, STEP_ADD_MAC, i, 0);
	}
	for (unsigned i = 0; i < to->n_mirrors; i++) {
		const struct mirror_config *wanted = &to->mirrors[i].config;
		const struct model_mirror *has = model_mirror(plan->from, wanted->bridge, wanted->name);

		if (!has || !mirror_stays(plan, &has->config))
			plan_step(plan, STEP_ADD_MIRROR, i, 0);
	}
	for (unsigned i = 0; i < to->n_listeners; i++) {
		const struct model_listener *has =
			model_listener(plan->from, to->listeners[i].kind, to->listeners[i].address);

		if (!has || !same_listener(has, &to->listeners[i]))
			plan_step(plan, STEP_ADD_LISTENER, i, 0);
	}
}

int model_diff(const struct model *from, const struct model *to, bool keep, struct model_step **ret, unsigned *ret_n)
{
	struct plan plan = {.from = from, .to = to, .keep = keep};

	plan_removals(&plan);
	plan_bridges(&plan);
	plan_ports(&plan);
	plan_rest(&plan);
	plan_channels(&plan);
	plan_channel_removals(&plan, true);
	if (plan.failed) {
		free(plan.steps);
		return -ENOMEM;
	}
	*ret = plan.steps;
	*ret_n = plan.n;
	return 0;
}
