/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * channel.h, credentials.h, resolver.h and ears.h: connections over loopback against peers that this file scripts, each
 * step of the loop and of the clock taken by hand. The sessions are a double that sends back what it is sent.
 */
#include "ofp/channel.h"

#include "dataplane/complaint.h"
#include "dataplane/log.h"
#include "ofp/credentials.h"
#include "ofp/ears.h"
#include "tests/unit/fake_session.h"
#include "tests/unit/poll_reactor.h"
#include "tests/unit/seeded.h"
#include "tests/unit/tls_lab.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>

static char dir[64], other[64], ended[64];
static struct agent *agent;
static struct channel *channel;
static char log_text[65536];
static char address[64];
static int port;

static void log_line(void *ctx, enum log_level level, const char *line)
{
	size_t used = strlen(log_text);

	snprintf(log_text + used, sizeof(log_text) - used, "%s\n", line);
}

static void set_up(void)
{
	signal(SIGPIPE, SIG_IGN);
	log_text[0] = '\0';
	log_to(log_line, NULL);
	fake_sessions = (struct fake_sessions){0};
	agent = fake_agent();
	channel = channel_create(&poll_reactor, agent, "br0");
	ck_assert_ptr_nonnull(channel);
}

static void tear_down(void)
{
	channel_free(channel);
	agent_free(agent);
	ck_assert_uint_eq(fake_sessions.n_alive, 0);
	ck_assert_uint_eq(fake_sessions.n_orphans, 0);
	ck_assert(poll_reactor_empty());
}

static void make_labs(void)
{
	lab_make(dir, sizeof(dir), 365);
	lab_make(other, sizeof(other), 365);
	lab_make(ended, sizeof(ended), (unsigned)-1);
}

static void remove_labs(void)
{
	lab_remove(dir);
	lab_remove(other);
	lab_remove(ended);
}

/* ---- time and the loop ---- */

static void turn(void)
{
	poll_reactor_turn();
	channel_flush(channel);
}

/* One of many, in a wait for what comes through the kernel. */
static void waiting_turn(int i)
{
	turn();
	if (i > 50)
		usleep(1000);
}

static void turns(unsigned n)
{
	while (n--)
		turn();
}

#define until(condition)                                                                                               \
	do {                                                                                                           \
		bool until_done = false;                                                                               \
		for (int until_i = 0; !until_done && until_i < 3000; until_i++) {                                      \
			turn();                                                                                        \
			if (until_i > 50)                                                                              \
				usleep(1000);                                                                          \
			until_done = (condition);                                                                      \
		}                                                                                                      \
		ck_assert_msg(until_done, "%s\n%s", #condition, log_text);                                             \
	} while (0)

static void pass_ms(uint64_t ms)
{
	pr_now_ns += ms * 1000000;
	turn();
}

/* ---- sockets of the other side ---- */

/* A listening socket on a free port, which `address` then names. */
static int open_listener(const char *scheme)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	ck_assert_int_eq(listen(fd, 64), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&in, &size), 0);
	port = ntohs(in.sin_port);
	snprintf(address, sizeof(address), "%s:127.0.0.1:%d", scheme, port);
	return fd;
}

static void find_port(const char *scheme)
{
	close(open_listener(scheme));
}

static int dial(void)
{
	struct sockaddr_in in = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

/* The connection that the switch makes. */
static int take_call(int listener)
{
	int fd = -1;

	until((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0);
	return fd;
}

static bool is_closed(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_PEEK);

	return !n || (n < 0 && errno != EAGAIN);
}

static bool has_bytes(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK) == 1;
}

static const char hello[FAKE_MESSAGE + 1] = "hello-----------";

static void send_all(int fd, const void *bytes, size_t size)
{
	size_t sent = 0;

	while (sent < size) {
		ssize_t n = send(fd, (const char *)bytes + sent, size - sent, MSG_NOSIGNAL);

		if (n > 0)
			sent += (size_t)n;
		else
			turn();
	}
}

static void expect_echo(int fd, const char *text)
{
	char got[64] = "";
	size_t n = 0;

	for (int i = 0; i < 3000 && n < strlen(text); i++) {
		ssize_t r = recv(fd, got + n, strlen(text) - n, 0);

		n += r > 0 ? (size_t)r : 0;
		waiting_turn(i);
	}
	ck_assert_str_eq(got, text);
}

/* ---- TLS of the other side ---- */

static struct tls_context *context(const char *who, const char *from, unsigned flags)
{
	char cert[32], key[32];
	struct tls_context *ret;
	struct complaint c;

	snprintf(cert, sizeof(cert), "%s.crt", who);
	snprintf(key, sizeof(key), "%s.key", who);
	{
		const struct tls_files files = {
			.cert = lab_file(from, cert), .key = lab_file(from, key), .ca = lab_file(dir, "ca.crt")};

		ck_assert_msg(!tls_context_create(&files, flags, &ret, &c), "%s", c.text);
	}
	return ret;
}

