/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pipeline.h - bridges, their ports and rules, and the one question that everything asks them: translate().
 *
 * What: translate(key) says what happens to every frame that agrees with `key` in the bits it consulted. The miss path,
 * revalidation, `switchctl trace` and the tests ask the same call, and it has no side effects.
 *
 * What a frame's addresses decide is left open: where the answer is NORMAL (xlate.normal), the FDB is asked for each
 * frame by whoever carries the answer out, which is the program's NORMAL step (bpf/normal.h), or normal_carry_out() in
 * the daemon. What should be learned is part of what that says, and whoever acts on it learns it.
 *
 * Why no shortcut for layer 2: learning is the NORMAL action of a rule (normal.c), the table's last, priority 0. A
 * controller that adds rules in front of it, or takes it out, finds nothing beside it to switch off.
 *
 * Invariants
 * T1 Pure: the same pipeline and key give the same answer, and asking changes neither.
 * T2 Complete: the answer holds for every key that agrees with this one in xlate.mask (C2). in_ifindex is always in it.
 *    Of an answer that is not cacheable only this holds: mask and `cacheable` are the same for all of them.
 * T3 Every fact outside the key that the answer rests on changes only with pipeline_version().
 * Safe error: a bit too many. Unsafe error: one too few.
 *
 * Ownership: the pipeline owns bridges and ports; pointers handed out are borrowed until the next change of
 * configuration. The FDB is borrowed for the pipeline's life. Single-threaded.
 */
#ifndef DATAPLANE_PIPELINE_H
#define DATAPLANE_PIPELINE_H

#include "dataplane/fdb.h"
#include "dataplane/flow.h"
#include "dataplane/vlan.h"

struct action_names;
struct actions;
struct classifier;
struct complaint;
struct pipeline;

struct bridge {
	uint16_t id;
	char name[SW_NAME_SIZE];
	uint32_t ageing_s;     /* 0: addresses never age */
	uint32_t fdb_limit;    /* addresses */
	bool forward_reserved; /* forward 01:80:C2:00:00:0x too */
	bool learning;         /* the FDB has room for one more of its addresses */
	uint16_t n_ports;
	struct classifier *table; /* table 0 */
};

/* A logical port. It keeps its id while its device comes and goes. */
struct port {
	uint16_t id;
	uint16_t bridge;
	char name[SW_NAME_SIZE];
	struct vlan_config vlan;
	uint32_t ifindex;   /* 0: no device at the moment */
	bool up;            /* device there, administratively up, with carrier, attached */
	bool fast;          /* its driver takes redirected frames; else they go out through the daemon */
	bool sg;            /* and such that lie in several buffers; else those go out through the daemon */
	bool csum;          /* frames from it may carry unfinished checksums */
	uint32_t max_frame; /* bytes, Ethernet header and one tag among them, that can be sent out of it */
};

/* How a copy leaves: VLAN_TAGGED with `vid`, VLAN_UNTAGGED, or XLATE_AS_IS, whatever tag it came with. */
enum xlate_tag { XLATE_AS_IS, XLATE_UNTAGGED, XLATE_TAGGED };

struct xlate_output {
	uint16_t port; /* id */
	uint8_t tag;   /* enum xlate_tag */
};

/*
 * What the frame says of its sender's place. `wanted`: the FDB does not know it yet, so that fdb_learn() would change
 * an answer. Not wanted and port != 0: it is known, and frames refresh it. port == 0: nothing to learn or refresh.
 */
struct xlate_learn {
	bool wanted;
	bool moved; /* wanted, and the FDB has it on another port */
	struct fdb_key key;
	uint16_t port;
};

/*
 * The answer. Big (every port may be an output): keep one and reuse it. n_outputs == 0 means a drop, for `drop`.
 * Outputs are in order of port id, each port at most once, never the port that the frame came in by.
 *
 * `normal`: outputs and drop are those of a frame that is for everybody in its VLAN, and stand only for such; for a
 * frame of which the addresses are known, normal_carry_out() puts its own in their place.
 */
