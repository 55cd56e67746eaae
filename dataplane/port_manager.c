/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/port_manager_parts.h"

#include "dataplane/cable.h"
#include "dataplane/complaint.h"
#include "dataplane/driver.h"
#include "dataplane/loan.h"
#include "dataplane/log.h"
#include "dataplane/netdev.h"
#include "dataplane/port_cpus.h"
#include "dataplane/port_device.h"
#include "dataplane/port_hook.h"
#include "dataplane/port_limits.h"
#include "dataplane/preflight.h"
#include "dataplane/reactor.h"
#include "dataplane/registry.h"
#include "dataplane/sets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RETRY_MS         2000
#define REPAIR_WINDOW_NS 60000000000ULL
#define REPAIRS_A_WINDOW 5

static struct managed *find_device(const struct port_manager *pm, const char *device)
{
	for (int id = 1; id < SW_MAX_PORTS; id++) {
		if (pm->ports[id] && strcmp(pm->ports[id]->device, device) == 0)
			return pm->ports[id];
	}
	return NULL;
}

static struct managed *find_ifindex(const struct port_manager *pm, uint32_t ifindex)
{
	for (int id = 1; id < SW_MAX_PORTS; id++) {
		if (pm->ports[id] && pm->ports[id]->ifindex == ifindex)
			return pm->ports[id];
	}
	return NULL;
}

static void unsettled(const struct port_manager *pm)
{
	pm->parts.unsettled(pm->parts.ctx);
}

/* ---- what a port is, told to the registry, the datapath and the pipeline ---- */

static void record(const struct port_manager *pm, const struct managed *m)
{
	struct sw_registry_port entry = {
		.ifindex = m->ifindex ? m->ifindex : m->loan_ifindex,
		.flags = (m->created ? SW_REG_CREATED : 0) | m->loan,
		.of_port = m->config.of_port,
	};
	const struct bridge *bridge = pipeline_bridge_by_name(pm->parts.pl, m->config.bridge);

	entry.bridge = bridge ? bridge->id : 0;
	memcpy(entry.name, m->config.name, sizeof(entry.name));
	registry_put_port(dp_of(pm)->memory.registry, m->id, &entry);
}

static bool same_dp_port(const struct dp_port *a, const struct dp_port *b)
{
	return a->ifindex == b->ifindex && a->n_queues == b->n_queues && a->csum == b->csum && a->hook == b->hook &&
	       a->is_veth == b->is_veth && a->peer_apart == b->peer_apart && a->max_frame == b->max_frame &&
	       a->max_rx_frame == b->max_rx_frame && a->untagged_vid == b->untagged_vid &&
	       a->miss_rate == b->miss_rate && a->miss_burst == b->miss_burst && cpu_list_same(&a->cpus, &b->cpus);
}

/* Where frames may come as skbs it takes a kernel that spreads those; while the mode is not known, they may. */
static bool can_spread(const struct port_manager *pm, const struct managed *m, const struct netdev_info *info)
{
	bool native = m->mode_known && m->mode == DP_MODE_NATIVE && info->kind != NETDEV_TAP;

	return cpu_list_is_empty(&m->config.cpus) || native || dp_of(pm)->ops->spreads_skbs(dp_of(pm));
}

static int put(struct port_manager *pm, struct managed *m, const struct netdev_info *info, struct complaint *c)
{
	struct port_limits limits;
	struct dp_port port = {
		.id = m->id,
		.ifindex = info->ifindex,
		.n_queues = info->rx_queues,
		.hook = m->hook,
		.is_veth = info->kind == NETDEV_VETH,
		.peer_apart = port_hook_passes(info),
		.csum = info->kind == NETDEV_VETH || info->kind == NETDEV_TAP,
		.untagged_vid = vlan_untagged(&m->config.vlan),
		.miss_rate = m->config.upcall_rate,
		.miss_burst = m->config.upcall_burst,
	};
	int error;

	port_limits_of(info, m->mode, &limits);
	port.max_frame = limits.max_frame;
	port.max_rx_frame = limits.max_rx_frame;
	port_cpus_choose(&m->config.cpus, can_spread(pm, m, info), &port.cpus, m->cpus_why, sizeof(m->cpus_why));
	if (same_dp_port(&port, &m->known))
		return 0;
	error = dp_of(pm)->ops->port_put(dp_of(pm), &port, c);
	if (error)
		return error;
	m->known = port;
	m->mtu = limits.mtu;
	return 0;
}

