/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/xsk_parts.h"

#include "dataplane/counters.h"
#include "dataplane/datapath.h"
#include "dataplane/log.h"
#include "dataplane/reactor.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define IS_LONG (1ULL << 32) /* in a handle */

#define PRIME_SHARE 8 /* of the UMEM, is shared out harmonically */
#define PRIME_MIN   2
#define PRIME_MAX   512
#define TX_SHARE    16 /* of the UMEM, is kept from the fill rings, so that there is something to send with (X3) */
#define RX_TURN     32 /* frames taken from a socket before the next one has its turn */

#define KICKS      128 /* of one socket in one flush; a kick sends 32 frames */
#define STUCK      32  /* frames that are free when all was sent that could be: fewer are not worth the search */
#define IDLE_KICKS 4   /* of those, that sent nothing */
#define LAG_MIN_MS 2
#define LAG_MAX_MS 256

static uint32_t frame_of(uint64_t address)
{
	return address / UMEM_FRAME_SIZE;
}

/* ---- filling ---- */

static void clear_meta(struct xsks *x, uint32_t frame)
{
	struct sw_meta *meta = (struct sw_meta *)(umem_frame(x->umem, frame) + HEADROOM) - 1;

	meta->magic = 0;
}

static uint32_t n_frames(const struct xsks *x)
{
	return umem_size(x->umem) / UMEM_FRAME_SIZE;
}

/* Frames that this socket may have now. Whoever has next to none may have of half of what is kept, too. */
static uint32_t allowance(const struct xsks *x, const struct sock *s)
{
	uint32_t n = s->target > s->n_filled ? s->target - s->n_filled : 0, n_free = umem_count(x->umem, UMEM_FREE);
	uint32_t kept = n_frames(x) / TX_SHARE / (s->n_filled < PRIME_MIN ? 2 : 1);

	if (n_free <= kept)
		return 0;
	return n < n_free - kept ? n : n_free - kept;
}

static void fill_up(struct xsks *x, struct sock *s)
{
	uint32_t n = allowance(x, s), at, frame;

	if (!n || xsk_ring_prod__reserve(&s->fill, n, &at) != n)
		return;
	for (uint32_t i = 0; i < n; i++) {
		umem_take(x->umem, &frame);
		clear_meta(x, frame);
		umem_filled(x->umem, frame, s->slot);
		*xsk_ring_prod__fill_addr(&s->fill, at + i) = (uint64_t)frame * UMEM_FRAME_SIZE;
	}
	xsk_ring_prod__submit(&s->fill, n);
	s->n_filled += n;
}

void xsks_refill(struct xsks *x, struct sock *s)
{
	fill_up(x, s);
	if (s->n_filled)
		link_out(&s->hungry);
	else
		link_last(&x->hungry, &s->hungry);
}

static void reap_all(struct xsks *x)
{
	for (uint32_t slot = 0; slot < SW_MAX_XSKS; slot++) {
		if (x->socks[slot] && x->socks[slot]->state == BOUND)
			xsks_reap(x, x->socks[slot]);
	}
}

void xsks_feed(struct xsks *x)
{
	struct link *link = x->hungry.next, *next;

	if (!is_linked(&x->hungry))
		return;
	reap_all(x);
	for (; link != &x->hungry && umem_count(x->umem, UMEM_FREE) > n_frames(x) / TX_SHARE / 2; link = next) {
		next = link->next;
		xsks_refill(x, sock_of(link, hungry));
	}
}

uint32_t xsks_prime(const struct xsks *x)
{
	uint32_t share = n_frames(x) / PRIME_SHARE / (x->n_socks + 1);

	return share > PRIME_MAX ? PRIME_MAX : share < PRIME_MIN ? PRIME_MIN : share;
}

/* A socket with half its frames waiting is busy: it gets more, while a share is left for others. It calms down slowly.
 */
static void adapt(struct xsks *x, struct sock *s, uint32_t n_waiting)
{
	uint32_t reserve = n_frames(x) / PRIME_SHARE;

	if (n_waiting >= s->target / 2 && s->target < FILL_SIZE && umem_count(x->umem, UMEM_FREE) > reserve + s->target)
		s->target = s->target * 2 > FILL_SIZE ? FILL_SIZE : s->target * 2;
	else if (n_waiting < s->target / 16 && s->target > s->base)
		s->target--;
}

/* ---- sending ---- */

void xsks_reap(struct xsks *x, struct sock *s)
{
	uint32_t at, n = xsk_ring_cons__peek(&s->comp, COMP_SIZE, &at);

	for (uint32_t i = 0; i < n; i++) {
		uint64_t address = *xsk_ring_cons__comp_addr(&s->comp, at + i);

		if (!umem_completed(x->umem, frame_of(address), s->slot))
			log_limited(LOG_LEVEL_ERROR, "the kernel completed a frame that was not sent (X1)");
	}
	xsk_ring_cons__release(&s->comp, n);
}

