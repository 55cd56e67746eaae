/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/metrics.h"

#include "ctl/scrape.h"
#include "dataplane/complaint.h"
#include "dataplane/log.h"
#include "dataplane/reactor.h"
#include "ofp/address.h"
#include "ofp/credentials.h"
#include "ofp/ears.h"
#include "ofp/tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct listener {
	struct listener *next;
	struct metrics *metrics;
	char *address, *cert, *key, *ca;
	struct credentials *credentials; /* NULL: bare TCP */
	struct ears *ears;
};

struct metrics {
	const struct reactor *reactor;
	char *(*text)(void *ctx, size_t *ret_size);
	void *ctx;
	struct listener *listeners;
	struct reactor_timer *pace; /* armed while somebody waits for the next text */
	uint64_t told_ns;           /* when there was one; 0: never */
	uint64_t n_answers;
	unsigned n_scrapes;
	struct scrape *scrapes[METRICS_MAX_SCRAPES]; /* in the order they came */
};

static void pace_kept(void *arg);
static void someone_knocks(void *ctx, int fd, const char *peer);

struct metrics *metrics_create(const struct reactor *reactor, char *(*text)(void *ctx, size_t *ret_size), void *ctx)
{
	struct metrics *metrics = calloc(1, sizeof(*metrics));

	if (!metrics)
		return NULL;
	metrics->reactor = reactor;
	metrics->text = text;
	metrics->ctx = ctx;
	metrics->pace = reactor->timer(reactor->ctx, pace_kept, metrics);
	if (!metrics->pace) {
		free(metrics);
		return NULL;
	}
	return metrics;
}

static void listener_free(struct listener *listener)
{
	ears_close(listener->ears);
	credentials_free(listener->credentials);
	free(listener->address);
	free(listener->cert);
	free(listener->key);
	free(listener->ca);
	free(listener);
}

void metrics_destroy(struct metrics *metrics)
{
	struct listener *listener;

	if (!metrics)
		return;
	while ((listener = metrics->listeners)) {
		metrics->listeners = listener->next;
		listener_free(listener);
	}
	for (unsigned i = 0; i < metrics->n_scrapes; i++)
		scrape_free(metrics->scrapes[i]);
	metrics->reactor->timer_free(metrics->reactor->ctx, metrics->pace);
	free(metrics);
}

/* ---- listening ---- */

static struct listener **find(struct metrics *metrics, const char *address)
{
	struct listener **link = &metrics->listeners;

	while (*link && strcmp((*link)->address, address) != 0)
		link = &(*link)->next;
	return link;
}

/* What the metrics tell (who is connected, how much passes) is nobody's business on the network. */
static int check_address(const struct address *address, struct complaint *c)
{
	if (!address_is_numeric(address)) /* to ask for a name would hold the loop */
		return complain(c, -EINVAL, "%s is no IP address to listen at", address->host);
	if (!address->tls && !address_is_loopback(address))
		return complain(c, -EINVAL,
			"others can reach %s: metrics go there over TLS alone (tls:%s%s%s:%s cert FILE key FILE ca "
			"FILE)",
			address->host, strchr(address->host, ':') ? "[" : "", address->host,
			strchr(address->host, ':') ? "]" : "", address->port);
	return 0;
}

static int check_room(struct metrics *metrics, const char *address, struct complaint *c)
{
	unsigned n = 0;

	if (*find(metrics, address))
		return complain(c, -EEXIST, "metrics are at %s already", address);
	for (const struct listener *listener = metrics->listeners; listener; listener = listener->next)
		n++;
	if (n >= METRICS_MAX_LISTENERS)
		return complain(c, -ENOSPC, "metrics are at %d addresses already", METRICS_MAX_LISTENERS);
	return 0;
}

static bool copy(const char *from, char **ret)
{
	*ret = from ? strdup(from) : NULL;
	return *ret || !from;
}

static struct listener *listener_create(struct metrics *metrics, const struct metrics_config *config)
{
	struct listener *listener = calloc(1, sizeof(*listener));

	if (!listener)
		return NULL;
	listener->metrics = metrics;
	if (copy(config->address, &listener->address) && copy(config->cert, &listener->cert) &&
		copy(config->key, &listener->key) && copy(config->ca, &listener->ca))
		return listener;
	listener_free(listener);
	return NULL;
}

int metrics_listen(struct metrics *metrics, const struct metrics_config *config, struct complaint *c)
{
	const struct tls_files files = {.cert = config->cert, .key = config->key, .ca = config->ca};
	struct listener *listener = NULL;
	struct address address;
	int err = address_parse(config->address, true, &address, c);

	if (!err)
		err = check_address(&address, c);
	if (!err)
		err = check_room(metrics, config->address, c);
	if (err)
		return err;
	listener = listener_create(metrics, config);
	if (!listener)
		return complain(c, -ENOMEM, "out of memory");
	if (address.tls)
		err = credentials_create(metrics->reactor, &files, TLS_SERVER, "metrics", &listener->credentials, c);
	if (!err)
		err = ears_open(metrics->reactor, &address, someone_knocks, listener, &listener->ears, c);
	if (err) {
		listener_free(listener);
		return err;
	}
	*find(metrics, config->address) = listener;
	log_info("metrics: listening at %s", listener->address);
	return 0;
}