static void set_state(struct port_manager *pm, struct managed *m, const struct port_state *state)
{
	const struct port *port = pipeline_port(pm->parts.pl, m->id);
	bool was_up = port && port->up;

	pipeline_port_set_state(pm->parts.pl, m->id, state);
	if (was_up && !state->up)
		fdb_flush(pm->parts.fdb, 0, m->id, -1, false); /* P4 */
	unsettled(pm);
}

/* P3 */
static void link_changed(struct port_manager *pm, struct managed *m, const struct netdev_info *info)
{
	struct port_limits limits;
	struct port_state state = {
		.ifindex = m->ifindex,
		.up = info->admin_up && info->carrier,
		.csum = m->known.csum,
		.max_frame = m->known.max_frame,
		.features = cable_features(&info->link),
		.mbps = info->link.mbps,
	};
	enum port_phase phase = state.up ? PORT_UP : PORT_DOWN;

	memcpy(state.mac, info->mac, sizeof(state.mac));
	port_limits_of(info, m->mode, &limits);
	state.fast = limits.fast;
	state.sg = limits.sg;
	memcpy(m->path, limits.path, sizeof(m->path));
	m->half_duplex = info->link.half_duplex;
	if (m->phase != phase)
		log_info("port %s: %s", m->config.name, phase == PORT_UP ? "up" : "link down");
	m->phase = phase;
	set_state(pm, m, &state);
}

/* ---- taking a device and letting it go ---- */

/* P5 */
static void give_back(const struct port_manager *pm, struct managed *m)
{
	loan_return(m->loan_ifindex, m->loan, m->config.name);
	m->loan = m->loan_ifindex = 0;
	record(pm, m);
}

static void let_go(struct port_manager *pm, struct managed *m, enum port_phase phase, const char *why)
{
	struct port_state gone = {.ifindex = 0};
	bool had_device = m->ifindex;

	if (had_device) {
		dp_of(pm)->ops->port_remove(dp_of(pm), m->id);
		log_info("port %s: %s", m->config.name, why);
	}
	m->ifindex = 0;
	m->mode_known = false;
	memset(&m->known, 0, sizeof(m->known));
	m->phase = phase;
	snprintf(m->reason, sizeof(m->reason), "%s", why);
	m->path[0] = m->cpus_why[0] = m->hook_why[0] = '\0';
	set_state(pm, m, &gone);
	if (had_device && pm->restored)
		sets_port_changed(pm->parts.sets, m->id); /* the device may be there still */
	give_back(pm, m);
}

/* What a device needs before a program can sit on it. What fails here is no reason to refuse it. */
static void prepare(const struct port_manager *pm, struct managed *m, const struct netdev_info *info)
{
	uint32_t changes = loan_changes(info);
	struct complaint c = {""};

	if (m->loan_ifindex != info->ifindex) /* what is noted is of another device, which lost its name to this one */
		give_back(pm, m);
	m->loan_ifindex = info->ifindex;
	m->loan |= m->created ? 0 : changes;
	record(pm, m); /* before it is true, so that a crash leaves nothing that is not noted */
	loan_take(info, changes, m->config.name);
	if (info->kind == NETDEV_VETH && netdev_prepare_peer(info, &c))
		log_warn("port %s: %s", m->config.name, c.text);
	if (!info->admin_up && netdev_set_up(info->ifindex, &c))
		log_warn("port %s: %s", m->config.name, c.text);
}

static const enum dp_mode *wanted_mode(const struct managed *m)
{
	static const enum dp_mode modes[] = {
		[PORT_MODE_NATIVE] = DP_MODE_NATIVE,
		[PORT_MODE_GENERIC] = DP_MODE_GENERIC,
		[PORT_MODE_OFFLOAD] = DP_MODE_OFFLOAD,
	};

	return m->config.mode == PORT_MODE_AUTO ? NULL : &modes[m->config.mode];
}

