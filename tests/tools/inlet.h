/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inlet.h - a packet socket on a device of another network namespace, that shows frames as they were on the wire.
 *
 * The kernel takes the outermost VLAN tag out of a frame before a packet socket sees it, and leaves it in the message's
 * auxiliary data; an inlet puts it back.
 */
#ifndef TEST_INLET_H
#define TEST_INLET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A socket on NETNS:DEVICE ("-" or nothing before the colon: the caller's namespace). Its descriptor, or -errno. */
int inlet_open(const char *place);

/* Sends one frame. 0 or -errno. */
int inlet_send(int fd, const void *frame, size_t size);

/* A frame that the device received (not sent), into a buffer of `room` bytes: its size, 0 if none is there, -errno. */
ssize_t inlet_receive(int fd, uint8_t *frame, size_t room);

/* Frames that came and found the socket full, since the last call. */
unsigned inlet_overruns(int fd);

#endif
