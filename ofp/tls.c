/* SPDX-License-Identifier: BSD-2-Clause */
#include "ofp/tls.h"

#include "dataplane/complaint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct tls_context {
	SSL_CTX *ssl;
	bool server;
	unsigned n_users; /* its owner, and connections, which name its files when they fail */
	char *cert, *ca, *crl;
};

struct tls {
	struct tls_context *context;
	SSL *ssl;
	char *host;  /* that the peer must be called; NULL: whatever */
	bool failed; /* OpenSSL forbids more calls */
	char error[TLS_ERROR_SIZE];
	char peer[128];
};

/* ---- what is wrong, in words that say what to do ---- */

enum named { NAMED_NOTHING, NAMED_CERT, NAMED_CA, NAMED_CRL, NAMED_HOST };

/* What OpenSSL found: its code, and what a person is told, around the name of what is at fault. */
struct saying {
	int code;
	const char *before;
	enum named named;
	const char *after;
};

#define PEERS "the other side's certificate "
#define SAY_WRONG_CA                                                                                                   \
	PEERS "is not signed by the CA in ", NAMED_CA, ": give the CA that signed it, or have it signed by this one"
#define SAY_WRONG_CRL                                                                                                  \
	"the list of revoked certificates ", NAMED_CRL,                                                                \
		" is not one of the CA that signed the other side's certificate: get one from that CA"
#define SAY_CRL_IS_OLD "the list of revoked certificates ", NAMED_CRL, " is out of date: get a new one from the CA"

/* Of the certificate that the other side showed (X509_V_ERR_*). With two CAs of one name only the signature differs. */
static const struct saying verdicts[] = {
	{X509_V_ERR_CERT_HAS_EXPIRED, PEERS "has ended: it needs a new one, unless the clock here is wrong", 0, ""},
	{X509_V_ERR_CERT_NOT_YET_VALID, PEERS "is not valid yet: the clock is wrong, here or where it was made", 0, ""},
	{X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, SAY_WRONG_CA},
	{X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, SAY_WRONG_CA},
	{X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, SAY_WRONG_CA},
	{X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, SAY_WRONG_CA},
	{X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, SAY_WRONG_CA},
	{X509_V_ERR_CERT_SIGNATURE_FAILURE, SAY_WRONG_CA},
	{X509_V_ERR_AKID_SKID_MISMATCH, SAY_WRONG_CA},
	{X509_V_ERR_HOSTNAME_MISMATCH, PEERS "is not made out to ", NAMED_HOST,
		": use a name or address that it has, or make it anew for this one"},
	{X509_V_ERR_IP_ADDRESS_MISMATCH, PEERS "is not made out to ", NAMED_HOST,
		": use a name or address that it has, or make it anew for this one"},
	{X509_V_ERR_INVALID_PURPOSE,
		PEERS "is not for this use: a server's is for servers, a client's for clients, and a CA's for neither",
		0, ""},
	{X509_V_ERR_CERT_REVOKED, PEERS "is revoked by ", NAMED_CRL, ": it needs a new one"},
	{X509_V_ERR_CRL_HAS_EXPIRED, SAY_CRL_IS_OLD},
	{X509_V_ERR_CRL_NOT_YET_VALID, "the list of revoked certificates ", NAMED_CRL,
		" is not valid yet: the clock is wrong, here or where it was made"},
	{X509_V_ERR_UNABLE_TO_GET_CRL, SAY_WRONG_CRL},
	{X509_V_ERR_CRL_SIGNATURE_FAILURE, SAY_WRONG_CRL},
};

#define OURS "our certificate "
#define SAY_UNKNOWN_CA                                                                                                 \
	"the other side does not know the CA that signed " OURS, NAMED_CERT,                                           \
		": give it that CA, or use a certificate of its own CA"
#define SAY_REFUSED "the other side refuses " OURS, NAMED_CERT, ": its log should say why"
#define SAY_NO_TLS  "what the other side sends is not TLS: one of the two ends is for plain TCP", 0, ""
#define SAY_VERSION "the other side knows no TLS protocol that is allowed here: it is too old", 0, ""