static int attach_at_hook(
	struct port_manager *pm, struct managed *m, const struct netdev_info *info, struct complaint *c)
{
	int error;

	m->mode_known = false;
	error = put(pm, m, info, c);
	if (!error)
		error = dp_of(pm)->ops->attach(
			dp_of(pm), m->id, wanted_mode(m), &m->mode, m->reason, sizeof(m->reason), c);
	m->mode_known = !error;
	if (!error && m->mode == DP_MODE_GENERIC && m->config.mode == PORT_MODE_AUTO)
		driver_explain(info->driver, m->reason, sizeof(m->reason));
	return error ? error : put(pm, m, info, c);
}

/* Whose choice it was to sit at the tc hook goes on at the other where the kernel does not have it so. */
static int attach(struct port_manager *pm, struct managed *m, const struct netdev_info *info, struct complaint *c)
{
	struct complaint why = {""};
	int error;

	m->hook = port_hook_choose(&m->config, info, m->hook_why, sizeof(m->hook_why));
	m->fell_back = false;
	error = attach_at_hook(pm, m, info, &why);
	if (error && m->hook == DP_HOOK_TC && m->config.hook == PORT_HOOK_AUTO) {
		log_info("port %s: %s", m->config.name, why.text);
		m->hook = DP_HOOK_XDP;
		m->fell_back = true;
		snprintf(m->hook_why, sizeof(m->hook_why), "the kernel does not accept the program at the tc hook");
		why.text[0] = '\0';
		error = attach_at_hook(pm, m, info, &why);
	}
	if (!error)
		return 0;
	complain(c, error, "%s", why.text);
	m->mode_known = false;
	dp_of(pm)->ops->port_remove(dp_of(pm), m->id);
	memset(&m->known, 0, sizeof(m->known));
	return error;
}

static int complain_of_owner(const struct managed *owner, struct complaint *c)
{
	return complain(c, -EEXIST, "%s is the device of port %s already", owner->device, owner->config.name);
}

static struct preflight_wish wish_of(const struct managed *m, const struct netdev_info *info)
{
	long n_cpus = sysconf(_SC_NPROCESSORS_CONF);
	char why[sizeof(m->hook_why)];

	return (struct preflight_wish){
		.force = m->config.force,
		.mode = m->config.mode,
		.hook = port_hook_choose(&m->config, info, why, sizeof(why)),
		.n_cpus = n_cpus > 0 ? (uint32_t)n_cpus : 0,
	};
}

static int take_prepared(struct port_manager *pm, struct managed *m, struct netdev_info *info, struct complaint *c)
{
	int error = netdev_query_ifindex(info->ifindex, info);

	if (error)
		return complain(c, error, "%s vanished while it was being taken", m->device);
	error = netdev_monitor_found(pm->monitor, info);
	if (error)
		return complain(c, error, "out of memory");
	m->reason[0] = '\0';
	return attach(pm, m, info, c);
}

static int take(struct port_manager *pm, struct managed *m, struct netdev_info *info, struct complaint *c)
{
	struct preflight_wish wish = wish_of(m, info);
	const struct managed *owner = find_ifindex(pm, info->ifindex);
	bool owned;
	int error;

	if (owner && owner != m) /* P7; by another name of it, see ip-link(8) altname */
		return complain_of_owner(owner, c);
	error = port_device_check(&m->config, info, c);
	if (error)
		return error;
	/* What a daemon before this one had attached is not asked again whether it may be (R1). */
	owned = dp_of(pm)->ops->owns(dp_of(pm), info->ifindex);
	error = owned ? 0 : preflight(info, &wish, c);
	if (error)
		return error;
	port_advice_find(&m->advice, info, owned ? NULL : &wish, m->config.name);
	prepare(pm, m, info);
	error = take_prepared(pm, m, info, c);
	if (error) {
		give_back(pm, m);
		return error;
	}
	m->ifindex = info->ifindex;
	record(pm, m);
	log_info("port %s: attached to %s (ifindex %u)", m->config.name, m->device, m->ifindex);
	if (pm->restored)
		sets_port_changed(pm->parts.sets, m->id);
	link_changed(pm, m, info);
	return 0;
}

