/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netns.h - other network namespaces: finding them, and speaking to the kernel inside them.
 *
 * What: the kernel names the namespace of a veth's peer by a number (nsid) that means something in our namespace only.
 * To work there we need a path: a name below /run/netns, or a process that lives in it.
 *
 * Why not hold what was found: an open descriptor keeps a namespace alive, with the devices of a container that died
 * long ago. So only paths are remembered, for a second at most, and checked against the nsid when they are opened.
 *
 * Invariants
 * N1 Outside these calls the thread is in the namespace that it started in. If it cannot come back the process ends:
 *    everything it did from then on would be done to the wrong devices.
 * N2 No namespace is kept alive between calls: a socket made for one is to be closed soon.
 *
 * Cost: a scan looks at every process; it is repeated for an nsid that was not found, but a storm of those costs at
 * most 200 ms, and then a twentieth of the time. Safe error: not finding a namespace. Unsafe error: another one (its
 * number can be recycled: see above).
 *
 * Concurrency: one thread, whose namespace alone is changed, and only to make a socket.
 */
#ifndef DATAPLANE_NETNS_H
#define DATAPLANE_NETNS_H

#include <stdint.h>

struct complaint;

/* A socket in the namespace behind netns_fd (-1: our own); close-on-exec. 0 or -errno. */
int netns_socket(int netns_fd, int domain, int type, int protocol, int *ret_fd);

/* The namespace that ours knows by `nsid`. -ENOENT: no name and no process leads to it. The caller closes it (N2). */
int netns_find(int32_t nsid, int *ret_fd);

/* The namespace /run/netns/NAME. -ENOENT and others with a complaint. The caller closes it (N2). */
int netns_open(const char *name, int *ret_fd, struct complaint *c);

/* The namespace at any path. -EINVAL: something else is there. The caller closes it (N2). */
int netns_open_path(const char *path, int *ret_fd);

#endif
