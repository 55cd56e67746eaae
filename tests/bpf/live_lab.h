/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * live_lab.h - the shipped program on real devices.
 *
 *	q1 ==== p1 [ the program ] p2 ==== q2
 *	                           p3 ==== q3
 *
 * All six are veth ends in a network namespace of this process, which takes them with it. Frames are put into q1 and
 * taken from all with packet sockets. Ports 1 to 3 are set SET; VLAN 10 leaves port 2 without a tag.
 */
#ifndef LIVE_LAB_H
#define LIVE_LAB_H

#include <check.h>
#include "fixture.h"
#include "packet.h"

#define N_PORTS 3
#define SET     5

extern struct fixture f;
extern uint32_t p_ifindex[N_PORTS + 1], q_ifindex[N_PORTS + 1];

/* A command that succeeds. */
__attribute__((format(printf, 1, 2))) void sh(const char *format, ...);

/* No flows, a mask of device, VLAN and destination, and the program on p1, in generic mode or not. */
void setup(int generic);
/* A flow for frames like this one that come in by p1; its slot. */
uint32_t put(const struct packet *p, uint8_t flags, const struct sw_step *steps, unsigned int n);

void put_frame(const struct packet *p);
/* 1 if a frame came within timeout_ms. */
int take_frame(int port, struct packet *ret, int timeout_ms);
void check_arrives(int port, const struct packet *expected);
void check_silence(int port);
/* Frames are counted a little after they are sent: n drops at this port, for this reason, and no other. */
void check_drop(uint32_t port_id, enum sw_drop reason, uint64_t n);
/* Five frames while something is so, by a command before and one after, and n_drops of them all. */
void put_five_while(const struct packet *p, const char *hindered, const char *mended, uint64_t n_drops);

/* Makes the namespace and the devices, loads the program, runs the suite; the exit status. */
int live_main(Suite *suite);

#endif
