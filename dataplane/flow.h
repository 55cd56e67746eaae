/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flow.h - the key of a frame as people and rules see it: fields, matches, their text.
 *
 * The layout is bpf/abi.h's; the fields are rows of field.def (name, place, width, text form, prerequisite), and
 * printing, parsing and un-wildcarding all read the rows. The text is ovs-ofctl's, which people know:
 *     in_port=p1,vlan_vid=10,eth_src=02:00:00:00:00:01,eth_dst=02:00:00:00:00:02/ff:ff:00:00:00:00,eth_type=0x0800
 */
#ifndef DATAPLANE_FLOW_H
#define DATAPLANE_FLOW_H

#include "bpf/abi.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct complaint;

enum field_id {
#define FIELD(id, ...) FIELD_##id,
#include "dataplane/field.def"
#undef FIELD
	N_FIELDS
};

/* A key and the bits of it that count. Bits of `key` outside `mask` are zero. */
struct flow_match {
	struct sw_key key;
	struct sw_key mask;
};

/* How in_ifindex is spelt: a port's name. Either may fail: format then prints the number, parse complains. */
struct flow_names {
	const void *ctx;
	const char *(*name_of)(const void *ctx, uint32_t ifindex); /* NULL: unknown */
	uint32_t (*ifindex_of)(const void *ctx, const char *name); /* 0: unknown */
};

static inline struct sw_key flow_masked(const struct sw_key *key, const struct sw_key *mask)
{
	struct sw_key masked;

	for (int i = 0; i < SW_KEY_WORDS; i++)
		masked.w[i] = key->w[i] & mask->w[i];
	return masked;
}

static inline bool flow_equal(const struct sw_key *a, const struct sw_key *b)
{
	for (int i = 0; i < SW_KEY_WORDS; i++) {
		if (a->w[i] != b->w[i])
			return false;
	}
	return true;
}

/* Sets every bit of the field in `mask`: "we looked at all of it". */
void flow_look(struct sw_key *mask, enum field_id field);

const char *field_name(enum field_id field);

/*
 * Prints the fields that `mask` looks at, separated by commas, into `text` of `size` bytes, cut short with a NUL where
 * it does not fit; "any" for a mask that looks at nothing. `names` may be NULL. Returns the length it would have had.
 */
size_t flow_format(
	const struct sw_key *key, const struct sw_key *mask, const struct flow_names *names, char *text, size_t size);

/* Reads what flow_format() prints. -EINVAL: the complaint names the word at fault; `ret` is untouched. */
int flow_parse(const char *text, const struct flow_names *names, struct flow_match *ret, struct complaint *complaint);

#endif
