/* SPDX-License-Identifier: BSD-2-Clause */
/* A channel that calls: controllers, their loss, and when they are called again. */
#include "tests/unit/of_channel_lab.h"

/* ---- sockets of the other side ---- */

/* The connection that the switch makes. */
static int take_call(int listener)
{
	int fd = -1;

	until((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0);
	return fd;
}

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

/* A port that takes no more calls: its backlog, of none, is full with the first. */
START_TEST(an_attempt_that_nobody_answers_ends_in_time)
{
	struct channel_config config;
	int listener = open_listener("tcp"), first;

	ck_assert_int_eq(listen(listener, 0), 0);
	first = dial();
	config = config_of(CHANNEL_CONTROLLER);
	add(&config);
	turns(3);
	ck_assert_int_eq(report().state, CHANNEL_CONNECTING);
	pass_ms(CHANNEL_HANDSHAKE_MS - 1);
	ck_assert_int_eq(report().state, CHANNEL_CONNECTING);
	pass_ms(1);
	until(report().state == CHANNEL_BACKING_OFF);
	ck_assert_str_ne(report().error, "");
	close(first);
	close(listener);
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

#define LOOP(tcase, test, table) tcase_add_loop_test(tcase, test, 0, sizeof(table) / sizeof((table)[0]))

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
	return channel_main("of_channel_controllers", add_controllers);
}
