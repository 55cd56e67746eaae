/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pingpong.c - measures how long a frame is on its way: a server of a few commands on stdin, a JSON object a line on
 * stdout.
 *
 *     pingpong CPU SENDER-NETNS SENDER-DEVICE IN-PORT RECEIVER-NETNS RECEIVER-DEVICE OUT-PORT
 *
 * What: one thread has a packet socket in either namespace. It sends a frame, waits for it on the other side, sends the
 * answer, waits for that, and looks at the clock. It never sleeps meanwhile: what is measured is the way through the
 * kernel and the switch, twice, and not how soon a thread is woken up. Sockets and both stacks are in it, for the bare
 * program as for the switch.
 * Why not ping or a pair of processes: half of what they tell is the scheduler, and on a machine with other work
 * nearly all of it.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <net/if.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <json-c/json.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "frame.h"
#include "place.h"
#include "server.h"
#include "slot.h"
#include "stopwatch.h"
#include "times.h"
#include "yardstick.h"

#define MAX_TRIPS   100000
#define PATIENCE_NS 200000000 /* a frame that takes longer is lost */
#define HINDERED_NS 10000     /* a shorter wait for a CPU is the way of waking up */

/* One side: where its frames come from, and the switch's port that they come in by. */
struct side {
	int fd;
	struct slot slot;
	struct yardstick yardstick;
};

static struct pingpong {
	struct side sides[2]; /* the sender's, the receiver's */
	const char *ports[2];
	uint64_t trip_ns[MAX_TRIPS], unhindered_ns[MAX_TRIPS], sent_ns[MAX_TRIPS];
} pp;

static uint16_t sum(const void *bytes, size_t size, uint32_t begin)
{
	const uint16_t *words = bytes;

	for (size_t i = 0; i < size / 2; i++)
		begin += words[i];
	while (begin >> 16)
		begin = (begin & 0xffff) + (begin >> 16);
	return begin;
}

#define NUMBER_AT (BENCH_FRAME_SIZE - 8) /* in the payload: a magic and the frame's number, where frames have one */
#define MAGIC     0x70616365
static const uint32_t unmarked[2];

/* Flow number `flow` of 1 << 16, as the generator numbers them (frame.h), or the answer to it. */
static void write_frame(uint8_t out[BENCH_FRAME_SIZE], uint32_t flow, bool answer, const uint32_t mark[2])
{
	const uint16_t src = flow & 0xff, dst = flow >> 8, from = htons(BENCH_SRC_PORT(flow)),
		       to = htons(BENCH_DST_PORT);
	const uint16_t src_net = htons(10 << 8 | BENCH_SRC_NET), dst_net = htons(10 << 8 | BENCH_DST_NET);
	struct bench_eth *eth = (struct bench_eth *)out;
	struct bench_udp4 *p = (struct bench_udp4 *)(eth + 1);

	memset(out, 0, BENCH_FRAME_SIZE);
	*eth = (struct bench_eth){.dst = {htons(answer ? BENCH_SRC_MAC_HEAD : BENCH_DST_MAC_HEAD)},
		.src = {htons(answer ? BENCH_DST_MAC_HEAD : BENCH_SRC_MAC_HEAD)},
		.type = htons(ETH_P_IP)};
	p->ip = (struct bench_ipv4){.version_ihl = 0x45,
		.size = htons(BENCH_PACKET_SIZE),
		.ttl = 64,
		.proto = IPPROTO_UDP,
		.src = {answer ? dst_net : src_net, htons(answer ? dst : src)},
		.dst = {answer ? src_net : dst_net, htons(answer ? src : dst)}};
	p->ip.csum = ~sum(&p->ip, sizeof(p->ip), 0);
	memcpy(out + NUMBER_AT, mark, 2 * sizeof(*mark));
	p->udp = (struct bench_udp){.src = answer ? to : from, .dst = answer ? from : to, .size = htons(BENCH_L4_SIZE)};
	p->udp.csum = ~sum(p->ip.src, 8 + BENCH_L4_SIZE, htons(IPPROTO_UDP) + p->udp.size);
}

