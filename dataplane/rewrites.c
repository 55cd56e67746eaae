/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/rewrites.h"

#include "bpf/extract.h"
#include "bpf/hash.h"
#include "dataplane/action.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define N_HEADS    4096
#define NONE       SW_MAX_REWRITES
#define ETH_VLAN   0x8100
#define TAG_SIZE   4
#define TTL_NEVER  256 /* of ttl_least: no TTL is enough */
#define ELEM_WORDS (sizeof(struct sw_rewrite) / 8)

/* ---- actions and edits ---- */

/* Set-fields that the program can carry out; `size` in bytes, `arg` an offset (bpf/abi.h). */
static const struct form {
	uint8_t field; /* enum field_id */
	uint8_t op;    /* enum sw_edit_op */
	uint8_t size, arg, ip_proto, looks;
} forms[] = {
	{FIELD_ETH_DST, SW_EDIT_ETH, 6, 0, 0, 0},
	{FIELD_ETH_SRC, SW_EDIT_ETH, 6, 6, 0, 0},
	{FIELD_VLAN_VID, SW_EDIT_VLAN_VID, 2, 0, 0, 0},
	{FIELD_VLAN_PCP, SW_EDIT_VLAN_PCP, 1, 0, 0, 0},
	{FIELD_IP_DSCP, SW_EDIT_IP_DSCP, 1, 0, 0, 0},
	{FIELD_IP_ECN, SW_EDIT_IP_ECN, 1, 0, 0, 0},
	{FIELD_IPV4_SRC, SW_EDIT_IPV4, 4, 12, 0, SW_LOOK_L4},
	{FIELD_IPV4_DST, SW_EDIT_IPV4, 4, 16, 0, SW_LOOK_L4},
	{FIELD_IPV6_SRC, SW_EDIT_IPV6, 16, 8, 0, SW_LOOK_L4},
	{FIELD_IPV6_DST, SW_EDIT_IPV6, 16, 24, 0, SW_LOOK_L4 | SW_LOOK_DST},
	{FIELD_TCP_SRC, SW_EDIT_L4, 2, 0, SW_IP_TCP, SW_LOOK_L4},
	{FIELD_TCP_DST, SW_EDIT_L4, 2, 2, SW_IP_TCP, SW_LOOK_L4},
	{FIELD_UDP_SRC, SW_EDIT_L4, 2, 0, SW_IP_UDP, SW_LOOK_L4},
	{FIELD_UDP_DST, SW_EDIT_L4, 2, 2, SW_IP_UDP, SW_LOOK_L4},
	{FIELD_ICMP_TYPE, SW_EDIT_L4, 1, 0, SW_IP_ICMP, SW_LOOK_L4},
	{FIELD_ICMP_CODE, SW_EDIT_L4, 1, 1, SW_IP_ICMP, SW_LOOK_L4},
	{FIELD_ICMPV6_TYPE, SW_EDIT_L4, 1, 0, SW_IP_ICMPV6, SW_LOOK_L4},
	{FIELD_ICMPV6_CODE, SW_EDIT_L4, 1, 1, SW_IP_ICMPV6, SW_LOOK_L4},
	{FIELD_ARP_OP, SW_EDIT_ARP, 2, 6, 0, 0},
	{FIELD_ARP_SHA, SW_EDIT_ARP, 6, 8, 0, 0},
	{FIELD_ARP_SPA, SW_EDIT_ARP, 4, 14, 0, 0},
	{FIELD_ARP_THA, SW_EDIT_ARP, 6, 18, 0, 0},
	{FIELD_ARP_TPA, SW_EDIT_ARP, 4, 24, 0, 0},
};

#define N_FORMS (sizeof(forms) / sizeof(forms[0]))

static const struct form *form_of_field(uint8_t field)
{
	for (size_t i = 0; i < N_FORMS; i++) {
		if (forms[i].field == field)
			return &forms[i];
	}
	return NULL;
}

