/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * umem.h - the frames of the slow path, and who owns which.
 *
 * What: one area of memory cut into frames of 4096 bytes, which all AF_XDP sockets share, and a book of where each
 * frame is. The sockets (xsk.c) move frames through rings; every move is entered here first, and one that the book does
 * not expect is refused.
 *
 * Invariants
 * X1 Every frame is in exactly one state: free, fill (with the kernel to be filled: in a fill ring, or on its way back
 *    in an rx ring), lent (with the daemon), or tx (with the kernel to be sent: in a tx ring, or on its way back in a
 *    completion ring). The numbers of the four add up to the number of frames.
 * X2 A frame in fill or tx belongs to the one socket by whose rings it went and can only come back.
 *
 * Safe error: a frame that stays with the kernel until its socket is closed. Unsafe error: a frame in two places, which
 * would put one port's bytes on another's wire.
 *
 * Ownership: the area lives as long as the umem. Concurrency: one thread; the kernel writes only into frames in fill
 * and reads only those in tx.
 */
#ifndef DATAPLANE_UMEM_H
#define DATAPLANE_UMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UMEM_FRAME_SIZE 4096

enum umem_state { UMEM_FREE, UMEM_FILL, UMEM_LENT, UMEM_TX, UMEM_N_STATES };

struct umem;

/* NULL: out of memory. */
struct umem *umem_create(uint32_t n_frames);
void umem_destroy(struct umem *umem);
/* Bytes that one of so many frames takes. */
size_t umem_bytes(uint32_t n_frames);

void *umem_area(const struct umem *umem);
size_t umem_size(const struct umem *umem); /* bytes */
uint8_t *umem_frame(const struct umem *umem, uint32_t frame);
uint32_t umem_count(const struct umem *umem, enum umem_state state);

/*
 * The moves. `owner` is the socket by whose ring the frame goes. Each returns false, and changes nothing, when the
 * frame is not where the move begins (X1) or not this owner's (X2).
 */
bool umem_take(struct umem *umem, uint32_t *ret_frame);                 /* free -> lent; false: none is free */
bool umem_give(struct umem *umem, uint32_t frame);                      /* lent -> free */
bool umem_filled(struct umem *umem, uint32_t frame, uint16_t owner);    /* lent -> fill */
bool umem_arrived(struct umem *umem, uint32_t frame, uint16_t owner);   /* fill -> lent */
bool umem_sent(struct umem *umem, uint32_t frame, uint16_t owner);      /* lent -> tx */
bool umem_completed(struct umem *umem, uint32_t frame, uint16_t owner); /* tx -> free */

/* The owner's socket is closed: what the kernel had of it is free. Returns how many frames. */
uint32_t umem_reclaim(struct umem *umem, uint16_t owner);

#endif
