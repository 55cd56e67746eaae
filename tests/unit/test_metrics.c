/* SPDX-License-Identifier: BSD-2-Clause */
/* metrics.h, scrape.h, http.h, exposition.h: what is a request and what is none, the text, and rude clients. */
#include "ctl/exposition.h"
#include "ctl/http.h"
#include "ctl/metrics.h"
#include "ctl/scrape.h"
#include "dataplane/complaint.h"
#include "tests/unit/poll_reactor.h"
#include "tests/unit/suite.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- requests ---- */

#define TEN      "aaaaaaaaaa"
#define HUNDRED  TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define THOUSAND HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED

static const struct {
	const char *text;
	unsigned status; /* 0: more is needed */
} heads[] = {
	{"GET /metrics HTTP/1.0\r\n\r\n", 200},
	{"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", 200},
	{"GET /metrics HTTP/1.1\nhOST:a\n\n", 200},
	{"\r\nGET /metrics HTTP/1.0\r\n\r\n", 200},
	{"HEAD /metrics HTTP/1.1\r\nHost:\r\nAccept: a, b\r\n\r\n", 200},
	{"GET /metrics?collect=all HTTP/1.0\r\n\r\n", 200},
	{"GET http://a:9471/metrics HTTP/1.1\r\nHost: a\r\n\r\n", 200},
	{"GET /metrics HTTP/1.0\r\n\r\n\x01what follows is a body", 200},
	{"POST /metrics HTTP/1.0\r\n\r\n\x01", 405},
	{"GET /metrics HTTP/1.7\r\nHost: a\r\n\r\n", 200},
	{"GET / HTTP/1.0\r\n\r\n", 404},
	{"GET /metricsx HTTP/1.0\r\n\r\n", 404},
	{"GET /metric HTTP/1.0\r\n\r\n", 404},
	{"GET http://a HTTP/1.0\r\n\r\n", 404},
	{"GET //metrics HTTP/1.0\r\n\r\n", 404},
	{"POST /metrics HTTP/1.0\r\n\r\n", 405},
	{"get /metrics HTTP/1.0\r\n\r\n", 405},
	{"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 405},
	{"GET /metrics HTTP/2.0\r\n\r\n", 505},
	{"GET /metrics HTTP/0.9\r\n\r\n", 505},
	{"GET /metrics\r\n", 400},
	{"GET\r\n", 400},
	{" GET /metrics HTTP/1.0\r\n", 400},
	{"GET  /metrics HTTP/1.0\r\n", 400},
	{"GET /metrics HTTP/1.0 \r\n", 400},
	{"GET /metrics HTTP/11\r\n", 400},
	{"GET /metrics http/1.0\r\n", 400},
	{"GET metrics HTTP/1.0\r\n\r\n", 400},
	{"G(T /metrics HTTP/1.0\r\n", 400},
	{"GET /metrics HTTP/1.1\r\n\r\n", 400},
	{"GET /metrics HTTP/1.1\r\nHost: a\r\nHost: b\r\n", 400},
	{"GET /metrics HTTP/1.0\r\nno colon\r\n", 400},
	{"GET /metrics HTTP/1.0\r\nA: b\r\n folded\r\n", 400},
	{"GET /metrics HTTP/1.0\r\nA : b\r\n", 400},
	{"GET /metrics HTTP/1.0\r\n: b\r\n", 400},
	{"\x16\x03\x01\x02", 400},
	{"G\x7f", 400},
	{"", 0},
	{"\r\n\r\n", 0},
	{"GET /metrics HTTP/1.", 0},
	{"GET /metrics HTTP/1.0\r\n", 0},
	{"GET /metrics HTTP/1.0\r\nA: b\r\n", 0},
	{"POST /metrics HTTP/1.0\r\nA: b\r\n", 0},
	{"GET /metrics HTTP/1.0\r\nA: " THOUSAND THOUSAND THOUSAND THOUSAND "\r\n\r\n", 200},
	{"GET /metrics HTTP/1.0\r\nA: " THOUSAND THOUSAND THOUSAND THOUSAND HUNDRED "\r\n\r\n", 431},
	{"GET /" THOUSAND THOUSAND THOUSAND THOUSAND HUNDRED, 431},
};

START_TEST(a_head_is_judged)
{
	struct http_request request;
	bool told = http_read(heads[_i].text, strlen(heads[_i].text), &request);

	ck_assert_msg((told ? request.status : 0) == heads[_i].status, "%.80s: %u", heads[_i].text,
		told ? request.status : 0);
	ck_assert(!told || request.status != 200 || request.head == (heads[_i].text[0] == 'H'));
}
END_TEST

/* However it comes in, a byte at a time or at once, the verdict is the same and stays. */
START_TEST(every_part_of_a_head_is_bounded)
{
	struct http_request whole, part;
	size_t size = strlen(heads[_i].text);
	bool told = http_read(heads[_i].text, size, &whole), early = false;

	for (size_t n = 0; n < size && !early; n++)
		early = http_read(heads[_i].text, n, &part);
	ck_assert(!early || (told && part.status == whole.status));
	ck_assert(told || size < HTTP_HEAD_MAX);
}
END_TEST

START_TEST(an_answer_says_its_size_and_that_it_is_the_last)
{
	char text[HTTP_ANSWER_MAX];
	size_t size = http_answer(200, 12, text);

	ck_assert_uint_eq(size, strlen(text));
	ck_assert_str_eq(text, "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
			       "Content-Length: 12\r\nConnection: close\r\n\r\n");
	http_answer(405, 0, text);
	ck_assert_ptr_nonnull(strstr(text, "\r\nAllow: GET, HEAD\r\n"));
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		if (heads[i].status)
			ck_assert_uint_lt(http_answer(heads[i].status, SIZE_MAX, text), HTTP_ANSWER_MAX);
	}
}
END_TEST

