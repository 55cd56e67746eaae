/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * crc32c.h - a CRC32c moved over zero bytes, at a cost that does not grow with their number.
 *
 * What: the CRC, begun at zero, of some bytes becomes that of the same bytes with n zero bytes behind them. A CRC is
 * linear: the difference that a change makes to a packet's CRC is the CRC of the bytes' difference with as many zero
 * bytes behind it as the packet has left.
 *
 * Why: to step over the bytes one by one would take as many steps as there are, for which a program in the kernel has
 * neither the time nor the instructions. A zero byte multiplies by x^8 modulo the polynomial; n of them are four
 * products, one for each hexadecimal digit of n.
 *
 * CRCs are reflected, as on the wire of SCTP (RFC 9260 Appendix A): bit 31 is x^0.
 */
#ifndef SW_CRC32C_H
#define SW_CRC32C_H

#include "extract.h"

#define SW_CRC32C 0x82f63b78 /* the polynomial */

/* x to the power of 8 * digit * 16^place, at [place][digit]. */
static const __u32 sw_crc32c_powers[4][16] = {
	{0x80000000, 0x00800000, 0x00008000, 0x00000080, 0x82f63b78, 0xfbc3faf9, 0x8b277743, 0x52a0c93f, 0x6ea2d55c,
		0x1c08b7d6, 0xf56e0ef4, 0x34019664, 0xa66805eb, 0x7a1f6b24, 0xe75d06aa, 0xc94ec098},
	{0x80000000, 0x18b8ea18, 0x510ac59a, 0xb2dea967, 0xb82be955, 0x36c41f1c, 0x19b29a35, 0xc9e90b9e, 0xb8fdb1e7,
		0xe55ef1f3, 0x1fe0b5c3, 0xe0553f1e, 0x18e4a304, 0x2b830011, 0x56993a31, 0x0246e2e6},
	{0x80000000, 0x88e56f72, 0x74c360a4, 0x631bb273, 0xe4172b16, 0x71892b1b, 0x835305c9, 0x196b1eae, 0x0d65762a,
		0xafc81338, 0xb5a50ab7, 0xf373c3ac, 0x5f60970f, 0xd46d3063, 0x3a5275ea, 0x02331c01},
	{0x80000000, 0x35d73a62, 0x28461564, 0x43eefc9f, 0xbf455269, 0x5edcdeb9, 0x65059450, 0x4e6f41a4, 0xe2ea32dc,
		0xf5b95b32, 0x695a4c87, 0xf204502c, 0x9a4f01b6, 0x941a0916, 0x4303cb97, 0x4c3d3d65},
};

/* Of two polynomials, modulo SW_CRC32C. */
SW_INLINE __u32 sw_crc32c_product(__u32 a, __u32 b)
{
	__u32 product = 0, i;

#ifdef __clang__
#pragma clang loop unroll(disable)
#endif
	for (i = 0; i < 32; i++) {
		product ^= b & -(a >> 31);
		a <<= 1;
		b = (b >> 1) ^ (SW_CRC32C & -(b & 1));
	}
	return product;
}

/* Moves it over n zero bytes, 65,535 at most. */
SW_INLINE __u32 sw_crc32c_shift(__u32 crc, __u32 n)
{
	__u32 place;

#ifdef __clang__
#pragma clang loop unroll(disable)
#endif
	for (place = 0; place < 4; place++, n >>= 4) {
		if (n & 15)
			crc = sw_crc32c_product(crc, sw_crc32c_powers[place][n & 15]);
	}
	return crc;
}

#endif