/* ---- news ---- */

/*
 * What stands in a refused port's way is often no news of its device: a route, a program's link, a namespace. So it is
 * looked at again, as long as there is such a port.
 */
static void arm_retry(struct port_manager *pm)
{
	pm->parts.reactor->arm(pm->parts.reactor->ctx, pm->retry, RETRY_MS);
}

static void refused(struct port_manager *pm, struct managed *m, const char *why)
{
	if (m->phase != PORT_REFUSED || strcmp(m->reason, why) != 0)
		log_warn("port %s: %s", m->config.name, why);
	let_go(pm, m, PORT_REFUSED, why);
	arm_retry(pm);
}

static bool may_repair(struct port_manager *pm, struct managed *m)
{
	uint64_t now = pm->parts.reactor->now_ns(pm->parts.reactor->ctx);

	if (now - m->repairs_since_ns > REPAIR_WINDOW_NS) {
		m->repairs_since_ns = now;
		m->n_repairs = 0;
	}
	return m->n_repairs++ < REPAIRS_A_WINDOW;
}

/* The peer no longer takes redirects, or hides tags again: set it right, and look again. */
static void repair(struct port_manager *pm, struct managed *m, struct netdev_info *info)
{
	struct complaint c = {""};
	bool drifted = info->kind == NETDEV_VETH &&
		       (info->takes_redirects == 0 ||
			       (info->peer.reachable && (!info->peer.gro || info->peer.tx_vlan_offload)));

	if (!drifted || !may_repair(pm, m))
		return;
	if (netdev_prepare_peer(info, &c))
		log_limited(LOG_LEVEL_WARN, "port %s: %s", m->config.name, c.text);
	else
		netdev_query_ifindex(info->ifindex, info);
}

/* It sits where it did: only who says so may have changed. */
static void explain_hook(struct managed *m, const struct netdev_info *info)
{
	char why[sizeof(m->hook_why)];

	if (port_hook_choose(&m->config, info, why, sizeof(why)) != m->hook)
		return;
	memcpy(m->hook_why, why, sizeof(why));
	m->fell_back = false;
}

/* At tc everything works that a port of its own choice does: it does not go where it would be refused. */
static int stay(struct port_manager *pm, struct managed *m, const struct netdev_info *info, const char *why_not,
	struct complaint *c)
{
	static const char because[] = "it stays where it works, for at the other hook it would be refused";

	if (strcmp(m->hook_why, because) != 0)
		log_info("port %s: it stays at the %s hook: %s", m->config.name, port_hook_name(m->hook), why_not);
	snprintf(m->hook_why, sizeof(m->hook_why), "%s", because);
	return put(pm, m, info, c);
}

/* News may be of what decides on the hook. */
static int follow_hook(struct port_manager *pm, struct managed *m, const struct netdev_info *info, struct complaint *c)
{
	struct preflight_wish wish = wish_of(m, info);
	struct complaint why_not = {""};

	if (m->fell_back)
		return put(pm, m, info, c);
	if (wish.hook != m->hook)
		return preflight(info, &wish, &why_not) ? stay(pm, m, info, why_not.text, c) : attach(pm, m, info, c);
	explain_hook(m, info);
	return put(pm, m, info, c);
}

static void consider(struct port_manager *pm, struct managed *m, struct netdev_info *info)
{
	struct complaint c = {""};

	if (m->ifindex && m->ifindex != info->ifindex)
		let_go(pm, m, PORT_WAITING, "its device was replaced by another of the same name");
	if (!m->ifindex) {
		if (take(pm, m, info, &c))
			refused(pm, m, c.text);
	} else {
		repair(pm, m, info);
		if (follow_hook(pm, m, info, &c))
			refused(pm, m, c.text);
		else
			link_changed(pm, m, info);
	}
}