int metrics_close(struct metrics *metrics, const char *address, struct complaint *c)
{
	struct listener **link = find(metrics, address), *listener = *link;

	if (!listener)
		return complain(c, -ENOENT, "metrics are not at %s", address);
	*link = listener->next;
	listener_free(listener);
	log_info("metrics: no longer listening at %s", address);
	return 0;
}

void metrics_renew(struct metrics *metrics)
{
	for (struct listener *listener = metrics->listeners; listener; listener = listener->next) {
		if (listener->credentials)
			credentials_renew(listener->credentials);
	}
}

/* ---- connections ---- */

static void scrape_gone(void *ctx, struct scrape *scrape)
{
	struct metrics *metrics = ctx;
	unsigned i = 0;

	while (metrics->scrapes[i] != scrape)
		i++;
	metrics->n_scrapes--;
	memmove(&metrics->scrapes[i], &metrics->scrapes[i + 1], (metrics->n_scrapes - i) * sizeof(*metrics->scrapes));
}

static struct scrape *oldest(const struct metrics *metrics, bool (*fits)(const struct scrape *scrape))
{
	for (unsigned i = 0; i < metrics->n_scrapes; i++) {
		if (fits(metrics->scrapes[i]))
			return metrics->scrapes[i];
	}
	return NULL;
}

static void make_room(struct metrics *metrics)
{
	struct scrape *goes;

	if (metrics->n_scrapes < METRICS_MAX_SCRAPES)
		return;
	goes = oldest(metrics, scrape_done);
	if (!goes)
		goes = oldest(metrics, scrape_young);
	if (!goes)
		goes = metrics->scrapes[0];
	if (!scrape_done(goes))
		log_limited(LOG_LEVEL_WARN, "metrics: too many connections");
	scrape_gone(metrics, goes);
	scrape_free(goes);
}

static void someone_knocks(void *ctx, int fd, const char *peer)
{
	struct listener *listener = ctx;
	struct metrics *metrics = listener->metrics;
	const struct scrape_events events = {.ctx = metrics, .gone = scrape_gone};
	struct tls_context *tls = listener->credentials ? credentials_context(listener->credentials) : NULL;
	struct scrape *scrape;

	make_room(metrics);
	scrape = scrape_create(metrics->reactor, fd, tls, peer, &events);
	if (scrape)
		metrics->scrapes[metrics->n_scrapes++] = scrape;
	else
		close(fd);
}

/* ---- the turn ---- */

/* The end of this turn has its look. */
static void pace_kept(void *arg)
{
}

static bool somebody_waits(const struct metrics *metrics)
{
	for (unsigned i = 0; i < metrics->n_scrapes; i++) {
		if (scrape_waits(metrics->scrapes[i]))
			return true;
	}
	return false;
}

static void answer(struct metrics *metrics)
{
	size_t size = 0;
	char *text = metrics->text(metrics->ctx, &size);

	for (unsigned i = 0; i < metrics->n_scrapes; i++) {
		if (!scrape_waits(metrics->scrapes[i]))
			continue;
		scrape_answer(metrics->scrapes[i], text, size);
		metrics->n_answers++;
	}
	free(text);
}

void metrics_flush(struct metrics *metrics)
{
	const struct reactor *reactor = metrics->reactor;
	uint64_t now_ns, next_ns;

	if (somebody_waits(metrics)) {
		now_ns = reactor->now_ns(reactor->ctx);
		next_ns = metrics->told_ns ? metrics->told_ns + METRICS_PACE_MS * 1000000ULL : 0;
		if (now_ns >= next_ns) {
			metrics->told_ns = now_ns;
			answer(metrics);
		} else {
			reactor->arm(reactor->ctx, metrics->pace, (next_ns - now_ns) / 1000000 + 1);
		}
	}
	/* One that ends takes itself out. */
	for (unsigned i = metrics->n_scrapes; i-- > 0;)
		scrape_flush(metrics->scrapes[i]);
}

void metrics_each_listener(const struct metrics *metrics,
	void (*each)(void *ctx, const struct metrics_config *config, int64_t expiry), void *ctx)
{
	for (const struct listener *listener = metrics->listeners; listener; listener = listener->next) {
		const struct metrics_config config = {
			.address = listener->address, .cert = listener->cert, .key = listener->key, .ca = listener->ca};

		each(ctx, &config, listener->credentials ? credentials_expiry(listener->credentials) : 0);
	}
}

unsigned metrics_n_scrapes(const struct metrics *metrics)
{
	return metrics->n_scrapes;
}

uint64_t metrics_n_answers(const struct metrics *metrics)
{
	return metrics->n_answers;
}
