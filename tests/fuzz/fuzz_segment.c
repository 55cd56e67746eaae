/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_segment.c - frames to be parted: the first four bytes are what is known beside the frame, which follows.
 *
 * Of what is not refused the payloads make the whole again (G1), no segment is larger than the room (G3), and parting
 * each again by the same size gives the same bytes: it is a frame in its own right, with right checksums.
 *
 * Sources: dataplane/segment.c dataplane/checksum.c
 */
#include "dataplane/segment.h"

#include "tests/fuzz/fuzz.h"

static void part_again(const struct segment_gso *gso, const uint8_t *part, uint32_t size)
{
	struct segment_gso lone = *gso;
	uint8_t *exact = malloc(size), *again = malloc(size);
	struct segment s;

	memcpy(exact, part, size);
	fuzz_require(!segment_begin(exact, size, &lone, size, &s));
	fuzz_require(s.n == 1 && segment_next(&s, again) == size && !memcmp(again, exact, size));
	fuzz_require(!segment_next(&s, again));
	fuzz_require(!segment_finish_checksum(exact, size));
	free(again);
	free(exact);
}

static void part(const uint8_t *frame, uint32_t size, const struct segment_gso *gso, uint32_t room)
{
	uint8_t *buf = malloc(room);
	uint32_t joined = 0, n = 0, part_size;
	struct segment s;

	if (!segment_begin(frame, size, gso, room, &s)) {
		while ((part_size = segment_next(&s, buf))) {
			fuzz_require(part_size <= room && part_size >= s.payload && part_size - s.payload <= gso->size);
			fuzz_require(!memcmp(buf + s.payload, frame + s.payload + joined, part_size - s.payload));
			joined += part_size - s.payload;
			n++;
			part_again(gso, buf, part_size);
		}
		fuzz_require(n == s.n && s.payload + joined == size);
	}
	free(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct segment_gso gso;
	uint8_t *frame;

	if (size < 4)
		return 0;
	gso = (struct segment_gso){.size = (uint16_t)(bytes[0] << 8 | bytes[1]),
		.fixed_id = bytes[2] & 1,
		.keep_cwr = bytes[2] & 2,
		.tunnel = (enum segment_tunnel)((bytes[2] >> 2) % 3)};
	size -= 4;
	frame = malloc(size + 1);
	memcpy(frame, bytes + 4, size);
	part(frame, (uint32_t)size, &gso, 1 + bytes[3] * 16u);
	segment_finish_checksum(frame, (uint32_t)size);
	fuzz_require(!segment_finish_checksum(frame, (uint32_t)size));
	free(frame);
	return 0;
}
