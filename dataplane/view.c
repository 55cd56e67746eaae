/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/xlate.h"

#include "dataplane/layers.h"
#include "dataplane/rewrite.h"

#include "bpf/extract.h"

#include <arpa/inet.h>
#include <endian.h>

#define ETH_VLAN  0x8100
#define ETH_SVLAN 0x88a8
#define ETH_PBB   0x88e7
#define ETH_IPV4  0x0800
#define ETH_IPV6  0x86dd

static bool is_tag_type(uint16_t eth_type)
{
	return eth_type == ETH_VLAN || eth_type == ETH_SVLAN;
}

static bool is_mpls_type(uint16_t eth_type)
{
	return eth_type == 0x8847 || eth_type == 0x8848;
}

static uint16_t eth_type_of(const struct view *view)
{
	return ntohs(view->flow.x.f.eth_type_be);
}

static bool is_tagged(const struct view *view)
{
	return view->flow.x.f.vlan_tci_be & htons(SW_VLAN_PRESENT);
}

/* ---- kinds of bits ---- */

enum kind { KEYS, KNOWN, UNKNOWN };

static void set_kind(struct view *view, int word, uint64_t bits, enum kind kind)
{
	view->known.w[word] &= ~bits;
	view->unknown.w[word] &= ~bits;
	view->claimed.w[word] &= ~bits;
	if (kind == KNOWN)
		view->known.w[word] |= bits;
	else if (kind == UNKNOWN)
		view->unknown.w[word] |= bits;
}

static void set_field_kind(struct view *view, enum field_id field, enum kind kind)
{
	struct flow bits = {0};

	flow_look(&bits, field);
	for (int w = 0; w < FLOW_WORDS; w++)
		set_kind(view, w, bits.w[w], kind);
}

/* The words that hold what stands behind the link header: IP, layer 4, ARP, MPLS, PBB, ND. */
static void set_payload(struct view *view, enum kind kind)
{
	for (int w = SW_L2_WORDS; w < FLOW_META_WORD; w++) {
		set_kind(view, w, UINT64_MAX, kind);
		view->flow.w[w] = 0;
	}
}

static void set_eth_type(struct view *view, uint16_t eth_type)
{
	view->flow.x.f.eth_type_be = htons(eth_type < SW_ETH_TYPE_MIN ? 0 : eth_type);
	set_field_kind(view, FIELD_ETH_TYPE, KNOWN);
}

static void set_tci(struct view *view, uint16_t tci)
{
	view->flow.x.f.vlan_tci_be = htons(tci);
	set_field_kind(view, FIELD_VLAN_VID, KNOWN);
	set_field_kind(view, FIELD_VLAN_PCP, KNOWN);
}

/* A tag of which nothing is known, or none, and what type stands behind it. */
static void set_link_unknown(struct view *view)
{
	set_field_kind(view, FIELD_VLAN_VID, UNKNOWN);
	set_field_kind(view, FIELD_VLAN_PCP, UNKNOWN);
	set_field_kind(view, FIELD_ETH_TYPE, UNKNOWN);
	view->flow.x.f.vlan_tci_be = view->flow.x.f.eth_type_be = 0; /* or a classifier's way would depend on them */
}

static void set_addresses_unknown(struct view *view)
{
	for (int w = 1; w < SW_L2_WORDS; w++) {
		set_kind(view, w, UINT64_MAX, UNKNOWN);
		view->flow.w[w] = 0;
	}
}

/* ---- beginning ---- */

/*
 * Of a frame with an 802.1ad tag the key says nothing but addresses: what the key calls its type is the tag's, and is
 * what tells it apart, so that who looks at the tag or behind it has looked at the whole type (view_look()).
 */
void view_of_key(struct view *view, const struct sw_key *key, uint32_t of_port)
{
	*view = (struct view){.of_port = of_port, .tpid = ETH_VLAN, .key = *key};
	view->flow = flow_of_key(key);
	view->flow.x.f.in_ifindex = of_port;
	for (int w = FLOW_FAST_WORDS; w < FLOW_META_WORD; w++)
		view->unknown.w[w] = UINT64_MAX;
	for (int w = FLOW_META_WORD; w < FLOW_WORDS; w++)
		view->known.w[w] = UINT64_MAX;
	if (eth_type_of(view) != ETH_SVLAN)
		return;
	set_payload(view, UNKNOWN);
	set_link_unknown(view);
}

