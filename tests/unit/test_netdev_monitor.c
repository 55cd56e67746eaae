/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/netdev.h"

#include "dataplane/complaint.h"
#include "dataplane/reactor.h"
#include "tests/unit/sandbox.h"

#include <poll.h>

/* ---- a reactor ---- */

#define MAX_WATCHES 8

struct reactor_watch {
	int fd;
	void (*ready)(void *arg);
	void *arg;
};

struct reactor_timer {
	uint64_t due_us; /* 0: not armed */
	void (*fire)(void *arg);
	void *arg;
};

static struct reactor_watch watches[MAX_WATCHES];
static struct reactor_timer timers[MAX_WATCHES];

static struct reactor_watch *watch(void *ctx, int fd, void (*ready)(void *arg), void *arg)
{
	for (int i = 0; i < MAX_WATCHES; i++) {
		if (!watches[i].ready) {
			watches[i] = (struct reactor_watch){fd, ready, arg};
			return &watches[i];
		}
	}
	return NULL;
}

static void unwatch(void *ctx, struct reactor_watch *w)
{
	if (w)
		w->ready = NULL;
}

static struct reactor_timer *timer(void *ctx, void (*fire)(void *arg), void *arg)
{
	for (int i = 0; i < MAX_WATCHES; i++) {
		if (!timers[i].fire) {
			timers[i] = (struct reactor_timer){0, fire, arg};
			return &timers[i];
		}
	}
	return NULL;
}

static void arm(void *ctx, struct reactor_timer *t, uint64_t after_ms)
{
	t->due_us = now_us() + after_ms * 1000;
}

static void disarm(void *ctx, struct reactor_timer *t)
{
	t->due_us = 0;
}

static void timer_free(void *ctx, struct reactor_timer *t)
{
	if (t)
		t->fire = NULL;
}

static const struct reactor reactor = {
	.watch = watch, .unwatch = unwatch, .timer = timer, .arm = arm, .disarm = disarm, .timer_free = timer_free};

/* Whether anything happened. */
static bool turn(int wait_ms)
{
	struct pollfd fds[MAX_WATCHES];
	bool busy = false;

	for (int i = 0; i < MAX_WATCHES; i++)
		fds[i] = (struct pollfd){.fd = watches[i].ready ? watches[i].fd : -1, .events = POLLIN};
	poll(fds, MAX_WATCHES, wait_ms);
	for (int i = 0; i < MAX_WATCHES; i++) {
		if (fds[i].revents && watches[i].ready) {
			watches[i].ready(watches[i].arg);
			busy = true;
		}
	}
	for (int i = 0; i < MAX_WATCHES; i++) {
		if (timers[i].fire && timers[i].due_us && timers[i].due_us <= now_us()) {
			timers[i].due_us = 0;
			timers[i].fire(timers[i].arg);
			busy = true;
		}
	}
	return busy;
}

static int n_armed(void)
{
	int n = 0;

	for (int i = 0; i < MAX_WATCHES; i++)
		n += timers[i].fire && timers[i].due_us;
	return n;
}

/* ---- what was told ---- */

/* As a switch would remember it, and as a text of the last of it: "+p1 -p1 ". */
#define MAX_DEVICES 4096

static struct netdev_info devices[MAX_DEVICES];
static size_t n_devices;
static char story[4096];
static size_t n_told;

static struct netdev_info *device(uint32_t ifindex)
{
	for (size_t i = 0; i < n_devices; i++) {
		if (devices[i].ifindex == ifindex)
			return &devices[i];
	}
	return NULL;
}

static void note(char sign, const char *name)
{
	size_t size = strlen(story);

	n_told++;
	snprintf(story + size, sizeof(story) - size, "%c%s ", sign, name);
}

static void changed(void *ctx, const struct netdev_info *info)
{
	struct netdev_info *known = device(info->ifindex);

	note('+', info->name);
	ck_assert_msg(!known || strcmp(known->name, info->name) == 0, "%s was renamed without a gone", known->name);
	if (!known) {
		ck_assert_uint_lt(n_devices, MAX_DEVICES);
		known = &devices[n_devices++];
	}
	*known = *info;
}

static void gone(void *ctx, uint32_t ifindex, const char *name)
{
	struct netdev_info *known = device(ifindex);

	note('-', name);
	ck_assert_msg(known, "%s went, and was never there", name);
	ck_assert_str_eq(known->name, name);
	*known = devices[--n_devices];
}

static struct netdev_monitor *monitor;

/* Until nothing is waiting, for a while. */
static void settle(void)
{
	uint64_t quiet_since = now_us();

	while (now_us() - quiet_since < 60000) {
		if (turn(10))
			quiet_since = now_us();
	}
}

