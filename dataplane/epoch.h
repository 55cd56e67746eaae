/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * epoch.h - the end of what the program has noted.
 *
 * The program notes what became of frames (bpf/recall.h), and a note holds for the epoch in which it was made. So who
 * takes away or alters what a note can rest on - a flow, an address, where a group leads, how deep frames are parsed -
 * ends the epoch when that is stored, and before the change counts as settled. One store; ending an epoch too often
 * costs lookups, no more.
 *
 * The number goes round after four thousand million ends. Before that happens epoch_renew() wipes every note, so that
 * none is left of an epoch whose number comes again; should it be late, the number is 0, and nothing is recalled.
 */
#ifndef DATAPLANE_EPOCH_H
#define DATAPLANE_EPOCH_H

#include <stdint.h>

struct dp_memory;

/* The first epoch; 0 where the program must not note anything (N3 of bpf/recall.h). */
uint32_t epoch_first(void);

static inline void epoch_end(uint32_t *epoch)
{
	uint32_t now = *epoch;

	if (now)
		__atomic_store_n(epoch, now + 1, __ATOMIC_RELEASE);
}

/* Now and then, at least once in a thousand million ends. */
void epoch_renew(const struct dp_memory *memory);

#endif
