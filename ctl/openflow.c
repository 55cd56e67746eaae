/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/openflow.h"

#include "dataplane/complaint.h"
#include "dataplane/reactor.h"
#include "ofp/agent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct member {
	struct member *next;
	char bridge[SW_NAME_SIZE];
	uint64_t wanted_id; /* 0: the default */
	struct agent *agent;
	struct channel *channel;
};

struct openflow {
	const struct reactor *reactor;
	struct vswitch *vs;
	uint64_t seed; /* of default datapath ids */
	struct member *members;
};

/* ---- datapath ids ---- */

/* FNV-1a, the end of the text included. */
static uint64_t hash(uint64_t seed, const char *text)
{
	uint64_t value = seed;

	do
		value = (value ^ (unsigned char)*text) * 0x100000001b3ULL;
	while (*text++);
	return value;
}

static void name_machine(char *text, size_t size)
{
	FILE *in = fopen("/etc/machine-id", "re");
	bool done = in && fgets(text, (int)size, in) && text[0] != '\n';

	if (in)
		fclose(in);
	if (!done && gethostname(text, size))
		text[0] = '\0';
	text[size - 1] = '\0';
}

uint64_t openflow_default_id(const struct openflow *of, const char *bridge)
{
	uint64_t value = hash(of->seed, bridge);

	/* FNV's low bits know little of the first letters. */
	value = (value ^ value >> 29) * 0xbf58476d1ce4e5b9ULL;
	value ^= value >> 32;
	/* Locally administered, of one station. */
	return (value & 0xfcffffffffffULL) | 0x020000000000ULL;
}

/* ---- life ---- */

struct openflow *openflow_create(const struct reactor *reactor, struct vswitch *vs, const char *run_dir)
{
	struct openflow *of = calloc(1, sizeof(*of));
	char machine[256];

	if (!of)
		return NULL;
	of->reactor = reactor;
	of->vs = vs;
	name_machine(machine, sizeof(machine));
	of->seed = hash(hash(0xcbf29ce484222325ULL, machine), run_dir);
	return of;
}

static void member_free(struct member *member)
{
	channel_free(member->channel);
	if (member->agent)
		agent_free(member->agent);
	free(member);
}

void openflow_destroy(struct openflow *of)
{
	struct member *member;

	if (!of)
		return;
	while ((member = of->members)) {
		of->members = member->next;
		member_free(member);
	}
	free(of);
}

static struct member *find(const struct openflow *of, const char *bridge)
{
	for (struct member *member = of->members; member; member = member->next) {
		if (!strcmp(member->bridge, bridge))
			return member;
	}
	return NULL;
}

/* ---- bridges ---- */

static int set_id(struct openflow *of, const char *bridge, uint64_t id, struct complaint *c)
{
	const struct bridge_settings settings = {
		.which = BRIDGE_SET_DATAPATH_ID, .datapath_id = id ? id : openflow_default_id(of, bridge)};

	return vswitch_bridge_set(of->vs, bridge, &settings, c);
}

static struct member *member_create(struct openflow *of, const char *bridge)
{
	const struct agent_identity identity = {
		.manufacturer = "switchd", .hardware = "XDP", .software = "switchd " SWITCHD_VERSION};
	uint64_t now = of->reactor->now_ns(of->reactor->ctx);
	struct member *member = calloc(1, sizeof(*member));

	if (!member)
		return NULL;
	snprintf(member->bridge, sizeof(member->bridge), "%s", bridge);
	member->agent = agent_create(vswitch_ofbridge(of->vs, bridge), &identity, now);
	member->channel = member->agent ? channel_create(of->reactor, member->agent, bridge) : NULL;
	if (!member->channel) {
		member_free(member);
		return NULL;
	}
	agent_set_fail_mode(member->agent, FAIL_STANDALONE, now);
	return member;
}

int openflow_bridge_add(struct openflow *of, const char *bridge, struct complaint *c)
{
	struct member **last = &of->members;
	int err = vswitch_bridge_add(of->vs, bridge, c);

	if (err)
		return err;
	err = set_id(of, bridge, 0, c);
	while (*last)
		last = &(*last)->next;
	if (!err) {
		*last = member_create(of, bridge);
		err = *last ? 0 : complain(c, -ENOMEM, "out of memory");
	}
	if (err)
		vswitch_bridge_remove(of->vs, bridge, NULL);
	return err;
}

