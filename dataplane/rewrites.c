/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/rewrites.h"

#include "bpf/extract.h"
#include "bpf/hash.h"
#include "dataplane/action.h"
#include "dataplane/patch.h"
#include "dataplane/pool.h"

#include <stdlib.h>
#include <string.h>

#define NONE       SW_MAX_REWRITES
#define TAG_SIZE   4
#define ITAG_SIZE  18  /* with EtherType and the customer's addresses */
#define SURE_ROOM  32  /* bytes of headroom that a frame has which other switches may have lengthened before */
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
	{FIELD_ETH_TYPE, SW_EDIT_ETH_TYPE, 2, 0, 0, 0},
	{FIELD_MPLS_LABEL, SW_EDIT_MPLS, 4, 12, 0, 0},
	{FIELD_MPLS_TC, SW_EDIT_MPLS, 1, 9, 0, 0},
	{FIELD_MPLS_BOS, SW_EDIT_MPLS, 1, 8, 0, 0},
	{FIELD_PBB_ISID, SW_EDIT_PBB_ISID, 3, 0, 0, 0},
	{FIELD_IP_DSCP, SW_EDIT_IP_DSCP, 1, 0, 0, 0},
	{FIELD_IP_ECN, SW_EDIT_IP_ECN, 1, 0, 0, 0},
	{FIELD_IP_PROTO, SW_EDIT_IP_PROTO, 1, 0, 0, SW_LOOK_L4},
	{FIELD_IPV4_SRC, SW_EDIT_IPV4, 4, 12, 0, SW_LOOK_L4},
	{FIELD_IPV4_DST, SW_EDIT_IPV4, 4, 16, 0, SW_LOOK_L4},
	{FIELD_IPV6_SRC, SW_EDIT_IPV6, 16, 8, 0, SW_LOOK_L4},
	{FIELD_IPV6_DST, SW_EDIT_IPV6, 16, 24, 0, SW_LOOK_L4 | SW_LOOK_DST},
	{FIELD_IPV6_FLABEL, SW_EDIT_IPV6_LABEL, 4, 0, 0, 0},
	{FIELD_TCP_SRC, SW_EDIT_L4, 2, 0, SW_IP_TCP, SW_LOOK_L4},
	{FIELD_TCP_DST, SW_EDIT_L4, 2, 2, SW_IP_TCP, SW_LOOK_L4},
	{FIELD_UDP_SRC, SW_EDIT_L4, 2, 0, SW_IP_UDP, SW_LOOK_L4},
	{FIELD_UDP_DST, SW_EDIT_L4, 2, 2, SW_IP_UDP, SW_LOOK_L4},
	{FIELD_SCTP_SRC, SW_EDIT_L4, 2, 0, SW_IP_SCTP, SW_LOOK_L4},
	{FIELD_SCTP_DST, SW_EDIT_L4, 2, 2, SW_IP_SCTP, SW_LOOK_L4},
	{FIELD_ICMP_TYPE, SW_EDIT_L4, 1, 0, SW_IP_ICMP, SW_LOOK_L4},
	{FIELD_ICMP_CODE, SW_EDIT_L4, 1, 1, SW_IP_ICMP, SW_LOOK_L4},
	{FIELD_ICMPV6_TYPE, SW_EDIT_L4, 1, 0, SW_IP_ICMPV6, SW_LOOK_L4},
	{FIELD_ICMPV6_CODE, SW_EDIT_L4, 1, 1, SW_IP_ICMPV6, SW_LOOK_L4},
	{FIELD_ARP_OP, SW_EDIT_ARP, 2, 6, 0, 0},
	{FIELD_ARP_SHA, SW_EDIT_ARP, 6, 8, 0, 0},
	{FIELD_ARP_SPA, SW_EDIT_ARP, 4, 14, 0, 0},
	{FIELD_ARP_THA, SW_EDIT_ARP, 6, 18, 0, 0},
	{FIELD_ARP_TPA, SW_EDIT_ARP, 4, 24, 0, 0},
	{FIELD_ND_TARGET, SW_EDIT_ND_TARGET, 16, 0, 0, SW_LOOK_L4},
	{FIELD_ND_SLL, SW_EDIT_ND_OPTION, 6, 1, 0, SW_LOOK_UNDO},
	{FIELD_ND_TLL, SW_EDIT_ND_OPTION, 6, 2, 0, SW_LOOK_UNDO},
};

