/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/grammar.h"
#include "ctl/switchctl.h"
#include "ofp/tls.h"
#include "dataplane/complaint.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_DIR  "/etc/switchd/pki"
#define DEFAULT_DAYS 3650
#define MAX_NAMES    64

static int make_directory(const char *dir)
{
	char part[PATH_MAX];
	size_t n = strlen(dir);

	for (size_t i = 1; n < sizeof(part) && i <= n; i++) {
		if (dir[i] != '/' && dir[i] != '\0')
			continue;
		snprintf(part, sizeof(part), "%.*s", (int)i, dir);
		if (mkdir(part, i == n ? 0700 : 0755) && errno != EEXIST) {
			fprintf(stderr, "switchctl: cannot make %s: %s\n", part, strerror(errno));
			return -errno;
		}
	}
	return 0;
}

/* What a certificate for this machine names, and what was asked for besides. */
static size_t collect_names(
	const struct request *request, char *host, size_t host_size, char *list, const char *names[MAX_NAMES])
{
	size_t n = 0;
	char *saved;

	names[n++] = "localhost";
	names[n++] = "127.0.0.1";
	names[n++] = "::1";
	if (!gethostname(host, host_size - 1) && *host && strcmp(host, "localhost") != 0)
		names[n++] = host;
	for (char *name = list ? strtok_r(list, ",", &saved) : NULL; name && n < MAX_NAMES;
		name = strtok_r(NULL, ",", &saved))
		names[n++] = name;
	return n;
}

static void say_what_next(const char *given)
{
	char dir[PATH_MAX];

	if (!realpath(given, dir))
		snprintf(dir, sizeof(dir), "%s", given);
	printf("Made a CA, a server and a client certificate in %s.\n"
	       "On the switch:\n"
	       "    switchctl control listen tls:HOST:6640 cert %s/server.crt key %s/server.key ca %s/ca.crt\n"
	       "From elsewhere, with client.crt, client.key and ca.crt:\n"
	       "    switchctl --connect tls:HOST:6640 --cert client.crt --key client.key --ca ca.crt stats\n"
	       "Keep ca.key off the switch: who has it can make clients.\n",
		dir, dir, dir, dir);
}

int pki_run(const struct request *request)
{
	const struct grammar_value *san = request_option(request, "san"), *days = request_option(request, "days");
	const char *names[MAX_NAMES];
	char host[256] = "", *list = san ? strdup(san->text) : NULL;
	struct tls_pki pki = {.dir = request->args[0].given ? request->args[0].text : DEFAULT_DIR,
		.names = names,
		.days = days ? (unsigned)days->number : DEFAULT_DAYS};
	struct complaint c;
	int err;

	pki.n_names = collect_names(request, host, sizeof(host), list, names);
	err = make_directory(pki.dir);
	if (!err) {
		err = tls_make_pki(&pki, &c);
		if (err)
			fprintf(stderr, "switchctl: %s\n", c.text);
		else
			say_what_next(pki.dir);
	}
	free(list);
	return err ? EXIT_REFUSED : EXIT_OK;
}
