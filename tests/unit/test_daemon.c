/* SPDX-License-Identifier: BSD-2-Clause */
/* daemon.h: what each command does to the switch and answers, on a double of the switch. */
#include "ctl/conf.h"
#include "ctl/control.h"
#include "ctl/daemon.h"
#include "ctl/grammar.h"
#include "ctl/json.h"
#include "ctl/logbook.h"
#include "ctl/loop.h"
#include "ctl/metrics.h"
#include "ctl/openflow.h"
#include "ctl/reconcile.h"
#include "ctl/reply.h"
#include "dataplane/complaint.h"
#include "dataplane/log.h"
#include "tests/unit/fake_session.h"
#include "tests/unit/fake_vswitch.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct daemon d;
static char dir[64];
static char said[1 << 20]; /* the last line of the last reply */
static bool ended;

/* ---- asking ---- */

static void line_said(void *ctx, const char *text, size_t size)
{
	ck_assert_uint_lt(size, sizeof(said));
	memcpy(said, text, size);
	said[size] = '\0';
}

static void reply_ended(void *ctx)
{
	ended = true;
}

static void stop_if_ended(void *arg)
{
	if (ended)
		loop_stop(d.loop);
}

static void ask_bytes(const char *line, size_t size)
{
	const struct reply_sink sink = {.line = line_said, .ended = reply_ended};

	said[0] = '\0';
	ended = false;
	daemon_request(&d, line, size, reply_create(&sink));
}

/* Asks and waits for the end of the reply, which a load takes turns for. */
static const char *ask(const char *line)
{
	ask_bytes(line, strlen(line));
	if (!ended) {
		loop_before_sleep(d.loop, stop_if_ended, NULL);
		loop_run(d.loop);
	}
	return said;
}

#define expect_ok(line)                ck_assert_msg(!strncmp(ask(line), "{\"ok\":true", 10), "%s: %s", line, said)
#define expect_refused(line, text)     expect_failure(line, "refused", text)
#define expect_usage(line, text)       expect_failure(line, "usage", text)
#define expect_calls(calls)            ck_assert_str_eq(fake_vswitch_calls(d.vs), calls)
#define expect_statement(statement)    ck_assert_msg(config_has(statement), "%s", said)
#define expect_no_statement(statement) ck_assert_msg(!config_has(statement), "%s", said)

static void expect_failure(const char *line, const char *kind, const char *text)
{
	char wanted[64];

	ask(line);
	snprintf(wanted, sizeof(wanted), "{\"ok\":false,\"kind\":\"%s\"", kind);
	ck_assert_msg(!strncmp(said, wanted, strlen(wanted)), "%s: %s", line, said);
	ck_assert_msg(strstr(said, text), "%s: %s", line, said);
}

static bool config_has(const char *statement)
{
	char wanted[400];

	snprintf(wanted, sizeof(wanted), "\"statement\":\"%s\"", statement);
	return strstr(ask("config show"), wanted) != NULL;
}

static struct json_object *result_of(const char *line, struct json_object **ret_reply)
{
	struct json_object *result;

	*ret_reply = json_tokener_parse(ask(line));
	ck_assert_ptr_nonnull(*ret_reply);
	ck_assert_msg(json_object_object_get_ex(*ret_reply, "result", &result), "%s", said);
	return result;
}

static struct json_object *get(struct json_object *object, const char *name)
{
	struct json_object *member;

	ck_assert_msg(json_object_object_get_ex(object, name, &member), "no %s", name);
	return member;
}

/* ---- a daemon ---- */

static void request_came(void *ctx, const char *line, size_t size, struct reply *reply)
{
	daemon_request(&d, line, size, reply);
}

static void begin(void)
{
	const struct control_events events = {.request = request_came};

	d.loop = loop_create();
	ck_assert_int_eq(daemon_init(&d), 0);
	d.vs = fake_vswitch_create();
	d.control = control_create(d.loop, &events);
	d.of = openflow_create(loop_reactor(d.loop), d.vs, dir);
	d.metrics = metrics_create(loop_reactor(d.loop), daemon_metrics, &d);
	d.rec = reconcile_create(d.vs, d.control, d.of, d.metrics);
}

static void end(void)
{
	reconcile_destroy(d.rec);
	metrics_destroy(d.metrics);
	control_destroy(d.control);
	openflow_destroy(d.of);
	vswitch_destroy(d.vs, false);
	daemon_fini(&d);
	loop_destroy(d.loop);
}

