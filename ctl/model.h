/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model.h - a configuration as data: what a file says, what the switch runs, and the way from one to the other.
 *
 * What: bridges, ports, static addresses, mirrors, listeners and OpenFlow channels, each with the settings that the
 * grammar knows. A file is read into a model statement by statement (model_apply), the running switch is copied into
 * one, and model_diff() lists the steps between two.
 *
 * Why: a reload must leave alone what did not change, and a text diff cannot know that `port set` a line below changed
 * what `port add` above it said. Rejected: to run a file's statements against the switch as they are read, which stops
 * half way at a spelling error.
 *
 * Invariants
 * O1 Pure: no call here touches the switch.
 * O2 model_print() of a model reads back as the same model.
 * O3 Steps remove before they add, so that a name can move from one bridge to another.
 *
 * `trouble` says why an element could not be brought about; it stays in the configuration all the same, so that saving
 * loses nothing.
 */
#ifndef CTL_MODEL_H
#define CTL_MODEL_H

#include "ctl/statement.h"

#include <stdio.h>

struct grammar_problem;
struct request;

struct model_bridge {
	char name[SW_NAME_SIZE];
	struct bridge_settings settings; /* all of them, whatever `which` says; datapath_id 0: the default */
	enum fail_wish fail;
	char *trouble; /* NULL: none */
};

struct model_port {
	struct port_config config;
	char *trouble;
};

struct model_mac {
	struct static_mac mac;
	char *trouble;
};

struct model_listener {
	enum listener_kind kind;
	char *address;
	char *cert, *key, *ca; /* of tls:, else NULL */
	char *trouble;
};

/* A controller of a bridge, or where it listens for some. */
struct model_channel {
	char bridge[SW_NAME_SIZE];
	struct channel_config config;
	char *trouble;
};

struct model_mirror {
	struct mirror_config config;
	char *trouble;
};

struct model {
	/* Of a file that the switch has written: what does not go together in it has been told of, and is again. */
	bool resumed;
	unsigned n_bridges, n_ports, n_macs, n_mirrors, n_listeners, n_channels;
	struct model_bridge *bridges;
	struct model_port *ports;
	struct model_mac *macs;
	struct model_mirror *mirrors;
	struct model_listener *listeners;
	struct model_channel *channels;
};

void model_init(struct model *model);
void model_free(struct model *model);

/* Each adds a copy, or replaces the element of that name. NULL: out of memory. Borrowed until the next change. */
struct model_bridge *model_put_bridge(struct model *model, const char *name);
struct model_port *model_put_port(struct model *model, const struct port_config *config);
struct model_mirror *model_put_mirror(struct model *model, const struct mirror_config *config);
struct model_mac *model_put_mac(struct model *model, const struct static_mac *mac);
struct model_listener *model_put_listener(struct model *model, enum listener_kind kind, const char *address,
	const char *cert, const char *key, const char *ca);
struct model_channel *model_put_channel(struct model *model, const char *bridge, const struct channel_config *config);

struct model_bridge *model_bridge(const struct model *model, const char *name);
struct model_port *model_port(const struct model *model, const char *name);
struct model_mac *model_mac(const struct model *model, const struct static_mac *mac); /* by all but the port */
struct model_mirror *model_mirror(const struct model *model, const char *bridge, const char *name);
struct model_listener *model_listener(const struct model *model, enum listener_kind kind, const char *address);
struct model_channel *model_channel(
	const struct model *model, const char *bridge, enum channel_kind kind, const char *address);

/* Takes an element out. False: there is none. */
bool model_drop_bridge(struct model *model, const char *name);
bool model_drop_port(struct model *model, const char *name);
/* What stands on it: a bridge's ports, addresses, mirrors and channels, a port's addresses and mirrors. */
void model_drop_on_bridge(struct model *model, const char *name);
/* But for those of bridge `but_of`; NULL: of none. */
void model_drop_on_port(struct model *model, const char *name, const char *but_of);
bool model_drop_mirror(struct model *model, const char *bridge, const char *name);
bool model_drop_mac(struct model *model, const struct static_mac *mac);
bool model_drop_listener(struct model *model, enum listener_kind kind, const char *address);
bool model_drop_channel(struct model *model, const char *bridge, enum channel_kind kind, const char *address);

/* Replaces what `from` has too, and adds the rest. -ENOMEM. */
int model_merge(struct model *model, const struct model *from);

/*
 * Does what a statement says. `dir` is where its relative paths begin. -EINVAL with the problem: a thing is there
 * already, or is not there, or the command is none for a configuration file. -ENOMEM.
 */
int model_apply(struct model *model, const struct request *request, const char *dir, struct grammar_problem *problem);

/* One statement a line, "# …" in front of what is in trouble; `each` gets the line without its end. */
void model_each_statement(
	const struct model *model, void (*each)(void *ctx, const char *statement, const char *trouble), void *ctx);
int model_print(const struct model *model, FILE *out);

/* What is to be done to get from one model to another. */
#define MODEL_SET_FAIL (1U << 31) /* the fail mode, which is the agent's */

enum model_verb {
	STEP_DEL_LISTENER,
	STEP_DEL_CHANNEL,
	STEP_DEL_MIRROR,
	STEP_DEL_MAC,
	STEP_DEL_PORT,
	STEP_DEL_BRIDGE,
	STEP_ADD_BRIDGE,
	STEP_SET_BRIDGE,
	STEP_ADD_PORT,
	STEP_SET_PORT,
	STEP_ADD_MAC,
	STEP_ADD_MIRROR,
	STEP_ADD_LISTENER,
	STEP_ADD_CHANNEL,
	STEP_SET_CHANNEL, /* of a controller */
};

struct model_step {
	enum model_verb verb;
	unsigned index; /* in the old model for DEL, in the new one else */
	/* STEP_SET_PORT: PORT_SET_*, PORT_SWAP_NUMBER; STEP_SET_BRIDGE: BRIDGE_SET_* and MODEL_SET_FAIL */
	unsigned which;
};

/* *ret is malloc-ed. keep: nothing is removed but to be added anew. -ENOMEM. */
int model_diff(const struct model *from, const struct model *to, bool keep, struct model_step **ret, unsigned *ret_n);

#endif
