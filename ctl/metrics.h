/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * metrics.h - where Prometheus asks for metrics: listeners, and who asks there.
 *
 * What: bare TCP at a loopback address, and TLS, for whoever shows a certificate that the CA signed, at any. What is
 * told is the callback's business (metrics_text.c); a connection is scrape.h's.
 *
 * Strangers: there are METRICS_MAX_SCRAPES connections at most, of all listeners together. For the next one that makes
 * way which has its answer, else the oldest that has not asked, else the oldest. The metrics are put together
 * METRICS_PACE_MS apart, however many ask: one text then serves all who have asked, and is younger than every request
 * that it answers. With nobody there nothing runs.
 */
#ifndef CTL_METRICS_H
#define CTL_METRICS_H

#include <stddef.h>
#include <stdint.h>

struct complaint;
struct metrics;
struct reactor;

/* Twice EARS_ACCEPTS_A_TURN: who comes with a crowd is heard before it drives him out. */
#define METRICS_MAX_SCRAPES   32
#define METRICS_MAX_LISTENERS 4
#define METRICS_PACE_MS       100

/* What `metrics listen` says; strings are copied. */
struct metrics_config {
	const char *address;         /* tcp:IP:PORT or tls:IP:PORT */
	const char *cert, *key, *ca; /* paths; of tls:, else NULL */
};

/* `text` puts the metrics together, malloc-ed; NULL: out of memory. Borrows the reactor. NULL: out of memory. */
struct metrics *metrics_create(const struct reactor *reactor, char *(*text)(void *ctx, size_t *ret_size), void *ctx);
/* Accepts NULL. */
void metrics_destroy(struct metrics *metrics);

/*
 * -EINVAL: bare TCP at an address that others reach, a name, a file that cannot be used. -EEXIST, -ENOSPC,
 * -EADDRINUSE …: the complaint names it.
 */
int metrics_listen(struct metrics *metrics, const struct metrics_config *config, struct complaint *c);
/* -ENOENT: not listening there. Open connections have their answer. */
int metrics_close(struct metrics *metrics, const char *address, struct complaint *c);
/* Reads certificates, keys and CAs again, for new connections; what cannot be read is logged and stays as it was. */
void metrics_renew(struct metrics *metrics);

/* Answers. Once each turn, after the maps were settled. */
void metrics_flush(struct metrics *metrics);

/* `expiry` of its certificate, in seconds since 1970; 0: it has none. */
void metrics_each_listener(const struct metrics *metrics,
	void (*each)(void *ctx, const struct metrics_config *config, int64_t expiry), void *ctx);
/* Connections that are open. */
unsigned metrics_n_scrapes(const struct metrics *metrics);
/* Requests that got the metrics. */
uint64_t metrics_n_answers(const struct metrics *metrics);

#endif