static void device_changed(void *ctx, const struct netdev_info *info)
{
	struct port_manager *pm = ctx;
	struct managed *by_name = find_device(pm, info->name);
	struct managed *by_ifindex = find_ifindex(pm, info->ifindex);
	struct netdev_info now = *info;

	if (by_ifindex && by_ifindex != by_name)
		let_go(pm, by_ifindex, PORT_WAITING, "its device was renamed");
	if (by_name)
		consider(pm, by_name, &now);
}

/* The device is not there under its name: it may be elsewhere, moved or renamed, with the program still on it. */
static void give_up_former(struct port_manager *pm, struct managed *m)
{
	if (m->had_ifindex)
		dp_of(pm)->ops->port_remove(dp_of(pm), m->id);
	m->had_ifindex = 0;
	give_back(pm, m);
}

/* Makes the port's device if it is one that the switch makes and it is not there, and takes it. */
static int ensure(struct port_manager *pm, struct managed *m, struct complaint *c)
{
	struct netdev_info info;
	int error = netdev_query(m->device, &info);

	if (error == -ENODEV)
		give_up_former(pm, m);
	if (error == -ENODEV && m->config.type != PORT_EXISTING) {
		m->created = true; /* recorded before it is true, so that a crash leaves no device that is nobody's */
		record(pm, m);
		error = port_device_create(&m->config, m->device, c);
		m->created = !error;
		if (error)
			return error;
		error = netdev_query(m->device, &info);
	}
	if (error == -ENODEV) {
		m->phase = PORT_WAITING;
		snprintf(m->reason, sizeof(m->reason), "there is no device %s yet", m->device);
		return 0;
	}
	if (error)
		return complain(c, error, "%s: %s", m->device, strerror(-error));
	return take(pm, m, &info, c);
}

static void device_gone(void *ctx, uint32_t ifindex, const char *name)
{
	struct port_manager *pm = ctx;
	struct managed *m = find_ifindex(pm, ifindex);
	char why[64];

	if (!m)
		return;
	snprintf(why, sizeof(why), "its device %s went away", name);
	let_go(pm, m, PORT_WAITING, why);
	if (m->config.type != PORT_EXISTING)
		arm_retry(pm); /* P6 */
}

static void retry_one(struct port_manager *pm, struct managed *m)
{
	struct complaint c = {""};

	if (m->ifindex || (m->config.type == PORT_EXISTING && m->phase != PORT_REFUSED) || !ensure(pm, m, &c))
		return;
	refused(pm, m, c.text);
}

static void retry_due(void *ctx)
{
	struct port_manager *pm = ctx;

	for (int id = 1; id < SW_MAX_PORTS; id++) {
		if (pm->ports[id])
			retry_one(pm, pm->ports[id]);
	}
}

/* ---- requests ---- */

void port_config_init(struct port_config *config, const char *bridge, const char *name)
{
	memset(config, 0, sizeof(*config));
	snprintf(config->bridge, sizeof(config->bridge), "%s", bridge);
	snprintf(config->name, sizeof(config->name), "%s", name);
	config->queues = 1;
	config->upcall_rate = PORT_DEFAULT_UPCALL_RATE;
	config->upcall_burst = PORT_DEFAULT_UPCALL_BURST;
}

/* The lowest id that is nobody's, also not of a port that this restart has yet to bring back; 0: none is left. */
static uint16_t unclaimed_id(const struct port_manager *pm)
{
	for (uint16_t id = 1; id < SW_MAX_PORTS; id++) {
		if (!pm->ports[id] && !dp_of(pm)->memory.registry->port[id].name[0])
			return id;
	}
	return 0;
}

/* The id of a port that did not come back yet had to be given away: nothing of it may pass to the newcomer. */
static void dispossess(struct port_manager *pm, uint16_t id)
{
	dp_of(pm)->ops->port_remove(dp_of(pm), id);
	fdb_flush(pm->parts.fdb, 0, id, -1, true);
	counters_retire_port(&dp_of(pm)->memory, id);
}

/*
 * P8: the number that was asked for, else the one that the port had before a restart, else one above all that the
 * bridge has given out, also to ports that this restart has yet to bring back.
 */