/* Shakes hands while the loop turns. */
static enum tls_step shake(struct tls *tls)
{
	enum tls_step step = TLS_WANT_READ;

	for (int i = 0; i < 5000 && step != TLS_DONE && step != TLS_FAILED; i++) {
		step = tls_handshake(tls);
		waiting_turn(i);
	}
	return step;
}

/* What the other side hears when it says hello: DONE with the echo, or that it is not wanted. */
static enum tls_step converse(struct tls *tls)
{
	enum tls_step step;
	char got[FAKE_MESSAGE];
	size_t n;

	step = tls_write(tls, hello, FAKE_MESSAGE, &n);
	for (int i = 0; i < 5000 && (step == TLS_DONE || step == TLS_WANT_READ); i++) {
		waiting_turn(i);
		step = tls_read(tls, got, sizeof(got), &n);
		if (step == TLS_DONE)
			return memcmp(got, hello, n) ? TLS_FAILED : TLS_DONE;
	}
	return step;
}

/* ---- what is configured ---- */

static struct channel_config config_of(enum channel_kind kind)
{
	struct channel_config config = channel_config_default(kind);

	config.address = address;
	return config;
}

static struct channel_config tls_config(enum channel_kind kind, const char *from, const char *ca)
{
	static char files[4][128];
	struct channel_config config = config_of(kind);
	const char *who = kind == CHANNEL_LISTENER ? "server" : "client";

	snprintf(files[0], sizeof(files[0]), "%s/%s.crt", from, who);
	snprintf(files[1], sizeof(files[1]), "%s/%s.key", from, who);
	snprintf(files[2], sizeof(files[2]), "%s/ca.crt", ca);
	config.cert = files[0];
	config.key = files[1];
	config.ca = files[2];
	return config;
}

static void add(const struct channel_config *config)
{
	struct complaint c;

	ck_assert_msg(!channel_add(channel, config, &c), "%s", c.text);
}

static void refuse(const struct channel_config *config, int err, const char *text)
{
	struct complaint c;

	ck_assert_int_eq(channel_add(channel, config, &c), err);
	ck_assert_msg(strstr(c.text, text), "%s", c.text);
}

static void listen_tcp(void)
{
	struct channel_config config;

	find_port("tcp");
	config = config_of(CHANNEL_LISTENER);
	add(&config);
}

static void keep_report(void *ctx, const struct channel_report *report)
{
	*(struct channel_report *)ctx = *report;
}

/* Of the last that is configured. */
static struct channel_report report(void)
{
	struct channel_report last = {0};

	channel_each(channel, keep_report, &last);
	return last;
}

/* ---- listening ---- */

START_TEST(what_comes_by_a_listener_is_a_session)
{
	int fd;

	listen_tcp();
	fd = dial();
	send_all(fd, hello, FAKE_MESSAGE);
	expect_echo(fd, hello);
	ck_assert(fake_sessions.options.accepted);
	ck_assert_msg(!strncmp(fake_sessions.from, "tcp:127.0.0.1:", 14), "%s", fake_sessions.from);
	ck_assert_uint_eq(report().n_connections, 1);
	close(fd);
	until(!fake_sessions.n_alive);
	ck_assert_uint_eq(report().n_connections, 0);
	ck_assert_uint_eq(fake_sessions.n_controllers, 0);
}
END_TEST

/* H1, C3 */
START_TEST(nothing_is_written_but_by_the_flush)
{
	int fd;

	listen_tcp();
	fd = dial();
	send_all(fd, hello, FAKE_MESSAGE);
	for (int i = 0; i < 20 && !fake_sessions.n_taken; i++)
		poll_reactor_turn();
	ck_assert_uint_eq(fake_sessions.n_taken, FAKE_MESSAGE);
	for (int i = 0; i < 20; i++)
		poll_reactor_turn();
	usleep(20000);
	ck_assert(!has_bytes(fd));
	channel_flush(channel);
	expect_echo(fd, hello);
	close(fd);
}
END_TEST

START_TEST(a_session_that_is_over_says_its_last_and_is_closed)
{
	int fd;

	listen_tcp();
	fd = dial();
	send_all(fd, "E---------------", FAKE_MESSAGE);
	expect_echo(fd, "bye");
	until(is_closed(fd));
	ck_assert_uint_eq(fake_sessions.n_alive, 0);
	close(fd);
}
END_TEST

