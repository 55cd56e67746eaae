/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cni_port.h - a container's port in the running switchd, by its control socket.
 *
 * A bridge that an ADD made is taken away again if the ADD fails and nobody else has a port on it. `bridge del` takes
 * the ports with it, so between that look and the removal no other ADD may come: those that may make bridges
 * (`createBridge`) hold a lock from the making of the bridge to their end.
 */
#ifndef CTL_CNI_PORT_H
#define CTL_CNI_PORT_H

#include "ctl/cni.h"

struct cni_port {
	struct client *client;
	int lock_fd;      /* -1: not held */
	bool made_bridge; /* by us, and not yet for good */
	bool added;
};

/* CNI_TRY_LATER: no daemon answers. */
enum cni_code cni_port_open(const struct cni_request *request, struct cni_port *ret, struct cni_error *error);
void cni_port_close(struct cni_port *port);

/* The bridge, if it is to be made, and the port; returns when frames pass. */
enum cni_code cni_port_add(const struct cni_request *request, struct cni_port *port, struct cni_error *error);
/* What cni_port_add() did, also a part of it. */
void cni_port_undo(const struct cni_request *request, struct cni_port *port);

/* From whatever bridge it is on. One that is not there is removed already. */
enum cni_code cni_port_remove(const struct cni_request *request, struct cni_port *port, struct cni_error *error);
/* No daemon answers: whether the next one would have the port again. */
bool cni_port_is_kept(const struct cni_request *request);

/* CHECK: on its bridge, with its VLANs, up. */
enum cni_code cni_port_verify(const struct cni_request *request, struct cni_port *port, struct cni_error *error);

#endif
