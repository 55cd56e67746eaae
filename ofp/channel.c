/* SPDX-License-Identifier: BSD-2-Clause */
#include "ofp/channel_parts.h"

#include "dataplane/complaint.h"
#include "dataplane/log.h"
#include "dataplane/reactor.h"
#include "ofp/agent.h"
#include "ofp/credentials.h"
#include "ofp/ears.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* H3: those of the controllers always find room. */
_Static_assert(CHANNEL_ACCEPTED_MAX + CHANNEL_CONTROLLERS_MAX <= AGENT_SESSIONS_MAX, "an agent has too little room");

static void agent_due(void *arg);
static void someone_knocks(void *ctx, int fd, const char *peer);

/* ---- what the other parts use ---- */

uint64_t channel_now(const struct channel *channel)
{
	return channel->reactor->now_ns(channel->reactor->ctx);
}

uint64_t channel_ms_until(const struct channel *channel, uint64_t at_ns)
{
	uint64_t now = channel_now(channel);

	return at_ns > now ? (at_ns - now + 999999) / 1000000 : 0;
}

void channel_adopt(struct channel *channel, struct link *link)
{
	struct link **last = &channel->links;

	while (*last)
		last = &(*last)->next;
	*last = link;
}

int channel_credentials(const struct channel *channel, const struct channel_config *config, bool server,
	struct credentials **ret, struct complaint *c)
{
	const struct tls_files files = {.cert = config->cert, .key = config->key, .ca = config->ca, .crl = config->crl};
	char name[ADDRESS_SIZE + 40];

	*ret = NULL;
	if (strncmp(config->address, "tls:", 4) != 0)
		return 0;
	if (!config->cert || !config->key || !config->ca)
		return complain(c, -EINVAL, "%s needs a certificate, a key and a CA", config->address);
	snprintf(name, sizeof(name), "openflow: %s: %s", channel->bridge, config->address);
	return credentials_create(
		channel->reactor, &files, (server ? TLS_SERVER : TLS_CLIENT) | TLS_ALLOW_1_2, name, ret, c);
}

/* ---- life ---- */

struct channel *channel_create(const struct reactor *reactor, struct agent *agent, const char *bridge)
{
	struct channel *channel = calloc(1, sizeof(*channel));

	if (!channel)
		return NULL;
	channel->reactor = reactor;
	channel->agent = agent;
	snprintf(channel->bridge, sizeof(channel->bridge), "%s", bridge);
	channel->agent_timer = reactor->timer(reactor->ctx, agent_due, channel);
	if (!channel->agent_timer) {
		free(channel);
		return NULL;
	}
	return channel;
}

static void listener_free(struct listener *listener)
{
	ears_close(listener->ears);
	credentials_free(listener->credentials);
	channel_config_free(&listener->config);
	free(listener);
}

void channel_free(struct channel *channel)
{
	struct listener *listener;
	struct target *target;
	struct link *link;

	if (!channel)
		return;
	for (target = channel->targets; target; target = target->next) {
		if (target->link)
			link_end(target->link, "");
	}
	while ((link = channel->links)) {
		channel->links = link->next;
		link_free(link);
	}
	while ((target = channel->targets)) {
		channel->targets = target->next;
		target_free(target);
	}
	while ((listener = channel->listeners)) {
		channel->listeners = listener->next;
		listener_free(listener);
	}
	channel->reactor->timer_free(channel->reactor->ctx, channel->agent_timer);
	free(channel);
}

/* ---- configuration ---- */

static struct target *find_target(const struct channel *channel, const char *address)
{
	for (struct target *target = channel->targets; target; target = target->next) {
		if (!strcmp(target->config.address, address))
			return target;
	}
	return NULL;
}

static struct listener *find_listener(const struct channel *channel, const char *address)
{
	for (struct listener *listener = channel->listeners; listener; listener = listener->next) {
		if (!strcmp(listener->config.address, address))
			return listener;
	}
	return NULL;
}

static void count_controllers(struct channel *channel)
{
	uint32_t n = 0;

	for (const struct target *target = channel->targets; target; target = target->next)
		n++;
	agent_set_controllers(channel->agent, n, channel_now(channel));
}

/* `but` is about to go; NULL: none is. */
static int check_room(const struct channel *channel, const struct channel_config *config, const struct target *but,
	struct complaint *c)
{
	uint32_t n = 1 + config->auxiliary;

	for (const struct target *target = channel->targets; target; target = target->next)
		n += target == but ? 0 : 1 + target->config.auxiliary;
	if (n > CHANNEL_CONTROLLERS_MAX)
		return complain(c, -ENOSPC, "bridge %s may have %d connections to controllers, and these would be %u",
			channel->bridge, CHANNEL_CONTROLLERS_MAX, n);
	return 0;
}