/* ---- the text ---- */

START_TEST(families_and_samples_are_written_as_prometheus_reads_them)
{
	struct exposition *e = exposition_create();
	size_t size;
	char *text;

	exposition_family(e, "a_frames_total", EXPOSITION_COUNTER, "Frames.");
	exposition_sample(e, UINT64_MAX, "bridge", "br0", "port", "p\\\"\nx", NULL);
	exposition_sample(e, 0, "bridge", "", "port", "q", NULL);
	exposition_family(e, "a_flows", EXPOSITION_GAUGE, "Flows.");
	exposition_sample(e, 7, NULL);
	text = exposition_finish(e, &size);
	ck_assert_str_eq(text, "# HELP a_frames_total Frames.\n# TYPE a_frames_total counter\n"
			       "a_frames_total{bridge=\"br0\",port=\"p\\\\\\\"\\nx\"} 18446744073709551615\n"
			       "a_frames_total{bridge=\"\",port=\"q\"} 0\n"
			       "# HELP a_flows Flows.\n# TYPE a_flows gauge\na_flows 7\n");
	ck_assert_uint_eq(size, strlen(text));
	free(text);
}
END_TEST

/* ---- the endpoint ---- */

#define ASK "GET /metrics HTTP/1.0\r\n\r\n"

static struct metrics *metrics;
static unsigned n_texts;
static size_t text_size; /* 0: a line that counts */
static bool no_memory;
static char address[64];
static uint16_t port;

static char *put_together(void *ctx, size_t *ret_size)
{
	char *text = malloc(text_size + 32);

	n_texts++;
	if (no_memory) {
		free(text);
		return NULL;
	}
	memset(text, 'x', text_size);
	*ret_size = text_size ? text_size : (size_t)sprintf(text, "texts %u\n", n_texts);
	return text;
}