static uint32_t n_unsent(const struct sock *s)
{
	return *s->tx.producer - __atomic_load_n(s->tx.consumer, __ATOMIC_ACQUIRE);
}

/* A frame that the device did not take (its link went down, its peer is full): the kernel says so by EBUSY, once each.
 */
static void refused_by_driver(const struct xsks *x, const struct sock *s)
{
	counters_unsent(x->memory, s->port, SW_DROP_XMIT, 1);
}

/* Asks the kernel to send what is in the ring, within bounds. 0: all is sent. Else why not: -EAGAIN or the device's. */
static int kick(struct xsks *x, struct sock *s)
{
	uint32_t left = n_unsent(s), n_idle = 0;

	for (int i = 0; left && i < KICKS && n_idle < IDLE_KICKS; i++) {
		uint32_t before = left;
		ssize_t sent = sendto(xsk_socket__fd(s->xsk), NULL, 0, MSG_DONTWAIT, NULL, 0);

		if (sent < 0 && errno != EAGAIN && errno != EBUSY && errno != ENOBUFS && errno != EINTR)
			return -errno;
		if (sent < 0 && errno == EBUSY)
			refused_by_driver(x, s);
		xsks_reap(x, s);
		left = n_unsent(s);
		n_idle = left == before ? n_idle + 1 : 0;
	}
	return left ? -EAGAIN : 0;
}

/* A frame ends with the descriptor that none continues. */
static uint32_t n_stranded(const struct xdp_desc *ring, uint32_t mask, uint32_t from, uint32_t to)
{
	uint32_t n = 0;

	for (; from != to; from++)
		n += !(ring[from & mask].options & XDP_PKT_CONTD);
	return n;
}

void xsks_count_stranded(const struct xsks *x, struct sock *s)
{
	uint32_t produced = __atomic_load_n(s->rx.producer, __ATOMIC_ACQUIRE);
	uint32_t n_rx = n_stranded(s->rx.ring, s->rx.mask, s->rx.cached_cons, produced);

	for (uint32_t i = 0; i < n_rx; i++) {
		counters_upcall(x->memory, s->port);
		counters_drop(x->memory, s->port, SW_DROP_NO_DAEMON);
	}
	if (s->queue)
		return;
	counters_unsent(x->memory, s->port, SW_DROP_PORT_DOWN,
		n_stranded(s->tx.ring, s->tx.mask, __atomic_load_n(s->tx.consumer, __ATOMIC_ACQUIRE), *s->tx.producer));
}

/* Sockets that cannot send all now stay in the list; a device that refuses leaves it until it is tried again. */
static void send_dirty(struct xsks *x)
{
	struct link *link = x->dirty.next, *next;

	for (; link != &x->dirty; link = next) {
		struct sock *s = sock_of(link, dirty);
		int error = kick(x, s);

		next = link->next;
		if (error == -EAGAIN)
			continue;
		s->tx_error = error;
		link_out(link);
	}
}

/* Nobody tells when a driver has room again, or a frame comes back: who waits for it is tried after 2 ms, 4, ... 256.
 */
void xsks_flush(struct xsks *x)
{
	send_dirty(x);
	xsks_feed(x);
	x->is_stuck = false;
	if (!is_linked(&x->dirty) && !is_linked(&x->hungry)) {
		x->lag_ms = 0;
		return;
	}
	if (!x->lag_ms)
		x->lag_ms = LAG_MIN_MS;
	x->reactor->arm(x->reactor->ctx, x->lag, x->lag_ms);
}

void xsks_lag_over(void *arg)
{
	struct xsks *x = arg;

	if (x->lag_ms < LAG_MAX_MS)
		x->lag_ms *= 2;
	xsks_flush(x);
}

/* The socket that sends for the port: one, so that its frames keep their order. */
static struct sock *sender(struct xsks *x, uint16_t port)
{
	struct sock *s = port < SW_MAX_PORTS && x->runs[port].n ? x->socks[x->runs[port].base] : NULL;

	return s && s->state == BOUND ? s : NULL;
}

/* Room for n descriptors in the tx ring, after a kick if need be. */
static int tx_reserve(struct xsks *x, struct sock *s, uint32_t n, uint32_t *ret_at)
{
	if (s->tx_error) {
		s->tx_error = kick(x, s);
		if (s->tx_error && s->tx_error != -EAGAIN)
			return s->tx_error;
		s->tx_error = 0;
	}
	if (xsk_ring_prod__reserve(&s->tx, n, ret_at) == n)
		return 0;
	s->tx_error = kick(x, s);
	if (s->tx_error && s->tx_error != -EAGAIN)
		return s->tx_error;
	s->tx_error = 0;
	return xsk_ring_prod__reserve(&s->tx, n, ret_at) == n ? 0 : -ENOBUFS;
}

