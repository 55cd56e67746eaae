/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/xsk_parts.h"

#include "dataplane/complaint.h"
#include "dataplane/datapath.h"
#include "dataplane/facts.h"
#include "dataplane/log.h"
#include "dataplane/reactor.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* The device is gone: the descriptor would be ready for ever. */
static bool has_died(struct sock *s)
{
	int error = 0;
	socklen_t size = sizeof(error);

	return getsockopt(xsk_socket__fd(s->xsk), SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error;
}

static void readable(void *arg)
{
	struct sock *s = arg;
	struct xsks *x = s->xsks;

	if (!xsk_cons_nb_avail(&s->rx, 1)) {
		if (has_died(s)) {
			x->reactor->unwatch(x->reactor->ctx, s->watch);
			s->watch = NULL;
			s->state = DEAD;
		}
		return;
	}
	link_last(&x->ready, &s->ready);
	x->events->frames_waiting(x->events->ctx);
}

/* ---- sockets ---- */

#define BIND_RETRY_MS 20
#define BIND_SLOW_MS  1000
#define BIND_QUIET    250 /* tries before a socket that is still taken is logged */
#define CLOSERS       16

static const struct xsk_socket_config socket_config = {
	.rx_size = RX_SIZE,
	.tx_size = TX_SIZE,
	.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
};

static int map_set(struct xsks *x, struct sock *s)
{
	uint32_t slot = s->slot, fd = xsk_socket__fd(s->xsk);

	return bpf_map_update_elem(x->xskmap_fd, &slot, &fd, BPF_ANY) ? -errno : 0;
}

/* Binds, primes and shows the socket to the program. On failure the socket is as before. */
static int sock_bind(struct xsks *x, struct sock *s)
{
	char name[IF_NAMESIZE];
	int error;

	if (!if_indextoname(s->ifindex, name))
		return -ENODEV;
	error = xsk_socket__create_shared(&s->xsk, name, s->queue, x->kernel_umem, &s->rx, s->queue ? NULL : &s->tx,
		&s->fill, &s->comp, &socket_config);
	if (error)
		return error;
	s->watch = x->reactor->watch(x->reactor->ctx, xsk_socket__fd(s->xsk), readable, s);
	if (!s->watch) {
		error = -ENOMEM;
		goto no_watch;
	}
	s->base = s->target = xsks_prime(x);
	xsks_refill(x, s);
	error = map_set(x, s);
	if (error)
		goto not_shown;
	s->state = BOUND;
	if (!s->n_filled) {
		xsks_flush(x);
		log_limited(LOG_LEVEL_WARN,
			"all slow path frames are in use: new flows that come in by queue %u of device %u are dropped "
			"until some are free",
			s->queue, s->ifindex);
	}
	return 0;

not_shown:
	x->reactor->unwatch(x->reactor->ctx, s->watch);
	s->watch = NULL;
no_watch:
	xsk_socket__delete(s->xsk);
	s->xsk = NULL;
	umem_reclaim(x->umem, s->slot);
	link_out(&s->hungry);
	s->n_filled = 0;
	return error;
}

/* Its queue is taken by a socket that is being closed, or its link is down: soon tried again, and later not so often.
 */
static void wait_for_queue(struct xsks *x, struct sock *s)
{
	s->state = WAITING;
	s->n_tries++;
	if (s->n_tries == BIND_QUIET)
		log_warn(
			"queue %u of device %u is held by another AF_XDP socket, or down: new flows that come in there "
			"are dropped until that ends",
			s->queue, s->ifindex);
	x->reactor->arm(x->reactor->ctx, x->bind_retry, s->n_tries < BIND_QUIET ? BIND_RETRY_MS : BIND_SLOW_MS);
}

/* It will pass: the queue is still another socket's, or the link is down just now. A device that is gone has no socket.
 */
static bool is_passing(int error)
{
	return error == -EBUSY || error == -ENETDOWN;
}

static void bind_again(void *arg)
{
	struct xsks *x = arg;

	for (uint32_t slot = 0; slot < SW_MAX_XSKS; slot++) {
		struct sock *s = x->socks[slot];
		int error;

		if (!s || s->state != WAITING)
			continue;
		error = sock_bind(x, s);
		if (is_passing(error)) {
			wait_for_queue(x, s);
		} else if (error) {
			s->state = UNBOUND;
			log_warn("queue %u of device %u has no AF_XDP socket: %s", s->queue, s->ifindex,
				strerror(-error));
		}
	}
}

static int sock_open(struct xsks *x, uint16_t slot, uint16_t port, uint16_t queue, uint32_t ifindex)
{
	struct sock *s = calloc(1, sizeof(*s));
	int error;

	if (!s)
		return -ENOMEM;
	link_init(&s->ready);
	link_init(&s->dirty);
	link_init(&s->hungry);
	s->xsks = x;
	s->slot = slot;
	s->port = port;
	s->queue = queue;
	s->ifindex = ifindex;
	error = sock_bind(x, s);
	if (error == -EBUSY) {
		wait_for_queue(x, s);
		error = 0;
	}
	if (error) {
		free(s);
		return error;
	}
	x->socks[slot] = s;
	x->n_socks++;
	return 0;
}

/* ---- closing: each last close() waits for a grace period, so those of a port are closed side by side ---- */

struct closing {
	uint32_t n, next;
	struct sock *socks[SW_MAX_XSKS];
	int fds[SW_MAX_XSKS]; /* -1: was not bound */
};

/* The program cannot find the socket any more, and we let go of all but one descriptor. */
static void begin_closing(struct xsks *x, struct closing *closing, struct sock *s)
{
	uint32_t slot = s->slot;

	x->reactor->unwatch(x->reactor->ctx, s->watch);
	link_out(&s->ready);
	link_out(&s->dirty);
	link_out(&s->hungry);
	bpf_map_delete_elem(x->xskmap_fd, &slot);
	if (s->xsk)
		xsks_count_stranded(x, s);
	closing->socks[closing->n] = s;
	closing->fds[closing->n++] = s->xsk ? dup(xsk_socket__fd(s->xsk)) : -1;
	if (s->xsk)
		xsk_socket__delete(s->xsk);
}

static void *close_some(void *arg)
{
	struct closing *closing = arg;
	uint32_t i;

	while ((i = __atomic_fetch_add(&closing->next, 1, __ATOMIC_RELAXED)) < closing->n) {
		if (closing->fds[i] >= 0)
			close(closing->fds[i]);
	}
	return NULL;
}

static void close_side_by_side(struct closing *closing)
{
	uint32_t wanted = closing->n < CLOSERS ? closing->n : CLOSERS, n = 0;
	pthread_t threads[CLOSERS];

	while (n + 1 < wanted && pthread_create(&threads[n], NULL, close_some, closing) == 0)
		n++;
	close_some(closing);
	while (n--)
		pthread_join(threads[n], NULL);
}

/* Only now has the kernel done with their frames. */
static void end_closing(struct xsks *x, struct closing *closing)
{
	for (uint32_t i = 0; i < closing->n; i++) {
		umem_reclaim(x->umem, closing->socks[i]->slot);
		x->socks[closing->socks[i]->slot] = NULL;
		x->n_socks--;
		free(closing->socks[i]);
	}
}

static void close_sockets(struct xsks *x, uint32_t first, uint32_t n)
{
	struct closing closing;

	closing.n = closing.next = 0;
	for (uint32_t slot = first; slot < first + n; slot++) {
		if (x->socks[slot])
			begin_closing(x, &closing, x->socks[slot]);
	}
	close_side_by_side(&closing);
	end_closing(x, &closing);
	xsks_feed(x);
}

/* ---- ports ---- */

static bool run_is_free(const struct xsks *x, uint32_t base, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (base + i >= SW_MAX_XSKS || x->holders[base + i])
			return false;
	}
	return true;
}

