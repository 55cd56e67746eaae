/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/netns.h"

#include "dataplane/complaint.h"
#include "dataplane/netdev.h"
#include "tests/unit/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

static uint64_t own_inode(void)
{
	struct stat st;

	ck_assert_int_eq(stat("/proc/thread-self/ns/net", &st), 0);
	return st.st_ino;
}

static uint64_t inode_of_fd(int fd)
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	return st.st_ino;
}

static int count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* A process that lives in a nameless namespace until it is killed; *ret_inode is that namespace's. */
static pid_t start_container(uint64_t *ret_inode)
{
	int ready[2];
	pid_t pid;

	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		uint64_t inode;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET))
			_exit(1);
		inode = own_inode();
		if (write(ready[1], &inode, sizeof(inode)) != sizeof(inode))
			_exit(1);
		for (;;)
			pause();
	}
	ck_assert_int_eq(read(ready[0], ret_inode, sizeof(*ret_inode)), sizeof(*ret_inode));
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static void stop_container(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static int32_t nsid_of_peer(const char *name)
{
	struct netdev_info info;

	ck_assert_int_eq(netdev_query(name, &info), 0);
	return info.peer.nsid;
}

START_TEST(socket_is_made_there_and_the_thread_comes_back)
{
	uint64_t before = own_inode();
	int netns_fd, fd, domain;
	socklen_t size = sizeof(domain);
	struct complaint c = {""};
	unsigned long there, here;

	ck_assert_int_eq(netns_open(named, &netns_fd, &c), 0);
	ck_assert_int_eq(netns_socket(netns_fd, AF_INET, SOCK_DGRAM, 0, &fd), 0);
	ck_assert_uint_eq(own_inode(), before);
	ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size), 0);
	ck_assert_int_eq(domain, AF_INET);
	ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	/* The kernel's cookie of the namespace (SO_NETNS_COOKIE, 5.14 on) tells where a socket lives. */
	size = sizeof(there);
	ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, 71, &there, &size), 0);
	close(fd);
	ck_assert_int_eq(netns_socket(-1, AF_INET, SOCK_DGRAM, 0, &fd), 0);
	size = sizeof(here);
	ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, 71, &here, &size), 0);
	ck_assert(here != there);
}
END_TEST

START_TEST(refused_socket_brings_the_thread_back_too)
{
	uint64_t before = own_inode();
	struct complaint c = {""};
	int netns_fd, fd = -7;

	ck_assert_int_eq(netns_open(named, &netns_fd, &c), 0);
	ck_assert_int_lt(netns_socket(netns_fd, 4711, SOCK_DGRAM, 0, &fd), 0);
	ck_assert_int_eq(fd, -7);
	ck_assert_uint_eq(own_inode(), before);
	fd = open("/dev/null", O_RDONLY);
	ck_assert_int_lt(netns_socket(fd, AF_INET, SOCK_DGRAM, 0, &fd), 0);
	ck_assert_uint_eq(own_inode(), before);
}
END_TEST

static const struct {
	const char *name;
	int error;
	const char *said;
} bad_names[] = {
	{"swtest-is-not-there", -ENOENT, "ip netns add swtest-is-not-there"},
	{"../../etc/passwd", -EINVAL, "../../etc/passwd"},
	{"..", -EINVAL, ".."},
	{"", -EINVAL, "name"},
};

START_TEST(bad_name_is_refused_with_what_to_do)
{
	struct complaint c = {""};
	int fd = -7;

	ck_assert_int_eq(netns_open(bad_names[_i].name, &fd, &c), bad_names[_i].error);
	ck_assert_msg(strstr(c.text, bad_names[_i].said), "said: %s", c.text);
	ck_assert_int_eq(fd, -7);
}
END_TEST

START_TEST(name_that_is_a_plain_file_is_refused)
{
	char path[128], name[64];
	struct complaint c = {""};
	int fd = -7, error;

	snprintf(name, sizeof(name), "swtest-file-%d", (int)getpid());
	snprintf(path, sizeof(path), "/run/netns/%s", name);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	error = netns_open(name, &fd, &c);
	unlink(path);
	ck_assert_int_eq(error, -EINVAL);
	ck_assert_int_eq(fd, -7);
}
END_TEST

START_TEST(namespace_with_a_name_is_found_by_its_number)
{
	struct complaint c = {""};
	int fd, direct;

	ck_assert_int_eq(netdev_create_veth("p0", "c0", named, &c), 0);
	ck_assert_int_eq(netns_find(nsid_of_peer("p0"), &fd), 0);
	ck_assert_int_eq(netns_open(named, &direct, &c), 0);
	ck_assert_uint_eq(inode_of_fd(fd), inode_of_fd(direct));
}
END_TEST

START_TEST(namespace_of_a_process_is_found_by_its_number)
{
	char pid_text[16];
	uint64_t inode;
	pid_t pid = start_container(&inode);
	int fd;

	snprintf(pid_text, sizeof(pid_text), "%d", (int)pid);
	run("ip link add p0 type veth peer name c0 netns %s", pid_text);
	ck_assert_int_eq(netns_find(nsid_of_peer("p0"), &fd), 0);
	ck_assert_uint_eq(inode_of_fd(fd), inode);
	close(fd);
	stop_container(pid);
}
END_TEST