static void tx_enter(struct xsks *x, struct sock *s, uint32_t at, uint64_t address, uint32_t size, bool more)
{
	struct xdp_desc *desc = xsk_ring_prod__tx_desc(&s->tx, at);

	umem_sent(x->umem, frame_of(address), s->slot);
	desc->addr = address;
	desc->len = size;
	desc->options = more ? XDP_PKT_CONTD : 0;
}

static void tx_submit(struct xsks *x, struct sock *s, uint32_t n)
{
	xsk_ring_prod__submit(&s->tx, n);
	link_last(&x->dirty, &s->dirty);
}

/*
 * Frames come back by completions, which nobody announces: where there are too few, look. A batch of floods may want
 * more copies than there are frames at all: so what is made is sent first, and what a device has not taken is offered
 * again.
 */
static void free_some(struct xsks *x)
{
	reap_all(x);
	for (uint32_t slot = 0; slot < SW_MAX_XSKS; slot++) {
		struct sock *s = x->socks[slot];

		if (s && s->state == BOUND && !s->queue && n_unsent(s))
			link_last(&x->dirty, &s->dirty);
	}
	send_dirty(x);
}

/* Where devices take next to nothing it is tried once a flush: others wait. */
static bool enough_free(struct xsks *x, uint32_t n)
{
	if (umem_count(x->umem, UMEM_FREE) < n && !x->is_stuck) {
		free_some(x);
		x->is_stuck = umem_count(x->umem, UMEM_FREE) < STUCK;
	}
	return umem_count(x->umem, UMEM_FREE) >= n;
}

int xsks_tx_copy(struct xsks *x, uint16_t port, const void *data, uint32_t size)
{
	struct sock *s = sender(x, port);
	uint32_t n = (size + UMEM_FRAME_SIZE - 1) / UMEM_FRAME_SIZE, at;
	const uint8_t *from = data;
	int error;

	if (!s)
		return -ENODEV;
	if (!n || size > LONG_SIZE || (n > 1 && !x->sg))
		return -EMSGSIZE;
	if (!enough_free(x, n))
		return -ENOBUFS;
	error = tx_reserve(x, s, n, &at);
	if (error)
		return error;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t part = size > UMEM_FRAME_SIZE ? UMEM_FRAME_SIZE : size, frame;

		umem_take(x->umem, &frame);
		memcpy(umem_frame(x->umem, frame), from, part);
		tx_enter(x, s, at + i, (uint64_t)frame * UMEM_FRAME_SIZE, part, i + 1 < n);
		from += part;
		size -= part;
	}
	tx_submit(x, s, n);
	return 0;
}

int xsks_tx(struct xsks *x, uint16_t port, struct dp_frame *frame)
{
	struct sock *s = sender(x, port);
	uint32_t at;
	int error;

	if (frame->handle & IS_LONG) {
		error = xsks_tx_copy(x, port, frame->data, frame->size);
		xsks_release(x, frame);
		return error;
	}
	error = s ? tx_reserve(x, s, 1, &at) : -ENODEV;
	if (error) {
		xsks_release(x, frame);
		return error;
	}
	tx_enter(x, s, at, frame->data - (uint8_t *)umem_area(x->umem), frame->size, false);
	tx_submit(x, s, 1);
	return 0;
}

/* ---- receiving ---- */

static uint8_t *long_buffer(const struct xsks *x, uint64_t handle)
{
	return x->long_area + (size_t)(uint32_t)handle * LONG_ROOM;
}

void xsks_release(struct xsks *x, struct dp_frame *frame)
{
	if (frame->handle & IS_LONG)
		x->long_free[x->n_long_free++] = (uint8_t)frame->handle;
	else if (!umem_give(x->umem, frame->handle))
		log_limited(LOG_LEVEL_ERROR, "a frame was given back that was not lent (X1)");
}

static void read_meta(const uint8_t *data, struct dp_frame *ret)
{
	struct sw_meta meta;

	memcpy(&meta, data - sizeof(meta), sizeof(meta));
	ret->reason = meta.magic == SW_META_MAGIC ? meta.reason : SW_UPCALL_MISS;
	ret->slot = meta.magic == SW_META_MAGIC ? meta.slot : 0;
}

