/* SPDX-License-Identifier: BSD-2-Clause */
/* place.h - a device in a network namespace that has a name. */
#ifndef BENCH_PLACE_H
#define BENCH_PLACE_H

#include <stdint.h>

struct place {
	const char *netns; /* as in /run/netns */
	const char *device;
};

/* The thread's own namespace, to go home to from others. A descriptor, or -errno. */
int place_home(void);

/* The thread is in the place's namespace from now on, also when the device is not there. 0 or -errno. */
int place_enter(const struct place *place, uint32_t *ret_ifindex);

/* The thread is home again, and the descriptor closed; or the process ends, for nothing it does after that is right. */
void place_leave(int home_fd);

#endif
