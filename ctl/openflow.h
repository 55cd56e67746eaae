/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * openflow.h - the OpenFlow agents and channels of the switch's bridges: one of each a bridge, made and ended with it.
 *
 * What: bridges are added, set and removed through here, so that none is without its agent. A new bridge has the
 * datapath id openflow_default_id(), fail mode standalone, no controllers and no listeners: it is a learning switch.
 *
 * Ownership: borrows the reactor and the switch, and is destroyed before the switch.
 */
#ifndef CTL_OPENFLOW_H
#define CTL_OPENFLOW_H

#include "ctl/statement.h"

struct agent;
struct complaint;
struct openflow;
struct reactor;
struct vswitch;

/* `run_dir` goes into the default datapath ids. NULL: out of memory. */
struct openflow *openflow_create(const struct reactor *reactor, struct vswitch *vs, const char *run_dir);
/* Accepts NULL. */
void openflow_destroy(struct openflow *of);

/*
 * What a bridge is called by OpenFlow unless told: a locally administered address, a hash of the machine's id
 * (/etc/machine-id, else the host's name), the run directory and the bridge's name. So it is the same after a restart,
 * and another for each bridge of each switch of a network.
 */
uint64_t openflow_default_id(const struct openflow *of, const char *bridge);

/* vswitch_bridge_*(), with the agent. In `settings` a datapath_id of 0 asks for the default. */
int openflow_bridge_add(struct openflow *of, const char *bridge, struct complaint *c);
int openflow_bridge_remove(struct openflow *of, const char *bridge, struct complaint *c);
int openflow_bridge_set(struct openflow *of, const char *bridge, const struct bridge_settings *settings,
	enum fail_wish fail, struct complaint *c);

/* What the bridge was told: 0 for the default. */
uint64_t openflow_wanted_id(const struct openflow *of, const char *bridge);
enum fail_wish openflow_fail_mode(const struct openflow *of, const char *bridge);
/* NULL: no such bridge. */
const struct agent *openflow_agent(const struct openflow *of, const char *bridge);

/* channel_add(), channel_set() and channel_remove() of that bridge's. -ENOENT: no such bridge. */
int openflow_channel_add(
	struct openflow *of, const char *bridge, const struct channel_config *config, struct complaint *c);
int openflow_channel_set(
	struct openflow *of, const char *bridge, const struct channel_config *config, struct complaint *c);
int openflow_channel_remove(
	struct openflow *of, const char *bridge, enum channel_kind kind, const char *address, struct complaint *c);
/* Of one bridge, or with NULL of all. */
void openflow_each_channel(const struct openflow *of, const char *bridge,
	void (*each)(void *ctx, const char *bridge, const struct channel_report *report), void *ctx);

/* channel_renew(), channel_flush(), channel_quiet() of all. */
void openflow_renew(struct openflow *of);
void openflow_flush(struct openflow *of);
bool openflow_quiet(const struct openflow *of);

#endif
