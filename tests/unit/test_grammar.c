/* SPDX-License-Identifier: BSD-2-Clause */
/* grammar.h: what every command accepts, and what it says of what it refuses. */
#include "ctl/grammar.h"

#include "ctl/statement.h"
#include "ctl/words.h"
#include "dataplane/complaint.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct words words;

static int parse(const char *line, struct request *ret, struct grammar_problem *problem)
{
	struct complaint c;
	unsigned column;

	ck_assert_msg(!words_split(line, strlen(line), &words, &column, &c), "%s: %s", line, c.text);
	return grammar_parse(&words, ret, problem);
}

/* At least one for each command. */
static const struct good {
	enum command_id id;
	const char *line;
} goods[] = {
	{CMD_BRIDGE_ADD, "bridge add br0"},
	{CMD_BRIDGE_ADD, "bridge add Br_0.x-15charsX"},
	{CMD_BRIDGE_DEL, "bridge del br0"},
	{CMD_BRIDGE_SET, "bridge set br0 ageing 300"},
	{CMD_BRIDGE_SET, "bridge set br0 mac-limit 1 ageing 0 forward-reserved on"},
	{CMD_BRIDGE_SHOW, "bridge show"},
	{CMD_BRIDGE_SHOW, "bridge show br0"},
	{CMD_PORT_ADD, "port add br0 p1"},
	{CMD_PORT_ADD, "port add br0 vm2 type tap"},
	{CMD_PORT_ADD, "port add br0 vm2 queues 256 type tap"},
	{CMD_PORT_ADD, "port add br0 c3 type veth peer eth0 netns blue"},
	{CMD_PORT_ADD, "port add br0 host0 type internal"},
	{CMD_PORT_ADD, "port add br0 p1 vlan trunk 10,20,30 native 1 force mode generic"},
	{CMD_PORT_ADD, "port add br0 p1 force vlan access 7 upcall-limit 0 burst 5"},
	{CMD_PORT_DEL, "port del br0 p1"},
	{CMD_PORT_SET, "port set br0 p1 vlan access 10"},
	{CMD_PORT_SET, "port set br0 p1 vlan trunk 10,20,30 native 1"},
	{CMD_PORT_SET, "port set br0 p1 vlan trunk 10-20 native 5 tagged mode auto"},
	{CMD_PORT_SET, "port set br0 p1 vlan trunk all"},
	{CMD_PORT_SET, "port set br0 p1 vlan open"},
	{CMD_PORT_SET, "port set br0 p1 mode native upcall-limit 1000"},
	{CMD_PORT_SET, "port set br0 p1 hook tc"},
	{CMD_PORT_SET, "port set br0 p1 cpus 0,2-3"},
	{CMD_PORT_SET, "port set br0 p1 cpus none mode auto"},
	{CMD_PORT_ADD, "port add br0 p1 cpus 0-63 force"},
	{CMD_PORT_SHOW, "port show"},
	{CMD_PORT_SHOW, "port show br0"},
	{CMD_PORT_SHOW, "port show br0 p1"},
	{CMD_FDB_ADD, "fdb add br0 02:00:00:00:00:01 p1"},
	{CMD_FDB_ADD, "fdb add br0 02:00:00:00:00:01 p1 vlan 10"},
	{CMD_FDB_DEL, "fdb del br0 02:00:00:00:00:01 vlan 10"},
	{CMD_FDB_FLUSH, "fdb flush"},
	{CMD_FDB_FLUSH, "fdb flush br0"},
	{CMD_FDB_FLUSH, "fdb flush port p1"},
	{CMD_FDB_FLUSH, "fdb flush br0 vlan 10 port p1"},
	{CMD_FDB_SHOW, "fdb show"},
	{CMD_FDB_SHOW, "fdb show br0 vlan 0"},
	{CMD_MIRROR_ADD, "mirror add br0 m from p1 to p2"},
	{CMD_MIRROR_ADD, "mirror add br0 m sample 100 to p3 from p1,p2"},
	{CMD_MIRROR_ADD, "mirror add br0 m out-of p1,p2 vlan 10,20-29 to p3"},
	{CMD_MIRROR_DEL, "mirror del br0 m"},
	{CMD_MIRROR_SHOW, "mirror show"},
	{CMD_MIRROR_SHOW, "mirror show br0"},
	{CMD_MIRROR_SHOW, "mirror show br0 m"},
	{CMD_CACHE_SHOW, "cache show"},
	{CMD_CACHE_SHOW, "cache show limit 20"},
	{CMD_CACHE_FLUSH, "cache flush"},
	{CMD_STATS, "stats"},
	{CMD_STATS, "stats --once"},
	{CMD_DROPS, "drops"},
	{CMD_TRACE, "trace br0 in_port=p1,eth_dst=02:00:00:00:00:01"},
	{CMD_TRACE, "trace br0 in_port=p1 0200 0000 0001"},
	{CMD_WATCH, "watch --count 3 interval 1"},
	{CMD_CONFIG_SHOW, "config show"},
	{CMD_CONFIG_SAVE, "config save"},
	{CMD_CONFIG_SAVE, "config save /etc/a.conf"},
	{CMD_CONFIG_LOAD, "config load"},
	{CMD_CONFIG_LOAD, "config load /etc/a.conf merge"},
	{CMD_CONFIG_LOAD, "config load merge"},
	{CMD_CONTROL_LISTEN, "control listen tls:127.0.0.1:6640 cert a key b ca c"},
	{CMD_CONTROL_LISTEN, "control listen tls:[::1]:1 ca c key b cert a"},
	{CMD_CONTROL_CLOSE, "control close tls:localhost:6640"},
	{CMD_CONTROL_SHOW, "control show"},
	{CMD_BRIDGE_SET, "bridge set br0 datapath-id 0000000000000001"},
	{CMD_BRIDGE_SET, "bridge set br0 fail-mode secure"},
	{CMD_BRIDGE_SET, "bridge set br0 fail-mode standalone datapath-id 00AbCdEf01234567"},
	{CMD_PORT_ADD, "port add br0 p1 of-port 1"},
	{CMD_PORT_ADD, "port add br0 p1 of-port 4294967039 force"},
	{CMD_PORT_SET, "port set br0 p1 of-port 2"},
	{CMD_CONTROLLER_ADD, "controller add br0 tcp:127.0.0.1:6653"},
	{CMD_CONTROLLER_ADD,
		"controller add br0 tcp:[::1]:6653 rate-limit 0 burst 5 max-backoff 60 inactivity-probe 0 auxiliary 4"},
	{CMD_CONTROLLER_ADD, "controller add br0 tls:a.example:6653 cert a key b ca c crl d"},
	{CMD_CONTROLLER_DEL, "controller del br0 tls:a.example:6653"},
	{CMD_CONTROLLER_SHOW, "controller show"},
	{CMD_CONTROLLER_SHOW, "controller show br0"},
	{CMD_OPENFLOW_LISTEN, "openflow listen br0 tcp:127.0.0.1:6634"},
	{CMD_OPENFLOW_LISTEN, "openflow listen br0 tls:0.0.0.0:6634 ca c key b cert a"},
	{CMD_OPENFLOW_CLOSE, "openflow close br0 tcp:127.0.0.1:6634"},
	{CMD_OPENFLOW_SHOW, "openflow show"},
	{CMD_OPENFLOW_SHOW, "openflow show br0"},
	{CMD_METRICS_LISTEN, "metrics listen tcp:127.0.0.1:9471"},
	{CMD_METRICS_LISTEN, "metrics listen tls:[::]:9471 ca c key b cert a"},
	{CMD_METRICS_CLOSE, "metrics close tcp:127.0.0.1:9471"},
	{CMD_METRICS_SHOW, "metrics show"},
	{CMD_SHOW_XDP, "show xdp"},
	{CMD_LOG, "log"},
	{CMD_LOG, "log 20"},
	{CMD_VERSION, "version"},
	{CMD_DAEMON_STOP, "daemon stop"},
	{CMD_DAEMON_STOP, "daemon stop --flush"},
	{CMD_DAEMON_STOP, "daemon stop flush"},
	{CMD_PKI_INIT, "pki init"},
	{CMD_PKI_INIT, "pki init /tmp/x san a.example,10.0.0.1 days 5"},
	{CMD_HELP, "help"},
	{CMD_HELP, "help port add"},
};

