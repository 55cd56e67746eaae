/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/supervisor.h"

#include "dataplane/log.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* 0: neither a path nor an abstract name, or too long for one. */
static socklen_t address_of(const char *name, struct sockaddr_un *ret)
{
	size_t size = strlen(name);

	if ((name[0] != '/' && name[0] != '@') || size >= sizeof(ret->sun_path))
		return 0;
	memset(ret, 0, sizeof(*ret));
	ret->sun_family = AF_UNIX;
	memcpy(ret->sun_path, name, size);
	if (name[0] == '@')
		ret->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
}

void supervisor_tell(const char *state)
{
	const char *name = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address;
	socklen_t size;
	int fd;

	if (!name || !*name)
		return;
	size = address_of(name, &address);
	if (!size) {
		log_warn("NOTIFY_SOCKET=%s is no name of a socket: nobody is told %s", name, state);
		return;
	}
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, size) < 0)
		log_warn("cannot tell %s that %s: %s", name, state, strerror(errno));
	if (fd >= 0)
		close(fd);
}
