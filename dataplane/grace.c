/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/grace.h"

#include "dataplane/reactor.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct grace {
	const struct reactor *reactor;
	struct reactor_watch *watch;
	struct grace_calls calls;
	pthread_t thread;
	int event_fd;

	pthread_mutex_t lock;
	pthread_cond_t wanted;
	uint64_t n_asked; /* periods asked for */
	uint64_t n_ended; /* the last of those asked for that is over */
	bool stop;
};

/* The number of the last period asked for, once there is one that is not over; 0: stop. */
static uint64_t next(struct grace *grace)
{
	uint64_t turn;

	pthread_mutex_lock(&grace->lock);
	while (!grace->stop && grace->n_asked == grace->n_ended)
		pthread_cond_wait(&grace->wanted, &grace->lock);
	turn = grace->stop ? 0 : grace->n_asked;
	pthread_mutex_unlock(&grace->lock);
	return turn;
}

static void *run(void *arg)
{
	struct grace *grace = arg;
	uint64_t turn;

	while ((turn = next(grace)) != 0) {
		grace->calls.wait(grace->calls.ctx);
		pthread_mutex_lock(&grace->lock);
		grace->n_ended = turn;
		pthread_mutex_unlock(&grace->lock);
		eventfd_write(grace->event_fd, 1);
	}
	return NULL;
}

static void event(void *arg)
{
	struct grace *grace = arg;
	eventfd_t value;
	bool over;

	if (eventfd_read(grace->event_fd, &value))
		return;
	pthread_mutex_lock(&grace->lock);
	over = grace->n_asked == grace->n_ended;
	pthread_mutex_unlock(&grace->lock);
	if (over)
		grace->calls.ended(grace->calls.ctx);
}

/* Signals are the main thread's. */
static int start(struct grace *grace)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&grace->thread, NULL, run, grace);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -error;
}

int grace_create(const struct reactor *reactor, const struct grace_calls *calls, struct grace **ret)
{
	struct grace *grace = calloc(1, sizeof(*grace));
	int error;

	if (!grace)
		return -ENOMEM;
	grace->reactor = reactor;
	grace->calls = *calls;
	pthread_mutex_init(&grace->lock, NULL);
	pthread_cond_init(&grace->wanted, NULL);
	grace->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (grace->event_fd < 0) {
		error = -errno;
		goto no_fd;
	}
	grace->watch = reactor->watch(reactor->ctx, grace->event_fd, event, grace);
	if (!grace->watch) {
		error = -ENOMEM;
		goto no_watch;
	}
	error = start(grace);
	if (error)
		goto no_thread;
	*ret = grace;
	return 0;

no_thread:
	reactor->unwatch(reactor->ctx, grace->watch);
no_watch:
	close(grace->event_fd);
no_fd:
	free(grace);
	return error;
}

void grace_destroy(struct grace *grace)
{
	if (!grace)
		return;
	pthread_mutex_lock(&grace->lock);
	grace->stop = true;
	pthread_cond_signal(&grace->wanted);
	pthread_mutex_unlock(&grace->lock);
	pthread_join(grace->thread, NULL);
	grace->reactor->unwatch(grace->reactor->ctx, grace->watch);
	close(grace->event_fd);
	pthread_cond_destroy(&grace->wanted);
	pthread_mutex_destroy(&grace->lock);
	free(grace);
}

void grace_begin(struct grace *grace)
{
	pthread_mutex_lock(&grace->lock);
	grace->n_asked++;
	pthread_cond_signal(&grace->wanted);
	pthread_mutex_unlock(&grace->lock);
}