#define END ""

/* Every command's refusals: the word at fault and what was expected. */
static const struct bad {
	const char *line, *word, *expected, *says;
} bads[] = {
	{"", END, "bridge", "too soon"},
	{"brigde add br0", "brigde", "bridge", "did you mean \"bridge\"?"},
	{"zzz", "zzz", "version", "unknown word"},
	{"bridge", END, "add, del, set, show", "too soon"},
	{"bridge foo", "foo", "add, del, set, show", "unknown word"},
	{"bridge add", END, "BRIDGE", "too soon"},
	{"bridge add br0 br1", "br1", "nothing more", "one too many"},
	{"bridge add sixteen_letters_", "sixteen_letters_", "1 to 15", "cannot be a name"},
	{"bridge add a/b", "a/b", "1 to 15", "cannot be a name"},
	{"bridge add ..", "..", "1 to 15", "cannot be a name"},
	{"port show --jsn", "--jsn", "1 to 15", "cannot be a name"},
	{"bridge add \"\"", "", "1 to 15", "cannot be a name"},
	{"bridge del", END, "BRIDGE", "too soon"},
	{"bridge set br0", END, "ageing, mac-limit, forward-reserved, datapath-id, fail-mode", "too soon"},
	{"mirror set br0 m", "set", "add, del, show",
		"unknown word \"set\"; a mirror is changed by mirror del and mirror add"},
	{"mirror add br0 m from p1, p2 to p3", "p2", "to, sample", "unknown word \"p2\"; a list is one word"},
	{"mirror add br0 m from p1 ,p2 to p3", ",p2", "to, sample", "unknown word \",p2\"; a list is one word"},
	{"mirror add br0 m from p1 to p2 sample 0", "0", "NUMBER from 1 to 1000000", "sample: \"0\" is out of range"},
	{"mirror add br0 m from p1 to p2 sample", END, "NUMBER from 1", "sample: the line ends too soon"},
	{"port set br0 p1 cpus 0, 1", "0,", "LIST",
		"cpus: \"0,\" is not a list of CPUs, as 0,2-3, or none; a list is one word"},
	{"port set br0 p1 vlan trunk 10, 20", "10,", "VID", "a list is one word"},
	{"bridge set br0 ageing 99999999999999999999", "99999999999999999999", "SECONDS from 0 to 1000000",
		"ageing: \"99999999999999999999\" is out of range"},
	{"bridge set br0 fail-mode open", "open", "secure, standalone", "fail-mode: unknown word \"open\""},
	{"bridge set br0 ageing", END, "SECONDS from 0 to 1000000", "too soon"},
	{"bridge set br0 ageing never", "never", "SECONDS from 0", "not a number"},
	{"bridge set br0 ageing -1", "-1", "SECONDS from 0", "not a number"},
	{"bridge set br0 ageing 1000001", "1000001", "SECONDS from 0", "out of range"},
	{"bridge set br0 ageing 1 ageing 2", "ageing", "mac-limit, forward-reserved", "twice"},
	{"bridge set br0 mac-limit 0", "0", "NUMBER from 1", "out of range"},
	{"bridge set br0 forward-reserved yes", "yes", "off, on", "unknown word"},
	{"bridge set br0 aging 5", "aging", "ageing", "did you mean \"ageing\"?"},
	{"bridge show br0 br1", "br1", "nothing more", "one too many"},
	{"port", END, "add, del, set, show", "too soon"},
	{"port add", END, "BRIDGE", "too soon"},
	{"port add br0", END, "PORT", "too soon"},
	{"port add br0 p1 tap", "tap", "type, peer, netns, queues, vlan, mode", "unknown word"},
	{"port add br0 p1 type tap queues 0", "0", "NUMBER from 1 to 256", "out of range"},
	{"port add br0 p1 type tap queues 257", "257", "NUMBER from 1 to 256", "out of range"},
	{"port set br0 p1 queues 2", "queues", "vlan, mode", "unknown word"},
	{"port add br0 p1 type", END, "existing, tap, veth, internal", "too soon"},
	{"port add br0 p1 type tun", "tun", "existing, tap, veth, internal", "did you mean \"tap\"?"},
	{"port add br0 p1 type veth netns a/b", "a/b", "NETNS", "cannot be"},
	{"port add br0 p1 type veth netns ..", "..", "NETNS", "cannot be"},
	{"port add br0 p1 vlan", END, "open, access, trunk", "too soon"},
	{"port add br0 p1 mode fast", "fast", "auto, native, generic, offload", "unknown word"},
	{"port add br0 p1 burst 0", "0", "FRAMES from 1", "out of range"},
	{"port add br0 p1 force force", "force", "type", "twice"},
	{"port del br0", END, "PORT", "too soon"},
	{"port set br0 p1", END, "vlan, mode, upcall-limit, burst", "too soon"},
	{"port set br0 p1 force", "force", "vlan, mode", "unknown word"},
	{"port set br0 p1 vlan 10", "10", "open, access, trunk", "unknown word"},
	{"port set br0 p1 cpus", END, "LIST (as 0,2-3, or none)", "too soon"},
	{"port set br0 p1 cpus all", "all", "LIST (as 0,2-3, or none)", "is not a list of CPUs"},
	{"port set br0 p1 cpus 0-64", "0-64", "LIST (as 0,2-3, or none)", "has 65 CPUs, and at most 64"},
	{"port set br0 p1 cpus 3-2", "3-2", "LIST", "ends before it begins"},
	{"port add br0 p1 cpus 0, mode auto", "0,", "LIST", "is not a list of CPUs"},
	{"port set br0 p1 vlan access", END, "VID from 1 to 4094", "too soon"},
	{"port set br0 p1 vlan access 0", "0", "VID from 1 to 4094", "out of range"},
	{"port set br0 p1 vlan access 4095", "4095", "VID from 1 to 4094", "out of range"},
	{"port set br0 p1 vlan access ten", "ten", "VID", "not a number"},
	{"port set br0 p1 vlan access 10 native 1", "native", "mode", "unknown word"},
	{"port set br0 p1 vlan trunk", END, "VID,VID-VID", "too soon"},
	{"port set br0 p1 vlan trunk some", "some", "VID,VID-VID", "list"},
	{"port set br0 p1 vlan trunk 10,,20", "10,,20", "VID,VID-VID", ""},
	{"port set br0 p1 vlan trunk 20-10", "20-10", "VID,VID-VID", ""},
	{"port set br0 p1 vlan trunk 4095", "4095", "VID,VID-VID", ""},
	{"port set br0 p1 vlan trunk 10 native", END, "VID from 1 to 4094", "too soon"},
	{"port set br0 p1 vlan trunk 10 native x", "x", "VID from 1 to 4094", "not a number"},
	{"port set br0 p1 vlan trunk 10 native 1 taged", "taged", "tagged", "did you mean \"tagged\"?"},
	{"port show br0 p1 p2", "p2", "nothing more", "one too many"},
	{"fdb add br0", END, "MAC", "too soon"},
	{"fdb add br0 02:00:00:00:00 p1", "02:00:00:00:00", "MAC", "not a MAC"},
	{"fdb add br0 02:00:00:00:00:0g p1", "02:00:00:00:00:0g", "MAC", "not a MAC"},
	{"fdb add br0 02:00:00:00:00:01", END, "PORT", "too soon"},
	{"fdb add br0 02:00:00:00:00:01 p1 vlan 4095", "4095", "VID from 0 to 4094", "out of range"},
	{"fdb del br0", END, "MAC", "too soon"},
	{"fdb flush br0 mac", "mac", "port, vlan", "unknown word"},
	{"fdb flush port", END, "PORT", "too soon"},
	{"fdb show br0 vlan x", "x", "VID", "not a number"},
	{"cache", END, "show, flush", "too soon"},
	{"cache show limit 0", "0", "NUMBER from 1 to 20000", "out of range"},
	{"cache flush all", "all", "nothing more", "one too many"},
	{"stats now", "now", "once", "unknown word"},
	{"drops x", "x", "nothing more", "one too many"},
	{"trace", END, "BRIDGE", "too soon"},
	{"trace br0", END, "FRAME-OR-KEY", "too soon"},
	{"watch count", END, "NUMBER from 1", "too soon"},
	{"config", END, "show, save, load", "too soon"},
	{"config show x", "x", "nothing more", "one too many"},
	{"config save a b", "b", "nothing more", "one too many"},
	{"config load a b", "b", "merge", "unknown word"},
	{"control listen", END, "tls:HOST:PORT", "too soon"},
	{"control listen 127.0.0.1:1 cert a key b ca c", "127.0.0.1:1", "tls:HOST:PORT", "tls:"},
	{"control listen tls:1.2.3.4 cert a key b ca c", "tls:1.2.3.4", "tls:HOST:PORT", "port is missing"},
	{"control listen tls:1.2.3.4:0 cert a key b ca c", "tls:1.2.3.4:0", "tls:HOST:PORT", "1 to 65535"},
	{"control listen tls:1.2.3.4:65536 cert a key b ca c", "tls:1.2.3.4:65536", "tls:", "1 to 65535"},
	{"control listen tls:::1:1 cert a key b ca c", "tls:::1:1", "tls:", "brackets"},
	{"control listen tls::1 cert a key b ca c", "tls::1", "tls:", "host is missing"},
	{"control listen tls:h:1", END, "cert, key, ca", "too soon"},
	{"control listen tls:h:1 cert a key b", END, "ca", "too soon"},
	{"control listen tls:h:1 cert a key b ca", END, "FILE", "too soon"},
	{"control close", END, "tls:HOST:PORT", "too soon"},
	{"control show x", "x", "nothing more", "one too many"},
	{"bridge set br0 datapath-id", END, "DPID (16 hex digits, or 0x and fewer)", "too soon"},
	{"bridge set br0 datapath-id 1", "1", "16 hex digits", "not a datapath id"},
	{"bridge set br0 datapath-id 000000000000000g", "000000000000000g", "16 hex digits", "not a datapath id"},
	{"bridge set br0 datapath-id 00000000000000001", "00000000000000001", "16 hex", "not a datapath id"},
	{"bridge set br0 datapath-id 0000000000000000", "0000000000000000", "16 hex", "not a datapath id"},
	{"bridge set br0 datapath-id 10", "10", "0x and fewer", "not a datapath id"},
	{"bridge set br0 datapath-id 0x", "0x", "0x and fewer", "not a datapath id"},
	{"bridge set br0 datapath-id 0x0", "0x0", "0x and fewer", "not a datapath id"},
	{"bridge set br0 datapath-id 0x00000000000000001", "0x00000000000000001", "0x", "not a datapath id"},
	{"bridge set br0 datapath-id 0x000000000000001g", "0x000000000000001g", "0x", "not a datapath id"},
	{"bridge set br0 datapath-id 00:00:00:00:00:01", "00:00:00:00:00:01", "0x", "not a datapath id"},
	{"bridge set br0 datapath-id 00:00:00:00:00:00:0:01", "00:00:00:00:00:00:0:01", "0x", "not a datapath id"},
	{"bridge set br0 datapath-id 00:00:00:00:00:00:00001", "00:00:00:00:00:00:00001", "0x", "not a datapath id"},
	{"bridge set br0 datapath-id 00:00:00:00:00:00:0x:01", "00:00:00:00:00:00:0x:01", "0x", "not a datapath id"},
	{"bridge set br0 datapath-id 0x:00:00:00:00:00:00:01", "0x:00:00:00:00:00:00:01", "0x", "not a datapath id"},
	{"bridge set br0 fail-mode", END, "secure, standalone", "too soon"},
	{"bridge set br0 fail-mode safe", "safe", "secure, standalone", "unknown word"},
	{"port add br0 p1 of-port 0", "0", "NUMBER from 1 to 4294967039", "out of range"},
	{"port add br0 p1 of-port 4294967040", "4294967040", "NUMBER from 1 to 4294967039", "out of range"},
	{"controller", END, "add, del, show", "too soon"},
	{"controller set br0 tcp:127.0.0.1:1", "set", "add, del, show", "unknown word"},
	{"controller add", END, "BRIDGE", "too soon"},
	{"controller add br0", END, "ADDRESS (tcp:HOST:PORT or tls:HOST:PORT)", "too soon"},
	{"controller add br0 127.0.0.1:6653", "127.0.0.1:6653", "ADDRESS", "tcp: or tls:"},
	{"controller add br0 udp:127.0.0.1:6653", "udp:127.0.0.1:6653", "ADDRESS", "tcp: or tls:"},
	{"controller add br0 tcp:127.0.0.1", "tcp:127.0.0.1", "ADDRESS", "port is missing"},
	{"controller add br0 tcp:127.0.0.1:0", "tcp:127.0.0.1:0", "ADDRESS", "1 to 65535"},
	{"controller add br0 tcp:::1:5", "tcp:::1:5", "ADDRESS", "brackets: tcp:[::1]"},
	{"controller add br0 tcp:h:1 rate-limit x", "x", "PACKET-INS-A-SECOND from 0", "not a number"},
	{"controller add br0 tcp:h:1 burst 0", "0", "PACKET-INS from 1", "out of range"},
	{"controller add br0 tcp:h:1 max-backoff 0", "0", "SECONDS from 1 to 3600", "out of range"},
	{"controller add br0 tcp:h:1 inactivity-probe 3601", "3601", "SECONDS from 0 to 3600", "out of range"},
	{"controller add br0 tcp:h:1 auxiliary 5", "5", "NUMBER from 0 to 4", "out of range"},
	{"controller add br0 tcp:h:1 role master", "role", "rate-limit, burst", "unknown word"},
	{"controller del br0", END, "ADDRESS", "too soon"},
	{"controller show br0 x", "x", "nothing more", "one too many"},
	{"openflow", END, "listen, close, show", "too soon"},
	{"openflow listen br0", END, "ADDRESS", "too soon"},
	{"openflow listen br0 tcp:h:1 rate-limit 5", "rate-limit", "cert, key, ca, crl", "unknown word"},
	{"openflow close br0 x", "x", "ADDRESS", "tcp: or tls:"},
	{"show", END, "xdp", "too soon"},
	{"show xpd", "xpd", "xdp", "unknown word"},
	{"log all", "all", "LINES from 1", "not a number"},
	{"log 1001", "1001", "LINES from 1", "out of range"},
	{"version 2", "2", "nothing more", "one too many"},
	{"daemon", END, "stop", "too soon"},
	{"daemon stpo", "stpo", "stop", "did you mean \"stop\"?"},
	{"daemon stop --force", "--force", "flush", "unknown word"},
	{"pki", END, "init", "too soon"},
	{"pki init d days 0", "0", "NUMBER from 1", "out of range"},
};

