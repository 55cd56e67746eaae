/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/checksum.h"

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static uint32_t sum_of(const uint8_t *bytes, size_t size, bool odd)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum += (i & 1) == odd ? (uint32_t)bytes[i] << 8 : bytes[i];
	return sum;
}

uint16_t checksum_sum(const uint8_t *bytes, size_t size)
{
	uint64_t sum = 0;
	size_t i = 0;

	for (; size - i >= 4; i += 4) /* RFC 1071 §2(C): 2^32 is 1 in these sums, too */
		sum += (uint32_t)bytes[i] << 24 | (uint32_t)bytes[i + 1] << 16 | (uint32_t)bytes[i + 2] << 8 |
		       bytes[i + 3];
	for (; i < size; i++)
		sum += i & 1 ? bytes[i] : (uint32_t)bytes[i] << 8;
	sum = (sum & 0xffffffff) + (sum >> 32);
	return fold((uint32_t)((sum & 0xffff) + (sum >> 16)));
}

uint16_t checksum_growth(const uint8_t *before, const uint8_t *after, size_t size, bool odd)
{
	uint16_t inverse = (uint16_t)~fold(sum_of(before, size, odd));

	return fold(sum_of(after, size, odd) + inverse);
}

/* RFC 1624, equation 3. */
void checksum_mend(uint8_t *checksum, uint16_t growth)
{
	uint32_t stored = (uint32_t)checksum[0] << 8 | checksum[1];
	uint16_t mended = (uint16_t)~fold((~stored & 0xffff) + growth);

	checksum[0] = (uint8_t)(mended >> 8);
	checksum[1] = (uint8_t)mended;
}

/* The reflected polynomial 0x82f63b78, four bits a step: 64 bytes of table stay in the cache. */
static uint32_t crc32c_step(uint32_t crc, uint8_t byte)
{
	static const uint32_t nibbles[16] = {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
		0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab,
		0xe330a81a, 0xf36e6f75};

	crc ^= byte;
	crc = nibbles[crc & 15] ^ crc >> 4;
	return nibbles[crc & 15] ^ crc >> 4;
}

uint32_t crc32c_difference(const uint8_t *difference, size_t size, size_t n_after)
{
	uint32_t crc = 0;

	for (size_t i = 0; i < size; i++)
		crc = crc32c_step(crc, difference[i]);
	while (n_after--)
		crc = crc32c_step(crc, 0);
	return crc;
}
