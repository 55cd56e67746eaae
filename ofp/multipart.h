/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * multipart.h - multipart requests, and their replies, which are made piece by piece (OF 1.3.5 §7.3.5, multipart.def).
 *
 * What: a request that is accepted becomes a dump, which lists entries one after the other into segments of at most
 * 64 KiB. A turn of the loop looks at so many rules, and writes so many bytes, as the session's quota allows, and goes
 * on in the next turn if the peer has read what there was. So a million rules cost no turn more than about a
 * millisecond, and a peer that does not read costs the memory of one piece.
 *
 * The first piece is made at once, in the order of the messages. What changes while a long dump runs may be in it or
 * not (table.h says what a cursor sees); ids that are walked, of groups, meters, ports, are each told at most once.
 *
 * A request in several messages is put together before it is looked at, one at a time a session, and up to
 * MULTIPART_PARTS_MAX bytes; beyond either the answer is MULTIPART_BUFFER_OVERFLOW, and the rest of that request is
 * refused too: a set of table features is never taken by half. Who begins more of them than there is room to remember
 * is sent away.
 *
 * Ownership: dumps belong to the session, and end with it.
 */
#ifndef OFP_MULTIPART_H
#define OFP_MULTIPART_H

#include "dataplane/of_error.h"
#include "dataplane/table.h"
#include "ofp/wire.h"

struct session;

#define MULTIPART_PARTS_MAX   (1u << 20)
#define MULTIPART_HEADER      16
#define MULTIPART_REFUSED_MAX 16 /* requests in parts, of a session, that were refused and have not ended */

enum dump_step {
	DUMP_PUT,   /* an entry is written, there may be more */
	DUMP_LAST,  /* an entry is written, it is the last */
	DUMP_DONE,  /* nothing was written, there is no more */
	DUMP_LATER, /* nothing was written, the budget is used up */
};

/* One reply in the making. */
struct dump {
	struct dump *next;
	const struct multipart_row *row;
	struct session *session;
	uint32_t xid;

	/* Where it stands, as its kind needs it. */
	struct rule_cursor rules;
	bool walks; /* `rules` has begun */
	uint32_t at;
	bool one; /* entry `at` only */
	uint64_t packets, bytes;
	uint32_t flows;
	uint64_t chosen[4]; /* tables, a bit each */
};

/* Reads the request, and may refuse it. */
typedef enum of_err multipart_begin(struct dump *dump, struct wire_in *body);
/* Writes at most one entry of at most 65,519 bytes, and counts `budget` down by what it cost, 1 at least for each. */
typedef enum dump_step multipart_next(struct dump *dump, struct wire_out *out, uint32_t *budget);

struct multipart_row {
	const char *name;
	uint16_t number;
	uint32_t least, greatest;
	bool many;
	multipart_begin *begin;
	multipart_next *next;
};
/* NULL: no such type. */
const struct multipart_row *multipart_row(uint16_t number);

/* Of a session. */
struct dumps {
	struct dump *first;
	uint32_t n;
	uint32_t looks, bytes; /* of this turn, left */

	struct wire_out parts; /* of the request that comes in several messages */
	bool collecting;
	uint32_t parts_xid;
	uint32_t n_refused, refused[MULTIPART_REFUSED_MAX]; /* xids of which the rest is refused too */
};

/* A new turn's quotas. */
void dumps_renew(struct session *session);
/* Writes as much as they allow. */
void dumps_run(struct session *session);
bool dumps_any(const struct session *session);
/* Another turn would bring one on, whether or not the peer reads. */
bool dumps_can_run(const struct session *session);
void dumps_end(struct session *session);

/* Spends the milliseconds of bringing every counter up to date, once a turn of a session. */
void dump_refresh(struct dump *dump);

#define MULTIPART_FUNCTIONS(stem)                                                                                      \
	multipart_begin mp_##stem##_begin;                                                                             \
	multipart_next mp_##stem##_next
MULTIPART_FUNCTIONS(desc);
MULTIPART_FUNCTIONS(flow);
MULTIPART_FUNCTIONS(aggregate);
MULTIPART_FUNCTIONS(table);
MULTIPART_FUNCTIONS(port_stats);
MULTIPART_FUNCTIONS(queue);
MULTIPART_FUNCTIONS(group);
MULTIPART_FUNCTIONS(group_desc);
MULTIPART_FUNCTIONS(group_features);
MULTIPART_FUNCTIONS(meter);
MULTIPART_FUNCTIONS(meter_config);
MULTIPART_FUNCTIONS(meter_features);
MULTIPART_FUNCTIONS(table_features);
MULTIPART_FUNCTIONS(port_desc);
MULTIPART_FUNCTIONS(experimenter);

#endif