static void start_monitor(void)
{
	struct netdev_events events = {.changed = changed, .gone = gone};

	ck_assert_int_eq(netdev_monitor_create(&reactor, &events, &monitor), 0);
	settle();
	story[0] = '\0';
	n_told = 0;
}

static void forget_story(void)
{
	settle();
	story[0] = '\0';
	n_told = 0;
}

static bool told(const char *what)
{
	return strstr(story, what);
}

#define ck_told(what)     ck_assert_msg(told(what), "story: %s", story)
#define ck_not_told(what) ck_assert_msg(!told(what), "story: %s", story)

/* ---- the tests ---- */

START_TEST(monitor_begins_with_what_is_there)
{
	struct netdev_events events = {.changed = changed, .gone = gone};

	run("ip link add p1 type veth peer name c1");
	ck_assert_int_eq(netdev_monitor_create(&reactor, &events, &monitor), 0);
	ck_assert_uint_eq(n_told, 0); /* never from within a call */
	settle();
	ck_told("+p1 ");
	ck_told("+c1 ");
	ck_told("+lo ");
	ck_assert_uint_eq(n_told, n_devices); /* each once */
	netdev_monitor_destroy(monitor);
	ck_assert_int_eq(n_armed(), 0);
}
END_TEST

START_TEST(idle_monitor_arms_nothing)
{
	run("ip link add p1 type veth peer name c1");
	start_monitor();
	settle();
	ck_assert_int_eq(n_armed(), 0);
	ck_assert_uint_eq(n_told, 0);
	netdev_monitor_destroy(monitor);
}
END_TEST

START_TEST(device_comes_changes_and_goes)
{
	start_monitor();
	run("ip link add p1 type veth peer name c1");
	settle();
	ck_told("+p1 ");
	ck_assert(!device(if_nametoindex("p1"))->admin_up);
	forget_story();
	run("ip link set p1 up mtu 4000; ip link set c1 up");
	settle();
	ck_told("+p1 ");
	ck_assert(device(if_nametoindex("p1"))->carrier && device(if_nametoindex("p1"))->mtu == 4000);
	forget_story();
	run("ip link del p1");
	settle();
	ck_told("-p1 ");
	ck_told("-c1 ");
	ck_not_told("+p1");
	netdev_monitor_destroy(monitor);
}
END_TEST

static void find_by_myself(const char *name)
{
	struct netdev_info info;

	ck_assert_int_eq(netdev_query(name, &info), 0);
	ck_assert_int_eq(netdev_monitor_found(monitor, &info), 0);
	if (!device(info.ifindex))
		devices[n_devices++] = info;
}

/* As at a start, where ports are taken before the loop runs. */
START_TEST(device_that_goes_before_it_was_ever_told_is_told_as_gone)
{
	struct netdev_events events = {.changed = changed, .gone = gone};

	run("ip link add p1 type veth peer name c1; ip link add p2 type veth peer name c2");
	ck_assert_int_eq(netdev_monitor_create(&reactor, &events, &monitor), 0);
	find_by_myself("p1");
	find_by_myself("p2");
	run("ip link del p1");
	settle();
	ck_told("-p1 ");
	ck_not_told("+p1 ");
	ck_told("+p2 "); /* as any */
	ck_not_told("-p2 ");
	netdev_monitor_destroy(monitor);
}
END_TEST

START_TEST(device_that_comes_and_goes_in_one_turn_is_told_as_gone_to_who_found_it)
{
	start_monitor();
	run("ip link add p1 type veth peer name c1");
	find_by_myself("p1");
	run("ip link del p1");
	settle();
	ck_assert_str_eq(story, "-p1 ");
	run("ip link add p2 type veth peer name c2");
	settle();
	forget_story();
	find_by_myself("p2"); /* it is known, and no news */
	settle();
	ck_assert_str_eq(story, "");
	netdev_monitor_destroy(monitor);
}
END_TEST

START_TEST(rename_is_a_farewell_and_a_welcome)
{
	uint32_t ifindex;

	run("ip link add p1 type veth peer name c1");
	start_monitor();
	ifindex = if_nametoindex("p1");
	run("ip link set p1 name q1");
	settle();
	ck_assert_msg(strncmp(story, "-p1 +q1 ", 8) == 0, "story: %s", story);
	ck_assert_str_eq(device(ifindex)->name, "q1");
	netdev_monitor_destroy(monitor);
}
END_TEST

