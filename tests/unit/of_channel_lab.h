/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * of_channel_lab.h - channel.h, credentials.h, resolver.h and ears.h: connections over loopback against peers that the
 * tests script, each step of the loop and of the clock taken by hand. The sessions are a double that sends back what it
 * is sent.
 */
#ifndef TESTS_OF_CHANNEL_LAB_H
#define TESTS_OF_CHANNEL_LAB_H

#include "ofp/channel.h"

#include "dataplane/complaint.h"
#include "dataplane/log.h"
#include "ofp/credentials.h"
#include "ofp/ears.h"
#include "tests/unit/fake_session.h"
#include "tests/unit/poll_reactor.h"
#include "tests/unit/seeded.h"
#include "tests/unit/suite.h"
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

static inline void log_line(void *ctx, enum log_level level, const char *line)
{
	size_t used = strlen(log_text);

	snprintf(log_text + used, sizeof(log_text) - used, "%s\n", line);
}

static inline void set_up(void)
{
	signal(SIGPIPE, SIG_IGN);
	log_text[0] = '\0';
	log_to(log_line, NULL);
	fake_sessions = (struct fake_sessions){0};
	agent = fake_agent();
	channel = channel_create(&poll_reactor, agent, "br0");
	ck_assert_ptr_nonnull(channel);
}

static inline void tear_down(void)
{
	channel_free(channel);
	agent_free(agent);
	ck_assert_uint_eq(fake_sessions.n_alive, 0);
	ck_assert_uint_eq(fake_sessions.n_orphans, 0);
	ck_assert(poll_reactor_empty());
}

static inline void make_labs(void)
{
	lab_make(dir, sizeof(dir), 365);
	lab_make(other, sizeof(other), 365);
	lab_make(ended, sizeof(ended), (unsigned)-1);
}

static inline void remove_labs(void)
{
	lab_remove(dir);
	lab_remove(other);
	lab_remove(ended);
}

/* ---- time and the loop ---- */

static inline void turn(void)
{
	poll_reactor_turn();
	channel_flush(channel);
}

/* One of many, in a wait for what comes through the kernel. */
static inline void waiting_turn(int i)
{
	turn();
	if (i > 50)
		usleep(1000);
}

static inline void turns(unsigned n)
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

static inline void pass_ms(uint64_t ms)
{
	pr_now_ns += ms * 1000000;
	turn();
}

/* ---- sockets of the other side ---- */

/* A listening socket on a free port, which `address` then names. */
static inline int open_listener(const char *scheme)
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

static inline void find_port(const char *scheme)
{
	close(open_listener(scheme));
}

static inline int dial(void)
{
	struct sockaddr_in in = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static inline bool is_closed(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_PEEK);

	return !n || (n < 0 && errno != EAGAIN);
}

static const char hello[FAKE_MESSAGE + 1] = "hello-----------";

static inline void send_all(int fd, const void *bytes, size_t size)
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

static inline void expect_echo(int fd, const char *text)
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

static inline struct tls_context *context(const char *who, const char *from, unsigned flags)
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
static inline enum tls_step shake(struct tls *tls)
{
	enum tls_step step = TLS_WANT_READ;

	for (int i = 0; i < 5000 && step != TLS_DONE && step != TLS_FAILED; i++) {
		step = tls_handshake(tls);
		waiting_turn(i);
	}
	return step;
}

/* What the other side hears when it says hello: DONE with the echo, or that it is not wanted. */
static inline enum tls_step converse(struct tls *tls)
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

static inline struct channel_config config_of(enum channel_kind kind)
{
	struct channel_config config = channel_config_default(kind);

	config.address = address;
	return config;
}

static inline struct channel_config tls_config(enum channel_kind kind, const char *from, const char *ca)
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

static inline void add(const struct channel_config *config)
{
	struct complaint c;

	ck_assert_msg(!channel_add(channel, config, &c), "%s", c.text);
}

static inline void refuse(const struct channel_config *config, int err, const char *text)
{
	struct complaint c;

	ck_assert_int_eq(channel_add(channel, config, &c), err);
	ck_assert_msg(strstr(c.text, text), "%s", c.text);
}

static inline void keep_report(void *ctx, const struct channel_report *report)
{
	*(struct channel_report *)ctx = *report;
}

/* Of the last that is configured. */
static inline struct channel_report report(void)
{
	struct channel_report last = {0};

	channel_each(channel, keep_report, &last);
	return last;
}

/* ---- TLS that comes ---- */

static const unsigned versions[] = {0, TLS_ALLOW_1_2};

/* ---- the end ---- */

/* What main() does: a suite of one case, of what `fill` adds. */
static inline int channel_main(const char *name, void (*fill)(TCase *tcase))
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create("of_channel");

	tcase_set_timeout(tcase, 60);
	tcase_add_unchecked_fixture(tcase, make_labs, remove_labs);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	fill(tcase);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}

#endif
