/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control.h and connection.h: a server in a child process on the real loop, clients of every kind against it.
 *
 * The server's requests: "echo WORD", "big N" (a reply of N bytes), "later" (the reply comes in a later turn).
 */
#include "ctl/client.h"
#include "ctl/control.h"
#include "ctl/json.h"
#include "ctl/loop.h"
#include "ctl/reply.h"
#include "ofp/tls.h"
#include "ctl/words.h"
#include "dataplane/complaint.h"
#include "dataplane/log.h"
#include "dataplane/reactor.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What the server lets the test see. */
static struct shared {
	unsigned n_requests; /* read so far */
	unsigned n_settled;  /* of them, settled */
	unsigned turns;
} * shared;

static char dir[64], address[64];
static pid_t server;
static int port;
static rlim_t server_files;

/* ---- the server ---- */

static struct loop *loop;
static struct control *control;
static struct reply *waiting;
static struct reactor_timer *later;
static unsigned settle_ms;

static void later_came(void *arg)
{
	reply_progress(waiting, 1, 2, "half");
	reply_result(waiting, NULL);
	waiting = NULL;
}

static void request(void *ctx, const char *line, size_t size, struct reply *reply)
{
	struct json_object *result = json_object_new_object();
	char text[64], *big;
	unsigned n = 0;

	shared->n_requests++;
	snprintf(text, sizeof(text), "%.*s", (int)size, line);
	if (!strcmp(text, "later")) {
		json_object_put(result);
		waiting = reply;
		loop_reactor(loop)->arm(loop_reactor(loop)->ctx, later, 50);
		return;
	}
	if (sscanf(text, "big %u", &n) == 1) {
		big = malloc(n + 1);
		memset(big, 'x', n);
		big[n] = '\0';
		json_add_text(result, "text", big);
		free(big);
	} else {
		json_add_text(result, "text", text);
	}
	reply_result(reply, result);
}

static void turn(void *arg)
{
	unsigned seen = shared->n_requests;

	shared->turns++;
	if (settle_ms)
		usleep(settle_ms * 1000);
	shared->n_settled = seen;
	control_flush(control);
}

static void quiet(void *ctx, enum log_level level, const char *line)
{
}

static void serve(int ready)
{
	const struct control_events events = {.request = request};
	char path[96], cert[96], key[96], ca[96];
	const struct control_tls tls = {.address = address, .cert = cert, .key = key, .ca = ca};
	const struct rlimit files = {server_files, server_files};
	struct complaint c;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	log_to(quiet, NULL);
	if (server_files)
		setrlimit(RLIMIT_NOFILE, &files);
	loop = loop_create();
	control = control_create(loop, &events);
	later = loop_reactor(loop)->timer(loop_reactor(loop)->ctx, later_came, NULL);
	snprintf(path, sizeof(path), "%s/switchd.sock", dir);
	snprintf(cert, sizeof(cert), "%s/server.crt", dir);
	snprintf(key, sizeof(key), "%s/server.key", dir);
	snprintf(ca, sizeof(ca), "%s/ca.crt", dir);
	if (control_listen_unix(control, path, &c) || control_listen_tls(control, &tls, &c)) {
		fprintf(stderr, "server: %s\n", c.text);
		_exit(1);
	}
	loop_before_sleep(loop, turn, NULL);
	if (write(ready, "", 1) != 1)
		_exit(1);
	loop_run(loop);
	_exit(0);
}

/* A port that nobody has now. */
static int free_port(void)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&in, &size), 0);
	close(fd);
	return ntohs(in.sin_port);
}

static void start(void)
{
	int ends[2];
	char byte;

	port = free_port();
	snprintf(address, sizeof(address), "tls:127.0.0.1:%d", port);
	ck_assert_int_eq(pipe(ends), 0);
	server = fork();
	ck_assert_int_ge(server, 0);
	if (!server)
		serve(ends[1]);
	close(ends[1]);
	ck_assert_int_eq(read(ends[0], &byte, 1), 1);
	close(ends[0]);
}

