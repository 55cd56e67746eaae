/* SPDX-License-Identifier: BSD-2-Clause */
/* A controller that is configured: connected to, and after a loss connected to again. */
#include "ofp/channel_parts.h"

#include "dataplane/complaint.h"
#include "dataplane/log.h"
#include "dataplane/reactor.h"
#include "ofp/credentials.h"
#include "ofp/ears.h"
#include "ofp/resolver.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define LEAST_BACKOFF_MS 1000

static void retry_due(void *arg);
static void try_next(struct target *target);

int target_create(
	struct channel *channel, const struct channel_config *config, struct target **ret, struct complaint *c)
{
	const struct reactor *r = channel->reactor;
	struct target *target = calloc(1, sizeof(*target));
	int err;

	if (!target)
		return complain(c, -ENOMEM, "out of memory");
	target->channel = channel;
	target->backoff_ms = LEAST_BACKOFF_MS;
	target->since_ns = channel_now(channel);
	err = address_parse(config->address, true, &target->address, c);
	if (!err)
		err = channel_credentials(channel, config, false, &target->credentials, c);
	if (!err) {
		target->retry = r->timer(r->ctx, retry_due, target);
		if (!target->retry || channel_config_copy(config, &target->config))
			err = complain(c, -ENOMEM, "out of memory");
	}
	if (err) {
		target_free(target);
		return err;
	}
	/* Not from within the request that adds it. */
	r->arm(r->ctx, target->retry, 0);
	*ret = target;
	return 0;
}

bool target_adapt(struct target *target, const struct channel_config *config)
{
	struct channel_config adapted = target->config;

	adapted.rate_limit = config->rate_limit;
	adapted.burst = config->burst;
	adapted.max_backoff_s = config->max_backoff_s;
	adapted.probe_s = config->probe_s;
	if (!channel_config_same(&adapted, config))
		return false;
	target->config = adapted;
	if (target->link)
		link_renew_limits(target->link);
	for (uint32_t i = 0; i < CHANNEL_AUXILIARY_MAX; i++) {
		if (target->auxiliary[i])
			link_renew_limits(target->auxiliary[i]);
	}
	return true;
}

static void forget_addresses(struct target *target)
{
	if (target->list)
		freeaddrinfo(target->list);
	target->list = target->untried = NULL;
}

void target_free(struct target *target)
{
	const struct reactor *r = target->channel->reactor;

	resolver_cancel(target->query);
	forget_addresses(target);
	r->timer_free(r->ctx, target->retry);
	credentials_free(target->credentials);
	channel_config_free(&target->config);
	free(target);
}

/* ---- back-off ---- */

/* A quarter more or less: those that lost a controller together do not come back together. */
static uint32_t with_jitter(uint32_t ms)
{
	uint32_t chance = 0;

	if (getrandom(&chance, sizeof(chance), GRND_NONBLOCK) < 0)
		chance = ms;
	return ms - ms / 4 + chance % (ms / 2 + 1);
}

static void back_off(struct target *target)
{
	const struct reactor *r = target->channel->reactor;
	uint32_t most_ms = target->config.max_backoff_s * 1000;

	forget_addresses(target);
	target->since_ns = channel_now(target->channel);
	r->arm(r->ctx, target->retry, with_jitter(target->backoff_ms < most_ms ? target->backoff_ms : most_ms));
	if (target->backoff_ms < most_ms)
		target->backoff_ms *= 2;
}

static void failed(struct target *target, const char *why)
{
	/* Once a reason, not once an attempt. */
	if (strcmp(target->error, why) != 0)
		log_limited(LOG_LEVEL_WARN, "openflow: %s: controller %s: %s", target->channel->bridge,
			target->config.address, why);
	snprintf(target->error, sizeof(target->error), "%s", why);
}

/* ---- connecting ---- */

static int connect_to(const struct addrinfo *info, int *ret_fd)
{
	int fd = socket(info->ai_family, info->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, info->ai_protocol), err;

	if (fd < 0)
		return -errno;
	ears_prepare_socket(fd);
	if (connect(fd, info->ai_addr, info->ai_addrlen) && errno != EINPROGRESS) {
		err = -errno;
		close(fd);
		return err;
	}
	*ret_fd = fd;
	return 0;
}

static int make_link(struct target *target, const struct addrinfo *info, struct link **ret)
{
	struct tls_context *tls = target->credentials ? credentials_context(target->credentials) : NULL;
	int fd = -1, err = connect_to(info, &fd);

	if (err)
		return err;
	*ret = link_create(
		target->channel, fd, LINK_CONNECTING, tls, tls ? target->address.host : NULL, target->config.address);
	if (!*ret) {
		close(fd);
		return -ENOMEM;
	}
	(*ret)->target = target;
	channel_adopt(target->channel, *ret);
	return 0;
}

