/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * checksum.h - mends a checksum by what was changed under it, without a look at the rest.
 *
 * What: the Internet checksum by RFC 1624 (IPv4, TCP, UDP, ICMP), and the CRC32c of SCTP (RFC 9260 appendix A).
 *
 * Why not sum anew: a checksum that came wrong would leave right, and a receiver would take a damaged frame for a good
 * one. Both sums are linear, so the difference that a change makes is all that is needed, and an error stays in. A
 * whole sum is for headers that are made here.
 */
#ifndef DATAPLANE_CHECKSUM_H
#define DATAPLANE_CHECKSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The one's complement sum of 16-bit words, folded and not inverted; an odd last byte is the high one of its word. */
uint16_t checksum_sum(const uint8_t *bytes, size_t size);
/*
 * By how much the one's complement sum of 16-bit words grows when these bytes replace those.
 * `odd`: the first byte is the low one of its word.
 */
uint16_t checksum_growth(const uint8_t *before, const uint8_t *after, size_t size, bool odd);
/* Mends the two bytes of a checksum over words whose sum grew. */
void checksum_mend(uint8_t *checksum, uint16_t growth);

/*
 * What a CRC32c is to be XORed with when `difference` (before XOR after) was applied to bytes that `n_after` more bytes
 * follow. Costs a step for each byte from the first that changed to the last of all.
 */
uint32_t crc32c_difference(const uint8_t *difference, size_t size, size_t n_after);

#endif