int xsks_reserve(struct xsks *x, uint16_t port, uint32_t n_queues, uint32_t prefer, uint32_t *ret_base)
{
	uint32_t base = prefer;

	if (!run_is_free(x, base, n_queues)) {
		for (base = 0; base < SW_MAX_XSKS && !run_is_free(x, base, n_queues); base++)
			;
	}
	if (!n_queues || base == SW_MAX_XSKS)
		return -ENOSPC;
	for (uint32_t i = 0; i < n_queues; i++)
		x->holders[base + i] = port;
	x->runs[port] = (struct run){.base = base, .n = n_queues};
	*ret_base = base;
	return 0;
}

int xsks_open(struct xsks *x, uint16_t port, uint32_t ifindex, struct complaint *c)
{
	const struct run *run = &x->runs[port];

	for (uint16_t queue = 0; queue < run->n; queue++) {
		int error = sock_open(x, run->base + queue, port, queue, ifindex);
		char name[IF_NAMESIZE] = "?";

		if (!error)
			continue;
		if_indextoname(ifindex, name);
		close_sockets(x, run->base, run->n);
		return complain(c, error, "the driver of %s refuses an AF_XDP socket on receive queue %u: %s", name,
			queue, strerror(-error));
	}
	return 0;
}

void xsks_close(struct xsks *x, uint16_t port)
{
	struct run *run = &x->runs[port];

	close_sockets(x, run->base, run->n);
	for (uint32_t i = 0; i < run->n; i++)
		x->holders[run->base + i] = 0;
	run->n = 0;
}