static int number(struct port_manager *pm, struct managed *m, uint16_t bridge, uint16_t had, struct complaint *c)
{
	const struct sw_registry *registry = dp_of(pm)->memory.registry;
	uint32_t recorded = had && registry->port[had].bridge == bridge ? registry->port[had].of_port : 0;
	uint32_t last = pm->restored ? 0 : registry_last_of_port(registry, bridge);
	uint32_t wanted = m->config.of_port ? m->config.of_port : recorded;
	int error;

	if (!wanted && last > pipeline_bridge(pm->parts.pl, bridge)->last_of_port && last < OF_PORT_MAX - 1)
		wanted = last + 1;
	error = pipeline_port_number(pm->parts.pl, m->id, wanted, c);
	/* Somebody else has asked for what only was its own by habit. */
	if (error && wanted && !m->config.of_port)
		error = pipeline_port_number(pm->parts.pl, m->id, 0, c);
	if (!error)
		m->config.of_port = pipeline_port(pm->parts.pl, m->id)->of_port;
	return error;
}

static int enlist(struct port_manager *pm, struct managed *m, struct complaint *c)
{
	struct sw_registry *registry = dp_of(pm)->memory.registry;
	const struct bridge *bridge = pipeline_bridge_by_name(pm->parts.pl, m->config.bridge);
	uint16_t had = registry_port_id(registry, m->config.name);
	int error;

	if (!bridge)
		return complain(c, -ENOENT, "there is no bridge %s: add it with `bridge add %s`", m->config.bridge,
			m->config.bridge);
	if (had && pm->ports[had])
		had = 0;
	error = pipeline_port_add(pm->parts.pl, bridge->id, m->config.name, had ? had : unclaimed_id(pm), &m->id, c);
	if (error)
		return error;
	error = number(pm, m, bridge->id, had, c);
	if (error) {
		pipeline_port_remove(pm->parts.pl, m->id);
		return error;
	}
	if (!had && registry->port[m->id].name[0])
		dispossess(pm, m->id);
	if (!had)
		fdb_flush(pm->parts.fdb, 0, m->id, -1, true); /* of one that had the id, and died with the daemon */
	m->created = had && (registry->port[had].flags & SW_REG_CREATED);
	m->had_ifindex = had && dp_of(pm)->adopted ? registry->port[had].ifindex : 0;
	m->loan = had ? registry->port[had].flags & SW_REG_LOAN : 0;
	m->loan_ifindex = m->loan ? registry->port[had].ifindex : 0;
	pipeline_port_set_vlan(pm->parts.pl, m->id, &m->config.vlan);
	pm->ports[m->id] = m;
	return 0;
}

/* Takes the port out of everything. Its device, if the switch made it, goes too (P5). */
static void discharge(struct port_manager *pm, struct managed *m)
{
	struct complaint c = {""};
	struct netdev_info info;

	let_go(pm, m, PORT_WAITING, "removed");
	fdb_flush(pm->parts.fdb, 0, m->id, -1, true); /* P4 */
	if (m->created && netdev_query(m->device, &info) == 0 && netdev_delete(info.ifindex, &c))
		log_warn("port %s: %s", m->config.name, c.text);
	registry_clear_port(dp_of(pm)->memory.registry, m->id);
	pipeline_port_remove(pm->parts.pl, m->id);
	counters_retire_port(&dp_of(pm)->memory, m->id);
	pm->ports[m->id] = NULL;
	unsettled(pm);
	free(m);
}