START_TEST(a_good_line_is_its_command)
{
	struct grammar_problem problem;
	struct request request;

	ck_assert_msg(!parse(goods[_i].line, &request, &problem), "%s: %s", goods[_i].line, problem.text);
	ck_assert_int_eq(request.id, goods[_i].id);
}
END_TEST

START_TEST(every_command_has_a_good_line_and_help)
{
	bool seen[N_COMMANDS] = {0};
	char syntax[512];

	for (size_t i = 0; i < sizeof(goods) / sizeof(goods[0]); i++)
		seen[goods[i].id] = true;
	for (int id = 0; id < N_COMMANDS; id++) {
		ck_assert_msg(seen[id], "no good line for command %d", id);
		ck_assert_ptr_nonnull(grammar_commands[id].help);
		ck_assert_uint_lt(grammar_syntax((enum command_id)id, syntax, sizeof(syntax)), sizeof(syntax));
		ck_assert_int_eq(
			strncmp(syntax, grammar_commands[id].words[0], strlen(grammar_commands[id].words[0])), 0);
	}
}
END_TEST

START_TEST(a_bad_line_is_refused_by_the_word_at_fault)
{
	const struct bad *bad = &bads[_i];
	struct grammar_problem problem;
	struct request request;

	ck_assert_msg(parse(bad->line, &request, &problem) == -EINVAL, "%s", bad->line);
	ck_assert_str_eq(problem.word, bad->word);
	ck_assert_msg(strstr(problem.expected, bad->expected), "%s: expected: %s", bad->line, problem.expected);
	ck_assert_msg(strstr(problem.text, bad->says), "%s: %s", bad->line, problem.text);
	ck_assert(!problem.not_yet);
}
END_TEST

