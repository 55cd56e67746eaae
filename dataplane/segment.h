/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * segment.h - parts a frame that waits for segmentation (GSO) into the frames that a NIC would put on the wire.
 *
 * What: a sender leaves it to hardware to cut its payload to size and to finish checksums, and where there is no
 * hardware one frame of up to 64 KiB passes through the host whole. One that goes up to the daemon is parted here
 * before anything else sees it: the rest of the slow path knows frames as they are on a wire, and so does a controller.
 * TCP becomes segments, UDP (USO) datagrams, each complete in headers, lengths and checksums. As Linux does it
 * (inet_gso_segment, tcp_gso_segment, __udp_gso_segment in 6.18), where this does not say otherwise:
 *
 *   IPv4   total length; ident one more in each, or the same where fixed_id is told and DF is set; header checksum
 *   IPv6   payload length; extension headers as they are
 *   TCP    sequence number; FIN and PSH in the last one alone; CWR in the first one alone, or in all where keep_cwr is
 *          told; options, urgent pointer and all else as they are
 *   UDP    length
 *
 * Why not let the kernel do it, by a socket with PACKET_VNET_HDR: the answer to a miss is asked for by frame, and a
 * meter, a copy to a controller or a group counts frames and bytes.
 *
 * Checksums are made anew, whatever the field held: whoever set gso_size has vouched for the bytes (GRO verifies before
 * it merges), and Linux, too, sums the payload as it cuts. So there is no word on whether they were unfinished.
 *
 * Accurate ECN: there CWR is one of three bits of a counter (the ACE field, RFC 9768) that stays the same in all
 * segments; in RFC 3168 it is a signal that must come once. A frame does not show which one it is. Linux tells them
 * apart by gso_type (SKB_GSO_TCP_ACCECN; SKB_GSO_TCP_ECN, or neither), and so does keep_cwr. AE and ECE are copied.
 *
 * Invariants
 * G1 The segments' payloads, one after another, are the frame's, and each but the last has gso.size bytes.
 * G2 All checksums of a segment are right. Of UDP over IPv4 a zero, which says that there is none, stays.
 * G3 Nothing is read outside the frame, whatever its bytes say, and no segment is larger than the room that was told.
 *
 * Safe error: to refuse a frame, by a named reason. Unsafe error: to part one whose gso_size means something else. A
 * frame of a UDP tunnel (VXLAN, Geneve) has its gso_size from the TCP within and looks like USO; parted as that, inner
 * payload would be read as a tunnel's header by whoever receives it. What the kernel knows of it is asked for
 * (gso.tunnel). Where nothing is known, UDP without a checksum is taken for a tunnel, as by default these are sent:
 * neither Linux's sockets and GRO nor the virtio specification have USO without one, and Linux 6.18 sends wrong
 * checksums if it is given such a frame. A tunnel with a checksum is not recognised then.
 *
 * Nor can UFO be told from USO by its bytes: whoever knows gso_type must not hand over SKB_GSO_UDP. BIG TCP is refused,
 * as its IP lengths are zero.
 *
 * Pure, no allocation. Ownership: borrows the frame until the last segment was taken.
 */
#ifndef DATAPLANE_SEGMENT_H
#define DATAPLANE_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

/* A hostile sender is not to multiply its frames: Linux's TCP_MIN_GSO_SIZE and UDP_MAX_SEGMENTS. */
#define SEGMENT_TCP_MIN 8   /* payload bytes */
#define SEGMENT_UDP_MAX 128 /* segments */

enum segment_tunnel { SEGMENT_TUNNEL_UNKNOWN, SEGMENT_TUNNEL_NONE, SEGMENT_TUNNEL_INSIDE };

/* What the kernel knows of a frame beside its bytes. */
struct segment_gso {
	uint16_t size;              /* gso_size: payload bytes of a segment */
	bool fixed_id;              /* SKB_GSO_TCP_FIXEDID */
	bool keep_cwr;              /* SKB_GSO_TCP_ACCECN */
	enum segment_tunnel tunnel; /* whether gso_size and the unfinished checksum are those of inner headers */
};

struct segment {
	const uint8_t *frame;
	struct segment_gso gso;
	uint32_t n; /* segments, at least one */
	uint32_t n_taken;

	/* Of the whole frame: offsets, and bytes. */
	uint32_t l3, l4, payload, payload_size;
	uint8_t ip_version, ip_proto;
	bool has_checksum;
};

/*
 * Begins with a frame of `size` bytes, each of whose segments is to fit into `room`. A payload of gso.size or less
 * makes one segment. 0, or, with *ret untouched:
 * - -EINVAL: gso.size is 0, GSO_BY_FRAGS (0xffff), below SEGMENT_TCP_MIN, or makes more than SEGMENT_UDP_MAX.
 * - -EPROTONOSUPPORT: not TCP or UDP over IPv4 or IPv6, or behind more tags than bpf/csum.h looks through.
 * - -EPFNOSUPPORT: a tunnel's.
 * - -EOPNOTSUPP: not to be parted: a fragment, authenticated (AH), or with a routing header that goes on, so that the
 *   checksum means another address than the IP header's.
 * - -EBADMSG: a header is not whole, or contradicts itself.
 * - -EMSGSIZE: the length in IP or UDP is not what there is.
 * - -ENOBUFS: a segment would not fit.
 */
int segment_begin(
	const uint8_t *frame, uint32_t size, const struct segment_gso *gso, uint32_t room, struct segment *ret);

/* Writes the next segment and returns its size; 0: there is none left. */
uint32_t segment_next(struct segment *s, uint8_t *buf);

/*
 * Finishes the TCP or UDP checksum of a frame that needs no parting, if it is unfinished: its field holds the sum of
 * the pseudo header. As bpf/csum.h does (S2, S3): a right checksum stays as it is, and where there is none that can be
 * read (fragments, tunnels, a header that is not whole) nothing is done. Returns whether it was finished.
 */
bool segment_finish_checksum(uint8_t *frame, uint32_t size);

#endif
