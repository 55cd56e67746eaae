/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * News of receive queues: a tap gets and loses them as its guest switches them on, and a NIC by `ethtool -L`, of which
 * rtnetlink says nothing. The kernel's uevents do: ACTION@/devices/.../net/NAME/queues/rx-N, in the device's namespace.
 */
#include "dataplane/netdev_reader.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define KERNEL_GROUP  1 /* group 2 is udev's */
#define EVENT_SIZE    8192
#define HEARING_BYTES 1048576

int netdev_uevent_open(int *ret_fd)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = KERNEL_GROUP};
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
	int bytes = HEARING_BYTES;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		int error = -errno;

		close(fd);
		return error;
	}
	*ret_fd = fd;
	return 0;
}

/* The device in ".../net/NAME/queues/rx-N". Queue 0 is always there, and its coming is the device's. */
static bool parse(const char *event, char *ret_name)
{
	const char *queue = strstr(event, "/queues/rx-"), *name;
	size_t size;

	if (!queue || strcmp(queue, "/queues/rx-0") == 0)
		return false;
	name = memrchr(event, '/', (size_t)(queue - event));
	if (!name)
		return false;
	size = (size_t)(queue - ++name);
	if (!size || size >= SW_NAME_SIZE)
		return false;
	memcpy(ret_name, name, size);
	ret_name[size] = '\0';
	return true;
}

int netdev_uevent_next(int fd, char *ret_name)
{
	char event[EVENT_SIZE];

	for (;;) {
		struct sockaddr_nl sender = {.nl_pid = 1};
		socklen_t sender_size = sizeof(sender);
		ssize_t size = recvfrom(fd, event, sizeof(event) - 1, 0, (struct sockaddr *)&sender, &sender_size);

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return -errno;
		event[size] = '\0';
		if (sender.nl_pid == 0 && parse(event, ret_name)) /* the kernel, not a process */
			return 0;
	}
}