START_TEST(moving_away_is_gone_and_moving_back_is_new)
{
	run("ip link add p1 type veth peer name c1");
	start_monitor();
	run("ip link set p1 netns %s", named);
	settle();
	ck_told("-p1 ");
	ck_not_told("+p1 ");
	forget_story();
	run("nsenter --net=/run/netns/%s ip link set p1 netns %d", named, (int)getpid());
	settle();
	ck_told("+p1 ");
	netdev_monitor_destroy(monitor);
}
END_TEST

/* Its ifindex and its name are the same, and what was attached to it is not there any more. */
START_TEST(device_that_left_and_came_back_in_one_turn_is_told_as_gone)
{
	run("ip link add p1 index 500 type veth peer name c1");
	start_monitor();
	run("ip link del p1; ip link add p1 index 500 type veth peer name c1");
	settle();
	ck_told("-p1 ");
	ck_told("+p1 ");
	ck_assert(strstr(story, "-p1 ") < strstr(story, "+p1 "));
	netdev_monitor_destroy(monitor);
}
END_TEST

START_TEST(leaving_a_bridge_is_a_change_and_not_a_farewell)
{
	run("ip link add br9 type bridge; ip link add p1 type veth peer name c1; ip link set p1 master br9");
	start_monitor();
	ck_assert_str_eq(device(if_nametoindex("p1"))->master, "br9");
	run("ip link set p1 nomaster");
	settle();
	ck_told("+p1 ");
	ck_not_told("-p1 ");
	ck_assert_str_eq(device(if_nametoindex("p1"))->master, "");
	netdev_monitor_destroy(monitor);
}
END_TEST

START_TEST(peer_whose_gro_changes_is_news)
{
	struct complaint c = {""};
	uint32_t ifindex;

	ck_assert_int_eq(netdev_create_veth("p1", "eth0", named, &c), 0);
	start_monitor();
	ifindex = if_nametoindex("p1");
	if (!device(ifindex)->xdp_features_known) {
		netdev_monitor_destroy(monitor);
		return; /* before 6.3 nobody tells */
	}
	ck_assert_int_eq(device(ifindex)->takes_redirects, 0);
	run("nsenter --net=/run/netns/%s ethtool -K eth0 gro on", named);
	settle();
	ck_told("+p1 ");
	ck_assert_int_eq(device(ifindex)->takes_redirects, 1);
	forget_story();
	run("nsenter --net=/run/netns/%s ethtool -K eth0 gro off", named);
	settle();
	ck_told("+p1 ");
	ck_assert_int_eq(device(ifindex)->takes_redirects, 0);
	netdev_monitor_destroy(monitor);
}
END_TEST

static void in_named(const char *command)
{
	run("nsenter --net=/run/netns/%s %s", named, command);
}

START_TEST(peer_whose_mtu_or_offload_changes_is_news)
{
	struct complaint c = {""};
	uint32_t ifindex;

	ck_assert_int_eq(netdev_create_veth("p1", "e2", named, &c), 0);
	start_monitor();
	ifindex = if_nametoindex("p1");
	in_named("ip link set e2 mtu 3000");
	settle();
	ck_assert_msg(strcmp(story, "+p1 ") == 0, "story: %s", story);
	ck_assert_uint_eq(device(ifindex)->peer.mtu, 3000);
	in_named("ethtool -K e2 txvlan off");
	settle();
	ck_assert(!device(ifindex)->peer.tx_vlan_offload);
	in_named("ethtool -K e2 txvlan on");
	settle();
	ck_assert(device(ifindex)->peer.tx_vlan_offload);
	in_named("ethtool -K e2 gro on");
	settle();
	ck_assert(device(ifindex)->peer.gro);
	in_named("ip link set e2 name e7");
	settle();
	ck_assert_str_eq(device(ifindex)->peer.name, "e7");
	netdev_monitor_destroy(monitor);
}
END_TEST

START_TEST(peer_in_our_own_namespace_is_news_too)
{
	run("ip link add p1 type veth peer name c1");
	start_monitor();
	run("ip link set c1 mtu 3000");
	settle();
	ck_told("+p1 ");
	ck_assert_uint_eq(device(if_nametoindex("p1"))->peer.mtu, 3000);
	netdev_monitor_destroy(monitor);
}
END_TEST