/* Waits until it is here, whatever else comes before it. */
static int await(int fd, const uint8_t frame[BENCH_FRAME_SIZE], uint64_t deadline_ns)
{
	uint8_t got[2048];

	for (;;) {
		ssize_t n = recv(fd, got, sizeof(got), MSG_DONTWAIT);

		if (n == BENCH_FRAME_SIZE && !memcmp(got, frame, n))
			return 0;
		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (stopwatch_now_ns() > deadline_ns)
			return -ETIMEDOUT;
	}
}

static int one_way(const struct side *from, const struct side *to, const uint8_t frame[BENCH_FRAME_SIZE])
{
	if (send(from->fd, frame, BENCH_FRAME_SIZE, 0) != BENCH_FRAME_SIZE)
		return -errno;
	return await(to->fd, frame, stopwatch_now_ns() + PATIENCE_NS);
}

/* trips N: round trips of flow 0, one after the other */
static int cmd_trips(char **word, json_object *reply)
{
	uint32_t n = strtoul(word[0], NULL, 10), n_back = 0;
	uint8_t there[BENCH_FRAME_SIZE], back[BENCH_FRAME_SIZE];
	struct stopwatch begin = stopwatch_read(), span;
	int err = 0;

	if (!n || n > MAX_TRIPS)
		return -EINVAL;
	write_frame(there, 0, false, unmarked);
	write_frame(back, 0, true, unmarked);
	for (uint32_t i = 0; i < n && (!err || err == -ETIMEDOUT); i++) {
		uint64_t begin_ns = stopwatch_now_ns();

		err = one_way(&pp.sides[0], &pp.sides[1], there);
		if (!err)
			err = one_way(&pp.sides[1], &pp.sides[0], back);
		if (!err)
			pp.trip_ns[n_back++] = stopwatch_now_ns() - begin_ns;
	}
	span = stopwatch_since(&begin);
	server_say(reply, "lost", n - n_back);
	server_say(reply, "held_up_ns", stopwatch_held_up_ns(&span));
	server_say(reply, "wall_ns", span.wall_ns);
	times_say(reply, "all", pp.trip_ns, n_back);
	return err == -ETIMEDOUT ? 0 : err;
}

/* How long the switch and this thread waited for their CPUs so far, while something else ran there. */
static uint64_t waited_ns(int switch_tid)
{
	return stopwatch_waited_ns(0) + (switch_tid ? stopwatch_waited_ns(switch_tid) : 0);
}

/*
 * first N FROM PAUSE-US TID: one way for the flows FROM .. FROM + N - 1, once each, and a pause before each. Those for
 * which neither this thread nor the switch's, TID, waited for its CPU are told once more by themselves.
 */
static int cmd_first(char **word, json_object *reply)
{
	uint32_t n = strtoul(word[0], NULL, 10), from = strtoul(word[1], NULL, 10), n_there = 0, n_unhindered = 0;
	const struct timespec pause = {.tv_nsec = strtoul(word[2], NULL, 10) * 1000};
	const int tid = atoi(word[3]);
	uint8_t frame[BENCH_FRAME_SIZE];
	int err = 0;

	if (!n || n > MAX_TRIPS || pause.tv_nsec >= 1000000000)
		return -EINVAL;
	for (uint32_t i = 0; i < n && (!err || err == -ETIMEDOUT); i++) {
		uint64_t begin_ns, waited;

		write_frame(frame, from + i, false, unmarked);
		nanosleep(&pause, NULL);
		waited = waited_ns(tid);
		begin_ns = stopwatch_now_ns();
		err = one_way(&pp.sides[0], &pp.sides[1], frame);
		if (err)
			continue;
		pp.trip_ns[n_there] = stopwatch_now_ns() - begin_ns;
		if (waited_ns(tid) - waited < HINDERED_NS)
			pp.unhindered_ns[n_unhindered++] = pp.trip_ns[n_there];
		n_there++;
	}
	server_say(reply, "lost", n - n_there);
	times_say(reply, "all", pp.trip_ns, n_there);
	times_say(reply, "unhindered", pp.unhindered_ns, n_unhindered);
	return err == -ETIMEDOUT ? 0 : err;
}

static int cmd_detach(char **word, json_object *reply)
{
	for (int i = 0; i < 2; i++)
		slot_close(&pp.sides[i].slot);
	return 0;
}

