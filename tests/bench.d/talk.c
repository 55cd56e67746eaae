/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * talk.c - two containers that talk by ordinary sockets: a server of a few commands on stdin, a JSON object a line on
 * stdout.
 *
 *     talk SENDER-CPU RECEIVER-CPU SENDER-NETNS SENDER-DEVICE RECEIVER-NETNS RECEIVER-DEVICE RECEIVER-ADDRESS
 *
 * udp: one thread sends small datagrams from many sockets in turn, as fast as it can, on its CPU; another receives and
 * counts them on its own. Why not iperf3: a system call a datagram is what it would measure.
 * trips: one thread has both ends, sends a byte, takes it at the other end, answers, and looks at the clock. It never
 * sleeps. Why not two processes: half of what they tell is the scheduler (pingpong.c).
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <json-c/json.h>
#include "place.h"
#include "server.h"
#include "stopwatch.h"
#include "times.h"

#define PORT        7
#define PAYLOAD     64
#define BATCH       32 /* datagrams a system call */
#define MAX_SENDERS 64
#define MAX_TRIPS   100000
#define PATIENCE_NS 200000000 /* a byte that takes longer is lost */
#define DRAIN_NS    50000000  /* without a datagram, after the last one was sent */

enum { SENDER, RECEIVER };

static struct talk {
	struct place places[2];
	int receiver_cpu;
	struct sockaddr_in receiver;
	uint64_t trip_ns[MAX_TRIPS];
} talk;

/* In the namespace of that side. A descriptor, or -errno. */
static int open_socket(int side, int type)
{
	const int home = place_home();
	uint32_t ifindex;
	int err, fd = -1;

	if (home < 0)
		return home;
	err = place_enter(&talk.places[side], &ifindex);
	if (!err) {
		fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
		err = fd < 0 ? -errno : 0;
	}
	place_leave(home);
	return err ? err : fd;
}

static int fail(int fd)
{
	const int err = -errno;

	close(fd);
	return err;
}

/* A socket that senders reach. */
static int open_receiver(int type)
{
	const int yes = 1, room = 8 << 20;
	const int fd = open_socket(RECEIVER, type);

	if (fd < 0)
		return fd;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(fd, (struct sockaddr *)&talk.receiver, sizeof(talk.receiver)) ||
		(type == SOCK_STREAM && listen(fd, 1)))
		return fail(fd);
	return fd;
}

static int open_sender(int type)
{
	const int fd = open_socket(SENDER, type);

	if (fd < 0)
		return fd;
	return connect(fd, (struct sockaddr *)&talk.receiver, sizeof(talk.receiver)) ? fail(fd) : fd;
}

/* What the receiving thread works on. `over` is set when no more is sent. */
struct counting {
	int fd;
	_Atomic bool over;
	uint64_t n_received;
};

static void *count(void *arg)
{
	static char bytes[BATCH][PAYLOAD];
	struct counting *counting = arg;
	struct mmsghdr messages[BATCH] = {0};
	struct iovec pieces[BATCH];
	uint64_t last_ns = stopwatch_now_ns();
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(talk.receiver_cpu, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	setpriority(PRIO_PROCESS, 0, -20);
	for (int i = 0; i < BATCH; i++) {
		pieces[i] = (struct iovec){bytes[i], PAYLOAD};
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &pieces[i], .msg_iovlen = 1};
	}
	/* It does not sleep: waking it up would cost the sender more than the datagram does. */
	while (!counting->over || stopwatch_now_ns() < last_ns + DRAIN_NS) {
		const int n = recvmmsg(counting->fd, messages, BATCH, MSG_DONTWAIT, NULL);

		if (n > 0) {
			counting->n_received += n;
			last_ns = stopwatch_now_ns();
		}
	}
	return NULL;
}

/* Until the time is up. 0 or -errno. */
static int blast(const int *fds, uint32_t n_fds, uint64_t duration_ns, uint64_t *ret_sent)
{
	static char bytes[PAYLOAD];
	const uint64_t end_ns = stopwatch_now_ns() + duration_ns;
	struct iovec piece = {bytes, PAYLOAD};
	struct mmsghdr messages[BATCH] = {0};
	uint64_t n_sent = 0;

	for (int i = 0; i < BATCH; i++)
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &piece, .msg_iovlen = 1};
	for (uint32_t turn = 0; stopwatch_now_ns() < end_ns; turn++) {
		const int n = sendmmsg(fds[turn % n_fds], messages, BATCH, 0);

		if (n < 0 && errno != ENOBUFS && errno != ECONNREFUSED)
			return -errno;
		n_sent += n > 0 ? n : 0;
	}
	*ret_sent = n_sent;
	return 0;
}

static int exchange(const int *fds, uint32_t n_fds, uint64_t duration_ns, json_object *reply)
{
	struct counting counting = {.fd = open_receiver(SOCK_DGRAM)};
	struct stopwatch begin, span;
	uint64_t n_sent = 0;
	pthread_t counter;
	int err;

	if (counting.fd < 0)
		return counting.fd;
	err = -pthread_create(&counter, NULL, count, &counting);
	if (err)
		goto out;
	begin = stopwatch_read();
	err = blast(fds, n_fds, duration_ns, &n_sent);
	span = stopwatch_since(&begin);
	counting.over = true;
	pthread_join(counter, NULL);
	server_say(reply, "sent", n_sent);
	server_say(reply, "received", counting.n_received);
	server_say(reply, "wall_ns", span.wall_ns);
	server_say(reply, "held_up_ns", stopwatch_held_up_ns(&span));
	server_say(reply, "ksoftirqd_ns", span.ksoftirqd_ns);
out:
	close(counting.fd);
	return err;
}