/* Every beginning of every good line is good itself, or ends too soon: no other verdict is right. */
START_TEST(a_line_cut_after_any_word_is_good_or_ends_too_soon)
{
	struct grammar_problem problem;
	struct request request;
	char line[300];

	for (size_t i = 0; i < sizeof(goods) / sizeof(goods[0]); i++) {
		snprintf(line, sizeof(line), "%s", goods[i].line);
		for (char *cut; (cut = strrchr(line, ' '));) {
			*cut = '\0';
			if (!parse(line, &request, &problem))
				continue;
			ck_assert_msg(
				!problem.column && strstr(problem.text, "too soon"), "%s: %s", line, problem.text);
			ck_assert_msg(problem.expected[0], "%s", line);
		}
	}
}
END_TEST

START_TEST(words_of_later_parts_are_refused_as_not_there_yet)
{
	static const char *const lines[] = {
		"flow add br0 x", "group add br0 1", "meter add br0 1", "table show", "tunnel add br0 t"};
	struct grammar_problem problem;
	struct request request;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		ck_assert_int_eq(parse(lines[i], &request, &problem), -EINVAL);
		ck_assert_msg(
			problem.not_yet && strstr(problem.text, "not there yet"), "%s: %s", lines[i], problem.text);
	}
}
END_TEST

