/* SPDX-License-Identifier: BSD-2-Clause */
#include "orders.h"

#include <stdbool.h>
#include <string.h>
#include "frame.h"

#define OF_VERSION  4
#define NO_BUFFER   0xffffffffu
#define ANY         0xffffffffu
#define PORT_NORMAL 0xfffffffau
#define ALL_TABLES  0xff
#define NO_MAX_LEN  0xffff

/* OFPXMT_OFB_*, OF 1.3.5 §7.2.3.7 */
enum field {
	IN_PORT = 0,
	ETH_TYPE = 5,
	VLAN_VID = 6,
	IP_DSCP = 8,
	IP_ECN = 9,
	IP_PROTO = 10,
	IPV4_SRC = 11,
	IPV4_DST = 12,
	UDP_SRC = 15,
	UDP_DST = 16
};

/* Writes big-endian numbers one after the other. */
struct pen {
	uint8_t *begin, *at;
};

static void number(struct pen *pen, uint64_t value, int n_bytes)
{
	while (n_bytes--)
		*pen->at++ = value >> (8 * n_bytes);
}

static void zeros(struct pen *pen, size_t n)
{
	memset(pen->at, 0, n);
	pen->at += n;
}

static struct pen start(uint8_t *out, enum order_type type, uint32_t xid)
{
	struct pen pen = {out, out};

	number(&pen, OF_VERSION, 1);
	number(&pen, type, 1);
	number(&pen, 0, 2);
	number(&pen, xid, 4);
	return pen;
}

static size_t finish(struct pen *pen)
{
	const size_t size = pen->at - pen->begin;

	pen->begin[2] = size >> 8;
	pen->begin[3] = size;
	return size;
}

static void oxm(struct pen *pen, enum field field, uint32_t value, int n_bytes)
{
	number(pen, 0x8000, 2);
	number(pen, field << 1, 1);
	number(pen, n_bytes, 1);
	number(pen, value, n_bytes);
}

static void masked(struct pen *pen, enum field field, uint32_t value, uint32_t mask, int n_bytes)
{
	number(pen, 0x8000, 2);
	number(pen, field << 1 | 1, 1);
	number(pen, 2 * n_bytes, 1);
	number(pen, value, n_bytes);
	number(pen, mask, n_bytes);
}

static uint8_t *begin_match(struct pen *pen)
{
	uint8_t *match = pen->at;

	number(pen, 1, 2);
	number(pen, 0, 2);
	return match;
}

static void end_match(struct pen *pen, uint8_t *match)
{
	const size_t size = pen->at - match;

	match[2] = size >> 8;
	match[3] = size;
	zeros(pen, (8 - size % 8) % 8);
}

static void apply_output(struct pen *pen, uint32_t port)
{
	number(pen, 4, 2);
	number(pen, 24, 2);
	zeros(pen, 4);
	number(pen, 0, 2);
	number(pen, 16, 2);
	number(pen, port, 4);
	number(pen, NO_MAX_LEN, 2);
	zeros(pen, 6);
}

static void goto_table(struct pen *pen, uint8_t table)
{
	number(pen, 1, 2);
	number(pen, 8, 2);
	number(pen, table, 1);
	zeros(pen, 3);
}

static struct pen start_flow_mod(
	uint8_t *out, uint32_t xid, uint8_t table, enum order_command command, uint16_t priority)
{
	struct pen pen = start(out, ORDER_FLOW_MOD, xid);

	zeros(&pen, 16); /* cookie and its mask */
	number(&pen, table, 1);
	number(&pen, command, 1);
	zeros(&pen, 4); /* no timeouts */
	number(&pen, priority, 2);
	number(&pen, NO_BUFFER, 4);
	number(&pen, ANY, 4);
	number(&pen, ANY, 4);
	zeros(&pen, 4);
	return pen;
}

size_t order_hello(uint8_t *out)
{
	struct pen pen = start(out, ORDER_HELLO, 0);

	number(&pen, 1, 2);
	number(&pen, 8, 2);
	number(&pen, 1 << OF_VERSION, 4);
	return finish(&pen);
}