static void extract(struct view *view)
{
	__be64 metadata_be = view->flow.x.metadata_be, tunnel_id_be = view->flow.x.tunnel_id_be;

	flow_extract(view->frame.data, view->frame.size, view->of_port, &view->flow);
	view->flow.x.metadata_be = metadata_be;
	view->flow.x.tunnel_id_be = tunnel_id_be;
}

void view_of_frame(struct view *view, const struct frame *frame, uint32_t of_port)
{
	*view = (struct view){.of_port = of_port, .has_frame = true, .frame = *frame};
	extract(view);
}

/* ---- headers that are there ---- */

static void l4_bits(struct flow *ret)
{
	*ret = (struct flow){0};
	flow_look(ret, FIELD_L4_SRC);
	flow_look(ret, FIELD_L4_DST);
	flow_look(ret, FIELD_TCP_FLAGS);
}

/* One of them is set in the key, and looked at already. */
static bool is_seen(const struct view *view, const struct flow *bits, const struct sw_key *mask)
{
	for (int w = SW_L2_WORDS; w < FLOW_FAST_WORDS; w++) {
		if (view->key.w[w] & bits->w[w] & mask->w[w])
			return true;
	}
	return false;
}

/* The highest bit that is set: the same for most clients, whose ports are chosen from the upper half. */
static __be16 highest_bit(__be16 value_be)
{
	uint32_t value = ntohs(value_be);

	return htons((uint16_t)(1U << (31 - __builtin_clz(value))));
}

/* Frames of which something is set are others. */
static bool look_at_nothing(bool transport, struct sw_key *mask)
{
	key_look(mask, FIELD_L4_SRC);
	key_look(mask, transport ? FIELD_L4_DST : FIELD_IP_PROTO);
	return false;
}

/*
 * Of a frame whose header is cut or contradicts itself the key has zeros (bpf/extract.h), and a rewrite leaves it
 * alone. So one bit that is set is enough to tell. False: none is, and only the frame can tell.
 */
static bool is_shown(const struct view *view, bool transport, struct sw_key *mask)
{
	const struct sw_key *key = &view->key;
	struct flow bits;

	memset(&bits, 0xff, sizeof(bits));
	if (transport)
		l4_bits(&bits);
	if (is_seen(view, &bits, mask))
		return true;
	if (!transport && key->f.ip_proto && key->f.eth_type_be != htons(SW_ETH_ARP)) /* ARP has none */
		key_look(mask, FIELD_IP_PROTO);
	else if (key->f.l4_src_be)
		mask->f.l4_src_be |= highest_bit(key->f.l4_src_be);
	else if (transport && key->f.l4_dst_be)
		mask->f.l4_dst_be |= highest_bit(key->f.l4_dst_be);
	else
		return look_at_nothing(transport, mask);
	return true;
}

/* Whether what was written to headers, among these bits, is there. */
static bool are_shown(const struct view *view, const struct flow *bits, struct sw_key *mask)
{
	bool is_ip = eth_type_of(view) == ETH_IPV4 || eth_type_of(view) == ETH_IPV6, shown = true;
	uint64_t of_l3 = 0, of_l4 = 0;
	struct flow l4;

	if (!view->claims)
		return true;
	l4_bits(&l4);
	for (int w = SW_L2_WORDS; w < FLOW_META_WORD; w++) {
		of_l4 |= is_ip ? bits->w[w] & view->claimed.w[w] & l4.w[w] : 0;
		of_l3 |= bits->w[w] & view->claimed.w[w];
	}
	if (of_l4)
		shown = is_shown(view, true, mask);
	else if (of_l3)
		shown = is_shown(view, false, mask);
	return shown;
}

/* ---- looking ---- */