START_TEST(what_is_echoed_is_safe_to_print)
{
	struct grammar_problem problem;
	struct request request;
	char line[400];

	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	ck_assert_int_eq(parse(line, &request, &problem), -EINVAL);
	ck_assert_uint_lt(strlen(problem.word), sizeof(problem.word));
	ck_assert_uint_lt(strlen(problem.text), sizeof(problem.text));
}
END_TEST

START_TEST(values_arrive_as_what_they_are)
{
	struct grammar_problem problem;
	struct request request;
	struct port_config config;
	struct static_mac mac;

	ck_assert_int_eq(
		parse("port add br0 c3 netns blue type veth upcall-limit 500 peer eth0 vlan trunk 10,20 native 1",
			&request, &problem),
		0);
	ck_assert_int_eq(statement_port(&request, &config, &problem), 0);
	ck_assert_int_eq(config.type, PORT_VETH);
	ck_assert_str_eq(config.bridge, "br0");
	ck_assert_str_eq(config.name, "c3");
	ck_assert_str_eq(config.peer, "eth0");
	ck_assert_str_eq(config.netns, "blue");
	ck_assert_uint_eq(config.upcall_rate, 500);
	ck_assert_uint_eq(config.upcall_burst, 64);
	ck_assert_int_eq(config.vlan.mode, VLAN_TRUNK);
	ck_assert_uint_eq(config.vlan.vid, 1);

	ck_assert_int_eq(parse("fdb add br0 02:00:5E:10:0a:ff p1 vlan 7", &request, &problem), 0);
	statement_mac(&request, &mac);
	ck_assert_int_eq(memcmp(mac.mac, "\x02\x00\x5e\x10\x0a\xff", 6), 0);
	ck_assert_uint_eq(mac.vid, 7);
}
END_TEST