static void set_up(void)
{
	const struct metrics_config config = {.address = address};
	struct complaint c;

	n_texts = 0;
	text_size = 0;
	no_memory = false;
	port = (uint16_t)(20000 + getpid() % 10000);
	snprintf(address, sizeof(address), "tcp:127.0.0.1:%u", port);
	metrics = metrics_create(&poll_reactor, put_together, NULL);
	ck_assert_msg(!metrics_listen(metrics, &config, &c), "%s", c.text);
}

static void tear_down(void)
{
	metrics_destroy(metrics);
	ck_assert(poll_reactor_empty());
}

/* A few turns of the loop. */
static void turns(void)
{
	for (int i = 0; i < 10; i++) {
		poll_reactor_turn();
		metrics_flush(metrics);
	}
}

static int call(const char *text)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(0x7f000001)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	ck_assert_int_eq(send(fd, text, strlen(text), 0), (ssize_t)strlen(text));
	turns();
	return fd;
}

/* All that has come, and whether the other side has ended it. */
static const char *hear(int fd, bool *ret_ended)
{
	static char text[4096];
	size_t size = 0;
	ssize_t n;

	while ((n = recv(fd, text + size, sizeof(text) - 1 - size, MSG_DONTWAIT)) > 0)
		size += (size_t)n;
	text[size] = '\0';
	*ret_ended = !n || (errno != EAGAIN && errno != EWOULDBLOCK);
	return text;
}

static void expect_heard(int fd, const char *begin, const char *end)
{
	bool ended;
	const char *text = hear(fd, &ended);

	ck_assert_msg(ended && !strncmp(text, begin, strlen(begin)), "%s", text);
	ck_assert_msg(strlen(text) >= strlen(end) && !strcmp(text + strlen(text) - strlen(end), end), "%s", text);
	close(fd);
	turns();
}

static void expect_silence(int fd)
{
	bool ended;

	ck_assert_str_eq(hear(fd, &ended), "");
	ck_assert(!ended);
}

static void pass(uint64_t ms)
{
	pr_now_ns += ms * 1000000;
	turns();
}

START_TEST(who_asks_is_answered)
{
	expect_heard(call(ASK), "HTTP/1.1 200 OK\r\n", "\r\n\r\ntexts 1\n");
	pass(METRICS_PACE_MS);
	expect_heard(call("HEAD /metrics HTTP/1.0\r\n\r\n"), "HTTP/1.1 200 OK\r\n", "\r\n\r\n");
	expect_heard(call("GET / HTTP/1.0\r\n\r\n"), "HTTP/1.1 404 ", "/metrics\n");
	expect_heard(call("PUT /metrics HTTP/1.0\r\n\r\n"), "HTTP/1.1 405 ", "\n");
	expect_heard(call("\x16\x03\x01"), "HTTP/1.1 400 ", "\n");
	expect_heard(call("GET /" THOUSAND THOUSAND THOUSAND THOUSAND THOUSAND), "HTTP/1.1 431 ", "\n");
	no_memory = true;
	pass(METRICS_PACE_MS);
	expect_heard(call(ASK), "HTTP/1.1 500 ", "memory.\n");
	ck_assert_uint_eq(metrics_n_scrapes(metrics), 0);
	ck_assert_uint_eq(metrics_n_answers(metrics), 3);
}
END_TEST

START_TEST(many_who_ask_get_one_text_that_is_younger_than_what_they_asked)
{
	int first = call(ASK), second = call(ASK), third;

	expect_heard(first, "HTTP/1.1 200", "texts 1\n");
	expect_silence(second);
	ck_assert_uint_eq(poll_reactor_armed(), 2); /* its deadline, and what wakes the loop for it */
	pass(METRICS_PACE_MS / 2);
	third = call(ASK);
	expect_silence(second);
	pass(METRICS_PACE_MS / 2 + 1);
	expect_heard(second, "HTTP/1.1 200", "texts 2\n");
	expect_heard(third, "HTTP/1.1 200", "texts 2\n");
	ck_assert_uint_eq(n_texts, 2);
}
END_TEST