static const struct form *form_of_edit(const struct sw_edit *edit)
{
	for (size_t i = 0; i < N_FORMS; i++) {
		if (forms[i].op == edit->op && forms[i].arg == edit->arg && forms[i].ip_proto == edit->ip_proto &&
			forms[i].size == edit->size)
			return &forms[i];
	}
	return NULL;
}

/* The edit that an action is; op SW_EDIT_NONE: the program cannot do it. */
static struct sw_edit edit_of(const struct action *action)
{
	const struct form *form;
	struct sw_edit edit = {0};

	switch ((enum action_type)action->type) {
	case ACTION_PUSH_VLAN: /* the egress program, and NORMAL, know no other kind of tag */
		edit.op = action->arg == ETH_VLAN ? SW_EDIT_PUSH_VLAN : SW_EDIT_NONE;
		break;
	case ACTION_POP_VLAN:
		edit.op = SW_EDIT_POP_VLAN;
		break;
	case ACTION_SET_NW_TTL:
		edit.op = SW_EDIT_SET_TTL;
		edit.arg = (uint8_t)action->arg;
		break;
	case ACTION_DEC_NW_TTL:
		edit.op = SW_EDIT_DEC_TTL;
		break;
	case ACTION_SET_FIELD:
		form = form_of_field(action->field);
		if (!form)
			break;
		edit = (struct sw_edit){
			.op = form->op, .size = form->size, .arg = form->arg, .ip_proto = form->ip_proto};
		memcpy(edit.value, action->value, form->size);
		break;
	default:
		break;
	}
	return edit;
}

/* False: nothing that edit_of() gives. */
static bool action_of(const struct sw_edit *edit, struct action *ret)
{
	const struct form *form;

	switch ((enum sw_edit_op)edit->op) {
	case SW_EDIT_PUSH_VLAN:
		*ret = (struct action){.type = ACTION_PUSH_VLAN, .arg = ETH_VLAN};
		return true;
	case SW_EDIT_POP_VLAN:
		*ret = (struct action){.type = ACTION_POP_VLAN};
		return true;
	case SW_EDIT_SET_TTL:
		*ret = (struct action){.type = ACTION_SET_NW_TTL, .arg = edit->arg};
		return true;
	case SW_EDIT_DEC_TTL:
		*ret = (struct action){.type = ACTION_DEC_NW_TTL};
		return true;
	default:
		form = form_of_edit(edit);
		if (!form)
			return false;
		*ret = (struct action){.type = ACTION_SET_FIELD, .field = form->field};
		memcpy(ret->value, edit->value, form->size);
		return true;
	}
}

bool rewrite_is_fast(const struct action *action)
{
	return edit_of(action).op != SW_EDIT_NONE;
}

/* ---- what must be known of a frame before ---- */

/*
 * The least TTL with which a frame of so many tags comes through. Behind one tag the IP header is in sight, behind two
 * it is not, and an action on a TTL that is not in sight does nothing.
 */
static uint16_t least_ttl(const struct sw_rewrite *rewrite, int n_tags)
{
	int less = 0; /* than the frame's own, by how much */
	int set = -1; /* to what; the frame's own does not matter any more */
	int least = 0;

	for (int i = 0; i < rewrite->n_edits; i++) {
		const struct sw_edit *edit = &rewrite->edits[i];
		bool in_sight = n_tags <= 1;

		n_tags += edit->op == SW_EDIT_PUSH_VLAN;
		n_tags -= edit->op == SW_EDIT_POP_VLAN && n_tags;
		if (edit->op == SW_EDIT_SET_TTL && in_sight)
			set = edit->arg;
		if (edit->op != SW_EDIT_DEC_TTL || !in_sight)
			continue;
		if (set >= 0 && set-- <= 1)
			return TTL_NEVER;
		if (set < 0)
			least = ++less + 1;
	}
	return (uint16_t)least;
}

static uint8_t looks_of(const struct sw_rewrite *rewrite)
{
	uint8_t looks = 0;

	for (int i = 0; i < rewrite->n_edits; i++) {
		const struct form *form = form_of_edit(&rewrite->edits[i]);

		looks |= form ? form->looks : 0;
		looks |= rewrite->edits[i].op == SW_EDIT_DEC_TTL ? SW_LOOK_TTL : 0;
	}
	return looks;
}