static void set_up(void)
{
	static const char *const names[] = {"127.0.0.1"};
	struct tls_pki pki = {.dir = dir, .names = names, .n_names = 1, .days = 1};
	struct complaint c;

	signal(SIGPIPE, SIG_IGN);
	settle_ms = 0;
	server_files = 0;
	strcpy(dir, "/tmp/ht-ctl-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_msg(!tls_make_pki(&pki, &c), "%s", c.text);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(shared, MAP_FAILED);
	memset(shared, 0, sizeof(*shared));
}

static void tear_down(void)
{
	static const char *const files[] = {
		"ca.crt", "ca.key", "server.crt", "server.key", "client.crt", "client.key", "switchd.sock"};
	char file[128];
	int status;

	kill(server, SIGKILL);
	ck_assert_int_eq(waitpid(server, &status, 0), server);
	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the server died by itself: %d", status);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(file, sizeof(file), "%s/%s", dir, files[i]);
		unlink(file);
	}
	rmdir(dir);
}

/* ---- clients ---- */

static int connect_unix(void)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	const struct timeval patience = {.tv_sec = 5};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%s/switchd.sock", dir);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	return fd;
}

static int connect_tcp(void)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const struct timeval patience = {.tv_sec = 15};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	in.sin_port = htons((uint16_t)port);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

static void send_text(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Up to and without the line's end; false: the other side is done, or says nothing. */
static bool read_line(int fd, char *text, size_t size)
{
	size_t n = 0;

	while (n + 1 < size && read(fd, text + n, 1) == 1) {
		if (text[n] == '\n') {
			text[n] = '\0';
			return true;
		}
		n++;
	}
	text[n] = '\0';
	return false;
}

static void expect_echo(int fd, const char *word)
{
	char text[300], wanted[300];

	ck_assert_msg(read_line(fd, text, sizeof(text)), "no reply for %s: %s", word, text);
	snprintf(wanted, sizeof(wanted), "{\"ok\":true,\"result\":{\"text\":\"%s\"}}", word);
	ck_assert_str_eq(text, wanted);
}

static int open_tls(struct client **ret, struct complaint *c)
{
	char cert[96], key[96], ca[96];
	const struct client_target target = {.connect = address, .cert = cert, .key = key, .ca = ca};

	snprintf(cert, sizeof(cert), "%s/client.crt", dir);
	snprintf(key, sizeof(key), "%s/client.key", dir);
	snprintf(ca, sizeof(ca), "%s/ca.crt", dir);
	return client_open(&target, ret, c);
}

static void ask_tls(struct client *client, const char *line, const char *wanted)
{
	struct json_object *reply;
	struct complaint c;

	ck_assert_msg(!client_ask(client, line, NULL, NULL, &reply, &c), "%s", c.text);
	ck_assert_ptr_nonnull(strstr(json_object_to_json_string(reply), wanted));
	json_object_put(reply);
}

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* ---- tests ---- */

START_TEST(lines_are_answered_in_order)
{
	int fd;

	start();
	fd = connect_unix();
	send_text(fd, "one\ntwo\r\nthree\nlater\nfour\n");
	expect_echo(fd, "one");
	expect_echo(fd, "two");
	expect_echo(fd, "three");
	char text[200];
	ck_assert(read_line(fd, text, sizeof(text)));
	ck_assert_msg(strstr(text, "\"progress\""), "%s", text);
	ck_assert(read_line(fd, text, sizeof(text)));
	ck_assert_msg(strstr(text, "\"ok\":true"), "%s", text);
	expect_echo(fd, "four");
	close(fd);
}
END_TEST

/* C3: when a reply can be read, its request has been settled. */
START_TEST(no_reply_leaves_before_the_maps_are_settled)
{
	int fd;

	settle_ms = 50;
	start();
	fd = connect_unix();
	for (unsigned i = 1; i <= 5; i++) {
		send_text(fd, "x\n");
		expect_echo(fd, "x");
		ck_assert_uint_ge(__atomic_load_n(&shared->n_settled, __ATOMIC_SEQ_CST), i);
	}
	close(fd);
}
END_TEST

START_TEST(the_socket_is_for_root_alone)
{
	char path[96];
	struct stat st;

	start();
	snprintf(path, sizeof(path), "%s/switchd.sock", dir);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
}
END_TEST

START_TEST(a_line_too_long_is_refused_and_ends_the_connection)
{
	char block[4096], text[300];
	int fd;

	start();
	fd = connect_unix();
	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 40; i++) {
		if (send(fd, block, sizeof(block), MSG_NOSIGNAL) < 0)
			break;
	}
	ck_assert(read_line(fd, text, sizeof(text)));
	ck_assert_msg(strstr(text, "\"ok\":false") && strstr(text, "65536"), "%s", text);
	ck_assert(!read_line(fd, text, sizeof(text)));
	close(fd);
	fd = connect_unix();
	send_text(fd, "still\n");
	expect_echo(fd, "still");
	close(fd);
}
END_TEST