uint32_t xsks_bound(const struct xsks *x, uint16_t port)
{
	const struct run *run = &x->runs[port];
	uint32_t n = 0;

	for (uint32_t slot = run->base; slot < (uint32_t)run->base + run->n; slot++)
		n += x->socks[slot] && x->socks[slot]->state == BOUND;
	return n;
}

uint32_t xsks_max_frame(const struct xsks *x)
{
	return x->sg ? LONG_SIZE : RX_ROOM;
}

size_t xsks_bytes(uint32_t n_frames)
{
	return umem_bytes(n_frames) + (size_t)N_LONG * LONG_ROOM;
}

bool xsks_take_frags(const struct xsks *x)
{
	return x->sg;
}

static void add_statistics(const struct sock *s, struct fact_sockets *sum)
{
	struct xdp_statistics stats = {0};
	socklen_t size = sizeof(stats);

	if (!s || s->state != BOUND || getsockopt(xsk_socket__fd(s->xsk), SOL_XDP, XDP_STATISTICS, &stats, &size))
		return;
	sum->n_bound++;
	sum->rx_dropped += stats.rx_dropped;
	sum->rx_ring_full += stats.rx_ring_full;
	sum->fill_empty += stats.rx_fill_ring_empty_descs;
	sum->tx_invalid += stats.tx_invalid_descs;
}

void xsks_statistics(const struct xsks *x, uint16_t port, struct fact_sockets *ret)
{
	const struct run *run = &x->runs[port];

	*ret = (struct fact_sockets){0};
	for (uint32_t slot = run->base; slot < (uint32_t)run->base + run->n; slot++)
		add_statistics(x->socks[slot], ret);
}

void xsks_each_fact(const struct xsks *x, void (*fact)(void *ctx, const char *name, const char *value), void *ctx)
{
	char value[160];

	snprintf(value, sizeof(value), "%u of %u bytes: %u free, %u to be filled, %u lent, %u being sent",
		(uint32_t)(umem_size(x->umem) / UMEM_FRAME_SIZE), UMEM_FRAME_SIZE, umem_count(x->umem, UMEM_FREE),
		umem_count(x->umem, UMEM_FILL), umem_count(x->umem, UMEM_LENT), umem_count(x->umem, UMEM_TX));
	fact(ctx, "slow path frames", value);
	snprintf(value, sizeof(value), "%u, for frames up to %u bytes%s", x->n_socks, xsks_max_frame(x),
		x->sg ? "" : " (longer ones need Linux 6.6)");
	fact(ctx, "slow path sockets", value);
}

/* ---- life ---- */

struct anchoring {
	struct xsks *xsks;
	uint16_t flags;
	int error;
	const char *step;
};

