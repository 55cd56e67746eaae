/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loan.h - what is changed of a device so that it can be a port, and how it is given back.
 *
 * A switch must see every frame as it was on the wire: whoever it is for (promiscuous; a NIC filters), with its tag
 * (rx-vlan offload takes it off), and one at a time (LRO and hardware GRO make one frame of several, which no redirect
 * can send on). A change is noted before it is made, by the caller, where a crash does not reach the note: what was
 * noted and not made is given back all the same, and is then as it was.
 *
 * Safe error: leaving a device promiscuous. Unsafe error: giving back what its owner has set himself; so only what was
 * otherwise when the device was taken is noted. What he sets the same way meanwhile cannot be told from ours.
 */
#ifndef DATAPLANE_LOAN_H
#define DATAPLANE_LOAN_H

#include <stdint.h>

struct netdev_info;

/* Bits SW_REG_PROMISCUOUS, … of bpf/abi.h: what differs from what a port needs, and can be changed. */
uint32_t loan_changes(const struct netdev_info *info);
/* Makes them; what fails is logged, for `port`. */
void loan_take(const struct netdev_info *info, uint32_t changes, const char *port);
/* Takes them back. A device that is not in this namespace any more is left alone. */
void loan_return(uint32_t ifindex, uint32_t changes, const char *port);

#endif
