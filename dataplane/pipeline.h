/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pipeline.h - bridges, their ports, tables, groups and meters, and the one question that everything asks them:
 * translate().
 *
 * What: translate(key) says what happens to every frame that agrees with `key` in the bits it consulted. The miss path,
 * revalidation, `switchctl trace`, packet-out and the tests ask the same call, and it has no side effects.
 *
 * What a frame's addresses decide is left open where the answer is NORMAL and nothing else (xlate.normal): then the FDB
 * is asked for each frame by whoever carries the answer out, which is the program's NORMAL step (bpf/normal.h), or
 * normal_carry_out() in the daemon. What should be learned is part of what that says, and whoever acts on it learns it.
 *
 * What a fast-failover group's liveness and a select group's hash decide is left open too where it can be
 * (xlate.n_branches): the answer has the operations of every bucket, and whoever carries it out takes those of one
 * (take_branch()). In the program that is one word to change when a port goes down, or a table (forks.h).
 *
 * Four forms of an answer. Where frames leave as they came, or with a bridge's tags, by ports, it is a list of
 * outputs, which program.c can compile. Where all copies of a frame are rewritten alike, by actions that the program
 * can do, and leave by ports, it is a list of rewrites and a list of outputs, which program.c can compile too; and the
 * operations, for the frames that come up nevertheless. Where copies differ in such rewrites, or one goes back where
 * the frame came from, it is a list of outputs and the operations (xlate.copies), which can be compiled too. In front
 * of any of these may stand one meter, and beside any of them controllers may be told (xlate.tells). Else it is a list
 * of operations (xlate.in_daemon says why). Operations are carried out by execute.c in the daemon, in order.
 *
 * What a key does not say. The program's key ends at layer 4 and looks through one tag; behind MPLS, PBB or a second
 * tag, or for a field beyond FLOW_FAST_WORDS, only the frame knows. A translation of a key alone stops there
 * (needs_frame), and such frames go up one by one; translate_frame() goes on with the bytes.
 *
 * Invariants
 * T1 Pure: the same pipeline and key give the same answer, and asking changes neither.
 * T2 Complete: the answer holds for every key that agrees with this one in xlate.mask (C2). in_ifindex is always in it.
 * T3 Every fact outside the key that the answer rests on changes only with pipeline_version(), or is told by
 *    pipeline_events: a rule or a group on its path, a rule that is new. A meter is changed by ofbridge_meter_mod(),
 *    which has those asked that go through it.
 * Safe error: a bit too many. Unsafe error: one too few.
 *
 * Ownership: the pipeline owns bridges and ports; pointers handed out are borrowed until the next change of
 * configuration. The FDB is borrowed for the pipeline's life. Single-threaded.
 */
#ifndef DATAPLANE_PIPELINE_H
#define DATAPLANE_PIPELINE_H

#include "dataplane/action.h"
#include "dataplane/fdb.h"
#include "dataplane/flow.h"
#include "dataplane/vlan.h"
#include "dataplane/vlan_set.h"

struct complaint;
struct group;
struct groups;
struct meter_slots;
struct meters;
struct pipeline;
struct rule;
struct tables;
struct tally;

struct bridge {
	const struct pipeline *pl;
	uint16_t id;
	char name[SW_NAME_SIZE];
	uint32_t ageing_s;     /* 0: addresses never age */
	uint32_t fdb_limit;    /* addresses */
	bool forward_reserved; /* forward 01:80:C2:00:00:0x too */
	bool learning;         /* the FDB has room for one more of its addresses */
	uint16_t n_ports;
	uint32_t last_of_port; /* greatest number that a port of it ever had */
	uint64_t mirrors_in;   /* that have copies of what comes in by any port: a bit for each id */
	uint64_t mirrors_out;  /* that have copies of what leaves by some port */
	uint64_t datapath_id;
	struct tables *tables;
	struct groups *groups;
	struct meters *meters;
};