/* attach: looks up who has the ports now */
static int cmd_attach(char **word, json_object *reply)
{
	int err = cmd_detach(word, reply);

	for (int i = 0; i < 2 && !err; i++)
		err = slot_open(pp.ports[i], &pp.sides[i].slot);
	return err;
}

static int program_fd(const struct side *side, const char *name)
{
	return !strcmp(name, "own") ? side->slot.own_fd : yardstick_fd(&side->yardstick, name);
}

/* put own|bare|twin: the program that both ports run from now on */
static int cmd_put(char **word, json_object *reply)
{
	for (int i = 0; i < 2; i++) {
		int fd = program_fd(&pp.sides[i], word[0]), err;

		if (fd == -EINVAL)
			return fd;
		err = slot_holds(&pp.sides[i].slot, fd) ? 0 : slot_put(&pp.sides[i].slot, fd);
		if (err)
			return err;
	}
	return 0;
}

/*
 * What `paced` sends: of every so many frames one is the first of a new flow, and one the second of one that was new so
 * many flows ago; all others are of known ones.
 */
struct pace {
	uint32_t n, per_second, n_known, from, every, again;
};

static bool is_new(const struct pace *pace, uint32_t number)
{
	return pace->every && number % pace->every == pace->every - 1;
}

static uint32_t flow_of(const struct pace *pace, uint32_t number)
{
	uint32_t n_new = pace->every ? number / pace->every : 0;

	if (is_new(pace, number))
		return pace->from + n_new;
	if (pace->again && n_new >= pace->again && number % pace->every == 0)
		return pace->from + n_new - pace->again;
	return number % pace->n_known;
}

/* The clock of the kernel's own stamps. */
static uint64_t stamp_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* When the kernel took the frame in; 0: nothing is there. Not when this thread came to read it. */
static uint64_t receive_stamped(int fd, uint8_t frame[BENCH_FRAME_SIZE], ssize_t *ret_size)
{
	union {
		char bytes[CMSG_SPACE(sizeof(struct timespec))];
		struct cmsghdr align;
	} control;
	struct iovec part = {frame, BENCH_FRAME_SIZE};
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	const struct cmsghdr *first;
	struct timespec at;

	*ret_size = recvmsg(fd, &message, MSG_DONTWAIT | MSG_TRUNC);
	first = *ret_size < 0 ? NULL : CMSG_FIRSTHDR(&message);
	if (!first || first->cmsg_type != SCM_TIMESTAMPNS)
		return 0;
	memcpy(&at, CMSG_DATA(first), sizeof(at));
	return at.tv_sec * 1000000000ULL + at.tv_nsec;
}

struct paced {
	const struct pace *pace;
	uint32_t n_known, n_new; /* that arrived */
};

/* Takes what is there. */
static void gather(struct paced *paced)
{
	uint8_t got[BENCH_FRAME_SIZE];
	uint32_t mark[2];
	ssize_t size;
	uint64_t at;

	while ((at = receive_stamped(pp.sides[1].fd, got, &size)) != 0) {
		memcpy(mark, got + NUMBER_AT, sizeof(mark));
		if (size != BENCH_FRAME_SIZE || mark[0] != MAGIC || mark[1] >= paced->pace->n || !pp.sent_ns[mark[1]])
			continue;
		at -= pp.sent_ns[mark[1]];
		pp.sent_ns[mark[1]] = 0; /* a second copy is no arrival */
		if (is_new(paced->pace, mark[1]))
			pp.unhindered_ns[paced->n_new++] = at;
		else
			pp.trip_ns[paced->n_known++] = at;
	}
}

static void gather_until(struct paced *paced, uint64_t due_ns)
{
	struct pollfd there = {.fd = pp.sides[1].fd, .events = POLLIN};
	uint64_t now = stopwatch_now_ns();

	do {
		const uint64_t left = now < due_ns ? due_ns - now : 0;
		const struct timespec patience = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};

		ppoll(&there, 1, &patience, NULL);
		gather(paced);
		now = stopwatch_now_ns();
	} while (now < due_ns);
}

/*
 * paced N PER-SECOND KNOWN FROM EVERY AGAIN: N frames one way, evenly and without waiting for any of them: of the flows
 * 0 .. KNOWN - 1 in turn, and one in EVERY (0: none) the first of a new flow, FROM and up. That flow comes once more
 * when AGAIN (0: never) others have begun, and counts as known then. How long each was on its way is the kernel's word,
 * whoever else has the CPU when it arrives.
 */