/* M2: also for one that sends a byte now and then. */
START_TEST(a_connection_ends_whatever_its_peer_does)
{
	int silent = call(""), slow = call("GET /met"), deaf;
	bool ended = false;

	for (int ms = 0; ms < SCRAPE_MS - 1; ms += 1000) {
		expect_silence(silent);
		ck_assert_int_eq(send(slow, "r", 1, MSG_NOSIGNAL), 1);
		expect_silence(slow);
		pass(1000);
	}
	hear(silent, &ended);
	ck_assert(ended);
	hear(slow, &ended);
	ck_assert(ended);
	close(silent);
	close(slow);
	text_size = 32 << 20;
	deaf = call(ASK);
	ck_assert_uint_eq(metrics_n_scrapes(metrics), 1);
	pass(SCRAPE_MS);
	ck_assert_uint_eq(metrics_n_scrapes(metrics), 0);
	close(deaf);
}
END_TEST

/* M2: what comes behind a request is thrown away; who never ends is not waited for. */
START_TEST(what_follows_a_request_is_thrown_away)
{
	static const char more[65536];
	int fd = call(ASK);

	for (int i = 0; i < 8; i++) {
		ck_assert_int_eq(send(fd, more, sizeof(more), MSG_NOSIGNAL), sizeof(more));
		turns();
	}
	ck_assert_uint_eq(metrics_n_scrapes(metrics), 1);
	pass(SCRAPE_LINGER_MS);
	ck_assert_uint_eq(metrics_n_scrapes(metrics), 0);
	expect_heard(fd, "HTTP/1.1 200", "texts 1\n");
}
END_TEST

START_TEST(a_crowd_keeps_nobody_out)
{
	int crowd[3 * METRICS_MAX_SCRAPES];

	for (int i = 0; i < 3 * METRICS_MAX_SCRAPES; i++)
		crowd[i] = call("GET /metrics");
	ck_assert_uint_eq(metrics_n_scrapes(metrics), METRICS_MAX_SCRAPES);
	expect_heard(call(ASK), "HTTP/1.1 200", "texts 1\n");
	for (int i = 0; i < 3 * METRICS_MAX_SCRAPES; i++)
		close(crowd[i]);
	turns();
	ck_assert_uint_eq(metrics_n_scrapes(metrics), 0);
}
END_TEST

/* Half a request does not cost another his answer, which the pace holds back. */
START_TEST(who_waits_is_not_driven_out_by_those_who_have_not_asked)
{
	int crowd[2 * METRICS_MAX_SCRAPES], waits;

	expect_heard(call(ASK), "HTTP/1.1 200", "texts 1\n");
	waits = call(ASK);
	for (int i = 0; i < 2 * METRICS_MAX_SCRAPES; i++)
		crowd[i] = call("GET /metrics");
	pass(METRICS_PACE_MS + 1);
	expect_heard(waits, "HTTP/1.1 200", "texts 2\n");
	for (int i = 0; i < 2 * METRICS_MAX_SCRAPES; i++)
		close(crowd[i]);
}
END_TEST

/* Who has his answer goes before one that is still asking. */
START_TEST(who_is_done_makes_way_first)
{
	int asking = call("GET /metrics HT"), done[METRICS_MAX_SCRAPES];

	for (int i = 0; i < METRICS_MAX_SCRAPES; i++)
		done[i] = call("GET / HTTP/1.0\r\n\r\n");
	ck_assert_int_eq(send(asking, "TP/1.0\r\n\r\n", 10, 0), 10);
	turns();
	expect_heard(asking, "HTTP/1.1 200", "texts 1\n");
	for (int i = 0; i < METRICS_MAX_SCRAPES; i++)
		close(done[i]);
}
END_TEST

