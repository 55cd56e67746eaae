/* SPDX-License-Identifier: BSD-2-Clause */
/* conf.h and model.h: files read whole or not at all, printed so that they read back, and the steps between two. */
#include "ctl/conf.h"

#include "ctl/model.h"
#include "dataplane/complaint.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char whole[] =
	"# a switch\n"
	"bridge add br0\n"
	"bridge set br0 ageing 60 mac-limit 100 forward-reserved on\n"
	"bridge add br1   # another\n"
	"\n"
	"port add br0 p1 vlan access 10\n"
	"port add br0 p2 type tap mode generic upcall-limit 10 burst 20\n"
	"port set br0 p2 vlan trunk 10,20-30 native 1 tagged\n"
	"port add br1 c3 type veth peer eth0 netns \"blue sky\" force\n"
	"port add br1 host0 type internal\n"
	"fdb add br0 02:00:00:00:00:01 p1 vlan 10\n"
	"fdb add br1 02:00:00:00:00:02 c3\n"
	"mirror add br0 watch from p1 to p2\n"
	"mirror add br1 some from c3 out-of c3 vlan 0,10-12,4094 to host0 sample 100\n"
	"control listen tls:[::1]:6640 cert '/x y/c' key rel/k ca /ca\n"
	"bridge set br1 datapath-id 00000000000000ff fail-mode secure\n"
	"port add br1 p5 of-port 77\n"
	"port add br1 vm6 type tap queues 4 vlan access 10\n"
	"port set br1 p5 cpus 9,1,0\n"
	"controller add br0 tls:of.example:6653 cert '/x y/c' key rel/k ca /ca crl crl.pem\n"
	"controller add br0 tcp:[::1]:6653 rate-limit 5 burst 6 max-backoff 7 inactivity-probe 0 auxiliary 2\n"
	"controller add br1 tcp:[::1]:6653\n"
	"openflow listen br0 tcp:0.0.0.0:6634\n"
	"openflow listen br1 tls:127.0.0.1:6635 cert c key k ca a\n"
	"metrics listen tcp:127.0.0.1:9471\n"
	"metrics listen tls:[::1]:6640 cert c key rel/m ca a\n";

static int parse(const char *text, struct model *model, struct complaint *c)
{
	model_init(model);
	return conf_parse("test.conf", "/etc", text, strlen(text), model, c);
}

static char *print(const struct model *model)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	ck_assert_int_eq(model_print(model, out), 0);
	fclose(out);
	return text;
}

START_TEST(a_file_becomes_a_model)
{
	struct model model;
	struct complaint c;

	ck_assert_msg(!parse(whole, &model, &c), "%s", c.text);
	ck_assert_uint_eq(model.n_bridges, 2);
	ck_assert_uint_eq(model.n_ports, 6);
	ck_assert_uint_eq(model.n_macs, 2);
	ck_assert_uint_eq(model.n_listeners, 3);
	ck_assert_uint_eq(model_bridge(&model, "br0")->settings.ageing_s, 60);
	ck_assert_int_eq(model_port(&model, "p2")->config.vlan.mode, VLAN_TRUNK);
	ck_assert(model_port(&model, "p2")->config.vlan.native_tagged);
	ck_assert_str_eq(model_port(&model, "c3")->config.netns, "blue sky");
	ck_assert_str_eq(model_listener(&model, LISTENER_CONTROL, "tls:[::1]:6640")->key, "/etc/rel/k");
	ck_assert_str_eq(model_listener(&model, LISTENER_METRICS, "tls:[::1]:6640")->key, "/etc/rel/m");
	ck_assert_ptr_null(model_listener(&model, LISTENER_METRICS, "tcp:127.0.0.1:9471")->cert);
	ck_assert(model_bridge(&model, "br1")->settings.datapath_id == 0xff);
	ck_assert_int_eq(model_bridge(&model, "br1")->fail, FAIL_WISH_SECURE);
	ck_assert_int_eq(model_bridge(&model, "br0")->fail, FAIL_WISH_STANDALONE);
	ck_assert_uint_eq(model_port(&model, "vm6")->config.queues, 4);
	ck_assert_uint_eq(model_port(&model, "p5")->config.queues, 1);
	ck_assert_uint_eq(model_port(&model, "p5")->config.of_port, 77);
	ck_assert_uint_eq(model_port(&model, "p5")->config.cpus.bits[0], 0x203);
	ck_assert_uint_eq(model.n_channels, 5);
	ck_assert_str_eq(
		model_channel(&model, "br0", CHANNEL_CONTROLLER, "tls:of.example:6653")->config.crl, "/etc/crl.pem");
	ck_assert_uint_eq(model_channel(&model, "br0", CHANNEL_CONTROLLER, "tcp:[::1]:6653")->config.burst, 6);
	ck_assert_ptr_null(model_channel(&model, "br0", CHANNEL_LISTENER, "tcp:[::1]:6653"));
	model_free(&model);
}
END_TEST

