/* SPDX-License-Identifier: BSD-2-Clause */
/* A channel over TLS: who is let in, who is dropped, and certificates that are replaced. */
#include "tests/unit/of_channel_lab.h"

/* ---- TLS that comes ---- */

/* The client here is bare OpenSSL, of one version alone. */
START_TEST(a_listener_speaks_tls_1_2_and_1_3)
{
	static const int numbers[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	struct channel_config config;
	SSL_CTX *bare = SSL_CTX_new(TLS_client_method());
	char got[FAKE_MESSAGE + 1] = "";
	SSL *ssl;
	int fd, n = 0;

	find_port("tls");
	config = tls_config(CHANNEL_LISTENER, dir, dir);
	add(&config);
	SSL_CTX_set_min_proto_version(bare, numbers[_i]);
	SSL_CTX_set_max_proto_version(bare, numbers[_i]);
	SSL_CTX_use_certificate_chain_file(bare, lab_file(dir, "client.crt"));
	SSL_CTX_use_PrivateKey_file(bare, lab_file(dir, "client.key"), SSL_FILETYPE_PEM);
	ssl = SSL_new(bare);
	fd = dial();
	SSL_set_fd(ssl, fd);
	until(SSL_connect(ssl) == 1);
	ck_assert_int_eq(SSL_write(ssl, hello, FAKE_MESSAGE), FAKE_MESSAGE);
	until((n = SSL_read(ssl, got, FAKE_MESSAGE)) > 0);
	ck_assert_str_eq(got, hello);
	ck_assert_ptr_nonnull(strstr(fake_sessions.from, "switchctl client"));
	ck_assert_msg(!strncmp(fake_sessions.from, "tls:127.0.0.1:", 14), "%s", fake_sessions.from);
	SSL_free(ssl);
	SSL_CTX_free(bare);
	close(fd);
}
END_TEST

/* Who shows what to a listener that trusts `dir`, and what it keeps as revoked. */
static const struct visitor {
	const char *name, *who, *from;
	const char *revoked; /* "": the list is empty; NULL: there is no list */
	long list_s;         /* seconds that the list is good for */
	bool welcome;
} visitors[] = {
	{"a client of our CA", "client", dir, NULL, 0, true},
	{"a client of another CA", "client", other, NULL, 0, false},
	{"a server's certificate", "server", dir, NULL, 0, false},
	{"a certificate that has ended", "client", ended, NULL, 0, false},
	{"a client, the list is empty", "client", dir, "", 3600, true},
	{"a client that was revoked", "client", dir, "client", 3600, false},
	{"a client, another was revoked", "client", dir, "server", 3600, true},
	{"a client, the list is out of date", "client", dir, "", -3600, false},
};

START_TEST(only_who_the_ca_vouches_for_gets_a_session)
{
	const struct visitor *visitor = &visitors[_i];
	struct channel_config config;
	struct tls_context *client;
	struct tls *tls;
	enum tls_step step;
	int fd;

	find_port("tls");
	config = tls_config(CHANNEL_LISTENER, dir, dir);
	if (visitor->revoked) {
		lab_revoke(dir, *visitor->revoked ? visitor->revoked : NULL, visitor->list_s);
		config.crl = (char *)lab_file(dir, "crl.pem");
	}
	add(&config);
	client = context(visitor->who, visitor->from, TLS_CLIENT);
	fd = dial();
	tls = tls_create(client, fd, NULL);
	tls_context_free(client);
	step = shake(tls);
	if (step == TLS_DONE)
		step = converse(tls);
	ck_assert_msg((step == TLS_DONE) == visitor->welcome, "%s: step %d, %s", visitor->name, step, log_text);
	ck_assert_uint_eq(fake_sessions.n_created, visitor->welcome);
	if (!visitor->welcome)
		ck_assert_msg(strstr(report().error, "certificate"), "%s", report().error);
	tls_free(tls);
	close(fd);
	unlink(lab_file(dir, "crl.pem"));
}
END_TEST

START_TEST(who_does_not_shake_hands_is_dropped_in_time)
{
	struct channel_config config;
	int fd;

	find_port("tls");
	config = tls_config(CHANNEL_LISTENER, dir, dir);
	add(&config);
	fd = dial();
	send_all(fd, "\x16\x03\x01", 3);
	turns(5);
	ck_assert_uint_eq(report().n_connections, 1);
	pass_ms(CHANNEL_HANDSHAKE_MS - 1);
	ck_assert(!is_closed(fd));
	pass_ms(1);
	until(is_closed(fd));
	ck_assert_ptr_nonnull(strstr(report().error, "no TLS handshake in time"));
	ck_assert_uint_eq(fake_sessions.n_created, 0);
	close(fd);
}
END_TEST

/* A session of one whom `dir` vouches for; its socket. */
static struct tls *friend_comes(unsigned how, int *ret_fd)
{
	struct tls_context *client = context("client", dir, how);
	int fd = dial();
	struct tls *tls = tls_create(client, fd, "127.0.0.1");

	tls_context_free(client);
	ck_assert_int_eq(shake(tls), TLS_DONE);
	*ret_fd = fd;
	return tls;
}

START_TEST(garbage_ends_its_own_connection_only)
{
	struct channel_config config;
	struct seeded random = seeded_start();
	struct tls *tls;
	char noise[500];
	int fd, bad;

	find_port("tls");
	config = tls_config(CHANNEL_LISTENER, dir, dir);
	add(&config);
	tls = friend_comes(TLS_CLIENT, &fd);
	for (int round = 0; round < 20; round++) {
		for (size_t i = 0; i < sizeof(noise); i++)
			noise[i] = (char)seeded_next(&random);
		/* Not the type of a record, and no version: OpenSSL would wait for the end of what may be one. */
		noise[0] = noise[1] = 'x';
		bad = dial();
		send_all(bad, noise, sizeof(noise));
		until(is_closed(bad));
		close(bad);
	}
	ck_assert_int_eq(converse(tls), TLS_DONE);
	ck_assert_uint_eq(fake_sessions.n_created, 1);
	tls_free(tls);
	close(fd);
}
END_TEST

START_TEST(crowds_of_handshakes_do_not_keep_a_friend_out)
{
	struct channel_config config;
	struct tls *tls;
	int crowd[CHANNEL_CONNECTIONS_MAX + 30], fd;

	find_port("tls");
	config = tls_config(CHANNEL_LISTENER, dir, dir);
	add(&config);
	for (int i = 0; i < CHANNEL_CONNECTIONS_MAX + 30; i++) {
		crowd[i] = dial();
		turns(2);
		ck_assert_uint_le(report().n_connections, CHANNEL_CONNECTIONS_MAX);
	}
	tls = friend_comes(TLS_CLIENT, &fd);
	ck_assert_int_eq(converse(tls), TLS_DONE);
	tls_free(tls);
	close(fd);
	for (int i = 0; i < CHANNEL_CONNECTIONS_MAX + 30; i++)
		close(crowd[i]);
}
END_TEST

/* ---- certificates that are replaced ---- */

static bool server_is(const char *who, const char *ca_dir)
{
	const struct tls_files files = {.cert = lab_file(dir, "client.crt"),
		.key = lab_file(dir, "client.key"),
		.ca = lab_file(ca_dir, "ca.crt")};
	struct tls_context *client;
	struct complaint c;
	struct tls *tls;
	bool done;
	int fd = dial();

	ck_assert_msg(!tls_context_create(&files, TLS_CLIENT, &client, &c), "%s", c.text);
	tls = tls_create(client, fd, "127.0.0.1");
	tls_context_free(client);
	done = shake(tls) == TLS_DONE;
	tls_free(tls);
	close(fd);
	turns(5);
	return done;
}

START_TEST(a_replaced_certificate_is_for_the_next_connection)
{
	struct channel_config config;
	struct tls_context *client;
	char lab[64];
	struct tls *tls;
	int fd;

	lab_make(lab, sizeof(lab), 365);
	find_port("tls");
	config = tls_config(CHANNEL_LISTENER, lab, dir);
	add(&config);
	ck_assert(server_is("server", lab));
	client = context("client", dir, TLS_CLIENT);
	fd = dial();
	tls = tls_create(client, fd, NULL);
	tls_context_free(client);
	/* This one does not trust `lab`: make the server one of `dir`, in two steps, as people do. */
	lab_replace(lab, dir, "server.crt");
	ck_assert_msg(server_is("server", lab), "%s", log_text);
	ck_assert_msg(strstr(log_text, "goes on with its old certificate"), "%s", log_text);
	lab_replace(lab, dir, "server.key");
	ck_assert(!server_is("server", lab));
	ck_assert(server_is("server", dir));
	tls_free(tls);
	close(fd);
	lab_remove(lab);
}
END_TEST

START_TEST(a_session_outlives_the_certificate_that_it_began_with)
{
	struct channel_config config;
	char lab[64];
	struct tls *tls;
	int fd;

	lab_make(lab, sizeof(lab), 365);
	lab_replace(lab, dir, "server.crt");
	lab_replace(lab, dir, "server.key");
	find_port("tls");
	config = tls_config(CHANNEL_LISTENER, lab, dir);
	add(&config);
	tls = friend_comes(TLS_CLIENT, &fd);
	ck_assert_int_eq(converse(tls), TLS_DONE);
	lab_replace(lab, other, "server.crt");
	lab_replace(lab, other, "server.key");
	channel_renew(channel);
	ck_assert(server_is("server", other));
	ck_assert_int_eq(converse(tls), TLS_DONE);
	/* What cannot be read leaves things as they are. */
	unlink(lab_file(lab, "server.key"));
	channel_renew(channel);
	ck_assert(server_is("server", other));
	tls_free(tls);
	close(fd);
	lab_remove(lab);
}
END_TEST

START_TEST(the_log_hears_of_the_end_of_a_certificate_in_advance)
{
	static const struct {
		unsigned days, warnings;
	} cases[] = {{365, 0}, {29, 1}, {6, 1}, {1, 1}, {(unsigned)-1, 1}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char lab[64];
		struct credentials *cr;
		struct complaint c;

		lab_make(lab, sizeof(lab), cases[i].days);
		{
			const struct tls_files files = {.cert = lab_file(lab, "server.crt"),
				.key = lab_file(lab, "server.key"),
				.ca = lab_file(lab, "ca.crt")};

			ck_assert_msg(
				!credentials_create(&poll_reactor, &files, TLS_SERVER, "x", &cr, &c), "%s", c.text);
		}
		ck_assert_uint_eq(credentials_warnings(cr), cases[i].warnings);
		ck_assert_int_le(llabs(credentials_expiry(cr) - (int64_t)time(NULL) - (int)cases[i].days * 86400L), 60);
		/* Not again at each look. */
		pr_now_ns += 86400ULL * 2 * 1000000000ULL;
		poll_reactor_turn();
		credentials_context(cr);
		ck_assert_uint_eq(credentials_warnings(cr), cases[i].warnings);
		credentials_free(cr);
		lab_remove(lab);
	}
	ck_assert_ptr_nonnull(strstr(log_text, "has ended"));
	ck_assert_ptr_nonnull(strstr(log_text, "ends in 2"));
}
END_TEST

/* ---- controllers ---- */

/* Bytes of many sizes over TLS, both ways at once, against a peer that reads now and then. */
START_TEST(what_goes_over_tls_comes_back_the_same)
{
	static uint8_t sent[1 << 20], got[1 << 20];
	struct seeded random = seeded_start();
	struct channel_config config;
	struct tls *tls;
	size_t out = 0, in = 0, n;
	int fd;

	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (uint8_t)(seeded_next(&random) | 0x80);
	find_port("tls");
	config = tls_config(CHANNEL_LISTENER, dir, dir);
	add(&config);
	tls = friend_comes(TLS_CLIENT | versions[_i], &fd);
	fake_sessions.turn_bytes = 40000;
	for (int i = 0; i < 200000 && in < sizeof(got); i++) {
		size_t part = 1 + seeded_below(&random, 20000);

		part = part < sizeof(sent) - out ? part : sizeof(sent) - out;
		if (part && tls_write(tls, sent + out, part, &n) == TLS_DONE)
			out += n;
		turn();
		if (!seeded_below(&random, 3) && tls_read(tls, got + in, sizeof(got) - in, &n) == TLS_DONE)
			in += n;
	}
	ck_assert_uint_eq(in, sizeof(got));
	ck_assert(!memcmp(sent, got, sizeof(got)));
	tls_free(tls);
	close(fd);
}
END_TEST

#define LOOP(tcase, test, table) tcase_add_loop_test(tcase, test, 0, sizeof(table) / sizeof((table)[0]))

static void add_tls(TCase *tcase)
{
	LOOP(tcase, a_listener_speaks_tls_1_2_and_1_3, versions);
	LOOP(tcase, only_who_the_ca_vouches_for_gets_a_session, visitors);
	tcase_add_test(tcase, who_does_not_shake_hands_is_dropped_in_time);
	tcase_add_test(tcase, garbage_ends_its_own_connection_only);
	tcase_add_test(tcase, crowds_of_handshakes_do_not_keep_a_friend_out);
	tcase_add_test(tcase, a_replaced_certificate_is_for_the_next_connection);
	tcase_add_test(tcase, a_session_outlives_the_certificate_that_it_began_with);
	tcase_add_test(tcase, the_log_hears_of_the_end_of_a_certificate_in_advance);
	LOOP(tcase, what_goes_over_tls_comes_back_the_same, versions);
}

int main(void)
{
	return channel_main("of_channel_tls", add_tls);
}
