/* SPDX-License-Identifier: BSD-2-Clause */
#include "ofp/credentials.h"

#include "dataplane/complaint.h"
#include "dataplane/log.h"
#include "dataplane/reactor.h"
#include "ofp/tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define N_FILES   4
#define DAY_S     86400
#define MAX_NAP_S DAY_S /* the wall clock may be set while we sleep */

/* Days before the end at which the log hears of it. */
static const int64_t warn_days[] = {30, 7, 1, 0};
#define N_WARNINGS (sizeof(warn_days) / sizeof(warn_days[0]))

struct stamp {
	struct timespec changed;
	ino_t inode;
	off_t size;
};

struct credentials {
	const struct reactor *reactor;
	char *path[N_FILES]; /* cert, key, ca, crl; the last may be NULL */
	unsigned flags;
	char *name;
	struct tls_context *context;
	struct stamp stamps[N_FILES]; /* of what was read, or tried, last */
	struct reactor_timer *timer;
	size_t warned; /* of warn_days, for the certificate at hand */
	uint32_t n_warnings;
};

static struct tls_files files_of(const struct credentials *cr)
{
	return (struct tls_files){.cert = cr->path[0], .key = cr->path[1], .ca = cr->path[2], .crl = cr->path[3]};
}

static void look(const struct credentials *cr, struct stamp stamps[N_FILES])
{
	struct stat st;

	memset(stamps, 0, N_FILES * sizeof(*stamps));
	for (int i = 0; i < N_FILES; i++) {
		if (cr->path[i] && !stat(cr->path[i], &st))
			stamps[i] = (struct stamp){.changed = st.st_mtim, .inode = st.st_ino, .size = st.st_size};
	}
}

static bool same_stamps(const struct stamp *a, const struct stamp *b)
{
	for (int i = 0; i < N_FILES; i++) {
		if (a[i].changed.tv_sec != b[i].changed.tv_sec || a[i].changed.tv_nsec != b[i].changed.tv_nsec ||
			a[i].inode != b[i].inode || a[i].size != b[i].size)
			return false;
	}
	return true;
}

/* ---- the end of a certificate ---- */

static void warn(struct credentials *cr, int64_t left_s)
{
	cr->n_warnings++;
	if (left_s <= 0)
		log_error("%s: the certificate %s has ended", cr->name, cr->path[0]);
	else
		log_warn(
			"%s: the certificate %s ends in %lld hours", cr->name, cr->path[0], (long long)(left_s / 3600));
}

static void watch_expiry(void *arg)
{
	struct credentials *cr = arg;
	int64_t left_s = tls_context_expiry(cr->context) - (int64_t)time(NULL), nap_s;
	size_t passed = cr->warned;

	while (passed < N_WARNINGS && left_s <= warn_days[passed] * DAY_S)
		passed++;
	if (passed > cr->warned)
		warn(cr, left_s);
	cr->warned = passed;
	if (passed == N_WARNINGS)
		return;
	nap_s = left_s - warn_days[passed] * DAY_S;
	cr->reactor->arm(cr->reactor->ctx, cr->timer, (uint64_t)(nap_s < MAX_NAP_S ? nap_s : MAX_NAP_S) * 1000 + 1000);
}

/* ---- reading ---- */

static int read_files(struct credentials *cr, struct complaint *c)
{
	const struct tls_files files = files_of(cr);
	struct tls_context *fresh;
	int err;

	/* The stamps are from before: what is replaced while it is read is read once more. */
	look(cr, cr->stamps);
	err = tls_context_create(&files, cr->flags, &fresh, c);
	if (err)
		return err;
	tls_context_free(cr->context);
	cr->context = fresh;
	cr->warned = 0;
	cr->reactor->disarm(cr->reactor->ctx, cr->timer);
	watch_expiry(cr);
	return 0;
}

void credentials_renew(struct credentials *cr)
{
	struct complaint c;

	if (read_files(cr, &c))
		log_error("%s goes on with its old certificate: %s", cr->name, c.text);
	else
		log_info("%s: read its certificate again", cr->name);
}

struct tls_context *credentials_context(struct credentials *cr)
{
	struct stamp now[N_FILES];

	look(cr, now);
	if (!same_stamps(now, cr->stamps))
		credentials_renew(cr);
	return cr->context;
}

int64_t credentials_expiry(const struct credentials *cr)
{
	return tls_context_expiry(cr->context);
}

uint32_t credentials_warnings(const struct credentials *cr)
{
	return cr->n_warnings;
}

/* ---- life ---- */

static bool copy_names(struct credentials *cr, const struct tls_files *files, const char *name)
{
	const char *const path[N_FILES] = {files->cert, files->key, files->ca, files->crl};
	bool done;

	cr->name = strdup(name);
	done = cr->name != NULL;
	for (int i = 0; i < N_FILES; i++) {
		cr->path[i] = path[i] ? strdup(path[i]) : NULL;
		done = done && (!path[i] || cr->path[i]);
	}
	return done;
}

int credentials_create(const struct reactor *reactor, const struct tls_files *files, unsigned flags, const char *name,
	struct credentials **ret, struct complaint *c)
{
	struct credentials *cr = calloc(1, sizeof(*cr));
	int err = -ENOMEM;

	if (!cr)
		return complain(c, -ENOMEM, "out of memory");
	cr->reactor = reactor;
	cr->flags = flags;
	cr->timer = reactor->timer(reactor->ctx, watch_expiry, cr);
	if (cr->timer && copy_names(cr, files, name))
		err = read_files(cr, c);
	else
		complain(c, err, "out of memory");
	if (err) {
		credentials_free(cr);
		return err;
	}
	*ret = cr;
	return 0;
}

void credentials_free(struct credentials *cr)
{
	if (!cr)
		return;
	cr->reactor->timer_free(cr->reactor->ctx, cr->timer);
	tls_context_free(cr->context);
	for (int i = 0; i < N_FILES; i++)
		free(cr->path[i]);
	free(cr->name);
	free(cr);
}