/* O2 */
START_TEST(what_is_printed_reads_back_as_the_same)
{
	struct model first, second;
	struct model_step *steps;
	struct complaint c;
	char *text, *again;
	unsigned n;

	ck_assert_int_eq(parse(whole, &first, &c), 0);
	text = print(&first);
	ck_assert_msg(!parse(text, &second, &c), "%s", c.text);
	ck_assert_int_eq(model_diff(&first, &second, false, &steps, &n), 0);
	ck_assert_uint_eq(n, 0);
	again = print(&second);
	ck_assert_str_eq(text, again);
	free(steps);
	free(text);
	free(again);
	model_free(&first);
	model_free(&second);
}
END_TEST

#define PQR "bridge add a\nport add a p\nport add a q\nport add a r\n"

/* What says where the fault is: file, line, column, word, what was expected. */
static const struct refusal {
	const char *text, *says;
} refusals[] = {
	{"bridge add br0\nprot add br0 p1\n",
		"test.conf:2:1: unknown word \"prot\"; did you mean \"port\"?; expected: "},
	{"bridge add br0\nbridge add br0\n", "test.conf:2:12: bridge br0 is there already"},
	{"port add br0 p1\n", "test.conf:1:10: there is no bridge br0"},
	{"bridge add br0\nport add br0 p1\nport add br0 p1\n", "test.conf:3:14: port p1 is on bridge br0 already"},
	{"bridge add br0\nport set br0 p1 vlan open\n", "test.conf:2:14: bridge br0 has no port p1"},
	{"bridge add a\nbridge add b\nport add a p\nport set b p vlan open\n",
		"test.conf:4:12: bridge b has no port p"},
	{"bridge add br0\nport add br0 p1 type veth\n", "test.conf:2: a veth needs a name"},
	{"bridge add br0\nport add br0 p1 queues 2\n", "test.conf:2:24: only a port of type tap is made with queues"},
	{"bridge set br0 ageing 1\n", "test.conf:1:12: there is no bridge br0"},
	{"bridge show\n", "test.conf:1:1: this command has no place in a configuration file"},
	{"daemon stop\n", "no place in a configuration file"},
	{"pki init\n", "no place in a configuration file"},
	{"bridge add br0\nfdb add br0 02:00:00:00:00:01 p1\n", "test.conf:2:31: bridge br0 has no port p1"},
	{"bridge add b\nport add b p\nfdb add b 02:00:00:00:00:01 p\nfdb add b 02:00:00:00:00:01 p\n",
		"test.conf:4:11: the address 02:00:00:00:00:01 is there already"},
	{"control listen tls:h:1 cert a key b ca c\ncontrol listen tls:h:1 cert a key b ca c\n",
		"test.conf:2:16: the address tls:h:1 is there already"},
	{"bridge add \"br0\n", "test.conf:1:12: the quote"},
	{"bridge add br0\n\x1b[2J\n", "test.conf:2:1: byte 0x1b"},
	{"tunnel add x\n", "\"tunnel\" is not there yet"},
	{"bridge add a\nport add a p\nmirror add a m from p to q\n", "test.conf:3:26: bridge a has no port q"},
	{"bridge add a\nport add a p\nmirror add a m from p,q to p\n", "port p cannot be mirrored to itself"},
	{"bridge add a\nport add a p\nmirror add a m from p,,q to p\n", "\"p,,q\" is not a list of ports"},
	{"bridge add a\nport add a p\nmirror add a m from p,p to q\n", "port p is named twice"},
	{"mirror add a m from p to q\n", "test.conf:1:12: there is no bridge a"},
	{"bridge add a\nport add a p\nmirror add a m to p\n", "a mirror listens to something"},
	{"bridge add a\nport add a p\nmirror add a m vlan 5-4 to p\n", "\"5-4\" is not a list of VLANs"},
	{"bridge add a\nport add a p\nmirror add a m vlan 1,4095 to p\n", "\"1,4095\" is not a list of VLANs"},
	{"bridge add a\nport add a p\nmirror add a m out-of q to p\n", "test.conf:3:23: bridge a has no port q"},
	{PQR "mirror add a m out-of p to q\nmirror add a n from r out-of p to r\n",
		"port r cannot be mirrored to itself"},
	{PQR "mirror add a m out-of p vlan 5 to q\nmirror add a n out-of p vlan 1-5 to r\n",
		"test.conf:6:23: what leaves by port p is mirrored by m already, and so not by n"},
	{"bridge add a\nport add a p\nport add a q\nmirror add a m from p to q\nmirror add a m from p to q\n",
		"test.conf:5:14: bridge a has a mirror m already"},
	{"bridge add a\nbridge add b\nport add a p\nport add b q\nmirror add a m from q to p\n",
		"test.conf:5:21: port q is on bridge b, and all ports of a mirror are on one: a"},
	{"bridge add a\nport add a p\nmirror add a m from all to p\n",
		"bridge a has no port all: a mirror names each of its ports, as p1,p2"},
	{PQR "mirror add a m from p to q\nmirror add a n from p to r\n",
		"test.conf:6:21: port p is mirrored by m already, and so not by n: a port has one mirror"},
	{PQR "mirror add a m from p to q\nmirror add a n from r to p\n",
		"test.conf:6:26: port p is mirrored by m, so mirror n cannot send copies to it"},
	{PQR "mirror add a m from p to q\nmirror add a n from q to r\n",
		"test.conf:6:21: port q is where mirror m sends, and drops what comes in: n would mirror nothing"},
	{"controller add br0 tcp:h:1\n", "test.conf:1:16: there is no bridge br0"},
	{"bridge add a\ncontroller add a tcp:h:1\ncontroller add a tcp:h:1\n",
		"test.conf:3:18: the address tcp:h:1 is there already"},
	{"bridge add a\ncontroller add a tls:h:1 cert c\n", "test.conf:2: TLS needs a certificate, its key and a CA"},
	{"bridge add a\nopenflow listen a tcp:h:1 ca c\n", "test.conf:2:19: ca is of TLS, and tcp:h:1 is bare TCP"},
	{"bridge add a\nport add a p of-port 7\nport add a q of-port 7\n",
		"test.conf:3:22: port p has the number 7 already"},
};