/* The other actions. */
static const struct plain {
	uint8_t type; /* enum action_type */
	uint8_t op;   /* enum sw_edit_op */
	bool has_arg;
	uint8_t looks;
	int8_t pushed; /* bytes */
} plains[] = {
	{ACTION_PUSH_VLAN, SW_EDIT_PUSH_VLAN, true, 0, TAG_SIZE},
	{ACTION_POP_VLAN, SW_EDIT_POP_VLAN, false, 0, -TAG_SIZE},
	{ACTION_PUSH_MPLS, SW_EDIT_PUSH_MPLS, true, 0, TAG_SIZE},
	{ACTION_POP_MPLS, SW_EDIT_POP_MPLS, true, 0, -TAG_SIZE},
	{ACTION_PUSH_PBB, SW_EDIT_PUSH_PBB, true, 0, ITAG_SIZE},
	{ACTION_POP_PBB, SW_EDIT_POP_PBB, false, 0, -ITAG_SIZE},
	{ACTION_SET_MPLS_TTL, SW_EDIT_SET_MPLS_TTL, true, 0, 0},
	{ACTION_DEC_MPLS_TTL, SW_EDIT_DEC_MPLS_TTL, false, SW_LOOK_UNDO, 0},
	{ACTION_COPY_TTL_OUT, SW_EDIT_COPY_TTL_OUT, false, 0, 0},
	{ACTION_COPY_TTL_IN, SW_EDIT_COPY_TTL_IN, false, 0, 0},
	{ACTION_SET_NW_TTL, SW_EDIT_SET_TTL, true, 0, 0},
	{ACTION_DEC_NW_TTL, SW_EDIT_DEC_TTL, false, SW_LOOK_TTL, 0},
};

#define N_FORMS  (sizeof(forms) / sizeof(forms[0]))
#define N_PLAINS (sizeof(plains) / sizeof(plains[0]))

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

static const struct plain *plain_of_action(uint8_t type)
{
	for (size_t i = 0; i < N_PLAINS; i++) {
		if (plains[i].type == type)
			return &plains[i];
	}
	return NULL;
}

static const struct plain *plain_of_edit(const struct sw_edit *edit)
{
	for (size_t i = 0; i < N_PLAINS; i++) {
		if (plains[i].op == edit->op)
			return &plains[i];
	}
	return NULL;
}

/* The edit that an action is; op SW_EDIT_NONE: it is none. */
static struct sw_edit edit_of(const struct action *action)
{
	const struct form *form = action->type == ACTION_SET_FIELD ? form_of_field(action->field) : NULL;
	const struct plain *plain = plain_of_action(action->type);
	struct sw_edit edit = {0};

	if (form) {
		edit = (struct sw_edit){
			.op = form->op, .size = form->size, .arg = form->arg, .ip_proto = form->ip_proto};
		memcpy(edit.value, action->value, form->size);
	} else if (plain) {
		edit.op = plain->op;
		edit.arg = plain->has_arg ? (uint16_t)action->arg : 0;
	}
	return edit;
}

