/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * logbook.h - where the lines of dataplane/log.h end up: the log file, and a ring of the last ones for `switchctl log`.
 *
 * A line in the file is "2025-11-21T10:28:00.123Z warn text". Bytes that are no printable text are written as \xNN.
 */
#ifndef CTL_LOGBOOK_H
#define CTL_LOGBOOK_H

#include <stdbool.h>

struct complaint;
struct logbook;

#define LOGBOOK_LINES     1000
#define LOGBOOK_LINE_SIZE 640

/* Takes over the log. `path` is opened to append, mode 0640. */
int logbook_create(const char *path, struct logbook **ret, struct complaint *c);
/* The log goes to stderr again. Accepts NULL. */
void logbook_destroy(struct logbook *logbook);

/* Writes lines to stderr too, or no longer. */
void logbook_echo(struct logbook *logbook, bool on);

/* Opens the file anew, for whoever rotates it. If that fails the old one is written on. */
void logbook_reopen(struct logbook *logbook);

/* The last `n` lines, oldest first. */
void logbook_last(const struct logbook *logbook, unsigned n, void (*each)(void *ctx, const char *line), void *ctx);

#endif
