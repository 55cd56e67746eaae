/* SPDX-License-Identifier: BSD-2-Clause */
/* tls.h: who gets through a handshake and who does not, over a socketpair and step by step. */
#include "ofp/tls.h"

#include "dataplane/complaint.h"
#include "tests/unit/tls_lab.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char dir[64], other[64], ended[64];

static void make_pki(char *path, unsigned days)
{
	static const char *const names[] = {"localhost", "127.0.0.1", "::1", "switch.example"};
	const struct tls_pki pki = {.dir = path, .names = names, .n_names = 4, .days = days};
	struct complaint c;

	strcpy(path, "/tmp/ht-tls-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(path));
	ck_assert_msg(!tls_make_pki(&pki, &c), "%s", c.text);
}

static void remove_pki(const char *path)
{
	static const char *const files[] = {
		"ca.crt", "ca.key", "server.crt", "server.key", "client.crt", "client.key", "crl.pem", "bad.key"};
	char file[128];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(file, sizeof(file), "%s/%s", path, files[i]);
		unlink(file);
	}
	rmdir(path);
}

static void set_up(void)
{
	signal(SIGPIPE, SIG_IGN);
	make_pki(dir, 1);
	make_pki(other, 1);
	make_pki(ended, (unsigned)-1);
}

static void tear_down(void)
{
	remove_pki(dir);
	remove_pki(other);
	remove_pki(ended);
}

/* who: "server" or "client"; from and ca: directories. */
static int context(const char *who, const char *from, const char *ca, const char *crl, unsigned flags,
	struct tls_context **ret, struct complaint *c)
{
	char cert[128], key[128], authority[128];
	const struct tls_files files = {.cert = cert, .key = key, .ca = authority, .crl = crl};

	snprintf(cert, sizeof(cert), "%s/%s.crt", from, who);
	snprintf(key, sizeof(key), "%s/%s.key", from, who);
	snprintf(authority, sizeof(authority), "%s/ca.crt", ca);
	return tls_context_create(&files, flags, ret, c);
}

struct pair {
	int fd[2];
	struct tls *server, *client;
};

static bool says(const char *text, const char *words)
{
	return strstr(text, words) != NULL;
}

static struct tls_context *must(const char *who, const char *from, const char *ca, bool server)
{
	struct tls_context *ret;
	struct complaint c;

	ck_assert_msg(!context(who, from, ca, NULL, server ? TLS_SERVER : TLS_CLIENT, &ret, &c), "%s", c.text);
	return ret;
}

static void open_pair(struct pair *pair, struct tls_context *server, struct tls_context *client, const char *host)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair->fd), 0);
	pair->server = tls_create(server, pair->fd[0], NULL);
	pair->client = tls_create(client, pair->fd[1], host);
	ck_assert_ptr_nonnull(pair->server);
	ck_assert_ptr_nonnull(pair->client);
	tls_context_free(server);
	tls_context_free(client);
}

static void close_pair(struct pair *pair)
{
	tls_free(pair->server);
	tls_free(pair->client);
	close(pair->fd[0]);
	close(pair->fd[1]);
}

/* Steps both until neither can go on. */
static void shake(struct pair *pair, enum tls_step *ret_server, enum tls_step *ret_client)
{
	*ret_server = *ret_client = TLS_WANT_READ;
	for (int round = 0; round < 20; round++) {
		if (*ret_client != TLS_DONE && *ret_client != TLS_FAILED)
			*ret_client = tls_handshake(pair->client);
		if (*ret_server != TLS_DONE && *ret_server != TLS_FAILED)
			*ret_server = tls_handshake(pair->server);
	}
}