static int add_target(struct channel *channel, const struct channel_config *config, struct complaint *c)
{
	struct target **last = &channel->targets;
	int err = check_room(channel, config, NULL, c);

	while (*last)
		last = &(*last)->next;
	if (!err)
		err = target_create(channel, config, last, c);
	if (!err)
		count_controllers(channel);
	return err;
}

static int listener_create(
	struct channel *channel, const struct channel_config *config, struct listener **ret, struct complaint *c)
{
	struct listener *listener = calloc(1, sizeof(*listener));
	struct address address;
	int err;

	if (!listener)
		return complain(c, -ENOMEM, "out of memory");
	listener->channel = channel;
	listener->since_ns = channel_now(channel);
	err = address_parse(config->address, true, &address, c);
	if (!err && !address_is_numeric(&address)) /* to ask for a name would hold the loop */
		err = complain(c, -EINVAL, "%s is no IP address to listen at", address.host);
	if (!err)
		err = channel_credentials(channel, config, true, &listener->credentials, c);
	if (!err && channel_config_copy(config, &listener->config))
		err = complain(c, -ENOMEM, "out of memory");
	if (!err)
		err = ears_open(channel->reactor, &address, someone_knocks, listener, &listener->ears, c);
	if (err) {
		listener_free(listener);
		return err;
	}
	*ret = listener;
	log_info("openflow: %s: listening at %s", channel->bridge, config->address);
	return 0;
}

static int add_listener(struct channel *channel, const struct channel_config *config, struct complaint *c)
{
	struct listener **last = &channel->listeners;
	unsigned n = 0;

	for (; *last; last = &(*last)->next)
		n++;
	if (n >= CHANNEL_LISTENERS_MAX)
		return complain(c, -ENOSPC, "bridge %s listens at %d addresses already", channel->bridge,
			CHANNEL_LISTENERS_MAX);
	return listener_create(channel, config, last, c);
}

int channel_add(struct channel *channel, const struct channel_config *config, struct complaint *c)
{
	bool controller = config->kind == CHANNEL_CONTROLLER;

	if (controller ? !!find_target(channel, config->address) : !!find_listener(channel, config->address))
		return complain(c, -EEXIST,
			controller ? "bridge %s has the controller %s already" : "bridge %s listens at %s already",
			channel->bridge, config->address);
	return controller ? add_target(channel, config, c) : add_listener(channel, config, c);
}

/* It is in the channel's list no more. */
static void end_target(struct channel *channel, struct target *target, const char *why)
{
	if (target->link)
		link_end(target->link, why);
	for (struct link **link = &channel->links, *gone; (gone = *link);) {
		if (gone->target != target) {
			link = &gone->next;
			continue;
		}
		*link = gone->next;
		link_free(gone);
	}
	target_free(target);
}

static struct target **place_of(struct channel *channel, const struct target *target)
{
	struct target **at = &channel->targets;

	while (*at != target)
		at = &(*at)->next;
	return at;
}

static void remove_target(struct channel *channel, struct target *target)
{
	*place_of(channel, target) = target->next;
	end_target(channel, target, "removed");
	count_controllers(channel);
}

int channel_set(struct channel *channel, const struct channel_config *config, struct complaint *c)
{
	struct target *old = find_target(channel, config->address), *fresh;
	int err;

	if (!old)
		return complain(c, -ENOENT, "bridge %s has no controller %s", channel->bridge, config->address);
	if (target_adapt(old, config))
		return 0;
	err = check_room(channel, config, old, c);
	if (!err)
		err = target_create(channel, config, &fresh, c);
	if (err)
		return err;
	fresh->next = old->next;
	*place_of(channel, old) = fresh;
	end_target(channel, old, "configured anew");
	return 0;
}

static void remove_listener(struct channel *channel, struct listener *listener)
{
	struct listener **at = &channel->listeners;

	while (*at != listener)
		at = &(*at)->next;
	*at = listener->next;
	for (struct link *link = channel->links; link; link = link->next) {
		if (link->listener == listener)
			link->listener = NULL;
	}
	log_info("openflow: %s: no longer listening at %s", channel->bridge, listener->config.address);
	listener_free(listener);
}

int channel_remove(struct channel *channel, enum channel_kind kind, const char *address, struct complaint *c)
{
	struct target *target = kind == CHANNEL_CONTROLLER ? find_target(channel, address) : NULL;
	struct listener *listener = kind == CHANNEL_LISTENER ? find_listener(channel, address) : NULL;

	if (target)
		remove_target(channel, target);
	else if (listener)
		remove_listener(channel, listener);
	else
		return complain(c, -ENOENT,
			kind == CHANNEL_CONTROLLER ? "bridge %s has no controller %s"
						   : "bridge %s does not listen at %s",
			channel->bridge, address);
	return 0;
}