static int cmd_paced(char **word, json_object *reply)
{
	const struct pace pace = {strtoul(word[0], NULL, 10), strtoul(word[1], NULL, 10), strtoul(word[2], NULL, 10),
		strtoul(word[3], NULL, 10), strtoul(word[4], NULL, 10), strtoul(word[5], NULL, 10)};
	const uint32_t n_new = pace.every ? pace.n / pace.every : 0;
	struct paced paced = {.pace = &pace};
	uint64_t begin = stopwatch_now_ns();
	uint8_t frame[BENCH_FRAME_SIZE];

	if (!pace.n || pace.n > MAX_TRIPS || !pace.per_second || !pace.n_known || pace.from + n_new > 1 << 16)
		return -EINVAL;
	for (uint32_t i = 0; i < pace.n; i++) {
		const uint32_t mark[2] = {MAGIC, i};

		gather_until(&paced, begin + i * 1000000000ULL / pace.per_second);
		write_frame(frame, flow_of(&pace, i), false, mark);
		pp.sent_ns[i] = stamp_now_ns();
		if (send(pp.sides[0].fd, frame, BENCH_FRAME_SIZE, 0) != BENCH_FRAME_SIZE)
			return -errno;
	}
	gather_until(&paced, stopwatch_now_ns() + PATIENCE_NS);
	server_say(reply, "known_lost", pace.n - n_new - paced.n_known);
	server_say(reply, "new_lost", n_new - paced.n_new);
	server_say(reply, "wall_ns", stopwatch_now_ns() - begin - PATIENCE_NS);
	times_say(reply, "known", pp.trip_ns, paced.n_known);
	times_say(reply, "new", pp.unhindered_ns, paced.n_new);
	return 0;
}

static const struct server_command commands[] = {
	{"trips", 1, cmd_trips},
	{"paced", 6, cmd_paced},
	{"first", 4, cmd_first},
	{"attach", 0, cmd_attach},
	{"put", 1, cmd_put},
	{"detach", 0, cmd_detach},
};

/* A packet socket on that device. The thread stays in its namespace. */
static int open_socket(const struct place *place)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP)};
	const int yes = 1, room = 16 << 20;
	uint32_t ifindex;
	int err = place_enter(place, &ifindex), fd;

	if (err)
		return err;
	address.sll_ifindex = ifindex;
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof(yes)) ||
		setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof(yes)) ||
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) ||
		setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &yes, sizeof(yes)) ||
		bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

/* argv: netns, device, port of either side */
static int open_all(char **argv)
{
	int home = place_home(), err = 0;

	if (home < 0)
		return home;
	for (int i = 0; i < 2 && !err; i++) {
		const uint32_t other = if_nametoindex(argv[3 * !i + 2]);

		pp.sides[i].slot = (struct slot){.own_fd = -1, .link_fd = -1};
		pp.ports[i] = argv[3 * i + 2];
		err = other ? yardstick_open(&other, 1, &pp.sides[i].yardstick) : -errno;
	}
	for (int i = 0; i < 2 && !err; i++) {
		pp.sides[i].fd = open_socket(&(struct place){argv[3 * i], argv[3 * i + 1]});
		err = pp.sides[i].fd < 0 ? pp.sides[i].fd : 0;
	}
	place_leave(home);
	return err;
}

int main(int argc, char **argv)
{
	int err;

	if (argc != 8) {
		fputs("usage: pingpong CPU SENDER-NETNS SENDER-DEVICE IN-PORT RECEIVER-NETNS RECEIVER-DEVICE "
		      "OUT-PORT\n",
			stderr);
		return 2;
	}
	err = stopwatch_pin(atoi(argv[1]));
	if (!err) {
		/* Others' work on this CPU is noise; without the right to ask, noise it is. */
		setpriority(PRIO_PROCESS, 0, -20);
		err = open_all(argv + 2);
	}
	if (err) {
		fprintf(stderr, "pingpong: %s\n", strerror(-err));
		return 1;
	}
	server_run(commands, sizeof(commands) / sizeof(*commands));
	cmd_detach(NULL, NULL);
	return 0;
}