/* udp MS SOCKETS: datagrams from so many sockets */
static int cmd_udp(char **word, json_object *reply)
{
	const uint32_t n = strtoul(word[1], NULL, 10);
	int fds[MAX_SENDERS], err = 0;
	uint32_t n_open = 0;

	if (!n || n > MAX_SENDERS)
		return -EINVAL;
	for (; n_open < n && !err; n_open += !err) {
		fds[n_open] = open_sender(SOCK_DGRAM);
		err = fds[n_open] < 0 ? fds[n_open] : 0;
	}
	if (!err)
		err = exchange(fds, n, strtoull(word[0], NULL, 10) * 1000000, reply);
	while (n_open)
		close(fds[--n_open]);
	return err;
}

/* Two ends of a TCP connection that sends at once, or of a UDP one. */
static int open_pair(int type, int ret_fds[2])
{
	const int listener = open_receiver(type), yes = 1;
	int fds[2];

	if (listener < 0)
		return listener;
	fds[0] = open_sender(type);
	if (fds[0] < 0) {
		close(listener);
		return fds[0];
	}
	fds[1] = listener;
	if (type == SOCK_STREAM) {
		fds[1] = accept(listener, NULL, NULL);
		close(listener);
		if (fds[1] < 0)
			return fail(fds[0]);
		for (int i = 0; i < 2; i++)
			setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	}
	memcpy(ret_fds, fds, sizeof(fds));
	return 0;
}

static int await(int fd, struct sockaddr_in *from)
{
	const uint64_t deadline_ns = stopwatch_now_ns() + PATIENCE_NS;
	socklen_t size = sizeof(*from);
	char byte;

	while (recvfrom(fd, &byte, 1, MSG_DONTWAIT, (struct sockaddr *)from, &size) != 1) {
		if (errno != EAGAIN)
			return -errno;
		if (stopwatch_now_ns() > deadline_ns)
			return -ETIMEDOUT;
	}
	return 0;
}

static int trip(const int fds[2], int type)
{
	struct sockaddr_in from = {0};
	const bool by_name = type == SOCK_DGRAM;
	int err;

	if (send(fds[0], "?", 1, 0) != 1)
		return -errno;
	err = await(fds[1], &from);
	if (err)
		return err;
	if (sendto(fds[1], "!", 1, 0, by_name ? (struct sockaddr *)&from : NULL, by_name ? sizeof(from) : 0) != 1)
		return -errno;
	return await(fds[0], &from);
}

/* trips N tcp|udp: there and back, one byte after the other */
static int cmd_trips(char **word, json_object *reply)
{
	const uint32_t n = strtoul(word[0], NULL, 10);
	const int type = strcmp(word[1], "tcp") ? SOCK_DGRAM : SOCK_STREAM;
	struct stopwatch begin, span;
	int fds[2], err;

	if (!n || n > MAX_TRIPS)
		return -EINVAL;
	err = open_pair(type, fds);
	if (err)
		return err;
	begin = stopwatch_read();
	for (uint32_t i = 0; i < n && !err; i++) {
		const uint64_t begin_ns = stopwatch_now_ns();

		err = trip(fds, type);
		talk.trip_ns[i] = stopwatch_now_ns() - begin_ns;
	}
	span = stopwatch_since(&begin);
	close(fds[0]);
	close(fds[1]);
	server_say(reply, "wall_ns", span.wall_ns);
	server_say(reply, "held_up_ns", stopwatch_held_up_ns(&span));
	if (!err)
		times_say(reply, "all", talk.trip_ns, n);
	return err;
}

static const struct server_command commands[] = {
	{"udp", 2, cmd_udp},
	{"trips", 2, cmd_trips},
};

int main(int argc, char **argv)
{
	if (argc != 8) {
		fputs("usage: talk SENDER-CPU RECEIVER-CPU SENDER-NETNS SENDER-DEVICE RECEIVER-NETNS RECEIVER-DEVICE "
		      "RECEIVER-ADDRESS\n",
			stderr);
		return 2;
	}
	talk.receiver_cpu = atoi(argv[2]);
	talk.places[SENDER] = (struct place){argv[3], argv[4]};
	talk.places[RECEIVER] = (struct place){argv[5], argv[6]};
	talk.receiver = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(PORT)};
	if (inet_pton(AF_INET, argv[7], &talk.receiver.sin_addr) != 1 || stopwatch_pin(atoi(argv[1]))) {
		fputs("talk: no such address or CPU\n", stderr);
		return 1;
	}
	/* Others' work on this CPU is noise; without the right to ask, noise it is. */
	setpriority(PRIO_PROCESS, 0, -20);
	server_run(commands, sizeof(commands) / sizeof(*commands));
	return 0;
}