bool view_look(const struct view *view, const struct flow *bits, struct sw_key *mask)
{
	struct flow beyond = {0};
	bool unknown = false;
	uint64_t deep = 0;

	if (view->has_frame)
		return false;
	flow_look(&beyond, FIELD_VLAN_VID);
	flow_look(&beyond, FIELD_VLAN_PCP);
	flow_look(&beyond, FIELD_ETH_TYPE);
	for (int w = 0; w < FLOW_META_WORD; w++) {
		unknown |= !!(bits->w[w] & view->unknown.w[w]);
		if (w >= FLOW_FAST_WORDS)
			continue;
		mask->w[w] |= bits->w[w] & ~view->known.w[w] & ~view->unknown.w[w];
		deep |= w >= SW_L2_WORDS ? bits->w[w] & ~view->known.w[w]
					 : bits->w[w] & beyond.w[w] & ~view->known.w[w];
	}
	unknown |= !are_shown(view, bits, mask);
	if (deep || unknown)
		key_look(mask, FIELD_ETH_TYPE);
	return unknown;
}

static bool look_at(const struct view *view, enum field_id field, struct sw_key *mask)
{
	struct flow bits = {0};

	flow_look(&bits, field);
	return !view_look(view, &bits, mask);
}

/* ---- rewriting, where only the key is known ---- */

/* The same bytes under another type: a tag's makes a tag of them, if none stands in front, and of others nothing is
 * known. */
static bool change_eth_type(struct view *view, uint16_t eth_type, struct sw_key *mask)
{
	if (is_tag_type(eth_type) && !look_at(view, FIELD_VLAN_VID, mask))
		return false;
	set_payload(view, UNKNOWN);
	set_eth_type(view, eth_type);
	if (is_tag_type(eth_type) && !is_tagged(view))
		set_link_unknown(view);
	return true;
}

static bool push_vlan(struct view *view, uint16_t tpid, struct sw_key *mask)
{
	if (!look_at(view, FIELD_VLAN_VID, mask))
		return false;
	if (is_tagged(view)) { /* the tag is copied; what it was stands behind it now */
		set_eth_type(view, view->tpid);
		set_payload(view, KNOWN);
	} else {
		set_tci(view, SW_VLAN_PRESENT);
	}
	view->tpid = tpid;
	return true;
}

static bool pop_vlan(struct view *view, struct sw_key *mask)
{
	if (!look_at(view, FIELD_VLAN_VID, mask))
		return false;
	if (!is_tagged(view))
		return true;
	if (!look_at(view, FIELD_ETH_TYPE, mask))
		return false;
	if (is_tag_type(eth_type_of(view))) {
		set_payload(view, UNKNOWN);
		set_link_unknown(view);
		return true;
	}
	set_tci(view, 0);
	return true;
}

/* The label goes in front of a VLAN tag, which is payload from then on; one behind the tag is copied all the same. */
static bool push_mpls(struct view *view, uint16_t eth_type, struct sw_key *mask)
{
	bool copied, stacked;

	if (!look_at(view, FIELD_ETH_TYPE, mask) || !look_at(view, FIELD_VLAN_VID, mask))
		return false;
	copied = is_mpls_type(eth_type_of(view));
	stacked = copied && !is_tagged(view);
	set_payload(view, KNOWN);
	set_eth_type(view, eth_type);
	set_tci(view, 0);
	if (!stacked)
		view->flow.x.mpls_lse_be = htonl(0x100);
	if (copied) {
		set_field_kind(view, FIELD_MPLS_LABEL, UNKNOWN);
		set_field_kind(view, FIELD_MPLS_TC, UNKNOWN);
	}
	return true;
}

static bool pop_mpls(struct view *view, uint16_t eth_type, struct sw_key *mask)
{
	if (!look_at(view, FIELD_ETH_TYPE, mask))
		return false;
	if (!is_mpls_type(eth_type_of(view)))
		return true;
	return change_eth_type(view, eth_type, mask);
}