size_t order_echo(uint8_t *out, uint32_t xid)
{
	struct pen pen = start(out, ORDER_ECHO_REQUEST, xid);

	return finish(&pen);
}

size_t order_barrier(uint8_t *out, uint32_t xid)
{
	struct pen pen = start(out, ORDER_BARRIER_REQUEST, xid);

	return finish(&pen);
}

size_t order_flow_mod(uint8_t *out, uint32_t xid, const struct order_rule *rule)
{
	struct pen pen = start_flow_mod(out, xid, 0, rule->command, rule->priority);
	uint8_t *match = begin_match(&pen);

	oxm(&pen, ETH_TYPE, 0x0800, 2);
	oxm(&pen, IP_PROTO, 17, 1);
	oxm(&pen, IPV4_SRC, rule->src, 4);
	oxm(&pen, IPV4_DST, rule->dst, 4);
	oxm(&pen, UDP_SRC, rule->udp_src, 2);
	oxm(&pen, UDP_DST, rule->udp_dst, 2);
	end_match(&pen, match);
	if (rule->command == ORDER_ADD)
		apply_output(&pen, rule->out_port);
	return finish(&pen);
}

size_t order_clear(uint8_t *out, uint32_t xid)
{
	struct pen pen = start_flow_mod(out, xid, ALL_TABLES, ORDER_DELETE, 0);

	end_match(&pen, begin_match(&pen));
	return finish(&pen);
}

size_t order_dump(uint8_t *out, uint32_t xid)
{
	struct pen pen = start(out, ORDER_MULTIPART_REQUEST, xid);

	number(&pen, 1, 2); /* OFPMP_FLOW */
	zeros(&pen, 6);
	number(&pen, ALL_TABLES, 1);
	zeros(&pen, 3);
	number(&pen, ANY, 4);
	number(&pen, ANY, 4);
	zeros(&pen, 4 + 16);
	end_match(&pen, begin_match(&pen));
	return finish(&pen);
}

/* Every frame of the generator, in both directions, matches each of them. */
static void stage_match(struct pen *pen, uint8_t table)
{
	if (table % 9 != 1)
		oxm(pen, ETH_TYPE, 0x0800, 2);
	switch (table % 9) {
	case 1:
		oxm(pen, VLAN_VID, 0, 2);
		break;
	case 2:
		oxm(pen, IP_PROTO, 17, 1);
		break;
	case 3:
		masked(pen, IPV4_SRC, 10u << 24, 0xffu << 24, 4);
		break;
	case 4:
		masked(pen, IPV4_DST, 10u << 24, 0xffu << 24, 4);
		break;
	case 5:
		oxm(pen, IP_DSCP, 0, 1);
		break;
	case 6:
		oxm(pen, IP_ECN, 0, 1);
		break;
	case 7:
		oxm(pen, IP_PROTO, 17, 1);
		oxm(pen, UDP_DST, 9, 2);
		break;
	case 8:
		masked(pen, IPV4_DST, 10u << 24 | 2u << 16, 0xffffu << 16, 4);
		break;
	}
}

size_t order_stage(uint8_t *out, uint32_t xid, uint8_t table, uint8_t n_tables)
{
	struct pen pen = start_flow_mod(out, xid, table, ORDER_ADD, 100);
	uint8_t *match = begin_match(&pen);
	const bool last = table + 1 == n_tables;

	if (!last)
		stage_match(&pen, table);
	end_match(&pen, match);
	if (last)
		apply_output(&pen, PORT_NORMAL);
	else
		goto_table(&pen, table + 1);
	return finish(&pen);
}

struct order_rule order_rule_of_flow(uint32_t i, uint32_t n_flows)
{
	const uint32_t src_bits = bench_src_bits(n_flows), src = i & ((1u << src_bits) - 1), dst = i >> src_bits;

	return (struct order_rule){
		.command = ORDER_ADD,
		.priority = 1000,
		.src = 10u << 24 | 1u << 16 | src,
		.dst = 10u << 24 | 2u << 16 | dst,
		.udp_src = 1024 + (i & 0x3fff),
		.udp_dst = 9,
		.out_port = 2,
	};
}