START_TEST(both_with_certificates_of_one_ca_may_talk)
{
	enum tls_step server, client;
	struct pair pair;
	char text[16];
	size_t n = 0;

	open_pair(&pair, must("server", dir, dir, true), must("client", dir, dir, false), "localhost");
	shake(&pair, &server, &client);
	ck_assert_msg(
		server == TLS_DONE && client == TLS_DONE, "%s / %s", tls_error(pair.server), tls_error(pair.client));
	ck_assert_str_eq(tls_peer(pair.server), "switchctl client");
	ck_assert_str_eq(tls_peer(pair.client), "switchd server");
	ck_assert_int_eq(tls_read(pair.server, text, sizeof(text), &n), TLS_WANT_READ);
	ck_assert_int_eq(tls_write(pair.client, "hello", 5, &n), TLS_DONE);
	ck_assert_uint_eq(n, 5);
	ck_assert_int_eq(tls_read(pair.server, text, sizeof(text), &n), TLS_DONE);
	ck_assert_uint_eq(n, 5);
	tls_free(pair.client);
	pair.client = NULL;
	ck_assert_int_eq(tls_read(pair.server, text, sizeof(text), &n), TLS_CLOSED);
	close_pair(&pair);
}
END_TEST

static const struct host {
	const char *name;
	bool fits;
} hosts[] = {{"localhost", true}, {"127.0.0.1", true}, {"::1", true}, {"switch.example", true},
	{"other.example", false}, {"127.0.0.2", false}, {"example", false}};

/* S2 */
START_TEST(the_server_must_be_who_was_called)
{
	enum tls_step server, client;
	struct pair pair;

	open_pair(&pair, must("server", dir, dir, true), must("client", dir, dir, false), hosts[_i].name);
	shake(&pair, &server, &client);
	ck_assert_msg((client == TLS_DONE) == hosts[_i].fits, "%s: %s", hosts[_i].name, tls_error(pair.client));
	close_pair(&pair);
}
END_TEST

/* S1: who shows what to a server that trusts `dir`; only the first may get in. */
static const struct intruder {
	const char *who, *from;
} intruders[] = {{"client", other}, {"server", dir}, {"ca", dir}};

START_TEST(a_client_without_the_right_certificate_is_refused)
{
	enum tls_step server, client;
	struct pair pair;
	char text[8];
	size_t n;

	/* The intruder trusts whoever answers it. */
	open_pair(&pair, must("server", dir, dir, true), must(intruders[_i].who, intruders[_i].from, dir, false),
		"localhost");
	shake(&pair, &server, &client);
	ck_assert_int_eq(server, TLS_FAILED);
	ck_assert_msg(strstr(tls_error(pair.server), "certificate"), "%s", tls_error(pair.server));
	/* In TLS 1.3 the client believes itself in until it reads. */
	ck_assert_int_eq(tls_read(pair.client, text, sizeof(text), &n), TLS_FAILED);
	ck_assert_int_eq(tls_read(pair.server, text, sizeof(text), &n), TLS_FAILED);
	close_pair(&pair);
}
END_TEST

