/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tally.h - what has been counted of something that frames pass: a rule, a bucket, a group, a table.
 *
 * The fast path counts by cached flow; a translation's path says which tallies a flow's frames belong to, and the cache
 * links the flow's slot to each of them (cache_links.h). A tally is exact after the slots that it is linked to have
 * been harvested (S1).
 */
#ifndef DATAPLANE_TALLY_H
#define DATAPLANE_TALLY_H

#include <stdint.h>

struct tally {
	uint64_t packets, bytes; /* harvested */
	uint64_t used_ns;        /* CLOCK_BOOTTIME of the last harvest that found any, or of the frame; 0: never */
	struct tally *parent;    /* counts whatever this one counts; NULL: none */
	uint32_t links;          /* the cache's own: first link, 0: none */
};

static inline void tally_add(struct tally *tally, uint64_t packets, uint64_t bytes, uint64_t now_ns)
{
	for (; tally; tally = tally->parent) {
		tally->packets += packets;
		tally->bytes += bytes;
		if (packets)
			tally->used_ns = now_ns;
	}
}

#endif
