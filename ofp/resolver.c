/* SPDX-License-Identifier: BSD-2-Clause */
#include "ofp/resolver.h"

#include "dataplane/complaint.h"
#include "dataplane/reactor.h"
#include "ofp/address.h"

#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* What both threads know of a question; the last to let go of it frees it. */
struct job {
	int holders; /* atomic */
	struct address address;
	struct addrinfo *list; /* written before the event, read after it */
	struct complaint why;
	int event_fd;
};

struct resolver_query {
	const struct reactor *reactor;
	struct job *job;
	struct reactor_watch *watch;
	resolver_done *done;
	void *ctx;
};

static int n_jobs; /* atomic */

static void let_go(struct job *job)
{
	if (__atomic_sub_fetch(&job->holders, 1, __ATOMIC_ACQ_REL))
		return;
	if (job->list)
		freeaddrinfo(job->list);
	close(job->event_fd);
	free(job);
	__atomic_sub_fetch(&n_jobs, 1, __ATOMIC_ACQ_REL);
}

static void *run(void *arg)
{
	struct job *job = arg;
	struct addrinfo *list;

	if (!address_resolve(&job->address, 0, &list, &job->why))
		job->list = list;
	eventfd_write(job->event_fd, 1);
	let_go(job);
	return NULL;
}

static void forget(struct resolver_query *query)
{
	query->reactor->unwatch(query->reactor->ctx, query->watch);
	let_go(query->job);
	free(query);
}

static void answered(void *arg)
{
	struct resolver_query query = *(struct resolver_query *)arg;
	struct addrinfo *list;
	struct complaint why;
	eventfd_t value;

	if (eventfd_read(query.job->event_fd, &value))
		return;
	list = query.job->list;
	why = query.job->why;
	query.job->list = NULL;
	forget(arg);
	query.done(query.ctx, list, list ? "" : why.text);
}

static struct job *job_create(const struct address *address)
{
	struct job *job;

	if (__atomic_add_fetch(&n_jobs, 1, __ATOMIC_ACQ_REL) > RESOLVER_MAX)
		goto no_room;
	job = calloc(1, sizeof(*job));
	if (!job)
		goto no_room;
	job->holders = 1;
	job->address = *address;
	job->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (job->event_fd >= 0)
		return job;
	free(job);
no_room:
	__atomic_sub_fetch(&n_jobs, 1, __ATOMIC_ACQ_REL);
	return NULL;
}

/* Signals are the main thread's. */
static bool start(struct job *job)
{
	sigset_t all, before;
	pthread_t thread;
	int error;

	job->holders++;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&thread, NULL, run, job);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error)
		job->holders--;
	else
		pthread_detach(thread);
	return !error;
}

struct resolver_query *resolver_ask(
	const struct reactor *reactor, const struct address *address, resolver_done *done, void *ctx)
{
	struct resolver_query *query = calloc(1, sizeof(*query));

	if (!query)
		return NULL;
	*query = (struct resolver_query){.reactor = reactor, .job = job_create(address), .done = done, .ctx = ctx};
	if (!query->job) {
		free(query);
		return NULL;
	}
	query->watch = reactor->watch(reactor->ctx, query->job->event_fd, answered, query);
	if (query->watch && start(query->job))
		return query;
	forget(query);
	return NULL;
}

void resolver_cancel(struct resolver_query *query)
{
	if (query)
		forget(query);
}
