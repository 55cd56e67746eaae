/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * complaint.h - why a request was refused, for a person.
 *
 * A call that a user's words can make fail returns 0 or -errno and fills a complaint that names the thing at fault and
 * says what to do. Lower layers fill it, nobody rewrites it, the control socket prints it.
 */
#ifndef DATAPLANE_COMPLAINT_H
#define DATAPLANE_COMPLAINT_H

struct complaint {
	char text[400];
};

/* Formats into `c` (which may be NULL) and returns `error`, so that `return complain(c, -EBUSY, "…")` reads well. */
int complain(struct complaint *c, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