/* Of the handshake (SSL_R_*): what the other side told us (ALERT), or did. */
static const struct saying failures[] = {
	{SSL_R_TLSV1_ALERT_UNKNOWN_CA, SAY_UNKNOWN_CA},
	{SSL_R_TLSV1_ALERT_DECRYPT_ERROR, SAY_UNKNOWN_CA},
	{SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, "the other side says that " OURS, NAMED_CERT,
		" has ended: make a new one, unless a clock is wrong"},
	{SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, "the other side says that " OURS, NAMED_CERT,
		" is revoked: make a new one"},
	{SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, "the other side says that " OURS, NAMED_CERT,
		" is not for this use: a server's is for servers, a client's for clients, and a CA's for neither"},
	{SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, SAY_REFUSED},
	{SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, SAY_REFUSED},
	{SSL_R_TLSV1_ALERT_ACCESS_DENIED, SAY_REFUSED},
	{SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, SAY_REFUSED},
	{SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, "the other side showed no certificate: it needs one that the CA in ",
		NAMED_CA, " signed"},
	{SSL_R_WRONG_VERSION_NUMBER, SAY_NO_TLS},
	{SSL_R_HTTP_REQUEST, SAY_NO_TLS},
	{SSL_R_PACKET_LENGTH_TOO_LONG, SAY_NO_TLS},
	{SSL_R_UNSUPPORTED_PROTOCOL, SAY_VERSION},
	{SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, SAY_VERSION},
	{SSL_R_NO_SHARED_CIPHER, "the other side knows no cipher that is allowed here: it is too old", 0, ""},
	{SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, "the other side found no cipher or no certificate that suits it", 0, ""},
	{SSL_R_UNEXPECTED_EOF_WHILE_READING, "the other side closed the connection", 0, ""},
};

#define FIND_SAYING(table, code) find_saying(table, sizeof(table) / sizeof((table)[0]), code)

static const struct saying *find_saying(const struct saying *table, size_t n, long code)
{
	for (size_t i = 0; i < n; i++) {
		if (table[i].code == code)
			return &table[i];
	}
	return NULL;
}

static const char *name_of(const struct tls *tls, enum named named)
{
	switch (named) {
	case NAMED_CERT:
		return tls->context->cert;
	case NAMED_CA:
		return tls->context->ca;
	case NAMED_CRL:
		return tls->context->crl ? tls->context->crl : "";
	case NAMED_HOST:
		return tls->host ? tls->host : "";
	case NAMED_NOTHING:
		break;
	}
	return "";
}

static void say(struct tls *tls, const struct saying *saying)
{
	snprintf(tls->error, sizeof(tls->error), "%s%s%s", saying->before, name_of(tls, saying->named), saying->after);
}

static bool is_error(unsigned long code, int lib, int reason)
{
	return ERR_GET_LIB(code) == lib && ERR_GET_REASON(code) == reason;
}

/* OpenSSL's first complaint; its own words where there are no better ones. */
static const char *reason(char *text, size_t size)
{
	unsigned long code = ERR_peek_error();
	const char *words = code ? ERR_reason_error_string(code) : NULL;

	if (code && ERR_SYSTEM_ERROR(code))
		words = strerror(ERR_GET_REASON(code));
	else if (is_error(code, ERR_LIB_PEM, PEM_R_NO_START_LINE) ||
		 is_error(code, ERR_LIB_OSSL_DECODER, ERR_R_UNSUPPORTED))
		words = "it holds none in PEM form";
	snprintf(text, size, "%s", words ? words : "unknown reason");
	ERR_clear_error();
	return text;
}

/* ---- contexts ---- */

/* S3 */
static int load_crl(SSL_CTX *ssl, const char *path, struct complaint *c)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ssl);
	X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
	char why[128];

	if (!lookup || X509_load_crl_file(lookup, path, X509_FILETYPE_PEM) < 1)
		return complain(c, -EINVAL, "cannot use the list of revoked certificates %s: %s", path,
			reason(why, sizeof(why)));
	X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
	return 0;
}

