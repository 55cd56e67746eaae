/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scrape.h - one connection of a metrics listener: a request in, an answer out, and the end.
 *
 * Invariants
 * M1 Nothing is written but by scrape_flush(), which the loop's turn calls after the maps were settled (C3).
 * M2 Bounds: a connection lives for SCRAPE_MS at most, whatever its peer does or does not do, and takes HTTP_HEAD_MAX
 *    bytes of it; what comes behind those is thrown away. When all is sent it is read to its end for SCRAPE_LINGER_MS,
 *    since closing a socket in which something is unread would take back what the peer has not read yet.
 *
 * Ownership: it owns its descriptor. It ends by itself, when `gone` is the last that is heard of it, or by
 * scrape_free(), and then `gone` is not called.
 */
#ifndef CTL_SCRAPE_H
#define CTL_SCRAPE_H

#include <stdbool.h>
#include <stddef.h>

struct reactor;
struct scrape;
struct tls_context;

#define SCRAPE_MS        10000 /* Prometheus waits as long unless told */
#define SCRAPE_LINGER_MS 1000

struct scrape_events {
	void *ctx;
	void (*gone)(void *ctx, struct scrape *scrape);
};

/*
 * Takes over `fd`, non-blocking. `tls` NULL: a bare socket. `peer` names the client in the log. NULL: out of memory;
 * the descriptor is then still the caller's.
 */
struct scrape *scrape_create(const struct reactor *reactor, int fd, struct tls_context *tls, const char *peer,
	const struct scrape_events *events);
void scrape_free(struct scrape *scrape);

/* It has not asked for anything yet. */
bool scrape_young(const struct scrape *scrape);
/* It has asked for the metrics, and is to be answered. */
bool scrape_waits(const struct scrape *scrape);
/* `text` is copied; NULL: there is none, for lack of memory. */
void scrape_answer(struct scrape *scrape, const char *text, size_t size);
/* Its answer has left; only its end is waited for. */
bool scrape_done(const struct scrape *scrape);

/* Writes what is to be written. May end in `gone`. */
void scrape_flush(struct scrape *scrape);

#endif
