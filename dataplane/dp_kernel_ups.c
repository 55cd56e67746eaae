/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames that came up from the tc hook, by a ring that all CPUs write (bpf/upcall_tc.h).
 *
 * One that stands for several is parted here, and an unfinished checksum finished: from then on they are frames as any
 * other. A record is copied out before, for the ring takes it back when the next one is asked for, and the owner may
 * have room for a few of its parts only.
 *
 * Counted: of the parts the first is the frame that the program has counted as received and sent up; the others are
 * counted as received here.
 */
#include "dataplane/dp_kernel.h"

#include "dataplane/complaint.h"
#include "dataplane/counters.h"
#include "dataplane/log.h"
#include "dataplane/reactor.h"
#include "dataplane/segment.h"
#include "dataplane/xsk.h"
#include "switch.skel.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* include/linux/skbuff.h: the kernel's own numbers, the same since Linux 4.18 where they were there. */
#define GSO_TCP_FIXED_ID (1U << 3)
#define GSO_UDP_TUNNEL   (1U << 10)
#define GSO_UDP_TUNNEL_C (1U << 11)
#define GSO_UFO          (1U << 16)
#define GSO_TCP_ACCECN   (1U << 19)

#define LONGEST_PART SW_UP_MAX

struct dpk_ups {
	struct ring_buffer *ring;
	struct reactor_watch *watch;
	uint32_t *held;  /* map ups_held */
	struct sw_up up; /* the record at hand */
	struct segment parts;
	uint32_t n_parts; /* of it, that were handed out */
	bool has_record;  /* `up` and `bytes` are one that is not done with */
	uint8_t bytes[SW_UP_MAX], part[LONGEST_PART];
};

int dpk_gso_part(const uint8_t *frame, uint32_t size, uint32_t gso_size, uint32_t gso_type, struct segment *ret)
{
	const struct segment_gso gso = {
		.size = (uint16_t)gso_size,
		.fixed_id = gso_type & GSO_TCP_FIXED_ID,
		.keep_cwr = gso_type & GSO_TCP_ACCECN,
		.tunnel = !gso_type                                        ? SEGMENT_TUNNEL_UNKNOWN
			  : gso_type & (GSO_UDP_TUNNEL | GSO_UDP_TUNNEL_C) ? SEGMENT_TUNNEL_INSIDE
									   : SEGMENT_TUNNEL_NONE,
	};

	return gso_type & GSO_UFO ? -EOPNOTSUPP : segment_begin(frame, size, &gso, LONGEST_PART, ret);
}

/* Takes one record out of the ring. */
static int take(void *ctx, void *record, size_t size)
{
	const struct sw_up *up = record;
	struct dpk *k = ctx;
	struct dpk_ups *ups = k->ups;

	if (size < sizeof(*up) + up->size || up->size > sizeof(ups->bytes) || up->in_port >= SW_MAX_PORTS)
		return 0;
	__atomic_fetch_sub(&ups->held[up->in_port], up->size, __ATOMIC_RELAXED);
	ups->up = *up;
	memcpy(ups->bytes, up->bytes, up->size);
	ups->n_parts = 0;
	ups->has_record = true;
	return -EINTR; /* no more for now; this one counts as read */
}

/*
 * What is handed out, or lost, is the frame that the program has counted, or one more, of whose bytes only the headers
 * are more than were counted.
 */
static void count_part(struct dpk *k, bool lost)
{
	struct dpk_ups *ups = k->ups;

	if (ups->n_parts++)
		counters_received(&k->dp.memory, ups->up.in_port, ups->parts.payload);
	else if (lost)
		counters_upcall(&k->dp.memory, ups->up.in_port); /* whoever is handed it does that else */
}

/* The next frame of the record at hand, in ups->part or ups->bytes; 0: there is no more. */
static uint32_t next_part(struct dpk *k, uint8_t **ret)
{
	struct dpk_ups *ups = k->ups;
	uint32_t size;

	if (!ups->up.gso_size) {
		if (ups->n_parts)
			return 0;
		segment_finish_checksum(ups->bytes, ups->up.size);
		*ret = ups->bytes;
		return ups->up.size;
	}
	*ret = ups->part;
	size = segment_next(&ups->parts, ups->part);
	return size;
}

