/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/statement.h"

#include "ctl/grammar.h"
#include "ctl/words.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* In the order of the grammar's choices. */
static const char *const types[] = {
	[PORT_EXISTING] = "existing", [PORT_TAP] = "tap", [PORT_VETH] = "veth", [PORT_INTERNAL] = "internal"};
static const char *const modes[] = {[PORT_MODE_AUTO] = "auto",
	[PORT_MODE_NATIVE] = "native",
	[PORT_MODE_GENERIC] = "generic",
	[PORT_MODE_OFFLOAD] = "offload"};

static const char *const hooks[] = {[PORT_HOOK_AUTO] = "auto", [PORT_HOOK_XDP] = "xdp", [PORT_HOOK_TC] = "tc"};

static const enum fail_wish fail_modes[] = {FAIL_WISH_SECURE, FAIL_WISH_STANDALONE};

const char *statement_mode(enum port_mode_wish mode)
{
	return modes[mode];
}

const char *statement_hook(enum port_hook_wish hook)
{
	return hooks[hook];
}

const char *statement_type(enum port_type type)
{
	return types[type];
}

static void copy(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%s", text);
}

/* A burst that was not named follows the rate. */
static uint64_t burst_of(uint64_t rate)
{
	return rate / 10 > 64 ? rate / 10 : 64;
}

static unsigned read_common(const struct request *request, struct port_config *config)
{
	const struct grammar_value *value;
	unsigned which = 0;

	if (request_option(request, "vlan")) {
		config->vlan = request->vlan;
		which |= PORT_SET_VLAN;
	}
	value = request_option(request, "mode");
	if (value) {
		config->mode = (enum port_mode_wish)value->number;
		which |= PORT_SET_MODE;
	}
	value = request_option(request, "hook");
	if (value) {
		config->hook = (enum port_hook_wish)value->number;
		which |= PORT_SET_HOOK;
	}
	value = request_option(request, "upcall-limit");
	if (value) {
		config->upcall_rate = value->number;
		config->upcall_burst = burst_of(value->number);
		which |= PORT_SET_UPCALLS;
	}
	value = request_option(request, "burst");
	if (value) {
		config->upcall_burst = value->number;
		which |= PORT_SET_UPCALLS;
	}
	if (request_option(request, "cpus")) {
		config->cpus = request->cpus;
		which |= PORT_SET_CPUS;
	}
	return which;
}

static int check_tap(const struct request *request, enum port_type type, struct grammar_problem *problem)
{
	const struct grammar_value *queues = request_option(request, "queues");

	if (type != PORT_TAP && queues)
		return grammar_fault(
			problem, request, queues, "type tap", "only a port of type tap is made with queues");
	return 0;
}

static int check_veth(const struct request *request, enum port_type type, struct grammar_problem *problem)
{
	const struct grammar_value *peer = request_option(request, "peer");
	const struct grammar_value *netns = request_option(request, "netns");

	if (type == PORT_VETH && !peer)
		return grammar_fault(
			problem, request, NULL, "peer DEVICE", "a veth needs a name for its other end: peer DEVICE");
	if (type != PORT_VETH && peer)
		return grammar_fault(problem, request, peer, "type veth", "only a port of type veth has a peer");
	if (type != PORT_VETH && netns)
		return grammar_fault(problem, request, netns, "type veth", "only the peer of a veth goes into a netns");
	if (peer && !netns && !strcmp(peer->text, request->args[1].text))
		return grammar_fault(problem, request, peer, "another name, or netns NETNS",
			"the two ends of a veth in one namespace need two names");
	return 0;
}

int statement_port(const struct request *request, struct port_config *ret, struct grammar_problem *problem)
{
	const struct grammar_value *value = request_option(request, "type");
	enum port_type type = value ? (enum port_type)value->number : PORT_EXISTING;
	int err = check_veth(request, type, problem);

	if (!err)
		err = check_tap(request, type, problem);
	if (err)
		return err;
	port_config_init(ret, request->args[0].text, request->args[1].text);
	ret->type = type;
	value = request_option(request, "peer");
	if (value)
		copy(ret->peer, sizeof(ret->peer), value->text);
	value = request_option(request, "netns");
	if (value)
		copy(ret->netns, sizeof(ret->netns), value->text);
	value = request_option(request, "queues");
	if (value)
		ret->queues = (uint32_t)value->number;
	ret->force = request_option(request, "force") != NULL;
	value = request_option(request, "of-port");
	ret->of_port = value ? (uint32_t)value->number : 0;
	read_common(request, ret);
	return 0;
}

int statement_port_changes(
	const struct request *request, struct port_config *config, unsigned *ret_which, struct grammar_problem *problem)
{
	if (strcmp(config->bridge, request->args[0].text) != 0)
		return grammar_fault(problem, request, &request->args[0], config->bridge, "port %s is on bridge %s",
			config->name, config->bridge);
	*ret_which = read_common(request, config);
	if (request_option(request, "of-port")) {
		config->of_port = (uint32_t)request_option(request, "of-port")->number;
		*ret_which |= PORT_SET_NUMBER;
	}
	return 0;
}