static int complain_of_key(const struct tls_files *files, bool asked, struct complaint *c)
{
	unsigned long code = ERR_peek_error();
	char why[128];

	if (asked) {
		ERR_clear_error();
		return complain(c, -EINVAL, "the key %s is behind a passphrase: store it without one", files->key);
	}
	/* For each kind of key a context has a certificate of its own: of another kind there is none. */
	if (!is_error(code, ERR_LIB_X509, X509_R_KEY_VALUES_MISMATCH) &&
		!is_error(code, ERR_LIB_SSL, SSL_R_NO_CERTIFICATE_ASSIGNED))
		return complain(c, -EINVAL, "cannot use the key %s: %s", files->key, reason(why, sizeof(why)));
	ERR_clear_error();
	return complain(c, -EINVAL, "the key %s is not that of the certificate %s: give the one that it was made with",
		files->key, files->cert);
}

static int load_files(SSL_CTX *ssl, const struct tls_files *files, struct complaint *c)
{
	bool asked = false;
	char why[128];

	SSL_CTX_set_default_passwd_cb_userdata(ssl, &asked);
	if (SSL_CTX_use_certificate_chain_file(ssl, files->cert) != 1)
		return complain(c, -EINVAL, "cannot use the certificate %s: %s", files->cert, reason(why, sizeof(why)));
	if (SSL_CTX_use_PrivateKey_file(ssl, files->key, SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(ssl) != 1)
		return complain_of_key(files, asked, c);
	SSL_CTX_set_default_passwd_cb_userdata(ssl, NULL);
	if (SSL_CTX_load_verify_file(ssl, files->ca) != 1)
		return complain(
			c, -EINVAL, "cannot use the CA certificate %s: %s", files->ca, reason(why, sizeof(why)));
	return files->crl ? load_crl(ssl, files->crl, c) : 0;
}

/* A key behind a passphrase must not stop the daemon at a prompt. */
static int no_passphrase(char *text, int size, int writing, void *arg)
{
	bool *ret_asked = arg;

	if (ret_asked)
		*ret_asked = true;
	return 0;
}

/* What 1.2 is allowed: forward secrecy and authenticated encryption, as 1.3 has them. */
#define CIPHERS_1_2 "ECDHE+AESGCM:ECDHE+CHACHA20"

static void harden(SSL_CTX *ssl, bool allow_1_2)
{
	SSL_CTX_set_min_proto_version(ssl, allow_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION);
	SSL_CTX_set_cipher_list(ssl, CIPHERS_1_2);
	SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_max_proto_version(ssl, TLS1_3_VERSION);
	SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ssl, 0);
	SSL_CTX_set_default_passwd_cb(ssl, no_passphrase);
	/* A call takes one record: else a peer that sends key updates without end would hold the loop. */
	SSL_CTX_clear_mode(ssl, SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_mode(
		ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
}

static bool copy_names(struct tls_context *context, const struct tls_files *files)
{
	context->cert = strdup(files->cert);
	context->ca = strdup(files->ca);
	context->crl = files->crl ? strdup(files->crl) : NULL;
	return context->cert && context->ca && (context->crl || !files->crl);
}

int tls_context_create(const struct tls_files *files, unsigned flags, struct tls_context **ret, struct complaint *c)
{
	struct tls_context *context = calloc(1, sizeof(*context));
	int err;

	if (!context)
		return complain(c, -ENOMEM, "out of memory");
	ERR_clear_error();
	context->n_users = 1;
	context->server = flags & TLS_SERVER;
	context->ssl = SSL_CTX_new(context->server ? TLS_server_method() : TLS_client_method());
	if (!context->ssl || !copy_names(context, files)) {
		tls_context_free(context);
		return complain(c, -ENOMEM, "out of memory");
	}
	harden(context->ssl, flags & TLS_ALLOW_1_2);
	err = load_files(context->ssl, files, c);
	if (err) {
		tls_context_free(context);
		return err;
	}
	*ret = context;
	return 0;
}

void tls_context_free(struct tls_context *context)
{
	if (!context || --context->n_users)
		return;
	SSL_CTX_free(context->ssl);
	free(context->cert);
	free(context->ca);
	free(context->crl);
	free(context);
}

int64_t tls_context_expiry(const struct tls_context *context)
{
	const X509 *cert = SSL_CTX_get0_certificate(context->ssl);
	struct tm end;

	return cert && ASN1_TIME_to_tm(X509_get0_notAfter(cert), &end) == 1 ? (int64_t)timegm(&end) : 0;
}

/* ---- steps ---- */

static bool is_ip(const char *host)
{
	struct in6_addr address;

	return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

static bool expect_host(SSL *ssl, const char *host)
{
	if (is_ip(host))
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

struct tls *tls_create(struct tls_context *context, int fd, const char *host)
{
	struct tls *tls = calloc(1, sizeof(*tls));

	if (!tls)
		return NULL;
	tls->context = context;
	context->n_users++;
	tls->host = host ? strdup(host) : NULL;
	tls->ssl = SSL_new(context->ssl);
	if (!tls->ssl || SSL_set_fd(tls->ssl, fd) != 1 || (host && (!tls->host || !expect_host(tls->ssl, host)))) {
		tls->failed = true;
		tls_free(tls);
		return NULL;
	}
	if (context->server)
		SSL_set_accept_state(tls->ssl);
	else
		SSL_set_connect_state(tls->ssl);
	return tls;
}

void tls_free(struct tls *tls)
{
	if (!tls)
		return;
	if (!tls->failed && SSL_is_init_finished(tls->ssl))
		SSL_shutdown(tls->ssl);
	ERR_clear_error();
	SSL_free(tls->ssl);
	tls_context_free(tls->context);
	free(tls->host);
	free(tls);
}

static const struct saying *known_failure(void)
{
	unsigned long code = ERR_peek_error();

	return ERR_GET_LIB(code) == ERR_LIB_SSL ? FIND_SAYING(failures, ERR_GET_REASON(code)) : NULL;
}

static void explain(struct tls *tls, int saved_errno)
{
	long verdict = SSL_get_verify_result(tls->ssl);
	const struct saying *saying = verdict != X509_V_OK ? FIND_SAYING(verdicts, verdict) : known_failure();
	char why[128];

	if (saying) {
		say(tls, saying);
		ERR_clear_error();
	} else if (verdict != X509_V_OK) {
		snprintf(
			tls->error, sizeof(tls->error), PEERS "is refused: %s", X509_verify_cert_error_string(verdict));
		ERR_clear_error();
	} else if (ERR_peek_error()) {
		snprintf(tls->error, sizeof(tls->error), "the TLS connection broke: %s", reason(why, sizeof(why)));
	} else {
		snprintf(tls->error, sizeof(tls->error), "%s",
			saved_errno ? strerror(saved_errno) : "the other side closed the connection");
	}
}

/* Turns what an SSL_ call returned into a step. */
static enum tls_step step(struct tls *tls, int result)
{
	int saved_errno = errno;

	switch (SSL_get_error(tls->ssl, result)) {
	case SSL_ERROR_NONE:
		return TLS_DONE;
	case SSL_ERROR_WANT_READ:
		return TLS_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_CLOSED;
	default:
		tls->failed = true;
		explain(tls, saved_errno);
		return TLS_FAILED;
	}
}

/* OpenSSL judges by the thread's error queue and errno: both are to be clean before each call. */
static bool ready(struct tls *tls)
{
	ERR_clear_error();
	errno = 0;
	return !tls->failed;
}

enum tls_step tls_handshake(struct tls *tls)
{
	enum tls_step now;
	X509 *cert;

	if (!ready(tls))
		return TLS_FAILED;
	now = step(tls, SSL_do_handshake(tls->ssl));
	if (now != TLS_DONE)
		return now == TLS_CLOSED ? TLS_FAILED : now;
	cert = SSL_get0_peer_certificate(tls->ssl);
	if (!cert || SSL_get_verify_result(tls->ssl) != X509_V_OK) {
		tls->failed = true;
		snprintf(tls->error, sizeof(tls->error), "the other side showed no certificate");
		return TLS_FAILED;
	}
	X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, tls->peer, sizeof(tls->peer));
	return TLS_DONE;
}

enum tls_step tls_read(struct tls *tls, void *data, size_t size, size_t *ret_n)
{
	size_t n = 0;
	enum tls_step now;

	if (!ready(tls))
		return TLS_FAILED;
	now = step(tls, SSL_read_ex(tls->ssl, data, size, &n));
	if (now == TLS_DONE)
		*ret_n = n;
	return now;
}

enum tls_step tls_write(struct tls *tls, const void *data, size_t size, size_t *ret_n)
{
	size_t n = 0;
	enum tls_step now;

	if (!ready(tls))
		return TLS_FAILED;
	now = step(tls, SSL_write_ex(tls->ssl, data, size, &n));
	if (now == TLS_DONE)
		*ret_n = n;
	return now;
}

const char *tls_error(const struct tls *tls)
{
	return tls->error;
}

const char *tls_peer(const struct tls *tls)
{
	return tls->peer;
}

/* ---- making certificates ---- */

struct identity {
	X509 *cert;
	EVP_PKEY *key;
};

static void identity_free(struct identity *id)
{
	X509_free(id->cert);
	EVP_PKEY_free(id->key);
	*id = (struct identity){0};
}

static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *extension;
	bool done;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	done = extension && X509_add_ext(cert, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return done;
}

/* RFC 5280 §4.1.2.2: positive, at most 20 octets. */
static bool set_serial(X509 *cert)
{
	unsigned char bytes[16];
	BIGNUM *serial;
	bool done;

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return false;
	bytes[0] &= 0x7f;
	bytes[0] |= 0x40;
	serial = BN_bin2bn(bytes, sizeof(bytes), NULL);
	done = serial && BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(cert));
	BN_free(serial);
	return done;
}

static bool set_subject(X509 *cert, const char *name)
{
	X509_NAME *subject = X509_get_subject_name(cert);

	return X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8, (const unsigned char *)"switchd", -1, -1, 0) &&
	       X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0);
}