START_TEST(a_wrong_file_is_refused_with_line_and_word)
{
	struct model model;
	struct complaint c;

	ck_assert_int_eq(parse(refusals[_i].text, &model, &c), -EINVAL);
	ck_assert_msg(strstr(c.text, refusals[_i].says), "%s", c.text);
	model_free(&model);
}
END_TEST

/* Else nothing of what ran would come back, for one mirror that never did. */
START_TEST(what_ran_is_read_though_two_mirrors_do_not_go_together)
{
	const char text[] = PQR "mirror add a m from p to q\nmirror add a n from p to r\n";
	struct model model;
	struct complaint c;

	model_init(&model);
	model.resumed = true;
	ck_assert_msg(!conf_parse("running.conf", "/etc", text, sizeof(text) - 1, &model, &c), "%s", c.text);
	ck_assert_uint_eq(model.n_mirrors, 2);
	model_free(&model);
}
END_TEST

START_TEST(a_file_cut_at_any_byte_is_read_or_refused)
{
	struct model model;
	struct complaint c;
	unsigned n_read = 0;

	for (size_t size = 0; size < sizeof(whole); size++) {
		char *text = malloc(size + 1); /* exact, so that a sanitizer sees a byte too far */

		memcpy(text, whole, size);
		model_init(&model);
		if (conf_parse("test.conf", "/etc", text, size, &model, &c))
			ck_assert_msg(!strncmp(c.text, "test.conf:", 10), "%s", c.text);
		else
			n_read++;
		model_free(&model);
		free(text);
	}
	ck_assert_uint_gt(n_read, 10);
}
END_TEST

