/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * action.h - what a rule, a bucket or a packet-out does with a frame: actions, and the instructions of a rule.
 *
 * An action is a row of action.def (name, OpenFlow number and size, place in an action set, text form); the codec, the
 * text and the action set's order read the rows. The text is ovs-ofctl's: "NORMAL", "output:p1,output:p2",
 * "set_field:10->ip_dscp", "push_vlan:0x8100", "group:7", "drop". An empty list is a drop.
 *
 * Ports are OpenFlow numbers (OF 1.3.5 §7.2.1), reserved ones among them; NORMAL is an output to OF_PORT_NORMAL.
 */
#ifndef DATAPLANE_ACTION_H
#define DATAPLANE_ACTION_H

#include "dataplane/flow.h"

struct complaint;

/* OF 1.3.5 §7.2.1. Physical and logical ports have 1 to OF_PORT_MAX. */
enum of_port {
	OF_PORT_MAX = 0xffffff00,
	OF_PORT_IN_PORT = 0xfffffff8,
	OF_PORT_TABLE = 0xfffffff9, /* of a packet-out only */
	OF_PORT_NORMAL = 0xfffffffa,
	OF_PORT_FLOOD = 0xfffffffb,
	OF_PORT_ALL = 0xfffffffc,
	OF_PORT_CONTROLLER = 0xfffffffd,
	OF_PORT_LOCAL = 0xfffffffe,
	OF_PORT_ANY = 0xffffffff,
};

enum action_type {
#define ACTION(id, ...) ACTION_##id,
#include "dataplane/action.def"
#undef ACTION
	N_ACTIONS
};

struct action {
	uint8_t type;      /* enum action_type */
	uint8_t field;     /* enum field_id, of SET_FIELD */
	uint16_t max_len;  /* of OUTPUT to OF_PORT_CONTROLLER: bytes of the frame to send; 0xffff: all */
	uint32_t arg;      /* port, group, queue, EtherType or TTL, host order */
	uint8_t value[16]; /* of SET_FIELD: as field_write() takes it */
};

#define ACTION_MAX_LEN_ALL 0xffff

/* Owned by whoever holds it, or borrowed. */
struct actions {
	uint32_t n;
	const struct action *list;
};

struct action_row {
	const char *word;
	uint16_t of_type; /* OFPAT_* */
	uint8_t of_size;  /* bytes on the wire; 0: by its field */
	uint8_t form;     /* how its argument is spelt (action.c) */
	uint8_t place;    /* in the order of an action set, OF 1.3.5 §5.10; the first is 1 */
};
const struct action_row *action_row(enum action_type type);

/*
 * The instructions of a rule (OF 1.3.5 §5.9), in the order in which they are carried out. One block of memory, freed by
 * free(): the actions stand behind it.
 */
struct instructions {
	uint32_t meter; /* 0: none */
	bool clear_actions;
	bool goes_on; /* to table `goto_table` */
	bool writes_metadata;
	uint8_t goto_table;
	uint16_t n_apply, n_write;
	uint64_t metadata, metadata_mask; /* host order; bits of metadata outside the mask are zero */
	struct action actions[];          /* n_apply to be applied, then n_write to be written to the action set */
};

/* A copy, with those actions; NULL: out of memory. `rest` is copied but for its actions. */
struct instructions *instructions_create(
	const struct instructions *rest, const struct actions *apply, const struct actions *write);
bool instructions_equal(const struct instructions *a, const struct instructions *b);
struct actions instructions_applied(const struct instructions *instructions);
struct actions instructions_written(const struct instructions *instructions);

bool actions_equal(const struct actions *a, const struct actions *b);

/* `names` spells ports and may be NULL. Cut short with a NUL where it does not fit; returns the whole length. */
size_t actions_format(const struct actions *actions, const struct flow_names *names, char *text, size_t size);
size_t instructions_format(
	const struct instructions *instructions, const struct flow_names *names, char *text, size_t size);

/*
 * Reads what actions_format() prints into `list` of `size` actions. -EINVAL: the complaint names the word at fault;
 * `ret` is untouched.
 */
int actions_parse(const char *text, const struct flow_names *names, struct action *list, size_t size,
	struct actions *ret, struct complaint *complaint);

#endif