/* Our end hears nothing when its peer moves; what the peer leaves behind does. */
START_TEST(peer_that_moves_on_is_followed)
{
	uint32_t ifindex;

	run("ip link add p1 type veth peer name c1");
	start_monitor();
	ifindex = if_nametoindex("p1");
	ck_assert_int_eq(device(ifindex)->peer.nsid, -1);
	run("ip link set c1 netns %s", named);
	settle();
	ck_told("+p1 ");
	ck_assert_int_ge(device(ifindex)->peer.nsid, 0);
	run("ip netns add %s-moved", named);
	run("ip -n %s link set c1 netns %s-moved", named, named);
	settle();
	run("ip -n %s-moved link set c1 mtu 2500", named);
	settle();
	ck_assert_uint_eq(device(ifindex)->peer.mtu, 2500);
	run("ip netns del %s-moved", named);
	netdev_monitor_destroy(monitor);
}
END_TEST

START_TEST(news_of_strangers_elsewhere_is_no_news)
{
	struct complaint c = {""};
	char command[100];

	ck_assert_int_eq(netdev_create_veth("p1", "e3", named, &c), 0);
	start_monitor();
	snprintf(command, sizeof(command), "ip link add o1 index %u type veth peer name o2", if_nametoindex("p1"));
	in_named(command);
	in_named("ip link set lo mtu 3000");
	settle();
	ck_assert_msg(n_told == 0, "story: %s", story);
	ck_assert_int_eq(n_armed(), 0);
	in_named("ip link del o1");
	netdev_monitor_destroy(monitor);
}
END_TEST

/*
 * Where a socket listens everywhere, kernels from before 2026 put that number on the namespace's own news too
 * (do_one_broadcast() lacked a net_eq()): listening by that socket alone would lose them.
 */
START_TEST(namespace_with_a_number_for_itself_still_hears_of_its_own)
{
	run("ip link add p1 type veth peer name c1");
	run("ip netns attach %s-moved %d && ip netns set %s-moved 7", named, (int)getpid(), named);
	start_monitor();
	run("ip link set p1 mtu 3000");
	settle();
	ck_told("+p1 ");
	ck_assert_uint_eq(device(if_nametoindex("p1"))->mtu, 3000);
	netdev_monitor_destroy(monitor);
}
END_TEST

START_TEST(queues_that_come_and_go_are_news)
{
	struct complaint c = {""};
	uint32_t ifindex;
	int fd[2];

	ck_assert_int_eq(netdev_create_tap("t1", 4, &c), 0);
	fd[0] = open_like_qemu("t1", true);
	start_monitor();
	ifindex = if_nametoindex("t1");
	ck_assert_uint_eq(device(ifindex)->rx_queues, 1);
	fd[1] = open_like_qemu("t1", true);
	settle();
	ck_assert_uint_eq(device(ifindex)->rx_queues, 2);
	close(fd[0]);
	settle();
	ck_assert_uint_eq(device(ifindex)->rx_queues, 1);
	run("ip link add p1 numrxqueues 4 type veth peer name c1");
	settle();
	run("ethtool -L p1 rx 3");
	settle();
	ck_assert_uint_eq(device(if_nametoindex("p1"))->rx_queues, 3);
	netdev_monitor_destroy(monitor);
}
END_TEST

START_TEST(burst_is_folded)
{
	run("ip link add p1 type veth peer name c1");
	start_monitor();
	run("for i in 1 2 3 4 5 6 7 8 9; do ip link set p1 mtu 200$i; done");
	settle();
	ck_assert_msg(strcmp(story, "+p1 +c1 ") == 0, "story: %s", story); /* each is the other's peer */
	run("ip link set p1 mtu 1400; ip link set p1 mtu 2009");           /* as it was */
	settle();
	ck_assert_msg(strcmp(story, "+p1 +c1 ") == 0, "story: %s", story);
	netdev_monitor_destroy(monitor);
}
END_TEST

static void make_pairs(int n, const char *what)
{
	FILE *batch = popen("ip -batch -", "w");

	for (int i = 0; i < n; i++)
		fprintf(batch, what, i, i);
	ck_assert_int_eq(pclose(batch), 0);
}

static unsigned long lost_messages(void)
{
	FILE *file = fopen("/proc/thread-self/net/netlink", "r");
	unsigned long drops, total = 0;
	char line[300];

	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%*x %*d %*u %*x %*d %*d %*d %*d %lu", &drops) == 1)
			total += drops;
	}
	fclose(file);
	return total;
}

static void check_all(size_t n_expected)
{
	ck_assert_uint_eq(n_devices, n_expected);
	for (size_t i = 0; i < n_devices; i++) {
		struct netdev_info now;

		ck_assert_int_eq(netdev_query_ifindex(devices[i].ifindex, &now), 0);
		ck_assert_msg(memcmp(&now, &devices[i], sizeof(now)) == 0, "%s is not as told", now.name);
	}
}