/* False: nothing that edit_of() gives. */
static bool action_of(const struct sw_edit *edit, struct action *ret)
{
	const struct plain *plain = plain_of_edit(edit);
	const struct form *form;

	if (plain) {
		*ret = (struct action){.type = plain->type, .arg = plain->has_arg ? edit->arg : 0};
		return true;
	}
	form = form_of_edit(edit);
	if (!form)
		return false;
	*ret = (struct action){.type = ACTION_SET_FIELD, .field = form->field};
	memcpy(ret->value, edit->value, form->size);
	return true;
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

static uint8_t looks_of_edit(const struct sw_edit *edit)
{
	const struct plain *plain = plain_of_edit(edit);
	const struct form *form = form_of_edit(edit);

	return plain ? plain->looks : form ? form->looks : 0;
}

/* Behind it other headers may be in sight than a look at a frame's VLAN tags and IP header has found. */
static bool is_upheaval(const struct sw_edit *edit)
{
	switch ((enum sw_edit_op)edit->op) {
	case SW_EDIT_ETH_TYPE:
	case SW_EDIT_PUSH_MPLS:
	case SW_EDIT_POP_MPLS:
	case SW_EDIT_PUSH_PBB:
	case SW_EDIT_POP_PBB:
	case SW_EDIT_IP_PROTO:
		return true;
	default:
		return false;
	}
}

static uint8_t looks_of(const struct sw_rewrite *rewrite)
{
	bool is_upset = false;
	uint8_t looks = 0;

	for (int i = 0; i < rewrite->n_edits; i++) {
		uint8_t one = looks_of_edit(&rewrite->edits[i]);

		looks |= one && is_upset ? SW_LOOK_UNDO : one;
		is_upset |= is_upheaval(&rewrite->edits[i]);
	}
	if (rewrite->growth > SURE_ROOM)
		looks |= SW_LOOK_UNDO;
	return looks & SW_LOOK_UNDO ? SW_LOOK_UNDO : looks;
}

/* By how much the pushes lengthen a frame at most, or the pops shorten one. */
static uint32_t moved_by(const struct sw_rewrite *rewrite, int sign)
{
	uint32_t sum = 0;

	for (int i = 0; i < rewrite->n_edits; i++) {
		const struct plain *plain = plain_of_edit(&rewrite->edits[i]);

		sum += plain && plain->pushed * sign > 0 ? (uint32_t)(plain->pushed * sign) : 0;
	}
	return sum;
}

/* All that follows from the edits. */
static void describe(struct sw_rewrite *rewrite)
{
	rewrite->growth = (uint16_t)moved_by(rewrite, 1);
	rewrite->looks = looks_of(rewrite);
	for (int n = 0; n <= SW_REWRITE_TAGS; n++)
		rewrite->ttl_least[n] = rewrite->looks & SW_LOOK_TTL ? least_ttl(rewrite, n) : 0;
	for (int i = 0; i < rewrite->n_edits; i++)
		rewrite->is_upheaval |= is_upheaval(&rewrite->edits[i]);
	rewrite->patch = patch_of(rewrite);
}

bool rewrite_compile(const struct action *const *actions, uint32_t n, struct sw_rewrite *ret)
{
	struct sw_rewrite rewrite = {.n_edits = (uint8_t)n};

	if (!n || n > SW_MAX_EDITS)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		rewrite.edits[i] = edit_of(actions[i]);
		if (rewrite.edits[i].op == SW_EDIT_NONE)
			return false;
	}
	if (moved_by(&rewrite, 1) > SW_MAX_PUSHED || moved_by(&rewrite, -1) > SW_MAX_PUSHED)
		return false;
	describe(&rewrite);
	*ret = rewrite;
	return true;
}

bool rewrite_is_fast(const struct action *const *actions, uint32_t n)
{
	struct sw_rewrite rewrite;

	return rewrite_compile(actions, n, &rewrite);
}

bool rewrite_may_undo(const struct action *const *actions, uint32_t n)
{
	struct sw_rewrite rewrite;

	return rewrite_compile(actions, n, &rewrite) && rewrite.looks & SW_LOOK_UNDO;
}

/* ---- the map ---- */

struct rewrites {
	struct sw_rewrite *memory;
	uint64_t seed;
	struct pool *pool;
};

static uint64_t hash_of(const struct rewrites *rewrites, const struct sw_rewrite *rewrite)
{
	uint64_t hash = rewrites->seed, word;

	for (size_t i = 0; i < ELEM_WORDS; i++) {
		memcpy(&word, (const uint8_t *)rewrite + 8 * i, 8);
		hash = sw_hash_step(hash, word);
	}
	return hash;
}

static uint64_t hash_element(const void *owner, uint32_t id)
{
	const struct rewrites *rewrites = owner;

	return hash_of(rewrites, &rewrites->memory[id]);
}

