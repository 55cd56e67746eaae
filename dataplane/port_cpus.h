/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port_cpus.h - over which CPUs a port is spread, of those that it is to be spread over.
 *
 * Who asks for CPUs that the machine does not have is refused. But a configuration may have come from a machine that
 * had more, or one may be taken out of use later: then the port has those that are there, and says what it lacks. It is
 * looked at again whenever there is news of its device.
 */
#ifndef DATAPLANE_PORT_CPUS_H
#define DATAPLANE_PORT_CPUS_H

#include "dataplane/cpu_list.h"

struct complaint;

/* -EINVAL with a complaint: not all of them are there. */
int port_cpus_check(const struct cpu_list *wanted, struct complaint *c);

/*
 * can_spread: the kernel can spread this port's frames. `why` gets what is missing, "" where nothing is.
 */
void port_cpus_choose(const struct cpu_list *wanted, bool can_spread, struct cpu_list *ret, char *why, size_t why_size);

#endif