static void set_up(void)
{
	memset(&d, 0, sizeof(d));
	fake_sessions = (struct fake_sessions){0};
	strcpy(dir, "/tmp/ht-daemon-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(d.paths.run_dir, sizeof(d.paths.run_dir), "%s", dir);
	snprintf(d.paths.conf, sizeof(d.paths.conf), "%s/conf", dir);
	snprintf(d.paths.running, sizeof(d.paths.running), "%s/running.conf", dir);
	snprintf(d.paths.log, sizeof(d.paths.log), "%s/log", dir);
	ck_assert_int_eq(logbook_create(d.paths.log, &d.logbook, NULL), 0);
	begin();
}

static void tear_down(void)
{
	end();
	logbook_destroy(d.logbook);
	unlink(d.paths.log);
	unlink(d.paths.conf);
	unlink(d.paths.running);
	ck_assert_int_eq(rmdir(dir), 0);
}

static void write_conf(const char *text)
{
	FILE *out = fopen(d.paths.conf, "w");

	fputs(text, out);
	fclose(out);
}

/* ---- commands ---- */

START_TEST(bridges_are_made_changed_and_removed)
{
	expect_ok("bridge add br0");
	expect_refused("bridge add br0", "bridge br0 is there already");
	expect_ok("bridge set br0 ageing 5 forward-reserved on");
	expect_refused("bridge set br1 ageing 5", "there is no bridge br1");
	expect_refused("bridge show br1", "there is no bridge br1");
	expect_ok("bridge show br0");
	ck_assert_msg(strstr(said, "\"ageing_s\":5,\"mac_limit\":16384,\"forward_reserved\":true"), "%s", said);
	expect_ok("bridge del br0");
	expect_refused("bridge del br0", "there is no bridge br0");
	expect_calls("+br0 ~br0:5 -br0");
}
END_TEST

START_TEST(ports_are_made_changed_and_removed)
{
	expect_refused("port add br0 p1", "there is no bridge br0");
	expect_ok("bridge add br0");
	expect_ok("bridge add br1");
	expect_ok("port add br0 p1 vlan access 10");
	expect_refused("port add br0 p1", "port p1 is on bridge br0 already");
	expect_refused("port add br1 p1", "port p1 is on bridge br0 already");
	expect_usage("port add br0 p2 type veth", "peer DEVICE");
	expect_ok("port set br0 p1 vlan trunk 10,20,30 native 1");
	expect_refused("port set br1 p1 vlan open", "port p1 is on bridge br0, not on br1");
	expect_refused("port set br0 p9 vlan open", "bridge br0 has no port p9");
	expect_refused("port del br0 p9", "bridge br0 has no port p9");
	expect_refused("port del br1 p1", "not on br1");
	expect_refused("port show br0 p9", "bridge br0 has no port p9");
	expect_refused("port show x", "there is no bridge and no port x");
	expect_ok("port show p1");
	ck_assert_msg(strstr(said, "\"vlan\":\"trunk 10,20,30 native 1\"") || strstr(said, "native 1"), "%s", said);
	expect_ok("port show br1");
	ck_assert_msg(strstr(said, "\"ports\":[]"), "%s", said);
	expect_ok("port del br0 p1");
	expect_calls("+br0 +br1 +br0/p1 ~/p1:1 -/p1");
}
END_TEST

START_TEST(addresses_are_added_shown_and_removed)
{
	expect_refused("fdb add br0 02:00:00:00:00:01 p1", "there is no bridge br0");
	expect_ok("bridge add br0");
	expect_refused("fdb add br0 02:00:00:00:00:01 p1", "bridge br0 has no port p1");
	expect_ok("port add br0 p1");
	expect_ok("fdb add br0 02:00:00:00:00:01 p1 vlan 7");
	expect_refused("fdb add br0 02:00:00:00:00:01 p1 vlan 7", "is a static address of port p1 already");
	expect_ok("fdb add br0 02:00:00:00:00:01 p1");
	expect_ok("fdb show br0 vlan 7");
	ck_assert_msg(strstr(said, "\"vlan\":7,\"mac\":\"02:00:00:00:00:01\",\"port\":\"p1\",\"kind\":\"static\""),
		"%s", said);
	ck_assert_msg(!strstr(said, "\"vlan\":0"), "%s", said);
	expect_ok("fdb flush");
	ck_assert_msg(strstr(said, "\"flushed\":0"), "%s", said);
	expect_refused("fdb flush br9", "there is no bridge br9");
	expect_refused("fdb flush port p9", "there is no port p9");
	expect_ok("fdb del br0 02:00:00:00:00:01 vlan 7");
	expect_refused("fdb del br0 02:00:00:00:00:01 vlan 7", "no such address");
}
END_TEST

/* The form that others rely on. */
START_TEST(stats_have_their_form_and_whole_counters)
{
	struct json_object *reply, *result, *ports, *p1;

	expect_ok("bridge add br0");
	expect_ok("port add br0 p1");
	result = result_of("stats", &reply);
	ports = get(result, "ports");
	ck_assert_int_eq(json_object_get_type(ports), json_type_array);
	p1 = json_object_array_get_idx(ports, 0);
	ck_assert_str_eq(json_object_get_string(get(p1, "name")), "p1");
	ck_assert(json_object_get_uint64(get(p1, "rx_frames")) == 1);
	ck_assert(json_object_get_uint64(get(p1, "rx_bytes")) == UINT64_MAX);
	ck_assert(json_object_get_uint64(get(p1, "tx_frames")) == 3);
	ck_assert(json_object_get_uint64(get(p1, "tx_bytes")) == 4);
	ck_assert(json_object_get_uint64(get(result, "fast_path_frames")) == 990);
	ck_assert(json_object_get_uint64(get(result, "slow_path_frames")) == 10);
	ck_assert(json_object_get_uint64(get(get(result, "dropped"), "runt")) == 5);
	ck_assert_ptr_nonnull(strstr(said, "\"rx_bytes\":18446744073709551615"));
	json_object_put(reply);
}
END_TEST

START_TEST(the_busiest_flows_are_shown_first)
{
	struct json_object *reply, *result = result_of("cache show limit 3", &reply), *flows = get(result, "flows");

	ck_assert_uint_eq(json_object_array_length(flows), 3);
	for (size_t i = 0; i < 3; i++)
		ck_assert(json_object_get_uint64(get(json_object_array_get_idx(flows, i), "packets")) == 49 - i);
	ck_assert(json_object_get_uint64(get(result, "total")) == 50);
	json_object_put(reply);
}
END_TEST

START_TEST(a_trace_takes_a_frame_or_a_key)
{
	expect_ok("bridge add br0");
	expect_ok("port add br0 p1");
	expect_ok("trace br0 in_port=p1 02:00:00:00:00:01 0200 0000 0002 88b5");
	ck_assert_msg(strstr(said, "\"answer\":\"14 bytes in ifindex 1001\""), "%s", said);
	ck_assert_msg(strstr(said, "\"frame\":\"02000000000102000000000288b5\""), "%s", said);
	expect_ok("trace br0 in_port=p1,eth_src=02:00:00:00:00:01,eth_dst=02:00:00:00:00:02,eth_type=0x0806");
	ck_assert_msg(strstr(said, "\"crafted\":true"), "%s", said);
	expect_usage("trace br0 in_port=p9 0200", "there is no such port");
	expect_usage("trace br0 in_port=p1 02000", "pairs of hex digits");
	expect_usage("trace br0 in_port=p1 0x00", "pairs of hex digits");
	expect_usage("trace br0 in_port=p1 ''", "14 bytes at least");
	expect_ok("trace br0 in_port=1,eth_type=0x0806"); /* its OpenFlow number */
	ck_assert_msg(strstr(said, "in ifindex 1001"), "%s", said);
	expect_usage("trace br0 0200 0000", "where it comes in");
	expect_usage("trace br0 eth_dst=02:00:00:00:00:02", "in_port=PORT");
	expect_usage("trace br0 nonsense", "nonsense");
}
END_TEST

START_TEST(lines_that_are_no_requests_are_usage)
{
	expect_usage("", "too soon");
	expect_usage("# nothing", "too soon");
	expect_usage("bridge add \"br0", "quote");
	ask_bytes("\x1b[2J", 4);
	ck_assert_msg(strstr(said, "\"kind\":\"usage\"") && !strchr(said, 0x1b), "%s", said);
	ask_bytes("a\0b", 3);
	ck_assert_msg(strstr(said, "\"kind\":\"usage\""), "%s", said);
	expect_refused("flow add br0 x", "not there yet");
	expect_refused("watch", "switchctl does that by itself");
}
END_TEST

START_TEST(every_command_ends_its_reply)
{
	static const char *const lines[] = {"log", "log 3", "bridge show", "port show", "fdb show", "cache show",
		"cache flush", "stats", "drops", "config show", "control show", "controller show", "openflow show",
		"show xdp", "version"};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		expect_ok(lines[i]);
}
END_TEST

START_TEST(stopping_takes_no_more_requests)
{
	expect_ok("daemon stop --flush");
	ck_assert(d.stopping && d.flush);
	expect_refused("bridge add br0", "stopping");
}
END_TEST

/* ---- OpenFlow ---- */

static int call(uint16_t port)
{
	const struct sockaddr_in in = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(connect(fd, (const struct sockaddr *)&in, sizeof(in)), 0);
	return fd;
}

static void nothing_was_said(void *ctx)
{
	char byte;

	usleep(10000);
	ck_assert_int_lt(recv(*(int *)ctx, &byte, 1, MSG_DONTWAIT | MSG_PEEK), 0);
}

#define expect_said(text) ck_assert_msg(strstr(said, text), "%s", said)

START_TEST(a_bridge_has_a_datapath_id_that_stays_and_that_can_be_set)
{
	uint64_t first = openflow_default_id(d.of, "br0");
	char wanted[64];

	expect_ok("bridge add br0");
	snprintf(wanted, sizeof(wanted), "\"datapath_id\":\"%016llx\"", (unsigned long long)first);
	expect_ok("openflow show br0");
	expect_said(wanted);
	expect_said("\"fail_mode\":\"standalone\"");
	ck_assert(first >> 48 == 0 && (first >> 40 & 3) == 2);
	ck_assert(first != openflow_default_id(d.of, "br1"));
	expect_no_statement("bridge set br0");
	expect_ok("bridge set br0 datapath-id 0000000000000001 fail-mode secure");
	expect_ok("openflow show");
	expect_said("\"datapath_id\":\"0000000000000001\",\"fail_mode\":\"secure\"");
	ck_assert_int_eq(fake_sessions.fail_mode, FAIL_SECURE);
	expect_statement("bridge set br0 datapath-id 0000000000000001 fail-mode secure");
	expect_refused("bridge set br9 fail-mode secure", "there is no bridge br9");
	expect_refused("openflow show br9", "there is no bridge br9");
	/* A file that names none gives the default back. */
	write_conf("bridge add br0\n");
	expect_ok("config load");
	expect_ok("openflow show");
	expect_said(wanted);
	ck_assert_int_eq(fake_sessions.fail_mode, FAIL_STANDALONE);
}
END_TEST

START_TEST(another_run_directory_has_another_datapath_id)
{
	struct openflow *same = openflow_create(loop_reactor(d.loop), d.vs, dir);
	struct openflow *another = openflow_create(loop_reactor(d.loop), d.vs, "/run/another");

	ck_assert(openflow_default_id(d.of, "br0") == openflow_default_id(same, "br0"));
	ck_assert(openflow_default_id(d.of, "br0") != openflow_default_id(another, "br0"));
	openflow_destroy(same);
	openflow_destroy(another);
}
END_TEST

START_TEST(ports_have_numbers_as_asked_or_the_next)
{
	expect_ok("bridge add br0");
	expect_ok("bridge add br1");
	expect_ok("port add br0 p1");
	expect_ok("port add br0 p2 of-port 40");
	expect_ok("port add br0 p3");
	expect_ok("port add br1 p4");
	expect_ok("port del br0 p3");
	expect_ok("port add br0 p6");
	expect_refused("port add br0 p5 of-port 40", "port 'p2'");
	expect_ok("openflow show br0");
	expect_said("{\"number\":1,\"name\":\"p1\"");
	expect_said("{\"number\":40,\"name\":\"p2\"");
	expect_said("{\"number\":42,\"name\":\"p6\"");
	expect_ok("port add br0 p7 of-port 5");
	expect_ok("openflow show br0");
	expect_said("\"ports\":[{\"number\":1,\"name\":\"p1\",\"state\":\"up\",\"config\":[]},"
		    "{\"number\":5,\"name\":\"p7\"");
	expect_statement("port add br0 p2 of-port 40");
	expect_statement("port add br1 p4 of-port 1");
	expect_ok("port show p2");
	expect_said("\"of_port\":40");
}
END_TEST

START_TEST(controllers_are_added_shown_and_removed)
{
	expect_refused("controller add br0 tcp:127.0.0.1:1", "there is no bridge br0");
	expect_ok("bridge add br0");
	expect_ok("bridge add br1");
	expect_ok("controller add br0 tcp:127.0.0.1:1 burst 5");
	expect_refused("controller add br0 tcp:127.0.0.1:1", "already");
	expect_ok("controller add br1 tcp:127.0.0.1:1");
	expect_usage("controller add br0 tls:127.0.0.1:2", "cert FILE");
	expect_usage("controller add br0 tls:127.0.0.1:2 cert a key /b ca /c", "absolute");
	expect_refused("controller add br0 tls:127.0.0.1:2 cert /no/a key /no/b ca /no/c", "/no/a");
	expect_ok("controller show br0");
	expect_said("{\"bridge\":\"br0\",\"address\":\"tcp:127.0.0.1:1\",\"state\":\"");
	ck_assert_ptr_null(strstr(said, "br1"));
	expect_ok("controller show");
	expect_said("br1");
	expect_refused("controller show br9", "there is no bridge br9");
	expect_statement("controller add br0 tcp:127.0.0.1:1 burst 5");
	expect_ok("controller del br0 tcp:127.0.0.1:1");
	expect_refused("controller del br0 tcp:127.0.0.1:1", "has no controller");
	expect_no_statement("controller add br0 tcp:127.0.0.1:1 burst 5");
	/* It goes with its bridge. */
	expect_ok("bridge del br1");
	expect_ok("controller show");
	expect_said("\"controllers\":[]");
}
END_TEST

START_TEST(listeners_are_opened_shown_and_closed)
{
	expect_ok("bridge add br0");
	expect_ok("openflow listen br0 tcp:127.0.0.1:56634");
	expect_refused("openflow listen br0 tcp:127.0.0.1:56634", "already");
	expect_refused("openflow listen br0 tcp:localhost:56635", "no IP address");
	expect_ok("openflow show");
	expect_said("\"listeners\":[{\"bridge\":\"br0\",\"address\":\"tcp:127.0.0.1:56634\",\"state\":\"listening\"");
	expect_statement("openflow listen br0 tcp:127.0.0.1:56634");
	expect_ok("openflow close br0 tcp:127.0.0.1:56634");
	expect_refused("openflow close br0 tcp:127.0.0.1:56634", "does not listen");
	expect_refused("openflow close br9 tcp:127.0.0.1:56634", "no bridge br9");
}
END_TEST

START_TEST(metrics_are_told_where_they_were_asked_for)
{
	expect_ok("metrics show");
	expect_said("\"listeners\":[]");
	expect_ok("metrics listen tcp:127.0.0.1:56636");
	expect_refused("metrics listen tcp:127.0.0.1:56636", "already");
	expect_refused("metrics listen tcp:0.0.0.0:56637", "over TLS alone");
	expect_usage("metrics listen tcp:127.0.0.1:56637 cert /a", "bare TCP");
	expect_usage("metrics listen tls:127.0.0.1:56637 cert /a key /b", "ca FILE");
	expect_refused("metrics listen tls:127.0.0.1:56637 cert a key /b ca /c", "absolute");
	expect_refused("metrics listen tls:127.0.0.1:56637 cert /no/a key /no/b ca /no/c", "/no/a");
	expect_ok("metrics show");
	expect_said(
		"{\"listeners\":[{\"address\":\"tcp:127.0.0.1:56636\",\"certificate_ends\":\"\"}],\"connections\":0,"
		"\"answers\":0}");
	expect_statement("metrics listen tcp:127.0.0.1:56636");
	expect_ok("metrics close tcp:127.0.0.1:56636");
	expect_refused("metrics close tcp:127.0.0.1:56636", "metrics are not at");
	expect_no_statement("metrics listen tcp:127.0.0.1:56636");
	write_conf("metrics listen tcp:0.0.0.0:56636\n");
	expect_refused("config load", "over TLS alone");
	expect_statement("metrics listen tcp:0.0.0.0:56636\",\"state\":\"failed");
	expect_ok("metrics close tcp:0.0.0.0:56636");
	expect_no_statement("metrics listen tcp:0.0.0.0:56636");
}
END_TEST

START_TEST(a_channel_that_failed_stays_in_the_configuration)
{
	write_conf("bridge add br0\ncontroller add br0 tls:127.0.0.1:2 cert /no/a key /no/b ca /no/c\n");
	expect_refused("config load", "/no/a");
	expect_statement("controller add br0 tls:127.0.0.1:2 cert /no/a key /no/b ca /no/c\",\"state\":\"failed");
	expect_ok("controller del br0 tls:127.0.0.1:2");
	expect_no_statement("controller add br0 tls:127.0.0.1:2 cert /no/a key /no/b ca /no/c");
	expect_refused("config load", "/no/a");
	expect_ok("bridge del br0");
	expect_no_statement("controller add br0 tls:127.0.0.1:2 cert /no/a key /no/b ca /no/c");
}
END_TEST

START_TEST(a_reload_leaves_a_connection_alone_that_did_not_change)
{
	static const char text[] = "bridge add br0\n"
				   "openflow listen br0 tcp:127.0.0.1:56634\n"
				   "controller add br0 tcp:127.0.0.1:56634\n";
	struct complaint c;

	write_conf(text);
	ck_assert_msg(!daemon_restore(&d, &c), "%s", c.text);
	/* The bridge calls itself, which makes two sessions. */
	for (int i = 0; i < 200 && fake_sessions.n_alive < 2; i++)
		expect_ok("config load");
	ck_assert_uint_eq(fake_sessions.n_alive, 2);
	expect_ok("openflow show");
	expect_said("\"peer\":\"tcp:127.0.0.1:56634\"");
	expect_ok("bridge set br0 ageing 5");
	expect_ok("config load");
	expect_said("\"steps\":1");
	ck_assert_uint_eq(fake_sessions.n_created, 2);
	ck_assert_uint_eq(fake_sessions.n_controllers, 1);
}
END_TEST

/* C3: what a session has to say is written only when the maps have been settled after it was said. */
START_TEST(sessions_speak_after_the_maps_are_settled)
{
	char text[FAKE_MESSAGE + 1] = "hello-----------", got[FAKE_MESSAGE + 1] = "";
	int fd = -1;

	expect_ok("bridge add br0");
	expect_ok("openflow listen br0 tcp:127.0.0.1:56634");
	write_conf("bridge add br0\n");
	fd = call(56634);
	ck_assert_int_eq(write(fd, text, FAKE_MESSAGE), FAKE_MESSAGE);
	while (fake_sessions.n_taken < FAKE_MESSAGE)
		expect_ok("config load merge");
	usleep(10000);
	ck_assert_int_lt(recv(fd, got, sizeof(got), MSG_DONTWAIT), 0);
	fake_vswitch_at_settle(d.vs, nothing_was_said, &fd);
	daemon_turn_ended(&d);
	ck_assert_int_eq(recv(fd, got, FAKE_MESSAGE, MSG_WAITALL), FAKE_MESSAGE);
	ck_assert_str_eq(got, text);
	close(fd);
}
END_TEST

/* ---- configuration ---- */

static const char base[] = "bridge add br0\n"
			   "port add br0 p1 vlan access 10\n"
			   "port add br0 p2\n"
			   "port add br0 p3\n"
			   "fdb add br0 02:00:00:00:00:07 p1 vlan 10\n";

START_TEST(a_reload_changes_only_what_differs)
{
	struct complaint c;

	write_conf(base);
	ck_assert_msg(!daemon_restore(&d, &c), "%s", c.text);
	expect_calls("+br0 +br0/p1 +br0/p2 +br0/p3 +07 restored");
	fake_vswitch_forget(d.vs);
	write_conf("bridge add br0\n"
		   "bridge add br1\n"
		   "port add br0 p1 vlan access 11\n"
		   "port add br0 p2\n"
		   "fdb add br0 02:00:00:00:00:07 p1 vlan 10\n");
	expect_ok("config load");
	expect_calls("-/p3 +br1 ~/p1:1");
	fake_vswitch_forget(d.vs);
	expect_ok("config load");
	expect_calls("");
}
END_TEST

START_TEST(a_merge_removes_nothing)
{
	struct complaint c;

	write_conf(base);
	ck_assert_msg(!daemon_restore(&d, &c), "%s", c.text);
	fake_vswitch_forget(d.vs);
	write_conf("bridge add br0\nport add br0 p9\n");
	expect_ok("config load merge");
	expect_calls("+br0/p9");
}
END_TEST

START_TEST(a_wrong_file_changes_nothing)
{
	struct complaint c;

	write_conf(base);
	ck_assert_msg(!daemon_restore(&d, &c), "%s", c.text);
	fake_vswitch_forget(d.vs);
	write_conf("bridge add br1\nport add br1 p9\nprot add br1 p8\n");
	expect_refused("config load", "conf:3:1: unknown word \\\"prot\\\"");
	daemon_reload(&d);
	expect_calls("");
}
END_TEST

START_TEST(a_failed_statement_stays_in_the_configuration)
{
	struct complaint c;

	write_conf(base);
	fake_vswitch_refuse(d.vs, "p1");
	ck_assert_msg(!daemon_restore(&d, &c), "%s", c.text);
	expect_statement("port add br0 p1 vlan access 10\",\"state\":\"failed\",\"reason\":\"p1: the test refuses it");
	/* What stands on it failed too, and stays too. */
	expect_statement("fdb add br0 02:00:00:00:00:07 p1 vlan 10\",\"state\":\"failed");
	expect_statement("port add br0 p2 of-port 1\",\"state\":\"ok");
	expect_ok("config save");
	fake_vswitch_refuse(d.vs, NULL);
	expect_ok("config load");
	expect_statement("port add br0 p1 vlan access 10 of-port 3\",\"state\":\"ok");
	expect_statement("fdb add br0 02:00:00:00:00:07 p1 vlan 10\",\"state\":\"ok");
}
END_TEST

START_TEST(a_failed_statement_can_be_made_or_dropped_by_hand)
{
	struct complaint c;

	write_conf(base);
	fake_vswitch_refuse(d.vs, "p1");
	ck_assert_msg(!daemon_restore(&d, &c), "%s", c.text);
	fake_vswitch_refuse(d.vs, NULL);
	expect_ok("port add br0 p1 vlan access 9");
	expect_statement("port add br0 p1 vlan access 9 of-port 3\",\"state\":\"ok");
	expect_no_statement("port add br0 p1 vlan access 10");
	expect_statement("fdb add br0 02:00:00:00:00:07 p1 vlan 10");
	fake_vswitch_refuse(d.vs, "p4");
	write_conf("bridge add br0\nport add br0 p4\n");
	expect_refused("config load", "1 of ");
	expect_statement("port add br0 p4");
	expect_ok("port del br0 p4");
	expect_no_statement("port add br0 p4");
	expect_refused("port del br0 p4", "no port p4");
}
END_TEST

/* What would be saved must be what can be loaded. */
START_TEST(what_failed_goes_with_the_port_that_it_names)
{
	const char *mirror = _i & 2 ? "mirror add br0 one from p1 to p3" : "mirror add br0 one from p2 to p1";
	char text[512], failed[64];
	struct complaint c;

	snprintf(text, sizeof(text),
		"bridge add br0\nbridge add br1\nport add br0 p1\nport add br0 p2\nport add br0 p3\nport add br0 p4\n"
		"fdb add br0 02:00:00:00:00:07 p1\n%s\nmirror add br0 other from p4 to p3\n",
		mirror);
	snprintf(failed, sizeof(failed), "%s\",\"state\":\"failed", mirror);
	write_conf(text);
	fake_vswitch_refuse(d.vs, "p1");
	ck_assert_msg(!daemon_restore(&d, &c), "%s", c.text);
	expect_statement(failed);
	expect_statement("fdb add br0 02:00:00:00:00:07 p1\",\"state\":\"failed");
	if (_i & 1) { /* it is wanted elsewhere */
		fake_vswitch_refuse(d.vs, NULL);
		expect_ok("port add br1 p1");
	} else {
		expect_ok("port del br0 p1");
	}
	expect_no_statement(mirror);
	expect_no_statement("fdb add br0 02:00:00:00:00:07 p1");
	expect_ok("config save");
	expect_ok("config load");
}
END_TEST

START_TEST(what_failed_stays_while_its_port_is_made_by_hand)
{
	struct complaint c;

	write_conf("bridge add br0\nport add br0 p1\nport add br0 p2\nmirror add br0 one from p1 to p2\n");
	fake_vswitch_refuse(d.vs, "p1");
	ck_assert_msg(!daemon_restore(&d, &c), "%s", c.text);
	fake_vswitch_refuse(d.vs, NULL);
	expect_ok("port add br0 p1");
	expect_statement("mirror add br0 one from p1 to p2\",\"state\":\"failed");
	expect_ok("config save");
	expect_ok("config load");
}
END_TEST

START_TEST(a_load_that_fails_in_part_says_so)
{
	write_conf(base);
	fake_vswitch_refuse(d.vs, "p2");
	expect_refused("config load", "1 of 5 changes failed");
	ck_assert_msg(strstr(said, "p2: the test refuses it"), "%s", said);
	expect_statement("port add br0 p3 of-port 2\",\"state\":\"ok");
}
END_TEST

/* Three in a ring, and one that is new and wants a number that becomes free. */
START_TEST(a_load_exchanges_numbers_in_any_order)
{
	write_conf("bridge add br0\nport add br0 p1 of-port 1\nport add br0 p2 of-port 2\nport add br0 p3 of-port 3\n"
		   "port add br0 p4 of-port 4\n");
	expect_ok("config load");
	write_conf("bridge add br0\nport add br0 p5 of-port 4\nport add br0 p1 of-port 2\nport add br0 p2 of-port 3\n"
		   "port add br0 p3 of-port 1\nport add br0 p4 of-port 9\n");
	expect_ok("config load");
	expect_ok("openflow show br0");
	expect_said("[{\"number\":1,\"name\":\"p3\"");
	expect_said("{\"number\":2,\"name\":\"p1\"");
	expect_said("{\"number\":3,\"name\":\"p2\"");
	expect_said("{\"number\":4,\"name\":\"p5\"");
	expect_said("{\"number\":9,\"name\":\"p4\"");
	write_conf("bridge add br0\nport add br0 p1 of-port 3\n");
	expect_refused("config load merge", "of-port 3 of bridge 'br0' is port 'p2'");
}
END_TEST

START_TEST(saving_and_loading_loses_nothing)
{
	static char first[sizeof(said)];

	expect_ok("bridge add br0");
	expect_ok("bridge set br0 ageing 7");
	expect_ok("port add br0 p1 vlan trunk 1-5,7 native 3 tagged mode generic upcall-limit 9 burst 8 force");
	expect_ok("port add br0 c3 type veth peer eth0 netns \"b l\"");
	expect_ok("fdb add br0 02:00:00:00:00:01 p1 vlan 3");
	expect_ok("bridge set br0 fail-mode secure datapath-id 00000000000000ff");
	expect_ok("controller add br0 tcp:127.0.0.1:1 rate-limit 5 burst 6 max-backoff 7 inactivity-probe 0");
	expect_ok("openflow listen br0 tcp:127.0.0.1:56634");
	expect_ok("config show");
	memcpy(first, said, sizeof(first));
	expect_ok("config save");
	expect_ok("bridge del br0");
	expect_ok("config load");
	expect_ok("config show");
	ck_assert_str_eq(said, first);
}
END_TEST

START_TEST(relative_paths_are_refused)
{
	expect_refused("config save here.conf", "absolute");
	expect_refused("config load here.conf", "absolute");
	expect_refused("control listen tls:127.0.0.1:1 cert a key b ca c", "absolute");
	expect_refused("control listen tls:127.0.0.1:1 cert /no/a key /no/b ca /no/c", "/no/a");
	expect_refused("control close tls:127.0.0.1:1", "does not listen");
}
END_TEST

START_TEST(nothing_is_configured_while_a_load_is_under_way)
{
	const struct reply_sink sink = {0};

	write_conf(base);
	daemon_load(&d, d.paths.conf, false, reply_create(&sink));
	expect_refused("bridge add br9", "being loaded");
	expect_refused("config load", "being loaded");
	expect_ok("stats");
}
END_TEST

/* ---- starts ---- */

static void restart(bool adopted)
{
	daemon_turn_ended(&d);
	end();
	begin();
	if (adopted)
		fake_vswitch_adopt(d.vs);
}

START_TEST(a_restart_goes_on_with_what_was_done_by_hand)
{
	struct complaint c;

	write_conf(base);
	ck_assert_msg(!daemon_restore(&d, &c), "%s", c.text);
	expect_ok("port add br0 p9 type tap");
	expect_ok("port del br0 p3");
	restart(true);
	ck_assert_msg(!daemon_restore(&d, &c), "%s", c.text);
	expect_statement("port add br0 p9 type tap of-port 4");
	expect_no_statement("port add br0 p3 of-port 3");
}
END_TEST

/* Of a load that merged, say: one of them never ran, and is to cost no more than itself. */
START_TEST(a_restart_goes_on_though_two_mirrors_do_not_go_together)
{
	struct complaint c;
	FILE *out;

	write_conf(base);
	ck_assert_msg(!daemon_restore(&d, &c), "%s", c.text);
	expect_ok("port add br0 p9 type tap");
	restart(true);
	out = fopen(d.paths.running, "a");
	fputs("mirror add br0 m from p1 to p2\nmirror add br0 n from p1 to p9\n", out);
	fclose(out);
	ck_assert_msg(!daemon_restore(&d, &c), "%s", c.text);
	expect_statement("port add br0 p9 type tap of-port 4");
}
END_TEST

START_TEST(an_edited_file_wins_over_what_was_done_by_hand)
{
	struct complaint c;

	write_conf(base);
	ck_assert_msg(!daemon_restore(&d, &c), "%s", c.text);
	expect_ok("port add br0 p9 type tap");
	restart(true);
	write_conf("bridge add br0\nport add br0 p1\n");
	ck_assert_msg(!daemon_restore(&d, &c), "%s", c.text);
	expect_no_statement("port add br0 p9 type tap of-port 4");
	expect_statement("port add br0 p1 of-port 1");
}
END_TEST

START_TEST(a_start_without_pinned_state_takes_the_file)
{
	struct complaint c;

	write_conf(base);
	ck_assert_msg(!daemon_restore(&d, &c), "%s", c.text);
	expect_ok("port add br0 p9 type tap");
	restart(false);
	ck_assert_msg(!daemon_restore(&d, &c), "%s", c.text);
	expect_no_statement("port add br0 p9 type tap of-port 4");
	expect_statement("port add br0 p3 of-port 3");
}
END_TEST

START_TEST(a_missing_file_is_an_error_only_if_it_was_named)
{
	struct complaint c;

	d.conf_given = true;
	ck_assert_int_lt(daemon_restore(&d, &c), 0);
	d.conf_given = false;
	ck_assert_msg(!daemon_restore(&d, &c), "%s", c.text);
}
END_TEST

START_TEST(the_turn_settles_before_it_speaks)
{
	unsigned before = fake_vswitch_settled(d.vs);

	daemon_turn_ended(&d);
	ck_assert_uint_eq(fake_vswitch_settled(d.vs), before + 1);
}
END_TEST

START_TEST(each_run_directory_has_its_own_bpffs_directory)
{
	char a[300], b[300], longest[400];

	ck_assert_int_eq(daemon_bpffs_dir("/run/switchd", a, sizeof(a)), 0);
	ck_assert_str_eq(a, "/sys/fs/bpf/switchd/-run-switchd");
	ck_assert_int_eq(daemon_bpffs_dir("/tmp/a.b-c", a, sizeof(a)), 0);
	ck_assert_str_eq(a, "/sys/fs/bpf/switchd/-tmp-a%2Eb%2Dc");
	ck_assert_int_eq(daemon_bpffs_dir("/tmp/a-b", a, sizeof(a)), 0);
	ck_assert_int_eq(daemon_bpffs_dir("/tmp/a/b", b, sizeof(b)), 0);
	ck_assert_str_ne(a, b);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	ck_assert_int_lt(daemon_bpffs_dir(longest, a, sizeof(a)), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("daemon");
	TCase *tcase = tcase_create("daemon");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, bridges_are_made_changed_and_removed);
	tcase_add_test(tcase, ports_are_made_changed_and_removed);
	tcase_add_test(tcase, addresses_are_added_shown_and_removed);
	tcase_add_test(tcase, stats_have_their_form_and_whole_counters);
	tcase_add_test(tcase, the_busiest_flows_are_shown_first);
	tcase_add_test(tcase, a_trace_takes_a_frame_or_a_key);
	tcase_add_test(tcase, lines_that_are_no_requests_are_usage);
	tcase_add_test(tcase, every_command_ends_its_reply);
	tcase_add_test(tcase, a_bridge_has_a_datapath_id_that_stays_and_that_can_be_set);
	tcase_add_test(tcase, another_run_directory_has_another_datapath_id);
	tcase_add_test(tcase, ports_have_numbers_as_asked_or_the_next);
	tcase_add_test(tcase, controllers_are_added_shown_and_removed);
	tcase_add_test(tcase, listeners_are_opened_shown_and_closed);
	tcase_add_test(tcase, metrics_are_told_where_they_were_asked_for);
	tcase_add_test(tcase, a_channel_that_failed_stays_in_the_configuration);
	tcase_add_test(tcase, a_reload_leaves_a_connection_alone_that_did_not_change);
	tcase_add_test(tcase, sessions_speak_after_the_maps_are_settled);
	tcase_add_test(tcase, stopping_takes_no_more_requests);
	tcase_add_test(tcase, a_reload_changes_only_what_differs);
	tcase_add_test(tcase, a_merge_removes_nothing);
	tcase_add_test(tcase, a_wrong_file_changes_nothing);
	tcase_add_test(tcase, a_failed_statement_stays_in_the_configuration);
	tcase_add_test(tcase, a_failed_statement_can_be_made_or_dropped_by_hand);
	tcase_add_loop_test(tcase, what_failed_goes_with_the_port_that_it_names, 0, 4);
	tcase_add_test(tcase, what_failed_stays_while_its_port_is_made_by_hand);
	tcase_add_test(tcase, a_load_that_fails_in_part_says_so);
	tcase_add_test(tcase, a_load_exchanges_numbers_in_any_order);
	tcase_add_test(tcase, saving_and_loading_loses_nothing);
	tcase_add_test(tcase, relative_paths_are_refused);
	tcase_add_test(tcase, nothing_is_configured_while_a_load_is_under_way);
	tcase_add_test(tcase, a_restart_goes_on_with_what_was_done_by_hand);
	tcase_add_test(tcase, a_restart_goes_on_though_two_mirrors_do_not_go_together);
	tcase_add_test(tcase, an_edited_file_wins_over_what_was_done_by_hand);
	tcase_add_test(tcase, a_start_without_pinned_state_takes_the_file);
	tcase_add_test(tcase, a_missing_file_is_an_error_only_if_it_was_named);
	tcase_add_test(tcase, the_turn_settles_before_it_speaks);
	tcase_add_test(tcase, each_run_directory_has_its_own_bpffs_directory);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