/* The client here is bare OpenSSL: ours cannot go without a certificate. */
START_TEST(a_client_that_shows_no_certificate_is_refused)
{
	struct tls_context *context = must("server", dir, dir, true);
	SSL_CTX *bare = SSL_CTX_new(TLS_client_method());
	enum tls_step step = TLS_WANT_READ;
	struct tls *server;
	SSL *client;
	int fd[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	server = tls_create(context, fd[0], NULL);
	client = SSL_new(bare);
	SSL_set_fd(client, fd[1]);
	for (int round = 0; round < 10 && step == TLS_WANT_READ; round++) {
		SSL_connect(client);
		step = tls_handshake(server);
	}
	ck_assert_int_eq(step, TLS_FAILED);
	ck_assert_msg(says(tls_error(server), "the other side showed no certificate") && says(tls_error(server), dir),
		"%s", tls_error(server));
	SSL_free(client);
	SSL_CTX_free(bare);
	tls_free(server);
	tls_context_free(context);
	close(fd[0]);
	close(fd[1]);
}
END_TEST

START_TEST(a_server_of_another_ca_is_refused)
{
	enum tls_step server, client;
	struct pair pair;

	open_pair(&pair, must("server", other, dir, true), must("client", dir, dir, false), "localhost");
	shake(&pair, &server, &client);
	ck_assert_int_eq(client, TLS_FAILED);
	close_pair(&pair);
}
END_TEST

START_TEST(a_client_certificate_does_not_make_a_server)
{
	enum tls_step server, client;
	struct pair pair;

	open_pair(&pair, must("client", dir, dir, true), must("client", dir, dir, false), "localhost");
	shake(&pair, &server, &client);
	ck_assert_int_eq(client, TLS_FAILED);
	close_pair(&pair);
}
END_TEST

/* A list of what the CA of a directory revoked, in crl.pem of `dir`: nothing, or `who`. */
static void make_list(const char *ca_dir, const char *who, long valid_s)
{
	lab_revoke(ca_dir, who, valid_s);
	if (ca_dir != dir)
		lab_replace(dir, ca_dir, "crl.pem");
}

/*
 * Who shows what to a client and a server of which both trust the CA of `ca`, and what each of them is told: words, and
 * the file of ours that they name. A server has the list of revoked certificates.
 */
static const struct refusal {
	const char *server, *server_from, *client, *client_from, *ca, *host;
	const char *crl_of, *revoked; /* the CA whose list it is, and whom it has; NULL: no list, nobody */
	long crl_s;
	struct told {
		const char *words, *from, *file;
	} server_told, client_told;
} refusals[] = {
	{.client_from = other,
		.server_told = {"is not signed by the CA in", dir, "ca.crt"},
		.client_told = {"does not know the CA that signed our certificate", other, "client.crt"}},
	{.server_from = other,
		.client_told = {"is not signed by the CA in", dir, "ca.crt"},
		.server_told = {"does not know the CA that signed our certificate", other, "server.crt"}},
	{.client = "server",
		.server_told = {"is not for this use"},
		.client_told = {"is not for this use", dir, "server.crt"}},
	{.server = "client",
		.client_told = {"is not for this use"},
		.server_told = {"is not for this use", dir, "client.crt"}},
	{.host = "other.example",
		.client_told = {"is not made out to other.example"},
		.server_told = {"refuses our certificate", dir, "server.crt"}},
	{.host = "127.0.0.2",
		.client_told = {"is not made out to 127.0.0.2"},
		.server_told = {"refuses our certificate", dir, "server.crt"}},
	{.server_from = ended,
		.client_from = ended,
		.ca = ended,
		.client_told = {"has ended"},
		.server_told = {"has ended", ended, "server.crt"}},
	{.crl_of = dir,
		.revoked = "client",
		.crl_s = 3600,
		.server_told = {"is revoked by", dir, "crl.pem"},
		.client_told = {"is revoked", dir, "client.crt"}},
	{.crl_of = dir, .crl_s = -3600, .server_told = {"is out of date", dir, "crl.pem"}},
	{.crl_of = other, .crl_s = 3600, .server_told = {"is not one of the CA", dir, "crl.pem"}},
};

static void expect_told(const struct told *told, const char *text)
{
	char path[128] = "";

	if (told->file)
		snprintf(path, sizeof(path), "%s/%s", told->from, told->file);
	if (told->words)
		ck_assert_msg(
			says(text, told->words) && says(text, path), "refusal %s %s: %s", told->words, path, text);
}

START_TEST(who_is_refused_and_who_refuses_are_told_what_is_at_fault)
{
	const struct refusal *r = &refusals[_i];
	const char *ca = r->ca ? r->ca : dir;
	enum tls_step server, client;
	struct tls_context *with_list;
	struct complaint c;
	char text[8], crl[128];
	struct pair pair;
	size_t n;

	if (r->crl_of)
		make_list(r->crl_of, r->revoked, r->crl_s);
	snprintf(crl, sizeof(crl), "%s/crl.pem", dir);
	ck_assert_msg(!context(r->server ? r->server : "server", r->server_from ? r->server_from : dir, ca,
			      r->crl_of ? crl : NULL, TLS_SERVER, &with_list, &c),
		"%s", c.text);
	open_pair(&pair, with_list,
		must(r->client ? r->client : "client", r->client_from ? r->client_from : dir, ca, false),
		r->host ? r->host : "localhost");
	shake(&pair, &server, &client);
	if (client == TLS_DONE)
		client = tls_read(pair.client, text, sizeof(text), &n);
	ck_assert(server == TLS_FAILED && client == TLS_FAILED);
	expect_told(&r->server_told, tls_error(pair.server));
	expect_told(&r->client_told, tls_error(pair.client));
	close_pair(&pair);
}
END_TEST

/* What a stranger may send instead of a handshake: it fails in those words, or NULL, is waited for. */
static void meet_bytes(const void *bytes, size_t size, bool then_close, const char *words)
{
	struct tls_context *server = must("server", dir, dir, true);
	enum tls_step step;
	struct tls *tls;
	int fd[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	tls = tls_create(server, fd[0], NULL);
	tls_context_free(server);
	if (size)
		ck_assert_int_gt(write(fd[1], bytes, size), 0);
	if (then_close)
		close(fd[1]);
	for (int i = 0; i < 5; i++)
		step = tls_handshake(tls);
	ck_assert_int_eq(step, words ? TLS_FAILED : TLS_WANT_READ);
	if (words)
		ck_assert_msg(says(tls_error(tls), words), "%s", tls_error(tls));
	tls_free(tls);
	close(fd[0]);
	if (!then_close)
		close(fd[1]);
}

START_TEST(garbage_fails_and_says_so)
{
	unsigned seed = (unsigned)time(NULL);
	char bytes[2000];

	printf("seed %u\n", seed);
	meet_bytes("GET / HTTP/1.0\r\n\r\n", 18, false, "is not TLS");
	meet_bytes("stats\nstats\nstats\n", 18, false, "is not TLS");
	for (int round = 0; round < 200; round++) {
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (char)rand_r(&seed);
		bytes[0] = 'x'; /* not the type of a handshake record, and no version */
		bytes[1] = 'x';
		meet_bytes(bytes, sizeof(bytes), false, "is not TLS");
	}
}
END_TEST

START_TEST(silence_waits_and_a_lost_peer_fails)
{
	meet_bytes("", 0, false, NULL);
	meet_bytes("\x16\x03\x01", 3, false, NULL);
	meet_bytes("\x16\x03\x01", 3, true, "the other side closed the connection");
	meet_bytes("", 0, true, "the other side closed the connection");
}
END_TEST

/* The ClientHello of a client that knows TLS 1.2 and no more: no supported_versions (RFC 8446 §4.2.1). */
START_TEST(tls_1_2_is_refused)
{
	static const unsigned char hello[] = {0x16, 0x03, 0x01, 0x00, 0x2f, /* record: handshake, 47 bytes */
		0x01, 0x00, 0x00, 0x2b,                                     /* ClientHello, 43 bytes */
		0x03, 0x03, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,
		26, 27, 28, 29, 30, 31, 32,         /* 1.2 and its random bytes */
		0x00,                               /* no session */
		0x00, 0x04, 0xc0, 0x2b, 0xc0, 0x2f, /* ECDHE with AES-128-GCM */
		0x01, 0x00};                        /* no compression, no extensions */
	struct tls_context *server = must("server", dir, dir, true);
	struct tls *tls;
	int fd[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	tls = tls_create(server, fd[0], NULL);
	tls_context_free(server);
	ck_assert_int_eq(write(fd[1], hello, sizeof(hello)), (ssize_t)sizeof(hello));
	ck_assert_int_eq(tls_handshake(tls), TLS_FAILED);
	ck_assert_msg(says(tls_error(tls), "knows no TLS protocol that is allowed here"), "%s", tls_error(tls));
	tls_free(tls);
	close(fd[0]);
	close(fd[1]);
}
END_TEST

/* A handshake of which a byte arrives at a time, and which stops at any of them, leaves the server waiting. */
START_TEST(a_handshake_cut_at_any_byte_waits)
{
	struct tls_context *client_context = must("client", dir, dir, false);
	struct tls *client;
	char hello[2000];
	ssize_t size;
	int fd[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	client = tls_create(client_context, fd[1], "localhost");
	tls_context_free(client_context);
	ck_assert_int_eq(tls_handshake(client), TLS_WANT_READ);
	size = read(fd[0], hello, sizeof(hello));
	ck_assert_int_gt(size, 100);
	for (ssize_t n = 0; n < size; n += 7)
		meet_bytes(hello, (size_t)n, false, NULL);
	tls_free(client);
	close(fd[0]);
	close(fd[1]);
}
END_TEST

START_TEST(a_peer_that_changes_keys_without_end_does_not_hold_a_call)
{
	SSL_CTX *ssl_context = SSL_CTX_new(TLS_client_method());
	enum tls_step step = TLS_WANT_READ;
	struct tls_context *context = must("server", dir, dir, true);
	char file[128], text[16];
	int fd[2], left = 0;
	unsigned calls = 0;
	struct tls *server;
	size_t n = 0;
	SSL *ssl;

	snprintf(file, sizeof(file), "%s/client.crt", dir);
	ck_assert_int_eq(SSL_CTX_use_certificate_chain_file(ssl_context, file), 1);
	snprintf(file, sizeof(file), "%s/client.key", dir);
	ck_assert_int_eq(SSL_CTX_use_PrivateKey_file(ssl_context, file, SSL_FILETYPE_PEM), 1);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	server = tls_create(context, fd[0], NULL);
	ssl = SSL_new(ssl_context);
	SSL_set_fd(ssl, fd[1]);
	while (step != TLS_DONE && calls++ < 20) {
		SSL_connect(ssl);
		step = tls_handshake(server);
	}
	ck_assert_int_eq(step, TLS_DONE);
	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
		ck_assert_int_eq(SSL_do_handshake(ssl), 1);
	}
	ck_assert_int_eq(SSL_write(ssl, "after all", 9), 9);
	ck_assert_int_eq(tls_read(server, text, sizeof(text), &n), TLS_WANT_READ);
	ck_assert_int_eq(ioctl(fd[0], FIONREAD, &left), 0);
	ck_assert_int_gt(left, 0);
	for (calls = 0; calls < 200 && tls_read(server, text, sizeof(text), &n) == TLS_WANT_READ; calls++)
		;
	ck_assert_uint_eq(n, 9);
	tls_free(server);
	tls_context_free(context);
	SSL_free(ssl);
	SSL_CTX_free(ssl_context);
	close(fd[0]);
	close(fd[1]);
}
END_TEST

START_TEST(writing_waits_when_the_other_side_does_not_read)
{
	static char block[65536];
	enum tls_step server, client, step = TLS_DONE;
	struct pair pair;
	size_t n, sent = 0;

	open_pair(&pair, must("server", dir, dir, true), must("client", dir, dir, false), "localhost");
	shake(&pair, &server, &client);
	while (step == TLS_DONE && sent < (64U << 20)) {
		step = tls_write(pair.server, block, sizeof(block), &n);
		sent += n;
	}
	ck_assert_int_eq(step, TLS_WANT_WRITE);
	ck_assert_int_eq(tls_read(pair.client, block, sizeof(block), &n), TLS_DONE);
	close_pair(&pair);
}
END_TEST

/* ---- files ---- */

START_TEST(a_file_that_cannot_be_used_is_named)
{
	struct tls_context *ret;
	struct complaint c;

	ck_assert_int_eq(context("nobody", dir, dir, NULL, TLS_SERVER, &ret, &c), -EINVAL);
	ck_assert_msg(strstr(c.text, "nobody.crt") && strstr(c.text, "No such file"), "%s", c.text);
	ck_assert_int_eq(context("server", dir, "/nonexistent", NULL, TLS_SERVER, &ret, &c), -EINVAL);
	ck_assert_msg(strstr(c.text, "/nonexistent/ca.crt"), "%s", c.text);
	ck_assert_int_eq(context("server", dir, dir, "/dev/null", TLS_SERVER, &ret, &c), -EINVAL);
	ck_assert_msg(says(c.text, "the list of revoked certificates /dev/null") && says(c.text, "in PEM form"), "%s",
		c.text);
}
END_TEST

/* What is done to a key, and what is said of it. */
static const struct bad_key {
	const char *command, *words, *names;
} bad_keys[] = {
	{"cp client.key bad.key", "is not that of the certificate", "server.crt"},
	{"openssl genpkey -algorithm RSA -quiet -out bad.key 2>/dev/null || "
	 "openssl genpkey -algorithm RSA -out bad.key 2>/dev/null",
		"is not that of the certificate", "server.crt"},
	{"openssl pkey -in server.key -aes128 -passout pass:secret -out bad.key", "is behind a passphrase", "bad.key"},
	{"echo nothing >bad.key", "it holds none in PEM form", "bad.key"},
	{"cp server.crt bad.key", "it holds none in PEM form", "bad.key"},
};

START_TEST(a_key_that_cannot_be_used_is_named_and_why)
{
	const struct bad_key *bad = &bad_keys[_i];
	char cert[128], key[128], ca[128], command[400];
	const struct tls_files files = {.cert = cert, .key = key, .ca = ca};
	struct tls_context *ret;
	struct complaint c;

	snprintf(command, sizeof(command), "cd %s && { %s; }", dir, bad->command);
	ck_assert_int_eq(system(command), 0);
	snprintf(cert, sizeof(cert), "%s/server.crt", dir);
	snprintf(key, sizeof(key), "%s/bad.key", dir);
	snprintf(ca, sizeof(ca), "%s/ca.crt", dir);
	ck_assert_int_eq(tls_context_create(&files, TLS_SERVER, &ret, &c), -EINVAL);
	ck_assert_msg(says(c.text, key) && says(c.text, bad->words) && says(c.text, bad->names), "%s", c.text);
}
END_TEST

START_TEST(keys_are_for_their_owner_and_nothing_is_overwritten)
{
	static const char *const names[] = {"localhost"};
	const struct tls_pki pki = {.dir = dir, .names = names, .n_names = 1, .days = 1};
	char key[128];
	struct complaint c;
	struct stat before, after;

	snprintf(key, sizeof(key), "%s/server.key", dir);
	ck_assert_int_eq(stat(key, &before), 0);
	ck_assert_uint_eq(before.st_mode & 0777, 0600);
	ck_assert_int_eq(tls_make_pki(&pki, &c), -EEXIST);
	ck_assert_int_eq(stat(key, &after), 0);
	ck_assert_int_eq(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
}
END_TEST

START_TEST(a_name_that_would_be_more_than_a_name_is_refused)
{
	static const char *const bad[] = {"", "a,IP:1.2.3.4", "a b", "x:y", "a/b", "a;b", "a=b"};
	struct complaint c;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const struct tls_pki pki = {.dir = "/tmp", .names = &bad[i], .n_names = 1, .days = 1};

		ck_assert_msg(tls_make_pki(&pki, &c) == -EINVAL, "%s", bad[i]);
	}
}
END_TEST

#define LOOP(tcase, test, table) tcase_add_loop_test(tcase, test, 0, sizeof(table) / sizeof((table)[0]))

int main(void)
{
	Suite *suite = suite_create("tls");
	TCase *tcase = tcase_create("tls");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, both_with_certificates_of_one_ca_may_talk);
	LOOP(tcase, the_server_must_be_who_was_called, hosts);
	LOOP(tcase, a_client_without_the_right_certificate_is_refused, intruders);
	tcase_add_test(tcase, a_client_that_shows_no_certificate_is_refused);
	tcase_add_test(tcase, a_server_of_another_ca_is_refused);
	tcase_add_test(tcase, a_client_certificate_does_not_make_a_server);
	LOOP(tcase, who_is_refused_and_who_refuses_are_told_what_is_at_fault, refusals);
	tcase_add_test(tcase, garbage_fails_and_says_so);
	tcase_add_test(tcase, silence_waits_and_a_lost_peer_fails);
	tcase_add_test(tcase, tls_1_2_is_refused);
	tcase_add_test(tcase, a_handshake_cut_at_any_byte_waits);
	tcase_add_test(tcase, a_peer_that_changes_keys_without_end_does_not_hold_a_call);
	tcase_add_test(tcase, writing_waits_when_the_other_side_does_not_read);
	tcase_add_test(tcase, a_file_that_cannot_be_used_is_named);
	LOOP(tcase, a_key_that_cannot_be_used_is_named_and_why, bad_keys);
	tcase_add_test(tcase, keys_are_for_their_owner_and_nothing_is_overwritten);
	tcase_add_test(tcase, a_name_that_would_be_more_than_a_name_is_refused);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