static bool push_pbb(struct view *view, struct sw_key *mask)
{
	bool stacked;

	if (!look_at(view, FIELD_ETH_TYPE, mask) || !look_at(view, FIELD_VLAN_VID, mask))
		return false;
	stacked = eth_type_of(view) == ETH_PBB;
	set_payload(view, KNOWN);
	set_eth_type(view, ETH_PBB);
	set_tci(view, 0);
	if (stacked)
		set_field_kind(view, FIELD_PBB_ISID, UNKNOWN);
	return true;
}

static bool pop_pbb(struct view *view, struct sw_key *mask)
{
	if (!look_at(view, FIELD_ETH_TYPE, mask))
		return false;
	if (eth_type_of(view) != ETH_PBB)
		return true;
	set_payload(view, UNKNOWN);
	set_link_unknown(view);
	set_addresses_unknown(view);
	return true;
}

static bool is_l4(enum field_id field)
{
	switch (field) {
	case FIELD_TCP_SRC:
	case FIELD_TCP_DST:
	case FIELD_UDP_SRC:
	case FIELD_UDP_DST:
	case FIELD_SCTP_SRC:
	case FIELD_SCTP_DST:
	case FIELD_ICMP_TYPE:
	case FIELD_ICMP_CODE:
	case FIELD_ICMPV6_TYPE:
	case FIELD_ICMPV6_CODE:
		return true;
	default:
		return false;
	}
}

static bool is_nd(enum field_id field)
{
	return field == FIELD_ND_TARGET || field == FIELD_ND_SLL || field == FIELD_ND_TLL;
}

/* What a pop has laid bare may be a whole header of the type that it was given, or not. */
static bool is_laid_bare(const struct view *view)
{
	struct flow bits = {0};
	uint64_t unknown = 0;

	flow_look(&bits, FIELD_IP_PROTO);
	for (int w = 0; w < FLOW_FAST_WORDS; w++)
		unknown |= bits.w[w] & view->unknown.w[w];
	return unknown;
}

/* Whether the frame has the field at all; *ret_known: it can be told. */
static bool has_field(const struct view *view, enum field_id field, struct sw_key *mask, bool *ret_known)
{
	struct flow_match all = {.key = view->flow};

	*ret_known = true;
	if (field == FIELD_VLAN_VID || field == FIELD_VLAN_PCP) {
		*ret_known = look_at(view, FIELD_VLAN_VID, mask);
		return is_tagged(view);
	}
	if (field_row(field)->prerequisite == 0 && !is_l4(field) && field != FIELD_IP_DSCP && field != FIELD_IP_ECN &&
		field != FIELD_IP_PROTO && field != FIELD_ND_TARGET && field < FIELD_MPLS_LABEL)
		return true;
	*ret_known = look_at(view, FIELD_ETH_TYPE, mask);
	if (!is_mpls_type(eth_type_of(view)) && eth_type_of(view) != ETH_PBB)
		*ret_known &= !is_laid_bare(view);
	if (eth_type_of(view) == ETH_IPV4 || eth_type_of(view) == ETH_IPV6) {
		if (is_l4(field) || is_nd(field))
			*ret_known &= look_at(view, FIELD_IP_PROTO, mask) && look_at(view, FIELD_IP_FRAG, mask);
		if (is_l4(field) && view->flow.x.f.ip_frag & SW_FRAG_LATER)
			return false;
		if (is_nd(field))
			*ret_known &= look_at(view, FIELD_ICMPV6_TYPE, mask);
	}
	memset(&all.mask, 0xff, sizeof(all.mask));
	return field_prerequisite_met(field, &all);
}

/* What a new protocol makes of the bytes behind it is not known. */
static void reinterpret(struct view *view, enum field_id field)
{
	if (field != FIELD_IP_PROTO && field != FIELD_ICMPV6_TYPE && field != FIELD_IPV6_EXTHDR)
		return;
	set_field_kind(view, FIELD_HW_SRC, UNKNOWN);
	set_field_kind(view, FIELD_HW_DST, UNKNOWN);
	set_field_kind(view, FIELD_ND_TARGET, UNKNOWN);
	if (field != FIELD_IP_PROTO)
		return;
	set_field_kind(view, FIELD_L4_SRC, UNKNOWN);
	set_field_kind(view, FIELD_L4_DST, UNKNOWN);
	set_field_kind(view, FIELD_TCP_FLAGS, UNKNOWN);
	view->key.f.l4_src_be = view->key.f.l4_dst_be = view->key.f.tcp_flags_be = 0; /* they show nothing of it */
}

