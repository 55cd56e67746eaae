/* SPDX-License-Identifier: BSD-2-Clause */
/* A channel that is called: who may come, how much of it is read and written in a turn, and what is bounded. */
#include "tests/unit/of_channel_lab.h"

/* ---- sockets of the other side ---- */

static bool has_bytes(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK) == 1;
}

/* ---- what is configured ---- */

static void listen_tcp(void)
{
	struct channel_config config;

	find_port("tcp");
	config = config_of(CHANNEL_LISTENER);
	add(&config);
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

int main(void)
{
	return channel_main("of_channel", add_listening);
}