START_TEST(a_file_with_any_byte_changed_never_crashes)
{
	unsigned seed = (unsigned)time(NULL);
	struct model model;
	struct complaint c;
	char text[sizeof(whole)];
	char *printed;

	printf("seed %u\n", seed);
	for (int round = 0; round < 20000; round++) {
		memcpy(text, whole, sizeof(whole));
		for (int i = rand_r(&seed) % 4; i >= 0; i--)
			text[(size_t)rand_r(&seed) % (sizeof(whole) - 1)] = (char)rand_r(&seed);
		model_init(&model);
		if (!conf_parse("test.conf", "/etc", text, sizeof(whole) - 1, &model, &c)) {
			printed = print(&model);
			free(printed);
		}
		model_free(&model);
	}
}
END_TEST

static const struct hostile {
	const char *unit;
	size_t n;
} hostiles[] = {
	{"x", 1 << 20},
	{"\"", 1 << 20},
	{" ", 1 << 20},
	{"\n", 1 << 20},
	{"#", 1 << 20},
	{"\xff", 1 << 20},
	{"bridge ", 1 << 16},
	{"port add br0 p1 vlan trunk ", 1 << 12},
};

START_TEST(a_hostile_file_is_read_or_refused)
{
	const struct hostile *hostile = &hostiles[_i];
	size_t unit = strlen(hostile->unit), size = unit * hostile->n;
	char *text = malloc(size);
	struct model model;
	struct complaint c;

	for (size_t i = 0; i < hostile->n; i++)
		memcpy(text + i * unit, hostile->unit, unit);
	model_init(&model);
	if (conf_parse("test.conf", "/etc", text, size, &model, &c))
		ck_assert_uint_lt(strlen(c.text), sizeof(c.text));
	model_free(&model);
	free(text);
}
END_TEST

/* ---- files ---- */

