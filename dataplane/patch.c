/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/patch.h"

#include "bpf/extract.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Bytes of the frame as they stand there: what stays of them, and what is put there. */
struct field {
	uint8_t keep[12], set[12];
};

struct sketch {
	struct field macs, addrs, ports, tos;
	uint8_t does;
	uint8_t ip_proto;
	uint8_t less; /* taken off the TTL */
	int ttl;      /* that it is set to; -1: it is not */
};

static bool put(struct field *field, size_t offset, const uint8_t *value, size_t size)
{
	memset(field->keep + offset, 0, size);
	memcpy(field->set + offset, value, size);
	return true;
}

static bool is_zero(const uint8_t *value, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (value[i])
			return false;
	}
	return true;
}

static bool put_mac(struct sketch *sketch, const struct sw_edit *edit)
{
	sketch->does |= SW_PATCH_MACS;
	return put(&sketch->macs, edit->arg, edit->value, 6);
}

static bool put_address(struct sketch *sketch, const struct sw_edit *edit)
{
	if (is_zero(edit->value, 4))
		return false;
	sketch->does |= SW_PATCH_IP_SUM | SW_PATCH_L4_SUM;
	return put(&sketch->addrs, edit->arg - 12U, edit->value, 4);
}

static bool put_port(struct sketch *sketch, const struct sw_edit *edit)
{
	bool is_other = sketch->ip_proto && sketch->ip_proto != edit->ip_proto;

	if (is_other || (edit->ip_proto != SW_IP_TCP && edit->ip_proto != SW_IP_UDP) || is_zero(edit->value, 2))
		return false;
	sketch->does |= SW_PATCH_L4_SUM;
	sketch->ip_proto = edit->ip_proto;
	return put(&sketch->ports, edit->arg, edit->value, 2);
}

/* Bits of the TOS, the second byte of its word. */
static bool put_tos(struct sketch *sketch, uint8_t mask, uint8_t bits)
{
	sketch->does |= SW_PATCH_IP_SUM;
	sketch->tos.keep[1] &= (uint8_t)~mask;
	sketch->tos.set[1] = (uint8_t)((sketch->tos.set[1] & ~mask) | (bits & mask));
	return true;
}

static bool put_ttl(struct sketch *sketch, const struct sw_edit *edit)
{
	sketch->does |= SW_PATCH_IP_SUM;
	if (edit->op == SW_EDIT_SET_TTL)
		sketch->ttl = edit->arg & 0xff;
	else if (sketch->ttl >= 0)
		sketch->ttl--;
	else
		sketch->less++;
	return true;
}

/* False: it cannot be put so. */
static bool put_edit(struct sketch *sketch, const struct sw_edit *edit)
{
	switch ((enum sw_edit_op)edit->op) {
	case SW_EDIT_ETH:
		return put_mac(sketch, edit);
	case SW_EDIT_IPV4:
		return put_address(sketch, edit);
	case SW_EDIT_L4:
		return put_port(sketch, edit);
	case SW_EDIT_IP_DSCP:
		return put_tos(sketch, 0xfc, (uint8_t)(edit->value[0] << 2));
	case SW_EDIT_IP_ECN:
		return put_tos(sketch, 0x03, edit->value[0]);
	case SW_EDIT_SET_TTL:
	case SW_EDIT_DEC_TTL:
		return put_ttl(sketch, edit);
	default:
		return false;
	}
}

/* The TTL is the first byte of its word. No borrow comes out of it: the frame has ttl_least. */
static void finish_ttl(const struct sketch *sketch, struct sw_patch *ret)
{
	bool is_set = sketch->ttl >= 0;
	uint8_t keep[2] = {is_set ? 0 : 0xff, 0xff}, value[2] = {is_set ? (uint8_t)sketch->ttl : sketch->less, 0};

	memcpy(&ret->ttl_keep, keep, 2);
	memcpy(&ret->ttl_plus, value, 2);
	if (!is_set)
		ret->ttl_plus = (uint16_t)-ret->ttl_plus;
}

static void finish(const struct sketch *sketch, struct sw_patch *ret)
{
	ret->does = sketch->does | SW_PATCH_MADE;
	ret->ip_proto = sketch->ip_proto;
	memcpy(&ret->tos_keep, sketch->tos.keep, 2);
	memcpy(&ret->tos_set, sketch->tos.set, 2);
	memcpy(&ret->ports_keep, sketch->ports.keep, 4);
	memcpy(&ret->ports_set, sketch->ports.set, 4);
	memcpy(&ret->macs_keep, sketch->macs.keep, 8);
	memcpy(&ret->macs_set, sketch->macs.set, 8);
	memcpy(&ret->src_keep, sketch->macs.keep + 8, 4);
	memcpy(&ret->src_set, sketch->macs.set + 8, 4);
	memcpy(&ret->addrs_keep, sketch->addrs.keep, 8);
	memcpy(&ret->addrs_set, sketch->addrs.set, 8);
	finish_ttl(sketch, ret);
}

static void blank(struct field *field)
{
	memset(field->keep, 0xff, sizeof(field->keep));
}

struct sw_patch patch_of(const struct sw_rewrite *rewrite)
{
	struct sw_patch patch = {.ttl_least = rewrite->ttl_least[0]};
	struct sketch sketch = {.ttl = -1};

	blank(&sketch.macs);
	blank(&sketch.addrs);
	blank(&sketch.ports);
	blank(&sketch.tos);
	if (rewrite->looks & SW_LOOK_UNDO || rewrite->ttl_least[0] > 255)
		return (struct sw_patch){0};
	for (int i = 0; i < rewrite->n_edits; i++) {
		if (!put_edit(&sketch, &rewrite->edits[i]))
			return (struct sw_patch){0};
	}
	finish(&sketch, &patch);
	return patch;
}