/* Puts a frame of several descriptors together. Those that do not fit any more are passed over. */
static void join(struct xsks *x, struct sock *s, uint32_t at, uint32_t n, struct dp_frame *ret)
{
	uint8_t *to;

	ret->handle = IS_LONG | x->long_free[--x->n_long_free];
	to = long_buffer(x, ret->handle);
	ret->data = to + HEADROOM;
	ret->headroom = HEADROOM;
	ret->size = 0;
	for (uint32_t i = 0; i < n; i++) {
		const struct xdp_desc *desc = xsk_ring_cons__rx_desc(&s->rx, at + i);
		const uint8_t *from = (uint8_t *)umem_area(x->umem) + desc->addr;

		if (i == 0)
			read_meta(from, ret);
		if (ret->size + desc->len <= LONG_SIZE) {
			memcpy(ret->data + ret->size, from, desc->len);
			ret->size += desc->len;
		}
		umem_give(x->umem, frame_of(desc->addr));
	}
}

int xsks_bring(struct xsks *x, const void *data, uint32_t size, struct dp_frame *ret)
{
	uint32_t frame;

	memset(ret, 0, sizeof(*ret));
	ret->headroom = HEADROOM;
	ret->size = size;
	if (size > RX_ROOM) {
		if (!x->sg || size > LONG_SIZE)
			return -EMSGSIZE;
		if (!x->n_long_free)
			return -ENOBUFS;
		ret->handle = IS_LONG | x->long_free[--x->n_long_free];
		ret->data = long_buffer(x, ret->handle) + HEADROOM;
	} else {
		if (!enough_free(x, 1) || !umem_take(x->umem, &frame))
			return -ENOBUFS;
		ret->handle = frame;
		ret->data = umem_frame(x->umem, frame) + HEADROOM;
	}
	memcpy(ret->data, data, size);
	return 0;
}

static void take_one(struct xsks *x, const struct xdp_desc *desc, struct dp_frame *ret)
{
	ret->data = (uint8_t *)umem_area(x->umem) + desc->addr;
	ret->size = desc->len;
	ret->headroom = desc->addr % UMEM_FRAME_SIZE;
	ret->handle = frame_of(desc->addr);
	read_meta(ret->data, ret);
}

/* Descriptors of the frame that begins at `at`; 0: its end is not among the n_waiting. */
static uint32_t measure(struct sock *s, uint32_t at, uint32_t n_waiting)
{
	for (uint32_t n = 1; n <= n_waiting; n++) {
		if (!(xsk_ring_cons__rx_desc(&s->rx, at + n - 1)->options & XDP_PKT_CONTD))
			return n;
	}
	return 0;
}

/* Enters the arrival of n descriptors; false if one of them cannot be (X1), and then none of them is used. */
static bool arrive(struct xsks *x, struct sock *s, uint32_t at, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (umem_arrived(x->umem, frame_of(xsk_ring_cons__rx_desc(&s->rx, at + i)->addr), s->slot)) {
			s->n_filled--;
			continue;
		}
		while (i--)
			umem_give(x->umem, frame_of(xsk_ring_cons__rx_desc(&s->rx, at + i)->addr));
		log_limited(LOG_LEVEL_ERROR, "the kernel delivered a frame that it was not lent (X1)");
		return false;
	}
	return true;
}

/* Up to n frames of one socket. *ret_waiting: descriptors that are in its ring still. */
static uint32_t rx_turn(struct xsks *x, struct sock *s, struct dp_frame *frames, uint32_t n, uint32_t *ret_waiting)
{
	uint32_t n_waiting = xsk_cons_nb_avail(&s->rx, RX_SIZE), used = 0, got = 0;

	adapt(x, s, n_waiting);
	while (got < n && used < n_waiting) {
		uint32_t at = s->rx.cached_cons + used, parts = measure(s, at, n_waiting - used);

		if (!parts || (parts > 1 && !x->n_long_free))
			break;
		used += parts;
		if (!arrive(x, s, at, parts))
			continue;
		frames[got].in_port = s->port;
		frames[got].is_part = false;
		if (parts == 1)
			take_one(x, xsk_ring_cons__rx_desc(&s->rx, at), &frames[got]);
		else
			join(x, s, at, parts, &frames[got]);
		got++;
	}
	s->rx.cached_cons += used;
	xsk_ring_cons__release(&s->rx, used);
	xsks_refill(x, s);
	*ret_waiting = __atomic_load_n(s->rx.producer, __ATOMIC_ACQUIRE) - s->rx.cached_cons;
	return got;
}

uint32_t xsks_rx(struct xsks *x, struct dp_frame *frames, uint32_t n)
{
	uint32_t got = 0, n_waiting;

	while (got < n && is_linked(&x->ready)) {
		struct sock *s = sock_of(x->ready.next, ready);
		uint32_t turn = n - got < RX_TURN ? n - got : RX_TURN, n_taken;

		n_taken = rx_turn(x, s, frames + got, turn, &n_waiting);
		got += n_taken;
		link_out(&s->ready);
		if (n_waiting && n_taken)
			link_last(&x->ready, &s->ready);
	}
	return got;
}