static void in_a_directory(char *dir)
{
	strcpy(dir, "/tmp/ht-conf-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

START_TEST(saving_keeps_mode_and_follows_links)
{
	char dir[64], path[96], link[96];
	struct complaint c;
	struct model model;
	struct stat st;
	uint64_t first, second;

	in_a_directory(dir);
	snprintf(path, sizeof(path), "%s/a.conf", dir);
	snprintf(link, sizeof(link), "%s/link.conf", dir);
	ck_assert_int_eq(parse(whole, &model, &c), 0);
	ck_assert_msg(!conf_write(path, &model, "first", true, &c), "%s", c.text);
	ck_assert_int_eq(chmod(path, 0604), 0);
	ck_assert_int_eq(symlink(path, link), 0);
	ck_assert_msg(!conf_write(link, &model, "second", true, &c), "%s", c.text);
	ck_assert_int_eq(lstat(link, &st), 0);
	ck_assert(S_ISLNK(st.st_mode));
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0604);
	model_free(&model);

	model_init(&model);
	ck_assert_msg(!conf_read(link, &model, &first, &c), "%s", c.text);
	ck_assert_uint_eq(model.n_ports, 6);
	model_free(&model);
	second = conf_digest(path);
	ck_assert_uint_eq(first, second);
	unlink(path);
	unlink(link);
	ck_assert_int_eq(rmdir(dir), 0); /* no temporary file is left */
}
END_TEST

START_TEST(saving_over_what_is_no_file_is_refused)
{
	struct complaint c;
	struct model model;

	model_init(&model);
	ck_assert_int_eq(conf_write("/dev/null", &model, "x", false, &c), -EINVAL);
	ck_assert_int_eq(conf_write("/tmp", &model, "x", false, &c), -EINVAL);
	ck_assert_int_lt(conf_write("/no/such/dir/x.conf", &model, "x", false, &c), 0);
}
END_TEST

START_TEST(a_file_that_cannot_be_read_says_so)
{
	struct complaint c;
	struct model model;
	uint64_t digest;

	model_init(&model);
	ck_assert_int_eq(conf_read("/no/such.conf", &model, &digest, &c), -ENOENT);
	ck_assert_msg(strstr(c.text, "/no/such.conf"), "%s", c.text);
	ck_assert_int_eq(conf_read("/tmp", &model, &digest, &c), -EISDIR);
	model_free(&model);
}
END_TEST

/* ---- differences ---- */

static const struct difference {
	const char *name, *from, *to, *steps;
	bool keep;
} differences[] = {
	{"same", "bridge add a\nport add a p", "bridge add a\nport add a p", "", false},
	{"new", "", "bridge add a\nport add a p vlan access 5", "+a +p", false},
	{"gone", "bridge add a\nport add a p\nport add a q", "bridge add a\nport add a q", "-p", false},
	{"gone but kept", "bridge add a\nport add a p", "bridge add b", "+b", true},
	{"bridge gone", "bridge add a\nport add a p", "", "-p -a", false},
	{"vlan changed", "bridge add a\nport add a p", "bridge add a\nport add a p vlan access 5", "!p1", false},
	{"mode and upcalls changed", "bridge add a\nport add a p",
		"bridge add a\nport add a p mode generic upcall-limit 5", "!p6", false},
	{"CPUs changed", "bridge add a\nport add a p cpus 0-1", "bridge add a\nport add a p cpus 1", "!p32", false},
	{"CPUs written otherwise", "bridge add a\nport add a p cpus 1,0", "bridge add a\nport add a p cpus 0-1", "",
		false},
	{"CPUs gone", "bridge add a\nport add a p cpus 0-1", "bridge add a\nport add a p", "!p32", false},
	{"type changed", "bridge add a\nport add a p", "bridge add a\nport add a p type tap", "-p +p", false},
	{"queues changed", "bridge add a\nport add a p type tap", "bridge add a\nport add a p type tap queues 2",
		"-p +p", false},
	{"queues said", "bridge add a\nport add a p type tap", "bridge add a\nport add a p type tap queues 1", "",
		false},
	{"moved", "bridge add a\nbridge add b\nport add a p\nfdb add a 02:00:00:00:00:01 p",
		"bridge add a\nbridge add b\nport add b p\nfdb add b 02:00:00:00:00:01 p", "-p +p +m", false},
	{"setting changed", "bridge add a", "bridge add a\nbridge set a ageing 5", "!a", false},
	{"setting back", "bridge add a\nbridge set a ageing 5", "bridge add a", "!a", false},
	{"address gone", "bridge add a\nport add a p\nfdb add a 02:00:00:00:00:01 p", "bridge add a\nport add a p",
		"-m", false},
	{"address moved", "bridge add a\nport add a p\nport add a q\nfdb add a 02:00:00:00:00:01 p",
		"bridge add a\nport add a p\nport add a q\nfdb add a 02:00:00:00:00:01 q", "+m", false},
	{"address of a port made anew", "bridge add a\nport add a p\nfdb add a 02:00:00:00:00:01 p",
		"bridge add a\nport add a p type tap\nfdb add a 02:00:00:00:00:01 p", "-p +p +m", false},
	{"mirror added", "bridge add a\nport add a p\nport add a q",
		"bridge add a\nport add a p\nport add a q\nmirror add a m from p to q", "+w", false},
	{"mirror gone", "bridge add a\nport add a p\nport add a q\nmirror add a m from p to q",
		"bridge add a\nport add a p\nport add a q", "-w", false},
	{"mirror kept", "bridge add a\nport add a p\nport add a q\nmirror add a m from p to q", "bridge add a", "",
		true},
	{"mirror changed", "bridge add a\nport add a p\nport add a q\nmirror add a m from p to q",
		"bridge add a\nport add a p\nport add a q\nmirror add a m from p to q sample 5", "-w +w", false},
	{"mirror the same", "bridge add a\nport add a p\nport add a q\nmirror add a m from p to q",
		"bridge add a\nport add a p\nport add a q\nmirror add a m from p to q sample 1", "", false},
	{"mirror to a port made anew", "bridge add a\nport add a p\nport add a q\nmirror add a m from p to q",
		"bridge add a\nport add a p\nport add a q type tap\nmirror add a m from p to q", "-w -q +q +w", false},
	{"number wanted", "bridge add a\nport add a p of-port 1", "bridge add a\nport add a p of-port 2", "!p8", false},
	{"number no longer wanted", "bridge add a\nport add a p of-port 1", "bridge add a\nport add a p", "", false},
	{"numbers exchanged", "bridge add a\nport add a p of-port 1\nport add a q of-port 2",
		"bridge add a\nport add a p of-port 2\nport add a q of-port 1", "!p24 !q24", false},
	{"number of another bridge's port",
		"bridge add a\nbridge add b\nport add a p of-port 1\nport add b q of-port 2",
		"bridge add a\nbridge add b\nport add a p of-port 2\nport add b q of-port 2", "!p8", false},
	{"number of one that is not named", "bridge add a\nport add a p of-port 1\nport add a q of-port 2",
		"bridge add a\nport add a p of-port 2", "!p8", true},
	{"number of one that may have any", "bridge add a\nport add a p of-port 1\nport add a q of-port 2",
		"bridge add a\nport add a p of-port 2\nport add a q", "!p24", false},
	{"number for one that is new", "bridge add a\nport add a q of-port 1",
		"bridge add a\nport add a p of-port 1\nport add a q of-port 2", "!q8 +p", false},
	{"datapath id", "bridge add a", "bridge add a\nbridge set a datapath-id 0000000000000001", "!a", false},
	{"fail mode back", "bridge add a\nbridge set a fail-mode secure", "bridge add a", "!a", false},
	{"controller added", "bridge add a", "bridge add a\ncontroller add a tcp:h:1", "+c", false},
	{"controller gone", "bridge add a\ncontroller add a tcp:h:1", "bridge add a", "-c", false},
	{"controller kept", "bridge add a\ncontroller add a tcp:h:1", "bridge add a", "", true},
	{"controller the same", "bridge add a\ncontroller add a tcp:h:1 burst 9",
		"bridge add a\ncontroller add a tcp:h:1 burst 9", "", false},
	{"controller changed", "bridge add a\ncontroller add a tcp:h:1",
		"bridge add a\ncontroller add a tcp:h:1 burst 9", "!c", false},
	{"controller moved", "bridge add a\ncontroller add a tcp:h:1", "bridge add a\ncontroller add a tcp:h:2",
		"+c -c", false},
	{"controllers moved without room for all of them",
		"bridge add a\ncontroller add a tcp:h:1 auxiliary 4\ncontroller add a tcp:h:2 auxiliary 4",
		"bridge add a\ncontroller add a tcp:h:3 auxiliary 4\ncontroller add a tcp:h:4 auxiliary 4",
		"-c -c +c +c", false},
	{"controller with its bridge", "bridge add a\ncontroller add a tcp:h:1", "", "-a", false},
	{"controller's address on another bridge", "bridge add a\nbridge add b\ncontroller add a tcp:h:1",
		"bridge add a\nbridge add b\ncontroller add b tcp:h:1", "-c +c", false},
	{"list of revoked ones added", "bridge add a\nopenflow listen a tls:h:1 cert a key b ca c",
		"bridge add a\nopenflow listen a tls:h:1 cert a key b ca c crl d", "-c +c", false},
	{"listener changed", "control listen tls:h:1 cert a key b ca c", "control listen tls:h:1 cert a key b ca d",
		"-l +l", false},
	{"metrics beside a control socket of that name", "control listen tls:h:1 cert a key b ca c",
		"control listen tls:h:1 cert a key b ca c\nmetrics listen tls:h:1 cert a key b ca c", "+l", false},
	{"metrics that stay", "metrics listen tcp:h:1", "metrics listen tcp:h:1", "", false},
	{"metrics that get TLS files", "metrics listen tls:h:1 cert a key b ca c",
		"metrics listen tls:h:1 cert a key d ca c", "-l +l", false},
	{"metrics that go", "metrics listen tcp:h:1", "", "-l", false},
	{"metrics that are kept", "metrics listen tcp:h:1", "", "", true},
};

static void spell(const struct model *from, const struct model *to, const struct model_step *steps, unsigned n,
	char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < n; i++) {
		const struct model_step *s = &steps[i];
		char word[32] = "?";

		if (s->verb == STEP_DEL_MIRROR || s->verb == STEP_ADD_MIRROR)
			snprintf(word, sizeof(word), "%cw", s->verb == STEP_ADD_MIRROR ? '+' : '-');
		else if (s->verb == STEP_DEL_PORT)
			snprintf(word, sizeof(word), "-%s", from->ports[s->index].config.name);
		else if (s->verb == STEP_DEL_BRIDGE)
			snprintf(word, sizeof(word), "-%s", from->bridges[s->index].name);
		else if (s->verb == STEP_ADD_BRIDGE || s->verb == STEP_SET_BRIDGE)
			snprintf(word, sizeof(word), "%c%s", s->verb == STEP_ADD_BRIDGE ? '+' : '!',
				to->bridges[s->index].name);
		else if (s->verb == STEP_ADD_PORT)
			snprintf(word, sizeof(word), "+%s", to->ports[s->index].config.name);
		else if (s->verb == STEP_SET_PORT)
			snprintf(word, sizeof(word), "!%s%u", to->ports[s->index].config.name, s->which);
		else
			snprintf(word, sizeof(word), "%s",
				s->verb == STEP_DEL_MAC        ? "-m"
				: s->verb == STEP_ADD_MAC      ? "+m"
				: s->verb == STEP_DEL_CHANNEL  ? "-c"
				: s->verb == STEP_ADD_CHANNEL  ? "+c"
				: s->verb == STEP_SET_CHANNEL  ? "!c"
				: s->verb == STEP_DEL_LISTENER ? "-l"
							       : "+l");
		used += (size_t)snprintf(text + used, size - used, "%s%s", used ? " " : "", word);
	}
}