static bool holds(const void *owner, uint32_t id, const void *wanted)
{
	const struct rewrites *rewrites = owner;

	return !memcmp(&rewrites->memory[id], wanted, sizeof(rewrites->memory[id]));
}

static bool exists(const void *owner, uint32_t id)
{
	return rewrites_exist(owner, id);
}

static void forget(void *owner, uint32_t id)
{
	struct rewrites *rewrites = owner;

	__atomic_store_n(&rewrites->memory[id].n_edits, 0, __ATOMIC_RELEASE);
}

/* It is what rewrite_compile() makes of the actions that it stands for, to the bit, and the only one. */
static bool is_sane(const void *owner, uint32_t id)
{
	const struct rewrites *rewrites = owner;
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
	       pool_find(rewrites->pool, hash_of(rewrites, rewrite), rewrite) == NONE;
}

struct rewrites *rewrites_create(struct sw_rewrite *memory, uint64_t seed)
{
	static const struct pool_calls calls = {hash_element, holds, exists, forget};
	struct rewrites *rewrites = calloc(1, sizeof(*rewrites));

	if (!rewrites)
		return NULL;
	rewrites->memory = memory;
	rewrites->seed = seed;
	rewrites->pool = pool_create(&calls, rewrites, SW_MAX_REWRITES);
	if (!rewrites->pool) {
		free(rewrites);
		return NULL;
	}
	pool_adopt(rewrites->pool, is_sane);
	return rewrites;
}

void rewrites_destroy(struct rewrites *rewrites)
{
	if (rewrites)
		pool_destroy(rewrites->pool);
	free(rewrites);
}

static uint32_t make(struct rewrites *rewrites, const struct sw_rewrite *rewrite)
{
	uint32_t id = pool_vacate(rewrites->pool);
	struct sw_rewrite *to;

	if (id == NONE)
		return NONE;
	to = &rewrites->memory[id];
	memcpy((uint8_t *)to + 1, (const uint8_t *)rewrite + 1, sizeof(*to) - 1);
	__atomic_store_n(&to->n_edits, rewrite->n_edits, __ATOMIC_RELEASE);
	pool_enter(rewrites->pool, id);
	return id;
}

uint32_t rewrites_get(struct rewrites *rewrites, const struct action *const *actions, uint32_t n)
{
	struct sw_rewrite rewrite;
	uint32_t id;

	if (!rewrite_compile(actions, n, &rewrite))
		return NONE;
	id = pool_find(rewrites->pool, hash_of(rewrites, &rewrite), &rewrite);
	if (id == NONE)
		id = make(rewrites, &rewrite);
	if (id != NONE)
		pool_hold(rewrites->pool, id);
	return id;
}

bool rewrites_exist(const struct rewrites *rewrites, uint32_t id)
{
	return id < SW_MAX_REWRITES && rewrites->memory[id].n_edits;
}

int rewrites_hold(struct rewrites *rewrites, uint32_t id)
{
	return pool_hold(rewrites->pool, id);
}

void rewrites_drop(struct rewrites *rewrites, uint32_t id)
{
	pool_drop(rewrites->pool, id);
}

void rewrites_hold_all(struct rewrites *rewrites)
{
	pool_hold_all(rewrites->pool);
}

void rewrites_drop_all(struct rewrites *rewrites)
{
	pool_drop_all(rewrites->pool, NULL);
}

uint32_t rewrites_users(const struct rewrites *rewrites, uint32_t id)
{
	return pool_users(rewrites->pool, id);
}

void rewrites_join(const struct rewrites *rewrites, uint32_t id, struct sw_rewrite *all)
{
	const struct sw_rewrite *one = &rewrites->memory[id];

	all->looks |= one->looks;
	if (one->growth > all->growth)
		all->growth = one->growth;
	for (int n = 0; n <= SW_REWRITE_TAGS; n++) {
		if (one->ttl_least[n] > all->ttl_least[n])
			all->ttl_least[n] = one->ttl_least[n];
	}
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