static bool set_validity(X509 *cert, unsigned days)
{
	/* A day back: clocks of two machines differ. */
	return X509_gmtime_adj(X509_getm_notBefore(cert), -86400) &&
	       X509_time_adj_ex(X509_getm_notAfter(cert), (int)days, 0, NULL);
}

struct extension {
	int nid;
	const char *value;
};

/* A fresh key and its certificate, signed by `ca`, or by itself. */
static bool make(const char *name, unsigned days, const struct extension *extensions, const struct identity *ca,
	struct identity *ret)
{
	struct identity id = {.cert = X509_new(), .key = EVP_EC_gen("P-256")};
	const struct identity *issuer = ca ? ca : &id;
	bool done = id.cert && id.key && X509_set_version(id.cert, X509_VERSION_3) && set_serial(id.cert) &&
		    set_subject(id.cert, name) && set_validity(id.cert, days) && X509_set_pubkey(id.cert, id.key) &&
		    X509_set_issuer_name(id.cert, X509_get_subject_name(issuer->cert));

	for (const struct extension *e = extensions; done && e->value; e++)
		done = add_extension(id.cert, issuer->cert, e->nid, e->value);
	if (!done || !X509_sign(id.cert, issuer->key, EVP_sha256())) {
		identity_free(&id);
		return false;
	}
	*ret = id;
	return true;
}

