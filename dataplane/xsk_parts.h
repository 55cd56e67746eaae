/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xsk_parts.h - what xsk.c (sockets) and xsk_rings.c (frames) know of each other. Nobody else includes it.
 */
#ifndef DATAPLANE_XSK_PARTS_H
#define DATAPLANE_XSK_PARTS_H

#include "bpf/abi.h"
#include "dataplane/umem.h"
#include "dataplane/xsk.h"

#include <stddef.h>
#include <xdp/xsk.h>

/* Linux 6.6; not in Debian 12's headers. */
#ifndef XDP_USE_SG
#define XDP_USE_SG (1 << 4)
#endif
#ifndef XDP_PKT_CONTD
#define XDP_PKT_CONTD (1 << 0)
#endif

#define HEADROOM  256 /* XDP_PACKET_HEADROOM: the kernel puts a frame this far into its UMEM frame */
#define RX_ROOM   (UMEM_FRAME_SIZE - HEADROOM)
#define LONG_SIZE (65536 + 64) /* the longest frame there is, and its Ethernet header and tags */
#define LONG_ROOM (HEADROOM + LONG_SIZE)
#define N_LONG    64 /* buffers for long frames; memory that is never used is never there */

#define RX_SIZE   1024 /* descriptors; so that a full fill ring fits */
#define FILL_SIZE 1024
#define TX_SIZE   1024
#define COMP_SIZE 1024

enum bind_state { UNBOUND, WAITING, BOUND, DEAD };

struct link {
	struct link *prev, *next;
};

struct sock {
	struct link ready;  /* in xsks.ready, while frames may be in its rx ring */
	struct link dirty;  /* in xsks.dirty, while frames may be in its tx ring */
	struct link hungry; /* in xsks.hungry, while the kernel has no frame to fill for it: nothing will wake it up */
	struct xsks *xsks;
	struct xsk_socket *xsk;
	struct xsk_ring_cons rx, comp;
	struct xsk_ring_prod tx, fill;
	struct reactor_watch *watch;
	enum bind_state state;
	uint32_t ifindex;
	uint16_t port, queue;
	uint16_t slot; /* in the XSKMAP; and its name in the book of frames */
	uint32_t n_tries;
	uint32_t n_filled, base, target; /* frames in fill; primed; wanted */
	int tx_error;                    /* of the last kick, while the device refuses frames */
};

struct run {
	uint16_t base, n; /* n 0: none */
};

struct xsks {
	struct umem *umem;
	struct xsk_umem *kernel_umem;
	struct xsk_socket *anchor;
	struct xsk_ring_cons anchor_rx, anchor_comp;
	struct xsk_ring_prod anchor_fill;
	bool sg;
	int xskmap_fd;
	const struct reactor *reactor;
	const struct dp_events *events;
	const struct dp_memory *memory;
	struct reactor_timer *lag, *bind_retry;
	uint64_t lag_ms;
	struct link ready, dirty, hungry;
	bool is_stuck; /* since the last flush: hardly a frame is free, and what could be sent was */
	struct run runs[SW_MAX_PORTS];
	struct sock *socks[SW_MAX_XSKS]; /* by slot */
	uint16_t holders[SW_MAX_XSKS];   /* port whose run the slot is in; 0: none */
	uint32_t n_socks;
	uint8_t *long_area;
	uint8_t long_free[N_LONG];
	uint32_t n_long_free;
};

static inline void link_init(struct link *link)
{
	link->prev = link->next = link;
}

static inline bool is_linked(const struct link *link)
{
	return link->next != link;
}

static inline void link_last(struct link *list, struct link *link)
{
	if (is_linked(link))
		return;
	link->prev = list->prev;
	link->next = list;
	list->prev->next = link;
	list->prev = link;
}

static inline void link_out(struct link *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	link_init(link);
}

#define sock_of(link, member) ((struct sock *)((char *)(link)-offsetof(struct sock, member)))

/* ---- xsk_rings.c ---- */

/* Brings what the kernel has to fill for this socket up to its target. */
void xsks_refill(struct xsks *x, struct sock *s);
/* The same for those that have none at all, once frames may have become free. */
void xsks_feed(struct xsks *x);
/* Frames that a new socket's fill ring begins with. */
uint32_t xsks_prime(const struct xsks *x);
/* Before the socket is closed: counts the frames that are in its rings and will get no further (D1). */
void xsks_count_stranded(const struct xsks *x, struct sock *s);
/* Frees what the kernel has sent. */
void xsks_reap(struct xsks *x, struct sock *s);
/* The timer `lag` fired. */
void xsks_lag_over(void *arg);

#endif