int port_manager_add(struct port_manager *pm, const struct port_config *config, struct complaint *c)
{
	struct managed *m = calloc(1, sizeof(*m));
	const struct managed *owner;
	struct complaint why = {""};
	int error;

	if (!m)
		return complain(c, -ENOMEM, "out of memory");
	m->config = *config;
	error = port_hook_check(config, c);
	if (!error && !config->patient)
		error = port_cpus_check(&config->cpus, c);
	if (!error)
		error = port_device_name(config, m->device, c);
	owner = error ? NULL : find_device(pm, m->device);
	if (owner &&
		owner != port_manager_find(pm, config->name)) /* the same port twice is for the pipeline to refuse */
		error = complain_of_owner(owner, c);
	if (!error)
		error = enlist(pm, m, c);
	if (error) {
		free(m);
		return error;
	}
	record(pm, m);
	error = ensure(pm, m, &why);
	if (!error && !config->patient && m->cpus_why[0])
		error = complain(&why, -EOPNOTSUPP, "%s", m->cpus_why);
	if (!error)
		return 0;
	if (config->patient) {
		refused(pm, m, why.text);
		return 0;
	}
	discharge(pm, m);
	return complain(c, error, "%s", why.text);
}

int port_manager_remove(struct port_manager *pm, const char *name, struct complaint *c)
{
	struct managed *m = port_manager_find(pm, name);

	if (!m)
		return complain(c, -ENOENT, "there is no port %s", name);
	discharge(pm, m);
	return 0;
}

static void configure(struct port_manager *pm, struct managed *m, const struct port_config *config)
{
	if (memcmp(&m->config.vlan, &config->vlan, sizeof(config->vlan)) != 0)
		pipeline_port_set_vlan(pm->parts.pl, m->id, &config->vlan);
	m->config = *config;
}

/*
 * Attaches the program again, in the mode that is wanted now. To the pipeline the port was never away: it keeps its
 * addresses. If it fails after preflight, nothing is attached.
 */
static int reattach(struct port_manager *pm, struct managed *m, struct netdev_info *info, struct complaint *c)
{
	struct preflight_wish wish = wish_of(m, info);
	int error;

	if (m->hook == DP_HOOK_XDP)
		info->xdp_prog_id = 0; /* ours */
	error = preflight(info, &wish, c);
	if (error)
		return error;
	if (wish.hook == m->hook)
		dp_of(pm)->ops->port_remove(dp_of(pm), m->id);
	memset(&m->known, 0, sizeof(m->known));
	return attach(pm, m, info, c);
}

/* Brings the port to where its configuration wants it now. A device that is not there will find it so. */
static int comply(struct port_manager *pm, struct managed *m, bool mode, struct complaint *c)
{
	struct netdev_info info;
	int error;

	if (!m->ifindex)
		return mode && netdev_query(m->device, &info) == 0 ? take(pm, m, &info, c) : 0;
	if (netdev_query_ifindex(m->ifindex, &info))
		return 0;
	error = mode ? reattach(pm, m, &info, c) : put(pm, m, &info, c);
	if (error)
		return error;
	if (mode)
		sets_port_changed(pm->parts.sets, m->id);
	else
		explain_hook(m, &info);
	link_changed(pm, m, &info);
	return 0;
}

/* The configuration is what it was: so shall the port be, if comply() touched it. */
static void go_back(struct port_manager *pm, struct managed *m, bool mode)
{
	struct complaint c = {""};
	struct netdev_info info;
	bool detached = mode && !m->known.ifindex;

	if (!m->ifindex || (mode && !detached) || netdev_query_ifindex(m->ifindex, &info))
		return;
	memset(&m->known, 0, sizeof(m->known));
	if (detached ? attach(pm, m, &info, &c) : put(pm, m, &info, &c)) {
		refused(pm, m, c.text);
		return;
	}
	sets_port_changed(pm->parts.sets, m->id);
	link_changed(pm, m, &info);
}

static int change_number(struct port_manager *pm, struct managed *m, uint32_t of_port, bool swap, struct complaint *c)
{
	const struct port *port = pipeline_port(pm->parts.pl, m->id);
	const struct port *has = pipeline_port_by_number(pm->parts.pl, port->bridge, of_port);
	int error = 0;

	if (swap && has && has != port) {
		pipeline_port_swap_numbers(pm->parts.pl, port->id, has->id);
		pm->ports[has->id]->config.of_port = has->of_port;
		record(pm, pm->ports[has->id]);
	} else {
		error = pipeline_port_number(pm->parts.pl, m->id, of_port, c);
	}
	if (error)
		return error;
	m->config.of_port = port->of_port;
	record(pm, m);
	return 0;
}