void statement_bridge(const struct request *request, struct bridge_settings *ret, enum fail_wish *ret_fail)
{
	const struct grammar_value *value = request_option(request, "ageing");

	*ret = (struct bridge_settings){0};
	if (value) {
		ret->which |= BRIDGE_SET_AGEING;
		ret->ageing_s = (uint32_t)value->number;
	}
	value = request_option(request, "mac-limit");
	if (value) {
		ret->which |= BRIDGE_SET_FDB_LIMIT;
		ret->fdb_limit = (uint32_t)value->number;
	}
	value = request_option(request, "forward-reserved");
	if (value) {
		ret->which |= BRIDGE_SET_FORWARD_RESERVED;
		ret->forward_reserved = value->number == 1;
	}
	value = request_option(request, "datapath-id");
	if (value) {
		ret->which |= BRIDGE_SET_DATAPATH_ID;
		ret->datapath_id = value->number;
	}
	value = request_option(request, "fail-mode");
	*ret_fail = value ? fail_modes[value->number] : FAIL_WISH_NONE;
}

void statement_mac(const struct request *request, struct static_mac *ret)
{
	const struct grammar_value *vlan = request_option(request, "vlan");

	*ret = (struct static_mac){.vid = vlan ? (uint16_t)vlan->number : 0};
	copy(ret->bridge, sizeof(ret->bridge), request->args[0].text);
	copy(ret->port, sizeof(ret->port), request->args[2].text);
	memcpy(ret->mac, request->args[1].mac, 6);
}

/* ---- the way back ---- */

struct printer {
	char *text;
	size_t size, used;
};

static void print(struct printer *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void print(struct printer *p, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(
		p->used < p->size ? p->text + p->used : NULL, p->used < p->size ? p->size - p->used : 0, format, args);
	va_end(args);
	if (n > 0)
		p->used += (size_t)n;
}

static void print_quoted(struct printer *p, const char *word)
{
	char quoted[2 * NETNS_NAME_SIZE + 3];

	words_quote(word, quoted, sizeof(quoted));
	print(p, "%s", quoted);
}

size_t statement_print_port(const struct port_config *config, char *text, size_t size)
{
	struct printer p = {.text = text, .size = size};
	char vlan[STATEMENT_SIZE - 1024], cpus[CPU_LIST_SIZE];

	print(&p, "port add %s %s", config->bridge, config->name);
	if (config->type != PORT_EXISTING)
		print(&p, " type %s", types[config->type]);
	if (config->type == PORT_VETH)
		print(&p, " peer %s", config->peer);
	if (config->netns[0]) {
		print(&p, " netns ");
		print_quoted(&p, config->netns);
	}
	if (config->queues > 1)
		print(&p, " queues %u", config->queues);
	if (config->vlan.mode != VLAN_OPEN) {
		vlan_format(&config->vlan, vlan, sizeof(vlan));
		print(&p, " vlan %s", vlan);
	}
	if (config->mode != PORT_MODE_AUTO)
		print(&p, " mode %s", modes[config->mode]);
	if (config->hook != PORT_HOOK_AUTO)
		print(&p, " hook %s", hooks[config->hook]);
	if (config->upcall_rate != PORT_DEFAULT_UPCALL_RATE || config->upcall_burst != PORT_DEFAULT_UPCALL_BURST)
		print(&p, " upcall-limit %llu burst %llu", (unsigned long long)config->upcall_rate,
			(unsigned long long)config->upcall_burst);
	if (config->force)
		print(&p, " force");
	if (config->of_port)
		print(&p, " of-port %u", config->of_port);
	if (!cpu_list_is_empty(&config->cpus)) {
		cpu_list_format(&config->cpus, cpus, sizeof(cpus));
		print(&p, " cpus %s", cpus);
	}
	return p.used;
}

size_t statement_print_bridge(
	const char *name, const struct bridge_settings *settings, enum fail_wish fail, char *text, size_t size)
{
	struct printer p = {.text = text, .size = size};

	if (size)
		text[0] = '\0';
	if (settings->ageing_s == FDB_DEFAULT_AGEING_S && settings->fdb_limit == FDB_DEFAULT_LIMIT &&
		!settings->forward_reserved && !settings->datapath_id && fail != FAIL_WISH_SECURE)
		return 0;
	print(&p, "bridge set %s", name);
	if (settings->ageing_s != FDB_DEFAULT_AGEING_S)
		print(&p, " ageing %u", settings->ageing_s);
	if (settings->fdb_limit != FDB_DEFAULT_LIMIT)
		print(&p, " mac-limit %u", settings->fdb_limit);
	if (settings->forward_reserved)
		print(&p, " forward-reserved on");
	if (settings->datapath_id)
		print(&p, " datapath-id %016llx", (unsigned long long)settings->datapath_id);
	if (fail == FAIL_WISH_SECURE)
		print(&p, " fail-mode secure");
	return p.used;
}

size_t statement_print_mac(const struct static_mac *mac, char *text, size_t size)
{
	struct printer p = {.text = text, .size = size};

	print(&p, "fdb add %s %02x:%02x:%02x:%02x:%02x:%02x %s", mac->bridge, mac->mac[0], mac->mac[1], mac->mac[2],
		mac->mac[3], mac->mac[4], mac->mac[5], mac->port);
	if (mac->vid)
		print(&p, " vlan %u", mac->vid);
	return p.used;
}
