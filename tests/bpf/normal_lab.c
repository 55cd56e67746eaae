/* SPDX-License-Identifier: BSD-2-Clause */
#include "normal_lab.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

void lab_setup(struct fixture *f)
{
	const uint32_t member_ids[] = {MEMBER, MEMBER + 1}, member_ifindexes[] = {trial_taker, trial_taker};
	struct sw_port port = trial_port();
	struct sw_key bits = {0};

	trial_setup(f);
	port.n_queues = 1;
	fixture_set_port(f, TRIAL_LO, &port);
	fixture_set_output(f, FLOOD, TRIAL_LO);
	fixture_set_members(f, SET, member_ids, member_ifindexes, 2, FIT);
	bits.f.in_ifindex = UINT32_MAX; /* as translate() asks for NORMAL */
	bits.f.vlan_tci_be = htons(SW_VLAN_PRESENT | SW_VLAN_VID);
	f->config->n_order = 0;
	fixture_set_mask(f, 0, &bits);
}

uint32_t lab_put(struct fixture *f, const struct packet *p, uint16_t bridge, uint16_t vid, uint8_t flags,
	const struct sw_step *flood, unsigned int n)
{
	struct sw_step steps[SW_MAX_STEPS] = {STEP(NORMAL, vid)};
	uint32_t slot;

	memcpy(&steps[1], flood, sizeof(*flood) * n);
	slot = trial_put(f, p, flags, steps, 1 + n);
	fixture_set_bridge(f, slot, bridge);
	return slot;
}

void lab_make(struct packet *p, int tci, uint64_t dst, uint64_t src)
{
	packet_plain(p, tci, 64);
	packet_set_macs(p, dst, src);
}

/* ---- what became of a frame ---- */

struct account {
	struct fate fate;
	size_t flow_packets, flow_bytes, rx_frames, rx_bytes, misses, tx_frames, tx_bytes, copies, upcalls, drops;
};

struct words {
	char text[250];
};

static struct words in_words(const struct account *a)
{
	static const char *const reasons[] = {"none", "miss", "action", "frags", "over_mtu", "learn", "normal"};
	static const char *const drops[] = {
#define X(name, word, text) word,
		SW_DROPS(X)
#undef X
	};
	const struct fate *fate = &a->fate;
	char what[60], tag[30] = "untagged";
	struct words words;

	if (fate->tci != UNTAGGED)
		snprintf(tag, sizeof(tag), "tagged %04x", fate->tci);
	if (fate->what == DROPPED)
		snprintf(what, sizeof(what), "dropped at port %u for %s", fate->port, drops[fate->drop]);
	else if (fate->what == SENT)
		snprintf(what, sizeof(what), "sent by port %u, %s", fate->port, tag);
	else if (fate->what == FLOODED)
		snprintf(what, sizeof(what), "flooded, %s", tag);
	else
		snprintf(what, sizeof(what), "up for %s", reasons[fate->reason]);
	snprintf(words.text, sizeof(words.text),
		"%s; flow %zu (%zu bytes), rx %zu (%zu), misses %zu, tx %zu (%zu), copies %zu, upcalls %zu, drops %zu",
		what, a->flow_packets, a->flow_bytes, a->rx_frames, a->rx_bytes, a->misses, a->tx_frames, a->tx_bytes,
		a->copies, a->upcalls, a->drops);
	return words;
}

/* Each of what happened once. */
static struct account expected(const struct fate *fate, const struct packet *in, const struct packet *out)
{
	return (struct account){
		.fate = *fate,
		.flow_packets = 1,
		.flow_bytes = in->size,
		.rx_frames = 1,
		.rx_bytes = in->size,
		.tx_frames = fate->what == SENT,
		.tx_bytes = fate->what == SENT ? out->size : 0,
		.copies = fate->what == FLOODED ? 2 : 0,
		.upcalls = fate->what == UP,
		.drops = fate->what == DROPPED,
	};
}

static void observe_ports(const struct fixture *f, struct account *a)
{
	uint32_t port;

	for (port = 0; port < N_PORTS; port++) {
		struct sw_port_stats stats = fixture_port_stats(f, port);

		a->rx_frames += stats.rx_frames;
		a->rx_bytes += stats.rx_bytes;
		a->misses += stats.misses;
		a->tx_frames += stats.tx_frames;
		a->tx_bytes += stats.tx_bytes;
		a->upcalls += stats.upcalls;
		if (stats.tx_frames)
			a->fate.port = port;
	}
	a->copies = fixture_port_stats(f, MEMBER).tx_frames + fixture_port_stats(f, MEMBER + 1).tx_frames;
}

static void observe_drop(const struct fixture *f, struct account *a)
{
	uint32_t port, reason;

	for (port = 0; port < N_PORTS; port++) {
		for (reason = 0; reason < SW_N_DROPS; reason++) {
			if (fixture_drops(f, port, reason)) {
				a->fate.port = port;
				a->fate.drop = reason;
			}
		}
	}
}

static struct account observed(const struct fixture *f, const struct outcome *o, uint32_t slot)
{
	struct sw_flow_stats flow = fixture_flow_stats(f, slot);
	struct account a = {
		.flow_packets = flow.packets,
		.flow_bytes = flow.bytes,
		.drops = fixture_all_drops(f),
		.fate.tci = packet_tci(&o->out),
	};

	ck_assert_msg(o->verdict == XDP_DROP || o->verdict == XDP_REDIRECT, "verdict %d", o->verdict);
	observe_ports(f, &a);
	if (o->verdict == XDP_DROP)
		observe_drop(f, &a);
	else if (o->meta_size)
		a.fate = (struct fate){.what = UP, .reason = trial_meta(o).reason % 7};
	else
		a.fate.what = a.tx_frames ? SENT : FLOODED;
	return a;
}

/* What left has the tag that it should have, and else the bytes that came. */
void lab_check(struct fixture *f, const char *name, const struct fate *fate, const struct packet *in,
	const struct outcome *o, uint32_t slot)
{
	struct packet out = *in, left = o->out;
	struct account should, is = observed(f, o, slot);
	struct words should_be;

	if (fate->what == SENT || fate->what == FLOODED)
		packet_retag(&out, fate->tci);
	should = expected(fate, in, &out);
	should_be = in_words(&should);
	ck_assert_msg(!strcmp(in_words(&is).text, should_be.text), "%s:\n  %s, but should be\n  %s", name,
		in_words(&is).text, should_be.text);
	if (fate->what == DROPPED)
		return;
	if (fate->what == UP)
		trial_check_meta(o, fate->reason, slot);
	left.size -= o->meta_size;
	memmove(left.bytes, left.bytes + o->meta_size, left.size);
	ck_assert_msg(left.size == out.size && !memcmp(left.bytes, out.bytes, out.size), "%s: other bytes", name);
}
