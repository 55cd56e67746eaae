/* SPDX-License-Identifier: BSD-2-Clause */
/* switchctl.h - the command's own parts: what it does by itself, and how it asks the daemon. */
#ifndef CTL_SWITCHCTL_H
#define CTL_SWITCHCTL_H

#include <stdbool.h>

struct client;
struct complaint;
struct json_object;
struct request;
struct words;

/* Exit codes. */
enum { EXIT_OK, EXIT_REFUSED, EXIT_USAGE, EXIT_NO_DAEMON };

/*
 * Asks and returns the result, which the caller puts. NULL: it was refused or the connection broke, which has been said
 * on stderr, and *ret_exit is the exit code.
 */
struct json_object *switchctl_ask(struct client *client, const char *line, int *ret_exit);

/* Each returns an exit code. */
int watch_run(struct client *client, const struct request *request, bool json);
int pki_run(const struct request *request);
int help_run(const struct words *words, unsigned first);
/*
 * For the shell: what could stand in place of the last of `words`, a line each; "@file" and "@dir" ask the shell for a
 * path. `client` may be NULL: then names that the daemon knows are left out.
 */
int complete_run(const char *const *words, unsigned n, struct client *client);

#endif
