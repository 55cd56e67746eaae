/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copies of frames that the program has sent on their way (bpf/tell.h), by a ring that all CPUs write.
 *
 * The kernel wakes us when we had read all that there was; what we leave in the ring keeps its descriptor readable.
 */
#include "dataplane/complaint.h"
#include "dataplane/counters.h"
#include "dataplane/dp_kernel.h"
#include "dataplane/reactor.h"
#include "dataplane/segment.h"
#include "switch.skel.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

static uint8_t bytes[SW_TELL_MAX]; /* of a copy that is not told as it lies in the ring, which is not for writing */

/* At the tc hook a frame's checksum may not be finished. */
static void hand_out_finished(struct dpk *k, const struct dp_told *whole)
{
	struct dp_told told = *whole;

	if (k->ports[told.in_port].port.hook == DP_HOOK_TC) {
		memcpy(bytes, told.data, told.size);
		segment_finish_checksum(bytes, told.size);
		told.data = bytes;
	}
	k->telling.each(k->telling.ctx, &told);
}

/* Of a frame that stands for several each is told of; of one that cannot be parted, as it is. */
static void hand_out_parts(struct dpk *k, const struct sw_told *told, const struct dp_told *whole)
{
	struct dp_told part = *whole;
	struct segment parts;

	if (dpk_gso_part(told->bytes, told->size, told->gso_size, told->gso_type, &parts)) {
		k->telling.each(k->telling.ctx, whole);
		return;
	}
	part.data = bytes;
	while ((part.size = segment_next(&parts, bytes)) != 0)
		k->telling.each(k->telling.ctx, &part);
}

/* Not 0: no more of them for now. This one counts as read. */
static int hand_out(void *ctx, void *record, size_t size)
{
	const struct sw_told *told = record;
	struct dpk *k = ctx;
	const struct dp_told copy = {.data = told->bytes,
		.size = told->size,
		.in_port = told->in_port,
		.levels = told->levels,
		.mirror = told->mirror,
		.out_port = told->out_port};

	if (size < sizeof(*told) + told->size || told->in_port >= SW_MAX_PORTS || told->mirror > SW_TOLD_MIRRORS)
		return 0;
	if (told->gso_size)
		hand_out_parts(k, told, &copy);
	else
		hand_out_finished(k, &copy);
	return --k->telling.n_left ? 0 : -EINTR;
}

uint32_t dpk_told(struct datapath *dp, uint32_t n, void (*each)(void *ctx, const struct dp_told *told), void *ctx)
{
	struct dpk *k = dpk_of(dp);

	k->telling = (struct dpk_telling){.n_left = n, .each = each, .ctx = ctx};
	ring_buffer__consume(k->told);
	return n - k->telling.n_left;
}

static void ready(void *arg)
{
	struct dpk *k = arg;

	k->events.frames_waiting(k->events.ctx);
}

static void forget(void *ctx, const struct dp_told *told)
{
	struct dpk *k = ctx;

	if (!told->mirror)
		counters_stale(&k->dp.memory, told->in_port);
}

int dpk_told_open(struct dpk *k, struct complaint *c)
{
	k->told = ring_buffer__new(bpf_map__fd(k->skel->maps.tolds), hand_out, k, NULL);
	if (!k->told)
		return complain(c, -errno, "the ring of copies for controllers cannot be read: %s", strerror(errno));
	if (k->dp.adopted)
		dpk_told(&k->dp, SW_TELL_RING, forget, k);
	k->told_watch = k->reactor->watch(k->reactor->ctx, ring_buffer__epoll_fd(k->told), ready, k);
	return k->told_watch ? 0 : complain(c, -ENOMEM, "out of memory");
}

void dpk_told_close(struct dpk *k)
{
	if (k->told_watch)
		k->reactor->unwatch(k->reactor->ctx, k->told_watch);
	ring_buffer__free(k->told);
}