static int create_file(const char *dir, const char *name, mode_t mode, FILE **ret, struct complaint *c)
{
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return complain(c, -ENAMETOOLONG, "%s is too long a path", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0 && errno == EEXIST)
		return complain(c, -EEXIST, "%s is there already, and nothing is overwritten", path);
	if (fd < 0)
		return complain(c, -errno, "cannot make %s: %s", path, strerror(errno));
	*ret = fdopen(fd, "w");
	if (!*ret) {
		close(fd);
		return complain(c, -ENOMEM, "out of memory");
	}
	return 0;
}

static int write_identity(const char *dir, const char *name, const struct identity *id, struct complaint *c)
{
	char file[64];
	FILE *out;
	bool done;
	int err;

	snprintf(file, sizeof(file), "%s.key", name);
	err = create_file(dir, file, 0600, &out, c);
	if (err)
		return err;
	done = PEM_write_PrivateKey(out, id->key, NULL, NULL, 0, NULL, NULL);
	done = !fclose(out) && done;
	snprintf(file, sizeof(file), "%s.crt", name);
	err = create_file(dir, file, 0644, &out, c);
	if (err)
		return err;
	done = PEM_write_X509(out, id->cert) && done;
	done = !fclose(out) && done;
	return done ? 0 : complain(c, -EIO, "cannot write %s/%s", dir, file);
}