void channel_renew(struct channel *channel)
{
	for (struct target *target = channel->targets; target; target = target->next) {
		if (target->credentials)
			credentials_renew(target->credentials);
	}
	for (struct listener *listener = channel->listeners; listener; listener = listener->next) {
		if (listener->credentials)
			credentials_renew(listener->credentials);
	}
}

/* ---- those who come ---- */

/* H3 */
static bool room(struct listener *listener)
{
	if (listener->n_links < CHANNEL_CONNECTIONS_MAX)
		return true;
	for (struct link *link = listener->channel->links; link; link = link->next) {
		if (link->listener != listener || !link_young(link))
			continue;
		link_end(link, "made way for another");
		link->listener = NULL;
		listener->n_links--;
		return true;
	}
	log_limited(LOG_LEVEL_WARN, "openflow: %s: %s: too many connections", listener->channel->bridge,
		listener->config.address);
	return false;
}

static void someone_knocks(void *ctx, int fd, const char *peer)
{
	struct listener *listener = ctx;
	struct tls_context *tls = listener->credentials ? credentials_context(listener->credentials) : NULL;
	struct link *link;
	char name[ADDRESS_SIZE];

	snprintf(name, sizeof(name), "%s:%s", tls ? "tls" : "tcp", peer);
	link = room(listener) ? link_create(listener->channel, fd, LINK_HANDSHAKE, tls, NULL, name) : NULL;
	if (!link) {
		close(fd);
		return;
	}
	link->listener = listener;
	listener->n_links++;
	channel_adopt(listener->channel, link);
}

/* ---- the turn ---- */

static void agent_due(void *arg)
{
	struct channel *channel = arg;

	agent_expired(channel->agent, channel_now(channel));
}

static void arm_agent(struct channel *channel)
{
	const struct reactor *r = channel->reactor;
	uint64_t deadline_ns = agent_deadline(channel->agent);

	if (deadline_ns)
		r->arm(r->ctx, channel->agent_timer, channel_ms_until(channel, deadline_ns));
	else
		r->disarm(r->ctx, channel->agent_timer);
}

static void accepted_ended(struct link *link)
{
	if (!link->opened)
		log_limited(LOG_LEVEL_INFO, "openflow: %s: %s: %s", link->channel->bridge, link->peer, link->why);
	if (!link->listener)
		return;
	link->listener->n_links--;
	/* That one who spoke OpenFlow goes is no failure. */
	if (link->opened)
		return;
	snprintf(link->listener->error, sizeof(link->listener->error), "%.90s: %.300s", link->peer, link->why);
}

void channel_flush(struct channel *channel)
{
	for (struct link **at = &channel->links, *link; (link = *at);) {
		if (link_flush(link)) {
			at = &link->next;
			continue;
		}
		*at = link->next;
		/* A target makes its next link here, at the list's end, which this walk then comes to. */
		if (link->target)
			target_link_ended(link->target, link);
		else
			accepted_ended(link);
		link_free(link);
	}
	arm_agent(channel);
}

bool channel_quiet(const struct channel *channel)
{
	for (const struct link *link = channel->links; link; link = link->next) {
		if (!link_quiet(link))
			return false;
	}
	return true;
}

/* ---- reports ---- */

const char *channel_state_text(enum channel_state state)
{
	static const char *const texts[] = {[CHANNEL_BACKING_OFF] = "backing off",
		[CHANNEL_RESOLVING] = "resolving",
		[CHANNEL_CONNECTING] = "connecting",
		[CHANNEL_HANDSHAKE] = "handshake",
		[CHANNEL_HELLO] = "hello",
		[CHANNEL_OPEN] = "open",
		[CHANNEL_LISTENING] = "listening"};

	return texts[state];
}

static uint32_t count_links(const struct target *target)
{
	uint32_t n = target->link != NULL;

	for (uint32_t i = 0; i < CHANNEL_AUXILIARY_MAX; i++)
		n += target->auxiliary[i] != NULL;
	return n;
}

void channel_each(
	const struct channel *channel, void (*each)(void *ctx, const struct channel_report *report), void *ctx)
{
	struct channel_report report;

	for (const struct target *target = channel->targets; target; target = target->next) {
		report = (struct channel_report){.config = &target->config,
			.error = target->error,
			.session = target->link ? target->link->session : NULL,
			.n_connections = count_links(target),
			.expiry = target->credentials ? credentials_expiry(target->credentials) : 0};
		report.state = target_state(target, &report.since_ns);
		each(ctx, &report);
	}
	for (const struct listener *listener = channel->listeners; listener; listener = listener->next) {
		report = (struct channel_report){.config = &listener->config,
			.state = CHANNEL_LISTENING,
			.since_ns = listener->since_ns,
			.error = listener->error,
			.n_connections = listener->n_links,
			.expiry = listener->credentials ? credentials_expiry(listener->credentials) : 0};
		each(ctx, &report);
	}
}