/* The part at hand ends here, and so do those behind it. */
static void lose(struct dpk *k, enum sw_drop reason)
{
	struct dpk_ups *ups = k->ups;
	uint8_t *bytes;

	do {
		count_part(k, true);
		counters_drop(&k->dp.memory, ups->up.in_port, reason);
	} while (next_part(k, &bytes));
	ups->has_record = false;
}

static void begin(struct dpk *k)
{
	struct dpk_ups *ups = k->ups;

	if (!ups->up.gso_size ||
		!dpk_gso_part(ups->bytes, ups->up.size, ups->up.gso_size, ups->up.gso_type, &ups->parts))
		return;
	ups->up.gso_size = 0; /* it cannot be parted, and is lost as the one that it came as */
	lose(k, SW_DROP_GSO);
}

/* Makes sure that a record is at hand; false: there is none. */
static bool have_record(struct dpk *k)
{
	struct dpk_ups *ups = k->ups;

	while (!ups->has_record) {
		if (ring_buffer__consume(ups->ring) != -EINTR && !ups->has_record)
			return false;
		if (ups->has_record)
			begin(k);
	}
	return true;
}

static enum sw_drop drop_of(int error)
{
	switch (error) {
	case -ENODEV:
		return SW_DROP_NO_PORT;
	case -EMSGSIZE:
		return SW_DROP_UPCALL_TOO_BIG;
	default:
		return SW_DROP_UPCALL_FULL;
	}
}

/* Sockets go with their port. What lies in the ring stays, when its port's id may be that of another port already. */
static bool is_of_port(const struct dpk *k)
{
	return k->ports[k->ups->up.in_port].port.ifindex == k->ups->up.ifindex;
}

static bool hand_out(struct dpk *k, struct dp_frame *ret)
{
	struct dpk_ups *ups = k->ups;
	uint8_t *bytes;
	uint32_t size = next_part(k, &bytes);
	int error;

	if (!size) {
		ups->has_record = false;
		return false;
	}
	error = is_of_port(k) ? xsks_bring(k->xsks, bytes, size, ret) : -ENODEV;
	if (error) {
		lose(k, drop_of(error));
		return false;
	}
	ret->in_port = ups->up.in_port;
	ret->reason = ups->up.reason;
	ret->slot = ups->up.slot;
	ret->is_part = ups->n_parts;
	count_part(k, false);
	return true;
}

uint32_t dpk_ups_rx(struct dpk *k, struct dp_frame *frames, uint32_t n)
{
	uint32_t got = 0;

	while (got < n && have_record(k))
		got += hand_out(k, &frames[got]);
	return got;
}

static void ready(void *arg)
{
	struct dpk *k = arg;

	k->events.frames_waiting(k->events.ctx);
}

int dpk_ups_open(struct dpk *k, struct complaint *c)
{
	k->ups = calloc(1, sizeof(*k->ups));
	if (!k->ups)
		return complain(c, -ENOMEM, "out of memory");
	k->ups->ring = ring_buffer__new(bpf_map__fd(k->skel->maps.ups), take, k, NULL);
	if (!k->ups->ring)
		return complain(c, -errno, "the ring of frames from tc hooks cannot be read: %s", strerror(errno));
	k->ups->held = dpk_map_memory(k->skel->maps.ups_held);
	if (!k->ups->held)
		return complain(c, -errno, "map ups_held cannot be mapped: %s", strerror(errno));
	k->ups->watch = k->reactor->watch(k->reactor->ctx, ring_buffer__epoll_fd(k->ups->ring), ready, k);
	return k->ups->watch ? 0 : complain(c, -ENOMEM, "out of memory");
}

/*
 * What ports hold begins anew: a daemon that was killed between taking a record off and moving on in the ring would
 * have it taken off twice, and a port that holds less than nothing is never heard again.
 */
void dpk_ups_bury(struct dpk *k)
{
	while (ring_buffer__consume(k->ups->ring) == -EINTR)
		;
	k->ups->has_record = false;
	memset(k->ups->held, 0, SW_MAX_PORTS * sizeof(*k->ups->held));
}

void dpk_ups_close(struct dpk *k)
{
	if (!k->ups)
		return;
	if (k->ups->watch)
		k->reactor->unwatch(k->reactor->ctx, k->ups->watch);
	ring_buffer__free(k->ups->ring);
	dpk_unmap(k->skel->maps.ups_held, k->ups->held);
	free(k->ups);
}
