/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * preflight.h - whether a device can be a port, before anything is done to it.
 *
 * What: the checks are rows of one table in preflight.c, looked at in order; the first that objects names the thing at
 * fault and what to do about it. Pure: all it knows is in `info`, so that each refusal is tested without the device.
 *
 * Why, as the kernel checks too when a program is attached: it says less (a bpf_link hides the driver's reason
 * altogether), it says it late, and of a host's only uplink it says nothing.
 *
 * Safe error: letting pass what the kernel then refuses. Unsafe error: refusing what would have worked. So what a
 * driver can do is the kernel's word where it has one, else that of the table in driver.h, which is silent where it
 * does not know.
 *
 * What works, but worse than it could, or cuts this host off, is advice: said, and let pass.
 */
#ifndef DATAPLANE_PREFLIGHT_H
#define DATAPLANE_PREFLIGHT_H

#include "dataplane/netdev.h"
#include "dataplane/vswitch.h"

struct preflight_wish {
	bool force; /* take it although a default route leaves by it */
	enum port_mode_wish mode;
	enum dp_hook hook;
	uint32_t n_cpus; /* that this host may have; 0: not known */
};

/*
 * 0, or -errno with a complaint. A program of the switch itself on the device is no other owner: the caller clears
 * info->xdp_prog_id. rx-vlan offload that can be switched off is let pass: the caller switches it off.
 */
int preflight(const struct netdev_info *info, const struct preflight_wish *wish, struct complaint *c);

/*
 * What its driver could do better, and what helps, in sentences that follow one another; "": nothing. Of a device on
 * which no program of the switch is yet: one that has one shows the queues that this took.
 */
#define PREFLIGHT_ADVICE_SIZE 800
void preflight_advise(
	const struct netdev_info *info, const struct preflight_wish *wish, char ret[PREFLIGHT_ADVICE_SIZE]);
/* That this host has its own address there, which a port takes no frame to; "": it has none. */
void preflight_address(const struct netdev_info *info, char ret[PREFLIGHT_ADVICE_SIZE]);

#endif
