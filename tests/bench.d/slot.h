/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slot.h - the place of a device's XDP program, in which another program can stand in for a while.
 *
 * What: whoever owns the port under test (a switch with its bpf_link, another with its netlink attachment, nobody at
 * all) keeps everything else as it is, while its program is replaced by a yardstick and put back. So both are measured
 * on the same two devices within a second of each other.
 * Why: setting up each candidate anew for every round takes seconds (100,000 flows are to be learnt), and a shared
 * machine's speed drifts by more than the differences to be seen.
 */
#ifndef BENCH_SLOT_H
#define BENCH_SLOT_H

#include <stdbool.h>

struct slot {
	int ifindex;
	int own_fd;  /* the owner's program, or -1 when the device has none */
	int link_fd; /* the link that holds it, or -1 when it was attached by netlink */
	bool replaced;
};

/* Looks up who has the device, in the calling thread's network namespace. 0 or -errno. */
int slot_open(const char *device, struct slot *ret_slot);

/* Puts the owner's program back if another stands in. */
void slot_close(struct slot *slot);

/* From now on the device runs program prog_fd; with slot->own_fd, the owner's (or none). 0 or -errno. */
int slot_put(struct slot *slot, int prog_fd);

/* Whether the device runs the program that was put last; the owner may have taken it back. */
bool slot_holds(const struct slot *slot, int prog_fd);

#endif