/* On a thread of its own, whose network namespace ends with the last socket in it. */
static void *drop_anchor(void *arg)
{
	static const struct xsk_umem_config umem_config = {
		.fill_size = FILL_SIZE,
		.comp_size = COMP_SIZE,
		.frame_size = UMEM_FRAME_SIZE,
	};
	struct xsk_socket_config config = socket_config;
	struct anchoring *a = arg;
	struct xsks *x = a->xsks;

	a->step = "a network namespace for the AF_XDP anchor";
	a->error = unshare(CLONE_NEWNET) ? -errno : 0;
	if (a->error)
		return NULL;
	a->step = "registering the AF_XDP memory";
	a->error = xsk_umem__create(&x->kernel_umem, umem_area(x->umem), umem_size(x->umem), &x->anchor_fill,
		&x->anchor_comp, &umem_config);
	if (a->error)
		return NULL;
	a->step = "binding the AF_XDP anchor";
	config.bind_flags = a->flags;
	a->error = xsk_socket__create(&x->anchor, "lo", 0, x->kernel_umem, &x->anchor_rx, NULL, &config);
	if (a->error)
		xsk_umem__delete(x->kernel_umem);
	return NULL;
}

static int anchor(struct xsks *x, uint16_t flags, const char **ret_step)
{
	struct anchoring a = {.xsks = x, .flags = XDP_COPY | XDP_USE_NEED_WAKEUP | flags, .step = "a thread"};
	pthread_t thread;
	int error = pthread_create(&thread, NULL, drop_anchor, &a);

	if (error)
		return -error;
	pthread_join(thread, NULL);
	*ret_step = a.step;
	return a.error;
}

/* Multi-buffer where the kernel has it (6.6), else without. */
static int register_umem(struct xsks *x, struct complaint *c)
{
	const char *step = "";
	int error = anchor(x, XDP_USE_SG, &step);

	x->sg = !error;
	if (error == -EINVAL)
		error = anchor(x, 0, &step);
	return error ? complain(c, error, "%s: %s", step, strerror(-error)) : 0;
}

static int allocate(struct xsks *x, uint32_t n_frames)
{
	x->umem = umem_create(n_frames);
	x->long_area = mmap(NULL, (size_t)N_LONG * LONG_ROOM, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (x->long_area == MAP_FAILED)
		x->long_area = NULL;
	x->lag = x->reactor->timer(x->reactor->ctx, xsks_lag_over, x);
	x->bind_retry = x->reactor->timer(x->reactor->ctx, bind_again, x);
	for (x->n_long_free = 0; x->n_long_free < N_LONG; x->n_long_free++)
		x->long_free[x->n_long_free] = x->n_long_free;
	return x->umem && x->long_area && x->lag && x->bind_retry ? 0 : -ENOMEM;
}

int xsks_create(const struct xsks_options *options, struct xsks **ret, struct complaint *c)
{
	struct xsks *x = calloc(1, sizeof(*x));
	int error;

	if (!x)
		return complain(c, -ENOMEM, "out of memory");
	link_init(&x->ready);
	link_init(&x->dirty);
	link_init(&x->hungry);
	x->xskmap_fd = options->xskmap_fd;
	x->reactor = options->reactor;
	x->events = options->events;
	x->memory = options->memory;
	error = allocate(x, options->n_frames);
	if (error)
		complain(c, error, "no memory for %u frames", options->n_frames);
	else
		error = register_umem(x, c);
	if (error) {
		xsks_destroy(x);
		return error;
	}
	*ret = x;
	return 0;
}

void xsks_disown(struct xsks *x)
{
	for (uint32_t slot = 0; slot < SW_MAX_XSKS; slot++)
		bpf_map_delete_elem(x->xskmap_fd, &slot);
}

void xsks_destroy(struct xsks *x)
{
	if (!x)
		return;
	close_sockets(x, 0, SW_MAX_XSKS);
	if (x->anchor) {
		xsk_socket__delete(x->anchor);
		xsk_umem__delete(x->kernel_umem);
	}
	x->reactor->timer_free(x->reactor->ctx, x->lag);
	x->reactor->timer_free(x->reactor->ctx, x->bind_retry);
	umem_destroy(x->umem);
	if (x->long_area)
		munmap(x->long_area, (size_t)N_LONG * LONG_ROOM);
	free(x);
}
