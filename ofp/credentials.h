/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * credentials.h - a certificate with its key, its CA and maybe a list of revoked ones, as files that others replace
 * while we run.
 *
 * What: a TLS context made of the files, made anew when one of them has changed (by its inode, size or time of change;
 * looked at for each new connection, so that nothing polls) or when told to. If what is there now cannot be used, be it
 * that only one of two files has been replaced so far, the old context stays, and the log says so once for each change.
 *
 * The log hears 30, 7 and 1 days before the certificate ends, and when it has.
 */
#ifndef OFP_CREDENTIALS_H
#define OFP_CREDENTIALS_H

#include <stdint.h>

struct complaint;
struct credentials;
struct reactor;
struct tls_context;
struct tls_files;

/*
 * Copies the paths; `flags` are tls_context_create()'s, `name` stands in the log. Borrows the reactor. -EINVAL: a file
 * cannot be used; the complaint names it. -ENOMEM.
 */
int credentials_create(const struct reactor *reactor, const struct tls_files *files, unsigned flags, const char *name,
	struct credentials **ret, struct complaint *c);
/* Accepts NULL. */
void credentials_free(struct credentials *credentials);

/* For a new connection; borrowed until the next call. */
struct tls_context *credentials_context(struct credentials *credentials);
/* Reads the files again, changed or not. */
void credentials_renew(struct credentials *credentials);

/* When the certificate ends, in seconds since 1970. */
int64_t credentials_expiry(const struct credentials *credentials);
/* How often the log was warned that it ends. */
uint32_t credentials_warnings(const struct credentials *credentials);

#endif