START_TEST(thousand_devices_come_and_go)
{
	size_t before;
	uint64_t began;

	start_monitor();
	before = n_devices;
	make_pairs(500, "link add p%d up type veth peer name c%d\n");
	began = now_us();
	settle();
	printf("a burst of 1,000 devices was told in %llu us, with %zu calls\n",
		(unsigned long long)(now_us() - began - 60000), n_told);
	check_all(before + 1000);
	run("ip link set p7 up mtu 2000; ip link set c7 up");
	settle();
	check_all(before + 1000);
	netdev_monitor_destroy(monitor);
}
END_TEST

/* More notifications than the socket holds: those lost are made good. */
START_TEST(lost_notifications_are_made_good)
{
	size_t before;

	run("ip link add p500 type veth peer name c500; ip link add p501 type veth peer name c501");
	start_monitor();
	before = n_devices;
	for (int i = 0; i < 10 && lost_messages() == 0; i++) {
		make_pairs(400, "link add p%d up type veth peer name c%d\n");
		make_pairs(400, "link del p%d\n");
	}
	run("ip link del p500; ip link set p501 up mtu 3000; ip link add p502 type veth peer name c502");
	ck_assert_uint_gt(lost_messages(), 0);
	settle();
	check_all(before);
	ck_told("-p500 ");
	ck_told("+p502 ");
	ck_assert_uint_eq(device(if_nametoindex("p501"))->mtu, 3000);
	netdev_monitor_destroy(monitor);
}
END_TEST

/* A container's process that comes a little after its device. */
START_TEST(peer_whose_process_comes_later_is_found_by_another_look)
{
	int held, waiting = 0;
	char path[64];
	uint32_t ifindex;
	pid_t pid = fork();

	if (pid == 0) {
		if (unshare(CLONE_NEWNET))
			_exit(1);
		for (;;)
			pause();
	}
	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	poll(NULL, 0, 100);
	held = open(path, O_RDONLY); /* not close-on-exec: the shell below enters it */
	run("ip link add p1 type veth peer name c1 netns %d", (int)pid);
	kill(pid, 9);
	waitpid(pid, NULL, 0);
	start_monitor();
	ifindex = if_nametoindex("p1");
	ck_assert(!device(ifindex)->peer.reachable);
	ck_assert_int_eq(n_armed(), 1);
	pid = fork();
	if (pid == 0) {
		if (setns(held, CLONE_NEWNET))
			_exit(1);
		for (;;)
			pause();
	}
	while (!device(ifindex)->peer.reachable && waiting++ < 300)
		turn(10);
	kill(pid, 9);
	waitpid(pid, NULL, 0);
	ck_assert(device(ifindex)->peer.reachable);
	netdev_monitor_destroy(monitor);
}
END_TEST

static TCase *news(void)
{
	TCase *t = tcase_create("news");

	tcase_add_test(t, monitor_begins_with_what_is_there);
	tcase_add_test(t, idle_monitor_arms_nothing);
	tcase_add_test(t, device_comes_changes_and_goes);
	tcase_add_test(t, device_that_goes_before_it_was_ever_told_is_told_as_gone);
	tcase_add_test(t, device_that_comes_and_goes_in_one_turn_is_told_as_gone_to_who_found_it);
	tcase_add_test(t, rename_is_a_farewell_and_a_welcome);
	tcase_add_test(t, moving_away_is_gone_and_moving_back_is_new);
	tcase_add_test(t, device_that_left_and_came_back_in_one_turn_is_told_as_gone);
	tcase_add_test(t, leaving_a_bridge_is_a_change_and_not_a_farewell);
	tcase_add_test(t, peer_whose_gro_changes_is_news);
	tcase_add_test(t, peer_whose_mtu_or_offload_changes_is_news);
	tcase_add_test(t, peer_in_our_own_namespace_is_news_too);
	tcase_add_test(t, peer_that_moves_on_is_followed);
	tcase_add_test(t, news_of_strangers_elsewhere_is_no_news);
	tcase_add_test(t, namespace_with_a_number_for_itself_still_hears_of_its_own);
	tcase_add_test(t, queues_that_come_and_go_are_news);
	tcase_add_test(t, burst_is_folded);
	tcase_add_test(t, thousand_devices_come_and_go);
	tcase_add_test(t, lost_notifications_are_made_good);
	tcase_add_test(t, peer_whose_process_comes_later_is_found_by_another_look);
	return t;
}

int main(void)
{
	TCase *groups[] = {news()};

	if (!can_make_namespaces())
		return skip("making devices and network namespaces needs root");
	return run_in_sandbox("netdev_monitor", groups, sizeof(groups) / sizeof(groups[0]));
}
