/* SPDX-License-Identifier: BSD-2-Clause */
#include "orders.h"

#include <stdbool.h>
#include <string.h>

#define OF_VERSION  4
#define NO_BUFFER   0xffffffffu
#define ANY         0xffffffffu
#define PORT_NORMAL 0xfffffffau
#define ALL_TABLES  0xff
#define METER_RATE  2000000000 /* frames a second */
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
	TCP_SRC = 13,
	TCP_DST = 14,
	UDP_SRC = 15,
	UDP_DST = 16,
	IPV6_SRC = 26,
	IPV6_DST = 27,
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

static void oxm_header(struct pen *pen, enum field field, int n_bytes)
{
	number(pen, 0x8000, 2);
	number(pen, field << 1, 1);
	number(pen, n_bytes, 1);
}

static void oxm(struct pen *pen, enum field field, uint32_t value, int n_bytes)
{
	oxm_header(pen, field, n_bytes);
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

static void output(struct pen *pen, uint32_t port)
{
	number(pen, 0, 2);
	number(pen, 16, 2);
	number(pen, port, 4);
	number(pen, NO_MAX_LEN, 2);
	zeros(pen, 6);
}

static void set_field(struct pen *pen, enum field field, uint32_t value, int n_bytes)
{
	const size_t size = 4 + 4 + n_bytes, padding = (8 - size % 8) % 8;

	number(pen, 25, 2);
	number(pen, size + padding, 2);
	oxm(pen, field, value, n_bytes);
	zeros(pen, padding);
}

static void to_group(struct pen *pen, uint32_t group)
{
	number(pen, 22, 2);
	number(pen, 8, 2);
	number(pen, group, 4);
}

/* Begins an apply-actions instruction; its size is written when it ends. */
static uint8_t *begin_apply(struct pen *pen)
{
	uint8_t *instruction = pen->at;

	number(pen, 4, 2);
	zeros(pen, 6);
	return instruction;
}

static void end_apply(struct pen *pen, uint8_t *instruction)
{
	const size_t size = pen->at - instruction;

	instruction[2] = size >> 8;
	instruction[3] = size;
}

static void apply_output(struct pen *pen, uint32_t port)
{
	uint8_t *instruction = begin_apply(pen);

	output(pen, port);
	end_apply(pen, instruction);
}

static void through_meter(struct pen *pen, uint32_t meter)
{
	number(pen, 6, 2);
	number(pen, 8, 2);
	number(pen, meter, 4);
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

static void ipv6_address(struct pen *pen, enum field field, uint16_t net, uint32_t host)
{
	oxm_header(pen, field, 16);
	number(pen, 0xfd00u << 16 | net, 4);
	zeros(pen, 10);
	number(pen, host, 2);
}

static void match_tuple(struct pen *pen, const struct order_rule *rule)
{
	const bool tcp = rule->packet == BENCH_TCP4, ipv6 = rule->packet == BENCH_UDP6;

	oxm(pen, ETH_TYPE, ipv6 ? 0x86dd : 0x0800, 2);
	oxm(pen, IP_PROTO, tcp ? 6 : 17, 1);
	if (ipv6) {
		ipv6_address(pen, IPV6_SRC, BENCH_SRC_NET, rule->src);
		ipv6_address(pen, IPV6_DST, BENCH_DST_NET, rule->dst);
	} else {
		oxm(pen, IPV4_SRC, rule->src, 4);
		oxm(pen, IPV4_DST, rule->dst, 4);
	}
	oxm(pen, tcp ? TCP_SRC : UDP_SRC, rule->l4_src, 2);
	oxm(pen, tcp ? TCP_DST : UDP_DST, rule->l4_dst, 2);
}

static void do_rule(struct pen *pen, const struct order_rule *rule)
{
	uint8_t *instruction;

	if (rule->meter)
		through_meter(pen, rule->meter);
	instruction = begin_apply(pen);
	if (rule->nat_src) {
		set_field(pen, IPV4_SRC, rule->nat_src, 4);
		set_field(pen, rule->packet == BENCH_TCP4 ? TCP_SRC : UDP_SRC, rule->nat_l4_src, 2);
	}
	if (rule->group)
		to_group(pen, rule->group);
	else
		output(pen, rule->out_port);
	end_apply(pen, instruction);
}

size_t order_flow_mod(uint8_t *out, uint32_t xid, const struct order_rule *rule)
{
	struct pen pen = start_flow_mod(out, xid, 0, rule->command, rule->priority);
	uint8_t *match = begin_match(&pen);

	if (rule->scope == ORDER_PORT)
		oxm(&pen, IN_PORT, 1, 4);
	else
		match_tuple(&pen, rule);
	end_match(&pen, match);
	if (rule->command == ORDER_ADD)
		do_rule(&pen, rule);
	return finish(&pen);
}

size_t order_select_group(uint8_t *out, uint32_t xid, uint32_t first_port, int n_ports)
{
	struct pen pen = start(out, ORDER_GROUP_MOD, xid);

	number(&pen, 0, 2); /* add */
	number(&pen, 1, 1); /* select */
	zeros(&pen, 1);
	number(&pen, 1, 4);
	for (int i = 0; i < n_ports; i++) {
		number(&pen, 32, 2); /* a bucket, with its action */
		number(&pen, 1, 2);  /* weight */
		number(&pen, ANY, 4);
		number(&pen, ANY, 4);
		zeros(&pen, 4);
		output(&pen, first_port + i);
	}
	return finish(&pen);
}

size_t order_generous_meter(uint8_t *out, uint32_t xid)
{
	struct pen pen = start(out, ORDER_METER_MOD, xid);

	number(&pen, 0, 2);     /* add */
	number(&pen, 2 | 4, 2); /* OFPMF_PKTPS, OFPMF_BURST */
	number(&pen, 1, 4);
	number(&pen, 1, 2); /* drop */
	number(&pen, 16, 2);
	number(&pen, METER_RATE, 4);
	number(&pen, METER_RATE, 4);
	zeros(&pen, 4);
	return finish(&pen);
}

/* Prefixes of one field, the longest first, and a rule for what is in none of them. */
static void prefix(struct pen *pen, enum field field, uint8_t net, int n_bits)
{
	oxm(pen, ETH_TYPE, 0x0800, 2);
	if (n_bits)
		masked(pen, field, 10u << 24 | net << 16, 0xffffffffu << (32 - n_bits), 4);
}

size_t order_masks(uint8_t *out, uint32_t xid, uint32_t number)
{
	const bool is_dst = number <= BENCH_DST_CLASSES;
	const uint32_t rank = is_dst ? number : number - (BENCH_DST_CLASSES + 1);
	const int n_bits = rank ? 16 + rank : 0;
	uint8_t *match;
	struct pen pen;

	if (!is_dst && rank > BENCH_SRC_CLASSES)
		return 0;
	pen = start_flow_mod(out, xid, is_dst ? 0 : 1, ORDER_ADD, 100 + rank);
	match = begin_match(&pen);
	prefix(&pen, is_dst ? IPV4_DST : IPV4_SRC, is_dst ? BENCH_DST_NET : BENCH_SRC_NET, n_bits);
	end_match(&pen, match);
	if (is_dst)
		goto_table(&pen, 1);
	else
		apply_output(&pen, 2);
	return finish(&pen);
}

/* Frames that its first rules name go out of port 2 too. */
struct acl_rule {
	uint16_t in_port, out_port; /* 0: any; 0: none, dropped */
	uint8_t ip_proto;           /* 0: any */
	uint16_t l4_src, l4_dst;
	uint32_t src, dst, address_bits; /* one or both of them, looked at in these bits */
};

#define ACL_HOST(n) (10u << 24 | 9u << 16 | (n))
#define ACL_RULES   6

/* A mask with a hole in front is no prefix, which no trie can cut short. */
static const struct acl_rule acls[ORDER_N_ACLS][ACL_RULES + 1] = {
	[ORDER_ACL_FIELDS] = {{.out_port = 2, .ip_proto = 6, .l4_dst = 80},
		{.out_port = 2, .ip_proto = 6, .l4_src = 12345},
		{.out_port = 2, .src = ACL_HOST(10), .address_bits = 0xffffffff},
		{.out_port = 2, .dst = ACL_HOST(20), .address_bits = 0xffffffff}, {.in_port = 1, .out_port = 2},
		{.in_port = 3, .out_port = 4}},
	[ORDER_ACL_EXACT] = {{.src = ACL_HOST(10), .dst = ACL_HOST(20), .address_bits = 0x7fffffff},
		{.in_port = 1, .out_port = 2}, {.in_port = 3, .out_port = 4}},
};

static void match_acl(struct pen *pen, const struct acl_rule *rule)
{
	if (rule->in_port)
		oxm(pen, IN_PORT, rule->in_port, 4);
	else
		oxm(pen, ETH_TYPE, 0x0800, 2);
	if (rule->ip_proto)
		oxm(pen, IP_PROTO, rule->ip_proto, 1);
	if (rule->src)
		masked(pen, IPV4_SRC, rule->src, rule->address_bits, 4);
	if (rule->dst)
		masked(pen, IPV4_DST, rule->dst, rule->address_bits, 4);
	if (rule->l4_src)
		oxm(pen, TCP_SRC, rule->l4_src, 2);
	if (rule->l4_dst)
		oxm(pen, TCP_DST, rule->l4_dst, 2);
}

size_t order_acl(uint8_t *out, uint32_t xid, enum order_acl acl, uint32_t number)
{
	const struct acl_rule *rule = &acls[acl][number];
	struct pen pen = start_flow_mod(out, xid, 0, ORDER_ADD, 100 - number);
	uint8_t *match = begin_match(&pen);

	if (!rule->address_bits && !rule->out_port)
		return 0;
	match_acl(&pen, rule);
	end_match(&pen, match);
	if (rule->out_port)
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

struct order_rule order_rule_of_flow(uint32_t i, uint32_t n_flows, enum bench_packet packet)
{
	const uint32_t src_bits = bench_src_bits(n_flows), src = i & ((1u << src_bits) - 1), dst = i >> src_bits;
	const bool ipv6 = packet == BENCH_UDP6;

	return (struct order_rule){
		.command = ORDER_ADD,
		.priority = 1000,
		.packet = packet,
		.src = (ipv6 ? 0 : 10u << 24 | BENCH_SRC_NET << 16) | src,
		.dst = (ipv6 ? 0 : 10u << 24 | BENCH_DST_NET << 16) | dst,
		.l4_src = BENCH_SRC_PORT(i),
		.l4_dst = BENCH_DST_PORT,
		.out_port = 2,
	};
}