/* The next of its addresses that can be tried; when there is none left, a pause. */
static void try_next(struct target *target)
{
	const struct addrinfo *info;
	int err = 0;

	while ((info = target->untried)) {
		target->untried = info->ai_next;
		err = make_link(target, info, &target->link);
		if (!err)
			return;
		failed(target, strerror(-err));
	}
	back_off(target);
}

static void resolved(void *ctx, struct addrinfo *list, const char *error)
{
	struct target *target = ctx;

	target->query = NULL;
	if (!list)
		failed(target, error);
	target->list = target->untried = list;
	try_next(target);
}

/* ---- auxiliary connections ---- */

static void arm_auxiliary(struct target *target)
{
	const struct reactor *r = target->channel->reactor;

	r->arm(r->ctx, target->retry, with_jitter(target->config.max_backoff_s * 1000));
}

/* To where the main one leads, whatever its name says by now. */
static void make_auxiliary(struct target *target)
{
	struct sockaddr_storage peer;
	socklen_t size = sizeof(peer);
	struct addrinfo info = {.ai_socktype = SOCK_STREAM, .ai_addr = (struct sockaddr *)&peer};

	if (getpeername(target->link->fd, info.ai_addr, &size))
		return;
	info.ai_family = peer.ss_family;
	info.ai_addrlen = size;
	for (uint32_t i = 0; i < target->config.auxiliary; i++) {
		if (target->auxiliary[i])
			continue;
		if (make_link(target, &info, &target->auxiliary[i])) {
			arm_auxiliary(target);
			return;
		}
		target->auxiliary[i]->auxiliary_id = (uint8_t)(i + 1);
	}
}

void target_opened(struct target *target)
{
	target->error[0] = '\0';
	log_info("openflow: %s: controller %s: connected", target->channel->bridge, target->config.address);
	make_auxiliary(target);
}

void target_main_ending(struct target *target)
{
	const struct reactor *r = target->channel->reactor;

	r->disarm(r->ctx, target->retry);
	for (uint32_t i = 0; i < CHANNEL_AUXILIARY_MAX; i++) {
		if (target->auxiliary[i])
			link_end(target->auxiliary[i], "its main connection has ended");
	}
}

static void auxiliary_ended(struct target *target, const struct link *link)
{
	target->auxiliary[link->auxiliary_id - 1] = NULL;
	if (target->link && target->link->state == LINK_UP)
		arm_auxiliary(target);
}

/* ---- the main connection ---- */

static void retry_due(void *arg)
{
	struct target *target = arg;
	struct addrinfo *list = NULL;
	struct complaint c = {""};

	if (target->link) {
		make_auxiliary(target);
		return;
	}
	target->since_ns = channel_now(target->channel);
	if (address_is_numeric(&target->address)) {
		if (address_resolve(&target->address, 0, &list, &c))
			failed(target, c.text);
		target->list = target->untried = list;
		try_next(target);
		return;
	}
	target->query = resolver_ask(target->channel->reactor, &target->address, resolved, target);
	if (!target->query) {
		failed(target, "too many names are being looked up");
		back_off(target);
	}
}

void target_link_ended(struct target *target, const struct link *link)
{
	if (link->auxiliary_id) {
		auxiliary_ended(target, link);
		return;
	}
	target->link = NULL;
	if (!link->opened) {
		failed(target, link->why);
		try_next(target);
		return;
	}
	snprintf(target->error, sizeof(target->error), "%s", link->why);
	/* It spoke OpenFlow: it is worth coming back soon. */
	log_info("openflow: %s: controller %s is gone: %s", target->channel->bridge, target->config.address, link->why);
	target->backoff_ms = LEAST_BACKOFF_MS;
	back_off(target);
}

enum channel_state target_state(const struct target *target, uint64_t *ret_since_ns)
{
	const struct link *link = target->link;

	*ret_since_ns = link ? link->since_ns : target->since_ns;
	if (target->query)
		return CHANNEL_RESOLVING;
	if (!link || link->state == LINK_OVER)
		return CHANNEL_BACKING_OFF;
	if (link->state == LINK_CONNECTING)
		return CHANNEL_CONNECTING;
	if (link->state == LINK_HANDSHAKE)
		return CHANNEL_HANDSHAKE;
	return session_state(link->session) == SESSION_HELLO ? CHANNEL_HELLO : CHANNEL_OPEN;
}