/* All that follows from the edits. */
static void describe(struct sw_rewrite *rewrite)
{
	rewrite->looks = looks_of(rewrite);
	rewrite->growth = 0;
	for (int i = 0; i < rewrite->n_edits; i++)
		rewrite->growth += rewrite->edits[i].op == SW_EDIT_PUSH_VLAN ? TAG_SIZE : 0;
	for (int n = 0; n <= SW_REWRITE_TAGS; n++)
		rewrite->ttl_least[n] = least_ttl(rewrite, n);
}

bool rewrite_compile(const struct action *const *actions, uint32_t n, struct sw_rewrite *ret)
{
	if (!n || n > SW_MAX_EDITS)
		return false;
	*ret = (struct sw_rewrite){.n_edits = (uint8_t)n};
	for (uint32_t i = 0; i < n; i++)
		ret->edits[i] = edit_of(actions[i]);
	describe(ret);
	return true;
}

/* ---- the map ---- */

struct state {
	uint32_t n_users;
	uint16_t next; /* of the same hash */
	bool adopted;  /* by rewrites_hold_all() */
	uint64_t idle_since;
};

struct rewrites {
	struct sw_rewrite *memory;
	uint64_t seed;
	uint64_t clock; /* counts drops to zero: what is idle longest has the least idle_since */
	uint32_t n_held;
	uint16_t heads[N_HEADS];
	struct state states[SW_MAX_REWRITES];
};

static uint16_t *head_of(struct rewrites *rewrites, const struct sw_rewrite *rewrite)
{
	uint64_t hash = rewrites->seed, word;

	for (size_t i = 0; i < ELEM_WORDS; i++) {
		memcpy(&word, (const uint8_t *)rewrite + 8 * i, 8);
		hash = sw_hash_step(hash, word);
	}
	return &rewrites->heads[hash % N_HEADS];
}

static void chain(struct rewrites *rewrites, uint32_t id)
{
	uint16_t *head = head_of(rewrites, &rewrites->memory[id]);

	rewrites->states[id].next = *head;
	*head = (uint16_t)id;
}

static void unchain(struct rewrites *rewrites, uint32_t id)
{
	uint16_t *link = head_of(rewrites, &rewrites->memory[id]);

	while (*link != id)
		link = &rewrites->states[*link].next;
	*link = rewrites->states[id].next;
}

static uint32_t find(struct rewrites *rewrites, const struct sw_rewrite *rewrite)
{
	uint32_t id = *head_of(rewrites, rewrite);

	while (id != NONE && memcmp(&rewrites->memory[id], rewrite, sizeof(*rewrite)) != 0)
		id = rewrites->states[id].next;
	return id;
}

static void forget(struct rewrites *rewrites, uint32_t id)
{
	__atomic_store_n(&rewrites->memory[id].n_edits, 0, __ATOMIC_RELEASE);
}

/* It is what rewrite_compile() makes of the actions that it stands for, to the bit, and the only one. */
static bool is_sane(struct rewrites *rewrites, uint32_t id)
{
	const struct sw_rewrite *rewrite = &rewrites->memory[id];
	const struct action *list[SW_MAX_EDITS];
	struct action actions[SW_MAX_EDITS];
	struct sw_rewrite again;

	if (rewrite->n_edits > SW_MAX_EDITS)
		return false;
	for (int i = 0; i < rewrite->n_edits; i++) {
		if (!action_of(&rewrite->edits[i], &actions[i]))
			return false;
		list[i] = &actions[i];
	}
	return rewrite_compile(list, rewrite->n_edits, &again) && !memcmp(&again, rewrite, sizeof(again)) &&
	       find(rewrites, rewrite) == NONE;
}

struct rewrites *rewrites_create(struct sw_rewrite *memory, uint64_t seed)
{
	struct rewrites *rewrites = calloc(1, sizeof(*rewrites));

