/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/umem.h"

#include <stdlib.h>
#include <sys/mman.h>

struct record {
	uint8_t state;
	uint16_t owner; /* of a frame in fill or tx */
};

struct umem {
	uint8_t *area;
	uint32_t n_frames;
	uint32_t counts[UMEM_N_STATES];
	uint32_t *free_frames; /* a stack: the frame used last is still in the CPU's cache */
	struct record *records;
};

struct umem *umem_create(uint32_t n_frames)
{
	struct umem *umem = calloc(1, sizeof(*umem));

	if (!umem)
		return NULL;
	umem->n_frames = n_frames;
	umem->free_frames = calloc(n_frames, sizeof(*umem->free_frames));
	umem->records = calloc(n_frames, sizeof(*umem->records));
	umem->area = mmap(NULL, umem_size(umem), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (umem->area == MAP_FAILED)
		umem->area = NULL;
	if (!umem->free_frames || !umem->records || !umem->area) {
		umem_destroy(umem);
		return NULL;
	}
	for (uint32_t i = 0; i < n_frames; i++)
		umem->free_frames[i] = n_frames - 1 - i;
	umem->counts[UMEM_FREE] = n_frames;
	return umem;
}

size_t umem_bytes(uint32_t n_frames)
{
	const struct umem *umem = NULL;

	return n_frames * (UMEM_FRAME_SIZE + sizeof(*umem->free_frames) + sizeof(*umem->records));
}

void umem_destroy(struct umem *umem)
{
	if (!umem)
		return;
	if (umem->area)
		munmap(umem->area, umem_size(umem));
	free(umem->free_frames);
	free(umem->records);
	free(umem);
}

void *umem_area(const struct umem *umem)
{
	return umem->area;
}

size_t umem_size(const struct umem *umem)
{
	return (size_t)umem->n_frames * UMEM_FRAME_SIZE;
}

uint8_t *umem_frame(const struct umem *umem, uint32_t frame)
{
	return umem->area + (size_t)frame * UMEM_FRAME_SIZE;
}

uint32_t umem_count(const struct umem *umem, enum umem_state state)
{
	return umem->counts[state];
}

static void put_into(struct umem *umem, uint32_t frame, enum umem_state state, uint16_t owner)
{
	struct record *record = &umem->records[frame];

	umem->counts[record->state]--;
	umem->counts[state]++;
	record->state = state;
	record->owner = owner;
	if (state == UMEM_FREE)
		umem->free_frames[umem->counts[UMEM_FREE] - 1] = frame;
}

static bool is_lent(const struct umem *umem, uint32_t frame)
{
	return frame < umem->n_frames && umem->records[frame].state == UMEM_LENT;
}

/* Whether the frame is with the kernel, in `state`, by this owner's rings (X2). */
static bool is_out(const struct umem *umem, uint32_t frame, enum umem_state state, uint16_t owner)
{
	return frame < umem->n_frames && umem->records[frame].state == state && umem->records[frame].owner == owner;
}

bool umem_take(struct umem *umem, uint32_t *ret_frame)
{
	uint32_t frame;

	if (!umem->counts[UMEM_FREE])
		return false;
	frame = umem->free_frames[umem->counts[UMEM_FREE] - 1];
	put_into(umem, frame, UMEM_LENT, 0);
	*ret_frame = frame;
	return true;
}

bool umem_give(struct umem *umem, uint32_t frame)
{
	if (!is_lent(umem, frame))
		return false;
	put_into(umem, frame, UMEM_FREE, 0);
	return true;
}

bool umem_filled(struct umem *umem, uint32_t frame, uint16_t owner)
{
	if (!is_lent(umem, frame))
		return false;
	put_into(umem, frame, UMEM_FILL, owner);
	return true;
}

bool umem_arrived(struct umem *umem, uint32_t frame, uint16_t owner)
{
	if (!is_out(umem, frame, UMEM_FILL, owner))
		return false;
	put_into(umem, frame, UMEM_LENT, 0);
	return true;
}

bool umem_sent(struct umem *umem, uint32_t frame, uint16_t owner)
{
	if (!is_lent(umem, frame))
		return false;
	put_into(umem, frame, UMEM_TX, owner);
	return true;
}

bool umem_completed(struct umem *umem, uint32_t frame, uint16_t owner)
{
	if (!is_out(umem, frame, UMEM_TX, owner))
		return false;
	put_into(umem, frame, UMEM_FREE, 0);
	return true;
}

uint32_t umem_reclaim(struct umem *umem, uint16_t owner)
{
	uint32_t n = 0;

	for (uint32_t frame = 0; frame < umem->n_frames; frame++) {
		if (is_out(umem, frame, UMEM_FILL, owner) || is_out(umem, frame, UMEM_TX, owner)) {
			put_into(umem, frame, UMEM_FREE, 0);
			n++;
		}
	}
	return n;
}
