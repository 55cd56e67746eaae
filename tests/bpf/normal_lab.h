/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * normal_lab.h - a port whose flows begin with NORMAL, and the fate of its frames.
 *
 * What became of a frame is put into words, with all that was counted for it, and the words are compared: so a test
 * says what should have been, and nothing that happened beside it goes unseen.
 */
#ifndef NORMAL_LAB_H
#define NORMAL_LAB_H

#include "trial.h"

#define BRIDGE  7
#define VID     10
#define FLOOD   4 /* a port that a flood outputs to */
#define DEAD    5 /* a port without a device */
#define N_PORTS 6
#define SET     3
#define LONELY  9   /* a set without members */
#define MEMBER  700 /* the set's members: this port and the next */
#define FIT     1518

#define A         0x02000000000aULL
#define B         0x02000000000bULL
#define C         0x02000000000cULL
#define GROUP     0x01005e000001ULL
#define BROADCAST 0xffffffffffffULL
#define ZERO      0x000000000000ULL
#define STP       0x0180c2000000ULL
#define LAST      0x0180c200000fULL /* of the reserved ones */

struct fate {
	enum { DROPPED, SENT, FLOODED, UP } what;
	uint32_t port; /* dropped: the culprit; sent: where it left */
	int tci;       /* sent, flooded: of what left */
	enum sw_drop drop;
	enum sw_upcall reason;
};

/* The shipped program with the ports and sets above; no daemon, no flow, no address. */
void lab_setup(struct fixture *f);
/* A flow for frames with this one's tag, or none: NORMAL, and these steps for the flood. Its slot. */
uint32_t lab_put(struct fixture *f, const struct packet *p, uint16_t bridge, uint16_t vid, uint8_t flags,
	const struct sw_step *flood, unsigned int n);

/* A short frame. */
void lab_make(struct packet *p, int tci, uint64_t dst, uint64_t src);
/* One frame came since the counters were forgotten, and this is what became of it. The name is for complaints. */
void lab_check(struct fixture *f, const char *name, const struct fate *fate, const struct packet *in,
	const struct outcome *o, uint32_t slot);

#endif
