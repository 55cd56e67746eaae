/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * resolver.h - host names to addresses, without holding up the loop.
 *
 * What: getaddrinfo() on a thread of its own for each question, which lives as long as the question does. There are few
 * (a controller that is a name, at each attempt to connect), and libc's resolver knows all that a host may have
 * configured. Rejected: getaddrinfo_a(), which keeps threads for ever and cannot be cancelled while it asks.
 *
 * A question that is cancelled is forgotten at once; its thread ends when the name server answers or times out. At most
 * RESOLVER_MAX threads are there at a time.
 */
#ifndef OFP_RESOLVER_H
#define OFP_RESOLVER_H

struct addrinfo;
struct address;
struct reactor;
struct resolver_query;

#define RESOLVER_MAX 16

/* `list` is the callee's to free, NULL with why in `error`, which is borrowed. The query is over before it is called.
 */
typedef void resolver_done(void *ctx, struct addrinfo *list, const char *error);

/* NULL: out of memory, or too many questions: ask again later. `done` is called from the loop, not from here. */
struct resolver_query *resolver_ask(
	const struct reactor *reactor, const struct address *address, resolver_done *done, void *ctx);
/* Accepts NULL. `done` is not called any more. */
void resolver_cancel(struct resolver_query *query);

#endif
