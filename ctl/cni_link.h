/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cni_link.h - the veth pair of a container: made, given addresses and routes, looked at, removed.
 *
 * The container's end is made in its namespace, never moved there, so that no name of the host's is taken in passing
 * and a crash leaves a whole pair or none. Nothing is run inside: all goes by sockets made in the namespace (netns.h).
 *
 * The daemon, too, switches on GRO at the container's end, where it finds the namespace; a runtime may keep it where no
 * name and no process leads to it yet, and without GRO no redirected frame arrives. So it is done here, where the
 * namespace is open. Checksum offload stays: the switch completes checksums (`checksums_completed` of `port show`).
 */
#ifndef CTL_CNI_LINK_H
#define CTL_CNI_LINK_H

#include "ctl/cni.h"

struct cni_plan;

/* The two ends, as they are. */
struct cni_link {
	uint32_t inside_ifindex;
	uint8_t host_mac[6], inside_mac[6];
};

enum cni_code cni_link_make(
	const struct cni_request *request, int netns_fd, struct cni_link *ret, struct cni_error *error);
/* A pair that is not there is removed already. */
enum cni_code cni_link_remove(const char *port, struct cni_error *error);

enum cni_code cni_link_configure(
	const struct cni_link *link, int netns_fd, const struct cni_plan *plan, struct cni_error *error);

/* CHECK: the pair is there, joined and up, with the MTU that was asked for and what the plan says. */
enum cni_code cni_link_verify(const struct cni_request *request, int netns_fd, const struct cni_plan *plan,
	struct cni_link *ret, struct cni_error *error);

#endif