START_TEST(the_longest_line_is_taken)
{
	char *line = malloc(WORDS_LINE_SIZE + 2);
	char text[300];
	int fd;

	start();
	fd = connect_unix();
	memset(line, 'y', WORDS_LINE_SIZE);
	line[WORDS_LINE_SIZE] = '\n';
	line[WORDS_LINE_SIZE + 1] = '\0';
	send_text(fd, line);
	ck_assert(read_line(fd, text, sizeof(text)));
	ck_assert_msg(strstr(text, "\"ok\":true"), "%s", text);
	free(line);
	close(fd);
}
END_TEST

START_TEST(half_a_line_is_not_run)
{
	char text[100];
	int fd;

	start();
	fd = connect_unix();
	send_text(fd, "whole\nhalf");
	shutdown(fd, SHUT_WR);
	expect_echo(fd, "whole");
	ck_assert(!read_line(fd, text, sizeof(text)));
	ck_assert_uint_eq(shared->n_requests, 1);
	close(fd);
}
END_TEST

START_TEST(who_does_not_read_stops_only_himself)
{
	size_t size = 0, wanted = 20000000;
	static char block[65536];
	int slow, quick;
	double begun;
	ssize_t n;

	start();
	slow = connect_unix();
	send_text(slow, "big 20000000\nbig 20000000\n");
	usleep(300000);
	ck_assert_uint_eq(shared->n_requests, 1); /* the second waits for the first reply to leave */
	begun = now_s();
	quick = connect_unix();
	for (int i = 0; i < 100; i++) {
		send_text(quick, "q\n");
		expect_echo(quick, "q");
	}
	ck_assert_msg(now_s() - begun < 3, "%f s for 100 requests", now_s() - begun);
	while (size < 2 * wanted && (n = read(slow, block, sizeof(block))) > 0)
		size += (size_t)n;
	ck_assert_uint_ge(size, 2 * wanted);
	close(slow);
	close(quick);
}
END_TEST

START_TEST(who_leaves_before_the_reply_harms_nobody)
{
	int fd;

	start();
	for (int i = 0; i < 50; i++) {
		fd = connect_unix();
		send_text(fd, i % 2 ? "big 3000000\n" : "later\n");
		close(fd);
		if (!(i % 2))
			usleep(70000); /* one "later" at a time: the server keeps one */
	}
	fd = connect_unix();
	send_text(fd, "alive\n");
	expect_echo(fd, "alive");
	close(fd);
}
END_TEST

START_TEST(a_certificate_opens_the_tls_socket)
{
	struct client *client;
	struct complaint c;

	start();
	ck_assert_msg(!open_tls(&client, &c), "%s", c.text);
	for (int i = 0; i < 20; i++)
		ask_tls(client, "hello", "hello");
	ask_tls(client, "big 3000000", "xxxxxxxxxxxxxxxx\" }");
	client_close(client);
}
END_TEST