START_TEST(a_datapath_id_may_be_written_as_open_vswitch_and_controllers_write_it)
{
	static const struct {
		const char *text;
		uint64_t is;
	} ways[] = {{"00000000000000ff", 0xff}, {"0xff", 0xff}, {"0Xf", 0xf},
		{"0x00AbCdEf01234567", 0x00abcdef01234567}, {"00:00:00:00:00:00:00:ff", 0xff},
		{"00:ab:CD:ef:01:23:45:67", 0x00abcdef01234567}};
	struct grammar_problem problem;
	struct bridge_settings settings;
	struct request request;
	enum fail_wish fail;
	char line[100];

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		snprintf(line, sizeof(line), "bridge set br0 datapath-id %s", ways[i].text);
		ck_assert_msg(!parse(line, &request, &problem), "%s: %s", line, problem.text);
		statement_bridge(&request, &settings, &fail);
		ck_assert_msg(settings.datapath_id == ways[i].is, "%s", line);
	}
}
END_TEST

START_TEST(values_of_openflow_arrive_as_what_they_are)
{
	struct grammar_problem problem;
	struct bridge_settings settings;
	struct channel_config config;
	struct port_config port;
	struct request request;
	enum fail_wish fail;

	ck_assert_int_eq(parse("bridge set br0 fail-mode secure datapath-id 00AbCdEf01234567", &request, &problem), 0);
	statement_bridge(&request, &settings, &fail);
	ck_assert_uint_eq(settings.which, BRIDGE_SET_DATAPATH_ID);
	ck_assert(settings.datapath_id == 0x00abcdef01234567ULL);
	ck_assert_int_eq(fail, FAIL_WISH_SECURE);
	ck_assert_int_eq(parse("bridge set br0 ageing 5", &request, &problem), 0);
	statement_bridge(&request, &settings, &fail);
	ck_assert_uint_eq(settings.which, BRIDGE_SET_AGEING);
	ck_assert_int_eq(fail, FAIL_WISH_NONE);
	ck_assert_int_eq(parse("port add br0 p1 of-port 4294967039", &request, &problem), 0);
	ck_assert_int_eq(statement_port(&request, &port, &problem), 0);
	ck_assert_uint_eq(port.of_port, 0xfffffeff);
	ck_assert_int_eq(
		parse("controller add br0 tls:h:6653 rate-limit 800 ca c key /b cert a", &request, &problem), 0);
	ck_assert_int_eq(statement_channel(&request, "/etc", &config, &problem), 0);
	ck_assert_int_eq(config.kind, CHANNEL_CONTROLLER);
	ck_assert_str_eq(config.address, "tls:h:6653");
	ck_assert_str_eq(config.cert, "/etc/a");
	ck_assert_str_eq(config.key, "/b");
	ck_assert_ptr_null(config.crl);
	ck_assert_uint_eq(config.rate_limit, 800);
	ck_assert_uint_eq(config.burst, 200);
	ck_assert_uint_eq(config.max_backoff_s, 8);
	channel_config_free(&config);
}
END_TEST