/* A logical port. It keeps its id and its OpenFlow number while its device comes and goes. */
struct port {
	uint16_t id;
	uint16_t bridge;
	uint32_t of_port; /* unique on its bridge; 1 to OF_PORT_MAX - 1 */
	bool known;       /* by that number, to others: it is not given out again */
	char name[SW_NAME_SIZE];
	struct vlan_config vlan;
	uint32_t ifindex;     /* 0: no device at the moment */
	bool link;            /* device there, administratively up, with carrier, attached */
	bool up;              /* and no controller has set it down */
	bool fast;            /* its driver takes redirected frames; else they go out through the daemon */
	bool sg;              /* and such that lie in several buffers; else those go out through the daemon */
	bool csum;            /* frames from it may carry unfinished checksums */
	uint32_t max_frame;   /* bytes, Ethernet header and one tag among them, that can be sent out of it */
	uint64_t mirrors_in;  /* that have copies of what comes in by this one: a bit for each id, ... */
	uint64_t mirrors_out; /* ... and of what leaves; those of them that take the frame's VLAN */
	bool is_behind;       /* it learns also where its bridge does not: others have more addresses (F6 of fdb.h) */
	bool is_mirrors;      /* a mirror's copies leave by it, and nothing else comes in or leaves */
	uint32_t of_config;   /* OFPPC_* that a port-mod has set (ofbridge.h) */
	uint8_t mac[6];       /* of its device; zero while it has never had one */
	uint32_t features;    /* OF_PORT_FEATURE_* of cable.h, current */
	uint32_t mbps;        /* current; 0: not known */
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

/* An operation of an answer. Pointers are borrowed until the pipeline's next change. */
enum xop_type {
	XOP_COUNT,      /* the frame counts for `tally`: it has come so far */
	XOP_OUTPUT,     /* as it is by now, out of port `port` (id) */
	XOP_NORMAL,     /* what a bridge does with it as it is by now */
	XOP_CONTROLLER, /* to the controller: `in` says how */
	XOP_TABLE,      /* through the tables from the first on (a packet-out only) */
	XOP_REWRITE,    /* `action` on its bytes; a bad TTL ends what is done with the frame */
	XOP_METER,      /* `meter` may end it, or remark it; its tally stands before */
	XOP_SAVE,       /* what follows is done to a copy, ... */
	XOP_RESTORE,    /* ... up to here */
	XOP_MIRROR,     /* first of all: a copy for mirror `mirror`, one for each in xlate.mirrors */
	XOP_FORK,       /* of the xlate.n_branches - 1 copies that follow, at most the one that `group` says is made */
};

struct xop {
	uint8_t type;   /* enum xop_type */
	uint8_t reason; /* enum packet_in_reason, of CONTROLLER and of what a bad TTL in REWRITE leads to */
	uint8_t drop;   /* enum sw_drop, of FORK: why nothing has gone out before; of a branch's SAVE: why nothing of it
			 */
	uint8_t table_id;
	uint16_t port;    /* id, of OUTPUT; of a bucket's COUNT: its place in the group, from 1 */
	uint16_t max_len; /* of CONTROLLER */
	union {
		uint32_t meter;
		uint32_t mirror;   /* id */
		uint32_t group_id; /* of COUNT: whose tally it is, or its bucket's; 0: no group's */
	};
	union {
		const struct action *action;
		struct tally *tally;
		struct group *group;   /* of FORK */
		const char *in_daemon; /* of a branch's SAVE: as that of an answer */
	};
	uint64_t cookie;   /* of the rule that said so */
	uint64_t metadata; /* at that point, host order; of CONTROLLER and REWRITE */
	uint64_t tunnel_id;
};

#define XLATE_MAX_OPS      2048         /* what is longer ends there, for SW_DROP_TOO_COMPLEX */
#define XLATE_MAX_REWRITES SW_MAX_EDITS /* what has more is for the daemon */

/*
 * The answer. Big (every port may be an output): keep one and reuse it.
 *
 * in_daemon NULL: n_outputs == 0 means a drop, for `drop`. Outputs are in order of port id, each port at most once,
 * and the port that the frame came in by only where it is the only one. `normal`: outputs and drop are those of a frame
 * that is for everybody in its VLAN, and stand only for such; for a frame of which the addresses are known,
 * normal_carry_out() puts its own in their place. Of the operations only XOP_COUNT is there: what the frames count for.
 * n_rewrites not 0: each output gets the frame as `rewrites`, in order, make it. The operations are all there.
 * `copies`: each output gets the frame as the operations before it make it (retrace.h), and the port that the frame
 * came in by may be one of several. The operations are all there.
 * `tells`: beside all that some operations are for the controller, who is told of a copy. The operations are all there.
 * meter not 0: before all that the frame passes that meter, and what stands behind it is for those that it lets go on.
 * The operations are all there.
 * n_branches not 0: the operations are those of all buckets of a group, and nothing is said yet of outputs. Ask
 * take_branch() for the answer of one bucket, or of none, which is the last.
 * in_daemon set: the operations say all, and outputs nothing. `drop` is the reason if no operation parts with the
 * frame.
 */
struct xlate {
	struct sw_key mask; /* bits consulted */
	uint16_t bridge;    /* id; 0 when the frame's device is no port */
	uint16_t in_port;   /* id */
	uint16_t vid;       /* VLAN it was put into */
	/*
	 * Mirrors, a bit for each id: who gets a copy first of all, and who else gets one of the frame as it leaves by
	 * a port that it listens to (port.mirrors_out), once. Where there are any the operations are all there.
	 */
	uint64_t mirrors, mirrors_out;
	uint16_t meter;   /* slot of the program's meters (meter_slots.h) */
	bool normal;      /* left to the FDB, frame by frame; see above */
	bool flood;       /* the outputs are "all others in the VLAN" */
	bool copies;      /* not all outputs get the same; see above */
	bool tells;       /* the controller hears of it, too; see above */
	bool needs_frame; /* the key does not say enough: the operations are not complete */
	bool cacheable;   /* false only for a device that is no port */
	bool plain;       /* no field was rewritten on the way: every table saw the key as it is */
	bool is_branch;   /* it had branches, and is the answer of one of them */
	const char *uncacheable;
	const char *in_daemon; /* why only the daemon can do it; NULL: the program can */
	enum sw_drop drop;
	struct xlate_learn learn; /* of an answer that was carried out for a frame */
	uint64_t tables;          /* that were asked: bit `table id % 64` */
	uint32_t n_outputs;
	uint32_t n_ops;
	uint32_t n_branches; /* buckets and one */
	uint32_t fork;       /* index of the XOP_FORK */
	uint32_t n_rewrites;
	const struct action *rewrites[XLATE_MAX_REWRITES]; /* borrowed as those of the operations */
	struct xlate_output outputs[SW_MAX_PORTS];
	struct xop ops[XLATE_MAX_OPS];
};

/* Whoever has such a frame carries out the operations; else there are outputs alone. */
static inline bool xlate_has_ops(const struct xlate *xlate)
{
	return xlate->in_daemon || xlate->n_rewrites || xlate->copies || xlate->meter || xlate->tells ||
	       xlate->mirrors || xlate->mirrors_out;
}

/* Who gets a copy of what leaves by one of its outputs. */
uint64_t xlate_mirrors_leaving(const struct pipeline *pl, const struct xlate *xlate);

/* The least id; there is one. */
static inline uint8_t mirrors_first(uint64_t mirrors)
{
	return (uint8_t)__builtin_ctzll(mirrors);
}

/* Where translate() tells its reasoning, a line at a time; `depth` is for indenting. */
struct trace_sink {
	void *ctx;
	void (*line)(void *ctx, int depth, const char *text);
};

/* What happens to rules and groups, for whoever keeps answers (the cache) or tells others (a controller). */
struct pipeline_events {
	void *ctx;
	void (*rule_added)(void *ctx, uint16_t bridge, struct rule *rule);
	void (*rule_modified)(void *ctx, uint16_t bridge, struct rule *rule);
	/* It is out of its table, for rule->end. The callee frees it (rule_free()) when nothing counts for it any more.
	 */
	void (*rule_removed)(void *ctx, uint16_t bridge, struct rule *rule);
	/* The tallies of the group's buckets are about to go. */
	void (*group_changing)(void *ctx, uint16_t bridge, struct group *group);
	/* The group's own too. */
	void (*group_going)(void *ctx, uint16_t bridge, struct group *group);
	/* What cached flows have counted is to be harvested into the rule. */
	void (*rule_refresh)(void *ctx, uint16_t bridge, struct rule *rule);
	/* A bridge's tables go, rules and all: nothing may be linked to them any more. */
	void (*bridge_going)(void *ctx, uint16_t bridge);
	uint64_t (*now_ns)(void *ctx); /* CLOCK_BOOTTIME */
};

/* NULL: out of memory. */
struct pipeline *pipeline_create(const struct fdb *fdb);
void pipeline_destroy(struct pipeline *pl);

/* Where meters of bridges that are added from now on are run by the program too; NULL, as at first: nowhere. Borrowed.
 */
void pipeline_set_meter_slots(struct pipeline *pl, struct meter_slots *slots);

/* Without events (NULL) each of them raises the version, and a removed rule is freed at once. Copied. */
void pipeline_set_events(struct pipeline *pl, const struct pipeline_events *events);

/* `trace` may be NULL. Never fails: a frame that nobody wants is a drop with its reason. */
void translate(const struct pipeline *pl, const struct sw_key *key, const struct trace_sink *trace, struct xlate *ret);

/* What stands between two groups of operations: those of branch `branch` are ops[*ret_from .. *ret_to - 1]. */
void branch_span(const struct xlate *xlate, uint32_t branch, uint32_t *ret_from, uint32_t *ret_to);
/* The branch that a frame of this key, whole and as it came, takes now. */
uint32_t branch_taken(const struct pipeline *pl, const struct sw_key *key, const struct xlate *xlate);
/*
 * Makes of an answer with branches, which translate() gave for this key, that of one of them: in one of the three
 * forms. Nothing that it looks at is missing in the mask. take_branch_now(): of the one that a frame of
 * this very key takes now; of an answer without branches nothing.
 */
void take_branch(const struct pipeline *pl, const struct sw_key *key, uint32_t branch, struct xlate *xlate);
void take_branch_now(const struct pipeline *pl, const struct sw_key *key, struct xlate *xlate);

/* The frame itself, for an answer that needs it: the operations are complete. The mask means nothing then. */
struct frame_question {
	uint16_t in_port; /* id; 0: the controller's, of a packet-out */
	uint16_t bridge;  /* id */
	const uint8_t *frame;
	uint32_t size;
	uint64_t tunnel_id;
	const struct actions *actions; /* of a packet-out, in place of the tables; NULL */
};
void translate_frame(const struct pipeline *pl, const struct frame_question *question, const struct trace_sink *trace,
	struct xlate *ret);

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
/* Whether addresses of others make way for its next. Raises the version only when that is news. */
void pipeline_port_set_behind(struct pipeline *pl, uint16_t id, bool is_behind);
void pipeline_port_set_vlan(struct pipeline *pl, uint16_t id, const struct vlan_config *vlan);

/* An OpenFlow number for a port: `of_port`; 0: it keeps the one that it got when it was added. -EEXIST. */
int pipeline_port_number(struct pipeline *pl, uint16_t id, uint32_t of_port, struct complaint *c);
/* Of two ports of one bridge. */
void pipeline_port_swap_numbers(struct pipeline *pl, uint16_t id, uint16_t other);
/* Somebody has been told of the port. */
void pipeline_port_known(struct pipeline *pl, uint16_t id);
const struct port *pipeline_port_by_number(const struct pipeline *pl, uint16_t bridge, uint32_t of_port);
void pipeline_port_set_mirrors(struct pipeline *pl, uint16_t id, uint64_t in, uint64_t out, bool is_mirrors);
void pipeline_bridge_set_mirrors(struct pipeline *pl, uint16_t id, uint64_t in, uint64_t out);
/* What people call a mirror, and which VLANs it takes, NULL: all; "": nothing any more. One without a name is "?". */
void pipeline_set_mirror(struct pipeline *pl, uint16_t mirror, const char *name, const struct vlan_set *vlans);
/* Those of `mirrors` that take some VLANs only. */
uint64_t pipeline_mirrors_by_vlan(const struct pipeline *pl, uint64_t mirrors);
/* Those of `mirrors` that take frames of this VLAN; -1: that are in none. */
uint64_t pipeline_mirrors_in_vlan(const struct pipeline *pl, uint64_t mirrors, int vid);
const char *pipeline_mirror_name(const struct pipeline *pl, uint16_t mirror);
void pipeline_port_set_config(struct pipeline *pl, uint16_t id, uint32_t of_config);
void pipeline_bridge_set_datapath_id(struct pipeline *pl, uint16_t id, uint64_t datapath_id);

/*
 * A rule of a bridge's table 0 with actions to apply, as a flow-mod would make or delete it. remove: -ENOENT: there is
 * none.
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
	uint8_t mac[6];
	uint32_t features, mbps;
};
void pipeline_port_set_state(struct pipeline *pl, uint16_t id, const struct port_state *state);

uint64_t pipeline_version(const struct pipeline *pl);

/* Spells ifindexes by port names, for key_format(). Borrows `pl`. */
struct flow_names pipeline_names(const struct pipeline *pl);
/* Spells a bridge's OpenFlow port numbers by port names, for flow_format(), actions_format() and the like. */
struct flow_names pipeline_of_names(const struct bridge *bridge);

#endif
