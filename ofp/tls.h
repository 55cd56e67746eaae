/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tls.h - TLS as the control sockets and the OpenFlow channels need it: both sides with a certificate; the only file
 * that knows OpenSSL.
 *
 * Version 1.3, and 1.2 for whoever asks for it (TLS_ALLOW_1_2): controllers that people run do not all know 1.3.
 *
 * What: steps over a non-blocking socket. A step says what it waits for and only the loop turns that into a watcher.
 * And the making of certificates for `switchctl pki init`.
 *
 * Invariants
 * S1 A server's handshake is DONE only if the client showed a certificate that the CA signed, for use as a client.
 * S2 A client's handshake is DONE only if the server's certificate is signed by the CA, for use as a server, and
 *    names the host or IP address that was asked for.
 * S3 With a list of revoked certificates, a peer whose certificate stands in it, or a list that is out of date, fails
 *    the handshake.
 * No session is resumed and none is renegotiated, so that each connection shows its certificate.
 *
 * SIGPIPE must be ignored by the process.
 */
#ifndef OFP_TLS_H
#define OFP_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct complaint;
struct tls;
struct tls_context;

enum tls_step {
	TLS_DONE,
	TLS_WANT_READ,
	TLS_WANT_WRITE,
	TLS_CLOSED, /* the other side ended it in order; of reading */
	TLS_FAILED, /* see tls_error() */
};

/* Paths of PEM files. */
struct tls_files {
	const char *cert, *key, *ca;
	const char *crl; /* revoked certificates; NULL: none are */
};

enum { TLS_CLIENT = 0, TLS_SERVER = 1, TLS_ALLOW_1_2 = 2 };

/* `flags`: TLS_CLIENT or TLS_SERVER, and maybe TLS_ALLOW_1_2. -EINVAL: a file cannot be used; the complaint names it.
 */
int tls_context_create(const struct tls_files *files, unsigned flags, struct tls_context **ret, struct complaint *c);
/* Accepts NULL. Connections made from it live on, and keep what they need of it. */
void tls_context_free(struct tls_context *context);
/* When our own certificate ends, in seconds since 1970. */
int64_t tls_context_expiry(const struct tls_context *context);

/* `host` is what a client's peer must be called, name or IP address; NULL for a server. NULL: out of memory. */
struct tls *tls_create(struct tls_context *context, int fd, const char *host);
/* Accepts NULL. Says goodbye if it can do so at once; the descriptor stays the caller's. */
void tls_free(struct tls *tls);

enum tls_step tls_handshake(struct tls *tls);
/* DONE: 1 to `size` bytes were read. */
enum tls_step tls_read(struct tls *tls, void *data, size_t size, size_t *ret_n);
/* DONE: 1 to `size` bytes were taken. On WANT_*: call again with the same bytes. */
enum tls_step tls_write(struct tls *tls, const void *data, size_t size, size_t *ret_n);

#define TLS_ERROR_SIZE 400

/*
 * Why it failed: whose certificate, or which file of ours, is at fault, and what to do. Shorter than TLS_ERROR_SIZE;
 * until the next call.
 */
const char *tls_error(const struct tls *tls);
/* The subject of the peer's certificate, after the handshake. */
const char *tls_peer(const struct tls *tls);

/*
 * Makes ca.crt, ca.key, server.crt, server.key, client.crt and client.key in the directory (EC P-256, keys 0600).
 * `names` are host names and IP addresses of the server. -EEXIST: one of the files is there; nothing is overwritten.
 */
struct tls_pki {
	const char *dir;
	const char *const *names;
	size_t n_names;
	unsigned days;
};
int tls_make_pki(const struct tls_pki *pki, struct complaint *c);

#endif