struct combination {
	const char *line, *word, *expected;
};

/* What a channel's rows cannot know. */
static const struct combination channel_combinations[] = {
	{"controller add br0 tls:h:1", "", "cert FILE key FILE ca FILE"},
	{"controller add br0 tls:h:1 cert /a key /b", "", "cert FILE key FILE ca FILE"},
	{"controller add br0 tcp:h:1 cert /a", "tcp:h:1", "tls:HOST:PORT"},
	{"openflow listen br0 tcp:h:1 crl /a", "tcp:h:1", "tls:HOST:PORT"},
	{"openflow listen br0 tls:h:1 cert a key /b ca /c", "a", "an absolute path"},
};

START_TEST(files_are_of_tls_and_absolute)
{
	const struct combination *combination = &channel_combinations[_i];
	struct grammar_problem problem;
	struct channel_config config;
	struct request request;

	ck_assert_int_eq(parse(combination->line, &request, &problem), 0);
	ck_assert_int_eq(statement_channel(&request, NULL, &config, &problem), -EINVAL);
	ck_assert_str_eq(problem.word, combination->word);
	ck_assert_msg(strstr(problem.expected, combination->expected), "%s", problem.expected);
}
END_TEST

/* Combinations that the rows cannot know. */
static const struct combination combinations[] = {
	{"port add br0 c3 type veth", "", "peer DEVICE"},
	{"port add br0 c3 type veth netns blue", "", "peer DEVICE"},
	{"port add br0 c3 peer eth0", "eth0", "type veth"},
	{"port add br0 c3 type tap netns blue", "blue", "type veth"},
	{"port add br0 c3 type veth peer c3", "c3", "another name"},
};

