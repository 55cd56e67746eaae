/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel_lab.h - a place to try the kernel backend in: a network and a mount namespace that end with the test.
 *
 *	A0 ===veth=== A1      the switch's end is X0, the test plays the guest on X1 with a packet socket
 *	B0 ===veth=== B1
 *	...
 *
 * The reactor is a table and poll(). Frames are of EtherType 0x88b5 (local experiments) and carry a number.
 */
#ifndef KERNEL_LAB_H
#define KERNEL_LAB_H

#include "dataplane/complaint.h"
#include "dataplane/datapath.h"
#include "dataplane/fdb.h"
#include "dataplane/reactor.h"

#define LAB_PORTS   24
#define LAB_TYPE    0x88b5
#define LAB_BPFFS   "/sys/fs/bpf/hk/run"
#define LAB_N_FLOWS 1024
#define LAB_BRIDGE  1

struct lab {
	struct reactor reactor;
	struct dp_events events;
	struct datapath *dp;
	unsigned n_waiting, n_graces;
	int guests[LAB_PORTS]; /* packet sockets on X1 */
	uint32_t ifindex[LAB_PORTS];
	uint32_t next_slot;
};

/* Exits with a skip where the privilege is missing. */
void lab_need_privilege(void);
/* AF_XDP multi-buffer: Linux 6.6. */
bool lab_has_multi_buffer(void);
/* Enters namespaces of its own. */
void lab_enter(struct lab *lab);
/* A command for the shell; fails the test when it fails. */
void lab_sh(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A veth pair for port `i` (0 is A). */
void lab_wire(struct lab *lab, int i, int mtu, int queues);
void lab_open(struct lab *lab);
int lab_try_open(struct lab *lab, struct complaint *c);
void lab_close(struct lab *lab, bool forget);
/* Makes X0 a port with id i + 1. */
void lab_port(struct lab *lab, int i, uint32_t max_frame, uint32_t n_queues);
struct dp_port lab_port_record(const struct lab *lab, int i, uint32_t max_frame, uint32_t n_queues);

/* Of the pinned link by which the program sits on X0; 0: none. */
unsigned lab_link_id(struct lab *lab, int i);

/* Runs the reactor for so long. */
void lab_run(struct lab *lab, int ms);

/* A frame from guest `from` to guest `to` (-1: broadcast) with a number; its size. */
uint32_t lab_frame(uint8_t *frame, int from, int to, uint32_t number, uint32_t size);
void lab_send(struct lab *lab, int i, const void *frame, uint32_t size);
/* Waits up to ms for a frame at the guest; its size, or 0. */
uint32_t lab_receive(struct lab *lab, int i, void *frame, uint32_t room, int ms);
uint32_t lab_number(const void *frame);
/* Frames that arrive at the guest until none has for `ms`. */
unsigned lab_count(struct lab *lab, int i, int ms);
/* Runs the reactor until a frame of ours came up; false: none within a second. */
bool lab_rx(struct lab *lab, struct dp_frame *ret);

/* Publishes a flow: what comes in by port `i` meets this step. Its slot. */
uint32_t lab_flow(struct lab *lab, int i, enum sw_op op, uint32_t arg);
/* The same for NORMAL on bridge LAB_BRIDGE in VLAN 0, that has no flood but a drop for SW_DROP_NO_OUTPUT. */
uint32_t lab_normal(struct lab *lab, int i);
/* The FDB in the datapath's memory. What it settles leaves by its port as it came. */
struct fdb *lab_fdb(struct lab *lab);
/* The key of a guest's address there. */
struct fdb_key lab_address(int i);
uint64_t lab_drops(struct lab *lab, uint16_t port, enum sw_drop reason);

#endif