/* Whether the program would sit at another hook of the port's device; of one that was not taken, whether it might. */
static bool is_other_hook(const struct managed *m, const struct port_config *wanted)
{
	char why[sizeof(m->hook_why)];
	struct netdev_info info;

	if (!m->ifindex)
		return wanted->hook != m->config.hook;
	if (netdev_query_ifindex(m->ifindex, &info))
		return false;
	return port_hook_choose(wanted, &info, why, sizeof(why)) != m->hook;
}

int port_manager_set(struct port_manager *pm, const struct port_config *config, unsigned which, struct complaint *c)
{
	struct managed *m = port_manager_find(pm, config->name);
	bool insists = which & PORT_SET_CPUS && !config->patient;
	struct port_config old, wanted;
	bool mode;
	char reason[sizeof(m->reason)];
	int error;

	if (!m)
		return complain(c, -ENOENT, "there is no port %s", config->name);
	error = insists ? port_cpus_check(&config->cpus, c) : 0;
	if (error)
		return error;
	if (which & PORT_SET_NUMBER) {
		error = change_number(pm, m, config->of_port, which & PORT_SWAP_NUMBER, c);
		if (error)
			return error;
	}
	old = wanted = m->config;
	memcpy(reason, m->reason, sizeof(reason));
	if (which & PORT_SET_VLAN)
		wanted.vlan = config->vlan;
	if (which & PORT_SET_UPCALLS) {
		wanted.upcall_rate = config->upcall_rate;
		wanted.upcall_burst = config->upcall_burst;
	}
	if (which & PORT_SET_MODE)
		wanted.mode = config->mode;
	if (which & PORT_SET_HOOK)
		wanted.hook = config->hook;
	if (which & PORT_SET_CPUS)
		wanted.cpus = config->cpus;
	error = port_hook_check(&wanted, c);
	if (error)
		return error;
	mode = which & PORT_SET_MODE || is_other_hook(m, &wanted);
	configure(pm, m, &wanted);
	error = comply(pm, m, mode, c);
	if (!error && insists && m->cpus_why[0])
		error = complain(c, -EOPNOTSUPP, "%s", m->cpus_why);
	if (error) {
		configure(pm, m, &old);
		memcpy(m->reason, reason, sizeof(reason));
		go_back(pm, m, mode);
	} else if (which & PORT_SET_VLAN) {
		fdb_flush(pm->parts.fdb, 0, m->id, -1, false); /* what it learned may be in VLANs that it has left */
	}
	unsettled(pm);
	return error;
}

/* ---- life ---- */

int port_manager_create(const struct port_manager_parts *parts, struct port_manager **ret, struct complaint *c)
{
	struct port_manager *pm = calloc(1, sizeof(*pm));
	struct netdev_events events = {.ctx = pm, .changed = device_changed, .gone = device_gone};
	int error;

	if (!pm)
		return complain(c, -ENOMEM, "out of memory");
	pm->parts = *parts;
	pm->retry = parts->reactor->timer(parts->reactor->ctx, retry_due, pm);
	if (!pm->retry) {
		error = complain(c, -ENOMEM, "out of memory");
		goto no_timer;
	}
	error = netdev_monitor_create(parts->reactor, &events, &pm->monitor);
	if (error) {
		complain(c, error, "cannot listen for news of network devices: %s", strerror(-error));
		goto no_monitor;
	}
	*ret = pm;
	return 0;

no_monitor:
	parts->reactor->timer_free(parts->reactor->ctx, pm->retry);
no_timer:
	free(pm);
	return error;
}

void port_manager_destroy(struct port_manager *pm, bool forget)
{
	netdev_monitor_destroy(pm->monitor);
	pm->parts.reactor->timer_free(pm->parts.reactor->ctx, pm->retry);
	for (int id = 1; id < SW_MAX_PORTS; id++) {
		if (!pm->ports[id])
			continue;
		if (forget)
			discharge(pm, pm->ports[id]);
		else
			free(pm->ports[id]);
	}
	free(pm);
}
