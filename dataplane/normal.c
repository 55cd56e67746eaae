/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/normal.h"

#include "dataplane/ofbridge.h"
#include "dataplane/vlan.h"
#include "dataplane/xlate.h"

#include <arpa/inet.h>

#define MAC_TEXT     "%02x:%02x:%02x:%02x:%02x:%02x"
#define MAC_BYTES(m) m[0], m[1], m[2], m[3], m[4], m[5]

static uint16_t tci_of(const struct translation *t)
{
	return ntohs(t->key->f.vlan_tci_be) & (SW_VLAN_PRESENT | SW_VLAN_VID);
}

static bool is_zero(const uint8_t mac[6])
{
	return !(mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]);
}

static bool is_group(const uint8_t mac[6])
{
	return mac[0] & 1;
}

/* IEEE 802.1Q-2018 table 8-1: addresses that a VLAN bridge does not relay. */
static bool is_reserved(const uint8_t mac[6])
{
	static const uint8_t prefix[5] = {0x01, 0x80, 0xc2, 0x00, 0x00};

	return !memcmp(mac, prefix, sizeof(prefix)) && mac[5] <= 0x0f;
}

static void consult_vlan(const struct translation *t)
{
	key_look(&t->answer->mask, FIELD_IN_PORT);
	key_look(&t->answer->mask, FIELD_VLAN_VID);
}

static bool addresses_pass(const struct translation *t)
{
	const uint8_t *src = t->key->f.eth_src, *dst = t->key->f.eth_dst;

	if (is_group(src) || is_zero(src)) {
		xlate_tell(t, 1, "source " MAC_TEXT " is %s: dropped", MAC_BYTES(src),
			is_zero(src) ? "zero" : "a group address");
		xlate_drop(t, SW_DROP_BAD_SOURCE);
		return false;
	}
	if (is_reserved(dst) && !t->bridge->forward_reserved) {
		xlate_tell(t, 1, "destination " MAC_TEXT " is reserved, and bridge %s does not forward those: dropped",
			MAC_BYTES(dst), t->bridge->name);
		xlate_drop(t, SW_DROP_RESERVED_MAC);
		return false;
	}
	return true;
}

static const char *frame_kind(uint16_t tci, char *text, size_t size)
{
	if (!(tci & SW_VLAN_PRESENT))
		return "an untagged frame";
	if (!(tci & SW_VLAN_VID))
		return "a frame with a priority tag";
	snprintf(text, size, "a frame tagged %u", tci & SW_VLAN_VID);
	return text;
}

/* What the switch itself sends has come in by no port, and belongs where its tag says, as on an open one. */
static bool vlan_passes(const struct translation *t)
{
	static const struct vlan_config open = {.mode = VLAN_OPEN};
	enum sw_drop drop = vlan_admit(t->in ? &t->in->vlan : &open, tci_of(t), &t->answer->vid);
	char vlan[64], kind[32];

	if (t->trace) {
		vlan_format(&t->in->vlan, vlan, sizeof(vlan));
		if (drop)
			xlate_tell(t, 1, "port %s is %s: %s is not admitted", t->in->name, vlan,
				frame_kind(tci_of(t), kind, sizeof(kind)));
		else
			xlate_tell(t, 1, "port %s is %s: %s belongs to VLAN %u", t->in->name, vlan,
				frame_kind(tci_of(t), kind, sizeof(kind)), t->answer->vid);
	}
	if (drop)
		xlate_drop(t, drop);
	return !drop;
}

static struct fdb_key address_in_vlan(const struct translation *t, const uint8_t mac[6])
{
	struct fdb_key key = {.bridge = t->bridge->id, .vid = t->answer->vid};

	memcpy(key.mac, mac, sizeof(key.mac));
	return key;
}

/*
 * What came in by no port says nothing. A static entry is never learned over, wherever its address shows up. A port
 * that is down does not learn either: what still comes out of its queue would bring back the addresses that its going
 * down flushed.
 */