struct xlate {
	struct sw_key mask; /* bits consulted */
	uint16_t bridge;    /* id; 0 when the frame's device is no port */
	uint16_t in_port;   /* id */
	uint16_t vid;       /* VLAN it was put into */
	bool normal;        /* left to the FDB, frame by frame; see above */
	bool flood;         /* the outputs are "all others in the VLAN" */
	bool cacheable;     /* else every frame of it goes through the daemon; `uncacheable` says why */
	const char *uncacheable;
	enum sw_drop drop;
	struct xlate_learn learn; /* of an answer that was carried out for a frame */
	uint32_t n_outputs;
	struct xlate_output outputs[SW_MAX_PORTS];
};

/* Where translate() tells its reasoning, a line at a time; `depth` is for indenting. */
struct trace_sink {
	void *ctx;
	void (*line)(void *ctx, int depth, const char *text);
};

/* NULL: out of memory. */
struct pipeline *pipeline_create(const struct fdb *fdb);
void pipeline_destroy(struct pipeline *pl);

/* `trace` may be NULL. Never fails: a frame that nobody wants is a drop with its reason. */
void translate(const struct pipeline *pl, const struct sw_key *key, const struct trace_sink *trace, struct xlate *ret);

/*
 * Bridges and ports. `id` 0 asks for the lowest free one; a restarted daemon asks for the one it had. A new bridge has
 * one rule: priority 0, everything, NORMAL. Names are 1 to 15 bytes of [A-Za-z0-9_.-], unique among their kind.
 */
int pipeline_bridge_add(struct pipeline *pl, const char *name, uint16_t id, uint16_t *ret_id, struct complaint *c);
/* Its ports go first: -EBUSY while it has any. */
int pipeline_bridge_remove(struct pipeline *pl, uint16_t id, struct complaint *c);
int pipeline_port_add(
	struct pipeline *pl, uint16_t bridge, const char *name, uint16_t id, uint16_t *ret_id, struct complaint *c);
void pipeline_port_remove(struct pipeline *pl, uint16_t id);

const struct bridge *pipeline_bridge(const struct pipeline *pl, uint16_t id); /* NULL: none */
const struct bridge *pipeline_bridge_by_name(const struct pipeline *pl, const char *name);
const struct port *pipeline_port(const struct pipeline *pl, uint16_t id);
const struct port *pipeline_port_by_name(const struct pipeline *pl, const char *name);
const struct port *pipeline_port_by_ifindex(const struct pipeline *pl, uint32_t ifindex);
/* The next bridge or port with an id above `id`, for walking from 0; NULL at the end. */
const struct bridge *pipeline_next_bridge(const struct pipeline *pl, uint16_t id);
const struct port *pipeline_next_port(const struct pipeline *pl, uint16_t id);

/*
 * Changes of what translate() rests on. Each raises pipeline_version(): all cached answers are to be asked again, and
 * all addresses of the FDB are to be written out again (normal_out()).
 */
void pipeline_bridge_set(
	struct pipeline *pl, uint16_t id, uint32_t ageing_s, uint32_t fdb_limit, bool forward_reserved);
/* Whether the FDB takes one more address of this bridge. Raises the version only when that is news. */
void pipeline_bridge_set_learning(struct pipeline *pl, uint16_t id, bool learning);
void pipeline_port_set_vlan(struct pipeline *pl, uint16_t id, const struct vlan_config *vlan);

/*
 * Rules of a bridge's table 0. Putting one where the same match and priority is replaces its actions. Each raises the
 * version. remove: -ENOENT: there is none.
 */
int pipeline_rule_put(struct pipeline *pl, uint16_t bridge, const struct flow_match *match, uint16_t priority,
	const struct actions *actions, struct complaint *c);
int pipeline_rule_remove(
	struct pipeline *pl, uint16_t bridge, const struct flow_match *match, uint16_t priority, struct complaint *c);

/* The device side of a port, as the port manager sees it. Raises the version only when something differs. */
struct port_state {
	uint32_t ifindex;
	bool up, fast, sg, csum;
	uint32_t max_frame;
};
void pipeline_port_set_state(struct pipeline *pl, uint16_t id, const struct port_state *state);

uint64_t pipeline_version(const struct pipeline *pl);

/* Spells in_ifindex by port names, for flow_format() and flow_parse(). Borrows `pl`. */
struct flow_names pipeline_names(const struct pipeline *pl);
/* Spells port ids by port names, for actions_format() and actions_parse(). Borrows `pl`. */
struct action_names pipeline_action_names(const struct pipeline *pl);

#endif
