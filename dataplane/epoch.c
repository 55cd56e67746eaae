/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/epoch.h"

#include "dataplane/datapath.h"

#define RENEW 0xc0000000U /* a quarter of the numbers are left */

uint32_t epoch_first(void)
{
#if defined(__x86_64__) || defined(__i386__)
	return 1;
#else
	return 0;
#endif
}

/* A program that is late may note something for an old epoch once more; that number is wiped again before it comes. */
static void wipe(const struct dp_memory *memory)
{
	for (uint32_t row = 0; row < memory->config->n_rows; row++) {
		struct sw_row *of = dp_row(memory, row);

		for (uint32_t i = 0; i < SW_NOTES; i++)
			__atomic_store_n(&of->notes[i].origin, 0, __ATOMIC_RELAXED);
		for (uint32_t i = 0; i < SW_DEEP_NOTES; i++)
			__atomic_store_n(&of->deep[i].link.origin, 0, __ATOMIC_RELAXED);
	}
}

void epoch_renew(const struct dp_memory *memory)
{
	uint32_t *epoch = &memory->config->epoch, first = epoch_first();

	if (*epoch == first || (*epoch && *epoch < RENEW))
		return;
	__atomic_store_n(epoch, 0, __ATOMIC_RELEASE);
	wipe(memory);
	__atomic_store_n(epoch, first, __ATOMIC_RELEASE);
}