START_TEST(options_that_do_not_go_together_are_refused)
{
	const struct combination *combination = &combinations[_i];
	struct grammar_problem problem;
	struct request request;
	struct port_config config;

	ck_assert_int_eq(parse(combination->line, &request, &problem), 0);
	ck_assert_int_eq(statement_port(&request, &config, &problem), -EINVAL);
	ck_assert_str_eq(problem.word, combination->word);
	ck_assert_msg(strstr(problem.expected, combination->expected), "%s", problem.expected);
}
END_TEST

/* ---- completion ---- */

static char offered[1024];

static void offer(void *ctx, const char *word, size_t word_size, const struct grammar_arg *arg)
{
	size_t used = strlen(offered);

	snprintf(offered + used, sizeof(offered) - used, "%s%.*s", used ? " " : "",
		word ? (int)word_size : (int)strlen(arg->name), word ? word : arg->name);
}

static const struct completion {
	const char *line, *offers;
} completions[] = {
	{"", "bridge port fdb mirror cache stats drops trace watch config control controller openflow metrics show log "
	     "version "
	     "daemon "
	     "pki help"},
	{"bridge", "add del set show"},
	{"bridge add", "BRIDGE"},
	{"bridge add br0", ""},
	{"bridge foo", ""},
	{"bridge show", "BRIDGE"},
	{"port add br0 p1 type", "existing tap veth internal"},
	{"port add br0 p1 type tap", "peer netns queues vlan mode upcall-limit burst force of-port cpus hook"},
	{"port set br0 p1 vlan", "open access trunk"},
	{"port set br0 p1 vlan trunk 10", "native mode upcall-limit burst of-port cpus hook"},
	{"port set br0 p1 vlan trunk 10 native", "VID"},
	{"port set br0 p1 vlan trunk 10 native 1", "tagged mode upcall-limit burst of-port cpus hook"},
	{"fdb flush", "BRIDGE port vlan"},
	{"config save", "FILE"},
	{"control listen tls:h:1", "cert key ca"},
	{"controller add br0", "ADDRESS"},
	{"controller add br0 tcp:h:1", "rate-limit burst max-backoff inactivity-probe auxiliary cert key ca crl"},
	{"openflow listen br0 tls:h:1 cert x", "key ca crl"},
	{"bridge set br0 fail-mode", "secure standalone"},
	{"mirror del br0", "NAME"},
	{"mirror add br0 m from p1,", "out-of vlan to sample"},
	{"daemon stop", "flush"},
};

START_TEST(completion_offers_what_could_stand_next)
{
	struct complaint c;
	unsigned column;

	offered[0] = '\0';
	ck_assert_int_eq(words_split(completions[_i].line, strlen(completions[_i].line), &words, &column, &c), 0);
	grammar_complete(&words, offer, NULL);
	ck_assert_str_eq(offered, completions[_i].offers);
}
END_TEST

#define LOOP(tcase, test, table) tcase_add_loop_test(tcase, test, 0, sizeof(table) / sizeof((table)[0]))

int main(void)
{
	Suite *suite = suite_create("grammar");
	TCase *tcase = tcase_create("grammar");
	SRunner *runner;
	int failed;

	LOOP(tcase, a_good_line_is_its_command, goods);
	tcase_add_test(tcase, every_command_has_a_good_line_and_help);
	LOOP(tcase, a_bad_line_is_refused_by_the_word_at_fault, bads);
	tcase_add_test(tcase, a_line_cut_after_any_word_is_good_or_ends_too_soon);
	tcase_add_test(tcase, words_of_later_parts_are_refused_as_not_there_yet);
	tcase_add_test(tcase, what_is_echoed_is_safe_to_print);
	tcase_add_test(tcase, values_arrive_as_what_they_are);
	tcase_add_test(tcase, a_datapath_id_may_be_written_as_open_vswitch_and_controllers_write_it);
	tcase_add_test(tcase, values_of_openflow_arrive_as_what_they_are);
	LOOP(tcase, files_are_of_tls_and_absolute, channel_combinations);
	LOOP(tcase, options_that_do_not_go_together_are_refused, combinations);
	LOOP(tcase, completion_offers_what_could_stand_next, completions);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