static int join_names(const struct tls_pki *pki, char *text, size_t size, struct complaint *c)
{
	size_t used = 0;

	for (size_t i = 0; i < pki->n_names; i++) {
		const char *name = pki->names[i];

		if (!*name || strpbrk(name, " \t/;=,") || (strchr(name, ':') && !is_ip(name)))
			return complain(c, -EINVAL, "\"%s\" is no host name and no IP address", name);
		used += (size_t)snprintf(
			text + used, size - used, "%s%s:%s", used ? "," : "", is_ip(name) ? "IP" : "DNS", name);
		if (used >= size)
			return complain(c, -EINVAL, "too many names");
	}
	return 0;
}

static int refuse_existing(const char *dir, struct complaint *c)
{
	static const char *const files[] = {"ca.crt", "ca.key", "server.crt", "server.key", "client.crt", "client.key"};
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		if (!access(path, F_OK))
			return complain(c, -EEXIST, "%s is there already, and nothing is overwritten", path);
	}
	return 0;
}

static int make_all(const struct tls_pki *pki, const char *names, struct identity id[3], struct complaint *c)
{
	const struct extension ca[] = {{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
		{NID_key_usage, "critical,keyCertSign,cRLSign"}, {NID_subject_key_identifier, "hash"}, {0}};
	const struct extension server[] = {{NID_basic_constraints, "critical,CA:FALSE"},
		{NID_key_usage, "critical,digitalSignature"}, {NID_ext_key_usage, "serverAuth"},
		{NID_subject_key_identifier, "hash"}, {NID_authority_key_identifier, "keyid:always"},
		{NID_subject_alt_name, names}, {0}};
	const struct extension client[] = {{NID_basic_constraints, "critical,CA:FALSE"},
		{NID_key_usage, "critical,digitalSignature"}, {NID_ext_key_usage, "clientAuth"},
		{NID_subject_key_identifier, "hash"}, {NID_authority_key_identifier, "keyid:always"}, {0}};
	char why[128];

	ERR_clear_error();
	if (make("switchd CA", pki->days, ca, NULL, &id[0]) &&
		make("switchd server", pki->days, server, &id[0], &id[1]) &&
		make("switchctl client", pki->days, client, &id[0], &id[2]))
		return 0;
	return complain(c, -EINVAL, "cannot make the certificates: %s", reason(why, sizeof(why)));
}

int tls_make_pki(const struct tls_pki *pki, struct complaint *c)
{
	static const char *const file[3] = {"ca", "server", "client"};
	struct identity id[3] = {{0}};
	char names[4096];
	int err = join_names(pki, names, sizeof(names), c);

	if (!err)
		err = refuse_existing(pki->dir, c);
	if (!err)
		err = make_all(pki, names, id, c);
	for (int i = 0; !err && i < 3; i++)
		err = write_identity(pki->dir, file[i], &id[i], c);
	for (int i = 0; i < 3; i++)
		identity_free(&id[i]);
	return err;
}