	if (!rewrites)
		return NULL;
	rewrites->memory = memory;
	rewrites->seed = seed;
	for (int i = 0; i < N_HEADS; i++)
		rewrites->heads[i] = NONE;
	for (uint32_t id = 0; id < SW_MAX_REWRITES; id++) {
		if (!memory[id].n_edits)
			continue;
		if (is_sane(rewrites, id))
			chain(rewrites, id);
		else
			forget(rewrites, id);
	}
	return rewrites;
}

void rewrites_destroy(struct rewrites *rewrites)
{
	free(rewrites);
}

/* An id that is free, else the one that has been idle longest. They are not all held. */
static uint32_t vacate(struct rewrites *rewrites)
{
	uint32_t oldest = NONE;

	for (uint32_t id = 0; id < SW_MAX_REWRITES; id++) {
		const struct state *state = &rewrites->states[id];

		if (state->n_users)
			continue;
		if (!rewrites->memory[id].n_edits)
			return id;
		if (oldest == NONE || state->idle_since < rewrites->states[oldest].idle_since)
			oldest = id;
	}
	unchain(rewrites, oldest);
	forget(rewrites, oldest);
	return oldest;
}

static uint32_t make(struct rewrites *rewrites, const struct sw_rewrite *rewrite)
{
	struct sw_rewrite *to;
	uint32_t id;

	if (rewrites->n_held == SW_MAX_REWRITES)
		return NONE;
	id = vacate(rewrites);
	to = &rewrites->memory[id];
	memcpy((uint8_t *)to + 1, (const uint8_t *)rewrite + 1, sizeof(*to) - 1);
	__atomic_store_n(&to->n_edits, rewrite->n_edits, __ATOMIC_RELEASE);
	chain(rewrites, id);
	return id;
}

static void hold(struct rewrites *rewrites, uint32_t id)
{
	rewrites->n_held += !rewrites->states[id].n_users++;
}

uint32_t rewrites_get(struct rewrites *rewrites, const struct action *const *actions, uint32_t n)
{
	struct sw_rewrite rewrite;
	uint32_t id;

	if (!rewrite_compile(actions, n, &rewrite))
		return NONE;
	id = find(rewrites, &rewrite);
	if (id == NONE)
		id = make(rewrites, &rewrite);
	if (id != NONE)
		hold(rewrites, id);
	return id;
}

bool rewrites_exist(const struct rewrites *rewrites, uint32_t id)
{
	return id < SW_MAX_REWRITES && rewrites->memory[id].n_edits;
}

int rewrites_hold(struct rewrites *rewrites, uint32_t id)
{
	if (!rewrites_exist(rewrites, id))
		return -ENOENT;
	hold(rewrites, id);
	return 0;
}

void rewrites_drop(struct rewrites *rewrites, uint32_t id)
{
	struct state *state = &rewrites->states[id];

	if (--state->n_users)
		return;
	state->idle_since = ++rewrites->clock;
	rewrites->n_held--;
}

void rewrites_hold_all(struct rewrites *rewrites)
{
	for (uint32_t id = 0; id < SW_MAX_REWRITES; id++)
		rewrites->states[id].adopted = !rewrites_hold(rewrites, id);
}

void rewrites_drop_all(struct rewrites *rewrites)
{
	for (uint32_t id = 0; id < SW_MAX_REWRITES; id++) {
		if (rewrites->states[id].adopted)
			rewrites_drop(rewrites, id);
		rewrites->states[id].adopted = false;
	}
}

uint32_t rewrites_users(const struct rewrites *rewrites, uint32_t id)
{
	return id < SW_MAX_REWRITES ? rewrites->states[id].n_users : 0;
}

size_t rewrites_format(const struct rewrites *rewrites, uint32_t id, char *text, size_t size)
{
	struct action actions[SW_MAX_EDITS];
	struct actions list = {.list = actions};

	for (int i = 0; rewrites_exist(rewrites, id) && i < rewrites->memory[id].n_edits; i++) {
		if (action_of(&rewrites->memory[id].edits[i], &actions[list.n]))
			list.n++;
	}
	return actions_format(&list, NULL, text, size);
}
