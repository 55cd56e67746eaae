/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * orders.h - the OpenFlow 1.3 messages that the benchmark sends.
 *
 * Each function writes one message to `out`, which has room for ORDER_MAX_SIZE, and gives its size. Rules are those of
 * the benchmark's frames (frame.h).
 */
#ifndef BENCH_ORDERS_H
#define BENCH_ORDERS_H

#include <stddef.h>
#include <stdint.h>
#include "frame.h"

#define ORDER_MAX_SIZE 256

/* OFPT_*, OF 1.3.5 §7.1 */
enum order_type {
	ORDER_HELLO = 0,
	ORDER_ERROR = 1,
	ORDER_ECHO_REQUEST = 2,
	ORDER_ECHO_REPLY = 3,
	ORDER_FLOW_MOD = 14,
	ORDER_GROUP_MOD = 15,
	ORDER_MULTIPART_REQUEST = 18,
	ORDER_MULTIPART_REPLY = 19,
	ORDER_BARRIER_REQUEST = 20,
	ORDER_METER_MOD = 29,
};

/* OFPFC_* */
enum order_command { ORDER_ADD = 0, ORDER_DELETE = 3, ORDER_DELETE_STRICT = 4 };

/* What a rule looks at. */
enum order_scope {
	ORDER_TUPLE, /* the 5-tuple of a packet */
	ORDER_PORT,  /* nothing but that a frame comes in by port 1 */
};

struct order_rule {
	enum order_command command;
	uint16_t priority;
	enum order_scope scope;
	enum bench_packet packet;
	uint32_t src, dst; /* IPv4, host byte order; IPv6: the low 16 bits, see frame.h */
	uint16_t l4_src, l4_dst;

	/* What is done: through the meter if not 0, rewritten if nat_src is not 0, to the group if not 0, else out. */
	uint32_t meter;
	uint32_t nat_src;
	uint16_t nat_l4_src;
	uint32_t group;
	uint32_t out_port;
};

size_t order_hello(uint8_t *out);
size_t order_echo(uint8_t *out, uint32_t xid);
size_t order_barrier(uint8_t *out, uint32_t xid);
size_t order_flow_mod(uint8_t *out, uint32_t xid, const struct order_rule *rule);
/* Every flow of every table. */
size_t order_clear(uint8_t *out, uint32_t xid);
/* The description and counters of every flow. */
size_t order_dump(uint8_t *out, uint32_t xid);

/* Group 1: select, a bucket of weight 1 for each of so many ports, from first_port on; at most 4. */
size_t order_select_group(uint8_t *out, uint32_t xid, uint32_t first_port, int n_ports);
/* Meter 1: a band that drops what no link here can bring, and counts all the same. */
size_t order_generous_meter(uint8_t *out, uint32_t xid);

/*
 * The rules that take masks, see frame.h. Table 0 has the prefixes of the destination and table 1 those of the source;
 * 0 when there is no rule of that number any more.
 */
size_t order_masks(uint8_t *out, uint32_t xid, uint32_t number);

/*
 * Access lists of table 0, whose last rules let through what comes in by port 1, to port 2, and what comes by port 3,
 * to port 4; the rest has no rule. Of ORDER_ACL_FIELDS each of four rules names one field, exactly: a frame that is in
 * none of them is known by as many bits of each as it has in common with the rule, and one more. ORDER_ACL_EXACT looks
 * at every bit of both addresses, so that each pair of them is a flow. 0 when there is no rule of that number any more.
 */
enum order_acl { ORDER_ACL_FIELDS, ORDER_ACL_EXACT, ORDER_N_ACLS };
size_t order_acl(uint8_t *out, uint32_t xid, enum order_acl acl, uint32_t number);

/* Table `table` of n_tables: a match on a field of its own, then the next table; the last one is NORMAL. */
size_t order_stage(uint8_t *out, uint32_t xid, uint8_t table, uint8_t n_tables);

/*
 * The rule of flow number i of n_flows, as the generator numbers them when addresses and ports tell flows apart: out of
 * port 2.
 */
struct order_rule order_rule_of_flow(uint32_t i, uint32_t n_flows, enum bench_packet packet);

#endif
