/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_ofbridge.h - a double of a bridge (dataplane/ofbridge.h) for tests of what speaks OpenFlow.
 *
 * Tables, groups and meters are the real ones; ports are what the test says, frames go nowhere, the clock is the
 * test's. What the agent asked for is remembered.
 */
#ifndef TESTS_FAKE_OFBRIDGE_H
#define TESTS_FAKE_OFBRIDGE_H

#include "dataplane/ofbridge.h"

#define FAKE_PORTS_MAX 64
#define FAKE_FRAME_MAX 65536
#define FAKE_DPID      0x0000123456789abcull

struct fake_asked {
	uint32_t n_packet_outs;
	uint32_t out_in_port, out_n_actions, out_size;
	struct action out_action; /* the first */
	uint8_t out_frame[FAKE_FRAME_MAX];
	uint32_t n_refreshes, n_rule_refreshes;
	uint32_t n_port_mods, port_config, port_mask;
	uint32_t n_standalone; /* calls */
	bool standalone;
};

struct ofbridge *fake_ofbridge_create(void);
void fake_ofbridge_free(struct ofbridge *b);

/* Ports are told of in order of their numbers. */
void fake_ofbridge_port(struct ofbridge *b, uint32_t number, const char *name);
void fake_ofbridge_set_now(struct ofbridge *b, uint64_t now_ns);
/* The clock goes on by so much with each flow-mod. */
void fake_ofbridge_slow(struct ofbridge *b, uint64_t flow_mod_ns);
struct fake_asked *fake_ofbridge_asked(struct ofbridge *b);
/* What a packet-out is answered with; OF_OK at first. */
void fake_ofbridge_refuse(struct ofbridge *b, enum of_err error);
/* Rules that are due go. */
void fake_ofbridge_expire(struct ofbridge *b);

/* Events. A frame's bytes count upwards from 0. Returns whether somebody took it. */
bool fake_ofbridge_packet_in(
	struct ofbridge *b, enum packet_in_reason reason, uint16_t max_len, uint32_t in_port, uint32_t size);
/* With that source address's last byte. */
bool fake_ofbridge_packet_in_of(struct ofbridge *b, uint8_t flow, uint16_t max_len, uint32_t size);
void fake_ofbridge_port_change(struct ofbridge *b, enum port_change change, uint32_t number);

#endif