static void learn(const struct translation *t)
{
	const struct fdb_key key = address_in_vlan(t, t->key->f.eth_src);
	const struct fdb_entry *entry = fdb_lookup(t->fdb, &key);
	struct xlate_learn *learn = &t->answer->learn;

	if (!t->in)
		return;
	if (entry && entry->flags & FDB_STATIC) {
		xlate_tell(t, 1, "source " MAC_TEXT " has a static entry: nothing to learn", MAC_BYTES(key.mac));
		return;
	}
	if (!t->in->up) {
		xlate_tell(t, 1, "port %s is down: nothing is learned from it", t->in->name);
		return;
	}
	*learn = (struct xlate_learn){
		.wanted = !entry || entry->port != t->in->id,
		.moved = entry && entry->port != t->in->id,
		.key = key,
		.port = t->in->id,
	};
	xlate_tell(t, 1, "source " MAC_TEXT " is %s on %s in VLAN %u", MAC_BYTES(key.mac),
		!entry          ? "to be learned"
		: learn->wanted ? "to be moved, it is now"
				: "known",
		t->in->name, key.vid);
}

/* How a frame of this VLAN, as it came, is made to leave in that form. */
static enum xlate_tag tag_for(const struct translation *t, enum vlan_form form)
{
	uint16_t tci = tci_of(t);

	if (!t->answer->vid)
		return XLATE_AS_IS; /* VLAN 0: no tag, or a priority tag, and open ports only */
	if (form == VLAN_UNTAGGED)
		return tci & SW_VLAN_PRESENT ? XLATE_UNTAGGED : XLATE_AS_IS;
	return tci == (SW_VLAN_PRESENT | t->answer->vid) ? XLATE_AS_IS : XLATE_TAGGED;
}

static const char *tag_text(enum xlate_tag tag)
{
	switch (tag) {
	case XLATE_AS_IS:
		return "as it came";
	case XLATE_UNTAGGED:
		return "without its tag";
	case XLATE_TAGGED:
		return "tagged with its VLAN";
	}
	return "";
}

/* OF 1.3.5 §7.2.1: a controller may have told it not to. Or it is a mirror's. */
static bool may_forward(const struct port *port)
{
	return !(port->of_config & OF_PORT_CONFIG_NO_FWD) && !port->is_mirrors;
}

static enum sw_drop why_not(const struct port *port)
{
	return port->is_mirrors ? SW_DROP_MIRROR_PORT : SW_DROP_PORT_CONFIG;
}

/* All other ports of the bridge that are up and in the VLAN. */
static void flood(const struct translation *t)
{
	const struct port *port = NULL;
	uint32_t n = 0;

	while ((port = pipeline_next_port(t->pl, port ? port->id : 0))) {
		enum vlan_form form;

		if (port->bridge != t->bridge->id || port == t->in || !port->up || !may_forward(port))
			continue;
		form = vlan_leave(&port->vlan, t->answer->vid);
		if (form == VLAN_NOT_A_MEMBER)
			continue;
		xlate_tell(t, 2, "to %s, %s", port->name, tag_text(tag_for(t, form)));
		xlate_tell_mirrors(t, 3, port);
		xlate_output(t, port->id, tag_for(t, form));
		n++;
	}
	if (n) {
		t->answer->flood = true;
		return;
	}
	xlate_tell(t, 2, "no other port is up and in VLAN %u: dropped", t->answer->vid);
	xlate_drop(t, SW_DROP_NO_OUTPUT);
}

static void forward_to(const struct translation *t, uint16_t id)
{
	const struct port *port = pipeline_port(t->pl, id);
	enum vlan_form form;

	if (t->in && id == t->in->id) {
		xlate_tell(t, 2, "that is where the frame came from: dropped");
		xlate_drop(t, SW_DROP_SAME_PORT);
		return;
	}
	if (!port || port->bridge != t->bridge->id || !port->up) {
		xlate_tell(t, 2, "that port is %s: dropped",
			port && port->bridge == t->bridge->id ? "down" : "not on this bridge any more");
		xlate_drop(t, SW_DROP_PORT_DOWN);
		return;
	}
	if (!may_forward(port)) {
		xlate_tell(t, 2,
			port->is_mirrors ? "that port is a mirror's: dropped"
					 : "a controller has told that port not to forward: dropped");
		xlate_drop(t, why_not(port));
		return;
	}
	form = vlan_leave(&port->vlan, t->answer->vid);
	if (form == VLAN_NOT_A_MEMBER) {
		xlate_tell(t, 2, "that port is not in VLAN %u: dropped", t->answer->vid);
		xlate_drop(t, SW_DROP_NO_OUTPUT);
		return;
	}
	xlate_tell(t, 2, "to %s, %s", port->name, tag_text(tag_for(t, form)));
	xlate_tell_mirrors(t, 3, port);
	xlate_output(t, id, tag_for(t, form));
}