/* Nothing polls: who waits for bytes waits without a timer, and for room in the socket only when it has something. */
START_TEST(an_idle_connection_arms_no_timer_and_wants_no_room)
{
	int fd;

	listen_tcp();
	fd = dial();
	send_all(fd, hello, FAKE_MESSAGE);
	expect_echo(fd, hello);
	turns(5);
	ck_assert_uint_eq(poll_reactor_armed(), 0);
	ck_assert_uint_eq(poll_reactor_turn(), 0);
	close(fd);
}
END_TEST

START_TEST(what_cannot_be_listened_at_is_refused_by_name)
{
	struct channel_config config;
	int taken = open_listener("tcp");

	config = config_of(CHANNEL_LISTENER);
	refuse(&config, -EADDRINUSE, "in use");
	close(taken);
	add(&config);
	refuse(&config, -EEXIST, address);
	strcpy(address, "tcp:localhost:1");
	refuse(&config, -EINVAL, "localhost");
	find_port("tls");
	config = tls_config(CHANNEL_LISTENER, dir, dir);
	config.key = NULL;
	refuse(&config, -EINVAL, "needs a certificate");
	config = tls_config(CHANNEL_LISTENER, "/nonexistent", dir);
	refuse(&config, -EINVAL, "/nonexistent/server.crt");
	config = tls_config(CHANNEL_LISTENER, dir, dir);
	config.crl = (char *)"/nonexistent/crl";
	refuse(&config, -EINVAL, "/nonexistent/crl");
}
END_TEST

START_TEST(a_listener_that_is_closed_keeps_its_connections)
{
	struct complaint c;
	int fd;

	listen_tcp();
	fd = dial();
	send_all(fd, hello, FAKE_MESSAGE);
	expect_echo(fd, hello);
	ck_assert_int_eq(channel_remove(channel, CHANNEL_LISTENER, address, &c), 0);
	ck_assert_int_eq(channel_remove(channel, CHANNEL_LISTENER, address, &c), -ENOENT);
	send_all(fd, hello, FAKE_MESSAGE);
	expect_echo(fd, hello);
	close(fd);
	until(!fake_sessions.n_alive);
}
END_TEST

/* ---- bounds ---- */