START_TEST(the_difference_touches_only_what_changed)
{
	const struct difference *d = &differences[_i];
	struct model from, to;
	struct model_step *steps;
	struct complaint c;
	char text[200];
	unsigned n;

	ck_assert_msg(!parse(d->from, &from, &c), "%s", c.text);
	ck_assert_msg(!parse(d->to, &to, &c), "%s", c.text);
	ck_assert_int_eq(model_diff(&from, &to, d->keep, &steps, &n), 0);
	spell(&from, &to, steps, n, text, sizeof(text));
	ck_assert_msg(!strcmp(text, d->steps), "%s: %s", d->name, text);
	free(steps);
	model_free(&from);
	model_free(&to);
}
END_TEST

START_TEST(trouble_is_printed_as_a_comment_that_cannot_break_out)
{
	struct model model, again;
	struct complaint c;
	char *text;

	ck_assert_int_eq(parse("bridge add a\nport add a p\n", &model, &c), 0);
	model.ports[0].trouble = strdup("no\nbridge add evil");
	text = print(&model);
	ck_assert_msg(!parse(text, &again, &c), "%s", c.text);
	ck_assert_uint_eq(again.n_bridges, 1);
	free(text);
	model_free(&model);
	model_free(&again);
}
END_TEST

#define LOOP(tcase, test, table) tcase_add_loop_test(tcase, test, 0, sizeof(table) / sizeof((table)[0]))

int main(void)
{
	Suite *suite = suite_create("conf");
	TCase *tcase = tcase_create("conf");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, a_file_becomes_a_model);
	tcase_add_test(tcase, what_is_printed_reads_back_as_the_same);
	LOOP(tcase, a_wrong_file_is_refused_with_line_and_word, refusals);
	tcase_add_test(tcase, what_ran_is_read_though_two_mirrors_do_not_go_together);
	tcase_add_test(tcase, a_file_cut_at_any_byte_is_read_or_refused);
	tcase_add_test(tcase, a_file_with_any_byte_changed_never_crashes);
	LOOP(tcase, a_hostile_file_is_read_or_refused, hostiles);
	tcase_add_test(tcase, saving_keeps_mode_and_follows_links);
	tcase_add_test(tcase, saving_over_what_is_no_file_is_refused);
	tcase_add_test(tcase, a_file_that_cannot_be_read_says_so);
	LOOP(tcase, the_difference_touches_only_what_changed, differences);
	tcase_add_test(tcase, trouble_is_printed_as_a_comment_that_cannot_break_out);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
