/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reconcile.h - brings the running switch to where a configuration wants it.
 *
 * What: reads the running configuration out of the switch, takes the difference to the wanted one, and does its steps
 * one at a time, so that a long one can be spread over loop turns. What did not change is not touched.
 *
 * A step that fails is logged, does not stop the others, and its element stays in the configuration with the reason,
 * until it is removed, made by hand, or brought about by the next load (nothing is lost by saving).
 */
#ifndef CTL_RECONCILE_H
#define CTL_RECONCILE_H

#include "ctl/statement.h"

#include <stdbool.h>

struct complaint;
struct control;
struct metrics;
struct model;
struct openflow;
struct reconcile;
struct vswitch;

/* Borrows all four. NULL: out of memory. */
struct reconcile *reconcile_create(
	struct vswitch *vs, struct control *control, struct openflow *of, struct metrics *metrics);
void reconcile_destroy(struct reconcile *rec);

/* What runs, and what failed, into an empty model. -ENOMEM. */
int reconcile_intent(const struct reconcile *rec, struct model *ret);

/*
 * Begins the way to `wanted`, which is taken over also on failure (then it is freed). keep: removes nothing.
 * -EBUSY: another is under way. -ENOMEM.
 */
int reconcile_begin(struct reconcile *rec, struct model *wanted, bool keep, struct complaint *c);
/* Does a step. False: all are done. */
bool reconcile_step(struct reconcile *rec);
bool reconcile_busy(const struct reconcile *rec);

struct reconcile_progress {
	unsigned done, total, failed;
	const char *what;    /* the step done last, in words; valid until the next */
	const char *trouble; /* the first failure; "" if none */
};
/* Also right after the end. */
void reconcile_progress(const struct reconcile *rec, struct reconcile_progress *ret);

/* Made by hand: what had failed under its name is forgotten. */
void reconcile_made_bridge(struct reconcile *rec, const char *name);
void reconcile_made_port(struct reconcile *rec, const char *name);
void reconcile_made_mac(struct reconcile *rec, const struct static_mac *mac);
void reconcile_made_mirror(struct reconcile *rec, const char *bridge, const char *name);
void reconcile_made_listener(struct reconcile *rec, enum listener_kind kind, const char *address);
void reconcile_made_channel(struct reconcile *rec, const char *bridge, enum channel_kind kind, const char *address);

/* Removed by hand: what had failed under its name, or stands on it, is forgotten. True: something of that name had. */
bool reconcile_gone_bridge(struct reconcile *rec, const char *name);
bool reconcile_gone_port(struct reconcile *rec, const char *name);
bool reconcile_gone_mac(struct reconcile *rec, const struct static_mac *mac);
bool reconcile_gone_mirror(struct reconcile *rec, const char *bridge, const char *name);
bool reconcile_gone_listener(struct reconcile *rec, enum listener_kind kind, const char *address);
bool reconcile_gone_channel(struct reconcile *rec, const char *bridge, enum channel_kind kind, const char *address);

#endif