static const struct {
	const char *address, *complaint;
} places[] = {
	{"tcp:0.0.0.0:9471", "others can reach 0.0.0.0: metrics go there over TLS alone (tls:0.0.0.0:9471 cert"},
	{"tcp:[::]:9471", "(tls:[::]:9471 cert"},
	{"tcp:192.0.2.1:9471", "over TLS alone"},
	{"tcp:128.0.0.1:9471", "over TLS alone"},
	{"tcp:[::ffff:127.0.0.1]:9471", "over TLS alone"},
	{"tcp:localhost:9471", "is no IP address"},
	{"tls:localhost:9471", "is no IP address"},
	{"udp:127.0.0.1:9471", "begins with tcp: or tls:"},
	{"tcp:127.0.0.1:0", "a port is a number"},
};

START_TEST(places_that_others_reach_are_refused_without_tls)
{
	const struct metrics_config config = {.address = places[_i].address};
	struct complaint c = {0};

	ck_assert_int_eq(metrics_listen(metrics, &config, &c), -EINVAL);
	ck_assert_msg(strstr(c.text, places[_i].complaint) != NULL, "%s", c.text);
}
END_TEST

START_TEST(places_are_counted_and_closed)
{
	struct metrics_config config = {.address = address};
	struct complaint c;
	char other[64];

	ck_assert_int_eq(metrics_listen(metrics, &config, &c), -EEXIST);
	config.address = other;
	for (int i = 1; i <= METRICS_MAX_LISTENERS; i++) {
		snprintf(other, sizeof(other), "tcp:127.0.0.%d:%u", 1 + i, port);
		ck_assert_int_eq(metrics_listen(metrics, &config, &c), i < METRICS_MAX_LISTENERS ? 0 : -ENOSPC);
	}
	ck_assert_int_eq(metrics_close(metrics, other, &c), -ENOENT);
	ck_assert_int_eq(metrics_close(metrics, address, &c), 0);
	ck_assert_int_eq(metrics_close(metrics, address, &c), -ENOENT);
	ck_assert_int_eq(metrics_listen(metrics, &config, &c), 0);
}
END_TEST

START_TEST(with_nobody_there_no_timer_is_armed)
{
	int fd = call("GET /m");

	ck_assert(poll_reactor_armed());
	close(fd);
	turns();
	expect_heard(call(ASK), "HTTP/1.1 200", "texts 1\n");
	ck_assert(!poll_reactor_armed());
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("metrics");
	TCase *tcase = tcase_create("text"), *endpoint = tcase_create("endpoint");

	tcase_add_loop_test(tcase, a_head_is_judged, 0, sizeof(heads) / sizeof(heads[0]));
	tcase_add_loop_test(tcase, every_part_of_a_head_is_bounded, 0, sizeof(heads) / sizeof(heads[0]));
	tcase_add_test(tcase, an_answer_says_its_size_and_that_it_is_the_last);
	tcase_add_test(tcase, families_and_samples_are_written_as_prometheus_reads_them);
	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(endpoint, set_up, tear_down);
	tcase_set_timeout(endpoint, 60);
	tcase_add_test(endpoint, who_asks_is_answered);
	tcase_add_test(endpoint, many_who_ask_get_one_text_that_is_younger_than_what_they_asked);
	tcase_add_test(endpoint, a_connection_ends_whatever_its_peer_does);
	tcase_add_test(endpoint, what_follows_a_request_is_thrown_away);
	tcase_add_test(endpoint, a_crowd_keeps_nobody_out);
	tcase_add_test(endpoint, who_waits_is_not_driven_out_by_those_who_have_not_asked);
	tcase_add_test(endpoint, who_is_done_makes_way_first);
	tcase_add_loop_test(
		endpoint, places_that_others_reach_are_refused_without_tls, 0, sizeof(places) / sizeof(places[0]));
	tcase_add_test(endpoint, places_are_counted_and_closed);
	tcase_add_test(endpoint, with_nobody_there_no_timer_is_armed);
	suite_add_tcase(suite, endpoint);
	return run_suite(suite);
}
