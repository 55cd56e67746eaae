/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ofbridge.h - a bridge as an OpenFlow agent sees it: everything that a controller may change or ask, and hear of.
 *
 * What: the only way from ofp/ into the dataplane. Whatever is changed here is in the maps after the next
 * vswitch_settle(), and only then may a reply leave (C3).
 *
 * Errors are what the controller must hear (of_error.h); a refused call changes nothing.
 *
 * Counters: what is read through tables, groups and meters is what has been harvested. ofbridge_refresh*() bring in
 * what cached flows have counted since.
 *
 * Events come from within calls and from the loop; the callee must not call back into the bridge, but for reading.
 * Ownership: an ofbridge lives as long as its bridge; vswitch tells when one goes (vswitch_on_bridges()).
 */
#ifndef DATAPLANE_OFBRIDGE_H
#define DATAPLANE_OFBRIDGE_H

#include "dataplane/group.h"
#include "dataplane/meter.h"
#include "dataplane/table.h"

struct ofbridge;

#define OF_BUFFERS   256 /* frames that wait for a controller to say what becomes of them */
#define OF_NO_BUFFER 0xffffffffu

/* OFPR_*, OF 1.3.5 §7.4.1. */
enum packet_in_reason { PACKET_IN_NO_MATCH, PACKET_IN_ACTION, PACKET_IN_INVALID_TTL };

struct packet_in {
	uint8_t reason; /* enum packet_in_reason */
	uint8_t table_id;
	uint16_t max_len;     /* bytes of the frame that the action asks for; ACTION_MAX_LEN_ALL */
	uint64_t cookie;      /* of the rule; all ones where there is none */
	struct flow flow;     /* in_port, metadata and tunnel id, to be sent as the match */
	const uint8_t *frame; /* as it is at that point of the pipeline; borrowed for the call */
	uint32_t size;
};

/* OFPPR_* */
enum port_change { PORT_CHANGE_ADD, PORT_CHANGE_DELETE, PORT_CHANGE_MODIFY };

/* OFPPC_*: what a port-mod sets. */
enum {
	OF_PORT_CONFIG_DOWN = 1,
	OF_PORT_CONFIG_NO_RECV = 4,
	OF_PORT_CONFIG_NO_FWD = 32,
	OF_PORT_CONFIG_NO_PACKET_IN = 64
};
/* OFPPS_* */
enum { OF_PORT_STATE_LINK_DOWN = 1, OF_PORT_STATE_BLOCKED = 2, OF_PORT_STATE_LIVE = 4 };

struct of_port_desc {
	uint32_t number;
	uint8_t mac[6];
	char name[SW_NAME_SIZE];
	uint32_t config, state;
	uint32_t features;            /* OFPPF_*, current */
	uint32_t curr_kbps, max_kbps; /* 0: not known */
};

struct of_port_stats {
	uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes, rx_dropped, tx_dropped;
	uint64_t duration_ns; /* since it was added */
};

struct ofbridge_events {
	void *ctx;
	bool (*packet_in)(void *ctx, const struct packet_in *in); /* false: nobody takes it */
	/* Of a rule that asked for it, with its final counters. */
	void (*flow_removed)(void *ctx, const struct rule *rule);
	void (*port_changed)(void *ctx, enum port_change change, const struct of_port_desc *desc);
};

/* At most one listener; NULL takes it away. Copied. */
void ofbridge_listen(struct ofbridge *b, const struct ofbridge_events *events);

const char *ofbridge_name(const struct ofbridge *b);
uint64_t ofbridge_datapath_id(const struct ofbridge *b);

enum of_err ofbridge_flow_mod(struct ofbridge *b, const struct flow_mod *mod);
/* A controller asked for a barrier: after a restart, a sign that its rules are back. */
void ofbridge_barrier(struct ofbridge *b);
enum of_err ofbridge_group_mod(struct ofbridge *b, const struct group_mod *mod);
enum of_err ofbridge_meter_mod(struct ofbridge *b, const struct meter_mod *mod);
/* `mac` must be the port's (OFPPMFC_BAD_HW_ADDR). */
enum of_err ofbridge_port_mod(
	struct ofbridge *b, uint32_t of_port, const uint8_t mac[6], uint32_t config, uint32_t mask);
enum of_err ofbridge_table_mod(struct ofbridge *b, uint8_t table_id, uint32_t config);

/*
 * A packet-out: the frame as if it had come in by `in_port` (a port's number, OF_PORT_CONTROLLER or OF_PORT_ANY), the
 * actions applied to it. An output to OF_PORT_TABLE runs it through the tables.
 */
enum of_err ofbridge_packet_out(
	struct ofbridge *b, uint32_t in_port, const struct actions *actions, const uint8_t *frame, uint32_t size);

/* OF_OK, or why a packet-out or a rule may not hold these actions. `match` may be NULL. */
enum of_err ofbridge_check_actions(
	struct ofbridge *b, const struct actions *actions, const struct flow_match *match, bool packet_out);

/* For reading, and for cursors. */
struct tables *ofbridge_tables(struct ofbridge *b);
struct groups *ofbridge_groups(struct ofbridge *b);
struct meters *ofbridge_meters(struct ofbridge *b);

/* Brings counters up to date: of everything (a few ms with a full cache), or of one rule, group. */
void ofbridge_refresh(struct ofbridge *b);
void ofbridge_refresh_rule(struct ofbridge *b, struct rule *rule);
void ofbridge_refresh_group(struct ofbridge *b, struct group *group);

/* The next port with a number above `number`, for walking from 0; false: there is none. Either `ret` may be NULL. */
bool ofbridge_next_port(
	const struct ofbridge *b, uint32_t number, struct of_port_desc *ret_desc, struct of_port_stats *ret_stats);
bool ofbridge_port(
	const struct ofbridge *b, uint32_t number, struct of_port_desc *ret_desc, struct of_port_stats *ret_stats);

/*
 * On: the bridge does what it does without a controller, NORMAL for all (fail mode standalone): its tables are emptied
 * and hold that one rule, and its groups and meters go with the rules that named them: who steers it next finds what a
 * new bridge has, and adds them without being told that they exist. Off: the rule goes, if it is still there, and
 * nothing else is touched.
 */
void ofbridge_set_standalone(struct ofbridge *b, bool on);

uint64_t ofbridge_now_ns(const struct ofbridge *b);

#endif
