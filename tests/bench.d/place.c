/* SPDX-License-Identifier: BSD-2-Clause */
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <net/if.h>

int place_home(void)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int place_enter(const struct place *place, uint32_t *ret_ifindex)
{
	char path[128];
	int fd, err = 0;

	snprintf(path, sizeof(path), "/run/netns/%s", place->netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (setns(fd, CLONE_NEWNET))
		err = -errno;
	close(fd);
	if (err)
		return err;
	*ret_ifindex = if_nametoindex(place->device);
	return *ret_ifindex ? 0 : -errno;
}

void place_leave(int home_fd)
{
	if (setns(home_fd, CLONE_NEWNET))
		abort();
	close(home_fd);
}