START_TEST(a_bare_client_gets_nothing_from_the_tls_socket)
{
	char text[100];
	int fd;

	start();
	fd = connect_tcp();
	send_text(fd, "stats\nstats\nstats\n");
	/* An alert at most (RFC 8446 §6), then the end. */
	while (read(fd, text, sizeof(text)) > 0)
		;
	ck_assert_uint_eq(shared->n_requests, 0);
	close(fd);
}
END_TEST

/* Three times as many silent strangers as there are slots: who has a certificate comes in, and who is in stays in. */
START_TEST(strangers_do_not_keep_others_out)
{
	struct client *before, *after;
	int strangers[3 * CONTROL_MAX_TLS];
	struct complaint c;

	start();
	ck_assert_msg(!open_tls(&before, &c), "%s", c.text);
	for (int i = 0; i < 3 * CONTROL_MAX_TLS; i++) {
		strangers[i] = connect_tcp();
		if (i % 3)
			send_text(strangers[i], i % 3 == 1 ? "\x16\x03\x01" : "garbage, and more of it\n");
	}
	ck_assert_msg(!open_tls(&after, &c), "%s", c.text);
	ask_tls(before, "before", "before");
	ask_tls(after, "after", "after");
	client_close(before);
	client_close(after);
	for (int i = 0; i < 3 * CONTROL_MAX_TLS; i++)
		close(strangers[i]);
}
END_TEST

START_TEST(a_silent_stranger_is_dropped_in_time)
{
	double begun;
	char byte;
	int fd;

	start();
	fd = connect_tcp();
	begun = now_s();
	ck_assert_int_le(read(fd, &byte, 1), 0);
	ck_assert_msg(now_s() - begun > 9 && now_s() - begun < 12, "%f s", now_s() - begun);
	close(fd);
}
END_TEST

/* The server runs out of descriptors: it waits instead of spinning, and takes up again. */
START_TEST(without_descriptors_it_waits_and_recovers)
{
	int fds[40], fd;
	unsigned turns;

	server_files = 30;
	start();
	for (int i = 0; i < 40; i++)
		fds[i] = connect_unix();
	usleep(300000);
	turns = shared->turns;
	sleep(2);
	ck_assert_msg(shared->turns - turns < 20, "%u turns in two seconds", shared->turns - turns);
	for (int i = 0; i < 40; i++)
		close(fds[i]);
	fd = connect_unix();
	send_text(fd, "again\n");
	expect_echo(fd, "again");
	close(fd);
}
END_TEST

START_TEST(idle_it_does_not_wake_up)
{
	struct client *client;
	struct complaint c;
	unsigned turns;
	int fd;

	start();
	fd = connect_unix();
	ck_assert_msg(!open_tls(&client, &c), "%s", c.text);
	ask_tls(client, "x", "x");
	send_text(fd, "y\n");
	expect_echo(fd, "y");
	usleep(200000);
	turns = shared->turns;
	sleep(2);
	ck_assert_uint_eq(shared->turns, turns);
	client_close(client);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control");
	TCase *tcase = tcase_create("control");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 40);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, lines_are_answered_in_order);
	tcase_add_test(tcase, no_reply_leaves_before_the_maps_are_settled);
	tcase_add_test(tcase, the_socket_is_for_root_alone);
	tcase_add_test(tcase, a_line_too_long_is_refused_and_ends_the_connection);
	tcase_add_test(tcase, the_longest_line_is_taken);
	tcase_add_test(tcase, half_a_line_is_not_run);
	tcase_add_test(tcase, who_does_not_read_stops_only_himself);
	tcase_add_test(tcase, who_leaves_before_the_reply_harms_nobody);
	tcase_add_test(tcase, a_certificate_opens_the_tls_socket);
	tcase_add_test(tcase, a_bare_client_gets_nothing_from_the_tls_socket);
	tcase_add_test(tcase, strangers_do_not_keep_others_out);
	tcase_add_test(tcase, a_silent_stranger_is_dropped_in_time);
	tcase_add_test(tcase, without_descriptors_it_waits_and_recovers);
	tcase_add_test(tcase, idle_it_does_not_wake_up);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