/* Also just after a scan that could not yet see it. */
START_TEST(namespace_made_after_a_scan_is_found)
{
	uint64_t inode[2];
	pid_t pid[2];
	int fd;

	for (int i = 0; i < 2; i++) {
		char command[100];

		pid[i] = start_container(&inode[i]);
		snprintf(command, sizeof(command), "ip link add p%d type veth peer name c0 netns %d", i, (int)pid[i]);
		run("%s", command);
		ck_assert_int_eq(netns_find(nsid_of_peer(i ? "p1" : "p0"), &fd), 0);
		ck_assert_uint_eq(inode_of_fd(fd), inode[i]);
		close(fd);
	}
	stop_container(pid[0]);
	stop_container(pid[1]);
}
END_TEST

START_TEST(found_namespace_dies_with_its_process)
{
	char pid_text[16];
	struct netdev_info info;
	uint64_t inode;
	pid_t pid = start_container(&inode);
	int before, gone = 0;

	snprintf(pid_text, sizeof(pid_text), "%d", (int)pid);
	run("ip link add p0 type veth peer name c0 netns %s", pid_text);
	before = count_descriptors();
	ck_assert_int_eq(netdev_query("p0", &info), 0);
	ck_assert(info.peer.reachable);
	ck_assert_int_eq(count_descriptors(), before); /* N2 */
	stop_container(pid);
	for (int i = 0; i < 100 && !gone; i++) {
		gone = netdev_query("p0", &info) == -ENODEV;
		if (!gone)
			poll(NULL, 0, 50);
	}
	ck_assert_msg(gone, "the pair outlived its container");
}
END_TEST

START_TEST(namespace_that_only_a_descriptor_holds_is_not_found)
{
	char pid_text[16], path[64];
	struct netdev_info info;
	uint64_t inode;
	pid_t pid = start_container(&inode);
	int held, fd = -7;

	snprintf(pid_text, sizeof(pid_text), "%d", (int)pid);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	held = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(held, 0);
	run("ip link add p0 type veth peer name c0 netns %s", pid_text);
	stop_container(pid);
	ck_assert_int_eq(netns_find(nsid_of_peer("p0"), &fd), -ENOENT);
	ck_assert_int_eq(fd, -7);
	ck_assert_int_eq(netdev_query("p0", &info), 0);
	ck_assert(!info.peer.reachable);
	ck_assert_str_eq(info.peer.name, "c0"); /* netlink reaches it by its number all the same */
	close(held);
}
END_TEST

/* The name that led to it leads elsewhere now: the process that lives in it is found instead. */
START_TEST(name_that_was_given_to_another_namespace_misleads_nobody)
{
	char name[80], pid_text[16], command[200];
	uint64_t inode;
	pid_t pid = start_container(&inode);
	int32_t nsid;
	int fd;

	snprintf(pid_text, sizeof(pid_text), "%d", (int)pid);
	snprintf(name, sizeof(name), "%s-moved", named); /* which the parent removes if this test does not */
	snprintf(command, sizeof(command), "ip netns attach %s %s", name, pid_text);
	run("%s", command);
	run("ip link add p0 type veth peer name c0 netns %s", pid_text);
	nsid = nsid_of_peer("p0");
	ck_assert_int_eq(netns_find(nsid, &fd), 0);
	close(fd);
	run("ip netns del %s", name);
	run("ip netns add %s", name);
	ck_assert_int_eq(netns_find(nsid, &fd), 0);
	ck_assert_uint_eq(inode_of_fd(fd), inode);
	stop_container(pid);
}
END_TEST

START_TEST(unknown_number_is_not_found)
{
	int fd = -7;

	ck_assert_int_eq(netns_find(12345, &fd), -ENOENT);
	ck_assert_int_eq(netns_find(-1, &fd), -ENOENT);
	ck_assert_int_eq(fd, -7);
}
END_TEST

static TCase *finding(void)
{
	TCase *t = tcase_create("netns");

	tcase_add_test(t, socket_is_made_there_and_the_thread_comes_back);
	tcase_add_test(t, refused_socket_brings_the_thread_back_too);
	tcase_add_loop_test(t, bad_name_is_refused_with_what_to_do, 0, sizeof(bad_names) / sizeof(bad_names[0]));
	tcase_add_test(t, name_that_is_a_plain_file_is_refused);
	tcase_add_test(t, namespace_with_a_name_is_found_by_its_number);
	tcase_add_test(t, namespace_of_a_process_is_found_by_its_number);
	tcase_add_test(t, namespace_made_after_a_scan_is_found);
	tcase_add_test(t, found_namespace_dies_with_its_process);
	tcase_add_test(t, namespace_that_only_a_descriptor_holds_is_not_found);
	tcase_add_test(t, name_that_was_given_to_another_namespace_misleads_nobody);
	tcase_add_test(t, unknown_number_is_not_found);
	return t;
}

int main(void)
{
	TCase *groups[] = {finding()};

	if (!can_make_namespaces())
		return skip("making network namespaces needs root");
	return run_in_sandbox("netns", groups, sizeof(groups) / sizeof(groups[0]));
}
