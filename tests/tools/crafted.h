/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crafted.h - test frames that know what they should look like when they arrive.
 *
 * Behind the Ethernet header and its tags a crafted frame carries a magic, the run, its number and its own payload
 * size, then bytes that follow from the number. Tags are left out of the judgement, so that a switch may change them,
 * and are reported instead. A frame too short for all that (below CRAFTED_MIN without tags) cannot be told from
 * another.
 */
#ifndef TEST_CRAFTED_H
#define TEST_CRAFTED_H

#include <stddef.h>
#include <stdint.h>

#define CRAFTED_MAX_TAGS 4
#define CRAFTED_MAX      65536
#define CRAFTED_MIN      (14 + 20)

struct crafted_form {
	uint8_t dst[6], src[6];
	uint32_t n_sources;              /* src and the n - 1 addresses after it, in turn */
	uint32_t tags[CRAFTED_MAX_TAGS]; /* TPID << 16 | TCI, outermost first */
	unsigned n_tags;
	uint16_t eth_type;
	uint32_t run;                /* tells this run's frames from another's */
	unsigned size_min, size_max; /* bytes of the frame with its tags; sizes go round between the two */
};

enum crafted_verdict {
	CRAFTED_FOREIGN, /* not one of ours */
	CRAFTED_GOOD,
	CRAFTED_CORRUPTED, /* one of ours, with bytes that it was not sent with */
};

/* What a frame that arrived turned out to be. */
struct crafted_arrival {
	uint64_t number;
	uint32_t tags[CRAFTED_MAX_TAGS];
	unsigned n_tags;
};

/* Writes frame `number` into buffer (CRAFTED_MAX bytes) and returns its size. */
size_t crafted_make(const struct crafted_form *form, uint64_t number, uint8_t *buffer);

/* Judges a frame that arrived. ret_arrival is set unless the verdict is CRAFTED_FOREIGN. */
enum crafted_verdict crafted_judge(
	const struct crafted_form *form, const uint8_t *frame, size_t size, struct crafted_arrival *ret_arrival);

#endif