int openflow_bridge_remove(struct openflow *of, const char *bridge, struct complaint *c)
{
	struct member **at = &of->members, *member = find(of, bridge);

	if (!member)
		return complain(c, -ENOENT, "there is no bridge %s", bridge);
	while (*at != member)
		at = &(*at)->next;
	*at = member->next;
	/* The agent borrows the bridge: it goes first. */
	member_free(member);
	return vswitch_bridge_remove(of->vs, bridge, c);
}

int openflow_bridge_set(struct openflow *of, const char *bridge, const struct bridge_settings *settings,
	enum fail_wish fail, struct complaint *c)
{
	struct member *member = find(of, bridge);
	struct bridge_settings real = *settings;
	int err = 0;

	if (!member)
		return complain(c, -ENOENT, "there is no bridge %s", bridge);
	if (!real.datapath_id)
		real.datapath_id = openflow_default_id(of, bridge);
	if (real.which)
		err = vswitch_bridge_set(of->vs, bridge, &real, c);
	if (err)
		return err;
	if (real.which & BRIDGE_SET_DATAPATH_ID)
		member->wanted_id = settings->datapath_id;
	if (fail != FAIL_WISH_NONE)
		agent_set_fail_mode(member->agent, fail == FAIL_WISH_SECURE ? FAIL_SECURE : FAIL_STANDALONE,
			of->reactor->now_ns(of->reactor->ctx));
	return 0;
}

uint64_t openflow_wanted_id(const struct openflow *of, const char *bridge)
{
	const struct member *member = find(of, bridge);

	return member ? member->wanted_id : 0;
}

enum fail_wish openflow_fail_mode(const struct openflow *of, const char *bridge)
{
	const struct member *member = find(of, bridge);

	if (!member)
		return FAIL_WISH_NONE;
	return agent_report(member->agent).fail_mode == FAIL_SECURE ? FAIL_WISH_SECURE : FAIL_WISH_STANDALONE;
}

const struct agent *openflow_agent(const struct openflow *of, const char *bridge)
{
	const struct member *member = find(of, bridge);

	return member ? member->agent : NULL;
}

/* ---- channels ---- */

int openflow_channel_add(
	struct openflow *of, const char *bridge, const struct channel_config *config, struct complaint *c)
{
	struct member *member = find(of, bridge);

	return member ? channel_add(member->channel, config, c) : complain(c, -ENOENT, "there is no bridge %s", bridge);
}

int openflow_channel_set(
	struct openflow *of, const char *bridge, const struct channel_config *config, struct complaint *c)
{
	struct member *member = find(of, bridge);

	return member ? channel_set(member->channel, config, c) : complain(c, -ENOENT, "there is no bridge %s", bridge);
}

int openflow_channel_remove(
	struct openflow *of, const char *bridge, enum channel_kind kind, const char *address, struct complaint *c)
{
	struct member *member = find(of, bridge);

	return member ? channel_remove(member->channel, kind, address, c)
		      : complain(c, -ENOENT, "there is no bridge %s", bridge);
}

struct walk {
	const char *bridge;
	void (*each)(void *ctx, const char *bridge, const struct channel_report *report);
	void *ctx;
};

static void each_of_bridge(void *ctx, const struct channel_report *report)
{
	const struct walk *walk = ctx;

	walk->each(walk->ctx, walk->bridge, report);
}

void openflow_each_channel(const struct openflow *of, const char *bridge,
	void (*each)(void *ctx, const char *bridge, const struct channel_report *report), void *ctx)
{
	for (const struct member *member = of->members; member; member = member->next) {
		struct walk walk = {.bridge = member->bridge, .each = each, .ctx = ctx};

		if (!bridge || !strcmp(member->bridge, bridge))
			channel_each(member->channel, each_of_bridge, &walk);
	}
}

void openflow_renew(struct openflow *of)
{
	for (struct member *member = of->members; member; member = member->next)
		channel_renew(member->channel);
}

void openflow_flush(struct openflow *of)
{
	for (struct member *member = of->members; member; member = member->next)
		channel_flush(member->channel);
}

bool openflow_quiet(const struct openflow *of)
{
	for (const struct member *member = of->members; member; member = member->next) {
		if (!channel_quiet(member->channel))
			return false;
	}
	return true;
}