static void choose_outputs(const struct translation *t)
{
	const struct fdb_key key = address_in_vlan(t, t->key->f.eth_dst);
	const struct fdb_entry *entry;
	const struct port *port;

	if (is_group(key.mac)) {
		xlate_tell(t, 1, "destination " MAC_TEXT " is a group address: to all others in VLAN %u",
			MAC_BYTES(key.mac), key.vid);
		flood(t);
		return;
	}
	entry = fdb_lookup(t->fdb, &key);
	if (!entry) {
		xlate_tell(t, 1, "the FDB does not know " MAC_TEXT ": to all others in VLAN %u", MAC_BYTES(key.mac),
			key.vid);
		flood(t);
		return;
	}
	port = pipeline_port(t->pl, entry->port);
	xlate_tell(t, 1, "the FDB has " MAC_TEXT " in VLAN %u on %s%s", MAC_BYTES(key.mac), key.vid,
		port ? port->name : "a port that is gone", entry->flags & FDB_STATIC ? " (static)" : "");
	forward_to(t, entry->port);
}

/* The half that the addresses decide. */
static void forward(const struct translation *t)
{
	if (!addresses_pass(t))
		return;
	learn(t);
	choose_outputs(t);
}

void normal_forward(const struct translation *t)
{
	struct translation silent = *t;

	consult_vlan(t);
	if (!vlan_passes(t))
		return;
	t->answer->normal = true;
	silent.trace = NULL; /* what becomes of the frame at hand is told when it is carried out */
	flood(&silent);
}

void normal_answer(
	const struct pipeline *pl, uint16_t bridge, uint16_t in_port, const struct sw_key *key, struct xlate *ret)
{
	struct translation t = xlate_begin(pl, key, NULL, ret);

	memset(ret, 0, offsetof(struct xlate, outputs));
	t.in = pipeline_port(pl, in_port);
	t.bridge = pipeline_bridge(pl, bridge);
	ret->in_port = in_port;
	ret->bridge = bridge;
	consult_vlan(&t);
	if (vlan_passes(&t))
		forward(&t);
}

void normal_carry_out(
	const struct pipeline *pl, const struct sw_key *key, const struct trace_sink *trace, struct xlate *answer)
{
	const struct translation t = xlate_begin(pl, key, trace, answer);

	if (!answer->normal)
		return;
	answer->normal = false;
	answer->flood = false;
	answer->n_outputs = 0;
	answer->drop = SW_DROP_NONE;
	forward(&t);
}

/* What leaves by the port goes to mirrors, too. */
static void mirror_out(const struct pipeline *pl, const struct port *port, uint16_t vid, struct fdb_out *out)
{
	uint64_t mirrors = pipeline_mirrors_in_vlan(pl, port->mirrors_out, vid);

	if (!mirrors)
		return;
	out->drop = out->out;
	out->out = SW_FDB_OUT_MIRRORED;
	out->mirror = mirrors_first(mirrors);
	if (mirrors & (mirrors - 1))
		out->mirror |= SW_FDB_MIRRORS;
}

struct fdb_out normal_out(const struct pipeline *pl, const struct fdb_entry *entry)
{
	const struct port *port = pipeline_port(pl, entry->port);
	struct fdb_out out = {0};
	enum vlan_form form;

	if (!port || port->bridge != entry->key.bridge || !port->up)
		return (struct fdb_out){.out = SW_FDB_OUT_DROP, .drop = SW_DROP_PORT_DOWN};
	if (!may_forward(port))
		return (struct fdb_out){.out = SW_FDB_OUT_DROP, .drop = why_not(port)};
	form = vlan_leave(&port->vlan, entry->key.vid);
	if (form == VLAN_NOT_A_MEMBER)
		return (struct fdb_out){.out = SW_FDB_OUT_DROP, .drop = SW_DROP_NO_OUTPUT};
	if (!port->fast)
		return (struct fdb_out){.out = SW_FDB_OUT_UPCALL};
	out.out = !entry->key.vid ? SW_FDB_OUT_AS_IS : form == VLAN_UNTAGGED ? SW_FDB_OUT_UNTAGGED : SW_FDB_OUT_TAGGED;
	out.flags = port->sg ? 0 : SW_FDB_ONE_BUFFER;
	mirror_out(pl, port, entry->key.vid, &out);
	return out;
}