/* H2: a sender without end has its share of a turn, and is served in the turns after without its socket's help. */
START_TEST(a_turn_takes_only_so_much_of_one_connection)
{
	static char block[1 << 20];
	uint64_t before;
	int fd, size = 4 << 20;

	listen_tcp();
	fd = dial();
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	send_all(fd, hello, FAKE_MESSAGE);
	expect_echo(fd, hello);
	for (int i = 0; i < 50; i++) {
		while (send(fd, block, sizeof(block), MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
			;
		usleep(1000);
		before = fake_sessions.n_taken;
		poll_reactor_turn();
		ck_assert_uint_le(fake_sessions.n_taken - before, CHANNEL_TURN_BYTES + CHANNEL_IN_SIZE);
		channel_flush(channel);
		while (recv(fd, block, sizeof(block), MSG_DONTWAIT) > 0)
			;
	}
	ck_assert_uint_gt(fake_sessions.n_taken, 4 * CHANNEL_TURN_BYTES);
	close(fd);
}
END_TEST

START_TEST(a_session_at_its_quota_goes_on_next_turn_without_news_of_its_socket)
{
	char many[FAKE_MESSAGE * 40];
	int fd;

	memset(many, 'x', sizeof(many));
	fake_sessions.turn_bytes = 3 * FAKE_MESSAGE;
	listen_tcp();
	fd = dial();
	send_all(fd, many, sizeof(many));
	until(fake_sessions.n_taken == 3 * FAKE_MESSAGE);
	for (unsigned i = 2; i * 3 <= 40; i++) {
		turn();
		ck_assert_uint_eq(fake_sessions.n_taken, i * 3 * FAKE_MESSAGE);
	}
	turns(5);
	ck_assert_uint_eq(fake_sessions.n_taken, sizeof(many));
	ck_assert_uint_eq(poll_reactor_armed(), 0);
	close(fd);
}
END_TEST

START_TEST(who_does_not_read_stops_only_himself)
{
	static char block[65536];
	int deaf, fd;

	memset(block, 'd', sizeof(block));
	listen_tcp();
	deaf = dial();
	fd = dial();
	for (int i = 0; i < 2000; i++) {
		send(deaf, block, sizeof(block), MSG_NOSIGNAL | MSG_DONTWAIT);
		turn();
	}
	ck_assert_int_lt(send(deaf, block, sizeof(block), MSG_NOSIGNAL | MSG_DONTWAIT), 0);
	ck_assert_uint_le(fake_sessions.most_waiting, FAKE_OUTPUT_MAX + CHANNEL_IN_SIZE);
	send_all(fd, hello, FAKE_MESSAGE);
	expect_echo(fd, hello);
	/* And nobody spins on it. */
	turns(3);
	ck_assert_uint_eq(poll_reactor_armed(), 0);
	ck_assert_uint_eq(poll_reactor_turn(), 0);
	/* It goes on when it reads. */
	for (int i = 0; i < 1000; i++) {
		while (recv(deaf, block, sizeof(block), MSG_DONTWAIT) > 0)
			;
		turn();
	}
	ck_assert_int_gt(send(deaf, block, sizeof(block), MSG_NOSIGNAL | MSG_DONTWAIT), 0);
	close(deaf);
	close(fd);
}
END_TEST

/* Of a peer with a small window, the kernel would else take megabytes that the session's bounds know nothing of. */
START_TEST(what_nobody_reads_does_not_pile_up_in_the_kernel)
{
	static char block[65536];
	int deaf, small = 4096;

	memset(block, 'd', sizeof(block));
	listen_tcp();
	deaf = dial();
	ck_assert_int_eq(setsockopt(deaf, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	for (int i = 0; i < 2000; i++) {
		send(deaf, block, sizeof(block), MSG_NOSIGNAL | MSG_DONTWAIT);
		turn();
	}
	ck_assert_uint_ge(fake_sessions.n_taken, FAKE_OUTPUT_MAX);
	ck_assert_uint_le(fake_sessions.n_taken, FAKE_OUTPUT_MAX + CHANNEL_IN_SIZE + 2 * EARS_UNSENT_MAX);
	close(deaf);
}
END_TEST

/* H3 */
START_TEST(strangers_make_way_for_each_other_and_for_nobody_else)
{
	int fd[CHANNEL_ACCEPTED_MAX + 20], friends[2];

	listen_tcp();
	for (int i = 0; i < 2; i++) {
		friends[i] = dial();
		send_all(friends[i], hello, FAKE_MESSAGE);
		expect_echo(friends[i], hello);
	}
	for (int i = 0; i < CHANNEL_ACCEPTED_MAX + 20; i++) {
		fd[i] = dial();
		turns(3);
		ck_assert_uint_le(fake_sessions.n_alive, CHANNEL_ACCEPTED_MAX);
	}
	turns(5);
	/* The first of those that said nothing are gone, the last are there. */
	ck_assert(is_closed(fd[0]));
	ck_assert(!is_closed(fd[CHANNEL_ACCEPTED_MAX + 19]));
	for (int i = 0; i < 2; i++) {
		send_all(friends[i], hello, FAKE_MESSAGE);
		expect_echo(friends[i], hello);
		close(friends[i]);
	}
	for (int i = 0; i < CHANNEL_ACCEPTED_MAX + 20; i++)
		close(fd[i]);
	until(!fake_sessions.n_alive);
}
END_TEST

START_TEST(those_who_have_said_hello_are_not_pushed_out)
{
	int fd[CHANNEL_ACCEPTED_MAX], late;

	listen_tcp();
	for (int i = 0; i < CHANNEL_ACCEPTED_MAX; i++) {
		fd[i] = dial();
		send_all(fd[i], hello, FAKE_MESSAGE);
		expect_echo(fd[i], hello);
	}
	late = dial();
	until(is_closed(late));
	ck_assert_uint_eq(fake_sessions.n_alive, CHANNEL_ACCEPTED_MAX);
	close(late);
	for (int i = 0; i < CHANNEL_ACCEPTED_MAX; i++)
		close(fd[i]);
	until(!fake_sessions.n_alive);
}
END_TEST

START_TEST(without_descriptors_accepting_pauses)
{
	struct rlimit files, few;
	int fd[40], n;

	listen_tcp();
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
	for (n = 0; n < 20; n++)
		fd[n] = dial();
	few = files;
	few.rlim_cur = (rlim_t)fd[n - 1] + 1;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	turns(3);
	ck_assert_uint_eq(fake_sessions.n_alive, 0);
	ck_assert_ptr_nonnull(strstr(log_text, "cannot accept"));
	/* It does not spin on the socket meanwhile. */
	ck_assert_uint_eq(poll_reactor_turn(), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
	turns(3);
	ck_assert_uint_eq(fake_sessions.n_alive, 0);
	pass_ms(1000);
	until(fake_sessions.n_alive == 20);
	while (n)
		close(fd[--n]);
}
END_TEST

START_TEST(the_deadlines_of_session_and_agent_are_kept)
{
	int fd;

	listen_tcp();
	fake_sessions.deadline_ns = pr_now_ns + 5000000000ULL;
	fake_sessions.agent_deadline_ns = pr_now_ns + 2000000000ULL;
	fd = dial();
	send_all(fd, hello, FAKE_MESSAGE);
	expect_echo(fd, hello);
	pass_ms(1999);
	ck_assert_uint_eq(fake_sessions.n_agent_expired, 0);
	pass_ms(1);
	ck_assert_uint_eq(fake_sessions.n_agent_expired, 1);
	pass_ms(2999);
	ck_assert_uint_eq(fake_sessions.n_expired, 0);
	pass_ms(1);
	ck_assert_uint_eq(fake_sessions.n_expired, 1);
	until(is_closed(fd));
	close(fd);
}
END_TEST

/* ---- TLS that comes ---- */

static const unsigned versions[] = {0, TLS_ALLOW_1_2};

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

START_TEST(garbage_ends_its_own_connection_only)
{
	struct channel_config config;
	struct seeded random = seeded_start();
	struct tls_context *client;
	struct tls *tls;
	char noise[500];
	int fd, bad;

	find_port("tls");
	config = tls_config(CHANNEL_LISTENER, dir, dir);
	add(&config);
	client = context("client", dir, TLS_CLIENT);
	fd = dial();
	tls = tls_create(client, fd, "127.0.0.1");
	tls_context_free(client);
	ck_assert_int_eq(shake(tls), TLS_DONE);
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
	struct tls_context *client;
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
	client = context("client", dir, TLS_CLIENT);
	fd = dial();
	tls = tls_create(client, fd, "127.0.0.1");
	tls_context_free(client);
	ck_assert_int_eq(shake(tls), TLS_DONE);
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
	struct tls_context *client;
	char lab[64];
	struct tls *tls;
	int fd;

	lab_make(lab, sizeof(lab), 365);
	lab_replace(lab, dir, "server.crt");
	lab_replace(lab, dir, "server.key");
	find_port("tls");
	config = tls_config(CHANNEL_LISTENER, lab, dir);
	add(&config);
	client = context("client", dir, TLS_CLIENT);
	fd = dial();
	tls = tls_create(client, fd, "127.0.0.1");
	tls_context_free(client);
	ck_assert_int_eq(shake(tls), TLS_DONE);
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

START_TEST(a_controller_is_connected_to_and_again_after_a_loss)
{
	struct channel_config config;
	struct complaint c;
	int listener = open_listener("tcp"), fd;

	config = config_of(CHANNEL_CONTROLLER);
	config.rate_limit = 7;
	config.burst = 8;
	config.probe_s = 9;
	add(&config);
	refuse(&config, -EEXIST, address);
	ck_assert_uint_eq(fake_sessions.n_controllers, 1);
	fd = take_call(listener);
	send_all(fd, hello, FAKE_MESSAGE);
	expect_echo(fd, hello);
	ck_assert_str_eq(fake_sessions.from, address);
	ck_assert(!fake_sessions.options.accepted);
	ck_assert_uint_eq(fake_sessions.options.limits.packet_in_rate, 7);
	ck_assert_uint_eq(fake_sessions.options.limits.packet_in_burst, 8);
	ck_assert_uint_eq(fake_sessions.options.limits.probe_ms, 9000);
	ck_assert_int_eq(report().state, CHANNEL_OPEN);
	ck_assert_str_eq(report().error, "");
	close(fd);
	until(!fake_sessions.n_alive);
	ck_assert_int_eq(report().state, CHANNEL_BACKING_OFF);
	ck_assert_ptr_nonnull(strstr(report().error, "closed"));
	turns(20);
	ck_assert_int_lt(accept(listener, NULL, NULL), 0);
	pass_ms(1250);
	fd = take_call(listener);
	until(report().state == CHANNEL_HELLO);
	ck_assert_int_eq(channel_remove(channel, CHANNEL_CONTROLLER, address, &c), 0);
	ck_assert(is_closed(fd));
	ck_assert_uint_eq(fake_sessions.n_alive, 0);
	ck_assert_uint_eq(fake_sessions.n_controllers, 0);
	close(fd);
	close(listener);
}
END_TEST

static void set(const struct channel_config *config, int err)
{
	struct complaint c;

	ck_assert_msg(channel_set(channel, config, &c) == err, "%s", c.text);
}

START_TEST(a_controller_is_configured_anew_in_its_place)
{
	struct channel_config config;
	int listener = open_listener("tcp"), fd, again;

	config = config_of(CHANNEL_CONTROLLER);
	set(&config, -ENOENT);
	add(&config);
	fd = take_call(listener);
	send_all(fd, hello, FAKE_MESSAGE);
	expect_echo(fd, hello);
	fake_sessions.n_controllers = 77; /* agent_set_controllers() is not called from here on */
	/* Numbers count at once. */
	config.rate_limit = 7;
	config.probe_s = 9;
	set(&config, 0);
	turns(20);
	ck_assert_uint_eq(fake_sessions.options.limits.packet_in_rate, 7);
	ck_assert_uint_eq(fake_sessions.options.limits.probe_ms, 9000);
	ck_assert_uint_eq(report().config->rate_limit, 7);
	ck_assert_int_eq(report().state, CHANNEL_OPEN);
	/* More connections than there may be, and nothing has changed. */
	config.auxiliary = CHANNEL_CONTROLLERS_MAX;
	set(&config, -ENOSPC);
	ck_assert_int_eq(report().state, CHANNEL_OPEN);
	/* Other connections are made anew. */
	config.auxiliary = 1;
	set(&config, 0);
	ck_assert(is_closed(fd));
	again = take_call(listener);
	until(fake_sessions.n_created == 2);
	ck_assert_uint_eq(fake_sessions.n_alive, 1);
	ck_assert_uint_eq(fake_sessions.n_controllers, 77);
	close(fd);
	close(again);
	close(listener);
}
END_TEST

/* When the next attempt comes, in ms from now, found by moving the clock; at most `most`. */
static uint64_t next_attempt(uint64_t most)
{
	uint64_t since = report().since_ns, waited = 0;

	while (report().since_ns == since && waited < most) {
		pass_ms(10);
		waited += 10;
		if (report().since_ns != since)
			break;
	}
	turns(5);
	return waited;
}

START_TEST(the_pause_doubles_up_to_its_limit_with_some_chance)
{
	static const uint64_t base_ms[] = {1000, 2000, 4000, 8000, 8000, 8000};
	struct channel_config config;
	bool chance = false;

	find_port("tcp");
	config = config_of(CHANNEL_CONTROLLER);
	add(&config);
	until(report().error[0]);
	ck_assert_ptr_nonnull(strstr(report().error, "refused"));
	for (size_t i = 0; i < 6; i++) {
		uint64_t waited = next_attempt(20000);

		ck_assert_msg(waited >= base_ms[i] * 3 / 4 - 20 && waited <= base_ms[i] * 5 / 4 + 20,
			"pause %zu is %llu ms", i, (unsigned long long)waited);
		chance = chance || waited / 10 != base_ms[i] / 10;
	}
	ck_assert(chance);
	/* The log hears of a reason once. */
	ck_assert_ptr_null(strstr(strstr(log_text, "refused") + 1, "refused"));
}
END_TEST

START_TEST(who_said_hello_once_is_called_again_soon)
{
	struct channel_config config;
	int listener, fd;

	find_port("tcp");
	config = config_of(CHANNEL_CONTROLLER);
	config.max_backoff_s = 60;
	add(&config);
	until(report().error[0]);
	for (int i = 0; i < 5; i++)
		next_attempt(60000);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	{
		struct sockaddr_in in = {.sin_family = AF_INET,
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
			.sin_port = htons((uint16_t)port)};
		int one = 1;

		setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		ck_assert_int_eq(bind(listener, (struct sockaddr *)&in, sizeof(in)), 0);
		ck_assert_int_eq(listen(listener, 5), 0);
	}
	ck_assert_uint_gt(next_attempt(80000), 20000);
	fd = take_call(listener);
	send_all(fd, hello, FAKE_MESSAGE);
	expect_echo(fd, hello);
	close(fd);
	until(report().state == CHANNEL_BACKING_OFF);
	ck_assert_uint_le(next_attempt(60000), 1300);
	/* One that only accepts is not called soon. */
	fd = take_call(listener);
	until(report().state == CHANNEL_HELLO);
	close(fd);
	until(report().state == CHANNEL_BACKING_OFF);
	next_attempt(60000);
	fd = take_call(listener);
	until(report().state == CHANNEL_HELLO);
	close(fd);
	until(report().state == CHANNEL_BACKING_OFF);
	ck_assert_uint_gt(next_attempt(60000), 1400);
	close(listener);
}
END_TEST

/* A port that takes no more calls: its backlog is full. */
START_TEST(an_attempt_that_nobody_answers_ends_in_time)
{
	struct channel_config config;

	/* TEST-NET-1: nobody has it; where there is no route at all, that is an answer too. */
	strcpy(address, "tcp:192.0.2.1:6653");
	config = config_of(CHANNEL_CONTROLLER);
	add(&config);
	turns(3);
	if (report().state == CHANNEL_CONNECTING) {
		pass_ms(CHANNEL_HANDSHAKE_MS - 1);
		ck_assert_int_eq(report().state, CHANNEL_CONNECTING);
		pass_ms(1);
	}
	until(report().state == CHANNEL_BACKING_OFF);
	ck_assert_str_ne(report().error, "");
}
END_TEST

START_TEST(a_name_is_resolved_beside_the_loop)
{
	struct channel_config config;
	int listener = open_listener("tcp"), fd;

	snprintf(address, sizeof(address), "tcp:localhost:%d", port);
	config = config_of(CHANNEL_CONTROLLER);
	add(&config);
	turn();
	ck_assert_int_eq(report().state, CHANNEL_RESOLVING);
	/* It may be ::1 that comes first, where nobody listens. */
	fd = take_call(listener);
	send_all(fd, hello, FAKE_MESSAGE);
	expect_echo(fd, hello);
	close(fd);
	close(listener);
}
END_TEST

START_TEST(a_controller_may_go_while_its_name_is_looked_up)
{
	struct channel_config config;
	struct complaint c;

	for (int i = 0; i < 40; i++) {
		strcpy(address, "tcp:localhost:1");
		config = config_of(CHANNEL_CONTROLLER);
		add(&config);
		turns((unsigned)i % 3);
		ck_assert_int_eq(channel_remove(channel, CHANNEL_CONTROLLER, address, &c), 0);
	}
	usleep(50000);
}
END_TEST

START_TEST(auxiliary_connections_come_after_the_main_one_and_go_before_it)
{
	struct channel_config config;
	struct complaint c;
	int listener = open_listener("tcp"), fd, aux[2];

	config = config_of(CHANNEL_CONTROLLER);
	config.auxiliary = 2;
	add(&config);
	fd = take_call(listener);
	until(report().state == CHANNEL_HELLO);
	turns(20);
	ck_assert_int_lt(accept(listener, NULL, NULL), 0);
	send_all(fd, hello, FAKE_MESSAGE);
	expect_echo(fd, hello);
	aux[0] = take_call(listener);
	aux[1] = take_call(listener);
	until(fake_sessions.n_auxiliary == 2);
	ck_assert_uint_eq(fake_sessions.options.auxiliary_id, 2);
	ck_assert_uint_eq(report().n_connections, 3);
	/* One that is lost comes back after a while, and the main one does not mind. */
	close(aux[0]);
	until(fake_sessions.n_auxiliary == 1);
	turns(20);
	ck_assert_int_lt(accept(listener, NULL, NULL), 0);
	pass_ms(10001);
	aux[0] = take_call(listener);
	until(fake_sessions.n_auxiliary == 2);
	ck_assert_int_eq(report().state, CHANNEL_OPEN);
	/* The main one takes them along. */
	close(fd);
	until(!fake_sessions.n_alive);
	until(is_closed(aux[0]) && is_closed(aux[1]));
	ck_assert_uint_eq(fake_sessions.n_orphans, 0);
	close(aux[0]);
	close(aux[1]);
	pass_ms(1251);
	fd = take_call(listener);
	send_all(fd, hello, FAKE_MESSAGE);
	expect_echo(fd, hello);
	aux[0] = take_call(listener);
	aux[1] = take_call(listener);
	until(fake_sessions.n_auxiliary == 2);
	if (_i)
		ck_assert_int_eq(channel_remove(channel, CHANNEL_CONTROLLER, address, &c), 0);
	close(fd);
	close(aux[0]);
	close(aux[1]);
	close(listener);
}
END_TEST

START_TEST(there_are_only_so_many_controllers)
{
	struct channel_config config = config_of(CHANNEL_CONTROLLER);

	for (int i = 0; i < CHANNEL_CONTROLLERS_MAX; i++) {
		snprintf(address, sizeof(address), "tcp:127.0.0.1:%d", i + 1);
		add(&config);
	}
	ck_assert_int_eq(channel_remove(channel, CHANNEL_CONTROLLER, address, NULL), 0);
	config.auxiliary = 1;
	refuse(&config, -ENOSPC, "17");
	config.auxiliary = 0;
	add(&config);
	strcpy(address, "tcp:127.0.0.1:999");
	refuse(&config, -ENOSPC, "16 connections to controllers, and these would be 17");
	ck_assert_uint_eq(fake_sessions.n_controllers, CHANNEL_CONTROLLERS_MAX);
}
END_TEST

/* Controllers over TLS: who answers, and under which name it was called. */
static const struct answer {
	const char *name, *who, *from, *host;
	bool revoked, welcome;
} answers[] = {
	{"the server that was called, by address", "server", dir, "127.0.0.1", false, true},
	{"by name", "server", dir, "localhost", false, true},
	{"a server of another CA", "server", other, "127.0.0.1", false, false},
	{"a client's certificate", "client", dir, "127.0.0.1", false, false},
	{"a certificate that has ended", "server", ended, "127.0.0.1", false, false},
	{"one that was revoked", "server", dir, "127.0.0.1", true, false},
	{"a server of another name", "server", dir, "127.0.0.2", false, false},
};

START_TEST(a_controller_must_be_who_was_called)
{
	const struct answer *answer = &answers[_i];
	struct channel_config config;
	struct tls_context *server;
	struct tls *tls;
	enum tls_step step;
	int listener = open_listener("tls"), fd;

	if (!strcmp(answer->host, "127.0.0.2")) {
		struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000002)};
		socklen_t size = sizeof(in);

		close(listener);
		listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		ck_assert_int_eq(bind(listener, (struct sockaddr *)&in, sizeof(in)), 0);
		ck_assert_int_eq(listen(listener, 5), 0);
		ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&in, &size), 0);
		port = ntohs(in.sin_port);
	}
	snprintf(address, sizeof(address), "tls:%s:%d", answer->host, port);
	config = tls_config(CHANNEL_CONTROLLER, dir, dir);
	if (answer->revoked) {
		lab_revoke(dir, "server", 3600);
		config.crl = (char *)lab_file(dir, "crl.pem");
	}
	add(&config);
	fd = take_call(listener);
	server = context(answer->who, answer->from, TLS_SERVER | versions[_i % 2]);
	tls = tls_create(server, fd, NULL);
	tls_context_free(server);
	step = shake(tls);
	if (step == TLS_DONE)
		step = converse(tls);
	ck_assert_msg((step == TLS_DONE) == answer->welcome, "%s: step %d, %s", answer->name, step, log_text);
	until(answer->welcome ? report().state == CHANNEL_OPEN : report().state == CHANNEL_BACKING_OFF);
	ck_assert_uint_eq(fake_sessions.n_created, answer->welcome);
	if (!answer->welcome)
		ck_assert_msg(strstr(report().error, "certificate"), "%s", report().error);
	ck_assert_int_gt(report().expiry, (int64_t)time(NULL));
	tls_free(tls);
	close(fd);
	close(listener);
	unlink(lab_file(dir, "crl.pem"));
}
END_TEST

/* Bytes of many sizes over TLS, both ways at once, against a peer that reads now and then. */
START_TEST(what_goes_over_tls_comes_back_the_same)
{
	static uint8_t sent[1 << 20], got[1 << 20];
	struct seeded random = seeded_start();
	struct channel_config config;
	struct tls_context *client;
	struct tls *tls;
	size_t out = 0, in = 0, n;
	int fd;

	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (uint8_t)(seeded_next(&random) | 0x80);
	find_port("tls");
	config = tls_config(CHANNEL_LISTENER, dir, dir);
	add(&config);
	client = context("client", dir, TLS_CLIENT | versions[_i]);
	fd = dial();
	tls = tls_create(client, fd, "127.0.0.1");
	tls_context_free(client);
	ck_assert_int_eq(shake(tls), TLS_DONE);
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

static void add_listening(TCase *tcase)
{
	tcase_add_test(tcase, what_comes_by_a_listener_is_a_session);
	tcase_add_test(tcase, nothing_is_written_but_by_the_flush);
	tcase_add_test(tcase, a_session_that_is_over_says_its_last_and_is_closed);
	tcase_add_test(tcase, an_idle_connection_arms_no_timer_and_wants_no_room);
	tcase_add_test(tcase, what_cannot_be_listened_at_is_refused_by_name);
	tcase_add_test(tcase, a_listener_that_is_closed_keeps_its_connections);
	tcase_add_test(tcase, a_turn_takes_only_so_much_of_one_connection);
	tcase_add_test(tcase, a_session_at_its_quota_goes_on_next_turn_without_news_of_its_socket);
	tcase_add_test(tcase, who_does_not_read_stops_only_himself);
	tcase_add_test(tcase, what_nobody_reads_does_not_pile_up_in_the_kernel);
	tcase_add_test(tcase, strangers_make_way_for_each_other_and_for_nobody_else);
	tcase_add_test(tcase, those_who_have_said_hello_are_not_pushed_out);
	tcase_add_test(tcase, without_descriptors_accepting_pauses);
	tcase_add_test(tcase, the_deadlines_of_session_and_agent_are_kept);
}

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

static void add_controllers(TCase *tcase)
{
	tcase_add_test(tcase, a_controller_is_connected_to_and_again_after_a_loss);
	tcase_add_test(tcase, a_controller_is_configured_anew_in_its_place);
	tcase_add_test(tcase, the_pause_doubles_up_to_its_limit_with_some_chance);
	tcase_add_test(tcase, who_said_hello_once_is_called_again_soon);
	tcase_add_test(tcase, an_attempt_that_nobody_answers_ends_in_time);
	tcase_add_test(tcase, a_name_is_resolved_beside_the_loop);
	tcase_add_test(tcase, a_controller_may_go_while_its_name_is_looked_up);
	LOOP(tcase, auxiliary_connections_come_after_the_main_one_and_go_before_it, versions);
	tcase_add_test(tcase, there_are_only_so_many_controllers);
	LOOP(tcase, a_controller_must_be_who_was_called, answers);
}

int main(void)
{
	Suite *suite = suite_create("of_channel");
	TCase *tcase = tcase_create("of_channel");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_unchecked_fixture(tcase, make_labs, remove_labs);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	add_listening(tcase);
	add_tls(tcase);
	add_controllers(tcase);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