/* A later table that looks at it wants to know whether its header is there at all. */
static void claim(struct view *view, enum field_id field)
{
	struct flow bits = {0};

	if (is_mpls_type(eth_type_of(view)) || eth_type_of(view) == ETH_PBB)
		return;
	flow_look(&bits, field);
	for (int w = SW_L2_WORDS; w < FLOW_META_WORD; w++)
		view->claimed.w[w] |= bits.w[w];
	view->claims = true;
}

static bool set_field(struct view *view, const struct action *action, struct sw_key *mask)
{
	enum field_id field = action->field;
	bool known;

	if (!has_field(view, field, mask, &known))
		return known;
	if (!known)
		return false;
	if (field == FIELD_ETH_TYPE)
		return change_eth_type(view, load_be16(action->value), mask);
	field_write(field, &view->flow, action->value);
	if (field == FIELD_VLAN_VID)
		view->flow.x.f.vlan_tci_be |= htons(SW_VLAN_PRESENT);
	set_field_kind(view, field, KNOWN);
	claim(view, field);
	reinterpret(view, field);
	return true;
}

static bool rewrite_key(struct view *view, const struct action *action, struct sw_key *mask)
{
	switch ((enum action_type)action->type) {
	case ACTION_SET_FIELD:
		return set_field(view, action, mask);
	case ACTION_PUSH_VLAN:
		return push_vlan(view, action->arg, mask);
	case ACTION_POP_VLAN:
		return pop_vlan(view, mask);
	case ACTION_PUSH_MPLS:
		return push_mpls(view, action->arg, mask);
	case ACTION_POP_MPLS:
		return pop_mpls(view, action->arg, mask);
	case ACTION_PUSH_PBB:
		return push_pbb(view, mask);
	case ACTION_POP_PBB:
		return pop_pbb(view, mask);
	default: /* TTLs: no rule can look at one */
		return true;
	}
}

/* ---- rewriting ---- */

static void forget_field(struct view *view, enum field_id field)
{
	struct flow bits = {0};

	flow_look(&bits, field);
	set_field_kind(view, field, UNKNOWN);
	for (int w = 0; w < FLOW_WORDS; w++)
		view->flow.w[w] &= ~bits.w[w];
}

/* The key does not tell what the action does to a frame: what it may change is unknown, for who looks at it. */
static void forget(struct view *view, const struct action *action)
{
	if (action->type == ACTION_SET_FIELD && action->field != FIELD_ETH_TYPE) {
		forget_field(view, action->field);
		reinterpret(view, action->field);
		return;
	}
	set_payload(view, UNKNOWN);
	set_link_unknown(view);
	if (action->type == ACTION_POP_PBB)
		set_addresses_unknown(view);
}

static bool changes_bytes(const struct action *action)
{
	return action->type != ACTION_SET_FIELD || action->field != FIELD_TUNNEL_ID;
}

bool view_rewrite(struct view *view, const struct action *action, struct sw_key *mask)
{
	bool bad_ttl;

	if (!changes_bytes(action)) {
		field_write(FIELD_TUNNEL_ID, &view->flow, action->value);
		return true;
	}
	view->rewritten = true;
	if (!view->has_frame) {
		if (!rewrite_key(view, action, mask))
			forget(view, action);
		return true;
	}
	bad_ttl = rewrite_apply(&view->frame, action) == REWRITE_BAD_TTL;
	extract(view);
	return !bad_ttl;
}

/* ---- the pipeline's own ---- */

void view_set_metadata(struct view *view, uint64_t metadata, uint64_t mask)
{
	view->flow.x.metadata_be = htobe64((view_metadata(view) & ~mask) | (metadata & mask));
}

uint64_t view_metadata(const struct view *view)
{
	return be64toh(view->flow.x.metadata_be);
}

uint64_t view_tunnel_id(const struct view *view)
{
	return be64toh(view->flow.x.tunnel_id_be);
}
